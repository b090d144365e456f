//! Replicas of a job counted by the value of an attribute, during one evaluation, and what spreading makes of it.
//!
//! Counts are those of the evaluation's snapshot, plus what it has placed, less what it has stopped; the last part
//! keeps a habit of the original (see [`Values::combined`]). Start at [`Values::even`] and [`Values::targeted`].
//!
//! Source: hashicorp/nomad:scheduler/feasible/propertyset.go and spread.go.

use std::collections::BTreeMap;

use crate::ids::Symbol;
use crate::model::SpreadWish;

/// Replicas by value.
type Counts = BTreeMap<Symbol, u64>;

/// Replicas by the value of one attribute.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// In the snapshot.
    existing: Counts,
    /// Placed by this evaluation.
    placed: Counts,
    /// Stopped by this evaluation.
    stopped: Counts,
    /// All three together, made once for each choice.
    combined: Option<Counts>,
}

impl Values {
    /// Counts of a snapshot.
    pub(super) fn new(existing: Counts) -> Self {
        Self { existing, ..Self::default() }
    }

    /// The evaluation places a replica.
    pub(super) fn place(&mut self, value: Symbol) {
        self.combined = None;
        *self.placed.entry(value).or_default() += 1;
    }

    /// The evaluation stops a replica.
    pub(super) fn stop(&mut self, value: Symbol) {
        self.combined = None;
        *self.stopped.entry(value).or_default() += 1;
    }

    /// Replicas of each value that has or had one. Of those stopped one is forgotten where a replica was placed, but
    /// never the last: `PopulateProposed` does so, and the recorded scores show it.
    pub(super) fn combined(&mut self) -> &Counts {
        let Self { existing, placed, stopped, combined } = self;
        combined.get_or_insert_with(|| {
            let mut all = existing.clone();
            placed.iter().for_each(|(value, count)| *all.entry(*value).or_default() += count);
            for (value, &count) in stopped.iter() {
                let forgiven = u64::from(count > 1 && placed.contains_key(value));
                if let Some(total) = all.get_mut(value) {
                    *total = total.saturating_sub(count - forgiven);
                }
            }
            all
        })
    }

    /// Replicas of one value.
    pub(super) fn of(&mut self, value: Symbol) -> u64 {
        self.combined().get(&value).copied().unwrap_or(0)
    }

    /// What a node with this value gets when all values are to have as many.
    ///
    /// Source: spread.go, `evenSpreadScoreBoost`.
    pub(super) fn even(&mut self, value: Symbol) -> f64 {
        let counts = self.combined();
        if counts.is_empty() {
            return 0.0;
        }
        let current = counts.get(&value).copied().unwrap_or(0);
        let (mut min, mut max) = (0, 0);
        for &count in counts.values() {
            if min == 0 || count < min {
                min = count;
            }
            if max == 0 || count > max {
                max = count;
            }
        }
        let delta = |from: u64, to: u64| (from as i64 - to as i64) as f64 / min as f64;
        if current != min {
            if min == 0 { -1.0 } else { delta(min, current) }
        } else if min == max {
            -1.0
        } else if min == 0 {
            1.0
        } else {
            delta(max, min)
        }
    }

    /// What a node with this value gets when values have shares.
    ///
    /// Source: spread.go, `Next` and `computeSpreadInfo`.
    pub(super) fn targeted(&mut self, value: Symbol, wish: Wanted<'_>) -> f64 {
        let used = (self.of(value) + 1) as f64;
        let count = f64::from(wish.count);
        let share = |percent: u32| f64::from(percent) / 100.0 * count;
        let named: f64 = wish.spread.targets.iter().map(|target| share(target.1)).sum();
        let own = wish.spread.targets.iter().find(|target| target.0 == value).map(|target| share(target.1));
        let rest = (named > 0.0 && named < count).then_some(count - named);
        let Some(desired) = own.or(rest) else { return -1.0 };
        if desired == 0.0 {
            return *wish.lowest;
        }
        let weight = f64::from(wish.spread.weight) / f64::from(wish.all_weights.max(1));
        let boost = (desired - used) / desired * weight;
        *wish.lowest = wish.lowest.min(boost);
        boost
    }
}

/// A spread with shares.
pub(super) struct Wanted<'a> {
    pub(super) spread: &'a SpreadWish,
    /// Replicas of the job.
    pub(super) count: u32,
    /// Weights of all spreads of the job.
    pub(super) all_weights: u32,
    /// The lowest value given in this evaluation: what a value with a share of nothing gets.
    pub(super) lowest: &'a mut f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Interner;

    fn symbols() -> [Symbol; 3] {
        let mut names = Interner::default();
        ["r0", "r1", "r2"].map(|name| names.intern(name))
    }

    #[test]
    fn even_spread_prefers_the_emptiest_and_punishes_when_all_are_even() {
        let [a, b, c] = symbols();
        let mut values = Values::default();
        assert_eq!(values.even(a), 0.0);
        values.place(a);
        assert_eq!((values.even(a), values.even(b)), (-1.0, 1.0), "one value only counts as even");
        values.place(b);
        values.place(b);
        assert_eq!((values.even(a), values.even(b), values.even(c)), (1.0, -1.0, 1.0));
    }

    #[test]
    fn shares_pull_until_they_are_met() {
        let [a, b, _] = symbols();
        let spread = SpreadWish { attribute: a, weight: 100, targets: vec![(a, 50)] };
        let mut values = Values::new([(a, 1)].into());
        let mut lowest = -1.0;
        let mut get = |values: &mut Values, value| {
            values.targeted(value, Wanted { spread: &spread, count: 4, all_weights: 100, lowest: &mut lowest })
        };
        assert_eq!((get(&mut values, a), get(&mut values, b)), (0.0, 0.5), "what is left is shared by all others");
    }

    #[test]
    fn a_replica_stopped_where_one_is_placed_is_forgotten_but_never_the_last() {
        let [a, b, _] = symbols();
        let mut values = Values::new([(a, 2), (b, 1)].into());
        values.stop(a);
        assert_eq!(values.of(a), 1);
        values.place(a);
        assert_eq!(values.of(a), 2, "one stopped, one placed");
        values.stop(a);
        assert_eq!(values.of(a), 2, "two stopped of three, one of them forgotten");
    }
}
