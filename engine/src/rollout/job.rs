//! Jobs: how many pods run next, what a pod's end counts for, and when a run is over, decided from counts alone.
//!
//! Not a controller: it writes nothing and knows no store; `control/job` does. One pass is [`judge`] for each pod that
//! ended, then [`Run::review`]. Source of all rules: kubernetes/kubernetes:pkg/controller/job/job_controller.go,
//! backoff_utils.go, indexed_job_utils.go, pod_failure_policy.go, success_policy.go.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::JobFailure;
use crate::ids::Symbol;
use crate::model::{FailureMatch, FailureRule, FailureRuleAction, JobSpec, SuccessRule};
use crate::time::{Span, Time};

/// First wait after a failure; doubles with each further one.
/// Source: kubernetes/kubernetes:pkg/controller/job/job_controller.go, `DefaultJobPodFailureBackOff`.
pub const BACKOFF: Span = Span::from_secs(10);
/// Longest wait after a failure (same source, `MaxJobPodFailureBackOff`).
pub const BACKOFF_MAX: Span = Span::from_secs(600);
/// Pods created or deleted in one pass (same source, `MaxPodCreateDeletePerSync`).
pub const PODS_PER_PASS: usize = 500;

/// A pod that ended and is not counted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its index.
    pub slot: u32,
    /// Whether all its containers ended well.
    pub success: bool,
    /// When, in whole seconds: the API has no finer times.
    pub at: Time,
    /// What its failure counts for.
    pub verdict: Verdict,
}

/// What a failure counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Counts,
    /// It does not.
    Ignored,
    /// Its index has failed for good.
    FailsIndex,
    /// The job has failed for good.
    FailsJob,
}

/// How a pod failed, for the rules of a failure policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the container that failed, and its code; `None` when none ended by itself.
    pub exit: Option<(Symbol, i32)>,
    /// Somebody took the pod away (condition `DisruptionTarget`).
    pub disrupted: bool,
}

/// The first rule that matches a failure decides; without one it counts.
/// Source: kubernetes/kubernetes:pkg/controller/job/pod_failure_policy.go, `matchPodFailurePolicy`.
pub fn judge(rules: &[FailureRule], failure: &Failure) -> Verdict {
    let matching = rules.iter().find(|rule| match &rule.on {
        FailureMatch::Disrupted => failure.disrupted,
        FailureMatch::ExitCodes { container, not_in, codes } => failure.exit.is_some_and(|(name, code)| {
            code != 0 && container.is_none_or(|c| c == name) && codes.contains(&code) != *not_in
        }),
    });
    match matching.map(|rule| rule.action) {
        Some(FailureRuleAction::FailJob) => Verdict::FailsJob,
        Some(FailureRuleAction::FailIndex) => Verdict::FailsIndex,
        Some(FailureRuleAction::Ignore) => Verdict::Ignored,
        Some(FailureRuleAction::Count) | None => Verdict::Counts,
    }
}

/// Failures of one index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexFailures {
    /// That count.
    pub counted: u32,
    /// All of them: the back-off counts each.
    pub all: u32,
    /// When the last one was.
    pub last: Time,
}

/// What will become of a run that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It succeeds: its criteria are met.
    Success,
    /// It fails.
    Failure(JobFailure),
}

/// The book of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// When it began or was resumed, in whole seconds.
    pub started: Option<Time>,
    /// Successes.
    pub succeeded: u32,
    /// Failures that count.
    pub failed: u32,
    /// Indexes that succeeded.
    pub done: BTreeSet<u32>,
    /// Indexes that failed for good.
    pub lost: BTreeSet<u32>,
    /// Failures of each index, where they are bounded by index.
    pub by_index: BTreeMap<u32, IndexFailures>,
    /// Failures since the last success.
    pub streak: u32,
    /// When the last of them was.
    pub last_failure: Time,
    /// It is ending.
    pub target: Option<Target>,
    /// How long it waits after failures.
    pub waits: Waits,
}

/// Waits after failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// After the first one; doubles each time.
    pub first: Span,
    /// The longest.
    pub longest: Span,
}

impl Default for Waits {
    fn default() -> Self {
        Self { first: BACKOFF, longest: BACKOFF_MAX }
    }
}

/// What is seen of a run's pods.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Pods that have not ended and are not being deleted.
    pub active: u32,
    /// Of these: ready.
    pub ready: u32,
    /// Pods that are being deleted.
    pub terminating: u32,
    /// Restarts of containers of active pods, where containers are restarted in place.
    pub restarts: u32,
    /// Indexes that have a pod and need no other.
    pub taken: BTreeSet<u32>,
    /// Nothing may run now.
    pub suspended: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Create pods with these indexes.
    Create(Vec<u32>),
    /// So many pods too many.
    Remove(u32),
    /// All active pods go, since the run ends.
    RemoveAll,
}

