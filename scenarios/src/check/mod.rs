//! Everything that is wrong with a scenario, at once, and the plan when nothing is.
//!
//! The raw shapes are checked against each other part by part; a part that is broken does not hide problems of the next.
//! It does not run anything. Start at [`load`].

mod cluster;
mod expect;
mod include;
mod orchestrators;
mod places;
mod reach;
mod scheduler;
mod select;
mod settings;
mod sources;
mod timeline;
mod traffic;
mod workloads;

use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_chaos::setting::Setting;
use shakedown_engine::ids::{NodeId, ServiceId, Symbol, TemplateId, WorkloadId};
use shakedown_engine::labels::Labels;
use shakedown_engine::model::Catalog;
use shakedown_engine::time::Span;

use places::Incomplete;
pub(crate) use sources::{documents, is_compose, is_manifest};

use crate::manifest::Lowering;
use crate::plan::{Note, Plan};
use crate::problem::{Diagnostics, Problem, Problems};
use crate::raw::{FragmentRaw, ScenarioRaw};
use crate::text::{Decode, Files, Node, Value};

/// Loads the scenario called `name` from `files`.
pub(crate) fn load(name: &str, files: &dyn Files) -> Result<Plan, Diagnostics> {
    let mut problems = Problems::default();
    let plan = lower(name, files, &mut problems);
    let remarks = problems.verdict()?;
    let Some(mut plan) = plan else {
        let message = format!("`{name}` could not be read, and nothing says why");
        return Err(Diagnostics::one(Problem::bare("E0101", message)));
    };
    plan.notes = remarks.into_iter().map(Note::from).collect();
    Ok(plan)
}

/// Lowers a scenario as far as it goes; all problems are filed.
pub(crate) fn lower(name: &str, files: &dyn Files, problems: &mut Problems) -> Option<Plan> {
    let node = sources::scenario(name, files, problems)?;
    let raw = ScenarioRaw::decode(&node, problems)?;
    if raw.shakedown.is_none() && node.get("shakedown").is_none() {
        problems
            .error("E0202", node.mark, "`shakedown` is missing in a scenario")
            .expected("expected `shakedown: 1`, the version of the format")
            .help("add `shakedown: 1` as the first line");
    }
    version(raw.shakedown, problems);
    let mut incomplete = Incomplete::of(&node, &raw);
    let mut parts = vec![Part::main(name, &raw)];
    include::follow(&raw.include, name, files, (&mut parts, &mut incomplete), problems);

    let mut catalog = Catalog::new();
    let mut checker = Checker {
        low: Lowering::new(&mut catalog, problems),
        files,
        incomplete,
        labels_of_faults: Vec::new(),
        late: timeline::Late::default(),
    };
    let (host, network) = checker.cluster(&parts, &node);
    checker.workloads(&parts);
    let duration = checker.duration(&raw, &node);
    let mut timeline = checker.timeline(name, &raw.timeline, duration);
    let reach = checker.most_replicas(&timeline);
    checker.low.finish(&|id| reach.get(&id).copied().unwrap_or(0));
    checker.complete(&mut timeline);
    let scheduler = checker.scheduler_config(raw.scheduler_config.as_ref(), name);
    let images = checker.images(&parts);
    checker.services(&parts);
    let traffic = checker.traffic(&raw.traffic, duration);
    let orchestrators = checker.orchestrators(&raw, name);
    let expectations = checker.expectations(&raw.expect, &orchestrators.known(), &node);
    let seeds = checker.seeds(&raw);
    if let Some(zero) = raw.converge_within.filter(|span| span.value.0.is_zero()) {
        let problem = checker.low.problems.error("E0204", zero.mark, "nothing converges within no time");
        problem.expected("expected a duration above 0, such as `10m`");
    }
    std::mem::take(&mut checker.low.unmodelled).report(checker.low.problems);
    let questions = std::mem::take(&mut checker.low.asked).questions(checker.low.problems);

    let experiment = Experiment {
        timeline,
        traffic,
        setting: Setting { host, network, images },
        duration,
        converge_within: raw.converge_within.map(|span| span.value.0),
        expectations,
    };
    Some(Plan {
        name: title(name),
        about: raw.about.unwrap_or_default(),
        source_path: None,
        catalog: Arc::new(catalog),
        experiment: Arc::new(experiment),
        orchestrators: orchestrators.names,
        overrides: orchestrators.overrides,
        questions,
        customs: orchestrators.customs,
        scheduler: scheduler.map(Arc::new),
        seeds,
        notes: Vec::new(),
    })
}

