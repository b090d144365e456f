//! The agent as a state machine: what arrives, what comes due, and when it is noticed.
//!
//! It finds the pod concerned and hands on; what a pod does is in `lifecycle`, `probes` and `stopping`, what the control
//! plane wants of it in `reconcile`. Start at [`Agent`].

use super::desk::{Desk, Hands};
use super::lifecycle::Exited;
use super::pod::{self, Fate, Outcome, Pod};
use super::pressure::Pressures;
use super::probes::ProbeId;
use super::pulling::Mine;
use super::{AgentTimer, Context, Due};
use crate::fact::FactId;
use crate::ids::{ImageId, NodeId, PodId};
use crate::message::{Message, RuntimeEvent};
use crate::profile::Restart;
use crate::rng::Streams;
use crate::time::Time;

/// The agent of one node.
#[derive(Clone, Debug)]
pub struct Agent {
    pub(super) desk: Desk,
    /// In id order.
    pub(super) pods: Vec<Pod>,
    /// Runtime events that wait for the next relist.
    unseen: Vec<Unseen>,
    pub(super) pressure: Pressures,
}

/// A runtime event that the agent has not noticed yet.
#[derive(Clone, Copy, Debug)]
struct Unseen {
    at: Time,
    cause: FactId,
    event: RuntimeEvent,
}

impl Agent {
    /// An agent that waits for its host.
    pub fn new(node: NodeId, streams: Streams) -> Self {
        let desk = Desk::new(node, streams);
        Self { desk, pods: Vec::new(), unseen: Vec::new(), pressure: Pressures::default() }
    }

    /// The host stops and the agent with it: nothing that it had planned or not noticed yet will happen.
    pub fn host_down(&mut self, restart: &Restart, now: Time) {
        self.keep_containers(restart, now);
        self.unseen.clear();
        self.pressure.reboot();
        self.desk.reboot();
    }

    /// The host runs: no container does, images are still on disk.
    pub fn host_up(&mut self, cx: &mut Context<'_>, cause: FactId) {
        self.host_down(&cx.profile.restart, cx.now);
        self.hands(cx).send(cause, Message::Register);
        self.hands(cx).heartbeats(cause);
        self.watch_pressure(cx, cause);
        self.resume(cx, cause);
    }

    /// The control plane can be reached again. An agent registers until it was answered, and then never again.
    /// Source: kubernetes/kubernetes:pkg/kubelet/kubelet_node_status.go, `registerWithAPIServer`.
    pub fn reconnected(&mut self, cx: &mut Context<'_>, cause: FactId) {
        let message = if self.desk.registered { Message::Hello } else { Message::Register };
        self.hands(cx).send(cause, message);
        self.start_again(cx, cause);
    }

    /// The control plane says something.
    pub fn message(&mut self, cx: &mut Context<'_>, cause: FactId, message: &Message) {
        match *message {
            Message::Assign { pod, template } => self.assign(cx, cause, pod, template),
            Message::Terminate { pod, grace } => self.terminate(cx, cause, pod, grace),
            Message::Snapshot { ref pods } => self.snapshot(cx, cause, pods),
            Message::Register
            | Message::Hello
            | Message::Status { .. }
            | Message::HasImage { .. }
            | Message::LostImage { .. }
            | Message::Pressure { .. } => {
                unreachable!("only agents send this, and never to each other")
            }
        }
    }

    /// The container runtime reports something. Starts and exits are noticed at the next relist.
    pub fn runtime(&mut self, cx: &mut Context<'_>, cause: FactId, event: &RuntimeEvent) {
        match *event {
            RuntimeEvent::Pulled { pod, image, ok: true } => self.pulled(cx, cause, pod, image),
            RuntimeEvent::Pulled { pod, image, ok: false } => self.pull_failed(cx, cause, pod, image),
            RuntimeEvent::Probed { pod, container, role, ok } => {
                self.with(cx, pod, |pod, hands| {
                    pod.answered(ProbeId { slot: container.into(), role }, hands, cause, ok)
                });
            }
            RuntimeEvent::Short { signal } => self.short(cx, cause, signal),
            RuntimeEvent::Started { .. } | RuntimeEvent::Exited { .. } => {
                let tick = self.desk.tick(cx.now, cx.profile.agent.relist);
                let first = self.unseen.is_empty();
                self.unseen.push(Unseen { at: cx.now, cause, event: *event });
                if first && tick <= cx.now {
                    self.relist(cx);
                } else if first {
                    self.hands(cx).timer(tick, cause, Due::Relist);
                }
            }
        }
    }

