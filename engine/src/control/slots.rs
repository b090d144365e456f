//! Slots: replicas with a number, updated one by one (Swarm services).
//!
//! The order of steps is decided by [`crate::rollout::slots`]; this module carries them out and tells it what happened.
//! A slot whose replica is lost in the middle of an update gets the new version at once. Start at
//! [`Control::sync_slots`].

use crate::control::tables::{ANY_SLOT, SlotUpdateRow};
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::model::Strategy;
use crate::profile::{Replaced, Rollout, SlotOrder, SlotStyle, SlotUpdate};
use crate::rng::Purpose;
use crate::rollout::slots::{Direction, Race, SlotAction, SlotEvent, SlotRollout, SlotState, Verdict};
use crate::time::Time;

use std::collections::BTreeSet;

impl Control {
    /// How a workload's slots are updated, or moved back: as it wishes, else as the profile does.
    fn slot_policy(&self, workload: WorkloadId) -> Option<SlotUpdate> {
        let spec = &self.catalog.workloads[workload];
        let Rollout::Slots(update) = &self.profile.rollout else { return None };
        if spec.strategy == Strategy::Recreate {
            return None;
        }
        let slots = self.workloads[workload].slots.as_ref();
        let back = slots.is_some_and(|row| row.rollout.direction() == Direction::Back);
        Some(match &self.profile.rollback {
            Some(rollback) if back => rollback.wished(&spec.wishes.rollback),
            Some(_) | None => update.wished(&spec.wishes.update),
        })
    }

    /// An update to the workload's current revision begins: slots are taken in random order.
    pub(super) fn begin_slot_update(
        &mut self,
        cx: &mut Cx<'_>,
        workload: WorkloadId,
        (former, direction): (Option<RevisionId>, Direction),
    ) {
        let (Some(update), Some(former)) = (self.slot_policy(workload), former) else { return };
        let Some(target) = self.workloads[workload].current else { return };
        // A stream of its own for each update of each workload.
        let number = self.revisions[target].number;
        let mut luck = self.streams.stream(Purpose::Rollout, workload.0 ^ number << 20);
        let mut slots: Vec<u32> = self.replicas_in_slots(workload).filter(|r| r.2 != target).map(|r| r.0).collect();
        slots.sort_unstable();
        slots.dedup();
        match update.style {
            SlotStyle::Workers | SlotStyle::Batches => luck.shuffle(&mut slots),
            SlotStyle::InOrder => {}
            SlotStyle::ByHand => {
                let note = FactKind::Noted { subject: Subject::Workload(workload), note: Note::UpdatedByHand };
                cx.facts.record(cx.now, self.workloads[workload].cause, note);
            }
        }
        let creating = self.workloads[workload].slots.take().map(|row| row.creating).unwrap_or_default();
        self.workloads[workload].paused = false;
        self.workloads[workload].slots = Some(SlotUpdateRow {
            rollout: match direction {
                Direction::Forth => SlotRollout::new(slots),
                Direction::Back => SlotRollout::rollback(slots),
            },
            luck,
            target,
            former,
            start_when_created: creating.clone(),
            creating,
            wake_at: None,
        });
        self.release_held(cx, target);
        self.move_losses(cx, workload, target);
    }

    /// What was lost before the update began is replaced by the new version.
    fn move_losses(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, target: RevisionId) {
        for revision in self.workloads[workload].revisions.clone() {
            let row = &mut self.revisions[revision];
            if revision == target || row.losses.is_empty() {
                continue;
            }
            let moved = row.wanted.min(row.losses.len() as u32);
            row.wanted -= moved;
            let losses: Vec<_> = row.losses.drain(..).collect();
            let new = &mut self.revisions[target];
            new.wanted += moved;
            new.losses.extend(losses.into_iter().take(moved as usize));
            self.plan_revision(cx, target, self.profile.control.watch_lag);
        }
    }

