//! What the templates show, as text: every number is formatted here, and no template computes.
//!
//! Start at [`Page`].

use serde::Serialize;
use shakedown_chaos::expect::Statistic;
use shakedown_engine::time::Time;

use crate::assumptions;
use crate::compare::Comparison;
use crate::decision::Decision;
use crate::format;
use crate::measure::{Evaluation, Measured, Stage, Story, Verdict};
use crate::run::Run;
use crate::terminal;

/// One run's page.
#[derive(Serialize)]
pub(super) struct Page {
    scenario: String,
    about: String,
    orchestrator: String,
    version: String,
    seed: u64,
    digest: String,
    duration: String,
    facts: String,
    verdict: &'static str,
    verdict_word: &'static str,
    reason: String,
    pod_word: &'static str,
    workload_word: &'static str,
    headline: Vec<Headline>,
    expectations: Vec<Expectation>,
    violations: Vec<Violation>,
    before: Option<String>,
    told: Vec<Why>,
    faults: Vec<Fault>,
    services: Vec<Vec<String>>,
    workloads: Vec<Vec<String>>,
    rollouts: Vec<String>,
    throttled: Vec<String>,
    notes: Vec<String>,
    assumptions: Vec<Assumption>,
    replay: String,
}

#[derive(Serialize)]
struct Headline {
    name: &'static str,
    value: String,
    note: String,
}

#[derive(Serialize)]
struct Expectation {
    demand: String,
    measured: String,
    samples: String,
    holds: bool,
}

#[derive(Serialize)]
struct Violation {
    at: String,
    property: &'static str,
    what: String,
}

#[derive(Serialize)]
struct Fault {
    at: String,
    lifted: Option<String>,
    label: String,
    is_operation: bool,
    why_title: String,
    sentences: String,
    bars: Vec<Bar>,
    stages: Vec<Vec<String>>,
    legend: Vec<Legend>,
    told: Vec<Why>,
    why: Vec<Why>,
}

#[derive(Serialize)]
struct Bar {
    name: &'static str,
    total: String,
    segments: Vec<Segment>,
}

#[derive(Serialize)]
struct Segment {
    class: &'static str,
    share: String,
    title: String,
    label: String,
}

