//! What an autoscaler makes of a recommendation: it looks back, moves at a bounded pace, and stays within bounds.
//!
//! Source: kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go, `normalizeDesiredReplicas`
//! and `normalizeDesiredReplicasWithBehaviors`: which one counts depends on whether the object has a `behavior` at all.
//! Start at [`Memory::settle`].

use std::collections::VecDeque;

use crate::model::{Amount, ScalingRules};
use crate::time::{Span, Time};

/// Without declared habits one move multiplies replicas at most by this.
/// Source: kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go, `scaleUpLimitFactor`.
pub const GROWTH: u32 = 2;
/// And may always reach so many (same source, `scaleUpLimitMinimum`).
pub const GROWTH_FLOOR: u32 = 4;

/// What an autoscaler remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Recommendations within the longer of both windows.
    recommendations: VecDeque<(Time, u32)>,
    /// Replicas added, and when.
    added: VecDeque<(Time, u32)>,
    /// Replicas taken away, and when.
    removed: VecDeque<(Time, u32)>,
}

/// How an autoscaler may move.
#[derive(Clone, Copy, Debug)]
pub struct Habits<'a> {
    /// None are declared: moves are bounded by [`GROWTH`] and [`GROWTH_FLOOR`] alone.
    pub plain: bool,
    /// When growing.
    pub up: &'a ScalingRules,
    /// When shrinking.
    pub down: &'a ScalingRules,
    /// What looks back for so long on the way down when it does not say so itself.
    pub down_window: Span,
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
}

impl Memory {
    /// The replicas to ask for when `wanted` are recommended and there are `current`.
    pub fn settle(&mut self, habits: &Habits<'_>, (current, wanted): (u32, u32), now: Time) -> u32 {
        if habits.plain {
            let calm = self.highest(habits.down_window, wanted, now);
            let most = habits.max.min(current.saturating_mul(GROWTH).max(GROWTH_FLOOR));
            return if calm < habits.min { habits.min } else { calm.min(most) };
        }
        let calm = self.stabilize(habits, (current, wanted), now);
        if calm > current {
            let limit = bound(current, &self.added, habits.up, now).max(current);
            calm.min(habits.max.min(limit))
        } else if calm < current {
            let limit = lower_bound(current, &self.removed, habits.down, now).min(current);
            calm.max(habits.min.max(limit))
        } else {
            calm
        }
    }

    /// The highest recommendation within a window, whatever the direction.
    fn highest(&mut self, window: Span, wanted: u32, now: Time) -> u32 {
        self.recommendations.retain(|(at, _)| now.since(*at) <= window);
        let highest = self.recommendations.iter().map(|r| r.1).fold(wanted, u32::max);
        self.recommendations.push_back((now, wanted));
        highest
    }

    /// Remembers that replicas change now.
    pub fn moved(&mut self, habits: &Habits<'_>, (from, to): (u32, u32), now: Time) {
        if habits.plain {
            return; // Nothing asks for former moves.
        }
        let (events, rules, change) = match to > from {
            true => (&mut self.added, habits.up, to - from),
            false => (&mut self.removed, habits.down, from - to),
        };
        let longest = rules.policies.iter().map(|policy| policy.period).max().unwrap_or(Span::ZERO);
        events.retain(|(at, _)| now.since(*at) <= longest);
        events.push_back((now, change));
    }

    /// The calmest recommendation within the direction's window.
    fn stabilize(&mut self, habits: &Habits<'_>, (current, wanted): (u32, u32), now: Time) -> u32 {
        let down = if habits.down.window == Span::MAX { habits.down_window } else { habits.down.window };
        let grows = wanted >= current;
        let window = if grows { habits.up.window } else { down };
        let longest = habits.up.window.max(down);
        self.recommendations.retain(|(at, _)| now.since(*at) <= longest);
        let recent = self.recommendations.iter().filter(|(at, _)| now.since(*at) < window).map(|r| r.1);
        let calm = match grows {
            true => recent.fold(wanted, u32::min),
            false => recent.fold(wanted, u32::max),
        };
        self.recommendations.push_back((now, wanted));
        calm
    }
}

fn changed(events: &VecDeque<(Time, u32)>, period: Span, now: Time) -> u32 {
    events.iter().filter(|(at, _)| now.since(*at) < period).map(|event| event.1).sum()
}

/// Most replicas that growing allows now.
fn bound(current: u32, events: &VecDeque<(Time, u32)>, rules: &ScalingRules, now: Time) -> u32 {
    let limits = rules.policies.iter().map(|policy| {
        let before = current.saturating_sub(changed(events, policy.period, now));
        match policy.amount {
            Amount::Count(n) => before + n,
            Amount::Percent(p) => before + Amount::Percent(p).of_rounded_up(before),
        }
    });
    if rules.largest { limits.max() } else { limits.min() }.unwrap_or(current)
}

