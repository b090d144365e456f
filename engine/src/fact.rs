//! Facts: what happened, when, and because of what.
//!
//! Everything that a report or a property may know is a fact. A fact names the fact that caused it, so "why" is a
//! walk up a chain. The log rolls a digest over the canonical bytes of every fact. Start at [`FactKind`].

mod unsuitable;
mod words;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::ids::{
    AutoscalerId, BudgetId, ClaimId, FaultId, ImageId, NodeId, PodId, PoolId, RevisionId, ServiceId, VolumeId,
    WebhookId, WorkloadId, ZoneId,
};
use crate::model::ProbeRole;
use crate::time::{Span, Time};

pub use unsuitable::Unsuitable;
pub use words::{
    Client, Component, Deletion, Exit, JobFailure, Note, Pressure, Property, Refused, Subject, TrafficSlice, ZoneState,
};

/// The position of a fact in the log. 0 means "no cause": the first fact has number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FactId(pub u32);

impl FactId {
    /// No fact.
    pub const NONE: Self = Self(0);
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its position.
    pub id: FactId,
    /// When.
    pub at: Time,
    /// What led to it, [`FactId::NONE`] when nothing did.
    pub cause: FactId,
    /// What.
    pub kind: FactKind,
}

/// Everything that can happen. Append variants at the end of their group; the order is part of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactKind {
    // The experiment.
    /// A fault or a scripted operation took effect on its targets.
    FaultApplied {
        /// Which entry of the timeline.
        fault: FaultId,
        /// How many targets it hit.
        targets: u32,
    },
    /// A fault ended.
    FaultLifted {
        /// Which entry of the timeline.
        fault: FaultId,
    },
    /// A property was broken.
    Violated {
        /// Which one.
        property: Property,
        /// The pod, node or workload number concerned, as the property defines.
        subject: u32,
    },

    // Ground truth about hosts, which the control plane does not see.
    /// A host stopped: power, kernel, or the machine is gone.
    HostDown {
        /// Which.
        node: NodeId,
    },
    /// A host is running again, its agent starting.
    HostUp {
        /// Which.
        node: NodeId,
    },

    // The control plane's opinion of nodes.
    /// A node registered or became usable for the first time.
    NodeRegistered {
        /// Which.
        node: NodeId,
    },
    /// The control plane noticed that a node is not healthy: detection.
    NodeUnhealthy {
        /// Which.
        node: NodeId,
        /// When it was last heard.
        last_heard: Time,
    },
    /// The control plane sees it healthy again.
    NodeHealthy {
        /// Which.
        node: NodeId,
    },
    /// Pods that do not tolerate it are about to be evicted.
    NodeEvicting {
        /// Which.
        node: NodeId,
    },
    /// Eviction called off.
    NodeEvictionCancelled {
        /// Which.
        node: NodeId,
    },
    /// Closed for new pods.
    NodeCordoned {
        /// Which.
        node: NodeId,
    },
    /// Open for new pods again.
    NodeUncordoned {
        /// Which.
        node: NodeId,
    },
    /// The node object is gone: deleted by hand, or by a cloud that knows that the machine is.
    NodeRemoved {
        /// Which.
        node: NodeId,
    },
    /// Somebody set or removed a taint.
    NodeTainted {
        /// Which.
        node: NodeId,
    },
    /// The rate at which a zone's nodes may be evicted changed.
    ZoneDisruption {
        /// Which zone.
        zone: ZoneId,
        /// Its state.
        state: ZoneState,
    },
    /// A node's agent reports that something runs short, or no longer does.
    NodePressure {
        /// Which.
        node: NodeId,
        /// What runs short.
        pressure: Pressure,
        /// Whether it does.
        on: bool,
    },

    // Pods, as the control plane's store has them.
    /// A pod object exists.
    PodCreated {
        /// Which.
        pod: PodId,
        /// Of which workload.
        workload: WorkloadId,
        /// Of which version.
        revision: RevisionId,
    },
    /// The scheduler found no node. Recorded when the reason changes, not at each attempt.
    PodUnschedulable {
        /// Which.
        pod: PodId,
        /// Nodes that lacked a resource.
        insufficient: u32,
        /// Nodes refused for any other reason.
        refused: u32,
    },
    /// A node was chosen and the store agreed.
    PodBound {
        /// Which.
        pod: PodId,
        /// Where.
        node: NodeId,
    },
    /// Deletion was asked for; the pod no longer counts as a replica.
    PodDeleting {
        /// Which.
        pod: PodId,
        /// Why.
        why: Deletion,
    },
    /// The object is gone.
    PodDeleted {
        /// Which.
        pod: PodId,
    },
    /// The store has it as ready.
    PodReady {
        /// Which.
        pod: PodId,
    },
    /// The store has it as not ready any more.
    PodUnready {
        /// Which.
        pod: PodId,
    },
    /// It ended and will not be restarted.
    PodFailed {
        /// Which.
        pod: PodId,
    },
    /// All its containers ended well and none is restarted.
    PodSucceeded {
        /// Which.
        pod: PodId,
    },
    /// Pods of lower priority make room for it on this node.
    PodNominated {
        /// Which.
        pod: PodId,
        /// Where it is expected to go.
        node: NodeId,
    },
    /// A pod is given a mark that says why it is about to end (condition `DisruptionTarget`).
    PodDisrupted {
        /// Which.
        pod: PodId,
        /// Why.
        why: Deletion,
    },
    /// The API server refused to create a replica.
    CreationRefused {
        /// Of which workload.
        workload: WorkloadId,
        /// Why.
        why: Refused,
    },
    /// The API server refused an eviction: the pod's budget is used up.
    EvictionRefused {
        /// Of which pod.
        pod: PodId,
        /// Which budget.
        budget: BudgetId,
    },
    /// A budget's counts changed.
    BudgetChanged {
        /// Which.
        budget: BudgetId,
        /// Disruptions allowed now.
        allowed: u32,
        /// Healthy pods.
        healthy: u32,
        /// Healthy pods that it wants.
        desired: u32,
    },

    // Containers, as the node knows them (ground truth).
    /// All images of the pod are on the node.
    PodPulled {
        /// Which.
        pod: PodId,
    },
    /// A pull failed; the agent backs off.
    PullFailed {
        /// Which pod.
        pod: PodId,
        /// Which image.
        image: ImageId,
    },
    /// A container runs.
    ContainerStarted {
        /// Of which pod.
        pod: PodId,
        /// Which of its containers.
        container: u8,
        /// How often it was restarted before.
        restarts: u32,
    },
    /// A container ended.
    ContainerExited {
        /// Of which pod.
        pod: PodId,
        /// Which of its containers.
        container: u8,
        /// Why.
        why: Exit,
    },
    /// The agent waits before it starts a container again.
    CrashLoop {
        /// Of which pod.
        pod: PodId,
        /// Which of its containers.
        container: u8,
        /// How long it waits.
        wait: Span,
    },
    /// A probe crossed its failure threshold.
    ProbeFailed {
        /// Of which pod.
        pod: PodId,
        /// Which of its containers.
        container: u8,
        /// Which probe.
        role: ProbeRole,
    },
    /// The agent's own view of readiness changed to ready.
    AgentReady {
        /// Which pod.
        pod: PodId,
    },
    /// The agent's own view of readiness changed to not ready.
    AgentUnready {
        /// Which pod.
        pod: PodId,
    },

    // Workloads.
    /// A workload exists.
    WorkloadCreated {
        /// Which.
        workload: WorkloadId,
    },
    /// A workload was removed.
    WorkloadDeleted {
        /// Which.
        workload: WorkloadId,
    },
    /// The wanted number of replicas changed.
    Scaled {
        /// Which.
        workload: WorkloadId,
        /// From.
        from: u32,
        /// To.
        to: u32,
    },
    /// A version of a workload came to be.
    RevisionCreated {
        /// Of which workload.
        workload: WorkloadId,
        /// Which.
        revision: RevisionId,
    },
    /// A rollout towards a revision began.
    RolloutStarted {
        /// Of which workload.
        workload: WorkloadId,
        /// To which version.
        revision: RevisionId,
    },
    /// A revision's wanted replicas changed: one step of a rollout or a scaling.
    RevisionScaled {
        /// Which.
        revision: RevisionId,
        /// From.
        from: u32,
        /// To.
        to: u32,
    },
    /// All replicas are of the new revision and available.
    RolloutCompleted {
        /// Of which workload.
        workload: WorkloadId,
        /// To which version.
        revision: RevisionId,
    },
    /// No progress within the deadline.
    RolloutStalled {
        /// Of which workload.
        workload: WorkloadId,
        /// To which version.
        revision: RevisionId,
    },
    /// Held, by an operator or by the failure action.
    RolloutPaused {
        /// Of which workload.
        workload: WorkloadId,
    },
    /// Goes on.
    RolloutResumed {
        /// Of which workload.
        workload: WorkloadId,
    },
    /// Turned back to an older revision, by an operator or by the failure action.
    RolloutUndone {
        /// Of which workload.
        workload: WorkloadId,
        /// To which version.
        revision: RevisionId,
    },

    // Jobs; each run of a cron job is a revision.
    /// A job has all its successes.
    JobCompleted {
        /// Which workload.
        workload: WorkloadId,
        /// Which run.
        revision: RevisionId,
    },
    /// A job gave up.
    JobFailed {
        /// Which workload.
        workload: WorkloadId,
        /// Which run.
        revision: RevisionId,
        /// Why.
        why: JobFailure,
    },

    // Storage.
    /// A claim has its volume.
    ClaimBound {
        /// Which claim.
        claim: ClaimId,
        /// Which volume.
        volume: VolumeId,
    },
    /// A volume can be mounted on a node.
    VolumeAttached {
        /// Which.
        volume: VolumeId,
        /// Where.
        node: NodeId,
    },
    /// It no longer can.
    VolumeDetached {
        /// Which.
        volume: VolumeId,
        /// Where.
        node: NodeId,
        /// Nobody confirmed that the node had let go of it.
        forced: bool,
    },

    // Scaling.
    /// An autoscaler asks for other replicas.
    AutoscalerMoved {
        /// Which.
        autoscaler: AutoscalerId,
        /// From.
        from: u32,
        /// To.
        to: u32,
    },
    /// The cluster autoscaler asks for other machines.
    PoolScaled {
        /// Which group.
        pool: PoolId,
        /// From.
        from: u32,
        /// To.
        to: u32,
    },

    // Discovery.
    /// A pod may receive traffic of a service, as the control plane publishes it.
    EndpointAdded {
        /// Of which service.
        service: ServiceId,
        /// Which pod.
        pod: PodId,
    },
    /// A pod may not receive traffic any more, as the control plane publishes it.
    EndpointRemoved {
        /// Of which service.
        service: ServiceId,
        /// Which pod.
        pod: PodId,
    },
    /// What the slices say of an endpoint, where they say more than whether it gets traffic.
    EndpointConditions {
        /// Of which service.
        service: ServiceId,
        /// Which pod.
        pod: PodId,
        /// Its slice, counted per service.
        slice: u32,
        /// Whether it gets traffic.
        ready: bool,
        /// Whether it would answer.
        serving: bool,
        /// Whether its deletion has begun.
        terminating: bool,
    },
    /// The last connected client acts on this version of a service's endpoints.
    EndpointsSeen {
        /// Of which service.
        service: ServiceId,
        /// Which version.
        version: u32,
    },
    /// A pod that got no traffic any more has left the slices.
    EndpointGone {
        /// Of which service.
        service: ServiceId,
        /// Which pod.
        pod: PodId,
    },

    // Load, integrated between changes.
    /// What the clients of one source saw from `since` until this fact's time.
    Traffic(TrafficSlice),

    // Limits that made somebody wait.
    /// A client of the control plane waited for its rate limit for longer than a second; at most one a minute, and one
    /// more each time the wait has doubled.
    Throttled {
        /// Which client.
        client: Client,
        /// How long its newest request must wait.
        wait: Span,
    },
    /// All faults are lifted and nothing is left to do.
    Converged,

    // The control plane itself.
    /// A component has no leader: nobody does its work.
    LeaderLost {
        /// Which.
        component: Component,
    },
    /// A component has a leader again, which begins with what the store has.
    LeaderElected {
        /// Which.
        component: Component,
    },
    /// Something that an orchestrator tells about an object, as an event with a reason.
    Noted {
        /// About what.
        subject: Subject,
        /// What.
        note: Note,
    },
    /// The API server refused to change a workload, or an object that a controller keeps for it.
    ChangeRefused {
        /// Which workload.
        workload: WorkloadId,
        /// Why.
        why: Refused,
    },
    /// A webhook does not answer, so that no node can renew its lease; or it answers again.
    LeasesRefused {
        /// Which webhook.
        webhook: WebhookId,
        /// Whether it begins or ends.
        on: bool,
    },
}

