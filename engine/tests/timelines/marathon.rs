//! Timelines of Mesos with Marathon: figures worked out from the constants of both.
//!
//! Through the loop against the scripted world: offers, constraints, pings, unreachable strategy, back-off, upgrades.

use std::collections::BTreeMap;

use crate::script::{Lab, START, Setup, nodes};
use shakedown_engine::fact::{Deletion, Exit, FactKind, Note};
use shakedown_engine::ids::{NodeId, PodId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{Bytes, Distinct, Grouping, MilliCpu, Resources};
use shakedown_engine::time::{Span, Time};

const KILL: u64 = 60;

fn app(profile: &str, replicas: u32) -> (Setup, WorkloadId) {
    let mut setup = Setup::new(profile).nodes("a", 5);
    let web = setup.deployment("web", replicas);
    (setup, web)
}

fn within(value: f64, low: f64, high: f64, what: &str) {
    assert!((low..=high).contains(&value), "{what}: {value:.3} s is not within {low}..{high}");
}

fn counts(lab: &Lab, n: u32) -> Vec<usize> {
    nodes(0, n).map(|node| lab.on(node).len()).collect()
}

fn noted(lab: &Lab, wanted: Note) -> usize {
    lab.all(|k| matches!(k, FactKind::Noted { note, .. } if *note == wanted)).len()
}

/// One offer launches five instances at most, and the rest of it comes back with the next allocation.
#[test]
fn instances_go_by_fives_to_nodes_in_random_order() {
    let mut seen = BTreeMap::new();
    for seed in 0..30 {
        let (setup, web) = app("marathon", 12);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        assert_eq!(lab.ready(web), 12, "seed {seed}");
        let mut counts = counts(&lab, 5);
        *seen.entry(counts.clone()).or_insert(0) += 1;
        counts.sort_unstable();
        assert_eq!(counts, [0, 0, 2, 5, 5], "seed {seed}: the first offers, no spreading");
    }
    assert!(seen.len() > 5, "the order is another each time: {seen:?}");
}

/// 12 nodes times 5 would do for 60, but there is room for 40 on one: the next allocation brings the rest.
#[test]
fn what_is_left_of_an_offer_comes_back_with_the_next_allocation() {
    let (setup, web) = app("marathon", 60);
    let mut lab = setup.start(1);
    lab.until(20);
    assert_eq!(lab.ready(web), 60);
    let bound = lab.times(|k| matches!(k, FactKind::PodBound { .. }));
    assert_eq!(bound.iter().filter(|t| **t < bound[0] + 0.0249).count(), 25, "{bound:?}");
    within(bound[59] - bound[0], 1.0, 2.1, "three waves of 25, 25 and 10");
}

/// 100 launches within 30 s: the others wait for tokens, unless launched tasks give theirs back.
#[test]
fn launch_tokens_limit_what_is_under_way() {
    let mut setup = Setup::new("marathon").nodes("a", 40);
    let web = setup.deployment("web", 250);
    let mut lab = setup.start(1);
    lab.world.pace = Some((Span::from_secs(20), Span::from_secs(1)));
    lab.until(19);
    assert_eq!(lab.times(|k| matches!(k, FactKind::PodBound { .. })).len(), 100);
    lab.until(100);
    assert_eq!(lab.ready(web), 250);
}

#[test]
fn a_dead_agent_is_unreachable_after_five_pings_and_its_tasks_are_launched_again_at_once() {
    for seed in 0..40 {
        let (setup, web) = app("marathon", 20);
        let mut lab = setup.start(seed);
        lab.until(KILL);
        let victim = nodes(0, 5).find(|n| lab.on(*n).len() == 5).expect("one has five");
        lab.kill([victim]);
        lab.until(KILL + 120);
        let down = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0] - KILL as f64;
        within(down, 75.0, 90.01, "fault to unreachable");
        let started = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }))[20] - KILL as f64;
        within(started - down, START.as_secs_f64(), 6.0 + START.as_secs_f64(), "unreachable to running");
        assert_eq!(lab.ready(web), 20);
    }
}

