//! Schedules against the calendar.

use super::*;
use crate::model::{Concurrency, JobSpec};

fn spec(minutes: u64, hours: u32) -> CronSpec {
    CronSpec {
        minutes,
        hours,
        days: u32::MAX,
        months: u16::MAX,
        weekdays: u8::MAX,
        both_days: true,
        concurrency: Concurrency::Allow,
        starting_deadline: None,
        suspend: false,
        job: JobSpec {
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
        },
    }
}

fn every_minute() -> CronSpec {
    spec(u64::MAX, u32::MAX)
}

fn next(spec: &CronSpec, seconds: u64) -> u64 {
    next_after(spec, Time::from_secs(seconds)).expect("it comes some day").as_nanos() / 1_000_000_000
}

#[test]
fn the_next_start_lies_strictly_in_the_future() {
    assert_eq!(next(&every_minute(), 0), 60);
    assert_eq!(next(&every_minute(), 59), 60);
    assert_eq!(next(&spec(1 << 30, 1 << 2), 0), 2 * 3600 + 30 * 60);
    assert_eq!(next(&spec(1, 1), 0), DAY, "midnight is over");
}

#[test]
fn days_follow_the_calendar() {
    // 29 February 1972 is the first one after the epoch: day 789.
    let leap = CronSpec { days: 1 << 29, months: 1 << 2, ..spec(1, 1) };
    assert_eq!(next(&leap, 0), 789 * DAY);
    // The first Sunday after the epoch is 4 January.
    let sunday = CronSpec { weekdays: 1, ..spec(1, 1) };
    assert_eq!(next(&sunday, 0), 3 * DAY);
    let either = CronSpec { weekdays: 1, days: 1 << 3, both_days: false, ..spec(1, 1) };
    assert_eq!((next(&either, 0), next(&either, 2 * DAY)), (2 * DAY, 3 * DAY));
}

#[test]
fn a_day_that_never_comes_is_none() {
    let never = CronSpec { days: 1 << 31, months: 1 << 2, ..spec(1, 1) };
    assert_eq!(next_after(&never, Time::ZERO), None);
}

#[test]
fn only_the_latest_missed_start_is_made_up_for() {
    let since = Time::from_secs(60);
    let now = Time::from_secs(400);
    assert_eq!(due(&every_minute(), since, now), Some(Due { at: Time::from_secs(360), too_many: false }));
    assert_eq!(due(&every_minute(), Time::from_secs(360), now), None);
    let later = Time::from_secs(60 * 200);
    assert!(due(&every_minute(), since, later).is_some_and(|due| due.too_many && due.at == later));
}

#[test]
fn a_deadline_bounds_how_far_it_looks_back() {
    let spec = CronSpec { starting_deadline: Some(Span::from_secs(20)), ..every_minute() };
    assert_eq!(due(&spec, Time::ZERO, Time::from_secs(85)), None);
    assert_eq!(due(&spec, Time::ZERO, Time::from_secs(75)).map(|due| due.at), Some(Time::from_secs(60)));
}
