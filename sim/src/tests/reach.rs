//! How clients reach endpoints: policies, zones, connections, names, balancers and network policies.
//!
//! Each case is small enough to be worked out by hand; `churn` at the end lets all of it meet at random, while
//! `Rig::run_to` compares with the plain recomputation after each step.

use shakedown_chaos::load::{HealthCheck, Names, Via};
use shakedown_engine::ids::{TrafficId, ZoneId};
use shakedown_engine::model::{Distribution, NetworkPolicySpec, Peer, PeerRule};
use shakedown_engine::rng::{Purpose, Stream};

use super::*;

fn service(setup: &mut Setup) -> &mut ServiceSpec {
    &mut setup.catalog.services[ServiceId(0)]
}

fn traffic(setup: &mut Setup) -> &mut Traffic {
    &mut setup.experiment.traffic[TrafficId(0)]
}

fn edition(service: u32, version: u32, pods: &[u32]) -> Publication {
    Publication {
        service: ServiceId(service),
        version,
        endpoints: pods.iter().map(|&pod| PodId(pod)).collect(),
        draining: Arc::from([]),
        hints: None,
        lag: Span::ZERO,
        proxy_sync: Span::ZERO,
        dns_ttl: Span::from_secs(30),
        ingress_sync: Span::from_secs(3),
        name_poll: Span::ZERO,
        absence: shakedown_engine::profile::Absence::Told,
    }
}

/// Pods 0, 1, … serve on the nodes of the same number and are published.
fn open(setup: Setup, pods: u32) -> Rig {
    let mut rig = setup.start();
    (0..pods).for_each(|pod| rig.start(pod, pod));
    rig.run_ms(2_000);
    rig.publish(1, &(0..pods).collect::<Vec<_>>());
    rig.run_ms(4_000);
    rig
}

/// Thousandths of the requests since `from` that went well, were refused and timed out.
fn shares(rig: &mut Rig, from: u64) -> (u64, u64, u64) {
    let slices = rig.slices();
    let late: Vec<_> = slices.iter().filter(|slice| slice.since >= Time::ZERO + Span::from_millis(from)).collect();
    let sum = |of: fn(&TrafficSlice) -> u64| late.iter().map(|slice| of(slice)).sum::<u64>();
    let all = sum(|s| s.requests).max(1);
    let part = |amount: u64| (amount * 1000 + all / 2) / all;
    (part(sum(|s| s.good)), part(sum(|s| s.refused)), part(sum(|s| s.timed_out)))
}

/// CPU that a source's requests ask of a pod, in thousandths of a core.
fn load(rig: &Rig, pod: u32) -> u64 {
    rig.world.pods.get(PodId(pod)).map_or(0, |row| row.loads.iter().map(|entry| entry.1).sum::<u64>() / 1000)
}

fn costly(mut setup: Setup) -> Setup {
    setup.experiment.setting.images[ImageId(0)].cpu_per_request = Span::from_millis(1);
    setup
}

#[test]
fn without_a_ready_endpoint_those_that_drain_get_the_traffic() {
    let mut rig = open(Setup::new(2).users(100, Clients::Outside), 2);
    rig.order(OrderKind::Publish(Publication { draining: Arc::from([PodId(0), PodId(1)]), ..edition(0, 2, &[]) }));
    rig.run_ms(5_000);
    rig.order(OrderKind::Publish(edition(0, 3, &[])));
    rig.run_ms(6_000);
    let slices = rig.slices();
    let last = slices.last().expect("there is traffic");
    assert_eq!((last.since, last.refused), (Time::from_secs(5), last.requests), "nobody is left: refused");
    let before = &slices[slices.len() - 2];
    assert_eq!((before.good, before.refused), (before.requests, 0), "until then, draining endpoints answered");
}

