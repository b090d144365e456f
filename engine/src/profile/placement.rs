//! Values of the choice of a node, and of the queue of those that wait for it.
//!
//! The mechanisms are in [`crate::scheduler`]. Start at [`Placement`].

use super::{PlacementArgs, Sampled};
use crate::model::PlacementStrategy;
use crate::time::Span;

/// The scheduling queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Wait after the first failed attempt; doubles each time.
    pub initial_backoff: Span,
    /// Longest wait between attempts.
    pub max_backoff: Span,
    /// Backed-off pods are released on this grid.
    pub flush_period: Span,
    /// Pods found unschedulable for longer than `unschedulable_timeout` are looked for on this grid.
    pub unschedulable_flush: Span,
    /// A pod found unschedulable is tried again after this without any event.
    pub unschedulable_timeout: Span,
    /// An idle scheduler takes pods before their back-off ends.
    pub pop_from_backoff: bool,
    /// What wakes a pod that found no node.
    pub wake: Wake,
}

/// What wakes a pod that found no node, before its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// An event that, as it is, can help against a filter that refused it.
    Hints,
    /// An event of a kind that can help against a filter that refused it.
    Kinds,
    /// Any event.
    Any,
    /// None: it is tried again when its back-off ends, whatever happens.
    Nothing,
}

/// When waiting pods are decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// One after the other, as soon as the queue has one.
    Queue,
    /// All together, when the store has had no commit for a moment.
    Ticks {
        /// So long without a commit.
        gap: Span,
        /// After so much of continuous commits it does not wait any longer.
        at_most: Span,
    },
    /// All that wait, on this grid; new ones begin a round of their own at once where somebody watches for them.
    Rounds {
        /// Time between two rounds.
        every: Span,
        /// New ones are noticed at once.
        watches: bool,
    },
    /// Not by one scheduler: what is free on a node is offered to frameworks in turn, and the pods that wait at one of
    /// them take the first offer that they can use. Filters count, scores and sampling do not.
    Offers(super::Offers),
    /// In batches: what has come within this time after the first is decided on together. The first instance of each
    /// workload goes first, then what runs to completion, then the further instances; larger ones before smaller ones.
    Auction {
        /// From the first request until the cells have said what they have.
        gather: Span,
    },
    /// Job by job, by workers in parallel whose plans are checked one after the other.
    Evaluations(super::Evaluations),
}

/// Which of the feasible nodes is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// The one with the highest weighted sum of [`Placement::scores`].
    Scores,
    /// The one with the highest mean of scores among a few of a fresh shuffle.
    Sampled(Sampled),
    /// The one with the fewest replicas of the workload, then the fewest of all; replicas that are alike are dealt out
    /// together, and spread over the labels of their wishes first (`scheduler/alike.rs`).
    FewestOfWorkload {
        /// A node on which so many of this version of the workload failed comes last.
        failures: u32,
        /// Failures count for so long.
        within: Span,
    },
    /// The same; of several, the first by name.
    FirstByName,
    /// The first by the strategy that the replica wishes, or by this one.
    Strategy(PlacementStrategy),
    /// The one with the best weight, which also decides what fits (classic Swarm).
    Weights(Weights),
    /// The one that rules leave which are taken one after the other; chance decides among several.
    Strategies {
        /// The rules of a pod that wishes none.
        default: Vec<Ranking>,
        /// Pods may wish others.
        wished: bool,
    },
    /// The one that wins Diego's auction.
    Auction(Auction),
}

/// Weights of classic Swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// What counts as best.
    pub strategy: Strategy,
    /// Thousandths that a node is given beyond what it has: whole per cents count, of CPUs whole ones.
    pub overcommit: u32,
}

/// Strategies of classic Swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Least taken, then fewest containers.
    Spread,
    /// Most taken, then most containers.
    Binpack,
    /// Any, whether it has room or not.
    Random,
}

/// When the constraints of a replica count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraints {
    /// When a node is chosen for it.
    AtPlacement,
    /// For as long as it is on the node: it goes when the node does not meet them any more.
    Enforced,
}

/// A rule by which the best of the feasible nodes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranking {
    /// Those in zones with the fewest replicas of the workload.
    SpreadZones,
    /// Those with the fewest replicas of the workload.
    SpreadNodes,
    /// Those with the least CPU left.
    BinpackCpu,
    /// Those with the least memory left.
    BinpackMemory,
    /// Those with the fewest pods.
    Emptiest,
    /// All.
    Random,
}

