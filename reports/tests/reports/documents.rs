//! Files: JSON, CSV, plots, HTML, and the directory they are written into.

use std::path::PathBuf;

use shakedown_chaos::expect::{Metric, Statistic};
use shakedown_reports::compare::{Comparison, Tendency};
use shakedown_reports::terminal::style::Style;
use shakedown_reports::{Existing, Run, csv, evaluate, html, json, plot, write_all};

use crate::logbook::{Logbook, below, kill, partition};

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
    assert_eq!(down.iter().collect::<Vec<_>>()[1..9], ["300.000000000", &down[2], "HostDown", "doe", "", "", "", ""]);
    let created = rows.iter().filter(|row| &row[3] == "PodCreated").nth(6).expect("a replacement was created");
    assert_eq!(&created[9], "pod frontend-6 is created to replace frontend-1");
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
    assert_eq!(row.cells[1].tendency(), Tendency::Worse);
    assert_eq!(row.cells[1].difference_words(row.metric), "+42m25s, worse on 1 of 1");
    assert!(comparison.render(Style::Plain).contains("swarm"));
    other.seed = 8;
    let unpaired = Comparison::new(&[first, other]);
    assert!(unpaired.rows.iter().all(|row| row.cells[1].paired.is_none()), "no common seed, no difference");
}
