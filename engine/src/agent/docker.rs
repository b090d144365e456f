//! Restarts by the container engine itself: its back-off, its attempts, and what runs again when the engine is back.
//!
//! Containers stay where they are until somebody removes them, whether they run or not; so an engine that comes back
//! knows what it had. Whether somebody manages it makes no difference. Start at [`Pod::engine_wait`] and
//! [`Agent::resume`].
//!
//! Sources: moby/moby:daemon/internal/restartmanager/restartmanager.go, `ShouldRestart`; daemon/daemon.go, `restore`.

use super::Context;
use super::desk::Hands;
use super::lifecycle::doubled;
use super::machine::Agent;
use super::pod::{self, Fate, Pod, State};
use crate::fact::{Exit, FactId};
use crate::ids::PodId;
use crate::model::RestartPolicy;
use crate::profile::Restart;
use crate::time::{Span, Time};

impl Pod {
    /// Whether the policy of a container that failed allows one more restart (`on-failure:3`).
    pub(super) fn attempts_left(&self, slot: usize, hands: &Hands<'_, '_>, success: bool) -> bool {
        let most = hands.template(self.template).restart_attempts;
        success || most.is_none_or(|most| self.slots[slot].restarts < most)
    }

    /// The wait before a restart. It doubles with each one, the first one included, until a run was long enough.
    pub(super) fn engine_wait(&mut self, slot: usize, ran: Span, (first, max, reset): (Span, Span, Span)) -> Span {
        let this = &mut self.slots[slot];
        let done = if ran >= reset { 0 } else { this.crashes };
        this.crashes = done.saturating_add(1);
        doubled(first, done, max)
    }

    /// The engine went down, and its containers with it.
    fn drop_dead(&mut self, now: Time) {
        for slot in &mut self.slots {
            if slot.busy() || slot.state == State::Waiting {
                slot.state = State::Ended { success: false };
                slot.ended = (now, Exit::HostLost.code());
            }
            slot.stamp = 0;
            slot.probes = Default::default();
        }
        (self.pull_stamp, self.reported) = (0, None);
    }

    /// The engine is back: what its policy lets run again does.
    fn resume(&mut self, hands: &Hands<'_, '_>) {
        let template = hands.template(self.template);
        if self.fate != Fate::Live {
            return;
        }
        for slot in &mut self.slots {
            let again = match (slot.state, template.restart) {
                (State::Ended { .. }, RestartPolicy::Always)
                | (State::Ended { success: false }, RestartPolicy::OnFailure) => true,
                (State::Ended { .. }, _) => false,
                _ => true,
            };
            if again {
                (slot.state, slot.crashes) = (State::Idle, 0);
            }
        }
    }
}

impl Agent {
    /// Containers that are on the disk of a host that stops, where the engine keeps them.
    pub(super) fn keep_containers(&mut self, restart: &Restart, now: Time) {
        match restart {
            Restart::Engine { .. } => self.pods.iter_mut().for_each(|pod| pod.drop_dead(now)),
            Restart::InPlace { .. } | Restart::Counted(_) | Restart::Replace { .. } | Restart::Local(_) => {
                self.pods.clear()
            }
        }
    }

    /// The engine stops in good order: its containers first, and none is restarted.
    /// Source: moby/moby:daemon/daemon.go, `Shutdown`.
    pub fn stop_in_order(&mut self, cx: &mut Context<'_>, cause: FactId) {
        let Restart::Engine { .. } = cx.profile.restart else { return };
        self.desk.closing = true;
        let pods: Vec<PodId> = self.pods.iter().map(|pod| pod.id).collect();
        for pod in pods {
            self.with(cx, pod, |pod, hands| {
                let until = hands.now() + pod::grace(hands.template(pod.template), hands.profile());
                for slot in 0..pod.slots.len() {
                    pod.stop(slot, hands, cause, until);
                }
                cause
            });
        }
    }

    /// An engine that had stopped in good order runs again, on a host that never went down.
    pub(super) fn start_again(&mut self, cx: &mut Context<'_>, cause: FactId) {
        if std::mem::replace(&mut self.desk.closing, false) {
            self.resume(cx, cause);
        }
    }

    /// The engine starts with what it had before.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>, cause: FactId) {
        let pods: Vec<PodId> = self.pods.iter().map(|pod| pod.id).collect();
        for pod in pods {
            self.with(cx, pod, |pod, hands| {
                pod.resume(hands);
                cause
            });
        }
    }
}
