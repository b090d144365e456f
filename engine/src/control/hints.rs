//! Topology hints: for which zone each endpoint is meant, in proportion to the zones' CPU.
//!
//! Worked out anew for all ready endpoints at each write; the original keeps the hints of slices that it does not
//! write. Source: kubernetes/kubernetes:staging/src/k8s.io/endpointslice/topologycache/{topologycache,utils}.go.
//! Start at [`allot`].

use crate::ids::{Id, ZoneId};

/// Parts of one endpoint in which shares are counted, so that integers decide.
const PART: i64 = 1_000_000;

/// The zone that each endpoint is for, from the CPU of each zone and the zone that each endpoint is in. `None` when
/// hints would overload some endpoint by more than a fifth, or when there is nothing to choose from.
pub(super) fn allot(cpu: &[i64], homes: &[ZoneId]) -> Option<Vec<ZoneId>> {
    let zones: Vec<usize> = (0..cpu.len()).filter(|&zone| cpu[zone] > 0).collect();
    let (total, count) = (cpu.iter().sum::<i64>(), homes.len() as i64);
    if zones.len() < 2 || zones.len() > homes.len() {
        return None;
    }
    // Source: `overloadThreshold`, 0.2: a zone needs its share divided by 1.2, rounded up.
    let least = |zone: usize| {
        let (need, whole) = (cpu[zone] * count * 10, total * 12);
        (need + whole - 1) / whole
    };
    if zones.iter().map(|&zone| least(zone)).sum::<i64>() > count {
        return None;
    }
    let mut surplus: Vec<i64> = vec![0; cpu.len()];
    for &home in homes {
        surplus[home.index()] += PART;
    }
    for &zone in &zones {
        surplus[zone] -= (cpu[zone] * count * PART / total).max(least(zone) * PART);
    }
    let (mut gives, mut takes) = (vec![0u32; cpu.len()], vec![0u32; cpu.len()]);
    loop {
        let giving = *zones.iter().max_by_key(|&&zone| (surplus[zone], std::cmp::Reverse(zone)))?;
        let taking = *zones.iter().min_by_key(|&&zone| (surplus[zone], zone))?;
        let (give, take) = (surplus[giving], -surplus[taking]);
        if give.max(take) < PART || give.min(take) < PART / 2 {
            break;
        }
        (surplus[giving], surplus[taking]) = (give - PART, PART - take);
        (gives[giving], takes[taking]) = (gives[giving] + 1, takes[taking] + 1);
    }
    let hint = |home: &ZoneId| {
        let receiver = takes.iter().position(|&left| left > 0);
        match receiver.filter(|_| gives[home.index()] > 0) {
            Some(zone) => {
                gives[home.index()] -= 1;
                takes[zone] -= 1;
                ZoneId::from_index(zone)
            }
            None => *home,
        }
    };
    Some(homes.iter().map(hint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cpu: &[i64], homes: &[u32]) -> Option<Vec<usize>> {
        let homes: Vec<ZoneId> = homes.iter().map(|&zone| ZoneId(zone as _)).collect();
        let hints = allot(cpu, &homes)?;
        Some((0..cpu.len()).map(|zone| hints.iter().filter(|hint| hint.index() == zone).count()).collect())
    }

    #[test]
    fn balanced_endpoints_stay_in_their_zones() {
        assert_eq!(counts(&[8, 8, 8], &[0, 1, 2, 0, 1, 2]), Some(vec![2, 2, 2]));
    }

    #[test]
    fn a_zone_with_too_many_gives_to_one_with_too_few() {
        assert_eq!(counts(&[8, 8, 8], &[0, 0, 0, 0, 1, 2, 2, 2, 1]), Some(vec![3, 3, 3]));
        assert_eq!(counts(&[10, 20], &[0, 0, 0, 1, 1, 1]), Some(vec![2, 4]));
    }

    #[test]
    fn hints_that_would_overload_an_endpoint_are_not_given() {
        assert_eq!(counts(&[8, 8, 8], &[0, 1]), None, "fewer endpoints than zones");
        assert_eq!(counts(&[8, 0], &[0, 0, 0]), None, "one zone");
        assert_eq!(counts(&[7, 8], &[0, 1]), Some(vec![1, 1]));
        assert_eq!(counts(&[5, 8], &[0, 1]), None, "the larger zone needs two, and then there is none for the other");
        assert_eq!(counts(&[8, 8, 8], &[0, 1, 2, 2]), None, "each zone would need two");
    }
}
