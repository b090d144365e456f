//! Hosts and containers: start, stop, kill, boot, memory, crashes.

use shakedown_chaos::fault::Effect;
use shakedown_chaos::setting::Defect;
use shakedown_engine::fact::Exit;
use shakedown_engine::message::{Address, Message};

use super::*;

const MAIN: ContainerRef = ContainerRef::Main(0);

fn exited(pod: u32, why: Exit) -> RuntimeEvent {
    RuntimeEvent::Exited { pod: PodId(pod), container: MAIN, why }
}

fn started(pod: u32) -> RuntimeEvent {
    RuntimeEvent::Started { pod: PodId(pod), container: MAIN }
}

#[test]
fn every_host_reports_up_at_the_start_one_after_the_other() {
    let mut rig = Setup::new(3).start();
    rig.run_ms(1);
    let ups: Vec<Time> = rig.seen.iter().filter(|(_, k)| matches!(k, InputKind::HostUp { .. })).map(|s| s.0).collect();
    assert_eq!(ups.len(), 3);
    assert!(ups.is_sorted_by(|a, b| a < b));
}

#[test]
fn a_machine_that_joins_later_is_down_until_it_is_switched_on() {
    let mut setup = Setup::new(2);
    setup.catalog.nodes[NodeId(1)].at_start = false;
    let mut rig = setup.start();
    let fault = rig.kill(1);
    rig.run_ms(1_000);
    rig.lift(fault);
    rig.run_ms(300_000);
    let ups = |rig: &Rig| rig.seen.iter().filter(|(_, k)| matches!(k, InputKind::HostUp { .. })).count();
    assert_eq!(ups(&rig), 1, "the end of a power cut makes no machine");
    rig.apply(Effect::Boot { nodes: vec![NodeId(1)] });
    rig.run_ms(600_000);
    assert_eq!(ups(&rig), 2);
    rig.start(1, 0);
    rig.run_ms(610_000);
    assert_eq!(rig.runtime().len(), 1, "it works like any other");
}

#[test]
fn a_start_takes_sandbox_and_start_and_only_the_first_one_makes_a_sandbox() {
    let mut rig = Setup::new(1).start();
    rig.start(0, 0);
    rig.run_ms(5_000);
    rig.stop(0, 0, Span::from_secs(30));
    rig.run_ms(6_000);
    rig.start(0, 0);
    rig.run_ms(10_000);
    let want = vec![(500, started(0)), (5_500, exited(0, Exit::Stopped)), (6_200, started(0))];
    assert_eq!(rig.runtime(), want);
}

#[test]
fn a_container_that_stops_too_slowly_is_killed_when_the_grace_ends() {
    let mut setup = Setup::new(1);
    setup.experiment.setting.images[ImageId(0)].shutdown = Span::from_secs(60);
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(3_000);
    rig.stop(0, 0, Span::from_secs(30));
    rig.run_ms(5_000);
    rig.stop(0, 0, Span::from_secs(2));
    rig.run_ms(60_000);
    assert_eq!(rig.runtime()[1..], [(7_000, exited(0, Exit::Killed))], "the shorter grace counts");
}

#[test]
fn a_hook_comes_before_the_stop_and_the_container_serves_on() {
    let mut setup = Setup::new(1);
    setup.catalog.templates[TemplateId(0)].containers[0].pre_stop = Some(Span::from_secs(5));
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(2_000);
    rig.probe(0, 0);
    rig.run_ms(3_000);
    rig.stop(0, 0, Span::from_secs(30));
    rig.run_ms(20_000);
    let events: Vec<(u64, RuntimeEvent)> = rig.runtime().split_off(1);
    let failed = |e: &(u64, RuntimeEvent)| matches!(e.1, RuntimeEvent::Probed { ok: false, .. });
    assert!(!events.iter().any(|e| failed(e) && e.0 < 8_000));
    assert_eq!(events.last(), Some(&(8_500, exited(0, Exit::Stopped))));
}

