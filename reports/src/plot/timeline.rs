//! What a timeline shows, before anything is drawn: bands, strips and steps over simulated time.
//!
//! Many nodes are put together by zone, many workloads are cut down to those that went through something. Start at
//! [`Timeline::new`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_chaos::experiment::Entry;
use shakedown_chaos::fault::Action;
use shakedown_engine::fact::{Fact, FactKind};
use shakedown_engine::ids::{FaultId, Id, NodeId};
use shakedown_engine::time::Time;

use crate::measure::{Measurements, Step, is_operation};
use crate::names::Names;
use crate::run::Run;

/// Nodes beyond this number are shown by zone.
const MOST_NODES: usize = 16;
/// Workloads shown at most.
const MOST_WORKLOADS: usize = 10;
/// Rows of faults at most.
const MOST_ROWS: usize = 12;
/// Services shown at most.
const MOST_SERVICES: usize = 6;

/// Everything that a timeline shows.
pub(crate) struct Timeline {
    /// Right edge.
    pub end: Time,
    /// Faults and operations.
    pub bands: Vec<Band>,
    /// Rows that bands take.
    pub band_rows: usize,
    /// Health of nodes or zones.
    pub strips: Vec<Strip>,
    /// Replicas of workloads.
    pub lanes: Vec<Lane>,
    /// Failing share of requests of services.
    pub errors: Vec<Errors>,
    /// What was left out, for a line below.
    pub left_out: Option<String>,
}

/// A fault from its effect to its end.
pub(crate) struct Band {
    pub from: Time,
    /// `None`: a moment without an end of its own.
    pub to: Option<Time>,
    pub label: String,
    pub is_operation: bool,
    pub row: usize,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    /// Up and known to be.
    Healthy,
    /// Closed by an operator.
    Cordoned,
    /// Its node object is deleted.
    Removed,
    /// Declared unhealthy.
    Unhealthy,
    /// Being evicted.
    Evicting,
    /// Down, and nobody noticed yet.
    Down,
}

/// One row of health: from when which share is how, worst first within a moment.
pub(crate) struct Strip {
    pub name: String,
    /// Worst state and thousandths of the members that are not healthy, from that time on.
    pub changes: Vec<(Time, Health, u32)>,
}

/// Replicas of one workload.
pub(crate) struct Lane {
    pub name: String,
    pub steps: Vec<Step>,
}

/// Failing share of one service's requests, in thousandths, per window.
pub(crate) struct Errors {
    pub name: String,
    pub windows: Vec<(Time, Option<u32>)>,
}

impl Timeline {
    /// Reads a run.
    pub(crate) fn new(run: &Run) -> Self {
        let measured = Measurements::new(run);
        let names = Names::new(run, &measured.pods);
        let is_power = |fact: &&Fact| matches!(fact.kind, FactKind::HostDown { .. } | FactKind::HostUp { .. });
        let power: Vec<&Fact> = run.facts.iter().filter(is_power).collect();
        let mut bands: Vec<Band> = (measured.origins.faults.iter())
            .map(|(fault, applied)| Band {
                from: applied.at,
                to: applied
                    .lifted
                    .or_else(|| back_up(run, &measured, &power, *fault))
                    .or_else(|| open_end(run, *fault)),
                label: names.fault(*fault),
                is_operation: run.experiment.timeline.get(*fault).is_some_and(|entry| is_operation(&entry.action)),
                row: 0,
            })
            .collect();
        let band_rows = pack(&mut bands, run.end);
        let (lanes, left_out) = lanes(&measured, names);
        let services = measured.traffic.services.iter().take(MOST_SERVICES);
        let errors = services
            .map(|(id, totals)| Errors { name: names.service(*id), windows: totals.failing_permille().collect() })
            .collect();
        Self { end: run.end, bands, band_rows, strips: strips(run, names), lanes, errors, left_out }
    }
}

