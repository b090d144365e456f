//! The whole: state, clock and the loop over events.
//!
//! Parts change state and mark what depends on it; at the end of each instant [`SimWorld::settle`] divides CPU and
//! integrates traffic once for all that happened. Start at the `World` impl.

use std::collections::BTreeMap;
use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::setting::{Behaviour, Defect, Growth};
use shakedown_engine::fact::{FactId, FactLog};
use shakedown_engine::ids::{FaultId, Id, ImageId, NodeId, PodId, Table};
use shakedown_engine::message::{Address, Input, InputKind, Order, OrderKind, Reach};
use shakedown_engine::model::Catalog;
use shakedown_engine::rng::{Purpose, Stream, Streams};
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::World;

use crate::absence::Absences;
use crate::balancer::Targets;
use crate::beat::Beat;
use crate::container::Pods;
use crate::event::{Event, Stamp};
use crate::host::Host;
use crate::images::Images;
use crate::message::Connection;
use crate::names::Names;
use crate::network::Network;
use crate::proxy::Proxies;
use crate::queue::EventQueue;
use crate::traffic::Loads;

/// At the start hosts report one after the other, this far apart, so that no two are simultaneous.
const STAGGER: Span = Span::from_micros(10);

/// How often what names cost and what hosts give is balanced within one instant; steps of a thousandth end it earlier.
const ROUNDS: u32 = 8;

/// A simulated cluster with its users. Cloning it forks the run.
#[derive(Clone, Debug)]
pub struct SimWorld {
    pub(crate) now: Time,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) experiment: Arc<Experiment>,
    pub(crate) streams: Streams,
    pub(crate) queue: EventQueue<Event>,
    pub(crate) outbox: Vec<Input>,
    last_stamp: Stamp,
    pub(crate) hosts: Table<NodeId, Host>,
    pub(crate) dirty_hosts: Vec<NodeId>,
    pub(crate) down_facts: Table<NodeId, FactId>,
    pub(crate) boot_causes: BTreeMap<NodeId, FactId>,
    pub(crate) pods: Pods,
    pub(crate) images: Images,
    /// Faults that make containers of pods grow, pods in id order.
    pub(crate) leaks: BTreeMap<FaultId, (Vec<PodId>, Growth)>,
    pub(crate) net: Network,
    pub(crate) links: Table<NodeId, Connection>,
    pub(crate) last_arrival: BTreeMap<(Address, Address), Time>,
    pub(crate) beats: Table<NodeId, Beat>,
    /// What was last said to be the answer of hosts of which the engine wants to know.
    pub(crate) reaches: BTreeMap<NodeId, Reach>,
    pub(crate) beat_draws: Draws,
    pub(crate) network_draws: Draws,
    pub(crate) runtime_draws: Draws,
    pub(crate) proxies: Proxies,
    pub(crate) loads: Loads,
    pub(crate) names: Names,
    pub(crate) targets: Targets,
    pub(crate) absences: Absences,
    pub(crate) gossip_draws: Draws,
    /// What an image of which nothing is known does.
    pub(crate) plain: Behaviour,
}

/// The streams of one purpose, one a node, made on first use.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    streams: Streams,
    purpose: Purpose,
    rows: Vec<Option<Box<Stream>>>,
}

impl Draws {
    fn new(streams: Streams, purpose: Purpose, nodes: usize) -> Self {
        Self { streams, purpose, rows: vec![None; nodes] }
    }

    pub(crate) fn of(&mut self, node: NodeId) -> &mut Stream {
        let (streams, purpose) = (self.streams, self.purpose);
        self.rows[node.index()].get_or_insert_with(|| Box::new(streams.stream(purpose, node.0)))
    }
}

