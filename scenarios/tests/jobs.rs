//! Job files of Nomad, Marathon and ECS: what they become, what is said of them, and where each problem is.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use shakedown_engine::labels::{Op, Requirement};
use shakedown_engine::model::{
    Amount, Catalog, Details, Grouping, Growth, NodeTerm, PlacementStrategy, PodTemplate, ProbeRole, PullPolicy,
    RestartPolicy, Strategy, Survivor, WorkloadKind, WorkloadSpec,
};
use shakedown_engine::time::Span;
use shakedown_scenarios::{Diagnostics, FileKind, Files, Plan, ReadError, check_text, explain, load_from};

/// Files in memory.
struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

const NOMAD: &str = include_str!("jobs/web.nomad.json");
const MARATHON: &str = include_str!("jobs/group.marathon.json");
const ECS: &str = include_str!("jobs/service.ecs.json");

fn load(field: &str, file: &str) -> Result<Plan, Diagnostics> {
    let scenario = format!(
        "\
shakedown: 1
cluster:
  nodes:
    - {{ name: john, cpu: 8, memory: 32Gi, zone: b, labels: {{ docker: 24.0.7, disk: ssd, node.class: large, rack: r1 }} }}
    - {{ name: doe, cpu: 8, memory: 32Gi, zone: c1, labels: {{ docker: 19.03.1, disk: hdd, rack: r2 }} }}
    - {{ name: jane, cpu: 8, memory: 32Gi, zone: d, labels: {{ docker: 20.10.0, disk: ssd, rack: r2 }} }}
workloads: [{{ {field}: job.json }}]
duration: 5m
"
    );
    load_from("s.yaml", &Memory([("s.yaml", scenario), ("job.json", file.to_owned())].into()))
}

fn lowered(field: &str, file: &str) -> Plan {
    load(field, file).unwrap_or_else(|wrong| panic!("{file}\n{wrong}"))
}

fn workload<'p>(plan: &'p Plan, name: &str) -> (&'p Catalog, &'p WorkloadSpec, &'p PodTemplate) {
    let all = plan.catalog.workloads.rows();
    let found = all.iter().find(|w| plan.catalog.text(w.name) == name);
    let found = found.unwrap_or_else(|| {
        panic!("no {name}: {:?}", all.iter().map(|w| plan.catalog.text(w.name)).collect::<Vec<_>>())
    });
    (&plan.catalog, found, &plan.catalog.templates[found.template])
}

fn say(catalog: &Catalog, one: &Requirement) -> String {
    let values = |v: &[_]| v.iter().map(|&v| catalog.text(v)).collect::<Vec<_>>().join(",");
    let key = catalog.text(one.key);
    match &one.op {
        Op::In(list) => format!("{key} in {}", values(list)),
        Op::NotIn(list) => format!("{key} not in {}", values(list)),
        op => format!("{key} {op:?}"),
    }
}

fn terms(catalog: &Catalog, terms: &[NodeTerm]) -> Vec<Vec<String>> {
    terms.iter().map(|term| term.labels.all.iter().map(|one| say(catalog, one)).collect()).collect()
}

fn seconds(span: Option<Span>) -> Option<u64> {
    span.map(|span| span.as_nanos() / 1_000_000_000)
}

fn codes(field: &str, file: &str) -> Vec<String> {
    let wrong = load(field, file).err().unwrap_or_else(|| panic!("this is bad input: {file}"));
    let line = |p: &shakedown_scenarios::Problem| {
        assert!(explain(p.code).is_some(), "{} has no page", p.code);
        let place = p.place.as_ref().expect("it has a place");
        format!("{} {}:{}", p.code, place.line(), place.column())
    };
    wrong.problems.iter().map(line).collect()
}

