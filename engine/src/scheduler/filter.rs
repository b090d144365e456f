//! Which nodes are feasible: the scan, and the verdict on one node.
//!
//! The scan asks only yes or no. Reasons are worked out in a second pass, and only when nobody was feasible or somebody
//! wants an explanation. Start at [`Scheduler::find_feasible`].

use crate::ids::{Id, NodeId, PodId};
use crate::profile::Filter;
use crate::scheduler::Scheduler;
use crate::scheduler::class::{Class, HardSpread};
use crate::scheduler::counters::ClassId;
use crate::scheduler::outcome::{Explanation, Reason, Refusal, Verdict};
use crate::scheduler::topology::NO_DOMAIN;

/// A pod that looks for a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) class: ClassId,
    pub(super) pod: PodId,
    /// Only this node comes into question.
    pub(super) only: Option<NodeId>,
    pub(super) priority: i32,
}

/// What a refusal has found out.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    /// Whose refusal; `None` when anything has changed since.
    pub(super) pod: Option<PodId>,
    /// Nodes that removing pods could make feasible, in the order of nodes.
    pub(super) helpful: Vec<NodeId>,
}

/// Filters that a scan must ask, beside those that ask for nothing when the class has nothing for them.
#[derive(Clone, Copy)]
pub(super) struct Checks {
    fit: bool,
    ports: bool,
}

impl Scheduler {
    /// Fills `scratch.feasible` from where the last scan ended until enough nodes are found; returns the number of
    /// nodes looked at and moves the start of the next scan behind them.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/schedule_one.go, `findNodesThatPassFilters`. The real scan is
    /// parallel; this is its sequential reading.
    pub(super) fn find_feasible(&mut self, ask: Ask) -> u32 {
        let mut feasible = std::mem::take(&mut self.scratch.feasible);
        feasible.clear();
        if self.volumes.refuses_all().is_some() {
            self.scratch.feasible = feasible;
            return 0; // The original does not even begin to look at nodes.
        }
        let sight = self.sight(ask);
        let by_column = sight.is_none() && self.column(ask);
        let order = std::mem::take(&mut self.order);
        let looked_at = match &sight {
            Some(sight) => self.scan(ask, sight, &mut feasible),
            None => {
                let scan = if by_column { Self::scan_column } else { Self::scan };
                let looked_at = scan(self, ask, &order, &mut feasible);
                self.fitting.scanned(self.classes[ask.class].fit, looked_at);
                looked_at
            }
        };
        if !order.is_empty() {
            self.next_start = (self.next_start + looked_at as usize) % order.len();
        }
        self.order = order;
        self.scratch.feasible = feasible;
        looked_at
    }

    /// How many feasible nodes are looked for among `nodes`. Without scores the first one is as good as any.
    pub(super) fn wanted(&self, class: ClassId, nodes: usize) -> usize {
        let placement = self.placement(class);
        if placement.scores.is_empty() { 1 } else { placement.sampling.wanted(nodes as u32) as usize }
    }

    fn scan(&mut self, ask: Ask, nodes: &[NodeId], feasible: &mut Vec<u32>) -> u32 {
        let start = if nodes.is_empty() { 0 } else { self.next_start % nodes.len() };
        let wanted = self.wanted(ask.class, nodes.len());
        let turned = nodes[start..].iter().chain(&nodes[..start]).copied();
        if !self.nominations.is_empty() {
            return self.scan_twice(ask, turned, wanted, feasible);
        }
        let class = &self.classes[ask.class];
        let checks = self.checks(class);
        let mut looked_at = 0;
        for node in turned {
            looked_at += 1;
            if self.meets(class, checks, node) {
                feasible.push(node.0);
                if feasible.len() == wanted {
                    break;
                }
            }
        }
        looked_at
    }

    /// The same where nodes were promised to pods.
    fn scan_twice(
        &mut self,
        ask: Ask,
        nodes: impl Iterator<Item = NodeId>,
        wanted: usize,
        feasible: &mut Vec<u32>,
    ) -> u32 {
        let mut looked_at = 0;
        for node in nodes {
            looked_at += 1;
            if self.passes(ask, node) {
                feasible.push(node.0);
                if feasible.len() == wanted {
                    break;
                }
            }
        }
        looked_at
    }

    /// True when no filter refuses a node as it is.
    pub(super) fn feasible(&self, class: ClassId, node: NodeId) -> bool {
        let class = &self.classes[class];
        self.meets(class, self.checks(class), node)
    }

    fn checks(&self, class: &Class) -> Checks {
        let filters = &self.profiles[class.profile].placement.filters;
        Checks {
            fit: filters.contains(&Filter::NodeResourcesFit),
            ports: filters.contains(&Filter::NodePorts) && !class.demand.ports.is_empty(),
        }
    }

