//! Everything that ships loads without a warning that a reader would stumble over, and real manifests load unchanged.

use std::path::Path;

use shakedown_engine::profile::Profile;
use shakedown_scenarios::{Severity, check_file, library, load, load_embedded, schema};

#[test]
fn every_scenario_of_the_library_loads_and_expects_something() {
    for embedded in library() {
        let plan = load_embedded(embedded.name).unwrap_or_else(|wrong| panic!("{}:\n{wrong}", embedded.name));
        assert!(!plan.experiment.expectations.is_empty(), "{} expects nothing", embedded.name);
        assert!(!plan.experiment.timeline.is_empty(), "{} does nothing", embedded.name);
        let warnings: Vec<String> =
            plan.notes.iter().filter(|note| note.severity == Severity::Warning).map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "{}: {warnings:#?}", embedded.name);
        for name in &plan.orchestrators {
            plan.profile(name).unwrap_or_else(|wrong| panic!("{}: {wrong}", embedded.name));
        }
    }
}

#[test]
fn the_library_says_which_claim_it_tests() {
    for embedded in library() {
        assert!(embedded.text.starts_with("# Claim"), "{} opens without its claim", embedded.name);
        assert!(embedded.text.contains("seed"), "{} names no seed", embedded.name);
    }
}

#[test]
fn the_library_is_embedded_completely() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("library");
    let mut on_disk: Vec<String> = std::fs::read_dir(&folder)
        .expect("the library is a folder of this crate")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".yaml").map(ToOwned::to_owned))
        .collect();
    on_disk.sort();
    let mut inside: Vec<String> = library().iter().map(|embedded| embedded.name.to_owned()).collect();
    inside.sort();
    assert_eq!(on_disk, inside);
    for name in inside {
        let plan = load(&folder.join(format!("{name}.yaml"))).unwrap_or_else(|wrong| panic!("{wrong}"));
        let same = load_embedded(&name).expect("loads as above");
        assert_eq!(format!("{:?}", plan.experiment), format!("{:?}", same.experiment), "{name} differs when embedded");
    }
}

#[test]
fn online_boutique_comes_up_with_all_its_parts() {
    let plan = load_embedded("online-boutique").unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(plan.catalog.workloads.len(), 12);
    assert_eq!(plan.catalog.services.len(), 12);
    assert_eq!(plan.catalog.nodes.len(), 20);
    let generator = plan.catalog.workloads.rows().iter().find(|w| plan.catalog.text(w.name) == "loadgenerator");
    let template = &plan.catalog.templates[generator.expect("the load generator is a deployment").template];
    assert_eq!((template.requests.cpu.0, template.requests.memory.0), (300, 256 << 20));
    assert_eq!(template.init.len(), 1);
    let init = &plan.experiment.setting.images[template.init[0].image];
    assert!(init.runs_for.is_some(), "an init container that never ends would keep its pod from starting");
    assert!(plan.notes.iter().any(|note| note.code == "N0602" && note.text.contains("11 ServiceAccount")));
}

#[test]
fn real_manifests_load_unchanged() {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/inputs");
    if !inputs.is_dir() {
        eprintln!("SKIPPED: {} is not there, so no real manifest was tried", inputs.display());
        return;
    }
    let mut tried = 0;
    for folder in ["online-boutique", "voting-app/k8s-specifications"] {
        for entry in std::fs::read_dir(inputs.join(folder)).expect("the folder is there").filter_map(Result::ok) {
            let report = check_file(&entry.path());
            assert!(report.passed(), "{}", report.render_problems(miette::GraphicalTheme::none()));
            assert!(!report.honoured.is_empty(), "{} gives nothing", report.file);
            let unknown: Vec<_> = report.ignored.iter().filter(|note| note.code == "W0604").collect();
            assert!(unknown.is_empty(), "{}: {unknown:?}", report.file);
            tried += 1;
        }
    }
    assert!(tried >= 10, "only {tried} files were tried");
}

#[test]
fn profiles_of_a_plan_have_its_overrides() {
    let plan = load_embedded("burning-server").expect("it ships");
    let plan = plan.with_override("node-monitor-grace-period=20s").unwrap_or_else(|wrong| panic!("{wrong}"));
    let set =
        plan.profile("kubernetes").expect("the flag exists").get("node-monitor-grace-period").expect("it is known");
    let default =
        Profile::named("kubernetes").expect("it ships").get("node-monitor-grace-period").expect("it is known");
    assert_eq!((set.as_str(), default.as_str()), ("20s", "50s"));
    assert!(plan.profile("swarm").is_ok(), "swarm has no such flag, and is not asked for it");
    assert!(plan.clone().with_override("node-monitor-grace-perod=20s").is_err());
    assert!(plan.clone().with_override("node-monitor-grace-period=soon").is_err());
    assert!(plan.with_override("nonsense").is_err());
}

#[test]
fn the_schema_is_fresh() {
    let kept = include_str!("../schema.json");
    assert!(
        kept == schema(),
        "scenarios/schema.json is old; run `cargo run -p shakedown-scenarios --example schema > scenarios/schema.json`"
    );
}

#[test]
fn the_schema_requires_only_what_the_program_requires() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("it is JSON");
    assert_eq!(schema["required"], serde_json::json!(["shakedown", "duration"]));
    assert_eq!(schema["$defs"]["NodeRaw"]["required"], serde_json::json!(["name", "cpu", "memory"]));
}
