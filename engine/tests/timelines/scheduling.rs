//! Pods that push others aside, wait for each other, or wait for somebody: gates, groups, profiles of the scheduler.

use shakedown_engine::fact::{Deletion, FactKind, Note, Subject};
use shakedown_engine::ids::{NodeId, PodId, WorkloadId};
use shakedown_engine::labels::Selector;
use shakedown_engine::message::Operation;
use shakedown_engine::model::{
    Amount, BudgetBound, BudgetSpec, Bytes, GroupSpec, MilliCpu, Resources, UnhealthyEviction,
};
use shakedown_engine::profile::{PlacementArgs, SchedulerProfile, Score};
use shakedown_engine::time::{Span, Time};

use super::script::{Lab, Setup};

/// A deployment whose pods take a whole core.
fn cores(setup: &mut Setup, name: &str, replicas: u32, priority: i32) -> WorkloadId {
    let workload = setup.deployment(name, replicas);
    let template = &mut setup.catalog.templates[setup.catalog.workloads[workload].template];
    template.requests = Resources::new(MilliCpu(1_000), Bytes(1 << 20));
    template.priority = priority;
    template.grace = Some(Span::from_secs(30));
    workload
}

fn count(lab: &Lab, is: impl Fn(&FactKind) -> bool) -> usize {
    lab.facts.facts().iter().filter(|fact| is(&fact.kind)).count()
}

fn when(lab: &Lab, is: impl Fn(&FactKind) -> bool) -> Vec<f64> {
    lab.facts.facts().iter().filter(|fact| is(&fact.kind)).map(|fact| fact.at.as_secs_f64()).collect()
}

fn preempted(kind: &FactKind) -> bool {
    matches!(kind, FactKind::PodDeleting { why: Deletion::Preempted, .. })
}

fn noted(lab: &Lab, subject: Subject, note: Note) -> bool {
    count(lab, |kind| *kind == FactKind::Noted { subject, note }) > 0
}

fn bound_of(lab: &Lab, workload: WorkloadId) -> usize {
    lab.view().pods().filter(|pod| pod.workload == workload && pod.node.is_some()).count()
}

fn sound(lab: &Lab) {
    let wrong = lab.view().contradictions();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Recording 13: six full nodes, 24 pods of priority 0 whose replacements have 500, and four pods of 10000. All 24 are
/// pushed aside within 1.3 s: the first 13 in 0.15 s, then at the 20 requests a second of the replicas' controller.
#[test]
fn preemption_cascades_through_replacements_of_a_higher_default_priority() {
    let mut setup = Setup::new("kubernetes").nodes("a", 6);
    let old: Vec<WorkloadId> = ["d1", "d2", "d3"].map(|name| cores(&mut setup, name, 8, 0)).to_vec();
    let high = cores(&mut setup, "hi", 0, 10_000);
    let twins = old.iter().map(|&workload| {
        let template = setup.catalog.workloads[workload].template;
        let mut twin = setup.catalog.templates[template].clone();
        twin.priority = 500;
        (template, setup.catalog.templates.push(twin))
    });
    let twins = twins.collect();
    let mut lab = setup.start(1);
    lab.world.pace = Some((Span::from_secs(1), Span::from_secs(3)));
    lab.until(20);
    lab.command(Operation::DefaultPriority { twins });
    lab.command(Operation::Scale { workload: high, replicas: 4 });
    lab.until(60);
    let gone = when(&lab, preempted);
    assert_eq!(gone.len(), 24, "every pod of priority 0 makes way for one that is worth more");
    assert!(gone[12] - 20.0 < 0.4, "the first 13 follow each other at once: {gone:?}");
    assert!(gone[23] - gone[0] < 1.6, "the rest at the rate of the controller of replicas: {gone:?}");
    assert_eq!(bound_of(&lab, high), 4);
    assert_eq!(lab.view().pods().filter(|pod| pod.node.is_none()).count(), 4, "four pods stay pending");
    let nominated = when(&lab, |kind| matches!(kind, FactKind::PodNominated { .. }));
    assert!(nominated.len() >= 24 && nominated[0] < gone[0], "a node is promised first");
    let disrupted = count(&lab, |kind| matches!(kind, FactKind::PodDisrupted { why: Deletion::Preempted, .. }));
    assert_eq!(disrupted, 24);
    sound(&lab);
}

/// A promised node is kept for the pod while its victims end, against pods of its own priority.
#[test]
fn a_promised_node_is_kept_from_equals_until_the_victims_are_gone() {
    let mut setup = Setup::new("kubernetes").nodes("a", 1);
    let low = cores(&mut setup, "low", 4, 0);
    let high = cores(&mut setup, "high", 0, 10);
    let rival = cores(&mut setup, "rival", 0, 10);
    setup.catalog.templates[setup.catalog.workloads[rival].template].preempts = false;
    let mut lab = setup.start(1);
    lab.world.pace = Some((Span::from_secs(1), Span::from_secs(8)));
    lab.until(10);
    lab.command(Operation::Scale { workload: high, replicas: 1 });
    lab.until(12);
    lab.command(Operation::Scale { workload: rival, replicas: 1 });
    lab.until(60);
    assert_eq!((bound_of(&lab, high), bound_of(&lab, rival), bound_of(&lab, low)), (1, 0, 3));
    assert_eq!(count(&lab, preempted), 1, "one victim is enough, and nobody else is touched meanwhile");
    sound(&lab);
}

/// The budget decides which of two equal nodes is taken, but protects nothing in the end.
#[test]
fn preemption_spares_pods_of_a_budget_as_long_as_others_will_do() {
    let mut setup = Setup::new("kubernetes").nodes("a", 2);
    let guarded = cores(&mut setup, "guarded", 4, 0);
    let free = cores(&mut setup, "free", 4, 0);
    let high = cores(&mut setup, "high", 0, 10);
    let names = &mut setup.catalog.names;
    let selector = Selector::equals([(names.intern("app"), names.intern("guarded"))]);
    setup.catalog.budgets.push(BudgetSpec {
        name: names.intern("budget"),
        namespace: names.intern("default"),
        selector: Some(selector),
        bound: BudgetBound::MaxUnavailable(Amount::Count(0)),
        unhealthy: UnhealthyEviction::IfHealthyBudget,
    });
    let mut lab = setup.start(1);
    lab.until(10);
    lab.command(Operation::Scale { workload: high, replicas: 4 });
    lab.until(60);
    assert_eq!((bound_of(&lab, guarded), bound_of(&lab, free), bound_of(&lab, high)), (4, 0, 4));
    lab.command(Operation::Scale { workload: high, replicas: 6 });
    lab.until(120);
    assert_eq!((bound_of(&lab, guarded), bound_of(&lab, high)), (2, 6));
    sound(&lab);
}

#[test]
fn a_gated_pod_is_not_tried_before_its_gates_are_removed() {
    let mut setup = Setup::new("kubernetes").nodes("a", 1);
    let web = setup.deployment("web", 2);
    let gate = setup.catalog.names.intern("example.com/wait");
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].gates = vec![gate];
    let mut lab = setup.start(1);
    lab.until(400);
    assert_eq!(bound_of(&lab, web), 0);
    assert!(noted(&lab, Subject::Pod(PodId(0)), Note::SchedulingGated));
    lab.command(Operation::Ungate { workload: web });
    lab.until(401);
    assert_eq!(bound_of(&lab, web), 2);
    sound(&lab);
}

