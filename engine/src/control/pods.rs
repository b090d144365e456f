//! Life of a pod in the store: created, bound, assigned, reported, deleted.

use crate::control::balancer::Target;
use crate::control::budget::PodChange;
use crate::control::tables::{Loss, PodRow};
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId, RevisionId};
use crate::message::{Address, Ending, Message, PodReport};
use crate::model::WorkloadKind;
use crate::profile::Retry;
use crate::profile::{OnEachNode, Restart};
use crate::rollout::slots::SlotEvent;
use crate::time::{Span, Time};

impl Control {
    /// The store has a new replica.
    pub(super) fn pod_created(&mut self, cx: &mut Cx<'_>, cause: FactId, revision: RevisionId, how: (Time, u32)) {
        let row = &self.revisions[revision];
        let (workload, template) = (row.workload, row.template);
        let template = self.twins.get(&template).copied().unwrap_or(template);
        let (not_before, slot) = (how.0, self.slot_for(workload, how.1));
        let pod = self.pods.next_id();
        let fact = cx.facts.record(cx.now, cause, FactKind::PodCreated { pod, workload, revision });
        self.pods.push(PodRow {
            template,
            workload,
            revision,
            node: None,
            assumed: None,
            phase: PodPhase::Queued,
            deleting: None,
            absent: false,
            gone: false,
            created: cx.now,
            not_before,
            ready_since: Time::MAX,
            restarts: 0,
            last_fact: fact,
            delete_sent: false,
            overwritten: false,
            slot,
            succeeded: false,
            pinned: self.pinned(workload, slot),
            bound_at: Time::ZERO,
            turned: Time::ZERO,
            deletion_cost: self.catalog.templates[template].deletion_cost,
            leaving: None,
            target: Target::default(),
            stops_at: Time::ZERO,
            began: Time::MAX,
        });
        let row = &mut self.revisions[revision];
        row.pods.push(pod);
        row.tally.active += 1;
        self.budgets.pod_added(&self.pods[pod]);
        self.mount_needs(cx, pod, fact);
        cx.timers.set(cx.now + self.profile.control.watch_lag, fact, Alarm::PodSeen(pod));
        self.release_created(cx, pod);
        self.slot_created(cx, pod);
        self.group_created(cx, pod);
        self.job_pod_changed(cx, pod);
        self.creation_done(cx, revision);
        self.set_pod_created(cx, pod);
        self.plan_workload(cx, workload, fact);
    }

    /// The store has the scheduler's choice.
    pub(super) fn pod_bound(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, node: NodeId) {
        let row = &mut self.pods[pod];
        if row.gone || row.deleting.is_some() {
            return; // Deleted while the binding was on its way; its place was given back then.
        }
        row.node = Some(node);
        row.phase = PodPhase::Starting;
        let fact = cx.facts.record(cx.now, cause, FactKind::PodBound { pod, node });
        row.last_fact = fact;
        row.bound_at = cx.now;
        let seen = cx.now + self.profile.control.watch_lag;
        if row.not_before < Time::MAX {
            cx.timers.set(seen.max(row.not_before), fact, Alarm::Assign(pod));
        }
        self.nodes[node].pods.push(pod);
        self.initializes(cx, fact, pod);
        self.await_volumes(cx, pod, node);
        self.group_bound(cx, pod);
        self.tolerate_from_now(cx, pod, node);
        self.weigh_taints(cx, fact, pod, node);
        if !self.nodes[node].exists() {
            self.orphaned(cx, node); // Deleted while the binding was on its way; the store does not mind.
        }
    }

    /// The agent of a pod's node learns what the store has of it.
    pub(super) fn assign(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let Some(node) = row.node else { return };
        let (cause, template) = (row.last_fact, row.template);
        match row.deleting {
            Some(_) if cx.now < row.stops_at => {}
            Some(grace) if !row.gone => cx.tell(node, cause, Message::Terminate { pod, grace }),
            // Its agent does not start it before its volumes are mounted, and is told of it then.
            None if self.waits_for_volumes(pod) => {}
            None if !row.gone => cx.tell(node, cause, Message::Assign { pod, template }),
            _ => {}
        }
    }

