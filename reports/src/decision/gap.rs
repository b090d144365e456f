//! Paired differences and their intervals.
//!
//! The interval is of the median difference, from order statistics alone: it assumes nothing about the distribution,
//! and a replica that never came back is a difference without a number, but with a place in the order. It is the sign
//! test turned around, at 95 %. Start at [`interval`].

use crate::measure::Measured;

/// Fewest seeds with an interval: of five fair coins all agree in one of sixteen, which is more than one in twenty.
pub(super) const FEWEST_SEEDS: usize = 6;

/// A difference between two runs of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// The second arrived, and the first never did.
    OnlySecond,
    /// Second minus first.
    By(i128),
    /// The first arrived, and the second never did.
    OnlyFirst,
}

impl Gap {
    /// The difference of the second to the first; `None` where one has no value at all.
    pub fn between(first: Measured, second: Measured) -> Option<Self> {
        match (first, second) {
            (Measured::Nothing, _) | (_, Measured::Nothing) => None,
            (Measured::Never, Measured::Never) => Some(Self::By(0)),
            (Measured::Never, Measured::Value(_)) => Some(Self::OnlySecond),
            (Measured::Value(_), Measured::Never) => Some(Self::OnlyFirst),
            (Measured::Value(a), Measured::Value(b)) => Some(Self::By(i128::from(b) - i128::from(a))),
        }
    }
}

/// Where the median of paired differences lies, with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// At least so much.
    pub low: Gap,
    /// The median of those seen.
    pub median: Gap,
    /// At most so much.
    pub high: Gap,
    /// Seeds that it is made of.
    pub seeds: u32,
}

impl Interval {
    /// 1: the second is larger; -1: it is smaller; 0: it may be either.
    pub fn side(&self) -> i32 {
        i32::from(self.low > Gap::By(0)) - i32::from(self.high < Gap::By(0))
    }
}

/// The interval of the median, or `None` when there are too few for one.
pub fn interval(gaps: &[Gap]) -> Option<Interval> {
    let mut sorted = gaps.to_vec();
    sorted.sort_unstable();
    let cut = outside(sorted.len())?;
    let last = sorted.len() - 1;
    Some(Interval {
        low: sorted[cut],
        median: sorted[last / 2],
        high: sorted[last - cut],
        seeds: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
    })
}

/// Differences on each side that the interval leaves out: as many as fair coins exceed at most once in forty a side.
fn outside(n: usize) -> Option<usize> {
    if n < FEWEST_SEEDS {
        return None;
    }
    // Far down the probabilities vanish; from there on the normal approximation is as good, and IEEE square roots are exact.
    if n > 1_000 {
        let half_width = 0.98 * (n as f64).sqrt();
        return Some((n as f64 / 2.0 - half_width - 1.0).max(0.0) as usize);
    }
    let mut probability = 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut tail = probability;
    let mut cut = 0;
    while tail <= 0.025 {
        cut += 1;
        probability = probability * (n - cut + 1) as f64 / cut as f64;
        tail += probability;
    }
    cut.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(all: &[i128]) -> Vec<Gap> {
        all.iter().map(|n| Gap::By(*n)).collect()
    }

    /// Tables of the sign test: n = 6: all; n = 10: the second and ninth; n = 20: the sixth and fifteenth.
    #[test]
    fn as_many_are_left_out_as_the_tables_of_the_sign_test_say() {
        assert_eq!([6, 8, 9, 10, 12, 15, 20, 50, 100].map(outside), [0, 0, 1, 1, 2, 3, 5, 17, 39].map(Some));
        assert_eq!(outside(5), None);
    }

    #[test]
    fn the_approximation_takes_over_where_the_tables_end() {
        let (exact, near) = (outside(1_000), outside(1_001));
        assert!(exact.zip(near).is_some_and(|(a, b)| a.abs_diff(b) <= 1), "{exact:?} {near:?}");
    }

    #[test]
    fn six_seeds_that_agree_are_enough_to_take_a_side() {
        let found = interval(&by(&[3, 5, 4, 9, 1, 2])).expect("six are enough");
        assert_eq!((found.low, found.high, found.side()), (Gap::By(1), Gap::By(9), 1));
        assert_eq!(interval(&by(&[-3, -5, -4, -9, 1, -2])).expect("six are enough").side(), 0);
    }

    #[test]
    fn what_never_came_is_larger_than_any_number() {
        let never = Gap::between(Measured::Value(5), Measured::Never).expect("both were measured");
        assert!(never > Gap::By(i128::from(u64::MAX)));
        assert_eq!(interval(&[never; 6]).expect("six are enough").side(), 1);
        assert_eq!(Gap::between(Measured::Never, Measured::Never), Some(Gap::By(0)));
    }
}
