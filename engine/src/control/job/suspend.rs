//! Jobs that are held: their pods go, uncounted, and their clock starts anew when they go on.
//!
//! Start at [`Control::job_held`].

use crate::control::{Control, Cx};
use crate::fact::FactId;
use crate::ids::{RevisionId, WorkloadId};
use crate::model::WorkloadKind;
use crate::time::Span;

use super::ends::stamped;

impl Control {
    /// A job or a cron job is held, or goes on.
    pub(in crate::control) fn job_held(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        match self.catalog.workloads[workload].kind {
            WorkloadKind::CronJob => self.hold_cron(cx, cause, workload),
            _ => self.hold_runs(cx, cause, workload),
        }
    }

    /// A job is suspended, or goes on (`paused` of its workload says which).
    fn hold_runs(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let suspended = self.workloads[workload].paused;
        let runs: Vec<RevisionId> = self.workloads[workload].revisions.clone();
        for revision in runs {
            let Some(row) = self.jobs.get_mut(&revision) else { continue };
            row.suspended = suspended;
            row.cause = cause;
            if !suspended && row.run.started.is_some() {
                row.run.started = Some(stamped(cx.now));
            }
            let lag: Span = self.profile.control.watch_lag;
            self.look_at_job(cx, revision, lag);
        }
    }
}
