//! The store and its clients: every change costs a request, a rate limit, a write and a watch.
//!
//! Real recoveries are dominated by these limits, not by algorithms. A controller never changes a table directly: it
//! calls [`Control::write`], and the change happens when the store has it. Start there.

use crate::control::events::{Events, is_limited};
use crate::control::job::StatusStep;
use crate::control::volumes::StorageWrite;
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Deletion, FactId, FactKind};
use crate::ids::{AutoscalerId, BudgetId, NodeId, PodId, QuotaId, RevisionId, ServiceId, WorkloadId};
use crate::message::PodReport;
use crate::profile::RateLimit;
use crate::time::{Span, Time};

/// A change that is on its way to the store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    /// A replica of a revision in a slot, not to be started before a time.
    CreatePod { revision: RevisionId, not_before: Time, slot: u32 },
    /// The scheduler's choice.
    Bind { pod: PodId, node: NodeId },
    /// A node is promised to a pod, once pods of lower priority are gone.
    Nominate { pod: PodId, node: NodeId },
    /// A pod is marked as pushed aside by one of higher priority; its deletion follows.
    Preempt { pod: PodId },
    /// A pod without its scheduling gates.
    Ungate { pod: PodId },
    /// Deletion of a pod, with its own grace or this one.
    DeletePod { pod: PodId, why: Deletion, grace: Option<Span> },
    /// An agent's report.
    Report { pod: PodId, node: NodeId, report: PodReport },
    /// The node controller's opinion of a pod on an unhealthy node.
    MarkUnready { pod: PodId, node: NodeId },
    /// A revision's wanted replicas.
    ScaleRevision { revision: RevisionId, wanted: u32 },
    /// Pending changes of a service's endpoints.
    Endpoints { service: ServiceId },
    /// The taint that closes an unhealthy node, or its removal, as the node's health is when it lands.
    NodeTaint { node: NodeId },
    /// Forced deletion of a pod whose node does not exist.
    CollectPod { pod: PodId, why: Deletion },
    /// Something about claims and volumes.
    Storage(StorageWrite),
    /// Counts and conditions of a job's run.
    JobStatus { revision: RevisionId, step: StatusStep },
    /// A cron job's next run.
    StartRun { workload: WorkloadId },
    /// Replicas that an autoscaler wants.
    Autoscale { autoscaler: AutoscalerId, replicas: u32 },
    /// A budget's status, as its controller has counted it.
    BudgetStatus { budget: BudgetId },
    /// A disruption is taken from a budget, unless its status changed since this version.
    ChargeBudget { budget: BudgetId, pod: PodId, version: u32, attempt: u32 },
    /// A pod is marked as about to be evicted.
    MarkDisrupted { pod: PodId },
    /// A quota's use, as its controller has counted it.
    QuotaStatus { quota: QuotaId },
}

/// A token bucket that answers when a request may go out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limiter {
    /// Nanoseconds between two requests in the long run; 0 means unlimited.
    interval: u64,
    burst: u64,
    /// When the bucket would be full again, were nothing asked any more.
    full_at: Time,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let interval = if limit.qps == 0 { 0 } else { 1_000_000_000 / u64::from(limit.qps) };
        Self { interval, burst: u64::from(limit.burst.max(1)), full_at: Time::ZERO }
    }

    /// Takes a token and returns when the request may go: now, or when its token will be there.
    pub(crate) fn grant(&mut self, now: Time) -> Time {
        if self.interval == 0 {
            return now;
        }
        let interval = Span::from_nanos(self.interval);
        self.full_at = self.full_at.max(now) + interval;
        // With `burst` tokens the bucket may be at most `burst` intervals short of full.
        now.max(self.full_at - interval.times(self.burst))
    }
}

/// The store's own clock: writes are serial at its capacity.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    free_at: Time,
    per_write: Span,
    latency: Span,
    limiters: [Limiter; Client::COUNT],
    /// When each client's wait was last reported, and how long it was.
    told: [(Time, Span); Client::COUNT],
    /// What the controller of replicas posts about its work.
    events: Events,
}

