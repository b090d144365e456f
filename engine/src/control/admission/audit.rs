//! Whether what quotas have given out is what their pods take, added up again the slow and obvious way.

use crate::control::Control;
use crate::ids::QuotaId;

impl Control {
    /// Everything in which the quotas contradict the pods.
    pub(in crate::control) fn audit_quotas(&self) -> Vec<String> {
        self.catalog.quotas.ids().filter_map(|quota| self.audit_quota(quota)).collect()
    }

    fn audit_quota(&self, quota: QuotaId) -> Option<String> {
        let quotas = &self.admission.quotas;
        let row = &quotas.rows[quota];
        let mut used = vec![0; row.used.len()];
        for &pod in &row.counted {
            let demands = &quotas.of[self.pods[pod].template];
            let demand = demands.iter().find(|(id, _)| *id == quota).and_then(|(_, demand)| demand.as_ref())?;
            used.iter_mut().zip(demand).for_each(|(sum, amount)| *sum += amount);
        }
        let missed = self.pods.iter().find(|(id, pod)| {
            let concerned = quotas.of[pod.template].iter().any(|(of, _)| *of == quota);
            concerned && !pod.gone && pod.deleting.is_none() && !row.counted.contains(id)
        });
        if let Some((pod, _)) = missed {
            return Some(format!("{quota:?} does not count {pod:?}"));
        }
        (used != row.used).then(|| format!("{quota:?} has given out {:?}, and its pods take {used:?}", row.used))
    }
}
