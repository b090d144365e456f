//! A recording's set-up as a cluster: nodes, templates, workloads, and what is to be done when.
//!
//! Everything is taken from the recording's settings, its pods at the trigger and its actions; nothing from its name, and
//! nothing from what then happened but how many revisions there were. Start at [`story`]; `make` has the single objects.

use std::collections::BTreeMap;

use serde_json::Value;
use shakedown_engine::ids::{NodeId, TemplateId, WorkloadId};
use shakedown_engine::model::{Catalog, WorkloadKind};
use shakedown_engine::profile::Profile;
use shakedown_engine::time::Span;

use crate::timeline::compare::Tolerance;
use crate::timeline::kubelets::Pace;
use crate::timeline::make::Maker;
use crate::timeline::recording::{Census, Recording};
use crate::timeline::words::{self, Step};

/// Everything that a replay needs.
pub struct Story {
    /// Nodes, templates, workloads, services.
    pub catalog: Catalog,
    /// Kubernetes with the recording's settings.
    pub profile: Profile,
    /// How the kubelets behave.
    pub pace: Pace,
    /// What is done when.
    pub steps: Vec<(f64, Step)>,
    /// What each workload consists of.
    pub parts: BTreeMap<String, Part>,
    /// Names of `parts`, in the order in which they are created.
    pub order: Vec<String>,
    /// Workloads whose pods are alike but for their owner, and what they are called together.
    pub alike: BTreeMap<String, String>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, NodeId>,
    /// Templates whose pods never become ready by themselves.
    pub never_ready: Vec<TemplateId>,
    /// Pods of these slots end otherwise than the others: after, with which code.
    pub odd_slots: BTreeMap<u32, (Span, i32)>,
    /// Pods that are placed by hand before the trigger, in their order.
    pub hand: Vec<Hand>,
    /// Nodes with pods that are running, but not ready, at the trigger: pod by pod.
    pub unready: Vec<(String, String)>,
    /// Pods at the trigger, and how many of them were ready.
    pub initial: (usize, usize),
    /// The pods of each host that stops or is drained, just before that.
    pub places: BTreeMap<String, Census>,
    /// When the leases of hosts were last renewed before they stopped, in seconds after the trigger.
    pub renewals: BTreeMap<String, f64>,
    /// Kinds of events that the recording has: others of the replay are not compared.
    pub kinds: Vec<String>,
    /// Between two tries to evict a pod.
    pub retry: Span,
    /// How exactly times must agree.
    pub tolerance: Tolerance,
    /// How long a replay runs before the trigger, so that what exists then has settled.
    pub warm_up: Span,
    /// Seconds after the trigger at which the recording ends.
    pub end: f64,
}

/// One workload of a story.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its id.
    pub workload: WorkloadId,
    /// What it is.
    pub kind: WorkloadKind,
    /// Its templates: `v1` first.
    pub templates: Vec<TemplateId>,
    /// Its classless templates with the priority of a class that comes later.
    pub twins: Vec<(TemplateId, TemplateId)>,
    /// The recording tells nothing of its pods.
    pub hidden: bool,
    /// The scheduler gets its pods at the trigger.
    pub gated: bool,
}

/// A pod that is placed by hand.
#[derive(Clone, Debug)]
pub struct Hand {
    /// Its name in the recording.
    pub name: String,
    /// Seconds after the trigger, so below zero.
    pub at: f64,
    /// On which node.
    pub node: String,
    /// When it becomes ready, if it does.
    pub ready: Option<f64>,
    /// What its deletion costs.
    pub cost: i32,
    /// The seconds in which it was made and became ready, as a controller sees them.
    pub seen: (f64, Option<f64>),
}

/// Seconds for which a replay runs before the trigger, where the recording does not say.
const WARM_UP: u64 = 120;

/// The story of a recording.
///
/// # Errors
/// When it says something that is not known here.
pub fn story(recording: &Recording) -> Result<Story, String> {
    let pace = words::pace(recording)?;
    let mut steps = Vec::new();
    for action in &recording.actions {
        steps.push((action.at, words::step(action)?));
    }
    let mut maker = Maker::new(recording, &steps);
    if recording.settings.get("pending").is_none() {
        maker.nodes();
    }
    maker.workloads()?;
    let mut kinds: Vec<String> = recording.events.iter().map(|event| event.class.kind.clone()).collect();
    kinds.sort();
    kinds.dedup();
    let ready = |pod: &&Value| pod.get("ready").and_then(Value::as_bool) == Some(true);
    let initial = (recording.initial.len(), recording.initial.iter().filter(ready).count());
    let last = recording.events.iter().map(|event| event.at).fold(0.0, f64::max);
    let profile = profile(recording, &steps)?;
    Ok(Story {
        tolerance: tolerance(recording, &steps, pace),
        retry: profile.control.machine.evictions.map_or(Span::from_secs(5), |api| api.retry),
        profile,
        odd_slots: odd_slots(recording),
        hand: hand(recording),
        unready: unready(recording, &maker.never_ready),
        never_ready: maker.never_ready,
        catalog: maker.catalog,
        parts: maker.parts,
        order: maker.order,
        alike: maker.alike,
        nodes: maker.nodes,
        pace,
        initial,
        places: places(recording, &steps),
        renewals: renewals(recording),
        warm_up: warm_up(recording),
        kinds,
        end: last.max(recording.actions.last().map_or(0.0, |action| action.at)) + 2.0,
        steps,
    })
}

