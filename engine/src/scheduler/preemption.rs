//! Which pods would have to go so that a refused pod fits: the dry run and the choice of a node.
//!
//! It deletes nothing: whoever calls promises the node ([`Scheduler::nominate`]) and asks for the deletions. The dry
//! run takes pods out of the scheduler's own counts and puts them back, node by node, so that all filters judge as
//! they always do; where only amounts matter, it computes with those alone. Start at [`Scheduler::preempt`].
//!
//! Source: kubernetes/kubernetes:pkg/scheduler/framework/preemption/preemption.go and
//! pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::ids::{BudgetId, Id, NodeId, PodId};
use crate::labels::Interner;
use crate::profile::{Filter, PreemptionArgs};
use crate::scheduler::class::Class;
use crate::scheduler::counters::ClassId;
use crate::scheduler::filter::Ask;
use crate::scheduler::outcome::{Verdict, sentence};
use crate::scheduler::roster::Occupant;
use crate::scheduler::{Reason, Request, Scheduler};
use crate::time::Time;

/// What preemption must know of disruption budgets.
pub trait Budgets {
    /// The budgets that select a pod, appended to `found`. Leave out a budget that the API server has counted the pod's
    /// disruption in already (`status.disruptedPods`), and, as the original does, one with an empty selector.
    fn covering(&self, pod: PodId, found: &mut Vec<BudgetId>);

    /// Disruptions that a budget allows now (`status.disruptionsAllowed`).
    fn allowed(&self, budget: BudgetId) -> u32;

    /// True when no pod is covered by any budget.
    fn is_empty(&self) -> bool {
        false
    }
}

/// No budgets at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBudgets;

impl Budgets for NoBudgets {
    fn covering(&self, _: PodId, _: &mut Vec<BudgetId>) {}

    fn allowed(&self, _: BudgetId) -> u32 {
        0
    }

    fn is_empty(&self) -> bool {
        true
    }
}

/// What Kubernetes 1.36 says before the reason: the plugins' words are joined in their order, and `DynamicResources`,
/// which comes before `DefaultPreemption`, has found no device to take back.
/// Source: recorded on 1.36.2; kubernetes/kubernetes:pkg/scheduler/framework/runtime/framework.go,
/// `RunPostFilterPlugins`.
const BEFORE_PREEMPTION: &str = "no new claims to deallocate, preemption: ";

/// What preemption comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// The scheduler's profile has no preemption.
    Disabled,
    /// The pod may not ask for it: its policy is `Never`.
    Never,
    /// It waits for pods that already end for its sake on the node that it was promised.
    Terminating,
    /// No node would help.
    Nowhere(Unhelpful),
    /// A node was chosen.
    Found(Preempted),
}

/// Why no node would help, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unhelpful {
    /// All nodes.
    pub nodes: u32,
    /// Nodes without pods of lower priority.
    pub no_victims: u32,
    /// Nodes where the pod would not fit even without all pods of lower priority.
    pub refused: u32,
    /// Why it would not fit there; a node short of two resources counts in both.
    pub reasons: Vec<(Reason, u32)>,
}

/// A successful dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preempted {
    /// All candidates: first those that violate no budget, each part in the order in which the nodes were tried.
    pub candidates: Vec<Victims>,
    /// Candidates among which the original chooses at random, as indices.
    pub best: Vec<usize>,
}

/// What would have to go on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victims {
    /// The node.
    pub node: NodeId,
    /// The pods, most important first. Some may be ending already.
    pub pods: Vec<PodId>,
    /// How many of them break a budget.
    pub violations: u32,
    /// The rank among candidates: smaller is better.
    rank: Rank,
}

/// Violations, highest priority, sum of priorities, number of victims, and the later the earliest start, the better.
type Rank = (u32, i32, i64, usize, Reverse<Time>);

impl Preempted {
    /// The node that is taken: the first of the best in the order of trial, which begins at a random node.
    pub fn chosen(&self) -> &Victims {
        &self.candidates[self.best[0]]
    }
}

