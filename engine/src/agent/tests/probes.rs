//! Startup, liveness and readiness.

use super::*;

use ProbeRole::{Liveness, Readiness, Startup};

#[test]
fn a_pod_is_ready_when_its_first_readiness_probe_passes() {
    let mut node = node().with_probe(probe(Readiness, 5.0));
    node.script.sick.push((Readiness, 0.0, 10.0));
    node.assign(POD).run(60.0);
    check(
        &node.story()[4..],
        "2.5 started 0 after 0
        2.5 probe Readiness from 2.5
        2.5 > 7 Running { ready: false }
        12.5 ready
        12.5 > 7 Running { ready: true }",
    );
}

#[test]
fn probes_skip_ticks_within_the_initial_delay() {
    // Readiness ticks from when the container is seen running (2.5 s), the others from the assignment (0 s).
    let first = |role, delay: f64| {
        let mut node = node().with_probe(Probe { initial_delay: s(delay), ..probe(role, 10.0) });
        node.assign(POD).run(3.0);
        node.lines(&["probe"])[0].rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(first(Readiness, 0.0), 2.5);
    assert_eq!(first(Readiness, 10.0), 12.5);
    assert_eq!(first(Readiness, 11.0), 22.5);
    assert_eq!(first(Liveness, 0.0), 10.0);
    assert_eq!(first(Liveness, 10.0), 20.0);
}

#[test]
fn readiness_needs_as_many_failures_in_a_row_as_its_threshold() {
    let mut node = node().with_probe(probe(Readiness, 5.0));
    // Asked at 2.5, 7.5, 12.5, …: two failures, then four.
    node.script.sick = vec![(Readiness, 10.0, 20.0), (Readiness, 40.0, 60.0)];
    node.assign(POD).run(100.0);
    check(
        &node.story()[7..],
        "2.5 ready
        2.5 > 7 Running { ready: true }
        53.5 failed Readiness
        53.5 unready
        53.5 > 7 Running { ready: false }
        62.5 ready
        62.5 > 7 Running { ready: true }",
    );
}

#[test]
fn readiness_needs_as_many_successes_in_a_row_as_its_threshold() {
    let mut node = node().with_probe(Probe { success_threshold: 3, ..probe(Readiness, 5.0) });
    // Asked at 2.5 and 7.5 (passes), 12.5 (fails), 17.5, 22.5, 27.5 (passes, certain after the time-out).
    node.script.sick = vec![(Readiness, 10.0, 15.0)];
    node.assign(POD).run(100.0);
    assert_eq!(node.times("ready: true"), [28.5]);
    check(&node.lines(&["failed"]), "");
}

#[test]
fn a_probe_that_never_passes_fails_once() {
    let mut node = node().with_probe(probe(Readiness, 5.0));
    node.script.sick = vec![(Readiness, 0.0, 1e6)];
    node.assign(POD).run(600.0);
    check(&node.lines(&["failed", "unready", "stop"]), "13.5 failed Readiness");
}

#[test]
fn liveness_restarts_after_three_failures_and_counts_as_a_crash() {
    let mut node = node().with_probe(probe(Liveness, 10.0));
    // Asked at 10, 20, 30, …; each failure takes its time-out of 1 s.
    node.script.sick = vec![(Liveness, 15.0, 75.0)];
    node.assign(POD).run(200.0);
    check(
        &node.story()[4..],
        "2.5 started 0 after 0
        2.5 ready
        2.5 probe Liveness from 10
        2.5 > 7 Running { ready: true }
        41 failed Liveness
        41 stop 7 Main(0) 30s
        42 exited 0 Stopped
        42 unready
        42 start 7 Main(0)
        42 > 7 Failing
        42.5 started 0 after 1
        42.5 ready
        42.5 probe Liveness from 50
        42.5 > 7 Running { ready: true }
        71 failed Liveness
        71 stop 7 Main(0) 30s
        72 exited 0 Stopped
        72 crash loop 0 10s
        72 unready
        72 > 7 Failing
        82 start 7 Main(0)
        82.5 started 0 after 2
        82.5 ready
        82.5 probe Liveness from 90
        82.5 > 7 Running { ready: true }",
    );
}

#[test]
fn a_liveness_probe_is_on_hold_while_its_container_is_being_stopped() {
    let mut node = node().with_probe(probe(Liveness, 10.0));
    node.app().grace = Some(s(300.0));
    node.script.stop = s(200.0);
    node.script.sick = vec![(Liveness, 15.0, 45.0), (Liveness, 65.0, 1e6)];
    node.assign(POD).run(200.0);
    check(&node.lines(&["failed", "stop"]), "41 failed Liveness\n41 stop 7 Main(0) 300s");
}

#[test]
fn a_recovery_outdates_the_timer_of_the_threshold() {
    let mut node = node().with_probe(probe(Liveness, 10.0));
    node.script.sick = vec![(Liveness, 15.0, 35.0)];
    node.assign(POD).run(300.0);
    check(&node.lines(&["failed", "stop"]), "");
}

#[test]
fn a_new_run_of_failures_is_counted_from_its_own_start() {
    let mut node = node().with_probe(probe(Liveness, 10.0));
    // Fails at 20, passes at 30, fails from 40 on: the third failure in a row is that of 60 s.
    node.script.sick = vec![(Liveness, 15.0, 25.0), (Liveness, 35.0, 65.0)];
    node.assign(POD).run(100.0);
    check(&node.lines(&["failed"]), "61 failed Liveness");
}

#[test]
fn a_restart_outdates_the_timer_of_the_threshold() {
    let mut node = node().with_probe(probe(Liveness, 10.0));
    node.script.sick = vec![(Liveness, 15.0, 39.0)];
    node.script.ends.insert(ContainerRef::Main(0), vec![(35.0, Exit::Crashed)]);
    node.assign(POD).run(300.0);
    check(&node.lines(&["failed", "stop", "exited"]), "37.5 exited 0 Crashed");
}

#[test]
fn the_startup_probe_holds_the_others_back() {
    let mut node =
        node().with_probe(probe(Startup, 5.0)).with_probe(probe(Liveness, 10.0)).with_probe(probe(Readiness, 10.0));
    node.app().containers[0].probes[0].failure_threshold = 30;
    // The startup probe is asked at 5, 10, …; its later answers mean nothing.
    node.script.sick = vec![(Startup, 0.0, 33.0), (Startup, 50.0, 1e6), (Liveness, 0.0, 33.0)];
    node.assign(POD).run(400.0);
    check(
        &node.story()[4..],
        "2.5 started 0 after 0
        2.5 probe Startup from 5
        2.5 > 7 Running { ready: false }
        35 probe Liveness from 40
        35 probe Readiness from 35
        35 ready
        35 > 7 Running { ready: true }",
    );
}

#[test]
fn a_startup_probe_that_never_passes_restarts_the_container() {
    let mut node = node().with_probe(probe(Startup, 5.0));
    node.script.sick = vec![(Startup, 0.0, 1e6)];
    node.assign(POD).run(18.0);
    check(&node.lines(&["failed", "stop"]), "16 failed Startup\n16 stop 7 Main(0) 30s");
}

#[test]
fn a_replacing_agent_reports_running_only_once_healthy() {
    let mut node = swarm().with_probe(probe(Liveness, 2.0));
    node.script.sick = vec![(Liveness, 0.0, 5.0)];
    node.assign(POD).run(60.0);
    check(
        &node.story()[3..],
        "2 start 7 Main(0)
        2.5 started 0 after 0
        2.5 probe Liveness from 4.5
        6.5 ready
        6.5 > 7 Running { ready: true }",
    );
}

#[test]
fn a_replacing_agent_ends_a_pod_whose_health_check_fails() {
    let mut node = swarm().with_probe(probe(Liveness, 2.0));
    node.script.sick = vec![(Liveness, 10.0, 1e6)];
    node.assign(POD).run(60.0);
    check(
        &node.story()[6..],
        "4.5 ready
        4.5 > 7 Running { ready: true }
        15.5 failed Liveness
        15.5 unready
        15.5 stop 7 Main(0) 10s
        15.5 > 7 Running { ready: false }
        16.5 exited 0 Stopped
        16.5 > 7 Finished { success: false }",
    );
}
