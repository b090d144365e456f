//! Restart policies, updates and rollbacks of Swarm services, as each service declares them.

use crate::script::{Lab, Setup};
use shakedown_engine::fact::{Exit, FactKind, Note};
use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{Amount, DaemonSpec, Details, RestartPolicy, WorkloadKind};
use shakedown_engine::profile::{FailureAction, SlotOrder};
use shakedown_engine::time::{Span, Time};

fn service(replicas: u32) -> (Setup, WorkloadId) {
    let mut setup = Setup::new("swarm").nodes("a", 5);
    let web = setup.deployment("web", replicas);
    (setup, web)
}

fn starts(lab: &Lab) -> Vec<f64> {
    lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }))
}

fn given_up(lab: &Lab) -> usize {
    lab.times(|k| matches!(k, FactKind::Noted { note: Note::NotRestarted, .. })).len()
}

/// A service of one task that ends at once, as often as its policy lets it.
fn ending(policy: RestartPolicy, exit: Exit) -> Lab {
    let (mut setup, web) = service(1);
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].restart = policy;
    let mut lab = setup.set("restart-delay", "1s").start(1);
    lab.world.exits.insert(template, (Span::from_secs(1), exit));
    lab.until(30);
    lab
}

#[test]
fn a_task_is_replaced_as_its_condition_says() {
    use RestartPolicy::{Always, Never, OnFailure};
    for (policy, exit, again) in [
        (Always, Exit::Completed, true),
        (Always, Exit::Crashed, true),
        (OnFailure, Exit::Crashed, true),
        (OnFailure, Exit::Completed, false),
        (Never, Exit::Crashed, false),
    ] {
        let lab = ending(policy, exit);
        assert_eq!(starts(&lab).len() > 1, again, "{policy:?} after {exit:?}");
        assert_eq!(given_up(&lab), usize::from(!again));
    }
}

/// Source: moby/swarmkit:manager/orchestrator/restart/restart.go, `shouldRestart`: not even after the loss of its node.
#[test]
fn a_task_without_restarts_is_not_moved_from_a_dead_node() {
    let (mut setup, web) = service(10);
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].restart = RestartPolicy::Never;
    let mut lab = setup.start(1);
    lab.until(30);
    lab.kill([NodeId(0)]);
    lab.until(120);
    assert_eq!((lab.ready(web), given_up(&lab)), (8, 2));
}

/// Attempts of a window: with three in 20 s and a delay of 1 s, the fourth replacement waits for nothing: there is none.
#[test]
fn attempts_count_within_their_window() {
    let run = |window: u64, life: u64| {
        let (mut setup, web) = service(1);
        let template = setup.catalog.workloads[web].template;
        let wish = &mut setup.catalog.workloads[web].wishes.restart;
        wish.attempts = Some(3);
        wish.delay = Some(Span::from_secs(1));
        wish.window = Some(Span::from_secs(window));
        let mut lab = setup.start(1);
        lab.world.exits.insert(template, (Span::from_secs(life), Exit::Crashed));
        lab.until(300);
        starts(&lab).len()
    };
    assert_eq!(run(0, 1), 4, "without a window all count");
    assert_eq!(run(20, 1), 4, "three within 20 s are too many");
    assert!(run(20, 10) > 10, "a task that lives for 10 s has no more than two in 20 s");
}

#[test]
fn a_service_has_a_restart_delay_of_its_own() {
    let (mut setup, web) = service(1);
    let template = setup.catalog.workloads[web].template;
    setup.catalog.workloads[web].wishes.restart.delay = Some(Span::from_secs(12));
    let mut lab = setup.start(1);
    lab.world.exits.insert(template, (Span::from_secs(1), Exit::Crashed));
    lab.until(60);
    let at = starts(&lab);
    assert!((12.0..15.0).contains(&(at[1] - at[0] - 1.0)), "{at:?}");
}

/// Source: moby/swarmkit:manager/orchestrator/restart/restart.go, `DelayStart`: the replacement of a drained task waits
/// for it to stop, 60 s at most; the restart delay does not apply.
#[test]
fn the_replacement_of_a_drained_task_waits_until_that_has_stopped() {
    for (stop, wait) in [(4, 4.0), (90, 60.0)] {
        let (setup, _) = service(5);
        let mut lab = setup.start(1);
        lab.until(30);
        lab.world.pace = Some((Span::from_millis(100), Span::from_secs(stop)));
        lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
        lab.until(130);
        let again = starts(&lab)[5] - 30.0;
        assert!((wait..wait + 1.5).contains(&again), "stops in {stop} s, starts after {again}");
    }
}

