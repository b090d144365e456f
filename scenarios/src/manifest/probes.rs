//! Probes: how often a container is asked, and what the API server refuses.
//!
//! Defaults: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go. Refusals: pkg/apis/core/validation/validation.go,
//! `validateProbe`, `validateHandler`, `validateLivenessProbe`.

use k8s_openapi::api::core::v1 as core;
use shakedown_engine::model::{Probe, ProbeKind, ProbeRole};
use shakedown_engine::time::Span;

use super::Lowering;
use super::invalid::At;

impl Lowering<'_> {
    /// All probes of a container; broken ones are problems.
    pub(super) fn probes(&mut self, from: &core::Container, at: At<'_>) -> Vec<Probe> {
        let all = [
            (ProbeRole::Startup, "startupProbe", &from.startup_probe),
            (ProbeRole::Liveness, "livenessProbe", &from.liveness_probe),
            (ProbeRole::Readiness, "readinessProbe", &from.readiness_probe),
        ];
        let given = all.into_iter().filter_map(|(role, field, probe)| probe.as_ref().map(|probe| (role, field, probe)));
        let mut out = Vec::new();
        for (role, field, probe) in given {
            out.extend(self.probe(role, field, probe, at));
        }
        out
    }

    fn probe(&mut self, role: ProbeRole, field: &str, from: &core::Probe, at: At<'_>) -> Option<Probe> {
        let kind = self.handler(field, from, at)?;
        let number = |low: &mut Self, name: &str, value: Option<i32>| {
            low.natural(at, &format!("{field}.{name}"), value.unwrap_or(0))
        };
        let or = |value: u32, default: u32| if value == 0 { default } else { value };
        let initial_delay = number(self, "initialDelaySeconds", from.initial_delay_seconds)?;
        let period = or(number(self, "periodSeconds", from.period_seconds)?, 10);
        let timeout = or(number(self, "timeoutSeconds", from.timeout_seconds)?, 1);
        let successes = or(number(self, "successThreshold", from.success_threshold)?, 1);
        let failures = or(number(self, "failureThreshold", from.failure_threshold)?, 3);
        if role != ProbeRole::Readiness && successes != 1 {
            self.invalid(at, &format!("{field}.successThreshold"), &successes.to_string(), "must be 1");
            return None;
        }
        let seconds = |n: u32| Span::from_secs(u64::from(n));
        // Named by field, so that a default of a further one is taken from the model.
        Some(Probe {
            role,
            kind,
            initial_delay: seconds(initial_delay),
            period: seconds(period),
            timeout: seconds(timeout),
            success_threshold: successes,
            failure_threshold: failures,
        })
    }

    /// The only handler of a probe. The first one that is written counts; any other is forbidden.
    fn handler(&mut self, field: &str, from: &core::Probe, at: At<'_>) -> Option<ProbeKind> {
        let all = [
            ("exec", from.exec.is_some(), ProbeKind::Exec),
            ("httpGet", from.http_get.is_some(), ProbeKind::Http),
            ("tcpSocket", from.tcp_socket.is_some(), ProbeKind::Tcp),
            ("grpc", from.grpc.is_some(), ProbeKind::Grpc),
        ];
        let given: Vec<_> = all.into_iter().filter(|(_, given, _)| *given).collect();
        match given.as_slice() {
            [] => {
                self.required(at, field, "must specify a handler type");
                None
            }
            [(_, _, kind)] => Some(*kind),
            [_, others @ ..] => {
                for (name, ..) in others {
                    self.forbidden(at, &format!("{field}.{name}"), "may not specify more than 1 handler type");
                }
                None
            }
        }
    }
}
