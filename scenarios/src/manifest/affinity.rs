//! Label selectors, node and pod affinity, topology spread, tolerations.
//!
//! Semantics of absence follow the API: a missing label selector selects nothing, an empty one everything.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use shakedown_engine::ids::Symbol;
use shakedown_engine::labels::{Labels, Op, Requirement, Selector};
use shakedown_engine::model::{
    Affinity, NodeTerm, PodTerm, SpreadConstraint, TaintEffect, Toleration, Weighted, WhenUnsatisfiable,
};
use shakedown_engine::time::Span;

use super::{Lowering, place};
use crate::problem::{Draft, Mark};
use crate::text::Node;

/// A selector that nothing matches.
fn nothing(lowering: &Lowering<'_>) -> Selector {
    Selector { all: vec![Requirement { key: lowering.catalog.known.empty, op: Op::In(Vec::new()) }] }
}

/// A label selector; `None` with a problem filed when an operator is unknown.
pub(super) fn selector(from: &LabelSelector, lowering: &mut Lowering<'_>, node: &Node) -> Option<Selector> {
    let mut all = Vec::new();
    for (key, value) in from.match_labels.iter().flatten() {
        let (key, value) = (lowering.catalog.names.intern(key), lowering.catalog.names.intern(value));
        all.push(Requirement { key, op: Op::In(vec![value]) });
    }
    for one in from.match_expressions.iter().flatten() {
        all.push(requirement((&one.key, &one.operator, one.values.as_deref()), lowering, node)?);
    }
    Some(Selector { all })
}

/// True for a selector without a condition.
pub(super) fn is_empty(from: &LabelSelector) -> bool {
    from.match_labels.iter().flatten().next().is_none() && from.match_expressions.iter().flatten().next().is_none()
}

/// True when a rule of a pod refers to the pod's own label `key`.
pub(super) fn asks_for(spec: &core::PodSpec, key: &str) -> bool {
    let has = |keys: &Option<Vec<String>>| keys.iter().flatten().any(|own| own == key);
    let rules = spec.affinity.clone().unwrap_or_default();
    let (near, far) = (rules.pod_affinity.unwrap_or_default(), rules.pod_anti_affinity.unwrap_or_default());
    let required = [
        near.required_during_scheduling_ignored_during_execution,
        far.required_during_scheduling_ignored_during_execution,
    ];
    let preferred = [
        near.preferred_during_scheduling_ignored_during_execution,
        far.preferred_during_scheduling_ignored_during_execution,
    ];
    let preferred = preferred.into_iter().flatten().flatten().map(|one| one.pod_affinity_term);
    let mut terms = required.into_iter().flatten().flatten().chain(preferred);
    terms.any(|term| has(&term.match_label_keys) || has(&term.mismatch_label_keys))
        || spec.topology_spread_constraints.iter().flatten().any(|one| has(&one.match_label_keys))
}

/// Narrows a selector by the pod's own values of labels; labels that the pod does not have are passed over.
/// Source: kubernetes/kubernetes:pkg/registry/core/pod/strategy.go, `applyMatchLabelKeysAndMismatchLabelKeys`.
fn narrow(selector: &mut Selector, own: &Labels, (keys, unlike): (&[String], bool), lowering: &mut Lowering<'_>) {
    for key in keys {
        let key = lowering.catalog.names.intern(key);
        let Some(value) = own.get(key) else { continue };
        let op = if unlike { Op::NotIn(vec![value]) } else { Op::In(vec![value]) };
        selector.all.push(Requirement { key, op });
    }
}

fn optional(from: Option<&LabelSelector>, lowering: &mut Lowering<'_>, node: &Node) -> Option<Selector> {
    match from {
        Some(from) => selector(from, lowering, node),
        None => Some(nothing(lowering)),
    }
}

/// A requirement from key, operator and values.
fn requirement(
    (key, operator, values): (&str, &str, Option<&[String]>),
    lowering: &mut Lowering<'_>,
    node: &Node,
) -> Option<Requirement> {
    let key = lowering.catalog.names.intern(key);
    let texts = values.unwrap_or_default();
    let symbols = |lowering: &mut Lowering<'_>| texts.iter().map(|v| lowering.catalog.names.intern(v)).collect();
    let number = || texts.first().and_then(|text| text.parse::<i64>().ok());
    let op = match operator {
        "In" => Some(Op::In(symbols(lowering))),
        "NotIn" => Some(Op::NotIn(symbols(lowering))),
        "Exists" => Some(Op::Exists),
        "DoesNotExist" => Some(Op::NotExists),
        "Gt" => number().map(Op::Greater),
        "Lt" => number().map(Op::Less),
        _ => None,
    };
    if op.is_none() {
        lowering
            .problems
            .error(
                "E0505",
                node.mark,
                format!("`{operator}` with `{}` is not a valid label condition", texts.join(", ")),
            )
            .expected("expected `In`, `NotIn`, `Exists`, `DoesNotExist`, or `Gt`/`Lt` with one whole number");
    }
    op.map(|op| Requirement { key, op })
}

