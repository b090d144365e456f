//! A recorded experiment as a scenario of ours: the same hosts, service, settings and faults.
//!
//! Everything comes from the file's settings, or from the name of the experiment where its settings are empty. The
//! durations of hosts are those of `crate::swarm::machine`, the same for all files. Start at [`setup`].

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::swarm::recording::Recording;

/// Something is done to the cluster at this time of the run, in seconds; the phase of heartbeats is drawn in addition.
pub const FAULT: f64 = 40.0;

/// A scenario, and the Compose file that it names.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The scenario.
    pub scenario: String,
    /// `swarm.yaml` beside it.
    pub compose: String,
    /// The host that is hurt.
    pub victim: Option<String>,
}

/// Parts of a scenario.
struct Draft {
    hosts: String,
    set: Vec<String>,
    service: String,
    timeline: Vec<String>,
    victim: Option<String>,
}

/// The scenario of a recording.
///
/// # Errors
/// When the kind of experiment is not known here, in words.
pub fn setup(recording: &Recording) -> Result<Setup, String> {
    let draft = match recording.name.split('_').next().unwrap_or_default() {
        "a" if recording.number("heartbeat").is_some() => heartbeats(recording),
        "a" | "b" | "c" => fault(recording)?,
        "d" => update(recording)?,
        "e" | "h" => placement(recording)?,
        "f" => managers(recording)?,
        "g" => names(recording)?,
        _ => return Err("not an experiment of a swarm that is known here".to_owned()),
    };
    let mut scenario = format!("shakedown: 1\nabout: {}\ncluster:\n  nodes:\n{}", recording.name, draft.hosts);
    let _ = write!(scenario, "  host: {{ images_present: true }}\norchestrators: [swarm]\n");
    let _ = write!(scenario, "set: {{ {} }}\nworkloads: [{{ compose: swarm.yaml }}]\n", draft.set.join(", "));
    scenario.push_str("timeline:\n");
    for entry in &draft.timeline {
        let _ = writeln!(scenario, "  - {{ {entry} }}");
    }
    let _ = writeln!(scenario, "duration: {}s", (FAULT + recording.ends + AFTER).ceil());
    let compose = format!("version: \"3.8\"\nservices:\n{}", draft.service);
    Ok(Setup { scenario, compose, victim: draft.victim })
}

/// Runs go on for so long after the recording's end, so that what comes a little later than recorded has its time.
const AFTER: f64 = 30.0;

fn hosts(count: u32) -> String {
    (1..=count).fold(String::new(), |hosts, n| hosts + &host(n, ""))
}

fn host(n: u32, more: &str) -> String {
    format!("    - {{ name: h{n}, cpu: 2, memory: 4Gi{more} }}\n")
}

/// A service, its image and check, and lines for its `deploy`.
fn service((name, image): (&str, &str), health: Option<f64>, deploy: &str) -> String {
    let mut text = format!("  {name}:\n    image: {image}\n");
    if let Some(interval) = health {
        // The recorded check looks for a file, so that it fails at once.
        let check = format!("test: [CMD, check], interval: {interval}s, timeout: 200ms, retries: 2");
        let _ = writeln!(text, "    healthcheck: {{ {check} }}");
    }
    let _ = writeln!(text, "    deploy: {{ {deploy} }}");
    text
}

fn web(recording: &Recording) -> String {
    let replicas = recording.number("replicas").unwrap_or(10.0);
    service(("web", "app:1"), recording.number("health_interval_s"), &format!("replicas: {replicas}"))
}

fn at(seconds: f64, what: &str) -> String {
    format!("at: {}s, {what}", FAULT + seconds)
}

fn lasting(hold: Option<f64>, what: &str) -> String {
    let lasts = hold.map_or_else(String::new, |hold| format!("for: {hold:.3}s, "));
    at(0.0, &format!("{lasts}{what}"))
}

