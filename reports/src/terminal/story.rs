//! The story of each fault: one paragraph, then the stages its replicas went through.
//!
//! Start at [`lines`].

use shakedown_chaos::expect::Statistic;

use super::style::{Paint, Style};
use super::table::{Align, Table};
use super::{WIDTH, wrap};
use crate::format;
use crate::measure::{Evaluation, Measured, Stage, Story};
use crate::run::Run;

/// All faults and operations in the order of the timeline.
pub(super) fn lines(run: &Run, evaluation: &Evaluation, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let column = evaluation.faults.iter().map(|story| format::clock(story.at).len()).max().unwrap_or(0);
    for story in &evaluation.faults {
        lines.push(format!("{:>column$}  {}", format::clock(story.at), style.paint(Paint::Strong, &story.label)));
        let indent = " ".repeat(column + 2);
        for line in wrap(&sentences(run, story), WIDTH - column - 4) {
            lines.push(format!("{indent}{line}"));
        }
        lines.extend(stages(run, story).lines(style).into_iter().map(|line| format!("{indent}{line}")));
    }
    if let Some(at) = evaluation.converged {
        lines.push(format!("{:>column$}  everything that was wanted is in place again", format::clock(at)));
    }
    lines
}

/// What a fault did, in sentences.
pub(crate) fn sentences(run: &Run, story: &Story) -> String {
    let mut said = Vec::new();
    let word = run.profile.words.pod;
    let lost = story.lost;
    if story.targets == 0 {
        said.push("It hit nothing.".to_owned());
    }
    if lost.total > 0 {
        said.push(format!("{} lost.", format::plural(u64::from(lost.total), word)));
    }
    if let Some(sentence) = course(story) {
        said.push(sentence);
    }
    if lost.withdrawn > 0 {
        let what = format::plural(u64::from(lost.withdrawn), word);
        said.push(format!("{what} more removed by a rollout or scaling before they were back."));
    }
    said.extend(onset(story));
    said.join(" ")
}

/// "Detected after 52.3s, evicted after 353s, replaced 12/12, all ready after 358.1s."
fn course(story: &Story) -> Option<String> {
    let mut steps = Vec::new();
    let lost = story.lost;
    match story.detect.statistic(Statistic::Max) {
        Measured::Value(nanos) if !story.is_operation => steps.push(format!("detected after {}", format::span(nanos))),
        Measured::Never if !story.is_operation => {
            steps.push(format!("not noticed on {} of {} targets", story.detect.never(), story.detect.count()));
        }
        _ => {}
    }
    let last = |stage: Stage| {
        let reached = story.stages.iter().find(|times| times.stage == stage)?;
        reached.total.values().last().copied()
    };
    if let Some(nanos) = last(Stage::Evicted) {
        steps.push(format!("evicted after {}", format::span(nanos)));
    }
    if lost.in_place > 0 {
        steps.push(format!("restored in place {}/{}", lost.in_place, lost.total));
    }
    if lost.total > lost.in_place {
        steps.push(format!("replaced {}/{}", lost.replaced, lost.total - lost.in_place));
    }
    match story.recover.statistic(Statistic::Max) {
        Measured::Value(nanos) => steps.push(format!("all ready after {}", format::span(nanos))),
        Measured::Never => steps.push(format!("{} not back at the end", lost.missing)),
        Measured::Nothing => {}
    }
    let mut sentence = steps.join(", ");
    let first = sentence.chars().next()?.to_ascii_uppercase();
    sentence.replace_range(..1, &first.to_string());
    sentence.push('.');
    Some(sentence)
}

fn onset(story: &Story) -> Option<String> {
    let onset = story.onset?.as_nanos();
    let felt = match onset {
        0 => "Users felt it at once".to_owned(),
        _ => format!("Users felt it after {}", format::span(onset)),
    };
    Some(match story.detect.statistic(Statistic::Min) {
        Measured::Value(detected) if detected > onset && !story.is_operation => {
            format!("{felt}, {} before it was detected.", format::span(detected - onset))
        }
        Measured::Value(detected) if !story.is_operation => {
            format!("{felt}, {} after it was detected.", format::span(onset - detected))
        }
        _ => format!("{felt}."),
    })
}

fn stages(run: &Run, story: &Story) -> Table {
    let word = format!("{}s", run.profile.words.pod);
    let mut table = Table::new(&[
        ("stage", Align::Left),
        ("step p50", Align::Right),
        ("step p99", Align::Right),
        ("since fault p50", Align::Right),
        ("p90", Align::Right),
        ("p99", Align::Right),
        ("max", Align::Right),
        (&word, Align::Right),
    ]);
    for times in &story.stages {
        let total = |which| format::stat(&times.total, which);
        table.row(vec![
            times.stage.name().to_owned(),
            format::stat(&times.step, Statistic::P50),
            format::stat(&times.step, Statistic::P99),
            total(Statistic::P50),
            total(Statistic::P90),
            total(Statistic::P99),
            total(Statistic::Max),
            format::count(times.total.count()),
        ]);
    }
    table
}
