//! Where clients are: how many stand on each node, and which of them see the same.
//!
//! Start at [`Crowd`] and `gather`.

use std::collections::BTreeMap;

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::fault::Action;
use shakedown_chaos::load::{Clients, Via};
use shakedown_chaos::select::{Mode, NodeSelection};
use shakedown_engine::ids::{Id, NodeId, PodId, TrafficId, WorkloadId, ZoneId};
use shakedown_engine::model::Catalog;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::time::{Span, Time};

use super::audience::{Audience, ClientGroup, Stand};
use super::outcome::serves;
use super::scope::{Rule, Scope, Shelf, View};
use crate::cpu::proportion;
use crate::network::{CERTAIN, Path, Side};
use crate::proxy::{Apart, Content, PHASES, Proxies};
use crate::world::SimWorld;

/// Clients of one source.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    /// They are outside of the cluster and enter through its hosts.
    pub(crate) outside: bool,
    /// How many there are on each node.
    pub(crate) weights: Vec<u64>,
    /// How many there are of each proxy phase and zone, see `cell`.
    counts: Vec<u64>,
    /// Pods with a client in them, and where they are.
    seats: BTreeMap<PodId, NodeId>,
    /// Pods that may have begun or ceased to be one of these.
    pub(crate) unsettled: Vec<PodId>,
}

impl Crowd {
    pub(crate) fn new(catalog: &Catalog, clients: &Clients, draw: (Streams, TrafficId), proxies: &Proxies) -> Self {
        let weights = match clients {
            Clients::Outside => vec![1; catalog.nodes.len()],
            Clients::Nodes(selection) => choose(catalog, selection, draw),
            Clients::Workload(_) => vec![0; catalog.nodes.len()],
        };
        let mut counts = vec![0; PHASES * catalog.zones.len()];
        for (id, node) in catalog.nodes.iter() {
            counts[node.zone.index() * PHASES + proxies.phase(id)] += weights[id.index()];
        }
        let outside = matches!(clients, Clients::Outside);
        Self { outside, weights, counts, seats: BTreeMap::new(), unsettled: Vec::new() }
    }
}

/// Nodes of a selection, chosen once. What runs on them is not known beforehand, so `hosting` is not a condition here.
fn choose(catalog: &Catalog, selection: &NodeSelection, (streams, source): (Streams, TrafficId)) -> Vec<u64> {
    let matches = |id: &NodeId| {
        let node = &catalog.nodes[*id];
        (selection.names.is_empty() || selection.names.contains(id))
            && (selection.zones.is_empty() || selection.zones.contains(&node.zone))
            && (selection.roles.is_empty() || selection.roles.iter().any(|role| node.roles.contains(role)))
            && selection.labels.iter().all(|(key, value)| node.labels.get(*key) == Some(*value))
    };
    let mut nodes: Vec<NodeId> = catalog.nodes.ids().filter(matches).collect();
    let count = match selection.mode {
        Mode::All => nodes.len(),
        Mode::Count(count) => nodes.len().min(count as usize),
        Mode::Percent(percent) => (nodes.len() * percent as usize).div_ceil(100).min(nodes.len()),
    };
    if count < nodes.len() {
        // Numbered from the top, so that no pod's own noise is drawn from the same stream.
        streams.stream(Purpose::Application, u32::MAX - source.0).shuffle(&mut nodes);
    }
    let mut weights = vec![0; catalog.nodes.len()];
    for node in &nodes[..count] {
        weights[node.index()] = 1;
    }
    weights
}

/// The workload of each template, from first templates and from what the timeline rolls out.
pub(crate) fn owners(catalog: &Catalog, experiment: &Experiment) -> Vec<Option<WorkloadId>> {
    let mut owners = vec![None; catalog.templates.len()];
    for (id, workload) in catalog.workloads.iter() {
        owners[workload.template.index()] = Some(id);
    }
    for (_, entry) in experiment.timeline.iter() {
        if let Action::Deploy { workload, template } = entry.action {
            owners[template.index()].get_or_insert(workload);
        }
    }
    // Twins differ in nothing but their priority.
    for (_, entry) in experiment.timeline.iter() {
        if let Action::DefaultPriority { twins } = &entry.action {
            for (template, twin) in twins {
                owners[twin.index()] = owners[template.index()];
            }
        }
    }
    owners
}

