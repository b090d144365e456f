//! Nomad's clients and allocations over time, as recorded on 1.1.2 and as the source has it.
//!
//! Placement is in `scheduling.rs`. Times come from `docs/fidelity-nomad.md`; start at any test.

use shakedown_engine::fact::{FactKind, Note};
use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{Details, RestartPolicy, Survivor, UpdateWish, WorkloadKind};
use shakedown_engine::time::Span;

use crate::script::*;

fn jobs(seed: u64, n: usize, broken: bool) -> Lab {
    let mut setup = Setup::new("nomad").nodes("dc1", n);
    setup.deployment("web", 1);
    let template = setup.catalog.templates.ids().next().expect("the job has one");
    let mut lab = setup.start(seed);
    if broken {
        lab.world.broken.insert(template);
    }
    lab
}

#[test]
fn a_service_is_restarted_twice_with_jitter_and_then_fails() {
    let mut lab = jobs(3, 3, true);
    lab.until(39);
    let starts = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }));
    let ends = lab.times(|k| matches!(k, FactKind::ContainerExited { .. }));
    assert_eq!(starts.len(), 3, "{starts:?}");
    for (next, end) in starts[1..].iter().zip(&ends) {
        let wait = next - end - START.as_nanos() as f64 / 1e9;
        assert!((15.0..=18.75).contains(&wait), "{wait}");
    }
    let failed = lab.times(|k| matches!(k, FactKind::PodFailed { .. }));
    assert_eq!(failed.len(), 1);
    let known = failed[0] - ends[2];
    assert!((0.0..0.26).contains(&known), "clients report once in 200 ms: {known}");
}

#[test]
fn a_larger_cluster_grants_more_time() {
    let down = |n, seed| {
        let mut lab = jobs(seed, n, false);
        lab.until(1_000);
        lab.kill(nodes(0, 1));
        lab.until(2_000);
        lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0] - 1_000.0
    };
    for seed in 0..5 {
        assert!((10.0..30.5).contains(&down(3, seed)));
    }
    assert!((0..5).map(|seed| down(2_500, seed)).any(|t| t > 30.5), "50 s to 100 s of time to live");
}

/// A job of ten at work for a minute, and a second version of it.
fn rolling(wish: UpdateWish, broken: bool) -> (Lab, WorkloadId) {
    let mut setup = Setup::new("nomad").nodes("dc1", 6);
    let web = setup.deployment("web", 10);
    let next = setup.template("web", "app:v2");
    setup.catalog.workloads[web].wishes.update = wish;
    let mut lab = setup.start(11);
    lab.world.pace = Some((Span::from_millis(40), Span::from_millis(10)));
    if broken {
        lab.world.broken.insert(next);
    }
    lab.until(60);
    assert_eq!(lab.ready(web), 10);
    lab.command(Operation::Deploy { workload: web, template: next });
    (lab, web)
}

/// When old allocations were stopped, in seconds after the submission, and how many at a time.
fn steps(lab: &Lab) -> Vec<(f64, usize)> {
    let stops = lab.times(|k| matches!(k, FactKind::PodDeleting { .. }));
    let mut steps: Vec<(f64, usize)> = Vec::new();
    for at in stops.into_iter().filter(|at| *at >= 60.0) {
        match steps.last_mut() {
            Some(last) if at - 60.0 - last.0 < 0.2 => last.1 += 1,
            _ => steps.push((at - 60.0, 1)),
        }
    }
    steps
}

fn note(lab: &Lab, wanted: Note) -> Vec<f64> {
    let all = lab.times(|k| matches!(k, FactKind::Noted { note, .. } if *note == wanted));
    all.into_iter().filter(|at| *at >= 60.0).map(|at| at - 60.0).collect()
}

#[test]
fn an_update_takes_a_step_after_each_healthy_batch() {
    let (mut lab, web) = rolling(UpdateWish::default(), false);
    lab.until(300);
    let steps = steps(&lab);
    assert_eq!(steps.len(), 10, "{steps:?}");
    for pair in steps.windows(2) {
        let step = pair[1].0 - pair[0].0;
        assert!((11.0..12.1).contains(&step), "recorded 11.3 to 11.9 s: {steps:?}");
    }
    assert!(lab.facts.facts().iter().any(|f| matches!(f.kind, FactKind::RolloutCompleted { .. })));
    assert_eq!(lab.ready(web), 10);
    assert_eq!(lab.view().contradictions(), Vec::<String>::new());
    let (mut lab, _) = rolling(UpdateWish { parallelism: Some(3), ..UpdateWish::default() }, false);
    lab.until(300);
    assert_eq!(self::steps(&lab).iter().map(|s| s.1).collect::<Vec<_>>(), [3, 3, 3, 1]);
}

