//! Who does the control plane's work: instances, leases, elections, and what waits while nobody is there.
//!
//! A part that has no leader, or cannot reach the store, does nothing: what falls due for it is kept and comes when
//! somebody takes over. A new leader begins with what the store has: silent nodes get their whole grace again,
//! tolerations run anew, waiting pods are tried at once, request rates are fresh. What a dead leader had decided and not
//! sent is decided again by the next one; here that is the same decision, carried out late.
//!
//! That is for parts with leases; where one process does everything, its instances are `members` that elect one of them
//! (`ballot`). `takeover` is what a new leader does first, `outage` what becomes of everything while the API cannot be used.
//! Start at [`Control::control_plane`].
//!
//! Source: kubernetes/kubernetes:staging/src/k8s.io/client-go/tools/leaderelection/leaderelection.go.

mod ballot;
mod members;
mod outage;
mod presence;
mod takeover;

use crate::control::{Alarm, Control, Cx};
use crate::fact::{Client, Component, FactId, FactKind, Note, Subject};
use crate::message::{InputKind, Instances, PartChange};
use crate::model::Catalog;
use crate::profile::Profile;
use crate::rng::Purpose;
use crate::time::{Span, Time};

/// How many parts there are.
const PARTS: usize = Component::Manager as usize + 1;

/// What each machine of a control plane with parts runs, the store first.
const MACHINE: [Component; 4] = [Component::Store, Component::ApiServer, Component::Scheduler, Component::Controllers];

/// The parts of the control plane and what waits for them.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// Instances that run.
    alive: [u32; PARTS],
    total: [u32; PARTS],
    /// Since when nobody does a part's work.
    idle: [Option<Time>; PARTS],
    /// Counts what happened to a part's leadership, so that older plans are void.
    stamp: [u32; PARTS],
    /// Since when nothing can be read or written: no API server, or a store without a quorum.
    blocked: Option<Time>,
    /// What fell due while nobody was there.
    shelf: Vec<(FactId, Alarm)>,
    /// What came from outside while nobody could take it in.
    mail: Vec<(FactId, InputKind)>,
    /// Elections so far: each has its own luck.
    elections: u32,
    /// Where nodes are known by keys: when the first of them could use the store again after its last outage.
    first_back: Time,
    /// Those who can lead where one process does everything.
    members: members::Members,
}

/// Who acts on an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A part with a leader.
    Part(Component),
    /// The API server itself, or somebody who only needs it.
    Api,
    /// The control plane's own mechanics, which nothing stops.
    Nobody,
}

impl Parts {
    pub(super) fn new(catalog: &Catalog, profile: &Profile) -> Self {
        let machine = &profile.control.machine;
        let mut total = [1; PARTS];
        total[Component::Store as usize] = machine.etcd.members;
        total[Component::ApiServer as usize] = machine.api_servers;
        total[Component::Scheduler as usize] = machine.election.schedulers;
        total[Component::Controllers as usize] = machine.election.controllers;
        Self {
            alive: total,
            total,
            idle: [None; PARTS],
            stamp: [0; PARTS],
            blocked: None,
            shelf: Vec::new(),
            mail: Vec::new(),
            elections: 0,
            first_back: Time::ZERO,
            members: members::Members::new(catalog, profile),
        }
    }

    /// Everybody does their work: the common case.
    pub(super) fn at_work(&self) -> bool {
        self.blocked.is_none() && self.idle == [None; PARTS] && self.members.returning.is_empty()
    }

    /// Nobody acts on an owner's alarms now.
    fn stops(&self, owner: Owner) -> bool {
        match owner {
            Owner::Part(part) => self.blocked.is_some() || self.idle[part as usize].is_some(),
            Owner::Api => self.blocked.is_some(),
            Owner::Nobody => false,
        }
    }

    /// API servers that run.
    pub(super) fn api_servers(&self) -> u32 {
        self.alive[Component::ApiServer as usize]
    }

