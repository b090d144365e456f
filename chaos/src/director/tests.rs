//! Tests of the director, against a scripted cluster and a world that writes down what it is told.

use shakedown_engine::PodPhase;
use shakedown_engine::fact::Fact;
use shakedown_engine::ids::{PodId, Table, WorkloadId};

use super::*;
use crate::fault::{Action, Effect, Group, Link, NetworkRule, PodDeath};
use crate::scripted::Scripted;
use crate::select::{Mode, NodeSelection, PodSelection, Side};
use crate::setting::{HostModel, NetworkModel, Setting};
use crate::target::Unsupported;

/// Writes down what it is told; refuses to reboot.
#[derive(Default)]
struct Notebook {
    told: Vec<(u64, FaultId, Option<Effect>)>,
}

impl FaultTarget for Notebook {
    fn apply(
        &mut self,
        now: Time,
        fault: FaultId,
        effect: &Effect,
        _: FactId,
        _: &mut FactLog,
    ) -> Result<(), Unsupported> {
        if matches!(effect, Effect::Reboot { .. }) {
            return Err(Unsupported { reason: "no power switch".to_owned() });
        }
        self.told.push((now.as_nanos() / 1_000_000_000, fault, Some(effect.clone())));
        Ok(())
    }

    fn lift(&mut self, now: Time, fault: FaultId, _: FactId, _: &mut FactLog) {
        self.told.push((now.as_nanos() / 1_000_000_000, fault, None));
    }
}

/// A director, its stage, and what came of it.
struct Play {
    director: Director,
    scene: Scripted,
    world: Notebook,
    facts: FactLog,
    commands: Vec<Operation>,
}

impl Play {
    fn new(scene: Scripted, timeline: Vec<Entry>) -> Self {
        let director = Director::new(experiment(timeline), Streams::new(1));
        Self { director, scene, world: Notebook::default(), facts: FactLog::new(), commands: Vec::new() }
    }

    /// Acts at every due time up to `end`.
    fn until(&mut self, end: u64) {
        while let Some(now) = self.director.next_time().filter(|now| *now <= Time::from_secs(end)) {
            let mut inputs = Vec::new();
            let (target, facts, commands) = (&mut self.world, &mut self.facts, &mut inputs);
            self.director.act(now, &mut Stage { scene: &self.scene, target, facts, commands });
            self.commands.extend(inputs.into_iter().map(|input| match input.kind {
                InputKind::Operator(operation) => operation,
                other => panic!("the director only gives operators' commands, not {other:?}"),
            }));
        }
    }

    /// (second, fault, targets; `None` when lifted)
    fn recorded(&self) -> Vec<(u64, u32, Option<u32>)> {
        let read = |fact: &Fact| match fact.kind {
            FactKind::FaultApplied { fault, targets } => (fact.at.as_nanos() / 1_000_000_000, fault.0, Some(targets)),
            FactKind::FaultLifted { fault } => (fact.at.as_nanos() / 1_000_000_000, fault.0, None),
            other => panic!("the director records faults only, not {other:?}"),
        };
        self.facts.facts().iter().map(read).collect()
    }
}

pub(crate) fn experiment(timeline: Vec<Entry>) -> Arc<Experiment> {
    let setting = Setting { host: HostModel::default(), network: NetworkModel::default(), images: Table::new() };
    Arc::new(Experiment {
        timeline: timeline.into_iter().collect(),
        traffic: Table::new(),
        setting,
        duration: Span::from_secs(3_600),
        converge_within: None,
        expectations: Vec::new(),
    })
}

pub(crate) fn at(second: u64, lasts: Option<u64>, action: Action) -> Entry {
    let (at, lasts) = (Time::from_secs(second), lasts.map(Span::from_secs));
    Entry { at, lasts, continuous: false, action, label: String::new() }
}

fn named(nodes: &[u32]) -> NodeSelection {
    NodeSelection { names: nodes.iter().copied().map(NodeId).collect(), ..NodeSelection::default() }
}

fn down(nodes: &[u32]) -> Effect {
    Effect::Down { nodes: nodes.iter().copied().map(NodeId).collect() }
}

