//! Small catalogs for tests.

use std::sync::Arc;

use crate::ids::{NodeId, PodId, Symbol, TemplateId, WorkloadId};
use crate::labels::{Labels, Selector};
use crate::model::{
    Amount, Bytes, Catalog, Container, Details, HOSTNAME_LABEL, MilliCpu, NodeSpec, PodTemplate, PodTerm, Resources,
    SpreadConstraint, Strategy, Taint, TaintEffect, WhenUnsatisfiable, WorkloadKind, WorkloadSpec, ZONE_LABEL,
};
use crate::profile::{Placement, Profile};
use crate::rng::{Purpose, Streams};
use crate::scheduler::{NodeState, Request, Scheduler};
use crate::time::Span;

pub(super) const MI: i64 = 1024 * 1024;

/// A catalog being written.
pub(super) struct Build(pub(super) Catalog);

impl Build {
    pub(super) fn new() -> Self {
        Self(Catalog::new())
    }

    pub(super) fn s(&mut self, text: &str) -> Symbol {
        self.0.names.intern(text)
    }

    /// A node of 4 cores and 32 GiB in a zone (`""`: no zone label), with a hostname label.
    pub(super) fn node(&mut self, zone: &str) -> NodeId {
        let name = format!("node-{}", self.0.nodes.len());
        let name = self.s(&name);
        let hostname = self.s(HOSTNAME_LABEL);
        let mut labels = vec![(hostname, name)];
        if !zone.is_empty() {
            labels.push((self.s(ZONE_LABEL), self.s(zone)));
        }
        let zone = self.0.zone(zone);
        self.0.nodes.push(NodeSpec {
            name,
            labels: Labels::new(labels),
            zone,
            allocatable: Resources::new(MilliCpu(4000), Bytes(32 * 1024 * MI)),
            max_pods: 110,
            taints: Vec::new(),
            unschedulable: false,
            at_start: true,
            pool: None,
            volume_limits: Vec::new(),
            roles: Vec::new(),
        })
    }

    /// One such node for each zone given.
    pub(super) fn nodes(&mut self, zones: &[&str]) {
        for zone in zones {
            self.node(zone);
        }
    }

    /// A template of one container with a label `app`, without requests of its own.
    pub(super) fn template(&mut self, app: &str) -> PodTemplate {
        let image = self.0.image(app, Bytes(500 * MI));
        let (namespace, key, value, name) = (self.s("default"), self.s("app"), self.s(app), self.s("main"));
        let container = Container::new(name, image, Resources::default());
        PodTemplate::new(namespace, Labels::new([(key, value)]), vec![container])
    }

    /// The same with requests.
    pub(super) fn sized(&mut self, app: &str, cpu: i64, memory: i64) -> PodTemplate {
        let mut template = self.template(app);
        template.requests = Resources::new(MilliCpu(cpu), Bytes(memory));
        (template.score_cpu, template.score_memory) = (MilliCpu(cpu), Bytes(memory));
        template
    }

    pub(super) fn app(&mut self, app: &str) -> Selector {
        Selector::equals([(self.s("app"), self.s(app))])
    }

    pub(super) fn term(&mut self, app: &str, topology: &str) -> PodTerm {
        PodTerm {
            selector: self.app(app),
            namespaces: vec![self.s("default")],
            all_namespaces: false,
            topology_key: self.s(topology),
        }
    }

    pub(super) fn spread(&mut self, app: &str, topology: &str, when: WhenUnsatisfiable) -> SpreadConstraint {
        SpreadConstraint {
            max_skew: 1,
            topology_key: self.s(topology),
            when,
            selector: self.app(app),
            min_domains: None,
            honor_affinity: true,
            honor_taints: false,
        }
    }

    pub(super) fn taint(&mut self, key: &str, effect: TaintEffect) -> Taint {
        Taint { key: self.s(key), value: self.0.known.empty, effect }
    }

    pub(super) fn add(&mut self, template: PodTemplate) -> TemplateId {
        self.0.templates.push(template)
    }

    pub(super) fn workload(&mut self, kind: WorkloadKind, app: &str, template: TemplateId) -> WorkloadId {
        let selector = self.app(app);
        let (name, namespace) = (self.s(app), self.0.templates[template].namespace);
        self.0.workloads.push(WorkloadSpec {
            name,
            namespace,
            kind,
            details: Details::None,
            replicas: 1,
            template,
            selector,
            strategy: Strategy::RollingUpdate { max_surge: Amount::Count(1), max_unavailable: Amount::Count(0) },
            min_ready: Span::ZERO,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
            wishes: crate::model::Wishes::default(),
        })
    }

    /// A scheduler with the Kubernetes profile that knows all nodes in their declared state.
    pub(super) fn scheduler(self) -> Scheduler {
        self.scheduler_with(placement())
    }

    pub(super) fn scheduler_with(self, placement: Placement) -> Scheduler {
        let catalog = Arc::new(self.0);
        let mut scheduler =
            Scheduler::new(Arc::clone(&catalog), placement, Streams::new(1).stream(Purpose::Scheduler, 0));
        for (id, node) in catalog.nodes.iter() {
            let state = NodeState { taints: node.taints.clone(), unschedulable: node.unschedulable };
            scheduler.set_node(id, state);
        }
        scheduler
    }
}

pub(super) fn placement() -> Placement {
    Profile::named("kubernetes").expect("it is built in").placement
}

pub(super) fn pod(id: u32, template: TemplateId) -> Request {
    Request { pod: PodId(id), template, workload: None, only: None }
}
