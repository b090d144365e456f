//! DaemonSets: which nodes their pods are on, and what a pass writes.
//!
//! Nothing here looks at all nodes at each event: a node is looked at again when one of its pods or its own taints changed.
//! Only an update under way goes over all of them, in a compact table. Decisions are in [`crate::rollout::daemon`]. Start
//! at [`Control::sync_daemon`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{Id, NodeId, PodId, WorkloadId};
use crate::model::{Amount, DaemonSpec, Details, Toleration, WorkloadKind};
use crate::profile::{OnEachNode, Rollout, SlotOrder};
use crate::rollout::daemon::{self, Backoff, Fit, Handover, Limits, Node, Pod, Steps};
use crate::scheduler;
use crate::time::Time;

/// Creations and deletions of one pass at most.
/// Source: kubernetes/kubernetes:pkg/controller/daemon/daemon_controller.go, `BurstReplicas`.
const BURST: usize = 250;

/// All DaemonSets that exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Daemons {
    rows: BTreeMap<WorkloadId, DaemonRow>,
    /// Nodes that came, went, or changed their taints.
    touched: Vec<NodeId>,
}

/// What the controller of one DaemonSet knows.
#[derive(Clone, Debug, Default)]
struct DaemonRow {
    /// As declared now.
    spec: Option<DaemonSpec>,
    /// By node.
    places: Vec<Place>,
    /// Nodes to be counted again.
    dirty: BTreeSet<NodeId>,
    /// Nodes to be brought into order.
    todo: BTreeSet<NodeId>,
    /// Nodes that are looked at again at a time: a pod becomes available, a back-off ends.
    due: BTreeSet<(Time, NodeId)>,
    counts: Counts,
    /// The status as last written.
    status: Option<Counts>,
    /// What is left of this pass.
    creates: VecDeque<NodeId>,
    batch: usize,
    deletes: Vec<PodId>,
    /// Writes on their way.
    creating: u32,
    deleting: BTreeSet<PodId>,
}

/// A node as one DaemonSet sees it.
#[derive(Clone, Debug, Default)]
struct Place {
    fit: Fit,
    /// Its pods there until they are gone, in order of creation.
    pods: Vec<PodId>,
    /// Of these, those that stay, as last counted.
    staying: Vec<Pod>,
    /// What it adds to the counts.
    counts: Counts,
    /// No pod is created before this: the last one failed.
    held: Time,
    backoff: Backoff,
    /// Why it changed.
    why: FactId,
}

/// Sums over nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Nodes that should have a pod.
    desired: u32,
    /// Of these: nodes with a pod that stays.
    active: u32,
    ready: u32,
    available: u32,
    updated: u32,
    /// Nodes with a pod that should have none.
    misscheduled: u32,
    /// Nodes with a pod of an older revision that stays.
    old: u32,
    /// Nodes without a pod, because one is on its way out or failed.
    waiting: u32,
}

impl Counts {
    fn fields(&mut self) -> [&mut u32; 8] {
        let Self { desired, active, ready, available, updated, misscheduled, old, waiting } = self;
        [desired, active, ready, available, updated, misscheduled, old, waiting]
    }

    /// Replaces one node's part of the sums.
    fn exchange(&mut self, mut former: Self, mut present: Self) {
        for (sum, (before, after)) in self.fields().into_iter().zip(former.fields().into_iter().zip(present.fields())) {
            *sum = *sum + *after - *before;
        }
    }
}

impl DaemonRow {
    fn is_busy(&self) -> bool {
        self.creating > 0 || !self.creates.is_empty() || !self.deleting.is_empty() || !self.deletes.is_empty()
    }

    /// A node's place, marked to be looked at again.
    fn disturb(&mut self, node: NodeId, why: FactId) -> &mut Place {
        self.dirty.insert(node);
        let place = &mut self.places[node.index()];
        place.why = why;
        place
    }
}

impl Control {
    /// Whether a pod is one of a DaemonSet, which draining leaves alone.
    pub(super) fn is_daemon(&self, pod: PodId) -> bool {
        self.catalog.workloads[self.pods[pod].workload].kind == WorkloadKind::DaemonSet
    }

    /// What a pod of a DaemonSet tolerates without saying so.
    pub(super) fn daemon_tolerations(&self, pod: PodId) -> Vec<Toleration> {
        daemon::tolerations(&self.catalog.known, &self.catalog.templates[self.pods[pod].template])
    }

