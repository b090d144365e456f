//! Older releases of Kubernetes: what changed since, taken back, newest change first.
//!
//! Only what the simulation shows is listed; a release between two that are listed behaves like the older one in nothing
//! that is not listed here. Start at [`CHANGES`].

use std::sync::LazyLock;

use super::super::flags::Flag;
use super::super::pressure::Signals;
use super::super::{Balanced, Eviction, Grace, Profile, RateLimit, Removal, Rollout, Sampling, Score, Wake};
use crate::fact::Client;
use crate::model::Amount;
use crate::time::Span;

/// Releases that can be asked for, with their full names, newest first. The first one is the current release.
pub(in crate::profile) const RELEASES: &[(&str, &str)] = &[
    ("1.36", "kubernetes@1.36"),
    ("1.35", "kubernetes@1.35"),
    ("1.31", "kubernetes@1.31"),
    ("1.20", "kubernetes@1.20"),
    ("1.2", "kubernetes@1.2"),
];

/// How to take the changes of a release back.
type TakeBack = fn(&mut Profile);

/// For each minor release that changed something, how to take its changes back.
const CHANGES: &[(u32, TakeBack)] = &[
    (36, before_36),
    (35, before_35),
    (33, before_33),
    (32, before_32),
    (29, before_29),
    (27, before_27),
    (24, before_24),
    (23, before_23),
    (22, before_22),
    (13, founding_days),
];

/// A release by its number.
pub(in crate::profile) fn release(number: &str) -> Option<Profile> {
    let &(version, name) = RELEASES.iter().find(|(version, _)| *version == number)?;
    let minor: u32 = version.strip_prefix("1.")?.parse().ok()?;
    let mut profile = at(minor);
    (profile.name, profile.version) = (name.into(), version.into());
    Some(profile)
}

/// The values of a minor release, for those who build on it.
pub(in crate::profile) fn at(minor: u32) -> Profile {
    let mut profile = super::profile();
    for (since, take_back) in CHANGES {
        if minor < *since {
            take_back(&mut profile);
        }
    }
    profile
}

/// Balanced allocation scored the balance itself. Source: kubernetes/kubernetes#135573.
fn before_36(profile: &mut Profile) {
    profile.placement.balanced = Balanced::After;
}

/// StatefulSets were updated one pod after the other, whatever they declared.
/// Source: kubernetes/kubernetes:pkg/features/kube_features.go (`MaxUnavailableStatefulSet`, beta and on since 1.35).
fn before_35(profile: &mut Profile) {
    profile.replication.stateful_max_unavailable = false;
}

/// A back-off was a lower bound even when the scheduler was idle.
/// Source: kubernetes/enhancements, KEP-5142 (`SchedulerPopFromBackoffQ`, beta and on since 1.33).
fn before_33(profile: &mut Profile) {
    profile.queue.pop_from_backoff = false;
}

/// Silence of 40 s made a node unhealthy.
/// Source: kubernetes/kubernetes:pkg/controller/nodelifecycle/config/v1alpha1/defaults.go of 1.31.
fn before_32(profile: &mut Profile) {
    profile.detection.grace = Grace::Fixed(Span::from_secs(40));
    // Any event of a kind that a plugin had registered for woke the pods that it had refused.
    // Source: kubernetes/enhancements, KEP-4247 (`SchedulerQueueingHints`, on since 1.32).
    profile.queue.wake = Wake::Kinds;
}

/// A hard eviction left no time to stop.
/// Source: kubernetes/kubernetes:pkg/kubelet/eviction/eviction_manager.go (`immediateEvictionGracePeriodSeconds` since).
fn before_29(profile: &mut Profile) {
    if let Some(policy) = &mut profile.agent.pressure {
        policy.hard_grace = Span::ZERO;
    }
}

/// A kubelet made 5 requests a second.
/// Source: kubernetes/kubernetes:pkg/kubelet/apis/config/v1beta1/defaults.go of 1.26 (`KubeAPIQPS` 5, `KubeAPIBurst` 10).
fn before_27(profile: &mut Profile) {
    profile.control.limits[Client::Agent as usize] = RateLimit { qps: 5, burst: 10 };
}

/// Unschedulable pods were tried again after a minute.
/// Source: kubernetes/kubernetes:pkg/scheduler/internal/queue/scheduling_queue.go, `unschedulableQTimeInterval`.
fn before_24(profile: &mut Profile) {
    profile.queue.unschedulable_timeout = Span::from_secs(60);
}

/// All scores but spreading weighed 1, and balance was the plain difference of the two shares.
/// Source: kubernetes/kubernetes:pkg/scheduler/apis/config/v1beta2/default_plugins.go and
/// pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go of 1.22.
fn before_23(profile: &mut Profile) {
    for (score, weight) in &mut profile.placement.scores {
        *weight = if *score == Score::PodTopologySpread { 2 } else { 1 };
    }
    profile.placement.balanced = Balanced::Difference;
}

/// Surplus replicas went strictly youngest first. Source: kubernetes/enhancements, KEP-2185 (`LogarithmicScaleDown`).
fn before_22(profile: &mut Profile) {
    profile.replication.removal = Removal::RankedExactly;
    // Every event woke every pod: plugins did not say yet which ones matter to them.
    // Source: kubernetes/kubernetes:pkg/scheduler/internal/queue/scheduling_queue.go of 1.20, `MoveAllToActiveOrBackoffQueue`.
    profile.queue.wake = Wake::Any;
}

