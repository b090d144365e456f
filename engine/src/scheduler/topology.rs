//! Domains of nodes by label, and which nodes a count may include.
//!
//! Labels change by hand only, and then everything is numbered again: domains are numbered once per label. Start at [`Topology`] and [`Scope`].

use crate::ids::Symbol;
use crate::labels::Labels;
use crate::model::{Catalog, NodeSpec, Toleration};
use crate::scheduler::fixed::{NodeRule, NodeState, tolerates_hard};

/// The domain of a node that is in none.
pub(super) const NO_DOMAIN: u32 = u32::MAX;

/// What makes a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Equal values of a label.
    Label(Symbol),
    /// Each node that carries the label is a domain by itself, whatever the value.
    NodeWith(Symbol),
    /// Each node is a domain by itself.
    Node,
}

/// The domains of one key, numbered densely.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    pub(super) key: Key,
    /// Domain of each node.
    pub(super) domain_of: Vec<u32>,
    /// Number of domains.
    pub(super) domains: usize,
}

impl Topology {
    pub(super) fn new(key: Key, catalog: &Catalog) -> Self {
        let label = |label: Symbol| catalog.nodes.rows().iter().map(move |node| node.labels.get(label));
        let numbered = |n: usize, here: bool| if here { n as u32 } else { NO_DOMAIN };
        let (domain_of, domains) = match key {
            Key::Label(symbol) => {
                let mut values: Vec<Symbol> = label(symbol).flatten().collect();
                values.sort_unstable();
                values.dedup();
                let number = |value: Symbol| values.binary_search(&value).expect("every value was collected") as u32;
                (label(symbol).map(|value| value.map_or(NO_DOMAIN, number)).collect(), values.len())
            }
            Key::NodeWith(symbol) => {
                let here = label(symbol).enumerate().map(|(n, value)| numbered(n, value.is_some()));
                (here.collect(), catalog.nodes.len())
            }
            Key::Node => ((0..catalog.nodes.len() as u32).collect(), catalog.nodes.len()),
        };
        Self { key, domain_of, domains }
    }
}

/// Which nodes a count includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All, present or not.
    Anywhere,
    /// Those that the scheduler knows.
    Present,
    /// Those that are eligible for a spread constraint.
    ///
    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/podtopologyspread/common.go,
    /// `matchNodeInclusionPolicies` and `nodeLabelsMatchSpreadConstraints`.
    Eligible {
        /// Node affinity, where it is honoured.
        rule: NodeRule,
        /// Labels that the node must carry.
        keys: Vec<Symbol>,
        /// Tolerations, where taints are honoured.
        tolerations: Option<Vec<Toleration>>,
    },
}

impl Scope {
    /// The scope in its simplest form, so that equal scopes compare equal.
    pub(super) fn simplified(self) -> Self {
        match self {
            Self::Eligible { rule, keys, tolerations: None } if rule.is_empty() && keys.is_empty() => Self::Present,
            other => other,
        }
    }

    /// True when the node is included; `state` is `None` for a node that the scheduler does not know.
    pub(super) fn includes(&self, node: &NodeSpec, state: Option<&NodeState>, catalog: &Catalog) -> bool {
        match (self, state) {
            (Self::Anywhere, _) => true,
            (_, None) => false,
            (Self::Present, Some(_)) => true,
            (Self::Eligible { rule, keys, tolerations }, Some(state)) => {
                has_all(&node.labels, keys)
                    && rule.admits(node, catalog)
                    && tolerations.as_ref().is_none_or(|t| tolerates_hard(t, &state.taints))
            }
        }
    }
}

fn has_all(labels: &Labels, keys: &[Symbol]) -> bool {
    keys.iter().all(|&key| labels.get(key).is_some())
}
