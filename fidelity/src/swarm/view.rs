//! What an observer of a swarm sees, whether that is a recording's or ours: tasks, nodes, updates, numbers over time.
//!
//! Times are seconds after the fault. Both sides are turned into this, so that the same code reads values out of both.
//! Start at [`View`].

use std::collections::BTreeMap;

/// A task as the manager has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// It was there before the fault.
    pub old: bool,
    /// Its host, once it has one.
    pub host: Option<String>,
    /// When it was created.
    pub created: Option<f64>,
    /// When its container was started.
    pub starting: Option<f64>,
    /// When it ran, and was healthy where there is a check.
    pub running: Option<f64>,
    /// When it was told to stop.
    pub told: Option<f64>,
    /// When it had ended, as the manager knew it.
    pub ended: Option<f64>,
    /// It is wanted and has not ended, at the end.
    pub stays: bool,
    /// It was told to stop before the fault: it is no part of the experiment.
    pub leaving: bool,
    /// It waits for a node, at the end.
    pub pending: bool,
    /// What it says while it waits.
    pub reason: Option<String>,
}

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Tasks, in no order that means anything.
    pub tasks: Vec<Task>,
    /// The same as they were when the recording ended.
    pub last: Vec<Task>,
    /// Changes of nodes: when, which, and what it is from then on.
    pub nodes: Vec<(f64, String, String)>,
    /// Changes of the service's update status.
    pub updates: Vec<(f64, String)>,
    /// Tasks that run and shall run, over time.
    pub available: Vec<(f64, f64)>,
    /// Containers that really run, over time.
    pub live: Vec<(f64, f64)>,
    /// The same, by host.
    pub live_on: BTreeMap<String, Vec<(f64, f64)>>,
}

impl View {
    /// Moments of tasks that `moment` picks, in order of time.
    pub fn moments(&self, moment: impl Fn(&Task) -> Option<f64>) -> Vec<f64> {
        let mut moments: Vec<f64> = self.tasks.iter().filter_map(moment).filter(|t| *t > 0.0).collect();
        moments.sort_by(f64::total_cmp);
        moments
    }

    /// The first moment, not before `from`, at which a node was seen in one of `states`.
    pub fn node(&self, (host, states): (Option<&str>, &[&str]), from: f64) -> Option<f64> {
        let fits = |(t, node, state): &&(f64, String, String)| {
            *t >= from && host.is_none_or(|host| node == host) && states.contains(&state.as_str())
        };
        self.nodes.iter().find(fits).map(|node| node.0)
    }
}
