//! Filters and scores that depend only on the node, not on the pods there: cordon, name, taints, node affinity.
//!
//! Their results are kept per (rules, node) and recomputed for a node when that node changes, so a placement reads one
//! byte a node. Templates with equal rules share a table. Start at [`Fixed::update`].

use crate::ids::{NodeId, Symbol};
use crate::model::{Catalog, NodeSpec, NodeTerm, PodTemplate, Taint, TaintEffect, Toleration};
use crate::profile::{Filter, Placement};
use crate::scheduler::outcome::Reason;

/// What is known of a node that can change while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeState {
    /// Its taints now.
    pub taints: Vec<Taint>,
    /// Cordoned now.
    pub unschedulable: bool,
}

/// Node selector and required node affinity of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeRule {
    selector: Vec<(Symbol, Symbol)>,
    required: Vec<NodeTerm>,
}

impl NodeRule {
    pub(super) fn of(template: &PodTemplate) -> Self {
        Self { selector: template.node_selector.clone(), required: template.affinity.node_required.clone() }
    }

    /// True when it demands nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.selector.is_empty() && self.required.is_empty()
    }

    /// True when the node meets the selector and one of the terms.
    pub(super) fn admits(&self, node: &NodeSpec, catalog: &Catalog) -> bool {
        self.selector.iter().all(|&(key, value)| node.labels.get(key) == Some(value))
            && (self.required.is_empty() || self.required.iter().any(|term| term_matches(term, node, catalog)))
    }

    /// The only nodes that can meet it, when every term names nodes.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go, `PreFilter`.
    fn named(&self, catalog: &Catalog) -> Option<Vec<NodeId>> {
        if self.required.is_empty() || self.required.iter().any(|term| term.names.is_empty()) {
            return None;
        }
        let wanted = |name| self.required.iter().any(|term| term.names.contains(&name));
        Some(catalog.nodes.iter().filter(|(_, node)| wanted(node.name)).map(|(id, _)| id).collect())
    }
}

/// True when a node meets a template's node selector and required node affinity.
pub(crate) fn node_admits(template: &PodTemplate, node: &NodeSpec, catalog: &Catalog) -> bool {
    NodeRule::of(template).admits(node, catalog)
}

/// An empty term matches no node.
/// Source: kubernetes/component-helpers:scheduling/corev1/nodeaffinity/nodeaffinity.go, `isEmptyNodeSelectorTerm`.
pub(super) fn term_matches(term: &NodeTerm, node: &NodeSpec, catalog: &Catalog) -> bool {
    let empty = term.labels.all.is_empty() && term.names.is_empty() && term.not_names.is_empty();
    !empty
        && (term.names.is_empty() || term.names.contains(&node.name))
        && !term.not_names.contains(&node.name)
        && term.labels.matches(&node.labels, &catalog.names)
}

/// True when no taint with a hard effect is left untolerated.
pub(super) fn tolerates_hard(tolerations: &[Toleration], taints: &[Taint]) -> bool {
    taints
        .iter()
        .filter(|taint| taint.effect != TaintEffect::PreferNoSchedule)
        .all(|taint| tolerations.iter().any(|t| t.tolerates(taint)))
}

/// The part of a template that node-only rules read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    tolerations: Vec<Toleration>,
    node: NodeRule,
    preferred: Vec<(i32, NodeTerm)>,
    node_name: Option<Symbol>,
    /// Alternatives that the scheduler's profile adds to every pod's own.
    added: Vec<NodeTerm>,
    filters: Vec<Filter>,
}

impl Rules {
    pub(super) fn of(template: &PodTemplate, placement: &Placement) -> Self {
        let own = template.affinity.node_preferred.iter().map(|w| (w.weight, w.item.clone()));
        Self {
            tolerations: template.tolerations.clone(),
            node: NodeRule::of(template),
            preferred: own.chain(placement.args.added_preferred.iter().cloned()).collect(),
            node_name: template.node_name,
            added: placement.args.added_required.clone(),
            filters: placement.filters.clone(),
        }
    }

    /// The profile's filters, in its order.
    pub(super) fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// The same for a pod that tolerates more than its template says.
    pub(super) fn tolerating(mut self, more: Vec<Toleration>) -> Self {
        self.tolerations.extend(more);
        self
    }

