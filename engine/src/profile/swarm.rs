//! Docker Swarm mode (moby/swarmkit), with its default settings.

use super::consensus::{Ballot, Consensus, ElectionTimer, Quorum, Raft, Rejoin, Silence};
use super::{
    Absence, AgentPolicy, Balanced, Choice, Constraints, ControlPlane, Detection, Discovery, Dispatch, Eviction,
    FailureAction, Filter, Gossip, Grace, OnEachNode, Placement, PlacementArgs, Ports, Probing, Profile, Queue,
    Removal, Replaced, Replication, Restart, RestartCondition, Rollout, Sampling, Score, SlotOrder, SlotStyle,
    SlotUpdate, Words, flags,
};
use crate::time::Span;

/// Swarm mode as `dockerd` behaves without flags.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "task", workload: "service", unhealthy: "Down" };
    let plain = super::plain::profile("swarm", "20.10", words);
    Profile {
        flags: flags::SWARM,
        control: ControlPlane {
            // Measured on 20.10: a task is assigned 0.1-0.2 s after it is created.
            store_write: Span::from_millis(20),
            // Source: moby/swarmkit:manager/scheduler/scheduler.go, commitDebounceGap.
            watch_lag: Span::from_millis(50),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        // Pending tasks are tried again on every event of a node or task; there is no back-off.
        // Source: moby/swarmkit:manager/scheduler/scheduler.go.
        queue: Queue {
            initial_backoff: Span::ZERO,
            max_backoff: Span::ZERO,
            flush_period: Span::from_secs(1),
            unschedulable_flush: Span::from_secs(30),
            unschedulable_timeout: Span::from_secs(300),
            pop_from_backoff: true,
            wake: super::Wake::Kinds,
        },
        // Source: moby/swarmkit:manager/scheduler/scheduler.go, `commitDebounceGap` and `maxLatency`.
        dispatch: Dispatch::Ticks { gap: Span::from_millis(50), at_most: Span::from_secs(1) },
        placement: Placement {
            // Source: moby/swarmkit:manager/scheduler/nodeinfo.go, `maxFailures` and `monitorFailures`.
            choice: Choice::FewestOfWorkload { failures: 5, within: Span::from_secs(300) },
            published_ports: Ports::Shared,
            // Ready, Resource, Constraint, HostPort, MaxReplicas. What Swarm has no word for (a named node, taints) is honoured
            // where a manifest brings it along. Source: moby/swarmkit:manager/scheduler/pipeline.go.
            filters: vec![
                Filter::NodeUnschedulable,
                Filter::NodeName,
                Filter::TaintToleration,
                Filter::NodeResourcesFit,
                Filter::NodeAffinity,
                Filter::NodePorts,
                Filter::MaxPerNode,
            ],
            // The node with the fewest tasks of the service wins, then the one with the fewest tasks.
            // Source: moby/swarmkit:manager/scheduler/scheduler.go, nodeLess.
            scores: vec![(Score::FewestOfWorkload, 1 << 20), (Score::FewestPods, 1)],
            sampling: Sampling { percent: 100, min_percent: 100, min_nodes: 0 },
            max_score: 100,
            balanced: Balanced::After,
            default_spread: Vec::new(),
            decision_cost: Span::from_micros(50),
            decision_cost_per_node: Span::from_nanos(200),
            args: PlacementArgs::default(),
        },
        // Source: moby/swarmkit:manager/orchestrator/constraintenforcer/constraint_enforcer.go.
        constraints: Constraints::Enforced,
        // Source: moby/swarmkit:manager/dispatcher/dispatcher.go: period 5 s, jitter 500 ms, grace period multiplier 3.
        detection: Detection {
            heartbeat: Span::from_secs(5),
            heartbeat_jitter: Span::from_millis(500),
            grace: Grace::Periods(3),
            // Twice the grace of a node that is known. Source: the same file, markNodesUnknown.
            startup_grace: Span::from_secs(30),
            monitor_period: Span::ZERO,
            taint_new_nodes: false,
            polls: None,
            disconnected_after: None,
            ready_after: Span::ZERO,
        },
        eviction: Eviction::AtOnce,
        replication: Replication {
            burst: 0,
            slow_start: false,
            once: false,
            watchdog: None,
            // Source: moby/swarmkit:api/defaults/service.go, restart delay 5 s; it applies to tasks of dead nodes too.
            replacement_delay: Span::from_secs(5),
            replaced: Replaced::All,
            retry: super::Retry::Constant,
            drain: super::Drain::DeleteFirst,
            removal: Removal::Crowded,
            stateful_max_unavailable: false,
        },
        restart: Restart::Replace {
            // Source: moby/swarmkit:api/defaults/service.go: condition any, no bound, no window.
            max_attempts: None,
            window: Span::ZERO,
            condition: RestartCondition::Any,
            // Source: moby/swarmkit:manager/orchestrator/restart/restart.go, `defaultOldTaskTimeout`.
            waits: Span::from_secs(60),
        },
        rollout: Rollout::Slots(UPDATE),
        rollback: Some(UPDATE),
        // Source: moby/swarmkit:manager/orchestrator/global/global.go, `reconcileServicesOneNode` and `InvalidNode`.
        daemons: OnEachNode::Open,
        // Source: moby/swarmkit:manager/dispatcher/dispatcher.go, `defaultNodeDownPeriod`.
        orphan_after: Some(Span::from_secs(24 * 3_600)),
        agent: AgentPolicy {
            relist: Span::ZERO,
            status_period: Span::from_secs(10),
            status_batch: Span::ZERO,
            // A failed pull ends the task; the next one waits for the restart delay.
            pull_backoff: Span::from_secs(5),
            pull_backoff_max: Span::from_secs(5),
            serialize_pulls: false,
            // Source: moby/swarmkit:api/defaults/service.go, stop grace period.
            default_grace: Span::from_secs(10),
            probes: Probing::Obeyed,
            least_grace: Span::ZERO,
            volatile: false,
            pressure: None,
        },
        discovery: Discovery {
            publish_delay: Span::ZERO,
            // Measured on 20.10: a stopped task leaves DNS on another host after 0.2-0.5 s.
            lag: Span::from_millis(300),
            proxy_sync: Span::ZERO,
            // Answered in the container itself, so only clients that cache keep a name this long.
            // Source: moby/moby:daemon/libnetwork/resolver.go, respTTL.
            dns_ttl: Span::from_secs(600),
            name_poll: Span::ZERO,
            // Entries of a node that NetworkDB calls failed are hidden. Measured with 5 hosts: 5.6-7.1 s, long before Down.
            // Source: moby/moby:daemon/libnetwork/networkdb/event_delegate.go, `NotifyLeave`.
            absence: Absence::Gossip(Gossip::OVERLAY),
            unready_on_unhealthy_node: true,
            ingress_sync: Span::ZERO,
            balancer: None,
            slices: None,
        },
        ..plain
    }
}

