//! What a new leader does first: it knows what the store has, and nothing else.
//!
//! Sources: kubernetes/kubernetes:pkg/controller/nodelifecycle/node_lifecycle_controller.go (the map of node health is in
//! memory), pkg/controller/tainteviction/taint_eviction.go (so are the timers of tolerations).

use std::collections::BTreeSet;

use crate::control::leader::{Owner, owner};
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Component, FactId};
use crate::ids::NodeId;
use crate::message::Beats;
use crate::profile::Eviction;
use crate::time::Span;

/// From when silent nodes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// From when they were heard.
    Kept,
    /// From now on.
    Lost,
}

impl Control {
    /// A leader begins.
    pub(super) fn take_over(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component) {
        if part == Component::Controllers {
            Client::CONTROLLERS.iter().for_each(|&client| self.store.refresh(&self.profile.control, client));
            self.judge_nodes(cx, cause, Memory::Lost);
        } else {
            self.store.refresh(&self.profile.control, Client::Scheduler);
            self.refill_queue(cx);
        }
        self.unshelve(cx, Owner::Part(part));
    }

    /// What waited for an owner is due now, in the order in which it fell due.
    pub(super) fn unshelve(&mut self, cx: &mut Cx<'_>, whose: Owner) {
        let (due, rest) =
            std::mem::take(&mut self.parts.shelf).into_iter().partition(|(_, alarm)| owner(alarm) == whose);
        self.parts.shelf = rest;
        let due: Vec<(FactId, Alarm)> = due;
        for (cause, alarm) in due {
            cx.timers.set(cx.now, cause, alarm);
        }
    }

    /// Every pod without a node is tried, whatever was known of it.
    pub(super) fn refill_queue(&mut self, cx: &mut Cx<'_>) {
        for pod in self.pods.ids() {
            let row = &self.pods[pod];
            if !row.gone && row.deleting.is_none() && row.assumed.is_none() {
                self.scheduling.reconsider(pod, cx.now);
            }
        }
        self.wake_scheduler(cx);
    }

    /// Nodes are judged by what is known of their heartbeats. With its memory lost, the monitor gives each its whole grace.
    pub(super) fn judge_nodes(&mut self, cx: &mut Cx<'_>, cause: FactId, memory: Memory) {
        if memory == Memory::Lost {
            self.timers_reset = cx.now;
        }
        for zone in self.catalog.zones.ids() {
            if memory == Memory::Lost {
                self.zones[zone].queue.clear();
                self.zones[zone].token_at = cx.now;
            }
        }
        for node in self.catalog.nodes.ids() {
            self.judge_node(cx, cause, node, memory);
        }
    }

    fn judge_node(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, memory: Memory) {
        let row = &self.nodes[node];
        if !row.exists() {
            return;
        }
        let (steady, healthy, evicting, last) = (row.steady, row.healthy, row.evicting, row.last_heard);
        if steady && !healthy {
            return self.heartbeats(cx, cause, node, Beats::Steady);
        }
        // Where a key says how long a node lives, it says so to whoever looks.
        let keys = self.profile.control.machine.presence.is_some();
        let memory = if keys { Memory::Kept } else { memory };
        if healthy && steady && keys {
            return;
        }
        if !steady && healthy {
            self.nodes[node].unknown = memory == Memory::Lost;
            self.nodes[node].last_heard = if memory == Memory::Lost { cx.now } else { last };
            let why = self.nodes[node].cause;
            return self.expect_heartbeat(cx, if why == FactId::NONE { cause } else { why }, node);
        }
        if healthy || memory == Memory::Kept {
            return;
        }
        self.nodes[node].stamp = self.nodes[node].stamp.wrapping_add(1);
        let stamp = self.nodes[node].stamp;
        if evicting {
            self.tolerate_anew(cx, node);
        } else if let Eviction::Taints(policy) = &self.profile.eviction {
            cx.timers.set(
                cx.now + policy.taint_delay,
                self.nodes[node].unhealthy_fact,
                Alarm::QueueEviction { node, stamp },
            );
        }
    }

    /// Tolerations on a node begin anew.
    fn tolerate_anew(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        self.nodes[node].taint += 1;
        let (taint, fact) = (self.nodes[node].taint, self.nodes[node].unhealthy_fact);
        let lengths: BTreeSet<Span> = self.nodes[node].pods.iter().filter_map(|&p| self.toleration(p)).collect();
        for length in lengths {
            cx.timers.set(cx.now + length, fact, Alarm::TolerationOver { node, taint, length });
        }
    }
}
