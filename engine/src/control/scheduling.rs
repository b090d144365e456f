//! The scheduler's loop: one pod at a time, each decision costs time, each binding a request.
//!
//! The scheduler keeps its own picture of the cluster: a pod takes its place there when it is decided on, long before
//! the store agrees. Pods that are not tried yet are in `waiting`, pods that push others aside in `preemption`. Start at [`Control::schedule`].

use crate::control::evaluations::Broker;
use crate::control::preemption::Preempting;
use crate::control::tables::PodRow;
use crate::control::ticks::Debounce;
use crate::control::waiting::Waiting;
use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, FactId, FactKind};
use crate::ids::{NodeId, PodId, Table, TemplateId};
use crate::model::Catalog;
use crate::profile::{Dispatch, Profile};
use crate::rng::{Purpose, Stream, Streams};
use crate::scheduler::queue::{Event, NodeChange, SchedulingQueue};
use crate::scheduler::{FilterSet, Outcome, Refusal, Request, Scheduler};
use crate::time::{Span, Time};

use std::collections::BTreeMap;
use std::sync::Arc;

/// Scheduler, queue and what the loop is doing.
#[derive(Clone)]
pub(super) struct Scheduling {
    pub(super) scheduler: Scheduler,
    pub(super) queue: SchedulingQueue,
    pub(super) waiting: Waiting,
    pub(super) preempting: Preempting,
    /// The present decision is made by then.
    pub(super) free_at: Time,
    /// An alarm is set for this time.
    armed_at: Option<Time>,
    /// Where decisions come in rounds: one is under way, or begins at once.
    round: bool,
    /// Where the grid of rounds begins.
    phase: Span,
    /// Last refusal of each pod that waits, so that a fact is recorded only when it changes.
    pub(super) refused: BTreeMap<PodId, (u32, u32)>,
    /// Pods of the present batch that are still to be decided on, where decisions are made in batches.
    batch: usize,
    /// When it has been quiet for long enough, where it waits for that.
    pub(super) debounce: Debounce,
    /// Order of groups and of what is alike.
    pub(super) luck: Stream,
    pub(super) broker: Broker,
    /// Every attempt, where somebody asked for them.
    pub(super) attempts: Option<Vec<(Time, PodId)>>,
}

impl Scheduling {
    pub(super) fn new(catalog: &Arc<Catalog>, profile: &Profile, streams: Streams) -> Self {
        let luck = streams.stream(Purpose::Scheduler, 0);
        Self {
            scheduler: Scheduler::with_profiles(
                Arc::clone(catalog),
                (profile.placement.clone(), &profile.schedulers),
                luck,
            ),
            queue: SchedulingQueue::new(profile.queue.clone()),
            waiting: Waiting::default(),
            preempting: Preempting::default(),
            free_at: Time::ZERO,
            armed_at: None,
            round: false,
            phase: match profile.dispatch {
                Dispatch::Rounds { every, .. } => streams.stream(Purpose::ControlLoop, 2).span(Span::ZERO, every),
                Dispatch::Queue
                | Dispatch::Ticks { .. }
                | Dispatch::Offers(_)
                | Dispatch::Auction { .. }
                | Dispatch::Evaluations(_) => Span::ZERO,
            },
            batch: 0,
            refused: BTreeMap::new(),
            debounce: Debounce::default(),
            luck: streams.stream(Purpose::Scheduler, 1),
            attempts: None,
            broker: Broker::new(streams.stream(Purpose::Scheduler, 2)),
        }
    }
}

impl Scheduling {
    /// Pods that were refused and wait, in id order.
    pub(super) fn refused_pods(&self) -> impl Iterator<Item = PodId> + '_ {
        self.refused.keys().copied()
    }
}

impl Scheduling {
    /// A scheduler that knows nothing of a pod's past tries it at once.
    pub(super) fn reconsider(&mut self, pod: PodId, now: Time) {
        self.queue.activate(pod, now);
    }
}

