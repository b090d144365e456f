//! Losses: replicas that a fault took, and how each came back.
//!
//! A replica is lost to a fault when it served (or was on a host that died) and no longer does because of that fault.
//! It is back when it serves again in place, or when the last in its line of replacements does. A replica that a
//! rollout or scaling removes before it is back is withdrawn: nobody wants it any more, so nobody waits for it.
//! Each loss belongs to one fault, the first that took the replica. Start at [`Losses::new`].

use std::collections::{BTreeMap, VecDeque};

use shakedown_engine::fact::{Exit, Fact, FactId, FactKind};
use shakedown_engine::ids::{FaultId, Id, NodeId, PodId, ServiceId, WorkloadId};
use shakedown_engine::time::Time;

use super::origins::Origins;
use super::pods::{Pods, is_deliberate};
use super::stage::{Instants, Stage};
use crate::run::Run;

/// One replica that a fault took.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Which fault.
    pub fault: FaultId,
    /// The replica as it was.
    pub pod: PodId,
    /// Of which workload.
    pub workload: WorkloadId,
    /// Where it was.
    pub node: Option<NodeId>,
    /// When it was taken: when its host died, or else when the fault took effect.
    pub since: Time,
    /// When it, or what stands in for it, reached each stage on the way back.
    pub stages: Instants,
    /// When the first replacement was both bound and started, ready later or not.
    pub rescheduled: Option<Time>,
    /// What became of it.
    pub ending: Ending,
    /// The newest fact on its way back, where a walk along causes begins.
    pub last_fact: FactId,
    /// The control plane (or the agent) said that it does not serve.
    unready: bool,
    /// When its agent noticed, which is no detection as long as nobody else can know.
    agent: Option<Time>,
}

impl Loss {
    /// What happens to its node on the way to its eviction is the newest of its story, until it is given up.
    fn step(&mut self, stage: Stage, fact: &Fact) {
        self.stages.reach(stage, fact.at);
        if self.stages.get(Stage::Evicted).is_none() {
            self.last_fact = fact.id;
        }
    }
}

/// What became of a lost replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was not back when the run ended.
    Missing,
    /// The same replica serves again.
    InPlace,
    /// This one serves in its place.
    Replaced(PodId),
    /// A rollout or scaling removed it before it was back.
    Withdrawn,
}

/// A node that a fault hit.
#[derive(Clone, Copy, Debug)]
pub struct NodeHit {
    /// Which fault.
    pub fault: FaultId,
    /// Which node.
    pub node: NodeId,
    /// When its host died, or when the fault took effect.
    pub since: Time,
    /// When the control plane declared it unhealthy, first gave up on one of its pods, or lost the node object.
    pub detected: Option<Time>,
}

/// All losses of a run.
pub struct Losses {
    /// In the order in which they happened.
    pub all: Vec<Loss>,
    /// In the order in which they were hit.
    pub nodes: Vec<NodeHit>,
}

impl Losses {
    /// Reads all losses off a run's facts.
    pub fn new(run: &Run, origins: &Origins, pods: &Pods) -> Self {
        let mut reader = Reader::new(run, origins, pods);
        for fact in &run.facts {
            reader.take(fact);
        }
        reader.finish()
    }
}

/// What is known of a pod while reading.
#[derive(Clone, Copy, Default)]
struct PodState {
    /// The loss that this pod, or the one it stands in for, belongs to.
    loss: Option<u32>,
    ready: bool,
    gone: bool,
}

/// What is known of a node while reading.
#[derive(Clone, Copy, Default)]
struct NodeState {
    unhealthy: Option<Time>,
    evicting: Option<Time>,
}

struct Reader<'a> {
    origins: &'a Origins,
    pods: &'a Pods,
    by_node: Vec<Vec<PodId>>,
    state: Vec<PodState>,
    nodes: Vec<NodeState>,
    /// Published endpoints that no client is known to act on yet.
    unseen: BTreeMap<ServiceId, VecDeque<(FactId, FactId, PodId)>>,
    losses: Vec<Loss>,
    hits: Vec<NodeHit>,
}

