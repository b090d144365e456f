//! Pod templates of scheduler_perf.
//!
//! Source: kubernetes/kubernetes:test/integration/scheduler_perf/templates; each kind names its file.

use shakedown_engine::ids::Symbol;
use shakedown_engine::labels::{Labels, Op, Requirement, Selector};
use shakedown_engine::model::{
    Affinity, Bytes, Catalog, Container, MilliCpu, NodeTerm, PodTemplate, PodTerm, Resources, SpreadConstraint,
    Weighted, WhenUnsatisfiable, ZONE_LABEL,
};

/// A pod template of scheduler_perf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodKind {
    /// `pod-default.yaml`: 100 thousandths of a CPU and 500 MiB.
    Default,
    /// `light-pod.yaml`: requests nothing.
    Light,
    /// `daemonset-pod.yaml`: asks for a node by name.
    Daemon,
    /// `gated-pod.yaml`.
    Gated,
    /// `pod-low-priority.yaml`: 900 thousandths.
    LowPriority,
    /// `pod-high-priority.yaml`: 3,000 thousandths, priority 10.
    HighPriority,
    /// `pod-high-priority-large-cpu.yaml`: more CPU than any node has.
    LargeCpu,
    /// `pod-with-extended-resource.yaml`: fits one node only.
    Extended,
    /// `pod-with-pod-anti-affinity.yaml`.
    AntiAffinity,
    /// `pod-with-pod-anti-affinity-label.yaml`: others keep away from it.
    MatchingAntiAffinity,
    /// `pod-with-pod-affinity.yaml`.
    Affinity,
    /// `pod-with-preferred-pod-affinity.yaml`.
    PreferredAffinity,
    /// `pod-with-preferred-pod-anti-affinity.yaml`.
    PreferredAntiAffinity,
    /// `pod-with-node-affinity.yaml`.
    NodeAffinity,
    /// `pod-anti-affinity-ns-selector.yaml`.
    NamespacedAntiAffinity,
    /// `pod-affinity-ns-selector.yaml`.
    NamespacedAffinity,
    /// `pod-preferred-anti-affinity-ns-selector.yaml`.
    NamespacedPreferredAntiAffinity,
    /// `pod-preferred-affinity-ns-selector.yaml`.
    NamespacedPreferredAffinity,
    /// `pod-with-topology-spreading.yaml`.
    Spreading,
    /// `pod-with-preferred-topology-spreading.yaml`.
    PreferredSpreading,
    /// `pod-with-label.yaml`: selected by a service, so that the system's own constraints apply.
    Labelled,
    /// `pod-with-node-inclusion-policy.yaml`.
    InclusionPolicy,
}

/// The node that `daemonset-pod.yaml` names.
pub(super) const NAMED_NODE: &str = "scheduler-perf-node";

/// Name of the resource that only the node `index` has.
pub(super) fn own_resource(index: usize) -> String {
    format!("foo.com/bar-{index}")
}

/// Where a pod is made.
pub(super) struct Place<'a> {
    pub(super) namespace: Symbol,
    /// Namespaces that terms speak of.
    pub(super) all: &'a [Symbol],
    /// Which of its kind it is.
    pub(super) index: usize,
}

impl PodKind {
    /// True when each pod of the kind is different.
    pub(super) fn is_unique(self) -> bool {
        self == Self::Extended
    }

    fn requests(self) -> (i64, i64) {
        const MEMORY: i64 = 500 << 20;
        match self {
            Self::Light | Self::Daemon | Self::Gated | Self::Labelled | Self::Extended => (0, 0),
            Self::LowPriority => (900, MEMORY),
            Self::HighPriority => (3_000, MEMORY),
            Self::LargeCpu => (9_000, MEMORY),
            _ => (100, MEMORY),
        }
    }

    fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::AntiAffinity | Self::MatchingAntiAffinity => Some(("color", "green")),
            Self::NamespacedAntiAffinity | Self::NamespacedPreferredAntiAffinity => Some(("color", "green")),
            Self::Affinity | Self::NamespacedAffinity => Some(("color", "blue")),
            Self::Spreading | Self::PreferredSpreading => Some(("color", "blue")),
            Self::PreferredAffinity | Self::NamespacedPreferredAffinity => Some(("color", "red")),
            Self::PreferredAntiAffinity => Some(("color", "yellow")),
            Self::InclusionPolicy => Some(("foo", "bar")),
            Self::Labelled => Some(("app", "scheduler-perf")),
            _ => None,
        }
    }

    /// The template of one pod.
    pub(super) fn template(self, catalog: &mut Catalog, place: &Place<'_>) -> PodTemplate {
        let (cpu, memory) = self.requests();
        let mut requests = Resources::new(MilliCpu(cpu), Bytes(memory));
        if self == Self::Extended {
            requests.extended = vec![(catalog.names.intern(&own_resource(place.index)), 1)];
        }
        let image = catalog.image("registry.k8s.io/pause:3.10", Bytes(320 << 10));
        let names = &mut catalog.names;
        let container = Container::new(names.intern("pause"), image, requests);
        let label = self.label().map(|(key, value)| (names.intern(key), names.intern(value)));
        let selector = Selector::equals(label);
        let mut template = PodTemplate::new(place.namespace, Labels::new(label), vec![container]);
        template.affinity = self.affinity(catalog, place, &selector);
        template.spread = self.spread(catalog, selector).into_iter().collect();
        if matches!(self, Self::HighPriority | Self::LargeCpu) {
            template.priority = 10;
        }
        if self == Self::Gated {
            template.gates = vec![catalog.names.intern("test.k8s.io/hold")];
        }
        template
    }

    fn affinity(self, catalog: &mut Catalog, place: &Place<'_>, selector: &Selector) -> Affinity {
        let by_zone = matches!(self, Self::Affinity | Self::NamespacedAffinity);
        let topology_key = if by_zone { catalog.known.zone } else { catalog.known.hostname };
        let namespaces = place.all.to_vec();
        let term = || PodTerm { selector: selector.clone(), namespaces, all_namespaces: false, topology_key };
        let mut affinity = Affinity::default();
        match self {
            Self::AntiAffinity | Self::NamespacedAntiAffinity => affinity.anti_required.push(term()),
            Self::Affinity | Self::NamespacedAffinity => affinity.pod_required.push(term()),
            Self::PreferredAffinity | Self::NamespacedPreferredAffinity => {
                affinity.pod_preferred.push(Weighted { weight: 1, item: term() });
            }
            Self::PreferredAntiAffinity | Self::NamespacedPreferredAntiAffinity => {
                affinity.anti_preferred.push(Weighted { weight: 1, item: term() });
            }
            Self::NodeAffinity => {
                let zones = ["zone1", "zone2"].map(|zone| catalog.names.intern(zone));
                let key = catalog.names.intern(ZONE_LABEL);
                let labels = Selector { all: vec![Requirement { key, op: Op::In(zones.to_vec()) }] };
                affinity.node_required.push(NodeTerm { labels, ..NodeTerm::default() });
            }
            Self::Daemon => {
                let names = vec![catalog.names.intern(NAMED_NODE)];
                affinity.node_required.push(NodeTerm { names, ..NodeTerm::default() });
            }
            _ => {}
        }
        affinity
    }

    fn spread(self, catalog: &Catalog, selector: Selector) -> Option<SpreadConstraint> {
        let (max_skew, topology_key) = match self {
            Self::Spreading | Self::PreferredSpreading => (5, catalog.known.zone),
            Self::InclusionPolicy => (1, catalog.known.hostname),
            _ => return None,
        };
        let soft = self == Self::PreferredSpreading;
        Some(SpreadConstraint {
            max_skew,
            topology_key,
            when: if soft { WhenUnsatisfiable::ScheduleAnyway } else { WhenUnsatisfiable::DoNotSchedule },
            selector,
            min_domains: None,
            honor_affinity: true,
            honor_taints: self == Self::InclusionPolicy,
        })
    }
}
