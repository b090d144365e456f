//! Resource quotas.

use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaSpec};
use shakedown_engine::model::{QuotaScope, QuotaSpec};

use super::{Lowering, place};
use crate::text::{Node, Scale, parse_quantity};

impl Lowering<'_> {
    pub(super) fn quota(&mut self, node: &Node) {
        let Some(object) = self.read::<ResourceQuota>(node) else { return };
        let Some((namespace, name)) = self.declared_once("ResourceQuota", node, &object.metadata) else { return };
        let spec = object.spec.unwrap_or_default();
        let Some(scopes) = self.quota_scopes(&spec, node) else { return };
        let names = &mut self.catalog.names;
        let mut quota = QuotaSpec {
            name: names.intern(&name),
            namespace: names.intern(&namespace),
            pods: None,
            requests: Default::default(),
            limits: Default::default(),
            scopes,
        };
        for (key, quantity) in spec.hard.into_iter().flatten() {
            let scale = if key.ends_with("cpu") { Scale::Milli } else { Scale::Unit };
            let Some(amount) = parse_quantity(&quantity.0, scale) else {
                let path = format!("spec.hard[{key}]");
                return self.invalid(node, &path, &format!("\"{}\"", quantity.0), "must be greater than or equal to 0");
            };
            self.bound(&mut quota, &key, amount, node);
        }
        self.catalog.quotas.push(quota);
    }

    /// One bounded amount. Names: kubernetes/kubernetes:staging/src/k8s.io/api/core/v1/types.go, `ResourceQuota`.
    fn bound(&mut self, quota: &mut QuotaSpec, key: &str, amount: i64, node: &Node) {
        let least = |place: &mut Option<i64>| *place = Some(place.map_or(amount, |old| old.min(amount)));
        match key {
            "pods" | "count/pods" => {
                let pods = u32::try_from(amount).unwrap_or(u32::MAX);
                quota.pods = Some(quota.pods.map_or(pods, |old| old.min(pods)));
            }
            "cpu" | "requests.cpu" => least(&mut quota.requests.cpu),
            "memory" | "requests.memory" => least(&mut quota.requests.memory),
            "ephemeral-storage" | "requests.ephemeral-storage" => least(&mut quota.requests.ephemeral),
            "limits.cpu" => least(&mut quota.limits.cpu),
            "limits.memory" => least(&mut quota.limits.memory),
            "limits.ephemeral-storage" => least(&mut quota.limits.ephemeral),
            _ => {
                match key.strip_prefix("requests.").filter(|name| name.contains('/') && !name.contains("storageclass"))
                {
                    Some(name) => {
                        let name = self.catalog.names.intern(name);
                        quota.requests.extended.push((name, amount));
                    }
                    None => {
                        let why = "only pods, their requests and their limits are counted";
                        let path = format!("ResourceQuota.spec.hard[{key}]");
                        self.unmodelled.field(&path, why, place(node, &["spec", "hard", key]));
                    }
                }
            }
        }
    }

    fn quota_scopes(&mut self, spec: &ResourceQuotaSpec, node: &Node) -> Option<Vec<QuotaScope>> {
        let mut out = Vec::new();
        for scope in spec.scopes.iter().flatten() {
            out.extend(self.quota_scope(scope, (None, &[]), node)?);
        }
        for one in spec.scope_selector.iter().flat_map(|selector| selector.match_expressions.iter().flatten()) {
            let values = one.values.as_deref().unwrap_or_default();
            out.extend(self.quota_scope(&one.scope_name, (Some(&one.operator), values), node)?);
        }
        Some(out)
    }

    fn quota_scope(
        &mut self,
        scope: &str,
        (operator, values): (Option<&str>, &[String]),
        node: &Node,
    ) -> Option<Option<QuotaScope>> {
        Some(Some(match scope {
            "BestEffort" => QuotaScope::BestEffort,
            "NotBestEffort" => QuotaScope::NotBestEffort,
            "Terminating" => QuotaScope::Terminating,
            "NotTerminating" => QuotaScope::NotTerminating,
            "PriorityClass" if operator == Some("In") => {
                QuotaScope::PriorityClass(values.iter().map(|name| self.catalog.names.intern(name)).collect())
            }
            "PriorityClass" if operator == Some("Exists") => {
                let all: Vec<String> = self.context.priorities.keys().cloned().collect();
                QuotaScope::PriorityClass(all.iter().map(|name| self.catalog.names.intern(name)).collect())
            }
            "PriorityClass" if operator == Some("NotIn") => {
                let all: Vec<String> =
                    self.context.priorities.keys().filter(|name| !values.contains(name)).cloned().collect();
                QuotaScope::PriorityClass(all.iter().map(|name| self.catalog.names.intern(name)).collect())
            }
            "PriorityClass" | "CrossNamespacePodAffinity" | "VolumeAttributesClass" => {
                let why = "the scope is taken as if it were not there";
                let path = format!("ResourceQuota.spec.scopes[{scope}]");
                self.unmodelled.field(&path, why, place(node, &["spec"]));
                return Some(None);
            }
            other => {
                self.invalid(node, "spec.scopes", &format!("\"{other}\""), "unsupported scope");
                return None;
            }
        }))
    }
}
