//! Compose files: what each key becomes, what is said to be ignored, and where each problem is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use shakedown_engine::labels::Op;
use shakedown_engine::model::{
    Amount, Catalog, Details, PodTemplate, ProbeRole, PullPolicy, RestartPolicy, Strategy, WhenUnsatisfiable,
    WorkloadKind, WorkloadSpec,
};
use shakedown_engine::profile::{FailureAction, SlotOrder};
use shakedown_scenarios::{CheckReport, FileKind, Files, Plan, ReadError, check_file, check_text, explain, load_from};

/// Files in memory.
struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

/// What a look at the file says.
fn look(text: &str) -> CheckReport {
    let report = check_text("c.yml", &Memory([("c.yml", text.to_owned())].into()));
    for code in report.problems.iter().map(|p| p.code).chain(report.ignored.iter().map(|note| note.code)) {
        assert!(explain(code).is_some(), "{code} has no page");
    }
    report
}

/// A file with one service `a` that has an image and these further lines.
fn service(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!("services:\n  a:\n    image: a:1\n{lines}")
}

fn scenario_of(compose: &str) -> Result<Plan, shakedown_scenarios::Diagnostics> {
    let scenario = "\
shakedown: 1
cluster:
  nodes:
    - { name: john, cpu: 8, memory: 32Gi, roles: [manager] }
    - { name: doe, cpu: 8, memory: 32Gi, labels: { disk: ssd } }
workloads: [{ compose: c.yml }]
duration: 5m
";
    load_from("s.yaml", &Memory([("s.yaml", scenario.to_owned()), ("c.yml", compose.to_owned())].into()))
}

fn lowered(compose: &str) -> Plan {
    scenario_of(compose).unwrap_or_else(|wrong| panic!("{compose}\n{wrong}"))
}

fn only(plan: &Plan) -> (&Catalog, &WorkloadSpec, &PodTemplate) {
    let workload = &plan.catalog.workloads.rows()[0];
    (&plan.catalog, workload, &plan.catalog.templates[workload.template])
}

/// One line of a problem: code, line, column.
fn wrong(text: &str) -> Vec<String> {
    let report = look(text);
    for problem in &report.problems {
        assert!(!problem.expected.is_empty(), "{} does not say what was expected", problem.code);
    }
    let at = |p: &shakedown_scenarios::Place| format!("{}:{}", p.line(), p.column());
    report.problems.iter().map(|p| format!("{} {}", p.code, p.place.as_ref().map(at).unwrap_or_default())).collect()
}

/// Codes of remarks about a file, in order.
fn remarks(text: &str) -> Vec<(&'static str, String)> {
    let report = look(text);
    assert!(report.passed(), "{text}\n{:?}", report.problems);
    report.ignored.into_iter().map(|note| (note.code, note.text)).collect()
}

#[test]
fn real_compose_files_load_unchanged() {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/inputs/voting-app");
    if !inputs.is_dir() {
        eprintln!("SKIPPED: {} is not there, so no real Compose file was tried", inputs.display());
        return;
    }
    let services = |file: &str| {
        let report = check_file(&inputs.join(file));
        assert!(report.passed(), "{}", report.render_problems(miette::GraphicalTheme::none()));
        assert_eq!(report.kind, FileKind::Compose);
        let of = |word: &str| report.honoured.iter().filter(|line| line.starts_with(word)).count();
        (of("Deployment "), of("Service "))
    };
    assert_eq!(services("docker-compose.images.yml"), (5, 4), "nobody asks for `worker`");
    assert_eq!(services("docker-stack.yml"), (5, 2), "only `vote` and `result` have ports");
    let text = std::fs::read_to_string(inputs.join("docker-stack.yml")).expect("it was read before");
    let plan = lowered(&text);
    let replicas: Vec<_> =
        plan.catalog.workloads.rows().iter().map(|w| (plan.catalog.text(w.name), w.replicas)).collect();
    assert_eq!(replicas, [("redis", 1), ("db", 1), ("vote", 2), ("result", 1), ("worker", 2)]);
}