impl SimWorld {
    /// A cluster at time zero: all hosts are up and nothing runs on them.
    pub fn new(catalog: Arc<Catalog>, experiment: Arc<Experiment>, streams: Streams) -> Self {
        let nodes = catalog.nodes.len();
        let zones = catalog.nodes.iter().map(|(_, node)| node.zone).collect();
        let images = &experiment.setting.images;
        let pullable = catalog.images.ids().filter(|id| images.get(*id).is_none_or(|b| b.defect != Defect::Missing));
        let present: Vec<ImageId> = pullable.filter(|_| experiment.setting.host.images_present).collect();
        let proxies = Proxies::new(&catalog, &experiment, streams);
        let mut world = Self {
            now: Time::ZERO,
            streams,
            queue: EventQueue::new(),
            outbox: Vec::new(),
            last_stamp: 0,
            hosts: catalog.nodes.iter().map(|(_, node)| Host::new(node, &experiment.setting.host)).collect(),
            dirty_hosts: Vec::new(),
            down_facts: (0..nodes).map(|_| FactId::NONE).collect(),
            boot_causes: BTreeMap::new(),
            pods: Pods::default(),
            leaks: BTreeMap::new(),
            images: Images::new(nodes, present.iter().copied()),
            net: Network::new(experiment.setting.network.clone(), zones),
            links: (0..nodes).map(|_| Connection::default()).collect(),
            last_arrival: BTreeMap::new(),
            beats: (0..nodes).map(|_| Beat::default()).collect(),
            reaches: BTreeMap::new(),
            beat_draws: Draws::new(streams, Purpose::Heartbeat, nodes),
            network_draws: Draws::new(streams, Purpose::Network, nodes),
            runtime_draws: Draws::new(streams, Purpose::Runtime, nodes),
            loads: Loads::new(&catalog, &experiment, streams, &proxies),
            proxies,
            names: Names::new(&catalog, &experiment),
            targets: Targets::default(),
            absences: Absences::default(),
            gossip_draws: Draws::new(streams, Purpose::Gossip, nodes),
            plain: Behaviour::default(),
            catalog,
            experiment,
        };
        world.fill_shelves(&present);
        world.start();
        world
    }

    fn start(&mut self) {
        let nodes: Vec<NodeId> = self.hosts.ids().collect();
        for node in nodes {
            if !self.hosts[node].present {
                self.view_lost(node, FactId::NONE);
                continue;
            }
            let stamp = self.stamp();
            self.hosts[node].boot = stamp;
            self.queue.push(Time::ZERO + STAGGER.times(u64::from(node.0)), Event::Booted { node, stamp });
        }
        self.begin_loads();
    }

    /// Ends a run: what users saw since the last change becomes facts.
    pub fn finish(&mut self, now: Time, facts: &mut FactLog) {
        self.move_to(now, facts);
        self.settle(facts);
        self.close_loads(facts);
    }

    /// A stamp that no plan has yet.
    pub(crate) fn stamp(&mut self) -> Stamp {
        self.last_stamp += 1;
        self.last_stamp
    }

    /// Tells the engine something at the present instant.
    pub(crate) fn emit(&mut self, cause: FactId, kind: InputKind) {
        if let Some(kind) = self.keep_report(cause, kind) {
            self.outbox.push(Input { cause, kind });
        }
    }

    /// Moves the clock. Nothing may be due before `now`.
    pub(crate) fn move_to(&mut self, now: Time, facts: &mut FactLog) {
        assert!(now >= self.now, "time does not run backwards");
        if now > self.now {
            self.settle(facts);
            self.now = now;
        }
    }

    /// Works out what follows from all that changed at this instant.
    fn settle(&mut self, facts: &mut FactLog) {
        for _ in 0..ROUNDS {
            self.review_names();
            self.assign_loads();
            self.assign_lookups();
            while let Some(node) = self.dirty_hosts.pop() {
                self.divide_cpu(node);
            }
            // What servers of names get of their hosts' CPU decides who finds the others.
            if !self.names_stale() {
                break;
            }
        }
        self.review_targets();
        self.review_outcomes(facts);
    }

