//! Exits, restarts in place and replacement.

use super::*;

fn crashes(node: &mut Node, lives: &[f64]) {
    let ends = lives.iter().map(|&life| (life, Exit::Crashed)).collect();
    node.script.ends.insert(ContainerRef::Main(0), ends);
}

/// Time between each exit and the next start.
fn gaps(node: &Node) -> Vec<f64> {
    let (exits, starts) = (node.times("exited"), node.times(" start "));
    exits.iter().zip(&starts[1..]).map(|(exit, start)| start - exit).collect()
}

#[test]
fn restarts_wait_longer_each_time() {
    let mut node = node();
    crashes(&mut node, &[1.0; 9]);
    node.assign(POD).run(3000.0);
    assert_eq!(gaps(&node), [0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]);
    assert_eq!(node.lines(&["crash loop"]).len(), 8, "the immediate restart is no wait");
}

#[test]
fn ten_good_minutes_forgive_all_crashes() {
    let mut node = node();
    crashes(&mut node, &[1.0, 1.0, 599.9, 600.0, 1.0]);
    node.assign(POD).run(3000.0);
    assert_eq!(gaps(&node), [0.0, 10.0, 20.0, 0.0, 10.0]);
}

#[test]
fn waits_count_from_the_exit_not_from_the_relist_that_notices_it() {
    let mut node = Node::new("kubernetes", s(1.0));
    crashes(&mut node, &[5.0, 5.0]);
    node.assign(POD).run(100.0);
    let second_exit = node.times(" start ")[1] + 0.5 + 5.0;
    assert!(node.times("exited")[1] > second_exit, "noticed late");
    let wait = node.times(" start ")[2] - second_exit;
    assert!((wait - 10.0).abs() < 1e-6, "{wait}");
}

#[test]
fn a_crash_is_reported_as_it_goes() {
    let mut node = node();
    crashes(&mut node, &[5.0, 5.0]);
    node.assign(POD).run(60.0);
    check(
        &node.story()[4..],
        "2.5 started 0 after 0
        2.5 ready
        2.5 > 7 Running { ready: true }
        7.5 exited 0 Crashed
        7.5 unready
        7.5 start 7 Main(0)
        7.5 > 7 Failing
        8 started 0 after 1
        8 ready
        8 > 7 Running { ready: true }
        13 exited 0 Crashed
        13 crash loop 0 10s
        13 unready
        13 > 7 Failing
        23 start 7 Main(0)
        23.5 started 0 after 2
        23.5 ready
        23.5 > 7 Running { ready: true }",
    );
}

#[test]
fn restart_policies_decide_what_an_exit_means() {
    let end = |policy, why| {
        let mut node = node();
        node.app().restart = policy;
        node.script.ends.insert(ContainerRef::Main(0), vec![(1.0, why)]);
        node.assign(POD).run(60.0);
        node.story().last().unwrap().to_string()
    };
    assert_eq!(end(RestartPolicy::Always, Exit::Completed), "4 > 7 Running { ready: true }");
    assert_eq!(end(RestartPolicy::OnFailure, Exit::OutOfMemory), "4 > 7 Running { ready: true }");
    assert_eq!(end(RestartPolicy::OnFailure, Exit::Completed), "3.5 > 7 Finished { success: true }");
    assert_eq!(end(RestartPolicy::Never, Exit::Crashed), "3.5 > 7 Finished { success: false }");
    assert_eq!(end(RestartPolicy::Never, Exit::Completed), "3.5 > 7 Finished { success: true }");
}

#[test]
fn a_pod_is_finished_when_its_last_container_is() {
    let mut node = node();
    let other = container(ImageId(0));
    node.app().containers.push(other);
    node.app().restart = RestartPolicy::Never;
    node.script.ends.insert(ContainerRef::Main(0), vec![(1.0, Exit::Completed)]);
    node.script.ends.insert(ContainerRef::Main(1), vec![(9.0, Exit::Crashed)]);
    node.assign(POD).run(60.0);
    check(
        &node.lines(&["> 7"]),
        "0 > 7 Starting
        2.5 > 7 Running { ready: true }
        3.5 > 7 Running { ready: false }
        11.5 > 7 Finished { success: false }",
    );
}

#[test]
fn a_replacing_agent_ends_the_pod_and_its_other_containers() {
    let mut node = swarm();
    let other = container(ImageId(0));
    node.app().containers.push(other);
    crashes(&mut node, &[5.0]);
    node.assign(POD).run(60.0);
    check(
        &node.story()[9..],
        "7.5 exited 0 Crashed
        7.5 unready
        7.5 stop 7 Main(1) 10s
        7.5 > 7 Running { ready: false }
        8.5 exited 1 Stopped
        8.5 > 7 Finished { success: false }",
    );
}

#[test]
fn a_replacing_agent_reports_a_completed_pod_as_a_success() {
    let mut node = swarm();
    node.script.ends.insert(ContainerRef::Main(0), vec![(1.0, Exit::Completed)]);
    node.assign(POD).run(60.0);
    assert_eq!(*node.story().last().unwrap(), "3.5 > 7 Finished { success: true }");
}

#[test]
fn an_image_that_is_always_pulled_is_pulled_again_before_a_restart() {
    let mut node = node();
    node.app().containers[0].pull = PullPolicy::Always;
    crashes(&mut node, &[1.0]);
    node.assign(POD).run(60.0);
    assert_eq!(node.times("pull 0"), [0.0, 3.5]);
    assert_eq!(node.times(" start "), [2.0, 5.5]);
    assert_eq!(node.times("pulled"), [2.0], "only the first time is a stage of the pod");
}
