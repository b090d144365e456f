//! Nodes that nobody hears: gossip, and entries that expire.

use shakedown_engine::fact::Note;
use shakedown_engine::profile::{Absence, Expiry, Gossip};

use super::*;

const EXPIRY: Expiry = Expiry { every: Span::from_secs(45), ttl: Span::from_secs(60), sweep: Span::ZERO, dial: None };

impl Rig {
    fn publish_by(&mut self, absence: Absence, version: u32, pods: &[u32]) {
        self.order(OrderKind::Publish(Publication {
            service: ServiceId(0),
            version,
            endpoints: pods.iter().map(|&pod| PodId(pod)).collect(),
            draining: Arc::from([]),
            hints: None,
            lag: Span::ZERO,
            proxy_sync: Span::ZERO,
            dns_ttl: Span::ZERO,
            name_poll: Span::ZERO,
            ingress_sync: Span::ZERO,
            absence,
        }));
    }

    /// Milliseconds at which a note on nodes was made.
    fn noted(&self, wanted: Note) -> Vec<u64> {
        let at = |fact: &shakedown_engine::fact::Fact| match fact.kind {
            FactKind::Noted { note, .. } if note == wanted => Some(fact.at.since(Time::ZERO).as_millis()),
            _ => None,
        };
        self.facts.facts().iter().filter_map(at).collect()
    }

    /// Thousandths of the requests that timed out in the interval that holds this second.
    fn lost_at(&mut self, second: u64) -> u64 {
        let slices = self.slices();
        let slice = slices.iter().rfind(|s| s.since <= Time::from_secs(second)).expect("there is traffic");
        (slice.timed_out * 1000 + slice.requests / 2) / slice.requests.max(1)
    }
}

/// As many hosts as pods, each with one, published at 2 s.
fn open(absence: Absence, hosts: u32, from: Clients) -> Rig {
    let mut rig = Setup::new(hosts as usize).users(100, from).start();
    (0..hosts).for_each(|pod| rig.start(pod, pod));
    rig.run_ms(2_000);
    rig.publish_by(absence, 1, &(0..hosts).collect::<Vec<_>>());
    rig.run_ms(10_000);
    rig
}

fn everybody() -> Clients {
    Clients::Nodes(Default::default())
}

const GOSSIP: Absence = Absence::Gossip(Gossip::OVERLAY);

#[test]
fn a_dead_node_leaves_by_gossip_before_anybody_else_says_so() {
    let mut rig = open(GOSSIP, 5, everybody());
    rig.kill(3);
    rig.run_ms(60_000);
    let gone = rig.noted(Note::OutOfDiscovery);
    assert!(gone.len() == 1 && (15_000..19_500).contains(&gone[0]), "recorded: 5.6 to 7.1 s; {gone:?}");
    assert_eq!((rig.lost_at(12), rig.lost_at(30)), (200, 0), "a fifth of the requests until then");
}

#[test]
fn a_cut_between_two_workers_is_never_healed() {
    let mut rig = open(GOSSIP, 5, everybody());
    rig.cut(nodes(&[2]), nodes(&[3]), BOTH);
    rig.run_ms(60_000);
    assert_eq!(rig.noted(Note::OutOfDiscovery), []);
    assert_eq!(rig.lost_at(59), 80, "two of five clients lose a fifth each");
}

#[test]
fn a_node_that_hears_only_its_fellows_stays_and_hears_news() {
    let mut rig = open(GOSSIP, 5, everybody());
    rig.cut(nodes(&[3]), control(), BOTH);
    rig.run_ms(20_000);
    rig.publish_by(GOSSIP, 2, &[0, 1, 2, 4]);
    rig.run_ms(25_000);
    rig.stop(0, 0, Span::from_secs(1));
    rig.publish_by(GOSSIP, 3, &[1, 2, 4]);
    rig.run_ms(40_000);
    assert_eq!(rig.noted(Note::OutOfDiscovery), []);
    assert_eq!(rig.lost_at(39), 0, "its entry stays, as the node answers, and the other one is gone for it as well");
    let slices = rig.slices();
    assert_eq!(slices.last().expect("there is traffic").refused, 0);
}

#[test]
fn a_node_that_was_cut_off_is_back_with_what_the_control_plane_had_taken_out() {
    let mut rig = open(GOSSIP, 5, everybody());
    let fault = rig.cut(nodes(&[3]), Group { control: true, ..nodes(&[0, 1, 2, 4]) }, BOTH);
    rig.run_ms(18_000);
    rig.publish_by(GOSSIP, 2, &[0, 1, 2, 4]);
    rig.run_ms(30_000);
    rig.lift(fault);
    rig.run_ms(40_000);
    let (gone, back) = (rig.noted(Note::OutOfDiscovery), rig.noted(Note::BackInDiscovery));
    assert!(gone.len() == 1 && back.len() == 1, "{gone:?} {back:?}");
    assert!((30_000..31_000).contains(&back[0]), "within a round of news: {back:?}");
    let shown = rig.world.proxies.regular((ServiceId(0), crate::proxy::Reader::Proxy), 0, rig.now());
    assert_eq!(shown.ready.len(), 4, "its agent has its orders: the copy is gone");
}