/// Pods of hosts that stop or are drained, just before that.
fn places(recording: &Recording, steps: &[(f64, Step)]) -> BTreeMap<String, Census> {
    let mut places = BTreeMap::new();
    for (at, step) in steps {
        let names = match step {
            Step::Stop(names) => names.as_slice(),
            Step::Drain(name) => std::slice::from_ref(name),
            _ => continue,
        };
        let census = recording.places_at(*at);
        places.extend(names.iter().map(|name| (name.clone(), census.get(name).cloned().unwrap_or_default())));
    }
    places
}

/// Controllers see whole seconds, and their loops begin when they start: the trigger falls on the same part of a second,
/// and as long after the start of the scheduler, as it did.
fn warm_up(recording: &Recording) -> Span {
    if let Some(started) = recording.number("scheduler_started_t") {
        return words::seconds((-started).max(5.0));
    }
    let fraction = recording.text("trigger_wallclock_utc").and_then(second_of_day).map_or(0.0, f64::fract);
    let oldest = hand(recording).first().map_or(0.0, |first| -first.at);
    Span::from_secs(WARM_UP.max(oldest as u64 + 60)) + words::seconds(fraction)
}

/// Pods of an index that end otherwise, as in `index 2 fails after 1 s`.
fn odd_slots(recording: &Recording) -> BTreeMap<u32, (Span, i32)> {
    let words = recording.text("kubelet").unwrap_or("");
    let mut odd = BTreeMap::new();
    for part in words.split("index ").skip(1) {
        let (Some(index), Some(after)) = (words::number_after(part, ""), words::number_before(part, " s")) else {
            continue;
        };
        let code = i32::from(part.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with("fails"));
        odd.insert(index, (words::seconds(after), code));
    }
    odd
}

/// Pods that were placed one by one. Their times are whole seconds; within one they come in their order.
fn hand(recording: &Recording) -> Vec<Hand> {
    let zero = recording.text("trigger_wallclock_utc").and_then(second_of_day);
    let (Some(zero), true) = (zero, recording.settings.get("pods_per_node").is_some()) else { return Vec::new() };
    let text = |pod: &Value, key: &str| pod.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let mut pods: Vec<Hand> = Vec::new();
    for pod in &recording.initial {
        let at = |key: &str| second_of_day(&text(pod, key)).map(|second| second - zero);
        let Some(created) = at("created") else { continue };
        pods.push(Hand {
            name: text(pod, "name"),
            at: created,
            node: text(pod, "node"),
            ready: at("readySince").map(|ready| ready + 0.9),
            cost: pod.get("deletionCost").and_then(Value::as_i64).unwrap_or(0) as i32,
            seen: (created, at("readySince")),
        });
    }
    pods.sort_by(|a, b| a.at.total_cmp(&b.at).then_with(|| a.name.cmp(&b.name)));
    let mut last = (f64::NAN, 0);
    for pod in &mut pods {
        last = if last.0 == pod.at { (pod.at, last.1 + 1) } else { (pod.at, 0) };
        pod.at += 0.05 + 0.05 * f64::from(last.1.min(15));
    }
    pods
}

/// Pods that were running at the trigger and not ready, though pods like them can be: node and name.
fn unready(recording: &Recording, never_ready: &[TemplateId]) -> Vec<(String, String)> {
    let text = |pod: &Value, key: &str| pod.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let stuck =
        |pod: &&Value| pod.get("ready").and_then(Value::as_bool) == Some(false) && !text(pod, "node").is_empty();
    if !never_ready.is_empty() || recording.settings.get("pods_per_node").is_some() {
        return Vec::new();
    }
    recording.initial.iter().filter(stuck).map(|pod| (text(pod, "node"), text(pod, "name"))).collect()
}

