//! Definitions: what each metric says about logs whose answers are known.

use shakedown_chaos::expect::{Bound, Metric, Quantity, Statistic};
use shakedown_chaos::fault::{Action, PodDeath};
use shakedown_chaos::select::{NodeSelection, PodSelection};
use shakedown_engine::fact::{Deletion, Exit, FactKind, Property};
use shakedown_engine::ids::{NodeId, PodId, RevisionId};
use shakedown_reports::measure::{Measured, RolloutEnding, Stage};
use shakedown_reports::{Evaluation, Run, Verdict, evaluate};

use crate::logbook::{Logbook, SHOP, bad_rollout, below, kill, ms, partition};

fn worst(evaluation: &Evaluation, metric: Metric, statistic: Statistic) -> Measured {
    let found = evaluation.metrics.iter().find(|of| of.metric == metric).expect("every metric is evaluated");
    found.samples.statistic(statistic)
}

fn check(run: &Run, metric: Metric, want: Measured) {
    assert_eq!(worst(&evaluate(run), metric, Statistic::Max), want, "{metric}");
}

fn millis(n: u64) -> Measured {
    Measured::Value(n * 1_000_000)
}

#[test]
fn a_killed_node_is_followed_from_detection_to_the_last_client() {
    let run = kill().close("burning-server", "");
    check(&run, Metric::TimeToDetect, millis(52_000));
    // The third replacement: created 352.62 s after the fault, started 1.125 s and ready 1.5 s later.
    check(&run, Metric::TimeToReschedule, millis(353_745));
    check(&run, Metric::TimeToRecover, millis(354_120));
    check(&run, Metric::Evictions, Measured::Value(3));
    check(&run, Metric::Replacements, Measured::Value(3));
    check(&run, Metric::MaxPerNode, Measured::Value(6));
    check(&run, Metric::NodesUsed, Measured::Value(2));
    check(&run, Metric::DuplicateTime, Measured::Value(0));
    check(&run, Metric::Pending, Measured::Value(0));
    let evaluation = evaluate(&run);
    let story = &evaluation.faults[0];
    assert_eq!((story.lost.total, story.lost.replaced, story.lost.missing), (3, 3, 0));
    let reached: Vec<Stage> = story.stages.iter().map(|times| times.stage).collect();
    assert_eq!(reached, Stage::ALL, "every stage of the chain is attributed");
    let seen = story.stages.last().expect("it has stages");
    assert_eq!(seen.total.statistic(Statistic::Max), millis(354_640));
    assert_eq!(seen.step.statistic(Statistic::Max), millis(500));
    assert!(evaluation.faults[1].lost.total == 0, "restoring the host takes no replica");
}

#[test]
fn users_notice_before_the_control_plane_does() {
    let mut book = kill();
    book.expect(Metric::Availability, Statistic::Max, Bound::AtLeast(Quantity(999_000)));
    let evaluation = evaluate(&book.close("burning-server", ""));
    assert_eq!(evaluation.faults[0].onset.map(|span| span.as_nanos()), Some(0));
    // Half of 200 requests a second for 52.52 s, of 200 a second for 1,797 s.
    let totals = &evaluation.services[0].totals;
    assert_eq!((totals.requests, totals.lost()), (359_400_000, 5_252_000));
    assert_eq!(totals.availability_ppm(), Some(985_386));
    // 180 windows, of which those from 300 s to 360 s are spoilt.
    assert_eq!(totals.availability_by_time_ppm(), Some(174 * 1_000_000 / 180));
    assert_eq!(evaluation.verdict, Verdict::Failed);
    assert_eq!(evaluation.reason, "availability was 98.5386%, expected at least 99.9%");
}

#[test]
fn a_cut_off_node_makes_duplicates_until_it_is_back() {
    let run = partition().close("partition-heals", "");
    check(&run, Metric::TimeToDetect, millis(52_000));
    // Replacements start at 653.545, 653.645 and 653.745 s; the old copies stop at 1,502 s.
    check(&run, Metric::DuplicateTime, millis(3 * 1_502_000 - 653_545 - 653_645 - 653_745));
    check(&run, Metric::TimeToRecover, millis(354_120));
}

