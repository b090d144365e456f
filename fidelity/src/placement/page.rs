//! What the documentation says about this comparison.

use crate::agreement::Agreement;
use crate::docs::Part;

const METHOD: &str = "\
240 problems, each a cluster of 3 to 12 nodes and the pods that came one after the other. Each recorded scheduling cycle
is repeated by the engine's own scheduler in the recorded state: existing pods first, then the real outcome of each pod
before the next one comes. Objects are read by the same code that reads users' manifests. Where the real scheduler chooses
among equals (the order of a Go map, a rotating list of nodes), any of the equals is right.";

const LIMITS: &[&str] = &[
    "Two plugins always score 0 in the recording and are left out of ours: `DynamicResources`, since no recorded pod \
     claims a device, and `ImageLocality` where no node has an image of the pod.",
    "Clusters have at most 12 nodes, so all nodes are scored; that 100 nodes and more are sampled is tested in the engine.",
    "All grace periods are 0 and no disruption controller runs: victims vanish at once, and every victim that a budget \
     selects counts as a violation.",
    "No volumes, no devices, no pod groups, one scheduler profile.",
];

/// The part of the page that concerns placement.
pub fn part(agreement: &Agreement) -> Part<'_> {
    Part { title: "Placement", method: METHOD, agreement, limits: LIMITS }
}
