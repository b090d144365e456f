//! Timelines of fleet, Tutum and Cattle: what the founding articles saw, through the loop against the scripted world.

use shakedown_engine::fact::{Component, Exit, FactKind, Note};
use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::message::{Instances, Operation, PartChange};
use shakedown_engine::model::BalancerWish;
use shakedown_engine::time::{Span, Time};

use crate::script::{Lab, Setup, nodes};

const KILL: u64 = 60;

fn service(profile: &str, replicas: u32) -> (Setup, WorkloadId) {
    let mut setup = Setup::new(profile).nodes("a", 5);
    let web = setup.deployment("web", replicas);
    (setup, web)
}

fn notes(lab: &Lab, wanted: Note) -> Vec<f64> {
    lab.times(|k| matches!(k, FactKind::Noted { note, .. } if *note == wanted))
}

fn within(value: f64, low: f64, high: f64, what: &str) {
    assert!((low..=high).contains(&value), "{what}: {value:.3} s is not within {low}..{high}");
}

fn counts(lab: &Lab) -> Vec<usize> {
    nodes(0, 5).map(|node| lab.on(node).len()).collect()
}

#[test]
fn fleet_moves_units_of_a_dead_machine_15_to_37_s_after_it_died() {
    for seed in 0..20 {
        let (setup, web) = service("fleet", 10);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        assert_eq!(counts(&lab), [2, 2, 2, 2, 2], "by number of units, whatever their size");
        lab.kill([NodeId(2)]);
        lab.until(KILL + 60);
        let gone = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0] - KILL as f64;
        within(gone, 15.0, 32.0, "the key's end and the next reconciliation");
        let started = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }));
        within(started[10] - KILL as f64, 15.0, 37.0, "replacement");
        assert_eq!(lab.ready(web), 10);
    }
}

#[test]
fn fleet_takes_the_first_of_the_emptiest_machines_by_name() {
    let (setup, _) = service("fleet", 3);
    let mut lab = setup.start(7);
    lab.until(KILL);
    assert_eq!(counts(&lab), [1, 1, 1, 0, 0]);
}

#[test]
fn a_unit_that_fails_too_often_stays_failed_where_it_is() {
    let (setup, web) = service("fleet", 1);
    let template = setup.catalog.workloads[web].template;
    let mut lab = setup.start(1);
    lab.world.broken.insert(template);
    lab.world.pace = Some((Span::from_millis(100), Span::from_millis(100)));
    lab.until(600);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ContainerStarted { .. })).len(), 5, "five starts in ten seconds");
    assert_eq!(notes(&lab, Note::StaysDown).len(), 1);
    assert_eq!((lab.on(NodeId(0)).len(), lab.ready(web)), (1, 0), "it is still scheduled there");
}

#[test]
fn fleet_drains_a_machine_that_is_shut_down_within_two_seconds() {
    let (setup, web) = service("fleet", 10);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Drain { nodes: vec![NodeId(1)] });
    lab.until(KILL + 4);
    assert_eq!((lab.on(NodeId(1)).len(), lab.ready(web)), (0, 10));
}

/// etcd cannot be written for as long as given, then again. Returns machines that were gone and units that moved.
fn stall(seconds: u64, seed: u64) -> (usize, usize, Lab, WorkloadId) {
    let (setup, web) = service("fleet", 10);
    let mut lab = setup.start(seed);
    lab.until(KILL);
    let change = |change| Operation::ControlPlane { part: Component::Store, change };
    lab.command(change(PartChange::Stop(Instances::All)));
    lab.until(KILL + seconds);
    lab.command(change(PartChange::Start(Instances::All)));
    lab.until(KILL + seconds + 200);
    let gone = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len();
    let moved = lab.times(|k| matches!(k, FactKind::PodDeleting { .. })).len();
    (gone, moved, lab, web)
}

#[test]
fn a_short_stall_of_etcd_moves_nothing() {
    for seed in 0..10 {
        let (gone, moved, _, _) = stall(8, seed);
        assert_eq!((gone, moved), (0, 0), "seed {seed}");
    }
}

#[test]
fn an_etcd_stall_beyond_the_ttl_takes_all_machines_away_and_moves_what_ran_well() {
    for seed in 0..10 {
        let (gone, moved, lab, web) = stall(60, seed);
        assert_eq!(notes(&lab, Note::PresenceExpired).len(), 5, "seed {seed}: every key expired");
        assert!(gone >= 2 && moved >= 4, "seed {seed}: {gone} machines were gone and {moved} units moved");
        assert_eq!(lab.ready(web), 10, "seed {seed}: all run again");
        assert!(
            counts(&lab).iter().max() > Some(&2),
            "seed {seed}: whoever was back first got them: {:?}",
            counts(&lab)
        );
    }
}

#[test]
fn units_are_replaced_by_people_one_by_one() {
    let (mut setup, web) = service("fleet", 5);
    let v2 = setup.template("web", "app:v2");
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    lab.until(KILL + 120);
    assert_eq!(notes(&lab, Note::UpdatedByHand).len(), 1);
    assert_eq!((lab.view().workload(web).updated, lab.ready(web)), (5, 5));
}

