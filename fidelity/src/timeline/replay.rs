//! A story told to the engine, and what happened told as events.
//!
//! Start at [`replay`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shakedown_engine::{Engine, PodPhase};
use shakedown_engine::fact::{Deletion, FactId, FactKind, FactLog};
use shakedown_engine::ids::{NodeId, PodId, RevisionId, WorkloadId};
use shakedown_engine::message::{Input, InputKind, Operation};
use shakedown_engine::rng::Streams;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::{Exchange, run};

use crate::timeline::event::{Class, Event};
use crate::timeline::kubelets::Kubelets;
use crate::timeline::recording::Census;
use crate::timeline::story::{Part, Story, WARM_UP};
use crate::timeline::words::{Step, seconds};

/// What happens.
pub fn replay(story: &Story) -> Vec<Event> {
    let mut teller = Teller::new(story);
    let start = Time::from_secs(WARM_UP);
    for (at, step) in &story.steps {
        teller.until(start + seconds(*at));
        teller.act(step);
    }
    teller.until(start + seconds(story.end));
    teller.events()
}

struct Teller<'a> {
    story: &'a Story,
    engine: Engine,
    world: Kubelets,
    facts: FactLog,
    exchange: Exchange,
}

impl<'a> Teller<'a> {
    fn new(story: &'a Story) -> Self {
        let catalog = Arc::new(story.catalog.clone());
        let mut world = Kubelets::new(story.pace);
        world.never_ready.extend(&story.never_ready);
        for (name, at) in &story.renewals {
            let phase = (WARM_UP as f64 + at).max(0.0);
            if let Some(&node) = story.nodes.get(name) {
                world.phases.insert(node, Time::ZERO + seconds(phase));
            }
        }
        for (node, spec) in catalog.nodes.iter() {
            if spec.at_start {
                world.boot(Time::ZERO, node);
            } else {
                world.down.insert(node);
            }
        }
        let engine = Engine::new(catalog, story.profile.clone(), Streams::new(1));
        Self { story, engine, world, facts: FactLog::new(), exchange: Exchange::default() }
    }

    fn until(&mut self, end: Time) {
        run(&mut self.engine, &mut self.world, &mut self.facts, end, &mut self.exchange);
    }

    fn command(&mut self, operation: Operation) {
        self.exchange.command(Input { cause: FactId::NONE, kind: InputKind::Operator(operation) });
    }

    /// The workload that is meant, or the only one.
    fn part(&self, name: &str) -> &'a Part {
        let parts = &self.story.parts;
        parts.get(name).or_else(|| parts.values().next()).expect("a story has a workload")
    }

    fn act(&mut self, step: &Step) {
        let part = self.part("");
        let workload = part.workload;
        match step {
            Step::Create | Step::CreateSet => {
                for part in self.story.parts.values() {
                    self.command(Operation::Apply { workload: part.workload });
                }
            }
            Step::Update { revision, .. } => {
                self.command(Operation::Deploy { workload, template: part.templates[revision - 1] });
            }
            Step::Undo => self.command(Operation::Undo { workload }),
            Step::Pause => self.command(Operation::Pause { workload }),
            Step::Resume => self.command(Operation::Resume { workload }),
            Step::Scale { of, to } => {
                let workload = self.part(of).workload;
                self.command(Operation::Scale { workload, replicas: *to });
            }
            Step::Stop(names) => {
                for node in self.nodes_like(names) {
                    self.world.stop(self.engine.now(), node, FactId::NONE);
                }
            }
            Step::GoOn(_) => {
                for node in self.world.down.clone() {
                    self.world.go_on(self.engine.now(), node);
                }
            }
            Step::Partition(_)
            | Step::Join { .. }
            | Step::NodeReady(_)
            | Step::DeletePod { .. }
            | Step::Readiness { .. }
            | Step::Drain(_)
            | Step::Taint(_)
            | Step::Untaint
            | Step::DefaultPriority(_)
            | Step::Note => {}
        }
    }

    /// Our nodes for the recorded ones: one that holds as many pods as the recorded one did at the trigger, if there is one.
    fn nodes_like(&self, names: &[String]) -> Vec<NodeId> {
        let named: Vec<NodeId> = names.iter().filter_map(|name| self.story.nodes.get(name).copied()).collect();
        let [only] = names else { return named };
        let wanted = self.story.places.get(only).cloned().unwrap_or_default();
        let far = |node: &NodeId| {
            let ours = self.census(*node);
            let keys: BTreeSet<_> = wanted.keys().chain(ours.keys()).collect();
            let of = |census: &Census, key| i64::from(census.get(key).copied().unwrap_or(0));
            keys.into_iter().map(|key| (of(&wanted, key) - of(&ours, key)).abs()).sum::<i64>()
        };
        // Of equals the one of that name comes first, so that hosts differ only where they must.
        let candidates = named.iter().copied().chain(self.story.nodes.values().copied());
        candidates.min_by_key(far).into_iter().collect()
    }

    /// Pods of a node: how many of which revision have come how far.
    fn census(&self, node: NodeId) -> Census {
        let view = self.engine.view();
        let mut census = Census::new();
        for pod in view.pods().filter(|pod| pod.node == Some(node)) {
            let part = self.story.parts.values().find(|part| part.workload == pod.workload);
            let nth = part.and_then(|part| part.templates.iter().position(|t| *t == pod.template)).unwrap_or(0);
            let stage = match pod.phase {
                _ if pod.deleting => "deleting",
                PodPhase::Ready => "ready",
                PodPhase::Running | PodPhase::Failing => "running",
                _ => "bound",
            };
            *census.entry((format!("v{}", nth + 1), stage.to_owned())).or_default() += 1;
        }
        census
    }

    /// The facts since the trigger as a watch of the API would show them.
    fn events(&self) -> Vec<Event> {
        let start = Time::from_secs(WARM_UP);
        let mut names = Names::default();
        let mut events = Vec::new();
        for fact in self.facts.facts() {
            names.learn(&fact.kind);
            if fact.at < start {
                continue;
            }
            let at = fact.at.since(start).as_secs_f64();
            for (kind, subject, node) in kinds(&fact.kind) {
                if !self.story.kinds.iter().any(|known| *known == kind) {
                    continue;
                }
                let (class, object) = match subject {
                    Subject::Pod(pod) => (names.class(self, kind, pod), format!("pod-{}", pod.0)),
                    Subject::Node(node) => {
                        let class = Class { kind, revision: String::new(), owner: String::new() };
                        (class, self.engine.view().catalog().node_name(node).to_owned())
                    }
                };
                let node = node.map(|node: NodeId| self.engine.view().catalog().node_name(node).to_owned());
                events.push(Event { at, class, object, node });
            }
        }
        events
    }
}

