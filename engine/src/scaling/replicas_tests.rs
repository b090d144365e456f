//! Cases after kubernetes/kubernetes:pkg/controller/podautoscaler/replica_calculator_test.go: usage of pods that
//! request 1,000 each, and what is recommended.

use super::*;

const NOW: Time = Time::from_secs(10_000);

fn pod(used: Option<i64>) -> Sample {
    Sample {
        used,
        request: 1_000,
        pending: false,
        leaving: false,
        ready: true,
        started: Time::ZERO,
        turned: Time::from_secs(10),
    }
}

fn all(used: &[i64]) -> Vec<Sample> {
    used.iter().map(|&used| pod(Some(used))).collect()
}

fn ask(pods: &[Sample], target: u32, current: u32) -> Option<u32> {
    let youth = Youth {
        initialization: Span::from_secs(300),
        readiness_delay: Span::from_secs(30),
        window: Span::from_secs(15),
    };
    let aim = Aim::Utilization(target);
    recommend(&Question { pods, aim, youth: Some(youth), current, tolerance: (100, 100), now: NOW })
}

#[test]
fn more_load_asks_for_proportionally_more() {
    assert_eq!(ask(&all(&[300, 500, 700]), 30, 3), Some(5));
    assert_eq!(ask(&all(&[100, 300, 500, 250, 250]), 50, 5), Some(3));
}

#[test]
fn small_deviations_are_ignored() {
    assert_eq!(ask(&all(&[1_010, 1_030, 1_020]), 100, 3), Some(3));
    assert_eq!(ask(&all(&[1_100]), 100, 1), Some(1), "exactly the tolerance");
    assert_eq!(ask(&all(&[1_110]), 100, 1), Some(2));
}

#[test]
fn pods_that_start_count_as_idle_when_growing() {
    let mut pods = all(&[100, 500, 700]);
    pods[0].ready = false;
    pods[0].started = NOW - Span::from_secs(20);
    assert_eq!(ask(&pods, 30, 3), Some(4));
    let mut pods = all(&[100, 500, 700]);
    (0..2).for_each(|i| (pods[i].ready, pods[i].started) = (false, NOW));
    assert_eq!(ask(&pods, 60, 3), Some(3), "the assumed average turns the direction");
}

#[test]
fn pending_pods_count_as_idle_when_growing() {
    let mut pods = all(&[1_000, 1_000]);
    pods.push(Sample { pending: true, ..pod(None) });
    assert_eq!(ask(&pods, 50, 3), Some(4));
}

#[test]
fn missing_samples_are_taken_for_idle_when_growing_and_for_busy_when_shrinking() {
    let growing = [pod(Some(950)), pod(Some(950)), pod(None)];
    assert_eq!(ask(&growing, 50, 3), Some(4));
    let shrinking = [pod(Some(100)), pod(Some(100)), pod(None)];
    assert_eq!(ask(&shrinking, 50, 3), Some(3), "1,200 of 3,000 requested is 40 %");
    let ignored = [pod(Some(490)), pod(Some(490)), pod(None)];
    assert_eq!(ask(&ignored, 50, 3), Some(3));
}

#[test]
fn nothing_measured_says_nothing() {
    assert_eq!(ask(&[pod(None), pod(None)], 50, 2), None);
    assert_eq!(ask(&[], 50, 2), None);
}

#[test]
fn pods_that_leave_do_not_count_at_all() {
    let mut pods = all(&[900, 900, 900]);
    pods[2].leaving = true;
    assert_eq!(ask(&pods, 90, 3), Some(3));
    assert_eq!(ask(&pods, 45, 3), Some(4));
}

#[test]
fn a_young_pods_sample_counts_after_a_whole_window_of_readiness() {
    let young = |turned: u64| Sample {
        started: NOW - Span::from_secs(60),
        turned: NOW - Span::from_secs(turned),
        ..pod(Some(1_000))
    };
    assert_eq!(ask(&[young(20)], 50, 1), Some(2));
    assert_eq!(ask(&[young(10)], 50, 1), None);
}

#[test]
fn an_average_is_rounded_down_and_replicas_up() {
    let pods = all(&[100, 201]);
    let aim = Aim::Average(100);
    let question = Question { pods: &pods, aim, youth: None, current: 2, tolerance: (100, 100), now: NOW };
    assert_eq!(recommend(&question), Some(3));
}