#[test]
fn traffic_that_stays_in_its_zone_overloads_the_last_endpoint_there() {
    let mut setup = costly(Setup::new(4).users(800, Clients::Nodes(Default::default())));
    let other = setup.catalog.zone("b");
    setup.catalog.nodes[NodeId(2)].zone = other;
    setup.catalog.nodes[NodeId(3)].zone = other;
    service(&mut setup).distribution = Distribution::SameZone;
    let mut rig = open(setup, 4);
    assert_eq!((0..4).map(|pod| load(&rig, pod)).collect::<Vec<_>>(), [200; 4]);
    rig.publish(2, &[0, 2, 3]);
    rig.run_ms(5_000);
    assert_eq!((0..4).map(|pod| load(&rig, pod)).collect::<Vec<_>>(), [400, 0, 200, 200], "its zone's whole traffic");
    rig.publish(3, &[2, 3]);
    rig.run_ms(6_000);
    assert_eq!((0..4).map(|pod| load(&rig, pod)).collect::<Vec<_>>(), [0, 0, 400, 400], "none there: all zones");
}

#[test]
fn a_node_without_its_proxy_keeps_its_rules_until_the_proxy_is_back() {
    let mut rig = open(Setup::new(4).users(400, Clients::Nodes(Default::default())), 2);
    let fault = rig.apply(Effect::StopProxies { nodes: vec![NodeId(3)] });
    rig.stop(0, 0, Span::from_secs(1));
    rig.publish(2, &[1]);
    rig.run_ms(20_000);
    rig.lift(fault);
    rig.run_ms(30_000);
    let slices = rig.slices();
    let at = |second: u64| slices.iter().rfind(|s| s.since <= Time::from_secs(second)).expect("there is traffic");
    assert_eq!(at(15).refused * 8, at(15).requests, "half of a quarter of the clients still goes to the dead pod");
    assert_eq!(at(25).refused, 0, "its rules are those of all others at once");
}

#[test]
fn hints_send_zones_where_they_say() {
    let mut setup = costly(Setup::new(2).users(100, Clients::Nodes(Default::default())));
    let other = setup.catalog.zone("b");
    setup.catalog.nodes[NodeId(1)].zone = other;
    service(&mut setup).distribution = Distribution::Hints;
    let mut rig = open(setup, 2);
    let hints: Arc<[ZoneId]> = Arc::from([ZoneId(1), ZoneId(1)]);
    rig.order(OrderKind::Publish(Publication { hints: Some(hints), ..edition(0, 2, &[0, 1]) }));
    rig.run_ms(5_000);
    assert_eq!([load(&rig, 0), load(&rig, 1)], [50, 50], "zone a has no hint and uses all");
    let hints: Arc<[ZoneId]> = Arc::from([ZoneId(1), ZoneId(0)]);
    rig.order(OrderKind::Publish(Publication { hints: Some(hints), ..edition(0, 3, &[0, 1]) }));
    rig.run_ms(6_000);
    assert_eq!([load(&rig, 0), load(&rig, 1)], [50, 50], "each zone has one");
}

#[test]
fn a_local_policy_drops_what_finds_nothing_on_its_node() {
    let mut setup = Setup::new(4).users(400, Clients::Nodes(Default::default()));
    service(&mut setup).internal_local = true;
    let mut rig = open(setup, 3);
    rig.run_ms(10_000);
    assert_eq!(shares(&mut rig, 2_000), (750, 0, 250), "the clients of the fourth node get no answer at all");
}

#[test]
fn a_load_balancer_notices_late_that_a_node_is_gone() {
    let mut setup = Setup::new(4).users(400, Clients::Outside);
    traffic(&mut setup).reach.via = Via::LoadBalancer(HealthCheck { interval: Span::from_secs(10), threshold: 3 });
    let mut rig = open(setup, 2);
    rig.kill(3);
    rig.run_ms(60_000);
    let slices = rig.slices();
    let lost: u64 = slices.iter().filter(|s| s.since >= Time::from_secs(4)).map(|s| s.timed_out).sum();
    assert_eq!(lost, 400 * 30 * 1000 / 4, "a quarter for thirty seconds");
}

