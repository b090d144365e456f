//! Disruption budgets, drains, quotas, webhooks and a control plane that fails: through the loop, on scripted hosts.
//!
//! Figures of 07a and 07b are from recordings of Kubernetes 1.36.2. Start at [`drain_bench`].

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::fact::{Client, Component, Deletion, FactKind, Note, Refused, Subject};
use shakedown_engine::ids::{BudgetId, NodeId, QuotaId, WebhookId, WorkloadId};
use shakedown_engine::labels::Selector;
use shakedown_engine::message::{Instances, Operation, PartChange};
use shakedown_engine::model::{
    Amount, BudgetBound, BudgetSpec, Probe, ProbeKind, ProbeRole, QuotaAmounts, QuotaSpec, UnhealthyEviction,
    WebhookFailure, WebhookSpec,
};
use shakedown_engine::profile::RateLimit;
use shakedown_engine::time::{Span, Time};

const T0: u64 = 100;

fn budget(setup: &mut Setup, app: &str, bound: BudgetBound) -> BudgetId {
    let names = &mut setup.catalog.names;
    let selector = Selector::equals([(names.intern("app"), names.intern(app))]);
    let spec = BudgetSpec {
        name: names.intern(app),
        namespace: names.intern("default"),
        selector: Some(selector),
        bound,
        unhealthy: UnhealthyEviction::IfHealthyBudget,
    };
    setup.catalog.budgets.push(spec)
}

/// The recordings' cluster: 10 replicas on 5 nodes, of which 80 % must stay.
fn drain_bench(replicas: u32, size: usize) -> (Setup, WorkloadId, BudgetId) {
    let mut setup = Setup::new("kubernetes").nodes("a", size);
    setup.profile.agent.relist = Span::ZERO;
    for client in [Client::Replication, Client::Rollout, Client::Endpoints, Client::Disruption] {
        setup.profile.control.limits[client as usize] = RateLimit { qps: 500, burst: 1_000 };
    }
    let web = setup.deployment("web", replicas);
    let budget = budget(&mut setup, "web", BudgetBound::MinAvailable(Amount::Percent(80)));
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].containers[0].probes.push(Probe {
        role: ProbeRole::Readiness,
        kind: ProbeKind::Http,
        initial_delay: Span::ZERO,
        period: Span::from_secs(10),
        timeout: Span::from_secs(1),
        success_threshold: 1,
        failure_threshold: 1,
    });
    (setup, web, budget)
}

fn begin(setup: Setup, seed: u64, start: u64) -> Lab {
    let mut lab = setup.start(seed);
    lab.world.answers = true;
    lab.world.pace = Some((Span::from_millis(start), Span::from_millis(2_000)));
    lab.until(T0);
    lab
}

fn since(lab: &Lab, wanted: impl Fn(&FactKind) -> bool) -> Vec<f64> {
    lab.times(wanted).into_iter().map(|t| t - T0 as f64).filter(|t| *t >= 0.0).collect()
}

fn evicted(lab: &Lab) -> Vec<f64> {
    since(lab, |k| matches!(k, FactKind::PodDeleting { why: Deletion::Drained, .. }))
}

fn drained(lab: &Lab, node: NodeId) -> Option<f64> {
    let note =
        |k: &FactKind| matches!(k, FactKind::Noted { subject: Subject::Node(n), note: Note::Drained } if *n == node);
    since(lab, note).first().copied()
}

/// Drains like the recordings' script: the next node as soon as all pods of the former are gone.
fn drain_one_by_one(lab: &mut Lab, doomed: impl IntoIterator<Item = NodeId>) -> Vec<(f64, f64)> {
    let mut spans = Vec::new();
    for node in doomed {
        let begun = lab.engine.now().as_secs_f64() - T0 as f64;
        lab.command(Operation::Drain { nodes: vec![node] });
        while drained(lab, node).is_none() {
            lab.until_time(lab.engine.now() + Span::from_millis(10));
            assert!(lab.engine.now() < Time::from_secs(T0 + 200), "the drain does not end");
        }
        spans.push((begun, lab.engine.now().as_secs_f64() - T0 as f64));
    }
    spans
}

