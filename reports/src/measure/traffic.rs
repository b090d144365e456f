//! What users felt: availability by requests and by time, losses, retries, stale endpoints.
//!
//! Amounts come in thousandths of a request, integrated by the world between changes; they are spread evenly over the
//! interval they are of. Start at [`TrafficTotals::new`].

use std::collections::BTreeMap;

use shakedown_engine::fact::{FactKind, TrafficSlice};
use shakedown_engine::ids::{FaultId, ServiceId, TrafficId};
use shakedown_engine::time::{Span, Time};

use super::origins::Origins;
use crate::run::Run;

/// Length of the windows of which availability by time counts the good ones.
pub const WINDOW: Span = Span::from_secs(10);

/// What the users of one service felt, in thousandths of a request where amounts are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceTotals {
    /// Requests that users made.
    pub requests: u64,
    /// Answered well and in time.
    pub good: u64,
    /// Answered too late.
    pub slow: u64,
    /// Not answered before the time-out.
    pub timed_out: u64,
    /// Refused at once.
    pub refused: u64,
    /// Answered with an error.
    pub errors: u64,
    /// Attempts, retries included.
    pub attempts: u64,
    /// Attempts sent to an endpoint that no longer served.
    pub stale: u64,
    /// Requests that reached a revision newer than the first.
    pub on_new_revision: u64,
    /// Latency summed over answered requests, in nanoseconds times thousandths.
    latency_sum: u128,
    /// What was promised, in millionths; the strictest of the service's sources.
    pub objective_ppm: u32,
    /// Requests and good ones of each window.
    windows: Vec<(u64, u64)>,
}

/// What all users felt, and since when.
pub struct TrafficTotals {
    /// Per service that is asked for something.
    pub services: BTreeMap<ServiceId, ServiceTotals>,
    /// Per fault or operation: what users felt from it until the next one.
    pub harms: BTreeMap<FaultId, Harm>,
    /// Requests that failed before the first entry of the timeline, in thousandths.
    pub lost_before: u64,
}

/// What users felt between one entry of the timeline and the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// When requests began to fail that had not failed before, or twice as often as before. `None`: no worse than before.
    pub onset: Option<Time>,
    /// Requests that users made, in thousandths.
    pub requests: u64,
    /// Requests that failed, in thousandths; those that failed already when the entry took effect included.
    pub lost: u64,
}

impl Harm {
    /// True when a whole request and at least one of 10,000 failed: less than that is nobody's experience.
    pub fn is_felt(&self) -> bool {
        self.lost >= 1000 && u128::from(self.lost) * 10_000 >= u128::from(self.requests)
    }
}

impl TrafficTotals {
    /// Adds everything up.
    pub fn new(run: &Run, origins: &Origins) -> Self {
        let mut services: BTreeMap<ServiceId, ServiceTotals> = BTreeMap::new();
        for (_, source) in run.experiment.traffic.iter() {
            let totals = services.entry(source.to).or_default();
            totals.objective_ppm = totals.objective_ppm.max(source.objective_ppm);
        }
        let mut onsets = Onsets::new(origins);
        for fact in &run.facts {
            if let FactKind::Traffic(slice) = fact.kind {
                services.entry(slice.service).or_default().add(&slice, fact.at);
                onsets.add(&slice, fact.at);
            }
        }
        Self { services, harms: onsets.harms, lost_before: onsets.lost_before }
    }
}

impl ServiceTotals {
    fn add(&mut self, slice: &TrafficSlice, until: Time) {
        self.requests += slice.requests;
        self.good += slice.good;
        self.slow += slice.slow;
        self.timed_out += slice.timed_out;
        self.refused += slice.refused;
        self.errors += slice.errors;
        self.attempts += slice.attempts;
        self.stale += slice.stale;
        self.on_new_revision += slice.on_new_revision;
        let answered = slice.good + slice.slow + slice.errors;
        self.latency_sum += u128::from(slice.latency.as_nanos()) * u128::from(answered);
        self.spread(slice, until);
    }

