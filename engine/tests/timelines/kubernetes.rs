//! Timelines of Kubernetes node failures and recoveries, with the tolerances of the originals.
//!
//! Through the loop against the scripted world: what is measured here is the control plane and its limits, nothing else.

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::fact::{Deletion, FactKind};
use shakedown_engine::ids::NodeId;
use shakedown_engine::message::Operation;
use shakedown_engine::model::{Probe, ProbeKind, ProbeRole};
use shakedown_engine::time::{Span, Time};

const KILL: u64 = 120;

fn within(value: f64, low: f64, high: f64, what: &str) {
    assert!((low..=high).contains(&value), "{what}: {value:.3} s is not within {low}..{high}");
}

#[test]
fn a_dead_node_is_detected_marked_and_emptied_on_schedule() {
    for seed in 0..20 {
        let mut setup = Setup::new("kubernetes").nodes("a", 3).nodes("b", 3);
        let web = setup.deployment("web", 12);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        assert_eq!(lab.ready(web), 12, "all replicas run before the fault");
        let victim = NodeId(1);
        let lost = lab.on(victim).len();
        assert_eq!(lost, 2, "12 replicas spread over 6 nodes");
        lab.kill([victim]);
        lab.until(KILL + 400);
        let kill = KILL as f64;
        let detected = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }));
        assert_eq!(detected.len(), 1);
        within(detected[0] - kill, 40.0, 60.0, "detection, G-L to G+2M");
        let evicting = lab.times(|k| matches!(k, FactKind::NodeEvicting { .. }));
        within(evicting[0] - detected[0], 0.2, 0.5, "eviction taint after detection");
        let deleted = lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::NodeLost, .. }));
        assert_eq!(deleted.len(), lost);
        within(deleted[0] - evicting[0], 300.0, 300.2, "deletion after the taint");
        let created = lab.all(|k| matches!(k, FactKind::PodCreated { .. }));
        let replacements = &created[12..];
        assert_eq!(replacements.len(), lost);
        within(replacements[0].at.as_secs_f64() - deleted[0], 0.005, 0.07, "replacement after deletion");
        let ready = lab.times(|k| matches!(k, FactKind::PodReady { .. }));
        let last = ready.last().expect("replacements become ready") - kill;
        within(last, 335.0, 365.0 + 3.0, "replacement ready after the kill");
        assert_eq!(lab.ready(web), 12);
    }
}

#[test]
fn pods_of_a_silent_node_leave_their_service_long_before_they_are_replaced() {
    let mut setup = Setup::new("kubernetes").nodes("a", 4);
    setup.deployment("web", 8);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.kill([NodeId(0)]);
    lab.until(KILL + 70);
    let removed = lab.times(|k| matches!(k, FactKind::EndpointRemoved { .. }));
    let detected = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }));
    assert_eq!(removed.len(), 2);
    within(removed[1] - detected[0], 0.0, 1.0, "endpoints go with the detection");
}

#[test]
fn detection_before_1_32_is_ten_seconds_faster() {
    let mut setup = Setup::new("kubernetes").nodes("a", 4).set("node-monitor-grace-period", "40s");
    setup.deployment("web", 4);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.kill([NodeId(0)]);
    lab.until(KILL + 60);
    let detected = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }));
    within(detected[0] - KILL as f64, 30.0, 50.0, "detection with a grace of 40 s");
}

/// 17 of 30: two nodes at most are tainted while the zone still counts as normal, then evictions stop.
#[test]
fn more_than_55_percent_of_a_small_zone_stops_evictions() {
    for seed in 0..20 {
        let mut setup = Setup::new("kubernetes").nodes("a", 30).nodes("b", 30);
        setup.deployment("web", 60);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        lab.kill(nodes(0, 17));
        lab.until(KILL + 900);
        let tainted = lab.times(|k| matches!(k, FactKind::NodeEvicting { .. })).len();
        assert!(tainted <= 2, "seed {seed}: {tainted} nodes were tainted");
        assert_eq!(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len(), 17);
    }
}

#[test]
fn a_large_zone_evicts_one_node_in_100_seconds_when_disrupted() {
    let mut setup = Setup::new("kubernetes").nodes("a", 100).nodes("b", 10);
    setup.deployment("web", 100);
    let mut lab = setup.start(3);
    lab.until(KILL);
    lab.kill(nodes(0, 60));
    lab.until(KILL + 700);
    let tainted = lab.times(|k| matches!(k, FactKind::NodeEvicting { .. }));
    assert!(tainted.len() >= 5, "{tainted:?}");
    for pair in tainted[1..].windows(2) {
        within(pair[1] - pair[0], 99.5, 100.5, "one node in 100 s");
    }
}

