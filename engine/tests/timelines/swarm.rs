//! Timelines of Swarm mode, with figures measured on Docker 20.10.
//!
//! Through the loop against the scripted world: placement, detection, restart delay, update by slots.

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::fact::{Deletion, FactKind};
use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::time::Time;

const KILL: u64 = 60;

fn service(replicas: u32) -> (Setup, WorkloadId) {
    let mut setup = Setup::new("swarm").nodes("a", 5);
    let web = setup.deployment("web", replicas);
    (setup, web)
}

fn within(value: f64, low: f64, high: f64, what: &str) {
    assert!((low..=high).contains(&value), "{what}: {value:.3} s is not within {low}..{high}");
}

/// Measured: Down 8.5-16.5 s after the fault (theory), replacements start 5.2 s (4.8-5.8) after Down.
#[test]
fn a_silent_node_is_down_after_three_beats_and_its_tasks_start_elsewhere_after_the_restart_delay() {
    for seed in 0..40 {
        let (setup, web) = service(10);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        assert_eq!(lab.ready(web), 10);
        let lost = lab.on(NodeId(2)).len();
        assert_eq!(lost, 2, "spread evenly");
        lab.kill([NodeId(2)]);
        lab.until(KILL + 60);
        let down = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0];
        within(down - KILL as f64, 8.5, 16.5, "fault to Down");
        let started = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }));
        within(started[10] - down, 5.0 + 1.5, 5.8 + 1.5, "Down to running: restart delay and start");
        assert_eq!(lab.ready(web), 10);
    }
}

#[test]
fn nothing_moves_back_to_a_node_that_returns_and_its_old_copies_stop() {
    let (setup, web) = service(10);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.cut([NodeId(2)]);
    lab.until(KILL + 60);
    lab.heal();
    lab.until(KILL + 90);
    assert_eq!(lab.on(NodeId(2)).len(), 0);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ContainerExited { .. })).len(), 2, "the old copies were stopped");
    assert_eq!(lab.ready(web), 10);
}

/// Measured: 10 tasks to a fresh node one after the other, because it has the fewest of the service.
#[test]
fn new_tasks_go_to_the_node_with_the_fewest_of_the_service() {
    let (setup, web) = service(4);
    let mut lab = setup.start(1);
    lab.command(Operation::Cordon { nodes: nodes(4, 1).collect() });
    lab.until(20);
    lab.command(Operation::Scale { workload: web, replicas: 40 });
    lab.until(40);
    let counts = |lab: &Lab| nodes(0, 5).map(|n| lab.on(n).len()).collect::<Vec<_>>();
    assert_eq!(counts(&lab), [10, 10, 10, 10, 0]);
    lab.command(Operation::Uncordon { nodes: nodes(4, 1).collect() });
    lab.command(Operation::Scale { workload: web, replicas: 45 });
    lab.until(60);
    assert_eq!(counts(&lab), [10, 10, 10, 10, 5], "all five go to the empty node");
    lab.command(Operation::Scale { workload: web, replicas: 5 });
    lab.until(80);
    assert_eq!(counts(&lab), [1, 1, 1, 1, 1], "removal keeps the spread");
}

#[test]
fn drained_tasks_are_replaced_without_the_restart_delay() {
    let (setup, web) = service(10);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    lab.until(KILL + 4);
    assert_eq!(lab.ready(web), 10, "replaced in less than the restart delay");
    let why = lab.all(|k| matches!(k, FactKind::PodDeleting { why: Deletion::Drained, .. }));
    assert_eq!(why.len(), 2);
}

/// Runs an update to its end and returns (fewest ready, most running, seconds until it is declared complete).
fn update(flags: &[(&str, &str)], broken: bool) -> (u32, u32, Option<f64>, Lab, WorkloadId) {
    let (mut setup, web) = service(10);
    let v2 = setup.template("web", "app:v2");
    for (flag, value) in flags {
        setup = setup.set(flag, value);
    }
    let mut lab = setup.start(1);
    if broken {
        lab.world.broken.insert(v2);
    }
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    let mut seen = (u32::MAX, 0);
    for tenth in 0..2_000 {
        lab.until_time(Time::from_nanos(KILL * 1_000_000_000 + tenth * 100_000_000));
        let view = lab.view().workload(web);
        seen = (seen.0.min(view.ready), seen.1.max(view.active));
    }
    let done = lab.times(|k| matches!(k, FactKind::RolloutCompleted { .. }));
    (seen.0, seen.1, done.first().map(|t| t - KILL as f64), lab, web)
}

