//! Distributions of measured values, among which some may never have come to an end.
//!
//! Percentiles are nearest-rank on sorted integers: each is a value that was really measured, and none is ever an
//! average of others. Start at [`Distribution`].

use shakedown_chaos::expect::Statistic;

/// Measured values, sorted, and how many never arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    values: Vec<u64>,
    never: u32,
}

/// One value of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// There was nothing to measure.
    Nothing,
    /// This much, in the metric's unit.
    Value(u64),
    /// It had not happened when the run ended: longer than anything measured.
    Never,
}

impl Distribution {
    /// Takes values in any order; `None` stands for what never arrived.
    pub fn new(samples: impl IntoIterator<Item = Option<u64>>) -> Self {
        let mut all = Self::default();
        for sample in samples {
            match sample {
                Some(value) => all.values.push(value),
                None => all.never += 1,
            }
        }
        all.values.sort_unstable();
        all
    }

    /// A single value.
    pub fn single(value: u64) -> Self {
        Self { values: vec![value], never: 0 }
    }

    /// How many there are, those that never arrived included.
    pub fn count(&self) -> u64 {
        self.values.len() as u64 + u64::from(self.never)
    }

    /// How many never arrived.
    pub fn never(&self) -> u32 {
        self.never
    }

    /// The values that did arrive, smallest first.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// True without any sample.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// One value of it.
    pub fn statistic(&self, which: Statistic) -> Measured {
        match which {
            Statistic::Min => self.rank(1),
            Statistic::P50 => self.percentile(50),
            Statistic::P90 => self.percentile(90),
            Statistic::P99 => self.percentile(99),
            Statistic::Max => self.rank(self.count()),
            Statistic::Mean => self.mean(),
        }
    }

    /// Nearest rank: the smallest value that at least `percent` of all do not exceed.
    fn percentile(&self, percent: u64) -> Measured {
        self.rank((self.count() * percent).div_ceil(100))
    }

    /// The value of a rank that counts from 1. What never arrived ranks behind everything that did.
    fn rank(&self, rank: u64) -> Measured {
        if self.is_empty() {
            return Measured::Nothing;
        }
        let index = usize::try_from(rank.max(1) - 1).unwrap_or(usize::MAX);
        self.values.get(index).map_or(Measured::Never, |&value| Measured::Value(value))
    }

    /// The mean, which does not exist when something never arrived.
    fn mean(&self) -> Measured {
        if self.is_empty() {
            Measured::Nothing
        } else if self.never > 0 {
            Measured::Never
        } else {
            let sum: u128 = self.values.iter().map(|&v| u128::from(v)).sum();
            Measured::Value((sum / self.values.len() as u128) as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let d = Distribution::new((1..=10).rev().map(Some));
        let show = |s| d.statistic(s);
        assert_eq!(show(Statistic::Min), Measured::Value(1));
        assert_eq!(show(Statistic::P50), Measured::Value(5));
        assert_eq!(show(Statistic::P90), Measured::Value(9));
        assert_eq!(show(Statistic::P99), Measured::Value(10));
        assert_eq!(show(Statistic::Mean), Measured::Value(5));
    }

    #[test]
    fn what_never_arrived_ranks_last_and_spoils_the_mean() {
        let d = Distribution::new([Some(3), None, Some(1)]);
        assert_eq!(d.statistic(Statistic::P50), Measured::Value(3));
        assert_eq!(d.statistic(Statistic::Max), Measured::Never);
        assert_eq!(d.statistic(Statistic::Mean), Measured::Never);
        assert_eq!(d.never(), 1);
    }

    #[test]
    fn an_empty_distribution_measures_nothing() {
        assert_eq!(Distribution::default().statistic(Statistic::Max), Measured::Nothing);
    }
}
