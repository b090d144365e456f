//! Timelines of ECS: what a lost agent costs, what a load balancer adds, deployments, ports.

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::PodPhase;
use shakedown_engine::fact::{Deletion, FactKind, Note};
use shakedown_engine::ids::{NodeId, PodId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{BalancerWish, HostPort};
use shakedown_engine::time::Time;

const KILL: u64 = 300;

fn service(profile: &str, replicas: u32, balanced: bool) -> (Setup, WorkloadId) {
    let mut setup = Setup::new(profile).nodes("a", 2).nodes("b", 2).nodes("c", 2);
    let web = setup.deployment("web", replicas);
    setup.catalog.workloads[web].wishes.balanced = balanced.then(BalancerWish::default);
    (setup, web)
}

fn noted(lab: &Lab, wanted: Note) -> usize {
    lab.times(|k| matches!(k, FactKind::Noted { note, .. } if *note == wanted)).len()
}

fn created_since(lab: &Lab, since: u64) -> Vec<f64> {
    lab.times(|k| matches!(k, FactKind::PodCreated { .. })).into_iter().filter(|t| *t >= since as f64).collect()
}

#[test]
fn zones_then_instances_are_filled_evenly() {
    let (setup, web) = service("ecs", 6, false);
    let mut lab = setup.start(1);
    lab.until(KILL);
    assert_eq!(lab.ready(web), 6);
    assert_eq!(nodes(0, 6).map(|n| lab.on(n).len()).collect::<Vec<_>>(), [1; 6]);
}

#[test]
fn a_dead_instance_costs_its_tasks_for_ever_and_its_removal_brings_others() {
    let (setup, web) = service("ecs", 6, false);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.kill([NodeId(2)]);
    lab.until(KILL + 7_200);
    assert_eq!(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len(), 1, "its agent is disconnected");
    assert!(created_since(&lab, KILL).is_empty(), "and nothing is rescheduled");
    assert_eq!(noted(&lab, Note::NotRescheduled), 1);
    lab.command(Operation::RemoveNode { nodes: vec![NodeId(2)] });
    lab.until(KILL + 7_230);
    assert_eq!(created_since(&lab, KILL).len(), 1, "the instance is terminated: its task is replaced");
    assert_eq!((lab.ready(web), lab.on(NodeId(2)).len()), (6, 0));
}

#[test]
fn a_task_whose_target_fails_is_replaced_after_two_checks_and_stopped_when_the_other_one_is_healthy() {
    let (setup, web) = service("ecs", 6, true);
    let mut lab = setup.start(1);
    lab.until(KILL);
    assert_eq!(lab.ready(web), 6, "the first good check makes a task healthy");
    let victim = lab.on(NodeId(2))[0];
    lab.kill([NodeId(2)]);
    lab.fail_targets([victim]);
    lab.until(KILL + 60);
    assert_eq!(created_since(&lab, KILL).len(), 0);
    lab.until(KILL + 120);
    let replaced = created_since(&lab, KILL);
    assert_eq!(replaced.len(), 1);
    let delay = replaced[0] - KILL as f64;
    assert!((60.0..64.0).contains(&delay), "two checks of 30 s: {delay:.1} s");
    let stopped = lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::TargetUnhealthy, .. }));
    assert!(stopped[0] > replaced[0] + 30.0, "the other one was healthy first");
    assert_eq!(lab.ready(web), 6);
}

#[test]
fn in_2015_a_failing_task_is_stopped_first() {
    let (setup, web) = service("ecs@2015", 6, true);
    let mut lab = setup.start(1);
    lab.until(600);
    assert_eq!(lab.ready(web), 6);
    let victim = lab.on(NodeId(2))[0];
    lab.fail_targets([victim]);
    lab.until(670);
    let stopped = lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::TargetUnhealthy, .. }));
    assert!(stopped[0] < created_since(&lab, 600)[0]);
}

#[test]
fn a_task_that_never_becomes_healthy_has_its_grace_period() {
    for (grace, seconds) in [("0", 60.0), ("300", 300.0)] {
        let (setup, _) = service("ecs", 1, true);
        let mut lab = setup.set("healthCheckGracePeriodSeconds", grace).start(1);
        lab.world.failing.insert(PodId(0));
        lab.until(500);
        let deleted = lab.times(|k| matches!(k, FactKind::Noted { note: Note::Superseded, .. }));
        assert!((seconds..seconds + 10.0).contains(&deleted[0]), "grace {grace}: {:.1}", deleted[0]);
    }
}

