//! A load balancer that asks its targets itself, from outside of the nodes.
//!
//! A standing order: as long as answers agree with what it thinks of a target nothing is planned, however many targets
//! there are. When an answer would differ it asks at each of its times until so many equal answers have changed its
//! mind or a different one has begun the count anew. A target that it finds unhealthy leaves the published endpoints at
//! once, whatever the control plane does. Start at `order_balance`.
//!
//! Assumptions: it asks by the way of users from outside; packet loss delays an answer and is not counted as failure;
//! a version that answers with errors answers its health check well, as it does its probes; each target's questions
//! have a phase of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shakedown_engine::fact::FactId;
use shakedown_engine::ids::{PodId, ServiceId};
use shakedown_engine::message::{Check, InputKind, Publication};
use shakedown_engine::rng::Purpose;
use shakedown_engine::time::{Span, Time};

use crate::event::{Event, Stamp};
use crate::network::Place;
use crate::world::SimWorld;

/// Numbers of the balancer's streams begin here, so that they are apart from those of nodes' proxies.
const STREAMS: u32 = 1 << 31;

/// What the balancer thinks of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It has not been asked.
    Unknown,
    Healthy,
    Unhealthy,
}

/// One target.
#[derive(Clone, Debug)]
struct Target {
    check: Check,
    first: Time,
    verdict: Verdict,
    /// The last equal answers in a row that contradict the verdict, and whether they were good.
    streak: u32,
    good: bool,
    /// A good answer was heard at least once.
    proved: bool,
    /// Of the next question or verdict.
    stamp: Stamp,
    pending: bool,
    cause: FactId,
}

impl Target {
    /// Equal answers that are needed to change the verdict.
    fn threshold(&self, good: bool) -> u32 {
        match (self.verdict, good) {
            (Verdict::Unknown, true) => self.check.first,
            // A trusted target that never answered is taken out by its first bad answer.
            (Verdict::Healthy, false) if self.check.first == 0 && !self.proved => 1,
            (_, true) => self.check.healthy_after,
            (_, false) => self.check.unhealthy_after,
        }
    }

    /// Whether an answer leaves everything as it is.
    fn agrees(&self, good: bool) -> bool {
        match self.verdict {
            Verdict::Unknown => false,
            Verdict::Healthy => good && (self.proved || self.check.first > 0),
            Verdict::Unhealthy => !good,
        }
    }
}

/// All targets of the balancer, and what it was told of services.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    rows: BTreeMap<PodId, Target>,
    touched: BTreeSet<PodId>,
    /// Newest endpoints of each service as the control plane has them.
    published: BTreeMap<ServiceId, (Publication, FactId)>,
    /// Editions that the balancer made by itself, so that versions stay apart.
    extra: BTreeMap<ServiceId, u32>,
}

impl Targets {
    /// Something that a target's answers depend on may have changed.
    pub(crate) fn touch(&mut self, pod: PodId) {
        if self.rows.contains_key(&pod) {
            self.touched.insert(pod);
        }
    }

    /// The same for all of them.
    pub(crate) fn touch_all(&mut self) {
        self.touched.extend(self.rows.keys());
    }

    /// What the control plane last published of a service.
    pub(crate) fn newest(&self, service: ServiceId) -> Option<Arc<[PodId]>> {
        self.published.get(&service).map(|(publication, _)| Arc::clone(&publication.endpoints))
    }

    /// Services that have published such a pod.
    pub(crate) fn services_on(&self, such: impl Fn(PodId) -> bool) -> Vec<ServiceId> {
        let has = |publication: &Publication| publication.endpoints.iter().any(|&pod| such(pod));
        self.published.iter().filter(|(_, (publication, _))| has(publication)).map(|(service, _)| *service).collect()
    }
}

impl SimWorld {
    /// Keeps a publication, and takes out of it what the balancer finds unhealthy and what is on nodes that nobody
    /// hears.
    pub(crate) fn sift(&mut self, publication: Publication, cause: FactId) -> Publication {
        self.take_absence_rule(&publication);
        let plain = self.targets.rows.is_empty() && self.targets.published.is_empty();
        if plain && self.absences.told() {
            return publication;
        }
        self.keep_unheard(&publication);
        self.targets.published.insert(publication.service, (publication.clone(), cause));
        self.sifted(publication)
    }

    fn sifted(&self, mut publication: Publication) -> Publication {
        publication.version += self.targets.extra.get(&publication.service).copied().unwrap_or(0);
        let row = |pod: &PodId| self.targets.rows.get(pod);
        let failed = |pod: &PodId| row(pod).is_some_and(|target| target.verdict == Verdict::Unhealthy);
        let hidden =
            |pod: &PodId| !self.absences.told() && self.pods.home(*pod).is_some_and(|node| self.absences.hides(node));
        let mut all = Arc::clone(&publication.endpoints);
        let kept: Vec<PodId> = self.absences.kept(publication.service).collect();
        if !kept.is_empty() {
            let union: BTreeSet<PodId> = all.iter().copied().chain(kept).collect();
            all = union.into_iter().collect();
        }
        let well: Vec<PodId> = all.iter().copied().filter(|pod| !failed(pod) && !hidden(pod)).collect();
        let open = well.is_empty() && all.iter().filter_map(row).any(|target| target.check.fail_open);
        if *well != *publication.endpoints && !open {
            publication.hints = None;
            publication.endpoints = well.into();
        }
        publication
    }

