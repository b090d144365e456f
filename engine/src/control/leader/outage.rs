//! Nothing can be read or written: what becomes of what everybody wants, and how it goes on.
//!
//! Agents go on with what they have, and say what they did when they are heard again; people's commands are repeated until
//! they are. A leader that cannot renew its lease for the renew deadline gives up and starts anew. Start at
//! [`Control::block_if_broken`].

use crate::control::leader::Owner;
use crate::control::leader::takeover::Memory;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Component, FactId, FactKind};
use crate::ids::NodeId;
use crate::message::{Beats, InputKind, Operation};
use crate::time::Span;

/// Longest wait of a watcher before it tries again to reach the API server.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/client-go/tools/cache/reflector.go, `backoffManager`.
const LONGEST_RECONNECT: Span = Span::from_secs(30);

/// Parts that hold a lease.
const LEADING: [Component; 2] = [Component::Scheduler, Component::Controllers];

impl Control {
    pub(super) fn broken(&self) -> bool {
        self.parts.members.leaderless()
            || self.parts.alive[Component::ApiServer as usize] == 0
            || !self.parts.has_quorum()
            || self.drowned()
    }

    /// Begins an outage if there is one.
    pub(in crate::control) fn block_if_broken(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        if self.parts.blocked.is_some() || !self.broken() {
            return;
        }
        self.parts.blocked = Some(cx.now);
        let component = self.broken_part();
        cx.facts.record(cx.now, cause, FactKind::LeaderLost { component });
        let deadline = self.profile.control.machine.election.renew_deadline;
        for part in LEADING {
            // An election that was under way fails.
            self.parts.stamp[part as usize] += 1;
            let stamp = self.parts.stamp[part as usize];
            if self.parts.idle[part as usize].is_none() {
                cx.timers.set(cx.now + deadline, cause, Alarm::RenewalFailed { part, stamp });
            }
        }
    }

    fn broken_part(&self) -> Component {
        if self.parts.has_quorum() { Component::ApiServer } else { Component::Store }
    }

    /// A leader has not been able to renew its lease for too long: it ends, and its next life begins without memory.
    pub(in crate::control) fn renewal_failed(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component, stamp: u32) {
        if self.parts.stamp[part as usize] == stamp && self.parts.blocked.is_some() {
            self.lose_leader(cx, cause, part);
        }
    }

    /// Ends an outage if everything is there again.
    pub(in crate::control) fn unblock_if_whole(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        let Some(since) = self.parts.blocked else { return };
        if self.broken() {
            return;
        }
        let stamp = self.parts.stamp[Component::ApiServer as usize] + 1;
        self.parts.stamp[Component::ApiServer as usize] = stamp;
        // Where nodes are known by keys, each of them tries again by itself (`presence`).
        let known_by_keys = self.profile.control.machine.presence.is_some();
        let most = if known_by_keys { Span::ZERO } else { cx.now.since(since).min(LONGEST_RECONNECT) };
        let wait = self.election_luck().span(Span::ZERO, most);
        cx.timers.set(cx.now + wait, cause, Alarm::Reconnected { stamp });
    }

    /// Clients have reached the API again.
    pub(in crate::control) fn reconnected(&mut self, cx: &mut Cx<'_>, cause: FactId, stamp: u32) {
        if self.parts.stamp[Component::ApiServer as usize] != stamp || self.broken() {
            return;
        }
        let Some(since) = self.parts.blocked.take() else { return };
        let fact = cx.facts.record(cx.now, cause, FactKind::LeaderElected { component: Component::ApiServer });
        self.keys_lapse(cx, fact, since);
        self.unshelve(cx, Owner::Api);
        for (cause, kind) in std::mem::take(&mut self.parts.mail) {
            self.input(cx, cause, kind);
        }
        for part in LEADING {
            if self.parts.idle[part as usize].is_some() {
                if self.parts.alive[part as usize] > 0 {
                    self.plan_election(cx, fact, part);
                }
                continue;
            }
            if part == Component::Controllers {
                self.judge_nodes(cx, fact, Memory::Kept);
            }
            self.unshelve(cx, Owner::Part(part));
        }
    }

    /// Takes in what comes from outside while somebody is away; gives back what can be dealt with all the same.
    pub(in crate::control) fn intercept(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        kind: InputKind,
    ) -> Option<InputKind> {
        if self.parts.blocked.is_none() && self.waits_for_return(&kind) {
            self.parts.mail.push((cause, kind));
            return None;
        }
        match kind {
            InputKind::Heartbeats { node, beats } if self.parts.stops(Owner::Part(Component::Controllers)) => {
                self.note_heartbeats(cx, cause, node, beats);
                None
            }
            InputKind::Operator(Operation::ControlPlane { .. } | Operation::Flood { .. }) => Some(kind),
            InputKind::Delivered { .. }
            | InputKind::Operator(_)
            | InputKind::Reach { .. }
            | InputKind::AgentStops { .. }
            | InputKind::Measured { .. }
            | InputKind::Balanced { .. }
                if self.parts.blocked.is_some() =>
            {
                self.parts.mail.push((cause, kind));
                None
            }
            kind => Some(kind),
        }
    }

    /// What is true of a node's heartbeats, while nobody judges them.
    fn note_heartbeats(&mut self, cx: &Cx<'_>, cause: FactId, node: NodeId, beats: Beats) {
        let row = &mut self.nodes[node];
        row.steady = beats == Beats::Steady;
        row.heard = true;
        row.stamp = row.stamp.wrapping_add(1);
        match beats {
            Beats::Steady => row.last_heard = cx.now,
            Beats::Once { next } => (row.last_heard, row.next_due) = (cx.now, next),
            Beats::Ceased { last, next } => (row.last_heard, row.next_due, row.cause) = (last, next, cause),
        }
    }

    /// Whether nobody can act on an alarm now; it is kept if so.
    pub(in crate::control) fn shelve(&mut self, cause: FactId, alarm: Alarm) -> bool {
        let stopped = self.parts.stops(super::owner(&alarm));
        if stopped {
            self.parts.shelf.push((cause, alarm));
        }
        stopped
    }
}
