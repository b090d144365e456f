//! What an experiment does to a cluster, and what it holds to be true.
//!
//! Faults and operations, whom they hit, when; the load that users make; how hosts, network and images behave; the
//! expectations and properties by which a run is judged. It injects nothing itself: a world that is also a
//! [`target::FaultTarget`] does. Start at [`experiment::Experiment`], then [`fault::Action`].

pub mod director;
pub mod expect;
pub mod experiment;
pub mod fault;
pub mod load;
pub mod property;
pub mod resolve;
pub mod scene;
pub mod select;
pub mod session;
pub mod setting;
pub mod target;

#[cfg(test)]
mod scripted;
