//! Flags of Nomad: fields of the agent's configuration, of the scheduler's, of job specifications, and constants.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`]; the lists are joined in `flags.rs`.

use super::{Field, Flag, Kind, field};

/// Placement and evaluations.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    flag!(
        "raft-apply-latency",
        "Time from a plan's arrival at the leader until it is applied.",
        "measured on 1.1.2: 5-10 ms",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "raft-applies-per-second",
        "Writes a second that the servers sustain; further ones queue.",
        "an assumption",
        Kind::Positive,
        control.store_writes_per_second
    ),
    flag!(
        "blocking-query-lag",
        "Time from a change until those that wait for it with a blocking query have it.",
        "measured on 1.1.2: 5-10 ms",
        Kind::Span,
        control.watch_lag
    ),
];
