//! Probes: periodic questions to containers, answered only when the answer changes.
//!
//! Thresholds are the agent's business. The world works out the answer from the container's phase and CPU whenever
//! one of them changes, and plans an ask only if it would come out differently. Start at `review_probes`.
//!
//! Assumptions: an answer takes a loopback round trip, the image's own waiting time, and its CPU time at the speed
//! that the container would get for a moment; a command (`exec`) also costs the start of a process. Each pod's pace
//! differs by up to a fifth, so that not all flip at one level of load. A failure is known at the time-out.

use shakedown_chaos::setting::Defect;
use shakedown_engine::fact::FactId;
use shakedown_engine::message::{InputKind, RuntimeEvent};
use shakedown_engine::model::{Probe, ProbeKind, ProbeRole};
use shakedown_engine::time::{Span, Time};

use crate::container::{Cell, Phase, Pod, declared, slot_of};
use crate::cpu::{CORE, proportion};
use crate::event::{CellId, Event, Stamp};
use crate::world::SimWorld;

/// From the agent to a container on its own host and back.
const LOOPBACK: Span = Span::from_micros(100);
/// CPU time of starting a process in a container (runc exec: tens of milliseconds).
const EXEC_CPU: Span = Span::from_millis(50);

/// A standing probe.
#[derive(Clone, Debug)]
pub(crate) struct Probing {
    role: ProbeRole,
    first: Time,
    last: Option<bool>,
    stamp: Stamp,
    /// An ask or its answer is under way.
    pending: bool,
    cause: FactId,
}

impl SimWorld {
    /// Begins to probe; a probe of the same role is replaced.
    pub(crate) fn begin_probe(&mut self, id: CellId, role: ProbeRole, first: Time, cause: FactId) {
        let stamp = self.stamp();
        let now = self.now;
        let Some(pod) = self.pods.get_mut(id.pod) else { return };
        let cell = &mut pod.cells[usize::from(id.cell)];
        if !cell.runs() || declared(&self.catalog.templates[pod.template], id.cell).probe(role).is_none() {
            return;
        }
        let probing = Probing { role, first, last: None, stamp, pending: true, cause };
        let index = cell.probes.iter().position(|p| p.role == role).unwrap_or(cell.probes.len());
        match cell.probes.get_mut(index) {
            Some(old) => *old = probing,
            None => cell.probes.push(probing),
        }
        self.queue.push(first.max(now), Event::Ask { cell: id, probe: index as u8, stamp });
    }

    /// Plans an ask for each probe of a container that would now be answered differently.
    pub(crate) fn review_probes(&mut self, id: CellId) {
        let count = self.pods.get(id.pod).map_or(0, |pod| pod.cells[usize::from(id.cell)].probes.len());
        for index in 0..count {
            let Some((pod, probe, probing)) = self.probing(id, index) else { continue };
            let answer = self.answer(pod, id, probe).is_some();
            if probing.pending || probing.last == Some(answer) {
                continue;
            }
            let at = self.now.max(probing.first).next_tick(probe.period, phase(probing.first, probe.period));
            let stamp = self.stamp();
            let probing = self.probing_mut(id, index);
            probing.stamp = stamp;
            probing.pending = true;
            self.queue.push(at, Event::Ask { cell: id, probe: index as u8, stamp });
        }
    }

    /// A probe asks: the answer is decided now and arrives later.
    pub(crate) fn on_ask(&mut self, id: CellId, index: u8, stamp: Stamp) {
        let Some((pod, probe, probing)) = self.probing(id, usize::from(index)) else { return };
        if probing.stamp != stamp {
            return;
        }
        let answer = self.answer(pod, id, probe);
        if probing.last == Some(answer.is_some()) {
            self.probing_mut(id, usize::from(index)).pending = false;
            return;
        }
        let at = self.now + answer.unwrap_or(probe.timeout);
        self.queue.push(at, Event::Answer { cell: id, probe: index, stamp, ok: answer.is_some() });
    }

    /// A probe's answer arrives.
    pub(crate) fn on_answer(&mut self, id: CellId, index: u8, stamp: Stamp, ok: bool) {
        let Some((pod, _, probing)) = self.probing(id, usize::from(index)) else { return };
        if probing.stamp != stamp {
            return;
        }
        let (node, role) = (pod.node, probing.role);
        let starving = self.hosts[node].hog().map(|hog| hog.1).filter(|_| !ok && probing.last == Some(true));
        let cause = starving.unwrap_or(probing.cause);
        let container = slot_of(&self.catalog.templates[pod.template], id.cell);
        let probing = self.probing_mut(id, usize::from(index));
        probing.pending = false;
        probing.last = Some(ok);
        let event = RuntimeEvent::Probed { pod: id.pod, container, role, ok };
        self.emit(cause, InputKind::Runtime { node, event });
        self.review_probes(id);
    }

    /// How long an answer takes, `None` when there is none in time.
    fn answer(&self, pod: &Pod, id: CellId, probe: &Probe) -> Option<Span> {
        let cell = &pod.cells[usize::from(id.cell)];
        let image = declared(&self.catalog.templates[pod.template], id.cell).image;
        let behaviour = self.behaviour(image);
        if !matches!(cell.phase, Phase::Running | Phase::Hook)
            || behaviour.defect == Defect::NeverReady
            || self.now >= cell.hangs_at
        {
            return None;
        }
        let process = if probe.kind == ProbeKind::Exec { EXEC_CPU } else { Span::ZERO };
        let work = slowed(behaviour.cpu_per_request + process, cell);
        let service = (work + behaviour.wait_per_request).permille(pod.pace);
        let total = LOOPBACK + service;
        (total <= probe.timeout).then_some(total)
    }

    fn probing(&self, id: CellId, index: usize) -> Option<(&Pod, &Probe, &Probing)> {
        let pod = self.pods.get(id.pod)?;
        let probing = pod.cells[usize::from(id.cell)].probes.get(index)?;
        let probe = declared(&self.catalog.templates[pod.template], id.cell).probe(probing.role)?;
        Some((pod, probe, probing))
    }

    fn probing_mut(&mut self, id: CellId, index: usize) -> &mut Probing {
        let pod = self.pods.get_mut(id.pod).expect("the caller has just seen this probe");
        &mut pod.cells[usize::from(id.cell)].probes[index]
    }
}

/// CPU time of one answer at the speed that the container has: its momentary share, and its queue when overloaded.
pub(crate) fn slowed(work: Span, cell: &Cell) -> Span {
    if cell.burst >= CORE && cell.demand <= cell.share {
        return work;
    }
    let alone = proportion(work.as_nanos(), CORE, cell.burst.max(1)).max(work.as_nanos());
    let queued = if cell.demand > cell.share { proportion(alone, cell.demand, cell.share.max(1)) } else { alone };
    Span::from_nanos(queued)
}

fn phase(first: Time, period: Span) -> Span {
    Span::from_nanos(if period.is_zero() { 0 } else { first.as_nanos() % period.as_nanos() })
}
