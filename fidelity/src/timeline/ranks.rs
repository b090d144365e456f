//! Pods that were placed by hand, known by what decides which of them goes first.
//!
//! Among pods of equal rank their random ids decide; so what is compared is not which pod goes but which rank it had at
//! the action that made it go. A ReplicaSet without a Deployment is compared by readiness and cost alone: what comes after
//! them is no order in the original when pods became ready in the same second. Start at [`relabel`].
//!
//! Source: kubernetes/kubernetes:pkg/controller/controller_utils.go, `ActivePodsWithRanks`.

use std::collections::{BTreeMap, BTreeSet};

use crate::timeline::event::Event;
use crate::timeline::recording::Recording;
use crate::timeline::story::{Hand, Story};

/// Gives deletions of hand-placed pods their rank in the place of a revision.
pub(super) fn relabel(story: &Story, recording: &Recording, events: &[Event]) -> Vec<Event> {
    let pods: BTreeMap<&str, &Hand> = story.hand.iter().map(|hand| (hand.name.as_str(), hand)).collect();
    let mut left: BTreeSet<&str> = pods.keys().copied().collect();
    let mut events = events.to_vec();
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    let bare = !recording.watched.contains_key("deployment");
    let bounds: Vec<f64> = recording.actions.iter().map(|action| action.at).chain([f64::INFINITY]).collect();
    for window in bounds.windows(2) {
        let going: Vec<&str> = events
            .iter()
            .filter(|e| e.class.kind == "deleting" && e.at >= window[0] && e.at < window[1])
            .filter_map(|e| pods.get_key_value(e.object.as_str()).map(|(name, _)| *name))
            .collect();
        for name in &going {
            let label = if bare { of_itself(pods[name]) } else { rank(&pods, &left, (name, window[0])) };
            labels.insert((*name).to_owned(), label);
        }
        for name in &going {
            left.remove(name);
        }
    }
    for event in events.iter_mut().filter(|event| ["deleting", "gone"].contains(&event.class.kind.as_str())) {
        if let Some(label) = labels.get(&event.object) {
            event.class.revision.clone_from(label);
        }
    }
    events
}

fn of_itself(pod: &Hand) -> String {
    format!("({}, cost {})", if pod.ready.is_some() { "ready" } else { "not ready" }, pod.cost)
}

/// Readiness, cost, pods on the same node, and the powers of two of the time since it was ready and since it was created.
fn rank(pods: &BTreeMap<&str, &Hand>, left: &BTreeSet<&str>, (name, now): (&str, f64)) -> String {
    let pod = pods[name];
    let beside = left.iter().filter(|other| pods[*other].node == pod.node).count();
    let bucket = |since: f64| ((now - since).max(1e-9) * 1e9).log2().floor();
    let (made, ready) = pod.seen;
    let ready = ready.map_or_else(String::new, |since| format!(", ready for 2^{} ns", bucket(since)));
    format!("{}, {beside} on its node{ready}, made 2^{} ns ago", of_itself(pod), bucket(made))
}
