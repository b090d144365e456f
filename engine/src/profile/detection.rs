//! Values of noticing that a node is dead.
//!
//! The mechanism is in `control/nodes.rs`. Start at [`Detection`].

use crate::message::Missed;
use crate::time::Span;

/// How the death of a node is noticed.
#[derive(Clone, Debug)]
pub struct Detection {
    /// Time between two heartbeats.
    pub heartbeat: Span,
    /// Each of them is longer or shorter by up to this much.
    pub heartbeat_jitter: Span,
    /// Silence that makes a node unhealthy.
    pub grace: Grace,
    /// Silence that makes a node unhealthy which never reported.
    pub startup_grace: Span,
    /// Silence is only looked for on this grid; zero means at once.
    pub monitor_period: Span,
    /// A node that joins is closed until its agent has reported it ready (admission plugin `TaintNodesByCondition`).
    pub taint_new_nodes: bool,
    /// A node that is unhealthy for this long is given up as disconnected, which is a word only; `None`: there is no
    /// such word.
    pub disconnected_after: Option<Span>,
    /// The control plane asks each node, and nothing else above counts; `None`: nodes say so themselves.
    pub polls: Option<Polls>,
    /// From a new node's registration until its agent reports it ready.
    pub ready_after: Span,
}

/// Questions that the control plane asks each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polls {
    /// Least wait from an answer to the next question.
    pub wait: Span,
    /// Longest wait, the wait being uniform between the two; where it is below the least, that counts.
    pub longest: Span,
    /// An answer may take so long.
    pub timeout: Span,
    /// The network says after so long that there is no such host.
    pub unreachable: Span,
    /// In so many of a thousand cases a second dead connection is in the pool, so that the second question, too, is given
    /// up only after `timeout`.
    pub pooled: u32,
    /// Failures in a row that make a node unhealthy; each further one makes the wait longer by itself.
    pub failures: u32,
    /// A broken stream of events is set up again within this time of the node's return.
    pub event_retry: Span,
}

/// How long silence is tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// So long.
    Fixed(Span),
    /// So many heartbeat periods, each as long as the node's newest one.
    Periods(u32),
    /// The control plane grants a time to live with each heartbeat, and a little more.
    Granted(Granted),
    /// A key of the store lives for so long after each heartbeat; its absence is seen by the monitor's next pass.
    Lease(Span),
    /// The control plane asks: so many questions in a row without an answer, each given up after so long.
    Pings {
        /// Questions.
        failures: u32,
        /// Until one is given up.
        timeout: Span,
    },
}

/// Times to live that the control plane hands out with its answers to heartbeats.
///
/// The agent sends its next one exactly when the time is over, so a larger cluster beats less often, and notices less.
/// Source: hashicorp/nomad:nomad/heartbeat.go, `resetHeartbeatTimer`; helper/cluster.go, `RateScaledInterval` and
/// `RandomStagger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Least time to live, before chance adds up to as much again.
    pub min_ttl: Span,
    /// Heartbeats a second that all nodes together may send; with more nodes the time to live grows.
    pub beats_per_second: u32,
    /// Silence beyond the time to live that makes a node unhealthy.
    pub grace: Span,
    /// A new leader gives every node this long, whatever was granted before.
    pub failover_ttl: Span,
}

impl Granted {
    /// Least time to live in a cluster of so many nodes; chance adds up to as much again.
    pub fn ttl(&self, nodes: u64) -> Span {
        let rated = Span::from_nanos(nodes.saturating_mul(1_000_000_000) / u64::from(self.beats_per_second.max(1)));
        rated.max(self.min_ttl)
    }
}

impl Grace {
    /// What an agent does after it could not deliver a heartbeat. One that lives on granted time is in a hurry.
    /// Source: hashicorp/nomad:client/client.go, `getHeartbeatRetryIntv`; measured on 1.1.2: a client that was cut off is
    /// ready 0.55-1.6 s after the heal.
    pub(crate) fn missed(&self) -> Missed {
        if let Self::Granted(_) = self { Missed::Again } else { Missed::Next }
    }
}

impl Detection {
    /// Time between two heartbeats of a node in a cluster of so many, and by how much it varies.
    pub(crate) fn beat(&self, nodes: u64) -> (Span, Span) {
        match &self.grace {
            // U(ttl, 2 ttl) is one and a half, give or take a half.
            Grace::Granted(granted) => {
                let half = Span::from_nanos(granted.ttl(nodes).as_nanos() / 2);
                (half.times(3), half)
            }
            Grace::Fixed(_) | Grace::Periods(_) | Grace::Lease(_) | Grace::Pings { .. } => {
                (self.heartbeat, self.heartbeat_jitter)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn granted_time_grows_with_the_cluster_from_five_hundred_nodes_on() {
        let granted = Granted {
            min_ttl: Span::from_secs(10),
            beats_per_second: 50,
            grace: Span::from_secs(10),
            failover_ttl: Span::from_secs(300),
        };
        let ttl = |nodes| granted.ttl(nodes).as_nanos() / 1_000_000_000;
        assert_eq!([ttl(3), ttl(500), ttl(1_000), ttl(5_000)], [10, 10, 20, 100]);
    }
}
