//! Selectors as written: `one`, `all`, `{ nodes: [doe] }`, `{ zone: a, count: 3 }`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::words::words;
use crate::problem::Problems;
use crate::text::{At, Decode, Named, Node, Percent, Value, shape, wrong_type};

/// One name or a list of names.
#[derive(Clone, Debug)]
pub(crate) struct Names(pub(crate) Vec<At<String>>);

impl Decode for Names {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Scalar { .. } if !node.is_null() => At::decode(node, problems).map(|only| Self(vec![only])),
            Value::List(_) => Vec::decode(node, problems).map(Self),
            _ => {
                wrong_type(node, "a name or a list of names", problems);
                None
            }
        }
    }
}

impl JsonSchema for Names {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

words! {
    /// How many of the matching ones, in a word.
    Pick, "how many", { One = "one", All = "all", }
}

/// Writes a shape that has all fields of a node selector and some of its own.
macro_rules! node_shape {
    ($(#[$doc:meta])* $name:ident, $called:literal, { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* }) => {
        crate::text::shape! {
            $(#[$doc])*
            $name, $called, "E0201", {
                /// Names; `*` stands for any characters: `worker-*`.
                nodes: Option<crate::raw::Names>,
                /// Labels that a node must have.
                labels: crate::text::Named<crate::text::At<String>>,
                /// Zone, or several.
                zone: Option<crate::raw::Names>,
                /// Role, or several.
                role: Option<crate::raw::Names>,
                /// Nodes that run a pod of this workload.
                hosting: Option<crate::text::At<String>>,
                /// So many of the matching ones, chosen at random.
                count: Option<crate::text::At<u32>>,
                /// So many percent of the matching ones, rounded up, chosen at random.
                percent: Option<crate::text::At<crate::text::Percent>>,
                /// `one` or `all` of the matching ones.
                pick: Option<crate::text::At<crate::raw::Pick>>,
                $($(#[$field_doc])* $field: $ty,)*
            }
        }

        impl $name {
            /// The node selector in it.
            pub(crate) fn selector(&self) -> crate::raw::SelectorRaw {
                crate::raw::SelectorRaw {
                    nodes: self.nodes.clone(),
                    labels: self.labels.clone(),
                    zone: self.zone.clone(),
                    role: self.role.clone(),
                    hosting: self.hosting.clone(),
                    count: self.count,
                    percent: self.percent,
                    pick: self.pick,
                }
            }
        }
    };
}
pub(crate) use node_shape;

shape! {
    /// Which nodes: all conditions must hold; then how many of those.
    SelectorRaw, "a selector of nodes", "E0201", {
        /// Names; `*` stands for any characters: `worker-*`.
        nodes: Option<Names>,
        /// Labels that a node must have.
        labels: Named<At<String>>,
        /// Zone, or several.
        zone: Option<Names>,
        /// Role, or several.
        role: Option<Names>,
        /// Nodes that run a pod of this workload.
        hosting: Option<At<String>>,
        /// So many of the matching ones, chosen at random.
        count: Option<At<u32>>,
        /// So many percent of the matching ones, rounded up, chosen at random.
        percent: Option<At<Percent>>,
        /// `one` or `all` of the matching ones.
        pick: Option<At<Pick>>,
    }
}

impl SelectorRaw {
    /// True when any condition or number is given.
    pub(crate) fn says_something(&self) -> bool {
        let conditions = self.nodes.is_some() || self.zone.is_some() || self.role.is_some() || self.hosting.is_some();
        let how_many = self.count.is_some() || self.percent.is_some() || self.pick.is_some();
        conditions || how_many || !self.labels.0.is_empty()
    }
}

/// Which nodes: `one`, `all`, or a mapping.
#[derive(Clone, Debug)]
pub(crate) enum NodesRaw {
    /// One at random, or all.
    Pick(Pick),
    /// By conditions.
    Where(Box<SelectorRaw>),
}

impl Decode for NodesRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(_) => SelectorRaw::decode(node, problems).map(|s| Self::Where(Box::new(s))),
            _ if matches!(node.scalar(), Some("one" | "all")) => Pick::decode(node, problems).map(Self::Pick),
            _ => {
                wrong_type(node, "`one`, `all` or a selector such as `{ nodes: [name] }`", problems);
                None
            }
        }
    }
}

impl JsonSchema for NodesRaw {
    fn schema_name() -> Cow<'static, str> {
        "Nodes".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<Pick>(), generator.subschema_for::<SelectorRaw>()] })
    }
}

words! {
    /// A side of a network fault, in a word.
    SideWord, "a side of the network", {
        Control = "control-plane", Outside = "outside", Rest = "rest", All = "all", One = "one",
    }
}

node_shape! {
    /// A side of a network fault: nodes, the control plane, clients outside, or the rest.
    SideShape, "a side of a network fault", {
        /// The control plane.
        control_plane: Option<bool>,
        /// Clients outside the cluster.
        outside: Option<bool>,
        /// Whatever is not on the other side.
        rest: Option<bool>,
    }
}

/// A side of a network fault: a word or a mapping.
#[derive(Clone, Debug)]
pub(crate) enum SideRaw {
    /// In a word.
    Word(SideWord),
    /// By conditions.
    Where(Box<SideShape>),
}

impl Decode for SideRaw {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(_) => SideShape::decode(node, problems).map(|s| Self::Where(Box::new(s))),
            _ => SideWord::decode(node, problems).map(Self::Word),
        }
    }
}

impl JsonSchema for SideRaw {
    fn schema_name() -> Cow<'static, str> {
        "Side".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<SideWord>(), generator.subschema_for::<SideShape>()] })
    }
}
