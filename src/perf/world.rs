//! Catalogs of workloads: nodes, templates, and the order in which pods come.

use std::collections::BTreeMap;

use shakedown_engine::ids::{NodeId, Symbol, TemplateId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{Bytes, Catalog, MilliCpu, NodeSpec, Resources, ServiceSpec, Taint, TaintEffect};

use super::pods::{NAMED_NODE, Place, own_resource};
use super::{Layout, Meanwhile, PodKind, Workload};

/// Everything declared, and the pods in their order.
pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) init: Vec<(PodKind, TemplateId)>,
    pub(super) measured: Vec<TemplateId>,
    /// The pod that comes meanwhile.
    pub(super) extra: Option<TemplateId>,
    /// The node that comes and goes meanwhile.
    pub(super) extra_node: Option<NodeId>,
}

impl World {
    /// The world of a workload with so many nodes.
    pub(super) fn of(workload: &Workload, nodes: usize) -> Self {
        let mut catalog = Catalog::new();
        if workload.layout == Layout::Named {
            add_named(&mut catalog);
        }
        for index in 0..nodes {
            add_node(&mut catalog, workload.layout, index);
        }
        let extra_node = matches!(workload.meanwhile, Meanwhile::Recreate(_))
            .then(|| add_node(&mut catalog, workload.layout, nodes));
        let mut makers = Makers::new(catalog, workload);
        let mut init = Vec::new();
        for &(kind, count) in workload.init {
            for index in 0..workload.scaled(count, nodes) {
                let namespace = makers.init[index % makers.init.len()];
                init.push((kind, makers.template(kind, namespace, index)));
            }
        }
        let (kind, count) = workload.measured;
        let namespace = makers.measured;
        let count = workload.scaled(count, nodes);
        let measured = (0..count).map(|index| makers.template(kind, namespace, index)).collect();
        let extra = match workload.meanwhile {
            Meanwhile::Create(kind, _) => Some(kind),
            Meanwhile::Recreate(_) => Some(PodKind::LargeCpu),
            Meanwhile::Nothing | Meanwhile::Delete(_) => None,
        };
        let extra = extra.map(|kind| makers.template(kind, namespace, 0));
        Self { catalog: makers.catalog, init, measured, extra, extra_node }
    }
}

/// Makes templates, one for each kind and namespace.
struct Makers {
    catalog: Catalog,
    init: Vec<Symbol>,
    measured: Symbol,
    all: Vec<Symbol>,
    known: BTreeMap<(PodKind, Symbol), TemplateId>,
}

impl Makers {
    fn new(mut catalog: Catalog, workload: &Workload) -> Self {
        let init: Vec<Symbol> =
            (0..workload.namespaces).map(|index| catalog.names.intern(&format!("init-ns-{index}"))).collect();
        let measured = catalog.names.intern("measure-ns-0");
        let mut all = init.clone();
        all.push(measured);
        if workload.measured.0 == PodKind::Labelled {
            let name = catalog.names.intern("service");
            let label = (catalog.names.intern("app"), catalog.names.intern("scheduler-perf"));
            catalog.services.push(ServiceSpec::new(name, measured, Selector::equals([label])));
        }
        Self { catalog, init, measured, all, known: BTreeMap::new() }
    }

    fn template(&mut self, kind: PodKind, namespace: Symbol, index: usize) -> TemplateId {
        if let Some(&known) = self.known.get(&(kind, namespace)).filter(|_| !kind.is_unique()) {
            return known;
        }
        let template = kind.template(&mut self.catalog, &Place { namespace, all: &self.all, index });
        let id = self.catalog.templates.push(template);
        self.known.insert((kind, namespace), id);
        id
    }
}

/// `node-default.yaml` and its relatives.
fn add_node(catalog: &mut Catalog, layout: Layout, index: usize) -> NodeId {
    let zones = if let Layout::Zones(zones) = layout { zones } else { &[] };
    let zone_name = if zones.is_empty() { "default" } else { zones[index % zones.len()] };
    let zone = catalog.zone(zone_name);
    let name = catalog.names.intern(&format!("scheduler-perf-{index}"));
    let mut labels = vec![(catalog.known.hostname, name)];
    if !zones.is_empty() {
        labels.push((catalog.known.zone, catalog.names.intern(zone_name)));
    }
    let mut allocatable = Resources::new(MilliCpu(4_000), Bytes(32 << 30));
    if layout == Layout::Extended {
        allocatable.extended = vec![(catalog.names.intern(&own_resource(index)), 1)];
    }
    let mut taints = Vec::new();
    if layout == Layout::Tainted && index % 5 == 4 {
        let (key, value) = (catalog.names.intern("foo"), catalog.known.empty);
        taints.push(Taint { key, value, effect: TaintEffect::NoSchedule });
    }
    let known = catalog.known;
    let spec = NodeSpec { labels: Labels::new(labels), taints, ..NodeSpec::new(name, zone, allocatable, &known) };
    catalog.nodes.push(spec)
}

/// `node-with-name.yaml`.
fn add_named(catalog: &mut Catalog) {
    let zone = catalog.zone("default");
    let name = catalog.names.intern(NAMED_NODE);
    let known = catalog.known;
    let allocatable = Resources::new(MilliCpu(4_000), Bytes(32 << 30));
    catalog.nodes.push(NodeSpec { max_pods: 90_000, ..NodeSpec::new(name, zone, allocatable, &known) });
}
