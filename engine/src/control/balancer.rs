//! What the control plane makes of a load balancer that asks the replicas behind it.
//!
//! The balancer is part of the world: it asks by itself, takes failing targets out of traffic by itself, and says when
//! it changes its mind. Here replicas are put on its list when their containers run and taken off before they stop,
//! and its verdicts have the consequences that the profile gives them. Start at [`Control::phase_behind_balancer`].

use crate::control::{Alarm, Control, Cx, PodPhase};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{PodId, WorkloadId};
use crate::message::{Check, Order, OrderKind};
use crate::model::{Exposure, Probe, ProbeRole};
use crate::profile::{Balancer, Consequence, Covers, Newcomer};
use crate::time::{Span, Time};

/// What the balancer is known to think of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Opinion {
    /// It does not ask it.
    #[default]
    Unlisted,
    /// It has not made up its mind.
    None,
    /// It gets traffic.
    Healthy,
    /// It gets none.
    Unhealthy,
}

/// A pod as a target of the balancer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Target {
    pub(super) opinion: Opinion,
    /// What its agent last said of its readiness.
    agent_ready: bool,
    listed: Time,
}

impl Control {
    /// The balancer as it treats a workload's replicas; `None`: it does not ask them.
    fn balancer_of(&self, workload: WorkloadId) -> Option<Balancer> {
        let balancer = self.profile.discovery.balancer.as_ref()?;
        let spec = &self.catalog.workloads[workload];
        let wish = spec.wishes.balanced.as_ref();
        let services = &self.services_of[spec.template];
        let covered = match balancer.covers {
            Covers::Nobody => false,
            Covers::Declared => wish.is_some(),
            Covers::Probed => wish.is_some() || self.probe_of(workload).is_some(),
            Covers::Exposed => {
                let exposed = |s| self.catalog.services[s].exposure == Exposure::LoadBalancer;
                wish.is_some() || services.iter().any(|&s| exposed(s))
            }
            Covers::Services => wish.is_some() || !services.is_empty(),
        };
        let mut own = balancer.clone();
        if let (Covers::Probed, Some(probe)) = (balancer.covers, self.probe_of(workload)) {
            (own.interval, own.timeout) = (probe.period, probe.timeout);
            (own.unhealthy_after, own.healthy_after) = (probe.failure_threshold, probe.success_threshold);
        }
        if let Some(wish) = wish {
            own.interval = wish.interval.unwrap_or(own.interval);
            own.timeout = wish.timeout.unwrap_or(own.timeout);
            own.unhealthy_after = wish.unhealthy_after.unwrap_or(own.unhealthy_after);
            own.healthy_after = wish.healthy_after.unwrap_or(own.healthy_after);
            own.drain = wish.drain.unwrap_or(own.drain);
            own.startup_grace = wish.startup_grace.unwrap_or(own.startup_grace);
        }
        covered.then_some(own)
    }

    /// The probe by which a workload's replicas are asked from outside.
    fn probe_of(&self, workload: WorkloadId) -> Option<Probe> {
        let containers = &self.catalog.templates[self.catalog.workloads[workload].template].containers;
        let role = |role| containers.iter().find_map(|container| container.probe(role)).cloned();
        role(ProbeRole::Readiness).or_else(|| role(ProbeRole::Liveness))
    }

    /// A replica was placed: it may take only so long until it is found well.
    pub(super) fn initializes(&self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        if self.profile.discovery.balancer.as_ref().is_none_or(|balancer| balancer.initializing.is_none()) {
            return;
        }
        let balancer = self.balancer_of(self.pods[pod].workload);
        if let Some(limit) = balancer.and_then(|balancer| balancer.initializing) {
            cx.timers.set(cx.now + limit, cause, Alarm::NeverWell(pod));
        }
    }

    /// A replica should have been found well by now.
    pub(super) fn never_well(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        if self.pods[pod].active() && self.pods[pod].target.opinion != Opinion::Healthy {
            self.pods[pod].target.opinion = Opinion::Unhealthy;
            self.target_failed(cx, cause, pod);
        }
    }

