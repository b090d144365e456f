//! Orchestrators and overrides of their flags.

use std::collections::BTreeMap;

use shakedown_engine::profile::Profile;

use super::Checker;
use crate::custom::{self, CUSTOM};
use crate::plan::Override;
use crate::raw::{Scalar, ScenarioRaw};
use crate::text::{At, Named, relative};

/// What the scenario is run under when it does not say so.
const DEFAULT: &str = "kubernetes";

/// Orchestrators and what is overridden.
pub(super) struct Orchestrators {
    pub(super) names: Vec<String>,
    pub(super) overrides: Vec<Override>,
    /// Profiles of files, by the names under which they are run.
    pub(super) customs: BTreeMap<String, Profile>,
}

impl Orchestrators {
    fn profile(&self, name: &str) -> Option<Profile> {
        self.customs.get(name).cloned().or_else(|| Profile::named(name))
    }

    /// Names that expectations may have: those under which it is run, and those that files give their profiles.
    pub(super) fn known(&self) -> Vec<String> {
        let own = self.customs.values().map(|profile| profile.name.to_string());
        self.names.iter().cloned().chain(own).collect()
    }
}

impl Checker<'_> {
    /// Lowers orchestrators, and tries each override on a profile.
    pub(super) fn orchestrators(&mut self, raw: &ScenarioRaw, scenario: &str) -> Orchestrators {
        let mut out = Orchestrators { names: Vec::new(), overrides: Vec::new(), customs: BTreeMap::new() };
        for one in &raw.orchestrators {
            let at = &one.value.name;
            let name = match &one.value.file {
                Some(file) => format!("{CUSTOM}{}", relative(scenario, &file.value)),
                None => at.value.clone(),
            };
            if out.names.contains(&name) {
                self.low
                    .problems
                    .error("E0308", at.mark, format!("`{name}` is listed twice"))
                    .expected("expected each orchestrator once");
            }
            match &one.value.file {
                Some(file) => {
                    let Some(profile) = self.custom(file, &name) else { continue };
                    out.customs.insert(name.clone(), profile);
                }
                None if Profile::named(&name).is_none() => {
                    self.unknown_orchestrator(at);
                    continue;
                }
                None => {}
            }
            out.names.push(name.clone());
            self.overrides((std::slice::from_ref(&name), Some(&name)), &one.value.set, &mut out);
        }
        if out.names.is_empty() {
            out.names.push(DEFAULT.to_owned());
        }
        let names = out.names.clone();
        self.overrides((&names, None), &raw.set, &mut out);
        out
    }

    /// The profile of a file.
    fn custom(&mut self, file: &At<String>, name: &str) -> Option<Profile> {
        let path = name.strip_prefix(CUSTOM).unwrap_or(name);
        if let Err(error) = self.files.read(path) {
            super::unreadable(self.low.problems, file, &error);
            return None;
        }
        custom::load(path, self.files, self.low.problems)
    }

    fn overrides(&mut self, (names, of): (&[String], Option<&str>), set: &Named<At<Scalar>>, out: &mut Orchestrators) {
        for (flag, value) in &set.0 {
            let one = Override {
                orchestrator: of.map(ToOwned::to_owned),
                flag: flag.value.clone(),
                value: value.value.0.clone(),
            };
            let profiles: Vec<Profile> = names.iter().filter_map(|name| out.profile(name)).collect();
            let mut knowing =
                profiles.iter().filter(|profile| profile.flags.iter().any(|f| f.name == one.flag)).peekable();
            if knowing.peek().is_none() {
                let problem = self
                    .low
                    .problems
                    .error("E0306", flag.mark, format!("no flag of {} is called `{}`", names.join(" or "), one.flag))
                    .expected("expected a flag under the orchestrator's own name");
                match custom::flag_help(&one.flag, &profiles) {
                    Some(help) => drop(problem.help(help)),
                    None => drop(problem),
                }
                continue;
            }
            for profile in knowing {
                if let Err(why) = profile.clone().set(&one.flag, &one.value) {
                    let doc = profile.flag(&one.flag).map(|flag| flag.doc).unwrap_or_default();
                    self.low
                        .problems
                        .error("E0306", value.mark, format!("`{}` is not a value of `{}`", one.value, one.flag))
                        .expected(why.to_string())
                        .help(format!("`{}`: {doc}", one.flag));
                }
            }
            out.overrides.push(one);
        }
    }

    /// Files that there is no such orchestrator.
    pub(super) fn unknown_orchestrator(&mut self, name: &At<String>) {
        self.low
            .problems
            .error("E0305", name.mark, format!("there is no orchestrator `{}`", name.value))
            .expected("expected the name of a profile")
            .suggest(&name.value, Profile::all_names());
    }
}