#[derive(Serialize)]
struct Legend {
    class: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Why {
    at: String,
    text: String,
}

#[derive(Serialize)]
struct Assumption {
    name: String,
    value: String,
    meaning: String,
    source: String,
    changed: bool,
}

impl Page {
    pub(super) fn new(run: &Run, evaluation: &Evaluation) -> Self {
        Self {
            scenario: run.scenario.clone(),
            about: run.about.clone(),
            orchestrator: run.orchestrator.clone(),
            version: format!("{} {}", run.profile.name, run.profile.version),
            seed: run.seed,
            digest: evaluation.digest.to_string(),
            duration: run.end.to_string(),
            facts: format::count(evaluation.facts),
            verdict: evaluation.verdict.name(),
            verdict_word: match evaluation.verdict {
                Verdict::Passed => "Passed",
                Verdict::Failed => "Failed",
                Verdict::Demo => "Demo",
            },
            reason: evaluation.reason.clone(),
            pod_word: run.profile.words.pod,
            workload_word: run.profile.words.workload,
            headline: headline(evaluation),
            expectations: expectations(evaluation),
            violations: violations(evaluation),
            before: terminal::before(evaluation),
            told: told(evaluation, Time::ZERO, evaluation.faults.first().map_or(Time::MAX, |story| story.at)),
            faults: faults(run, evaluation),
            services: services(evaluation),
            workloads: workloads(evaluation),
            rollouts: evaluation.rollouts.iter().map(|row| terminal::rollout(run, row)).collect(),
            throttled: throttled(evaluation),
            notes: run.notes.clone(),
            assumptions: assumed(run),
            replay: run.replay_command(),
        }
    }
}

/// Four numbers that most people look for first.
fn headline(evaluation: &Evaluation) -> Vec<Headline> {
    use shakedown_chaos::expect::Metric::{Availability, TimeToDetect, TimeToRecover, TimeToReschedule};
    let wanted = [
        (TimeToDetect, "time to detect"),
        (TimeToReschedule, "time to reschedule"),
        (TimeToRecover, "time to recover"),
        (Availability, "availability"),
    ];
    let mut tiles = Vec::new();
    for (metric, name) in wanted {
        let Some(found) = evaluation.metrics.iter().find(|of| of.metric == metric) else { continue };
        let worst = crate::measure::value_of(&found.samples, metric, Statistic::Max);
        if worst == Measured::Nothing {
            continue;
        }
        let note = match metric {
            Availability => "of the worst service".to_owned(),
            _ if found.samples.never() > 0 => {
                format!("{} of {} never", found.samples.never(), found.samples.count())
            }
            _ => {
                format!("slowest of {}, median {}", found.samples.count(), format::stat(&found.samples, Statistic::P50))
            }
        };
        tiles.push(Headline { name, value: short(metric.unit(), worst), note });
    }
    tiles
}

fn short(unit: shakedown_chaos::expect::Unit, value: Measured) -> String {
    match (unit, value) {
        (shakedown_chaos::expect::Unit::Ratio, Measured::Value(ppm)) => format::percent_short(ppm),
        (unit, value) => format::measured(unit, value),
    }
}

fn expectations(evaluation: &Evaluation) -> Vec<Expectation> {
    let rows = evaluation.expectations.iter();
    rows.map(|judged| Expectation {
        demand: judged.demand(),
        measured: judged.measured_words(),
        samples: format::count(judged.samples),
        holds: judged.holds,
    })
    .collect()
}

fn violations(evaluation: &Evaluation) -> Vec<Violation> {
    let rows = evaluation.violations.iter();
    rows.map(|(at, property, what)| Violation {
        at: format::clock(*at),
        property: crate::names::property(*property),
        what: what.clone(),
    })
    .collect()
}

/// What was told within a part of the run.
fn told(evaluation: &Evaluation, from: Time, to: Time) -> Vec<Why> {
    let within = evaluation.highlights.iter().filter(|told| (from..to).contains(&told.at));
    within.map(|told| Why { at: format::clock(told.at), text: told.sentence() }).collect()
}

fn faults(run: &Run, evaluation: &Evaluation) -> Vec<Fault> {
    let all = evaluation.faults.iter();
    let ends = all.clone().skip(1).map(|story| story.at).chain([Time::MAX]);
    all.zip(ends).map(|both| fault(run, evaluation, both)).collect()
}

fn fault(run: &Run, evaluation: &Evaluation, (story, next): (&Story, Time)) -> Fault {
    Fault {
        at: format::clock(story.at),
        lifted: story.lifted.map(format::clock),
        label: story.label.clone(),
        is_operation: story.is_operation,
        why_title: why_title(run, story),
        sentences: terminal::sentences(run, story),
        bars: bars(story),
        stages: stages(story),
        legend: story.stages.iter().map(|t| Legend { class: class(t.stage), name: t.stage.name() }).collect(),
        told: told(evaluation, story.at, next),
        why: story.why.iter().map(|line| Why { at: format::clock(line.at), text: line.text.clone() }).collect(),
    }
}

fn why_title(run: &Run, story: &Story) -> String {
    let word = run.profile.words.pod;
    match story.lost {
        lost if lost.missing > 0 => format!("Why a {word} is not back"),
        lost if lost.total > 0 => format!("Why the slowest {word} took that long"),
        _ => "Why the rollout came to a halt".to_owned(),
    }
}

/// Two chains on one scale: each step's median over all replicas, and the slowest replica as it was.
fn bars(story: &Story) -> Vec<Bar> {
    let medians: Vec<(Stage, u64)> = (story.stages.iter())
        .filter_map(|times| match times.step.statistic(Statistic::P50) {
            Measured::Value(nanos) => Some((times.stage, nanos)),
            _ => None,
        })
        .collect();
    let slowest: Vec<(Stage, u64)> = story.slowest.iter().map(|(stage, span)| (*stage, span.as_nanos())).collect();
    let sum = |steps: &[(Stage, u64)]| steps.iter().map(|step| step.1).sum::<u64>();
    let scale = sum(&medians).max(sum(&slowest)).max(1);
    let mut bars = Vec::new();
    if !medians.is_empty() {
        bars.push(bar("median step", &medians, scale));
    }
    if !slowest.is_empty() {
        let name = if story.lost.missing > 0 { "never back" } else { "slowest" };
        bars.push(bar(name, &slowest, scale));
    }
    bars
}

fn bar(name: &'static str, steps: &[(Stage, u64)], scale: u64) -> Bar {
    let segments = steps.iter().map(|&(stage, nanos)| {
        let hundredths = u128::from(nanos) * 10_000 / u128::from(scale);
        Segment {
            class: class(stage),
            share: format!("{}.{:02}", hundredths / 100, hundredths % 100),
            title: format!("{}: {}", stage.name(), format::span(nanos)),
            // A label needs about a tenth of the width.
            label: if hundredths >= 900 { format!("{} {}", stage.name(), format::span(nanos)) } else { String::new() },
        }
    });
    let total = format::span(steps.iter().map(|step| step.1).sum());
    Bar { name, total, segments: segments.collect() }
}

fn class(stage: Stage) -> &'static str {
    match stage {
        Stage::Detected => "s0",
        Stage::Marked => "s1",
        Stage::Evicted => "s2",
        Stage::Created => "s3",
        Stage::Bound => "s4",
        Stage::Pulled => "s5",
        Stage::Started => "s6",
        Stage::Ready => "s7",
        Stage::Listed => "s8",
        Stage::Seen => "s9",
    }
}

fn stages(story: &Story) -> Vec<Vec<String>> {
    let row = |times: &crate::measure::StageTimes| {
        vec![
            class(times.stage).to_owned(),
            times.stage.name().to_owned(),
            format::stat(&times.step, Statistic::P50),
            format::stat(&times.step, Statistic::P99),
            format::stat(&times.total, Statistic::P50),
            format::stat(&times.total, Statistic::P90),
            format::stat(&times.total, Statistic::P99),
            format::stat(&times.total, Statistic::Max),
            format::count(times.total.count()),
        ]
    };
    story.stages.iter().map(row).collect()
}

