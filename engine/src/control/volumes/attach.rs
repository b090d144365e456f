//! Which volume is attached to which node: the attach/detach controller.
//!
//! A volume is wanted on a node as long as a pod there is in the store and has not ended; it is detached when the node
//! has let go of it, or by force. Volumes of one node at a time wait until they are detached everywhere else. The
//! controller acts on a grid, and only when something changed. Source:
//! kubernetes/kubernetes:pkg/controller/volume/attachdetach/reconciler/reconciler.go. Start at [`Control::reconcile`].

use std::collections::{BTreeMap, BTreeSet};

use crate::control::volumes::StorageAlarm;
use crate::control::{Alarm, Control, Cx, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId, VolumeId};
use crate::model::AccessMode;
use crate::profile::Eviction;
use crate::time::{Span, Time};

/// A volume and a node.
pub(super) type Pair = (VolumeId, NodeId);

/// Where volumes are attached, and where they should be.
#[derive(Clone, Debug, Default)]
pub(super) struct Attachments {
    rows: BTreeMap<Pair, Attachment>,
    /// What the next pass looks at, and the newest fact about it.
    changed: BTreeMap<Pair, FactId>,
    /// A pass is planned for this time.
    armed_at: Option<Time>,
}

#[derive(Clone, Debug)]
struct Attachment {
    state: State,
    /// Pods in the store that want it there.
    wanted: BTreeSet<PodId>,
    /// Pods that have it mounted, as the node says.
    mounted: BTreeSet<PodId>,
    /// Not wanted since the pass of this time.
    unwanted_since: Option<Time>,
    /// Pods that were told that it is attached elsewhere.
    told: BTreeSet<PodId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Detached,
    Attaching,
    Attached,
    Detaching { forced: bool },
}

impl Attachments {
    fn row(&mut self, pair: Pair) -> &mut Attachment {
        self.rows.entry(pair).or_insert_with(|| Attachment {
            state: State::Detached,
            wanted: BTreeSet::new(),
            mounted: BTreeSet::new(),
            unwanted_since: None,
            told: BTreeSet::new(),
        })
    }

    fn of_volume(&self, volume: VolumeId) -> impl Iterator<Item = (Pair, &Attachment)> {
        self.rows.range((volume, NodeId(0))..=(volume, NodeId(u32::MAX))).map(|(pair, row)| (*pair, row))
    }

    /// Whether some node has it, or is getting it or losing it.
    pub(super) fn is_attached(&self, volume: VolumeId) -> bool {
        self.of_volume(volume).any(|(_, row)| row.state != State::Detached)
    }

    /// How many nodes have it, or are getting it or losing it.
    pub(super) fn count(&self, volume: VolumeId) -> usize {
        self.of_volume(volume).filter(|(_, row)| row.state != State::Detached).count()
    }

    /// Whether this node can mount it.
    pub(super) fn is_attached_to(&self, pair: Pair) -> bool {
        self.rows.get(&pair).is_some_and(|row| row.state == State::Attached)
    }
}

impl Control {
    /// A pair changed: the next pass looks at it.
    pub(super) fn touch(&mut self, cx: &mut Cx<'_>, cause: FactId, pair: Pair) {
        self.touch_from(cx, cause, pair, cx.now);
    }

    fn touch_from(&mut self, cx: &mut Cx<'_>, cause: FactId, pair: Pair, from: Time) {
        let period = self.profile.storage.reconcile;
        let at = from.next_tick(period, self.storage.phase(None, period));
        let attachments = &mut self.storage.attachments;
        attachments.changed.insert(pair, cause);
        if attachments.armed_at.is_none_or(|armed| armed > at) {
            attachments.armed_at = Some(at);
            cx.timers.set(at, cause, Alarm::Storage(StorageAlarm::Reconcile));
        }
    }

    /// A pod that is bound to a node wants volumes there.
    pub(super) fn want(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, pairs: &[Pair]) {
        let seen = cx.now + self.profile.control.watch_lag;
        for &pair in pairs {
            self.storage.attachments.row(pair).wanted.insert(pod);
            self.touch_from(cx, cause, pair, seen);
        }
    }

