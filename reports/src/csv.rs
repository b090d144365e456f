//! Facts as a table: one row a fact, ids replaced by names, so that a spreadsheet or a data frame can go on from here.
//!
//! Columns that a fact has nothing to say about stay empty. `cause` is the `id` of another row; `fault` is the entry of
//! the timeline that the chain of causes goes back to. The columns from `since_s` on are those of `Traffic` rows:
//! requests of one source between `since_s` and `time_s`, to the thousandth. Start at [`write_facts`].

use std::io;

use shakedown_engine::fact::{Fact, FactKind};
use shakedown_engine::ids::{NodeId, PodId, ServiceId, WorkloadId};
use shakedown_engine::time::Time;

use crate::measure::{Origins, Pods};
use crate::names::Names;
use crate::run::Run;

/// The heading.
pub const COLUMNS: [&str; 20] = [
    "id",
    "time_s",
    "cause",
    "kind",
    "node",
    "pod",
    "workload",
    "service",
    "fault",
    "detail",
    "since_s",
    "requests",
    "good",
    "slow",
    "timed_out",
    "refused",
    "errors",
    "attempts",
    "stale",
    "on_new_revision",
];
/// Columns before those of traffic.
const OF_ALL: usize = 10;

/// Writes all facts of a run.
///
/// # Errors
/// When the writer fails.
pub fn write_facts(run: &Run, to: impl io::Write) -> Result<(), csv::Error> {
    let pods = Pods::new(run);
    let names = Names::new(run, &pods);
    let origins = Origins::new(&run.facts);
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Never).from_writer(to);
    writer.write_record(COLUMNS)?;
    for fact in &run.facts {
        let fault = origins.of(fact).map_or_else(String::new, |fault| names.fault(fault));
        let told = [fault, names.sentence(&fact.kind)];
        let cells = row(fact, names, &pods).into_iter().chain(told).chain(load(fact));
        writer.write_record(cells.map(quoted))?;
    }
    writer.flush()?;
    Ok(())
}

/// A cell as it stands in the file: quoted where commas and the like ask for it, and where a spreadsheet might take
/// text for a formula. The text itself stays as it is, for programs that read it back.
fn quoted(cell: String) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t']);
    if is_formula || cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

/// Whom a fact is about.
#[derive(Default)]
struct Subjects {
    node: Option<NodeId>,
    pod: Option<PodId>,
    workload: Option<WorkloadId>,
    service: Option<ServiceId>,
}

/// What every fact has: who, when, why and whom.
fn row(fact: &Fact, names: Names<'_>, pods: &Pods) -> [String; OF_ALL - 2] {
    let about = subjects(&fact.kind);
    let of_revision = || match fact.kind {
        FactKind::RevisionScaled { revision, .. } => pods.workload_of(revision),
        _ => None,
    };
    let workload = about.workload.or_else(|| Some(pods.get(about.pod?)?.workload)).or_else(of_revision);
    [
        fact.id.0.to_string(),
        seconds(fact.at),
        fact.cause.0.to_string(),
        kind_name(&fact.kind),
        about.node.map_or_else(String::new, |node| names.node(node)),
        about.pod.map_or_else(String::new, |pod| names.pod(pod)),
        workload.map_or_else(String::new, |workload| names.workload(workload)),
        about.service.map_or_else(String::new, |service| names.service(service)),
    ]
}

/// What a slice of traffic has besides.
fn load(fact: &Fact) -> [String; COLUMNS.len() - OF_ALL] {
    let FactKind::Traffic(slice) = fact.kind else { return Default::default() };
    let amounts = [
        slice.requests,
        slice.good,
        slice.slow,
        slice.timed_out,
        slice.refused,
        slice.errors,
        slice.attempts,
        slice.stale,
        slice.on_new_revision,
    ];
    let mut columns: [String; COLUMNS.len() - OF_ALL] = Default::default();
    columns[0] = seconds(slice.since);
    for (column, amount) in columns.iter_mut().skip(1).zip(amounts) {
        *column = format!("{}.{:03}", amount / 1000, amount % 1000);
    }
    columns
}

fn seconds(at: Time) -> String {
    let nanos = at.as_nanos();
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// The variant's name.
fn kind_name(kind: &FactKind) -> String {
    let mut text = format!("{kind:?}");
    let end = text.find([' ', '(']).unwrap_or(text.len());
    text.truncate(end);
    text
}

fn subjects(kind: &FactKind) -> Subjects {
    let none = Subjects::default();
    match *kind {
        FactKind::HostDown { node }
        | FactKind::HostUp { node }
        | FactKind::NodeRegistered { node }
        | FactKind::NodeUnhealthy { node, .. }
        | FactKind::NodeHealthy { node }
        | FactKind::NodeEvicting { node }
        | FactKind::NodeEvictionCancelled { node }
        | FactKind::NodeCordoned { node }
        | FactKind::NodeUncordoned { node }
        | FactKind::NodeRemoved { node } => Subjects { node: Some(node), ..none },
        FactKind::PodBound { pod, node } => Subjects { pod: Some(pod), node: Some(node), ..none },
        FactKind::PodCreated { pod, .. }
        | FactKind::PodUnschedulable { pod, .. }
        | FactKind::PodDeleting { pod, .. }
        | FactKind::PodDeleted { pod }
        | FactKind::PodReady { pod }
        | FactKind::PodUnready { pod }
        | FactKind::PodFailed { pod }
        | FactKind::PodPulled { pod }
        | FactKind::PullFailed { pod, .. }
        | FactKind::ContainerStarted { pod, .. }
        | FactKind::ContainerExited { pod, .. }
        | FactKind::CrashLoop { pod, .. }
        | FactKind::ProbeFailed { pod, .. }
        | FactKind::AgentReady { pod }
        | FactKind::AgentUnready { pod } => Subjects { pod: Some(pod), ..none },
        FactKind::EndpointAdded { service, pod } | FactKind::EndpointRemoved { service, pod } => {
            Subjects { pod: Some(pod), service: Some(service), ..none }
        }
        FactKind::EndpointsSeen { service, .. } => Subjects { service: Some(service), ..none },
        FactKind::Traffic(slice) => Subjects { service: Some(slice.service), ..none },
        FactKind::WorkloadCreated { workload }
        | FactKind::WorkloadDeleted { workload }
        | FactKind::Scaled { workload, .. }
        | FactKind::RevisionCreated { workload, .. }
        | FactKind::RolloutStarted { workload, .. }
        | FactKind::RolloutCompleted { workload, .. }
        | FactKind::RolloutStalled { workload, .. }
        | FactKind::RolloutPaused { workload }
        | FactKind::RolloutResumed { workload }
        | FactKind::RolloutUndone { workload, .. } => Subjects { workload: Some(workload), ..none },
        _ => none,
    }
}
