//! Pod templates: what one replica is made of and where it may go.

use crate::fact::Refused;
use crate::ids::{GroupId, ImageId, Symbol};
use crate::labels::{Labels, Selector};
use crate::model::{Bytes, MilliCpu, PlacementWish, PodVolume, Resources, Taint, TaintEffect};
use crate::time::Span;

/// The unchanging description of a pod. All replicas of a revision share one.
#[derive(Clone, Debug)]
pub struct PodTemplate {
    /// Namespace.
    pub namespace: Symbol,
    /// Labels of each replica.
    pub labels: Labels,
    /// Effective request: max(sum of containers, each init container) plus overhead.
    pub requests: Resources,
    /// CPU as scoring sees it: 100 m for each container that requests none.
    /// Source: kubernetes/kubernetes:pkg/scheduler/util/pod_resources.go.
    pub score_cpu: MilliCpu,
    /// Memory as scoring sees it: 200 MiB for each container that requests none (same source).
    pub score_memory: Bytes,
    /// Containers that run side by side. At least one.
    pub containers: Vec<Container>,
    /// Containers that run to completion first, one after the other.
    pub init: Vec<Container>,
    /// Labels that the node must carry.
    pub node_selector: Vec<(Symbol, Symbol)>,
    /// Affinity to nodes and to other pods.
    pub affinity: Affinity,
    /// Taints that are tolerated.
    pub tolerations: Vec<Toleration>,
    /// Explicit topology spread constraints.
    pub spread: Vec<SpreadConstraint>,
    /// Ports claimed on the host.
    pub host_ports: Vec<HostPort>,
    /// Ports published without a word on where: the profile's [`Ports`](crate::profile::Ports) decide what they take.
    pub published: Vec<HostPort>,
    /// Where it wants to go in words of another orchestrator than Kubernetes.
    pub wishes: PlacementWish,
    /// Bound by the user to this node, bypassing the scheduler.
    pub node_name: Option<Symbol>,
    /// Higher goes first.
    pub priority: i32,
    /// Name of its priority class, for quotas; `None` without one.
    pub priority_class: Option<Symbol>,
    /// It may take the place of pods of lower priority (`preemptionPolicy: PreemptLowerPriority`).
    pub preempts: bool,
    /// It is not scheduled before these are removed (`schedulingGates`).
    pub gates: Vec<Symbol>,
    /// It is placed together with its group.
    pub group: Option<GroupId>,
    /// Volumes that decide where it can run.
    pub volumes: Vec<PodVolume>,
    /// Which scheduler places it; the empty symbol is `default-scheduler`.
    pub scheduler: Symbol,
    /// Lower is deleted first when replicas are too many (`controller.kubernetes.io/pod-deletion-cost`).
    pub deletion_cost: i32,
    /// It ends after so long, with failure.
    pub active_deadline: Option<Span>,
    /// It uses the node's own network: no delay of the pod network, and network policies do not apply.
    pub host_network: bool,
    /// Time between the polite and the forced stop. `None`: the profile's default.
    pub grace: Option<Span>,
    /// What the agent does with containers that exit.
    pub restart: RestartPolicy,
    /// Restarts in place at most, where the profile's container engine counts them (`on-failure:3`).
    pub restart_attempts: Option<u32>,
    /// The API server refuses pods like these, whatever the cluster's state.
    pub refused: Option<Refused>,
}

/// One container of a pod.
#[derive(Clone, Debug)]
pub struct Container {
    /// Name, unique in the pod.
    pub name: Symbol,
    /// Image.
    pub image: ImageId,
    /// When the image is fetched again.
    pub pull: PullPolicy,
    /// Requested resources.
    pub requests: Resources,
    /// CPU ceiling; `None` means unlimited.
    pub cpu_limit: Option<MilliCpu>,
    /// Memory ceiling; beyond it the container is killed.
    pub memory_limit: Option<Bytes>,
    /// Probes, at most one a role.
    pub probes: Vec<Probe>,
    /// How long the hook before the polite stop takes.
    pub pre_stop: Option<Span>,
    /// An init container that goes on running beside the others (`restartPolicy: Always`): a sidecar.
    pub sidecar: bool,
}

