//! One entry into its action: names become ids, new images become templates.

use shakedown_chaos::fault::{Action, AgentFault, CpuClass, CpuLoad, Link, PodDeath};
use shakedown_chaos::select::{Mode, NodeSelection, PodSelection, Side};
use shakedown_chaos::setting::Growth;
use shakedown_engine::ids::{TemplateId, WorkloadId};
use shakedown_engine::model::WorkloadKind;
use shakedown_engine::time::Span;

use super::Labelled;
use super::control::part_in_words;
use super::history::History;
use crate::check::Checker;
use crate::manifest::{DEFAULT_IMAGE_SIZE, image_name, pull_policy};
use crate::problem::Mark;
use crate::raw::{
    ApplyRaw, Class, Death, DeployRaw, EntryRaw, FillRaw, KillPodsRaw, LinkRaw, NodesRaw, SaturateRaw, WorkloadRef,
};
use crate::text::At;

/// What was written for a kind of action, and the action that its target makes.
type Kind<'r, Raw, Target> = (&'r Option<At<Raw>>, fn(Target) -> Action);

impl Checker<'_> {
    /// Actions of an entry: one, or none when it is broken; `apply` of a manifest gives one for each workload.
    pub(super) fn actions(&mut self, raw: &EntryRaw, file: &str, history: &mut History) -> Vec<Labelled> {
        if let Some(apply) = &raw.apply {
            return self.apply(apply, file);
        }
        if let Some(class) = &raw.default_priority {
            return self.default_priority(&class.value).into_iter().collect();
        }
        if let Some(nodes) = &raw.out_of_service {
            return self.out_of_service(&nodes.value, nodes.mark).into_iter().collect();
        }
        let action = self.on_nodes(raw).or_else(|| self.on_network(raw)).or_else(|| self.on_control(raw));
        let action = action.or_else(|| self.by_hand(raw, history)).or_else(|| self.on_workload(raw, history));
        let Some(action) = action else { return Vec::new() };
        let label = self.describe(&action);
        vec![Labelled { action, label }]
    }

    fn on_nodes(&mut self, raw: &EntryRaw) -> Option<Action> {
        let simple: [Kind<'_, NodesRaw, NodeSelection>; 11] = [
            (&raw.kill, Action::Kill),
            (&raw.restore, Action::Restore),
            (&raw.restart, Action::Restart),
            (&raw.cordon, Action::Cordon),
            (&raw.uncordon, Action::Uncordon),
            (&raw.drain, Action::Drain),
            (&raw.remove_node, Action::RemoveNode),
            (&raw.stop_proxies, Action::StopProxies),
            (&raw.stop_agent, |nodes| Action::Agents { nodes, how: AgentFault::Stopped }),
            (&raw.kill_agent, |nodes| Action::Agents { nodes, how: AgentFault::Killed }),
            (&raw.freeze_agent, |nodes| Action::Agents { nodes, how: AgentFault::Frozen }),
        ];
        for (nodes, action) in simple {
            if let Some(nodes) = nodes {
                return self.nodes_of(&nodes.value, nodes.mark).map(action);
            }
        }
        if let Some(saturate) = &raw.saturate {
            return self.saturate(&saturate.value, saturate.mark);
        }
        if let Some(leak) = &raw.leak {
            let rate = Growth(leak.value.rate.value.0);
            return self.pods_of(&leak.value.selection(), leak.mark).map(|pods| Action::Leak { pods, rate });
        }
        if let Some(fill) = &raw.fill {
            return self.fill(&fill.value, fill.mark);
        }
        raw.kill_pods.as_ref().and_then(|kill| self.kill_pods(&kill.value, kill.mark))
    }

    fn fill(&mut self, raw: &FillRaw, mark: Mark) -> Option<Action> {
        let nodes = self.selector(&raw.selector(), mark)?;
        match (raw.memory, raw.disk) {
            (Some(share), None) => Some(Action::FillMemory { nodes, permille: share.0 }),
            (None, Some(share)) => Some(Action::FillDisk { nodes, permille: share.0 }),
            _ => {
                self.low
                    .problems
                    .error("E0202", mark, "`fill` says not what is filled, or says it twice")
                    .expected("expected one of `memory` and `disk`, such as `disk: 90%`");
                None
            }
        }
    }

    fn saturate(&mut self, raw: &SaturateRaw, mark: Mark) -> Option<Action> {
        let permille = raw.cpu.map_or(1000, |share| share.0);
        if permille == 0 {
            self.low.problems.error("E0204", mark, "a load of 0% takes nothing away").expected("expected more than 0%");
            return None;
        }
        let class = match raw.class {
            Some(Class::Container) => CpuClass::Container,
            Some(Class::Realtime) => CpuClass::RealTime,
            Some(Class::Host) | None => CpuClass::Host,
        };
        let nodes = self.selector(&raw.selector(), mark)?;
        Some(Action::Saturate { nodes, load: CpuLoad { permille, class } })
    }

    fn kill_pods(&mut self, raw: &KillPodsRaw, mark: Mark) -> Option<Action> {
        let how = match (raw.how, raw.grace) {
            (Some(Death::Crash), Some(grace)) => {
                self.low
                    .problems
                    .error("E0405", grace.mark, "a crash has no grace")
                    .expected("expected `grace` only with `how: delete`");
                return None;
            }
            (Some(Death::Crash), None) => PodDeath::Crash,
            (_, grace) => PodDeath::Delete { grace: grace.map(|v| v.value.0) },
        };
        self.pods_of(raw, mark).map(|pods| Action::KillPods { pods, how })
    }

    fn on_network(&mut self, raw: &EntryRaw) -> Option<Action> {
        let (kind, link) = [("partition", &raw.partition), ("delay", &raw.delay), ("lose", &raw.lose)]
            .into_iter()
            .find_map(|(kind, link)| link.as_ref().map(|link| (kind, link)))?;
        let lowered = self.link(&link.value, link.mark, kind)?;
        match kind {
            "partition" => Some(Action::Partition(lowered)),
            "delay" => {
                let latency = link.value.latency.map(|v| v.value.0);
                let jitter = link.value.jitter.map_or(Span::ZERO, |v| v.value.0);
                if latency.is_none() {
                    self.missing(link.mark, "latency", "a duration such as `100ms`");
                }
                latency.map(|latency| Action::Delay { link: lowered, latency, jitter })
            }
            _ => {
                let loss = link.value.loss.map(|v| v.value.0);
                if loss.is_none() {
                    self.missing(link.mark, "loss", "a percentage such as `10%`");
                }
                loss.map(|permille| Action::Lose { link: lowered, permille })
            }
        }
    }

    fn missing(&mut self, mark: Mark, field: &str, expected: &str) {
        self.low
            .problems
            .error("E0202", mark, format!("`{field}` is missing in a network fault"))
            .expected(format!("expected `{field}`, {expected}"));
    }

    fn link(&mut self, raw: &LinkRaw, mark: Mark, kind: &str) -> Option<Link> {
        let foreign = [
            (raw.latency.map(|v| v.mark), "latency", kind != "delay"),
            (raw.jitter.map(|v| v.mark), "jitter", kind != "delay"),
            (raw.loss.map(|v| v.mark), "loss", kind != "lose"),
        ];
        for (at, field, wrong) in foreign {
            if let (Some(at), true) = (at, wrong) {
                self.low.problems.error("E0201", at, format!("`{field}` has no meaning in `{kind}`")).expected(
                    "expected `from`, `to` and `one_way`, `latency` and `jitter` for `delay`, `loss` for `lose`",
                );
            }
        }
        let from = self.side(&raw.from, mark);
        let to = match &raw.to {
            Some(to) => self.side(to, mark),
            None => Some(Side { rest: true, ..Side::default() }),
        };
        let (from, to) = (from?, to?);
        if from.rest && to.rest {
            self.low
                .problems
                .error("E0401", mark, "both sides of this network fault are the rest")
                .expected("expected at least one side that is named");
            return None;
        }
        Some(Link { from, to, one_way: raw.one_way.unwrap_or(false) })
    }

    fn on_workload(&mut self, raw: &EntryRaw, history: &mut History) -> Option<Action> {
        if let Some(scale) = &raw.scale {
            let workload = self.operable(&scale.value.workload, Operation::Scale)?;
            let replicas = scale.value.replicas;
            return self
                .low
                .bounded(replicas.value, replicas.mark)
                .then_some(Action::Scale { workload, replicas: replicas.value });
        }
        if let Some(deploy) = &raw.deploy {
            return self.deploy(&deploy.value, deploy.mark, history);
        }
        let simple: [(Operation, Kind<'_, WorkloadRef, WorkloadId>); 6] = [
            (Operation::Rollout, (&raw.undo, Action::Undo)),
            (Operation::Hold, (&raw.pause, Action::Pause)),
            (Operation::Promote, (&raw.promote, Action::Promote)),
            (Operation::Suspend, (&raw.suspend, Action::Pause)),
            (Operation::Resume, (&raw.resume, Action::Resume)),
            (Operation::Ungate, (&raw.ungate, Action::Ungate)),
        ];
        for (operation, (name, action)) in simple {
            if let Some(name) = name {
                return self.operable(&name.value.0, operation).map(action);
            }
        }
        let name = &raw.delete.as_ref()?.value.0;
        self.known_workload(name).map(Action::Delete)
    }

    /// A workload that this operation is possible on.
    pub(super) fn operable(&mut self, name: &At<String>, operation: Operation) -> Option<WorkloadId> {
        let workload = self.known_workload(name)?;
        let spec = &self.low.catalog.workloads[workload];
        let kind = spec.kind;
        let possible = match operation {
            Operation::Scale => {
                matches!(kind, WorkloadKind::Deployment | WorkloadKind::ReplicaSet | WorkloadKind::StatefulSet)
            }
            Operation::Rollout => {
                matches!(kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet)
            }
            Operation::Hold | Operation::Promote => kind == WorkloadKind::Deployment,
            Operation::Suspend => matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob),
            Operation::Resume => {
                matches!(kind, WorkloadKind::Deployment | WorkloadKind::Job | WorkloadKind::CronJob)
            }
            Operation::Redeclare => matches!(kind, WorkloadKind::StatefulSet | WorkloadKind::DaemonSet),
            Operation::Ungate => !self.low.catalog.templates[spec.template].gates.is_empty(),
        };
        if !possible {
            let (what, wanted) = match operation {
                Operation::Scale => ("be scaled", "a deployment, stateful set or replica set"),
                Operation::Rollout => ("roll out", "a deployment, stateful set or daemon set"),
                Operation::Hold => ("be held", "a deployment; jobs and cron jobs are held by `suspend`"),
                Operation::Promote => ("be promoted", "a deployment"),
                Operation::Suspend => ("be suspended", "a job or cron job; deployments are held by `pause`"),
                Operation::Resume => ("be resumed", "a deployment, job or cron job"),
                Operation::Redeclare => ("change how it is updated", "a stateful set or daemon set"),
                Operation::Ungate => ("lose gates", "a workload whose pods have `schedulingGates`"),
            };
            self.low
                .problems
                .error("E0410", name.mark, format!("`{}` cannot {what}", name.value))
                .expected(format!("expected {wanted}"));
        }
        possible.then_some(workload)
    }

    fn deploy(&mut self, raw: &DeployRaw, mark: Mark, history: &mut History) -> Option<Action> {
        let workload = self.operable(&raw.workload, Operation::Rollout)?;
        let current = history.template(workload).unwrap_or(self.low.catalog.workloads[workload].template);
        let mut next = self.low.catalog.templates[current].clone();
        let given: Vec<(Option<&At<String>>, &At<String>)> = match (&raw.image, raw.images.0.as_slice()) {
            (Some(image), []) => vec![(None, image)],
            (None, images) if !images.is_empty() => images.iter().map(|(name, image)| (Some(name), image)).collect(),
            _ => {
                self.low
                    .problems
                    .error("E0207", mark, "a deploy says in exactly one way which images are new")
                    .expected("expected either `image: NAME` or `images: { CONTAINER: NAME }`");
                return None;
            }
        };
        for (container, image) in given {
            if !self.image_named(image) {
                return None;
            }
            let index = self.container_index(&next, container, image)?;
            let name = image_name(&image.value);
            next.containers[index].pull = pull_policy(None, &name);
            next.containers[index].image = self.low.catalog.image(&name, DEFAULT_IMAGE_SIZE);
        }
        let old = &self.low.catalog.templates[current].containers;
        if old.iter().zip(&next.containers).all(|(old, new)| old.image == new.image) {
            self.low.problems.warn(
                "W0409",
                mark,
                format!("`{}` already has this image: nothing is rolled out", raw.workload.value),
            );
        }
        let template = match self.same_template(workload, &next, history) {
            Some(template) => template,
            None => {
                crate::manifest::restamp(&mut next, self.low.catalog);
                self.low.catalog.templates.push(next)
            }
        };
        Some(Action::Deploy { workload, template })
    }

    /// A template of this workload that has the same images: going back is the same revision, as it is in Kubernetes.
    fn same_template(
        &self,
        workload: WorkloadId,
        wanted: &shakedown_engine::model::PodTemplate,
        history: &History,
    ) -> Option<TemplateId> {
        let first = self.low.catalog.workloads[workload].template;
        let images = |template: &shakedown_engine::model::PodTemplate| -> Vec<_> {
            template.containers.iter().map(|container| container.image).collect()
        };
        let all = std::iter::once(first).chain(history.templates(workload));
        all.into_iter().find(|&id| images(&self.low.catalog.templates[id]) == images(wanted))
    }

    fn container_index(
        &mut self,
        template: &shakedown_engine::model::PodTemplate,
        name: Option<&At<String>>,
        image: &At<String>,
    ) -> Option<usize> {
        let catalog = &*self.low.catalog;
        let known: Vec<&str> = template.containers.iter().map(|c| catalog.text(c.name)).collect();
        let found = match name {
            Some(name) => known.iter().position(|known| *known == name.value),
            None => (known.len() == 1).then_some(0),
        };
        if found.is_none() {
            let (mark, message) = match name {
                Some(name) => (name.mark, format!("the workload has no container `{}`", name.value)),
                None => (image.mark, "the workload has several containers".to_owned()),
            };
            self.low
                .problems
                .error("E0303", mark, message)
                .expected("expected `images: { CONTAINER: NAME }` with containers of the workload")
                .suggest(name.map_or("", |name| &name.value), known);
        }
        found
    }

    fn apply(&mut self, raw: &At<ApplyRaw>, file: &str) -> Vec<Labelled> {
        let workloads = match (&raw.value.workload, &raw.value.manifest) {
            (Some(name), None) => self.known_workload(name).into_iter().collect(),
            (None, Some(manifest)) => self.manifest(manifest, file).workloads,
            _ => {
                self.low
                    .problems
                    .error("E0207", raw.mark, "`apply` creates one thing")
                    .expected("expected either `workload: NAME` or `manifest: FILE`");
                Vec::new()
            }
        };
        let actions = workloads.into_iter().map(Action::Apply);
        actions.map(|action| Labelled { label: self.describe(&action), action }).collect()
    }

    /// What people call an action: `kill node doe`.
    fn describe(&self, action: &Action) -> String {
        let workload = |id: &WorkloadId| self.low.catalog.workload_name(*id);
        match action {
            Action::Kill(nodes) => format!("kill {}", self.nodes_in_words(nodes)),
            Action::Restore(nodes) => format!("restore {}", self.nodes_in_words(nodes)),
            Action::Restart(nodes) => format!("restart {}", self.nodes_in_words(nodes)),
            Action::Saturate { nodes, load } => {
                let class = match load.class {
                    CpuClass::Container => "container",
                    CpuClass::Host => "host",
                    CpuClass::RealTime => "realtime",
                };
                format!("saturate {} to {}% ({class})", self.nodes_in_words(nodes), load.permille / 10)
            }
            Action::Partition(link) => format!("partition {}", self.link_in_words(link)),
            Action::Delay { link, latency, .. } => format!("delay {} by {latency}", self.link_in_words(link)),
            Action::Lose { link, permille } => {
                format!("lose {}.{}% {}", permille / 10, permille % 10, self.link_in_words(link))
            }
            Action::KillPods { pods, how } => {
                let verb = if matches!(how, PodDeath::Crash) { "crash" } else { "delete" };
                format!("{verb} {}", self.pods_in_words(pods))
            }
            Action::Leak { pods, rate } => {
                format!("leak {} MiB/min in {}", rate.0 / 60 / (1 << 20), self.pods_in_words(pods))
            }
            Action::FillMemory { nodes, permille } => {
                format!("fill memory of {} by {}%", self.nodes_in_words(nodes), permille / 10)
            }
            Action::FillDisk { nodes, permille } => {
                format!("fill disks of {} by {}%", self.nodes_in_words(nodes), permille / 10)
            }
            Action::StopProxies(nodes) => format!("stop the proxies of {}", self.nodes_in_words(nodes)),
            Action::Agents { nodes, how } => {
                let verb = match how {
                    AgentFault::Stopped => "stop",
                    AgentFault::Killed => "kill",
                    AgentFault::Frozen => "freeze",
                };
                format!("{verb} the agents of {}", self.nodes_in_words(nodes))
            }
            Action::Cordon(nodes) => format!("cordon {}", self.nodes_in_words(nodes)),
            Action::Uncordon(nodes) => format!("uncordon {}", self.nodes_in_words(nodes)),
            Action::Drain(nodes) => format!("drain {}", self.nodes_in_words(nodes)),
            Action::RemoveNode(nodes) => format!("remove {}", self.nodes_in_words(nodes)),
            Action::Label { nodes, key, value } => {
                let (nodes, key) = (self.nodes_in_words(nodes), self.low.catalog.text(*key));
                match value {
                    Some(value) => format!("label {nodes} with {key}={}", self.low.catalog.text(*value)),
                    None => format!("take the label {key} from {nodes}"),
                }
            }
            Action::Taint { nodes, taint } => {
                format!("taint {} with {}", self.nodes_in_words(nodes), self.taint_in_words(*taint))
            }
            Action::Untaint { nodes, taint, .. } => {
                format!("untaint {} of {}", self.nodes_in_words(nodes), self.low.catalog.text(taint.key))
            }
            Action::Evict(pods) => format!("evict {}", self.pods_in_words(pods)),
            Action::DeletionCost { pods, cost } => format!("deletion cost {cost} for {}", self.pods_in_words(pods)),
            Action::Ungate(id) => format!("ungate {}", workload(id)),
            Action::Redeclare { workload: id, .. } => format!("change how {} is updated", workload(id)),
            Action::DefaultPriority { .. } => "create a default priority class".to_owned(),
            Action::Scale { workload: id, replicas } => format!("scale {} to {replicas}", workload(id)),
            Action::Deploy { workload: id, template } => {
                let images = self.low.catalog.templates[*template].containers.iter();
                let images = images.map(|c| self.low.catalog.text(self.low.catalog.images[c.image].name));
                let last = images.map(|name| name.rsplit('/').next().unwrap_or(name)).collect::<Vec<_>>().join(", ");
                format!("deploy {last} to {}", workload(id))
            }
            Action::Undo(id) => format!("undo {}", workload(id)),
            Action::Pause(id) => format!("pause {}", workload(id)),
            Action::Promote(id) => format!("promote {}", workload(id)),
            Action::Resume(id) => format!("resume {}", workload(id)),
            Action::Apply(id) => format!("apply {}", workload(id)),
            Action::Delete(id) => format!("delete {}", workload(id)),
            Action::DeleteNamespace(name) => format!("delete namespace {}", self.low.catalog.text(*name)),
            Action::StopPart { part, instances } => format!("stop {}", part_in_words(*part, *instances)),
            Action::StartPart { part, instances } => format!("start {}", part_in_words(*part, *instances)),
            Action::Flood(flood) => format!("flood of {} requests/s", flood.rate),
        }
    }

    pub(super) fn nodes_in_words(&self, nodes: &NodeSelection) -> String {
        let catalog = &*self.low.catalog;
        let mut conditions = Vec::new();
        if !nodes.names.is_empty() {
            let shown: Vec<&str> = nodes.names.iter().take(3).map(|&id| catalog.node_name(id)).collect();
            let more = nodes.names.len().saturating_sub(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            conditions.push(format!("{}{more}", shown.join(", ")));
        }
        conditions.extend(nodes.zones.iter().map(|&zone| format!("zone {}", catalog.text(catalog.zones[zone]))));
        conditions.extend(nodes.roles.iter().map(|&role| format!("role {}", catalog.text(role))));
        conditions.extend(nodes.labels.iter().map(|&(k, v)| format!("{}={}", catalog.text(k), catalog.text(v))));
        conditions.extend(nodes.hosting.map(|id| format!("hosting {}", catalog.workload_name(id))));
        let whom = conditions.join(", ");
        match (nodes.mode, whom.is_empty(), nodes.names.is_empty()) {
            (Mode::All, true, _) => "all nodes".into(),
            (Mode::All, false, false) => format!("node {whom}"),
            (Mode::All, false, true) => format!("nodes of {whom}"),
            (mode, true, _) => format!("{} of all nodes", in_words(mode)),
            (mode, false, _) => format!("{} of the nodes of {whom}", in_words(mode)),
        }
    }

    fn pods_in_words(&self, pods: &PodSelection) -> String {
        let catalog = &*self.low.catalog;
        let mut conditions = Vec::new();
        conditions.extend(pods.workload.map(|id| catalog.workload_name(id).to_owned()));
        conditions.extend(pods.service.map(|id| format!("service {}", catalog.service_name(id))));
        conditions.extend(pods.labels.iter().map(|&(k, v)| format!("{}={}", catalog.text(k), catalog.text(v))));
        conditions.extend(pods.on.as_ref().map(|on| format!("on {}", self.nodes_in_words(on))));
        let whom = if conditions.is_empty() { "all workloads".into() } else { conditions.join(", ") };
        match pods.mode {
            Mode::All => format!("all pods of {whom}"),
            mode => format!("{} of the pods of {whom}", in_words(mode)),
        }
    }

    fn link_in_words(&self, link: &Link) -> String {
        let arrow = if link.one_way { "to" } else { "and" };
        format!("{} {arrow} {}", self.side_in_words(&link.from), self.side_in_words(&link.to))
    }

    fn side_in_words(&self, side: &Side) -> String {
        let mut parts: Vec<String> = side.nodes.iter().map(|nodes| self.nodes_in_words(nodes)).collect();
        let words = [(side.control, "the control plane"), (side.outside, "clients outside"), (side.rest, "the rest")];
        parts.extend(words.into_iter().filter(|(there, _)| *there).map(|(_, word)| word.to_owned()));
        parts.join(" with ")
    }
}

/// What is to be done with a workload.
#[derive(Clone, Copy)]
pub(super) enum Operation {
    Scale,
    Rollout,
    Hold,
    Promote,
    Suspend,
    Resume,
    Redeclare,
    Ungate,
}

fn in_words(mode: Mode) -> String {
    match mode {
        Mode::All => "all".into(),
        Mode::Count(1) => "one".into(),
        Mode::Count(n) => n.to_string(),
        Mode::Percent(percent) => format!("{percent}%"),
    }
}
