//! CPU: contention slows work, and work under way is rescaled when shares change.

use shakedown_engine::fact::Exit;

use super::*;

/// Containers that end when they have started up: their memory exceeds their limit.
fn short_lived(setup: &mut Setup) {
    setup.catalog.templates[TemplateId(0)].containers[0].memory_limit = Some(Bytes(1));
}

fn ends(rig: &Rig) -> Vec<u64> {
    let end = |(at, event): &(u64, RuntimeEvent)| match event {
        RuntimeEvent::Exited { why: Exit::OutOfMemory, .. } => Some(*at),
        _ => None,
    };
    rig.runtime().iter().filter_map(end).collect()
}

#[test]
fn containers_that_start_together_share_the_cores() {
    let mut setup = Setup::new(1);
    short_lived(&mut setup);
    let mut rig = setup.start();
    for pod in 0..8 {
        rig.start(0, pod);
    }
    rig.run_ms(60_000);
    // 3.9 cores for eight: a second of CPU takes 8 / 3.9 s.
    assert_eq!(ends(&rig), vec![500 + 2_051; 8]);
}

#[test]
fn a_limit_slows_a_start_on_an_idle_host() {
    let mut setup = Setup::new(1);
    short_lived(&mut setup);
    setup.catalog.templates[TemplateId(0)].containers[0].cpu_limit = Some(MilliCpu(250));
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(60_000);
    assert_eq!(ends(&rig), vec![4_500]);
}

#[test]
fn work_under_way_is_rescaled_when_a_hog_comes_and_goes() {
    let mut setup = Setup::new(1);
    short_lived(&mut setup);
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(1_000);
    // Five percent of four cores are left: a tenth of a core for the agent, a tenth for the container.
    let hog = rig.saturate(0, CpuClass::RealTime, 980);
    rig.run_ms(3_000);
    rig.lift(hog);
    rig.run_ms(60_000);
    // Half a second at full speed, two at a tenth, the rest at full speed.
    assert_eq!(ends(&rig), vec![3_300]);
}

#[test]
fn the_runtime_of_a_starved_host_hardly_gets_on() {
    let mut rig = Setup::new(1).start();
    rig.run_ms(1_000);
    rig.saturate(0, CpuClass::RealTime, 1000);
    rig.start(0, 0);
    rig.run_ms(40_000);
    assert_eq!(rig.runtime(), vec![], "half a second of work at a hundredth of the speed");
    rig.run_ms(60_000);
    assert_eq!(rig.runtime().len(), 1);
}

#[test]
fn requests_are_honoured_against_a_busy_container_but_not_against_the_host() {
    let slowed = |class| {
        let mut setup = Setup::new(1);
        short_lived(&mut setup);
        let mut rig = setup.start();
        for pod in 0..3 {
            rig.start(0, pod);
        }
        rig.saturate(0, class, 16_000);
        rig.run_ms(60_000);
        ends(&rig)[0] - 500
    };
    // Three containers of weight 102 against 8: 3.9 cores * 102 / 314 each.
    assert!((1_000..1_010).contains(&slowed(CpuClass::Container)));
    // Half of 3.9 cores for three containers.
    assert_eq!(slowed(CpuClass::Host), 1_538);
}

#[test]
fn of_two_hogs_the_stronger_counts_and_the_weaker_stays() {
    let mut setup = Setup::new(1);
    short_lived(&mut setup);
    let mut rig = setup.start();
    rig.start(0, 0);
    rig.run_ms(600);
    let weak = rig.saturate(0, CpuClass::RealTime, 500);
    let strong = rig.saturate(0, CpuClass::RealTime, 950);
    rig.run_ms(1_600);
    rig.lift(strong);
    rig.run_ms(60_000);
    rig.lift(weak);
    // A tenth of a second, a second at a tenth, and with two cores left the rest at full speed.
    assert_eq!(ends(&rig), vec![2_400]);
}
