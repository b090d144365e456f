//! Documents into objects, each to the code of its kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shakedown_engine::ids::{Id, ServiceId, WorkloadId};
use shakedown_engine::model::WorkloadSpec;

use super::{Lowering, context, de, finish, kinds, place};
use crate::problem::Mark;
use crate::text::{NAME, Node, Value, is_name};

/// What came of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) workloads: Vec<WorkloadId>,
    pub(crate) services: Vec<(ServiceId, Mark)>,
}

/// The objects of a document: several when it is a list.
pub(super) fn objects(document: &Node) -> Vec<&Node> {
    let kind = document.get("kind").and_then(Node::scalar);
    match kind {
        _ if document.is_null() => Vec::new(),
        Some(kind) if kind.ends_with("List") && document.get("items").is_some() => {
            document.get("items").map(Node::items).unwrap_or_default().iter().collect()
        }
        _ => vec![document],
    }
}

/// Versions of the API that are gone, but had the same fields as the one that took their place.
const FORMER: [(&str, &str); 6] = [
    ("autoscaling/v2beta2", "autoscaling/v2"),
    ("batch/v1beta1", "batch/v1"),
    ("node.k8s.io/v1beta1", "node.k8s.io/v1"),
    ("policy/v1beta1", "policy/v1"),
    ("scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "storage.k8s.io/v1"),
];

/// An object of a former version as one of the present version; `None`: it is one already.
fn current(node: &Node, wanted: &str) -> Option<Node> {
    let written = node.get("apiVersion").and_then(Node::scalar)?;
    FORMER.iter().find(|(old, new)| *old == written && *new == wanted)?;
    let mut copy = node.clone();
    if let Value::Map(entries) = &mut copy.value {
        for (_, value) in entries.iter_mut().filter(|(key, _)| key.text == "apiVersion") {
            value.value = Value::Scalar { text: wanted.to_owned(), plain: true };
        }
    }
    Some(copy)
}

impl Lowering<'_> {
    /// Lowers all documents of one file that stands for itself, but for the last pass.
    pub(crate) fn documents(&mut self, documents: &[Node]) -> Lowered {
        self.context(documents);
        self.objects(documents)
    }

    /// The second pass over the documents of a file.
    pub(crate) fn objects(&mut self, documents: &[Node]) -> Lowered {
        let mut lowered = Lowered::default();
        for object in documents.iter().flat_map(objects) {
            self.object(object, &mut lowered);
        }
        lowered
    }

    fn object(&mut self, node: &Node, lowered: &mut Lowered) {
        let Some(kind) = node.get("kind").and_then(Node::scalar) else {
            let what =
                if matches!(node.value, Value::Map(_)) { "this object has no `kind`" } else { "this is no object" };
            self.problems
                .error("E0507", node.mark, what)
                .expected("expected a Kubernetes object with `apiVersion`, `kind` and `metadata`")
                .help("name a file of Kubernetes manifests; Compose files and Helm templates are not manifests");
            return;
        };
        match kind {
            "Deployment" => lowered.workloads.extend(self.deployment(node)),
            "ReplicaSet" => lowered.workloads.extend(self.replica_set(node)),
            "ReplicationController" => lowered.workloads.extend(self.replication_controller(node)),
            "StatefulSet" => lowered.workloads.extend(self.stateful_set(node)),
            "DaemonSet" => lowered.workloads.extend(self.daemon_set(node)),
            "Job" => lowered.workloads.extend(self.job(node)),
            "CronJob" => lowered.workloads.extend(self.cron_job(node)),
            "Pod" => lowered.workloads.extend(self.pod(node)),
            "Service" => lowered.services.extend(self.service(node).map(|id| (id, node.mark))),
            kind if context::is_context(kind) => {}
            kind if finish::is_deferred(kind) => self.deferred.push(node.clone()),
            kind => match kinds::reason(kind) {
                Some(why) => self.unmodelled.kind(kind, why, node.mark),
                None if kinds::NOT_NEEDED.contains(&kind) => self.unmodelled.not_needed(kind, node.mark),
                None => self.unmodelled.kind(kind, "this kind is not known here", node.mark),
            },
        }
    }

    /// Reads an object with its Kubernetes type, and names what it has without effect.
    pub(super) fn read<T>(&mut self, node: &Node) -> Option<T>
    where
        T: DeserializeOwned + Serialize + k8s_openapi::Resource,
    {
        let current = current(node, T::API_VERSION);
        match de::typed::<T>(current.as_ref().unwrap_or(node)) {
            Ok(object) => {
                let kind = node.get("kind").and_then(Node::scalar).unwrap_or_default();
                let understood = serde_json::to_value(&object).expect("a Kubernetes object is plain JSON");
                self.find_unknown(node, &understood, kind);
                self.survey(node, T::KIND, kind);
                Some(object)
            }
            Err(misfit) => {
                self.problems
                    .error("E0501", misfit.mark.unwrap_or(node.mark), format!("this is not a valid object: {misfit}"))
                    .expected("expected what the Kubernetes API defines for this field")
                    .help("numbers and words such as `true` must be quoted where a text is wanted, and only there");
                None
            }
        }
    }

    fn find_unknown(&mut self, node: &Node, understood: &serde_json::Value, path: &str) {
        match (&node.value, understood) {
            (Value::Map(entries), serde_json::Value::Object(known)) => {
                for (key, value) in entries {
                    let path = format!("{path}.{}", key.text);
                    match known.get(&key.text) {
                        Some(inner) => self.find_unknown(value, inner, &path),
                        None if value.is_null() => {}
                        // Server-side parts are dropped on reading, and empty ones on writing.
                        None if value.entries().is_empty() && value.scalar().is_none() && value.items().is_empty() => {}
                        None => self.unmodelled.unknown(path, key.mark),
                    }
                }
            }
            (Value::List(items), serde_json::Value::Array(known)) => {
                for (item, inner) in items.iter().zip(known) {
                    self.find_unknown(item, inner, &format!("{path}[]"));
                }
            }
            _ => {}
        }
    }

    /// Adds a workload to the catalog.
    pub(crate) fn declare(&mut self, spec: WorkloadSpec, mark: Mark) -> WorkloadId {
        let id = self.catalog.workloads.push(spec);
        self.declared.insert(id, mark);
        id
    }

    /// Namespace and name of an object of which there is only one.
    pub(super) fn declared_once(&mut self, kind: &str, node: &Node, metadata: &ObjectMeta) -> Option<(String, String)> {
        let (namespace, name) = self.identity(node, metadata)?;
        self.first(kind, &namespace, &name, place(node, &["metadata", "name"])).then_some((namespace, name))
    }

    /// Namespace and name of an object.
    pub(super) fn identity(&mut self, node: &Node, metadata: &ObjectMeta) -> Option<(String, String)> {
        let namespace = metadata.namespace.clone().unwrap_or_else(|| "default".into());
        let generated = || {
            metadata
                .generate_name
                .as_ref()
                .map(|prefix| format!("{prefix}{}", self.catalog.workloads.next_id().index()))
        };
        let name = metadata.name.clone().or_else(generated);
        if name.is_none() {
            self.problems
                .error("E0503", place(node, &["metadata"]), "this object has no name")
                .expected("expected `metadata.name`");
        }
        let name = name?;
        for (field, text) in [("name", &name), ("namespace", &namespace)] {
            if !is_name(text) {
                self.problems
                    .error("E0505", place(node, &["metadata", field]), format!("`{text}` cannot be a name"))
                    .expected(NAME)
                    .help("choose another name: the API server refuses this one, too");
                return None;
            }
        }
        Some((namespace, name))
    }
}
