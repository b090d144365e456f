//! From assignment to running, and from an exit to the next start.
//!
//! Images first, then init containers one after the other, then all main containers. Images are in `pulling`, stopping
//! is in `stopping`, probes are in `probes`. Start at [`Pod::settle`].

use super::desk::Hands;
use super::pod::{self, Fate, ImageState, Outcome, Pod, ProbeSlot, State};
use super::probes::ProbeId;
use super::{AgentTimer, Due};
use crate::fact::{Exit, FactId, FactKind, Note, Subject};
use crate::message::{PodReport, RuntimeOp};
use crate::model::{PodTemplate, ProbeRole, PullPolicy, RestartPolicy};
use crate::profile::Restart;
use crate::time::{Span, Time};

impl Pod {
    /// Does what follows from the state of the slots: pull, start, probe, judge, report. Idempotent.
    pub(super) fn settle(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) -> Outcome {
        if self.fate == Fate::Terminating {
            return self.settle_terminating(hands, cause);
        }
        let mut cause = cause;
        if self.fate == Fate::Live {
            cause = self.settle_images(hands, cause);
            self.start_next(hands, cause);
            self.outlast_mains(hands, cause);
            self.arm_probes(hands, cause);
        }
        if matches!(self.fate, Fate::Ending { .. }) {
            self.stop_sidecars(hands, cause);
        }
        let cause = self.settle_ready(hands, cause);
        self.settle_report(hands, cause);
        Outcome::Stays
    }

    /// Reports the pod's state if it differs from what was reported last.
    pub(super) fn settle_report(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        let template = hands.template(self.template);
        let Some(state) = self.state(template, pod::gate(hands.profile())) else { return };
        if self.reported != Some(state) {
            self.reported = Some(state);
            hands.report(cause, self.id, state);
        }
    }

    /// Records a change of readiness. Returns the newest cause.
    fn settle_ready(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) -> FactId {
        let ready = self.is_ready(hands.template(self.template), pod::gate(hands.profile()));
        if ready == self.ready {
            return cause;
        }
        self.ready = ready;
        let pod = self.id;
        hands.record(cause, if ready { FactKind::AgentReady { pod } } else { FactKind::AgentUnready { pod } })
    }

    /// Starts what may start now.
    fn start_next(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        if !self.pulled || self.fate != Fate::Live {
            return;
        }
        let mains = hands.template(self.template).containers.len();
        let template = hands.template(self.template);
        if !self.initialized {
            // Sidecars that were started before and ended run again beside the preparations.
            let next = (mains..self.slots.len()).find(|&slot| !self.prepared(template, slot));
            for slot in (mains..next.map_or(mains, |next| next + 1)).rev() {
                self.start(slot, hands, cause);
            }
            self.initialized = next.is_none();
        }
        if self.initialized {
            (0..self.slots.len()).for_each(|slot| self.start(slot, hands, cause));
        }
    }

    /// Whether an init container lets the next one start: it is done, or as a sidecar it has started.
    fn prepared(&self, template: &PodTemplate, slot: usize) -> bool {
        let this = &self.slots[slot];
        if !pod::is_sidecar(template, slot) {
            return this.state == State::Ended { success: true };
        }
        let probed = pod::container(template, slot).probe(ProbeRole::Startup).is_some();
        this.state == State::Running && (!probed || this.verdict(ProbeRole::Startup) == Some(true))
    }

    /// A pod whose other containers have all ended for good needs its sidecars no longer.
    fn outlast_mains(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        let template = hands.template(self.template);
        if !template.init.iter().any(|init| init.sidecar) {
            return;
        }
        let mains = template.containers.len();
        let ended = |slot: &pod::Slot| matches!(slot.state, State::Ended { .. });
        let broken =
            |slot: usize| !pod::is_sidecar(template, slot) && self.slots[slot].state == State::Ended { success: false };
        if self.slots[..mains].iter().all(ended) || (mains..self.slots.len()).any(broken) {
            let success = self.slots[..mains].iter().all(|slot| slot.state == State::Ended { success: true });
            self.end(hands, cause, success);
        }
    }

