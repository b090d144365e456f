//! Services.

use k8s_openapi::api::core::v1::Service;
use shakedown_engine::ids::ServiceId;
use shakedown_engine::labels::Selector;
use shakedown_engine::model::{Distribution, Exposure, ServiceSpec};

use super::{Lowering, place};
use crate::text::Node;

impl Lowering<'_> {
    /// Lowers a service.
    pub(super) fn service(&mut self, node: &Node) -> Option<ServiceId> {
        let object: Service = self.read(node)?;
        let (namespace, name) = self.identity(node, &object.metadata)?;
        if !self.first("Service", &namespace, &name, place(node, &["metadata", "name"])) {
            return None;
        }
        let spec = object.spec.unwrap_or_default();
        let mut ignored = |present: bool, field: &str, why: &str| {
            if present {
                self.unmodelled.field(&format!("Service.spec.{field}"), why, place(node, &["spec", field]));
            }
        };
        ignored(
            spec.session_affinity.as_deref() == Some("ClientIP"),
            "sessionAffinity",
            "each request chooses its endpoint anew",
        );
        ignored(
            spec.external_traffic_policy.as_deref() == Some("Local"),
            "externalTrafficPolicy",
            "requests from outside go to endpoints on any node",
        );
        ignored(
            spec.internal_traffic_policy.as_deref() == Some("Local"),
            "internalTrafficPolicy",
            "requests go to endpoints on any node",
        );
        ignored(spec.traffic_distribution.is_some(), "trafficDistribution", "zones are not preferred");
        ignored(
            spec.type_.as_deref() == Some("ExternalName"),
            "externalName",
            "what is outside the cluster is not simulated: the service has no endpoints",
        );
        let pairs = spec.selector.unwrap_or_default();
        let selector = (!pairs.is_empty()).then(|| {
            let names = &mut self.catalog.names;
            Selector::equals(pairs.iter().map(|(k, v)| (names.intern(k), names.intern(v))).collect::<Vec<_>>())
        });
        let service = ServiceSpec {
            name: self.catalog.names.intern(&name),
            namespace: self.catalog.names.intern(&namespace),
            selector,
            headless: spec.cluster_ip.as_deref() == Some("None"),
            publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
            affinity: None,
            distribution: Distribution::All,
            external_local: false,
            internal_local: false,
            exposure: Exposure::ClusterIp,
        };
        Some(self.catalog.services.push(service))
    }
}
