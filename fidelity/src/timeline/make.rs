//! The single objects of a story's cluster.
//!
//! Start at [`Maker`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shakedown_engine::ids::{BudgetId, NodeId, TemplateId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{
    Bytes, Catalog, Container, MilliCpu, NodeSpec, PodTemplate, Probe, ProbeKind, ProbeRole, Resources,
    ServiceSpec, Strategy, TaintEffect, Toleration, WorkloadSpec,
};
use shakedown_engine::time::Span;

use crate::timeline::recording::Recording;
use crate::timeline::story::Part;
use crate::timeline::words::{self, Step};

/// Makes a story's cluster.
pub(super) struct Maker<'a> {
    recording: &'a Recording,
    steps: &'a [(f64, Step)],
    pub(super) catalog: Catalog,
    pub(super) nodes: BTreeMap<String, NodeId>,
    pub(super) parts: BTreeMap<String, Part>,
    pub(super) never_ready: Vec<TemplateId>,
    pub(super) budgets: Vec<BudgetId>,
}

/// What a workload's pods are like.
struct Shape<'a> {
    name: &'a str,
    cpu: i64,
    tolerate: Option<Option<Span>>,
    zone: Option<&'a str>,
    priority: i32,
}

impl<'a> Maker<'a> {
    pub(super) fn new(recording: &'a Recording, steps: &'a [(f64, Step)]) -> Result<Self, String> {
        Ok(Self {
            recording,
            steps,
            catalog: Catalog::new(),
            nodes: BTreeMap::new(),
            parts: BTreeMap::new(),
            never_ready: Vec::new(),
            budgets: Vec::new(),
        })
    }

    /// Nodes: by zones, or as many as the settings say under the names that occur.
    pub(super) fn nodes(&mut self) -> Result<(), String> {
        let settings = &self.recording.settings;
        if let Some(zones) = settings.get("zones").and_then(Value::as_object) {
            for (zone, count) in zones {
                for i in 0..count.as_u64().unwrap_or(0) {
                    self.node(&format!("{}{i:02}", zone.to_lowercase()), zone, true);
                }
            }
            return Ok(());
        }
        let joining: BTreeSet<&str> = self.joining().collect();
        let mut names: BTreeSet<String> = BTreeSet::new();
        let of_events = self.recording.events.iter().filter_map(|event| event.node.clone());
        let of_initial = self.recording.initial.iter().filter_map(|pod| Some(pod.get("node")?.as_str()?.to_owned()));
        names.extend(of_events.chain(of_initial).filter(|name| !name.is_empty()));
        names.retain(|name| !joining.iter().any(|new| name.ends_with(new)));
        let wanted = self.recording.number("nodes").unwrap_or(names.len() as f64) as usize;
        for i in 0.. {
            if names.len() >= wanted {
                break;
            }
            names.insert(format!("other-{i}"));
        }
        names.iter().for_each(|name| self.node(name, "", true));
        let joining: Vec<String> = joining.into_iter().map(ToOwned::to_owned).collect();
        joining.iter().for_each(|name| self.node(name, "", false));
        Ok(())
    }

