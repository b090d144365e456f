//! Memory and disk: limits of containers, shortages of hosts, what is told and what is killed.

use shakedown_chaos::setting::Growth;
use shakedown_engine::fact::Exit;
use shakedown_engine::message::{Amount, NodeStats, Signal};

use super::*;

const MIB: i64 = 1 << 20;

/// One host of 8 GiB; pod `i` is of template `i`, which holds, grows by so many MiB a minute, and asks for so many MiB.
fn crowd(pods: &[(i64, i64, i64)]) -> Rig {
    let mut setup = Setup::new(1);
    for (i, &(held, grows, asked)) in pods.iter().enumerate() {
        let image = setup.catalog.image(&format!("image-{i}"), Bytes(0));
        let mut template = plain_template(&mut setup.catalog, image);
        template.containers[0].probes.clear();
        template.containers[0].requests = Resources::new(MilliCpu(if asked > 0 { 100 } else { 0 }), Bytes(asked * MIB));
        setup.catalog.templates.push(template);
        let images = &mut setup.experiment.setting.images;
        images.push(Behaviour { memory: Bytes(held * MIB), leak: Growth(grows * 60 * MIB), ..Behaviour::default() });
    }
    let mut rig = setup.start();
    for i in 0..pods.len() as u32 {
        rig.start_as(0, i, TemplateId(i + 1));
    }
    rig
}

fn killed(rig: &Rig) -> Vec<(u64, u32)> {
    let event = |(at, event): (u64, RuntimeEvent)| match event {
        RuntimeEvent::Exited { pod, why: Exit::OutOfMemory, .. } => Some((at, pod.0)),
        _ => None,
    };
    rig.runtime().into_iter().filter_map(event).collect()
}

#[test]
fn a_leak_reaches_the_limit_of_its_container_at_the_computed_instant() {
    let mut setup = Setup::new(1);
    setup.catalog.templates[TemplateId(0)].containers[0].memory_limit = Some(Bytes(100 * MIB));
    setup.experiment.setting.images[ImageId(0)].leak = Growth(60 * MIB * 6);
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(600_000);
    // 36 MiB are left at 6 MiB a minute, from when it has started up at 1.5 s; one byte more is too much.
    assert_eq!(killed(&rig), [(361_500, 0)]);
}

#[test]
fn a_container_that_starts_beyond_its_limit_is_killed_as_soon_as_it_has_started_up() {
    let mut setup = Setup::new(1);
    setup.catalog.templates[TemplateId(0)].containers[0].memory_limit = Some(Bytes(60 * MIB));
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(60_000);
    assert_eq!(killed(&rig), [(1_500, 0)]);
}

#[test]
fn the_kernel_kills_a_small_pod_without_requests_before_a_large_one_that_keeps_to_its_own() {
    // 8 GiB and 100 MiB may be held: the large one grows until that is reached.
    let mut rig = crowd(&[(4000, 600, 8000), (400, 0, 0)]);
    rig.run_ms(1_200_000);
    let killed = killed(&rig);
    assert_eq!(killed.iter().map(|kill| kill.1).collect::<Vec<_>>(), [1, 0], "and then the one that grows");
    // 3892 MiB are left at 10 MiB a second from 1.5 s on, and 400 more once the other one is gone.
    assert!(killed[0].0.abs_diff(390_700) < 1_500, "{killed:?}");
    assert!((killed[1].0 - killed[0].0).abs_diff(40_000) < 1_500, "{killed:?}");
}

#[test]
fn between_pods_with_requests_the_one_furthest_beyond_its_share_goes() {
    let mut rig = crowd(&[(3000, 0, 3000), (3000, 600, 1000)]);
    rig.run_ms(600_000);
    assert_eq!(killed(&rig).first().map(|kill| kill.1), Some(1));
    let mut rig = crowd(&[(3000, 0, 100), (3000, 600, 5000)]);
    rig.run_ms(600_000);
    assert_eq!(killed(&rig).first().map(|kill| kill.1), Some(0), "its neighbour grows, but it asked for nothing");
}

