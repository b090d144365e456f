//! Replicas over time: how many of each workload were available, where they stood, and how rollouts went.
//!
//! A replica is *available* while the control plane has it as ready, its containers really run, its agent agrees, and
//! nobody asked for its deletion: neither the store's optimism about a dead host nor the corpse's about itself counts.
//! Start at [`Replicas::new`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::fact::{Fact, FactKind};
use shakedown_engine::ids::{Id, NodeId, PodId, RevisionId, WorkloadId};
use shakedown_engine::time::{Span, Time};

use super::pods::Pods;
use crate::run::Run;

/// One workload over a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadTotals {
    /// Wanted at the end.
    pub desired: u32,
    /// Available at the end.
    pub available: u32,
    /// Fewest available after all wanted ones had been available for the first time.
    pub fewest: Option<u32>,
    /// Longest time without any available replica, once there had been one and as long as one was wanted.
    pub downtime: Span,
    /// Created in all.
    pub created: u32,
    /// Most replicas on one node at once.
    pub max_per_node: u32,
    /// Replicas that were missing, each for as long as it was, after all wanted ones had been available for the first time.
    pub missing: Span,
}

/// A moment at which a workload's numbers changed, and what they were after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Time,
    /// Replicas wanted.
    pub desired: u32,
    /// Replicas available.
    pub available: u32,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutEnding {
    /// All replicas are of the new version.
    Completed,
    /// Turned back.
    Undone,
    /// Another one began before it was complete.
    Superseded,
    /// It was still under way when the run ended.
    Unfinished,
}

/// One rollout to a version other than a workload's first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutTotals {
    /// Of which workload.
    pub workload: WorkloadId,
    /// To which version.
    pub revision: RevisionId,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// How it ended.
    pub ending: RolloutEnding,
    /// When it first came to a halt: stalled, paused, or turned back.
    pub halted: Option<Time>,
    /// How long it was reported as stalled.
    pub stalled: Span,
    /// Least available replicas of the wanted, in millionths; at most a million. `None` when none was wanted.
    pub worst_ppm: Option<u64>,
    /// Most replicas above the wanted number, those being deleted not counted.
    pub surge: u32,
    stalled_since: Option<Time>,
}

/// All workloads and rollouts of a run.
pub struct Replicas {
    /// Per workload that existed.
    pub workloads: BTreeMap<WorkloadId, WorkloadTotals>,
    /// Per workload, every change of its numbers.
    pub steps: BTreeMap<WorkloadId, Vec<Step>>,
    /// In the order in which they began.
    pub rollouts: Vec<RolloutTotals>,
    /// Not bound and not being deleted at the end.
    pub pending: BTreeMap<WorkloadId, u32>,
    /// Every workload and node that ever came together.
    pub places: BTreeSet<(WorkloadId, NodeId)>,
}

impl Replicas {
    /// Follows all replicas through the run.
    pub fn new(run: &Run, pods: &Pods) -> Self {
        let mut follower = Follower::new(pods.rows());
        for fact in &run.facts {
            follower.take(run, pods, fact);
        }
        follower.finish(run, pods)
    }
}

/// One pod while following.
#[derive(Clone, Copy, Default)]
struct PodState {
    /// Exists and counts as a replica.
    active: bool,
    /// The store has it as ready.
    ready: bool,
    /// Containers that ended and did not start again, as a bit set.
    ended: u64,
    /// The agent said that it does not serve.
    unserving: bool,
}

impl PodState {
    fn is_available(self) -> bool {
        self.active && self.ready && self.ended == 0 && !self.unserving
    }
}

/// One workload while following.
#[derive(Clone, Default)]
struct Follow {
    totals: WorkloadTotals,
    active: u32,
    was_full: bool,
    was_up: bool,
    lacking: Lacking,
    down_since: Option<Time>,
    first_revision: Option<RevisionId>,
    rollout: Option<usize>,
    steps: Vec<Step>,
}

/// How many replicas have been missing since when.
#[derive(Clone, Copy, Default)]
struct Lacking {
    since: Time,
    replicas: u32,
}

impl Lacking {
    /// What was missing up to now; from now on it is `replicas`.
    fn turns(&mut self, at: Time, replicas: u32) -> Span {
        let lasted = at.since(self.since).times(u64::from(self.replicas));
        *self = Self { since: at, replicas };
        lasted
    }
}

struct Follower {
    pods: Vec<PodState>,
    workloads: BTreeMap<WorkloadId, Follow>,
    rollouts: Vec<RolloutTotals>,
    on_node: BTreeMap<(NodeId, WorkloadId), u32>,
}

