//! Nodes as declared: capacity, labels, taints.

use crate::ids::{PoolId, Symbol, ZoneId};
use crate::labels::{Interner, Labels};
use crate::model::Resources;

/// The label that names a node's zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label that names a node's region.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// The label that names the node itself.
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// A host as declared.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Unique name.
    pub name: Symbol,
    /// Labels, the zone and hostname labels included.
    pub labels: Labels,
    /// Failure domain; every node is in one, `default` when none is declared.
    pub zone: ZoneId,
    /// What the scheduler may hand out.
    pub allocatable: Resources,
    /// Most pods at once (kubelet `maxPods`, 110).
    pub max_pods: u32,
    /// Taints from the start.
    pub taints: Vec<Taint>,
    /// Cordoned from the start.
    pub unschedulable: bool,
    /// False for a machine that does not exist yet: it joins when it is switched on.
    pub at_start: bool,
    /// The group of machines that the cluster autoscaler counts it to.
    pub pool: Option<PoolId>,
    /// Volumes of a driver that can be attached at once; drivers not named are not limited.
    pub volume_limits: Vec<(Symbol, u32)>,
    /// Roles such as `worker` or `manager`, for selectors of faults.
    pub roles: Vec<Symbol>,
}

impl NodeSpec {
    /// A node of this name and size that exists from the start: 110 pods, no taints, its hostname as only label.
    pub fn new(name: Symbol, zone: ZoneId, allocatable: Resources, known: &WellKnown) -> Self {
        Self {
            name,
            labels: Labels::new([(known.hostname, name)]),
            zone,
            allocatable,
            max_pods: 110,
            taints: Vec::new(),
            unschedulable: false,
            at_start: true,
            pool: None,
            volume_limits: Vec::new(),
            roles: Vec::new(),
        }
    }
}

/// A mark on a node that pods must tolerate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taint {
    /// Key.
    pub key: Symbol,
    /// Value, the empty string when none.
    pub value: Symbol,
    /// What happens to pods that do not tolerate it.
    pub effect: TaintEffect,
}

/// What an untolerated taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaintEffect {
    /// No new pods.
    NoSchedule,
    /// No new pods if there is another place.
    PreferNoSchedule,
    /// No new pods, and running ones are evicted.
    NoExecute,
}

/// Symbols that the engine itself needs, interned once.
#[derive(Clone, Copy, Debug)]
pub struct WellKnown {
    /// The empty string.
    pub empty: Symbol,
    /// [`ZONE_LABEL`].
    pub zone: Symbol,
    /// [`HOSTNAME_LABEL`].
    pub hostname: Symbol,
    /// Taint of a node whose Ready condition is False.
    pub not_ready: Symbol,
    /// Taint of a node whose Ready condition is Unknown.
    pub unreachable: Symbol,
    /// Taint of a cordoned node.
    pub unschedulable: Symbol,
    /// Taint of a node that runs short of memory.
    pub memory_pressure: Symbol,
    /// Taint of a node that runs short of disk.
    pub disk_pressure: Symbol,
    /// Taint of a node that runs short of process ids.
    pub pid_pressure: Symbol,
    /// Taint of a node whose network is not set up.
    pub network_unavailable: Symbol,
}

impl WellKnown {
    /// Interns all of them.
    pub fn new(names: &mut Interner) -> Self {
        Self {
            empty: names.intern(""),
            zone: names.intern(ZONE_LABEL),
            hostname: names.intern(HOSTNAME_LABEL),
            not_ready: names.intern("node.kubernetes.io/not-ready"),
            unreachable: names.intern("node.kubernetes.io/unreachable"),
            unschedulable: names.intern("node.kubernetes.io/unschedulable"),
            memory_pressure: names.intern("node.kubernetes.io/memory-pressure"),
            disk_pressure: names.intern("node.kubernetes.io/disk-pressure"),
            pid_pressure: names.intern("node.kubernetes.io/pid-pressure"),
            network_unavailable: names.intern("node.kubernetes.io/network-unavailable"),
        }
    }
}
