//! What a comparison with recordings of standalone Swarm found, for people and for programs.

use serde_json::{Value, json};

/// Seeds that a recorded time is compared with.
pub(super) const SEEDS: u64 = 1_000;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Recorded decisions, and those that the model agrees with.
    pub placements: (u32, u32),
    /// A recorded time each.
    pub times: Vec<Timed>,
    /// What disagrees, in words.
    pub differences: Vec<String>,
}

/// A recorded time and where it lies among those of the seeds.
#[derive(Debug)]
pub struct Timed {
    /// File.
    pub file: String,
    /// `detection` or `return`.
    pub what: &'static str,
    /// Recorded, in seconds.
    pub recorded: f64,
    /// 0.1, 5, 50, 95 and 99.9 % of the seeds.
    pub band: [f64; 5],
}

impl Timed {
    /// It lies within 5 to 95 %.
    pub fn usual(&self) -> bool {
        (self.band[1]..=self.band[3]).contains(&self.recorded)
    }

    /// It lies within 0.1 to 99.9 %.
    pub fn possible(&self) -> bool {
        (self.band[0]..=self.band[4]).contains(&self.recorded)
    }
}

impl Timed {
    /// Where it lies.
    pub fn word(&self) -> &'static str {
        match (self.usual(), self.possible()) {
            (true, _) => "usual",
            (_, true) => "rare",
            _ => "never",
        }
    }
}

impl Found {
    /// All placements agree, nine of ten times are usual and none is impossible.
    pub fn agrees(&self) -> bool {
        let usual = self.times.iter().filter(|time| time.usual()).count();
        let possible = self.times.iter().all(Timed::possible);
        self.placements.0 == self.placements.1 && usual * 10 >= self.times.len() * 9 && possible
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let times = self.times.iter().map(|time| {
            let [lowest, low, middle, high, highest] = time.band;
            json!({
                "file": time.file, "what": time.what, "recorded": time.recorded, "verdict": time.word(),
                "model": { "p0.1": lowest, "p5": low, "p50": middle, "p95": high, "p99.9": highest },
            })
        });
        json!({
            "agrees": self.agrees(), "seeds": SEEDS, "times": times.collect::<Vec<_>>(),
            "placements": { "compared": self.placements.0, "agreed": self.placements.1 },
            "differences": self.differences,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let usual = self.times.iter().filter(|time| time.usual()).count();
        let possible = self.times.iter().filter(|time| time.possible()).count();
        let (all, agree) = self.placements;
        let mut text = format!("placements: {agree} of {all} are among the model's choices\n");
        text += &format!(
            "times: {usual} of {} within 5-95 % of {SEEDS} seeds, {possible} within 0.1-99.9 %\n",
            self.times.len()
        );
        for time in &self.times {
            let [_, low, middle, high, _] = time.band;
            text += &format!(
                "  {:<5} {:<9} {:>7.2} s  model {low:.1} / {middle:.1} / {high:.1} s  {}\n",
                time.word(),
                time.what,
                time.recorded,
                time.file
            );
        }
        self.differences.iter().fold(text, |text, line| text + "  " + line + "\n")
    }
}
