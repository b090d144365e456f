//! Timelines of standalone Swarm, with figures measured on docker/swarm 1.2.9 over Docker 20.10.
//!
//! Through the loop against the scripted world: who gets what, who is refused, and that nobody is replaced.

use std::collections::BTreeMap;

use crate::script::{Lab, Setup};
use shakedown_engine::fact::{Exit, FactKind, Note};
use shakedown_engine::ids::{NodeId, WorkloadId};
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