impl Preemption {
    /// The sentence that Kubernetes appends to the pod's condition; nothing when a node was found.
    pub fn message(&self, names: &Interner) -> Option<String> {
        let why = match self {
            Self::Disabled | Self::Found(_) => return None,
            Self::Never => "not eligible due to preemptionPolicy=Never.".to_owned(),
            Self::Terminating => "not eligible due to a terminating pod on the nominated node.".to_owned(),
            Self::Nowhere(why) => why.message(names),
        };
        Some(format!("{BEFORE_PREEMPTION}{why}"))
    }
}

impl Unhelpful {
    fn message(&self, names: &Interner) -> String {
        let tried: u32 = self.no_victims + self.refused;
        let fixed = [
            (self.no_victims, "No preemption victims found for incoming pod"),
            (self.nodes - tried, "Preemption is not helpful for scheduling"),
        ];
        let fixed = fixed.iter().filter(|(nodes, _)| *nodes > 0).map(|(nodes, text)| format!("{nodes} {text}"));
        let reasons = self.reasons.iter().map(|(reason, nodes)| format!("{nodes} {}", reason.text(names)));
        sentence(self.nodes, fixed.chain(reasons).collect())
    }

    fn add(&mut self, verdict: &Verdict) {
        self.refused += 1;
        for &reason in &verdict.reasons {
            match self.reasons.iter_mut().find(|entry| entry.0 == reason) {
                Some(entry) => entry.1 += 1,
                None => self.reasons.push((reason, 1)),
            }
        }
    }
}

/// What one node's dry run comes to.
enum Trial {
    NoVictims,
    Refused(Verdict),
    Fits(Victims),
}

impl Scheduler {
    /// Looks for a node where a pod fits once pods of lower priority are gone. Call it when [`Scheduler::place`] has
    /// just refused the pod; nothing changes but the stream of draws.
    pub fn preempt(&mut self, pod: &Request, budgets: &dyn Budgets) -> Preemption {
        let ask = self.ask(pod);
        let Some(args) = self.placement(ask.class).args.preemption else { return Preemption::Disabled };
        if !self.catalog.templates[pod.template].preempts {
            return Preemption::Never;
        }
        self.refresh_order();
        if self.looked.pod != Some(pod.pod) {
            self.refusal(ask);
        }
        if self.waits_for_victims(ask) {
            return Preemption::Terminating;
        }
        let potential = std::mem::take(&mut self.looked.helpful);
        let found = self.dry_run(ask, args, &potential, budgets);
        self.looked.helpful = potential;
        found
    }

    /// True when pods that this pod preempted still end on the node that it was promised, and that node can be helped.
    ///
    /// Source: default_preemption.go, `PodEligibleToPreemptOthers`.
    fn waits_for_victims(&mut self, ask: Ask) -> bool {
        let Some(node) = self.nominated(ask.pod).filter(|&node| self.ledger.state(node).is_some()) else {
            return false;
        };
        if self.judge(ask, node).is_some_and(|verdict| verdict.unresolvable) {
            return false;
        }
        let ending = |occupant: &Occupant| {
            self.seats[occupant.pod.index()].is_some_and(|seat| seat.terminating && seat.preempted)
        };
        self.roster.below(node, ask.priority).iter().any(ending)
    }

    /// Tries nodes from a random one on until enough candidates are found.
    ///
    /// Source: preemption.go, `findCandidates` and `DryRunPreemption`; default_preemption.go,
    /// `GetOffsetAndNumCandidates`. The real run is parallel; this is its sequential reading.
    fn dry_run(&mut self, ask: Ask, args: PreemptionArgs, potential: &[NodeId], budgets: &dyn Budgets) -> Preemption {
        let mut why = Unhelpful { nodes: self.order.len() as u32, ..Unhelpful::default() };
        if potential.is_empty() {
            return Preemption::Nowhere(why);
        }
        let offset = self.stream.index(potential.len());
        let share = potential.len() * args.min_percent as usize / 100;
        let wanted = share.max(args.min_nodes as usize).min(potential.len());
        if !self.roster.any_below(ask.priority) {
            why.no_victims = potential.len() as u32;
            return Preemption::Nowhere(why);
        }
        let (mut clean, mut violating) = (Vec::new(), Vec::new());
        for &node in potential[offset..].iter().chain(&potential[..offset]) {
            match self.trial(ask, node, budgets) {
                Trial::NoVictims => why.no_victims += 1,
                Trial::Refused(verdict) => why.add(&verdict),
                Trial::Fits(victims) if victims.violations == 0 => clean.push(victims),
                Trial::Fits(victims) => violating.push(victims),
            }
            if !clean.is_empty() && clean.len() + violating.len() >= wanted {
                break;
            }
        }
        clean.append(&mut violating);
        let Some(best) = clean.iter().map(|victims| victims.rank).min() else { return Preemption::Nowhere(why) };
        let best = (0..clean.len()).filter(|&i| clean[i].rank == best).collect();
        Preemption::Found(Preempted { candidates: clean, best })
    }

