//! Cases of runs: counts in, next step out.

use super::*;

fn spec(parallelism: u32, completions: Option<u32>) -> JobSpec {
    JobSpec {
        parallelism,
        completions,
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
    }
}

fn indexed(parallelism: u32, completions: u32) -> JobSpec {
    JobSpec { indexed: true, ..spec(parallelism, Some(completions)) }
}

fn ended(slot: u32, success: bool, at: u64) -> Ended {
    Ended { slot, success, at: Time::from_secs(at), verdict: Verdict::Counts }
}

fn active(n: u32) -> Seen {
    Seen { active: n, taken: (0..n).collect(), ..Seen::default() }
}

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

/// Runs a pass and books it.
fn pass(run: &mut Run, spec: &JobSpec, seen: &Seen, fresh: &[Ended], now: u64) -> Review {
    let review = run.review(spec, seen, fresh, at(now));
    run.book(spec, fresh, review.next);
    review
}

#[test]
fn wants_no_more_pods_than_completions_that_are_left() {
    let mut run = Run::default();
    let spec = spec(3, Some(4));
    assert_eq!(pass(&mut run, &spec, &active(0), &[], 0).act, Act::Create(vec![0, 0, 0]));
    let all = [ended(0, true, 2), ended(0, true, 2), ended(0, true, 2)];
    assert_eq!(pass(&mut run, &spec, &active(0), &all, 3).act, Act::Create(vec![0]));
    let last = pass(&mut run, &spec, &active(0), &[ended(0, true, 5)], 6);
    assert_eq!((last.act, last.next.target), (Act::Nothing, Some(Target::Success)));
}

#[test]
fn a_work_queue_ends_with_its_first_success_and_lets_the_others_finish() {
    let mut run = Run::default();
    let spec = spec(3, None);
    let review = pass(&mut run, &spec, &active(2), &[ended(0, true, 2)], 3);
    assert_eq!((review.act, review.next.target), (Act::Nothing, None), "two pods still run, and none is added");
    let review = pass(&mut run, &spec, &active(0), &[ended(0, false, 4), ended(0, true, 4)], 5);
    assert_eq!(review.next.target, Some(Target::Success));
}

#[test]
fn the_wait_doubles_with_each_failure_in_a_row_and_is_counted_from_the_last() {
    let mut run = Run::default();
    let spec = spec(1, Some(1));
    for (failed_at, wait) in [(1, 10), (12, 20), (33, 40), (74, 80), (155, 160), (316, 320)] {
        let review = pass(&mut run, &spec, &active(0), &[ended(0, false, failed_at)], failed_at);
        assert_eq!((review.act, review.again), (Act::Nothing, Some(Span::from_secs(wait))));
        let review = pass(&mut run, &spec, &active(0), &[], failed_at + wait);
        assert_eq!(review.act, Act::Create(vec![0]));
    }
    let review = pass(&mut run, &spec, &active(0), &[ended(0, false, 637)], 637);
    assert_eq!(review.next.target, Some(Target::Failure(JobFailure::BackoffLimit)), "six failures are tolerated");
}

#[test]
fn a_failure_before_a_success_that_is_booked_with_it_costs_no_wait() {
    let mut run = Run::default();
    let spec = indexed(3, 3);
    let fresh = [ended(2, false, 1), ended(0, true, 2), ended(1, true, 2)];
    assert_eq!(pass(&mut run, &spec, &active(0), &fresh, 3).act, Act::Create(vec![2]));
    assert_eq!((run.failed, run.streak), (1, 0));
}

#[test]
fn claims_to_be_idle_while_it_waits() {
    let mut seen = active(4);
    seen.taken = [0, 1, 3, 4].into();
    seen.ready = 4;
    let review = Run::default().review(&indexed(5, 5), &seen, &[ended(2, false, 1)], at(2));
    assert!(review.claims_idle, "which the API server refuses, since four pods are ready");
}

#[test]
fn the_lowest_missing_indexes_come_first() {
    let mut run = Run::default();
    let spec = indexed(3, 6);
    let fresh = [ended(1, true, 1)];
    let seen = Seen { active: 2, taken: [0, 2].into(), ..Seen::default() };
    assert_eq!(pass(&mut run, &spec, &seen, &fresh, 2).act, Act::Create(vec![3]));
}

