//! What the simulated world has planned. Start at [`Event`].

use shakedown_engine::fact::{Exit, FactId};
use shakedown_engine::ids::{FaultId, ImageId, NodeId, PodId, ServiceId, TrafficId};
use shakedown_engine::message::{Address, Message};

/// Identifies one plan: whoever made it keeps the newest stamp, and a plan with another one has been called off.
pub(crate) type Stamp = u64;

/// One container: its pod and its position among the pod's containers, init containers first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CellId {
    pub(crate) pod: PodId,
    pub(crate) cell: u8,
}

/// A message under way. Boxed, so that events stay small.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) message: Message,
    pub(crate) cause: FactId,
}

/// A plan.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message arrives.
    Deliver(Box<Letter>),
    /// Lookups that got lost are repeated.
    LookUpAgain,
    /// A host has booted.
    Booted { node: NodeId, stamp: Stamp },
    /// An agent that stops in good order has ended, unless its containers have not.
    AgentEnds { node: NodeId, fault: FaultId },
    /// A container's current work is done.
    Done { cell: CellId, stamp: Stamp },
    /// A container ends, whatever it does.
    End { cell: CellId, stamp: Stamp, why: Exit },
    /// A container hangs from now on.
    Hang { cell: CellId, stamp: Stamp },
    /// A host's containers hold so much that somebody must be told or killed.
    Memory { node: NodeId, stamp: Stamp },
    /// A probe asks.
    Ask { cell: CellId, probe: u8, stamp: Stamp },
    /// A probe has its answer.
    Answer { cell: CellId, probe: u8, stamp: Stamp, ok: bool },
    /// The registry answered a host.
    Registry { node: NodeId, image: ImageId, stamp: Stamp },
    /// The first of all transfers is complete.
    Transferred { stamp: Stamp },
    /// A heartbeat is due.
    BeatDue { node: NodeId, stamp: Stamp },
    /// A heartbeat arrives; `steady` when the following ones will, too.
    BeatArrives { node: NodeId, stamp: Stamp, steady: bool },
    /// An agent that was cut off tries again.
    Reconnect { node: NodeId, stamp: Stamp },
    /// Clients begin to act on another version of a service's endpoints.
    Flip { service: ServiceId, cause: FactId },
    /// The last client acts on a version.
    Seen { service: ServiceId, version: u32, cause: FactId },
    /// A node that came back has the same view as all others again.
    CaughtUp { node: NodeId, stamp: Stamp },
    /// A node that is out of reach leaves discovery.
    Absent { node: NodeId, stamp: Stamp },
    /// A node that had left discovery is back.
    Heard { node: NodeId, stamp: Stamp },
    /// A node that is cut off knows that it is alone, unless links have changed since.
    Alone { node: NodeId, epoch: u32, cause: FactId },
    /// Load balancers, or clients whose answers expire, have found something out.
    Checked { cause: FactId },
    /// Load on a service begins, ends, or feeds back on itself.
    Load { source: TrafficId },
    /// The load balancer asks a target.
    AskTarget { pod: PodId, stamp: Stamp },
    /// The load balancer changes its mind about a target.
    TargetVerdict { pod: PodId, stamp: Stamp, healthy: bool },
}
