//! StatefulSets and DaemonSets as real Kubernetes 1.36.2 controllers treated them, with scripted kubelets.
//!
//! Figures were taken from the recordings by hand; times are seconds since the trigger. Below 0.1 s only the order counts:
//! the recordings come from two shared cores. Start at [`bench`].

use shakedown_engine::fact::{Client, Deletion, FactKind, Note, Subject};
use shakedown_engine::ids::{NodeId, PodId, TemplateId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{
    Amount, DaemonSpec, Details, StatefulSpec, Taint, TaintEffect, Toleration, WorkloadKind,
};
use shakedown_engine::profile::RateLimit;
use shakedown_engine::time::Span;

use crate::script::{Lab, Setup, nodes};

/// When each recording's trigger is pulled.
const T0: u64 = 100;
/// More than any request takes, and less than anything that waits for something.
const SLACK: f64 = 0.25;

pub(crate) fn stateful() -> StatefulSpec {
    StatefulSpec {
        parallel: false,
        partition: 0,
        on_delete: false,
        max_unavailable: Amount::Count(1),
        first: 0,
        claims: Vec::new(),
        delete_claims_when_scaled: false,
    }
}

pub(crate) fn daemon() -> DaemonSpec {
    DaemonSpec { max_unavailable: Amount::Count(1), max_surge: Amount::Count(0), on_delete: false }
}

impl Setup {
    /// A workload of another kind, of `replicas`.
    pub(crate) fn set_of(&mut self, name: &str, kind: WorkloadKind, details: Details, replicas: u32) -> WorkloadId {
        let workload = self.deployment(name, replicas);
        let spec = &mut self.catalog.workloads[workload];
        (spec.kind, spec.details) = (kind, details);
        workload
    }

    fn statefulset(&mut self, spec: StatefulSpec, replicas: u32) -> WorkloadId {
        self.set_of("db", WorkloadKind::StatefulSet, Details::Stateful(spec), replicas)
    }

    fn daemonset(&mut self, spec: DaemonSpec) -> WorkloadId {
        self.set_of("agent", WorkloadKind::DaemonSet, Details::Daemon(spec), 0)
    }
}

/// The recordings' cluster: kubelets that look at once, and controllers that do not throttle each other.
fn bench(size: usize) -> Setup {
    let mut setup = Setup::new("kubernetes").nodes("a", size);
    setup.profile.agent.relist = Span::ZERO;
    for client in [Client::Stateful, Client::Daemon, Client::NodeHealth, Client::Eviction] {
        setup.profile.control.limits[client as usize] = RateLimit { qps: 500, burst: 1_000 };
    }
    setup
}

/// Starts a bench whose containers take so many seconds to become ready and to stop.
fn paced(setup: Setup, ready: u64, stop: u64) -> Lab {
    let mut lab = setup.start(1);
    lab.world.pace = Some((Span::from_secs(ready), Span::from_secs(stop)));
    lab
}

/// One line of a story: what happened to which ordinal or node, and when.
type Line = (f64, char, u32);

impl Lab {
    fn slot(&self, pod: PodId) -> u32 {
        self.view().slot(pod)
    }

    /// Creations (`+`), readiness (`!`), deletions (`-`) and ends (`.`) since an instant, by slot.
    fn story(&self, since: f64) -> Vec<Line> {
        let line = |fact: shakedown_engine::fact::Fact| {
            let (what, pod) = match fact.kind {
                FactKind::PodCreated { pod, .. } => ('+', pod),
                FactKind::PodReady { pod } => ('!', pod),
                FactKind::PodDeleting { pod, .. } => ('-', pod),
                FactKind::PodDeleted { pod } => ('.', pod),
                _ => return None,
            };
            Some((fact.at.as_secs_f64() - since, what, self.slot(pod)))
        };
        self.all(|_| true).into_iter().filter_map(line).filter(|line| line.0 >= 0.0).collect()
    }
}

/// The story is told in this order and at these times.
fn assert_told(story: &[Line], want: &[Line]) {
    let short = |lines: &[Line]| lines.iter().map(|(_, what, slot)| format!("{what}{slot}")).collect::<Vec<_>>();
    assert_eq!(short(story), short(want), "{story:?}");
    for (seen, recorded) in story.iter().zip(want) {
        assert!((seen.0 - recorded.0).abs() < SLACK, "{seen:?} was recorded as {recorded:?}");
    }
}

fn version(setup: &mut Setup, app: &str, tag: &str) -> TemplateId {
    setup.template(app, &format!("{app}:{tag}"))
}

/// 04a: four replicas of OrderedReady, ready 3 s after their creation, gone 2 s after their deletion.
#[test]
fn ordered_replicas_are_created_updated_and_removed_one_by_one() {
    let mut setup = bench(4);
    let workload = setup.statefulset(stateful(), 4);
    let (v2, v3) = (version(&mut setup, "db", "v2"), version(&mut setup, "db", "v3"));
    let mut lab = paced(setup, 3, 2);
    lab.until(15);
    let created =
        [(0.0, '+', 0), (3.0, '!', 0), (3.0, '+', 1), (6.1, '!', 1), (6.1, '+', 2), (9.1, '!', 2), (9.1, '+', 3)];
    assert_told(&lab.story(0.0)[..7], &created);

    lab.command(Operation::Deploy { workload, template: v2 });
    lab.until(38);
    let replaced =
        |at: f64, slot| [(at, '-', slot), (at + 2.0, '.', slot), (at + 2.0, '+', slot), (at + 5.0, '!', slot)];
    let want: Vec<Line> =
        [(0.0, 3), (5.05, 2), (10.1, 1), (15.15, 0)].into_iter().flat_map(|(at, s)| replaced(at, s)).collect();
    assert_told(&lab.story(15.0), &want);
    assert_eq!(lab.all(|k| matches!(k, FactKind::RolloutCompleted { .. })).len(), 1);

    // A partition: only two are updated, and what is deleted below it comes back at the revision before.
    lab.command(Operation::Redeclare {
        workload,
        details: Box::new(Details::Stateful(StatefulSpec { partition: 2, ..stateful() })),
    });
    lab.command(Operation::Deploy { workload, template: v3 });
    lab.until(52);
    assert_told(&lab.story(38.0), &[replaced(0.0, 3), replaced(5.05, 2)].concat());
    let first = lab.view().pods().find(|pod| lab.slot(pod.id) == 0).expect("db-0 is there");
    lab.command(Operation::DeletePods { pods: vec![first.id], grace: None });
    lab.until(59);
    assert_told(&lab.story(52.0), &replaced(0.0, 0));
    let again = lab.view().pods().find(|pod| lab.slot(pod.id) == 0).expect("db-0 is back");
    assert_eq!(again.template, v2, "the revision before");

    lab.command(Operation::Redeclare { workload, details: Box::new(Details::Stateful(stateful())) });
    lab.until(72);
    assert_told(&lab.story(59.0), &[replaced(0.0, 1), replaced(5.05, 0)].concat());
    lab.command(Operation::Scale { workload, replicas: 2 });
    lab.until(79);
    assert_told(&lab.story(72.0), &[(0.0, '-', 3), (2.0, '.', 3), (2.0, '-', 2), (4.0, '.', 2)]);
    lab.command(Operation::Scale { workload, replicas: 4 });
    lab.until(90);
    assert_told(&lab.story(79.0), &[(0.0, '+', 2), (3.0, '!', 2), (3.0, '+', 3), (6.1, '!', 3)]);
    assert!(lab.view().contradictions().is_empty());
}

/// 04b: Parallel creates and removes at once, but its rolling update is one at a time.
#[test]
fn parallel_replicas_wait_for_each_other_only_in_updates() {
    let mut setup = bench(4);
    let workload = setup.statefulset(StatefulSpec { parallel: true, ..stateful() }, 4);
    let v2 = version(&mut setup, "db", "v2");
    let mut lab = paced(setup, 3, 2);
    lab.until(6);
    assert!(lab.story(0.0)[..4].iter().all(|line| line.0 < SLACK && line.1 == '+'), "{:?}", lab.story(0.0));
    lab.command(Operation::Deploy { workload, template: v2 });
    lab.until(29);
    let deleted: Vec<Line> = lab.story(6.0).into_iter().filter(|line| line.1 == '-').collect();
    assert_told(&deleted, &[(0.0, '-', 3), (5.05, '-', 2), (10.1, '-', 1), (15.15, '-', 0)]);
    lab.command(Operation::Scale { workload, replicas: 2 });
    lab.until(40);
    assert_told(&lab.story(29.0), &[(0.0, '-', 3), (0.0, '-', 2), (2.0, '.', 3), (2.0, '.', 2)]);
    lab.command(Operation::Scale { workload, replicas: 4 });
    lab.until(50);
    assert_told(&lab.story(40.0)[..2], &[(0.0, '+', 2), (0.0, '+', 3)]);
}

/// 04c: a dead node keeps the name of its pod, and the whole set waits, until somebody deletes the pod by force.
#[test]
fn an_ordered_set_is_stuck_on_a_dead_node_until_its_pod_is_deleted_by_force() {
    let mut setup = bench(4);
    let workload = setup.statefulset(stateful(), 3);
    let template = setup.catalog.workloads[workload].template;
    let key = Some(setup.catalog.known.unreachable);
    let lasting =
        Toleration { key, value: None, effect: Some(TaintEffect::NoExecute), seconds: Some(Span::from_secs(30)) };
    setup.catalog.templates[template].tolerations.push(lasting);
    let mut lab = paced(setup, 2, 1);
    lab.until(T0);
    let stuck = lab.view().pods().find(|pod| lab.slot(pod.id) == 1).expect("db-1 is there");
    let dead = stuck.node.expect("db-1 is bound");
    lab.kill([dead]);
    lab.until(T0 + 95);
    let deleting = lab.times(|k| matches!(k, FactKind::PodDeleting { pod, .. } if *pod == stuck.id));
    let unhealthy = lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }));
    assert!((deleting[0] - unhealthy[0] - 30.1).abs() < 0.5, "{deleting:?} {unhealthy:?}");
    let told = lab.all(|k| matches!(k, FactKind::Noted { note: Note::WaitingForPod, .. }));
    assert_eq!(told.len(), 1, "it is told once: {told:?}");
    assert_eq!(told[0].kind, FactKind::Noted { subject: Subject::Pod(stuck.id), note: Note::WaitingForPod });

    lab.command(Operation::Scale { workload, replicas: 4 });
    lab.until(T0 + 150);
    assert!(lab.story((T0 + 95) as f64).is_empty(), "the scale-up is blocked");
    assert!(lab.view().workload(workload).working, "it waits for a pod that it cannot do without");
    lab.command(Operation::DeletePods { pods: vec![stuck.id], grace: Some(Span::ZERO) });
    lab.until(T0 + 160);
    let want = [(0.0, '.', 1), (0.01, '+', 1), (2.0, '!', 1), (2.05, '+', 3), (4.05, '!', 3)];
    assert_told(&lab.story((T0 + 150) as f64), &want);
    lab.boot([dead]);
    lab.until(T0 + 300);
    assert_eq!(lab.ready(workload), 4);
    assert!(lab.view().contradictions().is_empty());
}

