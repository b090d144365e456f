//! `deploy`: replicas, modes and resources; and the keys of version 2 that say the same.
//!
//! Restarts and updates are in `treatment`, nodes in `placement`. Start at [`Reader::mode`].

use shakedown_engine::model::{Bytes, MilliCpu};

use super::amounts::{COUNT, CPUS, SIZE};
use super::{Reader, keys};
use crate::text::Node;

/// What a container reserves and may use at most.
#[derive(Clone, Copy, Default)]
pub(super) struct Share {
    pub(super) cpu: Option<MilliCpu>,
    pub(super) memory: Option<Bytes>,
    pub(super) cpu_limit: Option<MilliCpu>,
    pub(super) memory_limit: Option<Bytes>,
}

/// How many tasks there are, and whether they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// So many that run for ever.
    Replicated,
    /// One on each node that runs for ever.
    Global,
    /// So many that run to their end.
    ReplicatedJob,
    /// One on each node that runs to its end.
    GlobalJob,
}

impl Reader<'_, '_> {
    /// `deploy.mode`. Source: docker/cli:cli/compose/convert/service.go, convertDeployMode.
    pub(super) fn mode(&mut self, deploy: Option<&Node>) -> Mode {
        let word = deploy
            .and_then(|deploy| self.word(deploy, "mode", &["replicated", "global", "replicated-job", "global-job"]));
        match word {
            Some("global") => Mode::Global,
            Some("replicated-job") => Mode::ReplicatedJob,
            Some("global-job") => Mode::GlobalJob,
            _ => Mode::Replicated,
        }
    }

    /// Wanted replicas.
    pub(super) fn replicas(&mut self, service: &Node, deploy: Option<&Node>) -> u32 {
        let scale = self.amount(service, "scale", &COUNT);
        let own = deploy.and_then(|deploy| self.amount(deploy, "replicas", &COUNT));
        if let (Some(scale), Some(own), Some(node)) = (scale, own, service.get("scale"))
            && scale != own
        {
            self.low
                .problems
                .error("E0207", node.mark, format!("`scale` says {scale}, and `deploy.replicas` says {own}"))
                .expected("expected one of the two");
        }
        let replicas = own.or(scale).unwrap_or(1);
        let place = deploy.and_then(|deploy| deploy.get("replicas")).or_else(|| service.get("scale"));
        self.low.bounded(replicas, place.map_or(service.mark, |node| node.mark));
        replicas
    }

    /// Reservations and limits. Unlike in Kubernetes, a limit reserves nothing.
    pub(super) fn share(&mut self, service: &Node, deploy: Option<&Node>) -> Share {
        let resources = deploy.and_then(|deploy| self.part(deploy, "resources", &keys::RESOURCES));
        let limits = resources.and_then(|node| self.part(node, "limits", &keys::LIMITS));
        let reserved = resources.and_then(|node| self.part(node, "reservations", &keys::RESERVATIONS));
        let old = Share {
            cpu: None,
            memory: self.amount(service, "mem_reservation", &SIZE),
            cpu_limit: self.amount(service, "cpus", &CPUS),
            memory_limit: self.amount(service, "mem_limit", &SIZE),
        };
        // Zero means no limit.
        let share = Share {
            cpu: reserved.and_then(|node| self.amount(node, "cpus", &CPUS)),
            // Classic Swarm, which takes files of version 2, reserves what a container may use at most.
            // Source: docker/swarm:docs/scheduler/strategy.md.
            memory: reserved
                .and_then(|node| self.amount(node, "memory", &SIZE))
                .or(old.memory)
                .or_else(|| old.memory_limit.filter(|limit| self.old && limit.0 > 0)),
            cpu_limit: limits.and_then(|node| self.amount(node, "cpus", &CPUS)).or(old.cpu_limit),
            memory_limit: limits.and_then(|node| self.amount(node, "memory", &SIZE)).or(old.memory_limit),
        };
        let share = Share {
            cpu_limit: share.cpu_limit.filter(|limit| limit.0 > 0),
            memory_limit: share.memory_limit.filter(|limit| limit.0 > 0),
            ..share
        };
        let place = |key: &str| reserved.and_then(|node| node.get(key)).or_else(|| service.get("mem_reservation"));
        for (wrong, key) in [
            (share.cpu_limit.is_some() && share.cpu > share.cpu_limit, "cpus"),
            (share.memory_limit.is_some() && share.memory > share.memory_limit, "memory"),
        ] {
            if wrong {
                let mark = place(key).map_or(service.mark, |node| node.mark);
                self.low
                    .problems
                    .error("E0204", mark, format!("the reservation of `{key}` is above its limit"))
                    .expected("expected at most the limit");
            }
        }
        share
    }
}
