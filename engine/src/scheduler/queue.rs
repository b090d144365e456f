//! Which pod is tried next: active pods, pods that back off, pods that wait for something to change.
//!
//! It places nothing and hears of changes only through [`SchedulingQueue::on_event`]. Time comes in as an argument;
//! [`SchedulingQueue::next_wake`] says when it matters next. Start at [`SchedulingQueue::pop`].
//!
//! Source of all rules: kubernetes/kubernetes:pkg/scheduler/backend/queue/scheduling_queue.go and backoff_queue.go.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::ids::PodId;
use crate::profile::{Filter, Queue, Wake};
use crate::scheduler::FilterSet;
use crate::time::{Span, Time};

/// Something that could make a refused pod feasible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A node appeared.
    NodeAdded,
    /// A node changed.
    NodeUpdated(NodeChange),
    /// A node went away, and with it perhaps the emptiest domain.
    NodeRemoved,
    /// A pod took its place on a node.
    PodAdded,
    /// A pod left its node.
    PodReleased,
    /// A claim exists, is bound, or is gone; or there is a new volume.
    StorageChanged,
}

/// What changed in a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeChange {
    /// Its taints.
    pub taints: bool,
    /// Its cordon.
    pub unschedulable: bool,
    /// Its labels.
    pub labels: bool,
    /// What it can give.
    pub allocatable: bool,
}

impl Event {
    /// The filters that might judge differently after it (each plugin's `EventsToRegister`).
    pub fn helps(self) -> FilterSet {
        use Filter::{
            InterPodAffinity, MaxPerNode, NodeAffinity, NodeName, NodePorts, NodeResourcesFit, NodeUnschedulable,
            NodeVolumeLimits, PodTopologySpread, TaintToleration, VolumeBinding, VolumeRestrictions, VolumeZone,
        };
        let all = [
            NodeUnschedulable,
            NodeName,
            TaintToleration,
            NodeAffinity,
            NodePorts,
            NodeResourcesFit,
            VolumeRestrictions,
            NodeVolumeLimits,
            VolumeBinding,
            VolumeZone,
            PodTopologySpread,
            InterPodAffinity,
            MaxPerNode,
        ];
        match self {
            Self::NodeAdded => all.into_iter().collect(),
            Self::NodeUpdated(change) => {
                let parts: [(bool, &[Filter]); 4] = [
                    (change.taints, &[TaintToleration, PodTopologySpread]),
                    (change.unschedulable, &[NodeUnschedulable]),
                    (change.labels, &[NodeAffinity, VolumeBinding, VolumeZone, PodTopologySpread, InterPodAffinity]),
                    (change.allocatable, &[NodeResourcesFit]),
                ];
                parts.iter().filter(|(changed, _)| *changed).flat_map(|(_, filters)| filters.iter().copied()).collect()
            }
            Self::NodeRemoved => FilterSet::EMPTY.with(PodTopologySpread),
            Self::PodAdded => FilterSet::EMPTY.with(PodTopologySpread).with(InterPodAffinity),
            Self::PodReleased => {
                let volumes = [VolumeRestrictions, NodeVolumeLimits];
                [NodePorts, NodeResourcesFit, PodTopologySpread, InterPodAffinity, MaxPerNode]
                    .into_iter()
                    .chain(volumes)
                    .collect()
            }
            Self::StorageChanged => {
                [VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone].into_iter().collect()
            }
        }
    }
}

/// Pods by part of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready to be tried.
    pub active: usize,
    /// Backing off.
    pub backoff: usize,
    /// Waiting for a change.
    pub unschedulable: usize,
    /// Being tried or bound.
    pub in_flight: usize,
}

/// Where a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Active,
    Backoff {
        until: Time,
    },
    ErrorBackoff {
        until: Time,
    },
    Unschedulable {
        stale_at: Time,
    },
    /// With the filters that events since then could have changed.
    InFlight {
        missed: FilterSet,
    },
}

#[derive(Clone, Debug)]
struct Entry {
    priority: i32,
    /// When it was added or last refused.
    since: Time,
    /// Refusals since it was added.
    refusals: u32,
    /// Errors since the last refusal.
    errors: u32,
    refused_by: FilterSet,
    /// Pods that it stands for: more than one for the leader of a group.
    members: u32,
    part: Part,
}

/// Higher priority first, then the one that waits longer, then the id.
type Rank = (Reverse<i32>, Time, PodId);

