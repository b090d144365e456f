//! The table of workloads: the largest size of each test case, which is the one with a threshold.
//!
//! Source of every number: see the parent module.

use super::PodKind::{
    Affinity, AntiAffinity, Daemon, Default, Extended, Gated, HighPriority, InclusionPolicy, Labelled, LargeCpu, Light,
    LowPriority, MatchingAntiAffinity, NamespacedAffinity, NamespacedAntiAffinity, NamespacedPreferredAffinity,
    NamespacedPreferredAntiAffinity, NodeAffinity, PreferredAffinity, PreferredAntiAffinity, PreferredSpreading,
    Spreading,
};
use super::{Layout, Meanwhile, PodKind, Workload};

const PLAIN: Workload = Workload {
    name: "",
    case: "5000Nodes",
    nodes: 5_000,
    layout: Layout::Plain,
    init: &[],
    namespaces: 1,
    measured: (Default, 0),
    meanwhile: Meanwhile::Nothing,
    threshold: None,
};

const ONE_ZONE: Layout = Layout::Zones(&["zone1"]);
const THREE_ZONES: Layout = Layout::Zones(&["moon-1", "moon-2", "moon-3"]);

const fn row(
    name: &'static str,
    case: &'static str,
    init: &'static [(PodKind, usize)],
    measured: (PodKind, usize),
) -> Workload {
    Workload { name, case, init, measured, ..PLAIN }
}

