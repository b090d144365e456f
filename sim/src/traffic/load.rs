//! The load that requests put on endpoints.
//!
//! Endpoints that all clients know and that cost the same get the same load, worked out once; the others, and those
//! that began or ceased to serve, are looked at one by one. Start at `assign_loads`.

use std::sync::Arc;

use shakedown_engine::ids::{PodId, TrafficId};

use super::audience::{Audience, differences};
use super::outcome::serves;
use super::scope::ViewKey;
use crate::network::CERTAIN;
use crate::runtime::micro;
use crate::world::SimWorld;

/// Load is given to containers in thousandths of a core, rounded up, so that tiny changes disturb nobody.
pub(crate) const LOAD_STEP: u64 = 1000;

/// How many of a source's clients have a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    view: ViewKey,
    endpoints: usize,
    weight: u64,
}

/// What the loads of a source follow from, apart from the endpoints themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Basis {
    shares: Vec<Share>,
    clients: u64,
    /// Requests in 1,000 s times attempts per request in parts of a billion.
    all: u128,
    /// The load on an endpoint that all clients know, for each CPU time of a request.
    full: Vec<(u64, u64)>,
    /// A buffer.
    next: Vec<Share>,
}

impl Basis {
    /// Takes over what holds now. True when it differs from what held before.
    fn update(&mut self, audience: &Audience, all: u128) -> bool {
        self.next.clear();
        for group in &audience.groups {
            match self.next.last_mut() {
                Some(share) if share.view == group.view => share.weight += group.weight,
                _ => {
                    let endpoints = audience.pool(group.view).endpoints.len();
                    self.next.push(Share { view: group.view, endpoints, weight: group.weight });
                }
            }
        }
        let same = self.next == self.shares && self.clients == audience.clients && self.all == all;
        std::mem::swap(&mut self.next, &mut self.shares);
        self.clients = audience.clients;
        self.all = all;
        !same
    }

    /// The load on an endpoint that the views with these flags have.
    fn load(&self, cost: u64, knows: impl Fn(usize) -> bool) -> u64 {
        // Requests in 1,000 s times nanoseconds of CPU each, in millionths of a core.
        let each = self.all * u128::from(cost) / (1_000_000 * u128::from(CERTAIN));
        let part = |(_, share): (usize, &Share)| {
            let ways = u128::from(self.clients) * share.endpoints as u128;
            let load = (each * u128::from(share.weight)).checked_div(ways).unwrap_or(0);
            u64::try_from(load).unwrap_or(u64::MAX)
        };
        let known = self.shares.iter().enumerate().filter(|(index, _)| knows(*index));
        known.map(part).fold(0, u64::saturating_add).div_ceil(LOAD_STEP).saturating_mul(LOAD_STEP)
    }

    /// The load on an endpoint that all clients know.
    fn full(&mut self, cost: u64) -> u64 {
        if let Some(entry) = self.full.iter().find(|entry| entry.0 == cost) {
            return entry.1;
        }
        let load = self.load(cost, |_| true);
        self.full.push((cost, load));
        load
    }

    /// Works those loads out again. True when any of them differs.
    fn review(&mut self) -> bool {
        let mut moved = false;
        for index in 0..self.full.len() {
            let (cost, before) = self.full[index];
            let load = self.load(cost, |_| true);
            self.full[index].1 = load;
            moved |= before != load;
        }
        moved
    }
}

impl SimWorld {
    /// Gives endpoints the load of sources whose clients look elsewhere than before.
    pub(crate) fn assign_loads(&mut self) {
        for index in 0..self.loads.dirty.len() {
            let id = self.loads.dirty[index];
            if self.loads.sources[id].groups_stale {
                self.regroup(id);
            }
            if std::mem::take(&mut self.loads.sources[id].load_dirty) {
                self.assign_load(id);
            }
        }
    }

