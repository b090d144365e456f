//! A scripted world: hosts that do everything at once and die when told. Not a simulation: no CPU, no network, no luck.
//!
//! Every behaviour of the engine is tested through the loop against it. Start at [`Lab`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shakedown_engine::fact::{Exit, Fact, FactId, FactKind, FactLog};
use shakedown_engine::ids::{NodeId, PodId, Symbol, TemplateId, WorkloadId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::message::{
    Address, Beats, Check, Input, InputKind, NodeStats, Operation, Order, OrderKind, Reach, RuntimeEvent, RuntimeOp,
    Signal, Usage,
};
use shakedown_engine::model::{
    Bytes, Catalog, Container, MilliCpu, NodeSpec, PodTemplate, Resources, ServiceSpec, WorkloadSpec,
};
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::Streams;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::{Exchange, World, run};
use shakedown_engine::{Engine, View};

/// From an order to start until the container runs.
pub(crate) const START: Span = Span::from_millis(1_500);
/// From an order to stop until the container has ended.
pub(crate) const STOP: Span = Span::from_millis(500);

/// Hosts that obey.
#[derive(Clone, Default)]
pub(crate) struct Script {
    now: Time,
    queue: BTreeMap<(Time, u64), Input>,
    sequence: u64,
    beats: BTreeMap<NodeId, (Time, Span)>,
    /// Hosts without power.
    pub(crate) down: BTreeSet<NodeId>,
    /// Hosts that no message reaches or leaves.
    pub(crate) cut: BTreeSet<NodeId>,
    /// Images that crash at once.
    pub(crate) broken: BTreeSet<TemplateId>,
    /// Containers of these templates end by themselves: so long after their start, and how.
    pub(crate) exits: BTreeMap<TemplateId, (Span, Exit)>,
    /// The same of single pods; counts before `exits`.
    pub(crate) exits_of: BTreeMap<PodId, (Span, Exit)>,
    /// CPU that each pod uses, as autoscalers are told; pods not listed use `cpu_all`, and `None` is missing.
    pub(crate) cpu_of: BTreeMap<PodId, i64>,
    pub(crate) cpu_all: Option<i64>,
    /// Machines that never come.
    pub(crate) lost_machines: BTreeSet<NodeId>,
    /// Targets of the load balancer, and those of them that fail its checks.
    pub(crate) targets: BTreeMap<PodId, Check>,
    pub(crate) failing: BTreeSet<PodId>,
    publications: Vec<(Time, u32)>,
    /// Hosts of which the engine wants to know what one gets who asks them.
    knocked: BTreeSet<NodeId>,
    /// Memory available on a node, where it is not all of it.
    pub(crate) available: BTreeMap<NodeId, i64>,
    /// Probes are answered well at their first question.
    pub(crate) answers: bool,
    /// From an order to start until the container runs, and from one to stop until it has ended; [`START`] and [`STOP`]
    /// where a test does not say.
    pub(crate) pace: Option<(Span, Span)>,
}

impl Script {
    fn later(&mut self, after: Span, cause: FactId, kind: InputKind) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), Input { cause, kind });
    }

    fn runtime(&mut self, after: Span, node: NodeId, event: RuntimeEvent) {
        self.later(after, FactId::NONE, InputKind::Runtime { node, event });
    }

    pub(crate) fn reachable(&self, node: NodeId) -> bool {
        !self.down.contains(&node) && !self.cut.contains(&node)
    }

    /// The load balancer finds a new target well at its first question, unless it is to fail.
    fn ask(&mut self, pod: PodId, check: Option<Check>, cause: FactId) {
        match check {
            Some(check) => {
                let bad = self.failing.contains(&pod);
                self.targets.insert(pod, check);
                if bad || check.first > 0 {
                    let rounds = if bad { u64::from(check.unhealthy_after) } else { u64::from(check.first) };
                    let verdict = InputKind::Balanced { pod, healthy: !bad };
                    self.later(check.interval.times(rounds), cause, verdict);
                }
            }
            None => {
                self.targets.remove(&pod);
            }
        }
    }

    fn operate(&mut self, node: NodeId, op: RuntimeOp) {
        let (start, stop) = self.pace.unwrap_or((START, STOP));
        let stopped = |pod, container| RuntimeEvent::Exited { pod, container, why: Exit::Stopped };
        match op {
            RuntimeOp::Pull { pod, image, .. } => {
                self.runtime(Span::from_millis(1), node, RuntimeEvent::Pulled { pod, image, ok: true });
            }
            RuntimeOp::Start { pod, container, template } => {
                self.runtime(start, node, RuntimeEvent::Started { pod, container });
                let exit = self.exits_of.get(&pod).or_else(|| self.exits.get(&template)).copied();
                if let Some((after, why)) = exit {
                    self.runtime(start + after, node, RuntimeEvent::Exited { pod, container, why });
                }
                if self.broken.contains(&template) {
                    let crash = RuntimeEvent::Exited { pod, container, why: Exit::Crashed };
                    self.runtime(start + Span::from_millis(1), node, crash);
                }
            }
            RuntimeOp::Stop { pod, container, .. } => self.runtime(stop, node, stopped(pod, container)),
            RuntimeOp::Probe { pod, container, role, first } if self.answers => {
                self.runtime(first.since(self.now), node, RuntimeEvent::Probed { pod, container, role, ok: true });
            }
            RuntimeOp::Probe { .. }
            | RuntimeOp::Remove { .. }
            | RuntimeOp::RemoveImage { .. }
            | RuntimeOp::Watch { .. } => {}
            RuntimeOp::Observe => {
                let memory = self.available.get(&node).copied().unwrap_or(16 << 30);
                let stats =
                    NodeStats { available: [memory, 100 << 30], capacity: [16 << 30, 100 << 30], pods: Vec::new() };
                self.later(Span::ZERO, FactId::NONE, InputKind::Observed { node, stats });
            }
        }
    }

    /// One who asks a host gets another answer from now on.
    fn answer(&mut self, node: NodeId, reach: Reach, cause: FactId) {
        if self.knocked.contains(&node) {
            self.later(Span::ZERO, cause, InputKind::Reach { node, reach });
        }
    }

    fn beat_again(&mut self, node: NodeId) {
        let (first, period) = self.beats[&node];
        let next = self.now.next_tick(period, Span::from_nanos(first.as_nanos()));
        let beats = InputKind::Heartbeats { node, beats: Beats::Steady };
        self.later(next.since(self.now), FactId::NONE, beats);
    }

    /// What a host was about to say when it lost power is never said.
    fn drop_inputs_of(&mut self, node: NodeId) {
        self.queue.retain(|_, input| match &input.kind {
            InputKind::Runtime { node: n, .. } | InputKind::HostUp { node: n } | InputKind::Reconnected { node: n } => {
                *n != node
            }
            InputKind::Heartbeats { node: n, beats: Beats::Steady } => *n != node,
            InputKind::Delivered { from, to, .. } => ![*from, *to].contains(&Address::Agent(node)),
            _ => true,
        });
    }

    fn silence(&mut self, node: NodeId, cause: FactId) {
        let Some(&(first, period)) = self.beats.get(&node) else { return };
        let next = self.now.next_tick(period, Span::from_nanos(first.as_nanos()));
        let last = if next == self.now { next } else { next - period };
        let next = last + period;
        self.later(Span::ZERO, cause, InputKind::Heartbeats { node, beats: Beats::Ceased { last, next } });
    }
}

