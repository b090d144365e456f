//! Users: open-loop load, integrated between changes.
//!
//! No request is simulated. Whenever something that requests meet has changed (views, containers, CPU, links, hosts),
//! the shares of outcomes are worked out again (`outcome`), the interval before is closed by one fact with exact
//! integer amounts (`ledger`), and the load on each endpoint follows. An interval is not closed when the shares come out
//! the same. A change costs what it touches, however many clients and endpoints there are (`audience`). The cause of a fact is
//! what led to the amounts in it, not what ended its interval. Start at `review_outcomes`.
//!
//! Assumptions: each attempt goes to an endpoint of the client's view, chosen uniformly and independently; users ask
//! the first container of a pod; clients on hosts that are down are replaced by those on the others; outside clients
//! enter through any host that they can reach and whose proxy knows the service (their load balancer's health check is instant). Retries feed back on the load
//! one second later, at most eight times after a change from outside.

mod audience;
mod endpoint;
mod ledger;
mod load;
mod outcome;
mod pins;
mod place;
mod scope;
#[cfg(test)]
mod twin;
mod wall;

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
use crate::proxy::{Proxies, Reader, reader};
use crate::world::SimWorld;
use audience::Audience;
use endpoint::Endpoints;
use ledger::Ledger;
use load::Basis;
pub(crate) use load::{LOAD_STEP, newcomers};
use outcome::Mix;
use pins::{Hold, Pins};
use place::Crowd;
use scope::Rule;
use wall::Walls;

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
    audience: Audience,
    basis: Basis,
    /// Who reads for these clients what is published, and what they make of it.
    reader: Reader,
    rule: Rule,
    /// Clients that stay with their endpoints.
    pins: Option<Pins>,
    /// Endpoints with load of such clients.
    pinned: Vec<PodId>,
    /// Who is where or who knows what has changed.
    groups_stale: bool,
    /// What faults do to links has changed.
    links_stale: bool,
    /// What led to the present mix, and what to the next one.
    cause: FactId,
    next_cause: FactId,
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
    pub(crate) endpoints: Endpoints,
    pub(crate) walls: Walls,
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
            audience: Audience::default(),
            basis: Basis::default(),
            reader: reader(catalog, traffic),
            rule: Rule::new(catalog, traffic),
            pins: hold(catalog, traffic).map(Pins::new),
            pinned: Vec::new(),
            groups_stale: true,
            links_stale: false,
            cause: FactId::NONE,
            next_cause: FactId::NONE,
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
        Self {
            sources,
            by_service,
            by_client,
            dirty: Vec::new(),
            endpoints: Endpoints::default(),
            walls: Walls::new(catalog, experiment),
            owners,
            first,
        }
    }

    /// Has a source reviewed at the end of this instant. Of several known causes the first counts.
    fn mark(&mut self, id: TrafficId, load: Load, cause: FactId) {
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
        if source.next_cause == FactId::NONE {
            source.next_cause = cause;
        }
    }

    /// True when no source is to be reviewed.
    pub(crate) fn is_settled(&self) -> bool {
        self.dirty.is_empty()
    }

    /// Nodes know something else than others of their kind, or are like others again.
    pub(crate) fn regroup_all(&mut self) {
        for id in self.sources.ids() {
            self.sources[id].groups_stale = true;
            // Whoever chooses anew takes load along.
            if self.sources[id].pins.is_some() {
                self.mark(id, Load::Changed, FactId::NONE);
            }
        }
    }
}

