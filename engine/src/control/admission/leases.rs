//! Heartbeats that have to pass webhooks: a webhook on leases that does not answer makes every node look dead.
//!
//! Nodes are alive and their requests arrive; what the API server refuses is the renewal, so that the node controller sees
//! leases that grow old. While at least one endpoint of each such webhook can be reached, renewals pass: a kubelet whose
//! request meets a dead one tries again long before its node's grace is over. Leases of the control plane's own parts are
//! taken to be exempt. Start at [`Control::accepted`].
//!
//! Seen in the wild: <https://blog.jetstack.io/blog/gke-webhook-outage/>.

use std::collections::BTreeMap;

use crate::control::{Control, Cx};
use crate::fact::{FactId, FactKind};
use crate::ids::{NodeId, WebhookId};
use crate::message::Beats;
use crate::model::{Catalog, WebhookFailure};

/// Where nodes' leases are. Source: kubernetes/kubernetes:staging/src/k8s.io/api/core/v1/types.go, `NamespaceNodeLease`.
const NAMESPACE: &str = "kube-node-lease";

/// What becomes of nodes' heartbeats on their way.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    /// The webhook that keeps them from being stored, and the fact about it.
    blocked: Option<(WebhookId, FactId)>,
    /// What arrives of each node, whatever becomes of it.
    arriving: BTreeMap<NodeId, Beats>,
}

/// Whether a webhook is asked when a node renews its lease, and can refuse it.
pub(super) fn wants(catalog: &Catalog, webhook: WebhookId) -> bool {
    let spec = &catalog.webhooks[webhook];
    let namespace = catalog.names.find(NAMESPACE);
    let listed = |list: &[crate::ids::Symbol]| namespace.is_some_and(|name| list.contains(&name));
    spec.nodes
        && spec.on_failure == WebhookFailure::Fail
        && (spec.namespaces.is_empty() || listed(&spec.namespaces))
        && !listed(&spec.exempt)
        && spec.objects.is_none()
}

impl Control {
    /// What of a node's heartbeats is stored; `None`: nothing new.
    pub(in crate::control) fn accepted(&mut self, cx: &mut Cx<'_>, node: NodeId, beats: Beats) -> Option<Beats> {
        if self.admission.webhooks.of_leases.is_empty() {
            return Some(beats);
        }
        self.admission.leases.arriving.insert(node, beats);
        self.review_leases(cx);
        match (self.admission.leases.blocked, beats) {
            (Some(_), Beats::Steady | Beats::Once { .. }) => None,
            _ => Some(beats),
        }
    }

    /// Endpoints of webhooks, or what can be reached, may have changed.
    pub(super) fn review_leases(&mut self, cx: &mut Cx<'_>) {
        if self.admission.webhooks.of_leases.is_empty() {
            return;
        }
        let hooks = self.admission.webhooks.of_leases.iter().copied();
        let silent = hooks.into_iter().find(|&webhook| !self.webhook_may_answer(webhook));
        match (self.admission.leases.blocked, silent) {
            (None, Some(webhook)) => {
                let fact = cx.facts.record(cx.now, FactId::NONE, FactKind::LeasesRefused { webhook, on: true });
                self.admission.leases.blocked = Some((webhook, fact));
                self.replay_heartbeats(cx, fact, |now| Beats::Ceased { last: now, next: now });
            }
            (Some((webhook, cause)), None) => {
                let fact = cx.facts.record(cx.now, cause, FactKind::LeasesRefused { webhook, on: false });
                self.admission.leases.blocked = None;
                self.replay_heartbeats(cx, fact, |_| Beats::Steady);
            }
            _ => {}
        }
    }

    /// All nodes whose heartbeats arrive seem to stop or to begin again.
    fn replay_heartbeats(&mut self, cx: &mut Cx<'_>, cause: FactId, beats: impl Fn(crate::time::Time) -> Beats) {
        let arriving = self.admission.leases.arriving.iter().filter(|(_, beats)| **beats == Beats::Steady);
        for node in arriving.map(|(node, _)| *node).collect::<Vec<_>>() {
            let beats = beats(cx.now);
            self.heard(cx, cause, node, beats);
        }
    }
}
