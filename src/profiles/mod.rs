//! `shakedown profiles`: what each orchestrator does by itself, as a table.
//!
//! No cell is written by hand: each is what came of a small scenario under that profile, with its defaults. The
//! scenarios are in `probes/`; `--show NAME` prints one, so that it can be changed and run. Start at [`profiles`].

mod page;
mod probe;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde_json::json;
use shakedown_engine::profile::Profile;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::parallel;
use crate::plans;
use probe::{PROBES, Probe};

/// Arguments of `profiles`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these orchestrators
    #[arg(long = "orchestrator", value_name = "NAME")]
    orchestrators: Vec<String>,
    /// Print the scenario behind a row instead
    #[arg(long, value_name = "ROW")]
    show: Option<String>,
    /// Write the table as a page of the documentation
    #[arg(long, value_name = "FILE")]
    write_docs: Option<PathBuf>,
    /// Form of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Runs at the same time; results do not depend on it [default: one a core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// What all of them did.
pub(crate) struct Findings {
    pub(crate) profiles: Vec<Profile>,
    /// A row for each probe, a cell for each profile.
    pub(crate) rows: Vec<(&'static Probe, Vec<String>)>,
}

pub(crate) fn profiles(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    if let Some(row) = &args.show {
        return show(row, console);
    }
    args.orchestrators.iter().try_for_each(|name| plans::known(name))?;
    let names: Vec<String> = match &args.orchestrators[..] {
        [] => Profile::NAMES.iter().map(|name| (*name).to_owned()).collect(),
        asked => asked.to_vec(),
    };
    let findings = find(&names, args.jobs.unwrap_or_else(parallel::cores))?;
    if let Some(path) = &args.write_docs {
        std::fs::write(path, page::document(&findings)).map_err(|error| {
            Failure::usage(format!("cannot write {}: {error}", path.display()), "name a file that can be written")
        })?;
    }
    match args.format {
        Format::Text => page::lines(&findings, console.style()).into_iter().for_each(|line| console.line(line)),
        Format::Json => console.line(format_args!("{:#}", document(&findings))),
    }
    Ok(Exit::Passed)
}

fn show(row: &str, console: &mut Console) -> Result<Exit, Failure> {
    let Some(probe) = PROBES.iter().find(|probe| probe.name == row || probe.title == row) else {
        let names: Vec<&str> = PROBES.iter().map(|probe| probe.name).collect();
        return Err(Failure::usage(format!("there is no row `{row}`"), format!("rows are {}", names.join(", "))));
    };
    console.print(probe.text);
    Ok(Exit::Passed)
}

/// Runs every probe under every profile.
pub(crate) fn find(names: &[String], workers: NonZeroUsize) -> Result<Findings, Failure> {
    let plans = PROBES.iter().map(Probe::plan).collect::<Result<Vec<_>, _>>()?;
    let mut profiles = Vec::new();
    for name in names {
        profiles.push(plans::profile(&plans[0].plan, name, &[])?);
    }
    let cells = parallel::map(plans.len() * names.len(), workers, |index| {
        let (probe, column) = (index / names.len(), index % names.len());
        PROBES[probe].cell(&plans[probe], &profiles[column])
    });
    let mut cells = cells.into_iter();
    let rows = PROBES.iter().map(|probe| (probe, cells.by_ref().take(names.len()).collect()));
    Ok(Findings { rows: rows.collect(), profiles })
}

fn document(findings: &Findings) -> serde_json::Value {
    let rows = findings.rows.iter().map(|(probe, cells)| {
        let cells = findings.profiles.iter().zip(cells).map(|(profile, cell)| (profile.name.to_string(), json!(cell)));
        json!({ "row": probe.name, "title": probe.title, "question": probe.question(), "cells": cells.collect::<serde_json::Map<_, _>>() })
    });
    json!({ "schema_version": 1, "rows": rows.collect::<Vec<_>>() })
}
