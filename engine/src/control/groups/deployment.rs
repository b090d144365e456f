//! Whoever watches a deployment: progress, promotion, failure, the way back.
//!
//! Source: hashicorp/nomad:nomad/deploymentwatcher/deployment_watcher.go. Start at [`Control::begin_deployment`].

use super::{Deployment, GroupAlarm};
use crate::control::{Alarm, Control, Cx};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::{PodId, RevisionId, WorkloadId};
use crate::profile::{MigrateRule, UpdateRule};
use crate::rollout::deployment::{Plan, Stage};
use crate::time::Span;

impl Control {
    /// How a group moves to a new version; `None`: all at once, and nobody watches.
    pub(super) fn update_rule(&self, workload: WorkloadId) -> Option<UpdateRule> {
        let policy = self.group_policy()?;
        let rule = policy.update.wished(&self.catalog.workloads[workload].wishes.update);
        (!self.is_batch(workload) && rule.max_parallel > 0).then_some(rule)
    }

    /// How a group leaves a node that is drained.
    pub(super) fn migrate_rule(&self, workload: WorkloadId) -> MigrateRule {
        let policy = self.group_policy().expect("only groups migrate, and the profile has them");
        policy.migrate.wished(&self.catalog.workloads[workload].wishes.migrate)
    }

    /// A plan of a new version begins a deployment. Returns the cause of what the plan does.
    pub(super) fn begin_deployment(
        &mut self,
        cx: &mut Cx<'_>,
        (workload, current): (WorkloadId, RevisionId),
        (plan, stage): (&Plan, Stage),
    ) -> FactId {
        let owner = &self.workloads[workload];
        let fact = owner.rollout.as_ref().map_or(owner.cause, |rollout| rollout.fact);
        let rule = self.update_rule(workload);
        if rule.is_none() {
            self.workloads[workload].rollout = None;
        }
        let begins = stage == Stage::None && plan.place.iter().any(|p| !p.old) && self.update_rule(workload).is_some();
        if !begins {
            return fact;
        }
        let group = self.groups.of.entry(workload).or_default();
        group.deployments += 1;
        let number = group.deployments;
        let stage = Stage::Running;
        let deployment = Deployment { number, revision: current, stage, promoted: false, deadline: None, fact };
        group.deployment = Some(deployment);
        self.expect_progress(cx, workload);
        fact
    }

    /// The deadline of a deployment begins anew.
    fn expect_progress(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(rule) = self.update_rule(workload).filter(|rule| !rule.progress_deadline.is_zero()) else { return };
        let Some(deployment) = self.deployment_of(workload) else { return };
        let deadline = cx.now + rule.progress_deadline;
        deployment.deadline = Some(deadline);
        let (number, fact) = (deployment.number, deployment.fact);
        cx.timers.set(deadline, fact, Alarm::Group(GroupAlarm::Progress { workload, number }));
    }

    /// The deployment that goes on.
    fn deployment_of(&mut self, workload: WorkloadId) -> Option<&mut Deployment> {
        self.groups.of.get_mut(&workload)?.deployment.as_mut().filter(|d| d.stage == Stage::Running)
    }

    /// A replica of a deployment is healthy.
    pub(super) fn deployment_progress(&mut self, cx: &mut Cx<'_>, cause: FactId, (pod, number): (PodId, u32)) {
        let workload = self.pods[pod].workload;
        let Some(deployment) = self.deployment_of(workload).filter(|d| d.number == number) else { return };
        let promoted = deployment.promoted;
        self.expect_progress(cx, workload);
        let rule = self.update_rule(workload);
        if rule.is_some_and(|rule| rule.auto_promote && rule.canary > 0)
            && !promoted
            && self.canaries_are_well(workload)
        {
            return self.promote(cx, cause, workload);
        }
        self.watcher_notices(cx, cause, workload);
    }

    /// All canaries that are wanted are there and healthy.
    fn canaries_are_well(&self, workload: WorkloadId) -> bool {
        let wanted = self.update_rule(workload).map_or(0, |rule| rule.canary);
        let of_workload = |pod: &PodId| self.pods[*pod].workload == workload && !self.pods[*pod].delete_sent;
        let canaries = self.groups.replicas.iter().filter(|(pod, replica)| of_workload(pod) && replica.canary);
        canaries.filter(|(_, replica)| replica.health == Some(true)).count() as u64 >= u64::from(wanted)
    }