/// Power cuts with other heartbeats and restart delays, on three hosts, without health checks.
fn heartbeats(recording: &Recording) -> Draft {
    let value = |key: &str| recording.number(key).unwrap_or(5.0);
    let victim = lost_host(recording).unwrap_or_else(|| "h3".to_owned());
    Draft {
        hosts: hosts(3),
        set: vec![
            format!("dispatcher-heartbeat: {}s", value("heartbeat")),
            format!("restart-delay: {}s", value("restart_delay")),
        ],
        service: service(("w", "app:1"), None, "replicas: 6"),
        timeline: vec![lasting(recording.heal, &format!("kill: {{ nodes: {victim} }}"))],
        victim: Some(victim),
    }
}

/// The host that the recording saw Down.
fn lost_host(recording: &Recording) -> Option<String> {
    recording.seen.nodes.iter().find(|node| node.2 == "down").map(|node| node.1.clone())
}

fn fault(recording: &Recording) -> Result<Draft, String> {
    let victim = recording.result["victim"].as_str().ok_or("it does not name its victim")?.to_owned();
    let kind = recording.word("fault").ok_or("it does not name its fault")?;
    let hold = recording.heal.or_else(|| recording.number("hold_s"));
    let node = format!("{{ nodes: {victim} }}");
    let from_manager = format!("partition: {{ from: {node}, to: control-plane }}");
    let what = match kind {
        "silent" | "noisy" => format!("kill: {node}"),
        "link" | "iptables" => format!("partition: {{ from: {node} }}"),
        // A daemon that is stopped or dead says nothing to its manager; its containers run on.
        "dockerd" | "dockerd-restart" | "hang" | "hang-short" => from_manager,
        "manager-only" | "from-manager" | "worker-manager" => from_manager,
        "oneway-w2m" => format!("partition: {{ from: {node}, to: control-plane, one_way: true }}"),
        "oneway-m2w" => format!("partition: {{ from: control-plane, to: {node}, one_way: true }}"),
        "worker-worker" => {
            let other = if victim == "h2" { "h3" } else { "h2" };
            format!("partition: {{ from: {node}, to: {{ nodes: {other} }} }}")
        }
        "freeze" | "freeze-all" | "frozen" => format!("saturate: {{ nodes: {victim}, cpu: 100%, class: realtime }}"),
        _ if kind.starts_with("burn") => format!("saturate: {{ nodes: {victim}, cpu: 100%, class: container }}"),
        other => return Err(format!("the fault `{other}` is not known here")),
    };
    let mut timeline = vec![lasting(hold, &what)];
    if kind.starts_with("dockerd") {
        // A daemon that starts again ends the containers that it finds: there is no live restore.
        let found = format!("kill_pods: {{ workload: web, on: {node}, how: crash, pick: all }}");
        timeline.extend(hold.map(|hold| at(hold + DAEMON_STARTS, &found)));
    }
    let hosts = hosts(hosts_of(recording));
    Ok(Draft { hosts, set: Vec::new(), service: web(recording), timeline, victim: Some(victim) })
}

/// From the start of a daemon until it looks after its containers.
const DAEMON_STARTS: f64 = 1.1;

/// Those that the recording shows: its settings leave some out.
fn hosts_of(recording: &Recording) -> u32 {
    let count = |key: &str| recording.settings[key].as_u64().unwrap_or(0) as u32;
    let on: BTreeSet<&str> = recording.seen.tasks.iter().filter_map(|task| task.host.as_deref()).collect();
    (on.len() as u32).max(count("managers") + count("workers"))
}