#[test]
fn before_1_5_an_unreachable_task_is_replaced_after_five_minutes() {
    let (setup, web) = app("marathon@1.4", 20);
    let mut lab = setup.start(3);
    lab.until(KILL);
    let victim = nodes(0, 5).find(|n| lab.on(*n).len() == 5).expect("one has five");
    lab.kill([victim]);
    lab.until(KILL + 360);
    assert_eq!(lab.ready(web), 15);
    assert_eq!(noted(&lab, Note::UnreachableInactive), 0);
    lab.until(KILL + 420);
    assert_eq!(lab.ready(web), 20);
    let down = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0];
    let started = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }))[20];
    within(started - down, 300.0, 307.0 + START.as_secs_f64(), "unreachable to running");
}

/// A short cut costs nothing: Mesos waits for 75 s at least.
#[test]
fn a_cut_of_a_minute_moves_nothing() {
    let (setup, web) = app("marathon", 20);
    let mut lab = setup.start(5);
    lab.until(KILL);
    lab.cut([NodeId(0)]);
    lab.until(KILL + 70);
    lab.heal();
    lab.until(KILL + 200);
    assert_eq!(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len(), 0);
    assert_eq!(lab.times(|k| matches!(k, FactKind::ContainerStarted { .. })).len(), 20);
    assert_eq!(lab.ready(web), 20);
}

/// Runs a cut of ten minutes; returns the lab and the tasks that were on the node.
fn long_cut(profile: &str, seconds: u64) -> (Lab, WorkloadId, Vec<PodId>) {
    let (setup, web) = app(profile, 20);
    let mut lab = setup.start(2);
    lab.until(KILL);
    let victim = nodes(0, 5).find(|n| lab.on(*n).len() == 5).expect("one has five");
    let old = lab.on(victim);
    lab.cut([victim]);
    lab.until(KILL + seconds);
    lab.heal();
    lab.until(KILL + seconds + 60);
    (lab, web, old)
}

#[test]
fn a_forgotten_task_that_comes_back_is_killed() {
    for (profile, seconds) in [("marathon", 200), ("marathon@1.4", 800)] {
        let (lab, web, old) = long_cut(profile, seconds);
        assert_eq!(lab.ready(web), 20);
        let stopped = lab.all(|k| matches!(k, FactKind::ContainerExited { .. }));
        let pods: Vec<_> = stopped.iter().map(|f| f.kind).collect();
        assert_eq!(stopped.len(), 5, "{profile}: {pods:?}");
        for pod in &old {
            assert!(lab.view().pod(*pod).is_none_or(|p| p.deleting || p.node.is_none()), "{pod:?} is an old one");
        }
    }
}

/// 300 s inactive, 600 s forgotten: in between the task counts again and the youngest, its replacement, is killed.
#[test]
fn a_task_that_comes_back_before_it_is_forgotten_outlives_its_replacement() {
    let (lab, web, old) = long_cut("marathon@1.4", 500);
    assert_eq!(noted(&lab, Note::UnreachableInactive), 5);
    assert_eq!(lab.ready(web), 20);
    for pod in &old {
        let row = lab.view().pod(*pod).map(|p| p.deleting);
        assert_eq!(row, Some(false), "{pod:?} stays");
    }
    let killed = lab.all(|k| matches!(k, FactKind::PodDeleting { why: Deletion::ScaledDown, .. }));
    assert_eq!(killed.len(), 5, "the replacements go");
    assert_eq!(lab.view().contradictions(), Vec::<String>::new());
}

#[test]
fn a_removal_rate_limit_spares_agents_that_come_back() {
    let mut setup = Setup::new("marathon").nodes("a", 10).set("agent_removal_rate_limit", "1/10mins");
    let web = setup.deployment("web", 40);
    let mut lab = setup.start(1);
    lab.until(KILL);
    lab.cut(nodes(0, 3));
    lab.until(KILL + 300);
    assert_eq!(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len(), 1, "one in ten minutes");
    assert_eq!(noted(&lab, Note::RemovalRateLimited), 2);
    lab.heal();
    lab.until(KILL + 900);
    assert_eq!(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len(), 1, "two came back in time");
    assert_eq!(lab.ready(web), 40);
}