struct Seen {
    least: u32,
    lab: Lab,
    web: WorkloadId,
}

/// An update to a broken or good image after `change`, watched for 200 s.
fn update(broken: bool, change: impl FnOnce(&mut Setup, WorkloadId)) -> Seen {
    let (mut setup, web) = service(10);
    let v2 = setup.template("web", "app:v2");
    change(&mut setup, web);
    let mut lab = setup.start(1);
    if broken {
        lab.world.broken.insert(v2);
    }
    lab.until(60);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    let mut least = u32::MAX;
    for tenth in 0..2_000 {
        lab.until_time(Time::from_nanos(60_000_000_000 + tenth * 100_000_000));
        least = least.min(lab.ready(web));
    }
    Seen { least, lab, web }
}

fn completed(lab: &Lab) -> Option<f64> {
    lab.times(|k| matches!(k, FactKind::RolloutCompleted { .. })).first().map(|at| at - 60.0)
}

#[test]
fn a_service_is_updated_as_it_wishes() {
    let seen = update(false, |setup, web| {
        let wish = &mut setup.catalog.workloads[web].wishes.update;
        wish.parallelism = Some(5);
        wish.delay = Some(Span::from_secs(5));
    });
    assert_eq!(seen.least, 5);
    let done = completed(&seen.lab).expect("completes");
    // Two rounds of 2 s, 5 s after each, and a monitor of 5 + 1 s (measured: 23.8 s with slower starts).
    assert!((19.0..24.0).contains(&done), "{done}");
    let seen = update(false, |setup, web| {
        setup.catalog.workloads[web].wishes.update.order = Some(SlotOrder::StartFirst);
    });
    assert_eq!((seen.least, seen.lab.ready(seen.web)), (10, 10));
}

/// A rollback has settings of its own: one at a time forth, all at once back, and a monitor of its own.
#[test]
fn a_rollback_goes_by_its_own_settings() {
    let undone = |delay: u64| {
        let seen = update(true, |setup, web| {
            let wishes = &mut setup.catalog.workloads[web].wishes;
            wishes.update.on_failure = Some(FailureAction::Rollback);
            wishes.update.parallelism = Some(4);
            wishes.rollback.parallelism = Some(1);
            wishes.rollback.delay = Some(Span::from_secs(delay));
            wishes.rollback.monitor = Some(Span::from_secs(2));
        });
        let back = seen.lab.times(|k| matches!(k, FactKind::RolloutUndone { .. }))[0] - 60.0;
        assert_eq!(seen.lab.ready(seen.web), 10);
        completed(&seen.lab).expect("the rollback completes") - back
    };
    let (quick, slow) = (undone(0), undone(10));
    assert!(slow > quick + 40.0, "four slots or more, 10 s after each: {quick} and {slow}");
}

/// Source: moby/swarmkit:manager/orchestrator/update/updater.go: "never roll back a rollback".
#[test]
fn a_rollback_that_fails_pauses() {
    let seen = update(true, |setup, web| {
        setup.catalog.workloads[web].wishes.update.on_failure = Some(FailureAction::Rollback);
    });
    assert_eq!(seen.lab.times(|k| matches!(k, FactKind::RolloutPaused { .. })).len(), 0, "this one succeeds");
    let (mut setup, web) = service(10);
    setup.catalog.workloads[web].wishes.update.on_failure = Some(FailureAction::Rollback);
    let (v1, v2) = (setup.catalog.workloads[web].template, setup.template("web", "app:v2"));
    let mut lab = setup.start(1);
    lab.until(60);
    lab.world.broken.extend([v1, v2]);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    lab.until(200);
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutUndone { .. })).len(), 1);
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutPaused { .. })).len(), 1);
    assert!(completed(&lab).is_none());
}

/// Failures are tolerated up to a share of the slots: of ten slots three may fail, the fourth turns back.
#[test]
fn failures_are_tolerated_up_to_their_ratio() {
    let seen = update(true, |setup, web| {
        let wish = &mut setup.catalog.workloads[web].wishes.update;
        wish.on_failure = Some(FailureAction::Rollback);
        wish.max_failure = Some(350);
    });
    assert!((5..=6).contains(&seen.least), "four or five slots are empty at the worst: {}", seen.least);
    assert_eq!(seen.lab.ready(seen.web), 10);
}

