//! Node pressure: what the agent does when memory or disk runs short, and which pods it does not take.
//!
//! The world tells when less is available than the agent wants (a standing order), and from then on the agent looks on its
//! grid until nothing is short and no mark is held. Each look is one pass of kubelet's eviction manager: thresholds,
//! graces, conditions, reclaim of images, and at most one pod. Sources: kubernetes/kubernetes:pkg/kubelet/eviction/
//! eviction_manager.go and helpers.go, pkg/kubelet/lifecycle/predicate.go. Start at [`Agent::observed`].

use super::desk::Hands;
use super::machine::Agent;
use super::pod::{Fate, Pod};
use super::{Context, Due};
use crate::fact::{FactId, FactKind, Note, Pressure, Subject};
use crate::ids::{ImageId, PodId, TemplateId};
use crate::message::{Footprint, Message, NodeStats, RuntimeOp, Signal};
use crate::model::{PodTemplate, Qos, Taint, TaintEffect};
use crate::profile::pressure::PressurePolicy;
use crate::time::{Span, Time};

/// Pods from this priority on are critical: they are not evicted, and taken in any case.
/// Source: kubernetes/kubernetes:pkg/apis/scheduling/types.go, `SystemCriticalPriority`.
const CRITICAL: i32 = 2_000_000_000;
/// After an eviction the agent looks each second whether the pod is gone, and no longer than this.
/// Source: kubernetes/kubernetes:pkg/kubelet/eviction/eviction_manager.go, `podCleanupPollFreq`, `podCleanupTimeout`.
const CLEANUP_POLL: Span = Span::from_secs(1);
const CLEANUP_TIMEOUT: Span = Span::from_secs(30);

/// Which of kubelet's signals a threshold is about, and whether it is a hard one. Memory comes first.
const THRESHOLDS: [(usize, bool); 6] = [(0, true), (0, false), (1, true), (2, true), (1, false), (2, false)];
/// What is measured for each signal, and the condition that it leads to.
const MEASURED: [(Signal, Pressure); 3] =
    [(Signal::Memory, Pressure::Memory), (Signal::Disk, Pressure::Disk), (Signal::Disk, Pressure::Disk)];
/// Conditions that can come of it.
const CONDITIONS: [Pressure; 2] = [Pressure::Memory, Pressure::Disk];

/// What an agent remembers of shortages.
#[derive(Clone, Debug, Default)]
pub(super) struct Pressures {
    /// Since when each threshold is undercut.
    since: [Option<Time>; THRESHOLDS.len()],
    /// Which of them drove evictions at the last look.
    met: [bool; THRESHOLDS.len()],
    /// When each condition was last observed.
    observed: [Option<Time>; CONDITIONS.len()],
    /// Which conditions hold.
    holds: [bool; CONDITIONS.len()],
    /// What the control plane was told; what it has, survives a reboot.
    told: [bool; CONDITIONS.len()],
    /// It was told anything at all.
    spoke: bool,
    /// Stamp of the timer for the next look, and when that is.
    stamp: u32,
    at: Time,
    /// A pod that is on its way out, and since when.
    evicting: Option<(PodId, Time)>,
    /// Images were deleted and the next observation says whether that was enough.
    reclaimed: bool,
    report_due: bool,
}

impl Pressures {
    /// The agent starts anew.
    pub(super) fn reboot(&mut self) {
        *self = Self { told: self.told, spoke: self.spoke, ..Self::default() };
    }

    fn quiet(&self) -> bool {
        !self.holds.contains(&true)
    }
}

impl Agent {
    /// Wants to be told when less is available than any threshold.
    pub(super) fn watch_pressure(&mut self, cx: &mut Context<'_>, cause: FactId) {
        let Some(policy) = &cx.profile.agent.pressure else { return };
        let levels = [&policy.hard, &policy.soft];
        let all = levels.into_iter().flat_map(|signals| signals.0.into_iter().enumerate());
        for (signal, level) in all {
            if let Some(crate::profile::pressure::Level::Amount(below)) = level {
                self.hands(cx).runtime(cause, RuntimeOp::Watch { signal: MEASURED[signal].0, below });
            }
        }
        self.report_conditions(cx, cause);
    }

