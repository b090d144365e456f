//! A logbook: a small cluster and the facts that somebody writes down about it.
//!
//! Start at [`Logbook::new`], then [`kill`], [`partition`], [`bad_rollout`].

use std::sync::Arc;

use shakedown_chaos::expect::{Bound, Expectation, Metric, Quantity, Statistic};
use shakedown_chaos::experiment::{Entry, Experiment};
use shakedown_chaos::fault::{Action, Link};
use shakedown_chaos::load::{Clients, Traffic};
use shakedown_chaos::select::{NodeSelection, Side};
use shakedown_chaos::setting::{HostModel, NetworkModel, Setting};
use shakedown_engine::fact::{Deletion, Exit, FactId, FactKind, FactLog, TrafficSlice};
use shakedown_engine::ids::{
    FaultId, Id, NodeId, PodId, RevisionId, ServiceId, Table, TemplateId, TrafficId, WorkloadId,
};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::Bytes;
use shakedown_engine::model::{
    Catalog, Container, Details, MilliCpu, NodeSpec, PodTemplate, Resources, ServiceSpec, Strategy, WorkloadKind,
    WorkloadSpec,
};
use shakedown_engine::profile::Profile;
use shakedown_engine::time::{Span, Time};
use shakedown_reports::Run;

/// A cluster, an experiment and what happened.
pub(crate) struct Logbook {
    pub(crate) catalog: Catalog,
    pub(crate) log: FactLog,
    pub(crate) timeline: Table<FaultId, Entry>,
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) traffic: Table<TrafficId, Traffic>,
    pub(crate) duration: Span,
    pub(crate) notes: Vec<String>,
    next_pod: u32,
}

pub(crate) fn ms(millis: u64) -> Time {
    Time::ZERO + Span::from_millis(millis)
}

pub(crate) const SHOP: WorkloadId = WorkloadId(0);
pub(crate) const FRONTEND: ServiceId = ServiceId(0);

impl Logbook {
    /// A cluster of these nodes, with one workload and one service of this name in front of it.
    pub(crate) fn new(nodes: &[&str], workload: &str, replicas: u32) -> Self {
        let mut catalog = Catalog::new();
        let empty = catalog.known.empty;
        for (i, name) in nodes.iter().enumerate() {
            let name = catalog.names.intern(name);
            let zone = catalog.zone(if i % 2 == 0 { "a" } else { "b" });
            catalog.nodes.push(NodeSpec {
                name,
                labels: Labels::default(),
                zone,
                allocatable: Resources::new(MilliCpu(8000), Bytes(32 << 30)),
                max_pods: 110,
                taints: Vec::new(),
                unschedulable: false,
                at_start: true,
                pool: None,
                volume_limits: Vec::new(),
                roles: Vec::new(),
            });
        }
        let name = catalog.names.intern(workload);
        let image = catalog.image("shop:1", Bytes(50 << 20));
        let template = catalog.templates.push(template(empty, name, image));
        catalog.workloads.push(WorkloadSpec {
            name,
            namespace: empty,
            kind: WorkloadKind::Deployment,
            details: Details::None,
            replicas,
            template,
            selector: Selector::equals([(empty, name)]),
            strategy: Strategy::Default,
            min_ready: Span::ZERO,
            progress_deadline: None,
            history_limit: None,
            paused: false,
            at_start: true,
            wishes: shakedown_engine::model::Wishes::default(),
        });
        catalog.services.push(ServiceSpec::new(name, empty, Selector::equals([(empty, name)])));
        Self {
            catalog,
            log: FactLog::new(),
            timeline: Table::new(),
            expectations: Vec::new(),
            traffic: Table::new(),
            duration: Span::from_secs(1800),
            notes: Vec::new(),
            next_pod: 0,
        }
    }

    pub(crate) fn fact(&mut self, at: Time, cause: FactId, kind: FactKind) -> FactId {
        self.log.record(at, cause, kind)
    }

    pub(crate) fn entry(&mut self, at: Time, action: Action, label: &str) -> FaultId {
        self.timeline.push(Entry { at, lasts: None, continuous: false, action, label: label.to_owned() })
    }

    pub(crate) fn apply(&mut self, fault: FaultId, targets: u32) -> FactId {
        let at = self.timeline[fault].at;
        self.fact(at, FactId::NONE, FactKind::FaultApplied { fault, targets })
    }

    pub(crate) fn lift(&mut self, at: Time, fault: FaultId, cause: FactId) -> FactId {
        self.fact(at, cause, FactKind::FaultLifted { fault })
    }

    pub(crate) fn expect(&mut self, metric: Metric, statistic: Statistic, bound: Bound) {
        self.expectations.push(Expectation { metric, of: None, statistic, bound, only: Vec::new() });
    }

