//! The scores of one node as pure functions, in the floating-point steps of the original.
//!
//! Start at [`Scores::total`].
//!
//! Source: hashicorp/nomad:nomad/structs/funcs.go (`ScoreFitBinPack`, `ScoreFitSpread`), scheduler/feasible/rank.go.

use crate::profile::{FitAlgorithm, Formula, Sampled};

/// The best value of a fit. Source: rank.go, `binPackingMaxFitScore`.
const MAX_FIT: f64 = 18.0;
/// What each replica of a service on the node costs in sums. Source: hashicorp/nomad@v0.8.7:scheduler/stack.go.
const SERVICE_PENALTY: f64 = 20.0;
/// The same for batch jobs.
const BATCH_PENALTY: f64 = 10.0;
/// What a node that the replica failed on costs in sums.
const FAILED_PENALTY: f64 = 50.0;

/// Amounts of one kind on a node.
#[derive(Clone, Copy, Debug)]
pub(in crate::scheduler) struct Amount {
    /// Taken, the pod included.
    pub(in crate::scheduler) used: i64,
    /// What may be handed out.
    pub(in crate::scheduler) whole: i64,
}

/// What each scorer gave a node; `None`: it did not apply, and is no part of the mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeScores {
    /// How well the pod fits (`binpack`, whatever the algorithm).
    pub fit: f64,
    /// Replicas of the job already there (`job-anti-affinity`).
    pub anti_affinity: Option<f64>,
    /// The pod's chain failed there before (`node-reschedule-penalty`).
    pub penalty: Option<f64>,
    /// Weights of affinities that match (`node-affinity`).
    pub affinity: Option<f64>,
    /// Spread over attributes (`allocation-spread`).
    pub spread: Option<f64>,
    /// Priorities of those that make way (`preemption`).
    pub preemption: Option<f64>,
}

impl NodeScores {
    /// What a system job looks at: the fit alone.
    #[must_use]
    pub fn of_system(self) -> Self {
        Self { fit: self.fit, ..Self::default() }
    }

    /// The one number by which nodes are compared.
    pub fn total(&self, formula: Formula) -> f64 {
        let others = [self.anti_affinity, self.penalty, self.affinity, self.spread, self.preemption];
        let (mut sum, mut number) = (self.fit, 1.0);
        for score in others.into_iter().flatten() {
            sum += score;
            number += 1.0;
        }
        match formula {
            Formula::Mean => sum / number,
            Formula::Sum => sum,
        }
    }
}

/// How well a pod fits on a node with these amounts.
pub(super) fn fit(cpu: Amount, memory: Amount, policy: &Sampled) -> f64 {
    let free = |amount: Amount| 1.0 - amount.used as f64 / amount.whole as f64;
    let total = libm::pow(10.0, free(cpu)) + libm::pow(10.0, free(memory));
    let score = match policy.algorithm {
        FitAlgorithm::Binpack => 20.0 - total,
        FitAlgorithm::Spread => total - 2.0,
    };
    // A node without memory or CPU gives no number; it counts as full.
    let bounded = if score > MAX_FIT || score.is_nan() { MAX_FIT } else { score.max(0.0) };
    match policy.formula {
        Formula::Mean => bounded / MAX_FIT,
        Formula::Sum => bounded,
    }
}

/// What replicas of the job that are on the node already cost.
pub(super) fn anti_affinity(there: u32, wanted: u32, batch: Batch, formula: Formula) -> Option<f64> {
    let penalty = match (formula, batch) {
        (Formula::Mean, _) => -(f64::from(there) + 1.0) / f64::from(wanted.max(1)),
        (Formula::Sum, Batch::No) => -f64::from(there) * SERVICE_PENALTY,
        (Formula::Sum, Batch::Yes) => -f64::from(there) * BATCH_PENALTY,
    };
    (there > 0).then_some(penalty)
}

/// What a node costs that the pod's chain failed on.
pub(super) const fn failed_before(formula: Formula) -> f64 {
    match formula {
        Formula::Mean => -1.0,
        Formula::Sum => -FAILED_PENALTY,
    }
}

