//! The small scenarios, and what is read off their runs.

use std::sync::Arc;

use shakedown_chaos::expect::{Metric, Statistic};
use shakedown_engine::fact::{FactKind, Note};
use shakedown_engine::profile::Profile;
use shakedown_engine::time::{Span, Time};
use shakedown_reports::measure::{Measured, RolloutEnding, value_of};
use shakedown_reports::{Evaluation, Run, evaluate, format};
use shakedown_scenarios::{Files, ReadError};

use crate::execute::Job;
use crate::failure::Failure;
use crate::plans::Named;

/// A question, the scenario that puts it, and how its run answers.
pub(crate) struct Probe {
    /// For `--show`.
    pub(crate) name: &'static str,
    /// The row's heading.
    pub(crate) title: &'static str,
    /// The scenario.
    pub(crate) text: &'static str,
    /// What it names.
    files: &'static [(&'static str, &'static str)],
    /// The cell.
    read: fn(&Run, &Evaluation) -> String,
}

macro_rules! probe {
    ($name:literal, $title:literal, $read:expr $(, $file:literal)*) => {
        Probe {
            name: $name,
            title: $title,
            text: include_str!(concat!("probes/", $name, ".yaml")),
            files: &[$(($file, include_str!(concat!("probes/", $file)))),*],
            read: $read,
        }
    };
}

/// All rows.
pub(crate) const PROBES: &[Probe] = &[
    probe!("moves", "moves replicas of a dead node", moves),
    probe!("blip", "a node silent for 20 s", blip),
    probe!("twice", "runs twice while cut off", twice),
    probe!("returns", "moves back when the node does", returns),
    probe!("restarts", "a process crashes", restarts),
    probe!("hangs", "a process hangs", hangs),
    probe!("steps", "a new version", steps),
    probe!("bad-version", "a version that crashes", bad_version),
    probe!("room", "counts requests", room),
    probe!("ports", "a published port, twice on a node", ports, "ports-compose.yaml"),
    probe!("load", "follows the load", load, "load-manifest.yaml"),
];

impl Files for Probe {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        let own = (self.name, self.text);
        let found = std::iter::once(&own).chain(self.files).find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).into()).ok_or(ReadError::Missing)
    }
}

impl Probe {
    /// What it asks: the scenario says so itself.
    pub(crate) fn question(&self) -> &'static str {
        self.text.lines().find_map(|line| line.strip_prefix("about: ")).unwrap_or(self.title)
    }

    /// The scenario, checked.
    pub(crate) fn plan(&self) -> Result<Named, Failure> {
        let plan = shakedown_scenarios::load_from(self.name, self)?;
        Ok(Named { typed: self.name.to_owned(), plan: Arc::new(plan) })
    }

    /// What comes of it under a profile.
    pub(crate) fn cell(&self, plan: &Named, profile: &Profile) -> String {
        let job = Job { scenario: plan.clone(), profile: profile.clone(), heading: profile.name.to_string(), seed: 1 };
        let run = job.run().run;
        (self.read)(&run, &evaluate(&run))
    }
}

fn worst(of: &Evaluation, metric: Metric) -> Measured {
    let found = of.metrics.iter().find(|samples| samples.metric == metric);
    found.map_or(Measured::Nothing, |of| value_of(&of.samples, metric, Statistic::Max))
}

fn count(of: &Evaluation, metric: Metric) -> u64 {
    if let Measured::Value(n) = worst(of, metric) { n } else { 0 }
}

/// Whole seconds: a table of one run must not pretend to more.
fn seconds(nanos: u64) -> String {
    Span::from_secs((nanos + 500_000_000) / 1_000_000_000).to_string()
}

/// The first container that is started for the first time within a span of a run's time.
fn first_start(run: &Run, from: Time, until: Time) -> Option<Time> {
    let new = |kind| matches!(kind, FactKind::ContainerStarted { restarts: 0, .. });
    run.facts.iter().find(|fact| fact.at > from && fact.at < until && new(fact.kind)).map(|fact| fact.at)
}

fn minute(n: u64) -> Time {
    Time::ZERO + Span::from_secs(n * 60)
}

