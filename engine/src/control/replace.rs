//! Updates that start new instances and end an old one for each that is healthy (Marathon's deployments).
//!
//! What to do is decided by [`crate::rollout::replace`]; this module counts and writes. The bounds are computed when an
//! update begins and hold until it is over or forced anew. Start at [`Control::sync_replace`].

use std::collections::BTreeSet;

use crate::control::{Control, Cx};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::profile::{ReplacePolicy, Rollout};
use crate::rollout::RevisionState;
use crate::rollout::replace::{self, Bounds, Progress, Start};

/// An update under way.
#[derive(Clone, Debug)]
pub(super) struct Replacing {
    target: RevisionId,
    /// Wanted instances that the bounds were computed for.
    instances: u32,
    bounds: Bounds,
    /// Old instances that were told to end.
    killed: u32,
    /// New instances that have been healthy.
    healthy: BTreeSet<PodId>,
}

impl Control {
    /// Brings a workload to its number, or its update one step further.
    pub(super) fn sync_replace(
        &mut self,
        cx: &mut Cx<'_>,
        workload: WorkloadId,
        (new, old): (&RevisionState, &[RevisionState]),
        policy: &ReplacePolicy,
    ) {
        let row = &mut self.workloads[workload];
        let desired = row.desired;
        row.scaled_for = desired;
        let moves = row.rollout.as_ref().is_some_and(|rollout| rollout.revision == new.id);
        if !moves || desired == 0 {
            self.replacing.remove(&workload);
            let all = old.iter().map(|r| (r.id, 0)).chain([(new.id, desired)]);
            return self.write_wanted(cx, workload, all);
        }
        if row.paused {
            return;
        }
        if self.begin_replacing(workload, (new, old), policy) {
            // Old instances that are still to be launched are not launched any more: the launch queue takes the new version.
            // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/deployment/impl/TaskReplaceActor.scala.
            let unlaunched = |r: &&RevisionState| r.wanted > r.active;
            let fewer: Vec<_> = old.iter().filter(unlaunched).map(|r| (r.id, r.active)).collect();
            if !fewer.is_empty() {
                return self.write_wanted(cx, workload, fewer);
            }
        }
        let ready = |pod: &PodId| self.pods[*pod].tally().ready == 1;
        let healthy: Vec<PodId> = self.revisions[new.id].pods.iter().copied().filter(ready).collect();
        let update = self.replacing.get_mut(&workload).expect("it was begun above");
        update.healthy.extend(healthy);
        let terminating: u32 = old.iter().map(|r| r.terminating).sum();
        let progress = Progress {
            instances: desired,
            started: new.wanted,
            old_alive: old.iter().map(|r| r.active).sum::<u32>() + terminating,
            old_left: old.iter().map(|r| r.wanted).sum(),
            killed: update.killed,
            healthy_once: update.healthy.len() as u32,
            kills: policy.kills.saturating_sub(terminating),
        };
        let step = replace::next(&progress, &update.bounds);
        update.killed += step.kill;
        let mut left = step.kill;
        // A scale of the app in the middle of its update is part of the next deployment.
        let mut changes = vec![(new.id, (new.wanted + step.start).min(desired))];
        for revision in old {
            let fewer = left.min(revision.wanted);
            left -= fewer;
            changes.push((revision.id, revision.wanted - fewer));
        }
        self.write_wanted(cx, workload, changes);
    }

    /// Computes the bounds of an update that is new, or was forced anew. True when it is.
    fn begin_replacing(
        &mut self,
        workload: WorkloadId,
        (new, old): (&RevisionState, &[RevisionState]),
        policy: &ReplacePolicy,
    ) -> bool {
        let desired = self.workloads[workload].desired;
        let current = self.replacing.get(&workload);
        if current.is_some_and(|update| update.target == new.id && update.instances == desired) {
            return false;
        }
        let wish = &self.catalog.workloads[workload].wishes.update;
        let resident = self.is_resident(workload);
        let habit = if resident { policy.resident } else { (policy.min_health, policy.max_over) };
        let all = || old.iter().chain([new]);
        let bounds = replace::strategy(&Start {
            instances: desired,
            healthy: all().map(|r| r.ready).sum(),
            current: all().map(|r| r.active).sum(),
            min_health: wish.min_health.unwrap_or(habit.0),
            max_over: wish.max_over.unwrap_or(habit.1),
            resident,
        });
        let update = Replacing { target: new.id, instances: desired, bounds, killed: 0, healthy: BTreeSet::new() };
        self.replacing.insert(workload, update);
        self.forget_delay(new.id);
        true
    }

    /// An old instance was lost in the middle of an update: a new one takes its place. True when that is so.
    pub(super) fn replaced_by_new(&mut self, pod: PodId) -> bool {
        let Rollout::Replace(_) = self.profile.rollout else { return false };
        let row = &self.pods[pod];
        let owner = &self.workloads[row.workload];
        let moves = owner.rollout.as_ref().is_some_and(|rollout| rollout.revision != row.revision);
        if moves {
            let wanted = &mut self.revisions[row.revision].wanted;
            *wanted = wanted.saturating_sub(1);
        }
        moves
    }
}
