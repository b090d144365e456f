//! Hosts: who competes for a host's CPU, and what each gets.
//!
//! Assumed hierarchy (cgroup v1 as kubelet and systemd set it up): real-time work first; then three groups of equal
//! weight 1024, the systemd default for a slice: the agent (`system.slice`), an intruder on the host (`user.slice`)
//! and all containers (`kubepods`). Inside the last one containers compete by `cpu.shares`, pods flattened. Shares are
//! computed only for hosts on which something changed, once an instant. Start at [`Host::divide`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_chaos::fault::{AgentFault, CpuClass, CpuLoad};
use shakedown_chaos::setting::HostModel;
use shakedown_engine::fact::FactId;
use shakedown_engine::ids::{FaultId, NodeId, PodId};
use shakedown_engine::model::NodeSpec;

use crate::away::Kept;
use crate::container::{Limits, MIN_SHARES, declared};
use crate::cpu::{CORE, Claim, Level, fill, proportion};
use crate::event::{CellId, Stamp};
use crate::memory::{Reservoir, Stuff, Watch};
use crate::runtime::micro;
use crate::world::SimWorld;

/// Weight of each top-level group. Source: systemd/systemd:src/basic/cgroup-util.h, `CGROUP_CPU_SHARES_DEFAULT`.
const GROUP_WEIGHT: u64 = 1024;
/// Real-time work leaves 5 % to others unless told to take everything.
/// Source: torvalds/linux:kernel/sched/rt.c, `sysctl_sched_rt_runtime` (950,000 of 1,000,000 microseconds).
const REAL_TIME_PERMILLE: u64 = 950;
/// What all others share when real-time work takes everything: a thousandth of one core.
const REAL_TIME_LEFTOVER: u64 = CORE / 1000;

/// One host.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) up: bool,
    /// There is such a machine: false for one that joins later, until somebody switches it on.
    pub(crate) present: bool,
    /// Counts as booting while current.
    pub(crate) boot: Stamp,
    /// CPU in millionths of a core.
    pub(crate) capacity: u64,
    /// Memory that containers may hold, in bytes.
    pub(crate) memory_capacity: i64,
    /// Memory that containers and intruders hold.
    pub(crate) memory: Reservoir,
    /// What is on its disk.
    pub(crate) disk: Reservoir,
    /// Bytes that fit on it.
    pub(crate) disk_capacity: i64,
    /// Why either last changed.
    pub(crate) memory_cause: FactId,
    /// Of the plan for the next crossing of a level.
    pub(crate) memory_stamp: Stamp,
    /// The kernel is at work on a shortage of memory.
    pub(crate) reclaiming: bool,
    /// What its agent wants to be told, by signal.
    pub(crate) watches: [Watch; 2],
    /// What faults took of it.
    pub(crate) taken: BTreeMap<FaultId, (Stuff, Reservoir)>,
    /// What agent and system want.
    pub(crate) system: u64,
    /// What they get.
    pub(crate) agent_share: u64,
    /// What they get for a moment.
    pub(crate) agent_burst: u64,
    /// Sum of what containers compete for.
    pub(crate) claims: u64,
    /// Somebody got less than wanted at the last division.
    tight: bool,
    pub(crate) dirty: bool,
    /// The fault that came or went since the last division.
    pub(crate) why: FactId,
    /// Containers whose own demand or work changed since.
    pub(crate) touched: Vec<CellId>,
    pub(crate) pods: BTreeSet<PodId>,
    /// Faults that hold its agent.
    pub(crate) agent_holds: BTreeMap<FaultId, (AgentFault, FactId)>,
    /// What was to pass between its agent and its runtime meanwhile.
    pub(crate) kept: Kept,
    /// Faults that hold it down.
    pub(crate) holds: BTreeSet<FaultId>,
    /// Intruders that want its CPU.
    pub(crate) hogs: BTreeMap<FaultId, (CpuLoad, FactId)>,
}

/// How the CPU of a host is divided among groups.
struct Division {
    system: u64,
    system_burst: u64,
    /// What containers may use together; `None` when there is enough for all.
    containers: Option<u64>,
    /// An intruder among the containers.
    intruder: Option<Claim>,
}