#[test]
fn a_node_by_itself_finds_its_own_replica_only() {
    let mut rig = open(GOSSIP, 5, everybody());
    rig.cut(nodes(&[3]), Group { control: true, ..nodes(&[0, 1, 2, 4]) }, BOTH);
    rig.run_ms(30_000);
    assert_eq!(rig.lost_at(29), 160, "a fifth of the clients loses four fifths");
    rig.run_ms(60_000);
    assert_eq!(rig.lost_at(59), 0, "without confirmations it takes six times as long, and then it is alone");
}

#[test]
fn entries_that_are_not_repeated_expire_whatever_the_control_plane_says() {
    let mut rig = open(Absence::Expiry(EXPIRY), 5, everybody());
    rig.kill(3);
    rig.run_ms(20_000);
    rig.publish_by(Absence::Expiry(EXPIRY), 2, &[0, 1, 2, 4]);
    rig.run_ms(90_000);
    let gone = rig.noted(Note::OutOfDiscovery);
    assert!(gone.len() == 1 && (25_000..=70_000).contains(&gone[0]), "15 to 60 s after the last word: {gone:?}");
    assert_eq!((rig.lost_at(22), rig.lost_at(80)), (200, 0));
}

#[test]
fn a_router_that_cannot_connect_leaves_a_replica_alone_long_before_it_is_pruned() {
    let expiry = Expiry { ttl: Span::from_secs(120), dial: Some(Span::from_secs(5)), ..EXPIRY };
    let mut rig = open(Absence::Expiry(expiry), 5, Clients::Outside);
    rig.kill(3);
    rig.run_ms(60_000);
    assert_eq!(rig.noted(Note::OutOfDiscovery), [15_000]);
}

#[test]
fn a_host_that_boots_announces_itself() {
    let mut rig = open(Absence::Expiry(EXPIRY), 5, everybody());
    let fault = rig.kill(3);
    rig.run_ms(100_000);
    rig.lift(fault);
    rig.run_ms(300_000);
    let up = rig.facts.facts().iter().rfind(|f| matches!(f.kind, FactKind::HostUp { .. })).expect("it boots").at;
    assert_eq!(rig.noted(Note::BackInDiscovery), [up.since(Time::ZERO).as_millis()]);
}

#[test]
fn names_that_are_read_now_and_then_stay_for_that_time_and_their_own() {
    let mut setup = Setup::new(2).users(100, everybody());
    setup.catalog.services[ServiceId(0)].headless = true;
    let mut rig = setup.start();
    (0..2).for_each(|pod| rig.start(pod, pod));
    let edition = |version, pods: &[u32]| {
        OrderKind::Publish(Publication {
            service: ServiceId(0),
            version,
            endpoints: pods.iter().map(|&pod| PodId(pod)).collect(),
            draining: Arc::from([]),
            hints: None,
            lag: Span::ZERO,
            proxy_sync: Span::ZERO,
            dns_ttl: Span::from_secs(60),
            name_poll: Span::from_secs(60),
            ingress_sync: Span::ZERO,
            absence: Absence::Told,
        })
    };
    rig.run_ms(2_000);
    rig.order(edition(1, &[0, 1]));
    rig.run_ms(305_000);
    rig.stop(0, 0, Span::from_secs(1));
    rig.order(edition(2, &[1]));
    rig.run_ms(500_000);
    let slices = rig.slices();
    let refused = |s: &&TrafficSlice| s.refused > 0;
    let first = slices.iter().find(refused).expect("a dead record is asked").since;
    let last = slices.iter().rfind(refused).expect("it is the same one").since;
    assert!(first < Time::from_secs(310) && last < Time::from_secs(425), "{first} to {last}");
    let after = slices.iter().find(|s| s.since > last).expect("it ends").since;
    assert!(
        after >= Time::from_secs(360) && after <= Time::from_secs(425),
        "read at 360 s, kept for up to 60 s: {after}"
    );
}

#[test]
fn gossip_costs_nothing_while_nothing_happens() {
    let run = |absence| {
        let mut rig = open(absence, 5, everybody());
        rig.run_ms(600_000);
        rig.facts.facts().len()
    };
    assert_eq!(run(GOSSIP), run(Absence::Told));
}
