//! How many candidates are compared: a limit, and a few poor ones that are put aside for better ones.
//!
//! Candidates are known by their index in the order looked at. Start at [`choose`].
//!
//! Source: hashicorp/nomad:scheduler/feasible/select.go, `LimitIterator` and `MaxScoreIterator`; stack.go,
//! `skipScoreThreshold` 0 and `maxSkip` 3.

/// A candidate: its index and its total.
pub(super) type Offer = (usize, f64);

/// Candidates up to a limit, poor ones last.
pub(super) struct Limited<S> {
    source: S,
    limit: usize,
    max_skip: usize,
    seen: usize,
    skipped: Vec<Offer>,
    next_skipped: usize,
}

impl<S: FnMut() -> Option<Offer>> Limited<S> {
    /// At most `limit` of what `source` gives.
    pub(super) const fn new(source: S, limit: usize, max_skip: usize) -> Self {
        Self { source, limit, max_skip, seen: 0, skipped: Vec::new(), next_skipped: 0 }
    }

    fn next(&mut self) -> Option<Offer> {
        if self.seen == self.limit {
            return None;
        }
        let mut option = Some(self.next_option()?);
        while let Some(poor) = option.filter(|option| option.1 <= 0.0 && self.skipped.len() < self.max_skip) {
            self.skipped.push(poor);
            option = (self.source)();
        }
        self.seen += 1;
        option.or_else(|| self.next_option())
    }

    fn next_option(&mut self) -> Option<Offer> {
        (self.source)().or_else(|| {
            let poor = self.skipped.get(self.next_skipped).copied()?;
            self.next_skipped += 1;
            Some(poor)
        })
    }

    /// The one with the highest total; of equals the first.
    pub(super) fn best(mut self) -> Option<usize> {
        let mut best: Option<Offer> = None;
        while let Some(option) = self.next() {
            if best.is_none_or(|best| option.1 > best.1) {
                best = Some(option);
            }
        }
        best.map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The choice among these totals, and how many were looked at.
    fn check(totals: &[f64], limit: usize, want: (Option<usize>, usize)) {
        let mut looked = 0;
        let source = || {
            let index = looked;
            looked += usize::from(index < totals.len());
            totals.get(index).map(|&total| (index, total))
        };
        let best = Limited::new(source, limit, 3).best();
        assert_eq!((best, looked), want, "{totals:?}");
    }

    #[test]
    fn the_best_within_the_limit_is_taken() {
        check(&[0.2, 0.4, 0.9], 2, (Some(1), 2));
        check(&[0.4, 0.4, 0.4], 3, (Some(0), 3));
        check(&[], 2, (None, 0));
    }

    #[test]
    fn poor_candidates_are_put_aside_for_up_to_three_more() {
        check(&[-0.1, 0.0, -0.3, 0.1, 0.9], 2, (Some(4), 5));
        check(&[-0.1, -0.1, -0.3, -0.4, 0.5, 0.6], 2, (Some(4), 5));
    }

    #[test]
    fn with_nothing_else_the_poor_ones_are_taken() {
        check(&[-0.5], 3, (Some(0), 1));
        check(&[-0.5, -0.2], 3, (Some(1), 2));
        check(&[-0.5, 0.3], 3, (Some(1), 2));
    }
}
