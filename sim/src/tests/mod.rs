//! The world driven by hand: orders in, inputs and facts out, without an engine. Start at [`Rig`].

mod absence;
mod away;
mod churn;
mod cpu;
mod heartbeats;
mod hosts;
mod memory;
mod pulls;
mod reach;
mod scaling;
mod users;

use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::fault::{CpuClass, CpuLoad, Effect, Group, NetworkRule};
use shakedown_chaos::load::{Clients, Reach, Traffic};
use shakedown_chaos::setting::{Behaviour, HostModel, NetworkModel, Setting};
use shakedown_chaos::target::FaultTarget;
use shakedown_engine::fact::{FactId, FactKind, FactLog, TrafficSlice};
use shakedown_engine::ids::{FaultId, ImageId, NodeId, PodId, ServiceId, Table, TemplateId, WorkloadId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::message::{
    Beats, ContainerRef, Input, InputKind, Missed, Order, OrderKind, Publication, RuntimeEvent, RuntimeOp,
};
use shakedown_engine::model::{
    Bytes, Catalog, Container, Details, MilliCpu, NodeSpec, PodTemplate, Probe, ProbeKind, ProbeRole, Resources,
    ServiceSpec, Strategy, WorkloadKind, WorkloadSpec,
};
use shakedown_engine::rng::Streams;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::World;

use crate::SimWorld;

/// Everything before a run, to be changed by the test.
pub(crate) struct Setup {
    pub(crate) catalog: Catalog,
    pub(crate) experiment: Experiment,
    pub(crate) seed: u64,
}

impl Setup {
    /// `nodes` hosts of 4 cores and 8 GiB in one zone; one image, one template with a readiness probe, one service.
    pub(crate) fn new(nodes: usize) -> Self {
        let mut catalog = Catalog::new();
        let zone = catalog.zone("a");
        for i in 0..nodes {
            let name = catalog.names.intern(&format!("n{i}"));
            catalog.nodes.push(NodeSpec {
                name,
                labels: Labels::default(),
                zone,
                allocatable: Resources::new(MilliCpu(4000), Bytes(8 << 30)),
                max_pods: 110,
                taints: Vec::new(),
                unschedulable: false,
                at_start: true,
                pool: None,
                volume_limits: Vec::new(),
                roles: Vec::new(),
            });
        }
        let image = catalog.image("shop:1", Bytes(100_000_000));
        let empty = catalog.known.empty;
        let template = plain_template(&mut catalog, image);
        let template = catalog.templates.push(template);
        let spec = ServiceSpec { selector: None, ..ServiceSpec::new(empty, empty, Selector::default()) };
        catalog.services.push(spec);
        let selector = Selector::default();
        catalog.workloads.push(WorkloadSpec {
            name: empty,
            namespace: empty,
            kind: WorkloadKind::Deployment,
            details: Details::None,
            replicas: 1,
            template,
            selector,
            strategy: Strategy::Default,
            min_ready: Span::ZERO,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
            wishes: shakedown_engine::model::Wishes::default(),
        });
        let network = NetworkModel { jitter: Span::ZERO, ..NetworkModel::default() };
        let host = HostModel {
            sandbox: (Span::from_millis(300), Span::from_millis(300)),
            start: (Span::from_millis(200), Span::from_millis(200)),
            ..HostModel::default()
        };
        let images: Table<ImageId, Behaviour> = [Behaviour::default()].into_iter().collect();
        let experiment = Experiment {
            timeline: Table::new(),
            traffic: Table::new(),
            setting: Setting { host, network, images },
            duration: Span::from_secs(3600),
            converge_within: None,
            expectations: Vec::new(),
        };
        Self { catalog, experiment, seed: 1 }
    }

    /// Adds users who ask service 0 `rate` times a second.
    pub(crate) fn users(mut self, rate: u64, from: Clients) -> Self {
        self.experiment.traffic.push(Traffic {
            to: ServiceId(0),
            rate_per_1000s: rate * 1000,
            from,
            reach: Reach::default(),
            timeout: Span::from_secs(1),
            retries: 0,
            slow_after: None,
            objective_ppm: 999_000,
            start: Time::ZERO,
            end: None,
        });
        self
    }

    pub(crate) fn start(self) -> Rig {
        let world = SimWorld::new(Arc::new(self.catalog), Arc::new(self.experiment), Streams::new(self.seed));
        Rig { world, facts: FactLog::new(), seen: Vec::new(), faults: 0 }
    }
}

pub(crate) fn plain_template(catalog: &mut Catalog, image: ImageId) -> PodTemplate {
    let name = catalog.names.intern("main");
    let probe = Probe {
        role: ProbeRole::Readiness,
        kind: ProbeKind::Http,
        initial_delay: Span::ZERO,
        period: Span::from_secs(2),
        timeout: Span::from_secs(1),
        success_threshold: 1,
        failure_threshold: 3,
    };
    let requests = Resources::new(MilliCpu(100), Bytes(64 << 20));
    let container = Container { probes: vec![probe], ..Container::new(name, image, requests) };
    PodTemplate::new(catalog.known.empty, Labels::default(), vec![container])
}

/// A world and all that it said.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) world: SimWorld,
    pub(crate) facts: FactLog,
    pub(crate) seen: Vec<(Time, InputKind)>,
    faults: u32,
}

pub(crate) const BOTH: bool = false;
pub(crate) const ONE_WAY: bool = true;

