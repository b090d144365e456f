//! What an entry does once its targets are chosen, and how two choices combine.
//!
//! Pure: nothing is applied here. Start at [`Impact::choose`].

use std::collections::BTreeSet;

use shakedown_engine::ids::{NodeId, PodId};
use shakedown_engine::message::{Operation, PartChange};
use shakedown_engine::rng::Stream;

use crate::fault::{Action, Effect, Group, Link, NetworkRule, PodDeath};
use crate::resolve;
use crate::scene::Scene;

/// An action with its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Impact {
    /// The world carries it out.
    Physical {
        /// What.
        effect: Effect,
        /// How many it hits, which for a network fault is not in the effect: the `rest` does not count.
        targets: usize,
    },
    /// The engine carries it out.
    Operator(Operation),
}

/// A choice that hits more than the one before.
pub(super) struct Grown {
    /// Everything hit so far.
    pub(super) all: Impact,
    /// What must be carried out now.
    pub(super) send: Impact,
}

impl Impact {
    /// Chooses targets for `action`.
    pub(super) fn choose(action: &Action, scene: &dyn Scene, lots: &mut Stream) -> Self {
        match action {
            Action::Kill(hosts) => Self::physical(Effect::Down { nodes: resolve::nodes(scene, hosts, lots) }),
            Action::Restore(hosts) => Self::physical(Effect::Boot { nodes: resolve::nodes(scene, hosts, lots) }),
            Action::Restart(hosts) => Self::physical(Effect::Reboot { nodes: resolve::nodes(scene, hosts, lots) }),
            Action::Saturate { nodes, load } => {
                Self::physical(Effect::Saturate { nodes: resolve::nodes(scene, nodes, lots), load: *load })
            }
            Action::Partition(link) => network(scene, link, NetworkRule::Cut, lots),
            Action::Delay { link, latency, jitter } => {
                network(scene, link, NetworkRule::Delay { latency: *latency, jitter: *jitter }, lots)
            }
            Action::Lose { link, permille } => network(scene, link, NetworkRule::Lose { permille: *permille }, lots),
            Action::KillPods { pods, how } => {
                let pods = match how {
                    PodDeath::Delete { grace: Some(_) } => resolve::pods_to_hurry(scene, pods, lots),
                    PodDeath::Delete { grace: None } | PodDeath::Crash => resolve::pods(scene, pods, lots),
                };
                match *how {
                    PodDeath::Crash => Self::physical(Effect::CrashPods { pods }),
                    PodDeath::Delete { grace } => Self::Operator(Operation::DeletePods { pods, grace }),
                }
            }
            Action::Leak { pods, rate } => {
                Self::physical(Effect::Leak { pods: resolve::pods(scene, pods, lots), rate: *rate })
            }
            Action::FillMemory { nodes, permille } => {
                Self::physical(Effect::FillMemory { nodes: resolve::nodes(scene, nodes, lots), permille: *permille })
            }
            Action::FillDisk { nodes, permille } => {
                Self::physical(Effect::FillDisk { nodes: resolve::nodes(scene, nodes, lots), permille: *permille })
            }
            Action::StopProxies(hosts) => {
                Self::physical(Effect::StopProxies { nodes: resolve::nodes(scene, hosts, lots) })
            }
            Action::Agents { nodes, how } => {
                Self::physical(Effect::Agents { nodes: resolve::nodes(scene, nodes, lots), how: *how })
            }
            Action::Cordon(hosts) => Self::Operator(Operation::Cordon { nodes: resolve::nodes(scene, hosts, lots) }),
            Action::Uncordon(hosts) => {
                Self::Operator(Operation::Uncordon { nodes: resolve::nodes(scene, hosts, lots) })
            }
            Action::Drain(hosts) => Self::Operator(Operation::Drain { nodes: resolve::nodes(scene, hosts, lots) }),
            Action::RemoveNode(hosts) => {
                Self::Operator(Operation::RemoveNode { nodes: resolve::nodes(scene, hosts, lots) })
            }
            &Action::Label { ref nodes, key, value } => {
                Self::Operator(Operation::Label { nodes: resolve::nodes(scene, nodes, lots), key, value })
            }
            Action::Taint { nodes, taint } => {
                Self::Operator(Operation::Taint { nodes: resolve::nodes(scene, nodes, lots), taint: *taint })
            }
            Action::Untaint { nodes, taint, every_effect } => Self::Operator(Operation::Untaint {
                nodes: resolve::nodes(scene, nodes, lots),
                taint: *taint,
                every_effect: *every_effect,
            }),
            Action::Evict(pods) => Self::Operator(Operation::Evict { pods: resolve::pods(scene, pods, lots) }),
            Action::DeletionCost { pods, cost } => {
                Self::Operator(Operation::DeletionCost { pods: resolve::pods(scene, pods, lots), cost: *cost })
            }
            &Action::Ungate(workload) => Self::Operator(Operation::Ungate { workload }),
            Action::Redeclare { workload, details } => {
                Self::Operator(Operation::Redeclare { workload: *workload, details: details.clone() })
            }
            Action::DefaultPriority { twins } => Self::Operator(Operation::DefaultPriority { twins: twins.clone() }),
            &Action::Scale { workload, replicas } => Self::Operator(Operation::Scale { workload, replicas }),
            &Action::Deploy { workload, template } => Self::Operator(Operation::Deploy { workload, template }),
            &Action::Undo(workload) => Self::Operator(Operation::Undo { workload }),
            &Action::Pause(workload) => Self::Operator(Operation::Pause { workload }),
            &Action::Promote(workload) => Self::Operator(Operation::Promote { workload }),
            &Action::Resume(workload) => Self::Operator(Operation::Resume { workload }),
            &Action::Apply(workload) => Self::Operator(Operation::Apply { workload }),
            &Action::Delete(workload) => Self::Operator(Operation::Delete { workload }),
            &Action::DeleteNamespace(namespace) => Self::Operator(Operation::DeleteNamespace { namespace }),
            &Action::StopPart { part, instances } => {
                Self::Operator(Operation::ControlPlane { part, change: PartChange::Stop(instances) })
            }
            &Action::StartPart { part, instances } => {
                Self::Operator(Operation::ControlPlane { part, change: PartChange::Start(instances) })
            }
            &Action::Flood(flood) => Self::Operator(Operation::Flood { flood, on: true }),
        }
    }

