//! Whether the tables of storage agree: every relation is looked at from its other end. Start at
//! [`Control::audit_storage`].

use std::collections::BTreeMap;

use crate::control::Control;
use crate::ids::{ClaimId, VolumeId};

impl Control {
    /// Contradictions between claims, volumes, attachments and pods, in words.
    pub(in crate::control) fn audit_storage(&self) -> Vec<String> {
        self.audit_claims().into_iter().chain(self.audit_attachments()).chain(self.audit_waits()).collect()
    }

    fn audit_claims(&self) -> Vec<String> {
        let book = self.book();
        let mut wrong = Vec::new();
        let mut users: BTreeMap<ClaimId, u32> = BTreeMap::new();
        for pod in self.pods.ids() {
            let needs = self.scheduling.scheduler.volumes.needs(pod);
            if self.pods[pod].gone && needs.is_some() {
                wrong.push(format!("{pod:?} is gone and still needs volumes"));
            }
            if self.scheduling.scheduler.place_of(pod).is_some() {
                let claims = needs.into_iter().flat_map(|needs| needs.claims.iter().filter_map(|used| used.claim));
                claims.for_each(|claim| *users.entry(claim).or_default() += 1);
            }
        }
        for (claim, row) in book.claims.iter() {
            let counted = self.scheduling.scheduler.volumes.users(claim);
            let placed = users.get(&claim).copied().unwrap_or(0);
            if counted != placed {
                wrong.push(format!("{claim:?} counts {counted} users, and {placed} pods in place use it"));
            }
            if row.volume.is_some_and(|volume| book.volumes[volume].claim != Some(claim)) {
                wrong.push(format!("{claim:?} is bound to {:?}, which belongs to another", row.volume));
            }
        }
        wrong
    }

    fn audit_attachments(&self) -> Vec<String> {
        let ids = self.book().volumes.ids();
        let twice = |volume: &VolumeId| self.storage.attachments.count(*volume) > 1 && !self.is_shared(*volume);
        ids.filter(twice).map(|volume| format!("{volume:?} is attached to several nodes")).collect()
    }

    fn audit_waits(&self) -> Vec<String> {
        let storage = &self.storage;
        let waiting = storage.waiting.iter().map(|(pod, wait)| (*pod, Some(wait.node)));
        let promised = storage.promised.keys().map(|pod| (*pod, None));
        let lost = waiting.chain(promised).filter(|(pod, node)| {
            let row = &self.pods[*pod];
            row.gone || row.node != *node
        });
        lost.map(|(pod, node)| format!("{pod:?} waits for volumes on {node:?}, and is not there")).collect()
    }
}
