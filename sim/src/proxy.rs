//! What clients know of services: each node's view of the published endpoints.
//!
//! Views are worked out when somebody needs them, from the publications; a publication costs a few events however many
//! nodes there are. A node that is cut off keeps the view that it had. Nothing here decides where a request goes:
//! `traffic` does. Start at `publish`.
//!
//! Proxies program their rules as soon as they hear of a change, but never twice within their smallest period; all of
//! them hear of the same changes, so that all undisturbed ones are in step.
//! Source: kubernetes/kubernetes:pkg/proxy/runner/bounded_frequency_runner.go.
//!
//! Assumptions: names of headless services are resolved again on the grid of their DNS time to live, in eighths of
//! which clients differ; a host that boots knows nothing until its first sync; a client that was cut off watches again
//! when its agent reconnects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::load::{Traffic, Via};
use shakedown_engine::fact::{FactId, FactKind, FactLog};
use shakedown_engine::ids::{FaultId, Id, NodeId, PodId, ServiceId, ZoneId};
use shakedown_engine::message::Publication;
use shakedown_engine::model::Catalog;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::time::{Span, Time};

use crate::event::{Event, Stamp};
use crate::traffic::newcomers;
use crate::world::SimWorld;

/// Different phases of clients that resolve names.
pub(crate) const PHASES: usize = 8;

/// Who reads what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reader {
    /// The proxies of nodes.
    Proxy,
    /// Clients that resolve names.
    Names,
    /// Controllers of ingresses.
    Ingress,
}

/// How a source learns of endpoints.
pub(crate) fn reader(catalog: &Catalog, traffic: &Traffic) -> Reader {
    match traffic.reach.via {
        Via::Headless => Reader::Names,
        Via::Ingress => Reader::Ingress,
        Via::Service | Via::LoadBalancer(_) => reader_of_service(catalog, traffic.to),
    }
}

fn reader_of_service(catalog: &Catalog, service: ServiceId) -> Reader {
    if catalog.services[service].headless { Reader::Names } else { Reader::Proxy }
}

/// What is published of a service. Version 0 means that nothing is known.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) version: u32,
    pub(crate) ready: Arc<[PodId]>,
    pub(crate) draining: Arc<[PodId]>,
    pub(crate) hints: Option<Arc<[ZoneId]>>,
}

impl Content {
    pub(crate) fn nothing() -> Self {
        Self { version: 0, ready: Arc::from([]), draining: Arc::from([]), hints: None }
    }
}

/// One version of a service's endpoints.
#[derive(Clone, Debug)]
struct Edition {
    content: Content,
    at: Time,
    lag: Span,
    /// When undisturbed proxies and controllers of ingresses act on it.
    proxies: Time,
    ingresses: Time,
    ttl: Span,
    poll: Span,
    cause: FactId,
}

impl Edition {
    /// When readers of this phase act on it if they could know of it from `from` on.
    fn effective(&self, (reader, phase): (Reader, usize), from: Time) -> Time {
        let known = self.at.max(from) + self.lag;
        match reader {
            Reader::Proxy => self.proxies.max(known),
            Reader::Ingress => self.ingresses.max(known),
            Reader::Names => {
                let offset = Span::from_nanos(self.ttl.as_nanos() / PHASES as u64 * phase as u64);
                known.next_tick(self.poll, Span::ZERO).next_tick(self.ttl, offset)
            }
        }
    }
}

/// Publications of one service that somebody may still act on.
#[derive(Clone, Debug, Default)]
struct Feed {
    editions: VecDeque<Edition>,
    readers: Vec<Reader>,
    /// How long the past matters: load balancers act late.
    memory: Vec<Span>,
}

/// Why a node's view may differ from that of all others with its phase.
#[derive(Clone, Debug)]
pub(crate) enum Apart {
    /// Its host is down.
    Down { since: Time },
    /// Its proxy hangs and keeps its rules; whoever asks for names there is not concerned.
    Hung(BTreeMap<(ServiceId, Reader), Content>),
    /// It is cut off and keeps what it knew.
    Frozen(BTreeMap<(ServiceId, Reader), Content>),
    /// It came back and still acts on what it knew where it has not heard more.
    CatchingUp { since: Time, stamp: Stamp, known: BTreeMap<(ServiceId, Reader), Content> },
}

/// The views of all clients.
#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    phases: Vec<u8>,
    used: Vec<usize>,
    /// Of services with load only.
    feeds: BTreeMap<ServiceId, Feed>,
    pub(crate) apart: BTreeMap<NodeId, Apart>,
    /// Longest time from publication to effect that was ever asked for.
    horizon: Span,
    /// Delays of load balancers.
    balancers: Vec<Span>,
    /// How long clients of headless services keep a name.
    pub(crate) name_ttl: Span,
    last_proxies: Option<Time>,
    last_ingresses: Option<Time>,
    /// Nodes whose proxies hang, and what holds them.
    hung: BTreeMap<NodeId, BTreeSet<FaultId>>,
}