/// The queue of pods to place.
#[derive(Clone, Debug)]
pub struct SchedulingQueue {
    settings: Queue,
    pods: BTreeMap<PodId, Entry>,
    active: BTreeSet<Rank>,
    backoff: BTreeSet<(Time, Rank)>,
    error_backoff: BTreeSet<(Time, Rank)>,
    /// Waiting pods by the filters that refused them, so that an event touches only those it can help.
    unschedulable: BTreeMap<FilterSet, BTreeSet<PodId>>,
    /// When waiting pods are tried again without any event.
    stale: BTreeSet<(Time, PodId)>,
    in_flight: BTreeSet<PodId>,
}

impl SchedulingQueue {
    /// An empty queue.
    pub const fn new(settings: Queue) -> Self {
        Self {
            settings,
            pods: BTreeMap::new(),
            active: BTreeSet::new(),
            backoff: BTreeSet::new(),
            error_backoff: BTreeSet::new(),
            unschedulable: BTreeMap::new(),
            stale: BTreeSet::new(),
            in_flight: BTreeSet::new(),
        }
    }

    /// A new pod is ready to be tried. Nothing happens when it is already here.
    pub fn add(&mut self, pod: PodId, priority: i32, now: Time) {
        if self.pods.contains_key(&pod) {
            return;
        }
        let (part, refused_by) = (Part::Active, FilterSet::EMPTY);
        self.pods.insert(pod, Entry { priority, since: now, refusals: 0, errors: 0, refused_by, members: 1, part });
        self.enter(pod, part);
    }

    /// Takes the next pod to try. It stays in flight until it is refused, failed or removed.
    pub fn pop(&mut self, now: Time) -> Option<PodId> {
        self.advance(now);
        let early = || self.settings.pop_from_backoff.then(|| self.backoff.first().map(|(_, rank)| rank.2)).flatten();
        let pod = self.active.first().map(|rank| rank.2).or_else(early)?;
        self.place(pod, Part::InFlight { missed: FilterSet::EMPTY });
        Some(pod)
    }

    /// True when [`SchedulingQueue::pop`] would return a pod, apart from back-offs that end by then.
    pub fn is_ready(&self) -> bool {
        !self.active.is_empty() || (self.settings.pop_from_backoff && !self.backoff.is_empty())
    }

    /// How many pods could be tried now.
    pub fn ready(&self) -> usize {
        let backed_off = if self.settings.pop_from_backoff { self.backoff.len() } else { 0 };
        self.active.len() + backed_off
    }

    /// A pod in flight found no node. Without any filter to blame (there are no nodes) it counts as an error, but where
    /// errors do not back off it waits for a node instead of being tried without end.
    pub fn refused(&mut self, pod: PodId, filters: FilterSet, now: Time) {
        let filters = match filters.is_empty() {
            false => filters,
            true if self.settings.max_backoff.is_zero() => Event::NodeAdded.helps(),
            true => return self.failed(pod, now),
        };
        if self.settings.wake == Wake::Nothing {
            return self.failed(pod, now);
        }
        let Some(Part::InFlight { missed }) = self.pods.get(&pod).map(|entry| entry.part) else { return };
        let entry = self.pods.get_mut(&pod).expect("it was found a line above");
        entry.refusals += 1;
        entry.errors = 0;
        entry.since = now;
        entry.refused_by = filters;
        if missed.intersects(filters) {
            self.requeue(pod, now);
        } else {
            let past = now + self.settings.unschedulable_timeout + Span::from_nanos(1);
            let stale_at = past.next_tick(self.settings.unschedulable_flush, Span::ZERO);
            self.place(pod, Part::Unschedulable { stale_at });
        }
    }

    /// A pod in flight met an error, such as a failed binding: no event can help it, only another try.
    pub fn failed(&mut self, pod: PodId, now: Time) {
        let Some(entry) = self.pods.get_mut(&pod) else { return };
        if !matches!(entry.part, Part::InFlight { .. }) {
            return;
        }
        entry.errors += 1;
        entry.since = now;
        entry.refused_by = FilterSet::EMPTY;
        self.requeue(pod, now);
    }

    /// A pod needs no placing any more: it is bound or deleted.
    pub fn remove(&mut self, pod: PodId) {
        if let Some(entry) = self.pods.get(&pod) {
            self.exit(pod, entry.part);
            self.pods.remove(&pod);
        }
    }

    /// A pod stands for a group of so many pods: its longest back-off grows.
    pub fn set_members(&mut self, pod: PodId, members: u32) {
        if let Some(entry) = self.pods.get_mut(&pod) {
            entry.members = members.max(1);
        }
    }

