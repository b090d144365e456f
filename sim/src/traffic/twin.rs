//! The slow, obvious way to what `audience`, `load` and `outcome` keep up to date: each client by itself, each
//! endpoint from scratch. For tests only. Start at `check_traffic`.

use shakedown_chaos::load::Clients;
use shakedown_engine::ids::{NodeId, PodId, TrafficId};
use shakedown_engine::time::{Span, Time};

use super::audience::Stand;
use super::endpoint::Endpoint;
use super::outcome::{AT_HOME, Attempt, Mix, Total, nobody, serves};
use super::pins::{Hold, pinned_load};
use super::scope::{Rule, Scope, View, ViewKey};
use crate::names::{LOOKUPS, lookup_load};
use crate::network::{CERTAIN, Place};
use crate::proxy::{Apart, Content};
use crate::world::SimWorld;

impl SimWorld {
    /// Panics when what is kept up to date differs from what is worked out from scratch.
    pub(crate) fn check_traffic(&self) {
        if !self.names_stale() {
            assert_eq!(self.names.known(), self.answers_now(), "answers at {}", self.now);
            if !self.loads.sources.iter().any(|(_, source)| source.feedback_planned) {
                self.check_lookups();
            }
        }
        for id in self.loads.sources.ids() {
            let source = &self.loads.sources[id];
            let clients = self.every_client(id);
            let mix = if self.active(id) { self.mix_from_scratch(id, &clients) } else { Mix::default() };
            assert_eq!(source.mix, mix, "outcomes of {id:?} at {}", self.now);
            if !source.feedback_planned {
                self.check_loads(id, &clients);
            }
        }
    }

    /// Each server has its part of all lookups, and nobody else has any.
    fn check_lookups(&self) {
        let servers = self.lookup_servers();
        for pod in (0..200).map(PodId) {
            let Some(row) = self.pods.get(pod) else { continue };
            let share = || lookup_load(self.lookups_wanted(), self.cost_at(pod).unwrap_or(0), servers.len());
            let want = if servers.contains(&pod) { share() } else { 0 };
            let have = row.loads.iter().find(|(from, _)| *from == LOOKUPS).map_or(0, |entry| entry.1);
            assert_eq!(have, want, "lookups at {pod:?} at {}", self.now);
        }
    }

    fn every_client(&self, id: TrafficId) -> Vec<(NodeId, View)> {
        let traffic = &self.experiment.traffic[id];
        let outside = matches!(traffic.from, Clients::Outside);
        let mut clients = Vec::new();
        for node in self.hosts.ids() {
            let count = match &traffic.from {
                Clients::Workload(workload) => {
                    let mut pods = (0..200).map(PodId).filter_map(|pod| self.seat(pod).map(|at| (pod, at)));
                    let own = |pod| self.loads.owners[self.pods.get(pod).expect("it has a seat").template.0 as usize];
                    pods.by_ref().filter(|(pod, at)| *at == node && own(*pod) == Some(*workload)).count()
                }
                _ => self.loads.sources[id].crowd.weights[node.0 as usize] as usize,
            };
            let (there, back) =
                (self.net.path(Place::Outside, Place::Node(node)), self.net.path(Place::Node(node), Place::Outside));
            if outside && (there.cut || back.cut) || !self.is_target(id, node) {
                continue;
            }
            let nameless = self.nameless(id, self.proxies.phase(node));
            let reads = (traffic.to, self.loads.sources[id].reader);
            let view = match self.proxies.apart.get(&node) {
                _ if nameless.is_some() => View::without(Scope::Nameless, nameless == Some(true)),
                Some(Apart::Down { since }) => match self.balancer(id) {
                    Some(delay) if self.now < *since + delay => View::without(Scope::Nowhere, true),
                    _ => continue,
                },
                _ => match self.proxies.irregular(reads, node, self.now) {
                    Some(content) => self.scoped_from_scratch(self.loads.sources[id].rule, &content, node),
                    None if outside => continue,
                    None => View::without(Scope::All, false),
                },
            };
            clients.extend(std::iter::repeat_n((node, view), count));
        }
        clients
    }

    fn is_target(&self, id: TrafficId, node: NodeId) -> bool {
        let source = &self.loads.sources[id];
        let Some(delay) = self.balancer(id).filter(|_| source.rule == Rule::Local) else { return true };
        let then = Time::from_nanos(self.now.as_nanos().saturating_sub(delay.as_nanos()));
        let content = self.proxies.regular((self.experiment.traffic[id].to, source.reader), 0, then);
        content.version == 0 || content.ready.iter().any(|pod| self.pods.home(*pod) == Some(node))
    }

    /// The rules of the proxies, word by word.
    fn scoped_from_scratch(&self, rule: Rule, content: &Content, node: NodeId) -> View {
        let home = |pod: &PodId| self.pods.home(*pod);
        let zone = self.net.zone(node);
        let near = |pod: &PodId| home(pod).is_some_and(|home| self.net.zone(home) == zone);
        let meant = |pod: &PodId| {
            let at = content.ready.iter().position(|known| known == pod).expect("it is one of them");
            content.hints.as_ref().is_some_and(|hints| hints[at] == zone)
        };
        let of = |list: &[PodId], keep: &dyn Fn(&PodId) -> bool| list.iter().copied().filter(keep).collect::<Vec<_>>();
        let (ready, draining) = (&content.ready[..], &content.draining[..]);
        let own = of(ready, &|pod| home(pod) == Some(node));
        let local = Scope::Node(node);
        let (fitting, scope) = match rule {
            Rule::Local if own.is_empty() => (of(draining, &|pod| home(pod) == Some(node)), local),
            Rule::Local => (own, local),
            Rule::Node if own.is_empty() => (of(ready, &near), Scope::Zone(zone)),
            Rule::Node => (own, local),
            Rule::Zone => (of(ready, &near), Scope::Zone(zone)),
            Rule::Hint => (of(ready, &meant), Scope::Zone(zone)),
            Rule::All | Rule::Ready => (ready.to_vec(), Scope::All),
        };
        let anybody = !(ready.is_empty() && draining.is_empty());
        let (chosen, scope) = match rule {
            Rule::Local if fitting.is_empty() => return View::without(Scope::Nowhere, anybody),
            Rule::Local | Rule::Ready => (fitting, scope),
            _ if !fitting.is_empty() => (fitting, scope),
            _ if !ready.is_empty() => (ready.to_vec(), Scope::All),
            _ => (draining.to_vec(), Scope::All),
        };
        View { key: (content.version, scope), endpoints: chosen.into(), dropped: false }
    }

