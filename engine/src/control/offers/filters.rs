//! What a framework has declined, and for how long it is not offered again.
//!
//! A filter refuses what is no more than what was declined: a node on which something became free since is offered in the
//! next allocation. Source: apache/mesos:src/master/allocator/mesos/hierarchical.cpp, `RefusedOfferFilter`.
//!
//! A framework that wants nothing declines one offer after the other. That is not simulated: [`Filters::idle`] works out
//! where it stands in that cycle. Start there and at [`Filters::hides`].

use std::collections::BTreeMap;

use crate::ids::NodeId;
use crate::time::{Span, Time};

/// Filters of one framework.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters {
    declined: BTreeMap<NodeId, Declined>,
    /// Not later than the first of them ends.
    first: Option<Time>,
}

/// What was declined on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Declined {
    until: Time,
    cpu: i64,
    memory: i64,
}

impl Filters {
    /// All of them end.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What is free on a node is declined.
    pub(super) fn decline(&mut self, node: NodeId, until: Time, (cpu, memory): (i64, i64)) {
        self.declined.insert(node, Declined { until, cpu, memory });
        self.first = Some(self.first.map_or(until, |first| first.min(until)));
    }

    /// Whether what is free on a node is not to be offered now.
    pub(super) fn hides(&self, node: NodeId, now: Time, (cpu, memory): (i64, i64)) -> bool {
        let covers = |d: &Declined| now < d.until && cpu <= d.cpu && memory <= d.memory;
        self.declined.get(&node).is_some_and(covers)
    }

    /// Whether a framework that declines whatever it gets, for so long, has no offer of this node open now, when offers
    /// are made on a grid. One that was never seen to decline began at the grid's own start.
    pub(super) fn idle(&self, node: NodeId, now: Time, (decline, grid): (Span, Span)) -> bool {
        let cycle = (decline.as_nanos() / grid.as_nanos().max(1) + 1) * grid.as_nanos().max(1);
        let phase = u64::from(node.0) * 7 * grid.as_nanos();
        let began = self.declined.get(&node).map_or(phase, |d| d.until.as_nanos());
        // It is offered once a cycle and declines for the rest of it.
        (now.as_nanos().abs_diff(began)) % cycle >= grid.as_nanos()
    }

    /// Whether nothing was declined there lately.
    pub(super) fn is_new(&self, node: NodeId) -> bool {
        !self.declined.contains_key(&node)
    }

    /// When the first of them ends.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.first
    }

    /// Forgets those that have ended.
    pub(super) fn prune(&mut self, now: Time) {
        if self.first.is_none_or(|first| first > now) {
            return;
        }
        self.declined.retain(|_, d| d.until > now);
        self.first = self.declined.values().map(|d| d.until).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_offered_again_when_more_is_free_or_the_time_is_over() {
        let (node, second) = (NodeId(3), Time::from_secs);
        let mut filters = Filters::default();
        filters.decline(node, second(120), (500, 100));
        assert!(filters.hides(node, second(10), (500, 100)));
        assert!(filters.hides(node, second(10), (400, 100)));
        assert!(!filters.hides(node, second(10), (400, 101)), "more memory is free");
        assert!(!filters.hides(node, second(120), (500, 100)), "the filter has ended");
        assert!(!filters.hides(NodeId(4), second(10), (1, 1)));
        filters.clear();
        assert!(!filters.hides(node, second(10), (1, 1)) && filters.next_expiry().is_none());
    }

    #[test]
    fn an_idle_framework_holds_each_node_once_a_cycle() {
        let filters = Filters::default();
        let open = |t| !filters.idle(NodeId(0), Time::from_secs(t), (Span::from_secs(5), Span::from_secs(1)));
        assert_eq!((0..12).map(open).filter(|open| *open).count(), 2, "once in six seconds");
    }
}