#[test]
fn a_balancer_sends_nobody_to_a_node_without_endpoints_of_its_own() {
    let mut setup = Setup::new(4).users(400, Clients::Outside);
    service(&mut setup).external_local = true;
    traffic(&mut setup).reach.via = Via::LoadBalancer(HealthCheck::default());
    let mut rig = open(setup, 2);
    rig.run_ms(60_000);
    rig.publish(2, &[0]);
    rig.run_ms(61_000);
    rig.run_ms(120_000);
    let slices = rig.slices();
    let lost = |from: u64, to: u64| -> u64 {
        let inside = |s: &&TrafficSlice| s.since >= Time::from_secs(from) && s.since < Time::from_secs(to);
        slices.iter().filter(inside).map(|s| s.timed_out).sum()
    };
    assert_eq!(lost(2, 59), 200 * 30 * 1000, "two of four nodes have none: thirty seconds until it has found out");
    assert_eq!(lost(60, 120), 200 * 30 * 1000, "then one of the other two");
}

#[test]
fn open_connections_outlive_the_removal_of_their_endpoint() {
    let mut setup = costly(Setup::new(3).users(300, Clients::Outside));
    traffic(&mut setup).reach.keep_alive = true;
    let mut rig = open(setup, 2);
    assert_eq!([load(&rig, 0), load(&rig, 1)], [150, 150]);
    rig.start(2, 2);
    rig.run_ms(8_000);
    rig.publish(2, &[1, 2]);
    rig.run_ms(9_000);
    assert_eq!([load(&rig, 0), load(&rig, 1), load(&rig, 2)], [150, 150, 0], "nobody moves");
    rig.stop(0, 0, Span::from_secs(1));
    rig.run_ms(20_000);
    assert_eq!([load(&rig, 1), load(&rig, 2)], [225, 75], "those of the dead endpoint choose anew");
    assert_eq!(shares(&mut rig, 4_000), (1000, 0, 0));
}

#[test]
fn affinity_keeps_clients_at_an_endpoint_that_is_dead_but_published() {
    let mut setup = Setup::new(2).users(300, Clients::Outside);
    service(&mut setup).affinity = Some(Span::from_secs(10_800));
    traffic(&mut setup).retries = 3;
    let mut rig = open(setup, 2);
    rig.stop(0, 0, Span::from_secs(1));
    rig.run_ms(8_000);
    rig.run_ms(20_000);
    rig.publish(2, &[1]);
    rig.run_ms(30_000);
    assert_eq!(shares(&mut rig, 20_000).0, 1000, "unpublished, it lets them go");
    let slices = rig.slices();
    let stuck = slices.iter().rfind(|s| s.since < Time::from_secs(20)).expect("an interval before");
    assert_eq!(stuck.refused * 2, stuck.requests, "no retry helps");
}

/// Adds a DNS and has it asked.
fn dns(mut setup: Setup, habit: Names) -> Setup {
    let (name, namespace) = (setup.catalog.names.intern("kube-dns"), setup.catalog.names.intern("kube-system"));
    let spec = ServiceSpec { selector: None, ..ServiceSpec::new(name, namespace, Selector::default()) };
    setup.catalog.services.push(spec);
    traffic(&mut setup).reach.names = habit;
    setup
}

/// A DNS of one pod on node 2, asked for names before each attempt.
fn with_names(habit: Names) -> Rig {
    let mut rig = dns(Setup::new(3).users(100, Clients::Nodes(Default::default())), habit).start();
    (0..3).for_each(|pod| rig.start(pod, pod));
    rig.run_ms(2_000);
    rig.publish(1, &[0, 1]);
    rig.order(OrderKind::Publish(edition(1, 1, &[2])));
    rig.run_ms(10_000);
    rig
}

#[test]
fn nothing_works_without_names() {
    let mut rig = with_names(Names::EachTime(2));
    assert_eq!(shares(&mut rig, 3_000), (0, 0, 0), "no change since it began to work");
    rig.stop(2, 2, Span::from_secs(1));
    rig.run_ms(20_000);
    rig.order(OrderKind::Publish(edition(1, 2, &[])));
    rig.run_ms(30_000);
    let slices = rig.slices();
    let at = |second: u64| slices.iter().rfind(|s| s.since <= Time::from_secs(second)).expect("there is traffic");
    assert_eq!(at(15).timed_out, at(15).requests, "published but dead: lookups get lost");
    assert_eq!(at(25).refused, at(25).requests, "not published: lookups are refused");
}

