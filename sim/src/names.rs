//! The cluster's DNS as clients meet it, when its servers are pods of the cluster itself.
//!
//! A scenario that declares the service `kube-dns` in `kube-system` has its names answered by that service's pods;
//! without it names always resolve. Nothing is cached on nodes: a client keeps an answer or asks each time. Start at
//! [`Names`] and `review_names`.
//!
//! Each lookup costs the servers the CPU time of a request at their image, so that too many of them saturate the servers,
//! and those that get lost come again: `assign_lookups`. Servers cache nothing of the cluster's own names, found or not
//! (kubernetes/kubernetes:cmd/kubeadm/app/phases/addons/dns/manifests.go: `cache 30`, with `disable success` and `disable
//! denial` for the cluster's domain), so that names which end in a search domain cost as much as those that exist.
//!
//! Assumptions: lookups go to endpoints as undisturbed proxies know them; a lookup that is lost is tried again once after
//! 5 s (resolv.conf's defaults: `timeout:5 attempts:2`), once for all lookups of an attempt; answers that are kept are asked
//! for again on the grid of their time to live, in eighths of which clients differ, and cost the servers nothing.

use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::load::Via;
use shakedown_chaos::load::{Names as Habit, Traffic};
use shakedown_engine::fact::FactId;
use shakedown_engine::ids::{PodId, ServiceId, TrafficId};
use shakedown_engine::model::Catalog;
use shakedown_engine::time::{Span, Time};

use crate::cpu::proportion;
use crate::event::Event;
use crate::network::CERTAIN;
use crate::proxy::{PHASES, Reader};
use crate::traffic::LOAD_STEP;
use crate::world::SimWorld;

/// A lookup without an answer is repeated after this. Source: resolv.conf(5), `timeout`.
const LOOKUP_TIMEOUT: Span = Span::from_secs(5);

/// Load on a server that lookups of all sources make, among the loads of sources.
pub(crate) const LOOKUPS: TrafficId = TrafficId(u32::MAX);

/// Shares of lookups are rounded to this, so that imperceptible changes move nobody.
const ANSWER_STEP: u64 = CERTAIN / 1000;

/// The service that answers names, if the cluster has one and somebody needs it.
pub(crate) fn server(catalog: &Catalog, experiment: &Experiment) -> Option<ServiceId> {
    let (name, namespace) = (catalog.names.find("kube-dns")?, catalog.names.find("kube-system")?);
    experiment.traffic.iter().find(|(_, traffic)| asks(catalog, traffic))?;
    catalog.services.iter().find(|(_, spec)| spec.name == name && spec.namespace == namespace).map(|(id, _)| id)
}

/// Whether clients of a source depend on names.
fn asks(catalog: &Catalog, traffic: &Traffic) -> bool {
    let headless = traffic.reach.via == Via::Headless || catalog.services[traffic.to].headless;
    headless || traffic.reach.names != Habit::Known
}

/// State of the DNS.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    server: Option<ServiceId>,
    /// Parts of a billion of lookups that are answered.
    answers: u64,
    /// Nothing is answered since.
    silent: Option<Time>,
    /// Lookups are refused instead of getting lost.
    refused: bool,
    stale: bool,
    /// Who asks or answers may have changed.
    recount: bool,
    cause: FactId,
    /// Servers with load.
    loaded: Vec<PodId>,
    /// Lookups that come again after a time-out, in parts of a billion of those that are made.
    again: u64,
    again_planned: bool,
}

impl Names {
    pub(crate) fn new(catalog: &Catalog, experiment: &Experiment) -> Self {
        let server = server(catalog, experiment);
        Self {
            server,
            answers: CERTAIN,
            silent: None,
            refused: false,
            stale: server.is_some(),
            recount: false,
            cause: FactId::NONE,
            loaded: Vec::new(),
            again: 0,
            again_planned: false,
        }
    }
}

#[cfg(test)]
impl Names {
    /// What was worked out last.
    pub(crate) fn known(&self) -> (u64, bool) {
        (self.answers, self.refused)
    }
}

impl SimWorld {
    /// Something changed that the DNS may depend on.
    pub(crate) fn names_touched(&mut self, cause: FactId) {
        if self.names.server.is_some() {
            self.names.stale = true;
            self.names.cause = cause;
        }
    }

    /// True while what the DNS answers may have changed since it was looked at.
    pub(crate) fn names_stale(&self) -> bool {
        self.names.stale
    }

    /// Works out again what the DNS answers, and has those look again who depend on it.
    pub(crate) fn review_names(&mut self) {
        if !std::mem::take(&mut self.names.stale) {
            return;
        }
        self.names.recount = true;
        let (answers, refused) = self.answers_now();
        let miss = if refused { 0 } else { CERTAIN - answers };
        if miss.abs_diff(self.names.again) > CERTAIN / 100 && !std::mem::replace(&mut self.names.again_planned, true) {
            self.queue.push(self.now + LOOKUP_TIMEOUT, Event::LookUpAgain);
        }
        if (answers, refused) == (self.names.answers, self.names.refused) {
            return;
        }
        let cause = self.names.cause;
        (self.names.answers, self.names.refused) = (answers, refused);
        if answers > 0 {
            self.names.silent = None;
        } else if self.names.silent.is_none() {
            self.names.silent = Some(self.now);
            for (_, traffic) in self.experiment.traffic.iter() {
                let Some(kept) = self.kept(traffic) else { continue };
                for phase in 0..PHASES {
                    self.queue.push(tick(kept, phase, self.now), Event::Checked { cause });
                }
            }
        }
        self.mark_views(cause);
    }

