//! The scheduler against its slow twin, on random clusters, pods and changes between placements.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::build::{Build, MI, placement};
use super::naive::{Naive, Placed};
use super::naive_preemption::NaiveBudget;
use crate::ids::{BudgetId, ImageId, NodeId, PodId, Symbol, TemplateId, WorkloadId};
use crate::labels::{Labels, Op, Requirement, Selector};
use crate::model::{
    Bytes, Catalog, HOSTNAME_LABEL, HostPort, MilliCpu, NodeTerm, PodTemplate, PodTerm, REGION_LABEL, Resources,
    ServiceSpec, SpreadConstraint, Taint, TaintEffect, Toleration, Weighted, WhenUnsatisfiable, WorkloadKind,
    ZONE_LABEL,
};
use crate::profile::{
    Balanced, Filter, Placement, Profile, ResourceName, Sampling, SchedulerProfile, Score, ShapePoint,
};
use crate::rng::{Purpose, Stream, Streams};
use crate::scheduler::{Budgets, NodeState, Outcome, Preemption, Refusal, Request, Scheduler};
use crate::time::Time;

const APPS: [&str; 3] = ["red", "green", "blue"];
const NAMESPACES: [&str; 2] = ["default", "other"];

const SECOND: &str = "second";

/// Draws a random catalog.
struct Dice {
    build: Build,
    luck: Stream,
}

impl Dice {
    fn chance(&mut self, permille: u32) -> bool {
        self.luck.chance(permille)
    }

    fn word(&mut self, words: &[&str]) -> Symbol {
        let word = words[self.luck.index(words.len())];
        self.build.s(word)
    }

    fn some(&mut self, most: usize) -> usize {
        self.luck.index(most + 1)
    }

    fn taint(&mut self) -> Taint {
        let effects = [TaintEffect::NoSchedule, TaintEffect::PreferNoSchedule, TaintEffect::NoExecute];
        let effect = effects[[0, 1, 1, 2][self.luck.index(4)]];
        Taint { key: self.word(&["t1", "t2"]), value: self.word(&["", "v"]), effect }
    }

    fn state(&mut self) -> NodeState {
        let taints = if self.chance(400) { (0..self.some(2)).map(|_| self.taint()).collect() } else { Vec::new() };
        NodeState { taints, unschedulable: self.chance(80) }
    }

    fn node(&mut self) {
        let zone = ["a", "b", "c", ""][self.luck.index(4)];
        let id = self.build.node(zone);
        let mut labels: Vec<(Symbol, Symbol)> = self.build.0.nodes[id].labels.iter().collect();
        if self.chance(500) {
            labels.push((self.build.s("disk"), self.word(&["ssd", "hdd"])));
        }
        if self.chance(200) {
            labels.push((self.build.s(REGION_LABEL), self.word(&["north", "south"])));
        }
        if self.chance(50) {
            let hostname = self.build.s(HOSTNAME_LABEL);
            labels.retain(|label| label.0 != hostname);
        }
        labels.push((self.build.s("size"), self.word(&["3", "7", "x"])));
        let gpu = self.build.s("example.com/gpu");
        let (cpu, memory) = ([0, 2000, 4000, 8000][self.luck.index(4)], [0, 2048, 8192][self.luck.index(3)]);
        let extended = if self.chance(300) { vec![(gpu, 2)] } else { Vec::new() };
        let (max_pods, ephemeral) = ([3, 6, 110][self.luck.index(3)], Bytes(10 * 1024 * MI));
        let node = &mut self.build.0.nodes[id];
        node.labels = Labels::new(labels);
        node.allocatable = Resources { cpu: MilliCpu(cpu), memory: Bytes(memory * MI), ephemeral, extended };
        node.max_pods = max_pods;
    }

    fn requirement(&mut self) -> Requirement {
        let key = self.word(&["app", "disk", "size"]);
        let value = self.word(&["red", "green", "ssd", "7"]);
        let ops = [Op::In(vec![value]), Op::NotIn(vec![value]), Op::Exists, Op::NotExists, Op::Greater(5), Op::Less(5)];
        Requirement { key, op: ops[self.luck.index(6)].clone() }
    }

