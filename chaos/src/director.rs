//! The director: walks the timeline, chooses targets, applies and lifts.
//!
//! It decides when and whom; what an effect does is the world's business, what an operation does the engine's.
//!
//! Rules: at one instant lifts come first, then renewed choices, then new entries in the order of the file. A
//! `continuous` entry is chosen anew each second: hosts that were hit stay hit until the entry ends, newcomers are
//! added, pods are hit once each; the sides of a network fault follow their selectors. A host that a `restore` or
//! `uncordon` names is let go by every entry before it. A node stays closed while any `cordon` or `drain` holds it.
//! Start at [`Director::act`].

mod impact;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shakedown_engine::fact::{FactId, FactKind, FactLog};
use shakedown_engine::ids::{FaultId, Id, NodeId};
use shakedown_engine::message::{Input, InputKind, Operation};
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::time::{Span, Time};

use crate::experiment::{Entry, Experiment};
use crate::scene::Scene;
use crate::target::FaultTarget;
use impact::Impact;

/// How often the targets of a continuous entry are chosen anew.
const RENEWAL: Span = Span::from_secs(1);

/// Where the director stands in the timeline, and what holds at present.
#[derive(Clone, Debug)]
pub struct Director {
    experiment: Arc<Experiment>,
    streams: Streams,
    next: FaultId,
    holds: BTreeMap<FaultId, Hold>,
    changed: Time,
    last: FactId,
    remarks: Vec<Remark>,
}

/// Everything that the director acts on.
pub struct Stage<'a> {
    /// Where targets are looked for.
    pub scene: &'a dyn Scene,
    /// Who produces effects.
    pub target: &'a mut dyn FaultTarget,
    /// Where it is recorded.
    pub facts: &'a mut FactLog,
    /// Operators' commands for the engine's next step.
    pub commands: &'a mut Vec<Input>,
}

/// An entry that holds.
#[derive(Clone, Debug)]
struct Hold {
    cause: FactId,
    until: Option<Time>,
    renew: Option<Time>,
    impact: Impact,
    released: BTreeSet<NodeId>,
}

/// Something about an entry that the reader of a report must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which entry.
    pub fault: FaultId,
    /// When it came up.
    pub at: Time,
    /// What.
    pub kind: RemarkKind,
}

/// What a remark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemarkKind {
    /// Its selector matched nothing when its time came.
    NoTarget,
    /// The world cannot produce it.
    Unsupported {
        /// Why, in the world's words.
        reason: String,
    },
}

impl Director {
    /// A director at the start of the experiment's timeline.
    pub fn new(experiment: Arc<Experiment>, streams: Streams) -> Self {
        let in_order = experiment.timeline.rows().is_sorted_by_key(|entry| entry.at);
        assert!(in_order, "a timeline is in order of time");
        let (holds, remarks) = (BTreeMap::new(), Vec::new());
        Self { experiment, streams, next: FaultId(0), holds, changed: Time::ZERO, last: FactId::NONE, remarks }
    }

    /// When the director must act next.
    pub fn next_time(&self) -> Option<Time> {
        let entry = self.experiment.timeline.get(self.next).map(|entry| entry.at);
        let holds = self.holds.values().flat_map(|hold| [hold.until, hold.renew]);
        holds.chain([entry]).flatten().min()
    }

    /// Since when nothing more is going to be applied or lifted. Faults without an end do not stand in the way.
    pub fn settled(&self) -> Option<Time> {
        let done = self.next.index() >= self.experiment.timeline.len();
        (done && self.holds.values().all(|hold| hold.until.is_none())).then_some(self.changed)
    }

    /// Whether an entry that has not ended holds a host down. A dead host that none holds is booting.
    pub fn holds_down(&self, node: NodeId) -> bool {
        self.holds.values().any(|hold| hold.impact.downs().is_some_and(|nodes| nodes.contains(&node)))
    }

    /// Whether an entry that has not ended cuts a host off from the control plane.
    pub fn cuts_off(&self, node: NodeId) -> bool {
        self.holds.values().any(|hold| hold.impact.cuts_off(node))
    }

    /// The fact about the newest application or lift.
    pub fn last_fact(&self) -> FactId {
        self.last
    }

    /// What must be reported beside the facts, in order of time.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// Does everything that is due at `now`.
    pub fn act(&mut self, now: Time, stage: &mut Stage<'_>) {
        let due = |time: Option<Time>| time.is_some_and(|time| time <= now);
        let over: Vec<FaultId> = self.holds.iter().filter(|(_, h)| due(h.until)).map(|(&id, _)| id).collect();
        for fault in over {
            self.lift(now, fault, stage);
        }
        let stale: Vec<FaultId> = self.holds.iter().filter(|(_, h)| due(h.renew)).map(|(&id, _)| id).collect();
        for fault in stale {
            self.renew(now, fault, stage);
        }
        let experiment = Arc::clone(&self.experiment);
        while let Some(entry) = experiment.timeline.get(self.next).filter(|entry| entry.at <= now) {
            let fault = self.next;
            self.next = FaultId(fault.0 + 1);
            self.begin(now, fault, entry, stage);
        }
    }

