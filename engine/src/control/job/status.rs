//! A run's counts and conditions in the store, and its end.
//!
//! A look that found something new writes twice: that pods ended, and, when their finalizers are gone, the counts. The
//! second write also carries the final condition. Start at [`Control::flush_job`].

use super::ends::stamped;
use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, FactId, FactKind};
use crate::ids::{RevisionId, WorkloadId};
use crate::model::{Details, WorkloadKind};
use crate::rollout::job::Target;
use crate::time::Span;

/// First wait after a refused status; doubles each time.
/// Source: kubernetes/kubernetes:pkg/controller/job/job_controller.go, `DefaultJobApiBackOff`.
const API_BACKOFF: Span = Span::from_secs(1);
/// Longest such wait (same source, `MaxJobApiBackOff`).
const API_BACKOFF_MAX: Span = Span::from_secs(60);
/// Finished jobs of a cron job that are kept: successful and failed ones.
/// Source: kubernetes/kubernetes:pkg/apis/batch/v1/defaults.go.
const HISTORY: usize = 3 + 1;

/// Which of a look's writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusStep {
    /// Pods ended; the run is about to end.
    Found,
    /// They are counted; the run has ended.
    Counted,
}

impl Control {
    /// Writes what a look has found, if it is anything new.
    pub(super) fn flush_job(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let Some(row) = self.jobs.get_mut(&revision) else { return };
        let Some(pass) = &row.pass else { return };
        let starts = row.run.started.is_none() && !row.suspended;
        let news = starts || pass.booked > 0 || pass.tell != row.told || pass.next.target != row.run.target;
        let ends = pass.next.target.is_some() && pass.tell.2 == 0;
        let cause = row.cause;
        if news || ends {
            self.write(cx, Client::Job, cause, Write::JobStatus { revision, step: StatusStep::Found });
        } else {
            self.job_look_done(cx, revision);
        }
    }

    /// The store has a run's status.
    pub(in crate::control) fn job_status_written(&mut self, cx: &mut Cx<'_>, revision: RevisionId, step: StatusStep) {
        match step {
            StatusStep::Found => self.job_found(cx, revision),
            StatusStep::Counted => self.job_counted(cx, revision),
        }
    }

    fn job_found(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let Some(row) = self.jobs.get(&revision) else { return };
        let Some(pass) = row.pass.clone() else { return };
        let spec = self.job_spec(row.workload).clone();
        let row = self.jobs.get_mut(&revision).expect("it was just seen");
        if row.run.started.is_none() && !row.suspended {
            row.run.started = Some(stamped(cx.now));
        }
        let booked: Vec<_> = row.fresh.drain(..pass.booked).collect();
        row.run.book(&spec, &booked, pass.next);
        row.run.failed += pass.given_up;
        row.told = pass.tell;
        let cause = row.cause;
        self.job_news(cx, revision);
        let counted = booked.len() as u32 + pass.given_up;
        let ends = pass.next.target.is_some() && pass.tell.2 == 0;
        if counted == 0 && !ends {
            return self.job_look_done(cx, revision);
        }
        // Each finalizer is taken off by a request of its own.
        (0..counted).for_each(|_| self.store.spend(cx.now, Client::Job));
        let after = if counted > 0 { self.profile.control.store_write } else { Span::ZERO };
        let write = Write::JobStatus { revision, step: StatusStep::Counted };
        self.write_at(cx, cx.now + after, (Client::Job, cause), write);
    }

    fn job_counted(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let Some(row) = self.jobs.get(&revision) else { return };
        let Some(pass) = &row.pass else { return };
        let ends = pass.next.target.filter(|_| pass.tell.2 == 0);
        match ends {
            Some(target) => self.job_ended(cx, revision, target),
            None => {
                self.job_news(cx, revision);
                self.job_look_done(cx, revision);
            }
        }
    }

    /// A look has written everything.
    fn job_look_done(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        let Some(row) = self.jobs.get_mut(&revision) else { return };
        row.busy = false;
        row.pass = None;
        if std::mem::take(&mut row.again) {
            self.look_at_job(cx, revision, Span::ZERO);
        }
    }

    /// The API server refuses a status; the look is repeated later.
    pub(super) fn status_refused(&mut self, cx: &mut Cx<'_>, revision: RevisionId) {
        self.store.spend(cx.now, Client::Job);
        let Some(row) = self.jobs.get_mut(&revision) else { return };
        let wait = API_BACKOFF.times(1 << row.refused.min(6)).min(API_BACKOFF_MAX);
        row.refused += 1;
        self.look_at_job(cx, revision, wait);
    }

    /// A run is over.
    fn job_ended(&mut self, cx: &mut Cx<'_>, revision: RevisionId, target: Target) {
        let row = self.jobs.remove(&revision).expect("the caller has just looked at it");
        let workload = row.workload;
        let kind = match target {
            Target::Success => FactKind::JobCompleted { workload, revision },
            Target::Failure(why) => FactKind::JobFailed { workload, revision, why },
        };
        let fact = cx.facts.record(cx.now, row.cause, kind);
        if self.workloads[workload].current == Some(revision) {
            self.workloads[workload].desired = 0;
        }
        if let Some(ttl) = self.job_spec(workload).ttl_after_finished {
            // It counts from the finish time in whole seconds.
            // Source: kubernetes/kubernetes:pkg/controller/ttlafterfinished/ttlafterfinished_controller.go.
            cx.timers.set(stamped(cx.now) + ttl, fact, Alarm::JobExpired(revision));
        }
        self.job_run_over(cx, fact, workload);
    }

    /// A cron job keeps few of its finished runs, and one that waited for its former run may go on.
    fn job_run_over(&mut self, cx: &mut Cx<'_>, fact: FactId, workload: WorkloadId) {
        if self.catalog.workloads[workload].kind != WorkloadKind::CronJob {
            return;
        }
        let idle = |r: &RevisionId| !self.jobs.contains_key(r) && self.revisions[*r].pods.is_empty();
        let mut over: Vec<_> = self.workloads[workload].revisions.iter().copied().filter(idle).collect();
        over.truncate(over.len().saturating_sub(HISTORY));
        self.workloads[workload].revisions.retain(|r| !over.contains(r));
        self.cron_job_over(cx, fact, workload);
    }

    /// A finished job has been there long enough.
    pub(in crate::control) fn job_expired(&mut self, cx: &mut Cx<'_>, cause: FactId, revision: RevisionId) {
        let workload = self.revisions[revision].workload;
        let row = &self.workloads[workload];
        let last = row.current == Some(revision);
        if matches!(self.catalog.workloads[workload].details, Details::Job(_)) && last && row.exists {
            self.remove_workload(cx, cause, workload);
        }
    }
}
