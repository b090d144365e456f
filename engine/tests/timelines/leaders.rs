//! Control planes that lose their leader or their quorum: a row of times for each orchestrator.

use shakedown_engine::fact::{Component, Exit, FactKind, Note};
use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::message::{Instances, Operation, PartChange};
use shakedown_engine::time::Span;

use crate::script::{Lab, Setup};

const T0: u64 = 100;

fn since(lab: &Lab, wanted: impl Fn(&FactKind) -> bool) -> Vec<f64> {
    lab.times(wanted).into_iter().map(|at| at - T0 as f64).filter(|at| *at >= 0.0).collect()
}

fn within(value: f64, low: f64, high: f64, what: &str) {
    assert!((low..=high).contains(&value), "{what}: {value:.3} s is not within {low}..{high}");
}

fn elected(lab: &Lab) -> Vec<f64> {
    since(lab, |k| matches!(k, FactKind::LeaderElected { component: Component::Manager }))
}

fn unhealthy(lab: &Lab) -> Vec<f64> {
    since(lab, |k| matches!(k, FactKind::NodeUnhealthy { .. }))
}

fn started(lab: &Lab) -> Vec<f64> {
    since(lab, |k| matches!(k, FactKind::ContainerStarted { .. }))
}

fn managers(lab: &mut Lab, change: PartChange) {
    lab.command(Operation::ControlPlane { part: Component::Manager, change });
}

/// Five nodes at work, at the trigger.
fn at_work(setup: Setup, seed: u64, replicas: u32) -> (Lab, WorkloadId) {
    let mut setup = setup.nodes("a", 5);
    let web = setup.deployment("web", replicas);
    let mut lab = setup.start(seed);
    lab.until(T0);
    (lab, web)
}

/// The leader and a worker die at once. Returns the leader's end, the node's end and the first replacement, after that.
fn both_die(setup: Setup, seed: u64) -> (f64, Option<f64>, Option<f64>, Lab) {
    let (mut lab, _) = at_work(setup, seed, 10);
    managers(&mut lab, PartChange::Stop(Instances::Leader));
    lab.kill([NodeId(4)]);
    lab.until(T0 + 1_000);
    (elected(&lab)[0], unhealthy(&lab).first().copied(), started(&lab).first().copied(), lab)
}

/// Measured on 20.10: Down after 41.4 and 41.7 s, replacements 47.1 and 47.3 s.
#[test]
fn swarm_replaces_what_died_with_its_leader_after_election_and_twice_the_grace() {
    for seed in 0..30 {
        let (leader, down, replaced, lab) = both_die(Setup::new("swarm"), seed);
        let (down, replaced) = (down.expect("Down"), replaced.expect("replaced"));
        within(leader, 9.0, 30.0, "election");
        within(down - leader, 27.0, 33.0, "six periods");
        within(replaced - down, 5.0, 8.0, "restart delay");
        assert_eq!(unhealthy(&lab).len(), 1, "no other node is Down");
    }
}

/// The recorded case itself: a manager's node with tasks of its own dies.
#[test]
fn a_swarm_manager_lives_on_its_node() {
    for seed in 0..10 {
        let mut setup = Setup::new("swarm").nodes("a", 5).role("manager", 3);
        let web = setup.deployment("web", 10);
        let mut lab = setup.start(seed);
        lab.until(T0);
        lab.kill([NodeId(0)]);
        lab.until(T0 + 8);
        assert!(elected(&lab).is_empty());
        lab.command(Operation::Scale { workload: web, replicas: 12 });
        lab.until(T0 + 300);
        let leader = elected(&lab)[0];
        within(leader, 9.0, 30.0, "election");
        within(unhealthy(&lab)[0], 36.0, 60.0, "Down");
        assert!(started(&lab)[0] > leader, "commands wait for the leader");
        assert_eq!((unhealthy(&lab).len(), lab.ready(web)), (1, 12));
    }
}

#[test]
fn a_follower_that_dies_is_like_a_worker() {
    let mut setup = Setup::new("swarm").nodes("a", 5).role("manager", 3);
    let web = setup.deployment("web", 10);
    let mut lab = setup.start(1);
    lab.until(T0);
    lab.kill([NodeId(1)]);
    lab.until(T0 + 60);
    assert!(elected(&lab).is_empty());
    within(unhealthy(&lab)[0], 9.0, 16.5, "Down");
    assert_eq!(lab.ready(web), 10);
}

#[test]
fn a_swarm_leader_that_is_cut_off_is_replaced_and_follows_when_it_is_back() {
    let mut setup = Setup::new("swarm").nodes("a", 5).role("manager", 3);
    let web = setup.deployment("web", 10);
    let mut lab = setup.start(3);
    lab.until(T0);
    lab.cut([NodeId(0)]);
    lab.until(T0 + 100);
    assert_eq!((elected(&lab).len(), unhealthy(&lab).len()), (1, 1));
    lab.heal();
    lab.until(T0 + 200);
    assert_eq!((elected(&lab).len(), lab.ready(web)), (1, 10));
}

