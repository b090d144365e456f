//! Preemption: candidates with their victims, the choice among them, and its words.
//!
//! Where the real choice is among equals (the order of a Go map), any of ours that are equal is right. Start at
//! [`Step::compare`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::ids::{BudgetId, PodId};
use shakedown_engine::scheduler::{Budgets, Preempted, Preemption, Request, Victims};

use super::checks;
use super::cluster::Cluster;
use super::record::{Attempt, Preemption as Recorded};
use crate::agreement::{Agreement, At};

/// What follows an attempt that found no node.
pub(super) struct Step<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) agreement: &'a mut Agreement,
    pub(super) at: At<'a>,
}

/// Pods that have to go, by name, and how many of them a budget protects.
type Toll = (BTreeSet<String>, i64);

impl Step<'_> {
    /// Compares what preemption would do. The result is its words for doing nothing.
    pub(super) fn compare(&mut self, attempt: &Attempt, pod: &Request) -> Option<String> {
        let budgets = Exhausted { covering: self.cluster.covering() };
        let ours = self.cluster.scheduler.preempt(pod, &budgets);
        let words = ours.message(&self.cluster.catalog.names);
        let found = match &ours {
            Preemption::Found(found) => Some(found),
            _ => None,
        };
        let expected: BTreeMap<String, Toll> = attempt
            .preemption_candidates
            .iter()
            .map(|(node, victims)| (node.clone(), (victims.victims.iter().cloned().collect(), victims.pdb_violations)))
            .collect();
        let got: BTreeMap<String, Toll> = found
            .iter()
            .flat_map(|found| &found.candidates)
            .map(|victims| (self.cluster.node_name(victims.node), self.toll(victims)))
            .collect();
        let nodes: BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
        for node in nodes {
            let subject = format!("{}, node {node}", self.at.subject);
            let at = At { subject: &subject, ..self.at };
            self.agreement.compare(checks::CANDIDATES, at, &expected.get(node), &got.get(node));
        }
        self.choice(attempt.preemption.as_ref(), found);
        if let Some(recorded) = &attempt.post_filter {
            let expected = (recorded.code.as_str(), recorded.msg.as_str());
            let code = if found.is_some() { "Success" } else { "Unschedulable" };
            self.agreement.compare(checks::POST_FILTER, self.at, &expected, &(code, words.as_deref().unwrap_or("")));
        }
        words
    }

    /// The recorded node is one of our best, and takes the same toll.
    fn choice(&mut self, recorded: Option<&Recorded>, found: Option<&Preempted>) {
        let best: Vec<&Victims> =
            found.map(|found| found.best.iter().map(|&i| &found.candidates[i]).collect()).unwrap_or_default();
        let names: Vec<String> = best.iter().map(|victims| self.cluster.node_name(victims.node)).collect();
        let Some(recorded) = recorded else {
            if found.is_some() {
                let verdict = Err(("no preemption".to_owned(), format!("one of {names:?}")));
                self.agreement.verdict(checks::PREEMPTED, self.at, verdict);
            }
            return;
        };
        let place = names.iter().position(|name| *name == recorded.node);
        let verdict = match place {
            Some(_) => Ok(()),
            None => Err((recorded.node.clone(), format!("one of {names:?}"))),
        };
        self.agreement.verdict(checks::PREEMPTED, self.at, verdict);
        let toll = place.map(|i| self.toll(best[i]));
        let expected: BTreeSet<String> = recorded.victims.iter().cloned().collect();
        let (victims, violations) = toll.unzip();
        self.agreement.compare(checks::VICTIMS, self.at, &Some(expected), &victims);
        self.agreement.compare(checks::VIOLATIONS, self.at, &Some(recorded.pdb_violations), &violations);
    }

    fn toll(&self, victims: &Victims) -> Toll {
        let names = victims.pods.iter().map(|&pod| self.cluster.pod_name(pod).to_owned()).collect();
        (names, i64::from(victims.violations))
    }

    /// Applies what really happened: victims are gone, and the node is promised.
    pub(super) fn apply(&mut self, attempt: &Attempt, pod: &Request) -> Result<(), String> {
        let Some(preemption) = &attempt.preemption else { return Ok(()) };
        for victim in &preemption.victims {
            let victim = self.cluster.pod(victim)?;
            let place = self.cluster.scheduler.place_of(victim.pod);
            let node = place.ok_or_else(|| "a victim of its preemption has no place".to_owned())?;
            self.cluster.scheduler.release(&victim, node);
        }
        let node = self.cluster.node(&preemption.node)?;
        self.cluster.scheduler.nominate(pod, node);
        Ok(())
    }
}

/// Budgets of a cluster without a disruption controller, as recorded: nothing is ever allowed.
struct Exhausted {
    covering: Vec<Vec<BudgetId>>,
}

impl Budgets for Exhausted {
    fn covering(&self, pod: PodId, found: &mut Vec<BudgetId>) {
        found.extend(&self.covering[pod.0 as usize]);
    }

    fn allowed(&self, _: BudgetId) -> u32 {
        0
    }
}
