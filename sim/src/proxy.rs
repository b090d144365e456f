//! What clients know of services: each node's view of the published endpoints.
//!
//! Views are worked out when somebody needs them, from the publications and the node's phase on the grid on which
//! proxies program their rules; a publication costs a few events however many nodes there are. A node that is cut off
//! keeps the view that it had. Nothing here decides where a request goes: `traffic` does. Start at `publish`.
//!
//! Assumptions: phases come in eighths of the grid; names of headless services are resolved again on the grid of
//! their DNS time to live; a host that boots knows nothing until its first sync; a client that was cut off watches
//! again when its agent reconnects.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_engine::fact::{FactId, FactKind, FactLog};
use shakedown_engine::ids::{Id, NodeId, PodId, ServiceId};
use shakedown_engine::message::Publication;
use shakedown_engine::model::Catalog;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::time::{Span, Time};

use crate::event::{Event, Stamp};
use crate::traffic::newcomers;
use crate::world::SimWorld;

/// Different phases of proxies.
pub(crate) const PHASES: usize = 8;

/// One version of a service's endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Edition {
    pub(crate) version: u32,
    pub(crate) endpoints: Arc<[PodId]>,
    at: Time,
    lag: Span,
    grid: Span,
    cause: FactId,
}

impl Edition {
    /// When proxies of this phase act on it if they could know of it from `from` on.
    fn effective(&self, phase: usize, from: Time) -> Time {
        let offset = Span::from_nanos(self.grid.as_nanos() / PHASES as u64 * phase as u64);
        (self.at.max(from) + self.lag).next_tick(self.grid, offset)
    }
}

/// A view: a version and its endpoints. Version 0 means that nothing is known.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) version: u32,
    pub(crate) endpoints: Arc<[PodId]>,
}

impl View {
    pub(crate) fn empty() -> Self {
        Self { version: 0, endpoints: Arc::from([]) }
    }
}

/// Why a node's view may differ from that of all others with its phase.
#[derive(Clone, Debug)]
pub(crate) enum Apart {
    /// Its host is down.
    Down,
    /// It is cut off and keeps what it knew.
    Frozen(BTreeMap<ServiceId, View>),
    /// It came back and still acts on what it knew where it has not heard more.
    CatchingUp { since: Time, stamp: Stamp, known: BTreeMap<ServiceId, View> },
}

/// The views of all clients.
#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    phases: Vec<u8>,
    used: Vec<usize>,
    /// Publications that somebody may still act on, of services with load only.
    feeds: BTreeMap<ServiceId, VecDeque<Edition>>,
    pub(crate) apart: BTreeMap<NodeId, Apart>,
    /// Longest time from publication to effect that was ever asked for.
    horizon: Span,
    headless: Vec<bool>,
}

impl Proxies {
    pub(crate) fn new(catalog: &Catalog, experiment: &Experiment, streams: Streams) -> Self {
        let phase = |node: NodeId| streams.stream(Purpose::Proxy, node.0).below(PHASES as u64) as u8;
        let phases: Vec<u8> = catalog.nodes.ids().map(phase).collect();
        let used = (0..PHASES).filter(|phase| phases.contains(&(*phase as u8))).collect();
        let feeds = experiment.traffic.iter().map(|(_, traffic)| (traffic.to, VecDeque::new())).collect();
        let headless = catalog.services.iter().map(|(_, service)| service.headless).collect();
        Self { phases, used, feeds, apart: BTreeMap::new(), horizon: Span::ZERO, headless }
    }

    /// A node's phase.
    pub(crate) fn phase(&self, node: NodeId) -> usize {
        usize::from(self.phases[node.index()])
    }

    /// The view of an undisturbed node of this phase.
    pub(crate) fn regular(&self, service: ServiceId, phase: usize, now: Time) -> View {
        self.newest(service, phase, Time::ZERO, now).unwrap_or_else(View::empty)
    }

    /// The view of a node that stands apart; `None` while its proxy knows nothing of the service since the boot.
    pub(crate) fn irregular(&self, service: ServiceId, node: NodeId, now: Time) -> Option<View> {
        match self.apart.get(&node) {
            None => Some(self.regular(service, self.phase(node), now)),
            Some(Apart::Down) => None,
            Some(Apart::Frozen(known)) => known.get(&service).cloned(),
            Some(Apart::CatchingUp { since, known, .. }) => {
                self.newest(service, self.phase(node), *since, now).or_else(|| known.get(&service).cloned())
            }
        }
    }

    /// Services with load whose newest edition has this pod.
    pub(crate) fn publishing(&self, pod: PodId) -> Vec<ServiceId> {
        let has = |feed: &VecDeque<Edition>| feed.back().is_some_and(|e| e.endpoints.binary_search(&pod).is_ok());
        self.feeds.iter().filter(|(_, feed)| has(feed)).map(|(service, _)| *service).collect()
    }

