//! The shipped recording of a real scheduler, replayed in full; and proof that each check can fail.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use shakedown_engine::profile::Profile;
use shakedown_fidelity::placement::{Unusable, conform, part, recording};
use shakedown_fidelity::recordings::Source;
use shakedown_fidelity::{Agreement, kubernetes_page};

fn profile() -> Profile {
    Profile::named("kubernetes").expect("it is built in")
}

/// Replays a text as if it were a file.
fn replay(name: &str, text: impl AsRef<[u8]>) -> Result<Agreement, Unusable> {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.jsonl", std::process::id()));
    fs::write(&path, text).unwrap();
    let result = conform(&Source::File(path.clone()), &profile());
    fs::remove_file(path).unwrap();
    result
}

/// The shipped problem with this id.
fn problem(id: u64) -> Value {
    let text = recording().text();
    let mut problems = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    problems.find(|problem| problem["id"] == id).unwrap()
}

/// Names of the checks that disagree after a change to a problem.
fn broken(name: &str, id: u64, change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let mut problem = problem(id);
    change(&mut problem);
    let agreement = replay(name, problem.to_string()).unwrap();
    agreement.by_check().filter(|(_, count)| !count.is_full()).map(|(check, _)| check.name).collect()
}

/// The first attempt that a test on it looks for, of any pod.
fn attempt(problem: &mut Value, wanted: impl Fn(&Value) -> bool) -> &mut Value {
    let pods = problem["expected"].as_array_mut().unwrap().iter_mut();
    let mut attempts = pods.flat_map(|pod| pod["attempts"].as_array_mut().unwrap());
    attempts.find(|attempt| wanted(attempt)).unwrap()
}

/// The first value of an object.
fn first(object: &mut Value) -> &mut Value {
    object.as_object_mut().unwrap().values_mut().next().unwrap()
}

#[test]
fn every_recorded_decision_of_the_real_scheduler_is_made_the_same_way() {
    let agreement = conform(&Source::Shipped(recording()), &profile()).unwrap();
    assert!(agreement.is_full(), "{}", agreement.text());
    assert_eq!(agreement.items.values().sum::<u64>(), 3465);
    let compared = |name| agreement.by_check().find(|(check, _)| check.name == name).unwrap().1.compared;
    assert_eq!((compared("node usage"), compared("total score"), compared("outcome")), (26_555, 13_266, 3_465));
    assert_eq!((compared("preemption node"), compared("nominated node first")), (93, 93));
    let page = kubernetes_page(&[part(&agreement)]);
    let written = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity-kubernetes.md")).unwrap();
    // The page of the placement part is a prefix: further recordings follow it.
    assert!(written.starts_with(page.trim_end()), "run `shakedown conform kubernetes --write-docs`");
}

#[test]
fn a_wrong_node_usage_is_noticed() {
    let changed = broken("usage", 5, |problem| {
        first(&mut attempt(problem, |_| true)["usageBefore"])["nonZeroMilliCPU"] = json!(1);
    });
    assert_eq!(changed, ["node usage"]);
}

#[test]
fn a_wrong_filter_and_a_wrong_reason_are_noticed() {
    let refuses = |attempt: &Value| !attempt["filtered"].as_object().unwrap().is_empty();
    for (name, field, value, check) in [
        ("plugin", "plugin", json!("NodePorts"), "first failing filter"),
        ("code", "code", json!("Skip"), "first failing filter"),
        ("reason", "reasons", json!(["no reason"]), "reasons of a filter"),
    ] {
        let changed = broken(name, 5, |problem| first(&mut attempt(problem, refuses)["filtered"])[field] = value);
        assert_eq!(changed, [check]);
    }
}

#[test]
fn a_wrong_set_of_feasible_nodes_is_noticed() {
    let changed = broken("feasible", 5, |problem| {
        attempt(problem, |attempt| attempt["feasible"].as_array().unwrap().len() > 1)["feasible"]
            .as_array_mut()
            .unwrap()
            .pop();
    });
    assert_eq!(changed, ["feasible nodes"]);
}