fn boot(nodes: &[u32]) -> Effect {
    Effect::Boot { nodes: nodes.iter().copied().map(NodeId).collect() }
}

#[test]
fn a_fault_is_applied_at_its_time_and_lifted_after_it() {
    let mut play = Play::new(Scripted::with_nodes(3), vec![at(300, Some(60), Action::Kill(named(&[1])))]);
    play.until(299);
    assert_eq!(play.recorded(), []);
    assert_eq!(play.director.settled(), None);
    play.until(3_600);
    assert_eq!(play.recorded(), [(300, 0, Some(1)), (360, 0, None)]);
    assert_eq!(play.world.told, [(300, FaultId(0), Some(down(&[1]))), (360, FaultId(0), None)]);
    assert_eq!(play.director.settled(), Some(Time::from_secs(360)));
}

#[test]
fn a_lift_is_caused_by_the_application() {
    let mut play = Play::new(Scripted::with_nodes(1), vec![at(1, Some(1), Action::Kill(named(&[0])))]);
    play.until(10);
    assert_eq!(play.facts.facts()[1].cause, play.facts.facts()[0].id);
}

#[test]
fn restore_ends_a_kill_once_all_its_hosts_are_named() {
    let timeline = vec![
        at(10, None, Action::Kill(named(&[0, 1]))),
        at(20, None, Action::Restore(named(&[0]))),
        at(30, None, Action::Restore(NodeSelection::default())),
    ];
    let mut play = Play::new(Scripted::with_nodes(3), timeline);
    play.until(100);
    assert_eq!(play.recorded(), [(10, 0, Some(2)), (20, 1, Some(1)), (30, 2, Some(3)), (30, 0, None)]);
    let told = [
        (10, FaultId(0), Some(down(&[0, 1]))),
        (20, FaultId(1), Some(boot(&[0]))),
        (20, FaultId(0), Some(down(&[1]))),
        (30, FaultId(2), Some(boot(&[0, 1, 2]))),
        (30, FaultId(0), None),
    ];
    assert_eq!(play.world.told, told);
}

#[test]
fn a_kill_that_was_restored_early_is_not_lifted_again() {
    let timeline = vec![at(10, Some(50), Action::Kill(named(&[0]))), at(20, None, Action::Restore(named(&[0])))];
    let mut play = Play::new(Scripted::with_nodes(1), timeline);
    play.until(100);
    assert_eq!(play.recorded(), [(10, 0, Some(1)), (20, 1, Some(1)), (20, 0, None)]);
}

#[test]
fn a_selector_that_matches_nothing_is_recorded_and_remarked() {
    let nothing = PodSelection { workload: Some(WorkloadId(9)), ..PodSelection::default() };
    let kill = Action::KillPods { pods: nothing, how: PodDeath::Crash };
    let mut play = Play::new(Scripted::with_nodes(1), vec![at(5, None, kill)]);
    play.until(10);
    assert_eq!(play.recorded(), [(5, 0, Some(0))]);
    assert_eq!(play.world.told, []);
    let remark = Remark { fault: FaultId(0), at: Time::from_secs(5), kind: RemarkKind::NoTarget };
    assert_eq!(play.director.remarks(), [remark]);
}

#[test]
fn what_the_world_cannot_do_is_remarked_and_does_not_hold() {
    let mut play = Play::new(Scripted::with_nodes(1), vec![at(5, Some(10), Action::Restart(named(&[0])))]);
    play.until(100);
    assert_eq!(play.recorded(), [(5, 0, Some(1)), (5, 0, None)]);
    let reason = "no power switch".to_owned();
    assert_eq!(play.director.remarks()[0].kind, RemarkKind::Unsupported { reason });
    assert_eq!(play.director.settled(), Some(Time::from_secs(5)));
}

#[test]
fn operations_go_to_the_engine_with_their_fact_as_cause() {
    let scale = Action::Scale { workload: WorkloadId(0), replicas: 7 };
    let mut play = Play::new(Scripted::with_nodes(1), vec![at(5, None, scale)]);
    let mut commands = Vec::new();
    let (target, facts) = (&mut play.world, &mut play.facts);
    play.director.act(Time::from_secs(5), &mut Stage { scene: &play.scene, target, facts, commands: &mut commands });
    assert_eq!(commands[0].cause, play.facts.facts()[0].id);
    assert!(matches!(commands[0].kind, InputKind::Operator(Operation::Scale { replicas: 7, .. })));
}

