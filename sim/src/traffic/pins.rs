//! Clients that stay with an endpoint: open connections, or session affinity.
//!
//! A connection lasts as long as its endpoint answers, whatever is published meanwhile; affinity lasts as long as its
//! endpoint is published, whether it answers or not, and clients here never pause for the hours after which it ends.
//! Whoever must choose anew chooses like everybody else, and newcomers get nothing until then. Shares are parts of a
//! billion of a source's clients. Start at `repin`.
//!
//! Assumption: clients of one source that stay are not told apart by place. A connection to a host that is gone breaks
//! at the first time-out, which is taken as at once.

use std::collections::BTreeMap;

use shakedown_engine::ids::{PodId, TrafficId};

use super::audience::Audience;
use super::outcome::{Attempt, Mix, Total, nobody};
use super::scope::Scope;
use crate::cpu::proportion;
use crate::network::CERTAIN;
use crate::world::SimWorld;

/// What makes clients stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// An open connection.
    Connection,
    /// The proxy remembers the client.
    Affinity,
}

/// Where clients stay.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    pub(crate) hold: Hold,
    pub(crate) shares: BTreeMap<PodId, u64>,
    /// Clients that have no endpoint.
    pub(crate) free: u64,
}

impl Pins {
    pub(crate) fn new(hold: Hold) -> Self {
        Self { hold, shares: BTreeMap::new(), free: CERTAIN }
    }
}

impl Audience {
    /// The shares in which clients who choose now would spread.
    fn fresh(&self, serving: impl Fn(PodId) -> bool) -> BTreeMap<PodId, u64> {
        let mut weights = vec![0u64; self.pools.len()];
        for group in &self.groups {
            let index = self.pools.binary_search_by_key(&group.view, |pool| pool.key);
            weights[index.expect("each group's view has a pool")] += group.weight;
        }
        let mut fresh = BTreeMap::new();
        for (pool, weight) in self.pools.iter().zip(weights) {
            let known: Vec<PodId> = pool.endpoints.iter().copied().filter(|&pod| serving(pod)).collect();
            let share = proportion(CERTAIN, weight, self.clients.max(1)).checked_div(known.len() as u64).unwrap_or(0);
            for pod in known {
                *fresh.entry(pod).or_insert(0) += share;
            }
        }
        fresh
    }
}

impl SimWorld {
    /// Lets clients choose anew who have lost their endpoint.
    pub(super) fn repin(&mut self, id: TrafficId, audience: &Audience) {
        let Some(mut pins) = self.loads.sources[id].pins.take() else { return };
        let published = |pod| audience.pools.iter().any(|pool| pool.has(pod));
        let mut freed = std::mem::take(&mut pins.free);
        let mut left = Vec::new();
        pins.shares.retain(|&pod, share| {
            let keeps = match pins.hold {
                Hold::Connection => {
                    self.endpoint(pod).is_some_and(|endpoint| endpoint.serves.is_some() && !endpoint.mute)
                }
                Hold::Affinity => published(pod),
            };
            if !keeps {
                freed += *share;
                left.push(pod);
            }
            keeps
        });
        if freed > 0 {
            let fresh = audience.fresh(|pod| self.endpoint(pod).is_some());
            let mut rest = freed;
            for (&pod, &share) in &fresh {
                let part = proportion(freed, share, CERTAIN).min(rest);
                *pins.shares.entry(pod).or_insert(0) += part;
                rest -= part;
            }
            // What rounding leaves goes to the first; more than that found nobody.
            match fresh.keys().next() {
                Some(first) if rest <= 2 * fresh.len() as u64 => *pins.shares.entry(*first).or_insert(0) += rest,
                _ => pins.free = rest,
            }
            pins.shares.retain(|_, share| *share > 0);
        }
        for pod in left.into_iter().filter(|pod| !pins.shares.contains_key(pod) && !published(*pod)) {
            self.loads.endpoints.release(pod, id);
        }
        for &pod in pins.shares.keys() {
            self.watch_endpoint(pod, id);
        }
        self.loads.sources[id].pins = Some(pins);
    }

    /// What users of a source meet who stay with their endpoints.
    pub(super) fn outcome_of_pinned(&self, id: TrafficId, pins: &Pins) -> Mix {
        let audience = &self.loads.sources[id].audience;
        let traffic = &self.experiment.traffic[id];
        let mut total = Total::default();
        for group in &audience.groups {
            let stand = &audience.stands[group.stand];
            let pool = audience.pool(group.view);
            let lost = nobody(traffic, stand, pool.dropped);
            let resolved = self.resolved(id);
            if pool.dropped && pool.key.1 == Scope::Nowhere {
                // Not even what is open gets through.
                total.add(group.weight * CERTAIN, &lost, (traffic, 1));
                continue;
            }
            let mut sum = Attempt::default();
            let mut add = |share: u64, one: &Attempt| match pins.hold {
                Hold::Connection => sum.add(&one.scaled(share)),
                Hold::Affinity => total.add(group.weight * share, &one.resolved(traffic, (resolved, 1)), (traffic, 1)),
            };
            for (&pod, &share) in &pins.shares {
                let meeting = self.loads.endpoints.state(pod).map(|endpoint| {
                    if group.own == Some(endpoint.node) {
                        self.meet_at_home(id, stand, &endpoint)
                    } else {
                        self.meet(id, stand, &endpoint)
                    }
                });
                add(share, &meeting.unwrap_or(lost));
            }
            if pins.free > 0 {
                add(pins.free, &lost);
            }
            if pins.hold == Hold::Connection {
                // Names are only asked for when a connection is made.
                total.add(group.weight * CERTAIN, &sum, (traffic, 1));
            }
        }
        total.mix(u128::from(audience.clients) * u128::from(CERTAIN))
    }

    /// Gives pinned endpoints their load, and takes it from those that are so no more.
    pub(super) fn assign_pinned(&mut self, id: TrafficId, pins: &BTreeMap<PodId, u64>) {
        let former = std::mem::take(&mut self.loads.sources[id].pinned);
        let all = self.attempts_wanted(id);
        let mut pods: Vec<PodId> = former.into_iter().chain(pins.keys().copied()).collect();
        pods.sort_unstable();
        pods.dedup();
        for pod in pods {
            let share = pins.get(&pod).copied().unwrap_or(0);
            let load = self.cost_of(pod, id).map_or(0, |cost| pinned_load(all, cost, share));
            self.change_load(pod, id, load);
        }
        self.loads.sources[id].pinned = pins.keys().copied().collect();
    }
}

/// The load of so many attempts at this CPU time each, for a share of the clients.
pub(super) fn pinned_load(all: u128, cost: u64, share: u64) -> u64 {
    let each = all * u128::from(cost) / (1_000_000 * u128::from(CERTAIN));
    let load = u64::try_from(each * u128::from(share) / u128::from(CERTAIN)).unwrap_or(u64::MAX);
    load.div_ceil(super::load::LOAD_STEP).saturating_mul(super::load::LOAD_STEP)
}
