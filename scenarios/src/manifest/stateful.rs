//! Stateful sets: replicas with names, and the claims of each of them.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use shakedown_engine::ids::{ClaimId, WorkloadId};
use shakedown_engine::model::{Amount, ClaimSpec, Details, StatefulSpec, WorkloadKind};

use super::Lowering;
use super::controlled::{Controlled, REVISION_HASH};
use crate::text::Node;

/// Most claims of one scenario: each is a row.
const MAX_CLAIMS: u64 = 1_000_000;

impl Lowering<'_> {
    pub(super) fn stateful_set(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: StatefulSet = self.read(node)?;
        let spec = object.spec;
        let details = self.stateful_spec(node, &spec)?;
        let history = spec.revision_history_limit.map(|n| self.natural(node, "spec.revisionHistoryLimit", n));
        let templates = spec.volume_claim_templates.unwrap_or_default();
        let nodes = node.get("spec").and_then(|spec| spec.get("volumeClaimTemplates"));
        let mut claims = Vec::new();
        for (from, at) in templates.iter().zip(nodes.map(Node::items).unwrap_or_default()) {
            claims.push(self.claim_template(from, at)?);
        }
        let controlled = Controlled {
            kind: WorkloadKind::StatefulSet,
            called: "StatefulSet",
            replicas: spec.replicas,
            selector: spec.selector,
            min_ready: spec.min_ready_seconds,
            hash: Some(REVISION_HASH),
            restart: &["Always"],
        };
        let id = self.controlled(node, &object.metadata, controlled, &spec.template)?;
        let workload = &mut self.catalog.workloads[id];
        workload.details = Details::Stateful(details);
        workload.history_limit = history.unwrap_or(None);
        if !claims.is_empty() {
            self.claim_templates.push((id, claims));
        }
        Some(id)
    }

    /// Defaults: kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go.
    fn stateful_spec(&mut self, node: &Node, spec: &StatefulSetSpec) -> Option<StatefulSpec> {
        let policy = spec.pod_management_policy.as_deref().filter(|word| !word.is_empty()).unwrap_or("OrderedReady");
        if !["OrderedReady", "Parallel"].contains(&policy) {
            let why = "must be 'OrderedReady' or 'Parallel'";
            self.invalid(node, "spec.podManagementPolicy", &format!("\"{policy}\""), why);
            return None;
        }
        let update = spec.update_strategy.clone().unwrap_or_default();
        let word = update.type_.as_deref().filter(|word| !word.is_empty()).unwrap_or("RollingUpdate");
        if !["RollingUpdate", "OnDelete"].contains(&word) {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            self.invalid(node, "spec.updateStrategy", &format!("\"{word}\""), why);
            return None;
        }
        let rolling = update.rolling_update.unwrap_or_default();
        if word == "OnDelete" && (rolling.partition.is_some() || rolling.max_unavailable.is_some()) {
            let why = "only allowed for updateStrategy 'RollingUpdate'";
            self.invalid(node, "spec.updateStrategy.rollingUpdate", "{}", why);
            return None;
        }
        let path = "spec.updateStrategy.rollingUpdate";
        let partition = self.natural(node, &format!("{path}.partition"), rolling.partition.unwrap_or(0))?;
        let max_unavailable = match &rolling.max_unavailable {
            Some(value) => self.share(node, &format!("{path}.maxUnavailable"), value)?,
            None => Amount::Count(1),
        };
        if max_unavailable.of_rounded_up(100) == 0 {
            self.invalid(node, &format!("{path}.maxUnavailable"), "0", "cannot be 0");
            return None;
        }
        let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
        let first = self.natural(node, "spec.ordinals.start", start)?;
        let retention = spec.persistent_volume_claim_retention_policy.clone().unwrap_or_default();
        let scaled = retention.when_scaled.unwrap_or_else(|| "Retain".to_owned());
        let path = "spec.persistentVolumeClaimRetentionPolicy.whenScaled";
        let scaled = self.word(node, path, &scaled, &["Delete", "Retain"])?;
        Some(StatefulSpec {
            parallel: policy == "Parallel",
            partition,
            on_delete: word == "OnDelete",
            max_unavailable,
            first,
            claims: Vec::new(),
            delete_claims_when_scaled: scaled == "Delete",
        })
    }

    /// Makes the claims of stateful workloads: one for each template and each ordinal below the most replicas that
    /// `reach` says a workload comes to have.
    pub(super) fn ordinal_claims(&mut self, reach: &dyn Fn(WorkloadId) -> u32) {
        let mut left = MAX_CLAIMS;
        for (id, templates) in std::mem::take(&mut self.claim_templates) {
            let workload = &self.catalog.workloads[id];
            let replicas = reach(id).max(workload.replicas);
            let (name, space) = (workload.name, workload.namespace);
            let first = match &workload.details {
                Details::Stateful(details) => details.first,
                _ => 0,
            };
            let wanted = u64::from(replicas) * templates.len() as u64;
            if wanted > left {
                let mark = self.declared.get(&id).copied().unwrap_or_default();
                self.problems
                    .error("E0204", mark, format!("{wanted} claims are not possible"))
                    .expected(format!("expected at most {MAX_CLAIMS} claims in all"));
                return;
            }
            left -= wanted;
            let mut rows = Vec::new();
            for template in templates {
                let one = |ordinal: u32, low: &mut Self| -> ClaimId {
                    let text = format!("{}-{}-{}", template.name, low.catalog.text(name), first + ordinal);
                    // A claim of that name that was declared by hand is the one that is used.
                    let key = (low.catalog.text(space).to_owned(), text);
                    if let Some(&found) = low.context.claims.get(&key) {
                        return found;
                    }
                    let own = low.catalog.names.intern(&key.1);
                    let spec = ClaimSpec { name: own, namespace: space, at_start: false, ..template.spec.clone() };
                    let claim = low.catalog.claims.push(spec);
                    low.context.claims.insert(key, claim);
                    claim
                };
                rows.push((0..replicas).map(|ordinal| one(ordinal, self)).collect());
            }
            if let Details::Stateful(details) = &mut self.catalog.workloads[id].details {
                details.claims = rows;
            }
        }
    }
}
