//! Recordings of a real Nomad: placements, computed again by the engine's own scheduler.
//!
//! Any directory with the same kinds of files can be compared: `placement.jsonl` and `cluster_alloc_metrics.json`,
//! plain or compressed. Timelines are compared elsewhere and join the same page. Start at [`conform`].

mod checks;
mod cluster;
pub(crate) mod page;
mod record;
mod replay;
mod running;
mod targets;

use std::path::Path;

use shakedown_engine::profile::Profile;

use crate::agreement::Agreement;
use crate::docs::{self, Part};
use crate::placement::Unusable;
use crate::recordings::{Source, next_line, shipped};

const FORMAT: &str = "the files are as `fidelity/recordings/nomad/README.md` describes them";

/// The recordings that ship with the program.
pub fn shipped_recordings() -> Vec<Source> {
    ["nomad/cluster_alloc_metrics.json", "nomad/placement.jsonl"]
        .into_iter()
        .map(|name| Source::Shipped(shipped(name).expect("it is in the table of recordings")))
        .collect()
}

/// The recordings of placements in a directory.
///
/// # Errors
/// When the directory cannot be read, or has none.
pub fn below(directory: &Path) -> Result<Vec<Source>, Unusable> {
    let unusable =
        |problem: String, help| Unusable { file: directory.display().to_string(), line: None, problem, help };
    let entries = std::fs::read_dir(directory)
        .map_err(|error| unusable(format!("cannot read it: {error}"), "name a directory with recordings"))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    paths.retain(|path| is_running(&name(path)) || is_placement(&name(path)));
    if paths.is_empty() {
        return Err(unusable("there is no `placement*.jsonl` in it".into(), FORMAT));
    }
    Ok(paths.into_iter().map(Source::File).collect())
}

fn is_placement(name: &str) -> bool {
    name.starts_with("placement") && (name.ends_with(".jsonl") || name.ends_with(".jsonl.zst"))
}

fn is_running(name: &str) -> bool {
    name.starts_with("cluster_alloc_metrics") && (name.ends_with(".json") || name.ends_with(".json.zst"))
}

/// Computes all recorded placements again.
///
/// # Errors
/// The first line that is no problem, or that contradicts itself.
pub fn conform(sources: &[Source], profile: &Profile) -> Result<Agreement, Unusable> {
    let mut agreement = Agreement::new("nomad", "allocations", checks::ALL);
    for source in sources {
        let name = source.name();
        let file = name.rsplit('/').next().unwrap_or(&name);
        if is_running(file) {
            running::compare(source, profile, &mut agreement)?;
        } else {
            placements(source, profile, &mut agreement)?;
        }
    }
    Ok(agreement)
}

fn placements(source: &Source, profile: &Profile, agreement: &mut Agreement) -> Result<(), Unusable> {
    let file = source.name();
    let unusable = |line, problem: String| Unusable { file: file.clone(), line, problem, help: FORMAT };
    let mut reader = source.open().map_err(|error| unusable(None, format!("cannot read it: {error}")))?;
    let mut nodes: Option<Vec<record::Node>> = None;
    let mut problems = 0u64;
    for number in 1.. {
        let line = match next_line(&mut *reader) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) => return Err(unusable(Some(number), format!("this line cannot be read: {error:?}"))),
        };
        if line.trim().is_empty() {
            continue;
        }
        let Some(nodes) = &nodes else {
            let header: record::Header = serde_json::from_str(&line)
                .map_err(|error| unusable(Some(number), format!("the first line must list the nodes: {error}")))?;
            nodes = Some(header.nodes);
            continue;
        };
        let problem: record::Problem = serde_json::from_str(&line)
            .map_err(|error| unusable(Some(number), format!("this is not a placement problem: {error}")))?;
        replay::replay(&problem, nodes, profile, agreement)
            .map_err(|error| unusable(Some(number), format!("problem {}: {error}", problem.k)))?;
        problems += 1;
    }
    if problems == 0 {
        return Err(unusable(None, "there is no problem in it".into()));
    }
    Ok(())
}

/// The part of the page that concerns placement.
pub fn part(agreement: &Agreement) -> Part<'_> {
    page::part(agreement)
}

/// `docs/fidelity-nomad.md`, with what further recordings add.
pub fn page(parts: &[Part<'_>]) -> String {
    docs::page(page::HEAD, parts)
}
