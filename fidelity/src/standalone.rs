//! Recordings of a real standalone Swarm: every placement, and how long detection and return took.
//!
//! Placements are asked of the engine's own scheduler, with the cluster as it was recorded: the recorded host must be one
//! of those among which luck decides, and a recorded refusal must be one. Times are compared with those of 1,000 seeds of
//! the engine's own control plane, which is told nothing but what one gets who asks the host. Start at [`conform`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use shakedown_engine::Engine;
use shakedown_engine::fact::{FactId, FactKind, FactLog};
use shakedown_engine::ids::{NodeId, PodId, TemplateId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::message::{Input, InputKind, Order, Reach};
use shakedown_engine::model::{
    Bytes, Catalog, Container, HostPort, MilliCpu, NodeSpec, PodTemplate, Resources, Rule, WorkloadSpec,
};
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::scheduler::{NodeState, Request, Scheduler};
use shakedown_engine::time::{Span, Time};
use shakedown_engine::world::{Exchange, World, run};

/// When the fault comes: long after the start, so that polls are anywhere in their interval.
const FAULT: u64 = 500;
/// Seeds that a recorded time is compared with.
const SEEDS: u64 = 1_000;

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

impl Found {
    /// All placements agree, nine of ten times are usual and none is impossible.
    pub fn agrees(&self) -> bool {
        let usual = self.times.iter().filter(|time| time.usual()).count();
        let possible = self.times.iter().all(Timed::possible);
        self.placements.0 == self.placements.1 && usual * 10 >= self.times.len() * 9 && possible
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
            let word = if time.usual() {
                "usual"
            } else if time.possible() {
                "rare"
            } else {
                "never"
            };
            let [_, low, middle, high, _] = time.band;
            text += &format!(
                "  {word:<5} {:<9} {:>7.2} s  model {low:.1} / {middle:.1} / {high:.1} s  {}\n",
                time.what, time.recorded, time.file
            );
        }
        self.differences.iter().fold(text, |text, line| text + "  " + line + "\n")
    }
}

/// Compares every recording of a directory, in the order of their names.
///
/// # Errors
/// When the directory cannot be read, or a file in it is no JSON.
pub fn conform(directory: &Path) -> Result<Found, String> {
    let profile = Profile::named("swarm-standalone").ok_or("there is no such profile")?;
    let listed = std::fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut files: Vec<_> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "json"));
    files.sort();
    let mut found = Found::default();
    let mut known = BTreeMap::new();
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{name}: {e}"))?;
        let recording: Value = serde_json::from_str(&text).map_err(|e| format!("{name}: {e}"))?;
        placements(&mut found, &profile, (&name, &recording));
        times(&mut found, (&profile, &mut known), (&name, &recording));
    }
    Ok(found)
}

fn placements(found: &mut Found, profile: &Profile, (file, recording): (&str, &Value)) {
    let events: Vec<&Value> =
        recording["events"].as_array().into_iter().flatten().filter(|e| e["kind"] == "place").collect();
    if events.is_empty() {
        return;
    }
    let mut profile = profile.clone();
    let strategy = recording["settings"]["strategy"].as_str().unwrap_or("spread");
    if profile.set("strategy", strategy).is_err() {
        found.differences.push(format!("{file}: strategy `{strategy}` is not known"));
        return;
    }
    let (catalog, hosts) = bed(&events, &recording["settings"]);
    let catalog = Arc::new(catalog);
    let stream = Streams::new(1).stream(Purpose::Scheduler, 0);
    let mut scheduler = Scheduler::new(Arc::clone(&catalog), profile.placement.clone(), stream);
    for node in catalog.nodes.ids() {
        scheduler.set_node(node, NodeState { taints: Vec::new(), unschedulable: false });
        catalog.images.ids().take(1).for_each(|image| scheduler.add_image(node, image));
    }
    for (at, event) in events.iter().enumerate() {
        let row = at as u32;
        let workload = catalog.workloads.ids().nth(at);
        let request = Request { pod: PodId(row), template: TemplateId(row), workload, only: None };
        let choices = scheduler.equals_by_weight(&request);
        let recorded = event["node"].as_str().and_then(|name| hosts.get(name)).copied();
        found.placements.0 += 1;
        let agrees = recorded.map_or(choices.is_empty(), |node| choices.contains(&node));
        found.placements.1 += u32::from(agrees);
        if !agrees {
            found
                .differences
                .push(format!("{file}: {} went to {}, the model has {choices:?}", event["name"], event["node"]));
        }
        if let Some(node) = recorded {
            scheduler.charge(&request, node);
        }
    }
}

