//! What was found in manifests and has no effect: each kind and each field is named once, with how often.

use std::collections::BTreeMap;

use crate::problem::{Mark, Problems};

/// A field without effect.
struct Field {
    mark: Mark,
    times: u32,
    /// Where it was found first: `Deployment.spec.template.spec.dnsPolicy`.
    path: String,
    why: String,
}

/// Findings by what was found.
#[derive(Default)]
pub(crate) struct Unmodelled {
    not_needed: BTreeMap<String, (Mark, u32)>,
    kinds: BTreeMap<String, (Mark, u32, String)>,
    fields: BTreeMap<String, Field>,
    unknown: BTreeMap<String, (Mark, u32)>,
}

impl Unmodelled {
    /// A kind that a simulation does not need.
    pub(super) fn not_needed(&mut self, kind: &str, mark: Mark) {
        self.not_needed.entry(kind.to_owned()).or_insert((mark, 0)).1 += 1;
    }

    /// A kind that would matter.
    pub(super) fn kind(&mut self, kind: &str, why: &str, mark: Mark) {
        self.kinds.entry(kind.to_owned()).or_insert_with(|| (mark, 0, why.to_owned())).1 += 1;
    }

    /// A field that would matter.
    pub(crate) fn field(&mut self, path: &str, why: &str, mark: Mark) {
        self.found(path.to_owned(), path, why, mark);
    }

    /// A field of a type of the API that would matter: named once, wherever objects of the type stand.
    pub(super) fn field_of(&mut self, (name, field): (&str, &str), path: &str, why: &str, mark: Mark) {
        self.found(format!("{name}.{field}"), path, why, mark);
    }

    fn found(&mut self, key: String, path: &str, why: &str, mark: Mark) {
        let fresh = || Field { mark, times: 0, path: path.to_owned(), why: why.to_owned() };
        self.fields.entry(key).or_insert_with(fresh).times += 1;
    }

    /// A field that the Kubernetes API does not have.
    pub(super) fn unknown(&mut self, path: String, mark: Mark) {
        self.unknown.entry(path).or_insert((mark, 0)).1 += 1;
    }

    /// Files one remark for each finding.
    pub(crate) fn report(self, problems: &mut Problems) {
        if let Some(&(mark, _)) = self.not_needed.values().next() {
            let total: u32 = self.not_needed.values().map(|found| found.1).sum();
            let list: Vec<String> = self.not_needed.iter().map(|(kind, found)| format!("{} {kind}", found.1)).collect();
            problems.info(
                "N0602",
                mark,
                format!("{total} objects are not needed for a simulation: {}", list.join(", ")),
            );
        }
        for (kind, (mark, times, why)) in self.kinds {
            problems.warn("W0601", mark, format!("{kind} is ignored{}: {why}", often(times)));
        }
        for Field { mark, times, path, why } in self.fields.into_values() {
            problems.warn("W0603", mark, format!("`{path}` is ignored{}: {why}", often(times)));
        }
        for (path, (mark, times)) in self.unknown {
            problems
                .warn(
                    "W0604",
                    mark,
                    format!("`{path}` is no field of the Kubernetes API{}; it is ignored", often(times)),
                )
                .help("check the spelling: kubectl refuses it, too");
        }
    }
}

fn often(times: u32) -> String {
    if times == 1 { String::new() } else { format!(" ({times} times)") }
}