    fn newest(&self, service: ServiceId, phase: usize, from: Time, now: Time) -> Option<View> {
        let feed = self.feeds.get(&service)?;
        let edition = feed.iter().rev().find(|edition| edition.effective(phase, from) <= now)?;
        Some(View { version: edition.version, endpoints: Arc::clone(&edition.endpoints) })
    }

    /// Forgets editions that all undisturbed nodes are past.
    fn trim(&mut self, service: ServiceId, now: Time) {
        let used = &self.used;
        let Some(feed) = self.feeds.get_mut(&service) else { return };
        while feed.get(1).is_some_and(|next| used.iter().all(|&phase| next.effective(phase, Time::ZERO) <= now)) {
            feed.pop_front();
        }
    }
}

impl SimWorld {
    /// Makes new endpoints known everywhere, each client at its own time.
    pub(crate) fn publish(&mut self, publication: Publication, cause: FactId) {
        let Publication { service, version, endpoints, lag, proxy_sync, dns_ttl } = publication;
        let headless = self.proxies.headless.get(service.index()).copied().unwrap_or(false);
        let grid = if headless { dns_ttl } else { proxy_sync };
        let edition = Edition { version, endpoints, at: self.now, lag, grid, cause };
        let mut times: Vec<Time> = self.proxies.used.iter().map(|&p| edition.effective(p, Time::ZERO)).collect();
        times.sort_unstable();
        times.dedup();
        if let Some(&last) = times.last() {
            self.queue.push(last, Event::Seen { service, version, cause });
        }
        self.proxies.horizon = self.proxies.horizon.max(lag + grid);
        let Some(feed) = self.proxies.feeds.get_mut(&service) else { return };
        let before = feed.back().map_or_else(|| Arc::from([]), |last| Arc::clone(&last.endpoints));
        let newcomers = newcomers(&before, &edition.endpoints);
        feed.push_back(edition);
        for pod in newcomers {
            self.expose_to(pod, service);
        }
        for at in times {
            self.queue.push(at, Event::Flip { service, cause });
        }
    }

    /// Some clients act on another version from now on.
    pub(crate) fn on_flip(&mut self, service: ServiceId, cause: FactId) {
        self.proxies.trim(service, self.now);
        self.mark_service(service, cause);
    }

    /// The last connected client acts on a version.
    pub(crate) fn on_seen(&mut self, (service, version): (ServiceId, u32), cause: FactId, facts: &mut FactLog) {
        facts.record(self.now, cause, FactKind::EndpointsSeen { service, version });
    }

    /// A node is cut off: it keeps the views that it has.
    pub(crate) fn freeze_view(&mut self, node: NodeId, cause: FactId) {
        if matches!(self.proxies.apart.get(&node), Some(Apart::Down | Apart::Frozen(_))) {
            return;
        }
        let services: Vec<ServiceId> = self.proxies.feeds.keys().copied().collect();
        let view = |service| Some((service, self.proxies.irregular(service, node, self.now)?));
        let known = services.into_iter().filter_map(view).collect();
        self.proxies.apart.insert(node, Apart::Frozen(known));
        self.mark_views(cause);
    }

    /// A node that was cut off hears of changes again.
    pub(crate) fn thaw_view(&mut self, node: NodeId, cause: FactId) {
        if !matches!(self.proxies.apart.get(&node), Some(Apart::Frozen(_))) {
            return;
        }
        let Some(Apart::Frozen(known)) = self.proxies.apart.remove(&node) else { return };
        self.catch_up_view(node, known, cause);
        self.loads.regroup_all();
    }

    /// A host went down, and its clients with it.
    pub(crate) fn view_lost(&mut self, node: NodeId, cause: FactId) {
        self.proxies.apart.insert(node, Apart::Down);
        self.loads.endpoints.mark_host(node);
        self.mark_views(cause);
    }

    /// A host booted: its proxy starts without any rules.
    pub(crate) fn view_regained(&mut self, node: NodeId, cause: FactId) {
        if self.links[node].cut {
            self.proxies.apart.insert(node, Apart::Frozen(BTreeMap::new()));
        } else {
            self.catch_up_view(node, BTreeMap::new(), cause);
        }
        self.loads.endpoints.mark_host(node);
        self.mark_views(cause);
    }

    fn catch_up_view(&mut self, node: NodeId, known: BTreeMap<ServiceId, View>, cause: FactId) {
        let stamp = self.stamp();
        let since = self.now;
        let phase = self.proxies.phase(node);
        for (&service, feed) in &self.proxies.feeds {
            for edition in feed {
                // What was published meanwhile leads to the change; for a fresh view it is that the node is back.
                let cause = if known.contains_key(&service) { edition.cause } else { cause };
                self.queue.push(edition.effective(phase, since), Event::Flip { service, cause });
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
