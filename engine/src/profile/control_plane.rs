//! Values of the store and its clients: what a change costs, and who may make how many.
//!
//! Start at [`ControlPlane`].

use super::machine;
use crate::fact::Client;
use crate::time::Span;

/// The store and its clients.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// From a write's arrival until it is durable.
    pub store_write: Span,
    /// Writes a second that the store sustains; further ones queue.
    pub store_writes_per_second: u32,
    /// Events about one object that a controller posts in a burst, each a request of its client. 0: it posts none.
    pub event_burst: u32,
    /// From a write until a watcher has seen it.
    pub watch_lag: Span,
    /// Rate limit of each client, in the order of [`Client`].
    pub limits: [RateLimit; Client::COUNT],
    /// What it is made of.
    pub machine: machine::Machine,
}

impl ControlPlane {
    /// The limit of a client.
    pub fn limit(&self, client: Client) -> RateLimit {
        self.limits[client as usize]
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second in the long run. 0 means unlimited.
    pub qps: u32,
    /// Requests at once after a rest.
    pub burst: u32,
}

impl RateLimit {
    /// No limit.
    pub const UNLIMITED: Self = Self { qps: 0, burst: 0 };
}
