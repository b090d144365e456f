//! Claims exist, get a volume, and go: the controller of persistent volumes, and the provisioners beside it.
//!
//! Claims that wait for a pod are not bound here but by the scheduler's promise (`promise`). Source:
//! kubernetes/kubernetes:pkg/controller/volume/persistentvolume/pv_controller.go. Start at [`Control::sync_claim`].

use crate::control::volumes::{StorageAlarm, StorageWrite};
use crate::control::{Control, Cx, Write};
use crate::fact::{Client, FactId, FactKind, Note};
use crate::ids::{ClaimId, NodeId, VolumeId};
use crate::labels::{Op, Requirement, Selector};
use crate::model::{BindingMode, NodeTerm, Reclaim, VolumeSpec};

impl Control {
    /// The store has a claim, unless it had it already.
    pub(in crate::control) fn claim_created(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        if std::mem::replace(&mut self.book_mut().claims[claim].exists, true) {
            return;
        }
        self.plan_claim(cx, cause, claim);
        self.storage_changed(cx);
    }

    fn plan_claim(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        self.storage_alarm_at(cx, self.profile.control.watch_lag, cause, StorageAlarm::SyncClaim(claim));
    }

    /// Looks for a claim's volume. Source: `syncUnboundClaim`.
    pub(super) fn sync_claim(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        let catalog = std::sync::Arc::clone(&self.catalog);
        let book = self.book();
        let row = &book.claims[claim];
        if !row.exists || row.deleting || row.volume.is_some() || self.storage.making.contains(&claim) {
            return;
        }
        if let Some(name) = row.spec.volume {
            // A claim that names its volume gets that one or none.
            let taken = |v: &VolumeId| book.volumes[*v].claim.is_some_and(|other| other != claim);
            let reserved = |v: &VolumeId| book.volumes[*v].spec.reserved.is_some_and(|other| other != claim);
            match book.volume_named(name).filter(|v| !taken(v) && !reserved(v) && !book.volumes[*v].released) {
                Some(volume) => self.write_binding(cx, cause, claim, volume),
                None => self.tell_of_claim(cx, cause, claim, Note::ProvisioningFailed),
            }
            return;
        }
        if book.waits_for_pod(claim, &catalog) {
            let kept = book.kept_for(claim);
            return match (book.promised(claim).or(kept), row.selected) {
                (Some(volume), _) => self.write_binding(cx, cause, claim, volume),
                (None, Some(_)) => self.make_volume(cx, cause, claim),
                (None, None) => self.tell_of_claim(cx, cause, claim, Note::WaitForFirstConsumer),
            };
        }
        let dynamic = row.spec.class.is_some_and(|class| catalog.storage_classes[class].dynamic);
        match book.match_anywhere(claim, &catalog) {
            Some(volume) => self.write_binding(cx, cause, claim, volume),
            None if dynamic && row.spec.selector.is_none() => self.make_volume(cx, cause, claim),
            None => self.tell_of_claim(cx, cause, claim, Note::ProvisioningFailed),
        }
    }

    fn write_binding(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId, volume: VolumeId) {
        self.book_mut().take(volume, claim);
        self.storage.making.insert(claim);
        // The volume and the claim are each written twice, first their specs and then their statuses. Source: `bind`.
        for _ in 0..3 {
            self.store.spend(cx.now, Client::Volumes);
        }
        self.write(cx, Client::Volumes, cause, Write::Storage(StorageWrite::Bind(claim, volume)));
    }

    /// The store has a claim with its volume.
    pub(super) fn claim_bound(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId, volume: VolumeId) {
        self.storage.making.remove(&claim);
        if !self.book().claims[claim].exists {
            return self.book_mut().give_back(volume); // Deleted while the binding was on its way.
        }
        self.book_mut().bind(claim, volume);
        let fact = cx.facts.record(cx.now, cause, FactKind::ClaimBound { claim, volume });
        self.storage_changed(cx);
        self.mounts_of_claim(cx, fact, claim);
    }

    /// A provisioner begins to make a volume.
    fn make_volume(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        self.storage.making.insert(claim);
        self.storage_alarm_at(cx, self.profile.storage.provision, cause, StorageAlarm::Provisioned(claim));
    }

