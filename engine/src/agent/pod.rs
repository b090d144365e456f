//! What an agent remembers of a pod, and what can be read off it: readiness, outcome, report.
//!
//! Nothing here acts. Start at [`Pod`]; `lifecycle`, `probes` and `stopping` change it.

use crate::ids::{PodId, TemplateId};
use crate::message::{ContainerRef, Ending, PodReport};
use crate::model::{Container, PodTemplate, ProbeRole};
use crate::profile::{LocalRestart, Probing, Profile, Restart};
use crate::time::{Span, Time};

/// A pod on this node.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) id: PodId,
    pub(super) template: TemplateId,
    /// When it was assigned: kubelet's probe workers begin to tick then.
    pub(super) assigned: Time,
    pub(super) fate: Fate,
    /// When containers that are being stopped for good are stopped by force.
    pub(super) until: Time,
    /// All images were there once.
    pub(super) pulled: bool,
    /// Its init containers are done and its sidecars have started.
    pub(super) initialized: bool,
    /// A container was started, so there is something to remove.
    pub(super) begun: bool,
    /// The agent's own view.
    pub(super) ready: bool,
    /// Failed pulls since the last success.
    pub(super) failed_pulls: u8,
    /// Stamp of the timer that ends the wait after a failed pull; 0 when there is none.
    pub(super) pull_stamp: u32,
    /// Stamp of the timer that ends it when it runs for too long; 0 when there is none.
    pub(super) deadline_stamp: u32,
    /// The agent ended it for want of memory or disk.
    pub(super) evicted: bool,
    /// It was deleted by force: nobody counts its requests any more.
    pub(super) forced: bool,
    /// What the control plane was told last.
    pub(super) reported: Option<PodReport>,
    /// Main containers, then init containers.
    pub(super) slots: Box<[Slot]>,
}

/// What is to become of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It runs.
    Live,
    /// It ended for good; containers that still run are stopped.
    Ending {
        /// Whether it ended well.
        success: bool,
    },
    /// The control plane wants it gone.
    Terminating,
}

/// A container.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    pub(super) image: ImageState,
    /// Step of the crash-loop back-off: 0 means that the next restart is immediate.
    pub(super) crashes: u8,
    /// Where restarts are counted: how many, since when.
    pub(super) counted: (u32, Option<Time>),
    /// Stamp of the timer that ends the wait for a restart; 0 when there is none.
    pub(super) stamp: u32,
    /// Counts as soon as the restart is decided.
    pub(super) restarts: u32,
    pub(super) started: Time,
    /// When it last ended, and with which code.
    pub(super) ended: (Time, i32),
    /// In `Stopping`: when it is stopped by force.
    pub(super) until: Time,
    /// Since when starts are counted, and how many they were, where a host's daemon limits them.
    pub(super) starts: (Time, u32),
    /// By role.
    pub(super) probes: [ProbeSlot; 3],
}

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not started; to be started as soon as its turn has come.
    Idle,
    /// The start was ordered.
    Starting,
    /// Runs.
    Running,
    /// The stop was ordered.
    Stopping,
    /// Failed; waits for its restart.
    Waiting,
    /// Ended for good.
    Ended {
        /// With code 0.
        success: bool,
    },
}

/// What the pod knows of a container's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImageState {
    /// To be pulled.
    Missing,
    /// Absent, and not to be pulled.
    Refused,
    /// There.
    Present,
}

/// A probe at work.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProbeSlot {
    /// The world was asked to probe this run of the container.
    pub(super) asked: bool,
    /// The current run of equal answers.
    pub(super) answer: Option<bool>,
    /// What enough equal answers led to.
    pub(super) verdict: Option<bool>,
    /// Stamp of the timer at which the current run reaches its threshold; 0 when there is none.
    pub(super) stamp: u32,
}

/// Roles in the order of [`Slot::probes`].
pub(super) const ROLES: [ProbeRole; 3] = [ProbeRole::Startup, ProbeRole::Liveness, ProbeRole::Readiness];

/// How a pod ended.
pub(super) enum Outcome {
    /// It goes on.
    Stays,
    /// Nothing is left of it.
    Gone,
}

