//! A choice among a few shuffled nodes by the mean of scores: the schedulers of Nomad.
//!
//! It decides on one replica at a time within an evaluation of its job ([`Scheduler::begin`]). An evaluation shuffles the
//! nodes once (`walk`), looks for feasible ones until it has enough candidates (`look`, `limit`), and compares means of
//! scores (`fit`, `spread`); with none it looks again for those that may be pushed aside (`victims`). It neither
//! submits plans nor keeps time: that is `control/evaluations`. Start at `Scheduler::choose`.
//!
//! Source: hashicorp/nomad:scheduler/generic_sched.go, scheduler/feasible/stack.go; recorded on 1.1.2.

mod fit;
mod limit;
mod look;
mod spread;
#[cfg(test)]
mod tests;
mod victims;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

pub use fit::NodeScores;
pub use look::{Looks, Miss};

use crate::ids::{Id, NodeId, PodId, Symbol, WorkloadId};
use crate::model::{Catalog, Details, WorkloadKind};
use crate::profile::{Choice, Formula, Sampled};
use crate::scheduler::counters::{ClassId, FixedId};
use crate::scheduler::nomad::fit::Batch;
use crate::scheduler::nomad::limit::Limited;
use crate::scheduler::nomad::spread::Values;
use crate::scheduler::nomad::walk::Walk;
use crate::scheduler::outcome::{Candidate, Explanation, Outcome, Reason, Refusal, Verdict};
use crate::scheduler::{Request, Scheduler};

/// What these schedulers keep between evaluations. Empty where no profile chooses so.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampling {
    /// Ways through the nodes that come into question at all, by rules; `None` when a node has changed since.
    pools: BTreeMap<FixedId, Option<Walk>>,
    /// Replicas of each job by node, without those whose place was given up.
    presence: BTreeMap<WorkloadId, BTreeMap<NodeId, u32>>,
    /// Wanted replicas, where they differ from what was declared.
    counts: BTreeMap<WorkloadId, u32>,
    /// Nodes that a replica's chain failed on.
    penalties: BTreeMap<PodId, Vec<NodeId>>,
    /// Classes of nodes that verdicts are kept for, by node; made when first needed.
    node_classes: Vec<u32>,
    evaluation: Option<Evaluation>,
    looks: Looks,
}

/// One evaluation of a job.
#[derive(Clone, Debug)]
struct Evaluation {
    workload: Option<WorkloadId>,
    /// Replicas by value of each attribute that the job spreads over or wants distinct.
    values: BTreeMap<Symbol, Values>,
    /// Classes of nodes that were found not to meet the constraints.
    ineligible: BTreeSet<u32>,
    /// The lowest value that a spread gave.
    lowest_spread: f64,
}

/// A feasible node and what it is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The node.
    pub node: NodeId,
    /// What each scorer gave it.
    pub scores: NodeScores,
    /// The one number by which nodes are compared.
    pub total: f64,
    /// Who has to make way, in the order found.
    pub victims: Vec<PodId>,
}

/// Whether others may be pushed aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evict {
    /// They may.
    Yes,
    /// The pod takes what is free.
    No,
}

/// A pod that looks for a node.
#[derive(Clone, Copy, Debug)]
struct Ask {
    pod: PodId,
    class: ClassId,
    workload: Option<WorkloadId>,
    /// Replicas of its job.
    count: u32,
    batch: Batch,
    evict: Evict,
}

impl Scheduler {
    /// The policy of pods of a class, where it is this one.
    pub(super) fn sampled(&self, class: ClassId) -> Option<&Sampled> {
        match &self.placement(class).choice {
            Choice::Sampled(policy) => Some(policy),
            _ => None,
        }
    }

    /// True when some pods are placed this way.
    pub(super) fn samples(&self) -> bool {
        self.profiles.iter().any(|profile| matches!(profile.placement.choice, Choice::Sampled(_)))
    }

    /// An evaluation of a pod's job begins: nodes are shuffled, and nothing is known of them.
    pub fn begin(&mut self, pod: &Request) {
        let (ask, workload) = (self.sample_for(pod), pod.workload);
        self.sampling.pools.values_mut().flatten().for_each(Walk::reshuffle);
        self.sampling.evaluation =
            Some(Evaluation { workload, values: BTreeMap::new(), ineligible: BTreeSet::new(), lowest_spread: -1.0 });
        self.know_values(ask);
    }

    /// The evaluation is over.
    pub fn finish(&mut self) {
        self.sampling.evaluation = None;
    }

    /// How many replicas a job wants now.
    pub fn set_count(&mut self, workload: WorkloadId, count: u32) {
        self.sampling.counts.insert(workload, count);
    }

