//! What facts say: subjects, notes, reasons and clients.
//!
//! Plain words that facts are made of. Append variants at the end; the order is part of the digest. Start at [`Note`].

use serde::{Deserialize, Serialize};

use crate::fact::Unsuitable;
use crate::ids::{
    AutoscalerId, BudgetId, ClaimId, GroupId, NodeId, PodId, PoolId, QuotaId, ServiceId, TrafficId, WebhookId,
    WorkloadId,
};
use crate::time::{Span, Time};

/// An object that a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// The cluster as a whole.
    Cluster,
    /// A node.
    Node(NodeId),
    /// A pod.
    Pod(PodId),
    /// A workload.
    Workload(WorkloadId),
    /// A service.
    Service(ServiceId),
    /// A claim.
    Claim(ClaimId),
    /// An autoscaler.
    Autoscaler(AutoscalerId),
    /// A budget.
    Budget(BudgetId),
    /// A webhook.
    Webhook(WebhookId),
    /// A group of pods.
    Group(GroupId),
    /// A group of machines.
    Pool(PoolId),
}

/// What is told about an object: the reasons of Kubernetes' events and conditions, under their own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Note {
    /// A pod waits for a claim that does not exist.
    ClaimNotFound,
    /// A claim waits for the first pod that uses it.
    WaitForFirstConsumer,
    /// A claim cannot get a volume: no class, an unknown class, or no volume fits.
    ProvisioningFailed,
    /// A volume is still attached to another node.
    MultiAttach,
    /// A pod waits for its volumes.
    FailedAttachVolume,
    /// A pod is held by a scheduling gate.
    SchedulingGated,
    /// A pod names a scheduler that does not exist.
    NoSuchScheduler,
    /// A pod waits for its group.
    WaitingForGroup,
    /// An autoscaler cannot find what it scales.
    FailedGetScale,
    /// An autoscaler has no metrics.
    FailedGetMetrics,
    /// Several budgets select one pod: it cannot be evicted.
    SeveralBudgets,
    /// A cron job's start was missed.
    MissSchedule,
    /// More than 100 starts were missed.
    TooManyMissedTimes,
    /// A cron job's former run has not ended.
    JobAlreadyActive,
    /// A stateful workload waits for a pod.
    WaitingForPod,
    /// A node's agent refused a pod that does not fit.
    OutOfResource,
    /// A node's agent evicted a pod to get resources back.
    Evicted,
    /// A container used more memory than it or its node has.
    OomKilled,
    /// A pod ran longer than it may.
    DeadlineExceeded,
    /// An admission webhook did not answer and its policy let the request go on.
    WebhookIgnored,
    /// The API server had no room for a request, which came again later.
    TooManyRequests,
    /// A watcher fell too far behind and lists everything anew.
    Relist,
    /// The store has no quorum: nothing can be written.
    NoQuorum,
    /// The store has a quorum again.
    QuorumBack,
    /// The cluster autoscaler will not help a pod: no group of machines fits it.
    NotTriggerScaleUp,
    /// The cluster autoscaler keeps a machine although it is empty enough.
    ScaleDownBlocked,
    /// A node is empty but for what stays: its drain is over.
    Drained,
    /// A node is unhealthy, and what it runs is not moved: nobody gives it up before the node is removed.
    NotRescheduled,
    /// A load balancer takes a replica in.
    TargetHealthy,
    /// A load balancer takes a replica out.
    TargetUnhealthy,
    /// A replica goes when the one that replaces it is ready.
    Superseded,
    /// A replica stays after all: what was to replace it is dropped.
    Reinstated,
    /// A replica ended or was lost and is not replaced: its restart policy says so, or its attempts are used up.
    NotRestarted,
    /// A node's labels were changed.
    Labelled,
    /// A task's node no longer meets the constraints of its service.
    ConstraintsUnmet,
    /// Tasks of a node that has been down for very long are given up for good.
    Orphaned,
    /// A task finds no node, and why, in Swarm's words.
    NoSuitableNode(Unsuitable),
    /// A replica is gone, and nobody replaces it.
    NotReplaced,
    /// A replica's containers have ended and nobody starts them again; it keeps its place.
    StaysDown,
    /// An update is made by people, replica by replica: the orchestrator has none.
    UpdatedByHand,
    /// All of an update is there; people have to confirm it, or to go back.
    AwaitsConfirmation,
    /// A silent node's connection is given up.
    Disconnected,
    /// The keys by which nodes are known expired while the store could not be written.
    PresenceExpired,
    /// A version failed before, and its next launch waits.
    LaunchDelayed,
    /// A launched task does not run in time and is killed.
    LaunchOverdue,
    /// A silent node may not be called unreachable yet: only so many may in a time.
    RemovalRateLimited,
    /// A task's node is unreachable and another takes its place, but it would count again if it came back.
    UnreachableInactive,
    /// No node has room for it, and it is refused for good.
    NoResourcesAvailable,
    /// It is to be moved, and no other node will have it; nobody tries again.
    FailedToReschedule,
    /// It was moved but not started, since it did not run where it was.
    CreatedNotStarted,
    /// It was moved while its node was gone, so this one is removed.
    DuplicateRemoved,
    /// The orchestrator knows no update: a client makes its containers anew, one after the other.
    RecreatedByHand,
    /// A replica has run for long enough to count as healthy.
    Healthy,
    /// A replica of an update failed or was not healthy in time.
    Unhealthy,
    /// Canaries are taken for good.
    Promoted,
    /// An update failed: a replica was unhealthy.
    UnhealthyAllocations,
    /// An update failed: no replica became healthy in time.
    ProgressDeadline,
    /// A failed replica is placed anew later.
    RescheduledLater,
    /// A failed replica has used up its attempts and is not placed anew.
    RescheduledNever,
    /// A replica's node is silent, and it is not given up yet.
    Unknown,
    /// A replica that was unknown is back with its node.
    Reconnected,
    /// A replica ended too often and is not replaced any more.
    GivenUp,
    /// Too many new replicas failed: the rollout is over.
    CircuitBreaker,
    /// Nobody hears a node any more: what is on it is hidden from clients.
    OutOfDiscovery,
    /// A node that was hidden from clients is back.
    BackInDiscovery,
}