/// Whether a job runs to completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scheduler) enum Batch {
    /// It does.
    Yes,
    /// It serves.
    No,
}

/// Weights of affinities that match, of the sum of all.
pub(super) fn affinity(matching: i64, all: i64, policy: &Sampled) -> Option<f64> {
    let score = matching as f64 / all as f64;
    (all > 0 && (matching != 0 || policy.zero_affinity_counts)).then_some(score)
}

/// The fewer and the lower those that make way, the better.
///
/// Source: rank.go, `netPriority` and `preemptionScore`.
pub(super) fn preemption(priorities: &[i32]) -> Option<f64> {
    let max = f64::from(*priorities.iter().max()?);
    let sum: i64 = priorities.iter().map(|&priority| i64::from(priority)).sum();
    let net = max + sum as f64 / max;
    Some(1.0 / (1.0 + libm::exp(0.0048 * (net - 2048.0))))
}

/// How many feasible nodes a service looks at among `nodes`: the binary logarithm, rounded up.
pub(super) const fn logarithm(nodes: usize) -> usize {
    if nodes < 2 { 0 } else { (usize::BITS - (nodes - 1).leading_zeros()) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(algorithm: FitAlgorithm, formula: Formula) -> Sampled {
        Sampled { algorithm, formula, ..crate::scheduler::nomad::tests::policy() }
    }

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }

    #[test]
    fn fit_is_as_recorded() {
        // Recorded on 1.1.2: problem 0, 1500 of 2000 MHz and 256 of 8192 MB on empty nodes, and its neighbours.
        let at = |cpu: (i64, i64), memory: (i64, i64)| {
            let amount = |(used, whole)| Amount { used, whole };
            fit(amount(cpu), amount(memory), &policy(FitAlgorithm::Binpack, Formula::Mean))
        };
        close(at((1000, 4000), (2048, 8192)), (20.0 - 2.0 * libm::pow(10.0, 0.75)) / 18.0);
        close(at((8000, 4000), (16384, 8192)), 1.0);
        close(at((0, 4000), (0, 8192)), 0.0);
        let spread = policy(FitAlgorithm::Spread, Formula::Sum);
        close(fit(Amount { used: 0, whole: 1 }, Amount { used: 0, whole: 1 }, &spread), 18.0);
    }

    #[test]
    fn anti_affinity_grows_with_replicas_and_shrinks_with_the_count() {
        assert_eq!(anti_affinity(0, 3, Batch::No, Formula::Mean), None);
        close(anti_affinity(1, 3, Batch::No, Formula::Mean).unwrap_or_default(), -2.0 / 3.0);
        assert_eq!(anti_affinity(2, 3, Batch::No, Formula::Sum), Some(-40.0));
        assert_eq!(anti_affinity(2, 3, Batch::Yes, Formula::Sum), Some(-20.0));
    }

    #[test]
    fn what_does_not_apply_is_no_part_of_the_mean() {
        let scores = NodeScores { fit: 0.5, anti_affinity: Some(-0.5), ..NodeScores::default() };
        close(scores.total(Formula::Mean), 0.0);
        close(NodeScores { fit: 0.5, ..NodeScores::default() }.total(Formula::Mean), 0.5);
        let sum = NodeScores { fit: 9.0, penalty: Some(-50.0), ..NodeScores::default() };
        close(sum.total(Formula::Sum), -41.0);
    }

    #[test]
    fn preemption_prefers_low_priorities() {
        let score = |priorities: &[i32]| preemption(priorities).unwrap_or_default();
        assert!(score(&[20]) > score(&[20, 20]) && score(&[20, 20]) > score(&[50]));
        assert_eq!(preemption(&[]), None);
    }

    #[test]
    fn a_service_looks_at_the_logarithm() {
        let of = |nodes| logarithm(nodes);
        assert_eq!([of(0), of(1), of(2), of(5), of(8), of(9), of(1000), of(5000)], [0, 0, 1, 3, 3, 4, 10, 13]);
    }
}
