//! Polls: the control plane asks each node for its state, and counts the failures in a row.
//!
//! As long as a node answers nothing is planned: the times of its polls are worked out when the answer changes. What a
//! failed poll costs depends on the kind of silence, which the world tells; a poll sees only what it gets. A node that is
//! known to be unreachable is polled less often each time, and comes back with the next poll that succeeds, or with an
//! event of its containers once its stream of events is back. Start at [`Control::reach_changed`].
//!
//! Source: docker-archive/classicswarm:cluster/engine.go, `refreshLoop`, `delayer.Wait`, `CheckConnectionErr`.

use crate::control::{Alarm, Control, Cx};
use crate::fact::FactId;
use crate::ids::NodeId;
use crate::message::{Order, OrderKind, Reach};
use crate::profile::Polls;
use crate::rng::{Purpose, Stream};
use crate::time::{Span, Time};

/// After the link works again: a request that was under way is sent again at the latest after so long.
const RETRANSMISSION: Span = Span::from_secs(5);
/// A daemon that was frozen answers what waits for it so soon.
const THAWED: Span = Span::from_millis(70);

/// What is known of a node that is polled.
#[derive(Clone, Debug)]
pub(super) struct Polling {
    luck: Stream,
    reach: Reach,
    /// The next poll, or the one under way.
    due: Time,
    /// A poll waits for its answer.
    asking: bool,
    failures: u32,
    /// Polls planned for another state of affairs are void.
    stamp: u32,
    /// Events are heard from then on.
    stream: Time,
    cause: FactId,
}

impl Polling {
    fn plan(&mut self, from: Time, polls: &Polls) {
        let back_off = u64::from(self.failures.saturating_sub(polls.failures)).min(1_000);
        self.due = from
            + polls.wait.times(1 + back_off)
            + self.luck.span(Span::ZERO, polls.longest - polls.wait.min(polls.longest));
    }
}

impl Control {
    /// The world is asked to say what one gets who asks a node.
    pub(super) fn begin_polls(&mut self, cx: &mut Cx<'_>) {
        let Some(polls) = self.profile.detection.polls else { return };
        for node in self.catalog.nodes.ids().collect::<Vec<_>>() {
            let mut luck = self.streams.stream(Purpose::Heartbeat, node.0);
            // The loop has been running for long: the first poll is anywhere in its interval.
            let longest = polls.wait.max(polls.longest);
            let due = cx.now + luck.span(Span::ZERO, longest);
            let polling = Polling {
                luck,
                reach: Reach::Open,
                due,
                asking: false,
                failures: 0,
                stamp: 0,
                stream: Time::ZERO,
                cause: FactId::NONE,
            };
            self.nodes[node].polling = Some(Box::new(polling));
            cx.orders.push(Order { cause: FactId::NONE, kind: OrderKind::Knock { node } });
        }
    }

    /// One who asks this node gets another answer from now on.
    pub(super) fn reach_changed(&mut self, cx: &mut Cx<'_>, cause: FactId, (node, reach): (NodeId, Reach)) {
        let Some(polls) = self.profile.detection.polls else { return };
        let events = self.streams.stream(Purpose::ControlLoop, node.0 ^ 1 << 31);
        let Some(row) = self.nodes[node].polling.as_deref_mut() else { return };
        let before = std::mem::replace(&mut row.reach, reach);
        if before == reach {
            return;
        }
        if row.cause == FactId::NONE || reach == Reach::Open {
            row.cause = cause;
        }
        match (before, reach) {
            (Reach::Open, _) => {
                while row.due <= cx.now && !row.asking {
                    row.plan(row.due, &polls);
                }
                if !row.asking {
                    self.plan_poll(cx, node);
                }
            }
            (_, Reach::Open) => {
                row.stream = cx.now + { events }.span(Span::ZERO, polls.event_retry);
                if row.asking {
                    let most = if before == Reach::Hung { THAWED } else { RETRANSMISSION };
                    row.due = cx.now + row.luck.span(Span::from_millis(40), most);
                    self.plan_poll(cx, node);
                }
            }
            // The poll under way goes on as it began.
            _ => {}
        }
    }

    fn plan_poll(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(row) = self.nodes[node].polling.as_deref_mut() else { return };
        row.stamp = row.stamp.wrapping_add(1);
        cx.timers.set(row.due.max(cx.now), row.cause, Alarm::Poll { node, stamp: row.stamp });
    }

    /// A poll begins, or its time is over.
    pub(super) fn poll(&mut self, cx: &mut Cx<'_>, node: NodeId, stamp: u32) {
        let Some(polls) = self.profile.detection.polls else { return };
        let healthy = self.nodes[node].healthy;
        let Some(row) = self.nodes[node].polling.as_deref_mut() else { return };
        if row.stamp != stamp {
            return;
        }
        let asked = std::mem::replace(&mut row.asking, true);
        match row.reach {
            Reach::Open => return self.poll_succeeds(cx, node),
            Reach::Refused => return self.poll_fails(cx, node),
            _ if asked => return self.poll_fails(cx, node),
            // The first request goes out on a connection of which nobody knows that it is dead, and so may the second.
            Reach::Unreachable if row.failures == 1 && row.luck.below(1_000) < u64::from(polls.pooled) => {
                row.due = cx.now + polls.timeout;
            }
            Reach::Unreachable if row.failures > 0 => row.due = cx.now + polls.unreachable,
            // Who is known to be unhealthy is asked for its specification, and that question has no time limit.
            Reach::Hung if !healthy => return,
            Reach::Hung | Reach::Silent | Reach::Unreachable => row.due = cx.now + polls.timeout,
        }
        self.plan_poll(cx, node);
    }

    fn poll_fails(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(polls) = self.profile.detection.polls else { return };
        let Some(row) = self.nodes[node].polling.as_deref_mut() else { return };
        row.asking = false;
        row.failures = row.failures.saturating_add(1);
        row.plan(cx.now, &polls);
        let (failures, cause) = (row.failures, row.cause);
        let health =
            if failures >= polls.failures { 0 } else { 100 - i64::from(failures) * 100 / i64::from(polls.failures) };
        self.scheduling.scheduler.set_health(node, health);
        if failures >= polls.failures && self.nodes[node].healthy && self.nodes[node].exists() {
            self.nodes[node].cause = cause;
            self.monitor(cx, node, self.nodes[node].stamp);
        }
        self.plan_poll(cx, node);
    }

    /// A request was answered: the node is healthy, and its list of containers is read anew.
    pub(super) fn poll_succeeds(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let Some(polls) = self.profile.detection.polls else { return };
        let Some(row) = self.nodes[node].polling.as_deref_mut() else { return };
        (row.asking, row.failures) = (false, 0);
        row.stamp = row.stamp.wrapping_add(1);
        row.plan(cx.now, &polls);
        let cause = row.cause;
        row.cause = FactId::NONE;
        self.scheduling.scheduler.set_health(node, 100);
        if !self.nodes[node].healthy && self.nodes[node].exists() {
            self.node_recovered(cx, cause, node);
            self.tell_duplicates(cx, node);
            self.hello(cx, cause, node);
        }
    }

    /// A word from the agent of a node that is polled: false when nobody hears it.
    pub(super) fn event_heard(&mut self, cx: &mut Cx<'_>, node: NodeId) -> bool {
        let healthy = self.nodes[node].healthy;
        let Some(row) = self.nodes[node].polling.as_deref_mut() else { return true };
        if healthy {
            return true;
        }
        if row.reach != Reach::Open || cx.now < row.stream {
            return false;
        }
        self.poll_succeeds(cx, node);
        true
    }
}