/// The hosts of the bed: labels are those that it was made with, which the recordings do not repeat.
fn bed(events: &[&Value], settings: &Value) -> (Catalog, BTreeMap<String, NodeId>) {
    let mut catalog = Catalog::new();
    let zone = catalog.zone("bed");
    let whole = |key: &str| settings[key].as_i64();
    let names: Vec<String> = events[0]["before"].as_object().into_iter().flat_map(|m| m.keys().cloned()).collect();
    // `/info` already has the overcommit of 5 % in it where the file does not say the two apart.
    let given = whole("mem_total_per_host").unwrap_or(0);
    let memory = if whole("mem_total_with_overcommit").is_some() { given } else { given / 105 * 100 };
    let mut hosts = BTreeMap::new();
    for (at, host) in names.iter().enumerate() {
        let labels = [("zone", if at < 2 { "a" } else { "b" }.to_owned()), ("disk", format!("d{}", at + 1))];
        let name = catalog.names.intern(host);
        let labels: Vec<_> = labels.map(|(k, v)| (catalog.names.intern(k), catalog.names.intern(&v))).into();
        let cpu = MilliCpu(whole("cpus_per_host").unwrap_or(2) * 1_000);
        let node = catalog.nodes.push(NodeSpec {
            name,
            labels: Labels::new(labels),
            zone,
            allocatable: Resources::new(cpu, Bytes(memory)),
            max_pods: u32::MAX,
            taints: Vec::new(),
            unschedulable: false,
            at_start: true,
            pool: None,
            volume_limits: Vec::new(),
            roles: Vec::new(),
        });
        hosts.insert(host.clone(), node);
    }
    let image = catalog.image("bb:1", Bytes(0));
    for event in events {
        let request = &event["req"];
        let names = &mut catalog.names;
        let name = names.intern(event["name"].as_str().unwrap_or("container"));
        let labels = request["labels"].as_object().into_iter().flatten();
        let labels: Vec<_> = labels.map(|(k, v)| (names.intern(k), names.intern(v.as_str().unwrap_or("")))).collect();
        let (cpu, memory) = (request["cpu"].as_i64().unwrap_or(0), request["mem"].as_i64().unwrap_or(0));
        let container = Container::new(name, image, Resources::new(MilliCpu(cpu * 1_000), Bytes(memory)));
        let namespace = names.intern("default");
        let (tcp, any) = (names.intern("TCP"), names.intern(""));
        let mut template = PodTemplate::new(namespace, Labels::new(labels), vec![container]);
        let rules = request["env"].as_array().into_iter().flatten().filter_map(Value::as_str);
        template.wishes.rules = rules.filter_map(|rule| Rule::parse(rule).ok()).collect();
        let ports = request["ports"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        let port = |port: u64| HostPort { port: u16::try_from(port).unwrap_or(0), protocol: tcp, ip: any };
        template.published = ports.map(port).collect();
        let template = catalog.templates.push(template);
        let selector = Selector::equals([(name, name)]);
        catalog.workloads.push(WorkloadSpec::deployment(name, namespace, template, selector));
    }
    (catalog, hosts)
}

/// Times of detection and of return, once for each kind of silence and length of absence.
type Known = BTreeMap<(u8, u64), ([f64; 5], [f64; 5])>;

fn times(found: &mut Found, (profile, known): (&Profile, &mut Known), (file, recording): (&str, &Value)) {
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
    detections.extend(one("disconnect_s_poll").or(one("disconnect_s")));
    let back = |event: &&Value| event["kind"] == "host_api_back" || event["kind"] == "heal";
    let healed = events.into_iter().flatten().find(back).and_then(|event| event["t"].as_f64());
    let away = healed.unwrap_or(400.0);
    let (detect, returns) = *known.entry((key, away as u64)).or_insert_with(|| bands(profile, (reach, away)));
    let timed = |what, recorded, band| Timed { file: file.to_owned(), what, recorded, band };
    found.times.extend(detections.into_iter().map(|recorded| timed("detection", recorded, detect)));
    // Observers share the first return of all: the removals of one manager wake the others.
    let returned = one("back_after_api_s_poll").or(one("back_after_api_s"));
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
