//! Pods by themselves: those that wait for a scheduler, those that tolerate taints, and those placed by hand.
//!
//! Start at [`Maker::pending_pods`].

use serde_json::Value;
use shakedown_engine::model::WorkloadKind;

use crate::timeline::make::{Maker, Shape};
use crate::timeline::words::{self, Step};

/// Nodes on which pods wait, and others.
const WORK: &str = "work";
const OTHER: &str = "other";
/// Enough for whatever is told to go there.
const BIG: i64 = 1_000_000;

impl Maker<'_> {
    /// Pods with tolerations of a taint, by name: `"s5": [5]`, `"inf": ["infinite"]`, or words for none.
    pub(super) fn tolerating_pods(&mut self) -> Result<(), String> {
        let key = self.recording.text("tolerated_keys").unwrap_or("").to_owned();
        let pods = self.recording.settings.get("pods_tolerationSeconds").and_then(Value::as_object);
        for (name, tolerated) in pods.ok_or("`pods_tolerationSeconds` is no object")? {
            let seconds = tolerated.as_array().into_iter().flatten();
            let tolerations = seconds.map(|seconds| self.tolerate(&key, seconds.as_u64())).collect();
            self.single(&Shape { tolerations, ..Shape::named(name) }, true);
        }
        Ok(())
    }

    /// One pod that nobody replaces.
    fn single(&mut self, shape: &Shape, at_start: bool) {
        self.workload(shape, 1, |spec| (spec.kind, spec.at_start) = (WorkloadKind::Pod, at_start));
    }

    /// Replicas of which nothing is told.
    fn hidden(&mut self, shape: &Shape, replicas: u32, at_start: bool) {
        self.workload(shape, replicas, |spec| (spec.kind, spec.at_start) = (WorkloadKind::ReplicaSet, at_start));
        self.parts.get_mut(&shape.name).expect("it was just made").hidden = true;
    }

    /// Pods that were made one by one, each on its node; a ReplicaSet adopts them, with or without a Deployment above.
    pub(super) fn placed_by_hand(&mut self) -> Result<(), String> {
        let deployment = self.recording.watched.get("deployment").and_then(|names| names.first());
        let set = self.recording.watched.get("replicaset").and_then(|names| names.first());
        let name = deployment.or(set).ok_or("it tells the status of no owner")?.clone();
        let kind = if deployment.is_some() { WorkloadKind::Deployment } else { WorkloadKind::ReplicaSet };
        self.workload(&Shape::named(&name), 0, |spec| spec.kind = kind);
        self.never_ready.extend(&self.parts[&name].templates);
        Ok(())
    }

    /// Pods that do not fit, nodes that others have filled, and perhaps a backlog.
    pub(super) fn pending_pods(&mut self) -> Result<(), String> {
        let recording = self.recording;
        let pending = recording.text("pending").unwrap_or("");
        let cpu = words::cpu_after(pending, "cpu ").ok_or_else(|| format!("`{pending}` does not say how much CPU"))?;
        let backlog = recording.text("backlog").and_then(|words| words::number_after(words, ""));
        self.filled_nodes()?;
        // Pods that never fit, whatever their priority, were made not to push others aside.
        let waiting = Shape { cpu, role: Some(WORK), meek: true, ..Shape::default() };
        let mut created = false;
        for (_, step) in self.steps {
            let Step::CreatePod(name) = step else { continue };
            let elsewhere = Shape { role: Some(OTHER), ..Shape::named(name) };
            let is_waiting =
                pending.contains("created at") && !name.starts_with("busy") || pending.contains(name.as_str());
            self.single(&if is_waiting { Shape { name: name.clone(), ..waiting.clone() } } else { elsewhere }, false);
            created = true;
        }
        if !created {
            let of_priority = pending.split('[').nth(1).map_or(1, |list| list.matches(',').count() + 1);
            let prefix = pending.split("0..").next().unwrap_or("wait-");
            for n in 0..of_priority {
                // Higher than the backlog, each lower than the one before.
                let priority = 1000 - n as i32;
                let name = format!("{prefix}{n}");
                self.single(&Shape { name, priority, gated: true, ..waiting.clone() }, true);
            }
        }
        if let Some(replicas) = backlog {
            let shape = Shape { role: Some(OTHER), gated: true, cpu: 10, ..Shape::named("backlog") };
            self.hidden(&shape, replicas, true);
        }
        Ok(())
    }

    /// Words such as `1 x 4 cpu: 3 cpu pod + 80 pods of 10m` or `2 x 4 cpu, each full with a 4 cpu pod; n-new 8 cpu at 20 s`.
    fn filled_nodes(&mut self) -> Result<(), String> {
        let words = self.recording.text("nodes").ok_or("its settings do not say which nodes there are")?;
        let mut parts = words.split(';');
        let work = parts.next().unwrap_or("");
        let unknown = || format!("`{work}` does not say how many nodes of how much CPU");
        let count = words::number_after(work, "").ok_or_else(unknown)?;
        let cpu = words::cpu_after(work, " x ").ok_or_else(unknown)?;
        (0..count).for_each(|i| self.node_of(&format!("n{i}"), ("", WORK), (cpu, true)));
        let others: u32 = parts
            .clone()
            .filter(|part| part.contains("big node"))
            .map(|part| words::number_after(part, "").unwrap_or(1))
            .sum();
        (0..others.max(1)).for_each(|i| self.node_of(&format!("big-{i}"), ("", OTHER), (BIG, true)));
        for (n, (_, step)) in self.steps.iter().enumerate() {
            if let Step::Join { node, .. } = step {
                let what = &self.recording.actions[n].what;
                let cpu = words::cpu_after(what, "(").unwrap_or(cpu);
                self.node_of(node, ("", WORK), (cpu, false));
            }
        }
        self.fill(work, count);
        Ok(())
    }

    /// What fills the nodes: `3.5 used`, or a pod of so many cores and small ones that are deleted by name.
    fn fill(&mut self, words: &str, nodes: u32) {
        let used = words::number_before(words, " used").or_else(|| {
            let tail = words.split_once(['(', ':']).or_else(|| words.split_once("with"))?.1;
            words::number_before(tail, " cpu pod")
        });
        if let Some(cores) = used {
            let shape = Shape { cpu: (cores * 1000.0) as i64, role: Some(WORK), ..Shape::named("filler") };
            self.hidden(&shape, nodes, true);
        }
        let milli = words::number_before(words, "m").map_or(10, |m| m as i64);
        let small = words.split_once('+').and_then(|(_, tail)| words::number_after(tail, ""));
        for i in 0..small.unwrap_or(0) {
            let shape = Shape { cpu: milli, role: Some(WORK), ..Shape::named(&format!("small-{i:03}")) };
            self.single(&shape, true);
        }
    }
}
