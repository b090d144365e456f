//! Machines go: under-used for long enough, their pods movable, drained, and given back.
//!
//! Source: kubernetes/autoscaler:cluster-autoscaler/core/scaledown (planner, eligibility, unneeded, actuation),
//! simulator/drainability/rules. Start at [`Control::shrink_pools`].

use super::Leaving;
use crate::control::{Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId};
use crate::model::WorkloadKind;
use crate::profile::Machines;
use crate::scaling::machines::utilization;
use crate::scheduler::Scheduler;

impl Control {
    /// Finds machines that nobody needs, and lets those go that were not needed for long enough.
    pub(super) fn shrink_pools(&mut self, cx: &mut Cx<'_>, policy: &Machines) {
        let candidates = self.under_used(policy);
        self.pools.unneeded.retain(|node, _| candidates.contains(node));
        self.pools.blocked.retain(|node| candidates.contains(node));
        if candidates.is_empty() {
            return;
        }
        let mut copy = self.scheduling.scheduler.clone();
        for &node in &candidates {
            if self.can_go(&mut copy, node) {
                self.pools.unneeded.entry(node).or_insert(cx.now);
                self.pools.blocked.remove(&node);
            } else {
                self.pools.unneeded.remove(&node);
                if self.pools.blocked.insert(node) {
                    self.note_pool(cx, Subject::Node(node), Note::ScaleDownBlocked);
                }
            }
        }
        let resting = self.pools.grown_at.is_some_and(|at| cx.now < at + policy.delay_after_add);
        if !resting && self.pools.leaving.is_empty() {
            self.let_go(cx, policy);
        }
    }

    /// Nodes of groups that could be smaller, on which little is requested or that are not healthy.
    fn under_used(&self, policy: &Machines) -> Vec<NodeId> {
        let mut found = Vec::new();
        for (pool, members) in self.pools.members.iter() {
            if self.pool_size(pool) <= self.catalog.pools[pool].min {
                continue;
            }
            let there = |node: &&NodeId| self.nodes[**node].exists() && !self.pools.leaving.contains_key(node);
            let idle = |node: &&NodeId| {
                let allocatable = &self.catalog.nodes[**node].allocatable;
                !self.nodes[**node].healthy
                    || utilization(self.requested_on(**node), allocatable) < policy.utilization_threshold
            };
            found.extend(members.iter().filter(there).filter(idle).copied());
        }
        found
    }

    /// Whether all pods of a node may be evicted and find a place elsewhere. If so, the copy has them there.
    fn can_go(&self, copy: &mut Scheduler, node: NodeId) -> bool {
        let pods = self.movable_pods(node);
        if !pods.iter().all(|&pod| self.may_be_moved(pod)) {
            return false;
        }
        let mut trial = copy.clone();
        trial.remove_node(node);
        for &pod in &pods {
            trial.release(&self.request(pod), node);
        }
        let fits = pods.iter().all(|&pod| self.fits_on_copy(&mut trial, pod, None));
        if fits {
            *copy = trial;
        }
        fits
    }

    /// Pods that would have to run elsewhere: daemons' pods and those on their way out do not.
    fn movable_pods(&self, node: NodeId) -> Vec<PodId> {
        let kind = |pod: PodId| self.catalog.workloads[self.pods[pod].workload].kind;
        let pods = self.nodes[node].pods.iter().copied();
        pods.filter(|&pod| self.pods[pod].active() && kind(pod) != WorkloadKind::DaemonSet).collect()
    }

    /// A bare pod would not come back; system pods and pods with a budget need one that lets them go.
    fn may_be_moved(&self, pod: PodId) -> bool {
        let row = &self.pods[pod];
        let bare = self.catalog.workloads[row.workload].kind == WorkloadKind::Pod;
        let system = self.catalog.text(self.catalog.templates[row.template].namespace) == "kube-system";
        let budgets = self.budgets.selecting(row.template);
        let allowed = budgets.len() <= 1 && budgets.iter().all(|&budget| self.budgets.allows(budget) > 0);
        !bare && allowed && !(system && budgets.is_empty())
    }

