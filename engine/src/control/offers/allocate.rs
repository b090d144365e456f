//! One allocation: all that is free on each node goes to one framework, which launches what fits or declines.
//!
//! Nodes come in random order; once nobody can launch anything any more, the rest of them need not be looked at. Sources:
//! apache/mesos:src/master/allocator/mesos/hierarchical.cpp, `__allocate`; mesosphere/marathon:src/main/scala/
//! mesosphere/marathon/core/matcher/manager/impl/OfferMatcherManagerActor.scala. Start at [`Control::allocate`].

use std::collections::BTreeMap;

use super::{FrameworkRow, SERVICES};
use crate::control::{Control, Cx};
use crate::ids::{NodeId, PodId, RevisionId};
use crate::profile::Offers;
use crate::scheduler::queue::Event;
use crate::scheduler::{Outcome, Request};
use crate::time::Span;

/// What became of the pods of the versions that were tried in an allocation.
#[derive(Default)]
struct Tried {
    /// By version: nodes that have not enough, and nodes that are refused for another reason.
    refused: BTreeMap<RevisionId, (u32, u32)>,
    /// Time that launches took so far.
    spent: Span,
}

impl Control {
    /// Offers what is free.
    pub(super) fn allocate(&mut self, cx: &mut Cx<'_>, policy: &Offers) {
        self.offers.stirred = false;
        for row in &mut self.offers.frameworks {
            row.filters.prune(cx.now);
            // One that does not ask looks again as long as it was not offered every node.
            row.wants = row.wants.filter(|_| row.policy.revives);
        }
        let mut nodes: Vec<NodeId> = self.catalog.nodes.ids().filter(|&node| self.is_offered(node)).collect();
        let total = nodes.iter().map(|&n| &self.catalog.nodes[n].allocatable);
        let total = total.fold((0, 0), |sum, all| (sum.0 + all.cpu.0, sum.1 + all.memory.0));
        let mut tried = Tried::default();
        for next in 0..nodes.len() {
            if !(0..self.offers.frameworks.len()).any(|f| self.launchable(f, policy, cx).next().is_some()) {
                break;
            }
            let pick = next + self.offers.luck.index(nodes.len() - next);
            nodes.swap(next, pick);
            self.offer(cx, policy, (nodes[next], total), &mut tried);
        }
        self.tell_refused(cx, tried);
    }

    /// Whether the master may offer what is on a node.
    fn is_offered(&self, node: NodeId) -> bool {
        let row = &self.nodes[node];
        row.exists() && row.healthy && !row.cordoned
    }

    fn free_on(&self, node: NodeId) -> (i64, i64) {
        let taken = self.scheduling.scheduler.requested(node).resources;
        let all = &self.catalog.nodes[node].allocatable;
        (all.cpu.0 - taken.cpu.0, all.memory.0 - taken.memory.0)
    }

