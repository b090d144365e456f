//! The deterministic simulated cluster: hosts, containers, CPU, memory, images, network, proxies and users.
//!
//! It carries out the orders of an engine and reports what comes of them; it decides nothing that an orchestrator
//! decides, and it reads no clock. Time jumps from event to event, so what does not change costs nothing. Every part
//! is plain data: a clone of [`SimWorld`] is a fork of the run.
//!
//! Where to start: [`SimWorld`] is the whole; [`queue`] keeps its future; `runtime` runs containers; `cpu` shares cores.

mod absence;
mod away;
mod balancer;
mod beat;
mod container;
mod cpu;
mod event;
mod fault;
mod host;
mod images;
mod measure;
mod memory;
mod message;
mod names;
mod network;
mod probe;
mod proxy;
pub mod queue;
mod reach;
mod runtime;
mod traffic;
mod world;

pub use queue::EventQueue;
pub use world::SimWorld;

#[cfg(test)]
mod tests;
