//! Taints that people set on nodes, and what those with effect `NoExecute` do to pods there.
//!
//! The taints of silent nodes have their own path with its limiter (`nodes`); the rules for pods are the same. Source:
//! kubernetes/kubernetes:pkg/controller/tainteviction/taint_eviction.go, `processPodOnNode`. Start at [`Control::taint`].

use std::collections::BTreeMap;

use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{NodeId, PodId};
use crate::model::{PodTemplate, Taint, TaintEffect, Toleration};
use crate::time::{Span, Time};

/// Pods that go when their toleration of a node's taints ends: when that began, and when it ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending(BTreeMap<PodId, (Time, Time)>);

/// How long a pod may stay with taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Ever,
    For(Span),
    Not,
}

fn stay((pod, automatic): (&PodTemplate, &[Toleration]), taints: &[Taint]) -> Stay {
    let mut shortest = Stay::Ever;
    for taint in taints.iter().filter(|taint| taint.effect == TaintEffect::NoExecute) {
        let all = pod.tolerations.iter().chain(automatic);
        let mut matching = all.filter(|toleration| toleration.tolerates(taint)).peekable();
        if matching.peek().is_none() {
            return Stay::Not;
        }
        for seconds in matching.filter_map(|toleration| toleration.seconds) {
            shortest = match shortest {
                Stay::For(known) => Stay::For(known.min(seconds)),
                _ => Stay::For(seconds),
            };
        }
    }
    shortest
}

impl Control {
    /// Somebody sets a taint on nodes, in the place of one with the same key and effect.
    pub(super) fn taint(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId], taint: Taint) {
        for &node in nodes.iter().filter(|&&node| self.nodes[node].exists()).collect::<Vec<_>>() {
            let taints = &mut self.nodes[node].taints;
            if taints.contains(&taint) {
                continue;
            }
            taints.retain(|other| (other.key, other.effect) != (taint.key, taint.effect));
            taints.push(taint);
            self.taints_changed(cx, cause, node);
        }
    }

    /// Somebody removes taints with a key from nodes; `None`: of every effect.
    pub(super) fn untaint(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId], which: (Taint, bool)) {
        let (taint, every_effect) = which;
        for &node in nodes {
            let taints = &mut self.nodes[node].taints;
            let before = taints.len();
            taints.retain(|other| other.key != taint.key || (other.effect != taint.effect && !every_effect));
            if taints.len() != before {
                self.taints_changed(cx, cause, node);
            }
        }
    }

    fn taints_changed(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let fact = cx.facts.record(cx.now, cause, FactKind::NodeTainted { node });
        self.nodes[node].news = fact;
        self.show_node_to_scheduler(node);
        self.node_changed_for_queue(cx);
        for pod in self.nodes[node].pods.clone() {
            self.weigh_taints(cx, fact, pod, node);
        }
        self.storage_taints_changed(cx, fact, node);
    }

    /// Decides anew how long a pod may stay on its node.
    pub(super) fn weigh_taints(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, node: NodeId) {
        if self.nodes[node].taints.is_empty() && self.nodes[node].ending.0.is_empty() {
            return;
        }
        let automatic = if self.is_daemon(pod) { self.daemon_tolerations(pod) } else { Vec::new() };
        let stay = stay((&self.catalog.templates[self.pods[pod].template], &automatic), &self.nodes[node].taints);
        let ending = &mut self.nodes[node].ending.0;
        match stay {
            Stay::Ever => _ = ending.remove(&pod),
            Stay::Not => {
                ending.remove(&pod);
                self.delete_tainted(cx, cause, pod);
            }
            Stay::For(span) => {
                // A wait that has begun goes on from where it began.
                let began = ending.get(&pod).map_or(cx.now, |(began, _)| *began);
                let due = (began + span).max(cx.now);
                ending.insert(pod, (began, due));
                cx.timers.set(due, cause, Alarm::TolerationEnds { pod, node });
            }
        }
    }

    /// A pod's toleration of its node's taints may be over.
    pub(super) fn toleration_ends(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, node: NodeId) {
        let due = self.nodes[node].ending.0.get(&pod).map(|(_, due)| *due);
        if due.is_some_and(|due| due <= cx.now) {
            self.nodes[node].ending.0.remove(&pod);
            self.delete_tainted(cx, cause, pod);
        }
    }

    fn delete_tainted(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        self.mark_and_delete(cx, cause, pod, Deletion::Tainted);
    }

    /// Each deletion is preceded by a patch of the pod's conditions, also that of a pod which is on its way out already.
    /// Source: the same file, `addConditionAndDeletePod`; recorded on 1.36.2.
    pub(super) fn mark_and_delete(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, why: Deletion) {
        if self.pods[pod].gone {
            return;
        }
        self.store.spend(cx.now, Client::Eviction);
        let fact = cx.facts.record(cx.now, cause, FactKind::PodDisrupted { pod, why });
        self.delete_pod(cx, (Client::Eviction, fact), (pod, why, None));
    }

    /// A pod has left its node.
    pub(super) fn forget_ending(&mut self, pod: PodId, node: NodeId) {
        self.nodes[node].ending.0.remove(&pod);
    }
}
