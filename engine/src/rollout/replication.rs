//! Keeping the number of replicas: how many to create or remove, and which ones go first.
//!
//! It decides about pods by the facts it is handed and never looks them up. Pods that have ended or are on their way
//! out are not handed in: they no longer count. Start at [`diff`] and [`removals`].

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::ids::{NodeId, PodId, ZoneId};
use crate::profile::Removal;
use crate::time::{Span, Time};

/// What brings a revision to its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The number is right.
    Nothing,
    /// So many are missing, as far as one pass may create them.
    Create(u32),
    /// So many are too many, as far as one pass may remove them.
    Remove(u32),
}

/// The change that one pass makes. A `burst` of 0 means that a pass has no bound.
///
/// Source: kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go, `manageReplicas`.
pub fn diff(active: u32, wanted: u32, burst: u32) -> Change {
    let bound = |n: u32| if burst == 0 { n } else { n.min(burst) };
    match active.cmp(&wanted) {
        std::cmp::Ordering::Less => Change::Create(bound(wanted - active)),
        std::cmp::Ordering::Equal => Change::Nothing,
        std::cmp::Ordering::Greater => Change::Remove(bound(active - wanted)),
    }
}

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not started, wherever it is.
    Pending,
    /// Its node does not say.
    Unknown,
    /// Started. Where the orchestrator holds back health-checked replicas, started and healthy.
    Running,
}

/// What the choice of victims needs to know of one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// Which pod.
    pub id: PodId,
    /// Where it is; `None` before it is placed.
    pub node: Option<NodeId>,
    /// The zone of its node.
    pub zone: Option<ZoneId>,
    /// How far it has come.
    pub stage: Stage,
    /// When it became ready; `None` while it is not.
    pub ready_since: Option<Time>,
    /// Lower goes first (annotation `controller.kubernetes.io/pod-deletion-cost`).
    pub deletion_cost: i32,
    /// Active pods of the whole workload, all revisions, on its node. 0 for a revision that no workload owns.
    pub neighbours: u32,
    /// Most restarts of any of its containers.
    pub restarts: u32,
    /// When it was created.
    pub created: Time,
    /// Decides between equals, lower goes first: a UID, which is as good as random, or a slot number.
    pub tie: u64,
}

/// The `count` pods that go first, in the order in which they go. Ranks are taken once, not again after each pod.
pub fn removals(order: Removal, pods: &[PodFacts], count: u32, now: Time) -> Vec<PodId> {
    let sorted = match order {
        Removal::Ranked => ranked(pods, now),
        Removal::RankedExactly => ranked_exactly(pods),
        Removal::Crowded => crowded(pods),
        Removal::Newest => newest(pods),
        Removal::Youngest => youngest(pods),
        Removal::Zones => by_zones(pods),
    };
    sorted.into_iter().take(count as usize).collect()
}

/// Source: kubernetes/kubernetes:pkg/controller/controller_utils.go, `ActivePodsWithRanks.Less`.
///
/// The original lets the UID decide between two pods that became ready in different seconds of one power of two of age,
/// and later rules between two that became ready in the same second. Taken pair by pair that is not transitive, so here
/// pods of one second stay together, and the lowest UID among them decides where.
fn ranked(pods: &[PodFacts], now: Time) -> Vec<PodId> {
    let mut lowest: BTreeMap<Option<Time>, u64> = BTreeMap::new();
    for pod in pods {
        let tie = lowest.entry(pod.ready_since.map(whole_second)).or_insert(pod.tie);
        *tie = pod.tie.min(*tie);
    }
    let mut sorted: Vec<&PodFacts> = pods.iter().collect();
    sorted.sort_by_cached_key(|pod| {
        let placement = (pod.node.is_some(), pod.stage, pod.ready_since.is_some());
        let preference = (pod.deletion_cost, Reverse(pod.neighbours));
        let second = pod.ready_since.map(whole_second);
        let readiness = (second.map(|at| age_bucket(at, now)), lowest[&second], second);
        let age = (Reverse(pod.restarts), age_bucket(whole_second(pod.created), now));
        (placement, preference, readiness, age, pod.tie, pod.id)
    });
    sorted.into_iter().map(|pod| pod.id).collect()
}

