//! Pulls: fair shares of host and registry, presence, missing images, lost hosts.

use shakedown_chaos::setting::Defect;

use super::*;

/// Two images of 100 MB, which take 2 s at full speed after 300 ms.
fn setup(nodes: usize) -> Setup {
    let mut setup = Setup::new(nodes);
    setup.catalog.image("shop:2", Bytes(100_000_000));
    setup.experiment.setting.images.push(Behaviour::default());
    setup
}

fn pull(rig: &mut Rig, node: u32, pod: u32, image: u32) {
    rig.op(node, RuntimeOp::Pull { pod: PodId(pod), image: ImageId(image), always: false });
}

fn check(rig: &mut Rig, want: &[(u64, u32, bool)]) {
    rig.run_ms(100_000);
    let event = |(at, event): &(u64, RuntimeEvent)| match *event {
        RuntimeEvent::Pulled { pod, ok, .. } => Some((*at, pod.0, ok)),
        _ => None,
    };
    let pulled: Vec<_> = rig.runtime().iter().filter_map(event).collect();
    assert_eq!(pulled, want);
}

#[test]
fn a_pull_takes_a_round_trip_and_the_transfer() {
    let mut rig = setup(1).start();
    pull(&mut rig, 0, 0, 0);
    check(&mut rig, &[(2_300, 0, true)]);
}

#[test]
fn pods_that_want_one_image_share_one_transfer() {
    let mut rig = setup(1).start();
    pull(&mut rig, 0, 0, 0);
    rig.run_ms(1_000);
    pull(&mut rig, 0, 1, 0);
    check(&mut rig, &[(2_300, 0, true), (2_300, 1, true)]);
}

#[test]
fn transfers_of_one_host_share_its_bandwidth_while_both_last() {
    let mut rig = setup(1).start();
    pull(&mut rig, 0, 0, 0);
    rig.run_ms(1_000);
    pull(&mut rig, 0, 1, 1);
    check(&mut rig, &[(3_300, 0, true), (4_300, 1, true)]);
}

#[test]
fn hosts_share_what_the_registry_gives() {
    let mut setup = setup(4);
    setup.experiment.setting.host.registry_bandwidth = 100_000_000;
    let mut rig = setup.start();
    for node in 0..4 {
        pull(&mut rig, node, node, 0);
    }
    check(&mut rig, &[(4_300, 0, true), (4_300, 1, true), (4_300, 2, true), (4_300, 3, true)]);
}

#[test]
fn what_is_present_costs_nothing_or_a_round_trip() {
    let mut setup = setup(1);
    setup.experiment.setting.host.images_present = true;
    let mut rig = setup.start();
    pull(&mut rig, 0, 0, 0);
    rig.op(0, RuntimeOp::Pull { pod: PodId(1), image: ImageId(1), always: true });
    check(&mut rig, &[(0, 0, true), (300, 1, true)]);
}

#[test]
fn a_missing_image_fails_even_where_all_images_are_present() {
    let mut setup = setup(1);
    setup.experiment.setting.host.images_present = true;
    setup.experiment.setting.images[ImageId(1)].defect = Defect::Missing;
    let mut rig = setup.start();
    pull(&mut rig, 0, 0, 1);
    check(&mut rig, &[(300, 0, false)]);
}

#[test]
fn a_dead_host_gives_its_bandwidth_back_and_keeps_its_images() {
    let mut setup = setup(2);
    setup.experiment.setting.host.registry_bandwidth = 50_000_000;
    let mut rig = setup.start();
    pull(&mut rig, 0, 0, 1);
    pull(&mut rig, 1, 1, 1);
    rig.run_ms(2_300);
    let kill = rig.kill(0);
    rig.run_ms(10_000);
    rig.lift(kill);
    rig.run_ms(50_000);
    pull(&mut rig, 0, 2, 1);
    pull(&mut rig, 1, 3, 1);
    // Two seconds at half speed, one at full speed; the dead host's pull begins anew.
    check(&mut rig, &[(3_300, 1, true), (50_000, 3, true), (52_300, 2, true)]);
}

#[test]
fn a_host_that_is_cut_off_from_outside_cannot_pull() {
    let mut rig = setup(1).start();
    rig.cut(nodes(&[0]), outside(), ONE_WAY);
    pull(&mut rig, 0, 0, 0);
    check(&mut rig, &[(30_000, 0, false)]);
}