#[test]
fn each_wrong_score_is_noticed() {
    let scored = |attempt: &Value| !attempt["scores"].is_null();
    for (name, field, checks) in [
        ("raw", "raw", &["raw score"][..]),
        ("normalized", "normalized", &["normalized score", "weighted score"]),
        ("weight", "weight", &["weighted score"]),
        ("total", "total", &["total score"]),
    ] {
        let changed = broken(name, 5, |problem| {
            let scores = &mut attempt(problem, scored)["scores"][field];
            // A plugin whose values are not 0, so that its weight matters.
            let value = if field == "total" { scores } else { &mut scores["NodeResourcesFit"] };
            let value = if value.is_object() { first(value) } else { value };
            *value = json!(value.as_i64().unwrap() + 1);
        });
        assert_eq!(changed, checks);
    }
    let changed = broken("skipped", 5, |problem| {
        attempt(problem, scored)["scores"]["skippedPlugins"].as_array_mut().unwrap().clear();
    });
    assert_eq!(changed, ["skipped scores"]);
}

#[test]
fn another_best_set_is_noticed_and_so_is_a_choice_outside_it() {
    let changed = broken("best", 5, |problem| {
        let one = attempt(problem, |attempt| attempt["best"].as_array().is_some_and(|best| best.len() == 1));
        one["best"] = json!(["node-that-is-not-there"]);
    });
    assert_eq!(changed, ["best nodes", "choice"]);
}

#[test]
fn every_wrong_part_of_a_preemption_is_noticed() {
    let preempts = |attempt: &Value| !attempt["preemption"].is_null();
    let changed = broken("toll", 5, |problem| {
        first(&mut attempt(problem, preempts)["preemptionCandidates"])["pdbViolations"] = json!(7);
    });
    assert_eq!(changed, ["preemption candidates"]);
    let changed =
        broken("violations", 5, |problem| attempt(problem, preempts)["preemption"]["pdbViolations"] = json!(7));
    assert_eq!(changed, ["budget violations"]);
    let changed = broken("post-filter", 5, |problem| attempt(problem, preempts)["postFilter"]["msg"] = json!("no"));
    assert_eq!(changed, ["preemption in words"]);
}

#[test]
fn another_preemption_node_changes_what_follows_and_is_noticed() {
    let preempts = |attempt: &Value| !attempt["preemption"].is_null();
    let changed = broken("preempted", 5, |problem| {
        // The only preemption of a problem that ends with it.
        let pods = problem["expected"].as_array_mut().unwrap();
        let at = pods.iter().position(|pod| pod["attempts"].as_array().unwrap().iter().any(preempts)).unwrap();
        pods.truncate(at + 1);
        pods[at]["attempts"].as_array_mut().unwrap().truncate(1);
        pods[at]["attempts"][0]["preemption"] = json!({ "node": "node-0", "victims": ["e23"], "pdbViolations": 0 });
    });
    // The second attempt was cut off, so the pod is not bound by ours.
    assert_eq!(changed, ["preemption node", "preemption victims", "budget violations", "outcome"]);
}

