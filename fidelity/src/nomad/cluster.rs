//! A recorded cluster as the scheduler's tables.
//!
//! A MHz is a thousandth of a core here: only shares matter. It replays nothing. Start at [`Cluster::of`].

use std::collections::BTreeMap;
use std::sync::Arc;

use shakedown_engine::ids::{Id, NodeId, PodId, Symbol, WorkloadId};
use shakedown_engine::labels::{Labels, Op, Requirement, Selector};
use shakedown_engine::model::{
    Bytes, Catalog, Container, Distinct, HOSTNAME_LABEL, MilliCpu, NodeSpec, NodeTerm, PodTemplate, Resources,
    SpreadWish, Weighted, WorkloadKind, WorkloadSpec, ZONE_LABEL,
};
use shakedown_engine::profile::{Choice, FitAlgorithm, Profile};
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::scheduler::{NodeState, Request, Scheduler};

use super::record::{Constraint, Node, Problem};
use super::targets;

/// Every allocation has this much disk, so that disk decides nothing. Source: the recording's first line.
const DISK: i64 = 10 << 20;

/// The cluster of one problem.
pub(super) struct Cluster {
    pub(super) catalog: Arc<Catalog>,
    pub(super) scheduler: Scheduler,
    nodes: BTreeMap<String, NodeId>,
    /// Allocations there are, by name.
    allocs: BTreeMap<String, Request>,
    /// The versions of their jobs.
    versions: BTreeMap<String, u64>,
    /// What the job's new allocations are made of.
    own: Request,
    pods: u32,
}

/// CPU, memory, priority of an allocation: what makes it equal to another one.
pub(super) type Size = (i64, i64, i32);

impl Cluster {
    /// The cluster before the job was registered.
    ///
    /// # Errors
    /// A sentence, when the problem contradicts itself.
    pub(super) fn of(problem: &Problem, all: &[Node], profile: &Profile) -> Result<Self, String> {
        let mut catalog = Catalog::new();
        let specs: Vec<&Node> = all.iter().filter(|node| problem.before.contains_key(&node.name)).collect();
        if specs.len() != problem.before.len() {
            return Err("a node of `before` is not in the first line".into());
        }
        let nodes = specs.iter().map(|node| (node.name.clone(), add_node(&mut catalog, node))).collect();
        let template = own_template(&mut catalog, problem, &specs)?;
        let mut jobs = BTreeMap::new();
        let count = (&*problem.job.kind, problem.tg.count);
        let workload = job(&mut catalog, &mut jobs, (&problem.job.id, count), template.clone());
        let own =
            Request { pod: PodId(0), template: catalog.templates.push(template), workload: Some(workload), only: None };
        let mut places = Vec::new();
        let (mut allocs, mut versions) = (BTreeMap::new(), BTreeMap::new());
        for (node, before) in &problem.before {
            for alloc in &before.allocs {
                let template = plain_template(&mut catalog, (alloc.cpu, alloc.mem, alloc.prio));
                let workload = job(&mut catalog, &mut jobs, (&alloc.job, (&*alloc.kind, 1)), template.clone());
                let template = catalog.templates.push(template);
                let pod = PodId::from_index(places.len());
                let request = Request { pod, template, workload: Some(workload), only: None };
                places.push((request, node.clone()));
                allocs.insert(alloc.id.clone(), request);
                versions.insert(alloc.id.clone(), alloc.ver);
            }
        }
        let catalog = Arc::new(catalog);
        let placement = algorithm(profile, problem)?.placement;
        let stream = Streams::new(problem.k).stream(Purpose::Scheduler, 0);
        let scheduler = Scheduler::new(Arc::clone(&catalog), placement, stream);
        let pods = places.len() as u32;
        let mut cluster = Self { catalog, scheduler, nodes, allocs, versions, own, pods };
        for node in cluster.catalog.nodes.ids() {
            cluster.scheduler.set_node(node, NodeState::default());
        }
        for (request, node) in places {
            let node = cluster.node(&node)?;
            cluster.scheduler.charge(&request, node);
        }
        Ok(cluster)
    }