/// Weights of Diego's auction; the lowest sum wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auction {
    /// Of each container that starts on the cell, in thousandths.
    pub starting_weight: u32,
    /// Of each instance of the application on the cell.
    pub locality: u32,
    /// Of each cell before it, in thousandths.
    pub first_fit_weight: u32,
}

/// What publishing a port takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Nothing of a node: each replica has an address of its own, or a free port is chosen, or all nodes answer alike.
    Shared,
    /// The port of the node that the replica is on: two replicas with the same port do not fit on one node.
    Host,
}

/// How a node is chosen.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Which of the feasible nodes is taken.
    pub choice: Choice,
    /// What a published port takes.
    pub published_ports: Ports,
    /// Conditions, in the order in which the first refusal is reported.
    pub filters: Vec<Filter>,
    /// Preferences and their weights.
    pub scores: Vec<(Score, i64)>,
    /// How many feasible nodes are looked for.
    pub sampling: Sampling,
    /// The best score, of whole numbers from 0 on: 100, and 10 before Kubernetes 1.17.
    pub max_score: i64,
    /// Which formula balanced allocation uses.
    pub balanced: Balanced,
    /// Spread constraints of pods that declare none and belong to a workload or service: topology label and largest skew.
    pub default_spread: Vec<(&'static str, i32)>,
    /// Time that one decision takes, whatever the cluster's size.
    pub decision_cost: Span,
    /// Time that each node looked at adds.
    pub decision_cost_per_node: Span,
    /// Arguments of filters, scores and preemption.
    pub args: PlacementArgs,
}

/// A condition that a node must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    /// Not cordoned.
    NodeUnschedulable,
    /// The node named by the pod.
    NodeName,
    /// No taint that the pod does not tolerate.
    TaintToleration,
    /// Node selector and required node affinity.
    NodeAffinity,
    /// Host ports are free.
    NodePorts,
    /// Requests fit into what is free.
    NodeResourcesFit,
    /// No disk is written twice on a node, and no claim for one pod is used by two.
    VolumeRestrictions,
    /// A node attaches no more volumes of a driver than it can.
    NodeVolumeLimits,
    /// Bound volumes can be reached, and unbound claims can be served.
    VolumeBinding,
    /// Bound volumes are of the node's zone.
    VolumeZone,
    /// Hard topology spread.
    PodTopologySpread,
    /// Required affinity and anti-affinity to pods.
    InterPodAffinity,
    /// No more replicas of the workload on a node than it wishes.
    MaxPerNode,
}

/// A preference among nodes. Each gives 0 to 100 after normalisation, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Fewest `PreferNoSchedule` taints not tolerated.
    TaintToleration,
    /// Preferred node affinity.
    NodeAffinity,
    /// Most free resources.
    LeastAllocated,
    /// Least free resources.
    MostAllocated,
    /// Use of resources, by a function of the profile's own (`PlacementArgs::shape`).
    RequestedToCapacityRatio,
    /// Evenest use of CPU and memory.
    BalancedAllocation,
    /// Soft topology spread.
    PodTopologySpread,
    /// Preferred affinity to pods.
    InterPodAffinity,
    /// Images already there.
    ImageLocality,
    /// Fewest pods of the same workload on the node and in its zone, the zone twice as heavy (before topology spread).
    SelectorSpread,
    /// Fewest pods of the same workload: minus the number, not normalised.
    FewestOfWorkload,
    /// Fewest pods: minus the number, not normalised.
    FewestPods,
}

/// How many feasible nodes are looked for before scoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Percentage of all nodes. 0: `max(min_percent, 50 - nodes / 125)`. 100: all.
    pub percent: u32,
    /// Least percentage when adaptive.
    pub min_percent: u32,
    /// Never fewer than this many.
    pub min_nodes: u32,
}

impl Sampling {
    /// Nodes to find among `nodes`.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/schedule_one.go, `numFeasibleNodesToFind`.
    pub fn wanted(self, nodes: u32) -> u32 {
        if nodes < self.min_nodes || self.percent >= 100 {
            return nodes;
        }
        let adaptive = 50u32.saturating_sub(nodes / 125).max(self.min_percent);
        let percent = if self.percent == 0 { adaptive } else { self.percent };
        let share = (u64::from(nodes) * u64::from(percent) / 100) as u32;
        share.max(self.min_nodes).min(nodes)
    }
}

/// Formulas of balanced allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balanced {
    /// Balance after placement (Kubernetes up to 1.35).
    After,
    /// Change of balance by the placement (Kubernetes from 1.36).
    Change,
    /// Plain difference of the shares after placement, as scoring counts requests (Kubernetes up to 1.22).
    Difference,
}
