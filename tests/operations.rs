//! What people do by hand in a timeline, from the words of a scenario to the facts of its run.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

use std::collections::BTreeMap;
use std::sync::Arc;

use shakedown_chaos::session::Session;
use shakedown_engine::Engine;
use shakedown_engine::fact::{Deletion, Fact, FactKind};
use shakedown_engine::ids::WorkloadId;
use shakedown_engine::rng::Streams;
use shakedown_scenarios::{Files, Plan, ReadError, load_from};
use shakedown_sim::SimWorld;

struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        self.0.get(path).map(|text| text.as_str().into()).ok_or(ReadError::Missing)
    }
}

/// What came of a run.
struct Ran {
    plan: Plan,
    facts: Vec<Fact>,
    contradictions: Vec<String>,
}

/// Four nodes of 4 cores, a manifest, a timeline; ten minutes on Kubernetes.
fn run(manifest: &str, timeline: &str) -> Ran {
    run_for("10m", manifest, timeline)
}

fn run_for(duration: &str, manifest: &str, rest: &str) -> Ran {
    let scenario = format!(
        "shakedown: 1\ncluster: {{ nodes: [{{ name: \"n{{n}}\", count: 4, cpu: 4, memory: 16Gi }}] }}\nworkloads: [{{ manifest: m.yaml }}]\nduration: {duration}\n{rest}"
    );
    let files = Memory([("s.yaml", scenario), ("m.yaml", manifest.to_owned())].into());
    run_plan(load_from("s.yaml", &files).unwrap_or_else(|wrong| panic!("{wrong}")))
}

fn run_plan(plan: Plan) -> Ran {
    let streams = Streams::new(1);
    let profile = plan.profile("kubernetes").unwrap();
    let engine = Engine::new(Arc::clone(&plan.catalog), profile, streams);
    let world = SimWorld::new(Arc::clone(&plan.catalog), Arc::clone(&plan.experiment), streams);
    let mut session = Session::new(engine, world, Arc::clone(&plan.experiment), streams);
    session.run();
    let contradictions = session.engine().view().contradictions();
    let facts = session.finish(SimWorld::finish).facts;
    Ran { plan, facts, contradictions }
}

impl Ran {
    fn workload(&self, name: &str) -> WorkloadId {
        let catalog = &self.plan.catalog;
        catalog.workloads.iter().find(|(_, spec)| catalog.text(spec.name) == name).unwrap().0
    }

    /// Seconds at which something happened.
    fn times(&self, wanted: impl Fn(&FactKind) -> bool) -> Vec<f64> {
        self.facts.iter().filter(|fact| wanted(&fact.kind)).map(|fact| fact.at.as_secs_f64()).collect()
    }

    fn deleted(&self, why: Deletion) -> Vec<f64> {
        self.times(|kind| matches!(kind, FactKind::PodDeleting { why: w, .. } if *w == why))
    }
}

fn deployment(name: &str, replicas: u32, pod: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name} }}\nspec:\n  replicas: {replicas}\n  selector: {{ matchLabels: {{ app: {name} }} }}\n  template: {{ metadata: {{ labels: {{ app: {name} }} }}, spec: {{ {pod}containers: [{{ name: a, image: a, resources: {{ requests: {{ cpu: 100m }} }} }}] }} }}\n---\n"
    )
}

fn budget(name: &str, min: u32) -> String {
    format!(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{ name: {name} }}\nspec: {{ minAvailable: {min}, selector: {{ matchLabels: {{ app: {name} }} }} }}\n---\n"
    )
}

#[test]
fn a_taint_evicts_what_does_not_tolerate_it_and_ends_with_its_entry() {
    let timeline = "timeline: [{ at: 2m, for: 2m, taint: { nodes: [n1], taint: 'repair=now:NoExecute' } }]\n";
    let ran = run(&deployment("web", 8, ""), timeline);
    let gone = ran.deleted(Deletion::Tainted);
    assert!(!gone.is_empty() && gone.iter().all(|at| (120.0..125.0).contains(at)), "{gone:?}");
    assert_eq!(ran.times(|k| matches!(k, FactKind::NodeTainted { .. })), [120.0, 240.0]);
    assert_eq!(ran.plan.experiment.timeline.rows()[0].label, "taint node n1 with repair=now:NoExecute");
}

#[test]
fn an_untaint_opens_a_node_again_and_ends_the_entry_that_tainted_it() {
    let timeline = "timeline:\n  - { at: 1m, taint: { taint: 'full:NoSchedule' } }\n  - { at: 2m, scale: { workload: web, replicas: 4 } }\n  - { at: 5m, untaint: { taint: full } }\n";
    let ran = run(&deployment("web", 2, ""), timeline);
    let web = ran.workload("web");
    let created = ran.times(|k| matches!(k, FactKind::PodCreated { workload, .. } if *workload == web));
    let bound = ran.times(|k| matches!(k, FactKind::PodBound { .. }));
    assert!(created[2] < 121.0 && bound[2] >= 300.0 && bound.len() == 4, "{created:?} {bound:?}");
    assert_eq!(ran.times(|k| matches!(k, FactKind::FaultLifted { .. })).len(), 1);
}