    /// A further allocation of the job.
    pub(super) fn next(&mut self) -> Request {
        let pod = PodId(self.pods);
        self.pods += 1;
        Request { pod, ..self.own }
    }

    /// What new allocations of the job are.
    pub(super) const fn own(&self) -> Request {
        self.own
    }

    /// The version of its job that an allocation was of before.
    pub(super) fn version(&self, alloc: &str) -> Option<u64> {
        self.versions.get(alloc).copied()
    }

    /// A node by name.
    pub(super) fn node(&self, name: &str) -> Result<NodeId, String> {
        self.nodes.get(name).copied().ok_or_else(|| format!("there is no node `{name}`"))
    }

    /// An allocation that was there before.
    pub(super) fn alloc(&self, name: &str) -> Option<Request> {
        self.allocs.get(name).copied()
    }

    /// An allocation by its id in the scheduler.
    pub(super) fn size(&self, pod: PodId) -> Option<Size> {
        let request = self.allocs.values().find(|request| request.pod == pod)?;
        let template = &self.catalog.templates[request.template];
        Some((template.requests.cpu.0, template.requests.memory.0 >> 20, template.priority))
    }
}

/// The profile with the scheduler's configuration of a problem.
fn algorithm(profile: &Profile, problem: &Problem) -> Result<Profile, String> {
    let mut profile = profile.clone();
    let Choice::Sampled(sampled) = &mut profile.placement.choice else {
        return Err("the profile does not place as Nomad does".into());
    };
    sampled.algorithm = match &*problem.algo {
        "binpack" => FitAlgorithm::Binpack,
        "spread" => FitAlgorithm::Spread,
        other => return Err(format!("there is no algorithm `{other}`")),
    };
    let others = problem.what.contains("svc_preempt");
    (sampled.preempts.service, sampled.preempts.batch) = (others, others);
    Ok(profile)
}

fn add_node(catalog: &mut Catalog, node: &Node) -> NodeId {
    let mut labels =
        vec![(HOSTNAME_LABEL.to_owned(), node.name.clone()), (ZONE_LABEL.to_owned(), node.datacenter.clone())];
    labels.push(("node.class".to_owned(), node.class.clone()));
    labels.extend(node.meta.iter().map(|(key, value)| (format!("meta.{key}"), value.clone())));
    labels.extend(node.attrs.iter().map(|(key, value)| (format!("attr.{key}"), value.clone())));
    let names = &mut catalog.names;
    let labels =
        Labels::new(labels.iter().map(|(key, value)| (names.intern(key), names.intern(value))).collect::<Vec<_>>());
    let (name, zone) = (catalog.names.intern(&node.name), catalog.zone(&node.datacenter));
    let mut allocatable =
        Resources::new(MilliCpu(node.cpu - node.reserved_cpu), Bytes((node.mem - node.reserved_mem) << 20));
    allocatable.ephemeral = Bytes(1 << 40);
    let known = catalog.known;
    catalog.nodes.push(NodeSpec { labels, ..NodeSpec::new(name, zone, allocatable, &known) })
}

fn plain_template(catalog: &mut Catalog, size: Size) -> PodTemplate {
    let (cpu, memory, priority) = size;
    let image = catalog.image("task", Bytes(1));
    let (namespace, name) = (catalog.names.intern("default"), catalog.names.intern("task"));
    let mut requests = Resources::new(MilliCpu(cpu), Bytes(memory << 20));
    requests.ephemeral = Bytes(DISK);
    let container = Container::new(name, image, requests);
    let mut template = PodTemplate::new(namespace, Labels::new([]), vec![container]);
    template.priority = priority;
    template
}