/// 100 and 200 percent: one wave, twice the tasks, and old ones leave their target group 300 s before they stop.
#[test]
fn a_deployment_is_one_wave_and_old_tasks_drain() {
    let (mut setup, web) = service("ecs", 6, true);
    let v2 = setup.template("web", "app:v2");
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    let mut seen = (u32::MAX, 0);
    for second in KILL..KILL + 120 {
        lab.until(second);
        let view = lab.view().workload(web);
        seen = (seen.0.min(view.ready), seen.1.max(view.active));
    }
    assert_eq!(seen, (6, 12), "fewest ready, most active");
    let view = lab.view().workload(web);
    assert_eq!((view.updated, view.rolling), (6, false));
    let deleting = lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::RolledOut, .. }));
    lab.until(KILL + 600);
    let exited = lab.times(|k| matches!(k, FactKind::ContainerExited { .. }));
    assert_eq!((deleting.len(), exited.len()), (6, 6));
    let drain = exited[0] - deleting[0];
    assert!((300.0..303.0).contains(&drain), "deregistration delay: {drain:.1} s");
}

#[test]
fn a_deployment_that_may_neither_stop_nor_add_a_task_stands_still() {
    let (mut setup, web) = service("ecs", 4, false);
    let v2 = setup.template("web", "app:v2");
    let mut lab = setup.set("maximumPercent", "100").start(1);
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    lab.until(KILL + 3_600);
    let view = lab.view().workload(web);
    assert_eq!((view.updated, view.ready, view.rolling), (0, 4, true));
}

#[test]
fn the_circuit_breaker_ends_a_bad_deployment_and_turns_back_when_told_so() {
    for (rollback, undone) in [("false", 0), ("true", 1)] {
        let (mut setup, web) = service("ecs", 10, false);
        let v2 = setup.template("web", "app:v2");
        let flags = [("deploymentCircuitBreaker.enable", "true"), ("deploymentCircuitBreaker.rollback", rollback)];
        let setup = flags.into_iter().fold(setup, |setup, (flag, value)| setup.set(flag, value));
        let mut lab = setup.start(1);
        lab.world.broken.insert(v2);
        lab.until(KILL);
        lab.command(Operation::Deploy { workload: web, template: v2 });
        lab.until(KILL + 1_200);
        assert_eq!(noted(&lab, Note::CircuitBreaker), 1, "rollback {rollback}");
        assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutUndone { .. })).len(), undone);
        assert_eq!(lab.ready(web), 10, "the old tasks stay");
        let before = created_since(&lab, KILL + 600).len();
        assert_eq!(before, 0, "nothing new is started any more");
    }
}

#[test]
fn without_the_breaker_a_crashing_version_is_started_again_and_again() {
    let (mut setup, web) = service("ecs", 2, false);
    let v2 = setup.template("web", "app:v2");
    let mut lab = setup.start(1);
    lab.world.broken.insert(v2);
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    lab.until(KILL + 600);
    assert!(created_since(&lab, KILL + 500).len() > 10, "a task that ran is replaced without a throttle");
    assert_eq!(lab.ready(web), 2);
}

#[test]
fn draining_keeps_tasks_until_others_are_ready_and_stopped_instances_restart_nothing() {
    let (setup, web) = service("ecs", 6, false);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    let mut fewest = u32::MAX;
    for tenth in 0..300 {
        lab.until_time(Time::from_nanos(KILL * 1_000_000_000 + tenth * 100_000_000));
        let running = lab.view().pods().filter(|p| !p.deleting && p.phase == PodPhase::Ready).count() as u32;
        fewest = fewest.min(running);
    }
    assert_eq!((fewest, lab.on(NodeId(0)).len()), (6, 0));
    assert_eq!(lab.ready(web), 6);
}

#[test]
fn a_port_is_taken_once_an_instance_in_2015_and_never_today() {
    for (profile, running) in [("ecs@2015", 6), ("ecs", 9)] {
        let mut setup = Setup::new(profile).nodes("a", 6);
        let web = setup.deployment("web", 9);
        let template = setup.catalog.workloads[web].template;
        let protocol = setup.catalog.names.intern("TCP");
        let ip = setup.catalog.names.intern("");
        setup.catalog.templates[template].published.push(HostPort { port: 80, protocol, ip });
        let mut lab = setup.start(1);
        lab.until(KILL);
        assert_eq!(lab.ready(web), running, "{profile}");
    }
}

#[test]
fn scaling_in_keeps_zones_even_and_binpack_fills_one_instance() {
    let (setup, web) = service("ecs", 12, false);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Scale { workload: web, replicas: 6 });
    lab.until(KILL + 60);
    let zones = [0, 2, 4].map(|first| nodes(first, 2).map(|n| lab.on(n).len()).sum::<usize>());
    assert_eq!(zones, [2, 2, 2]);
    let (setup, _) = service("ecs", 12, false);
    let mut lab = setup.set("placementStrategy", "binpack:memory").start(1);
    lab.until(KILL);
    assert_eq!(nodes(0, 6).filter(|&n| !lab.on(n).is_empty()).count(), 1);
}
