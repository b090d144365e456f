//! The shipped recordings of a real standalone Swarm, compared in full; and proof that the comparison can fail.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use shakedown_engine::profile::Profile;
use shakedown_fidelity::recordings::{Source, shipped};
use shakedown_fidelity::standalone::{self, Found};

fn profile() -> Profile {
    Profile::named("swarm-standalone").expect("it is built in")
}

fn full() -> &'static Found {
    static FULL: OnceLock<Found> = OnceLock::new();
    FULL.get_or_init(|| standalone::conform(&standalone::shipped_recordings(), &profile()).unwrap())
}

#[test]
fn recorded_placements_and_times_are_those_of_the_model() {
    let found = full();
    assert!(found.agrees(), "{}", found.text());
    assert!(found.placements.0 >= 200 && found.times.len() >= 30, "{}", found.text());
    assert_eq!(found.json()["agrees"], true);
}

#[test]
fn the_documentation_says_what_was_counted() {
    let page = standalone::page(full());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity-swarm-standalone.md");
    let renew = "renew docs/fidelity-swarm-standalone.md by `shakedown conform swarm-standalone --write-docs`";
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), page, "{renew}");
}

/// What is found when a recording was changed.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Found {
    let text = shipped(&format!("swarm-standalone/{name}.json")).unwrap().text();
    let mut recording: Value = serde_json::from_str(&text).unwrap();
    change(&mut recording);
    let path: PathBuf =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("standalone-{name}-{}.json", std::process::id()));
    fs::write(&path, recording.to_string()).unwrap();
    let found = standalone::conform(&[Source::File(path.clone())], &profile());
    fs::remove_file(path).unwrap();
    found.unwrap()
}

#[test]
fn a_changed_placement_is_noticed() {
    let place = |recording: &mut Value| {
        let events = recording["events"].as_array_mut().unwrap();
        let placed: Vec<&mut Value> = events.iter_mut().filter(|event| event["kind"] == "place").collect();
        let first = placed[0]["node"].clone();
        placed.into_iter().nth(1).unwrap()["node"] = first;
    };
    let found = changed("a_spread_noreq_1", place);
    assert!(!found.agrees() && found.placements.1 < found.placements.0, "{}", found.text());
    assert!(found.text().contains("the model has"), "{}", found.text());
}

#[test]
fn a_changed_time_is_noticed() {
    let found = changed("b_crash_ck_1", |recording| {
        for key in ["disconnect_s", "disconnect_s_poll"] {
            recording["summary"][key] = json!(20.0);
        }
    });
    assert!(!found.agrees() && found.times.iter().any(|time| time.word() == "never"), "{}", found.text());
}

#[test]
fn a_directory_without_recordings_is_refused() {
    let error = standalone::below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap_err();
    assert!(error.to_string().contains("there is no recording"), "{error}");
}
