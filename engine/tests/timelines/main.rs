//! The engine through the loop, against a scripted world: timelines of real systems with their tolerances.

mod diego;
mod discovery;
mod ecs;
mod founders;
mod guard;
mod jobs;
mod kubernetes;
mod leaders;
mod marathon;
mod nomad;
mod nomad_placement;
mod pressure;
mod random;
mod recorded;
mod removed;
mod scaling;
mod scheduling;
mod script;
mod sets;
mod standalone;
mod swarm;
mod swarm_placement;
mod swarm_services;
mod volumes;
mod volumes_random;
