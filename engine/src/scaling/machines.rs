//! Groups of machines: which group to ask, and which machines nobody needs.
//!
//! Pure arithmetic; whether a pod fits is asked of the scheduler's own filters by `control/pools`. Source:
//! kubernetes/autoscaler:cluster-autoscaler, expander/waste and core/scaledown. Start at [`choose`].

use crate::ids::PoolId;
use crate::model::Resources;
use crate::profile::Machines;

/// What asking one group would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which group.
    pub pool: PoolId,
    /// Machines that it would add.
    pub machines: u32,
    /// Pods that would find a place.
    pub pods: u32,
    /// What these pods request together.
    pub requested: Resources,
    /// What one machine can give.
    pub allocatable: Resources,
}

/// The offer that wastes least CPU and memory; among equals the first.
/// Source: kubernetes/autoscaler:cluster-autoscaler/expander/waste/waste.go, `BestOptions`; the default expander
/// (config/flags/flags.go). The original draws among equals.
pub fn choose(offers: &[Offer]) -> Option<&Offer> {
    offers.iter().filter(|offer| offer.pods > 0).min_by_key(|offer| (waste(offer), offer.pool))
}

/// Unused CPU and memory in millionths, added.
fn waste(offer: &Offer) -> i64 {
    let part = |used: i64, each: i64| {
        let all = each.saturating_mul(i64::from(offer.machines)).max(1);
        ((i128::from(all - used) * 1_000_000) / i128::from(all)) as i64
    };
    let (used, each) = (&offer.requested, &offer.allocatable);
    part(used.cpu.0, each.cpu.0) + part(used.memory.0, each.memory.0)
}

/// How much of a node is requested, in thousandths: CPU or memory, whichever is more.
/// Source: kubernetes/autoscaler:cluster-autoscaler/simulator/utilization/info.go, `Calculate`.
pub fn utilization(requested: (i64, i64), allocatable: &Resources) -> u32 {
    let part = |used: i64, all: i64| (used.max(0).saturating_mul(1_000) / all.max(1)) as u32;
    part(requested.0, allocatable.cpu.0).max(part(requested.1, allocatable.memory.0))
}

/// Whether so many nodes are unhealthy that nothing may be done.
/// Source: kubernetes/autoscaler:cluster-autoscaler/clusterstate/clusterstate.go, `IsClusterHealthy`.
pub fn too_sick(policy: &Machines, unready: u32, total: u32) -> bool {
    unready > policy.ok_unready && unready * 100 > total * policy.max_unready_percent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bytes, MilliCpu};

    fn offer(pool: u32, machines: u32, (used, each): (i64, i64)) -> Offer {
        let amount = |cpu: i64| Resources::new(MilliCpu(cpu), Bytes(cpu << 20));
        Offer { pool: PoolId(pool), machines, pods: 3, requested: amount(used), allocatable: amount(each) }
    }

    #[test]
    fn the_group_that_wastes_least_is_asked() {
        let offers = [offer(0, 1, (3_000, 16_000)), offer(1, 2, (3_000, 2_000)), offer(2, 1, (3_000, 8_000))];
        assert_eq!(choose(&offers).map(|offer| offer.pool), Some(PoolId(1)));
        let nothing = [Offer { pods: 0, ..offer(0, 0, (0, 1)) }];
        assert_eq!(choose(&nothing), None);
    }

    #[test]
    fn the_scarcer_resource_decides_how_full_a_node_is() {
        let node = Resources::new(MilliCpu(4_000), Bytes(1_000));
        assert_eq!(utilization((1_000, 600), &node), 600);
    }

    #[test]
    fn few_sick_nodes_are_never_too_many() {
        let policy = crate::profile::Profile::named("kubernetes").unwrap().machines.unwrap();
        assert!(!too_sick(&policy, 3, 3));
        assert!(!too_sick(&policy, 4, 9));
        assert!(too_sick(&policy, 5, 9));
    }
}
