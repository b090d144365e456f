//! A recording's set-up as a cluster: nodes, templates, workloads, and what is to be done when.
//!
//! Everything is taken from the recording's settings, its pods at the trigger and its actions; nothing from its name, and
//! nothing from what then happened but how many revisions there were. Start at [`story`]; `make` has the single objects.

use std::collections::BTreeMap;

use shakedown_engine::ids::{BudgetId, NodeId, TemplateId, WorkloadId};
use shakedown_engine::model::Catalog;
use shakedown_engine::profile::Profile;

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
    /// Nodes by name.
    pub nodes: BTreeMap<String, NodeId>,
    /// Templates whose pods never become ready.
    pub never_ready: Vec<TemplateId>,
    /// Budgets.
    pub budgets: Vec<BudgetId>,
    /// Pods at the trigger, and how many of them were ready.
    pub initial: (usize, usize),
    /// The pods of each host that stops, just before that.
    pub places: BTreeMap<String, Census>,
    /// When the leases of hosts were last renewed before they stopped, in seconds after the trigger.
    pub renewals: BTreeMap<String, f64>,
    /// Kinds of events that the recording has: others of the replay are not compared.
    pub kinds: Vec<String>,
    /// How exactly times must agree.
    pub tolerance: Tolerance,
    /// Seconds after the trigger at which the recording ends.
    pub end: f64,
}

/// One workload of a story.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its id.
    pub workload: WorkloadId,
    /// Its templates: `v1` first.
    pub templates: Vec<TemplateId>,
    /// Its classless templates with the priority of a class that comes later.
    pub twins: Vec<(TemplateId, TemplateId)>,
}

/// Seconds for which a replay runs before the trigger, so that what exists then has settled.
pub const WARM_UP: u64 = 120;

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
    let mut maker = Maker::new(recording, &steps)?;
    maker.nodes()?;
    maker.workloads()?;
    let mut kinds: Vec<String> = recording.events.iter().map(|event| event.class.kind.clone()).collect();
    kinds.sort();
    kinds.dedup();
    let ready = |pod: &&serde_json::Value| pod.get("ready").and_then(serde_json::Value::as_bool) == Some(true);
    let initial = (recording.initial.len(), recording.initial.iter().filter(ready).count());
    let mut places = BTreeMap::new();
    for (at, step) in &steps {
        let census = recording.places_at(*at);
        let Step::Stop(names) = step else { continue };
        places.extend(names.iter().map(|name| (name.clone(), census.get(name).cloned().unwrap_or_default())));
    }
    let last = recording.events.iter().map(|event| event.at).fold(0.0, f64::max);
    Ok(Story {
        tolerance: tolerance(recording, &steps),
        profile: profile(recording)?,
        never_ready: maker.never_ready,
        catalog: maker.catalog,
        parts: maker.parts,
        nodes: maker.nodes,
        budgets: maker.budgets,
        pace,
        steps,
        initial,
        places,
        renewals: renewals(recording),
        kinds,
        end: last.max(recording.actions.last().map_or(0.0, |action| action.at)) + 2.0,
    })
}

/// Kubernetes with the limits that the recording's controllers had, and kubelets without delays of their own.
fn profile(recording: &Recording) -> Result<Profile, String> {
    let mut profile = Profile::named("kubernetes").expect("it ships");
    let manager = recording.text("controller_manager").or_else(|| recording.text("kcm")).unwrap_or("");
    let raised = manager.contains("500");
    let mut set = |flag: &str, value: &str| profile.set(flag, value).map_err(|error| error.to_string());
    if raised {
        set("kube-controller-manager.kube-api-qps", "500")?;
        set("kube-controller-manager.kube-api-burst", "1000")?;
    }
    set("pleg-relist-period", "0s")?;
    set("kubelet.kube-api-qps", "0")?;
    // Everything ran on one machine: a write takes 3 to 5 ms until another component has seen it.
    set("etcd-write-latency", "2ms")?;
    set("watch-lag", "3ms")?;
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
fn tolerance(recording: &Recording, steps: &[(f64, Step)]) -> Tolerance {
    let stops = steps.iter().find(|(_, step)| matches!(step, Step::Stop(_) | Step::Join { .. })).map(|(at, _)| *at);
    if recording.watched.contains_key("job") {
        let because = "a job is looked at once a second, and its times are whole seconds";
        return Tolerance { seconds: 1.1, because, later: None };
    }
    // The first set was recorded on a busier machine.
    let slow = recording.settings.get("zones").is_some();
    let seconds = if slow { 1.0 } else { 0.5 };
    match stops {
        Some(at) => {
            let because = "the node monitor looks every 5 s";
            Tolerance { seconds, because, later: Some((at + 1.0, 5.5)) }
        }
        None => Tolerance { seconds, because: "two busy cores", later: None },
    }
}
