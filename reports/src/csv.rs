//! Facts as a table: one row a fact, ids replaced by names, so that a spreadsheet or a data frame can go on from here.
//!
//! It computes nothing. Columns that a fact has nothing to say about stay empty. Start at [`write_facts`].

use std::io;

use shakedown_engine::fact::{Fact, FactKind};
use shakedown_engine::ids::{NodeId, PodId, ServiceId, WorkloadId};

use crate::measure::Pods;
use crate::names::Names;
use crate::run::Run;

/// The heading.
pub const COLUMNS: [&str; 10] =
    ["id", "time_s", "cause", "kind", "node", "pod", "workload", "service", "fault", "detail"];

/// Writes all facts of a run.
///
/// # Errors
/// When the writer fails.
pub fn write_facts(run: &Run, to: impl io::Write) -> Result<(), csv::Error> {
    let pods = Pods::new(run);
    let names = Names::new(run, &pods);
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(COLUMNS)?;
    for fact in &run.facts {
        writer.write_record(row(fact, names, &pods))?;
    }
    writer.flush()?;
    Ok(())
}

/// Whom a fact is about.
#[derive(Default)]
struct Subjects {
    node: Option<NodeId>,
    pod: Option<PodId>,
    workload: Option<WorkloadId>,
    service: Option<ServiceId>,
}

fn row(fact: &Fact, names: Names<'_>, pods: &Pods) -> [String; COLUMNS.len()] {
    let about = subjects(&fact.kind);
    let workload = about.workload.or_else(|| pods.get(about.pod?).map(|row| row.workload));
    let fault = match fact.kind {
        FactKind::FaultApplied { fault, .. } | FactKind::FaultLifted { fault } => names.fault(fault),
        _ => String::new(),
    };
    let nanos = fact.at.as_nanos();
    [
        fact.id.0.to_string(),
        format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000),
        fact.cause.0.to_string(),
        kind_name(&fact.kind),
        about.node.map_or_else(String::new, |node| names.node(node)),
        about.pod.map_or_else(String::new, |pod| names.pod(pod)),
        workload.map_or_else(String::new, |workload| names.workload(workload)),
        about.service.map_or_else(String::new, |service| names.service(service)),
        fault,
        names.sentence(&fact.kind),
    ]
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
        | FactKind::NodeUncordoned { node } => Subjects { node: Some(node), ..none },
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