    /// Another pod takes over the entry of one that is in flight.
    pub fn succeed(&mut self, pod: PodId, next: PodId) {
        let Some(entry) = self.pods.get(&pod).cloned() else { return };
        self.remove(pod);
        let part = entry.part;
        self.pods.insert(next, entry);
        self.enter(next, part);
    }

    /// A waiting pod has a reason of its own to be tried again, after its back-off.
    pub fn activate(&mut self, pod: PodId, now: Time) {
        match self.pods.get_mut(&pod).map(|entry| &mut entry.part) {
            Some(Part::Unschedulable { .. }) => self.requeue(pod, now),
            Some(Part::InFlight { missed }) => *missed = Event::NodeAdded.helps(),
            _ => {}
        }
    }

    /// Something changed: waiting pods that it can help are tried again, after their back-off.
    pub fn on_event(&mut self, event: Event, now: Time) {
        self.on_event_for(event, now, |_, _| true);
    }

    /// The same when it can be told of each waiting pod and the filters that refused it whether the event helps it.
    pub fn on_event_for(&mut self, event: Event, now: Time, mut hint: impl FnMut(PodId, FilterSet) -> bool) {
        let any = self.settings.wake == Wake::Any;
        let helps = if any { FilterSet::ALL } else { event.helps() };
        for pod in &self.in_flight {
            let entry = self.pods.get_mut(pod).expect("every part holds known pods");
            if let Part::InFlight { missed } = &mut entry.part {
                *missed = missed.union(helps);
            }
        }
        let helped = self.unschedulable.iter().filter(|(refused_by, _)| refused_by.intersects(helps));
        let helped = helped.flat_map(|(refused_by, pods)| pods.iter().map(|pod| (*pod, *refused_by)));
        let helped: Vec<PodId> = helped
            .filter(|&(pod, by)| self.settings.wake != Wake::Hints || hint(pod, by))
            .map(|(pod, _)| pod)
            .collect();
        for pod in helped {
            self.requeue(pod, now);
        }
    }

    /// Releases pods whose back-off has ended, and those that waited too long without an event.
    pub fn advance(&mut self, now: Time) {
        while let Some(&(stale_at, pod)) = self.stale.first().filter(|(at, _)| *at <= now) {
            self.requeue(pod, stale_at);
        }
        for backoff in [Self::first_backoff, Self::first_error_backoff] {
            while let Some((_, pod)) = backoff(self).filter(|(until, _)| *until <= now) {
                self.place(pod, Part::Active);
            }
        }
    }

    /// When [`SchedulingQueue::advance`] has something to do next.
    pub fn next_wake(&self) -> Option<Time> {
        let backoffs = [self.first_backoff(), self.first_error_backoff()].into_iter().flatten().map(|(at, _)| at);
        backoffs.chain(self.stale.first().map(|(at, _)| *at)).min()
    }

    /// Pods that wait in any part, without those in flight.
    pub fn len(&self) -> usize {
        self.pods.len() - self.in_flight.len()
    }

    /// True when no pod waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pods by part.
    pub fn counts(&self) -> Counts {
        Counts {
            active: self.active.len(),
            backoff: self.backoff.len() + self.error_backoff.len(),
            unschedulable: self.stale.len(),
            in_flight: self.in_flight.len(),
        }
    }

    /// How often a pod was refused so far.
    pub fn refusals(&self, pod: PodId) -> u32 {
        self.pods.get(&pod).map_or(0, |entry| entry.refusals)
    }

    fn first_backoff(&self) -> Option<(Time, PodId)> {
        self.backoff.first().map(|(until, rank)| (*until, rank.2))
    }

    fn first_error_backoff(&self) -> Option<(Time, PodId)> {
        self.error_backoff.first().map(|(until, rank)| (*until, rank.2))
    }

    /// To the active pods, or to those that back off while the pod's back-off lasts.
    fn requeue(&mut self, pod: PodId, now: Time) {
        let until = self.backoff_end(&self.pods[&pod]);
        let refused = !self.pods[&pod].refused_by.is_empty();
        let part = match until {
            Some(until) if until > now && refused => Part::Backoff { until },
            Some(until) if until > now => Part::ErrorBackoff { until },
            _ => Part::Active,
        };
        self.place(pod, part);
    }

