//! The last pass: objects that only refer to others, and the claims of stateful workloads.

use shakedown_engine::ids::WorkloadId;

use super::Lowering;
use crate::text::Node;

/// Kinds of the last pass.
const DEFERRED: [&str; 7] = [
    "HorizontalPodAutoscaler",
    "Ingress",
    "MutatingWebhookConfiguration",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ResourceQuota",
    "ValidatingWebhookConfiguration",
];

/// True for a kind of the last pass.
pub(super) fn is_deferred(kind: &str) -> bool {
    DEFERRED.contains(&kind)
}

impl Lowering<'_> {
    /// Everything that refers to workloads and services, once all of them are there. `reach` says how many replicas a
    /// workload comes to have by the scenario's own timeline.
    pub(crate) fn finish(&mut self, reach: &dyn Fn(WorkloadId) -> u32) {
        for node in std::mem::take(&mut self.deferred) {
            match node.get("kind").and_then(Node::scalar).unwrap_or_default() {
                "HorizontalPodAutoscaler" => self.autoscaler(&node),
                "Ingress" => self.ingress(&node),
                "MutatingWebhookConfiguration" => self.mutating_webhooks(&node),
                "NetworkPolicy" => self.network_policy(&node),
                "PodDisruptionBudget" => self.budget(&node),
                "ResourceQuota" => self.quota(&node),
                _ => self.validating_webhooks(&node),
            }
        }
        let scaled: Vec<(WorkloadId, u32)> =
            self.catalog.autoscalers.rows().iter().filter_map(|row| Some((row.target?, row.max))).collect();
        let most = |id: WorkloadId| {
            let own = scaled.iter().filter(|(target, _)| *target == id).map(|(_, max)| *max).max().unwrap_or(0);
            own.max(reach(id))
        };
        self.ordinal_claims(&most);
    }
}