#[test]
fn indexes_wait_and_fail_on_their_own() {
    let mut run = Run::default();
    let spec = JobSpec { backoff_limit: u32::MAX, backoff_limit_per_index: Some(1), ..indexed(2, 3) };
    let seen = Seen { active: 1, taken: [1].into(), ..Seen::default() };
    let review = pass(&mut run, &spec, &seen, &[ended(0, false, 5)], 6);
    assert_eq!(review.act, Act::Nothing, "only the lowest pending index comes into question, and it waits");
    assert_eq!(review.again, Some(Span::from_secs(9)));
    let review = pass(&mut run, &spec, &seen, &[ended(0, false, 16)], 17);
    assert_eq!((review.act, run.lost.len()), (Act::Create(vec![2]), 1), "a second failure is one too many");
    let review = pass(&mut run, &spec, &active(0), &[ended(1, true, 20), ended(2, true, 20)], 21);
    assert_eq!(review.next.target, Some(Target::Failure(JobFailure::FailedIndexes)));
}

#[test]
fn too_many_failed_indexes_end_the_job() {
    let spec = JobSpec {
        backoff_limit: u32::MAX,
        backoff_limit_per_index: Some(0),
        max_failed_indexes: Some(1),
        ..indexed(4, 9)
    };
    let mut run = Run::default();
    assert_eq!(pass(&mut run, &spec, &active(3), &[ended(3, false, 1)], 2).next.target, None);
    let review = pass(&mut run, &spec, &active(2), &[ended(2, false, 3)], 4);
    assert_eq!((review.act, review.next.target), (Act::RemoveAll, Some(Target::Failure(JobFailure::FailedIndexes))));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let name = Symbol::default();
    let rules = [
        FailureRule { action: FailureRuleAction::Ignore, on: FailureMatch::Disrupted },
        FailureRule {
            action: FailureRuleAction::FailJob,
            on: FailureMatch::ExitCodes { container: None, not_in: false, codes: vec![42] },
        },
        FailureRule {
            action: FailureRuleAction::FailIndex,
            on: FailureMatch::ExitCodes { container: None, not_in: true, codes: vec![1, 2] },
        },
    ];
    let judged = |code, disrupted| judge(&rules, &Failure { exit: Some((name, code)), disrupted });
    assert_eq!(judged(42, true), Verdict::Ignored);
    assert_eq!(judged(42, false), Verdict::FailsJob);
    assert_eq!(judged(3, false), Verdict::FailsIndex);
    assert_eq!(judged(1, false), Verdict::Counts);
}

#[test]
fn an_ignored_failure_is_replaced_and_still_waits() {
    let mut run = Run::default();
    let mut spec = spec(1, Some(1));
    spec.backoff_limit = 0;
    let fresh = [Ended { verdict: Verdict::Ignored, ..ended(0, false, 5) }];
    let review = pass(&mut run, &spec, &active(0), &fresh, 5);
    assert_eq!((review.next.target, review.again), (None, Some(Span::from_secs(10))));
    assert_eq!((run.failed, run.streak), (0, 1));
}

#[test]
fn a_success_rule_ends_the_job_and_its_other_pods() {
    let rule = SuccessRule { indexes: vec![(0, 0), (4, 6)], count: Some(2) };
    let spec = JobSpec { success_rules: vec![rule], ..indexed(8, 8) };
    let mut run = Run::default();
    assert_eq!(pass(&mut run, &spec, &active(7), &[ended(0, true, 1), ended(1, true, 1)], 2).next.target, None);
    let review = pass(&mut run, &spec, &active(5), &[ended(5, true, 3)], 4);
    assert_eq!((review.act, review.next.target), (Act::RemoveAll, Some(Target::Success)));
}

#[test]
fn the_deadline_counts_from_the_start_and_not_while_suspended() {
    let spec = JobSpec { active_deadline: Some(Span::from_secs(20)), ..spec(2, Some(2)) };
    let run = Run { started: Some(at(0)), ..Run::default() };
    assert_eq!(run.review(&spec, &active(2), &[], at(19)).again, Some(Span::from_secs(1)));
    let review = run.review(&spec, &active(2), &[], at(20));
    assert_eq!((review.act, review.next.target), (Act::RemoveAll, Some(Target::Failure(JobFailure::Deadline))));
    let held = Seen { suspended: true, ..active(2) };
    assert_eq!(run.review(&spec, &held, &[], at(20)).act, Act::Remove(2));
}

#[test]
fn replacements_wait_for_the_end_of_a_pod_where_that_is_wanted() {
    let spec = JobSpec { replace_when_failed: true, ..spec(3, Some(3)) };
    let seen = Seen { terminating: 2, ..active(1) };
    assert_eq!(Run::default().review(&spec, &seen, &[], at(1)).act, Act::Nothing);
    let seen = Seen { terminating: 1, ..active(1) };
    assert_eq!(Run::default().review(&spec, &seen, &[], at(1)).act, Act::Create(vec![0]));
}

#[test]
fn restarts_in_place_count_towards_the_limit() {
    let seen = Seen { restarts: 6, ..active(1) };
    let review = Run::default().review(&spec(1, Some(1)), &seen, &[], at(9));
    assert_eq!(review.next.target, Some(Target::Failure(JobFailure::BackoffLimit)));
}
