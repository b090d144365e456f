//! Claims and volumes as the scheduler and the controllers of volumes know them: what exists, what is bound to what, and
//! what the scheduler has promised in its own mind.
//!
//! It decides which volume fits a claim; it neither writes to the store nor keeps time. The scheduler's picture and the
//! store's are one table here: promises of a binding under way are marked, and taken back when it fails. Start at
//! [`Book::match_for`].

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{ClaimId, Id, NodeId, StorageClassId, Symbol, Table, VolumeId};
use crate::model::{AccessMode, BindingMode, Bytes, Catalog, ClaimSpec, NodeSpec, NodeTerm, VolumeSpec};
use crate::scheduler::fixed::term_matches;

/// A volume.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) spec: VolumeSpec,
    /// Whether the object exists.
    pub(crate) exists: bool,
    /// The claim that has it, or is promised it.
    pub(crate) claim: Option<ClaimId>,
    /// Its claim is gone and it stays as it was: nobody gets it.
    pub(crate) released: bool,
}

/// A claim.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) spec: ClaimSpec,
    /// Whether the object exists.
    pub(crate) exists: bool,
    /// Deletion was asked for.
    pub(crate) deleting: bool,
    /// The volume that it is bound to.
    pub(crate) volume: Option<VolumeId>,
    /// The node for which its volume is to be made.
    pub(crate) selected: Option<NodeId>,
}

/// All claims and volumes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) volumes: Table<VolumeId, Volume>,
    pub(crate) claims: Table<ClaimId, Claim>,
    /// Volumes that nobody has and that are not kept for one claim, by class, smallest first.
    free: BTreeMap<Option<Symbol>, BTreeSet<(Bytes, VolumeId)>>,
    /// Volumes promised to claims or bound to them.
    held: BTreeMap<ClaimId, VolumeId>,
    /// Volumes kept for one claim.
    reserved: BTreeMap<ClaimId, VolumeId>,
}

