//! The scheduler's slow twin: it recounts everything from the list of pods for each question.
//!
//! Written from the rules alone, without caches, classes or counters, so that it can be wrong only in its own way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{ImageId, NodeId, Symbol, WorkloadId};
use crate::labels::Selector;
use crate::model::{
    Catalog, NodeTerm, PodTemplate, PodTerm, REGION_LABEL, SpreadConstraint, Taint, TaintEffect, WhenUnsatisfiable,
    WorkloadKind,
};
use crate::profile::{Balanced, Filter, Placement, Score};
use crate::scheduler::{NodeState, Reason, Request};

pub(super) struct Placed {
    pub(super) request: Request,
    pub(super) node: NodeId,
    pub(super) terminating: bool,
    /// When it started, where that is known.
    pub(super) started: Option<u64>,
}

/// Region and zone label.
type Zone = (Option<Symbol>, Option<Symbol>);

pub(super) struct Naive {
    pub(super) catalog: Arc<Catalog>,
    /// The profile of the present question.
    pub(super) placement: Placement,
    /// All profiles, by the names that pods give.
    pub(super) profiles: Vec<(&'static str, Placement)>,
    /// Pods that were promised a node, in the order of promises.
    pub(super) nominees: Vec<(Request, NodeId)>,
    /// In the order in which they became known.
    pub(super) nodes: Vec<(NodeId, NodeState)>,
    /// In order of first appearance.
    pub(super) zones: Vec<Zone>,
    pub(super) pods: Vec<Placed>,
    pub(super) images: BTreeSet<(NodeId, ImageId)>,
    pub(super) next_start: usize,
}

pub(super) struct Scan {
    pub(super) refused: Vec<(NodeId, Vec<Reason>)>,
    pub(super) feasible: Vec<NodeId>,
    pub(super) looked_at: usize,
}

impl Naive {
    fn zone(&self, node: NodeId) -> Zone {
        let labels = &self.catalog.nodes[node].labels;
        let region = self.catalog.names.find(REGION_LABEL);
        (region.and_then(|r| labels.get(r)), labels.get(self.catalog.known.zone))
    }

    pub(super) fn set_node(&mut self, node: NodeId, state: NodeState) {
        match self.nodes.iter_mut().find(|n| n.0 == node) {
            Some(known) => known.1 = state,
            None => self.nodes.push((node, state)),
        }
        let zone = self.zone(node);
        if !self.zones.contains(&zone) {
            self.zones.push(zone);
        }
    }

    /// A zone keeps its place in the order until its last node is gone.
    pub(super) fn remove_node(&mut self, node: NodeId) {
        self.nodes.retain(|n| n.0 != node);
        let left: Vec<Zone> = self.nodes.iter().map(|n| self.zone(n.0)).collect();
        self.zones.retain(|zone| left.contains(zone));
    }

    /// One node of each zone in turn.
    pub(super) fn order(&self) -> Vec<NodeId> {
        let members = |zone: &Zone| -> Vec<NodeId> {
            self.nodes.iter().map(|n| n.0).filter(|n| self.zone(*n) == *zone).collect()
        };
        let zones: Vec<Vec<NodeId>> = self.zones.iter().map(members).collect();
        let mut order = Vec::new();
        for row in 0..self.nodes.len() {
            order.extend(zones.iter().filter_map(|zone| zone.get(row).copied()));
        }
        order
    }