    /// Less is available than some threshold: the agent finds out at its next look.
    pub(super) fn short(&mut self, cx: &mut Context<'_>, cause: FactId, signal: Signal) {
        let Some(policy) = &cx.profile.agent.pressure else { return };
        let at_once = policy.notified && signal == Signal::Memory;
        let at = if at_once { cx.now } else { self.desk.tick(cx.now, policy.period) };
        if self.pressure.stamp == 0 || at < self.pressure.at {
            self.look_at(cx, cause, at);
        }
    }

    fn look_at(&mut self, cx: &mut Context<'_>, cause: FactId, at: Time) {
        self.pressure.stamp = self.hands(cx).timer(at, cause, Due::Look);
        self.pressure.at = at;
    }

    /// It is time to look, unless that was decided otherwise since.
    pub(super) fn look(&mut self, cx: &mut Context<'_>, cause: FactId, stamp: u32) {
        if self.pressure.stamp != stamp {
            return;
        }
        self.pressure.stamp = 0;
        if let Some((pod, since)) = self.pressure.evicting {
            let there = self.place(pod).is_ok_and(|place| self.pods[place].busy());
            if there && cx.now.since(since) < CLEANUP_TIMEOUT {
                return self.look_at(cx, cause, cx.now + CLEANUP_POLL);
            }
            self.pressure.evicting = None;
        }
        self.hands(cx).runtime(cause, RuntimeOp::Observe);
    }

    /// What there is: one pass of the eviction manager.
    pub(crate) fn observed(&mut self, cx: &mut Context<'_>, cause: FactId, stats: &NodeStats) {
        let Some(policy) = &cx.profile.agent.pressure else { return };
        if std::mem::take(&mut self.pressure.reclaimed) {
            let none = (0..THRESHOLDS.len()).all(|i| !undercut(policy, i, stats, Resolved::WithReclaim));
            return if none {
                self.look_at(cx, cause, cx.now + policy.period)
            } else {
                self.evict_one(cx, cause, stats)
            };
        }
        let short: [bool; THRESHOLDS.len()] = std::array::from_fn(|i| {
            undercut(policy, i, stats, Resolved::Plainly)
                || (self.pressure.met[i] && undercut(policy, i, stats, Resolved::WithReclaim))
        });
        for (since, short) in self.pressure.since.iter_mut().zip(short) {
            *since = short.then(|| since.unwrap_or(cx.now));
        }
        self.update_conditions(cx, cause, short);
        let since = self.pressure.since;
        self.pressure.met =
            std::array::from_fn(|i| since[i].is_some_and(|since| cx.now.since(since) >= grace(policy, i)));
        let Some(first) = self.pressure.met.iter().position(|met| *met) else {
            return self.look_again(cx, cause, short);
        };
        let disk = MEASURED[THRESHOLDS[first].0].0 == Signal::Disk;
        if disk && self.delete_unused_images(cx, cause) {
            self.pressure.reclaimed = true;
            return self.hands(cx).runtime(cause, RuntimeOp::Observe);
        }
        self.evict_one(cx, cause, stats);
    }

    /// When nothing must be evicted now: the next look that can find something.
    fn look_again(&mut self, cx: &mut Context<'_>, cause: FactId, short: [bool; THRESHOLDS.len()]) {
        let Some(policy) = &cx.profile.agent.pressure else { return };
        if short.contains(&true) {
            return self.look_at(cx, cause, cx.now + policy.period);
        }
        let held = self.pressure.holds.iter().zip(self.pressure.observed).filter(|(holds, _)| **holds);
        let Some(over) = held.filter_map(|(_, observed)| observed).min() else { return };
        let phase = cx.now.since(Time::ZERO);
        self.look_at(cx, cause, (over + policy.transition).next_tick(policy.period, phase));
    }

    fn update_conditions(&mut self, cx: &mut Context<'_>, cause: FactId, short: [bool; THRESHOLDS.len()]) {
        let Some(policy) = &cx.profile.agent.pressure else { return };
        for (i, short) in short.into_iter().enumerate() {
            if short {
                let place = MEASURED[THRESHOLDS[i].0].1 as usize;
                self.pressure.observed[place] = Some(cx.now);
            }
        }
        let observed = self.pressure.observed;
        let holds = observed.map(|at| at.is_some_and(|at| cx.now.since(at) < policy.transition));
        if holds != std::mem::replace(&mut self.pressure.holds, holds) {
            self.report_conditions(cx, cause);
        }
    }

