//! A world of scripted kubelets, as the recordings had them: containers start, become ready, end and stop after fixed
//! times, and leases are renewed on a grid. Not a simulation: no CPU, no network, no luck.
//!
//! It differs from the world of the engine's own tests in what a recording can say of its kubelets. Start at [`Pace`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::fact::{Exit, FactId, FactLog};
use shakedown_engine::ids::{NodeId, PodId, TemplateId};
use shakedown_engine::message::{
    Address, Beats, Input, InputKind, Message, Order, OrderKind, PodReport, RuntimeEvent, RuntimeOp,
};
use shakedown_engine::model::ProbeRole;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::World;

/// How long a recording's kubelets take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From binding until Running.
    pub running: Span,
    /// From Running until Ready.
    pub ready: Span,
    /// From the deletion until the object is removed.
    pub removed: Span,
    /// A kubelet that comes back says again what its pods are like.
    pub repeats: bool,
    /// Containers end by themselves so long after Running, with this code.
    pub exits: Option<(Span, i32)>,
}

/// Hosts that obey.
#[derive(Clone)]
pub struct Kubelets {
    now: Time,
    queue: BTreeMap<(Time, u64), Input>,
    sequence: u64,
    /// First renewal and period of each node's lease.
    leases: BTreeMap<NodeId, (Time, Span)>,
    /// Where a node's renewals must fall, where the recording says so.
    pub phases: BTreeMap<NodeId, Time>,
    /// Hosts that have stopped.
    pub down: BTreeSet<NodeId>,
    /// Templates whose pods never become ready.
    pub never_ready: BTreeSet<TemplateId>,
    /// Pods that end otherwise than the others.
    pub odd_pods: BTreeMap<PodId, (Span, i32)>,
    pace: Pace,
    /// What happened on stopped hosts and nobody has noticed yet.
    unnoticed: Vec<Input>,
    templates: BTreeMap<PodId, (NodeId, TemplateId)>,
    /// Pods of which a kubelet that was away says nothing again but their end.
    muted: BTreeSet<PodId>,
}

impl Kubelets {
    /// Hosts at rest.
    pub fn new(pace: Pace) -> Self {
        Self {
            now: Time::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            leases: BTreeMap::new(),
            phases: BTreeMap::new(),
            down: BTreeSet::new(),
            never_ready: BTreeSet::new(),
            odd_pods: BTreeMap::new(),
            pace,
            unnoticed: Vec::new(),
            templates: BTreeMap::new(),
            muted: BTreeSet::new(),
        }
    }

