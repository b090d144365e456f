//! What befalls pods on nodes that live: 12, 13, 15 to 17.

use std::collections::BTreeSet;

use shakedown_engine::fact::{Deletion, FactKind, Note, Pressure, Subject};
use shakedown_engine::ids::NodeId;
use shakedown_engine::model::ProbeRole;
use shakedown_engine::time::Span;

use crate::{Story, run, seconds, shipped, within};

fn restarted(kind: &FactKind) -> bool {
    matches!(kind, FactKind::ContainerStarted { restarts, .. } if *restarts > 0)
}

fn missed_liveness(kind: &FactKind) -> bool {
    matches!(kind, FactKind::ProbeFailed { role: ProbeRole::Liveness, .. })
}

#[test]
fn s12_starved_containers_are_killed_by_their_probes_on_a_node_that_is_ready() {
    let story = run("k8s-12-starved-probes");
    let restarts = story.all(restarted);
    assert!(restarts.iter().all(|fact| story.because(fact, missed_liveness)), "nothing crashed by itself");
    assert_eq!(story.count(|kind| matches!(kind, FactKind::NodeUnhealthy { .. })), 0, "the nodes stay Ready");
    let removed = story.times(|kind| matches!(kind, FactKind::EndpointRemoved { .. }));
    assert!(removed.iter().filter(|&&at| at < 340.0).count() >= 4, "no endpoint is left: {removed:?}");
    let patient = shipped("k8s-12-starved-probes")
        .but("                  livenessProbe: { httpGet: { path: /live, port: 8080 } }\n", "")
        .run();
    assert_eq!(patient.count(restarted), 0, "without a liveness probe nobody is killed");
    let ready = patient.times(|kind| matches!(kind, FactKind::PodReady { .. }));
    within(ready.into_iter().fold(0.0, f64::max), 300.0, 555.0, "and the last is back as soon as the CPU is");
}

#[test]
fn s13_a_back_off_outlives_its_fault() {
    let story = run("k8s-13-crash-loop");
    let waits = story.all(|kind| matches!(kind, FactKind::CrashLoop { .. }));
    let longest = waits.iter().filter_map(|fact| match fact.kind {
        FactKind::CrashLoop { wait, .. } => Some(wait),
        _ => None,
    });
    assert_eq!(longest.max(), Some(Span::from_secs(300)), "10 s doubled to the limit of five minutes");
    let back = |story: &Story| {
        let ready = story.times(|kind| matches!(kind, FactKind::PodReady { .. }));
        ready.into_iter().find(|&at| at > 1500.0).unwrap() - 1500.0
    };
    within(back(&story), 240.0, 312.0, "the service is back that long after the fault");
    let short = shipped("k8s-13-crash-loop").set("crashLoopBackOff.maxContainerRestartPeriod=10s").run();
    within(back(&short), 0.0, 32.0, "with a limit of 10 s");
}

#[test]
fn s15_a_budget_stops_a_drain_and_nothing_else() {
    let story = run("k8s-15-budgets");
    let (web, single) = (story.pods("web"), story.pods("single"));
    let lost = story.given_up();
    assert_eq!(lost.len(), 2);
    assert!(lost.iter().all(|fact| matches!(fact.kind, FactKind::PodDeleting { pod, .. } if web.contains(&pod))));
    let least = story.facts.iter().filter(|fact| (300.0..1000.0).contains(&seconds(fact.at)));
    let least = least.filter_map(|fact| match fact.kind {
        FactKind::BudgetChanged { healthy, desired: 3, .. } => Some(healthy),
        _ => None,
    });
    assert_eq!(least.min(), Some(2), "one fewer than the budget wants, and nobody asks it");
    let refused = story.all(|kind| matches!(kind, FactKind::EvictionRefused { pod, .. } if single.contains(pod)));
    assert_eq!(refused.len(), 1, "it is told once");
    let drained = |story: &Story| story.count(|kind| matches!(kind, FactKind::Noted { note: Note::Drained, .. }));
    assert_eq!(drained(&story), 0, "an hour later the drain is not over");
    let without = shipped("k8s-15-budgets").but("minAvailable: 1,", "minAvailable: 0,").run();
    assert_eq!(drained(&without), 1, "without that budget it ends");
    assert_eq!(without.count(|kind| matches!(kind, FactKind::PodDeleting { pod, why: Deletion::Drained } if without.pods("single").contains(pod))), 1);
}

fn short_of_memory(kind: &FactKind) -> Option<(NodeId, bool)> {
    match kind {
        FactKind::NodePressure { node, pressure: Pressure::Memory, on } => Some((*node, *on)),
        _ => None,
    }
}

#[test]
fn s16_memory_pressure_lasts_five_minutes_and_evicts_without_grace() {
    let lasted = |story: &Story| {
        let times = story.times(|kind| short_of_memory(kind).is_some());
        assert_eq!(times.len(), 2, "it begins and ends once: {times:?}");
        times[1] - times[0]
    };
    let story = run("k8s-16-memory-pressure");
    within(lasted(&story), 300.0, 320.0, "although the memory is free after seconds");
    let evicted = story.first("eviction", |kind| matches!(kind, FactKind::Noted { note: Note::Evicted, .. }));
    let FactKind::Noted { subject: Subject::Pod(pod), .. } = evicted.kind else { panic!("{evicted:?}") };
    let ended = story.first("end", |kind| matches!(kind, FactKind::ContainerExited { pod: p, .. } if *p == pod));
    within(seconds(ended.at) - seconds(evicted.at), 0.0, 3.0, "of the 60 s that it wants and the 120 s that it may");
    assert_eq!(story.count(|kind| matches!(kind, FactKind::PodFailed { pod: p } if *p == pod)), 1);
    assert_eq!(story.count(|kind| matches!(kind, FactKind::PodDeleted { pod: p } if *p == pod)), 0, "the object stays");
    let short = shipped("k8s-16-memory-pressure").set("eviction-pressure-transition-period=30s").run();
    within(lasted(&short), 30.0, 50.0, "with a shorter transition period");
}

#[test]
fn s17_an_eviction_carries_the_shortage_to_the_next_node() {
    let story = run("k8s-17-eviction-storm");
    let short = story.all(|kind| matches!(short_of_memory(kind), Some((_, true))));
    let nodes: BTreeSet<NodeId> =
        short.iter().filter_map(|fact| short_of_memory(&fact.kind)).map(|(node, _)| node).collect();
    assert_eq!(nodes.len(), 3, "all three, one after the other");
    for next in &short[1..] {
        let (node, _) = short_of_memory(&next.kind).unwrap();
        let came =
            story.facts.iter().filter(|fact| matches!(fact.kind, FactKind::PodBound { node: n, .. } if n == node));
        let evicted = |kind: &FactKind| matches!(kind, FactKind::Noted { note: Note::Evicted, .. });
        assert!(
            came.filter(|fact| fact.at < next.at).any(|fact| story.because(fact, evicted)),
            "who came was evicted elsewhere"
        );
    }
    within(seconds(short[2].at) - seconds(short[0].at), 30.0, 180.0, "from the first node to the last");
    let honest = shipped("k8s-17-eviction-storm").but("cpu: 100m, memory: 256Mi", "cpu: 100m, memory: 3Gi").run();
    assert_eq!(honest.count(|kind| short_of_memory(kind).is_some()), 0, "who asks for what it takes waits instead");
}
