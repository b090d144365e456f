//! Jobs are evaluated in parallel, and one applier has the last word: Nomad's evaluation broker, workers and plans.
//!
//! Whatever makes replicas of a job wait creates an evaluation of the job. Of each job one is in work; a worker takes the
//! most important one, plans all waiting replicas on the state as it is (its snapshot), and submits the plan. Plans are
//! applied one after the other: a node whose part does not fit any more is refused, and the rest is planned again. What
//! finds no place is blocked until a node of a class that could take it has room again. It does not choose nodes: that is
//! `scheduler/nomad`. Start at [`Control::evaluate_for`].
//!
//! Source: hashicorp/nomad:nomad/eval_broker.go, worker.go, plan_apply.go, blocked_evals.go, scheduler/generic_sched.go.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, Deletion, FactId};
use crate::ids::{NodeId, PodId, WorkloadId};
use crate::model::WorkloadKind;
use crate::profile::{Dispatch, Evaluations};
use crate::rng::Stream;
use crate::scheduler::{Outcome, Refusal};
use crate::time::{Span, Time};

/// The broker's queue, what workers do, and what is blocked.
#[derive(Clone, Debug)]
pub(super) struct Broker {
    jobs: BTreeMap<WorkloadId, Job>,
    /// Jobs that wait for a worker: highest priority, then first come.
    ready: BTreeSet<(Reverse<i32>, u64, WorkloadId)>,
    created: u64,
    busy: u32,
    /// The applier is done with its last plan.
    applied_at: Time,
    luck: Stream,
}

/// What is known of a job's evaluations.
#[derive(Clone, Debug, Default)]
struct Job {
    /// Replicas without a place.
    waiting: BTreeSet<PodId>,
    stage: Stage,
    /// Something changed since the evaluation in work was created: another one follows it.
    again: bool,
    /// Attempts of the evaluation in work without progress.
    attempts: u32,
    plan: Vec<Planned>,
    /// Its waiting replicas come from an evaluation that has waited for its worker.
    waited: bool,
}

/// What is made in one evaluation is planned together, though it is written one after the other here.
const PLANNED_TOGETHER: Span = Span::from_millis(2);

/// Where a job's evaluation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is none.
    #[default]
    Idle,
    /// It waits for a worker.
    Ready,
    /// A worker has it.
    InWork,
    /// Some replicas found no place.
    Blocked,
}

/// A replica and the node that it is planned for.
#[derive(Clone, Debug)]
struct Planned {
    pod: PodId,
    node: NodeId,
    victims: Vec<PodId>,
}

impl Broker {
    pub(super) fn new(luck: Stream) -> Self {
        Self { jobs: BTreeMap::new(), ready: BTreeSet::new(), created: 0, busy: 0, applied_at: Time::ZERO, luck }
    }

    /// How long an evaluation waits until a worker plans. Two waits are a third as likely as one.
    fn latency(&mut self, policy: &Evaluations) -> Span {
        let near = self.luck.span(policy.dequeue, policy.dequeue_max);
        if !self.luck.chance(policy.behind) {
            return near;
        }
        near + policy.behind_wait.times(if self.luck.chance(333) { 2 } else { 1 })
    }
}

impl Control {
    /// The policy, where jobs are evaluated.
    pub(super) fn evaluation_policy(&self) -> Option<Evaluations> {
        match self.profile.dispatch {
            Dispatch::Evaluations(policy) => Some(policy),
            _ => None,
        }
    }

    /// A replica waits for a place: its job is evaluated.
    pub(super) fn evaluate_for(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let workload = self.pods[pod].workload;
        // The controller of groups has waited for its worker already: the plan that made the replica places it, too.
        let waited = self.is_group(workload);
        let job = self.scheduling.broker.jobs.entry(workload).or_default();
        job.waited |= waited && job.stage == Stage::Idle;
        job.waiting.insert(pod);
        self.create_evaluation(cx, workload);
    }

    fn create_evaluation(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let broker = &mut self.scheduling.broker;
        let Some(job) = broker.jobs.get_mut(&workload) else { return };
        match job.stage {
            Stage::InWork => job.again = true,
            Stage::Ready => {}
            Stage::Idle | Stage::Blocked => {
                let Some(&first) = job.waiting.first() else { return };
                (job.stage, job.attempts) = (Stage::Ready, 0);
                let priority = self.catalog.templates[self.pods[first].template].priority;
                broker.created += 1;
                broker.ready.insert((Reverse(priority), broker.created, workload));
            }
        }
        self.employ_workers(cx);
    }

