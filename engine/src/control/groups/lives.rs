//! What becomes of replicas that are lost, fail or end.
//!
//! Lost ones are replaced at once. Failed ones wait, longer each time, and while their deployment goes on whoever
//! watches it must allow that first. Start at [`Control::group_lost`] and [`Control::group_ended`].

use super::{GroupAlarm, Replica, Vacant};
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Deletion, FactId, FactKind, JobFailure, Note, Subject};
use crate::ids::{PodId, WorkloadId};
use crate::rollout::deployment::{Stage, Why};
use crate::rollout::reschedule;
use crate::time::Time;

impl Control {
    /// A replica of a group does not count any more, though nobody meant it to end.
    pub(in crate::control) fn group_lost(&mut self, cx: &mut Cx<'_>, (pod, fact): (PodId, FactId), why: Deletion) {
        let replica = self.groups.replicas.get(&pod).cloned().unwrap_or_default();
        let meant =
            matches!(why, Deletion::ScaledDown | Deletion::RolledOut | Deletion::WorkloadDeleted | Deletion::Unneeded);
        if meant || replica.superseded || self.pods[pod].node.is_none() && replica.replaces.is_some() {
            return;
        }
        let workload = self.pods[pod].workload;
        self.vacate(pod, fact, (replica, Why::Lost));
        self.evaluate(cx, workload, fact);
    }

    fn vacate(&mut self, pod: PodId, fact: FactId, (replica, why): (Replica, Why)) {
        let row = &self.pods[pod];
        let (workload, slot, revision) = (row.workload, row.slot, row.revision);
        let vacant = Vacant {
            revision,
            deployment: replica.deployment,
            canary: replica.canary,
            why,
            fact,
            chain: replica.chain,
            due: None,
            held: None,
        };
        self.groups.of.entry(workload).or_default().vacant.insert(slot, vacant);
    }

    /// The containers of a replica have all ended, at `at`.
    pub(in crate::control) fn group_ended(
        &mut self,
        cx: &mut Cx<'_>,
        (pod, fact): (PodId, FactId),
        (success, at): (bool, Time),
    ) {
        let row = &self.pods[pod];
        let (workload, slot, revision, node) = (row.workload, row.slot, row.revision, row.node);
        if success && self.is_batch(workload) {
            let group = self.groups.of.entry(workload).or_default();
            group.done.insert(slot, revision);
            return self.batch_ended(cx, fact, workload);
        }
        self.replica_unhealthy(cx, fact, pod);
        let mut replica = self.groups.replicas.get(&pod).cloned().unwrap_or_default();
        if replica.superseded {
            return;
        }
        // Every node that one of the chain failed on is avoided. Measured on 1.1.2.
        replica.chain.nodes.extend(node);
        replica.chain.nodes.sort_unstable();
        replica.chain.nodes.dedup();
        let number = replica.deployment;
        self.vacate(pod, fact, (replica, Why::Failed));
        let group = self.groups.of.entry(workload).or_default();
        let watched = group.deployment.as_ref().is_some_and(|d| d.number == number && d.stage == Stage::Running);
        if watched && number > 0 {
            if let Some(vacant) = group.vacant.get_mut(&slot) {
                vacant.held = Some(at);
            }
            return self.watcher_notices(cx, fact, workload);
        }
        self.plan_reschedule(cx, (workload, slot), at);
    }

    /// Failed replicas of a deployment may be placed anew.
    pub(super) fn allow_reschedules(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(group) = self.groups.of.get_mut(&workload) else { return };
        let held: Vec<(u32, Time)> =
            group.vacant.iter_mut().filter_map(|(&slot, vacant)| Some((slot, vacant.held.take()?))).collect();
        for (slot, at) in held {
            self.plan_reschedule(cx, (workload, slot), at);
        }
    }

    /// A failed replica is placed anew later, or never.
    fn plan_reschedule(&mut self, cx: &mut Cx<'_>, (workload, slot): (WorkloadId, u32), failed: Time) {
        let Some(policy) = self.group_policy() else { return };
        let rule = if self.is_batch(workload) { policy.reschedule_batch } else { policy.reschedule };
        let rule = rule.wished(&self.catalog.workloads[workload].wishes.reschedule);
        let Some(vacant) = self.groups.of.get_mut(&workload).and_then(|group| group.vacant.get_mut(&slot)) else {
            return;
        };
        let fact = vacant.fact;
        match reschedule::wait(&rule, &vacant.chain.attempts, failed) {
            Some(delay) => {
                let at = (failed + delay).max(cx.now);
                vacant.due = Some((at, delay));
                let note = Note::RescheduledLater;
                let subject = Subject::Workload(workload);
                let fact = cx.facts.record(cx.now, fact, FactKind::Noted { subject, note });
                vacant.fact = fact;
                cx.timers.set(at, fact, Alarm::Group(GroupAlarm::Due { workload, slot }));
            }
            None => {
                let (subject, note) = (Subject::Workload(workload), Note::RescheduledNever);
                let fact = cx.facts.record(cx.now, fact, FactKind::Noted { subject, note });
                if self.is_batch(workload) {
                    self.batch_ended(cx, fact, workload);
                }
            }
        }
    }

    /// A number may be placed anew.
    pub(super) fn vacancy_due(&mut self, cx: &mut Cx<'_>, cause: FactId, (workload, slot): (WorkloadId, u32)) {
        let Some(vacant) = self.groups.of.get_mut(&workload).and_then(|group| group.vacant.get_mut(&slot)) else {
            return;
        };
        if vacant.due.is_some_and(|(at, _)| at <= cx.now) && vacant.why == Why::Failed {
            vacant.why = Why::Due;
            self.evaluate_kept(cx, workload, cause);
        }
    }

    /// A group that runs to completion is over when each number has ended, well or for good.
    fn batch_ended(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let count = self.group_count(workload);
        let Some(revision) = self.workloads[workload].current else { return };
        let Some(group) = self.groups.of.get_mut(&workload).filter(|group| !group.ended) else { return };
        let failed = group.vacant.values().filter(|v| v.why == Why::Failed && v.due.is_none()).count();
        if group.done.len() + failed < count as usize {
            return;
        }
        group.ended = true;
        let kind = match failed {
            0 => FactKind::JobCompleted { workload, revision },
            _ => FactKind::JobFailed { workload, revision, why: JobFailure::BackoffLimit },
        };
        cx.facts.record(cx.now, cause, kind);
    }

    /// A replica of a group is gone from every table.
    pub(in crate::control) fn group_removed(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let Some(replica) = self.groups.replicas.remove(&pod) else { return };
        // One that never found a node gives up its predecessor.
        if let Some(old) = replica.replaces
            && let Some(old) = self.groups.replicas.get_mut(&old)
        {
            old.superseded = false;
        }
        if let Some(node) = self.pods[pod].node {
            self.drained_replica_gone(cx, node);
        }
    }
}