    /// When a pod's back-off ends; `None` without back-off.
    ///
    /// The end is cut to the flush grid, and a pod whose end falls into the current period still backs off: the wait
    /// is the nominal one plus up to one period.
    fn backoff_end(&self, entry: &Entry) -> Option<Time> {
        let (initial, max) = (self.settings.initial_backoff, longest(self.settings.max_backoff, entry.members));
        let count = if entry.errors > 0 { entry.errors } else { entry.refusals };
        if count == 0 || max.is_zero() {
            return None;
        }
        let doubled = initial.times(1u64.checked_shl(count - 1).unwrap_or(u64::MAX));
        let end = entry.since + doubled.min(max);
        let period = self.settings.flush_period;
        // The first tick after the end, never the end itself.
        Some(if period.is_zero() { end } else { (end + Span::from_nanos(1)).next_tick(period, Span::ZERO) })
    }

    /// Moves a known pod to another part.
    fn place(&mut self, pod: PodId, part: Part) {
        let before = self.pods[&pod].part;
        self.exit(pod, before);
        self.enter(pod, part);
    }

    fn enter(&mut self, pod: PodId, part: Part) {
        let entry = self.pods.get_mut(&pod).expect("only known pods are moved");
        entry.part = part;
        let rank = (Reverse(entry.priority), entry.since, pod);
        match part {
            Part::Active => drop(self.active.insert(rank)),
            Part::Backoff { until } => drop(self.backoff.insert((until, rank))),
            Part::ErrorBackoff { until } => drop(self.error_backoff.insert((until, rank))),
            Part::Unschedulable { stale_at } => {
                self.unschedulable.entry(entry.refused_by).or_default().insert(pod);
                self.stale.insert((stale_at, pod));
            }
            Part::InFlight { .. } => drop(self.in_flight.insert(pod)),
        }
    }

    fn exit(&mut self, pod: PodId, part: Part) {
        let entry = &self.pods[&pod];
        let rank = (Reverse(entry.priority), entry.since, pod);
        let found = match part {
            Part::Active => self.active.remove(&rank),
            Part::Backoff { until } => self.backoff.remove(&(until, rank)),
            Part::ErrorBackoff { until } => self.error_backoff.remove(&(until, rank)),
            Part::Unschedulable { stale_at } => {
                let waiting = self.unschedulable.get_mut(&entry.refused_by);
                let waiting = waiting.expect("a waiting pod is listed under its filters");
                waiting.remove(&pod);
                if waiting.is_empty() {
                    self.unschedulable.remove(&entry.refused_by);
                }
                self.stale.remove(&(stale_at, pod))
            }
            Part::InFlight { .. } => self.in_flight.remove(&pod),
        };
        assert!(found, "{pod:?} is not in the part of the queue that its entry names");
    }
}

