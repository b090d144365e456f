//! Profiles: what makes one orchestrator differ from another, as data.
//!
//! A profile composes mechanisms that have code elsewhere; nobody branches on its name. Each value carries the source
//! it comes from in the file of its orchestrator and is overridable under the orchestrator's own flag name
//! (see [`flags`]). Start at [`Profile`].

mod autoscaling;
pub mod flags;
mod kubernetes;
pub mod machine;
mod nearest;
pub mod pressure;
mod schedulers;
pub mod storage;
mod swarm;
mod validate;

use crate::fact::Client;
use crate::model::Amount;
use crate::time::Span;

pub use autoscaling::{Autoscaling, Machines};
pub use schedulers::{
    DEFAULT_SCHEDULER, DefaultConstraint, PlacementArgs, PreemptionArgs, ResourceName, SchedulerProfile, ShapePoint,
};

/// One orchestrator.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name as given on the command line.
    pub name: &'static str,
    /// Release that the values are of.
    pub version: &'static str,
    /// Its own words for things.
    pub words: Words,
    /// Its scheduler is configured by `KubeSchedulerConfiguration` files.
    pub takes_scheduler_config: bool,
    /// Flags under which its values can be overridden.
    pub flags: &'static [flags::Flag],
    /// Store and clients.
    pub control: ControlPlane,
    /// Admission of pods to scheduling.
    pub queue: Queue,
    /// Choice of a node.
    pub placement: Placement,
    /// Further profiles of the scheduler, by the names that pods give.
    pub schedulers: Vec<SchedulerProfile>,
    /// Who notices a dead node, and when.
    pub detection: Detection,
    /// What an unhealthy node costs its pods.
    pub eviction: Eviction,
    /// How replicas are kept at their number.
    pub replication: Replication,
    /// What happens to a container that ends.
    pub restart: Restart,
    /// How a workload moves to a new template.
    pub rollout: Rollout,
    /// Habits of the agent on each node.
    pub agent: AgentPolicy,
    /// How clients find replicas.
    pub discovery: Discovery,
    /// How replicas follow a load; `None`: they do not.
    pub autoscaling: Option<Autoscaling>,
    /// How machines follow the pods that find no place; `None`: they do not.
    pub machines: Option<Machines>,
    /// How long storage takes.
    pub storage: storage::StoragePolicy,
}

/// An orchestrator's own words, for reports.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// A replica: `pod`, `task`, `allocation`.
    pub pod: &'static str,
    /// A workload: `deployment`, `service`, `job`.
    pub workload: &'static str,
    /// What an unhealthy node is called: `NotReady`, `Down`.
    pub unhealthy: &'static str,
}

/// The store and its clients.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// From a write's arrival until it is durable.
    pub store_write: Span,
    /// Writes a second that the store sustains; further ones queue.
    pub store_writes_per_second: u32,
    /// Events about one object that a controller posts in a burst, each a request of its client. 0: it posts none.
    pub event_burst: u32,
    /// From a write until a watcher has seen it.
    pub watch_lag: Span,
    /// Rate limit of each client, in the order of [`Client`].
    pub limits: [RateLimit; Client::COUNT],
    /// What it is made of.
    pub machine: machine::Machine,
}

impl ControlPlane {
    /// The limit of a client.
    pub fn limit(&self, client: Client) -> RateLimit {
        self.limits[client as usize]
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second in the long run. 0 means unlimited.
    pub qps: u32,
    /// Requests at once after a rest.
    pub burst: u32,
}

impl RateLimit {
    /// No limit.
    pub const UNLIMITED: Self = Self { qps: 0, burst: 0 };
}

/// The scheduling queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Wait after the first failed attempt; doubles each time.
    pub initial_backoff: Span,
    /// Longest wait between attempts.
    pub max_backoff: Span,
    /// Backed-off pods are released on this grid.
    pub flush_period: Span,
    /// Pods found unschedulable for longer than `unschedulable_timeout` are looked for on this grid.
    pub unschedulable_flush: Span,
    /// A pod found unschedulable is tried again after this without any event.
    pub unschedulable_timeout: Span,
    /// An idle scheduler takes pods before their back-off ends.
    pub pop_from_backoff: bool,
    /// What wakes a pod that found no node.
    pub wake: Wake,
}

