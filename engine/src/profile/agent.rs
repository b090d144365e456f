//! Values of the agent on each node.

use super::pressure;
use crate::time::Span;

/// Habits of the agent on each node.
#[derive(Clone, Debug)]
pub struct AgentPolicy {
    /// The runtime's events are noticed on this grid; zero means at once.
    pub relist: Span,
    /// Images on the node are reported on this grid.
    pub status_period: Span,
    /// States of pods are reported on this grid, all at once; zero means each at once.
    pub status_batch: Span,
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
    /// What it makes of the probes that templates declare.
    pub probes: Probing,
    /// What ran when its host went down is over: the control plane counts it as failed when the agent starts anew, instead
    /// of having the agent start it again.
    pub volatile: bool,
    /// What it does when memory or disk runs short, and which pods it refuses; `None`: it does not care.
    pub pressure: Option<pressure::PressurePolicy>,
}

/// What an agent makes of the probes that templates declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probing {
    /// It asks them, restarts or gives up what fails, and reports who is ready.
    Obeyed,
    /// It asks them and reports who is ready; nothing is stopped by it.
    Reported,
    /// It knows no probes: what runs is ready.
    Unknown,
    /// As obeyed, but what is asked counts as started whatever it answers: the first question comes so long after the start,
    /// or after the period if that is shorter, and within the initial delay failures do not count as long as none succeeded.
    Graced {
        /// From the start to the first question.
        first: Span,
    },
}
