//! Every shipped scenario, several times in one process and once in another: the same seed gives the same facts.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

fn shakedown(args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    let output = command.args(args).stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Digests by `scenario under orchestrator with seed n`.
type Digests = BTreeMap<String, String>;

/// Three runs each in one process, on one thread and on two; `verify` prints the digest on which they agree.
fn verified() -> Digests {
    let (code, text) = shakedown(&["verify"]);
    assert_eq!(code, Some(0), "{text}");
    let line = |line: &str| {
        let mut parts = line.splitn(3, "  ");
        let (digest, run) = (parts.nth(1)?, parts.next()?);
        Some((run.trim().to_owned(), digest.trim().to_owned()))
    };
    text.lines().filter_map(|row| line(&row.replacen("same       ", "same  ", 1))).collect()
}

fn run_elsewhere() -> Digests {
    let (_, listed) = shakedown(&["list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut digests = Digests::new();
    for name in listed.as_array().unwrap().iter().map(|scenario| scenario["name"].as_str().unwrap()) {
        let (code, text) = shakedown(&["run", name, "--no-report", "--format", "json"]);
        assert!(matches!(code, Some(0 | 1)), "{name} ended with {code:?}");
        let document: Value = serde_json::from_str(&text).unwrap();
        for run in document["runs"].as_array().unwrap() {
            let key = format!("{name} under {} with seed {}", run["orchestrator"].as_str().unwrap(), run["seed"]);
            digests.insert(key, run["digest"].as_str().unwrap().to_owned());
        }
    }
    digests
}

#[test]
fn shipped_scenarios_give_the_same_facts_in_every_process() {
    let (here, there) = (verified(), run_elsewhere());
    assert!(here.len() >= 16, "two orchestrators for each of eight scenarios, not {}", here.len());
    assert_eq!(here, there);
}
