//! Which feasible node is best: a column of raw values per score, normalised and weighted into totals.
//!
//! Scores that cannot matter for a pod are skipped as kube-scheduler skips them, leaving 0. Floats appear only where
//! the real formula has them, with the same operations in the same order. Start at [`Scheduler::score`].

use crate::ids::NodeId;
use crate::profile::{Balanced, Score};
use crate::scheduler::Scheduler;
use crate::scheduler::class::Class;
use crate::scheduler::counters::ClassId;
use crate::scheduler::memo::{Memo, Shape};
use crate::scheduler::outcome::{Candidate, Share};
use crate::scheduler::topology::NO_DOMAIN;

/// The best normalised score.
/// Source: kubernetes/kube-scheduler:framework/interface.go, `MaxNodeScore`.
pub(super) const MAX: i64 = 100;
/// Images smaller than this, spread considered, count as nothing.
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/imagelocality/image_locality.go, `minThreshold`.
const IMAGE_MIN: i64 = 23 * 1024 * 1024;
/// An image of this size scores in full (same source, `maxContainerThreshold`).
const IMAGE_MAX: i64 = 1000 * 1024 * 1024;
/// Raw spread value of a node that is not scored.
const IGNORED: i64 = -1;

/// Buffers of one placement, kept to be used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// Feasible nodes in the order found.
    pub(super) feasible: Vec<u32>,
    totals: Vec<i64>,
    column: Vec<i64>,
    sums: Vec<f64>,
    /// Domains seen in this pass carry this pass's number.
    seen: Vec<u32>,
    pass: u32,
    memo: Memo,
}

impl Scratch {
    /// One of the best, chosen by 64 random bits.
    pub(super) fn pick(&self, luck: u64) -> NodeId {
        let best = self.totals.iter().copied().max().expect("only feasible nodes are scored");
        let ties = self.totals.iter().filter(|total| **total == best).count();
        let chosen = ((u128::from(luck) * ties as u128) >> 64) as usize;
        let mut tied = self.totals.iter().enumerate().filter(|(_, total)| **total == best);
        let (at, _) = tied.nth(chosen).expect("the draw is below the number of ties");
        NodeId(self.feasible[at])
    }

    /// Of the best, the one whose name is the first.
    pub(super) fn first<'a>(&self, name: impl Fn(NodeId) -> &'a str) -> NodeId {
        let best = self.totals.iter().copied().max().expect("only feasible nodes are scored");
        let tied = self.feasible.iter().zip(&self.totals).filter(|(_, total)| **total == best);
        let first = tied.map(|(&node, _)| NodeId(node)).min_by_key(|&node| (name(node), node));
        first.expect("one of them is the best")
    }

    /// Number of distinct domains among feasible nodes that are scored; nodes without one count as one more.
    fn distinct(&mut self, domain_of: &[u32], domains: usize) -> usize {
        self.pass = self.pass.wrapping_add(1);
        if self.pass == 0 || self.seen.len() < domains {
            self.seen.clear();
            self.seen.resize(domains, 0);
            self.pass = 1;
        }
        let (mut size, mut outside) = (0, 0);
        for (&node, &raw) in self.feasible.iter().zip(&self.column) {
            if raw == IGNORED {
                continue;
            }
            match domain_of[node as usize] {
                NO_DOMAIN => outside = 1,
                domain => {
                    let seen = &mut self.seen[domain as usize];
                    size += usize::from(*seen != self.pass);
                    *seen = self.pass;
                }
            }
        }
        size + outside
    }
}

impl Scheduler {
    /// Fills the totals of all feasible nodes.
    pub(super) fn score(&self, class: ClassId, scratch: &mut Scratch) {
        self.score_each(class, scratch, None);
    }

    /// Totals by one score alone, as it is; `None`: all are equal.
    pub(super) fn score_by(&self, class: ClassId, scratch: &mut Scratch, score: Option<Score>) {
        let len = scratch.feasible.len();
        scratch.column.clear();
        scratch.column.resize(len, 0);
        if let Some(score) = score {
            self.fill(score, &self.classes[class], scratch);
        }
        std::mem::swap(&mut scratch.totals, &mut scratch.column);
    }

    /// The same, with each score's share recorded.
    pub(super) fn candidates(&self, class: ClassId, scratch: &mut Scratch) -> Vec<Candidate> {
        let candidate = |&node: &u32| Candidate { node: NodeId(node), scores: Vec::new(), total: 0 };
        let mut candidates: Vec<Candidate> = scratch.feasible.iter().map(candidate).collect();
        if candidates.len() < 2 {
            return candidates;
        }
        self.score_each(class, scratch, Some(&mut candidates));
        for (candidate, &total) in candidates.iter_mut().zip(&scratch.totals) {
            candidate.total = total;
        }
        candidates
    }

