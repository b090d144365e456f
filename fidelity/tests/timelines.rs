//! Every shipped timeline is replayed and agrees with its recording; changed recordings do not.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::fs;

use serde_json::{Value, json};
use shakedown_fidelity::recordings::shipped;
use shakedown_fidelity::timeline::recording::Recording;
use shakedown_fidelity::timeline::{agreement, conform};
use shakedown_fidelity::timelines;

/// A shipped recording.
fn recorded(name: &str) -> Value {
    let shipped = shipped(&format!("kubernetes/timelines2/{name}.json")).unwrap();
    serde_json::from_str(&shipped.text()).unwrap()
}

/// The checks that disagree with a recording after a change.
fn broken(name: &str, change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let mut value = recorded(name);
    change(&mut value);
    let recording = Recording::read(name, &value.to_string()).unwrap();
    let mut own = agreement(name);
    conform(&recording, &mut own).unwrap();
    let mut checks: Vec<&str> = own.disagreements.iter().map(|disagreement| disagreement.check).collect();
    checks.dedup();
    checks
}

fn events<'a>(value: &'a mut Value, kind: &'a str) -> impl Iterator<Item = &'a mut Value> {
    value["events"].as_array_mut().unwrap().iter_mut().filter(move |event| event["kind"] == kind)
}

#[test]
fn shipped_timelines_are_replayed_as_recorded() {
    let all = timelines::conform(&timelines::shipped()).unwrap();
    assert_eq!(all.each.len(), 31);
    assert!(all.all.is_full(), "{}", all.text());
    let written = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity-kubernetes.md")).unwrap();
    assert!(written.ends_with(&all.rows()), "run `shakedown conform kubernetes --write-docs`");
}

#[test]
fn an_unchanged_recording_agrees() {
    assert!(broken("03a_recreate", |_| {}).is_empty());
}

#[test]
fn a_pod_more_is_noticed() {
    let found = broken("03a_recreate", |value| {
        let mut more = events(value, "created").next().unwrap().clone();
        more["object"] = json!("web-more");
        value["events"].as_array_mut().unwrap().push(more);
    });
    assert!(found.contains(&"counts") && found.contains(&"peaks"), "{found:?}");
}

#[test]
fn a_second_late_is_noticed() {
    let found = broken("04a_statefulset_ordered", |value| {
        let late = events(value, "ready").nth(3).unwrap();
        late["t"] = json!(late["t"].as_f64().unwrap() + 1.0);
    });
    assert!(found.contains(&"times"), "{found:?}");
}

#[test]
fn another_order_is_noticed() {
    let found = broken("03a_recreate", |value| {
        // New pods before the old ones are gone.
        events(value, "created").for_each(|event| event["t"] = json!(2.9));
        let events = value["events"].as_array_mut().unwrap();
        events.sort_by(|a, b| a["t"].as_f64().unwrap().total_cmp(&b["t"].as_f64().unwrap()));
    });
    assert!(found.contains(&"order"), "{found:?}");
}

#[test]
fn another_rank_of_deleted_pods_is_noticed() {
    let found = broken("11d_deployment_deletion_stepwise", |value| {
        for event in value["events"].as_array_mut().unwrap() {
            let other = match event["object"].as_str() {
                Some("p01") => "p11",
                Some("p11") => "p01",
                _ => continue,
            };
            event["object"] = json!(other);
        }
    });
    assert!(found.contains(&"counts"), "{found:?}");
}

#[test]
fn recordings_with_other_parameters_are_set_up_and_replayed() {
    let changes: &[(&str, &str, Value)] = &[
        ("01_stuck_rollout_undo", "/settings/replicas", json!(37)),
        ("01_stuck_rollout_undo", "/settings/maxSurge", json!(2)),
        ("02_node_dies_mid_rollout", "/settings/nodes", json!(9)),
        ("04b_statefulset_parallel", "/settings/podManagementPolicy", json!("OrderedReady")),
        ("05a_daemonset_updates", "/settings/nodes", json!(17)),
        ("06a_job_completions", "/settings/spec/parallelism", json!(7)),
        ("06b_job_backoff", "/settings/exit", json!("3@0.7")),
        (
            "06c_job_indexed",
            "/settings/kubelet",
            json!("Running 1 s after binding, Ready 1 s later, index 0 fails after 2 s"),
        ),
        ("07a_pdb_drain", "/settings/pdb", json!({ "maxUnavailable": 3 })),
        ("10b_unrelated_delete_every_2s", "/settings/nodes", json!("3 x 8 cpu: 7 cpu pod + 20 pods of 50m")),
        ("12_noexecute_taints", "/settings/pods_tolerationSeconds/s5", json!([9, 2, "infinite"])),
        ("13_preemption_cascade", "/settings/hi/replicas", json!(2)),
        ("13_preemption_cascade", "/settings/deployments/1/replicas", json!(3)),
    ];
    for (name, path, new) in changes {
        let mut value = recorded(name);
        *value.pointer_mut(path).unwrap() = new.clone();
        let recording = Recording::read(name, &value.to_string()).unwrap();
        let mut own = agreement(*name);
        conform(&recording, &mut own).unwrap_or_else(|why| panic!("{name} with {path}: {why}"));
        assert!(own.total().compared > 0);
    }
}

#[test]
fn what_is_not_known_is_said() {
    let mut value = recorded("03a_recreate");
    events(&mut value, "action").for_each(|action| action["what"] = json!("sing"));
    let recording = Recording::read("x", &value.to_string()).unwrap();
    let why = conform(&recording, &mut agreement("x")).err().unwrap();
    assert_eq!(why, "`sing` is not known as an action");
    assert!(Recording::read("x", "{}").is_err());
    assert!(Recording::read("x", "no json").is_err());
}
