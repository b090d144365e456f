//! Choices among few nodes, on small clusters.

use crate::profile::{FitAlgorithm, Formula, Preempts, Sampled, Stopped};

/// As in 1.1.
pub(in crate::scheduler) fn policy() -> Sampled {
    Sampled {
        algorithm: FitAlgorithm::Binpack,
        formula: Formula::Mean,
        least: 2,
        with_preferences: 0,
        max_skip: 3,
        zero_affinity_counts: false,
        stopped: Stopped::AtOnce,
        priority_delta: 10,
        preempts: Preempts { system: true, service: false, batch: false, sysbatch: false },
    }
}
