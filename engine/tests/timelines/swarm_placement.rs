//! Placement of Swarm mode, with the cases measured on Docker 20.10.

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::fact::{Deletion, FactKind, Note};
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::labels::Labels;
use shakedown_engine::message::Operation;
use shakedown_engine::model::{Bytes, Distinct, MilliCpu, Resources, SpreadWish};

/// A service whose template is changed by `change` before anything starts.
fn service(replicas: u32, change: impl FnOnce(&mut Setup, WorkloadId)) -> (Setup, WorkloadId) {
    let mut setup = Setup::new("swarm").nodes("n", 5);
    let web = setup.deployment("web", replicas);
    change(&mut setup, web);
    (setup, web)
}

fn counts(lab: &Lab, n: u32) -> Vec<usize> {
    nodes(0, n).map(|node| lab.on(node).len()).collect()
}

fn label(setup: &mut Setup, key: &str, values: &[Option<&str>]) {
    let key = setup.catalog.names.intern(key);
    for (node, value) in nodes(0, 5).zip(values) {
        let Some(value) = value else { continue };
        let value = setup.catalog.names.intern(value);
        let all = setup.catalog.nodes[node].labels.iter().chain([(key, value)]);
        setup.catalog.nodes[node].labels = Labels::new(all.collect::<Vec<_>>());
    }
}

fn spread_over(setup: &mut Setup, web: WorkloadId, key: &str) {
    let attribute = setup.catalog.names.intern(key);
    let template = setup.catalog.workloads[web].template;
    let wish = SpreadWish { attribute, weight: 50, targets: Vec::new() };
    setup.catalog.templates[template].wishes.spreads.push(wish);
}

/// Measured (h): zones a{h1,h2} b{h3} c{h4,h5}: 12 tasks are 4/4/4, that is 2,2,4,2,2.
#[test]
fn tasks_are_spread_over_zones_first() {
    for seed in 0..20 {
        let zones = [Some("a"), Some("a"), Some("b"), Some("c"), Some("c")];
        let (setup, _) = service(12, |setup, web| {
            label(setup, "zone", &zones);
            spread_over(setup, web, "zone");
        });
        let mut lab = setup.start(seed);
        lab.until(20);
        assert_eq!(counts(&lab, 5), [2, 2, 4, 2, 2], "seed {seed}");
    }
}

/// Source: moby/swarmkit:manager/scheduler/nodeset.go: nodes without the label are a branch of their own.
#[test]
fn nodes_without_the_label_are_a_branch_of_their_own() {
    let (setup, _) = service(12, |setup, web| {
        label(setup, "zone", &[Some("a"), Some("a"), Some("b"), None, None]);
        spread_over(setup, web, "zone");
    });
    let mut lab = setup.start(1);
    lab.until(20);
    assert_eq!(counts(&lab, 5), [2, 2, 4, 2, 2]);
}

/// Of two preferences the second divides what the first gave.
#[test]
fn preferences_are_levels_of_a_tree() {
    let (setup, _) = service(8, |setup, web| {
        label(setup, "hall", &[Some("x"), Some("x"), Some("x"), Some("y"), Some("y")]);
        label(setup, "rack", &[Some("1"), Some("1"), Some("2"), Some("1"), Some("2")]);
        spread_over(setup, web, "hall");
        spread_over(setup, web, "rack");
    });
    let mut lab = setup.start(1);
    lab.until(20);
    assert_eq!(counts(&lab, 5), [1, 1, 2, 2, 2]);
}

/// Measured (h): with at most one on each of five nodes, five of seven run and two wait.
#[test]
fn no_more_than_max_replicas_run_on_a_node() {
    for (at_most, replicas, placed) in [(1, 7, 5), (2, 12, 10)] {
        let (setup, web) = service(replicas, |setup, web| {
            let attribute = setup.catalog.known.hostname;
            let template = setup.catalog.workloads[web].template;
            setup.catalog.templates[template].wishes.distinct.push(Distinct { attribute, at_most });
        });
        let mut lab = setup.start(1);
        lab.until(20);
        assert_eq!(counts(&lab, 5), [at_most as usize; 5]);
        let why = refusals(&lab);
        assert_eq!(why.len(), (replicas - placed) as usize);
        assert!(why.iter().all(|text| text == "no suitable node (max replicas per node limit exceed)"), "{why:?}");
        lab.command(Operation::Scale { workload: web, replicas: placed });
        lab.until(30);
        assert_eq!((lab.ready(web), lab.view().workload(web).active), (placed, placed), "pending ones go first");
    }
}

