//! Faults: what an experiment does to the world.
//!
//! Each fault keeps its own hold on hosts, CPU and links, so that overlapping ones combine as `chaos::fault` says and
//! lifting one leaves the others in place. This world can produce every effect. Start at the `FaultTarget` impl.

use shakedown_chaos::fault::{CpuLoad, Effect};
use shakedown_chaos::target::{FaultTarget, Unsupported};
use shakedown_engine::fact::{Exit, FactId, FactKind, FactLog};
use shakedown_engine::ids::{FaultId, NodeId, PodId};
use shakedown_engine::message::{ContainerRef, InputKind};
use shakedown_engine::time::Time;

use crate::container::{Phase, reference};
use crate::event::{CellId, Event, Stamp};
use crate::memory::Stuff;
use crate::world::SimWorld;

impl FaultTarget for SimWorld {
    fn apply(
        &mut self,
        now: Time,
        fault: FaultId,
        effect: &Effect,
        cause: FactId,
        facts: &mut FactLog,
    ) -> Result<(), Unsupported> {
        self.move_to(now, facts);
        match effect {
            Effect::Down { nodes } => self.hold_down(fault, nodes, cause, facts),
            Effect::Boot { nodes } => {
                nodes.iter().for_each(|&node| self.hosts[node].present = true);
                self.boot_all(nodes, cause);
            }
            Effect::Reboot { nodes } => {
                for &node in nodes {
                    self.host_down(node, cause, facts);
                }
                let free = |node: &&NodeId| self.hosts[**node].holds.is_empty();
                let free: Vec<NodeId> = nodes.iter().filter(free).copied().collect();
                self.boot_all(&free, cause);
            }
            Effect::Saturate { nodes, load } => self.saturate(fault, nodes, *load, cause),
            Effect::Network { from, to, one_way, rule } => {
                let nodes = self.net.apply(fault, cause, (from, to), (*one_way, *rule));
                self.links_changed(&nodes, cause);
            }
            Effect::CrashPods { pods } => self.crash(pods, cause),
            Effect::Leak { pods, rate } => self.leak(fault, pods, *rate, cause),
            Effect::StopProxies { nodes } => self.stop_proxies(fault, nodes, cause),
            Effect::Agents { nodes, how } => self.hold_agents(fault, nodes, *how, cause),
            Effect::FillMemory { nodes, permille } => self.fill(fault, nodes, (Stuff::Memory, *permille), cause),
            Effect::FillDisk { nodes, permille } => self.fill(fault, nodes, (Stuff::Disk, *permille), cause),
        }
        Ok(())
    }

    fn lift(&mut self, now: Time, fault: FaultId, cause: FactId, facts: &mut FactLog) {
        self.move_to(now, facts);
        let held: Vec<NodeId> = self.hosts.iter().filter(|(_, h)| h.holds.contains(&fault)).map(|(id, _)| id).collect();
        self.release(fault, &held, cause);
        let hogged: Vec<NodeId> =
            self.hosts.iter().filter(|(_, h)| h.hogs.contains_key(&fault)).map(|(id, _)| id).collect();
        for node in hogged {
            self.hosts[node].hogs.remove(&fault);
            self.hosts[node].why = cause;
            self.disturb(node);
        }
        self.seal(fault, cause);
        self.unfill(fault, cause);
        self.start_proxies(fault, cause);
        self.free_agents(fault, cause);
        let linked = self.net.lift(fault);
        self.links_changed(&linked, cause);
    }
}

impl SimWorld {
    fn hold_down(&mut self, fault: FaultId, nodes: &[NodeId], cause: FactId, facts: &mut FactLog) {
        let former = |(id, host): (NodeId, &crate::host::Host)| {
            (host.holds.contains(&fault) && !nodes.contains(&id)).then_some(id)
        };
        let former: Vec<NodeId> = self.hosts.iter().filter_map(former).collect();
        self.release(fault, &former, cause);
        for &node in nodes {
            self.hosts[node].holds.insert(fault);
            self.hosts[node].boot = 0;
            self.host_down(node, cause, facts);
        }
    }

