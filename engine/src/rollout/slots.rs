//! Update slot by slot, as Swarm services do it: a number of workers, each taking one slot after the other.
//!
//! A state machine without a clock: [`SlotRollout::observe`] tells it what happened, [`SlotRollout::advance`] returns
//! what to do and when to ask again. It restarts nothing: a replica that fails is replaced by replication, and only the
//! first one of each slot counts here. Source: moby/swarmkit:manager/orchestrator/update/updater.go.
//! Start at [`SlotRollout`].

use crate::profile::{FailureAction, SlotOrder, SlotStyle, SlotUpdate};
use crate::time::{Span, Time};

/// Longest wait for the old replica of a slot to stop before the new one starts beside it.
/// Source: moby/swarmkit:manager/orchestrator/restart/restart.go, `defaultOldTaskTimeout`.
const OLD_STOP_MAX: Span = Span::from_secs(60);

/// The monitor period when the delay is not shorter: this much longer than the delay.
/// Measured on Docker 20.10: with both at 5 s an update is complete 11 s after its last replica runs.
const MONITOR_BEYOND_DELAY: Span = Span::from_secs(1);

/// One update of a workload: the state of each of its slots that need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRollout {
    slots: Vec<(u32, SlotState)>,
    direction: Direction,
    verdict: Verdict,
}

/// Where one slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Its turn has not come.
    Old,
    /// The old replica was told to stop, the new one waits for that.
    Stopping {
        /// Told so at this time.
        since: Time,
    },
    /// The old replica is gone, the new one may start.
    Stopped,
    /// The new replica was told to start.
    Starting,
    /// The new replica runs and the old one has not been told to stop yet.
    Overlapping {
        /// It runs since then.
        since: Time,
    },
    /// The new replica runs.
    Running {
        /// It runs since then.
        since: Time,
    },
    /// The new replica ended before it ran, or soon after.
    Failed {
        /// Its worker waited no longer from then on.
        since: Time,
    },
}

/// Whether an update brings the new template or brings back the former one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the new template.
    Forth,
    /// Back to the former one. A rollback that fails pauses; it is never rolled back itself.
    Back,
}

/// What happened in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotEvent {
    /// The old replica has stopped, or its node is down.
    OldStopped,
    /// The new replica runs (and is healthy, if it has a health check).
    NewRunning,
    /// The new replica ended, for whatever reason.
    NewEnded,
}

/// What to do in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotAction {
    /// Create the new replica, place it and fetch its image, but hold its start.
    PrepareNew(u32),
    /// Start the new replica, which is created first when it was not prepared.
    StartNew(u32),
    /// Stop the old replica and do not replace it.
    StopOld(u32),
}

/// How the update stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Going,
    /// Too much failed: no further slot is touched until someone intervenes.
    Paused,
    /// Too much failed: start a [`SlotRollout::rollback`] over [`SlotRollout::touched`] in its place.
    RollBack,
    /// All slots are done and were watched for a last monitor period.
    Complete,
}

/// Who is served first when a worker is free and a failure was seen at the same time.
///
/// The original waits for both in one `select`, which picks at random: draw it from the workload's rollout stream.
/// Measured on Docker 20.10: of rollbacks with one or two workers some touched twice as many slots as workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Race {
    /// The failure is judged before another slot is taken.
    FailureWins,
    /// Free workers take their next slots first.
    WorkersWin,
}

/// The next step of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do now, in this order.
    pub actions: Vec<SlotAction>,
    /// How the update stands after that.
    pub verdict: Verdict,
    /// Ask again at this time even if nothing happens. `None`: only after an event.
    pub wake: Option<Time>,
}

impl SlotRollout {
    /// An update of `slots`, which are taken in the order given (the original takes them in random order).
    pub fn new(slots: impl IntoIterator<Item = u32>) -> Self {
        Self::towards(Direction::Forth, slots)
    }

