//! Which nodes are feasible: the scan, and the verdict on one node.
//!
//! The scan asks only yes or no. Reasons are worked out in a second pass, and only when nobody was feasible or somebody
//! wants an explanation. Start at [`Scheduler::find_feasible`].

use crate::ids::{Id, NodeId};
use crate::profile::Filter;
use crate::scheduler::Scheduler;
use crate::scheduler::class::{Class, HardSpread};
use crate::scheduler::counters::ClassId;
use crate::scheduler::outcome::{Explanation, Reason, Refusal, Verdict};
use crate::scheduler::topology::NO_DOMAIN;

impl Scheduler {
    /// Fills `scratch.feasible` from where the last scan ended until enough nodes are found; returns the number of
    /// nodes looked at and moves the start of the next scan behind them.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/schedule_one.go, `findNodesThatPassFilters`. The real scan is
    /// parallel; this is its sequential reading.
    pub(super) fn find_feasible(&mut self, class: ClassId) -> u32 {
        let mut feasible = std::mem::take(&mut self.scratch.feasible);
        feasible.clear();
        let named = self.named(class);
        let nodes = named.as_deref().unwrap_or(&self.order);
        // Without scores the first feasible node is as good as any.
        let wanted = if self.placement.scores.is_empty() {
            1
        } else {
            self.placement.sampling.wanted(nodes.len() as u32) as usize
        };
        let class = &self.classes[class];
        let fits = self.placement.filters.contains(&Filter::NodeResourcesFit);
        let ports = self.placement.filters.contains(&Filter::NodePorts) && !class.demand.ports.is_empty();
        let passes = &self.fixed[class.fixed].passes;
        let mut looked_at = 0;
        let start = if nodes.is_empty() { 0 } else { self.next_start % nodes.len() };
        for &node in nodes[start..].iter().chain(&nodes[..start]) {
            let n = node.index();
            looked_at += 1;
            if passes[n]
                && (!fits || self.usage.fits(&class.demand, &self.catalog.nodes[node], n))
                && (!ports || self.usage.ports_free(&class.demand, n))
                && self.spread_refusal(class, n).is_none()
                && self.affinity_refusal(class, n).is_none()
            {
                feasible.push(node.0);
                if feasible.len() == wanted {
                    break;
                }
            }
        }
        if !self.order.is_empty() {
            self.next_start = (self.next_start + looked_at as usize) % self.order.len();
        }
        self.scratch.feasible = feasible;
        looked_at
    }

    /// The nodes in sight among those that the pod's affinity names, if it names any.
    fn named(&self, class: ClassId) -> Option<Vec<NodeId>> {
        let named = self.fixed[self.classes[class].fixed].named.as_ref()?;
        Some(named.iter().copied().filter(|&node| self.ledger.state(node).is_some()).collect())
    }

    /// Counts why each node refuses.
    pub(super) fn refusal(&self, class: ClassId) -> Refusal {
        let mut refusal = Refusal::default();
        for &node in &self.order {
            let verdict = self.verdict(class, node).expect("no node was feasible a moment ago");
            refusal.add(&verdict);
        }
        refusal
    }

    /// The first filter that refuses a node, with its reasons; `None` when the node is feasible.
    pub(super) fn verdict(&self, class: ClassId, node: NodeId) -> Option<Verdict> {
        let class = &self.classes[class];
        let fixed = &self.fixed[class.fixed];
        if fixed.named.as_ref().is_some_and(|named| named.binary_search(&node).is_err()) {
            return Some(Verdict::of(Reason::NotNamed));
        }
        let n = node.index();
        let spec = &self.catalog.nodes[node];
        let state = self.ledger.state(node).expect("only nodes in sight are looked at");
        self.placement.filters.iter().find_map(|&filter| match filter {
            Filter::NodeResourcesFit => self.usage.shortage(&class.demand, spec, n),
            Filter::NodePorts => (!self.usage.ports_free(&class.demand, n)).then(|| Verdict::of(Reason::Port)),
            Filter::PodTopologySpread => self.spread_refusal(class, n).map(Verdict::of),
            Filter::InterPodAffinity => self.affinity_refusal(class, n).map(Verdict::of),
            Filter::NodeUnschedulable | Filter::NodeName | Filter::TaintToleration | Filter::NodeAffinity => {
                fixed.rules.refusal(filter, spec, state, &self.catalog).map(Verdict::of)
            }
        })
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/filtering.go, `Filter`.
    #[inline]
    fn spread_refusal(&self, class: &Class, n: usize) -> Option<Reason> {
        class.hard.iter().find_map(|constraint| self.skew_refusal(constraint, n))
    }

    fn skew_refusal(&self, constraint: &HardSpread, n: usize) -> Option<Reason> {
        let counter = self.ledger.counter(constraint.counter);
        let domain = self.ledger.topology_of(constraint.counter).domain_of[n];
        if domain == NO_DOMAIN {
            return Some(Reason::SpreadLabel);
        }
        let ranked = counter.ranked.as_ref().expect("hard constraints are compiled with ranked counters");
        let too_few = ranked.domains < constraint.min_domains;
        let smallest = if too_few || ranked.domains == 0 { 0 } else { ranked.smallest as i64 };
        let skew = i64::from(counter.of(domain)) + constraint.own - smallest;
        (skew > constraint.max_skew).then_some(Reason::SpreadSkew)
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/interpodaffinity/filtering.go, `Filter`.
    #[inline]
    fn affinity_refusal(&self, class: &Class, n: usize) -> Option<Reason> {
        if !class.near.is_empty() && !self.is_near(class, n) {
            return Some(Reason::PodAffinity);
        }
        if class.far.iter().any(|&counter| self.ledger.near(counter, n) > 0) {
            return Some(Reason::PodAntiAffinity);
        }
        let repelled = class.repelled_by.iter().any(|&counter| self.ledger.near(counter, n) > 0);
        repelled.then_some(Reason::ExistingAntiAffinity)
    }

    /// All wanted neighbours are there; or there are none anywhere, and the pod would be its own neighbour.
    fn is_near(&self, class: &Class, n: usize) -> bool {
        let labelled = |&counter: &_| self.ledger.topology_of(counter).domain_of[n] != NO_DOMAIN;
        class.near.iter().all(labelled)
            && (class.near.iter().all(|&counter| self.ledger.near(counter, n) > 0)
                || (class.near_self && class.near.iter().all(|&counter| self.ledger.counter(counter).total == 0)))
    }

    /// Verdicts and scores of the nodes that a scan from `start` looked at.
    pub(super) fn explanation(&mut self, class: ClassId, start: usize, looked_at: u32) -> Explanation {
        let named = self.named(class);
        let scanned = named.as_deref().unwrap_or(&self.order);
        let start = if scanned.is_empty() { 0 } else { start % scanned.len() };
        let looked = scanned[start..].iter().chain(&scanned[..start]).take(looked_at as usize);
        let unnamed = self.order.iter().filter(|node| named.as_ref().is_some_and(|named| !named.contains(node)));
        let refused = looked.chain(unnamed).filter_map(|&node| Some((node, self.verdict(class, node)?))).collect();
        let mut scratch = std::mem::take(&mut self.scratch);
        let feasible = self.candidates(class, &mut scratch);
        let best = feasible.iter().map(|candidate| candidate.total).max();
        let best = feasible.iter().filter(|candidate| Some(candidate.total) == best).map(|c| c.node).collect();
        Explanation { refused, feasible, best }
    }
}
