//! Google's Online Boutique, its manifests unchanged: the whole way from a real file to a recovery.
//!
//! The file lies beside the repository and not in it. Without it this test says loudly that it tried nothing.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// When the zone is lost, in seconds.
const LOSS: f64 = 300.0;

/// A line of `facts.csv`.
struct Row {
    seconds: f64,
    kind: String,
    node: String,
    pod: String,
    workload: String,
}

fn rows(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        // id, time_s, cause, kind, node, pod, workload, ...: names have no commas, and the free text comes last.
        let cells: Vec<&str> = line.splitn(8, ',').collect();
        let cell = |n: usize| cells[n].to_owned();
        Row { seconds: cells[1].parse().unwrap(), kind: cell(3), node: cell(4), pod: cell(5), workload: cell(6) }
    };
    text.lines().skip(1).map(row).collect()
}

fn scenario(manifests: &Path) -> String {
    format!(
        "shakedown: 1
about: One of three zones is lost under an unchanged manifest.
cluster:
  nodes: [{{ name: \"worker-{{n}}\", count: 20, cpu: 4, memory: 16Gi, zones: [a, b, c] }}]
workloads: [{{ manifest: \"{}\" }}]
timeline: [{{ at: 5m, kill: {{ zone: c }} }}]
duration: 25m
expect:
  - {{ metric: pending, equals: 0 }}
  - {{ metric: violations, equals: 0 }}
",
        manifests.display()
    )
}

/// Facts of a run of this scenario.
fn facts(manifests: &Path) -> Vec<Row> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("boutique-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("boutique.yaml"), scenario(manifests)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    command.args(["run", "boutique.yaml", "--out", "result"]).current_dir(&place).stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let facts = rows(&fs::read_to_string(place.join("result/facts.csv")).unwrap());
    fs::remove_dir_all(&place).unwrap();
    facts
}

#[test]
fn every_deployment_of_online_boutique_survives_the_loss_of_a_zone() {
    let manifests: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/inputs/online-boutique/kubernetes-manifests.yaml");
    let Ok(manifests) = manifests.canonicalize() else {
        eprintln!("SKIPPED: {} is not there, so the real manifests were NOT tried", manifests.display());
        return;
    };
    let facts = facts(&manifests);
    let of = |kind: &str| facts.iter().filter(move |row| row.kind == kind).collect::<Vec<_>>();
    let deployments: Vec<&str> = of("WorkloadCreated").iter().map(|row| row.workload.as_str()).collect();
    assert_eq!(deployments.len(), 12, "{deployments:?}");
    let dead: Vec<&str> = of("HostDown").iter().map(|row| row.node.as_str()).collect();
    assert_eq!(dead.len(), 6, "a third of 20 nodes: {dead:?}");
    let bound: BTreeMap<&str, &str> = of("PodBound").iter().map(|row| (row.pod.as_str(), row.node.as_str())).collect();
    let mut hit = 0;
    for name in deployments {
        let ready: Vec<&Row> = of("PodReady").into_iter().filter(|row| row.workload == name).collect();
        let first = ready.iter().find(|row| row.seconds < LOSS).unwrap_or_else(|| panic!("{name} never came up"));
        if !dead.contains(&bound[first.pod.as_str()]) {
            assert!(ready.len() == 1, "{name} lost nothing and has no reason to move");
            continue;
        }
        hit += 1;
        let again = ready.iter().find(|row| row.seconds > LOSS);
        let again = again.unwrap_or_else(|| panic!("{name} lost its replica and never got another"));
        assert!(!dead.contains(&bound[again.pod.as_str()]), "{name} was placed on a dead node");
        // 50 s of grace, then evictions of a disrupted zone one every 10 s, then 300 s of toleration and the start.
        assert!((340.0..600.0).contains(&(again.seconds - LOSS)), "{name} is back after {} s", again.seconds - LOSS);
    }
    assert!(hit >= 2, "12 replicas over 20 nodes: some of them are in the lost zone");
}