    /// Free workers take what is ready.
    fn employ_workers(&mut self, cx: &mut Cx<'_>) {
        let Some(policy) = self.evaluation_policy() else { return };
        let broker = &mut self.scheduling.broker;
        while broker.busy < policy.workers
            && let Some((.., workload)) = broker.ready.pop_first()
        {
            broker.busy += 1;
            let latency = broker.latency(&policy);
            let job = broker.jobs.get_mut(&workload).expect("what is ready is a known job");
            let wait = if std::mem::take(&mut job.waited) { PLANNED_TOGETHER } else { latency };
            job.stage = Stage::InWork;
            cx.timers.set(cx.now + wait, FactId::NONE, Alarm::Evaluate(workload));
        }
    }

    /// A worker plans all waiting replicas of a job on the state as it is, and submits the plan.
    pub(super) fn plan_job(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(job) = self.scheduling.broker.jobs.get_mut(&workload) else { return };
        job.again = false;
        let mut waiting: Vec<PodId> = job.waiting.iter().copied().collect();
        waiting.retain(|&pod| self.still_waits(pod));
        waiting.sort_by_key(|&pod| (self.pods[pod].slot, pod));
        let wanted = self.workloads[workload].desired;
        if !matches!(self.catalog.workloads[workload].kind, WorkloadKind::Job | WorkloadKind::CronJob) {
            self.scheduling.scheduler.set_count(workload, wanted);
        }
        let (plan, refused) = self.plan_on_snapshot(&waiting);
        for (pod, refusal) in &refused {
            self.tell_refusal(cx, *pod, refusal);
        }
        let cost = self.profile.placement.decision_cost.times(waiting.len() as u64);
        let broker = &mut self.scheduling.broker;
        broker.applied_at = broker.applied_at.max(cx.now + cost) + self.profile.control.store_write;
        let job = broker.jobs.get_mut(&workload).expect("it was there above");
        job.waiting = waiting.into_iter().collect();
        job.plan = plan;
        cx.timers.set(broker.applied_at, FactId::NONE, Alarm::ApplyPlan(workload));
    }

    /// Looks for places as if nothing else happened, and leaves no trace. After the first replica without a place those
    /// that are like it are not tried any more.
    ///
    /// Source: generic_sched.go, `computePlacements` (`CoalescedFailures`).
    fn plan_on_snapshot(&mut self, waiting: &[PodId]) -> (Vec<Planned>, Vec<(PodId, Refusal)>) {
        let (mut plan, mut refused) = (Vec::<Planned>::new(), Vec::<(PodId, Refusal)>::new());
        let Some(&first) = waiting.first() else { return (plan, refused) };
        let request = self.request(first);
        self.scheduling.scheduler.begin(&request);
        for &pod in waiting {
            let request = self.request(pod);
            let alike = |other: &(PodId, Refusal)| self.pods[other.0].template == self.pods[pod].template;
            if request.only.is_none()
                && let Some(failed) = refused.iter().find(|other| alike(other))
            {
                let refusal = failed.1.clone();
                refused.push((pod, refusal));
                continue;
            }
            match self.scheduling.scheduler.place(&request) {
                Outcome::Placed { node, .. } => {
                    let looks = self.scheduling.scheduler.looks();
                    let victims = looks.chosen.map(|best| looks.candidates[best].victims.clone()).unwrap_or_default();
                    victims.iter().for_each(|&victim| self.scheduling.scheduler.give_up(victim));
                    self.scheduling.scheduler.charge(&request, node);
                    plan.push(Planned { pod, node, victims });
                }
                Outcome::Refused(refusal) => refused.push((pod, refusal)),
            }
        }
        self.scheduling.scheduler.finish();
        for planned in plan.iter().rev() {
            let request = self.request(planned.pod);
            self.scheduling.scheduler.release(&request, planned.node);
            planned.victims.iter().for_each(|&victim| self.scheduling.scheduler.take_back(victim));
        }
        (plan, refused)
    }

    fn still_waits(&self, pod: PodId) -> bool {
        let row = &self.pods[pod];
        !row.gone && row.deleting.is_none() && row.assumed.is_none()
    }

