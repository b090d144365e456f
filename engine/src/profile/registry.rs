//! The orchestrators that there are.
//!
//! A new profile is a file that builds it and an entry here. Start at [`ENTRIES`].

use super::{
    Profile, cattle, deis, diego, ecs, fleet, kubernetes, marathon, nomad, openshift, swarm, swarm_standalone, tutum,
};

/// An orchestrator by its name.
pub(super) struct Entry {
    /// Name as given on the command line.
    pub(super) name: &'static str,
    /// Its newest release.
    pub(super) newest: fn() -> Profile,
    /// Releases that can be asked for, as numbers and full names, newest first. Empty: there is one only.
    pub(super) releases: &'static [(&'static str, &'static str)],
    /// A release by its number.
    pub(super) release: fn(&str) -> Option<Profile>,
}

impl Entry {
    /// An orchestrator of one release.
    const fn single(name: &'static str, newest: fn() -> Profile) -> Self {
        Self { name, newest, releases: &[], release: |_| None }
    }
}

/// All of them, best known first.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "kubernetes",
        newest: kubernetes::profile,
        releases: kubernetes::releases::RELEASES,
        release: kubernetes::releases::release,
    },
    Entry::single("swarm", swarm::profile),
    Entry::single("swarm-standalone", swarm_standalone::profile),
    Entry::single("fleet", fleet::profile),
    Entry::single("tutum", tutum::profile),
    Entry::single("cattle", cattle::profile),
    Entry { name: "marathon", newest: marathon::profile, releases: marathon::RELEASES, release: marathon::release },
    Entry { name: "nomad", newest: nomad::profile, releases: nomad::RELEASES, release: nomad::release },
    Entry { name: "ecs", newest: ecs::profile, releases: ecs::RELEASES, release: ecs::release },
    Entry::single("diego", diego::profile),
    Entry::single("openshift", openshift::profile),
    Entry { name: "deis", newest: deis::profile, releases: deis::RELEASES, release: deis::release },
];

/// Their names.
const NAMES: [&str; ENTRIES.len()] = {
    let mut names = [""; ENTRIES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = ENTRIES[at].name;
        at += 1;
    }
    names
};

impl Profile {
    /// Names of all profiles, best known first.
    pub const NAMES: &'static [&'static str] = &NAMES;

    /// The profile called `name`, or `name@version` for one of [`Profile::releases`].
    pub fn named(name: &str) -> Option<Self> {
        let (family, version) = name.split_once('@').map_or((name, None), |(family, version)| (family, Some(version)));
        let entry = entry(family)?;
        match version {
            Some(version) => (entry.release)(version),
            None => Some((entry.newest)()),
        }
    }

    /// Full names of the releases of a profile, newest first. Empty for a profile of one release.
    pub fn releases(name: &str) -> impl Iterator<Item = &'static str> {
        entry(name).into_iter().flat_map(|entry| entry.releases).map(|(_, name)| *name)
    }

    /// All names that [`Profile::named`] knows: profiles first, then their releases.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().copied().chain(Self::NAMES.iter().flat_map(|name| Self::releases(name)))
    }

    /// The profile's name without its version: what settings and expectations for one orchestrator name.
    pub fn family(name: &str) -> &str {
        name.split_once('@').map_or(name, |(family, _)| family)
    }
}

fn entry(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}
