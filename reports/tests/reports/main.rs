//! Reports over fact logs that are written by hand, so that every number in them can be checked by eye.
//!
//! No engine and no world run here. Start at [`logbook`].

mod decision;
mod documents;
mod logbook;
mod metrics;
mod scale;
mod sentences;
mod summary;
