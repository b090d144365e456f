//! Recordings of real Kubernetes 1.36.2 controllers with scripted kubelets, set up again and compared.
//!
//! Figures were taken from the recordings by hand; times are seconds since the trigger. The recordings come from two
//! shared cores: below 0.1 s only the order counts. Start at [`bench`].

use crate::script::{Lab, Setup, nodes};
use shakedown_engine::fact::{Client, Deletion, FactKind};
use shakedown_engine::ids::{NodeId, TemplateId, WorkloadId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{Strategy, TaintEffect, Toleration, WorkloadKind};
use shakedown_engine::profile::RateLimit;
use shakedown_engine::time::{Span, Time};

/// When each recording's trigger is pulled.
const T0: u64 = 100;

/// The recordings' cluster: kubelets that look at once, and controllers that do not throttle each other.
fn bench(size: usize) -> Setup {
    let mut setup = Setup::new("kubernetes").nodes("a", size);
    setup.profile.agent.relist = Span::ZERO;
    for client in [Client::Replication, Client::Rollout, Client::NodeHealth, Client::Eviction, Client::Endpoints] {
        setup.profile.control.limits[client as usize] = RateLimit { qps: 500, burst: 1_000 };
    }
    setup
}

/// Starts a bench whose containers start and stop in these seconds, and waits until the trigger.
fn recorded(setup: Setup, start: f64, stop: f64) -> Lab {
    let seconds = |s: f64| Span::from_millis((s * 1_000.0) as u64);
    let mut lab = setup.start(1);
    lab.world.pace = Some((seconds(start), seconds(stop)));
    lab.until(T0);
    lab
}

impl Lab {
    fn at(&mut self, seconds: f64) {
        self.until_time(Time::from_secs(T0) + Span::from_millis((seconds * 1_000.0) as u64));
    }

    /// Runs until there are so many facts of one kind, and says when the last of them happened.
    fn wait_for(&mut self, wanted: impl Fn(&FactKind) -> bool, count: usize) -> f64 {
        for _ in 0..1_000 {
            if let Some(&at) = self.since(&wanted).get(count - 1) {
                return at;
            }
            self.until_time(self.engine.now() + Span::from_millis(100));
        }
        panic!("it does not happen within 100 s");
    }

    /// Seconds since the trigger of the facts of one kind.
    fn since(&self, wanted: impl Fn(&FactKind) -> bool) -> Vec<f64> {
        let times = self.times(wanted).into_iter().map(|t| t - T0 as f64);
        times.filter(|t| *t >= 0.0).collect()
    }

    fn created(&self) -> Vec<f64> {
        self.since(|k| matches!(k, FactKind::PodCreated { .. }))
    }

    fn deleting(&self, wanted: Deletion) -> Vec<f64> {
        self.since(|k| matches!(k, FactKind::PodDeleting { why, .. } if *why == wanted))
    }

    /// Second, revision, from and to of each change of a wanted number.
    fn scaled(&self) -> Vec<(f64, u32, u32, u32)> {
        let mut changes = Vec::new();
        for fact in self.all(|k| matches!(k, FactKind::RevisionScaled { .. })) {
            let FactKind::RevisionScaled { revision, from, to } = fact.kind else { continue };
            changes.push((fact.at.as_secs_f64() - T0 as f64, revision.0, from, to));
        }
        changes.retain(|c| c.0 >= 0.0);
        changes
    }
}

fn near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got - want).abs() <= tolerance, "{what}: {got:.3} s, recorded {want:.3} s");
}

fn deploy(lab: &mut Lab, workload: WorkloadId, template: TemplateId) {
    lab.command(Operation::Deploy { workload, template });
}

