//! A story told to the engine.
//!
//! Placement among equal nodes is luck, in the original as here: where a recording's hosts stop or are drained, several
//! lucks are tried, and the one is taken with which those hosts hold what the recorded ones held. Start at [`replay`];
//! what comes of it is put into words in `tell`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shakedown_engine::fact::{FactId, FactLog};
use shakedown_engine::ids::{NodeId, PodId};
use shakedown_engine::message::{Input, InputKind, Operation};
use shakedown_engine::model::{Amount, Details, Taint, TaintEffect, WorkloadKind};
use shakedown_engine::rng::Streams;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::{Exchange, run};
use shakedown_engine::{Engine, PodPhase};

use crate::timeline::event::Event;
use crate::timeline::kubelets::Kubelets;
use crate::timeline::make::is_called;
use crate::timeline::recording::{Census, Recording};
use crate::timeline::story::{Part, Story};
use crate::timeline::words::{Step, seconds};

/// Lucks that are tried at most.
const LUCKS: u64 = 48;
/// Between two pods that one client creates one after the other, as recorded: a request takes 12 to 40 ms.
const BETWEEN_REQUESTS: Span = Span::from_millis(20);

/// What happens.
pub fn replay(story: &Story, recording: &Recording) -> Vec<Event> {
    if story.renewals.len() > 1 {
        return with_phase(story, recording);
    }
    let mut best = attempt(story, recording, (1, Span::ZERO));
    let lucks = if story.places.is_empty() { 1 } else { LUCKS };
    for luck in 2..=lucks {
        if best.0 <= NEAR_ENOUGH {
            break;
        }
        let next = attempt(story, recording, (luck, Span::ZERO));
        if next.0 < best.0 {
            best = next;
        }
    }
    best.1
}

/// Where many hosts stop by name, the only luck that matters is when the node monitor looks: coarse steps, then fine ones.
fn with_phase(story: &Story, recording: &Recording) -> Vec<Event> {
    let try_all = |shifts: Vec<u64>| {
        let tries = shifts.into_iter().map(|ms| (attempt(story, recording, (1, Span::from_millis(ms))), ms));
        tries.min_by_key(|((far, _), ms)| (*far, *ms)).expect("there is a shift")
    };
    let (_, near) = try_all((0..25).map(|n| n * 200).collect());
    let (best, _) =
        try_all((0..20).map(|n| near + n * 20).chain((1..10).map(|n| near.saturating_sub(n * 20))).collect());
    best.1
}

/// A replay, and how far its luck is from the recorded one.
fn attempt(story: &Story, recording: &Recording, (luck, shift): (u64, Span)) -> (i64, Vec<Event>) {
    let mut teller = Teller::new(story, (luck, shift));
    teller.tell();
    let events = teller.events();
    let far = teller.far + bound_elsewhere(&teller.hosts, (&recording.events, &events));
    (far * FAR_APART + apart((&recording.events, &events)), events)
}

/// One pod more or fewer counts as much as so many milliseconds.
const FAR_APART: i64 = 10_000;
/// Milliseconds.
const NEAR_ENOUGH: i64 = 300;

/// When the node monitor looks is luck as well: milliseconds between the moments at which it finds nodes silent.
fn apart((real, ours): (&[Event], &[Event])) -> i64 {
    let found = |events: &[Event]| -> Vec<f64> {
        let mut at: Vec<f64> = events.iter().filter(|e| e.class.kind == "node Unknown").map(|e| e.at).collect();
        at.sort_by(f64::total_cmp);
        at
    };
    found(real).iter().zip(found(ours)).map(|(real, ours)| ((real - ours) * 1000.0).abs() as i64).sum()
}