/// What one pass comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What to do.
    pub act: Act,
    /// Look again after this.
    pub again: Option<Span>,
    /// How many pods are wanted now.
    pub wanted: u32,
    /// Waiting for the end of a back-off, the controller gives out that no pod is active.
    pub claims_idle: bool,
    /// The counts as they are when the pass is stored.
    pub next: Book,
}

/// The small counts of a [`Run`] after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book {
    /// See [`Run::streak`].
    pub streak: u32,
    /// See [`Run::last_failure`].
    pub last_failure: Time,
    /// See [`Run::target`].
    pub target: Option<Target>,
}

impl Run {
    /// One pass over a run: what follows from what is seen, and from pods that ended and are not counted yet.
    pub fn review(&self, spec: &JobSpec, seen: &Seen, fresh: &[Ended], now: Time) -> Review {
        let (streak, last_failure) = self.streak_after(fresh);
        let tally = Tally::of(self, spec, fresh);
        let started = self.started.unwrap_or(now);
        let target = self.target.or_else(|| self.ending(spec, seen, fresh, &tally, now.since(started)));
        let mut review = Review {
            act: Act::Nothing,
            again: None,
            wanted: 0,
            claims_idle: false,
            next: Book { streak, last_failure, target },
        };
        if target.is_some() {
            review.act = if seen.active > 0 { Act::RemoveAll } else { Act::Nothing };
            return review;
        }
        if let (Some(deadline), false) = (spec.active_deadline, seen.suspended) {
            review.again = Some(deadline - now.since(started));
        }
        self.manage(spec, seen, &tally, (&mut review, now));
        let enough = match spec.completions {
            Some(completions) => tally.succeeded >= completions,
            None => tally.succeeded > 0,
        };
        if enough && seen.active == 0 && !matches!(review.act, Act::Create(_)) {
            review.next.target = Some(Target::Success);
        }
        review
    }

    /// How many pods there should be, and what is done about it.
    fn manage(&self, spec: &JobSpec, seen: &Seen, tally: &Tally, (review, now): (&mut Review, Time)) {
        if seen.suspended {
            review.act = if seen.active > 0 { Act::Remove(seen.active) } else { Act::Nothing };
            return;
        }
        let wanted = match spec.completions {
            None if tally.succeeded > 0 => seen.active,
            None => spec.parallelism,
            Some(completions) => completions.saturating_sub(tally.succeeded).min(spec.parallelism),
        };
        review.wanted = wanted;
        if seen.active > wanted {
            review.act = Act::Remove((seen.active - wanted).min(PODS_PER_PASS as u32));
            return;
        }
        let waits_for = if replaces_only_failed(spec) { seen.terminating } else { 0 };
        let missing = wanted.saturating_sub(waits_for + seen.active);
        if missing == 0 {
            return;
        }
        if spec.backoff_limit_per_index.is_none() {
            let wait = remaining(self.waits, review.next.streak, review.next.last_failure, now);
            if !wait.is_zero() {
                return postpone(review, wait);
            }
        }
        let missing = (missing as usize).min(PODS_PER_PASS);
        if !spec.indexed {
            review.act = Act::Create(vec![0; missing]);
            return;
        }
        let free =
            |index: &u32| !tally.done.contains(index) && !tally.lost.contains(index) && !seen.taken.contains(index);
        let indexes: Vec<u32> = (0..spec.completions.unwrap_or(0)).filter(free).take(missing).collect();
        let wait = |index: &u32| match tally.by_index.get(index) {
            Some(f) if spec.backoff_limit_per_index.is_some() => remaining(self.waits, f.all, f.last, now),
            _ => Span::ZERO,
        };
        let (ready, waiting): (Vec<u32>, Vec<u32>) = indexes.into_iter().partition(|i| wait(i).is_zero());
        match (ready.is_empty(), waiting.iter().map(wait).min()) {
            (true, Some(shortest)) => postpone(review, shortest),
            (true, None) => {}
            (false, _) => review.act = Act::Create(ready),
        }
    }

    /// Whether and how a run is to end now.
    fn ending(&self, spec: &JobSpec, seen: &Seen, fresh: &[Ended], tally: &Tally, ran: Span) -> Option<Target> {
        let fails = |why| Some(Target::Failure(why));
        if fresh.iter().any(|e| !e.success && e.verdict == Verdict::FailsJob) {
            return fails(JobFailure::FailurePolicy);
        }
        let restarted = seen.restarts > 0 && seen.restarts >= spec.backoff_limit;
        if tally.failed > spec.backoff_limit || restarted {
            return fails(JobFailure::BackoffLimit);
        }
        if !seen.suspended && spec.active_deadline.is_some_and(|deadline| ran >= deadline) {
            return fails(JobFailure::Deadline);
        }
        if !spec.indexed {
            return None;
        }
        if spec.backoff_limit_per_index.is_some() {
            let lost = tally.lost.len() as u32;
            let over = lost > 0 && lost + tally.succeeded >= spec.completions.unwrap_or(0);
            if over || spec.max_failed_indexes.is_some_and(|max| lost > max) {
                return fails(JobFailure::FailedIndexes);
            }
        }
        spec.success_rules.iter().any(|rule| meets(rule, &tally.done)).then_some(Target::Success)
    }

