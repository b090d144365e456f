//! The evaluation of a run: verdict, reason, and every number that a report shows.
//!
//! It outlives the facts, so a comparison of a thousand seeds keeps a thousand of these and no log. Start at
//! [`evaluate`].

use shakedown_chaos::expect::Metric;
use shakedown_engine::fact::{Client, Digest, Property};
use shakedown_engine::ids::{Id, RevisionId};
use shakedown_engine::time::{Span, Time};

use super::chain::{Story, stories};
use super::distribution::Distribution;
use super::expectation::{Judged, backing, judge};
use super::highlights::{Highlight, highlights};
use super::losses::{Ending, Loss};
use super::measurements::{Measurements, Scope};
use super::replicas::{RolloutTotals, WorkloadTotals};
use super::stage::Stage;
use super::traffic::ServiceTotals;
use crate::format;
use crate::names::Names;
use crate::run::Run;

/// What a run is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything expected holds, and no property was broken.
    Passed,
    /// Something expected does not hold, or a property was broken.
    Failed,
    /// Nothing was expected, and no property was broken: it showed something, and judged nothing.
    Demo,
}

impl Verdict {
    /// For machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Demo => "demo",
        }
    }
}

/// Everything that a report says of a run.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Column heading of the run.
    pub orchestrator: String,
    /// Seed of the run.
    pub seed: u64,
    /// Fingerprint of the run.
    pub digest: Digest,
    /// Length of the run.
    pub end: Time,
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence that names the culprit.
    pub reason: String,
    /// Expectations and what was measured for them.
    pub expectations: Vec<Judged>,
    /// Faults and operations in the order of the timeline.
    pub faults: Vec<Story>,
    /// Services that users asked for something.
    pub services: Vec<ServiceRow>,
    /// Workloads that existed.
    pub workloads: Vec<WorkloadRow>,
    /// Rollouts to a version other than the first.
    pub rollouts: Vec<RolloutRow>,
    /// Broken properties: when, which, and a sentence.
    pub violations: Vec<(Time, Property, String)>,
    /// Clients of the store that waited for their rate limit, and how long at most.
    pub throttled: Vec<(Client, Span)>,
    /// What controllers, agents and the control plane told, in order of time.
    pub highlights: Vec<Highlight>,
    /// When nothing was left to do after the last fault.
    pub converged: Option<Time>,
    /// Requests that failed before the first entry of the timeline, in thousandths.
    pub lost_before: u64,
    /// All samples of every metric over the whole run.
    pub metrics: Vec<MetricSamples>,
    /// Number of facts.
    pub facts: u64,
}

/// A metric and its samples.
#[derive(Clone, Debug)]
pub struct MetricSamples {
    /// Which.
    pub metric: Metric,
    /// Its samples in its unit.
    pub samples: Distribution,
}

/// A service and what its users felt.
#[derive(Clone, Debug)]
pub struct ServiceRow {
    /// Its name.
    pub name: String,
    /// Its numbers.
    pub totals: ServiceTotals,
}

/// A workload and its replicas.
#[derive(Clone, Debug)]
pub struct WorkloadRow {
    /// Its name.
    pub name: String,
    /// Its numbers.
    pub totals: WorkloadTotals,
    /// Deletions because of a lost node.
    pub evictions: u32,
    /// Containers started again in the same pod.
    pub restarts: u32,
    /// Pods created to stand in for a lost one.
    pub replacements: u32,
    /// Not bound at the end.
    pub pending: u32,
    /// Given-up copies that ran beside their replacement.
    pub duplicates: Span,
}

/// A rollout, its workload's name, and what users met of the new version meanwhile.
#[derive(Clone, Debug)]
pub struct RolloutRow {
    /// Name of the workload.
    pub workload: String,
    /// To which version.
    pub revision: RevisionId,
    /// Its numbers.
    pub totals: RolloutTotals,
    /// Requests that reached a newer version while it lasted.
    pub exposed: u64,
    /// Requests answered with an error while it lasted.
    pub errors: u64,
}

/// Evaluates a run.
pub fn evaluate(run: &Run) -> Evaluation {
    let measured = Measurements::new(run);
    let names = Names::new(run, &measured.pods);
    let expectations = judge(run, &measured);
    let violations: Vec<(Time, Property, String)> = (measured.tally.violations.iter())
        .map(|&(at, property, subject)| (at, property, names.violation(property, subject)))
        .collect();
    let (verdict, reason) = verdict(&expectations, &violations);
    Evaluation {
        orchestrator: run.orchestrator.clone(),
        seed: run.seed,
        digest: run.digest,
        end: run.end,
        verdict,
        reason,
        expectations,
        faults: stories(run, &measured),
        highlights: highlights(run, &measured, names),
        services: services(&measured, names),
        workloads: workloads(&measured, names),
        rollouts: rollouts(run, &measured, names),
        violations,
        throttled: measured.tally.throttled.iter().map(|(client, wait)| (*client, *wait)).collect(),
        converged: converged(&measured),
        lost_before: measured.traffic.lost_before,
        metrics: metrics(&measured),
        facts: run.facts.len() as u64,
    }
}

