//! The scheduler: which node a pod goes to, and which pod is tried next.
//!
//! It filters and scores nodes by the plugins that the profile lists, with the semantics of kube-scheduler, and finds
//! out who would have to make way. It does not bind, delete or keep time: whoever calls charges the pod and talks to
//! the store. Two parts: [`Scheduler`] chooses nodes, [`queue::SchedulingQueue`] chooses pods.
//!
//! Inside, everything a placement reads is kept up incrementally: free resources in columns (`usage`), node-only rules
//! as tables (`fixed`), pods counted by domain (`ledger`, `counters`), templates compiled to classes (`class`). A
//! placement is then two passes over a sample of nodes, `filter` and `score`. Candidates that identical pods share
//! (`memo` is the first of that kind) belong behind those two, which stay the truth. Start at [`Scheduler::place`].

pub(crate) mod alike;
mod choice;
mod class;
mod counters;
mod filter;
mod fitting;
mod fixed;
mod hints;
mod ledger;
mod memo;
pub mod nomad;
mod nominated;
mod order;
mod outcome;
mod preemption;
pub mod queue;
mod ranking;
mod resources;
mod roster;
mod score;
mod topology;
mod usage;
pub(crate) mod volumes;
pub(crate) mod volumes_book;
mod weights;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use fixed::NodeState;
pub(crate) use fixed::node_admits;
pub use outcome::{Candidate, Explanation, FilterSet, Outcome, Reason, Refusal, Share, Verdict};
pub use preemption::{Budgets, NoBudgets, Preempted, Preemption, Unhelpful, Victims};
pub use usage::Requested;

use crate::ids::{Id, ImageId, NodeId, PodId, Symbol, Table, TemplateId, WorkloadId};
use crate::model::{Catalog, REGION_LABEL, WorkloadKind};
use crate::profile::{Choice, DEFAULT_SCHEDULER, Placement, SchedulerProfile, Stopped};
use crate::rng::Stream;
use crate::rollout::daemon;
use crate::scheduler::class::{Carriers, Class, Compiler, notice};
use crate::scheduler::counters::{ClassId, FixedId, Seat};
use crate::scheduler::filter::{Ask, Looked};
use crate::scheduler::fitting::Fitting;
use crate::scheduler::fixed::{Fixed, Rules};
use crate::scheduler::hints::NodeNews;
use crate::scheduler::ledger::Ledger;
use crate::scheduler::nominated::Nominations;
use crate::scheduler::order::{NodeTree, ZoneKey};
use crate::scheduler::roster::{Differ, Occupant, Roster};
use crate::scheduler::score::Scratch;
use crate::scheduler::usage::Usage;
use crate::time::Time;

/// A pod as the scheduler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The pod.
    pub pod: PodId,
    /// Its template.
    pub template: TemplateId,
    /// The workload that owns it.
    pub workload: Option<WorkloadId>,
    /// Only this node comes into question: required affinity to a node's name that the pod was created with, as
    /// daemons' pods are. The other nodes are not even looked at.
    pub only: Option<NodeId>,
}

/// Chooses nodes for pods.
#[derive(Clone, Debug)]
pub struct Scheduler {
    catalog: Arc<Catalog>,
    /// Profiles by name; never empty.
    profiles: Vec<SchedulerProfile>,
    stream: Stream,
    usage: Usage,
    ledger: Ledger,
    fixed: Table<FixedId, Fixed>,
    classes: Table<ClassId, Class>,
    /// Classes of each template, by workload.
    class_of: Table<TemplateId, Vec<(Option<WorkloadId>, ClassId)>>,
    carriers: Carriers,
    tree: NodeTree,
    order: Vec<NodeId>,
    order_is_stale: bool,
    /// Where the next scan starts: the round robin over nodes.
    next_start: usize,
    /// Images on each node, sorted.
    images: Vec<Vec<ImageId>>,
    /// Nodes in sight that have an image.
    nodes_with: Table<ImageId, u32>,
    region: Option<Symbol>,
    seats: Vec<Option<Seat>>,
    roster: Roster,
    fitting: Fitting,
    nominations: Nominations,
    /// For queueing hints.
    news: Option<NodeNews>,
    /// For choices among a few shuffled nodes.
    sampling: nomad::Sampling,
    /// What the last refusal saw, for preemption.
    looked: Looked,
    scratch: Scratch,
    /// Where pods failed lately, for those that avoid such nodes.
    failures: alike::Failures,
    /// By node, as far as choice by weights asks for it.
    health: Vec<i64>,
    rules: weights::Rules,
    /// Claims, volumes and who mounts what.
    pub(crate) volumes: volumes::Volumes,
}

