//! What becomes of requests: shares of outcomes, in parts of a billion, retries included.
//!
//! Expected values, not samples. An attempt on a container that is gone is refused if its host answers, and times out
//! otherwise. An endpoint that needs more CPU than it gets answers what it can, later, and the rest times out.
//! Lost packets are sent again after 200 ms, doubling. Start at `outcome`.

use shakedown_chaos::load::Traffic;
use shakedown_chaos::setting::Defect;
use shakedown_engine::ids::{Id, NodeId, PodId, TrafficId};
use shakedown_engine::time::Span;

use super::place::ClientGroup;
use crate::container::{Phase, declared};
use crate::cpu::proportion;
use crate::network::{CERTAIN, Place};
use crate::probe::slowed;
use crate::world::SimWorld;

/// Mean latencies are rounded to this, so that an imperceptible change closes no interval.
const LATENCY_STEP: u64 = 100_000;

/// Shares of outcomes of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mix {
    pub(crate) slow: u64,
    pub(crate) timed_out: u64,
    pub(crate) refused: u64,
    pub(crate) errors: u64,
    /// Attempts per request.
    pub(crate) attempts: u64,
    /// Attempts per request at endpoints that serve no more.
    pub(crate) stale: u64,
    /// Attempts per request that reached a newer revision than the first.
    pub(crate) new: u64,
    /// Mean of answered requests.
    pub(crate) latency: Span,
}

impl Mix {
    /// Whatever went neither slowly nor wrong.
    pub(crate) fn good(&self) -> u64 {
        CERTAIN.saturating_sub(self.slow + self.timed_out + self.refused + self.errors)
    }
}

/// Sums over attempts, each counting `CERTAIN`; sums of latencies are weighted by answers.
#[derive(Clone, Copy, Debug, Default)]
struct Attempt {
    good: u128,
    slow: u128,
    timed_out: u128,
    refused: u128,
    errors: u128,
    stale: u128,
    new: u128,
    latency: u128,
    /// Time lost in failed attempts, weighted by them.
    waste: u128,
}

/// An endpoint as a client meets it.
struct Endpoint {
    node: NodeId,
    /// Parts of a billion that it can answer; `None` when it does not serve.
    serves: Option<u64>,
    /// It hangs instead of refusing.
    mute: bool,
    service: Span,
    errors: u64,
    new: bool,
}

/// True while a container answers its users.
pub(crate) fn serves(phase: Phase) -> bool {
    matches!(phase, Phase::Running | Phase::Hook)
}

impl SimWorld {
    /// What users of a source meet now.
    pub(crate) fn outcome(&self, id: TrafficId) -> Mix {
        let traffic = &self.experiment.traffic[id];
        let outside = self.loads.sources[id].crowd.outside();
        let groups = self.groups(id);
        let clients: u128 = groups.iter().map(|group| u128::from(group.weight)).sum();
        if clients == 0 {
            // Nobody is left to ask: what users wanted meanwhile counts as never answered.
            return Mix { timed_out: CERTAIN, attempts: CERTAIN, ..Mix::default() };
        }
        let mut total = Total::default();
        let mut known: Option<(u32, Vec<Endpoint>)> = None;
        for group in &groups {
            if known.as_ref().is_none_or(|(version, _)| *version != group.view.version) {
                let endpoints = group.view.endpoints.iter().filter_map(|&pod| self.endpoint(pod)).collect();
                known = Some((group.view.version, endpoints));
            }
            let endpoints = known.as_ref().map_or(&[][..], |(_, endpoints)| endpoints);
            let attempt = self.attempt(group, endpoints, (traffic, outside));
            total.add(u128::from(group.weight), &attempt, (traffic, endpoints.len().max(1)));
        }
        total.mix(clients)
    }