impl<'a> Reader<'a> {
    fn new(run: &Run, origins: &'a Origins, pods: &'a Pods) -> Self {
        let nodes = run.catalog.nodes.len();
        Self {
            origins,
            pods,
            by_node: pods.by_node(nodes),
            state: vec![PodState::default(); pods.rows()],
            nodes: vec![NodeState::default(); nodes],
            unseen: BTreeMap::new(),
            losses: Vec::new(),
            hits: Vec::new(),
        }
    }

    fn take(&mut self, fact: &Fact) {
        match fact.kind {
            FactKind::HostDown { node } => self.host_down(fact, node),
            FactKind::NodeUnhealthy { node, .. } => self.node_unhealthy(fact, node),
            FactKind::NodeHealthy { node } => self.node_state(node, |state| *state = NodeState::default()),
            FactKind::NodeRemoved { node } => self.node_removed(fact, node),
            FactKind::NodeEvicting { node } => self.node_evicting(fact, node),
            FactKind::NodeEvictionCancelled { node } => self.node_state(node, |state| state.evicting = None),
            FactKind::PodCreated { pod, .. } => self.created(fact, pod),
            FactKind::PodBound { pod, .. } => self.advance(fact, pod, Stage::Bound),
            FactKind::PodPulled { pod } => self.advance(fact, pod, Stage::Pulled),
            FactKind::ContainerStarted { pod, .. } => self.advance(fact, pod, Stage::Started),
            FactKind::PodReady { pod } => self.ready(fact, pod),
            FactKind::PodUnready { pod } => self.unready(fact, pod),
            FactKind::AgentUnready { pod } | FactKind::ProbeFailed { pod, .. } => self.stops_serving(fact, pod),
            FactKind::ContainerExited { pod, why, .. } => self.exited(fact, pod, why),
            FactKind::PodDeleting { pod, why } if is_deliberate(why) => self.withdrawn(pod),
            FactKind::PodDeleting { pod, .. } | FactKind::PodFailed { pod } | FactKind::PodDeleted { pod } => {
                self.given_up(fact, pod);
            }
            FactKind::EndpointAdded { service, pod } => {
                self.advance(fact, pod, Stage::Listed);
                self.unseen.entry(service).or_default().push_back((fact.id, fact.cause, pod));
            }
            FactKind::EndpointsSeen { service, .. } => self.seen(fact, service),
            _ => {}
        }
    }

    // Nodes.

    fn host_down(&mut self, fact: &Fact, node: NodeId) {
        let Some(fault) = self.origins.of(fact) else { return };
        self.hits.push(NodeHit { fault, node, since: fact.at, detected: None });
        for i in 0..self.by_node.get(node.index()).map_or(0, Vec::len) {
            let pod = self.by_node[node.index()][i];
            let active = self.pods.get(pod).is_some_and(|row| row.is_active_at(fact.at));
            if active && !self.state[pod.index()].gone && self.open_loss(pod).is_none() {
                self.lose(fact, (fault, pod), fact.at);
            }
        }
    }

    fn node_unhealthy(&mut self, fact: &Fact, node: NodeId) {
        self.node_state(node, |state| state.unhealthy = Some(fact.at));
        if let Some(fault) = self.origins.of(fact) {
            let mut newest_first = self.hits.iter_mut().rev();
            match newest_first.find(|hit| hit.node == node && hit.fault == fault && hit.detected.is_none()) {
                Some(hit) => hit.detected = Some(fact.at),
                None => {
                    let since = self.origins.faults[&fault].at;
                    self.hits.push(NodeHit { fault, node, since, detected: Some(fact.at) });
                }
            }
        }
        self.each_loss_on(node, |loss| loss.step(Stage::Detected, fact));
    }

    /// Whoever removes a node that is lost knows that it is, and so does the control plane from then on.
    fn node_removed(&mut self, fact: &Fact, node: NodeId) {
        self.node_state(node, |state| *state = NodeState::default());
        if let Some(hit) = self.hits.iter_mut().rev().find(|hit| hit.node == node) {
            hit.detected.get_or_insert(fact.at);
        }
        self.each_loss_on(node, |loss| loss.step(Stage::Detected, fact));
    }

    fn node_evicting(&mut self, fact: &Fact, node: NodeId) {
        self.node_state(node, |state| state.evicting = Some(fact.at));
        self.each_loss_on(node, |loss| loss.step(Stage::Marked, fact));
    }

    fn node_state(&mut self, node: NodeId, change: impl FnOnce(&mut NodeState)) {
        if let Some(state) = self.nodes.get_mut(node.index()) {
            change(state);
        }
    }

