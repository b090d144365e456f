//! Agents that are gone or hang while their hosts and containers run on.
//!
//! Nothing reaches such an agent and nothing comes from it. What it would have done to its containers and what it would
//! have seen of them is kept, and happens when it is back: its own timers may come due meanwhile, but lead to nothing.
//! Stopped in good order, it first does what it does before it ends, with a time limit. A host that boots starts its
//! agent, whatever held it. Start at `hold_agents`.

use shakedown_chaos::fault::AgentFault;
use shakedown_engine::fact::FactId;
use shakedown_engine::ids::{FaultId, NodeId};
use shakedown_engine::message::{InputKind, Reach, RuntimeOp};
use shakedown_engine::time::{Span, Time};

use crate::container::Phase;
use crate::event::Event;
use crate::host::Host;
use crate::world::SimWorld;

/// How often an agent that stops looks whether its containers have ended.
const LOOK: Span = Span::from_millis(500);
/// Then it ends, whether they have or not. Source: moby/moby:daemon/config/config.go, `DefaultShutdownTimeout`.
const PATIENCE: Span = Span::from_secs(15);

/// What waits for an agent that is away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    away: bool,
    /// When one that stops has no more patience.
    until: Time,
    reports: Vec<(FactId, InputKind)>,
    orders: Vec<(FactId, RuntimeOp)>,
}

impl Kept {
    /// Nobody is there who hears or does anything.
    pub(crate) fn away(&self) -> bool {
        self.away
    }
}

impl Host {
    /// What one gets who asks the agent of a host that can be reached.
    pub(crate) fn reach(&self) -> Reach {
        match self.agent_holds.values().map(|hold| hold.0).min() {
            Some(AgentFault::Frozen) => Reach::Hung,
            Some(_) if self.kept.away => Reach::Refused,
            _ => Reach::Open,
        }
    }

    /// The fault that its agent is away for.
    pub(crate) fn why_away(&self) -> Option<FactId> {
        let hold = self.agent_holds.values().next().filter(|_| self.kept.away);
        hold.map(|hold| hold.1)
    }

    /// The host went down: its agent starts with it, and knows nothing of what was kept.
    pub(crate) fn agent_gone_with_host(&mut self) {
        self.agent_holds.clear();
        self.kept = Kept::default();
    }
}

impl SimWorld {
    /// Agents of these hosts are stopped, killed or frozen.
    pub(crate) fn hold_agents(&mut self, fault: FaultId, nodes: &[NodeId], how: AgentFault, cause: FactId) {
        let former =
            |(id, host): (NodeId, &Host)| (host.agent_holds.contains_key(&fault) && !nodes.contains(&id)).then_some(id);
        let former: Vec<NodeId> = self.hosts.iter().filter_map(former).collect();
        former.into_iter().for_each(|node| self.free_agent(fault, node, cause));
        for &node in nodes {
            let host = &mut self.hosts[node];
            if !host.up || host.agent_holds.insert(fault, (how, cause)).is_some() {
                continue;
            }
            if how == AgentFault::Stopped && !host.kept.away {
                host.kept.until = self.now + PATIENCE;
                self.emit(cause, InputKind::AgentStops { node });
                self.queue.push(self.now + LOOK, Event::AgentEnds { node, fault });
            } else {
                self.agent_leaves(node, cause);
            }
        }
    }

    /// A fault lets go of agents: those that nothing else holds run again.
    pub(crate) fn free_agents(&mut self, fault: FaultId, cause: FactId) {
        let held: Vec<NodeId> =
            self.hosts.iter().filter(|(_, host)| host.agent_holds.contains_key(&fault)).map(|(id, _)| id).collect();
        held.into_iter().for_each(|node| self.free_agent(fault, node, cause));
    }

    /// An agent that stops looks whether it may end.
    pub(crate) fn on_agent_ends(&mut self, node: NodeId, fault: FaultId) {
        let host = &self.hosts[node];
        let Some(&(_, cause)) = host.agent_holds.get(&fault) else { return };
        let until = host.kept.until;
        let ends = |cell: &crate::container::Cell| matches!(cell.phase, Phase::Hook | Phase::Stopping);
        let busy = host.pods.iter().filter_map(|&pod| self.pods.get(pod)).any(|pod| pod.cells.iter().any(ends));
        if busy && self.now < until {
            return self.queue.push(self.now + LOOK, Event::AgentEnds { node, fault });
        }
        self.agent_leaves(node, cause);
    }

    fn agent_leaves(&mut self, node: NodeId, cause: FactId) {
        self.hosts[node].kept.away = true;
        self.links[node].stamp = 0;
        self.reach_after(node, cause);
        self.refresh_beats(node);
    }

    fn free_agent(&mut self, fault: FaultId, node: NodeId, cause: FactId) {
        let host = &mut self.hosts[node];
        host.agent_holds.remove(&fault);
        if !host.agent_holds.is_empty() {
            return self.reach_after(node, cause);
        }
        let kept = std::mem::take(&mut host.kept);
        self.reach_after(node, cause);
        if !self.links[node].cut {
            self.plan_reconnect(node, Span::ZERO, cause);
        }
        kept.reports.into_iter().for_each(|(cause, kind)| self.emit(cause, kind));
        kept.orders.into_iter().for_each(|(cause, op)| self.run_op(node, op, cause));
        self.refresh_beats(node);
    }

    /// Keeps what a runtime reports to an agent that is away; gives back what is for somebody else.
    pub(crate) fn keep_report(&mut self, cause: FactId, kind: InputKind) -> Option<InputKind> {
        let (InputKind::Runtime { node, .. } | InputKind::Observed { node, .. }) = kind else { return Some(kind) };
        if !self.hosts[node].kept.away {
            return Some(kind);
        }
        self.hosts[node].kept.reports.push((cause, kind));
        None
    }

    /// Carries an agent's order out, or keeps it while the agent is away.
    pub(crate) fn run_unless_away(&mut self, node: NodeId, op: RuntimeOp, cause: FactId) {
        if self.hosts[node].kept.away {
            return self.hosts[node].kept.orders.push((cause, op));
        }
        self.run_op(node, op, cause);
    }
}
