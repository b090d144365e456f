//! What a `KubeSchedulerConfiguration` can say beside the lists of plugins: their arguments, and further profiles.
//!
//! Data only: [`crate::scheduler`] compiles it. Symbols are those of the catalog that the run uses. Start at
//! [`SchedulerProfile`] and [`PlacementArgs`].

use crate::ids::Symbol;
use crate::model::{NodeTerm, WhenUnsatisfiable};
use crate::profile::Placement;

/// Name of the scheduler that pods get that name none.
/// Source: kubernetes/api:core/v1/types.go, `DefaultSchedulerName`.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// A further profile of the scheduler, chosen by a pod's `schedulerName`. All profiles share one queue, one picture of
/// the cluster and one loop, as the profiles of one kube-scheduler do. The default profile is `Profile::placement`.
#[derive(Clone, Debug)]
pub struct SchedulerProfile {
    /// As pods name it. [`DEFAULT_SCHEDULER`] here takes the place of `Profile::placement`.
    pub name: String,
    /// How it places.
    pub placement: Placement,
}

/// Arguments of plugins.
///
/// Defaults: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacementArgs {
    /// `NodeResourcesFitArgs.scoringStrategy.resources`: what the strategies look at, with weights.
    pub fit_resources: Vec<(ResourceName, i64)>,
    /// `NodeResourcesFitArgs.scoringStrategy.requestedToCapacityRatio.shape`, by rising utilization.
    pub shape: Vec<ShapePoint>,
    /// `NodeResourcesFitArgs.ignoredResources` and `ignoredResourceGroups`, resolved: extended resources whose lack
    /// refuses no node.
    pub ignored_resources: Vec<Symbol>,
    /// `NodeResourcesBalancedAllocationArgs.resources`.
    pub balanced_resources: Vec<ResourceName>,
    /// `InterPodAffinityArgs.hardPodAffinityWeight`: what a required affinity term of a placed pod weighs for a pod
    /// that it matches.
    pub hard_affinity_weight: i64,
    /// `InterPodAffinityArgs.ignorePreferredTermsOfExistingPods`: pods without preferred terms of their own are not
    /// scored by those of others.
    pub ignore_existing_terms: bool,
    /// `NodeAffinityArgs.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution`: alternatives, in addition to
    /// each pod's own. Empty: no condition.
    pub added_required: Vec<NodeTerm>,
    /// `NodeAffinityArgs.addedAffinity.preferredDuringSchedulingIgnoredDuringExecution`.
    pub added_preferred: Vec<(i32, NodeTerm)>,
    /// `PodTopologySpreadArgs` with `defaultingType: List`: the constraints of pods that declare none and that a
    /// service or workload selects. `None`: `System`, that is `Placement::default_spread`.
    pub default_constraints: Option<Vec<DefaultConstraint>>,
    /// `DefaultPreemption` with its arguments; `None` where it is disabled.
    pub preemption: Option<PreemptionArgs>,
}

/// Arguments of `DefaultPreemption`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreemptionArgs {
    /// `minCandidateNodesPercentage`: candidates to find, of the nodes that come into question.
    pub min_percent: u32,
    /// `minCandidateNodesAbsolute`: never fewer than this many.
    pub min_nodes: u32,
}

/// A resource by the name that it has in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceName {
    /// `cpu`.
    Cpu,
    /// `memory`.
    Memory,
    /// `ephemeral-storage`.
    Ephemeral,
    /// Any other.
    Extended(Symbol),
}

/// A point of the function from utilization to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapePoint {
    /// Percent, 0 to 100.
    pub utilization: i64,
    /// 0 to 10.
    pub score: i64,
}

/// A spread constraint of pods that declare none; its selector comes from the pod's services and owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultConstraint {
    /// Largest difference between a domain and the emptiest one.
    pub max_skew: i32,
    /// Node label whose values are the domains.
    pub topology_key: Symbol,
    /// Refuse or only prefer.
    pub when: WhenUnsatisfiable,
}

impl Default for PlacementArgs {
    fn default() -> Self {
        Self {
            fit_resources: vec![(ResourceName::Cpu, 1), (ResourceName::Memory, 1)],
            shape: Vec::new(),
            ignored_resources: Vec::new(),
            balanced_resources: vec![ResourceName::Cpu, ResourceName::Memory],
            hard_affinity_weight: 1,
            ignore_existing_terms: false,
            added_required: Vec::new(),
            added_preferred: Vec::new(),
            default_constraints: None,
            preemption: None,
        }
    }
}

impl Default for PreemptionArgs {
    fn default() -> Self {
        Self { min_percent: 10, min_nodes: 100 }
    }
}
