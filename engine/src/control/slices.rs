//! EndpointSlices of one service: which endpoint is in which slice, and which writes bring a change about.
//!
//! Pure: nothing here knows time, clients or facts. Few writes go before perfect packing, as in the original.
//! Source: kubernetes/kubernetes:staging/src/k8s.io/endpointslice/reconciler.go, `reconcileByPortMapping`, `finalize`;
//! utils.go, `getSliceToFill`. Start at [`Slices::plan`].

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::PodId;

/// What a slice says of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    /// It gets traffic.
    pub(super) ready: bool,
    /// It would answer.
    pub(super) serving: bool,
    /// Its deletion has begun.
    pub(super) terminating: bool,
}

impl Conditions {
    /// Gets traffic although, or as long as, nothing better is there.
    pub(super) fn drains(self) -> bool {
        !self.ready && self.serving && self.terminating
    }
}

/// What is to be of an endpoint: its conditions, or nothing when it leaves.
pub(super) type Want = Option<Conditions>;

/// One write: a slice and what changes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SliceWrite {
    pub(super) slice: u32,
    pub(super) edits: Vec<(PodId, Want)>,
}

/// The slices of one service.
#[derive(Clone, Debug)]
pub(super) struct Slices {
    members: BTreeMap<u32, BTreeSet<PodId>>,
    placed: BTreeMap<PodId, (u32, Conditions)>,
    next: u32,
}

impl Default for Slices {
    /// A service without endpoints has one empty slice from its creation on, which the first endpoints take over.
    fn default() -> Self {
        Self { members: BTreeMap::from([(0, BTreeSet::new())]), placed: BTreeMap::new(), next: 1 }
    }
}

impl Slices {
    /// What the slices say of a pod.
    pub(super) fn get(&self, pod: PodId) -> Want {
        self.placed.get(&pod).map(|entry| entry.1)
    }

    /// How many endpoints each slice has, in order of creation.
    #[cfg(test)]
    fn sizes(&self) -> Vec<usize> {
        self.members.values().map(BTreeSet::len).collect()
    }

    /// The writes that bring about what is wanted, in the order in which they are made.
    pub(super) fn plan(&mut self, wanted: &BTreeMap<PodId, Want>, max: usize) -> Vec<SliceWrite> {
        let mut edits: BTreeMap<u32, Vec<(PodId, Want)>> = BTreeMap::new();
        let mut left: Vec<(PodId, Want)> = Vec::new();
        for (&pod, &want) in wanted {
            match (self.placed.get(&pod), want) {
                (Some((slice, had)), _) if want != Some(*had) => edits.entry(*slice).or_default().push((pod, want)),
                (None, Some(_)) => left.push((pod, want)),
                _ => {}
            }
        }
        let mut sizes: BTreeMap<u32, usize> =
            edits.iter().map(|(&slice, list)| (slice, self.size_after(slice, list))).collect();
        let emptied: Vec<u32> = sizes.iter().filter(|(_, size)| **size == 0).map(|(slice, _)| *slice).collect();
        sizes.retain(|_, size| *size > 0);
        left.reverse();
        fill_updated(&mut edits, sizes, &mut left, max);
        let created = self.fill_others(&mut edits, &mut left, max);
        // What would be created takes the place of what would be deleted: one write instead of two.
        let mut created = created.into_iter();
        for &slice in &emptied {
            let Some(content) = created.next() else { break };
            edits.entry(slice).or_default().extend(content);
        }
        let mut writes = Vec::new();
        for edits in created {
            writes.push(SliceWrite { slice: self.next, edits });
            self.next += 1;
        }
        // Deletions come last.
        let gone =
            |write: &SliceWrite| emptied.contains(&write.slice) && write.edits.iter().all(|edit| edit.1.is_none());
        let (deleted, updated): (Vec<_>, Vec<_>) =
            edits.into_iter().map(|(slice, edits)| SliceWrite { slice, edits }).partition(gone);
        writes.extend(updated);
        writes.extend(deleted);
        writes
    }

    fn size_after(&self, slice: u32, edits: &[(PodId, Want)]) -> usize {
        let leaving = edits.iter().filter(|edit| edit.1.is_none()).count();
        self.members.get(&slice).map_or(0, BTreeSet::len) - leaving
    }

    /// Puts what is left into one slice that has room for all of it, or into new ones, which are returned.
    fn fill_others(
        &self,
        edits: &mut BTreeMap<u32, Vec<(PodId, Want)>>,
        left: &mut Vec<(PodId, Want)>,
        max: usize,
    ) -> Vec<Vec<(PodId, Want)>> {
        let mut created = Vec::new();
        while !left.is_empty() {
            let others = self.members.iter().filter(|(slice, _)| !edits.contains_key(slice));
            let roomy = others.filter(|(_, members)| members.len() + left.len() <= max && left.len() < max);
            let fullest = roomy.max_by_key(|(slice, members)| (members.len(), std::cmp::Reverse(**slice)));
            match fullest.map(|(slice, _)| *slice) {
                Some(slice) => edits.entry(slice).or_default().extend(left.drain(..).rev()),
                None => created.push(left.drain(left.len() - left.len().min(max)..).rev().collect()),
            }
        }
        created
    }

