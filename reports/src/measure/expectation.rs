//! Expectations held against measurements.
//!
//! A bound that nothing was measured for does not hold (except `never`): an expectation that cannot fail is a mistake
//! in the scenario, and it shows as one. What never arrived breaks every upper bound and satisfies lower ones; `never`
//! holds when nothing at all arrived. Start at [`judge`].

use shakedown_chaos::expect::{Bound, Expectation, Metric, Quantity, Statistic, Unit};
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::profile::Profile;

use super::distribution::{Distribution, Measured};
use super::measurements::{Measurements, Scope};
use crate::format;
use crate::run::Run;

/// One expectation and what was measured for it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What was expected.
    pub expectation: Expectation,
    /// What was measured.
    pub measured: Measured,
    /// Over how many samples.
    pub samples: u64,
    /// Whether it holds.
    pub holds: bool,
}

impl Judged {
    /// The expectation as people say it: `time_to_recover p99 of shop below 60s`.
    pub fn demand(&self) -> String {
        let e = &self.expectation;
        let statistic = statistic_word(e.metric, e.statistic);
        let of = e.of.as_ref().map_or_else(String::new, |of| format!(" of {}", format::harmless(of)));
        format!("{}{statistic}{of} {}", e.metric, bound_words(e.metric, e.bound))
    }

    /// The measured value as people say it.
    pub fn measured_words(&self) -> String {
        format::measured(self.expectation.metric.unit(), self.measured)
    }

    /// Why it does not hold, naming the culprit.
    pub fn complaint(&self) -> String {
        let e = &self.expectation;
        let statistic = statistic_word(e.metric, e.statistic);
        let of = e.of.as_ref().map_or_else(String::new, |of| format!(" of {}", format::harmless(of)));
        let bound = bound_words(e.metric, e.bound);
        match self.measured {
            Measured::Nothing => {
                format!("{}{statistic}{of} should be {bound}, but there was nothing to measure", e.metric)
            }
            Measured::Never => format!("{}{statistic}{of} should be {bound}, but it never came to an end", e.metric),
            Measured::Value(_) => {
                format!("{}{statistic}{of} was {}, expected {bound}", e.metric, self.measured_words())
            }
        }
    }
}

/// All expectations that apply to the run's orchestrator.
pub(super) fn judge(run: &Run, measured: &Measurements) -> Vec<Judged> {
    let applies = |e: &&Expectation| {
        e.only.is_empty()
            || e.only.iter().any(|name| {
                name == Profile::family(&run.profile.name) || *name == run.profile.name || *name == run.orchestrator
            })
    };
    run.experiment.expectations.iter().filter(applies).map(|e| judge_one(run, measured, e)).collect()
}

fn judge_one(run: &Run, measured: &Measurements, expectation: &Expectation) -> Judged {
    let samples = measured.measure(expectation.metric, &scope(run, expectation));
    let value = value_of(&samples, expectation.metric, expectation.statistic);
    let holds = holds(expectation, value, &samples);
    Judged { expectation: expectation.clone(), measured: value, samples: samples.count(), holds }
}

/// The value that a statistic asks for. `max`, the default, asks for the worst: of shares of success the smallest.
pub fn value_of(samples: &Distribution, metric: Metric, statistic: Statistic) -> Measured {
    let is_share_of_success = matches!(metric, Metric::Availability | Metric::RolloutAvailability);
    match statistic {
        Statistic::Max if is_share_of_success => samples.statistic(Statistic::Min),
        other => samples.statistic(other),
    }
}

fn holds(expectation: &Expectation, measured: Measured, samples: &Distribution) -> bool {
    if expectation.bound == Bound::Never {
        // A sum or count of nothing is a zero, not an absence.
        return samples.values().iter().all(|value| *value == 0 && is_amount(expectation.metric));
    }
    match measured {
        Measured::Nothing => false,
        Measured::Never => matches!(expectation.bound, Bound::AtLeast(_) | Bound::Above(_)),
        Measured::Value(value) => bound_holds(expectation.bound, Quantity(value)),
    }
}

fn bound_holds(bound: Bound, value: Quantity) -> bool {
    match bound {
        Bound::Below(limit) => value < limit,
        Bound::AtMost(limit) => value <= limit,
        Bound::AtLeast(limit) => value >= limit,
        Bound::Above(limit) => value > limit,
        Bound::Between(low, high) => low <= value && value <= high,
        Bound::Equals(wanted) => value == wanted,
        Bound::Never => false,
    }
}

