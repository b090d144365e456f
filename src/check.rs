//! `shakedown check`: what a file is, what of it would be honoured and what ignored, and what is wrong with it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use shakedown_scenarios::{CheckReport, Diagnostics, check_file};

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenarios, Kubernetes manifests, Compose files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn check(args: &Args, console: &mut Console) -> Result<Exit, Failure> {
    let reports: Vec<CheckReport> = args.files.iter().map(|file| check_file(Path::new(file))).collect();
    match args.format {
        Format::Text => reports.iter().for_each(|report| tell(report, console)),
        Format::Json => {
            let files: Vec<Value> = reports.iter().map(object).collect();
            console.line(format_args!("{:#}", json!({ "schema_version": 1, "files": files })));
        }
    }
    let passed = reports.iter().all(CheckReport::passed);
    Ok(if passed { Exit::Passed } else { Exit::BadInput })
}

fn tell(report: &CheckReport, console: &mut Console) {
    let verdict = match report.problems.len() {
        0 => "can be used".to_owned(),
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    };
    console.line(format_args!("{}: {}, {verdict}", report.file, report.kind));
    for line in &report.honoured {
        console.line(format_args!("  honoured: {line}"));
    }
    for note in &report.ignored {
        console.line(format_args!("  {note}"));
    }
    if !report.passed() {
        let problems = report.problems.clone();
        console.fail(&Failure::Input(Diagnostics { problems, omitted: 0 }));
    }
}

fn object(report: &CheckReport) -> Value {
    let problems = report.problems.iter().map(|problem| {
        json!({
            "code": problem.code,
            "message": problem.message,
            "expected": problem.expected,
            "help": problem.help,
            "line": problem.place.as_ref().map(|place| place.line()),
            "column": problem.place.as_ref().map(|place| place.column()),
            "file": problem.place.as_ref().map_or(report.file.as_str(), |place| place.file()),
        })
    });
    let ignored =
        report.ignored.iter().map(|note| json!({ "code": note.code, "text": note.text, "place": note.place }));
    json!({
        "file": report.file,
        "kind": report.kind.to_string(),
        "passed": report.passed(),
        "honoured": report.honoured,
        "ignored": ignored.collect::<Vec<Value>>(),
        "problems": problems.collect::<Vec<Value>>(),
    })
}
