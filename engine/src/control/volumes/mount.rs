//! When an agent can start a pod whose volumes have to be attached and mounted first.
//!
//! The agent's volume manager stands here and not in the agent, because all it waits for is what the control plane
//! writes: an agent is told of the pod when its volumes are mounted. Before it mounts, it says in its node's status that
//! it will use the volume, which happens on the status grid, and then asks with growing waits whether it is attached.
//! Sources: kubernetes/kubernetes:pkg/kubelet/volumemanager/reconciler/reconciler_common.go, `waitForVolumeAttach`;
//! pkg/volume/util/operationexecutor/operation_generator.go, `GenerateVerifyControllerAttachedVolumeFunc`. Start at
//! [`Control::await_volumes`].

use crate::control::volumes::StorageAlarm;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::{ClaimId, NodeId, PodId, TemplateId, VolumeId};
use crate::time::{Span, Time};

/// A pod whose agent waits.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) node: NodeId,
    /// Volumes that are to be attached.
    pub(super) volumes: Vec<VolumeId>,
    /// When the agent has said that it will use them.
    reported: Time,
    /// The mount is under way.
    mounting: bool,
}

impl Control {
    /// A pod is bound: its volumes are wanted on its node, and its agent waits for them.
    pub(in crate::control) fn await_volumes(&mut self, cx: &mut Cx<'_>, pod: PodId, node: NodeId) {
        if self.scheduling.scheduler.volumes.needs(pod).is_none_or(|needs| needs.claims.is_empty()) {
            return;
        }
        let cause = self.pods[pod].last_fact;
        let seen = cx.now + self.profile.control.watch_lag;
        let period = self.profile.agent.status_period;
        let reported = (seen + Span::from_nanos(1)).next_tick(period, self.storage.phase(Some(node), period));
        let timeout = seen + self.profile.storage.mount_timeout;
        self.storage.waiting.insert(pod, Wait { node, volumes: Vec::new(), reported, mounting: false });
        cx.timers.set(timeout, cause, Alarm::Storage(StorageAlarm::MountTimeout(pod)));
        self.find_volumes(cx, cause, pod);
    }

    /// Finds out which volumes a waiting pod wants; all its claims must be bound.
    fn find_volumes(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some(needs) = self.scheduling.scheduler.volumes.needs(pod) else { return };
        let volume = |claim: Option<ClaimId>| self.book().claims[claim?].volume;
        let bound: Option<Vec<VolumeId>> = needs.claims.iter().map(|used| volume(used.claim)).collect();
        let Some(mut volumes) = bound else { return };
        volumes.retain(|&volume| self.book().volumes[volume].spec.driver.is_some());
        volumes.sort_unstable();
        volumes.dedup();
        let Some(wait) = self.storage.waiting.get_mut(&pod) else { return };
        wait.volumes.clone_from(&volumes);
        let node = wait.node;
        let pairs: Vec<_> = volumes.into_iter().map(|volume| (volume, node)).collect();
        self.want(cx, cause, pod, &pairs);
        self.plan_mount(cx, cause, pod);
    }

    /// A claim is bound: pods that were bound by hand may have waited for it.
    pub(super) fn mounts_of_claim(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        let volumes = &self.scheduling.scheduler.volumes;
        let uses = |pod: &PodId| volumes.needs(*pod).is_some_and(|n| n.claims.iter().any(|c| c.claim == Some(claim)));
        let waiting: Vec<PodId> = self.storage.waiting.keys().copied().filter(uses).collect();
        for pod in waiting {
            self.find_volumes(cx, cause, pod);
        }
    }

    /// Plans the mount of a pod's volumes, once all are attached.
    pub(super) fn plan_mount(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some(wait) = self.storage.waiting.get(&pod).filter(|wait| !wait.mounting) else { return };
        let attached = |volume: &VolumeId| self.storage.attachments.is_attached_to((*volume, wait.node));
        if !wait.volumes.iter().all(attached) {
            return;
        }
        // The attachment is written into the node's status, and the agent sees it there.
        let visible = cx.now + self.profile.control.store_write + self.profile.control.watch_lag;
        let noticed = if wait.volumes.is_empty() { visible } else { self.next_try(wait.reported, visible) };
        let mounted = noticed + self.profile.storage.mount;
        self.storage.waiting.get_mut(&pod).expect("it was found above").mounting = true;
        cx.timers.set(mounted, cause, Alarm::Storage(StorageAlarm::Mounted(pod)));
    }

