//! `shakedown run`: scenarios under orchestrators and seeds, a summary, and a directory with everything else.

use std::num::NonZeroUsize;

use shakedown_reports::{Evaluation, Run, Verdict, evaluate, json, terminal};

use crate::console::{Console, Format};
use crate::execute::{Finished, Job};
use crate::failure::{Exit, Failure};
use crate::output::{Destination, Where};
use crate::parallel;
use crate::plans::{self, Named, Setting};

/// More runs than this get a line each instead of a page each.
const FEW: usize = 4;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenario files, or names of shipped scenarios (`shakedown list`)
    #[arg(required = true, value_name = "FILE|NAME")]
    scenarios: Vec<String>,
    /// Orchestrators to run it under, instead of those of the scenario
    #[arg(long = "orchestrator", value_name = "NAME")]
    orchestrators: Vec<String>,
    /// Seeds to run it with, instead of those of the scenario
    #[arg(long = "seed", value_name = "N", allow_negative_numbers = true)]
    seeds: Vec<u64>,
    /// Change a value of a profile, under the orchestrator's own flag name
    #[arg(long = "set", value_name = "[ORCHESTRATOR.]FLAG=VALUE")]
    settings: Vec<Setting>,
    #[command(flatten)]
    place: Where,
    /// Form of the summary
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write no files, not even below `shakedown-out/`
    #[arg(long, conflicts_with_all = ["out", "force"])]
    no_report: bool,
    /// Runs at the same time; results do not depend on it [default: one a core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// One scenario, ready to run.
struct Work {
    scenario: Named,
    jobs: Vec<Job>,
    destination: Option<Destination>,
}

/// What came of one scenario.
struct Results {
    scenario: Named,
    runs: Vec<(Run, Evaluation)>,
    unsupported: Vec<String>,
}

pub(crate) fn run(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    let scenarios = plans::load(&args.scenarios)?;
    // Whatever can be wrong is found before the first run starts.
    let work: Vec<Work> = scenarios.into_iter().map(|scenario| prepare(args, scenario)).collect::<Result<_, _>>()?;
    let workers = args.jobs.unwrap_or_else(parallel::cores);
    let mut exit = Exit::Passed;
    for Work { scenario, jobs, destination } in work {
        let results = execute(scenario, &jobs, workers);
        results.show(args.format, console);
        if let Some(destination) = destination {
            console.note(format_args!("report: {}", destination.write(&results.runs)?.display()));
        }
        exit = exit.max(results.exit());
    }
    Ok(exit)
}

fn execute(scenario: Named, jobs: &[Job], workers: NonZeroUsize) -> Results {
    let done = parallel::map(jobs.len(), workers, |index| {
        let Finished { run, unsupported } = jobs[index].run();
        let evaluation = evaluate(&run);
        ((run, evaluation), unsupported)
    });
    let (runs, unsupported): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    Results { scenario, runs, unsupported: unsupported.into_iter().flatten().collect() }
}

impl Results {
    fn exit(&self) -> Exit {
        if !self.unsupported.is_empty() {
            Exit::WorldFailed
        } else if self.runs.iter().any(|(_, evaluation)| evaluation.verdict == Verdict::Failed) {
            Exit::Failed
        } else {
            Exit::Passed
        }
    }

    fn show(&self, format: Format, console: &mut Console) {
        for reason in &self.unsupported {
            console.note(format_args!("the world failed: {reason}"));
        }
        if format == Format::Json {
            let evaluations: Vec<Evaluation> = self.runs.iter().map(|(_, evaluation)| evaluation.clone()).collect();
            console.line(format_args!("{:#}", json::document(&self.scenario.plan.name, &evaluations)));
            return;
        }
        for (run, evaluation) in &self.runs {
            let text = if self.runs.len() > FEW {
                format!(
                    "{:6}  {} on {}, seed {}: {}\n",
                    evaluation.verdict.name(),
                    run.scenario,
                    run.orchestrator,
                    run.seed,
                    evaluation.reason
                )
            } else {
                terminal::render(run, evaluation, console.style()) + "\n"
            };
            console.print(&text);
        }
    }
}

fn prepare(args: &Args, scenario: Named) -> Result<Work, Failure> {
    let destination = destination(args, &scenario);
    if let Some(destination) = &destination {
        destination.check()?;
    }
    let orchestrators = plans::orchestrators(&scenario.plan, &args.orchestrators)?;
    let seeds = if args.seeds.is_empty() { &scenario.plan.seeds } else { &args.seeds };
    plans::check_settings(&scenario.plan, &args.settings, &orchestrators)?;
    let mut jobs = Vec::new();
    for orchestrator in &orchestrators {
        let profile = plans::profile(&scenario.plan, orchestrator, &args.settings)?;
        jobs.extend(seeds.iter().map(|&seed| Job {
            scenario: scenario.clone(),
            profile: profile.clone(),
            heading: orchestrator.clone(),
            seed,
        }));
    }
    Ok(Work { scenario, jobs, destination })
}

fn destination(args: &Args, scenario: &Named) -> Option<Destination> {
    let name = &scenario.plan.name;
    let below = (args.scenarios.len() > 1).then_some(name.as_str());
    if args.no_report { None } else { args.place.exact(below).or_else(|| Some(Destination::default_of(name))) }
}
