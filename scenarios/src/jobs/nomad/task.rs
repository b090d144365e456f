//! Tasks: containers, what they reserve, and their checks.
//!
//! Source: hashicorp/nomad:api/resources.go (100 MHz and 300 MiB when nothing is written), api/services.go. A check takes
//! a replica out of its service, as in Consul; only `CheckRestart` restarts. Start at [`lower`].

use shakedown_engine::model::{Bytes, Container, HostPort, Probe, ProbeKind, ProbeRole, Resources};
use shakedown_engine::time::Span;

use super::keys;
use crate::jobs::read::{Reader, written};
use crate::text::Node;

/// A task as a container.
pub(super) struct Task {
    pub(super) container: Container,
    /// Runs to its end before the others, or beside them.
    pub(super) before: bool,
    pub(super) grace: Option<Span>,
}

/// Lowers a task; `None` when it runs only after the others.
pub(super) fn lower(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Task> {
    let Some(name) = reader.text(node, "Name") else {
        reader.missing(node, "Name", "a task");
        return None;
    };
    let requests = resources(reader, node);
    let config = written(node, "Config");
    let image = config.and_then(|config| written(config, "image")).and_then(|at| Some((at.scalar()?, at.mark)));
    // A variable of Nomad stands for what only its client knows.
    let image = image.filter(|(text, _)| !text.contains("${"));
    let mut container = reader.container(name, image, requests);
    if let Some(resources) = written(node, "Resources") {
        let most = reader.count(resources, "MemoryMaxMB").filter(|&most| most > 0);
        let reserved = container.requests.memory.0 >> 20;
        let limit = most.map_or(reserved, |most| i64::from(most).max(reserved));
        container.memory_limit = Some(Bytes(limit << 20));
    } else {
        container.memory_limit = Some(container.requests.memory);
    }
    let before = match reader.part(node, "Lifecycle", &keys::LIFECYCLE) {
        None => false,
        Some(cycle) => {
            container.sidecar = reader.switch(cycle, "Sidecar") == Some(true);
            match reader.word(cycle, "Hook", &["prestart", "poststart", "poststop"]) {
                Some("poststop") => {
                    let why = "what runs after the main tasks delays nothing here";
                    reader.low.unmodelled.field("TaskGroups.Tasks.Lifecycle.Hook: poststop", why, cycle.mark);
                    return None;
                }
                Some("poststart") if !container.sidecar => {
                    let why = "what runs beside the main tasks for a while delays nothing here";
                    reader.low.unmodelled.field("TaskGroups.Tasks.Lifecycle.Hook: poststart", why, cycle.mark);
                    return None;
                }
                Some("prestart") => true,
                _ => false,
            }
        }
    };
    container.sidecar &= before;
    let grace = reader.nanos(node, "KillTimeout").filter(|span| !span.is_zero());
    Some(Task { container, before, grace })
}

fn resources(reader: &mut Reader<'_, '_>, task: &Node) -> Resources {
    let node = reader.part(task, "Resources", &keys::RESOURCES);
    let mark = node.map_or(task.mark, |node| node.mark);
    let mut read = |key: &str| node.and_then(|node| reader.count(node, key)).filter(|&n| n > 0);
    let (cpu, cores, memory) = (read("CPU"), read("Cores"), read("MemoryMB"));
    let milli = cores.map(|cores| u64::from(cores) * 1000).or_else(|| cpu.map(u64::from)).unwrap_or(100);
    reader.room(milli, u64::from(memory.unwrap_or(300)) << 20, mark)
}

/// Ports of the node that networks of a group or task claim.
pub(super) fn ports(reader: &mut Reader<'_, '_>, parent: &Node, out: &mut Vec<HostPort>) {
    for network in reader.parts(parent, "Networks", &keys::NETWORK) {
        reader.parts(network, "DynamicPorts", &keys::PORT);
        for port in reader.parts(network, "ReservedPorts", &keys::PORT) {
            let number = reader.count(port, "Value").and_then(|n| u16::try_from(n).ok()).filter(|&n| n > 0);
            let Some(number) = number else {
                let mark = written(port, "Value").map_or(port.mark, |node| node.mark);
                reader.wrong(mark, "this is no port".to_owned(), "expected a number from 1 to 65535");
                continue;
            };
            let names = &mut reader.low.catalog.names;
            out.push(HostPort { port: number, protocol: names.intern("TCP"), ip: names.intern("") });
        }
    }
}

/// Checks of a service as probes, and whether they restart.
pub(super) fn probes(reader: &mut Reader<'_, '_>, service: &Node) -> Vec<Probe> {
    let mut out: Vec<Probe> = Vec::new();
    let of_service = reader.part(service, "CheckRestart", &keys::CHECK_RESTART);
    for check in reader.parts(service, "Checks", &keys::CHECK) {
        let kind = match reader.word(check, "Type", &["http", "tcp", "script", "grpc", "ttl", "docker"]) {
            Some("tcp") => ProbeKind::Tcp,
            Some("script" | "docker") => ProbeKind::Exec,
            Some("grpc") => ProbeKind::Grpc,
            _ => ProbeKind::Http,
        };
        let interval = reader.nanos(check, "Interval").filter(|span| !span.is_zero());
        let timeout = reader.nanos(check, "Timeout").filter(|span| !span.is_zero());
        let Some(period) = interval else {
            reader.missing(check, "Interval", "a check");
            continue;
        };
        let ready = Probe {
            role: ProbeRole::Readiness,
            kind,
            initial_delay: Span::ZERO,
            period,
            timeout: timeout.unwrap_or(period),
            success_threshold: reader.count(check, "SuccessBeforePassing").unwrap_or(0).max(1),
            failure_threshold: reader.count(check, "FailuresBeforeCritical").unwrap_or(0).saturating_add(1),
        };
        let restart = reader.part(check, "CheckRestart", &keys::CHECK_RESTART).or(of_service);
        let limit = restart.and_then(|node| reader.count(node, "Limit")).filter(|&limit| limit > 0);
        if let (Some(restart), Some(limit)) = (restart, limit) {
            let grace = reader.nanos(restart, "Grace").unwrap_or(Span::from_secs(1));
            let life = Probe {
                role: ProbeRole::Liveness,
                initial_delay: grace,
                success_threshold: 1,
                failure_threshold: limit,
                ..ready.clone()
            };
            add(&mut out, life, reader, check);
        }
        add(&mut out, ready, reader, check);
    }
    out
}

/// One probe a role; a further check is said to be left out.
fn add(out: &mut Vec<Probe>, probe: Probe, reader: &mut Reader<'_, '_>, check: &Node) {
    if out.iter().any(|other| other.role == probe.role) {
        let why = "one check of a container decides here, the first one";
        reader.low.unmodelled.field("Services.Checks", why, check.mark);
        return;
    }
    out.push(probe);
}