impl Store {
    pub(crate) fn new(control: &crate::profile::ControlPlane) -> Self {
        let per_write = Span::from_nanos(1_000_000_000 / u64::from(control.store_writes_per_second.max(1)));
        Self {
            free_at: Time::ZERO,
            per_write,
            latency: control.store_write,
            limiters: control.limits.map(Limiter::new),
            told: [(Time::ZERO, Span::ZERO); Client::COUNT],
            events: Events::default(),
        }
    }

    /// Nothing is written before this.
    pub(super) fn stall(&mut self, until: Time) {
        self.free_at = self.free_at.max(until);
    }

    /// A client's process starts anew, with a full bucket.
    pub(super) fn refresh(&mut self, control: &crate::profile::ControlPlane, client: Client) {
        self.limiters[client as usize] = Limiter::new(control.limit(client));
    }

    /// The next token of the controller of replicas, whose events take some of them.
    fn grant_with_events(&mut self, from: Time) -> Time {
        let limiter = &mut self.limiters[Client::Replication as usize];
        self.events.settle(from, self.latency, limiter);
        limiter.grant(from)
    }

    /// A client makes a request that changes nothing here, but counts for its rate limit.
    pub(crate) fn spend(&mut self, now: Time, client: Client) {
        self.limiters[client as usize].grant(now);
    }
}

/// Waits longer than this are reported, so that a report can say what limited a recovery.
const THROTTLE_WORTH_TELLING: Span = Span::from_secs(1);
/// And no more often than this for one client, unless the wait has doubled.
const THROTTLE_TELL_PERIOD: Span = Span::from_secs(60);

impl Control {
    /// Sends a change to the store on behalf of `client`; it happens when the store has it, at the returned time.
    pub(crate) fn write(&mut self, cx: &mut Cx<'_>, client: Client, cause: FactId, write: Write) -> Time {
        self.write_at(cx, cx.now, (client, cause), write)
    }

    /// Like [`Control::write`] for a request that its client makes at `from`.
    pub(crate) fn write_at(&mut self, cx: &mut Cx<'_>, from: Time, by: (Client, FactId), write: Write) -> Time {
        let (client, cause) = by;
        // An agent's limit is its own, kept on its node.
        let granted = match client {
            Client::Agent => from,
            Client::Replication => self.store.grant_with_events(from),
            _ => self.store.limiters[client as usize].grant(from),
        };
        if client == Client::Replication {
            self.post_event(granted, write);
        }
        let wait = granted.since(from);
        let (told_at, told) = &mut self.store.told[client as usize];
        let rested = cx.now.since(*told_at) >= THROTTLE_TELL_PERIOD;
        if wait > THROTTLE_WORTH_TELLING && (rested || wait >= told.times(2)) {
            (*told_at, *told) = (cx.now, wait);
            cx.facts.record(cx.now, cause, FactKind::Throttled { client, wait });
        }
        // A request that goes out later must not hold up one that is ready now: capacity is only claimed by the present.
        let crowded = self.crowded(cx, client);
        if granted > from || !crowded.is_zero() {
            let granted = granted + crowded;
            cx.timers.set(granted, cause, Alarm::Send { client, write });
            return self.store.free_at.max(granted) + self.store.latency;
        }
        let start = self.store.free_at.max(granted);
        self.store.free_at = start + self.store.per_write;
        let done = start + self.store.latency;
        cx.timers.set(done, cause, Alarm::Commit(write));
        done
    }

    /// A replica is made or deleted at `granted`, and an event will say so.
    fn post_event(&mut self, granted: Time, write: Write) {
        let control = &self.profile.control;
        let object = match write {
            Write::CreatePod { revision, .. } => revision,
            Write::DeletePod { pod, .. } => self.pods[pod].revision,
            _ => return,
        };
        if control.event_burst > 0 && is_limited(control.limit(Client::Replication)) {
            self.store.events.post(object, granted + self.store.latency, control.event_burst);
        }
    }

