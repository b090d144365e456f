//! Interned strings, label sets and label selectors.
//!
//! Labels are compared as integers on every placement, so strings are interned once at load. Start at [`Interner`],
//! then [`Labels`] and [`Selector`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{Id, Symbol};

/// Strings, each stored once.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    by_text: BTreeMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
}

impl Interner {
    /// The symbol of `text`, made on first use.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if let Some(&symbol) = self.by_text.get(text) {
            return symbol;
        }
        let symbol = Symbol::from_index(self.texts.len());
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.by_text.insert(text, symbol);
        symbol
    }

    /// The symbol of `text`, if it was ever interned.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        self.by_text.get(text).copied()
    }

    /// The text of a symbol.
    pub fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol.index()]
    }
}

/// Labels of one object, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels(Box<[(Symbol, Symbol)]>);

impl Labels {
    /// Labels from pairs; of two pairs with one key the later wins.
    pub fn new(pairs: impl IntoIterator<Item = (Symbol, Symbol)>) -> Self {
        let map: BTreeMap<Symbol, Symbol> = pairs.into_iter().collect();
        Self(map.into_iter().collect())
    }

    /// The value of `key`.
    pub fn get(&self, key: Symbol) -> Option<Symbol> {
        self.0.binary_search_by_key(&key, |pair| pair.0).ok().map(|i| self.0[i].1)
    }

    /// All pairs in key order (order of interning, not of the alphabet).
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, Symbol)> + '_ {
        self.0.iter().copied()
    }
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// The label's key.
    pub key: Symbol,
    /// What must hold of it.
    pub op: Op,
}

/// What a requirement demands; the semantics are those of Kubernetes' `labels.Requirement`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// The label is present with one of these values.
    In(Vec<Symbol>),
    /// The label is absent, or present with none of these values.
    NotIn(Vec<Symbol>),
    /// The label is present.
    Exists,
    /// The label is absent.
    NotExists,
    /// The label is an integer greater than this one (node affinity only).
    Greater(i64),
    /// The label is an integer smaller than this one (node affinity only).
    Less(i64),
}

/// A conjunction of requirements. An empty selector matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// All must hold.
    pub all: Vec<Requirement>,
}

impl Selector {
    /// A selector that demands these exact labels.
    pub fn equals(pairs: impl IntoIterator<Item = (Symbol, Symbol)>) -> Self {
        Self { all: pairs.into_iter().map(|(key, value)| Requirement { key, op: Op::In(vec![value]) }).collect() }
    }

    /// True when every requirement holds of `labels`.
    pub fn matches(&self, labels: &Labels, names: &Interner) -> bool {
        self.all.iter().all(|r| r.matches(labels, names))
    }
}

impl Requirement {
    /// True when this requirement holds of `labels`.
    pub fn matches(&self, labels: &Labels, names: &Interner) -> bool {
        let value = labels.get(self.key);
        let integer = || value.and_then(|v| names.text(v).parse::<i64>().ok());
        match &self.op {
            Op::In(values) => value.is_some_and(|v| values.contains(&v)),
            Op::NotIn(values) => value.is_none_or(|v| !values.contains(&v)),
            Op::Exists => value.is_some(),
            Op::NotExists => value.is_none(),
            Op::Greater(than) => integer().is_some_and(|v| v > *than),
            Op::Less(than) => integer().is_some_and(|v| v < *than),
        }
    }
}
