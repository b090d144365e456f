//! How long storage takes, and how patient its controllers are.
//!
//! The patience is Kubernetes' own; the durations are those of a storage system and stated assumptions, since no default
//! exists. Start at [`StoragePolicy`].

use crate::time::Span;

/// Durations of storage and of its controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoragePolicy {
    /// A driver makes a volume in so long.
    pub provision: Span,
    /// A driver attaches a volume in so long.
    pub attach: Span,
    /// A driver detaches a volume in so long.
    pub detach: Span,
    /// An agent mounts a pod's attached volumes in so long.
    pub mount: Span,
    /// Volumes made for a node's pod can be reached from that node's zone only.
    pub zonal: bool,
    /// The controller that attaches acts on this grid.
    pub reconcile: Span,
    /// A volume that an unhealthy node does not let go of is detached by force after so long.
    pub force_detach: Span,
    /// An agent tells of a pod whose volumes are not there after so long.
    pub mount_timeout: Span,
    /// First wait of an agent that finds a volume not attached; doubles each time.
    pub mount_retry: Span,
    /// Longest such wait.
    pub mount_retry_max: Span,
    /// The scheduler looks on this grid whether the claims of a placed pod are bound.
    pub bind_poll: Span,
    /// It gives the placement up after so long.
    pub bind_timeout: Span,
}

impl StoragePolicy {
    /// As Kubernetes behaves, with a cloud's block storage behind it.
    pub(in crate::profile) const fn kubernetes() -> Self {
        Self {
            // Assumed: what cloud block storage typically takes. No default exists; each has a flag.
            provision: Span::from_secs(3),
            attach: Span::from_secs(3),
            detach: Span::from_secs(5),
            mount: Span::from_secs(1),
            // Block storage of the large clouds is of one zone; their drivers write the zone into the volume.
            zonal: true,
            // Source: kubernetes/kubernetes:pkg/controller/volume/attachdetach/attach_detach_controller.go,
            // `DefaultTimerConfig`.
            reconcile: Span::from_millis(100),
            force_detach: Span::from_secs(360),
            // Source: kubernetes/kubernetes:pkg/kubelet/volumemanager/volume_manager.go, `podAttachAndMountTimeout`.
            mount_timeout: Span::from_secs(123),
            // Source: kubernetes/kubernetes:pkg/util/goroutinemap/exponentialbackoff/exponential_backoff.go.
            mount_retry: Span::from_millis(500),
            mount_retry_max: Span::from_secs(122),
            // Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumebinding/binder.go, `BindPodVolumes`.
            bind_poll: Span::from_secs(1),
            // Source: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go, `BindTimeoutSeconds`.
            bind_timeout: Span::from_secs(600),
        }
    }
}
