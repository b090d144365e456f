//! Timelines of standalone Swarm, with figures measured on docker/swarm 1.2.9 over Docker 20.10.
//!
//! Through the loop against the scripted world: who gets what, who is refused, and that nobody is replaced.

use std::collections::BTreeMap;

use crate::script::{Lab, Setup};
use shakedown_engine::fact::{Exit, FactKind, Note};
use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::message::Reach;
use shakedown_engine::model::{Bytes, HostPort, MilliCpu, Resources, RestartPolicy, Rule};
use shakedown_engine::time::Span;

fn group(replicas: u32, change: impl FnOnce(&mut shakedown_engine::model::PodTemplate)) -> (Setup, WorkloadId) {
    let mut setup = Setup::new("swarm-standalone").nodes("a", 4);
    let web = setup.deployment("web", replicas);
    let template = setup.catalog.workloads[web].template;
    let template = &mut setup.catalog.templates[template];
    template.requests = Resources::default();
    change(template);
    (setup, web)
}

fn counts(lab: &Lab) -> Vec<usize> {
    (0..4).map(|node| lab.on(NodeId(node)).len()).collect()
}

fn noted(lab: &Lab, wanted: Note) -> usize {
    lab.all(|k| matches!(k, FactKind::Noted { note, .. } if *note == wanted)).len()
}

/// Measured: 5/5/5/5 three times.
#[test]
fn spread_without_requests_counts_containers() {
    let (setup, web) = group(20, |_| {});
    let mut lab = setup.start(3);
    lab.until(30);
    assert_eq!((counts(&lab), lab.ready(web)), (vec![5; 4], 20));
}

/// Measured: all 20 on one host, a random one.
#[test]
fn binpack_without_requests_has_no_limit_and_begins_anywhere() {
    let mut firsts = BTreeMap::new();
    for seed in 0..20 {
        let (setup, _) = group(20, |_| {});
        let mut lab = setup.set("strategy", "binpack").start(seed);
        lab.until(30);
        let counts = counts(&lab);
        assert_eq!(counts.iter().copied().max(), Some(20), "{counts:?}");
        *firsts.entry(counts).or_insert(0) += 1;
    }
    assert!(firsts.len() > 2, "{firsts:?}");
}

/// Measured: `-c 1` ten times on 4 hosts of 2 CPUs is 8 containers; 5 % of 2 CPUs is nothing.
#[test]
fn who_finds_no_room_is_refused_for_good() {
    let (mut setup, web) = group(10, |t| t.requests = Resources::new(MilliCpu(1_000), Bytes(0)));
    for (_, node) in setup.catalog.nodes.iter_mut() {
        node.allocatable = Resources::new(MilliCpu(2_000), Bytes(24 << 30));
    }
    let mut lab = setup.start(1);
    lab.until(400);
    assert_eq!((lab.ready(web), noted(&lab, Note::NoResourcesAvailable)), (8, 2));
    assert_eq!(lab.all(|k| matches!(k, FactKind::PodCreated { .. })).len(), 10, "nobody tries again");
}

/// Measured: port 8080 five times on 4 hosts: four spread out, the fifth refused.
#[test]
fn a_published_port_is_one_of_the_host() {
    let (mut setup, web) = group(5, |_| {});
    let (names, template) = (&mut setup.catalog.names, setup.catalog.workloads[web].template);
    let port = HostPort { port: 8080, protocol: names.intern("TCP"), ip: names.intern("") };
    setup.catalog.templates[template].published = vec![port];
    let mut lab = setup.start(1);
    lab.until(60);
    assert_eq!((counts(&lab), noted(&lab, Note::NoResourcesAvailable)), (vec![1; 4], 1));
}

#[test]
fn hard_rules_refuse_and_soft_ones_give_way() {
    let run = |rule: &str| {
        let rule = Rule::parse(rule).expect("a rule");
        let (setup, _) = group(4, |t| t.wishes.rules = vec![rule]);
        let mut lab = setup.start(1);
        lab.until(30);
        counts(&lab)
    };
    assert_eq!(run("constraint:node==a2"), [0, 0, 4, 0]);
    assert_eq!(run("constraint:node!=/a[01]/"), [0, 0, 2, 2]);
    assert_eq!(run("constraint:node==b*"), [0; 4]);
    assert_eq!(run("constraint:node==~b*"), [1; 4]);
    assert_eq!(run("affinity:container!=web"), [1; 4]);
    assert_eq!(run("affinity:container==web"), [0; 4], "no first one may come");
}