#[test]
fn two_of_three_nodes_are_not_a_disruption() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 9);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.kill(nodes(0, 2));
    lab.until(KILL + 420);
    let tainted = lab.times(|k| matches!(k, FactKind::NodeEvicting { .. }));
    assert_eq!(tainted.len(), 2);
    within(tainted[1] - tainted[0], 9.0, 15.5, "one node in 10 s");
    assert_eq!(lab.on(NodeId(2)).len(), 9, "everything goes to the survivor");
    assert_eq!(lab.ready(web), 9);
}

#[test]
fn one_dead_zone_of_three_is_evicted_at_the_normal_rate() {
    let mut setup = Setup::new("kubernetes").nodes("a", 5).nodes("b", 5).nodes("c", 5);
    setup.deployment("web", 15);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.kill(nodes(0, 5));
    lab.until(KILL + 420);
    let tainted = lab.times(|k| matches!(k, FactKind::NodeEvicting { .. }));
    assert_eq!(tainted.len(), 5);
    for pair in tainted.windows(2) {
        within(pair[1] - pair[0], 9.9, 15.5, "one node in 10 s");
    }
}

#[test]
fn a_cluster_that_is_cut_off_as_a_whole_evicts_nobody() {
    for seed in 0..10 {
        let mut setup = Setup::new("kubernetes").nodes("a", 5).nodes("b", 5);
        let web = setup.deployment("web", 20);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        lab.cut(nodes(0, 10));
        lab.until(KILL + 600);
        assert_eq!(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len(), 10);
        lab.heal();
        lab.until(KILL + 1200);
        let evicted = lab.times(|k| matches!(k, FactKind::PodDeleting { .. }));
        assert_eq!(evicted.len(), 0, "seed {seed}");
        assert_eq!(lab.ready(web), 20, "all are ready again");
    }
}

#[test]
fn a_partition_runs_both_copies_until_it_heals_and_moves_nothing_back() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    let isolated = lab.on(NodeId(0));
    assert_eq!(isolated.len(), 2);
    lab.cut([NodeId(0)]);
    lab.until(KILL + 420);
    assert_eq!(lab.ready(web), 6, "replaced elsewhere");
    let exits = |lab: &Lab| lab.times(|k| matches!(k, FactKind::ContainerExited { .. }));
    assert_eq!(exits(&lab).len(), 0, "the old copies still run");
    lab.heal();
    lab.until(KILL + 440);
    let ended = exits(&lab);
    assert_eq!(ended.len(), 2, "the old copies are stopped");
    within(ended[1] - (KILL + 420) as f64, 0.0, 5.0, "soon after the heal");
    assert_eq!(lab.on(NodeId(0)).len(), 0, "nothing is moved back");
    assert_eq!(lab.ready(web), 6);
}

#[test]
fn a_node_that_returns_in_time_keeps_its_pods() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.cut([NodeId(0)]);
    lab.until(KILL + 200);
    assert_eq!(lab.ready(web), 4, "two are unready while their node is silent");
    lab.heal();
    lab.until(KILL + 600);
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodDeleting { .. })).len(), 0);
    assert_eq!(lab.times(|k| matches!(k, FactKind::NodeEvictionCancelled { .. })).len(), 1);
    assert_eq!(lab.ready(web), 6);
}

#[test]
fn a_rebooted_node_runs_its_pods_again() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.kill([NodeId(0)]);
    lab.until(KILL + 100);
    lab.boot([NodeId(0)]);
    lab.until(KILL + 130);
    assert_eq!(lab.ready(web), 6);
    assert_eq!(lab.on(NodeId(0)).len(), 2);
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodDeleting { .. })).len(), 0);
}

#[test]
fn a_thousand_replicas_are_throttled_by_the_controllers_client() {
    let mut setup = Setup::new("kubernetes").nodes("a", 30);
    let web = setup.deployment("web", 0);
    let mut lab = setup.start(1);
    lab.until(100);
    lab.command(Operation::Scale { workload: web, replicas: 1000 });
    lab.until(200);
    let created = lab.times(|k| matches!(k, FactKind::PodCreated { .. }));
    assert_eq!(created.len(), 1000);
    within(created[999] - 100.0, 48.0, 52.0, "970 creations at 20/s after a burst of 30");
    assert!(!lab.times(|k| matches!(k, FactKind::Throttled { .. })).is_empty(), "and a report can say so");
    assert_eq!(lab.ready(web), 1000);
}

