//! The container runtime of every host: starts, stops and ends containers.
//!
//! It decides nothing: no restart, no back-off, no threshold. Durations are drawn per node, run at the speed of the
//! CPU that whoever does the work gets, and are replanned when that changes. Start at `run_op`.
//!
//! Assumptions: the runtime's own work goes at the agent's speed; starting up is one busy thread; a container that has
//! begun to shut down serves no more; its memory is taken when it has started up (see `memory`); an init container that does not
//! say how long it runs ends once started up.

use shakedown_chaos::setting::{Behaviour, Defect, Failing};
use shakedown_engine::fact::{Exit, FactId};
use shakedown_engine::ids::{ImageId, NodeId, PodId, TemplateId};
use shakedown_engine::message::{ContainerRef, InputKind, RuntimeEvent, RuntimeOp};
use shakedown_engine::model::MilliCpu;
use shakedown_engine::rng::Purpose;
use shakedown_engine::time::{Span, Time};

use crate::container::{Cell, Phase, Pod, Work, by_slot, declared, position, reference};
use crate::cpu::CORE;
use crate::event::{CellId, Event, Stamp};
use crate::world::SimWorld;

impl SimWorld {
    /// Carries out an operation on a host that is up.
    pub(crate) fn run_op(&mut self, node: NodeId, op: RuntimeOp, cause: FactId) {
        match op {
            RuntimeOp::Pull { pod, image, always } => self.begin_pull((node, pod), image, always, cause),
            RuntimeOp::Start { pod, template, container } => self.begin_start(node, (pod, template), container, cause),
            RuntimeOp::Stop { pod, container, grace, hook } => self.begin_stop((pod, container), grace, hook, cause),
            RuntimeOp::Probe { pod, container, role, first } => {
                let spec = self.pods.get(pod).map(|row| &self.catalog.templates[row.template]);
                let Some(container) = spec.map(|spec| by_slot(spec, container)) else { return };
                if let Some(id) = self.cell_id(pod, container) {
                    self.begin_probe(id, role, first, cause);
                }
            }
            RuntimeOp::Remove { pod } => self.remove_pod(pod, cause),
            RuntimeOp::RemoveImage { image } => self.remove_image(node, image, cause),
            RuntimeOp::Watch { signal, below } => self.watch_amount(node, signal, below),
            RuntimeOp::Observe => self.observe(node, cause),
        }
    }

    fn begin_start(
        &mut self,
        node: NodeId,
        (pod, template): (PodId, TemplateId),
        container: ContainerRef,
        cause: FactId,
    ) {
        let spec = &self.catalog.templates[template];
        let Some(cell) = position(spec, container) else { return };
        if self.pods.get(pod).is_none() {
            let pace = 800 + self.streams.stream(Purpose::Application, pod.0).below(401);
            self.pods.insert(pod, Pod::new(node, template, spec, pace));
            self.hosts[node].pods.insert(pod);
            self.expose(pod);
        }
        let stamp = self.stamp();
        let mut work = self.draw_runtime(node, self.experiment.setting.host.start);
        let sandbox = self.draw_runtime(node, self.experiment.setting.host.sandbox);
        let now = self.now;
        let Some(row) = self.pods.get_mut(pod) else { return };
        if !std::mem::replace(&mut row.sandbox, true) {
            work += sandbox;
        }
        let state = &mut row.cells[usize::from(cell)];
        if state.phase != Phase::Absent {
            return;
        }
        state.phase = Phase::Creating;
        state.life = stamp;
        state.runs_begun += 1;
        state.cause = cause;
        state.work = Some(Work::new(now, work));
        self.touch(node, CellId { pod, cell });
    }

    fn begin_stop(&mut self, (pod, container): (PodId, ContainerRef), grace: Span, most: Span, cause: FactId) {
        let Some(id) = self.cell_id(pod, container) else { return };
        let (stamp, now) = (self.stamp(), self.now);
        let row = self.pods.get_mut(pod).expect("its cell was just found");
        let hook = declared(&self.catalog.templates[row.template], id.cell).pre_stop.map(|hook| hook.min(most));
        let node = row.node;
        let cell = &mut row.cells[usize::from(id.cell)];
        match cell.phase {
            Phase::Absent => return,
            Phase::Creating => return self.end(id, Exit::Stopped, cause),
            Phase::Warming | Phase::Running | Phase::Hook | Phase::Stopping => {}
        }
        cell.cause = cause;
        if now + grace < cell.kill_at {
            cell.kill = stamp;
            cell.kill_at = now + grace;
            self.queue.push(now + grace, Event::End { cell: id, stamp, why: Exit::Killed });
        }
        match (cell.phase, hook) {
            (Phase::Warming | Phase::Running, Some(hook)) => {
                // A container that is still starting up does not come to serve any more, hook or not.
                cell.phase = if cell.phase == Phase::Running { Phase::Hook } else { Phase::Stopping };
                cell.work = Some(Work::new(now, hook));
                self.touch(node, id);
                self.changed_service(id);
            }
            (Phase::Warming | Phase::Running, None) => self.shut_down(id),
            _ => {}
        }
    }

