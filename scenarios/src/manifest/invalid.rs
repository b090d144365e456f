//! What the API server refuses, in its own words and with the place in the file.
//!
//! Sentences follow kubernetes/kubernetes:staging/src/k8s.io/apimachinery/pkg/util/validation/field/errors.go.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use shakedown_engine::model::Amount;
use shakedown_engine::time::Span;

use super::{Lowering, parse_amount, place};
use crate::text::Node;

/// An object, or a part of one that is called by a path of its own: `spec.template.`.
#[derive(Clone, Copy)]
pub(super) struct At<'n> {
    pub(super) node: &'n Node,
    /// Stands before all paths below `node`.
    pub(super) prefix: &'n str,
}

impl<'n> From<&'n Node> for At<'n> {
    fn from(node: &'n Node) -> Self {
        Self { node, prefix: "" }
    }
}

/// A field of an object by its path: `spec.strategy.rollingUpdate.maxSurge`, `spec.containers[0].image`.
pub(super) type Path<'p> = &'p str;

/// The steps of a path, indexes among them.
fn steps(path: Path<'_>) -> Vec<&str> {
    path.split(['.', '[', ']']).filter(|step| !step.is_empty()).collect()
}

impl Lowering<'_> {
    /// `spec.replicas: Invalid value: -1: must be greater than or equal to 0`.
    pub(super) fn invalid<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, value: &str, why: &str) {
        self.refused(at, path, &format!("Invalid value: {value}: {why}"));
    }

    /// `spec.accessModes: Required value: at least 1 access mode is required`.
    pub(super) fn required<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, why: &str) {
        let colon = if why.is_empty() { "" } else { ": " };
        self.refused(at, path, &format!("Required value{colon}{why}"));
    }

    /// `spec.strategy.rollingUpdate: Forbidden: may not be specified ...`.
    pub(super) fn forbidden<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, why: &str) {
        self.refused(at, path, &format!("Forbidden: {why}"));
    }

    /// `spec.updateStrategy.type: Unsupported value: "Often": supported values: "OnDelete", "RollingUpdate"`.
    pub(super) fn word<'n, 'w>(
        &mut self,
        at: impl Into<At<'n>>,
        path: Path<'_>,
        value: &'w str,
        known: &[&str],
    ) -> Option<&'w str> {
        if known.contains(&value) {
            return Some(value);
        }
        let list: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
        self.refused(at, path, &format!("Unsupported value: \"{value}\": supported values: {}", list.join(", ")));
        None
    }

    fn refused<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, sentence: &str) {
        let At { node, prefix } = at.into();
        let mark = place(node, &steps(path));
        self.problems
            .error("E0505", mark, format!("{prefix}{path}: {sentence}"))
            .expected("expected what the API server takes")
            .help("kubectl gets this answer from a real cluster, too");
    }

    /// A number that may not be negative.
    pub(super) fn natural<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, value: impl Into<i64>) -> Option<u32> {
        let value: i64 = value.into();
        if value < 0 {
            self.invalid(at, path, &value.to_string(), "must be greater than or equal to 0");
            return None;
        }
        Some(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// A number of seconds that may not be negative.
    pub(super) fn seconds<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, value: impl Into<i64>) -> Option<Span> {
        let value: i64 = value.into();
        if value < 0 {
            self.invalid(at, path, &value.to_string(), "must be greater than or equal to 0");
            return None;
        }
        // Longer than any run.
        Some(Span::from_secs(value.unsigned_abs().min(u64::from(u32::MAX))))
    }

    /// A number or a percentage, as in `maxUnavailable`.
    pub(super) fn amount<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, value: &IntOrString) -> Option<Amount> {
        match value {
            IntOrString::Int(n) => self.natural(at, path, *n).map(Amount::Count),
            IntOrString::String(text) => match parse_amount(text) {
                // Nothing is larger than this, and products of it stay small.
                Some(Amount::Percent(percent)) => Some(Amount::Percent(percent.min(10_000))),
                _ => {
                    let why = "must be an integer or percentage (e.g '5%')";
                    self.invalid(at, path, &format!("\"{text}\""), why);
                    None
                }
            },
        }
    }

    /// The same, at most 100%.
    pub(super) fn share<'n>(&mut self, at: impl Into<At<'n>>, path: Path<'_>, value: &IntOrString) -> Option<Amount> {
        let at = at.into();
        let amount = self.amount(at, path, value)?;
        if matches!(amount, Amount::Percent(percent) if percent > 100) {
            let text = show(value);
            self.invalid(at, path, &text, "must not be greater than 100%");
            return None;
        }
        Some(amount)
    }
}

/// As the API server shows it.
pub(super) fn show(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(n) => n.to_string(),
        IntOrString::String(text) => format!("\"{text}\""),
    }
}
