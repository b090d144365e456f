//! Each kind of Kubernetes object means here what it means to Kubernetes: a manifest, and what of it reaches the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use shakedown_engine::ids::Id;
use shakedown_engine::model::{
    Amount, BindingMode, BudgetBound, Catalog, Concurrency, Details, Distribution, Exposure, FailureMatch,
    FailureRuleAction, MetricTarget, Peer, PodVolume, QuotaScope, Reclaim, WebhookFailure, WorkloadKind,
};
use shakedown_engine::time::Span;
use shakedown_scenarios::{Files, Plan, ReadError, load_from};

struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

fn plan_with(extra: &str, manifest: &str) -> Plan {
    let scenario = format!(
        "shakedown: 1\ncluster: {{ nodes: [{{ name: doe, cpu: 8, memory: 32Gi }}] }}\nworkloads: [{{ manifest: m.yaml }}]\nduration: 5m\n{extra}"
    );
    let files = Memory([("s.yaml", scenario), ("m.yaml", manifest.to_owned())].into());
    load_from("s.yaml", &files).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn plan(manifest: &str) -> Plan {
    plan_with("", manifest)
}

fn catalog(manifest: &str) -> Arc<Catalog> {
    plan(manifest).catalog
}

const TEMPLATE: &str = "template: { metadata: { labels: { app: a } }, spec: { containers: [{ name: a, image: a }] } }";

fn set(kind: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{ name: a }}\nspec:\n  selector: {{ matchLabels: {{ app: a }} }}\n  {TEMPLATE}\n{spec}---\n"
    )
}

fn job(kind: &str, spec: &str, pod: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: {kind}\nmetadata: {{ name: a }}\nspec:\n{spec}  template: {{ spec: {{ restartPolicy: Never, containers: [{{ name: a, image: a }}]{pod} }} }}\n---\n"
    )
}

const CLAIMS: &str = "  volumeClaimTemplates:\n    - { metadata: { name: data }, spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } } }\n";

#[test]
fn a_stateful_set_has_claims_for_each_ordinal_that_it_reaches() {
    let text = set("StatefulSet", &format!("  replicas: 2\n  ordinals: {{ start: 5 }}\n{CLAIMS}"));
    let plan = plan_with("timeline: [{ at: 1m, scale: { workload: a, replicas: 4 } }]\n", &text);
    let Details::Stateful(details) = &plan.catalog.workloads.rows()[0].details else { panic!("it is stateful") };
    let names: Vec<&str> =
        details.claims[0].iter().map(|&id| plan.catalog.text(plan.catalog.claims[id].name)).collect();
    assert_eq!(names, ["data-a-5", "data-a-6", "data-a-7", "data-a-8"]);
    assert!(plan.catalog.claims.rows().iter().all(|claim| !claim.at_start && claim.request.0 == 1 << 30));
    assert_eq!((details.first, details.parallel, details.partition, details.on_delete), (5, false, 0, false));
    assert_eq!(details.max_unavailable, Amount::Count(1));
}

#[test]
fn an_autoscaler_makes_room_for_the_claims_of_its_most_replicas() {
    let scaler = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: h }\nspec: { scaleTargetRef: { kind: StatefulSet, name: a }, maxReplicas: 6 }\n";
    let catalog = catalog(&format!("{scaler}---\n{}", set("StatefulSet", CLAIMS)));
    assert_eq!(catalog.claims.len(), 6);
    let row = &catalog.autoscalers.rows()[0];
    assert_eq!((row.target.map(Id::index), row.min, row.max), (Some(0), 1, 6));
    assert_eq!(row.metrics, [MetricTarget::CpuUtilization(80)]);
    assert_eq!((row.plain, row.up.window, row.down.window), (true, Span::ZERO, Span::MAX));
    assert_eq!(
        row.up.policies.iter().map(|policy| policy.amount).collect::<Vec<_>>(),
        [Amount::Count(4), Amount::Percent(100)]
    );
}