/// Fewest ready and most active from now until `end`, looked at every 20 ms.
fn watch(lab: &mut Lab, workload: WorkloadId, end: f64) -> (u32, u32) {
    let mut seen = (u32::MAX, 0);
    while lab.engine.now() < Time::from_secs(T0) + Span::from_millis((end * 1_000.0) as u64) {
        lab.until_time(lab.engine.now() + Span::from_millis(20));
        let view = lab.view().workload(workload);
        seen = (seen.0.min(view.ready), seen.1.max(view.active));
    }
    seen
}

/// Recording a: 0→3, 10→8, 3→5 at once; a second wave at 2.0 s ends with 10 and 3; the last old ones go at 5 s.
#[test]
fn a_rolling_update_comes_in_the_recorded_waves() {
    let mut setup = bench(6);
    let web = setup.deployment("web", 10);
    let v2 = setup.template("web", "app:v2");
    let mut lab = recorded(setup, 1.97, 1.0);
    deploy(&mut lab, web, v2);
    assert_eq!(watch(&mut lab, web, 8.0), (8, 13));
    let steps = lab.scaled();
    let first: Vec<_> = steps[..3].iter().map(|s| (s.1, s.2, s.3)).collect();
    assert_eq!(first, [(1, 0, 3), (0, 10, 8), (1, 3, 5)]);
    near(steps[2].0, 0.09, 0.1, "the first wave is over");
    let second: Vec<_> = steps.iter().filter(|s| (1.5..3.0).contains(&s.0)).collect();
    assert_eq!((second.iter().rfind(|s| s.1 == 1).expect("new ones").3), 10, "{steps:?}");
    assert_eq!((second.iter().rfind(|s| s.1 == 0).expect("old ones").3), 3, "{steps:?}");
    near(second[0].0, 2.09, 0.15, "the second wave begins");
    let last = steps.last().expect("steps");
    assert_eq!((last.1, last.3), (0, 0));
    near(last.0, 4.7, 0.7, "no old one is wanted any more");
}

/// Recording b: 20 creations in batches of 1, 2, 4, 8, 5 within 0.3 s, and the same 20 deleted again.
#[test]
fn scaling_up_starts_slowly_and_scaling_down_takes_the_youngest() {
    let mut setup = bench(6);
    let web = setup.deployment("web", 10);
    let mut lab = recorded(setup, 1.97, 1.0);
    let before: Vec<_> = lab.view().pods().map(|p| p.id).collect();
    lab.command(Operation::Scale { workload: web, replicas: 30 });
    lab.at(6.0);
    let created = lab.created();
    let mut batches: Vec<usize> = Vec::new();
    for (i, at) in created.iter().enumerate() {
        match i.checked_sub(1).map(|before| at - created[before]) {
            Some(gap) if gap < 0.002 => *batches.last_mut().expect("a batch") += 1,
            _ => batches.push(1),
        }
    }
    assert_eq!(batches, [1, 2, 4, 8, 5]);
    near(created[19], 0.32, 0.3, "the last creation");
    lab.command(Operation::Scale { workload: web, replicas: 10 });
    lab.at(12.0);
    assert_eq!(lab.view().pods().map(|p| p.id).collect::<Vec<_>>(), before, "the youngest went");
    near(lab.deleting(Deletion::ScaledDown)[19], 6.05, 0.1, "the last deletion");
}

