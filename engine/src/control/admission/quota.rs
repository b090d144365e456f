//! Quotas: sums over a namespace's pods that no creation may exceed.
//!
//! A creation is charged in the moment it is admitted. What ends is given back later, when the quota's controller has
//! counted; a pod that should have ended long ago is left out when everything is counted anew. Objects other than pods are
//! not counted. Start at [`Control::over_quota`].
//!
//! Source: kubernetes/kubernetes:pkg/quota/v1/evaluator/core/pods.go and pkg/controller/resourcequota.

use std::collections::BTreeSet;

use crate::control::budget::PodChange;
use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, FactId, Refused};
use crate::ids::{PodId, QuotaId, Symbol, Table, TemplateId};
use crate::model::{Catalog, Container, PodTemplate, Qos, QuotaAmounts, QuotaScope, QuotaSpec};
use crate::time::Span;

/// One thing that a quota bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Pods,
    RequestedCpu,
    RequestedMemory,
    RequestedDisk,
    RequestedExtended(Symbol),
    LimitedCpu,
    LimitedMemory,
}

/// A quota and what it has given out.
#[derive(Clone, Debug)]
pub(super) struct QuotaRow {
    bounds: Vec<(Measure, i64)>,
    pub(super) used: Vec<i64>,
    /// Pods that are charged.
    pub(super) counted: BTreeSet<PodId>,
    /// Pods that are not to be counted any more.
    leaving: Vec<(PodId, TemplateId)>,
    /// A new count is planned or on its way.
    counting: bool,
}

/// What a quota takes for each pod of a template; `None` when the template does not say something that it must.
type Demand = Option<Vec<i64>>;

/// All quotas.
#[derive(Clone, Debug)]
pub(super) struct Quotas {
    pub(super) rows: Table<QuotaId, QuotaRow>,
    /// Quotas that count pods of a template.
    pub(super) of: Table<TemplateId, Vec<(QuotaId, Demand)>>,
    /// Pods that are gone, or whose deletion began with this grace, since somebody looked.
    ended: Vec<(PodId, TemplateId, Option<Span>)>,
}

impl Quotas {
    pub(super) fn new(catalog: &Catalog, enforced: bool) -> Self {
        let rows: Table<QuotaId, QuotaRow> = catalog.quotas.iter().map(|(_, spec)| QuotaRow::new(spec)).collect();
        let counting = |template: &PodTemplate| {
            let counts = catalog.quotas.iter().filter(|(_, spec)| enforced && in_scope(spec, template));
            counts.map(|(id, _)| (id, rows[id].demand(template))).collect()
        };
        let of = catalog.templates.iter().map(|(_, template)| counting(template)).collect();
        Self { rows, of, ended: Vec::new() }
    }

    pub(super) fn concern(&self, template: TemplateId) -> bool {
        !self.of[template].is_empty()
    }

    pub(super) fn touched(&self) -> bool {
        !self.ended.is_empty()
    }

    /// A pod of a template is created.
    pub(super) fn charge(&mut self, template: TemplateId, pod: PodId) {
        for (quota, demand) in &self.of[template] {
            let row = &mut self.rows[*quota];
            row.counted.insert(pod);
            add(&mut row.used, demand.as_deref().unwrap_or_default(), 1);
        }
    }

    pub(super) fn pod_changed(&mut self, change: &PodChange<'_>) {
        if change.vanished {
            self.ended.push((change.pod, change.row.template, None));
        } else if change.after.terminating > change.before.terminating {
            self.ended.push((change.pod, change.row.template, change.row.deleting));
        }
    }

    /// Takes the pods that ended out of a quota's count; true when that made room.
    fn release(&mut self, quota: QuotaId) -> bool {
        let row = &mut self.rows[quota];
        let mut freed = false;
        for (pod, template) in std::mem::take(&mut row.leaving) {
            if row.counted.remove(&pod) {
                let demand = self.of[template].iter().find(|(id, _)| *id == quota);
                add(&mut row.used, demand.and_then(|(_, d)| d.as_deref()).unwrap_or_default(), -1);
                freed = true;
            }
        }
        freed
    }
}