    /// The reason of `filter` against a node, if it is one of these filters and refuses.
    pub(super) fn refusal(
        &self,
        filter: Filter,
        node: &NodeSpec,
        state: &NodeState,
        catalog: &Catalog,
    ) -> Option<Reason> {
        match filter {
            Filter::NodeUnschedulable => {
                let (key, value) = (catalog.known.unschedulable, catalog.known.empty);
                let taint = Taint { key, value, effect: TaintEffect::NoSchedule };
                (state.unschedulable && !self.tolerations.iter().any(|t| t.tolerates(&taint)))
                    .then_some(Reason::Unschedulable)
            }
            Filter::NodeName => self.node_name.is_some_and(|name| name != node.name).then_some(Reason::OtherNode),
            Filter::TaintToleration => (!tolerates_hard(&self.tolerations, &state.taints)).then_some(Reason::Taint),
            // Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go, `Filter`.
            Filter::NodeAffinity => {
                let enforced = self.added.is_empty() || self.added.iter().any(|t| term_matches(t, node, catalog));
                let own = (!self.node.admits(node, catalog)).then_some(Reason::NodeAffinity);
                if enforced { own } else { Some(Reason::EnforcedAffinity) }
            }
            // These depend on pods or on volumes.
            Filter::NodePorts
            | Filter::NodeResourcesFit
            | Filter::VolumeRestrictions
            | Filter::NodeVolumeLimits
            | Filter::VolumeBinding
            | Filter::VolumeZone
            | Filter::PodTopologySpread
            | Filter::InterPodAffinity
            | Filter::MaxPerNode => None,
        }
    }

    /// True when a node comes into question at all: open, and of the zone that the node selector names. The other
    /// conditions are constraints, whose failures are counted.
    pub(super) fn takes_in(&self, node: &NodeSpec, state: &NodeState, catalog: &Catalog) -> bool {
        let open = [Filter::NodeUnschedulable, Filter::NodeName, Filter::TaintToleration];
        let mut asked = open.into_iter().filter(|filter| self.filters.contains(filter));
        let zone = self.node.selector.iter().filter(|(key, _)| *key == catalog.known.zone);
        asked.all(|filter| self.refusal(filter, node, state, catalog).is_none())
            && zone.into_iter().all(|&(key, value)| node.labels.get(key) == Some(value))
    }

    fn soft_taints(&self, state: &NodeState) -> i64 {
        let soft = state.taints.iter().filter(|taint| taint.effect == TaintEffect::PreferNoSchedule);
        soft.filter(|taint| !self.tolerations.iter().any(|t| t.tolerates(taint))).count() as i64
    }

    fn preference(&self, node: &NodeSpec, catalog: &Catalog) -> i64 {
        let matching = self.preferred.iter().filter(|(_, term)| term_matches(term, node, catalog));
        matching.map(|&(weight, _)| i64::from(weight)).sum()
    }
}

/// Node-only results of one set of rules, for all nodes.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) rules: Rules,
    /// True where no node-only filter refuses.
    pub(super) passes: Vec<bool>,
    /// Untolerated `PreferNoSchedule` taints.
    pub(super) soft_taints: Vec<i64>,
    /// Sum of the weights of matching preferred terms.
    pub(super) preference: Vec<i64>,
    /// The only nodes worth looking at.
    pub(super) named: Option<Vec<NodeId>>,
}

impl Fixed {
    /// Results for no node yet; the caller updates each.
    pub(super) fn new(rules: Rules, catalog: &Catalog) -> Self {
        let nodes = catalog.nodes.len();
        let named = if rules.filters.contains(&Filter::NodeAffinity) { rules.node.named(catalog) } else { None };
        let preference = catalog.nodes.rows().iter().map(|node| rules.preference(node, catalog)).collect();
        Self { rules, passes: vec![false; nodes], soft_taints: vec![0; nodes], preference, named }
    }

    /// Recomputes one node.
    pub(super) fn update(&mut self, node: NodeId, state: &NodeState, catalog: &Catalog) {
        let n = node.0 as usize;
        let spec = &catalog.nodes[node];
        self.passes[n] = self.rules.filters.iter().all(|&f| self.rules.refusal(f, spec, state, catalog).is_none());
        self.soft_taints[n] = self.rules.soft_taints(state);
    }

    /// Sum of the weights of all preferred terms, without their signs.
    pub(super) fn all_preferences(&self) -> i64 {
        self.rules.preferred.iter().map(|(weight, _)| i64::from(*weight).abs()).sum()
    }

    /// A node's labels have changed.
    pub(super) fn relabel(&mut self, node: NodeId, catalog: &Catalog) {
        self.preference[node.0 as usize] = self.rules.preference(&catalog.nodes[node], catalog);
    }

    /// True when the pod has preferred terms at all.
    pub(super) fn has_preferences(&self) -> bool {
        !self.rules.preferred.is_empty()
    }
}