#[test]
fn probes_are_reported_only_when_the_answer_changes() {
    let mut rig = Setup::new(1).start();
    rig.start(0, 0);
    rig.run_ms(500);
    rig.probe(0, 0);
    rig.run_ms(600_000);
    let answers: Vec<(u64, bool)> = rig.runtime().iter().filter_map(|&(at, e)| probed(at, e)).collect();
    // It starts up until 1.5 s: the first question fails at its time-out, the second at 2.5 s is answered.
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0], (1_500, false));
    assert!(answers[1].1 && (2_500..2_510).contains(&answers[1].0), "{answers:?}");
}

pub(super) fn probed(at: u64, event: RuntimeEvent) -> Option<(u64, bool)> {
    match event {
        RuntimeEvent::Probed { ok, .. } => Some((at, ok)),
        _ => None,
    }
}

#[test]
fn defects_do_what_they_say() {
    for (defect, want) in [
        (Defect::Crashes { after: Span::from_secs(3) }, vec![(500, started(0)), (3_500, exited(0, Exit::Crashed))]),
        (Defect::NeverReady, vec![(500, started(0))]),
    ] {
        let mut setup = Setup::new(1);
        setup.experiment.setting.images[ImageId(0)].defect = defect;
        let mut rig = setup.start();
        rig.start(0, 0);
        rig.run_ms(60_000);
        assert_eq!(rig.runtime(), want);
    }
}

#[test]
fn an_init_container_and_a_job_complete_by_themselves() {
    let mut setup = Setup::new(1);
    setup.experiment.setting.images[ImageId(0)].runs_for = Some(Span::from_secs(7));
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(60_000);
    assert_eq!(rig.runtime(), vec![(500, started(0)), (8_500, exited(0, Exit::Completed))]);
}

#[test]
fn a_container_over_its_memory_limit_dies_when_it_has_started_up() {
    let mut setup = Setup::new(1);
    setup.catalog.templates[TemplateId(0)].containers[0].memory_limit = Some(Bytes(1 << 20));
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(60_000);
    assert_eq!(rig.runtime(), vec![(500, started(0)), (1_500, exited(0, Exit::OutOfMemory))]);
}

#[test]
fn a_host_short_of_memory_kills_what_most_exceeds_its_request() {
    let mut setup = Setup::new(1);
    setup.experiment.setting.images[ImageId(0)].memory = Bytes(3 << 30);
    let modest = setup.catalog.templates[TemplateId(0)].clone();
    let modest = setup.catalog.templates.push(modest);
    setup.catalog.templates[modest].containers[0].requests.memory = Bytes(3 << 30);
    let mut rig = setup.start();
    rig.start_as(0, 0, modest);
    rig.start(0, 1);
    rig.start_as(0, 2, modest);
    rig.run_ms(60_000);
    let exits: Vec<RuntimeEvent> =
        rig.runtime().into_iter().map(|e| e.1).filter(|e| matches!(e, RuntimeEvent::Exited { .. })).collect();
    assert_eq!(exits, vec![exited(1, Exit::OutOfMemory)]);
}

#[test]
fn a_killed_host_falls_silent_at_once_and_boots_when_the_last_kill_is_lifted() {
    let mut rig = Setup::new(2).start();
    rig.start(0, 0);
    rig.run_ms(10_000);
    let seen = rig.seen.len();
    let first = rig.kill(0);
    let second = rig.kill(0);
    rig.start(0, 1);
    rig.run_ms(20_000);
    rig.lift(first);
    rig.run_ms(60_000);
    assert!(matches!(rig.seen[seen].1, InputKind::HostDown { node: NodeId(0) }), "its agent is gone");
    let seen = seen + 1;
    assert_eq!(rig.seen.len(), seen, "nothing comes from a dead host");
    rig.lift(second);
    rig.run_ms(100_000);
    assert_eq!(rig.seen.len(), seen + 1);
    assert!(matches!(rig.seen[seen], (at, InputKind::HostUp { node: NodeId(0) }) if at == Time::from_secs(90)));
    let lost =
        |f: &&shakedown_engine::fact::Fact| matches!(f.kind, FactKind::ContainerExited { why: Exit::HostLost, .. });
    let lost: Vec<_> = rig.facts.facts().iter().filter(lost).collect();
    assert_eq!(lost.len(), 1);
    let cause = rig.facts.facts()[lost[0].cause.0 as usize - 1].kind;
    assert_eq!(cause, FactKind::HostDown { node: NodeId(0) });
}

