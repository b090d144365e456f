//! What recordings say in words: how their kubelets behave, and what people did.
//!
//! Phrases are those of the recordings' own texts; a phrase that is not known makes a timeline impossible to replay, and
//! is said so instead of being skipped. Start at [`pace`] and [`step`].

use shakedown_engine::model::Amount;
use shakedown_engine::time::Span;

use crate::timeline::kubelets::Pace;
use crate::timeline::recording::{Action, Recording};

/// Something to do in a replay.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The workload, or all of them, are created.
    Create,
    /// A pod of its own is created.
    CreatePod(String),
    /// A new template; its revision's number.
    Update {
        /// `2` for `v2`.
        revision: usize,
        /// Ordinals below it stay, from now on.
        partition: Option<u32>,
        /// How a DaemonSet moves, from now on.
        bounds: Option<(Amount, Amount)>,
    },
    /// Back to the revision before.
    Undo,
    /// Rollouts are held.
    Pause,
    /// And go on.
    Resume,
    /// Other replicas. The workload's name, where there are several.
    Scale {
        /// Which workload; empty: the only one.
        of: String,
        /// So many.
        to: u32,
    },
    /// Ordinals below it stay.
    Partition(u32),
    /// Hosts stop.
    Stop(Vec<String>),
    /// Hosts go on.
    GoOn(Vec<String>),
    /// A new host joins, ready or not.
    Join {
        /// Its name.
        node: String,
        /// Its first report says that it is ready.
        ready: bool,
    },
    /// A host that joined is ready.
    NodeReady(String),
    /// A pod is deleted by hand; grace zero is by force.
    DeletePod {
        /// Its name in the recording.
        pod: String,
        /// Without waiting for its kubelet.
        force: bool,
    },
    /// A pod's readiness changes.
    Readiness {
        /// Its name in the recording.
        pod: String,
        /// To this.
        ready: bool,
    },
    /// A host is drained.
    Drain(String),
    /// A taint with effect `NoExecute` and this key is set on the host; `None`: the one before, again.
    Taint(Option<String>),
    /// It is removed.
    Untaint,
    /// Pods of classless templates get this priority from now on.
    DefaultPriority(i32),
    /// Nothing to do: the recording's own note.
    Note,
}

/// How the kubelets of a recording behave.
///
/// # Errors
/// When the settings do not say so in a way that is known.
pub fn pace(recording: &Recording) -> Result<Pace, String> {
    if let (Some(start), Some(stop)) = (recording.number("pod_start_delay_s"), recording.number("pod_stop_delay_s")) {
        let pace =
            Pace { running: seconds(start), ready: Span::ZERO, removed: seconds(stop), repeats: false, exits: None };
        return Ok(pace);
    }
    let words = recording.text("kubelet").unwrap_or("");
    let before = |marker: &str| number_before(words, marker);
    let exits = recording.text("exit").and_then(|exit| {
        let (code, after) = exit.split_once('@')?;
        Some((seconds(after.parse().ok()?), code.parse().ok()?))
    });
    let ready = words.split_once("Ready ").and_then(|(_, tail)| number_before(tail, " s"));
    Ok(Pace {
        running: seconds(before(" s after binding").unwrap_or(0.0)),
        ready: seconds(ready.unwrap_or(0.0)),
        removed: seconds(before(" s after deletionTimestamp").unwrap_or(0.0)),
        repeats: true,
        exits,
    })
}

/// Thousandths of a core: `2`, `"500m"`.
pub fn cpu(value: &serde_json::Value) -> Option<i64> {
    match value {
        serde_json::Value::String(text) => cpu_after(text, ""),
        other => other.as_f64().map(|cores| (cores * 1000.0) as i64),
    }
}

/// Thousandths of a core, after a marker: `2`, `0.5`, `10m`.
pub fn cpu_after(text: &str, marker: &str) -> Option<i64> {
    let tail = text[text.find(marker)? + marker.len()..].trim_start();
    let end = tail.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(tail.len());
    let number: f64 = tail[..end].parse().ok()?;
    Some(if tail[end..].starts_with('m') { number as i64 } else { (number * 1000.0) as i64 })
}