    fn joining(&self) -> impl Iterator<Item = &'a str> {
        self.steps.iter().filter_map(|(_, step)| match step {
            Step::Join { node, .. } => Some(node.as_str()),
            _ => None,
        })
    }

    fn node(&mut self, name: &str, zone: &str, at_start: bool) {
        let cpu = self.recording.number("cpu_per_node").unwrap_or(16.0) as i64 * 1000;
        let zone_id = self.catalog.zone(zone);
        let symbol = self.catalog.names.intern(name);
        let zone_label = (self.catalog.known.zone, self.catalog.names.intern(zone));
        let known = self.catalog.known;
        let allocatable = Resources::new(MilliCpu(cpu), Bytes(64 << 30));
        let labels = Labels::new([(known.hostname, symbol)].into_iter().chain((!zone.is_empty()).then_some(zone_label)));
        let spec = NodeSpec { labels, at_start, ..NodeSpec::new(symbol, zone_id, allocatable, &known) };
        let id = self.catalog.nodes.push(spec);
        self.nodes.insert(name.to_owned(), id);
    }

    /// How many revisions the recording has.
    fn revisions(&self) -> usize {
        let updates = self.steps.iter().filter_map(|(_, step)| match step {
            Step::Update { revision, .. } => Some(*revision),
            _ => None,
        });
        updates.max().unwrap_or(1)
    }

    /// All workloads.
    pub(super) fn workloads(&mut self) -> Result<(), String> {
        let recording = self.recording;
        if recording.settings.get("zones").is_some() {
            return self.declared_in_words();
        }
        let name = recording.watched.get("deployment").and_then(|names| names.first().cloned());
        match name {
            Some(name) if recording.settings.get("deployments").is_none() => self.deployment(&name),
            _ => Err("its workloads are not known here".to_owned()),
        }
    }

    /// The first set of recordings says its deployments in the text of an action.
    fn declared_in_words(&mut self) -> Result<(), String> {
        let what = self.recording.actions.iter().find(|action| action.what.starts_with("create deployment"));
        match what {
            Some(action) if action.what.starts_with("create deployments ") => {
                let list = action.what.trim_start_matches("create deployments ");
                for item in list.split("), ") {
                    let Some((name, how)) = item.split_once(" (") else { continue };
                    let replicas = words::number_after(how, "").unwrap_or(1);
                    let zone = name.rsplit('-').next().unwrap_or("A");
                    let seconds = words::number_after(how, "tolerationSeconds")
                        .or_else(|| name.strip_prefix('d').and_then(|rest| words::number_after(rest, "")));
                    let tolerate = seconds.map(|s| Some(Span::from_secs(u64::from(s))));
                    let name = name.to_lowercase();
                    let shape = Shape { name: &name, cpu: 100, tolerate, zone: Some(zone), priority: 0 };
                    self.workload(&shape, replicas, |spec| spec.at_start = false);
                }
                Ok(())
            }
            other => {
                let replicas = other.and_then(|action| words::number_after(&action.what, "replicas="));
                let from = self.recording.actions.iter().find_map(|action| words::number_after(&action.what, "roll "));
                let shape = Shape { name: "roll", cpu: 100, tolerate: None, zone: Some("A"), priority: 0 };
                let created = other.is_some();
                self.workload(&shape, replicas.or(from).unwrap_or(10), |spec| spec.at_start = !created);
                Ok(())
            }
        }
    }

    fn deployment(&mut self, name: &str) -> Result<(), String> {
        let recording = self.recording;
        let replicas = recording.number("replicas_from").or_else(|| recording.number("replicas")).unwrap_or(1.0) as u32;
        let tolerate = recording.number("tolerationSeconds").map(|s| Some(Span::from_secs(s as u64)));
        let shape = Shape { name, cpu: 100, tolerate, zone: None, priority: 0 };
        let settings = &recording.settings;
        let recreate = recording.text("strategy") == Some("Recreate");
        let bounds = settings.get("maxSurge").and_then(words::amount).zip(settings.get("maxUnavailable").and_then(words::amount));
        let deadline = recording.number("progressDeadlineSeconds").map(|s| Span::from_secs(s as u64));
        self.workload(&shape, replicas, |spec| {
            spec.strategy = match bounds {
                _ if recreate => Strategy::Recreate,
                Some((max_surge, max_unavailable)) => Strategy::RollingUpdate { max_surge, max_unavailable },
                None => Strategy::Default,
            };
            spec.progress_deadline = deadline;
        });
        Ok(())
    }

    fn workload(&mut self, shape: &Shape<'_>, replicas: u32, change: impl FnOnce(&mut WorkloadSpec)) {
        let revisions = self.revisions();
        let templates: Vec<TemplateId> = (0..revisions).map(|n| self.template(shape, n)).collect();
        let names = &mut self.catalog.names;
        let selector = Selector::equals([(names.intern("app"), names.intern(shape.name))]);
        let (name, namespace) = (names.intern(shape.name), names.intern("default"));
        self.catalog.services.push(ServiceSpec::new(name, namespace, selector.clone()));
        let mut spec =
            WorkloadSpec { replicas, ..WorkloadSpec::deployment(name, namespace, templates[0], selector) };
        change(&mut spec);
        let workload = self.catalog.workloads.push(spec);
        self.parts.insert(shape.name.to_owned(), Part { workload, templates, twins: Vec::new() });
    }

    fn template(&mut self, shape: &Shape<'_>, nth: usize) -> TemplateId {
        let image = self.catalog.image(&format!("img:{}", nth + 1), Bytes(0));
        let known = self.catalog.known;
        let names = &mut self.catalog.names;
        let label = (names.intern("app"), names.intern(shape.name));
        let readiness = Probe {
            role: ProbeRole::Readiness,
            kind: ProbeKind::Http,
            initial_delay: Span::ZERO,
            period: Span::from_secs(1),
            timeout: Span::from_secs(1),
            success_threshold: 1,
            failure_threshold: 1,
        };
        let requests = Resources::new(MilliCpu(shape.cpu), Bytes(64 << 20));
        let container =
            Container { probes: vec![readiness], ..Container::new(names.intern("main"), image, requests) };
        let tolerate = |key| Toleration { key: Some(key), value: None, effect: Some(TaintEffect::NoExecute), seconds: shape.tolerate.flatten() };
        let tolerations = match shape.tolerate {
            Some(_) => vec![tolerate(known.not_ready), tolerate(known.unreachable)],
            None => Vec::new(),
        };
        let node_selector = shape.zone.map(|zone| (known.zone, names.intern(zone))).into_iter().collect();
        let namespace = names.intern("default");
        let template = PodTemplate {
            tolerations,
            node_selector,
            priority: shape.priority,
            ..PodTemplate::new(namespace, Labels::new([label]), vec![container])
        };
        let id = self.catalog.templates.push(template);
        let words = self.recording.text("kubelet").unwrap_or("");
        if words.contains(&format!("v{} pods Running but never Ready", nth + 1)) {
            self.never_ready.push(id);
        }
        id
    }
}
