//! The plan: a scenario that cannot be invalid any more.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_engine::model::Catalog;
use shakedown_engine::profile::Profile;

use crate::custom::{flag_help, profile_named};
use crate::problem::{Diagnostics, Problem, Severity};

/// Everything that runs need, whatever world they run in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name: that of the file, without its ending.
    pub name: String,
    /// What it finds out.
    pub about: String,
    /// The file it came from, unless it ships inside the program.
    pub source_path: Option<PathBuf>,
    /// Nodes, workloads, services, images.
    pub catalog: Arc<Catalog>,
    /// Timeline, traffic, setting, expectations.
    pub experiment: Arc<Experiment>,
    /// Under which profiles it is run when nothing else is asked for.
    pub orchestrators: Vec<String>,
    /// Flags that differ from the profiles' defaults, in the order in which they are set.
    pub overrides: Vec<Override>,
    /// What workloads ask that not every orchestrator knows.
    pub(crate) questions: Vec<crate::asked::Question>,
    /// Profiles of files, by the names under which they are run (`custom:FILE`).
    pub(crate) customs: BTreeMap<String, Profile>,
    /// What the scheduler is configured with.
    pub(crate) scheduler: Option<Arc<crate::manifest::SchedulerConfig>>,
    /// One run each.
    pub seeds: Vec<u64>,
    /// What is ignored or assumed, and what else is worth knowing.
    pub notes: Vec<Note>,
}

/// A flag that differs from its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Only under this orchestrator; `None`: under each that has the flag.
    pub orchestrator: Option<String>,
    /// The orchestrator's own name for it.
    pub flag: String,
    /// As written.
    pub value: String,
}

/// A remark that does not keep a scenario from running.
#[derive(Clone, Debug)]
pub struct Note {
    /// Code, which `explain` describes.
    pub code: &'static str,
    /// Warning or remark.
    pub severity: Severity,
    /// What it says.
    pub text: String,
    /// Where: `file:line:column`.
    pub place: Option<String>,
}

impl From<Problem> for Note {
    fn from(problem: Problem) -> Self {
        let text = match &problem.help {
            Some(help) => format!("{} ({help})", problem.message),
            None => problem.message,
        };
        let place = problem.place.map(|place| place.to_string());
        Self { code: problem.code, severity: problem.severity, text, place }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.severity == Severity::Warning { "warning" } else { "note" };
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{word}[{}]: {}", self.code, self.text)
    }
}

impl Plan {
    /// The profile called `orchestrator` with this plan's overrides.
    ///
    /// # Errors
    /// When there is no such profile, when an override with that orchestrator's name does not fit it, or when overrides
    /// contradict each other.
    pub fn profile(&self, orchestrator: &str) -> Result<Profile, Diagnostics> {
        let mut profile = self.unset(orchestrator)?;
        if let Some(config) = self.scheduler.as_ref().filter(|_| profile.takes_scheduler_config) {
            config.apply(&mut profile);
        }
        for one in &self.overrides {
            let wanted = one
                .orchestrator
                .as_deref()
                .is_none_or(|name| name == orchestrator || name == Profile::family(orchestrator));
            let known = profile.flags.iter().any(|flag| flag.name == one.flag);
            // A flag for all orchestrators is meant for those that have it.
            if !wanted || (!known && one.orchestrator.is_none()) {
                continue;
            }
            if let Err(why) = profile.set(&one.flag, &one.value) {
                let text = format!("`{}={}` does not fit {orchestrator}", one.flag, one.value);
                let mut problem = Problem::bare("E0306", text);
                problem.expected = why.to_string();
                return Err(Diagnostics::one(problem));
            }
        }
        profile.validate().map_err(|wrong| {
            let mut problem = Problem::bare("E0306", format!("the settings of {orchestrator} contradict each other"));
            problem.expected = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            problem.help = Some("`shakedown list flags` shows all flags with their defaults".to_owned());
            Diagnostics::one(problem)
        })?;
        Ok(profile)
    }

    /// The profile called `orchestrator` without this plan's overrides.
    ///
    /// # Errors
    /// When there is no such profile, or when its file is broken.
    pub fn unset(&self, orchestrator: &str) -> Result<Profile, Diagnostics> {
        match self.customs.get(orchestrator) {
            Some(profile) => Ok(profile.clone()),
            None => profile_named(orchestrator),
        }
    }

    /// What workloads ask that `profile` does not honour: a warning a key.
    pub fn unhonoured(&self, profile: &Profile) -> Vec<Note> {
        crate::asked::unhonoured(&self.questions, std::slice::from_ref(profile))
    }

    /// This plan with one more override, written `flag=value` or `orchestrator.flag=value`.
    ///
    /// # Errors
    /// When the text has another form, when no orchestrator has the flag, or when the value does not fit.
    pub fn with_override(mut self, text: &str) -> Result<Self, Diagnostics> {
        let refuse = |message: String, help: Option<String>| {
            let mut problem = Problem::bare("E0306", message);
            problem.help = help;
            Diagnostics::one(problem)
        };
        let Some((flag, value)) = text.split_once('=') else {
            let help = "write `flag=value`, such as `node-monitor-grace-period=20s`".to_owned();
            return Err(refuse(format!("`{text}` is not an override"), Some(help)));
        };
        let (orchestrator, flag) = match flag.split_once('.') {
            Some((name, flag)) if Profile::NAMES.contains(&name) => (Some(name.to_owned()), flag),
            _ => (None, flag),
        };
        let profiles: Vec<Profile> = Profile::NAMES
            .iter()
            .filter(|name| orchestrator.as_deref().is_none_or(|wanted| wanted == **name))
            .filter_map(|name| Profile::named(name))
            .collect();
        let mut knowing = profiles.iter().filter(|profile| profile.flags.iter().any(|f| f.name == flag)).peekable();
        if knowing.peek().is_none() {
            return Err(refuse(format!("no orchestrator has a flag `{flag}`"), flag_help(flag, &profiles)));
        }
        for profile in knowing {
            if let Err(why) = profile.clone().set(flag, value) {
                return Err(refuse(format!("`{value}` is not a value of `{flag}`"), Some(why.to_string())));
            }
        }
        self.overrides.push(Override { orchestrator, flag: flag.to_owned(), value: value.to_owned() });
        Ok(self)
    }
}