/// When somebody acts on what it knows at `known` who acts at most once in `period`.
fn paced(last: &mut Option<Time>, known: Time, period: Span) -> Time {
    let at = match *last {
        Some(planned) if planned >= known => planned,
        Some(last) => known.max(last + period),
        None => known,
    };
    *last = Some(at);
    at
}

impl Proxies {
    pub(crate) fn new(catalog: &Catalog, experiment: &Experiment, streams: Streams) -> Self {
        let phase = |node: NodeId| streams.stream(Purpose::Proxy, node.0).below(PHASES as u64) as u8;
        let phases: Vec<u8> = catalog.nodes.ids().map(phase).collect();
        let used = (0..PHASES).filter(|phase| phases.contains(&(*phase as u8))).collect();
        let mut feeds: BTreeMap<ServiceId, Feed> = BTreeMap::new();
        let mut balancers = Vec::new();
        for (_, traffic) in experiment.traffic.iter() {
            let feed = feeds.entry(traffic.to).or_default();
            feed.readers.push(reader(catalog, traffic));
            if let Via::LoadBalancer(check) = traffic.reach.via {
                feed.memory.push(check.delay());
                balancers.push(check.delay());
            }
        }
        if let Some(names) = crate::names::server(catalog, experiment) {
            feeds.entry(names).or_default().readers.push(Reader::Proxy);
        }
        for feed in feeds.values_mut() {
            feed.readers.sort_unstable();
            feed.readers.dedup();
            feed.memory.sort_unstable();
            feed.memory.dedup();
        }
        balancers.sort_unstable();
        balancers.dedup();
        Self {
            phases,
            used,
            feeds,
            apart: BTreeMap::new(),
            horizon: Span::ZERO,
            balancers,
            name_ttl: Span::ZERO,
            last_proxies: None,
            last_ingresses: None,
            hung: BTreeMap::new(),
        }
    }

    /// A node's phase.
    pub(crate) fn phase(&self, node: NodeId) -> usize {
        usize::from(self.phases[node.index()])
    }

    /// What an undisturbed reader of this phase acts on.
    pub(crate) fn regular(&self, (service, reader): (ServiceId, Reader), phase: usize, now: Time) -> Content {
        self.newest((service, reader), phase, (Time::ZERO, now)).unwrap_or_else(Content::nothing)
    }

    /// What a node that stands apart acts on; `None` while it knows nothing of the service since the boot.
    pub(crate) fn irregular(&self, key: (ServiceId, Reader), node: NodeId, now: Time) -> Option<Content> {
        match self.apart.get(&node) {
            None => Some(self.regular(key, self.phase(node), now)),
            Some(Apart::Down { .. }) => None,
            Some(Apart::Hung(_)) if key.1 != Reader::Proxy => Some(self.regular(key, self.phase(node), now)),
            Some(Apart::Hung(known) | Apart::Frozen(known)) => known.get(&key).cloned(),
            Some(Apart::CatchingUp { since, known, .. }) => {
                self.newest(key, self.phase(node), (*since, now)).or_else(|| known.get(&key).cloned())
            }
        }
    }

    /// Services with load whose newest edition has this pod.
    pub(crate) fn publishing(&self, pod: PodId) -> Vec<ServiceId> {
        let listed = |list: &Arc<[PodId]>| list.binary_search(&pod).is_ok();
        let has =
            |feed: &Feed| feed.editions.back().is_some_and(|e| listed(&e.content.ready) || listed(&e.content.draining));
        self.feeds.iter().filter(|(_, feed)| has(feed)).map(|(service, _)| *service).collect()
    }

    /// What a node that is cut off knows.
    pub(crate) fn frozen(&self, node: NodeId) -> Option<&BTreeMap<(ServiceId, Reader), Content>> {
        match self.apart.get(&node) {
            Some(Apart::Frozen(known)) => Some(known),
            _ => None,
        }
    }

    /// It knows this instead.
    pub(crate) fn refreeze(&mut self, node: NodeId, known: BTreeMap<(ServiceId, Reader), Content>) {
        self.apart.insert(node, Apart::Frozen(known));
    }

    fn newest(&self, key: (ServiceId, Reader), phase: usize, (from, now): (Time, Time)) -> Option<Content> {
        let editions = &self.feeds.get(&key.0)?.editions;
        let edition = editions.iter().rev().find(|edition| edition.effective((key.1, phase), from) <= now)?;
        Some(edition.content.clone())
    }

