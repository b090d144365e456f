//! Nomad's clients and allocations over time, as recorded on 1.1.2 and as the source has it.
//!
//! Placement is in `scheduling.rs`. Times come from `docs/fidelity-nomad.md`; start at any test.

use shakedown_engine::fact::FactKind;

use crate::script::*;

fn jobs(seed: u64, n: usize, broken: bool) -> Lab {
    let mut setup = Setup::new("nomad").nodes("dc1", n);
    setup.deployment("web", 1);
    let template = setup.catalog.templates.ids().next().expect("the job has one");
    let mut lab = setup.start(seed);
    if broken {
        lab.world.broken.insert(template);
    }
    lab
}

#[test]
fn a_service_is_restarted_twice_with_jitter_and_then_fails() {
    let mut lab = jobs(3, 3, true);
    lab.until(39);
    let starts = lab.times(|k| matches!(k, FactKind::ContainerStarted { .. }));
    let ends = lab.times(|k| matches!(k, FactKind::ContainerExited { .. }));
    assert_eq!(starts.len(), 3, "{starts:?}");
    for (next, end) in starts[1..].iter().zip(&ends) {
        let wait = next - end - START.as_nanos() as f64 / 1e9;
        assert!((15.0..=18.75).contains(&wait), "{wait}");
    }
    let failed = lab.times(|k| matches!(k, FactKind::PodFailed { .. }));
    assert_eq!(failed.len(), 1);
    let known = failed[0] - ends[2];
    assert!((0.0..0.26).contains(&known), "clients report once in 200 ms: {known}");
}

#[test]
fn a_larger_cluster_grants_more_time() {
    let down = |n, seed| {
        let mut lab = jobs(seed, n, false);
        lab.until(1_000);
        lab.kill(nodes(0, 1));
        lab.until(2_000);
        lab.times(|k| matches!(k, FactKind::NodeUnhealthy { .. }))[0] - 1_000.0
    };
    for seed in 0..5 {
        assert!((10.0..30.5).contains(&down(3, seed)));
    }
    assert!((0..5).map(|seed| down(2_500, seed)).any(|t| t > 30.5), "50 s to 100 s of time to live");
}