    /// The nodes that a pod's chain failed on: they cost a penalty.
    pub fn set_penalty(&mut self, pod: PodId, nodes: Vec<NodeId>) {
        if nodes.is_empty() {
            self.sampling.penalties.remove(&pod);
        } else {
            self.sampling.penalties.insert(pod, nodes);
        }
    }

    /// What the last choice looked at.
    pub const fn looks(&self) -> &Looks {
        &self.sampling.looks
    }

    /// The place of a pod that was told to stop counts as free from now on, though the pod is still there.
    pub fn give_up(&mut self, pod: PodId) {
        let Some(seat) = self.seats.get_mut(pod.index()).and_then(Option::as_mut).filter(|seat| !seat.given_up) else {
            return;
        };
        seat.given_up = true;
        let seat = *seat;
        self.usage.release(&self.classes[seat.class].demand, seat.node.index());
        self.fitting.changed(seat.node);
        self.looked.pod = None;
        self.stays_no_more(seat.class, seat.node);
    }

    /// A place that was given up is the pod's again.
    pub fn take_back(&mut self, pod: PodId) {
        let Some(seat) = self.seats.get_mut(pod.index()).and_then(Option::as_mut).filter(|seat| seat.given_up) else {
            return;
        };
        seat.given_up = false;
        let seat = *seat;
        self.usage.charge(&self.classes[seat.class].demand, seat.node.index());
        self.fitting.changed(seat.node);
        self.looked.pod = None;
        if let Some(workload) = self.classes[seat.class].workload {
            *self.sampling.presence.entry(workload).or_default().entry(seat.node).or_default() += 1;
        }
    }

    /// True when a pod fits on a node as it is: what the applier of plans asks.
    pub fn admits(&mut self, pod: &Request, node: NodeId) -> bool {
        let ask = self.sample_for(pod);
        self.comes_into_question(ask.class, node) && self.shortage(ask, node).is_none()
    }

    /// True when a node is open, and its class meets the pod's constraints.
    pub fn class_may_take(&mut self, pod: &Request, node: NodeId) -> bool {
        let class = self.class(pod);
        pod.only.is_none_or(|only| only == node)
            && self.comes_into_question(class, node)
            && self.fixed[self.classes[class].fixed].passes[node.index()]
    }

    /// A further version of the job leaves a replica as it is: the evaluation counts it as placed, once more.
    ///
    /// Recorded on 1.1.2; source: hashicorp/nomad:scheduler/feasible/propertyset.go, `PopulateProposed`, which counts all
    /// that the plan holds, updates in place included.
    pub fn update_in_place(&mut self, pod: PodId) {
        let Some(seat) = self.seats.get(pod.index()).copied().flatten() else { return };
        if let Some(workload) = self.classes[seat.class].workload {
            self.count_values(workload, seat.node, Values::place);
        }
    }

    /// A pod took a place.
    pub(super) fn stays(&mut self, pod: &Request, node: NodeId) {
        let Some(workload) = pod.workload.filter(|_| self.samples()) else { return };
        *self.sampling.presence.entry(workload).or_default().entry(node).or_default() += 1;
        self.count_values(workload, node, Values::place);
        self.sampling.penalties.remove(&pod.pod);
    }

    /// A pod left it, or its place was given up.
    pub(super) fn stays_no_more(&mut self, class: ClassId, node: NodeId) {
        let Some(workload) = self.classes[class].workload.filter(|_| self.samples()) else { return };
        let Some(nodes) = self.sampling.presence.get_mut(&workload) else { return };
        if let Some(count) = nodes.get_mut(&node) {
            *count -= 1;
            if *count == 0 {
                nodes.remove(&node);
            }
        }
        self.count_values(workload, node, Values::stop);
    }

    fn count_values(&mut self, workload: WorkloadId, node: NodeId, count: fn(&mut Values, Symbol)) {
        let Some(evaluation) = self.sampling.evaluation.as_mut().filter(|e| e.workload == Some(workload)) else {
            return;
        };
        for (&attribute, values) in &mut evaluation.values {
            if let Some(value) = self.catalog.nodes[node].labels.get(attribute) {
                count(values, value);
            }
        }
    }

    /// A node changed: who comes into question is found out again.
    pub(super) fn pools_are_stale(&mut self) {
        self.sampling.pools.values_mut().for_each(|pool| *pool = None);
    }

    /// The nodes that come into question for a pod at all, by id.
    pub fn pool(&mut self, pod: &Request) -> Vec<NodeId> {
        let class = self.class(pod);
        self.catalog.nodes.ids().filter(|&node| self.comes_into_question(class, node)).collect()
    }

