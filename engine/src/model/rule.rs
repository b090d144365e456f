//! Conditions on nodes in the words of classic Swarm: `constraint:zone==a`, `affinity:container!=~web*`.
//!
//! A rule is read once and matched by whoever chooses nodes. Values are patterns: plain text in which `*` stands for
//! anything, or a regular expression between slashes. Start at [`Rule::parse`].
//!
//! Source: docker-archive/classicswarm:scheduler/filter/expr.go, `parseExprs` and `Match`.

/// A condition on nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What of a node it looks at.
    pub about: About,
    /// Which of these must, or must not, match.
    pub equal: bool,
    /// Pattern.
    pub value: String,
    /// It is left out when no node meets all rules.
    pub soft: bool,
}

/// What of a node a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Its name (`constraint:node`).
    Node,
    /// A label of it.
    Label(String),
    /// Names of the containers that it has (`affinity:container`).
    Containers,
    /// Names of the images that it has (`affinity:image`).
    Images,
    /// A label of the containers that it has.
    ContainerLabel(String),
}

impl Rule {
    /// Reads `constraint:key==value` or `affinity:key!=~value`, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').ok_or("a rule begins with `constraint:` or `affinity:`")?;
        let (key, equal, value) = match (rest.split_once("=="), rest.split_once("!=")) {
            (Some((key, value)), _) => (key, true, value),
            (None, Some((key, value))) => (key, false, value),
            (None, None) => return Err("one of the operators `==` and `!=` is expected".into()),
        };
        if !is_key(key) {
            return Err(format!("key `{key}` is invalid: write a letter or `_`, then letters, digits, `-`, `_`, `.`"));
        }
        let about = match (kind, key) {
            ("constraint", "node") => About::Node,
            ("constraint", key) => About::Label(key.to_owned()),
            ("affinity", "container") => About::Containers,
            ("affinity", "image") => About::Images,
            ("affinity", key) => About::ContainerLabel(key.to_owned()),
            (other, _) => return Err(format!("`{other}` is no kind of rule: write `constraint` or `affinity`")),
        };
        let (soft, value) = (value.starts_with('~'), value.trim_start_matches('~'));
        if value.is_empty() {
            return Err("the value is missing".into());
        }
        let rule = Self { about, equal, value: value.to_owned(), soft };
        regex::Regex::new(&rule.pattern()).map_err(|_| format!("`{value}` is no pattern"))?;
        Ok(rule)
    }

    /// Its value as a regular expression. As in the original, only `*` is translated: a dot matches any character.
    pub fn pattern(&self) -> String {
        let inner = self.value.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        inner.map_or_else(|| format!("^{}$", self.value.replace('*', ".*")), str::to_owned)
    }
}

/// As the original's `^(?i)[a-z_][a-z0-9\-_.]+$`.
fn is_key(key: &str) -> bool {
    let tail = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let head = |c: char| c.is_ascii_alphabetic() || c == '_';
    key.len() >= 2 && key.starts_with(head) && key.chars().skip(1).all(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_with_operator_kind_and_softness() {
        let rule = Rule::parse("constraint:zone==a").expect("a rule");
        assert_eq!((rule.about, rule.equal, rule.soft), (About::Label("zone".into()), true, false));
        let rule = Rule::parse("affinity:container!=~web*").expect("a rule");
        assert_eq!((rule.about, rule.equal, rule.soft), (About::Containers, false, true));
        assert_eq!(Rule::parse("constraint:node==/h[12]/").expect("a rule").pattern(), "h[12]");
        assert_eq!(Rule::parse("affinity:image==ub*").expect("a rule").pattern(), "^ub.*$");
    }

    #[test]
    fn what_is_no_rule_is_refused_with_a_reason() {
        for bad in ["zone==a", "constraint:zone=a", "placement:zone==a", "constraint:z==a", "constraint:zone==/(/"] {
            assert!(Rule::parse(bad).is_err(), "{bad}");
        }
    }
}
