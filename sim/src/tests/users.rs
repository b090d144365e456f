//! Users: exact amounts, stale views, retries, overload, versions.

use shakedown_chaos::select::NodeSelection;
use shakedown_chaos::setting::Defect;

use super::*;

fn on_nodes(ids: &[u32]) -> Clients {
    Clients::Nodes(NodeSelection { names: ids.iter().map(|&id| NodeId(id)).collect(), ..NodeSelection::default() })
}

/// Requests, good, timed out and refused of a slice, in whole requests.
fn amounts(slice: &TrafficSlice) -> (u64, u64, u64, u64) {
    assert_eq!(slice.requests, slice.good + slice.slow + slice.timed_out + slice.refused + slice.errors);
    (slice.requests / 1000, slice.good / 1000, slice.timed_out / 1000, slice.refused / 1000)
}

fn check(rig: &mut Rig, want: &[(u64, u64, u64, u64)]) -> Vec<TrafficSlice> {
    let slices = rig.slices();
    assert_eq!(slices.iter().map(amounts).collect::<Vec<_>>(), want);
    slices
}

/// Pods 0.. on nodes 0.., serving and published at 2 s.
fn serving(setup: Setup, pods: u32) -> Rig {
    let nodes = setup.catalog.nodes.len() as u32;
    let mut rig = setup.start();
    for pod in 0..pods {
        rig.start(pod % nodes, pod);
    }
    rig.run_ms(2_000);
    rig.publish(1, &(0..pods).collect::<Vec<_>>());
    rig
}

#[test]
fn users_meet_nothing_then_a_pod_then_a_dead_host() {
    let mut rig = serving(Setup::new(2).users(100, Clients::Outside), 1);
    rig.run_ms(10_000);
    rig.kill(0);
    rig.run_ms(20_000);
    let slices = check(&mut rig, &[(200, 0, 0, 200), (800, 800, 0, 0), (1000, 0, 1000, 0)]);
    assert_eq!(slices[2].stale, 1_000_000, "the endpoint is still published");
    assert_eq!(slices[2].since, Time::from_secs(10));
}

#[test]
fn a_stopped_pod_refuses_until_its_endpoint_is_gone() {
    let mut rig = serving(Setup::new(2).users(100, on_nodes(&[1])), 2);
    rig.run_ms(10_000);
    rig.stop(0, 0, Span::from_secs(30));
    rig.run_ms(12_000);
    rig.publish(2, &[1]);
    rig.run_ms(20_000);
    check(&mut rig, &[(200, 0, 0, 200), (800, 800, 0, 0), (200, 100, 0, 100), (800, 800, 0, 0)]);
}

#[test]
fn retries_go_to_newly_chosen_endpoints() {
    let mut setup = Setup::new(2).users(100, on_nodes(&[1]));
    setup.experiment.traffic[shakedown_engine::ids::TrafficId(0)].retries = 1;
    let mut rig = serving(setup, 2);
    rig.run_ms(10_000);
    rig.kill(0);
    rig.run_ms(20_000);
    let slices = check(&mut rig, &[(200, 0, 0, 200), (800, 800, 0, 0), (1000, 750, 250, 0)]);
    assert_eq!(slices[2].attempts, 1_500_000);
    assert_eq!(slices[2].stale, 750_000);
}

#[test]
fn an_overloaded_endpoint_answers_what_it_can() {
    let mut setup = Setup::new(2).users(100, on_nodes(&[1]));
    setup.experiment.setting.images[ImageId(0)].cpu_per_request = Span::from_millis(100);
    let mut rig = serving(setup, 1);
    rig.run_ms(10_000);
    let slices = rig.slices();
    // 10.005 cores are wanted, 3.9 are there.
    let last = slices.last().expect("there is load");
    assert_eq!((last.good / 1000, last.timed_out / 1000), (311, 488));
}

#[test]
fn a_hog_makes_answers_slow_and_its_end_makes_them_fast_again() {
    let mut setup = Setup::new(2).users(10, on_nodes(&[1]));
    setup.experiment.traffic[shakedown_engine::ids::TrafficId(0)].slow_after = Some(Span::from_millis(15));
    setup.experiment.setting.images[ImageId(0)].idle_cpu = MilliCpu(100);
    let mut rig = serving(setup, 1);
    rig.run_ms(10_000);
    let hog = rig.saturate(0, CpuClass::RealTime, 970);
    rig.run_ms(20_000);
    rig.lift(hog);
    rig.run_ms(30_000);
    let slow: Vec<u64> = rig.slices().iter().map(|slice| slice.slow / 1000).collect();
    assert_eq!(slow.len(), 4);
    assert!(slow[2] > 80 && slow[1] == 0 && slow[3] == 0, "{slow:?}");
}