    /// The share of lookups that servers answer, and whether the others are refused.
    pub(crate) fn answers_now(&self) -> (u64, bool) {
        let Some(server) = self.names.server else { return (CERTAIN, false) };
        let content = self.proxies.regular((server, Reader::Proxy), 0, self.now);
        let list = if content.ready.is_empty() { &content.draining } else { &content.ready };
        let answers = |pod: &PodId| self.endpoint(*pod).filter(|e| !e.mute).and_then(|e| e.serves).unwrap_or(0);
        let sum: u64 = list.iter().map(answers).sum();
        let share = sum.checked_div(list.len() as u64).unwrap_or(0).div_ceil(ANSWER_STEP) * ANSWER_STEP;
        // Before the first publication nobody has started to ask.
        if content.version == 0 { (CERTAIN, false) } else { (share, list.is_empty()) }
    }

    /// How long clients of a source keep an answer; `None` when they do not ask, or each time.
    fn kept(&self, traffic: &Traffic) -> Option<Span> {
        match traffic.reach.names {
            Habit::Kept(span) => Some(span),
            Habit::EachTime(_) => None,
            Habit::Known if asks(&self.catalog, traffic) => Some(self.proxies.name_ttl),
            Habit::Known => None,
        }
    }

    /// Clients of this phase have no address to go to; `Some(true)` when what they ask gets lost.
    pub(crate) fn nameless(&self, id: TrafficId, phase: usize) -> Option<bool> {
        let traffic = &self.experiment.traffic[id];
        if !self.loads.walls.resolves(id) && asks(&self.catalog, traffic) {
            return Some(true);
        }
        let silent = self.names.silent?;
        let expired = match (traffic.reach.names, self.kept(traffic)) {
            (Habit::EachTime(_), _) => true,
            (_, Some(kept)) => tick(kept, phase, silent) <= self.now,
            (_, None) => false,
        };
        expired.then_some(!self.names.refused)
    }

    /// Parts of a billion of attempts whose lookups are all answered in time.
    pub(crate) fn resolved(&self, id: TrafficId) -> Resolved {
        let traffic = &self.experiment.traffic[id];
        let Habit::EachTime(lookups) = traffic.reach.names else { return Resolved::ALL };
        if self.names.answers == 0 {
            return Resolved::ALL; // Nobody has an address at all.
        }
        let miss = CERTAIN - self.names.answers;
        let all = |miss: u64| (0..lookups.min(32)).fold(CERTAIN, |all, _| proportion(all, CERTAIN - miss, CERTAIN));
        let at_once = all(miss);
        let patient = traffic.timeout > LOOKUP_TIMEOUT;
        let part = if patient { all(proportion(miss, miss, CERTAIN)) } else { at_once };
        Resolved { part, waited: part - at_once }
    }

    /// Gives the servers the load that lookups make.
    pub(crate) fn assign_lookups(&mut self) {
        let Some(server) = self.names.server else { return };
        if !std::mem::take(&mut self.names.recount) && self.loads.is_settled() {
            return;
        }
        let list = self.listed(server);
        let all = self.lookups_wanted();
        let former = std::mem::take(&mut self.names.loaded);
        for &pod in former.iter().filter(|pod| list.binary_search(pod).is_err()) {
            self.change_load(pod, LOOKUPS, 0);
        }
        for &pod in list.iter() {
            let load = self.cost_at(pod).map_or(0, |cost| lookup_load(all, cost, list.len()));
            self.change_load(pod, LOOKUPS, load);
        }
        self.names.loaded = list.to_vec();
    }

    /// Servers to which lookups go.
    fn listed(&self, server: ServiceId) -> Arc<[PodId]> {
        let content = self.proxies.regular((server, Reader::Proxy), 0, self.now);
        if content.ready.is_empty() { content.draining } else { content.ready }
    }

    /// The same for tests.
    #[cfg(test)]
    pub(crate) fn lookup_servers(&self) -> Vec<PodId> {
        self.names.server.map_or_else(Vec::new, |server| self.listed(server).to_vec())
    }

    /// Lookups in 1,000 s that clients make before their attempts, repeated ones among them.
    pub(crate) fn lookups_wanted(&self) -> u128 {
        let of = |(id, traffic): (TrafficId, &Traffic)| match traffic.reach.names {
            Habit::EachTime(lookups) => self.attempts_made(id) * u128::from(lookups) / u128::from(CERTAIN),
            _ => 0,
        };
        let first: u128 = self.experiment.traffic.iter().map(of).sum();
        first + first * u128::from(self.names.again) / u128::from(CERTAIN)
    }

    /// What was lost five seconds ago is asked for again.
    pub(crate) fn on_look_up_again(&mut self) {
        self.names.again = if self.names.refused { 0 } else { CERTAIN - self.names.answers };
        self.names.again_planned = false;
        self.names.stale = true;
    }
}

/// Parts of a billion of attempts that have an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// All of these.
    pub(crate) part: u64,
    /// Of those, the ones that had to ask again.
    pub(crate) waited: u64,
}

impl Resolved {
    const ALL: Self = Self { part: CERTAIN, waited: 0 };
    /// How long those waited.
    pub(crate) const WAIT: Span = LOOKUP_TIMEOUT;
}

/// The load of so many lookups in 1,000 s at this CPU time each on one of so many servers.
pub(crate) fn lookup_load(all: u128, cost: u64, servers: usize) -> u64 {
    let load = all * u128::from(cost) / (1_000_000 * servers.max(1) as u128);
    u64::try_from(load).unwrap_or(u64::MAX).div_ceil(LOAD_STEP).saturating_mul(LOAD_STEP)
}

/// When a client of this phase asks again for a name that it keeps so long.
fn tick(kept: Span, phase: usize, from: Time) -> Time {
    from.next_tick(kept, Span::from_nanos(kept.as_nanos() / PHASES as u64 * phase as u64))
}
