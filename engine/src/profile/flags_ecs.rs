//! Flags of AWS ECS: fields of service definitions and target groups, and what has no name there under a name that says
//! what it is.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, Value, field};
use crate::profile::{Choice, Consequence, Covers, Grace, Ports, Profile, Ranking, Retry, Rollout};

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    // The service scheduler.
    flag!(
        "service-scheduler-delay",
        "Time from a change until the service scheduler acts on it.",
        "an assumption: the service is closed",
        Kind::Span,
        control.watch_lag
    ),
    flag!(
        "placement-retry",
        "First wait before a task that found no instance is tried again; doubles.",
        "an assumption",
        Kind::Period,
        queue.initial_backoff
    ),
    flag!(
        "placement-retry-max",
        "Longest wait before a task that found no instance is tried again.",
        "an assumption",
        Kind::Period,
        queue.max_backoff
    ),
    flag!(
        "placementStrategy",
        "Which instances a service without strategies of its own prefers.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/task-placement-strategies.md",
        Kind::Word(ServiceStrategy::WORDS),
        |p| ServiceStrategy::of(p),
        |p, v| field::<ServiceStrategy>(v).apply(p)
    ),
    flag!(
        "static-host-ports",
        "A published port takes that port of its instance, so that two tasks with it do not fit on one.",
        "dynamic host ports came with Application Load Balancers in August 2016",
        Kind::Switch,
        |p| p.placement.published_ports == Ports::Host,
        |p, v| p.placement.published_ports = if field(v) { Ports::Host } else { Ports::Shared }
    ),
    flag!(
        "launch-throttle",
        "First wait after a task that failed before it ran; doubles, and ends with the first task that runs.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/service-throttle-logic.md; the first wait is an assumption",
        Kind::Period,
        in replication.retry, Retry::Launches { initial, .. } => *initial
    ),
    flag!(
        "launch-throttle-max",
        "Longest wait between launches of tasks that fail before they run.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/service-throttle-logic.md",
        Kind::Period,
        in replication.retry, Retry::Launches { max, .. } => *max
    ),
    // Container instances.
    flag!(
        "agent-heartbeat",
        "Time between two signs of life on an agent's connection.",
        "aws/amazon-ecs-agent:agent/acs/handler",
        Kind::Period,
        detection.heartbeat
    ),
    flag!(
        "agent-disconnect-timeout",
        "Silence after which an agent counts as disconnected; its instance gets no new tasks, and nothing else happens.",
        "an assumption from the agent's read time-out, aws/amazon-ecs-agent:agent/acs/handler",
        Kind::Period,
        in detection.grace, Grace::Fixed(span) => *span
    ),
    // Deployments.
    flag!(
        "minimumHealthyPercent",
        "Share of the wanted tasks that stays healthy during a deployment, rounded up.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/service_definition_parameters.md",
        Kind::Percent,
        in rollout, Rollout::Percent { min, .. } => *min
    ),
    flag!(
        "maximumPercent",
        "Share of the wanted tasks that there may be during a deployment, rounded down.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/service_definition_parameters.md",
        Kind::Positive,
        in rollout, Rollout::Percent { max, .. } => *max
    ),
    flag!(
        "deploymentCircuitBreaker.enable",
        "Too many failed tasks end a deployment.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/deployment-circuit-breaker.md",
        Kind::Switch,
        in rollout, Rollout::Percent { breaker, .. } => breaker.enabled
    ),
    flag!(
        "deploymentCircuitBreaker.rollback",
        "A deployment that ends so goes back to the one before.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/deployment-circuit-breaker.md",
        Kind::Switch,
        in rollout, Rollout::Percent { breaker, .. } => breaker.rollback
    ),
    flag!(
        "circuit-breaker-threshold",
        "Failed tasks in parts of the wanted ones that end a deployment, rounded up.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/deployment-circuit-breaker.md",
        Kind::Share,
        in rollout, Rollout::Percent { breaker, .. } => breaker.share
    ),
    flag!(
        "circuit-breaker-min",
        "Never fewer failed tasks than this end a deployment (3; 10 until 2022).",
        "awsdocs/amazon-ecs-developer-guide:doc_source/deployment-circuit-breaker.md",
        Kind::Positive,
        in rollout, Rollout::Percent { breaker, .. } => breaker.least
    ),
    flag!(
        "circuit-breaker-max",
        "So many failed tasks end a deployment of any size.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/deployment-circuit-breaker.md",
        Kind::Positive,
        in rollout, Rollout::Percent { breaker, .. } => breaker.most
    ),
    // The load balancer.
    flag!(
        "load-balancer",
        "Whose tasks a load balancer asks: `nobody`, services that declare one, those with a service of type LoadBalancer too, or all that have a service.",
        "a service without a load balancer has no target group",
        Kind::Word(Covers::WORDS),
        in discovery.balancer, Some(balancer) => balancer.covers
    ),
    flag!(
        "HealthCheckIntervalSeconds",
        "Time between two health checks of a target.",
        "Elastic Load Balancing user guide, health checks for target groups",
        Kind::PeriodSeconds,
        in discovery.balancer, Some(balancer) => balancer.interval
    ),
    flag!(
        "HealthCheckTimeoutSeconds",
        "A health check without an answer for so long has failed.",
        "Elastic Load Balancing user guide, health checks for target groups",
        Kind::PeriodSeconds,
        in discovery.balancer, Some(balancer) => balancer.timeout
    ),
    flag!(
        "UnhealthyThresholdCount",
        "Failed checks in a row that make a target unhealthy.",
        "Elastic Load Balancing user guide, health checks for target groups",
        Kind::Positive,
        in discovery.balancer, Some(balancer) => balancer.unhealthy_after
    ),
    flag!(
        "HealthyThresholdCount",
        "Good checks in a row that make an unhealthy target healthy.",
        "Elastic Load Balancing user guide, health checks for target groups",
        Kind::Positive,
        in discovery.balancer, Some(balancer) => balancer.healthy_after
    ),
    flag!(
        "deregistration_delay.timeout_seconds",
        "A task that is stopped on purpose leaves the target group this long before it is stopped.",
        "Elastic Load Balancing user guide, deregistration delay",
        Kind::Seconds,
        in discovery.balancer, Some(balancer) => balancer.drain
    ),
    flag!(
        "healthCheckGracePeriodSeconds",
        "Failed checks of a task that runs for less than this have no consequence.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/service_definition_parameters.md",
        Kind::Seconds,
        in discovery.balancer, Some(balancer) => balancer.startup_grace
    ),
    flag!(
        "unhealthy-target",
        "What the service scheduler does about a task whose target is unhealthy.",
        "a replacement comes first since October 2023; before, the task was stopped first",
        Kind::Word(Unhealthy::WORDS),
        |p| Unhealthy::of(p),
        |p, v| field::<Unhealthy>(v).apply(p)
    ),
    flag!(
        "target-registration-lag",
        "Time until the load balancer sends traffic by a changed target group.",
        "an assumption",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "dns-ttl",
        "How long clients of service discovery keep a resolved name.",
        "awsdocs/amazon-ecs-developer-guide:doc_source/service-discovery.md",
        Kind::Seconds,
        discovery.dns_ttl
    ),
    // The agent.
    flag!(
        "ECS_CONTAINER_STOP_TIMEOUT",
        "Time between the polite and the forced stop of containers that do not say so themselves.",
        "aws/amazon-ecs-agent:README.md",
        Kind::Seconds,
        agent.default_grace
    ),
];

