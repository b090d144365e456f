//! Which wishes of workloads a profile honours, worked out from its policies.
//!
//! A file may be written for another orchestrator than the one it is run under. Whoever lowers it asks here what will
//! have no effect, and says so. Nothing depends on a profile's name: a policy that reads a wish says so in
//! the function of its group below. Start at [`Profile::honours`].

use super::{
    Balancer, Choice, Covers, Discovery, Dispatch, Eviction, Filter, Placement, Profile, Restart, Rollout, Score,
};

/// Something that a workload may wish and an orchestrator may not know. See [`crate::model::Wishes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// A wait of its own before restarts.
    RestartDelay,
    /// A bound on restarts.
    RestartAttempts,
    /// A time in which restarts count.
    RestartWindow,
    /// Waiting instead of failing when restarts are used up.
    RestartForEver,
    /// Growing waits before failed replicas are replaced.
    RescheduleDelay,
    /// A bound on replacements of failed replicas.
    RescheduleAttempts,
    /// So many replicas in work during an update.
    UpdateParallelism,
    /// A wait between steps of an update.
    UpdateDelay,
    /// Old or new replicas first.
    UpdateOrder,
    /// A time in which a failure counts as one of the update.
    UpdateMonitor,
    /// What a failed update leads to.
    UpdateFailure,
    /// A share of failures that is tolerated.
    UpdateMaxFailure,
    /// Canaries.
    Canary,
    /// A time for which a new replica must be healthy.
    MinHealthy,
    /// A time by which a new replica must be healthy.
    HealthyDeadline,
    /// A time by which an update must make progress.
    ProgressDeadline,
    /// A failed update turns back by itself.
    AutoRevert,
    /// Shares of replicas kept and added during an update.
    Capacity,
    /// Replicas that fail one after the other stop the update.
    CircuitBreaker,
    /// Values of its own for the way back.
    Rollback,
    /// A pace of its own for leaving drained nodes.
    Migrate,
    /// Whether replicas of lost nodes are moved.
    LostReschedule,
    /// A time for which replicas of a silent node are only unknown.
    LostAfter,
    /// Which one of an original and its replacement survives.
    Survivor,
    /// Containers that stop by themselves without a control plane.
    StopOnClient,
    /// Times after which unreachable replicas are replaced and forgotten.
    Unreachable,
    /// A load balancer whose questions decide on replacements.
    Balancer,
    /// Even spread over the values of an attribute.
    Spread,
    /// Wanted shares for each value of an attribute.
    SpreadTargets,
    /// At most one replica for each value of an attribute.
    DistinctOne,
    /// At most so many replicas for each value of an attribute.
    DistinctMany,
    /// Even groups, none of which may be larger than its share.
    Groups,
    /// All replicas on the value that the first one got.
    Together,
    /// Ranking rules of the workload's own.
    Strategies,
}

impl Wish {
    /// What it is, in words that continue "has no ...".
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::RestartDelay => "restart delay of a workload's own",
            Self::RestartAttempts => "bound on restarts",
            Self::RestartWindow => "window in which restarts count",
            Self::RestartForEver => "waiting for the end of an interval of restarts",
            Self::RescheduleDelay => "waits of a workload's own before failed replicas are replaced",
            Self::RescheduleAttempts => "bound on replacements of failed replicas",
            Self::UpdateParallelism => "number of replicas that are updated at once",
            Self::UpdateDelay => "wait between steps of an update",
            Self::UpdateOrder => "order of stop and start in an update",
            Self::UpdateMonitor => "time in which a failure counts as one of the update",
            Self::UpdateFailure => "action after a failed update",
            Self::UpdateMaxFailure => "share of failures that an update tolerates",
            Self::Canary => "canaries",
            Self::MinHealthy => "time for which a new replica must be healthy",
            Self::HealthyDeadline => "deadline for the health of a new replica",
            Self::ProgressDeadline => "deadline for the progress of an update",
            Self::AutoRevert => "way back by itself after a failed update",
            Self::Capacity => "shares of replicas that are kept and added in an update",
            Self::CircuitBreaker => "circuit breaker of updates",
            Self::Rollback => "values of a workload's own for the way back",
            Self::Migrate => "pace of a workload's own for leaving drained nodes",
            Self::LostReschedule => "choice whether replicas of lost nodes are moved",
            Self::LostAfter => "time for which replicas of a silent node are only unknown",
            Self::Survivor => "choice between a replica that comes back and its replacement",
            Self::StopOnClient => "containers that stop by themselves without a control plane",
            Self::Unreachable => "times after which unreachable replicas are replaced and forgotten",
            Self::Balancer => "load balancer whose questions decide on replacements",
            Self::Spread => "spread over an attribute",
            Self::SpreadTargets => "shares for each value of an attribute",
            Self::DistinctOne => "bound of one replica for each value of an attribute",
            Self::DistinctMany => "bound of several replicas for each value of an attribute",
            Self::Groups => "even groups over an attribute",
            Self::Together => "replicas that stay with the first one",
            Self::Strategies => "ranking rules of a workload's own",
        }
    }
}

