//! Slot updates against the availability that was measured on a real Docker Swarm (10 replicas, Docker 20.10).

use std::collections::BTreeMap;

use super::*;

/// A stop takes 1 s. A good replica runs 2 s after its start, a bad one ends 4 s after it.
const STOP: Span = Span::from_secs(1);
const START: Span = Span::from_secs(2);
const FAIL: Span = Span::from_secs(4);
const TEN: u32 = 10;

fn update(parallelism: u32, delay: u64, order: SlotOrder) -> SlotUpdate {
    SlotUpdate {
        parallelism,
        delay: Span::from_secs(delay),
        order,
        monitor: Span::from_secs(5),
        on_failure: FailureAction::Pause,
        max_failure: 0,
        style: SlotStyle::Workers,
    }
}

/// A service whose slots hold at most one replica of the update and one from before it.
struct Service {
    rollout: SlotRollout,
    update: SlotUpdate,
    image: Image,
    race: Race,
    now: Time,
    events: BTreeMap<(Time, u32), SlotEvent>,
    serving: BTreeMap<u32, u32>,
    least: u32,
    most: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Image {
    Good,
    Bad,
}

impl Service {
    fn new(update: SlotUpdate, image: Image, race: Race) -> Self {
        Self {
            rollout: SlotRollout::new(0..TEN),
            update,
            image,
            race,
            now: Time::ZERO,
            events: BTreeMap::new(),
            serving: (0..TEN).map(|slot| (slot, 1)).collect(),
            least: TEN,
            most: TEN,
        }
    }

