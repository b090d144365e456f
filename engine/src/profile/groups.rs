//! Values of groups of replicas that are kept, moved and updated by one reconciler (Nomad's task groups).
//!
//! The decisions are in [`crate::rollout::deployment`] and [`crate::rollout::reschedule`], the mechanism is in
//! `control/groups`. A workload's own words ([`crate::model::Wishes`]) go before these. Start at [`GroupPolicy`].

use crate::model::{Growth, MigrateWish, RescheduleWish, UpdateWish};
use crate::time::Span;

/// How groups are treated when their workloads do not say so themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPolicy {
    /// How they move to a new template.
    pub update: UpdateRule,
    /// How they leave a node that is drained.
    pub migrate: MigrateRule,
    /// What becomes of failed replicas of workloads that run for ever.
    pub reschedule: RescheduleRule,
    /// What becomes of failed replicas of workloads that run to completion.
    pub reschedule_batch: RescheduleRule,
    /// From something that asks for a look until the look.
    pub evaluation: EvaluationWait,
    /// Whoever watches a deployment asks for a look this long after a replica's health changed.
    pub watcher_batch: Span,
    /// And it is written this much later, with what concerns other deployments.
    pub watcher_writes: Span,
    /// Until those who watch see what a client reported.
    pub news: Span,
    /// Whoever drains nodes marks replicas this long after something changed.
    pub drainer_batch: Span,
    /// A drain forces out what is left after this.
    pub drain_deadline: Span,
    /// A replica on a silent node counts as unknown for so long before it is given up; zero: it is given up at once.
    pub lost_after: Span,
}

/// How a group moves to a new template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateRule {
    /// Replicas in work at once; 0: all, and nobody watches.
    pub max_parallel: u32,
    /// New replicas beside all old ones before the update goes on.
    pub canary: u32,
    /// Healthy canaries let it go on by themselves.
    pub auto_promote: bool,
    /// A failed update turns back.
    pub auto_revert: bool,
    /// A replica counts as healthy after it has run for so long.
    pub min_healthy: Span,
    /// A replica that is not healthy by then has failed.
    pub healthy_deadline: Span,
    /// Without progress for so long the update has failed; zero: at the first failure.
    pub progress_deadline: Span,
}

/// How a group leaves a node that is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrateRule {
    /// Replicas that may be missing at once.
    pub max_parallel: u32,
    /// A replacement counts as healthy after it has run for so long.
    pub min_healthy: Span,
    /// One that is not healthy by then is unhealthy.
    pub healthy_deadline: Span,
}

/// What becomes of replicas that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescheduleRule {
    /// First wait before another one is placed.
    pub delay: Span,
    /// How waits grow.
    pub growth: Growth,
    /// Longest wait; zero: no bound.
    pub max_delay: Span,
    /// Times at most within the interval, unless without bound.
    pub attempts: u32,
    /// Times count for so long.
    pub interval: Span,
    /// Without bound.
    pub unlimited: bool,
}

/// How long an evaluation waits until a worker has decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationWait {
    /// Shortest and longest when the worker's server is up to date.
    pub usual: (Span, Span),
    /// Shortest and longest when it must first catch up.
    pub behind: (Span, Span),
    /// How many of a thousand must.
    pub behind_permille: u32,
}

impl UpdateRule {
    /// The rule with what a workload says itself.
    pub(crate) fn wished(self, wish: &UpdateWish) -> Self {
        Self {
            max_parallel: wish.parallelism.unwrap_or(self.max_parallel),
            canary: wish.canary.unwrap_or(self.canary),
            auto_promote: wish.auto_promote.unwrap_or(self.auto_promote),
            auto_revert: wish.auto_revert.unwrap_or(self.auto_revert),
            min_healthy: wish.min_healthy.unwrap_or(self.min_healthy),
            healthy_deadline: wish.healthy_deadline.unwrap_or(self.healthy_deadline),
            progress_deadline: wish.progress_deadline.unwrap_or(self.progress_deadline),
        }
    }
}

impl MigrateRule {
    /// The rule with what a workload says itself.
    pub(crate) fn wished(self, wish: &MigrateWish) -> Self {
        Self {
            max_parallel: wish.parallelism.unwrap_or(self.max_parallel),
            min_healthy: wish.min_healthy.unwrap_or(self.min_healthy),
            healthy_deadline: wish.healthy_deadline.unwrap_or(self.healthy_deadline),
        }
    }
}

impl RescheduleRule {
    /// The rule with what a workload says itself. Whoever bounds the attempts does not want them without bound.
    pub(crate) fn wished(self, wish: &RescheduleWish) -> Self {
        Self {
            delay: wish.delay.unwrap_or(self.delay),
            growth: wish.growth.unwrap_or(self.growth),
            max_delay: wish.max_delay.unwrap_or(self.max_delay),
            attempts: wish.attempts.unwrap_or(self.attempts),
            interval: wish.interval.unwrap_or(self.interval),
            unlimited: wish.unlimited.unwrap_or_else(|| self.unlimited && wish.attempts.is_none()),
        }
    }
}
