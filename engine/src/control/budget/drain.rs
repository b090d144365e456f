//! `kubectl drain`: closes nodes, then empties them one after the other by evictions, and waits until the pods are gone.
//!
//! It is the tool with `--ignore-daemonsets --delete-emptydir-data --force` and without a time-out: pods of daemon sets
//! stay, pods without a controller go for ever, and refused evictions are tried again without end. Uncordoning a node
//! ends its drain, as whoever does that stops the tool. Start at [`Control::drain_by_eviction`].
//!
//! Source: kubernetes/kubectl:pkg/drain/drain.go and pkg/cmd/drain/drain.go.

use std::collections::{BTreeMap, VecDeque};

use crate::control::{Alarm, Control, Cx};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId};
use crate::model::WorkloadKind;
use crate::time::Time;

/// The commands that run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drains {
    commands: Vec<Command>,
    /// Which command waits for a pod. A second command for a node that is being drained waits for nothing.
    of: BTreeMap<PodId, usize>,
}

/// One call of the tool.
#[derive(Clone, Debug)]
struct Command {
    cause: FactId,
    /// Nodes still to be drained.
    nodes: VecDeque<NodeId>,
    current: Option<NodeId>,
    /// Pods of the current node that are not gone, and since when their eviction is granted.
    pods: BTreeMap<PodId, Option<Time>>,
    /// When the last pod that went was missed.
    missed: Time,
}

impl Drains {
    /// Whether a command waits for something.
    pub(in crate::control) fn busy(&self) -> bool {
        !self.of.is_empty()
    }
}

impl Control {
    /// Closed nodes are to be emptied, one after the other.
    pub(in crate::control) fn drain_by_eviction(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId]) {
        let nodes = nodes.iter().copied().filter(|&node| self.nodes[node].exists()).collect();
        let command = Command { cause, nodes, current: None, pods: BTreeMap::new(), missed: cx.now };
        self.drains.commands.push(command);
        self.drain_next(cx, self.drains.commands.len() - 1);
    }

    /// A command is done with a node and turns to its next one.
    pub(in crate::control) fn drain_next(&mut self, cx: &mut Cx<'_>, command: usize) {
        let state = &mut self.drains.commands[command];
        if !state.pods.is_empty() {
            return;
        }
        let cause = state.cause;
        if let Some(node) = state.current.take() {
            cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Node(node), note: Note::Drained });
        }
        while let Some(node) = self.drains.commands[command].nodes.pop_front() {
            if self.nodes[node].exists() && self.nodes[node].cordoned {
                self.drains.commands[command].current = Some(node);
                return self.evict_pods_of(cx, command, node);
            }
        }
    }

    fn evict_pods_of(&mut self, cx: &mut Cx<'_>, command: usize, node: NodeId) {
        let mut pods = self.nodes[node].pods.clone();
        pods.retain(|&pod| {
            let daemon = self.catalog.workloads[self.pods[pod].workload].kind == WorkloadKind::DaemonSet;
            !daemon && !self.drains.of.contains_key(&pod)
        });
        pods.sort_unstable();
        let state = &mut self.drains.commands[command];
        state.pods = pods.iter().map(|&pod| (pod, None)).collect();
        state.missed = cx.now;
        let cause = state.cause;
        self.drains.of.extend(pods.iter().map(|&pod| (pod, command)));
        if pods.is_empty() {
            return cx.timers.set(cx.now, cause, Alarm::DrainNext(command as u32));
        }
        for pod in pods {
            self.evict(cx, cause, pod, 0);
        }
    }

    /// Whether a command goes on asking for a pod's eviction until it is granted.
    pub(super) fn is_drained(&self, pod: PodId) -> bool {
        self.drains.of.contains_key(&pod)
    }

    /// What asked for a pod's eviction.
    pub(super) fn drain_cause(&self, pod: PodId) -> FactId {
        self.drains.of.get(&pod).map_or(FactId::NONE, |&command| self.drains.commands[command].cause)
    }

    /// A pod's deletion is certain; the tool begins to look whether it is gone.
    pub(super) fn eviction_granted(&mut self, cx: &Cx<'_>, pod: PodId) {
        let Some(&command) = self.drains.of.get(&pod) else {
            return;
        };
        if let Some(since) = self.drains.commands[command].pods.get_mut(&pod) {
            since.get_or_insert(cx.now);
        }
    }

    /// The tool gives one pod up and reports an error at its end.
    pub(super) fn eviction_failed(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let now = cx.now;
        self.leave_drain(cx, pod, now);
    }

    /// A pod is gone: the tool notices at its next look.
    pub(in crate::control) fn drained_pod_gone(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let Some(&command) = self.drains.of.get(&pod) else {
            return;
        };
        self.forget_refusal(pod);
        let poll = self.profile.control.machine.evictions.map_or(crate::time::Span::ZERO, |api| api.poll);
        let since = self.drains.commands[command].pods.get(&pod).copied().flatten();
        let missed = match since {
            Some(since) if !poll.is_zero() => {
                since + poll.times(cx.now.since(since).as_nanos().div_ceil(poll.as_nanos()))
            }
            _ => cx.now,
        };
        self.leave_drain(cx, pod, missed);
    }

    fn leave_drain(&mut self, cx: &mut Cx<'_>, pod: PodId, at: Time) {
        let Some(command) = self.drains.of.remove(&pod) else {
            return;
        };
        let state = &mut self.drains.commands[command];
        state.pods.remove(&pod);
        state.missed = state.missed.max(at);
        if state.pods.is_empty() {
            cx.timers.set(state.missed, state.cause, Alarm::DrainNext(command as u32));
        }
    }

    /// A node is open again, or its object is gone: nobody drains it any more.
    pub(in crate::control) fn stop_draining(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        for command in 0..self.drains.commands.len() {
            if self.drains.commands[command].current != Some(node) {
                continue;
            }
            self.drains.commands[command].current = None;
            for pod in std::mem::take(&mut self.drains.commands[command].pods).into_keys() {
                self.drains.of.remove(&pod);
                self.forget_refusal(pod);
            }
            cx.timers.set(cx.now, self.drains.commands[command].cause, Alarm::DrainNext(command as u32));
        }
    }

    /// An eviction is tried again, unless nobody wants it any more.
    pub(in crate::control) fn evict_again(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, attempt: u32) {
        // Conflicts over a budget are settled inside the API server, whether or not somebody still waits for the answer.
        if self.drains.of.contains_key(&pod) || attempt > 0 {
            self.evict(cx, cause, pod, attempt);
        }
    }
}
