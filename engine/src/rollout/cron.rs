//! Schedules: when a cron job is due next, and which of its missed starts is made up for.
//!
//! A run begins at the Unix epoch unless the scenario says otherwise: Thursday, 1 January, 00:00. No time zones, no leap
//! seconds. Source: kubernetes/kubernetes:pkg/controller/cronjob/utils.go, robfig/cron:spec.go. Start at [`next_after`]
//! and [`due`].

use crate::model::CronSpec;
use crate::time::{Span, Time};

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
/// A schedule that names no day within five years never comes (robfig/cron:spec.go, `Next`).
const DAYS_AHEAD: u64 = 5 * 366;
/// More missed starts than this are reported.
/// Source: kubernetes/kubernetes:pkg/controller/cronjob/utils.go, `mostRecentScheduleTime`.
const MANY_MISSED: u64 = 100;

/// The latest start that is due, and how many were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When it was to be.
    pub at: Time,
    /// More than a hundred lie between the last start and now.
    pub too_many: bool,
}

/// The first time strictly after `at` at which the job is due.
pub fn next_after(spec: &CronSpec, at: Time) -> Option<Time> {
    let mut second = (at.as_nanos() / Span::from_secs(MINUTE).as_nanos() + 1) * MINUTE;
    let last = second / DAY + DAYS_AHEAD;
    while second / DAY <= last {
        if !day_fits(spec, second / DAY) {
            second = (second / DAY + 1) * DAY;
            continue;
        }
        let of_day = second % DAY;
        let (hour, minute) = (of_day / 3600, of_day % 3600 / MINUTE);
        if spec.hours >> hour & 1 == 0 {
            second += 3600 - of_day % 3600;
        } else if spec.minutes >> minute & 1 == 0 {
            second += MINUTE;
        } else {
            return Some(Time::from_secs(second));
        }
    }
    None
}

/// The latest start after `since` that is due by `now`; only starts within the deadline are looked back for.
pub fn due(spec: &CronSpec, since: Time, now: Time) -> Option<Due> {
    let earliest = spec.starting_deadline.map_or(since, |deadline| since.max(now - deadline));
    let first = next_after(spec, earliest).filter(|first| *first <= now)?;
    let Some(second) = next_after(spec, first).filter(|second| *second <= now) else {
        return Some(Due { at: first, too_many: false });
    };
    let between = second.since(first).as_nanos().max(1);
    let missed = now.since(first).as_nanos() / between + 1;
    // Walks from near the end only: gaps between starts may differ, but then there are at most a few more.
    let mut at = second;
    while let Some(next) = next_after(spec, at).filter(|next| *next <= now) {
        at = next;
    }
    Some(Due { at, too_many: missed > MANY_MISSED })
}

fn day_fits(spec: &CronSpec, day: u64) -> bool {
    let (month, of_month) = civil(day);
    // The epoch was a Thursday; bit 0 is Sunday.
    let weekday = (day + 4) % 7;
    let in_month = spec.days >> of_month & 1 == 1;
    let in_week = spec.weekdays >> weekday & 1 == 1;
    let fits = if spec.both_days { in_month && in_week } else { in_month || in_week };
    fits && spec.months >> month & 1 == 1
}

/// Month and day of the month of a day since the epoch, by the Gregorian calendar.
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil(day: u64) -> (u64, u64) {
    let of_era = (day + 719_468) % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
