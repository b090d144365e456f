//! Rows of the control plane's tables.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::control::PodPhase;
use crate::control::balancer::Target;
use crate::control::slot_restart::SlotHistory;
use crate::control::taints::Ending;
use crate::fact::{Deletion, FactId, ZoneState};
use crate::ids::{NodeId, PodId, RevisionId, TemplateId, WorkloadId};
use crate::model::{NodeSpec, Taint, WorkloadSpec};
use crate::rng::Stream;
use crate::rollout::slots::SlotRollout;
use crate::time::{Span, Time};

/// A pod in the store.
#[derive(Clone, Debug)]
pub(super) struct PodRow {
    pub(super) template: TemplateId,
    pub(super) workload: WorkloadId,
    pub(super) revision: RevisionId,
    /// Where it is bound.
    pub(super) node: Option<NodeId>,
    /// Where the scheduler has put it, before and after the store agreed.
    pub(super) assumed: Option<NodeId>,
    pub(super) phase: PodPhase,
    /// Deletion was asked for, with this grace.
    pub(super) deleting: Option<Span>,
    /// Its node is silent and another replica takes its place: it does not count until it is back.
    pub(super) absent: bool,
    /// The object is gone.
    pub(super) gone: bool,
    pub(super) created: Time,
    /// Its containers may not start before this.
    pub(super) not_before: Time,
    /// Ready without a break since this; meaningful only in phase `Ready`.
    pub(super) ready_since: Time,
    /// Containers were restarted so often, as far as was reported.
    pub(super) restarts: u32,
    /// The newest fact about it, the cause of what follows.
    pub(super) last_fact: FactId,
    /// A deletion is on its way to the store.
    pub(super) delete_sent: bool,
    /// The node controller has overwritten what its agent last said of it.
    pub(super) overwritten: bool,
    /// Its number among the workload's replicas.
    pub(super) slot: u32,
    /// It ended well.
    pub(super) succeeded: bool,
    /// The only node that it may go to.
    pub(super) pinned: Option<NodeId>,
    /// When it was bound; meaningful once it is.
    pub(super) bound_at: Time,
    /// When it last became ready or ceased to be.
    pub(super) turned: Time,
    /// Lower is deleted first when replicas are too many.
    pub(super) deletion_cost: i32,
    /// It goes, for this reason, when another one is ready in its slot, and does not count any more.
    pub(super) leaving: Option<Deletion>,
    /// What a load balancer thinks of it.
    pub(super) target: Target,
    /// Its agent is not told of its deletion before this.
    pub(super) stops_at: Time,
    /// When it was first reported to run.
    pub(super) began: Time,
}

impl PodRow {
    /// Counts as a replica: exists, is not being deleted, has not ended, is not about to be replaced.
    pub(super) fn active(&self) -> bool {
        !self.gone
            && self.deleting.is_none()
            && self.phase != PodPhase::Finished
            && self.leaving.is_none()
            && !self.absent
    }

    /// What it contributes to its revision's counts.
    pub(super) fn tally(&self) -> Tally {
        let active = self.active();
        Tally {
            active: active.into(),
            ready: (active && self.phase == PodPhase::Ready).into(),
            terminating: (!self.gone && self.deleting.is_some()).into(),
        }
    }
}

/// A node as the control plane knows it.
#[derive(Clone, Debug)]
pub(super) struct NodeRow {
    pub(super) healthy: bool,
    pub(super) cordoned: bool,
    /// Marked with the taint of unhealthy nodes that refuses new pods, as the scheduler sees it.
    pub(super) closed: bool,
    /// Marked with the taint that evicts.
    pub(super) evicting: bool,
    /// Counts the eviction taints it lost, so that tolerations of an earlier one are void.
    pub(super) taint: u32,
    /// A new leader has not heard it yet.
    pub(super) unknown: bool,
    /// A new leader takes it for lost until it has registered again.
    pub(super) away: bool,
    /// It reported at least once.
    pub(super) heard: bool,
    pub(super) last_heard: Time,
    /// When the heartbeat after that was due, as was agreed with it; meaningful while it is silent.
    pub(super) next_due: Time,
    /// Changes whenever it is heard after a silence or falls silent, so that older alarms are void.
    pub(super) stamp: u32,
    /// The fact that explains its silence or its return.
    pub(super) cause: FactId,
    /// The fact that says it is unhealthy.
    pub(super) unhealthy_fact: FactId,
    /// The fact that says that the object is gone; none while it exists.
    pub(super) removed: FactId,
    /// The cluster has no such node: its object is gone, or was never there.
    absent: bool,
    /// It has just joined and its agent has not reported it ready, so that it is marked as not ready.
    pub(super) joining: bool,
    /// When its agent reports it ready after it joined.
    pub(super) ready_at: Time,
    /// The newest fact about whether it takes pods.
    pub(super) news: FactId,
    /// Heartbeats arrive in time until further notice.
    pub(super) steady: bool,
    /// Pods bound to it that are not gone, in the order of binding.
    pub(super) pods: Vec<PodId>,
    /// Taints that people set.
    pub(super) taints: Vec<Taint>,
    /// Pods that must go because of them.
    pub(super) ending: Ending,
    /// Where nodes are polled.
    pub(super) polling: Option<Box<super::polls::Polling>>,
    /// What its agent says it runs short of, and what it is marked with for that, in the order of [`Pressure`].
    pub(super) short: [bool; 3],
    pub(super) pressed: [bool; 3],
}

