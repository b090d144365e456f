//! A recorded cluster as the scheduler's tables: objects are lowered by the reader that users' manifests take, too.
//!
//! It replays nothing. Start at [`Cluster::of`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use shakedown_engine::ids::{BudgetId, Id, NodeId, PodId};
use shakedown_engine::labels::Selector;
use shakedown_engine::model::Catalog;
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::scheduler::{NodeState, Request, Scheduler};
use shakedown_engine::time::Time;
use shakedown_scenarios::{Objects, lower_objects};

use super::record::{Object, Problem};

/// The cluster of one problem.
pub(super) struct Cluster {
    pub(super) catalog: Arc<Catalog>,
    pub(super) scheduler: Scheduler,
    nodes: BTreeMap<String, NodeId>,
    pods: BTreeMap<String, Request>,
    names: Vec<String>,
}

impl Cluster {
    /// The cluster before the first pod comes, existing pods in place.
    ///
    /// # Errors
    /// A sentence, when objects are invalid or name things that do not exist.
    pub(super) fn of(problem: &Problem, profile: &Profile) -> Result<Self, String> {
        let mut catalog = Catalog::new();
        let objects = lower(problem, &mut catalog)?;
        let nodes = catalog.nodes.iter().map(|(id, node)| (catalog.text(node.name).to_owned(), id)).collect();
        let mut pods = BTreeMap::new();
        let mut names = Vec::new();
        for &workload in &objects.workloads {
            let spec = &catalog.workloads[workload];
            let pod = PodId::from_index(names.len());
            let name = catalog.text(spec.name).to_owned();
            pods.insert(name.clone(), Request { pod, template: spec.template, workload: Some(workload), only: None });
            names.push(name);
        }
        let catalog = Arc::new(catalog);
        let stream = Streams::new(1).stream(Purpose::Scheduler, 0);
        let mut scheduler = Scheduler::new(Arc::clone(&catalog), profile.placement.clone(), stream);
        for (id, images) in &objects.nodes {
            let node = &catalog.nodes[*id];
            scheduler.set_node(*id, NodeState { taints: node.taints.clone(), unschedulable: node.unschedulable });
            images.iter().for_each(|&image| scheduler.add_image(*id, image));
        }
        let mut cluster = Self { catalog, scheduler, nodes, pods, names };
        for pod in &problem.existing {
            cluster.settle(pod)?;
        }
        Ok(cluster)
    }

    /// Puts an existing pod where it is.
    fn settle(&mut self, pod: &Object) -> Result<(), String> {
        let name = text(pod, &["metadata", "name"]).unwrap_or_default();
        let node = text(pod, &["spec", "nodeName"])
            .ok_or_else(|| format!("the existing pod `{name}` has no `spec.nodeName`"))?;
        let (request, node) = (self.pod(name)?, self.node(node)?);
        if self.scheduler.place_of(request.pod).is_some() {
            return Err(format!("the existing pod `{name}` is there twice"));
        }
        self.scheduler.charge(&request, node);
        self.started(&request, text(pod, &["startTime"]))
    }

    /// A pod began to run, if it is said when.
    pub(super) fn started(&mut self, pod: &Request, at: Option<&str>) -> Result<(), String> {
        if let Some(at) = at {
            let seconds = seconds(at).ok_or_else(|| format!("`{at}` is no time such as `2026-01-31T12:00:00Z`"))?;
            self.scheduler.set_started(pod.pod, Time::from_secs(seconds));
        }
        Ok(())
    }

    /// The budgets that select each pod, by pod.
    pub(super) fn covering(&self) -> Vec<Vec<BudgetId>> {
        let mut covering = vec![Vec::new(); self.names.len()];
        for (id, budget) in self.catalog.budgets.iter() {
            for request in self.pods.values() {
                let pod = &self.catalog.templates[request.template];
                let selects = |selector: &Selector| selector.matches(&pod.labels, &self.catalog.names);
                if pod.namespace == budget.namespace && budget.selector.as_ref().is_some_and(selects) {
                    covering[request.pod.index()].push(id);
                }
            }
        }
        covering
    }

    /// A pod by name.
    pub(super) fn pod(&self, name: &str) -> Result<Request, String> {
        self.pods.get(name).copied().ok_or_else(|| format!("there is no pod `{name}`"))
    }

    /// A node by name.
    pub(super) fn node(&self, name: &str) -> Result<NodeId, String> {
        self.nodes.get(name).copied().ok_or_else(|| format!("there is no node `{name}`"))
    }

    /// The name of a pod.
    pub(super) fn pod_name(&self, pod: PodId) -> &str {
        &self.names[pod.index()]
    }

    /// The name of a node.
    pub(super) fn node_name(&self, node: NodeId) -> String {
        self.catalog.node_name(node).to_owned()
    }
}

/// All objects of a problem, as one list of manifests.
fn lower(problem: &Problem, catalog: &mut Catalog) -> Result<Objects, String> {
    let mut items: Vec<Value> = Vec::new();
    for (name, class) in &problem.priority_classes {
        items.push(json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name },
            "value": class.value, "preemptionPolicy": class.preemption_policy,
        }));
    }
    let parts = [
        (&problem.nodes, "v1", "Node"),
        (&problem.services, "v1", "Service"),
        (&problem.pdbs, "policy/v1", "PodDisruptionBudget"),
        (&problem.existing, "v1", "Pod"),
        (&problem.incoming, "v1", "Pod"),
    ];
    for (objects, version, kind) in parts {
        items.extend(objects.iter().map(|object| manifest(object, version, kind)));
    }
    let list = json!({ "kind": "List", "items": items });
    let text = list.to_string();
    lower_objects("objects", &text, catalog).map_err(|problems| problems.to_string())
}

/// An object with its type, and without what the recording adds to it.
fn manifest(object: &Object, version: &str, kind: &str) -> Value {
    let mut object = object.clone();
    object.remove("startTime");
    object.insert("apiVersion".into(), version.into());
    object.insert("kind".into(), kind.into());
    Value::Object(object)
}

/// A text inside an object.
pub(super) fn text<'a>(object: &'a Object, path: &[&str]) -> Option<&'a str> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(object.get(*first)?, |value, step| value.get(step))?.as_str()
}

/// Seconds since 1970 of a time as the API writes it: `2026-01-31T12:00:00Z`.
fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, by: char| -> Option<[u64; 3]> {
        let parts: Option<Vec<u64>> = text.split(by).map(|part| part.parse().ok()).collect();
        parts?.try_into().ok()
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(date, '-')?, numbers(time, ':')?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years that begin in March, so that the leap day comes last: see Howard Hinnant, "chrono-compatible low-level
    // date algorithms", `days_from_civil`.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    (days.checked_sub(719_468)? * 24 + hour).checked_mul(3600).map(|hours| hours + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2026-01-01T00:13:00Z"), Some(1_767_226_380));
        assert_eq!(seconds("2024-02-29T23:59:59Z"), Some(1_709_251_199));
        for text in ["", "2026-01-01", "2026-13-01T00:00:00Z", "1969-12-31T00:00:00Z", "2026-01-01T00:00:00+01:00"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