/// Recording 01: 8 old and 5 new that never get ready; reported at 30.3 s; undo removes 5 and adds 2 at once.
#[test]
fn a_stuck_rollout_waits_for_its_deadline_and_undo_takes_two_starts() {
    let mut setup = bench(5);
    let web = setup.deployment("web", 10);
    setup.catalog.workloads[web].progress_deadline = Some(Span::from_secs(30));
    let bad = setup.template("web", "app:bad");
    let mut lab = recorded(setup, 1.97, 1.0);
    lab.world.broken.insert(bad);
    deploy(&mut lab, web, bad);
    assert_eq!(watch(&mut lab, web, 35.3), (8, 13));
    near(lab.created()[4], 0.10, 0.1, "the fifth new one");
    let stalled = lab.since(|k| matches!(k, FactKind::RolloutStalled { .. }));
    near(stalled[0], 30.3, 0.8, "the deadline");
    lab.command(Operation::Undo { workload: web });
    assert_eq!(watch(&mut lab, web, 45.0), (8, 13));
    let undo: Vec<_> = lab.scaled().into_iter().filter(|s| s.0 > 35.0).collect();
    assert_eq!(undo.iter().map(|s| (s.1, s.2, s.3)).collect::<Vec<_>>(), [(1, 5, 0), (0, 8, 10)]);
    near(undo[1].0, 35.35, 0.1, "both at once");
    let done = lab.since(|k| matches!(k, FactKind::RolloutCompleted { .. }));
    near(*done.last().expect("completes"), 37.4, 0.1, "two starts later");
}

/// Tolerates an unreachable node for this long; `None`: for ever.
fn tolerate(setup: &mut Setup, template: TemplateId, seconds: Option<u64>) {
    let key = Some(setup.catalog.known.unreachable);
    let effect = Some(TaintEffect::NoExecute);
    let seconds = seconds.map(Span::from_secs);
    setup.catalog.templates[template].tolerations.push(Toleration { key, value: None, effect, seconds });
}

/// Recording 02: 12 replicas on 4 nodes, one dies at 6 s. The rollout goes on, and the dead node's new pods wait for
/// their toleration of 30 s.
#[test]
fn a_node_that_dies_in_a_rollout_does_not_stop_it() {
    let mut setup = bench(4);
    let web = setup.deployment("web", 12);
    let v2 = setup.template("web", "app:v2");
    tolerate(&mut setup, v2, Some(30));
    let mut lab = recorded(setup, 4.97, 2.0);
    deploy(&mut lab, web, v2);
    assert_eq!(watch(&mut lab, web, 6.0), (9, 15));
    let wanted = |lab: &Lab, revision| lab.scaled().iter().rfind(|s| s.1 == revision).map(|s| s.3);
    assert_eq!((wanted(&lab, 1), wanted(&lab, 0)), (Some(12), Some(3)));
    lab.kill([NodeId(1)]);
    lab.at(12.0);
    assert_eq!(wanted(&lab, 0), Some(0), "the last old ones go");
    near(lab.scaled().last().expect("steps").0, 10.26, 0.15, "as soon as enough new ones are ready");
    let stay = lab.on(NodeId(1)).len();
    lab.at(110.0);
    let silent = lab.since(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0];
    assert!((46.0..66.0).contains(&silent), "silent at {silent}");
    let tainted = lab.since(|k| matches!(k, FactKind::NodeEvicting { .. }))[0];
    near(tainted - silent, 0.09, 0.3, "the taint");
    let lost = lab.deleting(Deletion::NodeLost);
    assert_eq!(lost.len(), stay);
    near(lost[0] - tainted, 30.05, 0.05, "the toleration");
    let replaced = lab.created();
    near(replaced[12] - lost[0], 0.012, 0.06, "replacements");
    assert_eq!(replaced.len(), 12 + stay);
    let done = lab.since(|k| matches!(k, FactKind::RolloutCompleted { .. }));
    near(done[0] - lost[0], 5.06, 0.1, "done one start later");
}

/// Recording 03a: all six old ones at once; new ones only when the last old one is gone at 3.05 s.
#[test]
fn recreate_waits_for_the_last_old_pod() {
    let mut setup = bench(3);
    let web = setup.deployment("web", 6);
    setup.catalog.workloads[web].strategy = Strategy::Recreate;
    let v2 = setup.template("web", "app:v2");
    let mut lab = recorded(setup, 1.97, 3.0);
    deploy(&mut lab, web, v2);
    lab.at(8.0);
    let deleted = lab.deleting(Deletion::RolledOut);
    assert_eq!(deleted.len(), 6);
    near(deleted[5], 0.025, 0.03, "all old ones");
    let gone = lab.since(|k| matches!(k, FactKind::PodDeleted { .. }));
    let created = lab.created();
    assert!(created[0] > gone[5], "{created:?} {gone:?}");
    near(created[0], 3.056, 0.06, "the first new one");
    near(created[5], 3.081, 0.1, "the last new one");
    let ready = lab.since(|k| matches!(k, FactKind::PodReady { .. }));
    near(ready[5], 5.112, 0.1, "all ready");
}

