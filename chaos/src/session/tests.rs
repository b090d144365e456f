//! Tests of the loop that joins everything, with a real engine and a world in which nothing ever answers.

use shakedown_engine::fact::{FactId, FactKind, Property};
use shakedown_engine::ids::{FaultId, NodeId};
use shakedown_engine::message::{Input, Order};
use shakedown_engine::profile::Profile;
use shakedown_engine::time::Span;

use super::*;
use crate::director::tests::{at, experiment};
use crate::experiment::Entry;
use crate::fault::{Action, Effect};
use crate::scripted::Scripted;
use crate::select::NodeSelection;
use crate::target::Unsupported;

/// Takes every order and answers none; counts faults.
#[derive(Clone, Default)]
struct Silence {
    applied: u32,
    lifted: u32,
}

impl World for Silence {
    fn submit(&mut self, _: Time, orders: &mut Vec<Order>, _: &mut FactLog) {
        orders.clear();
    }

    fn advance(&mut self, until: Time, _: &mut Vec<Input>, _: &mut FactLog) -> Time {
        until
    }
}

impl FaultTarget for Silence {
    fn apply(&mut self, _: Time, _: FaultId, _: &Effect, _: FactId, _: &mut FactLog) -> Result<(), Unsupported> {
        self.applied += 1;
        Ok(())
    }

    fn lift(&mut self, _: Time, _: FaultId, _: FactId, _: &mut FactLog) {
        self.lifted += 1;
    }
}

fn kill() -> Entry {
    at(100, Some(50), Action::Kill(NodeSelection { names: vec![NodeId(0)], ..NodeSelection::default() }))
}

fn session(timeline: Vec<Entry>, within: Option<u64>) -> Session<Silence> {
    let mut scene = Scripted::with_nodes(2);
    scene.workload_of("shop", 2);
    let mut experiment = Experiment::clone(&experiment(timeline));
    (experiment.duration, experiment.converge_within) = (Span::from_secs(300), within.map(Span::from_secs));
    let streams = Streams::new(1);
    let profile = Profile::named("kubernetes").expect("a shipped profile");
    let engine = Engine::new(Arc::new(scene.catalog), profile, streams);
    Session::new(engine, Silence::default(), Arc::new(experiment), streams)
}

#[test]
fn the_timeline_is_played_and_the_run_ends_on_time() {
    let mut session = session(vec![kill()], None);
    session.run();
    assert_eq!((session.world().applied, session.world().lifted), (1, 1));
    let outcome = session.finish(|_, _, _| {});
    assert_eq!(outcome.end, Time::from_secs(300));
    let faults: Vec<u64> = (outcome.facts.iter())
        .filter(|fact| matches!(fact.kind, FactKind::FaultApplied { .. } | FactKind::FaultLifted { .. }))
        .map(|fact| fact.at.as_nanos() / 1_000_000_000)
        .collect();
    assert_eq!(faults, [100, 150]);
}

#[test]
fn a_run_in_pieces_and_a_forked_run_are_the_same_run() {
    let mut whole = session(vec![kill()], Some(30));
    whole.run();
    let mut pieces = session(vec![kill()], Some(30));
    pieces.run_until(Time::from_secs(100));
    let mut fork = pieces.clone();
    pieces.run_until(Time::from_secs(130));
    pieces.run_until(Time::from_secs(130));
    pieces.run();
    fork.run();
    assert_eq!(whole.facts().digest(), pieces.facts().digest());
    assert_eq!(whole.facts().digest(), fork.facts().digest());
}

#[test]
fn replicas_that_never_start_break_the_bound_on_convergence() {
    let mut session = session(vec![kill()], Some(30));
    session.run();
    let outcome = session.finish(|_, _, _| {});
    let broken = FactKind::Violated { property: Property::Converges, subject: 0 };
    let found = outcome.facts.iter().find(|fact| fact.kind == broken).expect("nothing ever became ready");
    assert_eq!(found.at, Time::from_secs(181));
    assert!(!outcome.converged);
}

#[test]
fn the_world_records_what_it_held_back() {
    let mut session = session(Vec::new(), None);
    session.run_until(Time::from_secs(10));
    let last = FactKind::HostDown { node: NodeId(1) };
    let outcome = session.finish(|_, now, facts| {
        facts.record(now, FactId::NONE, last);
    });
    assert_eq!(outcome.facts.last().map(|fact| (fact.at, fact.kind)), Some((Time::from_secs(10), last)));
}