/// All workloads, in the order of the original's files.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        threshold: Some(680),
        ..row("SchedulingBasic", "5000Nodes_10000Pods", &[(Default, 1_000)], (Default, 10_000))
    },
    Workload {
        threshold: Some(810),
        ..row("SchedulingBasic", "5000Nodes_50000Pods", &[(Default, 5_000)], (Default, 50_000))
    },
    Workload {
        nodes: 15_000,
        layout: Layout::Named,
        threshold: Some(1_100),
        ..row("SchedulingDaemonset", "15000Nodes", &[], (Daemon, 30_000))
    },
    Workload { nodes: 1_000, ..row("PreemptionBasic", "1000Nodes", &[(LowPriority, 4_000)], (HighPriority, 1_000)) },
    // Switched off in the original: kubernetes/kubernetes#108308.
    row("PreemptionBasic", "5000Nodes", &[(LowPriority, 20_000)], (HighPriority, 5_000)),
    Workload {
        meanwhile: Meanwhile::Create(HighPriority, 200),
        threshold: Some(570),
        ..row("PreemptionAsync", "5000Nodes", &[(LowPriority, 20_000)], (Default, 5_000))
    },
    Workload {
        meanwhile: Meanwhile::Create(LargeCpu, 200),
        threshold: Some(590),
        ..row("Unschedulable", "5kNodes/100Init/10kPods", &[(Default, 100)], (Default, 10_000))
    },
    Workload {
        meanwhile: Meanwhile::Create(LargeCpu, 200),
        threshold: Some(600),
        ..row("Unschedulable", "5kNodes/20kInit/10kPods", &[(Default, 20_000)], (Default, 10_000))
    },
    Workload {
        meanwhile: Meanwhile::Recreate(1_000),
        threshold: Some(710),
        ..row("SchedulingWithMixedChurn", "5000Nodes_10000Pods", &[], (Default, 10_000))
    },
    Workload {
        nodes: 0,
        layout: Layout::Named,
        meanwhile: Meanwhile::Delete(50),
        threshold: Some(910),
        ..row("SchedulingWhileGated", "1Node_10000GatedPods", &[(Gated, 10_000), (Light, 20_000)], (Light, 20_000))
    },
    Workload {
        meanwhile: Meanwhile::Delete(100),
        threshold: Some(830),
        ..row("SchedulingDeletedPodsWithFinalizers", "5000Node_5000DeletingPods", &[(Light, 5_000)], (Light, 5_000))
    },
    Workload {
        layout: Layout::Extended,
        threshold: Some(180),
        ..row("SchedulingWithExtendedResource", "5000pods_5000nodes", &[], (Extended, 5_000))
    },
    Workload {
        threshold: Some(60),
        ..row("SchedulingPodAntiAffinity", "5000Nodes_2000Pods", &[(AntiAffinity, 1_000)], (AntiAffinity, 2_000))
    },
    Workload {
        threshold: Some(595),
        ..row(
            "SchedulingPodMatchingAntiAffinity",
            "5000Nodes_5000Pods",
            &[(AntiAffinity, 1_000)],
            (MatchingAntiAffinity, 5_000),
        )
    },
    Workload {
        layout: ONE_ZONE,
        threshold: Some(35),
        ..row("SchedulingPodAffinity", "5000Nodes_5000Pods", &[(Affinity, 5_000)], (Affinity, 5_000))
    },
    Workload {
        threshold: Some(90),
        ..row(
            "SchedulingPreferredPodAffinity",
            "5000Nodes_5000Pods",
            &[(PreferredAffinity, 5_000)],
            (PreferredAffinity, 5_000),
        )
    },
    Workload {
        threshold: Some(90),
        ..row(
            "SchedulingPreferredPodAntiAffinity",
            "5000Nodes_5000Pods",
            &[(PreferredAntiAffinity, 5_000)],
            (PreferredAntiAffinity, 5_000),
        )
    },
    Workload {
        layout: ONE_ZONE,
        threshold: Some(220),
        ..row("SchedulingNodeAffinity", "5000Nodes_10000Pods", &[(NodeAffinity, 5_000)], (NodeAffinity, 10_000))
    },
    Workload {
        layout: ONE_ZONE,
        threshold: Some(140),
        ..row(
            "MixedSchedulingBasePod",
            "5000Nodes_5000Pods",
            &[
                (Default, 2_000),
                (Affinity, 2_000),
                (AntiAffinity, 2_000),
                (PreferredAffinity, 2_000),
                (PreferredAntiAffinity, 2_000),
            ],
            (Default, 5_000),
        )
    },
    Workload {
        nodes: 6_000,
        namespaces: 100,
        threshold: Some(24),
        ..row(
            "SchedulingRequiredPodAntiAffinityWithNSSelector",
            "5000Nodes_2000Pods",
            &[(NamespacedAntiAffinity, 4_000)],
            (NamespacedAntiAffinity, 2_000),
        )
    },
    Workload {
        namespaces: 100,
        threshold: Some(55),
        ..row(
            "SchedulingPreferredAntiAffinityWithNSSelector",
            "5000Nodes_2000Pods",
            &[(NamespacedPreferredAntiAffinity, 4_000)],
            (NamespacedPreferredAntiAffinity, 2_000),
        )
    },
    Workload {
        layout: ONE_ZONE,
        namespaces: 100,
        threshold: Some(35),
        ..row(
            "SchedulingRequiredPodAffinityWithNSSelector",
            "5000Nodes_2000Pods",
            &[(NamespacedAffinity, 5_000)],
            (NamespacedAffinity, 2_000),
        )
    },
    Workload {
        namespaces: 100,
        threshold: Some(90),
        ..row(
            "SchedulingPreferredAffinityWithNSSelector",
            "5000Nodes_5000Pods",
            &[(NamespacedPreferredAffinity, 5_000)],
            (NamespacedPreferredAffinity, 5_000),
        )
    },
    Workload {
        nodes: 0,
        layout: Layout::Named,
        threshold: Some(110),
        ..row(
            "SchedulingGatedPodsWithPodAffinityImpactForThroughput",
            "1Node_10000GatedPods",
            &[(Gated, 10_000)],
            (Labelled, 20_000),
        )
    },
    Workload {
        layout: THREE_ZONES,
        threshold: Some(460),
        ..row("TopologySpreading", "5000Nodes_5000Pods", &[(Default, 5_000)], (Spreading, 5_000))
    },
    Workload {
        layout: THREE_ZONES,
        threshold: Some(340),
        ..row("PreferredTopologySpreading", "5000Nodes_5000Pods", &[(Default, 5_000)], (PreferredSpreading, 5_000))
    },
    Workload {
        layout: THREE_ZONES,
        threshold: Some(160),
        ..row("DefaultTopologySpreading", "5000Nodes_50000Pods", &[(Default, 5_000)], (Labelled, 50_000))
    },
    Workload {
        layout: Layout::Tainted,
        threshold: Some(270),
        ..row("SchedulingWithNodeInclusionPolicy", "5000Nodes", &[], (InclusionPolicy, 4_000))
    },
];
