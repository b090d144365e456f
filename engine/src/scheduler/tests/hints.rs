//! Which pods an event wakes.

use super::build::Build;
use crate::ids::{NodeId, TemplateId};
use crate::model::{HostPort, MilliCpu, PodTemplate, PodTerm, Taint, TaintEffect, WhenUnsatisfiable, ZONE_LABEL};
use crate::profile::Filter;
use crate::scheduler::queue::{Event, NodeChange};
use crate::scheduler::{FilterSet, NodeState, Scheduler};

struct Bench {
    build: Build,
    plain: TemplateId,
}

impl Bench {
    fn new() -> Self {
        let mut build = Build::new();
        build.nodes(&["a", "b"]);
        let plain = build.template("plain");
        let plain = build.add(plain);
        Self { build, plain }
    }

    fn template(&mut self, app: &str, change: impl FnOnce(&mut Build, &mut PodTemplate)) -> TemplateId {
        let mut template = self.build.template(app);
        change(&mut self.build, &mut template);
        self.build.add(template)
    }
}

fn term(build: &mut Build, app: &str) -> PodTerm {
    let (selector, namespace) = (build.app(app), build.s("default"));
    PodTerm { selector, namespaces: vec![namespace], all_namespaces: false, topology_key: build.s(ZONE_LABEL) }
}

fn set(filter: Filter) -> FilterSet {
    FilterSet::EMPTY.with(filter)
}

fn released(scheduler: &Scheduler, moved: TemplateId, waiting: TemplateId, filter: Filter) -> bool {
    scheduler.helps(Event::PodReleased, moved, (waiting, set(filter)))
}

#[test]
fn any_released_pod_gives_back_room_but_only_its_own_ports() {
    let mut bench = Bench::new();
    let port = |build: &mut Build, number| HostPort { port: number, protocol: build.s("TCP"), ip: build.s("") };
    let web = bench.template("web", |build, t| t.host_ports = vec![port(build, 80)]);
    let dns = bench.template("dns", |build, t| t.host_ports = vec![port(build, 53)]);
    let (plain, scheduler) = (bench.plain, bench.build.scheduler());
    assert!(released(&scheduler, plain, web, Filter::NodeResourcesFit));
    assert!(released(&scheduler, web, web, Filter::NodePorts));
    assert!(!released(&scheduler, dns, web, Filter::NodePorts));
    assert!(!scheduler.helps(Event::PodAdded, plain, (web, set(Filter::NodeResourcesFit))));
}

#[test]
fn spreading_and_affinity_look_at_the_labels_of_who_moved() {
    let mut bench = Bench::new();
    let even = bench.template("even", |build, t| {
        t.spread = vec![build.spread("even", ZONE_LABEL, WhenUnsatisfiable::DoNotSchedule)];
    });
    let near = bench.template("near", |build, t| t.affinity.pod_required = vec![term(build, "even")]);
    let far = bench.template("far", |build, t| t.affinity.anti_required = vec![term(build, "even")]);
    let (plain, scheduler) = (bench.plain, bench.build.scheduler());
    assert!(released(&scheduler, even, even, Filter::PodTopologySpread));
    assert!(!released(&scheduler, plain, even, Filter::PodTopologySpread));
    let added = |moved, waiting| scheduler.helps(Event::PodAdded, moved, (waiting, set(Filter::InterPodAffinity)));
    assert!(added(even, near) && !added(plain, near) && !added(even, far));
    assert!(released(&scheduler, even, far, Filter::InterPodAffinity));
    assert!(released(&scheduler, far, even, Filter::InterPodAffinity), "it kept others away");
    assert!(!released(&scheduler, plain, far, Filter::InterPodAffinity));
}

#[test]
fn a_node_helps_whom_it_could_hold_when_it_is_new_and_whom_it_just_opened_to() {
    let mut bench = Bench::new();
    let huge = bench.template("huge", |_, t| t.requests.cpu = MilliCpu(1_000_000));
    let key = bench.build.s("maintenance");
    let (plain, mut scheduler) = (bench.plain, bench.build.scheduler());
    let taint = Taint { key, value: key, effect: TaintEffect::NoSchedule };
    let helps = |scheduler: &Scheduler, event, template, filter| scheduler.node_helps(event, (template, set(filter)));
    scheduler.remove_node(NodeId(0));
    scheduler.set_node(NodeId(0), NodeState { taints: vec![taint], unschedulable: false });
    assert!(helps(&scheduler, Event::NodeAdded, plain, Filter::NodeResourcesFit));
    assert!(!helps(&scheduler, Event::NodeAdded, huge, Filter::NodeResourcesFit));
    assert!(!helps(&scheduler, Event::NodeAdded, plain, Filter::TaintToleration));
    let opened = Event::NodeUpdated(NodeChange { taints: true, unschedulable: true, ..NodeChange::default() });
    scheduler.set_node(NodeId(0), NodeState::default());
    assert!(helps(&scheduler, opened, plain, Filter::TaintToleration));
    assert!(!helps(&scheduler, opened, plain, Filter::NodeUnschedulable));
    assert!(!helps(&scheduler, opened, plain, Filter::NodeResourcesFit));
    scheduler.set_node(NodeId(0), NodeState::default());
    assert!(!helps(&scheduler, opened, plain, Filter::TaintToleration));
}