    /// Forgets editions that all undisturbed nodes and load balancers are past.
    fn trim(&mut self, service: ServiceId, now: Time) {
        let used = &self.used;
        let Some(feed) = self.feeds.get_mut(&service) else { return };
        let late = feed.memory.last().copied().unwrap_or(Span::ZERO);
        let readers = &feed.readers;
        let past = |edition: &Edition| {
            readers.iter().all(|&reader| used.iter().all(|&p| edition.effective((reader, p), Time::ZERO) + late <= now))
        };
        while feed.editions.get(1).is_some_and(past) {
            feed.editions.pop_front();
        }
    }
}

impl SimWorld {
    /// Makes new endpoints known everywhere, each client at its own time.
    pub(crate) fn publish(&mut self, publication: Publication, cause: FactId) {
        let announced = Some(publication.version);
        let publication = self.sift(publication, cause);
        self.take_edition(publication, announced, cause);
    }

    /// Takes in an edition of a service's endpoints; it is a fact when the last client acts on one that is announced.
    pub(crate) fn take_edition(&mut self, publication: Publication, announced: Option<u32>, cause: FactId) {
        let Publication { service, version, endpoints, draining, hints, lag, .. } = publication;
        let (proxy_sync, ttl, poll) = (publication.proxy_sync, publication.dns_ttl, publication.name_poll);
        let proxies = paced(&mut self.proxies.last_proxies, self.now + lag, proxy_sync);
        let ingresses = paced(&mut self.proxies.last_ingresses, self.now + lag, publication.ingress_sync);
        self.proxies.name_ttl = ttl;
        let content = Content { version, ready: endpoints, draining, hints };
        let edition = Edition { content, at: self.now, lag, proxies, ingresses, ttl, poll, cause };
        let times = |reader| self.proxies.used.iter().map(move |&p| (reader, p)).collect::<Vec<_>>();
        let seen = times(reader_of_service(&self.catalog, service));
        let last = seen.iter().map(|&who| edition.effective(who, Time::ZERO)).max();
        if let (Some(last), Some(version)) = (last, announced) {
            self.queue.push(last, Event::Seen { service, version, cause });
        }
        self.proxies.horizon = self.proxies.horizon.max(lag + proxy_sync.max(publication.ingress_sync).max(ttl + poll));
        let Some(feed) = self.proxies.feeds.get(&service) else { return };
        let mut flips: Vec<Time> = Vec::new();
        for who in feed.readers.iter().flat_map(|&reader| times(reader)) {
            let at = edition.effective(who, Time::ZERO);
            flips.push(at);
            flips.extend(feed.memory.iter().map(|&late| at + late));
        }
        flips.sort_unstable();
        flips.dedup();
        self.proxies.feeds.get_mut(&service).expect("it was just found").add(edition, |pods| {
            for pod in pods {
                if let Some(row) = self.pods.get_mut(pod)
                    && !row.exposed.contains(&service)
                {
                    row.exposed.push(service);
                }
            }
        });
        for at in flips {
            self.queue.push(at, Event::Flip { service, cause });
        }
    }

    /// Some clients act on another version from now on.
    pub(crate) fn on_flip(&mut self, service: ServiceId, cause: FactId) {
        self.proxies.trim(service, self.now);
        self.mark_service(service, cause);
        self.names_touched(cause);
    }

    /// The last connected client acts on a version.
    pub(crate) fn on_seen(&mut self, (service, version): (ServiceId, u32), cause: FactId, facts: &mut FactLog) {
        facts.record(self.now, cause, FactKind::EndpointsSeen { service, version });
    }

    /// A node is cut off: it keeps the views that it has.
    pub(crate) fn freeze_view(&mut self, node: NodeId, cause: FactId) {
        if matches!(self.proxies.apart.get(&node), Some(Apart::Down { .. } | Apart::Frozen(_))) {
            return;
        }
        let known = self.known_at(node);
        self.proxies.apart.insert(node, Apart::Frozen(known));
        self.mark_views(cause);
    }

    fn known_at(&self, node: NodeId) -> BTreeMap<(ServiceId, Reader), Content> {
        let feeds = self.proxies.feeds.iter();
        let keys = feeds.flat_map(|(&s, feed)| feed.readers.iter().map(move |&reader| (s, reader)));
        keys.filter_map(|key| Some((key, self.proxies.irregular(key, node, self.now)?))).collect()
    }

