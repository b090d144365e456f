//! What pods are made under: namespaces, classes of priority, storage and runtime, bounds, groups, nodes, claims.
//!
//! This is the first pass: these objects may stand behind the pods that need them, and in another file.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::LimitRangeItem;
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use shakedown_engine::ids::{ClaimId, GroupId};

use super::Lowering;
use crate::text::Node;

/// What pods are made under.
pub(super) struct Context {
    /// Labels of namespaces.
    pub(super) namespaces: BTreeMap<String, Vec<(String, String)>>,
    /// Classes of priority.
    pub(super) priorities: BTreeMap<String, Priority>,
    /// The class of pods that name none.
    pub(super) default_priority: Option<String>,
    /// Classes of runtimes.
    pub(super) runtimes: BTreeMap<String, RuntimeClass>,
    /// Bounds of namespaces, each with where it is written.
    pub(super) limits: BTreeMap<String, Vec<LimitRangeItem>>,
    /// Groups by namespace and name.
    pub(super) groups: BTreeMap<(String, String), GroupId>,
    /// Claims by namespace and name.
    pub(super) claims: BTreeMap<(String, String), ClaimId>,
}

/// A class of priority.
#[derive(Clone, Copy, Debug)]
pub(super) struct Priority {
    pub(super) value: i32,
    pub(super) preempts: bool,
}

impl Context {
    /// What every cluster has.
    pub(super) fn new() -> Self {
        // Source: kubernetes/kubernetes:pkg/apis/scheduling/types.go.
        let system = [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];
        let class = |(name, value): (&str, i32)| (name.to_owned(), Priority { value, preempts: true });
        Self {
            namespaces: BTreeMap::new(),
            priorities: system.into_iter().map(class).collect(),
            default_priority: None,
            runtimes: BTreeMap::new(),
            limits: BTreeMap::new(),
            groups: BTreeMap::new(),
            claims: BTreeMap::new(),
        }
    }
}

/// Kinds of the first pass, in the order in which they need each other.
const ORDER: [&[&str]; 3] = [
    &["Namespace", "PriorityClass", "RuntimeClass", "LimitRange", "StorageClass", "PodGroup", "Node"],
    &["CSINode", "PersistentVolumeClaim"],
    &["PersistentVolume"],
];

/// True for a kind of the first pass.
pub(super) fn is_context(kind: &str) -> bool {
    ORDER.iter().any(|kinds| kinds.contains(&kind))
}

impl Lowering<'_> {
    /// The first pass over all objects of all files.
    pub(crate) fn context<'n>(&mut self, documents: impl IntoIterator<Item = &'n Node>) {
        let objects: Vec<&Node> = documents.into_iter().flat_map(super::object::objects).collect();
        for object in &objects {
            let namespace = object.get("metadata").and_then(|metadata| metadata.get("namespace"));
            if let Some(name) = namespace.and_then(Node::scalar) {
                self.note_namespace(name);
            }
        }
        for kinds in ORDER {
            for object in &objects {
                let kind = object.get("kind").and_then(Node::scalar).unwrap_or_default();
                if kinds.contains(&kind) {
                    self.context_object(kind, object);
                }
            }
        }
    }

    fn context_object(&mut self, kind: &str, node: &Node) {
        match kind {
            "Namespace" => self.namespace(node),
            "PriorityClass" => self.priority_class(node),
            "RuntimeClass" => {
                if let Some(class) = self.read::<RuntimeClass>(node)
                    && let Some(name) = class.metadata.name.clone()
                {
                    self.context.runtimes.insert(name, class);
                }
            }
            "LimitRange" => self.limit_range(node),
            "StorageClass" => self.storage_class(node),
            "PodGroup" => self.pod_group(node),
            "Node" => drop(self.node(node)),
            "CSINode" => self.csi_node(node),
            "PersistentVolumeClaim" => self.claim(node),
            _ => self.volume(node),
        }
    }

    fn priority_class(&mut self, node: &Node) {
        let Some(class) = self.read::<PriorityClass>(node) else { return };
        let (Some(name), Some(value)) = (class.metadata.name, class.value) else {
            return self.required(node, "value", "");
        };
        // Source: kubernetes/kubernetes:pkg/apis/scheduling/validation/validation.go.
        if value > 1_000_000_000 && !name.starts_with("system-") {
            let why = "maximum allowed value of a user defined priority is 1000000000";
            return self.forbidden(node, "value", why);
        }
        let policy = class.preemption_policy.unwrap_or_default();
        let known = ["PreemptLowerPriority", "Never"];
        if !policy.is_empty() && self.word(node, "preemptionPolicy", &policy, &known).is_none() {
            return;
        }
        if class.global_default == Some(true) {
            self.context.default_priority = Some(name.clone());
        }
        self.context.priorities.insert(name, Priority { value, preempts: policy != "Never" });
    }
}
