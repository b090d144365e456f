//! Orchestrators and overrides of their flags.

use shakedown_engine::profile::Profile;

use super::Checker;
use crate::plan::Override;
use crate::raw::{Scalar, ScenarioRaw};
use crate::text::{At, Named};

/// What the scenario is run under when it does not say so.
const DEFAULT: &str = "kubernetes";

/// Orchestrators and what is overridden.
pub(super) struct Orchestrators {
    pub(super) names: Vec<String>,
    pub(super) overrides: Vec<Override>,
}

impl Checker<'_> {
    /// Lowers orchestrators, and tries each override on a profile.
    pub(super) fn orchestrators(&mut self, raw: &ScenarioRaw) -> Orchestrators {
        let mut out = Orchestrators { names: Vec::new(), overrides: Vec::new() };
        for one in &raw.orchestrators {
            let name = &one.value.name;
            if out.names.contains(&name.value) {
                self.low
                    .problems
                    .error("E0308", name.mark, format!("`{}` is listed twice", name.value))
                    .expected("expected each orchestrator once");
            }
            if Profile::named(&name.value).is_none() {
                self.unknown_orchestrator(name);
                continue;
            }
            out.names.push(name.value.clone());
            self.overrides(std::slice::from_ref(&name.value), Some(&name.value), &one.value.set, &mut out.overrides);
        }
        if out.names.is_empty() {
            out.names.push(DEFAULT.to_owned());
        }
        let names = out.names.clone();
        self.overrides(&names, None, &raw.set, &mut out.overrides);
        out
    }

    fn overrides(&mut self, names: &[String], of: Option<&str>, set: &Named<At<Scalar>>, out: &mut Vec<Override>) {
        for (flag, value) in &set.0 {
            let one = Override {
                orchestrator: of.map(ToOwned::to_owned),
                flag: flag.value.clone(),
                value: value.value.0.clone(),
            };
            let profiles: Vec<Profile> = names.iter().filter_map(|name| Profile::named(name)).collect();
            let mut knowing =
                profiles.iter().filter(|profile| profile.flags.iter().any(|f| f.name == one.flag)).peekable();
            if knowing.peek().is_none() {
                let known = profiles.iter().flat_map(|profile| profile.flags).map(|flag| flag.name);
                self.low
                    .problems
                    .error("E0306", flag.mark, format!("no flag of {} is called `{}`", names.join(" or "), one.flag))
                    .expected("expected a flag under the orchestrator's own name")
                    .suggest(&one.flag, known);
                continue;
            }
            for profile in knowing {
                if let Err(why) = profile.clone().set(&one.flag, &one.value) {
                    self.low
                        .problems
                        .error("E0306", value.mark, format!("`{}` is not a value of `{}`", one.value, one.flag))
                        .expected(why.to_string());
                }
            }
            out.push(one);
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