    fn handle(&mut self, event: Event, facts: &mut FactLog) {
        match event {
            Event::Deliver(letter) => self.on_deliver(*letter),
            Event::LookUpAgain => self.on_look_up_again(),
            Event::Booted { node, stamp } => self.on_booted(node, stamp, facts),
            Event::AgentEnds { node, fault } => self.on_agent_ends(node, fault),
            Event::Done { cell, stamp } => self.on_done(cell, stamp),
            Event::End { cell, stamp, why } => self.on_end(cell, stamp, why),
            Event::Hang { cell, stamp } => self.on_hang(cell, stamp),
            Event::Memory { node, stamp } => self.on_memory(node, stamp),
            Event::Ask { cell, probe, stamp } => self.on_ask(cell, probe, stamp),
            Event::Answer { cell, probe, stamp, ok } => self.on_answer(cell, probe, stamp, ok),
            Event::Registry { node, image, stamp } => self.on_registry(node, image, stamp),
            Event::Transferred { stamp } => self.on_transferred(stamp),
            Event::BeatDue { node, stamp } => self.on_beat_due(node, stamp),
            Event::BeatArrives { node, stamp, steady } => self.on_beat_arrives(node, stamp, steady),
            Event::Reconnect { node, stamp } => self.on_reconnect(node, stamp),
            Event::Flip { service, cause } => self.on_flip(service, cause),
            Event::Seen { service, version, cause } => self.on_seen((service, version), cause, facts),
            Event::CaughtUp { node, stamp } => self.on_caught_up(node, stamp),
            Event::Absent { node, stamp } => self.on_absent((node, stamp), facts),
            Event::Heard { node, stamp } => self.on_heard((node, stamp), facts),
            Event::Alone { node, epoch, cause } => self.on_alone((node, epoch), cause),
            Event::Checked { cause } => self.on_checked(cause),
            Event::Load { source } => self.on_load(source),
            Event::AskTarget { pod, stamp } => self.on_ask_target(pod, stamp),
            Event::TargetVerdict { pod, stamp, healthy } => self.on_target_verdict(pod, stamp, healthy),
        }
    }
}

impl World for SimWorld {
    fn submit(&mut self, now: Time, orders: &mut Vec<Order>, facts: &mut FactLog) {
        self.move_to(now, facts);
        for Order { cause, kind } in orders.drain(..) {
            match kind {
                OrderKind::Send { from, to, message } => self.send(from, to, message, cause),
                OrderKind::Publish(publication) => self.publish(publication, cause),
                // An agent that died at this very instant orders nothing.
                OrderKind::Heartbeats { node, .. } | OrderKind::Runtime { node, .. } if !self.hosts[node].up => {}
                OrderKind::Heartbeats { node, period, jitter, first, missed } => {
                    self.order_beats(node, (period, jitter), (first, missed), cause);
                }
                OrderKind::Runtime { node, op } => self.run_unless_away(node, op, cause),
                OrderKind::Balance { pod, check } => self.order_balance(pod, check, cause),
                OrderKind::Measure { autoscaler, pods } => self.measure(autoscaler, &pods, cause),
                OrderKind::Knock { node } => self.order_knock(node),
                OrderKind::Machine { node, wanted, after } => self.order_machine(node, (wanted, after), cause, facts),
            }
        }
    }

    fn advance(&mut self, until: Time, inputs: &mut Vec<Input>, facts: &mut FactLog) -> Time {
        loop {
            self.settle(facts);
            if !self.outbox.is_empty() && self.queue.next_time().is_none_or(|next| next > self.now) {
                inputs.append(&mut self.outbox);
                return self.now;
            }
            let Some((at, event)) = self.queue.pop_until(until) else {
                self.now = self.now.max(until.min(Time::MAX));
                return self.now;
            };
            self.now = self.now.max(at);
            self.handle(event, facts);
            while let Some((_, event)) = self.queue.pop_until(self.now) {
                self.handle(event, facts);
            }
        }
    }
}
