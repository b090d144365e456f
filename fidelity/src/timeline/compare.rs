//! A replay held against its recording: counts, times, order, peaks.
//!
//! Names and nodes are random in the original, and so are placements among equals: what is compared is how often each
//! class of event happens, when its n-th instance does, what comes before what, and how far counts of pods swing. Start at
//! [`compare`].

use std::collections::{BTreeMap, BTreeSet};

use crate::agreement::{Agreement, At, Check};
use crate::timeline::event::{Class, Event, by_class};

/// As many events of each class.
pub const COUNTS: Check = Check { name: "counts", about: "number of events of each kind, revision and owner" };
/// The n-th event of a class at the same time.
pub const TIMES: Check =
    Check { name: "times", about: "time of the n-th event of each class, within the stated tolerance" };
/// What always comes before what.
pub const ORDER: Check = Check { name: "order", about: "what precedes what between two actions of people" };
/// Most and fewest pods.
pub const PEAKS: Check =
    Check { name: "peaks", about: "fewest ready, most not terminating, most pods, per revision and in all" };

/// All checks of timelines.
pub const CHECKS: &[Check] = &[COUNTS, TIMES, ORDER, PEAKS];

/// How exactly times must agree.
#[derive(Clone, Debug)]
pub struct Tolerance {
    /// Seconds.
    pub seconds: f64,
    /// Why so many.
    pub because: &'static str,
    /// Seconds more for each so many seconds since the last action, and why: a chain of causes is late at each link.
    pub drift: Option<(f64, f64, &'static str)>,
    /// From when on, how many seconds, and why: a controller that looks only now and then has a part in what happens.
    pub later: Option<(f64, f64, &'static str)>,
    /// Kinds of events that something else delays, by their beginning: for how many seconds, and why.
    pub kinds: Vec<(&'static str, f64, &'static str)>,
}

impl Tolerance {
    /// The same everywhere.
    pub fn plain(seconds: f64, because: &'static str) -> Self {
        Self { seconds, because, drift: None, later: None, kinds: Vec::new() }
    }

    /// For an event of a kind at a time, `after` so many seconds since the last action.
    fn at(&self, (kind, time): (&str, f64), after: f64) -> f64 {
        let later = self.later.filter(|(from, ..)| time >= *from).map_or(0.0, |(_, seconds, _)| seconds);
        let own = self.kinds.iter().find(|(start, ..)| kind.starts_with(start)).map_or(0.0, |(_, seconds, _)| *seconds);
        let drift = self.drift.map_or(0.0, |(seconds, every, _)| seconds * (after / every).floor());
        // Nothing drifts by more than what a chain of so many links may have.
        (self.seconds + drift.min(MOST_DRIFT)).max(later).max(own)
    }
}

/// Seconds that a chain of causes may be late at most.
const MOST_DRIFT: f64 = 1.5;

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s ({})", self.seconds, self.because)?;
        if let Some((seconds, every, because)) = self.drift {
            write!(f, ", {seconds} s more every {every} s up to {MOST_DRIFT} s ({because})")?;
        }
        if let Some((from, seconds, because)) = self.later {
            write!(f, ", {seconds} s from {from:.1} s on ({because})")?;
        }
        for (kind, seconds, because) in &self.kinds {
            write!(f, ", {seconds} s for `{kind}` ({because})")?;
        }
        Ok(())
    }
}

/// Two timelines of one story.
pub struct Pair<'a> {
    /// The recording's name.
    pub name: &'a str,
    /// What really happened.
    pub real: &'a [Event],
    /// What happened in the replay.
    pub ours: &'a [Event],
    /// Pods at the trigger, and how many of them were ready.
    pub initial: (usize, usize),
    /// When people did something.
    pub actions: &'a [f64],
    /// How exactly.
    pub tolerance: &'a Tolerance,
}

