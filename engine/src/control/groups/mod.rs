//! Groups of numbered replicas under one reconciler (Nomad's task groups): placed, moved and updated plan by plan.
//!
//! Something asks for a look (an evaluation), a worker has it some time later, and one look leads to one plan: replicas
//! to create, and old ones that stop at the moment when their successor has its node. The decision is pure and in
//! [`crate::rollout::deployment`]; this module counts, asks and writes.
//!
//! - `plan`: the look itself · `deployment`: who watches an update · `health`: when a replica counts as healthy
//! - `lives`: what becomes of replicas that are lost, fail or end · `drain`: leaving nodes · `unknown`: silent nodes
//!
//! Source: hashicorp/nomad:scheduler/generic_sched.go and reconcile.go. Start at [`Control::evaluate`].

mod deployment;
mod drain;
mod health;
mod lives;
mod plan;
mod unknown;

use std::collections::BTreeMap;

use crate::control::{Alarm, Control, Cx};
use crate::fact::FactId;
use crate::ids::{NodeId, PodId, RevisionId, WorkloadId};
use crate::model::{Details, WorkloadKind};
use crate::profile::{GroupPolicy, Rollout};
use crate::rng::Purpose;
use crate::rollout::deployment::{Stage, Why};
use crate::rollout::reschedule::Attempt;
use crate::time::{Span, Time};

/// Everything that is kept of groups. Empty, and asked nothing, where the profile has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    of: BTreeMap<WorkloadId, GroupRow>,
    /// Replicas that are not gone.
    replicas: BTreeMap<PodId, Replica>,
    drains: BTreeMap<NodeId, drain::Draining>,
    /// The drainer is going to look.
    drainer_planned: bool,
}

/// A group.
#[derive(Clone, Debug, Default)]
struct GroupRow {
    deployment: Option<Deployment>,
    /// Deployments so far.
    deployments: u32,
    /// The newest version whose deployment succeeded.
    stable: Option<RevisionId>,
    /// Numbers whose replica is gone and not replaced.
    vacant: BTreeMap<u32, Vacant>,
    /// What is known of replicas whose creation is on its way, by number.
    coming: BTreeMap<u32, Replica>,
    /// Numbers that have ended well, of a group that runs to completion.
    done: BTreeMap<u32, RevisionId>,
    /// Looks so far.
    evaluations: u32,
    /// A look was asked for while creations were on their way.
    again: Option<FactId>,
    /// Whoever watches the deployment is going to ask for a look.
    watched: bool,
    /// Its end is known.
    ended: bool,
}

/// An update under way, or the last one.
#[derive(Clone, Debug)]
struct Deployment {
    number: u32,
    revision: RevisionId,
    stage: Stage,
    promoted: bool,
    /// It fails at this time unless a replica becomes healthy before.
    deadline: Option<Time>,
    fact: FactId,
}

/// What a group knows of one of its replicas.
#[derive(Clone, Debug, Default)]
struct Replica {
    chain: Chain,
    /// Stopped when this one has its node.
    replaces: Option<PodId>,
    /// Its successor is being placed, or has its place.
    superseded: bool,
    canary: bool,
    /// Number of the deployment that it was placed by; 0: none.
    deployment: u32,
    health: Option<bool>,
    /// Changes whenever what was planned about its health is void.
    stamp: u32,
    /// To be moved off its node.
    migrate: bool,
    /// Its node is silent, and it is not given up yet.
    unknown: bool,
}

/// What a replica inherits from the failed ones before it.
#[derive(Clone, Debug, Default)]
struct Chain {
    /// Where they were.
    nodes: Vec<NodeId>,
    attempts: Vec<Attempt>,
}

/// A number without a replica.
#[derive(Clone, Debug)]
struct Vacant {
    revision: RevisionId,
    deployment: u32,
    canary: bool,
    why: Why,
    fact: FactId,
    chain: Chain,
    /// It may be placed anew then.
    due: Option<(Time, Span)>,
    /// Whoever watches the deployment has not allowed that yet: when it failed.
    held: Option<Time>,
}

/// Something that happens to a group later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GroupAlarm {
    /// A replica has run for long enough, unless something happened to it since (stamp).
    Healthy { pod: PodId, stamp: u32 },
    /// A replica should be healthy by now.
    Unhealthy { pod: PodId },
    /// A deployment should have made progress by now.
    Progress { workload: WorkloadId, number: u32 },
    /// Whoever watches a deployment asks for a look.
    Watched(WorkloadId),
    /// A number may be placed anew.
    Due { workload: WorkloadId, slot: u32 },
    /// The drainer looks around.
    Drainer,
    /// A drain is over.
    DrainOver { node: NodeId, stamp: u32 },
    /// A replica on a silent node is given up.
    GivenUp { pod: PodId, stamp: u32 },
}

