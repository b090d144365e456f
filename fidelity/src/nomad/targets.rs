//! Constraints and affinities of Nomad as conditions on labels.
//!
//! Attributes of all nodes are known beforehand, so a comparison (a version, an expression) becomes the list of values
//! that meet it. Start at [`condition`].

use super::record::Node;

/// The value of an attribute of a node, by its name in a job: `${meta.rack}`.
pub(super) fn value(node: &Node, target: &str) -> Option<String> {
    let name = target.strip_prefix("${")?.strip_suffix('}')?;
    match name {
        "node.datacenter" => Some(node.datacenter.clone()),
        "node.unique.name" => Some(node.name.clone()),
        "node.class" => Some(node.class.clone()),
        _ => match name.split_once('.')? {
            ("meta", key) => node.meta.get(key).cloned(),
            ("attr", key) => node.attrs.get(key).cloned(),
            _ => None,
        },
    }
}

/// Whether a value meets a condition; a sentence for an operand that is not known.
///
/// Source: hashicorp/nomad:scheduler/feasible/feasible.go, `checkConstraint`.
pub(super) fn condition(operand: &str, left: Option<&str>, right: &str) -> Result<bool, String> {
    Ok(match (operand, left) {
        ("=" | "==" | "is", left) => left == Some(right),
        ("!=" | "not", left) => left != Some(right),
        ("is_set", left) => left.is_some(),
        ("is_not_set", left) => left.is_none(),
        ("<" | "<=" | ">" | ">=" | "version" | "semver" | "regexp" | "set_contains" | "set_contains_all", None) => {
            false
        }
        ("set_contains_any", None) => false,
        ("<", Some(left)) => left < right,
        ("<=", Some(left)) => left <= right,
        (">", Some(left)) => left > right,
        (">=", Some(left)) => left >= right,
        ("version" | "semver", Some(left)) => right.split(',').all(|part| version_meets(left, part.trim())),
        ("regexp", Some(left)) => {
            (0..=left.len()).any(|start| left.is_char_boundary(start) && found(left, start, right))
        }
        ("set_contains" | "set_contains_all", Some(left)) => {
            parts(right).all(|wanted| parts(left).any(|has| has == wanted))
        }
        ("set_contains_any", Some(left)) => parts(right).any(|wanted| parts(left).any(|has| has == wanted)),
        (other, _) => return Err(format!("the operand `{other}` is not known")),
    })
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

fn version_meets(version: &str, wanted: &str) -> bool {
    let at = wanted.find(|c: char| c.is_ascii_digit() || c == 'v').unwrap_or(wanted.len());
    let (operator, wanted) = (wanted[..at].trim(), numbers(&wanted[at..]));
    let version = numbers(version);
    match operator {
        "" | "=" => version == wanted,
        "!=" => version != wanted,
        ">" => version > wanted,
        ">=" => version >= wanted,
        "<" => version < wanted,
        "<=" => version <= wanted,
        _ => false,
    }
}

/// The numbers of a version, without zeros at the end.
fn numbers(version: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0)).collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

/// A plain expression (literals, `.`, classes, `*`, `+`, `?`, `^`, `$`) matches from a position on.
fn found(text: &str, start: usize, expression: &str) -> bool {
    match expression.strip_prefix('^') {
        Some(rest) => start == 0 && matches(&text[start..], rest),
        None => matches(&text[start..], expression),
    }
}

fn matches(text: &str, expression: &str) -> bool {
    if expression.is_empty() {
        return true;
    }
    if expression == "$" {
        return text.is_empty();
    }
    let (atom, rest) = split_atom(expression);
    let one = |text: &str| text.chars().next().filter(|&c| admits(atom, c)).map(char::len_utf8);
    let (least, most, rest) = match rest.chars().next() {
        Some('*') => (0, usize::MAX, &rest[1..]),
        Some('+') => (1, usize::MAX, &rest[1..]),
        Some('?') => (0, 1, &rest[1..]),
        _ => (1, 1, rest),
    };
    let (mut at, mut taken) = (0, 0);
    loop {
        if taken >= least && matches(&text[at..], rest) {
            return true;
        }
        match one(&text[at..]).filter(|_| taken < most) {
            Some(length) => (at, taken) = (at + length, taken + 1),
            None => return false,
        }
    }
}

/// The first atom of an expression and what follows it.
fn split_atom(expression: &str) -> (&str, &str) {
    let first = expression.chars().next().map_or(0, char::len_utf8);
    let end = match expression.as_bytes()[0] {
        b'[' => expression.find(']').map_or(expression.len(), |at| at + 1),
        b'\\' => (first + expression[first..].chars().next().map_or(0, char::len_utf8)).min(expression.len()),
        _ => first,
    };
    expression.split_at(end)
}

fn admits(atom: &str, c: char) -> bool {
    if atom == "." {
        return true;
    }
    if let Some(class) = atom.strip_prefix('[').and_then(|class| class.strip_suffix(']')) {
        let (negated, class) = class.strip_prefix('^').map_or((false, class), |class| (true, class));
        let letters: Vec<char> = class.chars().collect();
        let mut at = 0;
        let mut within = false;
        while at < letters.len() {
            if at + 2 < letters.len() && letters[at + 1] == '-' {
                within |= (letters[at]..=letters[at + 2]).contains(&c);
                at += 3;
            } else {
                within |= letters[at] == c;
                at += 1;
            }
        }
        return within != negated;
    }
    match atom.strip_prefix('\\') {
        Some("d") => c.is_ascii_digit(),
        Some(escaped) => escaped.starts_with(c),
        None => atom.starts_with(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_those_of_the_original() {
        let cases = [
            ("=", Some("a"), "a", true),
            ("!=", None, "a", true),
            ("version", Some("5"), ">= 3", true),
            ("version", Some("1.10"), "> 1.9, < 2", true),
            ("version", None, ">= 3", false),
            ("regexp", Some("r2"), "r[01]", false),
            ("regexp", Some("xr1"), "r[01]", true),
            ("regexp", Some("xr1"), "^r[0-9]+$", false),
            ("set_contains_any", Some("a, b"), "b,c", true),
            ("set_contains", Some("a, b"), "b,c", false),
        ];
        for (operand, left, right, want) in cases {
            assert_eq!(condition(operand, left, right), Ok(want), "{left:?} {operand} {right}");
        }
        assert!(condition("like", Some("a"), "a").is_err());
    }
}