impl Profile {
    /// True when a workload that wishes this gets it under this profile.
    pub fn honours(&self, wish: Wish) -> bool {
        // Frameworks that launch from offers decide on restarts and on places themselves.
        let launches = match self.dispatch {
            Dispatch::Offers(_) => honoured_by_offers(wish),
            _ => self.restart.honours(wish) || self.placement.honours(wish),
        };
        let watched = wish == Wish::LostReschedule && self.replication.watchdog.is_some();
        let asked = watched || self.discovery.honours(wish);
        launches || asked || self.eviction.honours(wish) || self.rollout.honours(wish)
    }
}

/// What a workload decides itself about its launches from offers.
fn honoured_by_offers(wish: Wish) -> bool {
    matches!(wish, Wish::RescheduleDelay | Wish::DistinctOne | Wish::DistinctMany | Wish::Groups | Wish::Together)
}

impl Eviction {
    /// What a workload decides itself about lost nodes.
    fn honours(&self, wish: Wish) -> bool {
        match self {
            Self::Unreachable(_) => matches!(wish, Wish::Unreachable | Wish::LostReschedule),
            _ => false,
        }
    }
}

impl Restart {
    /// What a workload decides itself about containers that end.
    fn honours(&self, wish: Wish) -> bool {
        match self {
            Self::Replace { .. } => {
                matches!(wish, Wish::RestartDelay | Wish::RestartAttempts | Wish::RestartWindow)
            }
            Self::Counted(_) => {
                matches!(wish, Wish::RestartDelay | Wish::RestartAttempts | Wish::RestartWindow | Wish::RestartForEver)
            }
            _ => false,
        }
    }
}

impl Rollout {
    /// What a workload decides itself about its updates.
    fn honours(&self, wish: Wish) -> bool {
        match self {
            Self::Replace(_) => wish == Wish::Capacity,
            Self::Groups(_) => matches!(
                wish,
                Wish::RescheduleDelay
                    | Wish::RescheduleAttempts
                    | Wish::UpdateParallelism
                    | Wish::Canary
                    | Wish::MinHealthy
                    | Wish::HealthyDeadline
                    | Wish::ProgressDeadline
                    | Wish::AutoRevert
                    | Wish::Migrate
                    | Wish::LostAfter
                    | Wish::Survivor
            ),
            // Lowered into surge and unavailability, the time until available, and the deadline of the rollout.
            Self::Surge { .. } => matches!(
                wish,
                Wish::UpdateParallelism
                    | Wish::UpdateOrder
                    | Wish::Capacity
                    | Wish::MinHealthy
                    | Wish::ProgressDeadline
            ),
            Self::Percent { .. } => matches!(wish, Wish::Capacity | Wish::CircuitBreaker | Wish::AutoRevert),
            Self::Slots(_) => matches!(
                wish,
                Wish::UpdateParallelism
                    | Wish::UpdateDelay
                    | Wish::UpdateOrder
                    | Wish::UpdateMonitor
                    | Wish::UpdateFailure
                    | Wish::UpdateMaxFailure
                    | Wish::Rollback
            ),
        }
    }
}

impl Discovery {
    /// What a workload decides itself about a load balancer.
    fn honours(&self, wish: Wish) -> bool {
        let heard = |balancer: &Balancer| balancer.covers != Covers::Nobody;
        wish == Wish::Balancer && self.balancer.as_ref().is_some_and(heard)
    }
}

impl Placement {
    /// What a workload decides itself about its nodes.
    fn honours(&self, wish: Wish) -> bool {
        let scored = |score: Score| self.scores.iter().any(|(one, _)| *one == score);
        let sampled = matches!(self.choice, Choice::Sampled(_));
        match wish {
            // Lowered into soft topology spread for those that score it.
            Wish::Spread => {
                sampled || scored(Score::PodTopologySpread) || matches!(self.choice, Choice::FewestOfWorkload { .. })
            }
            Wish::SpreadTargets => sampled,
            // Lowered into anti-affinity between the replicas for those that filter by it.
            Wish::DistinctOne => {
                sampled || self.filters.iter().any(|f| matches!(f, Filter::InterPodAffinity | Filter::MaxPerNode))
            }
            Wish::DistinctMany => sampled || self.filters.contains(&Filter::MaxPerNode),
            Wish::Strategies => matches!(self.choice, Choice::Strategy(_) | Choice::Strategies { wished: true, .. }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_honoured_follows_the_policies_and_not_the_name() {
        let mut profile = Profile::named("kubernetes").expect("it is built in");
        assert!(!profile.honours(Wish::UpdateMonitor) && profile.honours(Wish::Spread));
        let swarm = Profile::named("swarm").expect("it is built in");
        assert!(swarm.honours(Wish::UpdateMonitor) && swarm.honours(Wish::RestartDelay));
        profile.rollout = swarm.rollout.clone();
        assert!(profile.honours(Wish::UpdateMonitor), "the name is still `{}`", profile.name);
        profile.placement.scores.clear();
        assert!(!profile.honours(Wish::Spread));
    }
}
