//! Disruption budgets.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use shakedown_engine::model::{Amount, BudgetBound, BudgetSpec, UnhealthyEviction};

use super::{Lowering, affinity, place};
use crate::text::Node;

impl Lowering<'_> {
    pub(super) fn budget(&mut self, node: &Node) {
        let Some(object) = self.read::<PodDisruptionBudget>(node) else { return };
        let Some((namespace, name)) = self.declared_once("PodDisruptionBudget", node, &object.metadata) else { return };
        let spec = object.spec.unwrap_or_default();
        if spec.min_available.is_some() && spec.max_unavailable.is_some() {
            // Source: kubernetes/kubernetes:pkg/apis/policy/validation/validation.go.
            let mark = place(node, &["spec"]);
            self.problems
                .error("E0505", mark, "spec: Invalid value: minAvailable and maxUnavailable cannot be both set")
                .expected("expected only one of the two")
                .help("kubectl gets this answer from a real cluster, too");
            return;
        }
        let bound = match (&spec.min_available, &spec.max_unavailable) {
            (Some(value), _) => self.share(node, "spec.minAvailable", value).map(BudgetBound::MinAvailable),
            (None, Some(value)) => self.share(node, "spec.maxUnavailable", value).map(BudgetBound::MaxUnavailable),
            // With neither, the controller expects no pod and allows no disruption.
            // Source: kubernetes/kubernetes:pkg/controller/disruption/disruption.go, `updatePdbStatus`.
            (None, None) => Some(BudgetBound::MaxUnavailable(Amount::Count(0))),
        };
        let Some(bound) = bound else { return };
        let word = spec.unhealthy_pod_eviction_policy.as_deref().unwrap_or("IfHealthyBudget");
        let known = ["AlwaysAllow", "IfHealthyBudget"];
        let Some(word) = self.word(node, "spec.unhealthyPodEvictionPolicy", word, &known) else { return };
        let selector = match &spec.selector {
            // An empty one matches nothing in `policy/v1beta1`, and all pods in `policy/v1`.
            Some(from) if affinity::is_empty(from) && is_beta(node) => None,
            Some(from) => match affinity::selector(from, self, node) {
                Some(selector) => Some(selector),
                None => return,
            },
            None => None,
        };
        let names = &mut self.catalog.names;
        let unhealthy =
            if word == "AlwaysAllow" { UnhealthyEviction::AlwaysAllow } else { UnhealthyEviction::IfHealthyBudget };
        let budget =
            BudgetSpec { name: names.intern(&name), namespace: names.intern(&namespace), selector, bound, unhealthy };
        self.catalog.budgets.push(budget);
    }
}

fn is_beta(node: &Node) -> bool {
    node.get("apiVersion").and_then(Node::scalar) == Some("policy/v1beta1")
}
