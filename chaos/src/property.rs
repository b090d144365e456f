//! Properties: what must hold while a run goes on, whatever the experiment does.
//!
//! They look at the control plane's view, never at engine internals, and they sample: placement and lost pods every
//! 30 s while facts are recorded, convergence every second once the timeline has come to rest. A breach shorter than
//! its grid can be missed; one that is reported did happen. Each is reported once a subject.
//!
//! - **No overcommit**: on no node do the requests of bound pods exceed what it can give, in CPU, memory or number.
//! - **No lost pod**: no workload has fewer replicas than wanted, with nobody at work on it and no rollout under way,
//!   for longer than [`PATIENCE`]; and no pod waits for a scheduler that, in that time, neither bound nor judged
//!   anything. That time is more than any back-off, resync or rate limit of a profile leaves an idle controller.
//!   Bare pods are left out: nobody promised to replace them.
//! - **Converges**: within the experiment's bound after the last fault is lifted (or, for faults without an end and
//!   for operations, applied), each existing workload has as many replicas as wanted, all ready, of its newest version
//!   and none on a dead host. Pods that wait for lack of capacity are not ready, so a scenario that ends beyond
//!   capacity sets no bound. [`FactKind::Converged`] also wants every host to run and be seen healthy, but for those that an entry without an
//!   end holds down, and
//!   [`SETTLING`] to pass since the last blow: what is broken but not yet noticed looks whole.
//!
//! Start at [`Monitor::check`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::fact::{FactId, FactKind, FactLog, Note, Property, Subject};
use shakedown_engine::ids::{Id, NodeId, PodId, WorkloadId};
use shakedown_engine::model::WorkloadKind;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::{PodPhase, PodView, WorkloadView};

use crate::director::Director;
use crate::scene::Scene;

/// Idleness that a controller or scheduler with work to do is granted before its pods count as lost.
pub const PATIENCE: Span = Span::from_secs(60);
/// After a blow (a fault applied or lifted, a host down or up, a container ended) the control plane's view is not
/// believed for so long: an agent that looks every second and a report on its way fit in well.
pub const SETTLING: Span = Span::from_secs(5);
/// How often placement and lost pods are looked at.
const GRID: Span = Span::from_secs(30);
/// How often convergence is looked at.
const FINE_GRID: Span = Span::from_secs(1);

/// What holds a pod back before any node is looked at.
const HOLDS: [Note; 4] = [Note::SchedulingGated, Note::NoSuchScheduler, Note::ClaimNotFound, Note::WaitingForGroup];

/// Watches one run.
#[derive(Clone, Debug)]
pub struct Monitor {
    within: Option<Span>,
    next: Time,
    fine: Time,
    converged: bool,
    /// The bound on convergence has been judged.
    overdue: bool,
    looked: u32,
    heard: Hearsay,
    short: BTreeMap<WorkloadId, Time>,
    waiting: Vec<PodId>,
    waiting_since: Time,
    broken: BTreeSet<(Property, u32)>,
}

/// What the facts say that the control plane's view does not.
#[derive(Clone, Debug, Default)]
struct Hearsay {
    /// Facts read so far.
    read: usize,
    /// Hosts that are dead.
    down: BTreeSet<NodeId>,
    /// The last blow.
    blow: Time,
    /// Pods found unschedulable: they wait with a reason, also while their back-off runs.
    judged: BTreeSet<PodId>,
    /// Workloads whose newest creation the API server refused: what they miss is missing with a reason.
    refused: BTreeSet<WorkloadId>,
}

impl Monitor {
    /// A monitor at the start of a run that must converge within this, if at all.
    pub fn new(within: Option<Span>) -> Self {
        Self {
            within,
            next: Time::ZERO + GRID,
            fine: Time::ZERO,
            converged: false,
            overdue: false,
            looked: 0,
            heard: Hearsay::default(),
            short: BTreeMap::new(),
            waiting: Vec::new(),
            waiting_since: Time::ZERO,
            broken: BTreeSet::new(),
        }
    }

