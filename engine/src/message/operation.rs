//! What people do to a cluster, as commands to the control plane.
//!
//! Each is what a user of the original would type or apply; what comes of it is the controllers' business. Start at
//! [`Operation`].

use crate::fact::Component;
use crate::ids::{NodeId, PodId, Symbol, TemplateId, WorkloadId};
use crate::model::{Details, Taint};
use crate::time::Span;

/// What people do to a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creates a workload of the catalog.
    Apply {
        /// Which.
        workload: WorkloadId,
    },
    /// Removes a workload and its pods.
    Delete {
        /// Which.
        workload: WorkloadId,
    },
    /// Changes the wanted number of replicas.
    Scale {
        /// Which.
        workload: WorkloadId,
        /// To.
        replicas: u32,
    },
    /// Changes the template: a rollout begins.
    Deploy {
        /// Which.
        workload: WorkloadId,
        /// To.
        template: TemplateId,
    },
    /// Changes how a `StatefulSet` or `DaemonSet` is updated (`spec.updateStrategy`): partition, limits, by hand or not.
    Redeclare {
        /// Which.
        workload: WorkloadId,
        /// Its details from now on.
        details: Box<Details>,
    },
    /// Takes canaries for good, and lets the update go on (`nomad deployment promote`).
    Promote {
        /// Which.
        workload: WorkloadId,
    },
    /// Goes back to the revision before.
    Undo {
        /// Which.
        workload: WorkloadId,
    },
    /// Holds rollouts.
    Pause {
        /// Which.
        workload: WorkloadId,
    },
    /// Lets rollouts go on.
    Resume {
        /// Which.
        workload: WorkloadId,
    },
    /// Closes nodes for new pods.
    Cordon {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// Opens them again.
    Uncordon {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// Closes nodes and moves their pods away.
    Drain {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// Sets a label of nodes, or takes it away.
    Label {
        /// Which.
        nodes: Vec<NodeId>,
        /// Key.
        key: Symbol,
        /// Value; `None`: the label goes.
        value: Option<Symbol>,
    },
    /// Sets a taint on nodes, in the place of one with the same key and effect.
    Taint {
        /// Which.
        nodes: Vec<NodeId>,
        /// What.
        taint: Taint,
    },
    /// Removes taints with this key from nodes.
    Untaint {
        /// Which.
        nodes: Vec<NodeId>,
        /// Key, and effect unless `every_effect`.
        taint: Taint,
        /// Whatever their effect.
        every_effect: bool,
    },
    /// Sets what deleting pods costs (annotation `controller.kubernetes.io/pod-deletion-cost`).
    DeletionCost {
        /// Which.
        pods: Vec<PodId>,
        /// Lower goes first.
        cost: i32,
    },
    /// Removes the scheduling gates of a workload's pods, of those that exist now.
    Ungate {
        /// Which.
        workload: WorkloadId,
    },
    /// A priority class with `globalDefault` was created: pods of these templates are made of the others from now on,
    /// which differ in nothing but their priority. Pods that exist keep theirs.
    DefaultPriority {
        /// Template without a class, and its twin with the new priority.
        twins: Vec<(TemplateId, TemplateId)>,
    },
    /// Deletes node objects, as people or a cloud do for machines that are gone. What runs there is not told.
    RemoveNode {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// Stops or starts instances of a part of the control plane.
    ControlPlane {
        /// Which part.
        part: Component,
        /// What happens to it.
        change: PartChange,
    },
    /// Somebody asks the API server for far too much from now on, or stops doing so.
    Flood {
        /// What.
        flood: Flood,
        /// Whether it begins or ends.
        on: bool,
    },
    /// Deletes a namespace: all its workloads.
    DeleteNamespace {
        /// Which.
        namespace: Symbol,
    },
    /// Asks once for the eviction of pods, which their budgets may refuse. Without an eviction API: deletes them.
    Evict {
        /// Which.
        pods: Vec<PodId>,
    },
    /// Deletes pods. `None`: with their own grace.
    DeletePods {
        /// Which.
        pods: Vec<PodId>,
        /// Grace instead of their own.
        grace: Option<Span>,
    },
}

/// What happens to a part of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartChange {
    /// Instances stop.
    Stop(Instances),
    /// Instances that were stopped run again.
    Start(Instances),
}

/// Instances of a part of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// The one that leads. Of API servers, which have no leader: one.
    Leader,
    /// One that does not lead.
    Follower,
    /// All of them.
    All,
    /// So many that the others are not enough to decide, the leader among them.
    Quorum,
}

/// Requests to the API server by somebody who is not part of the orchestrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Priority level of the flow schema that they match.
    pub level: Level,
    /// How many a second, at all API servers together.
    pub rate: u32,
    /// Objects that each of them lists; 0: a small request.
    pub list_objects: u32,
}

/// Priority levels of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Requests of nodes, but for their heartbeats.
    System,
    /// Heartbeats of nodes.
    NodeHigh,
    /// Leases of the control plane's own parts.
    LeaderElection,
    /// Controllers and scheduler.
    WorkloadHigh,
    /// Programs in pods.
    WorkloadLow,
    /// Everybody else who is known.
    GlobalDefault,
    /// What matches nothing.
    CatchAll,
}
