//! Users: open-loop load, integrated between changes.
//!
//! No request is simulated. Whenever something that requests meet has changed (views, containers, CPU, links, hosts),
//! the shares of outcomes are worked out again (`outcome`), the interval before is closed by one fact with exact
//! integer amounts (`ledger`), and the load on each endpoint follows. An interval is not closed when the shares come out
//! the same. Start at `review_outcomes`.
//!
//! Assumptions: each attempt goes to an endpoint of the client's view, chosen uniformly and independently; users ask
//! the first container of a pod; clients on hosts that are down are replaced by those on the others; outside clients
//! enter through any host that is up (their load balancer drops dead hosts at once). Retries feed back on the load
//! one second later, at most eight times after a change from outside.

mod ledger;
mod outcome;
mod place;

use std::collections::BTreeMap;

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::load::Clients;
use shakedown_engine::fact::{FactId, FactKind, FactLog};
use shakedown_engine::ids::{Id, PodId, ServiceId, Table, TrafficId, WorkloadId};
use shakedown_engine::model::Catalog;
use shakedown_engine::rng::Streams;
use shakedown_engine::time::{Span, Time};

use crate::event::{CellId, Event};
use crate::network::CERTAIN;
use crate::proxy::{Proxies, View};
use crate::runtime::micro;
use crate::world::SimWorld;
use ledger::Ledger;
use outcome::Mix;
use place::Crowd;

/// Load is given to containers in thousandths of a core, rounded up, so that tiny changes disturb nobody.
const LOAD_STEP: u64 = 1000;
/// From retries to the load that they make.
const FEEDBACK: Span = Span::from_secs(1);
/// Feedbacks after a change from outside.
const FEEDBACKS: u8 = 8;

/// One source of requests.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    crowd: Crowd,
    active: bool,
    /// Start of the open interval.
    since: Time,
    mix: Mix,
    ledger: Ledger,
    /// Attempts per request, in parts of a billion, on which the load is based.
    attempts: u64,
    /// Load on each endpoint that comes from here.
    assigned: Vec<(PodId, u64)>,
    load_dirty: bool,
    mix_dirty: bool,
    feedbacks: u8,
    feedback_planned: bool,
}

/// All sources.
#[derive(Clone, Debug)]
pub(crate) struct Loads {
    sources: Table<TrafficId, Source>,
    by_service: BTreeMap<ServiceId, Vec<TrafficId>>,
    by_client: BTreeMap<WorkloadId, Vec<TrafficId>>,
    dirty: Vec<TrafficId>,
    /// Workload of each template, as far as load or timeline tell.
    owners: Vec<Option<WorkloadId>>,
    /// Templates with which some workload began.
    first: Vec<bool>,
}

impl Loads {
    pub(crate) fn new(catalog: &Catalog, experiment: &Experiment, streams: Streams, proxies: &Proxies) -> Self {
        let source = |(id, traffic): (TrafficId, &shakedown_chaos::load::Traffic)| Source {
            crowd: Crowd::new(catalog, &traffic.from, (streams, id), proxies),
            active: false,
            since: Time::ZERO,
            mix: Mix::default(),
            ledger: Ledger::default(),
            attempts: CERTAIN,
            assigned: Vec::new(),
            load_dirty: false,
            mix_dirty: false,
            feedbacks: FEEDBACKS,
            feedback_planned: false,
        };
        let mut by_service: BTreeMap<ServiceId, Vec<TrafficId>> = BTreeMap::new();
        let mut by_client: BTreeMap<WorkloadId, Vec<TrafficId>> = BTreeMap::new();
        for (id, traffic) in experiment.traffic.iter() {
            by_service.entry(traffic.to).or_default().push(id);
            if let Clients::Workload(workload) = &traffic.from {
                by_client.entry(*workload).or_default().push(id);
            }
        }
        let mut first = vec![false; catalog.templates.len()];
        for (_, workload) in catalog.workloads.iter() {
            first[workload.template.index()] = true;
        }
        let owners = place::owners(catalog, experiment);
        let sources = experiment.traffic.iter().map(source).collect();
        Self { sources, by_service, by_client, dirty: Vec::new(), owners, first }
    }

    fn mark(&mut self, id: TrafficId, load: Load) {
        let source = &mut self.sources[id];
        if !source.load_dirty && !source.mix_dirty {
            self.dirty.push(id);
        }
        source.mix_dirty = true;
        if load != Load::Same {
            source.load_dirty = true;
        }
        if load == Load::Changed {
            source.feedbacks = FEEDBACKS;
        }
    }
}

/// What a change means for the load on endpoints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    /// It stays where it is.
    Same,
    /// It moves, by something from outside.
    Changed,
    /// It follows from an earlier change.
    FedBack,
}

