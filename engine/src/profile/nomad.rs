//! HashiCorp Nomad, with its default settings.
//!
//! What differs between releases is in [`RELEASES`], newest first. Placement and evaluations come first, then what
//! happens to nodes and allocations that fail. Start at [`profile`].

use super::consensus::{Ballot, Consensus, ElectionTimer, Quorum, Raft, Rejoin, Silence};
use super::{
    Absence, AgentPolicy, Choice, ControlPlane, CountedRestart, Detection, Discovery, Dispatch, EvaluationWait,
    Evaluations, Eviction, FitAlgorithm, Formula, Gossip, Grace, Granted, GroupPolicy, MigrateRule, Placement,
    Preempts, Profile, Replication, RescheduleRule, Restart, RestartMode, RestartRule, Rollout, Sampled, Stopped,
    UpdateRule, Words, flags,
};
use crate::model::Growth;
use crate::time::Span;

/// Releases that can be asked for, with their full names, newest first. The first one is the current release.
pub(super) const RELEASES: &[(&str, &str)] = &[("2.0", "nomad@2.0"), ("1.1", "nomad@1.1")];

/// Nomad as its agents behave without configuration files.
pub(super) fn profile() -> Profile {
    let words = Words { pod: "allocation", workload: "job", unhealthy: "down" };
    let plain = super::plain::profile("nomad", "2.0", words);
    Profile {
        flags: flags::NOMAD,
        control: ControlPlane {
            // Measured on 1.1.2: a plan of one node's allocations is applied 5-10 ms after it is submitted.
            store_write: Span::from_millis(5),
            // A job or a plan is one entry of the log, however many allocations it holds.
            store_writes_per_second: 100_000,
            watch_lag: Span::from_millis(5),
            machine: super::machine::Machine { consensus: Some(CONSENSUS), ..plain.control.machine },
            ..plain.control
        },
        dispatch: Dispatch::Evaluations(evaluations()),
        placement: Placement {
            choice: Choice::Sampled(sampled()),
            // `static` ports; ports without a number are found free ones (`published`).
            decision_cost: Span::from_micros(100),
            ..plain.placement
        },
        detection: Detection {
            // Source: hashicorp/nomad:nomad/config.go: MinHeartbeatTTL, MaxHeartbeatsPerSecond, HeartbeatGrace and
            // FailoverHeartbeatTTL. Measured on 1.1.2: killed clients were down 10.5 to 28.6 s later, mean 18.0 of 22.
            grace: Grace::Granted(Granted {
                min_ttl: Span::from_secs(10),
                beats_per_second: 50,
                grace: Span::from_secs(10),
                failover_ttl: Span::from_secs(300),
            }),
            startup_grace: Span::from_secs(300),
            ..plain.detection
        },
        eviction: Eviction::AtOnce,
        replication: Replication { replacement_delay: Span::ZERO, ..plain.replication },
        // Source: hashicorp/nomad:nomad/structs/structs.go, DefaultServiceJobRestartPolicy and DefaultBatchJobRestartPolicy;
        // client/allocrunner/taskrunner/restarts/restarts.go, jitter. Measured on 1.1.2: 52 waits of 15.2 to 18.7 s.
        restart: Restart::Counted(CountedRestart {
            service: RestartRule {
                attempts: 2,
                interval: Span::from_secs(30 * 60),
                delay: Span::from_secs(15),
                mode: RestartMode::Fail,
            },
            batch: RestartRule {
                attempts: 3,
                interval: Span::from_secs(24 * 3_600),
                delay: Span::from_secs(15),
                mode: RestartMode::Fail,
            },
            jitter: 250,
        }),
        rollout: Rollout::Groups(Box::new(groups())),
        agent: AgentPolicy {
            // Source: hashicorp/nomad:nomad/structs/structs.go, DefaultKillTimeout.
            default_grace: Span::from_secs(5),
            // Source: hashicorp/nomad:client/client.go, allocSyncIntv.
            status_batch: Span::from_millis(200),
            ..plain.agent
        },
        discovery: Discovery {
            unready_on_unhealthy_node: true,
            // Names are Consul's: no TTL, only what passes its checks, and serf's word on nodes (`serfHealth`).
            // Source: hashicorp/consul:agent/config/default.go.
            absence: Absence::Gossip(Gossip::SERF),
            ..plain.discovery
        },
        ..plain
    }
}

/// How jobs are evaluated. Measured on 1.1.2 with three servers of two cores, 661 evaluations from creation to completion:
/// 5, 25, 50, 75, 95 % in 0.008, 0.022, 0.036, 0.27, 0.60 s; 69 % under 0.1 s, 15 % in 0.3 to 0.5 s, 10 % longer.
fn evaluations() -> Evaluations {
    Evaluations {
        // Source: hashicorp/nomad:nomad/config.go, NumSchedulers: one for each core of each server.
        workers: 6,
        // Source: hashicorp/nomad:scheduler/generic_sched.go, maxServiceScheduleAttempts, maxBatchScheduleAttempts.
        service_attempts: 5,
        batch_attempts: 2,
        dequeue: Span::from_millis(2),
        dequeue_max: Span::from_millis(50),
        // Source: hashicorp/nomad:nomad/worker.go, snapshotMinIndex: looks at once, after 20 ms, after 320 ms more.
        behind: 290,
        behind_wait: Span::from_millis(330),
    }
}