/// All affinity of a pod.
pub(super) fn affinity(
    from: &core::Affinity,
    own: (Symbol, &Labels),
    lowering: &mut Lowering<'_>,
    node: &Node,
) -> Option<Affinity> {
    let mut out = Affinity::default();
    if let Some(nodes) = &from.node_affinity {
        for term in
            nodes.required_during_scheduling_ignored_during_execution.iter().flat_map(|s| &s.node_selector_terms)
        {
            out.node_required.push(node_term(term, lowering, node)?);
        }
        for one in nodes.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
            weight(one.weight, lowering, node)?;
            let item = node_term(&one.preference, lowering, node)?;
            out.node_preferred.push(Weighted { weight: one.weight, item });
        }
    }
    let near = from.pod_affinity.clone().unwrap_or_default();
    let far = from.pod_anti_affinity.clone().unwrap_or_default();
    let required = |terms: Option<Vec<core::PodAffinityTerm>>, lowering: &mut Lowering<'_>| {
        terms.iter().flatten().map(|term| pod_term(term, own, lowering, node)).collect::<Option<Vec<_>>>()
    };
    let preferred = |terms: Option<Vec<core::WeightedPodAffinityTerm>>, lowering: &mut Lowering<'_>| {
        let weighted = |one: &core::WeightedPodAffinityTerm, lowering: &mut Lowering<'_>| {
            weight(one.weight, lowering, node)?;
            let item = pod_term(&one.pod_affinity_term, own, lowering, node)?;
            Some(Weighted { weight: one.weight, item })
        };
        terms.iter().flatten().map(|one| weighted(one, lowering)).collect::<Option<Vec<_>>>()
    };
    out.pod_required = required(near.required_during_scheduling_ignored_during_execution, lowering)?;
    out.anti_required = required(far.required_during_scheduling_ignored_during_execution, lowering)?;
    out.pod_preferred = preferred(near.preferred_during_scheduling_ignored_during_execution, lowering)?;
    out.anti_preferred = preferred(far.preferred_during_scheduling_ignored_during_execution, lowering)?;
    Some(out)
}

/// What the API server would refuse.
fn refuse<'p>(lowering: &'p mut Lowering<'_>, mark: Mark, message: &str) -> Draft<'p> {
    lowering.problems.error("E0505", mark, message)
}

/// Weights are from 1 to 100. Source: kubernetes/kubernetes:pkg/apis/core/validation/validation.go.
fn weight(weight: i32, lowering: &mut Lowering<'_>, node: &Node) -> Option<()> {
    if !(1..=100).contains(&weight) {
        let mark = place(node, &["spec", "affinity"]);
        refuse(lowering, mark, &format!("a weight of {weight} is not possible")).expected("expected 1 to 100");
        return None;
    }
    Some(())
}

pub(super) fn node_term(from: &core::NodeSelectorTerm, lowering: &mut Lowering<'_>, node: &Node) -> Option<NodeTerm> {
    let mut term = NodeTerm::default();
    for one in from.match_expressions.iter().flatten() {
        term.labels.all.push(requirement((&one.key, &one.operator, one.values.as_deref()), lowering, node)?);
    }
    for one in from.match_fields.iter().flatten() {
        let names: Vec<Symbol> = one.values.iter().flatten().map(|name| lowering.catalog.names.intern(name)).collect();
        match (one.key.as_str(), one.operator.as_str()) {
            ("metadata.name", "In") => term.names.extend(names),
            ("metadata.name", "NotIn") => term.not_names.extend(names),
            _ => {
                lowering
                    .problems
                    .error(
                        "E0505",
                        place(node, &["spec", "affinity", "nodeAffinity"]),
                        "this field condition is not possible",
                    )
                    .expected("expected `metadata.name` with `In` or `NotIn`");
                return None;
            }
        }
    }
    // An empty term matches no node. Source: kubernetes/kubernetes:staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
    if term == NodeTerm::default() {
        term.labels = nothing(lowering);
    }
    Some(term)
}

