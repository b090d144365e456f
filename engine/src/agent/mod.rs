//! The node agent: kubelet, swarm agent, Nomad client. One state machine per node.
//!
//! It speaks with its control plane by messages and with its container runtime by orders and events, and with nobody
//! else. Everything inside is level-triggered: whatever arrives changes a container's slot, then `Pod::settle` (in `pod`)
//! starts, probes and reports what follows from the slots. It knows no faults and no other node, and a healthy pod
//! costs it nothing. Start at [`Agent`], then `lifecycle`.

mod counted;
mod desk;
mod docker;
mod images;
mod lifecycle;
mod machine;
mod outbox;
mod pod;
mod pressure;
mod probes;
mod pulling;
mod reconcile;
mod stopping;

#[cfg(test)]
mod tests;

pub use machine::Agent;

use crate::fact::{FactId, FactLog};
use crate::ids::PodId;
use crate::message::Order;
use crate::model::{Catalog, ProbeRole};
use crate::profile::Profile;
use crate::time::Time;

/// What an agent may see and where it leaves what it wants done.
pub struct Context<'a> {
    /// Now.
    pub now: Time,
    /// Templates and images.
    pub catalog: &'a Catalog,
    /// Whose habits it has.
    pub profile: &'a Profile,
    /// Orders to the world.
    pub orders: &'a mut Vec<Order>,
    /// What happened.
    pub facts: &'a mut FactLog,
    /// When [`Agent::timer`] is to be called, with which cause and which timer.
    pub timers: &'a mut Vec<(Time, FactId, AgentTimer)>,
}

/// A wish of an agent to be called. It may be outdated when it comes due; its stamp tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentTimer {
    stamp: u32,
    due: Due,
}

/// What a timer is for. Containers are numbered as in [`pod::Pod::slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Notice what the runtime reported.
    Relist,
    /// Send statuses that waited for the rate limit.
    Outbox,
    /// Report images.
    Images,
    /// Look at what the node has left.
    Look,
    /// Report the node's conditions.
    Conditions,
    /// End a pod that has run for too long.
    Deadline { pod: PodId },
    /// Pull again.
    Pull { pod: PodId },
    /// Start a container again.
    Restart { pod: PodId, slot: u8 },
    /// As many equal answers of a probe as its threshold asks for.
    Threshold { pod: PodId, slot: u8, role: ProbeRole },
}