fn near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got - want).abs() <= tolerance, "{what}: {got:.3} s, recorded {want:.3} s");
}

/// Fewest ready replicas from now until `end` seconds after the trigger.
fn fewest_ready(lab: &mut Lab, workload: WorkloadId, end: u64) -> u32 {
    let mut fewest = u32::MAX;
    while lab.engine.now() < Time::from_secs(T0 + end) {
        lab.until_time(lab.engine.now() + Span::from_millis(20));
        fewest = fewest.min(lab.ready(workload));
    }
    fewest
}

/// Recording 07a: two evictions go, the second 0.5 s after the first because they met at the budget; the next node's are
/// refused, and pass 5 s later.
#[test]
fn a_drain_takes_what_the_budget_allows_and_comes_again_every_five_seconds() {
    let (mut setup, _, budget) = drain_bench(10, 5);
    // The script looked all the time whether pods are gone.
    setup.profile.control.machine.evictions.as_mut().expect("an eviction API").poll = Span::ZERO;
    let mut lab = begin(setup, 1, 2_970);
    let spans = drain_one_by_one(&mut lab, nodes(0, 2));
    let went = evicted(&lab);
    near(went[0], 0.023, 0.02, "the first eviction");
    near(went[1], 0.565, 0.05, "the second one, after the collision");
    near(spans[0].1, 2.618, 0.1, "the first node is empty");
    let refused = since(&lab, |k| matches!(k, FactKind::EvictionRefused { .. }));
    assert_eq!(refused.len(), 2, "both pods of the second node are refused, each told once");
    near(refused[0], 2.626, 0.1, "the refusals");
    near(went[2], 7.652, 0.1, "the next try");
    near(went[3], 8.180, 0.15, "the one that it met");
    near(spans[1].1, 10.23, 0.15, "the second node is empty");
    let marks = since(&lab, |k| matches!(k, FactKind::PodDisrupted { why: Deletion::Drained, .. }));
    assert_eq!(marks.len(), 4, "each evicted pod is marked");
    let counts: Vec<_> = lab
        .all(|k| matches!(k, FactKind::BudgetChanged { budget: b, .. } if *b == budget))
        .into_iter()
        .filter(|f| f.at >= Time::from_secs(T0))
        .filter_map(|f| match f.kind {
            FactKind::BudgetChanged { allowed, healthy, desired, .. } => Some((allowed, healthy, desired)),
            _ => None,
        })
        .collect();
    let recorded = [(1, 10, 8), (1, 9, 8), (0, 9, 8), (0, 8, 8), (1, 9, 8), (2, 10, 8), (1, 10, 8)];
    assert_eq!(counts[..7], recorded);
}

#[test]
fn a_drain_of_three_nodes_never_goes_below_the_budget() {
    let (mut setup, web, _) = drain_bench(10, 5);
    setup.profile.control.machine.evictions.as_mut().expect("an eviction API").poll = Span::ZERO;
    let mut lab = begin(setup, 2, 2_970);
    lab.command(Operation::Drain { nodes: nodes(0, 3).collect() });
    assert_eq!(fewest_ready(&mut lab, web, 60), 8);
    for node in nodes(0, 3) {
        assert!(drained(&lab, node).is_some(), "{node:?}");
        assert_eq!(lab.on(node), []);
    }
    // Two nodes of two pods and one of two or three, each pair 5 s after the former is ready again.
    let end = drained(&lab, NodeId(2)).expect("drained");
    assert!((17.0..24.5).contains(&end), "recorded 23.35 s with three pods on the last node: {end}");
    assert_eq!(lab.ready(web), 10);
}