    /// A pod wants nothing any more: its object is gone.
    pub(super) fn unwanted(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let wait = self.storage.waiting.remove(&pod);
        let mounted = self.storage.mounts.get(&pod).map(|(node, volumes)| (*node, volumes.clone()));
        let wanted = wait.map(|wait| (wait.node, wait.volumes)).or(mounted);
        let Some((node, volumes)) = wanted else { return };
        let seen = cx.now + self.profile.control.watch_lag;
        for volume in volumes {
            let pair = (volume, node);
            if let Some(row) = self.storage.attachments.rows.get_mut(&pair) {
                row.wanted.remove(&pod);
                self.touch_from(cx, cause, pair, seen);
            }
        }
    }

    /// A pod has its volumes mounted, or no longer has, as its node says.
    pub(super) fn set_mounted(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId, pair: Pair) {
        let mounts = self.storage.mounts.contains_key(&pod);
        if let Some(row) = self.storage.attachments.rows.get_mut(&pair) {
            let changed = if mounts { row.mounted.insert(pod) } else { row.mounted.remove(&pod) };
            if changed && !mounts {
                self.touch(cx, cause, pair);
            }
        }
    }

    /// One pass: what is to go goes first, so that it can come elsewhere. Source: `reconcile`.
    pub(super) fn reconcile(&mut self, cx: &mut Cx<'_>) {
        if self.storage.attachments.armed_at.is_some_and(|at| at > cx.now) {
            return; // A later pass was planned before this one, or the other way round; each finds what is due.
        }
        self.storage.attachments.armed_at = None;
        let changed = std::mem::take(&mut self.storage.attachments.changed);
        for (&pair, &cause) in &changed {
            self.detach_unwanted(cx, cause, pair);
        }
        for (&pair, &cause) in &changed {
            self.attach_wanted(cx, cause, pair);
        }
    }

    fn detach_unwanted(&mut self, cx: &mut Cx<'_>, cause: FactId, pair: Pair) {
        let out_of_service = self.is_out_of_service(pair.1);
        let healthy = self.nodes[pair.1].exists() && self.nodes[pair.1].healthy;
        let policy = &self.profile.storage;
        let (patience, detach) = (policy.force_detach, policy.detach);
        let Some(row) = self.storage.attachments.rows.get_mut(&pair) else { return };
        if !row.wanted.is_empty() {
            row.unwanted_since = None;
            return;
        }
        if row.state == State::Detached {
            self.storage.attachments.rows.remove(&pair);
            return;
        }
        if row.state != State::Attached {
            return; // The driver is at work on it.
        }
        let first = row.unwanted_since.is_none();
        let since = *row.unwanted_since.get_or_insert(cx.now);
        let overdue = cx.now.since(since) > patience && !healthy;
        if !row.mounted.is_empty() && !overdue && !out_of_service {
            if first {
                let alarm = Alarm::Storage(StorageAlarm::Overdue(pair.0, pair.1));
                cx.timers.set(cx.now + patience + Span::from_nanos(1), cause, alarm);
            }
            return;
        }
        row.state = State::Detaching { forced: !row.mounted.is_empty() };
        self.store.spend(cx.now, Client::Volumes);
        self.storage_alarm_at(cx, detach, cause, StorageAlarm::Detached(pair.0, pair.1));
    }

    fn attach_wanted(&mut self, cx: &mut Cx<'_>, cause: FactId, pair: Pair) {
        let (volume, node) = pair;
        let attachments = &self.storage.attachments;
        let Some(row) = attachments.rows.get(&pair).filter(|row| row.state == State::Detached) else { return };
        if row.wanted.is_empty() || !self.nodes[node].exists() {
            return;
        }
        let others =
            attachments.of_volume(volume).filter(|(other, row)| *other != pair && row.state != State::Detached);
        let others: Vec<State> = others.map(|(_, row)| row.state).collect();
        if !others.is_empty() && !self.is_shared(volume) {
            if !others.iter().any(|state| matches!(state, State::Detaching { .. })) {
                self.tell_multi_attach(cx, cause, pair);
            }
            return; // Looked at again when the volume is detached.
        }
        self.storage.attachments.row(pair).state = State::Attaching;
        self.store.spend(cx.now, Client::Volumes);
        self.storage_alarm_at(cx, self.profile.storage.attach, cause, StorageAlarm::Attached(volume, node));
    }