    /// What one node is worth to a pod in the present evaluation, or why it is no candidate.
    ///
    /// # Panics
    /// When the pod's profile chooses in another way.
    pub fn weigh(&mut self, pod: &Request, node: NodeId, evict: Evict) -> Result<Ranked, Miss> {
        let ask = Ask { evict, ..self.sample_for(pod) };
        let policy = self.sampled(ask.class).expect("the pod's profile chooses among a few").clone();
        self.rank(ask, node, &policy)
    }

    /// Chooses a node by the mean of scores. Outside an evaluation the choice is one of its own.
    pub(super) fn choose(&mut self, pod: &Request) -> Outcome {
        let alone = self.sampling.evaluation.as_ref().is_none_or(|e| e.workload != pod.workload);
        if alone {
            self.begin(pod);
        }
        let ask = self.sample_for(pod);
        let policy = self.sampled(ask.class).expect("only pods of this policy come here").clone();
        let found = match pod.only {
            Some(node) => self.only_node(ask, node, &policy),
            None => self.sample(ask, &policy),
        };
        if alone {
            self.finish();
        }
        match found {
            Some(best) => {
                let looks = &mut self.sampling.looks;
                looks.chosen = Some(best);
                let (node, feasible) = (looks.candidates[best].node, looks.candidates.len() as u32);
                Outcome::Placed { node, looked_at: looks.evaluated, feasible }
            }
            None => Outcome::Refused(self.sampling.looks.refusal()),
        }
    }

    fn sample_for(&mut self, pod: &Request) -> Ask {
        let class = self.class(pod);
        let spec = pod.workload.map(|workload| &self.catalog.workloads[workload]);
        let declared = spec.map_or(1, |spec| spec.replicas);
        let known = pod.workload.and_then(|workload| self.sampling.counts.get(&workload)).copied();
        let batch = match spec.map(|spec| (&spec.kind, &spec.details)) {
            Some((WorkloadKind::Job | WorkloadKind::CronJob, _)) => Batch::Yes,
            _ => Batch::No,
        };
        let count = match spec.map(|spec| &spec.details) {
            Some(Details::Job(job)) => job.parallelism.max(1),
            _ => known.unwrap_or(declared).max(1),
        };
        Ask { pod: pod.pod, class, workload: pod.workload, count: known.unwrap_or(count), batch, evict: Evict::No }
    }

    /// Counts the job's replicas by the attributes that it cares for, as they are when the evaluation begins.
    fn know_values(&mut self, ask: Ask) {
        let wishes = &self.catalog.templates[self.classes[ask.class].template].wishes;
        let spreads = wishes.spreads.iter().map(|spread| spread.attribute);
        let distinct = wishes.distinct.iter().map(|distinct| distinct.attribute);
        let Some(evaluation) = &mut self.sampling.evaluation else { return };
        for attribute in spreads.chain(distinct) {
            evaluation.values.entry(attribute).or_insert_with(|| {
                let mut existing = BTreeMap::new();
                let nodes = ask.workload.and_then(|workload| self.sampling.presence.get(&workload));
                for (&node, &count) in nodes.into_iter().flatten() {
                    if let Some(value) = self.catalog.nodes[node].labels.get(attribute) {
                        *existing.entry(value).or_default() += u64::from(count);
                    }
                }
                Values::new(existing)
            });
        }
    }

    /// Looks with what is free, and if that finds nothing with what could be.
    ///
    /// Source: generic_sched.go, `selectNextOption`.
    fn sample(&mut self, ask: Ask, policy: &Sampled) -> Option<usize> {
        let found = self.search(ask, policy);
        let may = match ask.batch {
            Batch::Yes => policy.preempts.batch,
            Batch::No => policy.preempts.service,
        };
        if found.is_some() || !may || !self.roster.any_below(self.classes[ask.class].priority) {
            return found;
        }
        self.search(Ask { evict: Evict::Yes, ..ask }, policy)
    }

    fn search(&mut self, ask: Ask, policy: &Sampled) -> Option<usize> {
        let mut walk = self.walk(ask.class);
        walk.rewind();
        self.sampling.looks.clear();
        let limit = self.limit(ask, policy, walk.len());
        let best = {
            let source = || {
                while let Some(node) = walk.next(&mut self.stream) {
                    if let Some(total) = self.look_at(ask, node, policy) {
                        return Some((self.sampling.looks.candidates.len() - 1, total));
                    }
                }
                None
            };
            Limited::new(source, limit, policy.max_skip as usize).best()
        };
        self.sampling.pools.insert(self.classes[ask.class].fixed, Some(walk));
        best
    }

