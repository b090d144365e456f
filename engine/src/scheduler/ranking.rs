//! Choices of a node that are not sums of weighted scores: rules taken one after the other, and the auction of Diego.
//!
//! Both work on the feasible nodes that the filters have left; what is counted (replicas of the workload by zone or
//! node) is kept up by the ledger. Start at [`Scheduler::by_ranks`] and [`Scheduler::by_auction`].

use crate::ids::{NodeId, WorkloadId};
use crate::model::{Catalog, PlacementStrategy, PodTemplate};
use crate::profile::{Auction, Choice, Placement, Ranking};
use crate::scheduler::Scheduler;
use crate::scheduler::class::Class;
use crate::scheduler::counters::{CounterId, Members};
use crate::scheduler::ledger::Ledger;
use crate::scheduler::topology::{Key, Scope};

/// One rule of a class: the nodes with the smallest value stay.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rank {
    /// Replicas of the workload near the node.
    Fewest(CounterId),
    /// CPU that would be left.
    CpuLeft,
    /// Memory that would be left.
    MemoryLeft,
    /// Pods of anybody.
    Pods,
    /// All are alike.
    Random,
}

/// The rules of pods of this template and workload, where the profile chooses by rules.
pub(super) fn ranks(
    (catalog, ledger): (&Catalog, &mut Ledger),
    placement: &Placement,
    (template, workload): (&PodTemplate, Option<WorkloadId>),
) -> Vec<Rank> {
    let mut fewest = |key: Key| {
        let mut counter = |owner| ledger.counter_for(Members::OfWorkload(owner), key, Scope::Anywhere);
        workload.map(|owner| Rank::Fewest(counter(owner)))
    };
    let zone = Key::Label(catalog.known.zone);
    match &placement.choice {
        Choice::Auction(_) => [fewest(zone), fewest(Key::Node)].into_iter().flatten().collect(),
        Choice::Strategies { wished: true, .. } if !template.wishes.strategies.is_empty() => {
            let rank = |strategy: &PlacementStrategy| match *strategy {
                PlacementStrategy::Spread(label) if label == catalog.known.hostname => fewest(Key::Node),
                PlacementStrategy::Spread(label) => fewest(Key::Label(label)),
                PlacementStrategy::HighAvailability => fewest(Key::Node),
                PlacementStrategy::BinpackCpu => Some(Rank::CpuLeft),
                PlacementStrategy::BinpackMemory => Some(Rank::MemoryLeft),
                PlacementStrategy::Emptiest => Some(Rank::Pods),
                PlacementStrategy::Random => Some(Rank::Random),
            };
            template.wishes.strategies.iter().filter_map(rank).collect()
        }
        Choice::Strategies { default, .. } => {
            let rank = |strategy: &Ranking| match strategy {
                Ranking::SpreadZones => fewest(zone),
                Ranking::SpreadNodes => fewest(Key::Node),
                Ranking::BinpackCpu => Some(Rank::CpuLeft),
                Ranking::BinpackMemory => Some(Rank::MemoryLeft),
                Ranking::Emptiest => Some(Rank::Pods),
                Ranking::Random => Some(Rank::Random),
            };
            default.iter().filter_map(rank).collect()
        }
        _ => Vec::new(),
    }
}

impl Scheduler {
    /// The node that the class's rules leave; among several that they leave chance decides, by 64 random bits.
    pub(super) fn by_ranks(&self, class: &Class, feasible: &[u32], luck: u64) -> NodeId {
        let mut left = feasible.to_vec();
        for rank in &class.ranks {
            let key = |n: u32| self.rank_key(*rank, n as usize);
            match rank {
                Rank::Random => break,
                _ => {
                    let best = left.iter().map(|&n| key(n)).min();
                    left.retain(|&n| Some(key(n)) == best);
                }
            }
        }
        let chosen = ((u128::from(luck) * left.len() as u128) >> 64) as usize;
        NodeId(left[chosen])
    }

    fn rank_key(&self, rank: Rank, n: usize) -> i64 {
        match rank {
            Rank::Fewest(counter) => i64::from(self.ledger.near(counter, n)),
            Rank::CpuLeft => self.usage.free_cpu[n],
            Rank::MemoryLeft => self.usage.free_memory[n],
            Rank::Pods => i64::from(self.usage.pods[n]) - i64::from(self.usage.terminating[n]),
            Rank::Random => 0,
        }
    }

    /// The cell that wins the auction: in the zones with the fewest instances of the application, the lowest score; the
    /// first of equals.
    ///
    /// Sources: cloudfoundry/auction:auctionrunner/scheduler.go, `scheduleLRPAuction`, `scheduleTaskAuction`;
    /// auctionrunner/cell.go, `ScoreForLRP`; cloudfoundry/bbs:models (rep's resources), `ComputeScore`.
    pub(super) fn by_auction(&self, class: &Class, auction: &Auction, feasible: &[u32]) -> NodeId {
        let mut cells = feasible.to_vec();
        cells.sort_unstable();
        // Only long-running processes go by zones and instances; tasks have no instances to spread.
        let (zone, own) = match (&class.ranks[..], class.runs_to_completion) {
            ([Rank::Fewest(zone), Rank::Fewest(own)], false) => (Some(*zone), Some(*own)),
            _ => (None, None),
        };
        if let Some(zone) = zone {
            let fewest = cells.iter().map(|&n| self.ledger.near(zone, n as usize)).min();
            cells.retain(|&n| Some(self.ledger.near(zone, n as usize)) == fewest);
        }
        let mut winner = (f64::INFINITY, cells[0]);
        for (index, &n) in cells.iter().enumerate() {
            let instances = match own {
                Some(own) => self.ledger.near(own, n as usize),
                None => self.usage.tasks[n as usize],
            };
            let score = self.auction_score(class, auction, (n as usize, instances, index));
            if score < winner.0 {
                winner = (score, n);
            }
        }
        NodeId(winner.1)
    }

    fn auction_score(&self, class: &Class, auction: &Auction, (n, instances, index): (usize, u32, usize)) -> f64 {
        let usage = &self.usage;
        let used =
            |free: i64, asked: i64, all: i64| if all == 0 { 0.0 } else { 1.0 - (free - asked) as f64 / all as f64 };
        let [one, _, memory, disk] = class.demand.amounts();
        let spec = &self.catalog.nodes[NodeId(n as u32)];
        let memory = used(usage.free_memory[n], memory, usage.cap_memory[n]);
        let disk = used(usage.free_ephemeral[n], disk, spec.allocatable.ephemeral.0);
        let containers = used(usage.free_pods[n], one, i64::from(spec.max_pods));
        let thousandth = |weight: u32| f64::from(weight) / 1000.0;
        (memory + disk + containers) / 3.0
            + f64::from(usage.starting[n]) * thousandth(auction.starting_weight)
            + f64::from(instances) * f64::from(auction.locality)
            + index as f64 * thousandth(auction.first_fit_weight)
    }
}
