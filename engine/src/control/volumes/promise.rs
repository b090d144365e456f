//! What a placement has promised is carried out before the pod is bound.
//!
//! The scheduler writes its choice of volumes and nodes into claims and volumes, then looks once a second whether the
//! controllers have followed. What is promised is worked out in [`crate::scheduler::volumes`]. Source:
//! kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumebinding/binder.go, `BindPodVolumes`. Start at
//! [`Control::promise_volumes`].

use crate::control::volumes::{StorageAlarm, StorageWrite};
use crate::control::{Control, Cx, Write};
use crate::fact::{Client, FactId};
use crate::ids::{NodeId, PodId};
use crate::scheduler::volumes::Promise;
use crate::time::Time;

/// A promise that is being carried out.
#[derive(Clone, Debug)]
pub(super) struct Promised {
    node: NodeId,
    promise: Promise,
    /// When the last of it was written.
    since: Time,
}

impl Control {
    /// A pod was placed. True when its volumes have to be seen to before it can be bound.
    pub(in crate::control) fn promise_volumes(
        &mut self,
        cx: &mut Cx<'_>,
        pod: PodId,
        node: NodeId,
        from: Time,
    ) -> bool {
        let catalog = std::sync::Arc::clone(&self.catalog);
        let promise = self.scheduling.scheduler.volumes.reserve(pod, node, &catalog);
        if promise.is_empty() {
            return false;
        }
        let by = (Client::Scheduler, self.pods[pod].last_fact);
        let objects = promise.bindings.len() + promise.provisions.len();
        for _ in 1..objects {
            self.store.spend(from, Client::Scheduler);
        }
        self.storage.promised.insert(pod, Promised { node, promise, since: from });
        self.write_at(cx, from, by, Write::Storage(StorageWrite::Promise(pod)));
        true
    }

    /// The store has what the scheduler promised: the controllers see it.
    pub(super) fn promise_written(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some(promised) = self.storage.promised.get_mut(&pod) else { return };
        promised.since = cx.now;
        let Promise { bindings, provisions } = promised.promise.clone();
        let lag = self.profile.control.watch_lag;
        for claim in bindings.iter().map(|&(claim, _)| claim).chain(provisions) {
            self.storage_alarm_at(cx, lag, cause, StorageAlarm::SyncClaim(claim));
        }
        self.storage_alarm_at(cx, self.profile.storage.bind_poll, cause, StorageAlarm::CheckPromise(pod));
    }

    /// Looks whether a pod's claims are bound, and binds the pod then. Too late, and the pod is placed anew.
    pub(super) fn check_promise(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some(promised) = self.storage.promised.get(&pod) else { return };
        let (node, since) = (promised.node, promised.since);
        let Promise { bindings, provisions } = &promised.promise;
        let mut claims = bindings.iter().map(|(claim, _)| claim).chain(provisions);
        if claims.all(|&claim| self.book().claims[claim].volume.is_some()) {
            self.storage.promised.remove(&pod);
            let by = (Client::Scheduler, self.pods[pod].last_fact);
            self.write_at(cx, cx.now, by, Write::Bind { pod, node });
        } else if cx.now.since(since) >= self.profile.storage.bind_timeout {
            self.break_promise(pod);
            self.free_place(cx, pod, node);
            self.enqueue(cx, pod);
        } else {
            self.storage_alarm_at(cx, self.profile.storage.bind_poll, cause, StorageAlarm::CheckPromise(pod));
        }
    }

    /// A placement came to nothing: what was not carried out is taken back. A volume that is being made is made, and its
    /// claim stays with its node, as in the original.
    pub(super) fn break_promise(&mut self, pod: PodId) {
        let Some(mut promised) = self.storage.promised.remove(&pod) else { return };
        promised.promise.provisions.retain(|claim| !self.storage.making.contains(claim));
        self.scheduling.scheduler.volumes.unreserve(&promised.promise);
    }
}
