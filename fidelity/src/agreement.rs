//! Counts of what agrees and what does not, and the tables made of them.
//!
//! A comparison belongs to a check (what is compared) and to a kind (of problem or timeline). Only the first few
//! disagreements are kept in full. Start at [`Agreement::compare`].

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Write};

use serde::Serialize;
use serde_json::{Value, json};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Short name, unique among the checks of a recording.
    pub name: &'static str,
    /// What exactly is compared with what.
    pub about: &'static str,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// All of them.
    pub compared: u64,
    /// Those that agree.
    pub agreed: u64,
}

impl Count {
    /// True when nothing disagrees.
    pub const fn is_full(self) -> bool {
        self.compared == self.agreed
    }

    fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.agreed += other.agreed;
    }

    /// The share in percent, cut to two digits: 100.00 only when nothing disagrees. Nothing compared is no agreement.
    pub fn percent(self) -> String {
        if self.compared == 0 {
            return "-".to_owned();
        }
        let share = self.agreed * 10_000 / self.compared;
        format!("{}.{:02} %", share / 100, share % 100)
    }
}

/// Where something was compared.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Problem or timeline.
    pub problem: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Pod, attempt, event.
    pub subject: &'a str,
}

/// One comparison that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The check's name.
    pub check: &'static str,
    /// Kind of problem.
    pub kind: String,
    /// Problem or timeline.
    pub problem: String,
    /// Pod, attempt, node.
    pub subject: String,
    /// What the real cluster did.
    pub expected: String,
    /// What ours did.
    pub got: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} differs: problem {} ({}), {}", self.check, self.problem, self.kind, self.subject)?;
        writeln!(f, "  expected {}", self.expected)?;
        write!(f, "  got      {}", self.got)
    }
}

/// How far two clusters agree.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// What was compared: `kubernetes/placement.jsonl`.
    pub subject: String,
    checks: &'static [Check],
    /// By check, then by kind.
    counts: Vec<BTreeMap<String, Count>>,
    /// Things of each kind, such as pods.
    pub items: BTreeMap<String, u64>,
    /// What `items` counts: `pods`.
    pub item_name: &'static str,
    /// The first disagreements of each check.
    pub disagreements: Vec<Disagreement>,
    kept: Vec<usize>,
}

/// Disagreements of one check that are kept in full.
const KEPT: usize = 3;

impl Agreement {
    /// Nothing compared yet.
    pub fn new(subject: impl Into<String>, item_name: &'static str, checks: &'static [Check]) -> Self {
        Self {
            subject: subject.into(),
            checks,
            counts: vec![BTreeMap::new(); checks.len()],
            items: BTreeMap::new(),
            item_name,
            disagreements: Vec::new(),
            kept: vec![0; checks.len()],
        }
    }

    /// Counts one thing of a kind.
    pub fn count_item(&mut self, kind: &str) {
        *self.items.entry(kind.to_owned()).or_default() += 1;
    }

    /// Compares, counts, and keeps what differs.
    ///
    /// # Panics
    /// When the check is not one of those that this was made with.
    pub fn compare<T: PartialEq + Debug + ?Sized>(&mut self, check: Check, at: At<'_>, expected: &T, got: &T) {
        let agrees = expected == got;
        self.count(check, at.kind, agrees);
        if !agrees {
            self.keep(check, at, || (format!("{expected:?}"), format!("{got:?}")));
        }
    }

    /// Counts a comparison that was made elsewhere; `words` says what was expected and what came.
    ///
    /// # Panics
    /// As [`Agreement::compare`].
    pub fn verdict(&mut self, check: Check, at: At<'_>, verdict: Result<(), (String, String)>) {
        self.count(check, at.kind, verdict.is_ok());
        if let Err(words) = verdict {
            self.keep(check, at, || words);
        }
    }

    fn index(&self, check: Check) -> usize {
        let found = self.checks.iter().position(|other| other.name == check.name);
        found.expect("every check is one of those that the agreement was made with")
    }

    fn count(&mut self, check: Check, kind: &str, agrees: bool) {
        let index = self.index(check);
        if !self.counts[index].contains_key(kind) {
            self.counts[index].insert(kind.to_owned(), Count::default());
        }
        let count = self.counts[index].get_mut(kind).expect("it was inserted above");
        count.add(Count { compared: 1, agreed: u64::from(agrees) });
    }

    fn keep(&mut self, check: Check, at: At<'_>, words: impl FnOnce() -> (String, String)) {
        let index = self.index(check);
        if self.kept[index] == KEPT {
            return;
        }
        self.kept[index] += 1;
        let (expected, got) = words();
        self.disagreements.push(Disagreement {
            check: check.name,
            kind: at.kind.to_owned(),
            problem: at.problem.to_owned(),
            subject: at.subject.to_owned(),
            expected,
            got,
        });
    }

