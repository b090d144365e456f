//! What selectors and properties may look at.
//!
//! The few questions they ask of a cluster, so that both are tested against a scripted one of twenty lines. In a run
//! it is the engine's [`View`]: the control plane's opinion, not the ground truth. Start at [`Scene`].

use shakedown_engine::ids::{NodeId, WorkloadId};
use shakedown_engine::model::Catalog;
use shakedown_engine::{NodeView, PodView, View, WorkloadView};

/// A cluster as it stands at one instant.
pub trait Scene {
    /// Everything declared.
    fn catalog(&self) -> &Catalog;
    /// One node.
    fn node(&self, node: NodeId) -> NodeView;
    /// All pods that are not deleted, in id order.
    fn pods(&self) -> Box<dyn Iterator<Item = PodView> + '_>;
    /// One workload.
    fn workload(&self, workload: WorkloadId) -> WorkloadView;
}

impl Scene for View<'_> {
    fn catalog(&self) -> &Catalog {
        View::catalog(self)
    }

    fn node(&self, node: NodeId) -> NodeView {
        View::node(self, node)
    }

    fn pods(&self) -> Box<dyn Iterator<Item = PodView> + '_> {
        Box::new(View::pods(self))
    }

    fn workload(&self, workload: WorkloadId) -> WorkloadView {
        View::workload(self, workload)
    }
}