#[test]
fn an_agent_is_told_once_when_less_is_available_than_it_wants() {
    let mut rig = crowd(&[(4000, 600, 0)]);
    rig.op(0, RuntimeOp::Watch { signal: Signal::Memory, below: Amount::Bytes(1000 * MIB) });
    rig.op(0, RuntimeOp::Watch { signal: Signal::Memory, below: Amount::Bytes(100 * MIB) });
    rig.run_ms(400_000);
    let told: Vec<u64> =
        rig.runtime().iter().filter(|(_, e)| matches!(e, RuntimeEvent::Short { .. })).map(|(at, _)| *at).collect();
    // 3292 MiB are left to the larger level at 10 MiB a second.
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].abs_diff(330_700) < 1_500, "{told:?}");
    rig.op(0, RuntimeOp::Observe);
    rig.run_ms(400_001);
    let stats = |(_, kind): &(Time, InputKind)| match kind {
        InputKind::Observed { stats, .. } => Some(stats.clone()),
        _ => None,
    };
    let stats: NodeStats = rig.seen.iter().find_map(stats).unwrap();
    assert_eq!(stats.available[0] + stats.pods[0].memory, 8292 * MIB);
}

#[test]
fn faults_fill_memory_and_disk_and_leak_until_they_are_lifted() {
    let mut rig = crowd(&[(100, 0, 0)]);
    let available = |rig: &mut Rig| {
        rig.op(0, RuntimeOp::Observe);
        let now = rig.now();
        rig.run_to(now);
        let last = rig.seen.iter().rev().find_map(|(_, kind)| match kind {
            InputKind::Observed { stats, .. } => Some(stats.available),
            _ => None,
        });
        last.map(|[memory, disk]| (memory / MIB, disk >> 30)).unwrap()
    };
    rig.run_ms(10_000);
    assert_eq!(available(&mut rig), (8192, 100));
    let disk = rig.apply(Effect::FillDisk { nodes: vec![NodeId(0)], permille: 900 });
    let memory = rig.apply(Effect::FillMemory { nodes: vec![NodeId(0)], permille: 500 });
    let leak = rig.apply(Effect::Leak { pods: vec![PodId(0), PodId(9)], rate: Growth(3600 * MIB) });
    rig.run_ms(20_000);
    assert_eq!(available(&mut rig), (8192 - 4146 - 10, 10));
    rig.lift(leak);
    rig.lift(disk);
    rig.lift(memory);
    rig.run_ms(60_000);
    assert_eq!(available(&mut rig), (8182, 100), "what leaked is held until the container ends");
    rig.apply(Effect::CrashPods { pods: vec![PodId(0)] });
    rig.run_ms(70_000);
    assert_eq!(available(&mut rig), (8292, 100));
}

#[test]
fn a_dead_host_holds_nothing() {
    let mut rig = crowd(&[(4000, 600, 0)]);
    rig.run_ms(30_000);
    rig.kill(0);
    rig.run_ms(2_000_000);
    assert_eq!(killed(&rig), []);
    assert_eq!(rig.world.hosts[NodeId(0)].memory.bytes(rig.now()), 0);
}

#[test]
fn a_hook_is_cut_off_and_the_container_then_has_what_is_left() {
    let mut setup = Setup::new(1);
    setup.catalog.templates[TemplateId(0)].containers[0].pre_stop = Some(Span::from_secs(60));
    setup.experiment.setting.images[ImageId(0)].shutdown = Span::from_secs(1);
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(10_000);
    let container = ContainerRef::Main(0);
    let (grace, hook) = (Span::from_secs(32), Span::from_secs(30));
    rig.op(0, RuntimeOp::Stop { pod: PodId(0), container, grace, hook });
    rig.run_ms(60_000);
    let exits: Vec<_> = rig.runtime().into_iter().filter(|(_, e)| matches!(e, RuntimeEvent::Exited { .. })).collect();
    assert!(matches!(exits[..], [(41_000, RuntimeEvent::Exited { why: Exit::Stopped, .. })]), "{exits:?}");
}
