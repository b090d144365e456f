//! The page that a choice is made from: a few questions, each answered by all orchestrators, best first.
//!
//! Beside each figure stand its range over seeds, how far it is behind the best with an interval, and the mechanism that
//! brings it about. Differences are paired by seed, so that luck cancels out; who leads is said only where the interval
//! excludes a tie. The table of all metrics is [`crate::compare`]'s business. Start at [`Decision::new`].

mod gap;
mod page;

use std::collections::BTreeMap;

use shakedown_chaos::expect::{Metric, Statistic};

use shakedown_engine::profile::Aspect;

use crate::compare::{Column, Comparison, range, statistic, worst};
use crate::measure::{Direction, Evaluation, Measured, direction};
use crate::run::Run;

pub use gap::{Gap, Interval, interval};

/// What people ask of an orchestrator, in the order in which an outage answers it.
pub const QUESTIONS: [(Metric, &str); 10] = [
    (Metric::TimeToDetect, "detect"),
    (Metric::TimeToReschedule, "reschedule"),
    (Metric::TimeToRecover, "recover"),
    (Metric::Availability, "availability"),
    (Metric::LostRequests, "lost requests"),
    (Metric::Downtime, "downtime"),
    (Metric::DuplicateTime, "duplicates"),
    (Metric::RolloutDuration, "rollout"),
    (Metric::RolloutAvailability, "worst in rollout"),
    (Metric::Pending, "pending at the end"),
];

/// Which mechanism brings a metric's figure about.
pub fn aspect(metric: Metric) -> Option<Aspect> {
    Some(match metric {
        Metric::TimeToDetect => Aspect::Detection,
        Metric::TimeToReschedule | Metric::TimeToRecover | Metric::Pending | Metric::Downtime => Aspect::Rescheduling,
        Metric::Availability | Metric::LostRequests => Aspect::Discovery,
        Metric::DuplicateTime => Aspect::Duplicates,
        Metric::RolloutDuration | Metric::RolloutAvailability => Aspect::Rollouts,
        _ => return None,
    })
}

/// All questions with their answers.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Orchestrators or variants, in the order in which they were asked for.
    pub columns: Vec<Column>,
    /// Questions that at least one of them has an answer to.
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Clone, Debug)]
pub struct Question {
    /// What was measured.
    pub metric: Metric,
    /// In a word or two.
    pub title: &'static str,
    /// Answers, best first; those without one last.
    pub answers: Vec<Answer>,
}

/// What one orchestrator makes of a question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Index of its column.
    pub column: usize,
    /// Median over its seeds.
    pub median: Measured,
    /// Smallest and largest over its seeds, when they differ.
    pub range: Option<(Measured, Measured)>,
    /// Paired differences against the first answer; `None` for the first and without an interval.
    pub behind: Option<Interval>,
    /// How it stands.
    pub standing: Standing,
    /// What brings the figure about, in the orchestrator's own terms.
    pub mechanism: Option<String>,
}

/// How an answer stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Better than every other, each interval says so.
    Winner,
    /// Nobody is shown to be better, and somebody is shown to be worse.
    Among,
    /// Somebody is shown to be better.
    Behind,
    /// Nothing can be said: too few seeds, no difference, or neither more nor less is better.
    Open,
}

impl Standing {
    /// For machines and style sheets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Winner => "winner",
            Self::Among => "among-the-best",
            Self::Behind => "behind",
            Self::Open => "open",
        }
    }
}

impl Decision {
    /// Answers all questions. `mechanism` says what brings a column's figure about; nothing for what nothing is known of.
    pub fn new(evaluations: &[Evaluation], mechanism: &dyn Fn(&str, Metric) -> Option<String>) -> Self {
        let columns = Comparison::new(evaluations).columns;
        let questions = QUESTIONS.iter().filter_map(|&(metric, title)| {
            let answers = answers(evaluations, (metric, &columns), mechanism);
            let measured = answers.iter().any(|answer| answer.median != Measured::Nothing);
            // Nothing pending anywhere is no answer to anything.
            let telling = metric != Metric::Pending || answers.iter().any(|a| a.median != Measured::Value(0));
            (measured && telling).then_some(Question { metric, title, answers })
        });
        Self { questions: questions.collect(), columns }
    }
}

impl Decision {
    /// The same of runs that are at hand: their own profiles say what brings the figures about.
    pub fn of_runs(runs: &[(Run, Evaluation)]) -> Self {
        let evaluations: Vec<Evaluation> = runs.iter().map(|(_, evaluation)| evaluation.clone()).collect();
        Self::new(&evaluations, &|column, metric| {
            let (run, _) = runs.iter().find(|(run, _)| crate::format::harmless(&run.orchestrator) == column)?;
            Some(run.profile.because(aspect(metric)?))
        })
    }
}

type BySeed = BTreeMap<u64, Measured>;

fn answers(
    evaluations: &[Evaluation],
    (metric, columns): (Metric, &[Column]),
    mechanism: &dyn Fn(&str, Metric) -> Option<String>,
) -> Vec<Answer> {
    let measured: Vec<BySeed> = columns
        .iter()
        .map(|column| {
            let own = evaluations.iter().filter(|of| crate::format::harmless(&of.orchestrator) == column.name);
            own.map(|of| (of.seed, worst(of, metric))).collect()
        })
        .collect();
    let mut answers: Vec<Answer> = (measured.iter().enumerate())
        .map(|(column, values)| Answer {
            column,
            median: statistic(values.values().copied(), Statistic::P50),
            range: range(values.values().copied()),
            behind: None,
            standing: standing(metric, &measured, column),
            mechanism: mechanism(&columns[column].name, metric),
        })
        .collect();
    answers.sort_by_key(|answer| (badness(metric, answer.median), answer.column));
    let best = answers[0].column;
    for answer in answers.iter_mut().skip(1) {
        answer.behind = interval(&gaps(&measured[best], &measured[answer.column]));
    }
    answers
}

/// Smaller is better; what was not measured comes last, after what never came.
fn badness(metric: Metric, value: Measured) -> (u8, u64) {
    match (value, direction(metric)) {
        (Measured::Nothing, _) => (2, 0),
        (Measured::Never, _) => (1, 0),
        (Measured::Value(n), Direction::LargerIsBetter) => (0, u64::MAX - n),
        (Measured::Value(n), _) => (0, n),
    }
}

/// Differences of the second to the first, by seed.
fn gaps(first: &BySeed, second: &BySeed) -> Vec<Gap> {
    let both = second.iter().filter_map(|(seed, value)| Gap::between(*first.get(seed)?, *value));
    both.collect()
}

fn standing(metric: Metric, measured: &[BySeed], own: usize) -> Standing {
    let sign = match direction(metric) {
        Direction::SmallerIsBetter => 1,
        Direction::LargerIsBetter => -1,
        Direction::Neither => return Standing::Open,
    };
    let (mut better, mut worse, mut open) = (0, 0, 0);
    let others = measured.iter().enumerate().filter(|(other, _)| *other != own);
    for (_, values) in others {
        if values.values().all(|value| *value == Measured::Nothing) {
            continue;
        }
        match interval(&gaps(&measured[own], values)).map_or(0, |interval| interval.side() * sign) {
            1 => better += 1,
            -1 => worse += 1,
            _ => open += 1,
        }
    }
    match (better, worse, open) {
        (0, 0, _) => Standing::Open,
        (_, 1.., _) => Standing::Behind,
        (_, 0, 0) => Standing::Winner,
        _ => Standing::Among,
    }
}
