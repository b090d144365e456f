//! Workloads and services: manifests as they are, deployments in few words.

use std::collections::BTreeMap;

use shakedown_engine::ids::{ServiceId, TemplateId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{
    Amount, Bytes, Container, Details, MilliCpu, PodTemplate, Probe, ProbeKind, ProbeRole, Resources, ServiceSpec,
    Strategy, Wishes, WorkloadKind, WorkloadSpec,
};
use shakedown_engine::time::Span;

use super::sources::{documents, is_compose, misplaced_compose};
use super::{Checker, Part, unreadable};
use crate::compose;
use crate::jobs::{self, System};
use crate::manifest::{DEFAULT_IMAGE_SIZE, Lowered, image_name, pull_policy};
use crate::problem::Mark;
use crate::raw::{DeploymentRaw, ProbeRaw, ServiceRaw, WorkloadRaw};
use crate::text::{At, IMAGE, Node, is_image, relative};

/// Documents of manifests by where their file is named.
type Read = BTreeMap<(u32, u32), Vec<Node>>;

fn key(mark: Mark) -> (u32, u32) {
    (mark.source, mark.start)
}

impl Checker<'_> {
    /// Lowers all workloads and the services of the scenario itself.
    pub(super) fn workloads(&mut self, parts: &[Part]) {
        // What pods are made under may stand in any of the files, behind the pods, too.
        let mut read: Read = BTreeMap::new();
        for part in parts {
            for objects in part.workloads.iter().filter_map(|entry| entry.value.objects.as_ref()) {
                let before = self.low.problems.errors();
                self.low.context(&objects.value.0);
                self.incomplete.workloads |= self.low.problems.errors() > before;
            }
            for named in part.workloads.iter().filter_map(|entry| entry.value.manifest.as_ref()) {
                let before = self.low.problems.errors();
                if let Some(found) = self.read_manifest(named, &part.file) {
                    self.low.context(&found);
                    read.insert(key(named.mark), found);
                }
                self.incomplete.workloads |= self.low.problems.errors() > before;
            }
        }
        for part in parts {
            for workload in &part.workloads {
                self.entry(workload, &part.file, &read);
            }
        }
        for part in parts {
            for service in &part.services {
                self.declare_service(service);
            }
        }
    }

    fn entry(&mut self, entry: &At<WorkloadRaw>, file: &str, read: &Read) {
        let WorkloadRaw { manifest, objects, compose: composed, nomad, marathon, ecs, deployment } = &entry.value;
        let jobs = [(System::Nomad, nomad), (System::Marathon, marathon), (System::Ecs, ecs)];
        let given = [manifest.is_some(), objects.is_some(), composed.is_some(), deployment.is_some()];
        let given = given.into_iter().chain(jobs.iter().map(|(_, named)| named.is_some()));
        let sources = given.filter(|given| *given).count();
        if sources == 0 && entry.flawed {
            self.incomplete.workloads = true;
            return;
        }
        if sources != 1 {
            self.low
                .problems
                .error("E0207", entry.mark, "an entry of `workloads` has exactly one source")
                .expected("expected one of `manifest`, `objects`, `compose`, `nomad`, `marathon`, `ecs`, `deployment`")
                .help("write one entry for each");
            self.incomplete.workloads = true;
            return;
        }
        if let Some(composed) = composed {
            self.compose(composed, file);
        }
        for (system, named) in jobs {
            if let Some(named) = named {
                self.jobs(system, named, file);
            }
        }
        if let Some(objects) = objects {
            let before = self.low.problems.errors();
            self.low.objects(&objects.value.0);
            self.incomplete.workloads |= self.low.problems.errors() > before;
        }
        if let Some(manifest) = manifest {
            let before = self.low.problems.errors();
            if let Some(found) = read.get(&key(manifest.mark)) {
                self.low.objects(found);
            }
            self.incomplete.workloads |= self.low.problems.errors() > before;
        }
        if let Some(deployment) = deployment {
            self.deployment(&deployment.value, deployment.mark);
        }
    }

    /// Lowers a Compose file that is named in `file`.
    fn compose(&mut self, named: &At<String>, file: &str) {
        let before = self.low.problems.errors();
        let path = relative(file, &named.value);
        match self.files.read(&path) {
            Err(error) => unreadable(self.low.problems, named, &error),
            Ok(_) => {
                if let Some(found) = documents(&path, self.files, self.low.problems) {
                    compose::lower(&found, &mut self.low);
                }
            }
        }
        if self.low.problems.errors() > before {
            self.incomplete.workloads = true;
        }
    }

    /// Lowers a job file of another system that is named in `file`.
    fn jobs(&mut self, system: System, named: &At<String>, file: &str) {
        let before = self.low.problems.errors();
        let path = relative(file, &named.value);
        match self.files.read(&path) {
            Err(error) => unreadable(self.low.problems, named, &error),
            Ok(_) if path.ends_with(".hcl") || path.ends_with(".nomad") => {
                self.low
                    .problems
                    .error("E0513", named.mark, format!("`{}` is HCL, and jobs are read as JSON", named.value))
                    .expected("expected a job in JSON")
                    .help("`nomad job run -output FILE` prints it");
            }
            Ok(_) => {
                if let Some(found) = documents(&path, self.files, self.low.problems) {
                    jobs::lower(system, &found, &mut self.low);
                }
            }
        }
        self.incomplete.workloads |= self.low.problems.errors() > before;
    }

    /// Lowers a file of Kubernetes objects that is named in `file`.
    pub(super) fn manifest(&mut self, manifest: &At<String>, file: &str) -> Lowered {
        let before = self.low.problems.errors();
        let lowered = self.read_manifest(manifest, file).map(|found| self.low.documents(&found));
        if self.low.problems.errors() > before {
            self.incomplete.workloads = true;
        }
        lowered.unwrap_or_default()
    }

    /// The documents of a file of Kubernetes objects.
    fn read_manifest(&mut self, manifest: &At<String>, file: &str) -> Option<Vec<Node>> {
        let path = relative(file, &manifest.value);
        if let Err(error) = self.files.read(&path) {
            unreadable(self.low.problems, manifest, &error);
            return None;
        }
        let found = documents(&path, self.files, self.low.problems)?;
        if let Some(document) = found.iter().find(|document| is_compose(document)) {
            misplaced_compose(document.mark, self.low.problems);
            return None;
        }
        Some(found)
    }

    fn deployment(&mut self, raw: &DeploymentRaw, mark: Mark) {
        let name = &raw.name.value;
        if !(self.named(&raw.name) & self.image_named(&raw.image)) {
            self.incomplete.workloads = true;
            return;
        }
        if !self.low.first("Deployment", "default", name, raw.name.mark) {
            return;
        }
        let replicas = raw.replicas.map_or(1, |replicas| replicas.value);
        self.low.bounded(replicas, raw.replicas.map_or(mark, |replicas| replicas.mark));
        let Some(template) = self.small_template(raw) else {
            self.incomplete.workloads = true;
            return;
        };
        let pair = self.pairs([("app", name.as_str())]);
        let selector = Selector::equals(pair);
        let namespace = self.low.catalog.names.intern("default");
        let symbol = self.low.catalog.names.intern(name);
        let spec = WorkloadSpec {
            name: symbol,
            namespace,
            kind: WorkloadKind::Deployment,
            details: Details::None,
            replicas,
            template,
            selector: selector.clone(),
            strategy: strategy(raw),
            min_ready: raw.min_ready.map_or(Span::ZERO, |v| v.0),
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
            wishes: Wishes::default(),
        };
        self.low.declare(spec, raw.name.mark);
        if raw.port.is_some() && self.low.first("Service", "default", name, raw.name.mark) {
            let service = ServiceSpec::new(symbol, namespace, selector);
            self.low.catalog.services.push(service);
        }
    }

    /// Files that no image can be called this.
    pub(super) fn image_named(&mut self, image: &At<String>) -> bool {
        let good = is_image(&image.value);
        if !good {
            self.low
                .problems
                .error("E0204", image.mark, format!("`{}` cannot be the name of an image", image.value))
                .expected(IMAGE);
        }
        good
    }

    fn small_template(&mut self, raw: &DeploymentRaw) -> Option<TemplateId> {
        let cpu_limit = raw.cpu_limit.map(|v| MilliCpu(v.value.0));
        let memory_limit = raw.memory_limit.map(|v| Bytes(v.value.0));
        // As everywhere: a limit without a request is the request, too.
        let cpu = raw.cpu.map(|v| MilliCpu(v.value.0)).or(cpu_limit);
        let memory = raw.memory.map(|v| Bytes(v.value.0)).or(memory_limit);
        let above = [
            (cpu_limit.is_some() && cpu > cpu_limit, raw.cpu.map(|v| v.mark), "cpu"),
            (memory_limit.is_some() && memory > memory_limit, raw.memory.map(|v| v.mark), "memory"),
        ];
        for (wrong, mark, field) in above {
            if let (true, Some(mark)) = (wrong, mark) {
                self.low
                    .problems
                    .error("E0505", mark, format!("the request of `{field}` is above its limit"))
                    .expected(format!("expected at most `{field}_limit`"));
                return None;
            }
        }
        let requests = Resources::new(cpu.unwrap_or_default(), memory.unwrap_or_default());
        let image = image_name(&raw.image.value);
        let name = self.low.catalog.names.intern("main");
        let id = self.low.catalog.image(&image, DEFAULT_IMAGE_SIZE);
        let container = Container {
            pull: pull_policy(None, &image),
            requests: requests.clone(),
            cpu_limit,
            memory_limit,
            probes: [(ProbeRole::Readiness, &raw.readiness), (ProbeRole::Liveness, &raw.liveness)]
                .into_iter()
                .filter_map(|(role, raw)| raw.as_ref().map(|raw| probe(role, raw)))
                .collect(),
            ..Container::new(name, id, Resources::default())
        };
        let own = [("app", &*raw.name.value)];
        let labels = raw.labels.0.iter().map(|(key, value)| (&*key.value, &**value)).chain(own);
        let labels = Labels::new(self.pairs(labels));
        let node_selector = self.pairs(raw.node_selector.0.iter().map(|(key, value)| (&*key.value, &**value)));
        let namespace = self.low.catalog.names.intern("default");
        Some(self.low.catalog.templates.push(PodTemplate {
            requests,
            score_cpu: cpu.unwrap_or(MilliCpu(100)),
            score_memory: memory.unwrap_or(Bytes(200 << 20)),
            node_selector,
            priority: raw.priority.map_or(0, |priority| priority.0),
            grace: raw.grace.map(|v| v.0),
            ..PodTemplate::new(namespace, labels, vec![container])
        }))
    }

    fn declare_service(&mut self, service: &At<ServiceRaw>) {
        let raw = &service.value;
        if service.flawed {
            self.incomplete.workloads = true;
            return;
        }
        if !self.named(&raw.name) || !self.low.first("Service", "default", &raw.name.value, raw.name.mark) {
            return;
        }
        if raw.workload.is_some() != raw.selects.0.is_empty() {
            self.low
                .problems
                .error("E0207", service.mark, "a service says in exactly one way which pods are behind it")
                .expected("expected either `workload: NAME` or `selects: { LABEL: VALUE }`");
            return;
        }
        let selector = match &raw.workload {
            Some(name) => {
                let Some(workload) = self.known_workload(name) else { return };
                self.low.catalog.workloads[workload].selector.clone()
            }
            None => {
                let pairs = raw.selects.0.iter().map(|(key, value)| (&*key.value, &**value));
                Selector::equals(self.pairs(pairs))
            }
        };
        let names = &mut self.low.catalog.names;
        let spec = ServiceSpec {
            headless: raw.headless.unwrap_or(false),
            publish_not_ready: raw.publish_not_ready.unwrap_or(false),
            ..ServiceSpec::new(names.intern(&raw.name.value), names.intern("default"), selector)
        };
        let id = self.low.catalog.services.push(spec);
        self.must_be_backed(id, raw.name.mark);
    }

    /// A service that no workload backs answers nothing.
    pub(super) fn must_be_backed(&mut self, service: ServiceId, mark: Mark) -> bool {
        let backed = self.backed(service) || self.incomplete.workloads;
        if !backed {
            let name = self.low.catalog.service_name(service).to_owned();
            self.low
                .problems
                .error("E0402", mark, format!("no workload backs the service `{name}`"))
                .expected("expected a service whose selector matches the pods of some workload")
                .help("compare the service's selector with the labels of the pods");
        }
        backed
    }

    /// Names services of manifests that no workload backs, once.
    pub(super) fn services(&mut self, parts: &[Part]) {
        if self.incomplete.workloads {
            return;
        }
        let own = parts.iter().flat_map(|part| &part.services).map(|service| service.value.name.value.clone());
        let own: Vec<String> = own.collect();
        let bare: Vec<String> = self
            .low
            .catalog
            .services
            .ids()
            .filter(|&id| !self.backed(id))
            .map(|id| self.low.catalog.service_name(id).to_owned())
            .filter(|name| !own.contains(name))
            .collect();
        if !bare.is_empty() {
            self.low
                .problems
                .warn("W0402", Mark::file(0), format!("no workload backs these services: `{}`", bare.join("`, `")))
                .help("they get no endpoints; that is an error as soon as traffic goes to them");
        }
    }
}