    pub(super) fn scan(&mut self, request: &Request) -> Scan {
        let wanted = self.catalog.text(self.catalog.templates[request.template].scheduler);
        let profile = self.profiles.iter().find(|(name, _)| *name == wanted).expect("only known schedulers are asked");
        self.placement = profile.1.clone();
        if let Some(node) = self.promised(request) {
            return Scan { refused: Vec::new(), feasible: vec![node], looked_at: 1 };
        }
        let catalog = Arc::clone(&self.catalog);
        let template = &catalog.templates[request.template];
        let all = self.order();
        let required = &template.affinity.node_required;
        let by_name = !required.is_empty() && required.iter().all(|term| !term.names.is_empty());
        let wanted_name = |node: &NodeId| required.iter().any(|term| term.names.contains(&catalog.nodes[*node].name));
        let mut nodes: Vec<NodeId> = all.iter().copied().filter(|node| !by_name || wanted_name(node)).collect();
        if by_name {
            nodes.sort();
        }
        nodes.retain(|node| request.only.is_none_or(|only| only == *node));
        let wanted = self.placement.sampling.wanted(nodes.len() as u32) as usize;
        let mut scan = Scan { refused: Vec::new(), feasible: Vec::new(), looked_at: 0 };
        for i in 0..nodes.len() {
            let node = nodes[(self.next_start + i) % nodes.len()];
            scan.looked_at += 1;
            let reasons = self.refusal_among_nominees(request, node);
            if reasons.is_empty() {
                scan.feasible.push(node);
                if scan.feasible.len() == wanted {
                    break;
                }
            } else {
                scan.refused.push((node, reasons));
            }
        }
        scan.refused.extend(all.iter().filter(|n| !nodes.contains(n)).map(|n| (*n, vec![Reason::NotNamed])));
        if !all.is_empty() {
            self.next_start = (self.next_start + scan.looked_at) % all.len();
        }
        scan
    }

    fn state(&self, node: NodeId) -> &NodeState {
        &self.nodes.iter().find(|n| n.0 == node).expect("asked of known nodes only").1
    }

    pub(super) fn on(&self, node: NodeId) -> impl Iterator<Item = &Placed> {
        self.pods.iter().filter(move |pod| pod.node == node)
    }

    pub(super) fn template(&self, pod: &Placed) -> &PodTemplate {
        &self.catalog.templates[pod.request.template]
    }

    pub(super) fn refusal(&self, request: &Request, node: NodeId) -> Vec<Reason> {
        let all = self.placement.filters.iter().map(|&filter| self.reasons(filter, request, node));
        all.into_iter().find(|reasons| !reasons.is_empty()).unwrap_or_default()
    }

    fn reasons(&self, filter: Filter, request: &Request, node: NodeId) -> Vec<Reason> {
        let template = &self.catalog.templates[request.template];
        let spec = &self.catalog.nodes[node];
        let state = self.state(node);
        let bad = |bad: bool, reason| if bad { vec![reason] } else { Vec::new() };
        match filter {
            Filter::NodeUnschedulable => {
                let key = self.catalog.known.unschedulable;
                let taint = Taint { key, value: self.catalog.known.empty, effect: TaintEffect::NoSchedule };
                bad(state.unschedulable && !tolerated(template, &taint), Reason::Unschedulable)
            }
            Filter::NodeName => bad(template.node_name.is_some_and(|name| name != spec.name), Reason::OtherNode),
            Filter::TaintToleration => bad(!self.tolerates_hard(template, node), Reason::Taint),
            Filter::NodeAffinity => {
                let added = &self.placement.args.added_required;
                if !added.is_empty() && !added.iter().any(|term| self.node_term(term, node)) {
                    return vec![Reason::EnforcedAffinity];
                }
                bad(!self.admits(template, node), Reason::NodeAffinity)
            }
            Filter::NodePorts => {
                let taken = self.on(node).flat_map(|pod| &self.template(pod).host_ports);
                let any = |ip| ip == self.catalog.known.empty || self.catalog.text(ip) == "0.0.0.0";
                let clash = taken.into_iter().any(|a| {
                    template.host_ports.iter().any(|b| {
                        a.port == b.port && a.protocol == b.protocol && (a.ip == b.ip || any(a.ip) || any(b.ip))
                    })
                });
                bad(clash, Reason::Port)
            }
            Filter::NodeResourcesFit => self.shortages(template, node),
            Filter::PodTopologySpread => self.spread_refusal(template, node),
            // These have a plain twin of their own, in `tests/volumes.rs`.
            Filter::VolumeRestrictions | Filter::NodeVolumeLimits | Filter::VolumeBinding | Filter::VolumeZone => {
                Vec::new()
            }
            Filter::InterPodAffinity => self.affinity_refusal(template, node),
            Filter::MaxPerNode => {
                let rules = &template.wishes.distinct;
                let at_most =
                    rules.iter().filter(|rule| rule.attribute == self.catalog.known.hostname).map(|r| r.at_most);
                let siblings = self.on(node).filter(|p| p.request.workload == request.workload && !p.terminating);
                bad(at_most.min().is_some_and(|most| siblings.count() as u32 >= most), Reason::EnoughOfWorkload)
            }
        }
    }

