//! Scenario files, Kubernetes manifests and Compose files, checked and lowered into a plan.
//!
//! Three stages, three types: `text` keeps the place of every value, `raw` has the shapes that a file may have, `check`
//! collects everything that is wrong and lowers the rest into a [`Plan`], which cannot be invalid. Nothing here runs a
//! plan, and nothing panics on input. Start at [`load`] and [`Plan`]; [`check_file`] only looks, [`library`] is what
//! ships inside the program.

mod asked;
mod check;
mod codes;
mod compose;
mod custom;
mod jobs;
mod keys;
mod library;
mod manifest;
mod nodes;
mod objects;
mod plan;
mod problem;
mod raw;
mod report;
mod schema;
mod shapes;
mod text;

pub use codes::{CODES, Page, explain};
pub use custom::{CUSTOM, profile_named};
pub use library::{Embedded, library, load_embedded};
pub use objects::{Objects, lower_objects};
pub use plan::{Note, Override, Plan};
pub use problem::{Diagnostics, Place, Problem, Severity};
pub use report::{CheckReport, FileKind, check_file, check_text};
pub use schema::{profile_schema, schema};
pub use text::{Disk, Files, MAX_FILE_BYTES, ReadError, suggestion};

use std::path::Path;

/// Loads a scenario file with everything that it names.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load(path: &Path) -> Result<Plan, Diagnostics> {
    let mut plan = check::load(&path.display().to_string(), &Disk)?;
    plan.source_path = Some(path.to_path_buf());
    Ok(plan)
}

/// Loads the scenario called `name` from `files`, which also resolves what it includes.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load_from(name: &str, files: &dyn Files) -> Result<Plan, Diagnostics> {
    check::load(name, files)
}

/// Loads a scenario from its text; what it includes is looked for by `files`, relative to `name`.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load_text(name: &str, text: &str, files: &dyn Files) -> Result<Plan, Diagnostics> {
    check::load(name, &text::Overlay { name, text, rest: files })
}
