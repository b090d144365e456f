//! The page of the documentation that says what agrees and what is not modelled. Generated, so that it cannot promise
//! more than was counted.

use std::fmt::Write;

use crate::agreement::{Agreement, Count};

/// One recording's part of a page.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Heading.
    pub title: &'a str,
    /// How the comparison is made.
    pub method: &'a str,
    /// What came of it.
    pub agreement: &'a Agreement,
    /// What the recording does not cover, or what is not modelled; an item each.
    pub limits: &'a [&'a str],
}

const HEAD: &str = "\
# How faithful the Kubernetes profile is

<!-- Written by `shakedown conform kubernetes --write-docs docs/fidelity-kubernetes.md`; do not edit. -->

The Kubernetes profile is held to recordings of a real control plane, v1.36.2: kube-apiserver, kube-controller-manager,
kube-scheduler and etcd ran for real, kubelets were scripted. The recordings ship in `fidelity/recordings/kubernetes`,
and their README explains every field. Anybody can repeat the comparison:

```console
$ shakedown conform kubernetes
```
";

/// `docs/fidelity-kubernetes.md`.
pub fn kubernetes_page(parts: &[Part<'_>]) -> String {
    page(HEAD, parts)
}

/// A page of these parts.
pub(crate) fn page(head: &str, parts: &[Part<'_>]) -> String {
    let mut page = head.to_owned();
    for part in parts {
        page.push('\n');
        write_part(&mut page, part);
    }
    page
}

fn write_part(page: &mut String, part: &Part<'_>) {
    let agreement = part.agreement;
    let items: u64 = agreement.items.values().sum();
    let total = agreement.total();
    let _ = writeln!(page, "## {}\n\n{}\n", part.title, part.method);
    let _ = writeln!(
        page,
        "{items} {}, {} comparisons, {} agree: **{}**.\n",
        agreement.item_name,
        total.compared,
        total.agreed,
        total.percent()
    );
    page.push_str("| check | what is compared | compared | agree | |\n|---|---|--:|--:|--:|\n");
    for (check, count) in agreement.by_check() {
        let _ = writeln!(page, "| {} | {} | {} |", check.name, check.about, cells(count));
    }
    let _ = writeln!(page, "\n| kind | {} | compared | agree | |\n|---|--:|--:|--:|--:|", agreement.item_name);
    for (kind, count) in agreement.by_kind() {
        let items = agreement.items.get(&kind).copied().unwrap_or(0);
        let _ = writeln!(page, "| {kind} | {items} | {} |", cells(count));
    }
    if !part.limits.is_empty() {
        page.push_str("\nWhat this does not show:\n\n");
        for limit in part.limits {
            let _ = writeln!(page, "- {limit}");
        }
    }
}

fn cells(count: Count) -> String {
    format!("{} | {} | {}", count.compared, count.agreed, count.percent())
}