/// Collects facts, numbers them and rolls the digest.
#[derive(Clone)]
pub struct FactLog {
    facts: Vec<Fact>,
    next: u32,
    hasher: Xxh3,
    scratch: Vec<u8>,
}

impl FactLog {
    /// An empty log.
    pub fn new() -> Self {
        Self { facts: Vec::new(), next: 1, hasher: Xxh3::new(), scratch: Vec::with_capacity(128) }
    }

    /// Records what happened and returns its id.
    pub fn record(&mut self, at: Time, cause: FactId, kind: FactKind) -> FactId {
        let id = FactId(self.next);
        self.next = self.next.checked_add(1).expect("a run records fewer than 2^32 facts");
        let fact = Fact { id, at, cause, kind };
        self.scratch.clear();
        let buffer = std::mem::take(&mut self.scratch);
        self.scratch = postcard::to_extend(&fact, buffer).expect("a fact is plain data and always encodes");
        self.hasher.update(&self.scratch);
        self.facts.push(fact);
        id
    }

    /// The facts so far, in order.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// How many facts were recorded.
    pub fn count(&self) -> u32 {
        self.next - 1
    }

    /// The digest over all facts so far.
    pub fn digest(&self) -> Digest {
        Digest(self.hasher.digest128())
    }

    /// Takes the facts out.
    pub fn into_facts(self) -> Vec<Fact> {
        self.facts
    }
}

impl Default for FactLog {
    fn default() -> Self {
        Self::new()
    }
}

/// A fingerprint of everything that happened in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub u128);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