/// Documented: undoing a broken template does not help an ordered set; the broken pod has to be deleted by hand.
#[test]
fn an_undo_does_not_free_an_ordered_set_from_its_broken_pod() {
    let mut setup = bench(3);
    let workload = setup.statefulset(stateful(), 3);
    let bad = version(&mut setup, "db", "bad");
    let mut lab = paced(setup, 2, 1);
    lab.world.broken.insert(bad);
    lab.until(20);
    lab.command(Operation::Deploy { workload, template: bad });
    lab.until(60);
    lab.command(Operation::Undo { workload });
    lab.until(300);
    let broken: Vec<_> = lab.view().pods().filter(|pod| pod.template == bad).collect();
    assert_eq!(broken.len(), 1, "it waits for the broken pod");
    assert_eq!(lab.all(|k| matches!(k, FactKind::Noted { note: Note::WaitingForPod, .. })).len(), 1);
    lab.command(Operation::DeletePods { pods: vec![broken[0].id], grace: None });
    lab.until(320);
    let view = lab.view().workload(workload);
    assert_eq!((view.ready, view.updated, view.rolling), (3, 3, false));
}

/// A name that is taken blocks a new set, too: the pods of the old one must be gone.
#[test]
fn a_set_created_anew_waits_for_the_names_of_its_former_pods() {
    let mut setup = bench(3);
    let workload = setup.statefulset(StatefulSpec { parallel: true, ..stateful() }, 3);
    let mut lab = paced(setup, 1, 8);
    lab.until(20);
    lab.command(Operation::Delete { workload });
    lab.until(22);
    lab.command(Operation::Apply { workload });
    lab.until(40);
    let created: Vec<Line> = lab.story(20.0).into_iter().filter(|line| line.1 == '+').collect();
    assert_eq!(created.len(), 3);
    assert!(created.iter().all(|line| (7.9..9.0).contains(&line.0)), "{created:?}");
    assert!(lab.view().contradictions().is_empty());
}

