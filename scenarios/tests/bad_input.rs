//! Everything that can be wrong with a file gets a code, a file, a line and a column, all at once, and never a panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use shakedown_scenarios::{Diagnostics, Files, ReadError, check_text, explain, library, load, load_from};

/// Files in memory.
struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

fn try_files(files: &[(&'static str, &str)]) -> Result<shakedown_scenarios::Plan, Diagnostics> {
    load_from("s.yaml", &Memory(files.iter().map(|&(name, text)| (name, text.to_owned())).collect()))
}

/// `code file:line:column` of each problem.
fn found(files: &[(&'static str, &str)]) -> Vec<String> {
    let wrong = try_files(files).expect_err("this is bad input");
    for problem in &wrong.problems {
        assert!(explain(problem.code).is_some(), "{} has no page", problem.code);
        assert!(!problem.expected.is_empty(), "{} does not say what was expected", problem.code);
    }
    let show = |p: &shakedown_scenarios::Problem| {
        format!("{} {}", p.code, p.place.as_ref().map_or_else(String::new, ToString::to_string))
    };
    wrong.problems.iter().map(show).collect()
}

/// A scenario that is right, with `extra` behind line 8.
fn with(extra: &str) -> String {
    format!(
        "shakedown: 1\ncluster:\n  nodes:\n    - {{ name: john, cpu: 8, memory: 32Gi, zone: a }}\n    - {{ name: doe, cpu: 8, memory: 32Gi, zone: b }}\nworkloads:\n  - deployment: {{ name: shop, image: \"shop:v1\", port: 80, replicas: 2 }}\nduration: 30m\n{extra}"
    )
}

fn check(extra: &str, want: &[&str]) {
    assert_eq!(found(&[("s.yaml", &with(extra))]), want, "for:\n{extra}");
}

#[test]
fn what_is_right_loads() {
    let plan = try_files(&[("s.yaml", &with("timeline: [{ at: 5m, for: 2m, kill: { nodes: doe } }]\n"))]);
    let plan = plan.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(plan.experiment.timeline.rows()[0].label, "kill node doe");
}

#[test]
fn a_removed_node_is_named_by_a_selector_and_does_not_come_back_by_itself() {
    let plan = try_files(&[("s.yaml", &with("timeline: [{ at: 5m, remove_node: { nodes: doe } }]\n"))]);
    let plan = plan.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(plan.experiment.timeline.rows()[0].label, "remove node doe");
    check("timeline: [{ at: 5m, remove_node: { nodes: dough } }]\n", &["E0301 s.yaml:9:44"]);
    check("timeline: [{ at: 5m, for: 2m, remove_node: one }]\n", &["E0405 s.yaml:9:27"]);
    let both = "timeline:\n  - { at: 5m, restart: { nodes: doe } }\n  - { at: 5m, remove_node: { nodes: doe } }\n";
    check(both, &["E0411 s.yaml:11:28"]);
}

#[test]
fn files_that_are_no_scenarios_are_refused_with_a_place() {
    let whole = |text: &str, want: &[&str]| assert_eq!(found(&[("s.yaml", text)]), want, "for:\n{text}");
    whole("", &["E0105 s.yaml:1:1"]);
    whole("# nothing\n", &["E0105 s.yaml:1:1"]);
    whole("shakedown: 1\ncluster: [\n", &["E0106 s.yaml:2:10"]);
    whole("a: b: c\n", &["E0106 s.yaml:1:5"]);
    whole("shakedown: 1\nduration: 1m\nduration: 2m\n", &["E0110 s.yaml:3:1"]);
    whole("apiVersion: v1\nkind: Pod\nmetadata: { name: a }\n", &["E0112 s.yaml:1:1"]);
    whole("services:\n  web:\n    image: nginx\n", &["E0506 s.yaml:1:1"]);
    whole("just a text\n", &["E0112 s.yaml:1:1"]);
    whole("shakedown: 1\n---\nshakedown: 1\n", &["E0111 s.yaml:3:1"]);
    assert_eq!(found(&[]), ["E0101 s.yaml:1:1"]);
}

#[test]
fn bombs_are_refused_before_they_explode() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (this, last) in ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"]) {
        bomb.push_str(&format!("{this}: &{this} [{}]\n", vec![format!("*{last}"); 10].join(", ")));
    }
    let wrong = found(&[("s.yaml", &bomb)]);
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].starts_with("E0108 s.yaml:"), "{wrong:?}");
    assert_eq!(found(&[("s.yaml", &"[".repeat(1000))]), ["E0107 s.yaml:1:65"]);
    let deep: String = (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(found(&[("s.yaml", &deep)])[0].starts_with("E0107 s.yaml:6"));
    assert!(found(&[("s.yaml", "a: &a [*a]\n")])[0].starts_with("E0106 s.yaml:1:"));
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let folder = std::env::temp_dir().join(format!("shakedown-bad-input-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the system has a folder for this");
    let code = |path: &std::path::Path| load(path).expect_err("this is bad input").problems[0].code;
    assert_eq!(code(&folder), "E0102");
    assert_eq!(code(&folder.join("none.yaml")), "E0101");
    let binary = folder.join("binary.yaml");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).expect("it can be written");
    assert_eq!(code(&binary), "E0104");
    let large = folder.join("large.yaml");
    let file = std::fs::File::create(&large).expect("it can be written");
    file.set_len(100 << 20).expect("a sparse file of 100 MB");
    assert_eq!(code(&large), "E0103");
    std::fs::remove_dir_all(&folder).expect("it was made above");
}

#[test]
fn includes_in_a_circle_are_refused_at_the_include_that_closes_it() {
    let main = with("include: [a.yaml]\n");
    let files = [("s.yaml", main.as_str()), ("a.yaml", "include:\n  - b.yaml\n"), ("b.yaml", "include: [a.yaml]\n")];
    assert_eq!(found(&files), ["E0109 b.yaml:1:11"]);
    assert_eq!(found(&[("s.yaml", &with("include: [s.yaml]\n"))]), ["E0109 s.yaml:9:11"]);
    assert_eq!(found(&[("s.yaml", &with("include: [none.yaml]\n"))]), ["E0101 s.yaml:9:11"]);
    let part = "images: { \"shop:v1\": { size: 40Mi } }\n";
    assert!(try_files(&[("s.yaml", &with("include: [part.yaml]\n")), ("part.yaml", part)]).is_ok());
}

#[test]
fn shapes_are_checked() {
    check("colour: red\n", &["E0201 s.yaml:9:1"]);
    check("timeline: [{ at: 5m, kil: one }]\n", &["E0208 s.yaml:9:22"]);
    check("timeline: [{ at: 5m }]\n", &["E0207 s.yaml:9:12"]);
    check("timeline: [{ at: 5m, kill: one, drain: all }]\n", &["E0207 s.yaml:9:40"]);
    check("timeline: [{ at: 5, kill: one }]\n", &["E0204 s.yaml:9:18"]);
    check("timeline: [{ at: 5m, kill: everything }]\n", &["E0203 s.yaml:9:28"]);
    check("timeline: { at: 5m }\n", &["E0203 s.yaml:9:11"]);
    check("timeline: [{ at: 5m, saturate: { nodes: doe, class: turbo } }]\n", &["E0205 s.yaml:9:53"]);
    check("traffic: [{ to: shop }]\n", &["E0202 s.yaml:9:11"]);
    check("seed: -1\n", &["E0203 s.yaml:9:7"]);
    check("seed: 1\nseeds: [2, 3]\n", &["E0207 s.yaml:9:7"]);
    assert_eq!(found(&[("s.yaml", &with("").replace("shakedown: 1", "shakedown: 2"))]), ["E0206 s.yaml:1:12"]);
    assert_eq!(found(&[("s.yaml", &with("").replace("duration: 30m\n", ""))]), ["E0202 s.yaml:1:1"]);
}

#[test]
fn names_are_checked() {
    check("timeline: [{ at: 5m, kill: { nodes: [dow] } }]\n", &["E0301 s.yaml:9:38"]);
    check("timeline: [{ at: 5m, kill: { zone: z } }]\n", &["E0302 s.yaml:9:36"]);
    check("timeline: [{ at: 5m, kill: { role: manager } }]\n", &["E0311 s.yaml:9:36"]);
    check("timeline: [{ at: 5m, scale: { workload: shp, replicas: 3 } }]\n", &["E0303 s.yaml:9:41"]);
    check("traffic: [{ to: shp, rate: 1/s }]\n", &["E0304 s.yaml:9:17"]);
    check("orchestrators: [kubernets]\n", &["E0305 s.yaml:9:17"]);
    check("orchestrators: [{ kubernetes: { node-monitor-grace-perod: 20s } }]\n", &["E0306 s.yaml:9:33"]);
    check("set: { node-monitor-grace-period: soon }\n", &["E0306 s.yaml:9:35"]);
    check("images: { \"shp:v1\": { size: 1Mi } }\n", &["E0307 s.yaml:9:11"]);
    check("expect: [{ metric: uptime, above: 99% }]\n", &["E0310 s.yaml:9:20"]);
}

#[test]
fn meaning_is_checked() {
    check("timeline: [{ at: 5m, kill: { nodes: doe, zone: a } }]\n", &["E0401 s.yaml:9:28"]);
    check("timeline: [{ at: 5m, kill_pods: { labels: { app: none } } }]\n", &["E0401 s.yaml:9:33"]);
    check("services: [{ name: void, selects: { app: none } }]\n", &["E0402 s.yaml:9:20"]);
    check("timeline: [{ at: 30m, kill: one }]\n", &["E0403 s.yaml:9:18"]);
    check("timeline: [{ at: 29m, for: 2m, kill: one }]\n", &["E0404 s.yaml:9:28"]);
    check("timeline: [{ at: 5m, for: 2m, scale: { workload: shop, replicas: 3 } }]\n", &["E0405 s.yaml:9:27"]);
    check("expect: [{ metric: availability, at_least: 60s }]\n", &["E0408 s.yaml:9:44"]);
    check("expect: [{ metric: availability, at_least: 1%, below: 2% }]\n", &["E0207 s.yaml:9:10"]);
    let twice = "timeline:\n  - { at: 5m, scale: { workload: shop, replicas: 3 } }\n  - { at: 5m, scale: { workload: shop, replicas: 6 } }\n";
    check(twice, &["E0411 s.yaml:11:22"]);
    let gone = "timeline:\n  - { at: 5m, delete: shop }\n  - { at: 6m, undo: shop }\n";
    check(gone, &["E0411 s.yaml:11:21"]);
}

#[test]
fn manifests_are_checked_at_their_own_places() {
    let manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec:\n  selector: { matchLabels: { app: web } }\n  template:\n    metadata: { labels: { app: web } }\n    spec:\n      containers:\n        - name: web\n          image: web:v1\n          resources:\n            requests:\n              cpu: 100q\n              memory: 64Mi\n";
    let main = with("").replace("workloads:\n", "workloads:\n  - manifest: m.yaml\n");
    let problems = |text: &str| found(&[("s.yaml", main.as_str()), ("m.yaml", text)]);
    assert_eq!(problems(manifest), ["E0502 m.yaml:14:20"]);
    let right = manifest.replace("100q", "100m");
    assert!(try_files(&[("s.yaml", main.as_str()), ("m.yaml", &right)]).is_ok());
    assert_eq!(
        problems(&right.replace("{ app: web } }\n  template", "{ app: wob } }\n  template")),
        ["E0504 m.yaml:5:13"]
    );
    assert_eq!(problems(&right.replace("image: web:v1", "image: 7")), ["E0501 m.yaml:11:18"]);
    assert_eq!(problems(&right.replace("name: web }", "labels: {} }")), ["E0503 m.yaml:3:11"]);
    assert_eq!(problems("name: web\n"), ["E0507 m.yaml:1:1"]);
    assert_eq!(problems(&format!("{right}---\n{right}")), ["E0308 m.yaml:19:19"]);
    assert_eq!(problems("services: { web: { image: x } }\n"), ["E0506 m.yaml:1:1"]);
}

#[test]
fn amounts_that_no_machine_has_are_refused() {
    let node = |from: &str, to: &str, want: &str| {
        let text = with("").replacen(from, to, 1);
        assert_eq!(found(&[("s.yaml", &text)]), [want], "{to}");
    };
    node("cpu: 8", "cpu: 0", "E0204 s.yaml:4:26");
    node("cpu: 8", "cpu: 9000000000000000", "E0204 s.yaml:4:26");
    node("memory: 32Gi", "memory: 0", "E0204 s.yaml:4:37");
    node("memory: 32Gi", "memory: 7Ei", "E0204 s.yaml:4:37");
    node("name: john", "count: 0, name: john", "E0204 s.yaml:4:16");
    node("name: john", "count: 1000000000, name: 'n{n}'", "E0204 s.yaml:4:16");
    node("replicas: 2", "replicas: 300001", "E0204 s.yaml:7:69");
    node("replicas: 2", "replicas: 1000000000000000000000000000000", "E0203 s.yaml:7:69");
    check("timeline: [{ at: 5m, scale: { workload: shop, replicas: 4000000000 } }]\n", &["E0204 s.yaml:9:57"]);
    check("traffic: [{ to: shop, rate: 5/s, retries: 4000000000 }]\n", &["E0204 s.yaml:9:43"]);
    let host = with("").replace("workloads:", "  host: { pull_bandwidth: 0 }\nworkloads:");
    assert_eq!(found(&[("s.yaml", &host)]), ["E0204 s.yaml:6:27"]);
}

#[test]
fn names_that_would_harm_their_readers_are_refused() {
    for bad in ["''", "' '", "</script>", "\"\\e[31m\"", "\"a\\nb\"", &"x".repeat(10_000)] {
        let node = with("").replacen("name: john", &format!("name: {bad}"), 1);
        assert_eq!(found(&[("s.yaml", &node)]).len(), 1, "{bad}");
        let workload = with("").replacen("name: shop", &format!("name: {bad}"), 1);
        assert_eq!(found(&[("s.yaml", &workload)]).len(), 1, "{bad}");
    }
    let image = with("").replacen("\"shop:v1\"", "\"a b\"", 1);
    assert_eq!(found(&[("s.yaml", &image)]), ["E0204 s.yaml:7:38"]);
    check("timeline: [{ at: 5m, label: \"\\e[31mred\", kill: one }]\n", &["E0204 s.yaml:9:29"]);
}

#[test]
fn what_is_said_about_a_file_cannot_command_a_terminal() {
    let wrong = try_files(&[("s.yaml", "shakedown: 1\n\"\\e[31mbad\": \"\u{9b}31m\"\n")]).expect_err("bad");
    let all = wrong.to_string() + &wrong.render(miette::GraphicalTheme::none());
    assert!(!all.contains(|c: char| c.is_control() && c != '\n'), "{all:?}");
    let long = try_files(&[("s.yaml", &format!("{}: 1\n", "k".repeat(10_000)))]).expect_err("bad");
    assert!(long.problems.iter().all(|problem| problem.message.len() < 1_000));
}

#[test]
fn settings_that_contradict_each_other_give_no_profile() {
    let set = "set: { podInitialBackoffSeconds: 100 }\n";
    let plan = try_files(&[("s.yaml", &with(set))]);
    let wrong = plan.map_or_else(Some, |plan| plan.profile("kubernetes").err()).expect("100 s are above the longest");
    assert_eq!(wrong.problems[0].code, "E0306", "{wrong}");
}

#[test]
fn manifests_that_the_api_server_would_refuse_are_refused() {
    let manifest = |change: &str, more: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n  selector: {{ matchLabels: {{ app: web }} }}\n  template:\n    metadata: {{ labels: {{ app: web }} }}\n    spec:\n{change}      containers:\n        - name: web\n          image: web:v1\n{more}"
        )
    };
    let main = with("").replace("workloads:\n", "workloads:\n  - manifest: m.yaml\n");
    let codes = |change: &str, more: &str| -> Vec<String> {
        let text = manifest(change, more);
        let files = [("s.yaml", main.as_str()), ("m.yaml", text.as_str())];
        if try_files(&files).is_ok() { Vec::new() } else { found(&files) }
    };
    assert!(codes("", "").is_empty());
    let crowd: String = (0..255).map(|n| format!("        - {{ name: c{n}, image: x }}\n")).collect();
    for (change, more, code) in [
        ("", crowd.as_str(), "E0505"),
        ("", "        - { name: web, image: web:v1 }\n", "E0505"),
        ("", "        - { name: '</script>', image: web:v1 }\n", "E0505"),
        ("", "        - { name: b, image: 'a b' }\n", "E0505"),
        ("", "          ports: [{ containerPort: 80, hostPort: 99999 }]\n", "E0505"),
        ("", "          resources: { limits: { cpu: 9000000000000000 } }\n", "E0502"),
        ("", "          resources: { requests: { memory: 7Ei } }\n", "E0502"),
        ("      restartPolicy: Never\n", "", "E0505"),
        ("      nodeName: nowhere\n", "", "E0301"),
        ("      tolerations: [{ key: a, operator: Equals }]\n", "", "E0505"),
        ("      tolerations: [{ value: a }]\n", "", "E0505"),
        (
            "      topologySpreadConstraints: [{ maxSkew: 0, topologyKey: z, whenUnsatisfiable: DoNotSchedule }]\n",
            "",
            "E0505",
        ),
        ("      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: z, whenUnsatisfiable: Maybe }]\n", "", "E0505"),
        (
            "      affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, preference: {} }] } }\n",
            "",
            "E0505",
        ),
    ] {
        let wrong = codes(change, more);
        assert!(
            wrong.len() == 1 && wrong[0].starts_with(code) && wrong[0].contains("m.yaml:"),
            "{change}{more}: {wrong:?}"
        );
    }
}

