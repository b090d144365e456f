//! Scores one by one, on cases small enough to compute by hand.

use super::build::{Build, MI, placement, pod};
use crate::ids::{NodeId, PodId, TemplateId};
use crate::labels::{Labels, Selector};
use crate::model::{Bytes, NodeTerm, TaintEffect, Weighted, WhenUnsatisfiable, WorkloadKind, ZONE_LABEL};
use crate::profile::{Balanced, Profile, Score};
use crate::scheduler::{Candidate, Outcome, Request, Scheduler};

/// (raw, normalised) of one score for every node, in node order.
fn column(scheduler: &Scheduler, request: &Request, score: Score) -> Vec<(i64, i64)> {
    let mut feasible = scheduler.explain(request).feasible;
    feasible.sort_by_key(|candidate| candidate.node);
    let share = |c: &Candidate| c.scores.iter().find(|share| share.score == score).copied();
    feasible.iter().filter_map(share).map(|share| (share.raw, share.normalised)).collect()
}

fn shares(scheduler: &Scheduler, template: TemplateId, score: Score) -> Vec<(i64, i64)> {
    column(scheduler, &pod(900, template), score)
}

/// Two empty nodes of 4 cores and 32 GiB, and a pod of 100 m and 500 Mi.
fn oracle(balanced: Balanced) -> (Scheduler, TemplateId) {
    let mut build = Build::new();
    build.nodes(&["a"; 2]);
    let template = build.sized("web", 100, 500 * MI);
    let web = build.add(template);
    let mut placement = placement();
    placement.balanced = balanced;
    (build.scheduler_with(placement), web)
}

#[test]
fn the_score_oracle_holds() {
    let (scheduler, web) = oracle(Balanced::Change);
    assert_eq!(shares(&scheduler, web, Score::LeastAllocated)[0].1, 97);
    assert_eq!(shares(&scheduler, web, Score::BalancedAllocation)[0].1, 74);
    let (scheduler, web) = oracle(Balanced::After);
    assert_eq!(shares(&scheduler, web, Score::BalancedAllocation)[0].1, 99);
}

#[test]
fn a_pod_without_requests_is_scored_by_defaults_and_skips_balance() {
    let mut build = Build::new();
    build.nodes(&["a"; 2]);
    let template = build.template("web");
    let web = build.add(template);
    let scheduler = build.scheduler();
    // (97 + 99) / 2 for 100 m of 4 cores and 200 Mi of 32 Gi.
    assert_eq!(shares(&scheduler, web, Score::LeastAllocated)[0].1, 98);
    assert_eq!(shares(&scheduler, web, Score::BalancedAllocation), []);
}

#[test]
fn a_single_feasible_node_is_not_scored() {
    let mut build = Build::new();
    build.node("a");
    let template = build.template("web");
    let web = build.add(template);
    let explanation = build.scheduler().explain(&pod(0, web));
    assert_eq!((explanation.feasible[0].total, explanation.feasible[0].scores.len()), (0, 0));
    assert_eq!(explanation.best, [NodeId(0)]);
}

#[test]
fn soft_taints_are_counted_and_reversed() {
    let mut build = Build::new();
    build.nodes(&["a"; 3]);
    let (one, two) =
        (build.taint("t1", TaintEffect::PreferNoSchedule), build.taint("t2", TaintEffect::PreferNoSchedule));
    build.0.nodes[NodeId(1)].taints = vec![one];
    build.0.nodes[NodeId(2)].taints = vec![one, two];
    let template = build.template("web");
    let web = build.add(template);
    assert_eq!(shares(&build.scheduler(), web, Score::TaintToleration), [(0, 100), (1, 50), (2, 0)]);
}

#[test]
fn preferred_node_terms_add_their_weights() {
    let mut build = Build::new();
    build.nodes(&["a"; 3]);
    let (disk, ssd, fast) = (build.s("disk"), build.s("ssd"), build.s("fast"));
    build.0.nodes[NodeId(0)].labels = Labels::new([(disk, ssd), (fast, fast)]);
    build.0.nodes[NodeId(1)].labels = Labels::new([(disk, ssd)]);
    let mut template = build.template("web");
    let term = |pair| NodeTerm { labels: Selector::equals([pair]), ..NodeTerm::default() };
    template.affinity.node_preferred =
        vec![Weighted { weight: 20, item: term((disk, ssd)) }, Weighted { weight: 10, item: term((fast, fast)) }];
    let web = build.add(template);
    assert_eq!(shares(&build.scheduler(), web, Score::NodeAffinity), [(30, 100), (20, 66), (0, 0)]);
}

#[test]
fn soft_spread_weighs_domains_by_the_logarithm_of_their_number() {
    let mut build = Build::new();
    build.nodes(&["a", "a", "b", ""]);
    let mut template = build.template("web");
    template.spread = vec![build.spread("web", ZONE_LABEL, WhenUnsatisfiable::ScheduleAnyway)];
    let web = build.add(template);
    let mut scheduler = build.scheduler();
    for i in 0..3 {
        scheduler.charge(&pod(i, web), NodeId(0));
    }
    scheduler.charge(&pod(3, web), NodeId(2));
    // ln(2 zones + 2) = 1.386: zone a has 3 pods, b has 1, and the node without a zone is not scored.
    assert_eq!(shares(&scheduler, web, Score::PodTopologySpread), [(4, 25), (4, 25), (1, 100), (0, 0)]);
}

