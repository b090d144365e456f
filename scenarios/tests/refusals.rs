//! What a real API server refuses is refused here, in its words and with the place; what a real controller would report
//! is a warning beforehand, and no panic in any case.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use shakedown_scenarios::{Files, ReadError, check_text, load_from};

struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

fn files(extra: &str, manifest: &str) -> Memory {
    let scenario = format!(
        "shakedown: 1\ncluster: {{ nodes: [{{ name: doe, cpu: 8, memory: 32Gi }}] }}\nworkloads: [{{ manifest: m.yaml }}]\nduration: 5m\n{extra}"
    );
    Memory([("s.yaml", scenario), ("m.yaml", manifest.to_owned())].into())
}

/// Place, code and message of each problem of a manifest.
fn refused(manifest: &str) -> Vec<String> {
    let wrong = load_from("s.yaml", &files("", manifest)).expect_err("a real API server refuses this");
    let show = |p: &shakedown_scenarios::Problem| {
        let place = p.place.as_ref().map_or_else(String::new, ToString::to_string);
        format!("{place} {} {}", p.code, p.message)
    };
    wrong.problems.iter().map(show).collect()
}

fn warned(manifest: &str) -> Vec<String> {
    let plan = load_from("s.yaml", &files("", manifest)).unwrap_or_else(|wrong| panic!("{wrong}"));
    let warnings = plan.notes.iter().filter(|note| note.code.starts_with('W') && note.code != "W0610");
    warnings.map(|note| note.text.clone()).collect()
}

fn deployment(spec: &str, container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n{spec}  selector: {{ matchLabels: {{ app: web }} }}\n  template:\n    metadata: {{ labels: {{ app: web }} }}\n    spec:\n      containers:\n        - name: web\n          image: web:v1\n{container}"
    )
}

#[test]
fn a_selector_that_does_not_match_its_own_pods() {
    let text = deployment("", "").replace("matchLabels: { app: web }", "matchLabels: { app: wob }");
    assert_eq!(
        refused(&text),
        [
            "m.yaml:5:13 E0504 spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`"
        ]
    );
    let text = deployment("", "").replace("matchLabels: { app: web }", "");
    assert_eq!(
        refused(&text),
        ["m.yaml:5:13 E0504 spec.selector: Invalid value: {}: empty selector is invalid for deployment"]
    );
}

#[test]
fn probes_that_conflict() {
    let probe = |text: &str| refused(&deployment("", &format!("          livenessProbe: {text}\n")));
    assert_eq!(
        probe("{ httpGet: { port: 80 }, tcpSocket: { port: 80 } }"),
        [
            "m.yaml:12:62 E0505 spec.template.spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"
        ]
    );
    assert_eq!(
        probe("{ periodSeconds: 5 }"),
        [
            "m.yaml:12:26 E0505 spec.template.spec.containers[0].livenessProbe: Required value: must specify a handler type"
        ]
    );
    assert_eq!(
        probe("{ httpGet: { port: 80 }, successThreshold: 2 }"),
        [
            "m.yaml:12:69 E0505 spec.template.spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"
        ]
    );
    assert_eq!(
        probe("{ httpGet: { port: 80 }, timeoutSeconds: -1 }"),
        [
            "m.yaml:12:67 E0505 spec.template.spec.containers[0].livenessProbe.timeoutSeconds: Invalid value: -1: must be greater than or equal to 0"
        ]
    );
}

#[test]
fn negative_replicas() {
    assert_eq!(
        refused(&deployment("  replicas: -1\n", "")),
        ["m.yaml:5:13 E0505 spec.replicas: Invalid value: -1: must be greater than or equal to 0"]
    );
}

#[test]
fn rollouts_that_could_never_take_a_step() {
    let text = deployment("  strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } }\n", "");
    assert_eq!(
        refused(&text),
        [
            "m.yaml:5:61 E0505 spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"
        ]
    );
    let text = deployment("  strategy: { type: Recreate, rollingUpdate: { maxSurge: 1 } }\n", "");
    assert_eq!(
        refused(&text),
        [
            "m.yaml:5:46 E0505 spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"
        ]
    );
}

