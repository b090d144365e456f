//! The shipped timelines of a real Nomad by the rule of `shakedown conform nomad-timeline`; and proof that it can fail.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use shakedown_fidelity::nomad_timelines::{Found, SEEDS, conform, section, shipped};
use shakedown_fidelity::recordings;

#[test]
fn recorded_times_lie_in_their_bands_orders_are_the_recorded_ones_and_the_page_says_so() {
    let found = conform(&shipped(), SEEDS).unwrap();
    println!("{}", found.text());
    assert!(found.holds(), "{}", found.text());
    assert!(found.values.len() > 60, "{}", found.summary());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity-nomad.md");
    let written = fs::read_to_string(Path::new(path)).unwrap_or_default();
    let section = section(&found);
    assert!(
        written.ends_with(&section),
        "renew docs/fidelity-nomad.md by `shakedown conform nomad --write-docs`:\n{section}"
    );
}

fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Found {
    let mut timeline: Value = serde_json::from_str(&recordings::shipped(name).unwrap().text()).unwrap();
    change(&mut timeline);
    let mut found = Found::new(40);
    found.add(&timeline).unwrap();
    found
}

/// Moves every event of a kind.
fn late(timeline: &mut Value, kind: &str, by: f64) {
    for event in timeline["events"].as_array_mut().unwrap().iter_mut().filter(|event| event["kind"] == kind) {
        event["t"] = (event["t"].as_f64().unwrap() + by).into();
    }
}

#[test]
fn a_client_that_is_found_down_after_a_minute_is_outside_of_all_runs() {
    let found = changed("nomad/timelines/a_kill_0_c4.json", |timeline| late(timeline, "node", 35.0));
    assert!(found.values.iter().any(|value| value.name == "down" && value.outside()), "{}", found.text());
    assert!(!found.holds());
}

#[test]
fn a_crash_loop_with_one_start_more_is_not_the_same() {
    let found = changed("nomad/timelines/c_crash_loop_batch.json", |timeline| {
        let events = timeline["events"].as_array_mut().unwrap();
        let start = events.iter().find(|event| event["type"] == "Started").cloned().unwrap();
        events.push(start);
    });
    assert!(!found.holds(), "{}", found.text());
}
