//! Plain counts over a run: evictions, restarts, replacements, broken properties, waits for rate limits.
//!
//! Start at [`Tally::new`].

use std::collections::BTreeMap;

use shakedown_engine::fact::{Client, FactKind, Property};
use shakedown_engine::ids::{PodId, WorkloadId};
use shakedown_engine::time::{Span, Time};

use super::measurements::is_eviction;
use super::pods::Pods;
use crate::run::Run;

/// A number for each workload that has any.
pub type PerWorkload = BTreeMap<WorkloadId, u32>;

/// Counts of one run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Deletions because of a lost node.
    pub evictions: PerWorkload,
    /// Containers started again in the same pod.
    pub restarts: PerWorkload,
    /// Pods created to stand in for a lost one.
    pub replacements: PerWorkload,
    /// Broken properties, in the order in which they were noticed.
    pub violations: Vec<(Time, Property, u32)>,
    /// Clients that waited for their rate limit, and how long at most.
    pub throttled: BTreeMap<Client, Span>,
    /// When nothing was left to do after the last fault.
    pub converged: Option<Time>,
}

impl Tally {
    /// Counts.
    pub fn new(run: &Run, pods: &Pods) -> Self {
        let mut tally = Self::default();
        for fact in &run.facts {
            match fact.kind {
                FactKind::PodDeleting { pod, .. } if is_eviction(&fact.kind) => bump(&mut tally.evictions, pods, pod),
                FactKind::ContainerStarted { pod, restarts, .. } if restarts > 0 => {
                    bump(&mut tally.restarts, pods, pod);
                }
                FactKind::Violated { property, subject } => tally.violations.push((fact.at, property, subject)),
                FactKind::Throttled { client, wait } => {
                    let longest = tally.throttled.entry(client).or_default();
                    *longest = (*longest).max(wait);
                }
                FactKind::Converged => tally.converged = Some(fact.at),
                _ => {}
            }
        }
        for (_, pod) in pods.iter().filter(|(_, pod)| pod.replaces.is_some()) {
            *tally.replacements.entry(pod.workload).or_default() += 1;
        }
        tally
    }
}

fn bump(counts: &mut PerWorkload, pods: &Pods, pod: PodId) {
    if let Some(row) = pods.get(pod) {
        *counts.entry(row.workload).or_default() += 1;
    }
}