#[test]
fn restore_boots_whatever_held_the_host_down_and_a_reboot_comes_back_by_itself() {
    let mut rig = Setup::new(1).start();
    rig.run_ms(1_000);
    rig.kill(0);
    rig.kill(0);
    rig.run_ms(2_000);
    rig.apply(Effect::Boot { nodes: vec![NodeId(0)] });
    rig.run_ms(40_000);
    rig.apply(Effect::Reboot { nodes: vec![NodeId(0)] });
    rig.run_ms(100_000);
    let up = |kind: &InputKind| matches!(kind, InputKind::HostUp { .. });
    let ups = rig.seen.iter().filter(|(_, kind)| up(kind)).map(|(at, _)| at.since(Time::ZERO).as_millis());
    assert_eq!(ups.collect::<Vec<u64>>(), vec![0, 32_000, 70_000]);
}

#[test]
fn crashed_pods_exit_and_stay_where_they_are() {
    let mut rig = Setup::new(1).start();
    rig.start(0, 0);
    rig.run_ms(5_000);
    rig.apply(Effect::CrashPods { pods: vec![PodId(0), PodId(77)] });
    rig.run_ms(6_000);
    rig.start(0, 0);
    rig.run_ms(7_000);
    assert_eq!(rig.runtime(), vec![(500, started(0)), (5_000, exited(0, Exit::Crashed)), (6_200, started(0))]);
}

#[test]
fn messages_keep_their_order_and_a_cut_loses_them() {
    let mut rig = Setup::new(1).start();
    rig.run_ms(1_000);
    let send = |rig: &mut Rig| {
        let (from, to) = (Address::Agent(NodeId(0)), Address::Control);
        rig.order(OrderKind::Send { from, to, message: Message::Hello });
    };
    send(&mut rig);
    rig.run_ms(1_010);
    let cut = rig.cut(nodes(&[0]), control(), BOTH);
    send(&mut rig);
    rig.run_ms(10_000);
    rig.lift(cut);
    rig.run_ms(20_000);
    let kinds: Vec<(u64, &InputKind)> = rig.seen[1..].iter().map(|(at, k)| (at.as_nanos() / 1000, k)).collect();
    assert!(matches!(kinds[0], (1_000_500, InputKind::Delivered { .. })), "{kinds:?}");
    assert!(matches!(kinds[1], (at, InputKind::Reconnected { .. }) if (10_500_000..=11_500_000).contains(&at)));
    assert_eq!(kinds.len(), 2);
}

#[test]
fn messages_between_two_ends_never_overtake_each_other() {
    let mut setup = Setup::new(2);
    setup.experiment.setting.network.jitter = Span::from_millis(50);
    let mut rig = setup.start();
    let lossy = NetworkRule::Lose { permille: 300 };
    rig.apply(Effect::Network { from: nodes(&[0]), to: control(), one_way: BOTH, rule: lossy });
    rig.run_ms(1_000);
    let mut inputs: Vec<Input> = Vec::new();
    for ms in 0..200 {
        for node in 0..2 {
            let (from, to) = (Address::Agent(NodeId(node)), Address::Control);
            let kind = OrderKind::Send { from, to, message: Message::Hello };
            let order = Order { cause: FactId(1 + ms), kind };
            let now = rig.now();
            rig.world.submit(now, &mut vec![order], &mut rig.facts);
        }
        let end = Time::ZERO + Span::from_millis(1_001 + u64::from(ms) + if ms == 199 { 60_000 } else { 0 });
        while rig.world.advance(end, &mut inputs, &mut rig.facts) < end {}
    }
    for node in 0..2 {
        let from = Address::Agent(NodeId(node));
        let own = |input: &&Input| matches!(input.kind, InputKind::Delivered { from: sender, .. } if sender == from);
        let arrived: Vec<FactId> = inputs.iter().filter(own).map(|input| input.cause).collect();
        assert!(arrived.len() > 150 && arrived.is_sorted(), "{arrived:?}");
    }
}

