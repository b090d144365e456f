//! Pod specs into pod templates.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;
use shakedown_engine::ids::TemplateId;
use shakedown_engine::labels::Labels;
use shakedown_engine::model::{Affinity, HostPort, PodTemplate, Resources, RestartPolicy};
use shakedown_engine::time::Span;

use super::container::Lowered;
use super::{Lowering, affinity, place};
use crate::text::{NAME, Node, is_name, suggestion};

/// Containers of a pod that the engine can number.
const MAX_CONTAINERS: usize = 255;

/// Containers of a pod, and what those before the others need at most at one time.
struct Parts {
    containers: Vec<Lowered>,
    init: Vec<Lowered>,
    peak: Needs,
}

/// Requests, for placement and as scoring sees them.
#[derive(Clone, Default)]
struct Needs {
    requests: Resources,
    score: Resources,
}

impl Needs {
    fn add(&mut self, one: &Lowered) {
        self.requests.add(&one.container.requests);
        self.score.add(&one.score);
    }
}

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
        self.pod_values(spec, at)?;
        let Parts { containers, init, peak } = self.containers(spec, at)?;
        let namespace = self.catalog.names.intern(namespace);
        let (requests, score) = self.total(spec, (&containers, peak), at);
        let affinity = match &spec.affinity {
            Some(from) => affinity::affinity(from, namespace, self, node)?,
            None => Affinity::default(),
        };
        let tolerations = spec.tolerations.iter().flatten();
        let tolerations = tolerations.map(|from| affinity::toleration(from, self, node)).collect::<Option<Vec<_>>>()?;
        let spread = spec.topology_spread_constraints.iter().flatten();
        let spread = spread.map(|from| affinity::spread(from, self, node)).collect::<Option<Vec<_>>>()?;
        let host_ports = self.host_ports(spec, at)?;
        let priority = self.priority(spec, at);
        let names = &mut self.catalog.names;
        let labels = labels.iter().map(|(k, v)| (names.intern(k), names.intern(v))).collect::<Vec<_>>();
        let selector = spec.node_selector.iter().flatten().map(|(k, v)| (names.intern(k), names.intern(v))).collect();
        let containers = containers.into_iter().map(|c| c.container).collect();
        let template = PodTemplate {
            requests,
            score_cpu: score.cpu,
            score_memory: score.memory,
            init: init.into_iter().map(|c| c.container).collect(),
            node_selector: selector,
            affinity,
            tolerations,
            spread,
            host_ports,
            node_name: spec
                .node_name
                .as_deref()
                .filter(|name| !name.is_empty())
                .map(|name| self.catalog.names.intern(name)),
            priority,
            // Negative ones are taken as 1. Source: kubernetes/kubernetes:pkg/registry/core/pod/strategy.go.
            grace: spec.termination_grace_period_seconds.map(|n| Span::from_secs(u64::try_from(n).unwrap_or(1))),
            restart: match spec.restart_policy.as_deref() {
                Some("OnFailure") => RestartPolicy::OnFailure,
                Some("Never") => RestartPolicy::Never,
                _ => RestartPolicy::Always,
            },
            ..PodTemplate::new(namespace, Labels::new(labels), containers)
        };
        Some(self.catalog.templates.push(template))
    }

    /// Containers side by side, and those before them. Restartable init containers run side by side.
    fn containers(&mut self, spec: &PodSpec, at: &Node) -> Option<Parts> {
        if spec.containers.is_empty() {
            self.problems
                .error("E0505", place(at, &["containers"]), "this pod has no containers")
                .expected("expected at least one container");
            return None;
        }
        let wrong_before = self.problems.errors();
        self.distinct(spec, at);
        let (mut side_by_side, mut first) = (Vec::new(), Vec::new());
        let (mut sidecars, mut peak) = (Needs::default(), Needs::default());
        for (from, node) in spec.containers.iter().zip(at.get("containers").map(Node::items).unwrap_or_default()) {
            side_by_side.extend(self.container(from, node));
        }
        let init_nodes = at.get("initContainers").map(Node::items).unwrap_or_default();
        for (from, node) in spec.init_containers.iter().flatten().zip(init_nodes) {
            if from.restart_policy.as_deref() == Some("Always") {
                let why = "sidecars run, but start together with the other containers";
                self.unmodelled.field("initContainers.restartPolicy", why, place(node, &["restartPolicy"]));
                let Some(sidecar) = self.container(from, node) else { continue };
                sidecars.add(&sidecar);
                side_by_side.push(sidecar);
            } else {
                let Some(init) = self.container(from, node) else { continue };
                // Sidecars that were started before it run beside it.
                let mut together = sidecars.clone();
                together.add(&init);
                peak.requests.max(&together.requests);
                peak.score.max(&together.score);
                first.push(init);
            }
        }
        (self.problems.errors() == wrong_before).then_some(Parts { containers: side_by_side, init: first, peak })
    }

    /// Containers have names of their own, and not more than the engine can number.
    fn distinct(&mut self, spec: &PodSpec, at: &Node) {
        let init = spec.init_containers.iter().flatten();
        let names = spec.containers.iter().chain(init).map(|container| container.name.as_str());
        let mut seen = BTreeSet::new();
        for name in names.clone() {
            let (message, expected) = match seen.insert(name) {
                true if is_name(name) => continue,
                true => (format!("`{name}` cannot be the name of a container"), NAME),
                false => {
                    (format!("two containers are called `{name}`"), "expected a name of its own for each container")
                }
            };
            self.problems.error("E0505", place(at, &["containers"]), message).expected(expected);
        }
        let count = names.count();
        if count > MAX_CONTAINERS {
            self.problems
                .error("E0505", place(at, &["containers"]), format!("a pod of {count} containers is not possible"))
                .expected(format!("expected at most {MAX_CONTAINERS} containers, init containers included"));
        }
    }

    /// max(sum of containers, peak of the init phase) plus overhead, for placement and for scoring.
    /// Source: kubernetes/kubernetes:staging/src/k8s.io/component-helpers/resource/helpers.go, `PodRequests`.
    fn total(&mut self, spec: &PodSpec, (containers, peak): (&[Lowered], Needs), at: &Node) -> (Resources, Resources) {
        let mut needs = Needs::default();
        containers.iter().for_each(|one| needs.add(one));
        let Needs { mut requests, mut score } = needs;
        requests.max(&peak.requests);
        score.max(&peak.score);
        if let Some(overhead) = &spec.overhead {
            let overhead = self.resources(overhead, &|name| place(at, &["overhead", name]));
            requests.add(&overhead);
            score.add(&overhead);
        }
        (requests, score)
    }

    fn host_ports(&mut self, spec: &PodSpec, at: &Node) -> Option<Vec<HostPort>> {
        let on_host = spec.host_network == Some(true);
        let mut out = Vec::new();
        // Sidecars hold their ports as long as the pod lives, other init containers do not.
        let sidecars = spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
        for port in spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten()) {
            // On the host's network each container port is a host port.
            let number = port.host_port.or_else(|| on_host.then_some(port.container_port));
            let Some(number) = number.filter(|&n| n != 0) else { continue };
            let Ok(number) = u16::try_from(number) else {
                self.problems
                    .error("E0505", place(at, &["containers"]), format!("`{number}` is not a port"))
                    .expected("expected a number from 1 to 65535");
                return None;
            };
            out.push(HostPort {
                port: number,
                protocol: self.catalog.names.intern(port.protocol.as_deref().unwrap_or("TCP")),
                ip: self.catalog.names.intern(port.host_ip.as_deref().unwrap_or_default()),
            });
        }
        out.sort_unstable();
        out.dedup();
        Some(out)
    }

    fn priority(&mut self, spec: &PodSpec, at: &Node) -> i32 {
        if let Some(priority) = spec.priority {
            return priority;
        }
        let Some(class) = spec.priority_class_name.as_deref().filter(|class| !class.is_empty()) else {
            return self.default_priority;
        };
        if let Some(&value) = self.priorities.get(class) {
            return value;
        }
        let why = format!("the class `{class}` is in no manifest; its pods have priority 0");
        self.unmodelled.field("priorityClassName", &why, place(at, &["priorityClassName"]));
        0
    }

    /// Values that are texts or numbers for the API, but not any text or number.
    fn pod_values(&mut self, spec: &PodSpec, at: &Node) -> Option<()> {
        let policy = spec.restart_policy.as_deref().filter(|word| !word.is_empty());
        if let Some(word) = policy.filter(|word| !["Always", "OnFailure", "Never"].contains(word)) {
            self.problems
                .error("E0505", place(at, &["restartPolicy"]), format!("`{word}` is no restart policy"))
                .expected("expected `Always`, `OnFailure` or `Never`");
            return None;
        }
        let wanted = spec.node_name.as_deref().filter(|name| !name.is_empty());
        let known = || self.catalog.nodes.rows().iter().map(|node| self.catalog.text(node.name));
        // A manifest that is looked at alone has no cluster.
        let Some(name) = wanted.filter(|name| !self.catalog.nodes.is_empty() && known().all(|node| node != *name))
        else {
            return Some(());
        };
        let near = suggestion(name, known()).unwrap_or_default();
        self.problems
            .error("E0301", place(at, &["nodeName"]), format!("there is no node `{name}`"))
            .expected("expected the name of a node of the cluster")
            .help(near);
        None
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
