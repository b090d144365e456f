//! Arguments of plugins (`pluginConfig`).
//!
//! Refusals: kubernetes/kubernetes:pkg/scheduler/apis/config/validation/validation_pluginargs.go.

use k8s_openapi::api::core::v1 as core;
use shakedown_engine::model::{NodeTerm, WhenUnsatisfiable};
use shakedown_engine::profile::{DefaultConstraint, Placement, PreemptionArgs, ResourceName, Score, ShapePoint};

use crate::manifest::{Lowering, affinity, de};
use crate::text::Node;

/// What a profile says of its plugins. What is left out stays as the version has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Args {
    strategy: Option<Score>,
    fit_resources: Option<Vec<(ResourceName, i64)>>,
    shape: Option<Vec<ShapePoint>>,
    ignored: Vec<shakedown_engine::ids::Symbol>,
    balanced: Option<Vec<ResourceName>>,
    hard_weight: Option<i64>,
    ignore_existing: Option<bool>,
    required: Vec<NodeTerm>,
    preferred: Vec<(i32, NodeTerm)>,
    constraints: Option<Vec<DefaultConstraint>>,
    preemption: Option<PreemptionArgs>,
}

impl Args {
    /// By what free resources score.
    pub(super) fn strategy(&self) -> Score {
        self.strategy.unwrap_or(Score::LeastAllocated)
    }

    pub(super) fn apply(&self, placement: &mut Placement) {
        let args = &mut placement.args;
        let own = self.clone();
        if let Some(resources) = own.fit_resources {
            args.fit_resources = resources;
        }
        if let Some(shape) = own.shape {
            args.shape = shape;
        }
        if let Some(resources) = own.balanced {
            args.balanced_resources = resources;
        }
        args.ignored_resources.extend(own.ignored);
        args.hard_affinity_weight = own.hard_weight.unwrap_or(args.hard_affinity_weight);
        args.ignore_existing_terms = own.ignore_existing.unwrap_or(args.ignore_existing_terms);
        args.added_required.extend(own.required);
        args.added_preferred.extend(own.preferred);
        if own.constraints.is_some() {
            args.default_constraints = own.constraints;
        }
        if own.preemption.is_some() {
            args.preemption = own.preemption;
        }
    }
}

