//! Which workloads a recording has: by the objects whose status it tells, and by its settings.
//!
//! Start at [`Maker::workloads`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shakedown_engine::labels::Selector;
use shakedown_engine::model::{
    Amount, BudgetBound, BudgetSpec, DaemonSpec, Details, JobSpec, StatefulSpec, Strategy, UnhealthyEviction,
    WorkloadKind, WorkloadSpec,
};
use shakedown_engine::time::Span;

use crate::timeline::make::{Maker, Shape};
use crate::timeline::words::{self, Step};

impl Maker<'_> {
    /// All workloads.
    pub(super) fn workloads(&mut self) -> Result<(), String> {
        let settings = &self.recording.settings;
        let has = |key: &str| settings.get(key).is_some();
        if has("zones") {
            return self.declared_in_words();
        }
        if let Some(list) = settings.get("deployments").and_then(Value::as_array) {
            return self.deployments(list);
        }
        if has("pods_tolerationSeconds") {
            return self.tolerating_pods();
        }
        if has("pods_per_node") {
            return self.placed_by_hand();
        }
        if has("pending") {
            return self.pending_pods();
        }
        for (kind, names) in &self.recording.watched {
            for name in names {
                match kind.as_str() {
                    "deployment" => self.deployment(name),
                    "statefulset" => self.stateful_set(name),
                    "daemonset" => self.daemon_set(name),
                    "job" => self.job(name)?,
                    _ => {}
                }
            }
        }
        if self.parts.is_empty() {
            return Err("neither its settings nor its events tell a workload".to_owned());
        }
        self.budget()
    }

    /// The first set of recordings says its deployments in the text of an action.
    fn declared_in_words(&mut self) -> Result<(), String> {
        let actions = &self.recording.actions;
        let what = actions.iter().find(|action| action.what.starts_with("create deployment"));
        if let Some(list) = what.and_then(|action| action.what.strip_prefix("create deployments ")) {
            for item in list.split("), ") {
                self.listed(item)?;
            }
        } else {
            let replicas = what.and_then(|action| words::number_after(&action.what, "replicas="));
            let from = actions.iter().find_map(|action| words::number_after(&action.what, "roll "));
            let shape = Shape { zone: Some("A".to_owned()), ..Shape::named("roll") };
            let created = what.is_some();
            self.workload(&shape, replicas.or(from).unwrap_or(10), |spec| spec.at_start = !created);
        }
        self.left_over();
        Ok(())
    }

    /// An item such as `d30-B (20, zone B` of a list of deployments.
    fn listed(&mut self, item: &str) -> Result<(), String> {
        let (name, how) = item.split_once(" (").ok_or_else(|| format!("`{item}` is not known as a deployment"))?;
        let replicas = words::number_after(how, "").unwrap_or(1);
        let zone = name.rsplit('-').next().map(ToOwned::to_owned);
        let of_name = name.strip_prefix('d').and_then(|rest| words::number_after(rest, ""));
        let seconds = words::number_after(how, "tolerationSeconds").or(of_name);
        let tolerations = seconds.map(|seconds| self.tolerate_loss(u64::from(seconds))).unwrap_or_default();
        let shape = Shape { tolerations, zone, ..Shape::named(&name.to_lowercase()) };
        self.workload(&shape, replicas, |spec| spec.at_start = false);
        Ok(())
    }

    /// Deployments of earlier experiments show in the events of nodes that fail; each node of the zone has as many pods.
    fn left_over(&mut self) {
        let unknown = self.recording.events.iter().filter(|event| {
            event.class.kind == "deleting" && !self.parts.contains_key(&event.class.owner) && event.node.is_some()
        });
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in unknown {
            found.entry(event.class.owner.clone()).or_default().extend(event.node.clone());
        }
        for (name, nodes) in found {
            let zone: String = nodes[0].chars().take_while(char::is_ascii_alphabetic).collect();
            let distinct = nodes.iter().collect::<BTreeSet<_>>().len();
            let of_zone = self.nodes.keys().filter(|node| node.starts_with(&zone)).count();
            let shape = Shape { zone: Some(zone.to_uppercase()), ..Shape::named(&name) };
            self.workload(&shape, (nodes.len() * of_zone / distinct) as u32, |_| {});
        }
    }

    /// What the settings say in words of one workload: replicas and thousandths of a core, as in `web 4 x 15 cpu`.
    fn sized(&self, name: &str) -> Option<(u32, i64)> {
        let words = self.recording.text("workloads")?;
        let own = words.split(';').find(|part| part.split([' ', ',']).any(|word| word == name))?;
        let replicas = words::number_after(own, name)?;
        Some((replicas, i64::from(words::number_after(own, " x ")?) * 1000))
    }

    fn shape(&mut self, name: &str) -> Shape {
        let tolerations = match self.recording.number("tolerationSeconds") {
            Some(seconds) => self.tolerate_loss(seconds as u64),
            None => Vec::new(),
        };
        let cpu = self.sized(name).map_or(100, |(_, cpu)| cpu);
        Shape { tolerations, cpu, ..Shape::named(name) }
    }

    fn at_start(&self) -> bool {
        !self.steps.iter().any(|(_, step)| *step == Step::Create)
    }

    fn replicas(&self, name: &str) -> u32 {
        let settings = self.recording.number("replicas_from").or_else(|| self.recording.number("replicas"));
        self.sized(name).map(|(replicas, _)| replicas).or_else(|| settings.map(|n| n as u32)).unwrap_or(1)
    }

    fn deployment(&mut self, name: &str) {
        let recording = self.recording;
        let settings = &recording.settings;
        let recreate = recording.text("strategy") == Some("Recreate");
        let amount = |key: &str| settings.get(key).and_then(words::amount);
        let bounds = amount("maxSurge").zip(amount("maxUnavailable"));
        let deadline = recording.number("progressDeadlineSeconds").map(words::seconds);
        let min_ready = recording.number("minReadySeconds").map_or(Span::ZERO, words::seconds);
        let (shape, replicas, at_start) = (self.shape(name), self.replicas(name), self.at_start());
        self.workload(&shape, replicas, |spec| {
            spec.strategy = match bounds {
                _ if recreate => Strategy::Recreate,
                Some((max_surge, max_unavailable)) => Strategy::RollingUpdate { max_surge, max_unavailable },
                None => Strategy::Default,
            };
            (spec.progress_deadline, spec.min_ready, spec.at_start) = (deadline, min_ready, at_start);
        });
    }

    fn stateful_set(&mut self, name: &str) {
        let details = StatefulSpec {
            parallel: self.recording.text("podManagementPolicy") == Some("Parallel"),
            partition: 0,
            on_delete: self.recording.text("updateStrategy") == Some("OnDelete"),
            max_unavailable: Amount::Count(1),
            first: 0,
            claims: Vec::new(),
            delete_claims_when_scaled: false,
        };
        let (shape, replicas, at_start) = (self.shape(name), self.replicas(name), self.at_start());
        self.workload(&shape, replicas, |spec| {
            set(spec, WorkloadKind::StatefulSet, (Details::Stateful(details), at_start))
        });
    }

    fn daemon_set(&mut self, name: &str) {
        let amount = |key: &str| self.recording.settings.get(key).and_then(words::amount);
        let details = DaemonSpec {
            max_unavailable: amount("maxUnavailable").unwrap_or(Amount::Count(1)),
            max_surge: amount("maxSurge").unwrap_or(Amount::Count(0)),
            on_delete: self.recording.text("updateStrategy") == Some("OnDelete"),
        };
        let (shape, at_start) = (Shape::named(name), self.at_start());
        self.workload(&shape, 1, |spec| set(spec, WorkloadKind::DaemonSet, (Details::Daemon(details), at_start)));
    }

    fn job(&mut self, name: &str) -> Result<(), String> {
        let spec = self.recording.settings.get("spec").ok_or("its settings have no `spec` of the job")?;
        let number = |key: &str| spec.get(key).and_then(Value::as_u64).map(|n| n as u32);
        let (parallelism, completions) = (number("parallelism"), number("completions"));
        let details = JobSpec {
            parallelism: parallelism.unwrap_or(1),
            // Without either of them there is one of each. Source: kubernetes/kubernetes:pkg/apis/batch/v1/defaults.go.
            completions: completions.or_else(|| parallelism.is_none().then_some(1)),
            backoff_limit: number("backoffLimit").unwrap_or(6),
            backoff_limit_per_index: number("backoffLimitPerIndex"),
            max_failed_indexes: number("maxFailedIndexes"),
            indexed: self.recording.indexed(),
            active_deadline: number("activeDeadlineSeconds").map(|s| Span::from_secs(u64::from(s))),
            suspend: spec.get("suspend").and_then(Value::as_bool) == Some(true),
            failure_rules: Vec::new(),
            replace_when_failed: spec.get("podReplacementPolicy").and_then(Value::as_str) == Some("Failed"),
            success_rules: Vec::new(),
            ttl_after_finished: None,
        };
        let one_way = self.recording.text("restartPolicy") != Some("OnFailure");
        let (shape, at_start) = (Shape { one_way, ..Shape::named(name) }, self.at_start());
        self.workload(&shape, 1, |spec| set(spec, WorkloadKind::Job, (Details::Job(details), at_start)));
        Ok(())
    }

    /// The budget of the settings, which is for the pods of the only workload.
    fn budget(&mut self) -> Result<(), String> {
        let Some(declared) = self.recording.settings.get("pdb") else { return Ok(()) };
        let amount = |key: &str| declared.get(key).and_then(words::amount);
        let bound = match (amount("minAvailable"), amount("maxUnavailable")) {
            (Some(amount), _) => BudgetBound::MinAvailable(amount),
            (None, Some(amount)) => BudgetBound::MaxUnavailable(amount),
            (None, None) => return Err(format!("`{declared}` is not known as a budget")),
        };
        let always =
            self.recording.text("unhealthyPodEvictionPolicy").is_some_and(|policy| policy.starts_with("AlwaysAllow"));
        let names = &mut self.catalog.names;
        let app = names.intern("app");
        let of = self.order.first().map(|name| names.intern(name)).expect("there is a workload");
        let spec = BudgetSpec {
            name: of,
            namespace: names.intern("default"),
            selector: Some(Selector::equals([(app, of)])),
            bound,
            unhealthy: if always { UnhealthyEviction::AlwaysAllow } else { UnhealthyEviction::IfHealthyBudget },
        };
        self.budgets.push(self.catalog.budgets.push(spec));
        Ok(())
    }

    /// Deployments as a list, and one of higher priority that comes later.
    fn deployments(&mut self, list: &[Value]) -> Result<(), String> {
        let settings = &self.recording.settings;
        let value = |class: &Value| match class {
            Value::String(name) => settings.pointer(&format!("/classes/{name}")).and_then(Value::as_i64),
            other => other.as_i64(),
        };
        let later = settings.get("hi").map(|hi| (self.later_name(), hi, 0));
        let listed = list.iter().filter_map(|item| {
            let replicas = item.get("replicas")?.as_u64()? as u32;
            Some((item.get("name")?.as_str()?.to_owned(), item, replicas))
        });
        let mut groups: BTreeMap<(i64, Option<i64>), Vec<String>> = BTreeMap::new();
        for (name, item, replicas) in listed.chain(later) {
            let class = item.get("priorityClass").or_else(|| item.get("priority")).and_then(value);
            let cpu = item.get("cpu").and_then(words::cpu).unwrap_or(100);
            let shape = Shape { cpu, priority: class.unwrap_or(0) as i32, ..Shape::named(&name) };
            self.workload(&shape, replicas, |_| {});
            if class.is_none() {
                self.twins(&name, &shape);
            }
            groups.entry((cpu, class)).or_default().push(name);
        }
        for group in groups.into_values().filter(|group| group.len() > 1) {
            let together = group.join("+");
            self.alike.extend(group.into_iter().map(|name| (name, together.clone())));
        }
        Ok(())
    }

    /// The name of the deployment that the settings only call `hi`.
    fn later_name(&self) -> String {
        let scaled = self.steps.iter().find_map(|(_, step)| match step {
            Step::Scale { of, .. } if !of.is_empty() => Some(of.clone()),
            _ => None,
        });
        scaled.unwrap_or_else(|| "hi".to_owned())
    }

    /// What the pods of a workload without a priority class are like once there is a default one.
    fn twins(&mut self, name: &str, shape: &Shape) {
        let mut values = self.steps.iter().filter_map(|(_, step)| match step {
            Step::DefaultPriority(value) => Some(*value),
            _ => None,
        });
        let Some(priority) = values.next_back() else { return };
        let templates = self.parts[name].templates.clone();
        let shape = Shape { priority, ..shape.clone() };
        let twins: Vec<_> = templates.into_iter().enumerate().map(|(n, own)| (own, self.template(&shape, n))).collect();
        self.parts.get_mut(name).expect("it was just read").twins = twins;
    }
}

fn set(spec: &mut WorkloadSpec, kind: WorkloadKind, (details, at_start): (Details, bool)) {
    (spec.kind, spec.details, spec.at_start) = (kind, details, at_start);
}
