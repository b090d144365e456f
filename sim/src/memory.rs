//! Memory and disk: what containers hold, how it grows, and what the kernel does when there is too little.
//!
//! Amounts grow linearly, so every crossing of a limit is computed beforehand and nothing ticks. A container beyond its
//! own limit is killed by its memory group. All containers together may hold what the node hands out and 100 MiB more
//! (`HostModel::spare_memory`): that is the limit of kubelet's group for pods when the reserves are what the system uses,
//! and beyond it the kernel kills one task after the other by badness. Start at [`SimWorld::memory_changed`].
//!
//! Assumptions: a container is one task, or a group that is killed as one (cgroup v2); all of its memory is working set;
//! a container that shuts down grows no more; images and what containers write share one file system.

use shakedown_chaos::setting::Growth;
use shakedown_engine::fact::{Exit, FactId};
use shakedown_engine::ids::{FaultId, ImageId, NodeId, PodId};
use shakedown_engine::message::{Amount, Footprint, InputKind, NodeStats, RuntimeEvent, Signal};
use shakedown_engine::model::{PodTemplate, Qos};
use shakedown_engine::time::{Span, Time};

use crate::container::{Phase, declared};
use crate::event::{CellId, Event};
use crate::world::SimWorld;

/// Amounts are kept in bytes times this, so that growth in bytes an hour is exact to the nanosecond.
const HOUR: i128 = 3_600_000_000_000;

/// An amount that grows linearly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reservoir {
    /// Bytes times [`HOUR`], as of `at`.
    amount: i128,
    /// Bytes an hour.
    rate: i64,
    at: Time,
}

impl Reservoir {
    pub(crate) fn new(now: Time, bytes: i64, rate: Growth) -> Self {
        Self { amount: i128::from(bytes) * HOUR, rate: rate.0, at: now }
    }

    fn amount_at(&self, now: Time) -> i128 {
        self.amount + i128::from(self.rate) * i128::from(now.since(self.at).as_nanos())
    }

    /// Whole bytes at `now`.
    pub(crate) fn bytes(&self, now: Time) -> i64 {
        i64::try_from(self.amount_at(now).div_euclid(HOUR)).unwrap_or(i64::MAX)
    }

    fn set_rate(&mut self, now: Time, rate: i64) {
        (self.amount, self.at, self.rate) = (self.amount_at(now), now, rate);
    }

    /// Adds `other`, or with `sign` -1 takes it away.
    fn join(&mut self, now: Time, other: &Self, sign: i64) {
        self.amount = self.amount_at(now) + i128::from(sign) * other.amount_at(now);
        self.at = now;
        self.rate += sign * other.rate;
    }

    /// When it first holds more whole bytes than `level`; `None`: not by itself.
    pub(crate) fn exceeds(&self, now: Time, level: i64) -> Option<Time> {
        let missing = (i128::from(level) + 1) * HOUR - self.amount_at(now);
        if missing <= 0 {
            return Some(now);
        }
        let rate = i128::from(self.rate);
        if rate <= 0 {
            return None;
        }
        u64::try_from((missing + rate - 1) / rate).ok().map(|wait| now + Span::from_nanos(wait))
    }
}

/// What the agent of a host wants to be told: available amounts below these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    level: i64,
    below: bool,
}

/// Which of a container's two amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuff {
    Memory,
    Disk,
}

impl SimWorld {
    /// A container has started up: it holds its memory, and grows if it leaks.
    pub(crate) fn take_memory(&mut self, id: CellId, cause: FactId) {
        let now = self.now;
        let Some(behaviour) = self.behaviour_of(id) else { return };
        let (memory, leak, writes) = (behaviour.memory.0, behaviour.leak, behaviour.writes);
        let leak = Growth(leak.0 + self.leaks_of(id.pod));
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let node = pod.node;
        let cell = &mut pod.cells[usize::from(id.cell)];
        let host = &mut self.hosts[node];
        cell.memory = Reservoir::new(now, memory, leak);
        host.memory.join(now, &cell.memory, 1);
        // What it wrote before stays until the pod is removed.
        host.disk.join(now, &cell.disk, -1);
        cell.disk.set_rate(now, writes.0);
        host.disk.join(now, &cell.disk, 1);
        self.plan_own_limit(id);
        self.memory_changed(node, cause);
    }

