//! Apps: instances of one container or command.
//!
//! Source: mesosphere/marathon:docs/docs/rest-api/public/api/v2/types/app.raml (1 CPU, 128 MiB, 1 instance). Start at
//! [`lower`].

use shakedown_engine::model::{Bytes, Container, HostPort, MilliCpu, PullPolicy};

use super::{LABEL, constraint, identity, keys, treatment};
use crate::jobs::build::Unit;
use crate::jobs::read::{Reader, written};
use crate::shapes::Shape;
use crate::text::Node;

/// Lowers an app.
pub(super) fn lower(reader: &mut Reader<'_, '_>, node: &Node, above: &str) {
    if !reader.keys(node, &keys::APP) {
        return;
    }
    let Some((id, name, mark)) = identity(reader, node, above) else { return };
    let instances = reader.count(node, "instances").unwrap_or(1);
    let at = written(node, "instances").map_or(node.mark, |node| node.mark);
    reader.low.bounded(instances, at);
    let mut container = container(reader, node, &name);
    for check in reader.parts(node, "healthChecks", &keys::HEALTH) {
        if container.probes.is_empty() {
            container.probes = treatment::probes(reader, check);
        } else {
            let why = "one check of an app decides here, the first one";
            reader.low.unmodelled.field("healthChecks", why, check.mark);
        }
    }
    let labels = [(LABEL, id.as_str())];
    let mut unit = Unit::new(&mut reader.low.catalog.names, (name.clone(), mark), &labels, vec![container]);
    unit.shape = Shape::Replicas(instances);
    unit.template.grace = reader.seconds(node, "taskKillGracePeriodSeconds").filter(|span| !span.is_zero());
    unit.template.host_ports = ports(reader, node);
    constraint::lower(reader, reader_list(node, "constraints"), &mut unit);
    let names = ["backoffSeconds", "backoffFactor", "maxLaunchDelaySeconds"];
    unit.wishes.reschedule = treatment::backoff(reader, node, names);
    (unit.wishes.update, unit.strategy) = treatment::upgrade(reader, node, "upgradeStrategy");
    unit.wishes.lost = treatment::unreachable(reader, node);
    let own = unit.own.clone();
    if reader.declare(unit).is_some() {
        // Every app has a name in Mesos-DNS.
        reader.service((&name, mark), &own);
    }
}

fn reader_list<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    written(node, key).map(Node::items).unwrap_or_default()
}

fn container(reader: &mut Reader<'_, '_>, app: &Node, name: &str) -> Container {
    let cpu = reader.milli(app, "cpus").unwrap_or(1000);
    let memory = reader.milli(app, "mem").unwrap_or(128_000);
    // MiB with decimals.
    let requests = reader.room(u64::from(cpu), (u64::from(memory) << 20) / 1000, app.mark);
    let container = reader.part(app, "container", &keys::CONTAINER);
    let docker = container.and_then(|container| reader.part(container, "docker", &keys::DOCKER));
    let image = docker.and_then(|docker| written(docker, "image")).and_then(|at| Some((at.scalar()?, at.mark)));
    let mut out = reader.container(name, image, requests.clone());
    // Mesos holds tasks to their memory, and shares CPU by their reservations.
    out.memory_limit = Some(requests.memory).filter(|memory| *memory > Bytes(0));
    out.cpu_limit = None::<MilliCpu>;
    if docker.and_then(|docker| reader.switch(docker, "forcePullImage")) == Some(true) {
        out.pull = PullPolicy::Always;
    }
    out
}

/// Ports of the agent that are asked for by number; 0 is any.
fn ports(reader: &mut Reader<'_, '_>, app: &Node) -> Vec<HostPort> {
    let mut out = Vec::new();
    let container = written(app, "container");
    let docker = container.and_then(|container| written(container, "docker"));
    for parent in [container, docker].into_iter().flatten() {
        for mapping in reader.parts(parent, "portMappings", &keys::MAPPING) {
            claim(reader, mapping, "hostPort", &mut out);
        }
    }
    // Without `requirePorts` these are names for load balancers, and agents give any port.
    let required = reader.switch(app, "requirePorts") == Some(true);
    for definition in reader.parts(app, "portDefinitions", &keys::DEFINITION) {
        if required {
            claim(reader, definition, "port", &mut out);
        }
    }
    if required && written(app, "portDefinitions").is_none() {
        for port in reader.list(app, "ports") {
            let number = port.scalar().and_then(|text| text.parse::<u16>().ok()).filter(|&n| n > 0);
            let names = &mut reader.low.catalog.names;
            let (protocol, ip) = (names.intern("TCP"), names.intern(""));
            out.extend(number.map(|port| HostPort { port, protocol, ip }));
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// A port under a key, unless it is 0.
pub(super) fn claim(reader: &mut Reader<'_, '_>, node: &Node, key: &str, out: &mut Vec<HostPort>) {
    let Some(number) = reader.count(node, key).filter(|&n| n > 0) else { return };
    let Ok(port) = u16::try_from(number) else {
        let mark = written(node, key).map_or(node.mark, |node| node.mark);
        return reader.wrong(mark, format!("`{number}` is no port"), "expected a number from 0 to 65535");
    };
    let protocols: Vec<String> = match written(node, "protocol") {
        Some(list) if !list.items().is_empty() => {
            list.items().iter().filter_map(|item| item.scalar().map(str::to_ascii_uppercase)).collect()
        }
        Some(one) => one.scalar().unwrap_or("tcp").split(',').map(|word| word.trim().to_ascii_uppercase()).collect(),
        None => vec!["TCP".to_owned()],
    };
    let names = &mut reader.low.catalog.names;
    for protocol in protocols {
        out.push(HostPort { port, protocol: names.intern(&protocol), ip: names.intern("") });
    }
}
