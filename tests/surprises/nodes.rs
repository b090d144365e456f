//! Nodes that die or seem to: 1 to 5, 8 and 23.

use shakedown_engine::fact::{Component, Fact, FactKind, ZoneState};
use shakedown_engine::ids::NodeId;

use crate::{Story, run, seconds, shipped, within};

fn unhealthy(kind: &FactKind) -> bool {
    matches!(kind, FactKind::NodeUnhealthy { .. })
}

fn evicting(kind: &FactKind) -> bool {
    matches!(kind, FactKind::NodeEvicting { .. })
}

fn node_of(fact: &Fact) -> NodeId {
    match fact.kind {
        FactKind::NodeEvicting { node } => node,
        ref other => panic!("{other:?} is no eviction of a node"),
    }
}

#[test]
fn s01_endpoints_leave_at_detection_but_pods_only_after_their_toleration() {
    let story = run("k8s-01-dead-node");
    let detected = seconds(story.first("detection", unhealthy).at);
    let marked = seconds(story.first("taint", evicting).at);
    within(detected, 339.0, 355.0, "detection of a kill at 300 s");
    within(marked - detected, 0.3, 0.4, "taint after detection");
    let removed = story.all(|kind| matches!(kind, FactKind::EndpointRemoved { .. }));
    let early: Vec<_> = removed.iter().filter(|fact| seconds(fact.at) < detected + 1.0).collect();
    assert_eq!(early.len(), 2, "both endpoints leave with the node");
    assert!(early.iter().all(|fact| story.because(fact, unhealthy)));
    let gone = story.given_up();
    assert_eq!(gone.len(), 2);
    for fact in gone {
        within(seconds(fact.at) - marked, 300.0, 300.1, "toleration");
        assert!(story.because(&fact, evicting), "it is the taint that evicts");
    }
    let story = shipped("k8s-01-dead-node").set("default-unreachable-toleration-seconds=30s").run();
    let marked = seconds(story.first("taint", evicting).at);
    within(seconds(story.given_up()[0].at) - marked, 30.0, 30.1, "a shorter toleration");
}

#[test]
fn s02_a_zone_gives_up_one_node_in_ten_seconds() {
    let marked = |story: &Story| {
        let times = story.times(evicting);
        assert_eq!(times.len(), 60);
        times[59] - times[0]
    };
    let story = run("k8s-02-mass-failure");
    within(marked(&story), 589.9, 590.1, "the last after the first");
    assert!(story.times(evicting).windows(2).all(|pair| pair[1] - pair[0] > 9.99), "one at a time");
    assert_eq!(story.count(|kind| matches!(kind, FactKind::ZoneDisruption { .. })), 0, "a half is no disruption");
    within(seconds(story.first("detection", unhealthy).at), 339.0, 355.0, "all are noticed as soon as one alone is");
    // Ten times the rate: a tenth of the time, but not before all are noticed.
    let story = shipped("k8s-02-mass-failure").set("node-eviction-rate=1").run();
    within(marked(&story), 58.9, 59.1, "the last after the first at one a second");
}

fn partial(story: &Story, zone: &str) -> Option<f64> {
    let fact = story.facts.iter().find(|fact| match fact.kind {
        FactKind::ZoneDisruption { zone: id, state: ZoneState::Partial } => {
            story.plan.catalog.text(story.plan.catalog.zones[id]) == zone
        }
        _ => false,
    });
    fact.map(|fact| seconds(fact.at))
}

fn marked_in(story: &Story, zone: &str) -> Vec<f64> {
    let all = story.all(evicting);
    all.iter().filter(|fact| story.zone_of(node_of(fact)) == zone).map(|fact| seconds(fact.at)).collect()
}

#[test]
fn s03_a_mostly_dead_zone_is_not_evicted_when_small_and_slowly_when_large() {
    let story = run("k8s-03-zone-mostly-dead");
    let (small, large) = (partial(&story, "small").unwrap(), partial(&story, "large").unwrap());
    assert!(marked_in(&story, "small").iter().all(|&at| at < small), "nothing once it counts as disrupted");
    let slow: Vec<f64> = marked_in(&story, "large").into_iter().filter(|&at| at > large).collect();
    assert!(slow.len() >= 12, "{slow:?}");
    assert!(slow.windows(2).all(|pair| (pair[1] - pair[0] - 100.0).abs() < 0.1), "0.01 a second: {slow:?}");
    // The border between small and large is a flag: below it the small zone is large.
    let story = shipped("k8s-03-zone-mostly-dead").set("large-cluster-size-threshold=9").run();
    assert_eq!(marked_in(&story, "small").len(), 6, "then all of its six are evicted in the end");
}