    #[inline]
    fn meets(&self, class: &Class, checks: Checks, node: NodeId) -> bool {
        let n = node.index();
        self.fixed[class.fixed].passes[n]
            && (!checks.fit || self.usage.fits(&class.demand, &self.catalog.nodes[node], n))
            && (!checks.ports || self.usage.ports_free(&class.demand, n))
            && self.volumes.passes(node, &self.catalog)
            && self.spread_refusal(class, n).is_none()
            && self.affinity_refusal(class, n).is_none()
            && self.crowd_refusal(class, n).is_none()
    }

    /// What is left to be asked of nodes that admit the pod by rules of their own and by amounts.
    pub(super) fn rest(&self, class: ClassId) -> Checks {
        let class = &self.classes[class];
        let checks = self.checks(class);
        Checks { fit: checks.fit && !class.demand.extended.is_empty(), ..checks }
    }

    /// True when none of that refuses a node.
    #[inline]
    pub(super) fn meets_rest(&self, class: ClassId, rest: Checks, node: NodeId) -> bool {
        let (class, n) = (&self.classes[class], node.index());
        (!rest.fit || self.usage.fits(&class.demand, &self.catalog.nodes[node], n))
            && (!rest.ports || self.usage.ports_free(&class.demand, n))
            && self.volumes.passes(node, &self.catalog)
            && self.spread_refusal(class, n).is_none()
            && self.affinity_refusal(class, n).is_none()
            && self.crowd_refusal(class, n).is_none()
    }

    /// The nodes in sight that come into question, where the pod names them.
    fn sight(&self, ask: Ask) -> Option<Vec<NodeId>> {
        let known = |node: &NodeId| self.ledger.state(*node).is_some();
        let named = self.fixed[self.classes[ask.class].fixed].named.as_ref();
        match (ask.only, named) {
            (None, None) => None,
            (Some(only), _) => {
                Some([only].into_iter().filter(known).filter(|&n| self.is_named(ask.class, n)).collect())
            }
            (None, Some(named)) => Some(named.iter().copied().filter(known).collect()),
        }
    }

    /// True unless the class's affinity names other nodes.
    pub(super) fn is_named(&self, class: ClassId, node: NodeId) -> bool {
        let named = self.fixed[self.classes[class].fixed].named.as_ref();
        named.is_none_or(|named| named.binary_search(&node).is_ok())
    }

    /// Counts why each node refuses, and keeps the nodes that preemption could help. Nodes that the pod does not name
    /// are counted, not looked at.
    pub(super) fn refusal(&mut self, ask: Ask) -> Refusal {
        let mut refusal = Refusal::default();
        if let Some(verdict) = self.volumes.refuses_all() {
            (self.looked.pod, self.looked.helpful) = (Some(ask.pod), Vec::new());
            refusal.add_times(&verdict, self.order.len() as u32);
            return refusal;
        }
        let sight = self.sight(ask);
        let mut looked = std::mem::take(&mut self.looked);
        looked.pod = Some(ask.pod);
        looked.helpful.clear();
        if sight.is_none() && self.classes[ask.class].node_first && self.column(ask) {
            let order = std::mem::take(&mut self.order);
            refusal = self.refusal_by_column(ask, &order, &mut looked.helpful);
            (self.order, self.looked) = (order, looked);
            return refusal;
        }
        let order = std::mem::take(&mut self.order);
        let mut verdict = Verdict::of(Reason::NotNamed);
        for &node in sight.as_deref().unwrap_or(&order) {
            if self.nominations.is_empty() {
                let refused = self.verdict_into(ask.class, node, &mut verdict);
                assert!(refused, "no node was feasible a moment ago");
            } else {
                verdict = self.judge(ask, node).expect("no node was feasible a moment ago");
            }
            refusal.add(&verdict);
            if !verdict.unresolvable {
                looked.helpful.push(node);
            }
        }
        if let Some(sight) = sight {
            refusal.add_times(&Verdict::of(Reason::NotNamed), (order.len() - sight.len()) as u32);
        }
        self.looked = looked;
        self.order = order;
        refusal
    }

    /// The first filter that refuses a node, with its reasons; `None` when the node is feasible.
    pub(super) fn verdict(&self, class: ClassId, node: NodeId) -> Option<Verdict> {
        let mut verdict = Verdict::of(Reason::NotNamed);
        self.verdict_into(class, node, &mut verdict).then_some(verdict)
    }