    /// Has the node's conditions reported with its next status.
    fn report_conditions(&mut self, cx: &mut Context<'_>, cause: FactId) {
        if self.pressure.holds != self.pressure.told && !std::mem::replace(&mut self.pressure.report_due, true) {
            let at = self.desk.tick(cx.now, cx.profile.agent.status_period);
            self.hands(cx).timer(at, cause, Due::Conditions);
        }
    }

    /// The status tick.
    pub(super) fn send_conditions(&mut self, cx: &mut Context<'_>, cause: FactId) {
        self.pressure.report_due = false;
        self.pressure.spoke = true;
        for (place, pressure) in CONDITIONS.into_iter().enumerate() {
            let on = self.pressure.holds[place];
            if on != std::mem::replace(&mut self.pressure.told[place], on) {
                self.hands(cx).send(cause, Message::Pressure { pressure, on });
            }
        }
    }

    /// After a reconnection: what was said meanwhile may be lost.
    pub(super) fn tell_conditions_again(&mut self, cx: &mut Context<'_>, cause: FactId) {
        if !self.pressure.spoke {
            return;
        }
        for (place, pressure) in CONDITIONS.into_iter().enumerate() {
            let on = self.pressure.told[place];
            self.hands(cx).send(cause, Message::Pressure { pressure, on });
        }
    }

    /// Deletes images that no pod here uses. True when there were any.
    pub(super) fn delete_unused_images(&mut self, cx: &mut Context<'_>, cause: FactId) -> bool {
        let catalog = cx.catalog;
        let uses = |pod: &Pod, image: ImageId| {
            let template = &catalog.templates[pod.template];
            template.containers.iter().chain(&template.init).any(|container| container.image == image)
        };
        let pods = &self.pods;
        let unused = self.desk.images.drop_unused(|image| pods.iter().any(|pod| uses(pod, image)));
        for &image in &unused {
            self.hands(cx).runtime(cause, RuntimeOp::RemoveImage { image });
            self.hands(cx).send(cause, Message::LostImage { image });
        }
        !unused.is_empty()
    }

    /// Evicts the first pod of the ranking for the first threshold.
    fn evict_one(&mut self, cx: &mut Context<'_>, cause: FactId, stats: &NodeStats) {
        let Some(policy) = &cx.profile.agent.pressure else { return };
        let Some(first) = self.pressure.met.iter().position(|met| *met) else { return };
        let (signal, hard) = THRESHOLDS[first];
        let Some(pod) = self.ranked(cx, MEASURED[signal].0, &stats.pods) else {
            return self.look_at(cx, cause, cx.now + policy.period);
        };
        let grace = match hard {
            true => Some(policy.hard_grace),
            // The flag takes the place of the pod's own grace unless it is 0.
            // Source: kubernetes/kubernetes:pkg/kubelet/pod_workers.go, `calculateEffectiveGracePeriod`.
            false => Some(policy.max_pod_grace).filter(|grace| !grace.is_zero()),
        };
        self.with(cx, pod, |pod, hands| pod.evict(hands, cause, grace));
        self.pressure.evicting = Some((pod, cx.now));
        self.look_at(cx, cause, cx.now + CLEANUP_POLL);
    }

    /// The pod to go: beyond its request, then of low priority, then furthest beyond its request.
    /// Source: kubernetes/kubernetes:pkg/kubelet/eviction/helpers.go, `rankMemoryPressure`, `rankDiskPressureFunc`.
    fn ranked(&self, cx: &Context<'_>, signal: Signal, footprints: &[Footprint]) -> Option<PodId> {
        let rank = |pod: &Pod| {
            let template = &cx.catalog.templates[pod.template];
            let found = footprints.binary_search_by_key(&pod.id, |footprint| footprint.pod).ok();
            let used = found.map_or((0, 0), |place| (footprints[place].memory, footprints[place].disk));
            let excess = match signal {
                Signal::Memory => used.0 - template.requests.memory.0,
                Signal::Disk => used.1 - template.requests.ephemeral.0,
            };
            (excess <= 0, template.priority, std::cmp::Reverse(excess), pod.id)
        };
        let fits = |pod: &&Pod| pod.fate == Fate::Live && cx.catalog.templates[pod.template].priority < CRITICAL;
        self.pods.iter().filter(fits).min_by_key(|pod| rank(pod)).map(|pod| pod.id)
    }

