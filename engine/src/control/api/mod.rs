//! The API server as a finite machine: what a flood of requests leaves for everybody else.
//!
//! Floods are rates, not requests: seats, cores and refusals follow from sums. Without a flood nothing here costs
//! anything. With fairness a flood fills the seats of its own level; requests of other levels only wait for the cores, and
//! those of the same level wait their turn beside it. Without fairness everybody shares one pool and is refused like the
//! flood itself. Borrowing of seats between levels is not modelled, nor the memory that lists take.
//! Start at [`Api::effect`].
//!
//! Sources: kubernetes/kubernetes:staging/src/k8s.io/apiserver/pkg/util/flowcontrol and pkg/server/filters/maxinflight.go;
//! levels and shares: staging/src/k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go.

use crate::control::{Control, Cx};
use crate::fact::{Client, FactId, FactKind, Note, Subject};
use crate::message::{Flood, Level};
use crate::profile::machine::ApiServer;
use crate::rng::Purpose;
use crate::time::Span;

/// A client that is refused comes again after this long. Source: `maxinflight.go`, `retryAfter`.
const RETRY_AFTER: Span = Span::from_secs(1);
/// And gives up after so many tries, to begin anew later.
/// Source: kubernetes/kubernetes:staging/src/k8s.io/client-go/rest/request.go, `maxRetries`.
const TRIES: u64 = 10;
/// With more refusals than this, in thousandths, hardly any leader gets its lease renewed: 5 tries in the renew deadline
/// of 10 s, all of them refused with a chance of one half (870^5 / 1000^5).
const DROWNED: u64 = 870;

/// Floods and what they leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Api {
    floods: Vec<Flood>,
    requests: u32,
    told: bool,
}

/// What floods do to a request of a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// It takes longer by this.
    pub(super) wait: Span,
    /// Chance of being refused, in thousandths.
    pub(super) refused: u64,
}

impl Api {
    /// What the present floods do to requests of a level at one of several servers.
    pub(super) fn effect(&self, server: &ApiServer, servers: u32, level: Level) -> Effect {
        let mut effect = Effect::default();
        let mut busy = 0;
        for flood in &self.floods {
            let seats = if server.fairness { server.seats(flood.level) } else { server.all_seats() };
            let service = server.service(flood.list_objects).as_nanos();
            // Seats that the flood would take if there were enough, in thousandths.
            let wanted = u64::from(flood.rate) * service / 1_000_000 / u64::from(servers.max(1));
            let taken = wanted.min(u64::from(seats) * 1_000);
            busy += taken;
            let full = wanted > taken;
            if full && !server.fairness {
                effect.refused = effect.refused.max(1_000 - taken * 1_000 / wanted);
            } else if full && flood.level == level {
                effect.wait += Span::from_nanos(service);
            }
        }
        // More requests run than there are cores: each takes longer in proportion.
        let crowd = (busy / u64::from(server.cores.max(1))).max(1_000);
        let own = server.service(0).as_nanos();
        effect.wait += Span::from_nanos(own * (crowd - 1_000) / 1_000);
        effect
    }
}

/// The level that a client's requests belong to, as the suggested flow schemas have it.
fn level(client: Client) -> Option<Level> {
    match client {
        Client::Agent => Some(Level::System),
        // People with `system:masters` are exempt.
        Client::Operator => None,
        Client::Pools => Some(Level::WorkloadLow),
        _ => Some(Level::WorkloadHigh),
    }
}

impl Control {
    /// A flood begins.
    pub(super) fn flood_begins(&mut self, cx: &mut Cx<'_>, cause: FactId, flood: Flood) {
        self.api.floods.push(flood);
        self.api.told = false;
        self.block_if_broken(cx, cause);
    }

    /// A flood is over.
    pub(super) fn flood_ends(&mut self, cx: &mut Cx<'_>, cause: FactId, flood: Flood) {
        if let Some(i) = self.api.floods.iter().position(|f| *f == flood) {
            self.api.floods.remove(i);
            self.unblock_if_whole(cx, cause);
        }
    }

    fn effect_on(&self, level: Level) -> Effect {
        let machine = &self.profile.control.machine;
        self.api.effect(&machine.api_server, self.parts.api_servers(), level)
    }

    /// So much is asked that leases are not renewed any more.
    pub(super) fn drowned(&self) -> bool {
        !self.api.floods.is_empty() && self.effect_on(Level::LeaderElection).refused > DROWNED
    }

    /// How much longer a request takes because of floods.
    pub(super) fn crowded(&mut self, cx: &mut Cx<'_>, client: Client) -> Span {
        if self.api.floods.is_empty() {
            return Span::ZERO;
        }
        let Some(level) = level(client) else { return Span::ZERO };
        let Effect { wait, refused } = self.effect_on(level);
        if refused == 0 {
            return wait;
        }
        self.api.requests = self.api.requests.wrapping_add(1);
        let mut luck = self.streams.stream(Purpose::ControlPlane, (3 << 29) ^ self.api.requests);
        let refusals = (0..TRIES).take_while(|_| luck.below(1_000) < refused).count() as u64;
        if refusals > 0 && !std::mem::replace(&mut self.api.told, true) {
            let note = FactKind::Noted { subject: Subject::Cluster, note: Note::TooManyRequests };
            cx.facts.record(cx.now, FactId::NONE, note);
        }
        wait + RETRY_AFTER.times(refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn server() -> ApiServer {
        Profile::named("kubernetes").expect("a profile").control.machine.api_server
    }

    fn api(level: Level, rate: u32) -> Api {
        Api { floods: vec![Flood { level, rate, list_objects: 5_000 }], ..Api::default() }
    }

    #[test]
    fn shares_become_seats() {
        let seats =
            [Level::System, Level::NodeHigh, Level::LeaderElection, Level::WorkloadLow].map(|l| server().seats(l));
        assert_eq!(seats, [74, 98, 25, 245]);
    }

    #[test]
    fn fairness_keeps_a_flood_of_lists_from_refusing_others() {
        let flood = api(Level::WorkloadLow, 2_000);
        let [own, leases] = [Level::WorkloadLow, Level::NodeHigh].map(|l| flood.effect(&server(), 1, l));
        assert_eq!((own.refused, leases.refused), (0, 0));
        assert!(own.wait > leases.wait, "{own:?} {leases:?}");
        assert!(leases.wait > Span::ZERO && leases.wait < Span::from_secs(1), "cores are shared by all: {leases:?}");
    }

    #[test]
    fn without_fairness_everybody_is_refused_like_the_flood() {
        let server = ApiServer { fairness: false, ..server() };
        let effect = api(Level::WorkloadLow, 20_000).effect(&server, 1, Level::LeaderElection);
        assert!(effect.refused > DROWNED, "{effect:?}");
    }

    #[test]
    fn a_trickle_is_not_felt() {
        assert_eq!(api(Level::WorkloadLow, 1).effect(&server(), 3, Level::WorkloadHigh), Effect::default());
    }
}
