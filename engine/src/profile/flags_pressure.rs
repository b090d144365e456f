//! Flags of kubelet about node pressure: thresholds, graces, and how long a mark is held.
//!
//! Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};

/// All of them.
pub(in crate::profile) const FLAGS: [Flag; 10] = [
    flag!(
        "minimum-grace-period",
        "Least time between the polite and the forced stop of a container (a constant of kubelet).",
        "kubernetes/kubernetes:pkg/kubelet/kuberuntime/kuberuntime_manager.go",
        Kind::Seconds,
        agent.least_grace
    ),
    flag!(
        "eviction-hard",
        "Amounts below which a pod is evicted at once; replaces all defaults.",
        "kubernetes/kubernetes:pkg/kubelet/eviction/defaults_linux.go",
        Kind::Signals,
        in agent.pressure, Some(policy) => policy.hard
    ),
    flag!(
        "eviction-soft",
        "Amounts below which a pod is evicted after a grace.",
        "kubernetes/kubernetes:cmd/kubelet/app/options/options.go",
        Kind::Signals,
        in agent.pressure, Some(policy) => policy.soft
    ),
    flag!(
        "eviction-soft-grace-period",
        "How long less than each soft amount must be available.",
        "kubernetes/kubernetes:cmd/kubelet/app/options/options.go",
        Kind::Signals,
        in agent.pressure, Some(policy) => policy.soft_grace
    ),
    flag!(
        "eviction-max-pod-grace-period",
        "Time to stop for pods that a soft amount evicts; 0: their own.",
        "kubernetes/kubernetes:pkg/kubelet/pod_workers.go",
        Kind::Seconds,
        in agent.pressure, Some(policy) => policy.max_pod_grace
    ),
    flag!(
        "eviction-hard-grace-period",
        "Time to stop for pods that a hard amount evicts (a constant of kubelet).",
        "kubernetes/kubernetes:pkg/kubelet/eviction/eviction_manager.go",
        Kind::Seconds,
        in agent.pressure, Some(policy) => policy.hard_grace
    ),
    flag!(
        "eviction-pressure-transition-period",
        "A node stays marked for this long after it last ran short.",
        "kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go",
        Kind::Span,
        in agent.pressure, Some(policy) => policy.transition
    ),
    flag!(
        "eviction-minimum-reclaim",
        "So much more than an amount must be available again before it is over.",
        "kubernetes/kubernetes:cmd/kubelet/app/options/options.go",
        Kind::Signals,
        in agent.pressure, Some(policy) => policy.min_reclaim
    ),
    flag!(
        "eviction-monitoring-period",
        "Kubelet looks at its node this often (a constant of kubelet).",
        "kubernetes/kubernetes:pkg/kubelet/kubelet.go",
        Kind::Period,
        in agent.pressure, Some(policy) => policy.period
    ),
    flag!(
        "kernel-memcg-notification",
        "Whether the kernel tells kubelet at once that memory runs short.",
        "kubernetes/kubernetes:pkg/kubelet/eviction/eviction_manager.go",
        Kind::Switch,
        in agent.pressure, Some(policy) => policy.notified
    ),
];