/// The end of the run for what lasts until it is lifted and never was.
fn open_end(run: &Run, fault: FaultId) -> Option<Time> {
    let lasts = |entry: &Entry| {
        matches!(
            entry.action,
            Action::Partition(_)
                | Action::Saturate { .. }
                | Action::Delay { .. }
                | Action::Lose { .. }
                | Action::Leak { .. }
                | Action::FillMemory { .. }
                | Action::FillDisk { .. }
                | Action::StopProxies(_)
                | Action::Agents { .. }
                | Action::StopPart { .. }
                | Action::Flood(_)
                | Action::Taint { .. }
        )
    };
    run.experiment.timeline.get(fault).is_some_and(lasts).then_some(run.end)
}

/// When the last host that a fault took down ran again, however that came about; the end when one never did.
fn back_up(run: &Run, measured: &Measurements, power: &[&Fact], fault: FaultId) -> Option<Time> {
    let hit = |node, at| measured.losses.nodes.iter().any(|hit| (hit.fault, hit.node, hit.since) == (fault, node, at));
    let mut down: BTreeSet<NodeId> = BTreeSet::new();
    let mut last = None;
    for fact in power {
        match fact.kind {
            FactKind::HostDown { node } if hit(node, fact.at) => _ = down.insert(node),
            FactKind::HostUp { node } if down.remove(&node) => last = Some(fact.at),
            _ => {}
        }
    }
    if down.is_empty() { last } else { Some(run.end) }
}

/// Gives each band the first row in which it and its label have room.
fn pack(bands: &mut [Band], end: Time) -> usize {
    let mut free: Vec<u64> = Vec::new();
    bands.sort_by_key(|band| band.from);
    // A letter is about 1/150 of the plot's width.
    let letter = end.as_nanos() / 150;
    for band in bands {
        let text = band.from.as_nanos().saturating_add(letter * (band.label.chars().count() as u64 + 3));
        let right = band.to.map_or(0, Time::as_nanos).max(text);
        let row = free.iter().position(|taken| *taken <= band.from.as_nanos());
        band.row = row.unwrap_or(free.len());
        if band.row == MOST_ROWS {
            // Hundreds of faults would push everything else off the page; their marks still show in the last row.
            band.row = MOST_ROWS - 1;
            band.label.clear();
        }
        match free.get_mut(band.row) {
            Some(taken) => *taken = right,
            None => free.push(right),
        }
    }
    free.len()
}

/// Workloads that went through something, biggest trouble first, in the order of the catalog.
fn lanes(measured: &Measurements, names: Names<'_>) -> (Vec<Lane>, Option<String>) {
    let mut chosen: Vec<_> = measured.replicas.workloads.iter().collect();
    let all = chosen.len();
    if all > MOST_WORKLOADS {
        let calm = |steps: &Vec<Step>| steps.len();
        chosen.sort_by_key(|(id, totals)| {
            let dip = totals.fewest.map_or(0, |fewest| totals.desired.saturating_sub(fewest));
            let busy = measured.replicas.steps.get(id).map_or(0, calm);
            (std::cmp::Reverse((totals.downtime, dip, busy)), **id)
        });
        chosen.truncate(MOST_WORKLOADS);
        chosen.sort_by_key(|(id, _)| **id);
    }
    let left_out = (all > MOST_WORKLOADS).then(|| format!("{} calmer workloads are not shown", all - MOST_WORKLOADS));
    let lanes = chosen
        .iter()
        .map(|(id, _)| Lane {
            name: names.workload(**id),
            steps: measured.replicas.steps.get(id).cloned().unwrap_or_default(),
        })
        .collect();
    (lanes, left_out)
}

/// What is known of a node while reading.
#[derive(Clone, Copy, Default)]
struct Known {
    down: bool,
    unhealthy: bool,
    evicting: bool,
    cordoned: bool,
    removed: bool,
}