/// What becomes of a task whose target is unhealthy.
#[derive(Clone, Copy)]
enum Unhealthy {
    Nothing,
    Readiness,
    StopFirst,
    StartFirst,
}

words!(Unhealthy {
    Nothing = "nothing",
    Readiness = "readiness",
    StopFirst = "stop-first",
    StartFirst = "start-first",
});

impl Unhealthy {
    fn of(profile: &Profile) -> Self {
        match profile.discovery.balancer.as_ref().map(|balancer| balancer.consequence) {
            None | Some(Consequence::Nothing) => Self::Nothing,
            Some(Consequence::Readiness) => Self::Readiness,
            Some(Consequence::StartFirst) => Self::StartFirst,
            Some(_) => Self::StopFirst,
        }
    }

    fn apply(self, profile: &mut Profile) {
        let Some(balancer) = &mut profile.discovery.balancer else { unreachable!("{VARIANT}") };
        balancer.consequence = match self {
            Self::Nothing => Consequence::Nothing,
            Self::Readiness => Consequence::Readiness,
            Self::StopFirst => Consequence::StopFirst,
            Self::StartFirst => Consequence::StartFirst,
        };
    }
}

/// What `placementStrategy` of a service can say in one word.
#[derive(Clone, Copy)]
enum ServiceStrategy {
    SpreadZone,
    SpreadInstance,
    BinpackCpu,
    BinpackMemory,
    Random,
}

words!(ServiceStrategy {
    SpreadZone = "spread:zone",
    SpreadInstance = "spread:instance",
    BinpackCpu = "binpack:cpu",
    BinpackMemory = "binpack:memory",
    Random = "random",
});

impl ServiceStrategy {
    fn of(profile: &Profile) -> Self {
        let Choice::Strategies { default, .. } = &profile.placement.choice else { unreachable!("{VARIANT}") };
        match default.first() {
            Some(Ranking::BinpackCpu) => Self::BinpackCpu,
            Some(Ranking::BinpackMemory) => Self::BinpackMemory,
            Some(Ranking::Random) | None => Self::Random,
            Some(Ranking::SpreadNodes | Ranking::Emptiest) => Self::SpreadInstance,
            Some(Ranking::SpreadZones) => Self::SpreadZone,
        }
    }

    fn apply(self, profile: &mut Profile) {
        let Choice::Strategies { default, .. } = &mut profile.placement.choice else { unreachable!("{VARIANT}") };
        *default = match self {
            Self::SpreadZone => vec![Ranking::SpreadZones, Ranking::SpreadNodes],
            Self::SpreadInstance => vec![Ranking::SpreadNodes],
            Self::BinpackCpu => vec![Ranking::BinpackCpu],
            Self::BinpackMemory => vec![Ranking::BinpackMemory],
            Self::Random => vec![Ranking::Random],
        };
    }
}
