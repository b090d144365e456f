//! Values of a sequence of events, the same for recordings and for runs.
//!
//! A value has a name; what has no counterpart on the other side is not compared. Start at [`values`].

use super::event::{Event, What};
use super::story::{Act, Kind, Story};

/// Steps of one plan lie closer together than this, seconds.
const ONE_PLAN: f64 = 0.2;

/// Values that timers decide, by name.
pub(super) fn values(story: &Story, events: &[Event]) -> Vec<(String, f64)> {
    match story.kind {
        Kind::Kill => kill(events),
        Kind::Silence => silence(story, events),
        Kind::Crash => crash(events),
        Kind::Update => update(events),
        Kind::Drain => steps(events, true),
        Kind::Scale => scale(events),
    }
}

/// What must be the same in every run: counts and orders, in words.
pub(super) fn exact(story: &Story, events: &[Event]) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    match (story.kind, &story.act) {
        (Kind::Silence, Act::Cut { seconds, .. }) if *seconds < 10.0 => {
            facts.push(("nothing happens".to_owned(), (count(events, |w| w == What::Down) == 0).to_string()));
        }
        (Kind::Crash, Act::Submit { batch }) => {
            if *batch {
                facts.push(("starts".to_owned(), count(events, |w| w == What::Started).to_string()));
            }
            facts.push(("starts of each allocation".to_owned(), starts_of_each(events)));
        }
        (Kind::Scale, Act::Scale { to }) => {
            let mut slots: Vec<u32> = events.iter().filter_map(|e| stopped(e.what)).collect();
            slots.sort_unstable();
            facts.push(("names stopped".to_owned(), format!("{slots:?}")));
            let placed = if *to > story.count { count(events, |w| placed(w).is_some()) } else { 0 };
            facts.push(("placed".to_owned(), placed.to_string()));
        }
        (Kind::Update, _) => {
            let sizes: Vec<usize> = grouped(events).iter().map(|step| step.1).collect();
            if count(events, |w| w == What::DeploymentFailed) == 0 {
                facts.push(("old allocations stopped a step".to_owned(), format!("{sizes:?}")));
            }
            let ends: Vec<What> = events
                .iter()
                .map(|e| e.what)
                .filter(|w| matches!(w, What::DeploymentFailed | What::Promoted | What::Successful))
                .collect();
            facts.push(("order".to_owned(), format!("{ends:?}")));
        }
        (Kind::Kill, _) => {
            let down = events.iter().position(|e| e.what == What::Down);
            let first = events.iter().position(|e| placed(e.what).is_some());
            facts.push(("placed only after down".to_owned(), (down < first || first.is_none()).to_string()));
        }
        _ => {}
    }
    facts
}

fn count(events: &[Event], wanted: impl Fn(What) -> bool) -> usize {
    events.iter().filter(|event| wanted(event.what)).count()
}

fn placed(what: What) -> Option<u32> {
    if let What::Placed(slot) = what { Some(slot) } else { None }
}

fn stopped(what: What) -> Option<u32> {
    if let What::Stopped(slot) = what { Some(slot) } else { None }
}

fn first(events: &[Event], wanted: impl Fn(What) -> bool) -> Option<f64> {
    events.iter().find(|event| wanted(event.what)).map(|event| event.at)
}

fn kill(events: &[Event]) -> Vec<(String, f64)> {
    let Some(down) = first(events, |w| w == What::Down) else { return Vec::new() };
    let after = events.iter().find(|e| e.at >= down - 0.05 && placed(e.what).is_some()).map(|e| e.at - down);
    [Some(("down".to_owned(), down)), after.map(|t| ("placed after down".to_owned(), t.max(0.0)))]
        .into_iter()
        .flatten()
        .collect()
}

