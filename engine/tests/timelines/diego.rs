//! Timelines of Diego: convergence, suspects, crashes, evacuation, auctions.

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::PodPhase;
use shakedown_engine::fact::{Deletion, Exit, FactKind, Note};
use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::time::{Span, Time};

const KILL: u64 = 300;

fn app(replicas: u32) -> (Setup, WorkloadId) {
    let mut setup = Setup::new("diego").nodes("a", 3).nodes("b", 3);
    let web = setup.deployment("web", replicas);
    (setup, web)
}

fn created_since(lab: &Lab, since: u64) -> Vec<f64> {
    lab.times(|k| matches!(k, FactKind::PodCreated { .. })).into_iter().filter(|t| *t >= since as f64).collect()
}

fn noted(lab: &Lab, wanted: Note) -> usize {
    lab.times(|k| matches!(k, FactKind::Noted { note, .. } if *note == wanted)).len()
}

/// 10 to 15 s until the presence is gone, up to 30 s until convergence looks.
#[test]
fn instances_of_a_dead_cell_are_replaced_within_forty_five_seconds() {
    let mut delays = Vec::new();
    for seed in 0..60 {
        let (setup, web) = app(6);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        lab.kill([NodeId(1)]);
        lab.until(KILL + 60);
        let delay = created_since(&lab, KILL)[0] - KILL as f64;
        assert!((10.0..45.5).contains(&delay), "seed {seed}: {delay:.1} s");
        delays.push(delay);
        assert_eq!(lab.ready(web), 6);
    }
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    assert!((24.0..32.0).contains(&mean), "mean {mean:.1} s");
}

#[test]
fn suspects_stay_routable_until_their_replacements_run() {
    let (setup, _) = app(6);
    let mut lab = setup.start(3);
    lab.until(KILL);
    lab.kill([NodeId(1)]);
    lab.until(KILL + 60);
    let removed = lab.times(|k| matches!(k, FactKind::EndpointRemoved { .. }));
    let added = lab.times(|k| matches!(k, FactKind::EndpointAdded { .. }));
    let newest = added.last().copied().expect("the replacement is routed");
    assert_eq!(removed.len(), 1);
    assert!(removed[0] >= newest, "removed at {:.2}, added at {newest:.2}", removed[0]);
}

#[test]
fn a_cell_that_is_back_before_the_replacement_runs_keeps_its_instances() {
    let mut kept = 0;
    for seed in 0..40 {
        let (setup, web) = app(6);
        let mut lab = setup.start(seed);
        // Containers that take long to start.
        lab.world.pace = Some((Span::from_secs(120), Span::from_secs(1)));
        lab.until(600);
        lab.cut([NodeId(1)]);
        lab.until(660);
        let originals = lab.on(NodeId(1)).len();
        lab.heal();
        lab.until(900);
        assert_eq!(originals, 1);
        assert_eq!((lab.ready(web), lab.view().workload(web).active), (6, 6), "seed {seed}");
        kept += u32::from(noted(&lab, Note::Reinstated) == 1 && lab.on(NodeId(1)).len() == 1);
        assert_eq!(lab.times(|k| matches!(k, FactKind::PodDeleting { why: Deletion::Unneeded, .. })).len(), 1);
    }
    assert_eq!(kept, 40);
}

#[test]
fn a_short_gap_between_two_convergences_is_not_seen() {
    let seen = (0..40).filter(|&seed| {
        let (setup, _) = app(6);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        lab.cut([NodeId(1)]);
        lab.until(KILL + 20);
        lab.heal();
        lab.until(KILL + 120);
        noted(&lab, Note::Superseded) > 0
    });
    let seen = seen.count();
    assert!((3..25).contains(&seen), "a gap of 5 to 10 s in a period of 30 s: {seen} of 40");
}