/// The number just before a marker.
pub fn number_before(text: &str, marker: &str) -> Option<f64> {
    let head = &text[..text.find(marker)?];
    head.rsplit(|c: char| !(c.is_ascii_digit() || c == '.')).next()?.parse().ok()
}

/// The first number after a marker.
pub fn number_after(text: &str, marker: &str) -> Option<u32> {
    let tail = &text[text.find(marker)? + marker.len()..];
    let digits: String = tail.chars().skip_while(|c| *c == ' ').take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Seconds as a span.
pub fn seconds(n: f64) -> Span {
    Span::from_nanos((n.max(0.0) * 1e9).round() as u64)
}

/// What an action is to do in a replay.
///
/// # Errors
/// When its words are not known.
pub fn step(action: &Action) -> Result<Step, String> {
    let what = action.what.as_str();
    let word = |n: usize| what.split([' ', ',']).nth(n).unwrap_or("").to_owned();
    let names = |key: &str| -> Vec<String> {
        let list = action.fields.get(key).and_then(serde_json::Value::as_array);
        list.into_iter().flatten().filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect()
    };
    Ok(if what.starts_with("update template") {
        let revision = number_after(what, "to v").ok_or_else(|| unknown(what))? as usize;
        let bounds = amount_after(what, "maxUnavailable").map(|unavailable| {
            let surge = amount_after(what, "maxSurge").unwrap_or(Amount::Count(0));
            (unavailable, surge)
        });
        Step::Update { revision, partition: number_after(what, "partition"), bounds }
    } else if let Some(image) = what.strip_prefix("update deployment ") {
        let revision = number_after(image, "img:").ok_or_else(|| unknown(what))? as usize;
        Step::Update { revision, partition: None, bounds: None }
    } else if what.starts_with("create PriorityClass") {
        Step::DefaultPriority(number_after(what, "value").ok_or_else(|| unknown(what))? as i32)
    } else if what.starts_with("rolling update") {
        let revision = number_after(what, "to v").ok_or_else(|| unknown(what))? as usize;
        Step::Update { revision, partition: None, bounds: None }
    } else if let Some(kind) = what.strip_prefix("create ") {
        let whole = ["deployment", "StatefulSet", "DaemonSet", "Job", "Deployment"];
        match whole.iter().any(|whole| kind.starts_with(whole)) {
            true => Step::Create,
            false => Step::CreatePod(kind.trim_start_matches("pod ").split(' ').next().unwrap_or("").to_owned()),
        }
    } else if what.starts_with("undo") {
        Step::Undo
    } else if what.starts_with("pause") {
        Step::Pause
    } else if what.starts_with("resume") {
        Step::Resume
    } else if what.starts_with("partition") {
        Step::Partition(number_after(what, "partition").ok_or_else(|| unknown(what))?)
    } else if what.starts_with("scale") {
        scale(what)?
    } else if what.starts_with("stop renewing") {
        Step::Stop(names("nodes"))
    } else if what.starts_with("kubelets and leases back") {
        Step::GoOn(names("nodes"))
    } else if what.starts_with("new node") || (what.starts_with("node") && what.contains(" joins")) {
        let node = if what.starts_with("new node") { word(2) } else { word(1) };
        Step::Join { node, ready: !what.contains("Ready=False") }
    } else if what.starts_with("node") && what.contains("reports Ready=True") {
        Step::NodeReady(word(1))
    } else if what.starts_with("node") && what.contains("comes back") {
        // Without a name: whatever stopped.
        Step::GoOn(if word(1) == "comes" { Vec::new() } else { vec![word(1)] })
    } else if what.starts_with("node") && what.contains("dies") {
        Step::Stop(vec![word(1)])
    } else if what.starts_with("add node") {
        Step::Join { node: word(2), ready: true }
    } else if what.starts_with("force delete") {
        let pod = what.split('\'').nth(1).ok_or_else(|| unknown(what))?;
        Step::DeletePod { pod: pod.to_owned(), force: true }
    } else if what.starts_with("delete pod") {
        Step::DeletePod { pod: word(2), force: false }
    } else if what.starts_with("delete ") {
        Step::DeletePod { pod: word(1), force: true }
    } else if what.starts_with("pod ") && what.contains("becomes") {
        Step::Readiness { pod: word(1), ready: !what.contains("not ready") }
    } else if what.starts_with("cordon ") {
        Step::Drain(word(1))
    } else if what.starts_with("add taint") {
        let taint = what.rsplit(' ').find(|word| word.contains(':'));
        Step::Taint(taint.and_then(|taint| taint.split([':', '=']).next()).map(ToOwned::to_owned))
    } else if what.starts_with("remove taint") {
        Step::Untaint
    } else if what.ends_with("drained") || what.starts_with("drain starts") {
        Step::Note
    } else {
        return Err(unknown(what));
    })
}

fn scale(what: &str) -> Result<Step, String> {
    let arrow = what.find("->").and_then(|at| number_after(&what[at..], "->"));
    let to = arrow.or_else(|| number_after(what, " to ")).ok_or_else(|| unknown(what))?;
    let of = if what.starts_with("scale Deployment ") { what.split(' ').nth(2).unwrap_or("") } else { "" };
    Ok(Step::Scale { of: of.to_owned(), to })
}

/// A number or a percentage after a marker, as in `maxUnavailable 50%`.
fn amount_after(text: &str, marker: &str) -> Option<Amount> {
    let n = number_after(text, marker)?;
    let tail = &text[text.find(marker)? + marker.len()..];
    let percent = tail.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('%');
    Some(if percent { Amount::Percent(n) } else { Amount::Count(n) })
}

/// A number or a percentage as JSON has it.
pub fn amount(value: &serde_json::Value) -> Option<Amount> {
    match value {
        serde_json::Value::Number(n) => Some(Amount::Count(u32::try_from(n.as_u64()?).ok()?)),
        serde_json::Value::String(text) => match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(Amount::Percent),
            None => text.parse().ok().map(Amount::Count),
        },
        _ => None,
    }
}

