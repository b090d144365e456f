//! The story of each fault: one paragraph, then the stages its replicas went through.
//!
//! Start at [`lines`].

use shakedown_chaos::expect::Statistic;
use shakedown_engine::time::Time;

use super::style::{Paint, Style};
use super::table::{Align, Table};
use super::{WIDTH, wrap};
use crate::format;
use crate::measure::{Evaluation, Measured, Stage, Story};
use crate::run::Run;

/// More events than this within one part of a run are left to the report.
const MOST_TOLD: usize = 8;

/// All faults and operations in the order of the timeline.
pub(super) fn lines(run: &Run, evaluation: &Evaluation, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let column = evaluation.faults.iter().map(|story| format::clock(story.at).len()).max().unwrap_or(0).max(4);
    if let Some(sentence) = before(evaluation) {
        lines.push(format!("{:>column$}  {}", "0:00", style.paint(Paint::Strong, "start")));
        lines.push(format!("{}  {sentence}", " ".repeat(column)));
    }
    let first = evaluation.faults.first().map_or(Time::MAX, |story| story.at);
    let gap = " ".repeat(column + 2);
    lines.extend(told(evaluation, (Time::ZERO, first), style).into_iter().map(|line| format!("{gap}{line}")));
    for (number, story) in evaluation.faults.iter().enumerate() {
        let indent = " ".repeat(column + 2);
        let mut at = format::clock(story.at);
        for line in wrap(&story.label, WIDTH - column - 4) {
            lines.push(format!("{at:>column$}  {}", style.paint(Paint::Strong, &line)));
            at.clear();
        }
        for line in wrap(&sentences(run, story), WIDTH - column - 4) {
            lines.push(format!("{indent}{line}"));
        }
        let next = evaluation.faults.get(number + 1).map_or(Time::MAX, |story| story.at);
        lines.extend(told(evaluation, (story.at, next), style).into_iter().map(|line| format!("{indent}{line}")));
        lines.extend(stages(run, story).lines(style).into_iter().map(|line| format!("{indent}{line}")));
    }
    if let Some(at) = evaluation.converged {
        let again = if evaluation.faults.is_empty() { "" } else { " again" };
        lines.push(format!("{:>column$}  everything that was wanted is in place{again}", format::clock(at)));
    }
    lines
}

/// What was told within a part of the run, a line each; the most of one part are said in few words.
fn told(evaluation: &Evaluation, (from, to): (Time, Time), style: Style) -> Vec<String> {
    let within: Vec<_> = evaluation.highlights.iter().filter(|h| (from..to).contains(&h.at)).collect();
    let mut lines = Vec::new();
    for highlight in within.iter().take(MOST_TOLD) {
        let text = format!("{}  {}", format::clock(highlight.at), highlight.sentence());
        let wrapped = wrap(&text, WIDTH - 14);
        lines.extend(wrapped.iter().map(|line| style.paint(Paint::Faint, line)));
    }
    if within.len() > MOST_TOLD {
        let more = format!("and {} more in the report", within.len() - MOST_TOLD);
        lines.push(style.paint(Paint::Faint, &more));
    }
    lines
}

/// What users felt before the timeline's first entry, which no entry can be blamed for.
pub(crate) fn before(evaluation: &Evaluation) -> Option<String> {
    let lost = evaluation.lost_before.div_ceil(1000);
    let until = if evaluation.faults.is_empty() { "" } else { " before the first entry of the timeline" };
    (lost > 0).then(|| format!("{} failed{until}.", format::plural(lost, "request")))
}

/// What a fault did, in sentences.
pub(crate) fn sentences(run: &Run, story: &Story) -> String {
    let mut said = Vec::new();
    let word = run.profile.words.pod;
    let lost = story.lost;
    if story.targets == 0 {
        said.push("It hit nothing: nothing matched its selector at that moment.".to_owned());
    }
    if lost.total > 0 {
        said.push(format!("{} lost.", format::plural(u64::from(lost.total), word)));
    }
    if story.nodes_hit > 0 && !story.is_operation && lost.total + lost.withdrawn == 0 {
        said.push(format!("No {word} was lost."));
    }
    if let Some(sentence) = course(story) {
        said.push(sentence);
    }
    if let Some(halted) = story.halted {
        said.push(format!("The rollout came to a halt after {halted}."));
    }
    if lost.withdrawn > 0 {
        let what = format::plural(u64::from(lost.withdrawn), word);
        let they = if lost.withdrawn == 1 { "it was" } else { "they were" };
        let more = if lost.total > 0 { " more" } else { "" };
        said.push(format!("{what}{more} removed by a rollout or scaling before {they} back."));
    }
    said.extend(onset(story));
    said.join(" ")
}

/// "Detected after 52.3s, evicted after 353s, replaced 12/12, all ready after 358.1s."
fn course(story: &Story) -> Option<String> {
    let mut steps = Vec::new();
    let lost = story.lost;
    match story.detect.statistic(Statistic::Max) {
        Measured::Value(_) if !story.is_operation => {
            steps.push(format!("detected after {}", first_to_last(story.detect.values())));
        }
        Measured::Never if !story.is_operation => {
            steps.push(format!("not noticed on {} of {} targets", story.detect.never(), story.detect.count()));
        }
        _ => {}
    }
    if let Some(evicted) = story.stages.iter().find(|times| times.stage == Stage::Evicted) {
        steps.push(format!("evicted after {}", first_to_last(evicted.total.values())));
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

/// `51.4s`, or `41.4s to 51.4s` where it was not the same for all.
fn first_to_last(sorted: &[u64]) -> String {
    let show = |nanos: Option<&u64>| nanos.map_or_else(String::new, |nanos| format::span(*nanos));
    let (first, last) = (show(sorted.first()), show(sorted.last()));
    if first == last { last } else { format!("{first} to {last}") }
}

fn onset(story: &Story) -> Option<String> {
    let failed = format!("{} failed", format::plural(story.lost_requests, "request"));
    let Some(onset) = story.onset.map(|span| span.as_nanos()) else {
        return story.is_felt.then(|| format!("{failed} until the next entry or the end."));
    };
    if story.is_operation {
        let when = if onset == 0 { "at once".to_owned() } else { format!("after {}", format::span(onset)) };
        return Some(format!("{failed}, the first {when}."));
    }
    let felt = match onset {
        0 => "Users felt it at once".to_owned(),
        _ => format!("Users felt it after {}", format::span(onset)),
    };
    Some(match story.detect.statistic(Statistic::Min) {
        Measured::Value(detected) if detected > onset => {
            format!("{felt}, {} before it was detected: {failed}.", format::span(detected - onset))
        }
        Measured::Value(detected) if detected < onset => {
            format!("{felt}, {} after it was detected: {failed}.", format::span(onset - detected))
        }
        Measured::Never => format!("{felt}, and it was never detected: {failed}."),
        _ => format!("{felt}: {failed}."),
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
