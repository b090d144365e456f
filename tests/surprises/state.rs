//! Who may run once, and what a volume holds on to: 6 and 7.

use shakedown_engine::fact::{FactKind, Note};

use crate::{run, seconds, shipped, within};

#[test]
fn s06_a_statefulset_waits_for_the_name_and_then_for_the_volume() {
    let story = run("k8s-06-stuck-volume");
    let gone = story.given_up();
    assert_eq!(gone.len(), 1);
    within(seconds(gone[0].at), 639.0, 656.0, "it is told to stop like any other");
    let pods = story.pods("db");
    assert_eq!(pods.len(), 2);
    let created = story.times(|kind| matches!(kind, FactKind::PodCreated { pod, .. } if *pod == pods[1]));
    within(created[0], 1500.0, 1501.0, "the name is free when somebody deletes it by force");
    assert!(story.count(|kind| matches!(kind, FactKind::Noted { note: Note::MultiAttach, .. })) > 0);
    let detached = story.first("detachment", |kind| matches!(kind, FactKind::VolumeDetached { .. }));
    assert!(matches!(detached.kind, FactKind::VolumeDetached { forced: true, .. }));
    within(seconds(detached.at), 1860.0, 1870.0, "six minutes after the pod went, and what the driver takes");
    let started = story.times(|kind| matches!(kind, FactKind::ContainerStarted { pod, .. } if *pod == pods[1]));
    assert!(started[0] > seconds(detached.at));
}

#[test]
fn s06_nobody_replaces_it_unless_somebody_deletes_it() {
    let forced = "  - { at: 25m, kill_pods: { workload: db, grace: 0s }, label: somebody deletes the pod by force }\n";
    let story = shipped("k8s-06-stuck-volume").but(forced, "").but(", of: the node of the database dies", "").run();
    assert_eq!(story.pods("db").len(), 1, "not within 35 minutes, and not ever");
    assert_eq!(story.count(|kind| matches!(kind, FactKind::VolumeDetached { .. })), 0);
    // Whoever knows that the machine is off says so, and name and volume are free at once.
    let said = shipped("k8s-06-stuck-volume")
        .but("kill_pods: { workload: db, grace: 0s }", "out_of_service: { nodes: [worker-1] }")
        .run();
    let detached = seconds(said.first("detachment", |kind| matches!(kind, FactKind::VolumeDetached { .. })).at);
    within(detached, 1500.0, 1545.0, "no six minutes with the taint `out-of-service`");
}

#[test]
fn s07_a_deployment_runs_twice_behind_a_partition_and_a_statefulset_does_not() {
    let story = run("k8s-07-two-copies");
    let pods = story.pods("scheduler");
    assert_eq!(pods.len(), 2);
    let started = story.times(|kind| matches!(kind, FactKind::ContainerStarted { pod, .. } if *pod == pods[1]))[0];
    let ended = story.times(|kind| matches!(kind, FactKind::ContainerExited { pod, .. } if *pod == pods[0]))[0];
    within(started, 639.0, 669.0, "the replacement");
    within(ended, 1500.0, 1503.0, "the original runs until it hears");
    let ledger = story.pods("ledger");
    assert!(
        story.given_up().iter().any(|fact| matches!(fact.kind, FactKind::PodDeleting { pod, .. } if pod == ledger[0]))
    );
    let second = story.times(|kind| matches!(kind, FactKind::PodCreated { pod, .. } if ledger[1..].contains(pod)));
    let first = story.times(|kind| matches!(kind, FactKind::ContainerExited { pod, .. } if *pod == ledger[0]))[0];
    assert!(second.iter().all(|&at| at > first), "the second exists only when the first has ended");
}