    fn start(&mut self, slot: usize, hands: &mut Hands<'_, '_>, cause: FactId) {
        let this = &mut self.slots[slot];
        if this.state != State::Idle || this.image != ImageState::Present {
            return;
        }
        this.state = State::Starting;
        if let Restart::Local(policy) = hands.profile().restart {
            this.count_start(&policy, hands.now());
        }
        self.begun = true;
        let container = pod::reference(hands.template(self.template), slot);
        hands.runtime(cause, RuntimeOp::Start { pod: self.id, template: self.template, container });
    }

    /// The agent notices that a container runs since `at`. Returns the fact.
    pub(super) fn started(&mut self, slot: usize, hands: &mut Hands<'_, '_>, cause: FactId, at: Time) -> FactId {
        let this = &mut self.slots[slot];
        if this.state != State::Starting {
            return cause;
        }
        this.state = State::Running;
        this.started = at;
        this.probes = [ProbeSlot::default(); 3];
        let kind = FactKind::ContainerStarted { pod: self.id, container: slot as u8, restarts: this.restarts };
        let cause = self.record_main(slot, hands, cause, kind);
        if self.fate != Fate::Live {
            self.stop(slot, hands, cause, self.until);
        }
        cause
    }

    /// The agent notices that a container ended. Returns the newest fact.
    pub(super) fn exited(&mut self, slot: usize, hands: &mut Hands<'_, '_>, seen: Exited) -> FactId {
        if !self.slots[slot].busy() {
            return seen.cause;
        }
        let kind = FactKind::ContainerExited { pod: self.id, container: slot as u8, why: seen.why };
        let mut cause = self.record_main(slot, hands, seen.cause, kind);
        if seen.why == Exit::OutOfMemory {
            cause = hands.record(cause, FactKind::Noted { subject: Subject::Pod(self.id), note: Note::OomKilled });
        }
        let success = seen.why == Exit::Completed;
        let again = self.wants_restart(slot, hands, success);
        let left = self.attempts_left(slot, hands, success) && !hands.desk.closing;
        let this = &mut self.slots[slot];
        let ran = if this.state == State::Starting { Span::ZERO } else { seen.at.since(this.started) };
        this.state = State::Ended { success };
        this.ended = (seen.at, seen.why.code());
        this.stamp = 0;
        this.probes = [ProbeSlot::default(); 3];
        match hands.profile().restart {
            _ if self.fate != Fate::Live => {}
            Restart::InPlace { initial, max, reset } if again => {
                let crashes = if ran >= reset { 0 } else { this.crashes };
                let wait = if crashes == 0 { Span::ZERO } else { doubled(initial, crashes - 1, max) };
                this.crashes = crashes.saturating_add(1);
                return self.restart(slot, hands, Exited { cause, ..seen }, wait);
            }
            Restart::Counted(policy) if again => {
                let exit = Exited { cause, ..seen };
                match self.counted(slot, hands, &policy, seen.at) {
                    Some(wait) => return self.restart(slot, hands, exit, wait),
                    None => self.end(hands, cause, success),
                }
            }
            // One task that failed for good takes the others of its group with it.
            // Source: hashicorp/nomad:client/allocrunner/alloc_runner.go, `handleTaskStateUpdates`.
            Restart::Counted(_) if !success => self.end(hands, cause, success),
            Restart::Engine { initial, max, reset } if again && left => {
                let wait = self.engine_wait(slot, ran, (initial, max, reset));
                return self.restart(slot, hands, Exited { cause, ..seen }, wait);
            }
            Restart::Replace { .. } if again || !success => self.end(hands, cause, success),
            Restart::Local(policy) if again => {
                let crashes = if ran >= policy.reset { 0 } else { this.crashes };
                this.crashes = crashes.saturating_add(1);
                let wait = doubled(policy.initial, crashes, policy.max);
                if !this.may_start(&policy, seen.at + wait) {
                    return cause;
                }
                return self.restart(slot, hands, Exited { cause, ..seen }, wait);
            }
            Restart::InPlace { .. }
            | Restart::Counted(_)
            | Restart::Engine { .. }
            | Restart::Replace { .. }
            | Restart::Local(_) => {}
        }
        cause
    }

