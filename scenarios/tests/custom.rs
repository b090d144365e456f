//! Profiles of one's own, from files.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use shakedown_engine::profile::{Profile, Rollout, Score};
use shakedown_scenarios::{Files, Plan, ReadError, explain, load_from};

struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

fn load(profile: &str, more: &str) -> Result<Plan, shakedown_scenarios::Diagnostics> {
    let scenario = format!(
        "shakedown: 1\ncluster: {{ nodes: [{{ name: a, cpu: 1, memory: 1Gi }}] }}\norchestrators: [swarm, {{ custom: mine.yaml }}]\n{more}duration: 5m\n"
    );
    load_from("s.yaml", &Memory([("s.yaml", scenario), ("mine.yaml", profile.to_owned())].into()))
}

fn mine(profile: &str) -> Profile {
    let plan = load(profile, "").unwrap_or_else(|wrong| panic!("{profile}\n{wrong}"));
    assert_eq!(plan.orchestrators, ["swarm", "custom:mine.yaml"]);
    plan.profile("custom:mine.yaml").expect("it was checked")
}

fn wrong(profile: &str) -> Vec<String> {
    let wrong = load(profile, "").err().unwrap_or_else(|| panic!("this is bad input: {profile}"));
    let line = |p: &shakedown_scenarios::Problem| {
        assert!(explain(p.code).is_some(), "{} has no page", p.code);
        let place = p.place.as_ref().expect("it has a place");
        format!("{} {}:{}:{}", p.code, place.file(), place.line(), place.column())
    };
    wrong.problems.iter().map(line).collect()
}

const WHOLE: &str = "\
profile:
  name: swarm-next
  from: swarm
  version: '30'
  words: { unhealthy: Lost }
  rollout: { from: kubernetes }
  scores: { LeastAllocated: 3, FewestPods: 0 }
  set: { dispatcher-heartbeat: 2s, restart-delay: 1s }
";

#[test]
fn a_profile_is_another_one_with_changes() {
    let profile = mine(WHOLE);
    assert_eq!((&*profile.name, &*profile.version, profile.words.unhealthy), ("swarm-next", "30", "Lost"));
    assert_eq!(profile.words.pod, "task");
    assert_eq!(profile.get("dispatcher-heartbeat").as_deref(), Ok("2s"));
    assert!(matches!(profile.rollout, Rollout::Surge { .. }));
    assert!(profile.flag("update-parallelism").is_err(), "the flags of a group go with it");
    let weight = |score| profile.placement.scores.iter().find(|(one, _)| *one == score).map(|(_, weight)| *weight);
    assert_eq!((weight(Score::LeastAllocated), weight(Score::FewestPods)), (Some(3), None));
}

#[test]
fn it_may_start_from_a_release() {
    let release = Profile::releases("kubernetes").last().expect("there are releases");
    let profile = mine(&format!("profile: {{ name: old, from: {release} }}"));
    let shipped = Profile::named(release).expect("it is one");
    assert_eq!((&profile.version, profile.flags.len()), (&shipped.version, shipped.flags.len()));
}

#[test]
fn values_for_all_and_expectations_reach_it() {
    let plan = load(WHOLE, "set: { restart-delay: 9s }\nexpect: [{ metric: pending, equals: 0, only: swarm-next }]\n");
    let plan = plan.unwrap_or_else(|wrong| panic!("{wrong}"));
    let profile = plan.profile("custom:mine.yaml").expect("it was checked");
    assert_eq!(profile.get("restart-delay").as_deref(), Ok("9s"));
    assert!(plan.notes.iter().all(|note| note.code != "W0305"), "{:?}", plan.notes);
}

#[test]
fn what_is_wrong_has_code_and_place() {
    for (profile, want) in [
        ("profile: { name: a, from: swrm }", "E0305 mine.yaml:1:27"),
        ("profile: { name: swarm, from: swarm }", "E0308 mine.yaml:1:18"),
        ("profile: { name: 'a b', from: swarm }", "E0204 mine.yaml:1:18"),
        ("profile: { name: a }", "E0202 mine.yaml:1:10"),
        ("profile: { name: a, from: swarm, sets: {} }", "E0201 mine.yaml:1:34"),
        ("profile: { name: a, from: swarm, rollout: { from: k8s } }", "E0305 mine.yaml:1:51"),
        ("profile: { name: a, from: swarm, scores: { LeastAllocatd: 1 } }", "E0205 mine.yaml:1:44"),
        ("profile: { name: a, from: swarm, set: { restart-dely: 1s } }", "E0306 mine.yaml:1:41"),
        ("profile: { name: a, from: swarm, set: { restart-delay: soon } }", "E0306 mine.yaml:1:56"),
        (
            "profile: { name: a, from: swarm, rollout: { from: kubernetes }, set: { update-delay: 1s } }",
            "E0306 mine.yaml:1:72",
        ),
        (
            "profile: { name: a, from: swarm, set: { dispatcher-heartbeat: 1s, heartbeat-epsilon: 2s } }",
            "E0306 mine.yaml:1:18",
        ),
        ("profile: []", "E0203 mine.yaml:1:10"),
        ("", "E0105 mine.yaml:1:1"),
    ] {
        assert_eq!(wrong(profile), [want], "{profile}");
    }
}

#[test]
fn an_unknown_flag_is_answered_with_the_nearest_one_and_what_it_means() {
    let help = |profile: &str| load(profile, "").expect_err("this is bad input").problems[0].help.clone();
    let near = help("profile: { name: a, from: swarm, set: { restart-dely: 1s } }").expect("one is near");
    assert!(near.starts_with("did you mean `restart-delay`? A replacement"), "{near}");
    let other =
        help("profile: { name: a, from: swarm, set: { node-monitor-grace-period: 1s } }").expect("one is known");
    assert!(other.starts_with("it is a flag of kubernetes: "), "{other}");
}

proptest! {
    #[test]
    fn no_broken_file_makes_it_panic(at in 0..WHOLE.len(), cut in 0usize..6, put in "[-0-9a-z$:{}\\[\\], \n'~]{0,4}") {
        let end = (at + cut).min(WHOLE.len());
        let _ = load(&format!("{}{put}{}", &WHOLE[..at], &WHOLE[end..]), "");
    }
}
