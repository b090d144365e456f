//! Load: users who ask services for something, whether the services keep up or not (open loop).

use shakedown_engine::ids::{ServiceId, WorkloadId};
use shakedown_engine::time::{Span, Time};

use crate::select::NodeSelection;

/// One source of requests.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// To which service.
    pub to: ServiceId,
    /// Requests in 1,000 seconds.
    pub rate_per_1000s: u64,
    /// Where the clients are.
    pub from: Clients,
    /// An attempt without an answer is given up after this.
    pub timeout: Span,
    /// Further attempts after a failed one, each at a newly chosen endpoint.
    pub retries: u32,
    /// Answers later than this are not good. `None`: any answer before the time-out is.
    pub slow_after: Option<Span>,
    /// Availability promised to users, in millionths (999,000 is 99.9 %).
    pub objective_ppm: u32,
    /// First request.
    pub start: Time,
    /// Last request; `None`: until the end of the run.
    pub end: Option<Time>,
}

/// Where clients are. It decides whose proxy and which network path a request takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Outside, spread evenly over all nodes as entry points (NodePort, load balancer, routing mesh).
    Outside,
    /// On these nodes, evenly.
    Nodes(NodeSelection),
    /// In the ready pods of a workload, evenly.
    Workload(WorkloadId),
}
