//! The command line of Shakedown: one file a verb, each a function from its arguments to an exit code.
//!
//! It decides nothing about clusters: it loads plans, runs them in parallel (one thread a run), and shows or writes what
//! the `reports` crate makes of them. Only here are the clock, threads, the environment and the file system used.
//! Start at [`main`], then `execute`.

mod bench;
mod bench_scheduler;
mod check;
mod compare;
mod completions;
mod conform;
mod console;
mod execute;
mod explain;
mod failure;
pub mod fleet;
mod list;
mod output;
mod parallel;
pub mod perf;
mod plans;
mod profiles;
mod run;
mod schema;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use console::{ColorChoice, Console};
use failure::{Exit, Failure};

/// Cluster simulator and chaos-testing workbench: what happens to your services when nodes die, CPUs saturate,
/// networks split and rollouts go wrong, under the orchestrator of your choice.
#[derive(Debug, Parser)]
#[command(name = "shakedown", version, about, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: ColorChoice,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 passed · 1 an expectation or property failed · 2 bad input or usage · \
                          3 not deterministic · 4 the world failed";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run scenarios and report what happened
    Run(run::Args),
    /// Run one scenario under several orchestrators or settings, side by side on the same seeds
    Compare(compare::Args),
    /// Run scenarios twice and name the first fact that differs
    Verify(verify::Args),
    /// List what can be run: scenarios, orchestrators, flags, metrics
    List(list::Args),
    /// Check scenarios, manifests and Compose files without running anything
    Check(check::Args),
    /// Show what each orchestrator does by itself: a table made by running it
    Profiles(profiles::Args),
    /// Explain the code of a diagnostic
    Explain(explain::Args),
    /// Print the JSON Schema of scenario files
    Schema,
    /// Compare this program's decisions with recordings of real clusters
    #[command(subcommand)]
    Conform(conform::Verb),
    /// Measure this program
    #[command(subcommand)]
    Bench(bench::Verb),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not errors and end with 0; both ignore a reader that went away.
            let _ = error.print();
            return if error.use_stderr() { Exit::BadInput.into() } else { Exit::Passed.into() };
        }
    };
    let mut console = Console::of_process(cli.color);
    match dispatch(cli.verb, &mut console) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.fail(&failure);
            failure.exit().into()
        }
    }
}

fn dispatch(verb: Verb, console: &mut Console) -> Result<Exit, Failure> {
    match verb {
        Verb::Run(args) => run::run(&args, console),
        Verb::Compare(args) => compare::compare(&args, console),
        Verb::Verify(args) => verify::verify(&args, console),
        Verb::List(args) => list::list(&args, console),
        Verb::Check(args) => check::check(&args, console),
        Verb::Profiles(args) => profiles::profiles(&args, console),
        Verb::Explain(args) => explain::explain(&args, console),
        Verb::Schema => schema::print(console),
        Verb::Conform(verb) => conform::conform(&verb, console),
        Verb::Bench(verb) => bench::bench(&verb, console),
        Verb::Completions(args) => completions::print(&args, console),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