    fn physical(effect: Effect) -> Self {
        let mut impact = Self::Physical { effect, targets: 0 };
        impact.recount();
        impact
    }

    /// How many it hits. For a network fault: the hosts that its selectors name, or 1 when they name none but a link.
    pub(super) fn targets(&self) -> usize {
        match self {
            Self::Physical { targets, .. } => *targets,
            Self::Operator(_) => match (self.nodes(), self.pods()) {
                (Some(nodes), _) => nodes.len(),
                (None, Some(pods)) => pods.len(),
                (None, None) => 1,
            },
        }
    }

    /// True when it holds until it is lifted, false for a blow.
    pub(super) fn lasts(&self) -> bool {
        match self {
            Self::Physical { effect, .. } => {
                !matches!(effect, Effect::Boot { .. } | Effect::Reboot { .. } | Effect::CrashPods { .. })
            }
            Self::Operator(_) => self.closes().is_some() || self.undone_by().is_some(),
        }
    }

    /// The hosts that it holds down.
    pub(super) fn downs(&self) -> Option<&[NodeId]> {
        match self {
            Self::Physical { effect: Effect::Down { nodes }, .. } => Some(nodes),
            _ => None,
        }
    }

    /// Whether it cuts a host, or its agent, off from the control plane.
    pub(super) fn cuts_off(&self, node: NodeId) -> bool {
        let (from, to) = match self {
            Self::Physical { effect: Effect::Agents { nodes, .. }, .. } => return nodes.contains(&node),
            Self::Physical { effect: Effect::Network { from, to, rule: NetworkRule::Cut, .. }, .. } => (from, to),
            _ => return false,
        };
        (from.control && to.nodes.contains(&node)) || (to.control && from.nodes.contains(&node))
    }