impl Scheduler {
    /// A scheduler of one profile that knows no nodes yet.
    pub fn new(catalog: Arc<Catalog>, placement: Placement, stream: Stream) -> Self {
        Self::with_profiles(catalog, (placement, &[]), stream)
    }

    /// A scheduler of a default profile and further ones, which may take the default's name and so its place.
    pub fn with_profiles(catalog: Arc<Catalog>, profiles: (Placement, &[SchedulerProfile]), stream: Stream) -> Self {
        let any_address = catalog.names.find("0.0.0.0");
        let mut named = vec![SchedulerProfile { name: DEFAULT_SCHEDULER.to_owned(), placement: profiles.0 }];
        for profile in profiles.1 {
            match named.iter_mut().find(|known| known.name == profile.name) {
                Some(known) => known.placement = profile.placement.clone(),
                None => named.push(profile.clone()),
            }
        }
        let first = catalog.templates.rows().first().map_or(0, |template| template.priority);
        let alike = catalog.templates.rows().iter().all(|template| template.priority == first);
        // Rules of classic Swarm may ask what is on a node.
        let asked = catalog.templates.rows().iter().any(|template| !template.wishes.rules.is_empty());
        let differ = if alike && !asked { Differ::No } else { Differ::Yes };
        Self {
            usage: Usage::new(&catalog.nodes, catalog.known.empty, any_address),
            ledger: Ledger::new(Arc::clone(&catalog)),
            fixed: Table::new(),
            classes: Table::new(),
            class_of: catalog.templates.ids().map(|_| Vec::new()).collect(),
            carriers: Vec::new(),
            tree: NodeTree::default(),
            order: Vec::new(),
            order_is_stale: false,
            next_start: 0,
            images: vec![Vec::new(); catalog.nodes.len()],
            nodes_with: catalog.images.ids().map(|_| 0).collect(),
            region: catalog.names.find(REGION_LABEL),
            seats: Vec::new(),
            roster: Roster::new(catalog.nodes.len(), differ),
            fitting: Fitting::default(),
            nominations: Nominations::default(),
            news: None,
            sampling: nomad::Sampling::default(),
            looked: Looked::default(),
            scratch: Scratch::default(),
            failures: alike::Failures::default(),
            health: vec![100; catalog.nodes.len()],
            rules: weights::Rules::default(),
            volumes: volumes::Volumes::new(&catalog),
            catalog,
            profiles: named,
            stream,
        }
    }

    /// Whether pods that name this scheduler are placed; the empty symbol is the default scheduler.
    pub fn serves(&self, scheduler: Symbol) -> bool {
        self.profile_of(scheduler).is_some()
    }

    /// The profile of pods that name this scheduler.
    fn profile_of(&self, scheduler: Symbol) -> Option<usize> {
        let name = match self.catalog.names.text(scheduler) {
            "" => DEFAULT_SCHEDULER,
            name => name,
        };
        self.profiles.iter().position(|profile| profile.name == name)
    }

    /// How pods of a class are placed.
    #[inline]
    fn placement(&self, class: ClassId) -> &Placement {
        &self.profiles[self.classes[class].profile].placement
    }

