//! The engine as others see it: a state machine with a clock argument, and a read-only view.

use std::sync::Arc;

use crate::fact::FactLog;
use crate::ids::{NodeId, PodId, RevisionId, ServiceId, WorkloadId};
use crate::message::{Input, Order};
use crate::model::Catalog;
use crate::profile::Profile;
use crate::rng::Streams;
use crate::time::Time;

/// One orchestrator at work on one cluster. Cloning it forks the run.
#[derive(Clone)]
pub struct Engine {
    now: Time,
    catalog: Arc<Catalog>,
    profile: Profile,
    streams: Streams,
}

impl Engine {
    /// An engine that manages the catalog's nodes; workloads marked `at_start` are created at time zero.
    pub fn new(catalog: Arc<Catalog>, profile: Profile, streams: Streams) -> Self {
        Self { now: Time::ZERO, catalog, profile, streams }
    }

    /// The time of the last step.
    pub fn now(&self) -> Time {
        self.now
    }

    /// When the engine wants to be stepped next, even without inputs.
    pub fn next_wake(&self) -> Option<Time> {
        None
    }

    /// Takes in what happened up to `now`, draining `inputs`, and appends what it wants done.
    pub fn step(&mut self, now: Time, _inputs: &mut Vec<Input>, _orders: &mut Vec<Order>, _facts: &mut FactLog) {
        assert!(now >= self.now, "time does not run backwards");
        self.now = now;
    }

    /// What may be seen from outside.
    pub fn view(&self) -> View<'_> {
        View { engine: self }
    }
}

/// A read-only view of the control plane's state, for selectors, properties and reports.
#[derive(Clone, Copy)]
pub struct View<'a> {
    engine: &'a Engine,
}

/// A node as the control plane sees it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView {
    /// Which.
    pub id: NodeId,
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
    /// Everything declared.
    pub fn catalog(&self) -> &'a Catalog {
        &self.engine.catalog
    }

    /// Time of the view.
    pub fn now(&self) -> Time {
        self.engine.now
    }

    /// The profile at work.
    pub fn profile(&self) -> &'a Profile {
        &self.engine.profile
    }

    /// One node.
    pub fn node(&self, _id: NodeId) -> NodeView {
        unreachable!("skeleton")
    }

    /// All pods that are not deleted, in id order.
    pub fn pods(&self) -> impl Iterator<Item = PodView> + 'a {
        let _ = self.engine.streams;
        std::iter::empty()
    }

    /// One pod, unless deleted.
    pub fn pod(&self, _id: PodId) -> Option<PodView> {
        None
    }

    /// One workload.
    pub fn workload(&self, _id: WorkloadId) -> WorkloadView {
        unreachable!("skeleton")
    }

    /// Published endpoints of a service, in id order.
    pub fn endpoints(&self, _id: ServiceId) -> &'a [PodId] {
        &[]
    }
}