impl Control {
    /// A pod as the scheduler wants it described.
    pub(super) fn request(&self, pod: PodId) -> Request {
        let row = &self.pods[pod];
        Request { pod, template: row.template, workload: Some(row.workload), only: row.pinned }
    }

    /// The scheduler has seen a new pod.
    pub(super) fn enqueue(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        if row.gone || row.deleting.is_some() || row.assumed.is_some() {
            return;
        }
        let template = &self.catalog.templates[row.template];
        let (priority, last) = (template.priority, row.last_fact);
        if let Some(name) = template.node_name {
            // Bound by its author: no scheduler is asked. An unknown name leaves it pending for ever, as in the original.
            let named = self.catalog.nodes.iter().find(|(_, n)| n.name == name).map(|(id, _)| id);
            if let Some(node) = named {
                self.take_place(pod, node);
                self.write(cx, Client::Operator, last, Write::Bind { pod, node });
            }
            return;
        }
        if self.holds_back(cx, pod) {
            return;
        }
        if self.offer_policy().is_some() {
            return self.want_launch(cx, pod);
        }
        let priority = match &self.profile.dispatch {
            Dispatch::Auction { .. } => self.auction_rank(pod),
            _ => priority,
        };
        if self.evaluation_policy().is_some() {
            return self.evaluate_for(cx, pod);
        }
        self.scheduling.queue.add(pod, priority, cx.now);
        self.scheduling.round |= matches!(self.profile.dispatch, Dispatch::Rounds { watches: true, .. });
        self.wake_scheduler(cx);
    }

    /// The place of a pod in an auction: first instances, tasks, further instances by index; by memory among equals.
    ///
    /// Source: cloudfoundry/auction:auctionrunner/scheduler.go, `Schedule`; sortable_auctions.go.
    fn auction_rank(&self, pod: PodId) -> i32 {
        const STEP: i32 = 1 << 16;
        let row = &self.pods[pod];
        let megabytes = self.catalog.templates[row.template].requests.memory.0 >> 20;
        let memory = i32::try_from(megabytes).unwrap_or(i32::MAX).clamp(0, STEP - 1);
        // Slots count from 1, indexes from 0.
        let index = i32::try_from(row.slot.saturating_sub(1)).unwrap_or(i32::MAX).min(STEP / 2 - 1);
        match index {
            _ if self.is_job(row.workload) => (1 << 29) + memory,
            0 => (1 << 30) + memory,
            _ => memory - index * STEP,
        }
    }

    /// Decides on waiting pods until a decision takes time.
    pub(super) fn schedule(&mut self, cx: &mut Cx<'_>) {
        if self.offer_policy().is_some() {
            return self.offers_due(cx);
        }
        self.scheduling.armed_at = None;
        self.scheduling.round = true;
        self.scheduling.queue.advance(cx.now);
        let ready = self.scheduling.queue.ready();
        self.scheduling.batch = if self.scheduling.batch == 0 { ready } else { self.scheduling.batch.min(ready) };
        if let Dispatch::Ticks { .. } = self.profile.dispatch {
            if self.scheduling.queue.is_ready() && self.quiet_at().max(self.scheduling.free_at) <= cx.now {
                self.tick(cx);
            }
        } else if self.scheduling.free_at <= cx.now
            && let Some(pod) = self.scheduling.queue.pop(cx.now)
        {
            self.scheduling.batch = self.scheduling.batch.saturating_sub(1);
            self.decide(cx, pod);
        }
        self.wake_scheduler(cx);
    }

    /// Every attempt is kept from now on.
    pub(crate) fn keep_attempts(&mut self) {
        self.scheduling.attempts.get_or_insert_default();
    }