#[test]
fn s04_a_dead_zone_is_evicted_and_a_dead_cluster_is_not() {
    let story = run("k8s-04-dead-cluster");
    let gone: Vec<f64> = story.given_up().iter().map(|fact| seconds(fact.at)).collect();
    assert_eq!(gone.len(), 3, "{gone:?}");
    assert!(gone.iter().all(|&at| (640.0..680.0).contains(&at)), "zone c in its first isolation: {gone:?}");
    let called_off = story.times(|kind| matches!(kind, FactKind::NodeEvictionCancelled { .. }));
    let during = called_off.iter().filter(|at| (1500.0..2400.0).contains(*at)).count();
    let before = story.times(evicting).into_iter().filter(|at| (1500.0..2400.0).contains(at)).count();
    assert!(before > 0 && during == before, "who was marked before all were silent is not any more");
    // Left alone for five minutes longer, zone c is given up: 300 s after the others came back, and not before.
    let longer = shipped("k8s-04-dead-cluster").but("at: 25m, for: 20m", "at: 25m, for: 24m").run();
    let gone: Vec<f64> = longer.given_up().iter().map(|fact| seconds(fact.at)).collect();
    assert!(gone.len() > 3, "{gone:?}");
    within(gone[3], 2700.0, 2730.0, "fifteen minutes of silence do not count");
}

#[test]
fn s05_two_of_three_are_no_disrupted_zone_and_three_of_four_are() {
    let story = run("k8s-05-two-of-three");
    assert_eq!(story.count(|kind| matches!(kind, FactKind::ZoneDisruption { .. })), 0);
    assert_eq!(story.on("web", "worker-1").len(), 6, "everything ends on the survivor");
    let larger = shipped("k8s-05-two-of-three")
        .but("count: 3", "count: 4")
        .but("[worker-2, worker-3]", "[worker-2, worker-3, worker-4]")
        .run();
    assert_eq!(larger.count(|kind| matches!(kind, FactKind::ZoneDisruption { state: ZoneState::Partial, .. })), 1);
    assert!(larger.count(evicting) < 3, "three of four are more than 55 % and more than two: it stops");
}

#[test]
fn s08_a_healed_node_kills_what_it_ran_and_gets_nothing_back() {
    let story = run("k8s-08-heal");
    let away = story.on("web", "worker-3");
    assert_eq!(away.len(), 4);
    let ended = story.all(|kind| matches!(kind, FactKind::ContainerExited { pod, .. } if away.contains(pod)));
    assert_eq!(ended.len(), 4);
    for fact in ended {
        within(seconds(fact.at), 900.0, 904.0, "they run to the end of the partition and no longer");
    }
    let bound = story.times(|kind| matches!(kind, FactKind::PodBound { .. }));
    assert!(bound.iter().all(|&at| at < 700.0), "nothing is placed once it is back");
    // Only what is new looks for a place: a rollout evens it out.
    let after = shipped("k8s-08-heal")
        .but("timeline:\n", "timeline:\n  - { at: 20m, deploy: { workload: web, image: \"example.com/web:v2\" } }\n")
        .run();
    assert!(after.on("web", "worker-3").len() >= 4 + 4, "a rollout brings pods back");
}

#[test]
fn s23_without_controllers_a_death_goes_unnoticed_and_the_grace_begins_anew() {
    let story = run("k8s-23-control-plane-outage");
    let back = seconds(
        story.first("leader", |kind| matches!(kind, FactKind::LeaderElected { component: Component::Controllers })).at,
    );
    within(back, 915.0, 920.0, "a lease of 15 s is watched first");
    let detected = seconds(story.first("detection", unhealthy).at);
    within(detected - back, 50.0, 55.0, "all of the grace after that");
    let removed = story.times(|kind| matches!(kind, FactKind::EndpointRemoved { .. }));
    assert!(removed.iter().all(|&at| at >= detected), "the dead stay endpoints until then");
    assert_eq!(removed.iter().filter(|&&at| at < detected + 1.0).count(), 2);
    let stopped = "  - { at: 5m, for: 10m, control_plane: { stop: controllers, instances: all }, \
                   label: the controllers are down }\n";
    let well = shipped("k8s-23-control-plane-outage").but(stopped, "").run();
    within(seconds(well.first("detection", unhealthy).at) - 420.0, 39.0, 55.0, "with controllers");
}
