//! Node objects that are deleted: who notices, when the pods are given up, and how a node comes back.

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::fact::{Deletion, FactKind};
use shakedown_engine::ids::NodeId;
use shakedown_engine::message::Operation;
use shakedown_engine::time::{Span, Time};

const KILL: u64 = 120;
const VICTIM: NodeId = NodeId(0);

fn remove(lab: &mut Lab, nodes: impl IntoIterator<Item = NodeId>) {
    lab.command(Operation::RemoveNode { nodes: nodes.into_iter().collect() });
}

fn collected(lab: &Lab) -> Vec<f64> {
    lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::GarbageCollected, .. }))
}

fn count(lab: &Lab, kind: fn(&FactKind) -> bool) -> usize {
    lab.times(kind).len()
}

fn agrees(lab: &Lab) {
    let wrong = lab.view().contradictions();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pods_of_a_removed_node_are_replaced_after_the_quarantine_instead_of_the_toleration() {
    for seed in 0..20 {
        let mut setup = Setup::new("kubernetes").nodes("a", 3);
        let web = setup.deployment("web", 9);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        let lost = lab.on(VICTIM);
        assert_eq!(lost.len(), 3);
        lab.kill([VICTIM]);
        lab.until(KILL + 60);
        remove(&mut lab, [VICTIM]);
        lab.until(KILL + 130);
        let created = lab.times(|k| matches!(k, FactKind::PodCreated { .. }));
        for at in &created[9..] {
            let after = at - (KILL + 60) as f64;
            assert!((40.0..60.2).contains(&after), "seed {seed}: created {after} s after the removal");
        }
        assert_eq!((created.len(), collected(&lab).len()), (12, 3), "seed {seed}");
        assert!(lost.iter().all(|&pod| lab.view().pod(pod).is_none()), "a forced deletion leaves nothing behind");
        assert_eq!(lab.ready(web), 9);
        agrees(&lab);
        lab.until(KILL + 1_000);
        assert_eq!(count(&lab, |k| matches!(k, FactKind::PodCreated { .. })), 12, "the toleration ends for nobody");
        assert_eq!(lab.engine.next_wake(), None, "the collector sleeps again");
    }
}

#[test]
fn the_collector_looks_on_a_grid_that_can_be_set() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3).set("pod-gc-period", "1s");
    setup.deployment("web", 3);
    let mut lab = setup.start(1);
    lab.until(KILL);
    remove(&mut lab, [VICTIM]);
    lab.until(KILL + 60);
    let after = collected(&lab)[0] - KILL as f64;
    assert!((40.0..41.1).contains(&after), "{after}");
}

#[test]
fn a_killed_and_removed_node_is_part_of_the_cluster_again_when_it_boots() {
    for (profile, wait) in [("kubernetes", 10), ("kubernetes", 300), ("swarm", 2), ("swarm", 300)] {
        let mut setup = Setup::new(profile).nodes("a", 2);
        let web = setup.deployment("web", 6);
        let mut lab = setup.start(1);
        lab.until(KILL);
        lab.kill([VICTIM]);
        lab.until(KILL + 1);
        remove(&mut lab, [VICTIM]);
        lab.until(KILL + wait);
        assert!(!lab.view().node(VICTIM).exists);
        lab.boot([VICTIM]);
        lab.until(KILL + wait + 400);
        let node = lab.view().node(VICTIM);
        assert!(node.exists && node.healthy, "{profile} after {wait} s");
        assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeRegistered { .. })), 3);
        assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeUnhealthy { .. })), 0, "it is heard from its boot on");
        lab.command(Operation::Scale { workload: web, replicas: 20 });
        lab.until(KILL + wait + 500);
        assert_eq!(lab.ready(web), 20);
        assert!(lab.on(VICTIM).len() >= 8, "it takes its share of new pods");
        agrees(&lab);
    }
}

#[test]
fn a_node_that_registers_within_the_quarantine_keeps_its_pods() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    let before = lab.on(VICTIM);
    lab.kill([VICTIM]);
    remove(&mut lab, [VICTIM]);
    lab.until(KILL + 20);
    lab.boot([VICTIM]);
    lab.until(KILL + 600);
    assert_eq!((collected(&lab).len(), lab.on(VICTIM)), (0, before));
    assert_eq!(lab.ready(web), 6);
    assert_eq!(lab.engine.next_wake(), None);
}

#[test]
fn a_running_node_that_is_removed_stops_what_was_collected_and_stays_away_until_its_agent_starts() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    remove(&mut lab, [VICTIM]);
    lab.until(KILL + 39);
    assert_eq!((lab.ready(web), lab.on(VICTIM).len()), (6, 2), "they go on running");
    lab.until(KILL + 90);
    assert_eq!((lab.ready(web), lab.on(VICTIM).len()), (6, 0));
    assert_eq!(count(&lab, |k| matches!(k, FactKind::ContainerExited { .. })), 2, "its agent sees them vanish");
    lab.cut([VICTIM]);
    lab.until(KILL + 100);
    lab.heal();
    lab.until(KILL + 300);
    assert!(!lab.view().node(VICTIM).exists, "an agent that only reconnects does not register");
    assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeUnhealthy { .. })), 0, "nobody watches it");
    lab.kill([VICTIM]);
    lab.boot([VICTIM]);
    lab.until(KILL + 310);
    assert!(lab.view().node(VICTIM).exists);
    agrees(&lab);
}