/// Updates and rollbacks alike. Source: moby/swarmkit:api/defaults/service.go.
const UPDATE: SlotUpdate = SlotUpdate {
    parallelism: 1,
    delay: Span::ZERO,
    order: SlotOrder::StopFirst,
    monitor: Span::from_secs(5),
    on_failure: FailureAction::Pause,
    max_failure: 0,
    style: SlotStyle::Workers,
};

/// Managers that elect one of them.
const CONSENSUS: Consensus = Consensus {
    members: 3,
    quorum: Quorum::Majority,
    role: "manager",
    // Source: moby/swarmkit:manager/state/raft/raft.go, `DefaultRaftConfig` and `TickInterval`: ticks of 1 s, a heartbeat each, an
    // election after 10; `CheckQuorum`. Measured on 20.10: a new leader is seen after 11.7-22.6 s, median 14.3.
    ballot: Ballot::Raft(Raft {
        heartbeat: Span::from_secs(1),
        timeout: Span::from_secs(10),
        timer: ElectionTimer::SinceHeartbeat,
    }),
    // All nodes are unknown to it; `Grace::Periods` doubles for them.
    // Source: moby/swarmkit:manager/dispatcher/dispatcher.go, `markNodesUnknown`.
    silence: Silence::Anew,
    // Measured: ready again 0.1-5.4 s after the election; the cause is agent/session.go's back-off.
    rejoin: Rejoin { least: Span::from_millis(100), most: Span::from_millis(5_400), closed: true },
    challenges: 0,
};