impl World for Script {
    fn submit(&mut self, now: Time, orders: &mut Vec<Order>, _facts: &mut FactLog) {
        self.now = now;
        for order in orders.drain(..) {
            match order.kind {
                OrderKind::Send { from, to, message } => {
                    let ((Address::Agent(node), _) | (_, Address::Agent(node))) = (from, to) else { continue };
                    if self.reachable(node) {
                        self.later(Span::from_millis(1), order.cause, InputKind::Delivered { from, to, message });
                    }
                }
                OrderKind::Heartbeats { node, period, first, .. } => {
                    self.beats.insert(node, (first, period));
                    if self.reachable(node) {
                        let beats = InputKind::Heartbeats { node, beats: Beats::Steady };
                        self.later(first.since(now), order.cause, beats);
                    }
                }
                OrderKind::Publish(p) => self.publications.push((now, p.version)),
                OrderKind::Runtime { node, op } if !self.down.contains(&node) => self.operate(node, op),
                OrderKind::Runtime { .. } => {}
                OrderKind::Balance { pod, check } => self.ask(pod, check, order.cause),
                OrderKind::Measure { autoscaler, pods } => {
                    let used = |pod: &PodId| self.cpu_of.get(pod).copied().or(self.cpu_all);
                    let one = |&pod: &PodId| used(&pod).map(|cpu| Usage { pod, cpu, memory: 0, requests: 0 });
                    let usage = pods.iter().filter_map(one).collect();
                    self.later(Span::ZERO, order.cause, InputKind::Measured { autoscaler, usage });
                }
                OrderKind::Knock { node } => {
                    self.knocked.insert(node);
                }
                OrderKind::Machine { node, wanted: true, after } => {
                    self.down.remove(&node);
                    if !self.lost_machines.contains(&node) {
                        self.later(after, order.cause, InputKind::HostUp { node });
                    }
                }
                OrderKind::Machine { node, .. } => {
                    self.silence(node, order.cause);
                    self.down.insert(node);
                    self.drop_inputs_of(node);
                    self.later(Span::ZERO, order.cause, InputKind::HostDown { node });
                }
            }
        }
    }

