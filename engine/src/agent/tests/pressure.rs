//! Node pressure: thresholds, graces, ranking, marks, and pods that are not taken.

use super::*;
use crate::profile::pressure::PressurePolicy;
use crate::profile::pressure::Signals;

const MIB: i64 = 1 << 20;

/// A node with pods of which each holds so many MiB and asks for so many, in this order of ids from 1 on.
fn crowd(pods: &[(i64, i64, i32)]) -> Node {
    let mut node = node();
    let zone = node.catalog.zone("a");
    for i in 0..4 {
        let name = node.catalog.names.intern(&format!("n{i}"));
        let size = Resources::new(crate::model::MilliCpu(4000), Bytes(8 << 30));
        node.catalog.nodes.push(crate::model::NodeSpec::new(name, zone, size, &node.catalog.known.clone()));
    }
    node.profile.agent.status_period = s(10.0);
    node.boot();
    for (i, &(held, asked, priority)) in pods.iter().enumerate() {
        let mut template = node.catalog.templates[APP].clone();
        template.requests.memory = Bytes(asked * MIB);
        template.containers[0].requests.memory = Bytes(asked * MIB);
        template.priority = priority;
        let template = node.catalog.templates.push(template);
        let pod = PodId(i as u32 + 1);
        node.message(Message::Assign { pod, template });
        node.held.insert(pod, (held * MIB, 0));
    }
    node.run(60.0);
    node.story.clear();
    node
}

fn policy(node: &mut Node) -> &mut PressurePolicy {
    node.profile.agent.pressure.as_mut().unwrap()
}

/// Pods in the order in which they are evicted.
fn evicted(node: &Node) -> Vec<u32> {
    let pod = |fact: &crate::fact::Fact| match fact.kind {
        FactKind::Noted { subject: crate::fact::Subject::Pod(pod), note: crate::fact::Note::Evicted } => Some(pod.0),
        _ => None,
    };
    node.facts.facts().iter().filter_map(pod).collect()
}

#[test]
fn pods_beyond_their_request_go_first_then_low_priority_then_the_furthest_beyond() {
    let mut node = crowd(&[(900, 1000, 0), (300, 100, 5), (200, 100, 0), (400, 100, 0), (500, 100, 5)]);
    // Nothing that is given back helps.
    policy(&mut node).hard = Signals::read("memory.available<8Gi").unwrap();
    node.shortage(Signal::Memory, MIB);
    node.run(200.0);
    assert_eq!(evicted(&node), [4, 3, 5, 2, 1]);
}

#[test]
fn one_pod_goes_at_a_look_with_the_least_grace_and_the_next_look_follows_its_end() {
    let mut node = crowd(&[(60, 0, 0), (50, 0, 0), (40, 0, 0)]);
    node.shortage(Signal::Memory, 20 * MIB);
    node.run(120.0);
    assert_eq!(evicted(&node), [1, 2], "20 + 60 + 50 is above 100 MiB");
    let stops = node.lines(&["stop"]);
    assert_eq!(stops.len(), 2, "{stops:?}");
    assert!(stops.iter().all(|line| line.ends_with("2s")), "a second is asked for, two are always left: {stops:?}");
    let times = node.times("stop");
    assert!(times[0] >= 60.0 && times[0] <= 70.0, "the grid of 10 s: {times:?}");
    assert!((1.0..=3.0).contains(&(times[1] - times[0])), "it waits for the end of the first only: {times:?}");
}

#[test]
fn the_mark_is_held_for_five_minutes_after_the_last_shortage() {
    let mut node = crowd(&[(200, 0, 0)]);
    node.shortage(Signal::Memory, 50 * MIB);
    node.run(600.0);
    let told = node.lines(&["Pressure"]);
    assert_eq!(told.len(), 2, "{told:?}");
    let times = node.times("Pressure");
    assert!(told[0].contains("on: true") && told[1].contains("on: false"), "{told:?}");
    assert!((300.0..=320.0).contains(&(times[1] - times[0])), "{times:?}");
}

