//! The orchestration engine: scheduler, controllers, node agents and service discovery as one pure state machine.
//!
//! No I/O, no clock, no threads, no entropy, no async: time and randomness are arguments, and everything that the
//! engine wants done leaves it as an [`message::Order`]. Control plane and agents talk only by messages that the
//! [`world::World`] carries. It does not know what a fault is: it sees consequences.
//!
//! Where to start: [`model::Catalog`] is what users ask for, [`profile::Profile`] is what makes one orchestrator differ
//! from another, [`Engine`] puts both to work, [`fact::FactKind`] is all that others may learn of it.

pub mod agent;
pub mod fact;
pub mod ids;
pub mod labels;
pub mod message;
pub mod model;
pub mod profile;
pub mod rng;
pub mod rollout;
pub mod scaling;
pub mod scheduler;
pub mod time;
pub mod world;

mod control;
mod engine;
mod timers;

pub use control::{NodeView, PodPhase, PodView, View, WorkloadView};
pub use engine::Engine;
