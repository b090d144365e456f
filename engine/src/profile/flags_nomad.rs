//! Flags of Nomad: fields of the agent's configuration, of the scheduler's, of job specifications, and constants.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`]; the lists are joined in `flags.rs`.

use super::{Field, Flag, Kind, VARIANT, field};
use crate::profile::{Choice, Dispatch, FitAlgorithm};

/// Placement and evaluations.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    flag!(
        "raft-apply-latency",
        "Time from a plan's arrival at the leader until it is applied.",
        "measured on 1.1.2: 5-10 ms",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "raft-applies-per-second",
        "Writes a second that the servers sustain; further ones queue.",
        "an assumption",
        Kind::Positive,
        control.store_writes_per_second
    ),
    flag!(
        "blocking-query-lag",
        "Time from a change until those that wait for it with a blocking query have it.",
        "measured on 1.1.2: 5-10 ms",
        Kind::Span,
        control.watch_lag
    ),
    // The scheduler's configuration.
    flag!(
        "scheduler_algorithm",
        "Whether full nodes (binpack) or empty ones (spread) are better.",
        "hashicorp/nomad:nomad/structs/operator.go, SchedulerConfiguration",
        Kind::Word(FitAlgorithm::WORDS),
        in placement.choice, Choice::Sampled(sampled) => sampled.algorithm
    ),
    flag!(
        "node_limit_for_feasibility_checks",
        "Candidates compared for jobs with affinities or spreads, or as many as they have allocations; 0 is all nodes.",
        "hashicorp/nomad:nomad/structs/operator.go",
        Kind::Count,
        in placement.choice, Choice::Sampled(sampled) => sampled.with_preferences
    ),
    flag!(
        "preemption_config.system_scheduler_enabled",
        "System jobs push aside allocations of jobs with a lower priority.",
        "hashicorp/nomad:nomad/structs/operator.go, PreemptionConfig",
        Kind::Switch,
        in placement.choice, Choice::Sampled(sampled) => sampled.preempts.system
    ),
    flag!(
        "preemption_config.sysbatch_scheduler_enabled",
        "System batch jobs push aside allocations of jobs with a lower priority.",
        "hashicorp/nomad:nomad/structs/operator.go, PreemptionConfig",
        Kind::Switch,
        in placement.choice, Choice::Sampled(sampled) => sampled.preempts.sysbatch
    ),
    flag!(
        "preemption_config.service_scheduler_enabled",
        "Service jobs push aside allocations of jobs with a lower priority.",
        "hashicorp/nomad:nomad/structs/operator.go, PreemptionConfig",
        Kind::Switch,
        in placement.choice, Choice::Sampled(sampled) => sampled.preempts.service
    ),
    flag!(
        "preemption_config.batch_scheduler_enabled",
        "Batch jobs push aside allocations of jobs with a lower priority.",
        "hashicorp/nomad:nomad/structs/operator.go, PreemptionConfig",
        Kind::Switch,
        in placement.choice, Choice::Sampled(sampled) => sampled.preempts.batch
    ),
    // Constants of the schedulers.
    flag!(
        "preemption-priority-delta",
        "Jobs of a priority lower by at least this may be pushed aside.",
        "hashicorp/nomad:scheduler/feasible/preemption.go, filterAndGroupPreemptibleAllocs",
        Kind::Count,
        |p| priority_delta(p),
        |p, v| if let Choice::Sampled(sampled) = &mut p.placement.choice {
            sampled.priority_delta = i32::try_from(field::<u32>(v)).unwrap_or(i32::MAX);
        }
    ),
    flag!(
        "candidate-limit",
        "Candidates compared at least, and for batch jobs; services compare the binary logarithm of all nodes.",
        "hashicorp/nomad:scheduler/feasible/stack.go, SetNodes",
        Kind::Positive,
        in placement.choice, Choice::Sampled(sampled) => sampled.least
    ),
    flag!(
        "max-skip",
        "Candidates without a score above zero that are put aside for a further one.",
        "hashicorp/nomad:scheduler/feasible/stack.go, maxSkip",
        Kind::Count,
        in placement.choice, Choice::Sampled(sampled) => sampled.max_skip
    ),
    flag!(
        "zero-affinity-counts",
        "An affinity that comes to zero counts in the mean of scores.",
        "hashicorp/nomad:scheduler/feasible/rank.go, NodeAffinityIterator",
        Kind::Switch,
        in placement.choice, Choice::Sampled(sampled) => sampled.zero_affinity_counts
    ),
    // Evaluations.
    flag!(
        "num_schedulers",
        "Workers of all servers together: one for each core of each server.",
        "hashicorp/nomad:nomad/config.go, NumSchedulers",
        Kind::Positive,
        in dispatch, Dispatch::Evaluations(evaluations) => evaluations.workers
    ),
    flag!(
        "service-schedule-attempts",
        "Attempts of a service's evaluation without progress before it is blocked.",
        "hashicorp/nomad:scheduler/generic_sched.go, maxServiceScheduleAttempts",
        Kind::Positive,
        in dispatch, Dispatch::Evaluations(evaluations) => evaluations.service_attempts
    ),
    flag!(
        "batch-schedule-attempts",
        "The same for batch jobs.",
        "hashicorp/nomad:scheduler/generic_sched.go, maxBatchScheduleAttempts",
        Kind::Positive,
        in dispatch, Dispatch::Evaluations(evaluations) => evaluations.batch_attempts
    ),
    flag!(
        "dequeue-latency",
        "From an evaluation's creation until a worker plans, at least.",
        "measured on 1.1.2: 661 evaluations",
        Kind::Span,
        in dispatch, Dispatch::Evaluations(evaluations) => evaluations.dequeue
    ),
    flag!(
        "dequeue-latency-max",
        "The same at most, when the worker's server is up to date.",
        "measured on 1.1.2: 661 evaluations",
        Kind::Span,
        in dispatch, Dispatch::Evaluations(evaluations) => evaluations.dequeue_max
    ),
    flag!(
        "stale-worker-share",
        "Share of evaluations that are taken by a server whose state is behind.",
        "measured on 1.1.2: about three in ten",
        Kind::Share,
        in dispatch, Dispatch::Evaluations(evaluations) => evaluations.behind
    ),
    flag!(
        "stale-worker-wait",
        "How long such a server waits before it looks again; one in three waits twice.",
        "hashicorp/nomad:nomad/worker.go, snapshotMinIndex: 20 ms, then 320 ms",
        Kind::Span,
        in dispatch, Dispatch::Evaluations(evaluations) => evaluations.behind_wait
    ),
    flag!(
        "scheduling-cost",
        "Time that planning one allocation takes.",
        "recorded on 1.1.2: AllocationTime 30-130 us",
        Kind::Span,
        placement.decision_cost
    ),
];

fn priority_delta(profile: &crate::profile::Profile) -> u32 {
    match &profile.placement.choice {
        Choice::Sampled(sampled) => sampled.priority_delta.unsigned_abs(),
        _ => unreachable!("{VARIANT}"),
    }
}