    /// Records a start or an exit of a main container. Those of init containers are no facts: who counts running
    /// replicas by them would count preparations. Their failures show as crash loops.
    fn record_main(&self, slot: usize, hands: &mut Hands<'_, '_>, cause: FactId, kind: FactKind) -> FactId {
        let main = slot < hands.template(self.template).containers.len();
        if main { hands.record(cause, kind) } else { cause }
    }

    fn wants_restart(&self, slot: usize, hands: &Hands<'_, '_>, success: bool) -> bool {
        let template = hands.template(self.template);
        if pod::is_sidecar(template, slot) {
            return true;
        }
        let init = slot >= template.containers.len();
        let declared = template.restart;
        let restart = match hands.profile().restart {
            Restart::Local(policy) => policy.when.instead_of(declared),
            _ => declared,
        };
        match restart {
            RestartPolicy::Always => !(init && success),
            RestartPolicy::OnFailure => !success,
            RestartPolicy::Never => false,
        }
    }

    /// Starts a container again, `wait` after its exit. Returns the newest fact.
    fn restart(&mut self, slot: usize, hands: &mut Hands<'_, '_>, exit: Exited, wait: Span) -> FactId {
        let (pod, cause) = (self.id, exit.cause);
        let this = &mut self.slots[slot];
        this.restarts += 1;
        if pod::container(hands.template(self.template), slot).pull == PullPolicy::Always {
            this.image = ImageState::Missing;
        }
        if wait.is_zero() {
            this.state = State::Idle;
            return cause;
        }
        this.state = State::Waiting;
        let cause = hands.record(cause, FactKind::CrashLoop { pod, container: slot as u8, wait });
        let when = (exit.at + wait).max(hands.now());
        this.stamp = hands.timer(when, cause, Due::Restart { pod, slot: slot as u8 });
        cause
    }

    /// Whether a timer is still waited for.
    pub(super) fn expects(&self, timer: AgentTimer) -> bool {
        let stamp = match timer.due {
            Due::Pull { .. } => self.pull_stamp,
            Due::Deadline { .. } => self.deadline_stamp,
            Due::Restart { slot, .. } => self.slots[usize::from(slot)].stamp,
            Due::Threshold { slot, role, .. } => self.slots[usize::from(slot)].probes[role as usize].stamp,
            Due::Relist | Due::Outbox | Due::Images | Due::Look | Due::Conditions => {
                unreachable!("these are the agent's own timers")
            }
        };
        stamp == timer.stamp
    }

    /// A timer that is waited for comes due. Returns the newest fact.
    pub(super) fn due(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, due: Due) -> FactId {
        match due {
            Due::Pull { .. } => self.pull_stamp = 0,
            Due::Deadline { .. } => return self.overdue(hands, cause),
            Due::Restart { slot, .. } => {
                self.slots[usize::from(slot)].stamp = 0;
                self.slots[usize::from(slot)].state = State::Idle;
            }
            Due::Threshold { slot, role, .. } => return self.judged(ProbeId { slot: slot.into(), role }, hands, cause),
            Due::Relist | Due::Outbox | Due::Images | Due::Look | Due::Conditions => {
                unreachable!("these are the agent's own timers")
            }
        }
        cause
    }

    /// Tells the control plane everything again, as after a reconnection.
    pub(super) fn report_again(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        if let Some(state) = self.reported.filter(|_| self.fate != Fate::Terminating) {
            hands.report(cause, self.id, state);
        }
    }

    /// The pod's last word.
    pub(super) fn report_terminated(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        hands.report(cause, self.id, PodReport::Terminated);
    }
}

/// An exit that the agent notices now.
#[derive(Clone, Copy)]
pub(super) struct Exited {
    /// When it really happened: back-off counts from there.
    pub(super) at: Time,
    pub(super) cause: FactId,
    pub(super) why: Exit,
}

/// `first` doubled `times` times, at most `max`.
pub(super) fn doubled(first: Span, times: u8, max: Span) -> Span {
    first.times(1u64 << times.min(40)).min(max)
}