#[test]
fn out_of_service_lets_go_of_volumes_and_pods_of_a_dead_node() {
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: db }\nspec:\n  replicas: 1\n  serviceName: db\n  selector: { matchLabels: { app: db } }\n  template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: a, image: a }] } }\n  volumeClaimTemplates: [{ metadata: { name: data }, spec: { storageClassName: fast, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } } }]\n---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: { name: fast }\nprovisioner: csi.example.com\n";
    let dead = "  - { at: 2m, kill: { hosting: db } }\n";
    let without = run_for("20m", set, &format!("timeline:\n{dead}"));
    let back = |ran: &Ran| ran.times(|k| matches!(k, FactKind::PodReady { .. }));
    assert_eq!(back(&without).len(), 1, "a pod of a stateful set is never replaced while its node may live");
    let timeline = format!("timeline:\n{dead}  - {{ at: 4m, out_of_service: {{ nodes: ['n*'], hosting: db }} }}\n");
    let with = run_for("20m", set, &timeline);
    let ready = back(&with);
    assert!(ready.len() == 2 && (240.0..270.0).contains(&ready[1]), "{ready:?}");
    assert_eq!(with.times(|k| matches!(k, FactKind::VolumeDetached { forced: true, .. })).len(), 1);
}

#[test]
fn an_eviction_is_refused_by_a_budget_and_is_not_asked_for_again() {
    let manifest = format!("{}{}", deployment("web", 3, ""), budget("web", 2));
    let ran = run(&manifest, "timeline: [{ at: 2m, evict: { workload: web } }]\n");
    assert_eq!(ran.deleted(Deletion::Drained).len(), 1);
    let refused = ran.times(|k| matches!(k, FactKind::EvictionRefused { .. }));
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.iter().all(|at| *at < 125.0));
}

#[test]
fn pods_with_a_lower_deletion_cost_go_first() {
    let timeline = "timeline:\n  - { at: 2m, deletion_cost: { workload: web, on: { nodes: [n2] }, cost: -10 } }\n  - { at: 3m, scale: { workload: web, replicas: 3 } }\n";
    let ran = run(&deployment("web", 4, ""), timeline);
    let on: BTreeMap<_, _> = ran
        .facts
        .iter()
        .filter_map(|f| match f.kind {
            FactKind::PodBound { pod, node } => Some((pod, node)),
            _ => None,
        })
        .collect();
    let gone = ran.facts.iter().find_map(|f| match f.kind {
        FactKind::PodDeleting { pod, why: Deletion::ScaledDown } => Some(pod),
        _ => None,
    });
    assert_eq!(ran.plan.catalog.node_name(on[&gone.unwrap()]), "n2");
}

#[test]
fn a_lowered_partition_lets_an_update_go_on() {
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: db }\nspec:\n  replicas: 3\n  serviceName: db\n  updateStrategy: { rollingUpdate: { partition: 3 } }\n  selector: { matchLabels: { app: db } }\n  template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: a, image: 'a:1' }] } }\n";
    let timeline = "timeline:\n  - { at: 2m, deploy: { workload: db, image: 'a:2' } }\n  - { at: 4m, update_strategy: { workload: db, partition: 2 } }\n  - { at: 6m, update_strategy: { workload: db, partition: 0 } }\n";
    let ran = run(set, timeline);
    let updated = ran.deleted(Deletion::RolledOut);
    assert_eq!(updated.len(), 3, "{updated:?}");
    assert!((240.0..245.0).contains(&updated[0]) && updated[1] >= 360.0, "{updated:?}");
}

#[test]
fn a_daemon_set_changes_by_hand_once_it_is_told_so() {
    let set = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: { name: log }\nspec:\n  selector: { matchLabels: { app: log } }\n  template: { metadata: { labels: { app: log } }, spec: { containers: [{ name: a, image: 'a:1' }] } }\n";
    let timeline = "timeline:\n  - { at: 1m, update_strategy: { workload: log, type: OnDelete } }\n  - { at: 2m, deploy: { workload: log, image: 'a:2' } }\n  - { at: 4m, update_strategy: { workload: log, type: RollingUpdate, max_unavailable: 100% } }\n";
    let ran = run(set, timeline);
    let updated = ran.deleted(Deletion::RolledOut);
    assert!(updated.len() == 4 && updated.iter().all(|at| (240.0..242.0).contains(at)), "{updated:?}");
}

