//! What a line of a placement recording holds.
//!
//! Objects stay JSON: the manifest reader of the `scenarios` crate makes something of them (`cluster`). The recording's
//! README explains every field. Start at [`Problem`].

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// One problem: a cluster, pods that come one after the other, and what became of each.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem {
    pub(super) id: Value,
    pub(super) kind: String,
    #[serde(default)]
    pub(super) priority_classes: BTreeMap<String, PriorityClass>,
    pub(super) nodes: Vec<Object>,
    #[serde(default)]
    pub(super) services: Vec<Object>,
    #[serde(default)]
    pub(super) pdbs: Vec<Object>,
    #[serde(default)]
    pub(super) existing: Vec<Object>,
    pub(super) incoming: Vec<Object>,
    pub(super) expected: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PriorityClass {
    pub(super) value: i32,
    #[serde(default)]
    pub(super) preemption_policy: Option<String>,
}

/// What became of one pod.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Expected {
    pub(super) pod: String,
    pub(super) outcome: Fate,
    #[serde(default)]
    pub(super) node: Option<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
    pub(super) attempts: Vec<Attempt>,
    #[serde(default)]
    pub(super) start_time_set_after_bind: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    Bound,
    Unsched,
}

/// One scheduling cycle.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempt {
    #[serde(default)]
    pub(super) nominated_node_name: String,
    pub(super) feasible: Vec<String>,
    pub(super) filtered: BTreeMap<String, Filtered>,
    pub(super) usage_before: BTreeMap<String, Usage>,
    #[serde(default)]
    pub(super) pre_filter_msg: Option<String>,
    #[serde(default)]
    pub(super) scores: Option<Scores>,
    #[serde(default)]
    pub(super) best: Vec<String>,
    #[serde(default)]
    pub(super) result: Option<String>,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) post_filter: Option<PostFilter>,
    #[serde(default)]
    pub(super) preemption_candidates: BTreeMap<String, Victims>,
    #[serde(default)]
    pub(super) preemption: Option<Preemption>,
}

/// Why a node was filtered.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Filtered {
    pub(super) plugin: String,
    pub(super) code: String,
    pub(super) reasons: Vec<String>,
}

/// The scheduler's snapshot of a node.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    pub(super) pods: u32,
    #[serde(rename = "milliCPU")]
    pub(super) milli_cpu: i64,
    pub(super) memory: i64,
    #[serde(rename = "nonZeroMilliCPU")]
    pub(super) non_zero_milli_cpu: i64,
    pub(super) non_zero_memory: i64,
}

/// Values by plugin and node.
pub(super) type Values = BTreeMap<String, BTreeMap<String, i64>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scores {
    pub(super) raw: Values,
    pub(super) normalized: Values,
    pub(super) weight: BTreeMap<String, i64>,
    pub(super) total: BTreeMap<String, i64>,
    pub(super) skipped_plugins: Vec<String>,
}

/// What preemption said.
#[derive(Debug, Deserialize)]
pub(super) struct PostFilter {
    pub(super) code: String,
    pub(super) msg: String,
}

/// Who would have to go from a node.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Victims {
    pub(super) victims: Vec<String>,
    pub(super) pdb_violations: i64,
}

/// The preemption that took place.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Preemption {
    pub(super) node: String,
    pub(super) victims: Vec<String>,
    pub(super) pdb_violations: i64,
}

impl Problem {
    /// The id as text, whether it was written as a number or as a text.
    pub(super) fn name(&self) -> String {
        self.id.as_str().map_or_else(|| self.id.to_string(), ToOwned::to_owned)
    }
}
