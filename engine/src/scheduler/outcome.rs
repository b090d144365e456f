//! What a placement attempt comes to, as values: a node, a refusal that can be counted, or a full explanation.
//!
//! Nothing is formatted unless somebody asks. Start at [`Outcome`] and [`Explanation`].

use crate::ids::{NodeId, Symbol};
use crate::labels::Interner;
use crate::profile::{Filter, Score};

/// The result of one attempt to place a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A node was chosen.
    Placed {
        /// The node.
        node: NodeId,
        /// Nodes that were filtered before enough feasible ones were found.
        looked_at: u32,
        /// Feasible nodes among them.
        feasible: u32,
    },
    /// No node is feasible.
    Refused(Refusal),
}

/// A set of filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilterSet(u16);

impl FilterSet {
    /// No filter.
    pub const EMPTY: Self = Self(0);

    /// Every filter.
    pub const ALL: Self = Self(u16::MAX);

    /// This set and `filter`.
    #[must_use]
    pub const fn with(self, filter: Filter) -> Self {
        Self(self.0 | 1 << filter as u16)
    }

    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when `filter` is in the set.
    pub const fn contains(self, filter: Filter) -> bool {
        self.0 & (1 << filter as u16) != 0
    }

    /// True when the sets share a filter.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True without filters.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Filter> for FilterSet {
    fn from_iter<It: IntoIterator<Item = Filter>>(filters: It) -> Self {
        filters.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// Why one node refused a pod. A node can have several reasons, all from the first filter that it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is cordoned.
    Unschedulable,
    /// The pod names another node.
    OtherNode,
    /// A taint is not tolerated.
    Taint,
    /// Node selector or required node affinity do not match.
    NodeAffinity,
    /// The node affinity that the scheduler's profile adds does not match.
    EnforcedAffinity,
    /// Required node affinity names other nodes, so this one was not even looked at.
    NotNamed,
    /// A host port is taken.
    Port,
    /// No room for one more pod.
    Pods,
    /// Not enough CPU.
    Cpu,
    /// Not enough memory.
    Memory,
    /// Not enough ephemeral storage.
    Ephemeral,
    /// Not enough of an extended resource.
    Extended(Symbol),
    /// A disk that the pod names is in use there, and one of the two writes.
    DiskConflict,
    /// A claim for one pod is in use.
    OnePodOnly,
    /// No more volumes of a driver can be attached.
    VolumeCount,
    /// A bound volume cannot be reached from there.
    VolumeAffinity,
    /// A claim can neither be bound nor served there.
    VolumeBinding,
    /// A claim is bound to a volume that does not exist.
    VolumeLost,
    /// A bound volume is of another zone.
    VolumeZone,
    /// A claim does not exist. This and the next three concern the pod, not a node.
    ClaimNotFound(Symbol),
    /// The claim that is to be made for the pod does not exist yet.
    ClaimNotMade(Symbol),
    /// A claim is being deleted.
    ClaimDeleted(Symbol),
    /// A claim that waits for no pod is not bound.
    ClaimUnbound,
    /// It lacks the label that a hard spread constraint counts over.
    SpreadLabel,
    /// Its domain would get too far ahead of the emptiest one.
    SpreadSkew,
    /// No pod that the pod wants near is near.
    PodAffinity,
    /// A pod that the pod wants far is near.
    PodAntiAffinity,
    /// A pod near it does not want the pod.
    ExistingAntiAffinity,
    /// It has as many of the workload as the workload allows.
    EnoughOfWorkload,
}

impl Reason {
    /// The filter that gives this reason.
    pub const fn filter(self) -> Filter {
        match self {
            Self::Unschedulable => Filter::NodeUnschedulable,
            Self::OtherNode => Filter::NodeName,
            Self::Taint => Filter::TaintToleration,
            Self::NodeAffinity | Self::EnforcedAffinity | Self::NotNamed => Filter::NodeAffinity,
            Self::Port => Filter::NodePorts,
            Self::Pods | Self::Cpu | Self::Memory | Self::Ephemeral | Self::Extended(_) => Filter::NodeResourcesFit,
            Self::DiskConflict | Self::OnePodOnly | Self::ClaimNotFound(_) => Filter::VolumeRestrictions,
            Self::VolumeCount => Filter::NodeVolumeLimits,
            Self::VolumeAffinity
            | Self::VolumeBinding
            | Self::VolumeLost
            | Self::ClaimNotMade(_)
            | Self::ClaimDeleted(_)
            | Self::ClaimUnbound => Filter::VolumeBinding,
            Self::VolumeZone => Filter::VolumeZone,
            Self::SpreadLabel | Self::SpreadSkew => Filter::PodTopologySpread,
            Self::PodAffinity | Self::PodAntiAffinity | Self::ExistingAntiAffinity => Filter::InterPodAffinity,
            Self::EnoughOfWorkload => Filter::MaxPerNode,
        }
    }

