//! Where pods go and when they are tried: 9 to 11, 14, 20 to 22, and the spread over a dead zone.

use shakedown_engine::fact::{Client, Deletion, FactKind};
use shakedown_engine::ids::PodId;

use crate::{Story, run, seconds, shipped, within};

fn bound(kind: &FactKind) -> bool {
    matches!(kind, FactKind::PodBound { .. })
}

fn bound_at(story: &Story, pod: PodId) -> Option<f64> {
    story.times(|kind| matches!(kind, FactKind::PodBound { pod: p, .. } if *p == pod)).first().copied()
}

const JOBS: [&str; 3] = ["report", "backup", "index"];

#[test]
fn s09_all_new_pods_land_on_the_fresh_node_and_pull_one_after_the_other() {
    let story = run("k8s-09-fresh-node");
    let mut pulled = Vec::new();
    for job in JOBS {
        let pods = story.on(job, "fresh");
        assert_eq!(pods.len(), 2, "{job}");
        pulled.extend(story.times(|kind| matches!(kind, FactKind::PodPulled { pod } if pods.contains(pod))));
    }
    pulled.sort_by(f64::total_cmp);
    // 500 MiB at 50 MB/s are 10.5 s, three times in a row.
    within(pulled[5] - 600.0, 31.4, 34.0, "the last image");
    within(pulled[0] - 600.0, 10.4, 12.0, "the first image");
    let full = shipped("k8s-09-fresh-node").set("NodeResourcesFit.scoringStrategy=MostAllocated").run();
    assert!(JOBS.iter().all(|job| full.on(job, "fresh").is_empty()), "who packs does not like empty nodes");
}

#[test]
fn s10_nothing_moves_to_a_node_that_is_preferred_until_it_is_created_anew() {
    let story = run("k8s-10-no-rebalancing");
    let times = story.times(bound);
    assert!(times.iter().all(|&at| !(600.0..4200.0).contains(&at)), "an hour without a single move");
    let pods = story.pods("search");
    let fast = story.on("search", "fast");
    assert!(pods.iter().all(|pod| fast.contains(pod) == (bound_at(&story, *pod).unwrap() > 4200.0)));
    assert_eq!(fast.len(), 6, "the next version goes there and nowhere else");
}

#[test]
fn s11_a_saturated_node_stays_ready_and_gets_pods() {
    let story = run("k8s-11-busy-node");
    assert_eq!(story.count(|kind| matches!(kind, FactKind::NodeUnhealthy { .. })), 0);
    let late = |story: &Story| {
        let pods = story.on("web", "worker-1");
        pods.iter().filter(|pod| bound_at(story, **pod).unwrap() >= 600.0).count()
    };
    assert_eq!(late(&story), 2, "its share of the six new ones");
    // Real-time work starves the agent, too: then its silence is noticed, and it gets none.
    let starved = shipped("k8s-11-busy-node").but("class: host", "class: realtime").run();
    assert_eq!(starved.count(|kind| matches!(kind, FactKind::NodeUnhealthy { .. })), 1);
    assert_eq!(late(&starved), 0);
}

fn preempted(story: &Story, workload: &str) -> usize {
    let pods = story.pods(workload);
    let why = Deletion::Preempted;
    story.count(|kind| matches!(kind, FactKind::PodDeleting { pod, why: w } if *w == why && pods.contains(pod)))
}

#[test]
fn s14_preemption_cascades_and_costs_a_grace_period() {
    let story = run("k8s-14-preemption-cascade");
    assert_eq!((preempted(&story, "middle"), preempted(&story, "low")), (4, 8));
    let low = story.pods("low");
    let high = story.workload("high");
    let cascaded = story.all(|kind| matches!(kind, FactKind::PodDeleting { pod, .. } if low.contains(pod)));
    for fact in &cascaded {
        let by_middle =
            story.because(fact, |kind| matches!(kind, FactKind::PodDeleting { why: Deletion::Preempted, .. }));
        let by_high =
            story.because(fact, |kind| matches!(kind, FactKind::WorkloadCreated { workload } if *workload == high));
        assert!(by_middle && by_high, "the low go because the middle went, and these because the high came");
    }
    for pod in story.pods("high") {
        within(bound_at(&story, pod).unwrap(), 330.0, 332.0, "room is there after the grace of 30 s");
    }
    assert!(low[8..].iter().all(|&pod| bound_at(&story, pod).is_none()), "the last in the row have no place");
    let polite = shipped("k8s-14-preemption-cascade")
        .but(
            "metadata: { name: high }, value: 3000 }",
            "metadata: { name: high }, value: 3000, preemptionPolicy: Never }",
        )
        .run();
    assert_eq!((preempted(&polite, "middle"), preempted(&polite, "low")), (0, 0));
}

