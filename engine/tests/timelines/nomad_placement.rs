//! Nomad's evaluations, plans and places through the whole engine, with figures measured on 1.1.2.
//!
//! Scores themselves are compared with recordings in the `fidelity` crate. Start at any test.

use shakedown_engine::fact::{Deletion, FactKind};
use shakedown_engine::ids::NodeId;
use shakedown_engine::message::Operation;

use crate::script::*;

/// Measured: 20 allocations in one plan; the client has them within 0.7 s of the submission.
#[test]
fn all_replicas_of_a_job_are_placed_in_one_plan() {
    for seed in 0..10 {
        let mut setup = Setup::new("nomad").nodes("dc1", 12);
        let web = setup.deployment("web", 20);
        let mut lab = setup.start(seed);
        lab.until(20);
        let bound = lab.times(|k| matches!(k, FactKind::PodBound { .. }));
        assert_eq!((bound.len(), lab.ready(web)), (20, 20));
        assert!(bound[19] - bound[0] < 0.05, "one plan: {bound:?}");
        assert!((0.0..0.8).contains(&bound[0]), "{bound:?}");
    }
}

/// The anti-affinity of a job outweighs the packing of few small tasks: with 13 of 12 nodes nobody is far ahead.
#[test]
fn replicas_of_one_job_keep_apart() {
    let mut setup = Setup::new("nomad").nodes("dc1", 12);
    setup.deployment("web", 12);
    let mut lab = setup.start(5);
    lab.until(20);
    let most = nodes(0, 12).map(|node| lab.on(node).len()).max();
    assert!(most <= Some(3), "four of twelve nodes are looked at, the best one is taken: {most:?}");
}

#[test]
fn what_a_dead_node_had_is_replaced_in_one_plan_soon_after() {
    for seed in 0..8 {
        let mut setup = Setup::new("nomad").nodes("dc1", 4);
        let web = setup.deployment("web", 12);
        let mut lab = setup.start(seed);
        lab.until(60);
        let lost = lab.on(NodeId(1)).len();
        lab.kill([NodeId(1)]);
        lab.until(120);
        let down = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0];
        let placed = lab.times(|k| matches!(k, FactKind::PodBound { .. }));
        let after: Vec<f64> = placed.into_iter().filter(|&at| at > down).collect();
        assert_eq!((after.len(), lab.ready(web)), (lost, 12));
        if let (Some(first), Some(last)) = (after.first(), after.last()) {
            assert!((0.0..0.9).contains(&(first - down)) && last - first < 0.05, "{after:?} after {down}");
        }
    }
}

/// Measured: an evaluation that is blocked is tried again when a client reports that room is free.
#[test]
fn what_finds_no_place_is_blocked_until_there_is_room() {
    let mut setup = Setup::new("nomad").nodes("dc1", 2);
    let web = setup.deployment("web", 4);
    let template = setup.catalog.workloads[web].template;
    let room = setup.catalog.nodes[NodeId(0)].allocatable.cpu.0;
    setup.catalog.templates[template].requests.cpu.0 = room * 2 / 5;
    let mut lab = setup.start(2);
    lab.until(30);
    lab.kill([NodeId(0)]);
    lab.until(90);
    assert_eq!(lab.ready(web), 2, "two fit on the node that is left");
    let unplaced = lab.times(|k| matches!(k, FactKind::PodUnschedulable { .. }));
    assert_eq!(unplaced.len(), 2, "and nothing happens meanwhile");
    lab.boot([NodeId(0)]);
    lab.until(130);
    assert_eq!(lab.ready(web), 4);
}

#[test]
fn a_job_of_higher_priority_pushes_others_aside_where_that_is_switched_on() {
    for (on, want) in [("false", 0), ("true", 1)] {
        let mut setup = Setup::new("nomad").nodes("dc1", 1).set("preemption_config.service_scheduler_enabled", on);
        let (low, high) = (setup.deployment("low", 2), setup.deployment("high", 1));
        let room = setup.catalog.nodes[NodeId(0)].allocatable.cpu.0;
        for (workload, priority) in [(low, 20), (high, 90)] {
            let template = setup.catalog.workloads[workload].template;
            setup.catalog.templates[template].requests.cpu.0 = room * 2 / 5;
            setup.catalog.templates[template].priority = priority;
        }
        setup.catalog.workloads[high].at_start = false;
        let mut lab = setup.start(1);
        lab.until(10);
        lab.command(Operation::Apply { workload: high });
        lab.until(60);
        let gone = lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::Preempted, .. }));
        assert_eq!((gone.len(), lab.ready(high) as usize), (want, want), "preemption {on}");
    }
}