    /// The nodes that an operator closed with it.
    pub(super) fn closes(&self) -> Option<&[NodeId]> {
        match self {
            Self::Operator(Operation::Cordon { nodes } | Operation::Drain { nodes }) => Some(nodes),
            _ => None,
        }
    }

    /// The command that ends it, where there is one that is the same whatever else holds.
    pub(super) fn undone_by(&self) -> Option<Operation> {
        match *self {
            Self::Operator(Operation::Taint { ref nodes, taint }) => {
                Some(Operation::Untaint { nodes: nodes.clone(), taint, every_effect: false })
            }
            Self::Operator(Operation::ControlPlane { part, change: PartChange::Stop(instances) }) => {
                Some(Operation::ControlPlane { part, change: PartChange::Start(instances) })
            }
            Self::Operator(Operation::Flood { flood, on: true }) => Some(Operation::Flood { flood, on: false }),
            _ => None,
        }
    }

    /// The nodes that earlier entries must let go of.
    pub(super) fn frees(&self) -> Option<&[NodeId]> {
        match self {
            Self::Physical { effect: Effect::Boot { nodes }, .. } => Some(nodes),
            Self::Operator(Operation::Uncordon { nodes } | Operation::Untaint { nodes, .. }) => Some(nodes),
            _ => None,
        }
    }

    /// Whether `other` undoes what this one does: booting frees from kills, opening from closing, untainting from taints.
    pub(super) fn is_freed_by(&self, other: &Self) -> bool {
        match other {
            Self::Physical { effect: Effect::Boot { .. }, .. } => {
                matches!(self, Self::Physical { effect: Effect::Down { .. }, .. })
            }
            Self::Operator(Operation::Untaint { taint: gone, every_effect, .. }) => match self {
                Self::Operator(Operation::Taint { taint, .. }) => {
                    taint.key == gone.key && (*every_effect || taint.effect == gone.effect)
                }
                _ => false,
            },
            _ => self.closes().is_some(),
        }
    }

    /// Takes `nodes` out of its targets. False when it held none of them.
    pub(super) fn let_go(&mut self, nodes: &[NodeId]) -> bool {
        let held = self.nodes_mut().expect("kills, closings and taints have nodes");
        let before = held.len();
        held.retain(|node| !nodes.contains(node));
        let shrunk = held.len() < before;
        self.recount();
        shrunk
    }

    /// This one joined by a `fresh` choice of the same action. `None` when that hits nobody new.
    pub(super) fn grown(&self, mut fresh: Self, released: &BTreeSet<NodeId>) -> Option<Grown> {
        if matches!(fresh, Self::Physical { effect: Effect::Network { .. }, .. }) {
            return (fresh != *self).then(|| Grown { all: fresh.clone(), send: fresh });
        }
        let mut all = self.clone();
        let grew = if let (Some(held), Some(found)) = (all.nodes_mut(), fresh.nodes_mut()) {
            found.retain(|node| !released.contains(node));
            join(held, found)
        } else if let (Some(held), Some(found)) = (all.pods_mut(), fresh.pods_mut()) {
            join(held, found)
        } else {
            false
        };
        all.recount();
        fresh.recount();
        // A world replaces the targets of an effect that lasts, so it must be told all of them.
        let replaces = matches!(all, Self::Physical { .. }) && all.lasts();
        grew.then(|| Grown { send: if replaces { all.clone() } else { fresh }, all })
    }

    fn recount(&mut self) {
        let count = self.nodes().map(Vec::len).or_else(|| self.pods().map(Vec::len));
        if let (Self::Physical { targets, .. }, Some(count)) = (self, count) {
            *targets = count;
        }
    }