/// What wakes a pod that found no node, before its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// An event that, as it is, can help against a filter that refused it.
    Hints,
    /// An event of a kind that can help against a filter that refused it.
    Kinds,
    /// Any event.
    Any,
    /// None: it is tried again when its back-off ends, whatever happens.
    Nothing,
}

/// How a node is chosen.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Conditions, in the order in which the first refusal is reported.
    pub filters: Vec<Filter>,
    /// Preferences and their weights.
    pub scores: Vec<(Score, i64)>,
    /// How many feasible nodes are looked for.
    pub sampling: Sampling,
    /// The best score, of whole numbers from 0 on: 100, and 10 before Kubernetes 1.17.
    pub max_score: i64,
    /// Which formula balanced allocation uses.
    pub balanced: Balanced,
    /// Spread constraints of pods that declare none and belong to a workload or service: topology label and largest skew.
    pub default_spread: Vec<(&'static str, i32)>,
    /// Time that one decision takes, whatever the cluster's size.
    pub decision_cost: Span,
    /// Time that each node looked at adds.
    pub decision_cost_per_node: Span,
    /// Arguments of filters, scores and preemption.
    pub args: PlacementArgs,
}

/// A condition that a node must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    /// Not cordoned.
    NodeUnschedulable,
    /// The node named by the pod.
    NodeName,
    /// No taint that the pod does not tolerate.
    TaintToleration,
    /// Node selector and required node affinity.
    NodeAffinity,
    /// Host ports are free.
    NodePorts,
    /// Requests fit into what is free.
    NodeResourcesFit,
    /// No disk is written twice on a node, and no claim for one pod is used by two.
    VolumeRestrictions,
    /// A node attaches no more volumes of a driver than it can.
    NodeVolumeLimits,
    /// Bound volumes can be reached, and unbound claims can be served.
    VolumeBinding,
    /// Bound volumes are of the node's zone.
    VolumeZone,
    /// Hard topology spread.
    PodTopologySpread,
    /// Required affinity and anti-affinity to pods.
    InterPodAffinity,
}

/// A preference among nodes. Each gives 0 to 100 after normalisation, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Fewest `PreferNoSchedule` taints not tolerated.
    TaintToleration,
    /// Preferred node affinity.
    NodeAffinity,
    /// Most free resources.
    LeastAllocated,
    /// Least free resources.
    MostAllocated,
    /// Use of resources, by a function of the profile's own (`PlacementArgs::shape`).
    RequestedToCapacityRatio,
    /// Evenest use of CPU and memory.
    BalancedAllocation,
    /// Soft topology spread.
    PodTopologySpread,
    /// Preferred affinity to pods.
    InterPodAffinity,
    /// Images already there.
    ImageLocality,
    /// Fewest pods of the same workload on the node and in its zone, the zone twice as heavy (before topology spread).
    SelectorSpread,
    /// Fewest pods of the same workload: minus the number, not normalised.
    FewestOfWorkload,
    /// Fewest pods: minus the number, not normalised.
    FewestPods,
}

/// How many feasible nodes are looked for before scoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Percentage of all nodes. 0: `max(min_percent, 50 - nodes / 125)`. 100: all.
    pub percent: u32,
    /// Least percentage when adaptive.
    pub min_percent: u32,
    /// Never fewer than this many.
    pub min_nodes: u32,
}

impl Sampling {
    /// Nodes to find among `nodes`.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/schedule_one.go, `numFeasibleNodesToFind`.
    pub fn wanted(self, nodes: u32) -> u32 {
        if nodes < self.min_nodes || self.percent >= 100 {
            return nodes;
        }
        let adaptive = 50u32.saturating_sub(nodes / 125).max(self.min_percent);
        let percent = if self.percent == 0 { adaptive } else { self.percent };
        let share = (u64::from(nodes) * u64::from(percent) / 100) as u32;
        share.max(self.min_nodes).min(nodes)
    }
}

/// Formulas of balanced allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balanced {
    /// Balance after placement (Kubernetes up to 1.35).
    After,
    /// Change of balance by the placement (Kubernetes from 1.36).
    Change,
    /// Plain difference of the shares after placement, as scoring counts requests (Kubernetes up to 1.22).
    Difference,
}

