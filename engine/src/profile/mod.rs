//! Profiles: what makes one orchestrator differ from another, as data.
//!
//! A profile composes mechanisms that have code elsewhere; nobody branches on its name. Each value carries the source
//! it comes from in the file of its orchestrator and is overridable under the orchestrator's own flag name
//! (see [`flags`]). Values are grouped by what they decide, a file a group; `registry` lists the orchestrators.
//! Start at [`Profile`].

mod agent;
mod autoscaling;
mod balancer;
mod cattle;
mod composed;
pub mod consensus;
mod control_plane;
mod deis;
mod detection;
mod diego;
mod discovery;
mod ecs;
mod evaluations;
pub mod flags;
mod fleet;
mod gossip;
mod groups;
mod honours;
mod kubernetes;
pub mod machine;
mod marathon;
mod mechanism;
mod nearest;
mod nomad;
mod offers;
mod openshift;
mod placement;
mod plain;
pub mod pressure;
mod recovery;
mod registry;
mod rollout;
mod sampled;
mod schedulers;
pub mod storage;
mod swarm;
mod swarm_standalone;
mod tutum;
mod validate;

pub use agent::{AgentPolicy, Probing};
pub use autoscaling::{Autoscaling, Machines};
pub use balancer::{Balancer, Consequence, Covers, Newcomer};
pub use composed::Group;
pub use control_plane::{ControlPlane, RateLimit};
pub use detection::{Detection, Grace, Granted, Polls};
pub use discovery::{Absence, Discovery, Expiry, SlicePolicy};
pub use evaluations::Evaluations;
pub use gossip::Gossip;
pub use groups::{EvaluationWait, GroupPolicy, MigrateRule, RescheduleRule, UpdateRule};
pub use honours::Wish;
pub use mechanism::Aspect;
pub use offers::{Framework, LaunchBackoff, Offers, Permits, ReplacePolicy, Unreachable};
pub use placement::{
    Auction, Balanced, Choice, Constraints, Dispatch, Filter, Placement, Ports, Queue, Ranking, Sampling, Score,
    Strategy, Wake, Weights,
};
pub use recovery::{
    CountedRestart, CrashPolicy, Drain, Eviction, LocalRestart, OnEachNode, Removal, Replaced, Replication, Restart,
    RestartCondition, RestartMode, RestartRule, RestartWhen, Retry, TaintEviction, Watchdog,
};
pub use rollout::{Breaker, Deployer, FailureAction, Rollout, SlotOrder, SlotStyle, SlotUpdate};
pub use sampled::{FitAlgorithm, Formula, Preempts, Sampled, Stopped};
pub use schedulers::{
    DEFAULT_SCHEDULER, DefaultConstraint, PlacementArgs, PreemptionArgs, ResourceName, SchedulerProfile, ShapePoint,
};

use std::borrow::Cow;

use crate::time::Span;

/// One orchestrator.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name as given on the command line.
    pub name: Cow<'static, str>,
    /// Release that the values are of.
    pub version: Cow<'static, str>,
    /// Its own words for things.
    pub words: Words,
    /// Its scheduler is configured by `KubeSchedulerConfiguration` files.
    pub takes_scheduler_config: bool,
    /// Flags under which its values can be overridden.
    pub flags: &'static [flags::Flag],
    /// Store and clients.
    pub control: ControlPlane,
    /// Admission of pods to scheduling.
    pub queue: Queue,
    /// When waiting pods are decided on.
    pub dispatch: Dispatch,
    /// Choice of a node.
    pub placement: Placement,
    /// When constraints count.
    pub constraints: Constraints,
    /// Further profiles of the scheduler, by the names that pods give.
    pub schedulers: Vec<SchedulerProfile>,
    /// Who notices a dead node, and when.
    pub detection: Detection,
    /// What an unhealthy node costs its pods.
    pub eviction: Eviction,
    /// How replicas are kept at their number.
    pub replication: Replication,
    /// What happens to a container that ends.
    pub restart: Restart,
    /// How a workload moves to a new template.
    pub rollout: Rollout,
    /// Which nodes run a replica of what runs on each.
    pub daemons: OnEachNode,
    /// A node that is silent for so long is given up for good, with all it ran; `None`: never.
    pub orphan_after: Option<Span>,
    /// How an update slot by slot that failed moves back; `None`: as it moves forth.
    pub rollback: Option<SlotUpdate>,
    /// Who carries out rollouts by counts; `None`: the controllers themselves.
    pub deployer: Option<Deployer>,
    /// Habits of the agent on each node.
    pub agent: AgentPolicy,
    /// How clients find replicas.
    pub discovery: Discovery,
    /// How replicas follow a load; `None`: they do not.
    pub autoscaling: Option<Autoscaling>,
    /// How machines follow the pods that find no place; `None`: they do not.
    pub machines: Option<Machines>,
    /// How long storage takes.
    pub storage: storage::StoragePolicy,
}

/// An orchestrator's own words, for reports.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// A replica: `pod`, `task`, `allocation`.
    pub pod: &'static str,
    /// A workload: `deployment`, `service`, `job`.
    pub workload: &'static str,
    /// What an unhealthy node is called: `NotReady`, `Down`.
    pub unhealthy: &'static str,
}
