//! Flags of storage in Kubernetes: what its controllers wait for, and what the storage system behind them takes.
//!
//! The durations of drivers are assumptions, since no default exists. Start at [`FLAGS`].

use super::{Field, Flag, Kind, field};

/// All of them, in the order of a volume's life.
pub(in crate::profile) const FLAGS: [Flag; 11] = [
    flag!(
        "csi-provision-latency",
        "A storage driver makes a volume in this time.",
        "assumed: what cloud block storage takes; each driver differs",
        Kind::Span,
        storage.provision
    ),
    flag!(
        "csi-attach-latency",
        "A storage driver attaches a volume to a node in this time.",
        "assumed: what cloud block storage takes; each driver differs",
        Kind::Span,
        storage.attach
    ),
    flag!(
        "csi-detach-latency",
        "A storage driver detaches a volume from a node in this time.",
        "assumed: what cloud block storage takes; each driver differs",
        Kind::Span,
        storage.detach
    ),
    flag!(
        "csi-mount-latency",
        "A node mounts the attached volumes of a pod in this time.",
        "assumed: what cloud block storage takes; each driver differs",
        Kind::Span,
        storage.mount
    ),
    flag!(
        "csi-zonal-volumes",
        "Volumes made for a pod that was placed can be reached from its node's zone only.",
        "assumed: block storage of the large clouds is of one zone",
        Kind::Switch,
        storage.zonal
    ),
    flag!(
        "bindTimeoutSeconds",
        "The scheduler gives a placement up whose claims are not bound in this time.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go",
        Kind::PeriodSeconds,
        storage.bind_timeout
    ),
    flag!(
        "volume-bind-poll-period",
        "The scheduler looks in this rhythm whether the claims of a placed pod are bound (a constant).",
        "kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumebinding/binder.go",
        Kind::Period,
        storage.bind_poll
    ),
    flag!(
        "attach-detach-reconcile-period",
        "Volumes are attached and detached on this grid (a constant).",
        "kubernetes/kubernetes:pkg/controller/volume/attachdetach/attach_detach_controller.go",
        Kind::Period,
        storage.reconcile
    ),
    flag!(
        "attach-detach-reconcile-max-wait-for-unmount-duration",
        "A volume that an unhealthy node does not let go of is detached by force after this time.",
        "kubernetes/kubernetes:pkg/controller/volume/attachdetach/attach_detach_controller.go",
        Kind::Span,
        storage.force_detach
    ),
    flag!(
        "pod-attach-and-mount-timeout",
        "A kubelet tells of a pod whose volumes are not mounted after this time (a constant).",
        "kubernetes/kubernetes:pkg/kubelet/volumemanager/volume_manager.go",
        Kind::Span,
        storage.mount_timeout
    ),
    flag!(
        "volume-attached-initial-backoff",
        "First wait of a kubelet that finds a volume not attached; doubles each time (a constant).",
        "kubernetes/kubernetes:pkg/util/goroutinemap/exponentialbackoff/exponential_backoff.go",
        Kind::Period,
        storage.mount_retry
    ),
];
