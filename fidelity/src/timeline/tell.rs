//! What happened in a replay, told as a watch of the API would show it.
//!
//! Facts are more exact than events in one respect and less so in another: what lasts (a refusal that is repeated every
//! few seconds) is one fact. Start at [`Teller::events`].

use std::collections::BTreeMap;

use shakedown_engine::fact::{Deletion, Fact, FactKind};
use shakedown_engine::ids::{NodeId, PodId, RevisionId, WorkloadId};
use shakedown_engine::model::WorkloadKind;
use shakedown_engine::time::Time;

use crate::timeline::event::{Class, Event};
use crate::timeline::replay::Teller;

/// What is known of pods, learned from the facts.
#[derive(Default)]
struct Known {
    pods: BTreeMap<PodId, (WorkloadId, RevisionId)>,
    nodes: BTreeMap<PodId, NodeId>,
    revisions: BTreeMap<RevisionId, usize>,
    of_workload: BTreeMap<WorkloadId, usize>,
    ready: BTreeMap<PodId, bool>,
    gone: BTreeMap<PodId, Time>,
    endpoints: BTreeMap<PodId, String>,
    cordoned: BTreeMap<NodeId, Time>,
    /// The last refusal, and when the try was sent that led to it, if that was not at once.
    refused: BTreeMap<PodId, Time>,
    sent: BTreeMap<PodId, Time>,
}

/// An event before it has a class.
struct Raw {
    at: Time,
    kind: String,
    pod: Option<PodId>,
    node: Option<NodeId>,
}

impl Teller<'_> {
    /// The facts since the trigger as a watch of the API would show them.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut known = Known::default();
        let mut raw: Vec<Raw> = Vec::new();
        let mut facts = self.facts.facts().iter().peekable();
        while let Some(fact) = facts.next() {
            known.learn(&fact.kind);
            self.endpoint(&mut known, (fact, facts.peek().copied()), &mut raw);
            self.eviction(&mut known, fact, &mut raw);
            raw.extend(known.seen_as(fact));
        }
        self.refused_to_the_end(&known, &mut raw);
        let attempts = self.engine.view().attempts().iter();
        raw.extend(attempts.map(|&(at, pod)| Raw { at, kind: "attempt".to_owned(), pod: Some(pod), node: None }));
        raw.sort_by_key(|raw| raw.at);
        raw.iter().filter_map(|raw| self.event(&known, raw)).collect()
    }

    /// Nothing, when the recording does not tell such events.
    fn event(&self, known: &Known, raw: &Raw) -> Option<Event> {
        let start = self.trigger();
        let from = start - shakedown_engine::time::Span::from_millis(30);
        if raw.at < from || !self.story.kinds.contains(&raw.kind) {
            return None;
        }
        let at = if raw.at < start { -start.since(raw.at).as_secs_f64() } else { raw.at.since(start).as_secs_f64() };
        let view = self.engine.view();
        let Some(pod) = raw.pod else {
            let class = Class { kind: raw.kind.clone(), revision: String::new(), owner: String::new() };
            let object = raw.node.map_or(String::new(), |node| view.catalog().node_name(node).to_owned());
            return Some(Event { at, class, object, node: None });
        };
        let (workload, revision) = known.pods[&pod];
        let part = self.story.parts.iter().find(|(_, part)| part.workload == workload);
        let (name, part) = part.filter(|(_, part)| !part.hidden)?;
        let plain = ["endpoint", "eviction"].iter().any(|kind| raw.kind.starts_with(kind));
        let details = &view.catalog().workloads[workload].details;
        let indexed = matches!(details, shakedown_engine::model::Details::Job(job) if job.indexed);
        let owner = match part.kind {
            _ if plain => String::new(),
            WorkloadKind::StatefulSet => format!("{name}-{}", view.slot(pod)),
            WorkloadKind::Job if indexed => format!("{name}-{}", view.slot(pod)),
            _ => name.clone(),
        };
        let nth = known.revisions.get(&revision).copied().unwrap_or(1);
        let revision = if plain || part.kind == WorkloadKind::Pod { String::new() } else { format!("v{nth}") };
        let class = Class { kind: raw.kind.clone(), revision, owner };
        let recorded = self.pods.iter().find(|(_, own)| **own == pod).map(|(name, _)| name.clone());
        let object = recorded.unwrap_or_else(|| format!("pod-{}", pod.0));
        // Luck gives nodes by number, so that no name is taken for the recorded one.
        Some(Event { at, class, object, node: raw.node.map(|node| format!("#{}", node.0)) })
    }

    /// Endpoints are told as added, changed or removed, with their conditions.
    fn endpoint(&self, known: &mut Known, (fact, next): (&Fact, Option<&Fact>), raw: &mut Vec<Raw>) {
        let followed = |pod: PodId| {
            next.is_some_and(|next| matches!(next.kind, FactKind::EndpointConditions { pod: p, .. } if p == pod))
        };
        let (pod, now) = match fact.kind {
            FactKind::EndpointAdded { pod, .. } if !followed(pod) => (pod, Some("ready+serving".to_owned())),
            FactKind::EndpointRemoved { pod, .. } if !followed(pod) => {
                (pod, (!known.gone.contains_key(&pod)).then(|| "not ready".to_owned()))
            }
            FactKind::EndpointConditions { pod, ready, serving, terminating, .. } => {
                let flags = [(ready, "ready"), (serving, "serving"), (terminating, "terminating")];
                let set: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
                (pod, Some(if set.is_empty() { "not ready".to_owned() } else { set.join("+") }))
            }
            FactKind::EndpointGone { pod, .. } => (pod, None),
            _ => return,
        };
        let kind = match now {
            None => {
                known.endpoints.remove(&pod);
                "endpoint removed".to_owned()
            }
            Some(now) => {
                let change = if known.endpoints.insert(pod, now.clone()).is_some() { "changed" } else { "added" };
                format!("endpoint {change} {now}")
            }
        };
        raw.push(Raw { at: fact.at, kind, pod: Some(pod), node: None });
    }

    /// An eviction is sent when its node is closed, and again a while after each refusal.
    fn eviction(&self, known: &mut Known, fact: &Fact, raw: &mut Vec<Raw>) {
        let tell =
            |at: Time, code: u32, pod: PodId| Raw { at, kind: format!("eviction {code}"), pod: Some(pod), node: None };
        let retry = self.story.retry;
        match fact.kind {
            FactKind::NodeCordoned { node } => _ = known.cordoned.insert(node, fact.at),
            FactKind::EvictionRefused { pod, .. } => {
                // The last of the tries since the former refusal is the one that is refused now.
                if let Some(former) = known.refused.insert(pod, fact.at) {
                    let tries = fact.at.since(former).as_nanos() / retry.as_nanos().max(1);
                    raw.push(tell(known.sent.remove(&pod).unwrap_or(former), 429, pod));
                    raw.extend((1..tries).map(|n| tell(former + retry.times(n), 429, pod)));
                    known.sent.insert(pod, former + retry.times(tries));
                }
            }
            FactKind::PodDeleting { pod, why: Deletion::Drained } => {
                let closed = known.nodes.get(&pod).and_then(|node| known.cordoned.get(node)).copied();
                let sent = match known.refused.remove(&pod) {
                    Some(last) => {
                        let tries = fact.at.since(last).as_nanos() / retry.as_nanos().max(1);
                        raw.push(tell(known.sent.remove(&pod).unwrap_or(last), 429, pod));
                        raw.extend((1..tries).map(|n| tell(last + retry.times(n), 429, pod)));
                        last + retry.times(tries)
                    }
                    None => closed.unwrap_or(fact.at),
                };
                raw.push(tell(sent, 201, pod));
            }
            _ => {}
        }
    }

    fn refused_to_the_end(&self, known: &Known, raw: &mut Vec<Raw>) {
        for (&pod, &first) in &known.refused {
            let tries = self.engine.now().since(first).as_nanos() / self.story.retry.as_nanos().max(1);
            let at = (0..=tries).map(|n| first + self.story.retry.times(n));
            raw.extend(at.map(|at| Raw { at, kind: "eviction 429".to_owned(), pod: Some(pod), node: None }));
        }
    }
}

