//! Containers: resources, probes, images, hooks.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use shakedown_engine::model::{Bytes, Container, MilliCpu, PullPolicy, Resources};
use shakedown_engine::time::Span;

use super::invalid::At;
use super::{DEFAULT_IMAGE_SIZE, Lowering, place};
use crate::problem::Mark;
use crate::text::{IMAGE, MAX_BYTES, MAX_MILLI_CPU, Node, Scale, is_image, parse_quantity};

/// A container and what scoring needs to know of it.
pub(super) struct Lowered {
    pub(super) container: Container,
    /// CPU and memory as scoring sees them.
    pub(super) score: Resources,
}

/// CPU that scoring assumes when none is requested. Source: kubernetes/kubernetes:pkg/scheduler/util/pod_resources.go.
const SCORE_CPU: MilliCpu = MilliCpu(100);
/// Memory that scoring assumes when none is requested (same source).
const SCORE_MEMORY: Bytes = Bytes(200 << 20);

impl Lowering<'_> {
    /// Lowers a container written at `node`.
    pub(super) fn container(&mut self, from: &core::Container, at: At<'_>) -> Option<Lowered> {
        let node = at.node;
        let Some(image) = from.image.as_deref().filter(|image| !image.is_empty()) else {
            self.problems
                .error("E0505", node.mark, format!("the container `{}` has no image", from.name))
                .expected("expected a field `image`");
            return None;
        };
        if !is_image(image) {
            self.problems
                .error("E0505", place(node, &["image"]), format!("`{image}` cannot be the name of an image"))
                .expected(IMAGE);
            return None;
        }
        let resources = from.resources.clone().unwrap_or_default();
        let limits = resources.limits.unwrap_or_default();
        let mut requests = limits.clone();
        // A limit without a request is the request, too. Source: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go.
        requests.extend(resources.requests.clone().unwrap_or_default());
        let wrong_before = self.problems.errors();
        let written = resources.requests.unwrap_or_default();
        let quantity_place = |name: &str| {
            let part = if written.contains_key(name) { "requests" } else { "limits" };
            place(node, &["resources", part, name])
        };
        let lowered = self.resources(&requests, &quantity_place);
        let ceiling = self.resources(&limits, &|name| place(node, &["resources", "limits", name]));
        if self.problems.errors() == wrong_before {
            self.above_limit((&lowered, &ceiling), &limits, node);
        }
        if self.problems.errors() > wrong_before {
            return None;
        }
        let mut score = Resources::new(lowered.cpu, lowered.memory);
        if !requests.contains_key("cpu") {
            score.cpu = SCORE_CPU;
        }
        if !requests.contains_key("memory") {
            score.memory = SCORE_MEMORY;
        }
        self.hooks(from, node);
        if let Some(policy) = from.image_pull_policy.as_deref().filter(|policy| !policy.is_empty()) {
            self.word(at, "imagePullPolicy", policy, &["Always", "IfNotPresent", "Never"])?;
        }
        let probes = self.probes(from, at);
        if self.problems.errors() > wrong_before {
            return None;
        }
        let image = image_name(image);
        let (name, id) = (self.catalog.names.intern(&from.name), self.catalog.image(&image, DEFAULT_IMAGE_SIZE));
        let container = Container {
            pull: pull_policy(from.image_pull_policy.as_deref(), &image),
            requests: lowered,
            cpu_limit: limits.contains_key("cpu").then_some(ceiling.cpu),
            memory_limit: limits.contains_key("memory").then_some(ceiling.memory),
            probes,
            pre_stop: from.lifecycle.as_ref().and_then(|cycle| cycle.pre_stop.as_ref()).and_then(pre_stop),
            sidecar: from.restart_policy.as_deref() == Some("Always"),
            ..Container::new(name, id, Resources::default())
        };
        Some(Lowered { container, score })
    }

    /// Amounts by name; a malformed one is a problem at the place that `at` gives.
    pub(super) fn resources(&mut self, from: &BTreeMap<String, Quantity>, at: &dyn Fn(&str) -> Mark) -> Resources {
        let mut out = Resources::default();
        for (name, quantity) in from {
            let scale = if name == "cpu" { Scale::Milli } else { Scale::Unit };
            let most = if name == "cpu" { MAX_MILLI_CPU } else { MAX_BYTES };
            let Some(amount) = parse_quantity(&quantity.0, scale).filter(|&amount| amount <= most) else {
                self.problems
                    .error("E0502", at(name), format!("`{}` is not a possible quantity of `{name}`", quantity.0))
                    .expected("expected a number with an optional suffix: `250m`, `0.5`, `64Mi`, `1Gi`, `500M`")
                    .help(
                        "suffixes are n u m k M G T P E and Ki Mi Gi Ti Pi Ei; quantities are not negative, and at most \
                         1000000 cores or 1Pi here",
                    );
                continue;
            };
            match name.as_str() {
                "cpu" => out.cpu = MilliCpu(amount),
                "memory" => out.memory = Bytes(amount),
                "ephemeral-storage" => out.ephemeral = Bytes(amount),
                _ => {
                    let name = self.catalog.names.intern(name);
                    out.extended.push((name, amount));
                }
            }
        }
        out.extended.sort_unstable();
        out
    }

    fn above_limit(
        &mut self,
        (requests, ceiling): (&Resources, &Resources),
        limits: &BTreeMap<String, Quantity>,
        node: &Node,
    ) {
        let cpu = limits.contains_key("cpu") && requests.cpu > ceiling.cpu;
        let memory = limits.contains_key("memory") && requests.memory > ceiling.memory;
        for (wrong, name) in [(cpu, "cpu"), (memory, "memory")] {
            if wrong {
                self.problems
                    .error(
                        "E0505",
                        place(node, &["resources", "requests", name]),
                        format!("the request of `{name}` is above its limit"),
                    )
                    .expected("expected a request that is at most the limit")
                    .help("raise the limit or lower the request: the API server refuses this, too");
            }
        }
    }

    /// A hook that is a command of unknown length takes no time.
    fn hooks(&mut self, from: &core::Container, node: &Node) {
        let Some(hook) = from.lifecycle.as_ref().and_then(|cycle| cycle.pre_stop.as_ref()) else { return };
        if hook.exec.is_some() && pre_stop(hook).is_none() {
            let why = "how long this command takes is not known; it is taken as no time";
            self.unmodelled.field("containers.lifecycle.preStop", why, place(node, &["lifecycle"]));
        }
    }
}

