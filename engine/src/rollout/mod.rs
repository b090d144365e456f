//! Rollouts and replica counts: what should change next, decided from counts alone.
//!
//! Each file is one policy and holds pure functions: they are given the counts of the old and the new replicas, the
//! parameters and the elapsed times, and return the next step. Nothing here creates or deletes a pod, reads a clock or
//! keeps what it was told; controllers do. Start at [`surge`] for Kubernetes and at [`slots`] for Swarm.

pub mod cron;
pub mod daemon;
pub mod deployment;
pub mod job;
pub mod proportional;
pub mod recreate;
pub mod replace;
pub mod replication;
pub mod reschedule;
pub mod slots;
pub mod stateful;
pub mod surge;

use crate::ids::RevisionId;

/// Counts of one revision of a workload. Ids grow with age: of two revisions the smaller id is the older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevisionState {
    /// Which revision.
    pub id: RevisionId,
    /// Replicas that it is asked to have (`spec.replicas`).
    pub wanted: u32,
    /// Replicas that it has, without those that are on their way out (`status.replicas`).
    pub active: u32,
    /// Replicas on their way out; their containers may still run.
    pub terminating: u32,
    /// Of the active ones: ready.
    pub ready: u32,
    /// Of the ready ones: ready for long enough (`minReadySeconds`).
    pub available: u32,
}

impl RevisionState {
    /// A revision that was just created and has no replicas.
    pub const fn empty(id: RevisionId) -> Self {
        Self { id, wanted: 0, active: 0, terminating: 0, ready: 0, available: 0 }
    }
}

/// Replicas that all of `revisions` are asked to have together.
pub fn total_wanted<'a>(revisions: impl IntoIterator<Item = &'a RevisionState>) -> i64 {
    revisions.into_iter().map(|r| i64::from(r.wanted)).sum()
}

/// Back from signed arithmetic to a count.
fn count(n: i64) -> u32 {
    u32::try_from(n).expect("a count of replicas is neither negative nor above the 32-bit limit it started from")
}