    /// A container has ended: its memory is free, and it writes no more.
    pub(crate) fn free_memory(&mut self, id: CellId, cause: FactId) {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let node = pod.node;
        let cell = &mut pod.cells[usize::from(id.cell)];
        cell.oom = 0;
        let memory = std::mem::take(&mut cell.memory);
        if memory == Reservoir::default() && cell.disk.rate == 0 {
            return;
        }
        let host = &mut self.hosts[node];
        host.memory.join(now, &memory, -1);
        host.disk.join(now, &cell.disk, -1);
        cell.disk.set_rate(now, 0);
        host.disk.join(now, &cell.disk, 1);
        self.memory_changed(node, cause);
    }

    /// A container that shuts down grows no more.
    pub(crate) fn stop_growing(&mut self, id: CellId) {
        let cause = self.pods.get(id.pod).map_or(FactId::NONE, |pod| pod.cells[usize::from(id.cell)].cause);
        self.set_growth(id, Stuff::Memory, 0, cause);
    }

    fn set_growth(&mut self, id: CellId, stuff: Stuff, rate: i64, cause: FactId) {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let node = pod.node;
        let cell = &mut pod.cells[usize::from(id.cell)];
        let host = &mut self.hosts[node];
        let (total, own) = match stuff {
            Stuff::Memory => (&mut host.memory, &mut cell.memory),
            Stuff::Disk => (&mut host.disk, &mut cell.disk),
        };
        if own.rate == rate {
            return;
        }
        total.join(now, own, -1);
        own.set_rate(now, rate);
        total.join(now, own, 1);
        self.plan_own_limit(id);
        self.memory_changed(node, cause);
    }

    /// Plans when a container exceeds its own limit.
    fn plan_own_limit(&mut self, id: CellId) {
        let (now, stamp) = (self.now, self.stamp());
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let limit = declared(&self.catalog.templates[pod.template], id.cell).memory_limit;
        let cell = &mut pod.cells[usize::from(id.cell)];
        cell.oom = 0;
        let Some(at) = limit.filter(|limit| limit.0 > 0).and_then(|limit| cell.memory.exceeds(now, limit.0)) else {
            return;
        };
        cell.oom = stamp;
        self.queue.push(at, Event::End { cell: id, stamp, why: Exit::OutOfMemory });
    }

    /// What a host's containers hold, or how fast that grows, has changed: kills, tells and plans what follows.
    pub(crate) fn memory_changed(&mut self, node: NodeId, cause: FactId) {
        if self.hosts[node].reclaiming {
            return; // The kill that changed it goes on and looks again.
        }
        self.hosts[node].memory_cause = cause;
        self.kill_for_memory(node);
        self.tell_shortage(node);
        self.plan_shortage(node);
    }

    /// Time has brought a host to one of its levels.
    pub(crate) fn on_memory(&mut self, node: NodeId, stamp: u64) {
        if self.hosts[node].memory_stamp == stamp && self.hosts[node].up {
            let cause = self.hosts[node].memory_cause;
            self.memory_changed(node, cause);
        }
    }

    fn kill_for_memory(&mut self, node: NodeId) {
        self.hosts[node].reclaiming = true;
        while self.hosts[node].memory.bytes(self.now) > self.hosts[node].memory_capacity {
            let victims = self.cells_of(node).into_iter().filter_map(|id| self.badness(id).map(|bad| (bad, id)));
            let Some((_, id)) = victims.max_by_key(|&(bad, id)| (bad, std::cmp::Reverse(id))) else { break };
            let cause = self.hosts[node].memory_cause;
            self.end(id, Exit::OutOfMemory, cause);
        }
        self.hosts[node].reclaiming = false;
    }

