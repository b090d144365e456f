//! Resource scores by arguments of one's own: other resources, other weights, a function from use to score.
//!
//! The usual case, CPU and memory with weight 1 each, is computed in [`super::score`] and remembered there. Start at
//! [`Scheduler::fitting`].

use crate::ids::Id;
use crate::model::NodeSpec;
use crate::profile::{Balanced, ResourceName, Score, ShapePoint};
use crate::scheduler::Scheduler;
use crate::scheduler::class::Class;
use crate::scheduler::score::{MAX, least, most};

/// Scores of a shape go to this.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/kube-scheduler/config/v1/types_pluginargs.go, `MaxCustomPriorityScore`.
const SHAPE_MAX: i64 = 10;

impl Scheduler {
    /// Which formula balanced allocation uses.
    pub(super) fn balanced(&self, class: &Class) -> Balanced {
        self.profiles[class.profile].placement.balanced
    }

    /// True when the strategies look at CPU and memory with weight 1 each.
    pub(super) fn usual_resources(&self, class: &Class) -> bool {
        self.profiles[class.profile].placement.args.fit_resources == [(ResourceName::Cpu, 1), (ResourceName::Memory, 1)]
    }

    /// True when balance is that of CPU and memory.
    pub(super) fn usual_balance(&self, class: &Class) -> bool {
        self.profiles[class.profile].placement.args.balanced_resources == [ResourceName::Cpu, ResourceName::Memory]
    }

    /// False when the pod requests none of the resources that are balanced.
    pub(super) fn balances(&self, class: &Class) -> bool {
        let names = &self.profiles[class.profile].placement.args.balanced_resources;
        names.iter().any(|&name| wanted(class, name) > 0)
    }

    /// One of the strategies of `NodeResourcesFit`.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/noderesources/resource_allocation.go,
    /// least_allocated.go, most_allocated.go and requested_to_capacity_ratio.go.
    pub(super) fn fitting(&self, score: Score, class: &Class, n: usize) -> i64 {
        let args = &self.profiles[class.profile].placement.args;
        let node = &self.catalog.nodes[Id::from_index(n)];
        let (mut sum, mut weights) = (0, 0);
        for &(name, weight) in &args.fit_resources {
            let Some((used, cap)) = self.scored(class, node, (n, name)) else { continue };
            let value = match score {
                Score::MostAllocated => most(used, cap),
                Score::RequestedToCapacityRatio => by_shape(&args.shape, used, cap),
                _ => least(used, cap),
            };
            if score == Score::RequestedToCapacityRatio && value == 0 {
                continue;
            }
            sum += value * weight;
            weights += weight;
        }
        match score {
            _ if weights == 0 => 0,
            Score::RequestedToCapacityRatio => (sum as f64 / weights as f64).round() as i64,
            _ => sum / weights,
        }
    }

    /// What would be used of a resource as scoring sees it, and what there is; `None` when it does not count here.
    fn scored(&self, class: &Class, node: &NodeSpec, what: (usize, ResourceName)) -> Option<(i64, i64)> {
        let (n, name) = what;
        let usage = &self.usage;
        let (used, cap) = match name {
            ResourceName::Cpu => (usage.score_cpu[n] + class.demand.score_cpu, usage.cap_cpu[n]),
            ResourceName::Memory => (usage.score_memory[n] + class.demand.score_memory, usage.cap_memory[n]),
            other => return self.used(class, node, (n, other)).map(|(used, cap)| (used + wanted(class, other), cap)),
        };
        (cap != 0).then_some((used, cap))
    }

