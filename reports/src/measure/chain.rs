//! The story of each fault: whom it took, how they came back, and how long each stage lasted.
//!
//! Percentiles are over replicas. A stage's step is the time since the stage before it that this replica reached.
//! Start at [`stories`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_chaos::fault::Action;
use shakedown_engine::fact::{Exit, Fact, FactId, FactKind};
use shakedown_engine::ids::FaultId;
use shakedown_engine::time::{Span, Time};

use super::distribution::Distribution;
use super::losses::{Ending, Loss, NodeHit};
use super::measurements::Measurements;
use super::stage::Stage;
use crate::names::Names;
use crate::run::Run;

/// One fault or operation and what came of it.
#[derive(Clone, Debug)]
pub struct Story {
    /// Which entry of the timeline.
    pub fault: FaultId,
    /// As the timeline calls it.
    pub label: String,
    /// True for what an operator does, false for what breaks.
    pub is_operation: bool,
    /// When it took effect.
    pub at: Time,
    /// When it was lifted.
    pub lifted: Option<Time>,
    /// Targets that it hit.
    pub targets: u32,
    /// Nodes that went down or were declared unhealthy because of it.
    pub nodes_hit: u32,
    /// Replicas that it took, and what became of them.
    pub lost: Lost,
    /// From its effect until the first request failed that had not failed before. `None` as well when too few failed
    /// for anybody to feel it.
    pub onset: Option<Span>,
    /// So many requests failed until the next entry that somebody felt it, whatever made them fail.
    pub is_felt: bool,
    /// Requests that failed from its effect until the next entry's, whatever made them fail.
    pub lost_requests: u64,
    /// Time to detect, over hit nodes, and over lost replicas of nodes that were not hit.
    pub detect: Distribution,
    /// Time until a replacement was bound and started, over replicas that were not restored in place.
    pub reschedule: Distribution,
    /// Time until ready again, over replicas that were not withdrawn.
    pub recover: Distribution,
    /// Stages that at least one replica reached.
    pub stages: Vec<StageTimes>,
    /// The stages of the slowest replica and how long each took it.
    pub slowest: Vec<(Stage, Span)>,
    /// Until a rollout that it began came to a halt by itself: stalled, paused or turned back.
    pub halted: Option<Span>,
    /// How the slowest replica came back, or why it did not: fault first. Without a lost one: why the rollout halted.
    pub why: Vec<WhyLine>,
}

/// What became of replicas that a fault took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// All of them, without those that were withdrawn.
    pub total: u32,
    /// Served again by a replacement.
    pub replaced: u32,
    /// Served again in place.
    pub in_place: u32,
    /// Still missing at the end.
    pub missing: u32,
    /// Removed by a rollout or scaling before they were back.
    pub withdrawn: u32,
}

