//! What is compared in recordings of Nomad's placements, check by check.

use crate::agreement::Check;

macro_rules! checks {
    ($($constant:ident, $name:literal, $about:literal;)+) => {
        $(pub(super) const $constant: Check = Check { name: $name, about: $about };)+
        /// All of them, in the order of a placement.
        pub(super) const ALL: &[Check] = &[$($constant),+];
    };
}

checks! {
    USAGE, "node usage", "CPU and memory taken on each node before the job was registered";
    FEASIBLE, "candidate", "each recorded candidate is a feasible node for us, too";
    BINPACK, "binpack", "the fit of each recorded candidate, by the binpack or the spread algorithm";
    ANTI_AFFINITY, "job-anti-affinity", "replicas of the job already there, of each recorded candidate";
    PENALTY, "node-reschedule-penalty", "nodes that the allocation's chain failed on";
    AFFINITY, "node-affinity", "the weights of affinities that match";
    SPREAD, "allocation-spread", "spread over attributes, even or by shares";
    PREEMPTION, "preemption", "the priorities of those that make way";
    NORM, "norm", "the mean by which candidates are compared";
    COUNT, "number of candidates",
        "as many as the limit asks for, and the poor ones that are put aside; all where affinities or spreads are given";
    FILTERED, "nodes filtered",
        "constraints, distinct_hosts, distinct_property; exact where all nodes were looked at, else no more than there are";
    CLASSES, "class caching", "a class of nodes names its failed constraint once an evaluation, then it is `ineligible`";
    EXHAUSTED, "nodes exhausted", "by dimension; exact where all nodes were looked at, else no more than there are";
    SUM, "nodes evaluated", "candidates, filtered and exhausted together; one for each allocation of a system job";
    CHOICE, "choice", "the recorded node has the highest norm of the recorded candidates by our own figures";
    VICTIMS, "victims", "who makes way on the recorded node: sizes and priorities, since equals are taken at random there";
    FAILED, "failed placement", "where allocations found no place: all nodes looked at, filtered and exhausted by dimension";
    BLOCKED, "blocked evaluation", "a blocked evaluation is left exactly where something found no place";
}