/// Kubernetes 1.2 (March 2016), the release of the founding articles: no eviction by taints, no zones, no sampling.
fn founding_days(profile: &mut Profile) {
    // Pods of a silent node are deleted `pod-eviction-timeout` (5 min) less one grace period after the probe that was
    // last answered, which is 220 s after the earliest detection; the first ten nodes at once, then one every 10 s. What
    // has not stopped when its grace is over is removed by force.
    // Source: kubernetes/kubernetes:pkg/controller/node/nodecontroller.go of 1.2 (`monitorNodeStatus`, `terminatePods`) and
    // cmd/kube-controller-manager/app/options (`deleting-pods-qps` 0.1, `deleting-pods-burst` 10).
    if let Eviction::Taints(policy) = &mut profile.eviction {
        policy.taint_delay = Span::from_secs(220);
        policy.default_toleration = Span::ZERO;
        policy.burst = 10;
        policy.disruption_modes = false;
        policy.force_after_grace = true;
    }
    // Source: kubernetes/kubernetes:plugin/pkg/scheduler/algorithmprovider/defaults/defaults.go of 1.2.
    profile.placement.scores = vec![
        (Score::LeastAllocated, 1),
        (Score::BalancedAllocation, 1),
        (Score::SelectorSpread, 1),
        (Score::NodeAffinity, 1),
    ];
    // Nobody made room for anybody: preemption is on by default since 1.11.
    // Source: kubernetes/kubernetes:pkg/features/kube_features.go of 1.11, `PodPriority`.
    profile.placement.args.preemption = None;
    // There were no events for pods that found no node, only a back-off.
    // Source: kubernetes/kubernetes:plugin/pkg/scheduler/factory/factory.go of 1.2, `makeDefaultErrorFunc`.
    profile.queue.wake = Wake::Nothing;
    // Kubelet evicts pods since 1.3, and before only closed a node whose disk was full.
    if let Some(policy) = &mut profile.agent.pressure {
        policy.hard = Signals::default();
    }
    // One object listed all endpoints of a service. Source: kubernetes/enhancements, KEP-752 (slices).
    profile.discovery.slices = None;
    profile.flags = &WITHOUT_SLICES;
    // Scores were whole numbers from 0 to 10, so ties were common.
    // Source: kubernetes/kubernetes:plugin/pkg/scheduler/algorithm/priorities/priorities.go of 1.2.
    profile.placement.max_score = 10;
    profile.placement.sampling = Sampling { percent: 100, min_percent: 5, min_nodes: 100 };
    // 51 pods a second at 1,000 nodes, after the improvements that went into 1.2.
    // Source: coreos.com/blog/improving-kubernetes-scheduler-performance.html.
    profile.placement.decision_cost = Span::from_micros(600);
    profile.placement.decision_cost_per_node = Span::from_micros(19);
    // Source: kubernetes/kubernetes:plugin/pkg/scheduler/factory/factory.go of 1.2, `podBackoff`.
    profile.queue.max_backoff = Span::from_secs(60);
    // Source: kubernetes/kubernetes:pkg/apis/extensions/v1beta1/defaults.go of 1.2. There was no progress deadline.
    profile.rollout = Rollout::Surge {
        max_surge: Amount::Count(1),
        max_unavailable: Amount::Count(1),
        progress_deadline: Span::MAX,
        history_limit: u32::MAX,
    };
    // The iptables proxier wrote its rules at every change.
    // Source: kubernetes/kubernetes:pkg/proxy/iptables/proxier.go of 1.2.
    profile.discovery.proxy_sync = Span::ZERO;
}

/// Flags of releases without slices of endpoints: those that reach into slices are not there.
static WITHOUT_SLICES: LazyLock<Vec<Flag>> = LazyLock::new(|| {
    let of_slices = ["max-endpoints-per-slice", "concurrent-service-endpoint-syncs"];
    super::profile().flags.iter().filter(|flag| !of_slices.contains(&flag.name)).copied().collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: &str) -> Profile {
        release(version).expect("a listed release")
    }

    #[test]
    fn each_release_has_its_own_grace_and_balance() {
        let seen: Vec<_> = RELEASES.iter().map(|(v, _)| (at(v).detection.grace, at(v).placement.balanced)).collect();
        let [s50, s40] = [50, 40].map(|s| Grace::Fixed(Span::from_secs(s)));
        let want =
            [(s50, Balanced::Change), (s50, Balanced::After), (s40, Balanced::After), (s40, Balanced::Difference)];
        assert_eq!(seen[..4], want);
        assert_eq!(seen[4], (s40, Balanced::Difference));
    }

    #[test]
    fn weights_and_queue_follow_their_release() {
        let weight = |v: &str, score| at(v).placement.scores.iter().find(|(s, _)| *s == score).map(|(_, w)| *w);
        assert_eq!(weight("1.31", Score::TaintToleration), Some(3));
        assert_eq!(weight("1.20", Score::TaintToleration), Some(1));
        assert_eq!(weight("1.20", Score::PodTopologySpread), Some(2));
        assert_eq!(weight("1.2", Score::TaintToleration), None);
        assert!(at("1.35").queue.pop_from_backoff && !at("1.31").queue.pop_from_backoff);
        assert_eq!(at("1.20").queue.unschedulable_timeout, Span::from_secs(60));
    }

    #[test]
    fn the_newest_release_is_the_profile_without_a_version() {
        let (named, plain) = (at(RELEASES[0].0), super::super::profile());
        assert_eq!(format!("{named:?}").replace("@1.36", ""), format!("{plain:?}"));
        assert!(release("1.3").is_none() && release("").is_none());
    }

    #[test]
    fn every_release_is_consistent() {
        for (version, _) in RELEASES {
            assert_eq!(at(version).validate(), Ok(()), "{version}");
            assert!(at(version).settings().count() > 100, "every flag of {version} can be read");
        }
    }
}
