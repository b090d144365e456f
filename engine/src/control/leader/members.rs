//! Managers that elect one of them, which alone acts: members come and go, a leader is lost, the next one takes over.
//!
//! Members live on nodes of the profile's role where a scenario has such nodes; then a dead, frozen or cut-off node takes
//! its member with it. Else they have machines of their own. While nobody leads, nothing is read, written or decided. A
//! leader that is cut off cannot write either, so it counts as lost at once; what it would still answer to readers on its
//! side is not modelled, and the control plane is wherever the majority is. A partition is noticed when a heartbeat of the
//! member's host is missed; the time since then counts for the election. Start at [`Control::members_changed`].
//!
//! Sources: moby/swarmkit:manager/dispatcher/dispatcher.go, `markNodesUnknown`; hashicorp/nomad:nomad/leader.go,
//! `establishLeadership`, and heartbeat.go, `initializeHeartbeatTimers`; apache/mesos:docs/high-availability.md.

use std::collections::BTreeSet;

use super::ballot::{Electorate, elect};
use crate::control::leader::takeover::Memory;
use crate::control::leader::{Owner, Parts};
use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Component, FactId, FactKind, Note, Subject};
use crate::ids::NodeId;
use crate::message::{Address, Beats, InputKind, Instances, PartChange};
use crate::model::Catalog;
use crate::profile::Profile;
use crate::profile::consensus::{Consensus, Quorum, Silence};
use crate::time::{Span, Time};

/// Numbers of the streams for returns of nodes begin here.
const STREAMS: u32 = 1 << 30;

/// One of those who can lead.
#[derive(Clone, Debug)]
struct Member {
    /// The node that it lives on.
    host: Option<NodeId>,
    /// Somebody has stopped it.
    stopped: bool,
    /// Its host is dead, frozen or cut off.
    silent: bool,
    /// Since when it is there.
    since: Time,
}

impl Member {
    fn there(&self) -> bool {
        !self.stopped && !self.silent
    }
}

/// Those who can lead, and who does.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    rows: Vec<Member>,
    leader: Option<usize>,
    /// Since when nobody leads; meaningful while nobody does.
    lost: Time,
    /// An election is under way.
    electing: bool,
    /// Who will win it.
    next: usize,
    /// Counts leaders.
    term: u32,
    quorum: Quorum,
    /// There was a quorum all the time since the last leader.
    fresh: bool,
    /// Nodes that have not come back to the new leader yet.
    pub(super) returning: BTreeSet<NodeId>,
}

impl Members {
    /// All there, the first of them leading. None where leaders have leases.
    pub(super) fn new(catalog: &Catalog, profile: &Profile) -> Self {
        let Some(consensus) = profile.control.machine.consensus else { return Self::default() };
        let hosts = catalog
            .nodes
            .iter()
            .filter(|(_, spec)| spec.at_start && spec.roles.iter().any(|&role| catalog.text(role) == consensus.role));
        let member = |host| Member { host, stopped: false, silent: false, since: Time::ZERO };
        let mut rows: Vec<Member> = hosts.map(|(node, _)| member(Some(node))).collect();
        if rows.is_empty() {
            rows = (0..consensus.members.max(1)).map(|_| member(None)).collect();
        }
        Self { rows, leader: Some(0), quorum: consensus.quorum, ..Self::default() }
    }

    fn there(&self) -> usize {
        self.rows.iter().filter(|member| member.there()).count()
    }

    fn quorum(&self) -> usize {
        match self.quorum {
            Quorum::Majority => self.rows.len() / 2 + 1,
            Quorum::One => 1,
        }
    }

    /// There are members, and none of them leads.
    pub(super) fn leaderless(&self) -> bool {
        !self.rows.is_empty() && self.leader.is_none()
    }

    fn hosted_by(&self, node: NodeId) -> Option<usize> {
        self.rows.iter().position(|member| member.host == Some(node))
    }

    /// How many a command means.
    fn meant(&self, which: Instances) -> usize {
        match which {
            Instances::Leader | Instances::Follower => 1,
            Instances::Quorum => self.rows.len() + 1 - self.quorum(),
            Instances::All => self.rows.len(),
        }
    }

    /// Those that a command stops: the leader first, or last of all where followers are meant.
    fn victims(&self, which: Instances) -> Vec<usize> {
        let leader = self.leader.into_iter().filter(|_| which != Instances::Follower);
        let others = (0..self.rows.len()).rev().filter(|i| Some(*i) != self.leader && !self.rows[*i].stopped);
        leader.chain(others).take(self.meant(which)).collect()
    }
}

impl Parts {
    /// Whether members of their own kind lead here, not parts with leases.
    pub(super) fn by_members(&self) -> bool {
        !self.members.rows.is_empty()
    }
}