/// Recording 03b: paused at 8 and 5; 20 wanted make 15 and 10; resuming makes 5 and 20 at once, then 0.
#[test]
fn a_paused_rollout_scales_in_proportion_and_resumes() {
    let mut setup = bench(6);
    let web = setup.deployment("web", 10);
    let v2 = setup.template("web", "app:v2");
    let mut lab = recorded(setup, 3.97, 1.0);
    deploy(&mut lab, web, v2);
    lab.at(1.5);
    lab.command(Operation::Pause { workload: web });
    lab.at(9.5);
    lab.command(Operation::Scale { workload: web, replicas: 20 });
    lab.at(18.5);
    lab.command(Operation::Resume { workload: web });
    lab.at(30.0);
    let steps: Vec<_> = lab.scaled().iter().map(|s| (s.1, s.2, s.3)).collect();
    assert_eq!(steps[..3], [(1, 0, 3), (0, 10, 8), (1, 3, 5)]);
    assert_eq!(steps[3..5], [(0, 8, 15), (1, 5, 10)]);
    assert_eq!(steps[5..7], [(0, 15, 5), (1, 10, 20)]);
    assert_eq!(steps.last(), Some(&(0, steps[steps.len() - 1].1, 0)));
    near(lab.scaled().last().expect("steps").0, 22.66, 0.1, "the last old ones");
}

/// Recording 08: 600 replicas with the default limits: 43 in the first second, then 20 a second. The real client also
/// sends status updates, which take half a second's worth of its tokens; here it is up to 9 creations ahead.
#[test]
fn six_hundred_replicas_come_at_the_clients_rate() {
    let mut setup = Setup::new("kubernetes").nodes("a", 30);
    let web = setup.deployment("web", 0);
    let mut lab = recorded(setup, 1.97, 1.0);
    lab.command(Operation::Scale { workload: web, replicas: 600 });
    lab.at(60.0);
    let created = lab.created();
    for (second, recorded) in [(1.0, 43), (2.0, 63), (5.0, 122), (10.0, 221), (20.0, 420)] {
        let got = created.iter().filter(|t| **t < second).count();
        assert!(got.abs_diff(recorded) <= 10, "{got} after {second} s, recorded {recorded}");
    }
    near(created[599], 29.4, 0.9, "the last creation");
    let bound = lab.since(|k| matches!(k, FactKind::PodBound { .. }));
    near(bound[599] - created[599], 0.005, 0.05, "bound at once");
}

/// Recording 10c: a pod that waits is bound 5 ms after a node that fits appears (here: opens).
#[test]
fn a_waiting_pod_takes_a_node_that_opens() {
    let mut setup = bench(1);
    setup.catalog.nodes[NodeId(0)].unschedulable = true;
    setup.deployment("web", 1);
    let mut lab = recorded(setup, 1.97, 1.0);
    lab.command(Operation::Uncordon { nodes: vec![NodeId(0)] });
    lab.at(1.0);
    near(lab.since(|k| matches!(k, FactKind::PodBound { .. }))[0], 0.03, 0.05, "bound");
}