    /// The way back for `slots`.
    pub fn rollback(slots: impl IntoIterator<Item = u32>) -> Self {
        Self::towards(Direction::Back, slots)
    }

    fn towards(direction: Direction, slots: impl IntoIterator<Item = u32>) -> Self {
        let slots = slots.into_iter().map(|slot| (slot, SlotState::Old)).collect();
        Self { slots, direction, verdict: Verdict::Going }
    }

    /// Whether this is an update or a rollback.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// It brings the former template back from now on.
    pub fn turn_back(&mut self) {
        self.direction = Direction::Back;
    }

    /// How the update stands.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// All slots and their states, in update order.
    pub fn slots(&self) -> &[(u32, SlotState)] {
        &self.slots
    }

    /// Slots whose update has begun, in update order.
    pub fn touched(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().filter(|(_, state)| *state != SlotState::Old).map(|(slot, _)| *slot)
    }

    /// Slots whose new replica failed.
    pub fn failures(&self) -> usize {
        self.slots.iter().filter(|(_, state)| matches!(state, SlotState::Failed { .. })).count()
    }

    /// Takes note of what happened in `slot`. Events that change nothing, or of unknown slots, are ignored.
    pub fn observe(&mut self, update: &SlotUpdate, slot: u32, (now, event): (Time, SlotEvent)) {
        let watched = self.watched(update, now);
        let Some((_, state)) = self.slots.iter_mut().find(|(s, _)| *s == slot) else { return };
        *state = match (*state, event) {
            (SlotState::Stopping { .. }, SlotEvent::OldStopped) => SlotState::Stopped,
            (SlotState::Starting, SlotEvent::NewRunning) => match update.order {
                SlotOrder::StopFirst => SlotState::Running { since: now },
                SlotOrder::StartFirst => SlotState::Overlapping { since: now },
            },
            (SlotState::Stopping { .. } | SlotState::Stopped | SlotState::Starting, SlotEvent::NewEnded) => {
                SlotState::Failed { since: now }
            }
            (SlotState::Running { since } | SlotState::Overlapping { since }, SlotEvent::NewEnded)
                if now.since(since) <= watched =>
            {
                SlotState::Failed { since }
            }
            (unchanged, _) => unchanged,
        };
    }

    /// How long a new replica is watched: longer than declared only when all slots are done and the delay is longer still.
    /// Source: moby/swarmkit:manager/orchestrator/update/updater.go, `Run`, where the period is set before the last watch.
    fn watched(&self, update: &SlotUpdate, now: Time) -> Span {
        let done = |state| freed(state, update).is_some_and(|at| at <= now);
        if self.slots.iter().all(|(_, state)| done(*state)) { monitor(update) } else { update.monitor }
    }

    /// No further slot is taken; those in work are finished.
    pub fn hold(&mut self) {
        if self.verdict == Verdict::Going {
            self.verdict = Verdict::Paused;
        }
    }

    /// A slot is not wanted any more: the workload was scaled down. It counts neither as done nor as failed.
    pub fn forget(&mut self, slot: u32) {
        self.slots.retain(|(s, _)| *s != slot);
    }

    /// Moves the update on as far as it goes at `now`.
    pub fn advance(&mut self, update: &SlotUpdate, now: Time, race: Race) -> Step {
        let mut actions = Vec::new();
        if matches!(self.verdict, Verdict::Going | Verdict::Paused) {
            self.follow_up(now, &mut actions);
        }
        if self.verdict == Verdict::Going && race == Race::WorkersWin {
            self.take_slots(update, now, &mut actions);
        }
        if self.verdict == Verdict::Going {
            self.verdict = self.judge(update, now);
        }
        if self.verdict == Verdict::Going {
            self.take_slots(update, now, &mut actions);
        }
        Step { actions, verdict: self.verdict, wake: self.wake(update, now) }
    }

