//! Profiles composed of others: groups of values taken from another orchestrator, weights of scores, words.
//!
//! A group brings its flags along: which flags reach into a group is found out by setting each to another value and
//! looking at what moved, so that a new flag needs no entry here. Start at [`Profile::with_group`].

use std::fmt::Debug;

use super::flags::{Flag, Kind};
use super::{Profile, Score};

/// Values that decide one thing together, as one orchestrator has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Which node a replica gets, and who waits for one how.
    Placement,
    /// Who notices a dead node, and when.
    Detection,
    /// What a dead node costs its replicas.
    Eviction,
    /// How replicas are kept at their number.
    Replication,
    /// What happens to containers that end.
    Restart,
    /// How workloads move to a new template.
    Rollout,
    /// Habits of the agent.
    Agent,
    /// How clients find replicas.
    Discovery,
    /// Store, clients, and what the control plane is made of.
    Control,
}

impl Group {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Self); 9] = [
        ("placement", Self::Placement),
        ("detection", Self::Detection),
        ("eviction", Self::Eviction),
        ("replication", Self::Replication),
        ("restart", Self::Restart),
        ("rollout", Self::Rollout),
        ("agent", Self::Agent),
        ("discovery", Self::Discovery),
        ("control", Self::Control),
    ];

    /// Its values, written out.
    fn shown(self, p: &Profile) -> String {
        fn show(parts: &[&dyn Debug]) -> String {
            format!("{parts:?}")
        }
        match self {
            Self::Placement => show(&[&p.queue, &p.dispatch, &p.placement, &p.schedulers]),
            Self::Detection => show(&[&p.detection]),
            Self::Eviction => show(&[&p.eviction]),
            Self::Replication => show(&[&p.replication]),
            Self::Restart => show(&[&p.restart]),
            Self::Rollout => show(&[&p.rollout]),
            Self::Agent => show(&[&p.agent]),
            Self::Discovery => show(&[&p.discovery]),
            Self::Control => show(&[&p.control]),
        }
    }

    fn take(self, into: &mut Profile, from: &Profile) {
        let from = from.clone();
        match self {
            Self::Placement => {
                into.takes_scheduler_config = from.takes_scheduler_config;
                (into.queue, into.dispatch) = (from.queue, from.dispatch);
                (into.placement, into.schedulers) = (from.placement, from.schedulers);
            }
            Self::Detection => into.detection = from.detection,
            Self::Eviction => into.eviction = from.eviction,
            Self::Replication => into.replication = from.replication,
            Self::Restart => into.restart = from.restart,
            Self::Rollout => into.rollout = from.rollout,
            Self::Agent => into.agent = from.agent,
            Self::Discovery => into.discovery = from.discovery,
            Self::Control => into.control = from.control,
        }
    }
}

impl Profile {
    /// This profile with these groups as others have them, and with the flags of those others for them.
    ///
    /// A flag that reaches into a group that is not as its own profile has it is left out. The list of flags lives as
    /// long as the program: profiles are composed once, when they are loaded.
    pub fn with_groups(&self, groups: &[(Group, Self)]) -> Self {
        let mut composed = self.clone();
        let replaced = |group: &Group| groups.iter().any(|(one, _)| one == group);
        let mut flags: Vec<Flag> = Vec::new();
        for (flag, reached) in reaches(self) {
            if !reached.iter().any(replaced) {
                flags.push(flag);
            }
        }
        for (at, (group, donor)) in groups.iter().enumerate() {
            group.take(&mut composed, donor);
            if groups[..at].iter().any(|(_, other)| other.name == donor.name) {
                continue;
            }
            let taken = |group: &Group| groups.iter().any(|(one, other)| one == group && other.name == donor.name);
            for (flag, reached) in reaches(donor) {
                let fits = !reached.is_empty() && reached.iter().all(taken);
                if fits && flags.iter().all(|other| other.name != flag.name) {
                    flags.push(flag);
                }
            }
        }
        composed.flags = Box::leak(flags.into_boxed_slice());
        composed
    }

    /// Scores that any orchestrator's scheduler knows, by their names.
    pub fn known_scores() -> Vec<(String, Score)> {
        let all = Self::NAMES.iter().filter_map(|name| Self::named(name));
        let mut scores: Vec<Score> = all.flat_map(|profile| profile.placement.scores).map(|(score, _)| score).collect();
        scores.extend([Score::LeastAllocated, Score::MostAllocated, Score::FewestPods, Score::FewestOfWorkload]);
        scores.sort_unstable();
        scores.dedup();
        scores.into_iter().map(|score| (format!("{score:?}"), score)).collect()
    }
}

/// Flags of a profile with the groups that they reach into.
fn reaches(profile: &Profile) -> Vec<(Flag, Vec<Group>)> {
    let before: Vec<String> = Group::ALL.iter().map(|(_, group)| group.shown(profile)).collect();
    let reached = |flag: &Flag| {
        let mut found = vec![false; Group::ALL.len()];
        let now = (flag.get)(profile).to_string();
        for candidate in candidates(flag.kind).filter(|text| **text != *now) {
            let mut other = profile.clone();
            if other.set(flag.name, candidate).is_err() {
                continue;
            }
            for (at, (_, group)) in Group::ALL.iter().enumerate() {
                found[at] |= group.shown(&other) != before[at];
            }
            if found.contains(&true) {
                break;
            }
        }
        Group::ALL.iter().zip(found).filter(|(_, found)| *found).map(|((_, group), _)| *group).collect()
    };
    profile.flags.iter().map(|flag| (*flag, reached(flag))).collect()
}

/// Values of which at least one is another one than a flag of this kind has.
fn candidates(kind: Kind) -> impl Iterator<Item = &'static str> {
    let words: &'static [&'static str] = if let Kind::Word(words) = kind { words } else { &[] };
    let plain = ["1s", "2s", "1", "2", "0.5", "0.25", "7%", "9%", "true", "false"];
    let signals = ["memory.available<1Mi", "memory.available=1s", "7/3mins", "none"];
    plain.into_iter().chain(signals).chain(words.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Profile {
        Profile::named(name).expect("it is built in")
    }

    #[test]
    fn a_group_brings_its_flags_along_and_takes_those_of_the_former_away() {
        let composed = named("kubernetes").with_groups(&[(Group::Detection, named("swarm"))]);
        assert_eq!(composed.detection.heartbeat, named("swarm").detection.heartbeat);
        assert!(composed.flag("dispatcher-heartbeat").is_ok());
        assert!(composed.flag("node-monitor-grace-period").is_err());
        assert!(composed.flag("update-parallelism").is_err(), "the rollout is its own");
        assert!(
            composed.flag("pod-eviction-timeout").is_ok()
                || composed.flag("default-not-ready-toleration-seconds").is_ok()
        );
    }

    #[test]
    fn every_flag_of_every_composition_of_two_can_be_read_and_set_to_its_own_value() {
        let all: Vec<Profile> = Profile::NAMES.iter().map(|name| named(name)).collect();
        for base in &all {
            for donor in all.iter().filter(|donor| donor.name != base.name) {
                let groups: Vec<_> = Group::ALL.iter().step_by(2).map(|(_, group)| (*group, donor.clone())).collect();
                let mut composed = base.with_groups(&groups);
                let settings: Vec<_> = composed.settings().map(|(flag, value)| (flag.name, value)).collect();
                for (name, value) in settings {
                    assert_eq!(composed.set(name, &value), Ok(()), "{name} of {} in {}", donor.name, base.name);
                }
            }
        }
    }
}
