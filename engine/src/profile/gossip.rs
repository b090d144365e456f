//! Gossip: how nodes find out by themselves which of them are dead.
//!
//! The parameters of `memberlist` (Consul, Nomad's servers, Docker's overlay networks) and its formulas. Members are not
//! simulated one by one: the time at which a silent member is declared dead is drawn from the same distribution in a
//! few draws, however many members there are. The world says who hears whom. Start at [`Gossip::declared_after`].
//!
//! Sources: hashicorp/memberlist:config.go (parameters), util.go (`suspicionTimeout`, `retransmitLimit`), suspicion.go
//! (`remainingSuspicionTime`), state.go (`probeNode`, `suspectNode`).
//!
//! Assumptions: members' probes are spread evenly; packets that are lost now and then hurt nobody, as a probe that
//! fails goes another way (through other members, over TCP) before anybody is suspected.

use crate::rng::Stream;
use crate::time::Span;

/// Parameters of gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// Each member probes one other in this time, each once in a round.
    pub probe_interval: Span,
    /// Scales how long a suspect may defend itself; two less than this are the confirmations that shorten it.
    pub suspicion_mult: u32,
    /// A suspicion that nobody confirms lasts so many times longer.
    pub suspicion_max_mult: u32,
    /// Time between two rounds of news.
    pub gossip_interval: Span,
    /// Members that each tells in a round.
    pub gossip_nodes: u32,
    /// The dead are told news, too, for so long: one that returns within this time hears of its death at once.
    pub to_the_dead: Span,
    /// Later members try to reach one that is dead about once in this time.
    pub reconnect: Span,
}

impl Gossip {
    /// The profile for a local network, under Docker's overlay networks.
    ///
    /// Source: hashicorp/memberlist:config.go, `DefaultLANConfig`; moby/moby:daemon/libnetwork/networkdb/cluster.go,
    /// `retryInterval`.
    pub const OVERLAY: Self = Self {
        probe_interval: Span::from_secs(1),
        suspicion_mult: 4,
        suspicion_max_mult: 6,
        gossip_interval: Span::from_millis(200),
        gossip_nodes: 3,
        to_the_dead: Span::from_secs(30),
        reconnect: Span::from_secs(1),
    };

    /// The same under serf, which Consul's agents use.
    ///
    /// Source: hashicorp/serf:serf/config.go, `ReconnectInterval`.
    pub const SERF: Self = Self { reconnect: Span::from_secs(30), ..Self::OVERLAY };

    /// Shortest and longest time from a suspicion to a death in a cluster of so many members.
    pub fn suspicion(&self, members: usize) -> (Span, Span) {
        let scale = libm::log10(members.max(1) as f64).max(1.0);
        // As in the original: thousandths, cut off.
        let permille = (scale * 1_000.0) as u64;
        let least = self.probe_interval.times(u64::from(self.suspicion_mult)).permille(permille);
        (least, least.times(u64::from(self.suspicion_max_mult)))
    }

    /// How long a suspicion lasts when so many of the expected members have confirmed it.
    fn lasts(&self, members: usize, (confirmed, expected): (u32, u32)) -> Span {
        let (least, longest) = self.suspicion(members);
        if expected == 0 {
            return least;
        }
        let part = libm::log(f64::from(confirmed) + 1.0) / libm::log(f64::from(expected) + 1.0);
        let raw = longest.as_nanos() as f64 - part * (longest.as_nanos() - least.as_nanos()) as f64;
        // The original counts whole milliseconds.
        Span::from_millis((raw / 1e6) as u64).max(least)
    }

    /// Confirmations that members wait for.
    fn expected(&self, members: usize) -> u32 {
        let wanted = self.suspicion_mult.saturating_sub(2);
        if members < wanted as usize + 2 { 0 } else { wanted }
    }