impl SimWorld {
    pub(crate) fn begin_loads(&mut self) {
        for (source, traffic) in self.experiment.traffic.iter() {
            self.queue.push(traffic.start, Event::Load { source });
            if let Some(end) = traffic.end {
                self.queue.push(end.max(traffic.start), Event::Load { source });
            }
        }
    }

    /// Load begins, ends, or feeds back.
    pub(crate) fn on_load(&mut self, id: TrafficId) {
        let traffic = &self.experiment.traffic[id];
        let active = traffic.start <= self.now && traffic.end.is_none_or(|end| self.now < end);
        let source = &mut self.loads.sources[id];
        let edge = source.active != active;
        source.feedback_planned = false;
        self.loads.mark(id, if edge { Load::Changed } else { Load::FedBack });
    }

    /// The endpoints of a service, or who knows of them, have changed.
    pub(crate) fn mark_service(&mut self, service: ServiceId) {
        let Some(sources) = self.loads.by_service.get(&service).cloned() else { return };
        for id in sources {
            self.loads.mark(id, Load::Changed);
        }
    }

    /// Anything may have changed for everybody.
    pub(crate) fn mark_all(&mut self) {
        let all: Vec<TrafficId> = self.loads.sources.ids().collect();
        for id in all {
            self.loads.mark(id, Load::Changed);
        }
    }

    /// A pod began or ceased to serve.
    pub(crate) fn mark_load(&mut self, pod: PodId) {
        self.mark_pod(pod, Load::Changed);
        let Some(row) = self.pods.get(pod) else { return };
        let owner = self.loads.owners.get(row.template.index()).copied().flatten();
        for id in owner.and_then(|workload| self.loads.by_client.get(&workload)).cloned().unwrap_or_default() {
            self.loads.mark(id, Load::Changed);
        }
    }

    /// A pod answers faster or slower.
    pub(crate) fn mark_outcome(&mut self, pod: PodId) {
        self.mark_pod(pod, Load::Same);
    }

    fn mark_pod(&mut self, pod: PodId, load: Load) {
        let Some(row) = self.pods.get(pod).filter(|row| !row.exposed.is_empty()) else { return };
        for service in row.exposed.clone() {
            for id in self.loads.by_service.get(&service).cloned().unwrap_or_default() {
                self.loads.mark(id, load);
            }
        }
    }

    /// A pod is new on a host: it may hold clients, and its id may be published from before its host went down.
    pub(crate) fn expose(&mut self, pod: PodId) {
        for service in self.proxies.publishing(pod) {
            self.expose_to(pod, service);
        }
        let Some(row) = self.pods.get(pod) else { return };
        let Some(owner) = self.loads.owners.get(row.template.index()).copied().flatten() else { return };
        for id in self.loads.by_client.get(&owner).cloned().unwrap_or_default() {
            self.loads.sources[id].crowd.add_pod(pod);
        }
    }

    /// A pod is published by a service with load.
    pub(crate) fn expose_to(&mut self, pod: PodId, service: ServiceId) {
        if let Some(row) = self.pods.get_mut(pod)
            && !row.exposed.contains(&service)
        {
            row.exposed.push(service);
        }
    }

    /// Gives endpoints the load of sources whose clients look elsewhere than before.
    pub(crate) fn assign_loads(&mut self) {
        for index in 0..self.loads.dirty.len() {
            let id = self.loads.dirty[index];
            if std::mem::take(&mut self.loads.sources[id].load_dirty) {
                let traffic = &self.experiment.traffic[id];
                let active = traffic.start <= self.now && traffic.end.is_none_or(|end| self.now < end);
                let wanted = if active { self.wanted_loads(id) } else { Vec::new() };
                let former = std::mem::replace(&mut self.loads.sources[id].assigned, wanted);
                self.move_load(id, &former);
            }
        }
    }

    /// Replaces the load that a source put on endpoints before by the one that it puts on them now.
    fn move_load(&mut self, id: TrafficId, former: &[(PodId, u64)]) {
        let assigned = std::mem::take(&mut self.loads.sources[id].assigned);
        let (mut old, mut new) = (former.iter().peekable(), assigned.iter().peekable());
        while let Some(pod) = old.peek().into_iter().chain(new.peek()).map(|entry| entry.0).min() {
            let before = old.next_if(|entry| entry.0 == pod).map_or(0, |entry| entry.1);
            let after = new.next_if(|entry| entry.0 == pod).map_or(0, |entry| entry.1);
            if before != after {
                self.change_load(pod, before, after);
            }
        }
        self.loads.sources[id].assigned = assigned;
    }

