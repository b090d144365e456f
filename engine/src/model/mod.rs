//! What users ask for: nodes, pod templates, workloads, services, images.
//!
//! Plain data, already validated and interned by whoever lowered it (see the `scenarios` crate); nothing here
//! changes during a run. Start at [`Catalog`].

mod catalog;
mod node;
mod pod;
mod resources;
mod service;
mod workload;

pub use catalog::{Catalog, Image};
pub use node::{HOSTNAME_LABEL, NodeSpec, REGION_LABEL, Taint, TaintEffect, WellKnown, ZONE_LABEL};
pub use pod::{
    Affinity, Container, HostPort, NodeTerm, PodTemplate, PodTerm, Probe, ProbeKind, ProbeRole, PullPolicy,
    RestartPolicy, SCORED_CPU, SCORED_MEMORY, SpreadConstraint, Toleration, Weighted, WhenUnsatisfiable,
};
pub use resources::{Bytes, MilliCpu, Resources};
pub use service::ServiceSpec;
pub use workload::{Amount, Strategy, WorkloadKind, WorkloadSpec};
