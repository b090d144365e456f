//! Flags of Mesos (master and agent), Marathon and Chronos, and fields of app definitions.
//!
//! Each name's default stands in the profile, not here. Flags that two of the three have under one name are written
//! with the program in front. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};
use crate::profile::consensus::{Ballot, Consensus, Silence};
use crate::profile::{Dispatch, Eviction, Grace, Probing, Profile, Rollout};
use crate::time::Span;

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    // The master's allocator.
    flag!(
        "allocation_interval",
        "Time between two batch allocations, in which all free resources of an agent go to one framework as an offer.",
        "apache/mesos:docs/configuration/master.md",
        Kind::Period,
        in dispatch, Dispatch::Offers(offers) => offers.allocation_interval
    ),
    flag!(
        "offer_latency",
        "Time from a framework's wish for offers until it has the first ones.",
        "an assumption",
        Kind::Span,
        in dispatch, Dispatch::Offers(offers) => offers.latency
    ),
    flag!(
        "min_allocatable_resources.cpus",
        "An agent is offered that has this many CPUs free, or memory as the flag beside this one says.",
        "apache/mesos:src/master/flags.cpp, cpus:0.01|mem:32",
        Kind::Rate,
        in dispatch, Dispatch::Offers(offers) => offers.min_cpu
    ),
    flag!(
        "min_allocatable_resources.mem",
        "An agent is offered that has this many MB of memory free, or CPUs as the flag beside this one says.",
        "apache/mesos:src/master/flags.cpp, cpus:0.01|mem:32",
        Kind::Count,
        in dispatch, Dispatch::Offers(offers) => offers.min_memory
    ),
    // The master's view of agents.
    flag!(
        "agent_ping_timeout",
        "Time between two pings of an agent, and how long a pong may take.",
        "apache/mesos:docs/configuration/master.md",
        Kind::Period,
        |p| p.detection.heartbeat,
        |p, v| set_ping(p, field(v))
    ),
    flag!(
        "max_agent_ping_timeouts",
        "So many pings in a row without a pong make an agent unreachable.",
        "apache/mesos:docs/configuration/master.md",
        Kind::Positive,
        in detection.grace, Grace::Pings { failures, .. } => *failures
    ),
    flag!(
        "agent_reregister_timeout",
        "An agent that was known before and has not come back by then is unreachable.",
        "apache/mesos:docs/configuration/master.md",
        Kind::Period,
        |p| p.detection.startup_grace,
        |p, v| {
            let given = field(v);
            p.detection.startup_grace = given;
            if let Some(Consensus { silence: Silence::Within(after), .. }) = &mut p.control.machine.consensus {
                *after = given;
            }
        }
    ),
    flag!(
        "agent_removal_rate_limit",
        "Agents that may be marked as unreachable in a time, such as `1/10mins`; one that answers meanwhile is spared.",
        "apache/mesos:docs/configuration/master.md",
        Kind::Permits,
        in eviction, Eviction::Unreachable(lost) => lost.removal
    ),
    flag!(
        "registry_store_latency",
        "Time from a change's arrival at ZooKeeper or the replicated log until a quorum has it.",
        "an assumption",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "registry_writes_per_second",
        "Writes a second that ZooKeeper sustains; further ones queue.",
        "an assumption",
        Kind::Positive,
        control.store_writes_per_second
    ),
    flag!(
        "status_update_lag",
        "Time from a change until the framework has its event.",
        "an assumption",
        Kind::Span,
        control.watch_lag
    ),
    // Marathon.
    flag!(
        "marathon.decline_offer_duration",
        "Offers that Marathon has no use for are declined for so long.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/launcher/OfferProcessorConfig.scala",
        Kind::Span,
        in dispatch, Dispatch::Offers(offers) => offers.services.decline
    ),
    flag!(
        "marathon.min_revive_offers_interval",
        "Marathon asks for all offers, declined ones included, at most once in this time.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/launchqueue/ReviveOffersConfig.scala",
        Kind::Span,
        in dispatch, Dispatch::Offers(offers) => offers.services.revive_interval
    ),
    flag!(
        "marathon.suppress_offers",
        "Marathon gets no offers while it has nothing to launch.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/launchqueue/ReviveOffersConfig.scala",
        Kind::Switch,
        in dispatch, Dispatch::Offers(offers) => offers.services.suppresses
    ),
    flag!(
        "max_instances_per_offer",
        "Instances that are started from one offer at most.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/matcher/manager/OfferMatcherManagerConfig.scala",
        Kind::Positive,
        in dispatch, Dispatch::Offers(offers) => offers.per_offer
    ),
    flag!(
        "launch_tokens",
        "Launches within one refresh interval; a task that runs and is healthy gives its token back.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/flow/LaunchTokenConfig.scala",
        Kind::Positive,
        in dispatch, Dispatch::Offers(offers) => offers.launch_tokens
    ),
    flag!(
        "launch_token_refresh_interval",
        "Launch tokens are set back to their number on this grid.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/flow/LaunchTokenConfig.scala",
        Kind::Period,
        in dispatch, Dispatch::Offers(offers) => offers.token_refresh
    ),
    flag!(
        "task_launch_timeout",
        "A task that does not run so long after its launch is killed and launched again.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/MarathonConf.scala",
        Kind::Period,
        in dispatch, Dispatch::Offers(offers) => offers.launch_timeout
    ),
    flag!(
        "overdue_tasks_check_interval",
        "Tasks that do not run in time are looked for on this grid (a constant).",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/task/jobs/impl/OverdueInstancesActor.scala",
        Kind::Period,
        in dispatch, Dispatch::Offers(offers) => offers.launch_check
    ),
    flag!(
        "group_by_strict",
        "GROUP_BY counts against the wanted number of groups; else against the groups in use, as documented.",
        "mesosphere/marathon:src/main/scala/mesosphere/mesos/Constraints.scala, docs/docs/constraints.md",
        Kind::Switch,
        in dispatch, Dispatch::Offers(offers) => offers.strict_groups
    ),
    // App definitions.
    flag!(
        "backoffSeconds",
        "First wait before a version of an app is launched again that failed.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/state/RunSpec.scala",
        Kind::Seconds,
        in dispatch, Dispatch::Offers(offers) => offers.backoff.initial
    ),
    flag!(
        "backoffFactor",
        "Each such wait is so many times as long as the one before.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/state/RunSpec.scala",
        Kind::Rate,
        in dispatch, Dispatch::Offers(offers) => offers.backoff.factor
    ),
    flag!(
        "maxLaunchDelaySeconds",
        "Longest such wait; without launch or failure for so long it is forgotten.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/state/RunSpec.scala",
        Kind::Seconds,
        in dispatch, Dispatch::Offers(offers) => offers.backoff.max
    ),
    flag!(
        "unreachableStrategy.inactiveAfterSeconds",
        "An unreachable instance is replaced after so long.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/state/UnreachableStrategy.scala",
        Kind::Seconds,
        in eviction, Eviction::Unreachable(lost) => lost.inactive_after
    ),
    flag!(
        "unreachableStrategy.expungeAfterSeconds",
        "An unreachable instance is forgotten after so long, and killed should it come back.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/state/UnreachableStrategy.scala",
        Kind::Seconds,
        in eviction, Eviction::Unreachable(lost) => lost.expunge_after
    ),
    flag!(
        "task_lost_expunge_interval",
        "Instances that are to be forgotten are looked for on this grid.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/task/jobs/TaskJobsConfig.scala",
        Kind::Period,
        in eviction, Eviction::Unreachable(lost) => lost.expunge_check
    ),
    flag!(
        "upgradeStrategy.minimumHealthCapacity",
        "Share of the wanted instances that stays healthy during an upgrade.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/state/UpgradeStrategy.scala",
        Kind::Share,
        in rollout, Rollout::Replace(policy) => policy.min_health
    ),
    flag!(
        "upgradeStrategy.maximumOverCapacity",
        "Share of the wanted instances that runs in addition during an upgrade.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/state/UpgradeStrategy.scala",
        Kind::Share,
        in rollout, Rollout::Replace(policy) => policy.max_over
    ),
    flag!(
        "kill_chunk_size",
        "Kills in work at once.",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/task/termination/KillConfig.scala",
        Kind::Positive,
        in rollout, Rollout::Replace(policy) => policy.kills
    ),
    flag!(
        "taskKillGracePeriodSeconds",
        "Time between the polite and the forced stop of tasks that do not say so themselves.",
        "apache/mesos:src/slave/constants.hpp, EXECUTOR_SIGNAL_ESCALATION_TIMEOUT",
        Kind::Seconds,
        agent.default_grace
    ),
    // Chronos.
    flag!(
        "chronos.decline_offer_duration",
        "Offers that Chronos has no use for are declined for so long.",
        "mesos/chronos:src/main/scala/org/apache/mesos/chronos/scheduler/config/SchedulerConfiguration.scala",
        Kind::Span,
        in dispatch, Dispatch::Offers(offers) => offers.batch.decline
    ),
    flag!(
        "chronos.revive_offers_for_new_jobs",
        "Chronos asks for all offers when a task is due, instead of waiting for the next one.",
        "mesos/chronos:src/main/scala/org/apache/mesos/chronos/scheduler/config/SchedulerConfiguration.scala",
        Kind::Switch,
        in dispatch, Dispatch::Offers(offers) => offers.batch.revives
    ),
    flag!(
        "chronos.min_revive_offers_interval",
        "Chronos asks for all offers at most once in this time.",
        "mesos/chronos:src/main/scala/org/apache/mesos/chronos/scheduler/config/SchedulerConfiguration.scala",
        Kind::Span,
        in dispatch, Dispatch::Offers(offers) => offers.batch.revive_interval
    ),
    flag!(
        "chronos.failure_retry",
        "A job that failed is run again after this, as often as it may fail.",
        "mesos/chronos:src/main/scala/org/apache/mesos/chronos/scheduler/config/SchedulerConfiguration.scala",
        Kind::Span,
        in dispatch, Dispatch::Offers(offers) => offers.retry
    ),
    flag!(
        "chronos.task_epsilon",
        "A run that could not be started within this time is left out, where its job does not say otherwise.",
        "mesos/chronos:src/main/scala/org/apache/mesos/chronos/scheduler/config/SchedulerConfiguration.scala",
        Kind::Seconds,
        in dispatch, Dispatch::Offers(offers) => offers.epsilon
    ),
    // Health checks.
    flag!(
        "first_health_check_after",
        "A task is asked for its health so long after it runs, or after its interval if that is shorter (a constant).",
        "mesosphere/marathon:src/main/scala/mesosphere/marathon/core/health/HealthCheck.scala",
        Kind::Period,
        in agent.probes, Probing::Graced { first } => *first
    ),
    // Discovery.
    flag!(
        "marathon_lb.reload",
        "Time from an event of Marathon's bus until HAProxy runs with the new configuration.",
        "mesosphere/marathon-lb:marathon_lb.py; the figure is an estimate",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "mesos_dns.ttl",
        "How long clients keep a resolved name.",
        "mesosphere/mesos-dns:records/config.go",
        Kind::Seconds,
        discovery.dns_ttl
    ),
    flag!(
        "mesos_dns.refreshSeconds",
        "Mesos-DNS reads the state of the master so often.",
        "mesosphere/mesos-dns:records/config.go",
        Kind::Seconds,
        discovery.name_poll
    ),
    flag!(
        "zk_session_timeout",
        "ZooKeeper takes a leader for lost after so long without a ping.",
        "apache/mesos:src/master/constants.hpp, MASTER_CONTENDER_ZK_SESSION_TIMEOUT",
        Kind::Period,
        in control.machine.consensus, Some(Consensus { ballot: Ballot::Lock(lock), .. }) => lock.ttl
    ),
];

/// A ping is sent when the answer to the one before is due.
fn set_ping(profile: &mut Profile, every: Span) {
    profile.detection.heartbeat = every;
    if let Grace::Pings { timeout, .. } = &mut profile.detection.grace {
        *timeout = every;
    }
}
