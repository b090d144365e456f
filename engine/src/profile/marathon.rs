//! Apache Mesos with Marathon for services and Chronos for jobs, with their default settings.
//!
//! What differs between releases of Marathon is in [`release`], newest first. Mesos is 1.11 throughout. Start at
//! [`profile`].

use super::consensus::{Ballot, Consensus, Lock, Quorum, Rejoin, Silence};
use super::{
    AgentPolicy, ControlPlane, Detection, Discovery, Dispatch, Eviction, Framework, Grace, LaunchBackoff, Offers,
    Permits, Placement, Probing, Profile, Removal, ReplacePolicy, Replication, Restart, Rollout, Unreachable, Words,
    flags,
};
use crate::time::Span;

/// Releases that can be asked for, with their full names, newest first. The first one is the current release.
pub(super) const RELEASES: &[(&str, &str)] =
    &[("1.10", "marathon@1.10"), ("1.4", "marathon@1.4"), ("1.1", "marathon@1.1")];

/// Mesos and Marathon as they behave without flags.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "task", workload: "app", unhealthy: "unreachable" };
    let plain = super::plain::profile("marathon", "1.10", words);
    Profile {
        flags: flags::MARATHON,
        control: ControlPlane {
            store_write: Span::from_millis(10),
            watch_lag: Span::from_millis(10),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        dispatch: Dispatch::Offers(offers()),
        // Whether an offer matches costs Marathon about a millisecond an instance; an assumption.
        placement: Placement {
            scores: Vec::new(),
            decision_cost: Span::from_millis(1),
            decision_cost_per_node: Span::ZERO,
            ..plain.placement
        },
        // Source: apache/mesos:src/master/constants.hpp, DEFAULT_AGENT_PING_TIMEOUT and DEFAULT_MAX_AGENT_PING_TIMEOUTS.
        // The observer pings each agent on a grid of its own: src/master/master.cpp, SlaveObserver.
        detection: Detection {
            heartbeat: Span::from_secs(15),
            heartbeat_jitter: Span::ZERO,
            grace: Grace::Pings { failures: 5, timeout: Span::from_secs(15) },
            // An agent that was known before a failover has so long to come back.
            // Source: apache/mesos:src/master/constants.hpp, DEFAULT_AGENT_REREGISTER_TIMEOUT.
            startup_grace: Span::from_secs(600),
            ..plain.detection
        },
        eviction: Eviction::Unreachable(Unreachable {
            // Source: apache/mesos:docs/configuration/master.md, --agent_removal_rate_limit: none.
            removal: Permits::UNLIMITED,
            // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/state/UnreachableStrategy.scala.
            inactive_after: Span::ZERO,
            expunge_after: Span::ZERO,
            // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/task/jobs/TaskJobsConfig.scala.
            expunge_check: Span::from_secs(30),
        }),
        replication: Replication { removal: Removal::Youngest, ..plain.replication },
        restart: Restart::REPLACE,
        // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/state/UpgradeStrategy.scala; kill_chunk_size in
        // core/task/termination/KillConfig.scala.
        rollout: Rollout::Replace(ReplacePolicy { min_health: 1_000, max_over: 1_000, resident: (500, 0), kills: 100 }),
        agent: AgentPolicy {
            // Source: apache/mesos:src/slave/constants.hpp, EXECUTOR_SIGNAL_ESCALATION_TIMEOUT.
            default_grace: Span::from_secs(3),
            // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/health/HealthCheck.scala,
            // DefaultFirstHealthCheckAfter.
            probes: Probing::Graced { first: Span::from_secs(5) },
            ..plain.agent
        },
        discovery: Discovery {
            // From an event of Marathon's bus until marathon-lb has written its configuration and reloaded HAProxy.
            // Source: mesosphere/marathon-lb:marathon_lb.py; the figure is an estimate.
            lag: Span::from_secs(2),
            // Clients of a service go through marathon-lb, those of a headless one ask Mesos-DNS.
            // Source: mesosphere/mesos-dns:records/config.go, `RefreshSeconds` and `TTL`.
            name_poll: Span::from_secs(60),
            dns_ttl: Span::from_secs(60),
            unready_on_unhealthy_node: true,
            ..plain.discovery
        },
        ..plain
    }
}

