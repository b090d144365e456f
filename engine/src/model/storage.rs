//! Storage as declared: classes, volumes, claims, and what a pod mounts.

use crate::ids::{ClaimId, StorageClassId, Symbol};
use crate::labels::Selector;
use crate::model::{Bytes, NodeTerm};

/// How volumes of a class come to be.
#[derive(Clone, Debug)]
pub struct StorageClassSpec {
    /// Name.
    pub name: Symbol,
    /// Who provisions; the limits of a node and the attachments go by it (a CSI driver's name).
    pub provisioner: Symbol,
    /// Volumes can be made on demand. False for `kubernetes.io/no-provisioner`.
    pub dynamic: bool,
    /// When a claim is bound.
    pub binding: BindingMode,
    /// Where volumes can be made; empty: everywhere. Alternatives.
    pub allowed_topologies: Vec<NodeTerm>,
    /// What becomes of a volume whose claim is deleted.
    pub reclaim: Reclaim,
    /// Claims that name no class get this one.
    pub default: bool,
}

/// When a claim of a class is bound to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingMode {
    /// As soon as it exists.
    Immediate,
    /// When a pod that uses it is placed.
    WaitForFirstConsumer,
}

/// What becomes of a volume whose claim is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaim {
    /// It stays, released.
    Retain,
    /// It is deleted.
    Delete,
}

/// Who may mount a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessMode {
    /// Pods of one node, for writing.
    ReadWriteOnce,
    /// One pod in the cluster.
    ReadWriteOncePod,
    /// Any number of nodes, for reading.
    ReadOnlyMany,
    /// Any number of nodes, for writing.
    ReadWriteMany,
}

/// A volume declared by hand.
#[derive(Clone, Debug)]
pub struct VolumeSpec {
    /// Name.
    pub name: Symbol,
    /// Size.
    pub capacity: Bytes,
    /// How it may be mounted.
    pub access: Vec<AccessMode>,
    /// Class; `None`: only claims without a class take it.
    pub class: Option<Symbol>,
    /// Labels, for claims with a selector and for the zone rule.
    pub labels: crate::labels::Labels,
    /// Nodes that can reach it; empty: all. Alternatives.
    pub affinity: Vec<NodeTerm>,
    /// The driver that attaches it, for the limits of a node. `None`: nothing is attached (NFS, hostPath, local).
    pub driver: Option<Symbol>,
    /// The only claim that may take it.
    pub reserved: Option<ClaimId>,
    /// What becomes of it without its claim.
    pub reclaim: Reclaim,
}

/// A claim declared by hand, or one of a stateful workload's.
#[derive(Clone, Debug)]
pub struct ClaimSpec {
    /// Name, unique in its namespace.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Size asked for.
    pub request: Bytes,
    /// How it is to be mounted.
    pub access: Vec<AccessMode>,
    /// Class after defaulting; `None`: `storageClassName: ""`, or no default class exists.
    pub class: Option<StorageClassId>,
    /// The class's name as written, when no such class exists: the claim stays pending.
    pub unknown_class: Option<Symbol>,
    /// Labels that the volume must carry.
    pub selector: Option<Selector>,
    /// The volume named by the claim.
    pub volume: Option<Symbol>,
    /// False for claims that a workload makes as its replicas come (the row is made for each ordinal at load).
    pub at_start: bool,
}

/// A volume that a pod mounts and that decides where it can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodVolume {
    /// A claim by name. `None`: no claim of that name is declared, so the pod waits for it.
    Claim {
        /// As written.
        name: Symbol,
        /// The declared claim.
        claim: Option<ClaimId>,
        /// Only for reading.
        read_only: bool,
    },
    /// A claim of its own for each pod, that lives and dies with it (`ephemeral.volumeClaimTemplate`).
    Ephemeral {
        /// Class of the claims to make.
        class: Option<StorageClassId>,
        /// Size of each.
        request: Bytes,
    },
    /// A disk named in the pod itself (`gcePersistentDisk`, `awsElasticBlockStore`, `rbd`, `iscsi`): two pods that write
    /// it cannot share a node.
    Disk {
        /// Kind and identity.
        identity: Symbol,
        /// Only for reading.
        read_only: bool,
    },
}
