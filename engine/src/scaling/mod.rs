//! Scaling by load: how many replicas or machines there should be, decided from measurements alone.
//!
//! Pure functions; the controllers in `control/autoscaler` and `control/pools` measure, ask and write. Start at
//! [`replicas`] for what a metric recommends, at [`limits`] for what is made of recommendations, and at [`machines`] for
//! the cluster autoscaler.

pub mod limits;
pub mod machines;
pub mod replicas;