    /// Spreads a slice evenly over the windows it covers, to the last thousandth.
    fn spread(&mut self, slice: &TrafficSlice, until: Time) {
        let (width, first) = (WINDOW.as_nanos(), slice.since.as_nanos() / WINDOW.as_nanos());
        let last = until.as_nanos().saturating_sub(1).max(slice.since.as_nanos()) / width;
        let wanted = usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1);
        if self.windows.len() < wanted {
            self.windows.resize(wanted, (0, 0));
        }
        let mut before = (0, 0);
        for window in first..=last {
            let end = Time::from_nanos((window + 1) * width).min(until.max(slice.since));
            let so_far = if window == last {
                (slice.requests, slice.good)
            } else {
                (share(slice.requests, slice, end, until), share(slice.good, slice, end, until))
            };
            let bucket = &mut self.windows[window as usize];
            bucket.0 += so_far.0 - before.0;
            bucket.1 += so_far.1 - before.1;
            before = so_far;
        }
    }

    /// Requests without a useful answer in time: timed out, refused, or answered with an error. Thousandths.
    pub fn lost(&self) -> u64 {
        self.timed_out + self.refused + self.errors
    }

    /// Good requests of all, in millionths. `None` without requests.
    pub fn availability_ppm(&self) -> Option<u64> {
        ratio_ppm(self.good, self.requests)
    }

    /// Windows that met the objective, of all windows with requests, in millionths.
    pub fn availability_by_time_ppm(&self) -> Option<u64> {
        let asked = self.windows.iter().filter(|window| window.0 > 0);
        let (met, all) = asked.fold((0, 0), |(met, all), &(requests, good)| {
            let is_met = u128::from(good) * 1_000_000 >= u128::from(requests) * u128::from(self.objective_ppm);
            (met + u64::from(is_met), all + 1)
        });
        ratio_ppm(met, all)
    }

    /// Attempts per request, in thousandths: 1,000 without any retry.
    pub fn amplification_permille(&self) -> Option<u64> {
        (self.requests > 0).then(|| (u128::from(self.attempts) * 1000 / u128::from(self.requests)) as u64)
    }

    /// Mean latency of answered requests.
    pub fn latency(&self) -> Option<Span> {
        let answered = u128::from(self.good + self.slow + self.errors);
        (answered > 0).then(|| Span::from_nanos((self.latency_sum / answered) as u64))
    }

    /// Failed share of requests in each window, in thousandths; `None` for windows without requests.
    pub fn failing_permille(&self) -> impl Iterator<Item = (Time, Option<u32>)> + '_ {
        self.windows.iter().enumerate().map(|(i, &(requests, good))| {
            let bad = u128::from(requests.saturating_sub(good)) * 1000;
            let share = bad.checked_div(u128::from(requests)).map(|share| share as u32);
            (Time::from_nanos(i as u64 * WINDOW.as_nanos()), share)
        })
    }
}

/// The part of an amount that falls before `end`.
fn share(amount: u64, slice: &TrafficSlice, end: Time, until: Time) -> u64 {
    let whole = u128::from(until.since(slice.since).as_nanos().max(1));
    (u128::from(amount) * u128::from(end.since(slice.since).as_nanos()) / whole) as u64
}

/// `part` of `whole` in millionths, rounded down: what is promised must be fully kept.
pub fn ratio_ppm(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| (u128::from(part) * 1_000_000 / u128::from(whole)) as u64)
}

/// Gives each failed request to the entry of the timeline before it, and looks for the first one of each.
struct Onsets {
    /// Entries by time.
    entries: Vec<(Time, FaultId)>,
    harms: BTreeMap<FaultId, Harm>,
    lost_before: u64,
    sources: BTreeMap<TrafficId, Failing>,
}

impl Onsets {
    fn new(origins: &Origins) -> Self {
        let mut entries: Vec<(Time, FaultId)> = origins.faults.iter().map(|(id, fault)| (fault.at, *id)).collect();
        entries.sort_unstable();
        Self { entries, harms: BTreeMap::new(), lost_before: 0, sources: BTreeMap::new() }
    }

    fn add(&mut self, slice: &TrafficSlice, until: Time) {
        let lost = slice.timed_out + slice.refused + slice.errors;
        let Some(share) = ratio_ppm(lost, slice.requests) else { return };
        // Rates change when an entry takes effect, so a slice that fails seldom begins before it; the last entry
        // before its end is meant.
        let entries = self.entries.partition_point(|(at, _)| *at < until);
        // A source that was silent before an entry says nothing about what the entry changed.
        let source = self.sources.entry(slice.source).or_insert(Failing { entries, before: share, share });
        if source.entries != entries {
            // Within a slice all rates are the same, so one that began before the entry tells how it was then.
            let began_before = entries.checked_sub(1).is_some_and(|newest| slice.since < self.entries[newest].0);
            *source = Failing { entries, before: if began_before { share } else { source.share }, share };
        }
        source.share = share;
        let Some(&(at, fault)) = self.entries[..entries].last() else {
            self.lost_before += lost;
            return;
        };
        let harm = self.harms.entry(fault).or_default();
        harm.requests += slice.requests;
        harm.lost += lost;
        if share > source.before * NOTABLY {
            harm.onset.get_or_insert_with(|| slice.since.max(at));
        }
    }
}

/// What fails so many times more often than before an entry is the entry's doing.
const NOTABLY: u64 = 2;

/// How one source fares.
#[derive(Clone, Copy)]
struct Failing {
    /// Entries that took effect so far.
    entries: usize,
    /// Failing share just before the newest of them, in millionths.
    before: u64,
    /// Failing share now.
    share: u64,
}
