//! Rollouts: the controller of Deployments, and its relatives in other profiles.
//!
//! Decisions are pure functions in [`crate::rollout`]; this module counts, asks, and writes. Start at
//! [`Control::sync_workload`].

use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, FactId, FactKind};
use crate::ids::{RevisionId, WorkloadId};
use crate::model::{Amount, Strategy, WorkloadKind};
use crate::profile::{ReplacePolicy, Rollout};
use crate::rollout::slots::Verdict;
use crate::rollout::{RevisionState, proportional, recreate, surge};
use crate::time::Time;

/// How a workload moves, its own declaration and the profile's habits together.
enum Movement {
    Fixed,
    Surge(Amount, Amount),
    /// The same, and without room nothing moves.
    Within(Amount, Amount),
    Recreate,
    Slots,
    Replace(ReplacePolicy),
    Group,
}

impl Control {
    /// Plans a look at a workload, unless one is planned.
    pub(super) fn plan_workload(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, cause: FactId) {
        if self.is_job(workload) || self.is_group(workload) {
            return; // Its own controller looks after it.
        }
        let row = &mut self.workloads[workload];
        if row.exists && !row.sync_planned {
            row.sync_planned = true;
            let at = cx.now + self.profile.control.watch_lag;
            cx.timers.set(at, cause, Alarm::SyncWorkload(workload));
        }
    }

    /// Counts of one revision.
    pub(super) fn revision_state(&self, id: RevisionId, now: Time) -> RevisionState {
        let row = &self.revisions[id];
        let min_ready = self.catalog.workloads[row.workload].min_ready;
        let available = match min_ready.is_zero() {
            true => row.tally.ready,
            false => {
                let ready = row.pods.iter().map(|&p| &self.pods[p]).filter(|p| p.tally().ready == 1);
                ready.filter(|p| now.since(p.ready_since) >= min_ready).count() as u32
            }
        };
        RevisionState {
            id,
            wanted: row.wanted,
            active: row.tally.active,
            terminating: row.tally.terminating,
            ready: row.tally.ready,
            available,
        }
    }

    fn movement(&self, workload: WorkloadId) -> Movement {
        let spec = &self.catalog.workloads[workload];
        if self.is_group(workload) {
            return Movement::Group;
        }
        match (spec.kind, spec.strategy, &self.profile.rollout) {
            (WorkloadKind::Pod | WorkloadKind::ReplicaSet, ..) => Movement::Fixed,
            (_, Strategy::Recreate, _) => Movement::Recreate,
            (_, _, Rollout::Slots(_)) => Movement::Slots,
            (_, _, Rollout::Replace(policy)) => Movement::Replace(*policy),
            (_, Strategy::Default, Rollout::Groups(_)) => Movement::Fixed,
            (_, Strategy::RollingUpdate { max_surge, max_unavailable }, _) => {
                Movement::Surge(max_surge, max_unavailable)
            }
            (_, Strategy::Default, Rollout::Percent { min, max, .. }) => {
                let wish = &spec.wishes.update;
                let desired = self.workloads[workload].desired;
                let part = |thousandths: u64| u64::from(desired) * thousandths;
                let (usual_min, usual_max) = (u64::from(*min) * 10, u64::from(*max) * 10);
                let min = wish.min_health.map_or(usual_min, u64::from);
                let max = wish.max_over.map_or(usual_max, |over| 1000 + u64::from(over));
                let floor = u32::try_from(part(min).div_ceil(1000)).unwrap_or(u32::MAX);
                let ceiling = u32::try_from(part(max) / 1000).unwrap_or(u32::MAX);
                Movement::Within(
                    Amount::Count(ceiling.saturating_sub(desired)),
                    Amount::Count(desired.saturating_sub(floor)),
                )
            }
            (_, Strategy::Default, Rollout::Surge { max_surge, max_unavailable, .. }) => {
                Movement::Surge(*max_surge, *max_unavailable)
            }
        }
    }

    /// Looks at a workload's revisions and writes the next step, one kind of change a pass.
    pub(super) fn sync_workload(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        self.workloads[workload].sync_planned = false;
        if self.is_set(workload) {
            return self.sync_set(cx, workload);
        }
        let row = &self.workloads[workload];
        let Some(current) = row.current.filter(|_| row.exists) else { return };
        if row.revisions.iter().any(|&r| self.revisions[r].scaling) {
            return; // It looks again when the store has the change.
        }
        let new = self.revision_state(current, cx.now);
        let others = row.revisions.iter().filter(|&&r| r != current);
        let old: Vec<_> = others.map(|&r| self.revision_state(r, cx.now)).collect();
        match self.movement(workload) {
            Movement::Fixed => {
                let desired = self.workloads[workload].desired;
                self.write_wanted(cx, workload, [(current, desired)]);
            }
            // A rollout that the circuit breaker has ended moves nothing any more.
            Movement::Within(..) if self.workloads[workload].rollout.as_ref().is_some_and(|r| r.tripped) => {}
            Movement::Surge(max_surge, max_unavailable) | Movement::Within(max_surge, max_unavailable) => {
                let replicas = self.workloads[workload].desired;
                let strict = matches!(self.profile.rollout, Rollout::Percent { .. });
                let bounds = surge::Surge { replicas, max_surge, max_unavailable, strict };
                self.sync_surge(cx, workload, (&new, &old), &bounds);
            }
            Movement::Recreate => self.sync_recreate(cx, workload, (&new, &old)),
            Movement::Slots => self.sync_slots(cx, workload),
            Movement::Replace(policy) => self.sync_replace(cx, workload, (&new, &old), &policy),
            Movement::Group => return self.sync_group(cx, workload),
        }
        self.track_progress(cx, workload, &new, &old);
    }

