//! The tables against the types of the Kubernetes API: no field is in only one of them.
//!
//! A type's own reader says which fields it knows and of which types they are: it is asked by a deserializer that
//! answers every question and writes down what it was asked. Start at [`shapes`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1 as hook;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::networking::v1 as net;
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::scheduling::v1beta1::PodGroup;
use k8s_openapi::api::storage::v1::{CSINode, StorageClass};
use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::{Effect, TABLES, fields_of};

/// Fields of each type, each with the type of its value when that has fields itself.
#[derive(Default)]
struct Shapes {
    types: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

/// Answers everything that a reader asks for.
#[derive(Clone, Copy)]
struct Answer<'s> {
    shapes: &'s RefCell<Shapes>,
    /// The field whose value is read: its type and name.
    of: Option<(&'static str, &'static str)>,
    depth: u32,
}

impl<'s> Answer<'s> {
    fn note(&self, name: &str, fields: &[&'static str]) {
        let mut shapes = self.shapes.borrow_mut();
        let own = shapes.types.entry(name.to_owned()).or_default();
        for field in fields {
            own.entry((*field).to_owned()).or_default();
        }
        if let Some((parent, field)) = self.of {
            let fields = shapes.types.entry(parent.to_owned()).or_default();
            fields.insert(field.to_owned(), Some(name.to_owned()));
        }
    }

    fn scalar<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // Times have to be times; everything else takes any text or number.
        let bytes = matches!(self.of, Some((_, "caBundle")));
        visitor.visit_borrowed_str(if bytes { "" } else { "2026-01-01T00:00:00Z" })
    }
}

impl<'de, 's> Deserializer<'de> for Answer<'s> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.scalar(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(true)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(1)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(1)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(1.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.depth > 24 { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Once { answer: self, left: true })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { answer: self, of: None, fields: &["any"], next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.note(name, fields);
        visitor.visit_map(Fields { answer: self, of: Some(name), fields, next: 0 })
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

struct Once<'s> {
    answer: Answer<'s>,
    left: bool,
}

impl<'de, 's> SeqAccess<'de> for Once<'s> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if std::mem::take(&mut self.left) { seed.deserialize(self.answer).map(Some) } else { Ok(None) }
    }
}

struct Fields<'s> {
    answer: Answer<'s>,
    of: Option<&'static str>,
    fields: &'static [&'static str],
    next: usize,
}

impl<'de, 's> MapAccess<'de> for Fields<'s> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<'_, Error> = (*field).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let field = self.fields[self.next];
        self.next += 1;
        // An object must say of which kind it is.
        match (field, self.of) {
            ("kind", Some(of)) => seed.deserialize(Text(of.into_deserializer())),
            // Claims stand inside of stateful sets as objects of their own.
            ("apiVersion", Some("PersistentVolumeClaim")) => seed.deserialize(Text("v1".into_deserializer())),
            ("apiVersion", Some(_)) => {
                let version = VERSION.with_borrow(|version| *version);
                seed.deserialize(Text(version.into_deserializer()))
            }
            _ => {
                let of = self.of.map(|of| (of, field)).or(self.answer.of);
                seed.deserialize(Answer { of, depth: self.answer.depth + 1, ..self.answer })
            }
        }
    }
}

thread_local! {
    /// `apiVersion` of the object that is being read.
    static VERSION: RefCell<&'static str> = const { RefCell::new("") };
}

/// A text where a text or an optional text is wanted.
struct Text<'a>(StrDeserializer<'a, Error>);

impl<'de, 'a> Deserializer<'de> for Text<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

fn ask<T: for<'de> Deserialize<'de> + k8s_openapi::Resource>(shapes: &RefCell<Shapes>) {
    VERSION.with_borrow_mut(|version| *version = T::API_VERSION);
    let answer = Answer { shapes, of: None, depth: 0 };
    T::deserialize(answer).unwrap_or_else(|wrong| panic!("{}: {wrong}", T::KIND));
}

