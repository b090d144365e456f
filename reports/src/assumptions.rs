//! What a run assumed: the profile's values under their own flag names, and how hosts and network behave.
//!
//! It judges nothing; it is the small print that makes a result worth arguing about. Start at [`list`].

use std::collections::BTreeMap;

use shakedown_engine::model::Amount;
use shakedown_engine::profile::Profile;
use shakedown_engine::profile::flags::Value;
use shakedown_engine::time::Span;

use crate::run::Run;

/// One assumed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// Its name: the orchestrator's own flag, or a word for a property of hosts and network.
    pub name: String,
    /// The value.
    pub value: String,
    /// What it means.
    pub meaning: String,
    /// Where it comes from.
    pub source: String,
    /// The scenario or the command line changed it.
    pub changed: bool,
}

/// Everything assumed: flags first, then the setting.
pub fn list(run: &Run) -> Vec<Assumption> {
    let changed: BTreeMap<&str, String> = overridden(&run.profile).into_iter().collect();
    let mut all: Vec<Assumption> = run
        .profile
        .flags
        .iter()
        .map(|flag| Assumption {
            name: flag.name.to_owned(),
            value: show(&(flag.get)(&run.profile)),
            meaning: flag.doc.to_owned(),
            source: flag.source.to_owned(),
            changed: changed.contains_key(flag.name),
        })
        .collect();
    all.extend(setting(run));
    all
}

/// Flags whose values differ from those of the profile as shipped, in the order of the profile.
pub fn overridden(profile: &Profile) -> Vec<(&'static str, String)> {
    let Some(shipped) = Profile::named(&profile.name) else { return Vec::new() };
    let differs = |flag: &&shakedown_engine::profile::flags::Flag| (flag.get)(profile) != (flag.get)(&shipped);
    profile.flags.iter().filter(differs).map(|flag| (flag.name, show(&(flag.get)(profile)))).collect()
}

/// A flag's value as it is written in scenario files: exact, so that it can be pasted back.
pub fn show(value: &Value) -> String {
    match value {
        Value::Span(span) => exact(*span),
        Value::Count(n) => n.to_string(),
        Value::Thousandths(n) if n.is_multiple_of(1000) => (n / 1000).to_string(),
        Value::Thousandths(n) => format!("{}.{:03}", n / 1000, n % 1000).trim_end_matches('0').to_owned(),
        Value::Amount(Amount::Count(n)) => n.to_string(),
        Value::Amount(Amount::Percent(p)) => format!("{p}%"),
        Value::Switch(on) => on.to_string(),
        Value::Word(word) => word.clone(),
        Value::Signals(signals) => signals.to_string(),
        Value::Permits(permits) => permits.to_string(),
    }
}

/// A span without rounding, in the largest unit that divides it.
fn exact(span: Span) -> String {
    let nanos = span.as_nanos();
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    let unit = units.iter().find(|(size, _)| nanos.is_multiple_of(*size));
    unit.map_or_else(|| format!("{nanos}ns"), |(size, name)| format!("{}{name}", nanos / size))
}

fn setting(run: &Run) -> Vec<Assumption> {
    let host = &run.experiment.setting.host;
    let network = &run.experiment.setting.network;
    let range = |(low, high): (Span, Span)| format!("{} to {}", exact(low), exact(high));
    let rate = |bytes: u64| format!("{} MB/s", bytes / 1_000_000);
    let row = |name: &str, value: String, meaning: &str| Assumption {
        name: name.to_owned(),
        value,
        meaning: meaning.to_owned(),
        source: "setting".to_owned(),
        changed: false,
    };
    vec![
        row("sandbox", range(host.sandbox), "making a sandbox and its network on an idle host"),
        row("container start", range(host.start), "starting a container on an idle host"),
        row("boot", exact(host.boot), "from power until the agent runs"),
        row("pull bandwidth", rate(host.pull_bandwidth), "download bandwidth of one host"),
        row("registry bandwidth", rate(host.registry_bandwidth), "what the registry gives to all hosts together"),
        row(
            "images",
            if host.images_present { "on every host" } else { "pulled when needed" }.to_owned(),
            "where images are at the start",
        ),
        row(
            "spare memory",
            format!("{} MiB", host.spare_memory.0 >> 20),
            "what pods may hold beyond what a node hands out",
        ),
        row("within a zone", exact(network.within_zone), "one-way trip between hosts of a zone"),
        row("between zones", exact(network.between_zones), "one-way trip between hosts of two zones"),
        row("to the control plane", exact(network.to_control), "one-way trip between a host and the control plane"),
        row("to the outside", exact(network.to_outside), "one-way trip between clients outside and a host"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_exactly_as_a_scenario_would_write_them() {
        assert_eq!(show(&Value::Span(Span::from_millis(1500))), "1500ms");
        assert_eq!(show(&Value::Span(Span::from_secs(90))), "90s");
        assert_eq!(show(&Value::Thousandths(100)), "0.1");
        assert_eq!(show(&Value::Thousandths(2000)), "2");
        assert_eq!(show(&Value::Amount(Amount::Percent(25))), "25%");
    }
}
