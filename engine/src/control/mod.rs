//! The control plane: store, scheduler, controllers. It sees nodes only through heartbeats and messages.
//!
//! - `store`: what a change costs, and [`store::Write`], all changes there are
//! - `pods`: life of a pod in the store · `nodes`: health, zones, eviction · `garbage`: deleted nodes · `scheduling`: the scheduler's loop
//! - `replication`: revisions keep their number · `workloads`: rollouts, operations · `endpoints`: discovery
//! - `job`, `cron`: runs to completion · `autoscaler`: replicas follow a load · `pools`: machines follow pods
//! - `stateful`, `daemon`: replicas with names, one pod a node · `sets`: where the life of pods meets those two
//! - `balancer`: replicas that a load balancer asks · `substitution`: replicas that go when others are ready
//! - `view`: what others may see · `audit`: whether all tables agree
//!
//! Start at [`Control::alarm`], the table of everything that happens by itself.

mod admission;
mod api;
mod audit;
mod autoscaler;
mod balancer;
mod breaker;
mod budget;
mod cron;
mod daemon;
mod endpoints;
mod evaluations;
mod events;
mod garbage;
mod groups;
mod hints;
mod job;
mod labels;
mod leader;
mod nodes;
mod offers;
mod once;
mod operations;
mod pods;
mod polls;
mod pools;
mod preemption;
mod replace;
mod replication;
mod retry;
mod scheduling;
mod sets;
mod slices;
mod slot_restart;
mod slots;
mod stateful;
mod store;
mod substitution;
mod tables;
mod taints;
mod ticks;
mod view;
mod volumes;
mod waiting;
mod watchdog;
mod workloads;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fact::{Client, Component, FactId, FactLog, Refused};
use crate::ids::{
    AutoscalerId, BudgetId, NodeId, PodId, QuotaId, RevisionId, ServiceId, Table, TemplateId, WorkloadId, ZoneId,
};
use crate::message::{InputKind, Message, Order, OrderKind};
use crate::model::Catalog;
use crate::profile::{Eviction, Profile};
use crate::rng::{Purpose, Streams};
use crate::time::{Span, Time};
use crate::timers::Timers;

pub use view::{NodeView, PodPhase, PodView, View, WorkloadView};

pub(crate) use store::Write;
use tables::{NodeRow, PodRow, RevisionRow, WorkloadRow, ZoneRow};

/// Something that the control plane does later by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alarm {
    /// A change reaches the store.
    Commit(Write),
    /// The scheduler has seen a new pod.
    PodSeen(PodId),
    /// A worker plans a job's waiting replicas.
    Evaluate(WorkloadId),
    /// A job's plan is applied.
    ApplyPlan(WorkloadId),
    /// The scheduler is free again, or its queue has something that is due.
    Schedule,
    /// A pod's agent is told of it.
    Assign(PodId),
    /// A revision's controller looks at its replicas.
    SyncRevision(RevisionId),
    /// A workload's controller looks at its revisions.
    SyncWorkload(WorkloadId),
    /// A service's controller looks at its pods.
    SyncService(ServiceId),
    /// The monitor may find a node silent, unless it was heard since (stamp).
    Monitor { node: NodeId, stamp: u32 },
    /// A node writes its key again, unless there was other news of it since (stamp).
    BeatsAgain { node: NodeId, stamp: u32 },
    /// A silent node's connection may be given up, unless it was heard since (stamp).
    Disconnect { node: NodeId, stamp: u32 },
    /// A node has been silent for so long that it is given up for good, unless it was heard since (stamp).
    Orphan { node: NodeId, stamp: u32 },
    /// A node waits for its eviction taint, unless it recovered (stamp).
    QueueEviction { node: NodeId, stamp: u32 },
    /// A zone may taint its next node.
    EvictNext(ZoneId),
    /// Tolerations of this length have ended on a node, unless it lost that taint.
    TolerationOver { node: NodeId, taint: u32, length: Span },
    /// A recovered node loses its eviction taint.
    CancelEviction { node: NodeId },
    /// The agent of a node that has just joined reports it ready, unless the object is another one by now (taint).
    NodeReady { node: NodeId, taint: u32 },
    /// A pod's toleration of the taints that people set on its node may be over.
    TolerationEnds { pod: PodId, node: NodeId },
    /// The collector looks for pods whose node does not exist.
    CollectGarbage,
    /// Something about offers, or about instances on silent nodes.
    Offers(offers::OffersAlarm),
    /// Something about claims and volumes.
    Storage(volumes::StorageAlarm),
    /// A job's controller looks at a run.
    SyncJob(RevisionId),
    /// A finished run has been kept for long enough.
    JobExpired(RevisionId),
    /// A cron job may be due.
    Cron(WorkloadId),
    /// An autoscaler looks at its metrics.
    Autoscale(AutoscalerId),
    /// The cluster autoscaler looks around.
    ScalePools,
    /// A budget's controller looks at its pods.
    SyncBudget(BudgetId),
    /// An eviction is tried again.
    Evict { pod: PodId, attempt: u32 },
    /// A drain is done with a node.
    DrainNext(u32),
    /// The webhooks have answered a request to create a pod, or their time is over.
    Admitted { write: Write, refused: Option<Refused> },
    /// A controller whose creation was refused tries again.
    RetryCreation(RevisionId),
    /// A controller whose change of an object was refused tries again.
    RetryChange(admission::Change),
    /// A quota's controller counts.
    CountQuota(QuotaId),
    /// A pod should have ended long ago.
    Overdue(PodId),
    /// A request has its token and goes out.
    Send { client: Client, write: Write },
    /// An instance has got a part's lease, unless that was decided otherwise since (stamp).
    Elected { part: Component, stamp: u32 },
    /// A node comes back to the leader of a term.
    NodeReturns { node: NodeId, term: u32 },
    /// A leader has not been able to renew its lease, unless it did since (stamp).
    RenewalFailed { part: Component, stamp: u32 },
    /// A node is polled, or the time of a poll is over, unless things have changed (stamp).
    Poll { node: NodeId, stamp: u32 },
    /// The watchdog moves its next container.
    MoveNext,
    /// The API can be used again.
    Reconnected { stamp: u32 },
    /// Something about a group of replicas.
    Group(groups::GroupAlarm),
    /// A target of the load balancer failed, and that is overlooked no longer.
    TargetFailed(PodId),
    /// A replica should have been found well by now.
    NeverWell(PodId),
    /// A replica has waited for its substitute for long enough.
    SubstitutionOver(PodId),
    /// What a node's silence had superseded may stay, if the node is still heard.
    Reinstate(NodeId),
    /// A replica that was held back may be made.
    ReleaseLoss { revision: RevisionId, slot: u32 },
}

