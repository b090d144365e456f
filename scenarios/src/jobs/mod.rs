//! Job files of other orchestrators as workloads: Nomad jobs, Marathon apps and pods, ECS task and service definitions.
//!
//! JSON is YAML here, so that every problem has its place. Each system has a table of its fields (honoured, a wish,
//! accepted without effect, ignored with a reason), and lowers into the same model as manifests do: what Kubernetes can
//! say too becomes affinity, probes and strategies, and all of the rest becomes wishes. Nothing is merged from elsewhere:
//! these are the files that the systems' own APIs take. Start at [`lower`]; [`System::of`] tells the files apart.

mod build;
mod ecs;
mod marathon;
mod nomad;
mod read;

use std::collections::BTreeMap;

use crate::manifest::{Lowered, Lowering};
use crate::text::{Node, Value};

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// A Nomad job, as `nomad job run -output` or the API gives it.
    Nomad,
    /// A Marathon app, group or pod, or a list of these.
    Marathon,
    /// ECS task and service definitions.
    Ecs,
}

impl System {
    /// What a document is, as far as its keys tell.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        let node = node.items().first().unwrap_or(node);
        let has = |key: &str| node.get(key).is_some();
        if has("shakedown") || has("apiVersion") || !matches!(node.value, Value::Map(_)) {
            return None;
        }
        if has("Job") || has("TaskGroups") || (has("ID") && has("Datacenters")) {
            return Some(Self::Nomad);
        }
        let ecs = ["taskDefinition", "taskDefinitions", "containerDefinitions", "serviceName", "taskDefinitionArn"];
        if ecs.iter().any(|key| has(key)) {
            return Some(Self::Ecs);
        }
        let app = ["instances", "cmd", "container", "cpus", "mem", "apps", "groups", "upgradeStrategy", "scaling"];
        (has("id") && app.iter().any(|key| has(key)) || has("apps")).then_some(Self::Marathon)
    }

    /// The field of `workloads` that names such files.
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Nomad => "nomad",
            Self::Marathon => "marathon",
            Self::Ecs => "ecs",
        }
    }

    /// What such a file is called.
    pub(crate) const fn called(self) -> &'static str {
        match self {
            Self::Nomad => "a Nomad job",
            Self::Marathon => "a Marathon app",
            Self::Ecs => "an ECS definition",
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Nomad => "expected a job in JSON, `{ \"Job\": { \"ID\": ..., \"TaskGroups\": [...] } }`",
            Self::Marathon => "expected an app `{ \"id\": ... }`, a group with `apps`, a pod, or a list of these",
            Self::Ecs => "expected `{ \"taskDefinition\": {...}, \"service\": {...} }`",
        }
    }
}

/// What came of a job file.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// Workloads and services.
    pub(crate) lowered: Lowered,
    /// Fields that had an effect, with how often each was written.
    pub(crate) honoured: BTreeMap<String, u32>,
}

/// Lowers a file of this system; everything that is wrong with it is filed, what is ignored is named once.
pub(crate) fn lower(system: System, documents: &[Node], low: &mut Lowering<'_>) -> Jobs {
    let mut reader = read::Reader::new(system, low);
    for document in documents {
        if let Some(other) = foreign(system, document) {
            reader
                .low
                .problems
                .error("E0513", document.mark, format!("this is {other}, not {}", system.called()))
                .expected(system.expected())
                .help(match other.field {
                    Some(field) => format!("name it as `workloads: [{{ {field}: FILE }}]`"),
                    None => "`shakedown check FILE` says what a file is".to_owned(),
                });
            continue;
        }
        match system {
            System::Nomad => nomad::file(&mut reader, document),
            System::Marathon => marathon::file(&mut reader, document),
            System::Ecs => {}
        }
    }
    if system == System::Ecs && reader.low.problems.errors() == reader.before {
        ecs::files(&mut reader, documents);
    }
    reader.finish()
}

/// What a file is instead.
struct Foreign {
    called: &'static str,
    field: Option<&'static str>,
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.called)
    }
}

/// What a document is when it is nothing of this system.
fn foreign(system: System, document: &Node) -> Option<Foreign> {
    let known = |called, field| Some(Foreign { called, field: Some(field) });
    if crate::check::is_manifest(document) {
        return known("a Kubernetes manifest", "manifest");
    }
    match System::of(document) {
        Some(found) if found == system => None,
        Some(other) => known(other.called(), other.field()),
        None if crate::check::is_compose(document) => known("a Compose file", "compose"),
        None if document.get("shakedown").is_some() => Some(Foreign { called: "a scenario", field: None }),
        None if document.get("service").is_some() && system == System::Ecs => None,
        None if document.get("services").is_some() && system == System::Ecs => None,
        None => Some(Foreign { called: "something else", field: None }),
    }
}
