//! Deis: version 1 on CoreOS with fleet, version 2 (Workflow) on Kubernetes.
//!
//! Deis adds builders, a registry and a router to what schedules its containers; how that fails is what it inherits.
//! Start at [`profile`].

use super::{Absence, Discovery, Expiry, Profile, Words, fleet, kubernetes};
use crate::time::Span;

/// Releases that can be asked for.
pub(super) const RELEASES: &[(&str, &str)] = &[("2", "deis@2"), ("1", "deis@1")];

/// A release by its number.
pub(super) fn release(number: &str) -> Option<Profile> {
    match number {
        "2" => Some(Profile { name: "deis@2".into(), version: "2".into(), ..profile() }),
        "1" => Some(first()),
        _ => None,
    }
}

/// Deis Workflow, on the oldest Kubernetes that has all of today's flags: the failure numbers (40 s and 300 s) are those
/// of its days, too. `kubernetes@1.2` has the scheduler of 2016.
///
/// Source: deis/workflow:src/installing-workflow/system-requirements.md (Kubernetes 1.3 and later at its end).
pub(super) fn profile() -> Profile {
    let kubernetes = kubernetes::releases::at(13);
    Profile {
        name: "deis".into(),
        version: "2".into(),
        words: Words { workload: "app", ..kubernetes.words },
        takes_scheduler_config: false,
        ..kubernetes
    }
}

/// Deis 1: each container of an app is a unit of fleet; nobody else looks after it.
///
/// Source: deis/deis:controller/scheduler/fleet.py.
fn first() -> Profile {
    let fleet = fleet::profile();
    Profile {
        name: "deis@1".into(),
        version: "1".into(),
        words: Words { workload: "app", pod: "container", ..fleet.words },
        // A publisher on each host announces its containers every 10 s, for 20 s; the router follows the keys.
        // Source: deis/deis:publisher/main.go, `timeout` and `etcdTTL`.
        discovery: Discovery {
            absence: Absence::Expiry(Expiry {
                every: Span::from_secs(10),
                ttl: Span::from_secs(20),
                sweep: Span::ZERO,
                dial: None,
            }),
            ..fleet.discovery
        },
        ..fleet
    }
}