fn services(evaluation: &Evaluation) -> Vec<Vec<String>> {
    let share = |ppm: Option<u64>| ppm.map_or_else(|| "-".to_owned(), format::percent_short);
    let whole = |thousandths: u64| format::count(thousandths.div_ceil(1000));
    let rows = evaluation.services.iter().map(|row| {
        let totals = &row.totals;
        let amplification = totals.amplification_permille();
        vec![
            row.name.clone(),
            share(totals.availability_ppm()),
            share(totals.availability_by_time_ppm()),
            format::percent(u64::from(totals.objective_ppm)),
            format::count(totals.requests / 1000),
            whole(totals.timed_out),
            whole(totals.refused),
            whole(totals.errors),
            whole(totals.slow),
            whole(totals.stale),
            amplification.map_or_else(|| "-".to_owned(), |n| format!("{}.{:02}", n / 1000, n % 1000 / 10)),
            totals.latency().map_or_else(|| "-".to_owned(), |span| span.to_string()),
        ]
    });
    rows.collect()
}

fn workloads(evaluation: &Evaluation) -> Vec<Vec<String>> {
    let rows = evaluation.workloads.iter().map(|row| {
        let totals = &row.totals;
        vec![
            row.name.clone(),
            format!("{}/{}", totals.available, totals.desired),
            totals.fewest.map_or_else(|| "-".to_owned(), |n| n.to_string()),
            totals.downtime.to_string(),
            format::count(u64::from(row.evictions)),
            format::count(u64::from(row.replacements)),
            format::count(u64::from(row.restarts)),
            format::count(u64::from(row.pending)),
            totals.max_per_node.to_string(),
            row.duplicates.to_string(),
        ]
    });
    rows.collect()
}

fn throttled(evaluation: &Evaluation) -> Vec<String> {
    let rows = evaluation.throttled.iter();
    rows.map(|(client, wait)| format!("{} waited up to {wait}", crate::names::client(*client))).collect()
}

fn assumed(run: &Run) -> Vec<Assumption> {
    let all = assumptions::list(run).into_iter();
    all.map(|a| Assumption { name: a.name, value: a.value, meaning: a.meaning, source: a.source, changed: a.changed })
        .collect()
}

/// The comparison's page.
#[derive(Serialize)]
pub(super) struct ComparisonPage {
    scenario: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    reports: Vec<Link>,
    caption: &'static str,
    complaints: Vec<String>,
    note: Option<String>,
    questions: Vec<Question>,
    marks: Vec<String>,
}

/// A question of the page that a choice is made from.
#[derive(Serialize)]
struct Question {
    title: &'static str,
    answers: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    name: String,
    figure: String,
    range: String,
    behind: String,
    class: &'static str,
    mechanism: String,
}

#[derive(Serialize)]
struct Column {
    name: String,
    runs: String,
    verdicts: String,
    failed: bool,
}

#[derive(Serialize)]
struct Row {
    metric: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    value: String,
    range: String,
    difference: String,
    class: &'static str,
}

#[derive(Serialize)]
struct Link {
    name: String,
    href: String,
}

impl ComparisonPage {
    pub(super) fn new(scenario: &str, (comparison, decision): (&Comparison, &Decision), reports: &[String]) -> Self {
        let columns = comparison.columns.iter().map(|column| Column {
            name: column.name.clone(),
            runs: format::plural(u64::from(column.runs), "run"),
            verdicts: column.verdicts(),
            failed: column.failed > 0,
        });
        let rows = comparison.rows.iter().map(|row| Row {
            metric: row.metric.name().to_owned(),
            cells: (row.cells.iter())
                .map(|cell| Cell {
                    value: format::cell(row.metric.unit(), cell.median),
                    range: cell.range_words(row.metric),
                    difference: cell.difference_words(row.metric),
                    class: cell.tendency().name(),
                })
                .collect(),
        });
        let reports = reports.iter().map(|name| Link { name: name.clone(), href: format!("./{name}/report.html") });
        Self {
            scenario: scenario.to_owned(),
            columns: columns.collect(),
            rows: rows.collect(),
            reports: reports.collect(),
            caption: comparison.caption(),
            complaints: comparison.complaints(),
            note: comparison.note(),
            questions: decision.questions.iter().map(|question| Question::new(question, decision)).collect(),
            marks: decision.notes(),
        }
    }
}

impl Question {
    fn new(question: &crate::decision::Question, decision: &Decision) -> Self {
        let unit = question.metric.unit();
        let answers = question.answers.iter().map(|answer| Answer {
            name: decision.columns[answer.column].name.clone(),
            figure: answer.figure(unit),
            range: answer.range_words(unit).unwrap_or_default(),
            behind: answer.behind_words(unit).unwrap_or_default(),
            class: answer.standing.name(),
            mechanism: answer.mechanism.clone().unwrap_or_default(),
        });
        Self { title: question.title, answers: answers.collect() }
    }
}