#[test]
fn a_nomad_job_becomes_a_workload_a_group() {
    let plan = lowered("nomad", NOMAD);
    let (catalog, web, template) = workload(&plan, "shop.web");
    assert_eq!((web.kind, web.replicas, template.priority), (WorkloadKind::Deployment, 6, 70));
    assert_eq!((template.requests.cpu.0, template.requests.memory.0 >> 20), (900, 256), "the larger of both phases");
    assert_eq!((template.init.len(), template.containers.len()), (1, 1));
    let server = &template.containers[0];
    assert_eq!(server.memory_limit.map(|limit| limit.0 >> 20), Some(512));
    assert_eq!(catalog.text(catalog.images[server.image].name), "example/shop:3");
    assert_eq!(seconds(template.grace), Some(20));
    assert_eq!(template.host_ports.iter().map(|port| port.port).collect::<Vec<_>>(), [9901]);
    assert_eq!(
        terms(catalog, &template.affinity.node_required),
        [["topology.kubernetes.io/zone in b,c1", "kubernetes.io/os in linux", "docker in 20.10.0,24.0.7"]]
    );
    let preferred: Vec<_> = template
        .affinity
        .node_preferred
        .iter()
        .map(|one| (one.weight, terms(catalog, std::slice::from_ref(&one.item))[0][0].clone()))
        .collect();
    assert_eq!(preferred, [(75, "node.class in large".to_owned()), (30, "disk not in hdd".to_owned())]);
    let spread = &template.wishes.spreads[0];
    let targets: Vec<_> = spread.targets.iter().map(|(value, percent)| (catalog.text(*value), *percent)).collect();
    assert_eq!((catalog.text(spread.attribute), spread.weight), ("topology.kubernetes.io/zone", 80));
    assert_eq!(targets, [("b", 70), ("c1", 30)]);
    assert_eq!(template.wishes.distinct[0].at_most, 1);
    let probe = |role| server.probe(role).expect("it was declared");
    assert_eq!(probe(ProbeRole::Readiness).period, Span::from_secs(10));
    let live = probe(ProbeRole::Liveness);
    assert_eq!((live.failure_threshold, live.initial_delay), (3, Span::from_secs(60)));
    let names: Vec<&str> = catalog.services.rows().iter().map(|s| catalog.text(s.name)).collect();
    assert_eq!(names, ["shop-web"]);
    let (_, worker, template) = workload(&plan, "shop.worker");
    assert_eq!((worker.replicas, template.requests.cpu.0, template.requests.memory.0 >> 20), (1, 100, 300));
}

#[test]
fn policies_of_a_nomad_group_become_wishes() {
    let plan = lowered("nomad", NOMAD);
    let (_, web, _) = workload(&plan, "shop.web");
    let update = &web.wishes.update;
    assert_eq!((update.parallelism, update.canary, update.auto_promote), (Some(2), Some(1), Some(true)));
    assert_eq!((seconds(update.min_healthy), seconds(update.progress_deadline)), (Some(10), Some(600)));
    assert_eq!((update.auto_revert, seconds(update.delay)), (Some(true), Some(30)));
    assert_eq!(
        web.strategy,
        Strategy::RollingUpdate { max_surge: Amount::Count(0), max_unavailable: Amount::Count(2) }
    );
    let restart = &web.wishes.restart;
    assert_eq!((restart.attempts, seconds(restart.window), seconds(restart.delay)), (Some(3), Some(1800), Some(15)));
    assert!(restart.keep_trying);
    let again = &web.wishes.reschedule;
    assert_eq!(
        (again.growth, again.unlimited, seconds(again.max_delay)),
        (Some(Growth::Fibonacci), Some(true), Some(3600))
    );
    let lost = &web.wishes.lost;
    assert_eq!((seconds(lost.lost_after), lost.replace), (Some(21_600), Some(false)));
    assert_eq!(lost.reconcile, Some(Survivor::LongestRunning));
    assert_eq!(web.wishes.migrate.parallelism, Some(1));
    let (_, worker, _) = workload(&plan, "shop.worker");
    assert_eq!((worker.wishes.update.parallelism, worker.wishes.update.canary), (Some(2), None), "of the job");
}

