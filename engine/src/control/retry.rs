//! When a replica that ended by itself is replaced: at once, later, or never.
//!
//! A replacement that has to wait does not exist meanwhile: it takes no place. Where the waiting is done by a replica
//! that exists already (Swarm's restart delay) or by the node's agent, it is not done here. Start at
//! [`Control::retry_at`].

use crate::control::tables::Loss;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::{PodId, RevisionId};
use crate::profile::{CrashPolicy, Retry};
use crate::time::{Span, Time};

impl Control {
    /// When a replica that has just ended by itself may be replaced; `None`: never.
    pub(super) fn retry_at(&mut self, cx: &Cx<'_>, pod: PodId) -> Option<Time> {
        let row = &self.pods[pod];
        let (slot, revision, began) = (row.slot, row.revision, row.began);
        match self.profile.replication.retry {
            Retry::Constant => Some(cx.now),
            Retry::Crashes(policy) => {
                let ran = if began == Time::MAX { Span::ZERO } else { cx.now.since(began) };
                let count = self.crashes.entry((revision, slot)).or_default();
                *count = if ran > policy.reset_after { 1 } else { count.saturating_add(1) };
                let wait = policy.wait(*count)?;
                let at = cx.now + wait;
                let period = self.profile.detection.monitor_period;
                Some(if wait.is_zero() { at } else { at.next_tick(period, self.monitor_phase) })
            }
            Retry::Launches { initial, max } => {
                let failures = self.crashes.entry((revision, 0)).or_default();
                if began < Time::MAX {
                    *failures = 0;
                    return Some(cx.now);
                }
                *failures = failures.saturating_add(1);
                let doubled = initial.times(1u64 << (*failures - 1).min(20));
                Some(cx.now + doubled.min(max))
            }
        }
    }

    /// A lost replica is not replaced before `until`, or never.
    pub(super) fn hold_loss(
        &mut self,
        cx: &mut Cx<'_>,
        (pod, revision): (PodId, RevisionId),
        loss: Loss,
        until: Option<Time>,
    ) {
        self.revisions[revision].held += 1;
        // An update by slots must not take the slot for an empty one meanwhile.
        self.slot_creating(self.revisions[revision].workload, loss.slot);
        match until {
            Some(at) => {
                let kind = FactKind::CrashLoop { pod, container: 0, wait: at.since(cx.now) };
                let fact = cx.facts.record(cx.now, loss.fact, kind);
                cx.timers.set(at, fact, Alarm::ReleaseLoss { revision, slot: loss.slot });
            }
            None => {
                let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::GivenUp };
                cx.facts.record(cx.now, loss.fact, kind);
            }
        }
    }

    /// A replica that was held back may be made now, if it is still wanted.
    pub(super) fn release_loss(&mut self, cx: &mut Cx<'_>, cause: FactId, (revision, slot): (RevisionId, u32)) {
        let row = &mut self.revisions[revision];
        row.held = row.held.saturating_sub(1);
        row.losses.push_back(Loss { fact: cause, not_before: cx.now, slot });
        self.plan_revision(cx, revision, Span::ZERO);
    }
}

impl CrashPolicy {
    /// How long a slot waits after so many crashes in a row; `None`: for ever.
    ///
    /// Source: cloudfoundry/bbs:models/restart_calculator.go, `ShouldRestart`.
    fn wait(&self, crashes: u32) -> Option<Span> {
        if crashes < self.immediate {
            return Some(Span::ZERO);
        }
        let wait = self.initial.times(1u64 << (crashes - self.immediate).min(40)).min(self.max);
        (crashes < self.give_up).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_of_cloud_foundry_double_from_the_third_crash_to_sixteen_minutes() {
        let policy = CrashPolicy {
            immediate: 3,
            initial: Span::from_secs(30),
            max: Span::from_secs(960),
            give_up: 200,
            reset_after: Span::from_secs(300),
        };
        let seconds = |n: u64| Some(Span::from_secs(n));
        assert_eq!([1, 2, 3, 4, 5].map(|n| policy.wait(n)), [0, 0, 30, 60, 120].map(seconds));
        assert_eq!([7, 8, 9, 199].map(|n| policy.wait(n)), [480, 960, 960, 960].map(seconds));
        assert_eq!([200, 1_000].map(|n| policy.wait(n)), [None, None]);
    }
}