/// What a node runs short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pressure {
    /// Memory.
    Memory,
    /// Disk.
    Disk,
    /// Process ids.
    Pid,
}

/// Why the API server refused to create a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refused {
    /// A quota of the namespace is used up.
    Quota {
        /// Which.
        quota: QuotaId,
    },
    /// It asks for less or more than the namespace allows.
    LimitRange,
    /// A webhook did not answer and its policy is to refuse.
    Webhook {
        /// Which.
        webhook: WebhookId,
    },
    /// The object is not valid.
    Invalid,
}

/// Why a job gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobFailure {
    /// More failures than it tolerates (`BackoffLimitExceeded`).
    BackoffLimit,
    /// It ran for too long (`DeadlineExceeded`).
    Deadline,
    /// A rule of its failure policy says so (`PodFailurePolicy`).
    FailurePolicy,
    /// Indexes failed (`FailedIndexes`, `MaxFailedIndexesExceeded`).
    FailedIndexes,
}

/// A part of the control plane that runs once, by election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Component {
    /// The store's own leader.
    Store,
    /// The API server (all instances).
    ApiServer,
    /// The scheduler.
    Scheduler,
    /// The controllers.
    Controllers,
    /// Managers that do everything in one process, or a whole control plane.
    Manager,
}

/// What the clients of one source saw over one interval, in thousandths of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficSlice {
    /// Which source.
    pub source: TrafficId,
    /// To which service.
    pub service: ServiceId,
    /// Start of the interval.
    pub since: Time,
    /// Requests that users made.
    pub requests: u64,
    /// Requests answered well and in time, retries included.
    pub good: u64,
    /// Requests answered, but later than the objective.
    pub slow: u64,
    /// Requests that failed because nothing answered before the time-out.
    pub timed_out: u64,
    /// Requests refused at once: no endpoint, or nothing listens.
    pub refused: u64,
    /// Requests answered with an error by a bad version.
    pub errors: u64,
    /// Attempts, retries included.
    pub attempts: u64,
    /// Attempts sent to an endpoint that was no longer serving.
    pub stale: u64,
    /// Requests answered by each version: attempts that reached a revision newer than the first.
    pub on_new_revision: u64,
    /// Mean latency of answered requests.
    pub latency: Span,
}