/// The name under which the runtime knows an image: with the tag `latest` when none is given.
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/imagelocality/image_locality.go, normalizedImageName.
pub(crate) fn image_name(image: &str) -> String {
    let tagged = match (image.rfind(':'), image.rfind('/')) {
        (Some(colon), Some(slash)) => colon > slash,
        (colon, _) => colon.is_some(),
    };
    if tagged { image.to_owned() } else { format!("{image}:latest") }
}

/// `Always` for `latest`, unless said otherwise. Source: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go.
pub(crate) fn pull_policy(declared: Option<&str>, image: &str) -> PullPolicy {
    match declared {
        Some("Always") => PullPolicy::Always,
        Some("IfNotPresent") => PullPolicy::IfNotPresent,
        Some("Never") => PullPolicy::Never,
        _ if image.ends_with(":latest") && !image.contains('@') => PullPolicy::Always,
        _ => PullPolicy::IfNotPresent,
    }
}

/// How long a hook takes, when it only sleeps.
fn pre_stop(hook: &core::LifecycleHandler) -> Option<Span> {
    if let Some(sleep) = &hook.sleep {
        return u64::try_from(sleep.seconds).ok().map(Span::from_secs);
    }
    let command = hook.exec.as_ref()?.command.as_ref()?.join(" ");
    let (_, after) = command.rsplit_once("sleep ")?;
    after.trim().trim_end_matches('s').parse().ok().map(Span::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_without_a_tag_are_latest_and_always_pulled() {
        assert_eq!(image_name("redis"), "redis:latest");
        assert_eq!(image_name("host:5000/redis"), "host:5000/redis:latest");
        assert_eq!(image_name("host:5000/redis:7"), "host:5000/redis:7");
        assert_eq!(pull_policy(None, "redis:latest"), PullPolicy::Always);
        assert_eq!(pull_policy(None, "redis:7"), PullPolicy::IfNotPresent);
        assert_eq!(pull_policy(Some("Never"), "redis:latest"), PullPolicy::Never);
    }
}
