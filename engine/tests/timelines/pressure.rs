//! Node pressure seen from the control plane: evicted pods are replaced, the node is marked, and the mark is held.

use crate::script::{Lab, Setup};
use shakedown_engine::fact::{Deletion, FactKind, Note, Pressure};
use shakedown_engine::ids::NodeId;
use shakedown_engine::message::Operation;

const SHORT: NodeId = NodeId(0);

fn count(lab: &Lab, kind: fn(&FactKind) -> bool) -> usize {
    lab.times(kind).len()
}

fn evicted(kind: &FactKind) -> bool {
    matches!(kind, FactKind::Noted { note: Note::Evicted, .. })
}

/// A deployment over two nodes; the first one runs short of memory at 60 s and one pod is evicted.
fn one_eviction(setup: Setup, seed: u64) -> Lab {
    let mut setup = setup.nodes("a", 2);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(seed);
    lab.until(60);
    lab.shortage(SHORT, 50 << 20);
    let mut now = 60;
    while count(&lab, evicted) == 0 {
        now += 1;
        assert!(now <= 70, "the agent looks every 10 s");
        lab.until(now);
    }
    lab.world.available.clear();
    lab.until(now + 12);
    assert_eq!(lab.ready(web), 6);
    lab
}

#[test]
fn an_evicted_pod_fails_with_its_mark_and_its_controller_replaces_it() {
    for seed in 0..10 {
        let lab = one_eviction(Setup::new("kubernetes"), seed);
        let kinds: Vec<FactKind> = lab.facts.facts().iter().map(|fact| fact.kind).collect();
        let marked = |k: &FactKind| matches!(k, FactKind::PodDisrupted { why: Deletion::NodePressure, .. });
        let place = kinds.iter().position(marked).expect("it is marked");
        assert!(matches!(kinds[place + 1], FactKind::PodFailed { .. }), "seed {seed}");
        assert_eq!(count(&lab, |k| matches!(k, FactKind::PodFailed { .. })), 1, "seed {seed}");
        assert_eq!(count(&lab, |k| matches!(k, FactKind::PodCreated { .. })), 7, "seed {seed}");
        assert!(lab.view().contradictions().is_empty());
    }
}

#[test]
fn new_pods_avoid_the_node_for_five_minutes_and_then_nothing_is_left_to_do() {
    for seed in 0..5 {
        let mut lab = one_eviction(Setup::new("kubernetes"), seed);
        let before = lab.on(SHORT).len();
        let workload = shakedown_engine::ids::WorkloadId(0);
        lab.command(Operation::Scale { workload, replicas: 20 });
        lab.until(120);
        assert_eq!((lab.ready(workload), lab.on(SHORT).len()), (20, before), "seed {seed}");
        lab.until(500);
        let on = lab.times(|k| matches!(k, FactKind::NodePressure { pressure: Pressure::Memory, on: true, .. }));
        let off = lab.times(|k| matches!(k, FactKind::NodePressure { pressure: Pressure::Memory, on: false, .. }));
        assert_eq!((on.len(), off.len()), (1, 1), "seed {seed}");
        assert!((290.0..=330.0).contains(&(off[0] - on[0])), "seed {seed}: {on:?} {off:?}");
        assert_eq!(lab.engine.next_wake(), None, "silence costs nothing");
        lab.command(Operation::Scale { workload, replicas: 40 });
        lab.until(560);
        assert!(lab.on(SHORT).len() > before, "seed {seed}: the mark is gone");
        assert!(lab.view().contradictions().is_empty());
    }
}

#[test]
fn a_node_that_reboots_under_pressure_reports_that_it_is_over() {
    let mut lab = one_eviction(Setup::new("kubernetes"), 3);
    lab.kill([SHORT]);
    lab.until(100);
    lab.boot([SHORT]);
    lab.until(130);
    assert_eq!(count(&lab, |k| matches!(k, FactKind::NodePressure { on: false, .. })), 1);
}

#[test]
fn a_release_without_eviction_by_kubelet_leaves_that_to_the_kernel() {
    let mut setup = Setup::new("kubernetes@1.2").nodes("a", 2);
    setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(60);
    lab.shortage(SHORT, 1 << 20);
    lab.until(600);
    assert_eq!(count(&lab, evicted), 0);
}
