//! Rolling update within a surge and an unavailability, as Kubernetes Deployments do it.
//!
//! One call is one sync of the controller: it either raises the new revision or lowers old ones, never both. It does
//! not scale a workload (see [`super::proportional`]) and knows no progress deadline: that is a matter of time, not of
//! counts. Source of all rules: kubernetes/kubernetes:pkg/controller/deployment/rolling.go. Start at [`next`].

use super::{RevisionState, count, total_wanted};
use crate::ids::RevisionId;
use crate::model::Amount;

/// How far a rollout may leave the wanted number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surge {
    /// Wanted replicas.
    pub replicas: u32,
    /// Replicas above the wanted number.
    pub max_surge: Amount,
    /// Replicas below the wanted number.
    pub max_unavailable: Amount,
    /// When neither leaves room, nothing moves; else one replica may be unavailable.
    pub strict: bool,
}

impl Surge {
    /// Most replicas that may be asked for at once, over all revisions.
    pub fn ceiling(&self) -> u32 {
        self.replicas.saturating_add(self.fenceposts().0)
    }

    /// Fewest replicas that must stay available.
    pub fn floor(&self) -> u32 {
        self.replicas.saturating_sub(self.fenceposts().1)
    }

    fn fenceposts(&self) -> (u32, u32) {
        match fenceposts(self.max_surge, self.max_unavailable, self.replicas) {
            (0, 1) if self.strict => (0, self.max_unavailable.of_rounded_down(self.replicas)),
            bounds => bounds,
        }
    }
}

/// Both bounds in replicas: surge rounded up, unavailability rounded down, never both zero: nothing could move.
///
/// Source: kubernetes/kubernetes:pkg/controller/deployment/util/deployment_util.go, `ResolveFenceposts`.
pub fn fenceposts(max_surge: Amount, max_unavailable: Amount, replicas: u32) -> (u32, u32) {
    match (max_surge.of_rounded_up(replicas), max_unavailable.of_rounded_down(replicas)) {
        (0, 0) => (0, 1),
        bounds => bounds,
    }
}

/// What `new` is created with while `old` revisions hold replicas.
///
/// Kubernetes creates a revision with this count and goes on in the same sync, so that the old revisions are lowered at
/// once: put it into `new.wanted`, then ask [`next`].
pub fn first_wanted(old: &[RevisionState], surge: &Surge) -> u32 {
    raised(0, total_wanted(old), surge)
}

/// The new `wanted` of each revision that changes in this sync. Empty: nothing to do until some count changes.
pub fn next(new: &RevisionState, old: &[RevisionState], surge: &Surge) -> Vec<(RevisionId, u32)> {
    let wanted = match new.wanted {
        n if n >= surge.replicas => surge.replicas,
        n => raised(n, i64::from(n) + total_wanted(old), surge),
    };
    if wanted == new.wanted { lower_old(new, old, surge) } else { vec![(new.id, wanted)] }
}

/// True when the rollout to `new` is over: everything is new, complete and available.
///
/// Source: kubernetes/kubernetes:pkg/controller/deployment/util/deployment_util.go, `DeploymentComplete`.
pub fn complete(new: &RevisionState, old: &[RevisionState], replicas: u32) -> bool {
    let leftovers = old.iter().any(|r| r.active > 0);
    new.active == replicas && new.available == replicas && !leftovers
}

fn raised(wanted: u32, total: i64, surge: &Surge) -> u32 {
    let room = (i64::from(surge.ceiling()) - total).max(0);
    count(i64::from(wanted) + room.min(i64::from(surge.replicas) - i64::from(wanted)))
}

/// Lowers old revisions, oldest first: unhealthy replicas up to the cap, then as many healthy ones as can be spared.
fn lower_old(new: &RevisionState, old: &[RevisionState], surge: &Surge) -> Vec<(RevisionId, u32)> {
    let in_use = total_wanted(old);
    let new_unavailable = i64::from(new.wanted) - i64::from(new.available);
    let cap = in_use + i64::from(new.wanted) - i64::from(surge.floor()) - new_unavailable;
    if in_use == 0 || cap <= 0 {
        return Vec::new();
    }
    let mut lowered = old.to_vec();
    lowered.sort_by_key(|r| r.id);
    if clean_up_unhealthy(&mut lowered, cap) {
        let available: i64 = old.iter().chain([new]).map(|r| i64::from(r.available)).sum();
        lower_healthy(&mut lowered, available - i64::from(surge.floor()));
    }
    let before = |id: RevisionId| old.iter().find(|r| r.id == id).map(|r| r.wanted);
    lowered.iter().filter(|r| before(r.id) != Some(r.wanted)).map(|r| (r.id, r.wanted)).collect()
}

/// Takes up to `cap` unavailable replicas out of `old`. Returns false when a revision has more available replicas than
/// it is asked to have: an earlier step has not reached its pods yet, and the real controller then gives up this sync.
fn clean_up_unhealthy(old: &mut [RevisionState], cap: i64) -> bool {
    let mut left = cap;
    for revision in old.iter_mut().filter(|r| r.wanted > 0) {
        if left <= 0 {
            break;
        }
        if revision.available > revision.wanted {
            return false;
        }
        let unhealthy = i64::from(revision.wanted - revision.available).min(left);
        revision.wanted -= count(unhealthy);
        left -= unhealthy;
    }
    true
}

fn lower_healthy(old: &mut [RevisionState], spare: i64) {
    let mut left = spare.max(0);
    for revision in old {
        let taken = left.min(i64::from(revision.wanted));
        revision.wanted -= count(taken);
        left -= taken;
    }
}

#[cfg(test)]
#[path = "surge_tests.rs"]
mod tests;
