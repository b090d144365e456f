//! Two-level scheduling: a master offers what is free on its nodes, and frameworks take the first offer they can use.
//!
//! There is no queue of pods and no score here. Each framework has the pods that it wants to launch, by version; the
//! allocator goes through the nodes in random order and offers all that is free on each to the framework with the
//! smallest share that has not declined it. What nobody waits for is not simulated: filters of an idle framework are
//! worked out when somebody else asks.
//!
//! - `allocate`: one allocation, and what a framework makes of an offer · `drf`: who is served first
//! - `filters`: what was declined · `backoff`: versions that failed wait · `constraints`: `UNIQUE`, `GROUP_BY` and others
//! - `lost`: what becomes of pods on silent nodes
//!
//! Sources: apache/mesos:src/master/allocator/mesos/hierarchical.cpp and mesosphere/marathon:src/main/scala/mesosphere/
//! marathon/core. Start at [`Control::plan_offers`].

mod allocate;
mod audit;
mod backoff;
mod constraints;
mod drf;
mod filters;
mod lost;

use std::collections::{BTreeMap, BTreeSet};

use crate::control::{Alarm, Control, Cx, PodPhase, Write};
use crate::fact::{Client, Deletion, FactId, FactKind, Note, Subject};
use crate::ids::{NodeId, PodId, RevisionId, Symbol, TemplateId};
use crate::model::{Catalog, WorkloadKind};
use crate::profile::{self, Dispatch, Profile};
use crate::rng::{Purpose, Stream, Streams};
use crate::time::{Span, Time};

use backoff::Delays;
use constraints::Places;
use drf::Share;
use filters::Filters;
pub(super) use lost::Lost;

/// Pods whose template has this label belong to a framework of that name, which competes with the others for offers.
pub(crate) const FRAMEWORK_LABEL: &str = "mesos.framework";

/// Something that happens later by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OffersAlarm {
    /// A launched pod should run by now.
    LaunchOverdue { pod: PodId },
    /// A pod on a silent node is replaced, unless the node was heard since (stamp).
    Inactive { pod: PodId, node: NodeId, stamp: u32 },
    /// A pod on a silent node is forgotten, unless the node was heard since (stamp).
    Expunge { pod: PodId, node: NodeId, stamp: u32 },
    /// The next silent node may be marked as unreachable.
    Permit,
}

/// What the master and its frameworks remember.
#[derive(Clone)]
pub(super) struct OfferBook {
    frameworks: Vec<FrameworkRow>,
    /// By the template's label; others belong to services or jobs.
    named: BTreeMap<Symbol, usize>,
    label: Option<Symbol>,
    luck: Stream,
    /// Where the grids of allocator, tokens and checks begin.
    phase: Span,
    armed_at: Option<Time>,
    /// Something became free since the last allocation, or a node changed.
    stirred: bool,
    delays: Delays,
    places: Places,
    pub(super) lost: Lost,
}

/// A framework.
#[derive(Clone)]
struct FrameworkRow {
    policy: profile::Framework,
    /// Pods to launch, by version.
    waiting: BTreeMap<RevisionId, BTreeSet<PodId>>,
    /// Versions of these whose back-off was not over at the last look.
    held: BTreeSet<RevisionId>,
    filters: Filters,
    share: Share,
    /// It wants all offers anew, and its wish is at the master by then.
    wants: Option<Time>,
    revived_at: Option<Time>,
    /// Launches left until the tokens are set back, and when that was last done.
    tokens: u32,
    tokens_at: Time,
}

/// The framework of services; the one of jobs comes next where there are jobs.
const SERVICES: usize = 0;
const BATCH: usize = 1;

impl OfferBook {
    pub(super) fn new(catalog: &Catalog, profile: &Profile, streams: Streams) -> Self {
        let mut book = Self {
            frameworks: Vec::new(),
            named: BTreeMap::new(),
            label: catalog.names.find(FRAMEWORK_LABEL),
            luck: streams.stream(Purpose::Scheduler, 1),
            phase: Span::ZERO,
            armed_at: None,
            stirred: false,
            delays: Delays::default(),
            places: Places::default(),
            lost: Lost::default(),
        };
        let Dispatch::Offers(offers) = profile.dispatch else { return book };
        book.phase = book.luck.span(Span::ZERO, offers.allocation_interval);
        let row = |policy| FrameworkRow::new(policy, offers.launch_tokens);
        book.frameworks.push(row(offers.services));
        let jobs = |kind| matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob);
        if catalog.workloads.rows().iter().any(|workload| jobs(workload.kind)) {
            book.frameworks.push(row(offers.batch));
        }
        let names = catalog.templates.rows().iter().filter_map(|t| t.labels.get(book.label?));
        for name in names.collect::<BTreeSet<_>>() {
            book.named.insert(name, book.frameworks.len());
            // A framework of one's own that sets no filters has Mesos' default. Source: apache/mesos:include/mesos/mesos.proto.
            let policy = profile::Framework { revives: true, ..offers.batch };
            book.frameworks.push(row(policy));
        }
        book
    }
}

