//! The watchdog: containers that asked for it are made anew elsewhere when their node is flagged, one after the other.
//!
//! What ran is started, and what did not is only made: after a clean stop of an engine, which stops its containers first,
//! all of them are moved and none is started. Who finds no node is put back, and nobody tries again. When the node is
//! back, the copies on it are removed, running or not. Start at [`Control::watchdog_wakes`].
//!
//! Source: docker-archive/classicswarm:cluster/watchdog.go, `rescheduleContainers`, `removeDuplicateContainers`.

use std::collections::VecDeque;

use crate::control::tables::PodRow;
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId};
use crate::profile::Watchdog;
use crate::rng::Purpose;
use crate::scheduler::Outcome;
use crate::time::{Span, Time};

/// As good as at once: a copy is killed and waits for nothing.
const FORCED: Span = Span::from_nanos(1);

/// Containers that wait to be moved.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    queue: VecDeque<(PodId, FactId)>,
    busy: bool,
}

impl Control {
    /// A node is flagged: its containers that asked for it are moved, in the order of a hash map.
    pub(super) fn watchdog_wakes(&mut self, cx: &mut Cx<'_>, fact: FactId, node: NodeId) {
        if self.profile.replication.watchdog.is_none() || self.overlooks() {
            return; // A manager that is not primary has none, and the event is lost.
        }
        let asked = |pod: &PodId| {
            let row = &self.pods[*pod];
            let wish = self.catalog.workloads[row.workload].wishes.lost.reschedule;
            wish == Some(true) && !row.gone && row.deleting.is_none()
        };
        let mut pods: Vec<PodId> = self.nodes[node].pods.iter().copied().filter(asked).collect();
        self.streams.stream(Purpose::Controller, node.0 ^ self.nodes[node].stamp << 16).shuffle(&mut pods);
        self.moves.queue.extend(pods.into_iter().map(|pod| (pod, fact)));
        if !std::mem::replace(&mut self.moves.busy, true) {
            cx.timers.set(cx.now + self.profile.control.store_write, fact, Alarm::MoveNext);
        }
    }

    /// The next container is moved.
    pub(super) fn move_next(&mut self, cx: &mut Cx<'_>) {
        let Some(watchdog) = self.profile.replication.watchdog else { return };
        let Some((pod, fact)) = self.moves.queue.pop_front() else {
            self.moves.busy = false;
            return;
        };
        let took = self.move_container(cx, (pod, fact), watchdog);
        cx.timers.set(cx.now + took, fact, Alarm::MoveNext);
    }

    fn move_container(&mut self, cx: &mut Cx<'_>, (pod, fact): (PodId, FactId), watchdog: Watchdog) -> Span {
        let row = &self.pods[pod];
        let (Some(from), false, None) = (row.node, row.gone, row.deleting) else { return Span::ZERO };
        let node = match self.try_place(pod).0 {
            Outcome::Placed { node, .. } if node != from && self.nodes[node].healthy => node,
            _ => {
                let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::FailedToReschedule };
                cx.facts.record(cx.now, fact, note);
                return watchdog.create;
            }
        };
        let row = &self.pods[pod];
        let (revision, workload, slot, ran) = (row.revision, row.workload, row.slot, ran(row));
        let not_before = if ran { Time::ZERO } else { Time::MAX };
        // It is taken off the dead engine's list first, which is the manager's own memory and no request.
        self.pod_deleting(cx, fact, (pod, Deletion::NodeLost, Some(FORCED)));
        // It counts in place of the one that goes.
        self.revisions[revision].creating += 1;
        self.revisions[revision].wanted += 1;
        self.workloads[workload].given_up = self.workloads[workload].given_up.saturating_sub(1);
        self.pod_created(cx, fact, revision, (not_before, slot));
        let copy = PodId(self.pods.next_id().0 - 1);
        self.take_place(copy, node);
        let made = self.pods[copy].last_fact;
        self.write(cx, Client::Scheduler, made, Write::Bind { pod: copy, node });
        if ran {
            return watchdog.create + watchdog.start;
        }
        let note = FactKind::Noted { subject: Subject::Pod(copy), note: Note::CreatedNotStarted };
        cx.facts.record(cx.now, made, note);
        watchdog.create
    }

    /// A node is back: what was moved from it is removed there.
    pub(super) fn tell_duplicates(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        for &pod in &self.nodes[node].pods {
            let row = &self.pods[pod];
            if row.deleting == Some(FORCED) {
                let note = FactKind::Noted { subject: Subject::Pod(pod), note: Note::DuplicateRemoved };
                cx.facts.record(cx.now, row.last_fact, note);
            }
        }
    }
}

/// It ran, as far as the manager knows.
fn ran(row: &PodRow) -> bool {
    row.not_before < Time::MAX && row.phase != PodPhase::Finished
}
