//! One node is looked at: constraints, distinct values, room, scores; and all looks of a choice are counted.
//!
//! The order of conditions is the original's, since each node is counted under the first that it fails. Start at
//! [`Scheduler::look_at`].
//!
//! Source: hashicorp/nomad:scheduler/feasible/stack.go, `NewGenericStack`; feasible.go, `FeasibilityWrapper`.

use super::fit::{self, Amount};
use super::spread::Wanted;
use super::{Ask, Evict, NodeScores, Ranked, node_classes};
use crate::ids::{Id, NodeId};
use crate::profile::Sampled;
use crate::scheduler::Scheduler;
use crate::scheduler::outcome::Reason;

/// What one choice looked at (`AllocMetric`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looks {
    /// Nodes looked at.
    pub evaluated: u32,
    /// Nodes that do not meet a constraint, the first of their class in this evaluation.
    pub constraint: u32,
    /// Nodes of a class that is known not to (`computed class ineligible`).
    pub ineligible: u32,
    /// Nodes that have a replica of the job already (`distinct_hosts`).
    pub distinct_hosts: u32,
    /// Nodes whose value of an attribute has enough replicas (`distinct_property`).
    pub distinct_property: u32,
    /// Nodes without room, by what they lack first.
    pub exhausted: Vec<(Reason, u32)>,
    /// Feasible nodes, in the order looked at.
    pub candidates: Vec<Ranked>,
    /// The candidate that was chosen.
    pub chosen: Option<usize>,
}

/// Why a node is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It does not meet a constraint.
    Constraint,
    /// It has a replica of the job already.
    DistinctHosts,
    /// Its value of an attribute has enough replicas.
    DistinctProperty,
    /// It has no room.
    Exhausted(Reason),
}

impl Looks {
    /// Nodes that were filtered.
    pub const fn filtered(&self) -> u32 {
        self.constraint + self.ineligible + self.distinct_hosts + self.distinct_property
    }

    /// Nodes that lacked room.
    pub fn all_exhausted(&self) -> u32 {
        self.exhausted.iter().map(|entry| entry.1).sum()
    }

    pub(super) fn clear(&mut self) {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        *self = Self { candidates, ..Self::default() };
    }

    fn lacks(&mut self, reason: Reason) {
        match self.exhausted.iter_mut().find(|entry| entry.0 == reason) {
            Some(entry) => entry.1 += 1,
            None => self.exhausted.push((reason, 1)),
        }
    }
}

impl Scheduler {
    /// Looks at a node and counts what is found; the total of a candidate.
    pub(super) fn look_at(&mut self, ask: Ask, node: NodeId, policy: &Sampled) -> Option<f64> {
        self.sampling.looks.evaluated += 1;
        match self.rank(ask, node, policy) {
            Ok(ranked) => {
                let total = ranked.total;
                self.sampling.looks.candidates.push(ranked);
                Some(total)
            }
            Err(Miss::Constraint) => {
                if self.is_first_of_its_class(node) {
                    self.sampling.looks.constraint += 1;
                } else {
                    self.sampling.looks.ineligible += 1;
                }
                None
            }
            Err(Miss::DistinctHosts) => {
                self.sampling.looks.distinct_hosts += 1;
                None
            }
            Err(Miss::DistinctProperty) => {
                self.sampling.looks.distinct_property += 1;
                None
            }
            Err(Miss::Exhausted(reason)) => {
                self.sampling.looks.lacks(reason);
                None
            }
        }
    }

    /// Notes that a class of nodes does not meet the constraints; true when that was not known.
    fn is_first_of_its_class(&mut self, node: NodeId) -> bool {
        if self.sampling.node_classes.is_empty() {
            self.sampling.node_classes = node_classes(&self.catalog);
        }
        let class = self.sampling.node_classes[node.index()];
        self.sampling.evaluation.as_mut().is_none_or(|evaluation| evaluation.ineligible.insert(class))
    }

    /// What a node is worth, or why it is no candidate.
    pub(super) fn rank(&mut self, ask: Ask, node: NodeId, policy: &Sampled) -> Result<Ranked, Miss> {
        if !self.fixed[self.classes[ask.class].fixed].passes[node.index()] {
            return Err(Miss::Constraint);
        }
        self.distinct(ask, node)?;
        let mut victims = Vec::new();
        if let Some(short) = self.shortage(ask, node) {
            let found = (ask.evict == Evict::Yes).then(|| self.victims(ask, node, policy)).flatten();
            victims = found.ok_or(Miss::Exhausted(short))?;
        }
        let scores = self.scores_of(ask, node, (policy, &victims));
        Ok(Ranked { node, total: scores.total(policy.formula), scores, victims })
    }