#[test]
fn a_replica_that_never_comes_back_breaks_every_upper_bound() {
    let mut book = kill();
    // A fourth replica of doe, lost at the end and never replaced.
    let again = book.entry(ms(1_700_000), Action::Kill(NodeSelection::default()), "kill node john");
    let applied = book.apply(again, 1);
    book.fact(ms(1_700_000), applied, FactKind::HostDown { node: NodeId(0) });
    book.expect(Metric::TimeToRecover, Statistic::Max, below(100_000));
    book.expect(Metric::TimeToRecover, Statistic::Min, below(400));
    let evaluation = evaluate(&book.close("two", ""));
    assert_eq!(evaluation.expectations[0].measured, Measured::Never);
    assert!(!evaluation.expectations[0].holds);
    assert!(evaluation.expectations[1].holds);
    assert_eq!(evaluation.reason, "time_to_recover should be below 27h46m, but it never came to an end");
    assert_eq!(evaluation.faults[2].lost.missing, 6);
    assert_eq!(evaluation.faults[2].detect.never(), 1);
}

#[test]
fn an_expectation_about_nothing_does_not_hold_unless_it_says_never() {
    let mut book = Logbook::new(&["john"], "frontend", 2);
    book.start();
    book.expect(Metric::TimeToDetect, Statistic::Max, below(60));
    book.expect(Metric::TimeToDetect, Statistic::Max, Bound::Never);
    book.expect(Metric::Evictions, Statistic::Max, Bound::Never);
    let evaluation = evaluate(&book.close("quiet", ""));
    let holds: Vec<bool> = evaluation.expectations.iter().map(|judged| judged.holds).collect();
    assert_eq!(holds, [false, true, true]);
}

#[test]
fn a_crash_that_is_restarted_in_place_is_restored_and_not_rescheduled() {
    let mut book = Logbook::new(&["john"], "frontend", 2);
    let pods = book.start();
    let crash = Action::KillPods { pods: PodSelection::default(), how: PodDeath::Crash };
    let crash = book.entry(ms(60_000), crash, "crash a pod");
    let applied = book.apply(crash, 1);
    let exit = FactKind::ContainerExited { pod: pods[1], container: 0, why: Exit::Crashed };
    let exited = book.fact(ms(60_400), applied, exit);
    let unready = book.fact(ms(60_500), exited, FactKind::PodUnready { pod: pods[1] });
    let started = FactKind::ContainerStarted { pod: pods[1], container: 0, restarts: 1 };
    let started = book.fact(ms(61_000), unready, started);
    book.fact(ms(63_000), started, FactKind::PodReady { pod: pods[1] });
    let run = book.close("crash", "");
    check(&run, Metric::TimeToDetect, millis(500));
    check(&run, Metric::TimeToReschedule, Measured::Nothing);
    check(&run, Metric::TimeToRecover, millis(3_000));
    check(&run, Metric::Restarts, Measured::Value(1));
    check(&run, Metric::Downtime, Measured::Value(0));
    assert_eq!(evaluate(&run).faults[0].lost.in_place, 1);
}

#[test]
fn downtime_counts_from_the_truth_and_not_from_its_detection() {
    let mut book = Logbook::new(&["doe"], "frontend", 2);
    let pods = book.start();
    let kill = book.entry(ms(300_000), Action::Kill(NodeSelection::default()), "kill node doe");
    let applied = book.apply(kill, 1);
    let down = book.fact(ms(300_000), applied, FactKind::HostDown { node: NodeId(0) });
    for pod in pods {
        book.fact(ms(300_000), down, FactKind::ContainerExited { pod, container: 0, why: Exit::HostLost });
    }
    check(&book.close("alone", ""), Metric::Downtime, millis(1_500_000));
}

#[test]
fn replacements_under_one_cause_are_matched_to_the_oldest_losses() {
    let mut book = kill();
    let again = book.entry(ms(1_600_000), Action::Drain(NodeSelection::default()), "drain john");
    let applied = book.apply(again, 1);
    let drained = [PodId(0), PodId(2)];
    let mut cause = applied;
    for pod in drained {
        cause = book.fact(ms(1_600_000), applied, FactKind::PodDeleting { pod, why: Deletion::Drained });
    }
    for _ in drained {
        book.pod(ms(1_600_100), cause, (RevisionId(0), NodeId(1)), 1_000);
    }
    let evaluation = evaluate(&book.close("drain", ""));
    assert_eq!(evaluation.faults[2].lost.replaced, 2);
    assert!(evaluation.faults[2].is_operation);
}

#[test]
fn a_loss_that_a_rollout_removes_is_withdrawn_and_not_waited_for() {
    let mut book = kill();
    let pods: Vec<PodId> = (9..12).map(PodId).collect();
    let rollout = book.entry(ms(1_600_000), Action::Kill(NodeSelection::default()), "kill node john");
    let applied = book.apply(rollout, 1);
    book.fact(ms(1_600_000), applied, FactKind::HostDown { node: NodeId(0) });
    for pod in [0, 2, 4, 6, 7, 8].map(PodId) {
        book.fact(ms(1_601_000), applied, FactKind::PodDeleting { pod, why: Deletion::RolledOut });
    }
    assert_eq!(pods.len(), 3);
    let evaluation = evaluate(&book.close("mid-rollout", ""));
    assert_eq!((evaluation.faults[2].lost.withdrawn, evaluation.faults[2].lost.total), (6, 0));
}

