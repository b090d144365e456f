//! The clients of one source in groups that see the same, and what the endpoints of each view add up to for them.
//!
//! A view's sums are kept: a change of one endpoint corrects them, and a new view starts from its predecessor's, so
//! that nothing here costs clients times endpoints. Where clients are is in `place`. Start at [`Audience`] and
//! `regroup`.

use std::sync::Arc;

use shakedown_engine::ids::{NodeId, PodId, TrafficId, ZoneId};
use shakedown_engine::time::Span;

use super::endpoint::Endpoint;
use super::outcome::Attempt;
use super::scope::{Shelf, View, ViewKey};
use crate::network::Side;
use crate::world::SimWorld;

/// A place from which links look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) zone: ZoneId,
    pub(crate) side: Side,
    /// The way in from outside and back, and what gets through: nothing to go for clients inside, `None` when cut.
    pub(crate) entry: Option<(Span, u64)>,
}

/// Clients that see the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientGroup {
    pub(crate) view: ViewKey,
    /// Position in `Audience::stands`.
    pub(crate) stand: usize,
    /// Their node, when faults hit its side's links among themselves and so tell it from the others of its side.
    pub(crate) own: Option<NodeId>,
    pub(crate) weight: u64,
}

/// One view and its sums.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) key: ViewKey,
    pub(crate) endpoints: Arc<[PodId]>,
    /// Without endpoints, what is sent gets lost instead of being refused.
    pub(crate) dropped: bool,
    /// Endpoints that have ever been on a host.
    pub(crate) known: u64,
    /// One attempt at each endpoint, for each stand.
    pub(crate) sums: Vec<Attempt>,
}

impl Pool {
    pub(crate) fn has(&self, pod: PodId) -> bool {
        self.endpoints.binary_search(&pod).is_ok()
    }
}

/// All of this for one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    pub(crate) groups: Vec<ClientGroup>,
    pub(crate) clients: u64,
    pub(crate) stands: Vec<Stand>,
    /// Views that some group has, by key.
    pub(crate) pools: Vec<Pool>,
    /// Endpoints that some but not all of these views have.
    pub(crate) split: Vec<PodId>,
    /// Endpoints whose load may have changed.
    pub(crate) recheck: Vec<PodId>,
    /// The views that are wanted, by key: a buffer.
    pub(crate) views: Vec<View>,
    /// Clients on undisturbed nodes: a buffer.
    pub(crate) regular: Vec<u64>,
    /// Endpoints by place, of versions that are in use.
    pub(crate) shelves: Vec<Shelf>,
    changes: Vec<(PodId, bool)>,
}

impl Audience {
    /// The view with this key.
    pub(crate) fn pool(&self, key: ViewKey) -> &Pool {
        let index = self.pools.binary_search_by_key(&key, |pool| pool.key);
        &self.pools[index.expect("each group's view has a pool")]
    }

    /// Links have changed: nothing that was summed over them holds.
    pub(crate) fn forget_links(&mut self) {
        self.stands.clear();
        for pool in &mut self.pools {
            pool.sums.clear();
        }
    }

    /// An endpoint has changed.
    pub(crate) fn correct(
        &mut self,
        world: &SimWorld,
        id: TrafficId,
        (pod, before, after): (PodId, Option<Endpoint>, Option<Endpoint>),
    ) {
        for pool in self.pools.iter_mut().filter(|pool| pool.has(pod)) {
            pool.known = pool.known - u64::from(before.is_some()) + u64::from(after.is_some());
            for (sum, stand) in pool.sums.iter_mut().zip(&self.stands) {
                if let Some(before) = &before {
                    sum.subtract(&world.meet(id, stand, before));
                }
                if let Some(after) = &after {
                    sum.add(&world.meet(id, stand, after));
                }
            }
        }
    }