    /// The phase of a pod whose containers run: its agent's word, and the balancer's where that counts. A pod that the
    /// balancer does not know yet is put on its list.
    pub(super) fn phase_behind_balancer(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: (PodId, bool)) -> PodPhase {
        let (pod, ready) = pod;
        let plain = if ready { PodPhase::Ready } else { PodPhase::Running };
        if self.profile.discovery.balancer.is_none() || self.pods[pod].deleting.is_some() {
            return plain;
        }
        let Some(balancer) = self.balancer_of(self.pods[pod].workload) else { return plain };
        let target = &mut self.pods[pod].target;
        target.agent_ready = ready;
        if target.opinion == Opinion::Unlisted {
            let trusted = balancer.newcomer == Newcomer::Trusted;
            target.opinion = if trusted { Opinion::Healthy } else { Opinion::None };
            target.listed = cx.now;
            cx.orders.push(Order { cause, kind: OrderKind::Balance { pod, check: Some(balancer.check()) } });
        }
        let heard = balancer.consequence != Consequence::Nothing;
        if heard && self.pods[pod].target.opinion != Opinion::Healthy { PodPhase::Running } else { plain }
    }

    /// The balancer stops asking a pod, which gets no traffic any more. Returns how long after that it may be stopped.
    pub(super) fn leave_balancer(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) -> Span {
        if self.pods[pod].target.opinion == Opinion::Unlisted {
            return Span::ZERO;
        }
        self.pods[pod].target = Target::default();
        cx.orders.push(Order { cause, kind: OrderKind::Balance { pod, check: None } });
        self.balancer_of(self.pods[pod].workload).map_or(Span::ZERO, |balancer| balancer.drain)
    }

    /// The balancer has changed its mind about a pod.
    pub(super) fn balanced(&mut self, cx: &mut Cx<'_>, cause: FactId, (pod, healthy): (PodId, bool)) {
        let row = &mut self.pods[pod];
        if row.gone || row.target.opinion == Opinion::Unlisted {
            return;
        }
        row.target.opinion = if healthy { Opinion::Healthy } else { Opinion::Unhealthy };
        let (workload, phase, agent_ready) = (row.workload, row.phase, row.target.agent_ready);
        let note = if healthy { Note::TargetHealthy } else { Note::TargetUnhealthy };
        let fact = cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Pod(pod), note });
        self.pods[pod].last_fact = fact;
        let Some(balancer) = self.balancer_of(workload) else { return };
        if balancer.consequence == Consequence::Nothing {
            return;
        }
        match (healthy, phase) {
            (true, PodPhase::Running) if agent_ready => self.set_phase(cx, fact, pod, PodPhase::Ready),
            (false, PodPhase::Ready) => self.set_phase(cx, fact, pod, PodPhase::Running),
            _ => {}
        }
        if !healthy {
            let from = self.pods[pod].target.listed + balancer.startup_grace;
            cx.timers.set(from.max(cx.now), fact, Alarm::TargetFailed(pod));
        }
    }

    /// Replicas of a workload that are ready.
    fn well(&self, workload: WorkloadId) -> u32 {
        self.workloads[workload].revisions.iter().map(|&r| self.revisions[r].tally.ready).sum()
    }

    /// A target failed, and the time is over in which that is overlooked.
    pub(super) fn target_failed(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let row = &self.pods[pod];
        if !row.active() || row.target.opinion != Opinion::Unhealthy {
            return;
        }
        let workload = row.workload;
        let Some(balancer) = self.balancer_of(workload) else { return };
        let rolling = self.workloads[workload].rollout.is_some();
        match balancer.consequence {
            Consequence::Nothing | Consequence::Readiness => {}
            // Source: rancher/cattle:code/iaas/service-discovery/server/src/main/java/io/cattle/platform/
            // servicediscovery/deployment/impl/healthaction/RecreateOnQuorumHealthCheckActionHandler.java.
            Consequence::StopFirstAbove(quorum) if self.well(workload) < quorum => {}
            Consequence::StopFirstAbove(_) => {
                self.delete_pod(cx, (Client::Replication, cause), (pod, Deletion::TargetUnhealthy, None));
            }
            // A rollout has its own bounds for replicas in addition.
            Consequence::StartFirst if !rolling => self.supersede(cx, cause, (pod, Deletion::TargetUnhealthy)),
            Consequence::StartFirst | Consequence::StopFirst => {
                self.delete_pod(cx, (Client::Replication, cause), (pod, Deletion::TargetUnhealthy, None));
            }
        }
    }
}

impl Balancer {
    /// What the balancer is told about a target.
    fn check(&self) -> Check {
        Check {
            interval: self.interval.max(Span::from_millis(1)),
            timeout: self.timeout,
            unhealthy_after: self.unhealthy_after.max(1),
            healthy_after: self.healthy_after.max(1),
            first: match self.newcomer {
                Newcomer::Trusted => 0,
                Newcomer::OnProbation => 1,
                Newcomer::Unproven => self.healthy_after.max(1),
            },
            fail_open: self.fail_open,
        }
    }
}
