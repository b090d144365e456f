//! The part of `docs/fidelity-nomad.md` that concerns timelines.
//!
//! Start at [`section`].

use std::fmt::Write;

use super::compare::{Found, Verdict};

const METHOD: &str = "\
Each recording is one throw of the dice. Its settings are set up again with `nomad@1.1` over many seeds, and every value that
timers decide must lie among those of the runs: nine of ten in the 5-95 % band, none outside 0.1-99.9 %. Counts, names and the
order of events must be the recorded ones in at least one run of twenty (a recording may itself be a rare throw).

Two models stand between the engine and what was recorded, each stated once for all recordings. The host model
(`fidelity/src/nomad_timelines/world.rs`): tasks start 0.04-0.14 s after the plan, or 0.22-0.38 s where their client hears late;
one that crashes 0.03-0.06 s after it; they end 8-50 ms after the plan; a client that was cut off is heard again after 0.4-1.8 s, one that was stopped after 0.01-0.4 s. The
observation model (`event.rs`): what was read from the event stream of a follower is up to 0.1 s late (0.04 s where
another entry of the log follows at once), or as late as the next one; stamps of servers and clients are not.

```console
$ shakedown conform nomad-timeline
```
";

/// Why a recording is not compared, by the beginning of its name.
const NOT_COMPARED: [(&str, &str); 4] = [
    ("f_", "a leader is killed: elections among recorded servers are not set up on this stage, which has one server"),
    ("g_", "the quorum is lost: the same"),
    ("i_", "a blocked job and a second one that makes room: the stage sets up one job"),
    ("j_", "a system job preempts a second job: the stage sets up one job; the victims are among the placements above"),
];

/// The section about timelines.
pub fn section(found: &Found) -> String {
    let mut text = format!("\n## Timelines\n\n{METHOD}\n**{}.**\n\n{}", found.summary(), found.rows());
    let edges: Vec<&Verdict> = found.values.iter().filter(|value| !value.inside()).collect();
    if !edges.is_empty() {
        text.push_str("\nNot in the 5-95 % band:\n\n");
    }
    for value in edges {
        let place = if value.outside() { "outside 0.1-99.9 %" } else { "inside 0.1-99.9 %" };
        let _ = writeln!(text, "- `{}`, {}: {:.3} s, {place}", value.recording, value.name, value.recorded);
    }
    text.push_str("\nNot compared:\n\n");
    for name in &found.skipped {
        let why =
            NOT_COMPARED.iter().find(|(start, _)| name.starts_with(start)).map_or("of an unknown kind", |(_, why)| why);
        let _ = writeln!(text, "- `{name}`: {why}");
    }
    text
}
