//! Docker Swarm: recorded experiments are run again with many seeds, and what was recorded is held against their spread.
//!
//! A real swarm's timers have phases that nobody knows, so no single run can be the recorded one. Each experiment is set
//! up from its file ([`setup`]) and run with a thousand seeds; values read the same way out of both sides ([`mod@values`])
//! are judged by one rule ([`rule`]). Start at [`conform`].

pub mod exceptions;
mod machine;
mod page;
pub mod recording;
mod replay;
pub mod rule;
mod seen;
pub mod setup;
pub mod values;
pub mod view;

use std::io::Read;
use std::num::NonZeroUsize;

use serde_json::{Value, json};

use crate::placement::Unusable;
use crate::recordings::{Source, shipped_below};
use crate::swarm::recording::Recording;
use crate::swarm::replay::Experiment;
use crate::swarm::rule::{Judged, Ordered, RARE, Verdict, judge, order};
use crate::swarm::values::{Class, values};

/// Seeds that the rule is about.
pub const SEEDS: usize = 1_000;
/// Larger files are refused: the largest recording has a hundredth of it.
const MAX_BYTES: u64 = 16 << 20;
const HELP: &str = "give recordings as `fidelity/recordings/swarm/README.md` describes them";

/// What came of one file.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The experiment.
    pub name: String,
    /// Its values beside ours; or why it was not run.
    pub result: Result<Compared, String>,
}

/// One experiment, compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Its values.
    pub judged: Vec<Judged>,
    /// Its events, two by two.
    pub ordered: Vec<Ordered>,
}

/// What came of all files.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// File by file.
    pub each: Vec<Outcome>,
    /// With so many seeds each.
    pub seeds: usize,
}

/// Sums over experiments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Values that were recorded.
    pub compared: usize,
    /// Those between the 5th and the 95th percentile.
    pub inside: usize,
    /// Those outside the 0.1st and the 99.9th.
    pub outside: usize,
    /// Of these, so many with a reason among the exceptions.
    pub explained: usize,
}

/// The recordings that ship with the program.
pub fn shipped() -> Vec<Source> {
    shipped_below("swarm/").map(Source::Shipped).collect()
}

/// Compares all of them with so many seeds each.
///
/// # Errors
/// The first that cannot be read at all. One of an unknown kind is told in its outcome.
pub fn conform(sources: &[Source], (seeds, workers): (usize, NonZeroUsize)) -> Result<Swarm, Unusable> {
    let mut each = Vec::new();
    for source in sources {
        let file = source.name();
        let unusable = |problem| Unusable { file: file.clone(), line: None, problem, help: HELP };
        each.push(one(source, (seeds, workers)).map_err(unusable)?);
    }
    Ok(Swarm { each, seeds })
}

fn one(source: &Source, how: (usize, NonZeroUsize)) -> Result<Outcome, String> {
    let mut text = String::new();
    let reader = source.open().map_err(|error| error.to_string())?;
    reader.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let file = source.name();
    let name = file.rsplit(['/', '\\']).next().unwrap_or(&file).trim_end_matches(".zst").trim_end_matches(".json");
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|error| error.to_string())?;
    let result = Recording::read(&text).and_then(|recording| compare(&recording, how));
    Ok(Outcome { name: name.to_owned(), result })
}

/// One recording beside so many seeds.
///
/// # Errors
/// When its kind is not known here.
pub fn compare(recording: &Recording, (count, workers): (usize, NonZeroUsize)) -> Result<Compared, String> {
    let experiment = Experiment::of(recording)?;
    let recorded = values(&recording.seen, &experiment.scope);
    let seeds = replay::seeds(&experiment, count, workers);
    Ok(Compared { judged: judge(&recorded, &seeds, recording.ends), ordered: order(&recorded, &seeds, recording.heal) })
}

impl Compared {
    /// Sums of one class of values.
    pub fn sum(&self, name: &str, class: Class) -> Sum {
        let mut sum = Sum::default();
        for one in self.judged.iter().filter(|one| one.class == class) {
            sum.compared += 1;
            sum.inside += usize::from(one.verdict == Verdict::Inside);
            if one.verdict == Verdict::Outside {
                sum.outside += 1;
                sum.explained += usize::from(exceptions::reason(name, &one.name).is_some());
            }
        }
        sum
    }

    /// Pairs of events whose recorded order is no order of ours.
    pub fn disordered(&self) -> impl Iterator<Item = &Ordered> {
        self.ordered.iter().filter(|one| one.share < RARE)
    }
}

impl Outcome {
    /// Orders that are not ours and have no reason.
    fn unexplained_order(&self) -> usize {
        let Ok(compared) = &self.result else { return 0 };
        let open = |one: &&Ordered| {
            exceptions::reason(&self.name, one.pair.0).or_else(|| exceptions::reason(&self.name, one.pair.1)).is_none()
        };
        compared.disordered().filter(open).count()
    }
}

impl Swarm {
    /// Sums of one class of values over all experiments.
    pub fn sum(&self, class: Class) -> Sum {
        let mut all = Sum::default();
        for outcome in &self.each {
            let Ok(compared) = &outcome.result else { continue };
            let sum = compared.sum(&outcome.name, class);
            all.compared += sum.compared;
            all.inside += sum.inside;
            all.outside += sum.outside;
            all.explained += sum.explained;
        }
        all
    }

    /// The rule: 90 % of the recorded moments inside, nothing outside but explained exceptions, events in order.
    pub fn holds(&self) -> bool {
        let (times, numbers) = (self.sum(Class::Time), self.sum(Class::Number));
        let order = self.each.iter().all(|outcome| outcome.unexplained_order() == 0);
        let inside = times.inside * 10 >= times.compared * 9;
        times.compared > 0
            && inside
            && times.outside == times.explained
            && numbers.outside == numbers.explained
            && order
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let sum = |sum: Sum| json!({ "compared": sum.compared, "inside": sum.inside, "outside": sum.outside, "explained": sum.explained });
        let each = self.each.iter().map(|outcome| match &outcome.result {
            Err(why) => json!({ "name": outcome.name, "skipped": why }),
            Ok(compared) => json!({
                "name": outcome.name,
                "times": sum(compared.sum(&outcome.name, Class::Time)),
                "numbers": sum(compared.sum(&outcome.name, Class::Number)),
                "values": compared.judged.iter().map(|one| json!({
                    "name": one.name,
                    "recorded": one.recorded,
                    "p0_1": one.band[0], "p5": one.band[1], "p50": one.band[2], "p95": one.band[3], "p99_9": one.band[4],
                    "share": one.share,
                    "verdict": format!("{:?}", one.verdict).to_lowercase(),
                    "reason": exceptions::reason(&outcome.name, &one.name),
                })).collect::<Vec<_>>(),
                "order": compared.ordered.iter().map(|one| json!({ "first": one.pair.0, "then": one.pair.1, "share": one.share })).collect::<Vec<_>>(),
            }),
        });
        json!({
            "seeds": self.seeds,
            "holds": self.holds(),
            "times": sum(self.sum(Class::Time)),
            "numbers": sum(self.sum(Class::Number)),
            "experiments": each.collect::<Vec<_>>(),
        })
    }
}