/// Measured with the manager dead (`sleep 2; exit 1`): starts at 1.3 3.0 5.5 8.3 11.3 15.2 20.7 29.3 s.
#[test]
fn the_engine_restarts_with_waits_that_double_from_a_tenth_of_a_second() {
    let (setup, web) = group(1, |_| {});
    let template = setup.catalog.workloads[web].template;
    let mut lab = setup.start(1);
    lab.world.pace = Some((Span::from_millis(300), Span::from_millis(300)));
    lab.world.exits.insert(template, (Span::from_secs(2), Exit::Crashed));
    lab.until(40);
    let starts = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }));
    let gaps: Vec<f64> = starts.windows(2).map(|w| w[1] - w[0] - 2.3).collect();
    for (gap, want) in gaps.iter().zip([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4]) {
        assert!((gap - want).abs() < 0.001, "{gaps:?}");
    }
}

/// Measured: RestartCount 3, then exited.
#[test]
fn on_failure_three_is_three_restarts_and_then_it_stays_listed() {
    let (setup, web) = group(2, |t| {
        (t.restart, t.restart_attempts) = (RestartPolicy::OnFailure, Some(3));
    });
    let template = setup.catalog.workloads[web].template;
    let mut lab = setup.start(1);
    lab.world.exits.insert(template, (Span::from_secs(2), Exit::Crashed));
    lab.until(200);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ContainerStarted { .. })).len(), 2 * 4);
    assert_eq!(lab.all(|k| matches!(k, FactKind::PodFailed { .. })).len(), 2);
    assert_eq!(lab.all(|k| matches!(k, FactKind::PodCreated { .. })).len(), 2, "nobody replaces them");
    assert_eq!(counts(&lab).iter().sum::<usize>(), 2, "they stay listed");
}

/// Measured: after a power cut the ones that run always run again, the others stay as they are.
#[test]
fn after_a_power_cut_the_engine_starts_what_runs_always() {
    for (restart, running) in [(RestartPolicy::Always, 4), (RestartPolicy::Never, 3)] {
        let (setup, web) = group(4, |t| t.restart = restart);
        let mut lab = setup.start(1);
        lab.until(60);
        lab.kill([NodeId(1)]);
        lab.until(70);
        lab.boot([NodeId(1)]);
        lab.until(200);
        assert_eq!(lab.ready(web), running, "{restart:?}");
        assert_eq!(lab.all(|k| matches!(k, FactKind::PodCreated { .. })).len(), 4);
    }
}

const FAULT: u64 = 500;

/// Times from a fault to Unhealthy over seeds, sorted.
fn detections(reach: Reach) -> Vec<f64> {
    let mut all = Vec::new();
    for seed in 0..300 {
        let (setup, _) = group(4, |_| {});
        let mut lab = setup.start(seed);
        lab.until(FAULT);
        lab.reach(NodeId(1), reach);
        lab.until(FAULT + 400);
        all.push(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0] - FAULT as f64);
    }
    all.sort_by(f64::total_cmp);
    all
}

/// Measured: refused 91-140 s, mean 114; same wire 118-177, mean 151; black hole and hung 171-221, mean about 205.
#[test]
fn detection_takes_as_long_as_three_polls_and_what_each_costs() {
    for (reach, low, high, mean) in [
        (Reach::Refused, 60.0, 180.0, 113.0),
        (Reach::Unreachable, 96.0, 243.0, 150.7),
        (Reach::Silent, 150.0, 270.0, 203.0),
        (Reach::Hung, 150.0, 270.0, 203.0),
    ] {
        let all = detections(reach);
        let sum: f64 = all.iter().sum();
        assert!(all[0] >= low && all[299] <= high, "{reach:?}: {} to {}", all[0], all[299]);
        assert!((sum / 300.0 - mean).abs() < 5.0, "{reach:?}: mean {}", sum / 300.0);
    }
}

