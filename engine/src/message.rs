//! What crosses the boundary between engine and world.
//!
//! An [`Order`] says what the engine wants done and leaves no choice; an [`Input`] says what came of it. Periodic
//! things that go well (heartbeats, passing probes) are *standing orders*: the world reports only when the run of
//! equal results begins, breaks or changes, so silence costs nothing. Start at [`OrderKind`] and [`InputKind`].

mod operation;

use std::sync::Arc;

use crate::fact::{Exit, FactId, Pressure};
use crate::ids::{AutoscalerId, ImageId, NodeId, PodId, ServiceId, TemplateId, ZoneId};
use crate::model::ProbeRole;
use crate::profile::Absence;
use crate::time::{Span, Time};

pub use operation::{Flood, Instances, Level, Operation, PartChange};

/// Something that the engine wants done.
#[derive(Clone, Debug)]
pub struct Order {
    /// The fact that led to it. The world passes it on to what comes of it.
    pub cause: FactId,
    /// What.
    pub kind: OrderKind,
}

/// Kinds of orders.
#[derive(Clone, Debug)]
pub enum OrderKind {
    /// Carry a message.
    Send {
        /// From whom.
        from: Address,
        /// To whom.
        to: Address,
        /// What.
        message: Message,
    },
    /// Carry heartbeats of a node to the control plane from now on, until its host goes down. Replaces an earlier one.
    Heartbeats {
        /// Whose.
        node: NodeId,
        /// Time between two.
        period: Span,
        /// Each period is longer or shorter by up to this much.
        jitter: Span,
        /// When the first one is due.
        first: Time,
        /// What an agent does after it could not deliver one.
        missed: Missed,
    },
    /// Tell every node and every outside client the new endpoints of a service.
    Publish(Publication),
    /// Do something with containers on a node.
    Runtime {
        /// Where.
        node: NodeId,
        /// What.
        op: RuntimeOp,
    },
    /// Say what a workload's pods use now: answered by [`InputKind::Measured`].
    Measure {
        /// For which autoscaler.
        autoscaler: AutoscalerId,
        /// Which pods.
        pods: Vec<PodId>,
    },
    /// Have the load balancer ask this pod from now on, or no more (`None`): answered by [`InputKind::Balanced`]
    /// whenever its verdict changes.
    Balance {
        /// Which pod.
        pod: PodId,
        /// How.
        check: Option<Check>,
    },
    /// Say what one gets who asks this node, each time that it changes; it is open at first.
    Knock {
        /// Which.
        node: NodeId,
    },
    /// Get a machine that is not there yet, or give one back. It runs its agent after `after`.
    Machine {
        /// Which.
        node: NodeId,
        /// Get or give back.
        wanted: bool,
        /// Time until its host runs.
        after: Span,
    },
}

/// How a load balancer asks a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Time between two questions.
    pub interval: Span,
    /// An answer may take so long.
    pub timeout: Span,
    /// Failures in a row that take it out.
    pub unhealthy_after: u32,
    /// Successes in a row that take it in again.
    pub healthy_after: u32,
    /// Good answers that take it in when it is new. 0: it counts as well before it was asked, and as long as it has not
    /// answered its first bad answer takes it out.
    pub first: u32,
    /// When all targets of a service have failed, all get traffic.
    pub fail_open: bool,
}

/// What an agent does after it could not deliver a heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// It goes on with the next one at its time.
    #[default]
    Next,
    /// It tries again until it gets through, and counts from there.
    Again,
}

/// What one gets who sends a node's agent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// An answer, sooner or later.
    Open,
    /// A refusal at once: the host is there and nobody listens.
    Refused,
    /// Word from the network that there is no such host, after it has looked for it: of one on the same wire.
    Unreachable,
    /// Nothing.
    Silent,
    /// Nothing either, but the connection stands: the process is there and does not run.
    Hung,
}

/// What one pod uses, as an agent measures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Whose.
    pub pod: PodId,
    /// CPU, thousandths of a core.
    pub cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Requests a second, in thousandths.
    pub requests: i64,
}

/// Who can send and receive messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// The control plane.
    Control,
    /// The agent of a node.
    Agent(NodeId),
}