fn unknown(what: &str) -> String {
    format!("`{what}` is not known as an action")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(what: &str) -> Step {
        step(&Action { at: 0.0, what: what.to_owned(), fields: serde_json::json!({}) }).unwrap()
    }

    #[test]
    fn actions_are_understood() {
        let update = |revision, partition| Step::Update { revision, partition, bounds: None };
        assert_eq!(of("update template to v2 (pods never become Ready)"), update(2, None));
        assert_eq!(of("update template to v3, partition 2"), update(3, Some(2)));
        let bounds = Some((Amount::Percent(50), Amount::Count(0)));
        let surge = of("update template to v3, maxUnavailable 50%, maxSurge 0");
        assert_eq!(surge, Step::Update { revision: 3, partition: None, bounds });
        assert_eq!(of("scale to 20 while paused"), Step::Scale { of: String::new(), to: 20 });
        assert_eq!(of("scale roll 10->30"), Step::Scale { of: String::new(), to: 30 });
        assert_eq!(of("scale 12 -> 5"), Step::Scale { of: String::new(), to: 5 });
        assert_eq!(of("scale Deployment hi (priority 10000) 0 -> 4"), Step::Scale { of: "hi".to_owned(), to: 4 });
        assert_eq!(of("force delete (grace 0) ['db-1']"), Step::DeletePod { pod: "db-1".to_owned(), force: true });
        assert_eq!(of("node e4da-n1 (holds db-1) dies"), Step::Stop(vec!["e4da-n1".to_owned()]));
        assert_eq!(of("new node n6 joins"), Step::Join { node: "n6".to_owned(), ready: true });
        assert_eq!(of("create PriorityClass default-new value 500 globalDefault true"), Step::DefaultPriority(500));
        assert!(step(&Action { at: 0.0, what: "sing".to_owned(), fields: serde_json::json!({}) }).is_err());
    }

    #[test]
    fn kubelets_are_understood() {
        let words = "Running 0.5 s after binding, Ready 0.2 s later, succeeds 2 s after Running; removed 1 s after deletionTimestamp";
        assert_eq!(number_before(words, " s after binding"), Some(0.5));
        assert_eq!(number_before(words, " s later"), Some(0.2));
        assert_eq!(number_before(words, " s after deletionTimestamp"), Some(1.0));
    }
}
