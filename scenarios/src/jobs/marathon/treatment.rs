//! How apps and pods are treated: back-off, upgrades, silent agents, health checks.
//!
//! What is not written stays unset: the profile has the defaults of its release. Start at [`upgrade`].

use shakedown_engine::model::{
    Amount, Growth, LostWish, Probe, ProbeKind, ProbeRole, RescheduleWish, Strategy, UpdateWish,
};
use shakedown_engine::profile::Wish;
use shakedown_engine::time::Span;

use super::keys;
use crate::jobs::read::{Reader, written};
use crate::text::Node;

/// Waits before a failed instance is launched again.
pub(super) fn backoff(reader: &mut Reader<'_, '_>, node: &Node, names: [&str; 3]) -> RescheduleWish {
    let [delay, factor, most] = names;
    RescheduleWish {
        delay: reader.seconds(node, delay),
        growth: reader.milli(node, factor).map(Growth::Factor),
        max_delay: reader.seconds(node, most),
        ..RescheduleWish::default()
    }
}

/// How updates go.
pub(super) fn upgrade(reader: &mut Reader<'_, '_>, parent: &Node, key: &str) -> (UpdateWish, Strategy) {
    let Some(node) = reader.part(parent, key, &keys::UPGRADE) else {
        return (UpdateWish::default(), Strategy::Default);
    };
    let mut share = |key: &str| {
        let share = reader.milli(node, key)?;
        if share > 1000 {
            let mark = written(node, key).map_or(node.mark, |node| node.mark);
            reader.wrong(mark, format!("`{key}` is above 1"), "expected a number from 0 to 1");
        }
        Some(share.min(1000))
    };
    let (least, most) = (share("minimumHealthCapacity"), share("maximumOverCapacity"));
    let update = UpdateWish { min_health: least, max_over: most, ..UpdateWish::default() };
    (update, strategy(least.unwrap_or(1000), most.unwrap_or(1000)))
}

/// The same as surge and unavailability. Nothing above and nothing below is one above.
/// Source: mesosphere/marathon:src/main/scala/mesosphere/marathon/core/deployment/impl/TaskReplaceActor.scala.
pub(super) fn strategy(least: u32, most: u32) -> Strategy {
    let max_surge = if least == 1000 && most == 0 { Amount::Count(1) } else { Amount::Percent(most / 10) };
    Strategy::RollingUpdate { max_surge, max_unavailable: Amount::Percent((1000 - least) / 10) }
}

/// Silent agents: times, or `"disabled"`.
pub(super) fn unreachable(reader: &mut Reader<'_, '_>, parent: &Node) -> LostWish {
    let Some(node) = written(parent, "unreachableStrategy") else { return LostWish::default() };
    if node.scalar() == Some("disabled") {
        reader.low.asked.note("unreachableStrategy: disabled", Wish::LostReschedule, node.mark);
        return LostWish { reschedule: Some(false), ..LostWish::default() };
    }
    if !reader.keys(node, &keys::UNREACHABLE) {
        return LostWish::default();
    }
    let inactive_after = reader.seconds(node, "inactiveAfterSeconds");
    let expunge_after = reader.seconds(node, "expungeAfterSeconds");
    // Source: the documentation of unreachableStrategy and its validation.
    if inactive_after > expunge_after && expunge_after.is_some() {
        reader.wrong(
            node.mark,
            "`expungeAfterSeconds` is below `inactiveAfterSeconds`".to_owned(),
            "expected what is forgotten later than it is replaced",
        );
    }
    LostWish { inactive_after, expunge_after, ..LostWish::default() }
}

/// Source: mesosphere/marathon:docs/docs/health-checks.md: grace 300 s, interval 60 s, time-out 20 s, 3 failures.
const GRACE: Span = Span::from_secs(300);
const INTERVAL: Span = Span::from_secs(60);
const TIMEOUT: Span = Span::from_secs(20);

/// Probes of a health check: it decides readiness, and life after so many failures in a row.
pub(super) fn probes(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<Probe> {
    const WORDS: [&str; 8] =
        ["HTTP", "HTTPS", "MESOS_HTTP", "MESOS_HTTPS", "TCP", "MESOS_TCP", "COMMAND", "MESOS_COMMAND"];
    let kind = match reader.word(node, "protocol", &WORDS) {
        Some("TCP" | "MESOS_TCP") => ProbeKind::Tcp,
        Some("COMMAND" | "MESOS_COMMAND") => ProbeKind::Exec,
        _ if written(node, "tcp").is_some() => ProbeKind::Tcp,
        _ if written(node, "exec").is_some() => ProbeKind::Exec,
        _ => ProbeKind::Http,
    };
    let grace = reader.seconds(node, "gracePeriodSeconds").unwrap_or(GRACE);
    let period = reader.seconds(node, "intervalSeconds").filter(|span| !span.is_zero()).unwrap_or(INTERVAL);
    let timeout = reader.seconds(node, "timeoutSeconds").filter(|span| !span.is_zero()).unwrap_or(TIMEOUT);
    let delay = reader.seconds(node, "delaySeconds").unwrap_or(Span::ZERO);
    let failures = reader.count(node, "maxConsecutiveFailures").unwrap_or(3);
    let ready = Probe {
        role: ProbeRole::Readiness,
        kind,
        initial_delay: delay,
        period,
        timeout,
        success_threshold: 1,
        failure_threshold: 1,
    };
    // 0: a failing instance is left alone.
    if failures == 0 {
        return vec![ready];
    }
    let live = Probe { role: ProbeRole::Liveness, failure_threshold: failures, ..ready.clone() };
    if grace.is_zero() {
        return vec![ready, live];
    }
    // Failures before the first success do not count until the grace is over.
    let free = grace.as_nanos().div_ceil(period.as_nanos());
    let patience = u32::try_from(free).unwrap_or(u32::MAX).saturating_add(failures);
    let startup = Probe { role: ProbeRole::Startup, failure_threshold: patience, ..ready.clone() };
    vec![ready, live, startup]
}
