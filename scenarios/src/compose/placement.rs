//! `deploy.placement`: where tasks may run, and where they better run.
//!
//! What Kubernetes can say too becomes affinity and topology spread; all of it is kept as wishes, too, for profiles that
//! know Swarm's own words. Start at [`Reader::placement`].

use shakedown_engine::labels::{Op, Requirement, Selector};
use shakedown_engine::model::{
    Affinity, Distinct, HOSTNAME_LABEL, NodeTerm, PlacementWish, SpreadConstraint, SpreadWish,
};
use shakedown_engine::profile::Wish;

use super::amounts::COUNT;
use super::{Reader, keys};
use crate::nodes::{apart, soft_spread};
use crate::problem::Mark;
use crate::text::Node;

/// Where a service wants its tasks.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) affinity: Affinity,
    pub(super) spread: Vec<SpreadConstraint>,
    pub(super) wishes: PlacementWish,
}

/// The label by which nodes of a role are known. Source: kubernetes/kubernetes:cmd/kubeadm/app/constants/constants.go.
pub(crate) const ROLE_LABEL: &str = "node-role.kubernetes.io/";

/// Preferences have no weights in Swarm: they are a tree, one level each.
const SPREAD_WEIGHT: u32 = 50;

const CONSTRAINT: &str = "expected `node.role == manager`, `node.hostname != NAME`, `node.labels.KEY == VALUE`";

impl Reader<'_, '_> {
    /// Where replicas may run and would better run. `own` selects the replicas themselves.
    pub(super) fn placement(&mut self, deploy: Option<&Node>, own: &Selector) -> Wanted {
        let mut affinity = Affinity::default();
        let Some(node) = deploy.and_then(|deploy| self.part(deploy, "placement", &keys::PLACEMENT)) else {
            return Wanted::default();
        };
        let conditions: Vec<Requirement> =
            self.list(node, "constraints").iter().filter_map(|node| self.constraint(node)).collect();
        if !conditions.is_empty() {
            let labels = Selector { all: conditions };
            self.must_fit_somewhere(&labels, node);
            affinity.node_required.push(NodeTerm { labels, ..NodeTerm::default() });
        }
        let labels: Vec<String> =
            self.list(node, "preferences").iter().filter_map(|node| self.preference(node)).collect();
        let mut wishes = PlacementWish::default();
        if let Some(most) = self.amount(node, "max_replicas_per_node", &COUNT).filter(|&most| most > 0) {
            let mark = node.get("max_replicas_per_node").map_or(node.mark, |node| node.mark);
            self.at_most(most, mark, own, &mut affinity);
            let attribute = self.low.catalog.names.intern(HOSTNAME_LABEL);
            wishes.distinct.push(Distinct { attribute, at_most: most });
        }
        let names = &mut self.low.catalog.names;
        wishes.spreads = labels
            .iter()
            .map(|label| SpreadWish { attribute: names.intern(label), weight: SPREAD_WEIGHT, targets: Vec::new() })
            .collect();
        let spread = labels.iter().map(|label| soft_spread(names.intern(label), own.clone())).collect();
        Wanted { affinity, spread, wishes }
    }

    /// A bound on replicas of a node is anti-affinity where it is 1, and only a wish where it is more.
    fn at_most(&mut self, most: u32, mark: Mark, own: &Selector, affinity: &mut Affinity) {
        let path = "deploy.placement.max_replicas_per_node";
        if most > 1 {
            self.low.asked.note(path, Wish::DistinctMany, mark);
            return;
        }
        self.low.asked.note(path, Wish::DistinctOne, mark);
        affinity.anti_required.push(apart(&mut self.low.catalog.names, own.clone(), HOSTNAME_LABEL));
    }

