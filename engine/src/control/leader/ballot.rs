//! How long it takes to find a leader: votes by timers, or a lock that lapses.
//!
//! Pure: takes chance and gives back a time and a winner. Messages between members take no time here; they are
//! milliseconds against time-outs of seconds. Start at [`elect`].
//!
//! Sources: etcd-io/raft:raft.go, `Step` (votes are not looked at while a leader was heard within the election time-out)
//! and `resetRandomizedElectionTimeout`; hashicorp/raft:raft.go, `runFollower`, `runCandidate` and `requestVote`.

use crate::profile::consensus::{Ballot, ElectionTimer, Lock, Raft};
use crate::rng::Stream;
use crate::time::Span;

/// Attempts after which an election ends whatever the votes are; the chance of so many is nil.
const ATTEMPTS: usize = 64;

/// A member that votes.
#[derive(Clone, Copy, Debug)]
struct Voter {
    /// It stands for election then.
    stands: Span,
    /// It votes for nobody before.
    loyal: Span,
    /// The last term in which it voted.
    term: u32,
}

/// Who is there, and since when nobody leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Electorate {
    /// Members that are there, and have been since the last leader was.
    pub(super) waiting: usize,
    /// Members that have come back since.
    pub(super) returned: usize,
    /// Votes that are needed.
    pub(super) quorum: usize,
    /// The last leader was there until just now.
    pub(super) fresh: bool,
}

/// Time until somebody leads, and who: members that wait come first.
pub(super) fn elect(ballot: &Ballot, who: Electorate, luck: &mut Stream) -> (Span, usize) {
    match ballot {
        Ballot::Raft(raft) => vote(raft, who, luck),
        Ballot::Lock(lock) => (lapse(lock, who, luck), 0),
        Ballot::Return(back) => (luck.span(Span::ZERO, *back), 0),
    }
}

fn lapse(lock: &Lock, who: Electorate, luck: &mut Stream) -> Span {
    let asked = luck.span(Span::ZERO, lock.retry);
    let age = Span::from_nanos(lock.ttl.as_nanos() / u64::from(lock.renewals.max(1)));
    if who.fresh { lock.ttl - luck.span(Span::ZERO, age) + asked } else { asked }
}

fn vote(raft: &Raft, who: Electorate, luck: &mut Stream) -> (Span, usize) {
    let mut voters: Vec<Voter> = (0..who.waiting).map(|_| follower(raft, who.fresh, luck)).collect();
    for _ in 0..who.returned {
        voters.push(Voter { stands: draw(raft, luck), loyal: Span::ZERO, term: 0 });
    }
    for _ in 0..ATTEMPTS {
        let Some(i) = (0..voters.len()).min_by_key(|&i| (voters[i].stands, i)) else { break };
        let at = voters[i].stands;
        if stand(&mut voters, i, raft, luck) >= who.quorum {
            return (at, i);
        }
        voters[i].stands = at + draw(raft, luck);
    }
    (voters.first().map_or(raft.timeout, |voter| voter.stands), 0)
}

/// One of them asks the others for their votes; gives back how many it has.
fn stand(voters: &mut [Voter], i: usize, raft: &Raft, luck: &mut Stream) -> usize {
    let at = voters[i].stands;
    let term = voters[i].term + 1;
    let (mut votes, mut newest) = (1, term);
    for (_, other) in voters.iter_mut().enumerate().filter(|(j, other)| *j != i && other.loyal <= at) {
        newest = newest.max(other.term);
        if other.term < term {
            (other.term, other.stands) = (term, at + draw(raft, luck));
            votes += 1;
        }
    }
    // Whoever refuses says which term it is in.
    (voters[i].term, voters[i].loyal) = (newest, voters[i].loyal.min(at));
    votes
}

fn draw(raft: &Raft, luck: &mut Stream) -> Span {
    luck.span(raft.timeout, raft.timeout.times(2))
}

/// A member that followed. Without a leader for long, it stands for election again and again.
fn follower(raft: &Raft, fresh: bool, luck: &mut Stream) -> Voter {
    let (age, whole) = (luck.span(Span::ZERO, raft.heartbeat), draw(raft, luck));
    let rest = luck.span(Span::ZERO, whole);
    match raft.timer {
        _ if !fresh => Voter { stands: rest, loyal: Span::ZERO, term: 1 },
        ElectionTimer::SinceHeartbeat => Voter { stands: whole - age, loyal: raft.timeout - age, term: 0 },
        ElectionTimer::Looks => {
            let seen = if rest + age < raft.timeout { rest + draw(raft, luck) } else { rest };
            Voter { stands: seen, loyal: seen, term: 0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Streams};

    fn times(ballot: Ballot, who: Electorate) -> Vec<f64> {
        let streams = Streams::new(7);
        let one = |n| elect(&ballot, who, &mut streams.stream(Purpose::ControlPlane, n)).0.as_nanos() as f64 / 1e9;
        let mut all: Vec<f64> = (0..2_000).map(one).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    const LOST: Electorate = Electorate { waiting: 2, returned: 0, quorum: 2, fresh: true };

    /// Recorded: 2.31 to 3.91 s, median 3.0 of seven.
    #[test]
    fn hashicorp_raft_takes_three_seconds_because_nobody_votes_who_believes_in_a_leader() {
        let raft = Raft { heartbeat: Span::from_millis(200), timeout: Span::from_secs(1), timer: ElectionTimer::Looks };
        let found = times(Ballot::Raft(raft), LOST);
        assert!((2.6..3.3).contains(&found[1_000]), "median {}", found[1_000]);
        assert!(found[100] < 2.31 && found[1_900] > 3.7, "{} to {}", found[100], found[1_900]);
    }

    /// Recorded: 11.7 to 15.5 s, and 22.6 once.
    #[test]
    fn etcd_raft_with_ticks_of_a_second_takes_ten_to_twenty_seconds_and_rarely_a_second_round() {
        let timer = ElectionTimer::SinceHeartbeat;
        let raft = Raft { heartbeat: Span::from_secs(1), timeout: Span::from_secs(10), timer };
        let found = times(Ballot::Raft(raft), LOST);
        assert!((11.7..14.3).contains(&found[1_000]), "median {}", found[1_000]);
        assert!(found[0] >= 9.0 && found[1_900] < 18.5 && found[1_999] > 19.0, "{found:?}");
    }

    #[test]
    fn a_member_that_waited_wins_soon_when_a_quorum_is_back() {
        let timer = ElectionTimer::SinceHeartbeat;
        let raft = Raft { heartbeat: Span::from_secs(1), timeout: Span::from_secs(10), timer };
        let back = Electorate { waiting: 1, returned: 1, quorum: 2, fresh: false };
        let found = times(Ballot::Raft(raft), back);
        assert!(found[1_000] < 10.0 && found[1_999] <= 20.0);
    }

    #[test]
    fn a_lock_lapses_a_ttl_after_its_last_renewal() {
        let lock = Lock { ttl: Span::from_secs(20), renewals: 4, retry: Span::ZERO };
        let found = times(Ballot::Lock(lock), LOST);
        assert!(found[0] >= 15.0 && found[1_999] <= 20.0);
    }
}