impl NodeRow {
    pub(super) fn new(spec: &NodeSpec) -> Self {
        Self {
            healthy: true,
            cordoned: spec.unschedulable,
            closed: false,
            evicting: false,
            taint: 0,
            unknown: false,
            away: false,
            heard: false,
            last_heard: Time::ZERO,
            next_due: Time::ZERO,
            stamp: 0,
            cause: FactId::NONE,
            unhealthy_fact: FactId::NONE,
            removed: FactId::NONE,
            absent: !spec.at_start,
            joining: false,
            ready_at: Time::ZERO,
            news: FactId::NONE,
            steady: false,
            pods: Vec::new(),
            taints: spec.taints.clone(),
            ending: Ending::default(),
            polling: None,
            short: [false; 3],
            pressed: [false; 3],
        }
    }

    /// Whether the cluster has such a node.
    pub(super) fn exists(&self) -> bool {
        !self.absent
    }

    /// The object is gone and everything that was noted on it. Tolerations that run out go on: nothing takes them back.
    /// Source: kubernetes/kubernetes:pkg/controller/tainteviction/taint_eviction.go, `handleNodeUpdate`.
    pub(super) fn remove(&mut self, fact: FactId) {
        (self.healthy, self.cordoned, self.closed, self.evicting) = (true, false, false, false);
        self.stamp = self.stamp.wrapping_add(1);
        (self.cause, self.unhealthy_fact, self.removed, self.news) = (FactId::NONE, fact, fact, fact);
        (self.absent, self.joining) = (true, false);
    }

    /// A new object of the same name: without taints, so that tolerations of the old one's are void.
    pub(super) fn come_back(&mut self) {
        self.stamp = self.stamp.wrapping_add(1);
        self.taint += 1;
        (self.unhealthy_fact, self.removed, self.absent) = (FactId::NONE, FactId::NONE, false);
    }
}

/// A failure domain and its eviction limiter.
#[derive(Clone, Debug)]
pub(super) struct ZoneRow {
    pub(super) nodes: u32,
    pub(super) unhealthy: u32,
    pub(super) state: ZoneState,
    /// Nodes that wait for their taint, with the stamp they had and the cause.
    pub(super) queue: VecDeque<(NodeId, u32, FactId)>,
    /// The next taint may be set at this time, at the present rate.
    pub(super) token_at: Time,
    /// Nodes per 1,000 s; 0: none.
    pub(super) rate: u32,
    /// An alarm is set for this time.
    pub(super) armed_at: Option<Time>,
}

impl ZoneRow {
    pub(super) fn new() -> Self {
        Self {
            nodes: 0,
            unhealthy: 0,
            state: ZoneState::Normal,
            queue: VecDeque::new(),
            token_at: Time::ZERO,
            rate: u32::MAX,
            armed_at: None,
        }
    }
}

/// A version of a workload and the controller that keeps its number.
#[derive(Clone, Debug)]
pub(super) struct RevisionRow {
    pub(super) workload: WorkloadId,
    pub(super) template: TemplateId,
    /// Rises with each rollout; undo gives an old revision a new number.
    pub(super) number: u32,
    /// When the object was created; the age order of rollouts.
    pub(super) wanted: u32,
    /// Pods that are not gone, in order of creation.
    pub(super) pods: Vec<PodId>,
    /// Facts of lost replicas whose replacement is still to be created, with the earliest start of the replacement.
    pub(super) losses: VecDeque<Loss>,
    /// The fact that set `wanted`.
    pub(super) wanted_fact: FactId,
    /// Creations that are on their way to the store.
    pub(super) creating: u32,
    /// Creations still to be sent in this pass.
    pub(super) to_create: u32,
    /// Size of the next batch of creations.
    pub(super) batch: u32,
    /// Deletions that are on their way to the store.
    pub(super) deleting: u32,
    /// A look is already planned.
    pub(super) sync_planned: bool,
    /// A new `wanted` is on its way to the store.
    pub(super) scaling: bool,
    /// Sums over `pods`, kept up to date.
    pub(super) tally: Tally,
    /// Replicas that are wanted but not made yet, because others ended too often.
    pub(super) held: u32,
}

