//! The control plane as a finite machine: what its parts are made of, what they do when asked too much, who replaces them.
//!
//! A profile without a part does not have its limits: `None` means that nothing of the kind is modelled for it.
//! Start at [`Machine`].

use super::consensus::Consensus;
use crate::message::Level;
use crate::time::Span;

/// What the control plane is made of.
#[derive(Clone, Debug)]
pub struct Machine {
    /// How pods are evicted; `None`: nodes are drained by plain deletions, and budgets are not known.
    pub evictions: Option<EvictionApi>,
    /// What comes between a request to create something and the store.
    pub admission: Admission,
    /// How long a controller waits before it tries something again that failed.
    pub requeue: Requeue,
    /// Instances of the API server.
    pub api_servers: u32,
    /// What one of them can do.
    pub api_server: ApiServer,
    /// The store.
    pub etcd: Etcd,
    /// Scheduler and controllers: one of several instances leads.
    pub election: Election,
    /// Members that elect one who does everything; `None`: parts that lead by leases.
    pub consensus: Option<Consensus>,
    /// Nodes are known by keys in the store that expire; `None`: by what the control plane remembers.
    pub presence: Option<Presence>,
}

/// What a node does to keep its key in the store, and what when it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// A heartbeat is tried so often, evenly, within `patience`.
    pub tries: u32,
    /// After so long without success the node's agent restarts its components; what it runs goes on.
    pub patience: Span,
    /// First wait until it tries again then; doubles each time.
    pub retry: Span,
    /// Longest such wait.
    pub retry_max: Span,
}

/// What one API server can do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiServer {
    /// Reads at once.
    pub max_inflight: u32,
    /// Writes at once.
    pub max_mutating_inflight: u32,
    /// Seats are shared by priority levels, and fairly within each; else first come, first served.
    pub fairness: bool,
    /// Cores that serve requests.
    pub cores: u32,
    /// Time that a small request takes on one core.
    pub request: Span,
    /// Time that each listed object adds.
    pub listed_object: Span,
}

/// Shares of all levels together.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go.
const ALL_SHARES: u32 = 245;

impl ApiServer {
    /// Requests that run at once.
    pub fn all_seats(&self) -> u32 {
        self.max_inflight + self.max_mutating_inflight
    }

    /// Seats of a priority level.
    /// Source: the same file, and staging/src/k8s.io/apiserver/pkg/util/flowcontrol/apf_controller.go for the rounding.
    pub fn seats(&self, level: Level) -> u32 {
        let share = match level {
            Level::System => 30,
            Level::NodeHigh | Level::WorkloadHigh => 40,
            Level::LeaderElection => 10,
            Level::WorkloadLow => 100,
            Level::GlobalDefault => 20,
            Level::CatchAll => 5,
        };
        (self.all_seats() * share).div_ceil(ALL_SHARES)
    }

    /// Time that a request which lists so many objects takes on one core.
    pub fn service(&self, objects: u32) -> Span {
        self.request + self.listed_object.times(u64::from(objects))
    }
}

/// The store's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Etcd {
    /// How many; more than half of them must run.
    pub members: u32,
    /// A member that does not hear the leader for this long, up to twice as long, wants to lead.
    pub election: Span,
}

/// Election of leaders by leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Election {
    /// Instances of the scheduler.
    pub schedulers: u32,
    /// Instances of the controllers.
    pub controllers: u32,
    /// A lease that was not renewed for this long may be taken.
    pub lease: Span,
    /// A leader that cannot renew for this long gives up.
    pub renew_deadline: Span,
    /// The lease is renewed, and looked at, after this time.
    pub retry: Span,
    /// Those that stand by wait longer by up to this share of it, in thousandths.
    pub jitter: u32,
    /// Time until a new leader's watches are up to date.
    pub sync: Span,
}

/// The eviction API and the tool that drains nodes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionApi {
    /// A refused eviction is tried again after so long.
    pub retry: Span,
    /// The API server asks a budget again after so long when somebody else changed it; up to a tenth longer.
    pub conflict_wait: Span,
    /// The tool looks so often whether a pod is gone.
    pub poll: Span,
}

