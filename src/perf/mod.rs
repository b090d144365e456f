//! The shapes of kube-scheduler's own performance tests, driven through the engine's scheduler and queue.
//!
//! Nodes, pods, churn and numbers are those of scheduler_perf; there is no API server, no store and no network, so that
//! what is measured is deciding alone. The clock that pods and back-offs see is simulated. Start at [`WORKLOADS`] and
//! [`Drive`].
//!
//! Source: kubernetes/kubernetes:test/integration/scheduler_perf, `performance-config.yaml` below `misc`, `affinity` and
//! `topology_spreading`, with the files below `templates`.

mod drive;
mod pods;
mod workloads;
mod world;

pub use drive::{Drive, Tally};
pub use pods::PodKind;
pub use workloads::WORKLOADS;

/// One workload of scheduler_perf.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Name of the test case.
    pub name: &'static str,
    /// Name of its size.
    pub case: &'static str,
    /// Nodes of 4 CPUs, 32 GiB and 110 pods.
    pub nodes: usize,
    /// What is special about the nodes.
    pub layout: Layout,
    /// Pods that are placed before the measurement, kind by kind.
    pub init: &'static [(PodKind, usize)],
    /// Namespaces over which those are spread.
    pub namespaces: usize,
    /// Pods whose placement is measured.
    pub measured: (PodKind, usize),
    /// What goes on meanwhile.
    pub meanwhile: Meanwhile,
    /// Pods a second that the project's own continuous integration demands of kube-scheduler; `None`: nothing.
    pub threshold: Option<u32>,
}

/// What is special about nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Nothing: they have no zone.
    Plain,
    /// Zones by turns.
    Zones(&'static [&'static str]),
    /// One more node, which has a name that pods ask for and room for 90,000 of them.
    Named,
    /// One in five has a taint that nobody tolerates.
    Tainted,
    /// Each has one unit of a resource of its own.
    Extended,
}

/// What goes on during a measurement, on the simulated clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing.
    Nothing,
    /// A further pod comes every so many milliseconds.
    Create(PodKind, u64),
    /// A node, and a pod that fits nowhere, come and go every so many milliseconds. (A service does, too, in the
    /// original; ours are declared once.)
    Recreate(u64),
    /// So many of the initial pods a second are deleted, placed or not.
    Delete(u64),
}

impl Workload {
    /// `NAME/CASE`, as scheduler_perf writes it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.name, self.case)
    }

    /// The same shape with another number of nodes: pods grow and shrink with it.
    #[must_use]
    pub fn scaled(&self, count: usize, nodes: usize) -> usize {
        if self.layout == Layout::Named && self.nodes <= 1 {
            return count;
        }
        (count * nodes / self.nodes.max(1)).max(1)
    }
}
