//! Jobs: runs to completion, each a revision of its workload.
//!
//! The decisions are in [`crate::rollout::job`]; here they are asked for, written and told. The controller keeps the
//! habits of the original's work queue: news about a pod or about its own status are looked at a second later, all at
//! once, and nothing of a run is looked at while a former look is still writing. A finished run costs nothing.
//!
//! - `ends`: what becomes of a run's pods · `status`: counts and conditions in the store · `suspend`: hold and go on
//!
//! Source: kubernetes/kubernetes:pkg/controller/job/job_controller.go. Start at [`Control::sync_job`].

mod ends;
mod status;
mod suspend;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::control::tables::RevisionRow;
use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::model::{Details, JobSpec, RestartPolicy, WorkloadKind};
use crate::rollout::job::{Act, Book, Ended, Run, Seen, Waits, replaces_only_failed};
use crate::time::{Span, Time};

pub(crate) use status::StatusStep;

/// News are looked at after so long, all that came meanwhile at once.
/// Source: kubernetes/kubernetes:pkg/controller/job/job_controller.go, `SyncJobBatchPeriod`.
const BATCH: Span = Span::from_secs(1);

/// A run that has not ended.
#[derive(Clone, Debug)]
pub(super) struct JobRow {
    workload: WorkloadId,
    run: Run,
    /// Pods that ended and are not booked.
    fresh: Vec<Ended>,
    /// Pods that are on their way out, and how they will be booked.
    leaving: BTreeMap<PodId, Leaving>,
    /// What its status says: active, ready, terminating.
    told: (u32, u32, u32),
    /// The next look.
    due: Option<Time>,
    /// A look is still writing.
    busy: bool,
    /// Something asked for a look meanwhile.
    again: bool,
    /// Status updates that the API server refused in a row.
    refused: u32,
    /// Pods still to be created in this pass, and the size of the next batch.
    to_create: VecDeque<u32>,
    batch: usize,
    /// What this pass books.
    pass: Option<Pass>,
    /// It was held.
    suspended: bool,
    /// The newest fact that asked for something.
    cause: FactId,
}

/// How a pod that is being deleted will be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// It is booked, or never will be.
    Booked,
    /// As a failure when it has ended; whether it was taken away.
    Later { disrupted: bool },
}

/// What a look has yet to write.
#[derive(Clone, Debug)]
struct Pass {
    next: Book,
    /// How many of `fresh` are booked by it.
    booked: usize,
    /// Pods that are given up with the run.
    given_up: u32,
    /// Active, ready and terminating pods, as the status will say.
    tell: (u32, u32, u32),
}

impl Control {
    /// Whether a workload runs to completion.
    pub(super) fn is_job(&self, workload: WorkloadId) -> bool {
        matches!(self.catalog.workloads[workload].kind, WorkloadKind::Job | WorkloadKind::CronJob)
            && !self.is_group(workload)
    }

    fn job_spec(&self, workload: WorkloadId) -> &JobSpec {
        match &self.catalog.workloads[workload].details {
            Details::Job(job) => job,
            Details::Cron(cron) => &cron.job,
            other => panic!("a job is declared with its own details, and not with {other:?}"),
        }
    }

    /// A run begins: of a job as soon as it exists, of a cron job each time.
    pub(super) fn begin_run(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let suspended = self.workloads[workload].paused || self.job_spec(workload).suspend;
        let revision = self.new_revision(cx, cause, workload);
        let row = JobRow {
            workload,
            run: Run { waits: self.job_waits(), ..Run::default() },
            fresh: Vec::new(),
            leaving: BTreeMap::new(),
            told: (0, 0, 0),
            due: None,
            busy: false,
            again: false,
            refused: 0,
            to_create: VecDeque::new(),
            batch: 1,
            pass: None,
            suspended,
            cause,
        };
        self.workloads[workload].current = Some(revision);
        self.workloads[workload].paused = suspended;
        self.jobs.insert(revision, row);
        self.look_at_job(cx, revision, self.profile.control.watch_lag);
    }