impl Control {
    /// How groups are treated; `None` where the profile has none.
    fn group_policy(&self) -> Option<&GroupPolicy> {
        if let Rollout::Groups(policy) = &self.profile.rollout { Some(policy) } else { None }
    }

    /// Whether a workload is a group.
    pub(super) fn is_group(&self, workload: WorkloadId) -> bool {
        let kind = self.catalog.workloads[workload].kind;
        matches!(kind, WorkloadKind::Deployment | WorkloadKind::Job) && self.group_policy().is_some()
    }

    /// Whether a group runs to completion.
    fn is_batch(&self, workload: WorkloadId) -> bool {
        self.catalog.workloads[workload].kind == WorkloadKind::Job
    }

    /// How many replicas a group wants.
    fn group_count(&self, workload: WorkloadId) -> u32 {
        match &self.catalog.workloads[workload].details {
            Details::Job(job) if self.is_batch(workload) => job.completions.unwrap_or(job.parallelism),
            _ => self.workloads[workload].desired,
        }
    }

    /// Something asks for a look at a group. One that is waited for already sees it, too.
    pub(super) fn evaluate(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, cause: FactId) {
        if !self.is_group(workload) {
            return;
        }
        let wait = self.evaluation_wait(workload);
        self.look_after(cx, (workload, wait), cause);
    }

    /// An evaluation that was kept for later is due: every server has had it for long, so that no worker waits.
    /// Measured on 1.1.2: placed anew 30.06, 60.06 and 120.06 s after the end, start of the task included.
    fn evaluate_kept(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, cause: FactId) {
        let Some(wait) = self.group_policy().map(|policy| policy.evaluation) else { return };
        self.groups.of.entry(workload).or_default().evaluations += 1;
        self.look_after(cx, (workload, wait.usual.0), cause);
    }

    fn look_after(&mut self, cx: &mut Cx<'_>, (workload, wait): (WorkloadId, Span), cause: FactId) {
        let row = &mut self.workloads[workload];
        if !row.sync_planned {
            row.sync_planned = true;
            cx.timers.set(cx.now + wait, cause, Alarm::SyncWorkload(workload));
        }
    }

    /// From an evaluation until a worker has decided it. A worker of a server that is behind waits in steps.
    /// Measured on 1.1.2: 69 % of 661 took less than 0.1 s, 15 % 0.3-0.5 s.
    fn evaluation_wait(&mut self, workload: WorkloadId) -> Span {
        let Some(wait) = self.group_policy().map(|policy| policy.evaluation) else { return Span::ZERO };
        let row = self.groups.of.entry(workload).or_default();
        row.evaluations += 1;
        let mut luck = self.streams.stream(Purpose::Evaluation, workload.0 ^ row.evaluations << 16);
        let (low, high) = if luck.chance(wait.behind_permille) { wait.behind } else { wait.usual };
        luck.span(low, high)
    }

    /// Something that was planned about a group is due.
    pub(super) fn group_due(&mut self, cx: &mut Cx<'_>, cause: FactId, alarm: GroupAlarm) {
        match alarm {
            GroupAlarm::Healthy { pod, stamp } => self.replica_healthy(cx, cause, (pod, stamp)),
            GroupAlarm::Unhealthy { pod } => self.replica_late(cx, cause, pod),
            GroupAlarm::Progress { workload, number } => self.progress_due(cx, workload, number),
            GroupAlarm::Watched(workload) => self.watcher_asks(cx, cause, workload),
            GroupAlarm::Due { workload, slot } => self.vacancy_due(cx, cause, (workload, slot)),
            GroupAlarm::Drainer => self.drainer_looks(cx, cause),
            GroupAlarm::DrainOver { node, stamp } => self.drain_over(cx, cause, (node, stamp)),
            GroupAlarm::GivenUp { pod, stamp } => self.unknown_over(cx, cause, (pod, stamp)),
        }
    }

    /// A group begins its life.
    pub(super) fn group_applied(&mut self, workload: WorkloadId) {
        if self.is_group(workload) {
            let evaluations = self.groups.of.remove(&workload).map_or(0, |row| row.evaluations);
            self.groups.of.insert(workload, GroupRow { evaluations, ..GroupRow::default() });
        }
    }

    /// Whether something of a group is under way.
    pub(super) fn group_works(&self, workload: WorkloadId) -> bool {
        let Some(row) = self.groups.of.get(&workload) else { return false };
        let going = row.deployment.as_ref().is_some_and(|d| d.stage == Stage::Running);
        going || !row.coming.is_empty() || row.vacant.values().any(|v| v.due.is_some() || v.held.is_some())
    }
}
