//! StatefulSets: the glue between their pods' names and the decisions of [`crate::rollout::stateful`].
//!
//! A pod's slot is its ordinal, and its ordinal is its name: the book of names here outlives the workload, because a name
//! is taken until its pod is gone. While a pass's writes are on their way nothing else is decided, as the original's one
//! worker a key does. Start at [`Control::sync_stateful`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::control::{Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::model::{Details, StatefulSpec, WorkloadKind};
use crate::rollout::stateful::{self, Budget, Order, Replica, Set, Stage, Step};
use crate::time::Time;

/// What the controller of one StatefulSet knows.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedSet {
    /// As declared now.
    spec: Option<StatefulSpec>,
    /// Pods by ordinal until they are gone, those of an earlier life under this name included.
    names: BTreeMap<u32, PodId>,
    /// The revision of pods below the partition (`status.currentRevision`).
    base: Option<RevisionId>,
    /// Why the last pod of an ordinal went.
    lost: BTreeMap<u32, FactId>,
    /// Ordinals with a write on its way.
    writing: BTreeSet<u32>,
    /// Writes of this pass that wait for those.
    batches: VecDeque<Vec<Step>>,
    /// The status as last written.
    status: Option<Status>,
    /// The pod that holds everything up.
    waits_for: Option<u32>,
    /// The last one that was told about.
    told: Option<PodId>,
}

impl NamedSet {
    fn is_busy(&self) -> bool {
        !self.writing.is_empty() || !self.batches.is_empty()
    }
}

/// `status`: written when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    replicas: u32,
    ready: u32,
    available: u32,
    current: u32,
    updated: u32,
    revisions: (Option<RevisionId>, Option<RevisionId>),
}

/// Both lists of ordinals that a pass looks at.
struct Ordinals {
    replicas: Vec<Replica>,
    condemned: Vec<Replica>,
}

impl Control {
    /// A StatefulSet's present declaration; `None` for every other kind.
    pub(super) fn stateful_spec(&self, workload: WorkloadId) -> Option<&StatefulSpec> {
        self.stateful.get(&workload)?.spec.as_ref()
    }

    /// A StatefulSet is declared anew: only how it is updated can change while it exists.
    pub(super) fn stateful_declared(&mut self, workload: WorkloadId, spec: &StatefulSpec) {
        if let Some(set) = self.stateful.get_mut(&workload) {
            set.spec = Some(spec.clone());
        }
    }

    /// A StatefulSet begins its life at its first revision.
    pub(super) fn stateful_applied(&mut self, workload: WorkloadId) {
        let base = self.workloads[workload].current;
        let Details::Stateful(spec) = &self.catalog.workloads[workload].details else { return };
        let set = self.stateful.entry(workload).or_default();
        set.spec = Some(spec.clone());
        (set.base, set.status, set.waits_for, set.told) = (base, None, None, None);
        set.lost.clear();
    }

    /// A StatefulSet is deleted: nothing more of this pass is sent.
    pub(super) fn stateful_deleted(&mut self, workload: WorkloadId) {
        if let Some(set) = self.stateful.get_mut(&workload) {
            set.batches.clear();
            set.waits_for = None;
        }
    }

    /// One pass over a StatefulSet.
    pub(super) fn sync_stateful(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let busy = self.stateful.get(&workload).is_none_or(NamedSet::is_busy);
        if !self.workloads[workload].exists || busy {
            return; // It looks again when its writes are there.
        }
        let Some(spec) = self.stateful_spec(workload) else { return };
        let ordinals = self.ordinals(workload, spec.first, cx.now);
        let set = Set {
            replicas: &ordinals.replicas,
            condemned: &ordinals.condemned,
            order: if spec.parallel { Order::Parallel } else { Order::Ordered },
            partition: spec.partition,
            budget: self.update_budget(workload, spec),
        };
        let plan = stateful::next(&set);
        let (complete, settled) = (stateful::complete(&set), stateful::settled(&set));
        if let Some(row) = self.stateful.get_mut(&workload) {
            row.batches = plan.batches.into();
            row.waits_for = plan.waits_for;
            if settled {
                row.base = self.workloads[workload].current;
            }
        }
        self.send_batch(cx, workload);
        self.write_stateful_status(cx, workload);
        self.tell_wait(cx, workload);
        if complete {
            self.stateful_rolled_out(cx, workload);
        }
    }

    fn update_budget(&self, workload: WorkloadId, spec: &StatefulSpec) -> Budget {
        match (spec.on_delete, self.profile.replication.stateful_max_unavailable) {
            (true, _) => Budget::OnDelete,
            (false, true) => Budget::at_most(spec.max_unavailable, self.workloads[workload].desired),
            (false, false) => Budget::OneByOne,
        }
    }

