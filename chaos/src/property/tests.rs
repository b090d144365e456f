//! Tests of the properties, against a scripted cluster.

use std::sync::Arc;

use shakedown_engine::fact::Exit;
use shakedown_engine::rng::Streams;

use super::*;
use crate::director::Director;
use crate::director::tests::experiment;
use crate::scripted::Scripted;

struct Watch {
    monitor: Monitor,
    director: Director,
    scene: Scripted,
    facts: FactLog,
}

impl Watch {
    /// A watch over a run whose timeline is empty, so that it settled at time zero.
    fn new(scene: Scripted, within: Option<u64>) -> Self {
        let director = Director::new(Arc::clone(&experiment(Vec::new())), Streams::new(1));
        let monitor = Monitor::new(within.map(Span::from_secs));
        Self { monitor, director, scene, facts: FactLog::new() }
    }

    fn until(&mut self, end: u64) {
        loop {
            let now = self.monitor.next_time(&self.director);
            if now > Time::from_secs(end) {
                return;
            }
            self.monitor.check(now, &self.scene, &self.director, &mut self.facts);
        }
    }

    /// Something else happens, so that the monitor has a reason to look.
    fn stir(&mut self, second: u64, kind: FactKind) {
        self.facts.record(Time::from_secs(second), FactId::NONE, kind);
    }

    fn violations(&self) -> Vec<(u64, Property, u32)> {
        let read = |fact: &shakedown_engine::fact::Fact| match fact.kind {
            FactKind::Violated { property, subject } => Some((fact.at.as_nanos() / 1_000_000_000, property, subject)),
            _ => None,
        };
        self.facts.facts().iter().filter_map(read).collect()
    }

    fn converged(&self) -> Option<u64> {
        let found = self.facts.facts().iter().find(|fact| fact.kind == FactKind::Converged);
        found.map(|fact| fact.at.as_nanos() / 1_000_000_000)
    }
}

fn shop(replicas: u32) -> (Scripted, WorkloadId) {
    let mut scene = Scripted::with_nodes(3);
    let shop = scene.workload_of("shop", replicas);
    (scene, shop)
}

#[test]
fn a_healthy_cluster_breaks_nothing_and_converges() {
    let mut watch = Watch::new(shop(2).0, Some(60));
    watch.until(600);
    assert_eq!(watch.violations(), []);
    assert_eq!(watch.converged(), Some(SETTLING.as_nanos() / 1_000_000_000));
}

#[test]
fn requests_beyond_what_a_node_has_are_reported_once() {
    let (mut scene, _) = shop(2);
    scene.nodes[1].requested_cpu = 4_001;
    let mut watch = Watch::new(scene, None);
    watch.stir(1, FactKind::NodeRegistered { node: NodeId(1) });
    watch.until(600);
    assert_eq!(watch.violations(), [(30, Property::NoOvercommit, 1)]);
}

#[test]
fn a_missing_replica_for_which_nobody_works_is_lost() {
    let (mut scene, shop) = shop(2);
    scene.workloads[shop.index()].active = 1;
    let mut watch = Watch::new(scene, None);
    watch.stir(1, FactKind::WorkloadCreated { workload: shop });
    watch.until(90);
    assert_eq!(watch.violations(), []);
    watch.until(600);
    assert_eq!(watch.violations(), [(120, Property::NoLostPod, 0)]);
}

#[test]
fn a_missing_replica_that_is_being_made_is_not_lost() {
    let (mut scene, shop) = shop(2);
    (scene.workloads[shop.index()].active, scene.workloads[shop.index()].working) = (1, true);
    let mut watch = Watch::new(scene, None);
    watch.stir(1, FactKind::WorkloadCreated { workload: shop });
    watch.until(600);
    assert_eq!(watch.violations(), []);
}

#[test]
fn a_pod_that_no_scheduler_looks_at_is_lost_and_one_with_a_reason_is_not() {
    let (mut scene, shop) = shop(2);
    let pod = scene.pod(shop, None, PodPhase::Queued);
    let mut neglected = Watch::new(scene, None);
    neglected.stir(1, FactKind::WorkloadCreated { workload: shop });
    neglected.until(600);
    assert_eq!(neglected.violations(), [(120, Property::NoLostPod, 0)]);

    let mut judged = Watch::new(neglected.scene, None);
    judged.stir(1, FactKind::PodUnschedulable { pod, insufficient: 3, refused: 0 });
    judged.until(600);
    assert_eq!(judged.violations(), []);
}

#[test]
fn what_is_not_ready_within_the_bound_did_not_converge() {
    let (mut scene, shop) = shop(2);
    scene.workloads[shop.index()].ready = 1;
    let mut watch = Watch::new(scene, Some(60));
    watch.until(600);
    assert_eq!(watch.violations(), [(61, Property::Converges, 0)]);
    assert_eq!(watch.converged(), None);
}

#[test]
fn a_dead_host_that_nobody_noticed_is_no_convergence() {
    let (mut scene, shop) = shop(2);
    scene.pod(shop, Some(NodeId(1)), PodPhase::Ready);
    let mut watch = Watch::new(scene, Some(30));
    watch.stir(0, FactKind::HostDown { node: NodeId(1) });
    watch.until(60);
    assert_eq!(watch.converged(), None);
    assert_eq!(watch.violations(), [(31, Property::Converges, 0)]);
    watch.scene.nodes[1].healthy = false;
    watch.scene.delete(PodId(0));
    watch.until(70);
    assert_eq!(watch.converged(), None, "nothing holds the host down, so it is booting");
    watch.stir(70, FactKind::HostUp { node: NodeId(1) });
    watch.scene.nodes[1].healthy = true;
    watch.until(100);
    assert_eq!(watch.converged(), Some(75));
}

#[test]
fn a_removed_node_whose_host_runs_does_not_hinder_convergence() {
    let (mut scene, shop) = shop(1);
    scene.pod(shop, Some(NodeId(0)), PodPhase::Ready);
    let mut watch = Watch::new(scene, None);
    watch.stir(0, FactKind::NodeUnhealthy { node: NodeId(1), last_heard: Time::ZERO });
    watch.scene.nodes[1].healthy = false;
    watch.until(40);
    assert_eq!(watch.converged(), None, "a running host that is seen silent is not as it should be");
    watch.scene.nodes[1].exists = false;
    watch.until(100);
    assert!(watch.converged().is_some());
}

#[test]
fn convergence_waits_until_the_dust_of_the_last_blow_settled() {
    let (scene, shop) = shop(2);
    let pod = PodId(shop.0);
    let mut watch = Watch::new(scene, None);
    watch.until(3);
    watch.stir(3, FactKind::ContainerExited { pod, container: 0, why: Exit::Crashed });
    watch.until(60);
    assert_eq!(watch.converged(), Some(8));
}
