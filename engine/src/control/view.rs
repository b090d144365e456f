//! What may be seen of the control plane's state from outside, read-only.

use crate::control::Control;
use crate::ids::{NodeId, PodId, RevisionId, ServiceId, TemplateId, WorkloadId};
use crate::model::Catalog;
use crate::profile::Profile;
use crate::time::Time;

/// A read-only view of the control plane's state, for selectors, properties and reports.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(super) control: &'a Control,
    now: Time,
}

/// A node as the control plane sees it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView {
    /// Which.
    pub id: NodeId,
    /// Whether the cluster has it: false from the deletion of its object until it registers again.
    pub exists: bool,
    /// Whether it is considered healthy.
    pub healthy: bool,
    /// Closed for new pods by an operator.
    pub cordoned: bool,
    /// Sum of requests of pods bound to it: CPU in thousandths of a core.
    pub requested_cpu: i64,
    /// Sum of requests of pods bound to it: bytes of memory.
    pub requested_memory: i64,
    /// Pods bound to it.
    pub pods: u32,
}

/// A pod as the control plane sees it. Deleted pods are not shown.
#[derive(Clone, Copy, Debug)]
pub struct PodView {
    /// Which.
    pub id: PodId,
    /// Of which workload.
    pub workload: WorkloadId,
    /// Of which version.
    pub revision: RevisionId,
    /// What it is made of.
    pub template: TemplateId,
    /// Where it is bound.
    pub node: Option<NodeId>,
    /// How far it is.
    pub phase: PodPhase,
    /// Deletion was asked for.
    pub deleting: bool,
}

/// How far a pod is, in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not bound, in the queue or being decided.
    Queued,
    /// Not bound: no node fits at present.
    Unschedulable,
    /// Bound, containers being prepared.
    Starting,
    /// Running, not ready.
    Running,
    /// Running and ready.
    Ready,
    /// A container failed and waits for its restart.
    Failing,
    /// Ended.
    Finished,
}

/// A workload as the control plane sees it.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadView {
    /// Which.
    pub id: WorkloadId,
    /// Exists now.
    pub exists: bool,
    /// Wanted replicas.
    pub desired: u32,
    /// Replicas that exist and are not being deleted.
    pub active: u32,
    /// Of these: ready.
    pub ready: u32,
    /// Of these: of the newest revision.
    pub updated: u32,
    /// Creations, deletions or waits are under way that will change `active`.
    pub working: bool,
    /// A rollout is under way (not paused, not complete).
    pub rolling: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(control: &'a Control, now: Time) -> Self {
        Self { control, now }
    }

    /// Everything declared.
    pub fn catalog(&self) -> &'a Catalog {
        &self.control.catalog
    }

    /// Time of the view.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The profile at work.
    pub fn profile(&self) -> &'a Profile {
        &self.control.profile
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> NodeView {
        let row = &self.control.nodes[id];
        let (requested_cpu, requested_memory) = self.control.requested_on(id);
        NodeView {
            id,
            exists: row.exists(),
            healthy: row.exists() && row.healthy,
            cordoned: row.cordoned,
            requested_cpu,
            requested_memory,
            pods: row.pods.len() as u32,
        }
    }

    /// All pods that are not deleted, in id order.
    pub fn pods(&self) -> impl Iterator<Item = PodView> + use<'a> {
        let view = *self;
        self.control.pods.ids().filter_map(move |id| view.pod(id))
    }

    /// One pod, unless deleted.
    pub fn pod(&self, id: PodId) -> Option<PodView> {
        let row = self.control.pods.get(id).filter(|row| !row.gone)?;
        Some(PodView {
            id,
            workload: row.workload,
            revision: row.revision,
            template: row.template,
            node: row.node,
            phase: row.phase,
            deleting: row.deleting.is_some(),
        })
    }

    /// The number of a pod among its workload's replicas, also of one that is gone: the ordinal of a StatefulSet's pod, the
    /// number of a DaemonSet's node, the index of an indexed job's pod.
    pub fn slot(&self, id: PodId) -> u32 {
        self.control.pods[id].slot
    }

    /// The scheduler's attempts since [`crate::Engine::keep_attempts`], in their order.
    pub fn attempts(&self) -> &'a [(Time, PodId)] {
        self.control.scheduling.attempts.as_deref().unwrap_or_default()
    }

    /// One workload.
    pub fn workload(&self, id: WorkloadId) -> WorkloadView {
        let row = &self.control.workloads[id];
        let mut view = WorkloadView {
            id,
            exists: row.exists,
            desired: row.desired,
            active: 0,
            ready: 0,
            updated: 0,
            // Where nobody is to replace what is gone, nobody is at fault either.
            working: row.sync_planned || self.control.profile.replication.once,
            rolling: row.rollout.is_some() && !row.paused,
        };
        for &revision in &row.revisions {
            let state = self.control.revision_state(revision, self.now);
            view.active += state.active;
            view.ready += state.ready;
            if Some(revision) == row.current {
                view.updated += state.active;
            }
            let r = &self.control.revisions[revision];
            view.working |= self.control.job_working(revision);
            view.working |= r.creating > 0 || r.to_create > 0 || r.deleting > 0 || r.sync_planned || r.scaling;
        }
        view.working |= self.control.set_works(id) || self.control.group_works(id);
        if let Some(updated) = self.control.stateful_updated(id) {
            view.updated = updated;
        }
        if let Some((active, ready, updated)) = self.control.daemon_counts(id) {
            (view.active, view.ready, view.updated) = (active, ready, updated);
        }
        view
    }

    /// Published endpoints of a service, in id order.
    pub fn endpoints(&self, id: ServiceId) -> &'a [PodId] {
        &self.control.services[id].endpoints
    }
}
