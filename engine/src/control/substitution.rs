//! Replicas that go only when another one has taken their place.
//!
//! Such a replica does not count any more, so that replication makes another one for its slot, but it goes on serving.
//! It goes when the other one is ready, or when its time is over; or it stays after all, and the other one is dropped.
//! Whether it should go is decided elsewhere. Start at [`Control::supersede`].

use crate::control::tables::Loss;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId, RevisionId};
use crate::time::{Span, Time};

impl Control {
    /// A replica goes when another one is ready in its slot.
    pub(super) fn supersede(&mut self, cx: &mut Cx<'_>, cause: FactId, (pod, why): (PodId, Deletion)) {
        let row = &self.pods[pod];
        if !row.active() || row.delete_sent {
            return;
        }
        let (revision, slot, workload) = (row.revision, row.slot, row.workload);
        if self.is_job(workload) || self.is_set(workload) {
            return self.delete_pod(cx, (Client::Replication, cause), (pod, why, None)); // Nobody can be beside it.
        }
        self.superseded += 1;
        self.change(pod, |row| row.leaving = Some(why));
        let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::Superseded };
        let fact = cx.facts.record(cx.now, cause, kind);
        self.pods[pod].last_fact = fact;
        self.revisions[revision].losses.push_back(Loss { fact, not_before: Time::ZERO, slot });
        self.plan_revision(cx, revision, self.profile.control.watch_lag);
        self.plan_workload(cx, workload, fact);
    }

    /// A replica is ready: those whose place it takes may go.
    pub(super) fn substitute_ready(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        if self.superseded == 0 || !self.pods[pod].active() {
            return;
        }
        let cause = self.pods[pod].last_fact;
        for other in self.slot_mates(pod) {
            if let Some(why) = self.pods[other].leaving {
                self.delete_pod(cx, (Client::Replication, cause), (other, why, None));
            }
        }
    }

    /// A superseded replica that is still there has waited for long enough.
    pub(super) fn substitution_over(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        if let (Some(why), false) = (self.pods[pod].leaving, self.pods[pod].gone) {
            self.delete_pod(cx, (Client::Replication, cause), (pod, why, None));
        }
    }

    /// The monitor looks at a node that was heard again.
    pub(super) fn reinstate(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        if self.nodes[node].healthy && self.superseded > 0 {
            self.reinstate_pods_of(cx, cause, node);
        }
    }

    /// A node is drained: its replicas go when others are ready in their place, or when the deadline is over.
    pub(super) fn substitute_pods_of(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        (node, deadline): (NodeId, Option<Span>),
    ) {
        for pod in self.nodes[node].pods.clone() {
            self.supersede(cx, cause, (pod, Deletion::Drained));
            if let (Some(deadline), Some(Deletion::Drained)) = (deadline, self.pods[pod].leaving) {
                cx.timers.set(cx.now + deadline, cause, Alarm::SubstitutionOver(pod));
            }
        }
    }

    /// A node is heard again: what was superseded because of its silence stays, and what was to replace it is dropped.
    fn reinstate_pods_of(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        for pod in self.nodes[node].pods.clone() {
            let row = &self.pods[pod];
            if row.leaving != Some(Deletion::NodeLost) || row.gone || row.delete_sent || row.deleting.is_some() {
                continue;
            }
            self.superseded -= 1;
            self.change(pod, |row| row.leaving = None);
            let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::Reinstated };
            let fact = cx.facts.record(cx.now, cause, kind);
            self.pods[pod].last_fact = fact;
            let (revision, slot) = (self.pods[pod].revision, self.pods[pod].slot);
            self.revisions[revision].losses.retain(|loss| loss.slot != slot);
            for other in self.slot_mates(pod) {
                self.delete_pod(cx, (Client::Replication, fact), (other, Deletion::Unneeded, None));
            }
            self.plan_revision(cx, revision, self.profile.control.watch_lag);
        }
    }

    /// Superseded replicas of a revision that nobody is going to replace go at once.
    pub(super) fn drop_superseded(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        if self.superseded == 0 {
            return;
        }
        let row = &self.revisions[revision];
        let cause = row.wanted_fact;
        let alone =
            |pod: &PodId| self.pods[*pod].leaving.is_some() && !self.slot_mates(*pod).any(|p| self.is_active(p));
        let alone: Vec<PodId> = row.pods.iter().copied().filter(alone).collect();
        for pod in alone {
            let why = self.pods[pod].leaving.unwrap_or(Deletion::ScaledDown);
            self.delete_pod(cx, (Client::Replication, cause), (pod, why, None));
        }
    }

    /// A pod is gone or on its way out for good: nobody waits for what was to take its place.
    pub(super) fn no_longer_superseded(&mut self, pod: PodId) {
        if self.pods[pod].leaving.is_some() {
            self.superseded -= 1;
            self.change(pod, |row| row.leaving = None);
        }
    }

    fn is_active(&self, pod: PodId) -> bool {
        self.pods[pod].active()
    }

    /// Other replicas in the slot of this one.
    fn slot_mates(&self, pod: PodId) -> impl Iterator<Item = PodId> + use<> {
        let row = &self.pods[pod];
        let revisions = &self.workloads[row.workload].revisions;
        let pods = revisions.iter().flat_map(|&r| &self.revisions[r].pods).copied();
        let mates: Vec<PodId> = pods.filter(|&p| p != pod && self.pods[p].slot == row.slot).collect();
        mates.into_iter()
    }
}
