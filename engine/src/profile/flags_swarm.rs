//! Flags of Docker Swarm mode: those of `docker swarm init` and `docker service create`, and constants of swarmkit.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};
use super::{raft, raft_mut};
use crate::profile::{
    Absence, Choice, Constraints, Dispatch, FailureAction, Grace, Restart, RestartCondition, Rollout, SlotOrder,
};
use crate::time::Span;

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    // The store.
    flag!(
        "raft-write-latency",
        "Time from a write's arrival at the leader until a quorum has it.",
        "measured on 20.10: a task is assigned 0.1-0.2 s after it is created",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "raft-writes-per-second",
        "Writes a second that the managers sustain; further ones queue.",
        "an assumption",
        Kind::Positive,
        control.store_writes_per_second
    ),
    flag!(
        "watch-lag",
        "Time from a commit until the manager's own loops and a node's agent have heard of it.",
        "an assumption: all of them run in the leader's process",
        Kind::Span,
        control.watch_lag
    ),
    flag!(
        "commit-debounce",
        "The scheduler looks when there was no commit for this long (a constant).",
        "moby/swarmkit:manager/scheduler/scheduler.go, commitDebounceGap",
        Kind::Span,
        in dispatch, Dispatch::Ticks { gap, .. } => *gap
    ),
    flag!(
        "commit-debounce-max",
        "After this long of continuous commits the scheduler looks all the same (a constant).",
        "moby/swarmkit:manager/scheduler/scheduler.go, maxLatency",
        Kind::Span,
        in dispatch, Dispatch::Ticks { at_most, .. } => *at_most
    ),
    flag!(
        "max-failures",
        "So many failures of a version of a service on a node put the node last (a constant).",
        "moby/swarmkit:manager/scheduler/nodeinfo.go, maxFailures",
        Kind::Positive,
        in placement.choice, Choice::FewestOfWorkload { failures, .. } => *failures
    ),
    flag!(
        "monitor-failures",
        "Failures count against a node for this long (a constant).",
        "moby/swarmkit:manager/scheduler/nodeinfo.go, monitorFailures",
        Kind::Span,
        in placement.choice, Choice::FewestOfWorkload { within, .. } => *within
    ),
    flag!(
        "scheduling-cost",
        "Time that one scheduling decision takes, whatever the size of the cluster.",
        "an assumption",
        Kind::Span,
        placement.decision_cost
    ),
    flag!(
        "scheduling-cost-per-node",
        "Time that each node looked at adds to a scheduling decision.",
        "an assumption",
        Kind::Span,
        placement.decision_cost_per_node
    ),
    flag!(
        "node-down-period",
        "Tasks of a node that is Down for this long are orphaned; 0s: never (a constant).",
        "moby/swarmkit:manager/dispatcher/dispatcher.go, defaultNodeDownPeriod",
        Kind::Span,
        |p| p.orphan_after.unwrap_or(Span::ZERO),
        |p, v| p.orphan_after = Some(field(v)).filter(|span: &Span| !span.is_zero())
    ),
    flag!(
        "constraint-enforcer",
        "Whether constraints are enforced while tasks run, or count at placement only (a constant).",
        "moby/swarmkit:manager/orchestrator/constraintenforcer/constraint_enforcer.go",
        Kind::Word(Constraints::WORDS),
        constraints
    ),
    // Node health.
    flag!(
        "dispatcher-heartbeat",
        "Time between two heartbeats of a node.",
        "moby/swarmkit:manager/dispatcher/dispatcher.go",
        Kind::Period,
        detection.heartbeat
    ),
    flag!(
        "heartbeat-epsilon",
        "A heartbeat comes up to this much earlier or later (a constant).",
        "moby/swarmkit:manager/dispatcher/dispatcher.go",
        Kind::Span,
        detection.heartbeat_jitter
    ),
    flag!(
        "grace-period-multiplier",
        "So many heartbeat periods of silence make a node Down (a constant).",
        "moby/swarmkit:manager/dispatcher/dispatcher.go",
        Kind::Positive,
        in detection.grace, Grace::Periods(periods) => *periods
    ),
    flag!(
        "node-registration-grace",
        "Silence after which a node counts as Down that has never reported.",
        "moby/swarmkit:manager/dispatcher/dispatcher.go, markNodesUnknown",
        Kind::Period,
        detection.startup_grace
    ),
    // Replicas and updates.
    flag!(
        "restart-delay",
        "A replacement of a failed or lost task does not start before this has passed.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Span,
        replication.replacement_delay
    ),
    flag!(
        "restart-condition",
        "After which ends a task is replaced; a service may be stricter.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Word(RestartCondition::WORDS),
        in restart, Restart::Replace { condition, .. } => *condition
    ),
    flag!(
        "restart-max-attempts",
        "Replacements per slot at most; 0 is without bound.",
        "moby/swarmkit:manager/orchestrator/restart/restart.go",
        Kind::Count,
        |p| restart_attempts(p),
        |p, v| {
            let Restart::Replace { max_attempts, .. } = &mut p.restart else { unreachable!("{VARIANT}") };
            *max_attempts = Some(field(v)).filter(|n| *n > 0);
        }
    ),
    flag!(
        "restart-window",
        "Only replacements of the last so long count for the attempts; 0s counts all.",
        "moby/swarmkit:manager/orchestrator/restart/restart.go",
        Kind::Span,
        in restart, Restart::Replace { window, .. } => *window
    ),
    flag!(
        "old-task-timeout",
        "A replacement waits at most this long for the former task to stop (a constant).",
        "moby/swarmkit:manager/orchestrator/restart/restart.go, defaultOldTaskTimeout",
        Kind::Span,
        in restart, Restart::Replace { waits, .. } => *waits
    ),
    flag!(
        "update-parallelism",
        "Slots that are updated at once; 0 is all.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Count,
        in rollout, Rollout::Slots(update) => update.parallelism
    ),
    flag!(
        "update-delay",
        "Wait after each updated slot.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Span,
        in rollout, Rollout::Slots(update) => update.delay
    ),
    flag!(
        "update-order",
        "Whether the old task of a slot stops first or the new one starts first.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Word(SlotOrder::WORDS),
        in rollout, Rollout::Slots(update) => update.order
    ),
    flag!(
        "update-monitor",
        "A new task that fails within this time after it runs counts as a failed update.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Span,
        in rollout, Rollout::Slots(update) => update.monitor
    ),
    flag!(
        "update-failure-action",
        "What too many failed tasks of an update lead to.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Word(FailureAction::WORDS),
        in rollout, Rollout::Slots(update) => update.on_failure
    ),
    flag!(
        "update-max-failure-ratio",
        "Share of failed tasks of an update that is tolerated.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Share,
        in rollout, Rollout::Slots(update) => update.max_failure
    ),
    flag!(
        "rollback-parallelism",
        "Slots that are moved back at once; 0 is all.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Count,
        in rollback, Some(rollback) => rollback.parallelism
    ),
    flag!(
        "rollback-delay",
        "Wait after each slot that is moved back.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Span,
        in rollback, Some(rollback) => rollback.delay
    ),
    flag!(
        "rollback-order",
        "Whether the failed task of a slot stops first or the former one starts first.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Word(SlotOrder::WORDS),
        in rollback, Some(rollback) => rollback.order
    ),
    flag!(
        "rollback-monitor",
        "A task that fails within this time after it runs counts as a failed rollback.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Span,
        in rollback, Some(rollback) => rollback.monitor
    ),
    flag!(
        "rollback-failure-action",
        "What too many failed tasks of a rollback lead to; one is never rolled back itself.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Word(FailureAction::WORDS),
        in rollback, Some(rollback) => rollback.on_failure
    ),
    flag!(
        "rollback-max-failure-ratio",
        "Share of failed tasks of a rollback that is tolerated.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Share,
        in rollback, Some(rollback) => rollback.max_failure
    ),
    // The node's agent.
    flag!(
        "stop-grace-period",
        "Time between the polite and the forced stop of tasks that do not say so themselves.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Span,
        agent.default_grace
    ),
    flag!(
        "node-update-period",
        "A node's description is reported on this grid (a constant).",
        "an assumption",
        Kind::Period,
        agent.status_period
    ),
    flag!(
        "image-pull-retry-delay",
        "Wait after a failed pull; a failed pull ends the task, and its replacement waits for the restart delay.",
        "moby/swarmkit:api/defaults/service.go",
        Kind::Period,
        |p| p.agent.pull_backoff,
        |p, v| {
            p.agent.pull_backoff = field(v);
            p.agent.pull_backoff_max = p.agent.pull_backoff;
        }
    ),
    // Discovery.
    flag!(
        "discovery-lag",
        "Time from a change of a task until other nodes resolve its service without or with it.",
        "measured on 20.10: 0.2-0.5 s",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "dns-ttl",
        "How long clients keep a resolved name.",
        "moby/moby:daemon/libnetwork/resolver.go",
        Kind::Seconds,
        discovery.dns_ttl
    ),
    flag!(
        "unready-on-unhealthy-node",
        "Tasks of a node that is Down leave their services at detection.",
        "moby/moby:daemon/libnetwork/networkdb/networkdb.go",
        Kind::Switch,
        discovery.unready_on_unhealthy_node
    ),
    // Gossip of the overlay networks.
    flag!(
        "gossip.probe_interval",
        "Each member probes one other in this time.",
        "hashicorp/memberlist:config.go, ProbeInterval",
        Kind::Period,
        in discovery.absence, Absence::Gossip(gossip) => gossip.probe_interval
    ),
    flag!(
        "gossip.suspicion_mult",
        "Scales with the logarithm of the cluster how long a suspect may defend itself.",
        "hashicorp/memberlist:config.go, SuspicionMult",
        Kind::Positive,
        in discovery.absence, Absence::Gossip(gossip) => gossip.suspicion_mult
    ),
    flag!(
        "gossip.suspicion_max_mult",
        "A suspicion that nobody confirms lasts so many times longer.",
        "hashicorp/memberlist:config.go, SuspicionMaxTimeoutMult",
        Kind::Positive,
        in discovery.absence, Absence::Gossip(gossip) => gossip.suspicion_max_mult
    ),
    flag!(
        "gossip.gossip_interval",
        "Time between two rounds of news.",
        "hashicorp/memberlist:config.go, GossipInterval",
        Kind::Period,
        in discovery.absence, Absence::Gossip(gossip) => gossip.gossip_interval
    ),
    flag!(
        "gossip.gossip_nodes",
        "Members that each tells in a round.",
        "hashicorp/memberlist:config.go, GossipNodes",
        Kind::Positive,
        in discovery.absence, Absence::Gossip(gossip) => gossip.gossip_nodes
    ),
    flag!(
        "gossip.gossip_to_the_dead_time",
        "The dead are told news for so long.",
        "hashicorp/memberlist:config.go, GossipToTheDeadTime",
        Kind::Span,
        in discovery.absence, Absence::Gossip(gossip) => gossip.to_the_dead
    ),
    flag!(
        "gossip.reconnect_interval",
        "A member that was declared dead is tried again about once in this time (a constant).",
        "moby/moby:daemon/libnetwork/networkdb/cluster.go, retryInterval",
        Kind::Period,
        in discovery.absence, Absence::Gossip(gossip) => gossip.reconnect
    ),
    // Managers.
    flag!(
        "managers",
        "Managers, where no node of the scenario has the role `manager`.",
        "moby/swarmkit:design/raft.md: three tolerate the loss of one",
        Kind::Positive,
        in control.machine.consensus, Some(consensus) => consensus.members
    ),
    flag!(
        "raft-election-tick",
        "A manager that has not heard the leader for this many seconds, up to twice as many, stands for election; 1.12 had 3.",
        "moby/swarmkit:manager/state/raft/raft.go, DefaultRaftConfig; docker/swarmkit#1639",
        Kind::Positive,
        |p| u32::try_from(raft(p).timeout.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX),
        |p, v| {
            let ticks: u32 = field(v);
            raft_mut(p).timeout = Span::from_secs(u64::from(ticks));
        }
    ),
];

fn restart_attempts(profile: &crate::profile::Profile) -> u32 {
    match profile.restart {
        Restart::Replace { max_attempts, .. } => max_attempts.unwrap_or(0),
        Restart::InPlace { .. } | Restart::Counted(_) | Restart::Engine { .. } | Restart::Local(_) => {
            unreachable!("the flag is of a profile whose replicas are replaced")
        }
    }
}
