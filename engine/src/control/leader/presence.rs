//! Nodes that are known by keys in the store: what a store that could not be written leaves of them.
//!
//! A key lives for its time to live after the last heartbeat that the store took, whether the node is well or not. So a
//! store that stands still for longer takes all nodes away at once, and each comes back when its agent tries again,
//! which after some failures it does ever more rarely. Who leads first sees only those that are back. Heartbeats that
//! are missed for other reasons are judged in `nodes`. Start at [`Control::keys_lapse`].
//!
//! Sources: coreos/fleet:server/monitor.go, `check`; server/server.go, `Run` and `Supervise`; registry/machine.go.

use crate::control::{Alarm, Control, Cx};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::NodeId;
use crate::message::Beats;
use crate::profile::Grace;
use crate::profile::machine::Presence;
use crate::rng::Purpose;
use crate::time::{Span, Time};

/// Numbers of the streams for the last heartbeat before an outage begin here.
const STREAMS: u32 = 1 << 29;

impl Presence {
    /// When a node whose last heartbeat was at `last` beats again, of a store that can be written from `from` on.
    fn again(&self, (last, period): (Time, Span), from: Time) -> Time {
        let due = last + period;
        let apart = Span::from_nanos(self.patience.as_nanos() / u64::from(self.tries.max(1)));
        let tries = (0..u64::from(self.tries)).map(|n| due + apart.times(n));
        if let Some(at) = tries.into_iter().find(|at| *at >= from) {
            return at;
        }
        let (mut at, mut wait) = (due + self.patience, self.retry);
        while at < from {
            at += wait.max(Span::from_millis(1));
            wait = wait.times(2).min(self.retry_max);
        }
        at
    }
}

impl Control {
    /// The store can be written again after `since`: keys that were not renewed in time are gone.
    pub(super) fn keys_lapse(&mut self, cx: &mut Cx<'_>, cause: FactId, since: Time) {
        let (Some(presence), Grace::Lease(ttl)) = (self.profile.control.machine.presence, self.profile.detection.grace)
        else {
            return;
        };
        let period = self.profile.detection.heartbeat;
        self.parts.first_back = Time::MAX;
        for node in self.catalog.nodes.ids() {
            let row = &self.nodes[node];
            if !row.exists() || !row.steady || !row.healthy {
                continue;
            }
            let mut luck = self.streams.stream(Purpose::Heartbeat, node.0 ^ (STREAMS | self.parts.elections << 16));
            let last = since - luck.span(Span::ZERO, period).min(since.since(Time::ZERO));
            let again = presence.again((last, period), cx.now);
            self.parts.first_back = self.parts.first_back.min(again);
            if again > last + ttl {
                self.key_lapses(cx, cause, (node, last), (last + ttl, again));
            }
        }
    }

    fn key_lapses(&mut self, cx: &mut Cx<'_>, cause: FactId, which: (NodeId, Time), when: (Time, Time)) {
        let ((node, last), (expired, again)) = (which, when);
        let note = FactKind::Noted { subject: Subject::Node(node), note: Note::PresenceExpired };
        let fact = cx.facts.record(cx.now, cause, note);
        let row = &mut self.nodes[node];
        row.stamp = row.stamp.wrapping_add(1);
        (row.last_heard, row.cause) = (last, fact);
        let stamp = row.stamp;
        let seen = expired.max(cx.now).next_tick(self.profile.detection.monitor_period, self.monitor_phase);
        cx.timers.set(seen, fact, Alarm::Monitor { node, stamp });
        cx.timers.set(again, fact, Alarm::BeatsAgain { node, stamp });
    }

    /// A node writes its key again, unless there was other news of it since (stamp).
    pub(in crate::control) fn beats_again(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, stamp: u32) {
        if self.nodes[node].stamp == stamp {
            self.heartbeats(cx, cause, node, Beats::Steady);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tries_four_times_and_then_ever_more_rarely() {
        let presence = Presence {
            tries: 4,
            patience: Span::from_secs(10),
            retry: Span::from_secs(1),
            retry_max: Span::from_secs(60),
        };
        let again = |from| presence.again((Time::ZERO, Span::from_secs(15)), Time::from_secs(from)).as_secs_f64();
        let found = [3, 16, 21, 23, 26, 27, 33, 60, 100, 149, 210].map(again);
        assert_eq!(found, [15.0, 17.5, 22.5, 25.0, 26.0, 28.0, 40.0, 88.0, 148.0, 208.0, 268.0]);
    }
}