    /// Slot, pod and revision of each active replica.
    fn replicas_in_slots(&self, workload: WorkloadId) -> impl Iterator<Item = (u32, PodId, RevisionId)> {
        let revisions = self.workloads[workload].revisions.iter();
        let pods = revisions.flat_map(move |&r| self.revisions[r].pods.iter().map(move |&p| (self.pods[p].slot, p, r)));
        pods.filter(move |&(_, p, _)| self.pods[p].active())
    }

    /// The replica in a slot that is not on its way out.
    pub(super) fn replica_in_slot(&self, workload: WorkloadId, slot: u32) -> Option<PodId> {
        self.replicas_in_slots(workload).find(|r| r.0 == slot && !self.pods[r.1].delete_sent).map(|r| r.1)
    }

    /// Brings the number of slots to what is wanted and moves the update on.
    pub(super) fn sync_slots(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        self.size_slots(cx, workload);
        let Some(update) = self.slot_policy(workload) else { return };
        if self.slots_left_behind(workload) {
            self.restart_slot_update(cx, workload);
        }
        let Some(row) = &mut self.workloads[workload].slots else { return };
        // A paused update still finishes the slots that it has begun.
        if !matches!(row.rollout.verdict(), Verdict::Going | Verdict::Paused) {
            return;
        }
        let race = if row.luck.chance(500) { Race::WorkersWin } else { Race::FailureWins };
        let step = row.rollout.advance(&update, cx.now, race);
        let (target, former) = (row.target, row.former);
        if step.actions.is_empty() && step.wake.is_none() && step.verdict == Verdict::Going {
            self.forget_vanished_slots(cx, workload);
        }
        let fact = self.workloads[workload].rollout.as_ref().map_or(FactId::NONE, |r| r.fact);
        for action in step.actions {
            self.slot_action(cx, (workload, fact), (target, action));
        }
        if let Some(at) = step.wake {
            self.wake_slots(cx, (workload, fact), at);
        }
        match step.verdict {
            Verdict::Complete if self.slots_left_behind(workload) => {
                self.restart_slot_update(cx, workload);
                self.plan_workload(cx, workload, fact);
            }
            Verdict::Complete if update.style == SlotStyle::Batches => {
                let note = FactKind::Noted { subject: Subject::Workload(workload), note: Note::AwaitsConfirmation };
                cx.facts.record(cx.now, fact, note);
            }
            Verdict::Going | Verdict::Complete => {}
            Verdict::Paused => self.pause(cx, fact, workload),
            Verdict::RollBack => self.roll_back(cx, fact, workload, former),
        }
    }

    /// Looks again at `at`, unless that is planned.
    fn wake_slots(&mut self, cx: &mut Cx<'_>, (workload, fact): (WorkloadId, FactId), at: Time) {
        let Some(row) = &mut self.workloads[workload].slots else { return };
        if row.wake_at != Some(at) {
            row.wake_at = Some(at);
            cx.timers.set(at, fact, Alarm::SyncWorkload(workload));
        }
    }

    /// More or fewer slots: the current revision grows, older ones shrink first.
    fn size_slots(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let row = &mut self.workloads[workload];
        let (Some(current), desired, cause) = (row.current, row.desired, row.cause) else { return };
        let before = std::mem::replace(&mut row.scaled_for, desired);
        let scaled = before != desired;
        self.forget_given_up(workload, before.saturating_sub(desired));
        let row = &self.workloads[workload];
        let desired = desired.saturating_sub(row.given_up);
        // A start-first update has more replicas than slots for a while.
        let extra = self.slots_overlapping(workload);
        let revisions = self.workloads[workload].revisions.clone();
        let total = revisions.iter().map(|&r| self.revisions[r].wanted).sum::<u32>().saturating_sub(extra);
        if total < desired {
            let wanted = self.revisions[current].wanted + desired - total;
            self.revision_scaled(cx, cause, current, wanted);
        }
        let mut surplus = total.saturating_sub(desired);
        let old_first = revisions.iter().filter(|&&r| r != current).chain([&current]);
        for &revision in old_first {
            let wanted = self.revisions[revision].wanted;
            let less = surplus.min(wanted);
            surplus -= less;
            if less > 0 {
                self.revision_scaled(cx, cause, revision, wanted - less);
            }
        }
        if scaled && self.slot_verdict(workload).is_some_and(|(verdict, _)| verdict == Verdict::Going) {
            self.restart_slot_update(cx, workload);
        }
    }

