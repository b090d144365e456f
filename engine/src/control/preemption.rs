//! Preemption is carried out: a node is promised, its victims are marked and deleted, and the pod waits for them.
//!
//! Who has to go is found out in [`crate::scheduler`]. The requests go out in the background while the loop goes on, as
//! since 1.33; until the last of them is through, the pod is not tried again. Start at [`Control::make_way`].
//!
//! Source: kubernetes/kubernetes:pkg/scheduler/framework/preemption/preemption.go, `prepareCandidateAsync`.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::tables::PodRow;
use crate::control::{Control, Cx, Write};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{BudgetId, NodeId, PodId, Table};
use crate::model::Catalog;
use crate::scheduler::{Budgets, FilterSet, Preemption, Victims};

/// Pods that wait until the deletions for their sake are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Preempting {
    /// Victims that are still to be deleted, and the filters that refused the pod.
    by_pod: BTreeMap<PodId, (BTreeSet<PodId>, FilterSet)>,
    of_victim: BTreeMap<PodId, BTreeSet<PodId>>,
}

/// What the scheduler's preemption sees of budgets.
struct Seen<'a> {
    catalog: &'a Catalog,
    pods: &'a Table<PodId, PodRow>,
    budgets: &'a super::budget::Budgets,
}

impl Budgets for Seen<'_> {
    fn covering(&self, pod: PodId, found: &mut Vec<BudgetId>) {
        let counts = |budget: &BudgetId| {
            // An empty selector selects a whole namespace for evictions, and nothing here.
            // Source: pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go, `filterPodsWithPDBViolation`.
            let selector = self.catalog.budgets[*budget].selector.as_ref();
            selector.is_some_and(|selector| !selector.all.is_empty()) && !self.budgets.disrupts(*budget, pod)
        };
        found.extend(self.budgets.selecting(self.pods[pod].template).iter().copied().filter(counts));
    }

    fn allowed(&self, budget: BudgetId) -> u32 {
        self.budgets.allows(budget)
    }
}

impl Control {
    /// Looks for pods that a refused pod may push aside. True when deletions are sent: the pod waits for them.
    pub(super) fn make_way(&mut self, cx: &mut Cx<'_>, pod: PodId, refused_by: FilterSet) -> bool {
        let request = self.request(pod);
        let seen = Seen { catalog: &self.catalog, pods: &self.pods, budgets: &self.budgets };
        match self.scheduling.scheduler.preempt(&request, &seen) {
            Preemption::Found(found) => self.take_node(cx, pod, found.chosen(), refused_by),
            Preemption::Nowhere(_) => {
                self.scheduling.scheduler.withdraw(pod);
                false
            }
            Preemption::Disabled | Preemption::Never | Preemption::Terminating => false,
        }
    }

    fn take_node(&mut self, cx: &mut Cx<'_>, pod: PodId, victims: &Victims, refused_by: FilterSet) -> bool {
        let (request, node, from) = (self.request(pod), victims.node, self.scheduling.free_at);
        let priority = self.catalog.templates[self.pods[pod].template].priority;
        for other in self.scheduling.scheduler.nominated_below(priority, node) {
            self.scheduling.scheduler.withdraw(other);
            self.store.spend(from, Client::Scheduler);
        }
        self.scheduling.scheduler.nominate(&request, node);
        let by = (Client::Scheduler, self.pods[pod].last_fact);
        self.write_at(cx, from, by, Write::Nominate { pod, node });
        let stays = |victim: &PodId| self.pods[*victim].deleting.is_none() && !self.pods[*victim].delete_sent;
        let doomed: BTreeSet<PodId> = victims.pods.iter().copied().filter(stays).collect();
        for &victim in &doomed {
            self.scheduling.preempting.of_victim.entry(victim).or_default().insert(pod);
            self.write_at(cx, from, by, Write::Preempt { pod: victim });
        }
        let waits = !doomed.is_empty();
        if waits {
            self.scheduling.preempting.by_pod.insert(pod, (doomed, refused_by));
        }
        waits
    }

    /// The store has the promise of a node.
    pub(super) fn pod_nominated(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, node: NodeId) {
        let row = &mut self.pods[pod];
        if !row.gone && row.deleting.is_none() {
            row.last_fact = cx.facts.record(cx.now, cause, FactKind::PodNominated { pod, node });
        }
    }

    /// The store has the mark of a victim: its deletion follows.
    pub(super) fn pod_preempted(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let row = &self.pods[pod];
        if row.gone || row.deleting.is_some() {
            return self.victim_ends(cx, pod);
        }
        let fact = cx.facts.record(cx.now, cause, FactKind::PodDisrupted { pod, why: Deletion::Preempted });
        self.scheduling.scheduler.set_preempted(pod);
        if row.delete_sent {
            return; // Somebody else's deletion is on its way, and ends the wait as well.
        }
        self.delete_pod(cx, (Client::Scheduler, fact), (pod, Deletion::Preempted, None));
    }

    /// A pod's deletion has begun: whoever waited for it may be tried again once its place is free.
    pub(super) fn victim_ends(&mut self, cx: &mut Cx<'_>, victim: PodId) {
        let Some(waiting) = self.scheduling.preempting.of_victim.remove(&victim) else { return };
        for pod in waiting {
            let Some((victims, _)) = self.scheduling.preempting.by_pod.get_mut(&pod) else { continue };
            victims.remove(&victim);
            if victims.is_empty() {
                let (_, refused_by) =
                    self.scheduling.preempting.by_pod.remove(&pod).expect("it was found a line above");
                self.scheduling.queue.refused(pod, refused_by, cx.now);
                self.wake_scheduler(cx);
            }
        }
    }

    /// A pod does not wait any more: it is placed or gone.
    pub(super) fn preempts_no_more(&mut self, pod: PodId) {
        if let Some((victims, _)) = self.scheduling.preempting.by_pod.remove(&pod) {
            for victim in victims {
                let waiting = self.scheduling.preempting.of_victim.get_mut(&victim);
                let waiting = waiting.expect("each victim lists who waits for it");
                waiting.remove(&pod);
                if waiting.is_empty() {
                    self.scheduling.preempting.of_victim.remove(&victim);
                }
            }
        }
    }
}