/// The file's name without folders and ending.
fn title(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let bare = last.strip_suffix(".yaml").or_else(|| last.strip_suffix(".yml")).unwrap_or(last);
    // It heads every report, and a file can be called anything.
    bare.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Files another version of the format than this program reads.
pub(crate) fn version(version: Option<crate::text::At<u64>>, problems: &mut Problems) {
    if let Some(version) = version.filter(|version| version.value != 1) {
        problems
            .error("E0206", version.mark, format!("version {} of the scenario format is not known", version.value))
            .expected("expected `shakedown: 1`")
            .help("this program reads version 1; a newer file needs a newer program");
    }
}

/// A file's share of cluster, workloads, services and images.
pub(crate) struct Part {
    /// The file, against which its paths are resolved.
    file: String,
    cluster: Option<crate::raw::ClusterRaw>,
    workloads: Vec<crate::text::At<crate::raw::WorkloadRaw>>,
    services: Vec<crate::text::At<crate::raw::ServiceRaw>>,
    images: crate::text::Named<crate::raw::ImageRaw>,
}

impl Part {
    fn main(file: &str, raw: &ScenarioRaw) -> Self {
        Self {
            file: file.to_owned(),
            cluster: raw.cluster.clone(),
            workloads: raw.workloads.clone(),
            services: raw.services.clone(),
            images: raw.images.clone(),
        }
    }

    fn included(file: &str, raw: FragmentRaw) -> Self {
        let FragmentRaw { cluster, workloads, services, images, .. } = raw;
        Self { file: file.to_owned(), cluster, workloads, services, images }
    }
}

/// What all checks share.
pub(crate) struct Checker<'a> {
    low: Lowering<'a>,
    files: &'a dyn Files,
    incomplete: Incomplete,
    /// Labels of the timeline's entries, which expectations may name.
    labels_of_faults: Vec<String>,
    /// What entries of the timeline need of the finished catalog.
    late: timeline::Late,
}