    /// Canaries are taken for good, by hand or because all are healthy.
    pub(in crate::control) fn promote(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        if !self.is_group(workload) || !self.canaries_are_well(workload) {
            return; // The original refuses to promote canaries that are not healthy.
        }
        let Some(deployment) = self.deployment_of(workload).filter(|d| !d.promoted) else { return };
        deployment.promoted = true;
        let number = deployment.number;
        let note = FactKind::Noted { subject: Subject::Workload(workload), note: Note::Promoted };
        let fact = cx.facts.record(cx.now, cause, note);
        for replica in self.groups.replicas.values_mut().filter(|r| r.canary && r.deployment == number) {
            replica.canary = false;
        }
        // Numbers beyond the count were canaries' only; the surplus goes with the next plan.
        self.evaluate(cx, workload, fact);
    }

    /// Whoever watches a deployment collects news for a while before it asks for a look.
    pub(super) fn watcher_notices(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let batch =
            self.group_policy().map_or(Span::ZERO, |policy| policy.news + policy.watcher_batch + policy.watcher_writes);
        let group = self.groups.of.entry(workload).or_default();
        if !std::mem::replace(&mut group.watched, true) {
            cx.timers.set(cx.now + batch, cause, Alarm::Group(GroupAlarm::Watched(workload)));
        }
    }

    /// It asks, and allows failed replicas to be placed anew.
    pub(super) fn watcher_asks(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        self.groups.of.entry(workload).or_default().watched = false;
        self.allow_reschedules(cx, workload);
        self.evaluate(cx, workload, cause);
    }

    /// A replica of a deployment is unhealthy.
    pub(super) fn deployment_hurt(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        (workload, number, canary): (WorkloadId, u32, bool),
    ) {
        let early = self.update_rule(workload).is_some_and(|rule| rule.progress_deadline.is_zero());
        if self.deployment_of(workload).is_none_or(|d| d.number != number) {
            return;
        }
        if early || canary && self.update_rule(workload).is_some_and(|rule| rule.auto_promote) {
            self.deployment_failed(cx, cause, (workload, Note::UnhealthyAllocations));
        } else {
            self.watcher_notices(cx, cause, workload);
        }
    }

    /// A deployment should have made progress by now.
    pub(super) fn progress_due(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, number: u32) {
        let now = cx.now;
        let paused = self.workloads[workload].paused;
        let waits = self.awaits_promotion(workload);
        let Some(deployment) = self.deployment_of(workload).filter(|d| d.number == number) else { return };
        if deployment.deadline.is_none_or(|deadline| deadline > now) || paused || waits {
            return;
        }
        let fact = deployment.fact;
        self.deployment_failed(cx, fact, (workload, Note::ProgressDeadline));
    }

    /// Healthy canaries wait for somebody to promote them: no deadline runs.
    /// Source: hashicorp/nomad:nomad/deploymentwatcher/deployment_watcher.go, `shouldFail`.
    fn awaits_promotion(&mut self, workload: WorkloadId) -> bool {
        let canaries = self.update_rule(workload).is_some_and(|rule| rule.canary > 0);
        let promoted = self.deployment_of(workload).is_some_and(|d| d.promoted);
        canaries && !promoted && self.canaries_are_well(workload)
    }

    /// A deployment has failed: it stays where it is, or the group turns back.
    fn deployment_failed(&mut self, cx: &mut Cx<'_>, cause: FactId, (workload, note): (WorkloadId, Note)) {
        let Some(deployment) = self.deployment_of(workload) else { return };
        deployment.stage = Stage::Failed;
        let revision = deployment.revision;
        let fact = cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Workload(workload), note });
        let fact = cx.facts.record(cx.now, fact, FactKind::RolloutStalled { workload, revision });
        if let Some(rollout) = &mut self.workloads[workload].rollout {
            rollout.stalled = true;
        }
        self.allow_reschedules(cx, workload);
        let stable = self.groups.of.get(&workload).and_then(|group| group.stable);
        let reverts = self.update_rule(workload).is_some_and(|rule| rule.auto_revert);
        if let Some(stable) = stable.filter(|&stable| reverts && stable != revision) {
            let fact = cx.facts.record(cx.now, fact, FactKind::RolloutUndone { workload, revision: stable });
            let template = self.revisions[stable].template;
            return self.deploy(cx, fact, workload, template);
        }
        self.evaluate(cx, workload, fact);
    }

    /// Everything is of the new version and healthy.
    pub(super) fn deployment_done(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(deployment) = self.deployment_of(workload) else { return };
        deployment.stage = Stage::Successful;
        let (revision, fact) = (deployment.revision, deployment.fact);
        self.groups.of.entry(workload).or_default().stable = Some(revision);
        if self.workloads[workload].rollout.take().is_some() {
            cx.facts.record(cx.now, fact, FactKind::RolloutCompleted { workload, revision });
        }
    }
}