impl Follower {
    fn new(pods: usize) -> Self {
        Self {
            pods: vec![PodState::default(); pods],
            workloads: BTreeMap::new(),
            rollouts: Vec::new(),
            on_node: BTreeMap::new(),
        }
    }

    fn take(&mut self, run: &Run, pods: &Pods, fact: &Fact) {
        let at = fact.at;
        match fact.kind {
            FactKind::PodCreated { pod, workload, .. } => {
                self.workloads.entry(workload).or_default().totals.created += 1;
                self.change(pods, (at, pod), |state| state.active = true);
            }
            FactKind::PodBound { pod, node } => self.bound(pods, pod, node),
            FactKind::PodDeleting { pod, .. } | FactKind::PodFailed { pod } | FactKind::PodDeleted { pod } => {
                self.leaves(pods, (at, pod));
            }
            FactKind::PodReady { pod } => self.change(pods, (at, pod), |state| state.ready = true),
            FactKind::PodUnready { pod } => self.change(pods, (at, pod), |state| state.ready = false),
            FactKind::AgentReady { pod } => self.change(pods, (at, pod), |state| state.unserving = false),
            FactKind::AgentUnready { pod } => self.change(pods, (at, pod), |state| state.unserving = true),
            FactKind::ContainerStarted { pod, container, .. } => {
                self.change(pods, (at, pod), |state| state.ended &= !(1 << container.min(63)));
            }
            FactKind::ContainerExited { pod, container, .. } => {
                self.change(pods, (at, pod), |state| state.ended |= 1 << container.min(63));
            }
            FactKind::WorkloadCreated { workload } => {
                let replicas = run.catalog.workloads.get(workload).map_or(0, |spec| spec.replicas);
                self.desire(at, workload, replicas);
            }
            FactKind::Scaled { workload, to, .. } => self.desire(at, workload, to),
            FactKind::WorkloadDeleted { workload } => self.desire(at, workload, 0),
            FactKind::RevisionCreated { workload, revision } => {
                self.workloads.entry(workload).or_default().first_revision.get_or_insert(revision);
            }
            _ => self.rollout(fact),
        }
    }

    fn rollout(&mut self, fact: &Fact) {
        let at = fact.at;
        match fact.kind {
            FactKind::RolloutStarted { workload, revision } => self.rollout_starts(at, workload, revision),
            FactKind::RolloutCompleted { workload, .. } => self.rollout_ends(at, workload, RolloutEnding::Completed),
            FactKind::RolloutUndone { workload, .. } => {
                self.each_rollout(workload, |rollout| _ = rollout.halted.get_or_insert(at));
                self.rollout_ends(at, workload, RolloutEnding::Undone);
            }
            FactKind::RolloutPaused { workload } => {
                self.each_rollout(workload, |rollout| _ = rollout.halted.get_or_insert(at));
            }
            FactKind::RolloutStalled { workload, .. } => self.each_rollout(workload, |rollout| {
                rollout.halted.get_or_insert(at);
                rollout.stalled_since.get_or_insert(at);
            }),
            _ => {}
        }
    }

    fn change(&mut self, pods: &Pods, (at, pod): (Time, PodId), change: impl FnOnce(&mut PodState)) {
        let (Some(state), Some(row)) = (self.pods.get_mut(pod.index()), pods.get(pod)) else { return };
        let before = *state;
        change(state);
        let after = *state;
        let follow = self.workloads.entry(row.workload).or_default();
        follow.active = follow.active + u32::from(after.active) - u32::from(before.active);
        let (was, is) = (before.is_available(), after.is_available());
        follow.totals.available = follow.totals.available + u32::from(is) - u32::from(was);
        if was != is || before.active != after.active {
            self.review(at, row.workload);
        }
    }

    fn desire(&mut self, at: Time, workload: WorkloadId, replicas: u32) {
        self.workloads.entry(workload).or_default().totals.desired = replicas;
        self.review(at, workload);
    }

    /// Looks at a workload whose numbers have changed.
    fn review(&mut self, at: Time, workload: WorkloadId) {
        let Some(follow) = self.workloads.get_mut(&workload) else { return };
        let (available, desired) = (follow.totals.available, follow.totals.desired);
        let step = Step { at, desired, available };
        match follow.steps.last_mut() {
            Some(last) if last.at == at => *last = step,
            _ => follow.steps.push(step),
        }
        follow.was_full |= available >= desired && desired > 0;
        follow.was_up |= available > 0;
        let lacking = if follow.was_full { desired.saturating_sub(available) } else { 0 };
        follow.totals.missing += follow.lacking.turns(at, lacking);
        if follow.was_full {
            follow.totals.fewest = Some(follow.totals.fewest.map_or(available, |fewest| fewest.min(available)));
        }
        if available == 0 && follow.was_up && desired > 0 {
            follow.down_since.get_or_insert(at);
        } else if let Some(since) = follow.down_since.take() {
            follow.totals.downtime = follow.totals.downtime.max(at.since(since));
        }
        if let Some(rollout) = follow.rollout.map(|i| &mut self.rollouts[i]) {
            rollout.see(follow.active, available, desired);
        }
    }