    fn mix_from_scratch(&self, id: TrafficId, clients: &[(NodeId, View)]) -> Mix {
        let traffic = &self.experiment.traffic[id];
        let mut total = Total::default();
        let pins = self.loads.sources[id].pins.as_ref();
        for (node, view) in clients {
            let zone = self.net.zone(*node);
            let here = Place::Node(*node);
            let far = |a, b, trip| self.round(trip, (self.net.path(a, b), self.net.path(b, a)));
            let outside = matches!(traffic.from, Clients::Outside);
            let entry =
                if outside { far(Place::Outside, here, self.net.outside_trip()) } else { Some((Span::ZERO, CERTAIN)) };
            let side = self.net.side(*node);
            let apart = self.net.path_of_sides(side, side) != self.net.path(here, here);
            let (mut sum, mut known) = (Attempt::default(), 0);
            let meet = |endpoint: &Endpoint| {
                let trip = self.net.between(zone, self.net.zone(endpoint.node));
                let link =
                    if endpoint.node == *node && apart { AT_HOME } else { far(here, Place::Node(endpoint.node), trip) };
                self.encounter(id, endpoint, (entry, link))
            };
            let lost = nobody(traffic, &Stand { zone, side, entry }, view.dropped);
            if let Some(pins) = pins {
                if view.dropped && view.key.1 == Scope::Nowhere {
                    total.add(CERTAIN, &lost, (traffic, 1));
                    continue;
                }
                assert_eq!(pins.shares.values().sum::<u64>() + pins.free, CERTAIN, "everybody is somewhere");
                let one = |pod: &PodId| self.endpoint(*pod).map_or(lost, |endpoint| meet(&endpoint));
                let places = pins.shares.iter().map(|(pod, share)| (*share, one(pod))).chain([(pins.free, lost)]);
                for (share, one) in places {
                    match pins.hold {
                        Hold::Connection => sum.add(&one.scaled(share)),
                        Hold::Affinity => {
                            total.add(share, &one.resolved(traffic, (self.resolved(id), 1)), (traffic, 1));
                        }
                    }
                }
                if pins.hold == Hold::Connection {
                    total.add(CERTAIN, &sum, (traffic, 1));
                }
                continue;
            }
            for endpoint in view.endpoints.iter().filter_map(|&pod| self.endpoint(pod)) {
                sum.add(&meet(&endpoint));
                known += 1;
            }
            if known == 0 {
                sum = lost;
            }
            let sum = sum.resolved(traffic, (self.resolved(id), known.max(1)));
            total.add(1, &sum, (traffic, known.max(1)));
        }
        let one = if pins.is_some() { u128::from(CERTAIN) } else { 1 };
        if clients.is_empty() { Mix::UNANSWERED } else { total.mix(clients.len() as u128 * one) }
    }

    fn check_loads(&self, id: TrafficId, clients: &[(NodeId, View)]) {
        for pod in (0..200).map(PodId) {
            if let Some(pins) = &self.loads.sources[id].pins {
                let Some(row) = self.pods.get(pod) else { continue };
                let share = pins.shares.get(&pod).copied().unwrap_or(0);
                let want = self.cost_of(pod, id).map_or(0, |cost| pinned_load(self.attempts_wanted(id), cost, share));
                let have = row.loads.iter().find(|(from, _)| *from == id).map_or(0, |entry| entry.1);
                assert_eq!(have, want, "load of {id:?} on {pod:?} at {}", self.now);
                continue;
            }
            let Some((row, server)) = self.pods.get(pod).zip(self.server(pod)) else { continue };
            let mut views: Vec<(ViewKey, usize, u128)> = Vec::new();
            for (_, view) in clients.iter().filter(|(_, view)| view.endpoints.contains(&pod)) {
                match views.iter_mut().find(|known| known.0 == view.key) {
                    Some(known) => known.2 += 1,
                    None => views.push((view.key, view.endpoints.len(), 1)),
                }
            }
            let cost = self.behaviour_of(server).expect("it has a server").cpu_per_request.as_nanos();
            let each = self.attempts_wanted(id) * u128::from(cost) / (1_000_000 * u128::from(CERTAIN));
            let ways = |endpoints: usize| (clients.len() * endpoints) as u128;
            let load: u128 = views.iter().map(|&(_, endpoints, weight)| each * weight / ways(endpoints)).sum();
            let closed = self.loads.walls.closed(id, row.template);
            let want = if serves(row.cells[usize::from(server.cell)].phase) && !closed {
                load.div_ceil(1000) * 1000
            } else {
                0
            };
            let have = row.loads.iter().find(|(from, _)| *from == id).map_or(0, |entry| entry.1);
            assert_eq!(u128::from(have), want, "load of {id:?} on {pod:?} at {}", self.now);
        }
    }
}
