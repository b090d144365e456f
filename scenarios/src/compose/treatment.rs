//! How a service is treated: `restart_policy`, `update_config`, `rollback_config`, and `restart` of version 2.
//!
//! Everything becomes a wish, which profiles with Swarm's mechanisms follow to the letter; what others can do alike
//! becomes their own words, too. Start at [`Reader::update`].

use shakedown_engine::model::{Amount, RestartPolicy, RestartWish, Strategy, UpdateWish};
use shakedown_engine::profile::{FailureAction, SlotOrder, Wish};

use super::amounts::{COUNT, DURATION, RATIO};
use super::{Reader, keys};
use crate::keys::Keys;
use crate::text::Node;

impl Reader<'_, '_> {
    /// What happens to containers that exit. Swarm's default is to restart any.
    pub(super) fn restart(&mut self, service: &Node, deploy: Option<&Node>) -> (RestartPolicy, RestartWish) {
        let policy = deploy.and_then(|deploy| self.part(deploy, "restart_policy", &keys::RESTART));
        let condition = policy.and_then(|policy| self.word(policy, "condition", &["none", "on-failure", "any"]));
        let mut wish = RestartWish::default();
        let word = self.old_restart(service, &mut wish);
        if let Some(policy) = policy {
            wish.delay = self.amount(policy, "delay", &DURATION);
            wish.window = self.amount(policy, "window", &DURATION);
            // 0 is without bound. Source: moby/swarmkit:manager/orchestrator/restart/restart.go, shouldRestart.
            wish.attempts = self.amount(policy, "max_attempts", &COUNT).or(wish.attempts);
        }
        let restart = match condition.or(word) {
            Some("none" | "no") => RestartPolicy::Never,
            Some("on-failure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        };
        (restart, wish)
    }

    /// `restart` of version 2, with the number of `on-failure:N`.
    fn old_restart<'n>(&mut self, service: &'n Node, wish: &mut RestartWish) -> Option<&'n str> {
        let node = self.written(service, "restart");
        let times = node.and_then(Node::scalar).and_then(|text| text.strip_prefix("on-failure:")?.parse().ok());
        if let (Some(node), Some(times)) = (node, times) {
            wish.attempts = Some(times);
            self.low.asked.note("restart: on-failure:N", Wish::RestartAttempts, node.mark);
            return Some("on-failure");
        }
        self.word(service, "restart", &["no", "always", "on-failure", "unless-stopped"])
    }

    /// How updates go, in the words of Swarm.
    pub(super) fn update(&mut self, deploy: Option<&Node>) -> UpdateWish {
        deploy.map_or_else(UpdateWish::default, |deploy| self.steps(deploy, "update_config", &keys::UPDATE))
    }

    /// How the way back goes.
    pub(super) fn rollback(&mut self, deploy: Option<&Node>) -> UpdateWish {
        deploy.map_or_else(UpdateWish::default, |deploy| self.steps(deploy, "rollback_config", &keys::ROLLBACK))
    }

    /// Source: docker/cli:cli/compose/convert/service.go, convertUpdateConfig: without a parallelism it is 1.
    fn steps(&mut self, deploy: &Node, key: &str, keys: &Keys) -> UpdateWish {
        let Some(node) = self.part(deploy, key, keys) else { return UpdateWish::default() };
        let back = key == "rollback_config";
        let actions: &[&str] = if back { &["pause", "continue"] } else { &["pause", "continue", "rollback"] };
        UpdateWish {
            parallelism: Some(self.amount(node, "parallelism", &COUNT).unwrap_or(1)),
            delay: self.amount(node, "delay", &DURATION),
            order: self.word(node, "order", &["stop-first", "start-first"]).map(|word| match word {
                "start-first" => SlotOrder::StartFirst,
                _ => SlotOrder::StopFirst,
            }),
            monitor: self.amount(node, "monitor", &DURATION),
            on_failure: self.word(node, "failure_action", actions).map(|word| match word {
                "continue" => FailureAction::Continue,
                "rollback" => FailureAction::Rollback,
                _ => FailureAction::Pause,
            }),
            max_failure: self.amount(node, "max_failure_ratio", &RATIO),
            ..UpdateWish::default()
        }
    }
}

/// The same as surge and unavailability, for profiles that count.
pub(super) fn strategy(update: &UpdateWish) -> Strategy {
    let Some(at_once) = update.parallelism else { return Strategy::Default };
    // 0 is all at once.
    let step = if at_once == 0 { Amount::Percent(100) } else { Amount::Count(at_once) };
    let none = Amount::Count(0);
    match update.order {
        Some(SlotOrder::StartFirst) => Strategy::RollingUpdate { max_surge: step, max_unavailable: none },
        _ => Strategy::RollingUpdate { max_surge: none, max_unavailable: step },
    }
}