fn offers() -> Offers {
    Offers {
        // Source: apache/mesos:src/master/constants.hpp, DEFAULT_ALLOCATION_INTERVAL and MIN_CPUS, MIN_MEM.
        allocation_interval: Span::from_secs(1),
        // From Marathon's revive call through the master back to its offer matcher; an assumption.
        latency: Span::from_millis(50),
        min_cpu: 10,
        min_memory: 32,
        // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/launcher/OfferProcessorConfig.scala and
        // core/launchqueue/ReviveOffersConfig.scala.
        services: Framework {
            decline: Span::from_secs(120),
            revive_interval: Span::from_secs(5),
            revives: true,
            suppresses: true,
        },
        // Source: mesos/chronos:src/main/scala/org/apache/mesos/chronos/scheduler/config/SchedulerConfiguration.scala.
        batch: Framework {
            decline: Span::from_secs(5),
            revive_interval: Span::from_secs(5),
            revives: false,
            suppresses: false,
        },
        // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/matcher/manager/OfferMatcherManagerConfig.scala.
        per_offer: 5,
        // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/flow/LaunchTokenConfig.scala.
        launch_tokens: 100,
        token_refresh: Span::from_secs(30),
        // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/state/RunSpec.scala, BackoffStrategy.
        backoff: LaunchBackoff { initial: Span::from_secs(1), factor: 1_150, max: Span::from_secs(300) },
        // Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/MarathonConf.scala, task_launch_timeout, and
        // core/task/jobs/impl/OverdueInstancesActor.scala.
        launch_timeout: Span::from_secs(300),
        launch_check: Span::from_secs(5),
        // Source: mesos/chronos:src/main/scala/org/apache/mesos/chronos/scheduler/config/SchedulerConfiguration.scala.
        retry: Span::from_secs(60),
        epsilon: Span::from_secs(60),
        strict_groups: true,
    }
}

/// A release by its number.
pub(super) fn release(number: &str) -> Option<Profile> {
    let &(version, name) = RELEASES.iter().find(|(version, _)| *version == number)?;
    let mut profile = profile();
    (profile.name, profile.version) = (name.into(), version.into());
    let (Dispatch::Offers(offers), Eviction::Unreachable(lost)) = (&mut profile.dispatch, &mut profile.eviction) else {
        unreachable!("the newest release has both")
    };
    if version != "1.10" {
        // Source: mesosphere/marathon:changelog.md, 1.5.1: the default was 300 s and 600 s before.
        (lost.inactive_after, lost.expunge_after) = (Span::from_secs(300), Span::from_secs(600));
        offers.services.suppresses = false;
        offers.strict_groups = false;
        // Source: docs/docs/rest-api of 1.4, maxLaunchDelaySeconds.
        offers.backoff.max = Span::from_secs(3_600);
        offers.launch_check = Span::from_secs(30);
    }
    if version == "1.1" {
        // A lost task was replaced at once, whatever became of it. Source: mesosphere/marathon:changelog.md, 1.4.0.
        (lost.inactive_after, lost.expunge_after) = (Span::ZERO, Span::ZERO);
    }
    Some(profile)
}

/// Masters, of which ZooKeeper lets one lead, and Marathon beside them alike.
const CONSENSUS: Consensus = Consensus {
    members: 3,
    quorum: Quorum::Majority,
    role: "master",
    // Source: apache/mesos:src/master/constants.hpp, `MASTER_CONTENDER_ZK_SESSION_TIMEOUT` 10 s; a ZooKeeper client pings
    // three times in it.
    ballot: Ballot::Lock(Lock { ttl: Span::from_secs(10), renewals: 3, retry: Span::ZERO }),
    // Source: apache/mesos:src/master/constants.hpp, `DEFAULT_AGENT_REREGISTER_TIMEOUT`. Its limit for removals after that
    // (`--recovery_agent_removal_limit`) is 100 %: it limits nothing.
    silence: Silence::Within(Span::from_secs(600)),
    // Source: apache/mesos:src/slave/constants.hpp, `DEFAULT_REGISTRATION_BACKOFF_FACTOR` 1 s.
    rejoin: Rejoin { least: Span::ZERO, most: Span::from_secs(1), closed: true },
    challenges: 0,
};
