//! Random operations and faults: whatever happens, the tables agree, and when all is healed every workload is whole.
//!
//! Each seed is one story. It does not say how long a recovery takes; the timelines do. Start at [`live`].

use crate::script::{Lab, Setup};
use crate::sets;
use shakedown_engine::fact::Component;
use shakedown_engine::ids::{NodeId, PodId, TemplateId, WorkloadId};
use shakedown_engine::labels::Selector;
use shakedown_engine::message::{Instances, Operation, PartChange};
use shakedown_engine::model::{
    Amount, BudgetBound, BudgetSpec, DaemonSpec, Details, QuotaAmounts, QuotaSpec, StatefulSpec, Strategy,
    UnhealthyEviction, WorkloadKind,
};
use shakedown_engine::rng::{Purpose, Stream, Streams};
use shakedown_engine::time::Span;

const NODES: u32 = 7;
const STORIES: u64 = 300;
const PARTS: [Component; 4] = [Component::Store, Component::ApiServer, Component::Scheduler, Component::Controllers];

struct Story {
    lab: Lab,
    dice: Stream,
    /// Workloads and the versions that each of them can have; the last version is broken.
    workloads: Vec<(WorkloadId, Vec<TemplateId>)>,
    log: Vec<String>,
}

fn cluster(profile: &str, dice: &mut Stream) -> (Setup, Vec<(WorkloadId, Vec<TemplateId>)>) {
    let mut setup = Setup::new(profile).nodes("a", 4).nodes("b", 3);
    let mut workloads = Vec::new();
    for name in ["web", "api"] {
        let workload = setup.deployment(name, 1 + dice.below(10) as u32);
        workloads.push((workload, versions_of(&mut setup, name, workload)));
    }
    if profile == "swarm" {
        let pick = |dice: &mut Stream, of: &[&'static str]| of[dice.index(of.len())];
        setup = setup.set("update-order", pick(dice, &["stop-first", "start-first"]));
        setup = setup.set("update-parallelism", pick(dice, &["1", "2", "0"]));
        setup = setup.set("update-failure-action", pick(dice, &["pause", "continue", "rollback"]));
        setup = setup.set("update-delay", pick(dice, &["0s", "7s"]));
        // A look at a node a day later is a plan of a quiet engine.
        setup = setup.set("node-down-period", "0s");
    } else if profile.starts_with("marathon") {
        let pick = |dice: &mut Stream, of: &[&'static str]| of[dice.index(of.len())];
        setup = setup.set("upgradeStrategy.minimumHealthCapacity", pick(dice, &["1", "0.5", "0"]));
        setup = setup.set("upgradeStrategy.maximumOverCapacity", pick(dice, &["1", "0.3", "0"]));
        setup = setup.set("unreachableStrategy.inactiveAfterSeconds", pick(dice, &["0", "20"]));
        setup = setup.set("unreachableStrategy.expungeAfterSeconds", pick(dice, &["20", "300"]));
        setup = setup.set("agent_removal_rate_limit", pick(dice, &["none", "1/1mins"]));
    } else {
        guard(&mut setup, dice);
        let api = &mut setup.catalog.workloads[workloads[1].0];
        api.min_ready = Span::from_secs(dice.below(2) * 5);
        let one = Amount::Count(1);
        let rolling = Strategy::RollingUpdate { max_surge: one, max_unavailable: one };
        api.strategy = [Strategy::Recreate, Strategy::Default, rolling][dice.index(3)];
        let (kind, details) = some_set(dice);
        let set = setup.set_of("set", kind, details, 1 + dice.below(5) as u32);
        setup.catalog.workloads[set].min_ready = Span::from_secs(dice.below(2) * 5);
        workloads.push((set, versions_of(&mut setup, "set", set)));
    }
    (setup, workloads)
}

fn versions_of(setup: &mut Setup, name: &str, workload: WorkloadId) -> Vec<TemplateId> {
    let mut versions = vec![setup.catalog.workloads[workload].template];
    versions.extend(["v2", "v3", "bad"].map(|v| setup.template(name, &format!("{name}:{v}"))));
    versions
}

/// A workload whose controller looks after single pods.
fn some_set(dice: &mut Stream) -> (WorkloadKind, Details) {
    let amount = |dice: &mut Stream| [Amount::Count(1), Amount::Count(3), Amount::Percent(40)][dice.index(3)];
    if dice.chance(500) {
        let spec = StatefulSpec {
            parallel: dice.chance(500),
            partition: [0, 0, 2][dice.index(3)],
            on_delete: dice.chance(200),
            max_unavailable: amount(dice),
            first: dice.below(2) as u32 * 3,
            ..sets::stateful()
        };
        return (WorkloadKind::StatefulSet, Details::Stateful(spec));
    }
    let max_surge = if dice.chance(500) { amount(dice) } else { Amount::Count(0) };
    let spec = DaemonSpec { max_unavailable: amount(dice), max_surge, on_delete: dice.chance(200) };
    (WorkloadKind::DaemonSet, Details::Daemon(spec))
}

/// A budget that drains have to heed, and a quota with room for everything that is wanted and some more.
fn guard(setup: &mut Setup, dice: &mut Stream) {
    let names = &mut setup.catalog.names;
    let (app, web, namespace) = (names.intern("app"), names.intern("web"), names.intern("default"));
    let bound = match dice.below(2) {
        0 => BudgetBound::MinAvailable(Amount::Percent(60)),
        _ => BudgetBound::MaxUnavailable(Amount::Count(1)),
    };
    let selector = Some(Selector::equals([(app, web)]));
    let unhealthy = UnhealthyEviction::IfHealthyBudget;
    setup.catalog.budgets.push(BudgetSpec { name: web, namespace, selector, bound, unhealthy });
    setup.catalog.quotas.push(QuotaSpec {
        name: web,
        namespace,
        pods: Some(60),
        requests: QuotaAmounts::default(),
        limits: QuotaAmounts::default(),
        scopes: Vec::new(),
    });
}

impl Story {
    fn begin(profile: &str, seed: u64) -> Self {
        let mut dice = Streams::new(seed).stream(Purpose::Fault, 0);
        let (setup, workloads) = cluster(profile, &mut dice);
        let mut lab = setup.start(seed);
        lab.world.broken.extend(workloads.iter().map(|(_, versions)| versions[3]));
        Self { lab, dice, workloads, log: Vec::new() }
    }

    fn some_nodes(&mut self) -> Vec<NodeId> {
        let share = 100 + self.dice.below(900);
        (0..NODES).map(NodeId).filter(|_| self.dice.chance(share as u32)).collect()
    }

    fn operation(&mut self) -> Operation {
        let at = self.dice.index(self.workloads.len());
        let (workload, versions) = self.workloads[at].clone();
        match self.dice.below(11) {
            0..3 => Operation::Scale { workload, replicas: self.dice.below(13) as u32 },
            3..6 => Operation::Deploy { workload, template: versions[self.dice.index(versions.len())] },
            6 => Operation::Undo { workload },
            7 => match self.dice.below(2) {
                0 => Operation::Pause { workload },
                _ => Operation::Resume { workload },
            },
            8 => match self.dice.below(3) {
                0 => Operation::Delete { workload },
                _ => Operation::Apply { workload },
            },
            9 => match self.dice.below(4) {
                3 => Operation::RemoveNode { nodes: self.some_nodes() },
                0 => Operation::Drain { nodes: self.some_nodes() },
                1 => Operation::Cordon { nodes: self.some_nodes() },
                _ => Operation::Uncordon { nodes: self.some_nodes() },
            },
            _ => {
                let pods: Vec<PodId> = self.lab.view().pods().map(|p| p.id).collect();
                let pods = pods.into_iter().filter(|_| self.dice.chance(200)).collect();
                let grace = self.dice.chance(300).then_some(Span::ZERO);
                Operation::DeletePods { pods, grace }
            }
        }
    }

    /// A part of the control plane stops or starts.
    fn control_plane(&mut self) -> Operation {
        let part = PARTS[self.dice.index(PARTS.len())];
        let which = [Instances::Leader, Instances::Follower, Instances::All][self.dice.index(3)];
        let change = if self.dice.chance(500) { PartChange::Stop(which) } else { PartChange::Start(which) };
        Operation::ControlPlane { part, change }
    }

    fn act(&mut self) {
        match self.dice.below(11) {
            10 => {
                let operation = self.control_plane();
                self.note(&format!("{operation:?}"));
                self.lab.command(operation);
            }
            0 => {
                let nodes = self.some_nodes();
                self.note(&format!("kill {nodes:?}"));
                let up: Vec<_> = nodes.into_iter().filter(|n| !self.lab.world.down.contains(n)).collect();
                self.lab.kill(up);
            }
            1 => {
                let down: Vec<_> = self.lab.world.down.iter().copied().filter(|_| self.dice.chance(600)).collect();
                self.note(&format!("boot {down:?}"));
                self.lab.boot(down);
            }
            2 => {
                let nodes = self.some_nodes();
                self.note(&format!("cut {nodes:?}"));
                self.lab.cut(nodes);
            }
            3 => {
                self.note("heal");
                self.lab.heal();
            }
            4 => {
                let nodes = self.some_nodes();
                self.note(&format!("mute {nodes:?}"));
                let heard: Vec<_> = nodes.into_iter().filter(|n| self.lab.world.reachable(*n)).collect();
                self.lab.mute(heard);
            }
            _ => {
                let operation = self.operation();
                self.note(&format!("{operation:?}"));
                self.lab.command(operation);
            }
        }
    }

    fn note(&mut self, what: &str) {
        let at = self.lab.engine.now();
        self.log.push(format!("{at} {what}"));
    }

    /// Waits from a moment to some minutes.
    fn wait(&mut self) {
        let most = [Span::from_millis(50), Span::from_secs(4), Span::from_secs(60), Span::from_secs(500)];
        let most = most[self.dice.index(most.len())];
        let now = self.lab.engine.now();
        let wait = self.dice.span(Span::ZERO, most);
        self.lab.until_time(now + wait);
        self.check();
    }

    fn check(&self) {
        let wrong = self.lab.view().contradictions();
        assert!(wrong.is_empty(), "{wrong:#?} at {} after {:#?}", self.lab.engine.now(), self.log);
    }

    fn heal_everything(&mut self) {
        self.note("all is healed");
        for part in PARTS {
            self.lab.command(Operation::ControlPlane { part, change: PartChange::Start(Instances::All) });
        }
        self.lab.heal();
        self.lab.unmute((0..NODES).map(NodeId).filter(|n| self.lab.world.reachable(*n)).collect::<Vec<_>>());
        // Agents register a node that was removed when they start, and only then.
        let absent =
            (0..NODES).map(NodeId).filter(|n| !self.lab.view().node(*n).exists && self.lab.world.reachable(*n));
        let absent: Vec<_> = absent.collect();
        self.lab.kill(absent);
        self.lab.boot((0..NODES).map(NodeId).filter(|n| self.lab.world.down.contains(n)).collect::<Vec<_>>());
        self.lab.command(Operation::Uncordon { nodes: (0..NODES).map(NodeId).collect() });
        for (workload, versions) in self.workloads.clone() {
            self.lab.command(Operation::Apply { workload });
            self.lab.command(Operation::Resume { workload });
            self.lab.command(Operation::Deploy { workload, template: versions[self.dice.index(3)] });
        }
    }

    /// A set that waits for a broken pod needs somebody who deletes it.
    fn delete_broken_pods(&mut self) {
        let broken = self.lab.world.broken.clone();
        let pods = self.lab.view().pods().filter(|pod| broken.contains(&pod.template)).map(|pod| pod.id).collect();
        self.lab.command(Operation::DeletePods { pods, grace: None });
    }

    fn assert_whole(&self) {
        for &(workload, _) in &self.workloads {
            let v = self.lab.view().workload(workload);
            let whole = (v.exists, v.active, v.ready, v.updated, v.working, v.rolling);
            let want = (true, v.desired, v.desired, v.desired, false, false);
            assert_eq!(whole, want, "{workload:?} of {} after {:#?}", v.desired, self.log);
        }
        for service in self.lab.view().catalog().services.ids() {
            let ready = self.workloads.iter().map(|w| self.lab.ready(w.0)).nth(service.0 as usize);
            assert_eq!(Some(self.lab.view().endpoints(service).len() as u32), ready, "{service:?} {:#?}", self.log);
        }
    }
}

/// One story of operations and faults, healed at its end and left alone for a while.
fn live(profile: &str, seed: u64) -> Story {
    let mut story = Story::begin(profile, seed);
    story.note(&format!("{profile} {seed}"));
    story.lab.until(30);
    for _ in 0..5 + story.dice.below(20) {
        story.act();
        story.wait();
    }
    story.heal_everything();
    for _ in 0..2 {
        let now = story.lab.engine.now();
        story.lab.until_time(now + Span::from_secs(60));
        story.delete_broken_pods();
    }
    let now = story.lab.engine.now();
    story.lab.until_time(now + Span::from_secs(1_500));
    story.check();
    story
}

fn converges(profile: &str) {
    for seed in 0..STORIES {
        let mut story = live(profile, seed);
        story.assert_whole();
        let now = story.lab.engine.now();
        story.lab.until_time(now + Span::from_secs(3_600));
        story.assert_whole();
        let next = story.lab.engine.next_wake();
        assert_eq!(next, None, "a quiet engine plans nothing: {} {:#?}", story.lab.engine.planned(), story.log);
    }
}

#[test]
fn kubernetes_converges_after_everything() {
    converges("kubernetes");
}

#[test]
fn swarm_converges_after_everything() {
    converges("swarm");
}

#[test]
fn a_story_told_twice_is_the_same_story() {
    for profile in ["kubernetes", "swarm", "marathon"] {
        let facts = |_| live(profile, 3).lab.all(|_| true);
        assert_eq!(facts(0), facts(1), "{profile}");
    }
}
