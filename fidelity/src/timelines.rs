//! All timelines of a directory, or those that ship: replayed one by one and counted together.
//!
//! A single one is in [`crate::timeline`]. Start at [`conform`].

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::agreement::Agreement;
use crate::docs::Part;
use crate::placement::Unusable;
use crate::recordings::{Source, shipped_below};
use crate::timeline;
use crate::timeline::compare::Tolerance;
use crate::timeline::recording::Recording;

const HELP: &str = "each file is one timeline as `fidelity/recordings/kubernetes/timelines2/README.md` describes it";
const NONE: &str = "give a directory with recorded timelines, files that end with `.json` or `.json.zst`";
/// Larger files are refused: the largest recorded timeline has a hundredth of it.
const MAX_BYTES: u64 = 64 << 20;

/// What came of all timelines.
#[derive(Clone, Debug)]
pub struct Timelines {
    /// Each by itself, with how exactly its times were compared.
    pub each: Vec<(Agreement, Tolerance)>,
    /// All of them together.
    pub all: Agreement,
}

/// The timelines that ship with the program.
pub fn shipped() -> Vec<Source> {
    shipped_below("kubernetes/timelines").map(Source::Shipped).collect()
}

/// The timelines below a directory, by name; or the one file that is given.
///
/// # Errors
/// When it cannot be read, or there are none.
pub fn below(path: &Path) -> Result<Vec<Source>, Unusable> {
    let mut files = Vec::new();
    walk(path, &mut files).map_err(|error| unusable(&path.display().to_string(), &error.to_string(), NONE))?;
    files.sort();
    if files.is_empty() {
        return Err(unusable(&path.display().to_string(), "there is no recorded timeline", NONE));
    }
    Ok(files.into_iter().map(Source::File).collect())
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        fs::metadata(path)?;
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
        if path.is_dir() || name.ends_with(".json") || name.ends_with(".json.zst") {
            walk(&path, files)?;
        }
    }
    Ok(())
}

/// Replays all of them.
///
/// # Errors
/// The first that cannot be read, or tells something that is not known here.
pub fn conform(sources: &[Source]) -> Result<Timelines, Unusable> {
    let mut all = timeline::agreement("kubernetes timelines");
    let mut each = Vec::new();
    for source in sources {
        let file = source.name();
        let (own, tolerance) = one(source, &mut all).map_err(|problem| unusable(&file, &problem, HELP))?;
        each.push((own, tolerance));
    }
    Ok(Timelines { each, all })
}

fn one(source: &Source, all: &mut Agreement) -> Result<(Agreement, Tolerance), String> {
    let mut text = String::new();
    let reader = source.open().map_err(|error| error.to_string())?;
    reader.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let file = source.name();
    let name = file.rsplit(['/', '\\']).next().unwrap_or(&file);
    let name = name.trim_end_matches(".zst").trim_end_matches(".json");
    let recording = Recording::read(name, &text)?;
    let mut own = timeline::agreement(name);
    timeline::conform(&recording, all)?;
    let tolerance = timeline::conform(&recording, &mut own)?;
    Ok((own, tolerance))
}

fn unusable(file: &str, problem: &str, help: &'static str) -> Unusable {
    Unusable { file: file.to_owned(), line: None, problem: problem.to_owned(), help }
}

impl Timelines {
    /// Tables for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let width = self.each.iter().map(|(own, _)| own.subject.len()).max().unwrap_or(0);
        let _ = writeln!(out, "  {:<width$}{:>10}{:>10}{:>11}  times within", "timeline", "compared", "agree", "");
        for (own, tolerance) in &self.each {
            let total = own.total();
            let (name, share) = (&own.subject, total.percent());
            let _ = writeln!(out, "  {name:<width$}{:>10}{:>10}{share:>11}  {tolerance}", total.compared, total.agreed);
        }
        let _ = write!(out, "\n{}", self.all.text());
        out
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let mut all = self.all.json();
        let each = self.each.iter().map(|(own, tolerance)| {
            let mut own = own.json();
            own["tolerance"] = json!({ "seconds": tolerance.seconds, "text": tolerance.to_string() });
            own
        });
        all["recordings"] = each.collect();
        all
    }

    /// The documentation's part.
    pub fn part(&self) -> Part<'_> {
        Part { title: "Timelines", method: METHOD, agreement: &self.all, limits: LIMITS }
    }

    /// A row for each timeline, for the documentation.
    pub fn rows(&self) -> String {
        let mut rows = "\n| timeline | compared | agree | | times within |\n|---|--:|--:|--:|---|\n".to_owned();
        for (own, tolerance) in &self.each {
            let total = own.total();
            let (name, share) = (&own.subject, total.percent());
            let _ = writeln!(rows, "| {name} | {} | {} | {share} | {tolerance} |", total.compared, total.agreed);
        }
        rows
    }
}

const METHOD: &str = "\
Real controllers with scripted kubelets: rollouts, scaling, dead nodes, StatefulSets, DaemonSets, Jobs, drains under a \
budget, EndpointSlices, the scheduler's queue, deletion order, taints, a chain of preemptions. Each recording's settings, \
pods at the trigger and actions are set up in the engine, with kubelets that behave as its settings say, and what then \
happens is held against what happened: how often each kind of event occurs, when its n-th instance does, what comes before \
what, and how far numbers of pods swing. `shakedown conform kubernetes-timeline` repeats it, with recordings of your own \
as well.";

const LIMITS: &[&str] = &[
    "Names, addresses and the choice among equals (nodes, victims, pods of the same rank) are random in the original; \
     counts, times and ranks are compared instead. Where hosts stop or are drained, of several lucks the one is taken with \
     which they hold what the recorded ones held.",
    "Counts in the status of objects are not compared, only the events of pods, nodes, endpoints, evictions and attempts.",
    "Where a recording says how many attempts a second its scheduler made, the replay makes as many; pods of the recordings \
     of the queue alone preempt nobody.",
    "A few recorded changes of endpoints come a second late, because the controller has not seen its own last write. That \
     race is drawn by lot, so replays leave it out and allow for it in the tolerance.",
];
