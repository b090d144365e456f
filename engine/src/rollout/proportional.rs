//! Scaling a workload, also in the middle of a rollout or while it is paused.
//!
//! With one active revision that one gets the new number. With several, each keeps its share, so that a risky rollout
//! does not become riskier by scaling. It moves no replica from old to new: [`super::surge`] does.
//! Source: kubernetes/kubernetes:pkg/controller/deployment/sync.go, `scale`. Start at [`scale`].

use std::cmp::Reverse;

use super::{RevisionState, count, total_wanted};
use crate::ids::RevisionId;

/// A change of the wanted number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// Wanted replicas from now on.
    pub replicas: u32,
    /// The wanted number that the revisions were last scaled for (annotation `desired-replicas`).
    pub replicas_before: u32,
    /// The number with surge that the revisions were last scaled for (annotation `max-replicas`).
    pub max_before: u32,
    /// Replicas above the wanted number that a rolling update may use. `None`: the workload does not roll.
    pub surge: Option<u32>,
}

/// The new `wanted` of each revision that changes. `new` is `None` when the newest template has no revision yet, which
/// happens while a rollout is paused.
pub fn scale(new: Option<&RevisionState>, old: &[RevisionState], scaling: &Scaling) -> Vec<(RevisionId, u32)> {
    let active: Vec<RevisionState> = old.iter().chain(new).filter(|r| r.wanted > 0).copied().collect();
    let latest = || new.or_else(|| old.iter().max_by_key(|r| r.id)).copied();
    let changed = match active.as_slice() {
        [] => latest().map(|r| (r, scaling.replicas)).into_iter().collect(),
        [only] => vec![(*only, scaling.replicas)],
        _ if new.is_some_and(|n| saturated(n, scaling)) => {
            active.iter().filter(|r| new.is_none_or(|n| n.id != r.id)).map(|r| (*r, 0)).collect()
        }
        several => scaling.surge.map(|surge| shares(several, surge, scaling)).unwrap_or_default(),
    };
    changed.into_iter().filter(|(r, wanted)| r.wanted != *wanted).map(|(r, wanted)| (r.id, wanted)).collect()
}

fn saturated(new: &RevisionState, scaling: &Scaling) -> bool {
    let full = scaling.replicas;
    scaling.replicas_before == full && new.wanted == full && new.available == full
}

/// Every revision's share of the new total. What rounding leaves over goes to the largest.
fn shares(active: &[RevisionState], surge: u32, scaling: &Scaling) -> Vec<(RevisionState, u32)> {
    let allowed = if scaling.replicas == 0 { 0 } else { i64::from(scaling.replicas) + i64::from(surge) };
    let to_add = allowed - total_wanted(active);
    if to_add == 0 {
        return Vec::new();
    }
    let mut sorted = active.to_vec();
    // Of two revisions of one size the newer one grows and the older one shrinks first.
    sorted.sort_by_key(|r| (Reverse(r.wanted), i64::from(r.id.0) * -to_add.signum()));
    let mut left = to_add;
    let mut sized: Vec<(RevisionState, i64)> = Vec::with_capacity(sorted.len());
    for revision in sorted {
        let share = fraction(revision.wanted, allowed, scaling);
        let share = match left {
            0 => 0,
            _ if to_add > 0 => share.min(left),
            _ => share.max(left),
        };
        left -= share;
        sized.push((revision, i64::from(revision.wanted) + share));
    }
    sized[0].1 = (sized[0].1 + left).max(0);
    sized.into_iter().map(|(revision, wanted)| (revision, count(wanted))).collect()
}

/// How much a revision of `wanted` replicas grows so that its share stays the same, rounded half up.
fn fraction(wanted: u32, allowed: i64, scaling: &Scaling) -> i64 {
    let wanted = i64::from(wanted);
    let before = i64::from(scaling.max_before);
    if scaling.replicas == 0 {
        return -wanted;
    }
    if before == 0 {
        return 0;
    }
    (2 * wanted * allowed + before) / (2 * before) - wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(id: u32, wanted: u32, available: u32) -> RevisionState {
        RevisionState { wanted, active: wanted, ready: available, available, ..RevisionState::empty(RevisionId(id)) }
    }

    fn check(revisions: &[(u32, u32)], scaling: Scaling, want: &[(u32, u32)]) {
        let all: Vec<_> = revisions.iter().map(|&(id, wanted)| revision(id, wanted, wanted)).collect();
        let (new, old) = all.split_last().expect("every case has a revision");
        let mut got = scale(Some(new), old, &scaling);
        got.sort();
        let want: Vec<_> = want.iter().map(|&(id, wanted)| (RevisionId(id), wanted)).collect();
        assert_eq!(got, want, "{revisions:?} {scaling:?}");
    }

    fn rolling(from: (u32, u32), to: (u32, u32)) -> Scaling {
        Scaling { replicas: to.0, replicas_before: from.0, max_before: from.1, surge: Some(to.1 - to.0) }
    }

    /// Recorded on 1.36.2: paused at 8 old and 5 new of 10 (at most 13), scaled to 20 (at most 25).
    #[test]
    fn shares_stay_when_a_paused_rollout_grows() {
        check(&[(1, 8), (2, 5)], rolling((10, 13), (20, 25)), &[(1, 15), (2, 10)]);
    }

    #[test]
    fn shares_stay_when_a_rollout_shrinks() {
        check(&[(1, 15), (2, 10)], rolling((20, 25), (10, 13)), &[(1, 8), (2, 5)]);
        check(&[(1, 8), (2, 5)], rolling((10, 13), (5, 7)), &[(1, 4), (2, 3)]);
    }

    #[test]
    fn what_rounding_leaves_goes_to_the_largest_and_of_equals_to_the_newer() {
        check(&[(1, 3), (2, 3), (3, 3)], rolling((9, 9), (10, 10)), &[(3, 4)]);
        check(&[(1, 3), (2, 3), (3, 3)], rolling((9, 9), (8, 8)), &[(1, 2)]);
    }

    #[test]
    fn a_single_active_revision_gets_the_number_itself() {
        check(&[(1, 0), (2, 10)], rolling((10, 13), (30, 38)), &[(2, 30)]);
        check(&[(1, 10), (2, 0)], rolling((10, 13), (4, 5)), &[(1, 4)]);
        check(&[(1, 0), (2, 0)], rolling((0, 0), (4, 5)), &[(2, 4)]);
        assert_eq!(
            scale(None, &[revision(1, 0, 0), revision(2, 0, 0)], &rolling((0, 0), (3, 4))),
            [(RevisionId(2), 3)]
        );
    }

    #[test]
    fn zero_replicas_empty_every_revision() {
        check(&[(1, 8), (2, 5)], rolling((10, 13), (0, 0)), &[(1, 0), (2, 0)]);
    }

    #[test]
    fn a_full_new_revision_ends_the_old_ones() {
        check(&[(1, 2), (2, 10)], rolling((10, 13), (10, 13)), &[(1, 0)]);
        // Not yet scaled for: the equal number is a coincidence, and shares are kept.
        check(&[(1, 15), (2, 10)], rolling((20, 25), (10, 13)), &[(1, 8), (2, 5)]);
    }

    #[test]
    fn a_workload_that_does_not_roll_keeps_its_counts_while_two_revisions_are_active() {
        check(&[(1, 6), (2, 4)], Scaling { surge: None, ..rolling((6, 6), (12, 12)) }, &[]);
    }
}