    /// A timer comes due. Those of pods may be outdated and are checked; the agent's own do no harm when they are.
    pub fn timer(&mut self, cx: &mut Context<'_>, cause: FactId, timer: AgentTimer) {
        match timer.due {
            Due::Relist => self.relist(cx),
            Due::Outbox => self.hands(cx).flush(),
            Due::Images => self.hands(cx).send_images(),
            Due::Look => self.look(cx, cause, timer.stamp),
            Due::Conditions => self.send_conditions(cx, cause),
            Due::Pull { pod } | Due::Restart { pod, .. } | Due::Threshold { pod, .. } | Due::Deadline { pod } => {
                self.pod_timer(cx, cause, pod, timer);
            }
        }
    }

    fn pulled(&mut self, cx: &mut Context<'_>, cause: FactId, asker: PodId, image: ImageId) {
        self.desk.images.arrived(asker, image, cause);
        let arrives = |pod: &mut Pod| {
            let mine = if pod.id == asker { Mine::Yes } else { Mine::No };
            pod.image_arrived(&cx.catalog.templates[pod.template], image, mine).then_some(pod.id)
        };
        let waited: Vec<PodId> = self.pods.iter_mut().filter_map(arrives).collect();
        for pod in waited {
            self.with(cx, pod, |_, _| cause);
        }
        self.hands(cx).pull();
        self.hands(cx).report_images(cause);
    }

    fn pull_failed(&mut self, cx: &mut Context<'_>, cause: FactId, asker: PodId, image: ImageId) {
        self.desk.images.failed(asker, image);
        let desk = &self.desk;
        let hit = |pod: &&Pod| {
            (pod.relies_on(&cx.catalog.templates[pod.template], image) && !desk.images.asked_by(pod.id, image))
                || (pod.id == asker && pod.fate == Fate::Live)
        };
        let hit: Vec<PodId> = self.pods.iter().filter(hit).map(|pod| pod.id).collect();
        for pod in hit {
            self.with(cx, pod, |pod, hands| pod.pull_failed(hands, cause, image));
        }
        self.hands(cx).pull();
    }

    /// Notices all that the runtime reported. A container that came and went since the last look is not probed.
    fn relist(&mut self, cx: &mut Context<'_>) {
        let mut touched: Vec<(PodId, FactId)> = Vec::new();
        for unseen in std::mem::take(&mut self.unseen) {
            let (RuntimeEvent::Started { pod, container } | RuntimeEvent::Exited { pod, container, .. }) = unseen.event
            else {
                unreachable!("only starts and exits wait for the relist");
            };
            let Ok(place) = self.place(pod) else { continue };
            let pod = &mut self.pods[place];
            let mut hands = Hands { desk: &mut self.desk, cx };
            let Some(slot) = pod::slot_of(hands.template(pod.template), container) else { continue };
            let fact = match unseen.event {
                RuntimeEvent::Exited { why, .. } => {
                    pod.exited(slot, &mut hands, Exited { at: unseen.at, cause: unseen.cause, why })
                }
                _ => pod.started(slot, &mut hands, unseen.cause, unseen.at),
            };
            match touched.iter_mut().find(|entry| entry.0 == pod.id) {
                Some(entry) => entry.1 = fact,
                None => touched.push((pod.id, fact)),
            }
        }
        for (pod, cause) in touched {
            self.with(cx, pod, |_, _| cause);
        }
    }

    fn pod_timer(&mut self, cx: &mut Context<'_>, cause: FactId, pod: PodId, timer: AgentTimer) {
        let Ok(place) = self.place(pod) else { return };
        if self.pods[place].expects(timer) {
            self.with(cx, pod, |pod, hands| pod.due(hands, cause, timer.due));
        }
    }

    /// Changes a pod, then does what follows from the change. `change` returns the newest cause.
    pub(super) fn with<F>(&mut self, cx: &mut Context<'_>, pod: PodId, change: F)
    where
        F: FnOnce(&mut Pod, &mut Hands<'_, '_>) -> FactId,
    {
        let Ok(place) = self.place(pod) else { return };
        let pod = &mut self.pods[place];
        let mut hands = Hands { desk: &mut self.desk, cx };
        let cause = change(pod, &mut hands);
        if matches!(pod.settle(&mut hands, cause), Outcome::Gone) {
            self.pods.remove(place);
        }
        self.hands(cx).pull();
    }

    /// The desk, at work.
    pub(super) fn hands<'a, 'c>(&'a mut self, cx: &'a mut Context<'c>) -> Hands<'a, 'c> {
        Hands { desk: &mut self.desk, cx }
    }

    pub(super) fn place(&self, pod: PodId) -> Result<usize, usize> {
        self.pods.binary_search_by_key(&pod, |pod| pod.id)
    }
}
