//! The slow, obvious way to what `audience`, `load` and `outcome` keep up to date: each client by itself, each
//! endpoint from scratch. For tests only. Start at `check_traffic`.

use shakedown_chaos::load::Clients;
use shakedown_engine::ids::{NodeId, PodId, TrafficId};
use shakedown_engine::time::Span;

use super::audience::Stand;
use super::outcome::{AT_HOME, Attempt, Mix, Total, encounter, nobody, serves};
use crate::network::{CERTAIN, Place};
use crate::proxy::{Apart, View};
use crate::world::SimWorld;

impl SimWorld {
    /// Panics when what is kept up to date differs from what is worked out from scratch.
    pub(crate) fn check_traffic(&self) {
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
            let view = match self.proxies.apart.get(&node) {
                Some(Apart::Down) => continue,
                _ if outside && (there.cut || back.cut) => continue,
                _ => self.proxies.irregular(traffic.to, node, self.now),
            };
            let Some(view) = view.or_else(|| (!outside).then(View::empty)) else { continue };
            clients.extend(std::iter::repeat_n((node, view), count));
        }
        clients
    }

    fn mix_from_scratch(&self, id: TrafficId, clients: &[(NodeId, View)]) -> Mix {
        let traffic = &self.experiment.traffic[id];
        let mut total = Total::default();
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
            for endpoint in view.endpoints.iter().filter_map(|&pod| self.endpoint(pod)) {
                let trip = self.net.between(zone, self.net.zone(endpoint.node));
                let link =
                    if endpoint.node == *node && apart { AT_HOME } else { far(here, Place::Node(endpoint.node), trip) };
                sum.add(&encounter(traffic, &endpoint, (entry, link)));
                known += 1;
            }
            if known == 0 {
                sum = nobody(traffic, &Stand { zone, side, entry });
            }
            total.add(1, &sum, (traffic, known.max(1)));
        }
        if clients.is_empty() { Mix::UNANSWERED } else { total.mix(clients.len() as u128) }
    }

    fn check_loads(&self, id: TrafficId, clients: &[(NodeId, View)]) {
        for pod in (0..200).map(PodId) {
            let Some((row, server)) = self.pods.get(pod).zip(self.server(pod)) else { continue };
            let mut views: Vec<(u32, usize, u128)> = Vec::new();
            for (_, view) in clients.iter().filter(|(_, view)| view.endpoints.contains(&pod)) {
                match views.iter_mut().find(|known| known.0 == view.version) {
                    Some(known) => known.2 += 1,
                    None => views.push((view.version, view.endpoints.len(), 1)),
                }
            }
            let cost = self.behaviour_of(server).expect("it has a server").cpu_per_request.as_nanos();
            let each = self.attempts_wanted(id) * u128::from(cost) / (1_000_000 * u128::from(CERTAIN));
            let ways = |endpoints: usize| (clients.len() * endpoints) as u128;
            let load: u128 = views.iter().map(|&(_, endpoints, weight)| each * weight / ways(endpoints)).sum();
            let want = if serves(row.cells[usize::from(server.cell)].phase) { load.div_ceil(1000) * 1000 } else { 0 };
            let have = row.loads.iter().find(|(from, _)| *from == id).map_or(0, |entry| entry.1);
            assert_eq!(u128::from(have), want, "load of {id:?} on {pod:?} at {}", self.now);
        }
    }
}
