//! Why a task finds no node, in Swarm's words. Start at [`Unsuitable`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// Nodes that refuse a task, by what Swarm's scheduler says of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unsuitable {
    /// Not ready, or not active.
    pub unavailable: u16,
    /// Without enough free resources.
    pub full: u16,
    /// That do not meet the constraints.
    pub unfit: u16,
    /// With a port in use.
    pub port_taken: u16,
    /// With as many replicas as there may be.
    pub enough: u16,
}

impl fmt::Display for Unsuitable {
    /// Most frequent first. Source: moby/swarmkit:manager/scheduler/{filter,pipeline}.go, `Explain`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = |n: u16| if n == 1 { "1 node".to_owned() } else { format!("{n} nodes") };
        let mut parts = [
            (self.unavailable, format!("{} not available for new tasks", nodes(self.unavailable))),
            (self.full, format!("insufficient resources on {}", nodes(self.full))),
            (self.unfit, format!("scheduling constraints not satisfied on {}", nodes(self.unfit))),
            (self.port_taken, format!("host-mode port already in use on {}", nodes(self.port_taken))),
            (self.enough, "max replicas per node limit exceed".to_owned()),
        ];
        parts.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
        let parts: Vec<&str> = parts.iter().filter(|(n, _)| *n > 0).map(|(_, text)| text.as_str()).collect();
        if parts.is_empty() {
            return f.write_str("no suitable node");
        }
        write!(f, "no suitable node ({})", parts.join("; "))
    }
}
