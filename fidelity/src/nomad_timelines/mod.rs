//! Recorded timelines of a real Nomad, each set up again over many seeds: where does what was recorded lie among them?
//!
//! A recording is one throw of the dice. It is not replayed; its settings are, and of every value that timers decide
//! the recorded one must lie in the band of the runs: nine of ten between the 5 % and the 95 % mark, none outside
//! 0.1-99.9 %. What must hold in every run (how many starts, which names stop, what comes first) is exact.
//!
//! - `story`: what a recording says was done · `event`: what happened, in words that recordings and runs share
//! - `measure`: values of a sequence of events · `world`: hosts with the recorded machine's latencies · `stage`: a run
//!
//! Leader and quorum loss (`f_`, `g_`), blocked jobs and preemption (`i_`, `j_`) are read and listed as not compared:
//! add a measure in `measure` and an act in `story`. Start at [`conform`].

mod compare;
mod event;
mod measure;
mod page;
mod stage;
mod story;
mod world;

use std::io::Read;
use std::path::Path;

use crate::placement::Unusable;
use crate::recordings::{Source, shipped_below};

pub use compare::{Found, Verdict};
pub use page::section;

/// Runs behind each band.
pub const SEEDS: u64 = 1_000;

const HELP: &str = "each file is one timeline as `fidelity/recordings/nomad/README.md` describes it";
/// Larger files are refused: the largest recorded timeline has a hundredth of it.
const MAX_BYTES: u64 = 64 << 20;

/// The timelines that ship with the program.
pub fn shipped() -> Vec<Source> {
    shipped_below("nomad/timelines/").map(Source::Shipped).collect()
}

/// The timelines in a directory, by name.
///
/// # Errors
/// When it cannot be read.
pub fn below(directory: &Path) -> Result<Vec<Source>, Unusable> {
    let problem = |error: std::io::Error| unusable(&directory.display().to_string(), error.to_string());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(problem)? {
        paths.push(entry.map_err(problem)?.path());
    }
    paths.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let kind = name.as_bytes().get(..2).is_some_and(|start| start[0].is_ascii_lowercase() && start[1] == b'_');
        kind && (name.ends_with(".json") || name.ends_with(".json.zst"))
    });
    paths.sort();
    Ok(paths.into_iter().map(Source::File).collect())
}

/// Compares all of them, each with so many runs.
///
/// # Errors
/// The first that cannot be read.
pub fn conform(sources: &[Source], seeds: u64) -> Result<Found, Unusable> {
    let mut found = Found::new(seeds);
    for source in sources {
        let name = source.name();
        let mut text = String::new();
        let mut reader = source.open().map_err(|error| unusable(&name, error.to_string()))?.take(MAX_BYTES);
        reader.read_to_string(&mut text).map_err(|error| unusable(&name, error.to_string()))?;
        let json = serde_json::from_str(&text).map_err(|error| unusable(&name, error.to_string()))?;
        found.add(&json).map_err(|problem| unusable(&name, problem))?;
    }
    Ok(found)
}

fn unusable(file: &str, problem: String) -> Unusable {
    Unusable { file: file.to_owned(), line: None, problem, help: HELP }
}