fn strategy(raw: &DeploymentRaw) -> Strategy {
    if raw.recreate == Some(true) {
        return Strategy::Recreate;
    }
    if raw.max_surge.is_none() && raw.max_unavailable.is_none() {
        return Strategy::Default;
    }
    Strategy::RollingUpdate {
        max_surge: raw.max_surge.map_or(Amount::Percent(25), |amount| amount.value.0),
        max_unavailable: raw.max_unavailable.map_or(Amount::Percent(25), |amount| amount.value.0),
    }
}

fn probe(role: ProbeRole, raw: &ProbeRaw) -> Probe {
    // Defaults: kubernetes/kubernetes:pkg/apis/core/v1/defaults.go.
    let seconds = |span: Option<At<crate::text::Dur>>, default: u64| {
        span.map(|v| v.value.0).filter(|v| !v.is_zero()).unwrap_or_else(|| Span::from_secs(default))
    };
    Probe {
        role,
        kind: ProbeKind::Http,
        initial_delay: raw.delay.map_or(Span::ZERO, |v| v.0),
        period: seconds(raw.period, 10),
        timeout: seconds(raw.timeout, 1),
        success_threshold: raw.successes.map_or(1, |v| v.value.max(1)),
        failure_threshold: raw.failures.map_or(3, |v| v.value.max(1)),
    }
}
