//! Dominant resource fairness: who is offered something first.
//!
//! Source: apache/mesos:src/master/allocator/mesos/sorter/drf/sorter.cpp. Roles have one framework each here, and a
//! weight of 1. Start at [`Share::exceeds`].

use std::cmp::Ordering;

/// What a framework has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) cpu: i64,
    pub(super) memory: i64,
    /// Launches so far: decides between equal shares.
    pub(super) launches: u64,
}

impl Share {
    /// Compares dominant shares of `total` (CPU, memory) without dividing.
    pub(super) fn exceeds(&self, other: &Self, total: (i64, i64)) -> Ordering {
        let dominant = |s: &Self| {
            let (cpu, memory) = (i128::from(s.cpu) * i128::from(total.1), i128::from(s.memory) * i128::from(total.0));
            cpu.max(memory)
        };
        dominant(self).cmp(&dominant(other)).then(self.launches.cmp(&other.launches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_both_shares_counts() {
        let total = (10_000, 100);
        let of = |cpu, memory| Share { cpu, memory, launches: 0 };
        // 30 % of CPU against 40 % of memory.
        assert_eq!(of(3_000, 0).exceeds(&of(1_000, 40), total), Ordering::Less);
        assert_eq!(of(5_000, 0).exceeds(&of(1_000, 40), total), Ordering::Greater);
        assert_eq!(of(4_000, 0).exceeds(&of(0, 40), total), Ordering::Equal);
        assert_eq!(of(4_000, 0).exceeds(&Share { launches: 1, ..of(0, 40) }, total), Ordering::Less);
    }
}
