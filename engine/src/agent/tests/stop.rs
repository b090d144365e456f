//! Termination at every stage, and the snapshot that repairs what was missed.

use super::*;

#[test]
fn a_running_pod_is_stopped_removed_and_then_reported() {
    let mut node = node();
    node.assign(POD).run(10.0).terminate(30.0).run(60.0);
    check(
        &node.story()[7..],
        "10 stop 7 Main(0) 30s
        11 exited 0 Stopped
        11 remove 7
        11 > 7 Terminated",
    );
}

#[test]
fn a_container_that_does_not_stop_is_killed_at_the_end_of_the_grace() {
    let mut node = node();
    node.script.stop = s(100.0);
    node.assign(POD).run(10.0).terminate(30.0).run(60.0);
    check(&node.lines(&["exited", "Terminated"]), "40 exited 0 Killed\n40 > 7 Terminated");
}

#[test]
fn a_shorter_grace_counts_and_a_longer_one_does_not() {
    let mut node = node();
    node.script.stop = s(100.0);
    node.assign(POD).run(10.0).terminate(30.0).run(15.0).terminate(60.0).run(20.0).terminate(5.0).run(60.0);
    check(&node.lines(&["stop", "exited"]), "10 stop 7 Main(0) 30s\n20 stop 7 Main(0) 5s\n25 exited 0 Killed");
}

#[test]
fn termination_works_at_every_stage() {
    let told = |when: f64| {
        let mut node = node();
        node.script.ends.insert(ContainerRef::Main(0), vec![(1.0, Exit::Crashed), (1.0, Exit::Crashed)]);
        node.assign(POD).run(when).terminate(30.0);
        let before = node.story().len();
        let mut told = node.story()[before.saturating_sub(2)..].join(", ");
        node.run(when + 60.0);
        let rest = node.story()[before..].join(", ");
        if !rest.is_empty() {
            told = format!("{told} | {rest}");
        }
        assert!(node.agent.pods.is_empty());
        told
    };
    assert_eq!(told(1.0), "0 pull 0 for 7, 1 > 7 Terminated", "while pulling");
    assert_eq!(
        told(2.2),
        "2 pulled, 2 start 7 Main(0) | 2.5 started 0 after 0, 2.5 stop 7 Main(0) 29.7s, 3.5 exited 0 Crashed, \
         3.5 remove 7, 3.5 > 7 Terminated",
        "while starting"
    );
    assert_eq!(told(6.0), "6 remove 7, 6 > 7 Terminated", "while waiting for a restart");
}

#[test]
fn a_finished_pod_is_removed_at_once() {
    let mut node = node();
    node.app().restart = RestartPolicy::Never;
    node.script.ends.insert(ContainerRef::Main(0), vec![(1.0, Exit::Completed)]);
    node.assign(POD).run(10.0).terminate(30.0);
    check(&node.story()[10..], "10 remove 7\n10 > 7 Terminated");
}

#[test]
fn an_unknown_pod_is_terminated_at_once() {
    let mut node = node();
    node.terminate(30.0);
    check(&node.story(), "0 > 7 Terminated");
}

#[test]
fn a_container_being_killed_by_its_probe_is_not_started_again_after_a_termination() {
    let mut node = node().with_probe(probe(ProbeRole::Liveness, 10.0));
    node.script.sick = vec![(ProbeRole::Liveness, 15.0, 1e6)];
    node.script.stop = s(100.0);
    // Three failures at 21, 31 and 41 s; the stop would be forced at 71 s.
    node.assign(POD).run(45.0).terminate(10.0).run(200.0);
    check(
        &node.lines(&["stop", "exited", "start ", "Terminated"]),
        "2 start 7 Main(0)
        41 stop 7 Main(0) 30s
        45 stop 7 Main(0) 10s
        55 exited 0 Killed
        55 > 7 Terminated",
    );
}

#[test]
fn a_snapshot_makes_the_node_run_what_the_store_has() {
    let (known, stranger, leaving, new, gone) = (POD, PodId(8), PodId(9), PodId(10), PodId(11));
    let mut node = node();
    node.assign(known).assign(stranger).assign(leaving).run(10.0);
    let before = node.story().len();
    let pods = vec![(new, APP, None), (known, APP, None), (gone, APP, Some(s(5.0))), (leaving, APP, Some(s(6.0)))];
    node.message(Message::Snapshot { pods }).run(60.0);
    check(
        &node.story()[before..],
        "10 pulled
        10 stop 8 Main(0) 30s
        10 > 11 Terminated
        10 stop 9 Main(0) 6s
        10 > 7 Running { ready: true }
        10 start 10 Main(0)
        10 > 10 Starting
        10.5 started 0 after 0
        10.5 ready
        10.5 > 10 Running { ready: true }
        11 exited 0 Stopped
        11 remove 8
        11 > 8 Terminated
        11 exited 0 Stopped
        11 remove 9
        11 > 9 Terminated",
    );
}

#[test]
fn a_pod_that_finished_while_cut_off_is_reported_again() {
    let mut node = node();
    node.app().restart = RestartPolicy::Never;
    node.script.ends.insert(ContainerRef::Main(0), vec![(1.0, Exit::Completed)]);
    node.assign(POD).run(10.0).message(Message::Snapshot { pods: vec![(POD, APP, None)] });
    assert_eq!(node.times("Finished"), [3.5, 10.0]);
}
