//! YAML into trees, within a budget.
//!
//! Events come from granit-parser, which bounds nesting; this builds trees iteratively, expands aliases and merge keys,
//! and bounds what they expand to. It interprets no scalar. Start at [`parse`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, Span};

use super::node::{Key, Node, Value};
use crate::problem::{Mark, Problems};

/// Deeper nesting is refused: Kubernetes objects stay below 20, and what reads the tree recurses.
const MAX_DEPTH: usize = 64;
/// More nodes in one file are refused, those that aliases repeat included.
const MAX_NODES: usize = 2_000_000;
/// Nodes that aliases repeat: far beyond honest use, and small enough to be harmless.
const MAX_ALIASED: usize = 100_000;

/// Parses all documents of a text. `None` when it is not YAML; the problem is filed.
pub(crate) fn parse(source: u32, text: &Arc<str>, problems: &mut Problems) -> Option<Vec<Node>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut builder =
        Builder { source, documents: Vec::new(), open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, aliased: 0 };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(builder.scan_error(&error, text)),
        };
        if let Err(refusal) = step {
            problems.error(refusal.code, refusal.mark, refusal.message).expected(refusal.expected).help(refusal.help);
            return None;
        }
    }
    Some(builder.documents)
}

struct Refusal {
    code: &'static str,
    mark: Mark,
    message: String,
    expected: &'static str,
    help: &'static str,
}

/// A collection whose end has not come yet.
struct Open {
    mark: Mark,
    anchor: usize,
    value: Value,
    /// The key that waits for its value.
    key: Option<Key>,
    /// Keys so far.
    keys: BTreeSet<String>,
}

struct Builder {
    source: u32,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    aliased: usize,
}

impl Builder {
    fn mark(&self, span: &Span) -> Mark {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let start = span.start.byte_offset().unwrap_or_default();
        let end = span.end.byte_offset().unwrap_or(start);
        Mark {
            source: self.source,
            start: narrow(start),
            len: narrow(end.saturating_sub(start)),
            line: narrow(span.start.line()),
            column: narrow(span.start.col() + 1),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Refusal> {
        let mark = self.mark(&span);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.node(Node { mark, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(mark, anchor, Value::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(mark, anchor, Value::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop().expect("the parser closes only what it opened");
                let value = merge(open.value);
                self.node(Node { mark: open.mark, value }, open.anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, mark),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, mark: Mark, anchor: usize, value: Value) -> Result<(), Refusal> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(mark));
        }
        self.open.push(Open { mark, anchor, value, key: None, keys: BTreeSet::new() });
        Ok(())
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), Refusal> {
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(Refusal {
                code: "E0106",
                mark,
                message: "an alias names an anchor that is not complete".into(),
                expected: "expected an anchor that was defined before",
                help: "a value cannot contain itself",
            });
        };
        self.aliased = self.aliased.saturating_add(target.size());
        if self.aliased > MAX_ALIASED {
            return Err(too_many(mark, "aliases repeat more than 100000 values"));
        }
        let node = target.clone();
        if depth(&node) + self.open.len() > MAX_DEPTH {
            return Err(too_deep(mark));
        }
        self.node(node, 0)
    }

    /// Puts a complete node where it belongs.
    fn node(&mut self, node: Node, anchor: usize) -> Result<(), Refusal> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_many(node.mark, "the file has more than 2000000 values"));
        }
        if anchor != 0 {
            self.aliased = self.aliased.saturating_add(node.size());
            if self.aliased > MAX_ALIASED {
                return Err(too_many(node.mark, "anchors and aliases repeat more than 100000 values"));
            }
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut open.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => {
                if key.text != "<<" && !open.keys.insert(key.text.clone()) {
                    return Err(duplicate(&key));
                }
                entries.push((key, node));
            }
            (Value::Map(_), None) => match node.value {
                Value::Scalar { text, .. } => open.key = Some(Key { mark: node.mark, text }),
                _ => return Err(odd_key(node.mark)),
            },
            (Value::Scalar { .. }, _) => unreachable!("only collections are opened"),
        }
        Ok(())
    }

    fn scan_error(&self, error: &granit_parser::ScanError, text: &str) -> Refusal {
        let at = error.marker();
        let start = at.byte_offset().unwrap_or_default().min(text.len());
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mark = Mark {
            source: self.source,
            start: narrow(start),
            len: 0,
            line: narrow(at.line().max(1)),
            column: narrow(at.col() + 1),
        };
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => too_deep(mark),
            kind => Refusal {
                code: "E0106",
                mark,
                message: format!("this is not well-formed YAML: {kind}"),
                expected: "the text cannot be read from here on",
                help: "check indentation, colons, quotes and brackets on this line and the one before",
            },
        }
    }
}

fn too_deep(mark: Mark) -> Refusal {
    Refusal {
        code: "E0107",
        mark,
        message: format!("the nesting is deeper than {MAX_DEPTH} levels"),
        expected: "expected no further level here",
        help: "no scenario and no manifest needs this depth; flatten the file",
    }
}

fn too_many(mark: Mark, message: &str) -> Refusal {
    Refusal {
        code: "E0108",
        mark,
        message: message.into(),
        expected: "expected a file of bounded size once aliases are expanded",
        help: "write repeated values with `count`, or split the file",
    }
}

fn duplicate(key: &Key) -> Refusal {
    Refusal {
        code: "E0110",
        mark: key.mark,
        message: format!("the key `{}` appears twice", key.text),
        expected: "expected each key once",
        help: "remove one of the two, or join their values",
    }
}

fn odd_key(mark: Mark) -> Refusal {
    Refusal {
        code: "E0106",
        mark,
        message: "a list or mapping is used as a key".into(),
        expected: "expected a word as key",
        help: "check for a brace or bracket too many; quote a key that begins with one",
    }
}

fn depth(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => entries.iter().map(|(_, v)| depth(v)).max().unwrap_or(0),
    }
}

/// Expands `<<`: its mappings give the keys that the mapping itself lacks.
fn merge(value: Value) -> Value {
    let Value::Map(entries) = value else { return value };
    if !entries.iter().any(|(k, _)| k.text == "<<") {
        return Value::Map(entries);
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(k, _)| k.text == "<<");
    let mut have: BTreeSet<String> = own.iter().map(|(k, _)| k.text.clone()).collect();
    for (key, node) in merges {
        let sources = match node.value {
            Value::List(items) => items,
            _ => vec![node],
        };
        for source in sources {
            match source.value {
                Value::Map(more) => {
                    for (k, v) in more {
                        if have.insert(k.text.clone()) {
                            own.push((k, v));
                        }
                    }
                }
                // Left in place, so that whoever reads the mapping reports an unknown field `<<`.
                _ => own.push((key.clone(), source)),
            }
        }
    }
    Value::Map(own)
}
