//! Disruption budgets: how many pods of a set may be away at once because somebody wants it so.
//!
//! The controller's counts are kept by each change of a pod; what evictions are judged by is the *status*, which is
//! written to the store like everything else and lags behind. Deaths, taints, rollouts and plain deletions ask no budget.
//! `evict` is the eviction API, `drain` the tool that uses it. Start at [`Control::sync_budget`].
//!
//! Source: kubernetes/kubernetes:pkg/controller/disruption/disruption.go.

mod audit;
mod drain;
mod evict;

use std::collections::{BTreeMap, BTreeSet};

use crate::control::tables::{PodRow, Tally};
use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, FactId, FactKind};
use crate::ids::{BudgetId, PodId, Table, TemplateId, WorkloadId};
use crate::model::{Amount, BudgetBound, Catalog, WorkloadKind};
use crate::time::{Span, Time};

pub(crate) use drain::Drains;

/// An evicted pod that is not seen to be deleted within this time counts again.
/// Source: kubernetes/kubernetes:pkg/controller/disruption/disruption.go, `DeletionTimeout`.
const DELETION_TIMEOUT: Span = Span::from_secs(120);

/// What evictions are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) expected: u32,
    pub(super) healthy: u32,
    pub(super) desired: u32,
    pub(super) allowed: u32,
}

/// A budget and what its controller knows.
#[derive(Clone, Debug, Default)]
pub(super) struct BudgetRow {
    /// Pods that it selects and that are not gone.
    pods: u32,
    /// Of these: ready and not being deleted.
    ready: u32,
    /// Controllers of its pods, with the number of pods of each.
    owners: BTreeMap<WorkloadId, u32>,
    /// What the store has.
    status: Status,
    /// Evicted pods whose deletion the controller has not seen, and since when: part of the status.
    disrupted: BTreeMap<PodId, Time>,
    /// The controller has written a status: before that nothing may be evicted.
    observed: bool,
    /// Counts the status's changes: a change that was based on an older one is refused.
    version: u32,
    /// A look is planned.
    planned: bool,
    /// A status is on its way to the store, with the version that it is based on and the pods that it forgets.
    writing: Option<(u32, Status, Vec<PodId>)>,
    /// Writes in a row that were refused because the status had changed.
    conflicts: u32,
    /// When the evicted pods are looked at again.
    recheck: Option<Time>,
    /// Evictions that were refused, and when: they are tried again when that can help.
    refused: BTreeMap<PodId, Time>,
}

/// All budgets.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    rows: Table<BudgetId, BudgetRow>,
    /// Budgets that select pods of a template, in order.
    of: Table<TemplateId, Vec<BudgetId>>,
    /// Budgets whose pods have changed in this step.
    touched: BTreeSet<BudgetId>,
}

impl Budgets {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let selecting = |template: &crate::model::PodTemplate| {
            let selects = |id: &BudgetId| {
                let spec = &catalog.budgets[*id];
                let matches = spec.selector.as_ref().is_some_and(|s| s.matches(&template.labels, &catalog.names));
                matches && spec.namespace == template.namespace
            };
            catalog.budgets.ids().filter(selects).collect()
        };
        Self {
            rows: catalog.budgets.iter().map(|_| BudgetRow::default()).collect(),
            of: catalog.templates.iter().map(|(_, t)| selecting(t)).collect(),
            touched: BTreeSet::new(),
        }
    }

    /// A pod of a template came to be.
    pub(super) fn pod_added(&mut self, row: &PodRow) {
        for &budget in &self.of[row.template] {
            let counts = &mut self.rows[budget];
            counts.pods += 1;
            *counts.owners.entry(row.workload).or_default() += 1;
            self.touched.insert(budget);
        }
    }

    /// A pod changed.
    pub(super) fn pod_changed(&mut self, change: &PodChange<'_>) {
        let row = change.row;
        for &budget in &self.of[row.template] {
            let counts = &mut self.rows[budget];
            counts.ready = counts.ready + change.after.ready - change.before.ready;
            if change.vanished {
                counts.pods -= 1;
                forget_owner(&mut counts.owners, row.workload);
            }
            self.touched.insert(budget);
        }
    }

    /// Budgets that select pods of a template.
    pub(super) fn selecting(&self, template: TemplateId) -> &[BudgetId] {
        &self.of[template]
    }

    /// Voluntary disruptions that a budget allows now, as the store has it.
    pub(super) fn allows(&self, budget: BudgetId) -> u32 {
        self.rows[budget].status.allowed
    }

    /// Whether a budget has a pod among those that are evicted already, so that its deletion costs it nothing more.
    pub(super) fn disrupts(&self, budget: BudgetId, pod: PodId) -> bool {
        self.rows[budget].disrupted.contains_key(&pod)
    }

    /// Whether somebody has to look.
    pub(super) fn touched(&self) -> bool {
        !self.touched.is_empty()
    }
}