#[test]
fn types_of_nomad_jobs_become_kinds() {
    let kind = |head: &str| {
        let job = format!(
            "{{ \"ID\": \"j\", {head}, \"TaskGroups\": [{{ \"Name\": \"g\", \"Count\": 2, \"Tasks\": [{{ \"Name\": \"t\" }}] }}] }}"
        );
        let plan = lowered("nomad", &job);
        let (_, job, template) = workload(&plan, "j");
        (job.kind, job.replicas, template.restart, job.details.clone())
    };
    assert_eq!(kind("\"Type\": \"service\"").0, WorkloadKind::Deployment);
    let (batch, replicas, restart, _) = kind("\"Type\": \"batch\"");
    assert_eq!((batch, replicas, restart), (WorkloadKind::Job, 2, RestartPolicy::OnFailure));
    assert_eq!(kind("\"Type\": \"system\"").0, WorkloadKind::DaemonSet);
    let (each, replicas, ..) = kind("\"Type\": \"sysbatch\"");
    assert_eq!((each, replicas), (WorkloadKind::Job, 3), "one on each of three nodes");
    let (cron, .., details) = kind(
        "\"Type\": \"batch\", \"Periodic\": { \"Spec\": \"*/30 * * * *\", \"SpecType\": \"cron\", \"ProhibitOverlap\": true }",
    );
    let Details::Cron(spec) = details else { panic!("{details:?}") };
    assert_eq!((cron, spec.minutes, spec.job.parallelism), (WorkloadKind::CronJob, 1 | 1 << 30, 2));
}

#[test]
fn marathon_groups_hold_apps_and_pods() {
    let plan = lowered("marathon", MARATHON);
    let (catalog, web, template) = workload(&plan, "shop_web");
    assert_eq!((web.replicas, template.requests.cpu.0, template.requests.memory.0 >> 20), (4, 500, 256));
    assert_eq!(template.containers[0].pull, PullPolicy::Always);
    let ports: Vec<_> = template.host_ports.iter().map(|p| (p.port, catalog.text(p.protocol))).collect();
    assert_eq!(ports.len(), 2, "{ports:?}");
    assert_eq!(terms(catalog, &template.affinity.node_required), [["disk in ssd"]]);
    let wishes = &template.wishes;
    let distinct: Vec<_> = wishes.distinct.iter().map(|d| (catalog.text(d.attribute), d.at_most)).collect();
    assert_eq!(distinct, [("kubernetes.io/hostname", 1), ("rack", 2)]);
    let even = matches!(wishes.groups[0], Grouping::Evenly { values: Some(2), attribute } if catalog.text(attribute) == "rack");
    let together = matches!(wishes.groups[1], Grouping::Together { attribute } if catalog.text(attribute) == "tier");
    assert!(even && together, "{:?}", wishes.groups);
    let again = &web.wishes.reschedule;
    assert_eq!(
        (seconds(again.delay), again.growth, seconds(again.max_delay)),
        (Some(2), Some(Growth::Factor(1150)), Some(300))
    );
    assert_eq!((web.wishes.update.min_health, web.wishes.update.max_over), (Some(500), Some(250)));
    assert_eq!(
        web.strategy,
        Strategy::RollingUpdate { max_surge: Amount::Percent(25), max_unavailable: Amount::Percent(50) }
    );
    let lost = &web.wishes.lost;
    assert_eq!((seconds(lost.inactive_after), seconds(lost.expunge_after)), (Some(60), Some(120)));
    assert_eq!(seconds(template.grace), Some(12));
    let startup = template.containers[0].probe(ProbeRole::Startup).expect("the grace is one");
    assert_eq!(startup.failure_threshold, 3 + 4);
    let (_, db, template) = workload(&plan, "shop_db");
    assert_eq!((db.wishes.lost.reschedule, template.host_ports[0].port), (Some(false), 5432));
    assert_eq!((template.requests.cpu.0, template.requests.memory.0 >> 20), (1000, 128), "what nothing is written for");
    let (catalog, pair, template) = workload(&plan, "shop_pair");
    assert_eq!((pair.replicas, template.containers.len(), template.requests.cpu.0), (3, 2, 300));
    assert_eq!(terms(catalog, &template.affinity.node_required), [["topology.kubernetes.io/zone in b"]]);
}

