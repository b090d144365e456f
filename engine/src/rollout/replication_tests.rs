//! Removal orders against recordings of the real controllers, and the small rules of replication.

use super::*;
use crate::time::Span;

fn pod(id: u32) -> PodFacts {
    PodFacts {
        id: PodId(id),
        node: Some(NodeId(0)),
        zone: None,
        stage: Stage::Running,
        ready_since: Some(Time::ZERO),
        deletion_cost: 0,
        neighbours: 1,
        restarts: 0,
        created: Time::ZERO,
        tie: 0,
    }
}

fn check(order: Removal, pods: &[PodFacts], want: &[u32]) {
    let got = removals(order, pods, u32::MAX, Time::from_secs(1_000));
    assert_eq!(got, want.iter().map(|&id| PodId(id)).collect::<Vec<_>>());
}

#[test]
fn a_pass_is_bounded_by_its_burst() {
    assert_eq!(diff(3, 3, 500), Change::Nothing);
    assert_eq!(diff(0, 1_000, 500), Change::Create(500));
    assert_eq!(diff(1_000, 0, 500), Change::Remove(500));
    assert_eq!(diff(0, 1_000, 0), Change::Create(1_000));
}

#[test]
fn ranked_rules_apply_in_their_order() {
    let ready = |seconds| Some(Time::from_secs(seconds));
    check(
        Removal::Ranked,
        &[
            pod(9),
            PodFacts { created: Time::from_secs(900), ..pod(8) },
            PodFacts { restarts: 1, ..pod(7) },
            PodFacts { ready_since: ready(900), ..pod(6) },
            PodFacts { neighbours: 2, ..pod(5) },
            PodFacts { deletion_cost: -1, ..pod(4) },
            PodFacts { ready_since: None, ..pod(3) },
            PodFacts { stage: Stage::Unknown, ..pod(2) },
            PodFacts { stage: Stage::Pending, ready_since: None, ..pod(1) },
            PodFacts { node: None, stage: Stage::Pending, ready_since: None, ..pod(0) },
        ],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
}

#[test]
fn ages_within_a_power_of_two_are_equal_and_the_tie_decides() {
    let seconds = |s: u64| Time::from_secs(1_000 - s);
    let aged = |id, age, tie| PodFacts { ready_since: Some(seconds(age)), created: seconds(age), tie, ..pod(id) };
    // 2^33 ns are 8.6 s, 2^34 ns are 17.2 s.
    check(Removal::Ranked, &[aged(0, 17, 5), aged(1, 9, 7), aged(2, 18, 1), aged(3, 8, 9)], &[3, 0, 1, 2]);
    check(Removal::Ranked, &[aged(5, 9, 0), aged(4, 9, 0)], &[4, 5]);
}

#[test]
fn a_pod_created_in_this_instant_is_the_youngest() {
    let now = Time::from_secs(1_000);
    check(Removal::Ranked, &[pod(0), PodFacts { created: now, ready_since: Some(now), ..pod(1) }], &[1, 0]);
}

/// The pods of recording 11d: name, node, second of creation and of readiness, cost, rank of the UID. The
/// original finds no difference between 9 and 11; their ranks are as they went.
const RECORDED: [(u32, u32, u64, Option<u64>, i32, u64); 12] = [
    (0, 0, 10, Some(13), 0, 0),
    (6, 1, 10, Some(13), 0, 5),
    (9, 2, 10, Some(10), 0, 7),
    (11, 3, 10, Some(10), 0, 8),
    (1, 0, 12, None, 0, 9),
    (2, 0, 12, Some(15), 0, 4),
    (7, 1, 12, None, 0, 10),
    (10, 2, 12, Some(15), 0, 3),
    (3, 0, 14, Some(15), 0, 11),
    (4, 0, 14, Some(17), 0, 6),
    (5, 0, 14, Some(15), 0, 2),
    (8, 1, 14, Some(17), -10, 1),
];

fn recorded() -> Vec<PodFacts> {
    let facts = RECORDED.iter().map(|&(id, node, created, ready, deletion_cost, tie)| PodFacts {
        node: Some(NodeId(node)),
        created: Time::from_secs(created),
        ready_since: ready.map(Time::from_secs),
        deletion_cost,
        tie,
        ..pod(id)
    });
    let mut pods: Vec<_> = facts.collect();
    count_neighbours(&mut pods);
    pods
}

fn count_neighbours(pods: &mut [PodFacts]) {
    let nodes: Vec<_> = pods.iter().map(|p| p.node).collect();
    for pod in pods {
        pod.neighbours = u32::try_from(nodes.iter().filter(|n| **n == pod.node).count()).expect("a dozen");
    }
}

/// Recording 11d on 1.36.2: a Deployment of 12 scaled down one by one, every 2.2 s; each step ranks afresh.
#[test]
fn one_by_one_the_recorded_pods_go_in_the_recorded_order() {
    let mut pods = recorded();
    let mut gone = Vec::new();
    let mut now = Time::from_secs(18) + Span::from_millis(600);
    while pods.len() > 1 {
        let victim = removals(Removal::Ranked, &pods, 1, now)[0];
        pods.retain(|p| p.id != victim);
        count_neighbours(&mut pods);
        gone.push(victim.0);
        now += Span::from_millis(2_207);
    }
    assert_eq!(gone, [1, 7, 8, 4, 0, 5, 10, 2, 6, 9, 11]);
}

/// Recording 11c on 1.36.2: the same pods scaled from 12 to 5 at once, in the order of their UIDs there.
#[test]
fn all_at_once_the_recorded_set_goes() {
    const UIDS: [u32; 12] = [10, 1, 9, 5, 8, 11, 3, 6, 0, 2, 7, 4];
    let mut pods = recorded();
    for pod in &mut pods {
        pod.tie = UIDS.iter().position(|&uid| uid == pod.id.0).expect("every pod has a UID") as u64;
    }
    let mut set = removals(Removal::Ranked, &pods, 7, Time::from_secs(18) + Span::from_millis(700));
    set.sort();
    assert_eq!(set, [1, 2, 3, 4, 5, 7, 8].map(PodId));
}

#[test]
fn restarts_and_creation_decide_between_pods_that_became_ready_in_the_same_second() {
    let ready = |id, millis| PodFacts { ready_since: Some(Time::ZERO + Span::from_millis(millis)), ..pod(id) };
    let younger = PodFacts { created: Time::from_secs(900), tie: 8, ..ready(2, 1_300) };
    let restarted = PodFacts { restarts: 3, tie: 9, ..ready(1, 1_900) };
    check(Removal::Ranked, &[ready(3, 1_000), younger, restarted], &[1, 2, 3]);
    // In another second of the same power of two only the UID counts.
    check(Removal::Ranked, &[ready(3, 1_000), PodFacts { restarts: 3, tie: 9, ..ready(1, 2_900) }], &[3, 1]);
}

/// Measured on Docker 20.10: 50 tasks on 5 nodes scaled to 5 leave one on each node.
#[test]
fn crowded_nodes_shrink_until_what_stays_is_spread() {
    let pods: Vec<_> = (0..50).map(|i| PodFacts { node: Some(NodeId(i / 10)), tie: u64::from(i), ..pod(i) }).collect();
    let gone = removals(Removal::Crowded, &pods, 45, Time::ZERO);
    let mut left: Vec<_> = pods.iter().filter(|p| !gone.contains(&p.id)).map(|p| p.node).collect();
    left.sort();
    assert_eq!(left, (0..5).map(|n| Some(NodeId(n))).collect::<Vec<_>>());
}

/// Measured on Docker 20.10: scaling 23 to 22 with 3 pending tasks removes a pending one.
#[test]
fn crowded_takes_unplaced_then_idle_ones_of_the_fullest_node() {
    check(
        Removal::Crowded,
        &[
            PodFacts { tie: 0, ..pod(0) },
            PodFacts { tie: 1, node: None, stage: Stage::Pending, ..pod(1) },
            PodFacts { tie: 2, stage: Stage::Pending, ..pod(2) },
            PodFacts { tie: 3, ..pod(3) },
            PodFacts { tie: 4, node: Some(NodeId(1)), ..pod(4) },
        ],
        &[1, 2, 3, 4, 0],
    );
}
