//! `shakedown conform`: how far this program agrees with recordings of real clusters.
//!
//! The comparison is made in the `fidelity` crate; here it is started and shown.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Subcommand;
use shakedown_engine::profile::Profile;
use shakedown_fidelity::nomad;
use shakedown_fidelity::placement::{self, Unusable};
use shakedown_fidelity::recordings::Source;
use shakedown_fidelity::{Agreement, kubernetes_page, nomad_timelines, standalone, swarm, timelines};

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::parallel;

/// What can be compared.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Replay recorded scheduling decisions of a real kube-scheduler, attempt by attempt
    Kubernetes(KubernetesArgs),
    /// Compare recorded placements, detection and return of a real standalone Swarm
    SwarmStandalone(StandaloneArgs),
    /// Replay recorded timelines of real controllers: rollouts, dead nodes, jobs, drains, preemption and more
    KubernetesTimeline(TimelineArgs),
    /// Compute recorded placements of a real Nomad again: scores, candidates, what was filtered and exhausted
    Nomad(NomadArgs),
    /// Run recorded experiments of a real Docker Swarm again with many seeds: dead nodes, partitions, updates, placement
    Swarm(SwarmArgs),
    /// Set recorded timelines of a real Nomad up again over many seeds: do the recorded times lie in their bands?
    NomadTimeline(NomadTimelineArgs),
}

/// Arguments of `conform swarm`.
#[derive(Debug, clap::Args)]
pub(crate) struct SwarmArgs {
    /// A directory with recordings, an experiment a file, plain or compressed with zstd [default: the shipped ones]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Runs of each experiment
    #[arg(long, value_name = "N", default_value_t = swarm::SEEDS as u32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    seeds: u32,
    /// Runs at the same time; results do not depend on it [default: one a core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write the page of the documentation instead
    #[arg(long, hide = true, value_name = "FILE", conflicts_with = "directory")]
    write_docs: Option<PathBuf>,
}

/// Arguments of `conform nomad`.
#[derive(Debug, clap::Args)]
pub(crate) struct NomadArgs {
    /// A directory with recordings, plain or compressed with zstd [default: the shipped ones]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write the page of the documentation instead
    #[arg(long, hide = true, value_name = "FILE", conflicts_with = "directory")]
    write_docs: Option<PathBuf>,
}

