//! How autoscalers behave where an object does not say so itself.
//!
//! Start at [`Autoscaling`] for replicas and at [`Machines`] for machines.

use crate::time::Span;

/// Habits of autoscalers of workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// Each looks at its metrics so often.
    pub sync_period: Span,
    /// Deviation in thousandths that is ignored.
    pub tolerance: u32,
    /// Looks back for so long before it shrinks.
    pub downscale_stabilization: Span,
    /// CPU samples of pods younger than this count only if the pod was ready for a whole window.
    pub cpu_initialization_period: Span,
    /// A pod that was not ready so soon after its start, and is not, was never ready.
    pub initial_readiness_delay: Span,
    /// What a sample covers: the resolution of the metrics server.
    pub metric_window: Span,
}

/// Habits of the autoscaler of machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machines {
    /// It looks around so often, while there is anything to look at.
    pub scan_interval: Span,
    /// A node is under-used below these thousandths of what it can give, CPU or memory, whichever is more.
    pub utilization_threshold: u32,
    /// A node must be under-used for so long before it goes.
    pub unneeded_time: Span,
    /// A node that is not healthy must be so for so long before it goes.
    pub unready_time: Span,
    /// Nothing is removed for so long after a machine was added.
    pub delay_after_add: Span,
    /// A machine that has not joined after so long is given back, and its group left alone for a while.
    pub provision_time: Span,
    /// A group whose machine did not come is not asked again for so long; doubles each time.
    pub group_backoff: Span,
    /// Longest such wait.
    pub group_backoff_max: Span,
    /// So many unhealthy nodes are never too many.
    pub ok_unready: u32,
    /// Beyond so many percent of unhealthy nodes it does nothing at all.
    pub max_unready_percent: u32,
    /// Empty machines that are given back at once.
    pub max_empty_at_once: u32,
    /// How long pods of a machine that goes are waited for.
    pub max_termination: Span,
    /// From the taint that closes a machine until it is given back.
    pub delay_after_taint: Span,
}

impl Autoscaling {
    /// As the controller manager of Kubernetes behaves.
    pub(in crate::profile) const fn kubernetes() -> Self {
        Self {
            // Source: kubernetes/kubernetes:pkg/controller/podautoscaler/config/v1alpha1/defaults.go.
            sync_period: Span::from_secs(15),
            tolerance: 100,
            downscale_stabilization: Span::from_secs(300),
            cpu_initialization_period: Span::from_secs(300),
            initial_readiness_delay: Span::from_secs(30),
            // Source: kubernetes-sigs/metrics-server:manifests/base/deployment.yaml, `--metric-resolution=15s`.
            metric_window: Span::from_secs(15),
        }
    }
}

impl Machines {
    /// As the cluster autoscaler behaves.
    pub(in crate::profile) const fn kubernetes() -> Self {
        // Source: kubernetes/autoscaler:cluster-autoscaler/config/flags/flags.go.
        Self {
            scan_interval: Span::from_secs(10),
            utilization_threshold: 500,
            unneeded_time: Span::from_secs(600),
            unready_time: Span::from_secs(1_200),
            delay_after_add: Span::from_secs(600),
            provision_time: Span::from_secs(900),
            group_backoff: Span::from_secs(300),
            group_backoff_max: Span::from_secs(1_800),
            ok_unready: 3,
            max_unready_percent: 45,
            max_empty_at_once: 10,
            max_termination: Span::from_secs(600),
            delay_after_taint: Span::from_secs(5),
        }
    }
}
