//! Policies of a job and its groups: update, restart, reschedule, migrate, disconnect. A group's fields win over its
//! job's.
//!
//! Source: hashicorp/nomad:api/tasks.go, api/jobs.go (Canonicalize). What is not written stays unset: the profile has
//! the defaults. Start at [`update`].

use shakedown_engine::model::{
    Amount, Growth, LostWish, MigrateWish, RescheduleWish, RestartWish, Strategy, Survivor, UpdateWish,
};

use super::keys;
use crate::jobs::read::{Reader, written};
use crate::text::Node;

/// How updates go.
pub(super) fn update(reader: &mut Reader<'_, '_>, parent: &Node) -> UpdateWish {
    let Some(node) = reader.part(parent, "Update", &keys::UPDATE) else { return UpdateWish::default() };
    reader.word(node, "HealthCheck", &["checks", "task_states", "manual"]);
    UpdateWish {
        parallelism: reader.count(node, "MaxParallel"),
        delay: reader.nanos(node, "Stagger"),
        canary: reader.count(node, "Canary"),
        auto_promote: reader.switch(node, "AutoPromote"),
        min_healthy: reader.nanos(node, "MinHealthyTime"),
        healthy_deadline: reader.nanos(node, "HealthyDeadline"),
        progress_deadline: reader.nanos(node, "ProgressDeadline"),
        auto_revert: reader.switch(node, "AutoRevert"),
        ..UpdateWish::default()
    }
}

/// A group's wishes, completed by its job's.
pub(super) fn merged(own: UpdateWish, job: &UpdateWish) -> UpdateWish {
    UpdateWish {
        parallelism: own.parallelism.or(job.parallelism),
        delay: own.delay.or(job.delay),
        canary: own.canary.or(job.canary),
        auto_promote: own.auto_promote.or(job.auto_promote),
        min_healthy: own.min_healthy.or(job.min_healthy),
        healthy_deadline: own.healthy_deadline.or(job.healthy_deadline),
        progress_deadline: own.progress_deadline.or(job.progress_deadline),
        auto_revert: own.auto_revert.or(job.auto_revert),
        ..own
    }
}

/// The same for profiles that count: old ones go first, so many at once; 0 means that the update is not rolling.
pub(super) fn strategy(update: &UpdateWish) -> Strategy {
    match update.parallelism {
        None => Strategy::Default,
        Some(n) => Strategy::RollingUpdate {
            max_surge: Amount::Count(0),
            max_unavailable: if n == 0 { Amount::Percent(100) } else { Amount::Count(n) },
        },
    }
}

/// Restarts on the same node.
pub(super) fn restart(reader: &mut Reader<'_, '_>, parent: &Node) -> Option<RestartWish> {
    let node = reader.part(parent, "RestartPolicy", &keys::RESTART)?;
    Some(RestartWish {
        delay: reader.nanos(node, "Delay"),
        attempts: reader.count(node, "Attempts"),
        window: reader.nanos(node, "Interval"),
        keep_trying: reader.word(node, "Mode", &["fail", "delay"]) == Some("delay"),
    })
}

/// Replacements on other nodes.
pub(super) fn reschedule(reader: &mut Reader<'_, '_>, (job, group): (&Node, &Node)) -> RescheduleWish {
    let own = reader.part(group, "ReschedulePolicy", &keys::RESCHEDULE);
    let own = own.or_else(|| reader.part(job, "Reschedule", &keys::RESCHEDULE));
    let Some(node) = own else { return RescheduleWish::default() };
    let function = reader.word(node, "DelayFunction", &["constant", "exponential", "fibonacci"]);
    RescheduleWish {
        delay: reader.nanos(node, "Delay"),
        growth: function.map(|word| match word {
            "constant" => Growth::Constant,
            "fibonacci" => Growth::Fibonacci,
            _ => Growth::Factor(2_000),
        }),
        max_delay: reader.nanos(node, "MaxDelay"),
        attempts: reader.count(node, "Attempts"),
        interval: reader.nanos(node, "Interval"),
        unlimited: reader.switch(node, "Unlimited"),
    }
}

/// Leaving drained nodes.
pub(super) fn migrate(reader: &mut Reader<'_, '_>, (job, group): (&Node, &Node)) -> MigrateWish {
    let own = reader.part(group, "Migrate", &keys::MIGRATE);
    let own = own.or_else(|| reader.part(job, "Migrate", &keys::MIGRATE));
    let Some(node) = own else { return MigrateWish::default() };
    MigrateWish {
        parallelism: reader.count(node, "MaxParallel"),
        min_healthy: reader.nanos(node, "MinHealthyTime"),
        healthy_deadline: reader.nanos(node, "HealthyDeadline"),
    }
}

/// Silent nodes: `disconnect` of 1.8, and the fields that it took the place of.
pub(super) fn lost(reader: &mut Reader<'_, '_>, group: &Node) -> LostWish {
    let mut wish = LostWish {
        lost_after: reader.nanos(group, "MaxClientDisconnect").filter(|span| !span.is_zero()),
        stop_on_client_after: reader.nanos(group, "StopAfterClientDisconnect").filter(|span| !span.is_zero()),
        ..LostWish::default()
    };
    if reader.switch(group, "PreventRescheduleOnLost") == Some(true) {
        wish.reschedule = Some(false);
    }
    let Some(node) = reader.part(group, "Disconnect", &keys::DISCONNECT) else { return wish };
    wish.lost_after = reader.nanos(node, "LostAfter").filter(|span| !span.is_zero()).or(wish.lost_after);
    wish.stop_on_client_after = reader.nanos(node, "StopOnClientAfter").or(wish.stop_on_client_after);
    wish.replace = reader.switch(node, "Replace");
    let words = ["best_score", "keep_original", "keep_replacement", "longest_running"];
    wish.reconcile = reader.word(node, "Reconcile", &words).map(|word| match word {
        "keep_original" => Survivor::Original,
        "keep_replacement" => Survivor::Replacement,
        "longest_running" => Survivor::LongestRunning,
        _ => Survivor::BestScore,
    });
    // Source: hashicorp/nomad:nomad/structs/group.go: the two exclude each other.
    if let (Some(_), Some(_), Some(at)) =
        (wish.lost_after, wish.stop_on_client_after, written(node, "StopOnClientAfter"))
    {
        reader.wrong(
            at.mark,
            "`StopOnClientAfter` and `LostAfter` exclude each other".to_owned(),
            "expected one of the two",
        );
    }
    wish
}