    /// The same into a verdict that is used again; false when the node is feasible.
    pub(super) fn verdict_into(&self, class: ClassId, node: NodeId, verdict: &mut Verdict) -> bool {
        if let Some(refused) = self.volumes.refuses_all() {
            *verdict = refused;
            return true;
        }
        let class = &self.classes[class];
        let fixed = &self.fixed[class.fixed];
        let n = node.index();
        let spec = &self.catalog.nodes[node];
        let state = self.ledger.state(node).expect("only nodes in sight are looked at");
        for &filter in &self.profiles[class.profile].placement.filters {
            let reason = match filter {
                Filter::NodeResourcesFit if self.usage.shortage(&class.demand, (spec, n), verdict) => return true,
                Filter::NodeResourcesFit => None,
                Filter::NodePorts => (!self.usage.ports_free(&class.demand, n)).then_some(Reason::Port),
                Filter::VolumeRestrictions | Filter::NodeVolumeLimits | Filter::VolumeBinding | Filter::VolumeZone => {
                    match self.volumes.refusal(filter, node, &self.catalog) {
                        Some(refused) => {
                            *verdict = refused;
                            return true;
                        }
                        None => None,
                    }
                }
                Filter::PodTopologySpread => self.spread_refusal(class, n),
                Filter::InterPodAffinity => self.affinity_refusal(class, n),
                Filter::MaxPerNode => self.crowd_refusal(class, n),
                Filter::NodeUnschedulable | Filter::NodeName | Filter::TaintToleration | Filter::NodeAffinity => {
                    if fixed.passes[n] {
                        None
                    } else {
                        fixed.rules.refusal(filter, spec, state, &self.catalog)
                    }
                }
            };
            if let Some(reason) = reason {
                verdict.set(reason);
                return true;
            }
        }
        false
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/filtering.go, `Filter`.
    #[inline]
    fn spread_refusal(&self, class: &Class, n: usize) -> Option<Reason> {
        class.hard.iter().find_map(|constraint| self.skew_refusal(constraint, n))
    }

    /// The first rule about other pods that refuses a node.
    pub(super) fn pods_refuse(&self, class: &Class, node: NodeId) -> Option<Reason> {
        self.profiles[class.profile].placement.filters.iter().find_map(|filter| match filter {
            Filter::PodTopologySpread => self.spread_refusal(class, node.index()),
            Filter::InterPodAffinity => self.affinity_refusal(class, node.index()),
            Filter::MaxPerNode => self.crowd_refusal(class, node.index()),
            _ => None,
        })
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

    /// Source: moby/swarmkit:manager/scheduler/filter.go, `MaxReplicasFilter`.
    #[inline]
    fn crowd_refusal(&self, class: &Class, n: usize) -> Option<Reason> {
        let (counter, at_most) = class.at_most?;
        (self.ledger.near(counter, n) >= at_most).then_some(Reason::EnoughOfWorkload)
    }

    /// All wanted neighbours are there; or there are none anywhere, and the pod would be its own neighbour.
    fn is_near(&self, class: &Class, n: usize) -> bool {
        let labelled = |&counter: &_| self.ledger.topology_of(counter).domain_of[n] != NO_DOMAIN;
        class.near.iter().all(labelled)
            && (class.near.iter().all(|&counter| self.ledger.near(counter, n) > 0)
                || (class.near_self && class.near.iter().all(|&counter| self.ledger.counter(counter).total == 0)))
    }

    /// Verdicts and scores of the nodes that a scan from `start` looked at.
    pub(super) fn explanation(&mut self, ask: Ask, start: usize, looked_at: u32) -> Explanation {
        let order = self.order.clone();
        if let Some(verdict) = self.volumes.refuses_all() {
            let refused = order.into_iter().map(|node| (node, verdict.clone())).collect();
            return Explanation { refused, ..Explanation::default() };
        }
        let sight = self.sight(ask);
        let scanned = sight.as_deref().unwrap_or(&order);
        let start = if scanned.is_empty() { 0 } else { start % scanned.len() };
        let looked = scanned[start..].iter().chain(&scanned[..start]).take(looked_at as usize);
        let mut refused: Vec<_> = looked.filter_map(|&node| Some((node, self.judge(ask, node)?))).collect();
        let unnamed = order.iter().filter(|node| sight.as_ref().is_some_and(|sight| !sight.contains(node)));
        refused.extend(unnamed.map(|&node| (node, Verdict::of(Reason::NotNamed))));
        let mut scratch = std::mem::take(&mut self.scratch);
        let feasible = self.candidates(ask.class, &mut scratch);
        let best = feasible.iter().map(|candidate| candidate.total).max();
        let best = feasible.iter().filter(|candidate| Some(candidate.total) == best).map(|c| c.node).collect();
        Explanation { refused, feasible, best }
    }
}