/// Twice at once, then 30 s, 1, 2, 4, 8, 16 minutes, each on the grid of 30 s.
#[test]
fn a_crashing_instance_is_restarted_about_ten_times_in_the_first_hour() {
    let mut setup = Setup::new("diego").nodes("a", 3);
    let web = setup.deployment("web", 1);
    let template = setup.catalog.workloads[web].template;
    let mut lab = setup.start(1);
    lab.world.exits.insert(template, (Span::from_secs(1), Exit::Crashed));
    lab.until(3_600);
    let started = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }));
    assert!((9..=11).contains(&started.len()), "{started:?}");
    let gaps: Vec<f64> = started.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] < 6.0 && gaps[1] < 6.0, "{gaps:?}");
    for (gap, least) in gaps[2..].iter().zip([30.0, 60.0, 120.0, 240.0, 480.0]) {
        assert!((least..least + 36.0).contains(gap), "{gaps:?}");
    }
}

#[test]
fn evacuation_starts_replacements_first_and_ends_after_its_time() {
    let (setup, web) = app(6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    let mut fewest = usize::MAX;
    for tenth in 0..200 {
        lab.until_time(Time::from_nanos(KILL * 1_000_000_000 + tenth * 100_000_000));
        fewest = fewest.min(lab.view().pods().filter(|p| !p.deleting && p.phase == PodPhase::Ready).count());
    }
    assert_eq!((fewest, lab.on(NodeId(0)).len(), lab.ready(web)), (6, 0, 6));
    // Nowhere to go: every other cell is closed.
    let (setup, _) = app(6);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.command(Operation::Cordon { nodes: nodes(1, 5).collect() });
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    lab.until(KILL + 590);
    assert_eq!(lab.on(NodeId(0)).len(), 1, "the instance goes on");
    lab.until(KILL + 610);
    assert_eq!(lab.on(NodeId(0)).len(), 0, "600 s are over");
}

#[test]
fn instances_of_an_app_are_spread_over_zones_and_cells() {
    let (setup, _) = app(12);
    let mut lab = setup.start(1);
    lab.until(60);
    assert_eq!(nodes(0, 6).map(|n| lab.on(n).len()).collect::<Vec<_>>(), [2; 6]);
}

/// In one auction every app gets its first instance before any gets its second.
#[test]
fn first_instances_come_first_when_room_is_short() {
    let mut setup = Setup::new("diego").nodes("a", 1);
    setup.catalog.nodes.iter_mut().for_each(|(_, node)| node.max_pods = 4);
    let apps: Vec<WorkloadId> = (0..4).map(|n| setup.deployment(&format!("app{n}"), 3)).collect();
    let mut lab = setup.start(1);
    lab.until(30);
    let ready: Vec<u32> = apps.iter().map(|&app| lab.ready(app)).collect();
    assert_eq!(ready, [1; 4]);
}

#[test]
fn a_rolling_deployment_replaces_one_instance_at_a_time_and_stops_at_a_bad_version() {
    for (broken, updated) in [(false, 6), (true, 0)] {
        let (mut setup, web) = app(6);
        let v2 = setup.template("web", "app:v2");
        let mut lab = setup.start(1);
        if broken {
            lab.world.broken.insert(v2);
        }
        lab.until(KILL);
        lab.command(Operation::Deploy { workload: web, template: v2 });
        let mut seen = (u32::MAX, 0);
        for second in KILL..KILL + 200 {
            lab.until(second);
            let view = lab.view().workload(web);
            seen = (seen.0.min(view.ready), seen.1.max(view.active));
        }
        // Of a bad version one slot more may be taken while its first failure is judged; no old instance goes for it.
        assert_eq!(seen.0, 6, "broken {broken}");
        assert!(seen.1 <= if broken { 8 } else { 7 }, "broken {broken}: {} at once", seen.1);
        let view = lab.view().workload(web);
        assert!(if broken { view.ready == 6 && view.updated <= 2 } else { (view.ready, view.updated) == (6, updated) });
    }
}