impl Known {
    fn health(self) -> Health {
        if self.removed {
            Health::Removed
        } else if self.evicting {
            Health::Evicting
        } else if self.unhealthy {
            Health::Unhealthy
        } else if self.down {
            Health::Down
        } else if self.cordoned {
            Health::Cordoned
        } else {
            Health::Healthy
        }
    }
}

fn strips(run: &Run, names: Names<'_>) -> Vec<Strip> {
    let nodes = &run.catalog.nodes;
    let by_zone = nodes.len() > MOST_NODES;
    let mut groups: BTreeMap<usize, usize> = BTreeMap::new();
    let mut strips: Vec<Strip> = Vec::new();
    let mut members: Vec<Vec<NodeId>> = Vec::new();
    let mut group_of = Vec::new();
    for (id, node) in nodes.iter() {
        let key = if by_zone { node.zone.index() } else { id.index() };
        let group = *groups.entry(key).or_insert_with(|| {
            let zone = run.catalog.zones.get(node.zone).map_or("?", |name| run.catalog.text(*name));
            let name = if by_zone { format!("zone {}", crate::format::harmless(zone)) } else { names.node(id) };
            strips.push(Strip { name, changes: vec![(Time::ZERO, Health::Healthy, 0)] });
            members.push(Vec::new());
            strips.len() - 1
        });
        members[group].push(id);
        group_of.push(group);
    }
    if by_zone {
        for (strip, members) in strips.iter_mut().zip(&members) {
            strip.name = format!("{} ({})", strip.name, members.len());
        }
    }
    let mut known = vec![Known::default(); nodes.len()];
    let mut tallies: Vec<[u32; 6]> = members.iter().map(|members| [members.len() as u32, 0, 0, 0, 0, 0]).collect();
    for fact in &run.facts {
        let Some((node, change)) = change_of(&fact.kind) else { continue };
        let Some(state) = known.get_mut(node.index()) else { continue };
        let before = state.health();
        change(state);
        let after = state.health();
        if before != after {
            let group = group_of[node.index()];
            tallies[group][before as usize] -= 1;
            tallies[group][after as usize] += 1;
            strips[group].note(fact.at, &tallies[group]);
        }
    }
    strips
}

impl Strip {
    fn note(&mut self, at: Time, tally: &[u32; 6]) {
        let states =
            [Health::Healthy, Health::Cordoned, Health::Removed, Health::Unhealthy, Health::Evicting, Health::Down];
        let all: u32 = tally.iter().sum();
        let worst = states.into_iter().rev().find(|state| tally[*state as usize] > 0).unwrap_or(Health::Healthy);
        let ill = (all - tally[Health::Healthy as usize]) * 1000 / all.max(1);
        match self.changes.last_mut() {
            Some(last) if last.0 == at => *last = (at, worst, ill),
            _ => self.changes.push((at, worst, ill)),
        }
    }
}

/// What a fact changes about a node.
type Change = fn(&mut Known);

fn change_of(kind: &FactKind) -> Option<(NodeId, Change)> {
    Some(match *kind {
        FactKind::HostDown { node } => (node, |known| known.down = true),
        FactKind::HostUp { node } => (node, |known| known.down = false),
        FactKind::NodeUnhealthy { node, .. } => (node, |known| known.unhealthy = true),
        FactKind::NodeHealthy { node } => {
            (node, |known| *known = Known { cordoned: known.cordoned, ..Known::default() })
        }
        FactKind::NodeEvicting { node } => (node, |known| known.evicting = true),
        FactKind::NodeEvictionCancelled { node } => (node, |known| known.evicting = false),
        FactKind::NodeRemoved { node } => {
            (node, |known| *known = Known { removed: true, down: known.down, ..Known::default() })
        }
        FactKind::NodeRegistered { node } => (node, |known| known.removed = false),
        FactKind::NodeCordoned { node } => (node, |known| known.cordoned = true),
        FactKind::NodeUncordoned { node } => (node, |known| known.cordoned = false),
        _ => return None,
    })
}
