//! Deployments, replica sets and replication controllers, and what all controllers of pods have in common.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, ReplicationController};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::labels::Selector;
use shakedown_engine::model::{Amount, Details, Strategy, WorkloadKind, WorkloadSpec};
use shakedown_engine::time::Span;

use super::invalid::At;
use super::pod::Source;
use super::{Lowering, affinity, place};
use crate::text::Node;

/// What all controllers of pods have in common.
pub(super) struct Controlled {
    pub(super) kind: WorkloadKind,
    pub(super) called: &'static str,
    pub(super) replicas: Option<i32>,
    pub(super) selector: LabelSelector,
    pub(super) min_ready: Option<i32>,
    /// The label that tells revisions apart.
    pub(super) hash: Option<&'static str>,
    /// Restart policies that its pods may have.
    pub(super) restart: &'static [&'static str],
}

/// Of Deployments. Source: kubernetes/kubernetes:staging/src/k8s.io/api/apps/v1/types.go.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// Of StatefulSets and DaemonSets (same source).
pub(super) const REVISION_HASH: &str = "controller-revision-hash";

impl Lowering<'_> {
    pub(super) fn deployment(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: Deployment = self.read(node)?;
        let spec = object.spec;
        let strategy = self.strategy(node, &spec)?;
        let deadline = match spec.progress_deadline_seconds {
            Some(n) => {
                let deadline = self.seconds(node, "spec.progressDeadlineSeconds", n)?;
                let min_ready = Span::from_secs(u64::try_from(spec.min_ready_seconds.unwrap_or(0)).unwrap_or(0));
                if deadline <= min_ready {
                    let why = "must be greater than minReadySeconds";
                    self.invalid(node, "spec.progressDeadlineSeconds", &n.to_string(), why);
                    return None;
                }
                // The largest number means for ever. Source: kubernetes/kubernetes:pkg/controller/deployment/util.
                Some(if n == i32::MAX { Span::MAX } else { deadline })
            }
            None => None,
        };
        let history = spec.revision_history_limit.map(|n| self.natural(node, "spec.revisionHistoryLimit", n));
        let controlled = Controlled {
            kind: WorkloadKind::Deployment,
            called: "Deployment",
            replicas: spec.replicas,
            selector: spec.selector,
            min_ready: spec.min_ready_seconds,
            hash: Some(TEMPLATE_HASH),
            restart: &["Always"],
        };
        let id = self.controlled(node, &object.metadata, controlled, &spec.template)?;
        let workload = &mut self.catalog.workloads[id];
        workload.strategy = strategy;
        workload.progress_deadline = deadline;
        workload.history_limit = history.unwrap_or(None);
        workload.paused = spec.paused.unwrap_or(false);
        Some(id)
    }

    fn strategy(&mut self, node: &Node, spec: &DeploymentSpec) -> Option<Strategy> {
        let Some(strategy) = &spec.strategy else { return Some(Strategy::Default) };
        let word = strategy.type_.as_deref().filter(|word| !word.is_empty()).unwrap_or("RollingUpdate");
        let word = self.word(node, "spec.strategy.type", word, &["Recreate", "RollingUpdate"])?;
        let Some(rolling) = &strategy.rolling_update else {
            return Some(if word == "Recreate" { Strategy::Recreate } else { Strategy::Default });
        };
        if word == "Recreate" {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            self.forbidden(node, "spec.strategy.rollingUpdate", why);
            return None;
        }
        // Source: kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go.
        let max_surge = match &rolling.max_surge {
            Some(value) => self.amount(node, "spec.strategy.rollingUpdate.maxSurge", value)?,
            None => Amount::Percent(25),
        };
        let max_unavailable = match &rolling.max_unavailable {
            Some(value) => self.share(node, "spec.strategy.rollingUpdate.maxUnavailable", value)?,
            None => Amount::Percent(25),
        };
        if max_surge.of_rounded_up(100) == 0 && max_unavailable.of_rounded_up(100) == 0 {
            let why = "may not be 0 when `maxSurge` is 0";
            let value = rolling.max_unavailable.as_ref().map_or_else(|| "0".to_owned(), super::invalid::show);
            self.invalid(node, "spec.strategy.rollingUpdate.maxUnavailable", &value, why);
            return None;
        }
        Some(Strategy::RollingUpdate { max_surge, max_unavailable })
    }

    pub(super) fn replica_set(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: ReplicaSet = self.read(node)?;
        let spec = object.spec;
        let Some(template) = &spec.template else { return self.no_template(node) };
        let controlled = Controlled {
            kind: WorkloadKind::ReplicaSet,
            called: "ReplicaSet",
            replicas: spec.replicas,
            selector: spec.selector,
            min_ready: spec.min_ready_seconds,
            hash: None,
            restart: &["Always"],
        };
        self.controlled(node, &object.metadata, controlled, template)
    }

    pub(super) fn replication_controller(&mut self, node: &Node) -> Option<WorkloadId> {
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
            min_ready: spec.min_ready_seconds,
            hash: None,
            restart: &["Always"],
        };
        self.controlled(node, &object.metadata, controlled, template)
    }

    fn no_template(&mut self, node: &Node) -> Option<WorkloadId> {
        self.required(node, "spec.template", "");
        None
    }

    /// Lowers a controller with its pods; what only its kind has is left at the defaults.
    pub(super) fn controlled(
        &mut self,
        node: &Node,
        metadata: &ObjectMeta,
        what: Controlled,
        template: &PodTemplateSpec,
    ) -> Option<WorkloadId> {
        let (namespace, name) = self.identity(node, metadata)?;
        let fresh = self.first(what.called, &namespace, &name, place(node, &["metadata", "name"]));
        let pod_node = node.get("spec").and_then(|spec| spec.get("template"))?;
        let at = At { node: pod_node, prefix: "spec.template." };
        let spec = template.spec.clone().unwrap_or_default();
        let policy = spec.restart_policy.as_deref().filter(|policy| !policy.is_empty()).unwrap_or("Always");
        self.word(at, "spec.restartPolicy", policy, what.restart)?;
        if what.restart == ["Always"] && spec.active_deadline_seconds.is_some() {
            // Source: kubernetes/kubernetes:pkg/apis/apps/validation/validation.go.
            self.forbidden(
                at,
                "spec.activeDeadlineSeconds",
                &format!("activeDeadlineSeconds in {} is not Supported", what.called),
            );
            return None;
        }
        let source = Source { at, namespace: &namespace, metadata: template.metadata.as_ref(), spec, owner: &name };
        let template = self.template(source, what.hash)?;
        let selector = self.own_selector(node, &what, template)?;
        let replicas = self.natural(node, "spec.replicas", what.replicas.unwrap_or(1))?;
        let min_ready = self.seconds(node, "spec.minReadySeconds", what.min_ready.unwrap_or(0))?;
        if !self.bounded(replicas, place(node, &["spec", "replicas"])) || !fresh {
            return None;
        }
        let (name, namespace) = (self.catalog.names.intern(&name), self.catalog.names.intern(&namespace));
        let spec = WorkloadSpec {
            kind: what.kind,
            replicas,
            min_ready,
            ..WorkloadSpec::deployment(name, namespace, template, selector)
        };
        Some(self.declare(spec, place(node, &["metadata", "name"])))
    }

    /// A controller's selector: not empty, and its own pods among those that it matches.
    fn own_selector(
        &mut self,
        node: &Node,
        what: &Controlled,
        template: shakedown_engine::ids::TemplateId,
    ) -> Option<Selector> {
        let selector = affinity::selector(&what.selector, self, node)?;
        let labels = &self.catalog.templates[template].labels;
        let message = if selector.all.is_empty() {
            let kind = what.called.to_lowercase();
            format!("spec.selector: Invalid value: {{}}: empty selector is invalid for {kind}")
        } else if !selector.matches(labels, &self.catalog.names) {
            let mut shown: Vec<String> = labels
                .iter()
                .filter(|(key, _)| Some(self.catalog.text(*key)) != what.hash)
                .map(|(key, value)| format!("\"{}\":\"{}\"", self.catalog.text(key), self.catalog.text(value)))
                .collect();
            shown.sort();
            let shown = shown.join(",");
            format!(
                "spec.template.metadata.labels: Invalid value: {{{shown}}}: `selector` does not match template `labels`"
            )
        } else {
            return Some(selector);
        };
        self.problems
            .error("E0504", place(node, &["spec", "selector"]), message)
            .expected("expected labels that `spec.template.metadata.labels` has, too")
            .help("copy the labels of the template into the selector");
        None
    }

    /// A pod that nobody replaces.
    pub(super) fn pod(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: Pod = self.read(node)?;
        let (namespace, name) = self.declared_once("Pod", node, &object.metadata)?;
        let spec = object.spec.unwrap_or_default();
        let policy = spec.restart_policy.as_deref().filter(|policy| !policy.is_empty()).unwrap_or("Always");
        self.word(node, "spec.restartPolicy", policy, &["Always", "OnFailure", "Never"])?;
        let source =
            Source { at: node.into(), namespace: &namespace, metadata: Some(&object.metadata), spec, owner: &name };
        let template = self.template(source, None)?;
        let own = self.catalog.templates[template].labels.clone();
        let (name, namespace) = (self.catalog.names.intern(&name), self.catalog.names.intern(&namespace));
        let selector = Selector::equals(own.iter());
        let spec = WorkloadSpec {
            kind: WorkloadKind::Pod,
            details: Details::None,
            ..WorkloadSpec::deployment(name, namespace, template, selector)
        };
        Some(self.declare(spec, place(node, &["metadata", "name"])))
    }
}
