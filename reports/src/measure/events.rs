//! What controllers did beyond replacing what was lost: preemptions, refusals, jobs, autoscalers.
//!
//! Counts only; sentences about the same facts are in `highlights`. Start at [`Events::new`].

use std::collections::BTreeMap;

use shakedown_chaos::expect::Metric;
use shakedown_engine::fact::{Deletion, Exit, FactKind};
use shakedown_engine::ids::{RevisionId, WorkloadId};
use shakedown_engine::model::WorkloadKind;
use shakedown_engine::time::Time;

use super::pods::Pods;
use super::tally::PerWorkload;
use crate::run::Run;

/// Counts of what was done.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// By metric and workload.
    pub counts: BTreeMap<Metric, PerWorkload>,
    /// Jobs and how long each took, in nanoseconds; `None`: it never completed.
    pub jobs: Vec<(WorkloadId, Option<u64>)>,
    /// Machines added and removed by the cluster autoscaler.
    pub machines: [u32; 2],
}

impl Events {
    /// Counts.
    pub fn new(run: &Run, pods: &Pods) -> Self {
        let mut events = Self::default();
        let mut begun: BTreeMap<RevisionId, (WorkloadId, Time)> = BTreeMap::new();
        for fact in &run.facts {
            if let Some((metric, workload)) = counted(run, pods, &fact.kind) {
                *events.counts.entry(metric).or_default().entry(workload).or_default() += 1;
            }
            match fact.kind {
                FactKind::RevisionCreated { workload, revision } if is_job(run, workload) => {
                    begun.insert(revision, (workload, fact.at));
                }
                FactKind::JobCompleted { revision, workload, .. } => {
                    let took = begun.remove(&revision).map(|(_, at)| fact.at.since(at).as_nanos());
                    events.jobs.push((workload, took));
                }
                FactKind::JobFailed { revision, workload, .. } => {
                    begun.remove(&revision);
                    events.jobs.push((workload, None));
                }
                FactKind::PoolScaled { from, to, .. } => {
                    events.machines[0] += to.saturating_sub(from);
                    events.machines[1] += from.saturating_sub(to);
                }
                _ => {}
            }
        }
        // The newest run of a cron job may well be under way when the experiment ends.
        let own =
            begun.into_values().filter(|(workload, _)| run.catalog.workloads[*workload].kind == WorkloadKind::Job);
        events.jobs.extend(own.map(|(workload, _)| (workload, None)));
        events
    }
}

fn is_job(run: &Run, workload: WorkloadId) -> bool {
    let kind = run.catalog.workloads.get(workload).map(|spec| spec.kind);
    matches!(kind, Some(WorkloadKind::Job | WorkloadKind::CronJob))
}

/// The metric that a fact counts for, and the workload that it concerns.
fn counted(run: &Run, pods: &Pods, kind: &FactKind) -> Option<(Metric, WorkloadId)> {
    let (metric, pod) = match *kind {
        FactKind::PodDeleting { pod, why } => match why {
            Deletion::Preempted => (Metric::Preemptions, pod),
            Deletion::Drained => (Metric::DrainEvictions, pod),
            Deletion::Tainted => (Metric::TaintEvictions, pod),
            _ => return None,
        },
        // An agent ends its pods itself and reports it.
        FactKind::PodDisrupted { pod, why: Deletion::NodePressure } => (Metric::PressureEvictions, pod),
        FactKind::ContainerExited { pod, why: Exit::OutOfMemory, .. } => (Metric::OomKills, pod),
        FactKind::EvictionRefused { pod, .. } => (Metric::RefusedEvictions, pod),
        FactKind::CreationRefused { workload, .. } | FactKind::ChangeRefused { workload, .. } => {
            return Some((Metric::RefusedCreations, workload));
        }
        FactKind::JobCompleted { workload, .. } => return Some((Metric::JobCompletions, workload)),
        FactKind::JobFailed { workload, .. } => return Some((Metric::JobFailures, workload)),
        FactKind::AutoscalerMoved { autoscaler, .. } => {
            let target = run.catalog.autoscalers.get(autoscaler).and_then(|row| row.target)?;
            return Some((Metric::AutoscalerMoves, target));
        }
        _ => return None,
    };
    pods.get(pod).map(|row| (metric, row.workload))
}