/// Arguments of `conform nomad-timeline`.
#[derive(Debug, clap::Args)]
pub(crate) struct NomadTimelineArgs {
    /// A directory with recordings, a timeline a file, plain or compressed with zstd [default: the shipped ones]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Runs behind each band
    #[arg(long, default_value_t = nomad_timelines::SEEDS)]
    seeds: u64,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Arguments of `conform kubernetes-timeline`.
#[derive(Debug, clap::Args)]
pub(crate) struct TimelineArgs {
    /// A directory with recordings, a timeline a file, plain or compressed with zstd [default: the shipped ones]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Arguments of `conform swarm-standalone`.
#[derive(Debug, clap::Args)]
pub(crate) struct StandaloneArgs {
    /// A directory with recordings, one a file, plain or compressed with zstd [default: the shipped ones]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write the page of the documentation instead
    #[arg(long, hide = true, value_name = "FILE", conflicts_with = "directory")]
    write_docs: Option<PathBuf>,
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
    match verb {
        Verb::Kubernetes(args) => placements(args, console),
        Verb::SwarmStandalone(args) => standalone_swarm(args, console),
        Verb::KubernetesTimeline(args) => timelines(args, console),
        Verb::Nomad(args) => nomad_placements(args, console),
        Verb::Swarm(args) => swarm_experiments(args, console),
        Verb::NomadTimeline(args) => nomad_lives(args, console),
    }
}

fn standalone_swarm(args: &StandaloneArgs, console: &mut Console) -> Result<Exit, Failure> {
    let sources = match &args.directory {
        Some(directory) => standalone::below(directory).map_err(unusable)?,
        None => standalone::shipped_recordings(),
    };
    let profile = Profile::named("swarm-standalone").expect("it is built in");
    let found = standalone::conform(&sources, &profile).map_err(unusable)?;
    match (&args.write_docs, args.format) {
        (Some(path), _) => fs::write(path, standalone::page(&found)).map_err(Failure::file("write", path))?,
        (None, Format::Text) => console.print(&found.text()),
        (None, Format::Json) => console.line(format_args!("{:#}", found.json())),
    }
    Ok(if found.agrees() { Exit::Passed } else { Exit::Failed })
}

fn timelines(args: &TimelineArgs, console: &mut Console) -> Result<Exit, Failure> {
    let sources = match &args.directory {
        Some(directory) => timelines::below(directory).map_err(unusable)?,
        None => timelines::shipped(),
    };
    let found = timelines::conform(&sources).map_err(unusable)?;
    match args.format {
        Format::Text => console.print(&found.text()),
        Format::Json => console.line(format_args!("{:#}", found.json())),
    }
    Ok(if found.all.is_full() { Exit::Passed } else { Exit::Failed })
}

fn nomad_lives(args: &NomadTimelineArgs, console: &mut Console) -> Result<Exit, Failure> {
    let sources = match &args.directory {
        Some(directory) => nomad_timelines::below(directory).map_err(unusable)?,
        None => nomad_timelines::shipped(),
    };
    let found = nomad_timelines::conform(&sources, args.seeds.max(1)).map_err(unusable)?;
    match args.format {
        Format::Text => console.print(&found.text()),
        Format::Json => console.line(format_args!("{:#}", found.json())),
    }
    Ok(if found.holds() { Exit::Passed } else { Exit::Failed })
}

fn placements(args: &KubernetesArgs, console: &mut Console) -> Result<Exit, Failure> {
    let source = args.file.clone().map_or_else(|| Source::Shipped(placement::recording()), Source::File);
    let profile = Profile::named("kubernetes").expect("it is built in");
    let agreement = placement::conform(&source, &profile).map_err(unusable)?;
    match &args.write_docs {
        Some(path) => {
            let timelines = timelines::conform(&timelines::shipped()).map_err(unusable)?;
            let page = kubernetes_page(&[placement::part(&agreement), timelines.part()]) + &timelines.rows();
            fs::write(path, page).map_err(Failure::file("write", path))?;
        }
        None => show(&agreement, args.format, console),
    }
    Ok(if agreement.is_full() { Exit::Passed } else { Exit::Failed })
}

/// The recording is of this release.
const RECORDED_NOMAD: &str = "nomad@1.1";

fn nomad_placements(args: &NomadArgs, console: &mut Console) -> Result<Exit, Failure> {
    let sources = match &args.directory {
        Some(directory) => nomad::below(directory).map_err(unusable)?,
        None => nomad::shipped_recordings(),
    };
    let profile = Profile::named(RECORDED_NOMAD).expect("it is built in");
    let agreement = nomad::conform(&sources, &profile).map_err(unusable)?;
    match &args.write_docs {
        Some(path) => {
            let lives =
                nomad_timelines::conform(&nomad_timelines::shipped(), nomad_timelines::SEEDS).map_err(unusable)?;
            let page = nomad::page(&[nomad::part(&agreement)]) + &nomad_timelines::section(&lives);
            fs::write(path, page).map_err(Failure::file("write", path))?;
        }
        None => show(&agreement, args.format, console),
    }
    Ok(if agreement.is_full() { Exit::Passed } else { Exit::Failed })
}

fn swarm_experiments(args: &SwarmArgs, console: &mut Console) -> Result<Exit, Failure> {
    let sources = match &args.directory {
        Some(directory) => timelines::below(directory).map_err(unusable)?,
        None => swarm::shipped(),
    };
    let workers = args.jobs.unwrap_or_else(parallel::cores);
    let found = swarm::conform(&sources, (args.seeds as usize, workers)).map_err(unusable)?;
    match (&args.write_docs, args.format) {
        (Some(path), _) => fs::write(path, found.page()).map_err(Failure::file("write", path))?,
        (None, Format::Text) => console.print(&found.text()),
        (None, Format::Json) => console.line(format_args!("{:#}", found.json())),
    }
    Ok(if found.holds() { Exit::Passed } else { Exit::Failed })
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