fn update(recording: &Recording) -> Result<Draft, String> {
    let number = |key: &str| recording.number(key).ok_or_else(|| format!("its settings have no `{key}`"));
    let word = |key: &str| recording.word(key).ok_or_else(|| format!("its settings have no `{key}`"));
    let bad = recording.result["image"].as_str() == Some("bad");
    let update = format!(
        "parallelism: {}, delay: {}s, order: {}, failure_action: {}, monitor: {}s, max_failure_ratio: {}",
        number("Parallelism")?,
        number("Delay")? / 1e9,
        word("Order")?,
        word("FailureAction")?,
        number("Monitor")? / 1e9,
        number("MaxFailureRatio")?,
    );
    let deploy = format!("replicas: {}, update_config: {{ {update} }}", number("replicas")?);
    let image = if bad { "app:bad" } else { "app:2" };
    Ok(Draft {
        hosts: hosts(hosts_of(recording)),
        set: Vec::new(),
        service: service(("web", "app:1"), recording.number("health_interval_s"), &deploy),
        timeline: vec![at(0.0, &format!("deploy: {{ workload: web, image: \"{image}\" }}"))],
        victim: None,
    })
}

/// Experiments that their names describe: their settings are empty.
fn placement(recording: &Recording) -> Result<Draft, String> {
    let plain = |name: &str, deploy: &str| service((name, "app:1"), None, deploy);
    let apply = |name: &str| at(0.0, &format!("apply: {{ workload: {name} }}"));
    let scale = |t: f64, replicas: u32| at(t, &format!("scale: {{ workload: s, replicas: {replicas} }}"));
    let five = hosts(5);
    let (hosts, service, timeline) = match recording.name.as_str() {
        "e_crash_loop" => (five, service(("k", "crash:1"), None, "replicas: 1"), vec![apply("k")]),
        "e_crash_loop_max3" => {
            let value = |key: &str| recording.number(key).unwrap_or(0.0);
            let (delay, most, window) = (value("delay"), value("max_attempts"), value("window"));
            let policy = format!("delay: {delay}s, max_attempts: {most}, window: {window}s");
            let deploy = format!("replicas: 1, restart_policy: {{ condition: any, {policy} }}");
            (five, service(("k", "crash:1"), None, &deploy), vec![apply("k")])
        }
        "e_scale_10_40" => (hosts(4), plain("s", "replicas: 10"), vec![scale(0.0, 40)]),
        "e_empty_node_joins" => {
            // The author scaled after 12 s, and again when all ran.
            let first = recording.seen.moments(|task| task.created);
            let later = first.iter().find(|t| **t > first.first().map_or(0.0, |t| t + 1.0));
            let mut timeline = vec![at(0.0, "restore: { nodes: h5 }")];
            timeline.extend(first.first().map(|t| scale(t - OF_COMMAND, 45)));
            timeline.extend(later.map(|t| scale(t - OF_COMMAND, 50)));
            (hosts(4) + &host(5, ", at_start: false"), plain("s", "replicas: 40"), timeline)
        }
        "e_second_service_7" => (five, plain("s", "replicas: 5") + &plain("q", "replicas: 7"), vec![apply("q")]),
        "h_max_replicas_per_node_1" => {
            let deploy = "replicas: 7, placement: { max_replicas_per_node: 1 }";
            (five, plain("m", deploy), vec![apply("m")])
        }
        "h_constraint_impossible" => {
            let deploy = "replicas: 2, placement: { constraints: [node.labels.nowhere == yes] }";
            (five, plain("n", deploy), vec![apply("n")])
        }
        "h_reservations" | "h_reservation" => {
            let deploy = "replicas: 23, resources: { reservations: { cpus: \"0.5\" } }";
            (five, plain("r", deploy), vec![apply("r")])
        }
        "h_pref_spread_zone" | "h_pref_label_removed" => {
            let zones = [(1, "a"), (2, "a"), (3, "b"), (4, "c"), (5, "c")];
            let zoned = zones.map(|(n, zone)| host(n, &format!(", labels: {{ zone: {zone} }}"))).concat();
            let deploy =
                |n: u32| format!("replicas: {n}, placement: {{ preferences: [{{ spread: node.labels.zone }}] }}");
            if recording.name == "h_pref_label_removed" {
                let gone = at(0.0, "label_nodes: { nodes: h3, key: zone }");
                (zoned, plain("z", &deploy(13)), vec![gone])
            } else {
                let grown = recording.seen.moments(|task| task.created).last().copied().unwrap_or(4.0) - OF_COMMAND;
                let grow = at(grown, "scale: { workload: z, replicas: 13 }");
                (zoned, plain("z", &deploy(12)), vec![apply("z"), grow])
            }
        }
        other => return Err(format!("the experiment `{other}` is not known here")),
    };
    Ok(Draft { hosts, set: Vec::new(), service, timeline, victim: None })
}