    fn begin(&mut self, now: Time, fault: FaultId, entry: &Entry, stage: &mut Stage<'_>) {
        let impact = self.choose(fault, stage.scene);
        let cause = self.record(now, fault, &impact, stage.facts);
        if impact.targets() == 0 {
            self.remarks.push(Remark { fault, at: now, kind: RemarkKind::NoTarget });
            if !entry.continuous {
                return;
            }
        } else if !self.produce(now, fault, cause, &impact, stage) {
            return;
        }
        self.release(now, &impact, cause, stage);
        if impact.lasts() || entry.continuous {
            let until = entry.lasts.map(|lasts| now + lasts);
            let renew = entry.continuous.then(|| now + RENEWAL);
            self.holds.insert(fault, Hold { cause, until, renew, impact, released: BTreeSet::new() });
        }
    }

    /// Chooses targets anew and hits newcomers.
    fn renew(&mut self, now: Time, fault: FaultId, stage: &mut Stage<'_>) {
        let fresh = self.choose(fault, stage.scene);
        let hold = self.holds.get_mut(&fault).expect("only holding entries are renewed");
        hold.renew = Some(now + RENEWAL);
        let Some(grown) = hold.impact.grown(fresh, &hold.released) else { return };
        hold.impact = grown.all;
        let cause = self.record(now, fault, &self.holds[&fault].impact.clone(), stage.facts);
        if !self.produce(now, fault, cause, &grown.send, stage) {
            self.holds.remove(&fault);
        }
    }

    fn choose(&self, fault: FaultId, scene: &dyn Scene) -> Impact {
        // The same stream each time: a repeated choice draws the same lots.
        let mut lots = self.streams.stream(Purpose::Fault, fault.0);
        Impact::choose(&self.experiment.timeline[fault].action, scene, &mut lots)
    }

    fn record(&mut self, now: Time, fault: FaultId, impact: &Impact, facts: &mut FactLog) -> FactId {
        let cause = self.holds.get(&fault).map_or(FactId::NONE, |hold| hold.cause);
        let targets = u32::try_from(impact.targets()).expect("ids are 32 bits wide, so targets number no more");
        self.changed = now;
        self.last = facts.record(now, cause, FactKind::FaultApplied { fault, targets });
        self.last
    }

    /// Hands an impact to whoever carries it out. False when the world cannot; that ends the entry.
    fn produce(&mut self, now: Time, fault: FaultId, cause: FactId, impact: &Impact, stage: &mut Stage<'_>) -> bool {
        let effect = match impact {
            Impact::Operator(operation) => {
                stage.commands.push(command(cause, operation.clone()));
                return true;
            }
            Impact::Physical { effect, .. } => effect,
        };
        let Err(unsupported) = stage.target.apply(now, fault, effect, cause, stage.facts) else { return true };
        self.last = stage.facts.record(now, cause, FactKind::FaultLifted { fault });
        self.remarks.push(Remark { fault, at: now, kind: RemarkKind::Unsupported { reason: unsupported.reason } });
        false
    }

    fn lift(&mut self, now: Time, fault: FaultId, stage: &mut Stage<'_>) {
        let hold = self.holds.remove(&fault).expect("only holding entries are lifted");
        let cause = stage.facts.record(now, hold.cause, FactKind::FaultLifted { fault });
        self.changed = now;
        self.last = cause;
        if !hold.impact.lasts() {
            return;
        }
        if let Some(nodes) = hold.impact.closes() {
            let held = |node: &NodeId| self.holds.values().any(|h| h.impact.closes().is_some_and(|c| c.contains(node)));
            let nodes: Vec<NodeId> = nodes.iter().copied().filter(|node| !held(node)).collect();
            if !nodes.is_empty() {
                stage.commands.push(command(cause, Operation::Uncordon { nodes }));
            }
        } else if let Some(undo) = hold.impact.undone_by() {
            stage.commands.push(command(cause, undo));
        } else {
            stage.target.lift(now, fault, cause, stage.facts);
        }
    }

    /// After a `restore` or `uncordon`: earlier entries let go of the nodes that it names.
    fn release(&mut self, now: Time, impact: &Impact, cause: FactId, stage: &mut Stage<'_>) {
        let Some(nodes) = impact.frees() else { return };
        for (&fault, hold) in &mut self.holds {
            if !hold.impact.is_freed_by(impact) || !hold.impact.let_go(nodes) {
                continue;
            }
            hold.released.extend(nodes);
            if hold.impact.targets() == 0 && hold.renew.is_none() {
                stage.facts.record(now, cause, FactKind::FaultLifted { fault });
            }
            let Impact::Physical { effect, .. } = &hold.impact else { continue };
            if hold.impact.targets() == 0 {
                stage.target.lift(now, fault, cause, stage.facts);
            } else {
                let smaller = stage.target.apply(now, fault, effect, cause, stage.facts);
                assert!(smaller.is_ok(), "a world that produced an effect produces it on fewer hosts");
            }
        }
        self.holds.retain(|_, hold| hold.renew.is_some() || hold.impact.targets() > 0);
    }
}

fn command(cause: FactId, operation: Operation) -> Input {
    Input { cause, kind: InputKind::Operator(operation) }
}

#[cfg(test)]
pub(crate) mod tests;
