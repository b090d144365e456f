//! Every command of the README works as printed.
//!
//! The two commands of the first screen are run by the gate; this test runs all others with the built binary.

use std::path::Path;
use std::process::Command;

const PREFIX: &str = "cargo run --release -- ";

/// Command lines in code spans, code blocks and tables.
fn commands(readme: &str) -> Vec<&str> {
    let starts = readme.match_indices(PREFIX).map(|(i, _)| &readme[i + PREFIX.len()..]);
    starts.map(|rest| rest.split(['`', '\n']).next().expect("split gives at least one part").trim()).collect()
}

#[test]
fn every_command_of_the_readme_succeeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README is there");
    let scratch = std::env::temp_dir().join(format!("shakedown-readme-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory can be made");
    let commands = commands(&readme);
    assert!(commands.len() >= 8, "the README shows its commands: {commands:?}");
    for command in commands {
        let mut process = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        // Results go to the scratch directory; inputs are named from the root.
        let in_scratch = command.starts_with("compare") || command.starts_with("run ");
        process.args(command.split_whitespace()).current_dir(root);
        if in_scratch {
            process.arg("--out").arg(scratch.join("out")).arg("--force");
        }
        let output = process.output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        // 1 is a verdict: the README shows scenarios that may fail an expectation under one of their variants.
        let fine = output.status.success() || (in_scratch && output.status.code() == Some(1));
        assert!(fine, "`shakedown {command}` failed with {}: {said}", output.status);
        assert!(!output.stdout.is_empty(), "`shakedown {command}` says nothing");
    }
    std::fs::remove_dir_all(&scratch).expect("the scratch directory can be removed");
}
