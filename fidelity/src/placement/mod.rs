//! Placement: recorded scheduling cycles of a real kube-scheduler, replayed through the engine's own scheduler.
//!
//! A recording holds problems, one a line: a cluster, pods that come one after the other, and what the real scheduler
//! saw and did in each attempt. Each attempt is repeated from the recorded state, so that one difference is not
//! counted again in all that follows it. Start at [`conform`]; the comparisons are in `replay`, `scores` and
//! `preemption`.

mod checks;
mod cluster;
mod page;
mod preemption;
mod record;
mod replay;
mod scores;

pub use page::part;

use std::fmt;
use std::io;

use shakedown_engine::profile::Profile;

use crate::agreement::Agreement;
use crate::recordings::{LineError, MAX_LINE_BYTES, Shipped, Source, next_line, shipped};

/// The recording that ships with the program.
pub fn recording() -> Shipped {
    shipped("kubernetes/placement.jsonl").expect("it is in the table of recordings")
}

/// Why a recording cannot be replayed. Nothing of this is a disagreement.
#[derive(Debug)]
pub struct Unusable {
    /// The file.
    pub file: String,
    /// Line, from 1; `None` for the file as a whole.
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub help: &'static str,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

impl std::error::Error for Unusable {}

const FORMAT: &str = "each line is one problem as `fidelity/recordings/kubernetes/README.md` describes it";

/// Replays all problems of a recording.
///
/// # Errors
/// The first line that is no problem, or whose objects are invalid.
pub fn conform(source: &Source, profile: &Profile) -> Result<Agreement, Unusable> {
    let file = source.name();
    let unusable = |line, problem: String, help| Unusable { file: file.clone(), line, problem, help };
    let cannot_read =
        |line, error: &io::Error| unusable(line, format!("cannot read it: {error}"), "name a readable file");
    let mut reader = source.open().map_err(|error| cannot_read(None, &error))?;
    let mut agreement = Agreement::new(file.clone(), "pods", checks::ALL);
    let mut problems = 0u64;
    for number in 1.. {
        let line = match next_line(&mut *reader) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(LineError::Io(error)) => return Err(cannot_read(Some(number), &error)),
            Err(LineError::NotUtf8) => return Err(unusable(Some(number), "this is not UTF-8".into(), FORMAT)),
            Err(LineError::TooLong) => {
                let problem = format!("this line is longer than {} MiB", MAX_LINE_BYTES >> 20);
                return Err(unusable(Some(number), problem, FORMAT));
            }
        };
        if line.trim().is_empty() {
            continue;
        }
        let problem: record::Problem = serde_json::from_str(&line).map_err(|error| {
            unusable(Some(number), format!("this is not a placement problem: {}", plain(&error)), FORMAT)
        })?;
        replay::replay(&problem, profile, &mut agreement).map_err(|error| {
            let help = "what is expected of a pod must fit the objects of the same line";
            unusable(Some(number), format!("problem {}: {error}", problem.name()), help)
        })?;
        problems += 1;
    }
    if problems == 0 {
        return Err(unusable(None, "there is no problem in it".into(), FORMAT));
    }
    Ok(agreement)
}

/// The parser counts lines within the one line that it got; only the column says something.
fn plain(error: &serde_json::Error) -> String {
    error.to_string().replace("line 1 column", "column")
}
