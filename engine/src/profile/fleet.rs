//! CoreOS fleet 1.0 with etcd 2, with its default settings.
//!
//! A unit is one slot that is placed once: there is no controller that keeps a number, no update, no health check, and no
//! accounting of resources. Start at [`profile`].

use super::machine::{Election, Etcd, Machine, Presence};
use super::{
    Absence, AgentPolicy, Choice, ControlPlane, Detection, Discovery, Dispatch, Eviction, Expiry, FailureAction,
    Filter, Grace, LocalRestart, Placement, Probing, Profile, Queue, Removal, Replaced, Replication, Restart,
    RestartWhen, Rollout, Score, SlotOrder, SlotStyle, SlotUpdate, Wake, Words, flags,
};
use crate::time::Span;

/// fleet as `fleetd` behaves without a configuration file.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "unit", workload: "template unit", unhealthy: "gone" };
    let plain = super::plain::profile("fleet", "1.0", words);
    // Source: coreos/fleet:fleetd/fleetd.go, `engine_reconcile_interval`.
    let reconcile = Span::from_secs(2);
    Profile {
        flags: flags::FLEET,
        control: ControlPlane { machine: machine(plain.control.machine), ..plain.control },
        queue: Queue { flush_period: reconcile, wake: Wake::Any, ..plain.queue },
        // Events of units begin a reconciliation at once; machines that come or go are seen by the next one.
        // Source: coreos/fleet:registry/event.go, `parse`; pkg/reconcile.go.
        dispatch: Dispatch::Rounds { every: reconcile, watches: true },
        placement: Placement {
            // Source: coreos/fleet:engine/scheduler.go, `sortableAgentStates.Less`.
            choice: Choice::FirstByName,
            // Source: coreos/fleet:agent/state.go, `AbleToRun`: target, metadata, peers, conflicts. No resources, no ports.
            filters: vec![
                Filter::NodeUnschedulable,
                Filter::NodeName,
                Filter::TaintToleration,
                Filter::NodeAffinity,
                Filter::InterPodAffinity,
            ],
            scores: vec![(Score::FewestPods, 1)],
            ..plain.placement
        },
        detection: Detection {
            // Source: coreos/fleet:agent/agent.go, `DefaultTTL`; server/monitor.go, `NewMonitor`: half of it.
            heartbeat: Span::from_secs(15),
            grace: Grace::Lease(Span::from_secs(30)),
            startup_grace: Span::from_secs(30),
            // The engine asks for the machines when it reconciles.
            monitor_period: reconcile,
            ..plain.detection
        },
        eviction: Eviction::AtOnce,
        replication: Replication {
            // A unit that is destroyed is gone; only a machine that went away moves its units.
            // Source: coreos/fleet:engine/reconciler.go, `calculateClusterTasks`.
            replaced: Replaced::Moved,
            // By hand, the highest instance first.
            removal: Removal::Newest,
            ..plain.replication
        },
        // The scheduler never reads a unit's state: what systemd gives up stays failed where it is.
        // Source: systemd/systemd:src/core/manager.c, `DEFAULT_RESTART_USEC`; meson_options.txt or configure.ac of the
        // time, `DefaultStartLimitInterval=10s`, `DefaultStartLimitBurst=5` (systemd-system.conf(5)).
        restart: Restart::Local(LocalRestart {
            initial: Span::from_millis(100),
            max: Span::from_millis(100),
            reset: Span::ZERO,
            burst: 5,
            window: Span::from_secs(10),
            when: RestartWhen::Declared,
        }),
        rollout: Rollout::Slots(SlotUpdate {
            parallelism: 1,
            delay: Span::ZERO,
            order: SlotOrder::StopFirst,
            monitor: Span::ZERO,
            on_failure: FailureAction::Continue,
            max_failure: 0,
            style: SlotStyle::ByHand,
        }),
        agent: AgentPolicy {
            // Source: systemd-system.conf(5), `DefaultTimeoutStopSec=90s`.
            default_grace: Span::from_secs(90),
            probes: Probing::Unknown,
            ..plain.agent
        },
        discovery: Discovery {
            lag: Span::from_millis(100),
            // A sidekick writes its unit's key, for 60 s, every 45 s; a machine that is gone deletes nothing.
            // Source: coreos/fleet:Documentation/examples/service-discovery.md.
            absence: Absence::Expiry(Expiry {
                every: Span::from_secs(45),
                ttl: Span::from_secs(60),
                sweep: Span::ZERO,
                dial: None,
            }),
            ..plain.discovery
        },
        ..plain
    }
}

fn machine(plain: Machine) -> Machine {
    Machine {
        // Source: etcd-io/etcd:Documentation/tuning.md of 2.3 (heartbeat 100 ms, election 1,000 ms).
        etcd: Etcd { members: 3, election: Span::from_secs(1) },
        election: Election {
            schedulers: 3,
            controllers: 3,
            // Source: coreos/fleet:engine/engine.go, `Run`: five intervals. Asked for at each reconciliation.
            lease: Span::from_secs(10),
            renew_deadline: Span::from_secs(10),
            retry: Span::from_secs(2),
            jitter: 0,
            sync: Span::ZERO,
        },
        presence: Some(Presence {
            // Source: coreos/fleet:server/monitor.go, `check`: up to four tries within a third of the TTL.
            tries: 4,
            patience: Span::from_secs(10),
            // Source: coreos/fleet:server/server.go, `Run`; pkg/backoff.go.
            retry: Span::from_secs(1),
            retry_max: Span::from_secs(60),
        }),
        ..plain
    }
}