    /// At most one on a host, or so many for each value of an attribute.
    fn distinct(&mut self, ask: Ask, node: NodeId) -> Result<(), Miss> {
        let template = &self.catalog.templates[self.classes[ask.class].template];
        for distinct in &template.wishes.distinct {
            if distinct.attribute == self.catalog.known.hostname && distinct.at_most == 1 {
                if self.replicas_on(ask, node) > 0 {
                    return Err(Miss::DistinctHosts);
                }
                continue;
            }
            let value = self.catalog.nodes[node].labels.get(distinct.attribute).ok_or(Miss::DistinctProperty)?;
            let values = self.sampling.evaluation.as_mut().and_then(|e| e.values.get_mut(&distinct.attribute));
            if values.is_some_and(|values| values.of(value) >= u64::from(distinct.at_most)) {
                return Err(Miss::DistinctProperty);
            }
        }
        Ok(())
    }

    /// What a node lacks first. All that is there counts, so an overfull node takes nobody.
    ///
    /// Source: hashicorp/nomad:nomad/structs/funcs.go, `AllocsFit`; structs.go, `ComparableResources.Superset`.
    pub(super) fn shortage(&self, ask: Ask, node: NodeId) -> Option<Reason> {
        let (demand, n) = (&self.classes[ask.class].demand, node.index());
        if !self.usage.ports_free(demand, n) {
            return Some(Reason::Port);
        }
        let [_, cpu, memory, disk] = self.usage.free_amounts(n);
        let amounts = [
            (Reason::Cpu, demand.cpu, cpu),
            (Reason::Memory, demand.memory, memory),
            (Reason::Ephemeral, demand.ephemeral, disk),
        ];
        let short = amounts.into_iter().find(|(_, wanted, free)| wanted > free && (*wanted > 0 || *free < 0));
        let spec = &self.catalog.nodes[node];
        let extended = demand.extended.iter().find(|&&(name, wanted)| wanted > self.usage.free_extended(spec, n, name));
        short.map(|(reason, ..)| reason).or_else(|| extended.map(|&(name, _)| Reason::Extended(name)))
    }

    /// Replicas of the pod's job on a node.
    fn replicas_on(&self, ask: Ask, node: NodeId) -> u32 {
        let nodes = ask.workload.and_then(|workload| self.sampling.presence.get(&workload));
        nodes.and_then(|nodes| nodes.get(&node)).copied().unwrap_or(0)
    }

    fn scores_of(&mut self, ask: Ask, node: NodeId, found: (&Sampled, &[crate::ids::PodId])) -> NodeScores {
        let (policy, victims) = found;
        let (demand, n) = (&self.classes[ask.class].demand, node.index());
        let amount = |free: i64, whole: i64, wanted: i64| Amount { used: whole - free + wanted, whole };
        let usage = &self.usage;
        let cpu = amount(usage.free_cpu[n], usage.cap_cpu[n], demand.cpu);
        let memory = amount(usage.free_memory[n], usage.cap_memory[n], demand.memory);
        let fixed = &self.fixed[self.classes[ask.class].fixed];
        let failed = self.sampling.penalties.get(&ask.pod).is_some_and(|nodes| nodes.contains(&node));
        let priorities: Vec<i32> = victims.iter().map(|&pod| self.rank_of(pod)).collect();
        NodeScores {
            fit: fit::fit(cpu, memory, policy),
            anti_affinity: fit::anti_affinity(self.replicas_on(ask, node), ask.count, ask.batch, policy.formula),
            penalty: failed.then_some(fit::failed_before(policy.formula)),
            affinity: fit::affinity(fixed.preference[n], fixed.all_preferences(), policy),
            spread: self.spread_of(ask, node),
            preemption: fit::preemption(&priorities),
        }
    }

    /// Source: hashicorp/nomad:scheduler/feasible/spread.go, `Next`. A sum of zero is no part of the mean.
    fn spread_of(&mut self, ask: Ask, node: NodeId) -> Option<f64> {
        let spreads = &self.catalog.templates[self.classes[ask.class].template].wishes.spreads;
        let evaluation = self.sampling.evaluation.as_mut()?;
        let all_weights: u32 = spreads.iter().map(|spread| spread.weight).sum();
        let mut total = 0.0;
        for spread in spreads {
            let value = self.catalog.nodes[node].labels.get(spread.attribute);
            let values = evaluation.values.get_mut(&spread.attribute);
            let (Some(value), Some(values)) = (value, values) else {
                total -= 1.0;
                continue;
            };
            total += if spread.targets.is_empty() {
                values.even(value)
            } else {
                let lowest = &mut evaluation.lowest_spread;
                values.targeted(value, Wanted { spread, count: ask.count, all_weights, lowest })
            };
        }
        (total != 0.0).then_some(total)
    }
}
