//! The cluster's DNS as clients meet it, when its servers are pods of the cluster itself.
//!
//! A scenario that declares the service `kube-dns` in `kube-system` has its names answered by that service's pods;
//! without it names always resolve. Nothing is cached on nodes: a client keeps an answer or asks each time. Start at
//! [`Names`] and `review_names`.
//!
//! Assumptions: lookups go to endpoints as undisturbed proxies know them; a lookup that is lost is tried again once after
//! 5 s (resolv.conf's defaults: `timeout:5 attempts:2`); answers that are kept are asked for again on the grid of their
//! time to live, in eighths of which clients differ. A server answers as long as it runs: lookups cost it nothing.

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
use crate::world::SimWorld;

/// A lookup without an answer is repeated after this. Source: resolv.conf(5), `timeout`.
const LOOKUP_TIMEOUT: Span = Span::from_secs(5);

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
    cause: FactId,
}

impl Names {
    pub(crate) fn new(catalog: &Catalog, experiment: &Experiment) -> Self {
        let server = server(catalog, experiment);
        Self { server, answers: CERTAIN, silent: None, refused: false, stale: server.is_some(), cause: FactId::NONE }
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

    /// Works out again what the DNS answers, and has those look again who depend on it.
    pub(crate) fn review_names(&mut self) {
        if !std::mem::take(&mut self.names.stale) {
            return;
        }
        let (answers, refused) = self.answers_now();
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
        let answers = |pod: &&PodId| self.endpoint(**pod).is_some_and(|e| e.serves.is_some() && !e.mute);
        let share = (list.iter().filter(answers).count() as u64 * CERTAIN).checked_div(list.len() as u64).unwrap_or(0);
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
    pub(crate) fn resolved(&self, id: TrafficId) -> u64 {
        let traffic = &self.experiment.traffic[id];
        let Habit::EachTime(lookups) = traffic.reach.names else { return CERTAIN };
        if self.names.answers == 0 {
            return CERTAIN; // Nobody has an address at all.
        }
        let mut miss = CERTAIN - self.names.answers;
        if traffic.timeout > LOOKUP_TIMEOUT {
            miss = proportion(miss, miss, CERTAIN);
        }
        (0..lookups.min(32)).fold(CERTAIN, |all, _| proportion(all, CERTAIN - miss, CERTAIN))
    }
}

/// When a client of this phase asks again for a name that it keeps so long.
fn tick(kept: Span, phase: usize, from: Time) -> Time {
    from.next_tick(kept, Span::from_nanos(kept.as_nanos() / PHASES as u64 * phase as u64))
}
