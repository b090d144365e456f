//! Tests of the scheduler: single rules by hand, and everything at once against a naive twin.

mod agreement;
mod build;
mod filters;
mod hints;
mod naive;
mod naive_preemption;
mod scores;
mod volumes;