#[test]
fn a_failing_update_fails_at_its_progress_deadline_or_at_the_first_unhealthy_allocation() {
    let wish = |progress: u64, revert| UpdateWish {
        healthy_deadline: Some(Span::from_secs(30)),
        progress_deadline: Some(Span::from_secs(progress)),
        auto_revert: Some(revert),
        ..UpdateWish::default()
    };
    let (mut lab, _) = rolling(wish(120, false), true);
    lab.until(240);
    let failed = note(&lab, Note::ProgressDeadline);
    assert!(matches!(failed[..], [at] if (120.0..120.6).contains(&at)), "recorded 120.4: {failed:?}");
    let unhealthy = note(&lab, Note::Unhealthy);
    assert!((30.0..31.0).contains(&unhealthy[0]) && (92.0..98.0).contains(&unhealthy[1]), "{unhealthy:?}");
    let stops = steps(&lab);
    assert_eq!(stops.len(), 1, "nine of ten old ones go on: {stops:?}");
    let (mut lab, web) = rolling(wish(0, true), true);
    lab.until(240);
    let failed = note(&lab, Note::UnhealthyAllocations);
    assert!(matches!(failed[..], [at] if (30.0..31.2).contains(&at)), "recorded 30.4: {failed:?}");
    let undone = lab.times(|k| matches!(k, FactKind::RolloutUndone { .. }))[0] - 60.0;
    assert!(undone - failed[0] < 0.5);
    let done = lab.times(|k| matches!(k, FactKind::RolloutCompleted { .. }));
    assert!(done.iter().any(|at| (41.0..44.0).contains(&(at - 60.0))), "recorded 42.1: {done:?}");
    assert_eq!(lab.ready(web), 10);
    assert_eq!(lab.view().contradictions(), Vec::<String>::new());
}

#[test]
fn canaries_wait_for_promotion_and_then_the_rest_follows() {
    let canary =
        |auto| UpdateWish { canary: Some(1), parallelism: Some(2), auto_promote: Some(auto), ..UpdateWish::default() };
    let (mut lab, web) = rolling(canary(false), false);
    lab.until(120);
    assert_eq!((steps(&lab).len(), lab.ready(web)), (0, 11), "the canary runs beside the ten");
    lab.command(Operation::Promote { workload: web });
    lab.until(300);
    let counts: Vec<usize> = steps(&lab).iter().map(|s| s.1).collect();
    assert_eq!(counts.iter().sum::<usize>(), 10, "{counts:?}");
    assert_eq!(lab.ready(web), 10);
    let (mut lab, _) = rolling(canary(true), false);
    lab.until(300);
    let promoted = note(&lab, Note::Promoted);
    assert!(matches!(promoted[..], [at] if (10.0..11.2).contains(&at)), "recorded 10.59: {promoted:?}");
}

#[test]
fn a_crash_loop_is_rescheduled_after_waits_that_double_on_other_nodes() {
    let mut lab = jobs(5, 4, true);
    lab.until(600);
    let created = lab.times(|k| matches!(k, FactKind::PodCreated { .. }));
    let failed = lab.times(|k| matches!(k, FactKind::PodFailed { .. }));
    let waits: Vec<f64> = created[1..].iter().zip(&failed).map(|(c, f)| c - f).collect();
    for (wait, want) in waits.iter().zip([30.0, 60.0, 120.0]) {
        assert!((want - 0.5..want + 1.7).contains(wait), "{waits:?}");
    }
    let nodes: Vec<NodeId> = lab
        .all(|k| matches!(k, FactKind::PodBound { .. }))
        .iter()
        .filter_map(|f| match f.kind {
            FactKind::PodBound { node, .. } => Some(node),
            _ => None,
        })
        .collect();
    assert!(nodes.len() >= 4, "{nodes:?}");
}

