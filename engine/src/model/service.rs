//! Services: a name with endpoints.

use crate::ids::Symbol;
use crate::labels::Selector;
use crate::time::Span;

/// A service as declared.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Name, unique in its namespace.
    pub name: Symbol,
    /// Namespace.
    pub namespace: Symbol,
    /// Which pods back it; `None` for a service without a selector, which gets no endpoints.
    pub selector: Option<Selector>,
    /// Resolved to the addresses of its pods instead of one virtual address.
    pub headless: bool,
    /// Pods count as endpoints before they are ready.
    pub publish_not_ready: bool,
    /// A client stays with one endpoint for so long after its last request (`sessionAffinity: ClientIP`).
    pub affinity: Option<Span>,
    /// Which endpoints a client is sent to.
    pub distribution: Distribution,
    /// Traffic from outside is only answered by pods of the node that it reached (`externalTrafficPolicy: Local`).
    pub external_local: bool,
    /// Traffic from inside is only answered by pods of the client's node (`internalTrafficPolicy: Local`).
    pub internal_local: bool,
    /// How it is reached from outside.
    pub exposure: Exposure,
}

/// Which endpoints clients are sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// All alike.
    #[default]
    All,
    /// Those of the client's zone while there is one ready (`trafficDistribution: PreferClose`, `PreferSameZone`).
    SameZone,
    /// Those of the client's node while there is one ready (`PreferSameNode`).
    SameNode,
    /// Hints in proportion to the zones' CPU (`service.kubernetes.io/topology-mode: Auto`).
    Hints,
}

/// How a service is reached from outside the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Not at all.
    #[default]
    ClusterIp,
    /// By a port of every node.
    NodePort,
    /// By a load balancer before the nodes.
    LoadBalancer,
}

impl ServiceSpec {
    /// A service with one virtual address before the ready pods that `selector` matches.
    pub fn new(name: Symbol, namespace: Symbol, selector: Selector) -> Self {
        Self {
            name,
            namespace,
            selector: Some(selector),
            headless: false,
            publish_not_ready: false,
            affinity: None,
            distribution: Distribution::All,
            external_local: false,
            internal_local: false,
            exposure: Exposure::ClusterIp,
        }
    }
}