fn refusals(lab: &Lab) -> Vec<String> {
    let told = lab.all(|k| matches!(k, FactKind::Noted { note: Note::NoSuitableNode(_), .. }));
    let text = |kind| match kind {
        FactKind::Noted { note: Note::NoSuitableNode(why), .. } => why.to_string(),
        _ => String::new(),
    };
    told.into_iter().map(|fact| text(fact.kind)).collect()
}

/// Measured (h): half a CPU of two each: four fit on a node, 20 of 23 run, three wait.
#[test]
fn reservations_limit_a_node_and_nothing_else_does() {
    let (mut setup, web) = service(23, |setup, web| {
        let template = setup.catalog.workloads[web].template;
        setup.catalog.templates[template].requests = Resources::new(MilliCpu(500), Bytes(0));
        setup.catalog.templates[template].containers[0].requests = Resources::new(MilliCpu(500), Bytes(0));
    });
    for node in nodes(0, 5) {
        setup.catalog.nodes[node].allocatable = Resources::new(MilliCpu(2_000), Bytes(16 << 30));
    }
    let mut lab = setup.start(1);
    lab.until(20);
    assert_eq!(counts(&lab, 5), [4; 5]);
    let why = refusals(&lab);
    assert_eq!(why, vec!["no suitable node (insufficient resources on 5 nodes)"; 3]);
    lab.command(Operation::Scale { workload: web, replicas: 22 });
    lab.until(30);
    assert_eq!(lab.ready(web), 20, "a pending one was removed");
}

/// Measured (e): a second service spreads by its own counts: 7 on five nodes are 1 or 2 each.
#[test]
fn a_second_service_is_spread_by_its_own_counts() {
    let mut setup = Setup::new("swarm").nodes("n", 5);
    setup.deployment("web", 12);
    let mut lab = {
        setup.deployment("api", 7);
        setup.start(3)
    };
    lab.until(20);
    let on = counts(&lab, 5);
    assert!(on.iter().all(|n| (3..=4).contains(n)), "19 tasks on five nodes: {on:?}");
}

/// Measured (e): an empty node gets all five new tasks, and again all five.
#[test]
fn a_node_that_was_empty_gets_all_new_tasks_until_it_has_as_many() {
    let (setup, web) =
        service(40, |setup, _| setup.catalog.nodes[shakedown_engine::ids::NodeId(4)].unschedulable = true);
    let mut lab = setup.start(1);
    lab.until(20);
    assert_eq!(counts(&lab, 5), [10, 10, 10, 10, 0]);
    lab.command(Operation::Uncordon { nodes: nodes(4, 1).collect() });
    for (replicas, last) in [(45, 5), (50, 10)] {
        lab.command(Operation::Scale { workload: web, replicas });
        lab.until(20 + u64::from(replicas));
        assert_eq!(counts(&lab, 5), [10, 10, 10, 10, last]);
    }
    lab.command(Operation::Scale { workload: web, replicas: 5 });
    lab.until(100);
    assert_eq!(counts(&lab, 5), [1; 5], "removal keeps the spread");
}

/// Measured (e): with everything updated at once, start-first, new tasks are placed while the old ones still count:
/// they go to the empty node first, which keeps what it got: 3,3,3,3,8.
#[test]
fn a_start_first_update_of_all_at_once_crowds_the_empty_node() {
    for seed in 0..20 {
        let (mut setup, web) = service(20, |setup, _| {
            setup.catalog.nodes[shakedown_engine::ids::NodeId(4)].unschedulable = true;
        });
        let v2 = setup.template("web", "app:v2");
        let setup = setup.set("update-parallelism", "0").set("update-order", "start-first");
        let mut lab = setup.start(seed);
        lab.until(20);
        assert_eq!(counts(&lab, 5), [5, 5, 5, 5, 0]);
        lab.command(Operation::Uncordon { nodes: nodes(4, 1).collect() });
        lab.until(25);
        lab.command(Operation::Deploy { workload: web, template: v2 });
        lab.until(60);
        assert_eq!(counts(&lab, 5), [3, 3, 3, 3, 8], "seed {seed}");
    }
}

