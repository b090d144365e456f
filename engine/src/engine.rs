//! The engine as others see it: one orchestrator as a state machine with a clock argument.
//!
//! It owns the two halves, control plane and agents, and never lets one touch the other: what passes between them
//! leaves as an order and comes back as an input. Start at [`Engine::step`].

use std::sync::Arc;

use crate::agent::{Agent, AgentTimer, Context};
use crate::control::{Alarm, Control, Cx, View};
use crate::fact::{FactId, FactLog};
use crate::ids::{NodeId, Table};
use crate::message::{Address, Input, InputKind, Order};
use crate::model::Catalog;
use crate::profile::Profile;
use crate::rng::Streams;
use crate::time::Time;
use crate::timers::Timers;

/// One orchestrator at work on one cluster. Cloning it forks the run.
#[derive(Clone)]
pub struct Engine {
    now: Time,
    begun: bool,
    control: Control,
    agents: Table<NodeId, Agent>,
    control_timers: Timers<Alarm>,
    agent_timers: Timers<(NodeId, AgentTimer)>,
    /// What agents ask to be woken for, moved into `agent_timers` after each call.
    wishes: Vec<(Time, FactId, AgentTimer)>,
}

impl Engine {
    /// An engine that manages the catalog's nodes, all of them registered and healthy; workloads marked `at_start` are
    /// created in its first step.
    pub fn new(catalog: Arc<Catalog>, profile: Profile, streams: Streams) -> Self {
        let agents = catalog.nodes.ids().map(|node| Agent::new(node, streams)).collect();
        Self {
            now: Time::ZERO,
            begun: false,
            control: Control::new(catalog, Arc::new(profile), streams),
            agents,
            control_timers: Timers::new(),
            agent_timers: Timers::new(),
            wishes: Vec::new(),
        }
    }

    /// The time of the last step.
    pub fn now(&self) -> Time {
        self.now
    }

    /// When the engine wants to be stepped next, even without inputs.
    pub fn next_wake(&self) -> Option<Time> {
        if !self.begun {
            return Some(self.now);
        }
        match (self.control_timers.next(), self.agent_timers.next()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// How many things the engine has planned for later, those that have become void among them.
    pub fn planned(&self) -> usize {
        self.control_timers.len() + self.agent_timers.len()
    }

    /// Takes in what happened up to `now`, draining `inputs`, and appends what it wants done.
    ///
    /// Inputs come first, in their order; then what the control plane had planned, then what agents had, until nothing
    /// is due.
    pub fn step(&mut self, now: Time, inputs: &mut Vec<Input>, orders: &mut Vec<Order>, facts: &mut FactLog) {
        assert!(now >= self.now, "time does not run backwards");
        self.now = now;
        if !self.begun {
            self.begun = true;
            self.control.begin(&mut Cx { now, orders, facts, timers: &mut self.control_timers });
        }
        for input in inputs.drain(..) {
            self.input(input, orders, facts);
        }
        loop {
            if let Some(due) = self.control_timers.pop(now) {
                let mut cx = Cx { now, orders, facts, timers: &mut self.control_timers };
                self.control.alarm(&mut cx, due.cause, due.what);
            } else if let Some(due) = self.agent_timers.pop(now) {
                let (node, timer) = due.what;
                self.agent(node, orders, facts, |agent, cx| agent.timer(cx, due.cause, timer));
            } else {
                return;
            }
        }
    }

    fn input(&mut self, input: Input, orders: &mut Vec<Order>, facts: &mut FactLog) {
        let Input { cause, kind } = input;
        match kind {
            InputKind::Delivered { to: Address::Agent(node), message, .. } => {
                self.agent(node, orders, facts, |agent, cx| agent.message(cx, cause, &message));
            }
            InputKind::HostDown { node } => {
                self.agents[node].host_down(&self.control.profile.restart, self.now);
                let mut cx = Cx { now: self.now, orders, facts, timers: &mut self.control_timers };
                self.control.host_lost(&mut cx, cause, node);
            }
            InputKind::HostUp { node } => self.agent(node, orders, facts, |agent, cx| agent.host_up(cx, cause)),
            InputKind::AgentStops { node } => {
                self.agent(node, orders, facts, |agent, cx| agent.stop_in_order(cx, cause));
            }
            InputKind::Reconnected { node } => {
                self.agent(node, orders, facts, |agent, cx| agent.reconnected(cx, cause))
            }
            InputKind::Runtime { node, event } => {
                self.agent(node, orders, facts, |agent, cx| agent.runtime(cx, cause, &event));
            }
            InputKind::Observed { node, ref stats } => {
                self.agent(node, orders, facts, |agent, cx| agent.observed(cx, cause, stats));
            }
            kind => {
                let mut cx = Cx { now: self.now, orders, facts, timers: &mut self.control_timers };
                self.control.input(&mut cx, cause, kind);
            }
        }
    }

    /// Lets one agent act, and keeps what it wants to be woken for.
    fn agent(
        &mut self,
        node: NodeId,
        orders: &mut Vec<Order>,
        facts: &mut FactLog,
        act: impl FnOnce(&mut Agent, &mut Context<'_>),
    ) {
        let (catalog, profile) = (&self.control.catalog, &self.control.profile);
        let mut cx = Context { now: self.now, catalog, profile, orders, facts, timers: &mut self.wishes };
        act(&mut self.agents[node], &mut cx);
        for (at, cause, timer) in self.wishes.drain(..) {
            self.agent_timers.set(at, cause, (node, timer));
        }
    }

    /// Every attempt of the scheduler is kept from now on, for [`View::attempts`]. Without this none is: facts tell only
    /// what comes of them.
    pub fn keep_attempts(&mut self) {
        self.control.keep_attempts();
    }

    /// What may be seen from outside.
    pub fn view(&self) -> View<'_> {
        self.control.view(self.now)
    }
}
