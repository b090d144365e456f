//! Flags of Kubernetes' control plane: instances, elections, limits of the API server, admission, evictions.
//!
//! Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};

/// All of them, from the outside in.
pub(in crate::profile) const FLAGS: [Flag; 23] = [
    flag!(
        "kube-apiserver.replicas",
        "Instances of the API server.",
        "kubernetes/website:content/en/docs/setup/production-environment/tools/kubeadm/ha-topology.md",
        Kind::Positive,
        control.machine.api_servers
    ),
    flag!(
        "max-requests-inflight",
        "Reads that one API server serves at once.",
        "kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/server/config.go",
        Kind::Positive,
        control.machine.api_server.max_inflight
    ),
    flag!(
        "max-mutating-requests-inflight",
        "Writes that one API server serves at once.",
        "kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/server/config.go",
        Kind::Positive,
        control.machine.api_server.max_mutating_inflight
    ),
    flag!(
        "enable-priority-and-fairness",
        "Whether requests are queued by priority level and fairly, instead of first come, first served.",
        "kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/server/options/feature.go",
        Kind::Switch,
        control.machine.api_server.fairness
    ),
    flag!(
        "kube-apiserver.cores",
        "Cores that one API server has.",
        "assumed: a machine of usual size",
        Kind::Positive,
        control.machine.api_server.cores
    ),
    flag!(
        "kube-apiserver.request-cost",
        "Time of one core that a small request takes.",
        "assumed",
        Kind::Span,
        control.machine.api_server.request
    ),
    flag!(
        "kube-apiserver.list-cost-per-object",
        "Time of one core that each listed object adds.",
        "assumed: 10,000 pods cost half a second",
        Kind::Span,
        control.machine.api_server.listed_object
    ),
    flag!(
        "etcd-members",
        "Members of the store; more than half of them must run.",
        "kubernetes/website:content/en/docs/setup/production-environment/tools/kubeadm/ha-topology.md",
        Kind::Positive,
        control.machine.etcd.members
    ),
    flag!(
        "etcd-election-timeout",
        "Shortest time without a leader after which a member wants to lead; the longest is twice this.",
        "etcd.io/docs/v3.5/tuning",
        Kind::Span,
        control.machine.etcd.election
    ),
    flag!(
        "kube-scheduler.replicas",
        "Instances of the scheduler, of which one leads.",
        "kubernetes/website:content/en/docs/setup/production-environment/tools/kubeadm/ha-topology.md",
        Kind::Positive,
        control.machine.election.schedulers
    ),
    flag!(
        "kube-controller-manager.replicas",
        "Instances of the controllers, of which one leads.",
        "kubernetes/website:content/en/docs/setup/production-environment/tools/kubeadm/ha-topology.md",
        Kind::Positive,
        control.machine.election.controllers
    ),
    flag!(
        "leader-elect-lease-duration",
        "A lease that was not renewed for so long may be taken.",
        "kubernetes/kubernetes:staging/src/k8s.io/component-base/config/v1alpha1/defaults.go",
        Kind::Span,
        control.machine.election.lease
    ),
    flag!(
        "leader-elect-renew-deadline",
        "A leader that cannot renew its lease for so long gives up.",
        "kubernetes/kubernetes:staging/src/k8s.io/component-base/config/v1alpha1/defaults.go",
        Kind::Span,
        control.machine.election.renew_deadline
    ),
    flag!(
        "leader-elect-retry-period",
        "Leases are renewed, and looked at by those that stand by, after this time.",
        "kubernetes/kubernetes:staging/src/k8s.io/component-base/config/v1alpha1/defaults.go",
        Kind::Period,
        control.machine.election.retry
    ),
    flag!(
        "leader-sync-time",
        "Time until a new leader's watches are up to date.",
        "assumed",
        Kind::Span,
        control.machine.election.sync
    ),
    flag!(
        "admission",
        "Whether quotas, limit ranges and webhooks are heeded.",
        "kubernetes/kubernetes:pkg/kubeapiserver/options/plugins.go",
        Kind::Switch,
        control.machine.admission.enforced
    ),
    flag!(
        "webhook-latency",
        "Time that a webhook which answers adds to a request.",
        "assumed: a round trip inside the cluster",
        Kind::Span,
        control.machine.admission.webhook_latency
    ),
    flag!(
        "resource-quota-sync-period",
        "Quotas are counted anew after this time, besides at each end of a pod.",
        "kubernetes/kubernetes:pkg/controller/resourcequota/config/v1alpha1/defaults.go",
        Kind::Period,
        control.machine.admission.quota_resync
    ),
    flag!(
        "requeue-base-delay",
        "A controller tries again after this time when something failed; doubles each time.",
        "kubernetes/kubernetes:staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go",
        Kind::Span,
        control.machine.requeue.first
    ),
    flag!(
        "requeue-max-delay",
        "Longest wait of a controller before it tries again.",
        "kubernetes/kubernetes:staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go",
        Kind::Span,
        control.machine.requeue.longest
    ),
    flag!(
        "drain-retry-interval",
        "A refused eviction is tried again after this time.",
        "kubernetes/kubectl:pkg/drain/drain.go",
        Kind::Period,
        in control.machine.evictions, Some(api) => api.retry
    ),
    flag!(
        "drain-poll-interval",
        "A drain looks after this time whether an evicted pod is gone.",
        "kubernetes/kubectl:pkg/drain/drain.go",
        Kind::Span,
        in control.machine.evictions, Some(api) => api.poll
    ),
    flag!(
        "eviction-conflict-wait",
        "An eviction that met another one at the budget goes on after this time, up to a tenth longer.",
        "kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go",
        Kind::Span,
        in control.machine.evictions, Some(api) => api.conflict_wait
    ),
];