impl Checker<'_> {
    fn duration(&mut self, raw: &ScenarioRaw, node: &Node) -> Span {
        match raw.duration {
            Some(duration) if duration.value.0.is_zero() => {
                self.low
                    .problems
                    .error("E0204", duration.mark, "a run of no length shows nothing")
                    .expected("expected a duration above 0, such as `30m`");
                Span::MAX
            }
            // A simulated month; more is a slip of the unit.
            Some(duration) if duration.value.0 > Span::from_secs(31 * 86_400) => {
                self.low
                    .problems
                    .error("E0204", duration.mark, format!("a run of {} is too long", duration.value.0))
                    .expected("expected at most 31 days (`31d`)");
                Span::MAX
            }
            Some(duration) => duration.value.0,
            None => {
                if node.get("duration").is_none() {
                    self.low
                        .problems
                        .error("E0202", node.mark, "`duration` is missing in a scenario")
                        .expected("expected the length of the run, such as `duration: 30m`");
                }
                Span::MAX
            }
        }
    }

    /// One seed, or several; 1 when nothing is said.
    fn seeds(&mut self, raw: &ScenarioRaw) -> Vec<u64> {
        if let (Some(seed), false) = (raw.seed, raw.seeds.is_empty()) {
            self.low
                .problems
                .error("E0207", seed.mark, "both `seed` and `seeds` are given")
                .expected("expected only one of the two");
        }
        let mut seeds: Vec<u64> = Vec::new();
        for seed in raw.seeds.iter().chain(&raw.seed) {
            if seeds.contains(&seed.value) {
                self.low
                    .problems
                    .error("E0308", seed.mark, format!("the seed {} is listed twice", seed.value))
                    .expected("expected each seed once")
                    .help("the same seed gives the same run");
            }
            seeds.push(seed.value);
        }
        if seeds.is_empty() { vec![1] } else { seeds }
    }

    /// The workload called `name` or `namespace/name`.
    fn workload(&self, name: &str) -> Option<WorkloadId> {
        let (namespace, name) = name.split_once('/').map_or((None, name), |(space, name)| (Some(space), name));
        let catalog = &self.low.catalog;
        let found = catalog.workloads.iter().find(|(_, w)| {
            catalog.text(w.name) == name && namespace.is_none_or(|space| catalog.text(w.namespace) == space)
        });
        found.map(|(id, _)| id)
    }

    /// The same; an unknown one is a problem at `name`.
    fn known_workload(&mut self, name: &crate::text::At<String>) -> Option<WorkloadId> {
        let found = self.workload(&name.value);
        if found.is_none() && !self.incomplete.workloads {
            let catalog = &*self.low.catalog;
            let known = catalog.workloads.rows().iter().map(|w| catalog.text(w.name));
            self.low
                .problems
                .error("E0303", name.mark, format!("there is no workload `{}`", name.value))
                .expected("expected the name of a workload")
                .suggest(&name.value, known);
        }
        found
    }

    /// The service called `name` or `namespace/name`; an unknown one is a problem.
    fn known_service(&mut self, name: &crate::text::At<String>) -> Option<ServiceId> {
        let (namespace, bare) = name.value.split_once('/').map_or((None, &*name.value), |(s, n)| (Some(s), n));
        let catalog = &*self.low.catalog;
        let found = catalog.services.iter().find(|(_, s)| {
            catalog.text(s.name) == bare && namespace.is_none_or(|space| catalog.text(s.namespace) == space)
        });
        let found = found.map(|(id, _)| id);
        if found.is_none() && !self.incomplete.workloads {
            let known = catalog.services.rows().iter().map(|s| catalog.text(s.name));
            self.low
                .problems
                .error("E0304", name.mark, format!("there is no service `{}`", name.value))
                .expected("expected the name of a service")
                .suggest(&name.value, known);
        }
        found
    }

    /// The node called `name`.
    fn node(&self, name: &str) -> Option<NodeId> {
        let symbol = self.low.catalog.names.find(name)?;
        self.low.catalog.nodes.iter().find(|(_, node)| node.name == symbol).map(|(id, _)| id)
    }

    /// Interned pairs.
    fn pairs<'t>(&mut self, pairs: impl IntoIterator<Item = (&'t str, &'t str)>) -> Vec<(Symbol, Symbol)> {
        let names = &mut self.low.catalog.names;
        pairs.into_iter().map(|(key, value)| (names.intern(key), names.intern(value))).collect()
    }

    /// True when some workload's pods match the selector of `service`.
    fn backed(&self, service: ServiceId) -> bool {
        let catalog = &*self.low.catalog;
        let spec = &catalog.services[service];
        let Some(selector) = &spec.selector else { return false };
        let matches = |labels: &Labels| selector.matches(labels, &catalog.names);
        let template = |id: TemplateId| &catalog.templates[id];
        catalog.workloads.rows().iter().any(|w| w.namespace == spec.namespace && matches(&template(w.template).labels))
    }
}

/// What kind of node this is, for messages about whole files.
pub(crate) fn is_mapping(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

/// Files a problem where a file is named that cannot be read.
fn unreadable(problems: &mut Problems, named: &crate::text::At<String>, error: &crate::text::ReadError) {
    problems
        .error(error.code(), named.mark, format!("cannot read `{}`: {error}", named.value))
        .expected("expected the path of a readable UTF-8 file")
        .help(error.help());
}