    fn shut_down(&mut self, id: CellId) {
        let now = self.now;
        let Some((behaviour, idle)) = self.behaviour_of(id).map(|b| (b.shutdown, micro(b.idle_cpu))) else { return };
        let cell = self.cell_mut(id);
        cell.phase = Phase::Stopping;
        cell.work = Some(Work::new(now, behaviour));
        self.stop_growing(id);
        self.set_demand(id, idle);
        self.changed_service(id);
    }

    /// A container's work is done: it comes to its next phase.
    pub(crate) fn on_done(&mut self, id: CellId, stamp: Stamp) {
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let cell = &mut pod.cells[usize::from(id.cell)];
        if cell.done != stamp || cell.work.is_none() {
            return;
        }
        cell.work = None;
        let (cause, ends) = (cell.cause, cell.ends);
        match cell.phase {
            Phase::Creating => self.created(id),
            Phase::Warming => self.warmed(id),
            Phase::Running => self.end(id, ends, cause),
            Phase::Hook => self.shut_down(id),
            Phase::Stopping => self.end(id, Exit::Stopped, cause),
            Phase::Absent => {}
        }
    }

    fn created(&mut self, id: CellId) {
        let now = self.now;
        let Some(behaviour) = self.behaviour_of(id) else { return };
        let (startup, defect) = (behaviour.startup, behaviour.defect);
        let cell = self.cell_mut(id);
        cell.phase = Phase::Warming;
        cell.work = Some(Work::new(now, startup));
        let (stamp, cause) = (cell.life, cell.cause);
        self.report(id, cause, |pod, container| RuntimeEvent::Started { pod, container });
        match defect {
            Defect::Crashes { after } => {
                self.queue.push(now + after, Event::End { cell: id, stamp, why: Exit::Crashed });
            }
            Defect::Hangs { after } => {
                self.cell_mut(id).hangs_at = now + after;
                self.queue.push(now + after, Event::Hang { cell: id, stamp });
            }
            _ => {}
        }
        self.set_demand(id, CORE);
    }

    /// A container hangs, unless it is another one by now.
    pub(crate) fn on_hang(&mut self, id: CellId, stamp: Stamp) {
        let cell = self.pods.get(id.pod).map(|pod| &pod.cells[usize::from(id.cell)]);
        if cell.is_some_and(|cell| cell.life == stamp && matches!(cell.phase, Phase::Running | Phase::Hook)) {
            self.changed_service(id);
        }
    }

    fn warmed(&mut self, id: CellId) {
        let now = self.now;
        let Some(behaviour) = self.behaviour_of(id) else { return };
        let idle = micro(behaviour.idle_cpu);
        let (runs_for, ends) = self.course(id, (behaviour.runs_for, behaviour.fails));
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let spec = &self.catalog.templates[pod.template];
        let init = spec.init.get(usize::from(id.cell)).is_some_and(|init| !init.sidecar);
        let cell = &mut pod.cells[usize::from(id.cell)];
        let cause = cell.cause;
        if init && runs_for.is_none() {
            return self.end(id, Exit::Completed, cause);
        }
        cell.phase = Phase::Running;
        cell.ends = ends;
        cell.work = runs_for.map(|span| Work::new(now, span));
        let load = cell.load;
        self.set_demand(id, idle + load);
        self.changed_service(id);
        self.take_memory(id, cause);
    }

    /// A plan for a container's end comes due.
    pub(crate) fn on_end(&mut self, id: CellId, stamp: Stamp, why: Exit) {
        let Some(pod) = self.pods.get(id.pod) else { return };
        let cell = &pod.cells[usize::from(id.cell)];
        if cell.phase != Phase::Absent && [cell.life, cell.kill, cell.oom].contains(&stamp) {
            self.end(id, why, cell.cause);
        }
    }

    /// A container ends now.
    pub(crate) fn end(&mut self, id: CellId, why: Exit, cause: FactId) {
        self.set_demand(id, 0);
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let cell = &mut pod.cells[usize::from(id.cell)];
        cell.phase = Phase::Absent;
        cell.work = None;
        (cell.life, cell.kill, cell.kill_at) = (0, 0, Time::MAX);
        cell.probes.clear();
        self.report(id, cause, |pod, container| RuntimeEvent::Exited { pod, container, why });
        self.free_memory(id, cause);
        self.mark_load(id.pod, cause);
    }