/// Recording 07b: with 9 of 10 ready, the unready pod goes free and a ready one takes the last disruption.
#[test]
fn an_unready_pod_costs_a_healthy_budget_nothing() {
    let (setup, web, budget) = drain_bench(10, 5);
    let mut lab = begin(setup, 1, 2_970);
    // One replica is replaced and has not become ready when the drain begins; it runs, so that it is not pending.
    let pod = lab.on(NodeId(0))[0];
    lab.mute_pod(pod);
    lab.until(T0 + 10);
    assert_eq!(lab.ready(web), 9);
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    lab.until(T0 + 11);
    let went: Vec<f64> = evicted(&lab).into_iter().map(|t| t - 10.0).collect();
    assert_eq!(went.len(), 2);
    near(went[0], 0.018, 0.02, "the unready one");
    near(went[1], 0.026, 0.02, "the ready one");
    assert!(since(&lab, |k| matches!(k, FactKind::EvictionRefused { .. })).is_empty());
    let lowest =
        lab.all(|k| matches!(k, FactKind::BudgetChanged { budget: b, healthy: 8, allowed: 0, .. } if *b == budget));
    assert!(!lowest.is_empty());
}

#[test]
fn an_unhealthy_pod_blocks_a_drain_for_ever_unless_the_budget_always_allows() {
    for (policy, goes) in [(UnhealthyEviction::IfHealthyBudget, false), (UnhealthyEviction::AlwaysAllow, true)] {
        let (mut setup, _, budget) = drain_bench(2, 2);
        setup.catalog.budgets[budget].bound = BudgetBound::MinAvailable(Amount::Count(2));
        setup.catalog.budgets[budget].unhealthy = policy;
        let mut lab = begin(setup, 1, 1_000);
        let pod = lab.view().pods().next().expect("a pod");
        lab.mute_pod(pod.id);
        lab.until(T0 + 5);
        lab.command(Operation::Drain { nodes: vec![pod.node.expect("bound")] });
        lab.until(T0 + 3_600);
        assert_eq!(!evicted(&lab).is_empty(), goes, "{policy:?}");
        let refused = since(&lab, |k| matches!(k, FactKind::EvictionRefused { .. }));
        assert_eq!(refused.len(), usize::from(!goes), "told once: {refused:?}");
    }
}

#[test]
fn pods_that_do_not_run_yet_are_evicted_without_a_budget() {
    let (mut setup, _, budget) = drain_bench(2, 2);
    setup.catalog.budgets[budget].bound = BudgetBound::MaxUnavailable(Amount::Count(0));
    let mut lab = setup.start(1);
    lab.world.pace = Some((Span::from_secs(1_000), Span::from_millis(100)));
    lab.until(T0);
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    lab.until(T0 + 1);
    assert_eq!(evicted(&lab).len(), 1);
}

#[test]
fn a_pod_of_several_budgets_is_left_where_it_is() {
    let (mut setup, web, _) = drain_bench(2, 2);
    budget(&mut setup, "web", BudgetBound::MaxUnavailable(Amount::Count(2)));
    let mut lab = begin(setup, 1, 1_000);
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    lab.until(T0 + 60);
    assert_eq!(evicted(&lab).len(), 0);
    let notes = since(&lab, |k| matches!(k, FactKind::Noted { note: Note::SeveralBudgets, .. }));
    assert_eq!(notes.len(), 1);
    assert_eq!(lab.ready(web), 2);
}

#[test]
fn a_dead_node_asks_no_budget() {
    let (setup, web, _) = drain_bench(10, 5);
    let mut lab = begin(setup, 1, 1_000);
    lab.kill(nodes(0, 3));
    lab.until(T0 + 60);
    assert_eq!(lab.ready(web), 4, "six of ten are away, and the budget allowed two");
}

#[test]
fn uncordoning_a_node_ends_its_drain_and_leaves_nothing_planned() {
    let (mut setup, _, budget) = drain_bench(2, 2);
    setup.catalog.budgets[budget].bound = BudgetBound::MaxUnavailable(Amount::Count(0));
    let mut lab = begin(setup, 1, 1_000);
    lab.command(Operation::Drain { nodes: vec![NodeId(0)] });
    lab.until(T0 + 10);
    assert_eq!(lab.engine.planned(), 0, "a blocked drain is silent");
    lab.command(Operation::Uncordon { nodes: vec![NodeId(0)] });
    lab.until(T0 + 60);
    assert_eq!(lab.engine.planned(), 0);
    assert_eq!(evicted(&lab).len(), 0);
}

