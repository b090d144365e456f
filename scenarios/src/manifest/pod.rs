//! Pod specs into pod templates.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use shakedown_engine::fact::Refused;
use shakedown_engine::ids::{GroupId, Id, Symbol, TemplateId};
use shakedown_engine::labels::{Labels, Op, Selector};
use shakedown_engine::model::{Affinity, Catalog, HostPort, PodTemplate, Resources, RestartPolicy};
use shakedown_engine::time::Span;

use super::container::Lowered;
use super::invalid::At;
use super::{Lowering, affinity, place};
use crate::text::{NAME, Node, is_name, suggestion};

/// Containers of a pod that the engine can number.
const MAX_CONTAINERS: usize = 255;
/// What deleting a pod costs, by annotation. Source: kubernetes/kubernetes:staging/src/k8s.io/api/core/v1/annotation_key_constants.go.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A pod's description and where it is written.
pub(super) struct Source<'s> {
    /// The mapping that has the pod's `metadata` and `spec`.
    pub(super) at: At<'s>,
    pub(super) namespace: &'s str,
    pub(super) metadata: Option<&'s ObjectMeta>,
    pub(super) spec: PodSpec,
    /// The object that makes such pods, for messages.
    pub(super) owner: &'s str,
}

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
    /// Lowers a pod's description. `hash` is the label by which its controller tells revisions apart.
    pub(super) fn template(&mut self, mut source: Source<'_>, hash: Option<&str>) -> Option<TemplateId> {
        let node = source.at.node;
        let Some(at) = node.get("spec") else {
            self.required(source.at, "spec.containers", "");
            return None;
        };
        self.note_namespace(source.namespace);
        self.pod_values(&source, at)?;
        let preempts = self.admit(&mut source, at)?;
        let refused = self.beyond(&source, at)?;
        let spec = &source.spec;
        let Parts { containers, init, peak } = self.containers(&source, at)?;
        let namespace = self.catalog.names.intern(source.namespace);
        let (requests, score) = self.total(spec, (&containers, peak), at);
        let own = self.labels(&source, hash);
        let affinity = match &spec.affinity {
            Some(from) => affinity::affinity(from, (namespace, &own), self, node)?,
            None => Affinity::default(),
        };
        let tolerations = spec.tolerations.iter().flatten();
        let tolerations = tolerations.map(|from| affinity::toleration(from, self, node)).collect::<Option<Vec<_>>>()?;
        let spread = spec.topology_spread_constraints.iter().flatten();
        let spread = spread.map(|from| affinity::spread(from, &own, self, node)).collect::<Option<Vec<_>>>()?;
        let names = &mut self.catalog.names;
        let priority_class = spec.priority_class_name.as_deref().filter(|class| !class.is_empty());
        let template = PodTemplate {
            requests,
            score_cpu: score.cpu,
            score_memory: score.memory,
            node_selector: pairs(spec.node_selector.as_ref(), names),
            affinity,
            tolerations,
            spread,
            priority: spec.priority.unwrap_or(0),
            priority_class: priority_class.map(|class| names.intern(class)),
            preempts,
            gates: spec.scheduling_gates.iter().flatten().map(|gate| names.intern(&gate.name)).collect(),
            node_name: spec.node_name.as_deref().filter(|name| !name.is_empty()).map(|name| names.intern(name)),
            scheduler: match spec.scheduler_name.as_deref().filter(|name| !name.is_empty()) {
                None | Some("default-scheduler") => self.catalog.known.empty,
                Some(name) => names.intern(name),
            },
            active_deadline: spec.active_deadline_seconds.and_then(|n| u64::try_from(n).ok()).map(Span::from_secs),
            host_network: spec.host_network == Some(true),
            // Negative ones are taken as 1. Source: kubernetes/kubernetes:pkg/registry/core/pod/strategy.go.
            grace: spec.termination_grace_period_seconds.map(|n| Span::from_secs(u64::try_from(n).unwrap_or(1))),
            restart: match spec.restart_policy.as_deref() {
                Some("OnFailure") => RestartPolicy::OnFailure,
                Some("Never") => RestartPolicy::Never,
                _ => RestartPolicy::Always,
            },
            init: init.into_iter().map(|c| c.container).collect(),
            ..PodTemplate::new(namespace, own, containers.into_iter().map(|c| c.container).collect())
        };
        let template = PodTemplate {
            host_ports: self.host_ports(spec, at)?,
            deletion_cost: self.deletion_cost(&source)?,
            group: self.group_of(&source, at),
            refused,
            volumes: self.pod_volumes(&source, at)?,
            ..template
        };
        Some(self.catalog.templates.push(template))
    }

    /// Whether the bounds of the namespace refuse such pods. A pod that is declared itself is refused on the spot, the
    /// pods of a controller each time it tries.
    fn beyond(&mut self, source: &Source<'_>, at: &Node) -> Option<Option<Refused>> {
        let wrong = self.beyond_limits(source.namespace, &source.spec);
        if wrong.is_empty() {
            return Some(None);
        }
        let wrong = if let [only] = wrong.as_slice() { only.clone() } else { format!("[{}]", wrong.join(", ")) };
        let mark = place(at, &["containers"]);
        let message = format!("pods \"{}\" is forbidden: {wrong}", source.owner);
        if source.at.prefix.is_empty() {
            self.problems
                .error("E0505", mark, message)
                .expected("expected what the `LimitRange` of its namespace allows")
                .help("kubectl gets this answer from a real cluster, too");
            return None;
        }
        self.problems.warn("W0617", mark, message).help("the controller tries again and again (FailedCreate)");
        Some(Some(Refused::LimitRange))
    }

    /// A pod's labels, and that of its revision when something asks for it.
    fn labels(&mut self, source: &Source<'_>, hash: Option<&str>) -> Labels {
        let labels = source.metadata.and_then(|metadata| metadata.labels.as_ref());
        let mut own = pairs(labels, &mut self.catalog.names);
        if let Some(hash) = hash.filter(|hash| affinity::asks_for(&source.spec, hash)) {
            let value = revision_hash(self.catalog.templates.next_id());
            own.push((self.catalog.names.intern(hash), self.catalog.names.intern(&value)));
        }
        Labels::new(own)
    }

    fn deletion_cost(&mut self, source: &Source<'_>) -> Option<i32> {
        let annotations = source.metadata.and_then(|metadata| metadata.annotations.as_ref());
        let Some(text) = annotations.and_then(|all| all.get(DELETION_COST)) else { return Some(0) };
        let cost = text.parse::<i32>().ok().filter(|_| !text.starts_with('+'));
        if cost.is_none() {
            let path = format!("metadata.annotations[{DELETION_COST}]");
            self.invalid(source.at, &path, &format!("\"{text}\""), "must be a 32bit integer");
        }
        cost
    }

    fn group_of(&mut self, source: &Source<'_>, at: &Node) -> Option<GroupId> {
        let name = source.spec.scheduling_group.as_ref()?.pod_group_name.clone()?;
        let found = self.context.groups.get(&(source.namespace.to_owned(), name.clone())).copied();
        if found.is_none() {
            let why = format!("the group `{name}` is in no manifest; its pods are placed one by one");
            self.unmodelled.field("schedulingGroup.podGroupName", &why, place(at, &["schedulingGroup"]));
        }
        found
    }

    /// Containers side by side, and those before them. Restartable init containers run side by side.
    fn containers(&mut self, source: &Source<'_>, at: &Node) -> Option<Parts> {
        let spec = &source.spec;
        if spec.containers.is_empty() {
            self.required(source.at, "spec.containers", "");
            return None;
        }
        let wrong_before = self.problems.errors();
        self.distinct(spec, at);
        let (mut side_by_side, mut first) = (Vec::new(), Vec::new());
        let (mut sidecars, mut peak) = (Needs::default(), Needs::default());
        let prefix = |field: &str, index: usize| format!("{}spec.{field}[{index}].", source.at.prefix);
        let nodes = at.get("containers").map(Node::items).unwrap_or_default();
        for (index, (from, node)) in spec.containers.iter().zip(nodes).enumerate() {
            side_by_side.extend(self.container(from, At { node, prefix: &prefix("containers", index) }));
        }
        let init_nodes = at.get("initContainers").map(Node::items).unwrap_or_default();
        for (index, (from, node)) in spec.init_containers.iter().flatten().zip(init_nodes).enumerate() {
            let prefix = prefix("initContainers", index);
            let Some(one) = self.container(from, At { node, prefix: &prefix }) else { continue };
            if one.container.sidecar {
                sidecars.add(&one);
                side_by_side.push(one);
                // Each sidecar starts beside those before it.
                peak.requests.max(&sidecars.requests);
                peak.score.max(&sidecars.score);
            } else {
                // Sidecars that were started before it run beside it.
                let mut together = sidecars.clone();
                together.add(&one);
                peak.requests.max(&together.requests);
                peak.score.max(&together.score);
                first.push(one);
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

    /// max(sum of containers, peak of the init phase), or what the pod asks for as a whole, plus overhead: for placement
    /// and for scoring.
    /// Source: kubernetes/kubernetes:staging/src/k8s.io/component-helpers/resource/helpers.go, `PodRequests`.
    fn total(&mut self, spec: &PodSpec, (containers, peak): (&[Lowered], Needs), at: &Node) -> (Resources, Resources) {
        let mut needs = Needs::default();
        containers.iter().for_each(|one| needs.add(one));
        let Needs { mut requests, mut score } = needs;
        requests.max(&peak.requests);
        score.max(&peak.score);
        let whole = spec.resources.clone().unwrap_or_default();
        let mut asked = whole.limits.unwrap_or_default();
        asked.extend(whole.requests.unwrap_or_default());
        let pod = self.resources(&asked, &|name| place(at, &["resources", "requests", name]));
        // Only these may be asked for by the pod as a whole.
        if asked.contains_key("cpu") {
            (requests.cpu, score.cpu) = (pod.cpu, pod.cpu);
        }
        if asked.contains_key("memory") {
            (requests.memory, score.memory) = (pod.memory, pod.memory);
        }
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

    /// Values that are texts or numbers for the API, but not any text or number.
    fn pod_values(&mut self, source: &Source<'_>, at: &Node) -> Option<()> {
        let spec = &source.spec;
        if let Some(n) = spec.active_deadline_seconds.filter(|&n| n < 1) {
            let why = "must be between 1 and 2147483647, inclusive";
            self.invalid(source.at, "spec.activeDeadlineSeconds", &n.to_string(), why);
            return None;
        }
        let wanted = spec.node_name.as_deref().filter(|name| !name.is_empty());
        if wanted.is_some() && spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
            // Source: kubernetes/kubernetes:pkg/apis/core/validation/validation.go.
            self.forbidden(source.at, "spec.nodeName", "cannot be set until all schedulingGates have been cleared");
            return None;
        }
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
}

fn pairs(
    from: Option<&BTreeMap<String, String>>,
    names: &mut shakedown_engine::labels::Interner,
) -> Vec<(Symbol, Symbol)> {
    from.into_iter().flatten().map(|(key, value)| (names.intern(key), names.intern(value))).collect()
}

/// What a revision's label has as its value.
fn revision_hash(template: TemplateId) -> String {
    format!("{:x}", 0x5_0000 + template.index())
}

/// Gives a template that was copied from another revision the labels of its own one, and its rules with them.
pub(crate) fn restamp(template: &mut PodTemplate, catalog: &mut Catalog) {
    let fresh = revision_hash(catalog.templates.next_id());
    let fresh = catalog.names.intern(&fresh);
    for key in ["pod-template-hash", "controller-revision-hash"] {
        let Some(key) = catalog.names.find(key) else { continue };
        let Some(old) = template.labels.get(key) else { continue };
        template.labels = Labels::new(template.labels.iter().chain([(key, fresh)]));
        let change = |selector: &mut Selector| {
            for requirement in selector.all.iter_mut().filter(|requirement| requirement.key == key) {
                if let Op::In(values) | Op::NotIn(values) = &mut requirement.op {
                    values.iter_mut().filter(|value| **value == old).for_each(|value| *value = fresh);
                }
            }
        };
        template.spread.iter_mut().for_each(|one| change(&mut one.selector));
        let rules = &mut template.affinity;
        rules.pod_required.iter_mut().chain(&mut rules.anti_required).for_each(|term| change(&mut term.selector));
        let preferred = rules.pod_preferred.iter_mut().chain(&mut rules.anti_preferred);
        preferred.for_each(|one| change(&mut one.item.selector));
    }
}
