//! Times of detection and of return: those of 1,000 seeds of the engine's own polls, and where the recorded ones lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use shakedown_engine::Engine;
use shakedown_engine::fact::{FactId, FactKind, FactLog};
use shakedown_engine::ids::NodeId;
use shakedown_engine::labels::Labels;
use shakedown_engine::message::{Input, InputKind, Order, Reach};
use shakedown_engine::model::{Bytes, Catalog, MilliCpu, NodeSpec, Resources};
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::Streams;
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::{Exchange, World, run};

use super::found::{Found, SEEDS, Timed};

/// When the fault comes: long after the start, so that polls are anywhere in their interval.
const FAULT: u64 = 500;
/// Seconds after which nothing is left to detect.
const LASTING: u64 = 600;

/// Times of detection and of return, once for each kind of silence and length of absence.
pub(super) type Known = BTreeMap<(u8, u64), ([f64; 5], [f64; 5])>;

/// Times of one recording.
pub(super) fn times(found: &mut Found, (profile, known): (&Profile, &mut Known), (file, recording): (&str, &Value)) {
    let Some(fault) = recording["settings"]["fault"].as_str() else { return };
    let (key, reach) = match fault {
        words if words.contains("SIGSTOP") => (0, Reach::Hung),
        words if words.contains("RST") => (1, Reach::Refused),
        words if words.contains("packets vanish") => (2, Reach::Silent),
        words if words.contains("EHOSTUNREACH") || words.contains("cable") => (3, Reach::Unreachable),
        other => return found.differences.push(format!("{file}: fault `{other}` is not known")),
    };
    let (summary, events) = (&recording["summary"], recording["events"].as_array());
    let list = |key: &str| summary[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect::<Vec<_>>();
    let one = |key: &str| summary[key].as_f64();
    let mut detections = list("observer_disconnect_s");
    if detections.is_empty() {
        detections = list("observers_disc_poll");
    }
    detections.extend(one("disconnect_s_poll").or_else(|| one("disconnect_s")));
    let back = |event: &&Value| event["kind"] == "host_api_back" || event["kind"] == "heal";
    let healed = events.into_iter().flatten().find(back).and_then(|event| event["t"].as_f64());
    let away = healed.unwrap_or(400.0);
    // When a fault was healed depended on what had been seen by then, so detections are of one that stays.
    let (detect, _) = *known.entry((key, LASTING)).or_insert_with(|| bands(profile, (reach, LASTING as f64)));
    let (_, returns) = *known.entry((key, away as u64)).or_insert_with(|| bands(profile, (reach, away)));
    let timed = |what, recorded, band| Timed { file: file.to_owned(), what, recorded, band };
    found.times.extend(detections.into_iter().map(|recorded| timed("detection", recorded, detect)));
    // Observers share the first return of all: the removals of one manager wake the others.
    let returned = one("back_after_api_s_poll").or_else(|| one("back_after_api_s"));
    found.times.extend(returned.map(|recorded| timed("return", recorded, returns)));
}

fn bands(profile: &Profile, (reach, away): (Reach, f64)) -> ([f64; 5], [f64; 5]) {
    let (mut detections, mut returns) = (Vec::new(), Vec::new());
    let fault = Time::from_secs(FAULT);
    let healed = fault + Span::from_millis((away * 1_000.0) as u64);
    for seed in 0..SEEDS {
        let mut catalog = Catalog::new();
        let zone = catalog.zone("bed");
        let name = catalog.names.intern("victim");
        catalog.nodes.push(NodeSpec {
            name,
            labels: Labels::new([]),
            zone,
            allocatable: Resources::new(MilliCpu(2_000), Bytes(1 << 30)),
            max_pods: 10,
            taints: Vec::new(),
            unschedulable: false,
            at_start: true,
            pool: None,
            volume_limits: Vec::new(),
            roles: Vec::new(),
        });
        let mut engine = Engine::new(Arc::new(catalog), profile.clone(), Streams::new(seed));
        let mut world = Silence { plan: vec![(healed, Reach::Open), (fault, reach)], now: Time::ZERO };
        let mut facts = FactLog::new();
        run(&mut engine, &mut world, &mut facts, healed + Span::from_secs(600), &mut Exchange::default());
        let at =
            |wanted: fn(&FactKind) -> bool| facts.facts().iter().find(|fact| wanted(&fact.kind)).map(|fact| fact.at);
        let flagged = at(|kind| matches!(kind, FactKind::NodeUnhealthy { .. }));
        let back = at(|kind| matches!(kind, FactKind::NodeHealthy { .. }));
        detections.extend(flagged.map(|at| at.since(fault).as_secs_f64()));
        returns.extend(back.map(|at| at.since(healed).as_secs_f64()));
    }
    (quantiles(detections), quantiles(returns))
}

fn quantiles(mut values: Vec<f64>) -> [f64; 5] {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    [0.001, 0.05, 0.5, 0.95, 0.999]
        .map(|share| values.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0))
}

/// A world in which nothing happens but that a host answers differently.
struct Silence {
    /// Latest first.
    plan: Vec<(Time, Reach)>,
    now: Time,
}

impl World for Silence {
    fn submit(&mut self, now: Time, orders: &mut Vec<Order>, _facts: &mut FactLog) {
        self.now = now;
        orders.clear();
    }

    fn advance(&mut self, until: Time, inputs: &mut Vec<Input>, _facts: &mut FactLog) -> Time {
        match self.plan.last().copied() {
            Some((at, reach)) if at <= until => {
                self.plan.pop();
                inputs.push(Input { cause: FactId::NONE, kind: InputKind::Reach { node: NodeId(0), reach } });
                at
            }
            _ => until,
        }
    }
}