#[test]
fn ecs_services_run_tasks_of_their_definition() {
    let plan = lowered("ecs", ECS);
    let (catalog, shop, template) = workload(&plan, "shop");
    assert_eq!((shop.kind, shop.replicas), (WorkloadKind::Deployment, 5));
    assert_eq!((template.requests.cpu.0, template.requests.memory.0 >> 20), (750, 384));
    assert_eq!(template.containers[0].memory_limit.map(|limit| limit.0 >> 20), Some(512));
    assert_eq!(template.host_ports.iter().map(|port| port.port).collect::<Vec<_>>(), [8081], "0 is any port");
    assert_eq!(seconds(template.grace), Some(45));
    assert_eq!(
        terms(catalog, &template.affinity.node_required),
        [["kubernetes.io/os in linux", "disk not in hdd", "topology.kubernetes.io/zone not in c1,c2"]]
    );
    let strategies = &template.wishes.strategies;
    let zone =
        matches!(strategies[0], PlacementStrategy::Spread(at) if catalog.text(at) == "topology.kubernetes.io/zone");
    assert!(zone && strategies[1] == PlacementStrategy::BinpackMemory, "{strategies:?}");
    let update = &shop.wishes.update;
    assert_eq!((update.min_health, update.max_over), (Some(500), Some(500)));
    assert_eq!((update.circuit_breaker, update.auto_revert), (Some(true), Some(true)));
    let balancer = shop.wishes.balanced.as_ref().expect("there is a load balancer");
    assert_eq!(seconds(balancer.startup_grace), Some(90));
    let daemon = ECS.replace("REPLICA", "DAEMON");
    assert_eq!(workload(&lowered("ecs", &daemon), "shop").1.kind, WorkloadKind::DaemonSet);
}

#[test]
fn files_are_known_by_what_is_in_them() {
    for (name, text, kind) in
        [("a.json", NOMAD, FileKind::Nomad), ("b.json", MARATHON, FileKind::Marathon), ("c.json", ECS, FileKind::Ecs)]
    {
        let report = check_text(name, &Memory([(name, text.to_owned())].into()));
        assert_eq!(report.kind, kind, "{name}");
        assert!(report.passed() && !report.honoured.is_empty(), "{name}: {:?}", report.problems);
        assert!(report.ignored.iter().all(|note| explain(note.code).is_some()), "{name}");
        assert!(report.ignored.iter().any(|note| note.code == "W0619"), "{name}: not all profiles honour all of it");
        let deaf = |path: &str| report.ignored.iter().filter(|note| note.text.starts_with(path)).count();
        assert!(name != "b.json" || deaf("`constraints: MAX_PER`") == 1, "{:?}", report.ignored);
    }
}

#[test]
fn a_file_of_another_system_is_named() {
    for (field, file, other) in [
        ("nomad", MARATHON, "a Marathon app"),
        ("nomad", ECS, "an ECS definition"),
        ("marathon", NOMAD, "a Nomad job"),
        ("ecs", "services: { a: { image: a } }", "a Compose file"),
        ("marathon", "{ \"apiVersion\": \"v1\", \"kind\": \"Pod\" }", "a Kubernetes manifest"),
        ("ecs", "{ \"hello\": 1 }", "something else"),
    ] {
        let wrong = load(field, file).expect_err("this is bad input");
        assert_eq!(wrong.problems[0].code, "E0513", "{field}: {wrong}");
        assert!(wrong.problems[0].message.contains(other), "{field}: {wrong}");
    }
}