    /// The only node that a new pod of a workload may go to: slots of daemons are nodes.
    pub(super) fn pinned(&self, workload: WorkloadId, slot: u32) -> Option<NodeId> {
        (self.catalog.workloads[workload].kind == WorkloadKind::DaemonSet).then_some(NodeId(slot))
    }

    /// A DaemonSet begins its life.
    pub(super) fn daemon_applied(&mut self, workload: WorkloadId) {
        let places = vec![Place::default(); self.catalog.nodes.len()];
        let Details::Daemon(spec) = &self.catalog.workloads[workload].details else { return };
        let spec = self.updated_as_slots(workload).unwrap_or_else(|| spec.clone());
        self.daemons.rows.insert(workload, DaemonRow { spec: Some(spec), places, ..DaemonRow::default() });
        self.daemon_deployed(workload);
    }

    /// How many nodes at once, where those are updated as slots are: by parallelism and order. Of delay, monitor and
    /// failure action nothing is modelled here.
    fn updated_as_slots(&self, workload: WorkloadId) -> Option<DaemonSpec> {
        let (OnEachNode::Open, Rollout::Slots(update)) = (self.profile.daemons, &self.profile.rollout) else {
            return None;
        };
        let update = update.wished(&self.catalog.workloads[workload].wishes.update);
        let at_once = Amount::Count(if update.parallelism == 0 { u32::MAX } else { update.parallelism });
        let (max_unavailable, max_surge) = match update.order {
            SlotOrder::StopFirst => (at_once, Amount::Count(0)),
            SlotOrder::StartFirst => (Amount::Count(0), at_once),
        };
        Some(DaemonSpec { max_unavailable, max_surge, on_delete: false })
    }

    /// A DaemonSet's present declaration; `None` for every other kind.
    pub(super) fn daemon_spec(&self, workload: WorkloadId) -> Option<&DaemonSpec> {
        self.daemons.rows.get(&workload)?.spec.as_ref()
    }

    /// A DaemonSet is declared anew: how it is updated.
    pub(super) fn daemon_declared(&mut self, workload: WorkloadId, spec: &DaemonSpec) {
        if let Some(row) = self.daemons.rows.get_mut(&workload) {
            row.spec = Some(spec.clone());
        }
    }

    /// A DaemonSet has a new template: every node is looked at again, and failures of the old one are forgotten.
    pub(super) fn daemon_deployed(&mut self, workload: WorkloadId) {
        let cause = self.workloads[workload].cause;
        for node in self.catalog.nodes.ids() {
            let fit = self.daemon_fit(workload, node);
            let Some(row) = self.daemons.rows.get_mut(&workload) else { return };
            let place = row.disturb(node, cause);
            (place.fit, place.held, place.backoff) = (fit, Time::ZERO, Backoff::default());
        }
    }

    /// A DaemonSet is deleted.
    pub(super) fn daemon_deleted(&mut self, workload: WorkloadId) {
        self.daemons.rows.remove(&workload);
    }

    fn daemon_fit(&self, workload: WorkloadId, node: NodeId) -> Fit {
        let Some(revision) = self.workloads[workload].current else { return Fit::No };
        let template = &self.catalog.templates[self.revisions[revision].template];
        let spec = &self.catalog.nodes[node];
        let named = template.node_name.is_none_or(|name| name == spec.name);
        if !self.nodes[node].exists() || !named || !scheduler::node_admits(template, spec, &self.catalog) {
            return Fit::No;
        }
        let automatic = match self.profile.daemons {
            OnEachNode::Tolerant => daemon::tolerations(&self.catalog.known, template),
            OnEachNode::Open => Vec::new(),
        };
        daemon::fit(&self.taints_of(node), &template.tolerations, &automatic)
    }

    /// A node came, went, or changed its taints.
    pub(super) fn daemons_notice(&mut self, node: NodeId) {
        if !self.daemons.rows.is_empty() {
            self.daemons.touched.push(node);
        }
    }

