//! Flags of Kubernetes' autoscalers: of workloads in the controller manager, of machines in the cluster autoscaler.
//!
//! Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};

const HPA: &str = "kubernetes/kubernetes:pkg/controller/podautoscaler/config/v1alpha1/defaults.go";
const CLUSTER: &str = "kubernetes/autoscaler:cluster-autoscaler/config/flags/flags.go";

macro_rules! hpa {
    ($name:literal, $doc:literal, $source:expr, $kind:expr, $field:ident) => {
        Flag {
            name: $name,
            doc: $doc,
            source: $source,
            kind: $kind,
            get: |profile| profile.autoscaling.as_ref().expect(VARIANT).$field.value($kind),
            set: |profile, value| profile.autoscaling.as_mut().expect(VARIANT).$field = field(value),
        }
    };
}

macro_rules! cluster {
    ($name:literal, $doc:literal, $kind:expr, $field:ident) => {
        Flag {
            name: $name,
            doc: $doc,
            source: CLUSTER,
            kind: $kind,
            get: |profile| profile.machines.as_ref().expect(VARIANT).$field.value($kind),
            set: |profile, value| profile.machines.as_mut().expect(VARIANT).$field = field(value),
        }
    };
}

/// All of them.
pub(in crate::profile) const FLAGS: [Flag; 17] = [
    hpa!(
        "horizontal-pod-autoscaler-sync-period",
        "Each autoscaler looks at its metrics so often.",
        HPA,
        Kind::Period,
        sync_period
    ),
    hpa!(
        "horizontal-pod-autoscaler-tolerance",
        "Deviation from the target that is ignored.",
        HPA,
        Kind::Share,
        tolerance
    ),
    hpa!(
        "horizontal-pod-autoscaler-downscale-stabilization",
        "Time for which autoscalers look back before they shrink, unless they say so themselves.",
        HPA,
        Kind::Span,
        downscale_stabilization
    ),
    hpa!(
        "horizontal-pod-autoscaler-cpu-initialization-period",
        "CPU samples of pods younger than this count only after a window of readiness.",
        HPA,
        Kind::Span,
        cpu_initialization_period
    ),
    hpa!(
        "horizontal-pod-autoscaler-initial-readiness-delay",
        "A pod that is not ready and was not so soon after its start was never ready.",
        HPA,
        Kind::Span,
        initial_readiness_delay
    ),
    hpa!(
        "metric-resolution",
        "What a sample of a pod's use covers.",
        "kubernetes-sigs/metrics-server:manifests/base/deployment.yaml",
        Kind::Period,
        metric_window
    ),
    cluster!("scan-interval", "The cluster autoscaler looks around so often.", Kind::Period, scan_interval),
    cluster!(
        "scale-down-utilization-threshold",
        "Share of a node's CPU or memory that is requested, below which the node is under-used.",
        Kind::Share,
        utilization_threshold
    ),
    cluster!(
        "scale-down-unneeded-time",
        "A node must be under-used for so long before it goes.",
        Kind::Span,
        unneeded_time
    ),
    cluster!(
        "scale-down-unready-time",
        "An unhealthy node must be unneeded for so long before it goes.",
        Kind::Span,
        unready_time
    ),
    cluster!(
        "scale-down-delay-after-add",
        "No machine is given back for so long after one was added.",
        Kind::Span,
        delay_after_add
    ),
    cluster!(
        "max-node-provision-time",
        "A machine that has not joined after so long is given back.",
        Kind::Span,
        provision_time
    ),
    cluster!(
        "initial-node-group-backoff-duration",
        "A group whose machine did not come is not asked again for so long; doubles each time.",
        Kind::Span,
        group_backoff
    ),
    cluster!(
        "ok-total-unready-count",
        "So many unhealthy nodes do not stop the cluster autoscaler.",
        Kind::Count,
        ok_unready
    ),
    cluster!(
        "max-total-unready-percentage",
        "Beyond this share of unhealthy nodes the cluster autoscaler does nothing.",
        Kind::Percent,
        max_unready_percent
    ),
    cluster!("max-empty-bulk-delete", "Empty machines that are given back at once.", Kind::Positive, max_empty_at_once),
    cluster!(
        "node-delete-delay-after-taint",
        "Time from the taint that closes a machine until it is given back.",
        Kind::Span,
        delay_after_taint
    ),
];
