//! Pods: several containers that are placed together.
//!
//! Source: mesosphere/marathon:docs/docs/rest-api/public/api/v2/types/pod.raml. Start at [`lower`].

use shakedown_engine::model::Bytes;
use shakedown_engine::time::Span;

use super::{LABEL, app, constraint, identity, keys, treatment};
use crate::jobs::build::Unit;
use crate::jobs::read::{Reader, written};
use crate::shapes::Shape;
use crate::text::Node;

/// Lowers a pod.
pub(super) fn lower(reader: &mut Reader<'_, '_>, node: &Node, above: &str) {
    if !reader.keys(node, &keys::POD) {
        return;
    }
    let Some((id, name, mark)) = identity(reader, node, above) else { return };
    let mut containers = Vec::new();
    let mut host_ports = Vec::new();
    let mut grace: Option<Span> = None;
    for member in reader.parts(node, "containers", &keys::MEMBER) {
        let called = reader.text(member, "name").unwrap_or("container");
        let resources = reader.part(member, "resources", &keys::RESOURCES);
        let mut milli =
            |key: &str, default: u32| resources.and_then(|resources| reader.milli(resources, key)).unwrap_or(default);
        let (cpu, memory) = (milli("cpus", 100), milli("mem", 32_000));
        let requests = reader.room(u64::from(cpu), (u64::from(memory) << 20) / 1000, member.mark);
        let image = written(member, "image").and_then(|image| written(image, "id"));
        let image = image.and_then(|at| Some((at.scalar()?, at.mark)));
        let mut container = reader.container(called, image, requests.clone());
        container.memory_limit = Some(requests.memory).filter(|memory| *memory > Bytes(0));
        if let Some(check) = reader.part(member, "healthCheck", &keys::HEALTH) {
            container.probes = treatment::probes(reader, check);
        }
        for endpoint in reader.parts(member, "endpoints", &keys::ENDPOINT) {
            app::claim(reader, endpoint, "hostPort", &mut host_ports);
        }
        if let Some(cycle) = written(member, "lifecycle") {
            grace = grace.max(reader.seconds(cycle, "killGracePeriodSeconds"));
        }
        containers.push(container);
    }
    if containers.is_empty() {
        return reader.missing(node, "containers", "a pod");
    }
    let scaling = reader.part(node, "scaling", &keys::SCALING);
    let instances = scaling.and_then(|scaling| reader.count(scaling, "instances")).unwrap_or(1);
    reader.low.bounded(instances, node.mark);
    let labels = [(LABEL, id.as_str())];
    let mut unit = Unit::new(&mut reader.low.catalog.names, (name.clone(), mark), &labels, containers);
    unit.shape = Shape::Replicas(instances);
    (unit.template.host_ports, unit.template.grace) = (host_ports, grace);
    if let Some(scheduling) = reader.part(node, "scheduling", &keys::SCHEDULING) {
        if let Some(backoff) = reader.part(scheduling, "backoff", &keys::BACKOFF) {
            let names = ["backoff", "backoffFactor", "maxLaunchDelay"];
            unit.wishes.reschedule = treatment::backoff(reader, backoff, names);
        }
        (unit.wishes.update, unit.strategy) = treatment::upgrade(reader, scheduling, "upgrade");
        unit.wishes.lost = treatment::unreachable(reader, scheduling);
        let constraints = written(scheduling, "placement").and_then(|placement| written(placement, "constraints"));
        constraint::lower(reader, constraints.map(Node::items).unwrap_or_default(), &mut unit);
    }
    let own = unit.own.clone();
    if reader.declare(unit).is_some() {
        reader.service((&name, mark), &own);
    }
}
