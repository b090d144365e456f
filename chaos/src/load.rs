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
    /// How they reach the service.
    pub reach: Reach,
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

/// How clients reach a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// What stands between them and the endpoints.
    pub via: Via,
    /// They stay with an endpoint until the connection breaks.
    pub keep_alive: bool,
    /// They ask the cluster's DNS for the name.
    pub names: Names,
    /// The port at the pods, for network policies; `None`: one that any rule about ports names.
    pub port: Option<u16>,
}

/// What stands between clients and endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// The proxy of the client's node, or of the node that outside clients enter by; of a headless service its names.
    #[default]
    Service,
    /// The names of pods: clients hold resolved addresses for the time to live.
    Headless,
    /// A controller of ingresses that knows the endpoints itself.
    Ingress,
    /// A load balancer outside that checks its targets, which are nodes.
    LoadBalancer(HealthCheck),
}

/// How a load balancer checks its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Time between two checks.
    pub interval: Span,
    /// So many equal results in a row change its mind.
    pub threshold: u32,
}

impl HealthCheck {
    /// From a change of a target until the balancer acts on it.
    pub fn delay(self) -> Span {
        self.interval.times(u64::from(self.threshold))
    }
}

impl Default for HealthCheck {
    /// Source: kubernetes-sigs/aws-load-balancer-controller:docs/guide/service/annotations.md, interval 10, threshold 3.
    fn default() -> Self {
        Self { interval: Span::from_secs(10), threshold: 3 }
    }
}

/// How clients use the cluster's DNS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Not at all, or one that always answers.
    #[default]
    Known,
    /// Before each attempt, with so many lookups (search path and address families), all of which must be answered.
    EachTime(u32),
    /// Once in so long, with an answer that is kept meanwhile.
    Kept(Span),
}