impl RevisionRow {
    /// A version of a workload (template and number) without replicas.
    pub(super) fn new(workload: WorkloadId, (template, number): (TemplateId, u32), cause: FactId) -> Self {
        Self {
            workload,
            template,
            number,
            wanted: 0,
            pods: Vec::new(),
            losses: VecDeque::new(),
            wanted_fact: cause,
            creating: 0,
            to_create: 0,
            batch: 1,
            deleting: 0,
            sync_planned: false,
            scaling: false,
            tally: Tally::default(),
            held: 0,
        }
    }
}

/// A lost replica that is still to be replaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    /// The fact that says so.
    pub(super) fact: FactId,
    /// Its replacement may not start before this.
    pub(super) not_before: Time,
    /// Its replacement takes this slot.
    pub(super) slot: u32,
}

/// "The next free slot."
pub(super) const ANY_SLOT: u32 = u32::MAX;

/// An update by slots.
#[derive(Clone, Debug)]
pub(super) struct SlotUpdateRow {
    pub(super) rollout: SlotRollout,
    pub(super) luck: Stream,
    pub(super) target: RevisionId,
    pub(super) former: RevisionId,
    /// Slots whose new replica is on its way to the store.
    pub(super) creating: BTreeSet<u32>,
    /// Of these: may start as soon as they exist.
    pub(super) start_when_created: BTreeSet<u32>,
    /// A look is planned for this time.
    pub(super) wake_at: Option<Time>,
}

/// What pods contribute to their revision's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) active: u32,
    pub(super) ready: u32,
    pub(super) terminating: u32,
}

/// A workload and its rollout.
#[derive(Clone, Debug)]
pub(super) struct WorkloadRow {
    pub(super) exists: bool,
    pub(super) desired: u32,
    /// All revisions, oldest first.
    pub(super) revisions: Vec<RevisionId>,
    /// The one wanted.
    pub(super) current: Option<RevisionId>,
    pub(super) paused: bool,
    pub(super) rollout: Option<RolloutRow>,
    pub(super) sync_planned: bool,
    /// Scale that the running rollout's revisions were last set for.
    pub(super) scaled_for: u32,
    /// The running or last update by slots.
    pub(super) slots: Option<SlotUpdateRow>,
    /// Number of the newest slot.
    pub(super) next_slot: u32,
    /// Replacements of each slot since the last deploy, where attempts are bounded.
    pub(super) restarts: BTreeMap<u32, SlotHistory>,
    /// Tasks that are stopping, with their slot and the earliest start of what replaces them.
    pub(super) stopping: BTreeMap<PodId, (u32, Time)>,
    /// Slots whose replacement was on its way to the store when it was released, and when it may start.
    pub(super) released: BTreeMap<u32, Time>,
    /// Slots that have used up their attempts.
    pub(super) given_up: u32,
    /// Newest fact that asked for something.
    pub(super) cause: FactId,
    /// Template of a cron job's next runs, where it was changed.
    pub(super) template: Option<TemplateId>,
}

/// A rollout that is under way.
#[derive(Clone, Debug)]
pub(super) struct RolloutRow {
    pub(super) revision: RevisionId,
    pub(super) fact: FactId,
    /// Counts at the last progress: updated, old, available.
    pub(super) counts: (u32, u32, u32),
    pub(super) progress_at: Time,
    pub(super) stalled: bool,
    /// The new revision has not been given its first replicas.
    pub(super) fresh: bool,
    /// New replicas that failed; `None` where they do not count.
    pub(super) failures: Option<u32>,
    /// Too many failed: nothing moves any more.
    pub(super) tripped: bool,
    /// Its deployer makes no step before this.
    pub(super) next_step: Time,
}

impl WorkloadRow {
    pub(super) fn new(spec: &WorkloadSpec) -> Self {
        Self {
            exists: false,
            desired: spec.replicas,
            revisions: Vec::new(),
            current: None,
            paused: spec.paused,
            rollout: None,
            sync_planned: false,
            scaled_for: spec.replicas,
            slots: None,
            next_slot: 0,
            restarts: BTreeMap::new(),
            stopping: BTreeMap::new(),
            released: BTreeMap::new(),
            given_up: 0,
            cause: FactId::NONE,
            template: None,
        }
    }
}
