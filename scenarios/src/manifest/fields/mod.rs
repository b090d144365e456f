//! Every field of every object that is read, and what it does here: one line a field.
//!
//! The tables are checked against the types of the Kubernetes API: a field that is in neither of them, or in only one,
//! fails a test. Values are read elsewhere; here a field that is written is either silent or named once with the reason
//! why it has no effect. Start at [`Effect`], then [`Lowering::survey`].

mod network;
mod pods;
mod policy;
mod storage;
#[cfg(test)]
mod tests;
mod workloads;

use super::Lowering;
use crate::text::{Node, Value};

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It decides something.
    Honoured,
    /// It decides something, and has fields of its own: those of this type.
    Of(&'static str),
    /// It changes nothing that is simulated.
    Idle,
    /// It would change something, but is ignored, for this reason.
    Ignored(&'static str),
    /// Only these words are honoured; any other is ignored, for this reason.
    Only(&'static [&'static str], &'static str),
}

/// A type of the API and its fields, in the order of the alphabet.
pub(super) type Type = (&'static str, &'static [(&'static str, Effect)]);

/// All tables.
const TABLES: [&[Type]; 5] = [workloads::TYPES, pods::TYPES, network::TYPES, storage::TYPES, policy::TYPES];

/// The fields of a type.
fn fields_of(name: &str) -> Option<&'static [(&'static str, Effect)]> {
    TABLES.iter().flat_map(|table| table.iter()).find(|(own, _)| *own == name).map(|&(_, fields)| fields)
}

impl Lowering<'_> {
    /// Names everything that is written in an object of this type and has no effect.
    pub(super) fn survey(&mut self, node: &Node, name: &'static str, path: &str) {
        if let Value::List(items) = &node.value {
            for item in items {
                self.survey(item, name, &format!("{path}[]"));
            }
            return;
        }
        let Some(fields) = fields_of(name) else { return };
        for (key, value) in node.entries() {
            let Some(&(field, effect)) = fields.iter().find(|(field, _)| *field == key.text) else { continue };
            if value.is_null() || is_empty(value) {
                continue;
            }
            let path = format!("{path}.{field}");
            match effect {
                Effect::Honoured | Effect::Idle => {}
                Effect::Of(inner) => self.survey(value, inner, &path),
                Effect::Ignored(why) => self.unmodelled.field_of((name, field), &path, why, key.mark),
                Effect::Only(words, why) if value.scalar().is_some_and(|word| words.contains(&word)) => {
                    let _ = why;
                }
                Effect::Only(_, why) => self.unmodelled.field_of((name, field), &path, why, key.mark),
            }
        }
    }
}

/// An empty list or mapping says nothing.
fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.is_empty(),
        Value::Map(_) | Value::Scalar { .. } => false,
    }
}
