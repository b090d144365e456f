//! `deploy`: replicas, resources, restarts, updates, placement; and the keys of version 2 that say the same.
//!
//! What Swarm keeps per service, but profiles keep for all (delays and attempts), is named with its flag and not taken.
//! Start at [`Reader::placement`] for the part with the most rules.

use shakedown_engine::labels::{Op, Requirement, Selector};
use shakedown_engine::model::{
    Affinity, Amount, Bytes, HOSTNAME_LABEL, MilliCpu, NodeTerm, PodTerm, RestartPolicy, SpreadConstraint, Strategy,
    WhenUnsatisfiable,
};

use super::amounts::{COUNT, CPUS, SIZE};
use super::{Reader, keys};
use crate::text::Node;

/// What a container reserves and may use at most.
#[derive(Clone, Copy, Default)]
pub(super) struct Share {
    pub(super) cpu: Option<MilliCpu>,
    pub(super) memory: Option<Bytes>,
    pub(super) cpu_limit: Option<MilliCpu>,
    pub(super) memory_limit: Option<Bytes>,
}

/// The label by which nodes of a role are known. Source: kubernetes/kubernetes:cmd/kubeadm/app/constants/constants.go.
pub(crate) const ROLE_LABEL: &str = "node-role.kubernetes.io/";

const CONSTRAINT: &str = "expected `node.role == manager`, `node.hostname != NAME`, `node.labels.KEY == VALUE`";

impl Reader<'_, '_> {
    /// Wanted replicas.
    pub(super) fn replicas(&mut self, service: &Node, deploy: Option<&Node>) -> u32 {
        let scale = self.amount(service, "scale", &COUNT);
        let own = deploy.and_then(|deploy| self.amount(deploy, "replicas", &COUNT));
        if let (Some(scale), Some(own), Some(node)) = (scale, own, service.get("scale"))
            && scale != own
        {
            self.low
                .problems
                .error("E0207", node.mark, format!("`scale` says {scale}, and `deploy.replicas` says {own}"))
                .expected("expected one of the two");
        }
        let mode = deploy.and_then(|deploy| {
            let mode = self.word(deploy, "mode", &["replicated", "global", "replicated-job", "global-job"])?;
            Some((mode, deploy.get("mode")?.mark))
        });
        match mode {
            Some((mode @ ("global" | "global-job"), mark)) => {
                let why = "one task on each node is not modelled yet: one replica runs";
                self.low.unmodelled.field(&format!("deploy.mode: {mode}"), why, mark);
                return 1;
            }
            Some(("replicated-job", mark)) => {
                self.low.unmodelled.field("deploy.mode: replicated-job", "its replicas run for ever", mark);
            }
            _ => {}
        }
        let replicas = own.or(scale).unwrap_or(1);
        let place = deploy.and_then(|deploy| deploy.get("replicas")).or_else(|| service.get("scale"));
        self.low.bounded(replicas, place.map_or(service.mark, |node| node.mark));
        replicas
    }

    /// Reservations and limits. Unlike in Kubernetes, a limit reserves nothing.
    pub(super) fn share(&mut self, service: &Node, deploy: Option<&Node>) -> Share {
        let resources = deploy.and_then(|deploy| self.part(deploy, "resources", &keys::RESOURCES));
        let limits = resources.and_then(|node| self.part(node, "limits", &keys::LIMITS));
        let reserved = resources.and_then(|node| self.part(node, "reservations", &keys::RESERVATIONS));
        let old = Share {
            cpu: None,
            memory: self.amount(service, "mem_reservation", &SIZE),
            cpu_limit: self.amount(service, "cpus", &CPUS),
            memory_limit: self.amount(service, "mem_limit", &SIZE),
        };
        // Zero means no limit.
        let share = Share {
            cpu: reserved.and_then(|node| self.amount(node, "cpus", &CPUS)),
            memory: reserved.and_then(|node| self.amount(node, "memory", &SIZE)).or(old.memory),
            cpu_limit: limits.and_then(|node| self.amount(node, "cpus", &CPUS)).or(old.cpu_limit),
            memory_limit: limits.and_then(|node| self.amount(node, "memory", &SIZE)).or(old.memory_limit),
        };
        let share = Share {
            cpu_limit: share.cpu_limit.filter(|limit| limit.0 > 0),
            memory_limit: share.memory_limit.filter(|limit| limit.0 > 0),
            ..share
        };
        let place = |key: &str| reserved.and_then(|node| node.get(key)).or_else(|| service.get("mem_reservation"));
        for (wrong, key) in [
            (share.cpu_limit.is_some() && share.cpu > share.cpu_limit, "cpus"),
            (share.memory_limit.is_some() && share.memory > share.memory_limit, "memory"),
        ] {
            if wrong {
                let mark = place(key).map_or(service.mark, |node| node.mark);
                self.low
                    .problems
                    .error("E0204", mark, format!("the reservation of `{key}` is above its limit"))
                    .expected("expected at most the limit");
            }
        }
        share
    }