    fn sync_surge(
        &mut self,
        cx: &mut Cx<'_>,
        workload: WorkloadId,
        (new, old): (&RevisionState, &[RevisionState]),
        bounds: &surge::Surge,
    ) {
        let row = &mut self.workloads[workload];
        if row.scaled_for != bounds.replicas || row.paused {
            let before = surge::Surge { replicas: row.scaled_for, ..*bounds };
            row.scaled_for = bounds.replicas;
            let scaling = proportional::Scaling {
                replicas: bounds.replicas,
                replicas_before: before.replicas,
                max_before: before.ceiling(),
                surge: Some(bounds.ceiling() - bounds.replicas),
            };
            // While paused, a revision that has no replicas yet does not exist for the real controller.
            let known = Some(new).filter(|_| !(row.paused && is_fresh(row)));
            return self.write_wanted(cx, workload, proportional::scale(known, old, &scaling));
        }
        if let Some(deployer) = self.profile.deployer
            && let Some(rollout) = row.rollout.as_mut()
        {
            if cx.now < rollout.next_step {
                // The deployer does not run yet, or it is between two steps.
                let (at, fact) = (rollout.next_step, rollout.fact);
                cx.timers.set(at, fact, Alarm::SyncWorkload(workload));
                return;
            }
            rollout.next_step = cx.now + deployer.update_period.max(deployer.interval);
        }
        let mut new = *new;
        let mut changes = Vec::new();
        if let Some(rollout) = row.rollout.as_mut().filter(|r| r.fresh) {
            rollout.fresh = false;
            new.wanted = surge::first_wanted(old, bounds);
            changes.push((new.id, new.wanted));
        }
        changes.extend(surge::next(&new, old, bounds));
        self.write_wanted(cx, workload, changes);
    }

    fn sync_recreate(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, (new, old): (&RevisionState, &[RevisionState])) {
        let row = &mut self.workloads[workload];
        row.scaled_for = row.desired;
        if !row.paused {
            let changes = recreate::next(Some(new), old, row.desired);
            self.write_wanted(cx, workload, changes);
        }
    }

    /// Writes new wanted numbers of revisions; those that have them already cost nothing.
    pub(super) fn write_wanted(
        &mut self,
        cx: &mut Cx<'_>,
        workload: WorkloadId,
        changes: impl IntoIterator<Item = (RevisionId, u32)>,
    ) {
        let row = &self.workloads[workload];
        let cause = row.rollout.as_ref().map_or(row.cause, |r| r.fact);
        for (revision, wanted) in changes {
            if self.revisions[revision].wanted != wanted {
                self.revisions[revision].scaling = true;
                self.write(cx, Client::Rollout, cause, Write::ScaleRevision { revision, wanted });
            }
        }
    }

    /// Notices progress, completion and stalling of a rollout.
    fn track_progress(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, new: &RevisionState, old: &[RevisionState]) {
        let deadline = self.progress_deadline(workload);
        let row = &mut self.workloads[workload];
        let (desired, paused) = (row.desired, row.paused);
        let Some(rollout) = row.rollout.as_mut().filter(|_| !paused) else { return };
        if rollout.revision != new.id {
            return;
        }
        let (revision, fact) = (rollout.revision, rollout.fact);
        let done = match self.slot_verdict(workload) {
            Some((verdict, _)) => verdict == Verdict::Complete,
            None => surge::complete(new, old, desired),
        };
        if done {
            cx.facts.record(cx.now, fact, FactKind::RolloutCompleted { workload, revision });
            self.workloads[workload].rollout = None;
            self.forget_old_revisions(workload);
            return;
        }
        let Some(rollout) = self.workloads[workload].rollout.as_mut() else { return };
        let left = old.iter().map(|r| r.active).sum();
        let available = new.available + old.iter().map(|r| r.available).sum::<u32>();
        let (updated, before, best) = rollout.counts;
        let first = before == u32::MAX;
        if new.active > updated || left < before || available > best || first {
            rollout.counts = (new.active, left, available);
            rollout.progress_at = cx.now;
            if let Some(deadline) = deadline {
                cx.timers.set(cx.now + deadline, fact, Alarm::SyncWorkload(workload));
            }
        } else if deadline.is_some_and(|d| cx.now.since(rollout.progress_at) >= d) && !rollout.stalled {
            rollout.stalled = true;
            let fact = cx.facts.record(cx.now, fact, FactKind::RolloutStalled { workload, revision });
            if self.profile.deployer.is_some() {
                self.undo(cx, fact, workload); // A deployment that has failed is taken back.
            }
        }
    }

    /// Empty old revisions beyond the history limit are forgotten, oldest first.
    pub(super) fn forget_old_revisions(&mut self, workload: WorkloadId) {
        let declared = self.catalog.workloads[workload].history_limit;
        let Rollout::Surge { history_limit, .. } = self.profile.rollout else { return };
        let keep = declared.unwrap_or(history_limit) as usize;
        let row = &self.workloads[workload];
        let idle = |r: &RevisionId| {
            let old = &self.revisions[*r];
            let wanted = Some(*r) == row.current || self.is_stateful_base(workload, *r);
            !wanted && old.wanted + old.creating + old.to_create == 0 && old.pods.is_empty()
        };
        let mut old: Vec<_> = row.revisions.iter().copied().filter(idle).collect();
        old.sort_by_key(|&r| self.revisions[r].number);
        old.truncate(old.len().saturating_sub(keep));
        self.workloads[workload].revisions.retain(|r| !old.contains(r));
    }
}

fn is_fresh(row: &super::tables::WorkloadRow) -> bool {
    row.rollout.as_ref().is_some_and(|r| r.fresh)
}