/// What a controller needs of the present.
pub(crate) struct Cx<'a> {
    pub(crate) now: Time,
    pub(crate) orders: &'a mut Vec<Order>,
    pub(crate) facts: &'a mut FactLog,
    pub(crate) timers: &'a mut Timers<Alarm>,
}

impl Cx<'_> {
    /// Sends a message to an agent.
    fn tell(&mut self, node: NodeId, cause: FactId, message: Message) {
        use crate::message::Address::{Agent, Control};
        self.orders.push(Order { cause, kind: OrderKind::Send { from: Control, to: Agent(node), message } });
    }
}

/// The control plane's state.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) profile: Arc<Profile>,
    store: store::Store,
    nodes: Table<NodeId, NodeRow>,
    zones: Table<ZoneId, ZoneRow>,
    pods: Table<PodId, PodRow>,
    revisions: Table<RevisionId, RevisionRow>,
    workloads: Table<WorkloadId, WorkloadRow>,
    services: Table<ServiceId, endpoints::ServiceRow>,
    endpoint_workers: endpoints::Workers,
    /// Services that select pods of a template.
    services_of: Table<TemplateId, Vec<ServiceId>>,
    scheduling: scheduling::Scheduling,
    offers: offers::OfferBook,
    replacing: BTreeMap<WorkloadId, replace::Replacing>,
    streams: Streams,
    /// Where the node monitor's grid begins.
    monitor_phase: Span,
    /// A leader took over at this time and gave every node a fresh time to live.
    timers_reset: Time,
    garbage: garbage::Garbage,
    storage: volumes::Storage,
    /// Runs of jobs that have not ended.
    jobs: BTreeMap<RevisionId, job::JobRow>,
    crons: BTreeMap<WorkloadId, cron::CronRow>,
    stateful: BTreeMap<WorkloadId, stateful::NamedSet>,
    daemons: daemon::Daemons,
    groups: groups::Groups,
    autoscalers: Table<AutoscalerId, autoscaler::AutoscalerRow>,
    pools: pools::Pools,
    /// Templates that pods are made of instead of their revision's, since a default priority came to be.
    twins: BTreeMap<TemplateId, TemplateId>,
    budgets: budget::Budgets,
    drains: budget::Drains,
    admission: admission::Admission,
    moves: watchdog::Moves,
    parts: leader::Parts,
    api: api::Api,
    /// Replicas that go when others are ready in their place.
    superseded: u32,
    /// Crashes in a row of each slot of a revision, or failed launches of a revision under slot 0.
    crashes: BTreeMap<(RevisionId, u32), u32>,
}