    /// An update is over and yet a replica is old: it was on its way to the store when the update began.
    fn slots_left_behind(&self, workload: WorkloadId) -> bool {
        let Some(row) = &self.workloads[workload].slots else { return false };
        let others = self.workloads[workload].revisions.iter().filter(|&&r| r != row.target);
        let left = others.map(|&r| &self.revisions[r]).any(|r| r.tally.active > r.deleting);
        left && row.rollout.verdict() == Verdict::Complete
    }

    /// A service that changes in the middle of an update gets a new update over the slots that are still old.
    /// Source: moby/swarmkit:manager/orchestrator/update/updater.go, `Supervisor.Update`.
    pub(super) fn restart_slot_update(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(row) = self.workloads[workload].slots.as_ref() else { return };
        let (former, direction) = (row.former, row.rollout.direction());
        self.begin_slot_update(cx, workload, (Some(former), direction));
    }

    /// Replicas that the former update held back belong to slots that are done, or that are taken afresh.
    fn release_held(&mut self, cx: &mut Cx<'_>, target: RevisionId) {
        let held = |p: &PodId| self.pods[*p].active() && self.pods[*p].not_before == Time::MAX;
        let held: Vec<_> = self.revisions[target].pods.iter().copied().filter(held).collect();
        for pod in held {
            self.release_start(cx, pod, cx.now);
        }
    }

    /// An update that waits for events alone must not wait for slots in which nothing will happen: their replicas were
    /// lost and replaced under other numbers.
    fn forget_vanished_slots(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let mut present: BTreeSet<u32> = self.replicas_in_slots(workload).map(|r| r.0).collect();
        for &revision in &self.workloads[workload].revisions {
            present.extend(self.revisions[revision].losses.iter().map(|loss| loss.slot));
        }
        let Some(row) = &mut self.workloads[workload].slots else { return };
        let waits = |state| matches!(state, SlotState::Old | SlotState::Starting);
        let vanished = |slot: &u32| !present.contains(slot) && !row.creating.contains(slot);
        let waiting = row.rollout.slots().iter().filter(|(_, state)| waits(*state)).map(|(slot, _)| *slot);
        let vanished: Vec<u32> = waiting.filter(vanished).collect();
        for &slot in &vanished {
            row.rollout.forget(slot);
        }
        if !vanished.is_empty() {
            self.plan_workload(cx, workload, FactId::NONE);
        }
    }

    /// A replica was taken because fewer are wanted: its slot goes with the last one in it.
    pub(super) fn slot_removed(&mut self, pod: PodId) {
        let (workload, slot) = (self.pods[pod].workload, self.pods[pod].slot);
        let left = self.replicas_in_slots(workload).any(|r| r.0 == slot && r.1 != pod);
        if let (Some(row), false) = (&mut self.workloads[workload].slots, left) {
            row.rollout.forget(slot);
        }
    }

    /// A replica is gone that nobody replaces: false when it is replaced after all.
    pub(super) fn stays_missing(&mut self, pod: PodId, why: Deletion) -> bool {
        let replaced = match self.profile.replication.replaced {
            Replaced::All => true,
            Replaced::Moved => !matches!(why, Deletion::Operator | Deletion::Failed),
            Replaced::None => false,
        };
        if !replaced {
            let (workload, revision) = (self.pods[pod].workload, self.pods[pod].revision);
            self.workloads[workload].given_up += 1;
            self.revisions[revision].wanted = self.revisions[revision].wanted.saturating_sub(1);
        }
        !replaced
    }