#[test]
fn bad_values_have_code_line_and_column() {
    let nomad = |group: &str| {
        format!(
            "{{ \"ID\": \"j\", \"TaskGroups\": [{{ \"Name\": \"g\",\n{group} \"Tasks\": [{{ \"Name\": \"t\" }}] }}] }}"
        )
    };
    for (field, file, want) in [
        ("nomad", nomad("\"Count\": -1,"), "E0204 2:10"),
        ("nomad", nomad("\"Count\": 999999,"), "E0204 1:29"),
        ("nomad", nomad("\"RestartPolicy\": { \"Mode\": \"sometimes\" },"), "E0205 2:28"),
        ("nomad", nomad("\"RestartPolicy\": { \"Delay\": \"soon\" },"), "E0204 2:29"),
        ("nomad", nomad("\"Constraints\": [{ \"LTarget\": \"${meta.a}\", \"Operand\": \"regex\", \"RTarget\": \"(\" }],"), "E0205 2:54"),
        ("nomad", nomad("\"Constraints\": [{ \"LTarget\": \"${meta.a}\", \"Operand\": \"regexp\", \"RTarget\": \"(\" }],"), "E0204 2:75"),
        ("nomad", nomad("\"Constraints\": [{ \"LTarget\": \"a\", \"RTarget\": \"b\" }],"), "E0204 2:30"),
        ("nomad", nomad("\"Tasks\": [], "), "E0110 2:15"),
        ("nomad", "{ \"Job\": { \"TaskGroups\": [] } }".to_owned(), "E0202 1:10"),
        ("marathon", "{ \"id\": \"a\", \"cpus\": \"lots\" }".to_owned(), "E0204 1:22"),
        ("marathon", "{ \"id\": \"a\", \"cpus\": 1, \"constraints\": [[\"a\", \"LIKES\", \"b\"]] }".to_owned(), "E0205 1:41"),
        ("marathon", "{ \"id\": \"a b\", \"cpus\": 1 }".to_owned(), "E0204 1:9"),
        ("marathon", "{ \"id\": \"a\", \"upgradeStrategy\": { \"minimumHealthCapacity\": 2 } }".to_owned(), "E0204 1:60"),
        ("ecs", "{ \"taskDefinition\": { \"family\": \"a\" }, \"service\": { \"serviceName\": \"s\", \"taskDefinition\": \"b\" } }".to_owned(), "E0303 1:91"),
        ("ecs", "{ \"taskDefinition\": { \"family\": \"a\" } }".to_owned(), "E0202 1:1"),
    ] {
        assert_eq!(codes(field, &file), [want], "{file}");
    }
}

#[test]
fn expressions_of_ecs_are_read_to_their_end() {
    let with = |expression: &str| {
        ECS.replace("not (attribute:disk == hdd or attribute:ecs.availability-zone in [c1, c2])", expression)
            .replace("attribute:ecs.os-type == linux", "attribute:rack exists")
    };
    let of = |expression: &str| {
        let plan = lowered("ecs", &with(expression));
        let (catalog, _, template) = workload(&plan, "shop");
        terms(catalog, &template.affinity.node_required)
            .into_iter()
            .map(|term| term[1..].join(" & "))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("attribute:rack =~ r.*"), ["rack in r1,r2"]);
    assert_eq!(of("attribute:rack !~ r1"), ["rack not in r1"]);
    assert_eq!(of("attribute:gpu !exists"), ["gpu NotExists"]);
    assert_eq!(
        of("attribute:a == 1 and (attribute:b == 2 || attribute:c not_in [3])"),
        ["a in 1 & b in 2", "a in 1 & c not in 3"]
    );
    for bad in [
        "attribute:a ==",
        "attribute:a ~ b",
        "(attribute:a == b",
        "runningTasksCount == 0",
        "attribute:a == b c",
        "in [a",
    ] {
        let wrong = load("ecs", &with(bad)).expect_err(bad);
        assert_eq!(wrong.problems[0].code, "E0204", "{bad}: {wrong}");
    }
}

#[test]
fn unknown_fields_are_warned_of_with_the_nearest_one() {
    let plan = lowered("marathon", "{ \"id\": \"a\", \"cpus\": 1, \"instnces\": 3 }");
    let note = plan.notes.iter().find(|note| note.code == "W0620").expect("it is named");
    assert!(note.text.contains("did you mean `instances`?"), "{note}");
    assert_eq!(note.place.as_deref(), Some("job.json:1:25"));
}

proptest! {
    #[test]
    fn no_broken_file_makes_it_panic(
        which in 0..3usize, at in 0..5000usize, cut in 0usize..8, put in "[-0-9a-z$:{}\\[\\], \n\"~()=]{0,5}"
    ) {
        let (field, text) = [("nomad", NOMAD), ("marathon", MARATHON), ("ecs", ECS)][which];
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        let broken = format!("{}{put}{}", &text[..at], &text[end..]);
        let report = check_text("j.json", &Memory([("j.json", broken.clone())].into()));
        prop_assert!(report.passed() || report.honoured.is_empty());
        let _ = load(field, &broken);
    }
}
