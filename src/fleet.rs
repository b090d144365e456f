//! Clusters for measurements: many equal nodes in three zones, many equal pods of a few workloads.
//!
//! The shape is the one of kube-scheduler's own performance tests, so that figures can be set side by side.
//! Source: kubernetes/kubernetes:test/integration/scheduler_perf/templates/node-default.yaml and pod-default.yaml.

use std::sync::Arc;

use shakedown_engine::ids::{Id, NodeId, PodId, WorkloadId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{
    Bytes, Catalog, Container, MilliCpu, NodeSpec, PodTemplate, Resources, ServiceSpec, WorkloadSpec,
};
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::scheduler::{NodeState, Outcome, Request, Scheduler};

/// Pods of one workload: enough that spreading it matters, few enough that there are several.
const PODS_PER_WORKLOAD: usize = 1_000;
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Nodes of 4 CPUs, 32 GiB and 110 pods.
    pub nodes: usize,
    /// Pods of 100 thousandths of a CPU and 500 MiB.
    pub pods: usize,
}

/// A scheduler that knows the nodes, and the pods that it is to place.
#[derive(Clone, Debug)]
pub struct Placing {
    scheduler: Scheduler,
    requests: Vec<Request>,
    next: usize,
}

impl Placing {
    /// A scheduler with `profile`'s placement before its first decision.
    pub fn new(size: Size, profile: &Profile, seed: u64) -> Self {
        let catalog = Arc::new(catalog(size));
        let stream = Streams::new(seed).stream(Purpose::Scheduler, 0);
        let mut scheduler = Scheduler::new(Arc::clone(&catalog), profile.placement.clone(), stream);
        for node in catalog.nodes.ids() {
            scheduler.set_node(node, NodeState::default());
        }
        let request = |index: usize| {
            let workload = WorkloadId::from_index(index / PODS_PER_WORKLOAD);
            let template = catalog.workloads[workload].template;
            Request { pod: PodId::from_index(index), template, workload: Some(workload), only: None }
        };
        Self { scheduler, requests: (0..size.pods).map(request).collect(), next: 0 }
    }

    /// Places the next pod and charges its node. `None` when all have had their turn.
    #[expect(clippy::should_implement_trait, reason = "it changes a cluster, it does not walk over one")]
    pub fn next(&mut self) -> Option<Option<NodeId>> {
        let request = self.requests.get(self.next)?;
        self.next += 1;
        let Outcome::Placed { node, .. } = self.scheduler.place(request) else { return Some(None) };
        self.scheduler.charge(request, node);
        Some(Some(node))
    }

    /// Takes the pod that was placed last away again, so that its decision can be measured over and over.
    pub fn undo(&mut self) {
        self.next = self.next.checked_sub(1).expect("something was placed");
        let request = &self.requests[self.next];
        if let Some(node) = self.scheduler.place_of(request.pod) {
            self.scheduler.release(request, node);
        }
    }
}

/// Everything declared, workloads without traffic or faults.
pub fn catalog(size: Size) -> Catalog {
    let mut catalog = Catalog::new();
    for index in 0..size.nodes {
        add_node(&mut catalog, index);
    }
    for index in 0..size.pods.div_ceil(PODS_PER_WORKLOAD) {
        let replicas = (size.pods - index * PODS_PER_WORKLOAD).min(PODS_PER_WORKLOAD);
        add_workload(&mut catalog, index, u32::try_from(replicas).expect("at most a thousand"));
    }
    catalog
}

fn add_node(catalog: &mut Catalog, index: usize) {
    let zone_name = ZONES[index % ZONES.len()];
    let zone = catalog.zone(zone_name);
    let zone_value = catalog.names.intern(zone_name);
    let name = catalog.names.intern(&format!("node-{index}"));
    catalog.nodes.push(NodeSpec {
        name,
        labels: Labels::new([(catalog.known.hostname, name), (catalog.known.zone, zone_value)]),
        zone,
        allocatable: Resources::new(MilliCpu(4_000), Bytes(32 << 30)),
        max_pods: 110,
        taints: Vec::new(),
        unschedulable: false,
        at_start: true,
        pool: None,
        volume_limits: Vec::new(),
        roles: Vec::new(),
    });
}

fn add_workload(catalog: &mut Catalog, index: usize, replicas: u32) {
    let namespace = catalog.names.intern("default");
    let name = catalog.names.intern(&format!("workload-{index}"));
    let label = (catalog.names.intern("app"), name);
    let image = catalog.image("registry.k8s.io/pause:3.10", Bytes(320 << 10));
    let requests = Resources::new(MilliCpu(100), Bytes(500 << 20));
    let container = Container::new(name, image, requests);
    let template = catalog.templates.push(PodTemplate::new(namespace, Labels::new([label]), vec![container]));
    let selector = Selector::equals([label]);
    catalog.services.push(ServiceSpec::new(name, namespace, selector.clone()));
    catalog.workloads.push(WorkloadSpec { replicas, ..WorkloadSpec::deployment(name, namespace, template, selector) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_placed_until_the_cluster_is_full() {
        let profile = Profile::named("kubernetes").unwrap();
        // 4 CPUs hold 40 pods of 100 thousandths each.
        let mut placing = Placing::new(Size { nodes: 3, pods: 125 }, &profile, 1);
        let outcomes: Vec<Option<NodeId>> = std::iter::from_fn(|| placing.next()).collect();
        assert_eq!(outcomes.iter().flatten().count(), 120);
        assert!(outcomes[120..].iter().all(Option::is_none));
    }

    #[test]
    fn a_decision_that_was_undone_can_be_made_again() {
        let profile = Profile::named("kubernetes").unwrap();
        let mut placing = Placing::new(Size { nodes: 1, pods: 1 }, &profile, 1);
        assert_eq!(placing.next(), Some(Some(NodeId(0))));
        placing.undo();
        assert_eq!(placing.next(), Some(Some(NodeId(0))));
        assert_eq!(placing.next(), None);
    }
}
