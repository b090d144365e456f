//! The scenarios that ship inside the program, with the manifests that they use.

use std::sync::Arc;

use crate::plan::Plan;
use crate::problem::{Diagnostics, Problem};
use crate::text::{Files, ReadError, suggestion};

/// A scenario inside the program.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// Name: that of its file, without the ending.
    pub name: &'static str,
    /// What it finds out.
    pub about: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Further files that it names, by path relative to it.
    pub files: &'static [(&'static str, &'static str)],
}

/// Google's Online Boutique, as released (Apache-2.0, see the notice in the file).
const BOUTIQUE: (&str, &str) =
    ("manifests/online-boutique.yaml", include_str!("../library/manifests/online-boutique.yaml"));
/// A small shop of three services.
const SHOP: (&str, &str) = ("manifests/shop.yaml", include_str!("../library/manifests/shop.yaml"));
/// The application of the walk-through.
const GUESTBOOK: (&str, &str) = ("manifests/guestbook.yaml", include_str!("../library/manifests/guestbook.yaml"));

/// A policy engine whose webhook must admit its own pods.
const POLICY: (&str, &str) =
    ("manifests/policy-webhook.yaml", include_str!("../library/manifests/policy-webhook.yaml"));

/// Two services of a standalone Swarm, with and without rescheduling.
const CLASSIC: (&str, &str) = ("manifests/classic-swarm.yaml", include_str!("../library/manifests/classic-swarm.yaml"));
/// A service that publishes port 80.
const PORT_80: (&str, &str) = ("manifests/port-80.yaml", include_str!("../library/manifests/port-80.yaml"));

macro_rules! embedded {
    ($($name:literal, $about:literal, [$($file:ident),*];)+) => {
        &[$(Embedded {
            name: $name,
            about: $about,
            text: include_str!(concat!("../library/", $name, ".yaml")),
            files: &[$($file),*],
        }),+]
    };
}