    fn endpoint(&self, pod: PodId) -> Option<Endpoint> {
        let node = self.pods.home(pod)?;
        let gone =
            Endpoint { node, serves: None, mute: !self.hosts[node].up, service: Span::ZERO, errors: 0, new: false };
        let Some((row, id)) = self.pods.get(pod).zip(self.server(pod)) else { return Some(gone) };
        let cell = &row.cells[usize::from(id.cell)];
        if !serves(cell.phase) {
            return Some(gone);
        }
        let behaviour = self.behaviour(declared(&self.catalog.templates[row.template], id.cell).image);
        let capacity = if cell.demand > cell.share { proportion(CERTAIN, cell.share, cell.demand) } else { CERTAIN };
        let errors = match behaviour.defect {
            Defect::NeverReady => return Some(Endpoint { mute: true, ..gone }),
            Defect::Errors { permille } => u64::from(permille.min(1000)) * (CERTAIN / 1000),
            Defect::None | Defect::Crashes { .. } | Defect::Missing => 0,
        };
        let work = slowed(behaviour.cpu_per_request, cell) + behaviour.wait_per_request;
        let new = !self.loads.first.get(row.template.index()).copied().unwrap_or(true);
        Some(Endpoint { serves: Some(capacity), service: work.permille(row.pace), errors, new, ..gone })
    }

    /// Sums of outcomes over one attempt at each endpoint.
    fn attempt(&self, group: &ClientGroup, endpoints: &[Endpoint], (traffic, outside): (&Traffic, bool)) -> Attempt {
        let mut sum = Attempt::default();
        let one = u128::from(CERTAIN);
        let timeout = u128::from(traffic.timeout.as_nanos());
        let entry = if outside { self.entry(group.via) } else { Some((Span::ZERO, CERTAIN)) };
        if endpoints.is_empty() {
            let lost = Attempt { timed_out: one, waste: one * timeout, ..sum };
            return if entry.is_some() { Attempt { refused: one, ..sum } } else { lost };
        }
        for endpoint in endpoints {
            sum.stale += if endpoint.serves.is_none() { one } else { 0 };
            let link = entry.zip(self.link(group, endpoint.node));
            let Some(((entry, entry_pass), (trip, trip_pass))) = link.filter(|_| !endpoint.mute) else {
                sum.timed_out += one;
                sum.waste += one * timeout;
                continue;
            };
            let round = entry + trip;
            let Some(capacity) = endpoint.serves else {
                sum.refused += one;
                sum.waste += one * u128::from(round.as_nanos());
                continue;
            };
            let pass = proportion(entry_pass, trip_pass, CERTAIN);
            let latency = round + endpoint.service;
            let through = if latency > traffic.timeout {
                0
            } else {
                proportion(capacity, delivered(pass, traffic.timeout), CERTAIN)
            };
            let errors = proportion(through, endpoint.errors, CERTAIN);
            let answered = through - errors;
            let late = |latency: Span| traffic.slow_after.is_some_and(|limit| latency > limit);
            let slow = if late(latency) {
                answered
            } else if late(latency + Span::from_millis(200)) {
                proportion(answered, CERTAIN - pass, CERTAIN)
            } else {
                0
            };
            sum.slow += u128::from(slow);
            sum.good += u128::from(answered - slow);
            sum.errors += u128::from(errors);
            sum.timed_out += u128::from(CERTAIN - through);
            sum.new += if endpoint.new { u128::from(through) } else { 0 };
            sum.latency += u128::from(answered) * u128::from(latency.as_nanos());
            sum.waste += u128::from(CERTAIN - through) * timeout + u128::from(errors) * u128::from(latency.as_nanos());
        }
        sum
    }

    /// The way from outside to the entry node and back.
    fn entry(&self, via: Option<NodeId>) -> Option<(Span, u64)> {
        match via {
            Some(node) => self.round(Place::Outside, Place::Node(node)),
            None => {
                let trip =
                    self.experiment.setting.network.to_outside + self.experiment.setting.network.jitter.permille(500);
                Some((trip.times(2), CERTAIN))
            }
        }
    }