impl Host {
    pub(crate) fn new(spec: &NodeSpec, model: &HostModel) -> Self {
        let (system, spare, disk) = (micro(model.system_cpu), model.spare_memory.0, model.disk.0);
        // What pods may use is what there is less the hard eviction threshold of 10 %.
        let ephemeral = spec.allocatable.ephemeral.0;
        let capacity = u64::try_from(spec.allocatable.cpu.0).unwrap_or(0).max(1) * (CORE / 1000);
        Self {
            up: spec.at_start,
            present: spec.at_start,
            boot: 0,
            capacity,
            memory_capacity: spec.allocatable.memory.0 + spare,
            memory: Reservoir::default(),
            disk: Reservoir::default(),
            disk_capacity: if ephemeral > 0 { ephemeral / 9 * 10 } else { disk },
            memory_cause: FactId::NONE,
            memory_stamp: 0,
            reclaiming: false,
            watches: Default::default(),
            taken: BTreeMap::new(),
            system,
            agent_share: system,
            agent_burst: CORE.min(capacity),
            claims: 0,
            tight: false,
            dirty: false,
            why: FactId::NONE,
            touched: Vec::new(),
            pods: BTreeSet::new(),
            agent_holds: BTreeMap::new(),
            kept: Kept::default(),
            holds: BTreeSet::new(),
            hogs: BTreeMap::new(),
        }
    }

    /// The intruder that counts: of overlapping ones the strongest, by class and then by size.
    pub(crate) fn hog(&self) -> Option<(CpuLoad, FactId)> {
        let rank = |class| match class {
            CpuClass::Container => 0,
            CpuClass::Host => 1,
            CpuClass::RealTime => 2,
        };
        self.hogs.values().copied().max_by_key(|(load, cause)| (rank(load.class), load.permille, *cause))
    }

    fn divide(&self) -> Division {
        let wanted = |load: CpuLoad| proportion(self.capacity, u64::from(load.permille), 1000);
        let hog = self.hog().map(|hog| hog.0);
        let mut capacity = self.capacity;
        let mut groups = [self.system, 0, self.claims];
        let mut intruder = None;
        match hog {
            Some(load) if load.class == CpuClass::RealTime => {
                let taken = wanted(load).min(proportion(capacity, REAL_TIME_PERMILLE, 1000));
                capacity = if load.permille >= 1000 { REAL_TIME_LEFTOVER } else { capacity - taken };
            }
            Some(load) if load.class == CpuClass::Host => groups[1] = wanted(load),
            Some(load) => {
                let weight = MIN_SHARES * self.capacity.div_ceil(CORE);
                intruder = Some(Claim { weight, demand: wanted(load) });
                groups[2] += wanted(load);
            }
            None => {}
        }
        let claims = groups.map(|demand| Claim { weight: GROUP_WEIGHT, demand });
        let mut shares = Vec::with_capacity(3);
        let level = fill(capacity, &claims, &mut shares);
        let tight = !matches!(level, Level::Spare(_));
        let burst = |share| level.burst(GROUP_WEIGHT, share).min(CORE).min(capacity);
        Division {
            system: shares[0],
            system_burst: burst(shares[0]).max(1),
            containers: tight.then(|| level.burst(GROUP_WEIGHT, shares[2]).max(1)),
            intruder,
        }
    }
}

impl SimWorld {
    /// Sets what a container wants and has its host looked at again.
    pub(crate) fn set_demand(&mut self, id: CellId, demand: u64) {
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let limits = Limits::of(declared(&self.catalog.templates[pod.template], id.cell));
        let cell = &mut pod.cells[usize::from(id.cell)];
        let before = cell.claim(&limits);
        cell.demand = demand;
        let after = cell.claim(&limits);
        let node = pod.node;
        let host = &mut self.hosts[node];
        host.claims = host.claims - before + after;
        self.touch(node, id);
        // What it can answer follows from share and demand, and the share may stay as it is.
        self.mark_outcome(id.pod, FactId::NONE);
    }

