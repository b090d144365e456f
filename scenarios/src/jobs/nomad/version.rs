//! Versions and the conditions on them, as `version` and `semver` constraints have them.
//!
//! Source: hashicorp/go-version:constraint.go, version.go; hashicorp/nomad:helper/constraints/semver. Start at
//! [`Condition`].

use std::cmp::Ordering;

/// Numbers and what comes behind a dash; less than the same without.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    numbers: Vec<u64>,
    pre: String,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split('+').next()?;
        let (numbers, pre) = text.split_once('-').unwrap_or((text, ""));
        let numbers: Option<Vec<u64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
        Some(Self { numbers: numbers?, pre: pre.to_owned() })
    }

    fn number(&self, at: usize) -> u64 {
        self.numbers.get(at).copied().unwrap_or(0)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let parts = self.numbers.len().max(other.numbers.len());
        let numbers = (0..parts).map(|at| self.number(at).cmp(&other.number(at))).find(|o| o.is_ne());
        numbers.unwrap_or_else(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.pre.cmp(&other.pre),
        })
    }
}

/// A list of bounds, all of which must hold.
#[derive(Clone, Debug)]
pub(super) struct Condition(Vec<(String, Version)>);

impl Condition {
    /// `>= 1.2, < 2.0`, `~> 1.2`; `None` when it is malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let one = |part: &str| {
            let part = part.trim();
            let end = part.find(|c: char| c.is_ascii_digit() || c == 'v').unwrap_or(part.len());
            let (sign, version) = part.split_at(end);
            let sign = sign.trim();
            let known = matches!(sign, "" | "=" | "!=" | ">" | "<" | ">=" | "<=" | "~>");
            Some((sign.to_owned(), Version::parse(version)?)).filter(|_| known)
        };
        text.split(',').map(one).collect::<Option<_>>().map(Self)
    }

    /// True when a version meets all of them. What is no version meets none.
    pub(super) fn meets(&self, text: &str) -> bool {
        let Some(version) = Version::parse(text) else { return false };
        self.0.iter().all(|(sign, bound)| {
            let order = version.compare(bound);
            match sign.as_str() {
                "!=" => order.is_ne(),
                ">" => order.is_gt(),
                "<" => order.is_lt(),
                ">=" => order.is_ge(),
                "<=" => order.is_le(),
                // The last number that is written may grow, those before it may not.
                "~>" => {
                    let fixed = bound.numbers.len().saturating_sub(1).max(1);
                    order.is_ge() && (0..fixed).all(|at| version.number(at) == bound.number(at))
                }
                _ => order.is_eq(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Condition;

    #[test]
    fn bounds_hold_as_go_version_has_them() {
        for (condition, version, want) in [
            (">= 1.2", "1.2.0", true),
            (">= 1.2, < 2.0", "2.0.0", false),
            ("> 0.9", "v1.0", true),
            ("~> 1.2", "1.9", true),
            ("~> 1.2", "2.0", false),
            ("~> 1.2.3", "1.3.0", false),
            ("~> 1.2.3", "1.2.9", true),
            ("1.2.3", "1.2.3", true),
            ("!= 1.0", "1.0", false),
            ("< 1.0", "1.0-beta", true),
            (">= 4.0", "5.10.0-21-cloud", true),
            (">= 1.0", "unknown", false),
        ] {
            assert_eq!(Condition::parse(condition).expect(condition).meets(version), want, "{condition} {version}");
        }
        for bad in ["", "=> 1", ">= x", "1..2", "~ 1"] {
            assert!(Condition::parse(bad).is_none(), "{bad}");
        }
    }
}
