//! What a line of a recording of Nomad's placements holds.
//!
//! The recording's README explains every field. Start at [`Problem`].

use std::collections::BTreeMap;

use serde::Deserialize;

/// The first line: the nodes of all problems.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) nodes: Vec<Node>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Node {
    pub(super) name: String,
    #[serde(rename = "DC")]
    pub(super) datacenter: String,
    pub(super) class: String,
    #[serde(rename = "CPU")]
    pub(super) cpu: i64,
    pub(super) mem: i64,
    #[serde(rename = "ResCPU")]
    pub(super) reserved_cpu: i64,
    #[serde(rename = "ResMem")]
    pub(super) reserved_mem: i64,
    pub(super) meta: BTreeMap<String, String>,
    pub(super) attrs: BTreeMap<String, String>,
}

/// One job that was registered, and what the real scheduler made of it.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) k: u64,
    pub(super) what: String,
    pub(super) algo: String,
    pub(super) dc: String,
    pub(super) job: Job,
    pub(super) tg: Group,
    pub(super) before: BTreeMap<String, Before>,
    pub(super) placed: Vec<Placed>,
    #[serde(default)]
    pub(super) existing: Vec<Existing>,
    pub(super) eval: Eval,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Job {
    #[serde(rename = "ID")]
    pub(super) id: String,
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) priority: i32,
    #[serde(default)]
    pub(super) constraints: Option<Vec<Constraint>>,
    #[serde(default)]
    pub(super) affinities: Option<Vec<Constraint>>,
    #[serde(default)]
    pub(super) spreads: Option<Vec<Spread>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Group {
    pub(super) count: u32,
    pub(super) cpu: i64,
    pub(super) mem: i64,
    #[serde(default)]
    pub(super) constraints: Option<Vec<Constraint>>,
    #[serde(default)]
    pub(super) affinities: Option<Vec<Constraint>>,
    #[serde(default)]
    pub(super) spreads: Option<Vec<Spread>>,
}

/// A constraint, or an affinity with a weight.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Constraint {
    #[serde(rename = "LTarget", default)]
    pub(super) left: String,
    #[serde(rename = "RTarget", default)]
    pub(super) right: String,
    #[serde(rename = "Operand")]
    pub(super) operand: String,
    #[serde(rename = "Weight", default)]
    pub(super) weight: i32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Spread {
    pub(super) attribute: String,
    pub(super) weight: u32,
    #[serde(default)]
    pub(super) spread_target: Option<Vec<Target>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Target {
    pub(super) value: String,
    pub(super) percent: u32,
}

/// A node before the job was registered.
#[derive(Debug, Deserialize)]
pub(super) struct Before {
    pub(super) cpu: i64,
    pub(super) mem: i64,
    pub(super) allocs: Vec<Alloc>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Alloc {
    pub(super) id: String,
    pub(super) job: String,
    #[serde(default)]
    pub(super) ver: u64,
    pub(super) cpu: i64,
    pub(super) mem: i64,
    pub(super) prio: i32,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// An allocation that the job had.
#[derive(Debug, Deserialize)]
pub(super) struct Existing {
    pub(super) alloc: String,
    pub(super) name: String,
    pub(super) desired: String,
    /// The version of the job that it is of now.
    #[serde(default)]
    pub(super) ver: u64,
}

/// An allocation that was placed.
#[derive(Debug, Deserialize)]
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) node: String,
    #[serde(default)]
    pub(super) prev: String,
    #[serde(default)]
    pub(super) preempted: Vec<String>,
    pub(super) metrics: Metrics,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metrics {
    #[serde(default)]
    pub(super) nodes_evaluated: u32,
    #[serde(default)]
    pub(super) nodes_filtered: u32,
    #[serde(default)]
    pub(super) nodes_exhausted: u32,
    #[serde(default)]
    pub(super) constraint_filtered: Option<BTreeMap<String, u32>>,
    #[serde(default)]
    pub(super) dimension_exhausted: Option<BTreeMap<String, u32>>,
    #[serde(default)]
    pub(super) coalesced_failures: u32,
    #[serde(default)]
    pub(super) score_meta_data: Option<Vec<Scored>>,
}

/// A candidate: at most the five best are recorded.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Scored {
    pub(super) node: String,
    pub(super) norm: f64,
    pub(super) scores: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Eval {
    pub(super) status: String,
    #[serde(default)]
    pub(super) blocked: String,
    #[serde(default)]
    pub(super) failed: Option<BTreeMap<String, Metrics>>,
}

/// An allocation of the running cluster.
#[derive(Debug, Deserialize)]
pub(super) struct Running {
    pub(super) alloc: String,
    pub(super) name: String,
    pub(super) node: String,
    #[serde(default)]
    pub(super) prev: String,
    #[serde(default)]
    pub(super) evaluated: u32,
    #[serde(default)]
    pub(super) filtered: u32,
    #[serde(default)]
    pub(super) exhausted: u32,
    #[serde(default)]
    pub(super) scores: Option<Vec<Scored>>,
}
