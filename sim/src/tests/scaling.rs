//! What autoscalers are told, machines by order, and containers that end by themselves.

use shakedown_chaos::setting::Failing;
use shakedown_engine::fact::Exit;
use shakedown_engine::ids::AutoscalerId;
use shakedown_engine::message::Usage;

use super::*;

/// Asks what pods use at an instant, and returns the answer.
fn ask(rig: &mut Rig, ms: u64, pods: &[u32]) -> Vec<Usage> {
    rig.run_ms(ms);
    let pods = pods.iter().map(|&pod| PodId(pod)).collect();
    rig.order(OrderKind::Measure { autoscaler: AutoscalerId(0), pods });
    rig.run_ms(ms);
    let mut answers = rig.seen.iter().filter_map(|(_, kind)| match kind {
        InputKind::Measured { usage, .. } => Some(usage.clone()),
        _ => None,
    });
    answers.next_back().expect("the world answers at once")
}

/// Pods 0.. on nodes 0.., serving and published at 2 s, asked 100 times a second.
fn busy(nodes: usize, pods: u32, rate: u64) -> Rig {
    let mut rig = Setup::new(nodes).users(rate, Clients::Outside).start();
    (0..pods).for_each(|pod| rig.start(pod % nodes as u32, pod));
    rig.run_ms(2_000);
    rig.publish(1, &(0..pods).collect::<Vec<_>>());
    rig
}

#[test]
fn cpu_and_requests_follow_the_users() {
    let mut rig = busy(2, 2, 200);
    assert_eq!(ask(&mut rig, 20_000, &[0, 1]), [], "two readings make a rate");
    let usage = ask(&mut rig, 35_000, &[0, 1]);
    // 100 requests a second of 1 ms each, and 5 thousandths of a core while idle.
    assert_eq!(
        usage.iter().map(|u| (u.pod.0, u.cpu, u.requests)).collect::<Vec<_>>(),
        [(0, 105, 100_000), (1, 105, 100_000)]
    );
    assert_eq!(usage[0].memory, 64 << 20);
    let fewer = {
        rig.stop(1, 1, Span::ZERO);
        rig.publish(2, &[0]);
        ask(&mut rig, 50_000, &[0, 1]);
        ask(&mut rig, 65_000, &[0, 1])
    };
    assert_eq!(fewer.iter().map(|u| (u.pod.0, u.cpu)).collect::<Vec<_>>(), [(0, 205)]);
}

#[test]
fn a_sample_is_a_mean_over_its_window() {
    let mut rig = busy(1, 1, 0);
    ask(&mut rig, 20_000, &[0]);
    rig.run_ms(25_000);
    rig.start(0, 7);
    let usage = ask(&mut rig, 40_000, &[0, 7]);
    assert_eq!(usage.iter().map(|u| (u.pod.0, u.cpu)).collect::<Vec<_>>(), [(0, 5)]);
}

#[test]
fn pods_behind_a_cut_link_or_on_a_dead_host_are_missing() {
    let mut rig = busy(3, 3, 0);
    ask(&mut rig, 20_000, &[0, 1, 2]);
    rig.cut(nodes(&[0]), control(), false);
    rig.kill(1);
    let usage = ask(&mut rig, 35_000, &[0, 1, 2]);
    assert_eq!(usage.iter().map(|u| u.pod.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_machine_comes_when_it_is_asked_for_and_goes_again() {
    let mut setup = Setup::new(2);
    for (_, node) in setup.catalog.nodes.iter_mut().skip(1) {
        node.at_start = false;
    }
    let mut rig = setup.start();
    rig.run_ms(1_000);
    let ups = |rig: &Rig| {
        let up = |fact: &&shakedown_engine::fact::Fact| matches!(fact.kind, FactKind::HostUp { .. });
        rig.facts.facts().iter().filter(up).map(|fact| fact.at).collect::<Vec<_>>()
    };
    assert_eq!(ups(&rig).len(), 1, "one of them does not exist yet");
    rig.order(OrderKind::Machine { node: NodeId(1), wanted: true, after: Span::from_secs(90) });
    rig.run_ms(200_000);
    assert_eq!(ups(&rig)[1], Time::from_secs(91));
    rig.start(1, 0);
    rig.run_ms(210_000);
    rig.order(OrderKind::Machine { node: NodeId(1), wanted: false, after: Span::ZERO });
    rig.run_ms(220_000);
    assert!(rig.facts.facts().iter().any(|f| f.kind == FactKind::HostDown { node: NodeId(1) }));
}

fn exits(fails: Option<Failing>, pods: u32) -> Vec<(u64, Exit)> {
    let mut setup = Setup::new(4);
    let behaviour = Behaviour { runs_for: Some(Span::from_secs(10)), fails, ..Behaviour::default() };
    setup.experiment.setting.images = [behaviour].into_iter().collect();
    let mut rig = setup.start();
    (0..pods).for_each(|pod| rig.start(pod % 4, pod));
    rig.run_ms(60_000);
    let exit = |(at, event): &(u64, RuntimeEvent)| match event {
        RuntimeEvent::Exited { why, .. } => Some((at / 1_000, *why)),
        _ => None,
    };
    rig.runtime().iter().filter_map(exit).collect()
}

#[test]
fn containers_end_by_themselves_well_or_with_a_code() {
    assert_eq!(exits(None, 1), [(11, Exit::Completed)]);
    let after = Some(Span::from_secs(3));
    assert_eq!(exits(Some(Failing { permille: 1_000, code: 42, after }), 1), [(4, Exit::Failed { code: 42 })]);
    let some = exits(Some(Failing { permille: 300, code: 1, after: None }), 100);
    let failed = some.iter().filter(|exit| exit.1 == Exit::Failed { code: 1 }).count();
    assert!((15..45).contains(&failed), "{failed} of 100 fail, and about 30 should");
}
