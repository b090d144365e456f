//! Task groups: one allocation is one pod.
//!
//! Start at [`lower`].

use shakedown_engine::model::{Container, Probe, ProbeRole, RestartPolicy};
use shakedown_engine::profile::Wish;
use shakedown_engine::time::Span;

use super::{Job, asks, constraint, keys, policy, task};
use crate::jobs::build::Unit;
use crate::jobs::read::{Reader, written};
use crate::problem::Mark;
use crate::shapes::Shape;
use crate::text::Node;

/// Labels by which replicas of a group are known.
const LABELS: [&str; 2] = ["nomad.job", "nomad.group"];

/// Lowers a group.
pub(super) fn lower(reader: &mut Reader<'_, '_>, job: &Job<'_>, group: &Node) {
    let Some(name) = reader.text(group, "Name") else { return reader.missing(group, "Name", "a task group") };
    let tasks = reader.parts(group, "Tasks", &keys::TASK);
    if tasks.is_empty() {
        return reader.missing(group, "Tasks", "a task group");
    }
    let mut grace: Option<Span> = None;
    let (mut init, mut main): (Vec<Container>, Vec<Container>) = (Vec::new(), Vec::new());
    let mut host_ports = Vec::new();
    task::ports(reader, group, &mut host_ports);
    for node in &tasks {
        if let Some(resources) = written(node, "Resources") {
            task::ports(reader, resources, &mut host_ports);
        }
        let Some(task) = task::lower(reader, node) else { continue };
        grace = grace.max(task.grace);
        if task.before { init.push(task.container) } else { main.push(task.container) }
    }
    if main.is_empty() {
        return reader.missing(group, "Tasks", "a task group, besides those that run before or after others,");
    }
    let (services, probes) = services(reader, group, &tasks);
    attach(&mut main, probes);

    let called = if job.groups == 1 { job.id.to_owned() } else { format!("{}.{name}", job.id) };
    let labels = [(LABELS[0], job.id), (LABELS[1], name)];
    let mut unit = Unit::new(&mut reader.low.catalog.names, (called, group.mark), &labels, main);
    unit.with_init(init);
    host_ports.sort_unstable();
    host_ports.dedup();
    unit.template.host_ports = host_ports;
    unit.template.grace = grace;
    unit.template.priority = i32::try_from(job.priority).unwrap_or(i32::MAX);
    unit.template.active_deadline = reader.nanos(group, "MaxRunDuration").filter(|span| !span.is_zero());
    treat(reader, job, (group, &tasks), &mut unit);
    place(reader, job, (group, &tasks), &mut unit);
    unit.shape = shape(reader, job, group);
    let ends = unit.shape.ends();
    unit.template.restart = if ends { RestartPolicy::OnFailure } else { RestartPolicy::Always };
    let own = unit.own.clone();
    reader.declare(unit);
    for (name, mark) in services {
        reader.service((&name, mark), &own);
    }
}

/// What the group and its job wish.
fn treat(reader: &mut Reader<'_, '_>, job: &Job<'_>, (group, tasks): (&Node, &[&Node]), unit: &mut Unit) {
    let update = policy::update(reader, group);
    unit.wishes.update = policy::merged(update, &job.update);
    unit.strategy = policy::strategy(&unit.wishes.update);
    unit.min_ready = unit.wishes.update.min_healthy.unwrap_or(Span::ZERO);
    unit.progress_deadline = unit.wishes.update.progress_deadline.filter(|span| !span.is_zero());
    let own = tasks.iter().find_map(|task| policy::restart(reader, task));
    unit.wishes.restart = policy::restart(reader, group).or(own).unwrap_or_default();
    if unit.wishes.restart.keep_trying {
        asks(reader, "RestartPolicy.Mode: delay", Wish::RestartForEver, group.mark);
    }
    unit.wishes.reschedule = policy::reschedule(reader, (job.node, group));
    unit.wishes.migrate = policy::migrate(reader, (job.node, group));
    unit.wishes.lost = policy::lost(reader, group);
}

/// Where it may run and would better run. Constraints of tasks are those of their group.
fn place(reader: &mut Reader<'_, '_>, job: &Job<'_>, (group, tasks): (&Node, &[&Node]), unit: &mut Unit) {
    let mut parents = vec![job.node, group];
    parents.extend(tasks);
    constraint::conditions(reader, &parents, &job.conditions, unit);
    constraint::affinities(reader, &parents, unit);
    constraint::spreads(reader, &parents[..2], unit);
}

fn shape(reader: &mut Reader<'_, '_>, job: &Job<'_>, group: &Node) -> Shape {
    let count = reader.count(group, "Count").unwrap_or(1);
    if let Some(count) = reader.low.bounded(count, group.mark).then_some(count)
        && let Some(Shape::Cron(cron, _)) = &job.periodic
    {
        return Shape::Cron(cron.clone(), count);
    }
    match job.kind {
        "batch" => Shape::Ending(count),
        "system" => Shape::EachNode,
        "sysbatch" => Shape::EndingOnEachNode,
        _ => Shape::Replicas(count),
    }
}

/// Names of services with their places, and checks by the task that they are of (`None`: any).
type Found<'n> = (Vec<(String, Mark)>, Vec<(Option<&'n str>, Vec<Probe>)>);

fn services<'n>(reader: &mut Reader<'_, '_>, group: &'n Node, tasks: &[&'n Node]) -> Found<'n> {
    let mut found: Found<'n> = (Vec::new(), Vec::new());
    let mut parents: Vec<(&Node, Option<&str>)> = vec![(group, None)];
    parents.extend(tasks.iter().map(|task| (*task, written(task, "Name").and_then(Node::scalar))));
    for (parent, task) in parents {
        for service in reader.parts(parent, "Services", &keys::SERVICE) {
            let name = reader.text(service, "Name").map(ToOwned::to_owned);
            let mark = written(service, "Name").map_or(service.mark, |node| node.mark);
            // Without a name it is called by job, group and task; with variables, by what only a client knows.
            let name = name.filter(|name| !name.contains("${"));
            found.0.extend(name.map(|name| (name, mark)));
            let probes = task::probes(reader, service);
            found.1.push((task.or_else(|| written(service, "TaskName").and_then(Node::scalar)), probes));
        }
    }
    found
}

/// Gives each check to its task, or else to the first one.
fn attach(main: &mut [Container], found: Vec<(Option<&str>, Vec<Probe>)>) {
    for (_, probes) in found {
        for probe in probes {
            let free = |container: &Container, role: ProbeRole| container.probe(role).is_none();
            if let Some(container) = main.iter_mut().find(|container| free(container, probe.role)) {
                container.probes.push(probe);
            }
        }
    }
}
