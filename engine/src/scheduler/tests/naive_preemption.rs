//! The slow twin of preemption and of promised nodes: pods are really taken out of the list and put back.

use super::naive::{Naive, Placed};
use crate::ids::{NodeId, PodId};
use crate::scheduler::{Reason, Request};

/// A candidate: node, victims in order of importance, broken budgets.
pub(super) type Candidate = (NodeId, Vec<PodId>, u32);

/// A budget: which pods are its own, by the remainder of their number, and disruptions allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct NaiveBudget {
    pub(super) every: u32,
    pub(super) allowed: u32,
}

impl NaiveBudget {
    pub(super) fn covers(self, pod: PodId) -> bool {
        pod.0.is_multiple_of(self.every)
    }
}

impl Naive {
    fn priority(&self, request: &Request) -> i32 {
        self.catalog.templates[request.template].priority
    }

    /// The node that a pod was promised, when it may go there now.
    pub(super) fn promised(&mut self, request: &Request) -> Option<NodeId> {
        let node = self.nominees.iter().find(|(nominee, _)| nominee.pod == request.pod)?.1;
        let required = &self.catalog.templates[request.template].affinity.node_required;
        let by_name = !required.is_empty() && required.iter().all(|term| !term.names.is_empty());
        let name = self.catalog.nodes[node].name;
        let named = !by_name || required.iter().any(|term| term.names.contains(&name));
        let known = self.nodes.iter().any(|(known, _)| *known == node);
        let asked = request.only.is_none_or(|only| only == node);
        (known && named && asked && self.refusal_among_nominees(request, node).is_empty()).then_some(node)
    }

    /// With the other pods of the same or higher priority that the node was promised to, then without them.
    pub(super) fn refusal_among_nominees(&mut self, request: &Request, node: NodeId) -> Vec<Reason> {
        let ahead = |nominee: &Request| nominee.pod != request.pod && self.priority(nominee) >= self.priority(request);
        let guests: Vec<Request> =
            self.nominees.iter().filter(|(nominee, to)| *to == node && ahead(nominee)).map(|n| n.0).collect();
        let before = self.pods.len();
        self.pods.extend(guests.iter().map(|&request| Placed { request, node, terminating: false, started: None }));
        let with = self.refusal(request, node);
        self.pods.truncate(before);
        if with.is_empty() { self.refusal(request, node) } else { with }
    }

    /// What would have to go on each node, without regard to how many nodes are tried.
    pub(super) fn candidates(&mut self, request: &Request, budgets: &[NaiveBudget]) -> Vec<Candidate> {
        let nodes = self.order();
        nodes.into_iter().filter_map(|node| self.candidate(request, node, budgets)).collect()
    }

    fn candidate(&mut self, request: &Request, node: NodeId, budgets: &[NaiveBudget]) -> Option<Candidate> {
        let mine = self.priority(request);
        let key = |naive: &Self, pod: &Placed| {
            let started = pod.started.unwrap_or(u64::MAX);
            (std::cmp::Reverse(naive.priority(&pod.request)), started, pod.request.pod)
        };
        let mut lower: Vec<PodId> = Vec::new();
        let mut ranked: Vec<&Placed> = self.on(node).filter(|pod| self.priority(&pod.request) < mine).collect();
        ranked.sort_by_key(|pod| key(self, pod));
        lower.extend(ranked.iter().map(|pod| pod.request.pod));
        if lower.is_empty() {
            return None;
        }
        let mut away: Vec<Placed> = Vec::new();
        for &pod in &lower {
            let at = self.pods.iter().position(|other| other.request.pod == pod).expect("it was just listed");
            away.push(self.pods.remove(at));
        }
        let mut found = None;
        if self.refusal_among_nominees(request, node).is_empty() {
            found = Some(self.spare(request, (node, &lower), &mut away, budgets));
        }
        self.pods.append(&mut away);
        found
    }

    /// Puts back what can stay: pods that break a budget first.
    fn spare(
        &mut self,
        request: &Request,
        whose: (NodeId, &[PodId]),
        away: &mut Vec<Placed>,
        budgets: &[NaiveBudget],
    ) -> Candidate {
        let (node, lower) = whose;
        let mut left: Vec<i64> = budgets.iter().map(|budget| i64::from(budget.allowed)).collect();
        let mut breaks = |pod: &PodId| {
            let mut broken = false;
            for (left, _) in left.iter_mut().zip(budgets).filter(|(_, budget)| budget.covers(*pod)) {
                *left -= 1;
                broken |= *left < 0;
            }
            broken
        };
        let (violating, others): (Vec<PodId>, Vec<PodId>) = lower.iter().copied().partition(|pod| breaks(pod));
        let mut victims = Vec::new();
        let mut violations = 0;
        for (i, pod) in violating.iter().chain(&others).enumerate() {
            let at = away.iter().position(|other| other.request.pod == *pod).expect("all of them are away");
            self.pods.push(away.remove(at));
            if !self.refusal_among_nominees(request, node).is_empty() {
                away.push(self.pods.pop().expect("it was just pushed"));
                victims.push(*pod);
                violations += u32::from(i < violating.len());
            }
        }
        victims.sort_by_key(|pod| lower.iter().position(|other| other == pod));
        (node, victims, violations)
    }

    /// The best of some candidates, by the five rules one after the other.
    pub(super) fn best(&self, mut candidates: Vec<Candidate>) -> Vec<NodeId> {
        let placed = |pod: &PodId| self.pods.iter().find(|p| p.request.pod == *pod).expect("victims are placed");
        let priority = |pod: &PodId| i64::from(self.priority(&placed(pod).request));
        let rules: [&dyn Fn(&Candidate) -> i64; 5] = [
            &|c| i64::from(c.2),
            &|c| c.1.iter().map(&priority).max().expect("a candidate has victims"),
            &|c| c.1.iter().map(|pod| priority(pod) + (1 << 31)).sum(),
            &|c| c.1.len() as i64,
            &|c| {
                let top = c.1.iter().map(&priority).max();
                let starts = c.1.iter().filter(|pod| Some(priority(pod)) == top).map(|pod| placed(pod).started);
                -(starts.map(|start| start.map_or(i64::MAX, |s| s as i64)).min().expect("a candidate has victims"))
            },
        ];
        for rule in rules {
            let least = candidates.iter().map(rule).min();
            candidates.retain(|candidate| Some(rule(candidate)) == least);
        }
        candidates.into_iter().map(|candidate| candidate.0).collect()
    }
}