    /// What is used of a resource without this pod, and what there is; `None` when it does not count here. A resource
    /// of an extended kind counts only for pods that request it.
    fn used(&self, class: &Class, node: &NodeSpec, what: (usize, ResourceName)) -> Option<(i64, i64)> {
        let (n, name) = what;
        let [_, cpu, memory, ephemeral] = self.usage.free_amounts(n);
        let (free, cap) = match name {
            ResourceName::Cpu => (cpu, node.allocatable.cpu.0),
            ResourceName::Memory => (memory, node.allocatable.memory.0),
            ResourceName::Ephemeral => (ephemeral, node.allocatable.ephemeral.0),
            ResourceName::Extended(_) if wanted(class, name) == 0 => return None,
            ResourceName::Extended(symbol) => {
                (self.usage.free_extended(node, n, symbol), node.allocatable.extended(symbol))
            }
        };
        (cap != 0).then_some((cap - free, cap))
    }

    /// Balance over any resources.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go.
    pub(super) fn balance_of_all(&self, class: &Class, n: usize) -> i64 {
        let node = &self.catalog.nodes[Id::from_index(n)];
        let names = &self.profiles[class.profile].placement.args.balanced_resources;
        let share = |more: i64, (used, cap): (i64, i64)| ((used + more) as f64 / cap as f64).min(1.0);
        let known = || names.iter().filter_map(|&name| Some((name, self.used(class, node, (n, name))?)));
        let with: Vec<f64> = known().map(|(name, used)| share(wanted(class, name), used)).collect();
        let without: Vec<f64> = known().map(|(_, used)| share(0, used)).collect();
        match self.balanced(class) {
            Balanced::Change => 50 + (50 + evenness(&with) - evenness(&without)) / 2,
            _ => evenness(&with),
        }
    }
}

fn wanted(class: &Class, name: ResourceName) -> i64 {
    match name {
        ResourceName::Cpu => class.demand.cpu,
        ResourceName::Memory => class.demand.memory,
        ResourceName::Ephemeral => class.demand.ephemeral,
        ResourceName::Extended(symbol) => {
            class.demand.extended.iter().find(|(name, _)| *name == symbol).map_or(0, |(_, amount)| *amount)
        }
    }
}

/// 100 minus the standard deviation of shares, in hundredths.
fn evenness(shares: &[f64]) -> i64 {
    let deviation = match *shares {
        [] | [_] => 0.0,
        [a, b] => ((a - b) / 2.0).abs(),
        _ => {
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let squares: f64 = shares.iter().map(|share| (share - mean) * (share - mean)).sum();
            (squares / shares.len() as f64).sqrt()
        }
    };
    ((1.0 - deviation) * MAX as f64) as i64
}

/// The score of a use by a broken line through the points, in whole numbers.
///
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/helper/shape_score.go, `BuildBrokenLinearFunction`.
fn by_shape(shape: &[ShapePoint], used: i64, cap: i64) -> i64 {
    let utilization = if used > cap { 100 } else { used * 100 / cap };
    let scaled = |point: &ShapePoint| point.score * (MAX / SHAPE_MAX);
    let Some(i) = shape.iter().position(|point| utilization <= point.utilization) else {
        return shape.last().map_or(0, scaled);
    };
    let (here, before) = (&shape[i], &shape[i.saturating_sub(1)]);
    if i == 0 {
        return scaled(here);
    }
    let rise = (scaled(here) - scaled(before)) * (utilization - before.utilization);
    scaled(before) + rise / (here.utilization - before.utilization)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_a_broken_line_in_whole_numbers() {
        let point = |utilization, score| ShapePoint { utilization, score };
        let bin_packing = [point(0, 0), point(70, 10), point(100, 5)];
        let scores = [0, 35, 70, 85, 100, 130].map(|used| by_shape(&bin_packing, used, 100));
        assert_eq!(scores, [0, 50, 100, 75, 50, 50]);
        assert_eq!(by_shape(&[point(30, 4)], 90, 100), 40, "beyond the last point its score holds");
    }

    #[test]
    fn three_resources_are_even_by_their_standard_deviation() {
        assert_eq!(evenness(&[0.5, 0.5, 0.5]), 100);
        assert_eq!(evenness(&[0.0, 1.0, 0.5]), 59);
        assert_eq!(evenness(&[0.2]), 100);
    }
}
