//! Choice by weights: classic Swarm's strategies, with its rules and its own idea of what fits.
//!
//! A node's weight is the share of its CPU and memory that would be taken, in per cent, and its health. What asks for
//! nothing weighs the same everywhere, so that only the number of containers counts. There is no other check of
//! capacity, and `random` has none at all. Start at [`Scheduler::by_weight`].
//!
//! Sources: docker-archive/classicswarm:scheduler/scheduler.go, `SelectNodesForContainer`;
//! scheduler/strategy/weighted_node.go, spread.go, binpack.go, random.go; cluster/engine.go, `TotalCpus`.

use std::collections::BTreeMap;

use regex::Regex;

use crate::ids::{Id, NodeId, TemplateId};
use crate::model::{About, Rule};
use crate::profile::{Choice, Strategy, Weights};
use crate::scheduler::counters::ClassId;
use crate::scheduler::filter::Ask;
use crate::scheduler::outcome::{Outcome, Reason, Refusal, Verdict};
use crate::scheduler::{Class, Request, Scheduler};

/// What a healthy node adds to a weight: 100, ten times, against the two shares of up to 100 each.
const HEALTH_FACTOR: i64 = 10;

/// Rules of templates, compiled at first use.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(BTreeMap<TemplateId, Vec<Compiled>>);

#[derive(Clone, Debug)]
struct Compiled {
    rule: Rule,
    pattern: Option<Regex>,
}

impl Compiled {
    fn new(rule: &Rule) -> Self {
        Self { rule: rule.clone(), pattern: Regex::new(&rule.pattern()).ok() }
    }

    /// Whether one of these is what the rule says. Nothing to look at matches nothing.
    fn admits<'a>(&self, mut whats: impl Iterator<Item = &'a str>) -> bool {
        let matches = |what| self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(what));
        whats.any(matches) == self.rule.equal
    }
}

impl Scheduler {
    /// How healthy a node is, from 100 down to 0.
    pub fn set_health(&mut self, node: NodeId, health: i64) {
        self.health[node.index()] = health;
    }

    /// Chooses among the nodes that all filters let pass: with soft rules first, and without them if that fails.
    pub(super) fn by_weight(&mut self, (ask, looked_at): (Ask, u32), weights: Weights, luck: u64) -> Outcome {
        self.compile_rules(ask);
        for soft in [true, false] {
            let kept = self.meeting_rules(ask, soft);
            let tied = self.tied_by_weight(ask, &kept, weights);
            if !tied.is_empty() {
                let node = tied[((u128::from(luck) * tied.len() as u128) >> 64) as usize];
                return Outcome::Placed { node, looked_at, feasible: kept.len() as u32 };
            }
        }
        Outcome::Refused(self.refusal_by_weight(ask))
    }

    /// The nodes among which the next [`Scheduler::place`] of this pod would choose by luck; none when it is refused.
    /// Only for profiles that choose by weights.
    pub fn equals_by_weight(&mut self, pod: &Request) -> Vec<NodeId> {
        let ask = self.ask(pod);
        let Choice::Weights(weights) = self.placement(ask.class).choice else { return Vec::new() };
        self.refresh_order();
        self.find_feasible(ask);
        self.compile_rules(ask);
        let tied = |soft| self.tied_by_weight(ask, &self.meeting_rules(ask, soft), weights);
        let all = tied(true);
        if all.is_empty() { tied(false) } else { all }
    }

    fn compile_rules(&mut self, ask: Ask) {
        let template = self.classes[ask.class].template;
        let rules = &self.catalog.templates[template].wishes.rules;
        if !rules.is_empty() && !self.rules.0.contains_key(&template) {
            self.rules.0.insert(template, rules.iter().map(Compiled::new).collect());
        }
    }

    /// Feasible nodes that meet the hard rules, and the soft ones if they count.
    fn meeting_rules(&self, ask: Ask, soft: bool) -> Vec<NodeId> {
        let feasible = self.scratch.feasible.iter().map(|&node| NodeId(node));
        let Some(rules) = self.rules.0.get(&self.classes[ask.class].template) else { return feasible.collect() };
        let counts = |rule: &&Compiled| soft || !rule.rule.soft;
        feasible.filter(|&node| rules.iter().filter(counts).all(|rule| self.meets_rule(rule, node))).collect()
    }