/// The longest back-off of so many pods that are tried together.
/// Source: kubernetes/kubernetes:pkg/scheduler/backend/queue/backoff_queue.go: times the root of the number of pods.
fn longest(max: Span, members: u32) -> Span {
    if members < 2 { max } else { Span::from_nanos((max.as_nanos() as f64 * f64::from(members).sqrt()) as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    const FIT: FilterSet = FilterSet::EMPTY.with(Filter::NodeResourcesFit);
    const TAINT: FilterSet = FilterSet::EMPTY.with(Filter::TaintToleration);
    const POD: PodId = PodId(7);

    fn queue(profile: &str) -> SchedulingQueue {
        SchedulingQueue::new(Profile::named(profile).expect("it is built in").queue)
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn higher_priority_goes_first_then_the_older_then_the_smaller_id() {
        let mut queue = queue("kubernetes");
        for (pod, priority, millis) in [(1, 0, 0), (2, 5, 20), (3, 5, 10), (5, 0, 0), (4, -1, 0)] {
            queue.add(PodId(pod), priority, at(millis));
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop(at(30))).map(|pod| pod.0).collect();
        assert_eq!(order, [3, 2, 1, 5, 4]);
        assert_eq!(queue.counts(), Counts { in_flight: 5, ..Counts::default() });
    }

    #[test]
    fn backoff_doubles_from_one_to_ten_seconds_plus_the_rest_of_a_second() {
        let mut queue = queue("kubernetes");
        queue.settings.pop_from_backoff = false;
        queue.add(POD, 0, at(500));
        let mut now = at(500);
        let mut gaps = Vec::new();
        for _ in 0..6 {
            assert_eq!(queue.pop(now), Some(POD));
            queue.on_event(Event::PodReleased, now);
            queue.refused(POD, FIT, now);
            let wake = queue.next_wake().expect("it backs off");
            gaps.push(wake.since(now).as_millis());
            assert_eq!(queue.pop(wake - Span::from_millis(1)), None);
            now = wake;
        }
        // From half past a second the first wait is cut short of two seconds; from the grid it is the full extra one.
        assert_eq!(gaps, [1500, 3000, 5000, 9000, 11000, 11000]);
    }

    #[test]
    fn an_idle_scheduler_takes_pods_before_their_backoff_ends_but_not_after_errors() {
        let mut queue = queue("kubernetes");
        queue.add(POD, 0, at(0));
        queue.pop(at(0));
        queue.on_event(Event::PodReleased, at(0));
        queue.refused(POD, FIT, at(0));
        assert_eq!(queue.counts().backoff, 1);
        assert_eq!(queue.pop(at(10)), Some(POD));
        queue.failed(POD, at(10));
        assert_eq!(queue.pop(at(20)), None);
        assert_eq!(queue.pop(at(2000)), Some(POD));
    }

    #[test]
    fn an_event_moves_only_pods_whose_filters_it_can_help() {
        let mut queue = queue("kubernetes");
        for (pod, filters) in [(PodId(1), FIT), (PodId(2), TAINT)] {
            queue.add(pod, 0, at(0));
            queue.pop(at(0));
            queue.refused(pod, filters, at(0));
        }
        queue.on_event(Event::PodAdded, at(5000));
        assert_eq!(queue.counts().unschedulable, 2);
        queue.on_event(Event::NodeUpdated(NodeChange { taints: true, ..NodeChange::default() }), at(5000));
        assert_eq!(queue.pop(at(5000)), Some(PodId(2)));
        assert_eq!(queue.pop(at(5000)), None);
        queue.on_event(Event::PodReleased, at(5001));
        assert_eq!(queue.pop(at(5001)), Some(PodId(1)));
    }

    #[test]
    fn events_during_an_attempt_are_not_missed() {
        let mut queue = queue("kubernetes");
        queue.add(POD, 0, at(0));
        queue.pop(at(0));
        queue.on_event(Event::NodeUpdated(NodeChange { taints: true, ..NodeChange::default() }), at(1));
        queue.refused(POD, FIT, at(2));
        assert_eq!(queue.counts().unschedulable, 1, "a taint does not help a pod that lacks resources");
        queue.on_event(Event::PodReleased, at(9000));
        queue.pop(at(9000));
        queue.on_event(Event::PodReleased, at(9001));
        queue.refused(POD, FIT, at(9002));
        assert_eq!(queue.counts().backoff, 1);
    }

    #[test]
    fn a_pod_without_events_is_tried_again_on_the_first_flush_after_five_minutes() {
        let mut queue = queue("kubernetes");
        queue.add(POD, 0, at(0));
        queue.pop(at(0));
        queue.refused(POD, FIT, at(0));
        assert_eq!(queue.next_wake(), Some(Time::from_secs(330)));
        assert_eq!(queue.pop(Time::from_secs(329)), None);
        assert_eq!(queue.pop(Time::from_secs(330)), Some(POD));
    }

    #[test]
    fn without_backoff_helped_pods_are_active_at_once() {
        let mut queue = queue("swarm");
        queue.add(POD, 0, at(0));
        queue.pop(at(0));
        queue.refused(POD, FIT, at(0));
        queue.on_event(Event::NodeAdded, at(1));
        assert_eq!(queue.counts(), Counts { active: 1, ..Counts::default() });
    }

    #[test]
    fn without_nodes_a_refusal_is_an_error_and_backs_off() {
        let mut queue = queue("kubernetes");
        queue.add(POD, 0, at(0));
        queue.pop(at(0));
        queue.refused(POD, FilterSet::EMPTY, at(0));
        assert_eq!(queue.next_wake(), Some(Time::from_secs(2)));
        queue.remove(POD);
        assert!(queue.is_empty());
        assert_eq!(queue.next_wake(), None);
    }

    #[test]
    fn without_nodes_and_backoff_a_pod_waits_for_a_node() {
        let mut queue = queue("swarm");
        queue.add(POD, 0, at(0));
        queue.pop(at(0));
        queue.refused(POD, FilterSet::EMPTY, at(0));
        assert!(!queue.is_ready(), "nothing is tried without end");
        queue.on_event(Event::NodeAdded, at(9));
        assert_eq!(queue.pop(at(9)), Some(POD));
    }
}
