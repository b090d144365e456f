//! Storage in the control plane: claims get volumes, volumes get to nodes, and pods wait for both.
//!
//! - `claims`: claims exist, are bound and go; volumes are made and deleted (the controller of persistent volumes)
//! - `promise`: what a placement has promised is carried out before the pod is bound (the scheduler's `PreBind`)
//! - `attach`: which volume is attached where (the attach/detach controller)
//! - `audit`: whether the tables of storage agree
//! - `mount`: when an agent can start a pod whose volumes have to be attached first
//!
//! Which volume fits, and which node, is decided in [`crate::scheduler::volumes`]; claims and volumes themselves are in
//! its book, which stands for the store's and for the scheduler's picture at once. A cluster without volumes pays one
//! look-up for a pod. Start at [`Control::mount_needs`].

mod attach;
mod audit;
mod claims;
mod mount;
mod promise;

use std::collections::{BTreeMap, BTreeSet};

use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, FactId, FactKind, Note, Subject};
use crate::ids::{ClaimId, NodeId, PodId, Symbol, VolumeId};
use crate::model::{AccessMode, Catalog, ClaimSpec, Details, PodVolume};
use crate::rng::{Purpose, Streams};
use crate::scheduler::queue::Event;
use crate::scheduler::volumes::{ClaimUse, Needs};
use crate::scheduler::volumes_book::Book;
use crate::time::Span;

use attach::Attachments;
use mount::Wait;
use promise::Promised;

/// Changes of the store that concern storage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StorageWrite {
    /// A claim exists.
    Create(ClaimId),
    /// A claim and a volume belong together.
    Bind(ClaimId, VolumeId),
    /// A volume that was made for a claim exists, and they belong together.
    Made(ClaimId),
    /// What the scheduler promised a pod.
    Promise(PodId),
    /// A claim is gone.
    Delete(ClaimId),
}

/// What storage does later by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StorageAlarm {
    /// The controller of volumes looks at a claim.
    SyncClaim(ClaimId),
    /// A driver has made a volume.
    Provisioned(ClaimId),
    /// The scheduler looks whether a placed pod's claims are bound.
    CheckPromise(PodId),
    /// The controller that attaches looks at what changed.
    Reconcile,
    /// A driver has attached a volume.
    Attached(VolumeId, NodeId),
    /// A driver has detached a volume.
    Detached(VolumeId, NodeId),
    /// A node may be holding on to a volume for too long.
    Overdue(VolumeId, NodeId),
    /// An agent has mounted a pod's volumes.
    Mounted(PodId),
    /// An agent has waited for a pod's volumes for long.
    MountTimeout(PodId),
    /// A node says that it does not use a pod's volumes any more.
    Released(PodId),
    /// The collector looks at a node that is out of service.
    OutOfService(NodeId),
}

/// Storage as its controllers remember it.
#[derive(Clone)]
pub(super) struct Storage {
    attachments: Attachments,
    /// Placed pods whose promise is being carried out.
    promised: BTreeMap<PodId, Promised>,
    /// Pods whose agents wait for volumes.
    waiting: BTreeMap<PodId, Wait>,
    /// Volumes that pods have mounted, as their nodes say. Outlives the pod until the node has let go.
    mounts: BTreeMap<PodId, (NodeId, Vec<VolumeId>)>,
    /// Claims that live and die with a pod.
    owned: BTreeMap<PodId, Vec<ClaimId>>,
    /// What was told of a claim, so that it is told once.
    told: BTreeSet<(ClaimId, Note)>,
    /// Claims that a volume is being made for.
    making: BTreeSet<ClaimId>,
    /// The taint of a node that somebody declares to be off for good.
    out_of_service: Option<Symbol>,
    streams: Streams,
}

/// The taint that says that a node is off for good.
/// Source: kubernetes/api:core/v1/well_known_taints.go, `TaintNodeOutOfService`.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// Entity of the stream that the reconciler's phase comes from; nodes count up from the next one.
const PHASE: u32 = 1 << 20;

