//! Whether a replica that ended or was lost is replaced in its slot, when, and what its replacement waits for.
//!
//! The replacement is created and placed at once; its start is held back for the restart delay, and for as long as the
//! former task of the slot is still stopping. Updates are not here, see `slots`. Start at [`Control::restart_in_slot`].
//! Source: moby/swarmkit:manager/orchestrator/restart/restart.go, `Restart`, `shouldRestart`, `DelayStart`.

use std::collections::VecDeque;

use crate::control::{Control, Cx};
use crate::fact::{Deletion, FactKind, Note, Subject};
use crate::ids::{PodId, TemplateId, WorkloadId};
use crate::model::RestartPolicy;
use crate::profile::{Restart, RestartCondition, Rollout};
use crate::rollout::slots::SlotEvent;
use crate::time::{Span, Time};

/// Replacements of one slot, as far as they count for its attempts.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotHistory {
    /// Version that they are of: another one starts afresh.
    version: Option<TemplateId>,
    total: u32,
    /// When they were made, where only those of a window count.
    times: VecDeque<Time>,
}

impl SlotHistory {
    /// Replacements that count at `now`.
    fn counted(&mut self, window: Span, now: Time) -> u32 {
        if window.is_zero() {
            return self.total;
        }
        while self.times.front().is_some_and(|at| now.since(*at) >= window) {
            self.times.pop_front();
        }
        self.times.len() as u32
    }
}

impl Control {
    /// Whether a workload's replicas are tasks in slots that the control plane restarts.
    fn restarts_in_slots(&self) -> bool {
        matches!((&self.profile.rollout, &self.profile.restart), (Rollout::Slots(_), Restart::Replace { .. }))
    }

    /// When the replacement of a lost replica may start; `None` when there will be none: the slot stays empty until the
    /// next version.
    pub(super) fn restart_in_slot(&mut self, cx: &mut Cx<'_>, pod: PodId, why: Deletion) -> Option<Time> {
        let row = &self.pods[pod];
        let (workload, slot, node) = (row.workload, row.slot, row.node);
        // A drained node is left at once: it is a planned move.
        let planned = why == Deletion::Drained;
        if !self.restarts_in_slots() {
            let delay = if planned { Span::ZERO } else { self.profile.replication.replacement_delay };
            return Some(cx.now + delay);
        }
        if !self.should_restart(cx, pod) {
            self.give_slot_up(cx, pod);
            return None;
        }
        let wish = self.catalog.workloads[workload].wishes.restart.delay;
        let delay = wish.unwrap_or(self.profile.replication.replacement_delay);
        let earliest = cx.now + if planned { Span::ZERO } else { delay };
        // Neither a task that has ended is waited for, nor one of a node that is down.
        let stops = node.is_some_and(|node| self.nodes[node].healthy && self.nodes[node].exists());
        let waits = if let Restart::Replace { waits, .. } = self.profile.restart { waits } else { Span::ZERO };
        if matches!(why, Deletion::Failed | Deletion::Rejected) || !stops || waits.is_zero() {
            return Some(earliest);
        }
        self.workloads[workload].stopping.insert(pod, (slot, earliest));
        Some(earliest.max(cx.now + waits))
    }

    fn should_restart(&mut self, cx: &mut Cx<'_>, pod: PodId) -> bool {
        let row = &self.pods[pod];
        let (workload, slot, version) = (row.workload, row.slot, row.template);
        let Restart::Replace { max_attempts, window, condition, .. } = self.profile.restart else { return true };
        let allowed = match (self.catalog.templates[version].restart, condition) {
            (RestartPolicy::Never, _) | (_, RestartCondition::Never) => false,
            (RestartPolicy::OnFailure, _) | (_, RestartCondition::OnFailure) => !row.succeeded,
            (RestartPolicy::Always, RestartCondition::Any) => true,
        };
        let wish = &self.catalog.workloads[workload].wishes.restart;
        let attempts = wish.attempts.or(max_attempts).filter(|n| *n > 0);
        let window = wish.window.unwrap_or(window);
        let (true, Some(attempts)) = (allowed, attempts) else { return allowed };
        let history = self.workloads[workload].restarts.entry(slot).or_default();
        if history.version != Some(version) {
            *history = SlotHistory { version: Some(version), ..SlotHistory::default() };
        }
        if history.counted(window, cx.now) >= attempts {
            return false;
        }
        history.total += 1;
        history.times.push_back(cx.now);
        true
    }

    fn give_slot_up(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, revision, cause) = (row.workload, row.revision, row.last_fact);
        let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::NotRestarted };
        cx.facts.record(cx.now, cause, kind);
        self.workloads[workload].given_up += 1;
        self.revisions[revision].wanted = self.revisions[revision].wanted.saturating_sub(1);
    }

    /// A new version gives every slot its attempts back.
    pub(super) fn restore_attempts(&mut self, workload: WorkloadId) {
        let row = &mut self.workloads[workload];
        row.restarts.clear();
        row.given_up = 0;
    }

    /// A task is gone: its replacement may start when its delay is over.
    pub(super) fn former_task_gone(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let workload = self.pods[pod].workload;
        let row = &mut self.workloads[workload];
        let Some((slot, earliest)) = row.stopping.remove(&pod) else { return };
        let at = earliest.max(cx.now);
        for revision in row.revisions.clone() {
            let losses = &mut self.revisions[revision].losses;
            if let Some(loss) = losses.iter_mut().find(|loss| loss.slot == slot && loss.not_before > at) {
                loss.not_before = at;
                return;
            }
        }
        match self.replica_in_slot(workload, slot) {
            Some(replacement) => self.release_start(cx, replacement, at),
            None => drop(self.workloads[workload].released.insert(slot, at)),
        }
    }

    /// A replacement was on its way to the store when what it waits for was over.
    pub(super) fn release_created(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let (workload, slot) = (self.pods[pod].workload, self.pods[pod].slot);
        if let Some(at) = self.workloads[workload].released.remove(&slot) {
            self.release_start(cx, pod, at.max(cx.now));
        }
    }

    /// Scaling down takes slots first that stay empty.
    pub(super) fn forget_given_up(&mut self, workload: WorkloadId, fewer: u32) {
        let row = &mut self.workloads[workload];
        row.given_up = row.given_up.saturating_sub(fewer);
    }

    /// The update of a slot is told that its new task ended.
    pub(super) fn task_ended(&mut self, cx: &mut Cx<'_>, pod: PodId, why: Deletion) {
        // Only a task whose own state says so counts as a failed update: a dead node leaves it at `running`.
        // Source: moby/swarmkit:manager/orchestrator/update/updater.go, the watch for states beyond running.
        if matches!(why, Deletion::Failed | Deletion::Rejected) {
            self.observe_pod(cx, pod, SlotEvent::NewEnded);
        }
    }
}
