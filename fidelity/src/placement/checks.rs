//! What is compared in a placement recording, check by check.

use crate::agreement::Check;

macro_rules! checks {
    ($($constant:ident, $name:literal, $about:literal;)+) => {
        $(pub(super) const $constant: Check = Check { name: $name, about: $about };)+
        /// All of them, in the order of a scheduling cycle.
        pub(super) const ALL: &[Check] = &[$($constant),+];
    };
}

checks! {
    USAGE, "node usage",
        "pods, CPU, memory, and CPU and memory as scoring counts them, of each node before each attempt";
    FILTER, "first failing filter",
        "the filter that refuses a node, and whether preemption could help there; one comparison for each node that is \
         refused by either side";
    REASONS, "reasons of a filter", "all reasons that the filter gives for a refused node";
    FEASIBLE, "feasible nodes", "the set of nodes that pass all filters";
    ERROR, "refusal in words", "the sentence of an attempt that finds no node, counts and order included";
    PRE_FILTER, "refusal before filters",
        "where a plugin refused the pod before any node was looked at: its sentence is part of ours";
    SKIPPED, "skipped scores", "the plugins that declare themselves not concerned with the pod";
    RAW, "raw score", "the value of each plugin for each feasible node";
    NORMALIZED, "normalized score", "the same after normalisation";
    WEIGHTED, "weighted score", "the same times the plugin's weight";
    TOTAL, "total score", "the sum for each feasible node";
    BEST, "best nodes", "the set of nodes with the highest total";
    CHOICE, "choice", "the node that our scheduler takes is one of the recorded best ones, or the only feasible one";
    NOMINATED, "nominated node first", "a pod that a node was promised to is tried there, and only there if it fits";
    CANDIDATES, "preemption candidates",
        "the nodes on which preemption could make room, each with its victims and with the budgets it would break";
    PREEMPTED, "preemption node", "the node that preemption chooses";
    VICTIMS, "preemption victims", "the pods that it evicts there";
    VIOLATIONS, "budget violations", "how many of them a disruption budget protects";
    POST_FILTER, "preemption in words", "why preemption did not help, node by node counted";
    MESSAGE, "message of the condition", "the message of an unschedulable pod's PodScheduled condition, word by word";
    OUTCOME, "outcome", "bound or unschedulable";
}