/// A message between control plane and agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// To an agent: this pod is yours.
    Assign {
        /// Which.
        pod: PodId,
        /// What it is made of.
        template: TemplateId,
    },
    /// To an agent: stop this pod politely.
    Terminate {
        /// Which.
        pod: PodId,
        /// Time until it is stopped by force.
        grace: Span,
    },
    /// To an agent: all pods that the store has for you; stop whatever else you run.
    Snapshot {
        /// Pod, template, and the grace of those that must stop.
        pods: Vec<(PodId, TemplateId, Option<Span>)>,
    },
    /// To the control plane: the agent starts. Its node is to be part of the cluster, and it wants a snapshot.
    Register,
    /// To the control plane: the agent reconnected and wants a snapshot.
    Hello,
    /// To the control plane: state of a pod.
    Status {
        /// Which.
        pod: PodId,
        /// Its state.
        state: PodReport,
    },
    /// To the control plane: an image is no longer on the node.
    LostImage {
        /// Which.
        image: ImageId,
    },
    /// To the control plane: the node runs short of something, or no longer does.
    Pressure {
        /// Of what.
        pressure: Pressure,
        /// Whether it does.
        on: bool,
    },
    /// To the control plane: an image is now on the node.
    HasImage {
        /// Which.
        image: ImageId,
    },
}

/// What an agent reports of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodReport {
    /// Containers are being prepared.
    Starting,
    /// All containers run; `ready` is the outcome of the readiness probes.
    Running {
        /// Whether it may get traffic.
        ready: bool,
    },
    /// A container failed and waits for its restart.
    Failing,
    /// All containers ended and none is restarted.
    Finished {
        /// Whether all ended with code 0.
        success: bool,
        /// How and when it came to that.
        ending: Ending,
    },
    /// Stopped and cleaned up, as was asked.
    Terminated,
}

/// The end of a pod's containers, as its status has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When the last of them ended.
    pub at: Time,
    /// The first one that ended with another code than 0; of a success, the first one.
    pub container: u8,
    /// Its code.
    pub code: i32,
    /// The agent ended it for want of memory or disk (condition `DisruptionTarget`).
    pub evicted: bool,
}

/// New endpoints of a service, to be known everywhere as fast as the network and the proxies allow.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Of which service.
    pub service: ServiceId,
    /// Counts up by one for each publication of this service.
    pub version: u32,
    /// Pods that may receive traffic, in id order.
    pub endpoints: Arc<[PodId]>,
    /// Pods that are terminating but still answer, in id order: they get traffic while `endpoints` has none.
    pub draining: Arc<[PodId]>,
    /// For clients of which zone each of `endpoints` is meant; `None`: of all.
    pub hints: Option<Arc<[ZoneId]>>,
    /// Time from publication until a node's proxy has it, before its own sync.
    pub lag: Span,
    /// A proxy programs its rules at most once in this time; each node's phase differs.
    pub proxy_sync: Span,
    /// How long clients that resolve names keep an answer (matters for headless services).
    pub dns_ttl: Span,
    /// Whoever answers names asks for all records once in this time; zero: it is told of changes.
    pub name_poll: Span,
    /// A controller of ingresses takes over new endpoints at most once in this time.
    pub ingress_sync: Span,
    /// How endpoints on a node that nobody hears are taken out.
    pub absence: Absence,
}

/// Operations on containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeOp {
    /// Fetch an image.
    Pull {
        /// For which pod.
        pod: PodId,
        /// Which.
        image: ImageId,
        /// Fetch even if present (costs a round trip to the registry).
        always: bool,
    },
    /// Start a container; the first one of a pod also makes its sandbox.
    Start {
        /// Of which pod.
        pod: PodId,
        /// Template of the pod.
        template: TemplateId,
        /// Which container.
        container: ContainerRef,
    },
    /// Stop a container politely, its hook first, and by force after the grace, of which the hook's time is part.
    /// A second order with a shorter grace counts.
    Stop {
        /// Of which pod.
        pod: PodId,
        /// Which container.
        container: ContainerRef,
        /// Time until force.
        grace: Span,
        /// Its hook is cut off after this.
        hook: Span,
    },
    /// Ask a container periodically from `first` on, until it exits.
    Probe {
        /// Of which pod.
        pod: PodId,
        /// Which container: those that run side by side first, then init containers, of which only sidecars are probed.
        container: u8,
        /// Which of its probes.
        role: ProbeRole,
        /// When to ask first.
        first: Time,
    },
    /// Say when less than so much of something is available, now and each time it falls below again.
    Watch {
        /// Of what.
        signal: Signal,
        /// How much.
        below: Amount,
    },
    /// Say what is available and what each pod uses, now: answered by [`InputKind::Observed`].
    Observe,
    /// Delete an image that no container uses.
    RemoveImage {
        /// Which.
        image: ImageId,
    },
    /// Remove what is left of a pod whose containers all ended.
    Remove {
        /// Which.
        pod: PodId,
    },
}

/// A container of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerRef {
    /// One of `PodTemplate::init`.
    Init(u8),
    /// One of `PodTemplate::containers`.
    Main(u8),
}