#[test]
fn other_words_and_another_outcome_are_noticed() {
    let refused = |pod: &&mut Value| pod["outcome"] == "unsched";
    let text = recording().text();
    let with_refusal = text.lines().find(|line| line.contains("\"unsched\"")).unwrap();
    let id = serde_json::from_str::<Value>(with_refusal).unwrap()["id"].as_u64().unwrap();
    let changed = broken("message", id, |problem| {
        let pod = problem["expected"].as_array_mut().unwrap().iter_mut().find(refused).unwrap();
        pod["message"] = json!("0/1 nodes are available.");
    });
    assert_eq!(changed, ["message of the condition"]);
    let changed = broken("error", id, |problem| {
        attempt(problem, |attempt| !attempt["error"].is_null())["error"] = json!("no");
    });
    assert_eq!(changed, ["refusal in words"]);
    let changed = broken("early", id, |problem| {
        attempt(problem, |attempt| !attempt["error"].is_null())["preFilterMsg"] = json!("claims are missing");
    });
    assert_eq!(changed, ["refusal before filters"]);
    let changed = broken("outcome", id, |problem| {
        let last = problem["expected"].as_array_mut().unwrap();
        let at = last.iter().position(|pod| pod["outcome"] == "unsched").unwrap();
        last.truncate(at + 1);
        last[at]["outcome"] = json!("bound");
        last[at]["node"] = json!("node-0");
    });
    assert_eq!(changed, ["outcome"]);
}

#[test]
fn a_nominated_pod_that_looks_elsewhere_is_noticed() {
    let changed = broken("nominated", 5, |problem| {
        let nominated = |attempt: &Value| attempt["nominatedNodeName"].as_str().is_some_and(|node| !node.is_empty());
        attempt(problem, nominated)["feasible"] = json!(["node-0"]);
    });
    assert_eq!(changed, ["feasible nodes", "nominated node first"]);
}

#[test]
fn what_cannot_be_replayed_is_refused_with_its_line() {
    let good = problem(5).to_string();
    let refused = |name: &str, text: &str| replay(name, text).unwrap_err();
    assert_eq!((refused("empty", "").line, refused("blank", "\n\n").line), (None, None));
    for (name, text, words) in [
        ("json", "{", "this is not a placement problem"),
        ("array", "[1, 2]", "this is not a placement problem"),
        ("fields", r#"{"id": 1, "kind": "x"}"#, "missing field `nodes`"),
        ("depth", &"[".repeat(100_000), "this is not a placement problem"),
        ("text", "hello", "this is not a placement problem"),
    ] {
        let error = refused(name, &format!("{good}\n{text}\n"));
        assert_eq!(error.line, Some(2), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(replay("bytes", b"\xff\xfe\n").unwrap_err().problem.contains("UTF-8"));
    assert!(replay("frame", b"\x28\xb5\x2f\xfd damaged").unwrap_err().problem.contains("cannot read"));
    let missing = conform(&Source::File("no/such/file".into()), &profile()).unwrap_err();
    assert!(missing.to_string().contains("no/such/file"));
}

#[test]
fn problems_that_contradict_themselves_are_refused_with_the_name_of_what_is_wrong() {
    let contradict = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut problem = problem(5);
        change(&mut problem);
        replay(name, problem.to_string()).unwrap_err().problem
    };
    let stranger = contradict("stranger", &|problem| problem["expected"][0]["pod"] = json!("stranger"));
    assert!(stranger.contains("there is no pod `stranger`"), "{stranger}");
    let nowhere = contradict("nowhere", &|problem| problem["existing"][0]["spec"]["nodeName"] = json!("nowhere"));
    assert!(nowhere.contains("nowhere"), "{nowhere}");
    let untried = contradict("untried", &|problem| problem["expected"][0]["attempts"] = json!([]));
    assert!(untried.contains("no attempt is recorded"), "{untried}");
    let twice = contradict("twice", &|problem| {
        let pods = problem["expected"].as_array_mut().unwrap();
        let at = pods.iter().position(|pod| pod["outcome"] == "bound").unwrap();
        pods.insert(at + 1, pods[at].clone());
    });
    assert!(twice.contains("bound twice"), "{twice}");
    let time = contradict("time", &|problem| problem["existing"][0]["startTime"] = json!("yesterday"));
    assert!(time.contains("yesterday"), "{time}");
    let quantity = contradict("quantity", &|problem| {
        problem["nodes"][0]["status"]["allocatable"]["cpu"] = json!("many");
    });
    assert!(quantity.contains("many"), "{quantity}");
}