/// Recorded on 1.36.2: never fewer than 8 ready, never more than 13 active, first step 3 new, 8 old, 5 new.
#[test]
fn a_rolling_update_of_ten_stays_within_its_bounds() {
    let mut setup = Setup::new("kubernetes").nodes("a", 5);
    let web = setup.deployment("web", 10);
    let v2 = setup.template("web", "app:v2");
    let mut lab = setup.start(1);
    lab.until(60);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    let mut seen = (u32::MAX, 0);
    for tenth in 0..400 {
        let end = Time::from_nanos(60_000_000_000 + tenth * 100_000_000);
        lab.until_time(end);
        let view = lab.view().workload(web);
        seen = (seen.0.min(view.ready), seen.1.max(view.active));
    }
    assert!(seen.0 >= 8, "fewest ready: {}", seen.0);
    assert!(seen.1 <= 13, "most active: {}", seen.1);
    let steps: Vec<(u32, u32)> = lab
        .all(|k| matches!(k, FactKind::RevisionScaled { .. }))
        .iter()
        .filter_map(|f| match f.kind {
            FactKind::RevisionScaled { from, to, .. } => Some((from, to)),
            _ => None,
        })
        .collect();
    assert_eq!(steps[1..4], [(0, 3), (10, 8), (3, 5)], "{steps:?}");
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutCompleted { .. })).len(), 1);
    assert_eq!(lab.view().workload(web).updated, 10);
}

#[test]
fn a_broken_image_freezes_the_rollout_and_undo_ends_it() {
    let mut setup = Setup::new("kubernetes").nodes("a", 5);
    let web = setup.deployment("web", 10);
    let bad = setup.template("web", "app:bad");
    let mut lab = setup.start(1);
    lab.world.broken.insert(bad);
    lab.until(60);
    lab.command(Operation::Deploy { workload: web, template: bad });
    lab.until(60 + 640);
    assert_eq!(lab.ready(web), 8, "maxUnavailable holds the old replicas");
    let stalled = lab.times(|k| matches!(k, FactKind::RolloutStalled { .. }));
    assert_eq!(stalled.len(), 1);
    within(stalled[0], 60.0 + 600.0, 60.0 + 610.0, "progress deadline");
    lab.command(Operation::Undo { workload: web });
    lab.until(60 + 700);
    assert_eq!(lab.ready(web), 10);
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutCompleted { .. })).len(), 1);
}

/// A heartbeat may stop and come back between the return of a node and the pass that lifts its taint.
#[test]
fn a_taint_is_lifted_although_the_node_falls_silent_for_a_moment() {
    for tenths in 0..60 {
        let mut setup = Setup::new("kubernetes").nodes("a", 3);
        let web = setup.deployment("web", 6);
        let mut lab = setup.start(1);
        lab.until(KILL);
        lab.cut([NodeId(0)]);
        lab.until(KILL + 100);
        lab.heal();
        lab.until_time(Time::from_secs(KILL + 100) + Span::from_millis(tenths * 250));
        lab.cut([NodeId(0)]);
        lab.until_time(lab.engine.now() + Span::from_millis(300));
        lab.heal();
        lab.until(KILL + 700);
        let count = |lab: &Lab, kind: fn(&FactKind) -> bool| lab.times(kind).len();
        assert_eq!(count(&lab, |k| matches!(k, FactKind::NodeEvictionCancelled { .. })), 1, "{tenths}");
        assert_eq!(count(&lab, |k| matches!(k, FactKind::PodDeleting { .. })), 0, "{tenths}");
        assert_eq!(lab.ready(web), 6);
    }
}

/// The rate of a zone may rise while its next eviction waits for a slow one: 60 of 100 are dead, then 30 of them return.
#[test]
fn a_zone_that_becomes_normal_does_not_wait_for_the_slow_rate() {
    let mut setup = Setup::new("kubernetes").nodes("a", 100).nodes("b", 10);
    setup.deployment("web", 100);
    let mut lab = setup.start(3);
    lab.until(KILL);
    lab.kill(nodes(0, 60));
    lab.until(KILL + 180);
    lab.boot(nodes(30, 30));
    lab.until(KILL + 230);
    let tainted = lab.times(|k| matches!(k, FactKind::NodeEvicting { .. }));
    let after = tainted.iter().filter(|t| **t > (KILL + 180) as f64).count();
    assert!(after >= 4, "one node in 10 s again: {tainted:?}");
}

#[test]
fn pods_of_a_node_that_only_fell_silent_are_ready_again_when_it_is_heard() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.mute([NodeId(0)]);
    lab.until(KILL + 100);
    assert_eq!(lab.ready(web), 4);
    lab.unmute([NodeId(0)]);
    lab.until(KILL + 115);
    assert_eq!(lab.ready(web), 6, "its agent was never cut off, so it does not reconnect");
}

