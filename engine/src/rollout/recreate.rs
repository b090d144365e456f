//! Recreate: every old replica goes before the first new one comes.
//!
//! It accepts an outage in exchange for never running two versions at once. One call is one sync of the controller.
//! Source: kubernetes/kubernetes:pkg/controller/deployment/recreate.go. Start at [`next`].

use super::RevisionState;
use crate::ids::RevisionId;

/// The new `wanted` of each revision that changes in this sync. Empty: old replicas are still on their way out, or all
/// is done. `new` is `None` before the new revision exists; see [`may_start`].
pub fn next(new: Option<&RevisionState>, old: &[RevisionState], replicas: u32) -> Vec<(RevisionId, u32)> {
    let stopping: Vec<_> = old.iter().filter(|r| r.wanted > 0).map(|r| (r.id, 0)).collect();
    if !stopping.is_empty() {
        return stopping;
    }
    match new {
        Some(new) if may_start(old) && new.wanted != replicas => vec![(new.id, replicas)],
        _ => Vec::new(),
    }
}

/// True when no old replica runs any more, not even one that is terminating: only then the new revision is created.
pub fn may_start(old: &[RevisionState]) -> bool {
    old.iter().all(|r| r.wanted == 0 && r.active == 0 && r.terminating == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: RevisionId = RevisionId(1);
    const NEW: RevisionId = RevisionId(2);

    fn old(wanted: u32, active: u32, terminating: u32) -> RevisionState {
        RevisionState { wanted, active, terminating, ready: active, available: active, ..RevisionState::empty(OLD) }
    }

    /// Recorded on 1.36.2 (6 replicas): old to 0 at 0.01 s, new revision with 6 only when the last old pod is gone.
    #[test]
    fn new_replicas_wait_until_the_last_old_one_is_gone() {
        let new = RevisionState::empty(NEW);
        assert_eq!(next(Some(&new), &[old(6, 6, 0)], 6), [(OLD, 0)]);
        assert_eq!(next(Some(&new), &[old(0, 6, 0)], 6), []);
        assert_eq!(next(Some(&new), &[old(0, 0, 6)], 6), []);
        assert_eq!(next(Some(&new), &[old(0, 0, 1)], 6), []);
        assert_eq!(next(Some(&new), &[old(0, 0, 0)], 6), [(NEW, 6)]);
        assert_eq!(next(Some(&RevisionState { wanted: 6, ..new }), &[old(0, 0, 0)], 6), []);
    }

    #[test]
    fn all_old_revisions_stop_in_one_sync() {
        let older = RevisionState { id: RevisionId(0), ..old(2, 2, 0) };
        assert_eq!(next(None, &[older, old(4, 4, 0)], 6), [(RevisionId(0), 0), (OLD, 0)]);
        assert!(!may_start(&[older, old(0, 0, 0)]));
    }
}
