//! Revisions keep their number: the controller of ReplicaSets, and of tasks in other profiles.
//!
//! One pass compares wanted and active replicas and sends creations in growing batches, or deletions in a fixed order,
//! and looks again when the store has them all. Start at [`Control::sync_revision`].

use crate::control::tables::{ANY_SLOT, Loss};
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::model::WorkloadKind;
use crate::profile::Removal;
use crate::rng::Purpose;
use crate::rollout::replication::{self, Change, PodFacts, Stage};
use crate::time::{Span, Time};

impl Control {
    /// Plans a look at a revision, unless one is planned.
    pub(super) fn plan_revision(&mut self, cx: &mut Cx<'_>, revision: RevisionId, after: Span) {
        let workload = self.revisions[revision].workload;
        if self.is_job(workload) || self.is_set(workload) || self.is_group(workload) {
            return; // Its own controller looks after it.
        }
        let row = &mut self.revisions[revision];
        if !row.sync_planned {
            row.sync_planned = true;
            cx.timers.set(cx.now + after, row.wanted_fact, Alarm::SyncRevision(revision));
        }
    }

    /// The store has a new wanted number.
    pub(super) fn revision_scaled(&mut self, cx: &mut Cx<'_>, cause: FactId, revision: RevisionId, wanted: u32) {
        let row = &mut self.revisions[revision];
        row.scaling = false;
        let (from, workload) = (row.wanted, row.workload);
        let owner = &self.workloads[workload];
        if !owner.exists || !owner.revisions.contains(&revision) {
            return; // Its workload was deleted while the change was on its way.
        }
        let row = &mut self.revisions[revision];
        if from != wanted {
            row.wanted = wanted;
            row.wanted_fact = cx.facts.record(cx.now, cause, FactKind::RevisionScaled { revision, from, to: wanted });
            self.plan_revision(cx, revision, self.profile.control.watch_lag);
        }
        self.plan_workload(cx, workload, cause);
    }

    /// Creates or deletes what is missing or too much. Nothing happens while creations of an earlier pass are under way.
    pub(super) fn sync_revision(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let row = &mut self.revisions[revision];
        row.sync_planned = false;
        if row.creating > 0 || row.to_create > 0 {
            return; // It looks again when the last creation is done.
        }
        let (active, wanted, burst) = (row.tally.active, row.wanted, self.profile.replication.burst);
        let staying = active.saturating_sub(row.deleting);
        // What is held back is not made, and nobody goes for it.
        let wanted = wanted.saturating_sub(row.held).max(staying.min(wanted));
        match replication::diff(staying, wanted, burst) {
            Change::Create(missing) => {
                row.to_create = missing;
                row.batch = if self.profile.replication.slow_start { 1 } else { missing };
                self.create_batch(cx, revision);
            }
            Change::Remove(surplus) => self.remove_surplus(cx, revision, surplus),
            // Replicas that were lost and are not wanted any more need no replacement.
            Change::Nothing => {
                row.losses.clear();
                self.drop_superseded(cx, revision);
            }
        }
    }

    /// Sends a batch of creations; the next one, twice as large, goes when the store has them all.
    /// Source: kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go, `slowStartBatch`.
    fn create_batch(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let row = &mut self.revisions[revision];
        let n = row.batch.min(row.to_create);
        row.to_create -= n;
        row.creating += n;
        row.batch = row.batch.saturating_mul(2);
        for _ in 0..n {
            let row = &mut self.revisions[revision];
            let fresh = Loss { fact: row.wanted_fact, not_before: Time::ZERO, slot: ANY_SLOT };
            let Loss { fact, not_before, slot } = row.losses.pop_front().unwrap_or(fresh);
            self.slot_creating(self.revisions[revision].workload, slot);
            self.write(cx, Client::Replication, fact, Write::CreatePod { revision, not_before, slot });
        }
    }

    /// The store has one creation of a batch.
    pub(super) fn creation_done(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        if self.is_job(self.revisions[revision].workload) {
            return self.job_creation_done(cx, revision);
        }
        if self.is_group(self.revisions[revision].workload) {
            return; // `group_created` has counted it.
        }
        let row = &mut self.revisions[revision];
        row.creating -= 1;
        match (row.creating, row.to_create) {
            (0, 0) => {
                // A pass that has created something ends with a write of the status. Recorded on 1.36.2.
                // Source: kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go, `syncReplicaSet`.
                if self.profile.control.event_burst > 0 {
                    self.store.spend(cx.now, Client::Replication);
                }
                self.plan_revision(cx, revision, self.profile.control.watch_lag);
            }
            (0, _) => self.create_batch(cx, revision),
            _ => {}
        }
    }

