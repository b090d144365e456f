//! Silent nodes: when they may be called unreachable, and what becomes of the instances on them.
//!
//! A node that missed its pings waits for a permit where there is a limit, and one pong makes it forgotten. Instances on
//! an unreachable node are replaced (`inactive`) and forgotten (`expunged`) each after a time. One that is back before it
//! was forgotten counts again, so that there is one too many; one that was forgotten is a stranger on its node and is
//! stopped there. Sources: apache/mesos:src/master/master.cpp, `SlaveObserver::markUnreachable`; mesosphere/marathon:docs/
//! docs/configure-task-handling.md. Start at [`Control::removal_waits`] and [`Control::agent_unreachable`].

use std::collections::VecDeque;

use super::OffersAlarm;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId};
use crate::profile::{Eviction, Unreachable};
use crate::time::{Span, Time};

/// Nodes that wait to be called unreachable.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct Lost {
    /// With the stamp they had.
    pending: VecDeque<(NodeId, u32)>,
    /// The next permit is given then.
    permit_at: Time,
    armed: bool,
    /// Has its permit.
    granted: Option<NodeId>,
}

impl Control {
    fn unreachable_policy(&self) -> Option<Unreachable> {
        if let Eviction::Unreachable(policy) = self.profile.eviction { Some(policy) } else { None }
    }

    /// A node has missed its pings: true when it has to wait for a permit before it is called unreachable.
    pub(in crate::control) fn removal_waits(&mut self, cx: &mut Cx<'_>, node: NodeId, stamp: u32) -> bool {
        let Some(policy) = self.unreachable_policy() else { return false };
        let interval = policy.removal.interval();
        let lost = &mut self.offers.lost;
        if interval.is_zero() || lost.granted.take() == Some(node) {
            return false;
        }
        if lost.permit_at <= cx.now && lost.pending.is_empty() {
            lost.permit_at = cx.now + interval;
            return false;
        }
        lost.pending.push_back((node, stamp));
        let kind = FactKind::Noted { subject: Subject::Node(node), note: Note::RemovalRateLimited };
        cx.facts.record(cx.now, self.nodes[node].cause, kind);
        self.arm_removal(cx);
        true
    }

    fn arm_removal(&mut self, cx: &mut Cx<'_>) {
        let lost = &mut self.offers.lost;
        if !lost.armed && !lost.pending.is_empty() {
            lost.armed = true;
            cx.timers.set(lost.permit_at.max(cx.now), FactId::NONE, Alarm::Offers(OffersAlarm::Permit));
        }
    }

    /// A permit is there: the first node that has not answered meanwhile gets it.
    pub(super) fn next_removal(&mut self, cx: &mut Cx<'_>) {
        self.offers.lost.armed = false;
        let Some(policy) = self.unreachable_policy() else { return };
        while let Some((node, stamp)) = self.offers.lost.pending.pop_front() {
            let row = &self.nodes[node];
            if row.stamp == stamp && row.healthy && row.exists() {
                self.offers.lost.permit_at = cx.now + policy.removal.interval();
                self.offers.lost.granted = Some(node);
                self.monitor(cx, node, stamp);
                break;
            }
        }
        self.arm_removal(cx);
    }

    /// A node was called unreachable.
    pub(in crate::control) fn agent_unreachable(&mut self, cx: &mut Cx<'_>, fact: FactId, node: NodeId) {
        let stamp = self.nodes[node].stamp;
        for pod in self.nodes[node].pods.clone() {
            let Some((inactive, expunge)) = self.strategy_of(pod) else { continue };
            let what = (pod, node, stamp);
            if expunge.is_zero() {
                self.instance_expunged(cx, fact, what);
                continue;
            }
            if inactive.is_zero() {
                self.instance_inactive(cx, fact, what);
            } else {
                let alarm = OffersAlarm::Inactive { pod, node, stamp };
                cx.timers.set(cx.now + inactive, fact, Alarm::Offers(alarm));
            }
            let check = self.unreachable_policy().map_or(Span::ZERO, |policy| policy.expunge_check);
            let at = (cx.now + expunge).next_tick(check, self.offers.phase);
            cx.timers.set(at, fact, Alarm::Offers(OffersAlarm::Expunge { pod, node, stamp }));
        }
    }

    /// After how long an instance is replaced, and forgotten; `None`: never, because its data is there.
    fn strategy_of(&self, pod: PodId) -> Option<(Span, Span)> {
        let policy = self.unreachable_policy()?;
        let row = &self.pods[pod];
        if self.is_job(row.workload) {
            return Some((Span::ZERO, Span::ZERO)); // Chronos runs again what is lost.
        }
        if self.is_resident(row.workload) {
            return None;
        }
        let wish = &self.catalog.workloads[row.workload].wishes.lost;
        let inactive = wish.inactive_after.unwrap_or(policy.inactive_after);
        Some((inactive, wish.expunge_after.unwrap_or(policy.expunge_after).max(inactive)))
    }

    /// Whether a workload's instances have volumes that stay where they are.
    pub(in crate::control) fn is_resident(&self, workload: crate::ids::WorkloadId) -> bool {
        let spec = &self.catalog.workloads[workload];
        !self.catalog.templates[spec.template].volumes.is_empty()
    }

    /// An instance is replaced.
    pub(super) fn instance_inactive(&mut self, cx: &mut Cx<'_>, cause: FactId, what: (PodId, NodeId, u32)) {
        let (pod, ..) = what;
        if !self.still_lost(what) || !self.pods[pod].active() {
            return;
        }
        self.count_instance(pod, what.1, -1);
        let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::UnreachableInactive };
        let fact = cx.facts.record(cx.now, cause, kind);
        self.pods[pod].last_fact = fact;
        self.replica_absent(cx, pod, fact);
    }

    /// An instance is forgotten.
    pub(super) fn instance_expunged(&mut self, cx: &mut Cx<'_>, cause: FactId, what: (PodId, NodeId, u32)) {
        if self.still_lost(what) {
            self.delete_pod(cx, (Client::Eviction, cause), (what.0, Deletion::NodeLost, Some(Span::ZERO)));
        }
    }

    fn still_lost(&self, (pod, node, stamp): (PodId, NodeId, u32)) -> bool {
        let (row, place) = (&self.pods[pod], &self.nodes[node]);
        !row.gone && row.node == Some(node) && !place.healthy && place.stamp == stamp
    }

    /// A node is heard again: instances that were replaced and not forgotten count again.
    pub(in crate::control) fn agent_back(&mut self, cx: &mut Cx<'_>, fact: FactId, node: NodeId) {
        if self.unreachable_policy().is_none() {
            return;
        }
        for pod in self.nodes[node].pods.clone() {
            if self.pods[pod].absent && !self.pods[pod].gone {
                self.replica_back(cx, pod, fact);
                self.count_instance(pod, node, 1);
            }
        }
    }

    /// An agent starts on a host that was down: what it ran is gone.
    /// Source: apache/mesos:src/slave/slave.cpp, `recover`: after a reboot the agent does not recover its executors.
    pub(in crate::control) fn agent_rebooted(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        if self.unreachable_policy().is_none() {
            return;
        }
        for pod in self.nodes[node].pods.clone() {
            self.delete_pod(cx, (Client::Eviction, cause), (pod, Deletion::NodeLost, Some(Span::ZERO)));
        }
    }

    /// Whether an agent that starts anew is told of a pod: not of one that its reboot has ended.
    pub(in crate::control) fn survives_reboot(&self, pod: PodId) -> bool {
        self.unreachable_policy().is_none() || !self.pods[pod].delete_sent
    }
}