#[test]
fn a_service_is_found_by_its_label_and_gets_a_name_when_someone_asks_for_it() {
    let plan = lowered(
        "services:\n  web: { image: w, depends_on: [db], links: ['cache:c'] }\n  db: { image: d }\n  cache: { image: c }\n  \
         api: { image: i, expose: ['80'] }\n  shop: { image: s, ports: ['8080:80'], labels: { tier: front } }\n",
    );
    let catalog = &plan.catalog;
    let names: Vec<&str> = catalog.services.rows().iter().map(|s| catalog.text(s.name)).collect();
    assert_eq!(names, ["db", "cache", "api", "shop"]);
    let shop = catalog.workloads.rows().iter().find(|w| catalog.text(w.name) == "shop").expect("it was declared");
    let labels = &catalog.templates[shop.template].labels;
    let value = |key: &str| catalog.names.find(key).and_then(|key| labels.get(key)).map(|value| catalog.text(value));
    assert_eq!((value("com.docker.compose.service"), value("tier")), (Some("shop"), Some("front")));
    assert!(shop.selector.matches(labels, &catalog.names));
    assert!(catalog.templates[shop.template].host_ports.is_empty(), "the routing mesh claims no port of the node");
}

#[test]
fn replicas_come_from_deploy_or_scale() {
    let replicas = |lines: &str| only(&lowered(&service(lines))).1.replicas;
    assert_eq!(replicas("deploy: { replicas: 3 }"), 3);
    assert_eq!(replicas("deploy: { replicas: '4', mode: replicated }"), 4);
    assert_eq!(replicas("scale: 5"), 5);
    assert_eq!(replicas("deploy:"), 1);
    assert_eq!(replicas("deploy: { replicas: 0 }"), 0);
}

#[test]
fn reservations_are_requests_and_limits_reserve_nothing() {
    let share = |lines: &str| {
        let plan = lowered(&service(lines));
        let (_, _, template) = only(&plan);
        let container = &template.containers[0];
        (
            (template.requests.cpu.0, template.requests.memory.0 >> 20),
            (container.cpu_limit.map(|c| c.0), container.memory_limit.map(|m| m.0 >> 20)),
        )
    };
    let both = "\
deploy:
  resources:
    limits: { cpus: '0.50', memory: 50M }
    reservations: { cpus: 0.25, memory: 20M }";
    assert_eq!(share(both), ((250, 20), (Some(500), Some(50))));
    assert_eq!(share("cpus: 1.5\nmem_limit: 1g\nmem_reservation: 128m"), ((0, 128), (Some(1500), Some(1024))));
    assert_eq!(share("deploy: { resources: { limits: { memory: 64mb } } }"), ((0, 0), (None, Some(64))));
    assert_eq!(share("mem_limit: 0"), ((0, 0), (None, None)), "0 is no limit");
}

#[test]
fn restarts_follow_the_policy() {
    let restart = |lines: &str| only(&lowered(&service(lines))).2.restart;
    assert_eq!(restart("deploy: { restart_policy: { condition: none } }"), RestartPolicy::Never);
    assert_eq!(restart("deploy: { restart_policy: { condition: on-failure } }"), RestartPolicy::OnFailure);
    assert_eq!(restart("deploy: { restart_policy: { condition: any } }\nrestart: 'no'"), RestartPolicy::Always);
    assert_eq!(restart("restart: \"no\""), RestartPolicy::Never);
    assert_eq!(restart("restart: on-failure:3"), RestartPolicy::OnFailure);
    assert_eq!(restart("restart: unless-stopped"), RestartPolicy::Always);
}

#[test]
fn updates_are_rolling_where_that_means_the_same() {
    let strategy = |lines: &str| only(&lowered(&service(lines))).1.strategy;
    let rolling =
        |surge, gone| Strategy::RollingUpdate { max_surge: Amount::Count(surge), max_unavailable: Amount::Count(gone) };
    assert_eq!(strategy("deploy: { update_config: { parallelism: 2 } }"), rolling(0, 2));
    assert_eq!(strategy("deploy: { update_config: { order: start-first } }"), rolling(1, 0));
    let all = Strategy::RollingUpdate { max_surge: Amount::Count(0), max_unavailable: Amount::Percent(100) };
    assert_eq!(strategy("deploy: { update_config: { parallelism: 0 } }"), all);
    assert_eq!(strategy("deploy: {}"), Strategy::Default);
}

