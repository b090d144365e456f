//! Flags of Nomad about what happens over time: heartbeats, restarts, rescheduling, deployments, drains.
//!
//! Names are those of the server's configuration and of job specifications; each default stands in the profile, not
//! here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, RestartMode, VARIANT, field};
use crate::profile::{Grace, Restart};

/// Lives of nodes and allocations.
pub(in crate::profile) const FLAGS: [Flag; 15] = [
    flag!(
        "min_heartbeat_ttl",
        "Least time to live that a server grants with a heartbeat; chance adds up to as much again.",
        "hashicorp/nomad:nomad/config.go, MinHeartbeatTTL",
        Kind::Period,
        in detection.grace, Grace::Granted(granted) => granted.min_ttl
    ),
    flag!(
        "max_heartbeats_per_second",
        "Heartbeats a second of all clients together; with more clients each beats less often.",
        "hashicorp/nomad:nomad/config.go, MaxHeartbeatsPerSecond",
        Kind::Positive,
        in detection.grace, Grace::Granted(granted) => granted.beats_per_second
    ),
    flag!(
        "heartbeat_grace",
        "Silence beyond the time to live that makes a client down.",
        "hashicorp/nomad:nomad/config.go, HeartbeatGrace",
        Kind::Span,
        in detection.grace, Grace::Granted(granted) => granted.grace
    ),
    flag!(
        "failover_heartbeat_ttl",
        "Time to live that a new leader gives every client, whatever was granted before.",
        "hashicorp/nomad:nomad/config.go, FailoverHeartbeatTTL",
        Kind::Span,
        in detection.grace, Grace::Granted(granted) => granted.failover_ttl
    ),
    flag!(
        "alloc-sync-interval",
        "A client reports what changed of its allocations once in this time (a constant).",
        "hashicorp/nomad:client/client.go, allocSyncIntv",
        Kind::Span,
        agent.status_batch
    ),
    flag!(
        "kill_timeout",
        "Time between the polite and the forced stop of a task.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultKillTimeout",
        Kind::Span,
        agent.default_grace
    ),
    flag!(
        "service.restart.attempts",
        "Restarts of a service's task in place, within the interval.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobRestartPolicy",
        Kind::Count,
        in restart, Restart::Counted(restart) => restart.service.attempts
    ),
    flag!(
        "service.restart.interval",
        "Restarts of a service's task are counted for so long.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobRestartPolicy",
        Kind::Period,
        in restart, Restart::Counted(restart) => restart.service.interval
    ),
    flag!(
        "service.restart.delay",
        "Wait before a restart of a service's task.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobRestartPolicy",
        Kind::Span,
        in restart, Restart::Counted(restart) => restart.service.delay
    ),
    flag!(
        "service.restart.mode",
        "Whether a service's task fails after its last restart, or waits for the end of the interval.",
        "hashicorp/nomad:nomad/structs/structs.go, RestartPolicyModeFail",
        Kind::Word(RestartMode::WORDS),
        in restart, Restart::Counted(restart) => restart.service.mode
    ),
    flag!(
        "batch.restart.attempts",
        "Restarts of a batch job's task in place, within the interval.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobRestartPolicy",
        Kind::Count,
        in restart, Restart::Counted(restart) => restart.batch.attempts
    ),
    flag!(
        "batch.restart.interval",
        "Restarts of a batch job's task are counted for so long.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobRestartPolicy",
        Kind::Period,
        in restart, Restart::Counted(restart) => restart.batch.interval
    ),
    flag!(
        "batch.restart.delay",
        "Wait before a restart of a batch job's task.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobRestartPolicy",
        Kind::Span,
        in restart, Restart::Counted(restart) => restart.batch.delay
    ),
    flag!(
        "batch.restart.mode",
        "Whether a batch job's task fails after its last restart, or waits for the end of the interval.",
        "hashicorp/nomad:nomad/structs/structs.go, RestartPolicyModeFail",
        Kind::Word(RestartMode::WORDS),
        in restart, Restart::Counted(restart) => restart.batch.mode
    ),
    flag!(
        "restart-jitter",
        "A wait before a restart is longer by up to this share (a constant).",
        "hashicorp/nomad:client/allocrunner/taskrunner/restarts/restarts.go, jitter",
        Kind::Share,
        in restart, Restart::Counted(restart) => restart.jitter
    ),
];