    /// Proxies hang, or their processes are gone: the kernel keeps the rules that it has.
    pub(crate) fn stop_proxies(&mut self, fault: FaultId, nodes: &[NodeId], cause: FactId) {
        for &node in nodes {
            self.proxies.hung.entry(node).or_default().insert(fault);
            if matches!(self.proxies.apart.get(&node), None | Some(Apart::CatchingUp { .. })) {
                let known = self.known_at(node);
                self.proxies.apart.insert(node, Apart::Hung(known));
            }
        }
        self.mark_views(cause);
    }

    /// Proxies that nothing else holds start again: each lists everything and programs it at once.
    pub(crate) fn start_proxies(&mut self, fault: FaultId, cause: FactId) {
        let held = self.proxies.hung.iter().filter(|(_, by)| by.contains(&fault)).map(|(&node, _)| node);
        for node in held.collect::<Vec<_>>() {
            let by = self.proxies.hung.get_mut(&node).expect("it was just found");
            by.remove(&fault);
            if !by.is_empty() {
                continue;
            }
            self.proxies.hung.remove(&node);
            if let Some(Apart::Hung(known)) = self.proxies.apart.get(&node).cloned() {
                self.catch_up_view(node, known, cause);
                self.mark_views(cause);
            }
        }
    }

    /// A node that was cut off hears of changes again.
    pub(crate) fn thaw_view(&mut self, node: NodeId, cause: FactId) {
        if !matches!(self.proxies.apart.get(&node), Some(Apart::Frozen(_))) {
            return;
        }
        let Some(Apart::Frozen(known)) = self.proxies.apart.remove(&node) else { return };
        if self.proxies.hung.contains_key(&node) {
            self.proxies.apart.insert(node, Apart::Hung(known));
            return self.mark_views(cause);
        }
        self.catch_up_view(node, known, cause);
        self.loads.regroup_all();
    }

    /// A host went down, and its clients with it. Load balancers notice later.
    pub(crate) fn view_lost(&mut self, node: NodeId, cause: FactId) {
        self.proxies.apart.insert(node, Apart::Down { since: self.now });
        self.loads.endpoints.mark_host(node);
        self.mark_views(cause);
        for &late in &self.proxies.balancers {
            self.queue.push(self.now + late, Event::Checked { cause });
        }
    }

    /// Load balancers have found out about a target.
    pub(crate) fn on_checked(&mut self, cause: FactId) {
        self.mark_views(cause);
    }

    /// A host booted: its proxy starts without any rules.
    pub(crate) fn view_regained(&mut self, node: NodeId, cause: FactId) {
        // Every process of the host starts anew, a proxy that hung among them.
        self.proxies.hung.remove(&node);
        if self.links[node].cut && !self.hears_others(node) {
            self.proxies.apart.insert(node, Apart::Frozen(BTreeMap::new()));
        } else {
            self.catch_up_view(node, BTreeMap::new(), cause);
        }
        self.loads.endpoints.mark_host(node);
        self.mark_views(cause);
    }

    fn catch_up_view(&mut self, node: NodeId, known: BTreeMap<(ServiceId, Reader), Content>, cause: FactId) {
        let stamp = self.stamp();
        let since = self.now;
        let phase = self.proxies.phase(node);
        for (&service, feed) in &self.proxies.feeds {
            for (edition, &reader) in feed.editions.iter().flat_map(|e| feed.readers.iter().map(move |r| (e, r))) {
                // What was published meanwhile leads to the change; for a fresh view it is that the node is back.
                let cause = if known.contains_key(&(service, reader)) { edition.cause } else { cause };
                self.queue.push(edition.effective((reader, phase), since), Event::Flip { service, cause });
            }
        }
        self.proxies.apart.insert(node, Apart::CatchingUp { since, stamp, known });
        self.queue.push(since + self.proxies.horizon + self.proxies.horizon, Event::CaughtUp { node, stamp });
    }

    /// A node that came back knows what all others of its phase know.
    pub(crate) fn on_caught_up(&mut self, node: NodeId, stamp: Stamp) {
        if matches!(self.proxies.apart.get(&node), Some(Apart::CatchingUp { stamp: newest, .. }) if *newest == stamp) {
            self.proxies.apart.remove(&node);
            self.loads.regroup_all();
        }
    }
}

impl Feed {
    /// Takes in an edition and says which pods are new in it.
    fn add(&mut self, edition: Edition, mut tell: impl FnMut(Vec<PodId>)) {
        let nothing: Arc<[PodId]> = Arc::from([]);
        let before = self.editions.back().map(|last| (&last.content.ready, &last.content.draining));
        let (ready, draining) = before.unwrap_or((&nothing, &nothing));
        tell(newcomers(ready, &edition.content.ready));
        tell(newcomers(draining, &edition.content.draining));
        self.editions.push_back(edition);
    }
}
