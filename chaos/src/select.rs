//! Who is hit: by name, label, zone, role, workload, and how many of those.

use shakedown_engine::ids::{NodeId, ServiceId, Symbol, WorkloadId, ZoneId};

/// Nodes that match every given condition, cut down by `mode`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSelection {
    /// One of these. Empty: any.
    pub names: Vec<NodeId>,
    /// All of these labels.
    pub labels: Vec<(Symbol, Symbol)>,
    /// In one of these zones. Empty: any.
    pub zones: Vec<ZoneId>,
    /// With one of these roles. Empty: any.
    pub roles: Vec<Symbol>,
    /// Running at least one pod of this workload.
    pub hosting: Option<WorkloadId>,
    /// How many of the matching ones.
    pub mode: Mode,
}

/// Pods that match every given condition, cut down by `mode`. Pods that ended or are being deleted never match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSelection {
    /// Of this workload.
    pub workload: Option<WorkloadId>,
    /// Behind this service.
    pub service: Option<ServiceId>,
    /// All of these labels.
    pub labels: Vec<(Symbol, Symbol)>,
    /// On a node that matches.
    pub on: Option<NodeSelection>,
    /// How many of the matching ones.
    pub mode: Mode,
}

/// How many of the matching targets are hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All.
    #[default]
    All,
    /// So many, chosen at random; all when there are fewer.
    Count(u32),
    /// So many percent, rounded up, chosen at random.
    Percent(u32),
}

/// One side of a network fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Hosts.
    pub nodes: Option<NodeSelection>,
    /// The control plane.
    pub control: bool,
    /// Clients outside the cluster.
    pub outside: bool,
    /// Whatever is not on the other side.
    pub rest: bool,
}