#[test]
fn without_a_limit_a_rack_is_lost_together_and_with_one_in_turn() {
    let lost = |limit: &str| {
        let mut setup = Setup::new("marathon").nodes("a", 10).set("agent_removal_rate_limit", limit);
        setup.deployment("web", 40);
        let mut lab = setup.start(4);
        lab.until(KILL);
        lab.kill(nodes(0, 3));
        lab.until(KILL + 1_500);
        lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))
    };
    let together = lost("none");
    assert_eq!(together.len(), 3);
    assert!(together[2] - together[0] < 15.1, "{together:?}");
    let in_turn = lost("1/10mins");
    assert_eq!(in_turn.len(), 3);
    assert!((in_turn[2] - in_turn[0] - 1_200.0).abs() < 0.1, "{in_turn:?}");
}

#[test]
fn a_reboot_ends_the_tasks_of_a_host_at_once() {
    let (setup, web) = app("marathon", 20);
    let mut lab = setup.start(1);
    lab.until(KILL);
    let victim = nodes(0, 5).find(|n| lab.on(*n).len() == 5).expect("one has five");
    lab.kill([victim]);
    lab.until(KILL + 30);
    lab.boot([victim]);
    lab.until(KILL + 45);
    assert_eq!(lab.ready(web), 20);
    assert_eq!(lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. })).len(), 0);
    assert_eq!(lab.view().contradictions(), Vec::<String>::new());
}

#[test]
fn a_crash_loop_starts_about_47_times_in_the_first_hour() {
    let (mut setup, _) = app("marathon", 0);
    let bad = setup.deployment("bad", 1);
    let template = setup.catalog.workloads[bad].template;
    let mut lab = setup.start(1);
    lab.world.exits.insert(template, (Span::from_secs(1), Exit::Crashed));
    lab.world.pace = Some((Span::from_millis(100), Span::from_millis(100)));
    lab.until(3_600);
    let starts = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. })).len();
    assert!((40..=48).contains(&starts), "{starts}");
    assert!(noted(&lab, Note::LaunchDelayed) >= starts - 1);
}

#[test]
fn a_task_that_is_not_up_in_five_minutes_is_killed() {
    let (setup, web) = app("marathon", 1);
    let mut lab = setup.start(1);
    lab.world.pace = Some((Span::from_secs(400), Span::from_secs(1)));
    lab.until(310);
    assert_eq!(lab.ready(web), 0);
    assert_eq!(noted(&lab, Note::LaunchOverdue), 1);
}

/// Constraints: name of a test's own attribute, and what is wished of it.
fn constrained(
    replicas: u32,
    wish: impl Fn(&mut Setup, &mut shakedown_engine::model::PlacementWish),
) -> (Lab, WorkloadId) {
    let mut setup = Setup::new("marathon").nodes("a", 4).nodes("b", 4).nodes("c", 4);
    let web = setup.deployment("web", replicas);
    let template = setup.catalog.workloads[web].template;
    let mut wishes = Default::default();
    wish(&mut setup, &mut wishes);
    setup.catalog.templates[template].wishes = wishes;
    let mut lab = setup.start(7);
    lab.until(KILL);
    (lab, web)
}

#[test]
fn unique_hosts_take_one_each_and_the_rest_waits() {
    let (lab, web) = constrained(14, |setup, wishes| {
        wishes.distinct.push(Distinct { attribute: setup.catalog.known.hostname, at_most: 1 });
    });
    assert_eq!(lab.ready(web), 12);
    assert_eq!(counts(&lab, 12), [1; 12]);
    let waiting = lab.all(|k| matches!(k, FactKind::PodUnschedulable { .. }));
    assert_eq!(
        waiting.last().map(|f| f.kind),
        Some(FactKind::PodUnschedulable {
            pod: waiting_pod(&waiting.last().expect("two wait").kind),
            insufficient: 0,
            refused: 12
        })
    );
}

fn waiting_pod(kind: &FactKind) -> PodId {
    let FactKind::PodUnschedulable { pod, .. } = kind else { panic!("{kind:?}") };
    *pod
}

