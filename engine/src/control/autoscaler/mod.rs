//! Autoscalers of workloads: each looks at its pods' use at a fixed period and asks for other replicas.
//!
//! The arithmetic is in [`crate::scaling`]; here pods are gathered, the world is asked what they use, and what comes of it
//! is written. Source: kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go, `reconcileAutoscaler`. Start at
//! [`Control::autoscale`].

use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, FactId, FactKind, Note, Subject};
use crate::ids::{AutoscalerId, PodId, WorkloadId};
use crate::message::{Order, OrderKind, Usage};
use crate::model::MetricTarget;
use crate::profile::Autoscaling;
use crate::scaling::limits::{Habits, Memory};
use crate::scaling::replicas::{Aim, Question, Sample, Youth, recommend};

/// What an autoscaler remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct AutoscalerRow {
    memory: Memory,
    /// What it last complained about.
    complaint: Option<Note>,
}

/// What all metrics of an autoscaler say together.
struct Advice {
    /// The most that any of them asks for.
    wanted: Option<u32>,
    /// Some say nothing.
    gaps: bool,
}

impl Control {
    /// Autoscalers wake for the first time a period after they were created.
    pub(super) fn begin_autoscalers(&mut self, cx: &mut Cx<'_>) {
        let Some(policy) = &self.profile.autoscaling else { return };
        for autoscaler in self.catalog.autoscalers.ids() {
            cx.timers.set(cx.now + policy.sync_period, FactId::NONE, Alarm::Autoscale(autoscaler));
        }
    }

    /// An autoscaler looks: it asks what its pods use, unless something simpler decides already.
    pub(super) fn autoscale(&mut self, cx: &mut Cx<'_>, autoscaler: AutoscalerId) {
        let Some(policy) = &self.profile.autoscaling else { return };
        cx.timers.set(cx.now + policy.sync_period, FactId::NONE, Alarm::Autoscale(autoscaler));
        let spec = &self.catalog.autoscalers[autoscaler];
        let Some(workload) = spec.target.filter(|&target| self.workloads[target].exists) else {
            return self.complain(cx, autoscaler, Note::FailedGetScale);
        };
        let current = self.workloads[workload].desired;
        let (min, max) = (spec.min, spec.max);
        if current == 0 && min > 0 {
            return; // Scaled to nothing by hand: it stands aside.
        }
        if current > max || current < min.max(1) {
            return self.ask_for(cx, autoscaler, current.clamp(min.max(1), max));
        }
        let cause = self.workloads[workload].cause;
        let pods = self.pods_of(workload);
        cx.orders.push(Order { cause, kind: OrderKind::Measure { autoscaler, pods } });
    }

    /// Pods of a workload that are not gone, in id order.
    fn pods_of(&self, workload: WorkloadId) -> Vec<PodId> {
        let revisions = self.workloads[workload].revisions.iter();
        let mut pods: Vec<PodId> = revisions.flat_map(|&r| self.revisions[r].pods.iter().copied()).collect();
        pods.sort_unstable();
        pods
    }

    /// The world's answer.
    pub(super) fn measured(&mut self, cx: &mut Cx<'_>, _cause: FactId, autoscaler: AutoscalerId, usage: &[Usage]) {
        let profile = std::sync::Arc::clone(&self.profile);
        let catalog = std::sync::Arc::clone(&self.catalog);
        let Some(policy) = &profile.autoscaling else { return };
        let spec = &catalog.autoscalers[autoscaler];
        let Some(workload) = spec.target.filter(|&target| self.workloads[target].exists) else { return };
        let current = self.workloads[workload].desired;
        let advice = self.advice(cx, (autoscaler, policy), (workload, usage));
        let wanted = match advice.wanted {
            Some(wanted) if !advice.gaps || wanted >= current => wanted,
            // With a metric missing the others may only ask for more.
            _ => return self.complain(cx, autoscaler, Note::FailedGetMetrics),
        };
        let habits = Habits {
            plain: spec.plain,
            up: &spec.up,
            down: &spec.down,
            down_window: policy.downscale_stabilization,
            min: spec.min,
            max: spec.max,
        };
        let row = &mut self.autoscalers[autoscaler];
        row.complaint = None;
        let to = row.memory.settle(&habits, (current, wanted), cx.now);
        if to != current {
            row.memory.moved(&habits, (current, to), cx.now);
            self.ask_for(cx, autoscaler, to);
        }
    }