    /// Adds a node, or updates one.
    pub fn set_node(&mut self, node: NodeId, state: NodeState) {
        self.looked.pod = None;
        if self.ledger.state(node).is_none() {
            self.tree.add(self.zone_of(node), node);
            self.order_is_stale = true;
            self.images[node.index()].iter().for_each(|&image| self.nodes_with[image] += 1);
        }
        for (_, fixed) in self.fixed.iter_mut() {
            fixed.update(node, &state, &self.catalog);
        }
        self.news = Some((node, self.ledger.state(node).cloned()));
        self.ledger.set_state(node, Some(state));
        self.fitting.changed(node);
        self.pools_are_stale();
    }

    /// Forgets a node. Pods charged to it keep their place until they are released.
    pub fn remove_node(&mut self, node: NodeId) {
        self.looked.pod = None;
        if self.ledger.state(node).is_some() {
            self.tree.remove(self.zone_of(node), node);
            self.order_is_stale = true;
            self.images[node.index()].iter().for_each(|&image| self.nodes_with[image] -= 1);
            self.ledger.set_state(node, None);
            self.pools_are_stale();
        }
    }

    /// What the scheduler knows of a node, if it knows it.
    pub fn node(&self, node: NodeId) -> Option<&NodeState> {
        self.ledger.state(node)
    }

    /// A label of a node has changed, as the catalog says: it is taken out and put in anew, and all counts by that label
    /// are made again.
    pub fn relabel(&mut self, node: NodeId, (catalog, key): (Arc<Catalog>, Symbol)) {
        let state = self.ledger.state(node).cloned();
        self.remove_node(node);
        self.ledger.relabel(Arc::clone(&catalog), key);
        for (_, fixed) in self.fixed.iter_mut() {
            fixed.relabel(node, &catalog);
        }
        self.catalog = catalog;
        if let Some(state) = state {
            self.set_node(node, state);
        }
    }

    /// A node reports that it has an image.
    pub fn add_image(&mut self, node: NodeId, image: ImageId) {
        let images = &mut self.images[node.index()];
        if let Err(at) = images.binary_search(&image) {
            images.insert(at, image);
            self.nodes_with[image] += u32::from(self.ledger.state(node).is_some());
        }
    }

    /// A node reports that it no longer has an image.
    pub fn remove_image(&mut self, node: NodeId, image: ImageId) {
        let images = &mut self.images[node.index()];
        if let Ok(at) = images.binary_search(&image) {
            images.remove(at);
            self.nodes_with[image] -= u32::from(self.ledger.state(node).is_some());
        }
    }

    /// A pod takes its place: assumed there, or bound by hand. A node that it was promised is free of it.
    ///
    /// # Panics
    /// When the pod already has a place.
    pub fn charge(&mut self, request: &Request, node: NodeId) {
        let pod = request;
        let class = self.class(pod);
        let row = pod.pod.index();
        if row >= self.seats.len() {
            self.seats.resize(row + 1, None);
        }
        assert!(self.seats[row].is_none(), "{:?} is charged twice; release it first", pod.pod);
        let (terminating, preempted, given_up) = (false, false, false);
        self.seats[row] = Some(Seat { class, node, terminating, preempted, given_up, starting: true });
        self.usage.starting[node.index()] += 1;
        self.usage.tasks[node.index()] += u32::from(self.classes[class].runs_to_completion);
        self.usage.charge(&self.classes[class].demand, node.index());
        self.ledger.enter(class, node);
        self.fitting.changed(node);
        self.volumes.enter(pod.pod, node);
        let (priority, pod) = (self.classes[class].priority, pod.pod);
        self.roster.enter(node, Occupant { priority, started: Time::MAX, pod, class });
        self.withdraw(pod);
        self.looked.pod = None;
        self.stays(request, node);
    }

    /// A pod is gone and frees its place. Nothing happens when it has none on this node.
    pub fn release(&mut self, pod: &Request, node: NodeId) {
        let Some(seat) = self.seat(pod, node) else { return };
        self.seats[pod.pod.index()] = None;
        let n = node.index();
        if !seat.given_up {
            self.usage.release(&self.classes[seat.class].demand, n);
            self.stays_no_more(seat.class, node);
        }
        self.usage.terminating[n] -= u32::from(seat.terminating);
        self.usage.starting[n] -= u32::from(seat.starting);
        self.usage.tasks[n] -= u32::from(self.classes[seat.class].runs_to_completion);
        self.ledger.leave(seat.class, node, seat.terminating);
        self.fitting.changed(node);
        self.volumes.leave(pod.pod, node);
        self.roster.leave(node, pod.pod);
        self.looked.pod = None;
    }

