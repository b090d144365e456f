//! Nomad jobs: each task group becomes a workload, each task a container of its pods.
//!
//! Source of fields and defaults: hashicorp/nomad:api/jobs.go, api/tasks.go, api/services.go, api/resources.go. CPU shares
//! are MHz; here 1 MHz is a thousandth of a core, so a node of 4 cores has 4,000 MHz. Start at [`file`].

mod constraint;
mod group;
mod keys;
mod periodic;
mod policy;
mod task;
mod version;

use shakedown_engine::labels::Requirement;
use shakedown_engine::model::{UpdateWish, ZONE_LABEL};
use shakedown_engine::profile::Wish;

use super::read::{Reader, written};
use crate::nodes::any_of;
use crate::problem::Mark;
use crate::shapes::Shape;
use crate::text::Node;

/// What groups take over from their job.
struct Job<'n> {
    node: &'n Node,
    id: &'n str,
    /// `service`, `batch`, `system` or `sysbatch`.
    kind: &'n str,
    priority: u32,
    groups: usize,
    /// Conditions of the job itself, and that it runs in these data centers.
    conditions: Vec<Requirement>,
    periodic: Option<Shape>,
    update: UpdateWish,
}

/// Lowers a job.
pub(super) fn file(reader: &mut Reader<'_, '_>, document: &Node) {
    let job = match written(document, "Job") {
        Some(job) => job,
        None => document,
    };
    if !reader.keys(job, &keys::JOB) {
        return;
    }
    let id = reader.text(job, "ID").or_else(|| reader.text(job, "Name"));
    let Some(id) = id else { return reader.missing(job, "ID", "a job") };
    let kind = reader.word(job, "Type", &["service", "batch", "system", "sysbatch"]).unwrap_or("service");
    if written(job, "ParameterizedJob").is_some() {
        let why = "nothing runs until it is dispatched, and nobody dispatches it here";
        reader.low.unmodelled.field("ParameterizedJob", why, job.mark);
        return;
    }
    let groups = reader.parts(job, "TaskGroups", &keys::GROUP);
    if groups.is_empty() {
        return reader.missing(job, "TaskGroups", "a job");
    }
    let priority = reader.count(job, "Priority").unwrap_or(50);
    if !(1..=32_767).contains(&priority) {
        let mark = written(job, "Priority").map_or(job.mark, |node| node.mark);
        reader.wrong(mark, format!("`{priority}` is no priority"), "expected a number from 1 to 100");
    }
    let conditions = datacenters(reader, job);
    let periodic = periodic::shape(reader, job);
    let update = policy::update(reader, job);
    let job = Job { node: job, id, kind, priority, groups: groups.len(), conditions, periodic, update };
    for group in groups {
        group::lower(reader, &job, group);
    }
}

/// Zones are data centers, where any of them is called so.
fn datacenters(reader: &mut Reader<'_, '_>, job: &Node) -> Vec<Requirement> {
    let wanted: Vec<&str> = reader.list(job, "Datacenters").iter().filter_map(Node::scalar).collect();
    let mark = written(job, "Datacenters").map_or(job.mark, |node| node.mark);
    if wanted.is_empty() || wanted.contains(&"*") {
        return Vec::new();
    }
    let patterns: Vec<String> = wanted
        .iter()
        .map(|text| text.split('*').map(regex_lite::escape).collect::<Vec<_>>().join(".*"))
        .map(|pattern| format!("^{pattern}$"))
        .collect();
    let patterns: Vec<_> = patterns.iter().filter_map(|pattern| regex_lite::Regex::new(pattern).ok()).collect();
    let meets = |zone: &str| patterns.iter().any(|pattern| pattern.is_match(zone));
    let condition = any_of(reader.low.catalog, ZONE_LABEL, &meets);
    if matches!(&condition.op, shakedown_engine::labels::Op::In(values) if values.is_empty()) {
        let text = format!("no zone is called `{}`: all nodes count as of this data center", wanted.join("`, `"));
        reader.low.problems.info("N0621", mark, text).help("give nodes a `zone` of that name to choose among them");
        return Vec::new();
    }
    vec![condition]
}

/// Notes that only some profiles know something.
fn asks(reader: &mut Reader<'_, '_>, path: &str, wish: Wish, mark: Mark) {
    reader.low.asked.note(path, wish, mark);
}
