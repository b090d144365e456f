//! Runs a workload: pods through the queue, decisions, preemption, and what goes on meanwhile.
//!
//! The loop is that of the engine's control plane without its store: a pod that is placed is bound at once, and the
//! victims of a preemption, whose grace period is 0 in these tests, are gone at once. Start at [`Drive::run`].

use std::sync::Arc;

use shakedown_engine::ids::{Id, NodeId, PodId, TemplateId};
use shakedown_engine::model::Catalog;
use shakedown_engine::profile::{Placement, Profile};
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::scheduler::queue::{Event, SchedulingQueue};
use shakedown_engine::scheduler::{NoBudgets, NodeState, Outcome, Preemption, Request, Scheduler};
use shakedown_engine::time::{Span, Time};

use super::world::World;
use super::{Meanwhile, PodKind, Workload};

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Measured pods that were placed.
    pub placed: usize,
    /// Attempts, those of other pods included.
    pub attempts: u64,
    /// Attempts that found no node.
    pub refused: u64,
    /// Pods that were evicted for others.
    pub victims: u64,
}

/// A workload at work.
pub struct Drive {
    catalog: Arc<Catalog>,
    scheduler: Scheduler,
    queue: SchedulingQueue,
    placement: Placement,
    now: Time,
    /// All pods so far, by id.
    pods: Vec<Request>,
    measured: Vec<TemplateId>,
    /// The first measured pod, and the first one after the measured ones.
    range: (usize, usize),
    meanwhile: Meanwhile,
    next_disturbance: Option<Time>,
    extra: Option<TemplateId>,
    extra_node: Option<NodeId>,
    /// The pod that comes and goes with that node.
    extra_pod: Option<PodId>,
    /// The next initial pod to delete.
    next_deleted: usize,
    tally: Tally,
}

impl Drive {
    /// A workload of so many nodes whose initial pods have their places.
    pub fn new(workload: &Workload, nodes: usize, profile: &Profile) -> Self {
        let world = World::of(workload, nodes);
        let catalog = Arc::new(world.catalog);
        let stream = Streams::new(1).stream(Purpose::Scheduler, 0);
        let mut scheduler = Scheduler::new(Arc::clone(&catalog), profile.placement.clone(), stream);
        for (id, node) in catalog.nodes.iter().filter(|(id, _)| Some(*id) != world.extra_node) {
            scheduler.set_node(id, NodeState { taints: node.taints.clone(), unschedulable: node.unschedulable });
        }
        let mut drive = Self {
            catalog,
            scheduler,
            queue: SchedulingQueue::new(profile.queue.clone()),
            placement: profile.placement.clone(),
            now: Time::ZERO,
            pods: Vec::new(),
            measured: world.measured,
            range: (0, 0),
            meanwhile: workload.meanwhile,
            next_disturbance: None,
            extra: world.extra,
            extra_node: world.extra_node,
            extra_pod: None,
            next_deleted: 0,
            tally: Tally::default(),
        };
        for (kind, template) in world.init {
            // A gated pod is no business of the queue until its gates are gone.
            if kind != PodKind::Gated {
                drive.create(template);
            }
        }
        while drive.step() {}
        drive.range = (drive.pods.len(), drive.pods.len() + drive.measured.len());
        drive.tally = Tally::default();
        drive
    }

    /// Creates all measured pods at once and places them. Ends when all have a place, or when nothing can help the rest.
    pub fn run(&mut self) -> Tally {
        for template in std::mem::take(&mut self.measured) {
            self.create(template);
        }
        self.next_disturbance = self.period().map(|period| self.now + period);
        let wanted = self.range.1 - self.range.0;
        while self.tally.placed < wanted && self.step() {}
        self.tally
    }

    fn period(&self) -> Option<Span> {
        match self.meanwhile {
            Meanwhile::Nothing => None,
            Meanwhile::Create(_, millis) | Meanwhile::Recreate(millis) => Some(Span::from_millis(millis)),
            Meanwhile::Delete(per_second) => Some(Span::from_micros(1_000_000 / per_second)),
        }
    }

    fn create(&mut self, template: TemplateId) -> PodId {
        let pod = PodId::from_index(self.pods.len());
        self.pods.push(Request { pod, template, workload: None, only: None });
        self.queue.add(pod, self.catalog.templates[template].priority, self.now);
        pod
    }