    /// The smallest set of pods to remove from one node.
    ///
    /// Source: default_preemption.go, `SelectVictimsOnNode`.
    fn trial(&mut self, ask: Ask, node: NodeId, budgets: &dyn Budgets) -> Trial {
        let lower = self.roster.below(node, ask.priority);
        if lower.is_empty() {
            return Trial::NoVictims;
        }
        if let Some(trial) = self.trial_by_amounts(ask, node, budgets) {
            return trial;
        }
        let lower = lower.to_vec();
        let version = self.usage.version[node.index()];
        for occupant in &lower {
            self.lift(occupant, node);
        }
        let trial = match self.judge(ask, node) {
            Some(verdict) => {
                for occupant in lower.iter().rev() {
                    self.set_down(occupant, node);
                }
                self.usage.version[node.index()] = version; // All is as it was.
                return Trial::Refused(verdict);
            }
            None => reprieve(&lower, budgets, |occupant| {
                self.set_down(occupant, node);
                let fits = self.judge(ask, node).is_none();
                if !fits {
                    self.lift(occupant, node);
                }
                fits
            }),
        };
        let (victims, violations) = trial;
        for occupant in &victims {
            self.set_down(occupant, node);
        }
        self.usage.version[node.index()] = version;
        Trial::Fits(Victims::new(node, &victims, violations))
    }

    /// True when what the pod's rules count on this node stays the same whatever becomes of the pods there.
    fn counts_stay(&self, ask: Ask, node: NodeId) -> bool {
        let class = &self.classes[ask.class];
        class.amounts_only || {
            let lower = self.roster.below(node, ask.priority).iter().map(|occupant| occupant.class);
            lower.chain(self.nominations.ahead_of(ask, node)).all(|other| !self.is_counted(class, other))
        }
    }

    /// True when a rule of `class` counts pods of the other one.
    fn is_counted(&self, class: &Class, other: ClassId) -> bool {
        let hard = class.hard.iter().map(|constraint| constraint.counter);
        let affinity = [&class.near, &class.far, &class.repelled_by].into_iter().flatten().copied();
        hard.chain(affinity).any(|counter| self.ledger.counts(counter, other))
    }

    /// The same as the rest of [`Scheduler::trial`], computed with amounts alone; `None` when more has to be looked at.
    fn trial_by_amounts(&self, ask: Ask, node: NodeId, budgets: &dyn Budgets) -> Option<Trial> {
        let class = &self.classes[ask.class];
        let plain = class.node_first && self.fixed[class.fixed].passes[node.index()];
        let fit = self.placement(ask.class).filters.contains(&Filter::NodeResourcesFit);
        if !plain || !fit || self.volumes.needs(ask.pod).is_some() {
            return None;
        }
        let lower = self.roster.below(node, ask.priority);
        let amounts = |occupant: &Occupant| self.classes[occupant.class].demand.amounts();
        let mut free = self.free_beside_guests(ask, node);
        for occupant in lower {
            let taken = amounts(occupant);
            (0..free.len()).for_each(|i| free[i] += taken[i]);
        }
        let wanted = class.demand.amounts();
        let fits = |free: &[i64; 4]| (0..free.len()).all(|i| wanted[i] <= 0 || wanted[i] <= free[i]);
        if !fits(&free) {
            let short = [Reason::Pods, Reason::Cpu, Reason::Memory, Reason::Ephemeral];
            let short = (0..free.len()).filter(|&i| wanted[i] > 0 && wanted[i] > free[i]).map(|i| short[i]);
            let reasons = short.collect();
            return Some(Trial::Refused(Verdict { filter: Filter::NodeResourcesFit, reasons, unresolvable: false }));
        }
        if !self.counts_stay(ask, node) {
            return None;
        }
        if let Some(reason) = self.pods_refuse(class, node) {
            return Some(Trial::Refused(Verdict::of(reason)));
        }
        let (victims, violations) = reprieve(lower, budgets, |occupant| {
            let taken = amounts(occupant);
            let mut left = free;
            (0..left.len()).for_each(|i| left[i] -= taken[i]);
            let stays = fits(&left);
            if stays {
                free = left;
            }
            stays
        });
        Some(Trial::Fits(Victims::new(node, &victims, violations)))
    }