#[test]
fn a_bad_rollout_stalls_and_is_never_complete() {
    let run = bad_rollout().close("bad-rollout", "");
    check(&run, Metric::RolloutDuration, Measured::Never);
    check(&run, Metric::Restarts, Measured::Value(2));
    // The replica that went at 300.05 s is missing to the end: the new ones are never ready.
    check(&run, Metric::MissingTime, millis(1_800_000 - 300_050));
    let evaluation = evaluate(&run);
    assert_eq!(worst(&evaluation, Metric::RolloutAvailability, Statistic::Min), Measured::Value(750_000));
    let [rollout] = evaluation.rollouts.as_slice() else { panic!("there is one rollout besides the creation") };
    assert_eq!(rollout.totals.ending, RolloutEnding::Unfinished);
    assert_eq!(rollout.totals.surge, 1);
    assert_eq!(rollout.totals.stalled.as_millis(), 899_990);
    assert_eq!(rollout.totals.halted, Some(ms(900_010)));
    assert_eq!(evaluation.faults[0].halted.map(|span| span.as_millis()), Some(600_010));
    let why: Vec<&str> = evaluation.faults[0].why.iter().rev().take(2).map(|line| line.text.as_str()).collect();
    let told = ["the rollout of deployment frontend makes no progress", "a container of pod frontend-4 ends: crashed"];
    assert_eq!(why, told, "a halt is explained by what failed first");
    assert_eq!(evaluation.faults[0].lost.total, 0, "crashing newcomers are not losses of serving replicas");
}

#[test]
fn a_broken_property_fails_a_run_without_expectations() {
    let mut book = Logbook::new(&["john"], "frontend", 1);
    book.start();
    assert_eq!(evaluate(&Logbook::new(&["john"], "f", 1).close("demo", "")).verdict, Verdict::Demo);
    let violated = FactKind::Violated { property: Property::NoLostPod, subject: SHOP.0 };
    book.fact(ms(90_000), shakedown_engine::fact::FactId::NONE, violated);
    let evaluation = evaluate(&book.close("lost", ""));
    assert_eq!(evaluation.verdict, Verdict::Failed);
    assert_eq!(evaluation.reason, "at 1:30 frontend has replicas that nobody is working on");
}

#[test]
fn failures_are_told_with_the_entry_after_which_they_began_and_only_when_somebody_feels_them() {
    let mut book = kill();
    // Between the restore at 1,500 s and this slice nothing failed; one request of 90,000 is nobody's experience.
    book.traffic(ms(1_800_000), ms(1_800_000), 0);
    let evaluation = evaluate(&book.close("two", ""));
    assert_eq!(evaluation.faults[0].lost_requests, 5_252);
    assert_eq!((evaluation.faults[1].onset, evaluation.faults[1].lost_requests), (None, 0));

    let mut book = Logbook::new(&["john", "doe"], "frontend", 2);
    book.with_users();
    book.start();
    book.traffic(ms(0), ms(3_000), 1000);
    book.traffic(ms(3_000), ms(60_000), 0);
    book.traffic(ms(60_000), ms(90_000), 500);
    let late = book.entry(ms(80_000), Action::Restore(NodeSelection::default()), "restore");
    book.timeline[late].at = ms(90_000);
    book.apply(late, 1);
    book.traffic(ms(90_000), ms(100_000), 500);
    let evaluation = evaluate(&book.close("older", ""));
    assert_eq!(evaluation.lost_before, 3_600_000, "three seconds of all and thirty of half of 200 a second");
    assert_eq!((evaluation.faults[0].onset, evaluation.faults[0].is_felt), (None, true), "users suffered before it");
    assert_eq!(evaluation.faults[0].lost_requests, 1_000);
}

