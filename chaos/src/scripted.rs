//! A scripted cluster for tests: says what it is told to say, does nothing.

use shakedown_engine::ids::{Id, NodeId, PodId, RevisionId, ServiceId, Symbol, TemplateId, WorkloadId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{
    Bytes, Catalog, Details, MilliCpu, NodeSpec, PodTemplate, Resources, ServiceSpec, Strategy, WorkloadKind,
    WorkloadSpec,
};
use shakedown_engine::time::Span;
use shakedown_engine::{NodeView, PodPhase, PodView, WorkloadView};

use crate::scene::Scene;

/// A cluster of 4-core nodes in three zones.
pub(crate) struct Scripted {
    pub(crate) catalog: Catalog,
    pub(crate) nodes: Vec<NodeView>,
    pub(crate) pods: Vec<PodView>,
    pub(crate) workloads: Vec<WorkloadView>,
}

impl Scripted {
    pub(crate) fn with_nodes(count: u32) -> Self {
        let mut catalog = Catalog::new();
        let mut nodes = Vec::new();
        for i in 0..count {
            let zone = catalog.zone(["a", "b", "c"][i as usize % 3]);
            let name = catalog.names.intern(&format!("node-{i}"));
            let id = catalog.nodes.push(NodeSpec {
                name,
                labels: Labels::new([(catalog.known.hostname, name)]),
                zone,
                allocatable: Resources::new(MilliCpu(4_000), Bytes(32 << 30)),
                max_pods: 110,
                taints: Vec::new(),
                unschedulable: false,
                at_start: true,
                pool: None,
                volume_limits: Vec::new(),
                roles: Vec::new(),
            });
            let view = NodeView {
                id,
                exists: true,
                healthy: true,
                cordoned: false,
                requested_cpu: 0,
                requested_memory: 0,
                pods: 0,
            };
            nodes.push(view);
        }
        Self { catalog, nodes, pods: Vec::new(), workloads: Vec::new() }
    }

    /// Adds a workload and a service in front of it.
    pub(crate) fn workload_of(&mut self, name: &str, replicas: u32) -> WorkloadId {
        let (namespace, app) = (self.catalog.names.intern("default"), self.catalog.names.intern("app"));
        let name = self.catalog.names.intern(name);
        let template = self.catalog.templates.push(template(namespace, Labels::new([(app, name)])));
        let id = self.catalog.workloads.push(WorkloadSpec {
            name,
            namespace,
            kind: WorkloadKind::Deployment,
            details: Details::None,
            replicas,
            template,
            selector: Selector::equals([(app, name)]),
            strategy: Strategy::Default,
            min_ready: Span::ZERO,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
            wishes: shakedown_engine::model::Wishes::default(),
        });
        self.catalog.services.push(ServiceSpec::new(name, namespace, Selector::equals([(app, name)])));
        self.workloads.push(WorkloadView {
            id,
            exists: true,
            desired: replicas,
            active: replicas,
            ready: replicas,
            updated: replicas,
            working: false,
            rolling: false,
        });
        id
    }

    pub(crate) fn service_of(&self, workload: WorkloadId) -> ServiceId {
        ServiceId::from_index(workload.index())
    }

    pub(crate) fn label_of(&self, workload: WorkloadId) -> (Symbol, Symbol) {
        let app = self.catalog.names.find("app").expect("every scripted pod has an `app` label");
        (app, self.catalog.workloads[workload].name)
    }

    pub(crate) fn pod(&mut self, workload: WorkloadId, node: Option<NodeId>, phase: PodPhase) -> PodId {
        let id = PodId::from_index(self.pods.len());
        let template = TemplateId::from_index(workload.index());
        let revision = RevisionId::from_index(workload.index());
        self.pods.push(PodView { id, workload, revision, template, node, phase, deleting: false });
        id
    }

    pub(crate) fn delete(&mut self, pod: PodId) {
        self.pods[pod.index()].deleting = true;
    }
}

fn template(namespace: Symbol, labels: Labels) -> PodTemplate {
    let requests = Resources::new(MilliCpu(100), Bytes(64 << 20));
    PodTemplate { requests, ..PodTemplate::new(namespace, labels, Vec::new()) }
}

impl Scene for Scripted {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn node(&self, node: NodeId) -> NodeView {
        self.nodes[node.index()]
    }

    fn pods(&self) -> Box<dyn Iterator<Item = PodView> + '_> {
        Box::new(self.pods.iter().copied())
    }

    fn workload(&self, workload: WorkloadId) -> WorkloadView {
        self.workloads[workload.index()]
    }
}
