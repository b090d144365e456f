//! Which plugins are on, in which order and with which weights.
//!
//! Source of the merging: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go, `mergePluginSet`, and
//! pkg/scheduler/framework/runtime/framework.go, `expandMultiPointPlugins`. Start at [`Plugins::placement`].

use std::collections::BTreeMap;

use shakedown_engine::profile::{Filter, Placement, Score};

use super::args::Args;
use crate::manifest::Lowering;
use crate::text::Node;

/// Plugins that are on by default, with the weights of those that score.
/// Source: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/default_plugins.go.
const DEFAULT: [(&str, i64); 19] = [
    ("SchedulingGates", 0),
    ("PrioritySort", 0),
    ("NodeUnschedulable", 0),
    ("NodeName", 0),
    ("TaintToleration", 3),
    ("NodeAffinity", 2),
    ("NodePorts", 0),
    ("NodeResourcesFit", 1),
    ("VolumeRestrictions", 0),
    ("NodeVolumeLimits", 0),
    ("VolumeBinding", 0),
    ("VolumeZone", 0),
    ("PodTopologySpread", 2),
    ("InterPodAffinity", 2),
    ("DefaultPreemption", 0),
    ("NodeResourcesBalancedAllocation", 1),
    ("ImageLocality", 1),
    ("DefaultBinder", 0),
    ("GangScheduling", 0),
];

/// Plugins behind feature gates: known, and without effect here.
const GATED: [&str; 4] =
    ["DynamicResources", "NodeDeclaredFeatures", "DeferredPodScheduling", "TopologyPlacementGenerator"];

/// Where plugins can be switched.
const POINTS: [&str; 13] = [
    "multiPoint",
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
];

/// What a profile switches, by point.
#[derive(Clone, Debug, Default)]
pub(super) struct Plugins {
    points: BTreeMap<&'static str, Set>,
}

#[derive(Clone, Debug, Default)]
struct Set {
    enabled: Vec<(String, i64)>,
    disabled: Vec<String>,
}

impl Set {
    fn disables(&self, name: &str) -> bool {
        self.disabled.iter().any(|own| own == "*" || own == name)
    }
}

impl Plugins {
    fn set(&self, point: &str) -> Set {
        self.points.get(point).cloned().unwrap_or_default()
    }

    /// Plugins at all points: the defaults without those that are disabled, changed in place by those that are enabled
    /// again, and then the other enabled ones.
    fn everywhere(&self) -> Vec<(String, i64)> {
        let Set { mut enabled, .. } = self.set("multiPoint");
        let custom = self.set("multiPoint");
        let mut out = Vec::new();
        for (name, weight) in DEFAULT {
            if custom.disables(name) {
                continue;
            }
            match enabled.iter().position(|(own, _)| own == name) {
                Some(index) => out.push(enabled.remove(index)),
                None => out.push((name.to_owned(), weight)),
            }
        }
        out.extend(enabled);
        out
    }

    /// Plugins at one point: those that it overrides, its own, and then the others of all points.
    fn at(&self, point: &str) -> Vec<(String, i64)> {
        let own = self.set(point);
        let all = self.everywhere();
        let overridden = all.iter().filter_map(|(name, _)| own.enabled.iter().find(|(other, _)| other == name));
        let mut out: Vec<(String, i64)> = overridden.cloned().collect();
        let has = |out: &[(String, i64)], name: &str| out.iter().any(|(other, _)| other == name);
        for one in &own.enabled {
            if !has(&out, &one.0) {
                out.push(one.clone());
            }
        }
        for one in all {
            if !own.disables(&one.0) && !has(&out, &one.0) {
                out.push(one);
            }
        }
        out
    }

    /// How a profile with these plugins and arguments places, made from the defaults of the simulated version.
    pub(super) fn placement(&self, base: &Placement, args: &Args) -> Placement {
        let mut out = base.clone();
        // An order that is not touched is the version's own.
        if self.points.keys().any(|point| ["multiPoint", "filter"].contains(point)) {
            out.filters = self.at("filter").iter().filter_map(|(name, _)| filter(name)).collect();
        }
        let strategy = args.strategy();
        let scored = self.at("score");
        let scores = scored.iter().filter_map(|(name, weight)| Some((score(name, strategy)?, (*weight).max(1))));
        out.scores = scores.collect();
        args.apply(&mut out);
        let preempts = self.at("postFilter").iter().any(|(name, _)| name == "DefaultPreemption");
        if !preempts {
            out.args.preemption = None;
        }
        out
    }
}

