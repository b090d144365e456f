//! `shakedown verify`: equal runs are equal, fact by fact, whatever runs beside them.
//!
//! Each run is made alone first and then twice side by side on two threads: whatever depends on hash seeds, addresses,
//! threads or time differs between them.

use std::num::NonZeroUsize;

use shakedown_engine::fact::Fact;

use crate::console::Console;
use crate::execute::{Finished, Job};
use crate::failure::{Exit, Failure};
use crate::parallel;
use crate::plans;

const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenario files, or names of shipped scenarios [default: all shipped scenarios]
    #[arg(value_name = "FILE|NAME")]
    scenarios: Vec<String>,
    /// Orchestrators to run it under, instead of those of the scenario
    #[arg(long = "orchestrator", value_name = "NAME")]
    orchestrators: Vec<String>,
    /// Seeds to run it with, instead of those of the scenario
    #[arg(long = "seed", value_name = "N", allow_negative_numbers = true)]
    seeds: Vec<u64>,
}

pub(crate) fn verify(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    let names = if args.scenarios.is_empty() {
        shakedown_scenarios::library().iter().map(|scenario| scenario.name.to_owned()).collect()
    } else {
        args.scenarios.clone()
    };
    let mut exit = Exit::Passed;
    for scenario in plans::load(&names)? {
        let mut jobs = Vec::new();
        for orchestrator in plans::orchestrators(&scenario.plan, &args.orchestrators)? {
            let profile = plans::profile(&scenario.plan, &orchestrator, &[])?;
            let seeds = if args.seeds.is_empty() { &scenario.plan.seeds } else { &args.seeds };
            let job = |&seed: &u64| Job {
                scenario: scenario.clone(),
                profile: profile.clone(),
                heading: orchestrator.clone(),
                seed,
            };
            jobs.extend(seeds.iter().map(job));
        }
        for job in &jobs {
            exit = exit.max(check(job, console));
        }
    }
    Ok(exit)
}

/// Once alone, twice side by side.
fn check(job: &Job, console: &mut Console) -> Exit {
    let alone = job.run();
    let together = parallel::map(2, TWO, |_| job.run());
    let odd = together.iter().find(|other| other.run.digest != alone.run.digest);
    tell(&alone, odd.unwrap_or(&together[0]), console)
}

fn tell(first: &Finished, second: &Finished, console: &mut Console) -> Exit {
    let run = &first.run;
    let what = format!("{} under {} with seed {}", run.scenario, run.orchestrator, run.seed);
    if first.run.digest == second.run.digest {
        console.line(format_args!("same       {}  {what}", run.digest));
        return Exit::Passed;
    }
    console.line(format_args!("different  {} {}  {what}", run.digest, second.run.digest));
    let index = first_difference(&first.run.facts, &second.run.facts);
    let show = |fact: Option<&Fact>| fact.map_or_else(|| "nothing".to_owned(), |f| format!("{} {:?}", f.at, f.kind));
    console.line(format_args!("  the first difference is fact {}", index + 1));
    console.line(format_args!("    once:  {}", show(first.run.facts.get(index))));
    console.line(format_args!("    again: {}", show(second.run.facts.get(index))));
    Exit::NotDeterministic
}

/// The position of the first fact that differs: the length of the shorter log when one is the start of the other.
fn first_difference(first: &[Fact], second: &[Fact]) -> usize {
    first.iter().zip(second).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use shakedown_engine::fact::{FactId, FactKind};
    use shakedown_engine::ids::NodeId;
    use shakedown_engine::time::Time;

    use super::*;

    #[test]
    fn the_first_difference_is_found_also_behind_the_end_of_the_shorter_log() {
        let fact = |id, node| Fact {
            id: FactId(id),
            at: Time::ZERO,
            cause: FactId::NONE,
            kind: FactKind::HostDown { node: NodeId(node) },
        };
        let (one, other) = ([fact(1, 0), fact(2, 1)], [fact(1, 0), fact(2, 2)]);
        assert_eq!(first_difference(&one, &other), 1);
        assert_eq!(first_difference(&one, &one[..1]), 1);
        assert_eq!(first_difference(&one, &one), 2);
    }
}