    /// How long a run waits after failures.
    fn job_waits(&self) -> Waits {
        self.offer_policy().map_or_else(Waits::default, |policy| Waits { first: policy.retry, longest: policy.retry })
    }

    fn new_revision(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) -> RevisionId {
        let template = self.workloads[workload].template.unwrap_or(self.catalog.workloads[workload].template);
        let known = &self.workloads[workload].revisions;
        let number = known.last().map_or(0, |&r| self.revisions[r].number) + 1;
        let revision = self.revisions.push(RevisionRow::new(workload, (template, number), cause));
        cx.facts.record(cx.now, cause, FactKind::RevisionCreated { workload, revision });
        self.workloads[workload].revisions.push(revision);
        revision
    }

    /// Plans a look at a run, unless an earlier one is planned.
    fn look_at_job(&mut self, cx: &mut Cx<'_>, revision: RevisionId, after: Span) {
        let Some(row) = self.jobs.get_mut(&revision) else { return };
        let at = cx.now + after;
        if row.due.is_none_or(|due| at < due) {
            row.due = Some(at);
            cx.timers.set(at, row.cause, Alarm::SyncJob(revision));
        }
    }

    /// Something about a run has changed in the store.
    fn job_news(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let after = self.profile.control.watch_lag + BATCH;
        self.look_at_job(cx, revision, after);
    }

    /// Looks at a run: books what ended, creates or deletes pods, and writes what came of it.
    pub(super) fn sync_job(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let Some(row) = self.jobs.get_mut(&revision).filter(|row| row.due.is_some_and(|due| due <= cx.now)) else {
            return;
        };
        row.due = None;
        if row.busy {
            row.again = true;
            return;
        }
        let seen = self.seen_of(revision);
        let row = &self.jobs[&revision];
        let spec = self.job_spec(row.workload);
        let review = row.run.review(spec, &seen, &row.fresh, cx.now);
        if let Some(again) = review.again {
            self.look_at_job(cx, revision, again.max(BATCH));
        }
        // While it waits for a back-off the controller claims that no pod is active, and the API server refuses a
        // status with more ready pods than active ones: nothing is booked, and it tries again. Recorded on 1.36.2: a
        // failure among running pods is booked together with a later success, and then costs no back-off.
        // Source: kubernetes/kubernetes:pkg/controller/job/job_controller.go, `manageJob` (its return value);
        // pkg/apis/batch/validation/validation.go, `RejectMoreReadyThanActivePods`.
        if review.claims_idle && seen.ready > 0 {
            return self.status_refused(cx, revision);
        }
        self.act_on_job(cx, revision, (&seen, review));
    }

    fn act_on_job(
        &mut self,
        cx: &mut Cx<'_>,
        revision: RevisionId,
        (seen, review): (&Seen, crate::rollout::job::Review),
    ) {
        let row = self.jobs.get_mut(&revision).expect("the caller has just looked at it");
        row.refused = 0;
        row.busy = true;
        let failing = matches!(review.next.target, Some(crate::rollout::job::Target::Failure(_)));
        let leaving = match review.act {
            Act::RemoveAll => seen.active,
            Act::Remove(n) => n,
            _ => 0,
        };
        let created = if let Act::Create(slots) = &review.act { slots.len() as u32 } else { 0 };
        let active = if review.claims_idle { 0 } else { seen.active - leaving + created };
        row.pass = Some(Pass {
            next: review.next,
            booked: row.fresh.len(),
            given_up: if failing { leaving } else { 0 },
            tell: (active, seen.ready.min(active), seen.terminating + leaving),
        });
        let (workload, cause) = (row.workload, row.cause);
        if self.workloads[workload].current == Some(revision) {
            self.workloads[workload].desired = review.wanted;
        }
        match review.act {
            Act::Create(slots) => {
                let row = self.jobs.get_mut(&revision).expect("the caller has just looked at it");
                (row.to_create, row.batch) = (slots.into(), 1);
                return self.create_job_batch(cx, revision);
            }
            Act::Remove(n) => self.remove_job_pods(cx, (revision, cause), n),
            Act::RemoveAll => self.remove_job_pods(cx, (revision, cause), seen.active),
            Act::Nothing => {}
        }
        self.flush_job(cx, revision);
    }

