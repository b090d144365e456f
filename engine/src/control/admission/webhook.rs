//! Admission webhooks: somebody else's program that each creation has to pass, often a workload of the cluster itself.
//!
//! Whether it answers: a service without a published endpoint fails at once; else one endpoint is chosen at random, and it
//! answers if its node can be reached, which is known by the node's heartbeats arriving. An endpoint that is published but
//! whose container has just died counts as answering until it is taken out. All webhooks of a request are asked side by
//! side. Start at [`Control::ask_webhooks`].
//!
//! Source: kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook.

use crate::control::admission::{changes, leases};
use crate::control::{Control, Cx};
use crate::fact::{FactId, FactKind, Note, Refused, Subject};
use crate::ids::{NodeId, ServiceId, Table, TemplateId, WebhookId, WorkloadId};
use crate::model::{Catalog, PodTemplate, WebhookFailure, WebhookSpec};
use crate::rng::Purpose;
use crate::time::Span;

/// All webhooks.
#[derive(Clone, Debug)]
pub(super) struct Webhooks {
    /// Those that are asked before a pod of a template is created.
    of: Table<TemplateId, Vec<WebhookId>>,
    /// Those that are asked before a workload's own object changes, and before one that its controller keeps for it does.
    of_workload: Table<WorkloadId, [Vec<WebhookId>; 2]>,
    /// Those that are asked when nodes' leases are renewed.
    pub(super) of_leases: Vec<WebhookId>,
    /// Those that wait for their service's first endpoint.
    unregistered: Table<WebhookId, bool>,
    /// Those whose failure was ignored at the last request, which was told.
    ignored: Table<WebhookId, bool>,
    /// Calls so far: each has its own luck.
    calls: u32,
    enforced: bool,
}

/// What comes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// It answers.
    Answered,
    /// Nobody is there, which is known at once.
    Failed,
    /// Nothing comes back.
    TimedOut,
}

impl Webhooks {
    pub(super) fn new(catalog: &Catalog, enforced: bool) -> Self {
        let asked = |template: &PodTemplate| {
            let wants = |id: &WebhookId| enforced && wants(&catalog.webhooks[*id], template, catalog);
            catalog.webhooks.ids().filter(wants).collect()
        };
        Self {
            of: catalog.templates.iter().map(|(_, template)| asked(template)).collect(),
            of_workload: catalog.workloads.iter().map(|(_, spec)| changes::asked(catalog, spec, enforced)).collect(),
            of_leases: catalog.webhooks.ids().filter(|id| enforced && leases::wants(catalog, *id)).collect(),
            unregistered: catalog
                .webhooks
                .iter()
                .map(|(_, spec)| spec.after_service && spec.service.is_some())
                .collect(),
            ignored: catalog.webhooks.iter().map(|_| false).collect(),
            calls: 0,
            enforced,
        }
    }

    /// Those that are asked when a workload's own object changes, or one that its controller keeps for it.
    pub(super) fn of_change(&self, workload: WorkloadId, object: changes::Object) -> &[WebhookId] {
        &self.of_workload[workload][object as usize]
    }

    pub(super) fn concern(&self, template: TemplateId) -> bool {
        !self.of[template].is_empty()
    }
}

/// Whether a webhook wants to see the creation of a template's pods.
fn wants(spec: &WebhookSpec, template: &PodTemplate, catalog: &Catalog) -> bool {
    let namespace = &template.namespace;
    spec.create_pods
        && (spec.namespaces.is_empty() || spec.namespaces.contains(namespace))
        && !spec.exempt.contains(namespace)
        && spec.objects.as_ref().is_none_or(|s| s.matches(&template.labels, &catalog.names))
}

impl Control {
    /// How long the webhooks of a creation take, and whether one of them refuses it.
    pub(super) fn ask_webhooks(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        template: TemplateId,
    ) -> (Span, Option<Refused>) {
        let asked = self.admission.webhooks.of[template].clone();
        self.ask(cx, cause, &asked)
    }