impl QuotaRow {
    fn new(spec: &QuotaSpec) -> Self {
        let mut bounds: Vec<(Measure, i64)> = spec.pods.iter().map(|&n| (Measure::Pods, i64::from(n))).collect();
        let QuotaAmounts { cpu, memory, ephemeral, extended } = &spec.requests;
        bounds.extend(cpu.map(|n| (Measure::RequestedCpu, n)));
        bounds.extend(memory.map(|n| (Measure::RequestedMemory, n)));
        bounds.extend(ephemeral.map(|n| (Measure::RequestedDisk, n)));
        bounds.extend(extended.iter().map(|&(name, n)| (Measure::RequestedExtended(name), n)));
        bounds.extend(spec.limits.cpu.map(|n| (Measure::LimitedCpu, n)));
        bounds.extend(spec.limits.memory.map(|n| (Measure::LimitedMemory, n)));
        let used = vec![0; bounds.len()];
        Self { bounds, used, counted: BTreeSet::new(), leaving: Vec::new(), counting: false }
    }

    /// What a pod of a template takes. CPU and memory must be stated by each container if they are bounded.
    /// Source: kubernetes/kubernetes:pkg/quota/v1/evaluator/core/pods.go, `Constraints`.
    pub(super) fn demand(&self, template: &PodTemplate) -> Demand {
        self.bounds.iter().map(|(measure, _)| measure.of(template)).collect()
    }

    fn has_room(&self, demand: &[i64]) -> bool {
        let mut all = self.bounds.iter().zip(&self.used).zip(demand);
        // What a pod does not take may be used up: it does not matter to it.
        all.all(|(((_, bound), used), wanted)| *wanted == 0 || used.saturating_add(*wanted) <= *bound)
    }
}

impl Measure {
    fn of(self, template: &PodTemplate) -> Option<i64> {
        let requests = &template.requests;
        let stated = |amount: fn(&Container) -> i64| template.containers.iter().all(|c| amount(c) > 0);
        match self {
            Self::Pods => Some(1),
            Self::RequestedCpu => stated(|c| c.requests.cpu.0).then_some(requests.cpu.0),
            Self::RequestedMemory => stated(|c| c.requests.memory.0).then_some(requests.memory.0),
            Self::RequestedDisk => Some(requests.ephemeral.0),
            Self::RequestedExtended(name) => Some(requests.extended(name)),
            Self::LimitedCpu => template.containers.iter().map(|c| c.cpu_limit.map(|l| l.0)).sum(),
            Self::LimitedMemory => template.containers.iter().map(|c| c.memory_limit.map(|l| l.0)).sum(),
        }
    }
}

fn add(sums: &mut [i64], amounts: &[i64], times: i64) {
    for (sum, amount) in sums.iter_mut().zip(amounts) {
        *sum = sum.saturating_add(amount.saturating_mul(times));
    }
}

/// Whether a quota counts pods of a template.
fn in_scope(spec: &QuotaSpec, template: &PodTemplate) -> bool {
    let within = |scope: &QuotaScope| match scope {
        QuotaScope::BestEffort => template.qos() == Qos::BestEffort,
        QuotaScope::NotBestEffort => template.qos() != Qos::BestEffort,
        QuotaScope::Terminating => template.active_deadline.is_some(),
        QuotaScope::NotTerminating => template.active_deadline.is_none(),
        QuotaScope::PriorityClass(classes) => {
            template.priority_class.is_some_and(|class| classes.is_empty() || classes.contains(&class))
        }
    };
    spec.namespace == template.namespace && spec.scopes.iter().all(within)
}

impl Control {
    /// Why the quotas of its namespace refuse a pod of a template, if they do.
    pub(super) fn over_quota(&self, template: TemplateId) -> Option<Refused> {
        let quotas = &self.admission.quotas;
        let fits = |(quota, demand): &&(QuotaId, Demand)| {
            demand.as_ref().is_some_and(|demand| quotas.rows[*quota].has_room(demand))
        };
        let refusing = quotas.of[template].iter().find(|entry| !fits(entry));
        refusing.map(|(quota, _)| Refused::Quota { quota: *quota })
    }