    /// When an agent that asks since `first`, with growing waits, asks next at or after `at`.
    fn next_try(&self, first: Time, at: Time) -> Time {
        let policy = &self.profile.storage;
        let (mut next, mut wait) = (first, policy.mount_retry.max(Span::from_nanos(1)));
        while next < at {
            next += wait;
            wait = wait.times(2).min(policy.mount_retry_max.max(policy.mount_retry).max(Span::from_nanos(1)));
        }
        next
    }

    /// An agent has mounted a pod's volumes: it starts the pod. One that is not heard has not.
    pub(super) fn mounted(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some(wait) = self.storage.waiting.get_mut(&pod) else { return };
        let on = &self.nodes[wait.node];
        if on.heard && !on.steady {
            wait.mounting = false;
            return;
        }
        let Some(Wait { node, volumes, .. }) = self.storage.waiting.remove(&pod) else { return };
        self.storage.mounts.insert(pod, (node, volumes.clone()));
        for volume in volumes {
            self.set_mounted(cx, cause, pod, (volume, node));
        }
        let at = self.pods[pod].not_before.max(cx.now);
        if at < Time::MAX {
            cx.timers.set(at, cause, Alarm::Assign(pod));
        }
    }

    /// An agent complains of volumes that are not there.
    pub(super) fn mount_timed_out(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        if self.storage.waiting.contains_key(&pod) {
            let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::FailedAttachVolume };
            cx.facts.record(cx.now, cause, kind);
        }
    }

    /// Whether a pod cannot be started yet because of its volumes.
    pub(in crate::control) fn waits_for_volumes(&self, pod: PodId) -> bool {
        !self.storage.waiting.is_empty() && self.storage.waiting.contains_key(&pod)
    }

    /// An agent has stopped a pod and unmounted its volumes; its node's next status says so.
    pub(in crate::control) fn storage_let_go(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, node: NodeId) {
        if self.storage.mounts.get(&pod).is_some_and(|(on, _)| *on == node) {
            let period = self.profile.agent.status_period;
            let at = cx.now.next_tick(period, self.storage.phase(Some(node), period));
            cx.timers.set(at, cause, Alarm::Storage(StorageAlarm::Released(pod)));
        }
    }

    /// A node's status does not list a pod's volumes any more.
    pub(super) fn released(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some((node, volumes)) = self.storage.mounts.remove(&pod) else { return };
        for volume in volumes {
            self.set_mounted(cx, cause, pod, (volume, node));
        }
    }

    /// An agent is back: pods that it should run are mounted as soon as their volumes are there.
    pub(in crate::control) fn storage_agent_back(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        if self.storage.waiting.is_empty() {
            return;
        }
        let waiting: Vec<PodId> =
            self.storage.waiting.iter().filter(|(_, wait)| wait.node == node).map(|(pod, _)| *pod).collect();
        for pod in waiting {
            self.plan_mount(cx, cause, pod);
        }
    }

    /// Pods that are gone and whose volumes a node still had when it was last heard. Its agent is told to stop them, and
    /// says so at once when it does not know them any more: that is what its next status would show.
    pub(in crate::control) fn storage_leftovers(&self, node: NodeId) -> Vec<(PodId, TemplateId, Option<Span>)> {
        let left = self.storage.mounts.iter().filter(|(pod, (on, _))| *on == node && self.pods[**pod].gone);
        left.map(|(&pod, _)| {
            let template = self.pods[pod].template;
            let grace = self.catalog.templates[template].grace.unwrap_or(self.profile.agent.default_grace);
            (pod, template, Some(grace))
        })
        .collect()
    }
}
