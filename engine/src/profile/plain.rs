//! An orchestrator without habits of its own: what a profile starts from that is no relative of another one.
//!
//! Each value here is the plainest there is: nothing is limited, delayed, sampled or batched. A profile overwrites what
//! its original does; what it leaves alone, its original does not have.

use super::{
    AgentPolicy, Balanced, Choice, Constraints, ControlPlane, Detection, Discovery, Dispatch, Eviction, FailureAction,
    Filter, Grace, OnEachNode, Placement, PlacementArgs, Ports, Probing, Profile, Queue, RateLimit, Removal, Replaced,
    Replication, Restart, Rollout, Sampling, Score, SlotOrder, SlotStyle, SlotUpdate, Wake, Words,
};
use crate::fact::Client;
use crate::time::Span;

/// The plain profile, under a name, a version and words.
pub(super) fn profile(name: &'static str, version: &'static str, words: Words) -> Profile {
    Profile {
        name: name.into(),
        version: version.into(),
        words,
        takes_scheduler_config: false,
        flags: &[],
        control: ControlPlane {
            store_write: Span::from_millis(10),
            store_writes_per_second: 2_000,
            event_burst: 0,
            watch_lag: Span::from_millis(10),
            limits: [RateLimit::UNLIMITED; Client::COUNT],
            machine: super::machine::Machine::plain(),
        },
        queue: Queue {
            initial_backoff: Span::ZERO,
            max_backoff: Span::ZERO,
            flush_period: Span::from_secs(1),
            unschedulable_flush: Span::from_secs(30),
            unschedulable_timeout: Span::from_secs(300),
            pop_from_backoff: true,
            wake: Wake::Any,
        },
        dispatch: Dispatch::Queue,
        placement: Placement {
            choice: Choice::Scores,
            published_ports: Ports::Shared,
            // What an original has no word for (a named node, taints) is honoured where a manifest brings it along.
            filters: vec![
                Filter::NodeUnschedulable,
                Filter::NodeName,
                Filter::TaintToleration,
                Filter::NodeResourcesFit,
                Filter::NodeAffinity,
                Filter::NodePorts,
            ],
            scores: vec![(Score::FewestPods, 1)],
            sampling: Sampling { percent: 100, min_percent: 100, min_nodes: 0 },
            max_score: 100,
            balanced: Balanced::After,
            default_spread: Vec::new(),
            decision_cost: Span::from_micros(50),
            decision_cost_per_node: Span::from_nanos(200),
            args: PlacementArgs::default(),
        },
        constraints: Constraints::AtPlacement,
        schedulers: Vec::new(),
        detection: Detection {
            heartbeat: Span::from_secs(10),
            heartbeat_jitter: Span::ZERO,
            grace: Grace::Fixed(Span::from_secs(30)),
            startup_grace: Span::from_secs(60),
            monitor_period: Span::ZERO,
            taint_new_nodes: false,
            polls: None,
            disconnected_after: None,
            ready_after: Span::ZERO,
        },
        eviction: Eviction::AtOnce,
        replication: Replication {
            burst: 0,
            slow_start: false,
            once: false,
            watchdog: None,
            replacement_delay: Span::ZERO,
            replaced: Replaced::All,
            retry: super::Retry::Constant,
            drain: super::Drain::DeleteFirst,
            removal: Removal::Crowded,
            stateful_max_unavailable: false,
        },
        restart: Restart::REPLACE,
        rollout: Rollout::Slots(UPDATE),
        daemons: OnEachNode::Tolerant,
        deployer: None,
        orphan_after: None,
        rollback: None,
        agent: AgentPolicy {
            relist: Span::ZERO,
            status_period: Span::from_secs(10),
            status_batch: Span::ZERO,
            pull_backoff: Span::from_secs(5),
            pull_backoff_max: Span::from_secs(300),
            serialize_pulls: false,
            default_grace: Span::from_secs(10),
            probes: Probing::Obeyed,
            least_grace: Span::ZERO,
            volatile: false,
            pressure: None,
        },
        autoscaling: None,
        machines: None,
        storage: super::storage::StoragePolicy::kubernetes(),
        discovery: Discovery {
            publish_delay: Span::ZERO,
            lag: Span::from_millis(100),
            proxy_sync: Span::ZERO,
            dns_ttl: Span::ZERO,
            name_poll: Span::ZERO,
            absence: super::Absence::Told,
            unready_on_unhealthy_node: true,
            ingress_sync: Span::ZERO,
            balancer: None,
            slices: None,
        },
    }
}

/// One replica after the other, whatever becomes of it.
const UPDATE: SlotUpdate = SlotUpdate {
    parallelism: 1,
    delay: Span::ZERO,
    order: SlotOrder::StopFirst,
    monitor: Span::ZERO,
    on_failure: FailureAction::Continue,
    max_failure: 0,
    style: SlotStyle::Workers,
};