    fn bound(&mut self, pods: &Pods, pod: PodId, node: NodeId) {
        let Some(row) = pods.get(pod) else { return };
        let count = self.on_node.entry((node, row.workload)).or_default();
        *count += 1;
        let totals = &mut self.workloads.entry(row.workload).or_default().totals;
        totals.max_per_node = totals.max_per_node.max(*count);
    }

    fn leaves(&mut self, pods: &Pods, (at, pod): (Time, PodId)) {
        let was_active = self.pods.get(pod.index()).is_some_and(|state| state.active);
        self.change(pods, (at, pod), |state| state.active = false);
        let bound = pods.get(pod).and_then(|row| row.bound.filter(|b| b.1 <= at).map(|b| (b.0, row.workload)));
        if let Some(count) = bound.filter(|_| was_active).and_then(|key| self.on_node.get_mut(&key)) {
            *count -= 1;
        }
    }

    fn rollout_starts(&mut self, at: Time, workload: WorkloadId, revision: RevisionId) {
        self.rollout_ends(at, workload, RolloutEnding::Superseded);
        let follow = self.workloads.entry(workload).or_default();
        // Coming to be is not a rollout: there is nothing to keep available yet.
        if follow.first_revision.is_none_or(|first| first == revision)
            && self.rollouts.iter().all(|r| r.workload != workload)
        {
            follow.first_revision.get_or_insert(revision);
            return;
        }
        let mut rollout = RolloutTotals {
            workload,
            revision,
            started: at,
            ended: None,
            ending: RolloutEnding::Unfinished,
            halted: None,
            stalled: Span::ZERO,
            worst_ppm: None,
            surge: 0,
            stalled_since: None,
        };
        rollout.see(follow.active, follow.totals.available, follow.totals.desired);
        follow.rollout = Some(self.rollouts.len());
        self.rollouts.push(rollout);
    }

    fn rollout_ends(&mut self, at: Time, workload: WorkloadId, ending: RolloutEnding) {
        self.each_rollout(workload, |rollout| rollout.close(at, ending));
        if let Some(follow) = self.workloads.get_mut(&workload) {
            follow.rollout = None;
        }
    }

    fn each_rollout(&mut self, workload: WorkloadId, change: impl FnOnce(&mut RolloutTotals)) {
        if let Some(i) = self.workloads.get(&workload).and_then(|follow| follow.rollout) {
            change(&mut self.rollouts[i]);
        }
    }

    fn finish(mut self, run: &Run, pods: &Pods) -> Replicas {
        for rollout in &mut self.rollouts {
            rollout.stop_stall(run.end);
        }
        let (mut workloads, mut steps) = (BTreeMap::new(), BTreeMap::new());
        for (id, mut follow) in self.workloads {
            if let Some(since) = follow.down_since {
                follow.totals.downtime = follow.totals.downtime.max(run.end.since(since));
            }
            follow.totals.missing += follow.lacking.turns(run.end, 0);
            workloads.insert(id, follow.totals);
            steps.insert(id, follow.steps);
        }
        let mut pending = BTreeMap::new();
        for (_, pod) in pods.iter().filter(|(_, pod)| pod.bound.is_none() && pod.gone.is_none()) {
            *pending.entry(pod.workload).or_default() += 1;
        }
        let places = self.on_node.into_keys().map(|(node, workload)| (workload, node)).collect();
        Replicas { workloads, steps, rollouts: self.rollouts, pending, places }
    }
}

impl RolloutTotals {
    /// How long it took, when it was completed.
    pub fn duration(&self) -> Option<Span> {
        let ended = self.ended.filter(|_| self.ending == RolloutEnding::Completed)?;
        Some(ended.since(self.started))
    }

    fn see(&mut self, active: u32, available: u32, desired: u32) {
        self.surge = self.surge.max(active.saturating_sub(desired));
        if desired > 0 {
            let share = u64::from(available.min(desired)) * 1_000_000 / u64::from(desired);
            self.worst_ppm = Some(self.worst_ppm.map_or(share, |worst| worst.min(share)));
        }
    }

    fn close(&mut self, at: Time, ending: RolloutEnding) {
        self.ended = Some(at);
        self.ending = ending;
        self.stop_stall(at);
    }

    fn stop_stall(&mut self, at: Time) {
        if let Some(since) = self.stalled_since.take() {
            self.stalled += at.since(since);
        }
    }
}
