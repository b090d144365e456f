//! Whether the book of offers agrees with the pods, counted again the slow way.

use std::collections::BTreeMap;

use super::constraints::Places;
use super::drf::Share;
use crate::control::Control;

impl Control {
    /// Everything in which shares, counts of constraints and waiting pods differ from what the pods say.
    pub(in crate::control) fn audit_offers(&self) -> Vec<String> {
        if self.offers.frameworks.is_empty() {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        let mut shares = vec![Share::default(); self.offers.frameworks.len()];
        let mut places = Places::default();
        for pod in self.pods.ids().filter(|&pod| !self.pods[pod].gone) {
            let row = &self.pods[pod];
            let framework = self.framework_of_pod(pod);
            if let Some(node) = row.assumed.or(row.node) {
                let requests = &self.catalog.templates[row.template].requests;
                shares[framework].cpu += requests.cpu.0;
                shares[framework].memory += requests.memory.0;
                if !row.absent {
                    self.count_in(&mut places, (pod, node), 1);
                }
            }
        }
        for (row, share) in self.offers.frameworks.iter().zip(shares) {
            if (row.share.cpu, row.share.memory) != (share.cpu, share.memory) {
                wrong.push(format!("a framework has {share:?}, and its book says {:?}", row.share));
            }
            let lost = row.waiting.values().flatten().filter(|pod| {
                let waiting = &self.pods[**pod];
                waiting.gone || waiting.assumed.is_some() || waiting.deleting.is_some()
            });
            wrong.extend(lost.map(|pod| format!("{pod:?} waits for offers, and does not need one")));
        }
        let listed: BTreeMap<_, _> = self.offers.places.listed().collect();
        let counted: BTreeMap<_, _> = places.listed().collect();
        if listed != counted {
            wrong.push(format!("constraints count {listed:?}, and the pods are {counted:?}"));
        }
        wrong
    }
}
