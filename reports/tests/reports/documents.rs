//! Files: JSON, CSV, plots, HTML, and the directory they are written into.

use std::path::PathBuf;

use shakedown_chaos::expect::{Metric, Statistic};
use shakedown_chaos::fault::Action;
use shakedown_chaos::select::NodeSelection;
use shakedown_engine::fact::FactKind;
use shakedown_engine::ids::NodeId;
use shakedown_reports::compare::{Comparison, Tendency};
use shakedown_reports::measure::Distribution;
use shakedown_reports::terminal::{render, style::Style};
use shakedown_reports::{Existing, Run, csv, evaluate, html, json, plot, write_all};

use crate::logbook::{Logbook, below, kill, ms, partition};

const HOSTILE: &str = "</script><script>alert(1)</script>&\"'";

fn hostile() -> Run {
    let mut book = Logbook::new(&[HOSTILE, "doe"], HOSTILE, 3);
    book.start();
    book.notes.push(HOSTILE.to_owned());
    book.close(HOSTILE, HOSTILE)
}

/// A directory of this test's own, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shakedown-reports-{name}-{}", std::process::id()));
        _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_document_has_exactly_the_promised_keys() {
    let mut book = kill();
    book.expect(Metric::TimeToRecover, Statistic::P99, below(400));
    let evaluation = evaluate(&book.close("burning-server", ""));
    let document = json::document("burning-server", &[evaluation]);
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("it is an object").keys().cloned().collect()
    };
    assert_eq!(keys(&document), ["runs", "scenario", "schema_version"]);
    let run = &document["runs"][0];
    assert_eq!(keys(run), ["digest", "expectations", "metrics", "orchestrator", "reason", "seed", "verdict"]);
    assert_eq!(run["verdict"], "passed");
    assert_eq!(run["metrics"]["time_to_detect"]["max"], 52.0);
    assert_eq!(run["metrics"]["faults"][0]["stages"][0]["stage"], "detected");
    assert_eq!(run["expectations"][0]["passed"], true);
    for metric in Metric::ALL {
        assert!(run["metrics"][metric.name()].is_object(), "{metric}");
    }
}

#[test]
fn csv_rows_come_back_as_they_were_written() {
    let run = kill().close("burning-server", "");
    let mut bytes = Vec::new();
    csv::write_facts(&run, &mut bytes).expect("a vector takes everything");
    let mut reader = ::csv::Reader::from_reader(bytes.as_slice());
    assert_eq!(reader.headers().expect("there is a heading").iter().collect::<Vec<_>>(), csv::COLUMNS);
    let rows: Vec<::csv::StringRecord> = reader.records().map(|row| row.expect("each row is well formed")).collect();
    assert_eq!(rows.len(), run.facts.len());
    let down = rows.iter().find(|row| &row[3] == "HostDown").expect("the host went down");
    assert_eq!(
        down.iter().collect::<Vec<_>>()[1..9],
        ["300.000000000", &down[2], "HostDown", "doe", "", "", "", "kill node doe"]
    );
    let created = rows.iter().filter(|row| &row[3] == "PodCreated").nth(6).expect("a replacement was created");
    assert_eq!((&created[8], &created[9]), ("kill node doe", "pod frontend-6 is created to replace frontend-1"));
    let load = rows.iter().filter(|row| &row[3] == "Traffic").nth(1).expect("users made requests");
    let amounts = ["300.000000000", "10504.000", "5252.000", "0.000", "5252.000"];
    assert_eq!(load.iter().skip(10).take(5).collect::<Vec<_>>(), amounts, "amounts add up from the table alone");
}

#[test]
fn plots_are_pictures_of_the_announced_size() {
    let run = kill().close("burning-server", "");
    let svg = plot::timeline_svg(&run).expect("it can be drawn");
    assert!(svg.starts_with("<svg width=\"1200\"") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("kill node doe") && svg.contains("john"));
    let png = plot::timeline_png(&run).expect("it can be drawn");
    let decoder = png::Decoder::new(std::io::Cursor::new(&png));
    let reader = decoder.read_info().expect("it is a PNG");
    assert_eq!(reader.info().width, 2400);
    assert!(png.len() > 20_000, "letters and bands take space: {}", png.len());
}