fn moves(run: &Run, _: &Evaluation) -> String {
    match first_start(run, minute(1), run.end) {
        Some(at) => format!("after {}", seconds(at.since(minute(1)).as_nanos())),
        None => "never".to_owned(),
    }
}

fn blip(_: &Run, of: &Evaluation) -> String {
    if count(of, Metric::Evictions) + count(of, Metric::Replacements) > 0 { "replaced" } else { "waited for" }
        .to_owned()
}

fn twice(_: &Run, of: &Evaluation) -> String {
    match count(of, Metric::DuplicateTime) {
        0 => "no".to_owned(),
        nanos => format!("{} in all", seconds(nanos)),
    }
}

fn returns(run: &Run, _: &Evaluation) -> String {
    if first_start(run, minute(1), minute(30)).is_none() {
        return "nothing left".to_owned();
    }
    let node = run.catalog.nodes.iter().find(|(_, node)| run.catalog.names.text(node.name) == "n-3").map(|(id, _)| id);
    let binds = |kind| matches!(kind, FactKind::PodBound { node: to, .. } if Some(to) == node);
    let moved = run.facts.iter().any(|fact| fact.at >= minute(30) && binds(fact.kind));
    if moved { "yes" } else { "no" }.to_owned()
}

fn restarts(_: &Run, of: &Evaluation) -> String {
    let how = if count(of, Metric::Restarts) > 0 { "in place" } else { "by a new one" };
    match worst(of, Metric::TimeToRecover) {
        Measured::Value(nanos) => format!("{how}, {}", format::span(nanos)),
        Measured::Never | Measured::Nothing => "stays down".to_owned(),
    }
}

fn hangs(_: &Run, of: &Evaluation) -> String {
    match (count(of, Metric::Restarts), count(of, Metric::Replacements)) {
        (0, 0) => "nobody acts",
        (0, _) => "replaced",
        (_, 0) => "restarted",
        _ => "both",
    }
    .to_owned()
}

/// Where people do it, one by one.
fn by_hand(run: &Run) -> &'static str {
    let told = |kind| matches!(kind, FactKind::Noted { note: Note::UpdatedByHand, .. });
    if run.profile.replication.once || run.facts.iter().any(|fact| told(fact.kind)) { "by hand: " } else { "" }
}

fn steps(run: &Run, of: &Evaluation) -> String {
    let Some(rollout) = of.rollouts.first() else { return "not by itself".to_owned() };
    let worst = format::percent_short(rollout.totals.worst_ppm.unwrap_or(0));
    match (rollout.totals.ending, rollout.totals.ended) {
        (RolloutEnding::Completed, Some(ended)) => {
            format!("{}{}, {worst}", by_hand(run), seconds(ended.since(rollout.totals.started).as_nanos()))
        }
        _ => format!("not done, {worst}"),
    }
}

fn bad_version(run: &Run, of: &Evaluation) -> String {
    let Some(rollout) = of.rollouts.first() else { return "not by itself".to_owned() };
    let worst = format::percent_short(rollout.totals.worst_ppm.unwrap_or(0));
    let end = match (rollout.totals.ending, rollout.totals.halted) {
        (RolloutEnding::Undone, _) => "turned back",
        (RolloutEnding::Completed, _) => "\"done\"",
        (_, Some(_)) => "halts",
        (_, None) => "goes on",
    };
    format!("{}{end}, {worst}", by_hand(run))
}

fn room(_: &Run, of: &Evaluation) -> String {
    let lacks = of.workloads.first().is_some_and(|row| row.totals.available < row.totals.desired);
    match (count(of, Metric::Pending), lacks) {
        (0, false) => "no, crowds",
        (0, true) => "others refused",
        _ => "others wait",
    }
    .to_owned()
}

fn ports(_: &Run, of: &Evaluation) -> String {
    match of.workloads.first() {
        Some(row) if row.totals.available == row.totals.desired => "shared".to_owned(),
        Some(row) => format!("{} of {} run", row.totals.available, row.totals.desired),
        None => "-".to_owned(),
    }
}

fn load(_: &Run, of: &Evaluation) -> String {
    if count(of, Metric::AutoscalerMoves) > 0 { "yes" } else { "no" }.to_owned()
}
