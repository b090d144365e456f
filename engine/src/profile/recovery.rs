//! Values of what is done about lost nodes, lost replicas and containers that end.
//!
//! Start at [`Eviction`], [`Replication`] and [`Restart`].

use crate::model::{RestartPolicy, RestartWish};
use crate::time::Span;

/// What an unhealthy node costs its pods.
#[derive(Clone, Debug)]
pub enum Eviction {
    /// Nodes are tainted at a limited rate per zone; pods go when their toleration ends.
    Taints(TaintEviction),
    /// Pods are given up as soon as the node is unhealthy.
    AtOnce,
    /// Nothing: pods stay where they are until somebody removes the node (`Operation::RemoveNode`), and a node that is
    /// heard again goes on with what it has.
    Never,
    /// Pods go on serving and are replaced; each goes when its replacement is ready. One whose node is back before that
    /// stays, and the replacement is dropped.
    Suspect,
    /// They are replaced after a while and forgotten after another, each by its own or the profile's strategy.
    Unreachable(super::Unreachable),
}

/// Rate-limited eviction by taints.
#[derive(Clone, Debug)]
pub struct TaintEviction {
    /// From unhealthy until the node is queued for its eviction taint.
    pub taint_delay: Span,
    /// Nodes per 1,000 s that are tainted in a normal zone.
    pub rate: u32,
    /// The same in a large zone with partial disruption.
    pub secondary_rate: u32,
    /// Unhealthy nodes in thousandths of a zone that make it partially disrupted.
    pub unhealthy_threshold: u32,
    /// Zones up to this size stop evicting when partially disrupted.
    pub large_zone: u32,
    /// Nodes that may be tainted at once after a rest.
    pub burst: u32,
    /// A zone's rate depends on how much of it is unhealthy; else all nodes count as one zone in its normal state.
    pub disruption_modes: bool,
    /// Pods of a node that does not answer are removed by force when their grace is over.
    pub force_after_grace: bool,
    /// How long pods tolerate the taint that do not say so themselves.
    pub default_toleration: Span,
    /// Recovered nodes lose their taint on this grid.
    pub recovery_period: Span,
    /// Pods whose node object was deleted are looked for on this grid; found ones are collected after a quarantine.
    pub garbage_period: Span,
}

/// How replicas are kept at their number.
#[derive(Clone, Debug)]
pub struct Replication {
    /// Creations or deletions in one pass over one revision.
    pub burst: u32,
    /// Creations go in batches of 1, 2, 4, … as long as all succeed.
    pub slow_start: bool,
    /// Replicas are created once: nobody replaces one that ends, is lost or finds no node (there is no queue to wait in), and one that ended stays
    /// listed where it was until somebody removes it.
    pub once: bool,
    /// Somebody moves replicas that wish it when their node is unhealthy; `None`: nobody does.
    pub watchdog: Option<Watchdog>,
    /// A replacement of a failed or lost replica does not start before this has passed.
    pub replacement_delay: Span,
    /// Which lost replicas are replaced at all.
    pub replaced: Replaced,
    /// When a replica that ended by itself is replaced.
    pub retry: Retry,
    /// How replicas leave a node that is drained.
    pub drain: Drain,
    /// Surplus replicas are removed in this order.
    pub removal: Removal,
    /// Updates of replicas with names follow their `maxUnavailable`; else they go one by one.
    pub stateful_max_unavailable: bool,
}

/// Who moves containers of unhealthy nodes, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// Time that making one takes.
    pub create: Span,
    /// Time that starting one takes.
    pub start: Span,
}

/// Which lost replicas are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// All of them: somebody keeps their number.
    All,
    /// Those whose node is lost or cleared. Nobody keeps a number: one that is deleted by hand is gone.
    Moved,
    /// None: a replica that is gone is missing until people scale or deploy.
    None,
}

/// When a replica that ended by itself is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After [`Replication::replacement_delay`].
    Constant,
    /// After a wait that grows with the crashes of the replica's slot.
    Crashes(CrashPolicy),
    /// At once if it ever ran; else after a wait that doubles while replicas of the revision fail before they run.
    Launches {
        /// First wait.
        initial: Span,
        /// Longest wait.
        max: Span,
    },
}

/// Waits after crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPolicy {
    /// Up to the crash before this one it is replaced at once.
    pub immediate: u32,
    /// First wait; doubles with each crash. It ends at the next look of the monitor.
    pub initial: Span,
    /// Longest wait.
    pub max: Span,
    /// From this crash on it is not replaced any more.
    pub give_up: u32,
    /// Counting begins anew after a run that was longer than this.
    pub reset_after: Span,
}

/// How replicas leave a node that is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// They are deleted, and others made in their place.
    DeleteFirst,
    /// Others are made in their place, and each goes when its substitute is ready, or after this time.
    SubstituteFirst {
        /// `None`: however long it takes.
        deadline: Option<Span>,
    },
}