fn filter(name: &str) -> Option<Filter> {
    Some(match name {
        "NodeUnschedulable" => Filter::NodeUnschedulable,
        "NodeName" => Filter::NodeName,
        "TaintToleration" => Filter::TaintToleration,
        "NodeAffinity" => Filter::NodeAffinity,
        "NodePorts" => Filter::NodePorts,
        "NodeResourcesFit" => Filter::NodeResourcesFit,
        "VolumeRestrictions" => Filter::VolumeRestrictions,
        "NodeVolumeLimits" => Filter::NodeVolumeLimits,
        "VolumeBinding" => Filter::VolumeBinding,
        "VolumeZone" => Filter::VolumeZone,
        "PodTopologySpread" => Filter::PodTopologySpread,
        "InterPodAffinity" => Filter::InterPodAffinity,
        _ => return None,
    })
}

fn score(name: &str, fit: Score) -> Option<Score> {
    Some(match name {
        "TaintToleration" => Score::TaintToleration,
        "NodeAffinity" => Score::NodeAffinity,
        "NodeResourcesFit" => fit,
        "NodeResourcesBalancedAllocation" => Score::BalancedAllocation,
        "PodTopologySpread" => Score::PodTopologySpread,
        "InterPodAffinity" => Score::InterPodAffinity,
        "ImageLocality" => Score::ImageLocality,
        _ => return None,
    })
}

/// True for a plugin that the scheduler has.
fn is_plugin(name: &str) -> bool {
    GATED.contains(&name) || DEFAULT.iter().any(|(own, _)| *own == name)
}

impl Lowering<'_> {
    pub(super) fn scheduler_plugins(&mut self, node: &Node) -> Plugins {
        let mut out = Plugins::default();
        for (key, value) in node.entries() {
            let Some(point) = POINTS.iter().find(|point| **point == key.text) else {
                self.unknown_field(&key.text, key.mark);
                continue;
            };
            let mut set = Set::default();
            for (part, list) in value.entries() {
                for item in list.items() {
                    let Some(name) = self.plugin_name(item, part.text == "disabled") else { continue };
                    match part.text.as_str() {
                        "disabled" => set.disabled.push(name),
                        "enabled" => {
                            let weight = item.get("weight").and_then(Node::scalar).and_then(|text| text.parse().ok());
                            set.enabled.push((name, weight.unwrap_or(0)));
                        }
                        field => self.unknown_field(field, part.mark),
                    }
                }
            }
            out.points.insert(point, set);
        }
        out
    }

    /// The name of a plugin that exists; `*` only where plugins are disabled.
    fn plugin_name(&mut self, item: &Node, star: bool) -> Option<String> {
        let name = item.get("name").and_then(Node::scalar).unwrap_or_default();
        if is_plugin(name) || star && name == "*" {
            return Some(name.to_owned());
        }
        let mark = item.get("name").map_or(item.mark, |name| name.mark);
        self.problems
            .error("E0312", mark, format!("plugin \"{name}\" does not exist"))
            .expected("expected the name of a plugin of the scheduler; plugins from outside are not simulated")
            .suggest(name, DEFAULT.iter().map(|(own, _)| *own).chain(GATED));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugins(point: &'static str, enabled: &[(&str, i64)], disabled: &[&str]) -> Plugins {
        let set = Set {
            enabled: enabled.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect(),
            disabled: disabled.iter().map(|&name| name.to_owned()).collect(),
        };
        Plugins { points: [(point, set)].into() }
    }

    fn names(plugins: &Plugins, point: &str) -> Vec<String> {
        plugins.at(point).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn nothing_said_is_the_defaults() {
        let own = Plugins::default();
        assert_eq!(own.at("score"), DEFAULT.map(|(name, weight)| (name.to_owned(), weight)));
    }

    #[test]
    fn a_star_at_a_point_leaves_only_what_is_enabled_there() {
        let own = plugins("score", &[("ImageLocality", 7)], &["*"]);
        assert_eq!(own.at("score"), [("ImageLocality".to_owned(), 7)]);
        assert_eq!(names(&own, "filter").len(), DEFAULT.len());
    }

    #[test]
    fn a_star_everywhere_leaves_only_what_is_enabled_everywhere() {
        let own = plugins("multiPoint", &[("NodeName", 0), ("ImageLocality", 5)], &["*"]);
        assert_eq!(names(&own, "filter"), ["NodeName", "ImageLocality"]);
    }

    #[test]
    fn a_new_weight_everywhere_keeps_the_place_in_the_order() {
        let own = plugins("multiPoint", &[("NodeAffinity", 9)], &[]);
        let at = own.at("score").iter().position(|one| *one == ("NodeAffinity".to_owned(), 9));
        assert_eq!(at, Some(5));
    }

    #[test]
    fn what_a_point_enables_again_comes_first() {
        let own = plugins("filter", &[("InterPodAffinity", 0)], &[]);
        assert_eq!(names(&own, "filter")[0], "InterPodAffinity");
        assert_eq!(names(&own, "filter").len(), DEFAULT.len());
    }
}