#[test]
fn a_clone_continues_exactly_as_the_original_and_seeds_differ() {
    let run = |seed| {
        let mut setup = Setup::new(5).users(100, Clients::Outside);
        setup.seed = seed;
        setup.experiment.setting.host.start = (Span::from_millis(100), Span::from_millis(900));
        let mut rig = setup.start();
        for pod in 0..20 {
            rig.start(pod % 5, pod);
            rig.beats(pod % 5, Span::from_secs(10));
        }
        rig.run_ms(20_000);
        rig.publish(1, &(0..20).collect::<Vec<_>>());
        rig.run_ms(30_000);
        rig
    };
    let rest = |mut rig: Rig| {
        rig.kill(1);
        rig.apply(Effect::Network {
            from: nodes(&[2]),
            to: control(),
            one_way: BOTH,
            rule: NetworkRule::Lose { permille: 300 },
        });
        rig.run_ms(300_000);
        (format!("{:?}", rig.seen), rig.slices(), rig.facts.digest())
    };
    let rig = run(1);
    let fork = rest(rig.clone());
    assert_eq!(fork, rest(rig));
    assert_eq!(fork, rest(run(1)));
    assert_ne!(fork.0, rest(run(2)).0);
}

#[test]
fn on_a_link_that_loses_nearly_everything_the_agent_connects_again() {
    let mut rig = Setup::new(1).start();
    rig.run_ms(1_000);
    let rule = NetworkRule::Lose { permille: 1000 };
    rig.apply(Effect::Network { from: control(), to: nodes(&[0]), one_way: ONE_WAY, rule });
    for _ in 0..3 {
        let (from, to) = (Address::Control, Address::Agent(NodeId(0)));
        rig.order(OrderKind::Send { from, to, message: Message::Hello });
    }
    rig.run_ms(60_000);
    let kinds: Vec<(u64, &InputKind)> = rig.seen[1..].iter().map(|(at, k)| (at.as_nanos() / 1_000_000, k)).collect();
    assert!(matches!(kinds[..], [(16_500..=17_500, InputKind::Reconnected { .. })]), "{kinds:?}");
}

/// Where heartbeats do not get out in time, nothing else does: a starved node says nothing of its pods.
#[test]
fn a_starved_agent_says_nothing_and_is_heard_again_when_it_has_cpu() {
    let mut rig = Setup::new(1).start();
    rig.start(0, 0);
    let first = Time::from_secs(3);
    let (period, jitter) = (Span::from_secs(5), Span::ZERO);
    rig.order(OrderKind::Heartbeats { node: NodeId(0), period, jitter, first, missed: Missed::Next });
    rig.run_ms(5_000);
    let load = CpuLoad { permille: 1_000, class: CpuClass::RealTime };
    let hog = rig.apply(Effect::Saturate { nodes: vec![NodeId(0)], load });
    rig.run_ms(6_000);
    let (from, to) = (Address::Agent(NodeId(0)), Address::Control);
    rig.order(OrderKind::Send { from, to, message: Message::Hello });
    rig.run_ms(60_000);
    let delivered = |rig: &Rig| rig.seen.iter().filter(|(_, k)| matches!(k, InputKind::Delivered { .. })).count();
    assert_eq!(delivered(&rig), 0);
    rig.lift(hog);
    rig.run_ms(90_000);
    rig.order(OrderKind::Send { from, to, message: Message::Hello });
    rig.run_ms(91_000);
    assert_eq!(delivered(&rig), 1);
    assert!(rig.seen.iter().any(|(_, k)| matches!(k, InputKind::Reconnected { .. })), "it asks for news by itself");
}