impl Storage {
    pub(super) fn new(catalog: &Catalog, streams: Streams) -> Self {
        Self {
            attachments: Attachments::default(),
            promised: BTreeMap::new(),
            waiting: BTreeMap::new(),
            mounts: BTreeMap::new(),
            owned: BTreeMap::new(),
            told: BTreeSet::new(),
            making: BTreeSet::new(),
            out_of_service: catalog.names.find(OUT_OF_SERVICE),
            streams,
        }
    }

    /// Where a grid begins: that of the reconciler, or that of a node's status.
    fn phase(&self, of: Option<NodeId>, period: Span) -> Span {
        let entity = PHASE + of.map_or(0, |node| node.0 + 1);
        self.streams.stream(Purpose::ControlLoop, entity).span(Span::ZERO, period)
    }
}

impl Control {
    /// Claims and volumes.
    fn book(&self) -> &Book {
        &self.scheduling.scheduler.volumes.book
    }

    fn book_mut(&mut self) -> &mut Book {
        &mut self.scheduling.scheduler.volumes.book
    }

    fn storage_alarm_at(&self, cx: &mut Cx<'_>, after: Span, cause: FactId, alarm: StorageAlarm) {
        cx.timers.set(cx.now + after, cause, Alarm::Storage(alarm));
    }

    /// Claims that exist from the start.
    pub(super) fn begin_storage(&mut self, cx: &mut Cx<'_>) {
        let claims: Vec<ClaimId> = self.catalog.claims.iter().filter(|(_, c)| c.at_start).map(|(id, _)| id).collect();
        for claim in claims {
            self.claim_created(cx, FactId::NONE, claim);
        }
    }

    /// The store has a change that concerns storage.
    pub(super) fn storage_written(&mut self, cx: &mut Cx<'_>, cause: FactId, write: StorageWrite) {
        match write {
            StorageWrite::Create(claim) => self.claim_created(cx, cause, claim),
            StorageWrite::Bind(claim, volume) => self.claim_bound(cx, cause, claim, volume),
            StorageWrite::Made(claim) => self.volume_made(cx, cause, claim),
            StorageWrite::Promise(pod) => self.promise_written(cx, cause, pod),
            StorageWrite::Delete(claim) => self.claim_gone(cx, cause, claim),
        }
    }

    /// Something that storage had planned is due.
    pub(super) fn storage_due(&mut self, cx: &mut Cx<'_>, cause: FactId, alarm: StorageAlarm) {
        match alarm {
            StorageAlarm::SyncClaim(claim) => self.sync_claim(cx, cause, claim),
            StorageAlarm::Provisioned(claim) => self.provisioned(cx, cause, claim),
            StorageAlarm::CheckPromise(pod) => self.check_promise(cx, cause, pod),
            StorageAlarm::Reconcile => self.reconcile(cx),
            StorageAlarm::Attached(volume, node) => self.attached(cx, cause, (volume, node)),
            StorageAlarm::Detached(volume, node) => self.detached(cx, cause, (volume, node)),
            StorageAlarm::Overdue(volume, node) => self.touch(cx, cause, (volume, node)),
            StorageAlarm::Mounted(pod) => self.mounted(cx, cause, pod),
            StorageAlarm::MountTimeout(pod) => self.mount_timed_out(cx, cause, pod),
            StorageAlarm::Released(pod) => self.released(cx, cause, pod),
            StorageAlarm::OutOfService(node) => self.collect_out_of_service(cx, node),
        }
    }

