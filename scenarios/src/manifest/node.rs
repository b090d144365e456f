//! Nodes as the API server shows them (`kubectl get nodes -o yaml`): recorded clusters, and additions to a scenario's own.
//!
//! Conditions and addresses are left out: a scenario declares machines, and this declares what a scheduler sees.

use k8s_openapi::api::core::v1::{self as core, ContainerImage};
use k8s_openapi::api::storage::v1::CSINode;
use shakedown_engine::ids::{ImageId, NodeId, Symbol};
use shakedown_engine::labels::Labels;
use shakedown_engine::model::{Bytes, NodeSpec, Resources, Taint, ZONE_LABEL};

use super::{Lowering, effect, image_name, place};
use crate::text::Node;

/// The failure domain of nodes without a zone label.
const NO_ZONE: &str = "default";

/// Limits of a driver among a node's resources: the way before `CSINode`.
/// Source: kubernetes/kubernetes:pkg/volume/util/attach_limit.go.
const VOLUME_LIMIT: &str = "attachable-volumes-";
/// Before the names of roles. Source: kubernetes/kubernetes:cmd/kubeadm/app/constants/constants.go.
const ROLE: &str = "node-role.kubernetes.io/";

/// What a node can take.
struct Capacity {
    allocatable: Resources,
    max_pods: u32,
    volume_limits: Vec<(Symbol, u32)>,
}

impl Lowering<'_> {
    /// Adds a node to the catalog, with the images that it has.
    pub(crate) fn node(&mut self, node: &Node) -> Option<(NodeId, Vec<ImageId>)> {
        let object: core::Node = self.read(node)?;
        let Some(name) = object.metadata.name.clone().filter(|name| !name.is_empty()) else {
            self.problems
                .error("E0503", place(node, &["metadata"]), "this object has no name")
                .expected("expected `metadata.name`");
            return None;
        };
        if !self.first("node", "", &name, place(node, &["metadata", "name"])) {
            return None;
        }
        let status = object.status.clone().unwrap_or_default();
        let Capacity { allocatable, max_pods, volume_limits } = self.capacity(&status, node);
        let taints = self.node_taints(&object, node)?;
        let pairs: Vec<(String, String)> = object.metadata.labels.clone().unwrap_or_default().into_iter().collect();
        let zone = pairs.iter().find(|(key, _)| key == ZONE_LABEL).map_or(NO_ZONE, |(_, value)| value);
        let zone = self.catalog.zone(zone);
        let names = &mut self.catalog.names;
        let name = names.intern(&name);
        let labels = Labels::new(pairs.iter().map(|(k, v)| (names.intern(k), names.intern(v))).collect::<Vec<_>>());
        let roles = pairs.iter().filter_map(|(key, _)| key.strip_prefix(ROLE)).map(|role| names.intern(role)).collect();
        let known = self.catalog.known;
        let spec = NodeSpec {
            labels,
            max_pods,
            volume_limits,
            roles,
            taints,
            unschedulable: object.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
            ..NodeSpec::new(name, zone, allocatable, &known)
        };
        let id = self.catalog.nodes.push(spec);
        Some((id, self.images_of(&status.images.unwrap_or_default())))
    }

    /// What pods may use: `allocatable`, and `capacity` where that is missing.
    /// Source: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go, `SetDefaults_NodeStatus`.
    fn capacity(&mut self, status: &core::NodeStatus, node: &Node) -> Capacity {
        let written = if status.allocatable.is_some() { "allocatable" } else { "capacity" };
        let mut amounts = status.allocatable.clone().or_else(|| status.capacity.clone()).unwrap_or_default();
        let pods = amounts.remove("pods").and_then(|pods| pods.0.parse().ok()).unwrap_or(0);
        let mut volume_limits = Vec::new();
        amounts.retain(|key, quantity| {
            let Some(driver) = key.strip_prefix(VOLUME_LIMIT) else { return true };
            let driver = self.catalog.names.intern(driver.strip_prefix("csi-").unwrap_or(driver));
            volume_limits.extend(quantity.0.parse().ok().map(|limit: u32| (driver, limit)));
            false
        });
        let allocatable = self.resources(&amounts, &|name| place(node, &["status", written, name]));
        Capacity { allocatable, max_pods: pods, volume_limits }
    }

    fn node_taints(&mut self, object: &core::Node, node: &Node) -> Option<Vec<Taint>> {
        let mut taints = Vec::new();
        for taint in object.spec.iter().flat_map(|spec| spec.taints.iter().flatten()) {
            let Some(effect) = effect(&taint.effect) else {
                self.problems
                    .error(
                        "E0505",
                        place(node, &["spec", "taints"]),
                        format!("`{}` is no effect of a taint", taint.effect),
                    )
                    .expected("expected `NoSchedule`, `PreferNoSchedule` or `NoExecute`");
                return None;
            };
            let names = &mut self.catalog.names;
            let value = names.intern(taint.value.as_deref().unwrap_or_default());
            taints.push(Taint { key: names.intern(&taint.key), value, effect });
        }
        Some(taints)
    }

    fn images_of(&mut self, images: &[ContainerImage]) -> Vec<ImageId> {
        let mut all = Vec::new();
        for image in images {
            let size = Bytes(image.size_bytes.unwrap_or(0).max(0));
            for name in image.names.iter().flatten() {
                all.push(self.catalog.image(&image_name(name), size));
            }
        }
        all
    }

    /// How many volumes of each driver a node can hold.
    pub(super) fn csi_node(&mut self, node: &Node) {
        let Some(object) = self.read::<CSINode>(node) else { return };
        let Some(name) = object.metadata.name else { return };
        let found = self.catalog.names.find(&name);
        let found =
            found.and_then(|name| self.catalog.nodes.iter().find(|(_, row)| row.name == name)).map(|(id, _)| id);
        let Some(id) = found else {
            let why = format!("there is no node `{name}`");
            return self.unmodelled.field("CSINode.metadata.name", &why, place(node, &["metadata", "name"]));
        };
        for driver in object.spec.drivers {
            let count = driver.allocatable.and_then(|allocatable| allocatable.count);
            let Some(count) = count.and_then(|n| u32::try_from(n).ok()) else { continue };
            let driver = self.catalog.names.intern(&driver.name);
            let limits = &mut self.catalog.nodes[id].volume_limits;
            limits.retain(|(own, _)| *own != driver);
            limits.push((driver, count));
        }
    }
}