/// Recording 12: none tolerated: at once; 0 s: at once; 5: 5.0; {3, 25}: 3.0; 15: gone when the taint goes at 10 and
/// comes again, then 15.0 after that; for ever: stays. Here the taint is that of an unreachable node, whose return
/// takes up to 15 s, so that 30 s stand for the 15.
#[test]
fn tolerations_run_from_the_taint_and_start_again_with_it() {
    let mut setup = bench(3);
    let cases: [(&str, &[Option<u64>]); 5] = [
        ("zero", &[Some(0)]),
        ("five", &[Some(5)]),
        ("thirty", &[Some(30)]),
        ("both", &[Some(3), Some(25)]),
        ("ever", &[None]),
    ];
    for (name, seconds) in cases {
        let workload = setup.deployment(name, 1);
        setup.catalog.workloads[workload].kind = WorkloadKind::Pod;
        let template = setup.catalog.workloads[workload].template;
        seconds.iter().for_each(|s| tolerate(&mut setup, template, *s));
        setup.catalog.templates[template].node_name = Some(setup.catalog.nodes[NodeId(0)].name);
    }
    let mut lab = recorded(setup, 1.97, 1.0);
    lab.cut([NodeId(0)]);
    let first = lab.wait_for(|k| matches!(k, FactKind::NodeEvicting { .. }), 1);
    lab.at(first + 7.0);
    let gone: Vec<f64> = lab.deleting(Deletion::NodeLost).iter().map(|t| t - first).collect();
    assert_eq!(gone.len(), 3, "{gone:?}");
    near(gone[0], 0.038, 0.05, "zero");
    near(gone[1], 3.027, 0.05, "the least of two");
    near(gone[2], 5.028, 0.05, "five");
    lab.heal();
    let lifted = lab.wait_for(|k| matches!(k, FactKind::NodeEvictionCancelled { .. }), 1);
    assert!(lifted < first + 7.0 + 15.1, "a heartbeat and a pass of the monitor: {lifted}");
    lab.cut([NodeId(0)]);
    let second = lab.wait_for(|k| matches!(k, FactKind::NodeEvicting { .. }), 2);
    assert_eq!(lab.deleting(Deletion::NodeLost).len(), 3, "the first taint's timer is void");
    lab.at(second + 100.0);
    let gone = lab.deleting(Deletion::NodeLost);
    assert_eq!(gone.len(), 4, "one tolerates it for ever");
    near(gone[3] - second, 30.02, 0.05, "thirty, from the second taint");
}

/// Recording c and d: zones of 6, 10, 60 and 3 nodes lose 1, 6, 36 and 2. Tainted within 480 s: 1, 1, 5 and 2.
#[test]
fn four_zones_are_evicted_as_recorded() {
    let mut exact = 0;
    for seed in 0..10 {
        let mut setup = bench(6).nodes("b", 10).nodes("c", 60).nodes("d", 3);
        setup.deployment("web", 79);
        let mut lab = setup.start(seed);
        lab.until(T0);
        lab.kill(nodes(0, 1).chain(nodes(6, 6)).chain(nodes(16, 36)).chain(nodes(76, 2)));
        lab.at(480.0);
        let mut tainted = [const { Vec::new() }; 4];
        for fact in lab.all(|k| matches!(k, FactKind::NodeEvicting { .. })) {
            let FactKind::NodeEvicting { node } = fact.kind else { continue };
            let zone = lab.view().catalog().nodes[node].zone;
            tainted[zone.0 as usize].push(fact.at.as_secs_f64() - T0 as f64);
        }
        let [a, b, c, d] = &tainted;
        assert_eq!((a.len(), d.len()), (1, 2), "seed {seed}");
        near(d[1] - d[0], 10.06, 5.1, "one node in 10 s");
        assert!(b.len() <= 2, "seed {seed}: {b:?}");
        for pair in c[c.len() - 3..].windows(2) {
            near(pair[1] - pair[0], 100.03, 0.1, "one node in 100 s");
        }
        assert!((5..=6).contains(&c.len()), "seed {seed}: {c:?}");
        exact += u32::from((b.len(), c.len()) == (1, 5));
    }
    assert!(exact >= 5, "most phases give the recorded numbers: {exact} of 10");
}