#[test]
fn lookups_cost_the_servers_and_too_many_of_them_get_lost() {
    let run = |rate: u64, timeout: Span| {
        // One server of names with four cores at 1 ms for each lookup answers 4,000 a second.
        let mut setup = dns(costly(Setup::new(3).users(rate, Clients::Nodes(Default::default()))), Names::EachTime(2));
        traffic(&mut setup).timeout = timeout;
        let mut rig = setup.start();
        (0..3).for_each(|pod| rig.start(pod, pod));
        rig.run_ms(2_000);
        rig.publish(1, &[0, 1]);
        rig.order(OrderKind::Publish(edition(1, 1, &[2])));
        rig.run_ms(4_000);
        let first = load(&rig, 2);
        rig.run_ms(120_000);
        let slices = rig.slices();
        let last = slices.last().expect("there is traffic");
        (first, load(&rig, 2), last.timed_out * 1000 / last.requests, last.latency)
    };
    let (first, later, lost, _) = run(1_500, Span::from_secs(1));
    assert_eq!((first, later, lost), (3000, 3000, 0), "two lookups each, all answered");
    let (first, later, lost, _) = run(3_000, Span::from_secs(1));
    assert!(first == 6000 && later > 8000, "what is lost is asked for again after 5 s: {first}, {later}");
    assert!((600..900).contains(&lost), "both lookups must be answered: {lost} of 1000 lost");
    let (_, _, patient, latency) = run(3_000, Span::from_secs(20));
    assert!(patient < lost, "who waits for longer than 5 s gets a second chance: {patient}");
    assert!(latency > Span::from_secs(1), "at the price of 5 s: {latency:?}");
}

#[test]
fn names_that_are_kept_last_until_they_expire() {
    let mut rig = with_names(Names::Kept(Span::from_secs(80)));
    rig.stop(2, 2, Span::from_secs(1));
    rig.run_ms(200_000);
    let slices = rig.slices();
    let dead = slices.iter().rfind(|s| s.requests > 0).expect("there is traffic");
    assert_eq!(dead.timed_out, dead.requests);
    assert!(dead.since > Time::from_secs(11) && dead.since <= Time::from_secs(91), "{:?}", dead.since);
    let good: u64 = slices.iter().filter(|s| s.since >= Time::from_secs(10)).map(|s| s.good).sum();
    assert!(good > 0, "until then answers are still good");
}

#[test]
fn network_policies_allow_by_union_and_drop_the_rest() {
    let rig = |rules: Option<Vec<PeerRule>>, enforced: bool| {
        let mut setup = Setup::new(2).users(100, Clients::Workload(shop()));
        let empty = setup.catalog.known.empty;
        let name = setup.catalog.names.intern("deny");
        if let Some(rules) = rules {
            for ingress in [Vec::new(), rules] {
                let pods = Selector::default();
                let spec = NetworkPolicySpec { name, namespace: empty, pods, ingress: Some(ingress), egress: None };
                setup.catalog.network_policies.push(spec);
            }
        }
        traffic(&mut setup).reach.port = Some(80);
        setup.experiment.setting.network.policies = enforced;
        let mut rig = open(setup, 2);
        rig.run_ms(10_000);
        let slices = rig.slices();
        let last = slices.last().expect("there is traffic");
        (last.good * 1000 / last.requests, last.timed_out * 1000 / last.requests)
    };
    let all = Peer::Pods { namespaces: None, pods: None };
    assert_eq!(rig(None, true), (1000, 0), "no policy: open");
    assert_eq!(rig(Some(Vec::new()), true), (0, 1000), "selected and not allowed: lost");
    assert_eq!(rig(Some(Vec::new()), false), (1000, 0), "nobody enforces it");
    assert_eq!(rig(Some(vec![PeerRule { peers: vec![all.clone()], ports: Vec::new() }]), true), (1000, 0));
    assert_eq!(rig(Some(vec![PeerRule { peers: vec![all], ports: vec![8080] }]), true), (0, 1000), "another port");
}

const PODS: u32 = 24;
const NODES: u32 = 6;