    /// The store has a write. Each endpoint that differs is reported: what was said of it, and what is said now.
    pub(super) fn apply(&mut self, write: &SliceWrite, mut each: impl FnMut(PodId, Want, Want)) {
        let members = self.members.entry(write.slice).or_default();
        for &(pod, want) in &write.edits {
            let before = match want {
                Some(conditions) => {
                    members.insert(pod);
                    self.placed.insert(pod, (write.slice, conditions))
                }
                None => {
                    members.remove(&pod);
                    self.placed.remove(&pod)
                }
            };
            let before = before.map(|entry| entry.1);
            if before != want {
                each(pod, before, want);
            }
        }
        // The last slice stays, empty, as a placeholder.
        if members.is_empty() && self.members.len() > 1 {
            self.members.remove(&write.slice);
        }
    }
}

/// Fills slices that are written anyway, fullest first.
fn fill_updated(
    edits: &mut BTreeMap<u32, Vec<(PodId, Want)>>,
    sizes: BTreeMap<u32, usize>,
    left: &mut Vec<(PodId, Want)>,
    max: usize,
) {
    let mut order: Vec<(u32, usize)> = sizes.into_iter().collect();
    order.sort_by_key(|&(slice, size)| (std::cmp::Reverse(size), slice));
    for (slice, size) in order {
        let room = max.saturating_sub(size).min(left.len());
        edits.entry(slice).or_default().extend(left.drain(left.len() - room..).rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Want = Some(Conditions { ready: true, serving: true, terminating: false });

    fn want(pods: impl Iterator<Item = u32>, want: Want) -> BTreeMap<PodId, Want> {
        pods.map(|pod| (PodId(pod), want)).collect()
    }

    /// Without the placeholder, so that numbers follow the order of filling.
    fn bare() -> Slices {
        Slices { members: BTreeMap::new(), placed: BTreeMap::new(), next: 0 }
    }

    /// Brings it about and returns the slices written.
    fn reach(slices: &mut Slices, wanted: &BTreeMap<PodId, Want>) -> Vec<u32> {
        let writes = slices.plan(wanted, 100);
        writes.iter().for_each(|write| slices.apply(write, |_, _, _| {}));
        writes.iter().map(|write| write.slice).collect()
    }

    #[test]
    fn new_endpoints_fill_slices_of_a_hundred() {
        let mut slices = Slices::default();
        assert_eq!(
            reach(&mut slices, &want(0..250, READY)),
            [1, 2, 0],
            "the placeholder is written instead of a third"
        );
        assert_eq!(slices.sizes(), [50, 100, 100]);
    }

    #[test]
    fn a_slice_that_is_written_anyway_is_filled_before_others() {
        let mut slices = bare();
        reach(&mut slices, &want(0..250, READY));
        let mut wanted = want(0..1, None);
        wanted.extend(want(300..301, READY));
        assert_eq!(reach(&mut slices, &wanted), [0], "one leaves the first slice and the newcomer takes its place");
        assert_eq!(slices.sizes(), [100, 100, 50]);
    }

    #[test]
    fn what_does_not_fit_goes_to_the_fullest_slice_with_room_for_all_of_it() {
        let mut slices = bare();
        reach(&mut slices, &want(0..300, READY));
        reach(&mut slices, &want(0..30, None));
        reach(&mut slices, &want(100..110, None));
        assert_eq!(slices.sizes(), [70, 90, 100]);
        assert_eq!(reach(&mut slices, &want(400..405, READY)), [1]);
        assert_eq!(reach(&mut slices, &want(410..430, READY)), [0], "20 do not fit into the 5 places left there");
        assert_eq!(reach(&mut slices, &want(500..530, READY)), [3], "10 places are not enough: a new slice");
        assert_eq!(slices.sizes(), [90, 95, 100, 30]);
    }

    #[test]
    fn an_emptied_slice_is_written_anew_rather_than_deleted_and_created() {
        let mut slices = bare();
        reach(&mut slices, &want(0..100, READY));
        let mut wanted = want(0..100, None);
        wanted.extend(want(200..300, READY));
        assert_eq!(reach(&mut slices, &wanted), [0]);
        assert_eq!(slices.sizes(), [100]);
        assert_eq!(reach(&mut slices, &want(200..300, None)), [0]);
        assert_eq!(slices.sizes(), [0], "the last slice stays as a placeholder");
    }

    #[test]
    fn what_is_already_so_is_not_written() {
        let mut slices = bare();
        reach(&mut slices, &want(0..3, READY));
        assert!(slices.plan(&want(0..3, READY), 100).is_empty());
        assert!(slices.plan(&want(7..9, None), 100).is_empty());
    }
}