    /// Members of the store that can decide.
    fn has_quorum(&self) -> bool {
        self.alive[Component::Store as usize] > self.total[Component::Store as usize] / 2
    }
}

/// Who acts on an alarm. What is not named here is a controller's.
pub(super) fn owner(alarm: &Alarm) -> Owner {
    match alarm {
        Alarm::PodSeen(_) | Alarm::Schedule | Alarm::Evaluate(_) | Alarm::ApplyPlan(_) => {
            Owner::Part(Component::Scheduler)
        }
        Alarm::Commit(_) | Alarm::Assign(_) | Alarm::Admitted { .. } => Owner::Api,
        Alarm::Evict { .. } | Alarm::DrainNext(_) => Owner::Api,
        Alarm::Send { client, .. } => client_owner(*client),
        Alarm::BeatsAgain { .. } | Alarm::NodeReturns { .. } => Owner::Api,
        // Every manager polls, whoever leads.
        Alarm::Poll { .. } => Owner::Nobody,
        Alarm::Elected { .. } | Alarm::RenewalFailed { .. } | Alarm::Reconnected { .. } => Owner::Nobody,
        _ => Owner::Part(Component::Controllers),
    }
}

/// Whose process a client is part of. The cluster autoscaler and people's tools run elsewhere.
pub(super) fn client_owner(client: Client) -> Owner {
    match client {
        Client::Scheduler => Owner::Part(Component::Scheduler),
        Client::Pools | Client::Operator | Client::Agent => Owner::Api,
        _ => Owner::Part(Component::Controllers),
    }
}

impl Control {
    /// Instances of a part stop or start.
    pub(super) fn control_plane(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component, change: PartChange) {
        if self.parts.by_members() {
            return self.command_members(cx, cause, change);
        }
        if part == Component::Manager {
            // A machine of the control plane has an instance of each part.
            return MACHINE.into_iter().for_each(|part| self.control_plane(cx, cause, part, change));
        }
        let i = part as usize;
        let (alive, total) = (self.parts.alive[i], self.parts.total[i]);
        let of = |which: Instances| match which {
            Instances::Leader | Instances::Follower => 1,
            Instances::Quorum => total - total / 2,
            Instances::All => total,
        };
        match change {
            PartChange::Stop(which) if alive > 0 => {
                self.parts.alive[i] = alive.saturating_sub(of(which));
                self.part_stopped(cx, cause, part, which);
            }
            PartChange::Start(which) if alive < total => {
                self.parts.alive[i] = total.min(alive + of(which));
                self.part_started(cx, cause, part, alive);
            }
            PartChange::Stop(_) | PartChange::Start(_) => {}
        }
    }

    fn part_stopped(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component, which: Instances) {
        match part {
            Component::Scheduler | Component::Controllers => {
                if which != Instances::Follower {
                    self.lose_leader(cx, cause, part);
                }
            }
            Component::ApiServer => self.block_if_broken(cx, cause),
            Component::Store => {
                if self.parts.has_quorum() && which == Instances::Leader {
                    cx.facts.record(cx.now, cause, FactKind::LeaderLost { component: part });
                    self.elect_store(cx, cause);
                } else if !self.parts.has_quorum() && self.parts.blocked.is_none() {
                    cx.facts.record(cx.now, cause, FactKind::Noted { subject: Subject::Cluster, note: Note::NoQuorum });
                }
                self.block_if_broken(cx, cause);
            }
            Component::Manager => {}
        }
    }

    /// Instances of a part run again, of which so many ran `before`.
    fn part_started(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component, before: u32) {
        match part {
            Component::Scheduler | Component::Controllers => {
                // Those that were standing by are electing already.
                if self.parts.idle[part as usize].is_some() && before == 0 {
                    self.plan_election(cx, cause, part);
                }
            }
            Component::ApiServer => self.unblock_if_whole(cx, cause),
            Component::Store => {
                let had_quorum = before > self.parts.total[part as usize] / 2;
                if self.parts.has_quorum() && !had_quorum {
                    cx.facts.record(
                        cx.now,
                        cause,
                        FactKind::Noted { subject: Subject::Cluster, note: Note::QuorumBack },
                    );
                    self.elect_store(cx, cause);
                }
                self.unblock_if_whole(cx, cause);
            }
            Component::Manager => {}
        }
    }

