//! Why a profile's figures are what they are, in sentences made of its own values.
//!
//! Each sentence is read off the policies, so that it stays true when a setting is overridden. A new variant of a policy
//! gets its sentence here. Start at [`Profile::because`].

use super::{
    Absence, Balancer, Covers, CrashPolicy, Eviction, Expiry, FailureAction, Grace, Profile, Restart, RestartRule,
    Retry, Rollout, SlotOrder, SlotStyle, TaintEviction,
};
use crate::model::Amount;
use crate::time::Span;

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// How the death of a node is noticed.
    Detection,
    /// What follows for its pods, and when.
    Rescheduling,
    /// What happens to copies that were given up and still run.
    Duplicates,
    /// What happens to a container that ends.
    Restarts,
    /// How a workload moves to a new version.
    Rollouts,
    /// How clients learn of changes.
    Discovery,
    /// What happens when whoever leads is lost.
    ControlPlane,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Detection,
        Self::Rescheduling,
        Self::Duplicates,
        Self::Restarts,
        Self::Rollouts,
        Self::Discovery,
        Self::ControlPlane,
    ];

    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Rescheduling => "rescheduling",
            Self::Duplicates => "duplicates",
            Self::Restarts => "restarts",
            Self::Rollouts => "rollouts",
            Self::Discovery => "discovery",
            Self::ControlPlane => "leader loss",
        }
    }
}

impl Profile {
    /// The mechanism behind an aspect, with the values that it has now.
    pub fn because(&self, aspect: Aspect) -> String {
        match aspect {
            Aspect::Detection => self.detection_words(),
            Aspect::Rescheduling => self.rescheduling_words(),
            Aspect::Duplicates => self.duplicates_words(),
            Aspect::Restarts => self.restart_words(),
            Aspect::Rollouts => self.rollout_words(),
            Aspect::Discovery => self.discovery_words(),
            Aspect::ControlPlane => self.leader_words(),
        }
    }

    fn detection_words(&self) -> String {
        let detection = &self.detection;
        let beat = if detection.heartbeat_jitter.is_zero() {
            detection.heartbeat.to_string()
        } else {
            format!("{} ± {}", detection.heartbeat, detection.heartbeat_jitter)
        };
        let looked = if detection.monitor_period.is_zero() {
            String::new()
        } else {
            format!(", looked for every {}", detection.monitor_period)
        };
        if let Some(polls) = detection.polls {
            return format!(
                "{} when {} polls in a row fail, {} to {} apart, each given up after {}",
                self.words.unhealthy, polls.failures, polls.wait, polls.longest, polls.timeout
            );
        }
        match detection.grace {
            Grace::Fixed(grace) => {
                format!("{} after {grace} without a heartbeat (one every {beat}){looked}", self.words.unhealthy)
            }
            Grace::Lease(ttl) => format!(
                "{} when its key has expired, {ttl} after the last heartbeat (one every {beat}){looked}",
                self.words.unhealthy
            ),
            Grace::Pings { failures, timeout } => format!(
                "{} when {failures} questions in a row, one every {beat}, found no answer within {timeout}",
                self.words.unhealthy
            ),
            Grace::Periods(n) => format!("{} after {n} missed heartbeats of {beat}{looked}", self.words.unhealthy),
            Grace::Granted(granted) => format!(
                "{} {} after the time to live granted with its last heartbeat: 1 to 2 times {}, or nodes / {} s in a larger cluster",
                self.words.unhealthy, granted.grace, granted.min_ttl, granted.beats_per_second
            ),
        }
    }

    fn rescheduling_words(&self) -> String {
        let pod = self.words.pod;
        let delay = self.replication.replacement_delay;
        let later = if delay.is_zero() { String::new() } else { format!(", started after a restart delay of {delay}") };
        match &self.eviction {
            Eviction::Taints(TaintEviction { default_toleration, rate, .. }) => format!(
                "each {pod} tolerates a silent node for {default_toleration}, then is evicted; {} nodes a minute may be evicted{later}",
                per_minute(*rate)
            ),
            Eviction::Unreachable(lost) if lost.inactive_after.is_zero() => {
                format!(
                    "every {pod} of the node is replaced as soon as it is {}, from the next offers",
                    self.words.unhealthy
                )
            }
            Eviction::Unreachable(lost) => format!(
                "every {pod} of the node is replaced {} after it is {}, from the next offers",
                lost.inactive_after, self.words.unhealthy
            ),
            Eviction::Suspect => {
                format!("each {pod} of the node is suspect: it stays in service until its replacement runs{later}")
            }
            Eviction::Never if self.replication.watchdog.is_some() => {
                format!(
                    "only a {pod} that asks for it (reschedule on node failure) is made anew elsewhere, one after the other"
                )
            }
            Eviction::Never => {
                format!("nobody acts on a silent node: each {pod} stays on it until the node is removed by hand")
            }
            Eviction::AtOnce => {
                format!("every {pod} of the node is replaced as soon as it is {}{later}", self.words.unhealthy)
            }
        }
    }

