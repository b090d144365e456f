//! `healthcheck`: one command that decides readiness and life, as Docker's health does.
//!
//! Docker asks first one interval after the start; a container that never answered well gets `start_period` before
//! failures count. That allowance becomes a startup probe. Source: moby/moby:daemon/health.go. Start at
//! [`Reader::health`].

use shakedown_engine::model::{Probe, ProbeKind, ProbeRole};
use shakedown_engine::time::Span;

use super::amounts::{CHECK, COUNT};
use super::{Reader, keys};
use crate::text::{Node, Value, wrong_type};

/// Source: moby/moby:daemon/health.go, defaultProbeInterval, defaultProbeTimeout.
const DEFAULT_PERIOD: Span = Span::from_secs(30);
/// Source: moby/moby:daemon/health.go, defaultProbeRetries.
const DEFAULT_RETRIES: u32 = 3;

/// Who checks, as `test` says.
enum Test {
    /// A command in the container.
    Command,
    /// Nobody.
    Off,
    /// Whatever the image brings along.
    OfImage,
}

impl Reader<'_, '_> {
    /// The probes of a service.
    pub(super) fn health(&mut self, service: &Node) -> Vec<Probe> {
        let Some(node) = self.part(service, "healthcheck", &keys::HEALTH) else { return Vec::new() };
        let test = self.test(node);
        let disabled = self.word(node, "disable", &["true", "false"]) == Some("true");
        let interval = self.span(node, "interval").unwrap_or(DEFAULT_PERIOD);
        let timeout = self.span(node, "timeout").unwrap_or(DEFAULT_PERIOD);
        let allowance = self.span(node, "start_period");
        let at_start = self.span(node, "start_interval").unwrap_or(interval);
        // Zero means the default, as for the durations.
        let retries = self.amount(node, "retries", &COUNT).filter(|&n| n > 0).unwrap_or(DEFAULT_RETRIES);
        match test {
            _ if disabled => return Vec::new(),
            Test::Off => return Vec::new(),
            Test::OfImage => {
                let why = "without `test` the image's own check is meant, which is not known here";
                self.low.unmodelled.field("healthcheck", why, node.mark);
                return Vec::new();
            }
            Test::Command => {}
        }
        let probe = |role: ProbeRole| Probe {
            role,
            kind: ProbeKind::Exec,
            initial_delay: interval,
            period: interval,
            timeout,
            success_threshold: 1,
            failure_threshold: retries,
        };
        let mut probes = vec![probe(ProbeRole::Readiness), probe(ProbeRole::Liveness)];
        if let Some(allowance) = allowance {
            let failures = patience((allowance, at_start), (interval, retries));
            probes.push(Probe {
                initial_delay: at_start,
                period: at_start,
                failure_threshold: failures,
                ..probe(ProbeRole::Startup)
            });
        }
        probes
    }

    /// A duration; zero counts as absent, as in Docker.
    fn span(&mut self, node: &Node, key: &str) -> Option<Span> {
        self.amount(node, key, &CHECK).filter(|span| !span.is_zero())
    }

    fn test(&mut self, node: &Node) -> Test {
        let Some(test) = node.get("test").filter(|test| !test.is_null()) else { return Test::OfImage };
        let first = match &test.value {
            Value::Scalar { text, .. } if text.is_empty() => return Test::OfImage,
            Value::Scalar { .. } => return Test::Command,
            Value::List(items) if items.is_empty() => return Test::OfImage,
            Value::List(items) => &items[0],
            Value::Map(_) => {
                wrong_type(test, "a command, or a list that begins with `CMD`", self.low.problems);
                return Test::Off;
            }
        };
        match first.scalar() {
            Some("CMD" | "CMD-SHELL") if test.items().len() > 1 => Test::Command,
            Some("NONE") => Test::Off,
            _ => {
                self.low
                    .problems
                    .error("E0204", first.mark, format!("a check cannot begin with {}", first.describe()))
                    .expected("expected `[CMD, COMMAND, ...]`, `[CMD-SHELL, COMMAND]`, `[NONE]` or a text");
                Test::Off
            }
        }
    }
}

/// Failures at the start until the container is unhealthy: those within the allowance do not count, and then it takes
/// the retries at the usual interval.
fn patience((allowance, at_start): (Span, Span), (interval, retries): (Span, u32)) -> u32 {
    let period = at_start.as_nanos();
    let free = allowance.as_nanos().div_ceil(period) - 1;
    let counted = (u128::from(interval.as_nanos()) * u128::from(retries)).div_ceil(u128::from(period));
    u32::try_from(u128::from(free) + counted).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_within_the_allowance_do_not_count() {
        let s = Span::from_secs;
        assert_eq!(patience((s(10), s(30)), (s(30), 3)), 3, "the first check comes after the allowance");
        assert_eq!(patience((s(60), s(30)), (s(30), 3)), 4, "the check at 30 s is free, that at 60 s counts");
        assert_eq!(patience((s(61), s(30)), (s(30), 3)), 5);
        assert_eq!(patience((s(60), s(5)), (s(30), 3)), 11 + 18);
    }
}
