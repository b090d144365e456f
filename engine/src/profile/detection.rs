//! Values of noticing that a node is dead.
//!
//! The mechanism is in `control/nodes.rs`. Start at [`Detection`].

use crate::time::Span;

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
