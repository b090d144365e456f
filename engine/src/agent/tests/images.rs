//! Pulls, their order, their failures, and what is reported of images.

use super::*;

const OTHER: PodId = PodId(8);

#[test]
fn pulls_run_one_after_the_other_when_serialized_and_at_once_when_not() {
    let begun = |serialize| {
        let mut node = node();
        let other = node.another_container();
        node.app().containers.push(other);
        node.profile.agent.serialize_pulls = serialize;
        node.assign(POD).run(60.0);
        (node.times("pull "), node.times("pulled"))
    };
    assert_eq!(begun(true), (vec![0.0, 2.0], vec![4.0]));
    assert_eq!(begun(false), (vec![0.0, 0.0], vec![2.0]));
}

#[test]
fn an_image_is_pulled_once_for_all_pods_that_want_it() {
    for serialize in [true, false] {
        let mut node = node();
        node.profile.agent.serialize_pulls = serialize;
        node.assign(POD).assign(OTHER).run(10.0).assign(PodId(9)).run(20.0);
        check(&node.lines(&["pull 0"]), "0 pull 0 for 7");
        assert_eq!(node.times("pulled"), [2.0, 2.0, 10.0]);
    }
}

#[test]
fn wishes_in_the_queue_go_when_they_are_fulfilled_or_their_pod_is_gone() {
    let mut node = node();
    let mut queue = |pull| {
        let mut other = node.app().clone();
        other.containers = vec![Container { pull, ..node.another_container() }];
        node.catalog.templates.push(other)
    };
    let (shared, own) = (queue(PullPolicy::IfNotPresent), queue(PullPolicy::Always));
    node.assign(PodId(1));
    for (pod, template) in [(2, shared), (3, shared), (7, own)] {
        node.message(Message::Assign { pod: PodId(pod), template });
    }
    node.run(1.0).terminate(30.0).run(60.0);
    check(&node.lines(&["pull "]), "0 pull 0 for 1\n2 pull 1 for 2");
    assert_eq!(node.times("pulled"), [2.0, 4.0, 4.0]);
}

#[test]
fn a_pod_that_always_pulls_asks_the_registry_itself() {
    let mut node = node();
    node.app().containers[0].pull = PullPolicy::Always;
    node.assign(POD).assign(OTHER).run(10.0);
    check(&node.lines(&["pull 0"]), "0 pull 0 for 7\n2 pull 0 for 8");
    assert_eq!(node.times("pulled"), [2.0, 4.0]);
}

#[test]
fn failed_pulls_wait_longer_each_time() {
    let mut node = node();
    node.script.registry_back = at(1000.0);
    node.assign(POD).run(3000.0);
    let asked = node.times("pull 0 for");
    let gaps: Vec<f64> = asked.windows(2).map(|pair| pair[1] - pair[0] - 2.0).collect();
    assert_eq!(gaps, [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]);
    assert_eq!(node.lines(&["failed"]).len(), 8);
    check(&node.lines(&["> 7"]), "0 > 7 Starting\n1228.5 > 7 Running { ready: true }");
}

#[test]
fn a_failed_pull_fails_all_pods_that_relied_on_it() {
    let mut node = node();
    node.script.registry_back = at(1.0);
    node.assign(POD).assign(OTHER).run(30.0);
    assert_eq!(node.times("pull of 0 failed"), [2.0, 2.0]);
    assert_eq!(node.times("pulled"), [14.0, 14.0]);
}

#[test]
fn a_pull_in_the_queue_outlives_a_failure_of_another_image() {
    let mut node = node();
    let other = node.another_container();
    node.app().containers.push(other);
    node.script.registry_back = at(1.0);
    node.assign(POD).run(30.0);
    check(
        &node.lines(&["pull"]),
        "0 pull 0 for 7
        2 pull of 0 failed
        2 pull 1 for 7
        12 pull 0 for 7
        14 pulled",
    );
}

#[test]
fn an_absent_image_that_may_not_be_pulled_fails_once_and_waits_for_somebody_else() {
    let mut node = node();
    let mut never = node.app().clone();
    never.containers[0].pull = PullPolicy::Never;
    let never = node.catalog.templates.push(never);
    node.message(Message::Assign { pod: OTHER, template: never }).run(100.0);
    check(&node.story(), "0 pull of 0 failed\n0 > 8 Starting");
    node.assign(POD).run(200.0);
    assert_eq!(node.times("pulled"), [102.0, 102.0]);
}

#[test]
fn a_replacing_agent_gives_a_pod_without_image_up() {
    let mut node = swarm();
    node.script.registry_back = at(100.0);
    node.assign(POD).run(60.0);
    check(
        &node.story(),
        "0 > 7 Starting
        0 pull 0 for 7
        2 pull of 0 failed
        2 > 7 Finished { success: false }",
    );
}

#[test]
fn images_are_reported_on_the_status_grid_once() {
    let mut node = node();
    let other = node.another_container();
    node.app().containers.push(other);
    node.assign(POD).run(100.0);
    let first = node.agent.desk.tick(at(2.0), s(10.0));
    assert!(first > at(4.0), "with this seed one tick reports both");
    assert_eq!(node.times("HasImage"), [first.as_secs_f64(); 2]);
}

#[test]
fn images_are_reported_again_after_a_snapshot() {
    let mut node = node();
    node.assign(POD).run(100.0).message(Message::Snapshot { pods: vec![(POD, APP, None)] }).run(200.0);
    assert_eq!(node.lines(&["HasImage"]).len(), 2);
}

#[test]
fn images_survive_a_reboot() {
    let mut node = node();
    node.assign(POD).run(100.0);
    node.runs.clear();
    node.boot().assign(POD).run(200.0);
    assert_eq!(node.lines(&["pull 0"]).len(), 1);
    assert_eq!(node.times("ready: true"), [2.5, 100.5]);
}