    /// Asks for a pod's deletion, unless that was done already.
    pub(super) fn delete_pod(&mut self, cx: &mut Cx<'_>, by: (Client, FactId), what: (PodId, Deletion, Option<Span>)) {
        let (pod, why, grace) = what;
        let row = &mut self.pods[pod];
        // A deletion without grace goes through to a pod that is on its way out.
        let asked = row.deleting.is_some() || row.delete_sent;
        if row.gone || (asked && grace != Some(Span::ZERO)) {
            return;
        }
        row.delete_sent = true;
        self.write(cx, by.0, by.1, Write::DeletePod { pod, why, grace });
    }

    /// The store has a deletion: the pod no longer counts, and its agent will stop it.
    pub(super) fn pod_deleting(&mut self, cx: &mut Cx<'_>, cause: FactId, what: (PodId, Deletion, Option<Span>)) {
        let (pod, why, grace) = what;
        let default = self.profile.agent.default_grace;
        let row = &mut self.pods[pod];
        let (revision, workload) = (row.revision, row.workload);
        if matches!(why, Deletion::ScaledDown | Deletion::RolledOut) {
            let revision = &mut self.revisions[revision];
            revision.deleting = revision.deleting.saturating_sub(1);
        }
        if row.gone || row.deleting.is_some() {
            return self.force_deletion(cx, pod, grace);
        }
        let was_active = row.active();
        self.no_longer_superseded(pod);
        let row = &mut self.pods[pod];
        let explicit = grace;
        let grace = grace.or(self.catalog.templates[row.template].grace).unwrap_or(default);
        self.change(pod, |row| row.deleting = Some(grace));
        let fact = cx.facts.record(cx.now, cause, FactKind::PodDeleting { pod, why });
        let row = &mut self.pods[pod];
        row.last_fact = fact;
        let node = row.node;
        if was_active {
            self.replica_lost(cx, (pod, fact), why);
        }
        if why == Deletion::ScaledDown {
            self.slot_removed(pod);
        }
        self.endpoint_touched(cx, pod, fact);
        self.victim_ends(cx, pod);
        let drain = self.leave_balancer(cx, fact, pod);
        if let Some(node) = node {
            let request = self.request(pod);
            self.scheduling.scheduler.set_terminating(&request, node);
            let told = cx.now + self.profile.control.watch_lag.max(drain);
            self.pods[pod].stops_at = if drain.is_zero() { Time::ZERO } else { told };
            cx.timers.set(told, fact, Alarm::Assign(pod));
        } else {
            self.pod_gone(cx, pod, fact);
        }
        self.set_pod_changed(cx, pod, fact);
        self.force_deletion(cx, pod, explicit);
        self.plan_revision(cx, revision, self.profile.control.watch_lag);
        self.plan_workload(cx, workload, fact);
    }

    /// A deletion without grace removes the object at once, and an agent that is alive stops what it runs when it sees
    /// that. Source: kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go, `BeforeDelete`.
    fn force_deletion(&mut self, cx: &mut Cx<'_>, pod: PodId, grace: Option<Span>) {
        let row = &self.pods[pod];
        let (false, Some(Span::ZERO), Some(node)) = (row.gone, grace, row.node) else { return };
        let fact = row.last_fact;
        self.pod_gone(cx, pod, fact);
        cx.tell(node, fact, Message::Terminate { pod, grace: Span::ZERO });
    }

