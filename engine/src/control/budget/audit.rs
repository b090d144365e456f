//! Whether the budgets' counts agree with the pods, taken again the slow and obvious way.

use std::collections::BTreeMap;

use crate::control::Control;
use crate::ids::{BudgetId, WorkloadId};

impl Control {
    /// Everything in which the budgets contradict the pods.
    pub(in crate::control) fn audit_budgets(&self) -> Vec<String> {
        self.catalog.budgets.ids().filter_map(|budget| self.audit_budget(budget)).collect()
    }

    fn audit_budget(&self, budget: BudgetId) -> Option<String> {
        let (mut pods, mut ready) = (0, 0);
        let mut owners: BTreeMap<WorkloadId, u32> = BTreeMap::new();
        for (_, pod) in self.pods.iter().filter(|(_, pod)| !pod.gone && self.budgets.of[pod.template].contains(&budget))
        {
            pods += 1;
            ready += pod.tally().ready;
            *owners.entry(pod.workload).or_default() += 1;
        }
        let row = &self.budgets.rows[budget];
        let agrees = (row.pods, row.ready, &row.owners) == (pods, ready, &owners);
        (!agrees)
            .then(|| format!("{budget:?} is {row:?}, and selects {pods} pods of {owners:?}, {ready} of them ready"))
    }
}
