//! Flags of Rancher's Cattle: its settings by their property names, fields of services, and constants.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};
use crate::profile::{
    Balancer, Consequence, FailureAction, Grace, Ports, Profile, Restart, RestartWhen, Rollout, Score, SlotOrder,
};
use crate::time::Span;

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    // Hosts.
    flag!(
        "task.agent.ping.schedule",
        "Time between two pings of a host's agent.",
        "rancher/cattle:code/packaging/app-config/src/main/resources/META-INF/cattle/agent-server/defaults.properties",
        Kind::PeriodSeconds,
        detection.heartbeat
    ),
    flag!(
        "agent.ping.reconnect.after.failed.count",
        "Pings that fail in a row until the host is reconnecting.",
        "rancher/cattle:code/packaging/app-config/src/main/resources/META-INF/cattle/agent-server/defaults.properties",
        Kind::Positive,
        in detection.grace, Grace::Pings { failures, .. } => *failures
    ),
    flag!(
        "agent.ping.timeout.seconds",
        "Time after which a ping has failed.",
        "rancher/cattle:code/packaging/app-config/src/main/resources/META-INF/cattle/agent-server/defaults.properties",
        Kind::Seconds,
        in detection.grace, Grace::Pings { timeout, .. } => *timeout
    ),
    flag!(
        "agent.disconnect.after.seconds",
        "A host that is reconnecting for this long is disconnected.",
        "rancher/cattle:code/packaging/app-config/src/main/resources/META-INF/cattle/process/defaults.properties",
        Kind::Seconds,
        |p| p.detection.disconnected_after.unwrap_or(Span::ZERO),
        |p, v| p.detection.disconnected_after = Some(field(v))
    ),
    // Placement.
    flag!(
        "rancher-scheduler",
        "The scheduler service sorts hosts by their number of containers; without it they are shuffled (before 1.4).",
        "rancher/scheduler:scheduler/sort.go; rancher/cattle:…/allocator/dao/impl/AllocatorDaoImpl.java, iteratorHosts",
        Kind::Switch,
        |p| sorts(p),
        |p, v| {
            p.placement.scores.retain(|(score, _)| *score != Score::FewestPods);
            if field(v) {
                p.placement.scores.push((Score::FewestPods, 1));
            }
        }
    ),
    flag!(
        "ports",
        "Whether a published port takes the host's port.",
        "rancher/rancher.github.io:rancher/v1.6/en/cattle/scheduling/index.md",
        Kind::Word(Ports::WORDS),
        placement.published_ports
    ),
    // Containers.
    flag!(
        "restart_policy",
        "When Docker restarts a container that ended: as the service says, or always the same.",
        "docker/cli:docs/reference/run.md, --restart",
        Kind::Word(RestartWhen::WORDS),
        in restart, Restart::Local(local) => local.when
    ),
    flag!(
        "docker-restart-delay",
        "First wait before a restart; doubles each time (a constant).",
        "moby/moby:restartmanager/restartmanager.go, defaultTimeout",
        Kind::Span,
        in restart, Restart::Local(local) => local.initial
    ),
    flag!(
        "docker-restart-delay-max",
        "Longest wait before a restart (a constant).",
        "moby/moby:restartmanager/restartmanager.go, maxRestartTimeout",
        Kind::Span,
        in restart, Restart::Local(local) => local.max
    ),
    flag!(
        "docker-restart-reset",
        "A container that ran for this long starts again with the first wait (a constant).",
        "moby/moby:restartmanager/restartmanager.go",
        Kind::Span,
        in restart, Restart::Local(local) => local.reset
    ),
    flag!(
        "stop_timeout",
        "Time between the polite and the forced stop of containers that do not say so themselves.",
        "docker/cli:docs/reference/commandline/container_stop.md",
        Kind::Span,
        agent.default_grace
    ),
    // Health checks.
    flag!(
        "health_check.interval",
        "Time between two questions of a health check that does not say so itself.",
        "rancher/rancher.github.io:rancher/v1.6/en/cattle/health-checks/index.md",
        Kind::Period,
        in discovery.balancer, Some(balancer) => balancer.interval
    ),
    flag!(
        "health_check.response_timeout",
        "Time after which a question has failed.",
        "rancher/rancher.github.io:rancher/v1.6/en/cattle/health-checks/index.md",
        Kind::Span,
        in discovery.balancer, Some(balancer) => balancer.timeout
    ),
    flag!(
        "health_check.unhealthy_threshold",
        "Failures in a row that make a container unhealthy.",
        "rancher/rancher.github.io:rancher/v1.6/en/cattle/health-checks/index.md",
        Kind::Positive,
        in discovery.balancer, Some(balancer) => balancer.unhealthy_after
    ),
    flag!(
        "health_check.healthy_threshold",
        "Successes in a row that make it healthy.",
        "rancher/rancher.github.io:rancher/v1.6/en/cattle/health-checks/index.md",
        Kind::Positive,
        in discovery.balancer, Some(balancer) => balancer.healthy_after
    ),
    flag!(
        "health_check.initializing_timeout",
        "A container that was not healthy within this time is unhealthy.",
        "rancher/rancher.github.io:rancher/v1.6/en/cattle/health-checks/index.md",
        Kind::Period,
        |p| checks(p).initializing.unwrap_or(Span::ZERO),
        |p, v| if let Some(checks) = &mut p.discovery.balancer {
            checks.initializing = Some(field(v));
        }
    ),
    flag!(
        "health_check.strategy",
        "What is done with an unhealthy container.",
        "rancher/cattle:code/iaas/model/src/main/java/io/cattle/platform/core/addon/InstanceHealthCheck.java",
        Kind::Word(STRATEGIES),
        |p| Strategy(checks(p).consequence),
        |p, v| if let Some(checks) = &mut p.discovery.balancer {
            checks.consequence = field::<Strategy>(v).0;
        }
    ),
    // Upgrades.
    flag!(
        "batchSize",
        "Containers that an upgrade replaces at once (2 by command line, 1 by the page and the API).",
        "rancher/rancher.github.io:rancher/v1.6/en/cattle/upgrading/index.md; rancher/cattle:…/ServiceUpgradeStrategy.java",
        Kind::Count,
        in rollout, Rollout::Slots(update) => update.parallelism
    ),
    flag!(
        "intervalMillis",
        "Wait between two batches of an upgrade.",
        "rancher/cattle:code/iaas/model/src/main/java/io/cattle/platform/core/addon/ServiceUpgradeStrategy.java",
        Kind::Span,
        in rollout, Rollout::Slots(update) => update.delay
    ),
    flag!(
        "startFirst",
        "Whether new containers start before old ones stop.",
        "rancher/cattle:code/iaas/model/src/main/java/io/cattle/platform/core/addon/InServiceUpgradeStrategy.java",
        Kind::Word(SlotOrder::WORDS),
        in rollout, Rollout::Slots(update) => update.order
    ),
    flag!(
        "upgrade-failure-action",
        "What failed containers of an upgrade lead to (nothing: it waits until they are healthy).",
        "rancher/cattle:…/servicediscovery/upgrade/impl/UpgradeManagerImpl.java, waitForHealthyState",
        Kind::Word(FailureAction::WORDS),
        in rollout, Rollout::Slots(update) => update.on_failure
    ),
    // The server.
    flag!(
        "db-write",
        "Time that a transaction of the database takes.",
        "an assumption",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "process-latency",
        "Time from a change until the process that it starts, or the host's agent, has it.",
        "an assumption",
        Kind::Span,
        control.watch_lag
    ),
    flag!(
        "metadata-lag",
        "Time from a change of a container until the hosts' DNS and load balancers have it.",
        "an assumption",
        Kind::Span,
        discovery.lag
    ),
    flag!("dns-ttl", "How long clients keep a resolved name.", "not published", Kind::Seconds, discovery.dns_ttl),
];

fn sorts(profile: &Profile) -> bool {
    profile.placement.scores.iter().any(|(score, _)| *score == Score::FewestPods)
}

fn checks(profile: &Profile) -> &Balancer {
    profile.discovery.balancer.as_ref().expect("the profile is built with health checks")
}

/// What is done with an unhealthy container, under Rancher's names; the quorum is its default of one.
const STRATEGIES: &[&str] = &["recreate", "recreateOnQuorum", "none"];

/// A consequence under its name.
struct Strategy(Consequence);

impl Field for Strategy {
    fn value(&self, _: Kind) -> super::Value {
        let at = match self.0 {
            Consequence::StopFirstAbove(_) => 1,
            Consequence::Nothing | Consequence::Readiness => 2,
            Consequence::StopFirst | Consequence::StartFirst => 0,
        };
        super::Value::Word(STRATEGIES[at].to_owned())
    }
    fn from_value(value: super::Value) -> Option<Self> {
        let super::Value::Word(word) = value else { return None };
        let known = [Consequence::StopFirst, Consequence::StopFirstAbove(1), Consequence::Readiness];
        STRATEGIES.iter().position(|strategy| *strategy == word).map(|at| Self(known[at]))
    }
}