impl Control {
    /// Members stop or start.
    pub(super) fn command_members(&mut self, cx: &mut Cx<'_>, cause: FactId, change: PartChange) {
        let members = &mut self.parts.members;
        match change {
            PartChange::Stop(which) => members.victims(which).into_iter().for_each(|i| members.rows[i].stopped = true),
            PartChange::Start(which) => {
                let n = members.meant(which);
                for member in members.rows.iter_mut().filter(|member| member.stopped).take(n) {
                    (member.stopped, member.since) = (false, cx.now);
                }
            }
        }
        let back = matches!(change, PartChange::Start(_));
        self.members_changed(cx, cause, (Span::ZERO, back));
    }

    /// A host stopped, and with it the member that lives there.
    pub(crate) fn host_lost(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId) {
        let Some(i) = self.parts.members.hosted_by(node) else { return };
        if std::mem::replace(&mut self.parts.members.rows[i].silent, true) {
            return;
        }
        self.members_changed(cx, cause, (Span::ZERO, false));
    }

    /// What a node's heartbeats say of the member that lives there.
    pub(in crate::control) fn host_heard(&mut self, cx: &mut Cx<'_>, cause: FactId, node: NodeId, beats: Beats) {
        let Some(i) = self.parts.members.hosted_by(node) else { return };
        let silent = matches!(beats, Beats::Ceased { .. });
        if self.parts.members.rows[i].silent == silent {
            return;
        }
        (self.parts.members.rows[i].silent, self.parts.members.rows[i].since) = (silent, cx.now);
        let elapsed = match beats {
            Beats::Ceased { last, next } if next <= cx.now => self.election_luck().span(Span::ZERO, cx.now.since(last)),
            _ => Span::ZERO,
        };
        self.members_changed(cx, cause, (elapsed, !silent));
    }

    /// There are other members than before: the leader may be gone or short of a quorum, or one can be elected. Something
    /// was lost so long ago (`elapsed`), or somebody is back.
    fn members_changed(&mut self, cx: &mut Cx<'_>, cause: FactId, (elapsed, back): (Span, bool)) {
        let members = &self.parts.members;
        let enough = members.there() >= members.quorum();
        let subject = Subject::Cluster;
        match members.leader {
            Some(leader) if !members.rows[leader].there() || !enough => self.lose_member(cx, cause, elapsed),
            Some(_) if back => self.challenge(cx, cause),
            Some(_) => {}
            None if !enough && members.electing => {
                self.parts.members.electing = false;
                self.parts.stamp[Component::Manager as usize] += 1;
                cx.facts.record(cx.now, cause, FactKind::Noted { subject, note: Note::NoQuorum });
            }
            None if enough && !members.electing => {
                cx.facts.record(cx.now, cause, FactKind::Noted { subject, note: Note::QuorumBack });
                self.plan_ballot(cx, cause, (Span::ZERO, false));
            }
            // Who stands may have changed.
            None if enough && !back => {
                let (lost, fresh) = (cx.now.since(members.lost), members.fresh);
                self.plan_ballot(cx, cause, (lost, fresh));
            }
            None => {}
        }
    }

    /// A member that comes back has been a candidate in newer terms than the leader's, sometimes.
    fn challenge(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        let Some(consensus) = self.profile.control.machine.consensus else { return };
        if consensus.challenges > 0 && self.election_luck().below(1_000) < u64::from(consensus.challenges) {
            self.lose_member(cx, cause, Span::ZERO);
        }
    }

    fn lose_member(&mut self, cx: &mut Cx<'_>, cause: FactId, elapsed: Span) {
        self.parts.members.leader = None;
        self.parts.members.lost = cx.now;
        if self.parts.blocked.is_none() {
            self.parts.blocked = Some(cx.now);
        }
        let component = Component::Manager;
        let fact = cx.facts.record(cx.now, cause, FactKind::LeaderLost { component });
        if self.parts.members.there() >= self.parts.members.quorum() {
            return self.plan_ballot(cx, fact, (elapsed, true));
        }
        cx.facts.record(cx.now, fact, FactKind::Noted { subject: Subject::Cluster, note: Note::NoQuorum });
    }

    /// Members look for a leader, of whom the last one was heard until so long ago; `fresh`: was there until now.
    fn plan_ballot(&mut self, cx: &mut Cx<'_>, cause: FactId, (elapsed, fresh): (Span, bool)) {
        let Some(consensus) = self.profile.control.machine.consensus else { return };
        let mut luck = self.election_luck();
        let members = &mut self.parts.members;
        let there: Vec<usize> = (0..members.rows.len()).filter(|&i| members.rows[i].there()).collect();
        let (waiting, returned): (Vec<usize>, Vec<usize>) =
            there.into_iter().partition(|&i| fresh || members.rows[i].since < members.lost);
        let who = Electorate { waiting: waiting.len(), returned: returned.len(), quorum: members.quorum(), fresh };
        let (wait, winner) = elect(&consensus.ballot, who, &mut luck);
        members.next = waiting.into_iter().chain(returned).nth(winner).unwrap_or(0);
        (members.electing, members.fresh) = (true, fresh);
        let i = Component::Manager as usize;
        self.parts.stamp[i] += 1;
        let alarm = Alarm::Elected { part: Component::Manager, stamp: self.parts.stamp[i] };
        cx.timers.set(cx.now + (wait - elapsed), cause, alarm);
    }