    /// A replica does not count any more: its revision's controller will want another.
    fn replica_lost(&mut self, cx: &mut Cx<'_>, lost: (PodId, FactId), why: Deletion) {
        let (pod, fact) = lost;
        let row = &self.pods[pod];
        if self.is_group(row.workload) {
            return self.group_lost(cx, lost, why);
        }
        if self.is_job(row.workload) {
            if why != Deletion::Failed {
                self.job_pod_deleting(cx, (pod, fact), why);
            }
            return;
        }
        if matches!(why, Deletion::ScaledDown | Deletion::RolledOut | Deletion::WorkloadDeleted | Deletion::Unneeded) {
            return;
        }
        if self.is_set(row.workload) {
            return; // Its own controller looks after it.
        }
        if self.catalog.workloads[row.workload].kind == WorkloadKind::Pod {
            self.revisions[row.revision].wanted = 0;
            self.workloads[row.workload].desired = 0;
            return;
        }
        if self.profile.replication.once {
            self.replica_forgone(pod);
            return self.observe_pod(cx, pod, SlotEvent::NewEnded);
        }
        if self.stays_missing(pod, why) {
            let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::NotReplaced };
            cx.facts.record(cx.now, fact, note);
            return self.observe_pod(cx, pod, SlotEvent::NewEnded);
        }
        if self.replaced_by_new(pod) {
            let workload = self.pods[pod].workload;
            return self.plan_workload(cx, workload, fact);
        }
        let Some(not_before) = self.restart_in_slot(cx, pod, why) else {
            return self.task_ended(cx, pod, why);
        };
        let loss = Loss { fact, not_before, slot: self.pods[pod].slot };
        let revision = self.replacement_revision(pod);
        let failed = matches!(why, Deletion::Failed | Deletion::TargetUnhealthy);
        let over = failed && self.rollout_failure(cx, (pod, fact));
        let at = match why {
            _ if over => None,
            Deletion::Failed => self.retry_at(cx, pod),
            _ => Some(cx.now),
        };
        if at.is_some_and(|at| at <= cx.now) {
            if self.profile.replication.retry != Retry::Constant {
                self.slot_creating(self.revisions[revision].workload, loss.slot);
            }
            self.revisions[revision].losses.push_back(loss);
        } else {
            self.hold_loss(cx, (pod, revision), loss, at);
        }
        self.plan_revision(cx, revision, self.profile.control.watch_lag);
        self.task_ended(cx, pod, why);
    }

    /// A replica on a silent node does not count until it is back.
    pub(super) fn replica_absent(&mut self, cx: &mut Cx<'_>, pod: PodId, fact: FactId) {
        self.change(pod, |row| row.absent = true);
        self.replica_lost(cx, (pod, fact), Deletion::NodeLost);
        let row = &self.pods[pod];
        let (revision, workload) = (row.revision, row.workload);
        self.plan_revision(cx, revision, self.profile.control.watch_lag);
        self.plan_workload(cx, workload, fact);
    }

    /// It is back, and there may be one too many.
    pub(super) fn replica_back(&mut self, cx: &mut Cx<'_>, pod: PodId, fact: FactId) {
        self.change(pod, |row| row.absent = false);
        let row = &self.pods[pod];
        let (revision, workload) = (row.revision, row.workload);
        self.plan_revision(cx, revision, self.profile.control.watch_lag);
        self.plan_workload(cx, workload, fact);
    }

    /// The object is gone: its place is free and nobody shows it any more.
    pub(super) fn pod_gone(&mut self, cx: &mut Cx<'_>, pod: PodId, cause: FactId) {
        let fact = cx.facts.record(cx.now, cause, FactKind::PodDeleted { pod });
        self.pods[pod].last_fact = fact;
        self.pod_removed(cx, pod);
    }

    /// Changes a pod and keeps its revision's counts.
    pub(super) fn change(&mut self, pod: PodId, change: impl FnOnce(&mut PodRow)) {
        let row = &mut self.pods[pod];
        let (before, was_gone) = (row.tally(), row.gone);
        change(row);
        let after = row.tally();
        let change = PodChange { pod, row, before, after, vanished: row.gone && !was_gone };
        self.budgets.pod_changed(&change);
        self.admission.pod_changed(&change);
        let tally = &mut self.revisions[row.revision].tally;
        tally.active = tally.active + after.active - before.active;
        tally.ready = tally.ready + after.ready - before.ready;
        tally.terminating = tally.terminating + after.terminating - before.terminating;
    }

    /// Takes a pod out of every table and frees its place.
    fn pod_removed(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        self.no_longer_superseded(pod);
        self.change(pod, |row| row.gone = true);
        let cause = self.pods[pod].last_fact;
        self.leave_balancer(cx, cause, pod);
        if self.drains.busy() {
            self.drained_pod_gone(cx, pod);
        }
        let row = &self.pods[pod];
        let (node, assumed, revision, workload) = (row.node, row.assumed, row.revision, row.workload);
        let fact = row.last_fact;
        self.endpoint_touched(cx, pod, fact);
        let siblings = &mut self.revisions[revision].pods;
        if let Ok(i) = siblings.binary_search(&pod) {
            siblings.remove(i); // Ids rise with creation, so the list is sorted.
        }
        if let Some(node) = node {
            self.nodes[node].pods.retain(|&p| p != pod);
            self.forget_ending(pod, node);
        }
        self.forget_in_queue(cx, pod);
        if let Some(node) = assumed.or(node) {
            self.free_place(cx, pod, node);
        }
        self.storage_pod_gone(cx, pod, fact);
        self.observe_pod(cx, pod, SlotEvent::OldStopped);
        self.former_task_gone(cx, pod);
        self.job_pod_gone(cx, pod);
        self.set_pod_gone(cx, pod);
        self.group_removed(cx, pod);
        self.pools_changed(cx);
        self.plan_workload(cx, workload, fact);
    }

    /// A message from an agent.
    pub(super) fn message(&mut self, cx: &mut Cx<'_>, cause: FactId, from: Address, message: Message) {
        let Address::Agent(node) = from else { return };
        if !self.event_heard(cx, node) {
            return;
        }
        match message {
            Message::Register => {
                self.register(cx, cause, node);
                self.agent_rebooted(cx, cause, node);
                self.storage_agent_back(cx, cause, node);
                if self.profile.agent.volatile {
                    self.end_what_ran(cx, cause, node);
                }
                self.hello(cx, cause, node);
            }
            Message::Hello => {
                self.storage_agent_back(cx, cause, node);
                self.hello(cx, cause, node);
            }
            Message::Status { pod, state } => {
                if state == PodReport::Terminated {
                    self.storage_let_go(cx, cause, pod, node);
                }
                let write = Write::Report { pod, node, report: state };
                self.write(cx, Client::Agent, cause, write);
            }
            Message::HasImage { image } => self.scheduling.scheduler.add_image(node, image),
            Message::LostImage { image } => self.scheduling.scheduler.remove_image(node, image),
            Message::Pressure { pressure, on } => self.pressure_reported(cx, cause, node, (pressure, on)),
            // Only agents receive these.
            Message::Assign { .. } | Message::Terminate { .. } | Message::Snapshot { .. } => {}
        }
    }

    /// An agent starts anew and has nothing of what ran on its host.
    fn end_what_ran(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let code = crate::fact::Exit::HostLost.code();
        let ending = Ending { at: cx.now, container: 0, code, evicted: false };
        for pod in self.nodes[node].pods.clone() {
            if self.pods[pod].began < Time::MAX && !self.pods[pod].gone {
                self.pod_finished(cx, cause, pod, (false, ending));
            }
        }
    }

    /// An agent starts or is back: it gets everything that it should run.
    pub(super) fn hello(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let due = |pod: &&PodId| {
            self.pods[**pod].not_before <= cx.now && !self.waits_for_volumes(**pod) && self.survives_reboot(**pod)
        };
        let pods = self.nodes[node].pods.iter().filter(due);
        let stops = |pod: PodId| self.pods[pod].deleting.filter(|_| self.pods[pod].stops_at <= cx.now);
        let pods = pods.map(|&pod| (pod, self.pods[pod].template, stops(pod)));
        let snapshot = pods.chain(self.storage_leftovers(node)).collect();
        cx.tell(node, cause, Message::Snapshot { pods: snapshot });
    }

    /// The store has an agent's report.
    pub(super) fn pod_reported(&mut self, cx: &mut Cx<'_>, cause: FactId, what: (PodId, NodeId, PodReport)) {
        let (pod, node, report) = what;
        let row = &self.pods[pod];
        let again = row.phase == PodPhase::Finished && matches!(report, PodReport::Finished { .. });
        if row.gone || row.node != Some(node) || again {
            return;
        }
        let deleting = row.deleting.is_some();
        self.pods[pod].overwritten = false;
        if self.stays_listed(pod) {
            self.container_back(cx, cause, (pod, report));
        }
        // Of a resolution of seconds, like every time in the API.
        self.scheduling.scheduler.set_started(pod, Time::from_secs(cx.now.as_nanos() / 1_000_000_000));
        match report {
            PodReport::Starting => self.set_phase(cx, cause, pod, PodPhase::Starting),
            PodReport::Running { ready } => {
                self.scheduling.scheduler.set_running(pod);
                let began = &mut self.pods[pod].began;
                *began = (*began).min(cx.now);
                let phase = self.phase_behind_balancer(cx, cause, (pod, ready));
                self.set_phase(cx, cause, pod, phase);
            }
            PodReport::Failing => self.set_phase(cx, cause, pod, PodPhase::Failing),
            PodReport::Finished { success, ending } => self.pod_finished(cx, cause, pod, (success, ending)),
            PodReport::Terminated if deleting => self.pod_gone(cx, pod, cause),
            // The agent lost a pod that it should run: it is told again.
            PodReport::Terminated => {
                cx.timers.set(cx.now + self.profile.control.watch_lag, cause, Alarm::Assign(pod));
            }
        }
    }

    /// A pod's phase changes, and with it readiness, endpoints and rollouts.
    pub(super) fn set_phase(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, phase: PodPhase) {
        let before = self.pods[pod].phase;
        let was_ready = before == PodPhase::Ready;
        let is_ready = phase == PodPhase::Ready;
        if before == PodPhase::Starting && phase != before {
            self.restart_delay(cx, pod);
        }
        if is_ready && !was_ready {
            self.launch_confirmed(pod);
        }
        self.change(pod, |row| row.phase = phase);
        if before != phase {
            self.job_pod_changed(cx, pod);
        }
        if was_ready != is_ready {
            self.pods[pod].turned = cx.now;
        }
        if phase == PodPhase::Failing {
            self.pods[pod].restarts += 1;
        }
        let row = &mut self.pods[pod];
        let fact = match (was_ready, is_ready) {
            (false, true) => {
                row.ready_since = cx.now;
                cx.facts.record(cx.now, cause, FactKind::PodReady { pod })
            }
            (true, false) => {
                row.ready_since = Time::MAX;
                cx.facts.record(cx.now, cause, FactKind::PodUnready { pod })
            }
            _ => {
                if before != phase {
                    self.endpoint_touched(cx, pod, cause);
                    if phase == PodPhase::Failing {
                        self.set_pod_changed(cx, pod, cause);
                    }
                }
                return;
            }
        };
        row.last_fact = fact;
        let workload = row.workload;
        self.endpoint_touched(cx, pod, fact);
        if is_ready {
            self.observe_pod(cx, pod, SlotEvent::NewRunning);
            self.substitute_ready(cx, pod);
        }
        self.replica_turned(cx, pod);
        self.set_pod_changed(cx, pod, fact);
        self.plan_workload(cx, workload, fact);
        let min_ready = self.catalog.workloads[workload].min_ready;
        if is_ready && !min_ready.is_zero() {
            let available = cx.now + min_ready + self.profile.control.watch_lag;
            cx.timers.set(available, fact, Alarm::SyncWorkload(workload));
        }
    }

    /// The node controller has marked a pod of an unhealthy node as not ready.
    pub(super) fn pod_marked_unready(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, node: NodeId) {
        let row = &self.pods[pod];
        let stale = row.gone || row.node != Some(node) || self.nodes[node].healthy;
        if !stale && row.phase == PodPhase::Ready {
            self.set_phase(cx, cause, pod, PodPhase::Running);
            self.pods[pod].overwritten = true;
        }
    }

    /// A pod's containers have ended, and its host's daemon leaves them so: it keeps its place and does not run.
    fn pod_stays(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::StaysDown };
        let fact = cx.facts.record(cx.now, cause, note);
        self.set_phase(cx, fact, pod, PodPhase::Failing);
        self.observe_pod(cx, pod, SlotEvent::NewEnded);
    }

    /// A pod ended for good.
    fn pod_finished(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, how: (bool, Ending)) {
        let success = how.0;
        self.pods[pod].succeeded = success;
        if matches!(self.profile.restart, Restart::Local(_)) && !self.is_job(self.pods[pod].workload) {
            return self.pod_stays(cx, cause, pod);
        }
        self.set_phase(cx, cause, pod, PodPhase::Running);
        let was_active = self.pods[pod].active();
        self.change(pod, |row| row.phase = PodPhase::Finished);
        let row = &self.pods[pod];
        let (node, revision) = (row.node, row.revision);
        let mut cause = cause;
        if how.1.evicted {
            cause = cx.facts.record(cx.now, cause, FactKind::PodDisrupted { pod, why: Deletion::NodePressure });
        }
        let kind = if success { FactKind::PodSucceeded { pod } } else { FactKind::PodFailed { pod } };
        let fact = cx.facts.record(cx.now, cause, kind);
        self.pods[pod].last_fact = fact;
        self.job_pod_ended(cx, (pod, fact), how);
        if !success || self.profile.daemons == OnEachNode::Open {
            self.daemon_failed(cx, pod);
        }
        if !success {
            self.failed_on_node(cx, pod);
        }
        self.delay_launches(cx, pod);
        if was_active && self.is_group(self.pods[pod].workload) {
            self.group_ended(cx, (pod, fact), (success, how.1.at));
        } else if was_active {
            self.replica_lost(cx, (pod, fact), Deletion::Failed);
        }
        if !self.stays_listed(pod) {
            if let Some(node) = node {
                cx.tell(node, fact, Message::Terminate { pod, grace: Span::ZERO });
            }
            self.pod_removed(cx, pod);
        }
        self.plan_revision(cx, revision, self.profile.control.watch_lag);
    }
}
