//! Workloads: named things that keep replicas running.

use crate::ids::{Symbol, TemplateId};
use crate::labels::Selector;
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
}

impl WorkloadSpec {
    /// A deployment of one replica that exists from the start and leaves everything to the profile.
    pub fn deployment(name: Symbol, namespace: Symbol, template: TemplateId, selector: Selector) -> Self {
        Self {
            name,
            namespace,
            kind: WorkloadKind::Deployment,
            replicas: 1,
            template,
            selector,
            strategy: Strategy::Default,
            min_ready: Span::ZERO,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
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