#[test]
fn constraints_become_node_affinity() {
    let required = |constraint: &str| {
        let plan = lowered(&service(&format!("deploy: {{ placement: {{ constraints: ['{constraint}'] }} }}")));
        let (catalog, _, template) = only(&plan);
        let all = &template.affinity.node_required[0].labels.all;
        assert_eq!((template.affinity.node_required.len(), all.len()), (1, 1));
        let values = |v: &[_]| v.iter().map(|&v| catalog.text(v)).collect::<Vec<_>>().join(",");
        let op = match &all[0].op {
            Op::In(list) => format!("in {}", values(list)),
            Op::NotIn(list) => format!("not in {}", values(list)),
            op => format!("{op:?}"),
        };
        let meet = catalog.nodes.rows().iter().filter(|n| all[0].op_holds(&n.labels, catalog)).count();
        (format!("{} {op}", catalog.text(all[0].key)), meet)
    };
    let want = |text: &str, meet| (text.to_owned(), meet);
    assert_eq!(required("node.role == manager"), want("node-role.kubernetes.io/manager Exists", 1));
    assert_eq!(required("node.role==worker"), want("node-role.kubernetes.io/manager NotExists", 1));
    assert_eq!(required("node.role != manager"), want("node-role.kubernetes.io/manager NotExists", 1));
    assert_eq!(required("node.hostname == doe"), want("kubernetes.io/hostname in doe", 1));
    assert_eq!(required("node.hostname != doe"), want("kubernetes.io/hostname not in doe", 1));
    assert_eq!(required("node.labels.disk == ssd"), want("disk in ssd", 1));
    assert_eq!(required("node.labels.disk != ssd"), want("disk not in ssd", 1));
    assert_eq!(required("node.platform.arch == x86_64"), want("kubernetes.io/arch in amd64", 2));
}

/// Whether a single condition holds of a node.
trait Holds {
    fn op_holds(&self, labels: &shakedown_engine::labels::Labels, catalog: &Catalog) -> bool;
}

impl Holds for shakedown_engine::labels::Requirement {
    fn op_holds(&self, labels: &shakedown_engine::labels::Labels, catalog: &Catalog) -> bool {
        shakedown_engine::labels::Selector { all: vec![self.clone()] }.matches(labels, &catalog.names)
    }
}

#[test]
fn preferences_spread_softly_and_one_a_node_keeps_replicas_apart() {
    let plan = lowered(&service(
        "deploy: { placement: { preferences: [{ spread: node.labels.rack }], max_replicas_per_node: 1 } }",
    ));
    let (catalog, workload, template) = only(&plan);
    let spread = &template.spread[0];
    assert_eq!((catalog.text(spread.topology_key), spread.max_skew), ("rack", 1));
    assert_eq!((spread.when, &spread.selector), (WhenUnsatisfiable::ScheduleAnyway, &workload.selector));
    let apart = &template.affinity.anti_required[0];
    assert_eq!((catalog.text(apart.topology_key), &apart.selector), ("kubernetes.io/hostname", &workload.selector));
    let wishes = &template.wishes;
    assert_eq!(wishes.spreads.iter().map(|s| catalog.text(s.attribute)).collect::<Vec<_>>(), ["rack"]);
    let distinct: Vec<_> = wishes.distinct.iter().map(|d| (catalog.text(d.attribute), d.at_most)).collect();
    assert_eq!(distinct, [("kubernetes.io/hostname", 1)]);
}

#[test]
fn three_a_node_is_a_wish_and_no_anti_affinity() {
    let plan = lowered(&service("deploy: { placement: { max_replicas_per_node: 3 } }"));
    let (_, _, template) = only(&plan);
    assert!(template.affinity.anti_required.is_empty());
    assert_eq!(template.wishes.distinct[0].at_most, 3);
    let kubernetes = plan.profile("kubernetes").expect("it is built in");
    let notes: Vec<_> = plan.unhonoured(&kubernetes).into_iter().map(|note| (note.code, note.place)).collect();
    assert_eq!(notes, [("W0619", Some("c.yml:4:51".to_owned()))]);
}