/// Source: moby/swarmkit:manager/dispatcher/dispatcher.go: after 24 h Down a node's tasks are orphaned, and its agent
/// stops what it still runs when it is back.
#[test]
fn tasks_of_a_node_that_is_down_for_a_day_are_written_off() {
    let (setup, web) = service(5);
    let mut lab = setup.set("node-down-period", "10m").start(1);
    lab.until(30);
    lab.cut([NodeId(1)]);
    lab.until(600);
    let gone = |lab: &Lab| lab.times(|k| matches!(k, FactKind::PodDeleted { .. }));
    assert_eq!(gone(&lab).len(), 0, "the old task may still run");
    lab.until(700);
    assert_eq!(gone(&lab).len(), 1);
    assert_eq!(lab.times(|k| matches!(k, FactKind::Noted { note: Note::Orphaned, .. })).len(), 1);
    lab.heal();
    lab.until(730);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ContainerExited { .. })).len(), 1, "the old copy was stopped");
    assert_eq!(lab.ready(web), 5);
}

/// A global service on five nodes.
fn global(change: impl FnOnce(&mut Setup, WorkloadId)) -> (Lab, WorkloadId, shakedown_engine::ids::TemplateId) {
    let (mut setup, web) = service(0);
    let v2 = setup.template("web", "app:v2");
    let spec = &mut setup.catalog.workloads[web];
    spec.kind = WorkloadKind::DaemonSet;
    let none = Amount::Count(0);
    spec.details = Details::Daemon(DaemonSpec { max_unavailable: none, max_surge: none, on_delete: false });
    change(&mut setup, web);
    (setup.start(1), web, v2)
}

/// Source: moby/swarmkit:manager/orchestrator/global/global.go: paused nodes keep their task, drained ones lose it and get
/// it back when they are active again.
#[test]
fn a_global_service_runs_once_on_each_active_node() {
    let (mut lab, web, _) = global(|_, _| {});
    lab.until(20);
    assert_eq!(lab.ready(web), 5);
    lab.command(Operation::Cordon { nodes: vec![NodeId(0)] });
    lab.command(Operation::Drain { nodes: vec![NodeId(1)] });
    lab.until(60);
    let on: Vec<usize> = (0..5).map(|n| lab.on(NodeId(n)).len()).collect();
    assert_eq!(on, [1, 0, 1, 1, 1], "paused and drained");
    lab.command(Operation::Uncordon { nodes: vec![NodeId(1)] });
    lab.until(80);
    let on: Vec<usize> = (0..5).map(|n| lab.on(NodeId(n)).len()).collect();
    assert_eq!(on, [1, 1, 1, 1, 1], "the drained node is active again");
    assert_eq!(lab.ready(web), 4, "a paused node's task is not wanted there, so it does not count");
}

#[test]
fn a_global_task_that_fails_is_replaced_on_its_node_after_the_restart_delay() {
    let (mut lab, _, _) = global(|_, _| {});
    let template = lab.view().catalog().workloads[WorkloadId(0)].template;
    lab.world.exits.insert(template, (Span::from_secs(20), Exit::Crashed));
    lab.until(35);
    let at = starts(&lab);
    assert_eq!(at.len(), 10, "{at:?}");
    assert!((5.0..8.5).contains(&(at[5] - at[0] - 20.0)), "{at:?}");
}

#[test]
fn a_global_service_is_updated_by_as_many_nodes_at_once_as_it_says() {
    for (parallelism, fewest) in [(1, 4), (2, 3), (0, 0)] {
        let (mut lab, web, v2) = global(|setup, web| {
            setup.catalog.workloads[web].wishes.update.parallelism = Some(parallelism);
        });
        lab.until(20);
        lab.command(Operation::Deploy { workload: web, template: v2 });
        let mut least = 5;
        for tenth in 200..800 {
            lab.until_time(Time::from_nanos(tenth * 100_000_000));
            least = least.min(lab.ready(web));
        }
        assert_eq!((least, lab.ready(web)), (fewest, 5), "parallelism {parallelism}");
    }
}
