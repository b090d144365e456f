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
    /// What people did.
    pub actions: Vec<Action>,
    /// What happened, in the order of the store.
    pub events: Vec<Event>,
    /// Seconds on the recording's own clock at which its first action happened.
    pub origin: f64,
    /// Objects whose status was watched: name by kind, such as `deployment`.
    pub watched: BTreeMap<String, BTreeSet<String>>,
}

/// How many pods of which revision have come how far.
pub type Census = BTreeMap<(String, String), u32>;

/// Kinds of pod events that are compared.
const POD_KINDS: &[&str] = &[
    "created", "bound", "running", "ready", "notready", "deleting", "gone", "succeeded", "failed", "nominated",
    "disruption-target",
];

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
            actions: Vec::new(),
            events: Vec::new(),
            origin: 0.0,
            watched: BTreeMap::new(),
        };
        match (list("events"), list("timeline")) {
            (Some(events), _) => events.iter().for_each(|event| recording.second_format(event)),
            (None, Some(events)) => recording.first_format(events),
            (None, None) => return Err("it has neither `events` nor `timeline`: it is no recorded timeline".to_owned()),
        }
        if recording.actions.is_empty() {
            return Err("it records no action: nothing can be replayed".to_owned());
        }
        Ok(recording)
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
        for pod in &self.initial {
            let stage = if pod.get("ready").and_then(Value::as_bool) == Some(true) { "ready" } else { "running" };
            pods.insert(text(pod, "name"), (Some(text(pod, "node")), text(pod, "rev"), stage));
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
            let pod = pods.entry(event.object.clone()).or_insert((None, event.class.revision.clone(), stage));
            pod.0 = event.node.clone().or(pod.0.take());
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

    fn second_format(&mut self, event: &Value) {
        let kind = text(event, "kind");
        let (kind, revision) = match kind {
            "action" => return self.action(event),
            "node" => (format!("node {}", text(event, "ready")), ""),
            "endpoint" => (endpoint(event), ""),
            "sched-attempt" => ("attempt".to_owned(), ""),
            "eviction" => (format!("eviction {}", event.get("code").and_then(Value::as_u64).unwrap_or(0)), ""),
            kind if POD_KINDS.contains(&kind) => (kind.to_owned(), text(event, "rev")),
            kind => {
                self.watched.entry(kind.to_owned()).or_default().insert(text(event, "object").to_owned());
                return;
            }
        };
        let owner = if text(event, "owner").is_empty() { String::new() } else { family(text(event, "owner")) };
        let node = event.get("node").and_then(Value::as_str).map(ToOwned::to_owned);
        let class = Class { kind, revision: revision.to_owned(), owner };
        self.push(Event { at: at(event), class, object: text(event, "object").to_owned(), node });
    }

    /// A node's event counts when its readiness changed; one for each change of a taint is not.
    fn push(&mut self, event: Event) {
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
                        "bound-notready" if states.get(&name).is_some_and(|s| s == "ready") => "notready",
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

/// The name of the Deployment, StatefulSet, … that an owner such as `web-7bf5ccb9bc` belongs to.
fn family(owner: &str) -> String {
    match owner.rsplit_once('-') {
        Some((family, hash)) if hash.len() >= 8 && hash.chars().any(|c| c.is_ascii_digit()) => family.to_owned(),
        _ => owner.to_owned(),
    }
}

fn at(event: &Value) -> f64 {
    event.get("t").and_then(Value::as_f64).unwrap_or(0.0)
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event.get(key).and_then(Value::as_str).unwrap_or("")
}