    fn tolerates_hard(&self, template: &PodTemplate, node: NodeId) -> bool {
        let hard = self.state(node).taints.iter().filter(|taint| taint.effect != TaintEffect::PreferNoSchedule);
        hard.into_iter().all(|taint| tolerated(template, taint))
    }

    fn admits(&self, template: &PodTemplate, node: NodeId) -> bool {
        let labels = &self.catalog.nodes[node].labels;
        let required = &template.affinity.node_required;
        template.node_selector.iter().all(|(key, value)| labels.get(*key) == Some(*value))
            && (required.is_empty() || required.iter().any(|term| self.node_term(term, node)))
    }

    fn node_term(&self, term: &NodeTerm, node: NodeId) -> bool {
        let spec = &self.catalog.nodes[node];
        if *term == NodeTerm::default() {
            return false;
        }
        term.labels.matches(&spec.labels, &self.catalog.names)
            && (term.names.is_empty() || term.names.contains(&spec.name))
            && !term.not_names.contains(&spec.name)
    }

    fn shortages(&self, template: &PodTemplate, node: NodeId) -> Vec<Reason> {
        let spec = &self.catalog.nodes[node];
        let sum =
            |part: &dyn Fn(&PodTemplate) -> i64| -> i64 { self.on(node).map(|pod| part(self.template(pod))).sum() };
        let mut reasons = Vec::new();
        if self.on(node).count() as u32 + 1 > spec.max_pods {
            reasons.push(Reason::Pods);
        }
        let mut check = |reason, cap: i64, part: &dyn Fn(&PodTemplate) -> i64| {
            if part(template) > 0 && part(template) > cap - sum(part) {
                reasons.push(reason);
            }
        };
        check(Reason::Cpu, spec.allocatable.cpu.0, &|t| t.requests.cpu.0);
        check(Reason::Memory, spec.allocatable.memory.0, &|t| t.requests.memory.0);
        check(Reason::Ephemeral, spec.allocatable.ephemeral.0, &|t| t.requests.ephemeral.0);
        let ignored = &self.placement.args.ignored_resources;
        for &(name, _) in template.requests.extended.iter().filter(|(name, _)| !ignored.contains(name)) {
            check(Reason::Extended(name), spec.allocatable.extended(name), &|t| t.requests.extended(name));
        }
        reasons
    }

    /// Live pods of the namespace on a node that a selector matches.
    fn matching_on(&self, selector: &Selector, like: &PodTemplate, node: NodeId) -> i64 {
        if selector.all.is_empty() {
            return 0;
        }
        let pods = self.on(node).filter(|pod| !pod.terminating).map(|pod| self.template(pod));
        pods.filter(|t| t.namespace == like.namespace && selector.matches(&t.labels, &self.catalog.names)).count()
            as i64
    }

    fn eligible(&self, template: &PodTemplate, of: &SpreadConstraint, node: NodeId) -> bool {
        let labels = &self.catalog.nodes[node].labels;
        let same_kind = template.spread.iter().filter(|c| c.when == of.when);
        same_kind.into_iter().all(|c| labels.get(c.topology_key).is_some())
            && (!of.honor_affinity || self.admits(template, node))
            && (!of.honor_taints || self.tolerates_hard(template, node))
    }

