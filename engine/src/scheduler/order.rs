//! The order in which nodes are looked at: zone by zone in turn, so that a sample of nodes covers all zones.
//!
//! Source: kubernetes/kubernetes:pkg/scheduler/backend/cache/node_tree.go. It does not know where a scan starts; that
//! is [`super::Scheduler`]'s round robin. Start at [`NodeTree::list`].

use crate::ids::{NodeId, Symbol};

/// Region and zone labels of a node.
pub(super) type ZoneKey = (Option<Symbol>, Option<Symbol>);

/// Nodes grouped by zone, zones in order of first appearance.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeTree {
    zones: Vec<(ZoneKey, Vec<NodeId>)>,
}

impl NodeTree {
    /// Appends a node to its zone.
    pub(super) fn add(&mut self, zone: ZoneKey, node: NodeId) {
        match self.zones.iter_mut().find(|(key, _)| *key == zone) {
            Some((_, nodes)) => nodes.push(node),
            None => self.zones.push((zone, vec![node])),
        }
    }

    /// Takes a node out; an emptied zone loses its place.
    pub(super) fn remove(&mut self, zone: ZoneKey, node: NodeId) {
        let Some(at) = self.zones.iter().position(|(key, _)| *key == zone) else { return };
        self.zones[at].1.retain(|n| *n != node);
        if self.zones[at].1.is_empty() {
            self.zones.remove(at);
        }
    }

    /// The first node of each zone, then the second of each, and so on.
    pub(super) fn list(&self) -> Vec<NodeId> {
        let longest = self.zones.iter().map(|(_, nodes)| nodes.len()).max().unwrap_or(0);
        (0..longest).flat_map(|row| self.zones.iter().filter_map(move |(_, nodes)| nodes.get(row).copied())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(n: u32) -> ZoneKey {
        (None, Some(Symbol(n)))
    }

    #[test]
    fn nodes_alternate_between_zones_and_short_zones_run_out() {
        let mut tree = NodeTree::default();
        for (z, n) in [(7, 0), (7, 1), (3, 2), (7, 3), (3, 4), (5, 5)] {
            tree.add(zone(z), NodeId(n));
        }
        let order: Vec<u32> = tree.list().iter().map(|n| n.0).collect();
        assert_eq!(order, [0, 2, 5, 1, 4, 3]);
    }

    #[test]
    fn an_emptied_zone_comes_back_last() {
        let mut tree = NodeTree::default();
        for (z, n) in [(1, 0), (2, 1), (3, 2)] {
            tree.add(zone(z), NodeId(n));
        }
        tree.remove(zone(1), NodeId(0));
        tree.add(zone(1), NodeId(0));
        let order: Vec<u32> = tree.list().iter().map(|n| n.0).collect();
        assert_eq!(order, [1, 2, 0]);
    }
}
