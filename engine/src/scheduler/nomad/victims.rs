//! Who has to make way on one node: the lowest priorities first, and of those the closest in size.
//!
//! It evicts nobody. Two habits of the original are kept: what the job's own replicas take on the node does not count,
//! so a plan can come out that does not fit and is refused; and of equal distances the first is taken, in an order that
//! is random there (ids of allocations) and the order of pods here. The original means to spare jobs that lose more than
//! may migrate at once (`maxParallelPenalty`), but never counts them: planned preemptions carry no task group
//! (`Plan.AppendPreemptedAlloc`), as recorded. Ports are never made free. Start at
//! [`Scheduler::victims`].
//!
//! Source: hashicorp/nomad:scheduler/feasible/preemption.go, `PreemptForTaskGroup`.

use super::Ask;
use crate::ids::{Id, NodeId, PodId};
use crate::profile::Sampled;
use crate::scheduler::Scheduler;

/// Priority of jobs that do not say one. Source: hashicorp/nomad:nomad/structs/structs.go, `JobDefaultPriority`.
const DEFAULT_PRIORITY: i32 = 50;
/// Source: the same, `JobMaxPriority` of 1.1 (later 32,766).
const MAX_PRIORITY: i32 = 32_766;

/// CPU, memory and disk.
type Amounts = [i64; 3];

/// A replica that might make way.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    pod: PodId,
    priority: i32,
    amounts: Amounts,
}

/// A priority as jobs have it: nothing said is 50.
fn priority(declared: i32) -> i32 {
    if declared == 0 { DEFAULT_PRIORITY } else { declared.clamp(1, MAX_PRIORITY) }
}

/// How far a size is from what is needed.
///
/// Source: preemption.go, `basicResourceDistance`.
fn distance(needed: Amounts, size: Amounts) -> f64 {
    let coordinate = |i: usize| {
        if needed[i] > 0 { (needed[i] as f64 - size[i] as f64) / needed[i] as f64 } else { 0.0 }
    };
    // The original adds memory, CPU and disk, in this order.
    let squares: f64 = [1, 0, 2].into_iter().map(|i| coordinate(i) * coordinate(i)).sum();
    libm::sqrt(squares)
}

fn covers(available: Amounts, asked: Amounts) -> bool {
    (0..asked.len()).all(|i| asked[i] <= available[i])
}

fn add(to: &mut Amounts, amounts: Amounts) {
    (0..amounts.len()).for_each(|i| to[i] += amounts[i]);
}

impl Scheduler {
    /// The priority of a placed pod's job.
    pub(super) fn rank_of(&self, pod: PodId) -> i32 {
        let seat = self.seats[pod.index()].expect("a pod that makes way has a place");
        priority(self.classes[seat.class].priority)
    }

    /// Who has to make way on a node for the pod to fit; `None` when all that may go is not enough.
    pub(super) fn victims(&self, ask: Ask, node: NodeId, policy: &Sampled) -> Option<Vec<PodId>> {
        let demand = &self.classes[ask.class].demand;
        if !self.usage.ports_free(demand, node.index()) {
            return None;
        }
        let asked = [demand.cpu, demand.memory, demand.ephemeral];
        let (free, candidates) = self.may_go(ask, node, policy);
        let chosen = lowest_and_closest(asked, free, candidates)?;
        Some(without_superfluous(asked, free, chosen))
    }

    /// What is free, the job's own replicas not counted, and who may go, lowest priority first.
    fn may_go(&self, ask: Ask, node: NodeId, policy: &Sampled) -> (Amounts, Vec<Candidate>) {
        let [_, cpu, memory, disk] = self.usage.free_amounts(node.index());
        let mut free = [cpu, memory, disk];
        let own = priority(self.classes[ask.class].priority);
        let mut candidates = Vec::new();
        for occupant in self.roster.on(node) {
            if self.seats[occupant.pod.index()].is_none_or(|seat| seat.given_up) {
                continue;
            }
            let class = &self.classes[occupant.class];
            let amounts = [class.demand.cpu, class.demand.memory, class.demand.ephemeral];
            if class.workload.is_some() && class.workload == ask.workload {
                add(&mut free, amounts);
                continue;
            }
            let priority = priority(occupant.priority);
            if own - priority >= policy.priority_delta {
                candidates.push(Candidate { pod: occupant.pod, priority, amounts });
            }
        }
        candidates.sort_by_key(|candidate| (candidate.priority, candidate.pod));
        (free, candidates)
    }
}

/// The lowest priorities first, of those the closest to what is still needed.
fn lowest_and_closest(asked: Amounts, free: Amounts, from: Vec<Candidate>) -> Option<Vec<Candidate>> {
    let (mut available, mut needed, mut chosen) = (free, asked, Vec::new());
    let mut groups: Vec<Vec<Candidate>> = Vec::new();
    for candidate in from {
        match groups.last_mut().filter(|group| group[0].priority == candidate.priority) {
            Some(group) => group.push(candidate),
            None => groups.push(vec![candidate]),
        }
    }
    for mut group in groups {
        while !group.is_empty() {
            let mut closest = (0, f64::MAX);
            for (i, candidate) in group.iter().enumerate() {
                let far = distance(needed, candidate.amounts);
                if far < closest.1 {
                    closest = (i, far);
                }
            }
            let victim = group.swap_remove(closest.0);
            add(&mut available, victim.amounts);
            add(&mut needed, victim.amounts.map(|amount| -amount));
            chosen.push(victim);
            if covers(available, asked) {
                return Some(chosen);
            }
        }
    }
    None
}

/// The farthest first, until it is enough: who is left over stays.
///
/// Source: preemption.go, `filterSuperset`.
fn without_superfluous(asked: Amounts, free: Amounts, mut chosen: Vec<Candidate>) -> Vec<PodId> {
    chosen.sort_by(|a, b| {
        let far = |candidate: &Candidate| distance(asked, candidate.amounts);
        far(b).total_cmp(&far(a)).then(a.pod.cmp(&b.pod))
    });
    let mut available = free;
    let mut victims = Vec::new();
    for victim in chosen {
        victims.push(victim.pod);
        add(&mut available, victim.amounts);
        if covers(available, asked) {
            break;
        }
    }
    victims
}
