//! The eviction API: a deletion that asks the pod's budget first.
//!
//! A pod that does not run is deleted at once; one that runs needs a disruption of its budget, which is taken by a write
//! that fails when somebody else has changed the budget in the meantime. Start at [`Control::evict`].
//!
//! Source: kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go.

use crate::control::budget::Status;
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{BudgetId, PodId};
use crate::model::UnhealthyEviction;
use crate::profile::machine::EvictionApi;
use crate::rng::Purpose;
use crate::time::Span;

/// The budget is asked so often when others keep changing it. Source: the same file, `EvictionsRetry`.
const STEPS: u32 = 20;
/// With more evictions than this that its controller has not noticed, a budget allows no other.
/// Source: the same file, `MaxDisruptedPodSize`.
const MAX_DISRUPTED: usize = 2_000;

/// What a budget says to an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The pod goes, and the budget has nothing to do with it.
    Free,
    /// The pod goes, if the budget can be charged.
    Charge(BudgetId),
    /// It is not allowed now.
    Refuse(BudgetId),
    /// Several budgets select it: nobody knows which to charge.
    Several,
}

impl Control {
    fn eviction_api(&self) -> EvictionApi {
        self.profile.control.machine.evictions.expect("only profiles with an eviction API drain by evictions")
    }

    /// Somebody asks once for the eviction of pods, and takes a refusal for an answer.
    pub(in crate::control) fn evict_once(&mut self, cx: &mut Cx<'_>, cause: FactId, pods: &[PodId]) {
        for &pod in pods.iter().filter(|pod| **pod < self.pods.next_id()).collect::<Vec<_>>() {
            if self.profile.control.machine.evictions.is_some() {
                self.evict(cx, cause, pod, 0);
            } else {
                self.delete_pod(cx, (Client::Operator, cause), (pod, Deletion::Drained, None));
            }
        }
    }

    /// Somebody asks for a pod's eviction. `attempt` counts conflicts on the way to the budget.
    pub(in crate::control) fn evict(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, attempt: u32) {
        let row = &self.pods[pod];
        if row.gone || row.deleting.is_some() || row.delete_sent {
            return self.eviction_granted(cx, pod);
        }
        match self.ask_budget(pod) {
            Answer::Free if pending(row.phase) => {
                self.delete_pod(cx, (Client::Operator, cause), (pod, Deletion::Drained, None));
                self.eviction_granted(cx, pod);
            }
            Answer::Free => {
                self.write(cx, Client::Operator, cause, Write::MarkDisrupted { pod });
            }
            Answer::Charge(budget) => {
                let version = self.budgets.rows[budget].version;
                let write = Write::ChargeBudget { budget, pod, version, attempt };
                self.write(cx, Client::Operator, cause, write);
            }
            Answer::Refuse(budget) => self.refuse_eviction(cx, cause, pod, budget),
            Answer::Several => {
                let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::SeveralBudgets };
                cx.facts.record(cx.now, cause, note);
                self.eviction_failed(cx, pod);
            }
        }
    }

    /// What the budgets of a pod say to its eviction now.
    pub(super) fn ask_budget(&self, pod: PodId) -> Answer {
        let row = &self.pods[pod];
        if pending(row.phase) {
            return Answer::Free;
        }
        let budget = match self.budgets.of[row.template].as_slice() {
            [] => return Answer::Free,
            &[budget] => budget,
            _ => return Answer::Several,
        };
        let known = &self.budgets.rows[budget];
        let always = self.catalog.budgets[budget].unhealthy == UnhealthyEviction::AlwaysAllow;
        if row.phase != PodPhase::Ready && (always || healthy_enough(known.status)) {
            return Answer::Free;
        }
        let room = known.observed && known.status.allowed > 0 && known.disrupted.len() <= MAX_DISRUPTED;
        if room { Answer::Charge(budget) } else { Answer::Refuse(budget) }
    }

    fn refuse_eviction(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, budget: BudgetId) {
        if self.is_drained(pod) {
            self.budgets.rows[budget].refused.insert(pod, cx.now);
        }
        cx.facts.record(cx.now, cause, FactKind::EvictionRefused { pod, budget });
    }

    /// The store takes a disruption from a budget, unless the budget has changed since it was read.
    pub(in crate::control) fn budget_charged(
        &mut self,
        cx: &mut Cx<'_>,
        cause: FactId,
        what: (BudgetId, PodId, u32, u32),
    ) {
        let (budget, pod, version, attempt) = what;
        let api = self.eviction_api();
        let row = &mut self.budgets.rows[budget];
        if row.version != version {
            if attempt + 1 >= STEPS {
                return self.refuse_eviction(cx, cause, pod, budget);
            }
            let entity = pod.0.wrapping_mul(STEPS).wrapping_add(attempt);
            let most = api.conflict_wait + Span::from_nanos(api.conflict_wait.as_nanos() / 10);
            let wait = self.streams.stream(Purpose::ControlPlane, entity).span(api.conflict_wait, most);
            return cx.timers.set(cx.now + wait, cause, Alarm::Evict { pod, attempt: attempt + 1 });
        }
        row.disrupted.insert(pod, cx.now);
        let status = Status { allowed: row.status.allowed - 1, ..row.status };
        self.set_budget(cx, cause, budget, status);
        self.write(cx, Client::Operator, cause, Write::MarkDisrupted { pod });
    }

    /// The store has the mark of a pod that is being evicted; its deletion is next.
    pub(in crate::control) fn pod_marked_disrupted(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        if self.pods[pod].gone {
            return;
        }
        let fact = cx.facts.record(cx.now, cause, FactKind::PodDisrupted { pod, why: Deletion::Drained });
        self.delete_pod(cx, (Client::Operator, fact), (pod, Deletion::Drained, None));
        self.eviction_granted(cx, pod);
    }

    /// Refused evictions that a budget would let pass now come again when their client tries next.
    pub(super) fn retry_refused(&mut self, cx: &mut Cx<'_>, budget: BudgetId) {
        if self.budgets.rows[budget].refused.is_empty() {
            return;
        }
        let period = self.eviction_api().retry;
        let passes = |pod: &PodId| !matches!(self.ask_budget(*pod), Answer::Refuse(_));
        let refused = self.budgets.rows[budget].refused.iter();
        let due: Vec<_> = refused.filter(|(pod, _)| passes(pod)).map(|(pod, at)| (*pod, *at)).collect();
        for (pod, at) in due {
            self.budgets.rows[budget].refused.remove(&pod);
            let tries = cx.now.since(at).as_nanos() / period.as_nanos() + 1;
            cx.timers.set(at + period.times(tries), self.drain_cause(pod), Alarm::Evict { pod, attempt: 0 });
        }
    }

    /// Nobody wants a pod evicted any more.
    pub(super) fn forget_refusal(&mut self, pod: PodId) {
        for i in 0..self.budgets.of[self.pods[pod].template].len() {
            let budget = self.budgets.of[self.pods[pod].template][i];
            self.budgets.rows[budget].refused.remove(&pod);
        }
    }
}

/// A pod that has not begun to run yet is not protected. Source: the same file, `canIgnorePDB`.
fn pending(phase: PodPhase) -> bool {
    matches!(phase, PodPhase::Queued | PodPhase::Unschedulable | PodPhase::Starting | PodPhase::Finished)
}

/// A running pod that is not ready may go when the others are enough without it.
fn healthy_enough(status: Status) -> bool {
    status.healthy >= status.desired && status.desired > 0
}