    /// Failures since the last success, and when the last of them was.
    /// Source: kubernetes/kubernetes:pkg/controller/job/backoff_utils.go, `newBackoffRecord`.
    fn streak_after(&self, fresh: &[Ended]) -> (u32, Time) {
        let successes = fresh.iter().filter(|e| e.success).map(|e| e.at);
        let last_success = successes.max();
        let later = fresh.iter().filter(|e| !e.success && last_success.is_none_or(|s| e.at > s));
        let (count, last) = later.fold((0, Time::ZERO), |(n, last), e| (n + 1, last.max(e.at)));
        match last_success {
            None if count == 0 => (self.streak, self.last_failure),
            None => (self.streak + count, last),
            Some(_) => (count, last),
        }
    }

    /// Books pods that ended, and what a pass came to.
    pub fn book(&mut self, spec: &JobSpec, fresh: &[Ended], next: Book) {
        let Tally { succeeded, failed, done, lost, by_index } = Tally::of(self, spec, fresh);
        let (done, lost, by_index) = (changed(done), changed(lost), changed(by_index));
        (self.succeeded, self.failed) = (succeeded, failed);
        self.done = done.unwrap_or_else(|| std::mem::take(&mut self.done));
        self.lost = lost.unwrap_or_else(|| std::mem::take(&mut self.lost));
        self.by_index = by_index.unwrap_or_else(|| std::mem::take(&mut self.by_index));
        (self.streak, self.last_failure, self.target) = (next.streak, next.last_failure, next.target);
    }
}

/// A run's counts together with pods that are not booked yet; copies the sets only when they change.
struct Tally<'a> {
    succeeded: u32,
    failed: u32,
    done: std::borrow::Cow<'a, BTreeSet<u32>>,
    lost: std::borrow::Cow<'a, BTreeSet<u32>>,
    by_index: std::borrow::Cow<'a, BTreeMap<u32, IndexFailures>>,
}

impl<'a> Tally<'a> {
    fn of(run: &'a Run, spec: &JobSpec, fresh: &[Ended]) -> Self {
        use std::borrow::Cow::Borrowed;
        let mut tally = Self {
            succeeded: run.succeeded,
            failed: run.failed,
            done: Borrowed(&run.done),
            lost: Borrowed(&run.lost),
            by_index: Borrowed(&run.by_index),
        };
        for ended in fresh {
            match (ended.success, spec.indexed) {
                (true, false) => tally.succeeded += 1,
                (true, true) => tally.succeeded += u32::from(tally.done.to_mut().insert(ended.slot)),
                (false, _) => tally.failure(spec, ended),
            }
        }
        tally
    }

    fn failure(&mut self, spec: &JobSpec, ended: &Ended) {
        let counts = ended.verdict != Verdict::Ignored;
        self.failed += u32::from(counts);
        let Some(limit) = spec.backoff_limit_per_index else { return };
        let row = self.by_index.to_mut().entry(ended.slot).or_default();
        row.counted += u32::from(counts);
        row.all += 1;
        row.last = row.last.max(ended.at);
        if ended.verdict == Verdict::FailsIndex || (counts && row.counted > limit) {
            self.lost.to_mut().insert(ended.slot);
        }
    }
}

/// What a pass has changed; `None` when it left it as it was.
fn changed<T: Clone>(value: std::borrow::Cow<'_, T>) -> Option<T> {
    match value {
        std::borrow::Cow::Owned(value) => Some(value),
        std::borrow::Cow::Borrowed(_) => None,
    }
}

/// A job with a failure policy replaces pods only when they have failed, whatever it says.
/// Source: kubernetes/kubernetes:pkg/apis/batch/v1/defaults.go, `PodReplacementPolicy`.
pub fn replaces_only_failed(spec: &JobSpec) -> bool {
    spec.replace_when_failed || !spec.failure_rules.is_empty()
}

fn postpone(review: &mut Review, wait: Span) {
    review.claims_idle = true;
    review.again = Some(review.again.map_or(wait, |again| again.min(wait)));
}

/// What is left of the wait after `failures` in a row, the last of them at `last`.
fn remaining(waits: Waits, failures: u32, last: Time, now: Time) -> Span {
    if failures == 0 {
        return Span::ZERO;
    }
    let wait = waits.first.times(1 << u64::from((failures - 1).min(20))).min(waits.longest);
    wait - now.since(last)
}

fn meets(rule: &SuccessRule, done: &BTreeSet<u32>) -> bool {
    let within = |i: &u32| rule.indexes.is_empty() || rule.indexes.iter().any(|(a, b)| (a..=b).contains(&i));
    let met = done.iter().filter(|i| within(i)).count() as u64;
    let all: u64 = rule.indexes.iter().map(|(a, b)| u64::from(b.saturating_sub(*a)) + 1).sum();
    let enough = match rule.count {
        Some(count) => u64::from(count),
        None => all.max(1),
    };
    met > 0 && met >= enough
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