/// Metrics that are 0 when nothing happened, rather than unmeasured.
fn is_amount(metric: Metric) -> bool {
    metric.unit() == Unit::Count
        || matches!(metric, Metric::Downtime | Metric::DuplicateTime | Metric::NewRevisionShare)
}

fn statistic_word(metric: Metric, statistic: Statistic) -> &'static str {
    let has_one_value = is_amount(metric) && metric != Metric::Downtime;
    match statistic {
        _ if has_one_value => "",
        Statistic::Min => " min",
        Statistic::P50 => " p50",
        Statistic::P90 => " p90",
        Statistic::P99 => " p99",
        Statistic::Max => "",
        Statistic::Mean => " mean",
    }
}

fn bound_words(metric: Metric, bound: Bound) -> String {
    let show = |Quantity(value)| format::quantity(metric.unit(), value);
    match bound {
        Bound::Below(limit) => format!("below {}", show(limit)),
        Bound::AtMost(limit) => format!("at most {}", show(limit)),
        Bound::AtLeast(limit) => format!("at least {}", show(limit)),
        Bound::Above(limit) => format!("above {}", show(limit)),
        Bound::Between(low, high) => format!("between {} and {}", show(low), show(high)),
        Bound::Equals(wanted) => format!("exactly {}", show(wanted)),
        Bound::Never => "never".to_owned(),
    }
}

/// What the name after `of` stands for: entries of the timeline, services and workloads of that name.
fn scope(run: &Run, expectation: &Expectation) -> Scope {
    let Some(of) = &expectation.of else { return Scope::default() };
    let catalog = &run.catalog;
    let faults: Vec<_> =
        run.experiment.timeline.iter().filter(|(_, entry)| entry.label == *of).map(|(id, _)| id).collect();
    if !faults.is_empty() {
        return Scope { faults: Some(faults), ..Scope::default() };
    }
    let services: Vec<_> =
        catalog.services.iter().filter(|(_, s)| catalog.text(s.name) == of).map(|(id, _)| id).collect();
    let mut workloads: Vec<_> =
        catalog.workloads.iter().filter(|(_, w)| catalog.text(w.name) == of).map(|(id, _)| id).collect();
    if workloads.is_empty() {
        workloads = services.iter().flat_map(|service| backing(run, *service)).collect();
    }
    let services = if services.is_empty() { fronting(run, &workloads) } else { services };
    Scope { faults: None, workloads: Some(workloads), services: Some(services) }
}

/// Workloads whose pods stand behind a service.
pub(super) fn backing(run: &Run, service: shakedown_engine::ids::ServiceId) -> Vec<WorkloadId> {
    let catalog = &run.catalog;
    let Some(spec) = catalog.services.get(service) else { return Vec::new() };
    let Some(selector) = &spec.selector else { return Vec::new() };
    let is_behind = |template: &shakedown_engine::model::PodTemplate| {
        template.namespace == spec.namespace && selector.matches(&template.labels, &catalog.names)
    };
    let behind = catalog.workloads.iter().filter(|(_, w)| catalog.templates.get(w.template).is_some_and(is_behind));
    behind.map(|(id, _)| id).collect()
}

fn fronting(run: &Run, workloads: &[WorkloadId]) -> Vec<shakedown_engine::ids::ServiceId> {
    let ids = run.catalog.services.ids();
    ids.filter(|service| backing(run, *service).iter().any(|workload| workloads.contains(workload))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bound: Bound, samples: &[Option<u64>], want: bool) {
        let expectation =
            Expectation { metric: Metric::TimeToRecover, of: None, statistic: Statistic::Max, bound, only: Vec::new() };
        let samples = Distribution::new(samples.iter().copied());
        let value = value_of(&samples, expectation.metric, expectation.statistic);
        assert_eq!(holds(&expectation, value, &samples), want, "{bound:?} {samples:?}");
    }

    #[test]
    fn what_never_arrived_breaks_upper_bounds_only() {
        let ten = Quantity(10);
        check(Bound::Below(ten), &[Some(9)], true);
        check(Bound::Below(ten), &[Some(10)], false);
        check(Bound::AtMost(ten), &[Some(9), None], false);
        check(Bound::AtLeast(ten), &[Some(9), None], true);
        check(Bound::Between(ten, ten), &[None], false);
    }

    #[test]
    fn never_holds_when_nothing_arrived_and_other_bounds_need_a_measurement() {
        check(Bound::Never, &[], true);
        check(Bound::Never, &[None], true);
        check(Bound::Never, &[Some(1)], false);
        check(Bound::Below(Quantity(10)), &[], false);
    }
}