    fn ordinals(&self, workload: WorkloadId, first: u32, now: Time) -> Ordinals {
        let row = &self.workloads[workload];
        let names = self.stateful.get(&workload).map(|set| &set.names);
        let wanted = first..first.saturating_add(row.desired);
        let of = |ordinal: u32| names.and_then(|names| names.get(&ordinal)).copied();
        let seen = |ordinal, pod: Option<PodId>| Replica {
            ordinal,
            stage: pod.map_or(Stage::Absent, |pod| self.stateful_stage(pod, now)),
            updated: pod.is_some_and(|pod| Some(self.pods[pod].revision) == row.current),
        };
        let mine = |pod: PodId| row.revisions.contains(&self.pods[pod].revision);
        let others = names.into_iter().flatten().filter(|(ordinal, pod)| !wanted.contains(ordinal) && mine(**pod));
        Ordinals {
            replicas: wanted.clone().map(|ordinal| seen(ordinal, of(ordinal))).collect(),
            condemned: others.map(|(&ordinal, &pod)| seen(ordinal, Some(pod))).collect(),
        }
    }

    /// A name that a pod of an earlier life holds is as good as one whose pod is on its way out: it soon will be.
    fn stateful_stage(&self, pod: PodId, now: Time) -> Stage {
        let row = &self.pods[pod];
        let min_ready = self.catalog.workloads[row.workload].min_ready;
        if row.deleting.is_some() || row.delete_sent || !self.workloads[row.workload].revisions.contains(&row.revision)
        {
            Stage::Terminating
        } else if row.phase != PodPhase::Ready {
            Stage::Unready
        } else if now.since(row.ready_since) < min_ready {
            Stage::Ready
        } else {
            Stage::Available
        }
    }

    /// Sends the next writes of a pass.
    fn send_batch(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        loop {
            let Some(set) = self.stateful.get_mut(&workload).filter(|set| set.writing.is_empty()) else { return };
            let Some(batch) = set.batches.pop_front() else { return };
            for step in batch {
                self.take_step(cx, workload, step);
            }
        }
    }

    fn take_step(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, step: Step) {
        let asked = self.workloads[workload].rollout.as_ref().map_or(self.workloads[workload].cause, |r| r.fact);
        match step {
            Step::Create { ordinal, updated } => self.create_ordinal(cx, workload, (ordinal, updated)),
            Step::ScaleDown { ordinal } => {
                let cause = self.workloads[workload].cause;
                self.delete_ordinal(cx, cause, (workload, ordinal), Deletion::ScaledDown);
            }
            Step::Update { ordinal } => self.delete_ordinal(cx, asked, (workload, ordinal), Deletion::RolledOut),
        }
    }

    fn create_ordinal(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, what: (u32, bool)) {
        let (ordinal, updated) = what;
        let row = &self.workloads[workload];
        let (asked, newest) = (row.cause, row.current);
        let Some(set) = self.stateful.get_mut(&workload) else { return };
        let Some(revision) = (if updated { newest } else { set.base }) else { return };
        if self.admission.holds(revision, cx.now) {
            set.batches.clear(); // It tries again when its back-off is over.
            set.waits_for = Some(ordinal);
            return;
        }
        // It comes because the one before went, or because its turn has come.
        let predecessor = ordinal.checked_sub(1).and_then(|n| set.names.get(&n)).map(|&pod| self.pods[pod].last_fact);
        let turn = predecessor.unwrap_or(asked).max(asked);
        let cause = set.lost.remove(&ordinal).unwrap_or(turn);
        set.writing.insert(ordinal);
        self.revisions[revision].creating += 1;
        self.write(cx, Client::Stateful, cause, Write::CreatePod { revision, not_before: Time::ZERO, slot: ordinal });
    }

    fn delete_ordinal(&mut self, cx: &mut Cx<'_>, cause: FactId, whose: (WorkloadId, u32), why: Deletion) {
        let (workload, ordinal) = whose;
        let Some(set) = self.stateful.get_mut(&workload) else { return };
        let Some(&pod) = set.names.get(&ordinal) else { return };
        if self.pods[pod].deleting.is_none() && !self.pods[pod].delete_sent {
            set.writing.insert(ordinal);
            self.delete_pod(cx, (Client::Stateful, cause), (pod, why, None));
        }
    }

    /// The API server refused to create a pod: the rest of the pass is given up.
    pub(super) fn stateful_refused(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, ordinal: u32) {
        if let Some(set) = self.stateful.get_mut(&workload) {
            set.batches.clear();
        }
        self.stateful_written(cx, workload, ordinal);
    }

    /// The store has one write of a pass, or refused it.
    pub(super) fn stateful_written(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, ordinal: u32) {
        let Some(set) = self.stateful.get_mut(&workload) else { return };
        if set.writing.remove(&ordinal) && set.writing.is_empty() {
            self.send_batch(cx, workload);
            let cause = self.workloads[workload].cause;
            self.plan_workload(cx, workload, cause);
        }
    }

