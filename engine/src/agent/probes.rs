//! Probes: when to ask, and what a run of equal answers means.
//!
//! The world asks and reports only changes of the answer; thresholds are reached by timers, which a change of the answer
//! outdates. Start at [`Pod::arm_probes`], then [`Pod::answered`].

use super::Due;
use super::desk::Hands;
use super::pod::{self, Fate, Pod, ROLES, State};
use crate::fact::{FactId, FactKind};
use crate::message::RuntimeOp;
use crate::model::{Probe, ProbeRole};
use crate::profile::Probing;
use crate::time::{Span, Time};

/// One of a pod's probes.
#[derive(Clone, Copy)]
pub(super) struct ProbeId {
    pub(super) slot: usize,
    pub(super) role: ProbeRole,
}

impl Pod {
    /// Orders the probes that may begin: those of running containers, and the startup probe before the others.
    pub(super) fn arm_probes(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) {
        if hands.profile().agent.probes == Probing::Unknown {
            return;
        }
        let template = hands.template(self.template);
        let mains = template.containers.len();
        for slot in (0..self.slots.len()).filter(|&slot| slot < mains || pod::is_sidecar(template, slot)) {
            let container = pod::container(template, slot);
            if container.probes.is_empty() || self.slots[slot].state != State::Running {
                continue;
            }
            let started = container.probe(ProbeRole::Startup).is_none()
                || self.slots[slot].verdict(ProbeRole::Startup) == Some(true);
            for role in ROLES {
                let Some(probe) = container.probe(role) else { continue };
                if (started || role == ProbeRole::Startup) && !self.slots[slot].probes[role as usize].asked {
                    let first = self.first_probe(slot, probe, hands);
                    self.slots[slot].probes[role as usize].asked = true;
                    let op = RuntimeOp::Probe { pod: self.id, container: slot as u8, role, first };
                    hands.runtime(cause, op);
                }
            }
        }
    }

    /// When a probe is first asked.
    ///
    /// Kubelet's workers tick from the pod's arrival on and skip ticks within the initial delay; readiness is also asked
    /// as soon as the container is seen running, and ticks from there.
    /// Source: kubernetes/kubernetes:pkg/kubelet/prober/worker.go and prober_manager.go, UpdatePodStatus.
    /// A health check first waits one interval. Source: moby/moby:daemon/health.go, monitor.
    fn first_probe(&self, slot: usize, probe: &Probe, hands: &Hands<'_, '_>) -> Time {
        let started = self.slots[slot].started;
        if let Probing::Graced { first } = hands.profile().agent.probes {
            return (started + first.min(probe.period)).max(hands.now());
        }
        if pod::gated(hands.profile()) {
            return (started + probe.initial_delay.max(probe.period)).max(hands.now());
        }
        let earliest = (started + probe.initial_delay).max(hands.now());
        let ticks_from = if probe.role == ProbeRole::Readiness { hands.now() } else { self.assigned };
        earliest.next_tick(probe.period, ticks_from.since(Time::ZERO))
    }

    /// A probe's answer changed: `ok` now and at each period until further notice. Returns the newest fact.
    pub(super) fn answered(&mut self, probe: ProbeId, hands: &mut Hands<'_, '_>, cause: FactId, ok: bool) -> FactId {
        let ProbeId { slot, role } = probe;
        let template = hands.template(self.template);
        let known = (slot < self.slots.len()).then(|| pod::container(template, slot));
        let Some(probe) = known.and_then(|container| container.probe(role)) else { return cause };
        let alive = self.slots[slot].alive();
        let watch = &mut self.slots[slot].probes[role as usize];
        // Kubelet puts a liveness probe on hold once it failed, and ends the startup probe once it passed.
        let over = match role {
            ProbeRole::Startup => watch.verdict.is_some(),
            ProbeRole::Liveness => watch.verdict == Some(false),
            ProbeRole::Readiness => false,
        };
        if !alive || over || !watch.asked || watch.answer == Some(ok) {
            return cause;
        }
        watch.answer = Some(ok);
        watch.stamp = 0;
        if watch.verdict == Some(ok) {
            return cause;
        }
        let ignored = self.ignored_checks(slot, (probe, role), hands, ok);
        let more = if ok { probe.success_threshold } else { probe.failure_threshold }.saturating_sub(1) + ignored;
        if more == 0 {
            return self.judged(ProbeId { slot, role }, hands, cause);
        }
        // A failure is known only after its time-out, so the last success of a run is certain only then.
        let certain = if ok { probe.timeout } else { Span::ZERO };
        let due = Due::Threshold { pod: self.id, slot: slot as u8, role };
        let stamp = hands.timer(hands.now() + probe.period.times(u64::from(more)) + certain, cause, due);
        self.slots[slot].probes[role as usize].stamp = stamp;
        cause
    }

    /// Checks from now on whose failure does not count: a task that was never healthy has a grace after its start.
    /// Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/health/impl/HealthCheckActor.scala,
    /// `ignoreFailures`.
    fn ignored_checks(&self, slot: usize, (probe, role): (&Probe, ProbeRole), hands: &Hands<'_, '_>, ok: bool) -> u32 {
        let this = &self.slots[slot];
        let graced = matches!(hands.profile().agent.probes, Probing::Graced { .. });
        let graced = graced && this.verdict(role).is_none() && !ok;
        if !graced || probe.period.is_zero() {
            return 0;
        }
        let left = (this.started + probe.initial_delay).since(hands.now());
        u32::try_from(left.as_nanos().div_ceil(probe.period.as_nanos())).unwrap_or(u32::MAX)
    }

    /// A probe's answer was the same as often as its threshold asks. Returns the newest fact.
    pub(super) fn judged(&mut self, probe: ProbeId, hands: &mut Hands<'_, '_>, cause: FactId) -> FactId {
        let ProbeId { slot, role } = probe;
        let watch = &mut self.slots[slot].probes[role as usize];
        watch.stamp = 0;
        watch.verdict = watch.answer;
        if watch.verdict != Some(false) {
            return cause;
        }
        let cause = hands.record(cause, FactKind::ProbeFailed { pod: self.id, container: slot as u8, role });
        if self.fate != Fate::Live || hands.profile().agent.probes == Probing::Reported {
            return cause;
        }
        let grace = pod::grace(hands.template(self.template), hands.profile());
        if pod::gated(hands.profile()) {
            self.end(hands, cause, false);
        } else if role != ProbeRole::Readiness {
            self.stop(slot, hands, cause, hands.now() + grace);
        }
        cause
    }
}