    fn duplicates_words(&self) -> String {
        let pod = self.words.pod;
        match &self.eviction {
            Eviction::Taints(_) => format!(
                "a cut-off node runs its {pod}s on until it hears of their deletion; replacements start after the toleration"
            ),
            Eviction::Unreachable(lost) => format!(
                "a cut-off node runs its {pod}s on; back within {} the older copy stays, later it is killed",
                lost.expunge_after
            ),
            Eviction::Suspect => {
                format!(
                    "a suspect {pod} serves beside its replacement; whichever is there first when the node is back stays"
                )
            }
            Eviction::Never if self.replication.watchdog.is_some() => {
                format!("a {pod} that was moved runs twice until its first node is heard again, which then loses it")
            }
            Eviction::Never => format!("nothing is replaced, so no {pod} runs twice"),
            Eviction::AtOnce => {
                format!(
                    "a cut-off node runs its {pod}s on until it reconnects and is told to stop them; replacements do not wait"
                )
            }
        }
    }

    fn restart_words(&self) -> String {
        match self.replication.retry {
            Retry::Constant => {}
            Retry::Crashes(CrashPolicy { immediate, initial, max, give_up, .. }) => {
                return format!(
                    "a new {} at once for the first {} crashes, then after {initial}, doubling to {max}; none after {give_up}",
                    self.words.pod,
                    immediate.saturating_sub(1)
                );
            }
            Retry::Launches { initial, max } => {
                return format!(
                    "a new {} at once if the former one ran; else after {initial}, doubling to {max}",
                    self.words.pod
                );
            }
        }
        match self.restart {
            Restart::InPlace { initial, max, reset } => format!(
                "restarted in place at once, then after {initial}, doubling to {max}; a run of {reset} starts anew"
            ),
            Restart::Counted(counted) => {
                let RestartRule { attempts, interval, delay, .. } = counted.service;
                let pod = self.words.pod;
                format!(
                    "restarted in place after {delay}, {attempts} times in {interval}; then the {pod} has failed and another is placed"
                )
            }
            Restart::Local(policy) => {
                let bound = if policy.burst == 0 {
                    "for ever".to_owned()
                } else {
                    format!("{} starts in {} at most", policy.burst, policy.window)
                };
                format!(
                    "restarted by its host after {}, doubling to {}, {bound}; never moved",
                    policy.initial, policy.max
                )
            }
            Restart::Engine { initial, max, reset } => format!(
                "restarted by the engine of its node after {initial}, doubling to {max}; a run of {reset} starts anew; nobody replaces it"
            ),
            Restart::Replace { .. } if let super::Dispatch::Offers(offers) = self.dispatch => format!(
                "replaced by a new {} after {}, each wait {}.{:02} times as long as the last, to {}",
                self.words.pod,
                offers.backoff.initial,
                offers.backoff.factor / 1_000,
                offers.backoff.factor % 1_000 / 10,
                offers.backoff.max
            ),
            Restart::Replace { max_attempts, .. } => {
                let bound = max_attempts.map_or_else(|| "for ever".to_owned(), |n| format!("{n} times at most"));
                let delay = self.replication.replacement_delay;
                format!("replaced by a new {} after {delay}, {bound}", self.words.pod)
            }
        }
    }

