//! The vocabulary of faults and operations.
//!
//! Overlapping faults combine by one rule each: a host is down while any kill holds it; saturation is the strongest
//! one; a link is cut while any partition cuts it; delays add up; losses are independent (`1 - (1-p)(1-q)`).
//! Start at [`Action`]; [`Effect`] is what remains once the targets are chosen.

use shakedown_engine::fact::Component;
use shakedown_engine::ids::{NodeId, PodId, Symbol, TemplateId, WorkloadId};
use shakedown_engine::message::{Flood, Instances};
use shakedown_engine::model::{Details, Taint};
use shakedown_engine::time::Span;

use crate::select::{NodeSelection, PodSelection, Side};
use crate::setting::Growth;

/// What an entry of the timeline does, targets still to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hosts lose power. Ends when its time is over or a `Restore` names the host.
    Kill(NodeSelection),
    /// Hosts that are down boot again, whatever killed them.
    Restore(NodeSelection),
    /// Hosts lose power and boot again at once.
    Restart(NodeSelection),
    /// CPU of hosts is taken away.
    Saturate {
        /// Which hosts.
        nodes: NodeSelection,
        /// How.
        load: CpuLoad,
    },
    /// Nothing passes between two sides.
    Partition(Link),
    /// Everything between two sides takes longer.
    Delay {
        /// Between whom.
        link: Link,
        /// Added to each one-way trip.
        latency: Span,
        /// Up to this much more, uniformly.
        jitter: Span,
    },
    /// A share of packets between two sides is lost.
    Lose {
        /// Between whom.
        link: Link,
        /// Thousandths lost.
        permille: u32,
    },
    /// Pods die.
    KillPods {
        /// Which.
        pods: PodSelection,
        /// How.
        how: PodDeath,
    },
    /// Containers of pods leak memory; lifted: they grow no more, but keep what they hold until they end.
    Leak {
        /// Which.
        pods: PodSelection,
        /// How fast each of them grows.
        rate: Growth,
    },
    /// Something outside the pods takes memory of hosts.
    FillMemory {
        /// Which hosts.
        nodes: NodeSelection,
        /// How much, in thousandths of what pods may hold.
        permille: u32,
    },
    /// Something outside the pods fills the disks of hosts.
    FillDisk {
        /// Which hosts.
        nodes: NodeSelection,
        /// How much, in thousandths of the disk.
        permille: u32,
    },
    /// The service proxies of hosts hang or are gone: rules stay as they are; lifted: they start again.
    StopProxies(NodeSelection),
    /// The agents of hosts are gone or hang, and their containers run on; lifted: they run again.
    Agents {
        /// Of which hosts.
        nodes: NodeSelection,
        /// How.
        how: AgentFault,
    },
    /// An operator closes nodes for new pods; lifted: opens them again.
    Cordon(NodeSelection),
    /// An operator opens nodes for new pods.
    Uncordon(NodeSelection),
    /// An operator moves all pods of nodes away; lifted: opens them again.
    Drain(NodeSelection),
    /// An operator, or a cloud that knows that the machines are gone, deletes node objects.
    RemoveNode(NodeSelection),
    /// An operator sets a taint on nodes; lifted: removes it.
    Taint {
        /// Which nodes.
        nodes: NodeSelection,
        /// What.
        taint: Taint,
    },
    /// An operator sets a label of nodes, or takes it away.
    Label {
        /// Which nodes.
        nodes: NodeSelection,
        /// Key.
        key: Symbol,
        /// Value; `None`: the label goes.
        value: Option<Symbol>,
    },
    /// An operator removes taints with this key from nodes.
    Untaint {
        /// Which nodes.
        nodes: NodeSelection,
        /// Key, and effect unless `every_effect`.
        taint: Taint,
        /// Whatever their effect.
        every_effect: bool,
    },
    /// An operator asks once for the eviction of pods, which their budgets may refuse.
    Evict(PodSelection),
    /// An operator sets what deleting pods costs.
    DeletionCost {
        /// Which pods.
        pods: PodSelection,
        /// Lower goes first.
        cost: i32,
    },
    /// An operator removes the scheduling gates of a workload's pods.
    Ungate(WorkloadId),
    /// An operator changes how a workload is updated.
    Redeclare {
        /// Which workload.
        workload: WorkloadId,
        /// Its details from now on.
        details: Box<Details>,
    },
    /// An operator creates a priority class that counts for all pods without one.
    DefaultPriority {
        /// Templates without a class, and their twins with the new priority.
        twins: Vec<(TemplateId, TemplateId)>,
    },
    /// An operator changes the wanted replicas.
    Scale {
        /// Of which workload.
        workload: WorkloadId,
        /// To.
        replicas: u32,
    },
    /// An operator rolls out another template.
    Deploy {
        /// Of which workload.
        workload: WorkloadId,
        /// Which.
        template: TemplateId,
    },
    /// An operator goes back to the revision before.
    Undo(WorkloadId),
    /// An operator holds the rollout.
    Pause(WorkloadId),
    /// An operator lets the rollout go on.
    Resume(WorkloadId),
    /// An operator takes canaries for good.
    Promote(WorkloadId),
    /// An operator creates a workload.
    Apply(WorkloadId),
    /// An operator deletes a workload.
    Delete(WorkloadId),
    /// An operator deletes a namespace with all its workloads.
    DeleteNamespace(Symbol),
    /// Instances of a part of the control plane stop; lifted: they run again.
    StopPart {
        /// Which part.
        part: Component,
        /// Which of its instances.
        instances: Instances,
    },
    /// Instances of a part of the control plane that were stopped run again.
    StartPart {
        /// Which part.
        part: Component,
        /// Which of its instances.
        instances: Instances,
    },
    /// Somebody asks the API server for far too much; lifted: no longer.
    Flood(Flood),
}

