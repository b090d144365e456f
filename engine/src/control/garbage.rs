//! Nodes that are taken out of the cluster, and what becomes of the pods that were bound to them.
//!
//! Deleting a Node object says nothing to its agent: containers go on running, and where pods are evicted by taints, only
//! the collector of orphaned pods gives them up, after a quarantine. An agent that starts anew registers its node again.
//! Whether a node is healthy is not judged here, see `nodes`. Start at [`Control::remove_nodes`].

use std::collections::BTreeMap;

use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{NodeId, PodId};
use crate::profile::Eviction;
use crate::scheduler::queue::Event;
use crate::time::{Span, Time};

/// How long a node has to be absent after the collector missed it, before its pods are collected.
/// Source: kubernetes/kubernetes:pkg/controller/podgc/gc_controller.go, `quarantineTime`.
const QUARANTINE: Span = Span::from_secs(40);

/// The collector of pods whose node does not exist.
#[derive(Clone, Debug)]
pub(super) struct Garbage {
    /// Nodes that were missed, and when that is looked into. Coming back does not take a node out, being looked into does.
    quarantine: BTreeMap<NodeId, Time>,
    /// A look is planned.
    armed: bool,
    /// Collections that are on their way to the store. It does not look again before the last one is there.
    collecting: u32,
    /// Where its grid begins.
    phase: Span,
}

impl Garbage {
    pub(super) fn new(phase: Span) -> Self {
        Self { quarantine: BTreeMap::new(), armed: false, collecting: 0, phase }
    }

    /// Whether it will look by itself.
    pub(super) fn awake(&self) -> bool {
        self.armed || self.collecting > 0
    }
}

impl Control {
    /// Node objects are deleted: by hand, or because a cloud says that the machine is gone.
    pub(super) fn remove_nodes(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId]) {
        for &node in nodes {
            if self.nodes[node].exists() {
                self.remove_node(cx, cause, node);
            }
        }
    }

    fn remove_node(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let fact = cx.facts.record(cx.now, cause, FactKind::NodeRemoved { node });
        let zone = &mut self.zones[self.catalog.nodes[node].zone];
        let row = &mut self.nodes[node];
        zone.nodes -= 1;
        zone.unhealthy -= u32::from(!row.healthy);
        row.remove(fact);
        self.stop_draining(cx, node);
        self.show_node_to_scheduler(node);
        self.tell_queue(cx, Event::NodeRemoved);
        self.rate_zones(cx, fact);
        if !self.nodes[node].pods.is_empty() {
            self.orphaned(cx, node);
        }
    }

    /// An agent starts. A node that was deleted becomes part of the cluster again, as if it were new.
    pub(super) fn register(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        if self.nodes[node].exists() {
            return;
        }
        self.nodes[node].come_back();
        self.node_joins(cx, cause, node);
        self.zones[self.catalog.nodes[node].zone].nodes += 1;
        self.node_registered(cx, cause, node);
        self.show_node_to_scheduler(node);
        self.tell_queue(cx, Event::NodeAdded);
        self.rate_zones(cx, cause);
    }

    /// Pods are bound to a node that does not exist.
    pub(super) fn orphaned(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        match self.profile.eviction {
            Eviction::Taints(_) => self.arm_garbage(cx),
            Eviction::AtOnce | Eviction::Never | Eviction::Suspect | Eviction::Unreachable(_) => {
                let fact = self.nodes[node].removed;
                for pod in self.nodes[node].pods.clone() {
                    self.write(cx, Client::Eviction, fact, Write::CollectPod { pod, why: Deletion::NodeLost });
                }
            }
        }
    }

    /// Plans the collector's next look, if there is anything to look at.
    fn arm_garbage(&mut self, cx: &mut Cx<'_>) {
        let Eviction::Taints(policy) = &self.profile.eviction else { return };
        if self.garbage.awake() || (self.garbage.quarantine.is_empty() && !self.has_orphans()) {
            return;
        }
        self.garbage.armed = true;
        let at = (cx.now + Span::from_nanos(1)).next_tick(policy.garbage_period, self.garbage.phase);
        cx.timers.set(at, FactId::NONE, Alarm::CollectGarbage);
    }

    /// When the collector looks next.
    pub(super) fn next_collection(&self, now: Time, period: Span) -> Time {
        (now + Span::from_nanos(1)).next_tick(period, self.garbage.phase)
    }

    pub(super) fn has_orphans(&self) -> bool {
        self.nodes.rows().iter().any(|row| !row.exists() && !row.pods.is_empty())
    }

    /// The collector looks: nodes that it misses go into quarantine, and pods of those that were there long enough go.
    /// Source: kubernetes/kubernetes:pkg/controller/podgc/gc_controller.go, `gcOrphaned`.
    pub(super) fn collect_garbage(&mut self, cx: &mut Cx<'_>) {
        self.garbage.armed = false;
        for (node, row) in self.nodes.iter() {
            if !row.exists() && !row.pods.is_empty() {
                self.garbage.quarantine.entry(node).or_insert(cx.now + QUARANTINE);
            }
        }
        let due: Vec<NodeId> =
            self.garbage.quarantine.iter().filter(|(_, at)| **at <= cx.now).map(|(node, _)| *node).collect();
        for node in due {
            self.garbage.quarantine.remove(&node);
            if !self.nodes[node].exists() {
                self.collect_pods_of(cx, node);
            }
        }
        self.arm_garbage(cx);
    }

    fn collect_pods_of(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let fact = self.nodes[node].removed;
        for pod in self.nodes[node].pods.clone() {
            // Two requests for each pod: it is marked as failed, then deleted.
            self.store.spend(cx.now, Client::Garbage);
            self.garbage.collecting += 1;
            self.write(cx, Client::Garbage, fact, Write::CollectPod { pod, why: Deletion::GarbageCollected });
        }
    }

    /// The store has a forced deletion: the pod is gone, whatever its agent may say.
    pub(super) fn pod_collected(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, why: Deletion) {
        if why == Deletion::GarbageCollected {
            self.garbage.collecting -= 1;
        }
        self.pod_deleting(cx, cause, (pod, why, Some(Span::ZERO)));
        let row = &self.pods[pod];
        if let (false, Some(node)) = (row.gone, row.node) {
            let fact = row.last_fact;
            self.pod_gone(cx, pod, fact);
            // An agent that is alive sees the object vanish and stops the containers.
            cx.tell(node, fact, crate::message::Message::Terminate { pod, grace: Span::ZERO });
        }
        self.arm_garbage(cx);
    }
}