#[test]
fn a_stateful_set_says_how_it_is_updated() {
    let spec = "  podManagementPolicy: Parallel\n  updateStrategy: { rollingUpdate: { partition: 3, maxUnavailable: 30% } }\n  persistentVolumeClaimRetentionPolicy: { whenScaled: Delete }\n";
    let catalog = catalog(&set("StatefulSet", spec));
    let Details::Stateful(details) = &catalog.workloads.rows()[0].details else { panic!("it is stateful") };
    assert!(details.parallel && details.delete_claims_when_scaled);
    assert_eq!((details.partition, details.max_unavailable), (3, Amount::Percent(30)));
}

#[test]
fn a_daemon_set_takes_its_habits_from_the_api() {
    let details = |spec: &str| {
        let catalog = catalog(&set("DaemonSet", spec));
        let Details::Daemon(details) = &catalog.workloads.rows()[0].details else { panic!("it is a daemon set") };
        (details.max_unavailable, details.max_surge, details.on_delete)
    };
    assert_eq!(details(""), (Amount::Count(1), Amount::Count(0), false));
    let surge = "  updateStrategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 10% } }\n";
    assert_eq!(details(surge), (Amount::Count(0), Amount::Percent(10), false));
    assert!(details("  updateStrategy: { type: OnDelete }\n").2);
}

#[test]
fn jobs_have_the_defaults_of_the_api() {
    let details = |spec: &str| {
        let catalog = catalog(&job("Job", spec, ""));
        let Details::Job(details) = catalog.workloads.rows()[0].details.clone() else { panic!("it is a job") };
        details
    };
    let one = details("");
    assert_eq!((one.parallelism, one.completions, one.backoff_limit, one.indexed), (1, Some(1), 6, false));
    assert_eq!(details("  parallelism: 3\n").completions, None);
    let indexed = details(
        "  completionMode: Indexed\n  completions: 5\n  backoffLimitPerIndex: 1\n  maxFailedIndexes: 2\n  successPolicy: { rules: [{ succeededIndexes: '0,2-3', succeededCount: 2 }] }\n",
    );
    assert_eq!((indexed.backoff_limit, indexed.backoff_limit_per_index), (u32::MAX, Some(1)));
    assert_eq!(indexed.success_rules[0].indexes, [(0, 0), (2, 3)]);
    let rules = details(
        "  podFailurePolicy: { rules: [{ action: FailJob, onExitCodes: { operator: NotIn, values: [1, 2] } }, { action: Ignore, onPodConditions: [{ type: DisruptionTarget, status: 'True' }] }] }\n",
    );
    assert!(rules.replace_when_failed);
    assert_eq!(rules.failure_rules[0].action, FailureRuleAction::FailJob);
    assert!(
        matches!(&rules.failure_rules[0].on, FailureMatch::ExitCodes { not_in: true, codes, .. } if *codes == [1, 2])
    );
    assert_eq!(rules.failure_rules[1].on, FailureMatch::Disrupted);
}

#[test]
fn a_cron_job_has_its_schedule_and_its_job() {
    let text = "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: a }\nspec:\n  schedule: '30 2 * * 1'\n  concurrencyPolicy: Forbid\n  startingDeadlineSeconds: 60\n  jobTemplate: { spec: { backoffLimit: 2, template: { spec: { restartPolicy: OnFailure, containers: [{ name: a, image: a }] } } } }\n";
    let catalog = catalog(text);
    assert_eq!(catalog.workloads.rows()[0].kind, WorkloadKind::CronJob);
    let Details::Cron(cron) = &catalog.workloads.rows()[0].details else { panic!("it is a cron job") };
    assert_eq!((cron.minutes, cron.hours, cron.weekdays), (1 << 30, 1 << 2, 1 << 1));
    assert_eq!((cron.concurrency, cron.starting_deadline), (Concurrency::Forbid, Some(Span::from_secs(60))));
    assert_eq!(cron.job.backoff_limit, 2);
}