    /// DaemonSets learn of changed nodes. Their controller looks only where a pod is missing or has to go.
    /// Source: kubernetes/kubernetes:pkg/controller/daemon/daemon_controller.go, `addNode` and `syncNodeUpdate`.
    pub(super) fn wake_daemons(&mut self, cx: &mut Cx<'_>) {
        if self.daemons.touched.is_empty() {
            return;
        }
        let workloads: Vec<WorkloadId> = self.daemons.rows.keys().copied().collect();
        let mut touched = std::mem::take(&mut self.daemons.touched);
        touched.sort_unstable();
        touched.dedup();
        for node in touched {
            for &workload in &workloads {
                self.refit(cx, workload, node);
            }
        }
    }

    fn refit(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, node: NodeId) {
        let (fit, news) = (self.daemon_fit(workload, node), self.nodes[node].news);
        let Some(mut row) = self.daemons.rows.remove(&workload) else { return };
        let place = &mut row.places[node.index()];
        let changed = std::mem::replace(&mut place.fit, fit) != fit;
        let wanted = match fit {
            Fit::Run => !place.pods.iter().any(|pod| self.pods[*pod].active()),
            Fit::Stay => false,
            Fit::No => !place.pods.is_empty(),
        };
        if changed {
            place.why = news;
            self.count_place(cx, workload, &mut row, node);
            self.workloads[workload].desired = row.counts.desired;
        }
        if wanted {
            row.todo.insert(node);
        }
        self.daemons.rows.insert(workload, row);
        // An update under way may be waiting for this node.
        if wanted || (changed && self.workloads[workload].rollout.is_some()) {
            self.plan_workload(cx, workload, news);
        }
    }

    /// One pass over a DaemonSet.
    pub(super) fn sync_daemon(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        if !self.workloads[workload].exists {
            return;
        }
        let Some(mut row) = self.daemons.rows.remove(&workload) else { return };
        while row.due.first().is_some_and(|(at, _)| *at <= cx.now) {
            row.dirty.extend(row.due.pop_first().map(|(_, node)| node));
        }
        for node in std::mem::take(&mut row.dirty) {
            self.count_place(cx, workload, &mut row, node);
            row.todo.insert(node);
        }
        self.workloads[workload].desired = row.counts.desired;
        if !row.is_busy() {
            let steps = self.daemon_steps(cx, workload, &mut row);
            row.batch = 1;
            row.creates = steps.create.into();
            row.deletes = steps.delete;
        }
        let status = row.status.replace(row.counts) != Some(row.counts);
        self.daemons.rows.insert(workload, row);
        self.send_daemon_writes(cx, workload);
        if status {
            self.store.spend(cx.now, Client::Daemon);
        }
        self.daemon_rolled_out(cx, workload);
    }

    /// What this pass writes: nodes are brought into order first, and only then an update goes on.
    fn daemon_steps(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, row: &mut DaemonRow) -> Steps {
        let Some(spec) = &row.spec else { return Steps::default() };
        let on_delete = spec.on_delete;
        let limits = Limits::new(spec.max_surge, spec.max_unavailable, row.counts.desired);
        let handover = if limits.surge > 0 { Handover::CreateFirst } else { Handover::DeleteFirst };
        let mut steps = Steps::default();
        let current = self.workloads[workload].current;
        let held = current.is_some_and(|revision| self.admission.holds(revision, cx.now));
        let mut refused = BTreeSet::new();
        while let Some(node) = row.todo.pop_first() {
            let place = &row.places[node.index()];
            if place.fit == Fit::Run && place.staying.is_empty() && place.held > cx.now {
                continue; // It is due when its back-off ends.
            }
            if held && place.fit == Fit::Run && place.staying.is_empty() {
                refused.insert(node);
                continue; // It is tried again when the API server may say yes.
            }
            daemon::manage(&self.daemon_node(node, place), handover, &mut steps);
            if steps.create.len().max(steps.delete.len()) >= BURST {
                break; // The rest is for the next pass.
            }
        }
        if steps == Steps::default() && row.counts.old > 0 && !on_delete {
            let nodes = row.places.iter().enumerate();
            steps = daemon::update(nodes.map(|(n, place)| self.daemon_node(NodeId(n as u32), place)), limits);
        }
        row.todo.extend(refused);
        steps.create.truncate(if held { 0 } else { BURST });
        steps.delete.truncate(BURST);
        steps
    }