/// Kubernetes with the limits that the recording's controllers had, and kubelets without delays of their own.
fn profile(recording: &Recording, steps: &[(f64, Step)]) -> Result<Profile, String> {
    let mut profile = Profile::named("kubernetes").expect("it ships");
    let manager = recording.text("controller_manager").or_else(|| recording.text("kcm")).unwrap_or("");
    let limit = if manager.contains("500") { Some(("500", "1000")) } else { None };
    // Without a controller manager everything is made by the client that tells the story.
    let limit = if manager.starts_with("not running") { Some(("0", "1")) } else { limit };
    let mut set = |flag: &str, value: &str| profile.set(flag, value).map_err(|error| error.to_string());
    if let Some((qps, burst)) = limit {
        set("kube-controller-manager.kube-api-qps", qps)?;
        set("kube-controller-manager.kube-api-burst", burst)?;
    }
    set("pleg-relist-period", "0s")?;
    set("kubelet.kube-api-qps", "0")?;
    // Everything ran on one machine: a write takes 3 to 5 ms until another component has seen it.
    set("etcd-write-latency", "2ms")?;
    set("watch-lag", "3ms")?;
    if let (Some(retry), Some(api)) = (recording.number("retry_s"), &mut profile.control.machine.evictions) {
        api.retry = words::seconds(retry);
    }
    // How many attempts a second the machine can make is its own affair.
    let number = |key: &str| recording.summary.get(key).and_then(Value::as_f64);
    if let (Some(attempts), Some(last)) = (number("backlog_attempts"), number("backlog_last_t")) {
        profile.placement.decision_cost = words::seconds(last / attempts.max(1.0));
        profile.placement.decision_cost_per_node = Span::ZERO;
    }
    // Now and then the controller of the slices waits a second for its own cache: luck that a replay leaves out.
    if let Some(slices) = &mut profile.discovery.slices {
        slices.echo.1 = Span::ZERO;
    }
    profile.detection.taint_new_nodes = recording.text("admission").is_some_and(|words| words.contains("ON"));
    let joined = steps.iter().find(|(_, step)| matches!(step, Step::Join { ready: false, .. }));
    let ready = steps.iter().find(|(_, step)| matches!(step, Step::NodeReady(_)));
    if let (Some((joined, _)), Some((ready, _))) = (joined, ready) {
        profile.detection.ready_after = words::seconds(ready - joined);
    }
    Ok(profile)
}

/// When the leases of hosts that stop were last renewed.
fn renewals(recording: &Recording) -> BTreeMap<String, f64> {
    let mut out = BTreeMap::new();
    for action in &recording.actions {
        if let (Some(age), Ok(Step::Stop(names))) =
            (action.fields.get("since_last_lease_renewal_s").and_then(serde_json::Value::as_f64), words::step(action))
        {
            out.extend(names.into_iter().map(|name| (name, action.at - age)));
        }
        let renewed = action.fields.get("lastRenew").and_then(serde_json::Value::as_object);
        for (name, at) in renewed.into_iter().flatten() {
            let seconds = at.as_str().and_then(second_of_day);
            let zero = action.fields.get("T0").and_then(|at| at.as_str()).and_then(second_of_day);
            let origin = recording.origin;
            if let (Some(at), Some(zero)) = (seconds, zero) {
                out.insert(name.clone(), at - zero - origin);
            }
        }
    }
    out
}

/// The second of the day of a time such as `2026-11-20T19:05:41.261043Z`.
fn second_of_day(time: &str) -> Option<f64> {
    let clock = time.split_once('T')?.1.trim_end_matches('Z');
    let mut parts = clock.split(':').map(|part| part.parse::<f64>());
    let (h, m, s) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(h * 3600.0 + m * 60.0 + s)
}

/// Half a second, which is what two busy cores add to a chain of writes, unless a slower controller has a part in it.
fn tolerance(recording: &Recording, steps: &[(f64, Step)], pace: Pace) -> Tolerance {
    // The first set says that its times are seen with up to 0.3 s of jitter, on a busier machine.
    let first_set = recording.settings.get("zones").is_some();
    let mut tolerance = match () {
        () if recording.watched.contains_key("job") => {
            Tolerance::plain(1.1, "a job is looked at once a second, and its times are whole seconds")
        }
        () if first_set => Tolerance::plain(
            1.5,
            "two busy cores: 0.3 s of jitter at each of five links, from the deployment to the binding",
        ),
        () => Tolerance::plain(0.5, "two busy cores"),
    };
    let wave = (pace.running + pace.ready).as_secs_f64();
    if first_set && wave > 0.0 {
        tolerance.drift = Some((0.3, wave, "jitter at each wave of pods"));
    }
    let moves = |step: &Step| matches!(step, Step::Stop(_) | Step::Join { .. });
    if let Some((at, _)) = steps.iter().find(|(_, step)| moves(step)) {
        tolerance.later = Some((at + 1.0, 5.5, "the node monitor looks every 5 s"));
    }
    if recording.events.iter().any(|event| event.class.kind.starts_with("endpoint")) {
        let because = "a controller that has not seen its own write yet tries again after 1 s, and once more after 2 s";
        tolerance.kinds.push(("endpoint", 1.5, because));
    }
    tolerance
}