#[test]
fn budgets_take_numbers_and_shares_and_versions_differ_about_empty_selectors() {
    let budget = |version: &str, spec: &str| {
        let text = format!(
            "apiVersion: {version}\nkind: PodDisruptionBudget\nmetadata: {{ name: b }}\nspec: {spec}\n---\n{}",
            set("Deployment", "")
        );
        catalog(&text).budgets.rows()[0].clone()
    };
    let own = budget("policy/v1", "{ minAvailable: 50%, selector: {} }");
    assert_eq!(own.bound, BudgetBound::MinAvailable(Amount::Percent(50)));
    assert!(own.selector.is_some_and(|selector| selector.all.is_empty()));
    assert!(budget("policy/v1beta1", "{ maxUnavailable: 1, selector: {} }").selector.is_none());
    assert!(budget("policy/v1", "{ maxUnavailable: 1 }").selector.is_none());
    assert_eq!(budget("policy/v1", "{ selector: {} }").bound, BudgetBound::MaxUnavailable(Amount::Count(0)));
}

const STORAGE: &str = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: { name: fast, annotations: { storageclass.kubernetes.io/is-default-class: 'true' } }\nprovisioner: ebs.csi.aws.com\nvolumeBindingMode: WaitForFirstConsumer\nallowedTopologies: [{ matchLabelExpressions: [{ key: topology.kubernetes.io/zone, values: [a, b] }] }]\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data }\nspec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 5Gi } } }\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: bare }\nspec: { accessModes: [ReadWriteOnce], storageClassName: '', resources: { requests: { storage: 5Gi } } }\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: lost }\nspec: { accessModes: [ReadWriteOnce], storageClassName: slow, resources: { requests: { storage: 5Gi } } }\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: { name: disk }\nspec: { accessModes: [ReadWriteOnce], capacity: { storage: 9Gi }, csi: { driver: d, volumeHandle: h }, claimRef: { name: bare, namespace: default } }\n---\n";

#[test]
fn claims_get_their_class_and_volumes_their_driver() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec:\n  containers: [{ name: a, image: a }]\n  volumes:\n    - { name: x, persistentVolumeClaim: { claimName: data, readOnly: true } }\n    - { name: y, persistentVolumeClaim: { claimName: none } }\n    - { name: z, gcePersistentDisk: { pdName: d1 } }\n    - { name: e, ephemeral: { volumeClaimTemplate: { spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 2Gi } } } } } }\n    - { name: s, secret: { secretName: s } }\n";
    // The pod stands before what it mounts.
    let plan = plan(&format!("{pod}---\n{STORAGE}"));
    let catalog = &plan.catalog;
    let class = &catalog.storage_classes.rows()[0];
    assert!(class.default && class.dynamic && class.binding == BindingMode::WaitForFirstConsumer);
    assert_eq!((class.reclaim, class.allowed_topologies.len()), (Reclaim::Delete, 1));
    let classes: Vec<_> = catalog.claims.rows().iter().map(|claim| claim.class.map(Id::index)).collect();
    assert_eq!(classes, [Some(0), None, None]);
    assert!(catalog.claims.rows()[2].unknown_class.is_some() && catalog.claims.rows()[1].unknown_class.is_none());
    let volume = &catalog.volumes.rows()[0];
    assert_eq!(volume.driver.map(|driver| catalog.text(driver)), Some("d"));
    assert_eq!((volume.reserved.map(Id::index), volume.reclaim), (Some(1), Reclaim::Retain));
    let volumes = &catalog.templates.rows()[0].volumes;
    assert!(matches!(volumes[0], PodVolume::Claim { claim: Some(_), read_only: true, .. }));
    assert!(matches!(volumes[1], PodVolume::Claim { claim: None, .. }));
    assert!(matches!(volumes[2], PodVolume::Disk { read_only: false, .. }));
    assert!(matches!(volumes[3], PodVolume::Ephemeral { class: Some(_), .. }));
    assert_eq!(volumes.len(), 4);
    assert!(plan.notes.iter().any(|note| note.code == "W0615" && note.text.contains("`none`")));
}