    /// One condition on nodes. Source: moby/swarmkit:manager/constraint/constraint.go.
    fn constraint(&mut self, node: &Node) -> Option<Requirement> {
        if !self.is_known(node) {
            return None;
        }
        let text = node.scalar().unwrap_or_default();
        let split = |sign: &str| text.split_once(sign).map(|(key, value)| (key.trim(), value.trim()));
        let parsed = split("!=").map(|(key, value)| (key, value, false));
        let parsed = parsed.or_else(|| split("==").map(|(key, value)| (key, value, true)));
        let Some((key, value, equal)) = parsed.filter(|(key, value, _)| !key.is_empty() && !value.is_empty()) else {
            self.low
                .problems
                .error("E0204", node.mark, format!("{} is not a constraint", node.describe()))
                .expected(CONSTRAINT);
            return None;
        };
        let (label, value) = match key {
            "node.role" => return self.role(node, value, equal),
            "node.hostname" => (HOSTNAME_LABEL, value),
            "node.platform.os" => ("kubernetes.io/os", value),
            "node.platform.arch" => ("kubernetes.io/arch", architecture(value)),
            _ if let Some(label) = key.strip_prefix("node.labels.").filter(|label| !label.is_empty()) => (label, value),
            // Labels of the engine and those of the node are one set here.
            _ if let Some(label) = key.strip_prefix("engine.labels.").filter(|label| !label.is_empty()) => {
                (label, value)
            }
            _ if key == "node.id" || key == "node.ip" => {
                let why = "nodes have names and labels here; write `node.hostname` or `node.labels.KEY`";
                self.low.unmodelled.field(&format!("deploy.placement.constraints: {key}"), why, node.mark);
                return None;
            }
            _ => {
                self.low
                    .problems
                    .error("E0204", node.mark, format!("there is no `{key}` to constrain"))
                    .expected(CONSTRAINT)
                    .suggest(key, ["node.role", "node.hostname", "node.labels.KEY", "node.platform.os"]);
                return None;
            }
        };
        let names = &mut self.low.catalog.names;
        let values = vec![names.intern(value)];
        Some(Requirement { key: names.intern(label), op: if equal { Op::In(values) } else { Op::NotIn(values) } })
    }

    /// Each node of a swarm is either a manager or a worker; here, a worker is who is no manager.
    fn role(&mut self, node: &Node, value: &str, equal: bool) -> Option<Requirement> {
        let manager = match value {
            "manager" => equal,
            "worker" => !equal,
            _ => {
                self.low
                    .problems
                    .error("E0205", node.mark, format!("`{value}` is no role of a node"))
                    .expected("expected `manager` or `worker`")
                    .suggest(value, ["manager", "worker"]);
                return None;
            }
        };
        let key = self.low.catalog.names.intern(&format!("{ROLE_LABEL}manager"));
        Some(Requirement { key, op: if manager { Op::Exists } else { Op::NotExists } })
    }

    /// The label that a preference spreads over.
    fn preference(&mut self, node: &Node) -> Option<String> {
        if !self.keys(node, &keys::PREFERENCE) {
            return None;
        }
        let spread = node.get("spread");
        if spread.is_some_and(|spread| !self.is_known(spread)) {
            return None;
        }
        let text = spread.and_then(Node::scalar).unwrap_or_default();
        let mark = spread.map_or(node.mark, |spread| spread.mark);
        let label = text.strip_prefix("node.labels.").or_else(|| text.strip_prefix("engine.labels."));
        let Some(label) = label.filter(|label| !label.is_empty()) else {
            self.low
                .problems
                .error("E0204", mark, "this is nothing to spread over")
                .expected("expected `spread: node.labels.KEY`");
            return None;
        };
        Some(label.to_owned())
    }

    /// Constraints that no node meets leave the service pending for ever, as in Swarm, but rarely on purpose.
    fn must_fit_somewhere(&mut self, labels: &Selector, node: &Node) {
        let catalog = &*self.low.catalog;
        let nodes = catalog.nodes.rows();
        if nodes.is_empty() || nodes.iter().any(|node| labels.matches(&node.labels, &catalog.names)) {
            return;
        }
        let mark = node.get("constraints").map_or(node.mark, |node| node.mark);
        self.low
            .problems
            .warn("W0614", mark, "no node of the cluster meets these constraints: the replicas stay pending")
            .help("give nodes `roles` or `labels` under `cluster.nodes`");
    }
}

/// Swarm knows architectures by the kernel's words, too. Source: moby/swarmkit:manager/scheduler/filter.go.
fn architecture(word: &str) -> &str {
    match word {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        _ => word,
    }
}
