//! Leaving a node that is drained: a few replicas of each group at a time, and everything at the deadline.
//!
//! Whoever drains marks replicas, an evaluation moves them: their successors and their stop are in one plan. Groups
//! that run to completion may go on until the deadline. Source: hashicorp/nomad:nomad/drainer/watch_jobs.go,
//! `handleTaskGroup`; nomad/drainer/watch_nodes.go; nomad/drainer/drain_heap.go. Start at [`Control::drain_groups`].

use std::collections::BTreeMap;

use super::GroupAlarm;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId, WorkloadId};
use crate::model::WorkloadKind;
use crate::time::Span;

/// A node that is being drained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draining {
    fact: FactId,
    stamp: u32,
    /// The deadline has passed: everything goes.
    forced: bool,
}

impl Control {
    /// Closed nodes are to be emptied; true where that is the profile's way.
    pub(in crate::control) fn drain_groups(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId]) -> bool {
        let Some(deadline) = self.group_policy().map(|policy| policy.drain_deadline) else { return false };
        for &node in nodes.iter().filter(|node| self.nodes[**node].exists()).collect::<Vec<_>>() {
            let stamp = self.groups.drains.get(&node).map_or(0, |draining| draining.stamp) + 1;
            self.groups.drains.insert(node, Draining { fact: cause, stamp, forced: false });
            cx.timers.set(cx.now + deadline, cause, Alarm::Group(GroupAlarm::DrainOver { node, stamp }));
            self.drained_replica_gone(cx, node);
        }
        self.wake_drainer(cx, cause, Span::ZERO);
        true
    }

    /// Somebody opened the node again.
    pub(in crate::control) fn stop_draining_groups(&mut self, node: NodeId) {
        if self.groups.drains.remove(&node).is_none() {
            return;
        }
        for pod in self.nodes[node].pods.clone() {
            if let Some(replica) = self.groups.replicas.get_mut(&pod) {
                replica.migrate = false;
            }
        }
    }

    /// Whoever drains looks again soon, if a node is being drained.
    pub(super) fn wake_drainer(&mut self, cx: &mut Cx<'_>, cause: FactId, news: Span) {
        let Some(batch) = self.group_policy().map(|policy| policy.drainer_batch) else { return };
        if !self.groups.drains.is_empty() && !std::mem::replace(&mut self.groups.drainer_planned, true) {
            cx.timers.set(cx.now + news + batch, cause, Alarm::Group(GroupAlarm::Drainer));
        }
    }

    /// Marks what may leave now.
    pub(super) fn drainer_looks(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        self.groups.drainer_planned = false;
        let mut leaving: BTreeMap<WorkloadId, Vec<(bool, PodId)>> = BTreeMap::new();
        for (&node, draining) in &self.groups.drains {
            for &pod in &self.nodes[node].pods {
                let stays = |r: &super::Replica| !r.migrate && !r.superseded;
                if self.groups.replicas.get(&pod).is_some_and(stays) && self.pods[pod].active() {
                    leaving.entry(self.pods[pod].workload).or_default().push((draining.forced, pod));
                }
            }
        }
        for (workload, pods) in leaving {
            let all = pods.iter().all(|(forced, _)| *forced);
            let batch = self.is_batch(workload);
            let may = if all { pods.len() } else { self.may_leave(workload) };
            let marked: Vec<PodId> =
                pods.into_iter().filter(|(forced, _)| *forced || !batch).take(may).map(|(_, pod)| pod).collect();
            for &pod in &marked {
                self.groups.replicas.entry(pod).or_default().migrate = true;
            }
            if !marked.is_empty() {
                self.evaluate(cx, workload, cause);
            }
        }
    }

    /// How many replicas of a group may leave drained nodes now: as many as it has healthy ones beyond the threshold.
    fn may_leave(&self, workload: WorkloadId) -> usize {
        let rule = self.migrate_rule(workload);
        let threshold = self.group_count(workload).saturating_sub(rule.max_parallel);
        let revisions = self.workloads[workload].revisions.iter();
        let pods = revisions.flat_map(|&r| &self.revisions[r].pods);
        let well = pods.filter(|pod| {
            let replica = self.groups.replicas.get(pod);
            let settled = replica.is_some_and(|r| r.health == Some(true) && !r.migrate && !r.superseded);
            settled && self.pods[**pod].active()
        });
        (well.count() as u32).saturating_sub(threshold) as usize
    }

    /// The deadline of a drain has passed: what is left goes now.
    pub(super) fn drain_over(&mut self, cx: &mut Cx<'_>, cause: FactId, (node, stamp): (NodeId, u32)) {
        let Some(draining) = self.groups.drains.get_mut(&node).filter(|draining| draining.stamp == stamp) else {
            return;
        };
        draining.forced = true;
        self.groups.drainer_planned = true;
        let batch = self.group_policy().map(|policy| policy.drainer_batch).unwrap_or_default();
        cx.timers.set(cx.now + batch, cause, Alarm::Group(GroupAlarm::Drainer));
        let fact = cause;
        self.drain_daemons(cx, fact, node);
        self.drained_replica_gone(cx, node);
    }

    /// Pods that run on every node go last.
    fn drain_daemons(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        for pod in self.nodes[node].pods.clone() {
            if self.catalog.workloads[self.pods[pod].workload].kind == WorkloadKind::DaemonSet {
                self.delete_pod(cx, (Client::Operator, cause), (pod, Deletion::Drained, None));
            }
        }
    }

    /// A replica of a node is gone: the drain is over when it was the last one.
    pub(super) fn drained_replica_gone(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(&draining) = self.groups.drains.get(&node) else { return };
        let stays = |pod: &&PodId| self.groups.replicas.contains_key(pod) && self.pods[**pod].active();
        if self.nodes[node].pods.iter().any(|pod| stays(&pod)) {
            return;
        }
        self.groups.drains.remove(&node);
        let note = FactKind::Noted { subject: Subject::Node(node), note: Note::Drained };
        let fact = cx.facts.record(cx.now, draining.fact, note);
        self.drain_daemons(cx, fact, node);
    }
}
