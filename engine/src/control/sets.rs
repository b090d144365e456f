//! Where the life of pods meets the controllers that look after their pods themselves: StatefulSets and DaemonSets.
//!
//! Each hook asks for the kind and hands on; workloads of other kinds pass. Start at [`Control::is_set`].

use crate::control::{Control, Cx};
use crate::fact::{Client, Deletion, FactId};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::model::Details;
use crate::model::WorkloadKind::{DaemonSet, StatefulSet};

impl Control {
    /// Whether a workload's own controller creates and deletes its pods one by one, instead of keeping a number.
    pub(super) fn is_set(&self, workload: WorkloadId) -> bool {
        matches!(self.catalog.workloads[workload].kind, StatefulSet | DaemonSet)
    }

    /// A workload begins its life.
    pub(super) fn set_applied(&mut self, workload: WorkloadId) {
        match self.catalog.workloads[workload].kind {
            StatefulSet => self.stateful_applied(workload),
            DaemonSet => self.daemon_applied(workload),
            _ => {}
        }
    }

    /// A workload has a new template.
    pub(super) fn set_deployed(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let client = match self.catalog.workloads[workload].kind {
            StatefulSet => Client::Stateful,
            DaemonSet => Client::Daemon,
            _ => return,
        };
        // A ControllerRevision is one request of its controller.
        self.store.spend(cx.now, client);
        if client == Client::Daemon {
            self.daemon_deployed(workload);
        }
        if self.updates_by_hand(workload) {
            self.workloads[workload].rollout = None;
        }
    }

    fn updates_by_hand(&self, workload: WorkloadId) -> bool {
        self.stateful_spec(workload).is_some_and(|spec| spec.on_delete)
            || self.daemon_spec(workload).is_some_and(|spec| spec.on_delete)
    }

    /// Somebody changes how a workload is updated; other kinds and other details pass.
    pub(super) fn redeclare(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId, details: &Details) {
        match details {
            Details::Stateful(spec) => self.stateful_declared(workload, spec),
            Details::Daemon(spec) => self.daemon_declared(workload, spec),
            Details::None | Details::Job(_) | Details::Cron(_) => return,
        }
        self.plan_workload(cx, workload, cause);
    }

    /// A workload is deleted.
    pub(super) fn set_deleted(&mut self, workload: WorkloadId) {
        match self.catalog.workloads[workload].kind {
            StatefulSet => self.stateful_deleted(workload),
            DaemonSet => self.daemon_deleted(workload),
            _ => {}
        }
    }

    /// One pass of a workload's own controller.
    pub(super) fn sync_set(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        match self.catalog.workloads[workload].kind {
            DaemonSet => self.sync_daemon(cx, workload),
            _ => self.sync_stateful(cx, workload),
        }
    }

    /// The store has a new pod. One that comes after its workload was deleted goes at once.
    pub(super) fn set_pod_created(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, revision, slot, fact) = (row.workload, row.revision, row.slot, row.last_fact);
        let owner = &self.workloads[workload];
        let wanted = owner.exists && owner.revisions.contains(&revision);
        match self.catalog.workloads[workload].kind {
            StatefulSet => self.stateful_created(cx, pod),
            DaemonSet if wanted => self.daemon_create_done(cx, workload, (slot, Some(pod))),
            DaemonSet => {}
            _ => return,
        }
        if !wanted {
            self.delete_pod(cx, (Client::Operator, fact), (pod, Deletion::WorkloadDeleted, None));
        }
    }

    /// The API server refused a creation.
    pub(super) fn set_creation_refused(&mut self, cx: &mut Cx<'_>, revision: RevisionId, slot: u32) {
        let row = &self.revisions[revision];
        let workload = row.workload;
        if !self.workloads[workload].revisions.contains(&revision) && !self.is_stateful(workload) {
            return;
        }
        match self.catalog.workloads[workload].kind {
            StatefulSet => self.stateful_refused(cx, workload, slot),
            DaemonSet => self.daemon_refused(cx, workload, slot),
            _ => {}
        }
    }

    fn is_stateful(&self, workload: WorkloadId) -> bool {
        self.catalog.workloads[workload].kind == StatefulSet
    }

    /// A pod became ready, is not any more, began to fail, or its deletion began.
    pub(super) fn set_pod_changed(&mut self, cx: &mut Cx<'_>, pod: PodId, cause: FactId) {
        let row = &self.pods[pod];
        let (workload, slot, leaves) = (row.workload, row.slot, row.deleting.is_some());
        match self.catalog.workloads[workload].kind {
            StatefulSet if leaves => self.stateful_written(cx, workload, slot),
            StatefulSet => {}
            DaemonSet => self.daemon_changed(cx, pod),
            _ => return,
        }
        self.plan_workload(cx, workload, cause);
    }

    /// A pod is gone.
    pub(super) fn set_pod_gone(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        match self.catalog.workloads[self.pods[pod].workload].kind {
            StatefulSet => self.stateful_gone(cx, pod),
            DaemonSet => self.daemon_changed(cx, pod),
            _ => {}
        }
    }

    /// Whether writes or waits of a workload's own controller are under way.
    pub(super) fn set_works(&self, workload: WorkloadId) -> bool {
        self.stateful_works(workload) || self.daemon_works(workload)
    }
}
