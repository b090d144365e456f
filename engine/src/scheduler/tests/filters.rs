//! Filters one by one, and how refusals are counted and worded.

use super::build::{Build, MI, placement, pod};
use crate::ids::{NodeId, TemplateId};
use crate::labels::{Labels, Op, Requirement, Selector};
use crate::model::{HOSTNAME_LABEL, HostPort, NodeTerm, TaintEffect, Toleration, WhenUnsatisfiable, ZONE_LABEL};
use crate::profile::{Filter, Sampling};
use crate::scheduler::{FilterSet, NodeState, Outcome, Reason, Refusal, Scheduler};

/// The reasons of each node that refuses the template, in node order.
fn refused(scheduler: &Scheduler, template: TemplateId) -> Vec<(u32, Vec<Reason>)> {
    let mut refused: Vec<_> =
        scheduler.explain(&pod(900, template)).refused.into_iter().map(|(node, v)| (node.0, v.reasons)).collect();
    refused.sort();
    refused
}

fn refusal(scheduler: &mut Scheduler, template: TemplateId) -> Refusal {
    match scheduler.place(&pod(901, template)) {
        Outcome::Refused(refusal) => refusal,
        placed => panic!("expected a refusal, got {placed:?}"),
    }
}

fn only(reason: Reason) -> Vec<Reason> {
    vec![reason]
}

#[test]
fn a_cordoned_node_takes_only_pods_that_tolerate_it() {
    let mut build = Build::new();
    build.node("a");
    let plain = build.template("plain");
    let plain = build.add(plain);
    let mut daemon = build.template("daemon");
    let key = Some(build.0.known.unschedulable);
    daemon.tolerations = vec![Toleration { key, value: None, effect: Some(TaintEffect::NoSchedule), seconds: None }];
    let daemon = build.add(daemon);
    let mut scheduler = build.scheduler();
    scheduler.set_node(NodeId(0), NodeState { taints: Vec::new(), unschedulable: true });
    assert_eq!(refused(&scheduler, plain), [(0, only(Reason::Unschedulable))]);
    assert_eq!(refused(&scheduler, daemon), []);
}

#[test]
fn hard_taints_refuse_and_soft_ones_do_not() {
    let mut build = Build::new();
    for effect in [TaintEffect::NoSchedule, TaintEffect::NoExecute, TaintEffect::PreferNoSchedule] {
        let node = build.node("a");
        let taint = build.taint("dedicated", effect);
        build.0.nodes[node].taints = vec![taint];
    }
    let template = build.template("plain");
    let template = build.add(template);
    let mut scheduler = build.scheduler();
    assert_eq!(refused(&scheduler, template), [(0, only(Reason::Taint)), (1, only(Reason::Taint))]);
    scheduler.set_node(NodeId(0), NodeState::default());
    assert_eq!(refused(&scheduler, template), [(1, only(Reason::Taint))]);
}

#[test]
fn selector_and_terms_must_hold_and_an_empty_term_matches_nothing() {
    let mut build = Build::new();
    let (disk, ssd, size, seven) = (build.s("disk"), build.s("ssd"), build.s("size"), build.s("7"));
    for labels in [vec![(disk, ssd), (size, seven)], vec![(disk, ssd)], vec![]] {
        let node = build.node("a");
        build.0.nodes[node].labels = Labels::new(labels);
    }
    let mut large = build.template("large");
    large.node_selector = vec![(disk, ssd)];
    let labels = Selector { all: vec![Requirement { key: size, op: Op::Greater(5) }] };
    large.affinity.node_required = vec![NodeTerm::default(), NodeTerm { labels, ..NodeTerm::default() }];
    let large = build.add(large);
    let mut nowhere = build.template("nowhere");
    nowhere.affinity.node_required = vec![NodeTerm::default()];
    let nowhere = build.add(nowhere);
    let scheduler = build.scheduler();
    assert_eq!(refused(&scheduler, large), [(1, only(Reason::NodeAffinity)), (2, only(Reason::NodeAffinity))]);
    assert_eq!(refused(&scheduler, nowhere).len(), 3);
}

#[test]
fn affinity_by_name_looks_at_no_other_node() {
    let mut build = Build::new();
    build.nodes(&["a"; 3]);
    let mut pinned = build.template("pinned");
    let names = vec![build.s("node-1")];
    pinned.affinity.node_required = vec![NodeTerm { names, ..NodeTerm::default() }];
    let pinned = build.add(pinned);
    let mut scheduler = build.scheduler();
    let outcome = scheduler.place(&pod(0, pinned));
    assert_eq!(outcome, Outcome::Placed { node: NodeId(1), looked_at: 1, feasible: 1 });
    assert_eq!(refused(&scheduler, pinned), [(0, only(Reason::NotNamed)), (2, only(Reason::NotNamed))]);
}

