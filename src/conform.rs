//! `shakedown conform`: how far this program agrees with recordings of real clusters.
//!
//! The comparison is made in the `fidelity` crate; here it is started and shown.

use std::fs;
use std::path::PathBuf;

use clap::Subcommand;
use shakedown_engine::profile::Profile;
use shakedown_fidelity::placement::{self, Unusable};
use shakedown_fidelity::recordings::Source;
use shakedown_fidelity::{Agreement, kubernetes_page};

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};

/// What can be compared.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Replay recorded scheduling decisions of a real kube-scheduler, attempt by attempt
    Kubernetes(KubernetesArgs),
}

/// Arguments of `conform kubernetes`.
#[derive(Debug, clap::Args)]
pub(crate) struct KubernetesArgs {
    /// A recording, a problem a line, plain or compressed with zstd [default: the shipped one]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write the page of the documentation instead
    #[arg(long, hide = true, value_name = "FILE", conflicts_with = "file")]
    write_docs: Option<PathBuf>,
}

pub(crate) fn conform(verb: &Verb, console: &mut Console) -> Result<Exit, Failure> {
    let Verb::Kubernetes(args) = verb;
    let source = args.file.clone().map_or_else(|| Source::Shipped(placement::recording()), Source::File);
    let profile = Profile::named("kubernetes").expect("it is built in");
    let agreement = placement::conform(&source, &profile).map_err(unusable)?;
    match &args.write_docs {
        Some(path) => {
            let page = kubernetes_page(&[placement::part(&agreement)]);
            fs::write(path, page).map_err(Failure::file("write", path))?;
        }
        None => show(&agreement, args.format, console),
    }
    Ok(if agreement.is_full() { Exit::Passed } else { Exit::Failed })
}

fn show(agreement: &Agreement, format: Format, console: &mut Console) {
    match format {
        Format::Text => console.print(&agreement.text()),
        Format::Json => console.line(format_args!("{:#}", agreement.json())),
    }
}

fn unusable(error: Unusable) -> Failure {
    let help = error.help;
    Failure::usage(error.to_string(), help)
}
