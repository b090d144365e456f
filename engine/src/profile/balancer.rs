//! Values of a load balancer that asks the replicas behind it itself.
//!
//! It stands outside of the nodes and shares nothing with their agents: what it finds out, it acts on alone, and some
//! control planes listen to it. The mechanism is in `control/balancer.rs` and in the world. Start at [`Balancer`].

use crate::time::Span;

/// A load balancer that asks its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Whose replicas it asks.
    pub covers: Covers,
    /// Time between two questions to one target.
    pub interval: Span,
    /// An answer may take so long.
    pub timeout: Span,
    /// Failures in a row that take a target out.
    pub unhealthy_after: u32,
    /// Successes in a row that take it in again.
    pub healthy_after: u32,
    /// What a target counts as before it was asked.
    pub newcomer: Newcomer,
    /// A replica that is stopped on purpose is taken out first and stopped so long after that.
    pub drain: Span,
    /// When all targets have failed, all of them get traffic.
    pub fail_open: bool,
    /// What the control plane makes of its verdicts.
    pub consequence: Consequence,
    /// Verdicts on a replica that runs for less than this have no consequence.
    pub startup_grace: Span,
    /// A replica that is not found well within this time after it was placed counts as failing; `None`: it may take for ever.
    pub initializing: Option<Span>,
}

/// Whose replicas a load balancer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// Nobody's.
    Nobody,
    /// Those of workloads that say so.
    Declared,
    /// Those, and those whose containers declare a probe, asked at the pace of that probe.
    Probed,
    /// Those of workloads that say so, and those behind a service of type `LoadBalancer`.
    Exposed,
    /// Those behind any service.
    Services,
}

/// What a target counts as before it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newcomer {
    /// It gets no traffic before its first good answer.
    OnProbation,
    /// It gets no traffic before so many good answers as any other that is to be taken in.
    Unproven,
    /// It gets traffic at once and is taken out by its first bad answer.
    Trusted,
}

/// What a control plane makes of a load balancer's verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing: it does not hear of them.
    Nothing,
    /// A replica is ready only while the balancer finds it well; nothing is replaced.
    Readiness,
    /// In addition a failing one is stopped, and then another started.
    StopFirst,
    /// The same, as long as so many others are well.
    StopFirstAbove(u32),
    /// In addition to its readiness another one is started, and the failing one is stopped when that one is ready.
    StartFirst,
}

impl Balancer {
    /// HAProxy's own habits, without consequences.
    ///
    /// Sources: haproxy/haproxy:doc/configuration.txt, `inter` 2 s, `fall` 3, `rise` 2; the time-out of a check is its
    /// interval when nothing else is said; a server is up when it starts and falls at its first failed check
    /// (haproxy/haproxy:src/server.c, `up, but will fall down at first failure`).
    pub fn haproxy() -> Self {
        Self {
            covers: Covers::Services,
            interval: Span::from_secs(2),
            timeout: Span::from_secs(2),
            unhealthy_after: 3,
            healthy_after: 2,
            newcomer: Newcomer::Trusted,
            drain: Span::ZERO,
            fail_open: false,
            consequence: Consequence::Nothing,
            startup_grace: Span::ZERO,
            initializing: None,
        }
    }
}