    /// Each check with its count over all kinds, in the order of the checks.
    pub fn by_check(&self) -> impl Iterator<Item = (Check, Count)> + '_ {
        self.checks.iter().zip(&self.counts).map(|(&check, kinds)| (check, sum(kinds.values())))
    }

    /// Each kind with its count over all checks.
    pub fn by_kind(&self) -> BTreeMap<String, Count> {
        let mut kinds: BTreeMap<String, Count> = BTreeMap::new();
        for (kind, count) in self.counts.iter().flatten() {
            kinds.entry(kind.clone()).or_default().add(*count);
        }
        kinds
    }

    /// Everything.
    pub fn total(&self) -> Count {
        sum(self.counts.iter().flat_map(BTreeMap::values))
    }

    /// The count of a check.
    pub fn of(&self, check: Check) -> Count {
        sum(self.counts[self.index(check)].values())
    }

    /// True when something was compared and nothing disagrees.
    pub fn is_full(&self) -> bool {
        self.total().compared > 0 && self.total().is_full()
    }

    /// Tables for a terminal, disagreements after them.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let items: u64 = self.items.values().sum();
        let total = self.total();
        let push = |out: &mut String, name: &str, count: Count| {
            let line = format!("  {name:<26}{:>10}{:>10}{:>11}\n", count.compared, count.agreed, count.percent());
            out.push_str(&line);
        };
        let _ = writeln!(out, "{}: {items} {}, {} comparisons\n", self.subject, self.item_name, total.compared);
        let _ = writeln!(out, "  {:<26}{:>10}{:>10}{:>11}", "check", "compared", "agree", "");
        self.by_check().for_each(|(check, count)| push(&mut out, check.name, count));
        let _ = writeln!(out, "\n  {:<26}{:>10}{:>10}{:>11}{:>9}", "kind", "compared", "agree", "", self.item_name);
        for (kind, count) in self.by_kind() {
            push(&mut out, &kind, count);
            out.pop();
            let _ = writeln!(out, "{:>9}", self.items.get(&kind).copied().unwrap_or(0));
        }
        out.push('\n');
        push(&mut out, "all", total);
        for disagreement in &self.disagreements {
            let _ = writeln!(out, "\n{disagreement}");
        }
        let left = (total.compared - total.agreed).saturating_sub(self.disagreements.len() as u64);
        if left > 0 {
            let _ = writeln!(out, "\n{left} further disagreements are not shown");
        }
        out
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let row =
            |name: &str, count: Count| json!({ "name": name, "compared": count.compared, "agreed": count.agreed });
        let checks = self.checks.iter().zip(&self.counts).map(|(check, kinds)| {
            let total = sum(kinds.values());
            json!({
                "name": check.name,
                "about": check.about,
                "compared": total.compared,
                "agreed": total.agreed,
                "kinds": kinds,
            })
        });
        let kinds = self.by_kind();
        let kinds = kinds.iter().map(|(kind, count)| {
            let mut row = row(kind, *count);
            row[self.item_name] = json!(self.items.get(kind).copied().unwrap_or(0));
            row
        });
        json!({
            "schema_version": 1,
            "subject": self.subject,
            "agrees": self.is_full(),
            self.item_name: self.items.values().sum::<u64>(),
            "compared": self.total().compared,
            "agreed": self.total().agreed,
            "checks": checks.collect::<Vec<Value>>(),
            "kinds": kinds.collect::<Vec<Value>>(),
            "disagreements": self.disagreements,
        })
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a Count>) -> Count {
    let mut total = Count::default();
    counts.for_each(|count| total.add(*count));
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Check = Check { name: "one", about: "a number" };
    const TWO: Check = Check { name: "two", about: "another" };
    const AT: At<'static> = At { problem: "7", kind: "basic", subject: "pod p" };

    #[test]
    fn one_disagreement_in_many_is_never_a_full_hundred() {
        let mut agreement = Agreement::new("x", "pods", &[ONE, TWO]);
        (0..20_000).for_each(|n| agreement.compare(ONE, AT, &n, &n));
        assert!(agreement.is_full());
        agreement.compare(TWO, AT, "real", "ours");
        assert!(!agreement.is_full());
        assert_eq!(agreement.total().percent(), "99.99 %");
        assert!(agreement.text().contains("expected \"real\"\n  got      \"ours\""), "{}", agreement.text());
        assert_eq!(agreement.json()["agrees"], false);
    }

    #[test]
    fn nothing_compared_is_not_agreement() {
        assert!(!Agreement::new("x", "pods", &[ONE]).is_full());
    }

    #[test]
    fn disagreements_beyond_the_first_few_are_counted() {
        let mut agreement = Agreement::new("x", "pods", &[ONE]);
        (0..10).for_each(|n| agreement.compare(ONE, AT, &n, &-1));
        assert_eq!(agreement.disagreements.len(), KEPT);
        assert!(agreement.text().contains("7 further disagreements"));
    }
}