#[test]
fn a_node_stays_closed_while_any_entry_closes_it() {
    let timeline = vec![at(10, Some(20), Action::Cordon(named(&[0, 1]))), at(20, Some(20), Action::Drain(named(&[1])))];
    let mut play = Play::new(Scripted::with_nodes(2), timeline);
    play.until(100);
    let commands = [
        Operation::Cordon { nodes: vec![NodeId(0), NodeId(1)] },
        Operation::Drain { nodes: vec![NodeId(1)] },
        Operation::Uncordon { nodes: vec![NodeId(0)] },
        Operation::Uncordon { nodes: vec![NodeId(1)] },
    ];
    assert_eq!(play.commands, commands);
}

#[test]
fn a_removal_happens_once_and_leaves_the_hosts_to_who_holds_them() {
    let timeline = vec![at(10, Some(20), Action::Kill(named(&[0]))), at(20, None, Action::RemoveNode(named(&[0, 1])))];
    let mut play = Play::new(Scripted::with_nodes(2), timeline);
    play.until(100);
    assert_eq!(play.commands, [Operation::RemoveNode { nodes: vec![NodeId(0), NodeId(1)] }]);
    assert_eq!(play.recorded(), [(10, 0, Some(1)), (20, 1, Some(2)), (30, 0, None)]);
}

#[test]
fn a_continuous_kill_hits_newcomers_and_keeps_whom_it_hit() {
    let mut scene = Scripted::with_nodes(3);
    let shop = scene.workload_of("shop", 1);
    let first = scene.pod(shop, Some(NodeId(2)), PodPhase::Ready);
    let hosting = NodeSelection { hosting: Some(shop), ..NodeSelection::default() };
    let chase = Entry { continuous: true, ..at(10, Some(10), Action::Kill(hosting)) };
    let mut play = Play::new(scene, vec![chase]);
    play.until(12);
    play.scene.delete(first);
    play.scene.pod(shop, Some(NodeId(0)), PodPhase::Starting);
    play.until(100);
    assert_eq!(play.recorded(), [(10, 0, Some(1)), (13, 0, Some(2)), (20, 0, None)]);
    assert_eq!(play.world.told[1], (13, FaultId(0), Some(down(&[0, 2]))));
}

#[test]
fn a_continuous_pod_kill_hits_each_pod_once() {
    let mut scene = Scripted::with_nodes(1);
    let shop = scene.workload_of("shop", 1);
    scene.pod(shop, Some(NodeId(0)), PodPhase::Ready);
    let kill = Action::KillPods { pods: PodSelection::default(), how: PodDeath::Delete { grace: None } };
    let mut play = Play::new(scene, vec![Entry { continuous: true, ..at(10, Some(10), kill) }]);
    play.until(11);
    play.scene.pod(shop, Some(NodeId(0)), PodPhase::Ready);
    play.until(100);
    let deletes = |pod| Operation::DeletePods { pods: vec![PodId(pod)], grace: None };
    assert_eq!(play.commands, [deletes(0), deletes(1)]);
}

#[test]
fn a_partition_counts_the_hosts_that_its_selectors_name() {
    let one = NodeSelection { mode: Mode::Count(1), ..NodeSelection::default() };
    let from = Side { nodes: Some(one), ..Side::default() };
    let link = Link { from, to: Side { rest: true, ..Side::default() }, one_way: true };
    let mut play = Play::new(Scripted::with_nodes(5), vec![at(1, Some(1), Action::Partition(link))]);
    play.until(1);
    assert_eq!(play.recorded(), [(1, 0, Some(1))]);
    let Some(Effect::Network { from, to, one_way: true, rule: NetworkRule::Cut }) = &play.world.told[0].2 else {
        panic!("{:?}", play.world.told)
    };
    assert_eq!((from.nodes.len(), to.nodes.len()), (1, 4));
    assert_eq!(to, &Group { nodes: to.nodes.clone(), control: true, outside: true });
}
