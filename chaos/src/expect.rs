//! Expectations: what a run is judged by.

use std::fmt;

/// One line of `expect:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// What is measured.
    pub metric: Metric,
    /// Of which service, workload or fault label; `None`: of all together.
    pub of: Option<String>,
    /// Which value of the distribution, for metrics that have one.
    pub statistic: Statistic,
    /// What it must be.
    pub bound: Bound,
    /// Only under these orchestrators. Empty: all.
    pub only: Vec<String>,
}

/// What a run measures. Definitions are in the `reports` crate, one file a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Fault until the control plane marks the first (statistic: each) hit node or pod. Span.
    TimeToDetect,
    /// Fault until each lost replica's replacement is bound and started. Span per replica.
    TimeToReschedule,
    /// Fault until each lost replica's replacement is ready. Span per replica.
    TimeToRecover,
    /// Good requests of all requests. Ratio; of a service, or the worst one.
    Availability,
    /// Requests that were not answered. Count.
    LostRequests,
    /// Longest time without a ready replica, per workload. Span.
    Downtime,
    /// Length of each rollout. Span.
    RolloutDuration,
    /// Least available replicas during rollouts, as a share of the wanted. Ratio.
    RolloutAvailability,
    /// Pods evicted because of their node's health. Count.
    Evictions,
    /// Pods unscheduled at the end. Count.
    Pending,
    /// Longest time during which more copies ran than wanted because of a lost node. Span, summed over replicas.
    DuplicateTime,
    /// Container restarts in place. Count.
    Restarts,
    /// Replacements of pods, whatever the reason. Count.
    Replacements,
    /// Highest number of replicas of one workload on one node. Count.
    MaxPerNode,
    /// Different nodes on which replicas were ever placed. Count.
    NodesUsed,
    /// Replicas that were missing, each for as long as it was. Span, summed over replicas, per workload.
    MissingTime,
    /// Share of requests answered by a newer revision. Ratio.
    NewRevisionShare,
    /// Pods that made room for others of higher priority. Count.
    Preemptions,
    /// Pods moved away by drains and other uses of the eviction API. Count.
    DrainEvictions,
    /// Pods ended by their node's agent for want of memory or disk. Count.
    PressureEvictions,
    /// Pods deleted for a taint that somebody set. Count.
    TaintEvictions,
    /// Evictions that a budget refused, each pod told once a drain. Count.
    RefusedEvictions,
    /// Times that the creation of pods or the change of a workload began to be refused, whatever the number of tries. Count.
    RefusedCreations,
    /// Containers killed for want of memory. Count.
    OomKills,
    /// Jobs that completed, each run of a cron job on its own. Count.
    JobCompletions,
    /// Jobs that gave up. Count.
    JobFailures,
    /// Creation until completion. Span per job; a job that failed, and one of its own that never ended, never completed.
    JobDuration,
    /// Changes of replicas by autoscalers. Count.
    AutoscalerMoves,
    /// Machines that the cluster autoscaler asked for. Count.
    MachinesAdded,
    /// Machines that it gave back. Count.
    MachinesRemoved,
    /// Properties that were broken. Count.
    Violations,
}

/// A value of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statistic {
    /// Smallest.
    Min,
    /// Half are below.
    P50,
    /// Nine of ten are below.
    P90,
    /// 99 of 100 are below.
    P99,
    /// Largest.
    #[default]
    Max,
    /// Mean.
    Mean,
}

/// What a measured value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Less than.
    Below(Quantity),
    /// At most.
    AtMost(Quantity),
    /// At least.
    AtLeast(Quantity),
    /// More than.
    Above(Quantity),
    /// From the first to the second, both included.
    Between(Quantity, Quantity),
    /// Exactly.
    Equals(Quantity),
    /// It must not happen at all: nothing was measured (a time to detect that never came, say).
    Never,
}

/// A measured or demanded value: its unit is that of its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(pub u64);

/// Units of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Span,
    /// Millionths.
    Ratio,
    /// A whole number.
    Count,
}

impl Metric {
    /// All metrics.
    pub const ALL: &'static [Self] = &[
        Self::TimeToDetect,
        Self::TimeToReschedule,
        Self::TimeToRecover,
        Self::Availability,
        Self::LostRequests,
        Self::Downtime,
        Self::RolloutDuration,
        Self::RolloutAvailability,
        Self::Evictions,
        Self::Pending,
        Self::DuplicateTime,
        Self::Restarts,
        Self::Replacements,
        Self::MaxPerNode,
        Self::NodesUsed,
        Self::MissingTime,
        Self::NewRevisionShare,
        Self::Preemptions,
        Self::DrainEvictions,
        Self::PressureEvictions,
        Self::TaintEvictions,
        Self::RefusedEvictions,
        Self::RefusedCreations,
        Self::OomKills,
        Self::JobCompletions,
        Self::JobFailures,
        Self::JobDuration,
        Self::AutoscalerMoves,
        Self::MachinesAdded,
        Self::MachinesRemoved,
        Self::Violations,
    ];

    /// Its name in scenario files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeToDetect => "time_to_detect",
            Self::TimeToReschedule => "time_to_reschedule",
            Self::TimeToRecover => "time_to_recover",
            Self::Availability => "availability",
            Self::LostRequests => "lost_requests",
            Self::Downtime => "downtime",
            Self::RolloutDuration => "rollout_duration",
            Self::RolloutAvailability => "rollout_availability",
            Self::Evictions => "evictions",
            Self::Pending => "pending",
            Self::DuplicateTime => "duplicate_time",
            Self::Restarts => "restarts",
            Self::Replacements => "replacements",
            Self::MaxPerNode => "max_per_node",
            Self::NodesUsed => "nodes_used",
            Self::MissingTime => "missing_time",
            Self::NewRevisionShare => "new_revision_share",
            Self::Preemptions => "preemptions",
            Self::DrainEvictions => "drain_evictions",
            Self::PressureEvictions => "pressure_evictions",
            Self::TaintEvictions => "taint_evictions",
            Self::RefusedEvictions => "refused_evictions",
            Self::RefusedCreations => "refused_creations",
            Self::OomKills => "oom_kills",
            Self::JobCompletions => "job_completions",
            Self::JobFailures => "job_failures",
            Self::JobDuration => "job_duration",
            Self::AutoscalerMoves => "autoscaler_moves",
            Self::MachinesAdded => "machines_added",
            Self::MachinesRemoved => "machines_removed",
            Self::Violations => "violations",
        }
    }

    /// The metric called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|m| m.name() == name)
    }

    /// Its unit.
    pub fn unit(self) -> Unit {
        match self {
            Self::TimeToDetect
            | Self::TimeToReschedule
            | Self::TimeToRecover
            | Self::Downtime
            | Self::RolloutDuration
            | Self::JobDuration
            | Self::MissingTime
            | Self::DuplicateTime => Unit::Span,
            Self::Availability | Self::RolloutAvailability | Self::NewRevisionShare => Unit::Ratio,
            Self::LostRequests
            | Self::Evictions
            | Self::Pending
            | Self::Restarts
            | Self::Replacements
            | Self::MaxPerNode
            | Self::NodesUsed
            | Self::Preemptions
            | Self::DrainEvictions
            | Self::PressureEvictions
            | Self::TaintEvictions
            | Self::RefusedEvictions
            | Self::RefusedCreations
            | Self::OomKills
            | Self::JobCompletions
            | Self::JobFailures
            | Self::AutoscalerMoves
            | Self::MachinesAdded
            | Self::MachinesRemoved
            | Self::Violations => Unit::Count,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
