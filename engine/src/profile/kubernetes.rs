//! Kubernetes, current release (1.36), with its default settings.

pub(super) mod releases;

use super::{
    AgentPolicy, Balanced, Choice, ControlPlane, Detection, Discovery, Dispatch, Eviction, Filter, Grace, Placement,
    PlacementArgs, Ports, PreemptionArgs, Probing, Profile, Queue, RateLimit, Removal, Replaced, Replication, Restart,
    Rollout, Sampling, Score, SlicePolicy, TaintEviction, Words, flags,
};
use crate::model::Amount;
use crate::time::Span;

/// Kubernetes as `kube-apiserver`, `kube-controller-manager`, `kube-scheduler` and `kubelet` behave without flags.
pub(super) fn profile() -> Profile {
    // Each controller has its own client: 20 requests/s, burst 30.
    // Source: kubernetes/kubernetes:pkg/controller/apis/config/v1alpha1/defaults.go.
    let controller = RateLimit { qps: 20, burst: 30 };
    // Source: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go.
    let scheduler = RateLimit { qps: 50, burst: 100 };
    // Source: kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go.
    let kubelet = RateLimit { qps: 50, burst: 100 };
    Profile {
        name: "kubernetes".into(),
        version: "1.36".into(),
        words: Words { pod: "pod", workload: "deployment", unhealthy: "NotReady" },
        takes_scheduler_config: true,
        flags: flags::KUBERNETES,
        control: ControlPlane {
            // etcd's fsync p99 should stay below 10 ms (etcd.io tuning guide); a healthy write takes about half of it.
            store_write: Span::from_millis(5),
            // About what one etcd on SSDs sustains for small writes with many clients (etcd.io performance page).
            store_writes_per_second: 10_000,
            // Source: kubernetes/client-go:tools/record/events_cache.go, `defaultSpamBurst`.
            event_burst: 25,
            // Recorded on 1.36.2: a replacement is created 10-70 ms after the deletion it answers.
            watch_lag: Span::from_millis(10),
            limits: [
                scheduler,            // Scheduler
                controller,           // Replication
                controller,           // Rollout
                controller,           // NodeHealth
                controller,           // Eviction
                controller,           // Endpoints
                controller,           // Garbage
                controller,           // Stateful
                controller,           // Daemon
                controller,           // Job
                controller,           // Cron
                controller,           // Autoscaler
                controller,           // Disruption
                controller,           // Volumes
                RateLimit::UNLIMITED, // Pools
                RateLimit::UNLIMITED, // Operator
                kubelet,              // Agent
            ],
            machine: super::machine::Machine::kubernetes(),
        },
        // Source: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go (back-off 1 s to 10 s) and
        // pkg/scheduler/backend/queue/scheduling_queue.go, backoff_queue.go (the rest).
        queue: Queue {
            initial_backoff: Span::from_secs(1),
            max_backoff: Span::from_secs(10),
            flush_period: Span::from_secs(1),
            unschedulable_flush: Span::from_secs(30),
            unschedulable_timeout: Span::from_secs(300),
            pop_from_backoff: true,
            wake: super::Wake::Hints,
        },
        // Source: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go.
        dispatch: Dispatch::Queue,
        placement: Placement {
            choice: Choice::Scores,
            published_ports: Ports::Shared,
            filters: vec![
                Filter::NodeUnschedulable,
                Filter::NodeName,
                Filter::TaintToleration,
                Filter::NodeAffinity,
                Filter::NodePorts,
                Filter::NodeResourcesFit,
                Filter::VolumeRestrictions,
                Filter::NodeVolumeLimits,
                Filter::VolumeBinding,
                Filter::VolumeZone,
                Filter::PodTopologySpread,
                Filter::InterPodAffinity,
            ],
            scores: vec![
                (Score::TaintToleration, 3),
                (Score::NodeAffinity, 2),
                (Score::LeastAllocated, 1),
                (Score::PodTopologySpread, 2),
                (Score::InterPodAffinity, 2),
                (Score::BalancedAllocation, 1),
                (Score::ImageLocality, 1),
            ],
            // Source: kubernetes/kubernetes:pkg/scheduler/schedule_one.go.
            sampling: Sampling { percent: 0, min_percent: 5, min_nodes: 100 },
            max_score: 100,
            balanced: Balanced::Change,
            default_spread: flags::SYSTEM_SPREAD.to_vec(),
            // Measured on 1.36.2: 260 us at 100 nodes scored, 1.09 ms at 500.
            decision_cost: Span::from_micros(60),
            decision_cost_per_node: Span::from_micros(2),
            args: PlacementArgs { preemption: Some(PreemptionArgs::default()), ..PlacementArgs::default() },
        },
        schedulers: Vec::new(),
        detection: Detection {
            // nodeLeaseDurationSeconds 40, renewed at a quarter of it.
            // Source: kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go and pkg/kubelet/kubelet.go.
            heartbeat: Span::from_secs(10),
            heartbeat_jitter: Span::ZERO,
            // 40 s until about 1.31. Recorded on 1.36.2: Unknown 50-56 s after the last renewal.
            // Source: kubernetes/kubernetes:pkg/controller/nodelifecycle/config/v1alpha1/defaults.go.
            grace: Grace::Fixed(Span::from_secs(50)),
            startup_grace: Span::from_secs(60),
            // Source: kubernetes/kubernetes:pkg/controller/apis/config/v1alpha1/defaults.go.
            monitor_period: Span::from_secs(5),
            // Source: kubernetes/kubernetes:plugin/pkg/admission/nodetaint/admission.go, on by default.
            taint_new_nodes: true,
            polls: None,
            // An agent that registers reports its state with it; networks that come later are up to the scenario.
            disconnected_after: None,
            ready_after: Span::ZERO,
        },
        eviction: Eviction::Taints(TaintEviction {
            // Recorded on 1.36.2: NoExecute 0.3-0.4 s after Unknown, not one monitor period later.
            taint_delay: Span::from_millis(350),
            // Source: kubernetes/website:content/en/docs/concepts/architecture/nodes.md.
            rate: 100,
            secondary_rate: 10,
            unhealthy_threshold: 550,
            large_zone: 50,
            burst: 1,
            disruption_modes: true,
            force_after_grace: false,
            // Source: kubernetes/kubernetes:plugin/pkg/admission/defaulttolerationseconds/admission.go.
            default_toleration: Span::from_secs(300),
            // Recorded on 1.36.2: NoExecute goes within 5 s of the return, which is the monitor period.
            recovery_period: Span::from_secs(5),
            // Source: kubernetes/kubernetes:pkg/controller/podgc/gc_controller.go.
            garbage_period: Span::from_secs(20),
        }),
        replication: Replication {
            // Source: kubernetes/kubernetes:pkg/controller/replicaset/replica_set.go, BurstReplicas.
            burst: 500,
            slow_start: true,
            once: false,
            watchdog: None,
            replacement_delay: Span::ZERO,
            replaced: Replaced::All,
            retry: super::Retry::Constant,
            drain: super::Drain::DeleteFirst,
            removal: Removal::Ranked,
            // Source: kubernetes/kubernetes:pkg/features/kube_features.go, `MaxUnavailableStatefulSet`, beta since 1.35.
            stateful_max_unavailable: true,
        },
        // Source: kubernetes/kubernetes:pkg/kubelet/kubelet.go, containerBackOffPeriod and MaxContainerBackOff.
        // A back-off is forgotten after twice the longest wait.
        restart: Restart::InPlace {
            initial: Span::from_secs(10),
            max: Span::from_secs(300),
            reset: Span::from_secs(600),
        },
        // Source: kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go.
        rollout: Rollout::Surge {
            max_surge: Amount::Percent(25),
            max_unavailable: Amount::Percent(25),
            progress_deadline: Span::from_secs(600),
            history_limit: 10,
        },
        // Source: kubernetes/kubernetes:pkg/kubelet/kubelet.go (relist, pull back-off),
        // pkg/kubelet/apis/config/v1beta1/defaults.go (status, serial pulls), pkg/apis/core/v1/defaults.go (grace).
        constraints: super::Constraints::AtPlacement,
        daemons: super::OnEachNode::Tolerant,
        orphan_after: None,
        // Its updates move counts, not slots.
        rollback: None,
        deployer: None,
        agent: AgentPolicy {
            relist: Span::from_secs(1),
            status_period: Span::from_secs(10),
            status_batch: Span::ZERO,
            pull_backoff: Span::from_secs(10),
            pull_backoff_max: Span::from_secs(300),
            serialize_pulls: true,
            default_grace: Span::from_secs(30),
            // Source: kubernetes/kubernetes:pkg/kubelet/kuberuntime/kuberuntime_manager.go, `minimumGracePeriodInSeconds`.
            probes: Probing::Obeyed,
            least_grace: Span::from_secs(2),
            volatile: false,
            pressure: Some(super::pressure::PressurePolicy::kubernetes()),
        },
        autoscaling: Some(super::Autoscaling::kubernetes()),
        machines: Some(super::Machines::kubernetes()),
        storage: super::storage::StoragePolicy::kubernetes(),
        discovery: Discovery {
            // Source: kubernetes/kubernetes:pkg/controller/endpointslice/endpointslice_controller.go, batch period.
            publish_delay: Span::ZERO,
            // Recorded on 1.36.2: slices follow their pods by 4-55 ms, most by less than 26 ms.
            lag: Span::from_millis(20),
            // Source: kubernetes/kubernetes:pkg/proxy/apis/config/v1alpha1/defaults.go, iptables minSyncPeriod.
            proxy_sync: Span::from_secs(1),
            // kubeadm's Corefile sets ttl 30 (the plugin's own default is 5).
            // Source: kubernetes/kubernetes:cmd/kubeadm/app/phases/addons/dns/manifests.go.
            dns_ttl: Span::from_secs(30),
            name_poll: Span::ZERO,
            absence: super::Absence::Told,
            // Source: kubernetes/kubernetes:pkg/controller/nodelifecycle/node_lifecycle_controller.go.
            unready_on_unhealthy_node: true,
            // Source: kubernetes/ingress-nginx:pkg/flags/flags.go, `sync-rate-limit` of 0.3 a second.
            ingress_sync: Span::from_millis(3333),
            balancer: None,
            // Source: kubernetes/kubernetes:pkg/controller/endpointslice/endpointslice_controller.go (retry, from
            // `defaultSyncBackOff` to `maxSyncBackOff`) and config/v1alpha1/defaults.go (5 workers, 100 endpoints).
            slices: Some(SlicePolicy {
                max_endpoints: 100,
                workers: 5,
                retry: Span::from_secs(1),
                retry_max: Span::from_secs(1000),
                retries: 15,
                // Recorded on 1.36.2: of 15 passes that began with the answer to a write, 2 found the cache behind.
                echo: (Span::from_micros(2600), Span::from_micros(400)),
            }),
        },
    }
}