    /// A placed pod began to run: of two pods of equal priority preemption spares the one that runs for longer.
    pub fn set_started(&mut self, pod: PodId, at: Time) {
        if let Some(node) = self.place_of(pod) {
            self.roster.set_started(node, pod, at);
        }
    }

    /// A placed pod's containers run: it does not count as starting any more.
    pub fn set_running(&mut self, pod: PodId) {
        if let Some(seat) = self.seats.get_mut(pod.index()).and_then(Option::as_mut) {
            self.usage.starting[seat.node.index()] -= u32::from(std::mem::take(&mut seat.starting));
        }
    }

    /// A placed pod's deletion was asked for by preemption. As long as it ends, the pod that it makes way for preempts
    /// no others.
    pub fn set_preempted(&mut self, pod: PodId) {
        if let Some(seat) = self.seats.get_mut(pod.index()).and_then(Option::as_mut) {
            seat.preempted = true;
        }
    }

    /// A pod's deletion begins: it holds its resources, but spreading no longer counts it. Nothing happens when it has
    /// no place on this node.
    pub fn set_terminating(&mut self, pod: &Request, node: NodeId) {
        let Some(seat) = self.seat(pod, node).filter(|seat| !seat.terminating) else { return };
        self.seats[pod.pod.index()] = Some(Seat { terminating: true, ..seat });
        self.usage.terminating[node.index()] += 1;
        self.ledger.terminate(seat.class, node);
        self.looked.pod = None;
        if self.sampled(seat.class).is_some_and(|policy| policy.stopped == Stopped::AtOnce) {
            self.give_up(pod.pod);
        }
    }

    /// Where a pod is charged.
    pub fn place_of(&self, pod: PodId) -> Option<NodeId> {
        self.seats.get(pod.index()).copied().flatten().map(|seat| seat.node)
    }

    /// What is taken on a node.
    pub fn requested(&self, node: NodeId) -> Requested {
        self.usage.requested(&self.catalog.nodes[node], node.index())
    }

