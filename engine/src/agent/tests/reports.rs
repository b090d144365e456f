//! Heartbeats, hello, the rate limit, and timers of another life.

use super::*;
use crate::fact::Client;

/// When heartbeats ordered at a boot at `now` begin.
fn first_beat(agent: &mut Agent, now: Time) -> Time {
    let (catalog, profile, mut facts) = (Catalog::new(), Profile::named("kubernetes").unwrap(), FactLog::new());
    let (mut orders, mut timers) = (Vec::new(), Vec::new());
    let mut cx = Context {
        now,
        catalog: &catalog,
        profile: &profile,
        orders: &mut orders,
        facts: &mut facts,
        timers: &mut timers,
    };
    agent.host_up(&mut cx, FactId::NONE);
    let registers = matches!(orders[0].kind, OrderKind::Send { message: Message::Register, .. });
    assert!(registers && timers.is_empty());
    let OrderKind::Heartbeats { period, first, .. } = orders[1].kind else { panic!("no heartbeats") };
    assert_eq!(period, s(10.0));
    first
}

#[test]
fn nodes_of_a_new_cluster_beat_at_different_phases_within_one_period() {
    let first = |node| first_beat(&mut Agent::new(NodeId(node), Streams::new(1)), Time::ZERO);
    let mut firsts: Vec<Time> = (0..20).map(first).collect();
    assert!(firsts.iter().all(|&first| first < at(10.0)));
    firsts.sort_unstable();
    firsts.dedup();
    assert_eq!(firsts.len(), 20);
}

#[test]
fn a_rebooted_node_beats_at_once() {
    let mut agent = Agent::new(NodeId(1), Streams::new(1));
    first_beat(&mut agent, Time::ZERO);
    assert_eq!(first_beat(&mut agent, at(77.0)), at(77.0));
}

#[test]
fn a_reconnected_agent_asks_for_a_snapshot_and_registers_only_while_it_was_never_answered() {
    let mut node = node();
    node.act(|agent, cx| agent.reconnected(cx, FactId::NONE));
    check(&node.story(), "0 > Register");
    node.message(Message::Snapshot { pods: Vec::new() });
    node.act(|agent, cx| agent.reconnected(cx, FactId::NONE));
    check(&node.story(), "0 > Register\n0 > Hello");
}

#[test]
fn timers_of_an_earlier_boot_are_ignored() {
    let mut node = node();
    node.script.ends.insert(ContainerRef::Main(0), vec![(1.0, Exit::Crashed), (1.0, Exit::Crashed)]);
    node.assign(POD).run(6.0);
    assert_eq!(node.lines(&["crash loop"]).len(), 1, "a restart is due at 15 s");
    node.runs.clear();
    node.script.ends.clear();
    node.boot().assign(POD).run(60.0);
    assert_eq!(node.times(" start "), [2.0, 3.5, 6.0]);
}

#[test]
fn statuses_keep_to_the_rate_limit_and_the_newest_one_wins() {
    let mut node = node();
    node.profile.control.limits[Client::Agent as usize] = RateLimit { qps: 2, burst: 3 };
    for pod in 1..=5 {
        node.assign(PodId(pod));
    }
    node.run(20.0);
    // Three at once, then one each half second. Pods 1 to 5 are ready at 2.5 s, when two tokens are back.
    check(
        &node.lines(&["> "]).into_iter().filter(|line| !line.contains("Image")).collect::<Vec<_>>(),
        "0 > 1 Starting
        0 > 2 Starting
        0 > 3 Starting
        0.5 > 4 Starting
        1 > 5 Starting
        2.5 > 1 Running { ready: true }
        2.5 > 2 Running { ready: true }
        2.5 > 3 Running { ready: true }
        3 > 4 Running { ready: true }
        3.5 > 5 Running { ready: true }",
    );
}

#[test]
fn a_status_that_waits_is_replaced_by_a_newer_one() {
    let mut node = node();
    node.profile.control.limits[Client::Agent as usize] = RateLimit { qps: 1, burst: 1 };
    node.script.pull = s(0.1);
    node.script.start = s(0.1);
    for pod in 1..=3 {
        node.assign(PodId(pod));
    }
    node.run(20.0);
    check(
        &node.lines(&["> ", "Throttled"]).into_iter().filter(|line| !line.contains("Image")).collect::<Vec<_>>(),
        "0 > 1 Starting
        0 Throttled { client: Agent, wait: Span(2000000000) }
        1 > 2 Running { ready: true }
        2 > 3 Running { ready: true }
        3 > 1 Running { ready: true }",
    );
}

#[test]
fn agents_stay_small() {
    // 10,000 nodes with 30 pods of one container each in a few hundred MiB.
    let pod = size_of::<super::super::pod::Pod>() + size_of::<super::super::pod::Slot>();
    assert!(pod <= 256, "{pod} bytes a pod");
    assert!(size_of::<Agent>() <= 512);
}