    fn spread_refusal(&self, template: &PodTemplate, node: NodeId) -> Vec<Reason> {
        for c in template.spread.iter().filter(|c| c.when == WhenUnsatisfiable::DoNotSchedule) {
            let Some(here) = self.catalog.nodes[node].labels.get(c.topology_key) else {
                return vec![Reason::SpreadLabel];
            };
            let mut domains: BTreeMap<Symbol, i64> = BTreeMap::new();
            for (other, _) in self.nodes.iter().filter(|(other, _)| self.eligible(template, c, *other)) {
                let value = self.catalog.nodes[*other].labels.get(c.topology_key).expect("eligible nodes have it");
                *domains.entry(value).or_insert(0) += self.matching_on(&c.selector, template, *other);
            }
            let enough = domains.len() as u32 >= c.min_domains.unwrap_or(1);
            let smallest = if enough { domains.values().copied().min().unwrap_or(0) } else { 0 };
            let own = i64::from(c.selector.matches(&template.labels, &self.catalog.names));
            if domains.get(&here).copied().unwrap_or(0) + own - smallest > i64::from(c.max_skew) {
                return vec![Reason::SpreadSkew];
            }
        }
        Vec::new()
    }

    fn speaks_of(&self, term: &PodTerm, template: &PodTemplate) -> bool {
        (term.all_namespaces || term.namespaces.contains(&template.namespace))
            && term.selector.matches(&template.labels, &self.catalog.names)
    }

    /// Pods on known nodes of the domain that `node` is in by `key`.
    fn in_domain(&self, key: Symbol, node: NodeId) -> Vec<&Placed> {
        let label = |node: NodeId| self.catalog.nodes[node].labels.get(key);
        let known = |node: NodeId| self.nodes.iter().any(|n| n.0 == node);
        let Some(here) = label(node) else { return Vec::new() };
        self.pods.iter().filter(|pod| known(pod.node) && label(pod.node) == Some(here)).collect()
    }

    fn affinity_refusal(&self, template: &PodTemplate, node: NodeId) -> Vec<Reason> {
        let affinity = &template.affinity;
        let required = &affinity.pod_required;
        let labels = &self.catalog.nodes[node].labels;
        let all_match = |t: &PodTemplate| required.iter().all(|term| self.speaks_of(term, t));
        let near = |term: &PodTerm, node| {
            self.in_domain(term.topology_key, node).into_iter().any(|pod| all_match(self.template(pod)))
        };
        if !required.is_empty() {
            let labelled = required.iter().all(|term| labels.get(term.topology_key).is_some());
            let nobody = self.nodes.iter().all(|(n, _)| required.iter().all(|term| !near(term, *n)));
            let ok = required.iter().all(|term| near(term, node)) || (nobody && all_match(template));
            if !labelled || !ok {
                return vec![Reason::PodAffinity];
            }
        }
        let close = |term: &PodTerm| {
            self.in_domain(term.topology_key, node).into_iter().any(|pod| self.speaks_of(term, self.template(pod)))
        };
        if affinity.anti_required.iter().any(close) {
            return vec![Reason::PodAntiAffinity];
        }
        let mut existing = self.nodes.iter().flat_map(|(other, _)| self.on(*other));
        let repelled = existing.any(|pod| {
            self.template(pod).affinity.anti_required.iter().any(|term| {
                let there = self.catalog.nodes[pod.node].labels.get(term.topology_key);
                self.speaks_of(term, template) && there.is_some() && there == labels.get(term.topology_key)
            })
        });
        if repelled { vec![Reason::ExistingAntiAffinity] } else { Vec::new() }
    }

    /// Totals of feasible nodes, in their order.
    pub(super) fn totals(&self, request: &Request, feasible: &[NodeId]) -> Vec<i64> {
        let mut totals = vec![0; feasible.len()];
        if feasible.len() < 2 {
            return totals;
        }
        for &(score, weight) in &self.placement.scores {
            for (total, value) in totals.iter_mut().zip(self.column(score, request, feasible)) {
                *total += weight * value;
            }
        }
        totals
    }

