//! Standalone Docker Swarm (docker/swarm 1.2.9), the one before Swarm mode, over Docker 20.10 engines.
//!
//! A manager in front of single engines: it asks them what they have, and has no state of its own that it would restore.
//! Recordings of a real one and what was made of them are in `docs/fidelity-swarm-standalone.md`.

use super::consensus::{Ballot, Consensus, Lock, Quorum, Rejoin, Silence};
use super::{
    AgentPolicy, Choice, ControlPlane, Detection, Discovery, Eviction, FailureAction, Filter, Placement, Polls, Ports,
    Probing, Profile, Queue, Replication, Restart, Rollout, SlotOrder, SlotStyle, SlotUpdate, Strategy, Wake, Watchdog,
    Weights, Words, flags,
};
use crate::time::Span;

/// A manager with default options.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "container", workload: "group", unhealthy: "Unhealthy" };
    let plain = super::plain::profile("swarm-standalone", "1.2.9", words);
    Profile {
        flags: flags::SWARM_STANDALONE,
        control: ControlPlane {
            // There is no store: this is the request to the engine. Measured: a create takes 10-30 ms.
            store_write: Span::from_millis(20),
            watch_lag: Span::from_millis(1),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        queue: Queue { wake: Wake::Nothing, ..plain.queue },
        placement: Placement {
            // Source: docker-archive/classicswarm:scheduler/strategy/strategy.go (the first of the list is the default)
            // and cluster/swarm/cluster.go (`swarm.overcommit`, 0.05).
            choice: Choice::Weights(Weights { strategy: Strategy::Spread, overcommit: 50 }),
            published_ports: Ports::Host,
            // Health, port, constraint (as node affinity) and what Swarm has no word for but manifests bring along.
            // Capacity is looked at by the weights alone.
            filters: vec![
                Filter::NodeUnschedulable,
                Filter::NodeName,
                Filter::TaintToleration,
                Filter::NodeAffinity,
                Filter::NodePorts,
                Filter::InterPodAffinity,
            ],
            ..plain.placement
        },
        // Source: docker-archive/classicswarm:cli/flags.go (engine-refresh-min-interval, engine-refresh-max-interval,
        // engine-failure-retry) and cluster/engine.go, `requestTimeout`. Measured: EHOSTUNREACH after 3 s on one wire,
        // streams of events retried every 1-10 s.
        detection: Detection {
            polls: Some(Polls {
                wait: Span::from_secs(30),
                longest: Span::from_secs(60),
                timeout: Span::from_secs(30),
                unreachable: Span::from_secs(3),
                // Fitted: one of 16 recorded detections on the same wire.
                pooled: 62,
                failures: 3,
                event_retry: Span::from_secs(10),
            }),
            ..plain.detection
        },
        eviction: Eviction::Never,
        // Source: docker-archive/classicswarm:cluster/swarm/cluster.go, `createContainer`; measured: `-c 1` ten times on
        // 4 nodes of 2 CPUs is 8 containers and twice `no resources available to schedule container`.
        replication: Replication {
            once: true,
            // Measured: moved one after the other, 0.28 s each; one that is only made takes 15-30 ms.
            watchdog: Some(Watchdog { create: Span::from_millis(30), start: Span::from_millis(250) }),
            ..plain.replication
        },
        // Source: moby/moby:daemon/internal/restartmanager/restartmanager.go. Measured with the manager dead.
        restart: Restart::Engine {
            initial: Span::from_millis(100),
            max: Span::from_secs(60),
            reset: Span::from_secs(10),
        },
        // There is no update. This is what a client does that recreates containers one by one (`docker-compose up`).
        rollout: Rollout::Slots(SlotUpdate {
            parallelism: 1,
            delay: Span::ZERO,
            order: SlotOrder::StopFirst,
            monitor: Span::ZERO,
            on_failure: FailureAction::Continue,
            max_failure: 0,
            style: SlotStyle::Workers,
        }),
        // Source: docker/cli:cli/command/container/stop.go, 10 s.
        // Engines of this age know health checks, and nobody acts on what they say.
        agent: AgentPolicy { default_grace: Span::from_secs(10), probes: Probing::Reported, ..plain.agent },
        // A dead node's containers stay listed as running, and so do their addresses.
        discovery: Discovery { unready_on_unhealthy_node: false, ..plain.discovery },
        ..plain
    }
}

/// Managers with `--replication`, of which one has the lock in the discovery store.
const CONSENSUS: Consensus = Consensus {
    members: 2,
    quorum: Quorum::One,
    role: "manager",
    // Source: docker-archive/classicswarm:cli/flags.go, `replication-ttl` 20 s; docker/libkv:store/etcd/etcd.go, `holdLock`: renewed
    // each third of it. Measured: 15.2-17.9 s after the kill; a clean stop does not release it.
    ballot: Ballot::Lock(Lock { ttl: Span::from_secs(20), renewals: 3, retry: Span::ZERO }),
    // Every manager polls all engines; only a primary has a watchdog that reschedules.
    // Source: docker-archive/classicswarm:cli/manage.go, `run`; docker-archive/classicswarm#2092.
    silence: Silence::Overlooked,
    rejoin: Rejoin::NONE,
    challenges: 0,
};
