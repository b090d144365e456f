//! What becomes of a run's pods: each is booked once, as a success or as a failure, however it ended.
//!
//! A pod that is being deleted counts as failed at once, unless pods are replaced only when they have failed. Start at
//! [`Control::job_pod_ended`].

use super::Leaving;
use crate::control::Control;
use crate::control::Cx;
use crate::fact::{Deletion, FactId};
use crate::ids::PodId;
use crate::message::Ending;
use crate::rollout::job::{Ended, Failure, Verdict, judge, replaces_only_failed};
use crate::time::{Span, Time};

/// A time as the API keeps it: in whole seconds.
/// Source: kubernetes/apimachinery:pkg/apis/meta/v1/time.go, `MarshalJSON` (RFC 3339 without fractions).
pub(super) fn stamped(at: Time) -> Time {
    Time::from_secs(at.as_nanos() / Span::from_secs(1).as_nanos())
}

impl Control {
    /// Something about a pod changed that its run's controller sees.
    pub(in crate::control) fn job_pod_changed(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let revision = self.pods[pod].revision;
        if self.jobs.contains_key(&revision) {
            self.job_news(cx, revision);
        }
    }

    /// A pod's deletion begins.
    pub(in crate::control) fn job_pod_deleting(
        &mut self,
        cx: &mut Cx<'_>,
        (pod, fact): (PodId, FactId),
        why: Deletion,
    ) {
        let row = &self.pods[pod];
        let (revision, slot) = (row.revision, row.slot);
        let Some(job) = self.jobs.get(&revision) else { return };
        let later = replaces_only_failed(self.job_spec(job.workload));
        let disrupted =
            matches!(why, Deletion::NodeLost | Deletion::Drained | Deletion::Preempted | Deletion::GarbageCollected);
        let job = self.jobs.get_mut(&revision).expect("it was just seen");
        job.cause = fact;
        let fate = match why {
            // Pods that the controller itself removes lose their finalizer first: they are not booked.
            Deletion::ScaledDown | Deletion::WorkloadDeleted => Leaving::Booked,
            _ if later => Leaving::Later { disrupted },
            _ => {
                let at = stamped(cx.now);
                job.fresh.push(Ended { slot, success: false, at, verdict: Verdict::Counts });
                Leaving::Booked
            }
        };
        job.leaving.insert(pod, fate);
        self.job_news(cx, revision);
    }

    /// A pod's containers have all ended.
    pub(in crate::control) fn job_pod_ended(
        &mut self,
        cx: &mut Cx<'_>,
        (pod, fact): (PodId, FactId),
        (success, ending): (bool, Ending),
    ) {
        let row = &self.pods[pod];
        let (revision, slot, template) = (row.revision, row.slot, row.template);
        let Some(job) = self.jobs.get(&revision) else { return };
        let fate = job.leaving.get(&pod).copied();
        if fate == Some(Leaving::Booked) {
            return;
        }
        let disrupted = ending.evicted || matches!(fate, Some(Leaving::Later { disrupted: true }));
        let names = &self.catalog.templates[template].containers;
        let exit = names.get(usize::from(ending.container)).map(|container| (container.name, ending.code));
        let verdict = judge(&self.job_spec(job.workload).failure_rules, &Failure { exit, disrupted });
        let at = stamped(ending.at);
        let job = self.jobs.get_mut(&revision).expect("it was just seen");
        job.cause = fact;
        job.fresh.push(Ended { slot, success, at, verdict });
        job.leaving.insert(pod, Leaving::Booked);
        self.job_news(cx, revision);
    }

    /// A pod's object is gone. One of which nobody ever heard how it ended has failed.
    pub(in crate::control) fn job_pod_gone(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (revision, slot) = (row.revision, row.slot);
        let Some(job) = self.jobs.get(&revision) else { return };
        let fate = job.leaving.get(&pod).copied();
        let disrupted = matches!(fate, Some(Leaving::Later { disrupted: true }));
        let verdict = judge(&self.job_spec(job.workload).failure_rules, &Failure { exit: None, disrupted });
        let job = self.jobs.get_mut(&revision).expect("it was just seen");
        job.leaving.remove(&pod);
        if fate != Some(Leaving::Booked) {
            job.fresh.push(Ended { slot, success: false, at: stamped(cx.now), verdict });
        }
        self.job_news(cx, revision);
    }
}
