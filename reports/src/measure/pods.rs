//! Every pod of a run: where it belonged, whom it replaced, and when it came and went.
//!
//! It does not judge; losses, rollouts and duplicates are read off these rows elsewhere. Start at [`Pods::new`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shakedown_engine::fact::{Deletion, Fact, FactId, FactKind, Note, Subject};
use shakedown_engine::ids::{Id, NodeId, PodId, RevisionId, WorkloadId};
use shakedown_engine::model::Details;
use shakedown_engine::time::Time;

use crate::run::Run;

/// All pods, by id.
pub struct Pods {
    rows: Vec<Option<Pod>>,
    revisions: BTreeMap<RevisionId, WorkloadId>,
}

/// One pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Of which version.
    pub revision: RevisionId,
    /// When its object came to be.
    pub created: Time,
    /// Where and when it was bound.
    pub bound: Option<(NodeId, Time)>,
    /// When it stopped counting as a replica: deletion asked for, failed, or deleted.
    pub gone: Option<Time>,
    /// The lost pod that it stands in for.
    pub replaces: Option<PodId>,
    /// The pod that stands in for it.
    pub replaced_by: Option<PodId>,
    /// Its number in a stateful set, which the next pod in its place has, too.
    pub ordinal: Option<u32>,
}

/// How a pod came to its end, as far as replacing it is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// Nobody wants it back: scaled down, rolled out, or its workload was deleted.
    Wanted,
    /// It was lost and has to be replaced.
    Lost,
}

impl Pods {
    /// Reads all pods off a run's facts.
    pub fn new(run: &Run) -> Self {
        let pods = Self { rows: Vec::new(), revisions: BTreeMap::new() };
        Reader { run, pods, farewells: BTreeMap::new(), waiting: BTreeMap::new(), ordinals: BTreeMap::new() }.read()
    }

    /// One pod, if it was ever created.
    pub fn get(&self, pod: PodId) -> Option<&Pod> {
        self.rows.get(pod.index())?.as_ref()
    }

    /// The workload that a revision belongs to.
    pub fn workload_of(&self, revision: RevisionId) -> Option<WorkloadId> {
        self.revisions.get(&revision).copied()
    }

    /// All pods in id order.
    pub fn iter(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        self.rows.iter().enumerate().filter_map(|(i, row)| Some((PodId::from_index(i), row.as_ref()?)))
    }

    /// One more than the largest id.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// For each node all pods that were ever bound to it.
    pub fn by_node(&self, nodes: usize) -> Vec<Vec<PodId>> {
        let mut all = vec![Vec::new(); nodes];
        for (id, pod) in self.iter() {
            if let Some(list) = pod.bound.and_then(|(node, _)| all.get_mut(node.index())) {
                list.push(id);
            }
        }
        all
    }

    /// The first pod of the line of replacements that `pod` stands in: the identity of its place.
    pub fn places(&self) -> Vec<PodId> {
        let mut places: Vec<PodId> = (0..self.rows()).map(PodId::from_index).collect();
        // A replacement is younger than what it replaces, so the predecessor's place is already final.
        for (id, pod) in self.iter() {
            if let Some(old) = pod.replaces {
                places[id.index()] = places[old.index()];
            }
        }
        places
    }

    fn get_mut(&mut self, pod: PodId) -> Option<&mut Pod> {
        self.rows.get_mut(pod.index())?.as_mut()
    }
}

impl Pod {
    /// Bound to a node and counting as a replica at `at`.
    pub fn is_active_at(&self, at: Time) -> bool {
        self.bound.is_some_and(|(_, bound)| bound <= at) && self.gone.is_none_or(|gone| gone >= at)
    }
}

/// Deletions after which nobody wants the replica back.
pub(super) fn is_deliberate(why: Deletion) -> bool {
    matches!(why, Deletion::ScaledDown | Deletion::RolledOut | Deletion::WorkloadDeleted)
}

struct Reader<'a> {
    run: &'a Run,
    pods: Pods,
    farewells: BTreeMap<PodId, Farewell>,
    /// Lost pods of each workload that nothing replaces yet, oldest loss first.
    waiting: BTreeMap<WorkloadId, VecDeque<PodId>>,
    /// Numbers that objects of a stateful set have.
    ordinals: BTreeMap<WorkloadId, BTreeSet<u32>>,
}

