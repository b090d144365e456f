//! Names and sentences: what ids and facts are called for people, in the orchestrator's own words.
//!
//! Start at [`Names::sentence`].

use shakedown_engine::fact::{Client, Deletion, Exit, FactKind, Property};
use shakedown_engine::ids::{FaultId, NodeId, PodId, ServiceId, WorkloadId};
use shakedown_engine::model::ProbeRole;

use crate::format;
use crate::measure::Pods;
use crate::run::Run;

/// Looks up names in one run.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    run: &'a Run,
    pods: &'a Pods,
}

impl<'a> Names<'a> {
    /// Names of a run.
    pub fn new(run: &'a Run, pods: &'a Pods) -> Self {
        Self { run, pods }
    }

    /// The run whose names these are.
    pub(crate) fn run(&self) -> &'a Run {
        self.run
    }

    /// A node's name.
    pub fn node(&self, node: NodeId) -> String {
        let spec = self.run.catalog.nodes.get(node);
        spec.map_or_else(|| format!("node-{}", node.0), |spec| format::harmless(self.run.catalog.text(spec.name)))
    }

    /// A workload's name.
    pub fn workload(&self, workload: WorkloadId) -> String {
        let spec = self.run.catalog.workloads.get(workload);
        spec.map_or_else(
            || format!("workload-{}", workload.0),
            |spec| format::harmless(self.run.catalog.text(spec.name)),
        )
    }

    /// A service's name.
    pub fn service(&self, service: ServiceId) -> String {
        let spec = self.run.catalog.services.get(service);
        spec.map_or_else(|| format!("service-{}", service.0), |spec| format::harmless(self.run.catalog.text(spec.name)))
    }

    /// A pod's name: that of its workload and its number, `frontend-17`.
    pub fn pod(&self, pod: PodId) -> String {
        let Some(row) = self.pods.get(pod) else { return format!("pod-{}", pod.0) };
        format!("{}-{}", self.workload(row.workload), row.ordinal.unwrap_or(pod.0))
    }

    /// What the timeline calls a fault.
    pub fn fault(&self, fault: FaultId) -> String {
        let entry = self.run.experiment.timeline.get(fault);
        entry.map_or_else(|| format!("entry {}", fault.0 + 1), |entry| format::harmless(&entry.label))
    }

    /// What a fact says, without its time.
    pub fn sentence(&self, kind: &FactKind) -> String {
        self.of_nodes(kind).or_else(|| self.of_pods(kind)).unwrap_or_else(|| self.of_the_rest(kind))
    }

    fn of_nodes(&self, kind: &FactKind) -> Option<String> {
        let words = self.run.profile.words;
        Some(match *kind {
            FactKind::HostDown { node } => format!("host {} stops", self.node(node)),
            FactKind::HostUp { node } => format!("host {} runs again", self.node(node)),
            FactKind::NodeRegistered { node } => format!("node {} registers", self.node(node)),
            FactKind::NodeUnhealthy { node, last_heard } => {
                let heard = format::clock(last_heard);
                format!("node {} is declared {}, last heard at {heard}", self.node(node), words.unhealthy)
            }
            FactKind::NodeHealthy { node } => format!("node {} is healthy again", self.node(node)),
            FactKind::NodeEvicting { node } => format!("node {} is marked for eviction", self.node(node)),
            FactKind::NodeEvictionCancelled { node } => format!("eviction from node {} is called off", self.node(node)),
            FactKind::NodeCordoned { node } => format!("node {} is cordoned", self.node(node)),
            FactKind::NodeUncordoned { node } => format!("node {} is uncordoned", self.node(node)),
            FactKind::NodeRemoved { node } => format!("node {} is removed from the cluster", self.node(node)),
            FactKind::ZoneDisruption { zone, state } => {
                let zone = self.run.catalog.zones.get(zone).map_or("?", |name| self.run.catalog.text(*name));
                let (zone, state) = (format::harmless(zone), format!("{state:?}").to_lowercase());
                format!("zone {zone} counts as {state} for the eviction rate")
            }
            _ => return None,
        })
    }

    fn of_pods(&self, kind: &FactKind) -> Option<String> {
        let word = self.run.profile.words.pod;
        let name = |pod| format!("{word} {}", self.pod(pod));
        Some(match *kind {
            FactKind::PodCreated { pod, .. } => {
                let instead = self.pods.get(pod).and_then(|row| row.replaces);
                let instead = instead.map_or_else(String::new, |old| format!(" to replace {}", self.pod(old)));
                format!("{} is created{instead}", name(pod))
            }
            FactKind::PodUnschedulable { pod, insufficient: 0, refused: 0 } => {
                format!("{} fits nowhere: there are no nodes", name(pod))
            }
            FactKind::PodUnschedulable { pod, insufficient, refused } => {
                format!("{} fits nowhere: {insufficient} nodes are full, {refused} refuse", name(pod))
            }
            FactKind::PodBound { pod, node } => format!("{} is bound to {}", name(pod), self.node(node)),
            FactKind::PodDeleting { pod, why } => format!("{} is given up: {}", name(pod), deletion(why)),
            FactKind::PodDeleted { pod } => format!("{} is deleted", name(pod)),
            FactKind::PodReady { pod } => format!("{} is ready", name(pod)),
            FactKind::PodUnready { pod } => format!("{} counts as not ready", name(pod)),
            FactKind::PodFailed { pod } => format!("{} has failed", name(pod)),
            FactKind::PodPulled { pod } => format!("{} has its images", name(pod)),
            FactKind::PullFailed { pod, .. } => format!("{} cannot pull an image", name(pod)),
            FactKind::ContainerStarted { pod, restarts: 0, .. } => format!("a container of {} starts", name(pod)),
            FactKind::ContainerStarted { pod, restarts, .. } => {
                format!("a container of {} starts again (restart {restarts})", name(pod))
            }
            FactKind::ContainerExited { pod, why, .. } => format!("a container of {} ends: {}", name(pod), exit(why)),
            FactKind::CrashLoop { pod, wait, .. } => format!("{} waits {wait} before its next start", name(pod)),
            FactKind::ProbeFailed { pod, role, .. } => format!("{} fails its {} probe", name(pod), probe(role)),
            FactKind::AgentReady { pod } => format!("{} serves, says its agent", name(pod)),
            FactKind::AgentUnready { pod } => format!("{} does not serve, says its agent", name(pod)),
            FactKind::EndpointAdded { service, pod } => {
                format!("{} becomes an endpoint of {}", name(pod), self.service(service))
            }
            FactKind::EndpointRemoved { service, pod } => {
                format!("{} is no endpoint of {} any more", name(pod), self.service(service))
            }
            _ => return None,
        })
    }

    fn of_the_rest(&self, kind: &FactKind) -> String {
        let word = self.run.profile.words.workload;
        let name = |workload| format!("{word} {}", self.workload(workload));
        match *kind {
            FactKind::FaultApplied { fault, targets } => {
                let plural = if targets == 1 { "" } else { "s" };
                format!("{} ({targets} target{plural})", self.fault(fault))
            }
            FactKind::FaultLifted { fault } => format!("end of: {}", self.fault(fault)),
            FactKind::Violated { property, subject } => self.violation(property, subject),
            FactKind::WorkloadCreated { workload } => format!("{} is created", name(workload)),
            FactKind::WorkloadDeleted { workload } => format!("{} is deleted", name(workload)),
            FactKind::Scaled { workload, from, to } => format!("{} is scaled from {from} to {to}", name(workload)),
            FactKind::RevisionCreated { workload, revision } => {
                format!("{} gets revision {}", name(workload), revision.0)
            }
            FactKind::RolloutStarted { workload, revision } => {
                format!("{} rolls out revision {}", name(workload), revision.0)
            }
            FactKind::RevisionScaled { revision, from, to } => {
                let of =
                    self.pods.workload_of(revision).map_or_else(String::new, |of| format!(" of {}", self.workload(of)));
                format!("revision {}{of} goes from {from} to {to} replicas", revision.0)
            }
            FactKind::RolloutCompleted { workload, .. } => format!("{} has rolled out", name(workload)),
            FactKind::RolloutStalled { workload, .. } => format!("the rollout of {} makes no progress", name(workload)),
            FactKind::RolloutPaused { workload } => format!("the rollout of {} is paused", name(workload)),
            FactKind::RolloutResumed { workload } => format!("the rollout of {} goes on", name(workload)),
            FactKind::RolloutUndone { workload, revision } => {
                format!("{} turns back to revision {}", name(workload), revision.0)
            }
            FactKind::EndpointsSeen { service, .. } => {
                format!("the last client acts on the endpoints of {}", self.service(service))
            }
            FactKind::Throttled { client: who, wait } => {
                format!("{} wait {wait} for their rate limit", client(who))
            }
            FactKind::Converged => "nothing is left to do".to_owned(),
            FactKind::Traffic(slice) => format!(
                "{} asked {} times, {} good",
                self.service(slice.service),
                slice.requests / 1000,
                slice.good / 1000
            ),
            _ => self.told(kind).unwrap_or_else(|| format!("{kind:?}")),
        }
    }

    /// What a broken property means, with its subject.
    pub fn violation(&self, property: Property, subject: u32) -> String {
        match property {
            Property::NoOvercommit => format!("node {} holds more than it can give", self.node(NodeId(subject))),
            Property::NoLostPod => {
                format!("{} has replicas that nobody is working on", self.workload(WorkloadId(subject)))
            }
            Property::Converges => {
                format!("{} is not complete within the bound after the last fault", self.workload(WorkloadId(subject)))
            }
        }
    }
}

