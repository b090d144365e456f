//! Conditions on nodes that files of several orchestrators share: patterns, spreading, keeping apart.
//!
//! A condition that labels cannot express (a regular expression, a version) is lowered to the values that nodes of the
//! cluster have and that meet it. Start at [`values`].

use std::collections::BTreeSet;

use shakedown_engine::ids::Symbol;
use shakedown_engine::labels::{Interner, Op, Requirement, Selector};
use shakedown_engine::model::{Catalog, PodTerm, SpreadConstraint, WhenUnsatisfiable};

/// Soft spread over the values of a label.
pub(crate) fn soft_spread(topology_key: Symbol, selector: Selector) -> SpreadConstraint {
    SpreadConstraint {
        max_skew: 1,
        topology_key,
        when: WhenUnsatisfiable::ScheduleAnyway,
        selector,
        min_domains: None,
        honor_affinity: true,
        honor_taints: false,
    }
}

/// No two of these pods of the namespace `default` on one value of a label.
pub(crate) fn apart(names: &mut Interner, selector: Selector, label: &str) -> PodTerm {
    let namespaces = vec![names.intern("default")];
    PodTerm { selector, namespaces, all_namespaces: false, topology_key: names.intern(label) }
}

/// Values of a label that nodes of the cluster have and that meet a condition, in the order of their texts.
pub(crate) fn values(catalog: &Catalog, label: &str, meets: &dyn Fn(&str) -> bool) -> Vec<Symbol> {
    let Some(key) = catalog.names.find(label) else { return Vec::new() };
    let found: BTreeSet<Symbol> = catalog.nodes.rows().iter().filter_map(|node| node.labels.get(key)).collect();
    let mut found: Vec<Symbol> = found.into_iter().filter(|&value| meets(catalog.text(value))).collect();
    found.sort_unstable_by_key(|&value| catalog.text(value));
    found
}

/// The condition that a label has one of the values that meet something.
pub(crate) fn any_of(catalog: &mut Catalog, label: &str, meets: &dyn Fn(&str) -> bool) -> Requirement {
    let found = values(catalog, label, meets);
    Requirement { key: catalog.names.intern(label), op: Op::In(found) }
}

/// The condition that a label has none of the values that meet something.
pub(crate) fn none_of(catalog: &mut Catalog, label: &str, meets: &dyn Fn(&str) -> bool) -> Requirement {
    let found = values(catalog, label, meets);
    Requirement { key: catalog.names.intern(label), op: Op::NotIn(found) }
}