/// A property that is checked while a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Property {
    /// No node holds pods whose requests exceed what it can give. Subject: the node.
    NoOvercommit,
    /// Every wanted replica runs, is being started, or is pending with a reason. Subject: the workload.
    NoLostPod,
    /// After the last fault is lifted, everything wanted runs within the bound. Subject: the workload.
    Converges,
}

/// State of a failure domain, as the eviction limiter sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZoneState {
    /// Few or no nodes are unhealthy.
    Normal,
    /// Many nodes are unhealthy.
    Partial,
    /// All nodes are unhealthy.
    Full,
}

/// Why a pod was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    /// Its node was unhealthy for too long.
    NodeLost,
    /// Its node was drained.
    Drained,
    /// Fewer replicas are wanted.
    ScaledDown,
    /// A newer revision takes its place.
    RolledOut,
    /// Somebody deleted it by hand, or the experiment did.
    Operator,
    /// It failed and is replaced elsewhere.
    Failed,
    /// Its node does not exist any more, or the object was orphaned.
    GarbageCollected,
    /// A pod of higher priority took its place.
    Preempted,
    /// It does not tolerate a taint of its node, or not for longer.
    Tainted,
    /// Its workload was deleted.
    WorkloadDeleted,
    /// Its node ran short of memory or disk.
    NodePressure,
    /// Its load balancer found it unhealthy.
    TargetUnhealthy,
    /// The replica that it was to replace is back.
    Unneeded,
    /// Its node no longer meets its constraints.
    Rejected,
}

/// Why a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It finished with code 0.
    Completed,
    /// It crashed.
    Crashed,
    /// It used more memory than it may.
    OutOfMemory,
    /// It was asked to stop and did.
    Stopped,
    /// It did not stop in time and was killed.
    Killed,
    /// Its host went down.
    HostLost,
    /// It ended by itself with a code that is not 0.
    Failed {
        /// The code.
        code: i32,
    },
}

impl Exit {
    /// The code with which its process ended: 128 and the signal's number for one that was killed by a signal.
    pub const fn code(self) -> i32 {
        match self {
            Self::Completed => 0,
            Self::Crashed => 1,
            Self::OutOfMemory | Self::Killed | Self::HostLost => 137,
            Self::Stopped => 143,
            Self::Failed { code } => code,
        }
    }
}

/// A client of the control plane's store, each with its own rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Client {
    /// The scheduler.
    Scheduler,
    /// The controller of revisions (ReplicaSets).
    Replication,
    /// The controller of workloads (Deployments).
    Rollout,
    /// The controller of node health.
    NodeHealth,
    /// The controller that evicts pods of tainted nodes.
    Eviction,
    /// The controller of endpoints.
    Endpoints,
    /// The collector of orphaned pods.
    Garbage,
    /// The controller of StatefulSets.
    Stateful,
    /// The controller of DaemonSets.
    Daemon,
    /// The controller of Jobs.
    Job,
    /// The controller of CronJobs.
    Cron,
    /// The controller of autoscalers.
    Autoscaler,
    /// The controller of disruption budgets.
    Disruption,
    /// The controllers of volumes and claims.
    Volumes,
    /// The cluster autoscaler.
    Pools,
    /// People and their tools.
    Operator,
    /// A node's agent.
    Agent,
}

impl Client {
    /// How many there are.
    pub const COUNT: usize = Self::Agent as usize + 1;

    /// Those of the controllers, which run in one process and each have the limits of that process.
    pub const CONTROLLERS: [Self; 13] = [
        Self::Replication,
        Self::Rollout,
        Self::NodeHealth,
        Self::Eviction,
        Self::Endpoints,
        Self::Garbage,
        Self::Stateful,
        Self::Daemon,
        Self::Job,
        Self::Cron,
        Self::Autoscaler,
        Self::Disruption,
        Self::Volumes,
    ];
}
