//! Services.

use k8s_openapi::api::core::v1::{Service, ServiceSpec as Spec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use shakedown_engine::ids::ServiceId;
use shakedown_engine::labels::Selector;
use shakedown_engine::model::{Distribution, Exposure, ServiceSpec};
use shakedown_engine::time::Span;

use super::{Lowering, place};
use crate::text::Node;

/// Annotations that ask for hints. Source: kubernetes/kubernetes:staging/src/k8s.io/api/core/v1/annotation_key_constants.go.
const TOPOLOGY: [&str; 2] = ["service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"];
/// How long a client stays with an endpoint. Source: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go.
const AFFINITY: i32 = 10_800;

impl Lowering<'_> {
    /// Lowers a service.
    pub(super) fn service(&mut self, node: &Node) -> Option<ServiceId> {
        let object: Service = self.read(node)?;
        let (namespace, name) = self.declared_once("Service", node, &object.metadata)?;
        self.note_namespace(&namespace);
        let spec = object.spec.unwrap_or_default();
        let exposure = self.exposure(&spec, node)?;
        let affinity = self.session_affinity(&spec, node)?;
        let distribution = self.distribution(&spec, &object.metadata, node)?;
        let policy = |low: &mut Self, field: &str, value: &Option<String>| {
            let word = value.as_deref().filter(|word| !word.is_empty()).unwrap_or("Cluster");
            Some(low.word(node, &format!("spec.{field}"), word, &["Cluster", "Local"])? == "Local")
        };
        let external_local = policy(self, "externalTrafficPolicy", &spec.external_traffic_policy)?;
        if external_local && exposure == Exposure::ClusterIp {
            // Source: kubernetes/kubernetes:pkg/apis/core/validation/validation.go.
            let why = "may only be set for externally-accessible services";
            self.invalid(node, "spec.externalTrafficPolicy", "\"Local\"", why);
            return None;
        }
        let internal_local = policy(self, "internalTrafficPolicy", &spec.internal_traffic_policy)?;
        let headless = spec.cluster_ip.as_deref() == Some("None");
        let outside = spec.type_.as_deref() == Some("ExternalName");
        if spec.ports.as_ref().is_none_or(Vec::is_empty) && !headless && !outside {
            self.required(node, "spec.ports", "");
            return None;
        }
        // What is outside the cluster has no endpoints in it, whatever the selector.
        let pairs = spec.selector.filter(|_| !outside).unwrap_or_default();
        if outside {
            let why = "what is outside the cluster is not simulated: the service has no endpoints";
            self.unmodelled.field("Service.spec.externalName", why, place(node, &["spec", "externalName"]));
        }
        let names = &mut self.catalog.names;
        let selector = (!pairs.is_empty()).then(|| {
            Selector::equals(pairs.iter().map(|(k, v)| (names.intern(k), names.intern(v))).collect::<Vec<_>>())
        });
        let service = ServiceSpec {
            selector,
            headless,
            publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
            affinity,
            distribution,
            external_local,
            internal_local,
            exposure,
            ..ServiceSpec::new(names.intern(&name), names.intern(&namespace), Selector::default())
        };
        Some(self.catalog.services.push(service))
    }

    fn exposure(&mut self, spec: &Spec, node: &Node) -> Option<Exposure> {
        let known = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
        let word = spec.type_.as_deref().filter(|word| !word.is_empty()).unwrap_or("ClusterIP");
        Some(match self.word(node, "spec.type", word, &known)? {
            "NodePort" => Exposure::NodePort,
            "LoadBalancer" => Exposure::LoadBalancer,
            _ => Exposure::ClusterIp,
        })
    }

    fn session_affinity(&mut self, spec: &Spec, node: &Node) -> Option<Option<Span>> {
        let word = spec.session_affinity.as_deref().filter(|word| !word.is_empty()).unwrap_or("None");
        if self.word(node, "spec.sessionAffinity", word, &["ClientIP", "None"])? == "None" {
            return Some(None);
        }
        let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
        let seconds = config.and_then(|config| config.timeout_seconds).unwrap_or(AFFINITY);
        if !(1..=86_400).contains(&seconds) {
            let path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
            self.invalid(node, path, &seconds.to_string(), "must be greater than 0 and less than 86400");
            return None;
        }
        Some(Some(Span::from_secs(u64::from(seconds.unsigned_abs()))))
    }

    /// The annotation is stronger than the field.
    /// Source: kubernetes/kubernetes:staging/src/k8s.io/endpointslice/reconciler.go.
    fn distribution(&mut self, spec: &Spec, metadata: &ObjectMeta, node: &Node) -> Option<Distribution> {
        let annotations = metadata.annotations.iter().flatten();
        for (key, value) in annotations.filter(|(key, _)| TOPOLOGY.contains(&key.as_str())) {
            if value == "Auto" || value == "auto" {
                return Some(Distribution::Hints);
            }
            if !value.eq_ignore_ascii_case("disabled") {
                let why = format!("`{value}` is no topology mode of the built-in controller");
                self.unmodelled.field(key, &why, place(node, &["metadata", "annotations"]));
            }
        }
        let Some(word) = spec.traffic_distribution.as_deref() else { return Some(Distribution::All) };
        let known = ["PreferClose", "PreferSameNode", "PreferSameZone"];
        Some(match self.word(node, "spec.trafficDistribution", word, &known)? {
            "PreferSameNode" => Distribution::SameNode,
            _ => Distribution::SameZone,
        })
    }
}
