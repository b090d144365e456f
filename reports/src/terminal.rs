//! The summary for the terminal: what a tired person understands at once.
//!
//! Verdict and reason first, then one paragraph a fault, then users, rollouts, expectations, and last what was ignored
//! and how to see it again. At most 100 columns wide; it speaks the orchestrator's own words. Start at [`render`].

mod story;
pub mod style;
mod table;

pub(crate) use story::{before, sentences};
use style::{Paint, Style};
pub use table::{Align, Table};

use crate::format;
use crate::measure::{Evaluation, RolloutEnding, RolloutRow, ServiceRow, Verdict};
use crate::run::Run;

/// Widest line.
pub const WIDTH: usize = 100;

/// The whole summary, with a newline at the end.
pub fn render(run: &Run, evaluation: &Evaluation, style: Style) -> String {
    let mut out = String::new();
    headline(&mut out, run, evaluation, style);
    section(&mut out, style, "what happened", story::lines(run, evaluation, style));
    section(&mut out, style, "users", users(evaluation, style));
    section(&mut out, style, "rollouts", rollouts(run, evaluation));
    section(&mut out, style, "replicas", replicas(run, evaluation));
    section(&mut out, style, "limits that made somebody wait", limits(evaluation));
    section(&mut out, style, "expectations", expectations(evaluation, style));
    section(
        &mut out,
        style,
        "notes",
        run.notes.iter().flat_map(|note| bullet(&format::harmless(&note.replace(char::is_whitespace, " ")))).collect(),
    );
    out.push('\n');
    out.push_str(&format!("digest {}\n", evaluation.digest));
    out.push_str(&format!("replay {}\n", style.paint(Paint::Strong, &format::harmless(&run.replay_command()))));
    out
}

fn headline(out: &mut String, run: &Run, evaluation: &Evaluation, style: Style) {
    let (word, paint) = match evaluation.verdict {
        Verdict::Passed => (" PASSED ", Paint::Good),
        Verdict::Failed => (" FAILED ", Paint::Bad),
        Verdict::Demo => ("  DEMO  ", Paint::Plain),
    };
    let title = format!("{} on {}, seed {}", run.scenario, run.orchestrator, run.seed);
    let title = format::harmless(&title);
    out.push_str(&format!("{} {}\n", style.badge(paint, word), style.paint(Paint::Strong, &title)));
    for line in wrap(&evaluation.reason, WIDTH - 9) {
        out.push_str(&format!("         {line}\n"));
    }
    for line in wrap(&format::harmless(&run.about.replace(char::is_whitespace, " ")), WIDTH - 9) {
        out.push_str(&format!("         {}\n", style.paint(Paint::Faint, &line)));
    }
}

fn section(out: &mut String, style: Style, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", style.paint(Paint::Strong, title)));
    for line in lines {
        out.push_str(format!("  {line}").trim_end());
        out.push('\n');
    }
}

fn users(evaluation: &Evaluation, style: Style) -> Vec<String> {
    let mut table = Table::new(&[
        ("service", Align::Left),
        ("available", Align::Right),
        ("of time", Align::Right),
        ("objective", Align::Right),
        ("requests", Align::Right),
        ("lost", Align::Right),
        ("slow", Align::Right),
        ("stale", Align::Right),
        ("latency", Align::Right),
    ]);
    for row in &evaluation.services {
        table.row(service(row));
    }
    let mut lines = table.lines(style);
    if !lines.is_empty() {
        for line in wrap(USERS_LEGEND, WIDTH - 4) {
            lines.push(style.paint(Paint::Faint, &line));
        }
    }
    lines
}

/// What the columns of users mean.
const USERS_LEGEND: &str = "of time: windows of 10 s that met the objective; lost: not answered, or with an error; stale: \
                            attempts sent to a replica that no longer served";

fn service(row: &ServiceRow) -> Vec<String> {
    let totals = &row.totals;
    let share = |ppm: Option<u64>| ppm.map_or_else(|| "-".to_owned(), format::percent_short);
    vec![
        shortened(&row.name, 26),
        share(totals.availability_ppm()),
        share(totals.availability_by_time_ppm()),
        format::percent(u64::from(totals.objective_ppm)),
        format::count(totals.requests / 1000),
        format::count(totals.lost().div_ceil(1000)),
        format::count(totals.slow.div_ceil(1000)),
        format::count(totals.stale.div_ceil(1000)),
        totals.latency().map_or_else(|| "-".to_owned(), |span| span.to_string()),
    ]
}