#[test]
fn bad_versions_answer_with_errors_and_are_counted() {
    let mut setup = Setup::new(2).users(100, on_nodes(&[1]));
    let bad = setup.catalog.image("shop:2", Bytes(1));
    setup
        .experiment
        .setting
        .images
        .push(Behaviour { defect: Defect::Errors { permille: 400 }, ..Behaviour::default() });
    let template = plain_template(&mut setup.catalog, bad);
    let template = setup.catalog.templates.push(template);
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.start_as(1, 1, template);
    rig.run_ms(2_000);
    rig.publish(1, &[0, 1]);
    rig.run_ms(12_000);
    let slices = rig.slices();
    assert_eq!((slices[1].errors, slices[1].on_new_revision), (200_000, 500_000));
}

#[test]
fn a_client_that_is_cut_off_keeps_its_view_until_it_reconnects() {
    let mut rig = serving(Setup::new(3).users(100, on_nodes(&[2])), 2);
    rig.run_ms(10_000);
    let cut = rig.cut(nodes(&[2]), control(), BOTH);
    rig.stop(0, 0, Span::from_secs(30));
    rig.publish(2, &[1]);
    rig.run_ms(20_000);
    rig.lift(cut);
    rig.run_ms(30_000);
    let slices = rig.slices();
    assert_eq!(amounts(&slices[2]).3 * 2, amounts(&slices[2]).0, "half of the picks hit the stopped pod");
    let end = slices[2].since + Span::from_secs(10);
    assert!(slices[3].since > end && slices[3].since < end + Span::from_secs(2));
    assert_eq!(slices[3].good, slices[3].requests);
}

#[test]
fn a_cut_between_nodes_hits_users_but_not_the_control_plane() {
    for one_way in [BOTH, ONE_WAY] {
        let mut rig = serving(Setup::new(2).users(100, on_nodes(&[1])), 1);
        rig.run_ms(10_000);
        let cut = rig.cut(nodes(&[0]), nodes(&[1]), one_way);
        rig.run_ms(20_000);
        rig.lift(cut);
        rig.run_ms(30_000);
        check(&mut rig, &[(200, 0, 0, 200), (800, 800, 0, 0), (1000, 0, 1000, 0), (1000, 1000, 0, 0)]);
        assert!(!rig.seen.iter().any(|s| matches!(s.1, InputKind::Reconnected { .. })));
    }
}

#[test]
fn delays_add_up_and_a_trip_beyond_the_time_out_is_no_answer() {
    let mut rig = serving(Setup::new(2).users(100, on_nodes(&[1])), 1);
    rig.run_ms(10_000);
    let delay = |rig: &mut Rig, ms| {
        let rule = NetworkRule::Delay { latency: Span::from_millis(ms), jitter: Span::ZERO };
        rig.apply(Effect::Network { from: nodes(&[0]), to: nodes(&[1]), one_way: BOTH, rule })
    };
    delay(&mut rig, 300);
    rig.run_ms(20_000);
    delay(&mut rig, 300);
    rig.run_ms(30_000);
    let slices = check(&mut rig, &[(200, 0, 0, 200), (800, 800, 0, 0), (1000, 1000, 0, 0), (1000, 0, 1000, 0)]);
    assert!((605..615).contains(&slices[2].latency.as_millis()), "{}", slices[2].latency);
}

#[test]
fn clients_in_pods_ask_from_where_their_pods_are() {
    let mut rig = serving(Setup::new(2).users(100, Clients::Workload(shop())), 2);
    rig.run_ms(10_000);
    rig.cut(nodes(&[0]), nodes(&[1]), BOTH);
    rig.run_ms(20_000);
    let slices = rig.slices();
    let last = slices.last().expect("there is load");
    assert_eq!((last.good, last.timed_out), (500_000, 500_000), "each client reaches the pod on its own node");
}

#[test]
fn no_request_is_lost_in_counting() {
    let mut setup = Setup::new(7).users(1, Clients::Outside);
    setup.experiment.traffic[shakedown_engine::ids::TrafficId(0)].rate_per_1000s = 333_337;
    setup.experiment.traffic[shakedown_engine::ids::TrafficId(0)].retries = 2;
    setup.experiment.setting.host.boot = Span::from_millis(300);
    let mut rig = serving(setup, 7);
    let mut end = 2_000_000;
    let mut faults = Vec::new();
    for step in 0..60 {
        end += 137_001 + u64::from(step) * 31_000;
        rig.run_to(Time::ZERO + Span::from_micros(end));
        match step % 4 {
            0 => faults.push(rig.kill(step / 4 % 7)),
            1 => rig.publish(step + 1, &[step % 6, 6]),
            2 => faults.push(rig.saturate(step % 7, CpuClass::Host, 900)),
            _ => faults.push(rig.cut(nodes(&[step % 7]), nodes(&[0, 1]), ONE_WAY)),
        }
        if faults.len() > 2 {
            let fault = faults.remove(0);
            rig.lift(fault);
        }
        for pod in 0..7 {
            rig.start(pod, pod);
        }
    }
    let total = u128::from(rig.now().as_nanos()) * 333_337 / 1_000_000_000;
    let slices = rig.slices();
    assert!(slices.len() > 20);
    assert!(slices.iter().all(|slice| amounts(slice).0 * 1000 <= slice.requests));
    assert_eq!(slices.iter().map(|s| u128::from(s.requests)).sum::<u128>(), total);
    assert!(slices.windows(2).all(|pair| pair[0].since < pair[1].since));
}

