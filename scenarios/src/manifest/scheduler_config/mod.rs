//! `KubeSchedulerConfiguration` files, used as they are: what kube-scheduler reads with `--config`.
//!
//! Each profile of the file becomes a profile of the simulated scheduler, made from the defaults of the simulated
//! version. Defaults: kubernetes/kubernetes:pkg/scheduler/apis/config/v1/defaults.go. Start at [`SchedulerConfig`].

mod args;
mod plugins;

use std::collections::BTreeSet;

use shakedown_engine::fact::Client;
use shakedown_engine::profile::{DEFAULT_SCHEDULER, Profile, RateLimit, SchedulerProfile};
use shakedown_engine::time::Span;

use self::args::Args;
use self::plugins::Plugins;
use super::Lowering;
use crate::text::Node;

/// The only version of the file that current releases read.
const VERSION: &str = "kubescheduler.config.k8s.io/v1";

/// A scheduler's configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct SchedulerConfig {
    profiles: Vec<One>,
    percent: Option<u32>,
    initial_backoff: Option<Span>,
    max_backoff: Option<Span>,
    qps: Option<u32>,
    burst: Option<u32>,
}

/// A profile of the file.
#[derive(Clone, Debug)]
struct One {
    name: String,
    percent: Option<u32>,
    plugins: Plugins,
    args: Args,
}

impl SchedulerConfig {
    /// Names of the schedulers that it makes.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.iter().map(|one| one.name.as_str())
    }

    /// Changes an orchestrator as this file changes kube-scheduler.
    pub(crate) fn apply(&self, profile: &mut Profile) {
        let set = |place: &mut Span, value: Option<Span>| *place = value.unwrap_or(*place);
        set(&mut profile.queue.initial_backoff, self.initial_backoff);
        set(&mut profile.queue.max_backoff, self.max_backoff);
        let limit: &mut RateLimit = &mut profile.control.limits[Client::Scheduler as usize];
        limit.qps = self.qps.unwrap_or(limit.qps);
        limit.burst = self.burst.unwrap_or(limit.burst);
        if let Some(percent) = self.percent {
            profile.placement.sampling.percent = percent;
        }
        let base = profile.placement.clone();
        for one in &self.profiles {
            let mut placement = one.plugins.placement(&base, &one.args);
            if let Some(percent) = one.percent {
                placement.sampling.percent = percent;
            }
            if one.name == DEFAULT_SCHEDULER {
                profile.placement = placement;
            } else {
                profile.schedulers.push(SchedulerProfile { name: one.name.clone(), placement });
            }
        }
    }
}

/// Fields of the file that change nothing that is simulated.
const IDLE: [&str; 9] = [
    "apiVersion",
    "kind",
    "delayCacheUntilActive",
    "enableContentionProfiling",
    "enableProfiling",
    "healthzBindAddress",
    "leaderElection",
    "metricsBindAddress",
    "parallelism",
];

impl Lowering<'_> {
    /// Reads a configuration; everything that is wrong with it is filed.
    pub(crate) fn scheduler_config(&mut self, node: &Node) -> Option<SchedulerConfig> {
        let text = |field: &str| node.get(field).and_then(Node::scalar).unwrap_or_default();
        if text("kind") != "KubeSchedulerConfiguration" || text("apiVersion") != VERSION {
            self.problems
                .error("E0512", node.mark, "this is no scheduler configuration that current releases read")
                .expected(format!("expected `apiVersion: {VERSION}` and `kind: KubeSchedulerConfiguration`"));
            return None;
        }
        let before = self.problems.errors();
        let mut config = SchedulerConfig::default();
        for (key, value) in node.entries() {
            match key.text.as_str() {
                "percentageOfNodesToScore" => config.percent = self.percentage(value),
                "podInitialBackoffSeconds" => config.initial_backoff = self.whole(value).map(seconds),
                "podMaxBackoffSeconds" => config.max_backoff = self.whole(value).map(seconds),
                "clientConnection" => self.client(value, &mut config),
                "profiles" => config.profiles = self.scheduler_profiles(value),
                "extenders" if !value.items().is_empty() => {
                    let why = "what an extender would answer is not known; pods are placed without it";
                    self.unmodelled.field("KubeSchedulerConfiguration.extenders", why, key.mark);
                }
                "extenders" => {}
                field if IDLE.contains(&field) => {}
                field => self.unknown_field(field, key.mark),
            }
        }
        (self.problems.errors() == before).then_some(config)
    }

    fn client(&mut self, node: &Node, config: &mut SchedulerConfig) {
        for (key, value) in node.entries() {
            match key.text.as_str() {
                "qps" => config.qps = self.whole(value),
                "burst" => config.burst = self.whole(value),
                "acceptContentTypes" | "contentType" | "kubeconfig" => {}
                field => self.unknown_field(field, key.mark),
            }
        }
    }

    fn scheduler_profiles(&mut self, node: &Node) -> Vec<One> {
        let mut out = Vec::new();
        let mut names = BTreeSet::new();
        for item in node.items() {
            let mut one = One {
                name: DEFAULT_SCHEDULER.to_owned(),
                percent: None,
                plugins: Plugins::default(),
                args: Args::default(),
            };
            for (key, value) in item.entries() {
                match key.text.as_str() {
                    "schedulerName" => one.name = value.scalar().unwrap_or(DEFAULT_SCHEDULER).to_owned(),
                    "percentageOfNodesToScore" => one.percent = self.percentage(value),
                    "plugins" => one.plugins = self.scheduler_plugins(value),
                    "pluginConfig" => one.args = self.plugin_config(value),
                    field => self.unknown_field(field, key.mark),
                }
            }
            if !names.insert(one.name.clone()) {
                // Source: kubernetes/kubernetes:pkg/scheduler/apis/config/validation/validation.go.
                self.problems
                    .error("E0512", item.mark, format!("profiles: Duplicate value: \"{}\"", one.name))
                    .expected("expected a `schedulerName` of its own for each profile");
            }
            out.push(one);
        }
        out
    }

    /// Files that the configuration has no such field: kube-scheduler reads it strictly.
    fn unknown_field(&mut self, field: &str, mark: crate::problem::Mark) {
        self.problems
            .error("E0512", mark, format!("strict decoding error: unknown field \"{field}\""))
            .expected("expected a field of the scheduler's configuration");
    }

    fn whole(&mut self, node: &Node) -> Option<u32> {
        let value = node.scalar().and_then(|text| text.parse().ok());
        if value.is_none() {
            self.problems
                .error("E0512", node.mark, format!("{} is not what belongs here", node.describe()))
                .expected("expected a whole number from 0");
        }
        value
    }

    fn percentage(&mut self, node: &Node) -> Option<u32> {
        let value = self.whole(node)?;
        if value > 100 {
            self.problems
                .error(
                    "E0512",
                    node.mark,
                    format!("percentageOfNodesToScore: Invalid value: {value}: not in valid range [0-100]"),
                )
                .expected("expected a number from 0 to 100");
            return None;
        }
        Some(value)
    }
}

fn seconds(n: u32) -> Span {
    Span::from_secs(u64::from(n))
}