impl Reader<'_> {
    fn read(mut self) -> Pods {
        for fact in &self.run.facts {
            match fact.kind {
                FactKind::PodCreated { pod, workload, revision } => self.created(fact, pod, (workload, revision)),
                FactKind::RevisionCreated { workload, revision } => {
                    self.pods.revisions.insert(revision, workload);
                }
                FactKind::PodBound { pod, node } => {
                    if let Some(row) = self.pods.get_mut(pod) {
                        row.bound.get_or_insert((node, fact.at));
                    }
                }
                FactKind::PodDeleting { pod, why } if is_deliberate(why) => {
                    self.leaves(fact.at, pod, Farewell::Wanted);
                }
                FactKind::PodDeleting { pod, .. } | FactKind::PodFailed { pod } | FactKind::PodDeleted { pod } => {
                    self.leaves(fact.at, pod, Farewell::Lost);
                }
                _ => {}
            }
            if let FactKind::PodDeleted { pod } | FactKind::PodFailed { pod } | FactKind::PodSucceeded { pod } =
                fact.kind
            {
                self.name_is_free(pod);
            }
        }
        self.pods
    }

    /// The number of a new pod of a stateful set, whose controller creates the lowest missing one first.
    fn ordinal(&mut self, workload: WorkloadId) -> Option<u32> {
        let Details::Stateful(spec) = &self.run.catalog.workloads.get(workload)?.details else { return None };
        let taken = self.ordinals.entry(workload).or_default();
        let free = (spec.first..).find(|ordinal| !taken.contains(ordinal))?;
        taken.insert(free);
        Some(free)
    }

    fn name_is_free(&mut self, pod: PodId) {
        let Some(row) = self.pods.get(pod) else { return };
        if let (Some(ordinal), Some(taken)) = (row.ordinal, self.ordinals.get_mut(&row.workload)) {
            taken.remove(&ordinal);
        }
    }

    fn leaves(&mut self, at: Time, pod: PodId, how: Farewell) {
        let Some(row) = self.pods.get_mut(pod) else { return };
        row.gone.get_or_insert(at);
        if self.farewells.contains_key(&pod) {
            return;
        }
        self.farewells.insert(pod, how);
        if how == Farewell::Lost {
            let workload = row.workload;
            self.waiting.entry(workload).or_default().push_back(pod);
        }
    }

    fn created(&mut self, fact: &Fact, pod: PodId, (workload, revision): (WorkloadId, RevisionId)) {
        let replaces = self.lost_pod_behind(fact.cause, workload);
        if self.pods.rows.len() <= pod.index() {
            self.pods.rows.resize(pod.index() + 1, None);
        }
        if let Some(old) = replaces.and_then(|old| self.pods.get_mut(old)) {
            old.replaced_by = Some(pod);
        }
        let ordinal = self.ordinal(workload);
        let row =
            Pod { workload, revision, created: fact.at, bound: None, gone: None, replaces, replaced_by: None, ordinal };
        self.pods.rows[pod.index()] = Some(row);
    }

    /// The lost pod that a creation answers.
    ///
    /// The cause names it. When one pass of a controller answers several losses under one cause, the oldest
    /// loss of the workload that nothing answers yet is taken instead.
    fn lost_pod_behind(&mut self, cause: FactId, workload: WorkloadId) -> Option<PodId> {
        let named = self.ended_pod(cause)?;
        if self.farewells.get(&named) == Some(&Farewell::Wanted) {
            return None;
        }
        let row = self.pods.get(named)?;
        if row.workload == workload && row.replaced_by.is_none() {
            return Some(named);
        }
        let queue = self.waiting.get_mut(&workload)?;
        while let Some(oldest) = queue.pop_front() {
            if self.pods.get(oldest).is_some_and(|row| row.replaced_by.is_none()) {
                return Some(oldest);
            }
        }
        None
    }

    /// The pod whose end is the nearest cause. Anything that wants pods for another reason ends the search.
    fn ended_pod(&self, mut cause: FactId) -> Option<PodId> {
        const STEPS: usize = 4;
        for _ in 0..STEPS {
            let fact = self.run.fact(cause)?;
            match fact.kind {
                FactKind::PodDeleting { pod, .. } | FactKind::PodDeleted { pod } | FactKind::PodFailed { pod } => {
                    return Some(pod);
                }
                // A suspect, say, which stays until the other one is ready.
                FactKind::Noted { subject: Subject::Pod(pod), note: Note::Superseded } => return Some(pod),
                FactKind::ContainerExited { pod, .. } => return Some(pod),
                FactKind::FaultApplied { .. }
                | FactKind::WorkloadCreated { .. }
                | FactKind::Scaled { .. }
                | FactKind::RevisionCreated { .. }
                | FactKind::RevisionScaled { .. }
                | FactKind::RolloutStarted { .. }
                | FactKind::RolloutUndone { .. }
                | FactKind::RolloutResumed { .. } => return None,
                _ => cause = fact.cause,
            }
        }
        None
    }
}
