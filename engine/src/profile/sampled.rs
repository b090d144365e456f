//! Values of a choice among a few shuffled nodes by the mean of scores (Nomad).
//!
//! The mechanism is in `scheduler/nomad`. Start at [`Sampled`].

/// A fresh shuffle of nodes, the first few feasible ones, and the highest mean of their scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// Whether full or empty nodes are better.
    pub algorithm: FitAlgorithm,
    /// How scores become one number.
    pub formula: Formula,
    /// Feasible nodes looked at at least, and the number for batch jobs; others look at the binary logarithm of all.
    pub least: u32,
    /// Nodes looked at by jobs with affinities or spreads, or as many as they have replicas; 0: all nodes.
    pub with_preferences: u32,
    /// Candidates without a score above zero that are put aside for a further one.
    pub max_skip: u32,
    /// An affinity that comes to zero counts in the mean.
    pub zero_affinity_counts: bool,
    /// When places of replicas that are told to stop are free.
    pub stopped: Stopped,
    /// Replicas of jobs with a priority lower by this may be pushed aside.
    pub priority_delta: i32,
    /// Which jobs push others aside.
    pub preempts: Preempts,
}

/// Which nodes fit best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitAlgorithm {
    /// Full ones.
    Binpack,
    /// Empty ones.
    Spread,
}

/// How scores become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formula {
    /// The mean of scores between -1 and 1.
    Mean,
    /// Fit from 0 to 18, less penalties for each replica of the job and for nodes it failed on.
    Sum,
}

/// When the place of a replica that is told to stop is free for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// At the decision.
    AtOnce,
    /// When its agent reports its end; its own replacement need not wait for that.
    WhenEnded,
}

/// Which kinds of jobs push others aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preempts {
    /// System jobs.
    pub system: bool,
    /// Service jobs.
    pub service: bool,
    /// Batch jobs.
    pub batch: bool,
    /// System jobs that run to completion.
    pub sysbatch: bool,
}
