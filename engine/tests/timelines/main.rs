//! The engine through the loop, against a scripted world: timelines of real systems with their tolerances.

mod kubernetes;
mod random;
mod recorded;
mod removed;
mod script;
mod swarm;
