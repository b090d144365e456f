//! Reading of job files: fields by their tables, values by their forms.
//!
//! Go, Scala and Java write `null` for what is not set, so `null` is as if it were not there. Start at [`Reader`].

use std::collections::BTreeMap;

use shakedown_engine::time::Span;

use super::{Jobs, System};
use crate::keys::{Effect, Keys};
use crate::manifest::{Lowered, Lowering};
use crate::problem::Mark;
use crate::text::{Node, Scale, Value, parse_quantity, wrong_type};

/// What the parts of the reading share.
pub(super) struct Reader<'r, 'l> {
    pub(super) low: &'r mut Lowering<'l>,
    pub(super) lowered: Lowered,
    /// Errors when the reading began.
    pub(super) before: usize,
    system: System,
    honoured: BTreeMap<String, u32>,
    /// Fields that change nothing that is simulated, and where each stood first.
    idle: BTreeMap<String, (Mark, u32)>,
}

impl<'r, 'l> Reader<'r, 'l> {
    /// Nothing read yet.
    pub(super) fn new(system: System, low: &'r mut Lowering<'l>) -> Self {
        let before = low.problems.errors();
        let (honoured, idle) = (BTreeMap::new(), BTreeMap::new());
        Self { low, lowered: Lowered::default(), before, system, honoured, idle }
    }

    /// Names once what has no effect.
    pub(super) fn finish(self) -> Jobs {
        if let Some(mark) = self.idle.values().map(|found| found.0).min_by_key(|mark| mark.start) {
            let list: Vec<String> = self.idle.iter().map(|(path, found)| format!("{} `{path}`", found.1)).collect();
            let text = format!("these fields are accepted and change nothing here: {}", list.join(", "));
            self.low.problems.info("N0611", mark, text);
        }
        Jobs { lowered: self.lowered, honoured: self.honoured }
    }

    /// Looks at the keys of a mapping; false, with a problem filed, when it is none.
    pub(super) fn keys(&mut self, node: &Node, keys: &Keys) -> bool {
        let Value::Map(entries) = &node.value else {
            wrong_type(node, &format!("a mapping that describes {}", keys.called), self.low.problems);
            return false;
        };
        for (key, value) in entries {
            let path = format!("{}{}", keys.path, key.text);
            match keys.effect(&key.text) {
                Some(Effect::Part) => {}
                Some(_) if nothing(value) => {}
                Some(Effect::Honoured) => *self.honoured.entry(path).or_default() += 1,
                Some(Effect::Wished(wish)) => {
                    self.low.asked.note(&path, wish, key.mark);
                    *self.honoured.entry(path).or_default() += 1;
                }
                Some(Effect::Idle) => self.idle.entry(path).or_insert((key.mark, 0)).1 += 1,
                Some(Effect::Ignored(why) | Effect::Unresolved(why)) => {
                    self.low.unmodelled.field(&path, why, key.mark);
                }
                None => {
                    let known = keys.table.iter().map(|(name, _)| *name);
                    let what = self.system.called();
                    self.low
                        .problems
                        .warn("W0620", key.mark, format!("`{path}` is no field of {what}; it is ignored"))
                        .suggest(&key.text, known);
                }
            }
        }
        true
    }

