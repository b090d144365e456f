//! What becomes of requests: shares of outcomes, in parts of a billion, retries included.
//!
//! Expected values, not samples. An attempt on a container that is gone is refused if its host answers, and times out
//! otherwise. An endpoint that needs more CPU than it gets answers what it can, later, and the rest times out.
//! Lost packets are sent again after 200 ms, doubling. Start at `outcome`.

use shakedown_chaos::load::Traffic;
use shakedown_engine::ids::TrafficId;
use shakedown_engine::time::Span;

use super::audience::Stand;
use super::endpoint::Endpoint;
use crate::container::Phase;
use crate::cpu::proportion;
use crate::names::Resolved;
use crate::network::CERTAIN;
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
    /// Nobody is left to ask: what users wanted meanwhile counts as never answered.
    pub(super) const UNANSWERED: Self = Self {
        slow: 0,
        timed_out: CERTAIN,
        refused: 0,
        errors: 0,
        attempts: CERTAIN,
        stale: 0,
        new: 0,
        latency: Span::ZERO,
    };

    /// Whatever went neither slowly nor wrong.
    pub(crate) fn good(&self) -> u64 {
        CERTAIN.saturating_sub(self.slow + self.timed_out + self.refused + self.errors)
    }
}

/// Sums over attempts, each counting `CERTAIN`; sums of latencies are weighted by answers.
///
/// With 2^32 endpoints at most, a sum of parts of a billion fits 62 bits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempt {
    good: u64,
    slow: u64,
    timed_out: u64,
    refused: u64,
    errors: u64,
    stale: u64,
    new: u64,
    latency: u128,
    /// Time lost in failed attempts, weighted by them.
    waste: u128,
}

impl Attempt {
    /// Counts what happens at one endpoint more.
    pub(crate) fn add(&mut self, other: &Self) {
        self.good += other.good;
        self.slow += other.slow;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
        self.errors += other.errors;
        self.stale += other.stale;
        self.new += other.new;
        self.latency += other.latency;
        self.waste += other.waste;
    }

    /// Counts it no more.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.good -= other.good;
        self.slow -= other.slow;
        self.timed_out -= other.timed_out;
        self.refused -= other.refused;
        self.errors -= other.errors;
        self.stale -= other.stale;
        self.new -= other.new;
        self.latency -= other.latency;
        self.waste -= other.waste;
    }
}

impl Attempt {
    /// A part of it, in parts of a billion.
    pub(super) fn scaled(&self, part: u64) -> Self {
        let cut = |amount: u64| proportion(amount, part, CERTAIN);
        let weigh = |amount: u128| amount * u128::from(part) / u128::from(CERTAIN);
        Self {
            good: cut(self.good),
            slow: cut(self.slow),
            timed_out: cut(self.timed_out),
            refused: cut(self.refused),
            errors: cut(self.errors),
            stale: cut(self.stale),
            new: cut(self.new),
            latency: weigh(self.latency),
            waste: weigh(self.waste),
        }
    }

    /// The same when only so many lookups of the name are answered, some of them late, and the others time out.
    pub(super) fn resolved(&self, traffic: &Traffic, (names, endpoints): (Resolved, u64)) -> Self {
        let Resolved { part, waited } = names;
        if part == CERTAIN && waited == 0 {
            return *self;
        }
        let mut sum = self.scaled(part);
        let late = |amount: u64| proportion(amount, waited, part.max(1));
        let slow = if traffic.slow_after.is_some_and(|limit| Resolved::WAIT > limit) { late(sum.good) } else { 0 };
        sum.latency += u128::from(late(sum.good) + late(sum.slow)) * u128::from(Resolved::WAIT.as_nanos());
        (sum.good, sum.slow) = (sum.good - slow, sum.slow + slow);
        let miss = (CERTAIN - part) * endpoints;
        sum.timed_out += miss;
        sum.waste += u128::from(miss) * u128::from(traffic.timeout.as_nanos());
        sum
    }
}

/// True while a container answers its users.
pub(crate) fn serves(phase: Phase) -> bool {
    matches!(phase, Phase::Running | Phase::Hook)
}

impl SimWorld {
    /// What users of a source meet now.
    pub(crate) fn outcome(&self, id: TrafficId) -> Mix {
        let traffic = &self.experiment.traffic[id];
        let audience = &self.loads.sources[id].audience;
        if audience.clients == 0 {
            return Mix::UNANSWERED;
        }
        if let Some(pins) = &self.loads.sources[id].pins {
            return self.outcome_of_pinned(id, pins);
        }
        let mut total = Total::default();
        for group in &audience.groups {
            let pool = audience.pool(group.view);
            let stand = &audience.stands[group.stand];
            let mut sum = if pool.known == 0 { nobody(traffic, stand, pool.dropped) } else { pool.sums[group.stand] };
            if let Some(node) = group.own {
                let own = self.loads.endpoints.on(node).filter(|pod| pool.has(*pod));
                for endpoint in own.filter_map(|pod| self.loads.endpoints.state(pod)) {
                    sum.add(&self.meet_at_home(id, stand, &endpoint));
                    sum.subtract(&self.meet(id, stand, &endpoint));
                }
            }
            let sum = sum.resolved(traffic, (self.resolved(id), pool.known.max(1)));
            total.add(group.weight, &sum, (traffic, pool.known.max(1)));
        }
        total.mix(u128::from(audience.clients))
    }

