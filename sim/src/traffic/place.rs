//! Where clients are: how many stand on each node, and which of them see the same.
//!
//! Start at [`Crowd`] and `groups`.

use std::collections::{BTreeMap, BTreeSet};

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::fault::Action;
use shakedown_chaos::load::Clients;
use shakedown_chaos::select::{Mode, NodeSelection};
use shakedown_engine::ids::{Id, NodeId, PodId, TrafficId, WorkloadId, ZoneId};
use shakedown_engine::model::Catalog;
use shakedown_engine::rng::{Purpose, Streams};

use super::outcome::serves;
use crate::proxy::{Apart, PHASES, Proxies, View};
use crate::world::SimWorld;

/// How many clients there are of each proxy phase and zone.
pub(crate) type Counts = BTreeMap<(usize, ZoneId), u64>;

/// Clients of one source.
#[derive(Clone, Debug)]
pub(crate) enum Crowd {
    /// One client on each of these nodes.
    Nodes { member: Vec<bool>, outside: bool, counts: Counts },
    /// One client in each serving pod of these.
    Pods(BTreeSet<PodId>),
}

/// Clients that see the same.
#[derive(Clone, Debug)]
pub(crate) struct ClientGroup {
    pub(crate) view: View,
    pub(crate) zone: ZoneId,
    /// The node, when faults make its links differ from those of its zone.
    pub(crate) via: Option<NodeId>,
    pub(crate) weight: u64,
}

impl Crowd {
    pub(crate) fn new(catalog: &Catalog, clients: &Clients, draw: (Streams, TrafficId), proxies: &Proxies) -> Self {
        match clients {
            Clients::Outside => Self::on_nodes(catalog, vec![true; catalog.nodes.len()], (true, proxies)),
            Clients::Nodes(selection) => Self::on_nodes(catalog, choose(catalog, selection, draw), (false, proxies)),
            Clients::Workload(_) => Self::Pods(BTreeSet::new()),
        }
    }

    fn on_nodes(catalog: &Catalog, member: Vec<bool>, (outside, proxies): (bool, &Proxies)) -> Self {
        let mut counts = Counts::new();
        for (id, node) in catalog.nodes.iter().filter(|(id, _)| member[id.index()]) {
            *counts.entry((proxies.phase(id), node.zone)).or_default() += 1;
        }
        Self::Nodes { member, outside, counts }
    }

    /// Notes a pod of the workload in which clients are.
    pub(crate) fn add_pod(&mut self, pod: PodId) {
        if let Self::Pods(pods) = self {
            pods.insert(pod);
        }
    }

    /// True for clients outside of the cluster.
    pub(crate) fn outside(&self) -> bool {
        matches!(self, Self::Nodes { outside: true, .. })
    }
}

/// Nodes of a selection, chosen once. What runs on them is not known beforehand, so `hosting` is not a condition here.
fn choose(catalog: &Catalog, selection: &NodeSelection, (streams, source): (Streams, TrafficId)) -> Vec<bool> {
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
    let mut member = vec![false; catalog.nodes.len()];
    for node in &nodes[..count] {
        member[node.index()] = true;
    }
    member
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
    owners
}

impl SimWorld {
    /// The clients of a source that are alive, put together where they see the same.
    pub(crate) fn groups(&self, id: TrafficId) -> Vec<ClientGroup> {
        let service = self.experiment.traffic[id].to;
        let views: Vec<View> = (0..PHASES).map(|phase| self.proxies.regular(service, phase, self.now)).collect();
        let ruled = self.net.ruled();
        let (counts, singles) = self.clients(id);
        let mut groups: BTreeMap<(u32, ZoneId, Option<NodeId>), ClientGroup> = BTreeMap::new();
        let mut add = |view: &View, zone, via, count| {
            let group = || ClientGroup { view: view.clone(), zone, via, weight: 0 };
            groups.entry((view.version, zone, via)).or_insert_with(group).weight += count;
        };
        for ((phase, zone), count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            add(&views[phase], zone, None, count);
        }
        for (node, count) in singles {
            let via = ruled.binary_search(&node).is_ok().then_some(node);
            match self.proxies.apart.get(&node) {
                Some(Apart::Down) => {}
                Some(_) => add(&self.proxies.irregular(service, node, self.now), self.net.zone(node), via, count),
                None => add(&views[self.proxies.phase(node)], self.net.zone(node), via, count),
            }
        }
        groups.into_values().collect()
    }

    /// Clients on undisturbed nodes, counted, and those on all others, one by one.
    fn clients(&self, id: TrafficId) -> (Counts, BTreeMap<NodeId, u64>) {
        let mut singles = BTreeMap::new();
        match &self.loads.sources[id].crowd {
            Crowd::Nodes { member, counts, .. } => {
                let mut counts = counts.clone();
                let disturbed = self.proxies.apart.keys().chain(self.net.ruled()).filter(|node| member[node.index()]);
                for &node in disturbed {
                    if singles.insert(node, 1).is_none() {
                        let slot = counts.entry((self.proxies.phase(node), self.net.zone(node))).or_default();
                        *slot -= 1;
                    }
                }
                (counts, singles)
            }
            Crowd::Pods(pods) => {
                for &pod in pods {
                    let Some((row, cell)) = self.pods.get(pod).zip(self.server(pod)) else { continue };
                    if serves(row.cells[usize::from(cell.cell)].phase) {
                        *singles.entry(row.node).or_default() += 1;
                    }
                }
                (Counts::new(), singles)
            }
        }
    }
}
