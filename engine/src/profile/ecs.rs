//! AWS ECS on EC2 instances (launch type EC2), services behind Application Load Balancers.
//!
//! The control plane is a managed service: what nobody outside has seen is marked as an assumption. Start at [`profile`].

use super::consensus::{Consensus, Rejoin};
use super::{
    AgentPolicy, Balancer, Breaker, Choice, Consequence, ControlPlane, Covers, Detection, Discovery, Drain, Eviction,
    Filter, Grace, Newcomer, Placement, Ports, Profile, Queue, Ranking, Removal, Replication, Restart, Retry, Rollout,
    Wake, Words, flags,
};
use crate::time::Span;

/// Releases that can be asked for: today's service, and what there was when containers on EC2 were new.
pub(super) const RELEASES: &[(&str, &str)] = &[("2024", "ecs@2024"), ("2015", "ecs@2015")];

/// A release by its number.
pub(super) fn release(number: &str) -> Option<Profile> {
    let &(version, name) = RELEASES.iter().find(|(version, _)| *version == number)?;
    let mut profile = profile();
    if version == "2015" {
        founding_days(&mut profile);
    }
    (profile.name, profile.version) = (name.into(), version.into());
    Some(profile)
}

/// ECS as it is without service options.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "task", workload: "service", unhealthy: "agent disconnected" };
    let plain = super::plain::profile("ecs", "2024", words);
    Profile {
        flags: flags::ECS,
        control: ControlPlane {
            // An assumption: the service scheduler acts on a change within seconds.
            watch_lag: Span::from_millis(500),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        // A task that finds no instance is tried again when the service scheduler comes by: it says so in a service event
        // and tries on. An assumption: every 15 s at first, every minute later.
        queue: Queue {
            initial_backoff: Span::from_secs(15),
            max_backoff: Span::from_secs(60),
            pop_from_backoff: false,
            wake: Wake::Any,
            ..plain.queue
        },
        placement: Placement {
            // Source: awsdocs/amazon-ecs-developer-guide:doc_source/ecs_services.md, service scheduler concepts: zones
            // with the fewest tasks of the service, in them instances with the fewest.
            choice: Choice::Strategies { default: vec![Ranking::SpreadZones, Ranking::SpreadNodes], wished: true },
            // `distinctInstance` is the last of the constraints. Source: the same guide, task-placement-constraints.md.
            filters: plain.placement.filters.iter().copied().chain([Filter::MaxPerNode]).collect(),
            ..plain.placement
        },
        detection: Detection {
            // Source: aws/amazon-ecs-agent:agent/acs/handler (heartbeat of the connection, 60 s and up to as much
            // jitter); an assumption: the other end closes an idle connection after the agent's own read time-out.
            heartbeat: Span::from_secs(60),
            grace: Grace::Fixed(Span::from_secs(180)),
            startup_grace: Span::from_secs(300),
            ..plain.detection
        },
        // An agent that is disconnected only gets no new tasks.
        // Sources: aws/containers-roadmap#2040, aws/amazon-ecs-agent#1115.
        eviction: Eviction::Never,
        replication: Replication {
            // Source: awsdocs/amazon-ecs-developer-guide:doc_source/service-throttle-logic.md: up to 15 minutes, and
            // only while tasks fail before they run. The first wait is an assumption.
            retry: Retry::Launches { initial: Span::from_secs(10), max: Span::from_secs(900) },
            // Source: the same guide, container-instance-draining.md, with the default 100 and 200 percent.
            drain: Drain::SubstituteFirst { deadline: None },
            removal: Removal::Zones,
            ..plain.replication
        },
        // The agent starts nothing by itself. Source: aws/amazon-ecs-agent#2916.
        restart: Restart::REPLACE,
        // Source: the same guide, service_definition_parameters.md and deployment-circuit-breaker.md.
        rollout: Rollout::Percent {
            min: 100,
            max: 200,
            breaker: Breaker { enabled: false, share: 500, least: 3, most: 200, rollback: false },
        },
        agent: AgentPolicy {
            // A failed pull stops the task, and its replacement is throttled; here the task stays and its agent waits.
            pull_backoff: Span::from_secs(10),
            pull_backoff_max: Span::from_secs(900),
            // Source: aws/amazon-ecs-agent:README.md, `ECS_CONTAINER_STOP_TIMEOUT`.
            default_grace: Span::from_secs(30),
            volatile: true,
            ..plain.agent
        },
        discovery: Discovery {
            // An assumption: a target is registered about a second after its task runs.
            lag: Span::from_secs(1),
            // Source: the same guide, service-discovery.md; the console proposes 60 s.
            dns_ttl: Span::from_secs(60),
            unready_on_unhealthy_node: false,
            balancer: Some(application_load_balancer()),
            ..plain.discovery
        },
        ..plain
    }
}

/// A target group's health checks.
///
/// Source: the Elastic Load Balancing user guide for Application Load Balancers, "Health checks for your target groups"
/// (defaults; a group without healthy targets is routed to as a whole; the first good check takes a target in).
fn application_load_balancer() -> Balancer {
    Balancer {
        covers: Covers::Exposed,
        interval: Span::from_secs(30),
        timeout: Span::from_secs(5),
        unhealthy_after: 2,
        healthy_after: 5,
        newcomer: Newcomer::OnProbation,
        drain: Span::from_secs(300),
        fail_open: true,
        // A replacement comes first since October 2023. Source: the ECS guide, service load balancing.
        consequence: Consequence::StartFirst,
        startup_grace: Span::ZERO,
        initializing: None,
    }
}

/// 2015: one task per instance for each port, no strategies, no draining, Classic Load Balancers, no circuit breaker.
fn founding_days(profile: &mut Profile) {
    // Dynamic host ports came with Application Load Balancers in August 2016.
    profile.placement.published_ports = Ports::Host;
    // Strategies and constraints came in December 2016.
    profile.placement.choice =
        Choice::Strategies { default: vec![Ranking::SpreadZones, Ranking::SpreadNodes], wished: false };
    // Draining came in January 2017.
    profile.replication.drain = Drain::DeleteFirst;
    // Classic Load Balancers: a new target is out of service until it has passed ten checks.
    profile.discovery.balancer = Some(Balancer {
        healthy_after: 10,
        newcomer: Newcomer::Unproven,
        fail_open: false,
        consequence: Consequence::StopFirst,
        ..application_load_balancer()
    });
}

/// A service in the cloud: who leads it is not to be seen. That agents connect again within a minute is an assumption.
const CONSENSUS: Consensus =
    Consensus::single(Span::from_secs(1), Rejoin { least: Span::ZERO, most: Span::from_secs(60), closed: true });
