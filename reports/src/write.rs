//! All reports of some runs in one directory, which appears complete or not at all.
//!
//! One run writes into the directory itself; several get a directory each beside a comparison. Start at [`write_all`].

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::compare::Comparison;
use crate::decision::Decision;
use crate::html;
use crate::json;
use crate::measure::Evaluation;
use crate::plot;
use crate::run::Run;

/// What to do with a directory that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and fail.
    Refuse,
    /// Put the new results in its place, as soon as they are complete.
    Replace,
}

/// Writes `summary.json`, `facts.csv`, `timeline.svg`, `timeline.png` and `report.html` of each run below `dir`.
///
/// Several runs get sub-directories `<orchestrator>-seed<N>`, and `compare.html` with a `summary.json` over all of them
/// at the top. Everything is written beside `dir` first and then renamed. Returns the page to open.
///
/// # Errors
/// When `dir` exists and must not be replaced, when something cannot be written, or when a plot cannot be drawn.
pub fn write_all(dir: &Path, runs: &[(Run, Evaluation)], existing: Existing) -> io::Result<PathBuf> {
    if existing == Existing::Refuse && dir.exists() {
        let message = format!("`{}` already exists", dir.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    let partial = beside(dir, "partial");
    remove(&partial)?;
    fs::create_dir_all(&partial)?;
    let page = match runs {
        [(run, evaluation)] => write_run(&partial, run, evaluation).map(|()| "report.html"),
        _ => write_several(&partial, runs).map(|()| "compare.html"),
    };
    let page = page.inspect_err(|_| _ = fs::remove_dir_all(&partial))?;
    let old = beside(dir, "old");
    remove(&old)?;
    if dir.exists() {
        fs::rename(dir, &old)?;
    }
    fs::rename(&partial, dir)?;
    remove(&old)?;
    Ok(dir.join(page))
}

fn write_run(dir: &Path, run: &Run, evaluation: &Evaluation) -> io::Result<()> {
    fs::write(dir.join("summary.json"), pretty(&json::summary(run, evaluation))?)?;
    let mut facts = io::BufWriter::new(fs::File::create(dir.join("facts.csv"))?);
    crate::csv::write_facts(run, &mut facts).map_err(io::Error::other)?;
    facts.flush()?;
    fs::write(dir.join("timeline.svg"), plot::timeline_svg(run).map_err(io::Error::other)?)?;
    fs::write(dir.join("timeline.png"), plot::timeline_png(run).map_err(io::Error::other)?)?;
    fs::write(dir.join("report.html"), html::render(run, evaluation).map_err(io::Error::other)?)
}

fn write_several(dir: &Path, runs: &[(Run, Evaluation)]) -> io::Result<()> {
    let mut names: Vec<String> = Vec::new();
    for (run, evaluation) in runs {
        let mut name = format!("{}-seed{}", file_name(&run.orchestrator), run.seed);
        while names.contains(&name) {
            name.push('+');
        }
        let sub = dir.join(&name);
        fs::create_dir(&sub)?;
        write_run(&sub, run, evaluation)?;
        names.push(name);
    }
    let evaluations: Vec<Evaluation> = runs.iter().map(|(_, evaluation)| evaluation.clone()).collect();
    let scenario = runs.first().map_or("", |(run, _)| run.scenario.as_str());
    let comparison = Comparison::new(&evaluations);
    let decision = Decision::of_runs(runs);
    let page = html::render_comparison(scenario, (&comparison, &decision), &names).map_err(io::Error::other)?;
    fs::write(dir.join("compare.html"), page)?;
    fs::write(dir.join("summary.json"), pretty(&json::document(scenario, &evaluations))?)
}

fn pretty(value: &serde_json::Value) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// A hidden neighbour of a directory, on the same file system so that renaming is atomic.
fn beside(dir: &Path, ending: &str) -> PathBuf {
    let name = dir.file_name().map_or_else(|| "out".into(), |name| name.to_string_lossy());
    dir.with_file_name(format!(".{name}.{ending}"))
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A heading as a file name: nothing that a shell or a file system takes for something else.
fn file_name(heading: &str) -> String {
    let mut name = String::new();
    for c in heading.chars() {
        if c.is_ascii_alphanumeric() || "._=".contains(c) {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "run".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn headings_become_harmless_file_names() {
        assert_eq!(file_name("kubernetes (grace 20s)"), "kubernetes-grace-20s");
        assert_eq!(file_name("../../etc"), "etc");
        assert_eq!(file_name("/"), "run");
    }
}
