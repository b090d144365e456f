//! The table of what orchestrators do by themselves is what they do today.

use std::process::Command;

#[test]
fn the_page_of_profiles_is_fresh() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::env::temp_dir().join(format!("shakedown-profiles-{}.md", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["profiles", "--write-docs"])
        .arg(&page)
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (today, written) = (std::fs::read_to_string(&page), std::fs::read_to_string(root.join("docs/profiles.md")));
    std::fs::remove_file(&page).expect("the page can be removed");
    assert_eq!(
        written.expect("the page is in the repository"),
        today.expect("the page was written"),
        "renew it: cargo run --release -- profiles --write-docs docs/profiles.md"
    );
}

#[test]
fn the_scenario_of_every_row_can_be_printed_and_an_unknown_row_is_told() {
    let run = |row: &str| {
        Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args(["profiles", "--show", row])
            .output()
            .expect("the binary starts")
    };
    assert!(String::from_utf8_lossy(&run("moves").stdout).contains("kill: { nodes: [n-3] }"));
    let unknown = run("nonsense");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("bad-version"), "it names the rows there are");
}
