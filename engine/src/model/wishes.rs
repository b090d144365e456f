//! What a workload says about its own treatment, in the words of the orchestrator that it was written for.
//!
//! Each orchestrator lets its users set other things, so everything here is optional and `None` means "as the profile
//! does". A profile honours what its original knows; whoever lowers a file says what will not be honoured. Kubernetes'
//! own fields are in [`WorkloadSpec`](super::WorkloadSpec) and [`PodTemplate`](super::PodTemplate). Start at [`Wishes`].

use crate::ids::Symbol;
use crate::profile::{FailureAction, SlotOrder};
use crate::time::Span;

/// How a workload wants to be treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What happens to its containers that end (Swarm `restart_policy`, Nomad `restart`).
    pub restart: RestartWish,
    /// What happens to its replicas that failed for good (Nomad `reschedule`, Marathon's launch back-off).
    pub reschedule: RescheduleWish,
    /// How it moves to a new template.
    pub update: UpdateWish,
    /// How it moves back (Swarm `rollback_config`).
    pub rollback: UpdateWish,
    /// How its replicas leave a node that is drained (Nomad `migrate`): so many at once, healthy for so long, by then.
    pub migrate: MigrateWish,
    /// What happens when its node is silent.
    pub lost: LostWish,
    /// A load balancer asks its replicas itself and has failing ones replaced (an ECS service behind a target group, a
    /// Rancher health check).
    pub balanced: Option<BalancerWish>,
}

/// What happens to containers that end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartWish {
    /// Wait before a restart.
    pub delay: Option<Span>,
    /// Restarts at most, within `window`.
    pub attempts: Option<u32>,
    /// Restarts count for so long; zero: for ever.
    pub window: Option<Span>,
    /// When attempts are used up it waits for the window's end instead of failing (Nomad `mode = "delay"`).
    pub keep_trying: bool,
}

/// What happens to replicas that failed for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RescheduleWish {
    /// First wait.
    pub delay: Option<Span>,
    /// How waits grow.
    pub growth: Option<Growth>,
    /// Longest wait.
    pub max_delay: Option<Span>,
    /// Times at most, within `interval`; `None`: as the profile does.
    pub attempts: Option<u32>,
    /// Times count for so long.
    pub interval: Option<Span>,
    /// Without bound.
    pub unlimited: Option<bool>,
}

/// How waits grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// They do not.
    Constant,
    /// Each is so many thousandths of the former: 2,000 doubles.
    Factor(u32),
    /// Each is the sum of the two before.
    Fibonacci,
}

/// How a workload moves to another template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateWish {
    /// Replicas in work at once; 0: all (Swarm `parallelism`, Nomad `max_parallel`, Rancher `batch_size`).
    pub parallelism: Option<u32>,
    /// Wait after each step (Swarm `delay`, Rancher `interval`, Nomad `stagger`).
    pub delay: Option<Span>,
    /// What goes first.
    pub order: Option<SlotOrder>,
    /// A replica that fails within this time counts as a failed update (Swarm `monitor`).
    pub monitor: Option<Span>,
    /// What a failed update leads to (Swarm `failure_action`).
    pub on_failure: Option<FailureAction>,
    /// Failed replicas in thousandths of all that are tolerated (Swarm `max_failure_ratio`).
    pub max_failure: Option<u32>,
    /// New replicas beside all old ones before the update goes on (Nomad `canary`).
    pub canary: Option<u32>,
    /// Canaries that are healthy let it go on by themselves (Nomad `auto_promote`).
    pub auto_promote: Option<bool>,
    /// A replica counts as healthy after so long (Nomad `min_healthy_time`).
    pub min_healthy: Option<Span>,
    /// A replica that is not healthy by then has failed (Nomad `healthy_deadline`).
    pub healthy_deadline: Option<Span>,
    /// Without progress for so long the update has failed; zero: at the first failure (Nomad `progress_deadline`).
    pub progress_deadline: Option<Span>,
    /// A failed update turns back (Nomad `auto_revert`, ECS circuit breaker with rollback).
    pub auto_revert: Option<bool>,
    /// Healthy replicas kept, in thousandths (Marathon `minimumHealthCapacity`, ECS `minimumHealthyPercent`).
    pub min_health: Option<u32>,
    /// Replicas in addition, in thousandths (Marathon `maximumOverCapacity`, ECS `maximumPercent` less 100).
    pub max_over: Option<u32>,
    /// Replicas that fail one after the other stop the update (ECS deployment circuit breaker).
    pub circuit_breaker: Option<bool>,
}

