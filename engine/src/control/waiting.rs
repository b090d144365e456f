//! Pods that are not tried yet: scheduling gates, groups that are not complete, schedulers that do not exist.
//!
//! They are in no queue and cost nothing. A group is in the queue as one of its pods and is decided on as a whole:
//! enough of its pods find a place together, or none does. Start at [`Control::holds_back`] and
//! [`Control::decide_group`].
//!
//! Sources: kubernetes/kubernetes:pkg/scheduler/framework/plugins/schedulinggates, .../plugins/gangscheduling, and
//! pkg/scheduler/schedule_one_podgroup.go.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, FactId, FactKind, Note, Subject};
use crate::ids::{GroupId, NodeId, PodId, WorkloadId};
use crate::scheduler::queue::Event;
use crate::scheduler::{FilterSet, Outcome, Refusal};
use crate::time::Span;

/// Pods that are held back, and groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    gated: BTreeSet<(WorkloadId, PodId)>,
    /// Pods whose gates were removed.
    ungated: BTreeSet<PodId>,
    groups: BTreeMap<GroupId, Group>,
}

/// Pods of a group.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Without a place.
    waiting: BTreeSet<PodId>,
    placed: BTreeSet<PodId>,
    /// Stands for the group in the queue.
    leader: Option<PodId>,
    /// That it waits was told.
    told: bool,
}

impl Control {
    /// True when a new pod is not put into the queue, or its group takes care of that.
    pub(super) fn holds_back(&mut self, cx: &mut Cx<'_>, pod: PodId) -> bool {
        let row = &self.pods[pod];
        let (workload, cause, template) = (row.workload, row.last_fact, &self.catalog.templates[row.template]);
        if !self.scheduling.scheduler.serves(template.scheduler) {
            note(cx, cause, Subject::Pod(pod), Note::NoSuchScheduler);
            self.pods[pod].phase = PodPhase::Unschedulable;
            return true;
        }
        if !template.gates.is_empty() && !self.scheduling.waiting.ungated.contains(&pod) {
            if self.scheduling.waiting.gated.insert((workload, pod)) {
                note(cx, cause, Subject::Pod(pod), Note::SchedulingGated);
            }
            self.pods[pod].phase = PodPhase::Unschedulable;
            return true;
        }
        let Some(group) = template.group else { return false };
        self.scheduling.waiting.groups.entry(group).or_default().waiting.insert(pod);
        self.pods[pod].phase = PodPhase::Unschedulable;
        self.regroup(cx, group, cause);
        true
    }

    /// Somebody removes the gates of a workload's pods, as they are now.
    pub(super) fn ungate(&mut self, cx: &mut Cx<'_>, cause: FactId, workload: WorkloadId) {
        let all = (workload, PodId(0))..=(workload, PodId(u32::MAX));
        let gated: Vec<PodId> = self.scheduling.waiting.gated.range(all).map(|&(_, pod)| pod).collect();
        for pod in gated {
            self.write(cx, Client::Operator, cause, Write::Ungate { pod });
        }
    }

    /// The store has a pod without its gates.
    pub(super) fn pod_ungated(&mut self, cx: &mut Cx<'_>, cause: FactId, pod: PodId) {
        let row = &self.pods[pod];
        if self.scheduling.waiting.gated.remove(&(row.workload, pod)) {
            self.scheduling.waiting.ungated.insert(pod);
            cx.timers.set(cx.now + self.profile.control.watch_lag, cause, Alarm::PodSeen(pod));
        }
    }

    /// A pod is gone.
    pub(super) fn leaves_waiting(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        let template = &self.catalog.templates[row.template];
        let (cause, group) = (row.last_fact, template.group);
        if !template.gates.is_empty() {
            self.scheduling.waiting.gated.remove(&(row.workload, pod));
            self.scheduling.waiting.ungated.remove(&pod);
        }
        let Some(group) = group else { return };
        let Some(row) = self.scheduling.waiting.groups.get_mut(&group) else { return };
        row.placed.remove(&pod);
        row.waiting.remove(&pod);
        if row.leader == Some(pod) {
            row.leader = None;
            self.scheduling.queue.remove(pod);
        }
        self.regroup(cx, group, cause);
    }