    /// Pods have ended, or will: their quotas are counted again.
    pub(in crate::control) fn plan_quotas(&mut self, cx: &mut Cx<'_>) {
        for (pod, template, grace) in std::mem::take(&mut self.admission.quotas.ended) {
            let Some(grace) = grace else {
                self.leave_quotas(cx, pod, template);
                continue;
            };
            // One that is still there a grace period after its deletion was due is not counted any more, which is seen
            // when everything is counted anew. Source: pkg/quota/v1/evaluator/core/pods.go, `QuotaV1Pod`.
            let overdue = cx.now + grace.times(2);
            let at = overdue.next_tick(self.profile.control.machine.admission.quota_resync, self.monitor_phase);
            cx.timers.set(at, FactId::NONE, Alarm::Overdue(pod));
        }
    }

    fn leave_quotas(&mut self, cx: &mut Cx<'_>, pod: PodId, template: TemplateId) {
        let quotas = &mut self.admission.quotas;
        for (quota, _) in &quotas.of[template] {
            let row = &mut quotas.rows[*quota];
            row.leaving.push((pod, template));
            if !std::mem::replace(&mut row.counting, true) {
                let at = cx.now + self.profile.control.watch_lag;
                cx.timers.set(at, FactId::NONE, Alarm::CountQuota(*quota));
            }
        }
    }

    /// A pod should have ended long ago.
    pub(in crate::control) fn overdue(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        if !row.gone {
            let template = row.template;
            self.leave_quotas(cx, pod, template);
        }
    }

    /// A quota's controller has counted. It shares its request rate with the controller of budgets here.
    pub(in crate::control) fn count_quota(&mut self, cx: &mut Cx<'_>, quota: QuotaId) {
        self.write(cx, Client::Disruption, FactId::NONE, Write::QuotaStatus { quota });
    }

    /// The store has a quota's new count: creations that were refused may pass.
    pub(in crate::control) fn quota_counted(&mut self, cx: &mut Cx<'_>, quota: QuotaId) {
        self.admission.quotas.rows[quota].counting = false;
        if self.admission.quotas.release(quota) {
            self.retry_creations(cx, |why| why == Refused::Quota { quota });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Labels;
    use crate::model::{Bytes, MilliCpu, Resources};

    fn template(cpu: i64) -> PodTemplate {
        let requests = Resources::new(MilliCpu(cpu), Bytes(0));
        let container = Container::new(Symbol::default(), crate::ids::ImageId(0), requests);
        PodTemplate::new(Symbol::default(), Labels::new([]), vec![container])
    }

    fn quota(pods: Option<u32>, cpu: Option<i64>) -> QuotaSpec {
        QuotaSpec {
            name: Symbol::default(),
            namespace: Symbol::default(),
            pods,
            requests: QuotaAmounts { cpu, ..QuotaAmounts::default() },
            limits: QuotaAmounts::default(),
            scopes: Vec::new(),
        }
    }

    #[test]
    fn a_bounded_resource_must_be_stated() {
        let row = QuotaRow::new(&quota(None, Some(1_000)));
        assert_eq!(row.demand(&template(0)), None);
        assert_eq!(row.demand(&template(300)), Some(vec![300]));
        assert_eq!(QuotaRow::new(&quota(Some(2), None)).demand(&template(0)), Some(vec![1]));
    }

    #[test]
    fn the_bound_itself_is_room() {
        let mut row = QuotaRow::new(&quota(Some(2), Some(1_000)));
        row.used = vec![1, 700];
        assert!(row.has_room(&[1, 300]));
        assert!(!row.has_room(&[1, 301]));
        row.used = vec![2, 0];
        assert!(!row.has_room(&[1, 0]));
    }

    #[test]
    fn scopes_select_pods() {
        let with = |scope| QuotaSpec { scopes: vec![scope], ..quota(Some(1), None) };
        assert!(in_scope(&with(QuotaScope::BestEffort), &template(0)));
        assert!(!in_scope(&with(QuotaScope::BestEffort), &template(1)));
        assert!(!in_scope(&with(QuotaScope::Terminating), &template(1)));
        assert!(!in_scope(&with(QuotaScope::PriorityClass(Vec::new())), &template(1)), "it has none");
    }
}