    fn each_loss_on(&mut self, node: NodeId, mut change: impl FnMut(&mut Loss)) {
        for i in 0..self.by_node.get(node.index()).map_or(0, Vec::len) {
            let pod = self.by_node[node.index()][i];
            if let Some(loss) = self.open_loss(pod)
                && self.losses[loss].pod == pod
            {
                change(&mut self.losses[loss]);
            }
        }
    }

    // Pods that cease to serve.

    fn unready(&mut self, fact: &Fact, pod: PodId) {
        self.stops_serving(fact, pod);
        self.noticed(fact, pod);
        if let Some(state) = self.state.get_mut(pod.index()) {
            state.ready = false;
        }
    }

    fn stops_serving(&mut self, fact: &Fact, pod: PodId) {
        if self.state.get(pod.index()).is_some_and(|state| state.ready) {
            self.lose_because_of(fact, pod);
        }
        self.agent_noticed(fact, pod);
        if let Some(loss) = self.open_loss(pod) {
            self.losses[loss].unready = true;
        }
    }

    fn exited(&mut self, fact: &Fact, pod: PodId, why: Exit) {
        if why == Exit::Completed {
            return;
        }
        let since_host_died = why == Exit::HostLost;
        if self.state.get(pod.index()).is_some_and(|state| state.ready) {
            self.lose_because_of(fact, pod);
        }
        // A host's death is nobody's observation yet; every other exit is seen by the agent.
        if !since_host_died {
            self.agent_noticed(fact, pod);
        }
    }

    fn given_up(&mut self, fact: &Fact, pod: PodId) {
        let is_gone = self.state.get(pod.index()).is_none_or(|state| state.gone);
        if is_gone {
            return;
        }
        self.lose_because_of(fact, pod);
        self.noticed(fact, pod);
        self.state[pod.index()].gone = true;
        if let Some(loss) = self.open_loss(pod)
            && self.losses[loss].pod == pod
        {
            // What happened in place no longer counts: it was not enough.
            self.losses[loss].stages.forget_from(Stage::Evicted);
            self.losses[loss].stages.reach(Stage::Evicted, fact.at);
            self.losses[loss].last_fact = fact.id;
        }
    }

    fn withdrawn(&mut self, pod: PodId) {
        if let Some(loss) = self.open_loss(pod) {
            self.losses[loss].ending = Ending::Withdrawn;
            self.state[pod.index()].loss = None;
        }
        if let Some(state) = self.state.get_mut(pod.index()) {
            state.gone = true;
        }
    }

    fn noticed(&mut self, fact: &Fact, pod: PodId) {
        if let Some(loss) = self.open_loss(pod)
            && self.losses[loss].pod == pod
        {
            self.losses[loss].stages.reach(Stage::Detected, fact.at);
        }
    }

    fn agent_noticed(&mut self, fact: &Fact, pod: PodId) {
        if let Some(loss) = self.open_loss(pod)
            && self.losses[loss].pod == pod
        {
            self.losses[loss].agent.get_or_insert(fact.at);
        }
    }

    /// Opens a loss when the fact goes back to a fault that found the pod already there.
    fn lose_because_of(&mut self, fact: &Fact, pod: PodId) {
        let Some(fault) = self.origins.of(fact) else { return };
        let applied = self.origins.faults[&fault].at;
        let is_older = self.pods.get(pod).is_some_and(|row| row.created < applied);
        if is_older && !self.state[pod.index()].gone && self.open_loss(pod).is_none() {
            let again = self.state[pod.index()].loss.is_some_and(|loss| self.losses[loss as usize].fault == fault);
            self.lose(fact, (fault, pod), if again { fact.at } else { applied });
        }
    }

    fn lose(&mut self, fact: &Fact, (fault, pod): (FaultId, PodId), since: Time) {
        let Some(row) = self.pods.get(pod) else { return };
        let node = row.bound.map(|(node, _)| node);
        let mut stages = Instants::default();
        if let Some(state) = node.and_then(|node| self.nodes.get(node.index())) {
            // The node was given up before this replica was seen to fail: that was its detection.
            for (stage, at) in [(Stage::Detected, state.unhealthy), (Stage::Marked, state.evicting)] {
                if let Some(at) = at.filter(|at| *at >= since) {
                    stages.reach(stage, at);
                }
            }
        }
        self.state[pod.index()].loss = Some(u32::try_from(self.losses.len()).expect("fewer losses than facts"));
        self.losses.push(Loss {
            fault,
            pod,
            workload: row.workload,
            node,
            since,
            stages,
            rescheduled: None,
            ending: Ending::Missing,
            last_fact: fact.id,
            unready: false,
            agent: None,
        });
    }

