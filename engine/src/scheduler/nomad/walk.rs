//! Nodes in a random order that is made as it is needed, and the way through it.
//!
//! Each evaluation has a fresh Fisher-Yates shuffle. A position is drawn when it is first looked at, from those not drawn
//! yet, so an evaluation that looks at ten nodes of five thousand draws ten times; continuing from the former
//! evaluation's order is as good as from any other. The choices of one evaluation go on where the one before stopped,
//! as the original's iterator does. Start at [`Walk::next`].
//!
//! Source: hashicorp/nomad:scheduler/feasible/feasible.go, `StaticIterator` and `ShuffleNodes`.

use crate::ids::NodeId;
use crate::rng::Stream;

/// The way through the nodes of one pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    order: Vec<NodeId>,
    /// Positions below this are shuffled.
    drawn: usize,
    /// The next position.
    offset: usize,
    /// Nodes looked at for the present choice.
    seen: usize,
}

impl Walk {
    /// A way through these nodes.
    pub(super) fn new(order: Vec<NodeId>) -> Self {
        Self { order, ..Self::default() }
    }

    /// How many nodes there are.
    pub(super) const fn len(&self) -> usize {
        self.order.len()
    }

    /// A new evaluation: everything is shuffled again.
    pub(super) const fn reshuffle(&mut self) {
        (self.drawn, self.offset, self.seen) = (0, 0, 0);
    }

    /// A new choice of the same evaluation.
    pub(super) const fn rewind(&mut self) {
        self.seen = 0;
    }

    /// The next node, until each was seen once since [`Walk::rewind`].
    pub(super) fn next(&mut self, luck: &mut Stream) -> Option<NodeId> {
        let nodes = self.order.len();
        if self.seen == nodes {
            return None;
        }
        if self.offset == nodes {
            self.offset = 0;
        }
        if self.offset >= self.drawn {
            let other = self.offset + luck.index(nodes - self.offset);
            self.order.swap(self.offset, other);
            self.drawn = self.offset + 1;
        }
        let node = self.order[self.offset];
        self.offset += 1;
        self.seen += 1;
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Streams};

    #[test]
    fn a_choice_sees_each_node_once_and_the_next_goes_on_behind_it() {
        let mut luck = Streams::new(3).stream(Purpose::Scheduler, 0);
        let mut walk = Walk::new((0..5).map(NodeId).collect());
        let first: Vec<_> = (0..2).filter_map(|_| walk.next(&mut luck)).collect();
        walk.rewind();
        let second: Vec<_> = std::iter::from_fn(|| walk.next(&mut luck)).collect();
        assert_eq!(second.len(), 5);
        assert_eq!(second[3..], first, "the way is a circle");
        let mut all = second.clone();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut luck = Streams::new(7).stream(Purpose::Scheduler, 0);
        let mut walk = Walk::new((0..3).map(NodeId).collect());
        let mut seen = std::collections::BTreeMap::<Vec<NodeId>, u32>::new();
        for _ in 0..6_000 {
            walk.reshuffle();
            *seen.entry(std::iter::from_fn(|| walk.next(&mut luck)).collect()).or_default() += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|&count| (850..1_150).contains(&count)), "{seen:?}");
    }
}
