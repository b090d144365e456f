//! Everything measured in one run, before anybody asks for a particular number.
//!
//! One pass over the facts per family; all later questions are answered from these tables. Start at
//! [`Measurements::new`], then [`Measurements::measure`].

use std::collections::BTreeSet;

use shakedown_chaos::expect::Metric;
use shakedown_engine::fact::{Deletion, FactKind};
use shakedown_engine::ids::{FaultId, ServiceId, WorkloadId};
use shakedown_engine::model::WorkloadKind;

use super::chain::{detect_sample, detection, recover_sample, reschedule_sample};
use super::distribution::Distribution;
use super::duplicates::Duplicates;
use super::events::Events;
use super::losses::{Loss, Losses};
use super::origins::Origins;
use super::pods::Pods;
use super::replicas::Replicas;
use super::tally::Tally;
use super::traffic::{ServiceTotals, TrafficTotals, ratio_ppm};
use crate::run::Run;

/// All tables.
pub struct Measurements {
    /// The fault behind each fact.
    pub origins: Origins,
    /// Every pod.
    pub pods: Pods,
    /// Replicas that faults took.
    pub losses: Losses,
    /// What users felt.
    pub traffic: TrafficTotals,
    /// Replicas and rollouts over time.
    pub replicas: Replicas,
    /// Places filled twice.
    pub duplicates: Duplicates,
    /// What controllers did beyond replacing.
    pub events: Events,
    /// Plain counts.
    pub tally: Tally,
}

/// Of what a metric is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only what goes back to these faults. `None`: any.
    pub faults: Option<Vec<FaultId>>,
    /// Only these workloads. `None`: all.
    pub workloads: Option<Vec<WorkloadId>>,
    /// Only these services. `None`: all.
    pub services: Option<Vec<ServiceId>>,
}

impl Measurements {
    /// Reads a run's facts.
    pub fn new(run: &Run) -> Self {
        let origins = Origins::new(&run.facts);
        let pods = Pods::new(run);
        Self {
            losses: Losses::new(run, &origins, &pods),
            traffic: TrafficTotals::new(run, &origins),
            replicas: without_jobs(run, Replicas::new(run, &pods)),
            duplicates: Duplicates::new(run, &pods),
            events: Events::new(run, &pods),
            tally: Tally::new(run, &pods),
            origins,
            pods,
        }
    }