#[test]
fn a_pod_of_an_unknown_scheduler_waits_for_ever() {
    let mut setup = Setup::new("kubernetes").nodes("a", 1);
    let web = setup.deployment("web", 1);
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].scheduler = setup.catalog.names.intern("nobody");
    let mut lab = setup.start(1);
    lab.until(1000);
    assert_eq!(bound_of(&lab, web), 0);
    assert!(noted(&lab, Subject::Pod(PodId(0)), Note::NoSuchScheduler));
    assert_eq!(count(&lab, |kind| matches!(kind, FactKind::PodUnschedulable { .. })), 0, "nobody tries it");
}

/// The second profile packs, the default one spreads.
#[test]
fn pods_choose_the_profile_of_the_scheduler_by_name() {
    let mut setup = Setup::new("kubernetes").nodes("a", 4);
    let packed = setup.deployment("packed", 4);
    let spread = setup.deployment("spread", 4);
    setup.catalog.templates[setup.catalog.workloads[packed].template].scheduler = setup.catalog.names.intern("packer");
    let mut placement = setup.profile.placement.clone();
    placement.scores = vec![(Score::MostAllocated, 1)];
    placement.args = PlacementArgs::default();
    setup.profile.schedulers = vec![SchedulerProfile { name: "packer".to_owned(), placement }];
    let mut lab = setup.start(1);
    lab.until(10);
    let nodes = |workload| {
        let mut nodes: Vec<Option<NodeId>> =
            lab.view().pods().filter(|pod| pod.workload == workload).map(|pod| pod.node).collect();
        nodes.sort();
        nodes.dedup();
        nodes.len()
    };
    assert!(nodes(packed) < nodes(spread), "{} and {}", nodes(packed), nodes(spread));
    assert_eq!(bound_of(&lab, packed) + bound_of(&lab, spread), 8);
}

/// A group of three needs three cores: with two free, none of its pods is placed.
#[test]
fn a_group_is_placed_as_a_whole_or_not_at_all() {
    let mut setup = Setup::new("kubernetes").nodes("a", 1);
    let filler = cores(&mut setup, "filler", 2, 0);
    let gang = cores(&mut setup, "gang", 0, 0);
    let names = &mut setup.catalog.names;
    let (name, namespace) = (names.intern("gang"), names.intern("default"));
    let group = setup.catalog.groups.push(GroupSpec { name, namespace, min_count: 3 });
    setup.catalog.templates[setup.catalog.workloads[gang].template].group = Some(group);
    let mut lab = setup.start(1);
    lab.until(10);
    lab.command(Operation::Scale { workload: gang, replicas: 2 });
    lab.until(20);
    assert!(noted(&lab, Subject::Group(group), Note::WaitingForGroup), "it is not complete");
    lab.command(Operation::Scale { workload: gang, replicas: 3 });
    lab.until(40);
    assert_eq!(bound_of(&lab, gang), 0, "two of three would fit");
    sound(&lab);
    lab.command(Operation::Scale { workload: filler, replicas: 1 });
    lab.until(60);
    assert_eq!(bound_of(&lab, gang), 3);
    let bound = when(&lab, |kind| matches!(kind, FactKind::PodBound { pod, .. } if pod.0 >= 2));
    assert!(bound[2] - bound[0] < 0.1, "all at once: {bound:?}");
    assert!(lab.engine.now() >= Time::from_secs(60));
    sound(&lab);
}