    fn change_load(&mut self, pod: PodId, before: u64, after: u64) {
        let Some(cell) = self.server(pod) else { return };
        let idle = self.behaviour_of(cell).map_or(0, |b| micro(b.idle_cpu));
        let row = self.pods.get_mut(pod).expect("its server was just found");
        let state = &mut row.cells[usize::from(cell.cell)];
        state.load = state.load.saturating_sub(before) + after;
        if outcome::serves(state.phase) {
            let demand = idle + state.load;
            self.set_demand(cell, demand);
        }
    }

    /// The load that each endpoint gets from a source, in pod order.
    fn wanted_loads(&self, id: TrafficId) -> Vec<(PodId, u64)> {
        let mut views: Vec<(View, u64)> = Vec::new();
        for group in self.groups(id) {
            match views.last_mut() {
                Some((view, weight)) if view.version == group.view.version => *weight += group.weight,
                _ => views.push((group.view, group.weight)),
            }
        }
        let clients: u64 = views.iter().map(|(_, weight)| weight).sum();
        let requests = u128::from(self.experiment.traffic[id].rate_per_1000s);
        let all = requests * u128::from(self.loads.sources[id].attempts);
        let mut loads: Vec<(PodId, u64)> = Vec::new();
        for (view, weight) in &views {
            let share = u128::from(clients) * view.endpoints.len() as u128;
            let load = |&pod: &PodId| {
                // Requests in 1,000 s times nanoseconds of CPU each, in millionths of a core.
                let each = all * u128::from(self.cost_of(pod)?) / (1_000_000 * u128::from(CERTAIN));
                Some((pod, u64::try_from(each * u128::from(*weight) / share).unwrap_or(u64::MAX)))
            };
            loads.extend(view.endpoints.iter().filter_map(load));
        }
        if views.len() > 1 {
            loads.sort_by_key(|entry| entry.0);
            loads.dedup_by(|next, kept| {
                kept.0 == next.0 && {
                    kept.1 += next.1;
                    true
                }
            });
        }
        loads.iter_mut().for_each(|entry| entry.1 = entry.1.div_ceil(LOAD_STEP) * LOAD_STEP);
        loads
    }

    /// CPU time of one request at a pod, `None` when it does not serve.
    fn cost_of(&self, pod: PodId) -> Option<u64> {
        let row = self.pods.get(pod)?;
        let spec = &self.catalog.templates[row.template];
        let serves = outcome::serves(row.cells[spec.init.len()].phase);
        serves.then(|| self.behaviour(spec.containers[0].image).cpu_per_request.as_nanos())
    }

    /// The container of a pod that users ask: the first that is not an init container.
    pub(crate) fn server(&self, pod: PodId) -> Option<CellId> {
        let row = self.pods.get(pod)?;
        Some(CellId { pod, cell: self.catalog.templates[row.template].init.len() as u8 })
    }

    /// Works out what users meet from now on, and closes the interval before where that differs.
    pub(crate) fn review_outcomes(&mut self, facts: &mut FactLog) {
        for id in std::mem::take(&mut self.loads.dirty) {
            let traffic = &self.experiment.traffic[id];
            let active = traffic.start <= self.now && traffic.end.is_none_or(|end| self.now < end);
            let mix = if active { self.outcome(id) } else { Mix::default() };
            self.loads.sources[id].mix_dirty = false;
            if self.loads.sources[id].mix != mix || self.loads.sources[id].active != active {
                self.close(id, facts);
                let source = &mut self.loads.sources[id];
                source.mix = mix;
                source.active = active;
            }
            self.plan_feedback(id);
        }
    }

    /// Plans that retries, more or fewer than before, change the load that they are part of.
    fn plan_feedback(&mut self, id: TrafficId) {
        let source = &mut self.loads.sources[id];
        if !source.active || source.feedback_planned || source.feedbacks == 0 {
            return;
        }
        if source.attempts.abs_diff(source.mix.attempts) > source.attempts / 100 {
            source.attempts = source.mix.attempts;
            source.feedbacks -= 1;
            source.feedback_planned = true;
            self.queue.push(self.now + FEEDBACK, Event::Load { source: id });
        }
    }

    /// Closes all open intervals.
    pub(crate) fn close_loads(&mut self, facts: &mut FactLog) {
        let all: Vec<TrafficId> = self.loads.sources.ids().collect();
        for id in all {
            self.close(id, facts);
        }
    }

    /// Records what users of one source saw since its last change.
    fn close(&mut self, id: TrafficId, facts: &mut FactLog) {
        let traffic = &self.experiment.traffic[id];
        let source = &mut self.loads.sources[id];
        let since = std::mem::replace(&mut source.since, self.now);
        if !source.active || since == self.now {
            return;
        }
        let slice = source.ledger.book((id, traffic), &source.mix, (since, self.now));
        facts.record(self.now, FactId::NONE, FactKind::Traffic(slice));
    }
}
