//! Kubernetes manifests, used as they are: objects into the catalog.
//!
//! Objects are read with the types of the Kubernetes API, so what kubectl takes is taken here. Each field is in a table
//! that says whether it has an effect ([`fields`]); what would matter but is not modelled is named once with the reason.
//! Three passes, because objects may stand in any order and in any file: what pods are made under ([`context`]), the pods
//! and services, and what only refers to them ([`finish`]). Start at [`Lowering`].

mod admission;
mod affinity;
mod autoscaler;
mod budget;
mod claims;
mod container;
mod context;
mod controlled;
mod cron;
mod daemon;
mod de;
mod fields;
mod finish;
mod group;
mod ingress;
mod invalid;
mod job;
mod kinds;
mod limits;
mod namespaces;
mod network_policy;
mod node;
mod object;
mod pod;
mod probes;
mod quota;
mod scheduler_config;
mod service;
mod stateful;
mod unmodelled;
mod volumes;
mod webhook;

use std::collections::BTreeMap;

pub(crate) use affinity::effect;
pub(crate) use container::{image_name, pull_policy};
pub(crate) use cron::schedule;
pub(crate) use object::Lowered;
pub(crate) use pod::restamp;
pub(crate) use scheduler_config::SchedulerConfig;
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::model::{Amount, Bytes, Catalog};
pub(crate) use unmodelled::Unmodelled;

use crate::asked::Asked;
use crate::problem::{Mark, Problems};
use crate::text::Node;

/// Size of an image about which nothing is said: about the median of official images on Docker Hub, compressed.
pub(crate) const DEFAULT_IMAGE_SIZE: Bytes = Bytes(100 << 20);

/// Where objects go on their way into the catalog.
pub(crate) struct Lowering<'a> {
    pub(crate) catalog: &'a mut Catalog,
    pub(crate) problems: &'a mut Problems,
    pub(crate) unmodelled: Unmodelled,
    /// What only some orchestrators know.
    pub(crate) asked: Asked,
    /// What pods are made under.
    context: context::Context,
    /// Objects so far: kind, namespace, name.
    seen: BTreeMap<(String, String, String), Mark>,
    /// Objects that refer to others, for the last pass.
    deferred: Vec<Node>,
    /// Claims that stateful workloads make for each ordinal.
    claim_templates: Vec<(WorkloadId, Vec<claims::ClaimTemplate>)>,
    /// Where each workload was declared.
    pub(crate) declared: BTreeMap<WorkloadId, Mark>,
}

/// Most replicas of one workload: what the largest published clusters run in all.
const MAX_REPLICAS: u32 = 300_000;

impl<'a> Lowering<'a> {
    /// Files that so many replicas are too many.
    pub(crate) fn bounded(&mut self, replicas: u32, mark: Mark) -> bool {
        if replicas > MAX_REPLICAS {
            self.problems
                .error("E0204", mark, format!("{replicas} replicas are not possible"))
                .expected(format!("expected at most {MAX_REPLICAS}"));
        }
        replicas <= MAX_REPLICAS
    }

    /// Nothing lowered yet.
    pub(crate) fn new(catalog: &'a mut Catalog, problems: &'a mut Problems) -> Self {
        Self {
            catalog,
            problems,
            unmodelled: Unmodelled::default(),
            asked: Asked::default(),
            context: context::Context::new(),
            seen: BTreeMap::new(),
            deferred: Vec::new(),
            claim_templates: Vec::new(),
            declared: BTreeMap::new(),
        }
    }

    /// Notes an object; false, with a problem filed, when there already is one of that name.
    pub(crate) fn first(&mut self, kind: &str, namespace: &str, name: &str, mark: Mark) -> bool {
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        match self.seen.get(&key) {
            Some(&other) => {
                let other = self.problems.locate(other);
                self.problems
                    .error("E0308", mark, format!("the {kind} `{name}` is declared twice"))
                    .expected(format!("already declared at {other}"))
                    .help(if namespace.is_empty() {
                        "rename one of them"
                    } else {
                        "rename one of them, or put them into different namespaces"
                    });
                false
            }
            None => {
                self.seen.insert(key, mark);
                true
            }
        }
    }
}

/// The place of a value below `node`; that of the nearest parent when it is not written.
pub(crate) fn place(node: &Node, path: &[&str]) -> Mark {
    let mut at = node;
    for step in path {
        let next = match step.parse::<usize>() {
            Ok(index) if at.get(step).is_none() => at.item(index),
            _ => at.get(step),
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at.mark
}

/// A number or a percentage, as in `maxSurge`.
pub(crate) fn parse_amount(text: &str) -> Option<Amount> {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(Amount::Percent),
        None => text.parse().ok().map(Amount::Count),
    }
}