impl Control {
    /// A control plane of a healthy, empty cluster.
    pub(crate) fn new(catalog: Arc<Catalog>, profile: Arc<Profile>, streams: Streams) -> Self {
        let mut phase = streams.stream(Purpose::ControlLoop, 0);
        let monitor_phase = phase.span(Span::ZERO, profile.detection.monitor_period);
        let garbage_phase = match &profile.eviction {
            Eviction::Taints(policy) => streams.stream(Purpose::ControlLoop, 1).span(Span::ZERO, policy.garbage_period),
            Eviction::AtOnce | Eviction::Never | Eviction::Suspect | Eviction::Unreachable(_) => Span::ZERO,
        };
        let services_of = catalog.templates.iter().map(|(_, t)| endpoints::selecting(&catalog, t)).collect();
        let mut zones: Table<ZoneId, ZoneRow> = catalog.zones.iter().map(|_| ZoneRow::new()).collect();
        for (_, node) in catalog.nodes.iter().filter(|(_, node)| node.at_start) {
            zones[node.zone].nodes += 1;
        }
        let nodes = catalog.nodes.iter().map(|(_, spec)| NodeRow::new(spec)).collect();
        let mut control = Self {
            store: store::Store::new(&profile.control),
            nodes,
            zones,
            pods: Table::new(),
            revisions: Table::new(),
            workloads: catalog.workloads.iter().map(|(_, spec)| WorkloadRow::new(spec)).collect(),
            services: catalog.services.iter().map(|_| endpoints::ServiceRow::default()).collect(),
            endpoint_workers: endpoints::Workers::default(),
            services_of,
            scheduling: scheduling::Scheduling::new(&catalog, &profile, streams),
            offers: offers::OfferBook::new(&catalog, &profile, streams),
            replacing: BTreeMap::new(),
            streams,
            monitor_phase,
            timers_reset: Time::ZERO,
            garbage: garbage::Garbage::new(garbage_phase),
            storage: volumes::Storage::new(&catalog, streams),
            jobs: BTreeMap::new(),
            crons: BTreeMap::new(),
            stateful: BTreeMap::new(),
            daemons: daemon::Daemons::default(),
            groups: groups::Groups::default(),
            autoscalers: catalog.autoscalers.iter().map(|_| autoscaler::AutoscalerRow::default()).collect(),
            pools: pools::Pools::new(&catalog),
            twins: BTreeMap::new(),
            budgets: budget::Budgets::new(&catalog),
            drains: budget::Drains::default(),
            admission: admission::Admission::new(&catalog, &profile),
            moves: watchdog::Moves::default(),
            parts: leader::Parts::new(&catalog, &profile),
            api: api::Api::default(),
            superseded: 0,
            crashes: BTreeMap::new(),
            catalog,
            profile,
        };
        for node in control.catalog.nodes.ids() {
            control.show_node_to_scheduler(node);
        }
        control
    }

    /// What happens first: workloads that exist from the start are created, and every node's first report is awaited.
    pub(crate) fn begin(&mut self, cx: &mut Cx<'_>) {
        for node in self.catalog.nodes.ids().filter(|node| self.nodes[*node].exists()).collect::<Vec<_>>() {
            self.node_registered(cx, FactId::NONE, node);
        }
        self.begin_polls(cx);
        self.begin_budgets();
        self.begin_autoscalers(cx);
        self.begin_storage(cx);
        for workload in self.catalog.workloads.ids() {
            if self.catalog.workloads[workload].at_start {
                self.apply(cx, FactId::NONE, workload);
            }
        }
    }

    /// Takes in something from outside that concerns the control plane.
    pub(crate) fn input(&mut self, cx: &mut Cx<'_>, cause: FactId, kind: InputKind) {
        if let InputKind::Heartbeats { node, beats } = kind {
            self.host_heard(cx, cause, node, beats);
        }
        let kind = if self.parts.at_work() { Some(kind) } else { self.intercept(cx, cause, kind) };
        let Some(kind) = kind else { return };
        match kind {
            InputKind::Delivered { from, message, .. } => self.message(cx, cause, from, message),
            InputKind::Heartbeats { node, beats } => {
                self.heartbeats(cx, cause, node, beats);
                self.webhooks_reached(cx);
            }
            InputKind::Operator(operation) => self.operate(cx, cause, operation),
            // These concern agents only.
            InputKind::HostDown { .. }
            | InputKind::HostUp { .. }
            | InputKind::AgentStops { .. }
            | InputKind::Reconnected { .. }
            | InputKind::Observed { .. }
            | InputKind::Runtime { .. } => {}
            InputKind::Reach { node, reach } => self.reach_changed(cx, cause, (node, reach)),
            InputKind::Measured { autoscaler, usage } => self.measured(cx, cause, autoscaler, &usage),
            InputKind::Balanced { pod, healthy } => self.balanced(cx, cause, (pod, healthy)),
        }
        self.wake_daemons(cx);
    }

