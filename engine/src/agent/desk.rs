//! What all pods of an agent share: its name, its images, its outbox, and the ways to order something.
//!
//! It holds no pod. Start at [`Desk`].

use super::images::Images;
use super::outbox::Outbox;
use super::{AgentTimer, Context, Due};
use crate::fact::{Client, FactId, FactKind};
use crate::ids::{NodeId, PodId, TemplateId};
use crate::message::{Address, Message, Order, OrderKind, PodReport, RuntimeOp};
use crate::model::{Catalog, PodTemplate};
use crate::profile::{Profile, RateLimit};
use crate::rng::{Purpose, Stream, Streams};
use crate::time::{Span, Time};

/// The part of an agent that its pods write to.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) node: NodeId,
    streams: Streams,
    /// Random bits; the phase of each periodic loop is these bits modulo its period.
    phase: u64,
    stamp: u32,
    /// Its host was never up before.
    new: bool,
    /// The control plane has answered since the boot.
    pub(super) registered: bool,
    /// The engine stops in good order: nothing is restarted any more.
    pub(super) closing: bool,
    pub(super) images: Images,
    pub(super) outbox: Outbox,
}

impl Desk {
    pub(super) fn new(node: NodeId, streams: Streams) -> Self {
        // Half of the range keeps a phase far from the end of time when it is added to an instant.
        let phase = streams.stream(Purpose::Agent, node.0).bits() >> 1;
        Self {
            node,
            streams,
            phase,
            stamp: 0,
            new: true,
            registered: false,
            closing: false,
            images: Images::default(),
            outbox: Outbox::default(),
        }
    }

    /// Forgets everything but the images on disk, and goes on counting stamps: timers of an earlier boot match nothing.
    pub(super) fn reboot(&mut self) {
        self.registered = false;
        self.closing = false;
        self.images.reboot();
        self.outbox = Outbox::default();
    }

    /// The first instant from now on at which a loop of this period runs on this node.
    pub(super) fn tick(&self, now: Time, period: Span) -> Time {
        now.next_tick(period, Span::from_nanos(self.phase))
    }
}

/// A desk and somebody at work at it: everything that a pod needs to act.
pub(super) struct Hands<'a, 'c> {
    pub(super) desk: &'a mut Desk,
    pub(super) cx: &'a mut Context<'c>,
}

impl<'c> Hands<'_, 'c> {
    pub(super) fn now(&self) -> Time {
        self.cx.now
    }

    pub(super) fn profile(&self) -> &'c Profile {
        self.cx.profile
    }

    /// What was declared.
    pub(super) fn catalog(&self) -> &'c Catalog {
        self.cx.catalog
    }

    /// The luck of one entity.
    pub(super) fn stream(&self, purpose: Purpose, entity: u32) -> Stream {
        self.desk.streams.stream(purpose, entity)
    }

    pub(super) fn template(&self, template: TemplateId) -> &'c PodTemplate {
        &self.cx.catalog.templates[template]
    }

    /// Orders the node's heartbeats. At the very first boot the cluster is taken to have been running for long, so that
    /// nodes beat at random phases; an agent that starts later beats at once, as real ones do, and keeps that phase.
    pub(super) fn heartbeats(&mut self, cause: FactId) {
        let (period, jitter) = self.cx.profile.detection.beat(self.cx.catalog.nodes.len() as u64);
        let missed = self.cx.profile.detection.grace.missed();
        let phase = self.desk.streams.stream(Purpose::Heartbeat, self.desk.node.0).below(period.as_nanos());
        let at_start = self.cx.catalog.nodes.get(self.desk.node).is_none_or(|spec| spec.at_start);
        let wait = if std::mem::take(&mut self.desk.new) && at_start { Span::from_nanos(phase) } else { Span::ZERO };
        let kind = OrderKind::Heartbeats { node: self.desk.node, period, jitter, first: self.cx.now + wait, missed };
        self.cx.orders.push(Order { cause, kind });
    }

    /// Asks to be called at `at`. Returns the timer's stamp, never 0.
    pub(super) fn timer(&mut self, at: Time, cause: FactId, due: Due) -> u32 {
        self.desk.stamp += 1;
        self.cx.timers.push((at, cause, AgentTimer { stamp: self.desk.stamp, due }));
        self.desk.stamp
    }

    /// Orders something from the container runtime.
    pub(super) fn runtime(&mut self, cause: FactId, op: RuntimeOp) {
        self.cx.orders.push(Order { cause, kind: OrderKind::Runtime { node: self.desk.node, op } });
    }

    /// Sends a message without regard to the rate limit.
    pub(super) fn send(&mut self, cause: FactId, message: Message) {
        let from = Address::Agent(self.desk.node);
        self.cx.orders.push(Order { cause, kind: OrderKind::Send { from, to: Address::Control, message } });
    }

    /// Reports a pod's state as soon as the rate limit allows; a newer state takes the place of one that waits.
    pub(super) fn report(&mut self, cause: FactId, pod: PodId, state: PodReport) {
        self.desk.outbox.put(pod, state, cause);
        if !self.desk.outbox.waits() {
            self.flush_or_wait(cause);
        }
        if let Some(wait) = self.desk.outbox.complaint(self.cx.now, self.cx.profile.control.limit(Client::Agent)) {
            self.record(cause, FactKind::Throttled { client: Client::Agent, wait });
        }
    }

    /// Where states are reported on a grid they wait for its next point.
    /// Source: hashicorp/nomad:client/client.go, `allocSync`.
    fn flush_or_wait(&mut self, cause: FactId) {
        let at = self.desk.tick(self.cx.now, self.cx.profile.agent.status_batch);
        if at <= self.cx.now {
            return self.flush();
        }
        self.timer(at, cause, Due::Outbox);
        self.desk.outbox.wait();
    }

    /// Sends what the rate limit allows now and asks to be called when it allows more.
    pub(super) fn flush(&mut self) {
        let limit = self.cx.profile.control.limit(Client::Agent);
        self.desk.outbox.woken();
        while let Some((pod, state, cause)) = self.desk.outbox.take(self.cx.now, limit) {
            self.send(cause, Message::Status { pod, state });
        }
        self.wait_for_token(limit);
    }

    fn wait_for_token(&mut self, limit: RateLimit) {
        if let Some((at, cause)) = self.desk.outbox.next(limit) {
            self.timer(at, cause, Due::Outbox);
            self.desk.outbox.wait();
        }
    }

    /// Orders the pulls that may run now.
    pub(super) fn pull(&mut self) {
        while let Some((cause, op)) = self.desk.images.next_pull(self.cx.profile.agent.serialize_pulls) {
            self.runtime(cause, op);
        }
    }

    /// Reports images that the control plane does not know of on the next status tick.
    pub(super) fn report_images(&mut self, cause: FactId) {
        if self.desk.images.begin_report() {
            let at = self.desk.tick(self.cx.now, self.cx.profile.agent.status_period);
            self.timer(at, cause, Due::Images);
        }
    }

    /// The status tick: sends one message for each image that was not reported yet.
    ///
    /// These are part of the node's status, which kubelet sends through a client of its own without a rate limit.
    /// Source: kubernetes/kubernetes:cmd/kubelet/app/server.go, HeartbeatClient.
    pub(super) fn send_images(&mut self) {
        for (image, cause) in self.desk.images.end_report() {
            self.send(cause, Message::HasImage { image });
        }
    }

    /// Records a fact of now.
    pub(super) fn record(&mut self, cause: FactId, kind: FactKind) -> FactId {
        self.cx.facts.record(self.cx.now, cause, kind)
    }
}