impl Book {
    /// Every claim and volume of the catalog; claims do not exist yet.
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let mut book = Self::default();
        for (_, spec) in catalog.volumes.iter() {
            book.add_volume(spec.clone());
        }
        for (_, spec) in catalog.claims.iter() {
            book.declare(spec.clone());
        }
        book
    }

    /// A volume exists from now on.
    pub(crate) fn add_volume(&mut self, spec: VolumeSpec) -> VolumeId {
        let reserved = spec.reserved;
        let volume = self.volumes.push(Volume { spec, exists: true, claim: None, released: false });
        match reserved {
            Some(claim) => drop(self.reserved.insert(claim, volume)),
            None => self.offer(volume),
        }
        volume
    }

    /// A claim that does not exist yet gets a row.
    pub(crate) fn declare(&mut self, spec: ClaimSpec) -> ClaimId {
        self.claims.push(Claim { spec, exists: false, deleting: false, volume: None, selected: None })
    }

    fn offer(&mut self, volume: VolumeId) {
        let spec = &self.volumes[volume].spec;
        self.free.entry(spec.class).or_default().insert((spec.capacity, volume));
    }

    /// A volume belongs to a claim, or is promised to it.
    pub(crate) fn take(&mut self, volume: VolumeId, claim: ClaimId) {
        self.volumes[volume].claim = Some(claim);
        self.held.insert(claim, volume);
        let spec = &self.volumes[volume].spec;
        if let Some(free) = self.free.get_mut(&spec.class) {
            free.remove(&(spec.capacity, volume));
        }
    }

    /// A promise is taken back: the volume is free again.
    pub(crate) fn give_back(&mut self, volume: VolumeId) {
        if let Some(claim) = self.volumes[volume].claim.take() {
            self.held.remove(&claim);
        }
        if self.volumes[volume].spec.reserved.is_none() {
            self.offer(volume);
        }
    }

    /// A claim has its volume for good.
    pub(crate) fn bind(&mut self, claim: ClaimId, volume: VolumeId) {
        self.take(volume, claim);
        self.claims[claim].volume = Some(volume);
    }

    /// The claim's volume, whether promised or bound.
    pub(crate) fn promised(&self, claim: ClaimId) -> Option<VolumeId> {
        self.held.get(&claim).copied()
    }

    /// The volume kept for this claim.
    pub(crate) fn kept_for(&self, claim: ClaimId) -> Option<VolumeId> {
        self.reserved.get(&claim).copied().filter(|&v| self.volumes[v].exists && !self.volumes[v].released)
    }

    /// The existing volume of a name.
    pub(crate) fn volume_named(&self, name: Symbol) -> Option<VolumeId> {
        self.volumes.iter().find(|(_, v)| v.exists && v.spec.name == name).map(|(id, _)| id)
    }

    /// A claim waits for a pod before it is bound.
    pub(crate) fn waits_for_pod(&self, claim: ClaimId, catalog: &Catalog) -> bool {
        let spec = &self.claims[claim].spec;
        let binding = spec.class.map(|class| catalog.storage_classes[class].binding);
        binding == Some(BindingMode::WaitForFirstConsumer) && spec.volume.is_none()
    }

    /// The driver that will attach a claim's volume; `None` when nothing is attached or nobody knows yet.
    pub(crate) fn driver(&self, claim: ClaimId, catalog: &Catalog) -> Option<Symbol> {
        let row = &self.claims[claim];
        match row.volume {
            Some(volume) => self.volumes[volume].spec.driver,
            None => row.spec.class.filter(|&c| catalog.storage_classes[c].dynamic).map(|c| provisioner(c, catalog)),
        }
    }

    /// The volume for a claim on a node: the one kept for it, or the smallest that fits and that nobody has. Volumes of
    /// `taken` are left out.
    ///
    /// Source: kubernetes/kubernetes:staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go,
    /// `FindMatchingVolume`, on the scheduler's path.
    pub(crate) fn match_for(&self, claim: ClaimId, on: (&NodeSpec, &Catalog), taken: &[VolumeId]) -> Option<VolumeId> {
        let (node, catalog) = on;
        let fits = |v: &VolumeId| !taken.contains(v) && self.is_large_enough(*v, claim);
        if let Some(kept) = self.kept_for(claim).filter(fits) {
            return reaches(&self.volumes[kept].spec.affinity, node, catalog).then_some(kept);
        }
        self.candidates(claim, catalog).find(|v| fits(v) && reaches(&self.volumes[*v].spec.affinity, node, catalog))
    }

    /// The volume for a claim that waits for no pod. Volumes with the fewest access modes that will do come first.
    ///
    /// Source: kubernetes/kubernetes:pkg/controller/volume/persistentvolume/index.go, `findByClaim`.
    pub(crate) fn match_anywhere(&self, claim: ClaimId, catalog: &Catalog) -> Option<VolumeId> {
        if let Some(kept) = self.kept_for(claim).filter(|&v| self.is_large_enough(v, claim)) {
            return Some(kept);
        }
        let modes = |v: &VolumeId| self.volumes[*v].spec.access.len();
        // The first of the smallest wins: `min_by_key` keeps the earlier of equals.
        self.candidates(claim, catalog).filter(|&v| self.is_large_enough(v, claim)).min_by_key(modes)
    }

    fn is_large_enough(&self, volume: VolumeId, claim: ClaimId) -> bool {
        self.volumes[volume].spec.capacity >= self.claims[claim].spec.request
    }

    /// Free volumes of a claim's class with its access modes and labels, smallest first.
    fn candidates<'a>(&'a self, claim: ClaimId, catalog: &'a Catalog) -> impl Iterator<Item = VolumeId> + 'a {
        let spec = &self.claims[claim].spec;
        let class = spec.class.map(|class| catalog.storage_classes[class].name).or(spec.unknown_class);
        let from = (spec.request, VolumeId::from_index(0));
        let free = self.free.get(&class).into_iter().flat_map(move |free| free.range(from..));
        free.map(|&(_, volume)| volume).filter(move |&volume| {
            let offered = &self.volumes[volume].spec;
            spec.access.iter().all(|mode| offered.access.contains(mode))
                && spec.selector.as_ref().is_none_or(|s| s.matches(&offered.labels, &catalog.names))
        })
    }

    /// A volume for this claim can be made where a node reaches it.
    pub(crate) fn can_be_made(&self, claim: ClaimId, node: &NodeSpec, catalog: &Catalog) -> bool {
        let Some(class) = self.claims[claim].spec.class else { return false };
        let class = &catalog.storage_classes[class];
        class.dynamic && reaches(&class.allowed_topologies, node, catalog)
    }

    /// The claim is gone.
    pub(crate) fn forget_claim(&mut self, claim: ClaimId) -> Option<VolumeId> {
        let row = &mut self.claims[claim];
        (row.exists, row.deleting, row.selected) = (false, false, None);
        let volume = row.volume.take();
        self.held.remove(&claim);
        if let Some(volume) = volume {
            self.volumes[volume].released = true;
        }
        volume
    }

    /// Whether only one pod may use it.
    pub(crate) fn is_for_one_pod(&self, claim: ClaimId) -> bool {
        self.claims[claim].spec.access.contains(&AccessMode::ReadWriteOncePod)
    }
}

fn provisioner(class: StorageClassId, catalog: &Catalog) -> Symbol {
    catalog.storage_classes[class].provisioner
}

/// A node is among those of the alternatives. Without any, every node is.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/component-helpers/storage/volume/helpers.go, `CheckNodeAffinity`.
pub(crate) fn reaches(alternatives: &[NodeTerm], node: &NodeSpec, catalog: &Catalog) -> bool {
    alternatives.is_empty() || alternatives.iter().any(|term| term_matches(term, node, catalog))
}