/// Compares everything and counts it under the recording's kind.
pub fn compare(pair: &Pair<'_>, kind: &str, into: &mut Agreement) {
    let (real, ours) = (by_class(pair.real), by_class(pair.ours));
    let at = |subject: &str| (pair.name.to_owned(), subject.to_owned());
    let classes: BTreeSet<&Class> = real.keys().chain(ours.keys()).copied().collect();
    for class in classes {
        let none = Vec::new();
        let (wanted, got) = (real.get(class).unwrap_or(&none), ours.get(class).unwrap_or(&none));
        let (problem, subject) = at(&class.to_string());
        let place = At { problem: &problem, kind, subject: &subject };
        into.compare(COUNTS, place, &wanted.len(), &got.len());
        for (n, (wanted, got)) in wanted.iter().zip(got).enumerate() {
            let subject = format!("{class}, number {} of {}", n + 1, real[class].len());
            let place = At { problem: &problem, kind, subject: &subject };
            let since = pair.actions.iter().copied().filter(|at| at <= wanted).fold(0.0, f64::max);
            let tolerance = pair.tolerance.at((&class.kind, *wanted), wanted - since);
            let close = (wanted - got).abs() <= tolerance;
            let words = || (format!("{wanted:.3} s, within {tolerance} s"), format!("{got:.3} s"));
            into.verdict(TIMES, place, if close { Ok(()) } else { Err(words()) });
        }
    }
    order(pair, kind, into);
    peaks(pair, kind, into);
}

/// Nearer than this the recorded order of two events is noise, unless it is always the same.
const NOISE: f64 = 0.05;
/// An order that held so many times in a row is a rule.
const RULE: usize = 4;

/// For each stretch between two actions and each two classes in it: if all events of one came before all of the other, or
/// the n-th of one always before the n-th of the other, that must hold in the replay, too.
fn order(pair: &Pair<'_>, kind: &str, into: &mut Agreement) {
    let mut bounds: Vec<f64> = pair.actions.to_vec();
    bounds.push(f64::INFINITY);
    for (n, window) in bounds.windows(2).enumerate() {
        // An event that an action causes comes after it; one that comes just before belongs to the stretch before.
        let within = |event: &&Event| event.at >= window[0] - 0.001 && event.at < window[1] - 0.001;
        let real = ranks(pair.real.iter().filter(within));
        let ours = ranks(pair.ours.iter().filter(within));
        for (first, a) in &real {
            for (second, b) in &real {
                if first == second {
                    continue;
                }
                for (words, rule) in [("all", all_before as Rule), ("each", each_before as Rule)] {
                    let (Some(x), Some(y)) = (ours.get(first), ours.get(second)) else { continue };
                    // Workloads do not wait for each other: which comes first says something only beyond the tolerance.
                    let strangers = first.owner != second.owner && !first.owner.is_empty() && !second.owner.is_empty();
                    let since = if window[0].is_finite() { b[0].0 - window[0] } else { 0.0 };
                    let loose = pair.tolerance.at((&second.kind, b[0].0), since.max(0.0));
                    if !rule(a, b, if strangers { loose } else { NOISE }) {
                        continue;
                    }
                    let subject = format!("after action {}: {words} {first} before {second}", n + 1);
                    let place = At { problem: pair.name, kind, subject: &subject };
                    let holds = rule(x, y, f64::NEG_INFINITY);
                    let verdict = if holds { Ok(()) } else { Err(("so".to_owned(), "not so".to_owned())) };
                    into.verdict(ORDER, place, verdict);
                }
            }
        }
    }
}

/// Each event's time and its place in the order of the store.
type Ranked = Vec<(f64, usize)>;
type Rule = fn(&Ranked, &Ranked, f64) -> bool;

fn ranks<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeMap<&'a Class, Ranked> {
    let mut out: BTreeMap<&Class, Ranked> = BTreeMap::new();
    for (rank, event) in events.enumerate() {
        out.entry(&event.class).or_default().push((event.at, rank));
    }
    out
}

fn all_before(a: &Ranked, b: &Ranked, noise: f64) -> bool {
    let (Some(last), Some(first)) = (a.last(), b.first()) else { return false };
    last.1 < first.1 && (first.0 - last.0 >= noise || (noise <= NOISE && a.len().min(b.len()) >= RULE))
}