impl Known {
    fn learn(&mut self, fact: &FactKind) {
        match *fact {
            FactKind::PodCreated { pod, workload, revision } => _ = self.pods.insert(pod, (workload, revision)),
            FactKind::PodBound { pod, node } => _ = self.nodes.insert(pod, node),
            FactKind::RevisionCreated { workload, revision } => {
                let n = self.of_workload.entry(workload).or_default();
                *n += 1;
                self.revisions.insert(revision, *n);
            }
            _ => {}
        }
    }

    /// The events that one fact is seen as.
    fn seen_as(&mut self, fact: &Fact) -> Vec<Raw> {
        let of = |kind: &str, pod: PodId, node| Raw { at: fact.at, kind: kind.to_owned(), pod: Some(pod), node };
        let node = |kind: &str, node| Raw { at: fact.at, kind: kind.to_owned(), pod: None, node: Some(node) };
        let kind = match fact.kind {
            FactKind::PodCreated { pod, .. } => of("created", pod, None),
            FactKind::PodBound { pod, node } => of("bound", pod, Some(node)),
            FactKind::ContainerStarted { pod, container: 0, restarts: 0 } => of("running", pod, None),
            FactKind::PodReady { pod } => {
                self.ready.insert(pod, true);
                of("ready", pod, None)
            }
            FactKind::PodUnready { pod } => {
                self.ready.insert(pod, false);
                of("notready", pod, None)
            }
            FactKind::PodDeleting { pod, .. } => of("deleting", pod, None),
            FactKind::PodDisrupted { pod, .. } => of("disruption-target", pod, None),
            FactKind::PodDeleted { pod } => {
                self.gone.insert(pod, fact.at);
                of("gone", pod, None)
            }
            FactKind::PodSucceeded { pod } => return self.ended(of("succeeded", pod, None)),
            FactKind::PodFailed { pod } => return self.ended(of("failed", pod, None)),
            FactKind::PodNominated { pod, node } => of("nominated", pod, Some(node)),
            FactKind::NodeUnhealthy { node: of, .. } => node("node Unknown", of),
            FactKind::NodeHealthy { node: of } => node("node True", of),
            _ => return Vec::new(),
        };
        vec![kind]
    }

    /// The same write that ends a pod says that it is not ready any more.
    fn ended(&mut self, end: Raw) -> Vec<Raw> {
        let was_ready = end.pod.and_then(|pod| self.ready.insert(pod, false)).unwrap_or(false);
        let unready = Raw { kind: "notready".to_owned(), ..end };
        let end = Raw { kind: end.kind, ..unready };
        if was_ready { vec![end, unready] } else { vec![end] }
    }
}
