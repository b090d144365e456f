//! Values of how clients find replicas.
//!
//! Start at [`Discovery`].

use super::Balancer;
use crate::time::Span;

/// How clients find replicas.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// From a change of a pod until the control plane publishes it.
    pub publish_delay: Span,
    /// From publication until a node's proxy has it.
    pub lag: Span,
    /// A proxy programs its rules at most once in this time.
    pub proxy_sync: Span,
    /// How long clients keep a resolved name.
    pub dns_ttl: Span,
    /// Pods of an unhealthy node are taken out at detection, before any eviction.
    pub unready_on_unhealthy_node: bool,
    /// A controller of ingresses takes over new endpoints at most once in this time.
    pub ingress_sync: Span,
    /// A load balancer that asks the replicas itself; `None`: there is none.
    pub balancer: Option<Balancer>,
    /// Endpoints are kept in slices; `None`: in one list of those that get traffic.
    pub slices: Option<SlicePolicy>,
}

/// How endpoints are kept in slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePolicy {
    /// Endpoints in one slice at most.
    pub max_endpoints: u32,
    /// Services that are worked on at once.
    pub workers: u32,
    /// Wait after a pass that found its own last write missing in its cache; doubles each time.
    pub retry: Span,
    /// Longest such wait.
    pub retry_max: Span,
    /// Passes that fail in a row until the service is left alone until something else happens to it.
    pub retries: u32,
    /// A write comes back to its writer by its watch from so long before to so long after the answer to the write
    /// itself: both leave the server when the store has it, by different ways.
    pub echo: (Span, Span),
}
