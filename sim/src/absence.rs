//! Nodes that nobody hears: what they serve leaves discovery, whatever the control plane thinks of them.
//!
//! Nodes that watch each other (gossip) hide what is on one that none of them reaches any more; entries that must be
//! announced again and again expire. Both come from the same question, asked only when a host or a link changes: who
//! is out of reach? One event is planned for each node that is, and one for each that is back; a cluster at peace
//! plans nothing. A node that some member still reaches is in nobody's way: two workers that are cut from each other
//! only, but not from the others, find each other's entries for ever. Start at `reach_changed`.
//!
//! Entries belong to their node. Those that the control plane takes out while nobody hears their node stay until the
//! node is declared dead, and are back with it, until its agent has its orders.
//!
//! Assumptions: the control plane's hosts are members of the gossip, too; of a part that is cut off from them each node
//! drops all others at one time, its own, instead of one after the other; a starved host still answers its probes
//! (recorded with a fiftieth of one CPU: nothing happens).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shakedown_engine::fact::{FactId, FactKind, FactLog, Note, Subject};
use shakedown_engine::ids::{NodeId, PodId, ServiceId};
use shakedown_engine::message::Publication;
use shakedown_engine::profile::{Absence, Expiry};
use shakedown_engine::time::{Span, Time};

use crate::event::{Event, Stamp};
use crate::network::{Island, Islands};
use crate::world::SimWorld;

/// One node that is out of reach, or was so until a moment ago.
#[derive(Clone, Copy, Debug)]
struct Missing {
    /// When it was declared dead.
    hidden: Option<Time>,
    /// It can be reached again.
    back: bool,
    /// Its host was down at some time since.
    off: bool,
    stamp: Stamp,
    cause: FactId,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Absences {
    rule: Absence,
    rows: BTreeMap<NodeId, Missing>,
    islands: Islands,
    /// Entries that the control plane took out while nobody heard their node.
    kept: BTreeMap<NodeId, BTreeSet<(ServiceId, PodId)>>,
    /// Versions of views that only a part of the cluster has, by what they were made of.
    private: BTreeMap<(ServiceId, u32, Island, u32), u32>,
    /// Counts changes of links.
    epoch: u32,
}

/// Versions of such views begin here, apart from those that are published.
const PRIVATE: u32 = 1 << 31;

impl Absences {
    /// Whether what is on a node is hidden from everybody else.
    pub(crate) fn hides(&self, node: NodeId) -> bool {
        self.rows.get(&node).is_some_and(|row| row.hidden.is_some())
    }

    /// True when what the control plane says of silent nodes is all there is.
    pub(crate) fn told(&self) -> bool {
        self.rule == Absence::Told
    }

    /// Entries of a service that the control plane has taken out and everybody else still has.
    pub(crate) fn kept(&self, service: ServiceId) -> impl Iterator<Item = PodId> {
        let shown = self.kept.iter().filter(|(node, _)| !self.hides(**node));
        shown.flat_map(move |(_, set)| set.range((service, PodId(0))..=(service, PodId(u32::MAX))).map(|entry| entry.1))
    }
}

impl SimWorld {
    /// A publication says how absence is found out; the first one makes it so.
    pub(crate) fn take_absence_rule(&mut self, publication: &Publication) {
        if self.absences.rule == publication.absence {
            return;
        }
        self.absences.rule = publication.absence;
        let down: Vec<NodeId> =
            self.hosts.iter().filter(|(_, host)| !host.up && host.present).map(|(id, _)| id).collect();
        let ruled = self.net.ruled().to_vec();
        self.reach_changed(&down, FactId::NONE);
        self.links_redrawn(&ruled, FactId::NONE);
    }

    /// Faults on links of these nodes came or went.
    pub(crate) fn links_redrawn(&mut self, nodes: &[NodeId], cause: FactId) {
        if self.absences.told() {
            return;
        }
        self.absences.epoch += 1;
        if let Absence::Gossip(_) = self.absences.rule {
            self.redraw_islands();
            self.private_views(nodes, cause);
        }
        self.reach_changed(nodes, cause);
    }

