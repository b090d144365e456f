//! Every shipped scenario keeps its promises, under each of its orchestrators and with more than one seed.

use std::process::Command;

fn shakedown(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_shakedown")).args(arguments).output().expect("the binary starts")
}

#[test]
fn every_shipped_scenario_passes_with_several_seeds() {
    let list = shakedown(&["list", "scenarios"]);
    let list = String::from_utf8(list.stdout).expect("the list is text");
    let names: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 8, "eight scenarios ship at least: {names:?}");
    for name in names {
        for seed in ["1", "2", "3", "4", "5"] {
            let run = shakedown(&["run", name, "--seed", seed, "--no-report"]);
            let said = String::from_utf8_lossy(&run.stdout);
            assert_eq!(run.status.code(), Some(0), "`{name}` with seed {seed}:\n{said}");
        }
    }
}
