//! CronJobs: a job at each set time, and nothing in between.
//!
//! Which start is due is decided in [`crate::rollout::cron`]; each run is a revision. The controller wakes shortly after
//! the next set time and when a run ends. Source: kubernetes/kubernetes:pkg/controller/cronjob/cronjob_controllerv2.go,
//! `syncCronJob`. Start at [`Control::sync_cron`].

use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{RevisionId, WorkloadId};
use crate::model::{Concurrency, CronSpec, Details};
use crate::rollout::cron;
use crate::time::{Span, Time};

/// The controller wakes so long after a set time.
/// Source: kubernetes/kubernetes:pkg/controller/cronjob/cronjob_controllerv2.go, `nextScheduleDelta`.
const DELTA: Span = Span::from_millis(100);

/// What the controller remembers of a cron job.
#[derive(Clone, Debug)]
pub(super) struct CronRow {
    /// The last start, as it was set; before the first one, when the object was created.
    last: Time,
    /// The next wake-up.
    wake_at: Option<Time>,
    /// A start is on its way to the store.
    starting: bool,
}

impl Control {
    fn cron_spec(&self, workload: WorkloadId) -> Option<&CronSpec> {
        match &self.catalog.workloads[workload].details {
            Details::Cron(cron) => Some(cron),
            _ => None,
        }
    }

    /// A cron job exists from now on.
    pub(super) fn begin_cron(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let Some(spec) = self.cron_spec(workload) else { return };
        let suspended = spec.suspend;
        self.workloads[workload].paused |= suspended;
        self.workloads[workload].desired = 0;
        self.crons.insert(workload, CronRow { last: cx.now, wake_at: None, starting: false });
        self.wake_cron_after(cx, cause, workload);
    }

    /// Plans the look after the next set time.
    fn wake_cron_after(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let next = self.cron_spec(workload).and_then(|spec| cron::next_after(spec, cx.now));
        if let Some(next) = next.filter(|_| !self.workloads[workload].paused) {
            self.wake_cron(cx, cause, (workload, next + DELTA));
        }
    }

    fn wake_cron(&mut self, cx: &mut Cx<'_>, cause: FactId, (workload, at): (WorkloadId, Time)) {
        let Some(row) = self.crons.get_mut(&workload) else { return };
        if row.wake_at.is_none_or(|wake| at < wake || wake < cx.now) {
            row.wake_at = Some(at);
            cx.timers.set(at, cause, Alarm::Cron(workload));
        }
    }

    /// Looks whether a start is due, and whether it may be.
    pub(super) fn sync_cron(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let Some(row) = self.crons.get_mut(&workload).filter(|row| row.wake_at.is_some_and(|at| at <= cx.now)) else {
            return;
        };
        row.wake_at = None;
        let (last, starting) = (row.last, row.starting);
        let held = self.workloads[workload].paused || !self.workloads[workload].exists;
        if held || starting {
            return;
        }
        let spec = self.cron_spec(workload).expect("only cron jobs are in this table");
        // Chronos starts nothing that is late by more than a job's epsilon.
        let epsilon = self.offer_policy().map(|policy| policy.epsilon);
        let (concurrency, deadline) = (spec.concurrency, spec.starting_deadline.or(epsilon));
        if let Some(due) = cron::due(spec, last, cx.now) {
            if due.too_many {
                self.note_cron(cx, cause, workload, Note::TooManyMissedTimes);
            }
            let late = deadline.is_some_and(|deadline| due.at + deadline < cx.now);
            let active = self.runs_of(workload);
            match concurrency {
                _ if late => self.note_cron(cx, cause, workload, Note::MissSchedule),
                Concurrency::Forbid if !active.is_empty() => {
                    self.note_cron(cx, cause, workload, Note::JobAlreadyActive);
                }
                Concurrency::Replace => {
                    active.into_iter().for_each(|run| self.delete_run(cx, cause, run));
                    self.start_run(cx, cause, workload, due.at);
                }
                Concurrency::Forbid | Concurrency::Allow => self.start_run(cx, cause, workload, due.at),
            }
        }
        self.wake_cron_after(cx, cause, workload);
    }

    fn note_cron(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId, note: Note) {
        cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Workload(workload), note });
    }

    fn start_run(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId, due: Time) {
        if let Some(row) = self.crons.get_mut(&workload) {
            (row.last, row.starting) = (due, true);
        }
        self.write(cx, Client::Cron, cause, Write::StartRun { workload });
    }

    /// The store has a cron job's new run.
    pub(super) fn run_started(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        if let Some(row) = self.crons.get_mut(&workload).filter(|_| self.workloads[workload].exists) {
            row.starting = false;
            self.begin_run(cx, cause, workload);
        }
    }

    /// Runs that have not ended, oldest first.
    fn runs_of(&self, workload: WorkloadId) -> Vec<RevisionId> {
        let runs = self.workloads[workload].revisions.iter();
        runs.copied().filter(|run| self.jobs.contains_key(run)).collect()
    }

    /// A run gives way to a newer one: its object and its pods go.
    fn delete_run(&mut self, cx: &mut Cx<'_>, cause: FactId, run: RevisionId) {
        self.jobs.remove(&run);
        for pod in self.revisions[run].pods.clone() {
            self.delete_pod(cx, (Client::Garbage, cause), (pod, Deletion::WorkloadDeleted, None));
        }
    }

    /// A run has ended: a start that had to wait for it is looked for at once.
    pub(super) fn cron_job_over(&mut self, cx: &mut Cx<'_>, fact: FactId, workload: WorkloadId) {
        let at = cx.now + self.profile.control.watch_lag;
        let last = self.crons.get(&workload).map(|row| row.last);
        let missed = self.cron_spec(workload).zip(last).is_some_and(|(spec, last)| cron::due(spec, last, at).is_some());
        if missed {
            self.wake_cron(cx, fact, (workload, at));
        }
    }

    /// A cron job is held, or goes on: what was missed meanwhile is looked for.
    pub(super) fn hold_cron(&mut self, cx: &mut Cx<'_>, fact: FactId, workload: WorkloadId) {
        if !self.workloads[workload].paused {
            self.cron_job_over(cx, fact, workload);
            self.wake_cron_after(cx, fact, workload);
        }
    }

    /// A cron job is deleted.
    pub(super) fn forget_cron(&mut self, workload: WorkloadId) {
        self.crons.remove(&workload);
    }
}