    /// A new pod: what it mounts is noted, and claims of its own are made.
    pub(super) fn mount_needs(&mut self, cx: &mut Cx<'_>, pod: PodId, cause: FactId) {
        let row = &self.pods[pod];
        let (template, workload, slot) = (row.template, row.workload, row.slot);
        let catalog = std::sync::Arc::clone(&self.catalog);
        let mut needs = Needs::default();
        let own: Vec<ClaimId> = claims_of(&catalog.workloads[workload].details, slot);
        for claim in own {
            let name = catalog.claims[claim].name;
            needs.claims.push(ClaimUse { name, claim: Some(claim), ephemeral: false });
            // The controller of StatefulSets has made them before the pod.
            self.claim_created(cx, cause, claim);
        }
        for volume in &catalog.templates[template].volumes {
            match *volume {
                PodVolume::Claim { name, claim, .. } => needs.claims.push(ClaimUse { name, claim, ephemeral: false }),
                PodVolume::Disk { identity, read_only } => needs.disks.push((identity, read_only)),
                PodVolume::Ephemeral { class, request } => {
                    let spec = &catalog.workloads[workload];
                    let claim = self.book_mut().declare(ClaimSpec {
                        name: spec.name,
                        namespace: spec.namespace,
                        request,
                        access: vec![AccessMode::ReadWriteOnce],
                        class,
                        unknown_class: None,
                        selector: None,
                        volume: None,
                        at_start: false,
                    });
                    needs.claims.push(ClaimUse { name: spec.name, claim: Some(claim), ephemeral: true });
                    self.storage.owned.entry(pod).or_default().push(claim);
                    let seen = cx.now + self.profile.control.watch_lag;
                    let write = super::Write::Storage(StorageWrite::Create(claim));
                    self.write_at(cx, seen, (Client::Volumes, cause), write);
                }
            }
        }
        if needs != Needs::default() {
            self.scheduling.scheduler.volumes.declare(pod, needs);
        }
    }

    /// A pod is gone, and with it its wishes and the claims that were its own.
    pub(super) fn storage_pod_gone(&mut self, cx: &mut Cx<'_>, pod: PodId, cause: FactId) {
        if self.scheduling.scheduler.volumes.needs(pod).is_none() {
            return;
        }
        self.break_promise(pod);
        self.unwanted(cx, cause, pod);
        let needs = self.scheduling.scheduler.volumes.needs(pod).cloned().unwrap_or_default();
        self.scheduling.scheduler.volumes.forget(pod);
        let own = self.storage.owned.remove(&pod).unwrap_or_default();
        for claim in own.into_iter().chain(self.condemned_claims(pod)) {
            self.delete_claim(cx, cause, claim);
        }
        for claim in needs.claims.iter().filter_map(|used| used.claim) {
            self.claim_left(cx, cause, claim);
        }
    }

    /// Claims that go with a pod whose ordinal is not wanted any more.
    fn condemned_claims(&self, pod: PodId) -> Vec<ClaimId> {
        let row = &self.pods[pod];
        let (details, owner) = (&self.catalog.workloads[row.workload].details, &self.workloads[row.workload]);
        let condemned = matches!(details, Details::Stateful(spec) if spec.delete_claims_when_scaled
            && owner.exists && !(spec.first..spec.first.saturating_add(owner.desired)).contains(&row.slot));
        if condemned { claims_of(details, row.slot) } else { Vec::new() }
    }

    fn tell_of_claim(&mut self, cx: &mut Cx<'_>, cause: FactId, claim: ClaimId, note: Note) {
        if self.storage.told.insert((claim, note)) {
            cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Claim(claim), note });
        }
    }

    fn storage_changed(&mut self, cx: &mut Cx<'_>) {
        self.tell_queue(cx, Event::StorageChanged);
    }
}

/// The claims of one replica of a stateful workload.
pub(super) fn claims_of(details: &Details, slot: u32) -> Vec<ClaimId> {
    let Details::Stateful(spec) = details else { return Vec::new() };
    spec.claims.iter().filter_map(|ordinals| ordinals.get(slot.checked_sub(spec.first)? as usize).copied()).collect()
}