/// One stage over all replicas that reached it.
#[derive(Clone, Debug)]
pub struct StageTimes {
    /// Which.
    pub stage: Stage,
    /// Time since the fault.
    pub total: Distribution,
    /// Time since the stage before.
    pub step: Distribution,
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyLine {
    /// When.
    pub at: Time,
    /// What, as a sentence.
    pub text: String,
}

impl Lost {
    /// Share of lost replicas that were back at the end, in millionths.
    pub fn completeness_ppm(&self) -> Option<u64> {
        super::traffic::ratio_ppm(u64::from(self.total - self.missing), u64::from(self.total))
    }
}

/// Time to reschedule of a loss; `None` when this loss is not about rescheduling.
pub(super) fn reschedule_sample(loss: &Loss) -> Option<Option<u64>> {
    match loss.ending {
        Ending::Withdrawn | Ending::InPlace => None,
        Ending::Missing | Ending::Replaced(_) => Some(loss.rescheduled.map(|at| at.since(loss.since).as_nanos())),
    }
}

/// Time to recover of a loss; `None` when nobody waits for it.
pub(super) fn recover_sample(loss: &Loss) -> Option<Option<u64>> {
    match loss.ending {
        Ending::Withdrawn => None,
        Ending::Missing => Some(None),
        Ending::InPlace | Ending::Replaced(_) => {
            Some(loss.stages.get(Stage::Ready).map(|at| at.since(loss.since).as_nanos()))
        }
    }
}

/// Time to detect of a loss.
pub(super) fn detect_sample(loss: &Loss) -> Option<u64> {
    loss.stages.get(Stage::Detected).map(|at| at.since(loss.since).as_nanos())
}

/// All stories, in the order of the timeline.
pub(super) fn stories(run: &Run, measured: &Measurements) -> Vec<Story> {
    let names = Names::new(run, &measured.pods);
    let mut losses: BTreeMap<FaultId, Vec<&Loss>> = BTreeMap::new();
    for loss in &measured.losses.all {
        losses.entry(loss.fault).or_default().push(loss);
    }
    let mut all: Vec<Story> = measured
        .origins
        .faults
        .keys()
        .map(|fault| story(run, measured, *fault, losses.get(fault).map_or(&[], Vec::as_slice)))
        .collect();
    for story in &mut all {
        story.label = names.fault(story.fault);
    }
    all.sort_by_key(|story| (story.at, story.fault));
    all
}

fn story(run: &Run, measured: &Measurements, fault: FaultId, losses: &[&Loss]) -> Story {
    let applied = measured.origins.faults[&fault];
    let hits: Vec<&NodeHit> = measured.losses.nodes.iter().filter(|hit| hit.fault == fault).collect();
    let halt = halt(run, measured, fault);
    let harm = measured.traffic.harms.get(&fault).copied().unwrap_or_default();
    let onset = harm.onset.filter(|_| harm.is_felt()).map(|at| at.since(applied.at));
    Story {
        fault,
        label: String::new(),
        is_operation: run.experiment.timeline.get(fault).is_some_and(|entry| is_operation(&entry.action)),
        at: applied.at,
        lifted: applied.lifted,
        targets: applied.targets,
        nodes_hit: u32::try_from(hits.len()).unwrap_or(u32::MAX),
        lost: count(losses),
        onset,
        is_felt: harm.is_felt(),
        lost_requests: harm.lost.div_ceil(1000),
        detect: detection(&hits, losses),
        reschedule: Distribution::new(losses.iter().filter_map(|loss| reschedule_sample(loss))),
        recover: Distribution::new(losses.iter().filter_map(|loss| recover_sample(loss))),
        stages: stages(losses),
        slowest: slowest(losses).map_or_else(Vec::new, steps),
        halted: halt.map(|fact| fact.at.since(applied.at)),
        why: match (slowest(losses), halt) {
            (Some(loss), _) => why(run, measured, loss),
            (None, Some(fact)) => why_halted(run, measured, (fault, fact)),
            (None, None) => Vec::new(),
        },
    }
}

/// What people do to a cluster, as opposed to what breaks in it.
pub fn is_operation(action: &Action) -> bool {
    !matches!(
        action,
        Action::Kill(_)
            | Action::Restart(_)
            | Action::Saturate { .. }
            | Action::Partition(_)
            | Action::Delay { .. }
            | Action::Lose { .. }
            | Action::KillPods { .. }
            | Action::Leak { .. }
            | Action::FillMemory { .. }
            | Action::FillDisk { .. }
            | Action::StopProxies(_)
            | Action::Agents { .. }
            | Action::StopPart { .. }
            | Action::Flood(_)
    )
}

/// Hit nodes, and replicas lost from nodes that were not hit.
pub(super) fn detection(hits: &[&NodeHit], losses: &[&Loss]) -> Distribution {
    let hit: BTreeSet<_> = hits.iter().map(|hit| hit.node).collect();
    let of_nodes = hits.iter().map(|hit| hit.detected.map(|at| at.since(hit.since).as_nanos()));
    let elsewhere = losses.iter().filter(|loss| loss.node.is_none_or(|node| !hit.contains(&node)));
    Distribution::new(of_nodes.chain(elsewhere.map(|loss| detect_sample(loss))))
}

fn count(losses: &[&Loss]) -> Lost {
    let mut lost = Lost::default();
    for loss in losses {
        let counter = match loss.ending {
            Ending::Missing => &mut lost.missing,
            Ending::InPlace => &mut lost.in_place,
            Ending::Replaced(_) => &mut lost.replaced,
            Ending::Withdrawn => &mut lost.withdrawn,
        };
        *counter += 1;
    }
    lost.total = lost.missing + lost.in_place + lost.replaced;
    lost
}

fn stages(losses: &[&Loss]) -> Vec<StageTimes> {
    let mut samples = vec![(Vec::new(), Vec::new()); Stage::ALL.len()];
    for loss in losses.iter().filter(|loss| loss.ending != Ending::Withdrawn) {
        for (stage, step) in steps(loss) {
            let total = loss.stages.get(stage).map(|at| at.since(loss.since).as_nanos());
            samples[stage as usize].0.push(total);
            samples[stage as usize].1.push(Some(step.as_nanos()));
        }
    }
    let reached = Stage::ALL.into_iter().zip(samples).filter(|(_, (total, _))| !total.is_empty());
    reached
        .map(|(stage, (total, step))| StageTimes {
            stage,
            total: Distribution::new(total),
            step: Distribution::new(step),
        })
        .collect()
}

/// How long each stage took one replica.
fn steps(loss: &Loss) -> Vec<(Stage, Span)> {
    let mut before = loss.since;
    let reached = Stage::ALL.into_iter().filter_map(|stage| Some((stage, loss.stages.get(stage)?)));
    reached
        .map(|(stage, at)| {
            let step = at.since(before);
            before = before.max(at);
            (stage, step)
        })
        .collect()
}

/// The replica that took longest; of those that never came back the first.
fn slowest<'a>(losses: &[&'a Loss]) -> Option<&'a Loss> {
    let waited = losses.iter().filter_map(|loss| Some((recover_sample(loss)?, *loss)));
    let key = |sample: Option<u64>| sample.unwrap_or(u64::MAX);
    waited.reduce(|worst, next| if key(next.0) > key(worst.0) { next } else { worst }).map(|(_, loss)| loss)
}

