//! Horizontal pod autoscalers: `autoscaling/v2`, `v1`, and the betas between them.
//!
//! Defaults: kubernetes/kubernetes:pkg/apis/autoscaling/v2/defaults.go. Refusals: pkg/apis/autoscaling/validation.

use k8s_openapi::api::autoscaling::v2 as hpa;
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::model::{Amount, AutoscalerSpec, MetricTarget, ScalingPolicy, ScalingRules, WorkloadKind};
use shakedown_engine::time::Span;

use super::invalid::At;
use super::{Lowering, de, place};
use crate::text::{Node, Scale, parse_quantity};

/// Names of metrics that mean requests a second, as ingress controllers and service meshes commonly serve them.
const REQUESTS: [&str; 6] = [
    "http_requests",
    "http_requests_per_second",
    "nginx_ingress_controller_requests",
    "packets-per-second",
    "requests-per-second",
    "requests_per_second",
];

impl Lowering<'_> {
    pub(super) fn autoscaler(&mut self, node: &Node) {
        let version = node.get("apiVersion").and_then(Node::scalar).unwrap_or_default();
        if matches!(version, "autoscaling/v1" | "autoscaling/v2beta1") {
            return self.old_autoscaler(node);
        }
        let Some(object) = self.read::<hpa::HorizontalPodAutoscaler>(node) else { return };
        let Some((namespace, name)) = self.declared_once("HorizontalPodAutoscaler", node, &object.metadata) else {
            return;
        };
        let spec = object.spec;
        let mut metrics = Vec::new();
        for (index, metric) in spec.metrics.iter().flatten().enumerate() {
            let Some(target) = self.metric(metric, (index, node)) else { return };
            metrics.push(target);
        }
        let plain = spec.behavior.is_none();
        let behavior = spec.behavior.unwrap_or_default();
        let Some(up) = self.rules(behavior.scale_up.as_ref(), ("scaleUp", growing()), node) else { return };
        let Some(down) = self.rules(behavior.scale_down.as_ref(), ("scaleDown", shrinking()), node) else { return };
        let target = (spec.scale_target_ref.kind.as_str(), spec.scale_target_ref.name.as_str());
        let bounds = (spec.min_replicas, spec.max_replicas);
        self.autoscale((&namespace, &name), (target, bounds), (metrics, (plain, up, down)), node);
    }

    /// `autoscaling/v1` has one target only, and `v2beta1` its targets beside the names of metrics.
    fn old_autoscaler(&mut self, node: &Node) {
        let metadata =
            node.get("metadata").map(de::typed::<k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta>);
        let Some(Ok(metadata)) = metadata else {
            return self.required(node, "metadata.name", "name or generateName is required");
        };
        let Some((namespace, name)) = self.declared_once("HorizontalPodAutoscaler", node, &metadata) else { return };
        let spec = node.get("spec");
        let number = |field: &str| {
            let text = spec.and_then(|spec| spec.get(field)).and_then(Node::scalar);
            text.and_then(|text| text.parse::<i32>().ok())
        };
        let reference = spec.and_then(|spec| spec.get("scaleTargetRef"));
        let text =
            |field: &str| reference.and_then(|target| target.get(field)).and_then(Node::scalar).unwrap_or_default();
        let mut metrics = Vec::new();
        metrics.extend(number("targetCPUUtilizationPercentage").and_then(percent).map(MetricTarget::CpuUtilization));
        for metric in spec.and_then(|spec| spec.get("metrics")).map(Node::items).unwrap_or_default() {
            let resource = metric.get("resource");
            let utilization = resource.and_then(|own| own.get("targetAverageUtilization")).and_then(Node::scalar);
            let utilization = utilization.and_then(|text| text.parse().ok()).and_then(percent);
            let called = resource.and_then(|own| own.get("name")).and_then(Node::scalar);
            metrics.push(match (called, utilization) {
                (Some("cpu"), Some(share)) => MetricTarget::CpuUtilization(share),
                (Some("memory"), Some(share)) => MetricTarget::MemoryUtilization(share),
                _ => {
                    let why = "only utilization of CPU and memory is read from this version of the API";
                    self.unmodelled.field("HorizontalPodAutoscaler.spec.metrics[]", why, metric.mark);
                    MetricTarget::Missing
                }
            });
        }
        let Some(max) = number("maxReplicas") else { return self.required(node, "spec.maxReplicas", "") };
        let target = (text("kind"), text("name"));
        let bounds = (number("minReplicas"), max);
        self.autoscale((&namespace, &name), (target, bounds), (metrics, (true, growing(), shrinking())), node);
    }

    fn autoscale(
        &mut self,
        (namespace, name): (&str, &str),
        ((kind, target), (min, max)): ((&str, &str), (Option<i32>, i32)),
        (mut metrics, (plain, up, down)): (Vec<MetricTarget>, (bool, ScalingRules, ScalingRules)),
        node: &Node,
    ) {
        let min = min.unwrap_or(1);
        if min < 1 {
            let why = "must be greater than or equal to 1";
            return self.invalid(node, "spec.minReplicas", &min.to_string(), why);
        }
        if max < 1 {
            return self.invalid(node, "spec.maxReplicas", &max.to_string(), "must be greater than 0");
        }
        if max < min {
            let why = "must be greater than or equal to `minReplicas`";
            return self.invalid(node, "spec.maxReplicas", &max.to_string(), why);
        }
        let most = max.unsigned_abs();
        if !self.bounded(most, place(node, &["spec", "maxReplicas"])) {
            return;
        }
        if target.is_empty() {
            return self.required(node, "spec.scaleTargetRef.name", "");
        }
        if metrics.is_empty() {
            // Source: kubernetes/kubernetes:pkg/apis/autoscaling/types.go, `DefaultCPUUtilization`.
            metrics.push(MetricTarget::CpuUtilization(80));
        }
        let found = self.scaled((namespace, kind, target));
        if found.is_none() {
            let mark = place(node, &["spec", "scaleTargetRef"]);
            let plural = format!("{}s", kind.to_lowercase());
            self.problems
                .warn(
                    "W0616",
                    mark,
                    format!("the autoscaler `{name}` has nothing to scale: {plural} \"{target}\" not found"),
                )
                .help("it reports FailedGetScale, as it does in a real cluster");
        }
        let names = &mut self.catalog.names;
        let spec = AutoscalerSpec {
            name: names.intern(name),
            namespace: names.intern(namespace),
            target: found,
            target_name: names.intern(target),
            min: min.unsigned_abs(),
            max: most,
            metrics,
            plain,
            up,
            down,
        };
        self.catalog.autoscalers.push(spec);
    }

    /// The workload that an autoscaler names.
    fn scaled(&self, (namespace, kind, name): (&str, &str, &str)) -> Option<WorkloadId> {
        let kind = match kind {
            "Deployment" => WorkloadKind::Deployment,
            "ReplicaSet" | "ReplicationController" => WorkloadKind::ReplicaSet,
            "StatefulSet" => WorkloadKind::StatefulSet,
            _ => return None,
        };
        let is = |row: &shakedown_engine::model::WorkloadSpec| {
            let text = |symbol| self.catalog.text(symbol);
            row.kind == kind && text(row.name) == name && text(row.namespace) == namespace
        };
        self.catalog.workloads.iter().find(|(_, row)| is(row)).map(|(id, _)| id)
    }

    fn metric(&mut self, from: &hpa::MetricSpec, (index, node): (usize, &Node)) -> Option<MetricTarget> {
        let path = format!("spec.metrics[{index}]");
        let known = ["ContainerResource", "External", "Object", "Pods", "Resource"];
        let kind = self.word(node, &format!("{path}.type"), &from.type_, &known)?;
        let resource = match kind {
            "Resource" => from.resource.as_ref().map(|own| (&own.name, &own.target)),
            "ContainerResource" => from.container_resource.as_ref().map(|own| (&own.name, &own.target)),
            _ => None,
        };
        if let Some((name, target)) = resource {
            return self.resource_metric(name, target, At { node, prefix: "" }, &path);
        }
        let served = match kind {
            "Pods" => from.pods.as_ref().map(|own| (&own.metric.name, &own.target)),
            "External" => from.external.as_ref().map(|own| (&own.metric.name, &own.target)),
            "Object" => from.object.as_ref().map(|own| (&own.metric.name, &own.target)),
            _ => None,
        };
        let Some((name, target)) = served else {
            let field = format!("{}{}", kind[..1].to_lowercase(), &kind[1..]);
            self.required(node, &format!("{path}.{field}"), "must populate information for the given metric source");
            return None;
        };
        let average = target.average_value.as_ref().and_then(|value| parse_quantity(&value.0, Scale::Milli));
        match average.filter(|&value| value > 0 && REQUESTS.contains(&name.as_str())) {
            Some(value) => Some(MetricTarget::RequestsPerPod(value)),
            None => {
                let why = "nobody serves this metric here, so the autoscaler misses it; `http_requests_per_second` with \
                           an `averageValue` is served";
                let mark = place(node, &["spec", "metrics", &index.to_string()]);
                self.unmodelled.field(&format!("HorizontalPodAutoscaler.spec.metrics[{name}]"), why, mark);
                Some(MetricTarget::Missing)
            }
        }
    }

    fn resource_metric(
        &mut self,
        name: &str,
        target: &hpa::MetricTarget,
        at: At<'_>,
        path: &str,
    ) -> Option<MetricTarget> {
        let memory = match name {
            "cpu" => false,
            "memory" => true,
            other => {
                let why = format!("`{other}` is measured nowhere, so the autoscaler misses it");
                self.unmodelled.field("HorizontalPodAutoscaler.spec.metrics[].resource.name", &why, at.node.mark);
                return Some(MetricTarget::Missing);
            }
        };
        if let Some(share) = target.average_utilization {
            let Some(share) = percent(share) else {
                let path = format!("{path}.resource.target.averageUtilization");
                self.invalid(at, &path, &share.to_string(), "must be greater than 0");
                return None;
            };
            let of = if memory { MetricTarget::MemoryUtilization } else { MetricTarget::CpuUtilization };
            return Some(of(share));
        }
        let scale = if memory { Scale::Unit } else { Scale::Milli };
        let average = target.average_value.as_ref().and_then(|value| parse_quantity(&value.0, scale));
        let Some(average) = average.filter(|&value| value > 0) else {
            let why = "must set either a target raw value or a target utilization";
            self.required(at, &format!("{path}.resource.target.averageUtilization"), why);
            return None;
        };
        Some(if memory { MetricTarget::MemoryAverage(average) } else { MetricTarget::CpuAverage(average) })
    }

    fn rules(
        &mut self,
        from: Option<&hpa::HPAScalingRules>,
        (field, default): (&str, ScalingRules),
        node: &Node,
    ) -> Option<ScalingRules> {
        let Some(from) = from else { return Some(default) };
        let path = format!("spec.behavior.{field}");
        let select = from.select_policy.as_deref().unwrap_or("Max");
        let select = self.word(node, &format!("{path}.selectPolicy"), select, &["Disabled", "Max", "Min"])?;
        let window = match from.stabilization_window_seconds {
            Some(n) if n > 3600 => {
                let why = "must be less than or equal to 3600";
                self.invalid(node, &format!("{path}.stabilizationWindowSeconds"), &n.to_string(), why);
                return None;
            }
            Some(n) => self.seconds(node, &format!("{path}.stabilizationWindowSeconds"), n)?,
            None => default.window,
        };
        let mut policies = Vec::new();
        for (index, policy) in from.policies.iter().flatten().enumerate() {
            let path = format!("{path}.policies[{index}]");
            let kind = self.word(node, &format!("{path}.type"), &policy.type_, &["Percent", "Pods"])?;
            for (name, value) in [("value", policy.value), ("periodSeconds", policy.period_seconds)] {
                if value <= 0 {
                    self.invalid(node, &format!("{path}.{name}"), &value.to_string(), "must be greater than zero");
                    return None;
                }
            }
            if policy.period_seconds > 1800 {
                let why = "must be less than or equal to 1800";
                self.invalid(node, &format!("{path}.periodSeconds"), &policy.period_seconds.to_string(), why);
                return None;
            }
            let value = policy.value.unsigned_abs();
            let amount = if kind == "Pods" { Amount::Count(value) } else { Amount::Percent(value) };
            let period = Span::from_secs(u64::from(policy.period_seconds.unsigned_abs()));
            policies.push(ScalingPolicy { amount, period });
        }
        if from.policies.is_none() {
            policies = default.policies;
        } else if policies.is_empty() {
            self.required(node, &format!("{path}.policies"), "must specify at least one Policy");
            return None;
        }
        if select == "Disabled" {
            policies.clear();
        }
        let tolerance = from.tolerance.as_ref().map(|value| parse_quantity(&value.0, Scale::Milli));
        let tolerance = tolerance.flatten().and_then(|milli| u32::try_from(milli).ok());
        Some(ScalingRules { window, tolerance, policies, largest: select != "Min" })
    }
}

fn percent(value: i32) -> Option<u32> {
    u32::try_from(value).ok().filter(|&value| value > 0)
}

/// At most 4 pods or a doubling in 15 s, whichever is more, at once.
fn growing() -> ScalingRules {
    let period = Span::from_secs(15);
    let policy = |amount| ScalingPolicy { amount, period };
    ScalingRules {
        window: Span::ZERO,
        tolerance: None,
        policies: vec![policy(Amount::Count(4)), policy(Amount::Percent(100))],
        largest: true,
    }
}

/// All the way down, once nothing more was needed for as long as the cluster is set to: the API leaves the window open, and
/// the controller fills in `--horizontal-pod-autoscaler-downscale-stabilization`, 5 minutes. Source:
/// kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go, `maybeInitScaleDownStabilizationWindow`.
fn shrinking() -> ScalingRules {
    ScalingRules {
        window: Span::MAX,
        tolerance: None,
        policies: vec![ScalingPolicy { amount: Amount::Percent(100), period: Span::from_secs(15) }],
        largest: true,
    }
}
