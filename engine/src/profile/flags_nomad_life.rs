//! Flags of Nomad about what happens over time: heartbeats, restarts, rescheduling, deployments, drains.
//!
//! Names are those of the server's configuration and of job specifications; each default stands in the profile, not
//! here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, RestartMode, VARIANT, field};
use super::{raft, raft_mut};
use crate::model::Growth;
use crate::profile::{Grace, Restart, Rollout};
use crate::time::Span;

/// Lives of nodes and allocations.
pub(in crate::profile) const FLAGS: [Flag; 50] = [
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
    flag!(
        "update.max_parallel",
        "Allocations that an update touches at once; 0 is all, without a deployment.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy",
        Kind::Count,
        in rollout, Rollout::Groups(groups) => groups.update.max_parallel
    ),
    flag!(
        "update.canary",
        "New allocations beside all old ones before an update goes on.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy",
        Kind::Count,
        in rollout, Rollout::Groups(groups) => groups.update.canary
    ),
    flag!(
        "update.auto_promote",
        "Whether healthy canaries let an update go on by themselves.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy",
        Kind::Switch,
        in rollout, Rollout::Groups(groups) => groups.update.auto_promote
    ),
    flag!(
        "update.auto_revert",
        "Whether a failed deployment turns back to the last stable version.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy",
        Kind::Switch,
        in rollout, Rollout::Groups(groups) => groups.update.auto_revert
    ),
    flag!(
        "update.min_healthy_time",
        "An allocation counts as healthy after it has run for so long.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.update.min_healthy
    ),
    flag!(
        "update.healthy_deadline",
        "An allocation that is not healthy by then is unhealthy.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy",
        Kind::Period,
        in rollout, Rollout::Groups(groups) => groups.update.healthy_deadline
    ),
    flag!(
        "update.progress_deadline",
        "Without a newly healthy allocation for so long a deployment fails; 0 is at the first unhealthy one.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.update.progress_deadline
    ),
    flag!(
        "migrate.max_parallel",
        "Allocations of a group that may be missing while nodes are drained.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultMigrateStrategy",
        Kind::Positive,
        in rollout, Rollout::Groups(groups) => groups.migrate.max_parallel
    ),
    flag!(
        "migrate.min_healthy_time",
        "A migrated allocation counts as healthy after it has run for so long.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultMigrateStrategy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.migrate.min_healthy
    ),
    flag!(
        "migrate.healthy_deadline",
        "A migrated allocation that is not healthy by then is unhealthy.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultMigrateStrategy",
        Kind::Period,
        in rollout, Rollout::Groups(groups) => groups.migrate.healthy_deadline
    ),
    flag!(
        "service.reschedule.delay",
        "Wait before a failed allocation of a service job is placed anew.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobReschedulePolicy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.reschedule.delay
    ),
    flag!(
        "service.reschedule.delay_function",
        "How that wait grows.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobReschedulePolicy",
        Kind::Word(Growth::WORDS),
        in rollout, Rollout::Groups(groups) => groups.reschedule.growth
    ),
    flag!(
        "service.reschedule.max_delay",
        "Longest wait; 0 is without bound.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobReschedulePolicy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.reschedule.max_delay
    ),
    flag!(
        "service.reschedule.attempts",
        "Times at most within the interval, unless unlimited.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobReschedulePolicy",
        Kind::Count,
        in rollout, Rollout::Groups(groups) => groups.reschedule.attempts
    ),
    flag!(
        "service.reschedule.interval",
        "Those times count for so long.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobReschedulePolicy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.reschedule.interval
    ),
    flag!(
        "service.reschedule.unlimited",
        "Whether it is placed anew without bound.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobReschedulePolicy",
        Kind::Switch,
        in rollout, Rollout::Groups(groups) => groups.reschedule.unlimited
    ),
    flag!(
        "batch.reschedule.delay",
        "Wait before a failed allocation of a batch job is placed anew.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobReschedulePolicy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.reschedule_batch.delay
    ),
    flag!(
        "batch.reschedule.delay_function",
        "How that wait grows.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobReschedulePolicy",
        Kind::Word(Growth::WORDS),
        in rollout, Rollout::Groups(groups) => groups.reschedule_batch.growth
    ),
    flag!(
        "batch.reschedule.max_delay",
        "Longest wait; 0 is without bound.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobReschedulePolicy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.reschedule_batch.max_delay
    ),
    flag!(
        "batch.reschedule.attempts",
        "Times at most within the interval, unless unlimited.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobReschedulePolicy",
        Kind::Count,
        in rollout, Rollout::Groups(groups) => groups.reschedule_batch.attempts
    ),
    flag!(
        "batch.reschedule.interval",
        "Those times count for so long.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobReschedulePolicy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.reschedule_batch.interval
    ),
    flag!(
        "batch.reschedule.unlimited",
        "Whether it is placed anew without bound.",
        "hashicorp/nomad:nomad/structs/structs.go, DefaultBatchJobReschedulePolicy",
        Kind::Switch,
        in rollout, Rollout::Groups(groups) => groups.reschedule_batch.unlimited
    ),
    flag!(
        "disconnect.lost_after",
        "An allocation on a silent client is unknown for so long before it is lost; 0 is at once.",
        "hashicorp/nomad:nomad/structs/group.go, DisconnectStrategy",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.lost_after
    ),
    flag!(
        "drain-deadline",
        "A drain forces out what is left after this.",
        "hashicorp/nomad:command/node_drain.go, defaultDrainDuration",
        Kind::Period,
        in rollout, Rollout::Groups(groups) => groups.drain_deadline
    ),
    flag!(
        "drain-batch-interval",
        "Whoever drains marks allocations once in this time (a constant).",
        "hashicorp/nomad:nomad/drainer/drainer.go, BatchUpdateInterval",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.drainer_batch
    ),
    flag!(
        "deployment-batch-interval",
        "Whoever watches a deployment asks for an evaluation once in this time (a constant).",
        "hashicorp/nomad:nomad/deploymentwatcher/deployment_watcher.go, perJobEvalBatchPeriod",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.watcher_batch
    ),
    flag!(
        "cross-deployment-batch-interval",
        "Evaluations of all deployments' watchers are written together once in this time (a constant).",
        "hashicorp/nomad:nomad/deploymentwatcher/deployments_watcher.go, CrossDeploymentUpdateBatchDuration",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.watcher_writes
    ),
    flag!(
        "watch-latency",
        "Until those who watch deployments and drains see what a client reported (measured on 1.1.2: 0.054-0.060 s).",
        "recorded: fidelity/recordings/nomad/timelines/d_*, e_drain",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.news
    ),
    flag!(
        "evaluation-wait-min",
        "Shortest time from an evaluation until a worker that is up to date has decided it.",
        "measured on 1.1.2: 5 % of 661 under 8 ms",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.evaluation.usual.0
    ),
    flag!(
        "evaluation-wait-max",
        "Longest such time.",
        "measured on 1.1.2: half of 661 under 36 ms",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.evaluation.usual.1
    ),
    flag!(
        "evaluation-behind-min",
        "Shortest time from an evaluation until a worker that was behind has decided it.",
        "measured on 1.1.2: 0.35 s",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.evaluation.behind.0
    ),
    flag!(
        "evaluation-behind-max",
        "Longest such time.",
        "measured on 1.1.2: 0.37 s",
        Kind::Span,
        in rollout, Rollout::Groups(groups) => groups.evaluation.behind.1
    ),
    flag!(
        "evaluation-behind-share",
        "Share of evaluations whose worker was behind.",
        "measured on 1.1.2: 31 % of 661 took more than 0.1 s",
        Kind::Share,
        in rollout, Rollout::Groups(groups) => groups.evaluation.behind_permille
    ),
    flag!(
        "bootstrap_expect",
        "Servers, where no node of the scenario has the role `server`.",
        "hashicorp/nomad:command/agent/config.go; three tolerate the loss of one",
        Kind::Positive,
        in control.machine.consensus, Some(consensus) => consensus.members
    ),
    flag!(
        "raft_multiplier",
        "Heartbeats and election time-outs of the servers are so many times as long.",
        "hashicorp/nomad:command/agent/agent.go, convertServerConfig",
        Kind::Positive,
        |p| u32::try_from(raft(p).timeout.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX),
        |p, v| {
            let times: u32 = field(v);
            raft_mut(p).timeout = Span::from_secs(u64::from(times));
            raft_mut(p).heartbeat = Span::from_millis(200 * u64::from(times));
        }
    ),
];