    fn meets_rule(&self, rule: &Compiled, node: NodeId) -> bool {
        let (names, spec) = (&self.catalog.names, &self.catalog.nodes[node]);
        let on_node = self.roster.below(node, i32::MAX).iter().map(|occupant| occupant.class);
        let label = |labels: &crate::labels::Labels, key: &str| {
            names.find(key).and_then(|key| labels.get(key)).map_or("", |value| names.text(value))
        };
        match &rule.rule.about {
            About::Node => rule.admits(std::iter::once(names.text(spec.name))),
            About::Label(key) => rule.admits(std::iter::once(label(&spec.labels, key))),
            About::Containers => rule.admits(on_node.filter_map(|class| self.name_of(class))),
            About::Images => {
                let images = self.images[node.index()].iter().map(|&image| names.text(self.catalog.images[image].name));
                // With and without its tag.
                rule.admits(images.flat_map(|name| [name, name.rsplit_once(':').map_or(name, |(repo, _)| repo)]))
            }
            About::ContainerLabel(key) => {
                let template = |class: ClassId| &self.catalog.templates[self.classes[class].template];
                rule.admits(on_node.map(|class| label(&template(class).labels, key)))
            }
        }
    }

    /// Containers are called by the workload that they were made for.
    fn name_of(&self, class: ClassId) -> Option<&str> {
        let (workload, _) = self.class_of[self.classes[class].template].iter().find(|(_, id)| *id == class)?;
        workload.map(|workload| self.catalog.names.text(self.catalog.workloads[workload].name))
    }

    /// The best of these nodes. Luck decides among them: the original sorts what comes out of a hash map, unstably.
    fn tied_by_weight(&self, ask: Ask, nodes: &[NodeId], weights: Weights) -> Vec<NodeId> {
        let class = &self.classes[ask.class];
        let rank = |node: NodeId| {
            let containers = i64::from(self.usage.pods[node.index()]);
            match weights.strategy {
                Strategy::Random => Some((0, 0)),
                Strategy::Spread => {
                    let weight = self.share_taken(class, node, weights)?;
                    Some((weight - HEALTH_FACTOR * self.health[node.index()], containers))
                }
                Strategy::Binpack => {
                    let weight = self.share_taken(class, node, weights)?;
                    Some((-weight - HEALTH_FACTOR * self.health[node.index()], -containers))
                }
            }
        };
        let ranked: Vec<_> = nodes.iter().filter_map(|&node| rank(node).map(|rank| (rank, node))).collect();
        let best = ranked.iter().map(|(rank, _)| *rank).min();
        ranked.iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, node)| *node).collect()
    }

    /// Per cent of CPU and of memory that would be taken, added; `None` when either is more than there is.
    ///
    /// A per cent is a whole number here, so that a node takes up to one per cent more than it has, as the original's.
    fn share_taken(&self, class: &Class, node: NodeId, weights: Weights) -> Option<i64> {
        let n = node.index();
        let (cpu, memory) = (class.demand.cpu, class.demand.memory);
        let cap_cpu = self.usage.cap_cpu[n] + beyond(self.usage.cap_cpu[n] / 1000, weights.overcommit) * 1000;
        let cap_memory = self.usage.cap_memory[n] + beyond(self.usage.cap_memory[n], weights.overcommit);
        let share = |asked: i64, used: i64, cap: i64| match (asked, cap) {
            (0, _) => Some(100),
            (asked, cap) if asked > cap => None,
            (asked, cap) => i64::try_from((i128::from(used) + i128::from(asked)) * 100 / i128::from(cap)).ok(),
        };
        let cpu = share(cpu, self.usage.cap_cpu[n] - self.usage.free_cpu[n], cap_cpu)?;
        let memory = share(memory, self.usage.cap_memory[n] - self.usage.free_memory[n], cap_memory)?;
        (cpu <= 100 && memory <= 100).then_some(cpu + memory)
    }

    fn refusal_by_weight(&mut self, ask: Ask) -> Refusal {
        let mut refusal = Refusal::default();
        let kept = self.meeting_rules(ask, false);
        let mut verdict = Verdict::of(Reason::NotNamed);
        for at in 0..self.order.len() {
            let node = self.order[at];
            if self.verdict_into(ask.class, node, &mut verdict) {
                refusal.add(&verdict);
            } else if kept.contains(&node) {
                let short = if self.classes[ask.class].demand.cpu > 0 { Reason::Cpu } else { Reason::Memory };
                refusal.add(&Verdict::of(short));
            } else {
                refusal.add(&Verdict::of(Reason::NodeAffinity));
            }
        }
        refusal
    }
}

/// So many thousandths of whole units, both rounded down: 5 % of 2 CPUs is nothing, and of 20 it is 1. The original
/// keeps the ratio in whole per cents.
fn beyond(whole: i64, overcommit: u32) -> i64 {
    let percent = overcommit / 10;
    i64::try_from(i128::from(whole) * i128::from(percent) / 100).unwrap_or(i64::MAX)
}
