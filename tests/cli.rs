//! The command line from outside: exit codes, forms of output, what is written and what is never overwritten.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A directory of its own for one test, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        name.to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.args(args).current_dir(&self.0).stdin(Stdio::null()).env_remove("NO_COLOR");
        command
    }

    fn names(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join(below)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal ended it")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Two nodes, three replicas, one kill. Expects what the bound says.
fn scenario(bound: &str) -> String {
    format!(
        "shakedown: 1
about: One of two nodes dies.
cluster:
  nodes: [{{ name: john, cpu: 4, memory: 8Gi }}, {{ name: doe, cpu: 4, memory: 8Gi }}]
orchestrators: [swarm]
workloads:
  - deployment: {{ name: web, image: web, replicas: 3, cpu: 100m, memory: 64Mi }}
timeline:
  - {{ at: 1m, kill: {{ nodes: [doe] }} }}
duration: 5m
expect:
  - {{ metric: evictions, {bound} }}
"
    )
}

#[test]
fn a_run_passes_and_writes_a_numbered_result() {
    let place = Place::new("pass");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let first = place.run(&["run", &file]);
    assert_eq!(code(&first), 0, "{}{}", out(&first), err(&first));
    assert!(!out(&first).contains('\x1b'), "a pipe gets no colours");
    let again = place.run(&["run", &file]);
    assert_eq!(code(&again), 0);
    assert_eq!(place.names("shakedown-out/kill"), ["001", "002", "latest"]);
    let latest = place.names("shakedown-out/kill/latest");
    for wanted in ["facts.csv", "report.html", "summary.json", "timeline.png", "timeline.svg"] {
        assert!(latest.iter().any(|name| name == wanted), "{wanted} is missing in {latest:?}");
    }
}

#[test]
fn a_broken_expectation_ends_with_1() {
    let place = Place::new("fail");
    let file = place.file("kill.yaml", &scenario("above: 1000"));
    let output = place.run(&["run", &file, "--no-report"]);
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert_eq!(place.names("."), ["kill.yaml"], "`--no-report` writes nothing");
}

#[test]
fn bad_input_ends_with_2_and_names_the_place() {
    let place = Place::new("bad");
    let file = place.file("bad.yaml", &scenario("at_least: 0").replace("duration: 5m", "durration: 5m"));
    let output = place.run(&["run", &file]);
    assert_eq!(code(&output), 2);
    assert_eq!(out(&output), "");
    let message = err(&output);
    assert!(message.contains("bad.yaml:10:") && message.contains("durration"), "{message}");
    assert_eq!(place.names("."), ["bad.yaml"], "nothing is written for a file that is wrong");
}

#[test]
fn problems_of_all_files_are_shown_at_once() {
    let place = Place::new("all-files");
    let one = place.file("one.yaml", "shakedown: 1\nduratoin: 5m\n");
    let two = place.file("two.yaml", "");
    let output = place.run(&["run", &one, &two]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("one.yaml") && err(&output).contains("two.yaml"), "{}", err(&output));
}

#[test]
fn usage_errors_end_with_2_and_say_what_to_do() {
    let place = Place::new("usage");
    for (args, hint) in [
        (vec!["run"], "FILE"),
        (vec!["run", "burning-sever"], "burning-server"),
        (vec!["run", "no/such/file.yaml"], "file.yaml"),
        (vec!["run", "burning-server", "--orchestrator", "kubernets"], "did you mean `kubernetes`?"),
        (vec!["run", "burning-server", "--set", "podInitialBackoffSeconds=100"], "contradict"),
        (vec!["run", "burning-server", "--orchestrator", "swarm", "--set", "node-monitor-grace-period=20s"], "swarm"),
        (vec!["run", "burning-server", "--seed", "-1"], "seed"),
        (vec!["run", "burning-server", "--seed", "many"], "seed"),
        (vec!["run", "burning-server", "--set", "nonsense"], "flag=value"),
        (vec!["run", "burning-server", "--set", "no-such-flag=1"], "list flags"),
        (vec!["run", "burning-server", "--force"], "--out"),
        (vec!["explain", "E9999"], "explain"),
        (vec!["bench", "placement", "--nodes", "0"], "nodes"),
        (vec!["frobnicate"], "frobnicate"),
    ] {
        let output = place.run(&args);
        assert_eq!(code(&output), 2, "{args:?}: {}", err(&output));
        assert!(err(&output).contains(hint), "{args:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{args:?}");
    }
    assert!(place.names(".").is_empty());
}

#[test]
fn json_has_the_documented_shape_and_nothing_else_is_on_standard_output() {
    let place = Place::new("json");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let output =
        place.run(&["run", &file, "--format", "json", "--orchestrator", "swarm", "--seed", "7", "--seed", "8"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let document: Value = serde_json::from_str(&out(&output)).unwrap();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&document), ["runs", "scenario", "schema_version"]);
    assert_eq!(document["scenario"], "kill");
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for (run, seed) in runs.iter().zip([7, 8]) {
        let wanted = ["digest", "expectations", "metrics", "orchestrator", "reason", "seed", "verdict"];
        assert_eq!(keys(run), wanted);
        assert_eq!((run["orchestrator"].as_str(), run["seed"].as_u64()), (Some("swarm"), Some(seed)));
        assert_eq!(run["digest"].as_str().unwrap().len(), 32);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_workers_or_the_process() {
    let place = Place::new("jobs");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let seeds = ["--seed", "1", "--seed", "2", "--seed", "3", "--no-report", "--format", "json"];
    let with = |jobs: &str| out(&place.run(&[&["run", &file, "--jobs", jobs], &seeds[..]].concat()));
    assert_eq!(with("1"), with("3"));
}

#[test]
fn an_existing_result_is_replaced_by_force_only() {
    let place = Place::new("force");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let run = |more: &[&str]| place.run(&[&["run", &file, "--out", "result"], more].concat());
    assert_eq!(code(&run(&[])), 0);
    fs::write(place.0.join("result/mine.txt"), "notes").unwrap();
    let refused = run(&[]);
    assert_eq!(code(&refused), 2);
    assert!(err(&refused).contains("--force"), "{}", err(&refused));
    assert!(place.0.join("result/mine.txt").exists());
    assert_eq!(code(&run(&["--force"])), 0);
    assert!(!place.0.join("result/mine.txt").exists());
    assert_eq!(place.names("."), ["kill.yaml", "result"], "nothing half-written is left");
}

#[test]
fn force_does_not_touch_what_is_not_a_result() {
    let place = Place::new("precious");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    fs::create_dir(place.0.join("photos")).unwrap();
    fs::write(place.0.join("photos/cat.jpg"), "cat").unwrap();
    let output = place.run(&["run", &file, "--out", "photos", "--force"]);
    assert_eq!(code(&output), 2);
    assert_eq!(place.names("photos"), ["cat.jpg"]);
    fs::create_dir(place.0.join("empty")).unwrap();
    assert_eq!(code(&place.run(&["run", &file, "--out", "empty"])), 0, "an empty directory is no result");
}

#[test]
fn a_destination_that_cannot_be_written_is_refused_before_anything_runs() {
    let place = Place::new("unwritable");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let long = "x".repeat(10_000);
    for out in ["kill.yaml/below", "kill.yaml", long.as_str()] {
        let output = place.run(&["run", &file, "--out", out]);
        assert_eq!(code(&output), 2, "{}", err(&output));
        assert!(err(&output).contains("--out"), "{}", err(&output));
        assert_eq!(self::out(&output), "", "it ran in vain");
    }
    assert_eq!(place.names("."), ["kill.yaml"]);
}

#[test]
#[cfg(unix)]
fn a_link_is_followed_and_a_dangling_one_refused() {
    let place = Place::new("links");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    fs::create_dir(place.0.join("real")).unwrap();
    std::os::unix::fs::symlink("real", place.0.join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", place.0.join("dangling")).unwrap();
    for more in [&[][..], &["--force"]] {
        let output = place.run(&[&["run", &file, "--out", "link"], more].concat());
        assert_eq!(code(&output), 0, "{}", err(&output));
        assert!(place.0.join("link").is_symlink() && place.0.join("real/summary.json").is_file());
    }
    assert_eq!(code(&place.run(&["run", &file, "--out", "dangling"])), 2);
    assert_eq!(place.names("."), ["dangling", "kill.yaml", "link", "real"]);
}

#[test]
fn of_runs_at_once_into_one_directory_one_wins_and_the_others_say_so() {
    let place = Place::new("race");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let spawn = || {
        let mut command = place.command(&["run", &file, "--out", "result"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [spawn(), spawn(), spawn()].map(|child| child.wait_with_output().unwrap());
    let mut codes = outputs.each_ref().map(code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 2, 2]);
    let refused = outputs.iter().filter(|output| code(output) == 2);
    assert!(refused.into_iter().all(|output| err(output).contains("--force")));
    assert_eq!(place.names("."), ["kill.yaml", "result"], "nothing half-written is left");
}

#[test]
fn arguments_are_quoted_back_without_commands_to_the_terminal() {
    let place = Place::new("escapes");
    for args in [["run", "\x1b[31mred"], ["explain", "\x1b[31mred"], ["check", "\x1b[31mred.yaml"]] {
        let output = place.run(&args);
        assert_eq!(code(&output), 2);
        assert!(!(err(&output) + &out(&output)).contains('\x1b'), "{args:?}: {}", err(&output));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new("pipe");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let mut child = place.command(&["run", &file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(!err(&output).contains("panic"), "{}", err(&output));
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let place = Place::new("color");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let colored = place.run(&["run", &file, "--no-report", "--color", "always"]);
    assert!(out(&colored).contains('\x1b'));
}

#[test]
fn verify_says_that_equal_runs_are_equal() {
    let place = Place::new("verify");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let output = place.run(&["verify", &file]);
    assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
    assert!(out(&output).starts_with("same "), "{}", out(&output));
}

#[test]
fn compare_sets_orchestrators_side_by_side() {
    let place = Place::new("compare");
    let file = place.file("kill.yaml", &scenario("at_least: 0"));
    let args = ["compare", &file, "--orchestrator", "kubernetes", "--orchestrator", "swarm", "--seeds", "3"];
    let output = place.run(&args);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("kubernetes") && out(&output).contains("swarm"), "{}", out(&output));
    let json = place.run(&[&args[..], &["--format", "json"]].concat());
    let document: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(document["seeds"].as_array().map(Vec::len), Some(3));
}

#[test]
fn check_reports_without_running() {
    let place = Place::new("check");
    let good = place.file("good.yaml", &scenario("at_least: 0"));
    let bad = place.file("bad.yaml", "shakedown: 1\nduration: soon\n");
    assert_eq!(code(&place.run(&["check", &good])), 0);
    let output = place.run(&["check", &good, &bad]);
    assert_eq!(code(&output), 2);
    let said = out(&output) + &err(&output);
    assert!(said.contains("bad.yaml:2:"), "{said}");
}

#[test]
fn small_verbs_answer() {
    let place = Place::new("small");
    for (args, hint) in [
        (vec!["list"], "burning-server"),
        (vec!["list", "orchestrators"], "swarm"),
        (vec!["list", "metrics"], "time_to_detect"),
        (vec!["schema"], "\"$schema\""),
        (vec!["explain"], "E0201"),
        (vec!["explain", "e0201"], "Cure"),
        (vec!["completions", "bash"], "shakedown"),
        (vec!["--help"], "Exit codes"),
        (vec!["--version"], "shakedown"),
    ] {
        let output = place.run(&args);
        assert_eq!(code(&output), 0, "{args:?}: {}", err(&output));
        assert!(out(&output).contains(hint), "{args:?}: {}", out(&output));
    }
    let listed: Value = serde_json::from_str(&out(&place.run(&["list", "--format", "json"]))).unwrap();
    assert!(listed.as_array().unwrap().iter().any(|scenario| scenario["name"] == "burning-server"));
}

#[test]
fn the_placement_bench_prints_its_figures() {
    let place = Place::new("bench");
    let output = place.run(&["bench", "placement", "--nodes", "20", "--pods", "100", "--format", "json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let figures: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(figures["placed"], 100);
    assert!(figures["placements_per_second"].as_f64().unwrap() > 0.0);
}
