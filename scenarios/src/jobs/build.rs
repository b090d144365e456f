//! What job files have in common on their way into the catalog: a workload, its pods, and services before them.
//!
//! Start at [`Unit`].

use shakedown_engine::ids::WorkloadId;
use shakedown_engine::labels::{Interner, Labels, Selector};
use shakedown_engine::model::{
    Bytes, Container, MilliCpu, PodTemplate, Resources, ServiceSpec, Strategy, Wishes, WorkloadKind, WorkloadSpec,
};
use shakedown_engine::time::Span;

use super::read::Reader;
use crate::manifest::{DEFAULT_IMAGE_SIZE, image_name};
use crate::problem::Mark;
use crate::shapes::{Shape, allowed, one_a_node};
use crate::text::{IMAGE, MAX_BYTES, MAX_MILLI_CPU, NAME, is_image, is_name};

/// A workload before it is declared.
pub(super) struct Unit {
    /// Unique in the file; checked when it is declared.
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) shape: Shape,
    pub(super) template: PodTemplate,
    pub(super) own: Selector,
    pub(super) strategy: Strategy,
    pub(super) min_ready: Span,
    pub(super) progress_deadline: Option<Span>,
    pub(super) wishes: Wishes,
}

impl Unit {
    /// Pods of these containers under labels of their own.
    pub(super) fn new(
        names: &mut Interner,
        (name, mark): (String, Mark),
        labels: &[(&str, &str)],
        containers: Vec<Container>,
    ) -> Self {
        let pairs: Vec<_> = labels.iter().map(|(key, value)| (names.intern(key), names.intern(value))).collect();
        let own = Selector::equals(pairs.clone());
        let template = PodTemplate::new(names.intern("default"), Labels::new(pairs), containers);
        Self {
            name,
            mark,
            shape: Shape::Replicas(1),
            template,
            own,
            strategy: Strategy::Default,
            min_ready: Span::ZERO,
            progress_deadline: None,
            wishes: Wishes::default(),
        }
    }

    /// Containers that run before the others end or beside them: they need room, too.
    pub(super) fn with_init(&mut self, init: Vec<Container>) {
        let requests = &mut self.template.requests;
        for container in &init {
            let own = &container.requests;
            match container.sidecar {
                true => requests.add(own),
                false => {
                    requests.cpu = requests.cpu.max(own.cpu);
                    requests.memory = requests.memory.max(own.memory);
                }
            }
        }
        self.template.init = init;
    }
}

impl Reader<'_, '_> {
    /// Adds the workload to the catalog; `None`, with a problem filed, when its name is impossible or taken.
    pub(super) fn declare(&mut self, unit: Unit) -> Option<WorkloadId> {
        let Unit { name, mark, shape, mut template, own, strategy, min_ready, progress_deadline, wishes } = unit;
        if !is_name(&name) {
            self.low.problems.error("E0204", mark, format!("`{name}` cannot be a name")).expected(NAME);
            return None;
        }
        if !self.low.first("Deployment", "default", &name, mark) {
            return None;
        }
        let catalog = &mut *self.low.catalog;
        if matches!(shape, Shape::EndingOnEachNode) {
            one_a_node(catalog, &mut template, &own);
        }
        let nodes = allowed(catalog, &template.affinity);
        let (kind, details, replicas) = shape.kind(&wishes.update, wishes.restart.attempts, nodes);
        let (name, namespace) = (catalog.names.intern(&name), template.namespace);
        self.unfitting(&template, mark);
        let template = self.low.catalog.templates.push(template);
        let strategy = if kind == WorkloadKind::Deployment { strategy } else { Strategy::Default };
        self.low.bounded(replicas, mark);
        let spec = WorkloadSpec {
            kind,
            details,
            replicas,
            strategy,
            min_ready,
            progress_deadline,
            wishes,
            ..WorkloadSpec::deployment(name, namespace, template, own)
        };
        let id = self.low.declare(spec, mark);
        self.lowered.workloads.push(id);
        Some(id)
    }

    /// Conditions that no node meets leave all of it pending, as in the original, but rarely on purpose.
    fn unfitting(&mut self, template: &PodTemplate, mark: Mark) {
        let catalog = &*self.low.catalog;
        if !catalog.nodes.is_empty() && allowed(catalog, &template.affinity) == 0 {
            self.low
                .problems
                .warn("W0614", mark, "no node of the cluster meets these constraints: the replicas stay pending")
                .help("give nodes `labels`, `zone` or `roles` under `cluster.nodes`");
        }
    }

    /// A name with endpoints before these pods, unless there already is one.
    pub(super) fn service(&mut self, (name, mark): (&str, Mark), own: &Selector) {
        if !is_name(name) {
            self.low.problems.error("E0204", mark, format!("`{name}` cannot be a name")).expected(NAME);
            return;
        }
        let names = &mut self.low.catalog.names;
        let (symbol, namespace) = (names.intern(name), names.intern("default"));
        if self.low.catalog.services.rows().iter().any(|s| s.name == symbol && s.selector.as_ref() == Some(own)) {
            return;
        }
        if self.low.first("Service", "default", name, mark) {
            let id = self.low.catalog.services.push(ServiceSpec::new(symbol, namespace, own.clone()));
            self.lowered.services.push((id, mark));
        }
    }

    /// A container of an image; a command without one runs in an image of the container's name.
    pub(super) fn container(&mut self, name: &str, image: Option<(&str, Mark)>, requests: Resources) -> Container {
        let image = match image {
            Some((image, mark)) if !is_image(image) => {
                let what = format!("`{image}` cannot be the name of an image");
                self.low.problems.error("E0204", mark, what).expected(IMAGE);
                "invalid".to_owned()
            }
            Some((image, _)) => image_name(image),
            // Plain commands are fetched, too, and behave somehow: they go by their names under `images`.
            None => image_name(&plain(name)),
        };
        let catalog = &mut *self.low.catalog;
        let id = catalog.image(&image, DEFAULT_IMAGE_SIZE);
        let symbol = catalog.names.intern(name);
        Container::new(symbol, id, requests)
    }

    /// CPU and memory within what anything can have.
    pub(super) fn room(&mut self, milli: u64, bytes: u64, mark: Mark) -> Resources {
        let cpu = i64::try_from(milli).ok().filter(|&milli| milli <= MAX_MILLI_CPU);
        let memory = i64::try_from(bytes).ok().filter(|&bytes| bytes <= MAX_BYTES);
        if cpu.is_none() || memory.is_none() {
            self.wrong(mark, "this is more than any machine has".to_owned(), "expected at most 1000000 cores and 1Pi");
        }
        Resources::new(MilliCpu(cpu.unwrap_or_default()), Bytes(memory.unwrap_or_default()))
    }
}

/// Letters and digits of a name, in lower case, as names of images have them.
fn plain(name: &str) -> String {
    let out: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let out = out.trim_matches('-').to_owned();
    if out.is_empty() { "command".to_owned() } else { out }
}
