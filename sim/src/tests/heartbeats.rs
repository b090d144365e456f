//! Heartbeats: runs of arrivals, cuts in one or both directions, loss, and starved hosts as recorded.

use super::*;

const PERIOD: Span = Span::from_secs(10);
/// Half a millisecond on the way and five of CPU.
const DELAY: Span = Span::from_micros(5_500);

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

/// The last one due at `last` arrived, the next was due at `next`.
fn ceased(last: u64, next: u64) -> Beats {
    Beats::Ceased { last: at(last) + DELAY, next: at(next) }
}

/// Beats due at 11 s, 21 s, … of node 0; stands at 35 s.
fn beating() -> Rig {
    let mut rig = Setup::new(2).start();
    rig.run_to(at(1));
    rig.beats(0, PERIOD);
    rig.run_to(at(35));
    assert_eq!(rig.beat_inputs(0), vec![(at(11) + DELAY, Beats::Steady)]);
    rig
}

#[test]
fn a_healthy_hour_is_one_input_and_no_event() {
    let mut rig = beating();
    rig.run_to(at(3600));
    assert_eq!(rig.beat_inputs(0).len(), 1);
    assert_eq!(rig.world.queue.next_time(), None, "silence costs nothing");
}

#[test]
fn a_dead_host_is_missed_when_its_next_beat_was_due() {
    let mut rig = beating();
    rig.kill(0);
    rig.run_to(at(300));
    assert_eq!(rig.beat_inputs(0)[1..], [(at(41), ceased(31, 41))]);
}

#[test]
fn a_cut_between_two_beats_is_not_noticed() {
    let mut rig = beating();
    let cut = rig.cut(nodes(&[0]), control(), BOTH);
    rig.run_to(at(39));
    rig.lift(cut);
    rig.run_to(at(300));
    assert_eq!(rig.beat_inputs(0).len(), 1);
    let reconnected = rig.seen.iter().filter(|s| matches!(s.1, InputKind::Reconnected { .. })).count();
    assert_eq!(reconnected, 1, "messages may have been lost, so the agent asks again");
}

#[test]
fn beats_resume_at_the_next_due_time_after_a_cut() {
    let mut rig = beating();
    let cut = rig.cut(nodes(&[0]), control(), BOTH);
    rig.run_to(at(75));
    rig.lift(cut);
    rig.run_to(at(300));
    let want = [(at(41), ceased(31, 41)), (at(81) + DELAY, Beats::Steady)];
    assert_eq!(rig.beat_inputs(0)[1..], want);
}

#[test]
fn a_cut_in_either_direction_breaks_beats_but_one_more_arrives_when_only_answers_are_lost() {
    for (from, to, missed, last) in [(nodes(&[0]), control(), 41, 31), (control(), nodes(&[0]), 51, 41)] {
        let mut rig = beating();
        rig.cut(from, to, ONE_WAY);
        rig.run_to(at(300));
        assert_eq!(rig.beat_inputs(0)[1..], [(at(missed), ceased(last, missed))]);
    }
}

#[test]
fn overlapping_cuts_end_with_the_last_one() {
    let mut rig = beating();
    let first = rig.cut(nodes(&[0]), control(), BOTH);
    let second = rig.cut(nodes(&[0, 1]), control(), ONE_WAY);
    rig.run_to(at(60));
    rig.lift(first);
    rig.run_to(at(100));
    rig.lift(second);
    rig.run_to(at(200));
    let want = [(at(41), ceased(31, 41)), (at(101) + DELAY, Beats::Steady)];
    assert_eq!(rig.beat_inputs(0)[1..], want);
    let back: Vec<Time> =
        rig.seen.iter().filter(|s| matches!(s.1, InputKind::Reconnected { node: NodeId(0) })).map(|s| s.0).collect();
    assert!(matches!(back[..], [one] if one > at(100)), "{back:?}");
}