    /// The store has a new pod of a StatefulSet.
    pub(super) fn stateful_created(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, ordinal) = (row.workload, row.slot);
        let former = self.stateful.entry(workload).or_default().names.insert(ordinal, pod);
        assert!(former.is_none(), "{pod:?} takes a name that {former:?} still has");
        self.stateful_written(cx, workload, ordinal);
    }

    /// A pod of a StatefulSet is gone, and its name is free.
    pub(super) fn stateful_gone(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, ordinal, fact) = (row.workload, row.slot, row.last_fact);
        let Some(set) = self.stateful.get_mut(&workload) else { return };
        set.names.remove(&ordinal);
        set.lost.insert(ordinal, fact);
        self.stateful_written(cx, workload, ordinal);
    }

    /// Counts, and writes them if they changed: a request more for this controller's client.
    fn write_stateful_status(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let row = &self.workloads[workload];
        let Some(set) = self.stateful.get(&workload) else { return };
        let (base, update) = (set.base, row.current);
        let mut status =
            Status { replicas: 0, ready: 0, available: 0, current: 0, updated: 0, revisions: (base, update) };
        for &pod in set.names.values() {
            let pod_row = &self.pods[pod];
            if !row.revisions.contains(&pod_row.revision) {
                continue;
            }
            let ready = pod_row.phase == PodPhase::Ready;
            let stays = pod_row.deleting.is_none();
            status.replicas += 1;
            status.ready += u32::from(ready);
            status.available += u32::from(ready && self.stateful_stage(pod, cx.now) == Stage::Available);
            status.current += u32::from(stays && Some(pod_row.revision) == base);
            status.updated += u32::from(stays && Some(pod_row.revision) == update);
        }
        if self.stateful.get_mut(&workload).is_some_and(|set| set.status.replace(status) != Some(status)) {
            self.store.spend(cx.now, Client::Stateful);
        }
    }

    /// Tells once that everything waits for a pod that will not become ready, or go, by itself.
    fn tell_wait(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(set) = self.stateful.get(&workload) else { return };
        let pod = set.waits_for.and_then(|ordinal| set.names.get(&ordinal)).copied();
        let stuck = pod.filter(|&pod| {
            let row = &self.pods[pod];
            let lost = row.node.is_some_and(|node| !self.nodes[node].exists() || !self.nodes[node].healthy);
            let broken = matches!(row.phase, PodPhase::Failing | PodPhase::Unschedulable) && row.deleting.is_none();
            lost || broken
        });
        let Some(pod) = stuck else { return };
        if set.told != Some(pod) {
            let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::WaitingForPod };
            cx.facts.record(cx.now, self.pods[pod].last_fact, note);
            self.stateful.entry(workload).or_default().told = Some(pod);
        }
    }

    fn stateful_rolled_out(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        if let Some(rollout) = self.workloads[workload].rollout.take() {
            let done = FactKind::RolloutCompleted { workload, revision: rollout.revision };
            cx.facts.record(cx.now, rollout.fact, done);
            self.forget_old_revisions(workload);
        }
    }

    /// Whether a revision is kept although no pod may be of it: new pods below the partition are.
    pub(super) fn is_stateful_base(&self, workload: WorkloadId, revision: RevisionId) -> bool {
        self.stateful.get(&workload).is_some_and(|set| set.base == Some(revision))
    }

    /// Whether writes or waits of a StatefulSet are under way.
    pub(super) fn stateful_works(&self, workload: WorkloadId) -> bool {
        self.stateful.get(&workload).is_some_and(|set| set.is_busy() || set.waits_for.is_some())
    }

    /// Replicas that are of the revision that they should have now: below the partition, and where pods change only when
    /// they are deleted by hand, that is any.
    pub(super) fn stateful_updated(&self, workload: WorkloadId) -> Option<u32> {
        let spec = self.stateful_spec(workload)?;
        let row = &self.workloads[workload];
        let held = |ordinal: u32| spec.on_delete || ordinal < spec.first.saturating_add(spec.partition);
        let names = self.stateful.get(&workload)?.names.iter();
        let active = names.filter(|(_, pod)| {
            let pod = &self.pods[**pod];
            pod.active() && row.revisions.contains(&pod.revision)
        });
        Some(active.filter(|(o, pod)| held(**o) || Some(self.pods[**pod].revision) == row.current).count() as u32)
    }

    /// The book of names, taken again the slow way.
    pub(super) fn audit_names(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let stateful = |p: &PodId| self.catalog.workloads[self.pods[*p].workload].kind == WorkloadKind::StatefulSet;
        for pod in self.pods.ids().filter(|p| !self.pods[*p].gone).filter(stateful) {
            let row = &self.pods[pod];
            let holder = self.stateful.get(&row.workload).and_then(|set| set.names.get(&row.slot));
            if holder != Some(&pod) {
                wrong.push(format!("{pod:?} exists, and its name belongs to {holder:?}"));
            }
        }
        for set in self.stateful.values() {
            let gone = set.names.values().filter(|pod| self.pods[**pod].gone);
            wrong.extend(gone.map(|pod| format!("{pod:?} is gone, and its name is taken")));
        }
        wrong
    }
}