    /// From the silence of a member until the first other one declares it dead, when `watchers` of `members` can tell.
    pub fn declared_after(&self, (members, watchers): (usize, usize), luck: &mut Stream) -> Span {
        let expected = self.expected(members);
        let round = self.probe_interval.times(watchers.max(1) as u64);
        let mut first = None;
        let mut declared: Option<Span> = None;
        let mut part = 0.0;
        for confirmed in 0..=expected.min(watchers.saturating_sub(1) as u32) {
            part = next_smallest(part, watchers.max(1) - confirmed as usize, luck);
            let probed = Span::from_nanos((round.as_nanos() as f64 * part) as u64);
            // A probe has failed when its interval is over.
            let suspected = probed + self.probe_interval;
            let begun = *first.get_or_insert(suspected);
            let dead = suspected.max(begun + self.lasts(members, (confirmed, expected)));
            declared = Some(declared.map_or(dead, |known| known.min(dead)));
        }
        declared.expect("somebody is the first to suspect")
    }

    /// From one member's news until all of so many have it.
    pub fn spreads_in(&self, members: usize) -> Span {
        let (mut reached, mut rounds) = (1, 0);
        while reached < members as u64 {
            reached *= 1 + u64::from(self.gossip_nodes.max(1));
            rounds += 1;
        }
        self.gossip_interval.times(rounds)
    }

    /// From the moment at which a member that was declared dead `dead_for` ago can be reached until that is known.
    pub fn back_after(&self, dead_for: Span, luck: &mut Stream) -> Span {
        if dead_for < self.to_the_dead {
            return luck.span(Span::ZERO, self.gossip_interval);
        }
        // It tries the others itself, and each of them tries it as often as they are fewer dead than alive.
        let own = luck.span(Span::ZERO, self.reconnect);
        let others = -libm::log(1.0 - unit(luck)) * self.reconnect.as_nanos() as f64;
        own.min(Span::from_nanos(others as u64))
    }
}

/// A number in `[0, 1)`.
fn unit(luck: &mut Stream) -> f64 {
    (luck.bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// The smallest of `left` numbers that are spread evenly over `[from, 1)`.
fn next_smallest(from: f64, left: usize, luck: &mut Stream) -> f64 {
    1.0 - (1.0 - from) * libm::pow(1.0 - unit(luck), 1.0 / left.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Streams};

    fn sample(members: usize, watchers: usize) -> Vec<u64> {
        let draw = |seed| {
            let mut luck = Streams::new(seed).stream(Purpose::Gossip, 0);
            Gossip::OVERLAY.declared_after((members, watchers), &mut luck).as_millis()
        };
        let mut all: Vec<u64> = (0..1_000).map(draw).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn suspicions_grow_with_the_logarithm_of_the_cluster() {
        let bounds = [5, 10, 100, 1_000].map(|n| Gossip::OVERLAY.suspicion(n));
        let seconds = bounds.map(|(low, high)| (low.as_millis(), high.as_millis()));
        assert_eq!(seconds, [(4_000, 24_000), (4_000, 24_000), (8_000, 48_000), (12_000, 72_000)]);
    }

    #[test]
    fn confirmations_shorten_a_suspicion() {
        let lasts = [0, 1, 2, 3].map(|confirmed| Gossip::OVERLAY.lasts(10, (confirmed, 2)).as_millis());
        assert_eq!(lasts, [24_000, 11_381, 4_000, 4_000]);
    }

    #[test]
    fn five_hosts_agree_on_a_death_when_those_of_the_recording_did() {
        // Recorded with 5 hosts: entries of a silent host were gone 5.6, 5.7, 5.8 and 7.1 s after the fault.
        let all = sample(5, 4);
        assert!(all[1] >= 5_000 && all[1] < 5_600, "{}", all[1]);
        assert!((5_400..6_200).contains(&all[500]), "median {}", all[500]);
        assert!((6_700..9_000).contains(&all[990]), "{}", all[990]);
    }

    #[test]
    fn larger_clusters_take_longer() {
        assert!((9_500..11_500).contains(&sample(100, 99)[500]), "{}", sample(100, 99)[500]);
        assert!((13_000..15_500).contains(&sample(1_000, 999)[500]), "{}", sample(1_000, 999)[500]);
    }

    #[test]
    fn whoever_is_alone_waits_for_confirmations_that_never_come() {
        let all = sample(5, 1);
        assert!(all[0] >= 25_000 && all[999] <= 26_000, "{} to {}", all[0], all[999]);
    }

    #[test]
    fn news_reach_everybody_in_a_few_rounds() {
        let spans = [1, 5, 100, 10_000].map(|n| Gossip::OVERLAY.spreads_in(n).as_millis());
        assert_eq!(spans, [0, 400, 800, 1_400]);
    }
}