#[test]
fn all_problems_of_a_file_come_at_once_in_the_order_of_the_text() {
    let extra = "traffic: [{ to: shp, rate: fast }]\ntimeline:\n  - { at: 5m, kill: { nodes: dow } }\n  - { at: 40m, kil: one }\nexpect: [{ metric: uptime, above: 1 }]\n";
    let want =
        ["E0204 s.yaml:9:28", "E0301 s.yaml:11:30", "E0403 s.yaml:12:11", "E0208 s.yaml:12:16", "E0310 s.yaml:13:20"];
    let mut got = found(&[("s.yaml", &with(extra))]);
    let mut want: Vec<String> = want.map(ToOwned::to_owned).to_vec();
    got.sort();
    want.sort();
    assert_eq!(got, want);
}

#[test]
fn a_broken_part_does_not_make_every_name_unknown() {
    let text =
        with("timeline: [{ at: 5m, kill: { nodes: doe } }]\n").replace("name: doe, cpu: 8", "name: doe, cpu: lots");
    assert_eq!(found(&[("s.yaml", &text)]), ["E0204 s.yaml:5:25"]);
}

#[test]
fn a_problem_reads_well_in_a_pipe_and_drawn() {
    let wrong = try_files(&[("s.yaml", &with("timeline: [{ at: 5m, kill: { nodes: [dow] } }]\n"))]).expect_err("bad");
    let line = wrong.to_string();
    assert!(line.starts_with("s.yaml:9:38: error[E0301]: there is no node `dow`"), "{line}");
    assert!(line.contains("did you mean `doe`?"), "{line}");
    let drawn = wrong.render(miette::GraphicalTheme::none());
    assert!(drawn.contains("E0301") && drawn.contains("s.yaml:9:38") && drawn.contains("did you mean"), "{drawn}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let files = Memory([("s.yaml", text)].into());
        let _ = load_from("s.yaml", &files);
        let _ = check_text("s.yaml", &files);
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in "([a-z&*!|>'\"\\[\\]{}:,#%@`?\\-\\n 0-9]{0,12}){0,30}") {
        let _ = load_from("s.yaml", &Memory([("s.yaml", text)].into()));
    }

    #[test]
    fn no_change_to_the_library_makes_it_panic(which in 0usize..64, cut in any::<prop::sample::Index>(), len in 0usize..12, with in "[a-z0-9{}:, \\[\\]%*&-]{0,6}") {
        let embedded = library()[which % library().len()];
        let mut all: Vec<(&'static str, String)> = embedded.files.iter().map(|&(name, text)| (name, text.to_owned())).collect();
        all.push(("s.yaml", embedded.text.to_owned()));
        let target = which % all.len();
        let text = &mut all[target].1;
        let mut start = cut.index(text.len());
        while !text.is_char_boundary(start) { start -= 1; }
        let mut end = (start + len).min(text.len());
        while !text.is_char_boundary(end) { end += 1; }
        text.replace_range(start..end, &with);
        let _ = load_from("s.yaml", &Memory(all.into_iter().collect()));
    }
}

#[test]
fn operations_name_what_exists_and_say_what_changes() {
    check("timeline: [{ at: 5m, taint: { nodes: doe, taint: broken } }]\n", &["E0204 s.yaml:9:50"]);
    check("timeline: [{ at: 5m, untaint: { nodes: doe, taint: 'a:Sometimes' } }]\n", &["E0204 s.yaml:9:52"]);
    check("timeline: [{ at: 5m, out_of_service: { nodes: dough } }]\n", &["E0301 s.yaml:9:47"]);
    check("timeline: [{ at: 5m, evict: { workload: shoe } }]\n", &["E0303 s.yaml:9:41"]);
    check("timeline: [{ at: 5m, suspend: shop }]\n", &["E0410 s.yaml:9:31"]);
    check("timeline: [{ at: 5m, ungate: shop }]\n", &["E0410 s.yaml:9:30"]);
    check("timeline: [{ at: 5m, update_strategy: { workload: shop, partition: 1 } }]\n", &["E0410 s.yaml:9:51"]);
    check("timeline: [{ at: 5m, for: 1m, evict: { workload: shop } }]\n", &["E0405 s.yaml:9:27"]);
    check("timeline: [{ at: 5m, default_priority: { class: a, value: 2000000000 } }]\n", &["E0204 s.yaml:9:59"]);
    let both = "timeline:\n  - { at: 5m, taint: { nodes: doe, taint: 'a:NoSchedule' } }\n  - { at: 5m, untaint: { nodes: doe, taint: a } }\n";
    check(both, &["E0411 s.yaml:11:24"]);
}
