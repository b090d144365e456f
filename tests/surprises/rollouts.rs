//! Rollouts, traffic and autoscaling: 18, 19, 24 and 25.

use shakedown_engine::fact::{FactKind, TrafficSlice};

use crate::{Story, run, seconds, shipped, within};

#[test]
fn s18_a_stuck_rollout_is_reported_and_left_alone() {
    let story = run("k8s-18-stuck-rollout");
    for name in ["large", "web"] {
        let wanted = story.workload(name);
        let stalled =
            story.times(|kind| matches!(kind, FactKind::RolloutStalled { workload, .. } if *workload == wanted));
        within(stalled[0], 900.0, 905.0, name);
    }
    assert_eq!(story.count(|kind| matches!(kind, FactKind::RolloutUndone { .. })), 0);
    let scaled = story.times(|kind| matches!(kind, FactKind::RevisionScaled { .. }));
    assert!(scaled.iter().all(|&at| at < 310.0), "after the first step nothing moves, back neither");
    let large = story.workload("large");
    let done = |kind: &FactKind| matches!(kind, FactKind::RolloutCompleted { workload, .. } if *workload == large);
    assert!(story.times(done).iter().all(|&at| at < 300.0));
    // One replica may be missing: then the old one makes room for the new one.
    let freed = shipped("k8s-18-stuck-rollout").set("maxUnavailable=1").run();
    let times = freed.times(done);
    within(*times.last().unwrap(), 300.0, 345.0, "with maxUnavailable 1");
}

#[test]
fn s19_a_rollout_stands_still_until_the_dead_pods_are_evicted() {
    let steps = |story: &Story| {
        let times = story.times(|kind| matches!(kind, FactKind::RevisionScaled { .. }));
        times.into_iter().filter(|at| (475.0..755.0).contains(at)).count()
    };
    let story = run("k8s-19-rollout-node-failure");
    assert_eq!(steps(&story), 0, "from 55 s after the death until the eviction");
    let resumed = story.times(|kind| matches!(kind, FactKind::RevisionScaled { .. }));
    assert!(resumed.iter().any(|&at| at > 755.0), "it goes on afterwards");
    let gone = seconds(story.given_up()[0].at);
    let ready = story.times(|kind| matches!(kind, FactKind::PodReady { .. }));
    let stood_in = ready.into_iter().find(|&at| at > gone).unwrap();
    let next = resumed.into_iter().find(|&at| at > 475.0).unwrap();
    assert!(next >= stood_in, "the next step waits for those that stand in");
    let generous = shipped("k8s-19-rollout-node-failure").but("max_unavailable: 0", "max_unavailable: 5").run();
    let over = generous.times(|kind| matches!(kind, FactKind::RevisionScaled { .. }));
    assert!(over.iter().all(|&at| at < 475.0), "who may miss half is done before the node dies");
}

fn slices(story: &Story, service: &str) -> Vec<TrafficSlice> {
    let wanted = story.service(service);
    let slice = |kind: &FactKind| match kind {
        FactKind::Traffic(slice) if slice.service == wanted => Some(*slice),
        _ => None,
    };
    story.facts.iter().filter_map(|fact| slice(&fact.kind)).collect()
}

#[test]
fn s24_requests_reach_pods_that_have_stopped_unless_these_wait_first() {
    let story = run("k8s-24-terminating-traffic");
    let lost = |story: &Story, service: &str| -> u64 {
        slices(story, service).iter().map(|slice| slice.refused + slice.timed_out).sum()
    };
    assert!(lost(&story, "hasty") > 1_000_000, "more than a thousand requests");
    let stale: u64 = slices(&story, "hasty").iter().map(|slice| slice.stale).sum();
    assert!(stale >= lost(&story, "hasty"), "they went to endpoints that had stopped serving");
    assert_eq!(lost(&story, "patient"), 0);
    let both = shipped("k8s-24-terminating-traffic")
        .but("                  lifecycle: { preStop: { sleep: { seconds: 5 } } }\n", "")
        .run();
    assert!(lost(&both, "patient") > 1_000_000, "without the sleep it is no better");
}

fn moves(story: &Story) -> Vec<(f64, u32, u32)> {
    let moved = |at, kind| match kind {
        FactKind::AutoscalerMoved { from, to, .. } => Some((seconds(at), from, to)),
        _ => None,
    };
    story.facts.iter().filter_map(|fact| moved(fact.at, fact.kind)).collect()
}

#[test]
fn s25_retries_scale_up_at_once_and_down_after_five_minutes() {
    let story = run("k8s-25-autoscaler");
    let all = moves(&story);
    let (up, down): (Vec<_>, Vec<_>) = all.iter().partition(|(_, from, to)| to > from);
    assert!(up.iter().all(|(at, _, to)| (600.0..700.0).contains(at) && *to <= 27), "{up:?}");
    assert!(up.iter().all(|(_, from, to)| *to <= (2 * from).max(from + 4)), "at most double in 15 s: {up:?}");
    assert_eq!(up.last().unwrap().2, 27, "8 cores at 60 % of half a core");
    assert_eq!(down.len(), 1);
    within(down[0].0 - 1200.0, 300.0, 330.0, "the highest recommendation of five minutes counts");
    let patient = shipped("k8s-25-autoscaler").but("retries: 3", "retries: 0").run();
    assert_eq!(moves(&patient), [], "users who do not try again are no load");
    let quick = shipped("k8s-25-autoscaler").set("horizontal-pod-autoscaler-downscale-stabilization=60s").run();
    within(moves(&quick).last().unwrap().0 - 1200.0, 60.0, 90.0, "with a window of one minute");
}
