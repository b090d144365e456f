//! Timelines: a recorded story is set up again, told to the engine, and what happens is held against what happened.
//!
//! Start at [`conform`].

mod alone;
mod cast;
pub mod compare;
pub mod event;
pub mod kubelets;
mod make;
mod ranks;
pub mod recording;
mod replay;
mod story;
mod tell;
pub mod words;

pub use replay::replay;
pub use story::{Story, story};

use std::collections::BTreeMap;

use crate::agreement::Agreement;
use crate::timeline::compare::{CHECKS, Pair, Tolerance};
use crate::timeline::event::{Class, Event, by_class};
use crate::timeline::recording::Recording;

/// A new count for timelines.
pub fn agreement(subject: impl Into<String>) -> Agreement {
    Agreement::new(subject, "timelines", CHECKS)
}

/// Replays a recording and compares; returns how exactly its times were compared.
///
/// # Errors
/// When the recording's story cannot be set up: what it says is not known here.
pub fn conform(recording: &Recording, into: &mut Agreement) -> Result<Tolerance, String> {
    let story = story(recording)?;
    let (mut real, mut ours) = (recording.events.clone(), replay(&story, recording));
    if !story.hand.is_empty() {
        (real, ours) = (ranks::relabel(&story, recording, &real), ranks::relabel(&story, recording, &ours));
    }
    merge(&story, &mut real);
    merge(&story, &mut ours);
    let ours = cut(&real, ours, recording.ends);
    let actions: Vec<f64> = recording.actions.iter().map(|action| action.at).collect();
    let kind = recording.name.split('_').next().unwrap_or("").to_owned();
    into.count_item(&kind);
    let pair = Pair {
        name: &recording.name,
        real: &real,
        ours: &ours,
        initial: story.initial,
        actions: &actions,
        tolerance: &story.tolerance,
    };
    compare::compare(&pair, &kind, into);
    Ok(story.tolerance)
}

/// The recording ends at some moment, perhaps in the middle of something: what comes later counts only where it stands for
/// something that was recorded.
fn cut(real: &[Event], ours: Vec<Event>, end: f64) -> Vec<Event> {
    let recorded = by_class(real);
    let mut seen: BTreeMap<Class, usize> = BTreeMap::new();
    let mut keep = |event: &Event| {
        let seen = seen.entry(event.class.clone()).or_default();
        *seen += 1;
        event.at <= end || *seen <= recorded.get(&event.class).map_or(0, Vec::len)
    };
    ours.into_iter().filter(|event| keep(event)).collect()
}

/// Deployments whose pods are worth the same to a preemptor are one: which of them loses a pod is luck.
fn merge(story: &Story, events: &mut [Event]) {
    for event in events {
        if let Some(together) = story.alike.get(&event.class.owner) {
            event.class.owner.clone_from(together);
        }
    }
}
