//! Recorded timelines, read from both formats that exist.
//!
//! The first set has one watch with states of pods (`timeline`), the second one kinds of events (`events`). Both become
//! [`Event`]s; what neither the store nor a pod did (log lines, conditions) is left out. Start at [`Recording::read`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::timeline::event::{Class, Event};

/// Something that people did, as the recording says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Seconds since the trigger.
    pub at: f64,
    /// In words.
    pub what: String,
    /// All that the recording says of it.
    pub fields: Value,
}

/// A recorded timeline.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its name, such as `01_stuck_rollout_undo`.
    pub name: String,
    /// How it was set up.
    pub settings: Value,
    /// Pods at the trigger.
    pub initial: Vec<Value>,
    /// What was counted afterwards; only the speed of the machine is taken from it.
    pub summary: Value,
    /// What people did.
    pub actions: Vec<Action>,
    /// What happened, in the order of the store.
    pub events: Vec<Event>,
    /// Seconds on the recording's own clock at which its first action happened.
    pub origin: f64,
    /// When the last thing was recorded.
    pub ends: f64,
    /// Objects whose status was watched: name by kind, such as `deployment`.
    pub watched: BTreeMap<String, BTreeSet<String>>,
}

/// How many pods of which revision have come how far.
pub type Census = BTreeMap<(String, String), u32>;

/// Longest recording: as long as a scenario.
const MAX_SECONDS: f64 = 31.0 * 86_400.0;
/// Most replicas of a workload, as in scenarios.
const MAX_REPLICAS: f64 = 300_000.0;

/// Kinds of pod events that are compared.
const POD_KINDS: &[&str] = &[
    "created",
    "bound",
    "running",
    "ready",
    "notready",
    "deleting",
    "gone",
    "succeeded",
    "failed",
    "nominated",
    "disruption-target",
];

