//! Which pods are on each node, most important first: what preemption looks through.
//!
//! Kept only where pods differ in priority, so that other clusters pay nothing. It decides nothing. Start at
//! [`Roster::below`].

use std::collections::BTreeMap;

use crate::ids::{Id, NodeId, PodId};
use crate::scheduler::counters::ClassId;
use crate::time::Time;

/// A pod on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Occupant {
    pub(super) priority: i32,
    /// When it started; the future for a pod that has not.
    pub(super) started: Time,
    pub(super) pod: PodId,
    pub(super) class: ClassId,
}

impl Occupant {
    /// Sorts the more important pod first: higher priority, then the longer run.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/util/utils.go, `MoreImportantPod`.
    pub(super) fn rank(&self) -> (std::cmp::Reverse<i32>, Time, PodId) {
        (std::cmp::Reverse(self.priority), self.started, self.pod)
    }
}

/// Pods by node, most important first. `None` where all pods are of one priority.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    nodes: Option<Vec<Vec<Occupant>>>,
    /// Pods of each priority.
    of_priority: BTreeMap<i32, u32>,
}

impl Roster {
    /// An empty roster. `differ`: there are pods of different priorities.
    pub(super) fn new(nodes: usize, differ: Differ) -> Self {
        Self { nodes: (differ == Differ::Yes).then(|| vec![Vec::new(); nodes]), of_priority: BTreeMap::new() }
    }

    /// A pod takes its place.
    pub(super) fn enter(&mut self, node: NodeId, occupant: Occupant) {
        let Some(nodes) = &mut self.nodes else { return };
        let row = &mut nodes[node.index()];
        let at = row.partition_point(|other| other.rank() < occupant.rank());
        row.insert(at, occupant);
        *self.of_priority.entry(occupant.priority).or_default() += 1;
    }

    /// A pod is gone.
    pub(super) fn leave(&mut self, node: NodeId, pod: PodId) {
        let Some(nodes) = &mut self.nodes else { return };
        let row = &mut nodes[node.index()];
        let at = row.iter().position(|occupant| occupant.pod == pod).expect("what leaves has entered");
        let count = self.of_priority.get_mut(&row.remove(at).priority).expect("each pod is counted");
        *count -= 1;
        if *count == 0 {
            self.of_priority.retain(|_, count| *count > 0);
        }
    }

    /// True when some pod on some node is of lower priority.
    pub(super) fn any_below(&self, priority: i32) -> bool {
        self.of_priority.first_key_value().is_some_and(|(lowest, _)| *lowest < priority)
    }

    /// A pod's start is known; the first word counts.
    pub(super) fn set_started(&mut self, node: NodeId, pod: PodId, at: Time) {
        let Some(nodes) = &mut self.nodes else { return };
        let unknown = |occupant: &Occupant| occupant.pod == pod && occupant.started == Time::MAX;
        let Some(i) = nodes[node.index()].iter().position(unknown) else { return };
        let row = &mut nodes[node.index()];
        let occupant = Occupant { started: at, ..row.remove(i) };
        row.insert(row.partition_point(|other| other.rank() < occupant.rank()), occupant);
    }

    /// All pods on a node, most important first. Empty where all pods are of one priority.
    pub(super) fn on(&self, node: NodeId) -> &[Occupant] {
        self.nodes.as_ref().map_or(&[], |nodes| &nodes[node.index()])
    }

    /// Pods on a node of lower priority, most important first.
    #[inline]
    pub(super) fn below(&self, node: NodeId, priority: i32) -> &[Occupant] {
        let Some(nodes) = &self.nodes else { return &[] };
        let row = &nodes[node.index()];
        &row[row.partition_point(|occupant| occupant.priority >= priority)..]
    }
}

/// Whether priorities differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Differ {
    /// They do.
    Yes,
    /// All pods are alike.
    No,
}
