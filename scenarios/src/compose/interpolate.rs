//! Variables: `${NAME:-default}` in values becomes the default, because the environment is not read.
//!
//! A run must not depend on who starts it. A variable without a default is a problem where its value decides something;
//! elsewhere it becomes nothing, as Compose itself does with a warning. Keys are never interpolated. Start at
//! [`resolve`].

use std::collections::{BTreeMap, BTreeSet};

use super::keys::SERVICE;
use crate::keys::Effect;
use crate::problem::{Mark, Problems};
use crate::text::{Node, Value};

/// Deeper defaults inside defaults are refused; it bounds the stack.
const MAX_DEPTH: usize = 16;

/// A file without variables.
pub(super) struct Resolved {
    pub(super) file: Node,
    /// Variables that have no value but are not needed, and where.
    pub(super) missing: BTreeMap<String, Mark>,
    /// Where values are that stay unknown; a problem was filed for each.
    pub(super) unknown: BTreeSet<u32>,
}

/// Replaces all variables.
pub(super) fn resolve(file: &Node, problems: &mut Problems) -> Resolved {
    let mut walk = Walk { problems, missing: BTreeMap::new(), unknown: BTreeSet::new() };
    let file = walk.node(file, At::File);
    Resolved { file, missing: walk.missing, unknown: walk.unknown }
}

/// Where in the file a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    File,
    Services,
    Service,
    /// In what decides something.
    Needed,
    /// In what has no effect.
    Idle,
    /// In an extension, which nobody reads.
    Unread,
}

impl At {
    fn below(self, key: &str) -> Self {
        match self {
            Self::Idle | Self::Unread => self,
            Self::File if key == "services" => Self::Services,
            Self::Services => Self::Service,
            _ if key.starts_with("x-") => Self::Unread,
            Self::File if matches!(key, "version" | "name") => Self::Needed,
            Self::File => Self::Idle,
            // Labels and health checks are honoured, but not for what such values usually say.
            _ if matches!(key, "labels" | "test") => Self::Idle,
            Self::Service if SERVICE.effect(key) == Some(Effect::Idle) => Self::Idle,
            _ => Self::Needed,
        }
    }
}

struct Walk<'p> {
    problems: &'p mut Problems,
    missing: BTreeMap<String, Mark>,
    /// Places that were complained of: aliases repeat them.
    unknown: BTreeSet<u32>,
}

/// What is wrong with a text.
enum Flaw {
    Malformed,
    Missing(String),
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, at: At) -> Node {
        let value = match &node.value {
            Value::Scalar { text, plain } if text.contains('$') && at != At::Unread => {
                Value::Scalar { text: self.text(text, node.mark, at), plain: *plain }
            }
            Value::Scalar { .. } => node.value.clone(),
            Value::List(items) => Value::List(items.iter().map(|item| self.node(item, at)).collect()),
            Value::Map(entries) => Value::Map(
                entries.iter().map(|(key, value)| (key.clone(), self.node(value, at.below(&key.text)))).collect(),
            ),
        };
        Node { mark: node.mark, value }
    }

    fn text(&mut self, text: &str, mark: Mark, at: At) -> String {
        let mut missing = Vec::new();
        let out = substitute(text, 0, &mut missing);
        let flaw = match (out, missing.into_iter().next()) {
            (None, _) => Flaw::Malformed,
            (Some(out), None) => return out,
            (Some(out), Some(name)) if at == At::Idle => {
                self.missing.entry(name).or_insert(mark);
                return out;
            }
            (Some(_), Some(name)) => Flaw::Missing(name),
        };
        if self.unknown.insert(mark.start) {
            self.tell(&flaw, mark);
        }
        text.to_owned()
    }

    fn tell(&mut self, flaw: &Flaw, mark: Mark) {
        match flaw {
            Flaw::Malformed => {
                self.problems
                    .error("E0508", mark, "this `$` begins no variable")
                    .expected("expected `$NAME`, `${NAME}` or `${NAME:-default}`")
                    .help("write `$$` for a dollar sign");
            }
            Flaw::Missing(name) => {
                self.problems
                    .error("E0508", mark, format!("the variable `{name}` has no value"))
                    .expected(format!("expected a default, because the environment is not read: `${{{name}:-VALUE}}`"))
                    .help("`docker compose config` prints the file with all variables replaced");
            }
        }
    }
}

/// Replaces variables; `None` when the text is malformed. Names without a value go to `missing`.
/// Source of the grammar: compose-spec/compose-go:template/template.go.
fn substitute(text: &str, depth: usize, missing: &mut Vec<String>) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing(after)?;
            out.push_str(&braced(&after[..end], depth, missing)?);
            rest = &after[end + 1..];
        } else {
            let end = name_end(rest)?;
            missing.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Some(out)
}

/// What stands between braces: a name, and what to do without a value.
fn braced(inner: &str, depth: usize, missing: &mut Vec<String>) -> Option<String> {
    let end = name_end(inner)?;
    let (name, rest) = inner.split_at(end);
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    match rest.chars().next() {
        Some('-') => substitute(&rest[1..], depth + 1, missing),
        // Only taken when there is a value, and there is none.
        Some('+') => Some(String::new()),
        // `?` demands a value.
        None | Some('?') if rest.len() == inner.len() - end || rest.starts_with('?') => {
            missing.push(name.to_owned());
            Some(String::new())
        }
        _ => None,
    }
}

/// Where the name at the beginning ends; `None` when there is none.
fn name_end(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0 && !text.starts_with(|c: char| c.is_ascii_digit())).then_some(end)
}

/// Where the brace that is open before `text` closes.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1usize;
    let bytes = text.as_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if i > 0 && bytes[i - 1] == b'$' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(i);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> (Option<String>, Vec<String>) {
        let mut missing = Vec::new();
        (substitute(text, 0, &mut missing), missing)
    }

    #[test]
    fn defaults_are_used_and_dollars_escaped() {
        for (text, want) in [
            ("redis:${TAG:-7}", "redis:7"),
            ("${A-x}", "x"),
            ("${A:-}", ""),
            ("${A:+set}b", "b"),
            ("${A:-${B:-deep}}/c", "deep/c"),
            ("$$HOME", "$HOME"),
            ("plain", "plain"),
        ] {
            assert_eq!(of(text), (Some(want.to_owned()), vec![]), "{text}");
        }
    }

    #[test]
    fn variables_without_a_default_are_named() {
        for text in ["$TAG", "${TAG}", "${TAG:?say it}", "${TAG?}", "a-$TAG-b", "${A:-${TAG}}"] {
            assert_eq!(of(text).1, ["TAG"], "{text}");
        }
    }

    #[test]
    fn what_is_no_variable_is_malformed() {
        for text in ["$", "$(date)", "${", "${}", "${A", "${A b}", "${A:}", "$1", "${1}", &"${A:-".repeat(40)] {
            assert_eq!(of(text).0, None, "{text}");
        }
        let deep = format!("{}{}", "${A:-".repeat(40), "}".repeat(40));
        assert_eq!(of(&deep).0, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[${}:?+A-]{0,30}|\\PC{0,30}") {
            let _ = of(&text);
        }
    }
}
