//! The control plane: store, scheduler, controllers. It sees nodes only through heartbeats and messages.
//!
//! - `store`: what a change costs, and [`store::Write`], all changes there are
//! - `pods`: life of a pod in the store · `nodes`: health, zones, eviction · `garbage`: deleted nodes · `scheduling`: the scheduler's loop
//! - `replication`: revisions keep their number · `workloads`: rollouts, operations · `endpoints`: discovery
//! - `view`: what others may see · `audit`: whether all tables agree
//!
//! Start at [`Control::alarm`], the table of everything that happens by itself.

mod audit;
mod endpoints;
mod garbage;
mod nodes;
mod operations;
mod pods;
mod replication;
mod scheduling;
mod slots;
mod store;
mod tables;
mod view;
mod workloads;

use std::sync::Arc;

use crate::fact::{FactId, FactLog};
use crate::ids::{NodeId, PodId, RevisionId, ServiceId, Table, TemplateId, WorkloadId, ZoneId};
use crate::message::{InputKind, Message, Order, OrderKind};
use crate::model::Catalog;
use crate::profile::{Eviction, Profile};
use crate::rng::{Purpose, Streams};
use crate::time::{Span, Time};
use crate::timers::Timers;

pub use view::{NodeView, PodPhase, PodView, View, WorkloadView};

pub(crate) use store::Write;
use tables::{NodeRow, PodRow, RevisionRow, ServiceRow, WorkloadRow, ZoneRow};

/// Something that the control plane does later by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alarm {
    /// A change reaches the store.
    Commit(Write),
    /// The scheduler has seen a new pod.
    PodSeen(PodId),
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
    /// A node waits for its eviction taint, unless it recovered (stamp).
    QueueEviction { node: NodeId, stamp: u32 },
    /// A zone may taint its next node.
    EvictNext(ZoneId),
    /// Tolerations of this length have ended on a node, unless it lost that taint.
    TolerationOver { node: NodeId, taint: u32, length: Span },
    /// A recovered node loses its eviction taint.
    CancelEviction { node: NodeId },
    /// The collector looks for pods whose node does not exist.
    CollectGarbage,
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
    services: Table<ServiceId, ServiceRow>,
    /// Services that select pods of a template.
    services_of: Table<TemplateId, Vec<ServiceId>>,
    scheduling: scheduling::Scheduling,
    streams: Streams,
    /// Where the node monitor's grid begins.
    monitor_phase: Span,
    garbage: garbage::Garbage,
}

impl Control {
    /// A control plane of a healthy, empty cluster.
    pub(crate) fn new(catalog: Arc<Catalog>, profile: Arc<Profile>, streams: Streams) -> Self {
        let mut phase = streams.stream(Purpose::ControlLoop, 0);
        let monitor_phase = phase.span(Span::ZERO, profile.detection.monitor_period);
        let garbage_phase = match &profile.eviction {
            Eviction::Taints(policy) => streams.stream(Purpose::ControlLoop, 1).span(Span::ZERO, policy.garbage_period),
            Eviction::AtOnce => Span::ZERO,
        };
        let services_of = catalog.templates.iter().map(|(_, t)| endpoints::selecting(&catalog, t)).collect();
        let mut zones: Table<ZoneId, ZoneRow> = catalog.zones.iter().map(|_| ZoneRow::new()).collect();
        for (_, node) in catalog.nodes.iter() {
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
            services: catalog.services.iter().map(|_| ServiceRow::new()).collect(),
            services_of,
            scheduling: scheduling::Scheduling::new(&catalog, &profile, streams),
            streams,
            monitor_phase,
            garbage: garbage::Garbage::new(garbage_phase),
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
        for node in self.catalog.nodes.ids() {
            self.node_registered(cx, FactId::NONE, node);
        }
        for workload in self.catalog.workloads.ids() {
            if self.catalog.workloads[workload].at_start {
                self.apply(cx, FactId::NONE, workload);
            }
        }
    }

    /// Takes in something from outside that concerns the control plane.
    pub(crate) fn input(&mut self, cx: &mut Cx<'_>, cause: FactId, kind: InputKind) {
        match kind {
            InputKind::Delivered { from, message, .. } => self.message(cx, cause, from, message),
            InputKind::Heartbeats { node, beats } => self.heartbeats(cx, cause, node, beats),
            InputKind::Operator(operation) => self.operate(cx, cause, operation),
            // These concern agents only.
            InputKind::HostDown { .. }
            | InputKind::HostUp { .. }
            | InputKind::Reconnected { .. }
            | InputKind::Runtime { .. } => {}
            InputKind::Measured { .. } => {}
        }
    }

    /// Something that the control plane had planned is due.
    pub(crate) fn alarm(&mut self, cx: &mut Cx<'_>, cause: FactId, alarm: Alarm) {
        match alarm {
            Alarm::Commit(write) => self.commit(cx, cause, write),
            Alarm::PodSeen(pod) => self.enqueue(cx, pod),
            Alarm::Schedule => self.schedule(cx),
            Alarm::Assign(pod) => self.assign(cx, pod),
            Alarm::SyncRevision(revision) => self.sync_revision(cx, revision),
            Alarm::SyncWorkload(workload) => self.sync_workload(cx, workload),
            Alarm::SyncService(service) => self.sync_service(cx, cause, service),
            Alarm::Monitor { node, stamp } => self.monitor(cx, node, stamp),
            Alarm::QueueEviction { node, stamp } => self.queue_eviction(cx, cause, node, stamp),
            Alarm::EvictNext(zone) => self.evict_next(cx, zone),
            Alarm::TolerationOver { node, taint, length } => self.toleration_over(cx, cause, (node, taint, length)),
            Alarm::CancelEviction { node } => self.cancel_eviction(cx, cause, node),
            Alarm::CollectGarbage => self.collect_garbage(cx),
        }
    }

    /// What may be seen from outside.
    pub(crate) fn view(&self, now: Time) -> View<'_> {
        View::new(self, now)
    }
}