    /// Takes a pod out of the counts of its node.
    fn lift(&mut self, occupant: &Occupant, node: NodeId) {
        let terminating = self.ends(occupant.pod);
        self.usage.release(&self.classes[occupant.class].demand, node.index());
        self.ledger.leave(occupant.class, node, terminating);
        self.volumes.leave(occupant.pod, node);
    }

    /// Puts it back.
    fn set_down(&mut self, occupant: &Occupant, node: NodeId) {
        self.usage.charge(&self.classes[occupant.class].demand, node.index());
        self.ledger.enter(occupant.class, node);
        if self.ends(occupant.pod) {
            self.ledger.terminate(occupant.class, node);
        }
        self.volumes.enter(occupant.pod, node);
    }

    fn ends(&self, pod: PodId) -> bool {
        self.seats[pod.index()].is_some_and(|seat| seat.terminating)
    }
}

/// Puts back what can stay: first pods that break a budget, then the others, most important first in both. Returns
/// those that must go, most important first, and how many of them break a budget.
fn reprieve(
    lower: &[Occupant],
    budgets: &dyn Budgets,
    mut stays: impl FnMut(&Occupant) -> bool,
) -> (Vec<Occupant>, u32) {
    if budgets.is_empty() {
        return (lower.iter().filter(|occupant| !stays(occupant)).copied().collect(), 0);
    }
    let (violating, others) = by_budget(lower, budgets);
    let mixed = !violating.is_empty() && !others.is_empty();
    let mut victims: Vec<Occupant> = violating.into_iter().filter(|occupant| !stays(occupant)).collect();
    let violations = victims.len() as u32;
    victims.extend(others.into_iter().filter(|occupant| !stays(occupant)));
    if mixed {
        victims.sort_by_key(Occupant::rank);
    }
    (victims, violations)
}

/// Pods whose removal, one after the other, breaks a budget; and the others.
///
/// Source: default_preemption.go, `filterPodsWithPDBViolation`.
fn by_budget(lower: &[Occupant], budgets: &dyn Budgets) -> (Vec<Occupant>, Vec<Occupant>) {
    let mut left: BTreeMap<BudgetId, i64> = BTreeMap::new();
    let mut covering = Vec::new();
    lower.iter().partition(|occupant| {
        covering.clear();
        budgets.covering(occupant.pod, &mut covering);
        let mut violated = false;
        for &budget in &covering {
            let left = left.entry(budget).or_insert_with(|| i64::from(budgets.allowed(budget)));
            *left -= 1;
            violated |= *left < 0;
        }
        violated
    })
}

impl Victims {
    /// Source: preemption.go, `pickOneNodeForPreemption`; pkg/scheduler/util/utils.go, `GetEarliestPodStartTime`.
    fn new(node: NodeId, victims: &[Occupant], violations: u32) -> Self {
        let highest = victims.first().map_or(i32::MIN, |first| first.priority);
        // Priorities are made positive, so that few pods of negative priority are better than many.
        let sum = victims.iter().map(|victim| i64::from(victim.priority) + (1 << 31)).sum();
        let top = victims.iter().filter(|victim| victim.priority == highest);
        let earliest = top.map(|victim| victim.started).min().unwrap_or(Time::MAX);
        let rank = (violations, highest, sum, victims.len(), Reverse(earliest));
        Self { node, pods: victims.iter().map(|victim| victim.pod).collect(), violations, rank }
    }
}

impl Class {
    /// True when no rule of the class looks at other pods: preemption needs to compare amounts only.
    pub(super) fn looks_at_amounts_only(&self) -> bool {
        let counts = [&self.near, &self.far, &self.repelled_by];
        counts.iter().all(|counters| counters.is_empty())
            && self.hard.is_empty()
            && self.at_most.is_none()
            && self.demand.is_amounts()
    }
}
