//! Sentences of what controllers, agents and the control plane itself tell, in the words of their events.
//!
//! Start at [`Names::told`].

use std::borrow::Cow;

use shakedown_engine::fact::{Component, FactKind, JobFailure, Note, Pressure, Refused, Subject};
use shakedown_engine::ids::{Symbol, Table};
use shakedown_engine::model::WorkloadKind;

use crate::format;
use crate::names::Names;

impl Names<'_> {
    /// What a fact says about storage, budgets, jobs, autoscalers, machines or the control plane; `None`: about
    /// something else.
    pub(crate) fn told(&self, kind: &FactKind) -> Option<String> {
        self.of_controllers(kind).or_else(|| self.of_machinery(kind))
    }

    fn of_controllers(&self, kind: &FactKind) -> Option<String> {
        let catalog = &self.run().catalog;
        Some(match *kind {
            FactKind::PodSucceeded { pod } => format!("{} has done its work", self.called(Subject::Pod(pod))),
            FactKind::PodNominated { pod, node } => {
                format!("{} waits for room that others make on {}", self.called(Subject::Pod(pod)), self.node(node))
            }
            FactKind::PodDisrupted { pod, .. } => {
                format!("{} is marked as disrupted", self.called(Subject::Pod(pod)))
            }
            FactKind::CreationRefused { workload, why } => {
                let name = self.called(Subject::Workload(workload));
                format!("a pod of {name} is refused: {}", self.refused(why))
            }
            FactKind::EvictionRefused { pod, budget } => {
                let (pod, budget) = (self.called(Subject::Pod(pod)), self.called(Subject::Budget(budget)));
                format!("the eviction of {pod} is refused: {budget} allows none now")
            }
            FactKind::BudgetChanged { budget, allowed, healthy, desired } => {
                let name = self.called(Subject::Budget(budget));
                format!("{name} allows {allowed} disruptions: {healthy} pods are healthy, {desired} must be")
            }
            FactKind::JobCompleted { workload, .. } => {
                format!("{} is complete", self.called(Subject::Workload(workload)))
            }
            FactKind::JobFailed { workload, why, .. } => {
                format!("{} has failed: {}", self.called(Subject::Workload(workload)), job_failure(why))
            }
            FactKind::ClaimBound { claim, volume } => {
                format!("{} is bound to {}", self.called(Subject::Claim(claim)), self.volume(volume.0))
            }
            FactKind::VolumeAttached { volume, node } => {
                format!("{} is attached to {}", self.volume(volume.0), self.node(node))
            }
            FactKind::VolumeDetached { volume, node, forced } => {
                let how = if forced { " by force" } else { "" };
                format!("{} is detached from {}{how}", self.volume(volume.0), self.node(node))
            }
            FactKind::AutoscalerMoved { autoscaler, from, to } => {
                let target = catalog.autoscalers.get(autoscaler).and_then(|row| row.target);
                let whom = target.map_or_else(String::new, |id| format!(" of {}", self.workload(id)));
                format!("{} asks for {to} replicas{whom}, not {from}", self.called(Subject::Autoscaler(autoscaler)))
            }
            FactKind::PoolScaled { pool, from, to } => {
                format!("{} goes from {from} to {to} machines", self.called(Subject::Pool(pool)))
            }
            _ => return None,
        })
    }

    fn of_machinery(&self, kind: &FactKind) -> Option<String> {
        Some(match *kind {
            FactKind::NodePressure { node, pressure, on: true } => {
                format!("node {} runs short of {}", self.node(node), short_of(pressure))
            }
            FactKind::NodePressure { node, pressure, on: false } => {
                format!("node {} has enough {} again", self.node(node), short_of(pressure))
            }
            FactKind::NodeTainted { node } => format!("the taints of node {} change", self.node(node)),
            FactKind::EndpointGone { service, pod } => {
                format!("{} leaves the slices of {}", self.called(Subject::Pod(pod)), self.service(service))
            }
            FactKind::EndpointConditions { service, pod, ready, serving, terminating, .. } => {
                let words = [(ready, "ready"), (serving, "serving"), (terminating, "terminating")];
                let words: Vec<&str> = words.iter().filter(|(is, _)| *is).map(|&(_, word)| word).collect();
                let state = if words.is_empty() { "not ready".to_owned() } else { words.join(", ") };
                format!("{} is {state} as an endpoint of {}", self.called(Subject::Pod(pod)), self.service(service))
            }
            FactKind::ChangeRefused { workload, why } => {
                format!("a change of {} is refused: {}", self.called(Subject::Workload(workload)), self.refused(why))
            }
            FactKind::LeasesRefused { webhook, on: true } => {
                format!("{} does not answer: no node can renew its lease", self.called(Subject::Webhook(webhook)))
            }
            FactKind::LeasesRefused { webhook, on: false } => {
                format!("{} answers again: nodes renew their leases", self.called(Subject::Webhook(webhook)))
            }
            FactKind::LeaderLost { component } => format!("{} without a leader", stops(component)),
            FactKind::LeaderElected { component } => format!("{} a leader again", has(component)),
            FactKind::Noted { subject, note } => format!("{}: {}", self.called(subject), note_in_words(note)),
            _ => return None,
        })
    }

    /// What an object is called, its kind included.
    pub(crate) fn called(&self, subject: Subject) -> String {
        let words = self.run().profile.words;
        let catalog = &self.run().catalog;
        let name = |kind: &str, symbol: Option<Symbol>, number: u32| match symbol {
            Some(symbol) => format!("{kind} {}", format::harmless(catalog.text(symbol))),
            None => format!("{kind} {number}"),
        };
        match subject {
            Subject::Cluster => "the cluster".to_owned(),
            Subject::Node(id) => format!("node {}", self.node(id)),
            Subject::Pod(id) => format!("{} {}", words.pod, self.pod(id)),
            Subject::Workload(id) => {
                let kind = catalog.workloads.get(id).and_then(|row| kind_in_words(row.kind)).unwrap_or(words.workload);
                format!("{kind} {}", self.workload(id))
            }
            Subject::Service(id) => format!("service {}", self.service(id)),
            Subject::Claim(id) => name("claim", look(&catalog.claims, id, |row| row.name), id.0),
            Subject::Autoscaler(id) => name("autoscaler", look(&catalog.autoscalers, id, |row| row.name), id.0),
            Subject::Budget(id) => name("budget", look(&catalog.budgets, id, |row| row.name), id.0),
            Subject::Webhook(id) => name("webhook", look(&catalog.webhooks, id, |row| row.name), id.0),
            Subject::Group(id) => name("group", look(&catalog.groups, id, |row| row.name), id.0),
            Subject::Pool(id) => name("pool", look(&catalog.pools, id, |row| row.name), id.0),
        }
    }

    /// A volume's name; those that were made on demand have numbers.
    fn volume(&self, number: u32) -> String {
        let catalog = &self.run().catalog;
        let own = catalog.volumes.rows().get(number as usize);
        own.map_or_else(
            || format!("volume {number}"),
            |row| format!("volume {}", format::harmless(catalog.text(row.name))),
        )
    }

    fn refused(&self, why: Refused) -> String {
        let catalog = &self.run().catalog;
        match why {
            Refused::Quota { quota } => {
                let name = look(&catalog.quotas, quota, |row| row.name).map_or("?", |name| catalog.text(name));
                format!("quota {} is used up", format::harmless(name))
            }
            Refused::LimitRange => "it is outside the bounds of its namespace".to_owned(),
            Refused::Webhook { webhook } => format!("{} does not answer", self.called(Subject::Webhook(webhook))),
            Refused::Invalid => "it is not valid".to_owned(),
        }
    }
}

