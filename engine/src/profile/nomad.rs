//! HashiCorp Nomad, with its default settings.
//!
//! What differs between releases is in [`RELEASES`], newest first. Placement and evaluations come first, then what
//! happens to nodes and allocations that fail. Start at [`profile`].

use super::{
    AgentPolicy, ControlPlane, Detection, Discovery, Eviction, FailureAction, Grace, Profile, Replication, Restart,
    Rollout, SlotOrder, SlotUpdate, Words, flags,
};
use crate::time::Span;

/// Releases that can be asked for, with their full names, newest first. The first one is the current release.
pub(super) const RELEASES: &[(&str, &str)] = &[("2.0", "nomad@2.0"), ("1.1", "nomad@1.1")];

/// Nomad as its agents behave without configuration files.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "allocation", workload: "job", unhealthy: "down" };
    let plain = super::plain::profile("nomad", "2.0", words);
    Profile {
        flags: flags::NOMAD,
        control: ControlPlane {
            // Measured on 1.1.2: a plan of one node's allocations is applied 5-10 ms after it is submitted.
            store_write: Span::from_millis(5),
            watch_lag: Span::from_millis(5),
            ..plain.control
        },
        // Source: hashicorp/nomad:nomad/config.go: MinHeartbeatTTL 10 s, HeartbeatGrace 10 s.
        detection: Detection {
            heartbeat: Span::from_secs(10),
            heartbeat_jitter: Span::ZERO,
            grace: Grace::Fixed(Span::from_secs(20)),
            startup_grace: Span::from_secs(20),
            ..plain.detection
        },
        eviction: Eviction::AtOnce,
        replication: Replication { replacement_delay: Span::ZERO, ..plain.replication },
        restart: Restart::Replace { max_attempts: None },
        // Source: hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy.
        rollout: Rollout::Slots(SlotUpdate {
            parallelism: 1,
            delay: Span::ZERO,
            order: SlotOrder::StopFirst,
            monitor: Span::from_secs(10),
            on_failure: FailureAction::Pause,
            max_failure: 0,
        }),
        agent: AgentPolicy {
            // Source: hashicorp/nomad:nomad/structs/structs.go, DefaultKillTimeout.
            default_grace: Span::from_secs(5),
            ..plain.agent
        },
        discovery: Discovery { unready_on_unhealthy_node: true, ..plain.discovery },
        ..plain
    }
}

/// A release by its number.
pub(super) fn release(number: &str) -> Option<Profile> {
    let &(version, name) = RELEASES.iter().find(|(version, _)| *version == number)?;
    let mut profile = profile();
    (profile.name, profile.version) = (name.into(), version.into());
    Some(profile)
}