#[test]
fn modes_become_daemon_sets_and_jobs() {
    let kind = |lines: &str| {
        let plan = lowered(&service(lines));
        let (_, workload, template) = only(&plan);
        (workload.kind, workload.replicas, template.restart, workload.details.clone())
    };
    let (mode, replicas, restart, details) = kind("deploy: { mode: global, update_config: { parallelism: 2 } }");
    assert_eq!((mode, replicas, restart), (WorkloadKind::DaemonSet, 0, RestartPolicy::Always));
    let Details::Daemon(daemon) = details else { panic!("{details:?}") };
    assert_eq!((daemon.max_unavailable, daemon.max_surge), (Amount::Count(2), Amount::Count(0)));
    let (mode, replicas, restart, details) =
        kind("deploy: { mode: replicated-job, replicas: 4, restart_policy: { max_attempts: 3 } }");
    assert_eq!((mode, replicas, restart), (WorkloadKind::Job, 4, RestartPolicy::OnFailure));
    let Details::Job(job) = details else { panic!("{details:?}") };
    assert_eq!((job.parallelism, job.completions, job.backoff_limit), (4, Some(4), 12));
    let (mode, replicas, ..) = kind("deploy: { mode: global-job }");
    assert_eq!((mode, replicas), (WorkloadKind::Job, 2), "one on each of two nodes");
    let (_, replicas, ..) = kind("deploy: { mode: global-job, placement: { constraints: [node.role == manager] } }");
    assert_eq!(replicas, 1, "one on each node that is allowed");
}

#[test]
fn deploy_becomes_wishes_in_full() {
    let plan = lowered(&service(
        "deploy:
  update_config: { parallelism: 0, delay: 10s, order: start-first, monitor: 1m, failure_action: rollback, \
    max_failure_ratio: 0.25 }
  rollback_config: { parallelism: 2, failure_action: continue }
  restart_policy: { delay: 7s, max_attempts: 4, window: 2m }",
    ));
    let (_, workload, _) = only(&plan);
    let update = &workload.wishes.update;
    let ms = |span: Option<shakedown_engine::time::Span>| span.map(|span| span.as_nanos() / 1_000_000);
    assert_eq!((update.parallelism, ms(update.delay), ms(update.monitor)), (Some(0), Some(10_000), Some(60_000)));
    assert_eq!((update.order, update.on_failure), (Some(SlotOrder::StartFirst), Some(FailureAction::Rollback)));
    assert_eq!(update.max_failure, Some(250));
    let back = &workload.wishes.rollback;
    assert_eq!((back.parallelism, back.on_failure, back.order), (Some(2), Some(FailureAction::Continue), None));
    let restart = &workload.wishes.restart;
    assert_eq!((ms(restart.delay), restart.attempts, ms(restart.window)), (Some(7_000), Some(4), Some(120_000)));
    let plain = lowered(&service("restart: on-failure:5"));
    assert_eq!(only(&plain).1.wishes.restart.attempts, Some(5));
    assert_eq!(only(&plain).1.wishes.update.parallelism, None, "nothing was wished");
}