/// Kinds of events that tell the status of an object, and so that there is one.
const WATCHED: &[&str] = &["deployment", "replicaset", "statefulset", "daemonset", "job", "pdb"];

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// When the text is not JSON, or has neither `events` nor `timeline`.
    pub fn read(name: &str, text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let list = |key: &str| value.get(key).and_then(Value::as_array);
        let settings = value.get("settings").cloned().unwrap_or(Value::Null);
        let mut recording = Self {
            name: name.to_owned(),
            settings,
            initial: list("initial").cloned().unwrap_or_default(),
            summary: value.get("summary").cloned().unwrap_or(Value::Null),
            actions: Vec::new(),
            events: Vec::new(),
            origin: 0.0,
            ends: 0.0,
            watched: BTreeMap::new(),
        };
        match (list("events"), list("timeline")) {
            (Some(events), _) => {
                recording.watch(events);
                events.iter().for_each(|event| recording.second_format(event));
                recording.drop_echoes();
            }
            (None, Some(events)) => recording.first_format(events),
            (None, None) => return Err("it has neither `events` nor `timeline`: it is no recorded timeline".to_owned()),
        }
        let all = list("events").or_else(|| list("timeline")).into_iter().flatten();
        recording.ends = all.map(at).fold(0.0, f64::max) - recording.origin;
        if recording.actions.is_empty() {
            return Err("it records no action: nothing can be replayed".to_owned());
        }
        let times = recording.actions.iter().map(|action| action.at).chain(recording.events.iter().map(|e| e.at));
        if let Some(far) = times.chain([recording.ends]).find(|at| at.abs() > MAX_SECONDS) {
            return Err(format!("it has an event at {far} s: write at most {MAX_SECONDS} s"));
        }
        recording.check_sizes()?;
        Ok(recording)
    }

    /// Sizes that are no numbers, or larger than any cluster here.
    fn check_sizes(&self) -> Result<(), String> {
        let settings = self.settings.as_object();
        for (key, most) in [("nodes", 100_000.0), ("replicas", MAX_REPLICAS), ("replicas_from", MAX_REPLICAS)] {
            let Some(value) = settings.and_then(|settings| settings.get(key)) else { continue };
            // The recordings of the queue describe their nodes in words.
            let words = key == "nodes" && value.as_str().is_some_and(|text| text.contains(' '));
            let good = value.as_f64().is_some_and(|n| (0.0..=most).contains(&n) && n.fract() == 0.0);
            if !words && !good {
                return Err(format!("`settings.{key}` is `{value}`: write a whole number up to {most}"));
            }
        }
        Ok(())
    }

    /// A number of the settings.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.settings.get(key).and_then(Value::as_f64)
    }

    /// A text of the settings.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key).and_then(Value::as_str)
    }

    /// Pods on each node at a moment: how many of which revision have come how far.
    pub fn places_at(&self, moment: f64) -> BTreeMap<String, Census> {
        let text = |pod: &Value, key: &str| pod.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let mut pods: BTreeMap<String, (Option<String>, String, &str)> = BTreeMap::new();
        let stateful = self.watched.contains_key("statefulset");
        for pod in &self.initial {
            let stage = if pod.get("ready").and_then(Value::as_bool) == Some(true) { "ready" } else { "running" };
            let name = text(pod, "name");
            let identity = if stateful { name.clone() } else { text(pod, "rev") };
            pods.insert(name, (Some(text(pod, "node")), identity, stage));
        }
        for event in self.events.iter().filter(|event| event.at < moment) {
            let stage = match event.class.kind.as_str() {
                "gone" => {
                    pods.remove(&event.object);
                    continue;
                }
                "created" | "bound" => "bound",
                "running" | "notready" => "running",
                "ready" => "ready",
                "deleting" => "deleting",
                _ => continue,
            };
            let identity = if stateful { &event.object } else { &event.class.revision };
            let pod = pods.entry(event.object.clone()).or_insert_with(|| (None, identity.clone(), stage));
            pod.0 = event.node.clone().or_else(|| pod.0.take());
            // A pod that is going does not come back.
            if pod.2 != "deleting" {
                pod.2 = stage;
            }
        }
        let mut places: BTreeMap<String, Census> = BTreeMap::new();
        for (node, revision, stage) in pods.into_values() {
            if let Some(node) = node {
                *places.entry(node).or_default().entry((revision, stage.to_owned())).or_default() += 1;
            }
        }
        places
    }

    fn action(&mut self, event: &Value) {
        let what = text(event, "what").to_owned();
        self.actions.push(Action { at: at(event), what, fields: event.clone() });
    }

    fn watch(&mut self, events: &[Value]) {
        for event in events.iter().filter(|event| WATCHED.contains(&text(event, "kind"))) {
            let names = self.watched.entry(text(event, "kind").to_owned()).or_default();
            names.insert(text(event, "object").to_owned());
        }
    }

    fn second_format(&mut self, event: &Value) {
        let kind = text(event, "kind");
        let plain = |kind: String| Class { kind, revision: String::new(), owner: String::new() };
        let class = match kind {
            "action" => return self.action(event),
            "node" => plain(format!("node {}", text(event, "ready"))),
            "endpoint" => plain(endpoint(event)),
            "eviction" => plain(format!("eviction {}", event.get("code").and_then(Value::as_u64).unwrap_or(0))),
            "sched-attempt" => Class { owner: text(event, "object").to_owned(), ..plain("attempt".to_owned()) },
            kind if POD_KINDS.contains(&kind) => self.class_of_pod(event),
            _ => return,
        };
        let node = event.get("node").and_then(Value::as_str).map(ToOwned::to_owned);
        self.push(Event { at: at(event), class, object: text(event, "object").to_owned(), node });
    }

    /// Pods whose names mean something are known by them: those without an owner, those of a StatefulSet, and those of an
    /// indexed job but for the random end.
    fn class_of_pod(&self, event: &Value) -> Class {
        let (kind, object, owner) = (text(event, "kind").to_owned(), text(event, "object"), text(event, "owner"));
        let revision = if owner.is_empty() { "" } else { text(event, "rev") };
        let stateful = self.watched.get("statefulset").is_some_and(|sets| sets.contains(owner));
        let owner = match object.rsplit_once('-') {
            _ if owner.is_empty() || stateful => object,
            Some((indexed, _)) if self.indexed() => indexed,
            _ => owner.strip_suffix(text(event, "hash")).and_then(|name| name.strip_suffix('-')).unwrap_or(owner),
        };
        Class { kind, revision: revision.to_owned(), owner: owner.to_owned() }
    }

    /// Whether its job gives each pod an index.
    pub fn indexed(&self) -> bool {
        self.settings.pointer("/spec/completionMode").and_then(Value::as_str) == Some("Indexed")
    }

    /// Pods that were bound before the recording began are told as bound again when their deletion changes them.
    fn drop_echoes(&mut self) {
        let unbound = |pod: &&Value| pod.get("node").and_then(Value::as_str).unwrap_or("").is_empty();
        let initial = self.initial.iter().filter(unbound).map(|pod| text(pod, "name"));
        let created = self.events.iter().filter(|e| e.class.kind == "created").map(|e| e.object.as_str());
        let new: BTreeSet<String> = initial.chain(created).map(ToOwned::to_owned).collect();
        self.events.retain(|event| event.class.kind != "bound" || new.contains(&event.object));
    }

    /// A node's event counts when its readiness changed; one for each change of a taint is not.
    fn push(&mut self, event: Event) {
        // That it is not ready is what the kubelet of a new node says itself.
        if event.class.kind == "node False" {
            return;
        }
        if event.class.kind.starts_with("node ") {
            let last = self.events.iter().rev().find(|e| e.class.kind.starts_with("node ") && e.object == event.object);
            if last.map_or(event.class.kind == "node True", |last| last.class.kind == event.class.kind) {
                return;
            }
        }
        self.events.push(event);
    }

    /// States of pods become events when they change.
    fn first_format(&mut self, events: &[Value]) {
        let start = events.iter().find(|event| text(event, "kind") == "action").map_or(0.0, at);
        self.origin = start;
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        let mut images: Vec<(String, String)> = Vec::new();
        for event in events {
            let at = at(event) - start;
            match text(event, "kind") {
                "action" => {
                    let what = text(event, "what").to_owned();
                    self.actions.push(Action { at, what, fields: event.clone() });
                }
                "node" => {
                    let class = Class {
                        kind: format!("node {}", text(event, "ready")),
                        revision: String::new(),
                        owner: String::new(),
                    };
                    self.push(Event { at, class, object: text(event, "name").to_owned(), node: None });
                }
                "pod" => {
                    let (name, state) = (text(event, "name").to_owned(), text(event, "state").to_owned());
                    let kind = match state.as_str() {
                        "pending" => "created",
                        // A pod that is seen for the first time has been there before.
                        "bound-notready" if states.get(&name).is_none_or(|s| s == "ready") => "notready",
                        "bound-notready" => "bound",
                        "ready" => "ready",
                        "terminating" => "deleting",
                        "deleted" => "gone",
                        _ => continue,
                    };
                    if states.insert(name.clone(), state.clone()) == Some(state) {
                        continue;
                    }
                    let owner = text(event, "app").to_owned();
                    let image = (owner.clone(), text(event, "image").to_owned());
                    if !images.contains(&image) {
                        images.push(image.clone());
                    }
                    let of_owner = images.iter().filter(|(o, _)| *o == owner);
                    let nth = of_owner.take_while(|i| **i != image).count() + 1;
                    let class = Class { kind: kind.to_owned(), revision: format!("v{nth}"), owner };
                    let node = event.get("node").and_then(Value::as_str).map(ToOwned::to_owned);
                    self.events.push(Event { at, class, object: name, node });
                }
                _ => {}
            }
        }
    }
}

fn endpoint(event: &Value) -> String {
    let flag = |key: &str| event.get(key).and_then(Value::as_bool) == Some(true);
    match text(event, "change") {
        "removed" => "endpoint removed".to_owned(),
        change => {
            let conditions = [("ready", "ready"), ("serving", "serving"), ("terminating", "terminating")];
            let set: Vec<&str> = conditions.iter().filter(|(key, _)| flag(key)).map(|(_, word)| *word).collect();
            format!("endpoint {change} {}", if set.is_empty() { "not ready".to_owned() } else { set.join("+") })
        }
    }
}

fn at(event: &Value) -> f64 {
    event.get("t").and_then(Value::as_f64).unwrap_or(0.0)
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event.get(key).and_then(Value::as_str).unwrap_or("")
}
