//! Rules about pods that are not part of a workload: budgets, quotas, admission, groups, reachability.

use crate::ids::{ServiceId, Symbol, WorkloadId};
use crate::labels::Selector;
use crate::model::{Amount, Resources, WorkloadKind};
use crate::time::Span;

/// How many of a set of pods may be away at once by voluntary disruptions.
#[derive(Clone, Debug)]
pub struct BudgetSpec {
    /// Name.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Which pods. `None`: none (`policy/v1`: an empty selector matches all of the namespace).
    pub selector: Option<Selector>,
    /// The bound.
    pub bound: BudgetBound,
    /// What an unhealthy pod may do.
    pub unhealthy: UnhealthyEviction,
}

/// A budget's bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetBound {
    /// So many stay healthy; a percentage rounds up.
    MinAvailable(Amount),
    /// So many may be away; a percentage rounds up.
    MaxUnavailable(Amount),
}

/// Whether running pods that are not ready may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnhealthyEviction {
    /// Only when the budget's pods are healthy enough without them.
    IfHealthyBudget,
    /// Always.
    AlwaysAllow,
}

/// A bound on what a namespace's pods request together.
#[derive(Clone, Debug)]
pub struct QuotaSpec {
    /// Name.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Most pods at once that have not ended.
    pub pods: Option<u32>,
    /// Sums of requests, for those that are bounded. Extended resources by name.
    pub requests: QuotaAmounts,
    /// Sums of limits.
    pub limits: QuotaAmounts,
    /// Which pods count.
    pub scopes: Vec<QuotaScope>,
}

/// Bounded amounts; `None` is unbounded, and only a bounded resource must be stated by each pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaAmounts {
    /// Thousandths of a core.
    pub cpu: Option<i64>,
    /// Bytes.
    pub memory: Option<i64>,
    /// Bytes.
    pub ephemeral: Option<i64>,
    /// Extended resources.
    pub extended: Vec<(Symbol, i64)>,
}

/// Which pods a quota counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaScope {
    /// Pods without any request or limit.
    BestEffort,
    /// Pods with some.
    NotBestEffort,
    /// Pods with an active deadline.
    Terminating,
    /// Pods without.
    NotTerminating,
    /// Pods of these priority classes.
    PriorityClass(Vec<Symbol>),
}

/// Pods that are placed together or not at all (`PodGroup` with a gang policy).
#[derive(Clone, Debug)]
pub struct GroupSpec {
    /// Name.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Fewest pods that must find a place together; 1 for the basic policy.
    pub min_count: u32,
}

/// A webhook that the API server asks before it stores an object.
#[derive(Clone, Debug)]
pub struct WebhookSpec {
    /// Name.
    pub name: Symbol,
    /// Asked on creation of pods.
    pub create_pods: bool,
    /// Asked on updates of pods, their bindings not among them.
    pub update_pods: bool,
    /// Asked on changes of these kinds of objects. A deployment's revisions are replica sets, a cron job's runs are jobs.
    pub workloads: Vec<WorkloadKind>,
    /// Asked on renewals of nodes' leases, which are their heartbeats.
    pub nodes: bool,
    /// It is registered only when its service has its first endpoint, as its installer does.
    pub after_service: bool,
    /// Namespaces in whose objects it is interested; empty: all but `exempt`.
    pub namespaces: Vec<Symbol>,
    /// Namespaces that it leaves alone.
    pub exempt: Vec<Symbol>,
    /// Only objects with these labels. `None`: all.
    pub objects: Option<Selector>,
    /// The service that answers; `None`: a URL outside the cluster, which always answers.
    pub service: Option<ServiceId>,
    /// How long the API server waits.
    pub timeout: Span,
    /// What happens without an answer.
    pub on_failure: WebhookFailure,
}

/// What happens to a request whose webhook does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFailure {
    /// The request is refused.
    Fail,
    /// The request goes on.
    Ignore,
}