fn rollouts(run: &Run, evaluation: &Evaluation) -> Vec<String> {
    evaluation.rollouts.iter().flat_map(|row| wrap_hanging(&rollout(run, row), WIDTH - 4)).collect()
}

/// One rollout in a sentence.
pub(crate) fn rollout(run: &Run, row: &RolloutRow) -> String {
    let totals = &row.totals;
    let took = totals.ended.unwrap_or(run.end).since(totals.started);
    let ending = match totals.ending {
        RolloutEnding::Completed => format!("completed in {took}"),
        RolloutEnding::Undone => format!("turned back after {took}"),
        RolloutEnding::Superseded => format!("superseded after {took}"),
        RolloutEnding::Unfinished => format!("unfinished after {took}"),
    };
    let mut text =
        format!("{} to revision {} at {}: {ending}", row.workload, row.revision.0, format::clock(totals.started),);
    if let Some(worst) = totals.worst_ppm {
        let worst = format::percent_short(worst);
        text.push_str(&format!(
            ", at worst {worst} of the wanted replicas available, {} surplus at most",
            totals.surge
        ));
    }
    if !totals.stalled.is_zero() {
        text.push_str(&format!(", stalled for {}", totals.stalled));
    }
    if let Some(halted) = totals.halted {
        text.push_str(&format!(", halted {} after its start", halted.since(totals.started)));
    }
    if row.exposed > 0 {
        text.push_str(&format!(", {} met a newer revision", format::plural(row.exposed, "request")));
    }
    if row.errors > 0 {
        text.push_str(&format!(", {} meanwhile", format::plural(row.errors, "error")));
    }
    text
}

/// Workloads that did not end as wanted, or that went through something.
fn replicas(run: &Run, evaluation: &Evaluation) -> Vec<String> {
    let word = run.profile.words.pod;
    let mut lines = Vec::new();
    for row in &evaluation.workloads {
        let totals = &row.totals;
        let mut parts = Vec::new();
        if totals.available < totals.desired {
            parts.push(format!("{} of {} available at the end", totals.available, totals.desired));
        }
        if row.pending > 0 {
            parts.push(format!("{} not scheduled", format::plural(u64::from(row.pending), word)));
        }
        if !totals.downtime.is_zero() {
            parts.push(format!("none available for {}", totals.downtime));
        }
        if !row.duplicates.is_zero() {
            parts.push(format!("old and new copies ran side by side for {}, summed over replicas", row.duplicates));
        }
        if row.restarts > 0 {
            parts.push(format::plural(u64::from(row.restarts), "restart"));
        }
        if !parts.is_empty() {
            lines.extend(wrap_hanging(&format!("{}: {}", row.name, parts.join(", ")), WIDTH - 4));
        }
    }
    const MOST: usize = 12;
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(format!("and {more} more, see report.html"));
    }
    lines
}

fn limits(evaluation: &Evaluation) -> Vec<String> {
    let rows = evaluation.throttled.iter();
    rows.map(|(client, wait)| format!("{} waited up to {wait} for their rate limit", crate::names::client(*client)))
        .collect()
}

fn expectations(evaluation: &Evaluation, style: Style) -> Vec<String> {
    let width = evaluation.expectations.iter().map(|judged| judged.demand().chars().count()).max().unwrap_or(0);
    let width = width.min(WIDTH - 30);
    let mut lines: Vec<String> = (evaluation.expectations.iter())
        .map(|judged| {
            let (mark, paint) = if judged.holds { ("✓", Paint::Good) } else { ("✗", Paint::Bad) };
            format!("{} {:width$}  {}", style.paint(paint, mark), judged.demand(), judged.measured_words())
        })
        .collect();
    for (at, property, sentence) in &evaluation.violations {
        let (name, at) = (crate::names::property(*property), format::clock(*at));
        let text = format!("property `{name}` broken at {at}: {sentence}");
        lines.push(format!("{} {text}", style.paint(Paint::Bad, "✗")));
    }
    lines
}

fn bullet(text: &str) -> Vec<String> {
    wrap_hanging(&format!("- {text}"), WIDTH - 2)
}

/// Wraps with continuation lines indented by two.
fn wrap_hanging(text: &str, width: usize) -> Vec<String> {
    let mut lines = wrap(text, width.saturating_sub(2));
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, "  ");
    }
    lines
}

/// A name that is too long without its middle: both ends tell names apart.
pub(crate) fn shortened(name: &str, most: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= most {
        return name.to_owned();
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
}

/// Breaks at spaces. A longer word stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
