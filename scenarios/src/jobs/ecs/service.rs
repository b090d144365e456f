//! Services: so many tasks of a definition, or one on each instance.
//!
//! Source: the developer guide's page "Service definition parameters": 100 and 200 percent for replicas, 0 and 100 for
//! daemons. What is not written stays unset: the profile has the defaults. Start at [`lower`].

use shakedown_engine::labels::Selector;
use shakedown_engine::model::{
    Amount, BalancerWish, Distinct, HOSTNAME_LABEL, NodeTerm, PlacementStrategy, SpreadWish, Strategy, UpdateWish,
};
use shakedown_engine::profile::Wish;

use super::{definition, expression, keys};
use crate::jobs::build::Unit;
use crate::jobs::read::{Reader, written};
use crate::nodes::{apart, soft_spread};
use crate::shapes::Shape;
use crate::text::Node;

/// Label by which replicas are known.
const LABEL: &str = "ecs.service";

/// Lowers a service.
pub(super) fn lower(reader: &mut Reader<'_, '_>, node: &Node, definitions: &[&Node]) {
    if !reader.keys(node, &keys::SERVICE) {
        return;
    }
    let Some(name) = reader.text(node, "serviceName") else {
        return reader.missing(node, "serviceName", "a service");
    };
    let mark = written(node, "serviceName").map_or(node.mark, |node| node.mark);
    let Some(definition) = definition_of(reader, node, definitions) else { return };
    let Some(task) = definition::lower(reader, definition) else { return };
    let labels = [(LABEL, name)];
    let mut unit = Unit::new(&mut reader.low.catalog.names, (name.to_owned(), mark), &labels, task.containers);
    if let Some(requests) = task.requests {
        unit.template.score_cpu = requests.cpu;
        unit.template.score_memory = requests.memory;
        unit.template.requests = requests;
    }
    (unit.template.host_ports, unit.template.grace) = (task.host_ports, task.grace);
    let daemon = reader.word(node, "schedulingStrategy", &["REPLICA", "DAEMON"]) == Some("DAEMON");
    let count = reader.count(node, "desiredCount").unwrap_or(1);
    reader.low.bounded(count, written(node, "desiredCount").map_or(node.mark, |node| node.mark));
    unit.shape = if daemon { Shape::EachNode } else { Shape::Replicas(count) };
    for parent in [definition, node] {
        constraints(reader, parent, &mut unit);
    }
    strategies(reader, node, &mut unit);
    deployment(reader, node, &mut unit);
    let grace = reader.seconds(node, "healthCheckGracePeriodSeconds");
    let balancers = reader.list(node, "loadBalancers");
    if !balancers.is_empty() {
        unit.wishes.balanced = Some(BalancerWish { startup_grace: grace, ..BalancerWish::default() });
    }
    let reached = !balancers.is_empty() || !reader.list(node, "serviceRegistries").is_empty();
    let own = unit.own.clone();
    let serves = !unit.template.host_ports.is_empty() || reached;
    if reader.declare(unit).is_some() && serves {
        reader.service((name, mark), &own);
    }
}

/// The definition that a service names, or the only one there is.
fn definition_of<'n>(reader: &mut Reader<'_, '_>, service: &Node, definitions: &[&'n Node]) -> Option<&'n Node> {
    let named = written(service, "taskDefinition").and_then(|at| Some((at.scalar()?, at.mark)));
    let family = |node: &Node| written(node, "family").and_then(Node::scalar).unwrap_or_default().to_owned();
    let Some((text, mark)) = named else {
        if let [only] = definitions {
            return Some(only);
        }
        reader.missing(service, "taskDefinition", "a service");
        return None;
    };
    // `arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:REVISION`
    let short = text.rsplit('/').next().unwrap_or(text);
    let (wanted, revision) = short.split_once(':').map_or((short, None), |(family, n)| (family, Some(n)));
    let fits = |node: &&&Node| {
        let own = written(node, "revision").and_then(Node::scalar);
        family(node) == wanted && (revision.is_none() || own.is_none() || own == revision)
    };
    let found = definitions.iter().rev().find(fits).copied();
    if found.is_none() {
        let known: Vec<String> = definitions.iter().map(|node| family(node)).collect();
        reader
            .low
            .problems
            .error("E0303", mark, format!("there is no task definition `{short}` in this file"))
            .expected("expected the family of a task definition in the same file")
            .suggest(wanted, known.iter().map(String::as_str));
    }
    found
}