#[test]
fn proxies_act_on_a_change_at_once_but_not_twice_within_their_smallest_period() {
    let mut rig = Setup::new(40).users(1, Clients::Outside).start();
    for (at, version) in [(10_000, 1), (10_300, 2), (10_400, 3), (12_500, 4)] {
        rig.run_ms(at);
        announce(&mut rig, version);
    }
    rig.run_ms(60_000);
    let seen = |f: &shakedown_engine::fact::Fact| match f.kind {
        FactKind::EndpointsSeen { version, .. } => Some((f.at.since(Time::ZERO).as_millis(), version)),
        _ => None,
    };
    let seen: Vec<(u64, u32)> = rig.facts.facts().iter().filter_map(seen).collect();
    assert_eq!(seen, [(10_100, 1), (11_100, 2), (11_100, 3), (12_600, 4)]);
}

fn announce(rig: &mut Rig, version: u32) {
    rig.order(OrderKind::Publish(Publication {
        service: ServiceId(0),
        version,
        endpoints: Arc::from([]),
        lag: Span::from_millis(100),
        proxy_sync: Span::from_secs(1),
        dns_ttl: Span::from_secs(30),
        draining: Arc::from([]),
        hints: None,
        ingress_sync: Span::ZERO,
        name_poll: Span::ZERO,
        absence: shakedown_engine::profile::Absence::Told,
    }));
}

#[test]
fn nothing_is_planned_while_nothing_changes() {
    let mut rig = serving(Setup::new(3).users(100, Clients::Outside), 3);
    for pod in 0..3 {
        rig.probe(pod, pod);
        rig.beats(pod, Span::from_secs(10));
    }
    rig.run_ms(60_000);
    assert_eq!(rig.world.queue.next_time(), None);
    let seen = rig.seen.len();
    rig.run_to(Time::from_secs(36_000));
    assert_eq!(rig.seen.len(), seen);
}

/// Serving pods on three nodes; proxies sync each second.
fn synced() -> Rig {
    let mut setup = Setup::new(3).users(300, Clients::Outside);
    setup.experiment.setting.host.boot = Span::from_secs(5);
    let mut rig = setup.start();
    (0..3).for_each(|pod| rig.start(pod, pod));
    rig.run_ms(2_000);
    rig.order(OrderKind::Publish(Publication {
        service: ServiceId(0),
        version: 1,
        endpoints: (0..3).map(PodId).collect(),
        lag: Span::from_millis(100),
        proxy_sync: Span::from_secs(1),
        dns_ttl: Span::from_secs(30),
        draining: Arc::from([]),
        hints: None,
        ingress_sync: Span::ZERO,
        name_poll: Span::ZERO,
        absence: shakedown_engine::profile::Absence::Told,
    }));
    rig.run_ms(10_000);
    rig
}

#[test]
fn nobody_enters_through_a_host_that_knows_nothing_yet() {
    let mut rig = synced();
    rig.apply(Effect::Reboot { nodes: vec![NodeId(0)] });
    rig.run_ms(40_000);
    let slices = rig.slices();
    let after: Vec<_> = slices.iter().filter(|slice| slice.since >= Time::from_secs(15)).collect();
    let refused = |slice: &TrafficSlice| slice.refused * 1000 / slice.requests;
    assert!(!after.is_empty());
    assert!(
        after.iter().all(|slice| refused(slice) == 333),
        "only the pod that nobody started again refuses: {after:?}"
    );
}

#[test]
fn amounts_carry_what_led_to_them() {
    let mut rig = synced();
    rig.kill(0);
    rig.run_ms(20_000);
    let cut = rig.cut(nodes(&[1]), nodes(&[2]), BOTH);
    rig.run_ms(30_000);
    rig.lift(cut);
    rig.run_ms(40_000);
    rig.slices();
    let slice = |fact: &&shakedown_engine::fact::Fact| matches!(fact.kind, FactKind::Traffic(_));
    let causes: Vec<FactId> = rig.facts.facts().iter().filter(slice).map(|fact| fact.cause).collect();
    let kind = |id: FactId| rig.facts.facts().iter().find(|fact| fact.id == id).map(|fact| fact.kind);
    let kinds: Vec<Option<FactKind>> = causes.iter().rev().take(3).rev().map(|id| kind(*id)).collect();
    assert!(
        matches!(
            kinds[..],
            [Some(FactKind::HostDown { .. }), Some(FactKind::FaultApplied { .. }), Some(FactKind::FaultLifted { .. })]
        ),
        "{kinds:?}"
    );
}