/// How replicas leave a node that is drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateWish {
    /// At once.
    pub parallelism: Option<u32>,
    /// A replacement counts as healthy after so long.
    pub min_healthy: Option<Span>,
    /// One that is not healthy by then does not hold up the drain.
    pub healthy_deadline: Option<Span>,
}

/// What happens when the node of a replica is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostWish {
    /// It is moved, where the profile moves nobody by itself (label `com.docker.swarm.reschedule-policies`).
    pub reschedule: Option<bool>,
    /// It counts as unknown for so long before it is given up (Nomad `disconnect.lost_after`).
    pub lost_after: Option<Span>,
    /// An unknown replica is replaced at once (Nomad `disconnect.replace`).
    pub replace: Option<bool>,
    /// Which one survives when the node is back (Nomad `disconnect.reconcile`).
    pub reconcile: Option<Survivor>,
    /// Its own agent stops it after so long without a word from the control plane (Nomad `stop_on_client_after`).
    pub stop_on_client_after: Option<Span>,
    /// Replaced after so long (Marathon `unreachableStrategy.inactiveAfterSeconds`).
    pub inactive_after: Option<Span>,
    /// Forgotten after so long (Marathon `unreachableStrategy.expungeAfterSeconds`).
    pub expunge_after: Option<Span>,
}

/// Which one of a replica and its replacement survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivor {
    /// The one whose node scores better now.
    BestScore,
    /// The original.
    Original,
    /// The replacement.
    Replacement,
    /// The one that runs for longer.
    LongestRunning,
}

/// What a load balancer asks, and what comes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalancerWish {
    /// Time between two questions; `None`: as the profile's balancer does.
    pub interval: Option<Span>,
    /// An answer may take so long.
    pub timeout: Option<Span>,
    /// Failures in a row that make a replica unhealthy.
    pub unhealthy_after: Option<u32>,
    /// Successes in a row that make it healthy.
    pub healthy_after: Option<u32>,
    /// A replica that is taken out still serves its clients for so long.
    pub drain: Option<Span>,
    /// Failures of a replica that runs for less than this have no consequence (ECS `healthCheckGracePeriodSeconds`).
    pub startup_grace: Option<Span>,
}

/// Where a replica wants to go, beyond affinity and node selectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacementWish {
    /// Spread over values of attributes, in order (Swarm `preferences`, Nomad `spread`).
    pub spreads: Vec<SpreadWish>,
    /// At most so many of the workload for each value of an attribute.
    pub distinct: Vec<Distinct>,
    /// Even or single groups (Marathon `GROUP_BY`, `CLUSTER`).
    pub groups: Vec<Grouping>,
    /// Ranking in this order (ECS placement strategies, Tutum deployment strategy).
    pub strategies: Vec<PlacementStrategy>,
    /// Conditions in the words of classic Swarm (`constraint:`, `affinity:`).
    pub rules: Vec<super::Rule>,
}

/// Spread over the values of a node's attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadWish {
    /// Label of nodes; [`HOSTNAME_LABEL`](super::HOSTNAME_LABEL) and [`ZONE_LABEL`](super::ZONE_LABEL) included.
    pub attribute: Symbol,
    /// Weight among others; 50 by default in Nomad.
    pub weight: u32,
    /// Wanted percentages by value. Empty: evenly.
    pub targets: Vec<(Symbol, u32)>,
}

/// At most so many replicas of the workload for each value of an attribute (Nomad `distinct_hosts` and
/// `distinct_property`, Marathon `UNIQUE` and `MAX_PER`, ECS `distinctInstance`, Swarm `max_replicas_per_node`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distinct {
    /// Label of nodes.
    pub attribute: Symbol,
    /// Replicas at most.
    pub at_most: u32,
}

/// Groups of replicas by an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Evenly over so many values (`None`: over those seen).
    Evenly {
        /// Label of nodes.
        attribute: Symbol,
        /// Values.
        values: Option<u32>,
    },
    /// All on the value that the first one got.
    Together {
        /// Label of nodes.
        attribute: Symbol,
    },
}

/// A rule by which feasible nodes are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementStrategy {
    /// Fewest of the workload by value of a label.
    Spread(Symbol),
    /// Least CPU left.
    BinpackCpu,
    /// Least memory left.
    BinpackMemory,
    /// At random.
    Random,
    /// Fewest containers of all (Tutum `EMPTIEST_NODE`).
    Emptiest,
    /// Fewest containers of the workload (Tutum `HIGH_AVAILABILITY`).
    HighAvailability,
}
