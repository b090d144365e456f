//! How far Shakedown agrees with real clusters: recordings, replays of them, and counts of what agrees.
//!
//! Recordings ship inside the crate, compressed. Each is replayed through the engine's own code and compared step by
//! step; nothing here repairs a difference, and nothing decides by a recording. Start at [`placement::conform`] and
//! [`Agreement`].

mod agreement;
mod docs;
pub mod nomad;
pub mod nomad_timelines;
pub mod placement;
pub mod recordings;
pub mod standalone;
pub mod swarm;
pub mod timeline;
pub mod timelines;

pub use agreement::{Agreement, Check, Count, Disagreement};
pub use docs::{Part, kubernetes_page};
