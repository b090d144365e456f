//! Versions that failed are launched again after a wait that grows.
//!
//! Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/launchqueue/impl/RateLimiter.scala and
//! core/task/update/impl/steps/NotifyRateLimiterStepImpl.scala. Start at [`Delays::failed`].

use std::collections::BTreeMap;

use crate::control::{Control, Cx};
use crate::ids::{PodId, RevisionId};
use crate::profile::LaunchBackoff;
use crate::time::{Span, Time};

/// Waits of versions.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays(BTreeMap<RevisionId, Delay>);

/// The wait of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Delay {
    /// The last failure or launch: the wait begins here.
    since: Time,
    wait: Span,
}

impl Delays {
    /// A task of a version has ended by itself: well or not, that counts.
    pub(super) fn failed(&mut self, revision: RevisionId, now: Time, backoff: &LaunchBackoff) {
        let former = self.0.get(&revision).filter(|d| now <= d.since + backoff.max);
        let wait = backoff.next(former.map(|d| d.wait));
        self.0.insert(revision, Delay { since: now, wait });
    }

    /// A task of a version was launched or runs: the present wait begins anew.
    pub(super) fn advanced(&mut self, revision: RevisionId, now: Time, backoff: &LaunchBackoff) {
        let Some(delay) = self.0.get_mut(&revision) else { return };
        if now > delay.since + backoff.max {
            self.0.remove(&revision);
        } else {
            delay.since = now;
        }
    }

    /// A deployment begins: what was is forgotten.
    pub(super) fn reset(&mut self, revision: RevisionId) {
        self.0.remove(&revision);
    }

    /// Until when a version is not launched.
    pub(super) fn held_until(&self, revision: RevisionId, now: Time) -> Option<Time> {
        self.0.get(&revision).map(|d| d.since + d.wait).filter(|until| *until > now)
    }
}

impl Control {
    /// A task has ended by itself.
    pub(in crate::control) fn delay_launches(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let Some(policy) = self.offer_policy() else { return };
        let row = &self.pods[pod];
        if self.is_job(row.workload) {
            return; // Its own controller waits.
        }
        let backoff = self.backoff_of(row.workload, &policy.backoff);
        self.offers.delays.failed(row.revision, cx.now, &backoff);
    }

    /// A task was launched, or runs.
    pub(in crate::control) fn restart_delay(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let Some(policy) = self.offer_policy() else { return };
        let row = &self.pods[pod];
        let backoff = self.backoff_of(row.workload, &policy.backoff);
        self.offers.delays.advanced(row.revision, cx.now, &backoff);
    }

    /// A deployment of a version begins.
    pub(in crate::control) fn forget_delay(&mut self, revision: RevisionId) {
        self.offers.delays.reset(revision);
    }

    /// What the app itself says counts before the profile.
    fn backoff_of(&self, workload: crate::ids::WorkloadId, default: &LaunchBackoff) -> LaunchBackoff {
        use crate::model::Growth;
        let wish = &self.catalog.workloads[workload].wishes.reschedule;
        let factor = match wish.growth {
            Some(Growth::Factor(factor)) => factor,
            Some(Growth::Constant) => 1_000,
            Some(Growth::Fibonacci) | None => default.factor,
        };
        LaunchBackoff {
            initial: wish.delay.unwrap_or(default.initial),
            factor,
            max: wish.max_delay.unwrap_or(default.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: LaunchBackoff =
        LaunchBackoff { initial: Span::from_secs(1), factor: 1_150, max: Span::from_secs(300) };

    /// Launch, run for a second, fail, wait: how often within an hour?
    #[test]
    fn a_task_that_fails_after_a_second_is_launched_47_times_in_the_first_hour() {
        let (mut delays, mut now, mut launches) = (Delays::default(), Time::ZERO, 0);
        let version = RevisionId(0);
        while now < Time::from_secs(3_600) {
            launches += 1;
            delays.advanced(version, now, &BACKOFF);
            now += Span::from_secs(1);
            delays.failed(version, now, &BACKOFF);
            now = delays.held_until(version, now).expect("a failed version waits");
        }
        assert!((46..=48).contains(&launches), "{launches}");
    }

    #[test]
    fn a_wait_is_forgotten_after_the_longest_one() {
        let mut delays = Delays::default();
        let version = RevisionId(0);
        for _ in 0..10 {
            delays.failed(version, Time::from_secs(10), &BACKOFF);
        }
        let held = delays.held_until(version, Time::from_secs(10)).expect("it waits");
        assert!(held > Time::from_secs(13));
        delays.failed(version, Time::from_secs(311), &BACKOFF);
        assert_eq!(delays.held_until(version, Time::from_secs(311)), Some(Time::from_secs(312)));
    }

    #[test]
    fn a_launch_lets_the_present_wait_begin_anew() {
        let mut delays = Delays::default();
        let version = RevisionId(0);
        delays.failed(version, Time::from_secs(10), &BACKOFF);
        delays.advanced(version, Time::from_secs(20), &BACKOFF);
        assert_eq!(delays.held_until(version, Time::from_secs(20)), Some(Time::from_secs(21)));
        delays.reset(version);
        assert_eq!(delays.held_until(version, Time::from_secs(20)), None);
    }
}
