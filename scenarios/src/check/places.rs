//! Which parts of a scenario are known to be incomplete, so that a broken part does not make every name unknown.

use crate::raw::ScenarioRaw;
use crate::text::Node;

/// Parts of which something was left out because it is broken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Incomplete {
    /// Nodes.
    pub(crate) nodes: bool,
    /// Workloads, services or images.
    pub(crate) workloads: bool,
}

impl Incomplete {
    /// Compares what is written with what could be read.
    pub(crate) fn of(node: &Node, raw: &ScenarioRaw) -> Self {
        let written = |name: &str| node.get(name).map_or(0, |list| list.items().len());
        let nodes = node.get("cluster").and_then(|cluster| cluster.get("nodes"));
        let read = raw.cluster.as_ref().map_or(0, |cluster| cluster.nodes.len());
        Self {
            nodes: nodes.map_or(0, |nodes| nodes.items().len()) != read
                || (node.get("cluster").is_some() && raw.cluster.is_none()),
            workloads: written("workloads") != raw.workloads.len() || written("services") != raw.services.len(),
        }
    }
}
