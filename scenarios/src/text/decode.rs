//! Reading shapes from trees, with all problems collected.
//!
//! `shape!` writes down a mapping once: the struct, its reader and its JSON Schema come from the same lines, so they
//! cannot disagree. serde is not used here because it stops at the first problem. Start at [`Decode`] and `shape!`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::node::{Node, Value};
use crate::problem::{Mark, Problems};

/// Something that is read from a node.
pub(crate) trait Decode: Sized {
    /// Reads it; `None` when that is impossible, and then at least one problem was filed.
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self>;

    /// The value of a field that is not there; `None`: it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// A value and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) mark: Mark,
    /// Something inside is broken and counts as absent: what seems to be missing may not be.
    pub(crate) flawed: bool,
}

impl<T: Decode> Decode for At<T> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let before = problems.errors();
        let value = T::decode(node, problems)?;
        Some(Self { value, mark: node.mark, flawed: problems.errors() > before })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        // A broken value counts as absent, so that the rest of its mapping is still checked: the problem is filed.
        Some(if node.is_null() { None } else { T::decode(node, problems) })
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::List(items) => {
                // Every element is looked at, so that all problems are found; a broken one is left out.
                Some(items.iter().filter_map(|item| T::decode(item, problems)).collect())
            }
            _ if node.is_null() => Some(Self::new()),
            _ => {
                wrong_type(node, "a list", problems);
                Some(Self::new())
            }
        }
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::decode(node, problems).map(Self::new)
    }
}

/// A mapping from free names to values, in the order of the text.
#[derive(Clone, Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(At<String>, T)>);

impl<T: Decode> Decode for Named<T> {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => {
                let read = entries.iter().filter_map(|(key, value)| {
                    let value = T::decode(value, problems)?;
                    Some((At { value: key.text.clone(), mark: key.mark, flawed: false }, value))
                });
                Some(Self(read.collect()))
            }
            _ if node.is_null() => Some(Self(Vec::new())),
            _ => {
                wrong_type(node, "a mapping from names to values", problems);
                Some(Self(Vec::new()))
            }
        }
    }
    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": value })
    }
}

impl Decode for String {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = node.scalar().map(ToOwned::to_owned);
        match &text {
            None => wrong_type(node, "a text", problems),
            // It would reach the terminal of whoever reads the report.
            Some(text) if text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') => {
                problems
                    .error("E0204", node.mark, "this text has control characters")
                    .expected("expected letters, digits and punctuation")
                    .help("remove escapes such as `\\e` and `\\0`");
                return None;
            }
            Some(_) => {}
        }
        text
    }
}

impl Decode for bool {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.scalar() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                wrong_type(node, "`true` or `false`", problems);
                None
            }
        }
    }
}

macro_rules! whole_numbers {
    ($($ty:ty),+) => {$(
        impl Decode for $ty {
            fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
                let value = node.scalar().and_then(|text| text.parse().ok());
                if value.is_none() {
                    wrong_type(node, &format!("a whole number up to {}", <$ty>::MAX), problems);
                }
                value
            }
        }
    )+};
}
whole_numbers!(u16, u32, u64);

/// Files that something else was expected here.
pub(crate) fn wrong_type(node: &Node, expected: &str, problems: &mut Problems) {
    problems
        .error("E0203", node.mark, format!("{} is not what belongs here", node.describe()))
        .expected(format!("expected {expected}"));
}

/// Gives a type that is written as a text or number its JSON Schema.
macro_rules! text_schema {
    ($name:ident, $expected:expr, $pattern:expr) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": ["string", "number"], "description": $expected, "pattern": $pattern })
            }
        }
    };
}
pub(crate) use text_schema;

/// Writes down a mapping: struct, reader and JSON Schema at once. `"..."` is what it is called in problems; the code is
/// that of an unknown field.
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident, $called:literal, $unknown:literal, {
        $($(#[$field_doc:meta])* $field:ident: $ty:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields, transform = $name::relax)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $ty,)*
        }

        impl $name {
            /// Names of all fields.
            pub(crate) const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            /// Takes fields that may be left out from the required ones of the schema: lists, and not only options.
            fn relax(schema: &mut schemars::Schema) {
                let optional = [$((
                    stringify!($field).trim_start_matches("r#"),
                    <$ty as crate::text::Decode>::absent().is_some(),
                )),*];
                let needed = |name: &serde_json::Value| !optional.iter().any(|(field, free)| *free && name == field);
                if let Some(required) = schema.get_mut("required").and_then(serde_json::Value::as_array_mut) {
                    required.retain(needed);
                    if required.is_empty() {
                        schema.remove("required");
                    }
                }
            }
        }

        impl crate::text::Decode for $name {
            fn decode(node: &crate::text::Node, problems: &mut crate::problem::Problems) -> Option<Self> {
                if !matches!(node.value, crate::text::Value::Map(_)) {
                    crate::text::wrong_type(node, concat!("a mapping that describes ", $called), problems);
                    return None;
                }
                let known = || Self::FIELDS.iter().map(|field| field.trim_start_matches("r#"));
                for (key, _) in node.entries() {
                    if known().all(|field| field != key.text) {
                        problems
                            .error($unknown, key.mark, format!("unknown field `{}` in {}", key.text, $called))
                            .expected(format!("expected one of `{}`", known().collect::<Vec<_>>().join("`, `")))
                            .suggest(&key.text, known());
                    }
                }
                $(
                    let name = stringify!($field).trim_start_matches("r#");
                    let $field: Option<$ty> = match node.get(name) {
                        Some(value) => <$ty as crate::text::Decode>::decode(value, problems),
                        None => {
                            let value = <$ty as crate::text::Decode>::absent();
                            if value.is_none() {
                                problems
                                    .error("E0202", node.mark, format!("`{name}` is missing in {}", $called))
                                    .expected(format!("expected a field `{name}` in this mapping"));
                            }
                            value
                        }
                    };
                )*
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}
pub(crate) use shape;
