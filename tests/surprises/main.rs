//! The surprises of `docs/surprises.md`: each by its mechanism, through the whole product but for the terminal.
//!
//! A test runs a shipped scenario and asks the facts who acted, when and because of what. Where one knob makes the
//! surprise go away, a second run turns it. Tolerances are those of the mechanism, so other seeds pass, too. Start at
//! [`Story`]; the tests are in the modules, by what they are about.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

mod document;
mod nodes;
mod placement;
mod pods;
mod rollouts;
mod state;

use std::collections::BTreeSet;

use shakedown_chaos::session::Session;
use shakedown_engine::Engine;
use shakedown_engine::fact::{Deletion, Fact, FactKind};
use shakedown_engine::ids::{NodeId, PodId, ServiceId, WorkloadId};
use shakedown_engine::rng::Streams;
use shakedown_engine::time::Time;
use shakedown_scenarios::{Plan, library, load_text};
use shakedown_sim::SimWorld;

/// A run of a shipped scenario, and questions about it.
pub(crate) struct Story {
    plan: Plan,
    pub(crate) facts: Vec<Fact>,
}

/// A shipped scenario, with parts of its text and flags changed.
pub(crate) struct Tale {
    name: &'static str,
    text: String,
    settings: Vec<&'static str>,
}

/// The scenario as it ships.
pub(crate) fn shipped(name: &'static str) -> Tale {
    let embedded = library().iter().find(|embedded| embedded.name == name);
    let embedded = embedded.unwrap_or_else(|| panic!("{name} does not ship"));
    Tale { name, text: embedded.text.to_owned(), settings: Vec::new() }
}

/// The scenario as it ships, run.
pub(crate) fn run(name: &'static str) -> Story {
    shipped(name).run()
}

impl Tale {
    /// The same with other words in one place.
    pub(crate) fn but(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "{}: `{from}` is not in it", self.name);
        self.text = self.text.replace(from, to);
        self
    }

    /// The same with a flag as `--set` has it.
    pub(crate) fn set(mut self, setting: &'static str) -> Self {
        self.settings.push(setting);
        self
    }

    pub(crate) fn run(self) -> Story {
        let files = library().iter().find(|embedded| embedded.name == self.name).unwrap();
        let plan = load_text(self.name, &self.text, files);
        let mut plan = plan.unwrap_or_else(|wrong| panic!("{}:\n{wrong}", self.name));
        for setting in self.settings {
            plan = plan.with_override(setting).unwrap_or_else(|wrong| panic!("{setting}: {wrong}"));
        }
        let profile = plan.profile("kubernetes").unwrap_or_else(|wrong| panic!("{wrong}"));
        let streams = Streams::new(1);
        let engine = Engine::new(plan.catalog.clone(), profile, streams);
        let world = SimWorld::new(plan.catalog.clone(), plan.experiment.clone(), streams);
        let mut session = Session::new(engine, world, plan.experiment.clone(), streams);
        session.run();
        let contradictions = session.engine().view().contradictions();
        assert!(contradictions.is_empty(), "{}: {contradictions:?}", self.name);
        Story { facts: session.finish(SimWorld::finish).facts, plan }
    }
}

impl Story {
    pub(crate) fn node(&self, name: &str) -> NodeId {
        let catalog = &self.plan.catalog;
        catalog.nodes.ids().find(|&id| catalog.node_name(id) == name).unwrap_or_else(|| panic!("no node {name}"))
    }

    pub(crate) fn workload(&self, name: &str) -> WorkloadId {
        let catalog = &self.plan.catalog;
        let found = catalog.workloads.ids().find(|&id| catalog.workload_name(id) == name);
        found.unwrap_or_else(|| panic!("no workload {name}"))
    }

    pub(crate) fn service(&self, name: &str) -> ServiceId {
        let catalog = &self.plan.catalog;
        catalog
            .services
            .ids()
            .find(|&id| catalog.service_name(id) == name)
            .unwrap_or_else(|| panic!("no service {name}"))
    }

    /// Name of the zone that a node is in.
    pub(crate) fn zone_of(&self, node: NodeId) -> &str {
        let catalog = &self.plan.catalog;
        catalog.text(catalog.zones[catalog.nodes[node].zone])
    }

    pub(crate) fn all(&self, wanted: impl Fn(&FactKind) -> bool) -> Vec<Fact> {
        self.facts.iter().filter(|fact| wanted(&fact.kind)).copied().collect()
    }

    /// Seconds at which it happened.
    pub(crate) fn times(&self, wanted: impl Fn(&FactKind) -> bool) -> Vec<f64> {
        self.all(wanted).iter().map(|fact| seconds(fact.at)).collect()
    }

    pub(crate) fn first(&self, what: &str, wanted: impl Fn(&FactKind) -> bool) -> Fact {
        self.facts.iter().find(|fact| wanted(&fact.kind)).copied().unwrap_or_else(|| panic!("there is no {what}"))
    }

    pub(crate) fn count(&self, wanted: impl Fn(&FactKind) -> bool) -> usize {
        self.facts.iter().filter(|fact| wanted(&fact.kind)).count()
    }

    /// True when the chain of causes of a fact has one that is `wanted`.
    pub(crate) fn because(&self, fact: &Fact, wanted: impl Fn(&FactKind) -> bool) -> bool {
        let mut cause = fact.cause.0;
        while cause != 0 {
            let link = &self.facts[cause as usize - 1];
            if wanted(&link.kind) {
                return true;
            }
            cause = link.cause.0;
        }
        false
    }

    /// All pods that a workload ever had, in order of their creation.
    pub(crate) fn pods(&self, workload: &str) -> Vec<PodId> {
        let wanted = self.workload(workload);
        let created = |fact: &Fact| match fact.kind {
            FactKind::PodCreated { pod, workload, .. } if workload == wanted => Some(pod),
            _ => None,
        };
        self.facts.iter().filter_map(created).collect()
    }

    /// Where a pod was bound to.
    pub(crate) fn place(&self, pod: PodId) -> Option<NodeId> {
        self.facts.iter().find_map(|fact| match fact.kind {
            FactKind::PodBound { pod: bound, node } if bound == pod => Some(node),
            _ => None,
        })
    }

    /// Pods of a workload that were bound to a node.
    pub(crate) fn on(&self, workload: &str, node: &str) -> BTreeSet<PodId> {
        let node = self.node(node);
        self.pods(workload).into_iter().filter(|&pod| self.place(pod) == Some(node)).collect()
    }

    /// When pods were given up because of their node's health.
    pub(crate) fn given_up(&self) -> Vec<Fact> {
        self.all(|kind| matches!(kind, FactKind::PodDeleting { why: Deletion::NodeLost, .. }))
    }
}

pub(crate) fn seconds(at: Time) -> f64 {
    at.as_secs_f64()
}

/// Asserts that a value is in a range.
pub(crate) fn within(value: f64, low: f64, high: f64, what: &str) {
    assert!((low..=high).contains(&value), "{what}: {value:.3} is not within {low} and {high}");
}