    /// The mapping under a key, its keys looked at; `None` when nothing is there.
    pub(super) fn part<'n>(&mut self, parent: &'n Node, key: &str, keys: &Keys) -> Option<&'n Node> {
        let node = written(parent, key)?;
        self.keys(node, keys).then_some(node)
    }

    /// Mappings of the list under a key, their keys looked at.
    pub(super) fn parts<'n>(&mut self, parent: &'n Node, key: &str, keys: &Keys) -> Vec<&'n Node> {
        self.list(parent, key).iter().filter(|node| self.keys(node, keys)).collect()
    }

    /// Elements of the list under a key; anything else there is a problem.
    pub(super) fn list<'n>(&mut self, parent: &'n Node, key: &str) -> &'n [Node] {
        let Some(node) = written(parent, key) else { return &[] };
        if !matches!(node.value, Value::List(_)) {
            wrong_type(node, "a list", self.low.problems);
        }
        node.items()
    }

    /// The text under a key that is not empty.
    pub(super) fn text<'n>(&mut self, parent: &'n Node, key: &str) -> Option<&'n str> {
        let node = written(parent, key)?;
        let text = node.scalar();
        if text.is_none() {
            wrong_type(node, "a text", self.low.problems);
        }
        text.filter(|text| !text.is_empty())
    }

    /// A whole number.
    pub(super) fn count(&mut self, parent: &Node, key: &str) -> Option<u32> {
        self.value(parent, key, "a whole number that is not negative", &|text| text.parse().ok())
    }

    /// A number of three decimals at most, in thousandths.
    pub(super) fn milli(&mut self, parent: &Node, key: &str) -> Option<u32> {
        let form = |text: &str| plain(text).then(|| parse_quantity(text, Scale::Milli)).flatten();
        self.value(parent, key, "a number such as `0.5`", &|text| form(text).and_then(|n| u32::try_from(n).ok()))
    }

    /// Nanoseconds as a number, or a duration such as `30s`.
    pub(super) fn nanos(&mut self, parent: &Node, key: &str) -> Option<Span> {
        let form = |text: &str| match text.parse::<u64>() {
            Ok(nanos) => Some(Span::from_nanos(nanos)),
            Err(_) => crate::text::parse_span(text),
        };
        self.value(parent, key, "nanoseconds, such as `30000000000`, or a duration such as `30s`", &form)
    }

    /// Seconds as a number, with decimals perhaps.
    pub(super) fn seconds(&mut self, parent: &Node, key: &str) -> Option<Span> {
        let form = |text: &str| {
            let milli = plain(text).then(|| parse_quantity(text, Scale::Milli)).flatten()?;
            u64::try_from(milli).ok()?.checked_mul(1_000_000).map(Span::from_nanos)
        };
        self.value(parent, key, "seconds, such as `30`", &form)
    }

    /// Yes or no.
    pub(super) fn switch(&mut self, parent: &Node, key: &str) -> Option<bool> {
        self.value(parent, key, "`true` or `false`", &|text| text.parse().ok())
    }

    /// A value of these words; another one is a problem. An empty text is none.
    pub(super) fn word<'n>(&mut self, parent: &'n Node, key: &str, words: &[&str]) -> Option<&'n str> {
        let node = written(parent, key)?;
        let text = node.scalar();
        if text == Some("") {
            return None;
        }
        if text.is_none_or(|text| !words.contains(&text)) {
            self.low
                .problems
                .error("E0205", node.mark, format!("{} is no word for `{key}`", node.describe()))
                .expected(format!("expected one of `{}`", words.join("`, `")))
                .suggest(text.unwrap_or_default(), words.iter().copied());
            return None;
        }
        text
    }

    fn value<T>(&mut self, parent: &Node, key: &str, expected: &str, form: &dyn Fn(&str) -> Option<T>) -> Option<T> {
        let node = written(parent, key)?;
        let value = node.scalar().and_then(form);
        if value.is_none() {
            self.low
                .problems
                .error("E0204", node.mark, format!("{} is not a value of `{key}`", node.describe()))
                .expected(format!("expected {expected}"));
        }
        value
    }

    /// Files that something must be there.
    pub(super) fn missing(&mut self, node: &Node, key: &str, called: &str) {
        self.low
            .problems
            .error("E0202", node.mark, format!("`{key}` is missing in {called}"))
            .expected(format!("expected a field `{key}` in this mapping"));
    }

    /// Files that a value is impossible.
    pub(super) fn wrong(&mut self, mark: Mark, what: String, expected: &str) {
        self.low.problems.error("E0204", mark, what).expected(expected);
    }
}

fn plain(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_digit() || c == b'.')
}

/// `null`, an empty text, list or mapping say nothing.
fn nothing(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Scalar { text, .. } => node.is_null() || text.is_empty(),
    }
}

/// What stands under a key, unless it is `null`.
pub(super) fn written<'n>(parent: &'n Node, key: &str) -> Option<&'n Node> {
    parent.get(key).filter(|node| !node.is_null())
}
