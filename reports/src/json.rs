//! JSON: one summary a run, and one document over several.
//!
//! Keys are snake case, spans are seconds, shares are numbers from 0 to 1, and what never came to an end is `null`
//! beside a count of how often. Raising [`SCHEMA_VERSION`] announces a change that readers must know. Start at
//! [`summary`].

use serde_json::{Map, Value, json};
use shakedown_chaos::expect::{Bound, Metric, Quantity, Statistic, Unit};
use shakedown_engine::time::Span;

use crate::assumptions;
use crate::measure::{
    Distribution, Evaluation, Judged, Measured, MetricSamples, RolloutRow, ServiceRow, Story, WorkloadRow, value_of,
};
use crate::run::Run;

/// Version of the layout.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything about one run: what `summary.json` holds.
pub fn summary(run: &Run, evaluation: &Evaluation) -> Value {
    let assumed = assumptions::list(run).into_iter().map(
        |a| json!({ "name": a.name, "value": a.value, "meaning": a.meaning, "source": a.source, "changed": a.changed }),
    );
    let mut all = json!({
        "schema_version": SCHEMA_VERSION,
        "scenario": run.scenario,
        "about": run.about,
        "profile": { "name": run.profile.name, "version": run.profile.version },
        "duration": seconds(run.end.since(shakedown_engine::time::Time::ZERO).as_nanos()),
        "facts": evaluation.facts,
        "notes": run.notes,
        "assumptions": assumed.collect::<Vec<Value>>(),
        "replay": run.replay_command(),
    });
    let (Value::Object(whole), Value::Object(of_run)) = (&mut all, of_run(evaluation)) else {
        unreachable!("both are written as objects above and below");
    };
    whole.extend(of_run);
    all
}

/// Several runs of one scenario: what `run --format json` prints.
pub fn document(scenario: &str, evaluations: &[Evaluation]) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "scenario": scenario,
        "runs": evaluations.iter().map(of_run).collect::<Vec<Value>>(),
    })
}

fn of_run(evaluation: &Evaluation) -> Value {
    json!({
        "orchestrator": evaluation.orchestrator,
        "seed": evaluation.seed,
        "digest": evaluation.digest.to_string(),
        "verdict": evaluation.verdict.name(),
        "reason": evaluation.reason,
        "metrics": metrics(evaluation),
        "expectations": evaluation.expectations.iter().map(expectation).collect::<Vec<Value>>(),
    })
}

fn metrics(evaluation: &Evaluation) -> Value {
    let mut all: Map<String, Value> =
        evaluation.metrics.iter().map(|of| (of.metric.name().to_owned(), metric(of))).collect();
    all.insert("faults".to_owned(), evaluation.faults.iter().map(fault).collect());
    all.insert("services".to_owned(), evaluation.services.iter().map(service).collect());
    all.insert("workloads".to_owned(), evaluation.workloads.iter().map(workload).collect());
    all.insert("rollouts".to_owned(), evaluation.rollouts.iter().map(rollout).collect());
    let told = evaluation
        .highlights
        .iter()
        .map(|told| json!({ "at": seconds(told.at.as_nanos()), "what": told.text, "count": told.count }));
    let broken = evaluation.violations.iter().map(|(at, property, sentence)| {
        json!({ "at": seconds(at.as_nanos()), "property": crate::names::property(*property), "what": sentence })
    });
    all.insert("told".to_owned(), told.collect());
    all.insert("violated_properties".to_owned(), broken.collect());
    let waits = evaluation.throttled.iter();
    let waits = waits.map(|(client, wait)| json!({ "client": format!("{client:?}").to_lowercase(), "longest_wait": seconds(wait.as_nanos()) }));
    all.insert("throttled".to_owned(), waits.collect());
    all.insert("converged_at".to_owned(), evaluation.converged.map(|at| seconds(at.as_nanos())).into());
    Value::Object(all)
}

/// A metric over the whole run: its distribution, and under `value` what an expectation without a statistic looks at.
fn metric(of: &MetricSamples) -> Value {
    let unit = of.metric.unit();
    let value = measured(unit, value_of(&of.samples, of.metric, Statistic::Max));
    if unit == Unit::Count && of.metric != Metric::MaxPerNode {
        return json!({ "unit": unit_name(unit), "value": value });
    }
    let mut object = distribution(unit, &of.samples);
    if let Value::Object(fields) = &mut object {
        fields.insert("value".to_owned(), value);
    }
    object
}

fn distribution(unit: Unit, of: &Distribution) -> Value {
    let stat = |which| measured(unit, of.statistic(which));
    json!({
        "unit": unit_name(unit),
        "count": of.count(),
        "never": of.never(),
        "min": stat(Statistic::Min),
        "p50": stat(Statistic::P50),
        "p90": stat(Statistic::P90),
        "p99": stat(Statistic::P99),
        "max": stat(Statistic::Max),
        "mean": stat(Statistic::Mean),
    })
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Span => "seconds",
        Unit::Ratio => "ratio",
        Unit::Count => "count",
    }
}

fn expectation(judged: &Judged) -> Value {
    let e = &judged.expectation;
    let unit = e.metric.unit();
    json!({
        "metric": e.metric.name(),
        "of": e.of,
        "statistic": statistic(e.statistic),
        "bound": bound(unit, e.bound),
        "demand": judged.demand(),
        "measured": measured(unit, judged.measured),
        "measured_text": judged.measured_words(),
        "samples": judged.samples,
        "passed": judged.holds,
    })
}