    pub(super) fn decide(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        if let Some(attempts) = &mut self.scheduling.attempts {
            attempts.push((cx.now, pod));
        }
        if let Some(group) = self.catalog.templates[self.pods[pod].template].group {
            return self.decide_group(cx, group, pod);
        }
        let (outcome, cost) = self.try_place(pod);
        self.scheduling.free_at = cx.now + cost;
        match outcome {
            Outcome::Placed { node, .. } => {
                self.scheduling.queue.remove(pod);
                self.scheduling.refused.remove(&pod);
                self.take_place(pod, node);
                self.pod_moved(cx, Event::PodAdded, pod);
                self.bind(cx, pod, node);
            }
            Outcome::Refused(refusal) => self.refuse(cx, pod, &refusal),
        }
    }

    /// Looks for a node, and says how long that takes.
    pub(super) fn try_place(&mut self, pod: PodId) -> (Outcome, Span) {
        let request = self.request(pod);
        let lent = self.lend_place(pod);
        let outcome = self.scheduling.scheduler.place(&request);
        self.take_back_place(lent);
        let looked_at = match &outcome {
            Outcome::Placed { looked_at, .. } => *looked_at,
            Outcome::Refused(refusal) => refusal.looked_at,
        };
        let placement = &self.profile.placement;
        (outcome, placement.decision_cost + placement.decision_cost_per_node.times(u64::from(looked_at)))
    }

    /// Tells the store of a decision.
    pub(super) fn bind(&mut self, cx: &mut Cx<'_>, pod: PodId, node: NodeId) {
        if self.promise_volumes(cx, pod, node, self.scheduling.free_at) {
            return; // It is bound when its claims are.
        }
        let by = (Client::Scheduler, self.pods[pod].last_fact);
        self.write_at(cx, self.scheduling.free_at, by, Write::Bind { pod, node });
    }

    pub(super) fn take_place(&mut self, pod: PodId, node: NodeId) {
        let request = self.request(pod);
        self.scheduling.scheduler.charge(&request, node);
        self.pods[pod].assumed = Some(node);
        self.offers_charge(pod, node, 1);
    }

    fn refuse(&mut self, cx: &mut Cx<'_>, pod: PodId, refusal: &Refusal) {
        self.tell_refusal(cx, pod, refusal);
        if self.profile.replication.once {
            return self.refuse_for_good(cx, pod);
        }
        if !self.make_way(cx, pod, refusal.filters()) {
            self.scheduling.queue.refused(pod, refusal.filters(), cx.now);
        }
    }

    /// Why a pod found no node, recorded when it changes.
    pub(super) fn tell_refusal(&mut self, cx: &mut Cx<'_>, pod: PodId, refusal: &Refusal) {
        self.tell_refused_by(cx, pod, (refusal.insufficient_resources, refusal.refused_otherwise));
    }

    /// The same, of nodes that have not enough and nodes that are refused for another reason.
    pub(super) fn tell_refused_by(&mut self, cx: &mut Cx<'_>, pod: PodId, counts: (u32, u32)) {
        if self.scheduling.refused.insert(pod, counts) != Some(counts) {
            let (insufficient, refused) = counts;
            let cause = self.pods[pod].last_fact;
            let kind = FactKind::PodUnschedulable { pod, insufficient, refused };
            self.pods[pod].last_fact = cx.facts.record(cx.now, cause, kind);
        }
        self.pods[pod].phase = PodPhase::Unschedulable;
        self.pools_changed(cx);
    }

    /// Sets the alarm for the next decision or the next thing due in the queue.
    pub(super) fn wake_scheduler(&mut self, cx: &mut Cx<'_>) {
        if self.offer_policy().is_some() {
            return self.plan_offers(cx);
        }
        let quiet_at = self.quiet_at();
        let state = &mut self.scheduling;
        let due = if state.queue.is_ready() { Some(cx.now) } else { state.queue.next_wake() };
        state.round &= state.queue.is_ready();
        let due = match self.profile.dispatch {
            Dispatch::Rounds { every, .. } if !state.round => {
                due.map(|due| due.max(cx.now).next_tick(every, state.phase))
            }
            _ => due,
        };
        let Some(mut at) = due.map(|due| due.max(state.free_at).max(quiet_at).max(cx.now)) else { return };
        if let (Dispatch::Auction { gather }, 0) = (self.profile.dispatch, state.batch) {
            at += gather;
        }
        if state.armed_at.is_none_or(|armed| at < armed) {
            state.armed_at = Some(at);
            cx.timers.set(at, FactId::NONE, Alarm::Schedule);
        }
    }

