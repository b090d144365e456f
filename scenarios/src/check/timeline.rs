//! The timeline: entries in order of time, each with one action.
//!
//! What can be seen to go wrong without running is a problem here: times outside the run, targets that do not exist,
//! entries that contradict each other. Start at [`Checker::timeline`]; `actions` lowers one entry.

mod actions;
mod control;
mod history;
mod operations;

pub(super) use operations::Late;

use std::collections::BTreeMap;

use shakedown_chaos::experiment::Entry;
use shakedown_chaos::fault::Action;
use shakedown_engine::ids::{FaultId, Table, WorkloadId};
use shakedown_engine::time::{Span, Time};

use super::Checker;
use crate::problem::Mark;
use crate::raw::EntryRaw;
use crate::text::At;

/// An action and what it is called.
pub(super) struct Labelled {
    pub(super) action: Action,
    pub(super) label: String,
}

impl Checker<'_> {
    /// Lowers all entries, in order of time; those at one instant keep their order in the file.
    pub(super) fn timeline(&mut self, file: &str, raw: &[At<EntryRaw>], duration: Span) -> Table<FaultId, Entry> {
        let mut in_time: Vec<&At<EntryRaw>> = raw.iter().collect();
        in_time.sort_by_key(|entry| entry.value.at.value.0);
        let mut history = history::History::default();
        let mut table = Table::new();
        for entry in in_time {
            self.times(&entry.value, duration);
            let Some((name, mark)) = self.kind(entry) else { continue };
            self.lasting(&entry.value, name);
            for one in self.actions(&entry.value, file, &mut history) {
                let at = Time::ZERO + entry.value.at.value.0;
                let lowered = Entry {
                    at,
                    lasts: entry.value.r#for.map(|span| span.value.0),
                    continuous: entry.value.continuous.is_some_and(|flag| flag.value),
                    label: entry.value.label.clone().unwrap_or(one.label),
                    action: one.action,
                };
                self.remember(&mut history, &lowered, mark);
                self.labels_of_faults.push(lowered.label.clone());
                table.push(lowered);
            }
        }
        self.created_later(&history);
        table
    }

    /// The most replicas that the timeline gives each workload.
    pub(super) fn most_replicas(&self, timeline: &Table<FaultId, Entry>) -> BTreeMap<WorkloadId, u32> {
        let mut most = BTreeMap::new();
        for entry in timeline.rows() {
            if let Action::Scale { workload, replicas } = entry.action {
                let old = most.entry(workload).or_insert(replicas);
                *old = replicas.max(*old);
            }
        }
        most
    }

    fn times(&mut self, raw: &EntryRaw, duration: Span) {
        let at = raw.at.value.0;
        if at >= duration {
            self.low
                .problems
                .error("E0403", raw.at.mark, format!("the run ends at {duration}, before this happens"))
                .expected(format!("expected a time before {duration}"))
                .help("make `duration` longer, with room to recover, or let this happen earlier");
            return;
        }
        let Some(lasts) = raw.r#for else { return };
        if lasts.value.0.is_zero() {
            self.low
                .problems
                .error("E0404", lasts.mark, "this ends the moment it begins")
                .expected("expected a duration above 0");
        } else if at + lasts.value.0 > duration {
            self.low
                .problems
                .error(
                    "E0404",
                    lasts.mark,
                    format!("this ends at {}, after the run, which ends at {duration}", at + lasts.value.0),
                )
                .expected(format!("expected at most {}", duration - at))
                .help("make `duration` longer, or leave `for` out when it is to last until the end");
        }
    }

    /// Name and place of the only action of an entry.
    fn kind(&mut self, entry: &At<EntryRaw>) -> Option<(&'static str, Mark)> {
        let given = kinds(&entry.value);
        match given.as_slice() {
            [only] => Some(*only),
            [] if entry.flawed => None,
            [] => {
                self.low
                    .problems
                    .error("E0207", entry.mark, "this entry says when, but not what happens")
                    .expected("expected one kind of fault or operation, such as `kill: { nodes: [doe] }`");
                None
            }
            [_, second, ..] => {
                self.low
                    .problems
                    .error("E0207", second.1, "this entry does several things")
                    .expected("expected one kind of fault or operation in each entry")
                    .help("write one entry for each, with the same `at`");
                None
            }
        }
    }

    fn lasting(&mut self, raw: &EntryRaw, name: &str) {
        let once = matches!(
            name,
            "restore"
                | "restart"
                | "uncordon"
                | "remove_node"
                | "untaint"
                | "label_nodes"
                | "evict"
                | "deletion_cost"
                | "suspend"
                | "update_strategy"
                | "ungate"
                | "default_priority"
                | "scale"
                | "deploy"
                | "undo"
                | "pause"
                | "promote"
                | "resume"
                | "apply"
                | "delete"
                | "delete_namespace"
        ) || raw.control_plane.as_ref().is_some_and(|c| c.value.start.is_some());
        if let (true, Some(lasts)) = (once, raw.r#for) {
            self.low
                .problems
                .error("E0405", lasts.mark, format!("`{name}` happens once and does not last"))
                .expected("expected no `for` here")
                .help("undo it with an entry of its own");
        }
        let flag = raw.continuous.filter(|flag| flag.value);
        if let (true, Some(flag)) = (once || (name == "kill_pods" && raw.r#for.is_none()), flag) {
            self.low
                .problems
                .error("E0405", flag.mark, format!("`{name}` has no duration in which targets could be chosen again"))
                .expected("expected `continuous` only where something lasts");
        }
        if let (true, Some(lasts), false) = (name == "kill_pods", raw.r#for, flag.is_some()) {
            self.low
                .problems
                .error("E0405", lasts.mark, "`kill_pods` lasts only with `continuous: true`")
                .expected("expected `continuous: true` beside `for`");
        }
    }
}

