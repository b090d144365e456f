//! What an observer who polls would have seen of one of our runs: facts, turned into a [`View`].
//!
//! Nothing but facts is read. Start at [`look`].

use std::collections::BTreeMap;

use shakedown_engine::fact::{Fact, FactKind, Note, Subject};
use shakedown_engine::ids::{NodeId, PodId};
use shakedown_engine::model::Catalog;

use crate::swarm::view::{Task, View};

/// When and how often somebody looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observer {
    /// The fault's time in the run, in seconds.
    pub(super) fault: f64,
    /// Between two looks.
    pub(super) poll: f64,
    /// From the fault to the first look after it.
    pub(super) phase: f64,
    /// The last look.
    pub(super) ends: f64,
}

impl Observer {
    /// The look that is the first to show what happens at a time of the run.
    fn sees(&self, at: f64) -> f64 {
        let since = at - self.fault;
        if since <= 0.0 { since } else { ((since - self.phase) / self.poll).ceil().max(0.0) * self.poll + self.phase }
    }
}

#[derive(Default)]
struct Pod {
    task: Task,
    host: Option<NodeId>,
    ready: bool,
    gone: bool,
    live: u32,
}

struct Looking<'a> {
    catalog: &'a Catalog,
    pods: BTreeMap<PodId, Pod>,
    view: View,
    back: bool,
    counts: (i64, i64),
    on: BTreeMap<NodeId, i64>,
}

/// What the observer sees of a run.
pub(super) fn look(facts: &[Fact], catalog: &Catalog, observer: Observer) -> View {
    let mut looking = Looking {
        catalog,
        pods: BTreeMap::new(),
        view: View::default(),
        back: false,
        counts: (0, 0),
        on: BTreeMap::new(),
    };
    let mut last = None;
    for fact in facts {
        let t = observer.sees(fact.at.as_secs_f64());
        if t > observer.ends && last.is_none() {
            last = Some(looking.tasks());
        }
        looking.fact(t, &fact.kind);
    }
    let tasks = looking.tasks();
    let Looking { mut view, .. } = looking;
    view.last = last.unwrap_or_else(|| tasks.clone());
    view.tasks = tasks;
    for series in [&mut view.available, &mut view.live].into_iter().chain(view.live_on.values_mut()) {
        last_of_each_look(series);
    }
    view
}

/// Several changes between two looks are seen as one.
fn last_of_each_look(series: &mut Vec<(f64, f64)>) {
    series.reverse();
    series.dedup_by(|a, b| a.0 == b.0);
    series.reverse();
}

impl Looking<'_> {
    fn tasks(&self) -> Vec<Task> {
        self.pods.values().map(|pod| pod.task.clone()).collect()
    }

    fn fact(&mut self, t: f64, kind: &FactKind) {
        match *kind {
            FactKind::NodeUnhealthy { node, .. } => self.node(t, node, "down"),
            FactKind::NodeHealthy { node } | FactKind::NodeRegistered { node } if t > 0.0 => {
                self.node(t, node, "ready");
            }
            FactKind::PodCreated { pod, .. } => {
                let task = Task { old: t <= 0.0, created: (t > 0.0).then_some(t), stays: true, ..Task::default() };
                self.pods.insert(pod, Pod { task: Task { pending: true, ..task }, ..Pod::default() });
            }
            FactKind::Noted { subject: Subject::Pod(pod), note: Note::NoSuitableNode(why) } => {
                self.change(t, pod, |pod, _| pod.task.reason = Some(why.to_string()));
            }
            FactKind::PodBound { pod, node } => {
                let name = self.catalog.node_name(node).to_owned();
                self.change(t, pod, |pod, _| {
                    pod.host = Some(node);
                    (pod.task.host, pod.task.pending, pod.task.reason) = (Some(name), false, None);
                });
            }
            FactKind::ContainerStarted { pod, .. } => self.change(t, pod, |pod, t| {
                pod.live += 1;
                pod.task.starting.get_or_insert(t);
            }),
            FactKind::ContainerExited { pod, .. } => {
                self.change(t, pod, |pod, _| pod.live = pod.live.saturating_sub(1))
            }
            FactKind::PodReady { pod } => self.change(t, pod, |pod, t| {
                pod.ready = true;
                if !pod.task.old || t > 0.0 {
                    pod.task.running.get_or_insert(t);
                }
            }),
            FactKind::PodUnready { pod } => self.change(t, pod, |pod, _| pod.ready = false),
            FactKind::PodDeleting { pod, .. } => self.change(t, pod, |pod, t| {
                pod.task.told.get_or_insert(t);
                pod.leave();
            }),
            FactKind::PodFailed { pod } | FactKind::PodSucceeded { pod } => self.change(t, pod, |pod, t| {
                // Swarm wants nothing of a task that has ended.
                pod.task.told.get_or_insert(t);
                pod.task.ended.get_or_insert(t);
                pod.leave();
            }),
            FactKind::PodDeleted { pod } => self.change(t, pod, |pod, t| {
                pod.task.told.get_or_insert(t);
                pod.task.ended.get_or_insert(t);
                pod.leave();
            }),
            _ => self.update(t, kind),
        }
    }

    fn node(&mut self, t: f64, node: NodeId, state: &str) {
        self.view.nodes.push((t, self.catalog.node_name(node).to_owned(), state.to_owned()));
    }

    fn update(&mut self, t: f64, kind: &FactKind) {
        let word = match kind {
            _ if t <= 0.0 => return,
            FactKind::RolloutStarted { .. } => "updating",
            FactKind::RolloutUndone { .. } => {
                self.back = true;
                "rollback_started"
            }
            FactKind::RolloutCompleted { .. } if self.back => "rollback_completed",
            FactKind::RolloutCompleted { .. } => "completed",
            FactKind::RolloutPaused { .. } if self.back => "rollback_paused",
            FactKind::RolloutPaused { .. } => "paused",
            _ => return,
        };
        self.view.updates.push((t, word.to_owned()));
    }

    fn change(&mut self, t: f64, pod: PodId, change: impl FnOnce(&mut Pod, f64)) {
        let Some(row) = self.pods.get_mut(&pod) else { return };
        let before = row.weight();
        change(row, t);
        let after = row.weight();
        self.counts.0 += after.0 - before.0;
        self.counts.1 += after.1 - before.1;
        if after.0 != before.0 {
            self.view.available.push((t, self.counts.0 as f64));
        }
        if after.1 != before.1 {
            self.view.live.push((t, self.counts.1 as f64));
        }
        let (Some(node), true) = (row.host, after.1 != before.1) else { return };
        let on = self.on.entry(node).or_default();
        *on += after.1 - before.1;
        let series = self.view.live_on.entry(self.catalog.node_name(node).to_owned()).or_default();
        series.push((t, *on as f64));
    }
}

impl Pod {
    /// Whether it counts as available, and as live.
    fn weight(&self) -> (i64, i64) {
        (i64::from(self.ready && !self.gone), i64::from(self.live > 0))
    }

    fn leave(&mut self) {
        self.gone = true;
        (self.task.stays, self.task.pending) = (false, false);
    }
}