/// A property's name.
pub fn property(property: Property) -> &'static str {
    match property {
        Property::NoOvercommit => "no overcommit",
        Property::NoLostPod => "no lost pod",
        Property::Converges => "converges",
    }
}

/// Who waited for a rate limit.
pub fn client(client: Client) -> &'static str {
    match client {
        Client::Scheduler => "requests of the scheduler",
        Client::Replication => "requests of the replica controller",
        Client::Rollout => "requests of the rollout controller",
        Client::NodeHealth => "requests of the node health controller",
        Client::Eviction => "requests of the eviction controller",
        Client::Endpoints => "requests of the endpoints controller",
        Client::Garbage => "requests of the pod collector",
        Client::Stateful => "requests of the StatefulSet controller",
        Client::Daemon => "requests of the DaemonSet controller",
        Client::Job => "requests of the job controller",
        Client::Cron => "requests of the cron job controller",
        Client::Autoscaler => "requests of the autoscaler",
        Client::Disruption => "requests of the disruption controller",
        Client::Volumes => "requests of the volume controllers",
        Client::Pools => "requests of the cluster autoscaler",
        Client::Operator => "requests of operators",
        Client::Agent => "requests of an agent",
    }
}

fn deletion(why: Deletion) -> &'static str {
    match why {
        Deletion::NodeLost => "its node is lost",
        Deletion::Drained => "its node is drained",
        Deletion::ScaledDown => "fewer are wanted",
        Deletion::RolledOut => "a newer revision takes its place",
        Deletion::Operator => "deleted by hand",
        Deletion::Failed => "it failed",
        Deletion::GarbageCollected => "collected as an orphan",
        Deletion::Tainted => "it does not tolerate a taint of its node",
        Deletion::Preempted => "a higher priority takes its place",
        Deletion::WorkloadDeleted => "its workload is deleted",
        Deletion::NodePressure => "its node runs short of memory or disk",
        Deletion::TargetUnhealthy => "its load balancer finds it unhealthy",
        Deletion::Rejected => "its node no longer meets its constraints",
        Deletion::Unneeded => "the replica that it was to replace is back",
    }
}

fn exit(why: Exit) -> &'static str {
    match why {
        Exit::Completed => "completed",
        Exit::Crashed => "crashed",
        Exit::OutOfMemory => "out of memory",
        Exit::Stopped => "stopped when asked",
        Exit::Killed => "killed",
        Exit::HostLost => "its host stopped",
        Exit::Failed { .. } => "failed",
    }
}

fn probe(role: ProbeRole) -> &'static str {
    match role {
        ProbeRole::Startup => "startup",
        ProbeRole::Liveness => "liveness",
        ProbeRole::Readiness => "readiness",
    }
}
