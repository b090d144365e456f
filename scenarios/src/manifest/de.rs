//! A serde deserializer over [`Node`], so that the Kubernetes types read our trees and errors keep their place.
//!
//! As strict as the API server: a number is not a text, `port: 80` is not `port: "80"`. Start at [`typed`].

use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::problem::Mark;
use crate::text::{Node, Value};

/// Reads a Kubernetes type from a tree.
pub(super) fn typed<T: DeserializeOwned>(node: &Node) -> Result<T, Misfit> {
    T::deserialize(De { node, as_text: false }).map_err(|mut misfit| {
        misfit.mark.get_or_insert(node.mark);
        misfit
    })
}

/// What does not fit, and where.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) message: String,
    pub(super) mark: Option<Mark>,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), mark: None }
    }
}

struct De<'n> {
    node: &'n Node,
    /// Scalars are handed over as they were written, whatever they look like (quantities).
    as_text: bool,
}

impl<'n> De<'n> {
    fn at(&self, result: Result<impl Sized, Misfit>) -> Misfit {
        let mut misfit = result.err().unwrap_or_else(|| de::Error::custom("this value does not fit"));
        misfit.mark.get_or_insert(self.node.mark);
        misfit
    }

    fn scalar<V: Visitor<'n>>(&self, text: &'n str, plain: bool, visitor: V) -> Result<V::Value, Misfit> {
        if plain && !self.as_text {
            if let Some(value) = boolean(text) {
                return visitor.visit_bool(value);
            }
            if let Ok(value) = text.parse::<i64>() {
                return visitor.visit_i64(value);
            }
            if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                && let Ok(value) = text.parse::<f64>()
            {
                return visitor.visit_f64(value);
            }
        }
        visitor.visit_borrowed_str(text)
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

impl<'de> Deserializer<'de> for De<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let result = match &self.node.value {
            _ if self.node.is_null() => visitor.visit_unit(),
            Value::Scalar { text, plain } => self.scalar(text, *plain, visitor),
            Value::List(items) => visitor.visit_seq(Items { items: items.iter() }),
            Value::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        };
        match result {
            Ok(value) => Ok(value),
            Err(misfit) => Err(self.at(Err::<(), _>(misfit))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(Self { as_text: name == "Quantity", ..self })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        // YAML 1.1, which kubectl reads, has more words for true and false where one of them is wanted.
        match self.node.scalar() {
            Some("yes" | "Yes" | "YES" | "on" | "On" | "ON") => visitor.visit_bool(true),
            Some("no" | "No" | "NO" | "off" | "Off" | "OFF") => visitor.visit_bool(false),
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Items<'n> {
    items: std::slice::Iter<'n, Node>,
}

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = Misfit;

    fn next_element_seed<T: de::DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.items.next().map(|node| located(node, seed)).transpose()
    }
}

struct Entries<'n> {
    entries: std::slice::Iter<'n, (crate::text::Key, Node)>,
    value: Option<&'n Node>,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = Misfit;

    fn next_key_seed<K: de::DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key.text.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<T: de::DeserializeSeed<'n>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        let node = self.value.take().expect("a value is asked for after its key");
        located(node, seed)
    }
}

fn located<'n, T: de::DeserializeSeed<'n>>(node: &'n Node, seed: T) -> Result<T::Value, Misfit> {
    seed.deserialize(De { node, as_text: false }).map_err(|mut misfit| {
        misfit.mark.get_or_insert(node.mark);
        misfit
    })
}