/// How the death of a node is noticed.
#[derive(Clone, Debug)]
pub struct Detection {
    /// Time between two heartbeats.
    pub heartbeat: Span,
    /// Each of them is longer or shorter by up to this much.
    pub heartbeat_jitter: Span,
    /// Silence that makes a node unhealthy.
    pub grace: Grace,
    /// Silence that makes a node unhealthy which never reported.
    pub startup_grace: Span,
    /// Silence is only looked for on this grid; zero means at once.
    pub monitor_period: Span,
    /// A node that joins is closed until its agent has reported it ready (admission plugin `TaintNodesByCondition`).
    pub taint_new_nodes: bool,
    /// From a new node's registration until its agent reports it ready.
    pub ready_after: Span,
}

/// How long silence is tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// So long.
    Fixed(Span),
    /// So many heartbeat periods, each as long as the node's newest one.
    Periods(u32),
}

/// What an unhealthy node costs its pods.
#[derive(Clone, Debug)]
pub enum Eviction {
    /// Nodes are tainted at a limited rate per zone; pods go when their toleration ends.
    Taints(TaintEviction),
    /// Pods are given up as soon as the node is unhealthy.
    AtOnce,
}

/// Rate-limited eviction by taints.
#[derive(Clone, Debug)]
pub struct TaintEviction {
    /// From unhealthy until the node is queued for its eviction taint.
    pub taint_delay: Span,
    /// Nodes per 1,000 s that are tainted in a normal zone.
    pub rate: u32,
    /// The same in a large zone with partial disruption.
    pub secondary_rate: u32,
    /// Unhealthy nodes in thousandths of a zone that make it partially disrupted.
    pub unhealthy_threshold: u32,
    /// Zones up to this size stop evicting when partially disrupted.
    pub large_zone: u32,
    /// Nodes that may be tainted at once after a rest.
    pub burst: u32,
    /// A zone's rate depends on how much of it is unhealthy; else all nodes count as one zone in its normal state.
    pub disruption_modes: bool,
    /// Pods of a node that does not answer are removed by force when their grace is over.
    pub force_after_grace: bool,
    /// How long pods tolerate the taint that do not say so themselves.
    pub default_toleration: Span,
    /// Recovered nodes lose their taint on this grid.
    pub recovery_period: Span,
    /// Pods whose node object was deleted are looked for on this grid; found ones are collected after a quarantine.
    pub garbage_period: Span,
}

/// How replicas are kept at their number.
#[derive(Clone, Debug)]
pub struct Replication {
    /// Creations or deletions in one pass over one revision.
    pub burst: u32,
    /// Creations go in batches of 1, 2, 4, … as long as all succeed.
    pub slow_start: bool,
    /// A replacement of a failed or lost replica does not start before this has passed.
    pub replacement_delay: Span,
    /// Surplus replicas are removed in this order.
    pub removal: Removal,
    /// Updates of replicas with names follow their `maxUnavailable`; else they go one by one.
    pub stateful_max_unavailable: bool,
}

/// Which surplus replicas go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Not running, not ready, crowded node, youngest by powers of two of the age (ReplicaSet's rank).
    Ranked,
    /// The same, youngest to the second (before Kubernetes 1.22).
    RankedExactly,
    /// From the node with most replicas of the workload, not running first.
    Crowded,
}

/// What happens to a container that ends.
#[derive(Clone, Debug)]
pub enum Restart {
    /// The agent restarts it in place, with growing waits.
    InPlace {
        /// First wait (the very first restart is immediate).
        initial: Span,
        /// Longest wait.
        max: Span,
        /// A container that ran this long starts again with the first wait.
        reset: Span,
    },
    /// The replica ends, and the control plane starts another, perhaps elsewhere.
    Replace {
        /// Replacements per slot at most; `None`: no bound.
        max_attempts: Option<u32>,
    },
}

/// How a workload moves to a new template when it does not say so itself.
#[derive(Clone, Debug)]
pub enum Rollout {
    /// Counts of old and new replicas are moved within a surge and an unavailability.
    Surge {
        /// Replicas above the wanted number.
        max_surge: Amount,
        /// Replicas below the wanted number.
        max_unavailable: Amount,
        /// Without progress for this long the rollout is reported as stalled.
        progress_deadline: Span,
        /// Old revisions kept for undo.
        history_limit: u32,
    },
    /// Slots are updated one by one by a number of workers.
    Slots(SlotUpdate),
}

