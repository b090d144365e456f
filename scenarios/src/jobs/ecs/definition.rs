//! Task definitions: containers that are placed together, what they reserve and which ports of the host they claim.
//!
//! 1,024 CPU units are one core; memory is MiB. A container's hard limit is what it reserves, unless it has a
//! `memoryReservation`. Source: the developer guide's page "Task definition parameters". Start at [`lower`].

use shakedown_engine::model::{Bytes, Container, HostPort, Probe, ProbeKind, ProbeRole, Resources};
use shakedown_engine::time::Span;

use super::keys;
use crate::jobs::read::{Reader, written};
use crate::text::Node;

/// What a task is made of.
pub(super) struct Task {
    pub(super) containers: Vec<Container>,
    /// Of the task as a whole, where it says so.
    pub(super) requests: Option<Resources>,
    pub(super) host_ports: Vec<HostPort>,
    pub(super) grace: Option<Span>,
}

/// How containers reach the network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// By ports of the host, chosen or not.
    Bridge,
    /// The host's own ports.
    Host,
    /// An address of its own.
    Own,
}

/// Lowers a task definition; `None`, with a problem filed, when it has no containers.
pub(super) fn lower(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Task> {
    if !reader.keys(node, &keys::DEFINITION) {
        return None;
    }
    let mode = match reader.word(node, "networkMode", &["bridge", "host", "awsvpc", "none"]) {
        Some("host") => Mode::Host,
        Some("awsvpc" | "none") => Mode::Own,
        _ => Mode::Bridge,
    };
    let mut task = Task { containers: Vec::new(), requests: None, host_ports: Vec::new(), grace: None };
    for container in reader.parts(node, "containerDefinitions", &keys::CONTAINER) {
        one(reader, container, mode, &mut task);
    }
    if task.containers.is_empty() {
        reader.missing(node, "containerDefinitions", "a task definition");
        return None;
    }
    task.host_ports.sort_unstable();
    task.host_ports.dedup();
    let (cpu, memory) = (whole(reader, node, "cpu", "vcpu"), whole(reader, node, "memory", "gb"));
    if cpu.is_some() || memory.is_some() {
        let sum = |of: fn(&Resources) -> i64| task.containers.iter().map(|c| of(&c.requests)).sum::<i64>();
        let mut requests =
            reader.room(cpu.map_or(0, |units| units * 1000 / 1024), memory.unwrap_or(0) << 20, node.mark);
        if cpu.is_none() {
            requests.cpu.0 = sum(|r| r.cpu.0);
        }
        if memory.is_none() {
            requests.memory = Bytes(sum(|r| r.memory.0));
        }
        task.requests = Some(requests);
    }
    Some(task)
}

/// Of the whole task: `"256"`, `".5 vCPU"`, `"1GB"`; in units or MiB.
fn whole(reader: &mut Reader<'_, '_>, node: &Node, key: &str, unit: &str) -> Option<u64> {
    let at = written(node, key)?;
    let text = at.scalar().unwrap_or_default().trim().to_ascii_lowercase();
    let number = text.strip_suffix(unit).map(str::trim);
    let parsed = match number {
        Some(number) => crate::text::parse_quantity(number, crate::text::Scale::Milli)
            .map(|milli| milli.unsigned_abs() * 1024 / 1000),
        None => text.parse().ok(),
    };
    let parsed = parsed.filter(|&n| n <= u64::from(u32::MAX));
    if parsed.is_none() {
        reader.wrong(
            at.mark,
            format!("{} is not a value of `{key}`", at.describe()),
            "expected `256`, `.5 vCPU`, `1 GB`",
        );
    }
    parsed
}

fn one(reader: &mut Reader<'_, '_>, node: &Node, mode: Mode, task: &mut Task) {
    let Some(name) = reader.text(node, "name") else { return reader.missing(node, "name", "a container definition") };
    let image = written(node, "image").and_then(|at| Some((at.scalar()?, at.mark)));
    if image.is_none() {
        return reader.missing(node, "image", "a container definition");
    }
    let units = reader.count(node, "cpu").unwrap_or(0);
    let (hard, soft) = (reader.count(node, "memory"), reader.count(node, "memoryReservation"));
    if let (Some(hard), Some(soft), Some(at)) = (hard, soft, written(node, "memoryReservation"))
        && soft > hard
    {
        reader.wrong(at.mark, "the reservation is above the limit".to_owned(), "expected at most `memory`");
    }
    let reserved = u64::from(soft.or(hard).unwrap_or(0)) << 20;
    let requests = reader.room(u64::from(units) * 1000 / 1024, reserved, node.mark);
    let mut container = reader.container(name, image, requests);
    container.memory_limit = hard.filter(|&n| n > 0).map(|mib| Bytes(i64::from(mib) << 20));
    let essential = reader.switch(node, "essential") != Some(false);
    container.probes = health(reader, node, essential);
    for port in reader.parts(node, "portMappings", &keys::PORT) {
        let inside = reader.count(port, "containerPort");
        let outside = reader.count(port, "hostPort").filter(|&n| n > 0);
        let number = match mode {
            Mode::Bridge => outside,
            Mode::Host => outside.or(inside),
            Mode::Own => None,
        };
        let Some(number) = number else { continue };
        let Ok(port_number) = u16::try_from(number) else {
            reader.wrong(port.mark, format!("`{number}` is no port"), "expected a number from 0 to 65535");
            continue;
        };
        let protocol = reader.word(port, "protocol", &["tcp", "udp"]).unwrap_or("tcp").to_ascii_uppercase();
        let names = &mut reader.low.catalog.names;
        let (protocol, ip) = (names.intern(&protocol), names.intern(""));
        task.host_ports.push(HostPort { port: port_number, protocol, ip });
    }
    task.grace = task.grace.max(reader.seconds(node, "stopTimeout").filter(|span| !span.is_zero()));
    task.containers.push(container);
}

/// A check decides whether a task counts as healthy, and ends it when its container is essential.
/// Source: the developer guide: interval 30 s, time-out 5 s, 3 retries.
fn health(reader: &mut Reader<'_, '_>, container: &Node, essential: bool) -> Vec<Probe> {
    let Some(node) = reader.part(container, "healthCheck", &keys::HEALTH) else { return Vec::new() };
    let first = reader.list(node, "command").first().and_then(Node::scalar);
    if first == Some("NONE") {
        return Vec::new();
    }
    let positive =
        |span: Option<Span>, default| span.filter(|span| !span.is_zero()).unwrap_or_else(|| Span::from_secs(default));
    let period = positive(reader.seconds(node, "interval"), 30);
    let timeout = positive(reader.seconds(node, "timeout"), 5);
    let retries = reader.count(node, "retries").filter(|&n| n > 0).unwrap_or(3);
    let grace = reader.seconds(node, "startPeriod").unwrap_or(Span::ZERO);
    let ready = Probe {
        role: ProbeRole::Readiness,
        kind: ProbeKind::Exec,
        initial_delay: period,
        period,
        timeout,
        success_threshold: 1,
        failure_threshold: retries,
    };
    let mut probes = vec![ready.clone()];
    if essential {
        probes.push(Probe { role: ProbeRole::Liveness, ..ready.clone() });
    }
    if essential && !grace.is_zero() {
        let free = u32::try_from(grace.as_nanos().div_ceil(period.as_nanos())).unwrap_or(u32::MAX);
        let failure_threshold = retries.saturating_add(free.saturating_sub(1));
        probes.push(Probe { role: ProbeRole::Startup, failure_threshold, ..ready });
    }
    probes
}
