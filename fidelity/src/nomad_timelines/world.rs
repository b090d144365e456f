//! Hosts of the recorded machine: processes that start and stop in tens of milliseconds, clients that can be killed,
//! cut off or stopped. Not a simulation: no CPU, no images, no bandwidth.
//!
//! All latencies of the host model stand at the head of this file, once, as measured on the machine of the recordings
//! (raw_exec tasks, a bridge between network namespaces). Start at [`Hosts`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::fact::{Exit, FactId, FactLog};
use shakedown_engine::ids::{NodeId, TemplateId};
use shakedown_engine::message::{Address, Beats, Input, InputKind, Order, OrderKind, RuntimeEvent, RuntimeOp};
use shakedown_engine::rng::Stream;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::World;

/// From an order to start until the task runs. Measured from the plan, 29 tasks of updates and drains: 17 took
/// 0.046-0.137 s, 12 took 0.224-0.378 s (their client heard of the plan, or of its predecessor's end, late).
const START: (Span, Span) = (Span::from_millis(40), Span::from_millis(140));
/// The slower ones.
const START_LATE: (Span, Span) = (Span::from_millis(220), Span::from_millis(380));
/// Of a thousand, so many are slower, if a predecessor is to end elsewhere or the client hears late.
const LATE_PERMILLE: u32 = 410;
/// One that its client starts with nothing else to do: `raw_exec` alone. Measured: 0.03-0.06 s.
const START_ALONE: (Span, Span) = (Span::from_millis(30), Span::from_millis(60));
/// From an order to stop until a `sleep` has ended, the client hears of it first. Measured: 8-50 ms after the plan.
const STOP: (Span, Span) = (Span::from_millis(8), Span::from_millis(50));
/// `sh -c 'sleep 0.2; exit 1'`. Measured: 0.2-0.32 s.
const CRASH: (Span, Span) = (Span::from_millis(205), Span::from_millis(320));
/// A message on the bridge.
const TRIP: Span = Span::from_micros(500);
/// A client that was cut off is heard again. Measured: 0.55-1.6 s after the heal.
const HEAL: (Span, Span) = (Span::from_millis(400), Span::from_millis(1_800));
/// A client that was stopped goes on. Measured: 0.02-0.33 s.
const RESUME: (Span, Span) = (Span::from_millis(10), Span::from_millis(400));

/// A client's heartbeats.
#[derive(Clone, Copy, Debug)]
struct Beat {
    period: Span,
    jitter: Span,
    last: Time,
    next: Time,
}

/// Clients and their tasks.
pub(super) struct Hosts {
    now: Time,
    queue: BTreeMap<(Time, u64), Input>,
    sequence: u64,
    beats: BTreeMap<NodeId, Beat>,
    down: BTreeSet<NodeId>,
    cut: BTreeSet<NodeId>,
    /// Templates whose tasks crash.
    pub(super) broken: BTreeSet<TemplateId>,
    luck: Stream,
}

impl Hosts {
    pub(super) fn new(luck: Stream) -> Self {
        Self {
            now: Time::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            beats: BTreeMap::new(),
            down: BTreeSet::new(),
            cut: BTreeSet::new(),
            broken: BTreeSet::new(),
            luck,
        }
    }