fn constraints(reader: &mut Reader<'_, '_>, parent: &Node, unit: &mut Unit) {
    for node in reader.parts(parent, "placementConstraints", &keys::CONSTRAINT) {
        match reader.word(node, "type", &["distinctInstance", "memberOf"]) {
            Some("distinctInstance") => {
                let names = &mut reader.low.catalog.names;
                let attribute = names.intern(HOSTNAME_LABEL);
                unit.template.wishes.distinct.push(Distinct { attribute, at_most: 1 });
                unit.template.affinity.anti_required.push(apart(names, unit.own.clone(), HOSTNAME_LABEL));
                reader.low.asked.note("placementConstraints: distinctInstance", Wish::DistinctOne, node.mark);
            }
            Some(_) => {
                let Some(at) = written(node, "expression") else {
                    reader.missing(node, "expression", "a `memberOf` constraint");
                    continue;
                };
                match expression::terms(reader.low.catalog, at.scalar().unwrap_or_default()) {
                    Ok(terms) => both(&mut unit.template.affinity.node_required, terms),
                    Err(why) => {
                        let what = format!("this is no expression of the cluster query language: {why}");
                        reader.wrong(at.mark, what, "expected such as `attribute:ecs.instance-type =~ t2.*`");
                    }
                }
            }
            None => {}
        }
    }
}

/// All of these alternatives together with those that there are.
fn both(all: &mut Vec<NodeTerm>, terms: Vec<NodeTerm>) {
    if all.is_empty() {
        *all = terms;
        return;
    }
    let joined = |a: &NodeTerm, b: &NodeTerm| {
        let labels = Selector { all: a.labels.all.iter().chain(&b.labels.all).cloned().collect() };
        NodeTerm { labels, ..NodeTerm::default() }
    };
    *all = all.iter().flat_map(|a| terms.iter().map(move |b| joined(a, b))).collect();
}

fn strategies(reader: &mut Reader<'_, '_>, service: &Node, unit: &mut Unit) {
    for node in reader.parts(service, "placementStrategy", &keys::STRATEGY) {
        let field = reader.text(node, "field").unwrap_or_default();
        let strategy = match reader.word(node, "type", &["random", "spread", "binpack"]) {
            Some("random") => PlacementStrategy::Random,
            Some("binpack") if field.eq_ignore_ascii_case("cpu") => PlacementStrategy::BinpackCpu,
            Some("binpack") if field.eq_ignore_ascii_case("memory") => PlacementStrategy::BinpackMemory,
            Some("spread") if !field.is_empty() => {
                let label = expression::label(field);
                let attribute = reader.low.catalog.names.intern(&label);
                let wishes = &mut unit.template.wishes;
                wishes.spreads.push(SpreadWish { attribute, weight: 50, targets: Vec::new() });
                unit.template.spread.push(soft_spread(attribute, unit.own.clone()));
                PlacementStrategy::Spread(attribute)
            }
            Some(_) => {
                let what = format!("`{field}` is no field of this strategy");
                reader.wrong(node.mark, what, "expected `cpu` or `memory`, or an attribute to spread over");
                continue;
            }
            None => continue,
        };
        unit.template.wishes.strategies.push(strategy);
    }
}

fn deployment(reader: &mut Reader<'_, '_>, service: &Node, unit: &mut Unit) {
    if let Some(controller) = written(service, "deploymentController").and_then(|node| written(node, "type"))
        && controller.scalar() != Some("ECS")
    {
        let why = "only rolling updates are modelled";
        reader.low.unmodelled.field("service.deploymentController", why, controller.mark);
    }
    let Some(node) = reader.part(service, "deploymentConfiguration", &keys::DEPLOYMENT) else { return };
    let least = reader.count(node, "minimumHealthyPercent");
    let most = reader.count(node, "maximumPercent");
    let mut update = UpdateWish {
        min_health: least.map(|percent| percent.saturating_mul(10)),
        max_over: most.map(|percent| percent.saturating_sub(100).saturating_mul(10)),
        ..UpdateWish::default()
    };
    if let Some(breaker) = reader.part(node, "deploymentCircuitBreaker", &keys::BREAKER) {
        update.circuit_breaker = reader.switch(breaker, "enable");
        update.auto_revert = reader.switch(breaker, "rollback");
    }
    if least.is_some() || most.is_some() {
        let (least, most) = (least.unwrap_or(100).min(100), most.unwrap_or(200).max(100));
        // Nothing above and nothing below cannot move, in ECS as elsewhere.
        if (least, most) == (100, 100) {
            let what = "a deployment with 100 percent at least and 100 percent at most cannot move";
            reader.wrong(node.mark, what.to_owned(), "expected room below or above 100");
        }
        unit.strategy = Strategy::RollingUpdate {
            max_surge: Amount::Percent(most - 100),
            max_unavailable: Amount::Percent(100 - least),
        };
    }
    unit.wishes.update = update;
}