#[test]
fn host_ports_clash_by_port_and_protocol_unless_both_addresses_differ() {
    let mut build = Build::new();
    build.node("a");
    let tcp = build.s("TCP");
    let mut on = |ip: &str, port| {
        let mut template = build.template(&format!("{ip}:{port}"));
        template.host_ports = vec![HostPort { port, protocol: tcp, ip: build.s(ip) }];
        build.add(template)
    };
    let (one, same, other, every, free) =
        (on("10.0.0.1", 80), on("10.0.0.1", 80), on("10.0.0.2", 80), on("0.0.0.0", 80), on("", 81));
    let mut scheduler = build.scheduler();
    let first = pod(0, one);
    scheduler.charge(&first, NodeId(0));
    assert_eq!(refused(&scheduler, same), [(0, only(Reason::Port))]);
    assert_eq!(refused(&scheduler, every), [(0, only(Reason::Port))]);
    assert_eq!(refused(&scheduler, other), []);
    assert_eq!(refused(&scheduler, free), []);
    scheduler.release(&first, NodeId(0));
    assert_eq!(refused(&scheduler, same), []);
}

#[test]
fn resources_are_held_until_a_pod_is_gone_and_every_shortage_is_named() {
    let mut build = Build::new();
    build.node("a");
    let big = build.sized("big", 3000, 20 * 1024 * MI);
    let big = build.add(big);
    let huge = build.sized("huge", 5000, 20 * 1024 * MI);
    let huge = build.add(huge);
    let none = build.template("none");
    let none = build.add(none);
    let mut scheduler = build.scheduler();
    let first = pod(0, big);
    scheduler.charge(&first, NodeId(0));
    assert_eq!(refused(&scheduler, big), [(0, vec![Reason::Cpu, Reason::Memory])]);
    assert_eq!(refused(&scheduler, none), [], "what is not requested is not compared");
    scheduler.set_terminating(&first, NodeId(0));
    assert_eq!(refused(&scheduler, big).len(), 1);
    assert_eq!(scheduler.requested(NodeId(0)).terminating, 1);
    scheduler.release(&first, NodeId(0));
    assert_eq!(refused(&scheduler, big), []);
    let verdict = &scheduler.explain(&pod(1, huge)).refused[0].1;
    assert!(verdict.unresolvable, "no removal makes the node larger");
}

#[test]
fn a_refusal_counts_nodes_by_filter_and_reads_like_kubernetes() {
    let mut build = Build::new();
    build.nodes(&["a"; 5]);
    let taint = build.taint("dedicated", TaintEffect::NoSchedule);
    build.0.nodes[NodeId(0)].taints = vec![taint];
    build.0.nodes[NodeId(3)].taints = vec![taint];
    let big = build.sized("big", 5000, MI);
    let big = build.add(big);
    let mut scheduler = build.scheduler();
    let refusal = refusal(&mut scheduler, big);
    assert_eq!((refusal.insufficient_resources, refusal.refused_otherwise, refusal.looked_at), (3, 2, 5));
    assert_eq!(refusal.count(Filter::TaintToleration), 2);
    let filters = FilterSet::EMPTY.with(Filter::TaintToleration).with(Filter::NodeResourcesFit);
    assert_eq!(refusal.filters(), filters);
    let message = refusal.message(&scheduler.catalog.names);
    assert_eq!(message, "0/5 nodes are available: 2 node(s) had untolerated taint(s), 3 Insufficient cpu.");
}

#[test]
fn hard_spread_keeps_within_the_skew_and_ignores_pods_that_end() {
    let mut build = Build::new();
    let nodes = [build.node("a"), build.node("b"), build.node("")];
    let mut template = build.template("web");
    template.spread = vec![build.spread("web", ZONE_LABEL, WhenUnsatisfiable::DoNotSchedule)];
    let web = build.add(template);
    let mut scheduler = build.scheduler();
    let no_label = (2, only(Reason::SpreadLabel));
    scheduler.charge(&pod(0, web), nodes[0]);
    assert_eq!(refused(&scheduler, web), [(0, only(Reason::SpreadSkew)), no_label.clone()]);
    scheduler.set_terminating(&pod(0, web), nodes[0]);
    assert_eq!(refused(&scheduler, web), std::slice::from_ref(&no_label));
    scheduler.charge(&pod(1, web), nodes[1]);
    assert_eq!(refused(&scheduler, web), [(1, only(Reason::SpreadSkew)), no_label.clone()]);
    scheduler.remove_node(nodes[0]);
    assert_eq!(refused(&scheduler, web), [no_label], "the emptier zone is gone");
}