    /// Why a pod is not taken, if it is not.
    pub(super) fn refusal(&self, cx: &Context<'_>, template: TemplateId) -> Option<Note> {
        cx.profile.agent.pressure.as_ref()?;
        let template = &cx.catalog.templates[template];
        if template.priority >= CRITICAL {
            return None;
        }
        if !self.pressure.quiet() && self.refused_for_pressure(cx, template) {
            return Some(Note::Evicted);
        }
        self.lacks(cx, template).then_some(Note::OutOfResource)
    }

    /// Source: kubernetes/kubernetes:pkg/kubelet/eviction/eviction_manager.go, `Admit`.
    fn refused_for_pressure(&self, cx: &Context<'_>, template: &PodTemplate) -> bool {
        let known = &cx.catalog.known;
        let taint = Taint { key: known.memory_pressure, value: known.empty, effect: TaintEffect::NoSchedule };
        let only_memory = self.pressure.holds == [true, false];
        let tolerates = template.tolerations.iter().any(|toleration| toleration.tolerates(&taint));
        let spared = template.qos() != Qos::BestEffort || tolerates;
        !(only_memory && spared)
    }

    /// Whether the node cannot give what a pod asks for besides what it gives already.
    fn lacks(&self, cx: &Context<'_>, template: &PodTemplate) -> bool {
        let Some(spec) = cx.catalog.nodes.get(self.desk.node) else { return false };
        let (mut pods, mut cpu, mut memory) = (1, template.requests.cpu.0, template.requests.memory.0);
        let counts = |pod: &&Pod| !pod.forced && (pod.fate == Fate::Live || pod.busy());
        for pod in self.pods.iter().filter(counts) {
            let requests = &cx.catalog.templates[pod.template].requests;
            pods += 1;
            cpu += requests.cpu.0;
            memory += requests.memory.0;
        }
        pods > spec.max_pods
            || (template.requests.cpu.0 > 0 && cpu > spec.allocatable.cpu.0)
            || (template.requests.memory.0 > 0 && memory > spec.allocatable.memory.0)
    }
}

/// Whether a threshold counts as over once it is no longer undercut, or only with some more to spare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resolved {
    Plainly,
    WithReclaim,
}

fn undercut(policy: &PressurePolicy, threshold: usize, stats: &NodeStats, resolved: Resolved) -> bool {
    let (signal, hard) = THRESHOLDS[threshold];
    let levels = if hard { &policy.hard } else { &policy.soft };
    let Some(level) = levels.0[signal] else { return false };
    let place = MEASURED[signal].0 as usize;
    let capacity = stats.capacity[place];
    let reclaim = policy.min_reclaim.0[signal].filter(|_| resolved == Resolved::WithReclaim);
    let more = reclaim.map_or(0, |amount| amount.bytes(capacity));
    stats.available[place] < level.bytes(capacity) + more
}

fn grace(policy: &PressurePolicy, threshold: usize) -> Span {
    let (signal, hard) = THRESHOLDS[threshold];
    if hard { Span::ZERO } else { policy.soft_grace.span(signal) }
}

impl Pod {
    /// The agent ends a pod to get back what it holds. Returns the newest fact.
    fn evict(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, grace: Option<Span>) -> FactId {
        let cause = hands.record(cause, FactKind::Noted { subject: Subject::Pod(self.id), note: Note::Evicted });
        self.evicted = true;
        self.end_within(hands, cause, grace);
        cause
    }

    /// The agent does not take a pod. Returns the newest fact.
    pub(super) fn refuse(&mut self, hands: &mut Hands<'_, '_>, cause: FactId, why: Note) -> FactId {
        let cause = hands.record(cause, FactKind::Noted { subject: Subject::Pod(self.id), note: why });
        self.end_within(hands, cause, Some(Span::ZERO));
        cause
    }

    /// The pod has run for as long as it may. Returns the newest fact.
    /// Source: kubernetes/kubernetes:pkg/kubelet/active_deadline.go.
    pub(super) fn overdue(&mut self, hands: &mut Hands<'_, '_>, cause: FactId) -> FactId {
        self.deadline_stamp = 0;
        if self.fate != Fate::Live {
            return cause;
        }
        let note = Note::DeadlineExceeded;
        let cause = hands.record(cause, FactKind::Noted { subject: Subject::Pod(self.id), note });
        self.end_within(hands, cause, None);
        cause
    }
}
