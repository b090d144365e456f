//! Recordings of a real standalone Swarm: every placement, and how long detection and return took.
//!
//! Placements are asked of the engine's own scheduler, with the cluster as it was recorded: the recorded host must be one
//! of those among which luck decides, and a recorded refusal must be one. Times are compared with those of 1,000 seeds of
//! the engine's own control plane, which is told nothing but what one gets who asks the host. Start at [`conform`].

mod found;
mod page;
mod times;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use shakedown_engine::ids::{NodeId, PodId, TemplateId};
use shakedown_engine::labels::{Labels, Selector};
use shakedown_engine::model::{
    Bytes, Catalog, Container, HostPort, MilliCpu, NodeSpec, PodTemplate, Resources, Rule, WorkloadSpec,
};
use shakedown_engine::profile::Profile;
use shakedown_engine::rng::{Purpose, Streams};
use shakedown_engine::scheduler::{NodeState, Request, Scheduler};

use crate::placement::Unusable;
use crate::recordings::{Source, shipped_below};
pub use found::{Found, Timed};
pub use page::page;

const FORMAT: &str = "the files are as `fidelity/recordings/swarm-standalone/README.md` describes them";

/// The recordings that ship with the program.
pub fn shipped_recordings() -> Vec<Source> {
    shipped_below("swarm-standalone/").map(Source::Shipped).collect()
}

/// The recordings in a directory, in the order of their names.
///
/// # Errors
/// When the directory cannot be read, or has none.
pub fn below(directory: &Path) -> Result<Vec<Source>, Unusable> {
    let file = directory.display().to_string();
    let unusable = |problem: String, help| Unusable { file: file.clone(), line: None, problem, help };
    let entries = std::fs::read_dir(directory)
        .map_err(|error| unusable(format!("cannot read it: {error}"), "name a directory with recordings"))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    paths.retain(|path| name(path).ends_with(".json") || name(path).ends_with(".json.zst"));
    paths.sort();
    if paths.is_empty() {
        return Err(unusable("there is no recording (`*.json`) in it".into(), FORMAT));
    }
    Ok(paths.into_iter().map(Source::File).collect())
}

/// Compares recordings.
///
/// # Errors
/// When one cannot be read or is no JSON.
pub fn conform(sources: &[Source], profile: &Profile) -> Result<Found, Unusable> {
    let mut found = Found::default();
    let mut known = BTreeMap::new();
    for source in sources {
        let file = source.name();
        let unusable = |problem: String| Unusable { file: file.clone(), line: None, problem, help: FORMAT };
        let mut text = String::new();
        let mut reader = source.open().map_err(|error| unusable(format!("cannot read it: {error}")))?;
        reader.read_to_string(&mut text).map_err(|error| unusable(format!("cannot read it: {error}")))?;
        let recording: Value =
            serde_json::from_str(&text).map_err(|error| unusable(format!("this is not a recording: {error}")))?;
        let name = file.rsplit('/').next().unwrap_or(&file);
        let name = name.trim_end_matches(".zst").trim_end_matches(".json");
        placements(&mut found, profile, (name, &recording));
        times::times(&mut found, (profile, &mut known), (name, &recording));
    }
    if found.placements.0 == 0 && found.times.is_empty() {
        let file = sources.first().map(Source::name).unwrap_or_default();
        return Err(Unusable { file, line: None, problem: "nothing in it can be compared".into(), help: FORMAT });
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