    /// It concerns the pod and no node: a plugin's `PreFilter` gave it, and no number of nodes is put in front of it.
    pub const fn is_of_pod(self) -> bool {
        matches!(self, Self::ClaimNotFound(_) | Self::ClaimNotMade(_) | Self::ClaimDeleted(_) | Self::ClaimUnbound)
    }

    /// The words of Kubernetes, recorded on 1.36.2.
    pub fn text(self, names: &Interner) -> String {
        let fixed = match self {
            Self::Unschedulable => "node(s) were unschedulable",
            Self::OtherNode => "node(s) didn't match the requested node name",
            Self::Taint => "node(s) had untolerated taint(s)",
            Self::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Self::EnforcedAffinity => "node(s) didn't match scheduler-enforced node affinity",
            Self::NotNamed => "node(s) didn't satisfy plugin(s) [NodeAffinity]",
            Self::Port => "node(s) didn't have free ports for the requested pod ports",
            Self::Pods => "Too many pods",
            Self::Cpu => "Insufficient cpu",
            Self::Memory => "Insufficient memory",
            Self::Ephemeral => "Insufficient ephemeral-storage",
            Self::Extended(name) => return format!("Insufficient {}", names.text(name)),
            Self::DiskConflict => "node(s) had no available disk",
            Self::OnePodOnly => {
                "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
            }
            Self::VolumeCount => "node(s) exceed max volume count",
            // `node(s) had volume node affinity conflict` in older releases.
            Self::VolumeAffinity => "node(s) didn't match PersistentVolume's node affinity",
            Self::VolumeBinding => "node(s) didn't find available persistent volumes to bind",
            Self::VolumeLost => "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
            Self::VolumeZone => "node(s) had no available volume zone",
            Self::ClaimNotFound(name) => {
                return format!("persistentvolumeclaim \"{}\" not found", names.text(name));
            }
            Self::ClaimNotMade(name) => {
                let waits = "waiting for ephemeral volume controller to create the persistentvolumeclaim";
                return format!("{waits} \"{}\"", names.text(name));
            }
            Self::ClaimDeleted(name) => {
                return format!("persistentvolumeclaim \"{}\" is being deleted", names.text(name));
            }
            Self::ClaimUnbound => "pod has unbound immediate PersistentVolumeClaims",
            Self::SpreadLabel => "node(s) didn't match pod topology spread constraints (missing required label)",
            Self::SpreadSkew => "node(s) didn't match pod topology spread constraints",
            Self::PodAffinity => "node(s) didn't match pod affinity rules",
            Self::PodAntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Self::ExistingAntiAffinity => "node(s) didn't satisfy existing pods anti-affinity rules",
            Self::EnoughOfWorkload => "node(s) had as many replicas of it as it allows",
        };
        fixed.to_owned()
    }
}

/// Why no node is feasible, counted over all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Nodes by the first filter that refused them, indexed by `Filter as usize`; see [`Refusal::count`].
    pub by_filter: [u32; 16],
    /// Nodes that lack free resources.
    pub insufficient_resources: u32,
    /// Nodes refused for any other reason.
    pub refused_otherwise: u32,
    /// All nodes, since infeasibility is only established by all of them.
    pub looked_at: u32,
    /// Nodes by reason, in the order of [`Reason`]; a node short of two resources counts in both.
    pub reasons: Vec<(Reason, u32)>,
}