    /// Empty machines go at once, up to a number; of the others one.
    fn let_go(&mut self, cx: &mut Cx<'_>, policy: &Machines) {
        let ripe = |(&node, &since): (&NodeId, &crate::time::Time)| {
            let wait = if self.nodes[node].healthy { policy.unneeded_time } else { policy.unready_time };
            (cx.now.since(since) >= wait).then_some(node)
        };
        let ripe: Vec<NodeId> = self.pools.unneeded.iter().filter_map(ripe).collect();
        let (empty, used): (Vec<NodeId>, Vec<NodeId>) =
            ripe.into_iter().partition(|&node| self.movable_pods(node).is_empty());
        let chosen: Vec<NodeId> = match empty.is_empty() {
            true => used.into_iter().take(1).collect(),
            false => empty.into_iter().take(policy.max_empty_at_once as usize).collect(),
        };
        for node in chosen {
            let pool = self.catalog.nodes[node].pool.expect("only members of groups are looked at");
            let leaving = |n: &NodeId| self.catalog.nodes[*n].pool == Some(pool);
            let left = self.pool_size(pool) - self.pools.leaving.keys().filter(|n| leaving(n)).count() as u32;
            if left > self.catalog.pools[pool].min {
                self.empty_node(cx, node);
            }
        }
        if !self.pools.leaving.is_empty() {
            self.look_at_pools(cx, cx.now);
        }
    }

    /// Closes a machine and has its pods evicted.
    fn empty_node(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        self.pools.unneeded.remove(&node);
        self.nodes[node].cordoned = true;
        let cause = cx.facts.record(cx.now, FactId::NONE, FactKind::NodeCordoned { node });
        self.pools.leaving.insert(node, Leaving { since: cx.now, cause });
        self.show_node_to_scheduler(node);
        self.evict_for_machine(cx, node);
    }

    fn evict_for_machine(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let cause = self.pools.leaving[&node].cause;
        for pod in self.movable_pods(node) {
            if self.profile.control.machine.evictions.is_some() {
                self.evict(cx, cause, pod, 0);
            } else {
                self.delete_pod(cx, (Client::Pools, cause), (pod, Deletion::Drained, None));
            }
        }
    }

    /// Machines whose pods are gone are given back; one that cannot be emptied stays after all.
    pub(super) fn finish_leaving(&mut self, cx: &mut Cx<'_>, policy: &Machines) {
        for (node, Leaving { since, cause }) in self.pools.leaving.clone() {
            let kind = |pod: PodId| self.catalog.workloads[self.pods[pod].workload].kind;
            let busy = self.nodes[node].pods.iter().any(|&pod| kind(pod) != WorkloadKind::DaemonSet);
            let waited = cx.now.since(since);
            if !self.nodes[node].exists() {
                self.pools.leaving.remove(&node);
            } else if !busy && waited >= policy.delay_after_taint {
                self.give_back(cx, cause, node);
            } else if busy && waited >= policy.max_termination {
                self.pools.leaving.remove(&node);
                self.nodes[node].cordoned = false;
                cx.facts.record(cx.now, cause, FactKind::NodeUncordoned { node });
                self.show_node_to_scheduler(node);
                self.node_changed_for_queue(cx);
            } else if busy {
                self.evict_for_machine(cx, node);
            }
        }
    }

    fn give_back(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let pool = self.catalog.nodes[node].pool.expect("only members of groups leave");
        let from = self.pool_size(pool);
        self.pools.leaving.remove(&node);
        self.remove_nodes(cx, cause, &[node]);
        let fact = self.pool_scaled(cx, cause, (pool, from));
        self.order_machine(cx, (node, fact), false);
    }
}