    /// Some of these nodes may be out of reach, or back.
    pub(crate) fn reach_changed(&mut self, nodes: &[NodeId], cause: FactId) {
        if self.absences.told() {
            return;
        }
        for &node in nodes {
            let (lost, row) = (self.is_lost(node), self.absences.rows.get(&node).copied());
            match (lost, row) {
                (true, None) => self.plan_absence(node, cause),
                (true, Some(row)) => {
                    let off = row.off || !self.hosts[node].up;
                    // Lost again before anybody had noticed that it was back: that is called off.
                    let stamp = if row.back { self.stamp() } else { row.stamp };
                    self.absences.rows.insert(node, Missing { back: false, off, stamp, ..row });
                }
                (false, Some(row)) if row.hidden.is_none() => drop(self.absences.rows.remove(&node)),
                (false, Some(row)) if !row.back => self.plan_return(node, row, cause),
                _ => {}
            }
        }
    }

    /// Works out again which parts of the cluster hear each other.
    fn redraw_islands(&mut self) {
        self.absences.islands = self.net.islands(|node| self.hosts[node].up);
    }

    /// A host has booted: its agent starts without anything that it knew or announced.
    pub(crate) fn announce_boot(&mut self, node: NodeId, cause: FactId) {
        if self.absences.told() {
            return;
        }
        self.drop_kept(node, cause);
        if !self.net.ruled().is_empty() {
            self.redraw_islands();
        }
        self.reach_changed(&[node], cause);
    }

    fn is_lost(&self, node: NodeId) -> bool {
        let apart = match self.absences.rule {
            Absence::Told => false,
            Absence::Gossip(_) => self.island(node) != Island::Main,
            Absence::Expiry(_) => self.links[node].cut,
        };
        !self.hosts[node].up || apart
    }

    fn island(&self, node: NodeId) -> Island {
        self.absences.islands.of(self.net.side(node), node)
    }

    /// Plans when everybody else has found out that a node is out of reach.
    fn plan_absence(&mut self, node: NodeId, cause: FactId) {
        let stamp = self.stamp();
        self.absences.rows.insert(node, Missing { hidden: None, back: false, off: !self.hosts[node].up, stamp, cause });
        let members = self.hosts.len();
        let watchers = members.saturating_sub(self.absences.rows.len());
        let luck = self.gossip_draws.of(node);
        let after = match self.absences.rule {
            Absence::Told => return,
            Absence::Gossip(gossip) => gossip.declared_after((members, watchers), luck) + gossip.spreads_in(members),
            Absence::Expiry(expiry) => {
                let last = luck.span(Span::ZERO, expiry.every);
                let swept = luck.span(Span::ZERO, expiry.sweep);
                let forgotten = Span::from_nanos(expiry.ttl.as_nanos().saturating_sub(last.as_nanos())) + swept;
                expiry.dial.map_or(forgotten, |dial| dial.min(forgotten))
            }
        };
        self.queue.push(self.now + after, Event::Absent { node, stamp });
    }

    fn plan_return(&mut self, node: NodeId, row: Missing, cause: FactId) {
        let stamp = self.stamp();
        let dead_for = row.hidden.map_or(Span::ZERO, |hidden| self.now.since(hidden));
        let members = self.hosts.len();
        let luck = self.gossip_draws.of(node);
        let after = match self.absences.rule {
            // Whoever starts anew says so at once.
            Absence::Gossip(gossip) if row.off => gossip.spreads_in(members),
            Absence::Expiry(_) if row.off => Span::ZERO,
            Absence::Gossip(gossip) => gossip.back_after(dead_for, luck) + gossip.spreads_in(members),
            // A router that had left a replica alone hears that it is announced anew.
            Absence::Expiry(Expiry { every, dial: None, .. }) => luck.span(Span::ZERO, every),
            Absence::Expiry(_) | Absence::Told => Span::ZERO,
        };
        self.absences.rows.insert(node, Missing { back: true, stamp, cause, ..row });
        self.queue.push(self.now + after, Event::Heard { node, stamp });
    }

    /// Everybody who can be reached knows that a node cannot.
    pub(crate) fn on_absent(&mut self, (node, stamp): (NodeId, Stamp), facts: &mut FactLog) {
        let now = self.now;
        let Some(row) = self.absences.rows.get_mut(&node).filter(|row| row.stamp == stamp) else { return };
        row.hidden = Some(now);
        let cause = if self.hosts[node].up { row.cause } else { self.down_facts[node] };
        let note = FactKind::Noted { subject: Subject::Node(node), note: Note::OutOfDiscovery };
        let fact = facts.record(now, cause, note);
        let services = self.entries_on(node);
        if !self.hosts[node].up {
            self.absences.kept.remove(&node);
        }
        self.publish_anew(services, fact);
    }

