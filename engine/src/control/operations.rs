//! What people do to a cluster: apply, scale, deploy, undo, drain.

use crate::control::tables::{RevisionRow, RolloutRow};
use crate::control::{Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{NodeId, RevisionId, TemplateId, WorkloadId};
use crate::message::Operation;
use crate::model::WorkloadKind;
use crate::profile::Drain;
use crate::profile::Replaced;
use crate::rollout::slots::Direction;
use crate::time::Span;

impl Control {
    /// Carries out an operator's command.
    pub(super) fn operate(&mut self, cx: &mut Cx<'_>, cause: FactId, operation: Operation) {
        if self.refuses_operation(cx, cause, &operation) {
            return;
        }
        match operation {
            Operation::Apply { workload } => self.apply(cx, cause, workload),
            Operation::Delete { workload } => self.remove_workload(cx, cause, workload),
            Operation::Scale { workload, replicas } => self.scale(cx, cause, workload, replicas),
            Operation::Deploy { workload, template } => self.deploy(cx, cause, workload, template),
            Operation::Promote { workload } => self.promote(cx, cause, workload),
            Operation::Undo { workload } => self.undo(cx, cause, workload),
            Operation::Redeclare { workload, details } => self.redeclare(cx, cause, workload, &details),
            Operation::Pause { workload } => self.pause(cx, cause, workload),
            Operation::Resume { workload } => self.resume(cx, cause, workload),
            Operation::Cordon { nodes } => self.cordon(cx, cause, &nodes),
            Operation::Uncordon { nodes } => self.uncordon(cx, cause, &nodes),
            Operation::Drain { nodes } => self.drain(cx, cause, &nodes),
            Operation::ControlPlane { part, change } => self.control_plane(cx, cause, part, change),
            Operation::Flood { flood, on: true } => self.flood_begins(cx, cause, flood),
            Operation::Flood { flood, on: false } => self.flood_ends(cx, cause, flood),
            Operation::DeleteNamespace { namespace } => {
                let within = |w: &WorkloadId| self.catalog.workloads[*w].namespace == namespace;
                for workload in self.catalog.workloads.ids().filter(within).collect::<Vec<_>>() {
                    self.remove_workload(cx, cause, workload);
                }
            }
            Operation::RemoveNode { nodes } => self.remove_nodes(cx, cause, &nodes),
            Operation::Label { nodes, key, value } => self.label_nodes(cx, cause, &nodes, (key, value)),
            Operation::Taint { nodes, taint } => self.taint(cx, cause, &nodes, taint),
            Operation::Untaint { nodes, taint, every_effect } => self.untaint(cx, cause, &nodes, (taint, every_effect)),
            Operation::DeletionCost { pods, cost } => {
                for pod in pods.into_iter().filter(|&pod| pod < self.pods.next_id()).collect::<Vec<_>>() {
                    self.pods[pod].deletion_cost = cost;
                }
            }
            Operation::DefaultPriority { twins } => self.twins.extend(twins),
            Operation::Ungate { workload } => self.ungate(cx, cause, workload),
            Operation::Evict { pods } => self.evict_once(cx, cause, &pods),
            Operation::DeletePods { pods, grace } => {
                for pod in pods {
                    if pod < self.pods.next_id() {
                        self.delete_pod(cx, (Client::Operator, cause), (pod, Deletion::Operator, grace));
                    }
                }
            }
        }
    }

    /// Creates a workload of the catalog, unless it exists.
    pub(super) fn apply(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        if self.workloads[workload].exists {
            return;
        }
        let spec = &self.catalog.workloads[workload];
        let (replicas, template) = (spec.replicas, spec.template);
        let fact = cx.facts.record(cx.now, cause, FactKind::WorkloadCreated { workload });
        let row = &mut self.workloads[workload];
        // What is left of an earlier life under this name is on its way out and belongs to nobody.
        row.revisions.clear();
        row.paused = spec.paused;
        row.exists = true;
        row.desired = replicas;
        row.scaled_for = replicas;
        row.cause = fact;
        match self.catalog.workloads[workload].kind {
            WorkloadKind::Job if !self.is_group(workload) => return self.begin_run(cx, fact, workload),
            WorkloadKind::CronJob => return self.begin_cron(cx, fact, workload),
            _ => {}
        }
        let revision = self.revision_of(cx, fact, workload, template);
        self.workloads[workload].current = Some(revision);
        self.set_applied(workload);
        self.group_applied(workload);
        self.evaluate(cx, workload, fact);
        self.plan_workload(cx, workload, fact);
    }

    pub(super) fn remove_workload(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let row = &mut self.workloads[workload];
        if !std::mem::take(&mut row.exists) {
            return;
        }
        row.rollout = None;
        row.slots = None;
        let fact = cx.facts.record(cx.now, cause, FactKind::WorkloadDeleted { workload });
        self.forget_runs(workload);
        self.forget_cron(workload);
        self.set_deleted(workload);
        self.delete_all_replicas(cx, fact, workload);
    }

    pub(super) fn scale(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId, replicas: u32) {
        if self.is_job(workload) || self.catalog.workloads[workload].kind == WorkloadKind::DaemonSet {
            return; // It has no scale.
        }
        let row = &mut self.workloads[workload];
        if !row.exists || row.desired == replicas {
            return;
        }
        if self.profile.replication.replaced != Replaced::All {
            row.given_up = 0; // People who scale say how many there are to be, whatever became of the former ones.
        }
        let from = std::mem::replace(&mut row.desired, replicas);
        row.cause = cx.facts.record(cx.now, cause, FactKind::Scaled { workload, from, to: replicas });
        let fact = row.cause;
        self.evaluate(cx, workload, fact);
        self.plan_workload(cx, workload, fact);
    }

    /// Rolls out a template. One that is current already changes nothing.
    pub(super) fn deploy(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId, template: TemplateId) {
        let row = &self.workloads[workload];
        let current = row.current.map(|r| self.revisions[r].template);
        if !row.exists || current == Some(template) {
            return;
        }
        if self.is_job(workload) {
            // A job's template cannot be changed; a cron job's concerns its next runs.
            self.workloads[workload].template = Some(template);
            return;
        }
        let revision = self.revision_of(cx, cause, workload, template);
        let fact = cx.facts.record(cx.now, cause, FactKind::RolloutStarted { workload, revision });
        let row = &mut self.workloads[workload];
        let former = row.current.replace(revision);
        row.cause = fact;
        row.rollout = Some(RolloutRow {
            revision,
            fact,
            counts: (0, u32::MAX, 0),
            progress_at: cx.now,
            stalled: false,
            fresh: self.revisions[revision].wanted == 0,
            failures: Some(0),
            tripped: false,
            next_step: cx.now + self.profile.deployer.map_or(Span::ZERO, |deployer| deployer.start),
        });
        if self.is_set(workload) {
            self.set_deployed(cx, workload);
            return self.plan_workload(cx, workload, fact);
        }
        self.evaluate(cx, workload, fact);
        self.restore_attempts(workload);
        self.begin_slot_update(cx, workload, (former, Direction::Forth));
        self.plan_workload(cx, workload, fact);
    }

    /// Goes back to the revision before, if there is one.
    pub(super) fn undo(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let row = &self.workloads[workload];
        let others = row.revisions.iter().copied().filter(|&r| Some(r) != row.current);
        let Some(revision) = others.max_by_key(|&r| self.revisions[r].number) else { return };
        let fact = cx.facts.record(cx.now, cause, FactKind::RolloutUndone { workload, revision });
        let template = self.revisions[revision].template;
        self.deploy(cx, fact, workload, template);
        self.turn_slots_back(workload);
    }

    pub(super) fn pause(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        if self.is_set(workload) {
            return; // It cannot be paused.
        }
        if !std::mem::replace(&mut self.workloads[workload].paused, true) {
            let fact = cx.facts.record(cx.now, cause, FactKind::RolloutPaused { workload });
            if self.is_job(workload) {
                return self.job_held(cx, fact, workload);
            }
            self.hold_slot_update(workload);
        }
    }

    fn resume(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let row = &mut self.workloads[workload];
        if std::mem::take(&mut row.paused) {
            if let Some(rollout) = &mut row.rollout {
                // Time spent paused does not count against the progress deadline.
                // The deadline is set anew at the next look.
                rollout.progress_at = cx.now;
                rollout.counts.1 = u32::MAX;
            }
            let fact = cx.facts.record(cx.now, cause, FactKind::RolloutResumed { workload });
            if self.is_job(workload) {
                return self.job_held(cx, fact, workload);
            }
            self.restart_slot_update(cx, workload);
            self.evaluate(cx, workload, fact);
            self.plan_workload(cx, workload, fact);
        }
    }

    /// The revision of a template: an old one gets the newest number, a new one is created.
    fn revision_of(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        workload: WorkloadId,
        template: TemplateId,
    ) -> RevisionId {
        let known = &self.workloads[workload].revisions;
        let number = known.iter().map(|&r| self.revisions[r].number).max().unwrap_or(0) + 1;
        if let Some(&old) = known.iter().find(|&&r| self.revisions[r].template == template) {
            self.revisions[old].number = number;
            return old;
        }
        let revision = self.revisions.push(RevisionRow::new(workload, (template, number), cause));
        cx.facts.record(cx.now, cause, FactKind::RevisionCreated { workload, revision });
        self.workloads[workload].revisions.push(revision);
        revision
    }

    fn cordon(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId]) {
        for &node in nodes {
            let row = &mut self.nodes[node];
            if row.exists() && !std::mem::replace(&mut row.cordoned, true) {
                cx.facts.record(cx.now, cause, FactKind::NodeCordoned { node });
                self.show_node_to_scheduler(node);
            }
        }
    }

    fn uncordon(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId]) {
        for &node in nodes {
            if std::mem::take(&mut self.nodes[node].cordoned) {
                self.nodes[node].news = cx.facts.record(cx.now, cause, FactKind::NodeUncordoned { node });
                self.stop_draining(cx, node);
                self.stop_draining_groups(node);
                self.show_node_to_scheduler(node);
                self.node_changed_for_queue(cx);
            }
        }
    }

    fn drain(&mut self, cx: &mut Cx<'_>, cause: FactId, nodes: &[NodeId]) {
        self.cordon(cx, cause, nodes);
        if self.profile.control.machine.evictions.is_some() {
            return self.drain_by_eviction(cx, cause, nodes);
        }
        if self.drain_groups(cx, cause, nodes) {
            return;
        }
        for &node in nodes.iter().filter(|node| self.nodes[**node].exists()).collect::<Vec<_>>() {
            if let Drain::SubstituteFirst { deadline } = self.profile.replication.drain {
                self.substitute_pods_of(cx, cause, (node, deadline));
                continue;
            }
            self.delete_pods_of(cx, (Client::Operator, cause), node, Deletion::Drained);
        }
    }

    /// Time after which a rollout without progress is reported as stalled; `None`: never.
    pub(super) fn progress_deadline(&self, workload: WorkloadId) -> Option<Span> {
        let declared = self.catalog.workloads[workload].progress_deadline;
        match &self.profile.rollout {
            crate::profile::Rollout::Surge { progress_deadline, .. } => Some(declared.unwrap_or(*progress_deadline)),
            crate::profile::Rollout::Slots(_)
            | crate::profile::Rollout::Replace(_)
            | crate::profile::Rollout::Groups(_)
            | crate::profile::Rollout::Percent { .. } => None,
        }
    }
}
