//! Pods that are alike are dealt out together: evenly over the wished labels first, then over nodes.
//!
//! A group is dealt down a tree of labels; at its leaves nodes are ranked once, by failures of this version, by pods of
//! the workload and by pods of all, and filled until the next one is better. Ties are broken at random, as Go's maps do.
//! Sources: moby/swarmkit:manager/scheduler/scheduler.go (`scheduleTaskGroup`, `scheduleNTasksOnSubtree`,
//! `scheduleNTasksOnNodes`), nodeset.go (`tree`), decision_tree.go, nodeinfo.go. Start at [`Scheduler::place_alike`].

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{Id, NodeId, Symbol, TemplateId, WorkloadId};
use crate::profile::Choice;
use crate::scheduler::counters::ClassId;
use crate::scheduler::filter::Ask;
use crate::scheduler::{Refusal, Request, Scheduler};
use crate::time::{Span, Time};

/// Where pods of a version of a workload failed, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    of: BTreeMap<(WorkloadId, TemplateId), BTreeMap<NodeId, VecDeque<Time>>>,
    /// The present time, as last told.
    now: Time,
}

/// What became of pods that are alike.
#[derive(Clone, Debug, Default)]
pub struct Dealt {
    /// Pods that have their place, which is charged.
    pub placed: Vec<(Request, NodeId)>,
    /// Why there is no place for the others.
    pub refusal: Option<Refusal>,
    /// Nodes that were looked at.
    pub looked_at: u32,
}

/// A level of the tree of labels: nodes, or branches by the value of the next label.
#[derive(Debug, Default)]
struct Branch {
    /// Pods of the workload below it.
    pods: u32,
    nodes: Vec<NodeId>,
    next: BTreeMap<Option<Symbol>, Self>,
}

/// How a node ranks: the smallest is best.
type Rank = (u32, u32, u32);

/// A group that is being dealt out.
struct Deal<'a> {
    ask: Ask,
    left: &'a [Request],
    dealt: Dealt,
}

impl Scheduler {
    /// A pod failed or was rejected on a node that was chosen for it.
    pub fn failed_on(&mut self, pod: &Request, node: NodeId, now: Time) {
        let Choice::FewestOfWorkload { within, .. } = self.profiles[0].placement.choice else { return };
        let (Some(workload), None) = (pod.workload, pod.only) else { return };
        let times = self.failures.of.entry((workload, pod.template)).or_default().entry(node).or_default();
        times.push_back(now);
        forget(times, now, within);
    }

    /// What time it is, for failures that no longer count.
    pub fn tell_time(&mut self, now: Time) {
        self.failures.now = now;
    }

    /// Failures of a class on a node, if they are so many that they matter.
    fn penalty(&self, class: ClassId, node: NodeId) -> u32 {
        let Choice::FewestOfWorkload { failures, within } = self.placement(class).choice else { return 0 };
        let Some(workload) = self.ledger.workload_of(class) else { return 0 };
        let Some(of) = self.failures.of.get(&(workload, self.classes[class].template)) else { return 0 };
        let recent = of
            .get(&node)
            .map_or(0, |times| times.iter().filter(|at| self.failures.now.since(**at) <= within).count() as u32);
        if recent >= failures { recent } else { 0 }
    }

    fn crowding(&self, class: ClassId, node: NodeId) -> Rank {
        let n = node.index();
        let own = self.classes[class].siblings.map_or(0, |counter| self.ledger.near(counter, n));
        (self.penalty(class, node), own, self.usage.pods[n].saturating_sub(self.usage.terminating[n]))
    }

    /// The best of feasible nodes; ties by 64 random bits.
    pub(super) fn least_crowded(&self, class: ClassId, feasible: &[u32], luck: u64) -> NodeId {
        let ranks: Vec<Rank> = feasible.iter().map(|&n| self.crowding(class, NodeId(n))).collect();
        let best = ranks.iter().min().copied().expect("some node is feasible");
        let tied = || ranks.iter().enumerate().filter(|(_, rank)| **rank == best);
        let chosen = ((u128::from(luck) * tied().count() as u128) >> 64) as usize;
        NodeId(feasible[tied().nth(chosen).expect("the draw is below the number of ties").0])
    }