    /// Which of a revision's pods go when there are so many too many.
    pub(super) fn surplus_of(&self, revision: RevisionId, n: u32, now: Time) -> Vec<PodId> {
        let row = &self.revisions[revision];
        let staying = row.pods.iter().filter(|&&p| self.pods[p].active() && !self.pods[p].delete_sent);
        let candidates: Vec<_> = staying.map(|&p| self.pod_facts(p)).collect();
        replication::removals(self.profile.replication.removal, &candidates, n, now)
    }

    /// A creation of a batch was refused: the batch is the last one, and its controller tries again later.
    pub(super) fn creation_given_up(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let row = &mut self.revisions[revision];
        row.creating -= 1;
        // Source: kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go, `slowStartBatch`.
        row.to_create = 0;
        let workload = row.workload;
        if self.is_group(workload) {
            return self.group_refused(cx, workload);
        }
        if self.is_set(workload) {
            let slot = self.revisions[revision].losses.pop_back().map_or(ANY_SLOT, |loss| loss.slot);
            self.set_creation_refused(cx, revision, slot);
        }
        self.plan_workload(cx, workload, FactId::NONE);
    }

    fn remove_surplus(&mut self, cx: &mut Cx<'_>, revision: RevisionId, n: u32) {
        let doomed = self.surplus_of(revision, n, cx.now);
        let row = &self.revisions[revision];
        let cause = row.wanted_fact;
        let current = self.workloads[row.workload].current == Some(revision);
        let why = if current { Deletion::ScaledDown } else { Deletion::RolledOut };
        for pod in doomed {
            self.revisions[revision].deleting += 1;
            self.delete_pod(cx, (Client::Replication, cause), (pod, why, None));
        }
    }

    /// A pod as the choice of victims sees it.
    fn pod_facts(&self, pod: PodId) -> PodFacts {
        let row = &self.pods[pod];
        let silent = row.node.is_some_and(|node| !self.nodes[node].healthy);
        let youngest = self.profile.replication.removal == Removal::Youngest;
        // An update ends what is not healthy first; scaling down does not care.
        let old = self.workloads[row.workload].current != Some(row.revision);
        let stage = match row.phase {
            _ if youngest && silent => Stage::Unknown,
            phase if youngest && old && phase != PodPhase::Ready => Stage::Pending,
            PodPhase::Running | PodPhase::Ready | PodPhase::Failing if row.node.is_some() => Stage::Running,
            _ => Stage::Pending,
        };
        // Only revisions of one owner are related: a ReplicaSet that nobody owns crowds no node.
        // Source: kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go, `getReplicaSetsWithSameController`.
        let owned = self.catalog.workloads[row.workload].kind != WorkloadKind::ReplicaSet;
        let neighbours = row.node.filter(|_| owned).map_or(0, |node| {
            let on_node = self.nodes[node].pods.iter().map(|&p| &self.pods[p]);
            on_node.filter(|other| other.workload == row.workload && other.active()).count() as u32
        });
        // A pod's UID is as good as random, and so is this; slots are numbers that people see.
        let uid = self.streams.stream(Purpose::Controller, pod.0.wrapping_add(1)).bits();
        let tie = match self.profile.replication.removal {
            Removal::Ranked | Removal::RankedExactly | Removal::Zones => uid,
            Removal::Crowded | Removal::Newest | Removal::Youngest => u64::from(row.slot),
        };
        PodFacts {
            id: pod,
            node: row.node,
            zone: row.node.map(|node| self.catalog.nodes[node].zone),
            stage,
            ready_since: (row.phase == PodPhase::Ready).then_some(row.ready_since),
            deletion_cost: row.deletion_cost,
            neighbours,
            restarts: row.restarts,
            created: row.created,
            tie,
        }
    }

    /// All replicas of a workload are deleted, whatever their revision.
    pub(super) fn delete_all_replicas(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        for revision in self.workloads[workload].revisions.clone() {
            self.revisions[revision].wanted = 0;
            self.revisions[revision].to_create = 0;
            self.revisions[revision].losses.clear();
            for pod in self.revisions[revision].pods.clone() {
                self.delete_pod(cx, (Client::Operator, cause), (pod, Deletion::WorkloadDeleted, None));
            }
        }
    }
}