#[test]
fn nothing_is_claimed_where_nothing_was_measured() {
    let mut book = Logbook::new(&[], "frontend", 0);
    book.with_users();
    let kill = book.entry(ms(5_000), Action::Kill(NodeSelection::default()), "kill nobody");
    book.apply(kill, 0);
    book.expect(Metric::LostRequests, Statistic::Max, Bound::Equals(Quantity(0)));
    let rollout = FactKind::RolloutStarted { workload: SHOP, revision: RevisionId(1) };
    book.fact(
        ms(6_000),
        shakedown_engine::fact::FactId::NONE,
        FactKind::RevisionCreated { workload: SHOP, revision: RevisionId(0) },
    );
    book.fact(ms(6_000), shakedown_engine::fact::FactId::NONE, rollout);
    let run = book.close("empty", "");
    for metric in [Metric::Availability, Metric::LostRequests, Metric::NewRevisionShare, Metric::RolloutAvailability] {
        check(&run, metric, Measured::Nothing);
    }
    let evaluation = evaluate(&run);
    assert_eq!(evaluation.verdict, Verdict::Failed, "no request was lost, because none was made");
    let text = shakedown_reports::terminal::render(&run, &evaluation, shakedown_reports::terminal::style::Style::Plain);
    assert!(text.contains("It hit nothing") && !text.contains("100%") && !text.contains("NaN"), "{text}");
    let page = shakedown_reports::html::render(&run, &evaluation).expect("it can be rendered");
    assert!(!page.contains("NaN"));
    shakedown_reports::plot::timeline_png(&run).expect("it can be drawn");
}

#[test]
fn a_revision_is_told_with_its_workload() {
    let run = bad_rollout().close("bad-rollout", "");
    let mut bytes = Vec::new();
    let mut run = run;
    let kind = FactKind::RevisionScaled { revision: RevisionId(1), from: 0, to: 2 };
    let last = run.facts.last().expect("it has facts").id.0;
    let fact = shakedown_engine::fact::Fact {
        id: shakedown_engine::fact::FactId(last + 1),
        at: run.end,
        cause: shakedown_engine::fact::FactId::NONE,
        kind,
    };
    run.facts.push(fact);
    shakedown_reports::csv::write_facts(&run, &mut bytes).expect("a vector takes everything");
    let text = String::from_utf8(bytes).expect("it is text");
    assert!(text.contains("frontend,,,revision 1 of frontend goes from 0 to 2 replicas"), "{text}");
}

#[test]
fn convergence_is_not_believed_while_a_loss_is_unnoticed() {
    let mut book = kill();
    let again = book.entry(ms(1_700_000), Action::Kill(NodeSelection::default()), "kill node john");
    let applied = book.apply(again, 1);
    book.fact(ms(1_700_000), applied, FactKind::HostDown { node: NodeId(0) });
    book.fact(ms(1_705_000), applied, FactKind::Converged);
    assert_eq!(evaluate(&book.close("too early", "")).converged, None);
    assert_eq!(evaluate(&kill().close("in time", "")).converged, Some(ms(1_560_000)));
}

#[test]
fn the_story_of_a_replica_that_is_not_back_tells_how_far_it_came() {
    let mut book = Logbook::new(&["john", "doe"], "frontend", 2);
    book.start();
    let kill = book.entry(ms(300_000), Action::Kill(NodeSelection::default()), "kill node doe");
    let applied = book.apply(kill, 1);
    let down = book.fact(ms(300_000), applied, FactKind::HostDown { node: NodeId(1) });
    let unhealthy = FactKind::NodeUnhealthy { node: NodeId(1), last_heard: ms(299_000) };
    let unhealthy = book.fact(ms(352_000), down, unhealthy);
    book.fact(ms(352_400), unhealthy, FactKind::NodeEvicting { node: NodeId(1) });
    book.duration = shakedown_engine::time::Span::from_secs(400);
    let evaluation = evaluate(&book.close("cut short", ""));
    let why: Vec<&str> = evaluation.faults[0].why.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        why,
        [
            "kill node doe (1 target)",
            "host doe stops",
            "node doe is declared NotReady, last heard at 4:59",
            "node doe is marked for eviction",
            "the run ends and frontend-1 is not back",
        ]
    );
}

#[test]
fn what_had_failed_and_healed_before_an_entry_does_not_hide_what_fails_after_it() {
    let mut book = Logbook::new(&["john", "doe"], "frontend", 2);
    book.with_users();
    book.start();
    book.traffic(ms(3_000), ms(60_000), 500);
    let drain = book.entry(ms(90_000), Action::Restore(NodeSelection::default()), "restore");
    book.apply(drain, 1);
    // Well for half a minute before the entry and a moment after it, then not.
    book.traffic(ms(60_000), ms(90_015), 0);
    book.traffic(ms(90_015), ms(95_015), 200);
    let evaluation = evaluate(&book.close("healed", ""));
    assert_eq!(evaluation.faults[0].onset.map(|span| span.as_millis()), Some(15));
    assert_eq!(evaluation.faults[0].lost_requests, 200);
}