/// Which pods may talk to which (`NetworkPolicy`).
#[derive(Clone, Debug)]
pub struct NetworkPolicySpec {
    /// Name.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Pods that it isolates.
    pub pods: Selector,
    /// Incoming traffic is closed but for these; `None`: not concerned with it.
    pub ingress: Option<Vec<PeerRule>>,
    /// Outgoing traffic is closed but for these; `None`: not concerned with it.
    pub egress: Option<Vec<PeerRule>>,
}

/// Allowed peers and ports; an empty list allows all.
#[derive(Clone, Debug, Default)]
pub struct PeerRule {
    /// Peers, alternatives.
    pub peers: Vec<Peer>,
    /// Ports, alternatives.
    pub ports: Vec<u16>,
}

/// A peer of a network policy.
#[derive(Clone, Debug)]
pub enum Peer {
    /// Pods of some namespaces.
    Pods {
        /// Namespaces by name; `None`: all namespaces.
        namespaces: Option<Vec<Symbol>>,
        /// Pods in them; `None`: all.
        pods: Option<Selector>,
    },
    /// Addresses outside the cluster. `0.0.0.0/0` is everybody.
    Block {
        /// CIDR as written.
        cidr: Symbol,
    },
}

/// A rule that brings traffic from outside to a service by host and path.
#[derive(Clone, Debug)]
pub struct IngressSpec {
    /// Name.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Host, path and backend, most specific path first. `None` for the backend: no such service is declared.
    pub rules: Vec<IngressRule>,
    /// What answers without a matching rule.
    pub default: Option<ServiceId>,
}

/// One rule of an ingress.
#[derive(Clone, Debug)]
pub struct IngressRule {
    /// Host; `None`: any.
    pub host: Option<Symbol>,
    /// Path prefix.
    pub path: Symbol,
    /// Backend.
    pub service: Option<ServiceId>,
}

/// Something that follows a load and changes a workload's replicas (`HorizontalPodAutoscaler`, autoscaling/v2).
#[derive(Clone, Debug)]
pub struct AutoscalerSpec {
    /// Name.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// What it scales; `None`: no such workload is declared (`FailedGetScale`).
    pub target: Option<WorkloadId>,
    /// As written, for messages.
    pub target_name: Symbol,
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// What it follows.
    pub metrics: Vec<MetricTarget>,
    /// No `behavior` is declared: one move at most doubles, and the highest recommendation of the cluster's window counts in
    /// both directions. `up` and `down` then hold tolerances alone.
    pub plain: bool,
    /// Habits when growing.
    pub up: ScalingRules,
    /// Habits when shrinking.
    pub down: ScalingRules,
}

/// A value that an autoscaler holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricTarget {
    /// CPU used, in percent of the requests.
    CpuUtilization(u32),
    /// CPU used per pod, in thousandths of a core.
    CpuAverage(i64),
    /// Memory used, in percent of the requests.
    MemoryUtilization(u32),
    /// Memory used per pod, in bytes.
    MemoryAverage(i64),
    /// Requests a second per pod, in thousandths (a `Pods` or `External` metric of that meaning).
    RequestsPerPod(i64),
    /// A metric that nobody serves here: always missing.
    Missing,
}

/// How fast an autoscaler moves in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalingRules {
    /// Looks back over so long and takes the calmest recommendation. [`Span::MAX`] on the way down: as long as the
    /// cluster is set to (`horizontal-pod-autoscaler-downscale-stabilization`).
    pub window: Span,
    /// Deviation in thousandths that is ignored; `None`: the cluster's own.
    pub tolerance: Option<u32>,
    /// Bounds of one move. Empty: the direction is disabled.
    pub policies: Vec<ScalingPolicy>,
    /// Of several policies the one that changes most counts; else the one that changes least.
    pub largest: bool,
}

/// A bound of an autoscaler's moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// A number of pods, or a percentage.
    pub amount: Amount,
    /// In so long.
    pub period: Span,
}

/// A group of equal machines that the cluster autoscaler adds and removes.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// Name.
    pub name: Symbol,
    /// Fewest machines.
    pub min: u32,
    /// Most machines; so many nodes of the catalog belong to the pool.
    pub max: u32,
    /// From the request until the machine runs its agent.
    pub boot: Span,
    /// What one machine can give, for the simulation of placements.
    pub allocatable: Resources,
}
