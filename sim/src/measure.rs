//! What a metrics server sees of pods, and machines that come and go by order.
//!
//! A sample is the mean over the time since the same autoscaler last asked, which is the window of a metrics server whose
//! resolution is the autoscaler's period (15 s both, by default). Memory and requests are of the moment. Missing are pods
//! that do not run, whose host is down or cut off from the control plane, and pods asked about for the first time: two
//! readings make a rate. Start at [`SimWorld::measure`].

use shakedown_engine::fact::{FactId, FactLog};
use shakedown_engine::ids::{AutoscalerId, NodeId, PodId};
use shakedown_engine::message::{InputKind, Usage};
use shakedown_engine::time::{Span, Time};

use crate::container::Pod;
use crate::cpu::CORE;
use crate::event::Event;
use crate::world::SimWorld;

/// A reading of a pod's CPU clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) by: AutoscalerId,
    at: Time,
    used: u128,
}

impl SimWorld {
    /// Answers an autoscaler.
    pub(crate) fn measure(&mut self, autoscaler: AutoscalerId, pods: &[PodId], cause: FactId) {
        let mut usage: Vec<Usage> = pods.iter().filter_map(|&pod| self.usage(autoscaler, pod)).collect();
        usage.sort_unstable_by_key(|entry| entry.pod);
        self.emit(cause, InputKind::Measured { autoscaler, usage });
    }

    fn usage(&mut self, by: AutoscalerId, pod: PodId) -> Option<Usage> {
        let now = self.now;
        let requests = self.requests_at(pod);
        let row = self.pods.get_mut(pod)?;
        let node = row.node;
        let reachable = self.hosts[node].up && self.net.cut_off(node).is_none();
        if !reachable || !row.cells.iter().any(crate::container::Cell::runs) {
            return None;
        }
        let used = cpu_clock(row, now);
        let new = Reading { by, at: now, used };
        let old = match row.readings.iter_mut().find(|reading| reading.by == by) {
            Some(reading) => std::mem::replace(reading, new),
            None => {
                row.readings.push(new);
                return None;
            }
        };
        let span = u128::from(now.since(old.at).as_nanos()).max(1);
        let micro = (used - old.used) / span;
        let memory = row.cells.iter().map(|cell| cell.memory.bytes(now)).sum();
        Some(Usage { pod, cpu: i64::try_from(micro / u128::from(CORE / 1000)).unwrap_or(i64::MAX), memory, requests })
    }

    /// Requests a second that reach a pod now, in thousandths.
    fn requests_at(&self, pod: PodId) -> i64 {
        let Some(row) = self.pods.get(pod) else { return 0 };
        let load: u64 = row.loads.iter().map(|(_, load)| load).sum();
        let spec = &self.catalog.templates[row.template];
        let cost = self.behaviour(spec.containers[0].image).cpu_per_request.as_nanos();
        // A load is CPU in millionths of a core, which is thousands of nanoseconds a second.
        let rate = u128::from(load) * 1_000_000 / u128::from(cost.max(1));
        i64::try_from(rate).unwrap_or(i64::MAX)
    }

    /// Gets a machine, or gives one back.
    pub(crate) fn order_machine(
        &mut self,
        node: NodeId,
        (wanted, after): (bool, Span),
        cause: FactId,
        facts: &mut FactLog,
    ) {
        self.hosts[node].present = wanted;
        if !wanted {
            return self.host_down(node, cause, facts);
        }
        let stamp = self.stamp();
        let host = &mut self.hosts[node];
        if host.up || !host.holds.is_empty() {
            return;
        }
        host.boot = stamp;
        self.boot_causes.insert(node, cause);
        self.queue.push(self.now + after, Event::Booted { node, stamp });
    }
}

/// What a pod's containers have used so far, in millionths of a core times nanoseconds.
fn cpu_clock(pod: &Pod, now: Time) -> u128 {
    let cell = |cell: &crate::container::Cell| {
        cell.used + u128::from(cell.share) * u128::from(now.since(cell.used_at).as_nanos())
    };
    pod.cells.iter().map(cell).sum()
}
