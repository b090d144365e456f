//! The single objects of a story's cluster: nodes, templates, workloads.
//!
//! Which workloads there are is said in `cast`; pods by themselves are in `alone`. Start at [`Maker`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shakedown_engine::ids::{BudgetId, NodeId, TemplateId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{
    Bytes, Catalog, Container, MilliCpu, NodeSpec, PodTemplate, Probe, ProbeKind, ProbeRole, Resources, ServiceSpec,
    TaintEffect, Toleration, WorkloadSpec,
};
use shakedown_engine::time::Span;

use crate::timeline::recording::Recording;
use crate::timeline::story::Part;
use crate::timeline::words::Step;

/// Makes a story's cluster.
pub(super) struct Maker<'a> {
    pub(super) recording: &'a Recording,
    pub(super) steps: &'a [(f64, Step)],
    pub(super) catalog: Catalog,
    pub(super) nodes: BTreeMap<String, NodeId>,
    pub(super) parts: BTreeMap<String, Part>,
    /// Names of `parts` in the order in which they are made.
    pub(super) order: Vec<String>,
    /// Workloads whose pods are alike, and what they are called together.
    pub(super) alike: BTreeMap<String, String>,
    pub(super) never_ready: Vec<TemplateId>,
    pub(super) budgets: Vec<BudgetId>,
}

/// What a workload's pods are like.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) name: String,
    /// Thousandths of a core.
    pub(super) cpu: i64,
    pub(super) tolerations: Vec<Toleration>,
    /// Zone that they are bound to.
    pub(super) zone: Option<String>,
    /// Value of the label `role` of their nodes.
    pub(super) role: Option<&'static str>,
    pub(super) priority: i32,
    /// Containers that end are not started again.
    pub(super) one_way: bool,
    /// They take nobody's place.
    pub(super) meek: bool,
    /// They wait behind a scheduling gate.
    pub(super) gated: bool,
}

impl Shape {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), cpu: 100, ..Self::default() }
    }
}

impl<'a> Maker<'a> {
    pub(super) fn new(recording: &'a Recording, steps: &'a [(f64, Step)]) -> Self {
        Self {
            recording,
            steps,
            catalog: Catalog::new(),
            nodes: BTreeMap::new(),
            parts: BTreeMap::new(),
            order: Vec::new(),
            alike: BTreeMap::new(),
            never_ready: Vec::new(),
            budgets: Vec::new(),
        }
    }

    /// Nodes: by zones, or as many as the settings say under the names that occur.
    pub(super) fn nodes(&mut self) {
        let settings = &self.recording.settings;
        if let Some(zones) = settings.get("zones").and_then(Value::as_object) {
            for (zone, count) in zones {
                for i in 0..count.as_u64().unwrap_or(0) {
                    self.node(&format!("{}{i:02}", zone.to_lowercase()), (zone, ""), true);
                }
            }
            return;
        }
        let joining: BTreeSet<&str> = self.joining().collect();
        let mut names = self.recorded_nodes();
        let joins = |name: &str| joining.iter().any(|new| is_called(name, new));
        let joined: Vec<String> = names.iter().filter(|name| joins(name)).cloned().collect();
        names.retain(|name| !joins(name));
        let wanted = self.recording.number("nodes").map_or_else(|| names.len().max(1), |n| n as usize);
        for i in 0.. {
            if names.len() >= wanted {
                break;
            }
            names.insert(format!("other-{i}"));
        }
        names.iter().for_each(|name| self.node(name, ("", ""), true));
        for new in joining {
            let name = joined.iter().find(|name| is_called(name, new)).map_or(new, String::as_str);
            self.node(name, ("", ""), false);
        }
    }

    fn recorded_nodes(&self) -> BTreeSet<String> {
        let of_events = self.recording.events.iter().flat_map(|event| {
            let own = event.class.kind.starts_with("node ").then(|| event.object.clone());
            event.node.clone().into_iter().chain(own)
        });
        let of_initial = self.recording.initial.iter().filter_map(|pod| Some(pod.get("node")?.as_str()?.to_owned()));
        let of_steps = self.steps.iter().filter_map(|(_, step)| match step {
            Step::Drain(node) => Some(node.clone()),
            _ => None,
        });
        of_events.chain(of_initial).chain(of_steps).filter(|name| !name.is_empty()).collect()
    }

    fn joining(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.steps.iter().filter_map(|(_, step)| match step {
            Step::Join { node, .. } => Some(node.as_str()),
            _ => None,
        })
    }

    fn node(&mut self, name: &str, place: (&str, &str), at_start: bool) {
        let cpu = self.recording.number("cpu_per_node").unwrap_or(16.0) * 1000.0;
        self.node_of(name, place, (cpu as i64, at_start));
    }

