//! Shares of CPU: weighted, work-conserving, in integers (millionths of a core).
//!
//! Pure arithmetic; who competes with whom is decided in `host`. Start at [`fill`].

/// One core in the unit of this module.
pub(crate) const CORE: u64 = 1_000_000;

/// One competitor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// Its weight against the others.
    pub(crate) weight: u64,
    /// How much it can use at most.
    pub(crate) demand: u64,
}

/// What is left when everybody has its share: how much a competitor could get beyond it for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Everybody is satisfied and this much is idle.
    Spare(u64),
    /// Whoever wants more gets `capacity / weights` for each unit of weight.
    Rate { capacity: u64, weights: u64 },
}

impl Level {
    /// What a competitor with this weight and share would get if it wanted without bound for a moment.
    pub(crate) fn burst(self, weight: u64, share: u64) -> u64 {
        match self {
            Self::Spare(spare) => share + spare,
            Self::Rate { capacity, weights } => proportion(capacity, weight, weights).max(share),
        }
    }
}

/// Water-filling: nobody gets more than it wants, and what it leaves goes to the others by weight.
///
/// A competitor that wants anything gets at least one millionth of a core, so that all work ends some day.
pub(crate) fn fill(capacity: u64, claims: &[Claim], shares: &mut Vec<u64>) -> Level {
    shares.clear();
    shares.resize(claims.len(), 0);
    let mut order: Vec<usize> = (0..claims.len()).filter(|&i| claims[i].demand > 0).collect();
    let thirst = |i: usize| u128::from(claims[i].demand) * (1 << 40) / u128::from(claims[i].weight.max(1));
    order.sort_by_key(|&i| (thirst(i), i));
    let mut left = capacity;
    let mut weights: u64 = order.iter().map(|&i| claims[i].weight.max(1)).sum();
    for (position, &i) in order.iter().enumerate() {
        let fair = proportion(left, claims[i].weight.max(1), weights);
        if claims[i].demand > fair {
            for &j in &order[position..] {
                let fair = proportion(left, claims[j].weight.max(1), weights);
                shares[j] = fair.clamp(1, claims[j].demand);
            }
            return Level::Rate { capacity: left, weights };
        }
        shares[i] = claims[i].demand;
        left -= shares[i];
        weights -= claims[i].weight.max(1);
    }
    Level::Spare(left)
}

/// `amount * part / whole`, rounded down.
pub(crate) fn proportion(amount: u64, part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    match amount.checked_mul(part) {
        // Division of 128 bits costs ten times as much and is hardly ever needed.
        Some(product) => product / whole,
        None => u64::try_from(u128::from(amount) * u128::from(part) / u128::from(whole)).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(capacity: u64, claims: &[(u64, u64)], want: &[u64]) -> Level {
        let claims: Vec<Claim> = claims.iter().map(|&(weight, demand)| Claim { weight, demand }).collect();
        let mut shares = Vec::new();
        let level = fill(capacity, &claims, &mut shares);
        assert_eq!(shares, want);
        level
    }

    #[test]
    fn everybody_is_satisfied_while_there_is_enough() {
        assert_eq!(check(1000, &[(1, 300), (9, 200)], &[300, 200]), Level::Spare(500));
    }

    #[test]
    fn scarce_cpu_goes_by_weight() {
        check(1000, &[(1, 900), (3, 900)], &[250, 750]);
    }

    #[test]
    fn what_one_leaves_goes_to_the_others() {
        let level = check(1000, &[(1, 100), (1, 900), (1, 900)], &[100, 450, 450]);
        assert_eq!(level.burst(1, 100), 450, "the modest one could have as much as the others");
    }

    #[test]
    fn nobody_starves_completely_and_nobody_gets_what_it_does_not_want() {
        check(3, &[(2, 100), (1_000_000, 100), (5, 0)], &[1, 2, 0]);
    }

    #[test]
    fn shares_never_exceed_capacity_when_it_suffices_for_one_each() {
        for capacity in 10..200 {
            let claims: Vec<Claim> = (1..10).map(|i| Claim { weight: i * i, demand: i * 7 }).collect();
            let mut shares = Vec::new();
            let level = fill(capacity, &claims, &mut shares);
            let sum: u64 = shares.iter().sum();
            let wanted: u64 = claims.iter().map(|c| c.demand).sum();
            assert!(sum <= capacity + 9, "{sum} of {capacity}");
            assert!(matches!(level, Level::Spare(_)) == (wanted <= capacity));
        }
    }
}