fn verdict(expectations: &[Judged], violations: &[(Time, Property, String)]) -> (Verdict, String) {
    let broken: Vec<&Judged> = expectations.iter().filter(|judged| !judged.holds).collect();
    let others = |n: usize| if n == 0 { String::new() } else { format!(" (and {n} more)") };
    if let Some((at, _, sentence)) = violations.first() {
        let more = others(violations.len() - 1 + broken.len());
        return (Verdict::Failed, format!("at {} {sentence}{more}", format::clock(*at)));
    }
    if let Some(first) = broken.first() {
        return (Verdict::Failed, format!("{}{}", first.complaint(), others(broken.len() - 1)));
    }
    match expectations.len() {
        0 => (Verdict::Demo, "nothing is expected of this run, so nothing was judged".to_owned()),
        1 => (Verdict::Passed, format!("{} was {}", expectations[0].demand(), expectations[0].measured_words())),
        n => (Verdict::Passed, format!("all {n} expectations hold and no property was broken")),
    }
}

/// When nothing was left to do. What is broken and not yet noticed looks whole to the control plane, so this is only
/// believed when every lost replica was back by then.
fn converged(measured: &Measurements) -> Option<Time> {
    let at = measured.tally.converged?;
    let is_back = |loss: &Loss| {
        loss.since > at
            || loss.ending == Ending::Withdrawn
            || (loss.ending != Ending::Missing && loss.stages.get(Stage::Ready).is_some_and(|ready| ready <= at))
    };
    measured.losses.all.iter().all(is_back).then_some(at)
}

fn services(measured: &Measurements, names: Names<'_>) -> Vec<ServiceRow> {
    let rows = measured.traffic.services.iter();
    rows.map(|(id, totals)| ServiceRow { name: names.service(*id), totals: totals.clone() }).collect()
}

fn workloads(measured: &Measurements, names: Names<'_>) -> Vec<WorkloadRow> {
    let rows = measured.replicas.workloads.iter();
    rows.map(|(id, totals)| WorkloadRow {
        name: names.workload(*id),
        totals: totals.clone(),
        evictions: measured.tally.evictions.get(id).copied().unwrap_or(0),
        restarts: measured.tally.restarts.get(id).copied().unwrap_or(0),
        replacements: measured.tally.replacements.get(id).copied().unwrap_or(0),
        pending: measured.replicas.pending.get(id).copied().unwrap_or(0),
        duplicates: measured.duplicates.of.get(id).copied().unwrap_or(Span::ZERO),
    })
    .collect()
}

fn rollouts(run: &Run, measured: &Measurements, names: Names<'_>) -> Vec<RolloutRow> {
    let mut rows: Vec<RolloutRow> = (measured.replicas.rollouts.iter())
        .map(|totals| RolloutRow {
            workload: names.workload(totals.workload),
            revision: totals.revision,
            totals: totals.clone(),
            exposed: 0,
            errors: 0,
        })
        .collect();
    if !rows.is_empty() {
        expose(run, &mut rows);
    }
    rows
}

/// Adds what users met while each rollout lasted; a slice that a rollout covers in part counts in part.
fn expose(run: &Run, rows: &mut [RolloutRow]) {
    let mut in_front = vec![Vec::new(); run.catalog.services.len()];
    for service in run.catalog.services.ids() {
        in_front[service.index()] = backing(run, service);
    }
    let mut thousandths = vec![(0, 0); rows.len()];
    for fact in &run.facts {
        let shakedown_engine::fact::FactKind::Traffic(slice) = fact.kind else { continue };
        let Some(behind) = in_front.get(slice.service.index()) else { continue };
        for (row, sums) in rows.iter().zip(&mut thousandths).filter(|(row, _)| behind.contains(&row.totals.workload)) {
            let (from, to) = (slice.since.max(row.totals.started), fact.at.min(row.totals.ended.unwrap_or(run.end)));
            let (covered, whole) = (to.since(from).as_nanos(), fact.at.since(slice.since).as_nanos().max(1));
            let part = |n: u64| (u128::from(n) * u128::from(covered) / u128::from(whole)) as u64;
            sums.0 += part(slice.on_new_revision);
            sums.1 += part(slice.errors);
        }
    }
    for (row, (exposed, errors)) in rows.iter_mut().zip(thousandths) {
        row.exposed = exposed / 1000;
        row.errors = errors.div_ceil(1000);
    }
}

fn metrics(measured: &Measurements) -> Vec<MetricSamples> {
    let everything = Scope::default();
    let all = Metric::ALL.iter();
    all.map(|&metric| MetricSamples { metric, samples: measured.measure(metric, &everything) }).collect()
}