    fn column(&self, score: Score, request: &Request, feasible: &[NodeId]) -> Vec<i64> {
        let template = &self.catalog.templates[request.template];
        let each = |value: &dyn Fn(NodeId) -> i64| -> Vec<i64> { feasible.iter().map(|node| value(*node)).collect() };
        let soft = |node| {
            let taints = self.state(node).taints.iter().filter(|taint| taint.effect == TaintEffect::PreferNoSchedule);
            taints.filter(|taint| !tolerated(template, taint)).count() as i64
        };
        let preferred = |node| {
            let terms = template.affinity.node_preferred.iter().filter(|w| self.node_term(&w.item, node));
            let added = self.placement.args.added_preferred.iter().filter(|(_, term)| self.node_term(term, node));
            terms.map(|w| i64::from(w.weight)).sum::<i64>() + added.map(|(weight, _)| i64::from(*weight)).sum::<i64>()
        };
        match score {
            Score::TaintToleration => by_max(each(&soft)).into_iter().map(|value| 100 - value).collect(),
            Score::NodeAffinity => by_max(each(&preferred)),
            Score::LeastAllocated => {
                each(&|node| self.mean(template, node, &|req, cap| (cap - req).max(0) * 100 / cap))
            }
            Score::RequestedToCapacityRatio => each(&|node| self.packing(template, node)),
            Score::MostAllocated => each(&|node| self.mean(template, node, &|req, cap| req.min(cap) * 100 / cap)),
            Score::BalancedAllocation if self.placement.balanced == Balanced::Difference => each(&|node| {
                let shares = std::cell::RefCell::new(Vec::new());
                self.mean(template, node, &|req, cap| {
                    shares.borrow_mut().push(req as f64 / cap as f64);
                    0
                });
                match shares.into_inner()[..] {
                    [cpu, memory] if cpu < 1.0 && memory < 1.0 => ((1.0 - (cpu - memory).abs()) * 100.0) as i64,
                    _ => 0,
                }
            }),
            Score::BalancedAllocation if template.requests.cpu.0 == 0 && template.requests.memory.0 == 0 => {
                each(&|_| 0)
            }
            Score::BalancedAllocation => each(&|node| {
                let (with, without) = (self.balance(Some(template), node), self.balance(None, node));
                if self.placement.balanced == Balanced::After { with } else { 50 + (50 + with - without) / 2 }
            }),
            Score::PodTopologySpread => self.spread_column(request, feasible),
            Score::InterPodAffinity => by_range(each(&|node| self.pull(template, node))),
            Score::ImageLocality => each(&|node| self.locality(template, node)),
            Score::FewestOfWorkload => each(&|node| {
                let same = |pod: &&Placed| request.workload.is_some() && pod.request.workload == request.workload;
                -(self.on(node).filter(|pod| !pod.terminating).filter(same).count() as i64)
            }),
            Score::SelectorSpread => each(&|_| 0),
            Score::FewestPods => each(&|node| -(self.on(node).filter(|pod| !pod.terminating).count() as i64)),
        }
    }

    /// By the straight shape from 0 at 0 % to 10 at 100 %, over CPU with weight 3 and the extended resource with 1.
    fn packing(&self, template: &PodTemplate, node: NodeId) -> i64 {
        let (cap, gpu) = (&self.catalog.nodes[node].allocatable, self.catalog.names.find("example.com/gpu"));
        let gpus = |t: &PodTemplate| gpu.map_or(0, |name| t.requests.extended(name));
        let all = || self.on(node).map(|pod| self.template(pod)).chain([template]);
        let share = |used: i64, cap: i64| if cap == 0 { 0 } else { (used * 100 / cap).min(100) };
        let cpu = share(all().map(|t| t.score_cpu.0).sum(), cap.cpu.0);
        let gpu =
            if gpus(template) == 0 { 0 } else { share(all().map(gpus).sum(), gpu.map_or(0, |g| cap.extended(g))) };
        let weights = if cpu == 0 { 0 } else { 3 } + i64::from(gpu != 0);
        if weights == 0 { 0 } else { ((3 * cpu + gpu) as f64 / weights as f64).round() as i64 }
    }

    fn mean(&self, template: &PodTemplate, node: NodeId, part: &dyn Fn(i64, i64) -> i64) -> i64 {
        let cap = &self.catalog.nodes[node].allocatable;
        let cpu = template.score_cpu.0 + self.on(node).map(|pod| self.template(pod).score_cpu.0).sum::<i64>();
        let memory = template.score_memory.0 + self.on(node).map(|pod| self.template(pod).score_memory.0).sum::<i64>();
        let present: Vec<_> = [(cpu, cap.cpu.0), (memory, cap.memory.0)].into_iter().filter(|r| r.1 != 0).collect();
        let sum: i64 = present.iter().map(|(req, cap)| part(*req, *cap)).sum();
        if present.is_empty() { 0 } else { sum / present.len() as i64 }
    }