    /// The driver has made it: the provisioner writes it down.
    pub(super) fn provisioned(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        self.write(cx, Client::Volumes, cause, Write::Storage(StorageWrite::Made(claim)));
    }

    /// The store has a volume that was made for a claim; the claim gets it.
    pub(super) fn volume_made(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        self.storage.making.remove(&claim);
        let row = &self.book().claims[claim];
        let Some(class) = row.spec.class.filter(|_| row.exists) else { return };
        let (selected, spec) = (row.selected, row.spec.clone());
        let class = &self.catalog.storage_classes[class];
        let volume = VolumeSpec {
            name: spec.name,
            capacity: spec.request,
            access: spec.access,
            class: Some(class.name),
            labels: crate::labels::Labels::default(),
            affinity: self.reach_of(claim, selected),
            driver: Some(class.provisioner),
            reserved: Some(claim),
            reclaim: class.reclaim,
        };
        let volume = self.book_mut().add_volume(volume);
        self.write_binding(cx, cause, claim, volume);
    }

    /// Which nodes reach a volume that is made for a claim: those that share with the chosen node what the class tells
    /// places apart by. Without a chosen node, one of the class's places, in turn.
    fn reach_of(&self, claim: ClaimId, selected: Option<NodeId>) -> Vec<NodeTerm> {
        let Some(class) = self.book().claims[claim].spec.class else { return Vec::new() };
        let class = &self.catalog.storage_classes[class];
        let places = &class.allowed_topologies;
        let Some(node) = selected.filter(|_| class.binding == BindingMode::WaitForFirstConsumer) else {
            let turn = claim.0 as usize % places.len().max(1);
            return places.get(turn).cloned().into_iter().collect();
        };
        let labels = &self.catalog.nodes[node].labels;
        let mut keys: Vec<_> = places.iter().flat_map(|term| term.labels.all.iter().map(|r| r.key)).collect();
        if keys.is_empty() && self.profile.storage.zonal {
            keys.push(self.catalog.known.zone);
        }
        keys.sort_unstable();
        keys.dedup();
        let same = |key| Some(Requirement { key, op: Op::In(vec![labels.get(key)?]) });
        let all: Vec<Requirement> = keys.into_iter().filter_map(same).collect();
        if all.is_empty() { Vec::new() } else { vec![NodeTerm { labels: Selector { all }, ..NodeTerm::default() }] }
    }

    /// Somebody deletes a claim. It stays until no pod uses it.
    /// Source: kubernetes/kubernetes:pkg/controller/volume/pvcprotection/pvc_protection_controller.go.
    pub(in crate::control) fn delete_claim(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        let row = &mut self.book_mut().claims[claim];
        if row.exists && !std::mem::replace(&mut row.deleting, true) {
            self.claim_left(cx, cause, claim);
        }
    }

    /// A pod does not use a claim any more.
    pub(super) fn claim_left(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        let unused = self.scheduling.scheduler.volumes.users(claim) == 0;
        if self.book().claims[claim].deleting && unused {
            self.write(cx, Client::Volumes, cause, Write::Storage(StorageWrite::Delete(claim)));
        }
    }

    /// The store has a claim's end: its volume is kept or deleted. Source: `syncVolume`, `reclaimVolume`.
    pub(super) fn claim_gone(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId) {
        if !self.book().claims[claim].deleting {
            return;
        }
        self.storage.told.retain(|(told, _)| *told != claim);
        if let Some(volume) = self.book_mut().forget_claim(claim)
            && self.book().volumes[volume].spec.reclaim == Reclaim::Delete
        {
            self.volume_unneeded(cx, cause, volume);
        }
        self.storage_changed(cx);
    }

    /// A volume is deleted once it is attached nowhere.
    pub(super) fn volume_unneeded(&mut self, cx: &mut Cx<'_>, _cause: FactId, volume: VolumeId) {
        let row = &self.book().volumes[volume];
        let doomed = row.released && row.spec.reclaim == Reclaim::Delete;
        if doomed && row.exists && !self.storage.attachments.is_attached(volume) {
            self.store.spend(cx.now, Client::Volumes);
            self.book_mut().volumes[volume].exists = false;
        }
    }
}
