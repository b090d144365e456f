//! A look at a file without running it: what it is, what would be honoured, what would be ignored, what is wrong.

use std::fmt;
use std::path::Path;

use shakedown_engine::profile::Profile;

use crate::asked;
use crate::check;
use crate::compose::{self, Composed};
use crate::jobs::{self, Jobs, System};
use crate::manifest::Lowering;
use crate::plan::{Note, Plan};
use crate::problem::{Mark, Problem, Problems, Severity};
use crate::text::{Disk, Files, Node};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A scenario.
    Scenario,
    /// Kubernetes objects.
    Manifest,
    /// A Compose file.
    Compose,
    /// A Nomad job.
    Nomad,
    /// A Marathon app, group or pod.
    Marathon,
    /// ECS task and service definitions.
    Ecs,
    /// None of these, or unreadable.
    Unknown,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scenario => "scenario",
            Self::Manifest => "Kubernetes manifest",
            Self::Compose => "Compose file",
            Self::Nomad => "Nomad job",
            Self::Marathon => "Marathon app",
            Self::Ecs => "ECS definition",
            Self::Unknown => "file",
        })
    }
}

/// What came of a look at a file.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The file, as it was named.
    pub file: String,
    /// What it is.
    pub kind: FileKind,
    /// What would be honoured, a line each.
    pub honoured: Vec<String>,
    /// What would be ignored or assumed.
    pub ignored: Vec<Note>,
    /// What is wrong. Empty: the file can be used.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    /// True when the file can be used.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }

    /// Problems drawn with excerpts of the text.
    pub fn render_problems(&self, theme: miette::GraphicalTheme) -> String {
        crate::problem::render(&self.problems, 0, theme)
    }
}

/// Looks at a scenario, a Kubernetes manifest or a Compose file.
pub fn check_file(path: &Path) -> CheckReport {
    check_text(&path.display().to_string(), &Disk)
}

/// Looks at the file called `name` among `files`.
pub fn check_text(name: &str, files: &dyn Files) -> CheckReport {
    let mut problems = Problems::default();
    let mut quiet = Problems::default();
    let documents = check::documents(name, files, &mut quiet).unwrap_or_default();
    let kind = match documents.as_slice() {
        documents if documents.iter().any(check::is_manifest) => FileKind::Manifest,
        [first, ..] if check::is_compose(first) || called_compose(name, first) => FileKind::Compose,
        [first, ..] if check::is_mapping(first) && first.get("shakedown").is_some() => FileKind::Scenario,
        [first, ..] => match System::of(first) {
            Some(System::Nomad) => FileKind::Nomad,
            Some(System::Marathon) => FileKind::Marathon,
            Some(System::Ecs) => FileKind::Ecs,
            None => FileKind::Unknown,
        },
        _ => FileKind::Unknown,
    };
    let (honoured, deaf) = match kind {
        FileKind::Scenario | FileKind::Unknown => match check::lower(name, files, &mut problems) {
            Some(plan) => (scenario(&plan), unhonoured(&plan)),
            None => Default::default(),
        },
        kind => objects(kind, name, files, &mut problems),
    };
    let (wrong, remarks): (Vec<_>, Vec<_>) =
        problems.into_all().into_iter().partition(|problem| problem.severity == Severity::Error);
    let honoured = if wrong.is_empty() { honoured } else { Vec::new() };
    let ignored = remarks.into_iter().map(Note::from).chain(deaf).collect();
    CheckReport { file: crate::problem::printable(name.to_owned()), kind, honoured, ignored, problems: wrong }
}

/// True for a file that has the name of a Compose file and the first line of nothing else.
fn called_compose(name: &str, node: &Node) -> bool {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file);
    let called =
        ["compose", "docker-compose"].iter().any(|word| stem == *word || stem.starts_with(&format!("{word}.")));
    called && check::is_mapping(node) && node.get("shakedown").is_none() && node.get("apiVersion").is_none()
}

fn scenario(plan: &Plan) -> Vec<String> {
    let catalog = &plan.catalog;
    let mut lines = vec![
        format!("{} nodes in {} zones", catalog.nodes.len(), catalog.zones.len()),
        format!(
            "{} workloads, {} services, {} images",
            catalog.workloads.len(),
            catalog.services.len(),
            catalog.images.len()
        ),
        format!("{} sources of traffic", plan.experiment.traffic.len()),
    ];
    for entry in plan.experiment.timeline.rows() {
        let lasts = entry.lasts.map_or(String::new(), |lasts| format!(" for {lasts}"));
        lines.push(format!("at {}: {}{lasts}", entry.at, entry.label));
    }
    lines.push(format!("{} expectations", plan.experiment.expectations.len()));
    lines.push(format!("{} under {}", plan.experiment.duration, plan.orchestrators.join(", ")));
    lines
}

/// What has no effect under the orchestrators of a plan.
fn unhonoured(plan: &Plan) -> Vec<Note> {
    let profiles: Vec<Profile> = plan.orchestrators.iter().filter_map(|name| plan.profile(name).ok()).collect();
    asked::unhonoured(&plan.questions, &profiles)
}

fn of_jobs(system: System, documents: &[Node], lowering: &mut Lowering<'_>) -> Composed {
    let Jobs { lowered, honoured } = jobs::lower(system, documents, lowering);
    Composed { lowered, honoured }
}

fn objects(kind: FileKind, name: &str, files: &dyn Files, problems: &mut Problems) -> (Vec<String>, Vec<Note>) {
    let Some(documents) = check::documents(name, files, problems) else { return Default::default() };
    let mut catalog = shakedown_engine::model::Catalog::new();
    let mut lowering = Lowering::new(&mut catalog, problems);
    let Composed { lowered, honoured } = match kind {
        FileKind::Compose => compose::lower(&documents, &mut lowering),
        FileKind::Nomad => of_jobs(System::Nomad, &documents, &mut lowering),
        FileKind::Marathon => of_jobs(System::Marathon, &documents, &mut lowering),
        FileKind::Ecs => of_jobs(System::Ecs, &documents, &mut lowering),
        _ => Composed { lowered: lowering.documents(&documents), ..Composed::default() },
    };
    lowering.finish(&|_| 0);
    let unmodelled = std::mem::take(&mut lowering.unmodelled);
    let questions = std::mem::take(&mut lowering.asked).questions(lowering.problems);
    unmodelled.report(problems);
    // A file by itself is not for any orchestrator in particular.
    let all: Vec<Profile> = Profile::NAMES.iter().filter_map(|name| Profile::named(name)).collect();
    let deaf = asked::unhonoured(&questions, &all);
    let first = documents.first().map_or_else(Mark::default, |node: &Node| node.mark);
    if lowered.workloads.is_empty() && problems.errors() == 0 {
        problems.warn("W0610", first, "nothing in this manifest runs pods that are simulated");
    }
    let mut lines = Vec::new();
    for &id in &lowered.workloads {
        let workload = &catalog.workloads[id];
        let requests = &catalog.templates[workload.template].requests;
        lines.push(format!(
            "{:?} {}: {} replicas of {}m CPU, {} MiB",
            workload.kind,
            catalog.workload_name(id),
            workload.replicas,
            requests.cpu.0,
            requests.memory.0 >> 20
        ));
    }
    lines.extend(lowered.services.iter().map(|&(id, _)| format!("Service {}", catalog.service_name(id))));
    if !honoured.is_empty() {
        let list: Vec<String> = honoured.iter().map(|(key, times)| format!("{times} `{key}`")).collect();
        lines.push(format!("keys {}", list.join(", ")));
    }
    (lines, deaf)
}