/// Quality of service of a pod: who is killed first when a node runs out of memory.
/// Source: kubernetes/kubernetes:pkg/apis/core/v1/helper/qos/qos.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// Nothing requested, nothing limited.
    BestEffort,
    /// Something requested or limited.
    Burstable,
    /// CPU and memory of every container limited, and requests equal to the limits.
    Guaranteed,
}

/// What scoring assumes of a container without a CPU request, thousandths of a core.
/// Source: kubernetes/kubernetes:pkg/scheduler/util/pod_resources.go, `DefaultMilliCPURequest`.
pub const SCORED_CPU: MilliCpu = MilliCpu(100);
/// What scoring assumes of a container without a memory request (same source, `DefaultMemoryRequest`).
pub const SCORED_MEMORY: Bytes = Bytes(200 << 20);

impl PodTemplate {
    /// A template of these containers and nothing special. An amount of 0 counts as not requested.
    pub fn new(namespace: Symbol, labels: Labels, containers: Vec<Container>) -> Self {
        let mut requests = Resources::default();
        let (mut score_cpu, mut score_memory) = (MilliCpu(0), Bytes(0));
        for container in &containers {
            let own = &container.requests;
            requests.add(own);
            score_cpu.0 += if own.cpu.0 == 0 { SCORED_CPU.0 } else { own.cpu.0 };
            score_memory.0 += if own.memory.0 == 0 { SCORED_MEMORY.0 } else { own.memory.0 };
        }
        Self {
            namespace,
            labels,
            requests,
            score_cpu,
            score_memory,
            containers,
            init: Vec::new(),
            node_selector: Vec::new(),
            affinity: Affinity::default(),
            tolerations: Vec::new(),
            spread: Vec::new(),
            host_ports: Vec::new(),
            published: Vec::new(),
            wishes: PlacementWish::default(),
            node_name: None,
            priority: 0,
            priority_class: None,
            preempts: true,
            gates: Vec::new(),
            group: None,
            volumes: Vec::new(),
            scheduler: Symbol::default(),
            deletion_cost: 0,
            active_deadline: None,
            host_network: false,
            grace: None,
            restart: RestartPolicy::Always,
            restart_attempts: None,
            refused: None,
        }
    }
}

impl PodTemplate {
    /// Its quality of service.
    pub fn qos(&self) -> Qos {
        let mut all = self.init.iter().chain(&self.containers);
        let guaranteed = |c: &Container| {
            let limits = (c.cpu_limit.map(|l| l.0), c.memory_limit.map(|l| l.0));
            limits == (Some(c.requests.cpu.0), Some(c.requests.memory.0)) && limits.0 > Some(0) && limits.1 > Some(0)
        };
        let nothing = |c: &Container| {
            let requests = c.requests.cpu.0 == 0 && c.requests.memory.0 == 0;
            requests && c.cpu_limit.is_none_or(|l| l.0 == 0) && c.memory_limit.is_none_or(|l| l.0 == 0)
        };
        if all.clone().all(nothing) {
            Qos::BestEffort
        } else if all.all(guaranteed) {
            Qos::Guaranteed
        } else {
            Qos::Burstable
        }
    }
}

impl Container {
    /// A container without limits, probes or hooks, its image pulled unless present.
    pub fn new(name: Symbol, image: ImageId, requests: Resources) -> Self {
        Self {
            name,
            image,
            pull: PullPolicy::IfNotPresent,
            requests,
            cpu_limit: None,
            memory_limit: None,
            probes: Vec::new(),
            pre_stop: None,
            sidecar: false,
        }
    }

    /// The probe of a role.
    pub fn probe(&self, role: ProbeRole) -> Option<&Probe> {
        self.probes.iter().find(|p| p.role == role)
    }
}

/// What a probe decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum ProbeRole {
    /// Whether the other probes may begin; failing kills the container.
    Startup,
    /// Whether the container lives; failing kills it.
    Liveness,
    /// Whether it gets traffic; failing takes it out of its services.
    Readiness,
}

/// How a probe asks. All cost one round trip to the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// HTTP GET.
    Http,
    /// TCP connect.
    Tcp,
    /// A command in the container.
    Exec,
    /// The gRPC health protocol.
    Grpc,
}

