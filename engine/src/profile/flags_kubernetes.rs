//! Flags of Kubernetes: command-line flags, fields of component configurations, and constants of its code.
//!
//! Where components share a flag name, the component is put in front. Each name's default stands in the profile, not
//! here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, Value, field};
use crate::fact::Client;
use crate::model::{HOSTNAME_LABEL, ZONE_LABEL};
use crate::profile::{Balanced, Eviction, Grace, Profile, Restart, Rollout, Score, Wake};
use crate::time::Span;

/// A node's lease is renewed after this part of its duration.
/// Source: kubernetes/kubernetes:pkg/kubelet/kubelet.go, `nodeLeaseRenewIntervalFraction`.
const RENEWALS_PER_LEASE: u64 = 4;

const FITTING: &[&str] = &["LeastAllocated", "MostAllocated"];
const DEFAULTING: &[&str] = &["System", "List"];

/// All of them, in the order of a pod's life.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    // The store.
    flag!(
        "etcd-write-latency",
        "Time from a write's arrival at the store until it is durable.",
        "etcd.io/docs/v3.5/tuning: fsync p99 below 10 ms",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "etcd-writes-per-second",
        "Writes a second that the store sustains; further ones queue.",
        "etcd.io/docs/v3.5/op-guide/performance",
        Kind::Positive,
        control.store_writes_per_second
    ),
    flag!(
        "watch-lag",
        "Time from a write until a watching component has seen it.",
        "recorded on 1.36.2",
        Kind::Span,
        control.watch_lag
    ),
    flag!(
        "kube-scheduler.kube-api-qps",
        "Requests a second of the scheduler in the long run; 0 is unlimited.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go",
        Kind::Count,
        |p| p.control.limit(Client::Scheduler).qps,
        |p, v| p.control.limits[Client::Scheduler as usize].qps = field(v)
    ),
    flag!(
        "kube-scheduler.kube-api-burst",
        "Requests of the scheduler at once after a rest.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go",
        Kind::Positive,
        |p| p.control.limit(Client::Scheduler).burst,
        |p, v| p.control.limits[Client::Scheduler as usize].burst = field(v)
    ),
    flag!(
        "kube-controller-manager.kube-api-qps",
        "Requests a second of each controller in the long run; 0 is unlimited.",
        "kubernetes/kubernetes:pkg/controller/apis/config/v1alpha1/defaults.go",
        Kind::Count,
        |p| p.control.limit(Client::Replication).qps,
        |p, v| {
            let qps = field(v);
            Client::CONTROLLERS.iter().for_each(|c| p.control.limits[*c as usize].qps = qps);
        }
    ),
    flag!(
        "kube-controller-manager.kube-api-burst",
        "Requests of each controller at once after a rest.",
        "kubernetes/kubernetes:pkg/controller/apis/config/v1alpha1/defaults.go",
        Kind::Positive,
        |p| p.control.limit(Client::Replication).burst,
        |p, v| {
            let burst = field(v);
            Client::CONTROLLERS.iter().for_each(|c| p.control.limits[*c as usize].burst = burst);
        }
    ),
    flag!(
        "kubelet.kube-api-qps",
        "Requests a second of each kubelet in the long run; 0 is unlimited.",
        "kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go",
        Kind::Count,
        |p| p.control.limit(Client::Agent).qps,
        |p, v| p.control.limits[Client::Agent as usize].qps = field(v)
    ),
    flag!(
        "kubelet.kube-api-burst",
        "Requests of each kubelet at once after a rest.",
        "kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go",
        Kind::Positive,
        |p| p.control.limit(Client::Agent).burst,
        |p, v| p.control.limits[Client::Agent as usize].burst = field(v)
    ),
    // The scheduler.
    flag!(
        "podInitialBackoffSeconds",
        "Wait of a pod after its first failed scheduling attempt; doubles each time.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go",
        Kind::PeriodSeconds,
        queue.initial_backoff
    ),
    flag!(
        "podMaxBackoffSeconds",
        "Longest wait between scheduling attempts of a pod.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go",
        Kind::PeriodSeconds,
        queue.max_backoff
    ),
    flag!(
        "backoff-flush-period",
        "Pods whose back-off has ended are released on this grid (a constant).",
        "kubernetes/kubernetes:pkg/scheduler/backend/queue/backoff_queue.go",
        Kind::Period,
        queue.flush_period
    ),
    flag!(
        "pod-max-in-unschedulable-pods-duration",
        "An unschedulable pod is tried again after this without any event.",
        "kubernetes/kubernetes:pkg/scheduler/backend/queue/scheduling_queue.go",
        Kind::Period,
        queue.unschedulable_timeout
    ),
    flag!(
        "unschedulable-flush-period",
        "Pods that were unschedulable for too long are looked for on this grid (a constant).",
        "kubernetes/kubernetes:pkg/scheduler/backend/queue/scheduling_queue.go",
        Kind::Period,
        queue.unschedulable_flush
    ),
    flag!(
        "SchedulerQueueingHints",
        "What wakes a pod that found no node: hints (since 1.32), kinds of events, any event, or nothing (1.2).",
        "kubernetes/enhancements:keps/sig-scheduling/4247-queueinghint",
        Kind::Word(Wake::WORDS),
        queue.wake
    ),
    flag!(
        "SchedulerPopFromBackoffQ",
        "An idle scheduler takes pods before their back-off ends (a feature gate).",
        "kubernetes/kubernetes:pkg/features/kube_features.go",
        Kind::Switch,
        queue.pop_from_backoff
    ),
    flag!(
        "percentageOfNodesToScore",
        "Percentage of nodes among which feasible ones are looked for; 0 adapts to the size of the cluster.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go",
        Kind::Percent,
        placement.sampling.percent
    ),
    flag!(
        "minFeasibleNodesPercentageToFind",
        "Least percentage of nodes when it adapts (a constant).",
        "kubernetes/kubernetes:pkg/scheduler/schedule_one.go",
        Kind::Percent,
        placement.sampling.min_percent
    ),
    flag!(
        "minFeasibleNodesToFind",
        "Never fewer nodes than this are looked at (a constant).",
        "kubernetes/kubernetes:pkg/scheduler/schedule_one.go",
        Kind::Positive,
        placement.sampling.min_nodes
    ),
    flag!(
        "TaintToleration.weight",
        "Weight of nodes without taints that a pod would rather avoid.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go",
        Kind::Count,
        |p| weight(p, &[Score::TaintToleration]),
        |p, v| set_weight(p, &[Score::TaintToleration], field(v))
    ),
    flag!(
        "NodeAffinity.weight",
        "Weight of preferred node affinity.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go",
        Kind::Count,
        |p| weight(p, &[Score::NodeAffinity]),
        |p, v| set_weight(p, &[Score::NodeAffinity], field(v))
    ),
    flag!(
        "NodeResourcesFit.weight",
        "Weight of free (or, see scoringStrategy, used) resources.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go",
        Kind::Count,
        |p| weight(p, &[Score::LeastAllocated, Score::MostAllocated]),
        |p, v| set_weight(p, &[Score::LeastAllocated, Score::MostAllocated], field(v))
    ),
    flag!(
        "NodeResourcesFit.scoringStrategy",
        "Whether empty nodes are preferred (spread) or full ones (pack).",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go",
        Kind::Word(FITTING),
        |p| Word(FITTING[usize::from(p.placement.scores.iter().any(|(s, _)| *s == Score::MostAllocated))]),
        |p, v| {
            let chosen = if v.to_string() == FITTING[1] { Score::MostAllocated } else { Score::LeastAllocated };
            let fitting = |s: Score| matches!(s, Score::LeastAllocated | Score::MostAllocated);
            p.placement.scores.iter_mut().filter(|(s, _)| fitting(*s)).for_each(|(s, _)| *s = chosen);
        }
    ),
    flag!(
        "PodTopologySpread.weight",
        "Weight of soft topology spread.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go",
        Kind::Count,
        |p| weight(p, &[Score::PodTopologySpread]),
        |p, v| set_weight(p, &[Score::PodTopologySpread], field(v))
    ),
    flag!(
        "PodTopologySpread.defaultingType",
        "Spread of pods that ask for none: System (over hosts and zones) or List (an empty one).",
        "kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/plugin.go",
        Kind::Word(DEFAULTING),
        |p| Word(DEFAULTING[usize::from(p.placement.default_spread.is_empty())]),
        |p, v| {
            let system = v.to_string() == DEFAULTING[0];
            p.placement.default_spread = if system { SYSTEM_SPREAD.to_vec() } else { Vec::new() };
        }
    ),
    flag!(
        "InterPodAffinity.weight",
        "Weight of preferred affinity to pods.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go",
        Kind::Count,
        |p| weight(p, &[Score::InterPodAffinity]),
        |p, v| set_weight(p, &[Score::InterPodAffinity], field(v))
    ),
    flag!(
        "NodeResourcesBalancedAllocation.weight",
        "Weight of an even use of CPU and memory.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go",
        Kind::Count,
        |p| weight(p, &[Score::BalancedAllocation]),
        |p, v| set_weight(p, &[Score::BalancedAllocation], field(v))
    ),
    flag!(
        "NodeResourcesBalancedAllocation.formula",
        "Balance after placement (up to 1.35) or change of balance by it (from 1.36).",
        "recorded on 1.36.2",
        Kind::Word(Balanced::WORDS),
        placement.balanced
    ),
    flag!(
        "ImageLocality.weight",
        "Weight of images that a node already has.",
        "kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go",
        Kind::Count,
        |p| weight(p, &[Score::ImageLocality]),
        |p, v| set_weight(p, &[Score::ImageLocality], field(v))
    ),
    flag!(
        "scheduling-cost",
        "Time that one scheduling decision takes, whatever the size of the cluster.",
        "measured on 1.36.2",
        Kind::Span,
        placement.decision_cost
    ),
    flag!(
        "scheduling-cost-per-node",
        "Time that each node looked at adds to a scheduling decision.",
        "measured on 1.36.2",
        Kind::Span,
        placement.decision_cost_per_node
    ),
    // Node health.
    flag!(
        "nodeLeaseDurationSeconds",
        "Duration of a node's lease; the kubelet renews it after a quarter of it.",
        "kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go",
        Kind::PeriodSeconds,
        |p| p.detection.heartbeat.times(RENEWALS_PER_LEASE),
        |p, v| p.detection.heartbeat = field::<Span>(v).permille(1_000 / RENEWALS_PER_LEASE)
    ),
    flag!(
        "lease-renewal-jitter",
        "A renewal comes up to this much earlier or later.",
        "kubernetes/kubernetes:staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go",
        Kind::Span,
        detection.heartbeat_jitter
    ),
    flag!(
        "node-monitor-grace-period",
        "Silence after which a node counts as unhealthy.",
        "kubernetes/kubernetes:pkg/controller/nodelifecycle/config/v1alpha1/defaults.go",
        Kind::Period,
        in detection.grace, Grace::Fixed(grace) => *grace
    ),
    flag!(
        "node-startup-grace-period",
        "The same for a node that has never reported.",
        "kubernetes/kubernetes:pkg/controller/nodelifecycle/config/v1alpha1/defaults.go",
        Kind::Period,
        detection.startup_grace
    ),
    flag!(
        "node-monitor-period",
        "Node health is looked at on this grid; recovered nodes lose their taint on it too.",
        "kubernetes/kubernetes:pkg/controller/apis/config/v1alpha1/defaults.go",
        Kind::Period,
        |p| p.detection.monitor_period,
        |p, v| {
            p.detection.monitor_period = field(v);
            if let Eviction::Taints(taints) = &mut p.eviction {
                taints.recovery_period = p.detection.monitor_period;
            }
        }
    ),
    flag!(
        "no-execute-taint-delay",
        "Time from unhealthy until a node is queued for its NoExecute taint.",
        "recorded on 1.36.2",
        Kind::Span,
        in eviction, Eviction::Taints(taints) => taints.taint_delay
    ),
    flag!(
        "node-eviction-rate",
        "Nodes a second that get the NoExecute taint in a healthy zone.",
        "kubernetes/website:content/en/docs/concepts/architecture/nodes.md",
        Kind::Rate,
        in eviction, Eviction::Taints(taints) => taints.rate
    ),
    flag!(
        "secondary-node-eviction-rate",
        "The same in a large zone of which too much is unhealthy.",
        "kubernetes/website:content/en/docs/concepts/architecture/nodes.md",
        Kind::Rate,
        in eviction, Eviction::Taints(taints) => taints.secondary_rate
    ),
    flag!(
        "unhealthy-zone-threshold",
        "Share of unhealthy nodes from which a zone counts as partially disrupted.",
        "kubernetes/website:content/en/docs/concepts/architecture/nodes.md",
        Kind::Share,
        in eviction, Eviction::Taints(taints) => taints.unhealthy_threshold
    ),
    flag!(
        "large-cluster-size-threshold",
        "Zones with at most this many nodes stop evicting when partially disrupted.",
        "kubernetes/website:content/en/docs/concepts/architecture/nodes.md",
        Kind::Count,
        in eviction, Eviction::Taints(taints) => taints.large_zone
    ),
    flag!(
        "default-unreachable-toleration-seconds",
        "How long pods stay on an unhealthy node that do not say so themselves; one value with that for not-ready.",
        "kubernetes/kubernetes:plugin/pkg/admission/defaulttolerationseconds/admission.go",
        Kind::Seconds,
        in eviction, Eviction::Taints(taints) => taints.default_toleration
    ),
    flag!(
        "default-not-ready-toleration-seconds",
        "How long pods stay on an unhealthy node that do not say so themselves; one value with that for unreachable.",
        "kubernetes/kubernetes:plugin/pkg/admission/defaulttolerationseconds/admission.go",
        Kind::Seconds,
        in eviction, Eviction::Taints(taints) => taints.default_toleration
    ),
    flag!(
        "pod-gc-period",
        "Pods whose node object was deleted are looked for on this grid, and collected after 40 s of quarantine (a constant).",
        "kubernetes/kubernetes:pkg/controller/podgc/gc_controller.go",
        Kind::Period,
        in eviction, Eviction::Taints(taints) => taints.garbage_period
    ),
    // Replicas and rollouts.
    flag!(
        "replicaset-burst",
        "Pods created or deleted in one pass over a ReplicaSet (a constant).",
        "kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go",
        Kind::Positive,
        replication.burst
    ),
    flag!(
        "replicaset-slow-start",
        "Pods are created in batches of 1, 2, 4, … as long as all succeed.",
        "kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go",
        Kind::Switch,
        replication.slow_start
    ),
    flag!(
        "maxSurge",
        "Pods above the wanted number during a rollout that does not say so itself.",
        "kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go",
        Kind::Amount,
        in rollout, Rollout::Surge { max_surge, .. } => *max_surge
    ),
    flag!(
        "maxUnavailable",
        "Pods below the wanted number during a rollout that does not say so itself.",
        "kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go",
        Kind::Amount,
        in rollout, Rollout::Surge { max_unavailable, .. } => *max_unavailable
    ),
    flag!(
        "progressDeadlineSeconds",
        "A rollout without progress for this long is reported as stalled.",
        "kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go",
        Kind::PeriodSeconds,
        in rollout, Rollout::Surge { progress_deadline, .. } => *progress_deadline
    ),
    flag!(
        "revisionHistoryLimit",
        "Old revisions kept for undo.",
        "kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go",
        Kind::Count,
        in rollout, Rollout::Surge { history_limit, .. } => *history_limit
    ),
    // The kubelet.
    flag!(
        "crash-loop-initial-backoff",
        "Wait before the second restart of a container; doubles each time (a constant).",
        "kubernetes/kubernetes:pkg/kubelet/kubelet.go",
        Kind::Period,
        in restart, Restart::InPlace { initial, .. } => *initial
    ),
    flag!(
        "crashLoopBackOff.maxContainerRestartPeriod",
        "Longest wait between restarts of a container.",
        "kubernetes/kubernetes:pkg/kubelet/kubelet.go",
        Kind::Period,
        |p| restart_max(p),
        |p, v| {
            let Restart::InPlace { initial, max, .. } = &mut p.restart else { unreachable!("{IN_PLACE}") };
            *max = field(v);
            // The kubelet lowers the first wait with the longest.
            *initial = (*initial).min(*max);
        }
    ),
    flag!(
        "crash-loop-backoff-reset",
        "A container that ran for this long starts again with the first wait (a constant).",
        "kubernetes/kubernetes:pkg/kubelet/kubelet.go",
        Kind::Span,
        in restart, Restart::InPlace { reset, .. } => *reset
    ),
    flag!(
        "pleg-relist-period",
        "Containers that started or ended are noticed on this grid; 0 is at once (a constant).",
        "kubernetes/kubernetes:pkg/kubelet/kubelet.go",
        Kind::Span,
        agent.relist
    ),
    flag!(
        "node-status-update-frequency",
        "A node's status, such as its images, is reported on this grid.",
        "kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go",
        Kind::Period,
        agent.status_period
    ),
    flag!(
        "image-pull-initial-backoff",
        "Wait after a failed pull; doubles each time (a constant).",
        "kubernetes/kubernetes:pkg/kubelet/kubelet.go",
        Kind::Period,
        agent.pull_backoff
    ),
    flag!(
        "image-pull-max-backoff",
        "Longest wait after a failed pull (a constant).",
        "kubernetes/kubernetes:pkg/kubelet/kubelet.go",
        Kind::Period,
        agent.pull_backoff_max
    ),
    flag!(
        "serializeImagePulls",
        "A node pulls its images one after the other.",
        "kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go",
        Kind::Switch,
        agent.serialize_pulls
    ),
    flag!(
        "terminationGracePeriodSeconds",
        "Time between the polite and the forced stop of pods that do not say so themselves.",
        "kubernetes/kubernetes:pkg/apis/core/v1/defaults.go",
        Kind::Seconds,
        agent.default_grace
    ),
    // Discovery.
    flag!(
        "endpointslice-updates-batch-period",
        "Time from a change of a pod until its EndpointSlice is written.",
        "kubernetes/kubernetes:pkg/controller/endpointslice/endpointslice_controller.go",
        Kind::Span,
        discovery.publish_delay
    ),
    flag!(
        "max-endpoints-per-slice",
        "Endpoints in one EndpointSlice at most.",
        "kubernetes/kubernetes:pkg/controller/endpointslice/config/v1alpha1/defaults.go",
        Kind::Positive,
        in discovery.slices, Some(slices) => slices.max_endpoints
    ),
    flag!(
        "concurrent-service-endpoint-syncs",
        "Services whose EndpointSlices are worked on at once.",
        "kubernetes/kubernetes:pkg/controller/endpointslice/config/v1alpha1/defaults.go",
        Kind::Positive,
        in discovery.slices, Some(slices) => slices.workers
    ),
    flag!(
        "kube-proxy-lag",
        "Time from the write of an EndpointSlice until a node's proxy has seen it.",
        "recorded on 1.36.2",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "iptables.minSyncPeriod",
        "A node's proxy programs its rules at most once in this time.",
        "kubernetes/kubernetes:pkg/proxy/apis/config/v1alpha1/defaults.go",
        Kind::Span,
        discovery.proxy_sync
    ),
    flag!(
        "ingress-sync-period",
        "A controller of ingresses takes over new endpoints at most once in this time.",
        "kubernetes/ingress-nginx:pkg/flags/flags.go, sync-rate-limit",
        Kind::Span,
        discovery.ingress_sync
    ),
    flag!(
        "coredns.ttl",
        "How long clients keep a resolved name.",
        "kubernetes/kubernetes:cmd/kubeadm/app/phases/addons/dns/manifests.go",
        Kind::Seconds,
        discovery.dns_ttl
    ),
    flag!(
        "unready-on-unhealthy-node",
        "Pods of an unhealthy node leave their services at detection, before any eviction.",
        "kubernetes/kubernetes:pkg/controller/nodelifecycle/node_lifecycle_controller.go",
        Kind::Switch,
        discovery.unready_on_unhealthy_node
    ),
];

/// Spread of pods that ask for none: topology label and largest skew.
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/plugin.go.
pub(in crate::profile) const SYSTEM_SPREAD: [(&str, i32); 2] = [(HOSTNAME_LABEL, 3), (ZONE_LABEL, 5)];

/// A word that no field holds as such.
struct Word(&'static str);

impl Word {
    fn value(&self, _: Kind) -> Value {
        Value::Word(self.0.to_owned())
    }
}

const IN_PLACE: &str = "the flag is of a profile whose containers are restarted in place";

fn restart_max(profile: &Profile) -> Span {
    let Restart::InPlace { max, .. } = profile.restart else { unreachable!("{IN_PLACE}") };
    max
}

fn weight(profile: &Profile, any_of: &[Score]) -> u32 {
    let found = profile.placement.scores.iter().find(|(score, _)| any_of.contains(score));
    found.map_or(0, |(_, weight)| u32::try_from(*weight).expect("weights are set from 32-bit numbers"))
}

fn set_weight(profile: &mut Profile, any_of: &[Score], to: u32) {
    profile.placement.scores.iter_mut().filter(|(s, _)| any_of.contains(s)).for_each(|(_, w)| *w = i64::from(to));
}