    fn node_term(&mut self) -> NodeTerm {
        let labels = Selector { all: (0..self.some(2)).map(|_| self.requirement()).collect() };
        let names = if self.chance(200) {
            (0..2).map(|_| self.word(&["node-0", "node-1", "node-2"])).collect()
        } else {
            Vec::new()
        };
        let not_names = if self.chance(100) { vec![self.word(&["node-0", "node-3"])] } else { Vec::new() };
        NodeTerm { labels, names, not_names }
    }

    fn selector(&mut self) -> Selector {
        match self.luck.index(6) {
            0 => Selector::default(),
            1 => Selector { all: vec![self.requirement()] },
            _ => Selector::equals([(self.build.s("app"), self.word(&APPS))]),
        }
    }

    fn topology(&mut self) -> Symbol {
        self.word(&[ZONE_LABEL, HOSTNAME_LABEL, "disk"])
    }

    fn pod_term(&mut self) -> PodTerm {
        PodTerm {
            selector: self.selector(),
            namespaces: vec![self.word(&NAMESPACES)],
            all_namespaces: self.chance(300),
            topology_key: self.topology(),
        }
    }

    fn pod_terms(&mut self, permille: u32) -> Vec<PodTerm> {
        if self.chance(permille) { (0..=self.some(1)).map(|_| self.pod_term()).collect() } else { Vec::new() }
    }

    fn weighted(&mut self) -> Vec<Weighted<PodTerm>> {
        self.pod_terms(200).into_iter().map(|item| Weighted { weight: 1 + self.luck.index(100) as i32, item }).collect()
    }

    fn constraint(&mut self) -> SpreadConstraint {
        let whens = [WhenUnsatisfiable::DoNotSchedule, WhenUnsatisfiable::ScheduleAnyway];
        SpreadConstraint {
            max_skew: 1 + self.some(2) as i32,
            topology_key: self.topology(),
            when: whens[self.luck.index(2)],
            selector: self.selector(),
            min_domains: self.chance(200).then_some(3),
            honor_affinity: self.chance(700),
            honor_taints: self.chance(300),
        }
    }

    fn toleration(&mut self) -> Toleration {
        let key = self.word(&["t1", "t2", "node.kubernetes.io/unschedulable"]);
        Toleration {
            key: self.chance(900).then_some(key),
            value: self.chance(300).then(|| self.word(&["", "v"])),
            effect: self.chance(300).then_some(TaintEffect::PreferNoSchedule),
            seconds: None,
        }
    }

    fn port(&mut self) -> HostPort {
        HostPort {
            port: 80 + self.some(1) as u16,
            protocol: self.word(&["TCP", "UDP"]),
            ip: self.word(&["", "0.0.0.0", "10.0.0.1"]),
        }
    }

    fn template(&mut self) -> TemplateId {
        let app = APPS[self.luck.index(APPS.len())];
        let (cpu, memory) = ([0, 100, 700, 1500][self.luck.index(4)], [0, 128, 500, 900][self.luck.index(4)]);
        let mut t: PodTemplate = self.build.template(app);
        t.namespace = if self.chance(800) { self.build.s("default") } else { self.build.s("other") };
        t.requests = Resources::new(MilliCpu(cpu), Bytes(memory * MI));
        t.score_cpu = MilliCpu(if cpu == 0 { 100 } else { cpu });
        t.score_memory = Bytes(if memory == 0 { 200 } else { memory } * MI);
        if self.chance(150) {
            t.requests.extended = vec![(self.build.s("example.com/gpu"), 1)];
        }
        if self.chance(150) {
            t.requests.ephemeral = Bytes(4 * 1024 * MI);
        }
        if self.chance(150) {
            t.node_selector = vec![(self.build.s("disk"), self.word(&["ssd", "hdd"]))];
        }
        if self.chance(250) {
            t.affinity.node_required = (0..self.some(2)).map(|_| self.node_term()).collect();
        }
        if self.chance(250) {
            let terms: Vec<NodeTerm> = (0..2).map(|_| self.node_term()).collect();
            t.affinity.node_preferred = terms.into_iter().map(|item| Weighted { weight: 7, item }).collect();
        }
        t.affinity.pod_required = self.pod_terms(150);
        t.affinity.anti_required = self.pod_terms(200);
        t.affinity.pod_preferred = self.weighted();
        t.affinity.anti_preferred = self.weighted();
        if self.chance(400) {
            t.spread = (0..=self.some(2)).map(|_| self.constraint()).collect();
        }
        if self.chance(400) {
            t.tolerations = (0..=self.some(1)).map(|_| self.toleration()).collect();
        }
        if self.chance(100) {
            t.host_ports = (0..=self.some(1)).map(|_| self.port()).collect();
        }
        t.priority = [0, 0, 5, 9, -3][self.luck.index(5)];
        t.preempts = self.chance(900);
        if self.chance(300) {
            t.scheduler = self.build.s(SECOND);
        }
        if self.chance(40) {
            t.node_name = Some(self.word(&["node-0", "node-1"]));
        }
        self.build.add(t)
    }