/// How allocations are placed.
fn sampled() -> Sampled {
    Sampled {
        // Source: hashicorp/nomad:nomad/config.go, DefaultSchedulerConfig.
        algorithm: FitAlgorithm::Binpack,
        formula: Formula::Mean,
        // Source: hashicorp/nomad:scheduler/feasible/stack.go, SetNodes.
        least: 2,
        // Source: hashicorp/nomad:nomad/structs/operator.go, NodeLimitForFeasibilityChecks.
        with_preferences: 100,
        // Source: hashicorp/nomad:scheduler/feasible/stack.go, maxSkip.
        max_skip: 3,
        // Source: hashicorp/nomad:scheduler/feasible/rank.go, NodeAffinityIterator.
        zero_affinity_counts: true,
        // Source: hashicorp/nomad:nomad/structs/funcs.go, AllocsFit: what counts is the client's word.
        stopped: Stopped::WhenEnded,
        // Source: hashicorp/nomad:scheduler/feasible/preemption.go, filterAndGroupPreemptibleAllocs.
        priority_delta: 10,
        // Source: hashicorp/nomad:nomad/config.go, DefaultSchedulerConfig.
        preempts: Preempts { system: true, service: false, batch: false, sysbatch: false },
    }
}

/// How task groups are kept, moved and updated.
fn groups() -> GroupPolicy {
    GroupPolicy {
        // Source: hashicorp/nomad:nomad/structs/structs.go, DefaultUpdateStrategy.
        update: UpdateRule {
            max_parallel: 1,
            canary: 0,
            auto_promote: false,
            auto_revert: false,
            min_healthy: Span::from_secs(10),
            healthy_deadline: Span::from_secs(300),
            progress_deadline: Span::from_secs(600),
        },
        // Source: the same file, DefaultMigrateStrategy.
        migrate: MigrateRule {
            max_parallel: 1,
            min_healthy: Span::from_secs(10),
            healthy_deadline: Span::from_secs(300),
        },
        // Source: the same file, DefaultServiceJobReschedulePolicy and DefaultBatchJobReschedulePolicy.
        reschedule: RescheduleRule {
            delay: Span::from_secs(30),
            growth: Growth::Factor(2_000),
            max_delay: Span::from_secs(3_600),
            attempts: 0,
            interval: Span::ZERO,
            unlimited: true,
        },
        reschedule_batch: RescheduleRule {
            delay: Span::from_secs(5),
            growth: Growth::Constant,
            max_delay: Span::ZERO,
            attempts: 1,
            interval: Span::from_secs(24 * 3_600),
            unlimited: false,
        },
        // Measured on 1.1.2, creation to completion of 661 evaluations: 5/25/50/75/95 % = 0.008 0.022 0.036 0.27 0.60 s;
        // a worker whose server is behind looks at once, after 20 ms, and then only after another 320 ms.
        // Source: hashicorp/nomad:nomad/worker.go, snapshotMinIndex and its back-off.
        evaluation: EvaluationWait {
            usual: (Span::ZERO, Span::from_millis(20)),
            behind: (Span::from_millis(340), Span::from_millis(370)),
            behind_permille: 300,
        },
        // Source: hashicorp/nomad:nomad/deploymentwatcher/deployment_watcher.go, perJobEvalBatchPeriod.
        watcher_batch: Span::from_secs(1),
        // Source: deployments_watcher.go there, CrossDeploymentUpdateBatchDuration: begun when that second is over.
        watcher_writes: Span::from_millis(250),
        // Measured on 1.1.2: 1.054-1.060 s from the report of health to the evaluation of whoever watches or drains.
        news: Span::from_millis(55),
        // Source: hashicorp/nomad:nomad/drainer/drainer.go, BatchUpdateInterval.
        drainer_batch: Span::from_secs(1),
        // Source: hashicorp/nomad:command/node_drain.go, defaultDrainDuration.
        drain_deadline: Span::from_secs(3_600),
        // Without a `disconnect` block an allocation on a silent node is lost at once.
        lost_after: Span::ZERO,
    }
}

/// A release by its number.
pub(super) fn release(number: &str) -> Option<Profile> {
    let &(version, name) = RELEASES.iter().find(|(version, _)| *version == number)?;
    let mut profile = profile();
    if version == "1.1" {
        before_1_2(&mut profile);
    }
    (profile.name, profile.version) = (name.into(), version.into());
    Some(profile)
}

/// The recorded release. Sources: hashicorp/nomad@v1.1.2:scheduler/stack.go (all nodes are looked at where affinities or
/// spreads are given), scheduler/rank.go (an affinity of zero is not counted), nomad/structs/funcs.go (`AllocsFit` leaves
/// out whatever is told to stop); all confirmed by recordings.
fn before_1_2(profile: &mut Profile) {
    let Choice::Sampled(sampled) = &mut profile.placement.choice else { return };
    sampled.with_preferences = 0;
    sampled.zero_affinity_counts = false;
    sampled.stopped = Stopped::AtOnce;
}

/// Servers that elect one of them.
const CONSENSUS: Consensus = Consensus {
    members: 3,
    quorum: Quorum::Majority,
    role: "server",
    // Source: hashicorp/raft:config.go, `DefaultConfig` (time-outs of 1 s), and replication.go, `heartbeat` (each tenth to fifth
    // of it). Measured on 1.1.2: a new leader after 2.3-3.9 s.
    ballot: Ballot::Raft(Raft {
        heartbeat: Span::from_millis(200),
        timeout: Span::from_secs(1),
        timer: ElectionTimer::Looks,
    }),
    // `Grace::Granted` has the time. Source: hashicorp/nomad:nomad/heartbeat.go, `initializeHeartbeatTimers`.
    silence: Silence::Anew,
    // Measured: pending updates of clients arrive 0.04-6.4 s after the election (client/client.go, `allocSyncRetryIntv` 5 s).
    rejoin: Rejoin { least: Span::from_millis(50), most: Span::from_millis(6_400), closed: false },
    // This raft has no vote before the vote. Measured: 1 of 7 restarts of a server made the others elect anew.
    challenges: 143,
};