    /// Something that the control plane had planned is due.
    pub(crate) fn alarm(&mut self, cx: &mut Cx<'_>, cause: FactId, alarm: Alarm) {
        if !self.parts.at_work() && self.shelve(cause, alarm) {
            return;
        }
        match alarm {
            Alarm::Commit(write) => self.commit(cx, cause, write),
            Alarm::PodSeen(pod) => self.enqueue(cx, pod),
            Alarm::Evaluate(workload) => self.plan_job(cx, workload),
            Alarm::ApplyPlan(workload) => self.apply_plan(cx, workload),
            Alarm::Schedule => self.schedule(cx),
            Alarm::Assign(pod) => self.assign(cx, pod),
            Alarm::SyncRevision(revision) => self.sync_revision(cx, revision),
            Alarm::SyncWorkload(workload) => self.sync_workload(cx, workload),
            Alarm::SyncService(service) => self.sync_service(cx, cause, service),
            Alarm::Monitor { node, stamp } => self.monitor(cx, node, stamp),
            Alarm::BeatsAgain { node, stamp } => self.beats_again(cx, cause, node, stamp),
            Alarm::Disconnect { node, stamp } => self.disconnect(cx, cause, node, stamp),
            Alarm::Orphan { node, stamp } => self.orphan(cx, cause, node, stamp),
            Alarm::QueueEviction { node, stamp } => self.queue_eviction(cx, cause, node, stamp),
            Alarm::EvictNext(zone) => self.evict_next(cx, zone),
            Alarm::TolerationOver { node, taint, length } => self.toleration_over(cx, cause, (node, taint, length)),
            Alarm::CancelEviction { node } => self.cancel_eviction(cx, cause, node),
            Alarm::NodeReady { node, taint } => self.node_ready(cx, cause, (node, taint)),
            Alarm::TolerationEnds { pod, node } => self.toleration_ends(cx, cause, pod, node),
            Alarm::CollectGarbage => self.collect_garbage(cx),
            Alarm::Offers(alarm) => self.offers_alarm(cx, cause, alarm),
            Alarm::Storage(alarm) => self.storage_due(cx, cause, alarm),
            Alarm::SyncJob(revision) => self.sync_job(cx, revision),
            Alarm::JobExpired(revision) => self.job_expired(cx, cause, revision),
            Alarm::Cron(workload) => self.sync_cron(cx, cause, workload),
            Alarm::Autoscale(autoscaler) => self.autoscale(cx, autoscaler),
            Alarm::ScalePools => self.scale_pools(cx),
            Alarm::SyncBudget(budget) => self.sync_budget(cx, budget),
            Alarm::Evict { pod, attempt } => self.evict_again(cx, cause, pod, attempt),
            Alarm::DrainNext(command) => self.drain_next(cx, command as usize),
            Alarm::Admitted { write, refused } => self.admitted(cx, cause, write, refused),
            Alarm::RetryCreation(revision) => self.retry_creation(cx, revision),
            Alarm::RetryChange(change) => self.retry_change(cx, change),
            Alarm::CountQuota(quota) => self.count_quota(cx, quota),
            Alarm::Overdue(pod) => self.overdue(cx, pod),
            Alarm::Send { client, write } => self.send(cx, cause, client, write),
            Alarm::Elected { part, stamp } => self.elected(cx, cause, part, stamp),
            Alarm::NodeReturns { node, term } => self.node_returns(cx, (node, term)),
            Alarm::RenewalFailed { part, stamp } => self.renewal_failed(cx, cause, part, stamp),
            Alarm::Poll { node, stamp } => self.poll(cx, node, stamp),
            Alarm::MoveNext => self.move_next(cx),
            Alarm::Reconnected { stamp } => self.reconnected(cx, cause, stamp),
            Alarm::Group(alarm) => self.group_due(cx, cause, alarm),
            Alarm::TargetFailed(pod) => self.target_failed(cx, cause, pod),
            Alarm::NeverWell(pod) => self.never_well(cx, cause, pod),
            Alarm::SubstitutionOver(pod) => self.substitution_over(cx, cause, pod),
            Alarm::Reinstate(node) => self.reinstate(cx, cause, node),
            Alarm::ReleaseLoss { revision, slot } => self.release_loss(cx, cause, (revision, slot)),
        }
        if self.budgets.touched() {
            self.plan_budgets(cx);
        }
        if self.admission.touched() {
            self.plan_quotas(cx);
        }
        self.wake_daemons(cx);
    }

    /// What may be seen from outside.
    pub(crate) fn view(&self, now: Time) -> View<'_> {
        View::new(self, now)
    }
}