    /// The way from a client to an endpoint's node and back.
    fn link(&self, group: &ClientGroup, to: NodeId) -> Option<(Span, u64)> {
        match group.via {
            Some(node) => self.round(Place::Node(node), Place::Node(to)),
            None => {
                let jitter = self.experiment.setting.network.jitter.permille(500);
                Some(((self.net.between(group.zone, self.net.zone(to)) + jitter).times(2), CERTAIN))
            }
        }
    }

    fn round(&self, from: Place, to: Place) -> Option<(Span, u64)> {
        let (there, back) = (self.net.path(from, to), self.net.path(to, from));
        if there.cut || back.cut {
            return None;
        }
        let time = self.net.mean_trip(from, to) + self.net.mean_trip(to, from);
        Some((time, proportion(there.pass, back.pass, CERTAIN)))
    }
}

/// The share of exchanges that get through before the time-out, at this chance for each try.
fn delivered(pass: u64, timeout: Span) -> u64 {
    let (mut lost, mut wait, mut waited) = (CERTAIN, Span::from_millis(200), Span::ZERO);
    while pass < CERTAIN && waited <= timeout {
        lost = proportion(lost, CERTAIN - pass, CERTAIN);
        waited += wait;
        wait = wait.times(2);
    }
    if pass < CERTAIN { CERTAIN - lost } else { CERTAIN }
}

/// Weighted sums over groups of clients, per request.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    slow: u128,
    timed_out: u128,
    refused: u128,
    errors: u128,
    attempts: u128,
    stale: u128,
    new: u128,
    answered: u128,
    latency: u128,
}

impl Total {
    /// Adds the requests of one group, each with its retries, at `endpoints` endpoints.
    fn add(&mut self, weight: u128, sum: &Attempt, (traffic, endpoints): (&Traffic, usize)) {
        let (one, n) = (u128::from(CERTAIN), endpoints as u128);
        let answered = (sum.good + sum.slow) / n;
        let failed = one - answered.min(one);
        let waste = if failed == 0 { 0 } else { sum.waste / (n * failed) };
        let latency = if answered == 0 { 0 } else { sum.latency / (n * answered) };
        // Share of requests that come to this attempt.
        let mut reach = one;
        let mut attempts = 0;
        for round in 0..=u128::from(traffic.retries) {
            attempts += reach;
            let ok = reach * answered / one;
            let total = round * waste + latency;
            let late = round > 0 && traffic.slow_after.is_some_and(|limit| total > u128::from(limit.as_nanos()));
            self.slow += weight * if late { ok } else { reach * (sum.slow / n) / one };
            self.answered += weight * ok;
            self.latency += weight * ok * total;
            if round < u128::from(traffic.retries) {
                reach -= ok;
            }
        }
        // What is left after the last attempt failed as that attempt did.
        let left = reach - reach * answered / one;
        let failures = (sum.timed_out + sum.refused + sum.errors).max(1);
        let (refused, errors) = (left * sum.refused / failures, left * sum.errors / failures);
        self.refused += weight * refused;
        self.errors += weight * errors;
        self.timed_out += weight * if sum.timed_out == 0 { 0 } else { left - refused - errors };
        self.attempts += weight * attempts;
        self.stale += weight * (attempts * (sum.stale / n) / one);
        self.new += weight * (attempts * (sum.new / n) / one);
    }

    fn mix(&self, clients: u128) -> Mix {
        let share = |sum: u128| u64::try_from(sum / clients).unwrap_or(u64::MAX);
        let latency = self.latency.checked_div(self.answered).unwrap_or(0);
        let latency = u64::try_from(latency).unwrap_or(u64::MAX) / LATENCY_STEP * LATENCY_STEP;
        Mix {
            slow: share(self.slow),
            timed_out: share(self.timed_out),
            refused: share(self.refused),
            errors: share(self.errors),
            attempts: share(self.attempts),
            stale: share(self.stale),
            new: share(self.new),
            latency: Span::from_nanos(latency),
        }
    }
}
