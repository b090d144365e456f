//! Which of the feasible nodes is taken, when there are several.
//!
//! Scores are worked out in `score`; this is what the profile makes of them. Start at [`Scheduler::best_of`].

use crate::ids::NodeId;
use crate::model::PlacementStrategy;
use crate::profile::{Choice, Score};
use crate::scheduler::Scheduler;
use crate::scheduler::counters::ClassId;
use crate::scheduler::score::Scratch;

impl Scheduler {
    /// One of the feasible nodes, by 64 random bits where that is how ties are broken.
    pub(super) fn best_of(&self, class: ClassId, scratch: &mut Scratch, luck: u64) -> NodeId {
        match self.placement(class).choice {
            Choice::Scores => {
                self.score(class, scratch);
                scratch.pick(luck)
            }
            Choice::FirstByName => {
                self.score(class, scratch);
                scratch.first(|node| self.catalog.names.text(self.catalog.nodes[node].name))
            }
            Choice::Strategy(usual) => {
                let template = &self.catalog.templates[self.classes[class].template];
                let wished = template.wishes.strategies.iter().find_map(|&wish| counted(wish));
                self.score_by(class, scratch, wished.or_else(|| counted(usual)));
                scratch.pick(luck)
            }
            Choice::FewestOfWorkload { .. } => self.least_crowded(class, &scratch.feasible, luck),
            Choice::Strategies { .. } => self.by_ranks(&self.classes[class], &scratch.feasible, luck),
            Choice::Auction(ref auction) => self.by_auction(&self.classes[class], auction, &scratch.feasible),
            Choice::Sampled(_) => unreachable!("such choices are made by `nomad`"),
            Choice::Weights(_) => unreachable!("such choices are made by `weights`"),
        }
    }
}

/// What a strategy counts; `None` for those that count nothing.
fn counted(strategy: PlacementStrategy) -> Option<Score> {
    match strategy {
        PlacementStrategy::Emptiest => Some(Score::FewestPods),
        PlacementStrategy::HighAvailability => Some(Score::FewestOfWorkload),
        PlacementStrategy::Spread(_)
        | PlacementStrategy::BinpackCpu
        | PlacementStrategy::BinpackMemory
        | PlacementStrategy::Random => None,
    }
}