    /// A kill lets go of hosts: those that nothing else holds boot.
    fn release(&mut self, fault: FaultId, nodes: &[NodeId], cause: FactId) {
        for &node in nodes {
            self.hosts[node].holds.remove(&fault);
            if self.hosts[node].holds.is_empty() {
                self.boot_all(&[node], cause);
            }
        }
    }

    fn boot_all(&mut self, nodes: &[NodeId], cause: FactId) {
        for &node in nodes {
            let stamp = self.stamp();
            let host = &mut self.hosts[node];
            host.holds.clear();
            if host.up || host.boot != 0 || !host.present {
                continue;
            }
            host.boot = stamp;
            self.boot_causes.insert(node, cause);
            self.queue.push(self.now + self.experiment.setting.host.boot, Event::Booted { node, stamp });
        }
    }

    /// Everything on a host stops at once.
    pub(crate) fn host_down(&mut self, node: NodeId, cause: FactId, facts: &mut FactLog) {
        let host = &mut self.hosts[node];
        host.boot = 0;
        if !host.up {
            return;
        }
        host.up = false;
        host.agent_gone_with_host();
        self.memory_lost(node);
        let down = facts.record(self.now, cause, FactKind::HostDown { node });
        self.down_facts[node] = down;
        for pod in std::mem::take(&mut self.hosts[node].pods) {
            self.mark_load(pod, down);
            let Some(row) = self.pods.remove(pod) else { continue };
            let spec = &self.catalog.templates[row.template];
            for (cell, _) in row.cells.iter().enumerate().filter(|(_, cell)| cell.runs()) {
                if let ContainerRef::Main(container) = reference(spec, cell as u8) {
                    facts.record(self.now, down, FactKind::ContainerExited { pod, container, why: Exit::HostLost });
                }
            }
        }
        let host = &mut self.hosts[node];
        host.claims = 0;
        host.touched.clear();
        self.links[node].stamp = 0;
        self.drop_pulls(node);
        self.kill_beats(node);
        self.emit(down, InputKind::HostDown { node });
        self.view_lost(node, down);
        self.reach_changed(&[node], down);
    }

    /// A host has booted and its agent starts.
    pub(crate) fn on_booted(&mut self, node: NodeId, stamp: Stamp, facts: &mut FactLog) {
        if self.hosts[node].boot != stamp {
            return;
        }
        let host = &mut self.hosts[node];
        let first = host.up;
        host.boot = 0;
        host.up = true;
        let cause = self.boot_causes.remove(&node).unwrap_or(FactId::NONE);
        let up = facts.record(self.now, cause, FactKind::HostUp { node });
        if !first {
            self.view_regained(node, up);
            self.announce_boot(node, up);
            self.disturb(node);
        }
        self.emit(up, InputKind::HostUp { node });
        self.reach_after(node, up);
    }

    fn saturate(&mut self, fault: FaultId, nodes: &[NodeId], load: CpuLoad, cause: FactId) {
        let all: Vec<NodeId> = self.hosts.ids().collect();
        for node in all {
            let former = self.hosts[node].hogs.remove(&fault);
            let hit = nodes.contains(&node);
            if hit {
                self.hosts[node].hogs.insert(fault, (load, cause));
            }
            if hit || former.is_some() {
                self.hosts[node].why = cause;
                self.disturb(node);
            }
        }
    }

    fn links_changed(&mut self, nodes: &[NodeId], cause: FactId) {
        for &node in nodes {
            self.link_changed(node, cause);
        }
        self.links_redrawn(nodes, cause);
        if !nodes.is_empty() {
            self.mark_links(cause);
        }
    }

    fn crash(&mut self, pods: &[PodId], cause: FactId) {
        for &pod in pods {
            let Some(row) = self.pods.get(pod) else { continue };
            let alive = |(cell, state): (usize, &crate::container::Cell)| {
                (state.phase != Phase::Absent).then_some(CellId { pod, cell: cell as u8 })
            };
            let cells: Vec<CellId> = row.cells.iter().enumerate().filter_map(alive).collect();
            for id in cells {
                self.end(id, Exit::Crashed, cause);
            }
        }
    }
}
