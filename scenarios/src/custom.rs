//! Profiles of one's own, from files: any shipped profile with other values, groups of others, weights and words.
//!
//! They are called `custom:FILE` wherever an orchestrator is named. Everything that is wrong with such a file is found at
//! once, with its place. Start at [`profile_named`].

use shakedown_engine::profile::{Group, Profile, Words};

use crate::check::documents;
use crate::plan::Note;
use crate::problem::{Diagnostics, Problem, Problems};
use crate::raw::{CustomFileRaw, CustomRaw, WordsRaw};
use crate::text::{At, Decode, Disk, Files, NAME, is_name, suggestion};

/// What stands before the file of a profile of one's own.
pub const CUSTOM: &str = "custom:";

/// The profile called `name`: a shipped one, one of its releases, or that of a file, `custom:FILE`.
///
/// # Errors
/// When there is none of this name, and everything that is wrong with its file.
pub fn profile_named(name: &str) -> Result<Profile, Diagnostics> {
    if let Some(file) = name.strip_prefix(CUSTOM) {
        let mut problems = Problems::default();
        let profile = load(file, &Disk, &mut problems);
        let _: Vec<Note> = problems.verdict()?.into_iter().map(Note::from).collect();
        return profile.ok_or_else(|| Diagnostics::one(Problem::bare("E0101", format!("`{file}` could not be read"))));
    }
    Profile::named(name).ok_or_else(|| {
        let mut problem = Problem::bare("E0305", format!("there is no orchestrator `{name}`"));
        problem.help = suggestion(name, Profile::all_names());
        Diagnostics::one(problem)
    })
}

/// The profile of a file; `None`, with problems filed, when it is broken.
pub(crate) fn load(file: &str, files: &dyn Files, problems: &mut Problems) -> Option<Profile> {
    let before = problems.errors();
    let documents = documents(file, files, problems)?;
    let raw = CustomFileRaw::decode(&documents[0], problems)?.profile;
    let profile = compose(&raw, problems)?;
    if problems.errors() > before {
        return None;
    }
    if let Err(wrong) = profile.validate() {
        let reasons: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        problems
            .error("E0306", raw.name.mark, "the values of this profile contradict each other")
            .expected(reasons.join("; "));
        return None;
    }
    Some(profile)
}

fn compose(raw: &CustomRaw, problems: &mut Problems) -> Option<Profile> {
    if !is_name(&raw.name.value) {
        problems.error("E0204", raw.name.mark, format!("`{}` cannot be a name", raw.name.value)).expected(NAME);
    } else if Profile::named(&raw.name.value).is_some() {
        problems
            .error("E0308", raw.name.mark, format!("`{}` is a shipped profile", raw.name.value))
            .expected("expected a name of its own");
    }
    let base = shipped(&raw.from, problems)?;
    let wanted = [
        &raw.placement,
        &raw.detection,
        &raw.eviction,
        &raw.replication,
        &raw.restart,
        &raw.rollout,
        &raw.agent,
        &raw.discovery,
        &raw.control,
    ];
    let mut groups = Vec::new();
    for ((_, group), raw) in Group::ALL.into_iter().zip(wanted) {
        let donor = raw.as_ref().and_then(|raw| shipped(&raw.from, problems));
        groups.extend(donor.map(|donor| (group, donor)));
    }
    let mut profile = base.with_groups(&groups);
    profile.name = raw.name.value.clone().into();
    if let Some(version) = &raw.version {
        profile.version = version.clone().into();
    }
    if let Some(words) = &raw.words {
        profile.words = own_words(profile.words, words);
    }
    weights(raw, &mut profile, problems);
    values(raw, &mut profile, problems);
    Some(profile)
}

fn shipped(name: &At<String>, problems: &mut Problems) -> Option<Profile> {
    let found = Profile::named(&name.value);
    if found.is_none() {
        problems
            .error("E0305", name.mark, format!("there is no orchestrator `{}`", name.value))
            .expected("expected the name of a shipped profile or of one of its releases")
            .suggest(&name.value, Profile::all_names());
    }
    found
}

/// Words live as long as the program, as those of shipped profiles do.
fn own_words(words: Words, own: &WordsRaw) -> Words {
    let keep = |text: &Option<String>, former: &'static str| match text {
        Some(text) => &*Box::leak(text.clone().into_boxed_str()),
        None => former,
    };
    Words {
        pod: keep(&own.pod, words.pod),
        workload: keep(&own.workload, words.workload),
        unhealthy: keep(&own.unhealthy, words.unhealthy),
    }
}

fn weights(raw: &CustomRaw, profile: &mut Profile, problems: &mut Problems) {
    let known = Profile::known_scores();
    for (name, weight) in &raw.scores.0 {
        let Some((_, score)) = known.iter().find(|(known, _)| *known == name.value) else {
            problems
                .error("E0205", name.mark, format!("there is no score `{}`", name.value))
                .expected("expected a score of some profile")
                .suggest(&name.value, known.iter().map(|(known, _)| known.as_str()));
            continue;
        };
        let scores = &mut profile.placement.scores;
        scores.retain(|(other, _)| other != score);
        if weight.value > 0 {
            scores.push((*score, i64::from(weight.value)));
        }
    }
}

fn values(raw: &CustomRaw, profile: &mut Profile, problems: &mut Problems) {
    for (flag, value) in &raw.set.0 {
        let Ok(known) = profile.flag(&flag.value) else {
            let problem = problems
                .error("E0306", flag.mark, format!("no flag of `{}` is called `{}`", profile.name, flag.value))
                .expected("expected a flag of the profile it starts from, or of a group that it takes over");
            match flag_help(&flag.value, std::slice::from_ref(profile)) {
                Some(help) => drop(problem.help(help)),
                None => drop(problem),
            }
            continue;
        };
        if let Err(why) = profile.set(&flag.value, &value.value.0) {
            problems
                .error("E0306", value.mark, format!("`{}` is not a value of `{}`", value.value.0, flag.value))
                .expected(why.to_string())
                .help(format!("`{}`: {}", known.name, known.doc));
        }
    }
}

/// The nearest flag of these profiles, with what it means; or whose flag it is otherwise.
pub(crate) fn flag_help(word: &str, profiles: &[Profile]) -> Option<String> {
    let all = || profiles.iter().flat_map(|profile| profile.flags);
    let near = suggestion(word, all().map(|flag| flag.name));
    let named = near.as_deref().and_then(|text| text.strip_prefix("did you mean `")?.split('`').next());
    if let Some(flag) = named.and_then(|name| all().find(|flag| flag.name == name)) {
        return Some(format!("did you mean `{}`? {}", flag.name, flag.doc));
    }
    let others = Profile::NAMES.iter().filter_map(|name| Profile::named(name));
    let owner = others.into_iter().find_map(|profile| {
        let flag = profile.flags.iter().find(|flag| flag.name == word)?;
        Some(format!("it is a flag of {}: {}", profile.name, flag.doc))
    });
    owner.or(near)
}