    /// The samples of a metric in its unit. Where a metric has one value, that is the only sample.
    pub fn measure(&self, metric: Metric, scope: &Scope) -> Distribution {
        match metric {
            // Over hit nodes, and over lost replicas on nodes that were not hit; of a workload: over its lost replicas.
            Metric::TimeToDetect => self.detect(scope),
            // Fault until the first replacement is bound and started, over lost replicas not restored in place.
            Metric::TimeToReschedule => Distribution::new(self.losses(scope).filter_map(reschedule_sample)),
            // Fault until the control plane has the replica, or what stands in for it, as ready.
            Metric::TimeToRecover => Distribution::new(self.losses(scope).filter_map(recover_sample)),
            // Good requests of all, one sample a service: the worst is asked for by default.
            Metric::Availability => self.availability(scope),
            // Timed out, refused, or answered with an error; rounded up, so that 0 means none of those that were made.
            Metric::LostRequests => self.lost_requests(scope),
            // Longest time without an available replica, one sample a workload.
            Metric::Downtime => Distribution::new(self.workloads(scope).map(|w| Some(w.downtime.as_nanos()))),
            // Start until all replicas are new and available, one sample a rollout; creation is none.
            Metric::RolloutDuration => {
                Distribution::new(self.rollouts(scope).map(|r| r.duration().map(|span| span.as_nanos())))
            }
            // Fewest available of the wanted while it lasted, one sample a rollout.
            Metric::RolloutAvailability => {
                Distribution::new(self.rollouts(scope).filter_map(|r| r.worst_ppm).map(Some))
            }
            // Deletions because of a lost node.
            Metric::Evictions => self.count(scope, |t| &t.evictions),
            // Not bound and not being deleted when the run ends.
            Metric::Pending => Distribution::single(sum(&self.replicas.pending, scope)),
            // Given-up copies that really ran beside their replacement, summed over places.
            Metric::DuplicateTime => {
                let of = self.duplicates.of.iter().filter(|(workload, _)| scope.has(**workload));
                Distribution::single(of.map(|(_, span)| span.as_nanos()).sum())
            }
            // Starts of containers that had run in the same pod before.
            Metric::Restarts => self.count(scope, |t| &t.restarts),
            // Pods created to stand in for one that was lost, whatever took it; rollouts and scaling do not count.
            Metric::Replacements => self.count(scope, |t| &t.replacements),
            // Most replicas of one workload on one node at any time, those being deleted not counted.
            Metric::MaxPerNode => Distribution::new(self.workloads(scope).map(|w| Some(u64::from(w.max_per_node)))),
            // Nodes to which a replica was ever bound, each once, whoever of the workloads it was.
            Metric::NodesUsed => {
                let places = self.replicas.places.iter().filter(|(workload, _)| scope.has(*workload));
                Distribution::single(places.map(|(_, node)| node).collect::<BTreeSet<_>>().len() as u64)
            }
            // Wanted less available over time, from the moment when all were available for the first time.
            Metric::MissingTime => Distribution::new(self.workloads(scope).map(|w| Some(w.missing.as_nanos()))),
            // Requests that reached a revision newer than the first, of all requests.
            Metric::NewRevisionShare => self.new_revision_share(scope),
            Metric::JobDuration => {
                Distribution::new(self.events.jobs.iter().filter(|job| scope.has(job.0)).map(|job| job.1))
            }
            Metric::MachinesAdded | Metric::MachinesRemoved => {
                let all = self.events.machines[usize::from(metric == Metric::MachinesRemoved)];
                Distribution::single(if scope.workloads.is_none() { u64::from(all) } else { 0 })
            }
            // Plain counts of facts; what each counts is written at `Events`.
            Metric::Preemptions
            | Metric::DrainEvictions
            | Metric::PressureEvictions
            | Metric::TaintEvictions
            | Metric::RefusedEvictions
            | Metric::RefusedCreations
            | Metric::OomKills
            | Metric::JobCompletions
            | Metric::JobFailures
            | Metric::AutoscalerMoves => {
                Distribution::single(self.events.counts.get(&metric).map_or(0, |counts| sum(counts, scope)))
            }
            // Broken properties.
            Metric::Violations => Distribution::single(self.tally.violations.len() as u64),
        }
    }

    fn detect(&self, scope: &Scope) -> Distribution {
        if scope.workloads.is_some() {
            return Distribution::new(self.losses(scope).map(detect_sample));
        }
        let hits: Vec<_> = self.losses.nodes.iter().filter(|hit| scope.has_fault(hit.fault)).collect();
        let losses: Vec<&Loss> = self.losses(scope).collect();
        detection(&hits, &losses)
    }

    fn losses<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Loss> {
        self.losses.all.iter().filter(|loss| scope.has_fault(loss.fault) && scope.has(loss.workload))
    }

    fn services<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a ServiceTotals> {
        let wanted = |id: &ServiceId| scope.services.as_ref().is_none_or(|only| only.contains(id));
        self.traffic.services.iter().filter(move |(id, _)| wanted(id)).map(|(_, totals)| totals)
    }

    fn workloads<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a super::replicas::WorkloadTotals> {
        self.replicas.workloads.iter().filter(|(id, _)| scope.has(**id)).map(|(_, totals)| totals)
    }

    fn rollouts<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a super::replicas::RolloutTotals> {
        self.replicas.rollouts.iter().filter(|rollout| scope.has(rollout.workload))
    }