#[test]
fn bounds_of_a_namespace_give_defaults_and_refuse_pods() {
    let range = |item: &str| {
        format!(
            "apiVersion: v1\nkind: LimitRange\nmetadata: {{ name: r }}\nspec: {{ limits: [{{ type: Container, {item} }}] }}\n---\n"
        )
    };
    // Limits default to the maximum, requests to the limit's default.
    let plan = plan(&format!("{}{}", set("Deployment", ""), range("max: { cpu: 2 }, default: { memory: 1Gi }")));
    let template = &plan.catalog.templates.rows()[0];
    assert_eq!((template.requests.cpu.0, template.requests.memory.0), (2000, 1 << 30));
    assert_eq!(template.containers[0].cpu_limit.map(|limit| limit.0), Some(2000));
    assert!(template.refused.is_none());
    let own = range("defaultRequest: { cpu: 100m }, min: { cpu: 200m }");
    let plan = self::plan(&format!("{}{own}", set("Deployment", "")));
    assert!(plan.catalog.templates.rows()[0].refused.is_some());
    let note = plan.notes.iter().find(|note| note.code == "W0617").expect("it is told");
    let want = "pods \"a\" is forbidden: minimum cpu usage per Container is 200m, but request is 100m";
    assert!(note.text.starts_with(want), "{}", note.text);
}

#[test]
fn quotas_bound_pods_requests_and_limits() {
    let text = "apiVersion: v1\nkind: ResourceQuota\nmetadata: { name: q, namespace: n }\nspec: { hard: { pods: 10, requests.cpu: 2, memory: 1Gi, limits.cpu: 4, requests.nvidia.com/gpu: 3, services: 5 }, scopes: [NotBestEffort], scopeSelector: { matchExpressions: [{ scopeName: PriorityClass, operator: In, values: [high] }] } }\n---\n";
    let plan = plan(&format!("{text}{}", set("Deployment", "")));
    let quota = &plan.catalog.quotas.rows()[0];
    assert_eq!((quota.pods, quota.requests.cpu, quota.requests.memory), (Some(10), Some(2000), Some(1 << 30)));
    assert_eq!((quota.limits.cpu, quota.requests.extended[0].1), (Some(4000), 3));
    assert_eq!(quota.scopes[0], QuotaScope::NotBestEffort);
    assert!(matches!(&quota.scopes[1], QuotaScope::PriorityClass(names) if names.len() == 1));
    assert!(plan.notes.iter().any(|note| note.code == "W0603" && note.text.contains("hard[services]")));
}

#[test]
fn services_say_whom_their_clients_reach() {
    let service = |metadata: &str, spec: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{ name: a{metadata} }}\nspec: {{ selector: {{ app: a }}, ports: [{{ port: 80 }}], {spec} }}\n---\n{}",
            set("Deployment", "")
        );
        catalog(&text).services.rows()[0].clone()
    };
    let own = service("", "type: LoadBalancer, externalTrafficPolicy: Local, sessionAffinity: ClientIP");
    assert_eq!((own.exposure, own.external_local), (Exposure::LoadBalancer, true));
    assert_eq!(own.affinity, Some(Span::from_secs(10_800)));
    assert_eq!(service("", "trafficDistribution: PreferSameNode").distribution, Distribution::SameNode);
    assert_eq!(service("", "trafficDistribution: PreferClose").distribution, Distribution::SameZone);
    let auto = ", annotations: { service.kubernetes.io/topology-mode: Auto }";
    assert_eq!(service(auto, "trafficDistribution: PreferClose").distribution, Distribution::Hints);
    let own = service("", "clusterIP: None, publishNotReadyAddresses: true, internalTrafficPolicy: Local");
    assert!(own.headless && own.publish_not_ready && own.internal_local);
}

