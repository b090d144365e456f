//! Filters that read storage: VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone.
//!
//! What a pod needs is told once, by pod, because replicas of a StatefulSet share a template and not their claims. A pod
//! without volumes costs one look-up, a cluster without any costs none. What is promised to a pod that was placed is
//! carried out elsewhere (`control/volumes`). Start at [`Volumes::begin`].
//!
//! Sources: kubernetes/kubernetes:pkg/scheduler/framework/plugins/{volumerestrictions,nodevolumelimits,volumebinding,
//! volumezone}.

use std::collections::BTreeMap;

use crate::ids::{ClaimId, Id, NodeId, PodId, Symbol, VolumeId};
use crate::model::{Catalog, NodeSpec};
use crate::profile::Filter;
use crate::scheduler::outcome::{FilterSet, Reason, Verdict};
use crate::scheduler::volumes_book::{Book, reaches};

/// Labels by which a volume is tied to places: the old names first, each with the present one.
/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumezone/volume_zone.go, `topologyLabels`.
const PLACES: [(&str, &str); 4] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "topology.kubernetes.io/region"),
];
/// Joins several places in one label.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/cloud-provider/volume/constants.go, `LabelMultiZoneDelimiter`.
const SEVERAL: &str = "__";

/// The filters of this module.
pub(super) const FILTERS: [Filter; 4] =
    [Filter::VolumeRestrictions, Filter::NodeVolumeLimits, Filter::VolumeBinding, Filter::VolumeZone];

/// What a pod mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) claims: Vec<ClaimUse>,
    /// Disks named in the pod itself, and whether they are only read.
    pub(crate) disks: Vec<(Symbol, bool)>,
}

/// A claim that a pod uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimUse {
    /// As written in the pod.
    pub(crate) name: Symbol,
    /// The claim, when one of that name is declared.
    pub(crate) claim: Option<ClaimId>,
    /// Made for this pod alone.
    pub(crate) ephemeral: bool,
}

/// What pods on one node use.
#[derive(Clone, Debug, Default)]
struct OnNode {
    claims: BTreeMap<ClaimId, u32>,
    /// Readers and writers of a disk.
    disks: BTreeMap<Symbol, (u32, u32)>,
}

/// A label of a volume with its present name, and the values that will do.
type Place = ((Symbol, Option<Symbol>), Vec<Symbol>);

/// What the pod that is being placed needs, worked out once for all nodes.
#[derive(Clone, Debug, Default)]
struct Attempt {
    pod: PodId,
    /// Filters of this module that the pod's profile has.
    enabled: FilterSet,
    needs: Needs,
    /// No node comes into question.
    refused: Option<Reason>,
    bound: Vec<VolumeId>,
    /// Claims to be bound by the placement, smallest first.
    to_bind: Vec<ClaimId>,
    /// Labels that a node must carry, and the values that will do.
    places: Vec<Place>,
}

/// What the placement of a pod promises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Promise {
    /// Volumes that claims get.
    pub(crate) bindings: Vec<(ClaimId, VolumeId)>,
    /// Claims whose volumes are made for the node.
    pub(crate) provisions: Vec<ClaimId>,
}

impl Promise {
    /// Nothing has to be done before the pod is bound.
    pub(crate) fn is_empty(&self) -> bool {
        self.bindings.is_empty() && self.provisions.is_empty()
    }
}

/// Storage as the filters read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volumes {
    pub(crate) book: Book,
    needs: BTreeMap<PodId, Needs>,
    /// One a node; empty as long as nobody mounts anything.
    on: Vec<OnNode>,
    /// Pods in place that use a claim.
    users: BTreeMap<ClaimId, u32>,
    attempt: Option<Attempt>,
}

impl Volumes {
    /// Storage of the catalog.
    pub(super) fn new(catalog: &Catalog) -> Self {
        Self { book: Book::new(catalog), ..Self::default() }
    }

    /// A pod that mounts something exists.
    pub(crate) fn declare(&mut self, pod: PodId, needs: Needs) {
        self.needs.insert(pod, needs);
    }