    /// The second half of slots in work. A paused update still finishes it.
    fn follow_up(&mut self, now: Time, actions: &mut Vec<SlotAction>) {
        for (slot, state) in &mut self.slots {
            match *state {
                SlotState::Stopping { since } if now >= since + OLD_STOP_MAX => *state = SlotState::Stopped,
                SlotState::Overlapping { since } => {
                    actions.push(SlotAction::StopOld(*slot));
                    *state = SlotState::Running { since };
                }
                _ => {}
            }
            if *state == SlotState::Stopped {
                actions.push(SlotAction::StartNew(*slot));
                *state = SlotState::Starting;
            }
        }
    }

    fn take_slots(&mut self, update: &SlotUpdate, now: Time, actions: &mut Vec<SlotAction>) {
        let workers = match update.parallelism {
            0 => self.slots.len(),
            n => n as usize,
        };
        let busy = self.slots.iter().filter(|(_, state)| freed(*state, update).is_some_and(|at| at > now)).count();
        if update.style == SlotStyle::Batches && busy > 0 {
            return;
        }
        let untouched = self.slots.iter_mut().filter(|(_, state)| *state == SlotState::Old);
        for (slot, state) in untouched.take(workers.saturating_sub(busy)) {
            match update.order {
                SlotOrder::StopFirst => {
                    actions.extend([SlotAction::PrepareNew(*slot), SlotAction::StopOld(*slot)]);
                    *state = SlotState::Stopping { since: now };
                }
                SlotOrder::StartFirst => {
                    actions.push(SlotAction::StartNew(*slot));
                    *state = SlotState::Starting;
                }
            }
        }
    }

    fn judge(&self, update: &SlotUpdate, now: Time) -> Verdict {
        let too_many = self.failures() as u64 * 1_000 > u64::from(update.max_failure) * self.slots.len() as u64;
        match update.on_failure {
            FailureAction::Pause if too_many => Verdict::Paused,
            FailureAction::Rollback if too_many && self.direction == Direction::Back => Verdict::Paused,
            FailureAction::Rollback if too_many => Verdict::RollBack,
            _ if self.completion(update).is_some_and(|at| now >= at) => Verdict::Complete,
            _ => Verdict::Going,
        }
    }

    /// When the update is complete if nothing else happens; `None` while a slot is untouched or in work.
    fn completion(&self, update: &SlotUpdate) -> Option<Time> {
        let mut last = Time::ZERO;
        for (_, state) in &self.slots {
            last = last.max(freed(*state, update).filter(|at| *at < Time::MAX)?);
        }
        Some(if self.slots.is_empty() { last } else { last + monitor(update) })
    }

    fn wake(&self, update: &SlotUpdate, now: Time) -> Option<Time> {
        let waits_for_slot = self.slots.iter().any(|(_, state)| *state == SlotState::Old);
        let per_slot = self.slots.iter().filter_map(|(_, state)| match *state {
            SlotState::Stopping { since } => Some(since + OLD_STOP_MAX),
            state if waits_for_slot => freed(state, update),
            _ => None,
        });
        let going = match self.verdict {
            Verdict::Going | Verdict::Paused => per_slot.chain(self.completion(update)).filter(|at| *at < Time::MAX),
            Verdict::RollBack | Verdict::Complete => return None,
        };
        going.filter(|at| *at > now).min()
    }
}

/// When the worker of a slot takes the next one: `None` before it took this one, never while it is in work.
fn freed(state: SlotState, update: &SlotUpdate) -> Option<Time> {
    match state {
        SlotState::Old => None,
        SlotState::Stopping { .. } | SlotState::Stopped | SlotState::Starting | SlotState::Overlapping { .. } => {
            Some(Time::MAX)
        }
        SlotState::Running { since } | SlotState::Failed { since } => Some(since + update.delay),
    }
}

/// How long a new replica is watched after it runs, and how long after the last slot the update is complete.
fn monitor(update: &SlotUpdate) -> Span {
    if update.delay >= update.monitor { update.delay + MONITOR_BEYOND_DELAY } else { update.monitor }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