    fn assign_load(&mut self, id: TrafficId) {
        if let Some(pins) = &self.loads.sources[id].pins {
            let shares = pins.shares.clone();
            return self.assign_pinned(id, &shares);
        }
        let mut audience = std::mem::take(&mut self.loads.sources[id].audience);
        let mut basis = std::mem::take(&mut self.loads.sources[id].basis);
        let moved = basis.update(&audience, self.attempts_wanted(id));
        if moved {
            audience.recheck.extend_from_slice(&audience.split);
        }
        audience.recheck.sort_unstable();
        audience.recheck.dedup();
        let everybody = moved && basis.review();
        let common = audience.pools.first().filter(|_| everybody).map(|pool| Arc::clone(&pool.endpoints));
        // In id order, whatever list an endpoint is on, so that hosts are disturbed in the same order always.
        let mut recheck = audience.recheck.iter().copied().peekable();
        for &pod in common.iter().flat_map(|list| list.iter()) {
            while let Some(other) = recheck.next_if(|other| *other < pod) {
                self.assign(other, (id, &audience), &mut basis);
            }
            if recheck.next_if_eq(&pod).is_some() {
                self.assign(pod, (id, &audience), &mut basis);
            } else {
                let load = self.cost_of(pod, id).map_or(0, |cost| basis.full(cost));
                self.change_load(pod, id, load);
            }
        }
        for pod in recheck {
            self.assign(pod, (id, &audience), &mut basis);
        }
        audience.recheck.clear();
        self.loads.sources[id].audience = audience;
        self.loads.sources[id].basis = basis;
    }

    /// What users of a source want in all.
    pub(super) fn attempts_wanted(&self, id: TrafficId) -> u128 {
        self.attempts_made(id) * u128::from(self.resolved(id).part) / u128::from(CERTAIN)
    }

    /// Attempts in 1,000 s, in parts of a billion, those without an address among them.
    pub(crate) fn attempts_made(&self, id: TrafficId) -> u128 {
        let rate = if self.active(id) { self.experiment.traffic[id].rate_per_1000s } else { 0 };
        u128::from(rate) * u128::from(self.loads.sources[id].attempts)
    }

    /// CPU time of one request at a pod, whoever asks.
    pub(crate) fn cost_at(&self, pod: PodId) -> Option<u64> {
        let row = self.pods.get(pod)?;
        let spec = &self.catalog.templates[row.template];
        let serves = serves(row.cells[spec.init.len()].phase);
        serves.then(|| self.behaviour(spec.containers[0].image).cpu_per_request.as_nanos())
    }

    /// Looks at one endpoint by itself.
    fn assign(&mut self, pod: PodId, (id, audience): (TrafficId, &Audience), basis: &mut Basis) {
        let load = self.cost_of(pod, id).map_or(0, |cost| {
            let everywhere = audience.pools.iter().all(|pool| pool.has(pod));
            if everywhere { basis.full(cost) } else { basis.load(cost, |index| audience.pools[index].has(pod)) }
        });
        self.change_load(pod, id, load);
    }

    pub(crate) fn change_load(&mut self, pod: PodId, source: TrafficId, after: u64) {
        let Some(cell) = self.server(pod) else { return };
        let row = self.pods.get_mut(pod).expect("its server was just found");
        let slot = row.loads.iter().position(|(from, _)| *from == source);
        let before = slot.map_or(0, |slot| row.loads[slot].1);
        if before == after {
            return;
        }
        match slot {
            Some(slot) => row.loads[slot].1 = after,
            None => row.loads.push((source, after)),
        }
        let state = &mut row.cells[usize::from(cell.cell)];
        state.load = state.load - before + after;
        if serves(state.phase) {
            let load = state.load;
            let idle = self.behaviour_of(cell).map_or(0, |behaviour| micro(behaviour.idle_cpu));
            self.set_demand(cell, idle + load);
        }
    }

    /// CPU time of one request at a pod, `None` when it does not serve.
    pub(super) fn cost_of(&self, pod: PodId, source: TrafficId) -> Option<u64> {
        let template = self.pods.get(pod)?.template;
        if self.loads.walls.closed(source, template) { None } else { self.cost_at(pod) }
    }
}

/// Ids that `after` has and `before` has not.
pub(crate) fn newcomers(before: &[PodId], after: &[PodId]) -> Vec<PodId> {
    let mut newcomers = Vec::new();
    differences(before, after, |pod, joins| {
        if joins {
            newcomers.push(pod);
        }
    });
    newcomers
}
