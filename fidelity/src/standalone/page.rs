//! `docs/fidelity-swarm-standalone.md`: what agrees, and every recorded time beside the model's.

use std::fmt::Write;

use super::found::Found;

const HEAD: &str = "\
# How faithful the standalone Swarm profile is

<!-- Written by `shakedown conform swarm-standalone --write-docs docs/fidelity-swarm-standalone.md`; do not edit. -->

The profile `swarm-standalone` is held to recordings of a real docker/swarm 1.2.9 over Docker 20.10 engines. They ship in
`fidelity/recordings/swarm-standalone`, and their README explains the fields. Anybody can repeat the comparison:

```console
$ shakedown conform swarm-standalone
```

Placement: each recorded container is asked of the engine's own scheduler, with what was placed before; the recorded host must be
among the hosts between which only luck decides, and what was refused must find none. Times: 1,000 seeds of the engine's own polls
are told what one gets who asks the host: for detection from the fault on, for the return for as long as the host was away. A recorded time is *usual* within 5-95 % of them, *rare*
within 0.1-99.9 %, *never* outside.
";

const TAIL: &str = "
What this does not show:

- Return times are those of the managers that reschedule; observers' are not compared, since the removals of one manager wake all others
  within 0.05 s.
- That a second dead pooled connection makes the second look at an unreachable host last 30 s, too, is in the model with the
  frequency with which it was recorded (`b_cable_cj_1`: one of 16): the only value that is fitted.
- The first returns (`e_clean_stop`, `b_crash_cg_1`) have no line of the manager's log: their times are those of a sampler, to 0.25 s.
- Take-over by a replica (`f_*`) is not modelled. The engine's own restarts (`g_*`), what is moved and how fast, duplicates, and the
  trap of the clean stop are timelines in `engine/tests/timelines/standalone.rs` with the recorded figures; the trap and the moves are
  also the library scenarios `standalone-clean-stop-trap` and `standalone-rescheduling`.
";

/// The page.
pub fn page(found: &Found) -> String {
    let (all, agree) = found.placements;
    let count = |word| found.times.iter().filter(|time| time.word() == word).count();
    let (usual, rare, never) = (count("usual"), count("rare"), count("never"));
    let mut page = format!(
        "{HEAD}\n{agree} of {all} placements are among the model's choices. Of {} times {usual} are usual, {rare} rare, {never} outside.\n\n",
        found.times.len()
    );
    for difference in &found.differences {
        let _ = writeln!(page, "- {difference}");
    }
    page.push_str("| recording | what | recorded | model 5 / 50 / 95 % | |\n|---|---|--:|--:|---|\n");
    for time in &found.times {
        let [_, low, middle, high, _] = time.band;
        let _ = writeln!(
            page,
            "| `{}` | {} | {:.1} s | {low:.1} / {middle:.1} / {high:.1} s | {} |",
            time.file,
            time.what,
            time.recorded,
            time.word()
        );
    }
    page + TAIL
}