    /// A pod is gone.
    pub(crate) fn forget(&mut self, pod: PodId) {
        self.needs.remove(&pod);
    }

    /// What a pod mounts; `None` for one without volumes.
    pub(crate) fn needs(&self, pod: PodId) -> Option<&Needs> {
        self.needs.get(&pod)
    }

    /// Pods in place that use a claim.
    pub(crate) fn users(&self, claim: ClaimId) -> u32 {
        self.users.get(&claim).copied().unwrap_or(0)
    }

    /// A pod takes its place.
    pub(super) fn enter(&mut self, pod: PodId, node: NodeId) {
        let Some(needs) = self.needs.get(&pod) else { return };
        if self.on.len() <= node.index() {
            self.on.resize_with(node.index() + 1, OnNode::default);
        }
        let on = &mut self.on[node.index()];
        for claim in needs.claims.iter().filter_map(|used| used.claim) {
            *on.claims.entry(claim).or_default() += 1;
            *self.users.entry(claim).or_default() += 1;
        }
        for &(disk, read_only) in &needs.disks {
            let (readers, writers) = on.disks.entry(disk).or_default();
            *(if read_only { readers } else { writers }) += 1;
        }
    }

    /// A pod leaves its place.
    pub(super) fn leave(&mut self, pod: PodId, node: NodeId) {
        let Some(needs) = self.needs.get(&pod) else { return };
        let on = &mut self.on[node.index()];
        for claim in needs.claims.iter().filter_map(|used| used.claim) {
            decrease(&mut on.claims, claim);
            decrease(&mut self.users, claim);
        }
        for &(disk, read_only) in &needs.disks {
            let counts = on.disks.get_mut(&disk).expect("what leaves has entered");
            *(if read_only { &mut counts.0 } else { &mut counts.1 }) -= 1;
            if *counts == (0, 0) {
                on.disks.remove(&disk);
            }
        }
    }

    /// The placement of a pod begins by a profile with these filters: what holds for all nodes is worked out.
    pub(super) fn begin(&mut self, pod: PodId, filters: &[Filter], catalog: &Catalog) {
        self.attempt = None;
        if self.needs.is_empty() {
            return;
        }
        let Some(needs) = self.needs.get(&pod) else { return };
        let enabled: FilterSet = filters.iter().copied().filter(|filter| FILTERS.contains(filter)).collect();
        let refused = self.refuses_claims(needs, enabled, catalog);
        let mut attempt = Attempt { pod, enabled, needs: needs.clone(), refused, ..Attempt::default() };
        for claim in needs.claims.iter().filter_map(|used| used.claim) {
            match self.book.claims[claim].volume {
                Some(volume) => attempt.bound.push(volume),
                None => attempt.to_bind.push(claim),
            }
        }
        // Sorted by size, those of one size as the pod lists them.
        attempt.to_bind.sort_by_key(|&claim| self.book.claims[claim].spec.request);
        if enabled.contains(Filter::VolumeZone) {
            attempt.places = self.places(&attempt.bound, catalog);
        }
        self.attempt = Some(attempt);
    }

    /// Why no node comes into question, whatever its state: the plugins' `PreFilter`.
    fn refuses_claims(&self, needs: &Needs, enabled: FilterSet, catalog: &Catalog) -> Option<Reason> {
        let exists = |used: &&ClaimUse| used.claim.is_some_and(|claim| self.book.claims[claim].exists);
        let mut missing = needs.claims.iter().filter(|used| !exists(used));
        let restricted = enabled.contains(Filter::VolumeRestrictions);
        if let Some(used) = missing.clone().find(|used| restricted && !used.ephemeral) {
            return Some(Reason::ClaimNotFound(used.name));
        }
        if !enabled.contains(Filter::VolumeBinding) {
            return None;
        }
        if let Some(used) = missing.next() {
            let found = if used.ephemeral { Reason::ClaimNotMade } else { Reason::ClaimNotFound };
            return Some(found(used.name));
        }
        let claims = needs.claims.iter().filter_map(|used| Some((used.name, used.claim?)));
        if let Some((name, _)) = claims.clone().find(|&(_, claim)| self.book.claims[claim].deleting) {
            return Some(Reason::ClaimDeleted(name));
        }
        let waits = |claim| self.book.claims[claim].volume.is_none() && !self.book.waits_for_pod(claim, catalog);
        claims.map(|(_, claim)| claim).any(waits).then_some(Reason::ClaimUnbound)
    }

