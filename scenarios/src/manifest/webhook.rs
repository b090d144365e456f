//! Admission webhooks.
//!
//! What a webhook would change or refuse is not known here; whether it answers at all is what outages are made of. One
//! that a workload of the manifests serves is registered when that workload first answers, as its installer does.

use k8s_openapi::api::admissionregistration::v1 as hook;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use shakedown_engine::ids::ServiceId;
use shakedown_engine::model::{WebhookFailure, WebhookSpec, WorkloadKind, WorkloadSpec};
use shakedown_engine::time::Span;

use super::{Lowering, affinity, place};
use crate::text::Node;

/// What both kinds of webhooks have.
struct Hook {
    name: String,
    rules: Vec<hook::RuleWithOperations>,
    client: hook::WebhookClientConfig,
    namespaces: Option<LabelSelector>,
    objects: Option<LabelSelector>,
    failure: Option<String>,
    timeout: Option<i32>,
}

impl Lowering<'_> {
    pub(super) fn mutating_webhooks(&mut self, node: &Node) {
        let Some(object) = self.read::<hook::MutatingWebhookConfiguration>(node) else { return };
        for (index, from) in object.webhooks.into_iter().flatten().enumerate() {
            let one = Hook {
                name: from.name,
                rules: from.rules.unwrap_or_default(),
                client: from.client_config,
                namespaces: from.namespace_selector,
                objects: from.object_selector,
                failure: from.failure_policy,
                timeout: from.timeout_seconds,
            };
            self.webhook(one, (index, node));
        }
    }

    pub(super) fn validating_webhooks(&mut self, node: &Node) {
        let Some(object) = self.read::<hook::ValidatingWebhookConfiguration>(node) else { return };
        for (index, from) in object.webhooks.into_iter().flatten().enumerate() {
            let one = Hook {
                name: from.name,
                rules: from.rules.unwrap_or_default(),
                client: from.client_config,
                namespaces: from.namespace_selector,
                objects: from.object_selector,
                failure: from.failure_policy,
                timeout: from.timeout_seconds,
            };
            self.webhook(one, (index, node));
        }
    }

    /// Defaults: kubernetes/kubernetes:pkg/apis/admissionregistration/v1/defaults.go (10 s, Fail).
    fn webhook(&mut self, from: Hook, (index, node): (usize, &Node)) {
        let path = format!("webhooks[{index}]");
        let failure = from.failure.as_deref().unwrap_or("Fail");
        let Some(failure) = self.word(node, &format!("{path}.failurePolicy"), failure, &["Fail", "Ignore"]) else {
            return;
        };
        let seconds = from.timeout.unwrap_or(10);
        if !(1..=30).contains(&seconds) {
            let why = "the timeout value must be between 1 and 30 seconds";
            return self.invalid(node, &format!("{path}.timeoutSeconds"), &seconds.to_string(), why);
        }
        let service = match (&from.client.service, &from.client.url) {
            (Some(_), Some(_)) | (None, None) => {
                let why = "exactly one of url or service is required";
                return self.required(node, &format!("{path}.clientConfig"), why);
            }
            (Some(wanted), None) => {
                let found = self.service_named(&wanted.namespace, &wanted.name);
                if found.is_none() {
                    let what = format!("`{}` in namespace `{}`", wanted.name, wanted.namespace);
                    let message =
                        format!("the webhook `{}` is served by the service {what}, which is in no manifest", from.name);
                    let mark = place(node, &["webhooks", &index.to_string()]);
                    self.problems.warn("W0616", mark, message).help("it is taken to answer always");
                }
                found
            }
            (None, Some(_)) => None,
        };
        let namespaces = match &from.namespaces {
            None => Vec::new(),
            Some(selector) => match self.namespaces_of(selector, node) {
                None => return,
                Some(None) => Vec::new(),
                // No namespace has these labels: it is never asked.
                Some(Some(list)) if list.is_empty() => return,
                Some(Some(list)) => list,
            },
        };
        let objects = match from.objects.as_ref().filter(|selector| !affinity::is_empty(selector)) {
            None => None,
            Some(selector) => match affinity::selector(selector, self, node) {
                Some(selector) => Some(selector),
                None => return,
            },
        };
        let name = self.catalog.names.intern(&from.name);
        let after_service = service.is_some_and(|service| self.is_backed(service));
        self.catalog.webhooks.push(WebhookSpec {
            name,
            create_pods: asked(&from.rules, &["CREATE"], ("", &["pods"])),
            update_pods: asked(&from.rules, &["UPDATE"], ("", &["pods"])),
            workloads: kinds(&from.rules),
            nodes: asked(&from.rules, &["UPDATE"], ("coordination.k8s.io", &["leases"])),
            after_service,
            namespaces,
            exempt: Vec::new(),
            objects,
            service,
            timeout: Span::from_secs(u64::from(seconds.unsigned_abs())),
            on_failure: if failure == "Fail" { WebhookFailure::Fail } else { WebhookFailure::Ignore },
        });
    }

    /// Whether a workload that exists from the start stands behind a service.
    fn is_backed(&self, service: ServiceId) -> bool {
        let catalog = &*self.catalog;
        let spec = &catalog.services[service];
        let behind = |workload: &WorkloadSpec| {
            let labels = &catalog.templates[workload.template].labels;
            workload.at_start
                && workload.namespace == spec.namespace
                && spec.selector.as_ref().is_some_and(|selector| selector.matches(labels, &catalog.names))
        };
        catalog.workloads.rows().iter().any(behind)
    }
}

/// Kinds of workloads, as rules name them.
const KINDS: [(WorkloadKind, &str, &str); 6] = [
    (WorkloadKind::Deployment, "apps", "deployments"),
    (WorkloadKind::ReplicaSet, "apps", "replicasets"),
    (WorkloadKind::StatefulSet, "apps", "statefulsets"),
    (WorkloadKind::DaemonSet, "apps", "daemonsets"),
    (WorkloadKind::Job, "batch", "jobs"),
    (WorkloadKind::CronJob, "batch", "cronjobs"),
];

fn kinds(rules: &[hook::RuleWithOperations]) -> Vec<WorkloadKind> {
    let named = |&&(_, group, resource): &&(WorkloadKind, &str, &str)| {
        asked(rules, &["CREATE", "UPDATE"], (group, &[resource]))
    };
    KINDS.iter().filter(named).map(|&(kind, ..)| kind).collect()
}

/// Whether rules match one of these operations on resources of a group.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules/rules.go.
fn asked(rules: &[hook::RuleWithOperations], operations: &[&str], (group, resources): (&str, &[&str])) -> bool {
    let any = |list: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
        list.iter().flatten().any(|own| own == "*" || fits(own))
    };
    rules.iter().any(|rule| {
        any(&rule.operations, &|own| operations.contains(&own))
            && any(&rule.api_groups, &|own| own == group)
            && any(&rule.resources, &|own| own == "*/*" || resources.contains(&own))
    })
}
