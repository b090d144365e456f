//! From assignment to ready.

use super::*;

#[test]
fn a_pod_is_pulled_started_and_ready() {
    let mut node = node();
    node.assign(POD).run(60.0);
    check(
        &node.story(),
        "0 > 7 Starting
        0 pull 0 for 7
        2 pulled
        2 start 7 Main(0)
        2.5 started 0 after 0
        2.5 ready
        2.5 > 7 Running { ready: true }",
    );
}

#[test]
fn each_fact_is_caused_by_the_one_before() {
    let mut node = node();
    node.assign(POD).run(60.0);
    let causes: Vec<u32> = node.facts.facts().iter().map(|fact| fact.cause.0).collect();
    assert_eq!(causes, [0, 1, 2], "pulled, started, ready");
}

#[test]
fn starts_are_noticed_on_the_relist_grid_and_all_at_once() {
    let mut node = Node::new("kubernetes", s(1.0));
    let pod = PodId(8);
    node.assign(POD).run(0.1).assign(pod).run(60.0);
    let tick = node.agent.desk.tick(at(2.5), s(1.0));
    assert!(tick > at(2.5) && tick < at(3.5), "the phase of this seed is not zero");
    let tick = tick.as_secs_f64();
    assert_eq!(node.times("started"), [tick, tick]);
    assert_eq!(node.times("ready: true"), [tick, tick]);
}

#[test]
fn a_container_that_came_and_went_between_two_relists_is_never_ready() {
    let mut node = Node::new("kubernetes", s(1.0)).with_probe(probe(ProbeRole::Liveness, 10.0));
    node.script.ends.insert(ContainerRef::Main(0), vec![(0.01, Exit::Crashed)]);
    node.assign(POD).run(3.4);
    check(&node.lines(&["ready", "probe", "Running"]), "");
    assert_eq!(node.times("exited"), node.times("started 0 after 0"));
    node.run(10.0);
    assert_eq!(node.lines(&["probe"]).len(), 1, "only the second run is probed");
}

#[test]
fn init_containers_run_one_after_the_other_before_all_main_ones() {
    let mut node = node();
    let (main, first, second) = (node.another_container(), node.another_container(), node.another_container());
    node.app().containers.push(main);
    node.app().init = vec![first, second];
    node.script.ends.insert(ContainerRef::Init(0), vec![(3.0, Exit::Completed)]);
    node.script.ends.insert(ContainerRef::Init(1), vec![(4.0, Exit::Completed)]);
    node.assign(POD).run(60.0);
    check(
        &node.story(),
        "0 > 7 Starting
        0 pull 0 for 7
        2 pull 1 for 7
        4 pull 2 for 7
        6 pull 3 for 7
        8 pulled
        8 start 7 Init(0)
        11.5 start 7 Init(1)
        16 start 7 Main(0)
        16 start 7 Main(1)
        16.5 started 0 after 0
        16.5 started 1 after 0
        16.5 ready
        16.5 > 7 Running { ready: true }",
    );
}

#[test]
fn a_failing_init_container_is_tried_again_with_back_off() {
    let mut node = node();
    node.app().init = vec![node_init()];
    node.script
        .ends
        .insert(ContainerRef::Init(0), vec![(1.0, Exit::Crashed), (1.0, Exit::Crashed), (1.0, Exit::Completed)]);
    node.assign(POD).run(60.0);
    check(
        &node.story()[3..],
        "2 start 7 Init(0)
        3.5 start 7 Init(0)
        3.5 > 7 Failing
        4 > 7 Starting
        5 crash loop 1 10s
        5 > 7 Failing
        15 start 7 Init(0)
        15.5 > 7 Starting
        16.5 start 7 Main(0)
        17 started 0 after 0
        17 ready
        17 > 7 Running { ready: true }",
    );
}

#[test]
fn a_failing_init_container_that_is_never_restarted_ends_the_pod() {
    let mut node = node();
    node.app().init = vec![node_init()];
    node.app().restart = RestartPolicy::Never;
    node.script.ends.insert(ContainerRef::Init(0), vec![(1.0, Exit::Crashed)]);
    node.assign(POD).run(60.0);
    check(&node.lines(&["Finished", "start 7"]), "2 start 7 Init(0)\n3.5 > 7 Finished { success: false }");
}

/// An init container of the same image as the main one.
fn node_init() -> Container {
    container(ImageId(0))
}

#[test]
fn an_assignment_that_comes_twice_is_one() {
    let mut node = node();
    node.assign(POD).run(5.0);
    let before = node.story.len();
    node.assign(POD).run(6.0);
    assert_eq!(node.story.len(), before);
}

#[test]
fn a_healthy_pod_costs_nothing_once_it_is_ready() {
    let mut node = node().with_probe(probe(ProbeRole::Readiness, 5.0)).with_probe(probe(ProbeRole::Liveness, 5.0));
    node.assign(POD).run(20.0);
    let timers = node.sequence;
    let asked = |node: &Node| node.queue.values().filter(|item| !matches!(item, Item::Ask { .. })).count();
    assert_eq!(asked(&node), 0, "no timer is left after {timers} events");
}
