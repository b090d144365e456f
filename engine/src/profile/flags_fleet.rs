//! Flags of fleet: those of `fleetd`, options of systemd units, and constants.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};
use crate::profile::machine::Presence;
use crate::profile::{Absence, Dispatch, Grace, Restart, RestartWhen, Rollout};
use crate::time::Span;

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    flag!(
        "agent_ttl",
        "A machine's key in etcd lives for so long after each heartbeat; machines beat at half of it.",
        "coreos/fleet:agent/agent.go, DefaultTTL; server/monitor.go",
        Kind::PeriodSeconds,
        |p| ttl(p),
        |p, v| {
            let ttl: Span = field(v);
            p.detection.grace = Grace::Lease(ttl);
            p.detection.heartbeat = Span::from_nanos((ttl.as_nanos() / 2).max(1));
        }
    ),
    flag!(
        "monitor-beat",
        "Time between two heartbeats (half of `agent_ttl`, which sets it).",
        "coreos/fleet:server/monitor.go, NewMonitor",
        Kind::Period,
        detection.heartbeat
    ),
    flag!(
        "monitor-patience",
        "A machine whose heartbeats fail for this long restarts its components (a third of the TTL; a constant).",
        "coreos/fleet:server/monitor.go, check",
        Kind::Period,
        in control.machine.presence, Some(presence) => presence.patience
    ),
    flag!(
        "monitor-tries",
        "So often a heartbeat is tried within that time (a constant).",
        "coreos/fleet:server/monitor.go, check",
        Kind::Positive,
        in control.machine.presence, Some(Presence { tries, .. }) => *tries
    ),
    flag!(
        "register-backoff",
        "First wait of a machine that restarted its components and cannot beat yet; doubles each time (a constant).",
        "coreos/fleet:server/server.go, Run",
        Kind::Period,
        in control.machine.presence, Some(presence) => presence.retry
    ),
    flag!(
        "register-backoff-max",
        "Longest such wait (a constant).",
        "coreos/fleet:server/server.go, Run",
        Kind::Period,
        in control.machine.presence, Some(presence) => presence.retry_max
    ),
    flag!(
        "engine_reconcile_interval",
        "The engine compares machines, units and schedule on this grid.",
        "coreos/fleet:fleetd/fleetd.go",
        Kind::PeriodSeconds,
        |p| p.detection.monitor_period,
        |p, v| {
            p.detection.monitor_period = field(v);
            p.queue.flush_period = p.detection.monitor_period;
            if let Dispatch::Rounds { every, .. } = &mut p.dispatch {
                *every = p.detection.monitor_period;
            }
        }
    ),
    flag!(
        "disable_watches",
        "Units that are new wait for the next reconciliation.",
        "coreos/fleet:fleetd/fleetd.go",
        Kind::Switch,
        |p| matches!(p.dispatch, Dispatch::Rounds { watches: false, .. }),
        |p, v| if let Dispatch::Rounds { watches, .. } = &mut p.dispatch {
            *watches = !field::<bool>(v);
        }
    ),
    flag!(
        "engine-lease",
        "An engine's lease may be taken by another one after so long (five reconcile intervals; a constant).",
        "coreos/fleet:engine/engine.go, Run",
        Kind::Period,
        control.machine.election.lease
    ),
    flag!(
        "etcd-write",
        "Time from a write's arrival at etcd until a quorum has it.",
        "an assumption",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "etcd-watch-lag",
        "Time from a write until engine and agents have seen it.",
        "an assumption",
        Kind::Span,
        control.watch_lag
    ),
    flag!(
        "etcd-election-timeout",
        "A member of etcd that does not hear the leader for this long, up to twice as long, wants to lead.",
        "etcd-io/etcd:Documentation/tuning.md of 2.3",
        Kind::Period,
        control.machine.etcd.election
    ),
    flag!(
        "Restart",
        "When systemd restarts a unit that ended: as the unit says, or always the same.",
        "systemd.service(5), Restart=",
        Kind::Word(RestartWhen::WORDS),
        in restart, Restart::Local(local) => local.when
    ),
    flag!(
        "RestartSec",
        "Wait before a restart.",
        "systemd-system.conf(5), DefaultRestartSec=100ms",
        Kind::Span,
        |p| match p.restart {
            Restart::Local(local) => local.initial,
            _ => unreachable!("{VARIANT}"),
        },
        |p, v| if let Restart::Local(local) = &mut p.restart {
            local.initial = field(v);
            local.max = local.initial;
        }
    ),
    flag!(
        "StartLimitInterval",
        "Starts of a unit count for so long.",
        "systemd-system.conf(5), DefaultStartLimitInterval=10s",
        Kind::Span,
        in restart, Restart::Local(local) => local.window
    ),
    flag!(
        "StartLimitBurst",
        "Starts within that time after which a unit has failed for good; 0: no bound.",
        "systemd-system.conf(5), DefaultStartLimitBurst=5",
        Kind::Count,
        in restart, Restart::Local(local) => local.burst
    ),
    flag!(
        "TimeoutStopSec",
        "Time between the polite and the forced stop of units that do not say so themselves.",
        "systemd-system.conf(5), DefaultTimeoutStopSec=90s",
        Kind::Seconds,
        agent.default_grace
    ),
    flag!(
        "by-hand-at-once",
        "Units that people destroy and submit anew at once when they update; 0: all.",
        "coreos/fleet:Documentation/architecture.md: units are immutable",
        Kind::Count,
        in rollout, Rollout::Slots(update) => update.parallelism
    ),
    flag!(
        "by-hand-pause",
        "Wait of these people after each of them.",
        "an assumption: none",
        Kind::Span,
        in rollout, Rollout::Slots(update) => update.delay
    ),
    flag!(
        "discovery-lag",
        "Time from a change of an announced key until clients have it.",
        "an assumption",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "skydns-ttl",
        "How long clients keep a resolved name.",
        "skynetservices/skydns:README.md (3,600 s there, or the key's TTL); 0 here: confd or vulcand follow the keys",
        Kind::Seconds,
        discovery.dns_ttl
    ),
    flag!(
        "sidekick-interval",
        "A sidekick writes its unit's key so often.",
        "coreos/fleet:Documentation/examples/service-discovery.md",
        Kind::PeriodSeconds,
        in discovery.absence, Absence::Expiry(expiry) => expiry.every
    ),
    flag!(
        "sidekick-ttl",
        "The key lives for so long.",
        "coreos/fleet:Documentation/examples/service-discovery.md",
        Kind::Seconds,
        in discovery.absence, Absence::Expiry(expiry) => expiry.ttl
    ),
];

fn ttl(profile: &crate::profile::Profile) -> Span {
    match profile.detection.grace {
        Grace::Lease(ttl) => ttl,
        _ => unreachable!("{VARIANT}"),
    }
}