/// Measured (d): fewest available with 1, 2, 5 and all workers, stop-first.
#[test]
fn stop_first_updates_take_as_many_tasks_as_they_have_workers() {
    for (parallelism, fewest) in [("1", 9), ("2", 8), ("5", 5), ("0", 0)] {
        let (low, _, done, lab, web) = update(&[("update-parallelism", parallelism)], false);
        assert_eq!(low, fewest, "parallelism {parallelism}");
        assert!(done.is_some(), "parallelism {parallelism} completes");
        assert_eq!(lab.view().workload(web).updated, 10);
    }
}

/// One slot after the other: stop 0.5 s, start 1.5 s, and the monitor of 5 s after the last.
#[test]
fn a_serial_update_takes_its_steps_and_the_monitor() {
    let (_, _, done, _, _) = update(&[], false);
    within(done.expect("completes"), 25.0, 31.0, "ten slots of 2.0-2.5 s and 5 s");
    let (_, _, done, _, _) = update(&[("update-delay", "5s")], false);
    within(done.expect("completes"), 70.0, 82.0, "ten slots of 2.0-2.5 s and 5 s each, and the monitor");
}

#[test]
fn start_first_updates_never_lose_a_replica() {
    for parallelism in ["1", "2", "5"] {
        let flags = [("update-parallelism", parallelism), ("update-order", "start-first")];
        let (low, high, done, lab, web) = update(&flags, false);
        assert_eq!(low, 10, "parallelism {parallelism}");
        assert!(high > 10, "parallelism {parallelism}");
        assert!(done.is_some());
        assert_eq!((lab.view().workload(web).updated, lab.ready(web)), (10, 10));
    }
}

#[test]
fn a_broken_image_pauses_the_update_after_the_first_task() {
    let (low, _, done, lab, _) = update(&[], true);
    assert_eq!((low, done), (9, None));
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutPaused { .. })).len(), 1);
}

#[test]
fn a_broken_image_is_rolled_back_when_told_so() {
    let (low, _, done, lab, web) = update(&[("update-failure-action", "rollback")], true);
    assert!(low >= 8, "at most twice the workers were touched: {low}");
    assert!(done.is_some(), "the rollback completes");
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutUndone { .. })).len(), 1);
    assert_eq!((lab.ready(web), lab.view().workload(web).active), (10, 10));
}

/// An update whose tasks are lost with their node is not a failed update, and it does not wait for what died.
#[test]
fn an_update_goes_on_when_nodes_die_in_it() {
    for seed in 0..20 {
        let (mut setup, web) = service(10);
        let v2 = setup.template("web", "app:v2");
        let mut lab = setup.start(seed);
        lab.until(KILL);
        lab.command(Operation::Deploy { workload: web, template: v2 });
        lab.until(KILL + 6);
        lab.kill([NodeId(1), NodeId(3)]);
        lab.until(KILL + 180);
        let view = lab.view().workload(web);
        assert_eq!((view.ready, view.updated, view.rolling), (10, 10, false), "seed {seed}");
        assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutPaused { .. })).len(), 0, "seed {seed}");
    }
}

#[test]
fn scaling_in_the_middle_of_an_update_ends_with_the_new_number_of_the_new_version() {
    for replicas in [3, 10, 25] {
        let (mut setup, web) = service(10);
        let v2 = setup.template("web", "app:v2");
        let mut lab = setup.set("update-parallelism", "2").start(1);
        lab.until(KILL);
        lab.command(Operation::Deploy { workload: web, template: v2 });
        lab.until(KILL + 5);
        lab.command(Operation::Scale { workload: web, replicas });
        lab.until(KILL + 120);
        let view = lab.view().workload(web);
        let want = (replicas, replicas, replicas, false);
        assert_eq!((view.active, view.ready, view.updated, view.rolling), want);
    }
}

/// Measured with max-attempts 3: a container that crashes at once runs 1 + 3 times, then nothing more.
#[test]
fn a_task_that_keeps_failing_is_given_up_after_its_attempts() {
    let mut setup = Setup::new("swarm").nodes("a", 3);
    let web = setup.deployment("web", 1);
    let template = setup.catalog.workloads[web].template;
    let mut lab = setup.set("restart-max-attempts", "3").set("restart-delay", "1s").start(1);
    lab.world.broken.insert(template);
    lab.until(600);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ContainerStarted { .. })).len(), 4);
    assert_eq!(lab.view().workload(web).active, 0);
    let fixed = lab.times(|k| matches!(k, FactKind::PodCreated { .. })).len();
    assert_eq!(fixed, 4, "nothing more is created");
}
