//! `docs/surprises.md` names every surprise and shows what its scenario measures.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use shakedown_scenarios::library;

/// What a scenario measures with its own seed, as the table shows it.
fn figures(name: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    command.args(["run", name, "--no-report", "--format", "json"]).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let measured = document["runs"][0]["expectations"].as_array().unwrap().iter().map(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let of = one["of"].as_str().map(|of| format!(" of {of}")).unwrap_or_default();
        let statistic =
            if one["samples"].as_u64() > Some(1) { format!(" ({})", text("statistic")) } else { String::new() };
        format!("`{}`{of}{statistic} {}", text("metric"), text("measured_text"))
    });
    measured.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_table_of_surprises_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/surprises.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    let names: Vec<&str> = library().iter().map(|one| one.name).filter(|name| name.starts_with("k8s-")).collect();
    for name in &names {
        let row = page.lines().find(|line| line.contains(&format!("`{name}`")));
        let figures = figures(name);
        if !row.is_some_and(|row| row.ends_with(&format!("| {figures} |"))) {
            wrong.push(format!("`{name}` | {figures} |"));
        }
    }
    assert!(wrong.is_empty(), "these rows are missing or old:\n{}", wrong.join("\n"));
    let numbers: Vec<&str> = names.iter().filter_map(|name| name.get(4..6)).collect();
    let wanted: Vec<String> = (1..=26).map(|n| format!("{n:02}")).collect();
    assert_eq!(numbers, wanted, "one scenario for each surprise and the runner-up");
}