/// What makes clients of a source stay with an endpoint. An ingress keeps no affinity, and names choose nothing.
fn hold(catalog: &Catalog, traffic: &shakedown_chaos::load::Traffic) -> Option<Hold> {
    if traffic.reach.keep_alive {
        return Some(Hold::Connection);
    }
    let proxied = reader(catalog, traffic) == Reader::Proxy;
    catalog.services[traffic.to].affinity.filter(|_| proxied).map(|_| Hold::Affinity)
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
        let active = self.active(id);
        let source = &mut self.loads.sources[id];
        source.feedback_planned = false;
        if source.active != active {
            self.loads.mark(id, Load::Changed, FactId::NONE);
        } else {
            let cause = source.cause;
            self.loads.mark(id, Load::FedBack, cause);
        }
    }

    /// True while users of a source want anything.
    fn active(&self, id: TrafficId) -> bool {
        let traffic = &self.experiment.traffic[id];
        traffic.start <= self.now && traffic.end.is_none_or(|end| self.now < end)
    }

    /// The endpoints of a service, or who knows of them, have changed.
    pub(crate) fn mark_service(&mut self, service: ServiceId, cause: FactId) {
        let Some(sources) = self.loads.by_service.get(&service).cloned() else { return };
        for id in sources {
            self.loads.sources[id].groups_stale = true;
            self.loads.mark(id, Load::Changed, cause);
        }
    }

    /// Who knows of endpoints has changed for everybody.
    pub(crate) fn mark_views(&mut self, cause: FactId) {
        for id in self.loads.sources.ids() {
            self.loads.sources[id].groups_stale = true;
            self.loads.mark(id, Load::Changed, cause);
        }
    }

    /// Links have changed.
    pub(crate) fn mark_links(&mut self, cause: FactId) {
        self.targets.touch_all();
        self.mark_views(cause);
        self.loads.sources.iter_mut().for_each(|(_, source)| source.links_stale = true);
    }

    /// A pod began or ceased to serve.
    pub(crate) fn mark_load(&mut self, pod: PodId, cause: FactId) {
        self.mark_pod(pod, (Load::Changed, cause));
        let Some(row) = self.pods.get(pod) else { return };
        let owner = self.loads.owners.get(row.template.index()).copied().flatten();
        for id in owner.and_then(|workload| self.loads.by_client.get(&workload)).cloned().unwrap_or_default() {
            self.loads.sources[id].crowd.unsettled.push(pod);
            self.loads.sources[id].groups_stale = true;
            self.loads.mark(id, Load::Changed, cause);
        }
    }

    /// A pod answers faster or slower.
    pub(crate) fn mark_outcome(&mut self, pod: PodId, cause: FactId) {
        self.mark_pod(pod, (Load::Same, cause));
    }

    fn mark_pod(&mut self, pod: PodId, (load, cause): (Load, FactId)) {
        self.names_touched(cause);
        self.targets.touch(pod);
        let Some(row) = self.pods.get(pod).filter(|row| !row.exposed.is_empty()) else { return };
        self.loads.endpoints.mark(pod);
        for service in &row.exposed {
            let Some(sources) = self.loads.by_service.get(service).cloned() else { continue };
            for id in sources {
                if load != Load::Same {
                    self.loads.sources[id].audience.recheck.push(pod);
                    if self.loads.sources[id].pins.is_some() {
                        self.loads.sources[id].groups_stale = true;
                    }
                }
                self.loads.mark(id, load, cause);
            }
        }
    }

    /// A pod is new on a host: its id may be published from before its host went down.
    pub(crate) fn expose(&mut self, pod: PodId) {
        self.loads.endpoints.mark(pod);
        for service in self.proxies.publishing(pod) {
            self.expose_to(pod, service);
        }
        for source in self.loads.endpoints.sources(pod).to_vec() {
            self.expose_to(pod, self.experiment.traffic[source].to);
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

    /// The container of a pod that users ask: the first that is not an init container.
    pub(crate) fn server(&self, pod: PodId) -> Option<CellId> {
        let row = self.pods.get(pod)?;
        Some(CellId { pod, cell: self.catalog.templates[row.template].init.len() as u8 })
    }

    /// Works out what users meet from now on, and closes the interval before where that differs.
    pub(crate) fn review_outcomes(&mut self, facts: &mut FactLog) {
        self.review_endpoints();
        let mut dirty = std::mem::take(&mut self.loads.dirty);
        for id in dirty.drain(..) {
            if self.loads.sources[id].groups_stale {
                self.regroup(id);
            }
            let active = self.active(id);
            let mix = if active { self.outcome(id) } else { Mix::default() };
            let source = &mut self.loads.sources[id];
            source.mix_dirty = false;
            let cause = std::mem::replace(&mut source.next_cause, FactId::NONE);
            if source.mix != mix || source.active != active {
                self.close(id, facts);
                let source = &mut self.loads.sources[id];
                source.mix = mix;
                source.active = active;
                source.cause = cause;
            }
            self.plan_feedback(id);
        }
        self.loads.dirty = dirty;
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
        facts.record(self.now, source.cause, FactKind::Traffic(slice));
    }
}
