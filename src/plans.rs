//! From what somebody typed to plans: files and names of shipped scenarios, orchestrators, seeds, settings.
//!
//! All problems of all files are collected before anything runs. Start at [`load`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use shakedown_engine::profile::Profile;
use shakedown_scenarios::{CUSTOM, Diagnostics, Plan, suggestion};

use crate::failure::Failure;

/// A plan and how it was named.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// As typed.
    pub(crate) typed: String,
    /// The plan.
    pub(crate) plan: Arc<Plan>,
}

/// One `--set`: `flag=value`, or `orchestrator.flag=value`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setting {
    /// Only for this one.
    pub(crate) orchestrator: Option<String>,
    /// The orchestrator's own name.
    pub(crate) flag: String,
    /// As in a scenario file.
    pub(crate) value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected `flag=value` or `orchestrator.flag=value`, such as `node-monitor-grace-period=20s`";
        let (flag, value) = text.split_once('=').ok_or(expected)?;
        // Flags have dots of their own.
        let (orchestrator, flag) = match flag.split_once('.') {
            Some((name, flag)) if Profile::NAMES.contains(&name.trim()) => (Some(name.trim().to_owned()), flag),
            _ => (None, flag),
        };
        if flag.trim().is_empty() || value.trim().is_empty() {
            return Err(expected.to_owned());
        }
        Ok(Self { orchestrator, flag: flag.trim().to_owned(), value: value.trim().to_owned() })
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(orchestrator) = &self.orchestrator {
            write!(f, "{orchestrator}.")?;
        }
        write!(f, "{}={}", self.flag, self.value)
    }
}

/// Loads everything that was named, or fails with every problem of all of it.
pub(crate) fn load(typed: &[String]) -> Result<Vec<Named>, Failure> {
    let mut plans = Vec::new();
    let mut wrong: Option<Diagnostics> = None;
    for name in typed {
        match load_one(name) {
            Ok(plan) => plans.push(Named { typed: name.clone(), plan: Arc::new(plan) }),
            Err(Failure::Input(diagnostics)) => match &mut wrong {
                None => wrong = Some(diagnostics),
                Some(all) => {
                    all.problems.extend(diagnostics.problems);
                    all.omitted += diagnostics.omitted;
                }
            },
            Err(other) => return Err(other),
        }
    }
    wrong.map_or(Ok(plans), |diagnostics| Err(diagnostics.into()))
}

fn load_one(typed: &str) -> Result<Plan, Failure> {
    let path = Path::new(typed);
    let shipped = shakedown_scenarios::library().iter().any(|scenario| scenario.name == typed);
    if shipped && !path.is_file() {
        return Ok(shakedown_scenarios::load_embedded(typed)?);
    }
    // A plain word is more likely a misspelt name than a file that is missing.
    if path.extension().is_none() && !path.exists() && path.components().count() == 1 {
        let names: Vec<&str> = shakedown_scenarios::library().iter().map(|scenario| scenario.name).collect();
        return Err(Failure::usage(
            format!("there is neither a file nor a shipped scenario called `{typed}`"),
            match suggestion(typed, names.iter().copied()) {
                Some(near) if near.starts_with("did you mean") => near,
                _ => format!("shipped scenarios are {}", names.join(", ")),
            },
        ));
    }
    Ok(shakedown_scenarios::load(path)?)
}

/// The orchestrators that were asked for, or else those of the plan.
pub(crate) fn orchestrators(plan: &Plan, asked: &[String]) -> Result<Vec<String>, Failure> {
    for name in asked {
        // Files of profiles are read here, so that all that is wrong with them is said before anything runs.
        if name.starts_with(CUSTOM) { plan.unset(name).map(drop)? } else { known(name)? }
    }
    let mut wanted = if asked.is_empty() { plan.orchestrators.clone() } else { asked.to_vec() };
    let mut seen = BTreeSet::new();
    wanted.retain(|name| seen.insert(name.clone()));
    Ok(wanted)
}

/// The profile of one orchestrator as the plan and `settings` have it.
pub(crate) fn profile(plan: &Plan, orchestrator: &str, settings: &[Setting]) -> Result<Profile, Failure> {
    let mut plan = plan.clone();
    for setting in settings {
        plan = plan.with_override(&setting.to_string())?;
    }
    Ok(plan.profile(orchestrator)?)
}

/// Fails when a setting has no effect, because none of the orchestrators that are run has its flag.
pub(crate) fn check_settings(plan: &Plan, settings: &[Setting], orchestrators: &[String]) -> Result<(), Failure> {
    for setting in settings {
        let concerned = orchestrators
            .iter()
            .filter(|name| setting.orchestrator.as_ref().is_none_or(|o| *o == **name || o == Profile::family(name)));
        let answers: Vec<_> =
            concerned.filter_map(|name| plan.unset(name).ok()).map(|profile| profile.flag(&setting.flag)).collect();
        if !answers.iter().any(Result::is_ok) {
            let reason = answers.into_iter().find_map(Result::err);
            let reason = reason.map_or_else(|| "that orchestrator is not run".to_owned(), |error| error.to_string());
            let help = "`shakedown list flags` shows all flags with their defaults";
            return Err(Failure::usage(format!("`{setting}` has no effect: {reason}"), help));
        }
    }
    Ok(())
}

/// Fails when there is no orchestrator of this name.
pub(crate) fn known(orchestrator: &str) -> Result<(), Failure> {
    if Profile::all_names().any(|name| name == orchestrator) {
        return Ok(());
    }
    if orchestrator.starts_with(CUSTOM) {
        return Ok(shakedown_scenarios::profile_named(orchestrator).map(drop)?);
    }
    let help = suggestion(orchestrator, Profile::all_names()).unwrap_or_default();
    Err(Failure::usage(format!("no orchestrator is called `{orchestrator}`"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_a_flag_and_perhaps_an_orchestrator() {
        let plain: Setting = "update-parallelism=2".parse().unwrap();
        assert_eq!((plain.orchestrator.as_deref(), &*plain.flag, &*plain.value), (None, "update-parallelism", "2"));
        let only: Setting = "swarm.update-delay=5s".parse().unwrap();
        assert_eq!((only.orchestrator.as_deref(), &*only.flag), (Some("swarm"), "update-delay"));
        for wrong in ["", "flag", "flag=", "=5", "swarm.=5"] {
            assert!(wrong.parse::<Setting>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_names_there_are() {
        let Err(Failure::Usage(usage)) = load(&["burning-sever".to_owned()]) else { panic!("it loaded") };
        assert!(usage.help.contains("burning-server"), "{}", usage.help);
    }
}