    fn score_each(&self, class: ClassId, scratch: &mut Scratch, mut record: Option<&mut [Candidate]>) {
        let class = &self.classes[class];
        let len = scratch.feasible.len();
        scratch.totals.clear();
        scratch.totals.resize(len, 0);
        let step = self.step(class);
        for &(score, weight) in &self.profiles[class.profile].placement.scores {
            scratch.column.clear();
            scratch.column.resize(len, 0);
            if !self.fill(score, class, scratch) {
                continue;
            }
            let raw = record.is_some().then(|| scratch.column.clone());
            normalise(score, &mut scratch.column);
            let coarse = matches!(score, Score::LeastAllocated | Score::MostAllocated | Score::SelectorSpread);
            if step > 1 && !coarse {
                scratch.column.iter_mut().for_each(|value| *value /= step);
            }
            if let (Some(candidates), Some(raw)) = (&mut record, raw) {
                for ((candidate, raw), &normalised) in candidates.iter_mut().zip(raw).zip(&scratch.column) {
                    // The mark of an ignored node is for normalisation only; the plugin itself gives it 0.
                    let raw = if score == Score::PodTopologySpread { raw.max(0) } else { raw };
                    candidate.scores.push(Share { score, raw, normalised, weight });
                }
            }
            for (total, &value) in scratch.totals.iter_mut().zip(&scratch.column) {
                *total += weight * value;
            }
        }
    }

    /// Raw values of one score; false when it is skipped.
    fn fill(&self, score: Score, class: &Class, scratch: &mut Scratch) -> bool {
        let fixed = &self.fixed[class.fixed];
        match score {
            Score::TaintToleration => each(scratch, |n| fixed.soft_taints[n]),
            Score::NodeAffinity => fixed.has_preferences() && each(scratch, |n| fixed.preference[n]),
            Score::LeastAllocated | Score::MostAllocated | Score::RequestedToCapacityRatio
                if score == Score::RequestedToCapacityRatio || !self.usual_resources(class) =>
            {
                each(scratch, |n| self.fitting(score, class, n))
            }
            Score::LeastAllocated => {
                let shape = (class.profile, score, class.demand.score_cpu, class.demand.score_memory);
                self.each_remembered(scratch, shape, |n| self.mean_of_resources(class, n, least))
            }
            Score::MostAllocated => {
                let shape = (class.profile, score, class.demand.score_cpu, class.demand.score_memory);
                self.each_remembered(scratch, shape, |n| self.mean_of_resources(class, n, most))
            }
            Score::RequestedToCapacityRatio => unreachable!("it was matched above, whatever the resources"),
            Score::BalancedAllocation if self.balanced(class) == Balanced::Difference => {
                let shape = (class.profile, score, class.demand.score_cpu, class.demand.score_memory);
                self.each_remembered(scratch, shape, |n| self.difference(class, n))
            }
            Score::BalancedAllocation if !self.usual_balance(class) => {
                self.balances(class) && each(scratch, |n| self.balance_of_all(class, n))
            }
            Score::BalancedAllocation => {
                let shape = (class.profile, score, class.demand.cpu, class.demand.memory);
                let best_effort = class.demand.cpu == 0 && class.demand.memory == 0;
                !best_effort && self.each_remembered(scratch, shape, |n| self.balance(class, n))
            }
            Score::PodTopologySpread => !class.soft.is_empty() && self.spread(class, scratch),
            Score::InterPodAffinity => self.pull(class, scratch),
            Score::ImageLocality => self.images_matter(class) && each(scratch, |n| self.locality(class, n)),
            Score::SelectorSpread => self.selector_spread(class, scratch),
            Score::FewestOfWorkload => {
                let Some(counter) = class.siblings else { return false };
                each(scratch, |n| -i64::from(self.ledger.near(counter, n)))
            }
            Score::FewestPods => {
                each(scratch, |n| i64::from(self.usage.terminating[n]) - i64::from(self.usage.pods[n]))
            }
        }
    }

    /// Values that depend on the shape and on the node's usage alone, recomputed only where the usage changed.
    fn each_remembered(&self, scratch: &mut Scratch, shape: Shape, value: impl Fn(usize) -> i64) -> bool {
        let Some(cells) = scratch.memo.column(shape, self.usage.version.len()) else { return each(scratch, value) };
        for (raw, &node) in scratch.column.iter_mut().zip(&scratch.feasible) {
            let n = node as usize;
            *raw = cells[n].get(self.usage.version[n], || value(n));
        }
        true
    }

