//! Steps of DaemonSets: missing pods, pods too many, and updates within their bounds.

use super::*;

/// A node with an old pod (`o`), a new one (`n`), capital letters available; `x` one on its way out.
fn node(id: u32, pods: &str) -> (NodeId, Vec<Pod>, bool) {
    let pod = |(at, c): (usize, char)| Pod {
        id: PodId(id * 10 + at as u32),
        updated: c.eq_ignore_ascii_case(&'n'),
        ready: c.is_uppercase(),
        available: c.is_uppercase(),
        bound: true,
    };
    (NodeId(id), pods.chars().filter(|c| *c != 'x').enumerate().map(pod).collect(), pods.contains('x'))
}

fn cluster(nodes: &[&str]) -> Vec<(NodeId, Vec<Pod>, bool)> {
    (0..).zip(nodes).map(|(id, pods)| node(id, pods)).collect()
}

fn seen(of: &[(NodeId, Vec<Pod>, bool)]) -> impl Iterator<Item = Node<'_>> {
    of.iter().map(|(id, pods, leaving)| Node { id: *id, exists: true, fit: Fit::Run, pods, leaving: *leaving })
}

fn updated(nodes: &[&str], surge: u32, unavailable: u32) -> (Vec<u32>, Vec<u32>) {
    let nodes = cluster(nodes);
    let limits = Limits::new(Amount::Count(surge), Amount::Count(unavailable), nodes.len() as u32);
    let Steps { create, delete } = update(seen(&nodes), limits);
    (create.iter().map(|n| n.0).collect(), delete.iter().map(|p| p.0).collect())
}

fn managed(pods: &str, fit: Fit, handover: Handover) -> (usize, Vec<u32>) {
    let (id, pods, leaving) = node(0, pods);
    let mut steps = Steps::default();
    manage(&Node { id, exists: true, fit, pods: &pods, leaving }, handover, &mut steps);
    (steps.create.len(), steps.delete.iter().map(|p| p.0).collect())
}

/// Recorded on 1.36.2 (05a): 6 nodes, one at a time, then half of them at once.
#[test]
fn old_pods_go_as_far_as_the_unavailability_lets_them() {
    assert_eq!(updated(&["O", "O", "O"], 0, 1), (vec![], vec![0]));
    assert_eq!(updated(&["x", "O", "O"], 0, 1), (vec![], vec![]), "the new pod is not there yet");
    assert_eq!(updated(&["n", "O", "O"], 0, 1), (vec![], vec![]));
    assert_eq!(updated(&["N", "O", "O"], 0, 1), (vec![], vec![10]));
    assert_eq!(updated(&["N", "n", "O", "O"], 0, 2), (vec![], vec![20]));
    assert_eq!(Limits::new(Amount::Count(0), Amount::Percent(50), 5).unavailable, 3, "a share rounds up");
}

/// Recorded on 1.36.2 (05b): the pod of the dead node goes first, and then the update stands still.
#[test]
fn an_old_pod_that_is_down_goes_first_and_uses_up_the_budget() {
    assert_eq!(updated(&["O", "o", "O"], 0, 1), (vec![], vec![10]));
    assert_eq!(updated(&["O", "x", "O"], 0, 1), (vec![], vec![]));
    assert_eq!(updated(&["o", "o", "O"], 0, 1), (vec![], vec![0, 10]), "all that are down, whatever the budget");
}

/// Recorded on 1.36.2 (05a): the new pod first, the old one when it is ready.
#[test]
fn a_surge_creates_before_it_deletes() {
    assert_eq!(updated(&["O", "O"], 1, 0), (vec![0], vec![]));
    assert_eq!(updated(&["On", "O"], 1, 0), (vec![], vec![]));
    assert_eq!(updated(&["ON", "O"], 1, 0), (vec![1], vec![0]));
    assert_eq!(updated(&["o", "O"], 1, 0), (vec![0, 1], vec![]), "a node whose old pod is down costs no surge");
}

#[test]
fn a_node_gets_a_pod_when_it_fits_and_has_none() {
    use Handover::{CreateFirst, DeleteFirst};
    assert_eq!(managed("", Fit::Run, DeleteFirst), (1, vec![]));
    assert_eq!(managed("", Fit::Stay, DeleteFirst), (0, vec![]));
    assert_eq!(managed("N", Fit::Stay, DeleteFirst), (0, vec![]));
    assert_eq!(managed("N", Fit::No, DeleteFirst), (0, vec![0]));
    assert_eq!(managed("x", Fit::Run, DeleteFirst), (0, vec![]), "the old one must be gone");
    assert_eq!(managed("x", Fit::Run, CreateFirst), (1, vec![]), "unless new ones come first");
}

#[test]
fn surplus_pods_of_a_node_go() {
    use Handover::{CreateFirst, DeleteFirst};
    assert_eq!(managed("NN", Fit::Run, DeleteFirst), (0, vec![1]));
    assert_eq!(managed("On", Fit::Run, CreateFirst), (0, vec![]), "both stay until the new one is available");
    assert_eq!(managed("ON", Fit::Run, CreateFirst), (0, vec![0]));
    assert_eq!(managed("on", Fit::Run, CreateFirst), (0, vec![0]));
    assert_eq!(managed("Onn", Fit::Run, CreateFirst), (0, vec![2]));
}

#[test]
fn failures_of_a_node_wait_longer_and_longer() {
    let mut backoff = Backoff::default();
    let second = Time::from_secs;
    assert_eq!(backoff.failed(second(10)), second(10), "the first one does not wait");
    assert_eq!(backoff.failed(second(10)), second(11));
    assert_eq!(backoff.failed(second(11)), second(13));
    assert_eq!(backoff.failed(second(30)), second(30), "its wait has passed");
    for _ in 0..20 {
        backoff.failed(second(30));
    }
    let last = backoff.failed(second(30));
    assert_eq!(backoff.failed(last), last + Span::from_secs(900), "no wait is longer");
    let later = last + Span::from_secs(4_000);
    backoff.failed(later);
    assert_eq!(backoff.failed(later), later + Span::from_secs(1), "a long calm makes them forgotten");
}