fn silence(story: &Story, events: &[Event]) -> Vec<(String, f64)> {
    let Act::Cut { seconds, .. } = story.act else { return Vec::new() };
    let Some(down) = first(events, |w| w == What::Down) else { return Vec::new() };
    let mut values = vec![("down".to_owned(), down)];
    if let Some(ready) = events.iter().find(|e| e.what == What::Ready && e.at > seconds).map(|e| e.at) {
        values.push(("ready after the heal".to_owned(), ready - seconds));
        if let Some(killed) = events.iter().find(|e| e.what == What::Exited && e.at >= seconds).map(|e| e.at) {
            values.push(("old ones stopped after ready".to_owned(), killed - ready));
        }
    }
    values
}

fn crash(events: &[Event]) -> Vec<(String, f64)> {
    let mut values = Vec::new();
    let mut ended: Option<Event> = None;
    let mut rounds = 0;
    for event in events {
        match event.what {
            What::Exited => ended = Some(*event),
            What::Started => {
                let Some(end) = ended.take() else { continue };
                if end.alloc == event.alloc {
                    values.push((format!("restart {}", values.len() + 1), event.at - end.at));
                } else {
                    rounds += 1;
                    values.push((format!("placed anew {rounds}"), event.at - end.at));
                }
            }
            _ => {}
        }
    }
    values
}

fn starts_of_each(events: &[Event]) -> String {
    let mut counts: Vec<(u64, u32)> = Vec::new();
    for event in events.iter().filter(|event| event.what == What::Started) {
        match counts.last_mut() {
            Some(last) if last.0 == event.alloc => last.1 += 1,
            _ => counts.push((event.alloc, 1)),
        }
    }
    // The last one may still be at it when the recording ends.
    counts.pop();
    format!("{:?}", counts.iter().map(|c| c.1).take(3).collect::<Vec<_>>())
}

/// When allocations were told to stop: first of a plan, and how many.
fn grouped(events: &[Event]) -> Vec<(f64, usize)> {
    let mut steps: Vec<(f64, usize)> = Vec::new();
    for event in events.iter().filter(|event| stopped(event.what).is_some()) {
        match steps.last_mut() {
            Some(last) if event.at - last.0 < ONE_PLAN => last.1 += 1,
            _ => steps.push((event.at, 1)),
        }
    }
    steps
}

/// The first step and the times between steps.
fn steps(events: &[Event], draining: bool) -> Vec<(String, f64)> {
    let steps = grouped(events);
    let mut values = Vec::new();
    if let (Some(first), true) = (steps.first(), draining) {
        values.push(("first step".to_owned(), first.0));
    }
    for (i, pair) in steps.windows(2).enumerate() {
        values.push((format!("step {} after the one before", i + 2), pair[1].0 - pair[0].0));
    }
    values
}

fn update(events: &[Event]) -> Vec<(String, f64)> {
    let failed = first(events, |w| w == What::DeploymentFailed);
    let mut values = if failed.is_some() { Vec::new() } else { steps(events, false) };
    values.extend(failed.map(|at| ("deployment failed".to_owned(), at)));
    let promoted = first(events, |w| w == What::Promoted);
    if let Some(promoted) = promoted {
        let next = events.iter().find(|e| e.at >= promoted - 0.05 && stopped(e.what).is_some());
        values.extend(next.map(|e| ("first step after the promotion".to_owned(), (e.at - promoted).max(0.0))));
    }
    let done = events.iter().rfind(|e| e.what == What::Successful).map(|e| e.at);
    if let Some(done) = done {
        let last = events.iter().rfind(|e| placed(e.what).is_some()).map_or(0.0, |e| e.at);
        values.push(("successful after the last step".to_owned(), done - last));
    }
    values
}

fn scale(events: &[Event]) -> Vec<(String, f64)> {
    let decided = first(events, |w| placed(w).is_some() || stopped(w).is_some());
    let times: Vec<f64> =
        events.iter().filter(|e| placed(e.what).is_some() || stopped(e.what).is_some()).map(|e| e.at).collect();
    let spread = times.iter().copied().fold(0.0, f64::max) - decided.unwrap_or(0.0);
    decided
        .map(|at| vec![("decided".to_owned(), at)].into_iter().filter(|_| spread < ONE_PLAN).collect())
        .unwrap_or_default()
}
