//! The cluster autoscaler: machines come for pods that find no place, and go when nobody needs them.
//!
//! It simulates with the scheduler's own filters on a copy, and looks at requests, never at use. It looks around on a
//! fixed grid, but only while there is something to look at: pods without a place, machines that are expected, machines
//! that are under-used or on their way out. Not modelled: local storage and `safe-to-evict` of pods, balancing of similar
//! groups.
//!
//! - `grow`: machines come · `shrink`: machines go
//!
//! Source: kubernetes/autoscaler:cluster-autoscaler/core/static_autoscaler.go, `RunOnce`. Start at
//! [`Control::scale_pools`].

mod grow;
mod shrink;

use std::collections::{BTreeMap, BTreeSet};

use crate::control::{Alarm, Control, Cx};
use crate::fact::{FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId, PoolId, Table};
use crate::message::{Order, OrderKind};
use crate::model::Catalog;
use crate::profile::Machines;
use crate::scaling::machines::too_sick;
use crate::time::{Span, Time};

/// What the cluster autoscaler remembers.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    /// Nodes that a group can have.
    members: Table<PoolId, Vec<NodeId>>,
    /// The next look.
    due: Option<Time>,
    /// Machines that were asked for and have not joined.
    asked: BTreeMap<NodeId, Time>,
    /// Machines that could go, since when.
    unneeded: BTreeMap<NodeId, Time>,
    /// Machines that are being emptied.
    leaving: BTreeMap<NodeId, Leaving>,
    /// When a machine was last asked for.
    grown_at: Option<Time>,
    /// Groups whose machine did not come: left alone until then, and how long that was.
    backoff: BTreeMap<PoolId, (Time, Span)>,
    /// Pods of which was told that no group helps.
    helpless: BTreeSet<PodId>,
    /// Machines of which was told that they cannot go.
    blocked: BTreeSet<NodeId>,
}

/// A machine on its way out.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    since: Time,
    cause: FactId,
}

impl Pools {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let mut members: Table<PoolId, Vec<NodeId>> = catalog.pools.iter().map(|_| Vec::new()).collect();
        for (node, spec) in catalog.nodes.iter().filter(|_| !catalog.pools.is_empty()) {
            if let Some(pool) = spec.pool {
                members[pool].push(node);
            }
        }
        Self {
            members,
            due: None,
            asked: BTreeMap::new(),
            unneeded: BTreeMap::new(),
            leaving: BTreeMap::new(),
            grown_at: None,
            backoff: BTreeMap::new(),
            helpless: BTreeSet::new(),
            blocked: BTreeSet::new(),
        }
    }
}

impl Control {
    fn machine_policy(&self) -> Option<Machines> {
        self.profile.machines.clone().filter(|_| !self.pools.members.is_empty())
    }

    /// Something changed that the cluster autoscaler may answer to.
    pub(super) fn pools_changed(&mut self, cx: &mut Cx<'_>) {
        if !self.pools.members.is_empty() {
            self.look_at_pools(cx, cx.now);
        }
    }

    /// Plans a look at the first tick from `from` on, unless an earlier one is planned.
    fn look_at_pools(&mut self, cx: &mut Cx<'_>, from: Time) {
        let Some(policy) = &self.profile.machines else { return };
        let at = (from.max(cx.now) + Span::from_nanos(1)).next_tick(policy.scan_interval, Span::ZERO);
        if self.pools.due.is_none_or(|due| at < due) {
            self.pools.due = Some(at);
            cx.timers.set(at, FactId::NONE, Alarm::ScalePools);
        }
    }

    /// The cluster autoscaler looks around.
    pub(super) fn scale_pools(&mut self, cx: &mut Cx<'_>) {
        let Some(policy) = self.machine_policy().filter(|_| self.pools.due.is_some_and(|due| due <= cx.now)) else {
            return;
        };
        self.pools.due = None;
        self.notice_arrivals(cx, &policy);
        self.finish_leaving(cx, &policy);
        let nodes = self.nodes.rows().iter().filter(|row| row.exists());
        let (total, unready) = nodes.fold((0, 0), |(n, sick), row| (n + 1, sick + u32::from(!row.healthy)));
        if too_sick(&policy, unready, total) {
            return self.look_at_pools(cx, cx.now);
        }
        self.grow_pools(cx);
        self.shrink_pools(cx, &policy);
        self.plan_next_look(cx, &policy);
    }

    /// When something will change without any news.
    fn plan_next_look(&mut self, cx: &mut Cx<'_>, policy: &Machines) {
        let quiet = self.pools.grown_at.map_or(Time::ZERO, |at| at + policy.delay_after_add);
        let go =
            self.pools.unneeded.iter().filter(|(node, _)| !self.pools.blocked.contains(node)).map(|(&node, &since)| {
                let wait = if self.nodes[node].healthy { policy.unneeded_time } else { policy.unready_time };
                (since + wait).max(quiet)
            });
        let late = self.pools.asked.values().map(|&at| at + policy.provision_time);
        let leaving = self.pools.leaving.values().map(|_| cx.now);
        let waiting = !self.unplaced_pods().is_empty();
        let again = self.pools.backoff.values().map(|b| b.0).filter(|&until| waiting && until > cx.now);
        if let Some(next) = go.chain(late).chain(leaving).chain(again).min() {
            self.look_at_pools(cx, (next - Span::from_nanos(1)).max(cx.now));
        }
    }

    /// Machines that joined are no longer expected; those that took too long are given back.
    fn notice_arrivals(&mut self, cx: &mut Cx<'_>, policy: &Machines) {
        let late: Vec<NodeId> = self
            .pools
            .asked
            .iter()
            .filter(|(node, at)| !self.nodes[**node].exists() && cx.now.since(**at) >= policy.provision_time)
            .map(|(&node, _)| node)
            .collect();
        for node in late {
            let pool = self.catalog.nodes[node].pool.expect("only members of groups are asked for");
            let from = self.pool_size(pool);
            self.pools.asked.remove(&node);
            let fact = self.pool_scaled(cx, FactId::NONE, (pool, from));
            self.order_machine(cx, (node, fact), false);
            let wait = match self.pools.backoff.get(&pool) {
                Some((_, last)) => last.times(2).min(policy.group_backoff_max),
                None => policy.group_backoff,
            };
            self.pools.backoff.insert(pool, (cx.now + wait, wait));
        }
        let nodes = &self.nodes;
        self.pools.asked.retain(|&node, _| !nodes[node].exists());
    }

    /// Machines that a group has or expects.
    fn pool_size(&self, pool: PoolId) -> u32 {
        let counts = |node: &&NodeId| self.nodes[**node].exists() || self.pools.asked.contains_key(node);
        self.pools.members[pool].iter().filter(counts).count() as u32
    }

    fn pool_scaled(&mut self, cx: &mut Cx<'_>, cause: FactId, (pool, from): (PoolId, u32)) -> FactId {
        let to = self.pool_size(pool);
        cx.facts.record(cx.now, cause, FactKind::PoolScaled { pool, from, to })
    }

    fn order_machine(&self, cx: &mut Cx<'_>, (node, cause): (NodeId, FactId), wanted: bool) {
        let pool = self.catalog.nodes[node].pool.expect("only members of groups come and go");
        let after = if wanted { self.catalog.pools[pool].boot } else { Span::ZERO };
        cx.orders.push(Order { cause, kind: OrderKind::Machine { node, wanted, after } });
    }

    fn note_pool(&self, cx: &mut Cx<'_>, subject: Subject, note: Note) {
        cx.facts.record(cx.now, FactId::NONE, FactKind::Noted { subject, note });
    }
}
