//! Sidecars: they start before the others and stop after them, and what a hook leaves of the grace.

use super::*;

/// A node whose pod has two sidecars around an ordinary init container.
fn with_sidecars() -> Node {
    let mut node = node();
    let mut init: Vec<Container> = (0..3).map(|_| node.another_container()).collect();
    init[0].sidecar = true;
    init[2].sidecar = true;
    node.app().init = init;
    node.script.pull = Span::ZERO;
    node.script.ends.insert(ContainerRef::Init(1), vec![(1.0, Exit::Completed)]);
    node
}

#[test]
fn sidecars_start_in_their_turn_and_the_others_follow_once_they_run() {
    let mut node = with_sidecars();
    node.boot().assign(POD).run(10.0);
    check(&node.lines(&["start 7"]), "0 start 7 Init(0)\n0.5 start 7 Init(1)\n2 start 7 Init(2)\n2.5 start 7 Main(0)");
    assert_eq!(node.times("> 7 Running { ready: true }"), [3.0]);
}

#[test]
fn sidecars_stop_after_the_others_in_reverse_order_within_one_grace() {
    let mut node = with_sidecars();
    node.boot().assign(POD).run(10.0);
    node.terminate(30.0).run(60.0);
    check(
        &node.lines(&["stop 7", "Terminated"]),
        "10 stop 7 Main(0) 30s\n11 stop 7 Init(2) 29s\n12 stop 7 Init(0) 28s\n13 > 7 Terminated",
    );
}

#[test]
fn a_sidecar_has_two_seconds_even_when_the_grace_is_used_up() {
    let mut node = with_sidecars();
    node.boot().assign(POD).run(10.0);
    node.script.stop = s(100.0);
    node.terminate(5.0).run(60.0);
    check(
        &node.lines(&["stop 7", "Terminated"]),
        "10 stop 7 Main(0) 5s\n15 stop 7 Init(2) 2s\n17 stop 7 Init(0) 2s\n19 > 7 Terminated",
    );
}

#[test]
fn a_pod_whose_work_is_done_is_complete_once_its_sidecars_are_stopped() {
    let mut node = with_sidecars();
    node.app().restart = RestartPolicy::Never;
    node.script.ends.insert(ContainerRef::Main(0), vec![(4.0, Exit::Completed)]);
    node.boot().assign(POD).run(60.0);
    assert_eq!(node.times("stop 7 Init(2)"), [7.0]);
    assert_eq!(node.times("Finished { success: true }"), [9.0], "the code of a stopped sidecar does not count");
}

#[test]
fn a_sidecar_that_ends_is_started_again_and_the_pod_is_not_ready_meanwhile() {
    let mut node = with_sidecars();
    node.app().restart = RestartPolicy::Never;
    node.script.ends.insert(ContainerRef::Init(0), vec![(9.5, Exit::Crashed)]);
    node.boot().assign(POD).run(20.0);
    assert_eq!(node.times("start 7 Init(0)"), [0.0, 10.0]);
    assert_eq!(node.times("unready"), [10.0]);
    assert_eq!(node.times("Running { ready: true }"), [3.0, 10.5]);
    assert_eq!(node.lines(&["start 7 Main(0)"]).len(), 1, "the others go on");
}

#[test]
fn a_hook_that_takes_all_of_the_grace_leaves_two_seconds_once() {
    let stops = |hook: f64, grace: f64| {
        let mut node = node();
        node.app().containers[0].pre_stop = Some(s(hook));
        node.boot().assign(POD).run(10.0);
        node.terminate(grace).run(60.0);
        node.lines(&["stop 7"])[0].to_owned()
    };
    assert_eq!(stops(5.0, 30.0), "10 stop 7 Main(0) 30s");
    assert_eq!(stops(29.0, 30.0), "10 stop 7 Main(0) 31s");
    assert_eq!(stops(300.0, 30.0), "10 stop 7 Main(0) 32s");
}