/// Sources and services of all sorts.
fn fair(seed: u64) -> (Setup, Stream) {
    let mut draws = Streams::new(seed).stream(Purpose::Fault, 1);
    let mut setup = Setup::new(NODES as usize)
        .users(500, Clients::Outside)
        .users(300, Clients::Nodes(Default::default()))
        .users(200, Clients::Workload(shop()));
    let other = setup.catalog.zone("b");
    for node in 0..NODES / 2 {
        setup.catalog.nodes[NodeId(node * 2)].zone = other;
    }
    let (name, namespace) = (setup.catalog.names.intern("kube-dns"), setup.catalog.names.intern("kube-system"));
    setup
        .catalog
        .services
        .push(ServiceSpec { selector: None, ..ServiceSpec::new(name, namespace, Selector::default()) });
    let spec = service(&mut setup);
    let all = [Distribution::All, Distribution::SameZone, Distribution::SameNode, Distribution::Hints];
    spec.distribution = all[draws.index(4)];
    spec.external_local = draws.below(3) == 0;
    spec.internal_local = draws.below(4) == 0;
    spec.headless = draws.below(6) == 0;
    spec.affinity = (draws.below(4) == 0).then_some(Span::from_secs(10_800));
    for id in 0..3 {
        let traffic = &mut setup.experiment.traffic[TrafficId(id)];
        traffic.retries = draws.below(3) as u32;
        traffic.reach.keep_alive = draws.below(4) == 0;
        traffic.reach.via = match draws.below(6) {
            0 => Via::Headless,
            1 => Via::Ingress,
            2 => Via::LoadBalancer(HealthCheck { interval: Span::from_millis(700), threshold: 3 }),
            _ => Via::Service,
        };
        traffic.reach.names = match draws.below(4) {
            0 => Names::EachTime(2),
            1 => Names::Kept(Span::from_secs(6)),
            _ => Names::Known,
        };
    }
    setup.experiment.setting.host.boot = Span::from_millis(700);
    setup.experiment.setting.images[ImageId(0)].cpu_per_request = Span::from_millis(6);
    setup.seed = seed;
    (setup, draws)
}

fn some_pods(draws: &mut Stream, odds: u64) -> Vec<u32> {
    (0..PODS).filter(|_| draws.below(8) < odds).collect()
}

#[test]
fn whatever_clients_do_equals_what_is_worked_out_from_scratch() {
    for seed in 0..60 {
        let (setup, mut draws) = fair(seed);
        let mut rig = setup.start();
        // Nobody publishes a pod that was never started.
        (0..PODS).for_each(|pod| rig.start(pod % NODES, pod));
        let mut faults = Vec::new();
        for step in 0..120 {
            rig.run_to(rig.now() + Span::from_millis(1 + draws.below(900)));
            let pod = draws.below(u64::from(PODS)) as u32;
            match draws.below(9) {
                0 => faults.push(rig.kill(pod % NODES)),
                1 => faults.push(rig.cut(nodes(&[pod % NODES]), control(), BOTH)),
                2 => faults.push(rig.cut(nodes(&[pod % NODES]), outside(), BOTH)),
                3 if step % 4 == 0 => faults.push(rig.apply(Effect::StopProxies { nodes: vec![NodeId(pod % NODES)] })),
                3 => rig.stop(pod % NODES, pod, Span::from_secs(1)),
                4 | 5 => {
                    let odds = draws.below(8);
                    let ready = some_pods(&mut draws, odds);
                    let draining = some_pods(&mut draws, 2).into_iter().filter(|pod| !ready.contains(pod));
                    let hints = ready.iter().map(|_| ZoneId(draws.below(2) as _)).collect();
                    rig.order(OrderKind::Publish(Publication {
                        draining: draining.map(PodId).collect(),
                        hints: (draws.below(3) > 0).then_some(hints),
                        proxy_sync: Span::from_secs(1),
                        dns_ttl: Span::from_secs(4),
                        ..edition(0, step + 1, &ready)
                    }));
                }
                6 => {
                    let servers = some_pods(&mut draws, 1);
                    let dns_ttl = Span::from_secs(4);
                    rig.order(OrderKind::Publish(Publication { dns_ttl, ..edition(1, step + 1, &servers) }));
                }
                _ => (0..PODS).filter(|pod| pod % 5 == step % 5).for_each(|pod| rig.start(pod % NODES, pod)),
            }
            if faults.len() > 3 {
                let fault = faults.remove(draws.index(faults.len()));
                rig.lift(fault);
            }
        }
    }
}