    fn balance(&self, extra: Option<&PodTemplate>, node: NodeId) -> i64 {
        let cap = &self.catalog.nodes[node].allocatable;
        let templates: Vec<&PodTemplate> = self.on(node).map(|pod| self.template(pod)).chain(extra).collect();
        let cpu: i64 = templates.iter().map(|t| t.requests.cpu.0).sum();
        let memory: i64 = templates.iter().map(|t| t.requests.memory.0).sum();
        let resources = [(cpu, cap.cpu.0), (memory, cap.memory.0)];
        let shares: Vec<f64> =
            resources.iter().filter(|r| r.1 != 0).map(|r| (r.0 as f64 / r.1 as f64).min(1.0)).collect();
        let deviation = if shares.len() == 2 { ((shares[0] - shares[1]) / 2.0).abs() } else { 0.0 };
        ((1.0 - deviation) * 100.0) as i64
    }

    fn spread_column(&self, request: &Request, feasible: &[NodeId]) -> Vec<i64> {
        let template = &self.catalog.templates[request.template];
        let explicit = !template.spread.is_empty();
        let constraints: Vec<SpreadConstraint> = if explicit {
            template.spread.iter().filter(|c| c.when == WhenUnsatisfiable::ScheduleAnyway).cloned().collect()
        } else {
            self.default_constraints(template, request.workload)
        };
        if constraints.is_empty() {
            return vec![0; feasible.len()];
        }
        let label = |node: NodeId, c: &SpreadConstraint| self.catalog.nodes[node].labels.get(c.topology_key);
        let scored = |node: NodeId| !explicit || constraints.iter().all(|c| label(node, c).is_some());
        // The default selector of a deployment's pod also tells its revisions apart.
        let owner = request.workload.map(|w| self.catalog.workloads[w].kind);
        let revision = !explicit && owner == Some(WorkloadKind::Deployment);
        let count = |c: &SpreadConstraint, node: NodeId| -> i64 {
            let here = self.on(node).filter(|pod| !pod.terminating);
            let mine = here.filter(|pod| !revision || pod.request.template == request.template);
            let matching = mine.map(|pod| self.template(pod)).filter(|t| {
                t.namespace == template.namespace
                    && !c.selector.all.is_empty()
                    && c.selector.matches(&t.labels, &self.catalog.names)
            });
            matching.count() as i64
        };
        let mut raw: Vec<Option<f64>> = feasible.iter().map(|node| scored(*node).then_some(0.0)).collect();
        for c in &constraints {
            let hostname = c.topology_key == self.catalog.known.hostname;
            let scored_nodes: Vec<NodeId> = feasible.iter().copied().filter(|node| scored(*node)).collect();
            let distinct: BTreeSet<Option<Symbol>> = scored_nodes.iter().map(|node| label(*node, c)).collect();
            let weight = libm::log((if hostname { scored_nodes.len() } else { distinct.len() } + 2) as f64);
            for (sum, &node) in raw.iter_mut().zip(feasible) {
                let (Some(sum), Some(here)) = (sum, label(node, c)) else { continue };
                let peers = self.nodes.iter().map(|n| n.0).filter(|n| {
                    let included = if explicit { self.eligible(template, c, *n) } else { self.admits(template, *n) };
                    label(*n, c) == Some(here) && included
                });
                let matching = if hostname { count(c, node) } else { peers.map(|n| count(c, n)).sum() };
                *sum += matching as f64 * weight + f64::from(c.max_skew - 1);
            }
        }
        let values: Vec<i64> = raw.iter().flatten().map(|value| value.round() as i64).collect();
        let (min, max) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
        let share = |value: f64| if max == 0 { 100 } else { 100 * (max + min - value.round() as i64) / max };
        raw.into_iter().map(|value| value.map_or(0, share)).collect()
    }