    fn nodes(&self) -> Option<&Vec<NodeId>> {
        match self {
            Self::Physical { effect, .. } => match effect {
                Effect::Down { nodes }
                | Effect::Boot { nodes }
                | Effect::Reboot { nodes }
                | Effect::FillMemory { nodes, .. }
                | Effect::FillDisk { nodes, .. }
                | Effect::StopProxies { nodes }
                | Effect::Agents { nodes, .. }
                | Effect::Saturate { nodes, .. } => Some(nodes),
                Effect::Network { .. } | Effect::CrashPods { .. } | Effect::Leak { .. } => None,
            },
            Self::Operator(
                Operation::Cordon { nodes }
                | Operation::Uncordon { nodes }
                | Operation::Drain { nodes }
                | Operation::Taint { nodes, .. }
                | Operation::Label { nodes, .. }
                | Operation::Untaint { nodes, .. }
                | Operation::RemoveNode { nodes },
            ) => Some(nodes),
            Self::Operator(_) => None,
        }
    }

    fn nodes_mut(&mut self) -> Option<&mut Vec<NodeId>> {
        match self {
            Self::Physical { effect, .. } => match effect {
                Effect::Down { nodes }
                | Effect::Boot { nodes }
                | Effect::Reboot { nodes }
                | Effect::FillMemory { nodes, .. }
                | Effect::FillDisk { nodes, .. }
                | Effect::StopProxies { nodes }
                | Effect::Agents { nodes, .. }
                | Effect::Saturate { nodes, .. } => Some(nodes),
                Effect::Network { .. } | Effect::CrashPods { .. } | Effect::Leak { .. } => None,
            },
            Self::Operator(
                Operation::Cordon { nodes }
                | Operation::Uncordon { nodes }
                | Operation::Drain { nodes }
                | Operation::Taint { nodes, .. }
                | Operation::Label { nodes, .. }
                | Operation::Untaint { nodes, .. }
                | Operation::RemoveNode { nodes },
            ) => Some(nodes),
            Self::Operator(_) => None,
        }
    }

    fn pods(&self) -> Option<&Vec<PodId>> {
        match self {
            Self::Physical { effect: Effect::CrashPods { pods } | Effect::Leak { pods, .. }, .. }
            | Self::Operator(
                Operation::DeletePods { pods, .. } | Operation::Evict { pods } | Operation::DeletionCost { pods, .. },
            ) => Some(pods),
            _ => None,
        }
    }

    fn pods_mut(&mut self) -> Option<&mut Vec<PodId>> {
        match self {
            Self::Physical { effect: Effect::CrashPods { pods } | Effect::Leak { pods, .. }, .. }
            | Self::Operator(
                Operation::DeletePods { pods, .. } | Operation::Evict { pods } | Operation::DeletionCost { pods, .. },
            ) => Some(pods),
            _ => None,
        }
    }
}

fn network(scene: &dyn Scene, link: &Link, rule: NetworkRule, lots: &mut Stream) -> Impact {
    let (from, to) = resolve::link(scene, link, lots);
    let mut named: BTreeSet<NodeId> = BTreeSet::new();
    for (group, side) in [(&from, &link.from), (&to, &link.to)] {
        if !side.rest {
            named.extend(&group.nodes);
        }
    }
    let connects = exists(&from) && exists(&to);
    let targets = if connects { named.len().max(1) } else { 0 };
    Impact::Physical { effect: Effect::Network { from, to, one_way: link.one_way, rule }, targets }
}

fn exists(group: &Group) -> bool {
    group.control || group.outside || !group.nodes.is_empty()
}

/// Leaves the newcomers in `found` and adds them to `held`, which stays in id order. False when there are none.
fn join<I: Copy + Ord>(held: &mut Vec<I>, found: &mut Vec<I>) -> bool {
    found.retain(|id| held.binary_search(id).is_err());
    held.extend_from_slice(found);
    held.sort_unstable();
    !found.is_empty()
}
