//! Messages between control plane and agents, and what a lost link means for the connection.
//!
//! Order is kept per sender and receiver. Nothing is delivered to or sent by a host that is down. A message that is
//! lost breaks the connection: the agent connects again some time after the link works (its client's back-off, a
//! setting of the network), and the engine learns of it as `Reconnected`. A starved agent writes slowly, and one that
//! cannot get a heartbeat out in time gets nothing else out either. Start at `send`.

use shakedown_engine::fact::FactId;
use shakedown_engine::ids::NodeId;
use shakedown_engine::message::{Address, InputKind, Message};
use shakedown_engine::time::Span;

use crate::event::{Event, Letter, Stamp};
use crate::network::{GIVE_UP, Place};
use crate::world::SimWorld;

/// The connection of one agent to the control plane.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Connection {
    /// The link is cut in at least one direction.
    pub(crate) cut: bool,
    /// Of the plan to reconnect.
    pub(crate) stamp: Stamp,
    /// Why it broke or came back.
    pub(crate) cause: FactId,
}

impl SimWorld {
    /// Carries a message.
    pub(crate) fn send(&mut self, from: Address, to: Address, message: Message, cause: FactId) {
        let sender_up = self.alive(from);
        let node = agent_of(from).or_else(|| agent_of(to));
        let Some(node) = node.filter(|_| sender_up) else { return };
        let wrote = match from {
            // What an agent with a core to itself needs is part of the ordinary trip.
            Address::Agent(node) => {
                let ordinary = self.experiment.setting.host.heartbeat_cpu;
                self.write_time(node).map(|wrote| wrote - ordinary)
            }
            Address::Control => Some(Span::ZERO),
        };
        // A connection needs both directions: what gets there without being acknowledged is no message.
        let cut = self.links[node].cut;
        let trip = self.net.transit(place(from), place(to), self.network_draws.of(node)).filter(|_| !cut);
        let Some(trip) = wrote.zip(trip).map(|(wrote, trip)| wrote + trip) else {
            return self.lost(node, cause);
        };
        let slot = self.last_arrival.entry((from, to)).or_default();
        *slot = (*slot).max(self.now + trip);
        let at = *slot;
        self.queue.push(at, Event::Deliver(Box::new(Letter { from, to, message, cause })));
    }

    /// A message arrives, unless nobody is there to take it.
    pub(crate) fn on_deliver(&mut self, letter: Letter) {
        let Letter { from, to, message, cause } = letter;
        if self.alive(to) {
            self.emit(cause, InputKind::Delivered { from, to, message });
        }
    }

    /// A message was given up: the connection is broken, whether the link is cut or only bad.
    fn lost(&mut self, node: NodeId, cause: FactId) {
        if !self.links[node].cut && self.links[node].stamp == 0 {
            self.plan_reconnect(node, GIVE_UP, cause);
        }
    }

    /// Faults on links of this node came or went.
    pub(crate) fn link_changed(&mut self, node: NodeId, cause: FactId) {
        let cut = self.net.cut_off(node).is_some();
        let before = std::mem::replace(&mut self.links[node].cut, cut);
        if cut && !before {
            self.links[node].stamp = 0;
            self.links[node].cause = cause;
            // Where news are gossip, they may come from others; see `links_redrawn`.
            if self.absences.told() {
                self.freeze_view(node, cause);
            }
        }
        if before && !cut {
            self.plan_reconnect(node, Span::ZERO, cause);
        }
        self.refresh_beats(node);
    }

    /// Plans that the agent tries again some time after it has `noticed`.
    pub(crate) fn plan_reconnect(&mut self, node: NodeId, noticed: Span, cause: FactId) {
        let stamp = self.stamp();
        let reconnect = self.experiment.setting.network.reconnect;
        let wait = self.network_draws.of(node).span(reconnect.0, reconnect.1);
        self.links[node].stamp = stamp;
        self.links[node].cause = cause;
        self.queue.push(self.now + noticed + wait, Event::Reconnect { node, stamp });
    }

    /// The agent tries again.
    pub(crate) fn on_reconnect(&mut self, node: NodeId, stamp: Stamp) {
        let link = self.links[node];
        if link.stamp != stamp {
            return;
        }
        self.links[node].stamp = 0;
        if !self.hosts[node].up || self.hosts[node].kept.away() {
            return;
        }
        self.thaw_view(node, link.cause);
        self.drop_kept(node, link.cause);
        self.beat_again(node);
        self.emit(link.cause, InputKind::Reconnected { node });
    }

    fn alive(&self, address: Address) -> bool {
        agent_of(address).is_none_or(|node| self.hosts[node].up && !self.hosts[node].kept.away())
    }
}

fn agent_of(address: Address) -> Option<NodeId> {
    match address {
        Address::Control => None,
        Address::Agent(node) => Some(node),
    }
}

fn place(address: Address) -> Place {
    agent_of(address).map_or(Place::Control, Place::Node)
}