    /// How much the kernel wants to kill a container: its memory, and its adjustment in thousandths of all there is.
    /// Source: torvalds/linux:mm/oom_kill.c, `oom_badness` (`points += adj * totalpages / 1000`).
    fn badness(&self, id: CellId) -> Option<i64> {
        let pod = self.pods.get(id.pod)?;
        let held = pod.cells[usize::from(id.cell)].memory.bytes(self.now);
        let capacity = self.hosts[pod.node].memory_capacity;
        let adjustment = oom_score_adj(&self.catalog.templates[pod.template], id.cell, capacity);
        (held > 0).then(|| held + adjustment * (capacity / 1000))
    }

    fn capacity(&self, node: NodeId) -> [i64; 2] {
        [self.hosts[node].memory_capacity, self.hosts[node].disk_capacity]
    }

    fn available(&self, node: NodeId, signal: Signal) -> i64 {
        let host = &self.hosts[node];
        match signal {
            Signal::Memory => host.memory_capacity - host.memory.bytes(self.now),
            Signal::Disk => host.disk_capacity - host.disk.bytes(self.now),
        }
    }

    fn tell_shortage(&mut self, node: NodeId) {
        for signal in Signal::ALL {
            let available = self.available(node, signal);
            let watch = &mut self.hosts[node].watches[signal as usize];
            let below = available < watch.level;
            if below != std::mem::replace(&mut watch.below, below) && below {
                let cause = self.hosts[node].memory_cause;
                self.emit(cause, InputKind::Runtime { node, event: RuntimeEvent::Short { signal } });
            }
        }
    }

    fn plan_shortage(&mut self, node: NodeId) {
        let (now, stamp) = (self.now, self.stamp());
        let host = &mut self.hosts[node];
        host.memory_stamp = stamp;
        let watched = |signal: Signal, all: i64| {
            let watch = host.watches[signal as usize];
            (watch.level > 0 && !watch.below).then_some(all - watch.level)
        };
        let levels = [
            host.memory.exceeds(now, host.memory_capacity),
            watched(Signal::Memory, host.memory_capacity).and_then(|level| host.memory.exceeds(now, level)),
            watched(Signal::Disk, host.disk_capacity).and_then(|level| host.disk.exceeds(now, level)),
        ];
        if let Some(at) = levels.into_iter().flatten().filter(|&at| at > now).min() {
            self.queue.push(at, Event::Memory { node, stamp });
        }
    }

    /// The agent wants to know when less than `below` is available.
    pub(crate) fn watch_amount(&mut self, node: NodeId, signal: Signal, below: Amount) {
        let all = self.capacity(node)[signal as usize];
        let level = below.of(all).max(self.hosts[node].watches[signal as usize].level);
        self.hosts[node].watches[signal as usize] = Watch { level, below: false };
        let cause = self.hosts[node].memory_cause;
        self.memory_changed(node, cause);
    }

    /// Answers an agent that looks at its node.
    pub(crate) fn observe(&mut self, node: NodeId, cause: FactId) {
        let now = self.now;
        let mut pods: Vec<Footprint> = Vec::with_capacity(self.hosts[node].pods.len());
        for &pod in &self.hosts[node].pods {
            let Some(row) = self.pods.get(pod) else { continue };
            let sum = |amount: fn(&crate::container::Cell) -> &Reservoir| {
                row.cells.iter().map(|cell| amount(cell).bytes(now)).sum()
            };
            pods.push(Footprint { pod, memory: sum(|cell| &cell.memory), disk: sum(|cell| &cell.disk) });
        }
        let stats = NodeStats {
            available: Signal::ALL.map(|signal| self.available(node, signal)),
            capacity: self.capacity(node),
            pods,
        };
        self.emit(cause, InputKind::Observed { node, stats });
    }