#[test]
fn hostile_names_stay_text() {
    let run = hostile();
    let page = html::render(&run, &evaluate(&run)).expect("it can be rendered");
    assert_eq!(page.matches("<script").count(), 1, "only the embedded summary");
    assert_eq!(page.matches("</script").count(), 1);
    assert!(!page.contains("alert(1)</script>"));
    let raw = page.split("id=\"summary\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let raw: serde_json::Value = serde_json::from_str(raw.expect("it is embedded")).expect("it is JSON");
    assert_eq!(raw["scenario"], HOSTILE);
    let svg = plot::timeline_svg(&run).expect("it can be drawn");
    assert!(!svg.contains("<script"));
}

#[test]
fn pages_refer_to_nothing_outside_and_close_what_they_open() {
    let run = kill().close("burning-server", "About");
    let page = html::render(&run, &evaluate(&run)).expect("it can be rendered");
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in [
        "main", "table", "tbody", "thead", "tr", "td", "div", "span", "section", "svg", "text", "ol", "li", "ul", "p",
        "h2", "i", "details",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
}

#[test]
fn a_directory_appears_complete_and_is_not_overwritten_unasked() {
    let scratch = Scratch::new("one");
    let run = kill().close("burning-server", "");
    let evaluation = evaluate(&run);
    let runs = [(run, evaluation)];
    let page = write_all(&scratch.0, &runs, Existing::Refuse).expect("it can be written");
    assert_eq!(page, scratch.0.join("report.html"));
    for name in ["summary.json", "facts.csv", "timeline.svg", "timeline.png", "report.html"] {
        assert!(std::fs::metadata(scratch.0.join(name)).expect(name).len() > 0, "{name}");
    }
    let refused = write_all(&scratch.0, &runs, Existing::Refuse).expect_err("it exists");
    assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
    write_all(&scratch.0, &runs, Existing::Replace).expect("it may be replaced");
}

#[test]
fn several_runs_get_a_directory_each_and_a_comparison() {
    let scratch = Scratch::new("several");
    let mut other = partition().close("burning-server", "");
    other.orchestrator = "swarm".to_owned();
    let runs: Vec<_> = [kill().close("burning-server", ""), other]
        .map(|run| {
            let evaluation = evaluate(&run);
            (run, evaluation)
        })
        .into();
    let page = write_all(&scratch.0, &runs, Existing::Refuse).expect("it can be written");
    assert_eq!(page, scratch.0.join("compare.html"));
    assert!(scratch.0.join("kubernetes-seed7/report.html").exists());
    assert!(scratch.0.join("swarm-seed7/facts.csv").exists());
}

#[test]
fn comparisons_pair_runs_of_the_same_seed() {
    let first = evaluate(&kill().close("a", ""));
    let mut other = evaluate(&partition().close("a", ""));
    other.orchestrator = "swarm".to_owned();
    let comparison = Comparison::new(&[first.clone(), other.clone()]);
    let row = comparison.rows.iter().find(|row| row.metric == Metric::DuplicateTime).expect("both measured it");
    assert_eq!(row.cells[1].tendency(), Tendency::Same, "one seed is no evidence");
    assert_eq!(row.cells[1].difference_words(row.metric), "+42m25s");
    assert!(comparison.render(Style::Plain).contains("swarm"));
    other.seed = 8;
    let unpaired = Comparison::new(&[first, other]);
    assert!(unpaired.rows.iter().all(|row| row.cells[1].paired.is_none()), "no common seed, no difference");
}

/// Runs of two columns whose duplicates differ by what is given, seed by seed.
fn columns_that_differ(by: &[i64]) -> Comparison {
    let mut evaluations = Vec::new();
    for (name, is_second) in [("a", false), ("b", true)] {
        for (seed, difference) in by.iter().enumerate() {
            let mut evaluation = evaluate(&kill().close("noise", ""));
            (evaluation.orchestrator, evaluation.seed) = (name.to_owned(), seed as u64);
            let value = 100_000_000_000 + if is_second { difference * 1_000_000_000 } else { 0 };
            for of in evaluation.metrics.iter_mut().filter(|of| of.metric == Metric::DuplicateTime) {
                of.samples = Distribution::single(value.unsigned_abs());
            }
            evaluations.push(evaluation);
        }
    }
    Comparison::new(&evaluations)
}

#[test]
fn nothing_is_called_better_that_may_be_chance() {
    let cell = |by: &[i64]| {
        let comparison = columns_that_differ(by);
        let row = comparison.rows.into_iter().find(|row| row.metric == Metric::DuplicateTime);
        row.expect("both measured it").cells.remove(1)
    };
    let said = |by| cell(by).difference_words(Metric::DuplicateTime);
    assert_eq!(said(&[-5, -6, -4, -7, -5]), "-5s, better on 5/5");
    assert_eq!(said(&[5, 6, 4, 7, 5]), "+5s, worse on 5/5");
    assert_eq!(said(&[-5, -6, -4, -7]), "-6s, 4 lower, 0 higher of 4", "four coins agree in one of eight");
    assert_eq!(said(&[-5, -6, -4, -7, 1]), "-5s, 4 lower, 1 higher of 5");
    assert_eq!(said(&[0, 0, 0, 0, 0]), "no change");
    let range = cell(&[-5, -6, -4, -7, 1]).range_words(Metric::DuplicateTime);
    assert_eq!(range, "93s – 101s");
    let many: Vec<i64> = (0..2000).map(|seed| if seed % 4 == 0 { 1 } else { -1 }).collect();
    assert_eq!(cell(&many[..20]).tendency(), Tendency::Better, "15 of 20");
}

#[test]
fn evicting_more_is_neither_better_nor_worse() {
    let first = evaluate(&kill().close("a", ""));
    let mut all = Vec::new();
    for seed in 0..5 {
        for (name, evictions) in [("a", 3), ("b", 4)] {
            let mut evaluation = first.clone();
            (evaluation.orchestrator, evaluation.seed) = (name.to_owned(), seed);
            for of in evaluation.metrics.iter_mut().filter(|of| of.metric == Metric::Evictions) {
                of.samples = Distribution::single(evictions);
            }
            all.push(evaluation);
        }
    }
    let comparison = Comparison::new(&all);
    let row = comparison.rows.iter().find(|row| row.metric == Metric::Evictions).expect("both measured it");
    assert_eq!(row.cells[1].tendency(), Tendency::Same);
    assert_eq!(row.cells[1].difference_words(row.metric), "+1, 0 lower, 5 higher of 5");
}

#[test]
fn what_a_spreadsheet_might_run_is_quoted_and_comes_back_as_it_was() {
    const FORMULA: &str = "=cmd|' /C \"calc\"'!A0, @SUM(1)";
    let mut book = Logbook::new(&["john", "doe"], "frontend", 3);
    book.start();
    let kill = book.entry(ms(5_000), Action::Kill(NodeSelection::default()), FORMULA);
    book.apply(kill, 1);
    let mut bytes = Vec::new();
    csv::write_facts(&book.close("formula", ""), &mut bytes).expect("a vector takes everything");
    let text = String::from_utf8(bytes).expect("it is text");
    assert!(!text.contains(",=cmd") && text.contains(",\"=cmd|' /C \"\"calc\"\"'!A0, @SUM(1)\","), "{text}");
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let last = reader.records().last().expect("there are rows").expect("it is well formed");
    assert_eq!(&last[8], FORMULA);
}

#[test]
fn long_names_and_labels_keep_within_the_screen() {
    let name = "a-very-long-name-".repeat(8);
    let mut book = Logbook::new(&["john", "doe"], &name, 3);
    book.with_users();
    book.start();
    book.traffic(ms(3_000), ms(5_000), 500);
    let kill = book.entry(ms(5_000), Action::Kill(NodeSelection::default()), &"very long label ".repeat(20));
    book.apply(kill, 1);
    let run = book.close("long", "");
    let text = render(&run, &evaluate(&run), Style::Plain);
    let can_be_broken = |line: &&str| line.split(' ').all(|word| word.len() < 60);
    for line in text.lines().filter(can_be_broken) {
        assert!(line.chars().count() <= shakedown_reports::terminal::WIDTH, "{line}");
    }
    let users = text.lines().find(|line| line.contains('…')).expect("the service's name is shortened");
    assert!(users.chars().count() <= shakedown_reports::terminal::WIDTH, "{users}");
}

#[test]
fn hostile_names_do_not_steer_the_terminal() {
    let name = "\u{1b}[2J\u{1b}]0;owned\u{7}\rall fine\u{202e}";
    let mut book = Logbook::new(&[name, "doe"], name, 3);
    book.start();
    let kill = book.entry(ms(5_000), Action::Kill(NodeSelection::default()), name);
    let applied = book.apply(kill, 1);
    book.fact(ms(5_000), applied, FactKind::HostDown { node: NodeId(0) });
    book.notes.push(name.to_owned());
    let run = book.close(name, name);
    let text = render(&run, &evaluate(&run), Style::Plain);
    let is_harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(is_harmful), "{text:?}");
    let compared = Comparison::new(&[evaluate(&run)]).render(Style::Plain);
    assert!(!compared.contains(is_harmful), "{compared:?}");
}