    /// Several nodes may have it at once. One without access modes is not held back.
    /// Source: kubernetes/kubernetes:pkg/controller/volume/attachdetach/util/util.go, `IsMultiAttachAllowed`.
    pub(super) fn is_shared(&self, volume: VolumeId) -> bool {
        let modes = &self.book().volumes[volume].spec.access;
        modes.is_empty() || modes.iter().any(|m| matches!(m, AccessMode::ReadOnlyMany | AccessMode::ReadWriteMany))
    }

    /// Each pod is told once.
    fn tell_multi_attach(&mut self, cx: &mut Cx<'_>, cause: FactId, pair: Pair) {
        let row = self.storage.attachments.row(pair);
        let untold: Vec<PodId> = row.wanted.difference(&row.told).copied().collect();
        row.told.extend(&untold);
        for pod in untold {
            cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Pod(pod), note: Note::MultiAttach });
        }
    }

    /// A driver has attached a volume.
    pub(super) fn attached(&mut self, cx: &mut Cx<'_>, cause: FactId, pair: Pair) {
        let (volume, node) = pair;
        let fact = cx.facts.record(cx.now, cause, FactKind::VolumeAttached { volume, node });
        let row = self.storage.attachments.row(pair);
        row.state = State::Attached;
        row.told.clear();
        for pod in row.wanted.clone() {
            self.plan_mount(cx, fact, pod);
        }
        self.touch(cx, fact, pair);
    }

    /// A driver has detached a volume: it can go elsewhere, or be deleted.
    pub(super) fn detached(&mut self, cx: &mut Cx<'_>, cause: FactId, pair: Pair) {
        let (volume, node) = pair;
        let row = self.storage.attachments.row(pair);
        let forced = matches!(row.state, State::Detaching { forced: true });
        (row.state, row.unwanted_since) = (State::Detached, None);
        row.mounted.clear();
        let fact = cx.facts.record(cx.now, cause, FactKind::VolumeDetached { volume, node, forced });
        let pairs: Vec<Pair> = self.storage.attachments.of_volume(volume).map(|(pair, _)| pair).collect();
        for pair in pairs {
            self.touch(cx, fact, pair);
        }
        self.volume_unneeded(cx, fact, volume);
    }

    /// A node that does not answer, or is declared to be off: what it holds may be taken from it.
    pub(in crate::control) fn storage_node_lost(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let held = self.storage.attachments.rows.iter().filter(|((_, on), row)| *on == node && row.wanted.is_empty());
        let held: Vec<Pair> = held.map(|(pair, _)| *pair).collect();
        for pair in held {
            self.touch(cx, cause, pair);
        }
    }

    /// Somebody says that the node is off for good.
    pub(super) fn is_out_of_service(&self, node: NodeId) -> bool {
        let Some(key) = self.storage.out_of_service else { return false };
        self.nodes[node].taints.iter().any(|taint| taint.key == key)
    }

    /// A node's taints changed.
    pub(in crate::control) fn storage_taints_changed(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        if self.is_out_of_service(node) {
            self.storage_node_lost(cx, cause, node);
            self.plan_out_of_service(cx, cause, node);
        }
    }

    fn plan_out_of_service(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let Eviction::Taints(policy) = &self.profile.eviction else { return };
        let at = self.next_collection(cx.now, policy.garbage_period);
        cx.timers.set(at, cause, Alarm::Storage(StorageAlarm::OutOfService(node)));
    }

    /// The collector removes pods that are ending on an unhealthy node that is out of service.
    /// Source: kubernetes/kubernetes:pkg/controller/podgc/gc_controller.go, `gcTerminating`.
    pub(super) fn collect_out_of_service(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let row = &self.nodes[node];
        if !self.is_out_of_service(node) || row.healthy || !row.exists() {
            // Silence may still be noticed; a node that answers keeps its pods.
            return;
        }
        let fact = row.unhealthy_fact;
        let ending = |pod: &&PodId| self.pods[**pod].deleting.is_some() || self.pods[**pod].delete_sent;
        let ending: Vec<PodId> = row.pods.iter().filter(ending).copied().collect();
        let (now, later): (Vec<PodId>, Vec<PodId>) =
            ending.into_iter().partition(|&pod| self.pods[pod].deleting.is_some());
        for pod in now {
            self.store.spend(cx.now, Client::Garbage);
            self.write(cx, Client::Garbage, fact, Write::CollectPod { pod, why: Deletion::NodeLost });
        }
        if !later.is_empty() {
            self.plan_out_of_service(cx, fact, node);
        }
    }
}