#[test]
fn too_few_domains_count_as_one_more_empty_domain() {
    let mut build = Build::new();
    let nodes = [build.node("a"), build.node("b")];
    let mut template = build.template("web");
    let mut constraint = build.spread("web", ZONE_LABEL, WhenUnsatisfiable::DoNotSchedule);
    constraint.min_domains = Some(3);
    template.spread = vec![constraint];
    let web = build.add(template);
    let mut scheduler = build.scheduler();
    scheduler.charge(&pod(0, web), nodes[0]);
    scheduler.charge(&pod(1, web), nodes[1]);
    assert_eq!(refused(&scheduler, web).len(), 2);
}

#[test]
fn required_affinity_follows_pods_and_the_first_of_its_kind_may_go_anywhere() {
    let mut build = Build::new();
    build.nodes(&["a", "a", "b"]);
    let mut herd = build.template("herd");
    herd.affinity.pod_required = vec![build.term("herd", ZONE_LABEL)];
    let herd = build.add(herd);
    let mut guest = build.template("guest");
    guest.affinity.pod_required = vec![build.term("herd", ZONE_LABEL)];
    let guest = build.add(guest);
    let mut scheduler = build.scheduler();
    assert_eq!(refused(&scheduler, guest).len(), 3);
    assert_eq!(refused(&scheduler, herd), []);
    scheduler.charge(&pod(0, herd), NodeId(0));
    assert_eq!(refused(&scheduler, guest), [(2, only(Reason::PodAffinity))]);
    assert_eq!(refused(&scheduler, herd), [(2, only(Reason::PodAffinity))]);
}

#[test]
fn anti_affinity_works_in_both_directions() {
    let mut build = Build::new();
    build.nodes(&["a"; 2]);
    let mut shy = build.template("shy");
    shy.affinity.anti_required = vec![build.term("loud", HOSTNAME_LABEL)];
    let shy = build.add(shy);
    let loud = build.template("loud");
    let loud = build.add(loud);
    let mut scheduler = build.scheduler();
    // The loud pod is known before any shy one: a later carrier must still reach it.
    scheduler.charge(&pod(0, loud), NodeId(0));
    assert_eq!(refused(&scheduler, shy), [(0, only(Reason::PodAntiAffinity))]);
    scheduler.charge(&pod(1, shy), NodeId(1));
    assert_eq!(refused(&scheduler, loud), [(1, only(Reason::ExistingAntiAffinity))]);
    scheduler.release(&pod(1, shy), NodeId(1));
    assert_eq!(refused(&scheduler, loud), []);
}

#[test]
fn sampling_follows_the_table_of_kube_scheduler() {
    let sampling = placement().sampling;
    let table =
        [(99, 99), (100, 100), (500, 230), (1_000, 420), (2_000, 680), (5_000, 500), (10_000, 500), (15_000, 750)];
    for (nodes, wanted) in table {
        assert_eq!(sampling.wanted(nodes), wanted, "{nodes} nodes");
    }
}

#[test]
fn each_scan_starts_where_the_last_one_ended() {
    let mut build = Build::new();
    build.nodes(&[""; 10]);
    let template = build.template("web");
    let web = build.add(template);
    let mut placement = placement();
    placement.sampling = Sampling { percent: 30, min_percent: 5, min_nodes: 1 };
    let mut scheduler = build.scheduler_with(placement);
    let mut looked_at = Vec::new();
    for i in 0..4 {
        let nodes: Vec<u32> = scheduler.explain(&pod(i, web)).feasible.iter().map(|c| c.node.0).collect();
        looked_at.push(nodes);
        scheduler.place(&pod(i, web));
    }
    assert_eq!(looked_at, [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 0, 1]]);
}

#[test]
fn without_nodes_nothing_is_available() {
    let mut build = Build::new();
    let template = build.template("web");
    let web = build.add(template);
    let mut scheduler = build.scheduler();
    let refusal = refusal(&mut scheduler, web);
    assert_eq!(refusal.message(&scheduler.catalog.names), "no nodes available to schedule pods");
    assert!(refusal.filters().is_empty());
}