    /// What is seen of a run's pods now.
    fn seen_of(&self, revision: RevisionId) -> Seen {
        let job = &self.jobs[&revision];
        let row = &self.revisions[revision];
        let spec = self.job_spec(job.workload);
        let template = &self.catalog.templates[row.template];
        let restarted_in_place = template.restart == RestartPolicy::OnFailure;
        let active = || row.pods.iter().map(|&p| &self.pods[p]).filter(|p| p.active());
        let mut taken: BTreeSet<u32> = BTreeSet::new();
        if spec.indexed {
            taken.extend(active().map(|p| p.slot));
            if replaces_only_failed(spec) {
                taken.extend(row.pods.iter().map(|&p| self.pods[p].slot));
            }
        }
        Seen {
            active: row.tally.active,
            ready: row.tally.ready,
            terminating: row.tally.terminating,
            restarts: if restarted_in_place { active().map(|p| p.restarts).sum() } else { 0 },
            taken,
            suspended: job.suspended,
        }
    }

    /// Sends a batch of creations; the next one, twice as large, goes when the store has them all.
    fn create_job_batch(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let Some(job) = self.jobs.get_mut(&revision) else { return };
        let n = job.batch.min(job.to_create.len());
        job.batch *= 2;
        let slots: Vec<u32> = job.to_create.drain(..n).collect();
        let cause = job.cause;
        self.revisions[revision].creating += n as u32;
        for slot in slots {
            self.write(cx, Client::Job, cause, Write::CreatePod { revision, not_before: Time::ZERO, slot });
        }
    }

    /// The store has a pod of a run, or has refused it. One whose run is over by now goes again.
    pub(super) fn job_creation_done(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        self.revisions[revision].creating -= 1;
        if self.revisions[revision].creating > 0 {
            return;
        }
        match self.jobs.get(&revision).map(|job| job.to_create.is_empty()) {
            Some(true) => self.flush_job(cx, revision),
            Some(false) => self.create_job_batch(cx, revision),
            None => {
                let (workload, cause) = (self.revisions[revision].workload, self.revisions[revision].wanted_fact);
                for pod in self.revisions[revision].pods.clone() {
                    self.delete_pod(cx, (Client::Garbage, cause), (pod, Deletion::WorkloadDeleted, None));
                }
                debug_assert!(self.is_job(workload));
            }
        }
    }

    /// Deletes pods of a run, those that matter least first.
    fn remove_job_pods(&mut self, cx: &mut Cx<'_>, (revision, cause): (RevisionId, FactId), n: u32) {
        for pod in self.surplus_of(revision, n, cx.now) {
            self.revisions[revision].deleting += 1;
            self.delete_pod(cx, (Client::Job, cause), (pod, Deletion::ScaledDown, None));
        }
    }

    /// A job is deleted: nobody books its pods any more.
    pub(super) fn forget_runs(&mut self, workload: WorkloadId) {
        for revision in &self.workloads[workload].revisions {
            self.jobs.remove(revision);
        }
    }

    /// Whether a workload has a run that has something to write.
    pub(super) fn job_working(&self, revision: RevisionId) -> bool {
        let row = &self.revisions[revision];
        let spec = &self.catalog.workloads[row.workload].details;
        let patient = match spec {
            Details::Job(spec) => spec.replace_when_failed,
            Details::Cron(spec) => spec.job.replace_when_failed,
            _ => false,
        };
        // A job that replaces only what has ended waits for pods that are stopping, however long that takes.
        let waits = patient && row.tally.terminating > 0;
        self.jobs.get(&revision).is_some_and(|job| job.busy || job.again || waits)
    }
}
