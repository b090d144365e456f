//! Namespaces and selectors over them: resolved at load to lists of names, because namespaces do not change in a run.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use shakedown_engine::ids::Symbol;
use shakedown_engine::labels::Labels;

use super::{Lowering, affinity};
use crate::text::Node;

/// The label that every namespace has. Source: kubernetes/kubernetes:staging/src/k8s.io/api/core/v1/well_known_labels.go.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Namespaces that every cluster has.
const ALWAYS: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

impl Lowering<'_> {
    /// Notes that a namespace exists because something is in it.
    pub(super) fn note_namespace(&mut self, name: &str) {
        if !self.context.namespaces.contains_key(name) {
            self.context.namespaces.insert(name.to_owned(), Vec::new());
        }
    }

    /// Labels of a namespace.
    pub(super) fn namespace(&mut self, node: &Node) {
        let Some(object) = self.read::<Namespace>(node) else { return };
        let Some(name) = object.metadata.name else { return };
        let labels = object.metadata.labels.unwrap_or_default().into_iter().collect();
        self.context.namespaces.insert(name, labels);
    }

    /// Namespaces that a selector matches, in the order of the alphabet; `None`: all of them.
    pub(super) fn namespaces_of(&mut self, from: &LabelSelector, node: &Node) -> Option<Option<Vec<Symbol>>> {
        if *from == LabelSelector::default() || affinity::is_empty(from) {
            return Some(None);
        }
        let selector = affinity::selector(from, self, node)?;
        let known: BTreeSet<String> =
            self.context.namespaces.keys().cloned().chain(ALWAYS.map(ToOwned::to_owned)).collect();
        let mut out = Vec::new();
        for name in known {
            let own = self.context.namespaces.get(&name).cloned().unwrap_or_default();
            let names = &mut self.catalog.names;
            let mut pairs: Vec<(Symbol, Symbol)> =
                own.iter().map(|(key, value)| (names.intern(key), names.intern(value))).collect();
            pairs.push((names.intern(NAME_LABEL), names.intern(&name)));
            if selector.matches(&Labels::new(pairs), &self.catalog.names) {
                out.push(self.catalog.names.intern(&name));
            }
        }
        Some(Some(out))
    }
}