impl Refusal {
    /// Nodes that `filter` was the first to refuse.
    pub const fn count(&self, filter: Filter) -> u32 {
        self.by_filter[filter as usize]
    }

    /// The filters that refused at least one node. Empty only without nodes.
    pub fn filters(&self) -> FilterSet {
        self.reasons.iter().map(|(reason, _)| reason.filter()).collect()
    }

    /// The sentence that Kubernetes shows: `0/5 nodes are available: 2 node(s) had untolerated taint(s), 3 Insufficient cpu.`
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/types.go, `FitError.Error`: parts are sorted as text.
    pub fn message(&self, names: &Interner) -> String {
        if self.looked_at == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let parts = self.reasons.iter().map(|&(reason, nodes)| phrase(reason, nodes, names));
        sentence(self.looked_at, parts.collect())
    }

    /// Counts one node's verdict.
    pub(super) fn add(&mut self, verdict: &Verdict) {
        self.add_times(verdict, 1);
    }

    /// Counts the same verdict of many nodes.
    pub(super) fn add_times(&mut self, verdict: &Verdict, nodes: u32) {
        if nodes == 0 {
            return;
        }
        self.looked_at += nodes;
        self.by_filter[verdict.filter as usize] += nodes;
        if verdict.filter == Filter::NodeResourcesFit {
            self.insufficient_resources += nodes;
        } else {
            self.refused_otherwise += nodes;
        }
        for &reason in &verdict.reasons {
            match self.reasons.binary_search_by_key(&reason, |entry| entry.0) {
                Ok(i) => self.reasons[i].1 += nodes,
                Err(i) => self.reasons.insert(i, (reason, nodes)),
            }
        }
    }
}

/// Counted reasons as a sentence, sorted as text.
pub(super) fn sentence(nodes: u32, mut parts: Vec<String>) -> String {
    parts.sort();
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}

/// One reason and how many nodes gave it, unless it concerns the pod.
fn phrase(reason: Reason, nodes: u32, names: &Interner) -> String {
    let text = reason.text(names);
    if reason.is_of_pod() { text } else { format!("{nodes} {text}") }
}

/// One node's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The first filter that refused.
    pub filter: Filter,
    /// Its reasons.
    pub reasons: Vec<Reason>,
    /// False when removing pods from the node could help (`Unschedulable`), true when it could not
    /// (`UnschedulableAndUnresolvable`).
    pub unresolvable: bool,
}

impl Verdict {
    /// A verdict for one reason.
    pub(super) fn of(reason: Reason) -> Self {
        let mut verdict = Self { filter: reason.filter(), reasons: Vec::new(), unresolvable: true };
        verdict.set(reason);
        verdict
    }

    /// Becomes the verdict for one reason.
    pub(super) fn set(&mut self, reason: Reason) {
        self.filter = reason.filter();
        self.reasons.clear();
        self.reasons.push(reason);
        self.unresolvable = !matches!(
            reason,
            Reason::Port
                | Reason::DiskConflict
                | Reason::OnePodOnly
                | Reason::VolumeCount
                | Reason::SpreadSkew
                | Reason::PodAntiAffinity
                | Reason::ExistingAntiAffinity
                | Reason::EnoughOfWorkload
        );
    }
}

/// Everything about one attempt: what each node looked at said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Nodes that refused, in the order looked at.
    pub refused: Vec<(NodeId, Verdict)>,
    /// Feasible nodes, in the order looked at.
    pub feasible: Vec<Candidate>,
    /// The feasible nodes with the highest total: one of them is chosen.
    pub best: Vec<NodeId>,
}

/// One feasible node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// What each score that mattered gave it; empty when it is the only feasible node.
    pub scores: Vec<Share>,
    /// Sum of weight times normalised score.
    pub total: i64,
}

/// What one score gave one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The score.
    pub score: Score,
    /// As computed for this node alone.
    pub raw: i64,
    /// After normalisation over the feasible nodes.
    pub normalised: i64,
    /// Its weight.
    pub weight: i64,
}