/// Measured: a hung engine is back 0.04-0.1 s after SIGCONT; before, no waiting for a poll helps.
#[test]
fn a_hung_engine_is_back_as_soon_as_it_runs_if_a_question_waits_for_it() {
    let mut soon = 0;
    for seed in 0..20 {
        let (setup, _) = group(4, |_| {});
        let mut lab = setup.start(seed);
        lab.until(FAULT);
        lab.reach(NodeId(1), Reach::Hung);
        lab.until(FAULT + 400);
        lab.reach(NodeId(1), Reach::Open);
        lab.until(FAULT + 500);
        let back = lab.times(|k| matches!(k, FactKind::NodeHealthy { .. }))[0] - (FAULT + 400) as f64;
        soon += u32::from(back < 0.1);
    }
    assert_eq!(soon, 20);
}

fn labelled() -> (Setup, WorkloadId) {
    let (mut setup, web) = group(8, |_| {});
    setup.catalog.workloads[web].wishes.lost.reschedule = Some(true);
    (setup, web)
}

/// Measured: in the same second, one after the other, 0.28 s each; without the label never.
#[test]
fn only_labelled_containers_are_moved_one_after_the_other() {
    let (setup, web) = labelled();
    let mut lab = setup.start(1);
    lab.until(FAULT);
    lab.kill([NodeId(1)]);
    lab.until(FAULT + 300);
    let down = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0];
    let made = lab.times(|k| matches!(k, FactKind::PodCreated { .. }));
    assert_eq!(made.len(), 8 + 2);
    assert!(made[8] - down < 0.1 && (made[9] - made[8] - 0.28).abs() < 0.001, "{:?} after {down}", &made[8..]);
    assert_eq!(lab.ready(web), 8);
    lab.boot([NodeId(1)]);
    lab.until(FAULT + 800);
    assert_eq!((lab.ready(web), lab.on(NodeId(1)).len()), (8, 0), "the old copies are gone, nothing moves back");

    let (setup, _) = group(8, |_| {});
    let mut lab = setup.start(1);
    lab.until(FAULT);
    lab.kill([NodeId(1)]);
    lab.until(FAULT + 3000);
    assert_eq!(lab.all(|k| matches!(k, FactKind::PodCreated { .. })).len(), 8, "nobody moves them");
}

/// Source and measurement: `Failed to reschedule`, put back, and not tried again when the host is back.
#[test]
fn who_finds_no_other_node_is_put_back_and_runs_on_when_its_own_returns() {
    let (mut setup, web) = labelled();
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].wishes.rules = vec![Rule::parse("constraint:node==a1").expect("a rule")];
    let mut lab = setup.start(1);
    lab.until(FAULT);
    lab.kill([NodeId(1)]);
    lab.until(FAULT + 300);
    assert_eq!(noted(&lab, Note::FailedToReschedule), 8);
    lab.boot([NodeId(1)]);
    lab.until(FAULT + 800);
    assert_eq!((lab.ready(web), lab.on(NodeId(1)).len()), (8, 8));
}

/// Measured twice: what a clean stop had ended is moved and not started, and the originals that the engine starts again
/// when it is back are removed as duplicates of copies that never ran.
#[test]
fn a_clean_stop_that_outlasts_detection_ends_with_nothing_running() {
    let (setup, web) = labelled();
    let mut lab = setup.start(1);
    lab.until(FAULT);
    lab.stop_engine(NodeId(1));
    lab.until(FAULT + 20);
    lab.kill([NodeId(1)]);
    lab.until(FAULT + 300);
    assert_eq!(noted(&lab, Note::CreatedNotStarted), 2);
    assert_eq!(lab.ready(web), 6);
    lab.boot([NodeId(1)]);
    lab.until(FAULT + 900);
    assert_eq!(noted(&lab, Note::DuplicateRemoved), 2);
    assert_eq!((lab.ready(web), lab.on(NodeId(1)).len()), (6, 0), "until somebody starts them");
}