    /// Makes the pools those of the wanted views. What joined or left any of them is to be checked again.
    fn exchange(&mut self, world: &mut SimWorld, id: TrafficId) {
        let former = std::mem::take(&mut self.pools);
        self.recheck.append(&mut self.split);
        let mut pools: Vec<Pool> = Vec::with_capacity(self.views.len());
        for view in std::mem::take(&mut self.views) {
            let pool = match former.binary_search_by_key(&view.key, |pool| pool.key) {
                Ok(index) => former[index].clone(),
                Err(index) => {
                    let near = former[..index].last().or_else(|| former.first());
                    self.derive(world, id, (pools.last().or(near), &view))
                }
            };
            if let Some(last) = pools.last() {
                differences(&last.endpoints, &pool.endpoints, |pod, _| self.split.push(pod));
            }
            pools.push(pool);
        }
        self.split.sort_unstable();
        self.split.dedup();
        self.recheck.extend_from_slice(&self.split);
        let one = |pools: &[Pool]| pools.first().map_or_else(|| Arc::from([]), |pool| Arc::clone(&pool.endpoints));
        differences(&one(&former), &one(&pools), |pod, _| self.recheck.push(pod));
        self.pools = pools;
        for &pod in &self.recheck {
            let pinned = world.loads.sources[id].pins.as_ref().is_some_and(|pins| pins.shares.contains_key(&pod));
            if !pinned && !self.pools.iter().any(|pool| pool.has(pod)) {
                world.loads.endpoints.release(pod, id);
            }
        }
    }

    /// The pool of a view, from that of another one.
    fn derive(&mut self, world: &mut SimWorld, id: TrafficId, (base, view): (Option<&Pool>, &View)) -> Pool {
        let (known, sums) = base.map_or((0, Vec::new()), |base| (base.known, base.sums.clone()));
        let mut pool =
            Pool { key: view.key, endpoints: Arc::clone(&view.endpoints), dropped: view.dropped, known, sums };
        self.changes.clear();
        differences(base.map_or(&[], |base| &base.endpoints), &view.endpoints, |pod, joins| {
            self.changes.push((pod, joins));
        });
        for &(pod, joins) in &self.changes {
            let state = if joins { world.watch_endpoint(pod, id) } else { world.loads.endpoints.state(pod) };
            let Some(endpoint) = state else { continue };
            pool.known = if joins { pool.known + 1 } else { pool.known - 1 };
            for (sum, stand) in pool.sums.iter_mut().zip(&self.stands) {
                let one = world.meet(id, stand, &endpoint);
                if joins { sum.add(&one) } else { sum.subtract(&one) }
            }
        }
        pool
    }

    /// Sums views up for stands that are new.
    fn complete(&mut self, world: &SimWorld, id: TrafficId) {
        for pool in &mut self.pools {
            for stand in &self.stands[pool.sums.len()..] {
                let mut sum = Attempt::default();
                for endpoint in pool.endpoints.iter().filter_map(|&pod| world.loads.endpoints.state(pod)) {
                    sum.add(&world.meet(id, stand, &endpoint));
                }
                pool.sums.push(sum);
            }
        }
    }
}

impl SimWorld {
    /// Brings the audience of a source up to date with who is where and knows what.
    pub(crate) fn regroup(&mut self, id: TrafficId) {
        self.seat_clients(id);
        let source = &mut self.loads.sources[id];
        source.groups_stale = false;
        let mut audience = std::mem::take(&mut source.audience);
        if std::mem::take(&mut source.links_stale) {
            audience.forget_links();
        }
        self.gather(id, &mut audience);
        let same = audience.pools.len() == audience.views.len()
            && audience.pools.iter().zip(&audience.views).all(|(pool, view)| pool.key == view.key);
        if !same {
            audience.exchange(self, id);
        }
        audience.complete(self, id);
        self.repin(id, &audience);
        self.loads.sources[id].audience = audience;
    }
}

/// How many ids are compared at once where two lists agree.
const RUN: usize = 64;

/// Calls `each` for every id that only one of two sorted lists has, in order; `true` when it is the second one.
pub(crate) fn differences(before: &[PodId], after: &[PodId], mut each: impl FnMut(PodId, bool)) {
    let (mut i, mut j) = (0, 0);
    loop {
        while i + RUN <= before.len() && j + RUN <= after.len() && before[i..i + RUN] == after[j..j + RUN] {
            (i, j) = (i + RUN, j + RUN);
        }
        match (before.get(i), after.get(j)) {
            (None, None) => return,
            (Some(old), Some(new)) if old == new => (i, j) = (i + 1, j + 1),
            (Some(&old), new) if new.is_none_or(|new| old < *new) => {
                each(old, false);
                i += 1;
            }
            (_, new) => {
                each(*new.expect("without one, what is left of the first list is reported above"), true);
                j += 1;
            }
        }
    }
}
