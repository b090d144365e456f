//! The shipped recordings of a real Nomad, computed again in full; and proof that checks can fail.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use shakedown_engine::profile::Profile;
use shakedown_fidelity::recordings::{Source, shipped};
use shakedown_fidelity::{Agreement, nomad};

fn recorded() -> Profile {
    Profile::named("nomad@1.1").expect("it is built in")
}

fn full() -> Agreement {
    nomad::conform(&nomad::shipped_recordings(), &recorded()).unwrap()
}

#[test]
fn every_recorded_placement_is_computed_the_same_way() {
    let agreement = full();
    assert!(agreement.is_full(), "{}", agreement.text());
    let compared = |name| agreement.by_check().find(|(check, _)| check.name == name).unwrap().1.compared;
    assert_eq!((compared("binpack"), compared("job-anti-affinity"), compared("norm")), (1_378, 1_316, 1_780));
    assert_eq!((compared("number of candidates"), compared("victims"), compared("failed placement")), (544, 11, 19));
}

#[test]
fn the_documentation_says_what_was_counted() {
    let agreement = full();
    let page = nomad::page(&[nomad::part(&agreement)]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity-nomad.md");
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(
        written.starts_with(&page),
        "renew docs/fidelity-nomad.md by `shakedown conform nomad --write-docs`:\n{page}"
    );
}

/// Names of the checks that disagree when a problem was changed.
fn broken(name: &str, k: u64, change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let text = shipped("nomad/placement.jsonl").unwrap().text();
    let header = text.lines().next().unwrap();
    let problems = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut problem = problems.into_iter().find(|problem| problem["k"] == k).unwrap();
    change(&mut problem);
    let path: PathBuf =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("placement-{name}-{}.jsonl", std::process::id()));
    fs::write(&path, format!("{header}\n{problem}\n")).unwrap();
    let agreement = nomad::conform(&[Source::File(path.clone())], &recorded());
    fs::remove_file(path).unwrap();
    agreement.unwrap().by_check().filter(|(_, count)| !count.is_full()).map(|(check, _)| check.name).collect()
}

#[test]
fn a_changed_recording_is_noticed() {
    let first = |problem: &mut Value, pointer: &str, value: Value| {
        *problem.pointer_mut(&format!("/placed/0{pointer}")).unwrap() = value;
    };
    assert_eq!(broken("same", 0, |_| {}), Vec::<&str>::new());
    let score = |p: &mut Value| first(p, "/metrics/ScoreMetaData/0/scores/binpack", json!(0.5));
    assert_eq!(broken("score", 0, score), ["binpack"]);
    let norm = |p: &mut Value| first(p, "/metrics/ScoreMetaData/0/norm", json!(0.5));
    assert_eq!(broken("norm", 0, norm), ["norm"]);
    let evaluated = |p: &mut Value| first(p, "/metrics/NodesEvaluated", json!(1));
    assert!(broken("evaluated", 0, evaluated).contains(&"number of candidates"));
    let other = |p: &mut Value| first(p, "/node", json!("x5-n00"));
    assert!(broken("node", 0, other).contains(&"choice"));
}

#[test]
fn a_directory_without_recordings_is_refused() {
    let error = nomad::below(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
    assert!(error.to_string().contains("there is no `placement*.jsonl` in it"), "{error}");
}
