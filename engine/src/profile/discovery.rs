//! Values of how clients find replicas.
//!
//! Start at [`Discovery`].

use super::{Balancer, Gossip};
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
    /// Whoever answers names asks the control plane for all records once in this time; zero: it is told of changes.
    pub name_poll: Span,
    /// How long clients keep a resolved name.
    pub dns_ttl: Span,
    /// How what is on a node that nobody hears is taken out, whatever the control plane says of it.
    pub absence: Absence,
    /// Pods of an unhealthy node are taken out at detection, before any eviction.
    pub unready_on_unhealthy_node: bool,
    /// A controller of ingresses takes over new endpoints at most once in this time.
    pub ingress_sync: Span,
    /// A load balancer that asks the replicas itself; `None`: there is none.
    pub balancer: Option<Balancer>,
    /// Endpoints are kept in slices; `None`: in one list of those that get traffic.
    pub slices: Option<SlicePolicy>,
}

/// How clients cease to be sent to a node that nobody hears any more.
///
/// But for the first, entries belong to their node: a control plane that has given a silent node up takes nothing out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absence {
    /// The control plane's word counts and nothing else.
    #[default]
    Told,
    /// Nodes watch each other and hide the entries of those that they declare dead.
    Gossip(Gossip),
    /// Entries are announced from their node again and again, and are forgotten without that.
    Expiry(Expiry),
}

/// Entries that live only as long as they are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Time between two announcements.
    pub every: Span,
    /// An entry lives for so long after the last one.
    pub ttl: Span,
    /// Entries whose time is over are looked for so often; zero: they vanish by themselves.
    pub sweep: Span,
    /// A router that cannot connect for so long tries another replica and leaves this one alone; `None`: it does not.
    pub dial: Option<Span>,
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