fn pod_term(
    from: &core::PodAffinityTerm,
    (namespace, own): (Symbol, &Labels),
    lowering: &mut Lowering<'_>,
    node: &Node,
) -> Option<PodTerm> {
    let mark = place(node, &["spec", "affinity"]);
    if from.topology_key.is_empty() {
        refuse(lowering, mark, "a pod affinity term without `topologyKey` is not possible")
            .expected("expected a label of nodes, such as `kubernetes.io/hostname`");
        return None;
    }
    let mut selector = optional(from.label_selector.as_ref(), lowering, node)?;
    narrow(&mut selector, own, (from.match_label_keys.as_deref().unwrap_or_default(), false), lowering);
    narrow(&mut selector, own, (from.mismatch_label_keys.as_deref().unwrap_or_default(), true), lowering);
    let mut namespaces: Vec<Symbol> =
        from.namespaces.iter().flatten().map(|name| lowering.catalog.names.intern(name)).collect();
    let mut all_namespaces = false;
    match &from.namespace_selector {
        None if namespaces.is_empty() => namespaces.push(namespace),
        None => {}
        Some(chosen) => match lowering.namespaces_of(chosen, node)? {
            None => all_namespaces = true,
            Some(more) => namespaces.extend(more),
        },
    }
    if namespaces.is_empty() && !all_namespaces {
        // No namespace has these labels, so the term is about no pod.
        selector = nothing(lowering);
        namespaces.push(namespace);
    }
    namespaces.sort_unstable();
    namespaces.dedup();
    Some(PodTerm {
        selector,
        namespaces,
        all_namespaces,
        topology_key: lowering.catalog.names.intern(&from.topology_key),
    })
}

/// An explicit spread constraint.
pub(super) fn spread(
    from: &core::TopologySpreadConstraint,
    own: &Labels,
    lowering: &mut Lowering<'_>,
    node: &Node,
) -> Option<SpreadConstraint> {
    let fields = ["spec", "topologySpreadConstraints"];
    let wrong = match from.when_unsatisfiable.as_str() {
        "DoNotSchedule" | "ScheduleAnyway" if from.max_skew < 1 => Some(format!("a `maxSkew` of {}", from.max_skew)),
        "DoNotSchedule" | "ScheduleAnyway" if from.topology_key.is_empty() => Some("an empty `topologyKey`".to_owned()),
        "DoNotSchedule" | "ScheduleAnyway" => None,
        other => Some(format!("`whenUnsatisfiable: {other}`")),
    };
    if let Some(wrong) = wrong {
        refuse(lowering, place(node, &fields), &format!("{wrong} is not possible in a spread constraint"))
            .expected("expected `maxSkew` from 1, a `topologyKey`, and `DoNotSchedule` or `ScheduleAnyway`");
        return None;
    }
    let mut selector = optional(from.label_selector.as_ref(), lowering, node)?;
    narrow(&mut selector, own, (from.match_label_keys.as_deref().unwrap_or_default(), false), lowering);
    Some(SpreadConstraint {
        max_skew: from.max_skew,
        topology_key: lowering.catalog.names.intern(&from.topology_key),
        when: if from.when_unsatisfiable == "ScheduleAnyway" {
            WhenUnsatisfiable::ScheduleAnyway
        } else {
            WhenUnsatisfiable::DoNotSchedule
        },
        selector,
        min_domains: from.min_domains.and_then(|n| u32::try_from(n).ok()),
        honor_affinity: from.node_affinity_policy.as_deref() != Some("Ignore"),
        honor_taints: from.node_taints_policy.as_deref() == Some("Honor"),
    })
}

/// A toleration; `None` for an effect that does not exist, with a problem filed.
pub(super) fn toleration(from: &core::Toleration, lowering: &mut Lowering<'_>, node: &Node) -> Option<Toleration> {
    let effect = match from.effect.as_deref().filter(|effect| !effect.is_empty()) {
        None => None,
        Some(text) => match effect(text) {
            Some(effect) => Some(effect),
            None => {
                lowering
                    .problems
                    .error("E0505", place(node, &["spec", "tolerations"]), format!("`{text}` is no effect of a taint"))
                    .expected("expected `NoSchedule`, `PreferNoSchedule` or `NoExecute`");
                return None;
            }
        },
    };
    let operator = from.operator.as_deref().filter(|word| !word.is_empty()).unwrap_or("Equal");
    let exists = operator == "Exists";
    let key = from.key.as_deref().filter(|key| !key.is_empty());
    // Source: kubernetes/kubernetes:pkg/apis/core/validation/validation.go, `ValidateTolerations`.
    if !(exists || operator == "Equal" && key.is_some()) {
        let what = if operator == "Equal" { "a toleration without `key`".to_owned() } else { format!("`{operator}`") };
        refuse(lowering, place(node, &["spec", "tolerations"]), &format!("{what} is not possible here"))
            .expected("expected a `key` with `operator: Equal`, or `operator: Exists`");
        return None;
    }
    let names = &mut lowering.catalog.names;
    Some(Toleration {
        key: key.map(|key| names.intern(key)),
        value: if exists { None } else { Some(names.intern(from.value.as_deref().unwrap_or_default())) },
        effect,
        // Zero and negative values evict at once.
        seconds: from.toleration_seconds.map(|n| Span::from_secs(u64::try_from(n).unwrap_or(0))),
    })
}

/// The effect of a taint.
pub(crate) fn effect(text: &str) -> Option<TaintEffect> {
    match text {
        "NoSchedule" => Some(TaintEffect::NoSchedule),
        "PreferNoSchedule" => Some(TaintEffect::PreferNoSchedule),
        "NoExecute" => Some(TaintEffect::NoExecute),
        _ => None,
    }
}