    /// Places and charges as many as possible of pods that differ in nothing.
    ///
    /// # Panics
    /// When there are no pods, or one of them has a place.
    pub fn place_alike(&mut self, pods: &[Request]) -> Dealt {
        let ask = self.ask(&pods[0]);
        self.refresh_order();
        let mut tree = self.tree_of(ask);
        let mut deal =
            Deal { ask, left: pods, dealt: Dealt { looked_at: self.order.len() as u32, ..Dealt::default() } };
        self.deal_on_branch(&mut deal, &mut tree, pods.len());
        if !deal.left.is_empty() {
            let mut refusal = Refusal::default();
            let refused = self.order.iter().filter_map(|&node| self.verdict(ask.class, node));
            refused.for_each(|verdict| refusal.add(&verdict));
            deal.dealt.refusal = Some(refusal);
        }
        deal.dealt
    }

    /// All nodes by the labels that the pods wish to be spread over. A node without a label is of a branch of its own.
    fn tree_of(&mut self, ask: Ask) -> Branch {
        let class = &self.classes[ask.class];
        let spreads = &self.catalog.templates[class.template].wishes.spreads;
        let (mut root, siblings) = (Branch::default(), class.siblings);
        let mut nodes = self.order.clone();
        // Of equal nodes a random one is first.
        self.stream.shuffle(&mut nodes);
        for node in nodes {
            let own = siblings.map_or(0, |counter| self.ledger.near(counter, node.index()));
            let labels = &self.catalog.nodes[node].labels;
            let mut branch = &mut root;
            branch.pods += own;
            for spread in spreads {
                branch = branch.next.entry(labels.get(spread.attribute)).or_default();
                branch.pods += own;
            }
            if self.feasible(ask.class, node) {
                branch.nodes.push(node);
            }
        }
        root
    }

    /// Deals `n` pods over a branch and returns how many found a place.
    fn deal_on_branch(&mut self, deal: &mut Deal<'_>, branch: &mut Branch, n: usize) -> usize {
        if branch.next.is_empty() {
            return self.deal_on_nodes(deal, branch, n);
        }
        let (mut dealt, mut in_use) = (0, branch.pods as usize);
        let mut open: Vec<Option<Symbol>> = branch.next.keys().copied().collect();
        self.stream.shuffle(&mut open);
        let mut converging = true;
        while dealt != n && !open.is_empty() && converging {
            let (share, mut rest) = ((in_use + n - dealt) / open.len(), (in_use + n - dealt) % open.len());
            converging = false;
            let mut full = Vec::new();
            for &key in &open {
                let twig = branch.next.get_mut(&key).expect("keys are those of the branches");
                // The original compares with what was there when the group came, in later rounds too.
                let there = twig.pods as usize;
                if there < share || (there == share && rest > 0) {
                    converging = true;
                    let wanted = (share - there + usize::from(rest > 0)).min(n - dealt);
                    let got = self.deal_on_branch(deal, twig, wanted);
                    if got < wanted {
                        full.push(key);
                        in_use -= there;
                    } else {
                        rest = rest.saturating_sub(1);
                    }
                    dealt += got;
                }
                if dealt == n {
                    break;
                }
            }
            open.retain(|key| !full.contains(key));
        }
        dealt
    }

    /// Fills the best node until the next one is better; after the last one each gets one in turn.
    fn deal_on_nodes(&mut self, deal: &mut Deal<'_>, branch: &mut Branch, n: usize) -> usize {
        let class = deal.ask.class;
        let mut ranked: Vec<(Rank, NodeId)> = Vec::with_capacity(branch.nodes.len());
        // What was dealt here before may have filled some.
        branch.nodes.retain(|&node| self.feasible(class, node));
        ranked.extend(branch.nodes.iter().map(|&node| (self.crowding(class, node), node)));
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.truncate(n.max(1));
        let (count, mut full, mut at, mut dealt) = (ranked.len(), vec![false; ranked.len()], 0, 0);
        while dealt < n && count > 0 {
            let Some((&pod, left)) = deal.left.split_first() else { break };
            let node = ranked[at % count].1;
            deal.left = left;
            self.charge(&pod, node);
            deal.dealt.placed.push((pod, node));
            dealt += 1;
            let last = at + 1 >= count;
            at += usize::from(last || ranked[at + 1].0 < self.crowding(class, node));
            let start = at;
            while full[at % count] || !self.feasible(class, ranked[at % count].1) {
                full[at % count] = true;
                at += 1;
                if at - start == count {
                    return dealt;
                }
            }
        }
        dealt
    }
}

/// Failures that no longer count are forgotten.
fn forget(times: &mut VecDeque<Time>, now: Time, within: Span) {
    while times.front().is_some_and(|at| now.since(*at) > within) {
        times.pop_front();
    }
}