    /// A pod will never be decided on any more.
    pub(super) fn forget_in_queue(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        self.scheduling.queue.remove(pod);
        self.want_no_launch(pod);
        self.leaves_broker(pod);
        self.scheduling.refused.remove(&pod);
        self.scheduling.scheduler.withdraw(pod);
        self.preempts_no_more(pod);
        self.victim_ends(cx, pod);
        self.leaves_waiting(cx, pod);
    }

    /// A pod's place is free again.
    pub(super) fn free_place(&mut self, cx: &mut Cx<'_>, pod: PodId, node: NodeId) {
        let request = self.request(pod);
        self.scheduling.scheduler.release(&request, node);
        self.pods[pod].assumed = None;
        self.offers_charge(pod, node, -1);
        self.offers_stirred();
        if self.evaluation_policy().is_some() {
            return self.unblock(cx, node);
        }
        self.pod_moved(cx, Event::PodReleased, pod);
        self.wake_scheduler(cx);
    }

    /// A pod took its place or left it: those are tried again whom that can help.
    pub(super) fn pod_moved(&mut self, cx: &mut Cx<'_>, event: Event, pod: PodId) {
        let (pods, moved) = (&self.pods, self.pods[pod].template);
        let Scheduling { queue, scheduler, .. } = &mut self.scheduling;
        let helps = |waiting, filters| scheduler.helps(event, moved, (waiting, filters));
        queue.on_event_for(event, cx.now, once_a_kind(pods, helps));
    }

    /// A node opened or closed, and the scheduler has been told: pods that were refused may fit now.
    pub(super) fn node_changed_for_queue(&mut self, cx: &mut Cx<'_>) {
        let change = NodeChange { taints: true, unschedulable: true, ..NodeChange::default() };
        self.tell_queue(cx, Event::NodeUpdated(change));
    }

    /// Something changed: pods that were refused may fit now.
    pub(super) fn tell_queue(&mut self, cx: &mut Cx<'_>, event: Event) {
        self.offers_stirred();
        if self.evaluation_policy().is_some() {
            return self.unblock_all(cx);
        }
        let Scheduling { queue, scheduler, .. } = &mut self.scheduling;
        if let Event::NodeAdded | Event::NodeUpdated(_) = event {
            let helps = |waiting, filters| scheduler.node_helps(event, (waiting, filters));
            queue.on_event_for(event, cx.now, once_a_kind(&self.pods, helps));
        } else {
            queue.on_event(event, cx.now);
        }
        self.wake_scheduler(cx);
    }

    /// What a node's pods request together: CPU in thousandths of a core, memory in bytes.
    pub(super) fn requested_on(&self, node: NodeId) -> (i64, i64) {
        let mut total = crate::model::Resources::default();
        for &pod in &self.nodes[node].pods {
            total.add(&self.catalog.templates[self.pods[pod].template].requests);
        }
        (total.cpu.0, total.memory.0)
    }
}

/// Asks once for waiting pods that come one after the other and are of one template, refused by the same filters.
fn once_a_kind(
    pods: &Table<PodId, PodRow>,
    helps: impl Fn(TemplateId, FilterSet) -> bool,
) -> impl FnMut(PodId, FilterSet) -> bool {
    let mut last = None;
    move |pod, filters| {
        let kind = (pods[pod].template, filters);
        match last {
            Some((known, answer)) if known == kind => answer,
            _ => {
                let answer = helps(kind.0, kind.1);
                last = Some((kind, answer));
                answer
            }
        }
    }
}