/// Fewest replicas that shrinking allows now.
fn lower_bound(current: u32, events: &VecDeque<(Time, u32)>, rules: &ScalingRules, now: Time) -> u32 {
    let limits = rules.policies.iter().map(|policy| {
        let before = current + changed(events, policy.period, now);
        match policy.amount {
            Amount::Count(n) => before.saturating_sub(n),
            // The original cuts what is left, so that what goes is rounded up.
            Amount::Percent(p) => (u64::from(before) * u64::from(100 - p.min(100)) / 100) as u32,
        }
    });
    if rules.largest { limits.min() } else { limits.max() }.unwrap_or(current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ScalingPolicy;

    fn rules(window: u64, policies: &[(Amount, u64)]) -> ScalingRules {
        let policy = |&(amount, period): &(Amount, u64)| ScalingPolicy { amount, period: Span::from_secs(period) };
        ScalingRules {
            window: Span::from_secs(window),
            tolerance: None,
            policies: policies.iter().map(policy).collect(),
            largest: true,
        }
    }

    /// The defaults of the API.
    fn defaults() -> (ScalingRules, ScalingRules) {
        (rules(0, &[(Amount::Count(4), 15), (Amount::Percent(100), 15)]), rules(300, &[(Amount::Percent(100), 15)]))
    }

    /// Moves through recommendations 15 s apart and returns what was asked for.
    fn walk((up, down): &(ScalingRules, ScalingRules), start: u32, wanted: &[u32]) -> Vec<u32> {
        let habits = Habits { plain: false, up, down, down_window: Span::from_secs(300), min: 1, max: 100 };
        let (mut memory, mut current) = (Memory::default(), start);
        let step = |(i, &wanted): (usize, &u32)| {
            let now = Time::from_secs(1_000 + 15 * i as u64);
            let to = memory.settle(&habits, (current, wanted), now);
            if to != current {
                memory.moved(&habits, (current, to), now);
            }
            current = to;
            to
        };
        wanted.iter().enumerate().map(step).collect()
    }

    #[test]
    fn without_declared_habits_a_move_doubles_and_always_reaches_four() {
        let (up, down) = defaults();
        let habits = Habits { plain: true, up: &up, down: &down, down_window: Span::from_secs(60), min: 1, max: 30 };
        let (mut memory, mut current) = (Memory::default(), 1);
        let mut step = |i: u64, wanted: u32| {
            current = memory.settle(&habits, (current, wanted), Time::from_secs(1_000 + 15 * i));
            current
        };
        assert_eq!([0, 1, 2, 3].map(|i| step(i, 50)), [4, 8, 16, 30]);
        // The cluster's window, not five minutes, and then all the way down in one step.
        assert_eq!([4, 5, 6, 7, 8].map(|i| step(i, 3)), [30, 30, 30, 30, 3]);
        // A recent higher recommendation counts on the way up, too.
        assert_eq!([step(9, 6), step(10, 4)], [6, 6]);
    }

    #[test]
    fn growth_doubles_or_adds_four_each_time() {
        assert_eq!(walk(&defaults(), 1, &[50; 6]), [5, 10, 20, 40, 50, 50]);
    }

    #[test]
    fn shrinking_waits_for_the_highest_recommendation_of_five_minutes() {
        let mut wanted = vec![8];
        wanted.resize(24, 2);
        let got = walk(&defaults(), 8, &wanted);
        assert_eq!(got[..20], [8; 20]);
        assert_eq!(got[20..], [2; 4]);
    }

    #[test]
    fn a_policy_bounds_what_goes_in_a_period() {
        let slow = (defaults().0, rules(0, &[(Amount::Count(2), 60)]));
        assert_eq!(walk(&slow, 10, &[1; 9]), [8, 8, 8, 8, 6, 6, 6, 6, 4]);
    }

    #[test]
    fn the_smaller_change_counts_where_that_is_asked_for() {
        let mut up = rules(0, &[(Amount::Count(1), 15), (Amount::Percent(100), 15)]);
        up.largest = false;
        assert_eq!(walk(&(up, defaults().1), 4, &[50; 3]), [5, 6, 7]);
    }

    #[test]
    fn a_direction_without_policies_is_disabled() {
        let fixed = (defaults().0, rules(0, &[]));
        assert_eq!(walk(&fixed, 9, &[1; 3]), [9; 3]);
    }
}
