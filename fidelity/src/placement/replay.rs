//! One problem, attempt by attempt: what the real scheduler saw is compared with what ours sees in the same state.
//!
//! The recorded outcome of each pod is applied before the next one comes, whatever ours was. Start at [`replay`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::profile::Profile;
use shakedown_engine::scheduler::{Explanation, Outcome, Request};

use super::checks;
use super::cluster::Cluster;
use super::record::{Attempt, Expected, Fate, Filtered, Problem, Usage};
use super::{preemption, scores};
use crate::agreement::{Agreement, At};

/// Replays a problem and counts what agrees.
///
/// # Errors
/// A sentence, when the problem contradicts itself.
pub(super) fn replay(problem: &Problem, profile: &Profile, agreement: &mut Agreement) -> Result<(), String> {
    let mut cluster = Cluster::of(problem, profile)?;
    let name = problem.name();
    for expected in &problem.expected {
        agreement.count_item(&problem.kind);
        let mut replay = Replay { cluster: &mut cluster, agreement, name: &name, kind: &problem.kind };
        replay.pod(expected).map_err(|error| format!("pod `{}`: {error}", expected.pod))?;
    }
    Ok(())
}

struct Replay<'a> {
    cluster: &'a mut Cluster,
    agreement: &'a mut Agreement,
    name: &'a str,
    kind: &'a str,
}