    fn daemon_node<'a>(&self, node: NodeId, place: &'a Place) -> Node<'a> {
        Node {
            id: node,
            exists: self.nodes[node].exists(),
            fit: place.fit,
            pods: &place.staying,
            leaving: place.pods.len() > place.staying.len(),
        }
    }

    /// Counts a node's pods again.
    fn count_place(&self, cx: &mut Cx<'_>, workload: WorkloadId, row: &mut DaemonRow, node: NodeId) {
        let current = self.workloads[workload].current;
        let min_ready = self.catalog.workloads[workload].min_ready;
        let place = &mut row.places[node.index()];
        place.staying.clear();
        for &pod in &place.pods {
            let pod_row = &self.pods[pod];
            if !pod_row.active() {
                continue;
            }
            let ready = pod_row.phase == PodPhase::Ready;
            let available = ready && cx.now.since(pod_row.ready_since) >= min_ready;
            if ready && !available {
                row.due.insert((pod_row.ready_since + min_ready, node));
            }
            let (updated, bound) = (Some(pod_row.revision) == current, pod_row.node.is_some());
            place.staying.push(Pod { id: pod, updated, ready, available, bound });
        }
        let run = place.fit == Fit::Run;
        let empty = place.staying.is_empty();
        if run && empty && place.held > cx.now {
            row.due.insert((place.held, node));
        }
        let any = |of: fn(&Pod) -> bool| u32::from(run && place.staying.iter().any(of));
        let counts = Counts {
            desired: run.into(),
            active: any(|_| true),
            ready: any(|pod| pod.ready),
            available: any(|pod| pod.available),
            updated: any(|pod| pod.updated),
            misscheduled: (!run && !place.pods.is_empty()).into(),
            old: place.staying.iter().any(|pod| !pod.updated).into(),
            waiting: (run && empty && (!place.pods.is_empty() || place.held > cx.now)).into(),
        };
        row.counts.exchange(std::mem::replace(&mut place.counts, counts), counts);
    }

    /// Sends what is left of a pass: creations in growing batches, then all deletions.
    fn send_daemon_writes(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(revision) = self.workloads[workload].current else { return };
        let asked = self.workloads[workload].cause;
        let Some(row) = self.daemons.rows.get_mut(&workload).filter(|row| row.creating == 0) else { return };
        let batch = row.batch.min(row.creates.len());
        row.batch *= 2;
        row.creating = batch as u32;
        let creates: Vec<(NodeId, FactId)> =
            row.creates.drain(..batch).map(|node| (node, row.places[node.index()].why.max(asked))).collect();
        let deletes = if batch == 0 { std::mem::take(&mut row.deletes) } else { Vec::new() };
        for (node, cause) in creates {
            self.revisions[revision].creating += 1;
            let write = Write::CreatePod { revision, not_before: Time::ZERO, slot: node.0 };
            self.write(cx, Client::Daemon, cause, write);
        }
        for pod in deletes {
            self.delete_daemon(cx, workload, pod);
        }
    }

    fn delete_daemon(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, pod: PodId) {
        let owner = &self.workloads[workload];
        let row = &self.pods[pod];
        if row.gone || row.deleting.is_some() {
            return;
        }
        let Some(daemon) = self.daemons.rows.get_mut(&workload) else { return };
        daemon.deleting.insert(pod);
        let place = &daemon.places[row.slot as usize];
        let outdated = Some(row.revision) != owner.current && place.fit != Fit::No;
        let asked = owner.rollout.as_ref().map_or(owner.cause, |rollout| rollout.fact);
        let by =
            if outdated { (Deletion::RolledOut, asked) } else { (Deletion::ScaledDown, place.why.max(owner.cause)) };
        self.delete_pod(cx, (Client::Daemon, by.1), (pod, by.0, None));
    }

    /// The store has a new pod of a DaemonSet, or refused it.
    pub(super) fn daemon_create_done(
        &mut self,
        cx: &mut Cx<'_>,
        workload: WorkloadId,
        (slot, pod): (u32, Option<PodId>),
    ) {
        let cause = self.workloads[workload].cause;
        let Some(row) = self.daemons.rows.get_mut(&workload) else { return };
        row.creating = row.creating.saturating_sub(1);
        let why = pod.map_or(cause, |pod| self.pods[pod].last_fact);
        row.disturb(NodeId(slot), why).pods.extend(pod);
        self.daemon_write_done(cx, workload);
    }

    /// The API server refused to create a pod: the creations of this pass are given up.
    pub(super) fn daemon_refused(&mut self, cx: &mut Cx<'_>, workload: WorkloadId, slot: u32) {
        if let Some(row) = self.daemons.rows.get_mut(&workload) {
            row.dirty.extend(row.creates.drain(..));
        }
        self.daemon_create_done(cx, workload, (slot, None));
    }

    fn daemon_write_done(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        self.send_daemon_writes(cx, workload);
        if self.daemons.rows.get(&workload).is_some_and(|row| !row.is_busy()) {
            let cause = self.workloads[workload].cause;
            self.plan_workload(cx, workload, cause);
        }
    }

    /// A pod of a DaemonSet is ready, is not, or is on its way out.
    pub(super) fn daemon_changed(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, node, fact, leaves) = (row.workload, NodeId(row.slot), row.last_fact, row.deleting.is_some());
        let Some(daemon) = self.daemons.rows.get_mut(&workload) else { return };
        let place = daemon.disturb(node, fact);
        if row.gone {
            place.pods.retain(|&p| p != pod);
        }
        if (leaves || row.gone) && daemon.deleting.remove(&pod) {
            self.daemon_write_done(cx, workload);
        }
    }

    /// A pod of a DaemonSet failed: the next one on its node may have to wait.
    pub(super) fn daemon_failed(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let (workload, fact) = (row.workload, row.last_fact);
        let Some(daemon) = self.daemons.rows.get_mut(&workload) else { return };
        let place = &mut daemon.places[row.slot as usize];
        if place.pods.contains(&pod) {
            place.held = match self.profile.daemons {
                OnEachNode::Tolerant => place.backoff.failed(cx.now),
                OnEachNode::Open => {
                    let wish = self.catalog.workloads[workload].wishes.restart.delay;
                    cx.now + wish.unwrap_or(self.profile.replication.replacement_delay)
                }
            };
            if place.held > cx.now {
                cx.timers.set(place.held, fact, Alarm::SyncWorkload(workload));
            }
        }
    }

    fn daemon_rolled_out(&mut self, cx: &mut Cx<'_>, workload: WorkloadId) {
        let Some(row) = self.daemons.rows.get(&workload) else { return };
        let Counts { desired, updated, available, old, .. } = row.counts;
        if old > 0 || updated < desired || available < desired || row.is_busy() {
            return;
        }
        if let Some(rollout) = self.workloads[workload].rollout.take() {
            let done = FactKind::RolloutCompleted { workload, revision: rollout.revision };
            cx.facts.record(cx.now, rollout.fact, done);
            self.forget_old_revisions(workload);
        }
    }

    /// Nodes with a pod, a ready pod, a pod of the newest revision, for a DaemonSet.
    pub(super) fn daemon_counts(&self, workload: WorkloadId) -> Option<(u32, u32, u32)> {
        let spec = self.daemon_spec(workload)?;
        let counts = self.daemons.rows.get(&workload)?.counts;
        Some((counts.active, counts.ready, if spec.on_delete { counts.active } else { counts.updated }))
    }

    /// Whether writes or waits of a DaemonSet are under way.
    pub(super) fn daemon_works(&self, workload: WorkloadId) -> bool {
        let Some(row) = self.daemons.rows.get(&workload) else { return false };
        row.is_busy() || row.counts.waiting > 0 || !row.dirty.is_empty() || !row.todo.is_empty()
    }

    /// Lists and sums of DaemonSets, taken again the slow way.
    pub(super) fn audit_daemons(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (&workload, row) in &self.daemons.rows {
            let mut sum = Counts::default();
            for (n, place) in row.places.iter().enumerate() {
                sum.exchange(Counts::default(), place.counts);
                let lives = |pod: &&PodId| !self.pods[**pod].gone && self.pods[**pod].slot as usize == n;
                if place.pods.iter().filter(lives).count() != place.pods.len() {
                    wrong.push(format!(
                        "{workload:?} lists on node {n} pods that are gone or elsewhere: {:?}",
                        place.pods
                    ));
                }
            }
            if sum != row.counts {
                wrong.push(format!("{workload:?} counts {:?}, and its nodes have {sum:?}", row.counts));
            }
            let revisions = &self.workloads[workload].revisions;
            let pods = revisions.iter().flat_map(|&r| &self.revisions[r].pods);
            let unlisted = pods.filter(|pod| !row.places[self.pods[**pod].slot as usize].pods.contains(pod));
            wrong.extend(unlisted.map(|pod| format!("{workload:?} does not list {pod:?}")));
        }
        wrong
    }
}