/// A change of a pod, as those see it who count pods.
#[derive(Debug)]
pub(super) struct PodChange<'a> {
    pub(super) pod: PodId,
    /// What it is now.
    pub(super) row: &'a PodRow,
    pub(super) before: Tally,
    pub(super) after: Tally,
    /// The object is gone with this change.
    pub(super) vanished: bool,
}

fn forget_owner(owners: &mut BTreeMap<WorkloadId, u32>, workload: WorkloadId) {
    if let Some(pods) = owners.get_mut(&workload) {
        *pods -= 1;
        if *pods == 0 {
            owners.remove(&workload);
        }
    }
}

/// What a budget's bound means for so many pods, whose controllers want `scale` of them together; `None` for a scale
/// that cannot be found out.
/// Source: kubernetes/kubernetes:pkg/controller/disruption/disruption.go, `getExpectedPodCount`.
fn expected_and_desired(bound: BudgetBound, pods: u32, scale: Option<u32>) -> Option<(u32, u32)> {
    match bound {
        BudgetBound::MinAvailable(Amount::Count(n)) => Some((pods, n)),
        BudgetBound::MinAvailable(share) => scale.map(|scale| (scale, share.of_rounded_up(scale))),
        BudgetBound::MaxUnavailable(away) => {
            scale.map(|scale| (scale, scale.saturating_sub(away.of_rounded_up(scale))))
        }
    }
}

/// Disruptions that these counts allow.
fn allowed(expected: u32, healthy: u32, desired: u32) -> u32 {
    if expected == 0 { 0 } else { healthy.saturating_sub(desired) }
}

impl Control {
    /// The controller learns of every budget.
    pub(super) fn begin_budgets(&mut self) {
        self.budgets.touched.extend(self.catalog.budgets.ids());
    }

    /// Plans a look at each budget whose pods changed.
    pub(super) fn plan_budgets(&mut self, cx: &mut Cx<'_>) {
        for budget in std::mem::take(&mut self.budgets.touched) {
            self.plan_budget(cx, budget, self.profile.control.watch_lag);
        }
    }

    fn plan_budget(&mut self, cx: &mut Cx<'_>, budget: BudgetId, after: Span) {
        let row = &mut self.budgets.rows[budget];
        if !row.planned {
            row.planned = true;
            cx.timers.set(cx.now + after, FactId::NONE, Alarm::SyncBudget(budget));
        }
    }

    /// Sum of what the controllers of a budget's pods want; `None` when one of them has no scale. A pod without a
    /// controller counts for nothing.
    fn budget_scale(&self, budget: BudgetId) -> Option<u32> {
        let owners = self.budgets.rows[budget].owners.keys();
        let scales = owners.map(|&owner| match self.catalog.workloads[owner].kind {
            WorkloadKind::Deployment | WorkloadKind::ReplicaSet | WorkloadKind::StatefulSet => {
                Some(self.workloads[owner].desired)
            }
            WorkloadKind::Pod => Some(0),
            WorkloadKind::DaemonSet | WorkloadKind::Job | WorkloadKind::CronJob => None,
        });
        scales.sum()
    }

    /// The status that a budget's pods call for.
    fn budget_status(&self, budget: BudgetId, now: Time) -> Status {
        let row = &self.budgets.rows[budget];
        let counted =
            |(pod, since): (&PodId, &Time)| *since + DELETION_TIMEOUT > now && self.pods[*pod].tally().ready == 1;
        let leaving = row.disrupted.iter().filter(|entry| counted(*entry)).count() as u32;
        let healthy = row.ready - leaving;
        match expected_and_desired(self.catalog.budgets[budget].bound, row.pods, self.budget_scale(budget)) {
            Some((expected, desired)) => {
                Status { expected, healthy, desired, allowed: allowed(expected, healthy, desired) }
            }
            // What cannot be counted is closed. Source: the same file, `failSafe`.
            None => Status { allowed: 0, ..row.status },
        }
    }

