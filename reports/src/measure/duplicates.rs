//! Duplicates: copies that ran although the control plane had given them up with their node, beside their replacement.
//!
//! Ground truth only: a copy counts while one of its containers really runs. Waiting for a polite stop after a drain or
//! a rollout is not a duplicate. Start at [`Duplicates::new`].

use std::collections::BTreeMap;

use shakedown_engine::fact::{Deletion, Fact, FactId, FactKind};
use shakedown_engine::ids::{Id, PodId, WorkloadId};
use shakedown_engine::time::{Span, Time};

use super::pods::Pods;
use crate::run::Run;

/// Time during which places of workloads were filled twice.
pub struct Duplicates {
    /// Summed over places, per workload.
    pub of: BTreeMap<WorkloadId, Span>,
}

/// One place of a workload and who runs in it.
#[derive(Clone, Copy, Default)]
struct Place {
    running: u32,
    /// Of these: given up with their node.
    ghosts: u32,
    since: Time,
}

struct Reader<'a> {
    run: &'a Run,
    pods: &'a Pods,
    place_of: Vec<PodId>,
    places: Vec<Place>,
    /// Running containers of each pod, as a bit set.
    containers: Vec<u64>,
    given_up: Vec<bool>,
    of: BTreeMap<WorkloadId, Span>,
}

impl Duplicates {
    /// Adds up the overlaps.
    pub fn new(run: &Run, pods: &Pods) -> Self {
        let mut reader = Reader {
            run,
            pods,
            place_of: pods.places(),
            places: vec![Place::default(); pods.rows()],
            containers: vec![0; pods.rows()],
            given_up: vec![false; pods.rows()],
            of: BTreeMap::new(),
        };
        for fact in &run.facts {
            reader.take(fact);
        }
        for (pod, _) in pods.iter() {
            reader.settle(pod, run.end);
        }
        Self { of: reader.of }
    }
}

impl Reader<'_> {
    fn take(&mut self, fact: &Fact) {
        match fact.kind {
            FactKind::ContainerStarted { pod, container, .. } => {
                self.run_mask(fact.at, pod, |mask| mask | bit(container));
            }
            FactKind::ContainerExited { pod, container, .. } => {
                self.run_mask(fact.at, pod, |mask| mask & !bit(container));
            }
            FactKind::PodDeleting { pod, why: Deletion::NodeLost | Deletion::GarbageCollected } => {
                self.give_up(fact.at, pod);
            }
            FactKind::PodFailed { pod } | FactKind::PodDeleted { pod } if self.is_node_lost(fact.cause) => {
                self.give_up(fact.at, pod);
            }
            _ => {}
        }
    }

    fn run_mask(&mut self, at: Time, pod: PodId, change: impl FnOnce(u64) -> u64) {
        let Some(&before) = self.containers.get(pod.index()) else { return };
        let after = change(before);
        self.containers[pod.index()] = after;
        if (before == 0) == (after == 0) {
            return;
        }
        self.settle(pod, at);
        let ghost = u32::from(self.given_up[pod.index()]);
        let place = self.place(pod);
        if after == 0 {
            place.running -= 1;
            place.ghosts -= ghost;
        } else {
            place.running += 1;
            place.ghosts += ghost;
        }
    }

    fn give_up(&mut self, at: Time, pod: PodId) {
        if self.given_up.get(pod.index()).is_none_or(|known| *known) {
            return;
        }
        self.settle(pod, at);
        self.given_up[pod.index()] = true;
        if self.containers[pod.index()] != 0 {
            self.place(pod).ghosts += 1;
        }
    }

    /// Adds what has passed since the last change of the pod's place.
    fn settle(&mut self, pod: PodId, at: Time) {
        let place = self.place(pod);
        let surplus = place.ghosts.min(place.running.saturating_sub(1));
        let passed = at.since(place.since);
        place.since = place.since.max(at);
        if surplus > 0
            && let Some(row) = self.pods.get(pod)
        {
            *self.of.entry(row.workload).or_default() += passed.times(u64::from(surplus));
        }
    }

    fn place(&mut self, pod: PodId) -> &mut Place {
        &mut self.places[self.place_of[pod.index()].index()]
    }

    /// True when a node's health, and nothing about the pod itself, is the nearest cause.
    fn is_node_lost(&self, mut cause: FactId) -> bool {
        const STEPS: usize = 4;
        for _ in 0..STEPS {
            let Some(fact) = self.run.fact(cause) else { return false };
            match fact.kind {
                FactKind::NodeUnhealthy { .. } | FactKind::NodeEvicting { .. } => return true,
                FactKind::ContainerExited { .. } | FactKind::FaultApplied { .. } => return false,
                _ => cause = fact.cause,
            }
        }
        false
    }
}

/// Containers beyond the 64th share the last bit: no pod of a scenario has that many.
fn bit(container: u8) -> u64 {
    1 << container.min(63)
}