impl SimWorld {
    /// Moves clients with the pods that they are in.
    pub(crate) fn seat_clients(&mut self, id: TrafficId) {
        let mut unsettled = std::mem::take(&mut self.loads.sources[id].crowd.unsettled);
        for pod in unsettled.drain(..) {
            let seat = self.seat(pod);
            let crowd = &mut self.loads.sources[id].crowd;
            let former = match seat {
                Some(node) => crowd.seats.insert(pod, node),
                None => crowd.seats.remove(&pod),
            };
            for (node, joins) in former.map(|node| (node, false)).into_iter().chain(seat.map(|node| (node, true))) {
                let cell = self.net.zone(node).index() * PHASES + self.proxies.phase(node);
                for count in [&mut crowd.weights[node.index()], &mut crowd.counts[cell]] {
                    *count = if joins { *count + 1 } else { *count - 1 };
                }
            }
        }
        self.loads.sources[id].crowd.unsettled = unsettled;
    }

    /// The node of a pod that runs well enough for a client to be in it.
    pub(super) fn seat(&self, pod: PodId) -> Option<NodeId> {
        let (row, cell) = self.pods.get(pod).zip(self.server(pod))?;
        serves(row.cells[usize::from(cell.cell)].phase).then_some(row.node)
    }

    /// Puts the clients of a source that are alive together where they see the same.
    pub(crate) fn gather(&self, id: TrafficId, audience: &mut Audience) {
        let source = &self.loads.sources[id];
        let (crowd, rule, reads) = (&source.crowd, source.rule, (self.experiment.traffic[id].to, source.reader));
        audience.groups.clear();
        audience.views.clear();
        audience.clients = 0;
        audience.regular.clone_from(&crowd.counts);
        let views: [Content; PHASES] = std::array::from_fn(|phase| self.proxies.regular(reads, phase, self.now));
        let mut shelves = std::mem::take(&mut audience.shelves);
        shelves.retain(|shelf| views.iter().any(|view| shelf.is_of(view)));
        let ruled = self.net.ruled().iter().filter(|node| !self.proxies.apart.contains_key(node));
        let special: Vec<NodeId> = match rule.by_node() {
            true => self.catalog.nodes.ids().collect(),
            false => self.proxies.apart.keys().chain(ruled).copied().collect(),
        };
        let mut checked: Vec<Shelf> = Vec::new();
        for node in special.into_iter().filter(|node| crowd.weights[node.index()] > 0) {
            let (weight, phase, zone) = (crowd.weights[node.index()], self.proxies.phase(node), self.net.zone(node));
            audience.regular[zone.index() * PHASES + phase] -= weight;
            let side = self.net.side(node);
            if crowd.outside && self.entry(side).is_none() {
                continue; // The load balancer's health check fails, and it lets nobody in here.
            }
            if !self.balanced(id, node, &mut checked) {
                continue;
            }
            let own = (self.net.path_of_sides(side, side) != Path::CLEAR).then_some(node);
            if let Some(view) = self.view_of(id, node, (&views, &mut shelves)) {
                let stand = self.stand(audience, crowd.outside, (zone, side));
                audience.join(&view, ClientGroup { view: view.key, stand, own, weight });
            }
        }
        for zone in self.catalog.zones.ids() {
            for (phase, view) in views.iter().enumerate() {
                let weight = audience.regular[zone.index() * PHASES + phase];
                if weight > 0 {
                    let stand = self.stand(audience, crowd.outside, (zone, Side::CLEAR));
                    let view = match self.nameless(id, phase) {
                        Some(dropped) => View::without(Scope::Nameless, dropped),
                        None => self.scoped(rule, view, (zone, NodeId(u32::MAX)), &mut shelves),
                    };
                    audience.join(&view, ClientGroup { view: view.key, stand, own: None, weight });
                }
            }
        }
        audience.shelves = shelves;
    }

