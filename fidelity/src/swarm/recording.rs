//! A recorded experiment of a real Docker Swarm, as its file has it, and what its observer saw.
//!
//! The observer polled the manager's API and the hosts' cgroups; every time here is a poll's time, in seconds after the
//! fault. Start at [`Recording::read`].

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::swarm::view::{Task, View};

/// One file.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What the file calls itself, such as `a_silent_1`.
    pub name: String,
    /// Settings of the experiment.
    pub settings: Value,
    /// What its author read out of it: the victim, the moment of the restart.
    pub result: Value,
    /// Seconds between two looks of the observer.
    pub poll: f64,
    /// When the recording ends.
    pub ends: f64,
    /// When the fault was lifted.
    pub heal: Option<f64>,
    /// What was seen.
    pub seen: View,
}

#[derive(Deserialize)]
struct File {
    name: String,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    result: Value,
    poll_ms: f64,
    #[serde(default)]
    polls: f64,
    events: Vec<Event>,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Event {
    t: f64,
    kind: String,
    id: Option<String>,
    h: Option<String>,
    state: Option<String>,
    des: Option<String>,
    err: Option<String>,
    status: Option<BTreeMap<String, Status>>,
}

/// State of a node and how reachable it is.
type Status = (Option<String>, Option<String>);

#[derive(Deserialize)]
struct Sample {
    t: f64,
    run_des_run: Option<f64>,
    live: Option<f64>,
    #[serde(default)]
    by: BTreeMap<String, f64>,
}

impl Recording {
    /// Reads one.
    ///
    /// # Errors
    /// When it is not such a recording, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let last = file.events.iter().map(|e| e.t).chain(file.samples.iter().map(|s| s.t)).fold(0.0, f64::max);
        let poll = file.poll_ms / 1e3;
        let at = |kind: &str| file.events.iter().find(|event| event.kind == kind).map(|event| event.t);
        let mut heal = at("HEAL").or_else(|| at("RESTART")).or_else(|| file.result["restart_t"].as_f64());
        let seen = view(&file);
        let kind = file.result["kind"].as_str().unwrap_or_default();
        if let Some((_, held)) = kind.rsplit_once('_').filter(|_| heal.is_none() && kind.starts_with("link_down")) {
            heal = held.trim_end_matches('s').parse().ok();
        }
        if kind == "dockerd_hang" {
            heal = heal.or(Some(30.0));
        }
        // A host that crashed and came back was started, by the other recordings, 3 s before it was Ready.
        if kind == "node_noisy_crash" {
            heal = seen.node((None, &["ready"]), 0.0).map(|ready| ready - 3.05);
        }
        // Where only the time from the restart to Ready is noted, the restart was that much before.
        if let (None, Some(took)) = (heal, file.result["restart_to_ready"].as_f64()) {
            let ready = seen.nodes.iter().find(|(t, _, state)| *t > 0.0 && state == "ready").map(|node| node.0);
            heal = ready.map(|ready| ready - took);
        }
        Ok(Self {
            name: file.name,
            settings: file.settings,
            result: file.result,
            poll,
            ends: last.max(file.polls * poll - 1.5),
            heal,
            seen,
        })
    }

    /// A number among the settings.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.settings[key].as_f64()
    }

    /// A word among the settings.
    pub fn word(&self, key: &str) -> Option<&str> {
        self.settings[key].as_str()
    }
}

fn view(file: &File) -> View {
    let mut view = View::default();
    let mut tasks: BTreeMap<&str, Task> = BTreeMap::new();
    for event in &file.events {
        match (event.kind.as_str(), &event.id) {
            ("node", _) if event.t > 0.0 => {
                let host = event.h.clone().unwrap_or_default();
                view.nodes.push((event.t, host, event.state.clone().unwrap_or_default()));
            }
            ("task-new" | "task", Some(id)) => note(tasks.entry(id).or_default(), event),
            ("service", _) if event.t > 0.0 => {
                let states = event.status.iter().flat_map(BTreeMap::values).filter_map(|status| status.0.clone());
                view.updates.extend(states.map(|state| (event.t, state)));
            }
            _ => {}
        }
    }
    view.updates.dedup_by(|a, b| a.1 == b.1);
    view.tasks = tasks.into_values().filter(|task| !task.leaving).collect();
    view.last = view.tasks.clone();
    // What pending tasks say came after the last look in some files; their author noted it.
    let waiting = view.last.iter_mut().filter(|task| task.pending && task.reason.is_none());
    let noted = file.result["pending"].as_array().into_iter().flatten();
    for (task, noted) in waiting.zip(noted) {
        task.reason = noted[1].as_str().map(str::to_owned);
    }
    for sample in &file.samples {
        view.available.extend(sample.run_des_run.map(|n| (sample.t, n)));
        view.live.extend(sample.live.map(|n| (sample.t, n)));
        for (host, live) in &sample.by {
            view.live_on.entry(host.clone()).or_default().push((sample.t, *live));
        }
    }
    view
}

/// What one look at a task tells: each state counts from the first look that shows it, or a later one.
fn note(task: &mut Task, event: &Event) {
    let t = event.t;
    let seen = |moment: &mut Option<f64>| {
        moment.get_or_insert(t);
    };
    task.host = event.h.clone().or_else(|| task.host.take());
    if t <= 0.0 {
        task.old = true;
        task.leaving = matches!(event.des.as_deref(), Some("shutdown" | "remove"));
    } else if !task.old {
        seen(&mut task.created);
    }
    let state = event.state.as_deref().unwrap_or_default();
    if t > 0.0 {
        match state {
            "starting" => seen(&mut task.starting),
            "running" if !task.old => seen(&mut task.running),
            "complete" | "shutdown" | "failed" | "rejected" => seen(&mut task.ended),
            _ => {}
        }
        if matches!(event.des.as_deref(), Some("shutdown" | "remove")) {
            seen(&mut task.told);
        }
    }
    let wanted = matches!(event.des.as_deref(), Some("running" | "ready"));
    task.stays = wanted && !matches!(state, "complete" | "shutdown" | "failed" | "rejected");
    task.pending = wanted && state == "pending";
    task.reason = event.err.clone().filter(|err| task.pending && !err.is_empty());
}
