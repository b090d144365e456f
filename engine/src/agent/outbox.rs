//! Statuses on their way to the control plane, held back by the client's rate limit.
//!
//! Not the sender: [`super::desk::Desk`] sends. Start at [`Outbox`].

use crate::fact::FactId;
use crate::ids::PodId;
use crate::message::PodReport;
use crate::profile::RateLimit;
use crate::time::{Span, Time};

/// Statuses that wait, oldest first, at most one a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    queue: Vec<(PodId, PodReport, FactId)>,
    /// A timer will empty the queue.
    waiting: bool,
    /// When the token bucket is full again (a token bucket as one number: the generic cell rate algorithm).
    full: Time,
    /// When it was last recorded that statuses wait for long.
    complained: Option<Time>,
}

/// Only waits longer than this are worth a fact, and not more often than once in [`QUIET`].
const LONG: Span = Span::from_secs(1);
const QUIET: Span = Span::from_secs(60);

impl Outbox {
    /// Puts in a status. One of the same pod that still waits is replaced and keeps its place.
    pub(super) fn put(&mut self, pod: PodId, state: PodReport, cause: FactId) {
        match self.queue.iter_mut().find(|entry| entry.0 == pod) {
            Some(entry) => *entry = (pod, state, cause),
            None => self.queue.push((pod, state, cause)),
        }
    }

    /// Takes out the next status if the bucket has a token.
    pub(super) fn take(&mut self, now: Time, limit: RateLimit) -> Option<(PodId, PodReport, FactId)> {
        if self.queue.is_empty() || !self.token(now, limit) {
            return None;
        }
        Some(self.queue.remove(0))
    }

    /// When and because of what the next status can leave; `None` when nothing waits.
    pub(super) fn next(&self, limit: RateLimit) -> Option<(Time, FactId)> {
        let cause = self.queue.first()?.2;
        Some((self.full + token_time(limit) - token_time(limit).times(u64::from(limit.burst.max(1))), cause))
    }

    /// How long the newest status must wait, if that is worth mentioning.
    pub(super) fn complaint(&mut self, now: Time, limit: RateLimit) -> Option<Span> {
        let behind = token_time(limit).times(self.queue.len().saturating_sub(1) as u64);
        let wait = (self.next(limit)?.0 + behind).since(now);
        let quiet = self.complained.is_some_and(|at| now.since(at) < QUIET);
        if wait <= LONG || quiet {
            return None;
        }
        self.complained = Some(now);
        Some(wait)
    }

    /// Whether a timer is under way.
    pub(super) fn waits(&self) -> bool {
        self.waiting
    }

    /// Notes that a timer was ordered.
    pub(super) fn wait(&mut self) {
        self.waiting = true;
    }

    /// Notes that the timer came due.
    pub(super) fn woken(&mut self) {
        self.waiting = false;
    }

    fn token(&mut self, now: Time, limit: RateLimit) -> bool {
        if limit.qps == 0 {
            return true;
        }
        let full = self.full.max(now) + token_time(limit);
        let allowed = full.since(now) <= token_time(limit).times(u64::from(limit.burst.max(1)));
        if allowed {
            self.full = full;
        }
        allowed
    }
}

/// Time in which one token comes back.
fn token_time(limit: RateLimit) -> Span {
    Span::from_nanos(1_000_000_000 / u64::from(limit.qps.max(1)))
}