    /// When it must look next.
    pub fn next_time(&self, director: &Director) -> Time {
        match director.settled() {
            Some(settled) if !self.converged => self.next.min(self.fine.max(settled + FINE_GRID)),
            _ => self.next,
        }
    }

    /// Whether everything came to rest after the timeline did.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Looks at what is due at `now`. The log must keep its facts.
    pub fn check(&mut self, now: Time, scene: &dyn Scene, director: &Director, facts: &mut FactLog) {
        let settled = director.settled().filter(|_| !self.converged && now >= self.fine);
        if let Some(settled) = settled {
            self.fine = now + FINE_GRID;
            self.heard.listen(facts);
            self.check_convergence(Rest { now, settled, director }, scene, facts);
        }
        if now < self.next {
            return;
        }
        self.next = (now + Span::from_nanos(1)).next_tick(GRID, Span::ZERO);
        if facts.count() == self.looked && self.short.is_empty() && self.waiting.is_empty() {
            return;
        }
        self.heard.listen(facts);
        let mut breaches = overcommitted(scene);
        breaches.extend(self.lost(now, scene));
        for breach in breaches {
            self.report(now, director.last_fact(), breach, facts);
        }
        self.looked = facts.count();
    }

    fn check_convergence(&mut self, rest: Rest<'_>, scene: &dyn Scene, facts: &mut FactLog) {
        let is_deadline = !self.overdue && self.within.is_some_and(|within| rest.now.since(rest.settled) > within);
        let calm = rest.now.since(rest.settled.max(self.heard.blow)) >= SETTLING;
        let mut open: BTreeSet<WorkloadId> =
            existing(scene).filter(|workload| !is_complete(workload)).map(|workload| workload.id).collect();
        // Pods number thousands: they are looked at only when they decide something.
        if !is_deadline && (!calm || !open.is_empty()) {
            return;
        }
        open.extend(self.on_dead_hosts(scene, rest.director));
        if open.is_empty() && calm && self.hosts_are_seen_as_they_are(scene, rest.director) {
            self.converged = true;
            facts.record(rest.now, rest.director.last_fact(), FactKind::Converged);
        } else if is_deadline {
            self.overdue = true;
            for workload in open {
                self.report(rest.now, rest.director.last_fact(), (Property::Converges, workload.0), facts);
            }
        }
    }

    /// Workloads with replicas that count although their host is dead, or out of the control plane's reach.
    fn on_dead_hosts(&self, scene: &dyn Scene, director: &Director) -> BTreeSet<WorkloadId> {
        let lost = |node| self.heard.down.contains(&node) || director.cuts_off(node);
        if !scene.catalog().nodes.ids().any(lost) {
            return BTreeSet::new();
        }
        let dead = |pod: &PodView| !pod.deleting && pod.node.is_some_and(lost);
        scene.pods().filter(dead).map(|pod| pod.workload).collect()
    }

    /// Every host within reach is seen healthy, and every other one is meant to be lost and seen so. Of nodes that were
    /// removed nothing is seen.
    fn hosts_are_seen_as_they_are(&self, scene: &dyn Scene, director: &Director) -> bool {
        scene.catalog().nodes.ids().all(|node| {
            let down = self.heard.down.contains(&node);
            let lost = down || director.cuts_off(node);
            let seen = scene.node(node);
            (!seen.exists || seen.healthy != lost) && (!down || director.holds_down(node))
        })
    }