/// How CPU is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuLoad {
    /// Thousandths of the host's cores that the intruder wants.
    pub permille: u32,
    /// Against whom it competes.
    pub class: CpuClass,
}

/// Scheduling class of a CPU hog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuClass {
    /// A busy container without a limit: shares by weight, so requests are still honoured and the agent is not touched.
    Container,
    /// A process outside all containers, beside the agent: shares with agent and containers as a whole.
    Host,
    /// Real-time or kernel work: takes what it wants first; at 100 % even SSH and the agent get next to nothing.
    RealTime,
}

/// What is wrong with an agent: kubelet, Docker daemon, Nomad client. The host and the network are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentFault {
    /// Stopped in good order: a Docker engine ends its containers first, all others leave them alone. Then as `Killed`.
    Stopped,
    /// The process is gone, and the host refuses who asks for it.
    Killed,
    /// The process is there and does nothing; who asks waits.
    Frozen,
}

/// Two sides of a network fault and its direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One side.
    pub from: Side,
    /// The other side.
    pub to: Side,
    /// Only packets from `from` to `to` are hit.
    pub one_way: bool,
}

/// How a pod dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodDeath {
    /// The object is deleted, with its own grace or this one (what `kubectl delete pod` and most chaos tools do).
    Delete {
        /// Grace instead of the pod's own.
        grace: Option<Span>,
    },
    /// Its containers are killed on the node; the agent decides what follows.
    Crash,
}

/// A physical fault with its targets chosen: what a world carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// These hosts are down.
    Down {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// These hosts boot, whatever held them down.
    Boot {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// These hosts go down and boot again at once.
    Reboot {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// CPU is taken away on these hosts.
    Saturate {
        /// Which.
        nodes: Vec<NodeId>,
        /// How.
        load: CpuLoad,
    },
    /// The network between two groups is hit.
    Network {
        /// Members of one side.
        from: Group,
        /// Members of the other side.
        to: Group,
        /// Only from the first to the second.
        one_way: bool,
        /// What happens to packets.
        rule: NetworkRule,
    },
    /// Each container of these pods grows by so much, beside what it leaks by itself.
    Leak {
        /// Which.
        pods: Vec<PodId>,
        /// How fast.
        rate: Growth,
    },
    /// Memory of these hosts is taken away.
    FillMemory {
        /// Which.
        nodes: Vec<NodeId>,
        /// Thousandths of what pods may hold.
        permille: u32,
    },
    /// The disks of these hosts are filled.
    FillDisk {
        /// Which.
        nodes: Vec<NodeId>,
        /// Thousandths of the disk.
        permille: u32,
    },
    /// The service proxies of these hosts change no rules any more.
    StopProxies {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// The agents of these hosts are gone or hang.
    Agents {
        /// Which.
        nodes: Vec<NodeId>,
        /// How.
        how: AgentFault,
    },
    /// Containers of these pods are killed where they run.
    CrashPods {
        /// Which.
        pods: Vec<PodId>,
    },
}

/// Members of one side of a network fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Hosts, in id order.
    pub nodes: Vec<NodeId>,
    /// The control plane.
    pub control: bool,
    /// Clients outside the cluster.
    pub outside: bool,
}

/// What happens to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRule {
    /// All are lost.
    Cut,
    /// Each takes longer by `latency` plus up to `jitter`.
    Delay {
        /// Added to each trip.
        latency: Span,
        /// Up to this much more.
        jitter: Span,
    },
    /// So many thousandths are lost.
    Lose {
        /// Thousandths.
        permille: u32,
    },
}