impl Rig {
    pub(crate) fn now(&self) -> Time {
        self.world.now
    }

    pub(crate) fn order(&mut self, kind: OrderKind) {
        let now = self.now();
        self.world.submit(now, &mut vec![Order { cause: FactId::NONE, kind }], &mut self.facts);
    }

    pub(crate) fn run_to(&mut self, end: Time) {
        loop {
            let mut inputs: Vec<Input> = Vec::new();
            let now = self.world.advance(end, &mut inputs, &mut self.facts);
            let done = inputs.is_empty() && now == end;
            self.seen.extend(inputs.into_iter().map(|input| (now, input.kind)));
            self.world.check_traffic();
            if done {
                return;
            }
        }
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run_to(Time::ZERO + Span::from_millis(ms));
    }

    pub(crate) fn op(&mut self, node: u32, op: RuntimeOp) {
        self.order(OrderKind::Runtime { node: NodeId(node), op });
    }

    pub(crate) fn start(&mut self, node: u32, pod: u32) {
        self.start_as(node, pod, TemplateId(0));
    }

    pub(crate) fn start_as(&mut self, node: u32, pod: u32, template: TemplateId) {
        self.op(node, RuntimeOp::Start { pod: PodId(pod), template, container: ContainerRef::Main(0) });
    }

    pub(crate) fn stop(&mut self, node: u32, pod: u32, grace: Span) {
        self.op(node, RuntimeOp::Stop { pod: PodId(pod), container: ContainerRef::Main(0), grace, hook: grace });
    }

    pub(crate) fn probe(&mut self, node: u32, pod: u32) {
        let first = self.now();
        self.op(node, RuntimeOp::Probe { pod: PodId(pod), container: 0, role: ProbeRole::Readiness, first });
    }

    pub(crate) fn beats(&mut self, node: u32, period: Span) {
        let first = self.now() + period;
        self.order(OrderKind::Heartbeats {
            node: NodeId(node),
            period,
            jitter: Span::ZERO,
            first,
            missed: Missed::Next,
        });
    }

    pub(crate) fn publish(&mut self, version: u32, pods: &[u32]) {
        self.order(OrderKind::Publish(Publication {
            service: ServiceId(0),
            version,
            endpoints: pods.iter().map(|&pod| PodId(pod)).collect(),
            lag: Span::ZERO,
            proxy_sync: Span::ZERO,
            dns_ttl: Span::ZERO,
            draining: Arc::from([]),
            hints: None,
            ingress_sync: Span::ZERO,
            name_poll: Span::ZERO,
            absence: shakedown_engine::profile::Absence::Told,
        }));
    }

    pub(crate) fn apply(&mut self, effect: Effect) -> FaultId {
        let fault = FaultId(self.faults);
        self.faults += 1;
        let now = self.now();
        let cause = self.facts.record(now, FactId::NONE, FactKind::FaultApplied { fault, targets: 1 });
        self.world.apply(now, fault, &effect, cause, &mut self.facts).expect("this world can do everything");
        fault
    }

    pub(crate) fn lift(&mut self, fault: FaultId) {
        let now = self.now();
        let cause = self.facts.record(now, FactId::NONE, FactKind::FaultLifted { fault });
        self.world.lift(now, fault, cause, &mut self.facts);
    }

    pub(crate) fn kill(&mut self, node: u32) -> FaultId {
        self.apply(Effect::Down { nodes: vec![NodeId(node)] })
    }

    pub(crate) fn saturate(&mut self, node: u32, class: CpuClass, permille: u32) -> FaultId {
        self.apply(Effect::Saturate { nodes: vec![NodeId(node)], load: CpuLoad { permille, class } })
    }

    pub(crate) fn cut(&mut self, from: Group, to: Group, one_way: bool) -> FaultId {
        self.apply(Effect::Network { from, to, one_way, rule: NetworkRule::Cut })
    }

    pub(crate) fn runtime(&self) -> Vec<(u64, RuntimeEvent)> {
        let event = |(at, kind): &(Time, InputKind)| match kind {
            InputKind::Runtime { event, .. } => Some((at.since(Time::ZERO).as_millis(), *event)),
            _ => None,
        };
        self.seen.iter().filter_map(event).collect()
    }

    pub(crate) fn beat_inputs(&self, node: u32) -> Vec<(Time, Beats)> {
        let event = |(at, kind): &(Time, InputKind)| match kind {
            InputKind::Heartbeats { node: of, beats } if of.0 == node => Some((*at, *beats)),
            _ => None,
        };
        self.seen.iter().filter_map(event).collect()
    }

    pub(crate) fn slices(&mut self) -> Vec<TrafficSlice> {
        let now = self.now();
        self.world.finish(now, &mut self.facts);
        let slice = |fact: &shakedown_engine::fact::Fact| match fact.kind {
            FactKind::Traffic(slice) => Some(slice),
            _ => None,
        };
        self.facts.facts().iter().filter_map(slice).collect()
    }
}

pub(crate) fn nodes(ids: &[u32]) -> Group {
    Group { nodes: ids.iter().map(|&id| NodeId(id)).collect(), ..Group::default() }
}

pub(crate) fn control() -> Group {
    Group { control: true, ..Group::default() }
}

pub(crate) fn outside() -> Group {
    Group { outside: true, ..Group::default() }
}

pub(crate) const fn shop() -> WorkloadId {
    WorkloadId(0)
}