    fn advice(
        &self,
        cx: &Cx<'_>,
        (autoscaler, policy): (AutoscalerId, &Autoscaling),
        (workload, usage): (WorkloadId, &[Usage]),
    ) -> Advice {
        let spec = &self.catalog.autoscalers[autoscaler];
        let current = self.workloads[workload].desired;
        let own = |rules: Option<u32>| rules.unwrap_or(policy.tolerance);
        let tolerance = (own(spec.down.tolerance), own(spec.up.tolerance));
        let pods = self.pods_of(workload);
        let mut advice = Advice { wanted: None, gaps: false };
        for &metric in &spec.metrics {
            let samples: Option<Vec<Sample>> = pods.iter().map(|&pod| self.sample(pod, metric, usage)).collect();
            let recommended = aim(metric).zip(samples).and_then(|(aim, samples)| {
                let cpu = matches!(metric, MetricTarget::CpuUtilization(_) | MetricTarget::CpuAverage(_));
                let youth = cpu.then_some(Youth {
                    initialization: policy.cpu_initialization_period,
                    readiness_delay: policy.initial_readiness_delay,
                    window: policy.metric_window,
                });
                recommend(&Question { pods: &samples, aim, youth, current, tolerance, now: cx.now })
            });
            match recommended {
                Some(wanted) => advice.wanted = advice.wanted.max(Some(wanted)),
                None => advice.gaps = true,
            }
        }
        advice
    }

    /// A pod as a metric sees it; `None` when it does not request what is to be compared with.
    fn sample(&self, pod: PodId, metric: MetricTarget, usage: &[Usage]) -> Option<Sample> {
        let row = &self.pods[pod];
        let template = &self.catalog.templates[row.template];
        let used = usage.binary_search_by_key(&pod, |u| u.pod).ok().map(|i| &usage[i]);
        let sidecars = template.init.iter().filter(|container| container.sidecar);
        let mut containers = template.containers.iter().chain(sidecars);
        let (used, request) = match metric {
            MetricTarget::CpuUtilization(_) => {
                if containers.clone().any(|c| c.requests.cpu.0 == 0) {
                    return None; // `missing request for cpu`
                }
                (used.map(|u| u.cpu), containers.map(|c| c.requests.cpu.0).sum())
            }
            MetricTarget::MemoryUtilization(_) => {
                if containers.any(|c| c.requests.memory.0 == 0) {
                    return None;
                }
                (used.map(|u| u.memory), template.requests.memory.0)
            }
            MetricTarget::CpuAverage(_) => (used.map(|u| u.cpu), 0),
            MetricTarget::MemoryAverage(_) => (used.map(|u| u.memory), 0),
            MetricTarget::RequestsPerPod(_) => (used.map(|u| u.requests), 0),
            MetricTarget::Missing => (None, 0),
        };
        let pending = row.node.is_none() || matches!(row.phase, PodPhase::Starting);
        Some(Sample {
            used,
            request,
            pending,
            leaving: row.deleting.is_some(),
            ready: row.phase == PodPhase::Ready,
            started: row.bound_at,
            turned: row.turned.max(row.bound_at),
        })
    }

    fn ask_for(&mut self, cx: &mut Cx<'_>, autoscaler: AutoscalerId, replicas: u32) {
        let cause = self.catalog.autoscalers[autoscaler].target.map_or(FactId::NONE, |w| self.workloads[w].cause);
        self.write(cx, Client::Autoscaler, cause, Write::Autoscale { autoscaler, replicas });
    }

    /// The store has an autoscaler's wish.
    pub(super) fn autoscaled(&mut self, cx: &mut Cx<'_>, cause: FactId, autoscaler: AutoscalerId, replicas: u32) {
        let Some(workload) = self.catalog.autoscalers[autoscaler].target else { return };
        let from = self.workloads[workload].desired;
        if from == replicas || !self.workloads[workload].exists {
            return;
        }
        let fact = cx.facts.record(cx.now, cause, FactKind::AutoscalerMoved { autoscaler, from, to: replicas });
        self.scale(cx, fact, workload, replicas);
    }

    /// Says what is missing, once until it is well again.
    fn complain(&mut self, cx: &mut Cx<'_>, autoscaler: AutoscalerId, note: Note) {
        if self.autoscalers[autoscaler].complaint.replace(note) != Some(note) {
            let subject = Subject::Autoscaler(autoscaler);
            cx.facts.record(cx.now, FactId::NONE, FactKind::Noted { subject, note });
        }
    }
}

fn aim(metric: MetricTarget) -> Option<Aim> {
    match metric {
        MetricTarget::CpuUtilization(percent) | MetricTarget::MemoryUtilization(percent) => {
            Some(Aim::Utilization(percent))
        }
        MetricTarget::CpuAverage(n) | MetricTarget::MemoryAverage(n) | MetricTarget::RequestsPerPod(n) => {
            Some(Aim::Average(n))
        }
        MetricTarget::Missing => None,
    }
}
