//! Scores of one attempt: every value of every plugin for every feasible node.

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::profile::Score;
use shakedown_engine::scheduler::{Candidate, Explanation};

use super::checks;
use super::cluster::Cluster;
use super::record::Scores;
use crate::agreement::{Agreement, At, Check};

/// Plugins that the real scheduler runs in every attempt, whether or not they have anything to say: they have no
/// `PreScore` that could return `Skip`. Ours leaves them out where all their values are 0.
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/imagelocality/image_locality.go; for `DynamicResources`
/// the recorded pods, none of which claims a device.
const NEVER_SKIPPED: [&str; 2] = ["ImageLocality", "DynamicResources"];
/// A plugin that skips pods without claims: no recorded pod has one.
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumebinding/volume_binding.go, `PreScore`.
const WITHOUT_CLAIMS: &str = "VolumeBinding";
/// Plugins of ours that can be skipped.
const SKIPPABLE: [&str; 6] = [
    "InterPodAffinity",
    "NodeAffinity",
    "NodeResourcesBalancedAllocation",
    "NodeResourcesFit",
    "PodTopologySpread",
    "TaintToleration",
];

/// Compares scores, totals and the best set.
pub(super) fn compare(
    cluster: &Cluster,
    agreement: &mut Agreement,
    (expected, best): (&Scores, &[String]),
    (ours, at): (&Explanation, At<'_>),
) {
    skipped(agreement, expected, (ours, at));
    for candidate in &ours.feasible {
        let node = cluster.node_name(candidate.node);
        let subject = format!("{}, node {node}", at.subject);
        let at = At { subject: &subject, ..at };
        for plugin in expected.raw.keys() {
            plugin_of(agreement, expected, (plugin, &node), (candidate, at));
        }
        agreement.compare(checks::TOTAL, at, &expected.total.get(&node), &Some(&candidate.total));
    }
    let expected: BTreeSet<String> = best.iter().cloned().collect();
    let got: BTreeSet<String> = ours.best.iter().map(|&node| cluster.node_name(node)).collect();
    agreement.compare(checks::BEST, at, &expected, &got);
}

/// One plugin's values for one node. What ours skipped counts as 0, as it does in the sum.
fn plugin_of(
    agreement: &mut Agreement,
    expected: &Scores,
    (plugin, node): (&str, &str),
    (candidate, at): (&Candidate, At<'_>),
) {
    let share = candidate.scores.iter().find(|share| plugin_name(share.score) == plugin);
    let subject = format!("{}, {plugin}", at.subject);
    let at = At { subject: &subject, ..at };
    let mut compare =
        |check: Check, expected: Option<i64>, got: i64| agreement.compare(check, at, &expected, &Some(got));
    let value = |values: &super::record::Values| values.get(plugin).and_then(|nodes| nodes.get(node)).copied();
    let normalized = value(&expected.normalized);
    let weight = expected.weight.get(plugin).copied();
    compare(checks::RAW, value(&expected.raw), share.map_or(0, |share| share.raw));
    compare(checks::NORMALIZED, normalized, share.map_or(0, |share| share.normalised));
    let weighted = normalized.zip(weight).map(|(value, weight)| value * weight);
    compare(checks::WEIGHTED, weighted, share.map_or(0, |share| share.normalised * share.weight));
}

fn skipped(agreement: &mut Agreement, expected: &Scores, (ours, at): (&Explanation, At<'_>)) {
    let used: BTreeMap<&str, i64> = ours
        .feasible
        .iter()
        .flat_map(|candidate| &candidate.scores)
        .map(|share| (plugin_name(share.score), share.weight))
        .collect();
    let got: BTreeSet<&str> = SKIPPABLE.into_iter().filter(|plugin| !used.contains_key(plugin)).collect();
    let known = |plugin: &&str| *plugin != WITHOUT_CLAIMS && !NEVER_SKIPPED.contains(plugin);
    let expected: BTreeSet<&str> = expected.skipped_plugins.iter().map(String::as_str).filter(known).collect();
    agreement.compare(checks::SKIPPED, at, &expected, &got);
}

/// The plugin that gives a score.
const fn plugin_name(score: Score) -> &'static str {
    match score {
        Score::TaintToleration => "TaintToleration",
        Score::NodeAffinity => "NodeAffinity",
        Score::LeastAllocated | Score::MostAllocated | Score::RequestedToCapacityRatio => "NodeResourcesFit",
        Score::BalancedAllocation => "NodeResourcesBalancedAllocation",
        Score::PodTopologySpread => "PodTopologySpread",
        Score::InterPodAffinity => "InterPodAffinity",
        Score::ImageLocality => "ImageLocality",
        Score::SelectorSpread => "SelectorSpread",
        Score::FewestOfWorkload => "FewestOfWorkload",
        Score::FewestPods => "FewestPods",
    }
}