    /// The one node that a pod of a system job is for.
    ///
    /// Source: scheduler_system.go; stack.go, `SystemStack`: no score but the fit, and others pushed aside at once.
    fn only_node(&mut self, ask: Ask, node: NodeId, policy: &Sampled) -> Option<usize> {
        self.sampling.looks.clear();
        let evict = match ask.batch {
            Batch::Yes => policy.preempts.sysbatch,
            Batch::No => policy.preempts.system,
        };
        let ask = Ask { evict: if evict { Evict::Yes } else { Evict::No }, ..ask };
        if self.ledger.state(node).is_none() || !self.comes_into_question(ask.class, node) {
            return None;
        }
        let total = self.look_at(ask, node, policy)?;
        let ranked = self.sampling.looks.candidates.last_mut().expect("a candidate has just been added");
        ranked.scores = ranked.scores.clone().of_system();
        ranked.total = if policy.formula == Formula::Mean { ranked.scores.fit } else { total };
        Some(0)
    }

    /// How many candidates are compared.
    ///
    /// Source: stack.go, `SetNodes` and `Select`.
    fn limit(&self, ask: Ask, policy: &Sampled, nodes: usize) -> usize {
        let template = &self.catalog.templates[self.classes[ask.class].template];
        let prefers =
            !template.wishes.spreads.is_empty() || self.fixed[self.classes[ask.class].fixed].has_preferences();
        match (prefers, ask.batch) {
            (true, _) if policy.with_preferences == 0 => usize::MAX,
            (true, _) => policy.with_preferences.max(ask.count) as usize,
            (false, Batch::Yes) => policy.least as usize,
            (false, Batch::No) => fit::logarithm(nodes).max(policy.least as usize),
        }
    }

    /// The way through the nodes that come into question for a class.
    fn walk(&mut self, class: ClassId) -> Walk {
        let fixed = self.classes[class].fixed;
        let known = self.sampling.pools.get_mut(&fixed).and_then(Option::take);
        known.unwrap_or_else(|| {
            let all = self.catalog.nodes.ids().filter(|&node| self.ledger.state(node).is_some());
            Walk::new(all.filter(|&node| self.comes_into_question(class, node)).collect())
        })
    }

    /// True when a node is ready, eligible and of the job's datacenters.
    ///
    /// Source: hashicorp/nomad:scheduler/util.go, `readyNodesInDCs`.
    fn comes_into_question(&self, class: ClassId, node: NodeId) -> bool {
        let Some(state) = self.ledger.state(node) else { return false };
        let rules = &self.fixed[self.classes[class].fixed].rules;
        rules.takes_in(&self.catalog.nodes[node], state, &self.catalog)
    }
}

/// Classes of nodes: those with equal labels, but for the hostname and labels that are called unique, are one class.
///
/// Source: hashicorp/nomad:nomad/structs/node_class.go, `ComputeClass`.
fn node_classes(catalog: &Catalog) -> Vec<u32> {
    let mut classes = BTreeMap::new();
    let counts = |key: Symbol| key != catalog.known.hostname && !catalog.text(key).contains("unique.");
    let of = |node: NodeId| -> Vec<(Symbol, Symbol)> {
        catalog.nodes[node].labels.iter().filter(|(key, _)| counts(*key)).collect()
    };
    catalog
        .nodes
        .ids()
        .map(|node| {
            let next = classes.len() as u32;
            *classes.entry(of(node)).or_insert(next)
        })
        .collect()
}

impl Looks {
    /// The refusal that these looks come to.
    fn refusal(&self) -> Refusal {
        let mut refusal = Refusal::default();
        refusal.add_times(&Verdict::of(Reason::NodeAffinity), self.constraint + self.ineligible);
        refusal.add_times(&Verdict::of(Reason::PodAntiAffinity), self.distinct_hosts + self.distinct_property);
        for &(reason, nodes) in &self.exhausted {
            refusal.add_times(&Verdict::of(reason), nodes);
        }
        refusal
    }
}

impl Scheduler {
    /// What the next choice for a pod would see: the nodes that one shuffle leads to, totals in millionths.
    pub(super) fn explain_choice(mut self, pod: &Request) -> Explanation {
        self.choose(pod);
        let looks = &self.sampling.looks;
        let candidate = |ranked: &Ranked| Candidate {
            node: ranked.node,
            scores: Vec::new(),
            total: libm::round(ranked.total * 1e6) as i64,
        };
        Explanation {
            refused: Vec::new(),
            feasible: looks.candidates.iter().map(candidate).collect(),
            best: looks.chosen.map(|index| looks.candidates[index].node).into_iter().collect(),
        }
    }
}