    /// Replication is replacing a replica of this slot.
    pub(super) fn slot_creating(&mut self, workload: WorkloadId, slot: u32) {
        if let (Some(row), true) = (&mut self.workloads[workload].slots, slot != ANY_SLOT) {
            row.creating.insert(slot);
        }
    }

    /// Slots that hold an old and a new replica at present.
    fn slots_overlapping(&self, workload: WorkloadId) -> u32 {
        let Some(row) = &self.workloads[workload].slots else { return 0 };
        if self.slot_policy(workload).is_none_or(|update| update.order == SlotOrder::StopFirst) {
            return 0;
        }
        let mut new = BTreeSet::new();
        let mut old = BTreeSet::new();
        for (slot, pod, revision) in self.replicas_in_slots(workload) {
            let side = if revision == row.target { &mut new } else { &mut old };
            if !self.pods[pod].delete_sent {
                side.insert(slot);
            }
        }
        new.extend(row.creating.iter().copied());
        new.intersection(&old).count() as u32
    }

    fn slot_action(
        &mut self,
        cx: &mut Cx<'_>,
        (workload, fact): (WorkloadId, FactId),
        (target, action): (RevisionId, SlotAction),
    ) {
        match action {
            SlotAction::PrepareNew(slot) => self.create_in_slot(cx, (workload, fact), target, (slot, Time::MAX)),
            SlotAction::StartNew(slot) => self.create_in_slot(cx, (workload, fact), target, (slot, cx.now)),
            SlotAction::StopOld(slot) => {
                let in_slot = self.replicas_in_slots(workload).filter(|r| r.0 == slot && r.2 != target);
                // One whose deletion is on its way already is counted by whoever asked for that.
                let in_slot = in_slot.filter(|r| !self.pods[r.1].delete_sent);
                let old: Vec<_> = in_slot.collect();
                for &(_, pod, revision) in &old {
                    let row = &mut self.revisions[revision];
                    row.wanted = row.wanted.saturating_sub(1);
                    row.deleting += 1;
                    self.delete_pod(cx, (Client::Rollout, fact), (pod, Deletion::RolledOut, None));
                }
                if old.is_empty() {
                    self.observe_slot(cx, workload, (slot, SlotEvent::OldStopped));
                }
            }
        }
    }

    /// The new replica of a slot is created, or released to start if it is there already.
    fn create_in_slot(
        &mut self,
        cx: &mut Cx<'_>,
        (workload, fact): (WorkloadId, FactId),
        target: RevisionId,
        (slot, not_before): (u32, Time),
    ) {
        let stays = |r: &(u32, PodId, RevisionId)| r.0 == slot && r.2 == target && !self.pods[r.1].delete_sent;
        let present = self.replicas_in_slots(workload).find(stays);
        if let Some((_, pod, _)) = present {
            self.release_start(cx, pod, not_before);
            return;
        }
        if self.revisions[target].losses.iter().any(|loss| loss.slot == slot) {
            return; // Replication is about to replace what was lost there, and that is the new version already.
        }
        let Some(row) = &mut self.workloads[workload].slots else { return };
        if row.creating.contains(&slot) {
            row.start_when_created.extend((not_before < Time::MAX).then_some(slot));
            return;
        }
        row.creating.insert(slot);
        let revision = &mut self.revisions[target];
        revision.wanted += 1;
        revision.creating += 1;
        self.write(cx, Client::Rollout, fact, Write::CreatePod { revision: target, not_before, slot });
    }

    /// A replica that was held back may start.
    pub(super) fn release_start(&mut self, cx: &mut Cx<'_>, pod: PodId, not_before: Time) {
        let row = &mut self.pods[pod];
        if not_before < row.not_before {
            row.not_before = not_before;
            if row.node.is_some() {
                cx.timers.set(not_before, row.last_fact, Alarm::Assign(pod));
            }
        }
        // It may run already, when it replaced a lost one before its slot's turn.
        if row.phase == PodPhase::Ready {
            let (workload, slot) = (row.workload, row.slot);
            self.observe_slot(cx, workload, (slot, SlotEvent::NewRunning));
        }
    }