/// Recorded: a container killed 5 s after two of three managers was replaced 5 s after there was a leader again.
#[test]
fn without_a_quorum_swarm_replaces_nothing_until_it_is_back() {
    let mut setup = Setup::new("swarm").nodes("a", 5).role("manager", 3);
    let web = setup.deployment("web", 6);
    let mut lab = setup.start(2);
    lab.until(T0);
    lab.kill([NodeId(0), NodeId(1)]);
    lab.until(T0 + 37);
    assert!(elected(&lab).is_empty() && unhealthy(&lab).is_empty());
    assert_eq!(lab.all(|k| matches!(k, FactKind::Noted { note: Note::NoQuorum, .. })).len(), 1);
    lab.boot([NodeId(1)]);
    lab.until(T0 + 300);
    within(elected(&lab)[0], 37.0, 60.0, "the one that waited stands again");
    assert_eq!(lab.ready(web), 6);
}

#[test]
fn nomad_takes_five_minutes_for_what_died_with_its_leader() {
    for seed in 0..30 {
        let (leader, down, replaced, lab) = both_die(Setup::new("nomad"), seed);
        within(leader, 1.0, 6.0, "election");
        within(down.expect("down") - leader, 300.0, 300.1, "failover_heartbeat_ttl");
        within(replaced.expect("replaced") - leader, 300.0, 302.0, "replacement");
        assert_eq!(unhealthy(&lab).len(), 1, "no other node is down");
    }
}

#[test]
fn mesos_gives_agents_ten_minutes_after_a_failover() {
    for seed in 0..10 {
        let (leader, down, _, lab) = both_die(Setup::new("marathon"), seed);
        within(leader, 6.0, 10.1, "session");
        within(down.expect("unreachable") - leader, 600.0, 600.1, "agent_reregister_timeout");
        assert_eq!(unhealthy(&lab).len(), 1);
    }
}

#[test]
fn diego_judges_cells_as_before_when_another_bbs_has_the_lock() {
    for seed in 0..10 {
        let (leader, down, replaced, _) = both_die(Setup::new("diego"), seed);
        within(leader, 10.0, 20.0, "lock and retry");
        within(down.expect("missing"), 10.0, 61.0, "convergence");
        assert!(replaced.expect("replaced") > leader);
    }
}

#[test]
fn fleet_waits_for_the_lease_of_its_engine_only() {
    for seed in 0..10 {
        let (mut lab, web) = at_work(Setup::new("fleet"), seed, 10);
        managers(&mut lab, PartChange::Stop(Instances::Leader));
        lab.kill([NodeId(4)]);
        lab.until(T0 + 200);
        within(started(&lab)[0], 15.0, 47.0, "replacement");
        assert_eq!(lab.ready(web), 10);
    }
}

/// Measured: 15.2 to 17.9 s without a primary. From its source: nobody reschedules what was lost meanwhile.
#[test]
fn standalone_swarm_has_a_primary_soon_and_counts_nodes_all_the_time() {
    for seed in 0..10 {
        let (leader, _, replaced, _) = both_die(Setup::new("swarm-standalone"), seed);
        within(leader, 13.3, 20.0, "lock");
        assert_eq!(replaced, None);
    }
}

#[test]
fn hidden_control_planes_have_nobody_to_take_over() {
    for profile in ["ecs", "tutum", "cattle"] {
        let (mut lab, web) = at_work(Setup::new(profile), 1, 5);
        managers(&mut lab, PartChange::Stop(Instances::Leader));
        lab.command(Operation::Scale { workload: web, replicas: 7 });
        lab.until(T0 + 600);
        assert_eq!((elected(&lab).len(), started(&lab).len()), (0, 0), "{profile}");
        managers(&mut lab, PartChange::Start(Instances::Leader));
        lab.until(T0 + 900);
        assert_eq!((elected(&lab).len(), lab.ready(web)), (1, 7), "{profile}");
    }
}

/// A container that ends every two minutes, and ten minutes without a quorum. Returns how often it was started meanwhile, and
/// afterwards.
fn crashes_without_quorum(profile: &str) -> (usize, usize) {
    let mut setup = Setup::new(profile).nodes("a", 5);
    let web = setup.deployment("web", 1);
    let template = setup.catalog.workloads[web].template;
    let mut lab = setup.start(1);
    lab.world.exits.insert(template, (Span::from_secs(120), Exit::Crashed));
    lab.until(T0);
    managers(&mut lab, PartChange::Stop(Instances::Quorum));
    lab.until(T0 + 600);
    let during = started(&lab).len();
    managers(&mut lab, PartChange::Start(Instances::Quorum));
    lab.until(T0 + 900);
    (during, started(&lab).len() - during)
}

#[test]
fn without_a_quorum_only_those_restart_whose_hosts_do_it() {
    for (profile, low, high) in [
        ("swarm", 0, 0),
        ("diego", 0, 0),
        ("ecs", 0, 0),
        ("marathon", 0, 0),
        ("nomad", 2, 2),
        ("fleet", 4, 5),
        ("swarm-standalone", 4, 5),
    ] {
        let (during, after) = crashes_without_quorum(profile);
        assert!((low..=high).contains(&during), "{profile}: started {during} times");
        assert!(after > 0, "{profile}: nothing was started afterwards");
    }
}
