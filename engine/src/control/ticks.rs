//! A scheduler that waits for a quiet moment and then decides on everything that waits, all that is alike together.
//!
//! Each commit of the store starts its wait anew, up to a limit. Nothing happens while nothing waits for a node. How a
//! group is dealt out is in [`crate::scheduler::alike`]. Start at [`Control::tick`].
//! Source: moby/swarmkit:manager/scheduler/scheduler.go, `run`, `tick` and `noSuitableNode`.

use std::collections::BTreeMap;

use crate::control::{Control, Cx, PodPhase};
use crate::fact::{FactKind, Note, Subject, Unsuitable};
use crate::ids::{PodId, TemplateId, WorkloadId};
use crate::profile::{Dispatch, Filter};
use crate::scheduler::queue::Event;
use crate::scheduler::{Refusal, Request};
use crate::time::Time;

/// When the scheduler looks next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Debounce {
    started: Time,
    fires: Time,
}

impl Control {
    /// The store has a commit: whoever waits for a quiet moment waits on.
    pub(super) fn commit_heard(&mut self, now: Time) {
        let Dispatch::Ticks { gap, at_most } = self.profile.dispatch else { return };
        let wait = &mut self.scheduling.debounce;
        if now >= wait.fires {
            *wait = Debounce { started: now, fires: now + gap };
        } else if now.since(wait.started) > at_most {
            wait.fires = now;
        } else {
            wait.fires = now + gap;
        }
    }

    /// The earliest time of the next look at what is ready.
    pub(super) fn quiet_at(&self) -> Time {
        match self.profile.dispatch {
            Dispatch::Queue
            | Dispatch::Rounds { .. }
            | Dispatch::Offers(_)
            | Dispatch::Auction { .. }
            | Dispatch::Evaluations(_) => Time::ZERO,
            Dispatch::Ticks { .. } => self.scheduling.debounce.fires,
        }
    }

    /// Decides on all that wait: what was made for one node first, then groups of what is alike.
    pub(super) fn tick(&mut self, cx: &mut Cx<'_>) {
        self.scheduling.scheduler.tell_time(cx.now);
        let mut groups: BTreeMap<(WorkloadId, TemplateId), Vec<PodId>> = BTreeMap::new();
        let mut single = Vec::new();
        while let Some(pod) = self.scheduling.queue.pop(cx.now) {
            let row = &self.pods[pod];
            if row.pinned.is_some() || self.catalog.templates[row.template].group.is_some() {
                single.push(pod);
            } else {
                groups.entry((row.workload, row.template)).or_default().push(pod);
            }
        }
        for pod in single {
            self.decide(cx, pod);
        }
        let mut groups: Vec<Vec<PodId>> = groups.into_values().collect();
        self.scheduling.luck.shuffle(&mut groups);
        for group in groups {
            self.decide_alike(cx, &group);
        }
    }

    fn decide_alike(&mut self, cx: &mut Cx<'_>, group: &[PodId]) {
        if let Some(attempts) = &mut self.scheduling.attempts {
            attempts.extend(group.iter().map(|&pod| (cx.now, pod)));
        }
        let mut requests: Vec<Request> = group.iter().map(|&pod| self.request(pod)).collect();
        // Which of them comes first is chance.
        self.scheduling.luck.shuffle(&mut requests);
        let dealt = self.scheduling.scheduler.place_alike(&requests);
        let placement = &self.profile.placement;
        let cost = placement.decision_cost.times(group.len() as u64)
            + placement.decision_cost_per_node.times(u64::from(dealt.looked_at));
        self.scheduling.free_at = self.scheduling.free_at.max(cx.now) + cost;
        for &(request, node) in &dealt.placed {
            self.scheduling.queue.remove(request.pod);
            self.scheduling.refused.remove(&request.pod);
            self.pods[request.pod].assumed = Some(node);
        }
        for &(request, node) in &dealt.placed {
            self.bind(cx, request.pod, node);
        }
        let Some(refusal) = &dealt.refusal else { return };
        for request in &requests[dealt.placed.len()..] {
            self.explain_refusal(cx, request.pod, refusal);
            self.tell_refusal(cx, request.pod, refusal);
            self.scheduling.queue.refused(request.pod, refusal.filters(), cx.now);
        }
        if let Some((first, _)) = dealt.placed.first() {
            self.pod_moved(cx, Event::PodAdded, first.pod);
        }
    }

    /// A pod failed: schedulers that mind avoid its node for a while.
    pub(super) fn failed_on_node(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        if let Some(node) = self.pods[pod].node {
            let request = self.request(pod);
            self.scheduling.scheduler.failed_on(&request, node, cx.now);
        }
    }

    /// Why a pod found no node in the words of such schedulers, told when it changes.
    fn explain_refusal(&mut self, cx: &mut Cx<'_>, pod: PodId, refusal: &Refusal) {
        let counts = (refusal.insufficient_resources, refusal.refused_otherwise);
        if self.scheduling.refused.get(&pod) == Some(&counts) && self.pods[pod].phase == PodPhase::Unschedulable {
            return;
        }
        let count = |filters: &[Filter]| -> u16 {
            let sum: u32 = filters.iter().map(|&filter| refusal.count(filter)).sum();
            u16::try_from(sum).unwrap_or(u16::MAX)
        };
        let why = Unsuitable {
            unavailable: count(&[Filter::NodeUnschedulable, Filter::TaintToleration]),
            full: count(&[Filter::NodeResourcesFit]),
            unfit: count(&[Filter::NodeAffinity, Filter::NodeName]),
            port_taken: count(&[Filter::NodePorts]),
            enough: count(&[Filter::MaxPerNode]),
        };
        let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::NoSuitableNode(why) };
        let cause = self.pods[pod].last_fact;
        self.pods[pod].last_fact = cx.facts.record(cx.now, cause, kind);
    }
}