    /// A group's pods have changed: it enters the queue when it is complete, and leaves it when it is not.
    fn regroup(&mut self, cx: &mut Cx<'_>, group: GroupId, cause: FactId) {
        let min_count = self.catalog.groups[group].min_count as usize;
        let row = self.scheduling.waiting.groups.get_mut(&group).expect("only known groups change");
        let complete = row.waiting.len() + row.placed.len() >= min_count;
        match (complete, row.leader, row.waiting.first().copied()) {
            (true, None, Some(leader)) => {
                row.leader = Some(leader);
                let priority = self.catalog.templates[self.pods[leader].template].priority;
                self.scheduling.queue.add(leader, priority, cx.now);
            }
            // A further pod of the group is a reason to try again.
            (true, Some(leader), _) => self.scheduling.queue.activate(leader, cx.now),
            (false, Some(leader), _) => {
                row.leader = None;
                self.scheduling.queue.remove(leader);
            }
            (true, None, None) | (false, None, _) => {}
        }
        let row = self.scheduling.waiting.groups.get_mut(&group).expect("it was found above");
        if let Some(leader) = row.leader {
            self.scheduling.queue.set_members(leader, row.waiting.len() as u32);
        } else if !row.waiting.is_empty() && !std::mem::replace(&mut row.told, true) {
            note(cx, cause, Subject::Group(group), Note::WaitingForGroup);
        }
        self.wake_scheduler(cx);
    }

    /// Decides on a whole group: its pods take their places one after the other, and keep them if they are enough.
    pub(super) fn decide_group(&mut self, cx: &mut Cx<'_>, group: GroupId, leader: PodId) {
        let waiting: Vec<PodId> = self.scheduling.waiting.groups[&group].waiting.iter().copied().collect();
        let (mut cost, mut taken, mut refused) = (Span::ZERO, Vec::new(), Vec::new());
        for pod in waiting {
            let (outcome, spent) = self.try_place(pod);
            cost += spent;
            match outcome {
                Outcome::Placed { node, .. } => {
                    self.take_place(pod, node);
                    taken.push((pod, node));
                }
                Outcome::Refused(refusal) => refused.push((pod, refusal)),
            }
        }
        self.scheduling.free_at = cx.now + cost;
        let row = &self.scheduling.waiting.groups[&group];
        if taken.len() + row.placed.len() >= self.catalog.groups[group].min_count as usize {
            self.place_group(cx, (group, leader), taken);
        } else {
            for (pod, node) in taken.into_iter().rev() {
                let request = self.request(pod);
                self.scheduling.scheduler.release(&request, node);
                self.pods[pod].assumed = None;
            }
        }
        self.refuse_group(cx, group, &refused);
    }

    /// Pods of a group are bound.
    fn place_group(&mut self, cx: &mut Cx<'_>, whose: (GroupId, PodId), taken: Vec<(PodId, NodeId)>) {
        let (group, leader) = whose;
        for (pod, node) in taken {
            let row = self.scheduling.waiting.groups.get_mut(&group).expect("a group that is decided on is known");
            row.waiting.remove(&pod);
            row.placed.insert(pod);
            if pod == leader {
                row.leader = row.waiting.first().copied();
                match row.leader {
                    Some(next) => self.scheduling.queue.succeed(leader, next),
                    None => self.scheduling.queue.remove(leader),
                }
            }
            self.scheduling.refused.remove(&pod);
            self.bind(cx, pod, node);
            self.pod_moved(cx, Event::PodAdded, pod);
        }
        // The next pod in line may have been placed as well.
        let row = self.scheduling.waiting.groups.get_mut(&group).expect("a group that is decided on is known");
        row.told = false;
        if let Some(standing) = row.leader.filter(|leader| !row.waiting.contains(leader)) {
            row.leader = row.waiting.first().copied();
            match row.leader {
                Some(next) => self.scheduling.queue.succeed(standing, next),
                None => self.scheduling.queue.remove(standing),
            }
        }
    }

    /// What is left of a group waits.
    fn refuse_group(&mut self, cx: &mut Cx<'_>, group: GroupId, refused: &[(PodId, Refusal)]) {
        let mut filters = FilterSet::EMPTY;
        for (pod, refusal) in refused {
            filters = filters.union(refusal.filters());
            self.tell_refusal(cx, *pod, refusal);
        }
        let row = self.scheduling.waiting.groups.get_mut(&group).expect("a group that is decided on is known");
        let Some(leader) = row.leader else { return };
        let (members, told) = (row.waiting.len() as u32, std::mem::replace(&mut row.told, true));
        for &pod in &row.waiting {
            self.pods[pod].phase = PodPhase::Unschedulable;
        }
        if !told {
            note(cx, self.pods[leader].last_fact, Subject::Group(group), Note::WaitingForGroup);
        }
        self.scheduling.queue.set_members(leader, members);
        self.scheduling.queue.refused(leader, filters, cx.now);
    }
}

fn note(cx: &mut Cx<'_>, cause: FactId, subject: Subject, note: Note) {
    cx.facts.record(cx.now, cause, FactKind::Noted { subject, note });
}