/// What an event is about.
enum Subject {
    Pod(PodId),
    Node(NodeId),
}

/// The events that one fact is seen as.
fn kinds(fact: &FactKind) -> Vec<(String, Subject, Option<NodeId>)> {
    let pod = |kind: &str, pod: PodId| (kind.to_owned(), Subject::Pod(pod), None);
    match *fact {
        FactKind::PodCreated { pod: id, .. } => vec![pod("created", id)],
        FactKind::PodBound { pod: id, node } => vec![("bound".to_owned(), Subject::Pod(id), Some(node))],
        FactKind::ContainerStarted { pod: id, container: 0, restarts: 0 } => vec![pod("running", id)],
        FactKind::PodReady { pod: id } => vec![pod("ready", id)],
        FactKind::PodUnready { pod: id } => vec![pod("notready", id)],
        FactKind::PodDeleting { pod: id, why } => match why {
            Deletion::NodeLost | Deletion::Tainted | Deletion::Preempted | Deletion::Drained => {
                vec![pod("disruption-target", id), pod("deleting", id)]
            }
            _ => vec![pod("deleting", id)],
        },
        FactKind::PodDeleted { pod: id } => vec![pod("gone", id)],
        FactKind::PodSucceeded { pod: id } => vec![pod("succeeded", id)],
        FactKind::PodFailed { pod: id } => vec![pod("failed", id)],
        FactKind::PodNominated { pod: id, node } => vec![("nominated".to_owned(), Subject::Pod(id), Some(node))],
        FactKind::NodeUnhealthy { node, .. } => vec![("node Unknown".to_owned(), Subject::Node(node), None)],
        FactKind::NodeHealthy { node } => vec![("node True".to_owned(), Subject::Node(node), None)],
        _ => Vec::new(),
    }
}

/// Who belongs to whom, learned from the facts.
#[derive(Default)]
struct Names {
    pods: BTreeMap<PodId, (WorkloadId, RevisionId)>,
    revisions: BTreeMap<RevisionId, usize>,
    of_workload: BTreeMap<WorkloadId, usize>,
}

impl Names {
    fn learn(&mut self, fact: &FactKind) {
        match *fact {
            FactKind::PodCreated { pod, workload, revision } => _ = self.pods.insert(pod, (workload, revision)),
            FactKind::RevisionCreated { workload, revision } => {
                let n = self.of_workload.entry(workload).or_default();
                *n += 1;
                self.revisions.insert(revision, *n);
            }
            _ => {}
        }
    }

    fn class(&self, teller: &Teller<'_>, kind: String, pod: PodId) -> Class {
        let (workload, revision) = self.pods[&pod];
        let owner = teller.engine.view().catalog().workload_name(workload).to_owned();
        let revision = self.revisions.get(&revision).copied().unwrap_or(1);
        Class { kind, revision: format!("v{revision}"), owner }
    }
}

/// A little more than nothing.
pub(super) const TICK: Span = Span::from_millis(1);