    /// Images that are there from the start lie on every disk.
    pub(crate) fn fill_shelves(&mut self, present: &[ImageId]) {
        let bytes = present.iter().map(|&image| self.catalog.images[image].size.0).sum();
        let all = Reservoir::new(self.now, bytes, Growth(0));
        for node in self.hosts.ids().collect::<Vec<_>>() {
            self.hosts[node].disk = all;
        }
    }

    /// An image came to a host's disk or left it.
    pub(crate) fn image_on_disk(&mut self, node: NodeId, image: ImageId, sign: i64, cause: FactId) {
        let now = self.now;
        let size = Reservoir::new(now, self.catalog.images[image].size.0, Growth(0));
        self.hosts[node].disk.join(now, &size, sign);
        self.memory_changed(node, cause);
    }

    /// All that a pod wrote is deleted with it.
    pub(crate) fn free_disk(&mut self, node: NodeId, written: &[Reservoir], cause: FactId) {
        let now = self.now;
        for disk in written.iter().filter(|disk| **disk != Reservoir::default()) {
            self.hosts[node].disk.join(now, disk, -1);
        }
        self.memory_changed(node, cause);
    }

    /// Everything that ran on a host is gone, and with it what it held. Images and what intruders took of the disk stay.
    pub(crate) fn memory_lost(&mut self, node: NodeId) {
        let now = self.now;
        let pods: Vec<PodId> = self.hosts[node].pods.iter().copied().collect();
        for pod in pods {
            let Some(row) = self.pods.get(pod) else { continue };
            let written: Vec<Reservoir> = row.cells.iter().map(|cell| cell.disk).collect();
            for disk in &written {
                self.hosts[node].disk.join(now, disk, -1);
            }
        }
        let host = &mut self.hosts[node];
        host.memory = Reservoir::default();
        for held in host.taken.values().filter(|(stuff, _)| *stuff == Stuff::Memory).map(|(_, held)| *held) {
            host.memory.join(now, &held, 1);
        }
        host.watches = Default::default();
        host.memory_stamp = 0;
    }
}

// Faults.
impl SimWorld {
    /// Bytes an hour by which each container of a pod leaks because of faults.
    fn leaks_of(&self, pod: PodId) -> i64 {
        self.leaks.values().filter(|(pods, _)| pods.binary_search(&pod).is_ok()).map(|(_, rate)| rate.0).sum()
    }

    /// A fault makes containers of these pods grow.
    pub(crate) fn leak(&mut self, fault: FaultId, pods: &[PodId], rate: Growth, cause: FactId) {
        let mut touched = self.leaks.insert(fault, (pods.to_vec(), rate)).map_or_else(Vec::new, |old| old.0);
        touched.extend(pods);
        self.leaks_changed(touched, cause);
    }

    /// A fault that made containers grow is over. What they hold they keep until they end.
    pub(crate) fn seal(&mut self, fault: FaultId, cause: FactId) {
        if let Some((pods, _)) = self.leaks.remove(&fault) {
            self.leaks_changed(pods, cause);
        }
    }

    fn leaks_changed(&mut self, mut pods: Vec<PodId>, cause: FactId) {
        pods.sort_unstable();
        pods.dedup();
        for pod in pods {
            let extra = self.leaks_of(pod);
            let Some(row) = self.pods.get(pod) else { continue };
            let grows = |phase| matches!(phase, Phase::Running | Phase::Hook);
            let cells = row.cells.iter().enumerate().filter(|(_, cell)| grows(cell.phase));
            let cells: Vec<u8> = cells.map(|(cell, _)| cell as u8).collect();
            for cell in cells {
                let id = CellId { pod, cell };
                let own = self.behaviour_of(id).map_or(0, |behaviour| behaviour.leak.0);
                self.set_growth(id, Stuff::Memory, own + extra, cause);
            }
        }
    }