    fn service(&mut self) {
        let selector = Selector::equals([(self.build.s("app"), self.word(&APPS))]);
        let (name, namespace) = (self.word(&APPS), self.word(&NAMESPACES));
        self.build.0.services.push(ServiceSpec::new(name, namespace, selector));
    }

    fn arguments(&mut self, placement: &mut Placement) {
        let (gpu, args) = (self.build.s("example.com/gpu"), &mut placement.args);
        args.hard_affinity_weight = self.luck.index(4) as i64 * 20;
        args.ignore_existing_terms = self.luck.chance(500);
        args.ignored_resources = if self.luck.chance(300) { vec![gpu] } else { Vec::new() };
        args.added_required = if self.luck.chance(300) { vec![self.node_term()] } else { Vec::new() };
        placement.args.added_preferred = if self.chance(300) { vec![(5, self.node_term())] } else { Vec::new() };
        if self.chance(400) {
            placement.args.fit_resources = vec![(ResourceName::Cpu, 3), (ResourceName::Extended(gpu), 1)];
            let point = |utilization, score| ShapePoint { utilization, score };
            placement.args.shape = vec![point(0, 0), point(100, 10)];
            placement.scores.retain(|(score, _)| !matches!(score, Score::LeastAllocated | Score::MostAllocated));
            placement.scores.push((Score::RequestedToCapacityRatio, 1));
        }
        if self.chance(300) {
            let off = [Filter::InterPodAffinity, Filter::PodTopologySpread, Filter::TaintToleration];
            let off = off[self.luck.index(3)];
            placement.filters.retain(|filter| *filter != off);
        }
    }

    fn placement(&mut self) -> Placement {
        if self.chance(150) {
            return Profile::named("swarm").expect("it is built in").placement;
        }
        let mut placement = placement();
        if self.chance(500) {
            placement.sampling = Sampling { percent: 0, min_percent: 5, min_nodes: 3 };
        }
        if self.chance(200) {
            placement.balanced = if self.chance(500) { Balanced::After } else { Balanced::Difference };
            placement.scores.push((Score::MostAllocated, 3));
        }
        if self.chance(300) {
            self.arguments(&mut placement);
        }
        placement
    }
}

/// Both schedulers, told the same.
struct Pair {
    fast: Scheduler,
    slow: Naive,
    next_pod: u32,
    budgets: Vec<NaiveBudget>,
}

/// The same budgets as the scheduler asks for them.
struct Asked<'a>(&'a [NaiveBudget]);

impl Budgets for Asked<'_> {
    fn covering(&self, pod: PodId, found: &mut Vec<BudgetId>) {
        let covering = (0..).zip(self.0).filter(|(_, budget)| budget.covers(pod));
        found.extend(covering.map(|(i, _)| BudgetId(i)));
    }

    fn allowed(&self, budget: BudgetId) -> u32 {
        self.0[budget.0 as usize].allowed
    }
}

impl Pair {
    fn set_node(&mut self, node: NodeId, state: NodeState) {
        self.slow.set_node(node, state.clone());
        self.fast.set_node(node, state);
    }

    fn remove_node(&mut self, node: NodeId) {
        self.slow.remove_node(node);
        self.fast.remove_node(node);
    }