/// A periodic question to a container.
/// Defaults: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go (period 10 s, time-out 1 s, success 1, failure 3).
#[derive(Clone, Debug)]
pub struct Probe {
    /// What it decides.
    pub role: ProbeRole,
    /// How it asks.
    pub kind: ProbeKind,
    /// Wait after the container started.
    pub initial_delay: Span,
    /// Time between questions.
    pub period: Span,
    /// An answer later than this is a failure.
    pub timeout: Span,
    /// Successes in a row that count as healthy.
    pub success_threshold: u32,
    /// Failures in a row that count as unhealthy.
    pub failure_threshold: u32,
}

/// When an image is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// At each start (the default for `:latest`); layers already present cost nothing but a round trip.
    Always,
    /// Unless present.
    IfNotPresent,
    /// Never: absent is an error.
    Never,
}

/// What the agent does with a container that exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Restarts it.
    Always,
    /// Restarts it unless it succeeded.
    OnFailure,
    /// Leaves it.
    Never,
}

/// Affinity of a pod.
#[derive(Clone, Debug, Default)]
pub struct Affinity {
    /// Alternatives of which the node must satisfy one. Empty: no condition.
    pub node_required: Vec<NodeTerm>,
    /// Terms that add their weight to a node that satisfies them.
    pub node_preferred: Vec<Weighted<NodeTerm>>,
    /// Pods that must be near.
    pub pod_required: Vec<PodTerm>,
    /// Pods that must not be near.
    pub anti_required: Vec<PodTerm>,
    /// Pods that are better near.
    pub pod_preferred: Vec<Weighted<PodTerm>>,
    /// Pods that are better far.
    pub anti_preferred: Vec<Weighted<PodTerm>>,
}

/// Something with a weight of 1 to 100.
#[derive(Clone, Debug)]
pub struct Weighted<T> {
    /// 1 to 100.
    pub weight: i32,
    /// The thing.
    pub item: T,
}

/// A conjunction of conditions on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTerm {
    /// Conditions on labels.
    pub labels: Selector,
    /// Names of which the node must have one (`matchFields: metadata.name`). Empty: no condition.
    pub names: Vec<Symbol>,
    /// Names that the node must not have.
    pub not_names: Vec<Symbol>,
}

/// "Pods like these, counted over this topology."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodTerm {
    /// Which pods.
    pub selector: Selector,
    /// In which namespaces; never empty unless `all_namespaces`.
    pub namespaces: Vec<Symbol>,
    /// In every namespace.
    pub all_namespaces: bool,
    /// Node label whose values are the domains.
    pub topology_key: Symbol,
}

/// A taint that is tolerated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    /// Key; `None` tolerates every key.
    pub key: Option<Symbol>,
    /// Value that must be equal; `None` tolerates every value (`operator: Exists`).
    pub value: Option<Symbol>,
    /// Effect; `None` tolerates every effect.
    pub effect: Option<TaintEffect>,
    /// For a `NoExecute` taint: how long. `None`: for ever.
    pub seconds: Option<Span>,
}

impl Toleration {
    /// True when this toleration covers `taint`.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|e| e == taint.effect)
            && self.key.is_none_or(|k| k == taint.key)
            && self.value.is_none_or(|v| v == taint.value)
    }
}

/// How evenly pods like this one are spread over a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadConstraint {
    /// Largest allowed difference between a domain and the emptiest one.
    pub max_skew: i32,
    /// Node label whose values are the domains.
    pub topology_key: Symbol,
    /// Refuse or only prefer.
    pub when: WhenUnsatisfiable,
    /// Which pods of the namespace are counted.
    pub selector: Selector,
    /// With fewer eligible domains than this the smallest count is taken as 0.
    pub min_domains: Option<u32>,
    /// Whether nodes that the pod's node affinity excludes are left out (default yes).
    pub honor_affinity: bool,
    /// Whether nodes whose taints the pod does not tolerate are left out (default no).
    pub honor_taints: bool,
}

/// What a spread constraint does with a node that breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnsatisfiable {
    /// Filters it out.
    DoNotSchedule,
    /// Scores it lower.
    ScheduleAnyway,
}

/// A claim on a port of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Port number.
    pub port: u16,
    /// Protocol (`TCP`, `UDP`, `SCTP`).
    pub protocol: Symbol,
    /// Address; the empty symbol and `0.0.0.0` claim all addresses.
    pub ip: Symbol,
}