    /// What clients on this node see; `None` when there are none because of the state that the node is in.
    fn view_of(
        &self,
        id: TrafficId,
        node: NodeId,
        (regular, shelves): (&[Content; PHASES], &mut Vec<Shelf>),
    ) -> Option<View> {
        let (source, place) = (&self.loads.sources[id], (self.net.zone(node), node));
        if let Some(dropped) = self.nameless(id, self.proxies.phase(node)) {
            return Some(View::without(Scope::Nameless, dropped));
        }
        let content = match self.proxies.apart.get(&node) {
            None => regular[self.proxies.phase(node)].clone(),
            // A load balancer that has not noticed yet sends on what gets lost.
            Some(Apart::Down { since }) => {
                let delay = self.balancer(id).filter(|delay| self.now < *since + *delay);
                return delay.map(|_| View::without(Scope::Nowhere, true));
            }
            Some(_) => {
                let known = self.proxies.irregular((self.experiment.traffic[id].to, source.reader), node, self.now);
                match known {
                    Some(content) => content,
                    // A load balancer lets nobody in through a host whose proxy knows nothing yet.
                    None if source.crowd.outside => return None,
                    None => Content::nothing(),
                }
            }
        };
        Some(self.scoped(source.rule, &content, place, shelves))
    }

    /// How late the load balancer of outside clients acts, if there is one that checks.
    pub(super) fn balancer(&self, id: TrafficId) -> Option<Span> {
        match self.experiment.traffic[id].reach.via {
            Via::LoadBalancer(check) if self.loads.sources[id].crowd.outside => Some(check.delay()),
            _ => None,
        }
    }

    /// Whether a load balancer sends anybody to a node: with a local policy only to those that had endpoints of their
    /// own when it last made up its mind. Source: kubernetes/kubernetes:pkg/proxy/healthcheck/service_health.go.
    pub(super) fn balanced(&self, id: TrafficId, node: NodeId, shelves: &mut Vec<Shelf>) -> bool {
        let source = &self.loads.sources[id];
        let Some(delay) = self.balancer(id).filter(|_| source.rule == Rule::Local) else { return true };
        let then = Time::from_nanos(self.now.as_nanos().saturating_sub(delay.as_nanos()));
        let content = self.proxies.regular((self.experiment.traffic[id].to, source.reader), 0, then);
        if content.version == 0 {
            return true; // It has not decided anything yet.
        }
        let view = self.scoped(Rule::Local, &content, (self.net.zone(node), node), shelves);
        view.endpoints.iter().any(|pod| content.ready.binary_search(pod).is_ok())
    }

    fn stand(&self, audience: &mut Audience, outside: bool, (zone, side): (ZoneId, Side)) -> usize {
        let known = audience.stands.iter().position(|stand| stand.zone == zone && stand.side == side);
        known.unwrap_or_else(|| {
            let entry = if outside { self.entry(side) } else { Some((Span::ZERO, CERTAIN)) };
            audience.stands.push(Stand { zone, side, entry });
            audience.stands.len() - 1
        })
    }

    /// The way from outside to a host on this side and back.
    fn entry(&self, side: Side) -> Option<(Span, u64)> {
        let (there, back) = self.net.path_outside(side);
        self.round(self.net.outside_trip(), (there, back))
    }

    /// The way there and back between hosts this far apart, and what gets through.
    pub(super) fn round(&self, trip: Span, (there, back): (Path, Path)) -> Option<(Span, u64)> {
        if there.cut || back.cut {
            return None;
        }
        let one = |path: &Path| trip + path.delay + self.net.mean_jitter(path);
        Some((one(&there) + one(&back), proportion(there.pass, back.pass, CERTAIN)))
    }
}

impl Audience {
    /// Adds clients with this view.
    fn join(&mut self, view: &View, clients: ClientGroup) {
        self.clients += clients.weight;
        let key = |group: &ClientGroup| (group.view, group.stand, group.own);
        match self.groups.binary_search_by_key(&key(&clients), key) {
            Ok(index) => self.groups[index].weight += clients.weight,
            Err(index) => self.groups.insert(index, clients),
        }
        if let Err(index) = self.views.binary_search_by_key(&view.key, |view| view.key) {
            self.views.insert(index, view.clone());
        }
    }
}