/// Quotas and webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Quotas, limits and webhooks of the catalog are heeded.
    pub enforced: bool,
    /// Time that a webhook which answers adds to a request.
    pub webhook_latency: Span,
    /// A quota's use is counted anew on this grid, besides at each end of a pod.
    pub quota_resync: Span,
}

/// Growing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// Wait after the first failure; doubles each time.
    pub first: Span,
    /// Longest wait.
    pub longest: Span,
}

impl Requeue {
    /// The wait after so many failures in a row.
    pub fn wait(self, failures: u32) -> Span {
        let doublings = failures.saturating_sub(1).min(40);
        Span::from_nanos(self.first.as_nanos().saturating_mul(1 << doublings)).min(self.longest)
    }
}

impl Machine {
    /// Kubernetes as its components are by default.
    pub(super) fn kubernetes() -> Self {
        Self {
            evictions: Some(EvictionApi {
                // Source: kubernetes/kubectl:pkg/drain/drain.go, `evictPods` (5 s) and `waitForDelete` (1 s).
                retry: Span::from_secs(5),
                // Source: kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go, `EvictionsRetry`. Recorded on
                // 1.36.2: the second of two evictions that met took 0.51-0.55 s.
                conflict_wait: Span::from_millis(500),
                poll: Span::from_secs(1),
            }),
            admission: Admission {
                enforced: true,
                // A round trip inside the cluster with TLS and a small decision; not recorded.
                webhook_latency: Span::from_millis(5),
                // Source: kubernetes/kubernetes:pkg/controller/resourcequota/config/v1alpha1/defaults.go.
                quota_resync: Span::from_secs(300),
            },
            // Source: kubernetes/kubernetes:staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go.
            requeue: Requeue { first: Span::from_millis(5), longest: Span::from_secs(1_000) },
            // Three machines with everything on each is the smallest highly available set-up that kubeadm describes.
            // Source: kubernetes/website:content/en/docs/setup/production-environment/tools/kubeadm/ha-topology.md.
            api_servers: 3,
            api_server: ApiServer {
                // Source: kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/server/config.go.
                max_inflight: 400,
                max_mutating_inflight: 200,
                fairness: true,
                // A machine of usual size for a control plane of some hundred nodes. Not from a source, like the two below:
                // a list of 10,000 pods costs about half a second of one core.
                cores: 8,
                request: Span::from_millis(1),
                listed_object: Span::from_micros(50),
            },
            // Source: etcd.io/docs/v3.5/tuning (election time-out 1 s; raft draws from one to two of it).
            etcd: Etcd { members: 3, election: Span::from_secs(1) },
            election: Election {
                schedulers: 3,
                controllers: 3,
                // Source: kubernetes/kubernetes:staging/src/k8s.io/component-base/config/v1alpha1/defaults.go.
                lease: Span::from_secs(15),
                renew_deadline: Span::from_secs(10),
                retry: Span::from_secs(2),
                // Source: kubernetes/kubernetes:staging/src/k8s.io/client-go/tools/leaderelection/leaderelection.go,
                // `JitterFactor`.
                jitter: 1_200,
                // Lists of a few thousand objects of each kind; not recorded.
                sync: Span::from_millis(500),
            },
            consensus: None,
            presence: None,
        }
    }

    /// A control plane without any of this.
    pub(super) fn plain() -> Self {
        Self {
            evictions: None,
            admission: Admission { enforced: false, ..Self::kubernetes().admission },
            ..Self::kubernetes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let requeue = Machine::kubernetes().requeue;
        let waits: Vec<u64> = [1, 2, 3, 18, 19, 200].map(|n| requeue.wait(n).as_nanos() / 1_000_000).to_vec();
        assert_eq!(waits, [5, 10, 20, 655_360, 1_000_000, 1_000_000]);
    }
}
