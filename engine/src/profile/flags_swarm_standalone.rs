//! Flags of standalone Docker Swarm: those of `swarm manage` and `swarm join`, and constants of the engine.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, Strategy, VARIANT, field};
use crate::profile::consensus::{Ballot, Consensus};
use crate::profile::{Choice, Profile, Restart, Weights};

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    flag!(
        "strategy",
        "Which node is best: the emptiest, the fullest, or any.",
        "docker-archive/classicswarm:cli/flags.go",
        Kind::Word(Strategy::WORDS),
        |p| weights(p).strategy,
        |p, v| weights_mut(p).strategy = field(v)
    ),
    flag!(
        "swarm.overcommit",
        "Share of CPU and memory that a node is given beyond what it has; of CPUs whole ones only.",
        "docker-archive/classicswarm:cluster/swarm/cluster.go",
        Kind::Share,
        |p| weights(p).overcommit,
        |p, v| weights_mut(p).overcommit = field(v)
    ),
    flag!(
        "create-latency",
        "Time that a request to an engine takes.",
        "measured on 1.2.9: 10-30 ms",
        Kind::Span,
        control.store_write
    ),
    // Detection.
    flag!(
        "engine-refresh-min-interval",
        "Least wait between two looks at an engine.",
        "docker-archive/classicswarm:cli/flags.go",
        Kind::Period,
        in detection.polls, Some(polls) => polls.wait
    ),
    flag!(
        "engine-refresh-max-interval",
        "Longest wait between two looks at a healthy engine.",
        "docker-archive/classicswarm:cli/flags.go",
        Kind::Period,
        in detection.polls, Some(polls) => polls.longest
    ),
    flag!(
        "engine-failure-retry",
        "Failed looks in a row that make an engine Unhealthy.",
        "docker-archive/classicswarm:cli/flags.go",
        Kind::Positive,
        in detection.polls, Some(polls) => polls.failures
    ),
    flag!(
        "request-timeout",
        "Time after which a look at an engine is given up (a constant).",
        "docker-archive/classicswarm:cluster/engine.go",
        Kind::Period,
        in detection.polls, Some(polls) => polls.timeout
    ),
    flag!(
        "host-unreachable-after",
        "Time after which the network says that a host on the same wire is gone; `30s` is a host behind a router.",
        "measured on 1.2.9: 3 s",
        Kind::Period,
        in detection.polls, Some(polls) => polls.unreachable
    ),
    flag!(
        "second-dead-connection",
        "Share of cases in which a second dead pooled connection makes the second look last as long as the first.",
        "fitted to 1.2.9: one of 16 detections on the same wire",
        Kind::Share,
        in detection.polls, Some(polls) => polls.pooled
    ),
    flag!(
        "reschedule-create",
        "Time that the watchdog takes to make one container.",
        "measured on 1.2.9: 15-30 ms",
        Kind::Span,
        in replication.watchdog, Some(watchdog) => watchdog.create
    ),
    flag!(
        "reschedule-start",
        "Time that the watchdog takes to start one.",
        "measured on 1.2.9: 0.25 s",
        Kind::Span,
        in replication.watchdog, Some(watchdog) => watchdog.start
    ),
    // The engine.
    flag!(
        "restart-delay",
        "Wait before the first restart of a container; doubles each time (a constant).",
        "moby/moby:daemon/internal/restartmanager/restartmanager.go",
        Kind::Span,
        in restart, Restart::Engine { initial, .. } => *initial
    ),
    flag!(
        "restart-delay-max",
        "Longest wait before a restart of a container (a constant).",
        "moby/moby:daemon/internal/restartmanager/restartmanager.go",
        Kind::Span,
        in restart, Restart::Engine { max, .. } => *max
    ),
    flag!(
        "restart-delay-reset",
        "After a run of this length the next wait is the first one again (a constant).",
        "moby/moby:daemon/internal/restartmanager/restartmanager.go",
        Kind::Span,
        in restart, Restart::Engine { reset, .. } => *reset
    ),
    flag!(
        "stop-timeout",
        "Time between the polite and the forced stop of containers that do not say so themselves.",
        "docker/cli:cli/command/container/stop.go",
        Kind::Span,
        agent.default_grace
    ),
    flag!(
        "discovery-lag",
        "Time from a change of a container until others find its service without or with it.",
        "an assumption: overlay networks with a key-value store, measured on Swarm mode 0.2-0.5 s",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "replication-ttl",
        "The lock of a primary that died lapses so long after its last renewal.",
        "docker-archive/classicswarm:cli/flags.go",
        Kind::Period,
        in control.machine.consensus, Some(Consensus { ballot: Ballot::Lock(lock), .. }) => lock.ttl
    ),
];

fn weights(profile: &Profile) -> Weights {
    let Choice::Weights(weights) = profile.placement.choice else { unreachable!("{VARIANT}") };
    weights
}

fn weights_mut(profile: &mut Profile) -> &mut Weights {
    let Choice::Weights(weights) = &mut profile.placement.choice else { unreachable!("{VARIANT}") };
    weights
}