impl Slot {
    const NEW: Self = Self {
        state: State::Idle,
        image: ImageState::Missing,
        crashes: 0,
        counted: (0, None),
        stamp: 0,
        restarts: 0,
        started: Time::ZERO,
        ended: (Time::ZERO, 0),
        until: Time::ZERO,
        starts: (Time::ZERO, 0),
        probes: [ProbeSlot { asked: false, answer: None, verdict: None, stamp: 0 }; 3],
    };

    /// Whether it has a process.
    pub(super) fn alive(&self) -> bool {
        matches!(self.state, State::Running | State::Stopping)
    }

    /// Whether something of it will still be heard of.
    pub(super) fn busy(&self) -> bool {
        self.alive() || self.state == State::Starting
    }

    /// A start, of those that a host's daemon limits.
    /// Source: systemd/systemd:src/basic/ratelimit.c, `ratelimit_below`.
    pub(super) fn count_start(&mut self, policy: &LocalRestart, now: Time) {
        self.starts = if self.starts_anew(policy, now) { (now, 1) } else { (self.starts.0, self.starts.1 + 1) };
    }

    /// Whether a host's daemon would start it once more.
    pub(super) fn may_start(&self, policy: &LocalRestart, now: Time) -> bool {
        policy.burst == 0 || self.starts_anew(policy, now) || self.starts.1 < policy.burst
    }

    fn starts_anew(&self, policy: &LocalRestart, now: Time) -> bool {
        self.starts.1 == 0 || now.since(self.starts.0) > policy.window
    }

    pub(super) fn verdict(&self, role: ProbeRole) -> Option<bool> {
        self.probes[role as usize].verdict
    }

    /// Whether every probe allows traffic. A container without probes is healthy as soon as it runs.
    fn healthy(&self, container: &Container, gate: Gate) -> bool {
        let passed = |role| container.probe(role).is_none() || self.verdict(role) == Some(true);
        let lives = !matches!(gate, Gate::Held | Gate::Checked) || passed(ProbeRole::Liveness);
        gate == Gate::Blind || (passed(ProbeRole::Startup) && passed(ProbeRole::Readiness) && lives)
    }
}

impl Pod {
    pub(super) fn new(id: PodId, template: (TemplateId, &PodTemplate), now: Time) -> Self {
        let count = template.1.containers.len() + template.1.init.len();
        assert!(u8::try_from(count).is_ok(), "a template has at most 255 containers");
        Self {
            id,
            template: template.0,
            assigned: now,
            fate: Fate::Live,
            until: Time::MAX,
            pulled: false,
            initialized: false,
            begun: false,
            ready: false,
            failed_pulls: 0,
            pull_stamp: 0,
            deadline_stamp: 0,
            evicted: false,
            forced: false,
            reported: None,
            slots: vec![Slot::NEW; count].into(),
        }
    }

    /// Whether a container still has, or is about to get, a process.
    pub(super) fn busy(&self) -> bool {
        self.slots.iter().any(Slot::busy)
    }

    /// The agent's view of readiness.
    pub(super) fn is_ready(&self, template: &PodTemplate, gate: Gate) -> bool {
        let all = template.containers.iter().chain(&template.init).zip(&self.slots).enumerate();
        let mut counted = all.filter(|(slot, _)| *slot < template.containers.len() || is_sidecar(template, *slot));
        !matches!(self.fate, Fate::Ending { .. }) && counted.all(|(_, (c, slot))| slot.alive() && slot.healthy(c, gate))
    }

    /// How the pod ended, or `None` while it goes on.
    pub(super) fn outcome(&self, mains: usize) -> Option<bool> {
        if self.busy() {
            return None;
        }
        let (main, init) = self.slots.split_at(mains);
        let failed = |slot: &Slot| slot.state == State::Ended { success: false };
        match self.fate {
            Fate::Ending { success } => Some(success),
            Fate::Terminating => None,
            Fate::Live if init.iter().any(failed) => Some(false),
            Fate::Live => {
                let ended = main.iter().all(|slot| matches!(slot.state, State::Ended { .. }));
                ended.then(|| !main.iter().any(failed))
            }
        }
    }

