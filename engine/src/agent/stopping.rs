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
        if self.fate == Fate::Terminating && until >= self.until {
            return;
        }
        self.fate = Fate::Terminating;
        hands.desk.images.forget(self.id);
        self.stop_all(hands, cause, until);
    }

    /// The pod is over, without anybody having asked for it: stops what still runs.
    pub(super) fn end(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, success: bool) {
        if self.fate != Fate::Live {
            return;
        }
        self.fate = Fate::Ending { success };
        hands.desk.images.forget(self.id);
        let until = hands.now() + pod::grace(hands.template(self.template), hands.profile());
        self.stop_all(hands, cause, until);
    }

    fn stop_all(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, until: Time) {
        self.until = until;
        self.pull_stamp = 0;
        for slot in 0..self.slots.len() {
            self.stop(slot, hands, cause, until);
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
        let grace = until.since(hands.now());
        let container = pod::reference(hands.template(self.template), slot);
        hands.runtime(cause, RuntimeOp::Stop { pod: self.id, container, grace });
    }

    /// Removes a terminating pod once nothing of it runs, and says so.
    pub(super) fn settle_terminating(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) -> Outcome {
        if self.busy() {
            return Outcome::Stays;
        }
        if self.begun {
            hands.runtime(cause, RuntimeOp::Remove { pod: self.id });
        }
        self.report_terminated(hands, cause);
        Outcome::Gone
    }
}