#[test]
fn s20_a_controller_creates_twenty_pods_a_second() {
    let created = |story: &Story, from: f64, to: f64| {
        let times = story.times(|kind| matches!(kind, FactKind::PodCreated { .. }));
        times.iter().filter(|at| (from..to).contains(*at)).count()
    };
    let story = run("k8s-20-creation-rate");
    within(created(&story, 610.0, 690.0) as f64, 1_595.0, 1_605.0, "20 a second for 80 s");
    let waited = story.all(|kind| matches!(kind, FactKind::Throttled { client: Client::Replication, .. }));
    assert!(waited.iter().any(|fact| seconds(fact.at) >= 600.0), "it waits for its own rate limit");
    let free = shipped("k8s-20-creation-rate").set("kube-controller-manager.kube-api-qps=0").run();
    assert!(created(&free, 600.0, 625.0) >= 1_999, "without that limit all are created within seconds");
    let last = free.times(bound).into_iter().fold(0.0, f64::max);
    // Then the scheduler's limit is the next: 100 at once and 50 a second.
    within(last - 600.0, 38.0, 45.0, "the last is bound");
}

#[test]
fn s21_an_unschedulable_pod_sleeps_for_five_minutes_or_until_something_helps() {
    let tried = |story: &Story| {
        let pod = story.pods("late")[0];
        (
            story.times(|kind| matches!(kind, FactKind::PodUnschedulable { pod: p, .. } if *p == pod)),
            bound_at(story, pod),
        )
    };
    let (refused, placed) = tried(&run("k8s-21-sleeping-pod"));
    within(refused[0], 300.0, 301.0, "the first try");
    // The cordon at 330 s changes the reason but could not help it. 300 s, and a look every 30 s.
    within(refused[1] - refused[0], 299.9, 330.0, "the second try");
    within(placed.unwrap(), 900.0, 904.0, "room wakes it");
    let (refused, _) = tried(&shipped("k8s-21-sleeping-pod").set("pod-max-in-unschedulable-pods-duration=60s").run());
    within(refused[1] - refused[0], 59.9, 90.0, "the second try with a shorter sleep");
}

#[test]
fn s22_only_a_sample_is_scored_but_all_are_looked_at_before_a_pod_is_refused() {
    let story = run("k8s-22-sampling");
    let big = story.node("big");
    let places: Vec<bool> = story.pods("web").iter().map(|&pod| story.place(pod) == Some(big)).collect();
    // 420 nodes each, beginning where the last search ended: only the third search comes to the thousandth node.
    assert_eq!(places, [false, false, true]);
    assert_eq!(story.place(story.pods("large")[0]), Some(big), "it is found by whom it alone fits");
    let giant = story.pods("giant")[0];
    let refused =
        story.first("refusal", |kind| matches!(kind, FactKind::PodUnschedulable { pod, .. } if *pod == giant));
    assert!(matches!(refused.kind, FactKind::PodUnschedulable { insufficient: 1000, .. }), "{refused:?}");
    let all = shipped("k8s-22-sampling").set("percentageOfNodesToScore=100").run();
    assert_eq!(all.place(all.pods("web")[0]), Some(all.node("big")), "who looks at all finds the best at once");
}

#[test]
fn s26_a_dead_zone_counts_for_a_hard_spread_until_its_nodes_are_deleted() {
    let story = run("k8s-26-dead-zone-spread");
    let replaced = story.pods("web")[9..].to_vec();
    assert_eq!(replaced.len(), 3);
    for &pod in &replaced {
        assert!(story.count(|kind| matches!(kind, FactKind::PodUnschedulable { pod: p, .. } if *p == pod)) > 0);
    }
    let late = replaced.iter().filter(|&&pod| bound_at(&story, pod).unwrap() >= 1500.0).count();
    // Three in each of the two others; the dead zone has none any more, so four is too many: nobody gets a place.
    assert_eq!(late, 3);
    let honest = shipped("k8s-26-dead-zone-spread")
        .but(
            "labelSelector: { matchLabels: { app: web } }",
            "labelSelector: { matchLabels: { app: web } }\n                  nodeTaintsPolicy: Honor",
        )
        .run();
    for &pod in &honest.pods("web")[9..] {
        within(bound_at(&honest, pod).unwrap(), 639.0, 680.0, "with nodeTaintsPolicy: Honor");
    }
}