#[test]
fn a_soft_threshold_waits_for_its_grace_and_then_leaves_pods_theirs() {
    let mut node = crowd(&[(200, 0, 0)]);
    policy(&mut node).soft = Signals::read("memory.available<300Mi").unwrap();
    policy(&mut node).soft_grace = Signals::read("memory.available=90s").unwrap();
    node.shortage(Signal::Memory, 200 * MIB);
    node.run(400.0);
    let stops = node.times("stop");
    assert_eq!(stops.len(), 1);
    assert!((150.0..=170.0).contains(&stops[0]), "{stops:?}");
    assert!(node.lines(&["stop"])[0].ends_with("30s"));
}

#[test]
fn a_soft_shortage_that_passes_in_time_evicts_nobody() {
    let mut node = crowd(&[(200, 0, 0)]);
    policy(&mut node).soft = Signals::read("memory.available<300Mi").unwrap();
    policy(&mut node).soft_grace = Signals::read("memory.available=90s").unwrap();
    node.shortage(Signal::Memory, 200 * MIB);
    node.run(120.0);
    node.available.0 = 8 << 30;
    node.run(1000.0);
    assert_eq!(evicted(&node), [0; 0]);
    assert!(node.queue.is_empty(), "and the agent has nothing more to do");
}

#[test]
fn images_that_nobody_uses_go_before_pods_when_the_disk_is_full() {
    let mut node = crowd(&[(10, 0, 0)]);
    let other = node.another_container();
    let template = node.catalog.templates.push(template(vec![other]));
    node.message(Message::Assign { pod: PodId(50), template });
    node.run(70.0);
    node.message(Message::Terminate { pod: PodId(50), grace: s(0.0) });
    node.run(80.0);
    node.shortage(Signal::Disk, 12 << 30);
    node.run(200.0);
    assert_eq!(node.lines(&["delete image"]).len(), 1);
    assert_eq!(evicted(&node), [0; 0], "that was enough");
    node.shortage(Signal::Disk, 12 << 30);
    node.run(215.0);
    assert_eq!(evicted(&node), [1], "nothing else is left to delete");
}

#[test]
fn a_node_short_of_memory_takes_pods_with_requests_only_and_one_short_of_disk_none() {
    let mut node = crowd(&[(200, 50, 0)]);
    let with_requests = TemplateId(1);
    node.shortage(Signal::Memory, 50 * MIB);
    node.run(80.0);
    let before = evicted(&node).len();
    node.message(Message::Assign { pod: PodId(20), template: with_requests });
    node.message(Message::Assign { pod: PodId(21), template: APP });
    assert_eq!(evicted(&node)[before..], [21]);
    assert_eq!(node.lines(&["> 21 Finished { success: false }"]).len(), 1);
    node.shortage(Signal::Disk, 1 << 30);
    node.run(91.0);
    let before = evicted(&node).len();
    node.message(Message::Assign { pod: PodId(22), template: with_requests });
    assert_eq!(evicted(&node)[before..], [22]);
}

#[test]
fn a_pod_that_does_not_fit_is_refused() {
    let mut node = crowd(&[(10, 6000, 0)]);
    let big = TemplateId(1);
    node.message(Message::Assign { pod: PodId(30), template: big });
    assert_eq!(node.lines(&["OutOfResource", "> 30 Finished { success: false }"]).len(), 2, "{:?}", node.story());
    // One that was deleted by force is not counted, although it still stops.
    node.message(Message::Terminate { pod: PodId(1), grace: s(0.0) });
    node.message(Message::Assign { pod: PodId(31), template: big });
    assert_eq!(node.lines(&["> 31 Finished"]).len(), 0);
}

#[test]
fn critical_pods_are_never_evicted() {
    let mut node = crowd(&[(300, 0, 2_000_000_000)]);
    node.shortage(Signal::Memory, 0);
    node.run(100.0);
    assert_eq!(evicted(&node), [0; 0]);
}

#[test]
fn a_pod_ends_when_its_active_deadline_is_over() {
    let mut node = node();
    node.app().active_deadline = Some(s(20.0));
    node.boot().assign(POD).run(100.0);
    assert_eq!(node.times("DeadlineExceeded"), [20.0]);
    assert_eq!(node.lines(&["Finished { success: false }"]).len(), 1);
}