/// Which surplus replicas go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Not running, not ready, crowded node, youngest by powers of two of the age (ReplicaSet's rank).
    Ranked,
    /// The same, youngest to the second (before Kubernetes 1.22).
    RankedExactly,
    /// From the node with most replicas of the workload, not running first.
    Crowded,
    /// The highest slot, the newest replica.
    Newest,
    /// On silent nodes, not started, started last.
    Youngest,
    /// From the zone with most replicas of the revision, inside it by chance; not running first.
    Zones,
}

/// What happens to a container that ends.
#[derive(Clone, Debug)]
pub enum Restart {
    /// The agent restarts it in place, with growing waits.
    InPlace {
        /// First wait (the very first restart is immediate).
        initial: Span,
        /// Longest wait.
        max: Span,
        /// A container that ran this long starts again with the first wait.
        reset: Span,
    },
    /// The agent restarts it in place so many times within an interval; then the replica has failed.
    Counted(CountedRestart),
    /// The container engine of the node restarts it in place by the container's own policy, managed or not: the first
    /// wait comes before the very first restart, and what was running when the engine went down runs again when it is
    /// back, if its policy is to run always. Containers stay on their node's disk until somebody removes them.
    /// Source: moby/moby:daemon/internal/restartmanager/restartmanager.go.
    Engine {
        /// First wait; doubles with each restart.
        initial: Span,
        /// Longest wait.
        max: Span,
        /// After a run of this length the next wait is the first one again.
        reset: Span,
    },
    /// The replica ends, and the control plane starts another, perhaps elsewhere.
    Replace {
        /// Replacements per slot at most; `None`: no bound.
        max_attempts: Option<u32>,
        /// Only those of the last so long count; zero: all.
        window: Span,
        /// Which ends are followed by a replacement at all.
        condition: RestartCondition,
        /// A replacement does not start before the former replica has stopped, unless that takes longer.
        waits: Span,
    },
    /// A daemon of the host restarts it (Docker, systemd), and nobody else looks: one that is not restarted, or not any
    /// more, stays where it is and does not run.
    Local(LocalRestart),
}

/// How the daemon of a host restarts what ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalRestart {
    /// First wait; doubles each time.
    pub initial: Span,
    /// Longest wait.
    pub max: Span,
    /// What ran for this long starts again with the first wait.
    pub reset: Span,
    /// Starts at most within `window`, after which it has failed for good; 0: no bound.
    pub burst: u32,
    /// Starts count for so long.
    pub window: Span,
    /// When it restarts: as the replica says, or always the same.
    pub when: RestartWhen,
}

/// When the daemon of a host restarts what ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartWhen {
    /// As the replica's template says.
    Declared,
    /// Never.
    Off,
    /// When it failed.
    OnFailure,
    /// Always.
    Always,
}

impl RestartWhen {
    /// The policy that counts, given what the replica says.
    pub fn instead_of(self, declared: RestartPolicy) -> RestartPolicy {
        match self {
            Self::Declared => declared,
            Self::Off => RestartPolicy::Never,
            Self::OnFailure => RestartPolicy::OnFailure,
            Self::Always => RestartPolicy::Always,
        }
    }
}

/// Restarts in place that are counted.
///
/// Source: hashicorp/nomad:client/allocrunner/taskrunner/restarts/restarts.go, `RestartTracker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedRestart {
    /// For workloads that are to run for ever.
    pub service: RestartRule,
    /// For workloads that run to completion.
    pub batch: RestartRule,
    /// A wait is longer by up to so many thousandths.
    pub jitter: u32,
}

/// How often a container is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartRule {
    /// Restarts within the interval.
    pub attempts: u32,
    /// They are counted afresh after it.
    pub interval: Span,
    /// Wait before each.
    pub delay: Span,
    /// What comes after the last one.
    pub mode: RestartMode,
}

/// What comes after the last restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartMode {
    /// The replica has failed.
    Fail,
    /// It waits for the end of the interval.
    Delay,
}

impl RestartRule {
    /// The rule with what a workload says itself.
    pub(crate) fn wished(self, wish: &RestartWish) -> Self {
        Self {
            attempts: wish.attempts.unwrap_or(self.attempts),
            interval: wish.window.unwrap_or(self.interval),
            delay: wish.delay.unwrap_or(self.delay),
            mode: if wish.keep_trying { RestartMode::Delay } else { self.mode },
        }
    }
}

impl Restart {
    /// Whatever ends is replaced, without bound.
    pub const REPLACE: Self =
        Self::Replace { max_attempts: None, window: Span::ZERO, condition: RestartCondition::Any, waits: Span::ZERO };
}

/// After which ends a replica is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartCondition {
    /// After any.
    Any,
    /// After failures.
    OnFailure,
    /// After none.
    Never,
}

/// Which nodes run the replica of a workload that has one on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEachNode {
    /// Those whose taints it tolerates, and it tolerates closed, silent and crowded nodes by itself (a DaemonSet).
    Tolerant,
    /// Those that are open and healthy; elsewhere one that is there stays, but none is made (a global service). It is
    /// replaced after the restart delay, and updated by as many nodes at once as slots would be.
    Open,
}
