//! Values of how a workload moves to a new template.
//!
//! The decisions are in [`crate::rollout`]. Start at [`Rollout`].

use crate::model::{Amount, UpdateWish};
use crate::time::Span;

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
    /// New replicas start beside the old ones up to a capacity, and each that is healthy ends an old one. It has no
    /// deadline and never turns back.
    Replace(super::ReplacePolicy),
    /// One reconciler keeps, moves and updates groups of numbered replicas.
    Groups(Box<super::GroupPolicy>),
    /// Counts are moved within percentages of the wanted number; when they leave no room, nothing moves.
    Percent {
        /// Replicas kept healthy, rounded up.
        min: u32,
        /// Replicas at most, rounded down.
        max: u32,
        /// When failures end it.
        breaker: Breaker,
    },
}

/// A pod that carries out a rollout step by step and turns back when it makes no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployer {
    /// Until it runs.
    pub start: Span,
    /// Wait between two steps.
    pub update_period: Span,
    /// It looks for the outcome of a step this often.
    pub interval: Span,
}

/// When failed replicas end a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// They do, where the workload says nothing.
    pub enabled: bool,
    /// Failures in thousandths of the wanted replicas, rounded up.
    pub share: u32,
    /// Not fewer than this.
    pub least: u32,
    /// Not more than this.
    pub most: u32,
    /// The rollout turns back.
    pub rollback: bool,
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
    /// Who takes the slots, and in which order.
    pub style: SlotStyle,
}

/// Who takes the slots of an update, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotStyle {
    /// As many workers as slots are in work: each takes another one, at random, as soon as it is done with its own.
    Workers,
    /// The same, by number.
    InOrder,
    /// So many at once: the next ones when all of these run. When all are new, people have to confirm it.
    Batches,
    /// People, by number: the orchestrator has no updates.
    ByHand,
}

impl SlotUpdate {
    /// The same where a workload wishes nothing else.
    pub fn wished(&self, wish: &UpdateWish) -> Self {
        Self {
            parallelism: wish.parallelism.unwrap_or(self.parallelism),
            delay: wish.delay.unwrap_or(self.delay),
            order: wish.order.unwrap_or(self.order),
            monitor: wish.monitor.unwrap_or(self.monitor),
            on_failure: wish.on_failure.unwrap_or(self.on_failure),
            max_failure: wish.max_failure.unwrap_or(self.max_failure),
            style: self.style,
        }
    }
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
