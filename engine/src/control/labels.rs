//! Labels of nodes that people change while a cluster runs, and what becomes of pods that are in the wrong place then.
//!
//! Most orchestrators read labels when they place a pod and never again. Where constraints are enforced, a task on a node
//! that does not meet them any more is rejected and replaced elsewhere. Nodes that are paused or drained are left alone.
//! Start at [`Control::label_nodes`].
//! Source: moby/swarmkit:manager/orchestrator/constraintenforcer/constraint_enforcer.go, `rejectNoncompliantTasks`.

use std::sync::Arc;

use crate::control::{Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId, Symbol};
use crate::labels::Labels;
use crate::profile::Constraints;
use crate::scheduler;
use crate::scheduler::queue::{Event, NodeChange};

impl Control {
    /// Nodes get a label, or lose it.
    pub(super) fn label_nodes(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        nodes: &[NodeId],
        (key, value): (Symbol, Option<Symbol>),
    ) {
        for &node in nodes {
            let spec = &self.catalog.nodes[node];
            if !self.nodes[node].exists() || spec.labels.get(key) == value {
                continue;
            }
            let others = spec.labels.iter().filter(|(k, _)| *k != key);
            let labels = Labels::new(others.chain(value.map(|value| (key, value))).collect::<Vec<_>>());
            Arc::make_mut(&mut self.catalog).nodes[node].labels = labels;
            self.scheduling.scheduler.relabel(node, (Arc::clone(&self.catalog), key));
            let note = FactKind::Noted { subject: Subject::Node(node), note: Note::Labelled };
            let fact = cx.facts.record(cx.now, cause, note);
            self.nodes[node].news = fact;
            self.commit_heard(cx.now);
            self.show_node_to_scheduler(node);
            self.tell_queue(cx, Event::NodeUpdated(NodeChange { labels: true, ..NodeChange::default() }));
            self.enforce_constraints(cx, fact, node);
        }
    }

    /// Tasks of a node that does not meet their constraints any more are rejected.
    pub(super) fn enforce_constraints(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let row = &self.nodes[node];
        if self.profile.constraints != Constraints::Enforced || row.cordoned {
            return;
        }
        let misplaced: Vec<PodId> = row.pods.iter().copied().filter(|&pod| self.is_misplaced(pod, node)).collect();
        for pod in misplaced {
            let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::ConstraintsUnmet };
            let fact = cx.facts.record(cx.now, cause, kind);
            self.failed_on_node(cx, pod);
            self.delete_pod(cx, (Client::Eviction, fact), (pod, Deletion::Rejected, None));
        }
    }

    /// Constraints are those of the service as it is now, whatever version the task is of.
    fn is_misplaced(&self, pod: PodId, node: NodeId) -> bool {
        let row = &self.pods[pod];
        let current = self.workloads[row.workload].current.map_or(row.template, |r| self.revisions[r].template);
        row.active()
            && !scheduler::node_admits(&self.catalog.templates[current], &self.catalog.nodes[node], &self.catalog)
    }
}