    /// What becomes of one attempt of clients who stand there at this endpoint.
    pub(crate) fn meet(&self, id: TrafficId, stand: &Stand, endpoint: &Endpoint) -> Attempt {
        let side = self.net.side(endpoint.node);
        let paths = (self.net.path_of_sides(stand.side, side), self.net.path_of_sides(side, stand.side));
        let link = self.round(self.net.between(stand.zone, self.net.zone(endpoint.node)), paths);
        self.encounter(id, endpoint, (stand.entry, link))
    }

    /// The same for clients on the endpoint's own node.
    pub(super) fn meet_at_home(&self, id: TrafficId, stand: &Stand, endpoint: &Endpoint) -> Attempt {
        self.encounter(id, endpoint, (stand.entry, AT_HOME))
    }

    /// What becomes of an attempt on this way, if network policies let it through.
    pub(super) fn encounter(&self, id: TrafficId, endpoint: &Endpoint, ways: (Way, Way)) -> Attempt {
        let closed = endpoint.template.is_some_and(|template| self.loads.walls.closed(id, template));
        let ways = if closed { (ways.0, None) } else { ways };
        encounter(&self.experiment.traffic[id], endpoint, ways)
    }
}

/// A way to an endpoint and back, and what gets through; `None` when it is cut.
pub(super) type Way = Option<(Span, u64)>;

/// The way from a host to itself, which no fault hits.
pub(super) const AT_HOME: Way = Some((Span::ZERO, CERTAIN));

/// What becomes of an attempt when no endpoint is known.
pub(super) fn nobody(traffic: &Traffic, stand: &Stand, dropped: bool) -> Attempt {
    if stand.entry.is_some() && !dropped { Attempt { refused: CERTAIN, ..Attempt::default() } } else { lost(traffic) }
}

fn lost(traffic: &Traffic) -> Attempt {
    let waste = u128::from(CERTAIN) * u128::from(traffic.timeout.as_nanos());
    Attempt { timed_out: CERTAIN, waste, ..Attempt::default() }
}

/// What becomes of one attempt at an endpoint: in by the first way, on by the second.
fn encounter(traffic: &Traffic, endpoint: &Endpoint, (entry, link): (Way, Way)) -> Attempt {
    let stale = if endpoint.serves.is_none() { CERTAIN } else { 0 };
    let Some(((entry, entry_pass), (trip, trip_pass))) = entry.zip(link).filter(|_| !endpoint.mute) else {
        return Attempt { stale, ..lost(traffic) };
    };
    let round = entry + trip;
    let Some(capacity) = endpoint.serves else {
        let waste = u128::from(CERTAIN) * u128::from(round.as_nanos());
        return Attempt { stale, refused: CERTAIN, waste, ..Attempt::default() };
    };
    let pass = proportion(entry_pass, trip_pass, CERTAIN);
    let latency = round + endpoint.service;
    let in_time = latency <= traffic.timeout;
    let through = if in_time { proportion(capacity, delivered(pass, traffic.timeout), CERTAIN) } else { 0 };
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
    let weigh = |share: u64, span: Span| u128::from(share) * u128::from(span.as_nanos());
    Attempt {
        good: answered - slow,
        slow,
        timed_out: CERTAIN - through,
        refused: 0,
        errors,
        stale,
        new: if endpoint.new { through } else { 0 },
        latency: weigh(answered, latency),
        waste: weigh(CERTAIN - through, traffic.timeout) + weigh(errors, latency),
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
pub(crate) struct Total {
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
    pub(super) fn add(&mut self, weight: u64, sum: &Attempt, (traffic, endpoints): (&Traffic, u64)) {
        let n = endpoints;
        let answered = ((sum.good + sum.slow) / n).min(CERTAIN);
        let failed = CERTAIN - answered;
        let mean = |sum: u128, share: u64| sum.checked_div(u128::from(n) * u128::from(share)).unwrap_or(0);
        let (waste, latency) = (mean(sum.waste, failed), mean(sum.latency, answered));
        // Share of requests that come to this attempt.
        let mut reach = CERTAIN;
        let mut attempts = 0;
        let weigh = |share: u64| u128::from(weight) * u128::from(share);
        for round in 0..=u128::from(traffic.retries) {
            attempts += reach;
            let ok = reach * answered / CERTAIN;
            let total = round * waste + latency;
            let late = round > 0 && traffic.slow_after.is_some_and(|limit| total > u128::from(limit.as_nanos()));
            self.slow += weigh(if late { ok } else { reach * (sum.slow / n) / CERTAIN });
            self.answered += weigh(ok);
            self.latency += weigh(ok) * total;
            if round < u128::from(traffic.retries) {
                reach -= ok;
            }
        }
        // What is left after the last attempt failed as that attempt did.
        let left = reach - reach * answered / CERTAIN;
        let failures = (sum.timed_out + sum.refused + sum.errors).max(1);
        let (refused, errors) = (proportion(left, sum.refused, failures), proportion(left, sum.errors, failures));
        self.refused += weigh(refused);
        self.errors += weigh(errors);
        self.timed_out += weigh(if sum.timed_out == 0 { 0 } else { left - refused - errors });
        self.attempts += weigh(attempts);
        self.stale += weigh(proportion(attempts, sum.stale / n, CERTAIN));
        self.new += weigh(proportion(attempts, sum.new / n, CERTAIN));
    }

    pub(super) fn mix(&self, clients: u128) -> Mix {
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