fn look<I: shakedown_engine::ids::Id, T>(table: &Table<I, T>, id: I, name: impl Fn(&T) -> Symbol) -> Option<Symbol> {
    table.get(id).map(name)
}

/// What a workload is called that is not of the usual kind, which each orchestrator has its own word for.
fn kind_in_words(kind: WorkloadKind) -> Option<&'static str> {
    match kind {
        WorkloadKind::Deployment => None,
        WorkloadKind::ReplicaSet => Some("replica set"),
        WorkloadKind::Pod => Some("bare pod"),
        WorkloadKind::StatefulSet => Some("stateful set"),
        WorkloadKind::DaemonSet => Some("daemon set"),
        WorkloadKind::Job => Some("job"),
        WorkloadKind::CronJob => Some("cron job"),
    }
}

fn job_failure(why: JobFailure) -> &'static str {
    match why {
        JobFailure::BackoffLimit => "more failures than it tolerates (BackoffLimitExceeded)",
        JobFailure::Deadline => "it ran for too long (DeadlineExceeded)",
        JobFailure::FailurePolicy => "a rule of its failure policy says so (PodFailurePolicy)",
        JobFailure::FailedIndexes => "indexes failed (FailedIndexes)",
    }
}

fn short_of(pressure: Pressure) -> &'static str {
    match pressure {
        Pressure::Memory => "memory",
        Pressure::Disk => "disk",
        Pressure::Pid => "process ids",
    }
}

fn stops(component: Component) -> &'static str {
    match component {
        Component::Store => "the store is",
        Component::ApiServer => "the API server is",
        Component::Scheduler => "the scheduler is",
        Component::Controllers => "the controllers are",
        Component::Manager => "the control plane is",
    }
}

fn has(component: Component) -> &'static str {
    match component {
        Component::Store => "the store has",
        Component::ApiServer => "the API server has",
        Component::Scheduler => "the scheduler has",
        Component::Controllers => "the controllers have",
        Component::Manager => "the control plane has",
    }
}

