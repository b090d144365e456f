//! Autoscalers of replicas and of machines through the loop.
//!
//! The scripted world answers what pods use and boots machines; how much is recommended is tested in
//! `engine/src/scaling`. Start at [`web`] and [`cluster`].

use shakedown_engine::fact::{FactKind, Note, Subject};
use shakedown_engine::ids::{NodeId, PodId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{
    Amount, AutoscalerSpec, Bytes, MetricTarget, MilliCpu, PoolSpec, Resources, ScalingPolicy, ScalingRules,
};
use shakedown_engine::time::Span;

use crate::script::{Lab, Setup};

fn rules(window: Span, policies: &[(Amount, u64)]) -> ScalingRules {
    let policy = |&(amount, period): &(Amount, u64)| ScalingPolicy { amount, period: Span::from_secs(period) };
    ScalingRules { window, tolerance: None, policies: policies.iter().map(policy).collect(), largest: true }
}

/// A deployment that is held at half of its CPU requests of 100m, with the default habits.
fn web(replicas: u32, metrics: Vec<MetricTarget>) -> (Lab, WorkloadId) {
    let mut setup = Setup::new("kubernetes").nodes("a", 4);
    let web = setup.deployment("web", replicas);
    let names = &mut setup.catalog.names;
    let (name, namespace) = (names.intern("web"), names.intern("default"));
    setup.catalog.autoscalers.push(AutoscalerSpec {
        name,
        namespace,
        target: Some(web),
        target_name: name,
        min: 2,
        max: 20,
        metrics,
        plain: false,
        up: rules(Span::ZERO, &[(Amount::Count(4), 15), (Amount::Percent(100), 15)]),
        // The longest span stands for what the cluster is set to.
        down: rules(Span::MAX, &[(Amount::Percent(100), 15)]),
    });
    (setup.start(3), web)
}

fn moves(lab: &Lab) -> Vec<(f64, u32, u32)> {
    let all = lab.all(|k| matches!(k, FactKind::AutoscalerMoved { .. }));
    let one = |f: &shakedown_engine::fact::Fact| match f.kind {
        FactKind::AutoscalerMoved { from, to, .. } => (f.at.as_secs_f64(), from, to),
        _ => unreachable!("only these were asked for"),
    };
    all.iter().map(one).collect()
}

#[test]
fn load_is_followed_up_at_once_and_down_after_five_minutes() {
    let (mut lab, web) = web(2, vec![MetricTarget::CpuUtilization(50)]);
    lab.world.cpu_all = Some(50);
    lab.until(600);
    assert_eq!(moves(&lab), [], "on target");
    lab.world.cpu_all = Some(100);
    lab.until(616);
    let got = moves(&lab);
    assert_eq!((got[0].1, got[0].2), (2, 4), "twice the load, twice the pods");
    lab.until(2_000);
    assert_eq!(lab.view().workload(web).desired, 20, "the load of each stays, whatever there is");
    lab.world.cpu_all = Some(10);
    lab.until(3_000);
    let down = moves(&lab).into_iter().find(|m| m.1 == 20).expect("it shrinks");
    assert_eq!(down.2, 4, "10 of 50 percent with 20 pods");
    assert!((2_294.0..2_297.0).contains(&down.0), "after the window of 300 s: {}", down.0);
}

#[test]
fn without_metrics_nothing_moves_and_it_is_told_once() {
    let (mut lab, web) = web(3, vec![MetricTarget::CpuUtilization(50)]);
    lab.until(600);
    assert_eq!(lab.view().workload(web).desired, 3);
    let note =
        |k: &FactKind| matches!(k, FactKind::Noted { subject: Subject::Autoscaler(_), note: Note::FailedGetMetrics });
    assert_eq!(lab.times(note).len(), 1);
}

#[test]
fn with_one_metric_missing_it_grows_but_does_not_shrink() {
    let (mut lab, web) = web(4, vec![MetricTarget::CpuUtilization(50), MetricTarget::Missing]);
    lab.world.cpu_all = Some(10);
    lab.until(1_200);
    assert_eq!(lab.view().workload(web).desired, 4);
    lab.world.cpu_all = Some(80);
    lab.until(1_230);
    assert!(lab.view().workload(web).desired > 4);
}

#[test]
fn bounds_hold_whatever_is_asked_for_by_hand() {
    let (mut lab, web) = web(2, vec![MetricTarget::CpuUtilization(50)]);
    lab.until(100);
    lab.command(Operation::Scale { workload: web, replicas: 30 });
    lab.until(120);
    assert_eq!(lab.view().workload(web).desired, 20);
    lab.command(Operation::Scale { workload: web, replicas: 0 });
    lab.until(300);
    assert_eq!(lab.view().workload(web).desired, 0, "scaled to nothing by hand");
}

#[test]
fn pods_that_start_do_not_make_it_run_away() {
    let (mut lab, web) = web(2, vec![MetricTarget::CpuUtilization(50)]);
    lab.world.cpu_of = (0..2).map(|i| (PodId(i), 100)).collect();
    lab.world.cpu_all = None;
    lab.until(400);
    // Two busy pods, two without a sample: taken for idle, the four are on target.
    assert_eq!(lab.view().workload(web).desired, 4);
}

/// One node that is always there and a group of up to five of 4 cores.
fn cluster(replicas: u32, cpu: i64) -> (Lab, WorkloadId) {
    let mut setup = Setup::new("kubernetes").nodes("a", 6);
    let names = &mut setup.catalog.names;
    let name = names.intern("workers");
    let pool = setup.catalog.pools.push(PoolSpec {
        name,
        min: 0,
        max: 5,
        boot: Span::from_secs(90),
        allocatable: Resources::new(MilliCpu(4_000), Bytes(16 << 30)),
    });
    for (_, node) in setup.catalog.nodes.iter_mut().skip(1) {
        (node.pool, node.at_start) = (Some(pool), false);
    }
    let web = setup.deployment("web", replicas);
    let template = setup.catalog.workloads[web].template;
    let template = &mut setup.catalog.templates[template];
    let requests = Resources::new(MilliCpu(cpu), Bytes(128 << 20));
    template.containers[0].requests = requests.clone();
    template.requests = requests;
    template.score_cpu = MilliCpu(cpu);
    (setup.start(5), web)
}

fn pool_moves(lab: &Lab) -> Vec<(u64, u32, u32)> {
    let all = lab.all(|k| matches!(k, FactKind::PoolScaled { .. }));
    let one = |f: &shakedown_engine::fact::Fact| match f.kind {
        FactKind::PoolScaled { from, to, .. } => (f.at.as_nanos() / 1_000_000_000, from, to),
        _ => unreachable!("only these were asked for"),
    };
    all.iter().map(one).collect()
}

#[test]
fn machines_come_for_pods_without_a_place_and_no_more_than_needed() {
    let (mut lab, web) = cluster(7, 1_900);
    lab.until(60);
    assert_eq!(pool_moves(&lab), [(10, 0, 3)], "two pods fit the node, five need three machines");
    lab.until(130);
    assert_eq!(lab.ready(web), 7);
    lab.until(3_600);
    assert_eq!(
        pool_moves(&lab).len(),
        1,
        "nothing is under-used: the last one is at 47 % and its pod fits nowhere else"
    );
}

#[test]
fn machines_go_when_nobody_needs_them() {
    let (mut lab, web) = cluster(6, 1_900);
    lab.until(200);
    assert_eq!(lab.ready(web), 6);
    lab.command(Operation::Scale { workload: web, replicas: 2 });
    lab.until(3_000);
    let moves = pool_moves(&lab);
    assert_eq!(moves.last().map(|m| m.2), Some(0), "{moves:?}");
    let first = moves[1].0;
    assert!((800..=840).contains(&first), "ten minutes after they became idle: {first}");
    assert_eq!(lab.ready(web), 2);
    assert_eq!(lab.view().contradictions(), [""; 0]);
    assert_eq!(lab.engine.planned(), 0, "silence costs nothing");
}

#[test]
fn pods_that_fit_no_machine_are_told_of_once() {
    let (mut lab, _) = cluster(1, 5_000);
    lab.until(600);
    assert_eq!(pool_moves(&lab), []);
    let note = |k: &FactKind| matches!(k, FactKind::Noted { subject: Subject::Pod(_), note: Note::NotTriggerScaleUp });
    assert_eq!(lab.times(note).len(), 1);
}

#[test]
fn a_machine_that_does_not_come_is_given_back_and_its_group_left_alone() {
    let (mut lab, _) = cluster(3, 1_900);
    lab.world.lost_machines.extend((1..6).map(NodeId));
    lab.until(2_000);
    let moves = pool_moves(&lab);
    assert_eq!(moves[..2], [(10, 0, 1), (910, 1, 0)]);
    assert!(moves[2].0 >= 1_210, "after five minutes it is asked again: {moves:?}");
}

#[test]
fn a_machine_whose_pod_fits_nowhere_else_stays() {
    let (mut lab, web) = cluster(6, 1_900);
    lab.until(200);
    lab.command(Operation::Scale { workload: web, replicas: 3 });
    lab.until(3_000);
    // One of three pods is left over beyond the node that is always there.
    let there = (1..6).filter(|&i| lab.view().node(NodeId(i)).exists).count();
    assert_eq!(there, 1);
    assert_eq!(lab.ready(web), 3);
}