    fn rollout_words(&self) -> String {
        match &self.rollout {
            Rollout::Surge { max_surge, max_unavailable, progress_deadline, .. } => format!(
                "old ones go as new ones are ready: {} more and {} fewer than wanted; {} after {progress_deadline} without progress",
                amount(*max_surge),
                amount(*max_unavailable),
                if self.deployer.is_some() { "given up and undone" } else { "called stalled and never undone" }
            ),
            Rollout::Replace(policy) => format!(
                "up to {}% more are started, {}% stay healthy, each healthy new one ends an old one; no deadline, never undone",
                policy.max_over / 10,
                policy.min_health / 10
            ),
            Rollout::Groups(groups) => {
                let update = &groups.update;
                let failure = if update.auto_revert { "turns back" } else { "stays where it is" };
                format!(
                    "{} at a time, the next when those have been healthy for {}; without progress for {} it fails and {failure}",
                    update.max_parallel, update.min_healthy, update.progress_deadline
                )
            }
            Rollout::Percent { min, max, breaker } => {
                let end = match (breaker.enabled, breaker.rollback) {
                    (false, _) => "failures never end it",
                    (true, false) => "too many failures end it",
                    (true, true) => "too many failures turn it back",
                };
                format!("between {min}% healthy and {max}% in all; {end}")
            }
            Rollout::Slots(update) => {
                let at_once = if update.parallelism == 0 {
                    "all at once".to_owned()
                } else {
                    format!("{} at a time", update.parallelism)
                };
                let order = match update.order {
                    SlotOrder::StopFirst => "the old one stops first",
                    SlotOrder::StartFirst => "the new one starts first",
                };
                let failure = match update.on_failure {
                    FailureAction::Pause => "pauses",
                    FailureAction::Continue => "goes on",
                    FailureAction::Rollback => "rolls back",
                };
                if update.style == SlotStyle::ByHand {
                    return format!("none: people destroy and submit {at_once}, {order}");
                }
                format!("{at_once}, {order}, {} between; a failure within {} {failure}", update.delay, update.monitor)
            }
        }
    }

    fn leader_words(&self) -> String {
        let machine = &self.control.machine;
        if let Some(consensus) = machine.consensus {
            return consensus.words();
        }
        let lease = machine.election.lease;
        let silent = if machine.presence.is_some() {
            "nodes live as long as their keys, whoever leads"
        } else {
            "then silent nodes get their whole grace again"
        };
        format!("each part has another leader at most about {lease} after its death, when the lease is over; {silent}")
    }

    fn discovery_words(&self) -> String {
        let discovery = &self.discovery;
        let ttl = if discovery.dns_ttl.is_zero() {
            "names are not cached".to_owned()
        } else {
            format!("names are cached for {}", discovery.dns_ttl)
        };
        let ttl = match discovery.name_poll {
            Span::ZERO => ttl,
            poll => format!("names are read every {poll} and {}", ttl.trim_start_matches("names are ")),
        };
        let dead = match discovery.absence {
            Absence::Gossip(gossip) => format!(
                "a silent node's leave by gossip: {} after a suspicion among 10, {} among 1,000",
                gossip.suspicion(10).0,
                gossip.suspicion(1_000).0
            ),
            Absence::Expiry(Expiry { dial: Some(dial), ttl, .. }) => {
                format!("routers leave a silent node alone after {dial} and prune it after {ttl}")
            }
            Absence::Expiry(Expiry { every, ttl, .. }) => {
                format!("a silent node's expire: announced every {every} for {ttl}")
            }
            Absence::Told if discovery.unready_on_unhealthy_node => {
                "a silent node's endpoints leave at detection".to_owned()
            }
            Absence::Told => "a silent node's endpoints stay until they are replaced".to_owned(),
        };
        let asked = match &discovery.balancer {
            Some(Balancer { interval, unhealthy_after, covers, .. }) if *covers != Covers::Nobody => {
                format!("; a load balancer asks every {interval} and takes out what failed {unhealthy_after} times")
            }
            _ => String::new(),
        };
        format!("a change reaches each node after {}; {ttl}; {dead}{asked}", discovery.publish_delay + discovery.lag)
    }
}

/// Thousandths of nodes a second as nodes a minute.
fn per_minute(rate: u32) -> String {
    let hundredths = u64::from(rate) * 60 / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100).trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Count(n) => n.to_string(),
        Amount::Percent(n) => format!("{n}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_follows_an_override() {
        let mut profile = Profile::named("kubernetes").expect("it is a profile");
        let before = profile.because(Aspect::Detection);
        profile.set("node-monitor-grace-period", "20s").expect("it is a flag");
        let after = profile.because(Aspect::Detection);
        assert!(before.contains("50s") && after.contains("20s"), "{before} {after}");
    }

    #[test]
    fn every_profile_explains_every_aspect_in_less_than_three_lines() {
        for name in Profile::all_names() {
            let profile = Profile::named(name).expect("it is a profile");
            for aspect in Aspect::ALL {
                let words = profile.because(aspect);
                assert!((10..240).contains(&words.len()), "{name} {aspect:?}: {words}");
            }
        }
    }

    #[test]
    fn a_rate_is_said_by_the_minute() {
        assert_eq!([per_minute(100), per_minute(10)], ["6", "0.6"]);
    }
}