    fn default_constraints(&self, template: &PodTemplate, workload: Option<WorkloadId>) -> Vec<SpreadConstraint> {
        let services = self.catalog.services.rows().iter().filter(|service| service.namespace == template.namespace);
        let selectors = services.filter_map(|service| service.selector.clone());
        let mut all: Vec<_> = selectors
            .filter(|selector| selector.matches(&template.labels, &self.catalog.names))
            .flat_map(|selector| selector.all)
            .collect();
        let spread = [WorkloadKind::Deployment, WorkloadKind::ReplicaSet, WorkloadKind::StatefulSet];
        if let Some(owner) = workload.map(|w| &self.catalog.workloads[w]).filter(|w| spread.contains(&w.kind)) {
            all.extend(owner.selector.all.clone());
        }
        if all.is_empty() {
            return Vec::new();
        }
        let constraint = |&(label, max_skew): &(&str, i32)| SpreadConstraint {
            max_skew,
            topology_key: self.catalog.names.find(label).expect("tests intern the well-known labels"),
            when: WhenUnsatisfiable::ScheduleAnyway,
            selector: Selector { all: all.clone() },
            min_domains: None,
            honor_affinity: true,
            honor_taints: false,
        };
        self.placement.default_spread.iter().map(constraint).collect()
    }

    fn pull(&self, template: &PodTemplate, node: NodeId) -> i64 {
        let labels = &self.catalog.nodes[node].labels;
        let (mut sum, args) = (0, &self.placement.args);
        for pod in self.nodes.iter().flat_map(|(other, _)| self.on(*other)) {
            let existing = self.template(pod);
            let mut credit = |term: &PodTerm, weight: i64, speaks_of: &PodTemplate| {
                let there = self.catalog.nodes[pod.node].labels.get(term.topology_key);
                if there.is_some() && there == labels.get(term.topology_key) && self.speaks_of(term, speaks_of) {
                    sum += weight;
                }
            };
            let (mine, theirs) = (&template.affinity, &existing.affinity);
            mine.pod_preferred.iter().for_each(|w| credit(&w.item, i64::from(w.weight), existing));
            mine.anti_preferred.iter().for_each(|w| credit(&w.item, -i64::from(w.weight), existing));
            if args.ignore_existing_terms && mine.pod_preferred.is_empty() && mine.anti_preferred.is_empty() {
                continue;
            }
            theirs.pod_required.iter().for_each(|term| credit(term, args.hard_affinity_weight, template));
            theirs.pod_preferred.iter().for_each(|w| credit(&w.item, i64::from(w.weight), template));
            theirs.anti_preferred.iter().for_each(|w| credit(&w.item, -i64::from(w.weight), template));
        }
        sum
    }

    fn locality(&self, template: &PodTemplate, node: NodeId) -> i64 {
        const MB: i64 = 1024 * 1024;
        let containers: Vec<ImageId> = template.init.iter().chain(&template.containers).map(|c| c.image).collect();
        let mut sum = 0;
        for &image in containers.iter().filter(|image| self.images.contains(&(node, **image))) {
            let with = self.nodes.iter().filter(|(n, _)| self.images.contains(&(*n, image))).count();
            let spread = with as f64 / self.nodes.len() as f64;
            sum += (self.catalog.images[image].size.0 as f64 * spread) as i64;
        }
        let (min, max) = (23 * MB, 1000 * MB * containers.len() as i64);
        100 * (sum.clamp(min, max) - min) / (max - min)
    }
}

fn tolerated(template: &PodTemplate, taint: &Taint) -> bool {
    template.tolerations.iter().any(|toleration| toleration.tolerates(taint))
}

fn by_max(column: Vec<i64>) -> Vec<i64> {
    let max = column.iter().copied().max().unwrap_or(0);
    column.into_iter().map(|value| if max == 0 { 0 } else { 100 * value / max }).collect()
}

fn by_range(column: Vec<i64>) -> Vec<i64> {
    let (min, max) = (column.iter().copied().min().unwrap_or(0), column.iter().copied().max().unwrap_or(0));
    let share = |value: i64| if max == min { 0.0 } else { 100.0 * ((value - min) as f64 / (max - min) as f64) };
    column.into_iter().map(|value| share(value) as i64).collect()
}