    /// Runs until nothing more is to come, following a rollback.
    fn run(&mut self) -> Verdict {
        loop {
            let step = self.rollout.advance(&self.update, self.now, self.race);
            for action in &step.actions {
                self.act(*action);
            }
            let available = self.serving.values().sum();
            self.least = self.least.min(available);
            self.most = self.most.max(available);
            if step.verdict == Verdict::RollBack {
                self.rollout = SlotRollout::rollback(self.rollout.touched().collect::<Vec<_>>());
                self.image = Image::Good;
                self.events.clear();
                continue;
            }
            let next_event = self.events.keys().next().map(|(at, _)| *at);
            let Some(at) = [next_event, step.wake].into_iter().flatten().min() else { return step.verdict };
            self.now = at;
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.events.first_entry().filter(|e| e.key().0 <= self.now) {
            let ((_, slot), event) = entry.remove_entry();
            if event == SlotEvent::NewRunning {
                *self.serving.entry(slot).or_default() += 1;
            }
            self.rollout.observe(&self.update, slot, (self.now, event));
        }
    }

    fn act(&mut self, action: SlotAction) {
        match action {
            SlotAction::PrepareNew(_) => {}
            SlotAction::StopOld(slot) => {
                let serving = self.serving.entry(slot).or_default();
                *serving = serving.saturating_sub(1);
                self.events.insert((self.now + STOP, slot), SlotEvent::OldStopped);
            }
            SlotAction::StartNew(slot) => {
                let (after, event) = match self.image {
                    Image::Good => (START, SlotEvent::NewRunning),
                    Image::Bad => (FAIL, SlotEvent::NewEnded),
                };
                self.events.insert((self.now + after, slot), event);
            }
        }
    }
}

fn check_good(parallelism: u32, delay: u64, order: SlotOrder, want: (u32, u64)) {
    let mut service = Service::new(update(parallelism, delay, order), Image::Good, Race::FailureWins);
    assert_eq!(service.run(), Verdict::Complete);
    assert_eq!((service.least, service.now), (want.0, Time::from_secs(want.1)), "p{parallelism} d{delay} {order:?}");
}

/// Measured minima: 9, 8, 5, 0; each worker takes stop + start + delay a slot, and 5 s of monitoring end it.
#[test]
fn stop_first_loses_as_many_as_there_are_workers() {
    check_good(1, 0, SlotOrder::StopFirst, (9, 10 * 3 + 5));
    check_good(2, 0, SlotOrder::StopFirst, (8, 5 * 3 + 5));
    check_good(5, 0, SlotOrder::StopFirst, (5, 2 * 3 + 5));
    check_good(0, 0, SlotOrder::StopFirst, (0, 3 + 5));
}

/// Measured: 92.2 s for one worker with a delay of 5 s. The delay is paid after the last slot too.
#[test]
fn the_delay_follows_every_slot_and_lengthens_the_monitoring() {
    check_good(1, 5, SlotOrder::StopFirst, (9, 10 * (3 + 5) + 6));
    check_good(5, 5, SlotOrder::StopFirst, (5, 2 * (3 + 5) + 6));
    check_good(0, 5, SlotOrder::StopFirst, (0, 3 + 5 + 6));
}

#[test]
fn start_first_never_serves_with_fewer() {
    check_good(1, 0, SlotOrder::StartFirst, (10, 10 * 2 + 5));
    check_good(5, 5, SlotOrder::StartFirst, (10, 2 * (2 + 5) + 6));
    check_good(0, 0, SlotOrder::StartFirst, (10, 2 + 5));
}

fn check_bad(update: SlotUpdate, race: Race, want: (Verdict, u32)) {
    let mut service = Service::new(update, Image::Bad, race);
    let verdict = service.run();
    assert_eq!((verdict, service.least), want, "{update:?} {race:?}");
}

/// Measured: 9, 8 and, with start-first, 10.
#[test]
fn the_first_failure_pauses_by_default() {
    for (parallelism, order, least) in
        [(1, SlotOrder::StopFirst, 9), (2, SlotOrder::StopFirst, 8), (2, SlotOrder::StartFirst, 10)]
    {
        check_bad(update(parallelism, 0, order), Race::FailureWins, (Verdict::Paused, least));
    }
}

/// Measured: one worker 8; two workers 8, and 6 in another run: it depends on who wins the race.
#[test]
fn a_rollback_touches_up_to_twice_as_many_slots_as_workers() {
    let back = |parallelism| SlotUpdate {
        on_failure: FailureAction::Rollback,
        ..update(parallelism, 0, SlotOrder::StopFirst)
    };
    check_bad(back(1), Race::FailureWins, (Verdict::Complete, 9));
    check_bad(back(1), Race::WorkersWin, (Verdict::Complete, 8));
    check_bad(back(2), Race::FailureWins, (Verdict::Complete, 8));
    check_bad(back(2), Race::WorkersWin, (Verdict::Complete, 6));
    let start_first = SlotUpdate { order: SlotOrder::StartFirst, ..back(2) };
    check_bad(start_first, Race::FailureWins, (Verdict::Complete, 10));
}

/// Measured with a ratio of 0.35: three failures are tolerated, the minimum is 5.
#[test]
fn a_ratio_tolerates_as_many_failures_as_it_says() {
    let tolerant =
        SlotUpdate { on_failure: FailureAction::Rollback, max_failure: 350, ..update(2, 0, SlotOrder::StopFirst) };
    check_bad(tolerant, Race::FailureWins, (Verdict::Complete, 6));
    check_bad(tolerant, Race::WorkersWin, (Verdict::Complete, 4));
    let one_worker = SlotUpdate { parallelism: 1, ..tolerant };
    check_bad(one_worker, Race::WorkersWin, (Verdict::Complete, 5));
}

/// Measured: after each failure the next slot is taken, until nothing is left.
#[test]
fn continue_breaks_every_slot() {
    let on = SlotUpdate { on_failure: FailureAction::Continue, ..update(1, 0, SlotOrder::StopFirst) };
    check_bad(on, Race::FailureWins, (Verdict::Complete, 0));
}

#[test]
fn a_failed_rollback_pauses() {
    let back = SlotUpdate { on_failure: FailureAction::Rollback, ..update(1, 0, SlotOrder::StartFirst) };
    let mut rollout = SlotRollout::rollback([3, 1]);
    let first = rollout.advance(&back, Time::ZERO, Race::FailureWins);
    assert_eq!(first.actions, [SlotAction::StartNew(3)]);
    rollout.observe(&back, 3, (Time::from_secs(1), SlotEvent::NewEnded));
    assert_eq!(rollout.advance(&back, Time::from_secs(1), Race::FailureWins).verdict, Verdict::Paused);
    assert_eq!(rollout.touched().collect::<Vec<_>>(), [3]);
}

#[test]
fn a_replica_that_ends_after_the_monitor_period_is_no_failed_update() {
    let plan = update(1, 0, SlotOrder::StartFirst);
    for (ends_at, failures) in [(7, 1), (8, 0)] {
        let mut rollout = SlotRollout::new([0, 1]);
        rollout.advance(&plan, Time::ZERO, Race::FailureWins);
        rollout.observe(&plan, 0, (Time::from_secs(2), SlotEvent::NewRunning));
        rollout.observe(&plan, 0, (Time::from_secs(ends_at), SlotEvent::NewEnded));
        assert_eq!(rollout.failures(), failures, "ended at {ends_at} s");
    }
}

#[test]
fn an_old_replica_that_does_not_stop_delays_the_new_one_a_minute_at_most() {
    let plan = update(1, 0, SlotOrder::StopFirst);
    let mut rollout = SlotRollout::new([0]);
    let step = rollout.advance(&plan, Time::ZERO, Race::FailureWins);
    assert_eq!(step.actions, [SlotAction::PrepareNew(0), SlotAction::StopOld(0)]);
    assert_eq!(step.wake, Some(Time::from_secs(60)));
    let step = rollout.advance(&plan, Time::from_secs(60), Race::FailureWins);
    assert_eq!(step.actions, [SlotAction::StartNew(0)]);
}

#[test]
fn a_new_replica_that_never_runs_blocks_its_worker_for_ever() {
    let plan = update(1, 0, SlotOrder::StartFirst);
    let mut rollout = SlotRollout::new([0, 1]);
    rollout.advance(&plan, Time::ZERO, Race::FailureWins);
    let later = rollout.advance(&plan, Time::from_secs(86_400), Race::FailureWins);
    assert_eq!(later, Step { actions: Vec::new(), verdict: Verdict::Going, wake: None });
}

#[test]
fn nothing_to_update_is_complete_at_once() {
    let step = SlotRollout::new([]).advance(&update(1, 0, SlotOrder::StopFirst), Time::ZERO, Race::FailureWins);
    assert_eq!(step.verdict, Verdict::Complete);
}