#[test]
fn default_spread_counts_the_pods_of_a_revision_and_only_where_an_owner_selects() {
    let mut build = Build::new();
    build.nodes(&["a"; 2]);
    let (old, new) = (build.template("web"), build.template("web"));
    let (old, new) = (build.add(old), build.add(new));
    let workload = build.workload(WorkloadKind::Deployment, "web", new);
    let mut scheduler = build.scheduler();
    let request = |pod, template| Request { pod: PodId(pod), template, workload: Some(workload), only: None };
    scheduler.charge(&request(0, old), NodeId(0));
    let raw = |scheduler: &Scheduler, request: &Request| -> Vec<i64> {
        column(scheduler, request, Score::PodTopologySpread).iter().map(|share| share.0).collect()
    };
    // Nothing counted: just the tolerances, 3 - 1 for hosts and 5 - 1 for zones.
    assert_eq!(raw(&scheduler, &request(9, new)), [6, 6]);
    // One pod: ln(2 hosts + 2) = 1.386 on its node, ln(1 zone + 2) = 1.099 in its zone.
    assert_eq!(raw(&scheduler, &request(9, old)), [8, 7]);
    assert_eq!(raw(&scheduler, &pod(9, old)), [], "no service and no owner: no constraint");
}

#[test]
fn preferred_affinity_counts_both_what_a_pod_wants_and_what_others_want_of_it() {
    let mut build = Build::new();
    build.nodes(&["a", "b", "c"]);
    let mut fan = build.template("fan");
    fan.affinity.pod_preferred = vec![Weighted { weight: 40, item: build.term("star", ZONE_LABEL) }];
    fan.affinity.pod_required = vec![build.term("fan", ZONE_LABEL)];
    let fan = build.add(fan);
    let mut star = build.template("star");
    star.affinity.anti_preferred = vec![Weighted { weight: 10, item: build.term("star", ZONE_LABEL) }];
    let star = build.add(star);
    let mut scheduler = build.scheduler();
    scheduler.charge(&pod(0, fan), NodeId(0));
    scheduler.charge(&pod(1, star), NodeId(1));
    // Zone a: a fan wants stars (40). Zone b: the star avoids stars, and this one avoids it (-20).
    assert_eq!(shares(&scheduler, star, Score::InterPodAffinity), [(40, 100), (-20, 0), (0, 33)]);
}

#[test]
fn images_count_by_size_and_by_the_share_of_nodes_that_have_them() {
    let mut build = Build::new();
    build.nodes(&["a"; 4]);
    let template = build.template("web");
    let image = template.containers[0].image;
    build.0.images[image].size = Bytes(1000 * MI);
    let web = build.add(template);
    let mut scheduler = build.scheduler();
    scheduler.add_image(NodeId(0), image);
    scheduler.add_image(NodeId(1), image);
    // 1000 MiB * 2/4 = 500 MiB: 100 * (500 - 23) / (1000 - 23).
    let scores: Vec<i64> = shares(&scheduler, web, Score::ImageLocality).iter().map(|share| share.1).collect();
    assert_eq!(scores, [48, 48, 0, 0]);
}

#[test]
fn swarm_prefers_nodes_with_fewest_tasks_of_the_service_then_with_fewest_tasks() {
    let mut build = Build::new();
    build.nodes(&["a"; 3]);
    let template = build.template("web");
    let web = build.add(template);
    let workload = Some(build.workload(WorkloadKind::Deployment, "web", web));
    let mut scheduler = build.scheduler_with(Profile::named("swarm").expect("it is built in").placement);
    let mut charge = |id, workload, node| {
        scheduler.charge(&Request { pod: PodId(id), template: web, workload, only: None }, NodeId(node));
    };
    charge(0, workload, 0);
    (1..4).for_each(|id| charge(id, None, 1));
    (4..6).for_each(|id| charge(id, None, 2));
    let request = Request { pod: PodId(9), template: web, workload, only: None };
    assert_eq!(scheduler.place(&request), Outcome::Placed { node: NodeId(2), looked_at: 3, feasible: 3 });
}

#[test]
fn ties_are_spread_evenly_over_the_best_nodes() {
    let mut build = Build::new();
    build.nodes(&["a"; 4]);
    let template = build.template("web");
    let web = build.add(template);
    let mut scheduler = build.scheduler();
    let mut hits = [0; 4];
    for i in 0..400 {
        if let Outcome::Placed { node, .. } = scheduler.place(&pod(i, web)) {
            hits[node.0 as usize] += 1;
        }
    }
    assert!(hits.iter().all(|hits| (70..130).contains(hits)), "{hits:?}");
}