#[test]
fn namespaces_are_chosen_by_their_labels() {
    let spaces = "apiVersion: v1\nkind: Namespace\nmetadata: { name: red, labels: { team: x } }\n---\napiVersion: v1\nkind: Namespace\nmetadata: { name: blue, labels: { team: x } }\n---\n";
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: n }\nspec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: x } } }], ports: [{ port: 80 }, { port: 90, endPort: 92 }] }] }\n---\n";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: p, labels: { app: p } }\nspec:\n  containers: [{ name: a, image: a }]\n  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: z, labelSelector: {}, namespaceSelector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, values: [red] }] } }, { topologyKey: z, labelSelector: {}, namespaceSelector: {} }, { topologyKey: z, labelSelector: {}, namespaceSelector: { matchLabels: { team: y } } }] } }\n---\n";
    let catalog = catalog(&format!("{pod}{policy}{spaces}"));
    let rules = catalog.network_policies[0].ingress.as_ref().expect("it is about incoming traffic");
    assert!(catalog.network_policies[0].egress.is_none());
    assert_eq!(rules[0].ports, [80, 90, 91, 92]);
    let Peer::Pods { namespaces: Some(names), pods: None } = &rules[0].peers[0] else { panic!("these are pods") };
    assert_eq!(names.iter().map(|&name| catalog.text(name)).collect::<Vec<_>>(), ["blue", "red"]);
    let terms = &catalog.templates.rows()[0].affinity.anti_required;
    assert_eq!(terms[0].namespaces.iter().map(|&name| catalog.text(name)).collect::<Vec<_>>(), ["red"]);
    assert!(terms[1].all_namespaces && terms[1].namespaces.is_empty());
    assert!(!terms[2].all_namespaces && !terms[2].selector.all.is_empty());
}

#[test]
fn rules_are_narrowed_to_the_pods_own_revision() {
    let pod = "  template:\n    metadata: { labels: { app: a, tier: web } }\n    spec:\n      containers: [{ name: a, image: 'a:1' }]\n      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule, labelSelector: { matchLabels: { app: a } }, matchLabelKeys: [pod-template-hash] }]\n      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: z, labelSelector: {}, matchLabelKeys: [tier], mismatchLabelKeys: [app] }] } }\n";
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: a }}\nspec:\n  selector: {{ matchLabels: {{ app: a }} }}\n{pod}"
    );
    let plan = plan_with("timeline: [{ at: 1m, deploy: { workload: a, image: 'a:2' } }]\n", &text);
    let names = &plan.catalog.names;
    let [old, new] = plan.catalog.templates.rows() else { panic!("there are two revisions") };
    for (own, other) in [(old, new), (new, old)] {
        let selector = &own.spread[0].selector;
        assert!(selector.matches(&own.labels, names) && !selector.matches(&other.labels, names));
    }
    let term = &old.affinity.pod_required[0].selector;
    assert_eq!(term.all.len(), 2);
    assert!(!term.matches(&old.labels, names));
}

#[test]
fn pods_say_how_they_are_scheduled() {
    let text = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: { name: calm }\nvalue: 50\npreemptionPolicy: Never\n---\napiVersion: scheduling.k8s.io/v1alpha2\nkind: PodGroup\nmetadata: { name: g }\nspec: { schedulingPolicy: { gang: { minCount: 3 } } }\n---\napiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: { name: vm }\nhandler: kata\noverhead: { podFixed: { cpu: 250m } }\nscheduling: { nodeSelector: { vm: 'yes' } }\n---\napiVersion: v1\nkind: Pod\nmetadata: { name: p, annotations: { controller.kubernetes.io/pod-deletion-cost: '-7' } }\nspec:\n  containers: [{ name: a, image: a }]\n  priorityClassName: calm\n  runtimeClassName: vm\n  schedulerName: other\n  schedulingGates: [{ name: x/y }]\n  schedulingGroup: { podGroupName: g }\n  activeDeadlineSeconds: 9\n  hostNetwork: true\n";
    let plan = plan(text);
    let catalog = &plan.catalog;
    let pod = &catalog.templates.rows()[0];
    assert_eq!((pod.priority, pod.preempts, pod.deletion_cost), (50, false, -7));
    assert_eq!((pod.requests.cpu.0, pod.node_selector.len(), pod.gates.len()), (250, 1, 1));
    assert_eq!((catalog.text(pod.scheduler), pod.active_deadline), ("other", Some(Span::from_secs(9))));
    assert!(pod.host_network && pod.priority_class.is_some());
    assert_eq!(catalog.groups[pod.group.expect("it is in a group")].min_count, 3);
    assert!(plan.notes.iter().any(|note| note.code == "W0618" && note.text.contains("`other`")));
}