#[test]
fn group_by_three_racks_gives_each_its_part() {
    let (lab, web) = constrained(9, |setup, wishes| {
        wishes.groups.push(Grouping::Evenly { attribute: setup.catalog.known.zone, values: Some(3) });
    });
    assert_eq!(lab.ready(web), 9);
    let racks: Vec<usize> = counts(&lab, 12).chunks(4).map(|rack| rack.iter().sum()).collect();
    assert_eq!(racks, [3, 3, 3]);
}

#[test]
fn a_cluster_constraint_keeps_all_on_the_rack_of_the_first() {
    let (lab, web) = constrained(9, |setup, wishes| {
        wishes.groups.push(Grouping::Together { attribute: setup.catalog.known.zone });
    });
    assert_eq!(lab.ready(web), 9);
    let mut racks: Vec<usize> = counts(&lab, 12).chunks(4).map(|rack| rack.iter().sum()).collect();
    racks.sort_unstable();
    assert_eq!(racks, [0, 0, 9]);
}

/// Runs an upgrade and returns (fewest ready, most active, seconds until it is complete).
fn upgrade(flags: &[(&str, &str)], broken: bool) -> (u32, u32, Option<f64>, Lab, WorkloadId) {
    let (mut setup, web) = app("marathon", 10);
    let v2 = setup.template("web", "app:v2");
    for (flag, value) in flags {
        setup = setup.set(flag, value);
    }
    let mut lab = setup.start(1);
    if broken {
        lab.world.broken.insert(v2);
    }
    lab.until(KILL);
    lab.command(Operation::Deploy { workload: web, template: v2 });
    let mut seen = (u32::MAX, 0);
    for tenth in 0..3_000 {
        lab.until_time(Time::from_nanos(KILL * 1_000_000_000 + tenth * 100_000_000));
        let view = lab.view().workload(web);
        seen = (seen.0.min(view.ready), seen.1.max(view.active));
    }
    let done = lab.times(|k| matches!(k, FactKind::RolloutCompleted { .. }));
    (seen.0, seen.1, done.first().map(|t| t - KILL as f64), lab, web)
}

#[test]
fn an_upgrade_starts_as_many_again_and_then_ends_the_old_ones() {
    let (low, high, done, lab, web) = upgrade(&[], false);
    assert_eq!((low, high), (10, 20));
    within(done.expect("it ends"), START.as_secs_f64(), 8.0, "one wave");
    assert_eq!(lab.view().workload(web).updated, 10);
}

#[test]
fn without_over_capacity_an_upgrade_moves_within_what_may_be_missing() {
    let flags = [("upgradeStrategy.maximumOverCapacity", "0"), ("upgradeStrategy.minimumHealthCapacity", "0.5")];
    let (low, high, done, ..) = upgrade(&flags, false);
    assert_eq!((low, high), (5, 10));
    assert!(done.is_some());
    let flags = [("upgradeStrategy.maximumOverCapacity", "0")];
    let (low, high, done, ..) = upgrade(&flags, false);
    assert_eq!((low, high), (10, 11), "one in addition, one after the other");
    assert!(done.is_some());
}

#[test]
fn an_upgrade_to_a_broken_version_hangs_for_ever_and_the_old_one_stays_up() {
    let (low, high, done, lab, web) = upgrade(&[], true);
    assert_eq!((low, done), (10, None));
    assert!(high <= 20);
    assert_eq!(lab.view().workload(web).ready, 10);
    assert_eq!(lab.times(|k| matches!(k, FactKind::RolloutStalled { .. } | FactKind::RolloutUndone { .. })).len(), 0);
}

/// Nobody waits, so nothing happens: an hour of an idle cluster is a handful of facts.
#[test]
fn an_idle_cluster_is_silent() {
    let (setup, _) = app("marathon", 10);
    let mut lab = setup.start(1);
    lab.until(KILL);
    let before = lab.facts.facts().len();
    lab.until(3_600);
    assert_eq!(lab.facts.facts().len(), before);
}