    fn availability(&self, scope: &Scope) -> Distribution {
        Distribution::new(self.services(scope).filter_map(ServiceTotals::availability_ppm).map(Some))
    }

    fn lost_requests(&self, scope: &Scope) -> Distribution {
        let asked = self.services(scope).filter(|service| service.requests > 0);
        let lost: Option<u64> = asked.map(ServiceTotals::lost).reduce(|all, more| all + more);
        lost.map_or_else(Distribution::default, |lost| Distribution::single(lost.div_ceil(1000)))
    }

    fn new_revision_share(&self, scope: &Scope) -> Distribution {
        let (new, all) = self.services(scope).fold((0, 0), |(new, all), s| (new + s.on_new_revision, all + s.requests));
        Distribution::new(ratio_ppm(new.min(all), all).map(Some))
    }

    fn count(&self, scope: &Scope, of: impl Fn(&Tally) -> &super::tally::PerWorkload) -> Distribution {
        Distribution::single(sum(of(&self.tally), scope))
    }
}

impl Scope {
    fn has(&self, workload: WorkloadId) -> bool {
        self.workloads.as_ref().is_none_or(|only| only.contains(&workload))
    }

    fn has_fault(&self, fault: FaultId) -> bool {
        self.faults.as_ref().is_none_or(|only| only.contains(&fault))
    }
}

fn sum(of: &super::tally::PerWorkload, scope: &Scope) -> u64 {
    of.iter().filter(|(workload, _)| scope.has(**workload)).map(|(_, n)| u64::from(*n)).sum()
}

/// Pods of jobs come and go; none of them is missing when it has done its work.
fn without_jobs(run: &Run, mut replicas: Replicas) -> Replicas {
    let is_job = |id: WorkloadId| {
        let kind = run.catalog.workloads.get(id).map(|spec| spec.kind);
        matches!(kind, Some(WorkloadKind::Job | WorkloadKind::CronJob))
    };
    for (_, totals) in replicas.workloads.iter_mut().filter(|(id, _)| is_job(**id)) {
        totals.downtime = shakedown_engine::time::Span::ZERO;
        totals.missing = shakedown_engine::time::Span::ZERO;
        totals.desired = totals.available;
    }
    replicas
}

/// Which values of a metric are good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Waits, losses, breaches.
    SmallerIsBetter,
    /// Shares of success.
    LargerIsBetter,
    /// It says what happened, and whether that is good depends on what was wanted.
    Neither,
}

/// Which values of a metric are good news. Evicting and replacing is how an orchestrator repairs, so fewer is not better.
pub fn direction(metric: Metric) -> Direction {
    match metric {
        Metric::Availability | Metric::RolloutAvailability | Metric::JobCompletions => Direction::LargerIsBetter,
        Metric::Evictions
        | Metric::Replacements
        | Metric::MaxPerNode
        | Metric::NodesUsed
        | Metric::NewRevisionShare
        | Metric::Preemptions
        | Metric::DrainEvictions
        | Metric::TaintEvictions
        | Metric::RefusedEvictions
        | Metric::AutoscalerMoves
        | Metric::MachinesAdded
        | Metric::MachinesRemoved => Direction::Neither,
        Metric::TimeToDetect
        | Metric::TimeToReschedule
        | Metric::TimeToRecover
        | Metric::LostRequests
        | Metric::Downtime
        | Metric::RolloutDuration
        | Metric::Pending
        | Metric::DuplicateTime
        | Metric::MissingTime
        | Metric::Restarts
        | Metric::PressureEvictions
        | Metric::RefusedCreations
        | Metric::OomKills
        | Metric::JobFailures
        | Metric::JobDuration
        | Metric::Violations => Direction::SmallerIsBetter,
    }
}

/// True for deletions that a node's health brought about.
pub(super) fn is_eviction(kind: &FactKind) -> bool {
    matches!(kind, FactKind::PodDeleting { why: Deletion::NodeLost, .. })
}