/// Something that happened to the engine.
#[derive(Clone, Debug)]
pub struct Input {
    /// The fact that led to it.
    pub cause: FactId,
    /// What.
    pub kind: InputKind,
}

/// Kinds of inputs.
#[derive(Clone, Debug)]
pub enum InputKind {
    /// A message arrived.
    Delivered {
        /// From whom.
        from: Address,
        /// At whom.
        to: Address,
        /// What.
        message: Message,
    },
    /// The control plane's view of a node's heartbeats.
    Heartbeats {
        /// Whose.
        node: NodeId,
        /// What it sees.
        beats: Beats,
    },
    /// A host stopped, and its agent with it. The control plane does not learn of it: only what the agent had planned
    /// and had not noticed yet is void.
    HostDown {
        /// Which.
        node: NodeId,
    },
    /// A host runs and its agent starts with nothing but what is on disk.
    HostUp {
        /// Which.
        node: NodeId,
    },
    /// An agent that was cut off can reach the control plane again.
    Reconnected {
        /// Whose.
        node: NodeId,
    },
    /// Something happened to containers on a node, as its runtime reports.
    Runtime {
        /// Where.
        node: NodeId,
        /// What.
        event: RuntimeEvent,
    },
    /// An operator's command.
    Operator(Operation),
    /// What an agent sees of its node.
    Observed {
        /// Which.
        node: NodeId,
        /// What.
        stats: NodeStats,
    },
    /// The load balancer has changed its mind about a target.
    Balanced {
        /// Which pod.
        pod: PodId,
        /// Whether it gets traffic.
        healthy: bool,
    },
    /// A host's agent is told to stop in good order. A container engine stops its containers first; any other agent
    /// leaves them alone, and is not heard of until it is back.
    AgentStops {
        /// Whose.
        node: NodeId,
    },
    /// One who asks this node gets another answer from now on.
    Reach {
        /// Which.
        node: NodeId,
        /// What.
        reach: Reach,
    },
    /// What pods use; those that cannot be measured are missing.
    Measured {
        /// For which autoscaler.
        autoscaler: AutoscalerId,
        /// One entry a pod.
        usage: Vec<Usage>,
    },
}

/// So much of what there is of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Bytes.
    Bytes(i64),
    /// Thousandths of all there is.
    Permille(u32),
}

impl Amount {
    /// Bytes, when there are `all`.
    pub fn of(self, all: i64) -> i64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Permille(permille) => {
                i64::try_from(i128::from(all) * i128::from(permille) / 1000).unwrap_or(i64::MAX)
            }
        }
    }
}

/// What a node can run short of and an agent can look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Memory.
    Memory,
    /// Disk.
    Disk,
}

impl Signal {
    /// All of them, in order.
    pub const ALL: [Self; 2] = [Self::Memory, Self::Disk];
}

/// What an agent sees when it looks at its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStats {
    /// Bytes available, in the order of [`Signal::ALL`].
    pub available: [i64; 2],
    /// Bytes there are.
    pub capacity: [i64; 2],
    /// What each pod holds, in id order.
    pub pods: Vec<Footprint>,
}

/// What one pod holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Which.
    pub pod: PodId,
    /// Memory (working set), bytes.
    pub memory: i64,
    /// What it wrote to the node's disk, bytes.
    pub disk: i64,
}

/// A run of heartbeats, as the control plane receives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beats {
    /// One arrived now, and they go on arriving in time until further notice.
    Steady,
    /// One arrived now; nothing is promised about the next.
    Once {
        /// When that is due, as was agreed with this one.
        next: Time,
    },
    /// They have stopped arriving; the last one came at this time.
    Ceased {
        /// When the last one arrived.
        last: Time,
        /// When the one after it was due, as was agreed with it.
        next: Time,
    },
}

/// What a container runtime reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// An image arrived, or could not be fetched.
    Pulled {
        /// For which pod.
        pod: PodId,
        /// Which image.
        image: ImageId,
        /// Whether it is there now.
        ok: bool,
    },
    /// A container runs.
    Started {
        /// Of which pod.
        pod: PodId,
        /// Which.
        container: ContainerRef,
    },
    /// A container ended.
    Exited {
        /// Of which pod.
        pod: PodId,
        /// Which.
        container: ContainerRef,
        /// Why.
        why: Exit,
    },
    /// Less is available than the agent wanted to be told of.
    Short {
        /// Of what.
        signal: Signal,
    },
    /// A probe's answer now, and at each following period until further notice.
    Probed {
        /// Of which pod.
        pod: PodId,
        /// Which container.
        container: u8,
        /// Which probe.
        role: ProbeRole,
        /// The answer.
        ok: bool,
    },
}
