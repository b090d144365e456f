//! One problem, placement by placement: what the real scheduler reported is computed again in the same state.
//!
//! The order of nodes is random in the original, so candidates are compared one by one, and counts by what any order
//! allows. The recorded placement is applied before the next one comes. Start at [`replay`].

use std::collections::{BTreeMap, BTreeSet};

use shakedown_engine::ids::NodeId;
use shakedown_engine::labels::Labels;
use shakedown_engine::profile::{Choice, Profile};
use shakedown_engine::scheduler::nomad::{Evict, Miss, Ranked};
use shakedown_engine::scheduler::{Outcome, Reason, Request};

use super::checks;
use super::cluster::{Cluster, Size};
use super::record::{Metrics, Node, Placed, Problem, Scored};
use crate::agreement::{Agreement, At};

/// Replays a problem and counts what agrees.
///
/// # Errors
/// A sentence, when the problem contradicts itself.
pub(super) fn replay(
    problem: &Problem,
    nodes: &[Node],
    profile: &Profile,
    agreement: &mut Agreement,
) -> Result<(), String> {
    let cluster = Cluster::of(problem, nodes, profile)?;
    let (kind, name) = (kind(problem), format!("p{}", problem.k));
    let Choice::Sampled(policy) = &profile.placement.choice else { unreachable!("the cluster has been made with it") };
    let (all, skip) = (policy.with_preferences == 0, policy.max_skip);
    let mut replay = Replay { cluster, agreement, problem, name: &name, kind, all, skip, named: 0 };
    replay.usage()?;
    replay.run()
}

/// What is counted together.
fn kind(problem: &Problem) -> &str {
    match &*problem.job.kind {
        "service" if problem.what.starts_with("update") => "service, destructive update",
        "service" if problem.what.starts_with("scale") => "service, scaled",
        kind => kind,
    }
}

struct Replay<'a> {
    cluster: Cluster,
    agreement: &'a mut Agreement,
    problem: &'a Problem,
    name: &'a str,
    kind: &'a str,
    /// All nodes are looked at where affinities or spreads are given.
    all: bool,
    skip: u32,
    /// Classes of nodes that have named their constraint in this evaluation.
    named: u32,
}

/// What a look at all nodes comes to.
struct Survey {
    feasible: u32,
    constraint: Vec<NodeId>,
    hosts: u32,
    property: u32,
    exhausted: BTreeMap<&'static str, u32>,
}

impl Survey {
    fn filtered(&self) -> u32 {
        self.constraint.len() as u32 + self.hosts + self.property
    }
}