/// Update slot by slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotUpdate {
    /// Slots in work at once; 0: all.
    pub parallelism: u32,
    /// Wait after each slot.
    pub delay: Span,
    /// What goes first in a slot.
    pub order: SlotOrder,
    /// A new replica that fails within this time after its start counts as a failed update.
    pub monitor: Span,
    /// What a failed update leads to.
    pub on_failure: FailureAction,
    /// Failed slots in thousandths of all that are tolerated.
    pub max_failure: u32,
}

/// What goes first when a slot is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotOrder {
    /// The old replica stops, then the new one starts.
    StopFirst,
    /// The new replica runs, then the old one stops.
    StartFirst,
}

/// What a failed update leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// The update stays where it is.
    Pause,
    /// The update goes on.
    Continue,
    /// The update turns back.
    Rollback,
}

/// Habits of the agent on each node.
#[derive(Clone, Debug)]
pub struct AgentPolicy {
    /// The runtime's events are noticed on this grid; zero means at once.
    pub relist: Span,
    /// Images on the node are reported on this grid.
    pub status_period: Span,
    /// First wait after a failed pull; doubles each time.
    pub pull_backoff: Span,
    /// Longest wait after a failed pull.
    pub pull_backoff_max: Span,
    /// Images are pulled one after the other.
    pub serialize_pulls: bool,
    /// Time between the polite and the forced stop when the pod does not say so.
    pub default_grace: Span,
    /// A container always has at least this between the polite and the forced stop, whatever its hook took.
    pub least_grace: Span,
    /// What it does when memory or disk runs short, and which pods it refuses; `None`: it does not care.
    pub pressure: Option<pressure::PressurePolicy>,
}

/// How clients find replicas.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// From a change of a pod until the control plane publishes it.
    pub publish_delay: Span,
    /// From publication until a node's proxy has it.
    pub lag: Span,
    /// A proxy programs its rules at most once in this time.
    pub proxy_sync: Span,
    /// How long clients keep a resolved name.
    pub dns_ttl: Span,
    /// Pods of an unhealthy node are taken out at detection, before any eviction.
    pub unready_on_unhealthy_node: bool,
    /// A controller of ingresses takes over new endpoints at most once in this time.
    pub ingress_sync: Span,
    /// Endpoints are kept in slices; `None`: in one list of those that get traffic.
    pub slices: Option<SlicePolicy>,
}

/// How endpoints are kept in slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePolicy {
    /// Endpoints in one slice at most.
    pub max_endpoints: u32,
    /// Services that are worked on at once.
    pub workers: u32,
    /// Wait after a pass that found its own last write missing in its cache; doubles each time.
    pub retry: Span,
    /// Longest such wait.
    pub retry_max: Span,
    /// Passes that fail in a row until the service is left alone until something else happens to it.
    pub retries: u32,
    /// A write comes back to its writer by its watch from so long before to so long after the answer to the write
    /// itself: both leave the server when the store has it, by different ways.
    pub echo: (Span, Span),
}

impl Profile {
    /// Names of all profiles, best known first.
    pub const NAMES: &'static [&'static str] = &["kubernetes", "swarm"];

    /// The profile called `name`, or `name@version` for one of [`Profile::releases`].
    pub fn named(name: &str) -> Option<Self> {
        match name.split_once('@') {
            Some(("kubernetes", version)) => kubernetes::releases::release(version),
            Some(_) => None,
            None => match name {
                "kubernetes" => Some(kubernetes::profile()),
                "swarm" => Some(swarm::profile()),
                _ => None,
            },
        }
    }

    /// Full names of the releases of a profile, newest first. Empty for a profile of one release.
    pub fn releases(name: &str) -> impl Iterator<Item = &'static str> {
        let all = if name == "kubernetes" { kubernetes::releases::RELEASES } else { &[] };
        all.iter().map(|(_, name)| *name)
    }

    /// All names that [`Profile::named`] knows: profiles first, then their releases.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().copied().chain(Self::NAMES.iter().flat_map(|name| Self::releases(name)))
    }

    /// The profile's name without its version: what settings and expectations for one orchestrator name.
    pub fn family(name: &str) -> &str {
        name.split_once('@').map_or(name, |(family, _)| family)
    }
}
