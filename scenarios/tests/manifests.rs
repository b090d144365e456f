//! Kubernetes objects mean here what they mean to Kubernetes.
//!
//! Each test is a manifest and what of it reaches the catalog. What is refused is in `bad_input.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use shakedown_engine::ids::Id;
use shakedown_engine::model::{
    Amount, PodTemplate, PullPolicy, Strategy, TaintEffect, WhenUnsatisfiable, WorkloadKind,
};
use shakedown_engine::time::Span;
use shakedown_scenarios::{Files, Plan, ReadError, load_from};

struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

fn plan(manifest: &str) -> Plan {
    let scenario = "shakedown: 1\ncluster: { nodes: [{ name: doe, cpu: 8, memory: 32Gi }] }\nworkloads: [{ manifest: m.yaml }]\nduration: 5m\n";
    let files = Memory([("s.yaml", scenario.to_owned()), ("m.yaml", manifest.to_owned())].into());
    load_from("s.yaml", &files).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn deployment(strategy: &str, pod: &str) -> Plan {
    plan(&format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n{strategy}  selector: {{ matchLabels: {{ app: web }} }}\n  template:\n    metadata: {{ labels: {{ app: web }} }}\n    spec:\n{pod}"
    ))
}

fn template(pod: &str) -> PodTemplate {
    let plan = deployment("", pod);
    plan.catalog.templates.rows()[0].clone()
}

const MAIN: &str =
    "      containers: [{ name: a, image: 'a:1', resources: { requests: { cpu: 100m, memory: 64Mi } } }]\n";

#[test]
fn a_limit_without_a_request_is_the_request() {
    let pod = template("      containers: [{ name: a, image: a, resources: { limits: { cpu: 2, memory: 1Gi } } }]\n");
    assert_eq!((pod.requests.cpu.0, pod.requests.memory.0), (2000, 1 << 30));
    assert_eq!(pod.containers[0].cpu_limit.map(|cpu| cpu.0), Some(2000));
}

#[test]
fn scoring_assumes_requests_where_there_are_none() {
    let pod = template("      containers: [{ name: a, image: 'a:1' }, { name: b, image: 'b:1' }]\n");
    assert_eq!((pod.requests.cpu.0, pod.requests.memory.0), (0, 0));
    assert_eq!((pod.score_cpu.0, pod.score_memory.0), (200, 400 << 20));
}

#[test]
fn images_without_a_tag_are_always_pulled() {
    let pod = template("      containers: [{ name: a, image: a }, { name: b, image: 'b:1' }]\n");
    assert_eq!((pod.containers[0].pull, pod.containers[1].pull), (PullPolicy::Always, PullPolicy::IfNotPresent));
}

#[test]
fn init_containers_count_with_the_sidecars_that_were_started_before_them() {
    let init = |name: &str, cpu: &str, more: &str| {
        format!("{{ name: {name}, image: x, resources: {{ requests: {{ cpu: {cpu} }} }}{more} }}")
    };
    let side = init("side", "300m", ", restartPolicy: Always");
    let big = init("big", "900m", "");
    // 300 + 100 side by side, 300 + 900 at the peak of the init phase.
    let pod = template(&format!("      initContainers: [{side}, {big}]\n{MAIN}"));
    assert_eq!(pod.requests.cpu.0, 1200);
    // The sidecar comes later: the peak is 900 alone.
    let pod = template(&format!("      initContainers: [{big}, {side}]\n{MAIN}"));
    assert_eq!(pod.requests.cpu.0, 900);
    assert_eq!((pod.containers.len(), pod.init.len()), (2, 1));
    // Overhead comes on top of either.
    let pod = template(&format!("      overhead: {{ cpu: 50m }}\n      initContainers: [{big}]\n{MAIN}"));
    assert_eq!((pod.requests.cpu.0, pod.score_cpu.0), (950, 950));
}

#[test]
fn probes_have_the_defaults_of_the_api() {
    let pod = template(
        "      containers: [{ name: a, image: a, readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: 0 } }]\n",
    );
    let probe = &pod.containers[0].probes[0];
    assert_eq!(
        (probe.initial_delay, probe.period, probe.timeout),
        (Span::ZERO, Span::from_secs(10), Span::from_secs(1))
    );
    assert_eq!((probe.success_threshold, probe.failure_threshold), (1, 3));
}

#[test]
fn host_ports_are_those_of_containers_and_sidecars() {
    let side = "{ name: s, image: s, restartPolicy: Always, ports: [{ containerPort: 9, hostPort: 9 }] }";
    let init = "{ name: i, image: i, ports: [{ containerPort: 7, hostPort: 7 }] }";
    let main = "      containers: [{ name: a, image: a, ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 8081, protocol: UDP }] }]\n";
    let ports = |pod: &str| template(pod).host_ports.iter().map(|port| port.port).collect::<Vec<_>>();
    assert_eq!(ports(&format!("      initContainers: [{side}, {init}]\n{main}")), [9, 8081]);
    assert_eq!(ports(&format!("      hostNetwork: true\n{main}")), [80, 8081]);
}

