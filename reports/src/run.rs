//! One finished run, as reports get it: who ran what, and everything that happened.
//!
//! Not the engine: nothing here can be asked what it would have done. Start at [`Run`].

use std::sync::Arc;

use shakedown_chaos::experiment::Experiment;
use shakedown_engine::fact::{Digest, Fact, FactId};
use shakedown_engine::model::Catalog;
use shakedown_engine::profile::Profile;
use shakedown_engine::time::Time;

/// One finished run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The scenario, as it was named on the command line; the replay command repeats it.
    pub scenario: String,
    /// What the scenario is about, in its author's words.
    pub about: String,
    /// The column heading of this run: the profile's name, perhaps with the variant (`kubernetes (grace 20s)`).
    pub orchestrator: String,
    /// All randomness came from this.
    pub seed: u64,
    /// Fingerprint of all facts.
    pub digest: Digest,
    /// When the run ended.
    pub end: Time,
    /// What was declared.
    pub catalog: Arc<Catalog>,
    /// The orchestrator and its settings.
    pub profile: Profile,
    /// Timeline, load and expectations.
    pub experiment: Arc<Experiment>,
    /// Everything that happened, in order; the fact with number `n` is at index `n - 1`.
    pub facts: Vec<Fact>,
    /// What was ignored or could not be done, one sentence each.
    pub notes: Vec<String>,
}

impl Run {
    /// The fact with this number.
    pub fn fact(&self, id: FactId) -> Option<&Fact> {
        let index = (id.0 as usize).checked_sub(1)?;
        self.facts.get(index).filter(|fact| fact.id == id)
    }

    /// What somebody types to see the same run again, byte by byte.
    pub fn replay_command(&self) -> String {
        let mut command = format!(
            "shakedown run {} --orchestrator {} --seed {}",
            shell_word(&self.scenario),
            self.profile.name,
            self.seed
        );
        for (flag, value) in crate::assumptions::overridden(&self.profile) {
            command.push_str(&format!(" --set {}", shell_word(&format!("{flag}={value}"))));
        }
        command
    }
}

/// Quotes what a shell would take apart.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn words_for_a_shell_are_quoted_only_when_they_must_be() {
        assert_eq!(shell_word("scenarios/library/burning-server.yaml"), "scenarios/library/burning-server.yaml");
        assert_eq!(shell_word("it's $(here)"), r"'it'\''s $(here)'");
    }
}