    /// One decision, or a leap to the next thing that can change something. False when there is none.
    fn step(&mut self) -> bool {
        while self.next_disturbance.is_some_and(|at| at <= self.now) {
            self.disturb();
        }
        if let Some(pod) = self.queue.pop(self.now) {
            self.decide(pod);
            return true;
        }
        // Pods that fit nowhere wait for ever, and only deletions could still help them.
        match self.queue.next_wake() {
            Some(at) if self.queue.counts().backoff > 0 => self.now = self.now.max(at),
            _ => return false,
        }
        true
    }

    fn decide(&mut self, pod: PodId) {
        let request = self.pods[pod.index()];
        self.tally.attempts += 1;
        let outcome = self.scheduler.place(&request);
        let looked_at = match &outcome {
            Outcome::Placed { looked_at, .. } => *looked_at,
            Outcome::Refused(refusal) => refusal.looked_at,
        };
        self.now += self.placement.decision_cost + self.placement.decision_cost_per_node.times(u64::from(looked_at));
        match outcome {
            Outcome::Placed { node, .. } => {
                self.queue.remove(pod);
                self.scheduler.charge(&request, node);
                self.scheduler.set_started(pod, self.now);
                self.queue.on_event(Event::PodAdded, self.now);
                self.tally.placed += usize::from((self.range.0..self.range.1).contains(&pod.index()));
            }
            Outcome::Refused(refusal) => {
                self.tally.refused += 1;
                let preemption = self.scheduler.preempt(&request, &NoBudgets);
                self.queue.refused(pod, refusal.filters(), self.now);
                if let Preemption::Found(found) = preemption {
                    let victims = found.chosen();
                    self.scheduler.nominate(&request, victims.node);
                    victims.pods.iter().for_each(|&victim| self.delete(victim));
                    self.tally.victims += victims.pods.len() as u64;
                }
            }
        }
    }

    fn delete(&mut self, pod: PodId) {
        self.queue.remove(pod);
        self.scheduler.withdraw(pod);
        if let Some(node) = self.scheduler.place_of(pod) {
            self.scheduler.release(&self.pods[pod.index()], node);
            self.queue.on_event(Event::PodReleased, self.now);
        }
    }

    /// What goes on meanwhile, once.
    fn disturb(&mut self) {
        let at = self.next_disturbance.expect("it is due");
        self.next_disturbance = self.period().map(|period| at + period);
        match self.meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Create(..) => {
                let extra = self.extra.expect("the world has a template for it");
                self.create(extra);
            }
            Meanwhile::Recreate(_) => self.recreate(),
            Meanwhile::Delete(_) if self.next_deleted < self.range.0 => {
                let pod = PodId::from_index(self.next_deleted);
                self.next_deleted += 1;
                self.delete(pod);
            }
            Meanwhile::Delete(_) => {}
        }
    }

    /// The node and the pod come if they are away, and go if they are there.
    fn recreate(&mut self) {
        let node = self.extra_node.expect("the world has a node for it");
        match self.extra_pod.take() {
            None => {
                self.scheduler.set_node(node, NodeState::default());
                self.queue.on_event(Event::NodeAdded, self.now);
                let extra = self.extra.expect("the world has a template for it");
                self.extra_pod = Some(self.create(extra));
            }
            Some(pod) => {
                self.delete(pod);
                self.scheduler.remove_node(node);
                self.queue.on_event(Event::NodeRemoved, self.now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::WORKLOADS;
    use super::*;

    #[test]
    fn every_workload_places_all_its_pods() {
        let profile = Profile::named("kubernetes").expect("it is built in");
        for workload in WORKLOADS {
            let nodes = workload.nodes.min(50);
            let wanted = workload.scaled(workload.measured.1, nodes);
            let tally = Drive::new(workload, nodes, &profile).run();
            assert_eq!(tally.placed, wanted, "{}: {tally:?}", workload.full_name());
        }
    }

    #[test]
    fn a_preemptor_needs_three_of_four_pods_gone() {
        let profile = Profile::named("kubernetes").expect("it is built in");
        let basic = WORKLOADS.iter().find(|workload| workload.name == "PreemptionBasic").expect("it is in the table");
        let tally = Drive::new(basic, 20, &profile).run();
        assert_eq!((tally.placed, tally.victims), (20, 60));
    }
}
