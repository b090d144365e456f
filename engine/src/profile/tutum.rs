//! Tutum, later Docker Cloud: a service that tells the Docker daemons of one's own nodes what to run.
//!
//! Actions are carried out once, when people ask for them. Nobody keeps a number, and an unreachable node is shown as
//! such and nothing else. Start at [`profile`].

use super::consensus::{Consensus, Rejoin};
use super::{
    AgentPolicy, Balancer, Choice, ControlPlane, Detection, Discovery, Eviction, FailureAction, Filter, Grace,
    LocalRestart, Placement, Ports, Probing, Profile, Removal, Replaced, Replication, Restart, RestartWhen, Rollout,
    Score, SlotOrder, SlotStyle, SlotUpdate, Words, flags,
};
use crate::model::PlacementStrategy;
use crate::time::Span;

/// Tutum as its web page behaves when nothing is changed.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "container", workload: "service", unhealthy: "Unreachable" };
    let plain = super::plain::profile("tutum", "0.19", words);
    Profile {
        flags: flags::TUTUM,
        control: ControlPlane {
            // From the service in the cloud to a node's Docker daemon. An assumption.
            watch_lag: Span::from_millis(200),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        placement: Placement {
            // Source: tutumcloud/support-docs:feature-reference/deployment-strategies.md. How ties end is not known: at
            // random here.
            choice: Choice::Strategy(PlacementStrategy::Emptiest),
            // Source: tutumcloud/support-docs:feature-reference/ports.md.
            published_ports: Ports::Host,
            // Tags are labels. No resources are counted.
            filters: vec![
                Filter::NodeUnschedulable,
                Filter::NodeName,
                Filter::TaintToleration,
                Filter::NodeAffinity,
                Filter::NodePorts,
            ],
            scores: vec![(Score::FewestPods, 1), (Score::FewestOfWorkload, 1)],
            ..plain.placement
        },
        detection: Detection {
            // How often a node's daemon is contacted is not published; nothing follows from it but a word on a page.
            heartbeat: Span::from_secs(30),
            grace: Grace::Pings { failures: 2, timeout: Span::from_secs(10) },
            startup_grace: Span::from_secs(90),
            ..plain.detection
        },
        // Source: tutumcloud/support-docs:faq/tutum-on-aws-faq.md: the node "will stay Unreachable until you manually
        // remove it"; the founding article saw the same of a saturated node.
        eviction: Eviction::Never,
        replication: Replication { replaced: Replaced::None, removal: Removal::Newest, ..plain.replication },
        restart: Restart::Local(docker()),
        // Source: tutumcloud/support-docs:changelog/tutum_0.12.0.md: one container after the other. A failure stops nothing.
        rollout: Rollout::Slots(SlotUpdate {
            parallelism: 1,
            delay: Span::ZERO,
            order: SlotOrder::StopFirst,
            monitor: Span::ZERO,
            on_failure: FailureAction::Continue,
            max_failure: 0,
            style: SlotStyle::InOrder,
        }),
        agent: AgentPolicy { probes: Probing::Unknown, ..plain.agent },
        discovery: Discovery {
            // A container's address is in the overlay's DNS; how long an answer is kept is not published.
            lag: Span::from_secs(1),
            // Source: docker-archive/dockercloud-haproxy:README.md: `check` with HAProxy's own values.
            balancer: Some(Balancer::haproxy()),
            ..plain.discovery
        },
        ..plain
    }
}

/// How Docker restarts containers.
/// Source: moby/moby:restartmanager/restartmanager.go: 100 ms, doubling up to a minute, anew after 10 s of running.
pub(super) const fn docker() -> LocalRestart {
    LocalRestart {
        initial: Span::from_millis(100),
        max: Span::from_secs(60),
        reset: Span::from_secs(10),
        burst: 0,
        window: Span::from_secs(0),
        when: RestartWhen::Declared,
    }
}

/// A service in the cloud: who leads it is not to be seen. It contacts the nodes, not they it.
const CONSENSUS: Consensus = Consensus::single(Span::from_secs(1), Rejoin::NONE);
