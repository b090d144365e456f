//! What the values of a profile must satisfy together.
//!
//! Flags check single values when they are set; this is asked once, after all are set, so that their order does not
//! matter. Unwise values (a grace below the heartbeat period, say) are allowed: they are what scenarios are for.
//! Start at [`Profile::validate`].

use super::flags::FlagError;
use super::{ControlPlane, Profile, Restart, Rollout};
use crate::model::Amount;
use crate::time::Span;

impl Profile {
    /// Every contradiction between values.
    pub fn validate(&self) -> Result<(), Vec<FlagError>> {
        let mut reasons = Vec::new();
        let backoffs = [
            ("scheduling back-off", self.queue.initial_backoff, self.queue.max_backoff),
            ("back-off of image pulls", self.agent.pull_backoff, self.agent.pull_backoff_max),
        ];
        for (what, first, longest) in backoffs.into_iter().chain(self.restart_backoff()) {
            if first > longest {
                let (first, longest) = (first.exact(), longest.exact());
                reasons
                    .push(format!("the first {what} is `{first}`, the longest `{longest}`: make the longest longer"));
            }
        }
        let (beat, jitter) = (self.detection.heartbeat, self.detection.heartbeat_jitter);
        if jitter >= beat {
            let (jitter, beat) = (jitter.exact(), beat.exact());
            reasons.push(format!("heartbeats `{beat}` apart cannot vary by `{jitter}`: make the variation shorter"));
        }
        reasons.extend(self.rollout.contradiction());
        reasons.extend(self.control.contradictions());
        if reasons.is_empty() {
            return Ok(());
        }
        Err(reasons.into_iter().map(|reason| FlagError::Inconsistent { reason }).collect())
    }

    fn restart_backoff(&self) -> Option<(&'static str, Span, Span)> {
        match self.restart {
            Restart::InPlace { initial, max, .. } | Restart::Engine { initial, max, .. } => {
                Some(("restart back-off", initial, max))
            }
            Restart::Local(policy) => Some(("restart back-off", policy.initial, policy.max)),
            Restart::Counted(_) | Restart::Replace { .. } => None,
        }
    }
}

impl Rollout {
    fn contradiction(&self) -> Option<String> {
        let Self::Surge { max_surge, max_unavailable, .. } = self else { return None };
        let is_zero = |amount: &Amount| matches!(amount, Amount::Count(0) | Amount::Percent(0));
        if is_zero(max_surge) && is_zero(max_unavailable) {
            return Some("a rollout with no surge and nothing unavailable cannot move: raise one of them".into());
        }
        // Source: kubernetes/kubernetes:pkg/apis/apps/validation/validation.go, `ValidateRollingUpdateDeployment`.
        match max_unavailable {
            Amount::Percent(p) if *p > 100 => Some(format!("`{p}%` cannot be unavailable: write at most `100%`")),
            _ => None,
        }
    }
}

impl ControlPlane {
    fn contradictions(&self) -> impl Iterator<Item = String> + '_ {
        let stuck = self.limits.iter().filter(|limit| limit.qps > 0 && limit.burst == 0);
        stuck.map(|limit| {
            format!("a client with `{}` requests/s and no burst never sends one: raise its burst", limit.qps)
        })
    }
}
