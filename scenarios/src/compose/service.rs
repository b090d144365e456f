//! One service of a Compose file: into a pod template, a deployment and perhaps a service of its name.
//!
//! Start at [`Reader::service`].

use shakedown_engine::ids::{ServiceId, WorkloadId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{
    Container, PodTemplate, PullPolicy, Resources, RestartPolicy, RestartWish, SCORED_CPU, SCORED_MEMORY, ServiceSpec,
    Strategy, Wishes, WorkloadKind, WorkloadSpec,
};

use super::amounts::DURATION;
use super::deploy::Mode;
use super::placement::Wanted;
use super::ports::Claims;
use super::treatment::strategy;
use super::{Reader, keys};
use crate::manifest::{DEFAULT_IMAGE_SIZE, image_name};
use crate::shapes::{Shape, allowed, one_a_node};
use crate::text::{Decode, IMAGE, Key, Node, Value, is_image, wrong_type};

/// The label by which the replicas of a service are known. Source: docker/compose:pkg/api/labels.go.
const SERVICE_LABEL: &str = "com.docker.compose.service";

impl Reader<'_, '_> {
    /// Lowers a service; `asked` when another one depends on it. `None`, with a problem filed, when it is broken.
    pub(super) fn service(&mut self, key: &Key, node: &Node, asked: bool) -> Option<(WorkloadId, Option<ServiceId>)> {
        let before = self.low.problems.errors();
        if !self.keys(node, &keys::SERVICE) {
            return None;
        }
        let deploy = self.part(node, "deploy", &keys::DEPLOY);
        self.dependencies_of(node);
        let ports = self.ports(node);
        let headless = deploy.and_then(|deploy| self.word(deploy, "endpoint_mode", &["vip", "dnsrr"])) == Some("dnsrr");
        let names = &mut self.low.catalog.names;
        let selector = Selector::equals([(names.intern(SERVICE_LABEL), names.intern(&key.text))]);
        let shape = self.shape(node, deploy);
        let reached = asked || ports.is_some();
        let mut wishes = Wishes { update: self.update(deploy), rollback: self.rollback(deploy), ..Wishes::default() };
        let mut template = self.template(key, (node, deploy), &selector)?;
        let Claims { host, published } = ports.unwrap_or_default();
        (template.host_ports, template.published) = (host, published);
        wishes.restart = self.restarts(node, deploy, &shape, &mut template);
        self.classic(node, deploy, (&mut template, &mut wishes));
        if self.low.problems.errors() > before || !self.low.first("Deployment", "default", &key.text, key.mark) {
            return None;
        }
        let spec = self.spec((key, selector.clone()), shape, template, wishes);
        let workload = self.low.declare(spec, key.mark);
        let (name, namespace) = (self.low.catalog.names.intern(&key.text), self.low.catalog.names.intern("default"));
        let service = (reached && self.low.first("Service", "default", &key.text, key.mark)).then(|| {
            let selector = Some(selector);
            self.low.catalog.services.push(ServiceSpec {
                name,
                namespace,
                selector,
                headless,
                ..ServiceSpec::new(name, namespace, Selector::default())
            })
        });
        Some((workload, service))
    }

    /// Its kind, by mode and replicas.
    fn shape(&mut self, node: &Node, deploy: Option<&Node>) -> Shape {
        let replicas = self.replicas(node, deploy);
        match self.mode(deploy) {
            Mode::Replicated => Shape::Replicas(replicas),
            Mode::Global => Shape::EachNode,
            Mode::ReplicatedJob => Shape::Ending(replicas),
            Mode::GlobalJob => Shape::EndingOnEachNode,
        }
    }

    /// What happens to its containers that end. Tasks of a job that succeed are never started again.
    fn restarts(
        &mut self,
        node: &Node,
        deploy: Option<&Node>,
        shape: &Shape,
        template: &mut PodTemplate,
    ) -> RestartWish {
        let (restart, wish) = self.restart(node, deploy);
        template.restart = match restart {
            // Source: docker/cli:cli/command/service/opts.go: the condition `any` is not for jobs.
            RestartPolicy::Always if shape.ends() => RestartPolicy::OnFailure,
            restart => restart,
        };
        wish
    }

    fn spec(
        &mut self,
        (key, selector): (&Key, Selector),
        shape: Shape,
        mut template: PodTemplate,
        wishes: Wishes,
    ) -> WorkloadSpec {
        let catalog = &mut *self.low.catalog;
        if matches!(shape, Shape::EndingOnEachNode) {
            one_a_node(catalog, &mut template, &selector);
        }
        let nodes = allowed(catalog, &template.affinity);
        let (kind, details, replicas) = shape.kind(&wishes.update, wishes.restart.attempts, nodes);
        let strategy = if kind == WorkloadKind::Deployment { strategy(&wishes.update) } else { Strategy::Default };
        let (name, namespace) = (catalog.names.intern(&key.text), template.namespace);
        let template = catalog.templates.push(template);
        WorkloadSpec {
            kind,
            details,
            replicas,
            strategy,
            wishes,
            ..WorkloadSpec::deployment(name, namespace, template, selector)
        }
    }

    fn template(&mut self, key: &Key, (node, deploy): (&Node, Option<&Node>), own: &Selector) -> Option<PodTemplate> {
        let share = self.share(node, deploy);
        let Wanted { affinity, spread, wishes } = self.placement(deploy, own);
        let labels = self.labels(node, &key.text);
        let grace = self.amount(node, "stop_grace_period", &DURATION);
        let probes = self.health(node);
        let pull = self.pull(node);
        let image = image_name(&self.image(key, node)?);
        let requests = Resources::new(share.cpu.unwrap_or_default(), share.memory.unwrap_or_default());
        let catalog = &mut self.low.catalog;
        let (name, id) = (catalog.names.intern(&key.text), catalog.image(&image, DEFAULT_IMAGE_SIZE));
        let container = Container {
            pull,
            requests: requests.clone(),
            cpu_limit: share.cpu_limit,
            memory_limit: share.memory_limit,
            probes,
            ..Container::new(name, id, Resources::default())
        };
        let namespace = catalog.names.intern("default");
        Some(PodTemplate {
            requests,
            score_cpu: share.cpu.unwrap_or(SCORED_CPU),
            score_memory: share.memory.unwrap_or(SCORED_MEMORY),
            affinity,
            spread,
            wishes,
            grace,
            ..PodTemplate::new(namespace, labels, vec![container])
        })
    }

    /// The image; a service that is only built gets one of its own name.
    fn image(&mut self, key: &Key, node: &Node) -> Option<String> {
        match node.get("image").filter(|image| !image.is_null()) {
            Some(image) if !self.is_known(image) => None,
            Some(image) => {
                let text = String::decode(image, self.low.problems)?;
                if !is_image(&text) {
                    self.low
                        .problems
                        .error("E0204", image.mark, format!("`{text}` cannot be the name of an image"))
                        .expected(IMAGE);
                    return None;
                }
                Some(text)
            }
            None if node.get("build").is_some_and(|build| !build.is_null()) => {
                let text = format!("`{0}` is built, not pulled: its image is taken to be `{0}`", key.text);
                self.low.problems.info("N0612", key.mark, text).help("write `image` next to `build` to name it");
                Some(key.text.clone())
            }
            None => {
                self.low
                    .problems
                    .error("E0202", key.mark, format!("the service `{}` has no image", key.text))
                    .expected("expected `image: NAME` or `build: FOLDER` in this service");
                None
            }
        }
    }

    /// Labels of containers become labels of pods.
    fn labels(&mut self, node: &Node, service: &str) -> Labels {
        let mut pairs = self.pairs(node, "labels");
        // Last, so that it wins.
        pairs.push((SERVICE_LABEL.to_owned(), service.to_owned()));
        let names = &mut self.low.catalog.names;
        Labels::new(pairs.iter().map(|(key, value)| (names.intern(key), names.intern(value))).collect::<Vec<_>>())
    }

    /// A mapping, or a list of `key=value`.
    pub(super) fn pairs(&mut self, node: &Node, key: &str) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let Some(labels) = node.get(key).filter(|labels| !labels.is_null()) else { return pairs };
        match &labels.value {
            Value::Map(entries) => {
                for (key, value) in entries {
                    let text = match value.is_null() {
                        true => Some(String::new()),
                        false => String::decode(value, self.low.problems),
                    };
                    pairs.extend(text.map(|text| (key.text.clone(), text)));
                }
            }
            Value::List(items) => {
                for item in items {
                    let Some(text) = String::decode(item, self.low.problems) else { continue };
                    let (key, value) = text.split_once('=').unwrap_or((&text, ""));
                    pairs.push((key.to_owned(), value.to_owned()));
                }
            }
            Value::Scalar { .. } => wrong_type(labels, "a mapping, or a list of `key=value`", self.low.problems),
        }
        pairs
    }

    /// Docker fetches what is missing, `latest` or not. Source: compose-spec/compose-spec:05-services.md, pull_policy.
    fn pull(&mut self, node: &Node) -> PullPolicy {
        const WORDS: [&str; 8] =
            ["always", "never", "missing", "if_not_present", "build", "daily", "weekly", "refresh"];
        let policy = self.written(node, "pull_policy");
        let word = match policy.and_then(Node::scalar) {
            Some(text) if text.starts_with("every_") => Some("refresh"),
            _ => self.word(node, "pull_policy", &WORDS),
        };
        match word {
            Some("always") => PullPolicy::Always,
            Some("never") => PullPolicy::Never,
            Some("daily" | "weekly" | "refresh") => {
                let mark = policy.map_or(node.mark, |policy| policy.mark);
                self.low.unmodelled.field(
                    "pull_policy",
                    "an image is fetched when it is missing, not by its age",
                    mark,
                );
                PullPolicy::IfNotPresent
            }
            _ => PullPolicy::IfNotPresent,
        }
    }

    /// `depends_on` and `links` have their form, even where only the names matter.
    fn dependencies_of(&mut self, node: &Node) {
        let conditions = ["service_started", "service_healthy", "service_completed_successfully"];
        if let Some(after) = node.get("depends_on").filter(|after| !after.is_null()) {
            match &after.value {
                Value::Map(entries) => {
                    for (_, how) in entries.iter().filter(|(_, how)| !how.is_null()) {
                        if self.keys(how, &keys::DEPENDS) {
                            self.word(how, "condition", &conditions);
                            self.word(how, "required", &["true", "false"]);
                            self.word(how, "restart", &["true", "false"]);
                        }
                    }
                }
                Value::List(items) => self.texts(items),
                Value::Scalar { .. } => wrong_type(after, "a list of services", self.low.problems),
            }
        }
        let links = self.list(node, "links");
        self.texts(links);
    }

    fn texts(&mut self, items: &[Node]) {
        for item in items.iter().filter(|item| item.scalar().is_none()) {
            wrong_type(item, "the name of a service", self.low.problems);
        }
    }
}