    /// What happens to containers that exit. Swarm's default is to restart any.
    pub(super) fn restart(&mut self, service: &Node, deploy: Option<&Node>) -> RestartPolicy {
        let policy = deploy.and_then(|deploy| self.part(deploy, "restart_policy", &keys::RESTART));
        let condition = policy.and_then(|policy| self.word(policy, "condition", &["none", "on-failure", "any"]));
        let word = match self.written(service, "restart").and_then(Node::scalar) {
            Some(text) if text.strip_prefix("on-failure:").is_some_and(|n| n.parse::<u32>().is_ok()) => {
                let mark = service.get("restart").map_or(service.mark, |node| node.mark);
                let why = "the profile's own flag decides how often, such as `restart-max-attempts`";
                self.low.unmodelled.field("restart: on-failure:N", why, mark);
                Some("on-failure")
            }
            _ => self.word(service, "restart", &["no", "always", "on-failure", "unless-stopped"]),
        };
        match condition.or(word) {
            Some("none" | "no") => RestartPolicy::Never,
            Some("on-failure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        }
    }

    /// How updates go: so many at once, new ones first or old ones first.
    pub(super) fn strategy(&mut self, deploy: Option<&Node>) -> Strategy {
        let Some(update) = deploy.and_then(|deploy| self.part(deploy, "update_config", &keys::UPDATE)) else {
            return Strategy::Default;
        };
        let at_once = self.amount(update, "parallelism", &COUNT).unwrap_or(1);
        let order = self.word(update, "order", &["stop-first", "start-first"]);
        self.once(
            "update_config",
            update.mark,
            "`deploy.update_config` becomes surge and unavailability of a rolling update; a profile that updates slot by \
             slot follows its own flags instead: `update-parallelism`, `update-order`, `update-delay`, ...",
        );
        match (at_once, order) {
            // All at once is neither a rolling update nor a wait for all old ones to go.
            (0, _) => {
                let why = "0 means all at once, for which there is no strategy; the profile's default is taken";
                self.low.unmodelled.field("deploy.update_config.parallelism: 0", why, update.mark);
                Strategy::Default
            }
            (n, Some("start-first")) => {
                Strategy::RollingUpdate { max_surge: Amount::Count(n), max_unavailable: Amount::Count(0) }
            }
            (n, _) => Strategy::RollingUpdate { max_surge: Amount::Count(0), max_unavailable: Amount::Count(n) },
        }
    }

    /// Where replicas may run and would better run. `own` selects the replicas themselves.
    pub(super) fn placement(&mut self, deploy: Option<&Node>, own: &Selector) -> (Affinity, Vec<SpreadConstraint>) {
        let mut affinity = Affinity::default();
        let Some(node) = deploy.and_then(|deploy| self.part(deploy, "placement", &keys::PLACEMENT)) else {
            return (affinity, Vec::new());
        };
        let conditions: Vec<Requirement> =
            self.list(node, "constraints").iter().filter_map(|node| self.constraint(node)).collect();
        if !conditions.is_empty() {
            let labels = Selector { all: conditions };
            self.must_fit_somewhere(&labels, node);
            affinity.node_required.push(NodeTerm { labels, ..NodeTerm::default() });
        }
        let spread = self.list(node, "preferences").iter().filter_map(|node| self.preference(node, own)).collect();
        if let Some(most) = self.amount(node, "max_replicas_per_node", &COUNT).filter(|&most| most > 0) {
            let mark = node.get("max_replicas_per_node").map_or(node.mark, |node| node.mark);
            self.at_most(most, mark, own, &mut affinity);
        }
        (affinity, spread)
    }

    fn at_most(&mut self, most: u32, mark: crate::problem::Mark, own: &Selector, affinity: &mut Affinity) {
        if most > 1 {
            let why = "only 1 can be kept, as anti-affinity; replicas may crowd on a node";
            self.low.unmodelled.field("deploy.placement.max_replicas_per_node", why, mark);
            return;
        }
        self.once(
            "max_replicas_per_node",
            mark,
            "`deploy.placement.max_replicas_per_node: 1` becomes anti-affinity between replicas, which only profiles with \
             the filter InterPodAffinity keep",
        );
        let names = &mut self.low.catalog.names;
        affinity.anti_required.push(PodTerm {
            selector: own.clone(),
            namespaces: vec![names.intern("default")],
            all_namespaces: false,
            topology_key: names.intern(HOSTNAME_LABEL),
        });
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
            _ if key == "node.id" || key == "node.ip" || key.starts_with("engine.labels.") => {
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

    fn preference(&mut self, node: &Node, own: &Selector) -> Option<SpreadConstraint> {
        if !self.keys(node, &keys::PREFERENCE) {
            return None;
        }
        let spread = node.get("spread");
        if spread.is_some_and(|spread| !self.is_known(spread)) {
            return None;
        }
        let text = spread.and_then(Node::scalar).unwrap_or_default();
        let mark = spread.map_or(node.mark, |spread| spread.mark);
        if text.starts_with("engine.labels.") {
            let why = "nodes have only labels of their own; write `node.labels.KEY`";
            self.low.unmodelled.field("deploy.placement.preferences: engine.labels", why, mark);
            return None;
        }
        let Some(label) = text.strip_prefix("node.labels.").filter(|label| !label.is_empty()) else {
            self.low
                .problems
                .error("E0204", mark, "this is nothing to spread over")
                .expected("expected `spread: node.labels.KEY`");
            return None;
        };
        Some(SpreadConstraint {
            max_skew: 1,
            topology_key: self.low.catalog.names.intern(label),
            when: WhenUnsatisfiable::ScheduleAnyway,
            selector: own.clone(),
            min_domains: None,
            honor_affinity: true,
            honor_taints: false,
        })
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