const LIBRARY: &[Embedded] = embedded! {
    "burning-server", "One of two servers burns at night: are its containers moved before anyone is woken up?", [SHOP];
    "saturated-node", "A node is saturated until not even SSH answers: does anyone notice?", [SHOP];
    "kill-node-mid-rollout", "Nodes die in the middle of a rolling update: does it end well?", [];
    "walkthrough", "Create, heal, scale, canary, rolling update, undo: the usual tour of an orchestrator", [GUESTBOOK];
    "partition-heals", "Nodes are cut off and come back: how long does everything run twice?", [SHOP];
    "beyond-capacity", "More replicas than the cluster holds: do the others suffer, and do they start when room appears?", [];
    "zone-loss", "One of three zones goes dark: what do users notice?", [SHOP];
    "webhook-deadlock", "The webhook that guards every pod loses its own pods: who lets them back in?", [POLICY];
    "online-boutique", "Google's Online Boutique loses one of three zones", [BOUTIQUE];
    "founders-tutum", "A node is saturated for good: does Tutum ever move its containers?", [];
    "founders-fleet", "etcd cannot be written for a minute: what does fleet do to machines that are well?", [];
    "founders-cattle", "A host dies under Rancher: which containers come back by themselves?", [];
    "discovery-staleness", "A node dies and stays dead: how many requests still go to it?", [];
    "discovery-names", "A node dies and stays dead: how long do clients that resolve names go on asking it?", [];
    "standalone-rescheduling", "A host of a standalone Swarm loses power for twenty minutes: whose containers are made anew, and when?", [CLASSIC];
    "standalone-clean-stop-trap", "A Docker engine of a standalone Swarm is stopped for ten minutes, as for an upgrade: what runs afterwards?", [CLASSIC];
    "walkthrough-by-hand", "The usual tour of an orchestrator, where nobody keeps a number of replicas. What is left for people to do?", [GUESTBOOK];
    "difference-01-dead-node", "One of ten nodes loses its power. When do its three replicas run elsewhere?", [];
    "difference-02-frozen-node", "A node is saturated until nothing on it answers, for two hours. Who moves its containers, and who never does?", [];
    "difference-03-busy-node", "A node is busy, not dead. Who notices?", [];
    "difference-05-short-partition", "Each of ten nodes is cut off for 20 s, one after the other. How many of 30 replicas are moved for nothing?", [];
    "difference-06-long-partition", "A node is cut off for ten minutes. How long does its work run twice?", [];
    "difference-11-flapping-node", "A node is away for 15 s in every minute, for half an hour. How often is work moved for it?", [];
    "difference-12-crash-loop", "A container crashes a second after each start. How often is it started in an hour, and on how many nodes?", [];
    "difference-13-packing", "Thirty different jobs of one task on ten nodes. Who spreads, who packs?", [];
    "difference-13-spreading", "A hundred equal small tasks on ten nodes. How many are on the fullest?", [];
    "difference-15-reservations", "Twenty containers of 9 GiB and sixty small ones on ten nodes of 16 GiB. Who queues, who kills?", [];
    "difference-16-rolling-update", "Ten replicas get a new version. How long does it take, and how many serve meanwhile?", [];
    "difference-17-bad-image", "The new version crashes a second after each start. How far does the rollout get?", [];
    "difference-19-ports", "Twelve replicas publish port 80 on ten nodes. How many run?", [PORT_80];
    "difference-20-drain", "Three of ten nodes are drained for maintenance. How much capacity is lost, in replica-seconds?", [];
    "k8s-01-dead-node", "A node dies. Why does it take six minutes until its pods run elsewhere?", [];
    "k8s-02-mass-failure", "Sixty of 120 nodes of a zone die at once. How long does the last of them wait to be given up?", [];
    "k8s-03-zone-mostly-dead", "Sixty percent of two zones die. Why does nobody move the pods of the small one, and those of the large one so slowly?", [];
    "k8s-04-dead-cluster", "First a whole zone is cut off, then the whole cluster. Why are only the pods of the first moved?", [];
    "k8s-05-two-of-three", "Two of three nodes die. Why does everything end on the third?", [];
    "k8s-06-stuck-volume", "The node of a database dies. Why is there no replacement, and why does it not help at once to delete the pod?", [];
    "k8s-07-two-copies", "The node of a singleton is cut off from the control plane. Who else runs it meanwhile?", [];
    "k8s-08-heal", "A node comes back after ten minutes of isolation. What becomes of what it still runs, and what does it run later?", [];
    "k8s-09-fresh-node", "A fresh node joins a half-full cluster just before the nightly jobs. Where do they run?", [];
    "k8s-10-no-rebalancing", "The fast node that pods prefer joins ten minutes late. When do they move there?", [];
    "k8s-11-busy-node", "Something eats all CPU of a node. Who notices, and are new pods sent there all the same?", [];
    "k8s-12-starved-probes", "Real-time work takes 95 % of all CPUs. Why are healthy containers restarted, and why are there no endpoints?", [];
    "k8s-13-crash-loop", "CPU is short for twenty minutes and then there is plenty. When is the service back?", [];
    "k8s-14-preemption-cascade", "Four important pods come to a full cluster. How many others do they move?", [];
    "k8s-15-budgets", "A budget asks for three of four replicas. What does it keep from happening when nodes die, and what when one is drained?", [];
    "k8s-16-memory-pressure", "A pod leaks memory until its node runs short. What becomes of the pod, and for how long is the node closed?", [];
    "k8s-17-eviction-storm", "Pods ask for little and take much, and there is one more of them than fits. Where does that end?", [];
    "k8s-18-stuck-rollout", "Two rollouts get stuck, one for lack of room and one because the new version is broken. Who rolls them back?", [];
    "k8s-19-rollout-node-failure", "A node dies in the middle of a rollout that may miss no replica. How long does the rollout stand still?", [];
    "k8s-20-creation-rate", "Two thousand pods are deleted at once. How fast can they come back?", [];
    "k8s-21-sleeping-pod", "A pod fits on none of three nodes. When does the scheduler look at it again?", [];
    "k8s-22-sampling", "One of 1,000 nodes is by far the best. Which of three pods gets it?", [];
    "k8s-23-control-plane-outage", "The controllers are down for ten minutes, and a node dies meanwhile. When is its death noticed?", [];
    "k8s-24-terminating-traffic", "Two services are rolled out, one with a preStop sleep. Which of them loses requests?", [];
    "k8s-25-autoscaler", "A version that fails each request is rolled out, and users try again. How many replicas does the autoscaler add, and for how long?", [];
    "k8s-26-dead-zone-spread", "One of three zones dies. Why do its pods not fit into the two others, which have room?", [];
};

/// All scenarios inside the program.
pub fn library() -> &'static [Embedded] {
    LIBRARY
}

impl Files for Embedded {
    fn read(&self, path: &str) -> Result<Arc<str>, ReadError> {
        let own = (self.name, self.text);
        let found = std::iter::once(&own).chain(self.files).find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).into()).ok_or(ReadError::Missing)
    }
}

/// Loads a scenario from inside the program.
///
/// # Errors
/// When there is none of that name.
pub fn load_embedded(name: &str) -> Result<Plan, Diagnostics> {
    let bare = name.strip_suffix(".yaml").unwrap_or(name);
    let Some(embedded) = LIBRARY.iter().find(|embedded| embedded.name == bare) else {
        let mut problem = Problem::bare("E0113", format!("there is no scenario `{name}` in the library"));
        problem.help = suggestion(bare, LIBRARY.iter().map(|embedded| embedded.name));
        return Err(Diagnostics::one(problem));
    };
    crate::load_from(embedded.name, embedded)
}