fn bound(unit: Unit, bound: Bound) -> Value {
    let show = |Quantity(value)| number(unit, value);
    match bound {
        Bound::Below(limit) => json!({ "below": show(limit) }),
        Bound::AtMost(limit) => json!({ "at_most": show(limit) }),
        Bound::AtLeast(limit) => json!({ "at_least": show(limit) }),
        Bound::Above(limit) => json!({ "above": show(limit) }),
        Bound::Between(low, high) => json!({ "between": [show(low), show(high)] }),
        Bound::Equals(wanted) => json!({ "equals": show(wanted) }),
        Bound::Never => json!("never"),
    }
}

fn statistic(which: Statistic) -> &'static str {
    match which {
        Statistic::Min => "min",
        Statistic::P50 => "p50",
        Statistic::P90 => "p90",
        Statistic::P99 => "p99",
        Statistic::Max => "max",
        Statistic::Mean => "mean",
    }
}

fn fault(story: &Story) -> Value {
    let stages = story.stages.iter().map(|times| {
        json!({
            "stage": times.stage.key(),
            "since_fault": distribution(Unit::Span, &times.total),
            "step": distribution(Unit::Span, &times.step),
        })
    });
    let why = story.why.iter().map(|line| json!({ "at": seconds(line.at.as_nanos()), "what": line.text }));
    json!({
        "label": story.label,
        "operation": story.is_operation,
        "at": seconds(story.at.as_nanos()),
        "lifted_at": story.lifted.map(|at| seconds(at.as_nanos())),
        "targets": story.targets,
        "nodes_hit": story.nodes_hit,
        "lost": story.lost.total,
        "replaced": story.lost.replaced,
        "restored_in_place": story.lost.in_place,
        "missing": story.lost.missing,
        "withdrawn": story.lost.withdrawn,
        "recovery_completeness": story.lost.completeness_ppm().map(|ppm| number(Unit::Ratio, ppm)),
        "user_visible_onset": story.onset.map(|span| seconds(span.as_nanos())),
        "lost_requests_until_next_entry": story.lost_requests,
        "rollout_halted": story.halted.map(span),
        "time_to_detect": distribution(Unit::Span, &story.detect),
        "time_to_reschedule": distribution(Unit::Span, &story.reschedule),
        "time_to_recover": distribution(Unit::Span, &story.recover),
        "stages": stages.collect::<Vec<Value>>(),
        "slowest_replica": why.collect::<Vec<Value>>(),
    })
}

fn service(row: &ServiceRow) -> Value {
    let totals = &row.totals;
    let share = |ppm: Option<u64>| ppm.map(|ppm| number(Unit::Ratio, ppm));
    json!({
        "name": row.name,
        "availability": share(totals.availability_ppm()),
        "availability_by_time": share(totals.availability_by_time_ppm()),
        "objective": number(Unit::Ratio, u64::from(totals.objective_ppm)),
        "requests": thousandths(totals.requests),
        "good": thousandths(totals.good),
        "slow": thousandths(totals.slow),
        "timed_out": thousandths(totals.timed_out),
        "refused": thousandths(totals.refused),
        "errors": thousandths(totals.errors),
        "attempts": thousandths(totals.attempts),
        "stale_attempts": thousandths(totals.stale),
        "on_new_revision": thousandths(totals.on_new_revision),
        "mean_latency": totals.latency().map(|span| seconds(span.as_nanos())),
    })
}

fn workload(row: &WorkloadRow) -> Value {
    let totals = &row.totals;
    json!({
        "name": row.name,
        "desired": totals.desired,
        "available": totals.available,
        "fewest_available": totals.fewest,
        "downtime": span(totals.downtime),
        "created": totals.created,
        "max_per_node": totals.max_per_node,
        "evictions": row.evictions,
        "restarts": row.restarts,
        "replacements": row.replacements,
        "pending": row.pending,
        "duplicate_time": span(row.duplicates),
    })
}

fn rollout(row: &RolloutRow) -> Value {
    let totals = &row.totals;
    json!({
        "workload": row.workload,
        "revision": row.revision.0,
        "started_at": seconds(totals.started.as_nanos()),
        "ended_at": totals.ended.map(|at| seconds(at.as_nanos())),
        "ending": format!("{:?}", totals.ending).to_lowercase(),
        "duration": totals.duration().map(span),
        "worst_availability": totals.worst_ppm.map(|ppm| number(Unit::Ratio, ppm)),
        "surge_used": totals.surge,
        "stalled": span(totals.stalled),
        "time_to_halt": totals.halted.map(|at| span(at.since(totals.started))),
        "requests_on_new_revision": row.exposed,
        "errors": row.errors,
    })
}

fn measured(unit: Unit, value: Measured) -> Value {
    match value {
        Measured::Nothing | Measured::Never => Value::Null,
        Measured::Value(value) => number(unit, value),
    }
}

fn number(unit: Unit, value: u64) -> Value {
    match unit {
        Unit::Span => seconds(value),
        Unit::Ratio => json!(value as f64 / 1e6),
        Unit::Count => json!(value),
    }
}

fn span(span: Span) -> Value {
    seconds(span.as_nanos())
}

fn seconds(nanos: u64) -> Value {
    json!(nanos as f64 / 1e9)
}

fn thousandths(n: u64) -> Value {
    json!(n as f64 / 1e3)
}