    fn add_image(&mut self, node: NodeId, image: ImageId) {
        self.slow.images.insert((node, image));
        self.fast.add_image(node, image);
    }

    fn end_a_pod(&mut self, dice: &mut Dice) {
        if self.slow.pods.is_empty() {
            return;
        }
        let at = dice.luck.index(self.slow.pods.len());
        let pod = &mut self.slow.pods[at];
        if !pod.terminating && dice.chance(500) {
            pod.terminating = true;
            self.fast.set_terminating(&pod.request, pod.node);
        } else {
            self.fast.release(&pod.request, pod.node);
            self.slow.pods.remove(at);
        }
    }

    /// Places one pod with both and compares everything that they say about it.
    fn place(&mut self, dice: &mut Dice, template: TemplateId, workload: Option<WorkloadId>) {
        let known = self.slow.nodes.len();
        let only = (known > 0 && dice.chance(100)).then(|| self.slow.nodes[dice.luck.index(known)].0);
        let request = Request { pod: PodId(self.next_pod), template, workload, only };
        self.next_pod += 1;
        self.attempt(dice, &request);
    }

    /// A pod that was promised a node is tried again.
    fn place_nominee(&mut self, dice: &mut Dice) {
        if !self.slow.nominees.is_empty() {
            let request = self.slow.nominees[dice.luck.index(self.slow.nominees.len())].0;
            self.attempt(dice, &request);
        }
    }

    fn attempt(&mut self, dice: &mut Dice, request: &Request) {
        let request = *request;
        let scan = self.slow.scan(&request);
        let totals = self.slow.totals(&request, &scan.feasible);
        let explained = self.fast.explain(&request);
        let refused: Vec<_> =
            explained.refused.iter().map(|(node, verdict)| (*node, verdict.reasons.clone())).collect();
        assert_eq!(refused, scan.refused);
        let candidates: Vec<_> = explained.feasible.iter().map(|c| (c.node, c.total)).collect();
        let expected: Vec<_> = scan.feasible.iter().copied().zip(totals).collect();
        assert_eq!(candidates, expected, "{:#?}", explained.feasible);
        match self.fast.place(&request) {
            Outcome::Placed { node, looked_at, feasible } => {
                assert!(explained.best.contains(&node));
                assert_eq!((looked_at as usize, feasible as usize), (scan.looked_at, scan.feasible.len()));
                self.fast.charge(&request, node);
                self.slow.nominees.retain(|(nominee, _)| nominee.pod != request.pod);
                let started = dice.chance(800).then(|| dice.luck.below(5));
                if let Some(second) = started {
                    self.fast.set_started(request.pod, Time::from_secs(second));
                }
                self.slow.pods.push(Placed { request, node, terminating: false, started });
            }
            Outcome::Refused(refusal) => {
                assert!(scan.feasible.is_empty());
                assert_eq!(refusal.looked_at as usize, self.slow.nodes.len());
                // The columns count the same reasons as a look at every node.
                let mut counted = Refusal::default();
                explained.refused.iter().for_each(|(_, verdict)| counted.add(verdict));
                assert_eq!(refusal, counted);
                let unresolvable = |node: &NodeId| {
                    explained.refused.iter().any(|(refused, verdict)| refused == node && verdict.unresolvable)
                };
                let hopeless: Vec<NodeId> = self.slow.order().into_iter().filter(unresolvable).collect();
                self.preempt(dice, &request, &hopeless);
            }
        }
    }

