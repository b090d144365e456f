//! Documents into objects, and objects that keep pods running into workloads.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, ReplicationController};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shakedown_engine::ids::{Id, ServiceId, WorkloadId};
use shakedown_engine::labels::Selector;
use shakedown_engine::model::{Amount, Details, Strategy, WorkloadKind, WorkloadSpec};
use shakedown_engine::time::Span;

use super::{Lowering, affinity, de, kinds, parse_amount, place};
use crate::problem::Mark;
use crate::text::{NAME, Node, Value, is_name};

/// What came of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) workloads: Vec<WorkloadId>,
    pub(crate) services: Vec<(ServiceId, Mark)>,
}

impl Lowering<'_> {
    /// Lowers all documents of a file.
    pub(crate) fn documents(&mut self, documents: &[Node]) -> Lowered {
        let mut lowered = Lowered::default();
        let mut objects = Vec::new();
        for document in documents.iter().filter(|document| !document.is_null()) {
            match document.get("kind").and_then(Node::scalar) {
                Some("List") => objects.extend(document.get("items").map(Node::items).unwrap_or_default()),
                _ => objects.push(document),
            }
        }
        // Priorities first: classes may stand behind the pods that use them.
        for object in &objects {
            if object.get("kind").and_then(Node::scalar) == Some("PriorityClass") {
                self.priority_class(object);
            }
        }
        for object in objects {
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
            "Pod" => lowered.workloads.extend(self.pod(node)),
            "Service" => lowered.services.extend(self.service(node).map(|id| (id, node.mark))),
            "PriorityClass" => {}
            kind => match kinds::reason(kind) {
                Some(why) => self.unmodelled.kind(kind, why, node.mark),
                None if kinds::NOT_NEEDED.contains(&kind) => self.unmodelled.not_needed(kind, node.mark),
                None => self.unmodelled.kind(kind, "this kind is not known here", node.mark),
            },
        }
    }

    /// Reads an object with its Kubernetes type, and names fields that the type does not have.
    pub(super) fn read<T: DeserializeOwned + Serialize>(&mut self, node: &Node) -> Option<T> {
        match de::typed::<T>(node) {
            Ok(object) => {
                let kind = node.get("kind").and_then(Node::scalar).unwrap_or_default();
                let understood = serde_json::to_value(&object).expect("a Kubernetes object is plain JSON");
                self.find_unknown(node, &understood, kind);
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

    fn priority_class(&mut self, node: &Node) {
        let Some(class) = self.read::<PriorityClass>(node) else { return };
        if let (Some(name), Some(value)) = (class.metadata.name, class.value) {
            if class.global_default == Some(true) {
                self.default_priority = value;
            }
            self.priorities.insert(name, value);
        }
    }

    fn deployment(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: Deployment = self.read(node)?;
        let spec = object.spec;
        let strategy = spec.strategy.as_ref().and_then(|strategy| match strategy.type_.as_deref() {
            Some("Recreate") => Some(Strategy::Recreate),
            _ => strategy.rolling_update.as_ref().map(|rolling| Strategy::RollingUpdate {
                max_surge: self.amount(node, "maxSurge", rolling.max_surge.as_ref()),
                max_unavailable: self.amount(node, "maxUnavailable", rolling.max_unavailable.as_ref()),
            }),
        });
        if let Some(Strategy::RollingUpdate { max_surge, max_unavailable }) = strategy
            && max_surge.of_rounded_up(100) == 0
            && max_unavailable.of_rounded_up(100) == 0
        {
            self.problems
                .error("E0505", place(node, &["spec", "strategy"]), "`maxSurge` and `maxUnavailable` are both 0")
                .expected("expected room for at least one pod more or less")
                .help("give one of them a value above 0: no rollout could ever take a step");
        }
        let seconds = |n: Option<i32>| n.map(|n| Span::from_secs(u64::try_from(n).unwrap_or(0)));
        let controlled = Controlled {
            kind: WorkloadKind::Deployment,
            called: "Deployment",
            replicas: spec.replicas,
            selector: spec.selector,
            min_ready: seconds(spec.min_ready_seconds).unwrap_or_default(),
            strategy: strategy.unwrap_or(Strategy::Default),
        };
        let id = self.controlled(node, &object.metadata, controlled, &spec.template)?;
        let workload = &mut self.catalog.workloads[id];
        workload.progress_deadline = seconds(spec.progress_deadline_seconds);
        workload.history_limit = spec.revision_history_limit.map(|n| u32::try_from(n).unwrap_or(0));
        workload.paused = spec.paused.unwrap_or(false);
        Some(id)
    }

    fn replica_set(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: ReplicaSet = self.read(node)?;
        let spec = object.spec;
        let Some(template) = &spec.template else { return self.no_template(node) };
        let controlled = Controlled {
            kind: WorkloadKind::ReplicaSet,
            called: "ReplicaSet",
            replicas: spec.replicas,
            selector: spec.selector,
            min_ready: Span::from_secs(u64::try_from(spec.min_ready_seconds.unwrap_or(0)).unwrap_or(0)),
            strategy: Strategy::Default,
        };
        self.controlled(node, &object.metadata, controlled, template)
    }

    fn replication_controller(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: ReplicationController = self.read(node)?;
        let spec = object.spec.unwrap_or_default();
        let Some(template) = &spec.template else { return self.no_template(node) };
        let own = template.metadata.as_ref().and_then(|metadata| metadata.labels.clone());
        let controlled = Controlled {
            kind: WorkloadKind::ReplicaSet,
            called: "ReplicationController",
            replicas: spec.replicas,
            // Without a selector it is that of the template's labels.
            selector: LabelSelector {
                match_labels: spec.selector.filter(|labels| !labels.is_empty()).or(own),
                ..LabelSelector::default()
            },
            min_ready: Span::from_secs(u64::try_from(spec.min_ready_seconds.unwrap_or(0)).unwrap_or(0)),
            strategy: Strategy::Default,
        };
        self.controlled(node, &object.metadata, controlled, template)
    }

    fn no_template(&mut self, node: &Node) -> Option<WorkloadId> {
        self.problems
            .error("E0505", place(node, &["spec"]), "this object has no `template`")
            .expected("expected `spec.template`, which describes its pods");
        None
    }

    fn controlled(
        &mut self,
        node: &Node,
        metadata: &ObjectMeta,
        what: Controlled,
        template: &PodTemplateSpec,
    ) -> Option<WorkloadId> {
        let (namespace, name) = self.identity(node, metadata)?;
        let fresh = self.first(what.called, &namespace, &name, place(node, &["metadata", "name"]));
        let pod_node = node.get("spec").and_then(|spec| spec.get("template"))?;
        let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
        let spec = template.spec.clone().unwrap_or_default();
        if let Some(other) = spec.restart_policy.as_deref().filter(|&policy| policy != "Always" && !policy.is_empty()) {
            self.problems
                .error(
                    "E0505",
                    place(pod_node, &["spec", "restartPolicy"]),
                    format!("pods of a {} cannot have `restartPolicy: {other}`", what.called),
                )
                .expected("expected `Always`")
                .help("remove the field; the API server refuses this, too");
            return None;
        }
        let template = self.template(&namespace, labels, &spec, pod_node)?;
        let selector = affinity::selector(&what.selector, self, node)?;
        let matches = selector.matches(&self.catalog.templates[template].labels, &self.catalog.names);
        if selector.all.is_empty() || !matches {
            self.problems
                .error(
                    "E0504",
                    place(node, &["spec", "selector"]),
                    format!("the selector of `{name}` does not match its own pods"),
                )
                .expected("expected labels that `spec.template.metadata.labels` has, too")
                .help("copy the labels of the template into the selector");
            return None;
        }
        let replicas = what.replicas.unwrap_or(1);
        let Ok(replicas) = u32::try_from(replicas) else {
            self.problems
                .error("E0505", place(node, &["spec", "replicas"]), format!("`{replicas}` replicas are not possible"))
                .expected("expected a whole number from 0");
            return None;
        };
        if !self.bounded(replicas, place(node, &["spec", "replicas"])) || !fresh {
            return None;
        }
        let spec = WorkloadSpec {
            name: self.catalog.names.intern(&name),
            namespace: self.catalog.names.intern(&namespace),
            kind: what.kind,
            details: Details::None,
            replicas,
            template,
            selector,
            strategy: what.strategy,
            min_ready: what.min_ready,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
        };
        Some(self.declare(spec, place(node, &["metadata", "name"])))
    }

    fn pod(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: Pod = self.read(node)?;
        let (namespace, name) = self.identity(node, &object.metadata)?;
        let fresh = self.first("Pod", &namespace, &name, place(node, &["metadata", "name"]));
        let labels = object.metadata.labels.clone().unwrap_or_default();
        let spec = object.spec.unwrap_or_default();
        let template = self.template(&namespace, labels, &spec, node)?;
        if !fresh {
            return None;
        }
        let own = self.catalog.templates[template].labels.clone();
        let spec = WorkloadSpec {
            name: self.catalog.names.intern(&name),
            namespace: self.catalog.names.intern(&namespace),
            kind: WorkloadKind::Pod,
            details: Details::None,
            replicas: 1,
            template,
            selector: Selector::equals(own.iter()),
            strategy: Strategy::Default,
            min_ready: Span::ZERO,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
        };
        Some(self.declare(spec, place(node, &["metadata", "name"])))
    }

    /// Adds a workload to the catalog.
    pub(crate) fn declare(&mut self, spec: WorkloadSpec, mark: Mark) -> WorkloadId {
        let id = self.catalog.workloads.push(spec);
        self.declared.insert(id, mark);
        id
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

    fn amount(&mut self, node: &Node, field: &str, value: Option<&IntOrString>) -> Amount {
        let parsed = match value {
            // Source: kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go.
            None => Some(Amount::Percent(25)),
            Some(IntOrString::Int(n)) => u32::try_from(*n).ok().map(Amount::Count),
            Some(IntOrString::String(text)) => parse_amount(text).filter(|a| matches!(a, Amount::Percent(_))),
        };
        // Source: kubernetes/kubernetes:pkg/apis/apps/validation/validation.go, `IsNotMoreThan100Percent`.
        let parsed = match parsed {
            Some(Amount::Percent(p)) if p > 100 && field == "maxUnavailable" => None,
            // No surge is larger than this one, and products of it stay small.
            Some(Amount::Percent(p)) => Some(Amount::Percent(p.min(10_000))),
            other => other,
        };
        parsed.unwrap_or_else(|| {
            self.problems
                .error(
                    "E0505",
                    place(node, &["spec", "strategy", "rollingUpdate", field]),
                    format!("this is not a value of `{field}`"),
                )
                .expected("expected a whole number such as `1`, or a percentage such as `25%`, for `maxUnavailable` at most `100%`");
            Amount::Percent(25)
        })
    }
}

/// What all controllers of pods have in common.
struct Controlled {
    kind: WorkloadKind,
    called: &'static str,
    replicas: Option<i32>,
    selector: LabelSelector,
    min_ready: Span,
    strategy: Strategy,
}