/// Everything that the types of all kinds that are read know.
fn shapes() -> Shapes {
    let shapes = RefCell::default();
    ask::<apps::Deployment>(&shapes);
    ask::<apps::ReplicaSet>(&shapes);
    ask::<apps::StatefulSet>(&shapes);
    ask::<apps::DaemonSet>(&shapes);
    ask::<core::ReplicationController>(&shapes);
    ask::<core::Pod>(&shapes);
    ask::<core::Service>(&shapes);
    ask::<core::Namespace>(&shapes);
    ask::<core::Node>(&shapes);
    ask::<core::LimitRange>(&shapes);
    ask::<core::ResourceQuota>(&shapes);
    ask::<core::PersistentVolume>(&shapes);
    ask::<core::PersistentVolumeClaim>(&shapes);
    ask::<batch::Job>(&shapes);
    ask::<batch::CronJob>(&shapes);
    ask::<HorizontalPodAutoscaler>(&shapes);
    ask::<PodDisruptionBudget>(&shapes);
    ask::<PriorityClass>(&shapes);
    ask::<PodGroup>(&shapes);
    ask::<RuntimeClass>(&shapes);
    ask::<StorageClass>(&shapes);
    ask::<CSINode>(&shapes);
    ask::<net::Ingress>(&shapes);
    ask::<net::NetworkPolicy>(&shapes);
    ask::<hook::MutatingWebhookConfiguration>(&shapes);
    ask::<hook::ValidatingWebhookConfiguration>(&shapes);
    shapes.into_inner()
}

#[test]
fn every_field_of_every_kind_is_honoured_accepted_or_warned_about() {
    let shapes = shapes();
    let mut wrong = Vec::new();
    for &(name, fields) in TABLES.iter().flat_map(|table| table.iter()) {
        let Some(real) = shapes.types.get(name) else {
            wrong.push(format!("{name} is no type of the API that is reached"));
            continue;
        };
        let own: BTreeSet<&str> = fields.iter().map(|(field, _)| *field).collect();
        let theirs: BTreeSet<&str> = real.keys().map(String::as_str).collect();
        wrong.extend(theirs.difference(&own).map(|field| format!("{name}.{field} is in no table")));
        wrong.extend(own.difference(&theirs).map(|field| format!("{name}.{field} is in no type")));
        for &(field, effect) in fields {
            let Effect::Of(inner) = effect else { continue };
            if real.get(field).cloned().flatten().as_deref() != Some(inner) {
                wrong.push(format!("{name}.{field} is no {inner} but {:?}", real.get(field)));
            }
            if fields_of(inner).is_none() {
                wrong.push(format!("{inner} has no table"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_type_has_two_tables() {
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|(name, _)| *name)
        .filter(|name| !seen.insert(*name))
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn every_table_is_used() {
    let used: BTreeSet<&str> = TABLES
        .iter()
        .flat_map(|table| table.iter())
        .flat_map(|(_, fields)| fields.iter())
        .filter_map(|(_, effect)| if let Effect::Of(inner) = effect { Some(*inner) } else { None })
        .collect();
    let roots = |fields: &[(&str, Effect)]| fields.iter().any(|(field, _)| *field == "apiVersion");
    for (name, fields) in TABLES.iter().flat_map(|table| table.iter()) {
        assert!(used.contains(name) || roots(fields), "{name} is reached from nowhere");
    }
}

#[test]
fn how_many_fields_are_in_the_tables() {
    let all = || TABLES.iter().flat_map(|table| table.iter()).flat_map(|(_, fields)| fields.iter().map(|(_, e)| *e));
    let count = |want: fn(Effect) -> bool| all().filter(|&effect| want(effect)).count();
    let honoured = count(|effect| matches!(effect, Effect::Honoured | Effect::Of(_)));
    let idle = count(|effect| effect == Effect::Idle);
    let warned = count(|effect| matches!(effect, Effect::Ignored(_) | Effect::Only(..)));
    println!("{honoured} honoured, {idle} accepted, {warned} warned about");
    assert!(honoured > 300 && idle > 100 && warned > 30);
}