    /// The store chooses a leader; until then writes wait.
    fn elect_store(&mut self, cx: &mut Cx<'_>, cause: FactId) {
        let etcd = self.profile.control.machine.etcd;
        let wait = self.election_luck().span(etcd.election, etcd.election.times(2));
        self.store.stall(cx.now + wait);
        self.parts.stamp[Component::Store as usize] += 1;
        let stamp = self.parts.stamp[Component::Store as usize];
        cx.timers.set(cx.now + wait, cause, Alarm::Elected { part: Component::Store, stamp });
    }

    fn election_luck(&mut self) -> crate::rng::Stream {
        self.parts.elections += 1;
        self.streams.stream(Purpose::ControlPlane, (1 << 31) | self.parts.elections)
    }

    /// A part's leader is gone: nobody does its work until another instance has its lease.
    fn lose_leader(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component) {
        let i = part as usize;
        if self.parts.idle[i].is_none() {
            self.parts.idle[i] = Some(cx.now);
            cx.facts.record(cx.now, cause, FactKind::LeaderLost { component: part });
        }
        self.parts.stamp[i] += 1;
        if self.parts.alive[i] > 0 {
            self.plan_election(cx, cause, part);
        }
    }

    /// Instances that run try to get a part's lease. They count from the moment in which they saw it renewed last, and a
    /// process that has just started sees it for the first time then.
    fn plan_election(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component) {
        if self.parts.blocked.is_some() {
            return; // They try again when the lease can be read.
        }
        let election = self.profile.control.machine.election;
        let mut luck = self.election_luck();
        let most = election.retry + Span::from_nanos(election.retry.as_nanos() / 1_000 * u64::from(election.jitter));
        let poll = |luck: &mut crate::rng::Stream| luck.span(election.retry, most);
        // Both ends fall between two looks: the last renewal is seen at the next look, its end at the one after it.
        let seen = luck.span(Span::ZERO, poll(&mut luck.clone()));
        let renewed = luck.span(Span::ZERO, election.retry);
        let expired = cx.now + seen + election.lease - renewed;
        let looked = luck.span(Span::ZERO, poll(&mut luck.clone()));
        let i = part as usize;
        self.parts.stamp[i] += 1;
        // Every node can lead where they are known by keys. A lease that ran out during an outage is taken by the first.
        let vacant = self.profile.control.machine.presence.is_some()
            && self.parts.idle[i]
                .is_some_and(|since| since < cx.now && cx.now.since(since) + election.renew_deadline >= election.lease);
        let expired = if vacant { self.parts.first_back.max(cx.now) } else { expired };
        let at = (expired + looked + election.sync).max(cx.now);
        cx.timers.set(at, cause, Alarm::Elected { part, stamp: self.parts.stamp[i] });
    }

    /// A part has a leader again, whose watches are up to date.
    pub(super) fn elected(&mut self, cx: &mut Cx<'_>, cause: FactId, part: Component, stamp: u32) {
        let i = part as usize;
        if self.parts.stamp[i] != stamp || self.parts.alive[i] == 0 {
            return;
        }
        if part == Component::Manager {
            return self.member_elected(cx, cause);
        }
        if part == Component::Store {
            cx.facts.record(cx.now, cause, FactKind::LeaderElected { component: part });
            return;
        }
        if self.parts.blocked.is_some() || self.parts.idle[i].take().is_none() {
            return;
        }
        let fact = cx.facts.record(cx.now, cause, FactKind::LeaderElected { component: part });
        self.take_over(cx, fact, part);
    }
}