#[test]
fn tolerations_without_an_operator_compare_values() {
    let pod = template(&format!(
        "      tolerations: [{{ key: a }}, {{ operator: Exists, effect: NoExecute, tolerationSeconds: -5 }}]\n{MAIN}"
    ));
    let [equal, all] = &pod.tolerations[..] else { panic!("two were declared") };
    assert!(equal.key.is_some() && equal.value.is_some() && equal.effect.is_none());
    assert!(all.key.is_none() && all.value.is_none());
    assert_eq!((all.effect, all.seconds), (Some(TaintEffect::NoExecute), Some(Span::ZERO)));
}

#[test]
fn spread_constraints_have_the_defaults_of_the_api() {
    let plan = deployment(
        "",
        &format!(
            "      topologySpreadConstraints: [{{ maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway, labelSelector: {{ matchLabels: {{ app: web }} }}, matchLabelKeys: [pod-template-hash] }}]\n{MAIN}"
        ),
    );
    let spread = &plan.catalog.templates.rows()[0].spread[0];
    assert_eq!((spread.max_skew, spread.when), (1, WhenUnsatisfiable::ScheduleAnyway));
    assert!(spread.honor_affinity && !spread.honor_taints && spread.min_domains.is_none());
    assert!(plan.notes.iter().all(|note| note.code != "W0603"), "every field of a constraint has its effect");
}

#[test]
fn absent_selectors_match_nothing_and_empty_ones_everything() {
    let pod = |selector: &str| {
        let plan = deployment(
            "",
            &format!(
                "      affinity: {{ podAntiAffinity: {{ requiredDuringSchedulingIgnoredDuringExecution: [{{ topologyKey: z{selector} }}] }} }}\n{MAIN}"
            ),
        );
        let template = &plan.catalog.templates.rows()[0];
        template.affinity.anti_required[0].selector.matches(&template.labels, &plan.catalog.names)
    };
    assert!(!pod(""));
    assert!(pod(", labelSelector: {}"));
    assert!(pod(", labelSelector: { matchExpressions: [{ key: app, operator: In, values: [web, x] }] }"));
    assert!(!pod(", labelSelector: { matchExpressions: [{ key: app, operator: DoesNotExist }] }"));
}

#[test]
fn rolling_updates_take_numbers_and_percentages() {
    let strategy = |text: &str| deployment(text, MAIN).catalog.workloads.rows()[0].strategy;
    assert_eq!(strategy(""), Strategy::Default);
    assert_eq!(strategy("  strategy: { type: Recreate }\n"), Strategy::Recreate);
    let want = |max_surge, max_unavailable| Strategy::RollingUpdate { max_surge, max_unavailable };
    assert_eq!(
        strategy("  strategy: { rollingUpdate: { maxSurge: 50% } }\n"),
        want(Amount::Percent(50), Amount::Percent(25))
    );
    assert_eq!(
        strategy("  strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }\n"),
        want(Amount::Count(1), Amount::Count(0))
    );
}

#[test]
fn priorities_come_from_classes_also_from_the_default_one() {
    let class = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: { name: base }\nvalue: 7\nglobalDefault: true\n---\n";
    let pod = |name: &str, class: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name} }}\nspec:\n{class}{MAIN}---\n")
    };
    let all = [class, &pod("a", ""), &pod("b", "      priorityClassName: system-node-critical\n")].concat();
    let plan = plan(&all.replace("      ", "  "));
    let priorities: Vec<i32> = plan.catalog.templates.rows().iter().map(|template| template.priority).collect();
    assert_eq!(priorities, [7, 2_000_001_000]);
}

#[test]
fn a_replication_controller_without_selector_has_that_of_its_template() {
    let plan = plan(
        "apiVersion: v1\nkind: ReplicationController\nmetadata: { name: old }\nspec:\n  replicas: 4\n  selector: {}\n  template:\n    metadata: { labels: { app: old } }\n    spec: { containers: [{ name: a, image: a }] }\n",
    );
    let (id, workload) = plan.catalog.workloads.iter().next().expect("one was declared");
    assert_eq!((id.index(), workload.replicas, workload.kind), (0, 4, WorkloadKind::ReplicaSet));
}

#[test]
fn negative_grace_is_a_second_as_the_api_server_makes_it() {
    let pod = template(&format!("      terminationGracePeriodSeconds: -1\n{MAIN}"));
    assert_eq!(pod.grace, Some(Span::from_secs(1)));
}

#[test]
fn a_pod_can_be_bound_to_a_node_by_name() {
    let plan = deployment("", &format!("      nodeName: doe\n{MAIN}"));
    let name = plan.catalog.templates.rows()[0].node_name.expect("it was declared");
    assert_eq!(plan.catalog.text(name), "doe");
}