    /// Clients act on a service's endpoints anew: not the control plane has changed them, but who finds them well.
    pub(crate) fn publish_sifted(&mut self, service: ServiceId, cause: FactId) {
        let Some((publication, _)) = self.targets.published.get(&service).cloned() else { return };
        *self.targets.extra.entry(service).or_default() += 1;
        let at_once = Publication { lag: Span::ZERO, proxy_sync: Span::ZERO, ..publication };
        let sifted = self.sifted(at_once);
        self.take_edition(sifted, None, cause);
    }

    /// A pod becomes a target, or is none any more.
    pub(crate) fn order_balance(&mut self, pod: PodId, check: Option<Check>, cause: FactId) {
        let Some(check) = check else {
            self.targets.rows.remove(&pod);
            return;
        };
        let mut luck = self.streams.stream(Purpose::Proxy, STREAMS | pod.0);
        let first = self.now + luck.span(Span::ZERO, check.interval);
        let verdict = if check.first == 0 { Verdict::Healthy } else { Verdict::Unknown };
        let stamp = self.stamp();
        let target =
            Target { check, first, verdict, streak: 0, good: false, proved: false, stamp, pending: true, cause };
        self.targets.rows.insert(pod, target);
        self.queue.push(first, Event::AskTarget { pod, stamp });
    }

    /// Plans a question for each touched target that would answer differently now.
    pub(crate) fn review_targets(&mut self) {
        for pod in std::mem::take(&mut self.targets.touched) {
            let Some(target) = self.targets.rows.get(&pod).filter(|target| !target.pending) else { continue };
            if !target.agrees(self.target_answer(pod, &target.check).is_some()) {
                self.plan_question(pod, self.now);
            }
        }
    }

    /// Plans the next question from `from` on.
    fn plan_question(&mut self, pod: PodId, from: Time) {
        let stamp = self.stamp();
        let Some(target) = self.targets.rows.get_mut(&pod) else { return };
        let interval = target.check.interval;
        let phase = Span::from_nanos(target.first.as_nanos() % interval.as_nanos().max(1));
        let at = from.max(target.first).next_tick(interval, phase);
        target.stamp = stamp;
        target.pending = true;
        self.queue.push(at, Event::AskTarget { pod, stamp });
    }

    /// A target is asked: the answer is decided now.
    pub(crate) fn on_ask_target(&mut self, pod: PodId, stamp: Stamp) {
        let Some(target) = self.targets.rows.get(&pod).filter(|target| target.stamp == stamp) else { return };
        let answer = self.target_answer(pod, &target.check);
        let timeout = target.check.timeout;
        let now = self.now;
        let Some(target) = self.targets.rows.get_mut(&pod) else { return };
        target.pending = false;
        let good = answer.is_some();
        let settled = match target.verdict {
            Verdict::Unknown => false,
            Verdict::Healthy => good,
            Verdict::Unhealthy => !good,
        };
        if settled {
            target.proved |= good;
            target.streak = 0;
            return;
        }
        target.streak = if target.good == good { target.streak + 1 } else { 1 };
        target.good = good;
        if target.streak >= target.threshold(good) {
            target.pending = true;
            let at = now + answer.unwrap_or(timeout);
            self.queue.push(at, Event::TargetVerdict { pod, stamp, healthy: good });
        } else {
            self.plan_question(pod, now + Span::from_nanos(1));
        }
    }

    /// The balancer changes its mind: traffic follows at once, and the control plane is told.
    pub(crate) fn on_target_verdict(&mut self, pod: PodId, stamp: Stamp, healthy: bool) {
        let Some(target) = self.targets.rows.get_mut(&pod).filter(|target| target.stamp == stamp) else { return };
        target.verdict = if healthy { Verdict::Healthy } else { Verdict::Unhealthy };
        (target.streak, target.pending) = (0, false);
        target.proved |= healthy;
        let ordered = target.cause;
        let cause = if healthy { ordered } else { self.reason_of_failure(pod).unwrap_or(ordered) };
        self.emit(cause, InputKind::Balanced { pod, healthy });
        self.targets.touched.insert(pod);
        let has = |entry: &(&ServiceId, &(Publication, FactId))| entry.1.0.endpoints.binary_search(&pod).is_ok();
        let services: Vec<ServiceId> = self.targets.published.iter().filter(has).map(|entry| *entry.0).collect();
        for service in services {
            self.publish_sifted(service, cause);
        }
    }

    /// The fact that keeps a target from answering, where one is known.
    fn reason_of_failure(&self, pod: PodId) -> Option<FactId> {
        let node = self.pods.home(pod)?;
        if !self.hosts[node].up {
            return Some(self.down_facts[node]);
        }
        self.net.cut_off(node).or_else(|| self.hosts[node].hog().map(|hog| hog.1))
    }

    /// How long a target takes to answer, `None` when there is no answer in time.
    fn target_answer(&self, pod: PodId, check: &Check) -> Option<Span> {
        let endpoint = self.endpoint(pod)?;
        let here = Place::Node(endpoint.node);
        let (there, back) = (self.net.path(Place::Outside, here), self.net.path(here, Place::Outside));
        if there.cut || back.cut || endpoint.mute || endpoint.serves.is_none() {
            return None;
        }
        let trip = self.net.outside_trip();
        let total = trip + there.delay + trip + back.delay + endpoint.service;
        (total <= check.timeout).then_some(total)
    }
}