/// Source: moby/swarmkit:manager/scheduler/scheduler.go: five failures of a version in five minutes put a node last. The
/// fifth node is the emptiest and gets the first five tasks, then the others have their turn.
#[test]
fn a_crash_loop_leaves_the_emptiest_node_after_five_failures() {
    let (mut setup, _) = service(4, |setup, _| {
        setup.catalog.nodes[shakedown_engine::ids::NodeId(4)].unschedulable = true;
    });
    let bad = setup.deployment("bad", 0);
    let template = setup.catalog.workloads[bad].template;
    let mut lab = setup.set("restart-delay", "1s").start(1);
    lab.world.broken.insert(template);
    lab.until(20);
    lab.command(Operation::Uncordon { nodes: nodes(4, 1).collect() });
    lab.until(21);
    lab.command(Operation::Scale { workload: bad, replicas: 1 });
    lab.until(60);
    let bound = lab.all(|k| matches!(k, FactKind::PodBound { .. }));
    let places = bound.iter().skip(4).map(|fact| match fact.kind {
        FactKind::PodBound { node, .. } => node.0,
        _ => u32::MAX,
    });
    let places: Vec<u32> = places.take(7).collect();
    assert_eq!(places[..5], [4; 5]);
    assert!(places[5..].iter().all(|node| *node < 4), "{places:?}");
}

/// A constraint `zone == a` on a service of five nodes, two of which have the label.
fn constrained(replicas: u32) -> (Setup, WorkloadId) {
    service(replicas, |setup, web| {
        label(setup, "zone", &[Some("a"), Some("a"), Some("b"), None, None]);
        let zone = (setup.catalog.names.intern("zone"), setup.catalog.names.intern("a"));
        let template = setup.catalog.workloads[web].template;
        setup.catalog.templates[template].node_selector.push(zone);
    })
}

/// Measured (h): a label that goes makes a constraint fail: the task is rejected after 0.06 s and runs elsewhere after
/// 6.1 s, 5 s of which are the restart delay.
#[test]
fn a_task_whose_node_no_longer_meets_its_constraints_is_rejected_and_moves() {
    let (setup, web) = constrained(4);
    let key = setup.catalog.names.find("zone").expect("interned above");
    let mut lab = setup.start(1);
    lab.until(20);
    assert_eq!(counts(&lab, 5), [2, 2, 0, 0, 0]);
    lab.command(Operation::Label { nodes: nodes(0, 1).collect(), key, value: None });
    lab.until(40);
    assert_eq!(counts(&lab, 5), [0, 4, 0, 0, 0]);
    assert_eq!(lab.ready(web), 4);
    let deleted = lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::Rejected, .. }));
    assert!(deleted.iter().all(|at| (20.0..20.1).contains(at)), "{deleted:?}");
    let started = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }));
    assert!((25.0..27.0).contains(&started[4]), "{started:?}");
}

/// Measured (h): an impossible constraint leaves a task pending; it runs soon after the label appears.
#[test]
fn a_task_without_a_suitable_node_waits_for_the_label() {
    let (mut setup, web) = constrained(1);
    let (key, west) = (setup.catalog.names.intern("zone"), setup.catalog.names.intern("west"));
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].node_selector = vec![(key, west)];
    let mut lab = setup.start(1);
    lab.until(20);
    assert_eq!(refusals(&lab), ["no suitable node (scheduling constraints not satisfied on 5 nodes)"]);
    lab.command(Operation::Label { nodes: nodes(3, 1).collect(), key, value: Some(west) });
    lab.until(23);
    assert_eq!(counts(&lab, 5), [0, 0, 0, 1, 0]);
}

/// Source: moby/swarmkit:manager/orchestrator/constraintenforcer/constraint_enforcer.go: paused nodes are left alone.
/// Measured (h): a label that only a preference reads moves nothing.
#[test]
fn paused_nodes_and_mere_preferences_move_nothing() {
    let (setup, _) = constrained(4);
    let key = setup.catalog.names.find("zone").expect("interned above");
    let mut lab = setup.start(1);
    lab.until(20);
    lab.command(Operation::Cordon { nodes: nodes(0, 1).collect() });
    lab.command(Operation::Label { nodes: nodes(0, 1).collect(), key, value: None });
    lab.until(40);
    assert_eq!(counts(&lab, 5), [2, 2, 0, 0, 0]);
    let (setup, _) = service(12, |setup, web| {
        label(setup, "zone", &[Some("a"), Some("a"), Some("b"), Some("c"), Some("c")]);
        spread_over(setup, web, "zone");
    });
    let mut lab = setup.start(1);
    lab.until(20);
    let before = counts(&lab, 5);
    lab.command(Operation::Label { nodes: nodes(2, 1).collect(), key, value: None });
    lab.until(40);
    assert_eq!(counts(&lab, 5), before);
}
