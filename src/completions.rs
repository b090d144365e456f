//! `shakedown completions`: a script that teaches a shell the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::console::Console;
use crate::failure::{Exit, Failure};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn print(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "shakedown", &mut script);
    console.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Passed)
}