    fn advance(&mut self, until: Time, inputs: &mut Vec<Input>, _facts: &mut FactLog) -> Time {
        let Some((&key, _)) = self.queue.first_key_value().filter(|((at, _), _)| *at <= until) else {
            self.now = until;
            return until;
        };
        let input = self.queue.remove(&key).expect("the key was just seen");
        self.now = key.0;
        let from_dead = match &input.kind {
            InputKind::Runtime { node, .. } => self.down.contains(node),
            InputKind::Delivered { from: Address::Agent(n), .. }
            | InputKind::Delivered { to: Address::Agent(n), .. } => !self.reachable(*n),
            InputKind::Heartbeats { node, beats: Beats::Steady } | InputKind::Reconnected { node } => {
                !self.reachable(*node)
            }
            InputKind::HostUp { node } => self.down.contains(node),
            _ => false,
        };
        if !from_dead {
            inputs.push(input);
        }
        key.0
    }
}

/// A cluster on the bench: engine, scripted world, facts.
pub(crate) struct Lab {
    pub(crate) engine: Engine,
    pub(crate) world: Script,
    pub(crate) facts: FactLog,
    exchange: Exchange,
}

/// What a lab is made of.
pub(crate) struct Setup {
    pub(crate) catalog: Catalog,
    pub(crate) profile: Profile,
}

impl Setup {
    pub(crate) fn new(profile: &str) -> Self {
        Self { catalog: Catalog::new(), profile: Profile::named(profile).expect("a known profile") }
    }

    /// `n` nodes of 4 cores and 16 GiB in a zone.
    pub(crate) fn nodes(mut self, zone: &str, n: usize) -> Self {
        let zone_id = self.catalog.zone(zone);
        let names = &mut self.catalog.names;
        for i in 0..n {
            let name = names.intern(&format!("{zone}{i}"));
            let zone_label = (self.catalog.known.zone, names.intern(zone));
            self.catalog.nodes.push(NodeSpec {
                name,
                labels: Labels::new([zone_label, (self.catalog.known.hostname, name)]),
                zone: zone_id,
                allocatable: Resources::new(MilliCpu(4_000), Bytes(16 << 30)),
                max_pods: 110,
                taints: Vec::new(),
                unschedulable: false,
                at_start: true,
                pool: None,
                volume_limits: Vec::new(),
                roles: Vec::new(),
            });
        }
        self
    }