    /// Versions of which a framework could launch something now.
    fn launchable<'a>(
        &'a self,
        framework: usize,
        policy: &Offers,
        cx: &Cx<'_>,
    ) -> impl Iterator<Item = RevisionId> + use<'a> {
        let now = cx.now;
        let row = &self.offers.frameworks[framework];
        let tokens = self.tokens_of(framework, policy, now) > 0;
        let versions = row.waiting.keys().copied().filter(move |_| tokens);
        versions.filter(move |&revision| self.offers.delays.held_until(revision, now).is_none())
    }

    /// Offers a node to the framework with the smallest share that has not declined it.
    fn offer(&mut self, cx: &mut Cx<'_>, policy: &Offers, (node, total): (NodeId, (i64, i64)), tried: &mut Tried) {
        let free = self.free_on(node);
        let enough = free.0 >= i64::from(policy.min_cpu) || free.1 >= i64::from(policy.min_memory) << 20;
        if !enough {
            return;
        }
        let mut turn: Vec<usize> = (0..self.offers.frameworks.len()).collect();
        turn.sort_by(|&a, &b| {
            let share = |f: usize| &self.offers.frameworks[f].share;
            share(a).exceeds(share(b), total).then(a.cmp(&b))
        });
        for framework in turn {
            let row = &mut self.offers.frameworks[framework];
            let idle = row.waiting.is_empty();
            let cycle = (row.policy.decline, policy.allocation_interval);
            if idle {
                if !row.policy.suppresses && !row.filters.idle(node, cx.now, cycle) {
                    // It holds the node for a moment; whoever wants it gets it in the next allocation.
                    self.offers.stirred = true;
                    return;
                }
                continue;
            }
            // What it had declined before it wanted something still counts where it does not ask for all offers.
            if !row.policy.revives && row.filters.is_new(node) && row.filters.idle(node, cx.now, cycle) {
                row.wants = Some(cx.now);
                continue;
            }
            if !row.filters.hides(node, cx.now, free) {
                return self.answer(cx, policy, (framework, node), tried);
            }
        }
    }

    /// A framework launches what an offer is good for, or declines it.
    fn answer(&mut self, cx: &mut Cx<'_>, policy: &Offers, (framework, node): (usize, NodeId), tried: &mut Tried) {
        let mut versions: Vec<RevisionId> = self.launchable(framework, policy, cx).collect();
        self.offers.luck.shuffle(&mut versions);
        let mut launched = 0;
        // One instance of each version in turn, until none of them fits or the offer has been used often enough.
        while launched < policy.per_offer && !versions.is_empty() {
            let before = launched;
            versions.retain(|&revision| {
                launched < policy.per_offer
                    && self.launch_one(cx, policy, (framework, node, revision), tried).is_some_and(|()| {
                        launched += 1;
                        true
                    })
            });
            if launched == before {
                break;
            }
        }
        if launched == 0 {
            let (free, row) = (self.free_on(node), &mut self.offers.frameworks[framework]);
            let until = cx.now + row.policy.decline;
            row.filters.decline(node, until, free);
        } else {
            // What is left comes back with a filter of no time at all, and is offered in the next allocation.
            self.offers.stirred = true;
        }
    }

    /// Launches one instance of a version on a node, if it fits there.
    fn launch_one(
        &mut self,
        cx: &mut Cx<'_>,
        policy: &Offers,
        (framework, node, revision): (usize, NodeId, RevisionId),
        tried: &mut Tried,
    ) -> Option<()> {
        if self.tokens_of(framework, policy, cx.now) == 0 {
            return None;
        }
        let pods = self.offers.frameworks[framework].waiting.get(&revision)?;
        let suits = |pod: &&PodId| self.pods[**pod].pinned.is_none_or(|only| only == node);
        let pod = *pods.iter().find(suits)?;
        let refused = tried.refused.entry(revision).or_default();
        if !self.meets_constraints(pod, node, policy.strict_groups) {
            refused.1 += 1;
            return None;
        }
        let request = Request { only: Some(node), ..self.request(pod) };
        match self.scheduling.scheduler.place(&request) {
            Outcome::Placed { .. } => {
                tried.spent += self.profile.placement.decision_cost;
                self.launch(cx, policy, (framework, node, pod), tried.spent);
                Some(())
            }
            Outcome::Refused(one) => {
                *refused = (refused.0 + one.insufficient_resources, refused.1 + one.refused_otherwise);
                None
            }
        }
    }

    fn launch(
        &mut self,
        cx: &mut Cx<'_>,
        policy: &Offers,
        (framework, node, pod): (usize, NodeId, PodId),
        spent: Span,
    ) {
        self.want_no_launch(pod);
        self.scheduling.refused.remove(&pod);
        let row: &mut FrameworkRow = &mut self.offers.frameworks[framework];
        row.share.launches += 1;
        if framework == SERVICES {
            row.tokens = row.tokens.saturating_sub(1);
        }
        self.take_place(pod, node);
        self.restart_delay(cx, pod);
        self.pod_moved(cx, Event::PodAdded, pod);
        self.scheduling.free_at = cx.now + spent;
        self.bind(cx, pod, node);
        self.await_launch(cx, policy, pod);
    }

    /// Pods of versions that no offer was good for.
    fn tell_refused(&mut self, cx: &mut Cx<'_>, tried: Tried) {
        for (revision, counts) in tried.refused {
            let waiting = self.offers.frameworks.iter().find_map(|row| row.waiting.get(&revision));
            for pod in waiting.cloned().unwrap_or_default() {
                // An allocation that passes over declined nodes knows less than the one in which they were declined.
                let told = self.scheduling.refused.get(&pod).map_or(0, |told| told.0 + told.1);
                if counts.0 + counts.1 >= told {
                    self.tell_refused_by(cx, pod, counts);
                }
            }
        }
    }

    /// What a framework has grows or shrinks by a pod, and so do the counts of its constraints.
    pub(in crate::control) fn offers_charge(&mut self, pod: PodId, node: NodeId, more: i32) {
        if self.offers.frameworks.is_empty() {
            return;
        }
        let framework = self.framework_of_pod(pod);
        let requests = &self.catalog.templates[self.pods[pod].template].requests;
        let share = &mut self.offers.frameworks[framework].share;
        share.cpu += requests.cpu.0 * i64::from(more);
        share.memory += requests.memory.0 * i64::from(more);
        if !self.pods[pod].absent {
            self.count_instance(pod, node, more);
        }
    }
}