    /// All wanted replicas of the workload, ready after two seconds, on the nodes in turn.
    pub(crate) fn start(&mut self) -> Vec<PodId> {
        let cause = self.fact(ms(0), FactId::NONE, FactKind::WorkloadCreated { workload: SHOP });
        self.fact(ms(0), cause, FactKind::RevisionCreated { workload: SHOP, revision: RevisionId(0) });
        let nodes = self.catalog.nodes.len();
        let replicas = self.catalog.workloads[SHOP].replicas;
        (0..replicas)
            .map(|i| self.pod(ms(100), cause, (RevisionId(0), NodeId::from_index(i as usize % nodes)), 2000))
            .collect()
    }

    /// A pod that is created, bound after 50 ms, and ready and listed `ready` ms after its creation.
    pub(crate) fn pod(&mut self, at: Time, cause: FactId, (revision, node): (RevisionId, NodeId), ready: u64) -> PodId {
        let pod = PodId(self.next_pod);
        self.next_pod += 1;
        let after = |millis: u64| at + Span::from_millis(millis);
        let created = self.fact(at, cause, FactKind::PodCreated { pod, workload: SHOP, revision });
        let bound = self.fact(after(50), created, FactKind::PodBound { pod, node });
        let pulled = self.fact(after(ready / 2), bound, FactKind::PodPulled { pod });
        let started = FactKind::ContainerStarted { pod, container: 0, restarts: 0 };
        let started = self.fact(after(ready * 3 / 4), pulled, started);
        let serves = self.fact(after(ready - 50), started, FactKind::AgentReady { pod });
        let ready_at = after(ready);
        let ready = self.fact(ready_at, serves, FactKind::PodReady { pod });
        let listed =
            self.fact(ready_at + Span::from_millis(20), ready, FactKind::EndpointAdded { service: FRONTEND, pod });
        let seen = FactKind::EndpointsSeen { service: FRONTEND, version: pod.0 + 1 };
        self.fact(ready_at + Span::from_millis(520), listed, seen);
        pod
    }

    /// 200 requests a second over an interval, of which so many in a thousand fail.
    pub(crate) fn traffic(&mut self, since: Time, until: Time, failing: u64) {
        let millis = until.since(since).as_millis();
        let requests = millis * 200;
        let bad = requests * failing / 1000;
        self.fact(
            until,
            FactId::NONE,
            FactKind::Traffic(TrafficSlice {
                source: TrafficId(0),
                service: FRONTEND,
                since,
                requests,
                good: requests - bad,
                slow: 0,
                timed_out: bad,
                refused: 0,
                errors: 0,
                attempts: requests + bad,
                stale: bad,
                on_new_revision: 0,
                latency: Span::from_millis(6),
            }),
        );
    }

    pub(crate) fn with_users(&mut self) {
        self.traffic.push(Traffic {
            reach: Default::default(),
            to: FRONTEND,
            rate_per_1000s: 200_000,
            from: Clients::Outside,
            timeout: Span::from_secs(1),
            retries: 1,
            slow_after: None,
            objective_ppm: 999_000,
            start: Time::ZERO,
            end: None,
        });
    }

    pub(crate) fn close(self, scenario: &str, about: &str) -> Run {
        let setting = Setting { host: HostModel::default(), network: NetworkModel::default(), images: Table::new() };
        let digest = self.log.digest();
        Run {
            scenario: scenario.to_owned(),
            about: about.to_owned(),
            orchestrator: "kubernetes".to_owned(),
            seed: 7,
            digest,
            end: Time::ZERO + self.duration,
            catalog: Arc::new(self.catalog),
            profile: Profile::named("kubernetes").expect("it is one of the shipped profiles"),
            experiment: Arc::new(Experiment {
                timeline: self.timeline,
                traffic: self.traffic,
                setting,
                duration: self.duration,
                converge_within: None,
                expectations: self.expectations,
            }),
            facts: self.log.into_facts(),
            notes: self.notes,
        }
    }
}

fn template(
    empty: shakedown_engine::ids::Symbol,
    name: shakedown_engine::ids::Symbol,
    image: shakedown_engine::ids::ImageId,
) -> PodTemplate {
    PodTemplate::new(empty, Labels::new([(empty, name)]), vec![Container::new(name, image, Resources::default())])
}

/// What Kubernetes does after its node `doe` died at 300 s: unhealthy at 352 s, eviction at 652 s, back 1.5 s later.
pub(crate) fn give_up_node(
    book: &mut Logbook,
    (node, pods): (NodeId, &[PodId]),
    cause: FactId,
    to: NodeId,
) -> Vec<PodId> {
    let unhealthy = book.fact(ms(352_000), cause, FactKind::NodeUnhealthy { node, last_heard: ms(299_000) });
    for &pod in pods {
        book.fact(ms(352_010), unhealthy, FactKind::PodUnready { pod });
        book.fact(ms(352_020), unhealthy, FactKind::EndpointRemoved { service: FRONTEND, pod });
    }
    let marked = book.fact(ms(352_400), unhealthy, FactKind::NodeEvicting { node });
    let mut replacements = Vec::new();
    for (i, &pod) in pods.iter().enumerate() {
        let at = ms(652_400 + i as u64 * 100);
        let given_up = book.fact(at, marked, FactKind::PodDeleting { pod, why: Deletion::NodeLost });
        replacements.push(book.pod(at + Span::from_millis(20), given_up, (RevisionId(0), to), 1500));
    }
    replacements
}