/// A note in plain words, with the name of the event or condition that people know it by.
pub(crate) fn note_in_words(note: Note) -> Cow<'static, str> {
    let words = match note {
        Note::NoSuitableNode(why) => return why.to_string().into(),
        Note::ClaimNotFound => "a claim that it mounts does not exist",
        Note::WaitForFirstConsumer => "it waits for the first pod that uses it (WaitForFirstConsumer)",
        Note::ProvisioningFailed => "it gets no volume: no class makes one and none fits (ProvisioningFailed)",
        Note::MultiAttach => "its volume is still attached to another node (Multi-Attach)",
        Note::FailedAttachVolume => "it waits for its volumes (FailedAttachVolume)",
        Note::SchedulingGated => "it is held by a scheduling gate (SchedulingGated)",
        Note::NoSuchScheduler => "the scheduler that it names does not exist",
        Note::WaitingForGroup => "it waits for the rest of its group",
        Note::FailedGetScale => "what it scales does not exist (FailedGetScale)",
        Note::FailedGetMetrics => "it has no metrics (FailedGetResourceMetric)",
        Note::SeveralBudgets => "several budgets select it: it cannot be evicted",
        Note::MissSchedule => "a start was missed (MissSchedule)",
        Note::TooManyMissedTimes => "more than 100 starts were missed (TooManyMissedTimes)",
        Note::JobAlreadyActive => "the former run has not ended (JobAlreadyActive)",
        Note::WaitingForPod => "it waits for one of its pods",
        Note::OutOfResource => "its node's agent refuses it: it does not fit",
        Note::Evicted => "its node's agent evicts it to get resources back (Evicted)",
        Note::OomKilled => "a container used more memory than there is (OOMKilled)",
        Note::DeadlineExceeded => "it ran for longer than it may (DeadlineExceeded)",
        Note::WebhookIgnored => "it did not answer, and the request went on",
        Note::TooManyRequests => "the API server had no room for a request (429)",
        Note::Relist => "a watcher fell too far behind and lists everything anew",
        Note::NoQuorum => "the store has no quorum: nothing can be written",
        Note::QuorumBack => "the store has a quorum again",
        Note::NotTriggerScaleUp => "no pool of machines would fit it (NotTriggerScaleUp)",
        Note::ScaleDownBlocked => "it stays although it is empty enough (ScaleDownBlocked)",
        Note::Drained => "its drain is over",
        Note::NotReplaced => "nobody replaces it",
        Note::StaysDown => "it ended and is not started again; it keeps its place",
        Note::UpdatedByHand => "people replace its units one by one: the orchestrator knows no updates",
        Note::AwaitsConfirmation => "all of it is new: it waits to be confirmed or rolled back",
        Note::Disconnected => "its connection is given up (disconnected)",
        Note::PresenceExpired => "its key expired while the store could not be written",
        Note::NoResourcesAvailable => "it is refused for good (no resources available to schedule container)",
        Note::FailedToReschedule => "it cannot be moved and is not tried again (Failed to reschedule container)",
        Note::CreatedNotStarted => "it was moved but not started, since it did not run any more where it was",
        Note::DuplicateRemoved => "it is removed: it was rescheduled on another node while its own was gone",
        Note::RecreatedByHand => "the orchestrator knows no update: a client recreates containers one by one",
        Note::OutOfDiscovery => "nobody hears it: what it serves is hidden from clients",
        Note::BackInDiscovery => "it is heard again: what it serves is shown to clients",
        Note::NotRescheduled => "what it runs is not moved as long as the node is not removed",
        Note::TargetHealthy => "its load balancer sends traffic to it",
        Note::TargetUnhealthy => "its load balancer finds it unhealthy and sends nothing to it any more",
        Note::NotRestarted => "it is not replaced: its restart policy says so, or its attempts are used up",
        Note::Labelled => "its labels were changed",
        Note::ConstraintsUnmet => "assigned node no longer meets constraints",
        Note::Orphaned => "it was down for so long that its tasks are given up for good (orphaned)",
        Note::Superseded => "it goes on until another one is ready in its place",
        Note::GivenUp => "it ended too often and is not started again",
        Note::CircuitBreaker => "too many of its new replicas failed: the deployment is over",
        Note::Reinstated => "it stays after all, and what was to replace it is dropped",
        Note::LaunchDelayed => "its version failed before: its launch waits for the back-off",
        Note::LaunchOverdue => "it does not run in time and is killed (task_launch_timeout)",
        Note::RemovalRateLimited => "it is silent, and may not be called unreachable yet (agent_removal_rate_limit)",
        Note::UnreachableInactive => "its node is unreachable and another takes its place (UnreachableInactive)",
        Note::Healthy => "it has run for long enough to count as healthy",
        Note::Unhealthy => "it failed, or was not healthy by its deadline",
        Note::Promoted => "its canaries are promoted",
        Note::UnhealthyAllocations => "its update failed: unhealthy allocations",
        Note::ProgressDeadline => "its update failed: no progress within the deadline",
        Note::RescheduledLater => "a replica that failed is placed anew after a wait",
        Note::RescheduledNever => "a replica that failed has used up its attempts and is not placed anew",
        Note::Unknown => "its node is silent, and it counts as unknown",
        Note::Reconnected => "its node is back, and it counts again",
    };
    words.into()
}