impl Lowering<'_> {
    pub(super) fn plugin_config(&mut self, node: &Node) -> Args {
        let mut out = Args::default();
        for item in node.items() {
            let name = item.get("name").and_then(Node::scalar).unwrap_or_default();
            let Some(args) = item.get("args") else { continue };
            match name {
                "NodeResourcesFit" => self.fit_args(args, &mut out),
                "NodeResourcesBalancedAllocation" => {
                    let list = args.get("resources").map(|list| self.weighted(list));
                    out.balanced = list.map(|list| list.into_iter().map(|(name, _)| name).collect());
                }
                "InterPodAffinity" => {
                    out.hard_weight =
                        args.get("hardPodAffinityWeight").and_then(|n| self.bounded_number(n, 100)).map(i64::from);
                    out.ignore_existing = args
                        .get("ignorePreferredTermsOfExistingPods")
                        .and_then(Node::scalar)
                        .map(|word| word == "true");
                }
                "PodTopologySpread" => self.spread_args(args, &mut out),
                "NodeAffinity" => self.affinity_args(args, &mut out),
                "DefaultPreemption" => {
                    let default = PreemptionArgs::default();
                    let percent = args.get("minCandidateNodesPercentage").and_then(|n| self.bounded_number(n, 100));
                    let nodes = args.get("minCandidateNodesAbsolute").and_then(|n| self.bounded_number(n, u32::MAX));
                    out.preemption = Some(PreemptionArgs {
                        min_percent: percent.unwrap_or(default.min_percent),
                        min_nodes: nodes.unwrap_or(default.min_nodes),
                    });
                }
                "VolumeBinding" => {
                    if let Some(shape) = args.get("shape") {
                        let why = "volumes are not scored by their capacity";
                        self.unmodelled.field("VolumeBindingArgs.shape", why, shape.mark);
                    }
                    if let Some(timeout) = args.get("bindTimeoutSeconds").filter(|own| own.scalar() != Some("600")) {
                        let why = "a pod waits for its volumes as long as it takes";
                        self.unmodelled.field("VolumeBindingArgs.bindTimeoutSeconds", why, timeout.mark);
                    }
                }
                other => {
                    let mark = item.get("name").map_or(item.mark, |name| name.mark);
                    let known = [
                        "DefaultPreemption",
                        "InterPodAffinity",
                        "NodeAffinity",
                        "NodeResourcesBalancedAllocation",
                        "NodeResourcesFit",
                        "PodTopologySpread",
                        "VolumeBinding",
                    ];
                    self.problems
                        .error("E0312", mark, format!("no plugin with arguments is called \"{other}\""))
                        .expected("expected a plugin that takes arguments")
                        .suggest(other, known);
                }
            }
        }
        out
    }

    fn fit_args(&mut self, node: &Node, out: &mut Args) {
        for field in ["ignoredResources", "ignoredResourceGroups"] {
            for item in node.get(field).map(Node::items).unwrap_or_default() {
                let Some(text) = item.scalar() else { continue };
                if field == "ignoredResources" {
                    out.ignored.push(self.catalog.names.intern(text));
                    continue;
                }
                // A group stands for all resources below it that nodes or pods know.
                let nodes = self.catalog.nodes.rows().iter().map(|node| &node.allocatable);
                let pods = self.catalog.templates.rows().iter().map(|template| &template.requests);
                let all = nodes.chain(pods).flat_map(|amounts| amounts.extended.iter().map(|(name, _)| *name));
                let mut below: Vec<_> = all
                    .filter(|&name| self.catalog.text(name).split_once('/').is_some_and(|(group, _)| group == text))
                    .collect();
                below.sort_unstable();
                below.dedup();
                out.ignored.extend(below);
            }
        }
        let Some(strategy) = node.get("scoringStrategy") else { return };
        let word = strategy.get("type").and_then(Node::scalar).unwrap_or("LeastAllocated");
        out.strategy = match word {
            "LeastAllocated" => Some(Score::LeastAllocated),
            "MostAllocated" => Some(Score::MostAllocated),
            "RequestedToCapacityRatio" => Some(Score::RequestedToCapacityRatio),
            other => {
                let known = ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"];
                let mark = strategy.get("type").map_or(strategy.mark, |word| word.mark);
                self.problems
                    .error("E0512", mark, format!("scoringStrategy.type: Unsupported value: \"{other}\""))
                    .expected(format!("expected one of `{}`", known.join("`, `")))
                    .suggest(other, known);
                None
            }
        };
        out.fit_resources = strategy.get("resources").map(|list| self.weighted(list));
        let shape = strategy.get("requestedToCapacityRatio").and_then(|ratio| ratio.get("shape"));
        out.shape = shape.map(|list| self.shape(list));
        if out.strategy == Some(Score::RequestedToCapacityRatio) && out.shape.as_ref().is_none_or(Vec::is_empty) {
            self.problems
                .error(
                    "E0512",
                    strategy.mark,
                    "requestedToCapacityRatio.shape: Required value: at least one point must be specified",
                )
                .expected("expected points such as `{ utilization: 0, score: 0 }`");
        }
    }

    fn shape(&mut self, node: &Node) -> Vec<ShapePoint> {
        let mut out: Vec<ShapePoint> = Vec::new();
        for item in node.items() {
            let utilization = item.get("utilization").and_then(|n| self.bounded_number(n, 100)).unwrap_or(0);
            let score = item.get("score").and_then(|n| self.bounded_number(n, 10)).unwrap_or(0);
            let point = ShapePoint { utilization: i64::from(utilization), score: i64::from(score) };
            if out.last().is_some_and(|last| last.utilization >= point.utilization) {
                let why = "utilization values must be sorted in increasing order";
                self.problems
                    .error("E0512", item.mark, format!("shape: Invalid value: {utilization}: {why}"))
                    .expected("expected a higher utilization than before");
            }
            out.push(point);
        }
        out
    }

    fn weighted(&mut self, node: &Node) -> Vec<(ResourceName, i64)> {
        let mut out = Vec::new();
        for item in node.items() {
            let name = item.get("name").and_then(Node::scalar).unwrap_or_default();
            let weight = item.get("weight").and_then(|n| self.bounded_number(n, 100)).unwrap_or(1).max(1);
            let name = match name {
                "cpu" => ResourceName::Cpu,
                "memory" => ResourceName::Memory,
                "ephemeral-storage" => ResourceName::Ephemeral,
                other => ResourceName::Extended(self.catalog.names.intern(other)),
            };
            out.push((name, i64::from(weight)));
        }
        out
    }

    fn spread_args(&mut self, node: &Node, out: &mut Args) {
        let kind = node.get("defaultingType").and_then(Node::scalar).unwrap_or("System");
        let list = node.get("defaultConstraints").map(Node::items).unwrap_or_default();
        if kind == "System" {
            if let Some(first) = list.first() {
                let why = "when .defaultingType is System";
                self.problems
                    .error("E0512", first.mark, format!("defaultConstraints: Invalid value: {why}"))
                    .expected("expected `defaultingType: List` beside constraints");
            }
            return;
        }
        let mut constraints = Vec::new();
        for item in list {
            let skew = item.get("maxSkew").and_then(|n| self.bounded_number(n, i32::MAX as u32)).unwrap_or(1);
            let key = item.get("topologyKey").and_then(Node::scalar).unwrap_or_default();
            let hard = item.get("whenUnsatisfiable").and_then(Node::scalar) == Some("DoNotSchedule");
            constraints.push(DefaultConstraint {
                max_skew: i32::try_from(skew).unwrap_or(i32::MAX),
                topology_key: self.catalog.names.intern(key),
                when: if hard { WhenUnsatisfiable::DoNotSchedule } else { WhenUnsatisfiable::ScheduleAnyway },
            });
        }
        out.constraints = Some(constraints);
    }

    fn affinity_args(&mut self, node: &Node, out: &mut Args) {
        let Some(added) = node.get("addedAffinity") else { return };
        match de::typed::<core::NodeAffinity>(added) {
            Err(misfit) => {
                let mark = misfit.mark.unwrap_or(added.mark);
                self.problems
                    .error("E0512", mark, format!("addedAffinity does not fit: {misfit}"))
                    .expected("expected the node affinity of a pod");
            }
            Ok(from) => {
                let required = from.required_during_scheduling_ignored_during_execution;
                for term in required.iter().flat_map(|selector| &selector.node_selector_terms) {
                    out.required.extend(affinity::node_term(term, self, added));
                }
                for one in from.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
                    let term = affinity::node_term(&one.preference, self, added);
                    out.preferred.extend(term.map(|term| (one.weight, term)));
                }
            }
        }
    }

    fn bounded_number(&mut self, node: &Node, most: u32) -> Option<u32> {
        let value = self.whole(node)?;
        if value > most {
            self.problems
                .error("E0512", node.mark, format!("Invalid value: {value}: not in valid range [0-{most}]"))
                .expected(format!("expected at most {most}"));
            return None;
        }
        Some(value)
    }
}
