//! What files ask of the orchestrator that not every orchestrator knows.
//!
//! A key that only some profiles honour is noted with its wish when it is read. Under which profile a plan is run is only
//! known later, so what has no effect is worked out for each profile by itself. Start at [`Asked::unhonoured`].

use std::collections::BTreeMap;

use shakedown_engine::profile::{Profile, Wish};

use crate::plan::Note;
use crate::problem::{Mark, Problems, Severity};

/// Keys with wishes: where each stood first, and how often it was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    by_path: BTreeMap<(String, Wish), (Mark, u32)>,
}

/// A key with a wish, its place written out.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    path: String,
    wish: Wish,
    times: u32,
    place: String,
}

impl Asked {
    /// Notes a key.
    pub(crate) fn note(&mut self, path: &str, wish: Wish, mark: Mark) {
        self.by_path.entry((path.to_owned(), wish)).or_insert((mark, 0)).1 += 1;
    }

    /// All of it, in the order of the text.
    pub(crate) fn questions(self, problems: &Problems) -> Vec<Question> {
        let mut found: Vec<_> = self.by_path.into_iter().collect();
        found.sort_by_key(|(_, (mark, _))| (mark.source, mark.start));
        let question = |((path, wish), (mark, times))| Question { path, wish, times, place: problems.locate(mark) };
        found.into_iter().map(question).collect()
    }
}

/// What of it has no effect under these profiles: a note a key, which names those that do not honour it.
pub(crate) fn unhonoured(questions: &[Question], profiles: &[Profile]) -> Vec<Note> {
    let mut notes = Vec::new();
    for Question { path, wish, times, place } in questions {
        let deaf: Vec<&str> =
            profiles.iter().filter(|profile| !profile.honours(*wish)).map(|profile| &*profile.name).collect();
        if deaf.is_empty() {
            continue;
        }
        let often = if *times == 1 { String::new() } else { format!(" ({times} times)") };
        let have = if deaf.len() == 1 { "has" } else { "have" };
        let text = format!("`{path}` is not honoured{often}: {} {have} no {}", deaf.join(", "), wish.meaning());
        notes.push(Note { code: "W0619", severity: Severity::Warning, text, place: Some(place.clone()) });
    }
    notes
}