#[test]
fn a_drain_moves_one_at_a_time_and_the_deadline_takes_the_rest() {
    let mut setup = Setup::new("nomad").nodes("dc1", 3).set("drain-deadline", "60s");
    let web = setup.deployment("web", 9);
    let mut lab = setup.start(2);
    lab.world.pace = Some((Span::from_millis(40), Span::from_millis(10)));
    lab.until(60);
    let leaving = lab.on(NodeId(0)).len();
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    lab.until(200);
    let steps = steps(&lab);
    assert_eq!(steps.iter().map(|s| s.1).sum::<usize>(), leaving, "{steps:?}");
    assert!((1.0..1.5).contains(&steps[0].0), "recorded 1.36: {steps:?}");
    for pair in steps.windows(2) {
        assert!((11.0..12.1).contains(&(pair[1].0 - pair[0].0)) || pair[1].0 > 60.0, "recorded 11.8: {steps:?}");
    }
    assert_eq!(lab.ready(web), 9);
    assert_eq!(lab.on(NodeId(0)), vec![]);
    assert_eq!(note(&lab, Note::Drained).len(), 1);
}

#[test]
fn fewer_replicas_stop_the_highest_indexes_in_one_plan() {
    let mut setup = Setup::new("nomad").nodes("dc1", 6);
    let web = setup.deployment("web", 30);
    let mut lab = setup.start(4);
    lab.world.pace = Some((Span::from_millis(40), Span::from_millis(10)));
    lab.until(60);
    lab.command(Operation::Scale { workload: web, replicas: 10 });
    lab.until(70);
    let mut left: Vec<u32> = lab.view().pods().map(|p| lab.view().slot(p.id)).collect();
    left.sort_unstable();
    assert_eq!(left, (0..10).collect::<Vec<_>>());
    assert_eq!(steps(&lab).len(), 1);
}

#[test]
fn lost_allocations_are_replaced_at_once_and_the_old_ones_stop_when_their_node_is_back() {
    let mut setup = Setup::new("nomad").nodes("dc1", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(4);
    lab.until(60);
    let old = lab.on(NodeId(0));
    lab.cut(nodes(0, 1));
    lab.until(120);
    let down = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0];
    let again = lab.times(|k| matches!(k, FactKind::PodCreated { .. }));
    assert!(again.iter().filter(|at| **at > down).all(|at| at - down < 0.5), "{down} {again:?}");
    lab.heal();
    lab.until(180);
    let gone = lab.view().pods().filter(|p| old.contains(&p.id)).count();
    assert_eq!((gone, lab.ready(web)), (0, 6));
}

#[test]
fn an_allocation_that_may_be_unknown_survives_a_partition() {
    let mut setup = Setup::new("nomad").nodes("dc1", 3);
    let web = setup.deployment("web", 6);
    setup.catalog.workloads[web].wishes.lost.lost_after = Some(Span::from_secs(600));
    setup.catalog.workloads[web].wishes.lost.reconcile = Some(Survivor::Original);
    let mut lab = setup.start(4);
    lab.until(60);
    let old = lab.on(NodeId(0));
    assert!(!old.is_empty());
    lab.cut(nodes(0, 1));
    lab.until(120);
    assert_eq!(lab.ready(web) as usize, 6 + old.len(), "replaced meanwhile");
    lab.heal();
    lab.until(180);
    let kept = lab.view().pods().filter(|p| old.contains(&p.id) && !p.deleting).count();
    assert_eq!((kept, lab.ready(web)), (old.len(), 6));
    assert_eq!(lab.view().contradictions(), Vec::<String>::new());
}

#[test]
fn a_batch_job_is_rescheduled_once_and_then_has_failed() {
    let mut setup = Setup::new("nomad").nodes("dc1", 3);
    let job = setup.deployment("sum", 1);
    setup.catalog.workloads[job].kind = WorkloadKind::Job;
    setup.catalog.workloads[job].details = Details::Job(crate::jobs::job(1, 1));
    let template = setup.catalog.workloads[job].template;
    setup.catalog.templates[template].restart = RestartPolicy::OnFailure;
    let mut lab = setup.start(8);
    lab.world.broken.insert(template);
    lab.until(600);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ContainerStarted { .. })).len(), 8, "4 of each allocation");
    assert_eq!(lab.times(|k| matches!(k, FactKind::JobFailed { .. })).len(), 1);
}