    /// The leader applies a plan, node by node, as far as it still fits.
    pub(super) fn apply_plan(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(policy) = self.evaluation_policy() else { return };
        let Some(job) = self.scheduling.broker.jobs.get_mut(&workload) else { return };
        let mut by_node: BTreeMap<NodeId, Vec<Planned>> = BTreeMap::new();
        for planned in std::mem::take(&mut job.plan) {
            by_node.entry(planned.node).or_default().push(planned);
        }
        let (mut placed, mut rejected) = (0u32, 0u32);
        for part in by_node.into_values() {
            let live: Vec<Planned> = part.into_iter().filter(|planned| self.still_waits(planned.pod)).collect();
            let number = live.len() as u32;
            if self.apply_part(cx, live) { placed += number } else { rejected += number }
        }
        let limit = match self.catalog.workloads[workload].kind {
            WorkloadKind::Job | WorkloadKind::CronJob => policy.batch_attempts,
            _ => policy.service_attempts,
        };
        let broker = &mut self.scheduling.broker;
        let job = broker.jobs.get_mut(&workload).expect("it was there above");
        job.attempts = if placed > 0 { 0 } else { job.attempts + 1 };
        if rejected > 0 && job.attempts < limit {
            // The same worker tries again on a fresh state.
            let wait = broker.luck.span(policy.dequeue, policy.dequeue_max);
            cx.timers.set(cx.now + wait, FactId::NONE, Alarm::Evaluate(workload));
            return;
        }
        job.stage = if job.waiting.is_empty() { Stage::Idle } else { Stage::Blocked };
        let again = job.again;
        if job.stage == Stage::Idle && !again {
            broker.jobs.remove(&workload);
        }
        broker.busy -= 1;
        if again {
            self.create_evaluation(cx, workload);
        }
        self.employ_workers(cx);
    }

    /// Applies what is planned for one node, or nothing of it.
    ///
    /// Source: plan_apply.go, `evaluateNodePlan`.
    fn apply_part(&mut self, cx: &mut Cx<'_>, part: Vec<Planned>) -> bool {
        let victims: Vec<PodId> = part.iter().flat_map(|planned| planned.victims.iter().copied()).collect();
        victims.iter().for_each(|&victim| self.scheduling.scheduler.give_up(victim));
        let mut taken = Vec::new();
        for planned in &part {
            let request = self.request(planned.pod);
            if !self.scheduling.scheduler.admits(&request, planned.node) {
                break;
            }
            self.scheduling.scheduler.charge(&request, planned.node);
            taken.push((request, planned.node));
        }
        let fits = taken.len() == part.len();
        for (request, node) in taken.into_iter().rev() {
            self.scheduling.scheduler.release(&request, node);
        }
        if !fits {
            victims.iter().for_each(|&victim| self.scheduling.scheduler.take_back(victim));
            return false;
        }
        for victim in victims {
            let by = (Client::Scheduler, self.pods[part[0].pod].last_fact);
            if self.pods[victim].deleting.is_none() && !self.pods[victim].delete_sent {
                self.write_at(cx, cx.now, by, Write::DeletePod { pod: victim, why: Deletion::Preempted, grace: None });
            }
        }
        for Planned { pod, node, .. } in part {
            self.leaves_broker(pod);
            self.scheduling.refused.remove(&pod);
            self.scheduling.free_at = cx.now;
            self.take_place(pod, node);
            self.bind(cx, pod, node);
        }
        true
    }

    /// A replica waits no more.
    pub(super) fn leaves_broker(&mut self, pod: PodId) {
        if let Some(job) = self.scheduling.broker.jobs.get_mut(&self.pods[pod].workload) {
            job.waiting.remove(&pod);
        }
    }

    /// A node has more room, or opened: blocked evaluations are created anew whose constraints its class meets.
    ///
    /// Source: blocked_evals.go, `Unblock`.
    pub(super) fn unblock(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let jobs = &self.scheduling.broker.jobs;
        let blocked = jobs.iter().filter(|(_, job)| matches!(job.stage, Stage::Blocked | Stage::InWork));
        let first = blocked.filter_map(|(&workload, job)| Some((workload, *job.waiting.first()?)));
        let asked: Vec<(WorkloadId, PodId)> = first.collect();
        for (workload, pod) in asked {
            let request = self.request(pod);
            if self.scheduling.scheduler.class_may_take(&request, node) {
                self.create_evaluation(cx, workload);
            }
        }
    }

    /// Something else changed: all blocked evaluations are created anew.
    pub(super) fn unblock_all(&mut self, cx: &mut Cx<'_>) {
        let jobs = &self.scheduling.broker.jobs;
        let blocked: Vec<WorkloadId> =
            jobs.iter().filter(|(_, job)| job.stage == Stage::Blocked).map(|(&workload, _)| workload).collect();
        blocked.into_iter().for_each(|workload| self.create_evaluation(cx, workload));
    }
}