#[test]
fn a_workload_deleted_in_its_rollout_stays_deleted_and_can_be_applied_again() {
    for millis in [1, 6, 11, 16, 21, 26, 31, 60, 2_000] {
        let mut setup = Setup::new("kubernetes").nodes("a", 3);
        let web = setup.deployment("web", 6);
        let v2 = setup.template("web", "app:v2");
        let mut lab = setup.start(1);
        lab.until(KILL);
        lab.command(Operation::Deploy { workload: web, template: v2 });
        lab.until_time(Time::from_secs(KILL) + Span::from_millis(millis));
        lab.command(Operation::Delete { workload: web });
        lab.until(KILL + 60);
        assert_eq!(lab.view().pods().count(), 0, "deleted {millis} ms into the rollout");
        lab.command(Operation::Apply { workload: web });
        lab.until(KILL + 90);
        assert_eq!(lab.ready(web), 6);
        let first = lab.view().catalog().workloads[web].template;
        assert!(lab.view().pods().all(|p| p.template == first), "it begins with the template that it is declared with");
    }
}

/// The scripted world answers no probe.
fn never_ready() -> Probe {
    Probe {
        role: ProbeRole::Readiness,
        kind: ProbeKind::Http,
        initial_delay: Span::ZERO,
        period: Span::from_secs(10),
        timeout: Span::from_secs(1),
        success_threshold: 1,
        failure_threshold: 3,
    }
}

#[test]
fn pods_that_are_not_ready_back_a_service_that_publishes_them() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 3);
    let broken = setup.catalog.workloads[web].template;
    setup.catalog.templates[broken].containers[0].probes.push(never_ready());
    let service = shakedown_engine::ids::ServiceId(0);
    setup.catalog.services[service].publish_not_ready = true;
    let mut lab = setup.start(1);
    lab.until(60);
    assert_eq!((lab.ready(web), lab.view().endpoints(service).len()), (0, 3));
    lab.command(Operation::Scale { workload: web, replicas: 1 });
    lab.until(120);
    assert_eq!(lab.view().endpoints(service).len(), 1);
}

#[test]
fn a_rollout_that_was_resumed_is_reported_when_it_stalls() {
    let mut setup = Setup::new("kubernetes").nodes("a", 5);
    let web = setup.deployment("web", 10);
    let bad = setup.template("web", "app:bad");
    let mut lab = setup.start(1);
    lab.world.broken.insert(bad);
    lab.until(60);
    lab.command(Operation::Deploy { workload: web, template: bad });
    lab.until(600);
    lab.command(Operation::Pause { workload: web });
    lab.until(2_000);
    lab.command(Operation::Resume { workload: web });
    lab.until(2_700);
    let stalled = lab.times(|k| matches!(k, FactKind::RolloutStalled { .. }));
    assert_eq!(stalled.len(), 1);
    within(stalled[0], 2_600.0, 2_602.0, "the deadline counts from the resumption");
}

/// The batch of 256 waits for up to 12.8 s; the reader must learn of about that, not of the first second.
#[test]
fn the_reported_wait_grows_with_the_wait() {
    let mut setup = Setup::new("kubernetes").nodes("a", 30);
    let web = setup.deployment("web", 0);
    let mut lab = setup.start(1);
    lab.until(100);
    lab.command(Operation::Scale { workload: web, replicas: 1000 });
    lab.until(200);
    let waits = lab.all(|k| matches!(k, FactKind::Throttled { .. }));
    let longest = waits.iter().filter_map(|f| match f.kind {
        FactKind::Throttled { wait, .. } => Some(wait.as_secs_f64()),
        _ => None,
    });
    let longest = longest.fold(0.0, f64::max);
    assert!(longest >= 6.4, "half of the longest wait at least: {longest}");
    assert!(waits.len() < 12, "and not a fact for each request: {}", waits.len());
}

/// Recorded on 1.36.2 (10 to 30 replicas): 20 creations came in batches of 1, 2, 4, 8 and 5.
#[test]
fn creations_start_slowly() {
    let mut setup = Setup::new("kubernetes").nodes("a", 5);
    let web = setup.deployment("web", 10);
    let mut lab = setup.start(1);
    lab.until(100);
    lab.command(Operation::Scale { workload: web, replicas: 30 });
    lab.until(110);
    let created = lab.times(|k| matches!(k, FactKind::PodCreated { .. }));
    // Writes of one batch reach the store 0.1 ms apart; the next batch waits for the answers, 5 ms later.
    let batches: Vec<usize> = created[10..].chunk_by(|a, b| b - a < 0.002).map(<[f64]>::len).collect();
    assert_eq!(batches, [1, 2, 4, 8, 5]);
}