    /// A node that had been declared dead is known to live.
    pub(crate) fn on_heard(&mut self, (node, stamp): (NodeId, Stamp), facts: &mut FactLog) {
        let Some(row) = self.absences.rows.get(&node).filter(|row| row.stamp == stamp) else { return };
        let note = FactKind::Noted { subject: Subject::Node(node), note: Note::BackInDiscovery };
        let fact = facts.record(self.now, row.cause, note);
        self.absences.rows.remove(&node);
        self.publish_anew(self.entries_on(node), fact);
    }

    /// A node's agent has its orders again, or nothing of what ran there is left: what it kept is gone.
    pub(crate) fn drop_kept(&mut self, node: NodeId, cause: FactId) {
        if self.absences.kept.contains_key(&node) {
            let services = self.entries_on(node);
            self.absences.kept.remove(&node);
            self.publish_anew(services, cause);
        }
    }

    /// Notes what a publication takes out although nobody heard its node say so.
    pub(crate) fn keep_unheard(&mut self, publication: &Publication) {
        if self.absences.told() {
            return;
        }
        let service = publication.service;
        let Some(before) = self.targets.newest(service) else { return };
        let gone = before.iter().copied().filter(|pod| publication.endpoints.binary_search(pod).is_err());
        let gone: Vec<PodId> = gone.collect();
        for pod in gone {
            let Some(node) = self.pods.home(pod) else { continue };
            let unheard = !self.hosts[node].up || self.links[node].cut;
            if unheard && (self.hosts[node].up || !self.absences.hides(node)) {
                self.absences.kept.entry(node).or_default().insert((service, pod));
            }
        }
    }

    /// Services with something on a node.
    fn entries_on(&self, node: NodeId) -> BTreeSet<ServiceId> {
        let published = self.targets.services_on(|pod| self.pods.home(pod) == Some(node));
        let kept = self.absences.kept.get(&node).into_iter().flatten().map(|entry| entry.0);
        published.into_iter().chain(kept).collect()
    }

    fn publish_anew(&mut self, services: BTreeSet<ServiceId>, cause: FactId) {
        for service in services {
            self.publish_sifted(service, cause);
        }
    }

    /// Nodes that are cut off from all the others, or no longer: they see their own part of the cluster only.
    fn private_views(&mut self, nodes: &[NodeId], cause: FactId) {
        let Absence::Gossip(gossip) = self.absences.rule else { return };
        let members = self.hosts.len();
        for &node in nodes {
            let island = self.island(node);
            if island == Island::Main {
                // News come from any member: the control plane itself need not be heard.
                if self.links[node].cut {
                    self.thaw_view(node, cause);
                }
                continue;
            }
            self.freeze_view(node, cause);
            let mates = self.absences.islands.members(island);
            let luck = self.gossip_draws.of(node);
            let after = gossip.declared_after((members, mates), luck);
            let epoch = self.absences.epoch;
            self.queue.push(self.now + after, Event::Alone { node, epoch, cause });
        }
    }

    /// A node that is cut off has declared all those dead that it does not reach.
    pub(crate) fn on_alone(&mut self, (node, epoch): (NodeId, u32), cause: FactId) {
        if self.absences.epoch != epoch {
            return;
        }
        let island = self.island(node);
        let Some(known) = self.proxies.frozen(node).cloned() else { return };
        let mut kept = known;
        for (key, content) in &mut kept {
            let ours = |pod: &PodId| {
                self.pods.home(*pod).is_some_and(|home| self.hosts[home].up && self.island(home) == island)
            };
            let ready: Vec<PodId> = content.ready.iter().copied().filter(ours).collect();
            if ready.len() == content.ready.len() {
                continue;
            }
            let next = PRIVATE + self.absences.private.len() as u32;
            content.version = *self.absences.private.entry((key.0, content.version, island, epoch)).or_insert(next);
            (content.ready, content.draining, content.hints) = (ready.into(), Arc::from([]), None);
        }
        self.proxies.refreeze(node, kept);
        self.mark_views(cause);
    }

    /// Whether a node hears news although it does not hear the control plane.
    pub(crate) fn hears_others(&self, node: NodeId) -> bool {
        matches!(self.absences.rule, Absence::Gossip(_)) && self.island(node) == Island::Main && self.hosts[node].up
    }
}