/// How many pods more or fewer were bound to hosts that stop, in all.
fn bound_elsewhere(hosts: &BTreeMap<String, NodeId>, (real, ours): (&[Event], &[Event])) -> i64 {
    let count = |events: &[Event], host: &str| -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for event in events.iter().filter(|e| e.class.kind == "bound" && e.node.as_deref() == Some(host)) {
            *counts.entry(event.class.revision.clone()).or_default() += 1;
        }
        counts
    };
    let far = |(name, node): (&String, &NodeId)| {
        let (real, ours) = (count(real, name), count(ours, &format!("#{}", node.0)));
        let keys: BTreeSet<&String> = real.keys().chain(ours.keys()).collect();
        keys.into_iter().map(|key| (real.get(key).unwrap_or(&0) - ours.get(key).unwrap_or(&0)).abs()).sum::<i64>()
    };
    hosts.iter().map(far).sum()
}

pub(super) struct Teller<'a> {
    pub(super) story: &'a Story,
    pub(super) engine: Engine,
    world: Kubelets,
    pub(super) facts: FactLog,
    exchange: Exchange,
    /// Our nodes for those that the recording names.
    pub(super) hosts: BTreeMap<String, NodeId>,
    /// Our pods for those that the recording names.
    pub(super) pods: BTreeMap<String, PodId>,
    /// How workloads are declared now.
    details: BTreeMap<String, Details>,
    last_taint: Option<String>,
    /// Pods more or fewer than recorded on hosts that something was done to.
    far: i64,
    /// How much later than usual the trigger comes.
    shift: Span,
}

impl<'a> Teller<'a> {
    fn new(story: &'a Story, (luck, shift): (u64, Span)) -> Self {
        let catalog = Arc::new(story.catalog.clone());
        let mut world = Kubelets::new(story.pace);
        world.never_ready.extend(&story.never_ready);
        for (node, spec) in catalog.nodes.iter() {
            if spec.at_start {
                world.boot(Time::ZERO, node);
            } else {
                world.down.insert(node);
            }
        }
        let details = story.parts.iter();
        let details =
            details.map(|(name, part)| (name.clone(), catalog.workloads[part.workload].details.clone())).collect();
        let mut engine = Engine::new(catalog, story.profile.clone(), Streams::new(luck));
        if story.kinds.iter().any(|kind| kind == "attempt") {
            engine.keep_attempts();
        }
        let mut teller = Self {
            story,
            engine,
            world,
            facts: FactLog::new(),
            exchange: Exchange::default(),
            hosts: BTreeMap::new(),
            pods: BTreeMap::new(),
            details,
            last_taint: None,
            far: 0,
            shift,
        };
        teller.set_leases();
        teller
    }

    /// Leases are renewed when the recording says so. Of a host that is only found out later any may be it.
    fn set_leases(&mut self) {
        let every = match self.story.renewals.len() {
            1 => self.story.renewals.values().next(),
            _ => None,
        };
        for (name, &node) in &self.story.nodes {
            if let Some(at) = every.or_else(|| self.story.renewals.get(name)) {
                let phase = ((self.story.warm_up + self.shift).as_secs_f64() + at).max(0.0);
                self.world.phases.insert(node, Time::ZERO + seconds(phase));
            }
        }
    }

    fn tell(&mut self) {
        let story = self.story;
        self.place_by_hand();
        let start = self.trigger();
        if !story.unready.is_empty() {
            self.until(start - Span::from_secs(5));
            self.make_unready();
        }
        self.until(start - Span::from_millis(30));
        for name in story.order.iter().filter(|name| story.parts[*name].gated) {
            let workload = story.parts[name].workload;
            self.command(Operation::Ungate { workload });
        }
        for (at, step) in &story.steps {
            let at = start + seconds(*at);
            if at > self.engine.now() {
                self.until(at);
            }
            self.act(step);
        }
        self.until(start + seconds(story.end));
    }

    pub(super) fn trigger(&self) -> Time {
        Time::ZERO + self.story.warm_up + self.shift
    }