    /// The first `n` nodes have a role.
    pub(crate) fn role(mut self, role: &str, n: usize) -> Self {
        let role = self.catalog.names.intern(role);
        self.catalog.nodes.iter_mut().take(n).for_each(|(_, node)| node.roles.push(role));
        self
    }

    /// A template of one container, labelled `app: <app>`.
    pub(crate) fn template(&mut self, app: &str, image: &str) -> TemplateId {
        let image = self.catalog.image(image, Bytes(0));
        let names = &mut self.catalog.names;
        let label = (names.intern("app"), names.intern(app));
        let requests = Resources::new(MilliCpu(100), Bytes(128 << 20));
        let container = Container::new(names.intern("main"), image, requests);
        let namespace = names.intern("default");
        self.catalog.templates.push(PodTemplate::new(namespace, Labels::new([label]), vec![container]))
    }

    /// A deployment of `replicas` and a service of the same name.
    pub(crate) fn deployment(&mut self, name: &str, replicas: u32) -> WorkloadId {
        let template = self.template(name, "app:v1");
        let names = &mut self.catalog.names;
        let selector = Selector::equals([(names.intern("app"), names.intern(name))]);
        let (name, namespace): (Symbol, Symbol) = (names.intern(name), names.intern("default"));
        self.catalog.services.push(ServiceSpec::new(name, namespace, selector.clone()));
        self.catalog
            .workloads
            .push(WorkloadSpec { replicas, ..WorkloadSpec::deployment(name, namespace, template, selector) })
    }

    pub(crate) fn set(mut self, flag: &str, value: &str) -> Self {
        self.profile.set(flag, value).expect("a valid flag");
        self
    }

    pub(crate) fn start(self, seed: u64) -> Lab {
        let catalog = Arc::new(self.catalog);
        let mut world = Script::default();
        for (node, spec) in catalog.nodes.iter() {
            if spec.at_start {
                world.later(Span::ZERO, FactId::NONE, InputKind::HostUp { node });
            } else {
                world.down.insert(node);
            }
        }
        let engine = Engine::new(catalog, self.profile, Streams::new(seed));
        Lab { engine, world, facts: FactLog::new(), exchange: Exchange::default() }
    }
}

impl Lab {
    /// Runs until `seconds` after the start.
    pub(crate) fn until(&mut self, seconds: u64) {
        self.until_time(Time::from_secs(seconds));
    }

    /// A running pod fails its readiness probe from now on.
    pub(crate) fn mute_pod(&mut self, pod: PodId) {
        let node = self.view().pod(pod).and_then(|p| p.node).expect("the pod is bound");
        self.world.now = self.engine.now();
        let role = shakedown_engine::model::ProbeRole::Readiness;
        self.world.runtime(Span::ZERO, node, RuntimeEvent::Probed { pod, container: 0, role, ok: false });
    }

    /// A running pod fails its liveness probe, or health check, from now on.
    pub(crate) fn fail_check(&mut self, pod: PodId) {
        let node = self.view().pod(pod).and_then(|p| p.node).expect("the pod is bound");
        self.world.now = self.engine.now();
        let role = shakedown_engine::model::ProbeRole::Liveness;
        self.world.runtime(Span::ZERO, node, RuntimeEvent::Probed { pod, container: 0, role, ok: false });
    }

    /// The load balancer's checks of these targets fail from now on: it says so when they have failed often enough.
    pub(crate) fn fail_targets(&mut self, pods: impl IntoIterator<Item = PodId>) {
        self.world.now = self.engine.now();
        for pod in pods {
            self.world.failing.insert(pod);
            if let Some(check) = self.world.targets.get(&pod).copied() {
                let after = check.interval.times(u64::from(check.unhealthy_after));
                self.world.later(after, FactId::NONE, InputKind::Balanced { pod, healthy: false });
            }
        }
    }

    /// A node has only so much memory left from now on, and its agent is told.
    pub(crate) fn shortage(&mut self, node: NodeId, available: i64) {
        self.world.now = self.engine.now();
        self.world.available.insert(node, available);
        self.world.runtime(Span::ZERO, node, RuntimeEvent::Short { signal: Signal::Memory });
    }

