//! The cluster query language: conditions on instances, lowered to alternatives of conditions on labels.
//!
//! `attribute:NAME` is the label `NAME`; what instances have anyway is found under its usual label. Source: the developer
//! guide's page "Cluster query language". Start at [`terms`].

use regex_lite::Regex;
use shakedown_engine::labels::{Op, Requirement, Selector};
use shakedown_engine::model::{Catalog, HOSTNAME_LABEL, NodeTerm, ZONE_LABEL};

use crate::nodes::any_of;

/// Alternatives of an expression beyond this are refused: they multiply.
const MAX_TERMS: usize = 64;
/// Deeper parentheses are refused; it bounds the stack.
const MAX_DEPTH: usize = 16;

/// The label that a subject is.
pub(super) fn label(subject: &str) -> String {
    let name = subject.strip_prefix("attribute:").unwrap_or(subject);
    match name {
        "ecs.availability-zone" => ZONE_LABEL.to_owned(),
        "ecs.instance-type" => "node.kubernetes.io/instance-type".to_owned(),
        "ecs.os-type" => "kubernetes.io/os".to_owned(),
        "ecs.cpu-architecture" => "kubernetes.io/arch".to_owned(),
        "instanceId" | "ec2InstanceId" | "host" => HOSTNAME_LABEL.to_owned(),
        other => other.to_owned(),
    }
}

/// Alternatives of which a node must meet one.
pub(super) fn terms(catalog: &mut Catalog, text: &str) -> Result<Vec<NodeTerm>, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser { catalog, tokens: &tokens, at: 0 };
    let found = parser.any(0)?;
    if let Some(rest) = parser.peek() {
        return Err(format!("`{rest}` is too much"));
    }
    Ok(found.into_iter().map(|all| NodeTerm { labels: Selector { all }, ..NodeTerm::default() }).collect())
}

/// Words, signs and brackets.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    const SIGNS: [&str; 16] = ["==", "!=", ">=", "<=", "=~", "!~", "&&", "||", "(", ")", "[", "]", ",", "!", ">", "<"];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let end = rest[1..].find(quote).ok_or("a quote is not closed")?;
            out.push(rest[1..=end].to_owned());
            rest = rest[end + 2..].trim_start();
            continue;
        }
        let end = match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => sign.len(),
            None => {
                let stops = |c: char| c.is_whitespace() || "=!<>()[],&|".contains(c);
                rest.find(stops).unwrap_or(rest.len()).max(rest.chars().next().map_or(1, char::len_utf8))
            }
        };
        out.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    Ok(out)
}

/// Alternatives, each a list of conditions that hold together.
type Alternatives = Vec<Vec<Requirement>>;

struct Parser<'c, 't> {
    catalog: &'c mut Catalog,
    tokens: &'t [String],
    at: usize,
}

