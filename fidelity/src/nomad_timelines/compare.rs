//! Where recorded values lie among those of many runs.
//!
//! Start at [`Found::add`].

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::event::recorded;
use super::measure::{exact, values};
use super::stage::play;
use super::story::Story;

/// One value of one recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Of which recording.
    pub recording: String,
    /// Which value.
    pub name: String,
    /// What was recorded.
    pub recorded: f64,
    /// Of the runs: 0.1 %, 5 %, 50 %, 95 % and 99.9 % marks.
    pub marks: [f64; 5],
}

impl Verdict {
    /// Between the 5 % and the 95 % mark.
    pub fn inside(&self) -> bool {
        (self.marks[1]..=self.marks[3]).contains(&self.recorded)
    }

    /// Outside of 0.1-99.9 %.
    pub fn outside(&self) -> bool {
        !(self.marks[0]..=self.marks[4]).contains(&self.recorded)
    }
}

/// What one run shows: values by name, and what must be the same in all.
type Shown = (Vec<(String, f64)>, Vec<(String, String)>);

/// So many runs of a story, in the order of seeds, on all cores.
fn runs(story: &Story, seeds: u64) -> Vec<Shown> {
    let one = |seed| {
        let events = play(story, seed);
        (values(story, &events), exact(story, &events))
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let share = seeds.div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let begins = (0..seeds).step_by(usize::try_from(share).unwrap_or(usize::MAX));
        let threads: Vec<_> = begins
            .map(|begin| scope.spawn(move || (begin..seeds.min(begin + share)).map(one).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    })
}

/// What came of all timelines.
#[derive(Clone, Debug, Default)]
pub struct Found {
    seeds: u64,
    /// Every value.
    pub values: Vec<Verdict>,
    /// What must be the same in all runs: recording, name, recorded, runs out of a thousand that agree.
    pub exact: Vec<(String, String, String, u64)>,
    /// Recordings of a kind that is not compared.
    pub skipped: Vec<String>,
    /// Runs of stories that came before.
    played: Vec<(Story, Played)>,
}

/// All runs of a story.
#[derive(Clone, Debug, Default)]
struct Played {
    values: BTreeMap<String, Vec<f64>>,
    exact: BTreeMap<(String, String), u64>,
}

impl Found {
    /// Nothing yet.
    pub fn new(seeds: u64) -> Self {
        Self { seeds, ..Self::default() }
    }

    /// Compares a recording.
    ///
    /// # Errors
    /// When it does not say what is needed to set it up again.
    pub fn add(&mut self, json: &Value) -> Result<(), String> {
        let name = json["name"].as_str().ok_or("it has no `name`")?.to_owned();
        let Some(story) = Story::of(json)? else {
            self.skipped.push(name);
            return Ok(());
        };
        let job = json["settings"]["jobs"][0].as_str().ok_or("it names no job")?;
        let events = recorded(json, job, json["settings"]["nodes"][0].as_str());
        let played = self.play(&story);
        for (value, at) in values(&story, &events) {
            let Some(sample) = self.played[played].1.values.get(&value) else { continue };
            let mark = |permille: usize| sample[(sample.len() - 1) * permille / 1_000];
            let marks = [mark(1), mark(50), mark(500), mark(950), mark(999)];
            self.values.push(Verdict { recording: name.clone(), name: value, recorded: at, marks });
        }
        for (fact, said) in exact(&story, &events) {
            let agree = self.played[played].1.exact.get(&(fact.clone(), said.clone())).copied().unwrap_or(0);
            self.exact.push((name.clone(), fact, said, agree * 1_000 / self.seeds.max(1)));
        }
        Ok(())
    }

    /// The runs of a story, made once.
    fn play(&mut self, story: &Story) -> usize {
        if let Some(found) = self.played.iter().position(|(known, _)| known == story) {
            return found;
        }
        let mut played = Played::default();
        for (found, facts) in runs(story, self.seeds) {
            for (name, value) in found {
                played.values.entry(name).or_default().push(value);
            }
            for fact in facts {
                *played.exact.entry(fact).or_default() += 1;
            }
        }
        played.values.values_mut().for_each(|sample| sample.sort_by(f64::total_cmp));
        self.played.push((story.clone(), played));
        self.played.len() - 1
    }

    /// Nine of ten values inside their bands, none outside of 0.1-99.9 %, and everything exact seen in at least one run
    /// of twenty.
    pub fn holds(&self) -> bool {
        let inside = self.values.iter().filter(|value| value.inside()).count();
        inside * 10 >= self.values.len() * 9
            && !self.values.iter().any(Verdict::outside)
            && self.exact.iter().all(|fact| fact.3 >= 50)
    }

    /// One line of sums.
    pub fn summary(&self) -> String {
        let inside = self.values.iter().filter(|value| value.inside()).count();
        let outside = self.values.iter().filter(|value| value.outside()).count();
        let agreed = self.exact.iter().filter(|fact| fact.3 >= 50).count();
        format!(
            "{} of {} values in the 5-95 % band of {} runs, {outside} outside 0.1-99.9 %; {agreed} of {} orders and counts as recorded; {} recordings not compared",
            inside,
            self.values.len(),
            self.seeds,
            self.exact.len(),
            self.skipped.len()
        )
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("nomad timelines: {}\n", self.summary());
        for value in self.values.iter().filter(|value| !value.inside()) {
            let [_, low, middle, high, _] = value.marks;
            let word = if value.outside() { "outside" } else { "at the edge" };
            let _ = writeln!(
                text,
                "  {word}: {} {}: recorded {:.3}, runs {low:.3} {middle:.3} {high:.3}",
                value.recording, value.name, value.recorded
            );
        }
        for (recording, name, said, agree) in self.exact.iter().filter(|fact| fact.3 < 50) {
            let _ = writeln!(text, "  differs: {recording} {name}: recorded {said}, in {agree} of 1,000 runs");
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let values = self.values.iter().map(|value| {
            json!({ "recording": value.recording, "value": value.name, "recorded": value.recorded, "marks": value.marks,
                "inside": value.inside(), "outside": value.outside() })
        });
        let exact = self.exact.iter().map(|(recording, name, said, agree)| {
            json!({ "recording": recording, "fact": name, "recorded": said, "runs_permille": agree })
        });
        json!({ "summary": self.summary(), "holds": self.holds(), "values": values.collect::<Vec<_>>(),
            "exact": exact.collect::<Vec<_>>(), "not_compared": self.skipped })
    }

    /// A table for the page of the documentation: each kind of value, where the recorded ones lie.
    pub fn rows(&self) -> String {
        let mut text =
            String::from("| recording | value | recorded | 5 % | 50 % | 95 % |\n|---|---|---|---|---|---|\n");
        for value in &self.values {
            let [_, low, middle, high, _] = value.marks;
            let mark = if value.outside() {
                " **outside**"
            } else if value.inside() {
                ""
            } else {
                " (edge)"
            };
            let _ = writeln!(
                text,
                "| {} | {} | {:.2}{mark} | {low:.2} | {middle:.2} | {high:.2} |",
                value.recording, value.name, value.recorded
            );
        }
        text
    }
}
