//! Kinds of workloads that other orchestrators have, as kinds that the model has.
//!
//! A Swarm service, a Nomad job, a Marathon app and an ECS service come as replicas, as one on each node, or as
//! something that ends. Start at [`Shape::kind`].

use shakedown_engine::labels::Selector;
use shakedown_engine::model::{
    Affinity, Amount, Catalog, CronSpec, DaemonSpec, Details, Distinct, HOSTNAME_LABEL, JobSpec, PodTemplate,
    UpdateWish, WorkloadKind,
};
use shakedown_engine::profile::SlotOrder;

use crate::nodes::apart;

/// How many there are, and whether they end.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// So many for ever.
    Replicas(u32),
    /// One on each node for ever.
    EachNode,
    /// So many to their end, all at once.
    Ending(u32),
    /// One on each node to its end.
    EndingOnEachNode,
    /// So many to their end, at set times.
    Cron(Box<CronSpec>, u32),
}

/// Failures that a job tolerates without saying so: no orchestrator but Kubernetes bounds them.
const UNBOUNDED: u32 = i32::MAX.unsigned_abs();

impl Shape {
    /// The kind of workload, what only it has, and its replicas.
    pub(crate) fn kind(self, update: &UpdateWish, attempts: Option<u32>, nodes: u32) -> (WorkloadKind, Details, u32) {
        let job = |count: u32| Details::Job(ending(count, attempts));
        match self {
            Self::Replicas(replicas) => (WorkloadKind::Deployment, Details::None, replicas),
            Self::EachNode => (WorkloadKind::DaemonSet, Details::Daemon(daemon(update)), 0),
            Self::Ending(count) => (WorkloadKind::Job, job(count), count),
            Self::EndingOnEachNode => (WorkloadKind::Job, job(nodes), nodes),
            Self::Cron(mut cron, count) => {
                cron.job = ending(count, attempts);
                (WorkloadKind::CronJob, Details::Cron(*cron), 0)
            }
        }
    }

    /// True when its pods end by themselves.
    pub(crate) fn ends(&self) -> bool {
        matches!(self, Self::Ending(_) | Self::EndingOnEachNode | Self::Cron(..))
    }
}

/// A job of so many pods that all run at once.
pub(crate) fn ending(count: u32, attempts: Option<u32>) -> JobSpec {
    JobSpec {
        parallelism: count,
        completions: Some(count),
        backoff_limit: attempts.filter(|&n| n > 0).map_or(UNBOUNDED, |n| n.saturating_mul(count.max(1)).min(UNBOUNDED)),
        backoff_limit_per_index: None,
        max_failed_indexes: None,
        indexed: false,
        active_deadline: None,
        suspend: false,
        failure_rules: Vec::new(),
        replace_when_failed: false,
        success_rules: Vec::new(),
        ttl_after_finished: None,
    }
}

fn daemon(update: &UpdateWish) -> DaemonSpec {
    let step = match update.parallelism {
        Some(0) => Amount::Percent(100),
        Some(n) => Amount::Count(n),
        None => Amount::Count(1),
    };
    let none = Amount::Count(0);
    match update.order {
        Some(SlotOrder::StartFirst) => DaemonSpec { max_unavailable: none, max_surge: step, on_delete: false },
        _ => DaemonSpec { max_unavailable: step, max_surge: none, on_delete: false },
    }
}

/// Nodes of the cluster that required affinity allows.
pub(crate) fn allowed(catalog: &Catalog, affinity: &Affinity) -> u32 {
    let meets = |term: &shakedown_engine::model::NodeTerm, node: &shakedown_engine::model::NodeSpec| {
        term.labels.matches(&node.labels, &catalog.names)
    };
    let terms = &affinity.node_required;
    let fits = |node: &&shakedown_engine::model::NodeSpec| terms.is_empty() || terms.iter().any(|t| meets(t, node));
    let count = catalog.nodes.rows().iter().filter(fits).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Keeps pods of `template` on nodes of their own.
pub(crate) fn one_a_node(catalog: &mut Catalog, template: &mut PodTemplate, own: &Selector) {
    let attribute = catalog.names.intern(HOSTNAME_LABEL);
    template.wishes.distinct.push(Distinct { attribute, at_most: 1 });
    template.affinity.anti_required.push(apart(&mut catalog.names, own.clone(), HOSTNAME_LABEL));
}