#[test]
fn what_a_profile_does_not_honour_is_said_once_with_its_place() {
    let plan = lowered(
        "services:\n  a: { image: a, deploy: { update_config: { monitor: 9s } } }\n  b: { image: b, deploy: { \
         update_config: { monitor: 9s, parallelism: 2 } } }\n",
    );
    let of = |name: &str| {
        let profile = plan.profile(name).expect("it is built in");
        plan.unhonoured(&profile).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(of("swarm"), [""; 0]);
    assert_eq!(
        of("kubernetes"),
        [
            "c.yml:2:45: warning[W0619]: `deploy.update_config.monitor` is not honoured (2 times): kubernetes has no time \
          in which a failure counts as one of the update"
        ]
    );
}

#[test]
fn classic_swarm_is_told_by_labels_and_environment() {
    let plan = lowered(&service(
        "labels:
  com.docker.swarm.reschedule-policies: '[\"on-node-failure\"]'
  com.docker.swarm.constraints: '[\"disk==s*\"]'
environment: ['constraint:node!=/^jo.*/', 'affinity:tier!=front', 'constraint:disk==~hdd', 'PLAIN=x']",
    ));
    let (catalog, workload, template) = only(&plan);
    assert_eq!(workload.wishes.lost.reschedule, Some(true));
    let term = &template.affinity.node_required[0];
    assert_eq!((template.affinity.node_required.len(), term.labels.all.len()), (1, 2));
    let names = |v: &[_]| v.iter().map(|&v| catalog.text(v)).collect::<Vec<_>>();
    let Op::In(disks) = &term.labels.all[0].op else { panic!("{:?}", term.labels) };
    let Op::NotIn(nodes) = &term.labels.all[1].op else { panic!("{:?}", term.labels) };
    assert_eq!((names(disks), names(nodes)), (vec!["ssd"], vec!["john"]));
    assert_eq!((template.affinity.anti_required.len(), template.affinity.node_preferred.len()), (1, 1));
    let map = lowered(&service("environment: { 'constraint:node': '=doe', 'reschedule:on-node-failure': }"));
    let (_, workload, template) = only(&map);
    assert_eq!((workload.wishes.lost.reschedule, template.affinity.node_required.len()), (Some(true), 1));
    for (lines, want) in [
        ("environment: ['constraint:node']", "E0204 4:18"),
        ("environment: ['constraint:node==/(/']", "E0204 4:18"),
        ("environment: ['reschedule:sometimes']", "E0205 4:18"),
        ("labels: { com.docker.swarm.constraints: 'node==doe' }", "E0204 4:13"),
    ] {
        assert_eq!(wrong(&service(lines)), [want], "{lines}");
    }
}

#[test]
fn version_2_reserves_what_it_limits() {
    let memory = |version: &str| {
        let plan = lowered(&format!("version: '{version}'\n{}", service("mem_limit: 256m")));
        only(&plan).2.requests.memory.0 >> 20
    };
    assert_eq!((memory("2.1"), memory("3.7")), (256, 0));
}

#[test]
fn constraints_that_no_node_meets_are_warned_of() {
    let plan = lowered(&service("deploy: { placement: { constraints: [node.labels.disk == hdd] } }"));
    assert!(plan.notes.iter().any(|note| note.code == "W0614"), "{:?}", plan.notes);
}

#[test]
fn one_check_decides_readiness_and_life() {
    let probes = |lines: &str| {
        let plan = lowered(&service(lines));
        let (_, _, template) = only(&plan);
        let line = |p: &shakedown_engine::model::Probe| {
            let role = match p.role {
                ProbeRole::Startup => "startup",
                ProbeRole::Liveness => "live",
                ProbeRole::Readiness => "ready",
            };
            format!("{role} {} {} {} x{}", p.initial_delay, p.period, p.timeout, p.failure_threshold)
        };
        template.containers[0].probes.iter().map(line).collect::<Vec<_>>()
    };
    let default = ["ready 30s 30s 30s x3", "live 30s 30s 30s x3"];
    assert_eq!(probes("healthcheck: { test: [CMD, curl, -f, localhost] }"), default);
    assert_eq!(probes("healthcheck: { test: /check.sh, retries: 0, interval: 0s }"), default, "0 is the default");
    assert_eq!(
        probes("healthcheck: { test: [CMD-SHELL, x], interval: 5s, timeout: 2s, retries: 4, start_period: 20s }"),
        ["ready 5s 5s 2s x4", "live 5s 5s 2s x4", "startup 5s 5s 2s x7"]
    );
    assert_eq!(
        probes("healthcheck: { test: x, interval: 10s, retries: 1, start_period: 4s, start_interval: 1s }")[2],
        "startup 1s 1s 30s x13"
    );
    for none in ["{ test: [NONE] }", "{ disable: true }", "{ test: x, disable: true }", "{ interval: 5s }"] {
        assert_eq!(probes(&format!("healthcheck: {none}")), [""; 0], "{none}");
    }
}

#[test]
fn ports_in_host_mode_claim_the_port_of_the_node() {
    let ports = |lines: &str| {
        let plan = lowered(&service(lines));
        let (catalog, _, template) = only(&plan);
        assert_eq!(catalog.services.len(), 1);
        let one = |p: &shakedown_engine::model::HostPort| format!("{}/{}", p.port, catalog.text(p.protocol));
        template.host_ports.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(ports("ports: [{ target: 80, published: 8080, mode: host }]"), ["8080/TCP"]);
    assert_eq!(ports("ports: [{ target: 53, published: '53', protocol: udp, mode: host }]"), ["53/UDP"]);
    assert_eq!(ports("ports: [{ target: 80, published: 8080, mode: ingress }]"), [""; 0]);
    assert_eq!(ports("ports: [{ target: 80, mode: host }]"), [""; 0]);
    assert_eq!(ports("ports: [80, '127.0.0.1:8080:80/tcp']"), [""; 0]);
    assert_eq!(ports("ports: [{ target: 80-82, published: 90-92, mode: host }]"), ["90/TCP", "91/TCP", "92/TCP"]);
}

#[test]
fn other_ports_claim_what_the_profile_has_them_claim() {
    let ports = |lines: &str| {
        let plan = lowered(&service(lines));
        let (catalog, _, template) = only(&plan);
        let one = |p: &shakedown_engine::model::HostPort| {
            format!("{}{}/{}", catalog.text(p.ip), p.port, catalog.text(p.protocol))
        };
        template.published.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(ports("ports: ['8080:80', 81, '90-91:80-81/udp']"), ["90/UDP", "91/UDP", "8080/TCP"]);
    assert_eq!(ports("ports: ['127.0.0.1:8080:80']"), ["127.0.0.18080/TCP"]);
    assert_eq!(ports("ports: [{ target: 80, published: 8080 }]"), ["8080/TCP"]);
    assert_eq!(ports("ports: ['90-95:80', '127.0.0.1::80']"), [""; 0], "Docker chooses");
}

#[test]
fn the_rest_of_a_service_is_taken_over() {
    let plan = lowered(&service(
        "stop_grace_period: 1m30s\npull_policy: always\ndeploy: { endpoint_mode: dnsrr }\nexpose: [80]",
    ));
    let (catalog, _, template) = only(&plan);
    assert_eq!(template.grace.map(|grace| grace.to_string()), Some("90s".to_owned()));
    assert_eq!(template.containers[0].pull, PullPolicy::Always);
    assert!(catalog.services.rows()[0].headless);
    let plan = lowered("services: { vote: { build: ./vote } }");
    let (catalog, _, template) = only(&plan);
    assert_eq!(catalog.text(catalog.images[template.containers[0].image].name), "vote:latest");
    assert_eq!(template.containers[0].pull, PullPolicy::IfNotPresent);
    assert!(plan.notes.iter().any(|note| note.code == "N0612"));
}

#[test]
fn defaults_of_variables_and_extensions_are_understood() {
    let plan = lowered(
        "\
x-base: &base
  image: shop:${TAG:-v2}
  restart: always
  x-own: $none
x-other: ${NOT_READ}
services:
  a:
    <<: *base
    deploy:
      replicas: ${N:-3}
    environment: [\"PASSWORD=${PASSWORD}\", \"A=$$A\"]
",
    );
    let (catalog, workload, template) = only(&plan);
    assert_eq!(catalog.text(catalog.images[template.containers[0].image].name), "shop:v2");
    assert_eq!(workload.replicas, 3);
    let unset: Vec<_> = plan.notes.iter().filter(|note| note.code == "N0613").map(|note| &note.text).collect();
    assert_eq!(unset.len(), 1, "said once");
    assert!(unset[0].starts_with("these variables have no value here: `PASSWORD` ("), "{}", unset[0]);
}

#[test]
fn what_is_ignored_is_said_once() {
    let text = "\
version: '3.8'
services:
  a: { image: a, depends_on: [c], environment: { A: b }, command: x, volumes: [v:/v] }
  b:
    image: b
    depends_on: { c: { condition: service_healthy } }
    environment: [A=b]
    networks: [n]
    privileged: true
  c: { image: c, configs: [k], secrets: [k] }
volumes: { v: }
networks: { n: }
configs: { k: { file: f } }
secrets: { k: { file: f } }
";
    let found = remarks(text);
    let of = |code: &str| found.iter().filter(|(c, _)| *c == code).map(|(_, text)| text.as_str()).collect::<Vec<_>>();
    assert_eq!(of("W0603"), ["`depends_on` is ignored (2 times): all services start at once"]);
    assert_eq!(
        of("N0611"),
        ["these keys are accepted and change nothing here: 1 `command`, 2 `configs`, 2 `environment`, 2 `networks`, \
          1 `privileged`, 2 `secrets`, 1 `version`, 2 `volumes`"]
    );
    assert_eq!(found.len(), 2);
    for (lines, want) in [
        (
            "deploy: { placement: { constraints: [node.id == x] } }",
            "`deploy.placement.constraints: node.id` is ignored",
        ),
        ("healthcheck: { interval: 5s }", "the image's own check"),
        ("profiles: [debug]", "`profiles` is ignored"),
        ("network_mode: host", "`network_mode` is ignored"),
    ] {
        let found = remarks(&service(lines));
        let times = found.iter().filter(|(code, text)| *code == "W0603" && text.contains(want)).count();
        assert_eq!(times, 1, "{lines}: {found:?}");
    }
}

#[test]
fn bad_values_have_code_line_and_column() {
    for (lines, want) in [
        ("imge: b", "E0201 4:5"),
        ("deploy: { replica: 3 }", "E0201 4:15"),
        ("healthcheck: { tst: x }", "E0201 4:20"),
        ("ports: [{ target: 80, publishd: 80 }]", "E0201 4:27"),
        ("deploy: { resources: { limits: { cpu: 1 } } }", "E0201 4:38"),
        ("depends_on: [b]", "E0303 4:18"),
        ("depends_on: { b: { condition: service_healthy } }", "E0303 4:19"),
        ("depends_on: { a: { condition: healthy } }", "E0205 4:35"),
        ("links: ['b:alias']", "E0303 4:13"),
        ("stop_grace_period: 30", "E0204 4:24"),
        ("healthcheck: { test: x, interval: soon }", "E0204 4:39"),
        ("healthcheck: { test: x, interval: 10us }", "E0204 4:39"),
        ("healthcheck: { test: [RUN, x] }", "E0204 4:27"),
        ("healthcheck: { test: x, retries: many }", "E0204 4:38"),
        ("mem_limit: 1x", "E0204 4:16"),
        ("cpus: 500m", "E0204 4:11"),
        ("deploy: { resources: { reservations: { memory: lots } } }", "E0204 4:52"),
        ("mem_limit: 1g\nmem_reservation: 2g", "E0204 5:22"),
        ("deploy: { replicas: -1 }", "E0204 4:25"),
        ("deploy: { replicas: 999999 }", "E0204 4:25"),
        ("scale: 2\ndeploy: { replicas: 3 }", "E0207 4:12"),
        ("deploy: { mode: everywhere }", "E0205 4:21"),
        ("deploy: { restart_policy: { condition: maybe } }", "E0205 4:44"),
        ("restart: sometimes", "E0205 4:14"),
        ("deploy: { update_config: { order: last } }", "E0205 4:39"),
        ("deploy: { placement: { constraints: [node.role = manager] } }", "E0204 4:42"),
        ("deploy: { placement: { constraints: [node.role == boss] } }", "E0205 4:42"),
        ("deploy: { placement: { constraints: [node.colour == red] } }", "E0204 4:42"),
        ("deploy: { placement: { preferences: [{ spread: zone }] } }", "E0204 4:52"),
        ("ports: ['80:']", "E0204 4:13"),
        ("ports: [{ published: 80 }]", "E0202 4:13"),
        ("ports: 80", "E0203 4:12"),
        ("expose: [0]", "E0204 4:14"),
        ("labels: [[x]]", "E0203 4:14"),
        ("pull_policy: often", "E0205 4:18"),
        ("extends: { service: b }", "E0509 4:5"),
        ("restart: ${HOW}", "E0508 4:14"),
        ("command: echo $(date)", "E0508 4:14"),
    ] {
        assert_eq!(wrong(&service(lines)), [want], "{lines}");
    }
}

#[test]
fn bad_files_have_code_line_and_column() {
    for (text, want) in [
        ("services:\n  a:\n", "E0203 2:4"),
        ("services:\n  a: { command: x }\n", "E0202 2:3"),
        ("services:\n  a: { image: '' }\n", "E0204 2:15"),
        ("services:\n  a b: { image: a }\n", "E0204 2:3"),
        ("services:\n  a: { image: \"a:${TAG}\" }\n", "E0508 2:15"),
        ("servces: {}\nservices:\n  a: { image: a }\n", "E0201 1:1"),
        ("version: '1'\nservices:\n  a: { image: a }\n", "E0206 1:10"),
        ("include: [other.yml]\nservices:\n  a: { image: a }\n", "E0509 1:1"),
        ("services:\n  a: { image: a }\n---\nservices:\n  b: { image: b }\n", "E0510 4:1"),
        ("services: {}\n", "E0510 1:11"),
        ("version: '2'\n", "E0510 1:1"),
    ] {
        assert_eq!(wrong(text), [want], "{text}");
    }
    let all = wrong("services:\n  a: { image: a, cpus: x, imge: y }\n  b: { depends_on: [c] }\n");
    assert_eq!(all, ["E0204 2:24", "E0201 2:27", "E0202 3:3", "E0303 3:21"], "all at once, in the order of the text");
}

#[test]
fn a_file_is_known_as_a_compose_file_by_its_name_too() {
    for name in ["docker-compose.yml", "x/compose.yaml", "docker-compose.prod.yml"] {
        let report = check_text(name, &Memory([(name, "servces: { a: { image: a } }".to_owned())].into()));
        let codes: Vec<&str> = report.problems.iter().map(|problem| problem.code).collect();
        assert_eq!((report.kind, codes), (FileKind::Compose, vec!["E0510"]), "{name}");
    }
}

#[test]
fn an_alias_repeats_its_problem_only_once() {
    let text = "x-b: &b { image: \"a:${TAG}\" }\nservices:\n  a: { <<: *b }\n  c: { <<: *b }\n";
    assert_eq!(wrong(text), ["E0508 1:18"]);
}

#[test]
fn a_scenario_says_where_its_compose_file_is_wrong() {
    let of = |compose: &str| {
        let wrong = scenario_of(compose).expect_err("this is bad input");
        let line = |p: &shakedown_scenarios::Problem| {
            format!("{} {}", p.code, p.place.as_ref().map(ToString::to_string).unwrap_or_default())
        };
        wrong.problems.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(of("services: { a: { image: a, cpus: x } }"), ["E0204 c.yml:1:34"]);
    assert_eq!(of("apiVersion: v1\nkind: Pod\n"), ["E0510 c.yml:1:1"]);
    assert_eq!(of("services: []"), ["E0510 c.yml:1:11"]);
    assert_eq!(of(""), ["E0105 c.yml:1:1"]);
    let mixed = "\
shakedown: 1
cluster: { nodes: [{ name: a, cpu: 1, memory: 1Gi }] }
workloads: [{ compose: nowhere.yml }, { manifest: c.yml }]
duration: 5m
";
    let files = Memory([("s.yaml", mixed.to_owned()), ("c.yml", service(""))].into());
    let wrong = load_from("s.yaml", &files).expect_err("this is bad input");
    let codes: Vec<&str> = wrong.problems.iter().map(|p| p.code).collect();
    assert_eq!(codes, ["E0101", "E0506"]);
}

const EVERYTHING: &str = "\
version: '3.8'
x-a: &a { restart: always }
services:
  web:
    <<: *a
    image: web:${TAG:-1}
    depends_on: { db: { condition: service_healthy } }
    ports: ['8080:80', { target: 81, published: 8081, mode: host }]
    deploy:
      replicas: 3
      resources: { limits: { cpus: '0.5', memory: 64M }, reservations: { memory: 32M } }
      placement: { constraints: [node.role == worker], preferences: [{ spread: node.labels.zone }], max_replicas_per_node: 1 }
      update_config: { parallelism: 2, order: start-first }
      restart_policy: { condition: any, delay: 5s }
  db:
    build: ./db
    labels: [a=b, c]
    healthcheck: { test: [CMD, x], interval: 5s, start_period: 1m, retries: 5 }
    stop_grace_period: 1m
    links: [web]
";

#[test]
fn everything_at_once_loads() {
    assert_eq!(lowered(EVERYTHING).catalog.workloads.len(), 2);
}

proptest! {
    #[test]
    fn no_broken_file_makes_it_panic(at in 0..EVERYTHING.len(), cut in 0usize..6, put in "[-0-9a-z$:{}\\[\\], \n'~]{0,4}") {
        let end = (at + cut).min(EVERYTHING.len());
        let broken = format!("{}{put}{}", &EVERYTHING[..at], &EVERYTHING[end..]);
        let report = look(&broken);
        prop_assert_eq!(report.honoured.is_empty(), !report.passed(), "{}", broken);
    }
}

#[test]
fn unknown_keys_are_answered_with_the_nearest_one() {
    let report = look(&service("imge: b"));
    assert_eq!(report.problems[0].help.as_deref(), Some("did you mean `image`?"));
}