    fn remove_pod(&mut self, pod: PodId, cause: FactId) {
        let count = self.pods.get(pod).map_or(0, |row| row.cells.len());
        for cell in 0..count {
            self.set_demand(CellId { pod, cell: cell as u8 }, 0);
        }
        self.mark_load(pod, cause);
        for cell in 0..count {
            self.free_memory(CellId { pod, cell: cell as u8 }, cause);
        }
        let Some(row) = self.pods.remove(pod) else { return };
        self.hosts[row.node].pods.remove(&pod);
        let written: Vec<_> = row.cells.iter().map(|cell| cell.disk).collect();
        self.free_disk(row.node, &written, cause);
    }

    /// Plans the end of a container's work at the speed that it now has.
    pub(crate) fn replan(&mut self, id: CellId) {
        let (stamp, now) = (self.stamp(), self.now);
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let host = &self.hosts[pod.node];
        let cell = &mut pod.cells[usize::from(id.cell)];
        let speed = match cell.phase {
            Phase::Absent | Phase::Hook => (1, 1),
            Phase::Creating => fraction(host.agent_share, host.system),
            Phase::Warming => fraction(cell.share, CORE),
            Phase::Running | Phase::Stopping => fraction(cell.share, cell.demand),
        };
        let Some(work) = cell.work.as_mut() else {
            cell.done = 0;
            return;
        };
        if work.speed() == speed && !work.fresh() {
            return;
        }
        work.set_speed(now, speed);
        cell.done = stamp;
        self.queue.push(work.done_at(), Event::Done { cell: id, stamp });
    }

    /// A container began or ceased to serve.
    pub(crate) fn changed_service(&mut self, id: CellId) {
        self.review_probes(id);
        let cause = self.cell_mut(id).cause;
        self.mark_load(id.pod, cause);
    }

    fn report(&mut self, id: CellId, cause: FactId, event: impl FnOnce(PodId, ContainerRef) -> RuntimeEvent) {
        let Some(pod) = self.pods.get(id.pod) else { return };
        let (node, name) = (pod.node, reference(&self.catalog.templates[pod.template], id.cell));
        self.emit(cause, InputKind::Runtime { node, event: event(id.pod, name) });
    }

    /// How long a container runs by itself, and how it ends then. Each run of each pod has luck of its own.
    fn course(&self, id: CellId, (runs_for, fails): (Option<Span>, Option<Failing>)) -> (Option<Span>, Exit) {
        let Some(fails) = fails else { return (runs_for, Exit::Completed) };
        let runs = self.pods.get(id.pod).map_or(0, |pod| pod.cells[usize::from(id.cell)].runs_begun);
        let mut luck = self.streams.stream(Purpose::Outcome, id.pod.0);
        let fail = (0..runs).map(|_| luck.chance(fails.permille)).last().unwrap_or(false);
        match fail {
            true => (fails.after.or(runs_for), Exit::Failed { code: fails.code }),
            false => (runs_for, Exit::Completed),
        }
    }

    fn draw_runtime(&mut self, node: NodeId, (low, high): (Span, Span)) -> Span {
        self.runtime_draws.of(node).span(low, high)
    }

    fn cell_id(&self, pod: PodId, container: ContainerRef) -> Option<CellId> {
        let row = self.pods.get(pod)?;
        position(&self.catalog.templates[row.template], container).map(|cell| CellId { pod, cell })
    }

    fn cell_mut(&mut self, id: CellId) -> &mut Cell {
        let pod = self.pods.get_mut(id.pod).expect("the caller has just seen this container");
        &mut pod.cells[usize::from(id.cell)]
    }

    /// What is in an image.
    pub(crate) fn behaviour(&self, image: ImageId) -> &Behaviour {
        self.experiment.setting.images.get(image).unwrap_or(&self.plain)
    }

    /// What is in a container.
    pub(crate) fn behaviour_of(&self, id: CellId) -> Option<&Behaviour> {
        let pod = self.pods.get(id.pod)?;
        Some(self.behaviour(declared(&self.catalog.templates[pod.template], id.cell).image))
    }
}

/// A demand in millionths of a core.
pub(crate) fn micro(cpu: MilliCpu) -> u64 {
    u64::try_from(cpu.0).unwrap_or(0) * (CORE / 1000)
}

/// A speed: full when everything wanted is there, never quite zero.
fn fraction(share: u64, wanted: u64) -> (u64, u64) {
    if share >= wanted { (1, 1) } else { (share.max(1), wanted) }
}