    /// Labels of bound volumes that tie them to places.
    fn places(&self, bound: &[VolumeId], catalog: &Catalog) -> Vec<Place> {
        let mut places = Vec::new();
        for (key, present) in PLACES {
            let Some(label) = catalog.names.find(key) else { continue };
            for &volume in bound {
                let Some(value) = self.book.volumes[volume].spec.labels.get(label) else { continue };
                let values = catalog.text(value).split(SEVERAL);
                let values = values.filter_map(|value| catalog.names.find(value)).collect();
                places.push(((label, catalog.names.find(present)), values));
            }
        }
        places
    }

    /// The verdict that holds for every node, if there is one.
    pub(super) fn refuses_all(&self) -> Option<Verdict> {
        self.attempt.as_ref().and_then(|attempt| attempt.refused).map(Verdict::of)
    }

    /// The pod that is being placed has no volumes.
    pub(super) const fn is_idle(&self) -> bool {
        self.attempt.is_none()
    }

    /// No filter of this module refuses the node.
    #[inline]
    pub(super) fn passes(&self, node: NodeId, catalog: &Catalog) -> bool {
        let Some(attempt) = &self.attempt else { return true };
        attempt.refused.is_none() && FILTERS.into_iter().all(|filter| self.refusal(filter, node, catalog).is_none())
    }