    /// Looks for victims with both, and promises the node sometimes.
    fn preempt(&mut self, dice: &mut Dice, request: &Request, hopeless: &[NodeId]) {
        let found = self.fast.preempt(request, &Asked(&self.budgets));
        let template = &self.slow.catalog.templates[request.template];
        if self.slow.placement.args.preemption.is_none() {
            return assert_eq!(found, Preemption::Disabled);
        }
        if !template.preempts {
            return assert_eq!(found, Preemption::Never);
        }
        let mut expected = self.slow.candidates(request, &self.budgets);
        expected.retain(|(node, ..)| !hopeless.contains(node));
        expected.sort();
        let (mut candidates, best) = match &found {
            Preemption::Found(found) => {
                let plain = found.candidates.iter().map(|v| (v.node, v.pods.clone(), v.violations));
                (plain.collect(), found.best.iter().map(|&i| found.candidates[i].node).collect())
            }
            other => {
                assert!(matches!(other, Preemption::Nowhere(_)), "{other:?}");
                (Vec::new(), Vec::new())
            }
        };
        candidates.sort();
        assert_eq!(candidates, expected);
        let mut sorted: Vec<NodeId> = best;
        sorted.sort();
        let mut wanted = self.slow.best(expected);
        wanted.sort();
        assert_eq!(sorted, wanted);
        if let Preemption::Found(found) = &found
            && dice.chance(700)
        {
            let node = found.chosen().node;
            self.fast.nominate(request, node);
            self.slow.nominees.retain(|(nominee, _)| nominee.pod != request.pod);
            self.slow.nominees.push((*request, node));
        }
    }
}

fn catalog(dice: &mut Dice, nodes: usize, templates: usize) -> (Catalog, Vec<(TemplateId, Option<WorkloadId>)>) {
    for label in [ZONE_LABEL, HOSTNAME_LABEL, REGION_LABEL, "0.0.0.0"] {
        dice.build.s(label);
    }
    (0..nodes).for_each(|_| dice.node());
    (0..dice.some(2)).for_each(|_| dice.service());
    let mut kinds = Vec::new();
    for _ in 0..templates {
        let template = dice.template();
        let kind = [WorkloadKind::Deployment, WorkloadKind::ReplicaSet, WorkloadKind::Pod][dice.luck.index(3)];
        let app = APPS[dice.luck.index(APPS.len())];
        kinds.push((template, None));
        kinds.push((template, Some(dice.build.workload(kind, app, template))));
    }
    (dice.build.0.clone(), kinds)
}

fn churn(seed: u64, nodes: usize, templates: usize, steps: usize) {
    let mut dice = Dice { build: Build::new(), luck: Streams::new(seed).stream(Purpose::Fault, 0) };
    let (catalog, kinds) = catalog(&mut dice, nodes, templates);
    let catalog = Arc::new(catalog);
    let (placement, second) = (dice.placement(), dice.placement());
    let catalog = Arc::new(Catalog { names: dice.build.0.names.clone(), ..Catalog::clone(&catalog) });
    let further = [SchedulerProfile { name: SECOND.to_owned(), placement: second.clone() }];
    let stream = Streams::new(seed).stream(Purpose::Scheduler, 0);
    let mut pair = Pair {
        fast: Scheduler::with_profiles(Arc::clone(&catalog), (placement.clone(), &further), stream),
        slow: Naive {
            catalog: Arc::clone(&catalog),
            placement: placement.clone(),
            profiles: vec![("", placement), (SECOND, second)],
            nominees: Vec::new(),
            nodes: Vec::new(),
            zones: Vec::new(),
            pods: Vec::new(),
            images: BTreeSet::new(),
            next_start: 0,
        },
        next_pod: 0,
        budgets: (0..dice.some(2)).map(|i| NaiveBudget { every: 2 + i as u32, allowed: dice.some(2) as u32 }).collect(),
    };
    for node in catalog.nodes.ids() {
        let state = dice.state();
        pair.set_node(node, state);
    }
    for _ in 0..steps {
        let node = NodeId(dice.luck.index(nodes) as u32);
        match dice.luck.index(16) {
            0 => pair.remove_node(node),
            1 | 2 => {
                let state = dice.state();
                pair.set_node(node, state);
            }
            3 if !catalog.images.is_empty() => {
                let image = ImageId(dice.luck.index(catalog.images.len()) as u32);
                pair.add_image(node, image);
            }
            4 | 5 => pair.end_a_pod(&mut dice),
            6 | 7 => pair.place_nominee(&mut dice),
            _ => {
                let (template, workload) = kinds[dice.luck.index(kinds.len())];
                pair.place(&mut dice, template, workload);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn agrees_with_the_naive_scheduler_under_churn(
        seed in any::<u64>(), nodes in 1usize..14, templates in 1usize..7, steps in 1usize..60,
    ) {
        churn(seed, nodes, templates, steps);
    }
}
