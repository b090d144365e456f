//! Values that are one of a few words.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use shakedown_engine::time::Span;

use crate::problem::Problems;
use crate::text::{Decode, Dur, Node, Permille, Value, wrong_type};

/// Writes an enum of words: type, reader and schema.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $called:literal, { $($variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $(
            #[doc = concat!("`", $word, "`.")]
            $variant,
        )+ }

        impl crate::text::Decode for $name {
            fn decode(node: &crate::text::Node, problems: &mut crate::problem::Problems) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),+];
                match node.scalar() {
                    $(Some($word) => Some(Self::$variant),)+
                    other => {
                        problems
                            .error("E0205", node.mark, format!("{} is not {}", node.describe(), $called))
                            .expected(format!("expected one of `{}`", WORDS.join("`, `")))
                            .suggest(other.unwrap_or_default(), WORDS.iter().copied());
                        None
                    }
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Against whom a CPU hog competes.
    Class, "a scheduling class", { Container = "container", Host = "host", Realtime = "realtime", }
}

words! {
    /// How a pod dies.
    Death, "a way for pods to die", { Delete = "delete", Crash = "crash", }
}

words! {
    /// A part of the control plane.
    Part, "a part of the control plane", {
        Scheduler = "scheduler", Controllers = "controllers", ApiServer = "api-server", Etcd = "etcd", Manager = "manager",
    }
}

words! {
    /// Instances of a part of the control plane.
    Which, "a choice of instances", { Leader = "leader", Follower = "follower", Quorum = "quorum", All = "all", }
}

words! {
    /// A priority level of the API server.
    LevelRaw, "a priority level", {
        System = "system", NodeHigh = "node-high", LeaderElection = "leader-election", WorkloadHigh = "workload-high",
        WorkloadLow = "workload-low", GlobalDefault = "global-default", CatchAll = "catch-all",
    }
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DefectRaw {
    /// Nothing.
    None,
    /// It runs but never serves.
    NeverReady,
    /// It cannot be pulled.
    Missing,
    /// It crashes so long after each start.
    CrashesAfter(Span),
    /// It hangs so long after each start.
    HangsAfter(Span),
    /// It answers so many thousandths with errors.
    Errors(u32),
}

impl Decode for DefectRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let expected =
            "`none`, `never_ready`, `missing`, `{ crashes_after: 3s }`, `{ hangs_after: 3s }` or `{ errors: 20% }`";
        let words = ["none", "never_ready", "missing", "crashes_after", "hangs_after", "errors"];
        let mut unknown = |word: &str, mark| {
            problems
                .error("E0205", mark, format!("`{word}` is not a defect"))
                .expected(format!("expected {expected}"))
                .suggest(word, words);
            None
        };
        match &node.value {
            Value::Scalar { text, .. } => match text.as_str() {
                "none" => Some(Self::None),
                "never_ready" => Some(Self::NeverReady),
                "missing" => Some(Self::Missing),
                other => unknown(other, node.mark),
            },
            Value::Map(entries) if entries.len() == 1 => match entries[0].0.text.as_str() {
                "crashes_after" => Dur::decode(&entries[0].1, problems).map(|after| Self::CrashesAfter(after.0)),
                "hangs_after" => Dur::decode(&entries[0].1, problems).map(|after| Self::HangsAfter(after.0)),
                "errors" => Permille::decode(&entries[0].1, problems).map(|share| Self::Errors(share.0)),
                other => unknown(other, entries[0].0.mark),
            },
            _ => {
                wrong_type(node, expected, problems);
                None
            }
        }
    }
}

impl JsonSchema for DefectRaw {
    fn schema_name() -> Cow<'static, str> {
        "Defect".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Dur>();
        let share = generator.subschema_for::<Permille>();
        json_schema!({ "anyOf": [
            { "enum": ["none", "never_ready", "missing"] },
            { "type": "object", "properties": { "crashes_after": duration.clone() }, "required": ["crashes_after"], "additionalProperties": false },
            { "type": "object", "properties": { "hangs_after": duration }, "required": ["hangs_after"], "additionalProperties": false },
            { "type": "object", "properties": { "errors": share }, "required": ["errors"], "additionalProperties": false },
        ] })
    }
}

/// How containers that end by themselves fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailsRaw {
    /// How many of a thousand.
    pub(crate) share: u32,
    /// With which exit code.
    pub(crate) code: i32,
    /// After how long; `None`: when they would have ended well.
    pub(crate) after: Option<Span>,
}

impl Decode for FailsRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let expected = "a share such as `30%`, or `{ share: 30%, code: 42, after: 5s }`";
        let Value::Map(entries) = &node.value else {
            return Permille::decode(node, problems).map(|share| Self { share: share.0, code: 1, after: None });
        };
        let mut fails = Self { share: 1_000, code: 1, after: None };
        for (key, value) in entries {
            match key.text.as_str() {
                "share" => fails.share = Permille::decode(value, problems)?.0,
                "code" => fails.code = code(value, problems)?,
                "after" => fails.after = Some(Dur::decode(value, problems)?.0),
                other => {
                    problems
                        .error("E0201", key.mark, format!("`{other}` is not a key of `fails`"))
                        .expected(format!("expected {expected}"))
                        .suggest(other, ["share", "code", "after"]);
                    return None;
                }
            }
        }
        Some(fails)
    }
}

/// An exit code of a failure: 1 to 255.
fn code(node: &Node, problems: &mut Problems) -> Option<i32> {
    let code = u32::decode(node, problems)?;
    if (1..=255).contains(&code) {
        return i32::try_from(code).ok();
    }
    problems
        .error("E0204", node.mark, format!("{code} is not the exit code of a failure"))
        .expected("expected a number from 1 to 255");
    None
}

impl JsonSchema for FailsRaw {
    fn schema_name() -> Cow<'static, str> {
        "Fails".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Dur>();
        let share = generator.subschema_for::<Permille>();
        json_schema!({ "anyOf": [
            share,
            { "type": "object", "properties": {
                "share": share,
                "code": { "type": "integer", "minimum": 1, "maximum": 255 },
                "after": duration
            }, "additionalProperties": false },
        ] })
    }
}
