//! What happened before an entry: the place where contradictions show.

use std::collections::BTreeMap;

use shakedown_chaos::experiment::Entry;
use shakedown_chaos::fault::Action;
use shakedown_chaos::select::{Mode, NodeSelection};
use shakedown_engine::ids::{NodeId, TemplateId, WorkloadId};
use shakedown_engine::model::Details;
use shakedown_engine::time::Time;

use crate::check::Checker;
use crate::problem::Mark;

/// What earlier entries did.
#[derive(Default)]
pub(super) struct History {
    past: Vec<(Entry, Mark)>,
    /// Whether workloads exist, as far as entries say so.
    exists: BTreeMap<WorkloadId, bool>,
    /// Workloads whose first entry creates them.
    created: Vec<WorkloadId>,
    /// Templates of each workload, newest last.
    templates: BTreeMap<WorkloadId, Vec<TemplateId>>,
    /// Details that entries gave workloads.
    details: BTreeMap<WorkloadId, Details>,
}

impl History {
    /// The newest template of a workload that entries gave it.
    pub(super) fn template(&self, workload: WorkloadId) -> Option<TemplateId> {
        self.templates.get(&workload).and_then(|all| all.last()).copied()
    }

    /// The newest details of a workload that entries gave it.
    pub(super) fn details(&self, workload: WorkloadId) -> Option<&Details> {
        self.details.get(&workload)
    }

    /// All templates that entries gave a workload.
    pub(super) fn templates(&self, workload: WorkloadId) -> Vec<TemplateId> {
        self.templates.get(&workload).cloned().unwrap_or_default()
    }
}