    /// Chooses a node for a pod. Does not charge it.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/schedule_one.go, `schedulePod`.
    pub fn place(&mut self, pod: &Request) -> Outcome {
        // One draw a decision, whatever comes of it: one tie more moves no later draw.
        let luck = self.stream.bits();
        let ask = self.ask(pod);
        let class = ask.class;
        if self.sampled(class).is_some() {
            return self.choose(pod);
        }
        self.refresh_order();
        // A node that it was promised is tried alone first.
        // Source: schedule_one.go, `evaluateNominatedNode`.
        if let Some(node) = self.promised(ask) {
            return Outcome::Placed { node, looked_at: 1, feasible: 1 };
        }
        let looked_at = self.find_feasible(ask);
        if let Choice::Weights(weights) = self.placement(class).choice {
            return self.by_weight((ask, looked_at), weights, luck);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = match scratch.feasible[..] {
            [] => Outcome::Refused(self.refusal(ask)),
            [only] => Outcome::Placed { node: NodeId(only), looked_at, feasible: 1 },
            _ => {
                let node = self.best_of(class, &mut scratch, luck);
                Outcome::Placed { node, looked_at, feasible: scratch.feasible.len() as u32 }
            }
        };
        self.scratch = scratch;
        outcome
    }

    /// What the next [`Scheduler::place`] of this pod would see, in full. Works on a copy: on demand only.
    pub fn explain(&self, pod: &Request) -> Explanation {
        let mut copy = self.clone();
        let ask = copy.ask(pod);
        if copy.sampled(ask.class).is_some() {
            return copy.explain_choice(pod);
        }
        copy.refresh_order();
        if let Some(node) = copy.promised(ask) {
            let only = Candidate { node, scores: Vec::new(), total: 0 };
            return Explanation { feasible: vec![only], best: vec![node], ..Explanation::default() };
        }
        let start = copy.next_start;
        let looked_at = copy.find_feasible(ask);
        copy.explanation(ask, start, looked_at)
    }

    fn ask(&mut self, pod: &Request) -> Ask {
        let class = self.class(pod);
        let filters = &self.profiles[self.classes[class].profile].placement.filters;
        self.volumes.begin(pod.pod, filters, &self.catalog);
        Ask { class, pod: pod.pod, only: pod.only, priority: self.classes[class].priority }
    }

    /// The node that the pod was promised, if it is feasible now.
    fn promised(&mut self, ask: Ask) -> Option<NodeId> {
        let node = self.nominated(ask.pod).filter(|&node| self.ledger.state(node).is_some())?;
        let named = ask.only.is_none_or(|only| only == node) && self.is_named(ask.class, node);
        (named && self.passes(ask, node)).then_some(node)
    }

    fn seat(&self, pod: &Request, node: NodeId) -> Option<Seat> {
        self.seats.get(pod.pod.index()).copied().flatten().filter(|seat| seat.node == node)
    }

    /// Source: kubernetes/component-helpers:node/topology/helpers.go, `GetZoneKey`.
    fn zone_of(&self, node: NodeId) -> ZoneKey {
        let labels = &self.catalog.nodes[node].labels;
        (self.region.and_then(|key| labels.get(key)), labels.get(self.catalog.known.zone))
    }

    fn refresh_order(&mut self) {
        if self.order_is_stale {
            self.order = self.tree.list();
            self.order_is_stale = false;
            self.fitting.reorder(&self.order, self.catalog.nodes.len());
        }
    }

    /// The class of a pod, compiled when it is the first of its kind.
    fn class(&mut self, pod: &Request) -> ClassId {
        let known = self.class_of[pod.template].iter().find(|(workload, _)| *workload == pod.workload);
        if let Some(&(_, class)) = known {
            return class;
        }
        // A pod of an unknown scheduler is never placed, but it may be bound by hand and is counted then.
        let profile = self.profile_of(self.catalog.templates[pod.template].scheduler).unwrap_or(0);
        let fixed = self.fixed_for(pod, profile);
        let carriers_before = self.carriers.len();
        let mut compiler = Compiler {
            catalog: &self.catalog,
            profiles: &self.profiles,
            placement: &self.profiles[profile].placement,
            ledger: &mut self.ledger,
            carriers: &mut self.carriers,
            fitting: &mut self.fitting,
        };
        let (id, class) = compiler.compile((pod.template, pod.workload), (fixed, profile));
        let news = self.carriers.len() > carriers_before;
        for (_, other) in self.classes.iter_mut().filter(|_| news) {
            let template = &self.catalog.templates[other.template];
            for (counter, term, effect) in &self.carriers[carriers_before..] {
                let placement = &self.profiles[other.profile].placement;
                notice(other, (template, placement), &self.catalog, (*counter, term, *effect));
            }
            other.amounts_only = other.looks_at_amounts_only();
        }
        let pushed = self.classes.push(class);
        assert!(id == pushed, "classes and their memberships are registered together");
        self.class_of[pod.template].push((pod.workload, id));
        id
    }

    fn fixed_for(&mut self, pod: &Request, profile: usize) -> FixedId {
        let template = &self.catalog.templates[pod.template];
        let mut rules = Rules::of(template, &self.profiles[profile].placement);
        if pod.workload.is_some_and(|owner| self.catalog.workloads[owner].kind == WorkloadKind::DaemonSet) {
            rules = rules.tolerating(daemon::tolerations(&self.catalog.known, template));
        }
        if let Some((id, _)) = self.fixed.iter().find(|(_, fixed)| fixed.rules == rules) {
            return id;
        }
        let mut fixed = Fixed::new(rules, &self.catalog);
        for node in self.catalog.nodes.ids() {
            if let Some(state) = self.ledger.state(node) {
                fixed.update(node, state, &self.catalog);
            }
        }
        self.fixed.push(fixed)
    }
}