/// From an author's later command to its first visible effect.
const OF_COMMAND: f64 = 0.1;

/// Managers that die. Followers are hosts like others; the loss of a leader needs managers on nodes.
fn managers(recording: &Recording) -> Result<Draft, String> {
    let victims = recording.result["victims"].as_array().ok_or("it does not name its victims")?;
    let leader = recording.result["leader_before"].as_u64();
    if victims.iter().any(|victim| victim.as_u64() == leader) {
        return Err("the loss of a leader: managers do not run on nodes in this comparison yet".to_owned());
    }
    let names: Vec<String> = victims.iter().filter_map(|n| n.as_u64()).map(|n| format!("h{n}")).collect();
    let [victim] = names.as_slice() else { return Err("several managers fail at once".to_owned()) };
    let kill = lasting(recording.heal, &format!("kill: {{ nodes: {victim} }}"));
    let victim = Some(victim.clone());
    let hosts = hosts(hosts_of(recording));
    Ok(Draft { hosts, set: Vec::new(), service: web(recording), timeline: vec![kill], victim })
}

/// A service found by name, on three hosts of which one is the manager.
fn names(recording: &Recording) -> Result<Draft, String> {
    let kind = recording.result["kind"].as_str().unwrap_or("partial_partition");
    let host = |n: usize| format!("h{n}");
    let lost = lost_host(recording);
    let node = lost.clone().unwrap_or_else(|| host(3));
    let replicas = if kind == "scale_3_to_6" { 3 } else { 6 };
    let heal = recording.heal;
    let what = match kind {
        "task_sigkill" => at(0.0, "kill_pods: { workload: rr, count: 1, how: crash }"),
        "scale_3_to_6" => at(0.0, "scale: { workload: rr, replicas: 6 }"),
        "dockerd_hang" => lasting(heal, &format!("partition: {{ from: {{ nodes: {node} }}, to: control-plane }}")),
        "node_noisy_crash" => lasting(heal, &format!("kill: {{ nodes: {node} }}")),
        "partial_partition" => lasting(heal, "partition: { from: { nodes: h2 }, to: { nodes: h3 } }"),
        "rolling_slow_stop_4s" => at(0.0, "deploy: { workload: rr, image: \"app:slow\" }"),
        _ if kind.starts_with("link_down") => lasting(heal, &format!("partition: {{ from: {{ nodes: {node} }} }}")),
        "unhealthy" => return Err("a single container that becomes unhealthy cannot be made here".to_owned()),
        other => return Err(format!("the fault `{other}` is not known here")),
    };
    let image = if kind == "rolling_slow_stop_4s" { "app:slow0" } else { "app:1" };
    let health = recording.number("health_interval_s").or(Some(2.0));
    let workers = "placement: { constraints: [node.role == worker] }";
    let rr = format!("replicas: {replicas}, endpoint_mode: dnsrr, {workers}");
    let client = if kind == "partial_partition" { "h2" } else { "h1" };
    let cli = format!("replicas: 1, placement: {{ constraints: [node.hostname == {client}] }}");
    let rr = service(("rr", image), health, &rr) + "    expose: [\"80\"]\n";
    let service = rr + &service(("cli", "app:1"), None, &cli);
    // The recorded update was complete a second after its last task ran.
    let set = if kind == "rolling_slow_stop_4s" { vec!["update-monitor: 1s".to_owned()] } else { Vec::new() };
    let hosts = hosts(3).replacen(" }", ", roles: [manager] }", 1);
    Ok(Draft { hosts, set, service, timeline: vec![what], victim: lost })
}
