//! Workloads: named things that keep replicas running.

use crate::ids::{Symbol, TemplateId};
use crate::labels::Selector;
use crate::model::Wishes;
use crate::time::Span;

/// A workload as declared.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
    /// Name, unique in its namespace.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// What kind of object it was declared as.
    pub kind: WorkloadKind,
    /// What only some kinds have.
    pub details: Details,
    /// Wanted replicas.
    pub replicas: u32,
    /// First revision's template.
    pub template: TemplateId,
    /// Which pods are its own.
    pub selector: Selector,
    /// How it moves to a new template.
    pub strategy: Strategy,
    /// A pod counts as available after it was ready this long.
    pub min_ready: Span,
    /// Rollout without progress for this long is reported as stalled. `None`: the profile's default.
    pub progress_deadline: Option<Span>,
    /// Old revisions kept for undo. `None`: the profile's default.
    pub history_limit: Option<u32>,
    /// Rollouts are paused from the start.
    pub paused: bool,
    /// False for a workload that the timeline creates later.
    pub at_start: bool,
    /// What its author says about its treatment in words of another orchestrator than Kubernetes.
    pub wishes: Wishes,
}

impl WorkloadSpec {
    /// A deployment of one replica that exists from the start and leaves everything to the profile.
    pub fn deployment(name: Symbol, namespace: Symbol, template: TemplateId, selector: Selector) -> Self {
        Self {
            name,
            namespace,
            kind: WorkloadKind::Deployment,
            details: Details::None,
            replicas: 1,
            template,
            selector,
            strategy: Strategy::Default,
            min_ready: Span::ZERO,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
            wishes: Wishes::default(),
        }
    }
}

/// What kind of object a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// Replicas with revisions and rollouts.
    Deployment,
    /// Replicas of one fixed template.
    ReplicaSet,
    /// A single pod that nobody replaces.
    Pod,
    /// Replicas with names that come and go in order. [`Details::Stateful`].
    StatefulSet,
    /// One pod on each fitting node. [`Details::Daemon`].
    DaemonSet,
    /// Pods that run to completion. [`Details::Job`].
    Job,
    /// Jobs at set times; each job is a revision. [`Details::Cron`].
    CronJob,
}

/// What only some kinds of workloads have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// Nothing.
    None,
    /// Of a `StatefulSet`.
    Stateful(StatefulSpec),
    /// Of a `DaemonSet`.
    Daemon(DaemonSpec),
    /// Of a `Job`.
    Job(JobSpec),
    /// Of a `CronJob`.
    Cron(CronSpec),
}

/// A `StatefulSet`.
/// Defaults: kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatefulSpec {
    /// Replicas come and go without waiting for each other (`podManagementPolicy: Parallel`).
    pub parallel: bool,
    /// Only ordinals from this one on are updated.
    pub partition: u32,
    /// Pods change only when they are deleted by hand (`updateStrategy: OnDelete`).
    pub on_delete: bool,
    /// Replicas away during an update (feature `MaxUnavailableStatefulSet`); 1 by default.
    pub max_unavailable: Amount,
    /// The first ordinal (`ordinals.start`).
    pub first: u32,
    /// Claims of each ordinal below the largest number of replicas the scenario reaches: `claims[template][ordinal]`.
    pub claims: Vec<Vec<crate::ids::ClaimId>>,
    /// Claims of ordinals that are scaled away are deleted (`persistentVolumeClaimRetentionPolicy.whenScaled`).
    pub delete_claims_when_scaled: bool,
}

/// A `DaemonSet`.
/// Defaults: kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go (1 unavailable, no surge).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSpec {
    /// Pods away during an update; a percentage rounds up.
    pub max_unavailable: Amount,
    /// Pods in addition during an update; a percentage rounds up.
    pub max_surge: Amount,
    /// Pods change only when they are deleted by hand (`updateStrategy: OnDelete`).
    pub on_delete: bool,
}