/// Actions given in an entry, with their places.
fn kinds(raw: &EntryRaw) -> Vec<(&'static str, Mark)> {
    let all = [
        ("kill", raw.kill.as_ref().map(|v| v.mark)),
        ("restore", raw.restore.as_ref().map(|v| v.mark)),
        ("restart", raw.restart.as_ref().map(|v| v.mark)),
        ("saturate", raw.saturate.as_ref().map(|v| v.mark)),
        ("partition", raw.partition.as_ref().map(|v| v.mark)),
        ("delay", raw.delay.as_ref().map(|v| v.mark)),
        ("lose", raw.lose.as_ref().map(|v| v.mark)),
        ("kill_pods", raw.kill_pods.as_ref().map(|v| v.mark)),
        ("leak", raw.leak.as_ref().map(|v| v.mark)),
        ("fill", raw.fill.as_ref().map(|v| v.mark)),
        ("stop_proxies", raw.stop_proxies.as_ref().map(|v| v.mark)),
        ("stop_agent", raw.stop_agent.as_ref().map(|v| v.mark)),
        ("kill_agent", raw.kill_agent.as_ref().map(|v| v.mark)),
        ("freeze_agent", raw.freeze_agent.as_ref().map(|v| v.mark)),
        ("cordon", raw.cordon.as_ref().map(|v| v.mark)),
        ("uncordon", raw.uncordon.as_ref().map(|v| v.mark)),
        ("drain", raw.drain.as_ref().map(|v| v.mark)),
        ("remove_node", raw.remove_node.as_ref().map(|v| v.mark)),
        ("label_nodes", raw.label_nodes.as_ref().map(|v| v.mark)),
        ("taint", raw.taint.as_ref().map(|v| v.mark)),
        ("untaint", raw.untaint.as_ref().map(|v| v.mark)),
        ("out_of_service", raw.out_of_service.as_ref().map(|v| v.mark)),
        ("evict", raw.evict.as_ref().map(|v| v.mark)),
        ("deletion_cost", raw.deletion_cost.as_ref().map(|v| v.mark)),
        ("scale", raw.scale.as_ref().map(|v| v.mark)),
        ("deploy", raw.deploy.as_ref().map(|v| v.mark)),
        ("undo", raw.undo.as_ref().map(|v| v.mark)),
        ("pause", raw.pause.as_ref().map(|v| v.mark)),
        ("promote", raw.promote.as_ref().map(|v| v.mark)),
        ("suspend", raw.suspend.as_ref().map(|v| v.mark)),
        ("update_strategy", raw.update_strategy.as_ref().map(|v| v.mark)),
        ("ungate", raw.ungate.as_ref().map(|v| v.mark)),
        ("default_priority", raw.default_priority.as_ref().map(|v| v.mark)),
        ("resume", raw.resume.as_ref().map(|v| v.mark)),
        ("apply", raw.apply.as_ref().map(|v| v.mark)),
        ("delete", raw.delete.as_ref().map(|v| v.mark)),
        ("delete_namespace", raw.delete_namespace.as_ref().map(|v| v.mark)),
        ("control_plane", raw.control_plane.as_ref().map(|v| v.mark)),
        ("flood", raw.flood.as_ref().map(|v| v.mark)),
    ];
    all.into_iter().filter_map(|(name, mark)| mark.map(|mark| (name, mark))).collect()
}
