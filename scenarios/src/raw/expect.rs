//! Expectations as written.

use super::Names;
use crate::problem::Problems;
use crate::text::{At, Decode, Node, shape, wrong_type};

shape! {
    /// What is expected: a metric and exactly one bound.
    ExpectRaw, "an expectation", "E0201", {
        /// What is measured.
        metric: At<String>,
        /// Of which service or workload. Left out: of all.
        of: Option<At<String>>,
        /// Which value of the distribution: `min`, `p50`, `p90`, `p99`, `max` (default), `mean`.
        statistic: Option<At<String>>,
        /// Less than this.
        below: Option<At<Scalar>>,
        /// At most this.
        at_most: Option<At<Scalar>>,
        /// At least this.
        at_least: Option<At<Scalar>>,
        /// More than this.
        above: Option<At<Scalar>>,
        /// From the first to the second.
        between: Option<At<Vec<At<Scalar>>>>,
        /// Exactly this.
        equals: Option<At<Scalar>>,
        /// It must not happen at all.
        never: Option<At<bool>>,
        /// Only under these orchestrators.
        only: Option<Names>,
    }
}

/// Any scalar, kept as its text: what it means depends on what it is compared with.
#[derive(Clone, Debug)]
pub(crate) struct Scalar(pub(crate) String);

impl Decode for Scalar {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = node.scalar().map(|text| Self(text.to_owned()));
        if text.is_none() {
            wrong_type(node, "a single value", problems);
        }
        text
    }
}

impl schemars::JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}
