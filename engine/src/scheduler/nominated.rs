//! Pods that a node was promised to: preemption makes room there, and others of the same or lower rank keep away.
//!
//! A node with such pods is filtered twice, with them and without them, as the original does. Start at
//! [`Scheduler::nominate`] and [`Scheduler::passes`].
//!
//! Source: kubernetes/kubernetes:pkg/scheduler/framework/runtime/framework.go, `RunFilterPluginsWithNominatedPods`, and
//! pkg/scheduler/backend/queue/nominator.go.

use std::collections::BTreeMap;

use crate::ids::{Id, NodeId, PodId};
use crate::scheduler::counters::ClassId;
use crate::scheduler::filter::Ask;
use crate::scheduler::outcome::Verdict;
use crate::scheduler::{Request, Scheduler};

/// A pod that a node was promised to.
#[derive(Clone, Copy, Debug)]
struct Nominee {
    pod: PodId,
    class: ClassId,
    priority: i32,
}

/// All promises.
#[derive(Clone, Debug, Default)]
pub(super) struct Nominations {
    by_node: BTreeMap<NodeId, Vec<Nominee>>,
    by_pod: BTreeMap<PodId, NodeId>,
}

impl Nominations {
    /// True without any.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.by_pod.is_empty()
    }

    /// Classes of the pods on a node that `ask` must make way for, in the order of promises.
    pub(super) fn ahead_of(&self, ask: Ask, node: NodeId) -> impl Iterator<Item = ClassId> + '_ {
        let nominees = self.by_node.get(&node).into_iter().flatten();
        nominees.filter(move |n| n.pod != ask.pod && n.priority >= ask.priority).map(|n| n.class)
    }
}

impl Scheduler {
    /// Promises a node to a pod. A promise that it had before is void. A pod's placement ends its promise.
    pub fn nominate(&mut self, pod: &Request, node: NodeId) {
        self.withdraw(pod.pod);
        let class = self.class(pod);
        let nominee = Nominee { pod: pod.pod, class, priority: self.classes[class].priority };
        self.nominations.by_pod.insert(pod.pod, node);
        self.nominations.by_node.entry(node).or_default().push(nominee);
        self.fitting.changed(node);
        self.looked.pod = None;
    }

    /// Takes a promise back, if there is one.
    pub fn withdraw(&mut self, pod: PodId) {
        let Some(node) = self.nominations.by_pod.remove(&pod) else { return };
        let nominees = self.nominations.by_node.get_mut(&node).expect("each promise is listed under its node");
        nominees.retain(|nominee| nominee.pod != pod);
        if nominees.is_empty() {
            self.nominations.by_node.remove(&node);
        }
        self.fitting.changed(node);
        self.looked.pod = None;
    }

    /// The node that a pod was promised.
    pub fn nominated(&self, pod: PodId) -> Option<NodeId> {
        self.nominations.by_pod.get(&pod).copied()
    }

    /// Pods of lower priority than this one that `node` was promised to: their promises are void once it takes the node.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/preemption/preemption.go, `getLowerPriorityNominatedPods`.
    pub fn nominated_below(&self, priority: i32, node: NodeId) -> Vec<PodId> {
        let nominees = self.nominations.by_node.get(&node).into_iter().flatten();
        nominees.filter(|nominee| nominee.priority < priority).map(|nominee| nominee.pod).collect()
    }

    /// True when a node passes all filters, with the pods that it was promised to and without them.
    pub(super) fn passes(&mut self, ask: Ask, node: NodeId) -> bool {
        self.feasible(ask.class, node) && {
            let ahead: Vec<ClassId> = self.nominations.ahead_of(ask, node).collect();
            ahead.is_empty() || self.with_guests(&ahead, node, |scheduler| scheduler.feasible(ask.class, node))
        }
    }

    /// The first filter that refuses a node: with the pods that it was promised to, then without them.
    pub(super) fn judge(&mut self, ask: Ask, node: NodeId) -> Option<Verdict> {
        let ahead: Vec<ClassId> = self.nominations.ahead_of(ask, node).collect();
        let guests = match ahead.is_empty() {
            true => None,
            false => self.with_guests(&ahead, node, |scheduler| scheduler.verdict(ask.class, node)),
        };
        guests.or_else(|| self.verdict(ask.class, node))
    }

    /// Looks at a node while pods of these classes are there, too.
    fn with_guests<R>(&mut self, guests: &[ClassId], node: NodeId, look: impl FnOnce(&Self) -> R) -> R {
        let version = self.usage.version[node.index()];
        for &class in guests {
            self.put_in(class, node);
        }
        let result = look(self);
        for &class in guests.iter().rev() {
            self.take_out(class, node);
        }
        self.usage.version[node.index()] = version; // All is as it was.
        result
    }

    /// Counts one pod of a class more on a node.
    pub(super) fn put_in(&mut self, class: ClassId, node: NodeId) {
        self.usage.charge(&self.classes[class].demand, node.index());
        self.ledger.enter(class, node);
    }

    /// Counts one pod of a class less, as [`Scheduler::put_in`] counted it.
    pub(super) fn take_out(&mut self, class: ClassId, node: NodeId) {
        self.usage.release(&self.classes[class].demand, node.index());
        self.ledger.leave(class, node, false);
    }
}