#[test]
fn an_agent_that_boots_while_it_is_cut_off_registers_when_it_is_heard() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.cut([VICTIM]);
    lab.kill([VICTIM]);
    remove(&mut lab, [VICTIM]);
    lab.until(KILL + 20);
    lab.boot([VICTIM]);
    lab.until(KILL + 200);
    assert!(!lab.view().node(VICTIM).exists);
    lab.heal();
    lab.until(KILL + 400);
    let node = lab.view().node(VICTIM);
    assert!(node.exists && node.healthy);
    assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeUnhealthy { .. })), 0);
}

#[test]
fn a_node_that_registers_and_dies_at_once_is_found_silent() {
    for millis in [0, 1, 2, 50, 5_000] {
        let mut setup = Setup::new("kubernetes").nodes("a", 3);
        setup.deployment("web", 6);
        let mut lab = setup.start(1);
        lab.until(KILL);
        lab.kill([VICTIM]);
        remove(&mut lab, [VICTIM]);
        lab.until(KILL + 20);
        lab.boot([VICTIM]);
        lab.until_time(Time::from_secs(KILL + 20) + Span::from_millis(millis));
        lab.kill([VICTIM]);
        lab.until(KILL + 140);
        let node = lab.view().node(VICTIM);
        assert!(!node.healthy, "{millis} ms");
        assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeUnhealthy { .. })), usize::from(node.exists), "{millis}");
    }
}

#[test]
fn removing_an_empty_node_plans_nothing_and_removing_it_twice_is_one_removal() {
    let mut setup = Setup::new("kubernetes").nodes("a", 2);
    setup.deployment("web", 0);
    let mut lab = setup.start(1);
    lab.until(KILL);
    remove(&mut lab, [VICTIM, VICTIM]);
    remove(&mut lab, [VICTIM]);
    lab.until(KILL + 1);
    assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeRemoved { .. })), 1);
    assert_eq!(lab.engine.next_wake(), None, "nothing is orphaned");
    agrees(&lab);
}

#[test]
fn a_cordon_goes_with_the_node_object_and_cannot_be_put_on_one_that_is_gone() {
    let mut setup = Setup::new("kubernetes").nodes("a", 2);
    setup.deployment("web", 4);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Cordon { nodes: vec![VICTIM] });
    remove(&mut lab, [VICTIM]);
    lab.command(Operation::Cordon { nodes: vec![VICTIM] });
    lab.command(Operation::Drain { nodes: vec![VICTIM] });
    lab.until(KILL + 30);
    assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeCordoned { .. })), 1);
    assert_eq!(count(&lab, |k| matches!(k, FactKind::PodDeleting { .. })), 0);
    agrees(&lab);
    lab.kill([VICTIM]);
    lab.boot([VICTIM]);
    lab.until(KILL + 60);
    assert!(!lab.view().node(VICTIM).cordoned);
    agrees(&lab);
}

#[test]
fn without_any_node_pods_wait_and_are_placed_when_one_registers() {
    for profile in ["kubernetes", "swarm"] {
        let mut setup = Setup::new(profile).nodes("a", 2).nodes("b", 1);
        let web = setup.deployment("web", 6);
        let mut lab = setup.start(1);
        lab.until(KILL);
        lab.kill(nodes(0, 3));
        remove(&mut lab, nodes(0, 3));
        lab.until(KILL + 120);
        let none = |k: &FactKind| matches!(k, FactKind::PodUnschedulable { insufficient: 0, refused: 0, .. });
        assert_eq!(lab.times(none).len(), 6, "{profile}: there is no node to refuse them");
        assert_eq!(lab.ready(web), 0);
        agrees(&lab);
        lab.boot(nodes(1, 1));
        lab.until(KILL + 160);
        assert_eq!((lab.ready(web), lab.on(NodeId(1)).len()), (6, 6), "{profile}");
        agrees(&lab);
    }
}

#[test]
fn a_removed_node_no_longer_counts_in_its_zone() {
    let mut setup = Setup::new("kubernetes").nodes("a", 10);
    setup.deployment("web", 10);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.kill(nodes(0, 6));
    lab.until(KILL + 80);
    let state = |lab: &Lab| lab.all(|k| matches!(k, FactKind::ZoneDisruption { .. })).len();
    assert_eq!(state(&lab), 1, "6 of 10 are a partial disruption");
    remove(&mut lab, nodes(0, 4));
    lab.until(KILL + 81);
    assert_eq!(state(&lab), 2, "2 of 6 are none");
    agrees(&lab);
}

#[test]
fn swarm_gives_tasks_of_a_removed_node_up_at_once() {
    let mut setup = Setup::new("swarm").nodes("a", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    let lost = lab.on(VICTIM);
    lab.kill([VICTIM]);
    remove(&mut lab, [VICTIM]);
    lab.until(KILL + 1);
    assert!(!lost.is_empty() && lost.iter().all(|&pod| lab.view().pod(pod).is_none()));
    lab.until(KILL + 30);
    assert_eq!(lab.ready(web), 6);
    agrees(&lab);
}

#[test]
fn a_thousand_orphans_are_collected_at_the_rate_of_their_client() {
    let mut setup = Setup::new("kubernetes").nodes("a", 12);
    let web = setup.deployment("web", 1_000);
    let mut lab = setup.start(1);
    lab.until(KILL);
    assert_eq!(lab.ready(web), 480, "12 nodes of 4 cores hold 40 each");
    remove(&mut lab, nodes(0, 10));
    lab.until(KILL + 300);
    let all = collected(&lab);
    let (first, last) = (all[0], all[all.len() - 1]);
    assert_eq!(all.len(), 400);
    assert!((37.0..41.0).contains(&(last - first)), "800 requests at 20/s after a burst of 30: {}", last - first);
    agrees(&lab);
}