/// 05a: 6 nodes, 1 s to become ready after 1 s to start, gone 1 s after the deletion.
#[test]
fn daemons_are_updated_node_by_node_in_waves_or_with_a_surge() {
    let mut setup = bench(6);
    let workload = setup.daemonset(daemon());
    let [v2, v3, v4] = ["v2", "v3", "v4"].map(|tag| version(&mut setup, "agent", tag));
    let mut lab = paced(setup, 2, 1);
    lab.until(4);
    assert_eq!(lab.ready(workload), 6);
    assert!(lab.story(0.0).iter().filter(|line| line.1 == '+').all(|line| line.0 < SLACK));
    let view = lab.view().workload(workload);
    assert_eq!((view.desired, view.active, view.updated, view.working), (6, 6, 6, false));

    lab.command(Operation::Deploy { workload, template: v2 });
    lab.until(24);
    let deleted: Vec<f64> = lab.story(4.0).into_iter().filter(|line| line.1 == '-').map(|line| line.0).collect();
    let gaps: Vec<f64> = deleted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(deleted.len(), 6);
    assert!(gaps.iter().all(|gap| (3.0..3.2).contains(gap)), "recorded 3.05 s a node: {gaps:?}");
    assert_eq!(lab.all(|k| matches!(k, FactKind::RolloutCompleted { .. })).len(), 1);

    let half = DaemonSpec { max_unavailable: Amount::Percent(50), ..daemon() };
    lab.command(Operation::Redeclare { workload, details: Box::new(Details::Daemon(half)) });
    lab.command(Operation::Deploy { workload, template: v3 });
    lab.until(36);
    let waves: Vec<f64> = lab.story(24.0).into_iter().filter(|line| line.1 == '-').map(|line| line.0).collect();
    assert!(
        waves[..3].iter().all(|at| *at < SLACK) && waves[3..].iter().all(|at| (3.0..3.3).contains(at)),
        "{waves:?}"
    );

    let surge = DaemonSpec { max_unavailable: Amount::Count(0), max_surge: Amount::Count(1), on_delete: false };
    lab.command(Operation::Redeclare { workload, details: Box::new(Details::Daemon(surge)) });
    lab.command(Operation::Deploy { workload, template: v4 });
    lab.until(60);
    let story = lab.story(36.0);
    let order: String = story.iter().filter(|line| line.2 == story[0].2).map(|line| line.1).collect();
    assert_eq!(order, "+!-.", "the new one first");
    let created: Vec<f64> = story.iter().filter(|line| line.1 == '+').map(|line| line.0).collect();
    let gaps: Vec<f64> = created.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() == 5 && gaps.iter().all(|gap| (2.0..2.2).contains(gap)), "recorded 2.05 s: {gaps:?}");
    assert_eq!(lab.ready(workload), 6);
    assert!(lab.view().contradictions().is_empty());
}