    pub(super) fn later(&mut self, after: Span, cause: FactId, kind: InputKind) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), Input { cause, kind });
    }

    fn runtime(&mut self, after: Span, node: NodeId, event: RuntimeEvent) {
        self.later(after, FactId::NONE, InputKind::Runtime { node, event });
    }

    /// Passes heartbeats up to now.
    fn settle(&mut self, node: NodeId) {
        let (now, luck) = (self.now, &mut self.luck);
        let Some(beat) = self.beats.get_mut(&node) else { return };
        while beat.next <= now {
            beat.last = beat.next;
            beat.next += luck.span(beat.period - beat.jitter, beat.period + beat.jitter);
        }
    }

    /// Nothing is heard of a client any more: its next heartbeat will be missed.
    fn silence(&mut self, node: NodeId) {
        self.settle(node);
        let Some(&Beat { last, next, .. }) = self.beats.get(&node) else { return };
        let beats = InputKind::Heartbeats { node, beats: Beats::Ceased { last, next } };
        self.later(next.since(self.now), FactId::NONE, beats);
    }

    pub(super) fn kill(&mut self, now: Time, node: NodeId) {
        self.now = now;
        self.silence(node);
        self.down.insert(node);
        self.queue.retain(|_, input| !matches!(&input.kind, InputKind::Runtime { node: n, .. } if *n == node));
        self.later(Span::ZERO, FactId::NONE, InputKind::HostDown { node });
    }

    pub(super) fn cut(&mut self, now: Time, node: NodeId) {
        self.now = now;
        self.silence(node);
        self.cut.insert(node);
    }

    /// The client is heard again; one that missed no heartbeat was never away.
    pub(super) fn heal(&mut self, now: Time, node: NodeId, stopped: bool) {
        self.now = now;
        self.cut.remove(&node);
        let missed = self.beats.get(&node).is_some_and(|beat| beat.next <= now);
        let (low, high) = if stopped { RESUME } else { HEAL };
        let wait = self.luck.span(low, high);
        if missed {
            let beat = self.beats.get_mut(&node).expect("it was just seen");
            beat.next = now + wait;
            self.later(wait, FactId::NONE, InputKind::Heartbeats { node, beats: Beats::Steady });
        } else {
            let ceased = |input: &Input| matches!(&input.kind, InputKind::Heartbeats { node: n, beats: Beats::Ceased { .. } } if *n == node);
            self.queue.retain(|_, input| !ceased(input));
        }
        self.later(wait, FactId::NONE, InputKind::Reconnected { node });
    }

    fn operate(&mut self, node: NodeId, op: RuntimeOp) {
        match op {
            RuntimeOp::Pull { pod, image, .. } => {
                self.runtime(Span::ZERO, node, RuntimeEvent::Pulled { pod, image, ok: true });
            }
            RuntimeOp::Start { pod, container, template } => {
                let (low, high) = if self.broken.contains(&template) {
                    START_ALONE
                } else if self.luck.chance(LATE_PERMILLE) {
                    START_LATE
                } else {
                    START
                };
                let start = self.luck.span(low, high);
                self.runtime(start, node, RuntimeEvent::Started { pod, container });
                if self.broken.contains(&template) {
                    let end = start + self.luck.span(CRASH.0, CRASH.1);
                    self.runtime(end, node, RuntimeEvent::Exited { pod, container, why: Exit::Crashed });
                }
            }
            RuntimeOp::Stop { pod, container, .. } => {
                let stop = self.luck.span(STOP.0, STOP.1);
                self.runtime(stop, node, RuntimeEvent::Exited { pod, container, why: Exit::Stopped });
            }
            _ => {}
        }
    }

    fn reachable(&self, node: NodeId) -> bool {
        !self.down.contains(&node) && !self.cut.contains(&node)
    }
}

impl World for Hosts {
    fn submit(&mut self, now: Time, orders: &mut Vec<Order>, _facts: &mut FactLog) {
        self.now = now;
        for order in orders.drain(..) {
            match order.kind {
                OrderKind::Send { from, to, message } => {
                    self.later(TRIP, order.cause, InputKind::Delivered { from, to, message });
                }
                OrderKind::Heartbeats { node, period, jitter, first, .. } => {
                    self.beats.insert(node, Beat { period, jitter, last: now, next: first });
                    let beats = InputKind::Heartbeats { node, beats: Beats::Steady };
                    self.later(first.since(now), order.cause, beats);
                }
                OrderKind::Runtime { node, op } if !self.down.contains(&node) => self.operate(node, op),
                _ => {}
            }
        }
    }

    fn advance(&mut self, until: Time, inputs: &mut Vec<Input>, _facts: &mut FactLog) -> Time {
        let Some((&key, _)) = self.queue.first_key_value().filter(|((at, _), _)| *at <= until) else {
            self.now = until;
            return until;
        };
        let input = self.queue.remove(&key).expect("the key was just seen");
        self.now = key.0;
        let lost = match &input.kind {
            InputKind::Runtime { node, .. } => self.down.contains(node),
            InputKind::Delivered { from: Address::Agent(node), .. }
            | InputKind::Delivered { to: Address::Agent(node), .. }
            | InputKind::Heartbeats { node, beats: Beats::Steady }
            | InputKind::Reconnected { node } => !self.reachable(*node),
            _ => false,
        };
        if !lost {
            inputs.push(input);
        }
        key.0
    }
}
