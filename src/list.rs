//! `shakedown list`: what can be run, under what, with which knobs, and what is measured.

use clap::ValueEnum;
use serde_json::{Value, json};
use shakedown_chaos::expect::Metric;
use shakedown_engine::profile::Profile;
use shakedown_reports::terminal::style::Style;
use shakedown_reports::terminal::{Align, Table};
use shakedown_scenarios::CUSTOM;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::plans;

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to list.
    #[arg(value_enum, default_value_t)]
    what: What,
    /// Flags of these orchestrators only.
    #[arg(long = "orchestrator", value_name = "NAME")]
    orchestrators: Vec<String>,
    /// Form of the list.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum What {
    /// Shipped scenarios
    #[default]
    Scenarios,
    /// Orchestrators
    Orchestrators,
    /// Values that `--set` changes
    Flags,
    /// Metrics that a scenario can expect something of
    Metrics,
}

/// One line: columns by heading.
type Row = Vec<(&'static str, String)>;

pub(crate) fn list(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    args.orchestrators.iter().try_for_each(|name| plans::known(name))?;
    let rows = match args.what {
        What::Scenarios => scenarios(),
        What::Orchestrators => orchestrators(),
        What::Flags => flags(&args.orchestrators),
        What::Metrics => metrics(),
    };
    match args.format {
        Format::Text => text(&rows, console.style()).into_iter().for_each(|line| console.line(line)),
        Format::Json => {
            let objects: Vec<Value> =
                rows.iter().map(|row| row.iter().map(|(k, v)| (*k, json!(v))).collect()).collect();
            console.line(format_args!("{:#}", Value::Array(objects)));
        }
    }
    Ok(Exit::Passed)
}

fn text(rows: &[Row], style: Style) -> Vec<String> {
    let Some(first) = rows.first() else { return Vec::new() };
    let head: Vec<(&str, Align)> = first.iter().map(|(heading, _)| (*heading, Align::Left)).collect();
    let mut table = Table::new(&head);
    for row in rows {
        table.row(row.iter().map(|(_, cell)| cell.clone()).collect());
    }
    table.lines(style)
}

fn scenarios() -> Vec<Row> {
    let sentence = |about: &str| about.split_whitespace().collect::<Vec<_>>().join(" ");
    let library = shakedown_scenarios::library().iter();
    library.map(|scenario| vec![("name", scenario.name.to_owned()), ("about", sentence(scenario.about))]).collect()
}

fn profiles() -> impl Iterator<Item = Profile> {
    // The current release goes by the profile's plain name.
    let listed = |name: &&str| !Profile::NAMES.iter().any(|family| Profile::releases(family).next() == Some(name));
    Profile::all_names().filter(listed).map(|name| Profile::named(name).expect("every listed name has a profile"))
}

fn orchestrators() -> Vec<Row> {
    let row = |profile: Profile| {
        vec![
            ("name", profile.name.to_string()),
            ("version", profile.version.to_string()),
            ("flags", profile.flags.len().to_string()),
        ]
    };
    profiles().map(row).collect()
}

fn flags(only: &[String]) -> Vec<Row> {
    let wanted = |profile: &Profile| match only {
        [] => Profile::NAMES.contains(&&*profile.name),
        only => only.iter().any(|name| *name == profile.name),
    };
    let files = only.iter().filter(|name| name.starts_with(CUSTOM));
    let own = files.filter_map(|name| shakedown_scenarios::profile_named(name).ok());
    let mut rows = Vec::new();
    for profile in profiles().filter(wanted).chain(own) {
        rows.extend(profile.settings().map(|(flag, value)| {
            vec![
                ("orchestrator", profile.name.to_string()),
                ("flag", flag.name.to_owned()),
                ("default", value),
                ("meaning", flag.doc.to_owned()),
                ("source", flag.source.to_owned()),
            ]
        }));
    }
    rows
}

fn metrics() -> Vec<Row> {
    let unit = |metric: Metric| format!("{:?}", metric.unit()).to_lowercase();
    Metric::ALL.iter().map(|&metric| vec![("name", metric.name().to_owned()), ("unit", unit(metric))]).collect()
}