impl Replay<'_> {
    fn pod(&mut self, expected: &Expected) -> Result<(), String> {
        let pod = self.cluster.pod(&expected.pod)?;
        if expected.attempts.is_empty() {
            return Err("no attempt is recorded".into());
        }
        let mut last = None;
        for (index, attempt) in expected.attempts.iter().enumerate() {
            let subject = format!("pod {}, attempt {}", expected.pod, index + 1);
            let at = At { problem: self.name, kind: self.kind, subject: &subject };
            let ours = self.attempt(attempt, &pod, at)?;
            let words = match &ours {
                Outcome::Placed { .. } => None,
                Outcome::Refused(refusal) => Some(refusal.message(&self.cluster.catalog.names)),
            };
            let mut step = preemption::Step { cluster: self.cluster, agreement: self.agreement, at };
            let post_filter = if words.is_some() { step.compare(attempt, &pod) } else { None };
            step.apply(attempt, &pod)?;
            last = Some((words, post_filter));
        }
        let subject = format!("pod {}", expected.pod);
        let at = At { problem: self.name, kind: self.kind, subject: &subject };
        if let Some((words, post_filter)) = last {
            self.verdict(expected, (words, post_filter), at);
        }
        self.settle(expected, &pod)
    }

    /// One scheduling cycle up to the choice of a node.
    fn attempt(&mut self, attempt: &Attempt, pod: &Request, at: At<'_>) -> Result<Outcome, String> {
        self.usage(attempt, at)?;
        let explanation = self.cluster.scheduler.explain(pod);
        let outcome = self.cluster.scheduler.place(pod);
        self.filters(attempt, &explanation, at);
        if let Some(expected) = &attempt.scores {
            scores::compare(self.cluster, self.agreement, (expected, &attempt.best), (&explanation, at));
        }
        self.choice(attempt, &outcome, at);
        if !attempt.nominated_node_name.is_empty() {
            let refused = explanation.refused.iter().map(|(node, _)| *node);
            let nodes = explanation.feasible.iter().map(|one| one.node).chain(refused);
            let got: BTreeSet<String> = nodes.map(|node| self.cluster.node_name(node)).collect();
            let expected: BTreeSet<String> = attempt.feasible.iter().chain(attempt.filtered.keys()).cloned().collect();
            self.agreement.compare(checks::NOMINATED, at, &expected, &got);
        }
        Ok(outcome)
    }

    fn usage(&mut self, attempt: &Attempt, at: At<'_>) -> Result<(), String> {
        for (name, expected) in &attempt.usage_before {
            let requested = self.cluster.scheduler.requested(self.cluster.node(name)?);
            let got = Usage {
                pods: requested.pods,
                milli_cpu: requested.resources.cpu.0,
                memory: requested.resources.memory.0,
                non_zero_milli_cpu: requested.score_cpu.0,
                non_zero_memory: requested.score_memory.0,
            };
            let subject = format!("{}, node {name}", at.subject);
            self.agreement.compare(checks::USAGE, At { subject: &subject, ..at }, expected, &got);
        }
        Ok(())
    }

    fn filters(&mut self, attempt: &Attempt, ours: &Explanation, at: At<'_>) {
        let refused: BTreeMap<String, Filtered> = ours
            .refused
            .iter()
            .map(|(node, verdict)| {
                let reasons = verdict.reasons.iter().map(|reason| reason.text(&self.cluster.catalog.names)).collect();
                let code = if verdict.unresolvable { "UnschedulableAndUnresolvable" } else { "Unschedulable" };
                let plugin = format!("{:?}", verdict.filter);
                (self.cluster.node_name(*node), Filtered { plugin, code: code.to_owned(), reasons })
            })
            .collect();
        let nodes: BTreeSet<&String> = attempt.filtered.keys().chain(refused.keys()).collect();
        for node in nodes {
            let subject = format!("{}, node {node}", at.subject);
            let at = At { subject: &subject, ..at };
            let (expected, got) = (attempt.filtered.get(node), refused.get(node));
            let plugin = |filtered: Option<&Filtered>| filtered.map(|f| (f.plugin.clone(), f.code.clone()));
            self.agreement.compare(checks::FILTER, at, &plugin(expected), &plugin(got));
            let reasons = |filtered: Option<&Filtered>| filtered.map(|f| f.reasons.clone());
            self.agreement.compare(checks::REASONS, at, &reasons(expected), &reasons(got));
        }
        let expected: BTreeSet<String> = attempt.feasible.iter().cloned().collect();
        let got: BTreeSet<String> = ours.feasible.iter().map(|one| self.cluster.node_name(one.node)).collect();
        self.agreement.compare(checks::FEASIBLE, at, &expected, &got);
    }

    /// The node that our scheduler takes, or its words for taking none.
    fn choice(&mut self, attempt: &Attempt, outcome: &Outcome, at: At<'_>) {
        match outcome {
            Outcome::Placed { node, .. } => {
                let node = self.cluster.node_name(*node);
                let result = attempt.result.clone().into_iter().collect();
                let best: &Vec<String> = if attempt.best.is_empty() { &result } else { &attempt.best };
                let verdict = if best.contains(&node) { Ok(()) } else { Err((format!("one of {best:?}"), node)) };
                self.agreement.verdict(checks::CHOICE, at, verdict);
                if let Some(error) = &attempt.error {
                    self.agreement.verdict(checks::ERROR, at, Err((error.clone(), "a node".into())));
                }
            }
            Outcome::Refused(refusal) => {
                let words = refusal.message(&self.cluster.catalog.names);
                let expected = attempt.error.as_deref().unwrap_or("a node");
                self.agreement.compare(checks::ERROR, at, expected, words.as_str());
                if let Some(early) = attempt.pre_filter_msg.as_deref().filter(|early| !early.is_empty()) {
                    let found = if words.contains(early) { Ok(()) } else { Err((early.to_owned(), words.clone())) };
                    self.agreement.verdict(checks::PRE_FILTER, at, found);
                }
                if let Some(result) = &attempt.result {
                    self.agreement.verdict(checks::CHOICE, at, Err((result.clone(), words)));
                }
            }
        }
    }

    /// What the user would see in the end.
    fn verdict(&mut self, expected: &Expected, ours: (Option<String>, Option<String>), at: At<'_>) {
        let (words, post_filter) = ours;
        let got = if words.is_some() { Fate::Unsched } else { Fate::Bound };
        self.agreement.compare(checks::OUTCOME, at, &expected.outcome, &got);
        if let (Some(message), Some(words)) = (&expected.message, words) {
            // Source: kubernetes/kubernetes:pkg/scheduler/framework/types.go, `FitError.Error`: what PostFilter plugins
            // say is appended after a space.
            let got = [words, post_filter.unwrap_or_default()].join(" ");
            self.agreement.compare(checks::MESSAGE, at, message.as_str(), got.trim_end());
        }
    }

    /// Applies what really became of the pod.
    fn settle(&mut self, expected: &Expected, pod: &Request) -> Result<(), String> {
        if expected.outcome == Fate::Unsched {
            self.cluster.scheduler.withdraw(pod.pod);
            return Ok(());
        }
        let node = expected.node.as_deref().ok_or("it is bound, but to no node")?;
        let node = self.cluster.node(node)?;
        if self.cluster.scheduler.place_of(pod.pod).is_some() {
            return Err("it is bound twice".into());
        }
        self.cluster.scheduler.charge(pod, node);
        self.cluster.started(pod, expected.start_time_set_after_bind.as_deref())
    }
}