/// The template of the job: its constraints, affinities and spreads in the engine's words.
fn own_template(catalog: &mut Catalog, problem: &Problem, nodes: &[&Node]) -> Result<PodTemplate, String> {
    let mut template = plain_template(catalog, (problem.tg.cpu, problem.tg.mem, problem.job.priority));
    let zone = (catalog.known.zone, catalog.names.intern(&problem.dc));
    template.node_selector.push(zone);
    let mut required = Vec::new();
    for constraint in listed(&problem.job.constraints, &problem.tg.constraints) {
        match &*constraint.operand {
            "distinct_hosts" => {
                let attribute = catalog.known.hostname;
                template.wishes.distinct.push(Distinct { attribute, at_most: 1 });
            }
            "distinct_property" => {
                let attribute = label(catalog, &constraint.left)?;
                let at_most = constraint.right.parse().unwrap_or(1);
                template.wishes.distinct.push(Distinct { attribute, at_most });
            }
            _ => required.push(requirement(catalog, &constraint, nodes)?),
        }
    }
    if !required.is_empty() {
        template.affinity.node_required.push(term(required));
    }
    for affinity in listed(&problem.job.affinities, &problem.tg.affinities) {
        let item = term(vec![requirement(catalog, &affinity, nodes)?]);
        template.affinity.node_preferred.push(Weighted { weight: affinity.weight, item });
    }
    for spread in listed(&problem.job.spreads, &problem.tg.spreads) {
        let attribute = label(catalog, &spread.attribute)?;
        let targets = spread.spread_target.iter().flatten();
        let targets = targets.map(|target| (catalog.names.intern(&target.value), target.percent)).collect();
        template.wishes.spreads.push(SpreadWish { attribute, weight: spread.weight, targets });
    }
    Ok(template)
}

fn listed<T: Clone>(job: &Option<Vec<T>>, group: &Option<Vec<T>>) -> Vec<T> {
    job.iter().chain(group).flatten().cloned().collect()
}

fn term(all: Vec<Requirement>) -> NodeTerm {
    NodeTerm { labels: Selector { all }, ..NodeTerm::default() }
}

/// The label that an attribute of a job is here.
fn label(catalog: &mut Catalog, target: &str) -> Result<Symbol, String> {
    let name = target.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
    let name = name.ok_or_else(|| format!("`{target}` is no attribute"))?;
    Ok(match name {
        "node.unique.name" => catalog.known.hostname,
        "node.datacenter" => catalog.known.zone,
        name => catalog.names.intern(name),
    })
}

/// The values that meet a condition, of those that nodes have.
fn requirement(catalog: &mut Catalog, condition: &Constraint, nodes: &[&Node]) -> Result<Requirement, String> {
    let key = label(catalog, &condition.left)?;
    let meets = |value: Option<&str>| targets::condition(&condition.operand, value, &condition.right);
    let without = meets(None)?;
    let mut listed = Vec::new();
    for node in nodes {
        if let Some(value) = targets::value(node, &condition.left)
            && meets(Some(&value))? != without
        {
            listed.push(catalog.names.intern(&value));
        }
    }
    listed.sort_unstable();
    listed.dedup();
    if listed.is_empty() && !without {
        listed.push(catalog.names.intern("no value at all"));
    }
    let op = if without { Op::NotIn(listed) } else { Op::In(listed) };
    Ok(Requirement { key, op })
}

/// The workload of a job, made when it is the first time that it is named.
fn job(
    catalog: &mut Catalog,
    jobs: &mut BTreeMap<String, WorkloadId>,
    named: (&str, (&str, u32)),
    template: PodTemplate,
) -> WorkloadId {
    let (name, (kind, count)) = named;
    if let Some(&known) = jobs.get(name) {
        return known;
    }
    let kind = match kind {
        "batch" => WorkloadKind::Job,
        "system" | "sysbatch" => WorkloadKind::DaemonSet,
        _ => WorkloadKind::Deployment,
    };
    let symbol = catalog.names.intern(name);
    let namespace = catalog.names.intern("default");
    let template = catalog.templates.push(template);
    let spec = WorkloadSpec::deployment(symbol, namespace, template, Selector { all: Vec::new() });
    let spec = WorkloadSpec { kind, replicas: count, ..spec };
    let id = catalog.workloads.push(spec);
    jobs.insert(name.to_owned(), id);
    id
}