impl Replay<'_> {
    fn usage(&mut self) -> Result<(), String> {
        for (name, before) in &self.problem.before {
            let requested = self.cluster.scheduler.requested(self.cluster.node(name)?).resources;
            let got = (requested.cpu.0, requested.memory.0 >> 20);
            let at = At { problem: self.name, kind: self.kind, subject: name };
            self.agreement.compare(checks::USAGE, at, &(before.cpu, before.mem), &got);
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), String> {
        let problem = self.problem;
        let first = self.cluster.next();
        self.cluster.scheduler.begin(&first);
        let replaced: BTreeSet<&str> = problem.placed.iter().map(|placed| &*placed.prev).collect();
        for existing in problem.existing.iter().filter(|e| e.desired == "stop" && !replaced.contains(&*e.alloc)) {
            if let Some(request) = self.cluster.alloc(&existing.alloc) {
                self.cluster.scheduler.give_up(request.pod);
            }
        }
        for existing in problem.existing.iter().filter(|existing| existing.desired == "run") {
            // A further version of the job that changes nothing about its tasks updates them in place.
            if let Some(request) = self.cluster.alloc(&existing.alloc)
                && self.cluster.version(&existing.alloc).is_some_and(|version| version < existing.ver)
            {
                self.cluster.scheduler.update_in_place(request.pod);
            }
        }
        let mut placed: Vec<&Placed> = problem.placed.iter().collect();
        placed.sort_by_key(|placed| (placed.prev.is_empty(), index(&placed.name)));
        let known: BTreeSet<u32> = problem.existing.iter().filter_map(|existing| index_in(&existing.name)).collect();
        let mut next = 0;
        for one in placed {
            let own = index(&one.name);
            for missing in next..own {
                // An evaluation that gives up had plans that were refused in part: they counted in the rest.
                if problem.eval.status == "failed" && !known.contains(&missing) {
                    self.refused();
                }
            }
            next = own + 1;
            self.agreement.count_item(self.kind);
            self.placement(one)?;
        }
        self.failures();
        if self.is_system() {
            return Ok(()); // It leaves a blocked evaluation for each node, and the evaluation names none.
        }
        let failed = problem.eval.failed.as_ref().is_some_and(|failed| !failed.is_empty());
        let unfinished = failed || problem.eval.status != "complete";
        let at = At { problem: self.name, kind: self.kind, subject: "evaluation" };
        self.agreement.compare(checks::BLOCKED, at, &unfinished, &!problem.eval.blocked.is_empty());
        Ok(())
    }

    fn is_system(&self) -> bool {
        matches!(&*self.problem.job.kind, "system" | "sysbatch")
    }

    /// What the plan held for a replica and was refused by the leader: planned again by our own scheduler.
    fn refused(&mut self) {
        let request = self.cluster.next();
        if let Outcome::Placed { node, .. } = self.cluster.scheduler.place(&request) {
            let looks = self.cluster.scheduler.looks();
            let victims = looks.chosen.map(|best| looks.candidates[best].victims.clone()).unwrap_or_default();
            victims.into_iter().for_each(|victim| self.cluster.scheduler.give_up(victim));
            self.cluster.scheduler.charge(&request, node);
        }
    }

    fn placement(&mut self, placed: &Placed) -> Result<(), String> {
        if let Some(previous) = self.cluster.alloc(&placed.prev) {
            self.cluster.scheduler.give_up(previous.pod);
        }
        let mut request = self.cluster.next();
        let node = self.cluster.node(&placed.node)?;
        let system = self.is_system();
        if system {
            request.only = Some(node);
        }
        let evict = self.evict(&request, system);
        let candidates = self.candidates(placed, (&request, evict))?;
        self.counts(placed, (&request, evict), &candidates);
        self.choice(placed, node, &candidates);
        for victim in &placed.preempted {
            let victim = self.cluster.alloc(victim).ok_or_else(|| format!("there is no allocation `{victim}`"))?;
            self.cluster.scheduler.give_up(victim.pod);
        }
        self.cluster.scheduler.charge(&request, node);
        Ok(())
    }

    /// Others are only pushed aside when what is free does not do; by system jobs at once.
    fn evict(&mut self, request: &Request, system: bool) -> Evict {
        if system {
            return Evict::Yes;
        }
        let pool = self.cluster.scheduler.pool(request);
        let fits = pool.iter().any(|&node| self.cluster.scheduler.weigh(request, node, Evict::No).is_ok());
        let may = self.problem.what.contains("svc_preempt");
        if fits || !may { Evict::No } else { Evict::Yes }
    }

    /// Each recorded candidate, weighed again.
    fn candidates(&mut self, placed: &Placed, ask: (&Request, Evict)) -> Result<Vec<Ranked>, String> {
        let mut ours = Vec::new();
        for scored in placed.metrics.score_meta_data.iter().flatten() {
            let node = self.cluster.node(&scored.node)?;
            let subject = format!("{} on {}", placed.name, scored.node);
            let found = self.cluster.scheduler.weigh(ask.0, node, ask.1);
            let feasible = found.as_ref().map(|_| ()).map_err(|miss| ("a candidate".to_owned(), format!("{miss:?}")));
            let at = At { problem: self.name, kind: self.kind, subject: &subject };
            self.agreement.verdict(checks::FEASIBLE, at, feasible);
            if let Ok(mut ranked) = found {
                if ask.0.only.is_some() {
                    ranked.scores = ranked.scores.of_system();
                    ranked.total = ranked.scores.fit;
                }
                self.scores(scored, &ranked, &subject);
                ours.push(ranked);
            }
        }
        Ok(ours)
    }

    fn scores(&mut self, recorded: &Scored, ours: &Ranked, subject: &str) {
        let at = At { problem: self.name, kind: self.kind, subject };
        let scores = &ours.scores;
        self.agreement.compare(
            checks::BINPACK,
            at,
            &rounded(recorded.scores.get("binpack")),
            &rounded(Some(&scores.fit)),
        );
        // A scorer that does not count is left out or listed with 0.
        let listed = |name: &str| recorded.scores.get(name).filter(|score| **score != 0.0);
        for (check, name, own) in [
            (checks::ANTI_AFFINITY, "job-anti-affinity", scores.anti_affinity),
            (checks::PENALTY, "node-reschedule-penalty", scores.penalty),
            (checks::AFFINITY, "node-affinity", scores.affinity.filter(|score| *score != 0.0)),
            (checks::SPREAD, "allocation-spread", scores.spread),
            (checks::PREEMPTION, "preemption", scores.preemption),
        ] {
            if recorded.scores.contains_key(name) || own.is_some() {
                self.agreement.compare(check, at, &rounded(listed(name)), &rounded(own.as_ref()));
            }
        }
        self.agreement.compare(checks::NORM, at, &rounded(Some(&recorded.norm)), &rounded(Some(&ours.total)));
    }

    /// Numbers of candidates, and of nodes filtered and exhausted.
    fn counts(&mut self, placed: &Placed, ask: (&Request, Evict), ours: &[Ranked]) {
        let metrics = &placed.metrics;
        let seen = metrics.nodes_evaluated - metrics.nodes_filtered - metrics.nodes_exhausted;
        let subject = placed.name.clone();
        if ask.0.only.is_some() {
            self.agreement.compare(
                checks::SUM,
                At { problem: self.name, kind: self.kind, subject: &subject },
                &metrics.nodes_evaluated,
                &1,
            );
            self.agreement.compare(
                checks::COUNT,
                At { problem: self.name, kind: self.kind, subject: &subject },
                &seen,
                &1,
            );
            return;
        }
        let survey = self.survey(ask);
        let pool = survey.filtered() + survey.exhausted.values().sum::<u32>() + survey.feasible;
        let shown = ours.len() as u32;
        let poor = ours.iter().filter(|ranked| ranked.total <= 0.0).count() as u32;
        let limit = self.limit(pool, ask.0);
        // Candidates that are not shown are no better than those that are.
        let looked = (poor..=poor + seen.saturating_sub(shown)).map(|poor| limit.saturating_add(poor.min(self.skip)));
        let allowed: Vec<u32> = looked.map(|looked| looked.min(survey.feasible)).collect();
        let verdict = |ok: bool, want: String, got: String| if ok { Ok(()) } else { Err((want, got)) };
        let found = verdict(allowed.contains(&seen), seen.to_string(), format!("one of {allowed:?}"));
        let at = At { problem: self.name, kind: self.kind, subject: &subject };
        self.agreement.verdict(checks::COUNT, at, found);
        // The way ends when all nodes were seen, or with the last candidate.
        let whole = seen < limit.saturating_add(poor.min(self.skip));
        let want = (metrics.nodes_filtered, metrics.nodes_exhausted);
        let most = (survey.filtered(), survey.exhausted.values().sum::<u32>());
        let filtered = if whole { want.0 == most.0 } else { want.0 <= most.0 };
        self.agreement.verdict(checks::FILTERED, at, verdict(filtered, want.0.to_string(), most.0.to_string()));
        let dimensions = metrics.dimension_exhausted.clone().unwrap_or_default();
        let exhausted = if whole {
            dimensions.iter().map(|(name, count)| (&**name, *count)).eq(survey.exhausted.iter().map(|(n, c)| (*n, *c)))
        } else {
            dimensions.iter().all(|(name, count)| *count <= survey.exhausted.get(&**name).copied().unwrap_or(0))
        };
        let words = (format!("{dimensions:?}"), format!("{:?}", survey.exhausted));
        self.agreement.verdict(checks::EXHAUSTED, at, verdict(exhausted, words.0, words.1));
        let evaluated = if whole { metrics.nodes_evaluated == pool } else { metrics.nodes_evaluated <= pool };
        let words = (metrics.nodes_evaluated.to_string(), pool.to_string());
        self.agreement.verdict(checks::SUM, at, verdict(evaluated, words.0, words.1));
        self.classes(metrics, &survey, whole, &subject);
    }

    /// A class names its constraint when it is first met; where all nodes were looked at, each has done so.
    fn classes(&mut self, metrics: &Metrics, survey: &Survey, whole: bool, subject: &str) {
        let filtered = metrics.constraint_filtered.clone().unwrap_or_default();
        let named = |name: &str| name != "computed class ineligible" && !name.starts_with("distinct_");
        let fresh: u32 = filtered.iter().filter(|(name, _)| named(name)).map(|(_, count)| *count).sum();
        let classes: BTreeSet<_> = survey.constraint.iter().map(|&node| self.class_of(node)).collect();
        let classes = classes.len() as u32;
        self.named += fresh;
        let right = if whole { self.named == classes } else { self.named <= classes };
        let verdict = if right { Ok(()) } else { Err((self.named.to_string(), classes.to_string())) };
        let at = At { problem: self.name, kind: self.kind, subject };
        self.agreement.verdict(checks::CLASSES, at, verdict);
    }

    fn class_of(&self, node: NodeId) -> Vec<(String, String)> {
        let catalog = &self.cluster.catalog;
        let labels: &Labels = &catalog.nodes[node].labels;
        let shared = labels.iter().filter(|(key, _)| *key != catalog.known.hostname);
        shared.map(|(key, value)| (catalog.text(key).to_owned(), catalog.text(value).to_owned())).collect()
    }

    /// How many candidates are asked for.
    fn limit(&self, pool: u32, request: &Request) -> u32 {
        let template = &self.cluster.catalog.templates[request.template];
        let prefers = !template.wishes.spreads.is_empty() || !template.affinity.node_preferred.is_empty();
        match (prefers, &*self.problem.job.kind) {
            (true, _) if self.all => u32::MAX,
            (true, _) => self.problem.tg.count.max(100),
            (false, "batch") => 2,
            (false, _) => pool.next_power_of_two().trailing_zeros().max(2),
        }
    }

    /// A look at all nodes.
    fn survey(&mut self, ask: (&Request, Evict)) -> Survey {
        let mut survey =
            Survey { feasible: 0, constraint: Vec::new(), hosts: 0, property: 0, exhausted: BTreeMap::new() };
        for node in self.cluster.scheduler.pool(ask.0) {
            match self.cluster.scheduler.weigh(ask.0, node, ask.1) {
                Ok(_) => survey.feasible += 1,
                Err(Miss::Constraint) => survey.constraint.push(node),
                Err(Miss::DistinctHosts) => survey.hosts += 1,
                Err(Miss::DistinctProperty) => survey.property += 1,
                Err(Miss::Exhausted(reason)) => *survey.exhausted.entry(dimension(reason)).or_default() += 1,
            }
        }
        survey
    }

    fn choice(&mut self, placed: &Placed, node: NodeId, candidates: &[Ranked]) {
        let at = At { problem: self.name, kind: self.kind, subject: &placed.name };
        let best = candidates.iter().map(|ranked| ranked.total).fold(f64::NEG_INFINITY, f64::max);
        let own = candidates.iter().find(|ranked| ranked.node == node);
        let limit = self.limit(self.problem.before.len() as u32, &self.cluster.own()) as usize;
        let seen =
            (placed.metrics.nodes_evaluated - placed.metrics.nodes_filtered - placed.metrics.nodes_exhausted) as usize;
        let no_better =
            |total: f64| candidates.iter().filter(|ranked| ranked.total <= total).count() + seen - candidates.len();
        let verdict = match own {
            Some(ranked) if ranked.total >= best => Ok(()),
            // Candidates that are all poor were put aside, and only the first of them are compared.
            Some(ranked) if best <= 0.0 && no_better(ranked.total) >= limit.min(seen) => Ok(()),
            other => Err((format!("{best}"), format!("{:?}", other.map(|ranked| ranked.total)))),
        };
        self.agreement.verdict(checks::CHOICE, at, verdict);
        let victims = own.map(|ranked| ranked.victims.clone()).unwrap_or_default();
        if placed.preempted.is_empty() && victims.is_empty() {
            return;
        }
        let mut got: Vec<Option<Size>> = victims.iter().map(|&pod| self.cluster.size(pod)).collect();
        let recorded = placed.preempted.iter().map(|alloc| self.cluster.alloc(alloc));
        let mut want: Vec<Option<Size>> = recorded.map(|request| self.cluster.size(request?.pod)).collect();
        got.sort_unstable();
        want.sort_unstable();
        self.agreement.compare(checks::VICTIMS, at, &want, &got);
    }

    /// Allocations that found no place: all nodes were looked at.
    fn failures(&mut self) {
        let problem = self.problem;
        for (group, metrics) in problem.eval.failed.iter().flatten() {
            let mut request = self.cluster.next();
            let system = self.is_system();
            let want = (
                metrics.nodes_evaluated,
                metrics.nodes_filtered,
                metrics.nodes_exhausted,
                metrics.dimension_exhausted.clone().unwrap_or_default(),
            );
            let subject = format!("{group}, {} more", metrics.coalesced_failures);
            let at = At { problem: self.name, kind: self.kind, subject: &subject };
            if system {
                request.only = None;
                self.agreement.compare(checks::FAILED, at, &(1, 0, 1), &(want.0, want.1, want.2));
                continue;
            }
            let evict = self.evict(&request, system);
            let survey = self.survey((&request, evict));
            let exhausted: BTreeMap<String, u32> =
                survey.exhausted.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
            let sum = exhausted.values().sum::<u32>();
            let got = (survey.filtered() + sum + survey.feasible, survey.filtered(), sum, exhausted);
            self.agreement.compare(checks::FAILED, at, &want, &got);
        }
    }
}

/// The number in `job.group[3]`.
fn index_in(name: &str) -> Option<u32> {
    name.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']')?.parse().ok())
}

fn index(name: &str) -> u32 {
    index_in(name).unwrap_or(0)
}

fn dimension(reason: Reason) -> &'static str {
    match reason {
        Reason::Cpu => "cpu",
        Reason::Memory => "memory",
        Reason::Ephemeral => "disk",
        Reason::Port => "network: reserved port collision",
        _ => "devices",
    }
}

/// A score to twelve digits: the original's exponential function rounds its last digits otherwise.
fn rounded(score: Option<&f64>) -> Option<String> {
    score.map(|score| format!("{:.12}", score + 0.0))
}
