//! Reports: facts into metrics, and metrics into terminal, JSON, CSV, plots and one self-contained HTML page.
//!
//! It reads facts and what was declared, never the engine; it decides on integers and uses floats only to draw. It
//! runs nothing and prints nothing: every report is a value or a file that the caller asked for.
//!
//! Start at [`Run`], then [`evaluate`]; [`terminal`], [`json`], [`csv`], [`plot`] and [`html`] show the result,
//! [`compare`] sets several beside each other, [`decision`] answers what a choice depends on, and [`write_all`] puts everything into a directory.

pub mod assumptions;
pub mod compare;
pub mod csv;
pub mod decision;
pub mod format;
pub mod html;
pub mod json;
pub mod measure;
pub mod names;
mod notes;
pub mod plot;
mod run;
pub mod terminal;
mod write;

pub use measure::{Evaluation, Verdict, evaluate};
pub use run::Run;
pub use write::{Existing, write_all};