/// Two nodes, six replicas; doe dies at 300 s and its three replicas come back on john after 354 s.
pub(crate) fn kill() -> Logbook {
    let mut book = Logbook::new(&["john", "doe"], "frontend", 6);
    book.with_users();
    let pods = book.start();
    let doe = NodeId(1);
    let on_doe: Vec<PodId> = pods.iter().copied().filter(|pod| pod.0 % 2 == 1).collect();
    let kill = book.entry(ms(300_000), Action::Kill(NodeSelection::default()), "kill node doe");
    book.traffic(ms(3_000), ms(300_000), 0);
    let applied = book.apply(kill, 1);
    let down = book.fact(ms(300_000), applied, FactKind::HostDown { node: doe });
    for &pod in &on_doe {
        book.fact(ms(300_000), down, FactKind::ContainerExited { pod, container: 0, why: Exit::HostLost });
    }
    book.traffic(ms(300_000), ms(352_520), 500);
    give_up_node(&mut book, (doe, &on_doe), down, NodeId(0));
    book.traffic(ms(352_520), ms(1_800_000), 0);
    let restore = book.entry(ms(1_500_000), Action::Restore(NodeSelection::default()), "restore node doe");
    let restored = book.apply(restore, 1);
    book.fact(ms(1_530_000), restored, FactKind::HostUp { node: doe });
    let healthy = book.fact(ms(1_530_500), restored, FactKind::NodeHealthy { node: doe });
    book.fact(ms(1_560_000), healthy, FactKind::Converged);
    book
}

/// The same, but doe is only cut off: its replicas run on until the network heals at 1,500 s.
pub(crate) fn partition() -> Logbook {
    let mut book = Logbook::new(&["john", "doe"], "frontend", 6);
    let pods = book.start();
    let doe = NodeId(1);
    let on_doe: Vec<PodId> = pods.iter().copied().filter(|pod| pod.0 % 2 == 1).collect();
    let link = Link { from: Side::default(), to: Side::default(), one_way: false };
    let cut = book.entry(ms(300_000), Action::Partition(link), "cut doe off");
    let applied = book.apply(cut, 1);
    give_up_node(&mut book, (doe, &on_doe), applied, NodeId(0));
    let lifted = book.lift(ms(1_500_000), cut, applied);
    book.fact(ms(1_500_500), lifted, FactKind::NodeHealthy { node: doe });
    for &pod in &on_doe {
        let exit = FactKind::ContainerExited { pod, container: 0, why: Exit::Stopped };
        let stopped = book.fact(ms(1_502_000), lifted, exit);
        book.fact(ms(1_502_100), stopped, FactKind::PodDeleted { pod });
    }
    book
}

/// Four replicas; at 300 s a version that crashes is rolled out: one old replica goes, two new ones never come up.
pub(crate) fn bad_rollout() -> Logbook {
    let mut book = Logbook::new(&["john", "doe"], "frontend", 4);
    book.with_users();
    let pods = book.start();
    let deploy = Action::Deploy { workload: SHOP, template: TemplateId(0) };
    let deploy = book.entry(ms(300_000), deploy, "deploy shop:2 to frontend");
    let applied = book.apply(deploy, 1);
    let new = RevisionId(1);
    let revision = book.fact(ms(300_010), applied, FactKind::RevisionCreated { workload: SHOP, revision: new });
    let rollout = book.fact(ms(300_010), revision, FactKind::RolloutStarted { workload: SHOP, revision: new });
    book.fact(ms(300_050), rollout, FactKind::PodDeleting { pod: pods[0], why: Deletion::RolledOut });
    for _ in 0..2 {
        let pod = PodId(book.next_pod);
        book.next_pod += 1;
        let created = book.fact(ms(300_060), rollout, FactKind::PodCreated { pod, workload: SHOP, revision: new });
        let bound = book.fact(ms(300_100), created, FactKind::PodBound { pod, node: NodeId(0) });
        let started = FactKind::ContainerStarted { pod, container: 0, restarts: 0 };
        let started = book.fact(ms(301_000), bound, started);
        let crashed = FactKind::ContainerExited { pod, container: 0, why: Exit::Crashed };
        let crashed = book.fact(ms(302_000), started, crashed);
        let again = FactKind::ContainerStarted { pod, container: 0, restarts: 1 };
        book.fact(ms(312_000), crashed, again);
        let crashed = FactKind::ContainerExited { pod, container: 0, why: Exit::Crashed };
        book.fact(ms(313_000), started, crashed);
    }
    book.fact(ms(900_010), rollout, FactKind::RolloutStalled { workload: SHOP, revision: new });
    book.traffic(ms(3_000), ms(1_800_000), 0);
    book
}

pub(crate) fn below(seconds: u64) -> Bound {
    Bound::Below(Quantity(seconds * 1_000_000_000))
}