/// A `Job`.
/// Defaults: kubernetes/kubernetes:pkg/apis/batch/v1/defaults.go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Pods at once.
    pub parallelism: u32,
    /// Successes wanted. `None`: the first success ends it (a work queue).
    pub completions: Option<u32>,
    /// Failures tolerated.
    pub backoff_limit: u32,
    /// Failures tolerated for each index.
    pub backoff_limit_per_index: Option<u32>,
    /// Indexes that may fail.
    pub max_failed_indexes: Option<u32>,
    /// Each completion has an index (`completionMode: Indexed`).
    pub indexed: bool,
    /// The job fails after so long.
    pub active_deadline: Option<Span>,
    /// Begins only when resumed.
    pub suspend: bool,
    /// Rules by which failures count, in order; the first that matches decides.
    pub failure_rules: Vec<FailureRule>,
    /// A pod is replaced only when it has ended, not as soon as its deletion begins (`podReplacementPolicy: Failed`).
    pub replace_when_failed: bool,
    /// Succeeds when one of these holds.
    pub success_rules: Vec<SuccessRule>,
    /// The object is deleted so long after its end.
    pub ttl_after_finished: Option<Span>,
}

/// A rule of a job's `podFailurePolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRule {
    /// What to do.
    pub action: FailureRuleAction,
    /// When.
    pub on: FailureMatch,
}

/// What a failure rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureMatch {
    /// Exit codes of a container (`None`: any), in or not in the list.
    ExitCodes {
        /// Name of the container.
        container: Option<Symbol>,
        /// Matches codes that are not in the list.
        not_in: bool,
        /// The list.
        codes: Vec<i32>,
    },
    /// The pod was disrupted: preempted, evicted, taken from a lost node (condition `DisruptionTarget`).
    Disrupted,
}

/// What a failure rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureRuleAction {
    /// The job fails at once.
    FailJob,
    /// The index fails at once.
    FailIndex,
    /// The failure does not count.
    Ignore,
    /// The failure counts.
    Count,
}

/// A rule of a job's `successPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccessRule {
    /// Indexes that must succeed, as ranges; empty: any.
    pub indexes: Vec<(u32, u32)>,
    /// So many of them; `None`: all of them.
    pub count: Option<u32>,
}

/// A `CronJob`.
/// Defaults: kubernetes/kubernetes:pkg/apis/batch/v1/defaults.go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronSpec {
    /// Minutes of the hour at which a job is due, hours, days of the month, months, days of the week: bit sets, as
    /// cron reads its five fields. A run begins at minute 0 of hour 0 of day 1 (a Thursday) unless the scenario says.
    pub minutes: u64,
    /// Hours, a bit each.
    pub hours: u32,
    /// Days of the month, bits 1 to 31.
    pub days: u32,
    /// Months, bits 1 to 12.
    pub months: u16,
    /// Days of the week, bit 0 is Sunday.
    pub weekdays: u8,
    /// A day must match both day fields (one of them is `*`); else either is enough.
    pub both_days: bool,
    /// What happens when a job is due and the former still runs.
    pub concurrency: Concurrency,
    /// Jobs that could not be started within so long are missed.
    pub starting_deadline: Option<Span>,
    /// Starts nothing.
    pub suspend: bool,
    /// The jobs.
    pub job: JobSpec,
}

/// What a cron job does when the former run has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// Both run.
    Allow,
    /// The new one is skipped.
    Forbid,
    /// The old one is deleted.
    Replace,
}

/// How a workload moves to a new template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The profile's own default rollout.
    Default,
    /// New pods come as old ones go.
    RollingUpdate {
        /// Pods above the wanted number (rounded up).
        max_surge: Amount,
        /// Pods below the wanted number (rounded down).
        max_unavailable: Amount,
    },
    /// All old pods go before any new one comes.
    Recreate,
}

/// A number or a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So many percent.
    Percent(u32),
}

impl Amount {
    /// The number that this is of `total`, rounded up.
    pub fn of_rounded_up(self, total: u32) -> u32 {
        match self {
            Self::Count(n) => n,
            Self::Percent(p) => scale(total, p, 99),
        }
    }

    /// The number that this is of `total`, rounded down.
    pub fn of_rounded_down(self, total: u32) -> u32 {
        match self {
            Self::Count(n) => n,
            Self::Percent(p) => scale(total, p, 0),
        }
    }
}

fn scale(total: u32, percent: u32, round: u64) -> u32 {
    u32::try_from((u64::from(total) * u64::from(percent) + round) / 100).unwrap_or(u32::MAX)
}