#[test]
fn tutum_never_reschedules_from_an_unreachable_node() {
    let (setup, web) = service("tutum", 10);
    let mut lab = setup.start(1);
    lab.until(KILL);
    assert_eq!(counts(&lab), [2, 2, 2, 2, 2], "emptiest node first");
    lab.kill([NodeId(2)]);
    lab.until(KILL + 7_200);
    assert_eq!(notes(&lab, Note::NotRescheduled).len(), 1);
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodCreated { .. })).len(), 10, "nothing is created in two hours");
    assert_eq!(lab.ready(web), 8);
    lab.boot([NodeId(2)]);
    lab.until(KILL + 7_300);
    assert_eq!(lab.ready(web), 10, "they come back with their node");
}

#[test]
fn tutum_keeps_no_number_but_fills_up_when_people_scale() {
    let (setup, web) = service("tutum", 5);
    let mut lab = setup.start(1);
    lab.until(KILL);
    let pods = lab.on(NodeId(0));
    lab.command(Operation::DeletePods { pods, grace: None });
    lab.until(KILL + 600);
    assert_eq!(lab.ready(web), 4);
    lab.command(Operation::Scale { workload: web, replicas: 6 });
    lab.until(KILL + 660);
    assert_eq!(lab.ready(web), 6);
}

/// Docker's waits of 0.1 s, doubling to a minute: ten restarts take 102 s, and then one a minute.
#[test]
fn docker_restarts_in_place_with_doubling_waits() {
    for (autorestart, low, high) in [("ALWAYS", 60, 75), ("ON_FAILURE", 60, 75), ("OFF", 1, 1)] {
        let (setup, web) = service("tutum", 1);
        let template = setup.catalog.workloads[web].template;
        let mut lab = setup.set("autorestart", autorestart).start(1);
        lab.world.exits.insert(template, (Span::from_secs(1), Exit::Crashed));
        lab.until(3_600);
        let starts = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. })).len();
        assert!((low..=high).contains(&starts), "{autorestart}: {starts}");
        assert_eq!(lab.times(|k| matches!(k, FactKind::PodBound { .. })).len(), 1, "it never leaves its node");
    }
}

#[test]
fn a_redeploy_goes_on_to_the_end_one_container_after_the_other_whatever_becomes_of_them() {
    let (mut setup, web) = service("tutum", 5);
    let v2 = setup.template("web", "app:v2");
    let mut lab = setup.start(1);
    lab.world.broken.insert(v2);
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    lab.until(KILL + 300);
    assert_eq!(lab.view().workload(web).updated, 5, "all are of the broken version");
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutPaused { .. })).len(), 0);
}

#[test]
fn cattle_without_a_health_check_keeps_containers_on_a_dead_host_until_it_is_deleted() {
    for seed in 0..10 {
        let (setup, web) = service("cattle", 10);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        lab.kill([NodeId(2)]);
        let lost = lab.on(NodeId(2)).len() as u32;
        lab.until(KILL + 3_600);
        let reconnecting = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0] - KILL as f64;
        within(reconnecting, 40.0, 45.0, "six pings");
        within(notes(&lab, Note::Disconnected)[0] - KILL as f64, 220.0, 225.0, "180 s more");
        assert_eq!(lab.ready(web), 10 - lost);
        lab.command(Operation::RemoveNode { nodes: vec![NodeId(2)] });
        lab.until(KILL + 3_660);
        assert_eq!(lab.ready(web), 10);
    }
}

#[test]
fn cattle_upgrades_two_at_a_time_and_waits_for_people() {
    let (mut setup, web) = service("cattle", 6);
    let v2 = setup.template("web", "app:v2");
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    let mut fewest = u32::MAX;
    for tenth in 0..600 {
        lab.until_time(Time::from_nanos(KILL * 1_000_000_000 + tenth * 100_000_000));
        fewest = fewest.min(lab.view().workload(web).ready);
    }
    assert_eq!(fewest, 4);
    assert_eq!((lab.view().workload(web).updated, lab.ready(web)), (6, 6));
    assert_eq!(notes(&lab, Note::AwaitsConfirmation).len(), 1);
}

#[test]
fn cattle_recreates_what_its_health_checks_find_unhealthy_and_may_choose_the_dead_host_again() {
    let mut again = 0;
    for seed in 0..10 {
        let (mut setup, web) = service("cattle", 10);
        setup.catalog.workloads[web].wishes.balanced = Some(BalancerWish::default());
        let mut lab = setup.start(seed);
        lab.until(KILL);
        assert_eq!(lab.ready(web), 10, "seed {seed}");
        let lost = lab.on(NodeId(2));
        lab.kill([NodeId(2)]);
        lab.fail_targets(lost.clone());
        lab.until(KILL + 20);
        let deleted = lab.times(|k| matches!(k, FactKind::PodDeleting { .. }));
        assert!(deleted.len() >= lost.len() && deleted[0] - (KILL as f64) < 10.0, "seed {seed}: {deleted:?}");
        again += lab.on(NodeId(2)).len();
        lab.until(KILL + 300);
        assert_eq!(lab.ready(web), 10, "seed {seed}: after a minute of initializing they are tried elsewhere");
    }
    assert!(again > 0, "the host is not reconnecting yet, and has the fewest containers");
}