/// Of a replay, told by no noise at all, one event more of a class is no breach: it may fall just beyond the next action.
fn each_before(a: &Ranked, b: &Ranked, noise: f64) -> bool {
    (a.len() == b.len() || noise < 0.0)
        && a.len() > 1
        && a.iter().zip(b).all(|(a, b)| a.1 < b.1 && (b.0 - a.0 >= noise || noise < 0.0))
}

/// What is counted over time.
#[derive(Clone, Copy, Debug, Default)]
struct Swing {
    ready: i64,
    active: i64,
    total: i64,
    fewest_ready: i64,
    most_active: i64,
    most: i64,
}

fn peaks(pair: &Pair<'_>, kind: &str, into: &mut Agreement) {
    let real = swing(pair.real, pair.initial);
    let ours = swing(pair.ours, pair.initial);
    for (word, real, ours) in [
        ("fewest ready", real.fewest_ready, ours.fewest_ready),
        ("most not terminating", real.most_active, ours.most_active),
        ("most pods", real.most, ours.most),
    ] {
        into.compare(PEAKS, At { problem: pair.name, kind, subject: word }, &real, &ours);
    }
}

fn swing(events: &[Event], initial: (usize, usize)) -> Swing {
    let (pods, ready) = (initial.0 as i64, initial.1 as i64);
    let mut now = Swing { ready, active: pods, total: pods, fewest_ready: ready, most_active: pods, most: pods };
    let mut is_ready: BTreeMap<&str, bool> = BTreeMap::new();
    let mut unknown_ready = ready;
    for event in events {
        let object = event.object.as_str();
        match event.class.kind.as_str() {
            "created" => {
                is_ready.insert(object, false);
                now.active += 1;
                now.total += 1;
            }
            "ready" => {
                is_ready.insert(object, true);
                now.ready += 1;
            }
            "notready" | "deleting" => {
                let was = match is_ready.insert(object, false) {
                    Some(was) => was,
                    None => {
                        unknown_ready -= 1;
                        unknown_ready >= 0
                    }
                };
                now.ready -= i64::from(was);
                now.active -= i64::from(event.class.kind == "deleting");
            }
            "gone" => now.total -= 1,
            _ => {}
        }
        now.fewest_ready = now.fewest_ready.min(now.ready);
        now.most_active = now.most_active.max(now.active);
        now.most = now.most.max(now.total);
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: f64, kind: &str, object: &str) -> Event {
        let class = Class { kind: kind.to_owned(), revision: "v1".to_owned(), owner: String::new() };
        Event { at, class, object: object.to_owned(), node: None }
    }

    fn story(shift: f64) -> Vec<Event> {
        let one = |t: f64, pod: &str| [event(t, "created", pod), event(t + 1.0, "ready", pod)];
        [one(0.1, "a"), one(2.0 + shift, "b")].concat()
    }

    fn disagreements(ours: &[Event]) -> Vec<&'static str> {
        let tolerance = Tolerance::plain(0.5, "a test");
        let mut into = Agreement::new("x", "timelines", CHECKS);
        let real = story(0.0);
        let pair = Pair { name: "x", real: &real, ours, initial: (0, 0), actions: &[0.0], tolerance: &tolerance };
        compare(&pair, "x", &mut into);
        into.disagreements.iter().map(|d| d.check).collect()
    }

    #[test]
    fn each_check_can_fail() {
        assert!(disagreements(&story(0.2)).is_empty());
        assert_eq!(disagreements(&story(0.7)), ["times", "times"]);
        assert!(disagreements(&story(0.0)[..3]).contains(&"counts"));
        let mut swapped = story(0.0);
        swapped[0].at = 1.3;
        swapped[1].at = 1.2;
        swapped.swap(0, 1);
        assert!(disagreements(&swapped).contains(&"order"), "{:?}", disagreements(&swapped));
        let mut crowd = story(0.0);
        crowd.insert(2, event(1.2, "created", "c"));
        assert!(disagreements(&crowd).contains(&"peaks"));
    }
}