    /// A request that waited for its token goes out.
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, cause: FactId, _client: Client, write: Write) {
        let start = self.store.free_at.max(cx.now);
        self.store.free_at = start + self.store.per_write;
        cx.timers.set(start + self.store.latency, cause, Alarm::Commit(write));
    }

    /// The store has a change.
    pub(crate) fn commit(&mut self, cx: &mut Cx<'_>, cause: FactId, write: Write) {
        match write {
            Write::CreatePod { revision, .. } if self.asks_admission(revision) => {
                self.admit(cx, cause, revision, write)
            }
            write if self.asks_for_change(write) => self.admit_change(cx, cause, write),
            write => self.store_has(cx, cause, write),
        }
    }

    /// What a change does when nothing is in its way any more.
    pub(super) fn store_has(&mut self, cx: &mut Cx<'_>, cause: FactId, write: Write) {
        self.commit_heard(cx.now);
        match write {
            Write::CreatePod { revision, not_before, slot } => {
                self.pod_created(cx, cause, revision, (not_before, slot));
            }
            Write::Bind { pod, node } => self.pod_bound(cx, cause, pod, node),
            Write::Nominate { pod, node } => self.pod_nominated(cx, cause, pod, node),
            Write::Preempt { pod } => self.pod_preempted(cx, cause, pod),
            Write::Ungate { pod } => self.pod_ungated(cx, cause, pod),
            Write::DeletePod { pod, why, grace } => self.pod_deleting(cx, cause, (pod, why, grace)),
            Write::Report { pod, node, report } => self.pod_reported(cx, cause, (pod, node, report)),
            Write::MarkUnready { pod, node } => self.pod_marked_unready(cx, cause, pod, node),
            Write::ScaleRevision { revision, wanted } => self.revision_scaled(cx, cause, revision, wanted),
            Write::Endpoints { service } => {
                self.publish(cx, cause, service);
                self.webhooks_published(cx, service);
            }
            Write::NodeTaint { node } => self.node_tainted(cx, cause, node),
            Write::Storage(write) => self.storage_written(cx, cause, write),
            Write::CollectPod { pod, why } => self.pod_collected(cx, cause, pod, why),
            Write::JobStatus { revision, step } => self.job_status_written(cx, revision, step),
            Write::StartRun { workload } => self.run_started(cx, cause, workload),
            Write::Autoscale { autoscaler, replicas } => self.autoscaled(cx, cause, autoscaler, replicas),
            Write::BudgetStatus { budget } => self.budget_written(cx, budget),
            Write::ChargeBudget { budget, pod, version, attempt } => {
                self.budget_charged(cx, cause, (budget, pod, version, attempt));
            }
            Write::MarkDisrupted { pod } => self.pod_marked_disrupted(cx, cause, pod),
            Write::QuotaStatus { quota } => self.quota_counted(cx, quota),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limiter_allows_the_burst_and_then_the_rate() {
        let mut limiter = Limiter::new(RateLimit { qps: 20, burst: 30 });
        let grants: Vec<u64> = (0..1000).map(|_| limiter.grant(Time::ZERO).as_nanos() / 1_000_000).collect();
        assert_eq!(grants[..30], [0; 30], "the burst goes at once");
        assert_eq!(grants[30], 50);
        assert_eq!(grants[999], 48_500, "1,000 requests need 970 intervals of 50 ms");
    }

    #[test]
    fn limiter_refills_while_idle() {
        let mut limiter = Limiter::new(RateLimit { qps: 10, burst: 2 });
        let at = Time::from_secs(100);
        assert_eq!((limiter.grant(at), limiter.grant(at)), (at, at));
        assert_eq!(limiter.grant(at), at + Span::from_millis(100));
    }
}