    /// Workloads short of replicas, or with waiting pods, for which nobody has moved for too long.
    fn lost(&mut self, now: Time, scene: &dyn Scene) -> Vec<(Property, u32)> {
        let idle = existing(scene).filter(is_neglected).map(|workload| workload.id);
        let idle: Vec<WorkloadId> = idle.filter(|workload| !self.heard.refused.contains(workload)).collect();
        self.short.retain(|workload, _| idle.contains(workload));
        for workload in idle {
            self.short.entry(workload).or_insert(now);
        }
        let overdue = self.short.iter().filter(|(_, since)| now.since(**since) > PATIENCE);
        let mut lost: BTreeSet<WorkloadId> = overdue.map(|(&workload, _)| workload).collect();
        let waits = |pod: &PodView| pod.phase == PodPhase::Queued && !pod.deleting;
        let waiting: Vec<(PodId, WorkloadId)> = scene
            .pods()
            .filter(|pod| waits(pod) && !self.heard.judged.contains(&pod.id))
            .map(|pod| (pod.id, pod.workload))
            .collect();
        if !waiting.iter().map(|pair| pair.0).eq(self.waiting.iter().copied()) {
            self.waiting_since = now;
            self.waiting = waiting.iter().map(|pair| pair.0).collect();
        } else if !waiting.is_empty() && now.since(self.waiting_since) > PATIENCE {
            lost.extend(waiting.iter().map(|pair| pair.1));
        }
        lost.into_iter().map(|workload| (Property::NoLostPod, workload.0)).collect()
    }

    fn report(&mut self, now: Time, cause: FactId, breach: (Property, u32), facts: &mut FactLog) {
        if self.broken.insert(breach) {
            facts.record(now, cause, FactKind::Violated { property: breach.0, subject: breach.1 });
        }
    }
}

impl Hearsay {
    /// Reads the facts recorded since the last time.
    fn listen(&mut self, facts: &FactLog) {
        for fact in &facts.facts()[self.read..] {
            match fact.kind {
                FactKind::PodUnschedulable { pod, .. } => drop(self.judged.insert(pod)),
                FactKind::Noted { subject: Subject::Pod(pod), note } if HOLDS.contains(&note) => {
                    self.judged.insert(pod);
                }
                FactKind::CreationRefused { workload, .. } => drop(self.refused.insert(workload)),
                FactKind::PodCreated { workload, .. } => drop(self.refused.remove(&workload)),
                FactKind::PodBound { pod, .. } | FactKind::PodDeleted { pod } => drop(self.judged.remove(&pod)),
                FactKind::HostDown { node } => drop(self.down.insert(node)),
                FactKind::HostUp { node } => drop(self.down.remove(&node)),
                _ => {}
            }
            let blow = matches!(
                fact.kind,
                FactKind::HostDown { .. } | FactKind::HostUp { .. } | FactKind::ContainerExited { .. }
            );
            self.blow = if blow { fact.at } else { self.blow };
        }
        self.read = facts.facts().len();
    }
}

/// When the timeline came to rest, and what still holds.
#[derive(Clone, Copy)]
struct Rest<'a> {
    now: Time,
    settled: Time,
    director: &'a Director,
}

fn existing(scene: &dyn Scene) -> impl Iterator<Item = WorkloadView> + '_ {
    let promised = |id: &WorkloadId| scene.catalog().workloads[*id].kind != WorkloadKind::Pod;
    let ids = scene.catalog().workloads.ids().filter(move |id| promised(id));
    ids.map(|id| scene.workload(id)).filter(|workload| workload.exists)
}

fn is_complete(workload: &WorkloadView) -> bool {
    let counts = [workload.active, workload.ready, workload.updated];
    counts.iter().all(|&count| count == workload.desired) && !workload.rolling
}

fn is_neglected(workload: &WorkloadView) -> bool {
    workload.active < workload.desired && !workload.working && !workload.rolling
}

fn overcommitted(scene: &dyn Scene) -> Vec<(Property, u32)> {
    let nodes = scene.catalog().nodes.iter();
    nodes
        .filter(|(id, spec)| {
            let view = scene.node(*id);
            view.requested_cpu > spec.allocatable.cpu.0
                || view.requested_memory > spec.allocatable.memory.0
                || view.pods > spec.max_pods
        })
        .map(|(id, _)| (Property::NoOvercommit, u32::try_from(id.index()).expect("an id is 32 bits wide")))
        .collect()
}

#[cfg(test)]
mod tests;