    /// The verdict of one of the filters on a node; `None` when it does not refuse.
    pub(super) fn refusal(&self, filter: Filter, node: NodeId, catalog: &Catalog) -> Option<Verdict> {
        let attempt = self.attempt.as_ref().filter(|attempt| attempt.enabled.contains(filter))?;
        let spec = &catalog.nodes[node];
        match filter {
            Filter::VolumeRestrictions => self.restricts(attempt, node).map(Verdict::of),
            Filter::NodeVolumeLimits => self.is_full(attempt, node, catalog).then(|| Verdict::of(Reason::VolumeCount)),
            Filter::VolumeBinding => self.binding(attempt, node, catalog),
            Filter::VolumeZone => is_elsewhere(attempt, spec, catalog).then(|| Verdict::of(Reason::VolumeZone)),
            _ => None,
        }
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go, `Filter`.
    fn restricts(&self, attempt: &Attempt, node: NodeId) -> Option<Reason> {
        let there = self.on.get(node.index());
        let clashes = |&(disk, read_only): &(Symbol, bool)| {
            there.and_then(|on| on.disks.get(&disk)).is_some_and(|&(_, writers)| !read_only || writers > 0)
        };
        if attempt.needs.disks.iter().any(clashes) {
            return Some(Reason::DiskConflict);
        }
        let claims = attempt.needs.claims.iter().filter_map(|used| used.claim);
        let mut claims = claims.filter(|&claim| self.book.is_for_one_pod(claim));
        claims.any(|claim| self.users(claim) > 0).then_some(Reason::OnePodOnly)
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/nodevolumelimits/csi.go, `Filter`.
    fn is_full(&self, attempt: &Attempt, node: NodeId, catalog: &Catalog) -> bool {
        let limits = &catalog.nodes[node].volume_limits;
        if limits.is_empty() {
            return false;
        }
        let none = OnNode::default();
        let there = self.on.get(node.index()).unwrap_or(&none);
        let mut new: Vec<ClaimId> = attempt.needs.claims.iter().filter_map(|used| used.claim).collect();
        new.sort_unstable();
        new.dedup();
        new.retain(|claim| !there.claims.contains_key(claim));
        limits.iter().any(|&(driver, limit)| {
            let of_driver = |claim: &&ClaimId| self.book.driver(**claim, catalog) == Some(driver);
            let wanted = new.iter().filter(of_driver).count();
            wanted > 0 && there.claims.keys().filter(of_driver).count() + wanted > limit as usize
        })
    }

    /// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumebinding/binder.go, `FindPodVolumes`.
    fn binding(&self, attempt: &Attempt, node: NodeId, catalog: &Catalog) -> Option<Verdict> {
        let spec = &catalog.nodes[node];
        let mut reasons = Vec::new();
        // The first bound claim with a problem decides which of the two it is.
        for &volume in &attempt.bound {
            let volume = &self.book.volumes[volume];
            if !volume.exists {
                reasons.push(Reason::VolumeLost);
                break;
            }
            if !reaches(&volume.spec.affinity, spec, catalog) {
                reasons.push(Reason::VolumeAffinity);
                break;
            }
        }
        if self.promise(attempt, node, catalog).is_none() {
            reasons.push(Reason::VolumeBinding);
        }
        reasons.sort_unstable();
        (!reasons.is_empty()).then_some(Verdict { filter: Filter::VolumeBinding, reasons, unresolvable: true })
    }

    /// What a placement of the pod on this node would promise; `None` when not all its claims can be served.
    fn promise(&self, attempt: &Attempt, node: NodeId, catalog: &Catalog) -> Option<Promise> {
        let mut promise = Promise::default();
        if attempt.to_bind.is_empty() {
            return Some(promise);
        }
        let spec = &catalog.nodes[node];
        let mut taken = Vec::new();
        for &claim in &attempt.to_bind {
            let selected = self.book.claims[claim].selected;
            if selected.is_some_and(|selected| selected != node) {
                return None;
            }
            let found = if selected.is_none() { self.book.match_for(claim, (spec, catalog), &taken) } else { None };
            match found {
                Some(volume) => {
                    taken.push(volume);
                    promise.bindings.push((claim, volume));
                }
                None if self.book.can_be_made(claim, spec, catalog) => promise.provisions.push(claim),
                None => return None,
            }
        }
        Some(promise)
    }

    /// The pod that was just placed on this node gets what it needs there: volumes are taken, and claims are noted for
    /// the node (the plugin's `Reserve`).
    pub(crate) fn reserve(&mut self, pod: PodId, node: NodeId, catalog: &Catalog) -> Promise {
        let binds = |attempt: &Attempt| attempt.pod == pod && attempt.enabled.contains(Filter::VolumeBinding);
        let attempt = self.attempt.take().filter(binds);
        let promise = attempt.and_then(|attempt| self.promise(&attempt, node, catalog)).unwrap_or_default();
        for &(claim, volume) in &promise.bindings {
            self.book.take(volume, claim);
        }
        for &claim in &promise.provisions {
            self.book.claims[claim].selected = Some(node);
        }
        promise
    }

    /// What was promised and not carried out is taken back.
    pub(crate) fn unreserve(&mut self, promise: &Promise) {
        for &(claim, volume) in &promise.bindings {
            if self.book.claims[claim].volume != Some(volume) {
                self.book.give_back(volume);
            }
        }
        for &claim in &promise.provisions {
            if self.book.claims[claim].volume.is_none() {
                self.book.claims[claim].selected = None;
            }
        }
    }
}

/// Source: kubernetes/kubernetes:pkg/scheduler/framework/plugins/volumezone/volume_zone.go, `Filter`.
fn is_elsewhere(attempt: &Attempt, node: &NodeSpec, catalog: &Catalog) -> bool {
    if attempt.places.is_empty() {
        return false;
    }
    let carried = |key: &str| catalog.names.find(key).and_then(|label| node.labels.get(label));
    // A node without any such label is in a cluster of one zone.
    let tied = PLACES.iter().any(|(key, _)| carried(key).is_some());
    tied && attempt.places.iter().any(|((label, present), values)| {
        let here = node.labels.get(*label).or_else(|| present.and_then(|label| node.labels.get(label)));
        here.is_none_or(|here| !values.contains(&here))
    })
}

fn decrease(counts: &mut BTreeMap<ClaimId, u32>, claim: ClaimId) {
    let count = counts.get_mut(&claim).expect("what leaves has entered");
    *count -= 1;
    if *count == 0 {
        counts.remove(&claim);
    }
}