    /// A fault takes memory or disk of hosts: a share of all there is, in thousandths. Applied again, it moves.
    pub(crate) fn fill(&mut self, fault: FaultId, nodes: &[NodeId], what: (Stuff, u32), cause: FactId) {
        let (stuff, permille) = what;
        let now = self.now;
        self.unfill(fault, cause);
        for &node in nodes {
            let all = match stuff {
                Stuff::Memory => self.hosts[node].memory_capacity,
                Stuff::Disk => self.hosts[node].disk_capacity,
            };
            let bytes = i128::from(all) * i128::from(permille) / 1000;
            let held = Reservoir::new(now, i64::try_from(bytes).unwrap_or(i64::MAX), Growth(0));
            let host = &mut self.hosts[node];
            host.taken.insert(fault, (stuff, held));
            match stuff {
                Stuff::Memory => host.memory.join(now, &held, 1),
                Stuff::Disk => host.disk.join(now, &held, 1),
            }
            self.memory_changed(node, cause);
        }
    }

    /// What a fault took is free again.
    pub(crate) fn unfill(&mut self, fault: FaultId, cause: FactId) {
        let now = self.now;
        let held = |(id, host): (NodeId, &crate::host::Host)| host.taken.contains_key(&fault).then_some(id);
        let nodes: Vec<NodeId> = self.hosts.iter().filter_map(held).collect();
        for node in nodes {
            let host = &mut self.hosts[node];
            let Some((stuff, held)) = host.taken.remove(&fault) else { continue };
            match stuff {
                Stuff::Memory => host.memory.join(now, &held, -1),
                Stuff::Disk => host.disk.join(now, &held, -1),
            }
            self.memory_changed(node, cause);
        }
    }
}

/// What kubelet adds to the badness of a container's processes.
/// Source: kubernetes/kubernetes:pkg/kubelet/qos/policy.go, `GetContainerOOMScoreAdjust`.
pub(crate) fn oom_score_adj(template: &PodTemplate, cell: u8, capacity: i64) -> i64 {
    const GUARANTEED: i64 = -997;
    const BEST_EFFORT: i64 = 1000;
    /// From this priority on a pod is critical. Source: pkg/apis/scheduling/types.go, `SystemCriticalPriority`.
    const NODE_CRITICAL: i32 = 2_000_001_000;
    if template.priority >= NODE_CRITICAL {
        return GUARANTEED;
    }
    match template.qos() {
        Qos::Guaranteed => GUARANTEED,
        Qos::BestEffort => BEST_EFFORT,
        Qos::Burstable => {
            let asked = declared(template, cell).requests.memory.0;
            let adjusted = 1000 - i64::try_from(1000 * i128::from(asked) / i128::from(capacity.max(1))).unwrap_or(1000);
            adjusted.clamp(1000 + GUARANTEED, BEST_EFFORT - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_is_exact_to_the_nanosecond() {
        let leak = Reservoir::new(Time::ZERO, 100, Growth(3600));
        let at = leak.exceeds(Time::ZERO, 110).expect("it grows");
        assert_eq!(at, Time::from_secs(11), "a byte a second, and more than ten of them");
        assert_eq!((leak.bytes(at), leak.bytes(at - Span::from_nanos(1))), (111, 110));
        assert_eq!(leak.exceeds(Time::ZERO, 99), Some(Time::ZERO));
        assert_eq!(Reservoir::new(Time::ZERO, 5, Growth(0)).exceeds(Time::ZERO, 5), None);
    }

    #[test]
    fn sums_grow_as_their_parts_do() {
        let mut sum = Reservoir::default();
        let parts = [Reservoir::new(Time::ZERO, 7, Growth(1000)), Reservoir::new(Time::from_secs(5), 9, Growth(77))];
        for part in &parts {
            sum.join(Time::from_secs(5), part, 1);
        }
        let later = Time::from_secs(3600 * 5);
        let exact: i128 = parts.iter().map(|part| part.amount_at(later)).sum();
        assert_eq!(sum.amount_at(later), exact);
        sum.join(later, &parts[0], -1);
        assert_eq!(sum.amount_at(later), parts[1].amount_at(later));
    }
}
