//! The catalog: everything declared before a run, shared by engine, world and reports.

use crate::ids::{
    AutoscalerId, BudgetId, ClaimId, GroupId, ImageId, NodeId, PoolId, QuotaId, ServiceId, StorageClassId, Symbol,
    Table, TemplateId, VolumeId, WebhookId, WorkloadId, ZoneId,
};
use crate::labels::Interner;
use crate::model::{
    AutoscalerSpec, BudgetSpec, Bytes, ClaimSpec, GroupSpec, IngressSpec, NetworkPolicySpec, NodeSpec, PodTemplate,
    PoolSpec, QuotaSpec, ServiceSpec, StorageClassSpec, VolumeSpec, WebhookSpec, WellKnown, WorkloadSpec,
};

/// Everything that a run knows beforehand. Immutable while it runs, so it is shared by reference counting.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// All strings.
    pub names: Interner,
    /// Symbols that the engine itself uses.
    pub known: WellKnown,
    /// Failure domains, by name.
    pub zones: Table<ZoneId, Symbol>,
    /// Hosts.
    pub nodes: Table<NodeId, NodeSpec>,
    /// Images.
    pub images: Table<ImageId, Image>,
    /// Pod templates, those of later revisions included.
    pub templates: Table<TemplateId, PodTemplate>,
    /// Workloads, those that the timeline creates later included.
    pub workloads: Table<WorkloadId, WorkloadSpec>,
    /// Services.
    pub services: Table<ServiceId, ServiceSpec>,
    /// Disruption budgets.
    pub budgets: Table<BudgetId, BudgetSpec>,
    /// Autoscalers of workloads.
    pub autoscalers: Table<AutoscalerId, AutoscalerSpec>,
    /// Classes of storage.
    pub storage_classes: Table<StorageClassId, StorageClassSpec>,
    /// Volumes declared by hand.
    pub volumes: Table<VolumeId, VolumeSpec>,
    /// Claims, those of stateful workloads included.
    pub claims: Table<ClaimId, ClaimSpec>,
    /// Groups of pods that are placed together.
    pub groups: Table<GroupId, GroupSpec>,
    /// Quotas of namespaces.
    pub quotas: Table<QuotaId, QuotaSpec>,
    /// Admission webhooks.
    pub webhooks: Table<WebhookId, WebhookSpec>,
    /// Groups of machines of the cluster autoscaler. With none there is no cluster autoscaler.
    pub pools: Table<PoolId, PoolSpec>,
    /// Network policies.
    pub network_policies: Vec<NetworkPolicySpec>,
    /// Ways in from outside by host and path.
    pub ingresses: Vec<IngressSpec>,
}

/// An image as the registry has it.
#[derive(Clone, Debug)]
pub struct Image {
    /// Normalised name.
    pub name: Symbol,
    /// Compressed size: what a pull transfers and what image locality scores.
    pub size: Bytes,
}

impl Catalog {
    /// An empty catalog.
    pub fn new() -> Self {
        let mut names = Interner::default();
        let known = WellKnown::new(&mut names);
        Self {
            names,
            known,
            zones: Table::new(),
            nodes: Table::new(),
            images: Table::new(),
            templates: Table::new(),
            workloads: Table::new(),
            services: Table::new(),
            budgets: Table::new(),
            autoscalers: Table::new(),
            storage_classes: Table::new(),
            volumes: Table::new(),
            claims: Table::new(),
            groups: Table::new(),
            quotas: Table::new(),
            webhooks: Table::new(),
            pools: Table::new(),
            network_policies: Vec::new(),
            ingresses: Vec::new(),
        }
    }

    /// The text of a symbol.
    pub fn text(&self, symbol: Symbol) -> &str {
        self.names.text(symbol)
    }

    /// A node's name.
    pub fn node_name(&self, node: NodeId) -> &str {
        self.text(self.nodes[node].name)
    }

    /// A workload's name.
    pub fn workload_name(&self, workload: WorkloadId) -> &str {
        self.text(self.workloads[workload].name)
    }

    /// A service's name.
    pub fn service_name(&self, service: ServiceId) -> &str {
        self.text(self.services[service].name)
    }

    /// The zone called `name`, added when new.
    pub fn zone(&mut self, name: &str) -> ZoneId {
        let name = self.names.intern(name);
        let found = self.zones.iter().find(|(_, zone)| **zone == name).map(|(id, _)| id);
        found.unwrap_or_else(|| self.zones.push(name))
    }

    /// The image called `name`, added with `size` when new.
    pub fn image(&mut self, name: &str, size: Bytes) -> ImageId {
        let name = self.names.intern(name);
        let found = self.images.iter().find(|(_, image)| image.name == name).map(|(id, _)| id);
        found.unwrap_or_else(|| self.images.push(Image { name, size }))
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}