/// 05b: a node joins, another dies; an update then stands still at the dead node until it is back.
#[test]
fn an_update_of_daemons_stalls_on_a_node_that_is_not_ready() {
    let mut setup = bench(7);
    setup.profile.detection.taint_new_nodes = false;
    setup.catalog.nodes[NodeId(6)].at_start = false;
    let workload = setup.daemonset(daemon());
    let v2 = version(&mut setup, "agent", "v2");
    let mut lab = paced(setup, 2, 1);
    lab.until(T0);
    assert_eq!(lab.view().workload(workload).desired, 6);
    assert!(!lab.view().node(NodeId(6)).exists);
    lab.boot([NodeId(6)]);
    lab.until(T0 + 8);
    let joined = lab.story(T0 as f64);
    assert_told(&joined, &[(0.01, '+', 6), (2.05, '!', 6)]);
    assert!(joined[0].0 < 0.05, "recorded 8 ms after the node: {joined:?}");

    let dead = NodeId(2);
    lab.kill([dead]);
    lab.until(T0 + 470);
    assert!(!lab.view().node(dead).healthy);
    assert!(lab.story((T0 + 8) as f64).is_empty(), "daemons are never evicted");
    lab.command(Operation::Deploy { workload, template: v2 });
    lab.until(T0 + 505);
    assert_told(&lab.story((T0 + 470) as f64), &[(0.0, '-', 2)]);
    assert_eq!(lab.view().workload(workload).desired, 6, "the dead node should have none now");
    lab.boot([dead]);
    lab.until(T0 + 540);
    let story = lab.story((T0 + 505) as f64);
    let first: Vec<(char, u32)> = story.iter().take(2).map(|line| (line.1, line.2)).collect();
    assert_eq!(first, [('.', 2), ('+', 2)], "{story:?}");
    let view = lab.view().workload(workload);
    assert_eq!((view.desired, view.ready, view.updated, view.rolling), (7, 7, 7, false));
    assert_eq!(story.iter().filter(|line| line.1 == '-').count(), 6, "then node by node");
}

