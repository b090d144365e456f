//! Storage classes, volumes and claims.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use shakedown_engine::ids::{StorageClassId, Symbol};
use shakedown_engine::labels::{Labels, Op, Requirement, Selector};
use shakedown_engine::model::{
    AccessMode, BindingMode, Bytes, ClaimSpec, NodeTerm, Reclaim, StorageClassSpec, VolumeSpec,
};

use super::invalid::At;
use super::{Lowering, affinity, place};
use crate::text::{Node, Scale, parse_quantity};

/// Marks the class of claims that name none.
/// Source: kubernetes/kubernetes:pkg/volume/util/storageclass.go.
const DEFAULT: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
/// The old way to name a class. Source: kubernetes/kubernetes:staging/src/k8s.io/api/core/v1/types.go.
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// A claim that a stateful workload makes for each ordinal.
pub(super) struct ClaimTemplate {
    pub(super) name: String,
    pub(super) spec: ClaimSpec,
}

impl Lowering<'_> {
    pub(super) fn storage_class(&mut self, node: &Node) {
        let Some(object) = self.read::<StorageClass>(node) else { return };
        let Some(name) = object.metadata.name.clone() else {
            return self.required(node, "metadata.name", "name or generateName is required");
        };
        if !self.first("StorageClass", "", &name, place(node, &["metadata", "name"])) {
            return;
        }
        let binding = object.volume_binding_mode.as_deref().unwrap_or("Immediate");
        let known = ["Immediate", "WaitForFirstConsumer"];
        let Some(binding) = self.word(node, "volumeBindingMode", binding, &known) else { return };
        let reclaim = object.reclaim_policy.as_deref().unwrap_or("Delete");
        let Some(reclaim) = self.word(node, "reclaimPolicy", reclaim, &["Delete", "Retain"]) else { return };
        let mut allowed = Vec::new();
        for term in object.allowed_topologies.iter().flatten() {
            let names = &mut self.catalog.names;
            let all = term.match_label_expressions.iter().flatten().map(|one| Requirement {
                key: names.intern(&one.key),
                op: Op::In(one.values.iter().map(|value| names.intern(value)).collect()),
            });
            allowed.push(NodeTerm { labels: Selector { all: all.collect() }, ..NodeTerm::default() });
        }
        let annotations = object.metadata.annotations.unwrap_or_default();
        let spec = StorageClassSpec {
            name: self.catalog.names.intern(&name),
            provisioner: self.catalog.names.intern(&object.provisioner),
            // Source: kubernetes/kubernetes:pkg/volume/util/util.go, `NotSupportedProvisioner`.
            dynamic: object.provisioner != "kubernetes.io/no-provisioner",
            binding: if binding == "Immediate" { BindingMode::Immediate } else { BindingMode::WaitForFirstConsumer },
            allowed_topologies: allowed,
            reclaim: reclaim_policy(reclaim),
            default: DEFAULT.iter().any(|key| annotations.get(*key).is_some_and(|value| value == "true")),
        };
        self.catalog.storage_classes.push(spec);
    }

    /// The class called `name`.
    fn class(&self, name: &str) -> Option<StorageClassId> {
        let symbol = self.catalog.names.find(name)?;
        self.catalog.storage_classes.iter().find(|(_, class)| class.name == symbol).map(|(id, _)| id)
    }

    /// The class of claims that name none: the newest of those that are marked, here the last one.
    /// Source: kubernetes/kubernetes:pkg/volume/util/storageclass.go, `GetDefaultClass`.
    fn default_class(&self) -> Option<StorageClassId> {
        self.catalog.storage_classes.iter().rfind(|(_, class)| class.default).map(|(id, _)| id)
    }

    pub(super) fn claim(&mut self, node: &Node) {
        let Some(object) = self.read::<core::PersistentVolumeClaim>(node) else { return };
        let Some((namespace, name)) = self.declared_once("PersistentVolumeClaim", node, &object.metadata) else {
            return;
        };
        self.note_namespace(&namespace);
        let Some(spec) = self.claim_spec(&object, node.into()) else { return };
        let names = &mut self.catalog.names;
        let spec = ClaimSpec { name: names.intern(&name), namespace: names.intern(&namespace), ..spec };
        let id = self.catalog.claims.push(spec);
        self.context.claims.insert((namespace, name), id);
    }

    /// A claim of a stateful workload.
    pub(super) fn claim_template(&mut self, from: &core::PersistentVolumeClaim, node: &Node) -> Option<ClaimTemplate> {
        let Some(name) = from.metadata.name.clone() else {
            self.required(At { node, prefix: "spec.volumeClaimTemplates." }, "metadata.name", "");
            return None;
        };
        let spec = self.claim_spec(from, At { node, prefix: "spec.volumeClaimTemplates." })?;
        Some(ClaimTemplate { name, spec })
    }

    /// A claim without its name. Refusals: kubernetes/kubernetes:pkg/apis/core/validation/validation.go,
    /// `ValidatePersistentVolumeClaimSpec`.
    fn claim_spec(&mut self, from: &core::PersistentVolumeClaim, at: At<'_>) -> Option<ClaimSpec> {
        let spec = from.spec.clone().unwrap_or_default();
        let access = self.access(spec.access_modes.as_deref().unwrap_or_default(), at)?;
        let requests = spec.resources.and_then(|resources| resources.requests);
        let request = self.storage(requests.as_ref(), "spec.resources.requests", at)?;
        let old = from.metadata.annotations.as_ref().and_then(|all| all.get(BETA_CLASS)).cloned();
        let written = old.or(spec.storage_class_name);
        let class = match written.as_deref() {
            None => self.default_class(),
            Some("") => None,
            Some(name) => self.class(name),
        };
        let unknown = written.filter(|name| !name.is_empty() && class.is_none());
        let selector = match &spec.selector {
            Some(selector) => Some(affinity::selector(selector, self, at.node)?),
            None => None,
        };
        let names = &mut self.catalog.names;
        Some(ClaimSpec {
            name: Symbol::default(),
            namespace: Symbol::default(),
            request,
            access,
            class,
            unknown_class: unknown.map(|name| names.intern(&name)),
            selector,
            volume: spec.volume_name.filter(|name| !name.is_empty()).map(|name| names.intern(&name)),
            at_start: true,
        })
    }

    /// A claim that lives and dies with its pod.
    pub(super) fn ephemeral_claim(
        &mut self,
        from: &core::PersistentVolumeClaimSpec,
        at: At<'_>,
    ) -> Option<(Option<StorageClassId>, Bytes)> {
        let claim = core::PersistentVolumeClaim { spec: Some(from.clone()), ..Default::default() };
        let spec = self.claim_spec(&claim, at)?;
        Some((spec.class, spec.request))
    }

    fn access(&mut self, modes: &[String], at: At<'_>) -> Option<Vec<AccessMode>> {
        if modes.is_empty() {
            self.required(at, "spec.accessModes", "at least 1 access mode is required");
            return None;
        }
        let known = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
        let mut out = Vec::new();
        for mode in modes {
            out.push(match self.word(at, "spec.accessModes", mode, &known)? {
                "ReadOnlyMany" => AccessMode::ReadOnlyMany,
                "ReadWriteMany" => AccessMode::ReadWriteMany,
                "ReadWriteOnce" => AccessMode::ReadWriteOnce,
                _ => AccessMode::ReadWriteOncePod,
            });
        }
        if out.len() > 1 && out.contains(&AccessMode::ReadWriteOncePod) {
            let why = "may not use ReadWriteOncePod with other access modes";
            self.forbidden(at, "spec.accessModes", why);
            return None;
        }
        Some(out)
    }

    fn storage(&mut self, from: Option<&BTreeMap<String, Quantity>>, path: &str, at: At<'_>) -> Option<Bytes> {
        let Some(quantity) = from.and_then(|amounts| amounts.get("storage")) else {
            self.required(at, &format!("{path}[storage]"), "");
            return None;
        };
        match parse_quantity(&quantity.0, Scale::Unit).filter(|&bytes| bytes > 0) {
            Some(bytes) => Some(Bytes(bytes)),
            None => {
                let value = format!("\"{}\"", quantity.0);
                self.invalid(at, &format!("{path}[storage]"), &value, "must be greater than zero");
                None
            }
        }
    }

    pub(super) fn volume(&mut self, node: &Node) {
        let Some(object) = self.read::<core::PersistentVolume>(node) else { return };
        let Some(name) = object.metadata.name.clone() else {
            return self.required(node, "metadata.name", "name or generateName is required");
        };
        if !self.first("PersistentVolume", "", &name, place(node, &["metadata", "name"])) {
            return;
        }
        let spec = object.spec.unwrap_or_default();
        let Some(access) = self.access(spec.access_modes.as_deref().unwrap_or_default(), node.into()) else { return };
        let Some(capacity) = self.storage(spec.capacity.as_ref(), "spec.capacity", node.into()) else { return };
        if spec.local.is_some() && spec.node_affinity.is_none() {
            return self.required(node, "spec.nodeAffinity", "Local volume requires node affinity");
        }
        let mut terms = Vec::new();
        let required = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
        for term in required.iter().flat_map(|selector| &selector.node_selector_terms) {
            let Some(term) = affinity::node_term(term, self, node) else { return };
            terms.push(term);
        }
        // Without a policy a volume made by hand stays. Source: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go.
        let reclaim = spec.persistent_volume_reclaim_policy.as_deref().unwrap_or("Retain");
        let path = "spec.persistentVolumeReclaimPolicy";
        let Some(reclaim) = self.word(node, path, reclaim, &["Delete", "Recycle", "Retain"]) else { return };
        let reserved = spec.claim_ref.as_ref().and_then(|claim| {
            let space = claim.namespace.clone().unwrap_or_else(|| "default".to_owned());
            self.context.claims.get(&(space, claim.name.clone()?)).copied()
        });
        let names = &mut self.catalog.names;
        let labels = object.metadata.labels.iter().flatten();
        let labels = Labels::new(labels.map(|(k, v)| (names.intern(k), names.intern(v))).collect::<Vec<_>>());
        let old = object.metadata.annotations.as_ref().and_then(|all| all.get(BETA_CLASS)).cloned();
        let class = old.or_else(|| spec.storage_class_name.clone()).filter(|name| !name.is_empty());
        let volume = VolumeSpec {
            name: names.intern(&name),
            capacity,
            access,
            class: class.map(|name| names.intern(&name)),
            labels,
            affinity: terms,
            driver: driver(&spec).map(|driver| names.intern(&driver)),
            reserved,
            reclaim: reclaim_policy(reclaim),
        };
        self.catalog.volumes.push(volume);
    }
}

fn reclaim_policy(word: &str) -> Reclaim {
    if word == "Retain" { Reclaim::Retain } else { Reclaim::Delete }
}

/// Who attaches a volume: the CSI driver, also of kinds that were built in before they were moved out.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/csi-translation-lib/plugins.
fn driver(spec: &core::PersistentVolumeSpec) -> Option<String> {
    let moved = [
        (spec.aws_elastic_block_store.is_some(), "ebs.csi.aws.com"),
        (spec.azure_disk.is_some(), "disk.csi.azure.com"),
        (spec.cinder.is_some(), "cinder.csi.openstack.org"),
        (spec.gce_persistent_disk.is_some(), "pd.csi.storage.gke.io"),
        (spec.portworx_volume.is_some(), "pxd.portworx.com"),
        (spec.vsphere_volume.is_some(), "csi.vsphere.vmware.com"),
    ];
    let own = spec.csi.as_ref().map(|csi| csi.driver.clone());
    own.or_else(|| moved.into_iter().find(|(given, _)| *given).map(|(_, name)| name.to_owned()))
}
