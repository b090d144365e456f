//! `shakedown compare`: orchestrators or settings side by side, on the same seeds.
//!
//! Runs of one seed share all luck, so their difference is the difference of the settings. Each `--set` makes one more
//! column for each orchestrator that has its flags; the column without any is always there. Start at [`compare`].

use std::num::NonZeroUsize;

use serde_json::{Value, json};
use shakedown_chaos::expect::{Metric, Unit};
use shakedown_reports::compare::{Cell, Comparison};
use shakedown_reports::decision::{Answer, Decision, Gap, aspect};
use shakedown_reports::measure::Measured;
use shakedown_reports::{Evaluation, Run, Verdict, evaluate};

use crate::console::{Console, Format};
use crate::execute::Job;
use crate::failure::{Exit, Failure};
use crate::output::{Destination, Where};
use crate::parallel;
use crate::plans::{self, Named, Setting};

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenario file, or name of a shipped scenario
    #[arg(value_name = "FILE|NAME")]
    scenario: String,
    /// Orchestrators to compare, instead of those of the scenario
    #[arg(long = "orchestrator", value_name = "NAME")]
    orchestrators: Vec<String>,
    /// A variant: one or more settings, separated by commas
    #[arg(long = "set", value_name = "[ORCHESTRATOR.]FLAG=VALUE[,…]", value_parser = variant)]
    variants: Vec<Variant>,
    /// Seeds of each column, counted up from the first one of the scenario [default: those of the scenario]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    seeds: Option<u32>,
    #[command(flatten)]
    place: Where,
    /// All metrics as one table, instead of the page that a choice is made from
    #[arg(long)]
    all_metrics: bool,
    /// Form of the comparison
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Runs at the same time; results do not depend on it [default: one a core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// Settings that belong together.
#[derive(Clone, Debug, Default)]
struct Variant(Vec<Setting>);

fn variant(text: &str) -> Result<Variant, String> {
    text.split(',').map(str::parse).collect::<Result<_, _>>().map(Variant)
}

pub(crate) fn compare(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    let scenario = plans::load(std::slice::from_ref(&args.scenario))?.remove(0);
    let destination = args.place.exact(None);
    destination.iter().try_for_each(Destination::check)?;
    let seeds = seeds(args, &scenario);
    let jobs = jobs(args, &scenario, &seeds)?;
    let done: Vec<(Option<Run>, Evaluation, Vec<String>)> =
        parallel::map(jobs.len(), args.jobs.unwrap_or_else(parallel::cores), |index| {
            let finished = jobs[index].run();
            let evaluation = evaluate(&finished.run);
            // A thousand logs do not fit in memory; they are kept only to be written.
            (destination.is_some().then_some(finished.run), evaluation, finished.unsupported)
        });
    let mut exit = Exit::Passed;
    for (_, evaluation, unsupported) in &done {
        for reason in unsupported {
            console.note(format_args!("the world failed: {reason}"));
            exit = Exit::WorldFailed;
        }
        exit = exit.max(if evaluation.verdict == Verdict::Failed { Exit::Failed } else { Exit::Passed });
    }
    let evaluations: Vec<Evaluation> = done.iter().map(|(_, evaluation, _)| evaluation.clone()).collect();
    let comparison = Comparison::new(&evaluations);
    let decision = Decision::new(&evaluations, &|column, metric| mechanism(&jobs, column, metric));
    match args.format {
        Format::Text => {
            console.line(format_args!("{}, {} seeds each", scenario.typed, seeds.len()));
            let style = console.style();
            console.print(&if args.all_metrics { comparison.render(style) } else { decision.render(style) });
        }
        Format::Json => console.line(format_args!("{:#}", document((&scenario, &seeds), &comparison, &decision))),
    }
    if let Some(destination) = destination {
        let runs: Vec<(Run, Evaluation)> = done.into_iter().filter_map(|(run, of, _)| Some((run?, of))).collect();
        console.note(format_args!("report: {}", destination.write(&runs)?.display()));
    }
    Ok(exit)
}

fn seeds(args: &Args, scenario: &Named) -> Vec<u64> {
    let own = &scenario.plan.seeds;
    let first = own.first().copied().unwrap_or(1);
    args.seeds.map_or_else(|| own.clone(), |count| (0..u64::from(count)).map(|n| first.wrapping_add(n)).collect())
}

fn jobs(args: &Args, scenario: &Named, seeds: &[u64]) -> Result<Vec<Job>, Failure> {
    let orchestrators = plans::orchestrators(&scenario.plan, &args.orchestrators)?;
    for variant in &args.variants {
        plans::check_settings(&scenario.plan, &variant.0, &orchestrators)?;
    }
    let mut jobs = Vec::new();
    for orchestrator in &orchestrators {
        let own = args.variants.iter().filter(|variant| {
            let settings = std::slice::from_ref(orchestrator);
            variant
                .0
                .iter()
                .all(|setting| plans::check_settings(&scenario.plan, std::slice::from_ref(setting), settings).is_ok())
        });
        for variant in std::iter::once(&Variant::default()).chain(own) {
            let profile = plans::profile(&scenario.plan, orchestrator, &variant.0)?;
            let heading = heading(orchestrator, variant);
            jobs.extend(seeds.iter().map(|&seed| Job {
                scenario: scenario.clone(),
                profile: profile.clone(),
                heading: heading.clone(),
                seed,
            }));
        }
    }
    Ok(jobs)
}

/// What brings a column's figure about: its profile knows.
fn mechanism(jobs: &[Job], column: &str, metric: Metric) -> Option<String> {
    let job = jobs.iter().find(|job| job.heading == column)?;
    Some(job.profile.because(aspect(metric)?))
}

/// `kubernetes`, or `kubernetes node-monitor-grace-period=20s`.
fn heading(orchestrator: &str, variant: &Variant) -> String {
    let mut heading = orchestrator.to_owned();
    for setting in &variant.0 {
        heading.push_str(&format!(" {}={}", setting.flag, setting.value));
    }
    heading
}

fn document((scenario, seeds): (&Named, &[u64]), comparison: &Comparison, decision: &Decision) -> Value {
    let columns = comparison.columns.iter().map(
        |column| json!({ "name": column.name, "runs": column.runs, "passed": column.passed, "failed": column.failed }),
    );
    let metrics = comparison.rows.iter().map(|row| {
        let unit = row.metric.unit();
        let cells: Vec<Value> = row.cells.iter().map(|c| cell(unit, c)).collect();
        json!({ "metric": row.metric.name(), "unit": unit_name(unit), "cells": cells })
    });
    json!({
        "schema_version": 1,
        "scenario": scenario.plan.name,
        "seeds": seeds,
        "columns": columns.collect::<Vec<Value>>(),
        "metrics": metrics.collect::<Vec<Value>>(),
        "questions": questions(decision),
    })
}

fn questions(decision: &Decision) -> Vec<Value> {
    let name = |answer: &Answer| &decision.columns[answer.column].name;
    let of = |question: &shakedown_reports::decision::Question| {
        let unit = question.metric.unit();
        let answers: Vec<Value> = (question.answers.iter())
            .map(|answer| {
                json!({
                    "column": name(answer),
                    "median": measured(unit, answer.median),
                    "never": answer.median == Measured::Never,
                    "range": answer.range.map(|(least, most)| [measured(unit, least), measured(unit, most)]),
                    "standing": answer.standing.name(),
                    "against_first": answer.behind.map(|interval| json!({
                        "seeds": interval.seeds,
                        "median": gap(unit, interval.median),
                        "low": gap(unit, interval.low),
                        "high": gap(unit, interval.high),
                    })),
                    "mechanism": answer.mechanism,
                })
            })
            .collect();
        json!({ "question": question.title, "metric": question.metric.name(), "unit": unit_name(unit), "answers": answers })
    };
    decision.questions.iter().map(of).collect()
}

/// A difference as a number, or as the word for one that has none.
fn gap(unit: Unit, gap: Gap) -> Value {
    match gap {
        Gap::By(by) => number(unit, by as f64),
        Gap::OnlyFirst => json!("never"),
        Gap::OnlySecond => json!("first-never"),
    }
}

fn measured(unit: Unit, value: Measured) -> Value {
    if let Measured::Value(value) = value { number(unit, value as f64) } else { Value::Null }
}

fn cell(unit: Unit, cell: &Cell) -> Value {
    let median = measured(unit, cell.median);
    let range = cell.range.map(|(least, most)| [measured(unit, least), measured(unit, most)]);
    let paired = cell.paired.map(|paired| {
        let difference = paired.median.map(|median| number(unit, median as f64));
        json!({ "seeds": paired.seeds, "better": paired.better, "worse": paired.worse, "median": difference })
    });
    json!({ "median": median, "never": cell.median == Measured::Never, "range": range, "paired_difference": paired })
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Span => "seconds",
        Unit::Ratio => "ratio",
        Unit::Count => "count",
    }
}

fn number(unit: Unit, value: f64) -> Value {
    match unit {
        Unit::Span => json!(value / 1e9),
        Unit::Ratio => json!(value / 1e6),
        Unit::Count => json!(value),
    }
}