fn quota(setup: &mut Setup, pods: u32) -> QuotaId {
    let spec = QuotaSpec {
        name: setup.catalog.names.intern("all"),
        namespace: setup.catalog.names.intern("default"),
        pods: Some(pods),
        requests: QuotaAmounts::default(),
        limits: QuotaAmounts::default(),
        scopes: Vec::new(),
    };
    setup.catalog.quotas.push(spec)
}

#[test]
fn a_quota_stops_the_batches_at_the_first_refusal_and_is_told_once() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let web = setup.deployment("web", 10);
    let quota = quota(&mut setup, 4);
    let mut lab = setup.start(1);
    lab.until(T0);
    assert_eq!(lab.ready(web), 4);
    let refused = lab.all(|k| matches!(k, FactKind::CreationRefused { .. }));
    assert_eq!(refused.len(), 1);
    let why = Refused::Quota { quota };
    assert_eq!(refused[0].kind, FactKind::CreationRefused { workload: web, why });
    assert!(lab.view().contradictions().is_empty(), "{:?}", lab.view().contradictions());
    assert_eq!(lab.engine.planned(), 0, "a full quota is silent");
}

#[test]
fn room_in_a_quota_is_used_when_the_controller_tries_again() {
    let mut setup = Setup::new("kubernetes").nodes("a", 3);
    let (web, api) = (setup.deployment("web", 4), setup.deployment("api", 4));
    quota(&mut setup, 6);
    let mut lab = setup.start(1);
    lab.until(T0);
    assert_eq!(lab.ready(web) + lab.ready(api), 6);
    let (more, less) = if lab.ready(web) > lab.ready(api) { (web, api) } else { (api, web) };
    let had = lab.ready(less);
    lab.command(Operation::Scale { workload: more, replicas: 2 });
    lab.until(T0 + 20);
    assert_eq!(lab.ready(less), had, "its controller has failed so often that it waits for minutes");
    lab.until(T0 + 1_200);
    assert_eq!(lab.ready(less), 4);
    assert!(lab.view().contradictions().is_empty(), "{:?}", lab.view().contradictions());
}

fn webhook(setup: &mut Setup, service: u32, on_failure: WebhookFailure) -> WebhookId {
    let spec = WebhookSpec {
        name: setup.catalog.names.intern("policy"),
        create_pods: true,
        update_pods: false,
        workloads: Vec::new(),
        nodes: false,
        after_service: false,
        namespaces: Vec::new(),
        exempt: Vec::new(),
        objects: None,
        service: Some(shakedown_engine::ids::ServiceId(service)),
        timeout: Span::from_secs(10),
        on_failure,
    };
    setup.catalog.webhooks.push(spec)
}

/// The famous outage: the hook's own pods must pass the hook.
#[test]
fn a_webhook_that_must_admit_its_own_pods_never_comes_back() {
    for exempt in [false, true] {
        let mut setup = Setup::new("kubernetes").nodes("a", 3);
        let policy = setup.deployment("policy", 2);
        let web = setup.deployment("web", 2);
        let hook = webhook(&mut setup, 0, WebhookFailure::Fail);
        let own = setup.catalog.templates[setup.catalog.workloads[policy].template].namespace;
        let system = setup.catalog.names.intern("kube-system");
        if exempt {
            let template = setup.catalog.workloads[policy].template;
            setup.catalog.templates[template].namespace = system;
            setup.catalog.workloads[policy].namespace = system;
            setup.catalog.services[shakedown_engine::ids::ServiceId(0)].namespace = system;
            setup.catalog.webhooks[hook].exempt = vec![system];
        }
        assert_ne!(own, system);
        let mut lab = setup.start(1);
        lab.until(T0 + 3_000);
        let expected = if exempt { (2, 2) } else { (0, 0) };
        assert_eq!((lab.ready(policy), lab.ready(web)), expected, "exempt: {exempt}");
        if !exempt {
            let refused = lab.all(|k| matches!(k, FactKind::CreationRefused { why: Refused::Webhook { .. }, .. }));
            assert_eq!(refused.len(), 2, "each workload is told once");
            assert_eq!(lab.engine.planned(), 0, "a deadlock is silent");
        }
    }
}

