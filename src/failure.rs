//! How a command ends: exit codes, and failures that lead to them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use shakedown_scenarios::Diagnostics;

/// How the program ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything held.
    Passed = 0,
    /// An expectation or a property did not.
    Failed = 1,
    /// A file or an argument is wrong.
    BadInput = 2,
    /// Two equal runs differed.
    NotDeterministic = 3,
    /// What runs the experiment could not do its part.
    WorldFailed = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Files are wrong; each problem has its place.
    Input(Diagnostics),
    /// Arguments are wrong.
    Usage(Usage),
    /// The file system refused.
    File {
        /// What was to be done: `write`, `create`.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// Wrong arguments: what is wrong and what to do.
#[derive(Debug)]
pub(crate) struct Usage {
    /// What is wrong.
    pub(crate) problem: String,
    /// What to do.
    pub(crate) help: String,
}

impl Failure {
    /// Wrong arguments.
    pub(crate) fn usage(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage(Usage { problem: problem.into(), help: help.into() })
    }

    /// Turns an I/O error into a failure that names what was to be done.
    pub(crate) fn file(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::File { verb, path, error }
    }

    /// The exit code that it leads to.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Input(_) | Self::Usage(_) => Exit::BadInput,
            Self::File { .. } => Exit::WorldFailed,
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Input(diagnostics)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(diagnostics) => diagnostics.fmt(f),
            Self::Usage(usage) => write!(f, "{}\n  help: {}", usage.problem, usage.help),
            Self::File { verb, path, error } => write!(f, "cannot {verb} `{}`: {error}", path.display()),
        }
    }
}
