//! Facts into metrics: what a run measured, and whether that is what was expected.
//!
//! Only integers decide here; nothing is drawn or printed. Start at [`evaluate`]; each family of definitions has its
//! own file, and [`Measurements::measure`] maps every metric of a scenario file to its definition.

mod chain;
mod distribution;
mod duplicates;
mod evaluation;
mod events;
mod expectation;
mod highlights;
mod losses;
mod measurements;
mod origins;
mod pods;
mod replicas;
mod stage;
mod tally;
mod traffic;

pub use chain::{Lost, StageTimes, Story, WhyLine, is_operation};
pub use distribution::{Distribution, Measured};
pub use duplicates::Duplicates;
pub use evaluation::{Evaluation, MetricSamples, RolloutRow, ServiceRow, Verdict, WorkloadRow, evaluate};
pub use events::Events;
pub use expectation::{Judged, value_of};
pub use highlights::Highlight;
pub use losses::{Ending, Loss, Losses, NodeHit};
pub use measurements::{Direction, Measurements, Scope, direction};
pub use origins::{Applied, Origins};
pub use pods::{Pod, Pods};
pub use replicas::{Replicas, RolloutEnding, RolloutTotals, Step, WorkloadTotals};
pub use stage::{Instants, Stage};
pub use tally::{PerWorkload, Tally};
pub use traffic::{Harm, ServiceTotals, TrafficTotals, WINDOW, ratio_ppm};
