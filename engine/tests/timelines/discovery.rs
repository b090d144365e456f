//! EndpointSlices: what they say of a pod and when, how many writes it costs, and the recorded run of 1.36.2.
//!
//! The recording had controllers at 500/1,000 requests, kubelets that take 1 s to start, 1 s to be ready and 5 s to stop.

use crate::script::{Lab, Setup};
use shakedown_engine::fact::{Client, FactKind};
use shakedown_engine::ids::{NodeId, PodId};
use shakedown_engine::message::Operation;
use shakedown_engine::model::{Probe, ProbeKind, ProbeRole};
use shakedown_engine::profile::RateLimit;
use shakedown_engine::time::{Span, Time};

/// When the first action happens.
const T0: u64 = 100;

fn lab(mut setup: Setup, seed: u64) -> Lab {
    for (_, template) in setup.catalog.templates.iter_mut() {
        template.containers[0].probes.push(Probe {
            role: ProbeRole::Readiness,
            kind: ProbeKind::Http,
            initial_delay: Span::from_secs(1),
            period: Span::from_secs(10),
            timeout: Span::from_secs(1),
            success_threshold: 1,
            failure_threshold: 3,
        });
    }
    let mut lab = setup.start(seed);
    lab.world.answers = true;
    lab.world.pace = Some((Span::from_secs(1), Span::from_secs(5)));
    lab.until(T0);
    lab
}

fn unthrottled(size: usize) -> Setup {
    let mut setup = Setup::new("kubernetes").nodes("a", size);
    setup.profile.agent.relist = Span::ZERO;
    for limit in &mut setup.profile.control.limits {
        *limit = RateLimit { qps: 500, burst: 1_000 };
    }
    setup
}

/// What is said of a pod and when, in milliseconds since the first action.
fn said(lab: &Lab, wanted: PodId) -> Vec<(u64, String)> {
    let text = |kind: &FactKind| match *kind {
        FactKind::PodDeleting { pod, .. } if pod == wanted => Some("deleting".into()),
        FactKind::PodDeleted { pod } if pod == wanted => Some("gone".into()),
        FactKind::PodReady { pod } if pod == wanted => Some("ready".into()),
        FactKind::EndpointAdded { pod, .. } if pod == wanted => Some("traffic".into()),
        FactKind::EndpointRemoved { pod, .. } if pod == wanted => Some("no traffic".into()),
        FactKind::EndpointGone { pod, .. } if pod == wanted => Some("out".into()),
        FactKind::EndpointConditions { pod, ready, serving, terminating, .. } if pod == wanted => {
            Some(format!("ready={} serving={} terminating={}", ready as u8, serving as u8, terminating as u8))
        }
        _ => None,
    };
    let facts = lab.facts.facts().iter().filter(|fact| fact.at >= Time::from_secs(T0));
    facts.filter_map(|fact| Some((fact.at.since(Time::from_secs(T0)).as_millis(), text(&fact.kind)?))).collect()
}

#[test]
fn a_deleted_pod_stays_in_its_slice_as_terminating_until_it_is_gone() {
    let mut setup = unthrottled(4);
    setup.deployment("web", 6);
    let mut lab = lab(setup, 1);
    let victim = lab.on(NodeId(1))[0];
    lab.command(Operation::DeletePods { pods: vec![victim], grace: None });
    lab.until(T0 + 20);
    let story = said(&lab, victim);
    let words: Vec<&str> = story.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(words[..3], ["deleting", "no traffic", "ready=0 serving=1 terminating=1"], "{story:?}");
    assert_eq!(words[words.len() - 2..], ["gone", "out"], "{story:?}");
    let after = |cause: &str, effect: &str| {
        let at = |text: &str| story.iter().find(|entry| entry.1 == text).expect("it is said").0;
        at(effect) - at(cause)
    };
    // Recorded: 6-26 ms and 0-26 ms.
    assert!((4..=26).contains(&after("deleting", "no traffic")), "{story:?}");
    assert!((4..=26).contains(&after("gone", "out")), "{story:?}");
    let newest = lab.view().pods().map(|pod| pod.id).max().expect("there are pods");
    let story = said(&lab, newest);
    assert_eq!(story.first().map(|entry| entry.1.as_str()), Some("ready=0 serving=0 terminating=0"), "{story:?}");
    assert_eq!(story.last().map(|entry| entry.1.as_str()), Some("traffic"), "{story:?}");
}

/// Pods that become ready one after the other: some passes find their own last write missing and wait a second.
#[test]
fn a_pass_that_misses_its_own_last_write_comes_again_after_a_second() {
    let mut late = 0;
    let mut all = 0;
    for seed in 0..40 {
        let mut setup = unthrottled(4);
        let web = setup.deployment("web", 6);
        let mut lab = lab(setup, seed);
        lab.command(Operation::Scale { workload: web, replicas: 12 });
        lab.until(T0 + 20);
        let ready: Vec<_> = lab.all(|k| matches!(k, FactKind::PodReady { .. }));
        for fact in ready.iter().filter(|fact| fact.at > Time::from_secs(T0)) {
            let FactKind::PodReady { pod } = fact.kind else { continue };
            let added = lab.times(|k| matches!(k, FactKind::EndpointAdded { pod: of, .. } if *of == pod));
            let wait = added[0] - fact.at.as_secs_f64();
            assert!(wait < 0.06 || (0.9..1.1).contains(&wait), "seed {seed}: {wait}");
            late += usize::from(wait > 0.5);
            all += 1;
        }
    }
    assert_eq!(all, 240);
    assert!(
        (1..all / 4).contains(&late),
        "{late} of {all} waited: six at once make more passes follow a write than usual"
    );
}

#[test]
fn a_large_service_is_written_in_slices_of_a_hundred_at_the_controllers_own_rate() {
    let mut setup = Setup::new("kubernetes").nodes("a", 12);
    for client in [Client::Replication, Client::Scheduler, Client::Rollout] {
        setup.profile.control.limits[client as usize] = RateLimit::UNLIMITED;
    }
    setup.deployment("web", 450);
    let mut lab = lab(setup, 1);
    lab.until(T0 + 60);
    let slices = lab.all(|k| matches!(k, FactKind::EndpointConditions { .. }));
    let numbers: std::collections::BTreeSet<u32> = slices
        .iter()
        .filter_map(|fact| match fact.kind {
            FactKind::EndpointConditions { slice, .. } => Some(slice),
            _ => None,
        })
        .collect();
    assert!((5..=7).contains(&numbers.len()), "{} slices: few writes go before perfect packing", numbers.len());
    assert_eq!(lab.view().endpoints(shakedown_engine::ids::ServiceId(0)).len(), 450);
}

#[test]
fn pods_that_are_not_ready_are_published_where_the_service_says_so() {
    let mut setup = unthrottled(2);
    setup.deployment("web", 2);
    setup.catalog.services[shakedown_engine::ids::ServiceId(0)].publish_not_ready = true;
    let mut lab = lab(setup, 1);
    let pod = lab.on(NodeId(0))[0];
    lab.command(Operation::DeletePods { pods: vec![pod], grace: None });
    lab.until(T0 + 3);
    let story = said(&lab, pod);
    let words: Vec<&str> = story.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(words, ["deleting", "ready=1 serving=1 terminating=1"], "it keeps its traffic while it terminates");
}