impl<'t> Parser<'_, 't> {
    fn peek(&self) -> Option<&'t str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<&'t str> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|token| words.contains(&token.to_ascii_lowercase().as_str()));
        self.at += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<Alternatives, String> {
        let mut out = self.all(depth)?;
        while self.eat(&["or", "||"]) {
            out.extend(self.all(depth)?);
            bounded(&out)?;
        }
        Ok(out)
    }

    fn all(&mut self, depth: usize) -> Result<Alternatives, String> {
        let mut out = self.one(depth)?;
        while self.eat(&["and", "&&"]) {
            let more = self.one(depth)?;
            out = product(&out, &more)?;
        }
        Ok(out)
    }

    fn one(&mut self, depth: usize) -> Result<Alternatives, String> {
        if depth > MAX_DEPTH {
            return Err("the parentheses are too deep".to_owned());
        }
        if self.eat(&["not", "!"]) {
            return self.one(depth + 1).and_then(|found| self.inverse(&found));
        }
        if self.eat(&["("]) {
            let found = self.any(depth + 1)?;
            return if self.eat(&[")"]) { Ok(found) } else { Err("a parenthesis is not closed".to_owned()) };
        }
        self.condition().map(|one| vec![vec![one]])
    }

    fn condition(&mut self) -> Result<Requirement, String> {
        let subject = self.next().ok_or("a condition is missing")?;
        let known = subject.starts_with("attribute:") || matches!(subject, "ec2InstanceId" | "instanceId");
        if !known {
            return Err(format!("`{subject}` is no subject that is known here; `attribute:NAME` is"));
        }
        let label = label(subject);
        let sign = self.next().unwrap_or("exists").to_ascii_lowercase();
        let key = self.catalog.names.intern(&label);
        let op = match sign.as_str() {
            "exists" => Op::Exists,
            "!exists" | "not_exists" => Op::NotExists,
            "!" if self.eat(&["exists"]) => Op::NotExists,
            "==" | "equals" | "!=" | "not_equals" => {
                let value = self.next().ok_or("a value is missing")?;
                let values = vec![self.catalog.names.intern(value)];
                if matches!(sign.as_str(), "==" | "equals") { Op::In(values) } else { Op::NotIn(values) }
            }
            "in" => Op::In(self.list()?),
            "not_in" | "!in" => Op::NotIn(self.list()?),
            "!" if self.eat(&["in"]) => Op::NotIn(self.list()?),
            "=~" | "matches" | "!~" | "not_matches" => {
                let pattern = self.next().ok_or("a pattern is missing")?;
                let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|why| format!("`{pattern}`: {why}"))?;
                let found = any_of(self.catalog, &label, &|text| regex.is_match(text));
                match (sign.as_str(), found.op) {
                    ("=~" | "matches", op) => op,
                    (_, Op::In(values)) => Op::NotIn(values),
                    (_, op) => op,
                }
            }
            ">" | "greater_than" | ">=" | "greater_than_equal" | "<" | "less_than" | "<=" | "less_than_equal" => {
                let bound = self.next().and_then(|text| text.parse::<i64>().ok()).ok_or("a number is missing")?;
                let meets = |text: &str| match (text.parse::<i64>(), sign.as_str()) {
                    (Ok(n), ">" | "greater_than") => n > bound,
                    (Ok(n), ">=" | "greater_than_equal") => n >= bound,
                    (Ok(n), "<" | "less_than") => n < bound,
                    (Ok(n), _) => n <= bound,
                    (Err(_), _) => false,
                };
                any_of(self.catalog, &label, &meets).op
            }
            other => return Err(format!("`{other}` is no operator")),
        };
        Ok(Requirement { key, op })
    }

    /// `[a, b]`
    fn list(&mut self) -> Result<Vec<shakedown_engine::ids::Symbol>, String> {
        if !self.eat(&["["]) {
            return Err("a list `[a, b]` is missing".to_owned());
        }
        let mut out = Vec::new();
        loop {
            match self.next() {
                Some("]") => return Ok(out),
                Some(",") => {}
                Some(value) => out.push(self.catalog.names.intern(value)),
                None => return Err("a list is not closed".to_owned()),
            }
        }
    }

    /// Not (a and b, or c) is (not a, or not b) and not c.
    fn inverse(&self, found: &Alternatives) -> Result<Alternatives, String> {
        let mut out: Alternatives = vec![Vec::new()];
        for all in found {
            let each: Alternatives = all.iter().map(|one| vec![opposite(one)]).collect();
            out = product(&out, &each)?;
        }
        Ok(out)
    }
}

fn opposite(one: &Requirement) -> Requirement {
    let op = match one.op.clone() {
        Op::In(values) => Op::NotIn(values),
        Op::NotIn(values) => Op::In(values),
        Op::Exists => Op::NotExists,
        Op::NotExists => Op::Exists,
        other => other,
    };
    Requirement { key: one.key, op }
}

fn product(a: &Alternatives, b: &Alternatives) -> Result<Alternatives, String> {
    if a.len() * b.len() > MAX_TERMS {
        return Err(format!("it has more than {MAX_TERMS} alternatives"));
    }
    Ok(a.iter().flat_map(|x| b.iter().map(move |y| x.iter().chain(y).cloned().collect())).collect())
}

fn bounded(found: &Alternatives) -> Result<(), String> {
    if found.len() > MAX_TERMS { Err(format!("it has more than {MAX_TERMS} alternatives")) } else { Ok(()) }
}