impl Checker<'_> {
    /// Checks an entry against those before it, and adds it to them.
    pub(super) fn remember(&mut self, history: &mut History, entry: &Entry, mark: Mark) {
        self.contradictions(history, entry, mark);
        match &entry.action {
            Action::Restore(nodes) => self.restore_without_kill(history, (entry, nodes), mark),
            Action::Undo(workload) => {
                if history.template(*workload).is_none() {
                    self.low
                        .problems
                        .warn("W0606", mark, "nothing was deployed before this: there is no revision to go back to")
                        .help("put a `deploy` of the same workload before it");
                }
                history.templates.entry(*workload).or_default().pop();
            }
            Action::Redeclare { workload, details } => _ = history.details.insert(*workload, (**details).clone()),
            Action::Deploy { workload, template } => history.templates.entry(*workload).or_default().push(*template),
            _ => {}
        }
        self.existence(history, entry, mark);
        history.past.push((entry.clone(), mark));
    }

    /// Workloads that the timeline creates do not exist from the start.
    pub(super) fn created_later(&mut self, history: &History) {
        for &workload in &history.created {
            self.low.catalog.workloads[workload].at_start = false;
        }
    }

    fn existence(&mut self, history: &mut History, entry: &Entry, mark: Mark) {
        let Some(workload) = workload_of(&entry.action) else { return };
        let before = history.exists.get(&workload).copied();
        let name = self.low.catalog.workload_name(workload).to_owned();
        match (&entry.action, before) {
            (Action::Apply(_), None) => history.created.push(workload),
            (Action::Apply(_), Some(true)) => {
                self.low
                    .problems
                    .error("E0411", mark, format!("`{name}` already exists when it is created here"))
                    .expected("expected a `delete` between two creations");
            }
            (Action::Apply(_), Some(false)) => {}
            (_, Some(false)) => {
                self.low
                    .problems
                    .error("E0411", mark, format!("`{name}` was deleted before this"))
                    .expected("expected an `apply` of it in between");
            }
            _ => {}
        }
        history.exists.insert(workload, !matches!(entry.action, Action::Delete(_)));
    }

    fn restore_without_kill(&mut self, history: &History, (entry, nodes): (&Entry, &NodeSelection), mark: Mark) {
        let targets = self.matching(nodes);
        let down = history.past.iter().any(|(past, _)| {
            let Action::Kill(killed) = &past.action else { return false };
            let still = past.lasts.is_none_or(|lasts| past.at + lasts > entry.at);
            still && overlap(&self.matching(killed), &targets)
        });
        let joins = targets.iter().any(|&node| !self.low.catalog.nodes[node].at_start);
        if !down && !joins && !self.incomplete.nodes {
            self.low
                .problems
                .warn("W0606", mark, "no kill holds any of these nodes at that time: there is nothing to restore")
                .help("put a `kill` of the same nodes before it, or remove this entry");
        }
    }

    fn contradictions(&mut self, history: &History, entry: &Entry, mark: Mark) {
        let same_time = history.past.iter().rev().take_while(|(past, _)| past.at == entry.at);
        let other = same_time.into_iter().find(|(past, _)| self.contradicts(&past.action, &entry.action));
        if let Some(&(_, first)) = other {
            let first = self.low.problems.locate(first);
            self.low
                .problems
                .error("E0411", mark, format!("this contradicts another entry at {}", show(entry.at)))
                .expected(format!("the other one is at {first}"))
                .help("remove one of the two, or let them happen at different times");
        }
    }

    fn contradicts(&self, one: &Action, other: &Action) -> bool {
        let nodes = |a: &NodeSelection, b: &NodeSelection| {
            a.mode == Mode::All && b.mode == Mode::All && overlap(&self.matching(a), &self.matching(b))
        };
        match (one, other) {
            (Action::Scale { workload: a, replicas: n }, Action::Scale { workload: b, replicas: m }) => {
                a == b && n != m
            }
            (Action::Deploy { workload: a, template: n }, Action::Deploy { workload: b, template: m }) => {
                a == b && n != m
            }
            (Action::Deploy { workload: a, .. }, Action::Undo(b))
            | (Action::Undo(a), Action::Deploy { workload: b, .. }) => a == b,
            (Action::Pause(a), Action::Resume(b))
            | (Action::Resume(a), Action::Pause(b))
            | (Action::Apply(a), Action::Delete(b))
            | (Action::Delete(a), Action::Apply(b)) => a == b,
            (Action::Kill(a), Action::Restore(b) | Action::Restart(b))
            | (Action::Restore(a) | Action::Restart(a), Action::Kill(b))
            | (Action::Cordon(a) | Action::Drain(a), Action::Uncordon(b))
            | (Action::Uncordon(a), Action::Cordon(b) | Action::Drain(b)) => nodes(a, b),
            (Action::Taint { nodes: a, taint }, Action::Untaint { nodes: b, taint: gone, every_effect })
            | (Action::Untaint { nodes: b, taint: gone, every_effect }, Action::Taint { nodes: a, taint }) => {
                taint.key == gone.key && (*every_effect || taint.effect == gone.effect) && nodes(a, b)
            }
            (Action::Label { nodes: a, key, .. }, Action::Label { nodes: b, key: other, .. }) => {
                key == other && nodes(a, b)
            }
            // Whether the agent starts before or after its node is removed decides whether there is a node.
            (Action::RemoveNode(a), Action::Restore(b) | Action::Restart(b))
            | (Action::Restore(a) | Action::Restart(a), Action::RemoveNode(b)) => nodes(a, b),
            _ => false,
        }
    }
}

fn show(at: Time) -> String {
    at.to_string()
}

fn workload_of(action: &Action) -> Option<WorkloadId> {
    match action {
        Action::Scale { workload, .. } | Action::Deploy { workload, .. } | Action::Redeclare { workload, .. } => {
            Some(*workload)
        }
        Action::Ungate(id)
        | Action::Undo(id)
        | Action::Pause(id)
        | Action::Promote(id)
        | Action::Resume(id)
        | Action::Apply(id)
        | Action::Delete(id) => Some(*id),
        _ => None,
    }
}

/// Both are in id order.
fn overlap(a: &[NodeId], b: &[NodeId]) -> bool {
    a.iter().any(|id| b.binary_search(id).is_ok())
}