#[test]
fn a_webhook_that_may_be_ignored_costs_its_time_out_when_its_node_is_dead() {
    let mut setup = Setup::new("kubernetes").nodes("a", 2);
    let policy = setup.deployment("policy", 1);
    let web = setup.deployment("web", 1);
    webhook(&mut setup, 0, WebhookFailure::Ignore);
    let mut lab = begin(setup, 1, 1_000);
    assert_eq!((lab.ready(policy), lab.ready(web)), (1, 1));
    let home = lab.view().pods().find(|p| p.workload == policy).and_then(|p| p.node).expect("bound");
    lab.command(Operation::Scale { workload: web, replicas: 2 });
    lab.until(T0 + 5);
    lab.kill([home]);
    lab.until(T0 + 6);
    lab.command(Operation::Scale { workload: web, replicas: 3 });
    lab.until(T0 + 30);
    let created = since(&lab, |k| matches!(k, FactKind::PodCreated { workload, .. } if *workload == web));
    assert!(created[0] < 0.2, "while the hook answers: {created:?}");
    near(created[1], 16.0, 0.1, "the creation after the time-out");
    assert_eq!(since(&lab, |k| matches!(k, FactKind::Noted { note: Note::WebhookIgnored, .. })).len(), 1);
}

fn stop(lab: &mut Lab, part: Component, which: Instances) {
    lab.command(Operation::ControlPlane { part, change: PartChange::Stop(which) });
}

fn start(lab: &mut Lab, part: Component, which: Instances) {
    lab.command(Operation::ControlPlane { part, change: PartChange::Start(which) });
}

fn elected(lab: &Lab, part: Component) -> Vec<f64> {
    since(lab, |k| matches!(k, FactKind::LeaderElected { component } if *component == part))
}

/// A small cluster at work, at the trigger.
fn at_work(seed: u64) -> (Lab, WorkloadId) {
    let mut setup = Setup::new("kubernetes").nodes("a", 4);
    let web = setup.deployment("web", 4);
    (begin(setup, seed, 1_000), web)
}

#[test]
fn nothing_is_scheduled_until_another_scheduler_has_the_lease() {
    for seed in 0..10 {
        let (mut lab, web) = at_work(seed);
        stop(&mut lab, Component::Scheduler, Instances::Leader);
        lab.command(Operation::Scale { workload: web, replicas: 8 });
        lab.until(T0 + 60);
        let created = since(&lab, |k| matches!(k, FactKind::PodCreated { .. }));
        assert!(created.len() == 4 && created[3] < 1.0, "controllers go on: {created:?}");
        let gap = elected(&lab, Component::Scheduler);
        assert!(gap.len() == 1 && (13.0..24.5).contains(&gap[0]), "{gap:?}");
        let bound = since(&lab, |k| matches!(k, FactKind::PodBound { .. }));
        assert_eq!(bound.len(), 4);
        assert!(bound.iter().all(|at| (gap[0]..gap[0] + 0.5).contains(at)), "{bound:?} {gap:?}");
        assert_eq!(lab.ready(web), 8);
    }
}

/// Surprise 23: at first nothing changes, and when the controllers are back the grace period starts anew.
#[test]
fn a_node_that_dies_without_controllers_gets_its_whole_grace_from_the_next_leader() {
    for seed in 0..10 {
        let (mut lab, web) = at_work(seed);
        stop(&mut lab, Component::Controllers, Instances::All);
        let node = lab.view().pods().next().and_then(|p| p.node).expect("bound");
        lab.kill([node]);
        lab.until(T0 + 300);
        assert!(since(&lab, |k| matches!(k, FactKind::NodeUnhealthy { .. })).is_empty(), "nobody looks");
        assert_eq!(lab.ready(web), 4, "a dead node's pods stay ready on paper");
        start(&mut lab, Component::Controllers, Instances::All);
        lab.until(T0 + 1_000);
        let leader = elected(&lab, Component::Controllers)[0];
        assert!((313.0..324.5).contains(&leader), "a new process waits for a whole lease: {leader}");
        let found = since(&lab, |k| matches!(k, FactKind::NodeUnhealthy { .. }))[0] - leader;
        assert!((50.0..60.5).contains(&found), "grace from the election on: {found}");
        assert_eq!(lab.ready(web), 4);
        assert!(lab.view().contradictions().is_empty());
    }
}

