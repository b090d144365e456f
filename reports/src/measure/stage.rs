//! The way from a fault to a replica that users reach again, stage by stage.
//!
//! Start at [`Stage`]; [`Instants`] holds when one replica reached each.

use shakedown_engine::time::Time;

/// A step on the way back, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The control plane noticed: the node was declared unhealthy, the replica not ready, failed or given up. What only
    /// the agent on its node knows counts when the agent repaired it in place and nobody else ever had to know.
    Detected,
    /// The replica's node was marked for eviction.
    Marked,
    /// The replica was given up: its deletion was asked for, or it was declared failed.
    Evicted,
    /// A replacement exists as an object.
    Created,
    /// The replacement has a node.
    Bound,
    /// The replacement's images are on that node.
    Pulled,
    /// Its first container runs (or the old one was restarted in place).
    Started,
    /// The control plane has it as ready.
    Ready,
    /// It is published as an endpoint of its services.
    Listed,
    /// The last client that can hear of it acts on it.
    Seen,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 10] = [
        Self::Detected,
        Self::Marked,
        Self::Evicted,
        Self::Created,
        Self::Bound,
        Self::Pulled,
        Self::Started,
        Self::Ready,
        Self::Listed,
        Self::Seen,
    ];

    /// Name for people and machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Marked => "marked",
            Self::Evicted => "evicted",
            Self::Created => "replacement created",
            Self::Bound => "bound",
            Self::Pulled => "pulled",
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Listed => "in endpoints",
            Self::Seen => "seen by the last client",
        }
    }

    /// Name as a key of JSON objects.
    pub fn key(self) -> &'static str {
        match self {
            Self::Created => "replacement_created",
            Self::Listed => "in_endpoints",
            Self::Seen => "seen_by_last_client",
            other => other.name(),
        }
    }
}

/// When one replica reached each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instants([Option<Time>; Stage::ALL.len()]);

impl Instants {
    /// When a stage was reached.
    pub fn get(&self, stage: Stage) -> Option<Time> {
        self.0[stage as usize]
    }

    /// Notes that a stage was reached; false when it was reached before, which stands.
    pub fn reach(&mut self, stage: Stage, at: Time) -> bool {
        let known = &mut self.0[stage as usize];
        let is_new = known.is_none();
        known.get_or_insert(at);
        is_new
    }

    /// Forgets this stage and all later ones: a replacement was lost before it was of use.
    pub fn forget_from(&mut self, stage: Stage) {
        self.0[stage as usize..].fill(None);
    }
}