#[test]
fn on_a_bad_link_each_beat_counts_for_itself() {
    let mut rig = beating();
    let rule = NetworkRule::Lose { permille: 500 };
    let fault = rig.apply(Effect::Network { from: nodes(&[0]), to: control(), one_way: BOTH, rule });
    rig.run_to(at(1035));
    let beats = rig.beat_inputs(0);
    let once = beats.iter().filter(|b| matches!(b.1, Beats::Once { .. })).count();
    assert!((60..100).contains(&once), "most of 100 get through by retransmission, some do not: {once}");
    rig.lift(fault);
    rig.run_to(at(2000));
    let last = rig.beat_inputs(0);
    assert_eq!(last.last(), Some(&(at(1041) + DELAY, Beats::Steady)));
}

#[test]
fn a_reboot_between_two_beats_is_still_missed() {
    let mut setup = Setup::new(1);
    setup.experiment.setting.host.boot = Span::from_secs(2);
    let mut rig = setup.start();
    rig.run_to(at(1));
    rig.beats(0, PERIOD);
    rig.run_to(at(35));
    rig.apply(Effect::Reboot { nodes: vec![NodeId(0)] });
    rig.run_to(at(37));
    rig.beats(0, PERIOD);
    rig.run_to(at(100));
    let want = [(at(37), ceased(31, 41)), (at(47) + DELAY, Beats::Steady)];
    assert_eq!(rig.beat_inputs(0)[1..], want);
}

/// A host whose containers all want CPU, and what its beats do while a hog is there.
fn with_hog(period: Span, class: CpuClass, permille: u32) -> Vec<(Time, Beats)> {
    let mut rig = Setup::new(1).start();
    for pod in 0..10 {
        rig.start(0, pod);
    }
    rig.run_to(at(20));
    rig.beats(0, period);
    rig.run_to(at(50));
    let hog = rig.saturate(0, class, permille);
    rig.run_to(at(200));
    rig.lift(hog);
    rig.run_to(at(300));
    rig.beat_inputs(0)
}

#[test]
fn a_busy_host_never_misses_a_beat() {
    // Recorded on Swarm: 8 or 64 busy loops on the host, never Down.
    for period in [Span::from_secs(1), Span::from_secs(5), PERIOD] {
        assert_eq!(with_hog(period, CpuClass::Container, 64_000).len(), 1);
        assert_eq!(with_hog(period, CpuClass::Host, 64_000).len(), 1);
        assert_eq!(with_hog(period, CpuClass::RealTime, 999).len(), 1, "throttling leaves 5 %");
    }
}

#[test]
fn a_starved_host_misses_all_of_them_until_it_can_breathe() {
    for period in [Span::from_secs(5), PERIOD] {
        let beats = with_hog(period, CpuClass::RealTime, 1000);
        let kinds: Vec<bool> = beats.iter().map(|b| b.1 == Beats::Steady).collect();
        assert_eq!(kinds, vec![true, false, true], "{beats:?}");
    }
}

#[test]
fn a_host_at_two_percent_of_a_cpu_beats_but_answers_no_health_check() {
    // Recorded on Swarm: never Down, health checks time out.
    let mut setup = Setup::new(1);
    setup.catalog.nodes[NodeId(0)].allocatable.cpu = MilliCpu(400);
    setup.catalog.templates[TemplateId(0)].containers[0].probes[0].kind = ProbeKind::Exec;
    let mut rig = setup.start();
    for pod in 0..4 {
        rig.start(0, pod);
    }
    rig.run_to(at(60));
    for pod in 0..4 {
        rig.probe(0, pod);
    }
    rig.beats(0, Span::from_secs(5));
    rig.run_to(at(100));
    rig.saturate(0, CpuClass::RealTime, 950);
    rig.run_to(at(200));
    assert_eq!(rig.beat_inputs(0).len(), 1);
    let answers: Vec<bool> =
        rig.runtime().iter().filter_map(|&(t, e)| super::hosts::probed(t, e)).map(|p| p.1).collect();
    assert_eq!(answers, [[true; 4], [false; 4]].concat());
}