    /// Has a container's work planned anew at the end of this instant.
    pub(crate) fn touch(&mut self, node: NodeId, id: CellId) {
        self.hosts[node].touched.push(id);
        self.disturb(node);
    }

    /// Has a host's CPU divided anew at the end of this instant.
    pub(crate) fn disturb(&mut self, node: NodeId) {
        let host = &mut self.hosts[node];
        if !host.dirty {
            host.dirty = true;
            self.dirty_hosts.push(node);
        }
    }

    /// Divides a host's CPU and replans what goes slower or faster for it.
    pub(crate) fn divide_cpu(&mut self, node: NodeId) {
        let host = &mut self.hosts[node];
        host.dirty = false;
        let mut touched = std::mem::take(&mut host.touched);
        if !host.up {
            return;
        }
        touched.sort_unstable();
        touched.dedup();
        let division = host.divide();
        let agent_changed = host.agent_share != division.system || host.agent_burst != division.system_burst;
        host.agent_share = division.system;
        host.agent_burst = division.system_burst;
        let was_tight = std::mem::replace(&mut host.tight, division.containers.is_some());
        match division.containers {
            None if !was_tight && !agent_changed => self.share_freely(&touched),
            None => {
                let all = self.cells_of(node);
                self.share_freely(&all);
            }
            Some(capacity) => self.share_by_weight(node, capacity, division.intruder),
        }
        self.hosts[node].why = FactId::NONE;
        if agent_changed {
            self.refresh_beats(node);
        }
    }

    /// Containers on a host that exist or are being made, in id order.
    pub(crate) fn cells_of(&self, node: NodeId) -> Vec<CellId> {
        let mut all = Vec::new();
        for &pod in &self.hosts[node].pods {
            let Some(row) = self.pods.get(pod) else { continue };
            let alive = row.cells.iter().enumerate().filter(|(_, c)| c.phase != crate::container::Phase::Absent);
            all.extend(alive.map(|(cell, _)| CellId { pod, cell: cell as u8 }));
        }
        all
    }

    fn share_freely(&mut self, cells: &[CellId]) {
        for &id in cells {
            let Some((limits, claim)) = self.limits_and_claim(id) else { continue };
            self.set_share(id, claim, CORE.min(limits.cpu).max(claim));
        }
    }

    fn share_by_weight(&mut self, node: NodeId, capacity: u64, intruder: Option<Claim>) {
        let cells = self.cells_of(node);
        let known: Vec<(CellId, Limits, u64)> = cells
            .iter()
            .filter_map(|&id| self.limits_and_claim(id).map(|(limits, claim)| (id, limits, claim)))
            .collect();
        let mut claims: Vec<Claim> =
            known.iter().map(|(_, limits, demand)| Claim { weight: limits.weight, demand: *demand }).collect();
        claims.extend(intruder);
        let mut shares = Vec::new();
        let level = fill(capacity, &claims, &mut shares);
        for (&(id, limits, _), &share) in known.iter().zip(&shares) {
            let burst = level.burst(limits.weight, share).min(CORE).min(limits.cpu);
            self.set_share(id, share, burst.max(share).max(1));
        }
    }

    fn limits_and_claim(&self, id: CellId) -> Option<(Limits, u64)> {
        let pod = self.pods.get(id.pod)?;
        let limits = Limits::of(declared(&self.catalog.templates[pod.template], id.cell));
        Some((limits, pod.cells[usize::from(id.cell)].claim(&limits)))
    }

    /// Gives a container its share; replans its work, its probes and the load on it where that matters.
    fn set_share(&mut self, id: CellId, share: u64, burst: u64) {
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let cell = &mut pod.cells[usize::from(id.cell)];
        let why = self.hosts[pod.node].why;
        let changed = cell.share != share || cell.burst != burst;
        cell.used += u128::from(cell.share) * u128::from(self.now.since(cell.used_at).as_nanos());
        cell.used_at = self.now;
        cell.share = share;
        cell.burst = burst;
        self.replan(id);
        if changed {
            self.review_probes(id);
            self.mark_outcome(id.pod, why);
        }
    }
}
