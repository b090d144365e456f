//! A control plane of equal members, one of which leads: who votes, who follows, and what the next leader knows.
//!
//! This is for orchestrators whose manager does everything in one process. Where scheduler, controllers and store lead by
//! leases of their own, `machine` has them. Members live on the nodes of a role if a scenario declares such nodes, else on
//! machines of their own. The mechanism is in `control/leader/members.rs` and `ballot.rs`. Start at [`Consensus`].

use crate::time::Span;

/// Members that elect a leader, which alone acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consensus {
    /// How many there are, where no node of the scenario has the role.
    pub members: u32,
    /// How many of them must be there.
    pub quorum: Quorum,
    /// Nodes with this role are the members.
    pub role: &'static str,
    /// How a leader is found.
    pub ballot: Ballot,
    /// What a new leader thinks of nodes that are silent.
    pub silence: Silence,
    /// What nodes do when there is a leader again.
    pub rejoin: Rejoin,
    /// How often a member that comes back forces another election, in thousandths.
    pub challenges: u32,
}

/// How many members must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quorum {
    /// More than half: what they decide is stored among themselves.
    #[default]
    Majority,
    /// Any: what they decide is stored elsewhere.
    One,
}

/// How a leader is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ballot {
    /// Members vote.
    Raft(Raft),
    /// Whoever gets a lock leads, as long as the store of the lock has a quorum.
    Lock(Lock),
    /// Nobody stands by: the service has to come back, and takes up to so long to do so.
    Return(Span),
}

/// Election by votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raft {
    /// Most time between two heartbeats of the leader.
    pub heartbeat: Span,
    /// A member that hears nothing for this long, up to twice as long, stands for election; so long does a candidate
    /// wait that is not elected.
    pub timeout: Span,
    /// What a member's timer counts.
    pub timer: ElectionTimer,
}

/// What the timer of a member that follows counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionTimer {
    /// It begins anew with each heartbeat, and nobody votes before the shortest time-out is over (etcd's raft with
    /// `CheckQuorum`).
    SinceHeartbeat,
    /// It runs by itself and looks how old the last heartbeat is; nobody votes who still believes in a leader
    /// (hashicorp/raft).
    Looks,
}

/// A lock that has to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// It lapses so long after the last renewal.
    pub ttl: Span,
    /// It is renewed so often in that time.
    pub renewals: u32,
    /// Those who wait try so often; zero: they are told.
    pub retry: Span,
}

/// What a new leader thinks of nodes that are silent when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It counts from when they were heard: that is in the store, or every member has watched.
    Counted,
    /// The same, but what a former leader would have done about those that fell silent for too long meanwhile is never
    /// done.
    Overlooked,
    /// It gives them their whole grace, or what [`super::Grace`] has for nodes that a new leader does not know.
    Anew,
    /// It gives them so long to come back.
    Within(Span),
}

/// What nodes do when there is a leader again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejoin {
    /// Soonest return.
    pub least: Span,
    /// Latest return: what a node had to say waits until then.
    pub most: Span,
    /// Nodes take nothing new before that.
    pub closed: bool,
}

impl Rejoin {
    /// Nodes notice nothing.
    pub const NONE: Self = Self { least: Span::ZERO, most: Span::ZERO, closed: false };
}

impl Consensus {
    /// A service that somebody else runs, or a single server: there is nothing to elect.
    pub(super) const fn single(back: Span, rejoin: Rejoin) -> Self {
        Self {
            members: 1,
            quorum: Quorum::Majority,
            role: "manager",
            ballot: Ballot::Return(back),
            silence: Silence::Counted,
            rejoin,
            challenges: 0,
        }
    }

    /// How leaders are lost and found, in a sentence.
    pub(super) fn words(&self) -> String {
        let found = match self.ballot {
            Ballot::Raft(raft) => {
                format!("an election {} to {} after the leader is silent", raft.timeout, raft.timeout.times(2))
            }
            Ballot::Lock(Lock { ttl, retry, .. }) if retry.is_zero() => {
                format!("the next leader has the lock at most {ttl} after the leader's death")
            }
            Ballot::Lock(Lock { ttl, retry, .. }) => {
                format!("the next leader has the lock at most {ttl} + {retry} after the leader's death")
            }
            Ballot::Return(_) => "one control plane that nobody replaces".to_owned(),
        };
        let silent = match self.silence {
            Silence::Counted => "silent nodes are judged by when they were heard".to_owned(),
            Silence::Overlooked => "what nodes that died meanwhile ran is never rescheduled".to_owned(),
            Silence::Anew => "then silent nodes get a fresh grace".to_owned(),
            Silence::Within(span) => format!("then silent nodes have {span} to come back"),
        };
        format!("{found}; {silent}")
    }
}