/// A framework of its own takes part: the one with the smaller share is served first.
#[test]
fn frameworks_share_by_their_dominant_resource() {
    let mut setup = Setup::new("marathon").nodes("a", 4);
    let web = setup.deployment("web", 200);
    let spark = setup.deployment("spark", 200);
    let (key, name) = (setup.catalog.names.intern("mesos.framework"), setup.catalog.names.intern("spark"));
    for workload in [web, spark] {
        let template = setup.catalog.workloads[workload].template;
        setup.catalog.templates[template].requests = Resources::new(MilliCpu(200), Bytes(64 << 20));
    }
    let template = setup.catalog.workloads[spark].template;
    let pairs: Vec<_> = setup.catalog.templates[template].labels.iter().chain([(key, name)]).collect();
    setup.catalog.templates[template].labels = shakedown_engine::labels::Labels::new(pairs);
    let mut lab = setup.start(1);
    lab.until(KILL);
    let (web, spark) = (lab.ready(web), lab.ready(spark));
    assert_eq!(web + spark, 80, "16 cores for tasks of 0.2");
    assert!(web.abs_diff(spark) <= 5, "{web} and {spark}: no more than one offer apart");
}

/// A job belongs to Chronos, which waits for offers instead of asking for them, and runs what failed again after a minute.
#[test]
fn chronos_runs_a_failed_job_again_after_a_minute_with_the_next_offer() {
    let mut setup = Setup::new("marathon").nodes("a", 5);
    let web = setup.deployment("web", 10);
    let batch = job(&mut setup);
    let template = setup.catalog.workloads[batch].template;
    let mut lab = setup.start(1);
    lab.world.exits.insert(template, (Span::from_secs(2), Exit::Crashed));
    lab.until(400);
    assert_eq!(lab.ready(web), 10);
    let failed = lab.times(|k| matches!(k, FactKind::PodFailed { .. }));
    assert!(failed.len() >= 3, "{failed:?}");
    for pair in failed.windows(2) {
        // A minute, an offer within six seconds, a start and two seconds of work.
        within(pair[1] - pair[0], 60.0, 60.0 + 7.0 + START.as_secs_f64() + 3.0, "from failure to failure");
    }
}

fn job(setup: &mut Setup) -> WorkloadId {
    use shakedown_engine::labels::Selector;
    use shakedown_engine::model::{Details, JobSpec, RestartPolicy, WorkloadKind, WorkloadSpec};
    let template = setup.template("batch", "job:v1");
    setup.catalog.templates[template].restart = RestartPolicy::Never;
    let names = &mut setup.catalog.names;
    let selector = Selector::equals([(names.intern("app"), names.intern("batch"))]);
    let (name, namespace) = (names.intern("batch"), names.intern("default"));
    let details = Details::Job(JobSpec {
        parallelism: 1,
        completions: Some(1),
        backoff_limit: 6,
        backoff_limit_per_index: None,
        max_failed_indexes: None,
        indexed: false,
        active_deadline: None,
        suspend: false,
        failure_rules: Vec::new(),
        replace_when_failed: false,
        success_rules: Vec::new(),
        ttl_after_finished: None,
    });
    setup.catalog.workloads.push(WorkloadSpec {
        kind: WorkloadKind::Job,
        details,
        ..WorkloadSpec::deployment(name, namespace, template, selector)
    })
}

/// The first failures do not count within the grace; after it three in a row kill the task.
#[test]
fn health_checks_kill_after_grace_and_three_failures() {
    use shakedown_engine::model::{Probe, ProbeKind, ProbeRole};
    let (mut setup, web) = app("marathon", 1);
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].containers[0].probes.push(Probe {
        role: ProbeRole::Liveness,
        kind: ProbeKind::Http,
        initial_delay: Span::from_secs(300),
        period: Span::from_secs(60),
        timeout: Span::from_secs(20),
        success_threshold: 1,
        failure_threshold: 3,
    });
    let mut lab = setup.start(1);
    lab.until(20);
    let pod = lab.view().pods().next().expect("it was launched").id;
    lab.fail_check(pod);
    lab.until(600);
    let killed = lab.times(|k| matches!(k, FactKind::PodFailed { .. }));
    within(killed[0], 300.0 + 120.0, 300.0 + 180.0 + 25.0, "grace, then three checks");
}
