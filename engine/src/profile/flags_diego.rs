//! Flags of Diego: properties of diego-release's jobs, and constants of the code under a name that says what they are.
//!
//! Each name's default stands in the profile, not here. Start at [`FLAGS`].

use super::{Field, Flag, Kind, VARIANT, field};
use crate::profile::consensus::{Ballot, Consensus};
use crate::profile::{Absence, Choice, Dispatch, Drain, Expiry, FailureAction, Grace, Retry, Rollout};

/// All of them.
pub(in crate::profile) const FLAGS: &[Flag] = &[
    // BBS.
    flag!(
        "bbs-write-latency",
        "Time that a change takes in the BBS's database.",
        "an assumption",
        Kind::Span,
        control.store_write
    ),
    flag!(
        "diego.bbs.converge_repeat_interval_in_seconds",
        "Time between two convergences, in which missing cells and restarts that are due are noticed.",
        "cloudfoundry/diego-release:jobs/bbs/spec",
        Kind::PeriodSeconds,
        |p| p.detection.monitor_period,
        |p, v| {
            p.detection.monitor_period = field(v);
            p.queue.flush_period = p.detection.monitor_period;
        }
    ),
    flag!(
        "stale-unclaimed",
        "An instance that no cell has taken for so long is auctioned again at the next convergence (a constant).",
        "cloudfoundry/bbs:models/actual_lrp.go",
        Kind::Period,
        |p| p.queue.initial_backoff,
        |p, v| {
            p.queue.initial_backoff = field(v);
            p.queue.max_backoff = p.queue.initial_backoff;
        }
    ),
    flag!(
        "immediate-restarts",
        "Crashes in a row before this one are restarted at once (a constant).",
        "cloudfoundry/bbs:models/restart_calculator.go",
        Kind::Positive,
        in replication.retry, Retry::Crashes(policy) => policy.immediate
    ),
    flag!(
        "crash-backoff-min",
        "First wait after a crash that is not restarted at once; doubles (a constant).",
        "cloudfoundry/bbs:models/restart_calculator.go",
        Kind::Period,
        in replication.retry, Retry::Crashes(policy) => policy.initial
    ),
    flag!(
        "crash-backoff-max",
        "Longest wait after a crash (a constant).",
        "cloudfoundry/bbs:models/restart_calculator.go",
        Kind::Period,
        in replication.retry, Retry::Crashes(policy) => policy.max
    ),
    flag!(
        "max-restart-attempts",
        "From this crash in a row on an instance is not restarted any more (a constant).",
        "cloudfoundry/bbs:models/restart_calculator.go",
        Kind::Positive,
        in replication.retry, Retry::Crashes(policy) => policy.give_up
    ),
    flag!(
        "crash-reset-timeout",
        "Crashes count anew after a run that was longer than this (a constant).",
        "cloudfoundry/bbs:models/actual_lrp.go",
        Kind::Period,
        in replication.retry, Retry::Crashes(policy) => policy.reset_after
    ),
    // Locket.
    flag!(
        "presence-refresh",
        "Time between two refreshes of a cell's presence.",
        "cloudfoundry/locket: retry interval",
        Kind::Period,
        detection.heartbeat
    ),
    flag!(
        "presence-ttl",
        "A presence that is not refreshed for so long ends.",
        "cloudfoundry/diego-release:jobs/rep/templates/rep.json.erb",
        Kind::Period,
        in detection.grace, Grace::Lease(span) => *span
    ),
    // Auctioneer.
    flag!(
        "diego.auctioneer.starting_container_weight",
        "What a container that starts on a cell adds to the cell's score.",
        "cloudfoundry/diego-release:jobs/auctioneer/spec",
        Kind::Rate,
        in placement.choice, Choice::Auction(auction) => auction.starting_weight
    ),
    flag!(
        "diego.auctioneer.bin_pack_first_fit_weight",
        "What each cell before it adds to a cell's score.",
        "cloudfoundry/diego-release:jobs/auctioneer/spec",
        Kind::Rate,
        in placement.choice, Choice::Auction(auction) => auction.first_fit_weight
    ),
    flag!(
        "locality-offset",
        "What each instance of the app on a cell adds to the cell's score (a constant).",
        "cloudfoundry/auction:auctionrunner/cell.go",
        Kind::Count,
        in placement.choice, Choice::Auction(auction) => auction.locality
    ),
    flag!(
        "cell-state-latency",
        "Time until all cells have told an auction what they have; what comes meanwhile is auctioned together.",
        "an assumption",
        Kind::Span,
        in dispatch, Dispatch::Auction { gather } => *gather
    ),
    // Rep.
    flag!(
        "diego.rep.evacuation_timeout_in_seconds",
        "A cell that is drained keeps an instance until its replacement runs, but not longer than this.",
        "cloudfoundry/diego-release:jobs/rep/spec",
        Kind::PeriodSeconds,
        in replication.drain, Drain::SubstituteFirst { deadline: Some(deadline) } => *deadline
    ),
    flag!(
        "containers.graceful_shutdown_interval_in_seconds",
        "Time between the polite and the forced stop.",
        "cloudfoundry/diego-release:jobs/rep/spec",
        Kind::Seconds,
        agent.default_grace
    ),
    // Deployments.
    flag!(
        "max-in-flight",
        "Instances that a rolling deployment starts at once.",
        "cloudfoundry/cloud_controller_ng: deployments",
        Kind::Positive,
        in rollout, Rollout::Slots(update) => update.parallelism
    ),
    flag!(
        "deployment-failure-action",
        "What a new instance that fails does to a rolling deployment.",
        "cloudfoundry/cloud_controller_ng:lib/cloud_controller/deployment_updater",
        Kind::Word(FailureAction::WORDS),
        in rollout, Rollout::Slots(update) => update.on_failure
    ),
    // Routing.
    flag!(
        "route-registration-lag",
        "Time from a change of an instance until the routers know it.",
        "an assumption",
        Kind::Span,
        discovery.lag
    ),
    flag!(
        "route-emitter.broadcast-interval",
        "Routes are repeated so often.",
        "cloudfoundry/routing-release:docs, recommended 20 s",
        Kind::PeriodSeconds,
        in discovery.absence, Absence::Expiry(expiry) => expiry.every
    ),
    flag!(
        "droplet_stale_threshold",
        "A route that was not repeated for so long is stale.",
        "cloudfoundry/gorouter:config/config.go",
        Kind::Seconds,
        in discovery.absence, Absence::Expiry(expiry) => expiry.ttl
    ),
    flag!(
        "prune_stale_droplets_interval",
        "Stale routes are pruned so often.",
        "cloudfoundry/gorouter:config/config.go",
        Kind::Seconds,
        in discovery.absence, Absence::Expiry(expiry) => expiry.sweep
    ),
    flag!(
        "endpoint_dial_timeout_in_seconds",
        "A gorouter that cannot connect for so long tries another backend and leaves this one alone.",
        "cloudfoundry/routing-release:jobs/gorouter/spec",
        Kind::PeriodSeconds,
        in discovery.absence, Absence::Expiry(Expiry { dial: Some(dial), .. }) => *dial
    ),
    flag!(
        "lock_ttl",
        "The lock of a BBS that died lapses so long after its last renewal (a constant).",
        "cloudfoundry/locket:lock/schema.go",
        Kind::Period,
        in control.machine.consensus, Some(Consensus { ballot: Ballot::Lock(lock), .. }) => lock.ttl
    ),
    flag!(
        "lock_retry_interval",
        "Those who wait for a lock try so often (a constant).",
        "cloudfoundry/locket:lock/lock_runner.go",
        Kind::Span,
        in control.machine.consensus, Some(Consensus { ballot: Ballot::Lock(lock), .. }) => lock.retry
    ),
];
