//! When a replica counts as healthy: it has run, and passed its checks, for long enough, and by a deadline.
//!
//! The original's client watches that and reports it with its other news; here it is worked out from the same reports,
//! and a node that is silent reports nothing. Source: hashicorp/nomad:client/allochealth/tracker.go. Start at
//! [`Control::replica_runs`].

use super::GroupAlarm;
use crate::control::{Alarm, Control, Cx, PodPhase};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::{PodId, WorkloadId};
use crate::rng::Purpose;
use crate::time::Span;

/// A client that is silent is waited for in such steps, until it is heard or down.
const STILL_SILENT: Span = Span::from_secs(1);

impl Control {
    /// How long a replica must run, and by when it must be healthy.
    fn health_rule(&self, workload: WorkloadId, deployment: u32) -> (Span, Span) {
        if let (Some(rule), true) = (self.update_rule(workload), deployment > 0) {
            return (rule.min_healthy, rule.healthy_deadline);
        }
        let rule = self.migrate_rule(workload);
        (rule.min_healthy, rule.healthy_deadline)
    }

    /// A replica has its node: it must be healthy by the deadline.
    pub(super) fn await_health(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let (workload, fact) = (self.pods[pod].workload, self.pods[pod].last_fact);
        let Some(replica) = self.groups.replicas.get(&pod) else { return };
        if replica.deployment == 0 {
            return; // Nobody waits for it.
        }
        let deadline = self.health_rule(workload, replica.deployment).1;
        // The client counts from when it hears of the replica, and says so with its next report.
        // Measured on 1.1.2: 0.22-0.41 s after the deadline's end, counted from the plan.
        let batch = self.profile.agent.status_batch;
        let mut luck = self.streams.stream(Purpose::Evaluation, !pod.0);
        let news = self.group_policy().map_or(Span::ZERO, |policy| policy.news);
        let report = luck.span(Span::ZERO, batch) + luck.span(Span::ZERO, batch) + news;
        cx.timers.set(cx.now + deadline + report, fact, Alarm::Group(GroupAlarm::Unhealthy { pod }));
    }

    /// A replica runs and passes its checks, or does so no longer.
    pub(in crate::control) fn replica_turned(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, fact, ready) = (row.workload, row.last_fact, row.phase == PodPhase::Ready);
        let Some(replica) = self.groups.replicas.get_mut(&pod) else { return };
        replica.stamp += 1;
        if !ready || replica.health == Some(true) {
            return;
        }
        let (stamp, deployment) = (replica.stamp, replica.deployment);
        let min_healthy = self.health_rule(workload, deployment).0;
        cx.timers.set(cx.now + min_healthy, fact, Alarm::Group(GroupAlarm::Healthy { pod, stamp }));
    }

    /// A replica has run for long enough.
    pub(super) fn replica_healthy(&mut self, cx: &mut Cx<'_>, cause: FactId, (pod, stamp): (PodId, u32)) {
        let silent = self.pods[pod].node.is_none_or(|node| self.nodes[node].heard && !self.nodes[node].steady);
        let Some(replica) = self.groups.replicas.get_mut(&pod) else { return };
        if replica.stamp != stamp || replica.health.is_some() {
            return;
        }
        if silent {
            // Its client says so as soon as it is heard again; a node is silent for a few heartbeats at most.
            let alarm = Alarm::Group(GroupAlarm::Healthy { pod, stamp });
            return cx.timers.set(cx.now + STILL_SILENT, cause, alarm);
        }
        replica.health = Some(true);
        let deployment = replica.deployment;
        let fact = cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Pod(pod), note: Note::Healthy });
        self.deployment_progress(cx, fact, (pod, deployment));
        let news = self.group_policy().map_or(Span::ZERO, |policy| policy.news);
        self.wake_drainer(cx, fact, news);
    }

    /// A replica should be healthy by now.
    pub(super) fn replica_late(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some(replica) = self.groups.replicas.get(&pod) else { return };
        let present = !self.pods[pod].gone && self.pods[pod].active();
        if replica.health.is_none() && present {
            self.replica_unhealthy(cx, cause, pod);
        }
    }

    /// A replica of a deployment is unhealthy, for good.
    pub(super) fn replica_unhealthy(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let Some(replica) = self.groups.replicas.get_mut(&pod) else { return };
        if replica.health == Some(false) || replica.deployment == 0 {
            return;
        }
        replica.health = Some(false);
        let (deployment, canary) = (replica.deployment, replica.canary);
        let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::Unhealthy };
        let fact = cx.facts.record(cx.now, cause, note);
        self.deployment_hurt(cx, fact, (self.pods[pod].workload, deployment, canary));
    }
}