impl FrameworkRow {
    fn new(policy: profile::Framework, tokens: u32) -> Self {
        Self {
            policy,
            waiting: BTreeMap::new(),
            held: BTreeSet::new(),
            filters: Filters::default(),
            share: Share::default(),
            wants: None,
            revived_at: None,
            tokens,
            tokens_at: Time::ZERO,
        }
    }

    /// When it gets all offers anew; `None`: it does not ask for them.
    fn revive_at(&self) -> Option<Time> {
        let wants = self.wants.filter(|_| self.policy.revives)?;
        Some(self.revived_at.map_or(wants, |last| (last + self.policy.revive_interval).max(wants)))
    }
}

impl Control {
    /// How resources are offered, where they are.
    pub(super) fn offer_policy(&self) -> Option<profile::Offers> {
        match self.profile.dispatch {
            Dispatch::Offers(offers) => Some(offers),
            Dispatch::Queue
            | Dispatch::Ticks { .. }
            | Dispatch::Rounds { .. }
            | Dispatch::Auction { .. }
            | Dispatch::Evaluations(_) => None,
        }
    }

    /// The framework that launches pods of a template for a workload's kind.
    fn framework_of(&self, template: TemplateId, kind: WorkloadKind) -> usize {
        let book = &self.offers;
        let label = book.label.and_then(|key| self.catalog.templates[template].labels.get(key));
        match label.and_then(|name| book.named.get(&name)) {
            Some(&framework) => framework,
            None if matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob) => BATCH,
            None => SERVICES,
        }
    }

    fn framework_of_pod(&self, pod: PodId) -> usize {
        let row = &self.pods[pod];
        self.framework_of(row.template, self.catalog.workloads[row.workload].kind)
    }

    /// A framework has a pod to launch.
    pub(super) fn want_launch(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let Some(policy) = self.offer_policy() else { return };
        let (framework, revision) = (self.framework_of_pod(pod), self.pods[pod].revision);
        let row = &mut self.offers.frameworks[framework];
        row.waiting.entry(revision).or_default().insert(pod);
        row.wants.get_or_insert(cx.now + policy.latency);
        if self.offers.delays.held_until(revision, cx.now).is_some() {
            self.offers.frameworks[framework].held.insert(revision);
            self.tell_delay(cx, pod);
        }
        self.plan_offers(cx);
    }

    /// A pod will not be launched any more, or was.
    pub(super) fn want_no_launch(&mut self, pod: PodId) {
        if self.offers.frameworks.is_empty() {
            return;
        }
        let (framework, revision) = (self.framework_of_pod(pod), self.pods[pod].revision);
        let waiting = &mut self.offers.frameworks[framework].waiting;
        if let Some(pods) = waiting.get_mut(&revision) {
            pods.remove(&pod);
            if pods.is_empty() {
                waiting.remove(&revision);
            }
        }
    }

    /// Something is free that was not, or a node has changed.
    pub(super) fn offers_stirred(&mut self) {
        self.offers.stirred = true;
    }

    /// Sets the alarm for the next allocation that can make a difference; none while nobody waits.
    pub(super) fn plan_offers(&mut self, cx: &mut Cx<'_>) {
        let Some(policy) = self.offer_policy() else { return };
        let frameworks = 0..self.offers.frameworks.len();
        let Some(at) = frameworks.filter_map(|f| self.next_chance(f, &policy, cx.now)).min() else { return };
        let book = &mut self.offers;
        if book.armed_at.is_none_or(|armed| at < armed) {
            book.armed_at = Some(at);
            cx.timers.set(at, FactId::NONE, Alarm::Schedule);
        }
    }

    /// When a framework may get an offer that it can use.
    fn next_chance(&self, framework: usize, policy: &profile::Offers, now: Time) -> Option<Time> {
        let book = &self.offers;
        let row = &book.frameworks[framework];
        let held = |revision: &RevisionId| book.delays.held_until(*revision, now);
        let versions = row.waiting.keys();
        let (mut launchable, mut released) = (false, None::<Time>);
        for revision in versions {
            match held(revision) {
                None => launchable = true,
                Some(until) => released = Some(released.map_or(until, |first| first.min(until))),
            }
        }
        if !launchable {
            return released;
        }
        let tick = |at: Time| at.next_tick(policy.allocation_interval, book.phase);
        let from = if self.tokens_of(framework, policy, now) > 0 { now } else { self.tokens_back(policy, now) };
        let soon = now + Span::from_nanos(1);
        let batch =
            if book.stirred { Some(tick(soon)) } else { row.filters.next_expiry().map(|at| tick(at.max(soon))) };
        let revive = row.revive_at().map(|at| at.max(now));
        // A framework that does not ask for offers waits for those that it would have declined.
        let first = row.wants.filter(|_| !row.policy.revives).map(|_| tick(soon));
        let chance = [batch, revive, first].into_iter().flatten().min();
        [chance.map(|at| at.max(from)), released].into_iter().flatten().min()
    }

    fn tokens_of(&self, framework: usize, policy: &profile::Offers, now: Time) -> u32 {
        let row = &self.offers.frameworks[framework];
        let refreshed = row.tokens_at + policy.token_refresh <= now;
        if framework != SERVICES {
            u32::MAX
        } else if refreshed {
            policy.launch_tokens
        } else {
            row.tokens
        }
    }

    fn tokens_back(&self, policy: &profile::Offers, now: Time) -> Time {
        (now + Span::from_nanos(1)).next_tick(policy.token_refresh, self.offers.phase)
    }

    /// A task runs and is healthy: its launch does not count any more.
    pub(super) fn launch_confirmed(&mut self, pod: PodId) {
        if self.offer_policy().is_some() && self.framework_of_pod(pod) == SERVICES {
            let row = &mut self.offers.frameworks[SERVICES];
            row.tokens = row.tokens.saturating_add(1);
        }
    }

    /// The alarm of [`Control::plan_offers`] is due.
    pub(super) fn offers_due(&mut self, cx: &mut Cx<'_>) {
        let Some(policy) = self.offer_policy() else { return };
        if self.offers.armed_at.is_none_or(|at| at > cx.now) {
            return; // An earlier plan: another alarm was set since, or has come already.
        }
        self.offers.armed_at = None;
        let mut revived = false;
        for f in 0..self.offers.frameworks.len() {
            let refreshed = self.offers.frameworks[f].tokens_at + policy.token_refresh <= cx.now;
            let row = &mut self.offers.frameworks[f];
            if refreshed {
                row.tokens = policy.launch_tokens;
                let passed = cx.now.next_tick(policy.token_refresh, self.offers.phase);
                row.tokens_at = if passed > cx.now { passed - policy.token_refresh } else { cx.now };
            }
            let released = release(row, &self.offers.delays, cx.now);
            if released && row.revive_at().is_some_and(|at| at <= cx.now) {
                row.wants = None;
                row.revived_at = Some(cx.now);
                row.filters.clear();
                revived = true;
            }
        }
        let tick = cx.now.next_tick(policy.allocation_interval, self.offers.phase) == cx.now;
        if revived || tick {
            self.allocate(cx, &policy);
        }
        self.plan_offers(cx);
    }

    /// Something that was planned here is due.
    pub(super) fn offers_alarm(&mut self, cx: &mut Cx<'_>, cause: FactId, alarm: OffersAlarm) {
        match alarm {
            OffersAlarm::LaunchOverdue { pod } => self.launch_overdue(cx, pod),
            OffersAlarm::Inactive { pod, node, stamp } => self.instance_inactive(cx, cause, (pod, node, stamp)),
            OffersAlarm::Expunge { pod, node, stamp } => self.instance_expunged(cx, cause, (pod, node, stamp)),
            OffersAlarm::Permit => self.next_removal(cx),
        }
    }

    /// A launched pod is looked at when it should run.
    fn await_launch(&mut self, cx: &mut Cx<'_>, policy: &profile::Offers, pod: PodId) {
        let due = (cx.now + policy.launch_timeout).next_tick(policy.launch_check, self.offers.phase);
        cx.timers.set(due, self.pods[pod].last_fact, Alarm::Offers(OffersAlarm::LaunchOverdue { pod }));
    }

    /// One that does not run yet is killed, and another is launched.
    fn launch_overdue(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let row = &self.pods[pod];
        if row.gone || row.deleting.is_some() || !matches!(row.phase, PodPhase::Queued | PodPhase::Starting) {
            return;
        }
        let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::LaunchOverdue };
        let fact = cx.facts.record(cx.now, row.last_fact, kind);
        let write = Write::DeletePod { pod, why: Deletion::Failed, grace: None };
        self.pods[pod].delete_sent = true;
        self.write(cx, Client::Replication, fact, write);
    }

    /// A pod waits for its version's back-off.
    fn tell_delay(&mut self, cx: &mut Cx<'_>, pod: PodId) {
        let kind = FactKind::Noted { subject: Subject::Pod(pod), note: Note::LaunchDelayed };
        let cause = self.pods[pod].last_fact;
        self.pods[pod].last_fact = cx.facts.record(cx.now, cause, kind);
    }
}

/// Looks whose back-off is over: those versions are a reason to ask for offers. True when anything may be launched.
fn release(row: &mut FrameworkRow, delays: &Delays, now: Time) -> bool {
    let held = |revision: &RevisionId| delays.held_until(*revision, now).is_some();
    let before = std::mem::take(&mut row.held);
    row.held = row.waiting.keys().copied().filter(|revision| held(revision)).collect();
    if before.iter().any(|revision| row.waiting.contains_key(revision) && !row.held.contains(revision)) {
        row.wants.get_or_insert(now);
    }
    row.held.len() < row.waiting.len()
}