#[test]
fn a_budget_with_both_bounds() {
    let text = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: b }\nspec: { minAvailable: 1, maxUnavailable: 1, selector: {} }\n---\n";
    assert_eq!(
        refused(&format!("{text}{}", deployment("", ""))),
        ["m.yaml:4:7 E0505 spec: Invalid value: minAvailable and maxUnavailable cannot be both set"]
    );
}

#[test]
fn claims_that_ask_for_nothing() {
    let claim = |spec: &str| {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{ name: c }}\nspec: {spec}\n---\n{}",
            deployment("", "")
        )
    };
    assert_eq!(
        refused(&claim("{ resources: { requests: { storage: 1Gi } } }")),
        ["m.yaml:4:7 E0505 spec.accessModes: Required value: at least 1 access mode is required"]
    );
    assert_eq!(
        refused(&claim("{ accessModes: [ReadWriteOnce] }")),
        ["m.yaml:4:7 E0505 spec.resources.requests[storage]: Required value"]
    );
    // Without a class it is taken, and waits.
    assert!(warned(&claim("{ accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }")).is_empty());
}

#[test]
fn jobs_that_would_run_for_ever() {
    let job = |spec: &str, policy: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{ name: j }}\nspec: {{ {spec}template: {{ spec: {{ {policy}containers: [{{ name: a, image: a }}] }} }} }}\n"
        )
    };
    assert_eq!(
        refused(&job("", "")),
        ["m.yaml:4:27 E0505 spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""]
    );
    assert_eq!(
        refused(&job("completionMode: Indexed, ", "restartPolicy: Never, ")),
        ["m.yaml:4:7 E0505 spec.completions: Required value: when completion mode is Indexed"]
    );
}

#[test]
fn a_schedule_that_cron_does_not_read() {
    let text = "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: c }\nspec: { schedule: '61 * * * *', jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: a, image: a }] } } } } }\n";
    assert_eq!(
        refused(text),
        ["m.yaml:4:19 E0505 spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61"]
    );
}

#[test]
fn an_autoscaler_without_a_target_is_taken_and_reports() {
    let scaler = |spec: &str| {
        format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: h }}\nspec: {{ scaleTargetRef: {{ apiVersion: apps/v1, kind: Deployment, name: gone }}, {spec} }}\n---\n{}",
            deployment("", "")
        )
    };
    assert_eq!(
        warned(&scaler("maxReplicas: 3")),
        [
            "the autoscaler `h` has nothing to scale: deployments \"gone\" not found (it reports FailedGetScale, as it does in a real cluster)"
        ]
    );
    assert_eq!(
        refused(&scaler("minReplicas: 4, maxReplicas: 3")),
        ["m.yaml:4:109 E0505 spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"]
    );
}

#[test]
fn an_unknown_scheduler_is_taken_and_told() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { schedulerName: mine, containers: [{ name: a, image: a }] }\n";
    assert_eq!(
        warned(text),
        [
            "no scheduler is called `mine`: pods that name it stay pending (name a `scheduler_config` with a profile of that `schedulerName`)"
        ]
    );
}

#[test]
fn words_that_the_api_does_not_know() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { type: Cloud, ports: [{ port: 80 }] }\n";
    assert_eq!(
        refused(text),
        [
            "m.yaml:4:15 E0505 spec.type: Unsupported value: \"Cloud\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\""
        ]
    );
    let text = "apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { nodeName: doe, schedulingGates: [{ name: a/b }], containers: [{ name: a, image: a }] }\n";
    assert_eq!(
        refused(text),
        ["m.yaml:4:19 E0505 spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"]
    );
}