    fn later(&mut self, after: Span, cause: FactId, kind: InputKind) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), Input { cause, kind });
    }

    fn runtime(&mut self, after: Span, node: NodeId, event: RuntimeEvent) {
        self.later(after, FactId::NONE, InputKind::Runtime { node, event });
    }

    /// A host starts, or starts again.
    pub fn boot(&mut self, now: Time, node: NodeId) {
        self.now = now;
        self.down.remove(&node);
        self.later(Span::ZERO, FactId::NONE, InputKind::HostUp { node });
    }

    /// A kubelet and its lease stop. Its containers go on, but nobody says so.
    pub fn stop(&mut self, now: Time, node: NodeId, cause: FactId) {
        self.now = now;
        if let Some(&(first, period)) = self.leases.get(&node) {
            let next = now.next_tick(period, Span::from_nanos(first.as_nanos()));
            let last = if next == now { next } else { next - period };
            let next = last + period;
            self.later(Span::ZERO, cause, InputKind::Heartbeats { node, beats: Beats::Ceased { last, next } });
        }
        self.down.insert(node);
    }

    /// A stopped kubelet and its lease go on: it says again all that it runs.
    pub fn go_on(&mut self, now: Time, node: NodeId) {
        self.now = now;
        if !self.down.remove(&node) {
            return;
        }
        if !self.pace.repeats {
            let own = self.templates.iter().filter(|(_, (host, _))| *host == node);
            self.muted.extend(own.map(|(pod, _)| *pod));
        }
        let mine = |input: &Input| matches!(&input.kind, InputKind::Runtime { node: n, .. } if *n == node);
        let (own, others) = std::mem::take(&mut self.unnoticed).into_iter().partition(mine);
        self.unnoticed = others;
        for Input { cause, kind } in Vec::<Input>::from_iter(own) {
            self.later(Span::from_millis(1), cause, kind);
        }
        // The lease is renewed at once.
        self.later(Span::from_millis(1), FactId::NONE, InputKind::Heartbeats { node, beats: Beats::Steady });
        self.later(Span::from_millis(2), FactId::NONE, InputKind::Reconnected { node });
    }

    /// A pod's readiness changes by hand.
    pub fn set_ready(&mut self, now: Time, (node, pod): (NodeId, PodId), ok: bool) {
        self.now = now;
        let event = RuntimeEvent::Probed { pod, container: 0, role: ProbeRole::Readiness, ok };
        self.runtime(Span::ZERO, node, event);
    }

    fn operate(&mut self, node: NodeId, op: RuntimeOp) {
        match op {
            RuntimeOp::Pull { pod, image, .. } => {
                self.runtime(Span::ZERO, node, RuntimeEvent::Pulled { pod, image, ok: true });
            }
            RuntimeOp::Start { pod, container, template } => {
                self.templates.insert(pod, (node, template));
                self.runtime(self.pace.running, node, RuntimeEvent::Started { pod, container });
            }
            RuntimeOp::Stop { pod, container, .. } => {
                self.runtime(self.pace.removed, node, RuntimeEvent::Exited { pod, container, why: Exit::Stopped });
            }
            RuntimeOp::Probe { pod, container, role, .. } => {
                let never = self.templates.get(&pod).is_some_and(|(_, template)| self.never_ready.contains(template));
                let ok = !never || role != ProbeRole::Readiness;
                let after = if role == ProbeRole::Readiness { self.pace.ready } else { Span::ZERO };
                self.runtime(after, node, RuntimeEvent::Probed { pod, container, role, ok });
            }
            RuntimeOp::Remove { pod } => _ = self.templates.remove(&pod),
            // Recorded nodes never ran short of anything.
            RuntimeOp::RemoveImage { .. } | RuntimeOp::Watch { .. } | RuntimeOp::Observe => {}
        }
    }

    /// A container that has started may be one that ends by itself.
    fn plan_exit(&mut self, input: &Input) {
        let InputKind::Runtime { node, event: RuntimeEvent::Started { pod, container } } = input.kind else { return };
        if let Some((after, code)) = self.odd_pods.get(&pod).copied().or(self.pace.exits) {
            let why = if code == 0 { Exit::Completed } else { Exit::Crashed };
            self.runtime(after, node, RuntimeEvent::Exited { pod, container, why });
        }
    }

    /// True for what a stopped kubelet does not say and is not told.
    fn lost(&self, input: &Input) -> bool {
        let down = |node: &NodeId| self.down.contains(node);
        match &input.kind {
            InputKind::Delivered { message: Message::Status { pod, state: PodReport::Running { .. } }, .. }
                if self.muted.contains(pod) =>
            {
                true
            }
            InputKind::Delivered { from: Address::Agent(node), .. }
            | InputKind::Delivered { to: Address::Agent(node), .. }
            | InputKind::Heartbeats { node, beats: Beats::Steady }
            | InputKind::Reconnected { node }
            | InputKind::HostUp { node } => down(node),
            _ => false,
        }
    }
}

impl World for Kubelets {
    fn submit(&mut self, now: Time, orders: &mut Vec<Order>, _facts: &mut FactLog) {
        self.now = now;
        for order in orders.drain(..) {
            match order.kind {
                OrderKind::Send { from, to, message } => {
                    // A watch event takes about a millisecond on one machine.
                    self.later(Span::from_millis(1), order.cause, InputKind::Delivered { from, to, message });
                }
                OrderKind::Heartbeats { node, period, first, .. } => {
                    let first = self
                        .phases
                        .get(&node)
                        .map_or(first, |at| now.next_tick(period, Span::from_nanos(at.as_nanos() % period.as_nanos())));
                    self.leases.insert(node, (first, period));
                    let beats = InputKind::Heartbeats { node, beats: Beats::Steady };
                    self.later(first.since(now), order.cause, beats);
                }
                OrderKind::Runtime { node, op } => self.operate(node, op),
                OrderKind::Publish(_)
                | OrderKind::Measure { .. }
                | OrderKind::Balance { .. }
                | OrderKind::Knock { .. }
                | OrderKind::Machine { .. } => {}
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
        self.plan_exit(&input);
        match &input.kind {
            InputKind::Runtime { node, .. } if self.down.contains(node) => self.unnoticed.push(input),
            _ if self.lost(&input) => {}
            _ => inputs.push(input),
        }
        key.0
    }
}
