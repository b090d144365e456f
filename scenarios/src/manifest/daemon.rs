//! Daemon sets: one pod on each node that fits.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec};
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::model::{Amount, DaemonSpec, Details, WorkloadKind};

use super::Lowering;
use super::controlled::{Controlled, REVISION_HASH};
use super::invalid::show;
use crate::text::Node;

impl Lowering<'_> {
    pub(super) fn daemon_set(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: DaemonSet = self.read(node)?;
        let spec = object.spec;
        let details = self.daemon_spec(node, &spec)?;
        let history = spec.revision_history_limit.map(|n| self.natural(node, "spec.revisionHistoryLimit", n));
        let controlled = Controlled {
            kind: WorkloadKind::DaemonSet,
            called: "DaemonSet",
            replicas: Some(0),
            selector: spec.selector,
            min_ready: spec.min_ready_seconds,
            hash: Some(REVISION_HASH),
            restart: &["Always"],
        };
        let id = self.controlled(node, &object.metadata, controlled, &spec.template)?;
        let workload = &mut self.catalog.workloads[id];
        workload.details = Details::Daemon(details);
        workload.history_limit = history.unwrap_or(None);
        Some(id)
    }

    /// Defaults: kubernetes/kubernetes:pkg/apis/apps/v1/defaults.go. Refusals: its validation/validation.go.
    fn daemon_spec(&mut self, node: &Node, spec: &DaemonSetSpec) -> Option<DaemonSpec> {
        let update = spec.update_strategy.clone().unwrap_or_default();
        let word = update.type_.as_deref().filter(|word| !word.is_empty()).unwrap_or("RollingUpdate");
        let word = self.word(node, "spec.updateStrategy.type", word, &["OnDelete", "RollingUpdate"])?;
        let rolling = update.rolling_update.unwrap_or_default();
        let path = "spec.updateStrategy.rollingUpdate";
        let max_unavailable = match &rolling.max_unavailable {
            Some(value) => self.share(node, &format!("{path}.maxUnavailable"), value)?,
            None => Amount::Count(1),
        };
        let max_surge = match &rolling.max_surge {
            Some(value) => self.share(node, &format!("{path}.maxSurge"), value)?,
            None => Amount::Count(0),
        };
        let (gone, more) = (max_unavailable.of_rounded_up(100) > 0, max_surge.of_rounded_up(100) > 0);
        if word == "RollingUpdate" && gone && more {
            let value = rolling.max_surge.as_ref().map_or_else(|| "0".to_owned(), show);
            self.invalid(node, &format!("{path}.maxSurge"), &value, "may not be set when maxUnavailable is non-zero");
            return None;
        }
        if word == "RollingUpdate" && !gone && !more {
            self.required(node, &format!("{path}.maxUnavailable"), "cannot be 0 when maxSurge is 0");
            return None;
        }
        Some(DaemonSpec { max_unavailable, max_surge, on_delete: word == "OnDelete" })
    }
}
