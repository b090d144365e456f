//! Traffic under churn: what is kept up to date equals what is worked out from scratch (`Rig::run_to` compares after
//! each step), and a change costs what it touches.

use shakedown_chaos::select::NodeSelection;
use shakedown_engine::ids::{TrafficId, ZoneId};
use shakedown_engine::rng::{Purpose, Stream};

use super::*;

const NODES: u32 = 8;
const PODS: u32 = 60;

/// Eight nodes in two zones; users outside, on three nodes and in pods, with and without retries.
fn town(seed: u64) -> Setup {
    let some = NodeSelection { names: vec![NodeId(0), NodeId(3), NodeId(6)], ..NodeSelection::default() };
    let mut setup = Setup::new(NODES as usize)
        .users(700, Clients::Outside)
        .users(300, Clients::Nodes(some))
        .users(500, Clients::Workload(shop()));
    let other = setup.catalog.zone("b");
    for node in 0..NODES / 2 {
        setup.catalog.nodes[NodeId(node * 2)].zone = other;
    }
    setup.experiment.traffic[TrafficId(1)].retries = 2;
    setup.experiment.traffic[TrafficId(2)].slow_after = Some(Span::from_millis(40));
    setup.experiment.traffic[TrafficId(2)].end = Some(Time::from_secs(60));
    setup.experiment.setting.host.boot = Span::from_millis(700);
    setup.experiment.setting.images[ImageId(0)].cpu_per_request = Span::from_millis(9);
    setup.seed = seed;
    assert_eq!(other, ZoneId(1));
    setup
}

fn some_nodes(draws: &mut Stream) -> Vec<NodeId> {
    (0..NODES).filter(|_| draws.below(3) == 0).map(NodeId).collect()
}

fn group(draws: &mut Stream) -> Group {
    Group { nodes: some_nodes(draws), control: draws.below(2) == 0, outside: draws.below(2) == 0 }
}

fn link_fault(draws: &mut Stream) -> Effect {
    let (from, to) = (group(draws), group(draws));
    let rule = match draws.below(3) {
        0 => NetworkRule::Cut,
        1 => NetworkRule::Delay { latency: Span::from_millis(draws.below(90)), jitter: Span::from_millis(3) },
        _ => NetworkRule::Lose { permille: draws.below(1001) as u32 },
    };
    Effect::Network { from, to, one_way: draws.below(2) == 0, rule }
}

fn publish(rig: &mut Rig, draws: &mut Stream, version: u32) {
    let endpoints = (0..PODS).filter(|_| draws.below(8) > 0).map(PodId).collect();
    rig.order(OrderKind::Publish(Publication {
        service: ServiceId(0),
        version,
        endpoints,
        lag: Span::from_millis(draws.below(200)),
        proxy_sync: Span::from_secs(1),
        dns_ttl: Span::from_secs(30),
        draining: Arc::from([]),
        hints: None,
        ingress_sync: Span::ZERO,
        name_poll: Span::ZERO,
        absence: shakedown_engine::profile::Absence::Told,
    }));
}

fn churn(seed: u64) -> Rig {
    let mut rig = town(seed).start();
    let mut draws = Streams::new(seed).stream(Purpose::Fault, 0);
    let mut faults = Vec::new();
    for step in 0..150 {
        rig.run_to(rig.now() + Span::from_millis(1 + draws.below(900)));
        let pod = draws.below(u64::from(PODS)) as u32;
        match draws.below(9) {
            0 => faults.push(rig.apply(Effect::Down { nodes: some_nodes(&mut draws) })),
            1 => faults.push(rig.apply(Effect::Saturate {
                nodes: some_nodes(&mut draws),
                load: CpuLoad { permille: 950, class: CpuClass::RealTime },
            })),
            2 => faults.push(rig.apply(link_fault(&mut draws))),
            3 => rig.stop(pod % NODES, pod, Span::from_secs(1)),
            4 => rig.op(pod % NODES, RuntimeOp::Remove { pod: PodId(pod) }),
            5 | 6 => publish(&mut rig, &mut draws, step + 1),
            _ => (0..PODS).filter(|pod| pod % 5 == step % 5).for_each(|pod| rig.start(pod % NODES, pod)),
        }
        if faults.len() > 3 {
            let fault = faults.remove(draws.below(faults.len() as u64) as usize);
            rig.lift(fault);
        }
    }
    rig
}

#[test]
fn what_is_kept_up_to_date_equals_what_is_worked_out_from_scratch() {
    for seed in 0..40 {
        let slices = churn(seed).slices();
        let (asked, good) = slices.iter().fold((0, 0), |sum, s| (sum.0 + s.requests, sum.1 + s.good));
        assert!(good * 20 > asked && good < asked, "seed {seed} covers both sides: {good} of {asked}");
    }
}

/// Two thousand pods that serve, published on twenty nodes.
fn city() -> Rig {
    let mut setup = Setup::new(20).users(2_000, Clients::Outside);
    setup
        .catalog
        .nodes
        .iter_mut()
        .for_each(|(_, node)| node.allocatable = Resources::new(MilliCpu(64_000), Bytes(1 << 40)));
    let mut rig = setup.start();
    (0..2_000).for_each(|pod| rig.start(pod % 20, pod));
    rig.run_ms(30_000);
    rig.publish(1, &(0..2_000).collect::<Vec<_>>());
    rig.run_ms(40_000);
    rig
}

/// How many endpoints are worked out because of `change`.
fn touched(rig: &mut Rig, change: impl FnOnce(&mut Rig)) -> usize {
    let before = rig.world.loads.endpoints.evaluated;
    change(rig);
    rig.run_to(rig.now() + Span::from_millis(1));
    rig.world.loads.endpoints.evaluated - before
}

#[test]
fn a_change_in_a_large_service_touches_only_what_changed() {
    let mut rig = city();
    assert_eq!(touched(&mut rig, |rig| rig.stop(7, 7, Span::from_secs(30))), 1, "the pod that is stopped");
    let without: Vec<u32> = (0..2_000).filter(|pod| *pod != 7).collect();
    assert_eq!(touched(&mut rig, |rig| rig.publish(2, &without)), 0, "the others serve as before");
    let published: Vec<u32> = without.iter().copied().chain([2_000]).collect();
    assert_eq!(touched(&mut rig, |rig| rig.publish(3, &published)), 1, "the newcomer");
    let kill = |rig: &mut Rig| assert_eq!(rig.kill(3), FaultId(0));
    assert_eq!(touched(&mut rig, kill), 100, "the pods of a host");
    let cut = |rig: &mut Rig| assert_eq!(rig.cut(nodes(&[5]), nodes(&[6]), BOTH), FaultId(1));
    assert_eq!(touched(&mut rig, cut), 0, "links are no matter of endpoints");
}