#[test]
fn replicas_are_not_replaced_without_controllers_and_are_at_once_with_them() {
    let (mut lab, web) = at_work(1);
    stop(&mut lab, Component::Controllers, Instances::Leader);
    let pods: Vec<_> = lab.view().pods().map(|p| p.id).collect();
    lab.command(Operation::DeletePods { pods, grace: None });
    lab.until(T0 + 12);
    assert_eq!(lab.ready(web), 0);
    lab.until(T0 + 60);
    let leader = elected(&lab, Component::Controllers)[0];
    let created = since(&lab, |k| matches!(k, FactKind::PodCreated { .. }));
    assert_eq!(created.len(), 4);
    assert!(created.iter().all(|at| (leader..leader + 1.0).contains(at)), "{created:?} after {leader}");
    assert_eq!(lab.ready(web), 4);
}

#[test]
fn a_short_outage_of_the_api_costs_no_leader_and_a_long_one_costs_both() {
    for (outage, leaders) in [(8, 0), (20, 2)] {
        let (mut lab, web) = at_work(3);
        stop(&mut lab, Component::ApiServer, Instances::All);
        lab.command(Operation::Scale { workload: web, replicas: 6 });
        lab.until(T0 + outage);
        assert!(since(&lab, |k| matches!(k, FactKind::Scaled { .. })).is_empty(), "nobody hears the command");
        start(&mut lab, Component::ApiServer, Instances::All);
        lab.until(T0 + 120);
        let lost = |k: &FactKind| {
            matches!(k, FactKind::LeaderLost { component: Component::Scheduler | Component::Controllers })
        };
        assert_eq!(since(&lab, lost).len(), leaders, "after {outage} s");
        assert_eq!(lab.ready(web), 6);
        assert!(since(&lab, |k| matches!(k, FactKind::NodeUnhealthy { .. })).is_empty());
        assert_eq!(lab.engine.planned(), 0);
    }
}

#[test]
fn one_of_three_api_servers_is_not_missed() {
    let (mut lab, web) = at_work(3);
    stop(&mut lab, Component::ApiServer, Instances::Leader);
    lab.command(Operation::Scale { workload: web, replicas: 6 });
    lab.until(T0 + 20);
    assert_eq!(lab.ready(web), 6);
}

#[test]
fn the_store_stalls_for_an_election_and_stops_without_a_quorum() {
    let (mut lab, web) = at_work(3);
    stop(&mut lab, Component::Store, Instances::Leader);
    lab.command(Operation::Scale { workload: web, replicas: 5 });
    lab.until(T0 + 30);
    let created = since(&lab, |k| matches!(k, FactKind::PodCreated { .. }));
    assert!((1.0..2.1).contains(&created[0]), "{created:?}");
    stop(&mut lab, Component::Store, Instances::Follower);
    lab.command(Operation::Scale { workload: web, replicas: 6 });
    lab.until(T0 + 90);
    assert_eq!(lab.ready(web), 5);
    assert_eq!(since(&lab, |k| matches!(k, FactKind::Noted { note: Note::NoQuorum, .. })).len(), 1);
    start(&mut lab, Component::Store, Instances::Leader);
    lab.until(T0 + 180);
    assert_eq!(since(&lab, |k| matches!(k, FactKind::Noted { note: Note::QuorumBack, .. })).len(), 1);
    assert_eq!(lab.ready(web), 6);
    assert_eq!(lab.engine.planned(), 0);
}