fn scheduler(config: &str) -> Result<shakedown_scenarios::Plan, Vec<String>> {
    let mut all = files("scheduler_config: k.yaml\n", &deployment("", ""));
    all.0.insert("k.yaml", config.to_owned());
    load_from("s.yaml", &all).map_err(|wrong| {
        wrong
            .problems
            .iter()
            .map(|p| {
                format!("{} {}{}", p.code, p.message, p.help.as_ref().map_or_else(String::new, |h| format!(" ({h})")))
            })
            .collect()
    })
}

const HEAD: &str = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

#[test]
fn scheduler_configurations_change_the_profile() {
    let plan = scheduler(&format!(
        "{HEAD}percentageOfNodesToScore: 30\npodInitialBackoffSeconds: 2\nclientConnection: {{ qps: 500, burst: 600 }}\nleaderElection: {{ leaderElect: true }}\nprofiles:\n  - schedulerName: default-scheduler\n    plugins: {{ score: {{ disabled: [{{ name: '*' }}], enabled: [{{ name: NodeResourcesFit, weight: 5 }}] }} }}\n    pluginConfig: [{{ name: NodeResourcesFit, args: {{ scoringStrategy: {{ type: MostAllocated, resources: [{{ name: cpu, weight: 3 }}] }} }} }}]\n  - schedulerName: packing\n    plugins: {{ multiPoint: {{ disabled: [{{ name: DefaultPreemption }}] }} }}\n"
    ))
    .expect("it is valid");
    let profile = plan.profile("kubernetes").unwrap_or_else(|wrong| panic!("{wrong}"));
    use shakedown_engine::profile::Score;
    assert_eq!(profile.placement.scores, [(Score::MostAllocated, 5)]);
    assert_eq!((profile.placement.sampling.percent, profile.placement.args.fit_resources[0].1), (30, 3));
    let packing = &profile.schedulers[0];
    assert_eq!((packing.name.as_str(), packing.placement.scores.len() > 5), ("packing", true));
    assert!(packing.placement.args.preemption.is_none());
    let limit = profile.control.limits[shakedown_engine::fact::Client::Scheduler as usize];
    assert_eq!((limit.qps, limit.burst), (500, 600));
}

#[test]
fn scheduler_configurations_that_kube_scheduler_refuses() {
    let wrong = |text: &str| scheduler(text).map(|_| ()).expect_err("kube-scheduler does not start with this");
    let plugins =
        format!("{HEAD}profiles: [{{ plugins: {{ score: {{ enabled: [{{ name: NodeResourceFit }}] }} }} }}]\n");
    assert_eq!(wrong(&plugins), ["E0312 plugin \"NodeResourceFit\" does not exist (did you mean `NodeResourcesFit`?)"]);
    assert_eq!(wrong(&format!("{HEAD}profile: []\n")), ["E0512 strict decoding error: unknown field \"profile\""]);
    assert_eq!(
        wrong(&format!("{HEAD}percentageOfNodesToScore: 101\n")),
        ["E0512 percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]"]
    );
    assert_eq!(wrong(&HEAD.replace("/v1\n", "/v1beta1\n")).len(), 1);
}

const ALL: &str = include_str!("kinds.yaml");

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_change_to_a_manifest_of_all_kinds_makes_it_panic(cut in any::<prop::sample::Index>(), len in 0usize..20, with in "[a-zA-Z0-9{}:, \\[\\]%*&'-]{0,6}") {
        let mut text = ALL.to_owned();
        let start = cut.index(text.len());
        text.replace_range(start..(start + len).min(text.len()), &with);
        let _ = load_from("s.yaml", &files("", &text));
        let _ = check_text("m.yaml", &files("", &text));
    }
}

#[test]
fn a_manifest_of_all_kinds_loads() {
    let plan = load_from("s.yaml", &files("", ALL)).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(plan.catalog.workloads.len() == 5 && plan.catalog.claims.len() == 4, "{:?}", plan.notes);
}
