//! Values of scheduling by evaluations and plans (Nomad).
//!
//! The mechanism is in `control/evaluations`. Start at [`Evaluations`].

use crate::time::Span;

/// Jobs are evaluated by workers in parallel, whose plans one applier checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluations {
    /// Workers of all servers together.
    pub workers: u32,
    /// Attempts of one evaluation without progress before it is blocked.
    pub service_attempts: u32,
    /// The same for batch jobs.
    pub batch_attempts: u32,
    /// From an evaluation's creation until a worker plans, at least.
    pub dequeue: Span,
    /// And at most, when its server's state is up to date.
    pub dequeue_max: Span,
    /// Evaluations in thousandths that a server takes whose state is behind.
    pub behind: u32,
    /// How long such a server waits before it looks again; it may have to do so twice.
    pub behind_wait: Span,
}