#[test]
fn gates_hold_pods_until_they_are_removed() {
    let manifest = deployment("web", 2, "schedulingGates: [{ name: example.com/quota }], ");
    let ran = run(&manifest, "timeline: [{ at: 3m, ungate: web }]\n");
    let bound = ran.times(|k| matches!(k, FactKind::PodBound { .. }));
    assert!(bound.len() == 2 && bound.iter().all(|at| (180.0..181.0).contains(at)), "{bound:?}");
}

#[test]
fn a_default_priority_concerns_pods_created_after_it() {
    let pod = "nodeSelector: { kubernetes.io/hostname: n1 }, ";
    let big = |name: &str, replicas| deployment(name, replicas, pod).replace("cpu: 100m", "cpu: 1500m");
    let manifest = format!("{}{}", big("old", 2), big("new", 0));
    let scale = "  - { at: 3m, scale: { workload: new, replicas: 1 } }\n";
    let none = run(&manifest, &format!("timeline:\n{scale}"));
    assert!(none.deleted(Deletion::Preempted).is_empty());
    let class = "  - { at: 2m, default_priority: { class: usual, value: 1000 } }\n";
    let some = run(&manifest, &format!("timeline:\n{class}{scale}"));
    let out = some.deleted(Deletion::Preempted);
    // The one that goes is replaced by one that has the priority, which takes the place of the other.
    assert!(out.len() == 2 && out.iter().all(|at| (180.0..182.0).contains(at)), "{out:?}");
    let never = "  - { at: 2m, default_priority: { class: usual, value: 1000, preemption: Never } }\n";
    assert!(run(&manifest, &format!("timeline:\n{never}{scale}")).deleted(Deletion::Preempted).is_empty());
}

#[test]
fn a_suspended_job_gives_its_pods_up_and_begins_anew_when_it_is_resumed() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: { name: sums }\nspec:\n  template: { spec: { restartPolicy: Never, containers: [{ name: a, image: a }] } }\n";
    let timeline =
        "images: { a: { runs_for: 60s } }\ntimeline:\n  - { at: 30s, suspend: sums }\n  - { at: 3m, resume: sums }\n";
    let ran = run(job, timeline);
    let done = ran.times(|k| matches!(k, FactKind::JobCompleted { .. }));
    assert!(done.len() == 1 && (240.0..250.0).contains(&done[0]), "{done:?}");
    assert_eq!(ran.times(|k| matches!(k, FactKind::PodCreated { .. })).len(), 2);
}

#[test]
fn a_late_node_joins_when_it_is_switched_on() {
    let scenario = "timeline: [{ at: 3m, restore: { nodes: [late] } }]\n";
    let manifest = deployment("web", 4, "nodeSelector: { kubernetes.io/hostname: late }, ");
    let files = Memory([
        ("s.yaml", format!("shakedown: 1\ncluster: {{ nodes: [{{ name: n1, cpu: 4, memory: 16Gi }}, {{ name: late, cpu: 4, memory: 16Gi, at_start: false }}] }}\nworkloads: [{{ manifest: m.yaml }}]\nduration: 10m\n{scenario}")),
        ("m.yaml", manifest),
    ].into());
    let plan = load_from("s.yaml", &files).unwrap_or_else(|wrong| panic!("{wrong}"));
    let ran = run_plan(plan);
    let bound = ran.times(|k| matches!(k, FactKind::PodBound { .. }));
    assert!(bound.len() == 4 && bound.iter().all(|at| *at > 180.0), "{bound:?}");
}

/// A webhook in front of the API, served by `hook`, for these resources of a group.
fn webhook(group: &str, resources: &str) -> String {
    let pod = "nodeSelector: { kubernetes.io/hostname: n1 }, terminationGracePeriodSeconds: 1, ";
    format!(
        "{}apiVersion: v1\nkind: Service\nmetadata: {{ name: hook }}\nspec: {{ selector: {{ app: hook }}, ports: [{{ port: 443 }}] }}\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{ name: v }}\nwebhooks:\n  - name: v.example.com\n    admissionReviewVersions: [v1]\n    sideEffects: None\n    clientConfig: {{ service: {{ name: hook, namespace: default }} }}\n    rules: [{{ apiGroups: [{group}], apiVersions: [v1], operations: ['*'], resources: [{resources}] }}]\n---\n",
        deployment("hook", 1, pod)
    )
}