    /// A node in a zone with a role; with so much CPU, from the start or not.
    pub(super) fn node_of(&mut self, name: &str, (zone, role): (&str, &str), (cpu, at_start): (i64, bool)) {
        let zone_id = self.catalog.zone(zone);
        let names = &mut self.catalog.names;
        let symbol = names.intern(name);
        let zone_label = (self.catalog.known.zone, names.intern(zone));
        let role_label = (names.intern("role"), names.intern(role));
        let known = self.catalog.known;
        let allocatable = Resources::new(MilliCpu(cpu), Bytes(64 << 30));
        let labels = [(known.hostname, symbol)].into_iter();
        let labels =
            labels.chain((!zone.is_empty()).then_some(zone_label)).chain((!role.is_empty()).then_some(role_label));
        let new = NodeSpec::new(symbol, zone_id, allocatable, &known);
        let max_pods = if cpu > 100_000 { 10_000 } else { new.max_pods };
        let spec = NodeSpec { labels: Labels::new(labels), at_start, max_pods, ..new };
        let id = self.catalog.nodes.push(spec);
        self.nodes.insert(name.to_owned(), id);
    }

    /// How many revisions the recording has.
    fn revisions(&self) -> usize {
        let updates = self.steps.iter().filter_map(|(_, step)| match step {
            Step::Update { revision, .. } => Some(*revision),
            _ => None,
        });
        updates.max().unwrap_or(1)
    }

    /// Tolerations of a taint with this key for so long, `None`: for ever.
    pub(super) fn tolerate(&mut self, key: &str, seconds: Option<u64>) -> Toleration {
        let key = Some(self.catalog.names.intern(key));
        let seconds = seconds.map(Span::from_secs);
        Toleration { key, value: None, effect: Some(TaintEffect::NoExecute), seconds }
    }

    /// What a pod has that tolerates lost nodes for so long.
    pub(super) fn tolerate_loss(&mut self, seconds: u64) -> Vec<Toleration> {
        ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
            .map(|key| self.tolerate(key, Some(seconds)))
            .to_vec()
    }

    /// A workload with a template for each revision and a service.
    pub(super) fn workload(&mut self, shape: &Shape, replicas: u32, change: impl FnOnce(&mut WorkloadSpec)) {
        let templates: Vec<TemplateId> = (0..self.revisions()).map(|n| self.template(shape, n)).collect();
        let names = &mut self.catalog.names;
        let selector = Selector::equals([(names.intern("app"), names.intern(&shape.name))]);
        let (name, namespace) = (names.intern(&shape.name), names.intern("default"));
        let mut spec =
            WorkloadSpec { replicas, ..WorkloadSpec::deployment(name, namespace, templates[0], selector.clone()) };
        change(&mut spec);
        if spec.kind != shakedown_engine::model::WorkloadKind::Pod {
            self.catalog.services.push(ServiceSpec::new(name, namespace, selector));
        }
        let kind = spec.kind;
        let workload = self.catalog.workloads.push(spec);
        let part = Part { workload, kind, templates, twins: Vec::new(), hidden: false, gated: shape.gated };
        self.parts.insert(shape.name.clone(), part);
        self.order.push(shape.name.clone());
    }

    pub(super) fn template(&mut self, shape: &Shape, nth: usize) -> TemplateId {
        let image = self.catalog.image(&format!("img:{}", nth + 1), Bytes(0));
        let known = self.catalog.known;
        let names = &mut self.catalog.names;
        let label = (names.intern("app"), names.intern(&shape.name));
        let requests = Resources::new(MilliCpu(shape.cpu), Bytes(1 << 20));
        let container =
            Container { probes: vec![readiness()], ..Container::new(names.intern("main"), image, requests) };
        let zone = shape.zone.as_ref().map(|zone| (known.zone, names.intern(zone)));
        let role = shape.role.map(|role| (names.intern("role"), names.intern(role)));
        let gates = if shape.gated { vec![names.intern("recorded")] } else { Vec::new() };
        let plain = PodTemplate::new(names.intern("default"), Labels::new([label]), vec![container]);
        let template = PodTemplate {
            tolerations: shape.tolerations.clone(),
            node_selector: zone.into_iter().chain(role).collect(),
            priority: shape.priority,
            preempts: !shape.meek,
            restart: if shape.one_way { shakedown_engine::model::RestartPolicy::Never } else { plain.restart },
            gates,
            ..plain
        };
        let id = self.catalog.templates.push(template);
        let words = self.recording.text("kubelet").unwrap_or("");
        if words.contains(&format!("v{} pods Running but never Ready", nth + 1)) {
            self.never_ready.push(id);
        }
        id
    }
}

/// Whether a node's name is the one that a recording means, which may leave out what comes before.
pub(super) fn is_called(name: &str, meant: &str) -> bool {
    name == meant || name.strip_suffix(meant).is_some_and(|rest| rest.ends_with('-'))
}

fn readiness() -> Probe {
    Probe {
        role: ProbeRole::Readiness,
        kind: ProbeKind::Http,
        initial_delay: Span::ZERO,
        period: Span::from_secs(1),
        timeout: Span::from_secs(1),
        success_threshold: 1,
        failure_threshold: 1,
    }
}
