//! Pod specs into pod templates.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use shakedown_engine::ids::TemplateId;
use shakedown_engine::labels::Labels;
use shakedown_engine::model::{Affinity, HostPort, PodTemplate, Resources, RestartPolicy};
use shakedown_engine::time::Span;

use super::container::Lowered;
use super::{Lowering, affinity, place};
use crate::text::Node;

impl Lowering<'_> {
    /// Lowers a pod's description. `node` is the mapping that has the pod's `metadata` and `spec`.
    pub(super) fn template(
        &mut self,
        namespace: &str,
        labels: BTreeMap<String, String>,
        spec: &PodSpec,
        node: &Node,
    ) -> Option<TemplateId> {
        let at = node.get("spec")?;
        self.ignored_pod_fields(spec, at);
        let (containers, init) = self.containers(spec, at)?;
        let namespace = self.catalog.names.intern(namespace);
        let (requests, score) = self.total(spec, (&containers, &init), at);
        let affinity = match &spec.affinity {
            Some(from) => affinity::affinity(from, namespace, self, node)?,
            None => Affinity::default(),
        };
        let tolerations = spec.tolerations.iter().flatten();
        let tolerations = tolerations.map(|from| affinity::toleration(from, self, node)).collect::<Option<Vec<_>>>()?;
        let spread = spec.topology_spread_constraints.iter().flatten();
        let spread = spread.map(|from| affinity::spread(from, self, node)).collect::<Option<Vec<_>>>()?;
        let host_ports = self.host_ports(spec);
        let priority = self.priority(spec, at);
        let names = &mut self.catalog.names;
        let labels = labels.iter().map(|(k, v)| (names.intern(k), names.intern(v))).collect::<Vec<_>>();
        let selector = spec.node_selector.iter().flatten().map(|(k, v)| (names.intern(k), names.intern(v))).collect();
        let template = PodTemplate {
            namespace,
            labels: Labels::new(labels),
            requests,
            score_cpu: score.cpu,
            score_memory: score.memory,
            containers: containers.into_iter().map(|c| c.container).collect(),
            init: init.into_iter().map(|c| c.container).collect(),
            node_selector: selector,
            affinity,
            tolerations,
            spread,
            host_ports,
            node_name: spec.node_name.as_deref().map(|name| self.catalog.names.intern(name)),
            priority,
            grace: spec.termination_grace_period_seconds.map(|n| Span::from_secs(u64::try_from(n).unwrap_or(0))),
            restart: match spec.restart_policy.as_deref() {
                Some("OnFailure") => RestartPolicy::OnFailure,
                Some("Never") => RestartPolicy::Never,
                _ => RestartPolicy::Always,
            },
        };
        Some(self.catalog.templates.push(template))
    }

    /// Containers side by side, and those before them. Restartable init containers run side by side.
    fn containers(&mut self, spec: &PodSpec, at: &Node) -> Option<(Vec<Lowered>, Vec<Lowered>)> {
        if spec.containers.is_empty() {
            self.problems
                .error("E0505", place(at, &["containers"]), "this pod has no containers")
                .expected("expected at least one container");
            return None;
        }
        let wrong_before = self.problems.errors();
        let (mut side_by_side, mut first) = (Vec::new(), Vec::new());
        for (from, node) in spec.containers.iter().zip(at.get("containers").map(Node::items).unwrap_or_default()) {
            side_by_side.extend(self.container(from, node));
        }
        let init_nodes = at.get("initContainers").map(Node::items).unwrap_or_default();
        for (from, node) in spec.init_containers.iter().flatten().zip(init_nodes) {
            if from.restart_policy.as_deref() == Some("Always") {
                let why = "sidecars run, but start together with the other containers";
                self.unmodelled.field("initContainers.restartPolicy", why, place(node, &["restartPolicy"]));
                side_by_side.extend(self.container(from, node));
            } else {
                first.extend(self.container(from, node));
            }
        }
        (self.problems.errors() == wrong_before).then_some((side_by_side, first))
    }

    /// max(sum of containers, each init container) plus overhead, for placement and for scoring.
    fn total(
        &mut self,
        spec: &PodSpec,
        (containers, init): (&[Lowered], &[Lowered]),
        at: &Node,
    ) -> (Resources, Resources) {
        let (mut requests, mut score) = (Resources::default(), Resources::default());
        for one in containers {
            requests.add(&one.container.requests);
            score.add(&one.score);
        }
        for one in init {
            requests.max(&one.container.requests);
            score.max(&one.score);
        }
        if let Some(overhead) = &spec.overhead {
            let overhead = self.resources(overhead, &|name| place(at, &["overhead", name]));
            requests.add(&overhead);
            score.add(&overhead);
        }
        (requests, score)
    }

    fn host_ports(&mut self, spec: &PodSpec) -> Vec<HostPort> {
        let on_host = spec.host_network == Some(true);
        let mut out = Vec::new();
        for port in spec.containers.iter().flat_map(|container| container.ports.iter().flatten()) {
            // On the host's network each container port is a host port.
            let number = port.host_port.or_else(|| on_host.then_some(port.container_port));
            let Some(number) = number.and_then(|n| u16::try_from(n).ok()).filter(|&n| n > 0) else { continue };
            out.push(HostPort {
                port: number,
                protocol: self.catalog.names.intern(port.protocol.as_deref().unwrap_or("TCP")),
                ip: self.catalog.names.intern(port.host_ip.as_deref().unwrap_or_default()),
            });
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    fn priority(&mut self, spec: &PodSpec, at: &Node) -> i32 {
        if let Some(priority) = spec.priority {
            return priority;
        }
        let Some(class) = spec.priority_class_name.as_deref().filter(|class| !class.is_empty()) else { return 0 };
        if let Some(&value) = self.priorities.get(class) {
            return value;
        }
        let why = format!("the class `{class}` is in no manifest; its pods have priority 0");
        self.unmodelled.field("priorityClassName", &why, place(at, &["priorityClassName"]));
        0
    }

    fn ignored_pod_fields(&mut self, spec: &PodSpec, at: &Node) {
        let volumes = spec.volumes.iter().flatten();
        let claims = volumes.filter(|v| v.persistent_volume_claim.is_some() || v.ephemeral.is_some()).count() > 0;
        let other_scheduler = spec.scheduler_name.as_deref().is_some_and(|name| name != "default-scheduler");
        let ignored = [
            (claims, "volumes", "persistent volumes are not modelled yet: pods move freely between nodes"),
            (other_scheduler, "schedulerName", "all pods are placed by the profile's own scheduler"),
            (spec.scheduling_gates.is_some(), "schedulingGates", "pods are scheduled at once"),
            (spec.readiness_gates.is_some(), "readinessGates", "only probes decide readiness"),
            (spec.resource_claims.is_some(), "resourceClaims", "devices are not modelled"),
            (spec.resources.is_some(), "resources", "requests of containers are used instead of those of the pod"),
            (spec.runtime_class_name.is_some(), "runtimeClassName", "runtime classes are not modelled"),
            (spec.active_deadline_seconds.is_some(), "activeDeadlineSeconds", "pods run without a deadline"),
            (spec.preemption_policy.as_deref() == Some("Never"), "preemptionPolicy", "all pods follow one policy"),
        ];
        for (present, field, why) in ignored {
            if present {
                self.unmodelled.field(field, why, place(at, &[field]));
            }
        }
    }
}
