//! The deployment circuit breaker: a rollout whose replicas fail too often is over, and may turn back.
//!
//! Source: awsdocs/amazon-ecs-developer-guide:doc_source/deployment-circuit-breaker.md. Start at
//! [`Control::rollout_failure`].

use crate::control::{Control, Cx};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::{PodId, WorkloadId};
use crate::profile::{Breaker, Rollout};

impl Control {
    /// The breaker of a workload's rollouts, if it has one.
    fn breaker_of(&self, workload: WorkloadId) -> Option<Breaker> {
        let Rollout::Percent { breaker, .. } = &self.profile.rollout else { return None };
        let wish = &self.catalog.workloads[workload].wishes.update;
        let rollback = wish.auto_revert.unwrap_or(breaker.rollback);
        let enabled = wish.circuit_breaker.unwrap_or(breaker.enabled);
        enabled.then_some(Breaker { rollback, ..*breaker })
    }

    /// A replica failed: of a rollout that is under way it counts. Returns true when it is not to be replaced.
    pub(super) fn rollout_failure(&mut self, cx: &mut Cx<'_>, (pod, fact): (PodId, FactId)) -> bool {
        let (workload, revision) = (self.pods[pod].workload, self.pods[pod].revision);
        let Some(breaker) = self.breaker_of(workload) else { return false };
        let row = &mut self.workloads[workload];
        let threshold = breaker.threshold(row.desired);
        let Some(rollout) = row.rollout.as_mut().filter(|rollout| rollout.revision == revision) else { return false };
        if rollout.tripped {
            return true;
        }
        let Some(failures) = rollout.failures.as_mut() else { return false };
        *failures += 1;
        if *failures < threshold {
            return false;
        }
        rollout.tripped = true;
        let kind = FactKind::Noted { subject: Subject::Workload(workload), note: Note::CircuitBreaker };
        let fact = cx.facts.record(cx.now, fact, kind);
        if breaker.rollback {
            self.undo(cx, fact, workload);
            // The way back is not watched: there is nothing to turn back to.
            if let Some(rollout) = &mut self.workloads[workload].rollout {
                rollout.failures = None;
            }
        }
        true
    }
}

impl Breaker {
    /// Failed replicas that end a rollout to so many.
    fn threshold(&self, desired: u32) -> u32 {
        let share = (u64::from(desired) * u64::from(self.share)).div_ceil(1000);
        u32::try_from(share).unwrap_or(u32::MAX).clamp(self.least, self.most.max(self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_replicas_end_a_rollout_within_bounds() {
        let breaker = |least| Breaker { enabled: true, share: 500, least, most: 200, rollback: false };
        let thresholds = |least| [1, 7, 25, 400, 800].map(|desired| breaker(least).threshold(desired));
        assert_eq!(thresholds(3), [3, 4, 13, 200, 200]);
        assert_eq!(thresholds(10), [10, 10, 13, 200, 200]);
    }
}
