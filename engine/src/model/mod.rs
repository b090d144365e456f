//! What users ask for: nodes, pod templates, workloads, services, images.
//!
//! Plain data, already validated and interned by whoever lowered it (see the `scenarios` crate); nothing here
//! changes during a run. Start at [`Catalog`].

mod catalog;
mod node;
mod pod;
mod policy;
mod resources;
mod rule;
mod service;
mod storage;
mod wishes;
mod workload;

pub use catalog::{Catalog, Image};
pub use node::{HOSTNAME_LABEL, NodeSpec, REGION_LABEL, Taint, TaintEffect, WellKnown, ZONE_LABEL};
pub use pod::{
    Affinity, Container, HostPort, NodeTerm, PodTemplate, PodTerm, Probe, ProbeKind, ProbeRole, PullPolicy, Qos,
    RestartPolicy, SCORED_CPU, SCORED_MEMORY, SpreadConstraint, Toleration, Weighted, WhenUnsatisfiable,
};
pub use policy::{
    AutoscalerSpec, BudgetBound, BudgetSpec, GroupSpec, IngressRule, IngressSpec, MetricTarget, NetworkPolicySpec,
    Peer, PeerRule, PoolSpec, QuotaAmounts, QuotaScope, QuotaSpec, ScalingPolicy, ScalingRules, UnhealthyEviction,
    WebhookFailure, WebhookSpec,
};
pub use resources::{Bytes, MilliCpu, Resources};
pub use rule::{About, Rule};
pub use service::{Distribution, Exposure, ServiceSpec};
pub use storage::{AccessMode, BindingMode, ClaimSpec, PodVolume, Reclaim, StorageClassSpec, VolumeSpec};
pub use wishes::{
    BalancerWish, Distinct, Grouping, Growth, LostWish, MigrateWish, PlacementStrategy, PlacementWish, RescheduleWish,
    RestartWish, SpreadWish, Survivor, UpdateWish, Wishes,
};
pub use workload::{
    Amount, Concurrency, CronSpec, DaemonSpec, Details, FailureMatch, FailureRule, FailureRuleAction, JobSpec,
    StatefulSpec, Strategy, SuccessRule, WorkloadKind, WorkloadSpec,
};
