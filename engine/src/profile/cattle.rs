//! Rancher 1.6 with its own orchestrator, Cattle, and its default settings.
//!
//! Hosts are pinged, and a host that does not answer keeps its containers until it is deleted; only a health check makes
//! Rancher replace what it cannot reach. Start at [`profile`].

use super::consensus::{Consensus, Rejoin};
use super::{
    AgentPolicy, Balancer, Choice, Consequence, ControlPlane, Covers, Detection, Discovery, Eviction, FailureAction,
    Filter, Grace, Newcomer, Placement, Ports, Probing, Profile, Removal, Replication, Restart, Rollout, Score,
    SlotOrder, SlotStyle, SlotUpdate, Words, flags,
};
use crate::time::Span;

/// Weight of what people wish before what the scheduler prefers.
const WISHES: i64 = 1 << 20;

/// Cattle as a fresh Rancher server behaves.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "container", workload: "service", unhealthy: "reconnecting" };
    let plain = super::plain::profile("cattle", "1.6", words);
    Profile {
        flags: flags::CATTLE,
        control: ControlPlane {
            // A transaction of MySQL, and a process of the engine that is woken by its event. Assumptions.
            store_write: Span::from_millis(20),
            watch_lag: Span::from_millis(200),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        placement: Placement {
            choice: Choice::Scores,
            // Source: rancher/rancher.github.io:rancher/v1.6/en/cattle/scheduling/index.md: ports in use are never given.
            published_ports: Ports::Host,
            filters: vec![
                Filter::NodeUnschedulable,
                Filter::NodeName,
                Filter::TaintToleration,
                Filter::NodeResourcesFit,
                Filter::NodeAffinity,
                Filter::NodePorts,
                Filter::InterPodAffinity,
            ],
            // Soft rules first; then the host with the fewest containers, as the scheduler service of 1.4 and later
            // sorts them; then at random.
            // Source: rancher/cattle:code/iaas/allocator/src/main/java/io/cattle/platform/allocator/service/impl/
            // AllocatorServiceImpl.java, `INSTANCE_RESERVATION`; rancher/scheduler:scheduler/sort.go.
            scores: vec![(Score::NodeAffinity, WISHES), (Score::InterPodAffinity, WISHES), (Score::FewestPods, 1)],
            ..plain.placement
        },
        // Source: rancher/cattle:code/packaging/app-config/src/main/resources/META-INF/cattle/agent-server/
        // defaults.properties; process/defaults.properties, `agent.disconnect.after.seconds`.
        detection: Detection {
            heartbeat: Span::from_secs(5),
            grace: Grace::Pings { failures: 6, timeout: Span::from_secs(15) },
            startup_grace: Span::from_secs(60),
            disconnected_after: Some(Span::from_secs(180)),
            ..plain.detection
        },
        // Source: rancher/rancher.github.io:rancher/v1.6/en/hosts/index.md: a health check is needed for containers to be
        // launched elsewhere.
        eviction: Eviction::Never,
        // Source: rancher/cattle:code/iaas/service-discovery/server/src/main/java/io/cattle/platform/servicediscovery/
        // deployment/impl/planner/DefaultServiceDeploymentPlanner.java, `removeExtraUnits`: the newest goes first.
        replication: Replication { removal: Removal::Newest, ..plain.replication },
        restart: Restart::Local(super::tutum::docker()),
        // Source: rancher/rancher.github.io:rancher/v1.6/en/cattle/upgrading/index.md: 2 at a time, 2 s between batches;
        // rancher/cattle:…/servicediscovery/upgrade/impl/UpgradeManagerImpl.java: each batch waits until all are healthy.
        rollout: Rollout::Slots(SlotUpdate {
            parallelism: 2,
            delay: Span::from_secs(2),
            order: SlotOrder::StopFirst,
            monitor: Span::ZERO,
            on_failure: FailureAction::Continue,
            max_failure: 0,
            style: SlotStyle::Batches,
        }),
        agent: AgentPolicy { probes: Probing::Reported, ..plain.agent },
        discovery: Discovery { lag: Span::from_secs(1), balancer: Some(health_check()), ..plain.discovery },
        ..plain
    }
}

/// Health checks: HAProxy on other hosts asks, and Rancher recreates what all of them find unhealthy.
/// Source: rancher/rancher.github.io:rancher/v1.6/en/cattle/health-checks/index.md.
fn health_check() -> Balancer {
    Balancer {
        covers: Covers::Probed,
        interval: Span::from_millis(2_000),
        timeout: Span::from_millis(2_000),
        unhealthy_after: 3,
        healthy_after: 2,
        // It is initializing; nothing that is found of it then counts.
        newcomer: Newcomer::OnProbation,
        consequence: Consequence::StopFirst,
        // Source: the same, `initializing_timeout`.
        initializing: Some(Span::from_secs(60)),
        ..Balancer::haproxy()
    }
}

/// One server with a database. That its start takes up to a minute, and agents are all back after 90 s, are assumptions.
const CONSENSUS: Consensus =
    Consensus::single(Span::from_secs(60), Rejoin { least: Span::ZERO, most: Span::from_secs(90), closed: true });
