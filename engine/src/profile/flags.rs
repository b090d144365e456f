//! Overrides: each value of a profile under the flag name that its orchestrator gives it.

use super::Profile;
use crate::model::Amount;
use crate::time::Span;

/// One overridable value.
#[derive(Clone, Copy)]
pub struct Flag {
    /// The orchestrator's own name for it.
    pub name: &'static str,
    /// What it means, one sentence.
    pub doc: &'static str,
    /// Where name and default come from.
    pub source: &'static str,
    /// Reads it.
    pub get: fn(&Profile) -> Value,
    /// Writes it; the value has the kind that `get` returns. The error says what would be right.
    pub set: fn(&mut Profile, Value) -> Result<(), String>,
}

impl std::fmt::Debug for Flag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A value of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A length of time, written `50s`.
    Span(Span),
    /// A whole number.
    Count(u64),
    /// A number with up to three decimals, kept in thousandths: `0.1`.
    Thousandths(u64),
    /// A number or a percentage: `3`, `25%`.
    Amount(Amount),
    /// `true` or `false`.
    Switch(bool),
    /// One of a few words.
    Word(String),
}

/// Flags of the Kubernetes profile.
pub(super) const KUBERNETES: &[Flag] = &[];
/// Flags of the Swarm profile.
pub(super) const SWARM: &[Flag] = &[];