/// 05c: a node that joins not ready gets its daemon only when its mark goes.
#[test]
fn a_node_that_joins_is_closed_until_it_is_ready() {
    let mut setup = bench(4);
    setup.profile.detection.ready_after = Span::from_secs(3);
    setup.catalog.nodes[NodeId(3)].at_start = false;
    let workload = setup.daemonset(daemon());
    let web = setup.deployment("web", 4);
    let template = setup.catalog.workloads[web].template;
    setup.catalog.templates[template].requests.cpu.0 = 3_000;
    let mut lab = paced(setup, 2, 1);
    lab.until(T0);
    assert_eq!((lab.ready(workload), lab.ready(web)), (3, 3));
    lab.boot([NodeId(3)]);
    lab.until(T0 + 10);
    let bound = lab.times(|k| matches!(k, FactKind::PodBound { node: NodeId(3), .. }));
    assert_eq!(bound.len(), 2);
    assert!(bound.iter().all(|at| (3.0..3.2).contains(&(at - T0 as f64))), "recorded 3.045 and 3.046: {bound:?}");
    assert_eq!((lab.ready(workload), lab.ready(web)), (4, 4));
}

#[test]
fn a_daemon_leaves_a_node_whose_taint_it_does_not_tolerate() {
    let mut setup = bench(3);
    let workload = setup.daemonset(daemon());
    let names = &mut setup.catalog.names;
    let (key, value) = (names.intern("dedicated"), names.intern("db"));
    let mut lab = paced(setup, 1, 1);
    lab.until(T0);
    let taint = |effect| Operation::Taint { nodes: vec![NodeId(0)], taint: Taint { key, value, effect } };
    lab.command(taint(TaintEffect::NoSchedule));
    lab.until(T0 + 20);
    assert_eq!(lab.on(NodeId(0)).len(), 1, "what runs there may stay");
    lab.command(taint(TaintEffect::NoExecute));
    lab.until(T0 + 40);
    assert_eq!(lab.on(NodeId(0)).len(), 0);
    let view = lab.view().workload(workload);
    assert_eq!((view.desired, view.active), (2, 2));
    lab.command(Operation::Cordon { nodes: vec![NodeId(1)] });
    lab.command(Operation::Drain { nodes: nodes(1, 2).collect() });
    lab.until(T0 + 80);
    assert_eq!((lab.on(NodeId(1)).len(), lab.on(NodeId(2)).len()), (1, 1), "draining leaves daemons alone");
    let gone = lab.all(|k| matches!(k, FactKind::PodDeleting { why: Deletion::Drained, .. }));
    assert!(gone.is_empty());
}

/// The controller's own rate limit: 20 requests a second after 30 at once, statuses included.
#[test]
fn a_large_parallel_set_comes_at_the_rate_of_its_controller() {
    let mut setup = Setup::new("kubernetes").nodes("a", 20);
    let workload = setup.statefulset(StatefulSpec { parallel: true, ..stateful() }, 130);
    let mut lab = paced(setup, 1, 1);
    lab.until(60);
    assert_eq!(lab.ready(workload), 130);
    let last = lab.times(|k| matches!(k, FactKind::PodCreated { .. })).last().copied().unwrap_or_default();
    assert!((4.9..5.5).contains(&last), "130 pods less 30 at once, 20 a second: {last}");
}
