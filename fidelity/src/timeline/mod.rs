//! Timelines: a recorded story is set up again, told to the engine, and what happens is held against what happened.
//!
//! Start at [`conform`].

pub mod compare;
pub mod event;
pub mod kubelets;
mod make;
pub mod recording;
mod replay;
mod story;
pub mod words;

pub use replay::replay;
pub use story::{Story, story};

use crate::agreement::Agreement;
use crate::timeline::compare::{CHECKS, Pair};
use crate::timeline::recording::Recording;

/// A new count for timelines.
pub fn agreement(subject: impl Into<String>) -> Agreement {
    Agreement::new(subject, "timelines", CHECKS)
}

/// Replays a recording and compares.
///
/// # Errors
/// When the recording's story cannot be set up: what it says is not known here.
pub fn conform(recording: &Recording, into: &mut Agreement) -> Result<(), String> {
    let story = story(recording)?;
    let ours = replay(&story);
    let actions: Vec<f64> = recording.actions.iter().map(|action| action.at).collect();
    let kind = recording.name.split('_').next().unwrap_or("").to_owned();
    into.count_item(&kind);
    let pair = Pair {
        name: &recording.name,
        real: &recording.events,
        ours: &ours,
        initial: story.initial,
        actions: &actions,
        tolerance: &story.tolerance,
    };
    compare::compare(&pair, &kind, into);
    Ok(())
}
