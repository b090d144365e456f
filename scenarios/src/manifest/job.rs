//! Jobs: pods that run to completion.

use k8s_openapi::api::batch::v1 as batch;
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::model::{
    Details, FailureMatch, FailureRule, FailureRuleAction, JobSpec, SuccessRule, WorkloadKind,
};

use super::Lowering;
use super::controlled::Controlled;
use super::invalid::At;
use crate::text::Node;

/// Source: kubernetes/kubernetes:pkg/apis/batch/validation/validation.go, `maxParallelismForIndexedJob`.
const MAX_PARALLELISM: u32 = 100_000;

impl Lowering<'_> {
    pub(super) fn job(&mut self, node: &Node) -> Option<WorkloadId> {
        let object: batch::Job = self.read(node)?;
        let Some(spec) = object.spec else {
            self.required(node, "spec", "");
            return None;
        };
        let details = self.job_spec(node.into(), &spec)?;
        self.running_job(node, &object.metadata, &spec, Details::Job(details), "Job")
    }

    /// Lowers a job, or the jobs of a cron job, of which `node` has the job's `spec`.
    pub(super) fn running_job(
        &mut self,
        node: &Node,
        metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
        spec: &batch::JobSpec,
        details: Details,
        called: &'static str,
    ) -> Option<WorkloadId> {
        let parallelism = match &details {
            Details::Job(job) => job.parallelism,
            _ => 0,
        };
        let (_, name) = self.identity(node, metadata)?;
        // The controller gives each job's pods labels of its own, and selects by them.
        let mut template = spec.template.clone();
        let mut own = template.metadata.clone().unwrap_or_default();
        let mut labels = own.labels.take().unwrap_or_default();
        let key = if called == "Job" { "batch.kubernetes.io/job-name" } else { "batch.kubernetes.io/cron-job-name" };
        labels.insert(key.to_owned(), name.clone());
        if called == "Job" {
            labels.insert("job-name".to_owned(), name.clone());
        }
        own.labels = Some(labels);
        template.metadata = Some(own);
        let selector = k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector {
            match_labels: Some([(key.to_owned(), name)].into()),
            ..Default::default()
        };
        let controlled = Controlled {
            kind: if called == "Job" { WorkloadKind::Job } else { WorkloadKind::CronJob },
            called,
            replicas: Some(i32::try_from(parallelism).unwrap_or(i32::MAX)),
            selector,
            min_ready: None,
            hash: None,
            restart: &["OnFailure", "Never"],
        };
        let policy = spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or_default();
        if policy.is_empty() || policy == "Always" {
            // Source: kubernetes/kubernetes:pkg/apis/batch/validation/validation.go, `validateJobSpec`.
            let why = "valid values: \"OnFailure\", \"Never\"";
            let at = if called == "Job" { At::from(node) } else { At { node, prefix: "spec.jobTemplate." } };
            self.required(at, "spec.template.spec.restartPolicy", why);
            return None;
        }
        let id = self.controlled(node, metadata, controlled, &template)?;
        self.catalog.workloads[id].details = details;
        Some(id)
    }

    /// Defaults: kubernetes/kubernetes:pkg/apis/batch/v1/defaults.go.
    pub(super) fn job_spec(&mut self, at: At<'_>, spec: &batch::JobSpec) -> Option<JobSpec> {
        let mode = spec.completion_mode.as_deref().filter(|word| !word.is_empty()).unwrap_or("NonIndexed");
        let indexed = self.word(at, "spec.completionMode", mode, &["Indexed", "NonIndexed"])? == "Indexed";
        // Neither given: one pod, one success. Only parallelism given: a work queue.
        let parallelism = self.natural(at, "spec.parallelism", spec.parallelism.unwrap_or(1))?;
        let completions = match (spec.completions, spec.parallelism) {
            (None, None) => Some(1),
            (None, Some(_)) => None,
            (Some(n), _) => Some(self.natural(at, "spec.completions", n)?),
        };
        if indexed && (completions.is_none() || spec.completions.is_none()) {
            self.required(at, "spec.completions", "when completion mode is Indexed");
            return None;
        }
        if parallelism > MAX_PARALLELISM || indexed && completions > Some(MAX_PARALLELISM) {
            let why = format!("must be less than or equal to {MAX_PARALLELISM} when completion mode is Indexed");
            let (path, value) = if parallelism > MAX_PARALLELISM {
                ("spec.parallelism", parallelism)
            } else {
                ("spec.completions", completions.unwrap_or_default())
            };
            self.invalid(at, path, &value.to_string(), &why);
            return None;
        }
        let per_index = match spec.backoff_limit_per_index {
            Some(_) if !indexed => {
                let value = spec.backoff_limit_per_index.unwrap_or_default().to_string();
                self.invalid(at, "spec.backoffLimitPerIndex", &value, "requires indexed completion mode");
                return None;
            }
            Some(n) => Some(self.natural(at, "spec.backoffLimitPerIndex", n)?),
            None => None,
        };
        let backoff_limit = match spec.backoff_limit {
            Some(n) => self.natural(at, "spec.backoffLimit", n)?,
            // Without a bound for all, the bounds of the indexes decide.
            None if per_index.is_some() => u32::MAX,
            None => 6,
        };
        let max_failed_indexes = match spec.max_failed_indexes {
            Some(n) => Some(self.natural(at, "spec.maxFailedIndexes", n)?),
            None => None,
        };
        let active_deadline = match spec.active_deadline_seconds {
            Some(n) => Some(self.seconds(at, "spec.activeDeadlineSeconds", n)?),
            None => None,
        };
        let ttl_after_finished = match spec.ttl_seconds_after_finished {
            Some(n) => Some(self.seconds(at, "spec.ttlSecondsAfterFinished", n)?),
            None => None,
        };
        let failure_rules = self.failure_rules(at, spec)?;
        let replace = spec.pod_replacement_policy.as_deref().filter(|word| !word.is_empty());
        if let Some(word) = replace {
            self.word(at, "spec.podReplacementPolicy", word, &["Failed", "TerminatingOrFailed"])?;
        }
        // With a failure policy only ended pods are replaced.
        let replace_when_failed = replace == Some("Failed") || spec.pod_failure_policy.is_some();
        Some(JobSpec {
            parallelism,
            completions,
            backoff_limit,
            backoff_limit_per_index: per_index,
            max_failed_indexes,
            indexed,
            active_deadline,
            suspend: spec.suspend.unwrap_or(false),
            failure_rules,
            replace_when_failed,
            success_rules: self.success_rules(at, spec, completions.unwrap_or(0))?,
            ttl_after_finished,
        })
    }

    fn failure_rules(&mut self, at: At<'_>, spec: &batch::JobSpec) -> Option<Vec<FailureRule>> {
        let mut out = Vec::new();
        let rules = spec.pod_failure_policy.iter().flat_map(|policy| &policy.rules);
        let never = spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) == Some("Never");
        if spec.pod_failure_policy.is_some() && !never {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            self.invalid(at, "spec.template.spec.restartPolicy", "\"OnFailure\"", why);
            return None;
        }
        for (index, rule) in rules.enumerate() {
            let path = format!("spec.podFailurePolicy.rules[{index}]");
            let words = ["Count", "FailIndex", "FailJob", "Ignore"];
            let action = match self.word(at, &format!("{path}.action"), &rule.action, &words)? {
                "Count" => FailureRuleAction::Count,
                "FailIndex" => FailureRuleAction::FailIndex,
                "FailJob" => FailureRuleAction::FailJob,
                _ => FailureRuleAction::Ignore,
            };
            if let Some(codes) = &rule.on_exit_codes {
                let operator =
                    self.word(at, &format!("{path}.onExitCodes.operator"), &codes.operator, &["In", "NotIn"])?;
                let container = codes.container_name.as_deref().map(|name| self.catalog.names.intern(name));
                let on =
                    FailureMatch::ExitCodes { container, not_in: operator == "NotIn", codes: codes.values.clone() };
                out.push(FailureRule { action, on });
            }
            for condition in rule.on_pod_conditions.iter().flatten() {
                if condition.type_ == "DisruptionTarget" && condition.status.as_deref().is_none_or(|s| s == "True") {
                    out.push(FailureRule { action, on: FailureMatch::Disrupted });
                } else {
                    let mark = super::place(at.node, &["spec", "podFailurePolicy"]);
                    let why = "pods have no condition but `DisruptionTarget`: such a rule never matches";
                    self.unmodelled.field("Job.spec.podFailurePolicy.rules[].onPodConditions[]", why, mark);
                }
            }
        }
        Some(out)
    }

    fn success_rules(&mut self, at: At<'_>, spec: &batch::JobSpec, completions: u32) -> Option<Vec<SuccessRule>> {
        let mut out = Vec::new();
        for (index, rule) in spec.success_policy.iter().flat_map(|policy| &policy.rules).enumerate() {
            let path = format!("spec.successPolicy.rules[{index}]");
            let count = match rule.succeeded_count {
                Some(n) => Some(self.natural(at, &format!("{path}.succeededCount"), n)?),
                None => None,
            };
            let text = rule.succeeded_indexes.as_deref().unwrap_or_default();
            let Some(indexes) = ranges(text, completions) else {
                let why = "cannot parse integer to index, or the index is not below completions";
                self.invalid(at, &format!("{path}.succeededIndexes"), &format!("\"{text}\""), why);
                return None;
            };
            if count.is_none() && indexes.is_empty() {
                self.required(at, &path, "at least one of succeededCount or succeededIndexes must be specified");
                return None;
            }
            out.push(SuccessRule { indexes, count });
        }
        Some(out)
    }
}

/// `1,3-5` as ranges of indexes below `completions`, in rising order.
fn ranges(text: &str, completions: u32) -> Option<Vec<(u32, u32)>> {
    let mut out: Vec<(u32, u32)> = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
        let rising = out.last().is_none_or(|last| last.1 < low);
        if low > high || high >= completions || !rising {
            return None;
        }
        out.push((low, high));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn indexes_are_read_as_ranges_that_rise() {
        assert_eq!(ranges("0,2-4,9", 10), Some(vec![(0, 0), (2, 4), (9, 9)]));
        assert_eq!(ranges("", 10), Some(Vec::new()));
        for bad in ["10", "3-2", "2,1", "a", "-1", "1-"] {
            assert_eq!(ranges(bad, 10), None, "{bad}");
        }
    }
}
