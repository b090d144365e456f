//! What happened, in words that recordings and runs share.
//!
//! Only what timers decide and what shows the order is kept. Start at [`What`] and [`recorded`].

use serde_json::Value;
use shakedown_engine::fact::{Fact, FactKind, Note};
use shakedown_engine::rng::Stream;
use shakedown_engine::time::Span;

/// The recordings were taken from the event stream of one server, mostly a follower, which hears of an entry of the log
/// up to so much after the leader, or with the entry after it. Measured: 0-100 ms. Stated here once, for all recordings;
/// what carries the servers' or the client's own stamp has no lag.
const STREAM_LAG: (Span, Span) = (Span::ZERO, Span::from_millis(100));
/// The lag of an entry that another follows at once (an evaluation after a node's status, its completion after a plan).
/// Measured of 27 plans, from the leader's stamp: 7-38 ms.
const FOLLOWED_LAG: (Span, Span) = (Span::from_millis(5), Span::from_millis(40));

/// Something that happened, seconds after the story's beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    pub at: f64,
    pub what: What,
    /// Of which allocation; recordings and runs count them differently, so it only tells them apart.
    pub alloc: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Down,
    Ready,
    /// An allocation has its node; its number.
    Placed(u32),
    /// An allocation is to stop; its number.
    Stopped(u32),
    Started,
    Exited,
    /// The servers know that an allocation failed.
    Failed,
    Healthy,
    Promoted,
    DeploymentFailed,
    Reverted,
    Successful,
}

/// The events of a job in a recording, in order of time; of a node with this name.
pub(super) fn recorded(json: &Value, job: &str, node: Option<&str>) -> Vec<Event> {
    let empty = Vec::new();
    let all = json["events"].as_array().unwrap_or(&empty);
    let mut seen = Vec::new();
    let mut healthy = std::collections::BTreeSet::new();
    let mut failed = std::collections::BTreeSet::new();
    let lost = replaced(all, node);
    for event in all {
        let at = event["t"].as_f64().unwrap_or(0.0);
        let of_job = event["job"].as_str() == Some(job);
        let alloc = event["alloc"].as_str().and_then(|id| u64::from_str_radix(id, 16).ok()).unwrap_or(0);
        let mut push = |at: f64, what| seen.push(Event { at, what, alloc });
        match (event["kind"].as_str().unwrap_or(""), event["type"].as_str().unwrap_or("")) {
            ("node", _) if event["node"].as_str() == node && node.is_some() && at >= 0.0 => {
                match event["status"].as_str() {
                    Some("down") => push(at, What::Down),
                    Some("ready") => push(at, What::Ready),
                    _ => {}
                }
            }
            ("task", "Started") if of_job => push(at, What::Started),
            ("task", "Terminated") if of_job && (node.is_none() || event["node"].as_str() == node) => {
                push(at, What::Exited)
            }
            ("alloc", "PlanResult") if of_job => {
                let slot = number(event["name"].as_str().unwrap_or(""));
                match (event["desired"].as_str(), event["client"].as_str()) {
                    // Another client may have died at nearly the same time: what replaces its allocations does not count.
                    (Some("run"), Some("pending")) if ours(event, lost.as_ref()) => push(at, What::Placed(slot)),
                    (Some("stop"), _) => push(stamp(event, "modify", at), What::Stopped(slot)),
                    _ => {}
                }
            }
            ("alloc", "AllocationUpdated") if of_job => {
                if event["healthy"].as_bool() == Some(true) && healthy.insert(alloc) {
                    push(stamp(event, "modify", at), What::Healthy);
                }
                if event["client"].as_str() == Some("failed") && failed.insert(alloc) {
                    push(stamp(event, "modify", at), What::Failed);
                }
            }
            ("deploy", kind) if of_job => match (event["status"].as_str(), kind) {
                (_, "DeploymentPromotion") => push(at, What::Promoted),
                (Some("failed"), _) => push(at, What::DeploymentFailed),
                (Some("successful"), _) => push(at, What::Successful),
                _ => {}
            },
            _ => {}
        }
    }
    seen.retain(|event| event.at >= -0.05);
    seen.sort_by(|a, b| a.at.total_cmp(&b.at));
    seen
}

/// Allocations that a client had and lost, where a recording is about one.
fn replaced<'a>(all: &'a [Value], node: Option<&str>) -> Option<std::collections::BTreeSet<&'a str>> {
    let node = node?;
    let its = all.iter().filter(|event| event["kind"] == "alloc" && event["node"].as_str() == Some(node));
    Some(its.filter_map(|event| event["alloc"].as_str()).collect())
}

/// Whether a placement replaces one of these allocations.
fn ours(event: &Value, lost: Option<&std::collections::BTreeSet<&str>>) -> bool {
    let before = event["prev"].as_str();
    lost.is_none_or(|lost| before.is_some_and(|before| lost.contains(before)))
}

/// The server's own stamp of a change, where there is one.
fn stamp(event: &Value, field: &str, at: f64) -> f64 {
    event[field].as_f64().filter(|stamp| (at - stamp).abs() < 1.0).unwrap_or(at)
}

/// The number in a name such as `web.g[3]`.
fn number(name: &str) -> u32 {
    let digits = name.rsplit('[').next().unwrap_or("").trim_end_matches(']');
    digits.parse().unwrap_or(0)
}

/// What an observer of a run sees, as one saw the recorded ones.
pub(super) fn observed(mut events: Vec<Event>, luck: &mut Stream) -> Vec<Event> {
    // An entry of the log brings the ones before it along.
    let mut next = f64::INFINITY;
    for event in events.iter_mut().rev() {
        let (low, high) = match event.what {
            What::Down | What::Ready | What::Placed(_) => FOLLOWED_LAG,
            What::Promoted | What::DeploymentFailed | What::Successful => STREAM_LAG,
            _ => continue,
        };
        let written = event.at;
        event.at = (written + luck.span(low, high).as_secs_f64()).min(next).max(written);
        next = event.at;
    }
    events.sort_by(|a, b| a.at.total_cmp(&b.at));
    events
}

/// The events of a run.
pub(super) fn of_run(facts: &[Fact], begin: f64, slot: impl Fn(shakedown_engine::ids::PodId) -> u32) -> Vec<Event> {
    let one = |fact: &Fact| {
        let (what, pod) = match fact.kind {
            FactKind::NodeUnhealthy { .. } => (What::Down, None),
            FactKind::NodeHealthy { .. } => (What::Ready, None),
            FactKind::PodBound { pod, .. } => (What::Placed(slot(pod)), Some(pod)),
            FactKind::PodDeleting { pod, .. } => (What::Stopped(slot(pod)), Some(pod)),
            FactKind::ContainerStarted { pod, .. } => (What::Started, Some(pod)),
            FactKind::ContainerExited { pod, .. } => (What::Exited, Some(pod)),
            FactKind::PodFailed { pod } => (What::Failed, Some(pod)),
            FactKind::RolloutUndone { .. } => (What::Reverted, None),
            FactKind::RolloutCompleted { .. } => (What::Successful, None),
            FactKind::Noted { note, .. } => match note {
                Note::Healthy => (What::Healthy, None),
                Note::Promoted => (What::Promoted, None),
                Note::UnhealthyAllocations | Note::ProgressDeadline => (What::DeploymentFailed, None),
                _ => return None,
            },
            _ => return None,
        };
        let at = fact.at.as_secs_f64() - begin;
        (at >= 0.0).then(|| Event { at, what, alloc: pod.map_or(0, |pod| u64::from(pod.0)) })
    };
    facts.iter().filter_map(one).collect()
}
