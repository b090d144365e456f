//! Values that are read out of what an observer saw, the same way for a recording and for a run of ours.
//!
//! Start at [`values`]; [`milestones`] is for the order of events.

use std::collections::BTreeMap;

use crate::swarm::view::View;

/// Under which a value is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A moment, driven by a timer.
    Time,
    /// A moment that only the machine decides: nothing waits for a timer. Shown, but not part of the rule.
    Latency,
    /// A number of something.
    Number,
}

/// What the experiment was, as far as reading depends on it.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The host that was hurt.
    pub victim: Option<String>,
    /// When the fault was lifted.
    pub heal: Option<f64>,
    /// When the recording ends.
    pub ends: f64,
    /// Containers before the fault.
    pub wanted: f64,
    /// What moments of tasks are: in experiments without timers only the machine decides them.
    pub moments: Class,
}

/// Named values. What did not happen has none.
pub type Values = BTreeMap<(Class, String), f64>;

/// Longer lists are compared by their first, middle and last member.
const WHOLE: usize = 12;

/// All values of what was seen.
pub fn values(view: &View, scope: &Scope) -> Values {
    let mut all = Values::new();
    nodes(view, scope, &mut all);
    tasks(view, scope, &mut all);
    // That it began is the answer to the command, not a moment of its own.
    for (t, state) in view.updates.iter().filter(|(_, state)| state != "updating") {
        all.entry((Class::Time, format!("update {state}"))).or_insert(*t);
    }
    numbers(view, scope, &mut all);
    all
}

fn nodes(view: &View, scope: &Scope, all: &mut Values) {
    let mut time = |name: &str, at: Option<f64>| {
        if let Some(at) = at {
            all.insert((Class::Time, name.to_owned()), at);
        }
    };
    let victim = scope.victim.as_deref();
    time("node Down", view.node((victim, &["down"]), 0.0));
    let Some(heal) = scope.heal else { return };
    if view.node((victim, &["down"]), 0.0).is_some() {
        time("node Ready after heal", view.node((victim, &["ready"]), heal).map(|at| at - heal));
    }
    let Some(on) = victim.and_then(|victim| view.live_on.get(victim)) else { return };
    let before = on.iter().rev().find(|(t, _)| *t <= heal).map_or(0.0, |sample| sample.1);
    let gone = on.iter().find(|(t, live)| *t > heal && *live == 0.0);
    if before > 0.0 {
        time("old tasks stopped after heal", gone.map(|gone| gone.0 - heal));
    }
}

fn tasks(view: &View, scope: &Scope, all: &mut Values) {
    let heal = scope.heal.unwrap_or(f64::MAX);
    let lists = [
        ("task created", view.moments(|task| task.created)),
        ("task started", view.moments(|task| task.starting.filter(|_| !task.old))),
        ("task running", view.moments(|task| task.running.filter(|_| !task.old))),
        ("old task told to stop", view.moments(|task| task.told.filter(|_| task.old))),
        ("old task ended", view.moments(|task| task.ended.filter(|_| task.old))),
    ];
    for (name, list) in lists {
        let within = list.iter().filter(|t| **t <= scope.ends).count();
        all.insert((Class::Number, format!("{name}: how often")), within as f64);
        for (n, t) in list.iter().enumerate().take(WHOLE) {
            all.insert((scope.moments, format!("{name} {}", n + 1)), *t);
        }
    }
    // Old tasks of a lost host end with its return: from there the time counts.
    if scope.heal.is_some() {
        let ended = view.moments(|task| task.ended.filter(|_| task.old));
        if let Some(last) = ended.iter().rfind(|t| **t > heal) {
            all.insert((Class::Time, "old tasks known as ended after heal".to_owned()), last - heal);
        }
    }
}

fn numbers(view: &View, scope: &Scope, all: &mut Values) {
    let mut number = |name: &str, value: f64| all.insert((Class::Number, name.to_owned()), value);
    let range = |series: &[(f64, f64)]| {
        let start = series.iter().rev().find(|(t, _)| *t <= 0.0).map_or(scope.wanted, |sample| sample.1);
        let during = series.iter().filter(|(t, _)| *t > 0.0 && *t <= scope.ends).map(|sample| sample.1);
        during.fold((start, start), |(low, high), n| (low.min(n), high.max(n)))
    };
    let (low, high) = range(&view.available);
    number("available at least", low);
    number("available at most", high);
    let (low, high) = range(&view.live);
    number("live at least", low);
    number("live at most", high);
    let mut on: BTreeMap<&str, f64> = BTreeMap::new();
    for task in view.last.iter().filter(|task| task.stays && !task.pending) {
        *on.entry(task.host.as_deref().unwrap_or_default()).or_default() += 1.0;
    }
    number("tasks of the fullest host at the end", on.values().copied().fold(0.0, f64::max));
    number("hosts with tasks at the end", on.len() as f64);
    number("pending at the end", view.last.iter().filter(|task| task.pending).count() as f64);
    let mut reasons: BTreeMap<&str, f64> = BTreeMap::new();
    for reason in view.last.iter().filter(|task| task.pending).filter_map(|task| task.reason.as_deref()) {
        *reasons.entry(reason).or_default() += 1.0;
    }
    for (reason, count) in reasons {
        number(&format!("pending: \"{reason}\""), count);
    }
}

/// First moments of each kind of event, for the order in which things happen.
pub fn milestones(values: &Values, heal: Option<f64>) -> Vec<(&'static str, f64)> {
    let kinds: [(&str, f64); 10] = [
        ("node Down", 0.0),
        ("task created 1", 0.0),
        ("task started 1", 0.0),
        ("task running 1", 0.0),
        ("old task told to stop 1", 0.0),
        ("node Ready after heal", heal.unwrap_or(0.0)),
        ("old tasks stopped after heal", heal.unwrap_or(0.0)),
        ("update paused", 0.0),
        ("update rollback_started", 0.0),
        ("update completed", 0.0),
    ];
    let at = |(name, add): (&'static str, f64)| {
        let of = |class| values.get(&(class, name.to_owned()));
        of(Class::Time).or_else(|| of(Class::Latency)).map(|t| (name, t + add))
    };
    let mut all: Vec<_> = kinds.into_iter().filter_map(at).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
    all
}