#[test]
fn a_webhook_on_leases_that_does_not_answer_makes_every_node_look_dead() {
    let manifest = format!("{}{}", webhook("coordination.k8s.io", "leases"), deployment("web", 4, ""));
    let ran = run(&manifest, "timeline: [{ at: 2m, scale: { workload: hook, replicas: 0 } }]\n");
    let refused = ran.times(|k| matches!(k, FactKind::LeasesRefused { on: true, .. }));
    assert!(refused.len() == 1 && (120.0..125.0).contains(&refused[0]), "{refused:?}");
    let unhealthy = ran.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }));
    assert!(unhealthy.len() == 4 && unhealthy.iter().all(|at| (160.0..190.0).contains(at)), "{unhealthy:?}");
    // Without leases nothing is scheduled either: no node is there to take the webhook's pod back.
    let timeline = "timeline:\n  - { at: 2m, scale: { workload: hook, replicas: 0 } }\n  - { at: 3m30s, scale: { workload: hook, replicas: 1 } }\n";
    let ran = run(&manifest, timeline);
    assert!(ran.times(|k| matches!(k, FactKind::NodeHealthy { .. })).is_empty(), "a deadlock does not end by itself");
}

#[test]
fn a_webhook_on_replica_sets_holds_rollouts_until_it_answers_again() {
    let manifest = format!("{}{}", webhook("apps", "replicasets"), deployment("web", 4, ""));
    let timeline = "timeline:\n  - { at: 2m, for: 3m, kill: { nodes: [n1] } }\n  - { at: 4m, deploy: { workload: web, image: 'a:2' } }\n";
    let ran = run_for("20m", &manifest, timeline);
    let web = ran.workload("web");
    let refused = ran.times(|k| matches!(k, FactKind::ChangeRefused { workload, .. } if *workload == web));
    assert_eq!(refused.len(), 2, "each of its replica sets is told of once: {refused:?}");
    let done = ran.times(|k| matches!(k, FactKind::RolloutCompleted { workload, .. } if *workload == web));
    assert!(done.last().is_some_and(|at| *at > 300.0), "{done:?}");
}

#[test]
fn a_webhook_on_deployments_refuses_commands_but_not_scaling() {
    let manifest = format!("{}{}", webhook("apps", "deployments"), deployment("web", 2, ""));
    let timeline = "timeline:\n  - { at: 2m, scale: { workload: hook, replicas: 0 } }\n  - { at: 4m, deploy: { workload: web, image: 'a:2' } }\n  - { at: 5m, scale: { workload: web, replicas: 4 } }\n";
    let ran = run(&manifest, timeline);
    let web = ran.workload("web");
    assert_eq!(ran.times(|k| matches!(k, FactKind::ChangeRefused { workload, .. } if *workload == web)), [240.0]);
    assert!(ran.times(|k| matches!(k, FactKind::RolloutStarted { workload, .. } if *workload == web)).is_empty());
    assert_eq!(ran.times(|k| matches!(k, FactKind::PodCreated { workload, .. } if *workload == web)).len(), 4);
}

const EVERYTHING: &str = include_str!("everything.yaml");

#[test]
fn all_kinds_live_an_hour_of_faults_together_without_contradictions() {
    let timeline = "set: { kube-scheduler.replicas: 2, kube-controller-manager.replicas: 2 }\nimages: { a: { startup: 1s }, batch: { runs_for: 40s } }\ntraffic: [{ to: web, rate: 50/s }]\ntimeline:\n  - { at: 5m, for: 10m, kill: { nodes: [n2] } }\n  - { at: 8m, deploy: { workload: web, image: 'a:2' } }\n  - { at: 16m, for: 5m, drain: { nodes: [n3] } }\n  - { at: 20m, for: 2m, control_plane: { stop: controllers, instances: all } }\n  - { at: 25m, scale: { workload: db, replicas: 3 } }\n  - { at: 28m, for: 3m, taint: { nodes: [n1], taint: 'repair=now:NoExecute' } }\n  - { at: 33m, evict: { workload: web } }\n  - { at: 36m, update_strategy: { workload: log, max_unavailable: 2 } }\n  - { at: 37m, deploy: { workload: log, image: 'a:3' } }\n  - { at: 40m, for: 1m, partition: { from: { nodes: [n4] }, to: control-plane } }\n  - { at: 45m, kill_pods: { workload: db, count: 1 } }\n";
    let ran = run_for("60m", EVERYTHING, timeline);
    assert!(ran.contradictions.is_empty(), "{:?}", ran.contradictions);
    assert!(ran.times(|k| matches!(k, FactKind::Violated { .. })).is_empty());
    let runs = ran.times(|k| matches!(k, FactKind::JobCompleted { .. }));
    assert!(runs.len() > 8, "the job, and a run of the cron job each five minutes: {runs:?}");
    for name in ["web", "db", "log"] {
        let workload = ran.workload(name);
        let ready = ran.times(|k| matches!(k, FactKind::WorkloadCreated { workload: w } if *w == workload));
        assert_eq!(ready.len(), 1, "{name}");
    }
}
