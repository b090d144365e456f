//! Agents that are gone or hang while their containers run on.

use shakedown_chaos::fault::{AgentFault, Effect};
use shakedown_engine::fact::Exit;
use shakedown_engine::ids::{FaultId, NodeId, PodId};
use shakedown_engine::message::{Address, Beats, InputKind, Message, OrderKind, Reach, RuntimeEvent};
use shakedown_engine::time::{Span, Time};

use super::{Rig, Setup};

fn hold(rig: &mut Rig, how: AgentFault) -> FaultId {
    rig.apply(Effect::Agents { nodes: vec![NodeId(0)], how })
}

/// A host on which pod 0 serves, whose beats arrive and of whose answers the engine wants to know.
fn serving() -> Rig {
    let mut rig = Setup::new(2).start();
    rig.run_ms(10);
    rig.order(OrderKind::Knock { node: NodeId(0) });
    rig.beats(0, Span::from_secs(10));
    rig.start(0, 0);
    rig.run_ms(30_000);
    rig.seen.clear();
    rig
}

fn reaches(rig: &Rig) -> Vec<(u64, Reach)> {
    let reach = |(at, kind): &(Time, InputKind)| match kind {
        InputKind::Reach { reach, .. } => Some((at.since(Time::ZERO).as_millis(), *reach)),
        _ => None,
    };
    rig.seen.iter().filter_map(reach).collect()
}

fn position(rig: &Rig, wanted: impl Fn(&InputKind) -> bool) -> Option<usize> {
    rig.seen.iter().position(|(_, kind)| wanted(kind))
}

#[test]
fn a_killed_agent_refuses_and_a_frozen_one_hangs_and_containers_run_on() {
    for (how, reach) in [(AgentFault::Killed, Reach::Refused), (AgentFault::Frozen, Reach::Hung)] {
        let mut rig = serving();
        let fault = hold(&mut rig, how);
        rig.order(OrderKind::Send {
            from: Address::Control,
            to: Address::Agent(NodeId(0)),
            message: Message::Terminate { pod: PodId(0), grace: Span::ZERO },
        });
        rig.run_ms(60_000);
        assert_eq!(reaches(&rig), [(30_000, reach)]);
        let ceased = |kind: &InputKind| matches!(kind, InputKind::Heartbeats { beats: Beats::Ceased { .. }, .. });
        assert!(position(&rig, ceased).is_some(), "its beats cease");
        assert!(position(&rig, |kind| matches!(kind, InputKind::Delivered { .. })).is_none(), "nothing reaches it");
        assert_eq!(rig.runtime(), [], "nothing ends");
        rig.lift(fault);
        rig.run_ms(90_000);
        assert_eq!(reaches(&rig)[1..], [(60_000, Reach::Open)]);
        assert!(position(&rig, |kind| matches!(kind, InputKind::Reconnected { .. })).is_some());
        let steady = |kind: &InputKind| matches!(kind, InputKind::Heartbeats { beats: Beats::Steady, .. });
        assert!(position(&rig, steady).is_some(), "its beats arrive again");
    }
}

#[test]
fn what_happens_to_containers_meanwhile_is_seen_and_answered_when_the_agent_is_back() {
    let mut rig = serving();
    let fault = hold(&mut rig, AgentFault::Killed);
    rig.apply(Effect::CrashPods { pods: vec![PodId(0)] });
    rig.start(0, 1);
    rig.run_ms(60_000);
    assert_eq!(rig.runtime(), [], "nobody sees the crash, nothing is started");
    rig.lift(fault);
    rig.run_ms(90_000);
    let seen = rig.runtime();
    assert!(matches!(seen[0], (60_000, RuntimeEvent::Exited { pod: PodId(0), why: Exit::Crashed, .. })), "{seen:?}");
    assert!(matches!(seen[1], (60_500, RuntimeEvent::Started { pod: PodId(1), .. })), "{seen:?}");
}

#[test]
fn one_that_stops_in_good_order_is_there_until_its_containers_have_ended() {
    let mut rig = serving();
    hold(&mut rig, AgentFault::Stopped);
    rig.run_ms(30_001);
    assert!(position(&rig, |kind| matches!(kind, InputKind::AgentStops { .. })).is_some());
    rig.stop(0, 0, Span::from_secs(10));
    rig.run_ms(60_000);
    let ended = position(&rig, |kind| matches!(kind, InputKind::Runtime { event: RuntimeEvent::Exited { .. }, .. }));
    let gone = position(&rig, |kind| matches!(kind, InputKind::Reach { reach: Reach::Refused, .. }));
    assert!(ended.is_some() && ended < gone, "{:?}", rig.seen);
}

#[test]
fn an_agent_that_two_faults_hold_is_back_when_both_are_over() {
    let mut rig = serving();
    let (first, second) = (hold(&mut rig, AgentFault::Frozen), hold(&mut rig, AgentFault::Killed));
    rig.run_ms(40_000);
    rig.lift(second);
    rig.run_ms(50_000);
    rig.lift(first);
    rig.run_ms(51_000);
    let open = reaches(&rig).iter().filter(|reach| reach.1 == Reach::Open).map(|reach| reach.0).collect::<Vec<_>>();
    assert_eq!(open, [50_000]);
}

#[test]
fn a_host_that_boots_starts_its_agent() {
    let mut rig = serving();
    hold(&mut rig, AgentFault::Killed);
    rig.apply(Effect::Reboot { nodes: vec![NodeId(0)] });
    rig.run_ms(300_000);
    assert_eq!(reaches(&rig).last().map(|reach| reach.1), Some(Reach::Open));
}
