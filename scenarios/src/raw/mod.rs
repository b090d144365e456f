//! The shapes that a scenario file may have, before anything is checked against anything else.
//!
//! No meaning here: a name is a text, a selector is what was written. Doc comments become descriptions in the JSON
//! Schema, so they speak to who writes a scenario. Start at [`ScenarioRaw`].

mod cluster;
mod custom;
mod expect;
mod operations;
mod scenario;
mod select;
mod timeline;
mod words;
mod workload;

pub(crate) use cluster::{ClusterRaw, HostRaw, NetworkRaw, NodeRaw, PoolRaw};
pub(crate) use custom::{CustomFileRaw, CustomRaw, WordsRaw};
pub(crate) use expect::{ExpectRaw, Scalar};
pub(crate) use operations::{
    DefaultPriorityRaw, DeletionCostRaw, EvictRaw, LabelRaw, PreemptionRaw, TaintRaw, UntaintRaw, UpdateStrategyRaw,
    UpdateType,
};
pub(crate) use scenario::{FragmentRaw, ScenarioRaw};
pub(crate) use select::{Names, NodesRaw, Pick, SelectorRaw, SideRaw, SideWord};
pub(crate) use timeline::{
    ApplyRaw, ControlPlaneRaw, DeployRaw, EntryRaw, FillRaw, FloodRaw, KillPodsRaw, LinkRaw, SaturateRaw, WorkloadRef,
};
pub(crate) use words::{Class, Death, DefectRaw, FailsRaw, LevelRaw, Part, Which};
pub(crate) use workload::{
    AmountRaw, ClientsRaw, DeploymentRaw, ImageRaw, PriorityRaw, ProbeRaw, ResolveRaw, ServiceRaw, TrafficRaw, ViaRaw,
    WorkloadRaw,
};
