//! Constraints of Marathon that look at where an app's other instances are.
//!
//! `UNIQUE` and `MAX_PER` are [`Distinct`], `GROUP_BY` and `CLUSTER` without a value are [`Grouping`]. `LIKE`, `UNLIKE`,
//! `IS` and `CLUSTER` with a value look at the node alone: they are its affinity, which the filters know. All instances of
//! an app count, whatever their version, but not those that are given up. An offer without the attribute never matches.
//! Source: mesosphere/marathon:src/main/scala/mesosphere/mesos/Constraints.scala. Start at [`Control::meets_constraints`].

use std::collections::BTreeMap;

use crate::control::Control;
use crate::ids::{NodeId, PodId, Symbol, WorkloadId};
use crate::model::{Grouping, PlacementWish};

/// How many instances of each app there are for each value of an attribute that its constraints name.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<(WorkloadId, Symbol), Groups>);

/// Instances by value; values without any are not listed.
type Groups = BTreeMap<Symbol, u32>;

/// Whether `GROUP_BY` allows one more instance of `wanted` on the value of an offer.
///
/// With a number of groups each gets its part of the instances, and the rest goes to whoever comes first. The looser rule
/// is the one that is documented and that older releases have: one more for the smallest group, once there are enough.
/// The newest code divides by the number of groups, so without one only the looser rule makes sense.
fn grouped(groups: &Groups, value: Symbol, wanted: u32, (number, strict): (Option<u32>, bool)) -> bool {
    let here = groups.get(&value).copied();
    let seen = groups.len() as u32;
    match number.filter(|n| strict && *n > 0) {
        Some(number) => {
            let (part, rest) = (wanted / number, wanted % number);
            let used: u32 = groups.values().map(|count| count.saturating_sub(part)).sum();
            here.map_or(seen < number, |count| count < part || (count == part && rest > used))
        }
        None => {
            let smallest = groups.values().copied().min().unwrap_or(0);
            here.is_none_or(|count| seen >= number.unwrap_or(0) && count == smallest)
        }
    }
}

/// Attributes that constraints name.
fn attributes(wishes: &PlacementWish) -> impl Iterator<Item = Symbol> + '_ {
    let grouping = |g: &Grouping| match *g {
        Grouping::Evenly { attribute, .. } | Grouping::Together { attribute } => attribute,
    };
    wishes.distinct.iter().map(|d| d.attribute).chain(wishes.groups.iter().map(grouping))
}

impl Control {
    /// Whether a node suits where a pod's siblings are.
    pub(super) fn meets_constraints(&self, pod: PodId, node: NodeId, strict: bool) -> bool {
        let row = &self.pods[pod];
        let wishes = &self.catalog.templates[row.template].wishes;
        if wishes.distinct.is_empty() && wishes.groups.is_empty() {
            return true;
        }
        let labels = &self.catalog.nodes[node].labels;
        let none = Groups::new();
        let groups = |attribute| self.offers.places.0.get(&(row.workload, attribute)).unwrap_or(&none);
        let distinct = wishes.distinct.iter().all(|d| {
            let here = |value| groups(d.attribute).get(&value).copied().unwrap_or(0);
            labels.get(d.attribute).is_some_and(|value| here(value) < d.at_most)
        });
        let wanted = self.workloads[row.workload].desired;
        distinct
            && wishes.groups.iter().all(|grouping| match *grouping {
                Grouping::Evenly { attribute, values } => labels
                    .get(attribute)
                    .is_some_and(|value| grouped(groups(attribute), value, wanted, (values, strict))),
                Grouping::Together { attribute } => labels.get(attribute).is_some_and(|value| {
                    let groups = groups(attribute);
                    groups.is_empty() || groups.contains_key(&value)
                }),
            })
    }

    /// An instance counts on a node from now on, or no longer.
    pub(super) fn count_instance(&mut self, pod: PodId, node: NodeId, more: i32) {
        let mut places = std::mem::take(&mut self.offers.places);
        self.count_in(&mut places, (pod, node), more);
        self.offers.places = places;
    }

    /// The same, in any book.
    pub(super) fn count_in(&self, places: &mut Places, (pod, node): (PodId, NodeId), more: i32) {
        let row = &self.pods[pod];
        let wishes = &self.catalog.templates[row.template].wishes;
        let labels = &self.catalog.nodes[node].labels;
        let mut named: Vec<_> = attributes(wishes).collect();
        named.sort_unstable();
        named.dedup();
        for attribute in named {
            let Some(value) = labels.get(attribute) else { continue };
            let groups = places.0.entry((row.workload, attribute)).or_default();
            let count = groups.entry(value).or_default();
            *count = count.saturating_add_signed(more);
            if *count == 0 {
                groups.remove(&value);
            }
        }
    }
}

impl Places {
    /// All groups that have instances.
    pub(super) fn listed(&self) -> impl Iterator<Item = (&(WorkloadId, Symbol), &Groups)> {
        self.0.iter().filter(|(_, groups)| !groups.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(counts: &[(u32, u32)], value: u32, wanted: u32, rule: (Option<u32>, bool)) -> bool {
        let groups = counts.iter().map(|&(value, count)| (Symbol(value), count)).collect();
        grouped(&groups, Symbol(value), wanted, rule)
    }

    #[test]
    fn strict_groups_get_their_part_and_the_rest_once() {
        let strict = (Some(3), true);
        // Eight in three groups: 2 each, two of them 3.
        assert!(allows(&[(1, 2), (2, 2)], 1, 8, strict));
        assert!(allows(&[(1, 3), (2, 2)], 2, 8, strict));
        assert!(!allows(&[(1, 3), (2, 3)], 1, 8, strict));
        assert!(!allows(&[(1, 3), (2, 3), (3, 2)], 3, 8, strict), "the rest is used up");
        assert!(allows(&[(1, 3), (2, 3)], 3, 8, strict), "a third group may still come");
        assert!(!allows(&[(1, 1), (2, 1), (3, 1)], 4, 8, strict), "a fourth may not");
    }

    #[test]
    fn loose_groups_take_the_smallest_and_a_late_rack_gets_what_is_left() {
        let loose = (Some(2), false);
        assert!(allows(&[], 1, 9, loose));
        assert!(!allows(&[(1, 1)], 1, 9, loose), "a second group must come first");
        assert!(allows(&[(1, 1)], 2, 9, loose));
        assert!(allows(&[(1, 1), (2, 1)], 1, 9, loose));
        assert!(!allows(&[(1, 2), (2, 1)], 1, 9, loose));
        assert!(allows(&[(1, 4), (2, 4)], 3, 9, loose), "the docs' example: 4, 4 and 1");
        assert!(!allows(&[(1, 4), (2, 4), (3, 1)], 1, 9, loose));
        assert!(allows(&[(1, 4)], 1, 9, (None, true)), "without a number one group is enough");
    }
}
