//! Stopping: the order to stop, politely and then by force, and what is reported when all is over.
//!
//! Why something is stopped is decided elsewhere; the hook before the stop is run by whoever carries out the order.
//! Start at [`Pod::terminate`].

use super::desk::Hands;
use super::pod::{self, Fate, Outcome, Pod, State};
use crate::fact::FactId;
use crate::message::RuntimeOp;
use crate::time::{Span, Time};

impl Pod {
    /// The control plane wants the pod gone. A second wish counts if it is more urgent.
    pub(super) fn terminate(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, grace: Span) {
        let until = hands.now() + grace;
        self.forced |= grace.is_zero();
        if self.fate == Fate::Terminating && until >= self.until {
            return;
        }
        self.fate = Fate::Terminating;
        hands.desk.images.forget(self.id);
        self.stop_all(hands, cause, until);
    }

    /// The pod is over, without anybody having asked for it: stops what still runs.
    pub(super) fn end(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, success: bool) {
        if self.fate == Fate::Live {
            self.finish(hands, cause, success, None);
        }
    }

    /// The pod has failed by its agent's decision; `None`: it has its own grace.
    pub(super) fn end_within(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, grace: Option<Span>) {
        if self.fate == Fate::Live {
            self.finish(hands, cause, false, grace);
        }
    }

    fn finish(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, success: bool, grace: Option<Span>) {
        self.fate = Fate::Ending { success };
        hands.desk.images.forget(self.id);
        let own = pod::grace(hands.template(self.template), hands.profile());
        self.stop_all(hands, cause, hands.now() + grace.unwrap_or(own));
    }

    fn stop_all(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, until: Time) {
        self.until = until;
        self.pull_stamp = 0;
        let template = hands.template(self.template);
        for slot in (0..self.slots.len()).filter(|&slot| !pod::is_sidecar(template, slot)) {
            self.stop(slot, hands, cause, until);
        }
        self.stop_sidecars(hands, cause);
    }

    /// Sidecars stop when all others have, the last one first.
    /// Source: kubernetes/kubernetes:pkg/kubelet/kuberuntime/kuberuntime_termination_order.go.
    pub(super) fn stop_sidecars(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        let template = hands.template(self.template);
        let sidecar = |slot: &usize| pod::is_sidecar(template, *slot);
        if !(0..self.slots.len()).any(|slot| sidecar(&slot)) {
            return;
        }
        let mut wait = (0..self.slots.len()).filter(|slot| !sidecar(slot)).any(|slot| self.slots[slot].busy());
        for slot in (0..self.slots.len()).rev().filter(sidecar) {
            let idle = matches!(self.slots[slot].state, State::Idle | State::Waiting);
            if !wait || idle || self.slots[slot].state == State::Stopping {
                self.stop(slot, hands, cause, self.until.max(hands.now()));
            }
            wait |= self.slots[slot].busy();
        }
    }

    /// Stops a container by force at `until`. One that is being started is stopped once it is seen running.
    pub(super) fn stop(&mut self, slot: usize, hands: &mut Hands<'_, '_>, cause: FactId, until: Time) {
        let this = &mut self.slots[slot];
        match this.state {
            State::Running => self.order_stop(slot, hands, cause, until),
            State::Stopping if until < this.until => self.order_stop(slot, hands, cause, until),
            State::Idle | State::Waiting => {
                this.stamp = 0;
                this.state = State::Ended { success: false };
            }
            State::Stopping | State::Starting | State::Ended { .. } => {}
        }
    }

    fn order_stop(&mut self, slot: usize, hands: &mut Hands<'_, '_>, cause: FactId, until: Time) {
        self.slots[slot].state = State::Stopping;
        self.slots[slot].until = until;
        let hook = until.since(hands.now());
        let template = hands.template(self.template);
        let used = pod::container(template, slot).pre_stop.map_or(Span::ZERO, |span| span.min(hook));
        // What the hook leaves of the grace, and never less than the least.
        // Source: kubernetes/kubernetes:pkg/kubelet/kuberuntime/kuberuntime_container.go, `killContainer`.
        let grace = used + (hook - used).max(hands.profile().agent.least_grace);
        let container = pod::reference(template, slot);
        hands.runtime(cause, RuntimeOp::Stop { pod: self.id, container, grace, hook });
    }

    /// Removes a terminating pod once nothing of it runs, and says so.
    pub(super) fn settle_terminating(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) -> Outcome {
        if self.busy() {
            self.stop_sidecars(hands, cause);
            return Outcome::Stays;
        }
        if self.begun {
            hands.runtime(cause, RuntimeOp::Remove { pod: self.id });
        }
        self.report_terminated(hands, cause);
        Outcome::Gone
    }
}