    /// How its containers ended.
    fn ending(&self) -> Ending {
        let at = self.slots.iter().map(|slot| slot.ended.0).max().unwrap_or(Time::ZERO);
        let worst = self.slots.iter().position(|slot| slot.ended.1 != 0).unwrap_or(0);
        let code = self.slots.get(worst).map_or(0, |slot| slot.ended.1);
        Ending { at, container: worst as u8, code, evicted: self.evicted }
    }

    /// What the control plane should know of the pod now; `None` means nothing that it does not know already.
    pub(super) fn state(&self, template: &PodTemplate, gate: Gate) -> Option<PodReport> {
        let mains = template.containers.len();
        if let Some(success) = self.outcome(mains) {
            return Some(PodReport::Finished { success, ending: self.ending() });
        }
        match self.fate {
            Fate::Terminating => None,
            Fate::Ending { .. } => self.was_running().then_some(PodReport::Running { ready: false }),
            Fate::Live => Some(self.live_state(mains, gate)),
        }
    }

    fn live_state(&self, mains: usize, gate: Gate) -> PodReport {
        let settled = |slot: &Slot| slot.alive() || matches!(slot.state, State::Ended { .. });
        let failing = |slot: &Slot| slot.restarts > 0 && !settled(slot);
        if self.slots.iter().any(failing) {
            PodReport::Failing
        } else if !self.slots[..mains].iter().all(settled) || (gate == Gate::Held && !self.ready && !self.was_running())
        {
            PodReport::Starting
        } else {
            PodReport::Running { ready: self.ready }
        }
    }

    fn was_running(&self) -> bool {
        matches!(self.reported, Some(PodReport::Running { .. }))
    }
}

/// A container of the template by its slot.
pub(super) fn container(template: &PodTemplate, slot: usize) -> &Container {
    let mains = template.containers.len();
    if slot < mains { &template.containers[slot] } else { &template.init[slot - mains] }
}

/// Whether the container of a slot is a sidecar.
pub(super) fn is_sidecar(template: &PodTemplate, slot: usize) -> bool {
    slot >= template.containers.len() && container(template, slot).sidecar
}

/// How messages name the container of a slot.
pub(super) fn reference(template: &PodTemplate, slot: usize) -> ContainerRef {
    let mains = template.containers.len();
    if slot < mains { ContainerRef::Main(slot as u8) } else { ContainerRef::Init((slot - mains) as u8) }
}

/// The slot of a container; `None` for one that the template does not have.
pub(super) fn slot_of(template: &PodTemplate, container: ContainerRef) -> Option<usize> {
    match container {
        ContainerRef::Main(i) => (usize::from(i) < template.containers.len()).then_some(usize::from(i)),
        ContainerRef::Init(i) => {
            (usize::from(i) < template.init.len()).then_some(template.containers.len() + usize::from(i))
        }
    }
}

/// What probes have to do with readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// A pod runs, and is ready when its probes say so.
    Open,
    /// A pod counts as running only once its probes say so.
    Held,
    /// Nobody asks.
    Blind,
    /// A pod runs, and is ready when all its health checks say so.
    Checked,
}

/// What a profile's probes have to do with readiness.
pub(super) fn gate(profile: &Profile) -> Gate {
    match profile.agent.probes {
        Probing::Unknown => Gate::Blind,
        Probing::Graced { .. } => Gate::Checked,
        _ if gated(profile) => Gate::Held,
        _ => Gate::Open,
    }
}

/// Whether a pod counts as running only once it is healthy, and ends when it is not: the mechanism of orchestrators
/// that replace instead of restarting in place, whose only probe is the container's health check.
pub(super) fn gated(profile: &Profile) -> bool {
    matches!(profile.restart, Restart::Replace { .. })
}

/// Time between the polite and the forced stop of a pod.
pub(super) fn grace(template: &PodTemplate, profile: &Profile) -> Span {
    template.grace.unwrap_or(profile.agent.default_grace)
}
