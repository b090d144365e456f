//! Replicas that are created once: who finds no node is refused for good, and nobody replaces who is gone.
//!
//! A container that ended stays where it was, as the original lists it: it counts, and it may run again. Start at
//! [`Control::refuse_for_good`] and [`Control::replica_forgone`].
//!
//! Source: docker-archive/classicswarm:cluster/swarm/cluster.go, `createContainer`: it answers or fails, and keeps nothing.

use crate::control::{Control, Cx, PodPhase};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::PodId;
use crate::message::PodReport;

impl Control {
    /// Replicas are created once, and this one is no run of a job, which has a controller of its own everywhere.
    pub(super) fn stays_listed(&self, pod: PodId) -> bool {
        self.profile.replication.once && !self.is_job(self.pods[pod].workload)
    }

    /// No node has room for a container that was to be created: whoever asked is told so, and that is all.
    pub(super) fn refuse_for_good(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let cause = self.pods[pod].last_fact;
        let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::NoResourcesAvailable };
        let fact = cx.facts.record(cx.now, cause, note);
        self.replica_forgone(pod);
        self.pod_gone(cx, pod, fact);
    }

    /// A replica is gone and nobody makes another.
    pub(super) fn replica_forgone(&mut self, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, revision) = (row.workload, row.revision);
        self.workloads[workload].given_up += 1;
        self.revisions[revision].wanted = self.revisions[revision].wanted.saturating_sub(1);
    }

    /// A container that had ended runs again: its engine has started it.
    pub(super) fn container_back(&mut self, cx: &mut Cx<'_>, cause: FactId, (pod, report): (PodId, PodReport)) {
        let runs = matches!(report, PodReport::Starting | PodReport::Running { .. } | PodReport::Failing);
        let row = &self.pods[pod];
        if row.phase != PodPhase::Finished || row.deleting.is_some() || !runs {
            return;
        }
        let (workload, revision) = (row.workload, row.revision);
        self.workloads[workload].given_up = self.workloads[workload].given_up.saturating_sub(1);
        self.revisions[revision].wanted += 1;
        self.plan_workload(cx, workload, cause);
    }
}