    /// Mean over CPU and memory, weight 1 each, without those that the node has none of.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/noderesources/least_allocated.go and
    /// most_allocated.go; requests are the non-zero ones that scoring sees.
    #[inline]
    fn mean_of_resources(&self, class: &Class, n: usize, part: fn(i64, i64) -> i64) -> i64 {
        let usage = &self.usage;
        let (cpu_cap, memory_cap) = (usage.cap_cpu[n], usage.cap_memory[n]);
        let step = self.step(class);
        let of = |asked: i64, cap: i64| if cap == 0 { 0 } else { part(asked, cap) / step };
        let cpu = of(usage.score_cpu[n] + class.demand.score_cpu, cpu_cap);
        let memory = of(usage.score_memory[n] + class.demand.score_memory, memory_cap);
        match i64::from(cpu_cap != 0) + i64::from(memory_cap != 0) {
            0 => 0,
            1 => cpu + memory,
            _ => (cpu + memory) / 2,
        }
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go; the change
    /// of balance since 1.36 is kubernetes/kubernetes#135573.
    #[inline]
    fn balance(&self, class: &Class, n: usize) -> i64 {
        let usage = &self.usage;
        let caps = (usage.cap_cpu[n], usage.cap_memory[n]);
        let used = (caps.0 - usage.free_cpu[n], caps.1 - usage.free_memory[n]);
        let with = balance_of((used.0 + class.demand.cpu, used.1 + class.demand.memory), caps);
        match self.balanced(class) {
            Balanced::After | Balanced::Difference => with,
            Balanced::Change => 50 + (50 + with - balance_of(used, caps)) / 2,
        }
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go of 1.20,
    /// `balancedResourceScorer`: requests as scoring counts them, nothing for a node that would be full.
    fn difference(&self, class: &Class, n: usize) -> i64 {
        let usage = &self.usage;
        let share = |used: i64, cap: i64| if cap == 0 { 1.0 } else { used as f64 / cap as f64 };
        let cpu = share(usage.score_cpu[n] + class.demand.score_cpu, usage.cap_cpu[n]);
        let memory = share(usage.score_memory[n] + class.demand.score_memory, usage.cap_memory[n]);
        if cpu >= 1.0 || memory >= 1.0 { 0 } else { ((1.0 - (cpu - memory).abs()) * MAX as f64) as i64 }
    }

    /// How many of our points make one of the profile's, which may be coarser.
    fn step(&self, class: &Class) -> i64 {
        MAX / self.profiles[class.profile].placement.max_score
    }

    /// Pods of the same workload, as a service of it would select them, on the node and in its zone.
    /// Source: kubernetes/kubernetes:plugin/pkg/scheduler/algorithm/priorities/selector_spreading.go of 1.2.
    fn selector_spread(&self, class: &Class, scratch: &mut Scratch) -> bool {
        /// A zone weighs twice as much as a node.
        const ZONE_WEIGHT: f32 = 2.0 / 3.0;
        let (Some(nodes), Some(zones)) = (class.siblings, class.siblings_by_zone) else { return false };
        let best = self.profiles[class.profile].placement.max_score as f32;
        let most = |counter| self.ledger.counter(counter).counts.iter().copied().max().unwrap_or(0);
        let (most_on_node, most_in_zone) = (most(nodes), most(zones));
        let share = |count: u32, most: u32| {
            if most == 0 { best } else { best * ((most - count) as f32 / most as f32) }
        };
        let zone_of = &self.ledger.topology_of(zones).domain_of;
        each(scratch, |n| {
            let score = share(self.ledger.near(nodes, n), most_on_node);
            // Where no pod has a zone yet, zones do not count.
            if most_in_zone == 0 || zone_of[n] == NO_DOMAIN {
                return score as i64;
            }
            let zone = share(self.ledger.near(zones, n), most_in_zone);
            (score * (1.0 - ZONE_WEIGHT) + ZONE_WEIGHT * zone) as i64
        })
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/scoring.go, `PreScore`, `Score`.
    fn spread(&self, class: &Class, scratch: &mut Scratch) -> bool {
        if class.soft_needs_all {
            for constraint in &class.soft {
                let domain_of = &self.ledger.topology(constraint.topology).domain_of;
                for (raw, &node) in scratch.column.iter_mut().zip(&scratch.feasible) {
                    if domain_of[node as usize] == NO_DOMAIN {
                        *raw = IGNORED;
                    }
                }
            }
        }
        scratch.sums.clear();
        scratch.sums.resize(scratch.feasible.len(), 0.0);
        for constraint in &class.soft {
            let topology = self.ledger.topology(constraint.topology);
            let size = if constraint.by_node {
                scratch.column.iter().filter(|raw| **raw != IGNORED).count()
            } else {
                scratch.distinct(&topology.domain_of, topology.domains)
            };
            let weight = libm::log((size + 2) as f64);
            let counts = &self.ledger.counter(constraint.counter).counts;
            let tolerance = f64::from(constraint.max_skew - 1);
            for (sum, &node) in scratch.sums.iter_mut().zip(&scratch.feasible) {
                let domain = topology.domain_of[node as usize];
                if domain != NO_DOMAIN {
                    *sum += f64::from(counts[domain as usize]) * weight + tolerance;
                }
            }
        }
        for (raw, sum) in scratch.column.iter_mut().zip(&scratch.sums).filter(|(raw, _)| **raw != IGNORED) {
            *raw = sum.round() as i64;
        }
        true
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/interpodaffinity/scoring.go, `Score`.
    fn pull(&self, class: &Class, scratch: &mut Scratch) -> bool {
        let mut any = false;
        for &(id, weight) in &class.pulls {
            let counter = self.ledger.counter(id);
            if counter.total == 0 {
                continue;
            }
            any = true;
            let domain_of = &self.ledger.topology_of(id).domain_of;
            for (raw, &node) in scratch.column.iter_mut().zip(&scratch.feasible) {
                *raw += weight * i64::from(counter.of(domain_of[node as usize]));
            }
        }
        any
    }

    fn images_matter(&self, class: &Class) -> bool {
        class.images.iter().any(|&image| self.nodes_with[image] > 0)
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/imagelocality/image_locality.go: the size counts
    /// by the share of nodes that have the image, so that one warm node does not attract everything.
    fn locality(&self, class: &Class, n: usize) -> i64 {
        let nodes = self.order.len() as f64;
        let here = class.images.iter().filter(|image| self.images[n].binary_search(image).is_ok());
        let sum: i64 = here
            .map(|&image| {
                let spread = f64::from(self.nodes_with[image]) / nodes;
                (self.catalog.images[image].size.0 as f64 * spread) as i64
            })
            .sum();
        let max = IMAGE_MAX * class.images.len() as i64;
        MAX * (sum.clamp(IMAGE_MIN, max) - IMAGE_MIN) / (max - IMAGE_MIN)
    }
}

#[inline]
fn each(scratch: &mut Scratch, value: impl Fn(usize) -> i64) -> bool {
    for (raw, &node) in scratch.column.iter_mut().zip(&scratch.feasible) {
        *raw = value(node as usize);
    }
    true
}

pub(super) fn least(requested: i64, capacity: i64) -> i64 {
    if requested > capacity { 0 } else { (capacity - requested) * MAX / capacity }
}

pub(super) fn most(requested: i64, capacity: i64) -> i64 {
    requested.min(capacity) * MAX / capacity
}

/// 100 minus the standard deviation of the used shares, in hundredths.
fn balance_of(used: (i64, i64), caps: (i64, i64)) -> i64 {
    // With less than two resources there is no deviation.
    if caps.0 == 0 || caps.1 == 0 {
        return MAX;
    }
    let share = |used: i64, cap: i64| (used as f64 / cap as f64).min(1.0);
    let deviation = ((share(used.0, caps.0) - share(used.1, caps.1)) / 2.0).abs();
    ((1.0 - deviation) * MAX as f64) as i64
}

/// Brings a column to 0..=100 where its score does so.
fn normalise(score: Score, column: &mut [i64]) {
    match score {
        Score::TaintToleration => by_largest(column, Direction::Reversed),
        Score::NodeAffinity => by_largest(column, Direction::Straight),
        Score::PodTopologySpread => even(column),
        Score::InterPodAffinity => by_range(column),
        Score::LeastAllocated
        | Score::MostAllocated
        | Score::RequestedToCapacityRatio
        | Score::BalancedAllocation
        | Score::ImageLocality
        | Score::SelectorSpread
        | Score::FewestOfWorkload
        | Score::FewestPods => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Straight,
    Reversed,
}

/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/helper/normalize_score.go, `DefaultNormalizeScore`.
fn by_largest(column: &mut [i64], direction: Direction) {
    let largest = column.iter().copied().max().unwrap_or(0);
    for value in column {
        let share = if largest == 0 { 0 } else { MAX * *value / largest };
        *value = if direction == Direction::Reversed { MAX - share } else { share };
    }
}

/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/scoring.go, `NormalizeScore`.
fn even(column: &mut [i64]) {
    let scored = column.iter().copied().filter(|value| *value != IGNORED);
    let (smallest, largest) = scored.fold((i64::MAX, 0), |(min, max), value| (min.min(value), max.max(value)));
    for value in column {
        *value = match *value {
            IGNORED => 0,
            _ if largest == 0 => MAX,
            value => MAX * (largest + smallest - value) / largest,
        };
    }
}

/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/interpodaffinity/scoring.go, `NormalizeScore`.
fn by_range(column: &mut [i64]) {
    let bounds = column.iter().fold((i64::MAX, i64::MIN), |(min, max), &value| (min.min(value), max.max(value)));
    let (smallest, largest) = bounds;
    for value in column {
        let range = largest - smallest;
        let share = if range > 0 { MAX as f64 * ((*value - smallest) as f64 / range as f64) } else { 0.0 };
        *value = share as i64;
    }
}