    // The way back.

    fn created(&mut self, fact: &Fact, pod: PodId) {
        let Some(old) = self.pods.get(pod).and_then(|row| row.replaces) else { return };
        let Some(loss) = self.open_loss(old) else { return };
        self.state[pod.index()].loss = self.state[old.index()].loss;
        let loss = &mut self.losses[loss];
        loss.stages.forget_from(Stage::Created);
        loss.stages.reach(Stage::Created, fact.at);
        loss.last_fact = fact.id;
    }

    fn advance(&mut self, fact: &Fact, pod: PodId, stage: Stage) {
        let Some(state) = self.state.get(pod.index()) else { return };
        let Some(loss) = state.loss.map(|loss| &mut self.losses[loss as usize]) else { return };
        if state.gone || (loss.ending == Ending::Withdrawn) {
            return;
        }
        let in_place = loss.pod == pod;
        if loss.stages.reach(stage, fact.at) {
            loss.last_fact = fact.id;
        }
        if stage == Stage::Started && !in_place {
            loss.rescheduled.get_or_insert(fact.at);
        }
    }

    fn ready(&mut self, fact: &Fact, pod: PodId) {
        let Some(state) = self.state.get_mut(pod.index()) else { return };
        state.ready = true;
        if state.gone {
            return;
        }
        self.advance(fact, pod, Stage::Ready);
        if let Some(loss) = self.open_loss(pod) {
            let loss = &mut self.losses[loss];
            loss.ending = if loss.pod == pod { Ending::InPlace } else { Ending::Replaced(pod) };
        }
    }

    /// Clients act on a publication: on every endpoint that was published up to it.
    fn seen(&mut self, fact: &Fact, service: ServiceId) {
        let Some(queue) = self.unseen.get_mut(&service) else { return };
        let mut reached = Vec::new();
        while let Some(&(id, cause, pod)) = queue.front() {
            if id > fact.cause && cause > fact.cause {
                break;
            }
            queue.pop_front();
            reached.push(pod);
        }
        for pod in reached {
            self.advance(fact, pod, Stage::Seen);
        }
    }

    /// The loss that a pod belongs to, as long as it is not back.
    fn open_loss(&self, pod: PodId) -> Option<usize> {
        let loss = self.state.get(pod.index())?.loss? as usize;
        (self.losses[loss].ending == Ending::Missing).then_some(loss)
    }

    fn finish(mut self) -> Losses {
        for loss in &mut self.losses {
            // A restart so short that nobody ever said "not ready": it is back when its container runs.
            let restarted = loss.stages.get(Stage::Started).filter(|_| !loss.unready);
            if let Some(at) =
                restarted.filter(|_| loss.ending == Ending::Missing && loss.stages.get(Stage::Evicted).is_none())
            {
                loss.stages.reach(Stage::Ready, at);
                loss.ending = Ending::InPlace;
            }
        }
        for loss in self.losses.iter_mut().filter(|loss| loss.ending == Ending::InPlace) {
            // The agent saw it, dealt with it, and the control plane never had to: that was the detection.
            if let Some(at) = loss.agent.filter(|_| loss.stages.get(Stage::Detected).is_none()) {
                loss.stages.reach(Stage::Detected, at);
            }
        }
        let mut first_notice: BTreeMap<(FaultId, NodeId), Time> = BTreeMap::new();
        for loss in &self.losses {
            if let (Some(node), Some(at)) = (loss.node, loss.stages.get(Stage::Detected)) {
                let first = first_notice.entry((loss.fault, node)).or_insert(at);
                *first = (*first).min(at);
            }
        }
        for hit in &mut self.hits {
            let of_its_pods = first_notice.get(&(hit.fault, hit.node)).copied();
            hit.detected = [hit.detected, of_its_pods].into_iter().flatten().min();
        }
        Losses { all: self.losses, nodes: self.hits }
    }
}