/// The fact by which a rollout that an entry began came to a halt, unless the entry itself asked for that.
fn halt<'a>(run: &'a Run, measured: &Measurements, fault: FaultId) -> Option<&'a Fact> {
    let is_halt = |fact: &&Fact| {
        matches!(
            fact.kind,
            FactKind::RolloutStalled { .. } | FactKind::RolloutPaused { .. } | FactKind::RolloutUndone { .. }
        )
    };
    let is_asked_for =
        |fact: &Fact| matches!(run.fact(fact.cause).map(|cause| cause.kind), Some(FactKind::FaultApplied { .. }));
    run.facts.iter().filter(is_halt).find(|fact| measured.origins.of(fact) == Some(fault) && !is_asked_for(fact))
}

/// The chain of causes of a rollout's halt, and before it the first newcomer's failure, which made it halt in the end.
fn why_halted(run: &Run, measured: &Measurements, (fault, halt): (FaultId, &Fact)) -> Vec<WhyLine> {
    let since = measured.origins.faults[&fault].at;
    let is_new = |pod| measured.pods.get(pod).is_some_and(|row| row.created >= since);
    let is_failure = |fact: &&Fact| match fact.kind {
        FactKind::ContainerExited { pod, why: Exit::Crashed | Exit::OutOfMemory | Exit::Failed { .. }, .. }
        | FactKind::PullFailed { pod, .. }
        | FactKind::PodFailed { pod } => is_new(pod) && measured.origins.of(fact) == Some(fault),
        _ => false,
    };
    let mut lines = chain_to(run, measured, halt.id);
    if let Some(failure) = run.facts.iter().filter(|fact| fact.id < halt.id).find(is_failure) {
        let text = Names::new(run, &measured.pods).sentence(&failure.kind);
        if lines.iter().all(|line| line.text != text) {
            let place = lines.iter().take_while(|line| line.at <= failure.at).count();
            lines.insert(place, WhyLine { at: failure.at, text });
        }
    }
    lines
}

/// The chain of causes of the newest thing that happened to a loss.
fn why(run: &Run, measured: &Measurements, loss: &Loss) -> Vec<WhyLine> {
    let mut lines = chain_to(run, measured, loss.last_fact);
    if loss.ending == Ending::Missing {
        let text = format!("the run ends and {} is not back", Names::new(run, &measured.pods).pod(loss.pod));
        lines.push(WhyLine { at: run.end, text });
    }
    lines
}

/// The chain of causes of a fact, fault first, at most ten lines.
fn chain_to(run: &Run, measured: &Measurements, last: FactId) -> Vec<WhyLine> {
    const LINES: usize = 10;
    let names = Names::new(run, &measured.pods);
    let mut chain = Vec::new();
    let mut next = last;
    while let Some(fact) = run.fact(next) {
        chain.push(fact);
        next = if fact.cause < fact.id { fact.cause } else { FactId::NONE };
    }
    chain.reverse();
    while chain.len() > LINES {
        // Of equals the one in the middle goes: both ends matter most, what happened and what became of it.
        let middle = chain.len() / 2;
        let weight = |i: &usize| (dispensability(&chain[*i].kind), std::cmp::Reverse(i.abs_diff(middle)), *i);
        let least = (1..chain.len() - 1).max_by_key(weight).unwrap_or(middle);
        chain.remove(least);
    }
    chain.iter().map(|fact| WhyLine { at: fact.at, text: names.sentence(&fact.kind) }).collect()
}

/// How well a story can do without a fact: the highest goes first.
fn dispensability(kind: &FactKind) -> u8 {
    match kind {
        FactKind::AgentReady { .. } | FactKind::AgentUnready { .. } => 4,
        FactKind::PodPulled { .. } | FactKind::EndpointRemoved { .. } => 3,
        FactKind::EndpointAdded { .. } | FactKind::PodDeleted { .. } => 2,
        FactKind::ContainerStarted { .. } | FactKind::HostDown { .. } => 1,
        _ => 0,
    }
}