#[test]
fn webhooks_are_asked_for_what_their_rules_name() {
    let text = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: { name: v }\nwebhooks:\n  - name: v.example.com\n    admissionReviewVersions: [v1]\n    sideEffects: None\n    clientConfig: { service: { name: a, namespace: default } }\n    rules: [{ apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods] }]\n    namespaceSelector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, kube-public, kube-node-lease] }] }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { selector: { app: a }, ports: [{ port: 443 }] }\n---\n";
    let catalog = catalog(&format!("{text}{}", set("Deployment", "")));
    let hook = &catalog.webhooks.rows()[0];
    assert!(hook.create_pods && !hook.update_pods && hook.workloads.is_empty() && !hook.nodes);
    assert_eq!((hook.timeout, hook.on_failure), (Span::from_secs(10), WebhookFailure::Fail));
    assert!(hook.service.is_some());
    assert_eq!(hook.namespaces.iter().map(|&name| catalog.text(name)).collect::<Vec<_>>(), ["default"]);
}

#[test]
fn ingresses_put_the_most_specific_path_first() {
    let text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: i }\nspec:\n  defaultBackend: { service: { name: gone, port: { number: 80 } } }\n  rules:\n    - http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: a, port: { number: 80 } } } }] }\n    - host: x\n      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: a } } }, { path: /api, pathType: Exact, backend: { service: { name: a } } }] }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { selector: { app: a }, ports: [{ port: 80 }] }\n---\n";
    let plan = plan(&format!("{text}{}", set("Deployment", "")));
    let ingress = &plan.catalog.ingresses[0];
    let shown: Vec<_> = ingress.rules.iter().map(|rule| (rule.host.is_some(), plan.catalog.text(rule.path))).collect();
    assert_eq!(shown, [(true, "/api"), (true, "/"), (false, "/")]);
    assert!(ingress.rules.iter().all(|rule| rule.service.is_some()) && ingress.default.is_none());
    assert!(plan.notes.iter().any(|note| note.code == "W0616" && note.text.contains("`gone`")));
}

#[test]
fn nodes_of_manifests_are_added_with_their_volume_limits() {
    let text = "apiVersion: v1\nkind: Node\nmetadata: { name: extra, labels: { topology.kubernetes.io/zone: z } }\nstatus: { allocatable: { cpu: 4, memory: 8Gi, pods: 50, attachable-volumes-csi-d: 3 } }\n---\napiVersion: storage.k8s.io/v1\nkind: CSINode\nmetadata: { name: doe }\nspec: { drivers: [{ name: d, nodeID: x, allocatable: { count: 9 } }] }\n---\n";
    let catalog = catalog(&format!("{text}{}", set("Deployment", "")));
    let [doe, extra] = catalog.nodes.rows() else { panic!("there are two nodes") };
    assert_eq!((doe.volume_limits[0].1, extra.volume_limits[0].1, extra.max_pods), (9, 3, 50));
    assert_eq!(catalog.text(catalog.zones[extra.zone]), "z");
}

#[test]
fn what_has_no_effect_is_named_once_with_its_path() {
    let pod = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name} }}\nspec: {{ dnsPolicy: None, dnsConfig: {{ nameservers: [x] }}, securityContext: {{}}, containers: [{{ name: a, image: a, env: [{{ name: A, value: b }}] }}] }}\n---\n"
        )
    };
    let plan = plan(&[pod("a"), pod("b")].concat());
    let told: Vec<&str> =
        plan.notes.iter().filter(|note| note.code == "W0603").map(|note| note.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "`Pod.spec.dnsPolicy` is ignored (2 times): all pods resolve names in the same way",
            "`Pod.spec.dnsConfig` is ignored (2 times): all pods resolve names in the same way",
        ]
    );
}

#[test]
fn lists_hold_objects_of_any_kind() {
    let items = "apiVersion: v1\nkind: List\nitems:\n  - { apiVersion: v1, kind: Pod, metadata: { name: a }, spec: { containers: [{ name: a, image: a }] } }\n  - { apiVersion: v1, kind: Namespace, metadata: { name: n } }\n";
    assert_eq!(catalog(items).workloads.len(), 1);
}