    /// Runs until an instant.
    pub(crate) fn until_time(&mut self, end: Time) {
        run(&mut self.engine, &mut self.world, &mut self.facts, end, &mut self.exchange);
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.engine.view()
    }

    pub(crate) fn command(&mut self, operation: Operation) {
        self.exchange.command(Input { cause: FactId::NONE, kind: InputKind::Operator(operation) });
    }

    /// Hosts lose power now.
    pub(crate) fn kill(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            let fact = self.facts.record(self.engine.now(), FactId::NONE, FactKind::HostDown { node });
            self.world.now = self.engine.now();
            if self.world.reachable(node) {
                self.world.silence(node, fact);
            }
            self.world.down.insert(node);
            self.world.later(Span::ZERO, fact, InputKind::HostDown { node });
            self.world.drop_inputs_of(node);
            self.world.answer(node, Reach::Unreachable, fact);
        }
    }

    /// Nothing passes between these hosts and the control plane from now on.
    pub(crate) fn cut(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            self.world.now = self.engine.now();
            if self.world.reachable(node) {
                self.world.silence(node, FactId::NONE);
            }
            self.world.cut.insert(node);
            self.world.answer(node, Reach::Silent, FactId::NONE);
        }
    }

    /// A host's agent is told to stop in good order.
    pub(crate) fn stop_engine(&mut self, node: NodeId) {
        self.world.now = self.engine.now();
        self.world.later(Span::ZERO, FactId::NONE, InputKind::AgentStops { node });
    }

    /// One who asks a host gets this from now on, whatever else is the matter with it.
    pub(crate) fn reach(&mut self, node: NodeId, reach: Reach) {
        self.world.now = self.engine.now();
        self.world.answer(node, reach, FactId::NONE);
    }

    /// Heartbeats of these hosts do not arrive any more; everything else does.
    pub(crate) fn mute(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.world.now = self.engine.now();
        nodes.into_iter().for_each(|node| self.world.silence(node, FactId::NONE));
    }

    /// They arrive again.
    pub(crate) fn unmute(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.world.now = self.engine.now();
        for node in nodes {
            self.world.beat_again(node);
        }
    }

    /// The hosts that were cut off are reachable again.
    pub(crate) fn heal(&mut self) {
        self.world.now = self.engine.now();
        for node in std::mem::take(&mut self.world.cut) {
            if self.world.down.contains(&node) {
                continue;
            }
            self.world.answer(node, Reach::Open, FactId::NONE);
            self.world.beat_again(node);
            self.world.later(Span::from_secs(1), FactId::NONE, InputKind::Reconnected { node });
        }
    }

    /// Hosts boot again.
    pub(crate) fn boot(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            self.world.now = self.engine.now();
            self.world.down.remove(&node);
            self.world.later(Span::ZERO, FactId::NONE, InputKind::HostUp { node });
            self.world.answer(node, Reach::Open, FactId::NONE);
        }
    }

    /// When facts of one kind happened, in seconds.
    pub(crate) fn times(&self, wanted: impl Fn(&FactKind) -> bool) -> Vec<f64> {
        self.all(wanted).iter().map(|f| f.at.as_secs_f64()).collect()
    }

    pub(crate) fn all(&self, wanted: impl Fn(&FactKind) -> bool) -> Vec<Fact> {
        self.facts.facts().iter().filter(|f| wanted(&f.kind)).copied().collect()
    }

    pub(crate) fn ready(&self, workload: WorkloadId) -> u32 {
        self.view().workload(workload).ready
    }

    /// Pods of a workload on a node.
    pub(crate) fn on(&self, node: NodeId) -> Vec<PodId> {
        self.view().pods().filter(|p| p.node == Some(node) && !p.deleting).map(|p| p.id).collect()
    }
}

/// The first `n` nodes from `first` on.
pub(crate) fn nodes(first: u32, n: u32) -> impl Iterator<Item = NodeId> {
    (first..first + n).map(NodeId)
}