    /// A replica of a slot was created by the store.
    pub(super) fn slot_created(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let (workload, slot) = (self.pods[pod].workload, self.pods[pod].slot);
        let Some(row) = &mut self.workloads[workload].slots else { return };
        row.creating.remove(&slot);
        if row.start_when_created.remove(&slot) {
            self.release_start(cx, pod, cx.now);
        }
    }

    /// Tells a running update what happened in a slot.
    pub(super) fn observe_slot(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, (slot, event): (u32, SlotEvent)) {
        let Some(update) = self.slot_policy(workload) else { return };
        if let Some(row) = &mut self.workloads[workload].slots {
            row.rollout.observe(&update, slot, (cx.now, event));
            self.plan_workload(cx, workload, FactId::NONE);
        }
    }

    /// Something happened to a pod that may matter to a running update.
    pub(super) fn observe_pod(&mut self, cx: &mut Cx<'_>, pod: PodId, event: SlotEvent) {
        let row = &self.pods[pod];
        let (workload, slot, revision) = (row.workload, row.slot, row.revision);
        let Some(update) = &self.workloads[workload].slots else { return };
        let of_new = revision == update.target;
        if of_new == (event != SlotEvent::OldStopped) {
            self.observe_slot(cx, workload, (slot, event));
        }
    }

    /// In which revision a lost replica of a workload is replaced: updates move lost replicas on at once.
    pub(super) fn replacement_revision(&mut self, pod: PodId) -> RevisionId {
        let row = &self.pods[pod];
        let lost = row.revision;
        let owner = &self.workloads[row.workload];
        if !owner.exists || !owner.revisions.contains(&lost) {
            return lost; // What is left of a deleted workload is not replaced in its next life either.
        }
        let current = owner.current.unwrap_or(lost);
        if current != lost && self.slot_policy(row.workload).is_some() {
            self.revisions[lost].wanted = self.revisions[lost].wanted.saturating_sub(1);
            self.revisions[current].wanted += 1;
            return current;
        }
        lost
    }

    /// The failure action turns an update back.
    fn roll_back(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId, former: RevisionId) {
        let Some(row) = &mut self.workloads[workload].slots else { return };
        let touched: Vec<u32> = row.rollout.touched().collect();
        let failed = row.target;
        row.rollout = SlotRollout::rollback(touched);
        row.target = former;
        row.former = failed;
        let fact = cx.facts.record(cx.now, cause, FactKind::RolloutUndone { workload, revision: former });
        let row = &mut self.workloads[workload];
        row.current = Some(former);
        row.cause = fact;
        if let Some(rollout) = &mut row.rollout {
            rollout.revision = former;
            rollout.fact = fact;
        }
        self.plan_workload(cx, workload, fact);
    }

    /// What people undo is moved as rollbacks are.
    pub(super) fn turn_slots_back(&mut self, workload: WorkloadId) {
        if let Some(row) = &mut self.workloads[workload].slots {
            row.rollout.turn_back();
        }
    }

    /// An operator holds an update.
    pub(super) fn hold_slot_update(&mut self, workload: WorkloadId) {
        if let Some(row) = &mut self.workloads[workload].slots {
            row.rollout.hold();
        }
    }

    /// How a slot update stands; `None` for workloads that are not updated by slots.
    pub(super) fn slot_verdict(&self, workload: WorkloadId) -> Option<(Verdict, Direction)> {
        let row = self.workloads[workload].slots.as_ref()?;
        Some((row.rollout.verdict(), row.rollout.direction()))
    }

    /// The slot of a new replica: the one asked for, or the next number.
    pub(super) fn slot_for(&mut self, workload: WorkloadId, asked: u32) -> u32 {
        if asked != ANY_SLOT {
            return asked;
        }
        let row = &mut self.workloads[workload];
        row.next_slot += 1;
        row.next_slot
    }
}