    /// The controller looks at a budget, and writes its status if that changed.
    pub(super) fn sync_budget(&mut self, cx: &mut Cx<'_>, budget: BudgetId) {
        let status = self.budget_status(budget, cx.now);
        let row = &self.budgets.rows[budget];
        let settled = |(pod, since): &(&PodId, &Time)| {
            let pod = &self.pods[**pod];
            pod.gone || pod.deleting.is_some() || **since + DELETION_TIMEOUT < cx.now
        };
        let forget: Vec<PodId> = row.disrupted.iter().filter(settled).map(|(pod, _)| *pod).collect();
        let first = row.disrupted.iter().filter(|e| !settled(e)).map(|(_, since)| *since).min();
        let row = &mut self.budgets.rows[budget];
        row.planned = false;
        if row.writing.is_some() {
            return; // It looks again when the store has answered.
        }
        if let Some(at) = first.map(|since| since + DELETION_TIMEOUT + Span::from_nanos(1))
            && row.recheck != Some(at)
        {
            row.recheck = Some(at);
            cx.timers.set(at, FactId::NONE, Alarm::SyncBudget(budget));
        }
        if row.observed && status == row.status && forget.is_empty() {
            return;
        }
        row.writing = Some((row.version, status, forget));
        self.write(cx, Client::Disruption, FactId::NONE, Write::BudgetStatus { budget });
    }

    /// The store has the controller's status, unless an eviction was faster.
    pub(super) fn budget_written(&mut self, cx: &mut Cx<'_>, budget: BudgetId) {
        let row = &mut self.budgets.rows[budget];
        let Some((version, status, forget)) = row.writing.take() else {
            return;
        };
        if version != row.version {
            row.conflicts += 1;
            let wait = self.profile.control.machine.requeue.wait(self.budgets.rows[budget].conflicts);
            return self.plan_budget(cx, budget, wait);
        }
        row.conflicts = 0;
        row.observed = true;
        row.disrupted.retain(|pod, _| !forget.contains(pod));
        self.set_budget(cx, FactId::NONE, budget, status);
    }

    /// The store has a new status: those who watch look at it, and refused evictions may pass now.
    fn set_budget(&mut self, cx: &mut Cx<'_>, cause: FactId, budget: BudgetId, status: Status) {
        let row = &mut self.budgets.rows[budget];
        row.version += 1;
        let before = std::mem::replace(&mut row.status, status);
        let told = |s: Status| (s.allowed, s.healthy, s.desired);
        if told(before) != told(status) || row.version == 1 {
            let Status { allowed, healthy, desired, .. } = status;
            cx.facts.record(cx.now, cause, FactKind::BudgetChanged { budget, allowed, healthy, desired });
        }
        self.plan_budget(cx, budget, self.profile.control.watch_lag);
        self.retry_refused(cx, budget);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_up_on_both_sides() {
        let min = |p| expected_and_desired(BudgetBound::MinAvailable(Amount::Percent(p)), 9, Some(10));
        assert_eq!(min(80), Some((10, 8)));
        assert_eq!(min(81), Some((10, 9)), "min available rounds up: more must stay");
        let max = |p| expected_and_desired(BudgetBound::MaxUnavailable(Amount::Percent(p)), 9, Some(10));
        assert_eq!(max(25), Some((10, 7)), "max unavailable rounds up: more may go");
        assert_eq!(max(200), Some((10, 0)));
    }

    #[test]
    fn a_number_counts_the_pods_that_exist_and_needs_no_scale() {
        let min = expected_and_desired(BudgetBound::MinAvailable(Amount::Count(3)), 9, None);
        assert_eq!(min, Some((9, 3)));
        assert_eq!(expected_and_desired(BudgetBound::MaxUnavailable(Amount::Count(1)), 9, None), None);
    }

    #[test]
    fn nothing_is_allowed_where_no_pod_is_expected() {
        assert_eq!(allowed(0, 5, 0), 0);
        assert_eq!(allowed(5, 3, 4), 0);
        assert_eq!(allowed(5, 5, 4), 1);
    }
}