    fn until(&mut self, end: Time) {
        if self.story.odd_slots.is_empty() {
            return run(&mut self.engine, &mut self.world, &mut self.facts, end, &mut self.exchange);
        }
        // A pod's slot is known once it exists.
        let mut next = self.engine.now();
        while next < end {
            next = (next + Span::from_millis(50)).min(end);
            run(&mut self.engine, &mut self.world, &mut self.facts, next, &mut self.exchange);
            let view = self.engine.view();
            for pod in view.pods() {
                if let Some(odd) = self.story.odd_slots.get(&view.slot(pod.id)) {
                    self.world.odd_pods.insert(pod.id, *odd);
                }
            }
        }
    }

    fn command(&mut self, operation: Operation) {
        self.exchange.command(Input { cause: FactId::NONE, kind: InputKind::Operator(operation) });
    }

    /// The workload that is meant, or the only one.
    fn part(&self, name: &str) -> &'a Part {
        let story = self.story;
        let changes = |part: &&Part| part.kind != WorkloadKind::Pod && !part.hidden;
        let parts = &story.parts;
        parts
            .get(name)
            .or_else(|| parts.values().find(changes))
            .or_else(|| parts.values().next())
            .expect("a story has a workload")
    }

    fn act(&mut self, step: &Step) {
        let part = self.part("");
        let workload = part.workload;
        match step {
            Step::Create => self.create_all(),
            Step::CreatePod(name) => {
                let workload = self.part(name).workload;
                self.command(Operation::Apply { workload });
            }
            Step::Update { revision, partition, bounds } => {
                self.redeclare(*partition, *bounds);
                self.command(Operation::Deploy { workload, template: part.templates[revision - 1] });
            }
            Step::Partition(partition) => self.redeclare(Some(*partition), None),
            Step::Undo => self.command(Operation::Undo { workload }),
            Step::Pause => self.command(Operation::Pause { workload }),
            Step::Resume => self.command(Operation::Resume { workload }),
            Step::Scale { of, to } => {
                let workload = self.part(of).workload;
                self.command(Operation::Scale { workload, replicas: *to });
            }
            Step::Stop(names) => {
                for node in self.nodes_like(names) {
                    self.world.stop(self.engine.now(), node, FactId::NONE);
                }
            }
            Step::GoOn(names) => self.go_on(names),
            Step::Join { node, .. } => {
                let joins = self.story.nodes.iter().find(|(name, _)| is_called(name, node));
                joins.iter().for_each(|(_, node)| self.world.boot(self.engine.now(), **node));
            }
            Step::DeletePod { pod, force } => {
                let grace = force.then_some(Span::ZERO);
                let pods = self.pod_like(pod).into_iter().collect();
                self.command(Operation::DeletePods { pods, grace });
            }
            Step::Readiness { pod, ready } => self.set_ready(pod, *ready),
            Step::Drain(name) => {
                let nodes = self.nodes_like(std::slice::from_ref(name));
                self.command(Operation::Drain { nodes });
            }
            Step::Taint(key) => self.taint(key.as_ref()),
            Step::Untaint => {
                if let Some((nodes, taint)) = self.tainted() {
                    self.command(Operation::Untaint { nodes, taint, every_effect: true });
                }
            }
            Step::DefaultPriority(_) => {
                let twins = self.story.parts.values().flat_map(|part| part.twins.iter().copied()).collect();
                self.command(Operation::DefaultPriority { twins });
            }
            // When a node says that it is ready is part of how it joins.
            Step::NodeReady(_) | Step::Note => {}
        }
    }

    /// One client creates all that is not there, one after the other.
    fn create_all(&mut self) {
        let story = self.story;
        let missing = |name: &&String| !story.catalog.workloads[story.parts[*name].workload].at_start;
        for name in story.order.iter().filter(missing) {
            self.command(Operation::Apply { workload: story.parts[name].workload });
            self.until(self.engine.now() + BETWEEN_REQUESTS);
        }
    }

    fn redeclare(&mut self, partition: Option<u32>, bounds: Option<(Amount, Amount)>) {
        let story = self.story;
        let name = story.order.iter().find(|name| story.parts[*name].workload == self.part("").workload);
        let name = name.expect("every part is in the order");
        let details = self.details.get_mut(name).expect("each has its details");
        match (&mut *details, partition, bounds) {
            (Details::Stateful(spec), Some(partition), _) => spec.partition = partition,
            (Details::Daemon(spec), _, Some((unavailable, surge))) => {
                (spec.max_unavailable, spec.max_surge) = (unavailable, surge);
            }
            _ => return,
        }
        let details = Box::new(details.clone());
        self.command(Operation::Redeclare { workload: story.parts[name].workload, details });
    }

    fn go_on(&mut self, names: &[String]) {
        let called = |name: &String| names.is_empty() || names.iter().any(|meant| is_called(name, meant));
        let back: Vec<NodeId> = self.hosts.iter().filter(|(name, _)| called(name)).map(|(_, node)| *node).collect();
        for node in back {
            self.world.go_on(self.engine.now(), node);
        }
    }

    fn set_ready(&mut self, name: &str, ok: bool) {
        let Some(pod) = self.pod_like(name) else { return };
        if let Some(node) = self.engine.view().pod(pod).and_then(|pod| pod.node) {
            self.world.set_ready(self.engine.now(), (node, pod), ok);
        }
    }

    /// The hosts that people taint are those that hold the pods at the trigger: all there are.
    fn tainted(&self) -> Option<(Vec<NodeId>, Taint)> {
        let key = self.story.catalog.names.find(self.last_taint.as_deref()?)?;
        let taint = Taint { key, value: self.story.catalog.known.empty, effect: TaintEffect::NoExecute };
        Some((self.story.nodes.values().copied().collect(), taint))
    }

    fn taint(&mut self, key: Option<&String>) {
        self.last_taint = key.cloned().or_else(|| self.last_taint.take());
        if let Some((nodes, taint)) = self.tainted() {
            self.command(Operation::Taint { nodes, taint });
        }
    }

    /// Pods come one by one: all nodes but one are closed, and one replica more is wanted.
    fn place_by_hand(&mut self) {
        let story = self.story;
        let all: Vec<NodeId> = story.nodes.values().copied().collect();
        let workload = self.part("").workload;
        let mut ready: Vec<(Time, String)> = Vec::new();
        for (n, hand) in story.hand.iter().enumerate() {
            let at = self.trigger() - seconds(-hand.at);
            self.make_ready_until(&mut ready, at);
            self.until(at);
            let Some(&node) = story.nodes.get(&hand.node) else { continue };
            self.command(Operation::Cordon { nodes: all.iter().copied().filter(|other| *other != node).collect() });
            self.command(Operation::Uncordon { nodes: vec![node] });
            self.command(Operation::Scale { workload, replicas: n as u32 + 1 });
            self.until(at + Span::from_millis(30));
            let newest = self.engine.view().pods().map(|pod| pod.id).max();
            if let Some(pod) = newest {
                self.pods.insert(hand.name.clone(), pod);
                self.command(Operation::DeletionCost { pods: vec![pod], cost: hand.cost });
            }
            if let Some(since) = hand.ready {
                ready.push((self.trigger() - seconds(-since), hand.name.clone()));
            }
        }
        self.make_ready_until(&mut ready, self.trigger());
        if !story.hand.is_empty() {
            self.command(Operation::Uncordon { nodes: all });
        }
    }

    fn make_ready_until(&mut self, ready: &mut Vec<(Time, String)>, end: Time) {
        ready.sort();
        while ready.first().is_some_and(|(at, _)| *at <= end) {
            let (at, name) = ready.remove(0);
            self.until(at.max(self.engine.now()));
            self.set_ready(&name, true);
        }
    }

    /// Pods that are not ready at the trigger, on nodes that hold as many as the recorded ones.
    fn make_unready(&mut self) {
        for (node, name) in &self.story.unready {
            let view = self.engine.view();
            let taken: BTreeSet<PodId> = self.pods.values().copied().collect();
            let wanted: u32 = self.story.places.get(node).map_or(0, |census| census.values().sum());
            let far = |node: &NodeId| i64::from(view.node(*node).pods).abs_diff(i64::from(wanted));
            let free = view.pods().filter(|pod| !taken.contains(&pod.id));
            let chosen = free.filter_map(|pod| Some((far(&pod.node?), pod.id))).min().map(|(_, pod)| pod);
            if let Some(pod) = chosen {
                self.pods.insert(name.clone(), pod);
                self.set_ready(name, false);
            }
        }
    }

    /// Our pod for a recorded one: the one of that name, or one that was not taken for another yet.
    fn pod_like(&mut self, name: &str) -> Option<PodId> {
        let view = self.engine.view();
        let alive = |pod: &&PodId| view.pod(**pod).is_some();
        if let Some(pod) = self.pods.get(name).filter(alive) {
            return Some(*pod);
        }
        let taken: BTreeSet<PodId> = self.pods.values().copied().collect();
        let stands_for = |pod: &shakedown_engine::PodView| {
            let part = self.story.parts.iter().find(|(_, part)| part.workload == pod.workload);
            part.is_some_and(|(owner, part)| match part.kind {
                WorkloadKind::StatefulSet => name == format!("{owner}-{}", view.slot(pod.id)),
                WorkloadKind::Pod => name == owner,
                _ => !part.hidden && name.starts_with(owner.as_str()) && !pod.deleting && !taken.contains(&pod.id),
            })
        };
        let pod = view.pods().find(stands_for)?.id;
        self.pods.insert(name.to_owned(), pod);
        Some(pod)
    }

    /// Our nodes for the recorded ones: one that holds as many pods as the recorded one did then, if there is one.
    fn nodes_like(&mut self, names: &[String]) -> Vec<NodeId> {
        let named: Vec<NodeId> = names.iter().filter_map(|name| self.story.nodes.get(name).copied()).collect();
        let [only] = names else {
            self.hosts.extend(names.iter().cloned().zip(named.iter().copied()));
            return named;
        };
        let wanted = self.story.places.get(only).cloned().unwrap_or_default();
        let far = |node: &NodeId| {
            let ours = self.census(*node);
            let keys: BTreeSet<_> = wanted.keys().chain(ours.keys()).collect();
            let of = |census: &Census, key| i64::from(census.get(key).copied().unwrap_or(0));
            keys.into_iter().map(|key| (of(&wanted, key) - of(&ours, key)).abs()).sum::<i64>()
        };
        let used: BTreeSet<NodeId> = self.hosts.values().copied().collect();
        // Of equals the one of that name comes first, so that hosts differ only where they must.
        let candidates = named.iter().copied().chain(self.story.nodes.values().copied());
        let candidates = candidates.filter(|node| !used.contains(node) && !self.world.down.contains(node));
        let Some((distance, node)) = candidates.map(|node| (far(&node), node)).min_by_key(|(far, _)| *far) else {
            return Vec::new();
        };
        self.far += distance;
        self.hosts.insert(only.clone(), node);
        vec![node]
    }

    /// Pods of a node: how many of which revision have come how far.
    fn census(&self, node: NodeId) -> Census {
        let view = self.engine.view();
        let mut census = Census::new();
        for pod in view.pods().filter(|pod| pod.node == Some(node)) {
            let part = self.story.parts.iter().find(|(_, part)| part.workload == pod.workload);
            let identity = part.map_or(String::new(), |(name, part)| match part.kind {
                WorkloadKind::StatefulSet => format!("{name}-{}", view.slot(pod.id)),
                _ => format!("v{}", part.templates.iter().position(|t| *t == pod.template).unwrap_or(0) + 1),
            });
            let stage = match pod.phase {
                _ if pod.deleting => "deleting",
                PodPhase::Ready => "ready",
                PodPhase::Running | PodPhase::Failing => "running",
                _ => "bound",
            };
            *census.entry((identity, stage.to_owned())).or_default() += 1;
        }
        census
    }
}