/// Source: kubernetes/kubernetes:pkg/controller/controller_utils.go of 1.20, `ActivePodsWithRanks.Less`.
fn ranked_exactly(pods: &[PodFacts]) -> Vec<PodId> {
    let mut sorted: Vec<&PodFacts> = pods.iter().collect();
    sorted.sort_by_key(|pod| {
        let placement = (pod.node.is_some(), pod.stage, pod.ready_since.is_some());
        let age =
            (Reverse(pod.ready_since.map(whole_second)), Reverse(pod.restarts), Reverse(whole_second(pod.created)));
        (placement, Reverse(pod.neighbours), age, pod.tie, pod.id)
    });
    sorted.into_iter().map(|pod| pod.id).collect()
}

/// What was created last goes first.
fn newest(pods: &[PodFacts]) -> Vec<PodId> {
    let mut sorted: Vec<&PodFacts> = pods.iter().collect();
    sorted.sort_by_key(|pod| Reverse((pod.tie, pod.created, pod.id)));
    sorted.into_iter().map(|pod| pod.id).collect()
}

/// Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/deployment/ScalingProposition.scala,
/// `sortByConditionAndDate` with the default `killSelection`.
fn youngest(pods: &[PodFacts]) -> Vec<PodId> {
    let mut sorted: Vec<&PodFacts> = pods.iter().collect();
    sorted.sort_by_key(|pod| {
        let condition = match pod.stage {
            Stage::Unknown => 0,
            Stage::Pending => 1,
            Stage::Running => 2,
        };
        (condition, Reverse(pod.created), Reverse(pod.id))
    });
    sorted.into_iter().map(|pod| pod.id).collect()
}

/// The API keeps times in whole seconds.
fn whole_second(at: Time) -> Time {
    at - Span::from_nanos(at.as_nanos() % Span::from_secs(1).as_nanos())
}

/// Powers of two of the age in nanoseconds; `None`, the youngest, for no age at all.
fn age_bucket(since: Time, now: Time) -> Option<u32> {
    now.since(since).as_nanos().checked_ilog2()
}

/// Unplaced first, then from the nodes with most, so that what stays is spread; on one node first what does not run.
///
/// Source: moby/swarmkit:manager/orchestrator/replicated/services.go and slot.go. Ties between nodes are arbitrary
/// there; here the highest slot goes first.
fn crowded(pods: &[PodFacts]) -> Vec<PodId> {
    let mut kept_first: Vec<&PodFacts> = pods.iter().collect();
    kept_first.sort_by_key(|pod| (Reverse(pod.stage == Stage::Running), pod.tie, pod.id));
    let mut on_node: BTreeMap<NodeId, u32> = BTreeMap::new();
    let mut numbered: Vec<(u32, PodId)> = Vec::with_capacity(pods.len());
    for pod in kept_first {
        let nth = match pod.node {
            None => u32::MAX,
            Some(node) => {
                let copies = on_node.entry(node).or_default();
                *copies += 1;
                *copies
            }
        };
        numbered.push((nth, pod.id));
    }
    // Stable: within one number the order above stays.
    numbered.sort_by_key(|&(nth, _)| nth);
    numbered.into_iter().rev().map(|(_, id)| id).collect()
}

/// What does not run first; then from the zones with most, so that zones stay even, and inside a zone by chance.
///
/// Source: awsdocs/amazon-ecs-developer-guide:doc_source/ecs_services.md, service scheduler concepts.
fn by_zones(pods: &[PodFacts]) -> Vec<PodId> {
    let mut kept_first: Vec<&PodFacts> = pods.iter().collect();
    kept_first.sort_by_key(|pod| (Reverse(pod.stage == Stage::Running), pod.tie, pod.id));
    let mut in_zone: BTreeMap<Option<ZoneId>, u32> = BTreeMap::new();
    let mut numbered: Vec<(u32, PodId)> = Vec::with_capacity(pods.len());
    for pod in kept_first {
        let copies = in_zone.entry(pod.zone).or_default();
        *copies += 1;
        numbered.push((if pod.stage == Stage::Running { *copies } else { u32::MAX }, pod.id));
    }
    numbered.sort_by_key(|&(nth, _)| nth);
    numbered.into_iter().rev().map(|(_, id)| id).collect()
}

#[cfg(test)]
#[path = "replication_tests.rs"]
mod tests;
