//! Cloud Foundry's Diego, with the defaults of diego-release.
//!
//! Start at [`profile`].

use super::consensus::{Ballot, Consensus, Lock, Quorum, Rejoin, Silence};
use super::{
    Absence, AgentPolicy, Auction, Choice, ControlPlane, CrashPolicy, Detection, Discovery, Dispatch, Drain, Eviction,
    Expiry, FailureAction, Grace, Placement, Profile, Queue, Removal, Replication, Restart, Retry, Rollout, SlotOrder,
    SlotStyle, SlotUpdate, Wake, Words, flags,
};
use crate::time::Span;

/// Convergence of the BBS. Source: cloudfoundry/diego-release:jobs/bbs/spec, `diego.bbs.converge_repeat_interval`.
const CONVERGENCE: Span = Span::from_secs(30);

/// Diego as diego-release deploys it.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "instance", workload: "app", unhealthy: "missing" };
    let plain = super::plain::profile("diego", "2.x", words);
    Profile {
        flags: flags::DIEGO,
        control: ControlPlane {
            // An assumption: the BBS writes to a SQL database on the same network.
            store_write: Span::from_millis(10),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        // An instance that no cell takes stays unclaimed. Convergence auctions it again when it has been so for 30 s.
        // Source: cloudfoundry/bbs:models/actual_lrp.go, `StaleUnclaimedActualLRPDuration`.
        queue: Queue {
            initial_backoff: Span::from_secs(30),
            max_backoff: Span::from_secs(30),
            flush_period: CONVERGENCE,
            pop_from_backoff: false,
            wake: Wake::Nothing,
            ..plain.queue
        },
        // Source: cloudfoundry/auction:auctionrunner/auction_runner.go: what has come while the cells were asked for their
        // state is one batch. An assumption: they answer within 100 ms.
        dispatch: Dispatch::Auction { gather: Span::from_millis(100) },
        placement: Placement {
            // Sources: cloudfoundry/auctioneer:cmd/auctioneer/main.go, `startingContainerWeight` 0.25;
            // cloudfoundry/auction:auctionrunner/cell.go, `LocalityOffset` 1000; binpack first fit is off by default.
            choice: Choice::Auction(Auction { starting_weight: 250, locality: 1000, first_fit_weight: 0 }),
            ..plain.placement
        },
        detection: Detection {
            // Sources: cloudfoundry/locket:lock/lock_runner.go and schema.go: refreshed every 5 s, 15 s to live. The
            // BBS looks for cells that are missing at convergence only.
            heartbeat: Span::from_secs(5),
            grace: Grace::Lease(Span::from_secs(15)),
            startup_grace: Span::from_secs(60),
            monitor_period: CONVERGENCE,
            ..plain.detection
        },
        // Source: cloudfoundry/bbs:controllers/lrp_convergence_controller.go.
        eviction: Eviction::Suspect,
        replication: Replication {
            // Source: cloudfoundry/bbs:models/restart_calculator.go and models/actual_lrp.go, `CrashResetTimeout`.
            retry: Retry::Crashes(CrashPolicy {
                immediate: 3,
                initial: Span::from_secs(30),
                max: Span::from_secs(960),
                give_up: 200,
                reset_after: Span::from_secs(300),
            }),
            // Source: cloudfoundry/diego-release:jobs/rep/spec, `diego.rep.evacuation_timeout_in_seconds`.
            drain: Drain::SubstituteFirst { deadline: Some(Span::from_secs(600)) },
            removal: Removal::Newest,
            ..plain.replication
        },
        restart: Restart::REPLACE,
        // One instance at a time: a new one runs, then an old one goes; a new version that does not run keeps the old
        // instances. Source: cloudfoundry/cloud_controller_ng:lib/cloud_controller/deployment_updater/updater.rb.
        rollout: Rollout::Slots(SlotUpdate {
            parallelism: 1,
            style: SlotStyle::InOrder,
            delay: Span::ZERO,
            order: SlotOrder::StartFirst,
            // The interval of health checks while an instance starts: one that crashes before the first of them has never
            // been running. Source: cloudfoundry/diego-release:jobs/rep/spec, `unhealthy_monitoring_interval`, 500 ms to
            // 2 s by release.
            monitor: Span::from_secs(2),
            on_failure: FailureAction::Pause,
            max_failure: 0,
        }),
        agent: AgentPolicy {
            // Source: cloudfoundry/diego-release:jobs/rep/spec, `containers.graceful_shutdown_interval_in_seconds`.
            default_grace: Span::from_secs(10),
            // A rep that starts anew destroys what is left of the containers of its former life.
            volatile: true,
            ..plain.agent
        },
        discovery: Discovery {
            // Route registration goes out on the change, over NATS.
            lag: Span::from_millis(50),
            // Suspect instances stay routable.
            unready_on_unhealthy_node: false,
            // Each cell's route-emitter repeats its routes; a gorouter prunes what was not repeated, and until then tries
            // another backend when it cannot connect. Sources: cloudfoundry/routing-release:jobs/gorouter/spec and
            // docs/03-how-to-add-new-route.md (`prune_stale_droplets_interval`, `droplet_stale_threshold`, dial time-out);
            // cloudfoundry/diego-release:jobs/route_emitter/spec.
            absence: Absence::Expiry(Expiry {
                every: Span::from_secs(20),
                ttl: Span::from_secs(120),
                sweep: Span::from_secs(30),
                dial: Some(Span::from_secs(5)),
            }),
            ..plain.discovery
        },
        ..plain
    }
}

/// BBS instances, of which one has the lock in Locket; what they decide is in the database.
const CONSENSUS: Consensus = Consensus {
    members: 2,
    quorum: Quorum::One,
    role: "diego-api",
    // Source: cloudfoundry/locket:lock/lock_runner.go and schema.go: 15 s to live, tried every 5 s.
    ballot: Ballot::Lock(Lock { ttl: Span::from_secs(15), renewals: 3, retry: Span::from_secs(5) }),
    // Presences of cells are in Locket too, which goes on.
    silence: Silence::Counted,
    rejoin: Rejoin::NONE,
    challenges: 0,
};