    /// There is a leader again.
    pub(super) fn member_elected(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        let Some(consensus) = self.profile.control.machine.consensus else { return };
        self.parts.members.electing = false;
        self.parts.members.leader = Some(self.parts.members.next);
        let kind = FactKind::LeaderElected { component: Component::Manager };
        let fact = cx.facts.record(cx.now, cause, kind);
        if self.broken() {
            return; // Something else keeps it from its work, and its end will be the end of this.
        }
        self.parts.blocked = None;
        self.begin_reign(cx, fact, consensus);
    }

    fn begin_reign(&mut self, cx: &mut Cx<'_>, fact: FactId, consensus: Consensus) {
        for client in Client::CONTROLLERS.iter().copied().chain([Client::Scheduler]) {
            self.store.refresh(&self.profile.control, client);
        }
        self.ask_nodes_back(cx, fact, consensus);
        let memory = match consensus.silence {
            Silence::Counted | Silence::Overlooked => Memory::Kept,
            Silence::Anew | Silence::Within(_) => Memory::Lost,
        };
        self.judge_nodes(cx, fact, memory);
        self.unshelve(cx, Owner::Api);
        for (cause, kind) in std::mem::take(&mut self.parts.mail) {
            self.input(cx, cause, kind);
        }
        self.refill_queue(cx);
        self.unshelve(cx, Owner::Part(Component::Scheduler));
        self.unshelve(cx, Owner::Part(Component::Controllers));
    }

    /// Nodes that are there come back to the new leader one by one.
    fn ask_nodes_back(&mut self, cx: &mut Cx<'_>, cause: FactId, consensus: Consensus) {
        let rejoin = consensus.rejoin;
        self.parts.members.returning.clear();
        if rejoin.most.is_zero() {
            return;
        }
        self.parts.members.term += 1;
        let term = self.parts.members.term;
        for node in self.catalog.nodes.ids() {
            let row = &mut self.nodes[node];
            row.away = false;
            if !row.exists() || !row.steady {
                continue;
            }
            row.away = rejoin.closed;
            self.parts.members.returning.insert(node);
            let mut luck = self.streams.stream(crate::rng::Purpose::Heartbeat, node.0 ^ (STREAMS | term << 16));
            let at = cx.now + luck.span(rejoin.least, rejoin.most);
            cx.timers.set(at, cause, Alarm::NodeReturns { node, term });
            if rejoin.closed {
                self.show_node_to_scheduler(node);
            }
        }
    }

    /// A node has registered with the new leader: it takes work, and what it had to say is heard.
    pub(in crate::control) fn node_returns(&mut self, cx: &mut Cx<'_>, (node, term): (NodeId, u32)) {
        if self.parts.members.term != term || !self.parts.members.returning.remove(&node) {
            return;
        }
        if std::mem::take(&mut self.nodes[node].away) {
            self.show_node_to_scheduler(node);
            self.node_changed_for_queue(cx);
        }
        let (said, rest) =
            std::mem::take(&mut self.parts.mail).into_iter().partition(|(_, kind)| speaker(kind) == Some(node));
        self.parts.mail = rest;
        let said: Vec<(FactId, InputKind)> = said;
        for (cause, kind) in said {
            self.input(cx, cause, kind);
        }
    }

    /// Whether something that came has to wait until its node has come back.
    pub(super) fn waits_for_return(&self, kind: &InputKind) -> bool {
        speaker(kind).is_some_and(|node| self.parts.members.returning.contains(&node))
    }

    /// Whether a new leader has never heard a node that was last heard then, and gives it more time for that.
    pub(in crate::control) fn forgotten(&self, last: Time) -> bool {
        let anew = |consensus: Consensus| matches!(consensus.silence, Silence::Anew | Silence::Within(_));
        self.timers_reset > last && self.profile.control.machine.consensus.is_some_and(anew)
    }

    /// How long a new leader waits for a node that it has not heard yet, where that is the same for all.
    pub(in crate::control) fn given_to_return(&self, node: NodeId) -> Option<Span> {
        match self.profile.control.machine.consensus?.silence {
            Silence::Within(span) if self.nodes[node].unknown => Some(span),
            _ => None,
        }
    }

    /// Whether nobody is there who would act on a node that falls silent, and nobody will make up for it.
    pub(in crate::control) fn overlooks(&self) -> bool {
        let overlooks = |consensus: Consensus| consensus.silence == Silence::Overlooked;
        self.parts.members.leaderless() && self.profile.control.machine.consensus.is_some_and(overlooks)
    }
}

/// The node whose agent says something.
fn speaker(kind: &InputKind) -> Option<NodeId> {
    match kind {
        InputKind::Delivered { from: Address::Agent(node), .. } => Some(*node),
        _ => None,
    }
}