    /// How long these webhooks take, and whether one of them refuses a request. They are asked side by side.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, cause: FactId, webhooks: &[WebhookId]) -> (Span, Option<Refused>) {
        let (mut wait, mut refused) = (Span::ZERO, None);
        for &webhook in webhooks.iter().filter(|id| !self.admission.webhooks.unregistered[**id]).collect::<Vec<_>>() {
            let call = self.call(webhook);
            let spec = &self.catalog.webhooks[webhook];
            wait = wait.max(match call {
                Call::Answered => self.profile.control.machine.admission.webhook_latency,
                Call::Failed => Span::ZERO,
                Call::TimedOut => spec.timeout,
            });
            match (call, spec.on_failure) {
                (Call::Answered, _) => self.admission.webhooks.ignored[webhook] = false,
                (_, WebhookFailure::Fail) => refused = refused.or(Some(Refused::Webhook { webhook })),
                (_, WebhookFailure::Ignore) => self.ignore_webhook(cx, cause, webhook),
            }
        }
        (wait, refused)
    }

    fn ignore_webhook(&mut self, cx: &mut Cx<'_>, cause: FactId, webhook: WebhookId) {
        if !std::mem::replace(&mut self.admission.webhooks.ignored[webhook], true) {
            let note = FactKind::Noted { subject: Subject::Webhook(webhook), note: Note::WebhookIgnored };
            cx.facts.record(cx.now, cause, note);
        }
    }

    fn call(&mut self, webhook: WebhookId) -> Call {
        let Some(service) = self.catalog.webhooks[webhook].service else {
            return Call::Answered;
        };
        let webhooks = &mut self.admission.webhooks;
        webhooks.calls = webhooks.calls.wrapping_add(1);
        let mut luck = self.streams.stream(Purpose::ControlPlane, u32::MAX - webhooks.calls);
        let endpoints = &self.services[service].endpoints;
        let Some(&pod) = endpoints.get(luck.index(endpoints.len())) else {
            return Call::Failed;
        };
        let reached = self.pods[pod].node.is_some_and(|node| self.seems_reachable(node));
        if reached { Call::Answered } else { Call::TimedOut }
    }

    /// Whether a call may succeed as things are.
    pub(super) fn webhook_may_answer(&self, webhook: WebhookId) -> bool {
        let Some(service) = self.catalog.webhooks[webhook].service else {
            return true;
        };
        if self.admission.webhooks.unregistered[webhook] {
            return true;
        }
        let nodes = self.services[service].endpoints.iter().filter_map(|&pod| self.pods[pod].node);
        nodes.into_iter().any(|node| self.seems_reachable(node))
    }

    /// A node whose heartbeats arrive; one that was never heard is taken to be well, as all nodes are when a run starts.
    fn seems_reachable(&self, node: NodeId) -> bool {
        self.nodes[node].steady || !self.nodes[node].heard
    }

    /// A service has new endpoints: webhooks that it serves may answer now.
    pub(in crate::control) fn webhooks_published(&mut self, cx: &mut Cx<'_>, service: ServiceId) {
        self.register_webhooks(service);
        self.review_leases(cx);
        if self.admission.waits_for_webhooks() {
            let served: Vec<WebhookId> =
                self.catalog.webhooks.iter().filter(|(_, w)| w.service == Some(service)).map(|(id, _)| id).collect();
            let may = served.into_iter().filter(|&id| self.webhook_may_answer(id)).collect();
            self.retry_for_webhooks(cx, may);
        }
    }

    /// A node is heard again: webhooks on it may answer now.
    pub(in crate::control) fn webhooks_reached(&mut self, cx: &mut Cx<'_>) {
        self.review_leases(cx);
        if self.admission.waits_for_webhooks() {
            let may = self.catalog.webhooks.ids().filter(|&id| self.webhook_may_answer(id)).collect();
            self.retry_for_webhooks(cx, may);
        }
    }

    fn retry_for_webhooks(&mut self, cx: &mut Cx<'_>, webhooks: Vec<WebhookId>) {
        let concerns = |why| matches!(why, Refused::Webhook { webhook } if webhooks.contains(&webhook));
        self.retry_creations(cx, concerns);
        self.retry_changes(cx, concerns);
    }

    /// A service has endpoints: webhooks that waited for it are registered.
    fn register_webhooks(&mut self, service: ServiceId) {
        if self.catalog.webhooks.is_empty() || self.services[service].endpoints.is_empty() {
            return;
        }
        let served = self.catalog.webhooks.iter().filter(|(_, spec)| spec.service == Some(service));
        for webhook in served.map(|(webhook, _)| webhook).collect::<Vec<_>>() {
            self.admission.webhooks.unregistered[webhook] = false;
        }
    }
}

impl super::Admission {
    fn waits_for_webhooks(&self) -> bool {
        self.webhooks.enforced
            && (self.changes.waiting() || self.refusals.values().any(|r| matches!(r.why, Refused::Webhook { .. })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Symbol;
    use crate::labels::Labels;

    #[test]
    fn a_webhook_sees_the_namespaces_that_it_names_but_for_exempt_ones() {
        let mut catalog = Catalog::new();
        let [shop, system] = ["shop", "kube-system"].map(|n| catalog.names.intern(n));
        let in_namespace = |namespace: Symbol| PodTemplate::new(namespace, Labels::new([]), Vec::new());
        let mut spec = WebhookSpec {
            name: shop,
            create_pods: true,
            update_pods: false,
            workloads: Vec::new(),
            nodes: false,
            after_service: false,
            namespaces: Vec::new(),
            exempt: vec![system],
            objects: None,
            service: None,
            timeout: Span::from_secs(10),
            on_failure: WebhookFailure::Fail,
        };
        assert!(wants(&spec, &in_namespace(shop), &catalog));
        assert!(!wants(&spec, &in_namespace(system), &catalog));
        spec.namespaces = vec![system];
        assert!(!wants(&spec, &in_namespace(shop), &catalog));
        spec.create_pods = false;
        assert!(!wants(&spec, &in_namespace(shop), &catalog));
    }
}
